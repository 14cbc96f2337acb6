"""The command `zero`, also as `python -m zero`."""

import sys


def main() -> None:
    """Runs the command that `sys.argv` names and exits."""
    try:
        from zero.cli.main import main as run  # takes a while, in which Ctrl-C may come
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()

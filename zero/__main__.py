"""`python -m zero`: the same as the command `zero`."""

from zero.cli import main

if __name__ == "__main__":
    main()

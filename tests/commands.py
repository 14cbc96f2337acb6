"""The command line, in the process of the tests."""

from typer.testing import CliRunner

from zero.cli import main as cli


def zero_(*arguments, code=0):
    """Runs a command in this process; returns (standard output, standard error)."""
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr

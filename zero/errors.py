"""The errors that users see: one base class, children by who must act.

A message says what was given, what is allowed, where (file, key, line or instruction) and what to
do. The command line prints it as one line; `--debug` shows the trace.
"""

import difflib
import re
from collections.abc import Iterable

# Text that YAML reads as itself without quotes, inside a list too.
_PLAIN = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./()%+-]*( [A-Za-z0-9_./()%+-]+)*")
_NO_TEXT = re.compile(
    r"null|true|false|0[ox][0-9a-f_]+|[0-9][0-9_]*(\.[0-9_]*)?(e[+-]?[0-9]+)?"
    r"|yes|no|on|off|0b[01_]+|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}",  # these in YAML 1.1 only
    re.IGNORECASE,
)


LONGEST_LINE = 3000  # of a message; a longer one loses its middle


class ZeroError(Exception):
    """Base of every error that the engine raises on purpose.

    Its text may quote what stands in a foreign file: what nobody could see, or would steer a terminal, is
    escaped in it, and long lines are cut.
    """

    def __str__(self) -> str:
        return "\n".join(map(_bounded, super().__str__().split("\n")))


class ConfigError(ZeroError):
    """A run's YAML file, or an option given beside it, is wrong."""


class ProgramError(ZeroError):
    """A program's text, an instruction or an op is wrong."""


class TaskError(ZeroError):
    """Data cannot be read, or no task can be made from it."""


class ArchiveError(ZeroError):
    """A run folder, an archive or a checkpoint cannot be read or written."""


class DeviceError(ZeroError):
    """A backend cannot be used on this machine."""


class NetworkError(ZeroError):
    """A genome or network that cannot be: loops, unknown ops, shapes that do not fit."""


def _bounded(line: str) -> str:
    line = visible(line)
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[: LONGEST_LINE * 2 // 3]} ... {line[-LONGEST_LINE // 4 :]}"


def written(value: object) -> str:
    """Returns a value as it can be copied into a YAML file, on one line, in a list too.

    Text that YAML would read as something else stands in double quotes, and so does what nobody
    could see, such as a no-break space, as its escape.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if not isinstance(value, str):
        return str(value)
    if _PLAIN.fullmatch(value) and not _NO_TEXT.fullmatch(value):
        return value
    return f'"{visible(value, quote=True)}"'


def visible(text: str, quote: bool = False) -> str:
    """Returns text in which every character can be seen; `quote` escapes double quotes as well."""
    return "".join(
        _escaped(c) if not c.isprintable() or (quote and c in '"\\') else c for c in text
    )


def _escaped(character: str) -> str:
    short = {"\t": "\\t", "\n": "\\n", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    number = ord(character)
    return short.get(character) or (f"\\u{number:04x}" if number < 2**16 else f"\\U{number:08x}")


def what_is(value: object) -> str:
    """Returns what a value is, in a few words: `a str: 'my.yaml'`."""
    if value is None:
        return "None"
    text = " ".join(repr(value).split())
    name = type(value).__name__
    article = "an" if name[:1].lower() in "aeiou" else "a"
    return f"{article} {name}" + (f": {text}" if len(text) <= 60 else "")


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Returns a one-line message: `kind` has no `name`; the nearest and the known names."""
    known = sorted(set(known))
    bare = {re.sub(r"[\W_]", "", other.casefold()): other for other in known}
    same = bare.get(re.sub(r"[\W_]", "", str(name).casefold()), "")
    near = [same] if same else difflib.get_close_matches(str(name), known, n=1)
    if not near:  # in another case
        small = {other.casefold(): other for other in known}
        near = [small[n] for n in difflib.get_close_matches(str(name).casefold(), small, n=1)]
    hint = f"; did you mean '{visible(near[0])}'?" if near else ""
    names = ", ".join(map(written, known))
    return f"unknown {kind} '{visible(str(name))}'{hint} (known: {names})"

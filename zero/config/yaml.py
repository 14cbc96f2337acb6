"""YAML text to plain Python data in which every key and value knows its line and column.

PyYAML's SafeLoader with its traps closed: duplicate keys are mistakes, numbers and booleans are
those of YAML 1.2 (`1e-3` is a number, `on` and `yes` are text, `012` is twelve), tags are refused,
and nesting, size and aliases are bounded. Nothing in a file is ever executed.

Called by `zero.programs.config`, which adds the mistakes of meaning to the mistakes of form found here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from zero.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_DEPTH = 30
MAX_VALUES = 20_000  # aliases expanded: a small file can stand for billions of values

Loc = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_RESOLVERS = (  # type, what it looks like, possible first characters
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
)
_WORDS = {
    "str": "text",
    "null": "null",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
}


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 scalars and bounded nesting; used for its node tree only."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own way to be configured)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        # PyYAML composes recursively: without a bound, ten thousand brackets end the interpreter.
        self.depth = getattr(self, "depth", 0) + 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH}", problem_mark=mark)
        self.nodes = getattr(self, "nodes", 0) + 1
        if self.nodes > 2 * MAX_VALUES:  # a key is one, too; PyYAML takes a second for so many
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem=f"more than {MAX_VALUES:,} values", problem_mark=mark
            )
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads back: text that looks like a YAML 1.2 number is quoted."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # Only in double quotes does PyYAML write every kind of line break so that it comes back.
        style = None if data.isprintable() else '"'
        return self.represent_scalar(_TAG + "str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


for _name, _pattern, _first in _RESOLVERS:
    for _class in (_Loader, _Dumper):
        _regexp = re.compile(rf"^(?:{_pattern})$")
        _first_characters = [*_first, ""] if _name == "null" else list(_first)
        _class.add_implicit_resolver(_TAG + _name, _regexp, _first_characters)


@dataclass(frozen=True)
class Problem:
    """One mistake: where (`file:line:column` or the option), which key, and what to say."""

    place: str
    loc: Loc
    message: str
    order: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        key = dotted(self.loc)
        return f"{self.place}: {key}: {self.message}" if key else f"{self.place}: {self.message}"


@dataclass
class Document:
    """A YAML mapping as plain data, with the place of each key and value.

    source: how the file is called in messages. data: dicts, lists, str, int, float, bool, None.
    problems: mistakes of form found so far. overridden: locations that an option replaced. spelt:
    where a value stands under a misspelt key, by the location that was meant. options: in order. kept:
    a run's own copies of files that it imports, by their names (`zero.config.imports`). file: that it
    was read from; of_run: which is that of a run's folder.
    """

    source: str
    data: Any
    problems: list[Problem] = field(default_factory=list)
    key_at: dict[Loc, yaml.Mark] = field(default_factory=dict)
    value_at: dict[Loc, yaml.Mark] = field(default_factory=dict)
    overridden: dict[Loc, str] = field(default_factory=dict)
    spelt: dict[Loc, Loc] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)
    kept: dict[str, Path] = field(default_factory=dict)
    file: Path | None = None
    of_run: bool = False

    def as_spelt(self, loc: Loc) -> Loc:
        """Returns a location with its keys as the file spells them."""
        for size in range(len(loc), 0, -1):
            if loc[:size] in self.spelt:
                return self.spelt[loc[:size]] + loc[size:]
        return loc

    def override_of(self, loc: Loc) -> str | None:
        """Returns the option that gave the value at `loc`, or None if the file did."""
        loc = self.as_spelt(loc)
        for size in range(len(loc), 0, -1):
            if loc[:size] in self.overridden:
                return self.overridden[loc[:size]]
        return None

    def problem(self, loc: Loc, message: str, at_key: bool = False) -> Problem:
        """Returns a Problem placed at the value of `loc`, or its key, or the nearest parent."""
        loc = self.as_spelt(loc)
        option = self.override_of(loc)
        if option is not None:
            return self._of_option(option, message, loc)
        for size in range(len(loc), -1, -1):
            # A parent stands in for a missing value: its key is easier to find than its content.
            first, second = self.value_at, self.key_at
            if at_key or size < len(loc):
                first, second = second, first
            mark = first.get(loc[:size]) or second.get(loc[:size])
            if mark is not None:
                return Problem(_place(self.source, mark), loc, message, (mark.line, mark.column))
        return Problem(self.source, loc, message)

    def _of_option(self, option: str, message: str, loc: Loc = ()) -> Problem:
        # Options come after the file, in their own order.
        return Problem(option, loc, message, (1 << 30, self.options.index(option)))

    def override(self, assignment: str) -> None:
        """Puts `KEY.KEY=VALUE` (VALUE in YAML) into the data; missing sections are created.

        What is not an assignment, or whose VALUE is not YAML, is a problem.
        """
        option = f"--set {assignment if len(assignment) <= 80 else assignment[:77] + '...'}"
        self.options.append(option)
        key, equals, text = assignment.partition("=")
        loc = tuple(part.strip() for part in key.split("."))
        if not is_text(key):
            message = "a key must be text in UTF-8"
            self.problems.append(self._of_option(option, message))
            return
        if not equals or not all(loc):
            message = "must be KEY=VALUE, for example search.population=1000"
            self.problems.append(self._of_option(option, message))
            return
        if len(loc) > MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH}"
            self.problems.append(self._of_option(option, message))
            return
        try:
            value = parse(text, option, section=False)
        except ConfigError as error:
            message = str(error).removeprefix(f"{option}: ")
            self.problems.append(self._of_option(option, message))
            return
        self.problems += value.problems
        parent = self.data
        for i, part in enumerate(loc[:-1]):
            if parent.get(part) is None or parent[part] == "none":
                parent[part] = {}
                self.overridden.setdefault(loc[: i + 1], option)
            parent = parent[part]
            if not isinstance(parent, dict):
                message = "cannot be set: " + dotted(loc[: i + 1]) + " is not a section"
                self.problems.append(self._of_option(option, message, loc))
                return
        parent[loc[-1]] = value.data
        for places in (self.key_at, self.value_at, self.overridden):
            for old in [other for other in places if other[: len(loc)] == loc]:
                del places[old]
        self.overridden[loc] = option


def is_text(key: object) -> bool:
    """Returns whether a key is text that can be written: what no encoding has, pydantic fails on."""
    return isinstance(key, str) and not any("\ud800" <= c <= "\udfff" for c in key)


def dotted(loc: Loc) -> str:
    """Returns a location as text: `tasks.search.pairs[0]`."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in loc).lstrip(".")


def read(path: Path, source: str | None = None) -> Document:
    """Returns the document in a YAML file.

    Raises:
        ConfigError: there is no such file, it is not UTF-8 text, empty, too large, not valid YAML
            or no mapping; one line with file, line and column. Mistakes that leave the rest
            readable (duplicate keys, tags) are in the document's `problems` instead.
    """
    source = source or str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{source}: no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{source}: cannot be read: {reason}") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{source}: larger than {MAX_BYTES:,} bytes: not a run's YAML file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8-sig")) + 1
        byte = f"0x{raw[error.start]:02x}"
        raise ConfigError(
            f"{source}:{line}:{column}: byte {byte} is not UTF-8 text: not a YAML file, or saved "
            "in another encoding; save it as UTF-8"
        ) from None
    return parse(text, source)


def parse(text: str, source: str, section: bool = True) -> Document:
    """Returns the document in `text`; with `section` it must be a mapping.

    Raises:
        ConfigError: as `read`.
    """
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        at = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
        raise ConfigError(
            f"{source}:{at}: character U+{error.character:04X} is not allowed in YAML"
        ) from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_syntax_message(source, text, error)) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        mark = loader.get_mark() if loader else None
        where = _place(source, mark) if mark else source
        raise ConfigError(f"{where}: not valid YAML: {_one_line(error)}") from None
    if section and node is None:
        raise ConfigError(
            f"{source}:1:1: the file is empty; it must have a 'tasks' section at least"
        )
    if section and node and not isinstance(node, yaml.MappingNode):
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
        raise ConfigError(
            f"{_place(source, node.start_mark)}: the file is {kind}; it must be KEY: VALUE lines"
        )
    document = Document(source, {})
    document.data = None if node is None else _Converter(document).convert(node, ())
    return document


def dump(data: dict[str, Any]) -> str:
    """Returns `data` as YAML that `parse` reads back to equal data; short lists on one line."""
    return yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=None,
    )


class _Converter:
    """Turns nodes into plain data and notes places and mistakes in a document."""

    def __init__(self, document: Document):
        self.document = document
        self.num_values = 0

    def convert(self, node: yaml.Node, loc: Loc) -> Any:
        """Returns the node's data; what is wrong becomes a problem and None."""
        document = self.document
        document.value_at[loc] = node.start_mark
        self.num_values += 1
        if self.num_values > MAX_VALUES or len(loc) > MAX_DEPTH:
            place = _place(document.source, node.start_mark)
            raise ConfigError(
                f"{place}: more than {MAX_VALUES:,} values or {MAX_DEPTH} levels: an alias (*name) "
                "that repeats too much or contains itself"
            )
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return dict(self.items(node, loc))
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.convert(child, (*loc, i)) for i, child in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            kind = node.tag.removeprefix(_TAG)
            try:
                return _scalar(kind, node.value)
            except KeyError:
                pass  # a tag that is none of ours
            except ValueError:
                message = f"must be {_WORDS.get(kind, kind)}, got {_shown(node.value)}"
                document.problems.append(document.problem(loc, message))
                return None
        tag = node.tag.replace(_TAG, "!!")
        message = f"the tag {_shown(tag)} is not allowed; remove it"
        document.problems.append(document.problem(loc, message))
        return None

    def items(self, node: yaml.MappingNode, loc: Loc) -> Iterator[tuple[str, Any]]:
        """Yields a mapping's keys and data, without keys that are no text or given before."""
        document = self.document
        first_line: dict[str, int] = {}
        for key_node, value_node in node.value:
            is_text = isinstance(key_node, yaml.ScalarNode) and key_node.tag == _TAG + "str"
            key: str | None = key_node.value if is_text else None
            mark = key_node.start_mark
            message = ""
            if key is None:
                shown = _shown(key_node.value) if isinstance(key_node.value, str) else "a list"
                message = f"a key must be a name, got {shown}"
            elif key in first_line:
                message = f"given twice (first in line {first_line[key]}); keep one of them"
            if message or key is None:
                bad = (*loc, key) if key is not None else loc
                order = (mark.line, mark.column)
                place = _place(document.source, mark)
                document.problems.append(Problem(place, bad, message, order))
                continue
            first_line[key] = mark.line + 1
            document.key_at[(*loc, key)] = mark
            yield key, self.convert(value_node, (*loc, key))


def _scalar(kind: str, text: str) -> Any:
    """Returns the value of a scalar; KeyError for an unknown type, ValueError for a bad value."""
    if kind == "str":
        text.encode()  # a lone surrogate could not be written to any file later
        return text
    if kind == "null":
        return None
    if kind == "bool":
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    digits = text.replace("_", "").lower()
    if kind == "int":
        base = {"0o": 8, "0x": 16}.get(digits[:2], 10)
        return int(digits, base)
    if kind == "float":
        return float(digits.replace(".inf", "inf").replace(".nan", "nan"))
    raise KeyError(kind)


def _place(source: str, mark: yaml.Mark) -> str:
    # An option is one line: its column inside the value would only confuse.
    if source.startswith("--set "):
        return source
    return f"{source}:{mark.line + 1}:{mark.column + 1}"


def _shown(text: str) -> str:
    text = text if len(text) <= 60 else text[:57] + "..."
    return '"' + text.encode("unicode_escape").decode() + '"'


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:200]


def _syntax_message(source: str, text: str, error: yaml.MarkedYAMLError) -> str:
    """Returns one line for PyYAML's error; the commonest causes in plain words."""
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if "\t" in line[: mark.column + 1 if mark else 0]:
        problem = "a tab; YAML is indented with spaces"
    elif error.problem == "mapping values are not allowed here":
        problem = "a second ':' in one line, or a line indented too far"
    elif error.problem == "could not find expected ':'":
        problem = "a line without ':' (KEY: VALUE)"
    elif error.problem and "expected a single document" in (error.context or ""):
        problem = "a second document ('---'); a run is one document"
    else:
        parts = [error.context, error.problem] if error.context else [error.problem]
        problem = _one_line(", ".join(str(part) for part in parts))
    return f"{_place(source, mark) if mark else source}: not valid YAML: {problem}"

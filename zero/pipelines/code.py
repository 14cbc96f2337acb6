"""Python code that builds an object again: constructor calls, with what is as usual left out, and imports.

Knows nothing of pipelines in particular: whatever has scikit-learn's `get_params` (learners, transformers,
kernels), functions of modules, containers, numbers. Called by `zero.pipelines.source`.
"""

from __future__ import annotations

import importlib
import inspect
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zero.errors import ZeroError

CHAIN = "chain"  # what `sklearn.pipeline.make_pipeline` is called here
WIDTH = 88  # columns, as black has it
LONG = 60  # characters from which on a text of several lines is written line by line
SHORT = {"numpy": "np", "pandas": "pd"}  # modules with a name that all know


@dataclass(frozen=True)
class _Group:
    """Code with parts: head, parts, tail; sign: between parts, a comma, operator or nothing."""

    head: str
    parts: Sequence[tuple[str, Any]]  # what stands before a part, such as "alpha=", and its code
    tail: str
    sign: str = ","

    @property
    def flat(self) -> str:
        """All in one line."""
        gap = ", " if self.sign == "," else f" {self.sign} ".replace("  ", " ")
        one = "," if self.head == "(" and self.sign == "," and len(self.parts) == 1 else ""
        return self.head + gap.join(n + _flat(p) for n, p in self.parts) + one + self.tail

    def lines(self, indent: int, before: int, after: int) -> list[str]:
        """Returns lines at an indent, as black would break them; before, after: columns that are taken."""
        if before + len(self.flat) + after <= WIDTH or not self.parts:
            return [self.flat]
        if self.sign in _OPERATORS.values():
            first, *others = [_flat(part) for _, part in self.parts]
            return [first, *(" " * indent + f"{self.sign} {other}" for other in others)]
        inner = " " * (indent + 4)
        found = [self.head]
        one = self.flat.removeprefix(self.head).removesuffix(self.tail)
        if self.sign == "," and len(inner + one) <= WIDTH:
            return [self.head, inner + one, " " * indent + self.tail]
        several = len(self.parts) > 1 or self.head == "("
        ending = "," if self.sign == "," and several else ""
        for name, part in self.parts:
            begin = inner + name
            if isinstance(part, _Group):
                first, *others = part.lines(indent + 4, len(begin), len(ending))
                found += [begin + first, *others]
            else:
                found.append(begin + part)
            found[-1] += ending
        return [*found, " " * indent + self.tail]


def _is_sum(code: Any) -> bool:
    return isinstance(code, _Group) and code.sign == "+"


def _flat(code: Any) -> str:
    return code.flat if isinstance(code, _Group) else code


@dataclass
class Code:
    """Writes objects and remembers what is to be imported for them.

    modules: whole ones. names: module -> names of it.
    """

    modules: set[str] = field(default_factory=set)
    names: dict[str, set[str]] = field(default_factory=dict)

    def of(self, value: Any, indent: int = 0, before: str = "") -> str:
        """Returns an object's code.

        Args:
            value: the object.
            indent: columns that its further lines begin with.
            before: what stands in front of it on its first line, indent included; returned with it.

        Raises:
            ZeroError: it is of a kind that cannot be written.
        """
        code = self._code(value)
        if isinstance(code, _Group):
            return before + "\n".join(code.lines(indent, len(before), 0))
        return before + code

    def imports(self) -> str:
        """Returns the lines that import what was written so far: Python's own modules first."""
        import sys

        lines = []
        for module in self.modules:
            short = f" as {SHORT[module]}" if module in SHORT else ""
            lines.append((module, f"import {module}{short}"))
        for module, names in self.names.items():
            group = _Group("(", [(name, "") for name in sorted(names)], ")")
            line = f"from {module} import "
            plain = ", ".join(sorted(names))
            if len(line) + len(plain) <= WIDTH:
                lines.append((module, line + plain))
            else:
                lines.append((module, line + "\n".join(group.lines(0, WIDTH, 0))))

        def is_own(module: str) -> bool:
            return module.partition(".")[0] in sys.stdlib_module_names

        def key(item: tuple[str, str]) -> tuple[bool, str]:
            return item[1].startswith("from"), item[0]

        own = [text for module, text in sorted(lines, key=key) if is_own(module)]
        others = [text for module, text in sorted(lines, key=key) if not is_own(module)]
        return "\n\n".join("\n".join(part) for part in (own, others) if part)

    # --- kinds of objects -------------------------------------------------------------------------

    def _code(self, value: Any) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | bytes):
            return repr(value)
        if isinstance(value, float):
            return repr(value) if math.isfinite(value) else f'float("{value}")'
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, list):
            return self._group("[", (("", v) for v in value), "]")
        if isinstance(value, tuple):
            return self._group("(", (("", v) for v in value), ")")
        if isinstance(value, dict):
            items = [(f"{_flat(self._code(k))}: ", v) for k, v in value.items()]
            return self._group("{", items, "}")
        if isinstance(value, np.ndarray):
            self.modules.add("numpy")
            return self._group("np.array(", [("", value.tolist())], ")")
        if hasattr(value, "get_params") and not isinstance(value, type):
            return self._estimator(value)
        if hasattr(value, "split") and hasattr(value, "get_n_splits"):  # folds
            asked = inspect.signature(type(value)).parameters.values()
            given = [(p.name, getattr(value, p.name)) for p in asked if hasattr(value, p.name)]
            named = ((f"{name}=", kept) for name, kept in given)
            return self._group(f"{self._name(type(value))}(", named, ")")
        if isinstance(value, operator.attrgetter):
            return self._group(f"{self._name(type(value))}(", (("", v) for v in _args(value)), ")")
        if callable(value):
            return self._name(value)
        raise ZeroError(f"no Python can be written for a {type(value).__name__} in a pipeline")

    def _group(self, head: str, parts: Iterable[tuple[str, Any]], tail: str) -> _Group:
        return _Group(head, [(name, self._code(part)) for name, part in parts], tail)

    def _estimator(self, value: Any) -> Any:
        parts: list[tuple[str, Any]]
        given, usual = value.get_params(deep=False), _usual(type(value))
        sign = _OPERATORS.get(type(value).__name__)
        if sign is not None and set(given) == {"k1", "k2"}:  # of kernels
            parts = [("", self._code(given[k])) for k in ("k1", "k2")]
            if sign == "*":
                parts = [(n, f"({p.flat})" if _is_sum(p) else p) for n, p in parts]
            return _Group("", parts, "", sign)
        chained = _chained(value)
        if chained:
            self.names.setdefault("sklearn.pipeline", set()).add(f"make_pipeline as {CHAIN}")
            return self._group(f"{CHAIN}(", [("", part) for part in chained], ")")
        signature = _signature(type(value))
        order = {name: place for place, name in enumerate(signature)}
        parts = []
        for name, held in sorted(given.items(), key=lambda item: order.get(item[0], len(order))):
            if name in usual and _equal(held, usual[name]):
                continue
            known = signature.get(name)
            first = not parts and known is not None and known.default is known.empty
            by_place = first and known is not None and known.kind is known.POSITIONAL_OR_KEYWORD
            parts.append(("" if by_place else f"{name}=", held))
        return self._group(f"{self._name(type(value))}(", parts, ")")

    def _name(self, value: Any) -> str:
        """Returns how a function or class is called, and remembers its import."""
        module, name = _place(value)
        if module in SHORT:
            self.modules.add(module)
            return f"{SHORT[module]}.{name}"
        if module != "builtins":
            self.names.setdefault(module, set()).add(name)
        return name


def _chained(value: Any) -> list[Any]:
    """Returns the steps of a pipeline that has the names that scikit-learn gives them; else none."""
    from sklearn.pipeline import Pipeline, make_pipeline

    if type(value) is not Pipeline:
        return []
    steps = [step for _, step in value.steps]
    alike = make_pipeline(*steps)
    same = _equal(value.get_params(deep=False), alike.get_params(deep=False))
    return steps if same else []


_OPERATORS = {"Sum": "+", "Product": "*"}


def _text(value: str) -> Any:
    lines = value.splitlines(keepends=True)
    if len(lines) > 1 and len(value) > LONG:
        return _Group("(", [("", _quoted(line)) for line in lines], ")", sign="")
    return _quoted(value)


def _quoted(value: str) -> str:
    """Returns a text in double quotes, as black has it."""
    plain = repr(value)
    if plain[0] == "'" and '"' not in plain:
        return f'"{plain[1:-1]}"'
    return plain


def _args(value: Any) -> Sequence[Any]:
    return value.__reduce__()[1]


def _place(value: Any) -> tuple[str, str]:
    """Returns the module that people import a function or class from, and its name there.

    Raises:
        ZeroError: it can be imported from nowhere, as what stands in another function.
    """
    name = getattr(value, "__name__", "")
    parts = (getattr(value, "__module__", None) or "").split(".")
    for count in range(1, len(parts) + 1):
        module = ".".join(parts[:count])
        if module and getattr(importlib.import_module(module), name, None) is value:
            return module, name
    raise ZeroError(f"no Python can be written for {value!r}, which has no name in a module")


def _signature(kind: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(kind).parameters)


def _usual(kind: Any) -> dict[str, Any]:
    """Returns the parameters of an estimator that nobody gave any, as far as it has such."""
    try:
        return kind().get_params(deep=False)
    except TypeError:
        known = _signature(kind).items()
        return {name: p.default for name, p in known if p.default is not p.empty}


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and bool(np.all(one == other))

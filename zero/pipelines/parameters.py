"""The decisions of a pipeline: a name, the values it may take, and when it is asked at all.

A decision is written `name=value`. Ranges of numbers are cut into levels, so that every search method that
decides among names serves them; values keep their order. Called by the families of learners and by
`zero.pipelines.space`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """One decision.

    name: also the learner's keyword, unless its family says otherwise. values: in order. default: what a
    person gets who decides nothing; one of the values. when: name -> values of another parameter of which
    it has one, else this is not asked.
    """

    name: str
    values: tuple[Any, ...]
    default: Any
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.default not in self.values:
            raise ValueError(f"{self.name}: default {self.default!r} is none of {self.values}")

    @cached_property
    def decisions(self) -> tuple[str, ...]:
        """The decisions, as `choices` of a space gives them."""
        return tuple(f"{self.name}={word(value)}" for value in self.values)

    @property
    def usual(self) -> str:
        """The decision for the default."""
        return self.decisions[self.values.index(self.default)]

    def value(self, text: str) -> Any:
        """Returns the value that stands after the =; raises KeyError where it is none."""
        return dict(zip((word(v) for v in self.values), self.values, strict=True))[text]

    def is_asked(self, known: Values) -> bool:
        """Returns whether it is to be decided after these."""
        return all(known.get(name) in values for name, values in self.when.items())


def choice(name: str, *values: Any, default: Any = None, **when: Any) -> Parameter:
    """Returns a decision between values without an order; the first is the default if none is given."""
    return Parameter(name, values, values[0] if default is None else default, _when(when))


def number(
    name: str,
    low: float,
    high: float,
    levels: int,
    *,
    log: bool = False,
    default: float,
    **when: Any,
) -> Parameter:
    """Returns a decision between numbers from `low` to `high`, evenly spaced (in the logarithm)."""
    values = sorted({*_spaced(low, high, levels, log, 2), float(default)})
    return Parameter(name, tuple(values), float(default), _when(when))


def whole(
    name: str, low: int, high: int, levels: int, *, log: bool = False, default: int, **when: Any
) -> Parameter:
    """Returns a decision between whole numbers from `low` to `high`."""
    values = sorted({*(round(v) for v in _spaced(low, high, levels, log, 4)), default})
    return Parameter(name, tuple(values), default, _when(when))


def _spaced(low: float, high: float, levels: int, log: bool, digits: int) -> list[float]:
    """Returns numbers, rounded so that people can read them."""
    steps = [k / (levels - 1) for k in range(levels)]
    found = [low * (high / low) ** s if log else low + (high - low) * s for s in steps]
    return [float(f"{value:.{digits}g}") for value in found]


def _when(when: Values) -> dict[str, tuple[Any, ...]]:
    return {k: v if isinstance(v, tuple) else (v,) for k, v in when.items()}


def word(value: Any) -> str:
    """Returns a value as it stands in a decision, without white space."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)

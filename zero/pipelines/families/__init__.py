"""Families of learners: what a pipeline ends with. One file for a group, one `register` for each.

A family is a learner of scikit-learn's form, its hyperparameters, and what it asks of the data. To add one,
write a file here that calls `register`; its name is then a value of the decision `family`.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from zero.errors import ConfigError, unknown_name
from zero.pipelines.parameters import Parameter

Problem = Literal["regression", "binary", "multiclass"]


@dataclass(frozen=True)
class Family:
    """A learner and how it is used.

    name: of the decision. about: for people. classifier, regressor: "module:class", None where there is
    none. parameters: for both; classifier_parameters, regressor_parameters: for one of them. fixed: keywords
    that are always given. translate: takes the decided values and the problem, returns keywords, where the
    values are not keywords themselves. scaled: whether it needs features of one scale. takes_nan: whether
    empty cells may stay empty. takes_sparse: whether features may be a sparse matrix. rows: most rows that it
    is offered for. cells: most rows times features, of dense ones. package: what must be installed, beside
    scikit-learn. seeded: whether it has `random_state`. grows: the parameter that says how many trees or
    rounds there are, of which fewer are a cheaper figure of the same. warm_up: what takes long once in a
    process.
    """

    name: str
    about: str
    classifier: str | None = None
    regressor: str | None = None
    parameters: tuple[Parameter, ...] = ()
    classifier_parameters: tuple[Parameter, ...] = ()
    regressor_parameters: tuple[Parameter, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    classifier_fixed: Mapping[str, Any] = field(default_factory=dict)
    regressor_fixed: Mapping[str, Any] = field(default_factory=dict)
    translate: Callable[[dict[str, Any], Problem], dict[str, Any]] | None = None
    scaled: bool = False
    takes_nan: bool = False
    takes_sparse: bool = False
    rows: int = 10_000_000
    cells: int = 2_000_000_000
    package: str | None = None
    seeded: bool = True
    weighted: bool = True
    grows: str = ""
    problems: tuple[Problem, ...] = ("regression", "binary", "multiclass")
    warm_up: Callable[[Problem], None] | None = None

    def load(self, problem: Problem) -> Any:
        """Imports the learner, and compiles what it compiles; returns its class."""
        place = self.learner(problem)
        assert place is not None
        module, _, name = place.partition(":")
        found = getattr(importlib.import_module(module), name)
        if self.warm_up is not None:
            self.warm_up(problem)
        return found

    def learner(self, problem: Problem) -> str | None:
        """Returns the learner's "module:class" for a problem, None if it has none."""
        if problem not in self.problems:
            return None
        return self.regressor if problem == "regression" else self.classifier

    def parameters_for(self, problem: Problem) -> tuple[Parameter, ...]:
        """Returns its hyperparameters for a problem."""
        own = self.regressor_parameters if problem == "regression" else self.classifier_parameters
        return (*self.parameters, *own)

    def keywords(self, values: Mapping[str, Any], problem: Problem) -> dict[str, Any]:
        """Returns the learner's keywords for decided values."""
        own = self.regressor_fixed if problem == "regression" else self.classifier_fixed
        names = {p.name for p in self.parameters_for(problem)}
        mine = {k: v for k, v in values.items() if k in names}
        if self.translate is not None:
            mine = self.translate(mine, problem)
        return {**self.fixed, **own, **mine}

    def is_installed(self) -> bool:
        """Returns whether what it needs is installed."""
        return self.package is None or importlib.util.find_spec(self.package) is not None

    def suits(self, problem: Problem, rows: int, features: int) -> bool:
        """Returns whether it is offered for such data."""
        return (
            self.learner(problem) is not None
            and rows <= self.rows
            and rows * features <= self.cells
            and self.is_installed()
        )


_KNOWN: dict[str, Family] = {}


def register(family: Family) -> Family:
    """Makes a family known; returns it.

    Raises:
        ConfigError: there is one of that name.
    """
    if family.name in _KNOWN and _KNOWN[family.name].classifier != family.classifier:
        raise ConfigError(f"family '{family.name}': there is one already")
    _KNOWN[family.name] = family
    return family


def families() -> dict[str, Family]:
    """Returns all families by name, in the order of their files' names."""
    for file in sorted(file.name for file in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{file}")
    return dict(_KNOWN)


def named(names: Iterable[str]) -> list[Family]:
    """Returns the families of these names.

    Raises:
        ConfigError: there is no such family, or what it needs is not installed.
    """
    known, found = families(), []
    for name in names:
        if name not in known:
            raise ConfigError(unknown_name("family", name, known))
        family = known[name]
        if not family.is_installed():
            raise ConfigError(
                f"family '{name}' needs {family.package}: pip install 'zero-discovery[boost]'"
            )
        found.append(family)
    return found


def suiting(problem: Problem, rows: int, features: int) -> list[Family]:
    """Returns the families that are offered for such data, where nobody names some."""
    return [f for f in families().values() if f.suits(problem, rows, features)]

"""Which searches a table of evaluated cells can be searched by, and their settings (`zero.bench.nas_table`).

Beside the methods of `zero.search` stands random sampling, one draw. A search may be named with settings
of its own: `METHOD:KEY=VALUE:KEY=VALUE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from zero import search
from zero.bench.nas_table_runs import SAMPLING
from zero.bench.nas_table_space import RowSpace
from zero.config.yaml import parse
from zero.errors import ConfigError, unknown_name
from zero.search.protocol import SearchSettings
from zero.search.section import settings_model

RANDOM_SEARCH = "random_search"
ALWAYS = (SAMPLING, RANDOM_SEARCH)
ALIASES = {"random": RANDOM_SEARCH}

# Settings by method, found on NAS-Bench-201's CIFAR-10 validation column: see `TUNING`.
TUNED: dict[str, dict[str, int]] = {
    "regularized_evolution": {"population": 10, "tournament": 8},
    "local_search": {"population": 10},
    "random_search": {},
    "nsga2": {"population": 10},  # as evolution, not tuned; its own default is a random budget here
}
TUNING = (
    "benchmarks/nas_table.py on NAS-Bench-201's column cifar10_val, with seeds of its own, at the "
    "cost of 500 runs of 100 queries for each of 53 settings of evolution and 10 of local search"
)

SCHEDULE = "schedule"  # a setting of this name is how many genomes a method plans for


@dataclass(frozen=True)
class Contestant:
    """A search as it was named, its method, and the settings that were named with it."""

    label: str
    method: str
    own: dict[str, Any] = field(default_factory=dict)


def descriptions() -> dict[str, str]:
    """Returns what every search does, by name, in the order of reports."""
    found = {SAMPLING: "one random cell, whatever its score"}
    methods = {n: d for n, d in search.methods().items() if not search.lacking(n, RowSpace)}
    # Rules for parents first, those that make genomes by decisions last.
    order = sorted(methods, key=lambda n: (not search.chooses_parents(n), search.decides(n)))
    found |= {name: methods[name] for name in order}
    return {name: found[name] for name in (*ALWAYS, *(n for n in found if n not in ALWAYS))}


def chosen(names: Sequence[str] | None) -> list[Contestant]:
    """Returns the searches to run, the two random ones always among them; None: all there are.

    Raises:
        ConfigError: there is none of that name, or it has no such settings.
    """
    known = descriptions()
    found = {name: Contestant(name, name) for name in (known if names is None else ALWAYS)}
    for text in names or ():
        one = _contestant(text, known)
        found[one.label] = one
    order = list(known)
    return sorted(found.values(), key=lambda one: order.index(one.method))


def _contestant(text: str, known: dict[str, str]) -> Contestant:
    name, *settings = text.split(":")
    method = ALIASES.get(name, name)
    if method in search.names() and method not in known:
        lacks = " and ".join(search.lacking(method, RowSpace))
        raise ConfigError(
            f"{method} cannot search a table: it needs a space with {lacks}; use some of "
            f"{', '.join(known)}"
        )
    if method not in known:
        raise ConfigError(unknown_name("search", name, [*known, *ALIASES]))
    own = {}
    for setting in settings:
        key, mark, value = setting.partition("=")
        keys = [] if method == SAMPLING else search.keys_of(method)
        if not mark or key not in keys:
            raise ConfigError(
                f"{text}: '{setting}' is no setting of {method}; expected KEY=VALUE with a key of "
                f"{', '.join(keys) or 'which it has none'}"
            )
        own[key] = parse(value, text, section=False).data
    if own:
        _check(text, method, own)
    return Contestant(":".join([method, *settings]), method, own)


def _check(text: str, method: str, settings: dict[str, Any]) -> None:
    try:
        settings_model(SearchSettings, method)(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{text}: {where}: {first['msg']}") from None


def settings_of(
    name: str, given: dict[str, int | None], own: dict[str, Any] | None = None, budget: int = 100
) -> dict[str, Any]:
    """Returns a method's settings: its own, those given that it has, the others from `TUNED`.

    What a method plans for is the budget, unless it is among its own. Settings that are not here are the
    method's defaults.

    Raises:
        ConfigError: a tournament larger than the population.
    """
    own = own or {}
    if name == SAMPLING:
        return {}
    if not search.chooses_parents(name):
        planned = {SCHEDULE: budget} if SCHEDULE in search.keys_of(name) else {}
        return planned | TUNED.get(name, {}) | own
    usual = TUNED.get(name, TUNED["regularized_evolution"])
    usual = {key: value for key, value in usual.items() if key in search.keys_of(name)}
    settings = {key: own.get(key) or given.get(key) or value for key, value in usual.items()} | own
    population = settings.get("population", 1)
    tournament = own.get("tournament") or given.get("tournament") or 1
    if tournament > population and "tournament" in settings:
        raise ConfigError(
            f"a tournament of {tournament} in a population of {population}; give "
            "--tournament of at most --population"
        )
    if "tournament" in settings:
        settings["tournament"] = min(settings["tournament"], population)
    return settings


def all_settings(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings with a method's defaults, as a report has to have them."""
    if name == SAMPLING or search.chooses_parents(name):
        return settings
    model = settings_model(SearchSettings, name)(**settings)
    return model.model_dump(mode="json", exclude={"method", "population"}) | settings

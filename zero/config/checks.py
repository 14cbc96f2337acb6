"""Checks across the sections that the settings of every run have.

Each check takes a run's config, or what is known of one that is wrong in part
(`zero.config.settings`), and yields (keys, what is wrong). What a search method, an island or a
backend does not use is not checked, and a default that nobody gave refuses no run. Called by the
kinds' own config files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zero.config.settings import Found, roughly


def check_migrants(config: Any) -> Iterator[Found]:
    """Checks the number of migrants, where there are islands to migrate to."""
    if config.islands.count > 1 and "migrants" in config.islands.model_fields_set:
        population, migrants = roughly(config.search, "population"), config.islands.migrants
        if migrants > population:
            message = f"must be at most search.population ({population}), got {migrants}"
            yield ("islands", "migrants"), message


def check_end(config: Any) -> Iterator[Found]:
    """Checks that something ends the run."""
    experiments, budget = config.experiments, config.budget
    lengths = (experiments.individuals, experiments.train_steps)
    limits = (budget.individuals, budget.train_steps, budget.seconds, budget.fitness,
              budget.patience)  # fmt: skip
    limited = any(value is not None for value in limits)
    if limited or experiments.sufficient_fitness is not None:
        return
    if all(value is None for value in lengths):
        message = (
            "nothing ends the run: give at least one of individuals, train_steps, seconds, "
            "fitness, patience"
        )
        yield ("budget",), message
    elif experiments.max == 0:
        message = "0 experiments (no limit) need experiments.sufficient_fitness or a budget"
        yield ("experiments", "max"), message


def check_lengths(config: Any) -> Iterator[Found]:
    """Checks that several experiments have an end each."""
    experiments = config.experiments
    if experiments.max != 1 and experiments.individuals is None and experiments.train_steps is None:
        message = (
            f"must be 1 unless experiments.individuals or train_steps says how long each lasts, "
            f"got {experiments.max}"
        )
        yield ("experiments", "max"), message


OF_EVERY_RUN = (check_migrants, check_end, check_lengths)

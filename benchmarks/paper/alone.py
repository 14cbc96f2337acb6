"""One experiment on one island in this process: for measurements in individuals, without a run around it."""

from dataclasses import replace
from typing import Any

from zero.programs.domain import ProgramsDomain

ENDLESS = {"individuals": 2**60, "train_steps": 2**60}


def ended(domain: ProgramsDomain, experiment: int) -> Any:
    """Returns the experiment's island once its search fitness suffices or its individuals are made.

    Both as `experiments` of the config says; `reason` of the island is "fitness" or "individuals".
    """
    island, settings = domain.islands(experiment, ENDLESS)[0], domain.config.experiments
    most = settings.individuals
    island.limits = replace(
        island.limits, fitness=settings.sufficient_fitness, individuals=most, round=most
    )
    while island.reason is None:
        island.advance(1.0)
    return island

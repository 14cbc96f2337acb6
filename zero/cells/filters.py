"""Spaces of cells from which only genomes of high zero-cost scores are drawn (`cells.scores`).

Every search method that draws genomes combines with it: it draws from the space. What decides is a genome's
score to six digits, which depends on nothing but the run's seed and the genome.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zero.cells.genome import Genome
from zero.cells.limits import UNCHANGED
from zero.errors import NetworkError
from zero.nn.augment import epoch_order, some_images
from zero.nn.scores import SCORES, Batch, rounded, score
from zero.rng.philox import key_for
from zero.rng.splitmix import new_state
from zero.search.decisions import Decisions

TRIES = 100  # of a genome whose score is high enough, before the best of them is taken


class Scorer:
    """Scores genomes, each once.

    Args:
        name: of the score.
        network: makes a genome's network; raises NetworkError where there is none.
        seed: of weights and of the choice of images.
        data: `zero.data.images.ImageData`, None where the score looks at no image.
        count: train images that it looks at, fewer if there are fewer.
    """

    def __init__(
        self, name: str, network: Callable[[Genome], Any], seed: int, data: Any, count: int
    ):
        self.name, self.network, self.seed = name, network, key_for(seed, "scores")
        self.batch = None if data is None else _batch(data, self.seed, count)
        self.known: dict[str, float] = {}

    def __call__(self, genome: Genome) -> float:
        """Returns a genome's score to six digits; -inf if it makes no network."""
        text = str(genome)
        if text not in self.known:
            try:
                value = score(self.name, self.network(genome), self.seed, self.batch)
                self.known[text] = rounded(value)
            except NetworkError:
                self.known[text] = -math.inf
        return self.known[text]


def _batch(data: Any, seed: int, count: int) -> Batch:
    rows = epoch_order(len(data.train_x), seed, 0)[:count]
    return Batch(some_images(data, seed, count), data.train_y[rows])


def scores_of(genome: Genome, config: Any, count: int) -> dict[str, float]:
    """Returns all scores of a genome as a config's search takes them; count: train images.

    Raises:
        NetworkError: the genome makes no network in the config's skeleton.
        TaskError: the images cannot be read.
    """
    from zero.cells.config import skeleton_of
    from zero.cells.networks.build import build_network
    from zero.data.images import load_images

    data = load_images(config.cells.images)
    shape, classes = data.image_shape, len(data.classes)
    network = build_network(genome, skeleton_of(config.cells), shape, classes)
    scorers = {n: Scorer(n, lambda _: network, config.seed, data, count) for n in SCORES}
    return {name: scorer(genome) for name, scorer in scorers.items()}


class ScoredSpace:
    """A space of which random genomes, mutants and genomes made of decisions have high scores.

    What a method lists to choose from itself (neighbours that are low in score aside) stays as it is.

    Args:
        space: a `zero.cells.limits.LimitedSpace`.
        scorer: see `Scorer`.
        candidates: draws of which the best is taken; or
        keep: share of random genomes whose scores are high enough.
        sample: how many random genomes say what that is.
        seed: of these.
    """

    def __init__(
        self,
        space: Any,
        scorer: Callable[[Genome], float],
        candidates: int | None,
        keep: float | None,
        sample: int,
        seed: int,
    ):
        self.space, self.scorer, self.candidates = space, scorer, candidates
        self.mutations: tuple[str, ...] = space.mutations
        self.threshold = -math.inf
        if keep is not None:
            rng = new_state(seed, "scores")
            scores = sorted((scorer(space.random(rng)) for _ in range(sample)), reverse=True)
            self.threshold = scores[max(math.ceil(keep * sample) - 1, 0)]

    def wants(self, genome: Genome) -> bool:
        """Returns whether a genome's score is high enough."""
        return self.threshold == -math.inf or self.scorer(genome) >= self.threshold

    def _chosen(self, draw: Callable[[], tuple[Genome, str]]) -> tuple[Genome, str]:
        """Returns the best of the candidates, or the first that is good enough."""
        found: list[tuple[Genome, str]] = []
        for _ in range(self.candidates or TRIES):
            found.append(draw())
            if self.candidates is None and self.wants(found[-1][0]):
                return found[-1]
        return max(found, key=lambda drawn: self.scorer(drawn[0]))

    def random(self, rng: np.ndarray) -> Genome:
        """Returns a random genome of a high score."""
        return self._chosen(lambda: (self.space.random(rng), UNCHANGED))[0]

    def mutate(self, genome: Genome, rng: np.ndarray) -> tuple[Genome, str]:
        """Returns a mutant of a high score."""
        return self._chosen(lambda: self.space.mutate(genome, rng))

    def neighbours(self, genome: Genome) -> list[Genome]:
        """Returns the neighbours whose scores are high enough."""
        return [near for near in self.space.neighbours(genome) if self.wants(near)]

    def genome_of(self, decisions: Decisions) -> Genome:
        """Returns the genome of a complete sequence of decisions.

        Raises:
            ZeroError: there is none, or its score is too low.
        """
        genome: Genome = self.space.genome_of(decisions)
        if not self.wants(genome):
            raise NetworkError(f"{genome} has a score below that of most random genomes")
        return genome

    def choices(self, decisions: Decisions) -> Sequence[str]:
        """Returns the names of which the next decision is one."""
        return self.space.choices(decisions)

    def __getattr__(self, name: str) -> Any:
        # Texts, limits, decisions of a genome, and growth where the space has it.
        if name == "space":  # not there yet
            raise AttributeError(name)
        return getattr(self.space, name)

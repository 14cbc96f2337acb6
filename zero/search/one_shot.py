"""Search inside one network with shared weights: what its methods have in common.

Such a method trains a *supernet* (`SharedNetwork`) in which every genome is a path, before it proposes
anything. Then genomes are scored with the shared weights, in a second rather than by a training, and
proposed, the best first: `candidates` that the method derives, then a `sample` of genomes drawn evenly,
then what else has a score. What is proposed is evaluated as ever, trained from nothing, so that figures
are those of the networks themselves. Of the sample, scores and evaluations together tell how far scores
can be trusted: Kendall's tau in `figures`.

The training goes on in `advance`, which a run calls between its checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from pydantic import Field

from zero.search.protocol import (
    DRAWN_MUTATION,
    RANDOM_MUTATION,
    Positive,
    Proposal,
    SearchSettings,
    Space,
)

TRIES = 100  # of a random genome that has no score yet


class SharedNetwork(Protocol):
    """What a method asks of a supernet; `zero.cells.supernet.supernet.Supernet` is one.

    edges, ops: rows and columns of shares. skips: the ops that hand their input on. steps: of the weights'
    training; steps_per_epoch: of these.
    """

    edges: Sequence[Any]
    ops: Sequence[str]
    skips: Sequence[str]
    steps: int
    steps_per_epoch: int

    def rate(self, step: int) -> float:
        """Returns the weights' learning rate in a step."""

    def train_path(self, step: int, genome: Any) -> float:
        """Takes a step of the weights that a genome uses; returns the loss, NaN if nothing was sound."""

    def accuracy(self, genome: Any, batches: int | None = None, first: int = 0) -> float:
        """Returns the share of valid images that a genome gets right with the shared weights."""

    @property
    def weights(self) -> np.ndarray:
        """A copy of the mixture's weights."""

    def slopes(
        self, part: str, number: int, shares: np.ndarray, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Returns loss and gradients with respect to shares and weights, on a batch of a part."""

    def descend(self, step: int, gradients: np.ndarray) -> bool:
        """Takes a step of the mixture's weights; False: the gradients are not sound."""

    def ahead(self, step: int, gradients: np.ndarray) -> np.ndarray:
        """Returns the mixture's weights a step further."""

    def chosen(self, shares: np.ndarray) -> list[tuple[int, int]]:
        """Returns edges and ops, by number, of the genome of the largest shares."""

    def strongest(self, shares: np.ndarray) -> Any:
        """Returns the genome of the largest shares."""

    def state(self) -> dict[str, Any]:
        """Returns what `restore` needs."""

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to a state."""


class SupernetSpace(Space, Protocol):
    """A space with a supernet; methods NEED "supernet", or "mixture" for all candidates at once."""

    def supernet(self, epochs: int, seed: int, split: bool) -> SharedNetwork:
        """Returns a new one; split: half of the train images is for shares."""


class OneShotSettings(SearchSettings):
    """What all of these methods have; how else the supernet is trained says the section for candidates."""

    epochs: Positive = 50
    candidates: Positive = 1
    sample: int = Field(10, ge=0)


class OneShot:
    """See the module's docstring; a `zero.search.protocol.Searcher`.

    A method gives `train`, `derive` and what else it learns (`own_state`, `take_own_state`).

    Attributes:
        split: whether half of the train images is for shares.
        step: steps taken in the supernet. ended: why its training ended early, "" if it did not.
        notes: what a person should know of it, a sentence each.
    """

    split = False

    def __init__(self, space: Any, settings: Any, rng: np.ndarray):
        self.space, self.settings, self.rng = space, settings, rng
        self.seed = int(rng[0] >> np.uint64(1))
        self.net: Any = None  # made when it is first used, given back when all is scored
        self._kept: dict[str, Any] = {}  # a state that it goes on from
        self.step, self.done, self.ended = 0, False, ""
        self.loss = math.nan
        self.notes: list[str] = []
        self.drawn: list[str] | None = None  # the sample, once training has ended
        self.derived: list[str] = []  # all genomes to be scored, without the sample
        self.scores: dict[str, float] = {}
        self.queue: list[tuple[str, str]] = []  # genome and mutation, the next one last
        self.heard: dict[str, float] = {}  # fitness of the sample
        self.found: dict[str, float] = {}  # fitness of derived genomes

    # --- what a method gives --------------------------------------------------------------------

    def steps_per_epoch(self) -> int:
        """Returns how many steps of `train` an epoch has."""
        return int(self.net.steps_per_epoch)

    def train(self, step: int) -> None:
        """Takes a step in the supernet; may set `ended`."""
        raise NotImplementedError

    def derive(self) -> list[Any]:
        """Returns the genomes that have a chance to be the best, at the end of the training."""
        raise NotImplementedError

    def own_state(self) -> dict[str, Any]:
        """Returns what the method has learnt beside the weights."""
        return {}

    def take_own_state(self, state: dict[str, Any]) -> None:
        """Takes over what `own_state` gave."""

    def own_figures(self) -> dict[str, Any]:
        """Returns what a report tells of the method's own."""
        return {}

    # --- the supernet ---------------------------------------------------------------------------

    @property
    def said(self) -> str:
        """What is being done, in words."""
        if self.done or self.net is None:
            return ""
        if self.drawn is not None:
            return f"supernet: {len(self.scores)} genomes scored"
        epoch = min(self.step // self.steps_per_epoch() + 1, self.settings.epochs)
        loss = "" if math.isnan(self.loss) else f", loss {self.loss:.3f}"
        return f"supernet: epoch {epoch} of {self.settings.epochs}{loss}"

    def advance(self, should_stop: Callable[[], bool] | None = None) -> bool:
        """Goes on with the supernet until all is scored or `should_stop`; returns whether all is."""
        while not self.done:
            self._go_on()
            if not self.done and should_stop is not None and should_stop():
                return False
        return True

    def _go_on(self) -> None:
        if self.net is None:
            self.net = self.space.supernet(self.settings.epochs, self.seed, self.split)
            if self._kept:
                self.net.restore(self._kept)
        if self.drawn is None:
            if self.step < self.settings.epochs * self.steps_per_epoch() and not self.ended:
                self.train(self.step)
                self.step += 1
                return
            text = self.space.text
            self.derived = list(dict.fromkeys(text(genome) for genome in self.derive()))
            self.drawn = [text(self.space.random(self.rng)) for _ in range(self.settings.sample)]
            return
        for name in (*self.derived, *self.drawn):
            if name not in self.scores:
                self.scores[name] = self.score(self.space.parse(name))
                return
        self._finish()

    def score(self, genome: Any) -> float:
        """Returns what a genome is worth with the shared weights."""
        return float(self.net.accuracy(genome))

    def _finish(self) -> None:
        """Ranks what is scored, and gives the supernet back."""
        ranked = sorted(self.derived, key=lambda name: -self.scores[name])
        first, rest = ranked[: self.settings.candidates], ranked[self.settings.candidates :]
        order = [(name, DRAWN_MUTATION) for name in first]
        order += [(name, RANDOM_MUTATION) for name in self.drawn or ()]
        order += [(name, DRAWN_MUTATION) for name in rest]
        self.queue = order[::-1]
        if self.ended:
            self.notes.append(self.ended)
        self.net, self._kept, self.done = None, {}, True

    def when(self, step: int) -> str:
        """Returns a step in words."""
        return f"in step {step + 1} (epoch {step // self.steps_per_epoch() + 1})"

    # --- proposals ------------------------------------------------------------------------------

    def ask(self) -> Proposal:
        """Returns the next genome of the ranking; trains the supernet first if nobody has."""
        self.advance()
        if self.queue:
            name, mutation = self.queue.pop()
            return Proposal(self.space.parse(name), mutation=mutation)
        for _ in range(TRIES):
            genome = self.space.random(self.rng)
            if self.space.text(genome) not in self.scores:
                break
        return Proposal(genome, mutation=RANDOM_MUTATION)

    def tell(
        self,
        proposal: Proposal,
        number: int,
        fitness: float,
        train_steps: int = 0,
        costs: Sequence[float] = (),
    ) -> None:
        """Takes a result down if it is of a derived genome or the sample; nothing is learnt of results."""
        name = self.space.text(proposal.genome)
        if not math.isfinite(fitness):
            return
        if self.drawn is not None and name in self.drawn:
            self.heard[name] = float(fitness)
        if name in self.derived:
            self.found[name] = float(fitness)

    # --- what is known --------------------------------------------------------------------------

    def figures(self) -> dict[str, Any]:
        """Returns what a report tells: steps, notes, and how scores and evaluations agree.

        scored, fitness: float64 (n,), of the genomes of the sample that were evaluated. tau: Kendall's,
        of these; NaN for fewer than two different ones. derived: float64 (k,), fitness of derived genomes.
        """
        from scipy.stats import kendalltau

        scored = np.array([self.scores[name] for name in self.heard], dtype=np.float64)
        fitness = np.array(list(self.heard.values()), dtype=np.float64)
        tau = math.nan
        if len(set(scored.tolist())) > 1 and len(set(fitness.tolist())) > 1:
            tau = float(kendalltau(scored, fitness).statistic)
        return {
            "method": self.settings.method,
            "steps": self.step,
            "tau": tau,
            "scored": scored,
            "fitness": fitness,
            "derived": np.array(list(self.found.values()), dtype=np.float64),
            "notes": list(self.notes),
            **self.own_figures(),
        }

    def state(self) -> dict[str, Any]:
        """Returns where the search stands."""
        return {
            "rng": self.rng.copy(),
            "seed": self.seed,
            "step": self.step,
            "done": self.done,
            "ended": self.ended,
            "loss": self.loss,
            "notes": list(self.notes),
            "drawn": [] if self.drawn is None else list(self.drawn),
            "trained": self.drawn is not None,
            "derived": list(self.derived),
            "scored": list(self.scores),
            "scores": np.array(list(self.scores.values()), dtype=np.float64),
            "queue": [[name, mutation] for name, mutation in self.queue],
            "heard": list(self.heard),
            "fitness": np.array(list(self.heard.values()), dtype=np.float64),
            "found": list(self.found),
            "found_fitness": np.array(list(self.found.values()), dtype=np.float64),
            "net": self._kept if self.net is None else self.net.state(),
            **self.own_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        self.rng[:] = state["rng"]
        if self.seed != int(state["seed"]) or not state["net"]:
            self.net = None
        self.seed, self.step, self.done = (
            int(state["seed"]),
            int(state["step"]),
            bool(state["done"]),
        )
        self.ended, self.loss = str(state["ended"]), float(state["loss"])
        self.notes = list(state["notes"])
        self.drawn = list(state["drawn"]) if state["trained"] else None
        self.derived = list(state["derived"])
        self.scores = dict(zip(state["scored"], state["scores"].tolist(), strict=True))
        self.queue = [(name, mutation) for name, mutation in state["queue"]]
        self.heard = dict(zip(state["heard"], state["fitness"].tolist(), strict=True))
        self.found = dict(zip(state["found"], state["found_fitness"].tolist(), strict=True))
        self._kept = dict(state["net"])
        if self.net is not None:
            self.net.restore(self._kept)
        self.take_own_state(state)

"""Differentiable architecture search: the choice of an op is a softmax that gradients move.

Liu, Simonyan and Yang 2019 (DARTS). In the supernet every edge gives the sum of all its candidates, each
times its share: the softmax of the edge's *alphas*, the same in all cells of a kind, with "none" among
the candidates. Half of the train images train the weights, the other half the alphas, in turn: a step of
the alphas (Adam, betas 0.5 and 0.999), then one of the weights. `order: first` takes the gradient at the
weights as they are; `second` at those one step ahead and follows how these depend on the alphas, by a
central difference (sections 2.2 and 2.3, equations 7 and 8), which costs four gradients instead of one.

The genome of the largest shares, "none" aside, is derived: on NAS-Bench-201 each edge's op, in DARTS's
space each node's two edges whose best ops have the largest shares (section 2.4).

The known failure is a collapse to skips, which learn nothing and disturb nothing. It is looked for and
said: the skips of the derived (normal) cell, and every `eigenvalue_every` epochs the dominant eigenvalue
of the Hessian of the shares' loss with respect to the alphas, by power iteration over differences of
gradients; where it grows the derived genome is worth less than the mixture (Zela et al. 2020). Cures, all
off unless asked for: `early_stop: eigenvalue` ends at the epoch before the eigenvalue (mean of five) grew
by a third in five epochs, and derives from there; `early_stop: skips` ends when the derived normal cell has
`skips` of them (Liang et al. 2019, DARTS+, with 2); `skip_limit` derives at most so many, others taking
the place of the weakest (Chen et al. 2019, P-DARTS).

Alphas that are no number end the search inside the supernet; the last sound ones are derived from.

When to use it: for a good genome at the price of two or three trainings, in a space of few kinds of ops.
Set `random_sharing` beside it: in NAS-Bench-201's published table DARTS is the worse one.

Cost: an epoch's step has two gradients of the whole supernet (five with `order: second`), as dear as all
candidates of all edges together. Memory: of the whole supernet's activations.

Source: Liu et al. 2019, "DARTS: Differentiable Architecture Search", sections 2.2 to 2.4; Zela et al. 2020,
"Understanding and Robustifying Differentiable Architecture Search", sections 4 and 5.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from pydantic import Field

from zero.rng import splitmix
from zero.search.one_shot import OneShot, OneShotSettings
from zero.search.protocol import Positive, Searcher

DESCRIPTION = "softmaxes over the ops of a mixed network, moved by gradients (DARTS)"
NEEDS = ("supernet", "mixture")
BREEDS = False

START = 1e-3  # deviation of the first alphas
BETAS, SMALL = (0.5, 0.999), 1e-8  # Adam's
ITERATIONS = 5  # of the power method; it goes on from the last vector
APART = 0.1  # how far alphas are moved to either side for it
WINDOW, GROWTH = 5, 0.75  # epochs; the eigenvalue then over now, below which search stops
REACH = 0.01  # of the second order's difference


class Settings(OneShotSettings):
    """order: of the alphas' gradient. alpha_learning_rate, alpha_weight_decay: of their Adam.

    warm_up: epochs before the alphas move. early_stop, skips, skip_limit, eigenvalue_every: see above.
    epochs: of the supernet. candidates: derived genomes trained from nothing first. sample: random genomes
    trained after them, for Kendall's tau.
    """

    order: Literal["first", "second"] = "first"
    alpha_learning_rate: float = Field(3e-4, gt=0)
    alpha_weight_decay: float = Field(1e-3, ge=0)
    warm_up: int = Field(0, ge=0)
    early_stop: Literal["none", "skips", "eigenvalue"] = "none"
    skips: Positive = 2
    skip_limit: int | None = Field(None, ge=0)
    eigenvalue_every: int = Field(5, ge=0)


class Darts(OneShot):
    """See the module's docstring."""

    split = True

    def __init__(self, space: Any, settings: Settings, rng: np.ndarray):
        super().__init__(space, settings, rng)
        self.alphas = np.zeros((0, 0))
        self.moments = np.zeros((2, 0, 0))
        self.moves = 0  # steps of Adam
        self.labels: tuple[list[str], list[str]] = ([], [])  # of edges and ops
        self.history: list[np.ndarray] = []  # shares after each epoch
        self.eigenvalues: list[tuple[int, float]] = []  # epochs done, value
        self.direction = np.zeros((0, 0))  # of the power method
        self.best: np.ndarray | None = None  # shares to derive from, where they are not the last

    # --- training -------------------------------------------------------------------------------

    def train(self, step: int) -> None:
        """Takes a step of the alphas and one of the weights."""
        if not self.alphas.size:
            shape = (len(self.net.edges), len(self.net.ops))
            self.alphas = START * self._normal(shape)
            self.direction = self._normal(shape)
            self.moments = np.zeros((2, *shape))
            self.labels = [str(edge) for edge in self.net.edges], list(self.net.ops)
        if step // self.steps_per_epoch() >= self.settings.warm_up:
            self._move_alphas(step)
        if self.ended:
            return
        self.loss, _, to_weights = self.net.slopes("weights", step, softmaxes(self.alphas))
        if not (math.isfinite(self.loss) and self.net.descend(step, to_weights)):
            self.ended = (
                f"the supernet's training diverged {self.when(step)} and ended there; give "
                "cells.training a smaller learning_rate"
            )
        elif (step + 1) % self.steps_per_epoch() == 0:
            self._end_epoch(step)

    def _normal(self, shape: tuple[int, int]) -> np.ndarray:
        """Returns normal values from the search's stream."""
        draws = [splitmix.unit(self.rng) for _ in range(2 * shape[0] * shape[1])]
        u = np.array(draws).reshape(2, *shape)
        return np.sqrt(-2 * np.log(np.maximum(u[0], 1e-300))) * np.cos(2 * np.pi * u[1])

    def _move_alphas(self, step: int) -> None:
        settings = self.settings
        gradient = self.gradient(step) + settings.alpha_weight_decay * self.alphas
        self.moves += 1
        for moment, beta, value in zip(self.moments, BETAS, (gradient, gradient**2), strict=True):
            moment *= beta
            moment += (1 - beta) * value
        first, second = (m / (1 - b**self.moves) for m, b in zip(self.moments, BETAS, strict=True))
        moved = self.alphas - settings.alpha_learning_rate * first / (np.sqrt(second) + SMALL)
        if np.isfinite(moved).all():
            self.alphas = moved
        else:
            self.ended = (
                f"alphas were no numbers any more {self.when(step)}: the search in the supernet ended "
                "there with the last that were; give a smaller learning_rate or alpha_learning_rate"
            )

    def gradient(self, step: int) -> np.ndarray:
        """Returns the gradient of the alphas, float64 (edges, ops), on the batches of a step."""
        shares = softmaxes(self.alphas)
        if self.settings.order == "first":
            _, to_shares, _ = self.net.slopes("shares", step, shares)
            return through_softmax(shares, to_shares)
        _, _, to_weights = self.net.slopes("weights", step, shares)
        ahead = self.net.ahead(step, to_weights)
        _, to_shares, vector = self.net.slopes("shares", step, shares, ahead)
        size = float(np.sqrt(np.square(vector, dtype=np.float64).sum()))
        if not size > 0:
            return through_softmax(shares, to_shares)
        reach, weights, sides = REACH / size, self.net.weights, []
        for sign in (1, -1):
            moved = (weights + sign * reach * vector).astype(weights.dtype)
            sides.append(self.net.slopes("weights", step, shares, moved)[1])
        implicit = (sides[0] - sides[1]) / (2 * reach)
        return through_softmax(shares, to_shares - self.net.rate(step) * implicit)

    # --- collapse -------------------------------------------------------------------------------

    def _end_epoch(self, step: int) -> None:
        epoch, settings = (step + 1) // self.steps_per_epoch(), self.settings
        self.history.append(softmaxes(self.alphas))
        often = 1 if settings.early_stop == "eigenvalue" else settings.eigenvalue_every
        if often and (epoch % often == 0 or epoch == 1):
            self.eigenvalues.append((epoch, self._eigenvalue(step)))
        if epoch <= settings.warm_up:
            return
        if settings.early_stop == "skips" and self.skips_in(self.history[-1]) >= settings.skips:
            self.ended = f"stopped after epoch {epoch}: {settings.skips} skips in the derived cell"
        if settings.early_stop == "eigenvalue" and len(self.eigenvalues) >= 2 * WINDOW:
            values = [value for _, value in self.eigenvalues]
            now, then = np.mean(values[-WINDOW:]), np.mean(values[-2 * WINDOW : -WINDOW])
            if now > 0 and then / now < GROWTH:
                self.best = self.history[-1 - WINDOW]
                self.ended = (
                    f"stopped after epoch {epoch}: the dominant eigenvalue grew from {then:.3g} to "
                    f"{now:.3g}; the genome is that of epoch {epoch - WINDOW}"
                )

    def _eigenvalue(self, step: int) -> float:
        """Returns the eigenvalue of largest size of the Hessian in alpha, on the step's batch."""
        value = 0.0
        for _ in range(ITERATIONS):
            size = np.linalg.norm(self.direction)
            if not (np.isfinite(size) and size > 0):
                self.direction = np.ones_like(self.direction)
                return 0.0
            unit, sides = self.direction / size, []
            for sign in (1, -1):
                shares = softmaxes(self.alphas + sign * APART * unit)
                sides.append(through_softmax(shares, self.net.slopes("shares", step, shares)[1]))
            self.direction = (sides[0] - sides[1]) / (2 * APART)
            value = float((unit * self.direction).sum())
        return value

    def skips_in(self, shares: np.ndarray) -> int:
        """Returns how many ops of the derived cell, of two the normal one, are skips."""
        return len(self._skips(self.net.chosen(shares)))

    def _skips(self, chosen: list[tuple[int, int]]) -> list[tuple[int, int]]:
        places = {k for k, op in enumerate(self.net.ops) if op in self.net.skips}
        return [(e, k) for e, k in chosen if k in places and self._is_normal(e)]

    def _is_normal(self, edge: int) -> bool:
        return bool(self.net.edges[edge].cell != "reduction")

    # --- the end --------------------------------------------------------------------------------

    def derive(self) -> list[Any]:
        """Returns the genome of the largest shares, with no more skips than the limit."""
        shares = self.best
        if shares is None:
            shares = softmaxes(self.alphas)
        limit, shares = self.settings.skip_limit, shares.copy()
        chosen = self.net.chosen(shares)
        skips = self._skips(chosen)
        normal = [edge for edge, _ in chosen if self._is_normal(edge)]
        if 2 * len(skips) > len(normal):
            self.notes.append(
                f"collapse: {len(skips)} of {len(normal)} ops of the derived cell are skips"
            )
        while limit is not None and len(skips) > limit:
            shares[min(skips, key=lambda place: shares[place])] = 0.0
            skips = self._skips(self.net.chosen(shares))
        return [self.net.strongest(shares)]

    def own_figures(self) -> dict[str, Any]:
        """Returns the history of shares, float64 (epochs, edges, ops), and the eigenvalues."""
        return {
            "edges": list(self.labels[0]),
            "ops": list(self.labels[1]),
            "shares": np.array(self.history, dtype=np.float64),
            "eigenvalues": np.array(self.eigenvalues, dtype=np.float64).reshape(-1, 2),
        }

    def own_state(self) -> dict[str, Any]:
        """Returns alphas, their optimizer and history."""
        return {
            "alphas": self.alphas.copy(),
            "moments": self.moments.copy(),
            "moves": self.moves,
            "edges": list(self.labels[0]),
            "ops": list(self.labels[1]),
            "direction": self.direction.copy(),
            "history": list(self.history),
            "eigenvalues": [[epoch, value] for epoch, value in self.eigenvalues],
            "best": [] if self.best is None else [self.best],
        }

    def take_own_state(self, state: dict[str, Any]) -> None:
        """Takes over what `own_state` gave."""
        self.alphas, self.moments = state["alphas"].copy(), state["moments"].copy()
        self.labels = list(state["edges"]), list(state["ops"])
        self.moves, self.direction = int(state["moves"]), state["direction"].copy()
        self.history = list(state["history"])
        self.eigenvalues = [(int(epoch), float(value)) for epoch, value in state["eigenvalues"]]
        self.best = state["best"][0] if len(state["best"]) else None


def softmaxes(alphas: np.ndarray) -> np.ndarray:
    """Returns the softmax of each row."""
    weights = np.exp(alphas - alphas.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def through_softmax(shares: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Returns the gradient with respect to alphas, given that with respect to their softmaxes."""
    return shares * (slopes - (shares * slopes).sum(axis=1, keepdims=True))


def make(space: Any, settings: Settings, rng: np.ndarray) -> Searcher:
    """Returns the search."""
    return Darts(space, settings, rng)

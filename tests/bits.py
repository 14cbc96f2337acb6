"""Strings of bits: a space of genomes so small that tests see all of it, and a slow count of ones."""

import math
from types import SimpleNamespace

import numpy as np

from zero.errors import ZeroError
from zero.rng.splitmix import below
from zero.search.decisions import checked


class Unusable(ZeroError):
    """A genome that cannot be evaluated."""


class BitSpace:
    """Genomes are tuples of 0 and 1; a neighbour differs in one of them, and one more 1 is growth."""

    mutations = ("flip", "nothing")

    def __init__(self, length=8):
        self.length = length

    def random(self, rng):
        return tuple(int(below(rng, 2)) for _ in range(self.length))

    def mutate(self, genome, rng):
        if below(rng, 8) == 0:
            return genome, "nothing"
        return self._flipped(genome, int(below(rng, self.length))), "flip"

    def neighbours(self, genome):
        return [self._flipped(genome, place) for place in range(self.length)]

    def smallest(self):
        return [self._flipped((0,) * self.length, place) for place in range(self.length)]

    def grown(self, genome):
        return [self._flipped(genome, place) for place, bit in enumerate(genome) if not bit]

    def choices(self, decisions):
        return ("off", "on") if len(decisions) < self.length else ()

    def genome_of(self, decisions):
        return tuple(int(name == "on") for name in checked(self.choices, decisions))

    def decisions_of(self, genome):
        return tuple("on" if bit else "off" for bit in genome)

    def text(self, genome):
        return "".join(map(str, genome))

    def parse(self, text):
        return tuple(map(int, text))

    mixture = True

    def supernet(self, epochs, seed, split):
        return SharedBits(self.length, epochs, seed)

    def _flipped(self, genome, place):
        return tuple(bit ^ (k == place) for k, bit in enumerate(genome))


# Settings of methods with a supernet: soon trained.
TRAINED = {
    "random_sharing": {"epochs": 3, "samples": 8},
    "darts": {"epochs": 6, "alpha_learning_rate": 0.1, "order": "second"},
    "enas": {"epochs": 2, "controller_steps": 2, "samples": 2, "units": 4, "final": 6},
}


class SharedBits:
    """A supernet of bits: what a place and bit is worth is learnt where it is in a path."""

    ops, skips, steps_per_epoch = ("off", "on", "none"), ("off",), 2

    def __init__(self, length, epochs, seed):
        self.edges = [SimpleNamespace(cell="") for _ in range(length)]
        self.steps = epochs * self.steps_per_epoch
        self.known = np.random.default_rng(seed).random((length, 3)) / 10
        self.worth = np.outer(1.1 ** np.arange(length), (0, 1, 0))

    def rate(self, step):
        return 0.1

    def train_path(self, step, genome):
        rows = np.arange(len(genome)), list(genome)
        self.known[rows] += 0.1 * (self.worth - self.known)[rows]
        return float(np.square(self.known - self.worth).sum())

    def accuracy(self, genome, batches=None, first=0):
        return float(self.known[np.arange(len(genome)), list(genome)].sum()) / 100

    @property
    def weights(self):
        return self.known.ravel().copy()

    def slopes(self, part, number, shares, weights=None):
        known = self.weights if weights is None else weights
        apart = known - self.worth.ravel()
        loss = 0.5 * float(np.square(apart).sum()) - float((known * shares.ravel()).sum())
        return loss, -known.reshape(self.known.shape).copy(), apart - shares.ravel()

    def ahead(self, step, gradients):
        return self.weights - self.rate(step) * gradients

    def descend(self, step, gradients):
        self.known -= self.rate(step) * gradients.reshape(self.known.shape)
        return True

    def chosen(self, shares):
        return [(edge, int(op)) for edge, op in enumerate(shares[:, :2].argmax(axis=1))]

    def strongest(self, shares):
        return tuple(op for _, op in self.chosen(shares))

    def state(self):
        return {"known": self.known.copy()}

    def restore(self, state):
        self.known = state["known"].copy()


class Counting:
    """Looks at one bit an epoch; its accuracy is the share of ones among those that it has seen.

    A string of zeros fails at the end.
    """

    def __init__(self, genome):
        self.genome, self.seen = genome, 0

    epochs = property(lambda self: self.seen)
    all_epochs = property(lambda self: len(self.genome))
    steps = property(lambda self: 3 * self.seen)
    ended = property(lambda self: self.seen == len(self.genome))
    balanced_accuracy = property(lambda self: self.accuracy)

    @property
    def reason(self):
        return "no ones" if self.ended and not any(self.genome) else ""

    @property
    def accuracy(self):
        return sum(self.genome[: self.seen]) / self.seen if self.seen else math.nan

    @property
    def curve(self):
        shares = [[k, sum(self.genome[: k + 1]) / (k + 1)] for k in range(self.seen)]
        return np.array(shares, float).reshape(-1, 2)

    def step(self, should_stop=None):
        self.seen += 1

    def state(self):
        return {"seen": self.seen}

    def restore(self, state):
        self.seen = state["seen"]


class BitEvaluator:
    """Begins `Counting`; what ends in `unusable` bits is refused. `begun`: genomes, in order."""

    def __init__(self, unusable=None):
        self.unusable, self.begun = unusable, []

    def key(self, genome):
        return "".join(map(str, genome))

    def begin(self, genome, seed, name, parent=None):
        self.begun.append(genome)
        if self.unusable and genome[-len(self.unusable) :] == self.unusable:
            raise Unusable(f"{name} is not to be counted")
        return Counting(genome)

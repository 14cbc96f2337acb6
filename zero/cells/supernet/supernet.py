"""A supernet: every network of a space of cells with one set of weights, trained step by step.

*Path*: one genome is active. Its own network is built as ever and its weights are taken from the shared
ones, so that it computes what the network would by itself, with its kernels and its plan, and nothing
of other ops. Plans are made in one arena of memory.

*Mixed*: all candidates of an edge at once, each times its share (a softmax, says who calls). A share is
the one value of all weights of a 1x1 depthwise convolution behind the candidate, so that the gradient of
a share is the sum of theirs. As in DARTS's search the candidates' batch norms have no scale and shift of
their own, by which an op could make up for its share.

Shared weights have no running statistics that mean anything: what a genome gets right is counted with
each batch's own statistics. Called by the search methods of `zero.search.one_shot`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from zero.cells.networks.build import build_network
from zero.cells.networks.skeleton import Skeleton
from zero.cells.ops import CELL_OPS
from zero.cells.supernet.batches import Batches, halves
from zero.cells.supernet.candidates import NONE, Edge, candidates_of
from zero.cells.supernet.memory import mixture_of
from zero.cells.supernet.weights import SharedWeights
from zero.nn import make_model
from zero.nn.arrays import Arena, Arrays
from zero.nn.augment import Normaliser
from zero.nn.network import Network
from zero.nn.optimizers import OPTIMIZERS, clip_gradients
from zero.nn.train_settings import TrainSettings, make_optimizer, schedule_of
from zero.rng.philox import key_for

if TYPE_CHECKING:
    from zero.cells.evaluator import TrainEvaluator
    from zero.cells.genome import Genome
    from zero.data.images import ImageData


class Supernet:
    """See the module's docstring; a `zero.search.one_shot.SharedNetwork`.

    Args:
        space: of cells, with candidates.
        skeleton: what cells are put into, without auxiliary head, dropout and drop path here.
        data: the images. With `split` one half of the train images is for weights and the other for
            shares, as in DARTS; else all are for weights, and shares are never trained.
        settings: of the weights' training; its epochs are the supernet's.
        seed: of weights, order and so on.
        split: see data.
        backend, dtype, threads: of `zero.nn.make_model`.

    Attributes:
        edges, ops: rows and columns of shares.
        steps_per_epoch, steps: of the weights.
        shared: the weights.
    """

    def __init__(
        self,
        space: Any,
        skeleton: Skeleton,
        data: ImageData,
        settings: TrainSettings,
        seed: int,
        split: bool = False,
        backend: str = "cpu",
        dtype: str = "float32",
        threads: int = 1,
    ):
        self.skeleton = replace(skeleton, auxiliary=False, dropout=0.0, drop_path=False)
        self.candidates = candidates_of(space, self.skeleton)
        self.data, self.settings, self.dtype = data, settings, dtype
        self.backend, self.threads = backend, threads
        rows = np.arange(len(data.train_x)), np.zeros(0, np.int64)
        if split:
            rows = halves(len(data.train_x), seed)
        self._parts = {"weights": Batches(data, settings, rows[0], key_for(seed, "supernet"))}
        if split:
            self._parts["shares"] = Batches(data, settings, rows[1], key_for(seed, "shares"))
        self.batch = self._parts["weights"].size
        self.steps_per_epoch = self._parts["weights"].count
        self.steps = settings.epochs * self.steps_per_epoch
        self._schedule = schedule_of(settings)
        self.shared = SharedWeights(seed, dtype, OPTIMIZERS[settings.optimizer].slots)
        self._normalise = Normaliser(data.image_shape, data.mean, data.std)
        self._arena = Arena()
        self._named = lru_cache(maxsize=256)(self._network_of)
        self._active: tuple[Genome, Any] | None = None  # the path whose model lies in the arena
        self._mixture: _Mixture | None = None

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Where ops are chosen."""
        return self.candidates.edges

    @property
    def ops(self) -> tuple[str, ...]:
        """Of which one is chosen."""
        return self.candidates.ops

    @property
    def skips(self) -> tuple[str, ...]:
        """The ops that hand their input on."""
        return tuple(op for op in self.ops if op != NONE and CELL_OPS[op].identity)

    def rate(self, step: int) -> float:
        """Returns the learning rate of a step of the weights, from 0."""
        return self._schedule.rate(step, self.steps_per_epoch)

    # --- one path -------------------------------------------------------------------------------

    def _network_of(self, genome: Genome) -> tuple[Network, list[str]]:
        shape, classes = self.data.image_shape, len(self.data.classes)
        network = build_network(genome, self.skeleton, shape, classes)
        return network, self.candidates.names(genome, network)

    def path(self, genome: Genome) -> tuple[Any, np.ndarray]:
        """Returns a genome's model with its weights, and where these lie among the shared ones.

        It is in the arena: the next path's model takes its memory.
        """
        network, names = self._named(genome)
        index = self.shared.index(network, names)
        if self._active is None or self._active[0] != genome:
            if self._active is None:
                self._arena.reserve(self._largest())
            self._active = None
            self._arena.begin()
            model = make_model(
                network, self.batch, self.backend, self.dtype, self.threads, self._arena
            )
            self._active = genome, model
        model = self._active[1]
        model.parameters[:] = self.shared.values[index]
        return model, index

    def _largest(self) -> int:
        """Returns about how many bytes the largest path's model has."""
        found = []
        for genome in self.candidates.extremes():
            arrays = Arrays(real=False)
            network = self._named(genome)[0]
            make_model(network, self.batch, self.backend, self.dtype, self.threads, arrays)
            found.append(arrays.bytes)
        return max(found)

    def train_path(self, step: int, genome: Genome) -> float:
        """Takes a step of the weights that a genome uses, on the step's batch; returns the loss.

        NaN where the loss or a gradient is too large or no number: then no weight has changed.
        """
        images, labels = self._parts["weights"](step)
        model, index = self.path(genome)
        loss, _ = model.train_step(images, labels, None, self.settings.label_smoothing)
        if not self._is_sound(loss, model.gradients):
            return math.nan
        optimizer = make_optimizer(model.network, self.settings, self.dtype)
        self.shared.descend(optimizer, index, model.gradients, self.rate(step))
        return float(loss)

    def _is_sound(self, loss: float, gradients: np.ndarray) -> bool:
        norm = clip_gradients(gradients, self.settings.clip)
        return bool(loss <= self.settings.max_loss and np.isfinite(norm))

    def accuracy(self, genome: Genome, batches: int | None = None, first: int = 0) -> float:
        """Returns the share of valid images that a genome gets right with the shared weights.

        batches: how many of these, from the batch number `first` on (there are as many as fill the
        valid images, and so on again); None: all images, in batches as large as in training.
        """
        x, y = self.data.valid_x, self.data.valid_y
        model, _ = self.path(genome)
        count = max(len(x) // self.batch, 1)
        wanted = range(count) if batches is None else [(first + n) % count for n in range(batches)]
        right = seen = 0
        for number in wanted:
            start = number * self.batch
            end = len(x) if number == count - 1 else start + self.batch
            for piece in (
                slice(start, min(end, start + self.batch)),
                slice(start + self.batch, end),
            ):
                if piece.start < piece.stop:
                    logits = model.batch_logits(self._normalise(x[piece]))
                    right += int((logits.argmax(1) == y[piece]).sum())
                    seen += len(logits)
        return right / seen

    # --- mixtures -------------------------------------------------------------------------------

    @property
    def mixture(self) -> _Mixture:
        """The network of all candidates, made when it is first asked for."""
        if self._mixture is None:
            self._mixture = _Mixture(self)
        return self._mixture

    @property
    def weights(self) -> np.ndarray:
        """A copy of the mixture's weights, (n,)."""
        index = self.mixture.index  # before the values: it may be what makes them
        return self.shared.values[index]

    def slopes(
        self, part: str, number: int, shares: np.ndarray, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Returns the loss of a batch with mixed candidates, and its gradients.

        Args:
            part: "weights" or "shares", the half of the train images that the batch is of.
            number: of the batch.
            shares: (edges, ops), what each candidate is multiplied by.
            weights: (n,) instead of the shared ones.

        Returns:
            The loss, its gradient with respect to shares (float64) and to weights.
        """
        images, labels = self._parts[part](number)
        mine = self.weights if weights is None else weights
        return self.mixture.slopes(images, labels, shares, mine)

    def descend(self, step: int, gradients: np.ndarray) -> bool:
        """Takes a step of the mixture's weights (gradients are used up); False: they are not sound."""
        if not self._is_sound(0.0, gradients):
            return False
        mixture = self.mixture
        self.shared.descend(mixture.optimizer, mixture.index, gradients, self.rate(step))
        return True

    def ahead(self, step: int, gradients: np.ndarray) -> np.ndarray:
        """Returns the mixture's weights one step of momentum and decay further, the shared ones kept.

        w - rate * (momentum * velocity + gradients + decay * w), as DARTS's second order has it.
        """
        mixture, w = self.mixture, self.weights
        velocity = self.shared.state.get("velocity")
        moved = gradients + mixture.decays * w * self.settings.weight_decay
        if velocity is not None:
            moved = moved + self.settings.momentum * velocity[mixture.index]
        return (w - self.rate(step) * moved).astype(w.dtype)

    def chosen(self, shares: np.ndarray) -> list[tuple[int, int]]:
        """Returns edges and ops, by number, of the genome of the largest shares (edges, ops)."""
        return self.candidates.chosen(shares)

    def strongest(self, shares: np.ndarray) -> Genome:
        """Returns the genome of the largest shares (edges, ops)."""
        return self.candidates.strongest(shares)

    # --- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Returns what `restore` needs; arrays are copies."""
        return self.shared.tree()

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to a state of a supernet made with the same arguments."""
        self.shared.restore(state)
        self._mixture = None


class _Mixture:
    """The network of all candidates of a supernet.

    Attributes:
        index: where its weights lie among the shared ones. The places of shares are among them, so that
            all vectors are laid out as the network's; what stands there counts nothing.
        optimizer: of its weights. decays: 1 for weights that decay, else 0, (n,).
    """

    def __init__(self, net: Supernet):
        network, places = mixture_of(net.candidates, net.data)
        self.model = make_model(network, net.batch, net.backend, net.dtype, net.threads)
        self.optimizer = make_optimizer(network, net.settings, net.dtype)
        self.index = net.shared.index(network, [layer.name for layer in network.layers])
        self._smoothing = net.settings.label_smoothing
        self._shape = (len(net.edges), len(net.ops))
        self.decays = np.zeros(len(self.index), net.dtype)
        self._fixed = np.zeros(len(self.index), bool)
        self._shares: list[tuple[slice, int, int]] = []
        where = {name: (edge, op) for name, edge, op in places}
        for p in network.parameters:
            layer, place = network.layers[p.layer], slice(p.start, p.start + p.size)
            self.decays[place] = p.decays
            if layer.name in where:
                self._shares.append((place, *where[layer.name]))
            if layer.name in where or (layer.kind == "batch_norm" and _is_of_op(layer.name, net)):
                self._fixed[place] = True

    def slopes(
        self, images: np.ndarray, labels: np.ndarray, shares: np.ndarray, weights: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """See `Supernet.slopes`."""
        model = self.model
        model.parameters[:] = weights
        for place, edge, op in self._shares:
            model.parameters[place] = shares[edge, op]
        loss, _ = model.train_step(images, labels, None, self._smoothing)
        to_shares = np.zeros(self._shape)
        for place, edge, op in self._shares:
            to_shares[edge, op] += model.gradients[place].sum(dtype=np.float64)
        to_weights = model.gradients.copy()
        to_weights[self._fixed] = 0
        return float(loss), to_shares, to_weights


def _is_of_op(name: str, net: Supernet) -> bool:
    """Returns whether a layer is a candidate's: CELL/EDGE/OP/..."""
    parts = name.split("/")
    return len(parts) > 3 and parts[2] in net.ops


def make_supernet(
    space: Any, evaluator: TrainEvaluator, epochs: int, seed: int, split: bool = False
) -> Supernet:
    """Returns the supernet of a space for a run's images, skeleton and settings of training.

    epochs: of the supernet, instead of the settings'.

    """
    e = evaluator
    settings = TrainSettings(**{**e.settings.model_dump(), "epochs": epochs})
    return Supernet(space, e.skeleton, e.data, settings, seed, split, e.backend, e.dtype, e.threads)

"""How much memory a supernet's training takes, known before it, and what would fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zero.cells.networks.build import build_network
from zero.cells.networks.skeleton import SKELETONS, Skeleton
from zero.cells.supernet.candidates import Candidates, candidates_of
from zero.errors import NetworkError
from zero.nn.network import Builder, Network
from zero.nn.train_memory import TrainingMemory, training_memory
from zero.nn.train_settings import TrainSettings, make_optimizer
from zero.system.memory import gigabytes, usable_bytes

if TYPE_CHECKING:
    from zero.data.images import ImageData


def mixture_of(candidates: Candidates, data: ImageData) -> tuple[Network, Any]:
    """Returns the network of all candidates, and where their shares are."""
    kind = SKELETONS[candidates.skeleton.kind]
    b = Builder(data.image_shape, kind.epsilon, kind.decay)
    return candidates.mixture(b, len(data.classes))


def supernet_memory(
    space: Any,
    skeleton: Skeleton,
    data: ImageData,
    settings: TrainSettings,
    mixed: bool,
    backend: str = "cpu",
    dtype: str = "float32",
    threads: int = 1,
) -> TrainingMemory:
    """Returns what a process takes that trains the supernet; makes none of it.

    mixed: with all candidates at once; else with one path at a time, of which the largest counts.

    Raises:
        NetworkError: the images are too small for the skeleton.
    """
    candidates, batch = candidates_of(space, skeleton), min(settings.batch, len(data.train_x))
    network, _ = mixture_of(candidates, data)
    rest = (settings, batch, dtype, backend, threads, data, True)
    if mixed:
        largest = training_memory(network, *rest)
    else:
        shape, classes = data.image_shape, len(data.classes)
        paths = [build_network(g, skeleton, shape, classes) for g in candidates.extremes()]
        largest = max((training_memory(p, *rest) for p in paths), key=lambda needed: needed.total)
    values = sum(p.size for p in network.parameters)
    slots = len(make_optimizer(paths[0] if not mixed else network, settings, dtype).slots)
    shared = values * np.dtype(dtype).itemsize * (1 + slots)
    # Beside the active network's own: all weights with the optimizer's state, copies, and a checkpoint's.
    return replace(
        largest, weights=largest.weights + shared, copies=max(largest.copies, shared * 17 // 8)
    )


def check_memory(space: Any, skeleton: Skeleton, *rest: Any, limit: int | None = None) -> str:
    """Returns in words what the supernet takes; arguments as for `supernet_memory`.

    Raises:
        NetworkError: that is more than `limit`, by default what the machine has to spare; with the number
            of filters that would fit.
    """
    allowed = usable_bytes() if limit is None else limit
    needed = supernet_memory(space, skeleton, *rest).total
    if needed <= allowed:
        return f"the supernet's training takes about {gigabytes(needed)}"
    low, high = 0, skeleton.filters  # low fits, high does not
    while high - low > 1:
        middle = (low + high) // 2
        smaller = replace(skeleton, filters=middle)
        fits = supernet_memory(space, smaller, *rest).total <= allowed
        low, high = (middle, high) if fits else (low, middle)
    advice = f"cells.skeleton.filters: {low} fits" if low else "use a smaller batch or images"
    raise NetworkError(
        f"the supernet's training takes {gigabytes(needed)} with {skeleton.filters} filters, "
        f"{gigabytes(allowed)} allowed; {advice}"
    )

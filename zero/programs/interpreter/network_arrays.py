"""The arrays of networks that programs help to train; `networks.py` works on them, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zero.jit.struct import aligned_zeros

# Other imports stand where they are used: what compiled code is made of names this file.

if TYPE_CHECKING:
    from zero.tasks import TaskSet


class Networks(NamedTuple):
    """Networks of T tasks, one after the other.

    loss: whether the program is the loss, else the optimiser. steps: of each round. features: of the
    examples. rows: train examples of each task. Of each task: hidden, batch, valid (scored examples), share
    (1 / batch); first (T + 1,), where its parameters begin; orders, where its batches begin in
    `EvaluatorArrays.order`; places (T + 1,), where its batch begins in outputs and labels; alive, logs (the
    sum of the logarithms of its errors). start, weights, slopes: of all parameters, the latter two with some
    room for the last lanes. inside: sums of the hidden units, `pitch` of each place of all batches. outputs,
    labels: of the batches, with such room. rate (1,). at and backs, laid out as inside: scratch.
    """

    loss: bool
    steps: int
    features: int
    rows: int
    pitch: int
    hidden: np.ndarray
    batch: np.ndarray
    valid: np.ndarray
    share: np.ndarray
    first: np.ndarray
    orders: np.ndarray
    places: np.ndarray
    alive: np.ndarray
    logs: np.ndarray
    start: np.ndarray
    weights: np.ndarray
    slopes: np.ndarray
    inside: np.ndarray
    outputs: np.ndarray
    labels: np.ndarray
    rate: np.ndarray
    at: np.ndarray
    backs: np.ndarray


def unit_count(tasks: TaskSet, lanes: int) -> int:
    """Returns how many memories an evaluation needs: of tasks, of parameters, or one in all lanes."""
    if tasks.training is None:
        return tasks.num_tasks
    if tasks.training.part == "loss":
        return lanes
    return sum(len(network.start) for network in tasks.training.networks)


def keys_of(tasks: TaskSet, lanes: int) -> np.ndarray:
    """Returns the keys of their random draws, uint32; those of a loss are one function's, all 0."""
    from zero.programs.interpreter.reference_networks import unit_keys

    if tasks.training is None:
        return tasks.keys
    if tasks.training.part == "loss":
        return np.zeros(lanes, np.uint32)
    networks = tasks.training.networks
    return np.concatenate(
        [
            unit_keys(int(key), len(network.start))
            for key, network in zip(tasks.keys, networks, strict=True)
        ]
    )


def order_of(tasks: TaskSet) -> np.ndarray:
    """Returns the train examples of every step, those of one task after the other, int32."""
    from zero.tasks.networks import batches

    assert tasks.training is not None
    steps = tasks.steps * tasks.epochs
    found = [
        batches(network.train, network.batch, steps, int(key)).ravel()
        for key, network in zip(tasks.keys, tasks.training.networks, strict=True)
    ]
    return np.concatenate(found)


def networks_of(tasks: TaskSet, dtype: str, lanes: int) -> Networks | None:
    """Returns the arrays for these tasks, None where programs are predictors."""
    training = tasks.training
    if training is None:
        return None
    networks, steps = training.networks, tasks.steps * tasks.epochs
    batch = np.array([network.batch for network in networks], dtype=np.int64)
    sizes = [len(network.start) for network in networks]
    hidden = np.array([network.hidden for network in networks], dtype=np.int64)
    pitch = -(-max(1, int(hidden.max())) // lanes) * lanes
    return Networks(
        loss=training.part == "loss",
        steps=training.steps,
        features=tasks.train_x.shape[2],
        rows=tasks.train_x.shape[1],
        pitch=pitch,
        hidden=hidden,
        batch=batch,
        valid=np.array([network.valid for network in networks], dtype=np.int64),
        share=(1.0 / batch).astype(dtype),
        first=_starts(sizes),
        orders=_starts(batch * steps)[:-1].copy(),
        places=_starts(batch),
        alive=np.zeros(len(networks), dtype=np.int64),
        logs=np.zeros(len(networks)),
        start=np.concatenate([network.start for network in networks]).astype(dtype),
        weights=aligned_zeros(sum(sizes) + lanes, dtype),
        slopes=aligned_zeros(sum(sizes) + lanes, dtype),
        inside=aligned_zeros(int(batch.sum()) * pitch, dtype),
        outputs=aligned_zeros(int(batch.sum()) + lanes, dtype),
        labels=aligned_zeros(int(batch.sum()) + lanes, dtype),
        rate=np.full(1, training.rate, dtype),
        at=np.zeros(int(batch.max()), dtype=np.int64),
        backs=aligned_zeros(int(batch.sum()) * pitch, dtype),
    )


def _starts(sizes) -> np.ndarray:
    """Returns where parts of these sizes begin, and where the last ends, int64."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

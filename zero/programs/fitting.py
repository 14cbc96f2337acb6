"""From rows to a trained program in this process: search, choice by cross-validation, training.

What `zero.sklearn` is made of. Nothing is written, forked or kept elsewhere; a run with a folder
(`zero.runs`) is the other way.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zero.data.splits import rng_for
from zero.errors import ConfigError, ProgramError
from zero.programs import library
from zero.programs.domain import ProgramsDomain
from zero.programs.program import Program, memory_needed
from zero.programs.simplified import simplify
from zero.programs.trained import Trained, labels_of, train
from zero.tasks import Metric, TaskSet

# Learning rates with which programs are candidates without a search.
RATES = {"linear_with_bias": (0.001, 0.01, 0.1), "neural_network": (0.003, 0.01, 0.03)}
MANY_FEATURES = 50  # above these they are smaller
TASKS = 8  # of a search: random splits of the rows
MOST_ROWS = 1000  # of each part of a task
MOST_STEPS = 500_000  # rows times epochs of a candidate's training
FINALISTS = 3  # of each search
FOLDS = 5
SEEN = 1000  # rows that candidates are compared on at least: few rows are folded again,
REPEATS = 4  # at most so often
WORST = 1e4  # the squared error of a prediction that is no number, in squared standard deviations
SEARCH_STEPS = 20_000  # rows times epochs of a search's task
FOR_KNOWN, FOR_SEARCH, FOR_CHOICE = 0.2, 0.7, 0.9  # of the seconds, by then; the rest is training


@dataclass(frozen=True, eq=False)
class Examples:
    """What is learnt from: features x (N, F), finite, and y (N,), numbers or of a class from 0.

    classes: how many, 0 of numbers.
    """

    x: np.ndarray
    y: np.ndarray
    classes: int

    @property
    def metric(self) -> Metric:
        """How programs are scored."""
        return "accuracy" if self.classes else "rms_error"

    def labels(self, rows: np.ndarray) -> list[np.ndarray]:
        """Returns what each output is trained to be in these rows."""
        return labels_of(self.y[rows], self.classes)


@dataclass(frozen=True)
class Candidate:
    """A program that may be the outcome; score: what cross-validation gave, NaN where there was none.

    epochs: that it is trained for. origin: where it is from.
    """

    program: Program
    epochs: int
    origin: str
    score: float = math.nan


@dataclass(frozen=True)
class Limits:
    """When to end: individuals of all searches together, and seconds of everything; whichever is first."""

    individuals: float = math.inf
    seconds: float = math.inf


def fit(examples: Examples, program: Program, epochs: int, seed: int) -> Trained:
    """Returns a program trained on all examples, in a random order.

    Raises:
        ProgramError: training failed.
    """
    rows = rng_for("fitting/order", seed).permutation(len(examples.y))
    return train(program, examples.x[rows], examples.labels(rows), examples.metric, epochs)


def discover(
    examples: Examples,
    limits: Limits,
    seed: int,
    settings: Sequence[str] = (),
) -> tuple[list[Candidate], int]:
    """Returns candidates, the best first, and the individuals that were evaluated.

    The linear program and the network, with some learning rates, are compared by cross-validation of whole
    predictors. A search begins with the best of each; what it finds is compared with these in the same way.
    Deterministic unless seconds are limited.

    settings: of the searches, as `zero run --set` takes them, over those of the shipped config own_csv.
    """
    began = time.monotonic()
    known = choose(_known(examples), examples, seed, began + limits.seconds * FOR_KNOWN)
    starts = list({c.origin: c for c in reversed(known)}.values())[::-1]  # the best of each program
    found, individuals = known[:FINALISTS], 0
    for number, start in enumerate(starts, 1):
        share = limits.individuals * number / len(starts) - individuals
        part = FOR_KNOWN + (FOR_SEARCH - FOR_KNOWN) * number / len(starts)
        end = began + limits.seconds * part
        if share >= 1 and time.monotonic() < end:
            more, made = _search(examples, start, share, end, seed, settings)
            found += more
            individuals += made
    # A search has seen the rows that its programs are scored on: being a little better is no proof.
    end = began + limits.seconds * FOR_CHOICE
    return choose(found, examples, seed, end, trusted=FINALISTS), individuals


def epochs_for(rows: int, wanted: int) -> int:
    """Returns how many epochs training on that many rows may take, of those wanted."""
    return max(1, min(wanted, MOST_STEPS // rows))


def _known(examples: Examples) -> list[Candidate]:
    """Returns what is known without a search: `RATES` for few and for many epochs."""
    from zero.programs.explain.edits import knobs, with_constants

    rows, features = examples.x.shape
    found = []
    for epochs in sorted({epochs_for(rows, 10), epochs_for(rows, 100)}):
        for name, rates in RATES.items():
            program = library.program(name)
            (rate,) = (k for k in knobs(program) if k.value == 0.01)
            for value in rates:  # steps grow with the number of features
                value *= min(1.0, MANY_FEATURES / features)
                found.append(Candidate(with_constants(program, [(rate, value)]), epochs, name))
    return found


# --- search ---------------------------------------------------------------------------------------


class _InMemory(ProgramsDomain):
    """Searches over tasks that are there already; the tasks of its config are never made."""

    def __init__(self, config: Any, initial: Program, tasks: dict[str, TaskSet]):
        super().__init__(config, initial)
        self._given = tasks

    def tasks(self, purpose: str, experiment: int, searched: int = 0) -> TaskSet:
        return self._given[purpose]

    def _check_apart(self) -> None:
        """The rows of no task are a final figure's."""


def _search(
    examples: Examples,
    start: Candidate,
    individuals: float,
    end: float,
    seed: int,
    settings: Sequence[str],
) -> tuple[list[Candidate], int]:
    """Returns the best programs of a search that begins with a shipped program, and its individuals.

    individuals: at most so many; end: of `time.monotonic`.
    """
    from zero.config.load import load_config
    from zero.evolution.island import NEVER

    steps = min(len(examples.y), MOST_ROWS)
    epochs = max(1, min(start.epochs, SEARCH_STEPS // steps))
    matrices = memory_needed(start.program).matrices > 0
    own = [f"seed={seed}", "islands.count=1", *(() if matrices else _WITHOUT_MATRICES)]
    config: Any = load_config("own_csv", [*own, *settings])
    if config.islands.count != 1:
        raise ConfigError(f"islands.count: must be 1 in this process, got {config.islands.count}")
    sets = {purpose: _tasks(examples, purpose, epochs, seed) for purpose in ("search", "select")}
    domain = _InMemory(config, start.program, sets)
    domain.check()
    most = NEVER if math.isinf(individuals) else int(individuals)
    (island,) = domain.islands(0, {"individuals": most, "train_steps": NEVER})
    nobody = np.zeros((0, 2), dtype=np.int64)
    while not island.individuals or time.monotonic() < end:  # what it begins with is evaluated
        island.advance(min(0.2, max(0.0, end - time.monotonic())))
        if island.waiting:
            if island.reason:
                break
            island.begin_round()
            island.receive(nobody)
    best = [record for record in island.records.values() if record.is_best]
    for record in best[-2 * FINALISTS :]:
        if math.isnan(record.select_fitness):
            record.select_fitness = island.select(record.program).fitness
    best.sort(key=lambda r: (-np.nan_to_num(r.select_fitness, nan=-np.inf), -r.individuals))
    programs = dict.fromkeys(simplify(record.program) for record in best)
    origin = f"search from {start.origin}"
    finalists = [*programs][:FINALISTS]
    lengths = sorted({epochs, start.epochs})
    return [Candidate(p, e, origin) for e in lengths for p in finalists], island.individuals


_WITHOUT_MATRICES = (
    "program.memory.matrices=0", "program.setup.ops=[SCALAR_CONST_SET, VECTOR_GAUSSIAN_SET]",
    "program.predict.ops=[SCALAR_SUM, SCALAR_PRODUCT, VECTOR_MAX, VECTOR_INNER_PRODUCT, VECTOR_SUM, "
    "VECTOR_PRODUCT, SCALAR_VECTOR_PRODUCT]",
    "program.learn.ops=[SCALAR_SUM, SCALAR_DIFF, SCALAR_PRODUCT, SCALAR_VECTOR_PRODUCT, VECTOR_SUM, "
    "VECTOR_HEAVYSIDE, VECTOR_PRODUCT]",
)  # fmt: skip


def _tasks(examples: Examples, purpose: str, epochs: int, seed: int) -> TaskSet:
    """Returns tasks over random splits of the rows: of several classes, each from the rest in turn."""
    outputs = examples.classes if examples.classes > 2 else 1
    splits = max(1, TASKS // outputs)
    rows = len(examples.y)
    valid = min(max(1, rows * 2 // 5), MOST_ROWS)
    size = min(rows - valid, MOST_ROWS)
    parts: list[tuple[np.ndarray, ...]] = []
    for split in range(splits):
        rng = rng_for(f"fitting/{purpose}/{split}", seed)
        order = stratified(examples, rng)
        known, asked = rng.permutation(order[valid:][:size]), rng.permutation(order[:valid])
        labels = zip(examples.labels(known), examples.labels(asked), strict=True)
        parts += [(examples.x[known], a, examples.x[asked], b) for a, b in labels]
    arrays = [np.ascontiguousarray(np.stack(part)) for part in zip(*parts, strict=True)]
    names = tuple(f"split {k // outputs} output {k % outputs}" for k in range(len(parts)))
    keys = np.arange(len(parts), dtype=np.uint32)
    return TaskSet(names, keys, *arrays, examples.metric, epochs)


def stratified(examples: Examples, rng: np.random.Generator) -> np.ndarray:
    """Returns all rows in a random order of which every stretch has the classes' shares."""
    from zero.data.parts import spread

    return spread(examples.y, examples.classes, rng, len(examples.y))


# --- choice ---------------------------------------------------------------------------------------


def choose(
    candidates: Sequence[Candidate],
    examples: Examples,
    seed: int,
    end: float = math.inf,
    trusted: int | None = None,
) -> list[Candidate]:
    """Returns the candidates by their score in cross-validation, the best first; equal ones as they were.

    The score is the share of rows whose class is right, or minus the mean squared error. Candidates that are
    clearly behind are left out of further folds. At `end` (of `time.monotonic`) it stops with what is known
    then. The first `trusted` ones (None: all) are ranked by their score; others by their score less one
    standard error of its difference to the best of those: they come first where they are clearly better.
    """
    found: list[list[np.ndarray]] = [[] for _ in candidates]
    running = list(range(len(candidates)))
    for known, asked in _folds(examples, seed):
        for k in running:
            if time.monotonic() >= end and found[running[0]]:
                break
            found[k].append(_scores(candidates[k], examples, known, asked))
        running = _near([k for k in running if found[k]], found)
        if time.monotonic() >= end or len(running) == 1:
            break
    scored = [replace(c, score=_mean(f)) for c, f in zip(candidates, found, strict=True)]
    best = _ranked(running, found, len(candidates) if trusted is None else trusted)
    others = sorted(set(range(len(scored))) - set(best), key=lambda k: -_mean(found[k], -math.inf))
    return [scored[k] for k in (*best, *others)]


def _folds(examples: Examples, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields (rows to train on, rows to score on)."""
    rows = len(examples.y)
    folds = min(FOLDS, rows)
    bounds = np.linspace(0, rows, folds + 1).astype(int)
    for repeat in range(min(REPEATS, -(-SEEN // rows)) if rows > folds else 1):
        order = stratified(examples, rng_for(f"fitting/folds/{repeat}", seed))
        for first, last in itertools.pairwise(bounds):
            yield np.concatenate([order[:first], order[last:]]), order[first:last]


def _mean(scores: list[np.ndarray], empty: float = math.nan) -> float:
    return float(np.concatenate(scores).mean()) if scores else empty


def _near(running: list[int], found: list[list[np.ndarray]]) -> list[int]:
    """Returns those candidates that are not clearly worse than the best: by over two standard errors."""
    common = min(len(found[k]) for k in running)
    scores = {k: np.concatenate(found[k][:common]) for k in running}
    best = max(running, key=lambda k: scores[k].mean())
    kept = []
    for k in running:
        less = scores[best] - scores[k]
        if k == best or less.mean() <= 2 * less.std() / math.sqrt(len(less)):
            kept.append(k)
    return kept


def _ranked(running: list[int], found: list[list[np.ndarray]], trusted: int) -> list[int]:
    """Returns the candidates, the best first, see `choose`."""
    common = min(len(found[k]) for k in running)
    scores = {k: np.concatenate(found[k][:common]) for k in running}
    known = [k for k in running if k < trusted]
    best = max(known, key=lambda k: scores[k].mean(), default=None)

    def rank(k: int) -> float:
        mean = float(scores[k].mean())
        if k < trusted or best is None:
            return -mean
        difference = scores[k] - scores[best]
        return float(difference.std()) / math.sqrt(len(difference)) - mean

    return sorted(running, key=rank)


def _scores(
    candidate: Candidate, examples: Examples, known: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    """Returns the scores (n,) of the rows `asked`: 1 where the class is right, or minus squared errors."""
    part = Examples(examples.x[known], examples.y[known], examples.classes)
    try:
        trained = fit(part, candidate.program, candidate.epochs, 0)
    except ProgramError:
        return np.full(len(asked), 0.0 if examples.classes else -WORST)
    if not examples.classes:
        errors = trained.scores(examples.x[asked])[:, 0] - examples.y[asked]
        return -np.minimum(np.nan_to_num(errors**2, nan=WORST), WORST)
    said = trained.probabilities(examples.x[asked]).argmax(axis=1)
    return (said == examples.y[asked]).astype(np.float64)

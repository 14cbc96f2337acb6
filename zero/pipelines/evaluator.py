"""What a pipeline is worth: its predictions for rows that it was not trained on, fold by fold.

Folds are the same for all candidates. The score is the mean over the folds so far. With `shares`, a
candidate is first trained with few rows and trees, so that `halving` can stop it before it costs much; a
part is then all folds with one share.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from zero.pipelines.build import build, fit
from zero.pipelines.metrics import Metric, score_of_folds
from zero.pipelines.space import Pipeline, PipelineSpace
from zero.pipelines.worker import DIED, Worker
from zero.rng.philox import key_for

POLL = 0.02  # seconds between looks for a stop
SEEDS = 2**31 - 1  # that scikit-learn takes

Folds = Sequence[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that pipelines are trained and judged on.

    x: a frame (N rows). y (N,): numbers, or numbers of classes. weights (N,): of the rows, or None.
    classes: how many, 0 of a regression.
    """

    x: Any
    y: np.ndarray
    weights: np.ndarray | None
    classes: int

    @property
    def width(self) -> int:
        """How many numbers a prediction has."""
        return self.classes or 1

    def take(self, rows: np.ndarray) -> Rows:
        """Returns some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        return Rows(self.x.iloc[rows], self.y[rows], weights, self.classes)


def train(space: PipelineSpace, genome: Pipeline, seed: int, rows: Rows, share: float = 1.0) -> Any:
    """Returns the genome's pipeline, trained; of classes on their numbers."""
    y = rows.y.astype(np.int64) if rows.classes else rows.y
    pipeline = build(space, genome, seed % SEEDS, share)
    return fit(space, genome, pipeline, rows.x, y, rows.weights)


def said(pipeline: Any, x: Any, classes: int) -> np.ndarray:
    """Returns a trained pipeline's predictions (N, K): chances of all classes, or (N, 1) numbers."""
    if not classes:
        return np.asarray(pipeline.predict(x), dtype=np.float64).reshape(-1, 1)
    found = np.zeros((len(x), classes))
    known = np.asarray(pipeline[-1].classes_).astype(np.int64)
    found[:, known] = pipeline.predict_proba(x)  # rows of a fold may lack a class
    return found


class Trial:
    """One candidate's evaluation; see `zero.evolution.object_island.Trial`.

    Attributes:
        predictions: (N, K) for all rows, NaN where there are none yet.
        seconds: that training and predicting took; decides nothing.
    """

    def __init__(self, evaluator: PipelineEvaluator, genome: Pipeline, seed: int):
        self.evaluator, self.genome, self.seed = evaluator, genome, seed
        self.reason, self.epochs = "", 0
        rows = evaluator.rows
        self.predictions = np.full((len(rows.y), rows.width), np.nan)
        self.scores: list[float] = []
        self.seconds = 0.0
        self._fold = 0  # of a part, where a part is all folds

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.reason) or self.epochs == self.all_epochs

    @property
    def all_epochs(self) -> int:
        """Parts that there are: folds, or shares."""
        return len(self.evaluator.shares or self.evaluator.folds)

    @property
    def steps(self) -> int:
        """Parts done."""
        return self.epochs

    @property
    def accuracy(self) -> float:
        """The score of all predictions so far; NaN before the first part, and if it failed."""
        return math.nan if self.reason or not self.scores else self.scores[-1]

    balanced_accuracy = accuracy

    @property
    def curve(self) -> np.ndarray:
        """The share of the whole work that is done, and the score, after each part: (parts, 2)."""
        shares = self.evaluator.shares or [
            (k + 1) / self.all_epochs for k in range(self.all_epochs)
        ]
        rows = list(zip(shares, self.scores, strict=False))
        return np.array(rows, dtype=np.float64).reshape(-1, 2)

    def step(self, should_stop: Callable[[], bool] | None = None) -> None:
        """Goes on to the end of the part, or until `should_stop`; what is being trained goes on then."""
        evaluator = self.evaluator
        shares, folds = evaluator.shares, evaluator.folds
        parts = range(self._fold, len(folds)) if shares else [self.epochs]
        for fold in parts:
            share = shares[self.epochs] if shares else 1.0
            found = evaluator.ask((self.genome, fold, self.seed, share), should_stop)
            if found is None:
                return
            kind, values, seconds = found
            self.seconds += seconds
            if kind == "done" and self.seconds > evaluator.limit_of(self.genome):
                kind = evaluator.too_long
            if kind != "done":
                self.reason = kind
                return
            self.predictions[folds[fold][1]] = values
            self._fold = fold + 1 if shares else 0
        self._fold = 0
        self.epochs += 1
        known = [asked for _, asked in (folds if shares else folds[: self.epochs])]
        score = evaluator.score(self.predictions, known)
        if math.isnan(score) and self.epochs == self.all_epochs:
            self.reason = f"no {evaluator.metric.name} can be told of its predictions"
            if not np.isfinite(self.predictions[np.concatenate(known)]).all():
                self.reason = "its predictions are no finite numbers"
        self.scores.append(score)

    def state(self) -> dict[str, Any]:
        """Returns what `restore` needs."""
        return {
            "predictions": self.predictions, "scores": np.array(self.scores), "reason": self.reason,
            "epochs": self.epochs, "fold": self._fold, "seconds": self.seconds,
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a state."""
        self.predictions, self.scores = state["predictions"].copy(), state["scores"].tolist()
        self.reason, self.epochs, self._fold = state["reason"], state["epochs"], state["fold"]
        self.seconds = state["seconds"]


class PipelineEvaluator:
    """Evaluates pipelines.

    Args:
        space: that they are of.
        rows: that they are judged on.
        folds: of rows to train on, and to predict.
        metric: that they are judged by.
        shares: of the rows and trees, rising to 1, that they are trained with in turn; none: folds in turn.
        memory: bytes that one may take. limit: seconds that all folds together may take, None for no limit.
    """

    def __init__(
        self,
        space: PipelineSpace,
        rows: Rows,
        folds: Folds,
        metric: Metric,
        shares: Sequence[float] = (),
        memory: int | None = None,
        limit: float | None = None,
    ):
        self.space, self.rows, self.folds, self.metric = space, rows, folds, metric
        self.shares, self.memory, self.limit = tuple(shares), memory, limit
        self._question: Any = None  # that the worker is asked

    @cached_property
    def worker(self) -> Worker:
        """Its process; started when it is first asked."""
        return Worker(self._work, self.memory)

    @property
    def too_long(self) -> str:
        """What is said of a candidate that took too long."""
        return f"time: more than {self.limit:g} s"

    def limit_of(self, genome: Pipeline) -> float:
        """Returns the seconds that a pipeline may take; the answer that is always there has no limit."""
        free = self.limit is None or genome == self.space.constant
        return math.inf if free or self.limit is None else self.limit

    def key(self, genome: Pipeline) -> str:
        """Returns a digest of the genome."""
        return hashlib.blake2b(" ".join(genome).encode(), digest_size=8).hexdigest()

    def begin(self, genome: Pipeline, seed: int, name: str, parent: Any = None) -> Trial:
        """Returns the trial of a genome, not begun; seed: of all that is random in it."""
        return Trial(self, genome, seed)

    def score(self, predictions: np.ndarray, folds: Sequence[np.ndarray]) -> float:
        """Returns the score of predictions for some folds' rows."""
        rows = self.rows
        return score_of_folds(self.metric, rows.y, predictions, rows.weights, folds)

    def ask(self, question: Any, should_stop: Callable[[], bool] | None) -> Any:
        """Returns the worker's answer, None if `should_stop` came before; it works on meanwhile."""
        worker, limit = self.worker, self.limit_of(question[0])
        if worker.is_busy and self._question != question:
            worker.stop()  # of a candidate that was given up
        if not worker.is_busy:
            self._question = question
            worker.ask(question)
        while True:
            found = worker.answer(POLL)
            if found is not None and found[0].startswith(DIED) and self._question is not None:
                # Somebody may have killed it; a candidate that it dies of kills the next one, too.
                self._question = None
                worker.ask(question)
                continue
            if found is not None:
                return found
            if worker.seconds > limit:
                seconds = worker.seconds
                worker.stop()
                return self.too_long, None, seconds
            if should_stop is not None and should_stop():
                return None

    def _work(self, question: Any, begun: Callable[[], None]) -> np.ndarray:
        """Returns the predictions for the rows of a fold; in the worker's process."""
        genome, fold, seed, share = question
        self.space.family(genome).load(self.space.facts.problem)
        begun()
        known, asked = self.folds[fold]
        if share < 1:
            rng = np.random.default_rng(key_for(seed, "rows", fold))
            known = np.sort(rng.permutation(known)[: max(2, round(share * len(known)))])
        trained = train(self.space, genome, seed, self.rows.take(known), share)
        return said(trained, self.rows.x.iloc[asked], self.rows.classes)

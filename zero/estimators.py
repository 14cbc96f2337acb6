"""Estimators for scikit-learn that find a pipeline for a table: preparation, learner, and an ensemble.

    import zero

    found = zero.AutoClassifier(seconds=60, random_state=0).fit(X, y)
    found.predict(X_new)
    found.leaderboard()                # a pandas frame
    found.best_pipeline()              # one plain scikit-learn pipeline, which works without zero

They do what `zero fit` does, in a folder that is removed at the end unless one is given, in forked
processes (`islands`) that are gone when `fit` returns. `X` is an array, a frame of pandas or polars, or a
sparse matrix; it may have texts, dates and empty cells. Threads, joblib's workers, `clone`, pickle and grid
search work.
"""

from __future__ import annotations

import tempfile
import time as clock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from zero.errors import ZeroError
from zero.pipelines.given import (
    dense,
    distinct,
    has_texts,
    head,
    is_no_number,
    of_pandas,
    reader,
    rows_of,
    understood,
)  # fmt: skip

if TYPE_CHECKING:
    from zero.pipelines.model import PipelineModel

__all__ = ["AutoClassifier", "AutoRegressor"]

FEWEST = 3  # rows


class _Auto(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """What both have in common."""

    model_: PipelineModel
    _weighted: list[bool]  # of the model's members
    _winner: tuple[Any, bool]  # the best single pipeline, not trained, and whether it heeds weights
    _rows: tuple[
        Any, np.ndarray, np.ndarray | None
    ]  # that it is trained on: frame, targets, weights
    _head: Any  # the first rows as they were given
    _best: Any  # the best single pipeline, trained

    def __init__(
        self,
        seconds: float | None = 60.0,
        candidates: int | None = None,
        *,
        metric: str | None = None,
        families: Any = None,
        programs: Any = (),
        folds: int | None = None,
        ensemble: bool = True,
        method: str = "smac",
        islands: int = 2,
        memory: int | None = None,
        settings: Any = (),
        folder: Any = None,
        verbose: bool = False,
        random_state: Any = None,
    ):
        self.seconds = seconds
        self.candidates = candidates
        self.metric = metric
        self.families = families
        self.programs = programs
        self.folds = folds
        self.ensemble = ensemble
        self.method = method
        self.islands = islands
        self.memory = memory
        self.settings = settings
        self.folder = folder
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.sparse = True
        tags.input_tags.string = tags.input_tags.categorical = True
        tags.non_deterministic = self.seconds is not None
        return tags

    def __getstate__(self) -> Any:
        state = dict(super().__getstate__())
        state.pop("_rows", None)  # what is sent to others has no rows of the user's
        state.pop("_head", None)
        return state

    # --- training ---------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None, time: Any = None
    ) -> Self:
        """Searches, and trains what it found on all rows; returns itself.

        Args:
            X: (N, F), array, frame or sparse matrix.
            y: (N,) targets.
            sample_weight: (N,) how much each row counts, in training where the learner can, and in scores.
            groups: (N,) rows of equal groups stay together in cross-validation, such as a patient's.
            time: (N,) numbers or dates: later rows are predicted from earlier ones.

        Raises:
            ValueError: an argument cannot be used.
        """
        began = clock.monotonic()
        with self._as_before_after_errors():
            self._search(X, y, {"weights": sample_weight, "groups": groups, "time": time}, began)
        return self

    def refit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains what was chosen on other rows, without a search; returns itself.

        The same columns are used for the same; a kept run's folder stays as it is.

        Args:
            X, y, sample_weight: as for `fit`; of classes those of `classes_`.
        """
        check_is_fitted(self)
        with self._as_before_after_errors():
            x, y = self._checked(X, y, reset=False)
            y = self._codes(y, reset=False)
            frame, weights = self._frame(x), self._weights(sample_weight, x)
            trained = [
                self._trained(clone(pipeline), weighted, frame, y, weights)
                for pipeline, weighted in zip(self.model_.pipelines, self._weighted, strict=True)
            ]
            self.model_ = self.model_.with_pipelines(trained)
            self._rows, self._head = (frame, y, weights), head(X, x)
            self.__dict__.pop("_best", None)
        return self

    def _search(self, X: Any, y: Any, special: dict[str, Any], began: float) -> None:
        from zero.pipelines.build import build
        from zero.pipelines.domain import PipelinesDomain
        from zero.pipelines.model import load_model
        from zero.runs.run import start

        x, y = self._checked(X, y, reset=True)
        y = self._codes(y, reset=True)
        weights = special["weights"] = self._weights(special["weights"], x)
        if weights is not None and hasattr(self, "classes_") and len(np.unique(y[weights > 0])) < 2:
            raise ValueError(
                "all rows of a weight above 0 are of one class; give weights to 2 classes"
            )
        for name, values in special.items():
            if values is not None and len(values) != len(y):
                raise ValueError(
                    f"{name} has {len(values)} values and y {len(y)}; give one for each row"
                )
        classes = getattr(self, "classes_", np.array([])).tolist()
        data = understood(x, self._names(), y, classes, special)
        config: Any = self._config(special)
        table = config.pipelines.table.with_data(data, kept=self.folder is not None)
        own = config.pipelines.model_copy(update={"table": table})
        config = config.model_copy(update={"pipelines": own})
        with self._place() as place:
            how: dict[str, Any] = {} if self.folder is not None else {"checkpoint_seconds": None}
            outcome: Any = start(config, place, quiet=not self.verbose, began=began, **how)
            if "board" not in outcome.details:
                raise KeyboardInterrupt(f"the search was stopped ({outcome.reason})")
            self.model_ = load_model(place)
            _ = self.model_.pipelines  # while the folder is there
        self.run_ = None if self.folder is None else Path(self.folder)
        self._board = outcome.details["board"]
        self.score_, self.metric_ = float(self._board["promised"]), self._board["metric"]
        self.candidates_ = outcome.individuals
        domain = PipelinesDomain(config)
        space = domain.search_space
        self._weighted = [
            space.family(tuple(text.split())).weighted for text in self.model_.members
        ]
        best = next(row["text"] for row in self._board["rows"] if row["record"] >= 0)
        genome = tuple(best.split())
        self._winner = build(space, genome, config.seed), space.family(genome).weighted
        self._rows, self._head = (domain.rows.x, y, data.weights), head(X, x)
        self.__dict__.pop("_best", None)

    def _config(self, special: dict[str, Any]) -> Any:
        """Returns the run's config, whose table has yet no rows."""
        from zero.config.load import make_config
        from zero.pipelines.table import IN_MEMORY

        if self.seconds is None and self.candidates is None:
            raise ValueError("give seconds or candidates, so that the search ends")
        for name in ("settings", "programs", "families"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise ValueError(f"{name} must be a list of texts, got {value!r}; give [{value!r}]")
        table = {"path": IN_MEMORY, "test": 0}
        table |= {key: key for key, values in special.items() if values is not None}
        own = {
            "table": table, "seconds": self.seconds, "metric": self.metric, "folds": self.folds,
            "families": None if self.families is None else list(self.families),
            "programs": [str(program) for program in self.programs],
            **({} if self.memory is None else {"memory": self.memory}),
            **({} if self.ensemble else {"ensemble": None}),
        }  # fmt: skip
        sections = {
            "name": "fit", "report": False, "pipelines": own, "search": {"method": self.method},
            "seed": int(check_random_state(self.random_state).randint(2**31 - 1)),
            "islands": {"count": self.islands}, "budget": {"individuals": self.candidates},
        }  # fmt: skip
        return make_config(sections, overrides=self.settings)

    @contextmanager
    def _place(self) -> Iterator[Path]:
        """Gives the run's folder."""
        if self.folder is not None:
            yield Path(self.folder)
            return
        with tempfile.TemporaryDirectory(prefix="zero-", ignore_cleanup_errors=True) as made:
            yield Path(made)

    @contextmanager
    def _as_before_after_errors(self) -> Iterator[None]:
        """Keeps what was trained before where training fails; errors of ours become ValueError."""
        before = self.__dict__.copy()
        try:
            yield
        except BaseException as error:
            self.__dict__.clear()
            self.__dict__.update(before)
            if isinstance(error, ZeroError):
                raise ValueError(str(error)) from error
            raise

    def _trained(self, pipeline: Any, weighted: bool, frame: Any, y: Any, weights: Any) -> Any:
        how = {"learner__sample_weight": weights} if weighted and weights is not None else {}
        return pipeline.fit(frame, y, **how)

    # --- predicting -------------------------------------------------------------------------------

    def predict(self, X: Any) -> np.ndarray:
        """Returns the prediction for each row, (N,): of `classes_`, or numbers."""
        return self._answers(self._said(X))

    def _said(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        x, _ = self._checked(X, None, reset=False)
        return self.model_.said(self._frame(x))

    def leaderboard(self) -> Any:
        """Returns a pandas frame: name, validation, test, record, pipeline; the best in validation first.

        Larger is better, errors are negative. test is empty: no rows were kept apart. record: the candidate's
        number in the run's archive, -1 of ensembles.
        """
        import pandas as pd

        check_is_fitted(self)
        names = ["name", "validation", "test", "record", "text"]
        frame = pd.DataFrame(self._board["rows"], columns=names)
        return frame.rename(columns={"text": "pipeline"})

    def best_pipeline(self) -> Any:
        """Returns the best single pipeline as scikit-learn's `Pipeline`, trained on all rows; without zero.

        It takes rows of the same form as `fit` took (dense ones for sparse ones), and says the user's own
        classes. It is trained when it is first asked for, on rows that the estimator keeps for that in memory
        and does not pickle. A pipeline of the families program and evolved_program needs zero, of course.

        Raises:
            ValueError: the rows are not there any more, or need more reading than pandas alone does.
        """
        from sklearn.pipeline import Pipeline

        check_is_fitted(self)
        if hasattr(self, "_best"):
            return self._best
        if not hasattr(self, "_rows"):
            raise ValueError(
                "rows are not pickled with an estimator: ask for best_pipeline() before, or refit(X, y) first"
            )
        steps = reader(self._head, self._names(), self.model_.columns)
        frame, y, weights = self._rows
        pipeline, weighted = self._winner
        if hasattr(self, "classes_"):
            y = self.classes_[y.astype(np.int64)]
        trained = self._trained(clone(pipeline), weighted, frame, y, weights)
        self._best = Pipeline([*steps, *trained.steps])
        return self._best

    # --- rows -------------------------------------------------------------------------------------

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        """Returns X as a pandas frame or an array of numbers or objects, and y if it is asked for."""
        X = of_pandas(X)
        for name, values in (("X", X), ("y", y)):
            if np.ma.is_masked(values):
                raise ValueError(f"{name} is a masked array; give {name}.filled(numpy.nan)")
        if reset and y is None:
            name = type(self).__name__
            raise ValueError(f"{name} requires y to be passed, but the target y is None")
        X = dense(X)
        if has_texts(X):
            validate_data(self, X, y="no_validation", skip_check_array=True, reset=reset)
            if len(X) == 0:
                raise ValueError("Found array with 0 sample(s); a minimum of 1 is required.")
            x = X
        elif np.asarray(X).dtype.kind in "OUS" and is_no_number(X):
            x = validate_data(self, X, dtype=object, ensure_all_finite=False, reset=reset)
        else:
            x = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=reset)
        if y is not None:
            y = self._checked_y(y)
            check_consistent_length(x, y)
        if reset and len(x) < FEWEST:
            raise ValueError(f"n_samples={len(x)} is too few: give at least {FEWEST} rows")
        return x, y

    def _names(self) -> list[str]:
        """Returns the names of the columns in tables."""
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            return [f"x{k}" for k in range(self.n_features_in_)]
        return [str(name) for name in names]

    def _frame(self, x: Any) -> Any:
        """Returns rows as pipelines take them."""
        try:
            return rows_of(x, self._names(), self.model_.columns)
        except ZeroError as error:
            raise ValueError(str(error)) from None

    def _weights(self, weights: Any, x: Any) -> np.ndarray | None:
        if weights is None:
            return None
        return _check_sample_weight(weights, np.zeros((len(x), 1)), dtype=np.float64)

    # --- targets ----------------------------------------------------------------------------------

    _checked_y: Callable[[Any], np.ndarray]
    _codes: Callable[..., np.ndarray]
    _answers: Callable[[np.ndarray], np.ndarray]


class AutoClassifier(ClassifierMixin, _Auto):  # type: ignore[misc]
    """A classifier for a table, found by a search over pipelines; the target is always taken as classes.

    Args:
        seconds: of everything, from the call of `fit` to its end; None: no limit.
        candidates: pipelines to try; whichever of both is first ends the search. With candidates and
            `seconds=None` the same `random_state` gives the same result.
        metric: what to maximise, a scorer's name (`zero list metrics`); default roc_auc of two classes,
            neg_log_loss of more.
        families: of learners (`zero list families`); default all that suit, without evolved_program.
        programs: runs, RUN#ID or files of programs of your own, for the family program.
        folds: of cross-validation; default 5, fewer for many rows.
        ensemble: whether several pipelines may be put together.
        method: of search (`zero list methods`).
        islands: processes that search side by side; part of what decides the result.
        memory: MiB that one candidate may take beyond the table.
        settings: further ones, as `zero fit --set` takes them, such as ("pipelines.portfolio=false",).
        folder: where the run is kept, for `zero show`, `zero predict` and `zero report`; None: nowhere.
        verbose: whether progress is shown.
        random_state: of folds, search and learners.

    Attributes:
        classes_, n_features_in_, feature_names_in_: as of every classifier.
        score_: of what is kept, by `metric_`, in cross-validation that played no part in choosing it.
        candidates_: how many pipelines were tried.
        run_: the run's folder, or None.
        model_: a `zero.pipelines.model.PipelineModel`, with the trained pipelines.
    """

    def predict_proba(self, X: Any) -> np.ndarray:
        """Returns the probability of each of `classes_` for each row, (N, K)."""
        return self._said(X)

    def _answers(self, said: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.classes_[said.argmax(axis=1)]
        return found

    def _checked_y(self, y: Any) -> np.ndarray:
        y = column_or_1d(of_pandas(y), warn=True)
        if y.dtype.kind == "O":
            empty = [k for k, value in enumerate(y.tolist()) if value is None or value != value]
            if empty:
                raise ValueError(f"y is empty (None or NaN) in row {empty[0]}; leave such rows out")
            distinct(y)
        check_array(y, ensure_2d=False, dtype=None)
        check_classification_targets(y)
        return y

    def _codes(self, y: np.ndarray, reset: bool) -> np.ndarray:
        known = distinct(y)
        if reset:
            self.classes_ = known
        unknown = np.setdiff1d(known, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y has {unknown.tolist()[0]!r}, which is none of the classes {self.classes_.tolist()}"
            )
        if len(known) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes; the data has 1 class, "
                f"{known.tolist()[0]!r}"
            )
        return np.searchsorted(self.classes_, y)


class AutoRegressor(RegressorMixin, _Auto):  # type: ignore[misc]
    """A regressor for a table, found by a search over pipelines.

    Args and attributes as of `AutoClassifier`, without classes; metric: default neg_root_mean_squared_error.
    """

    def _answers(self, said: np.ndarray) -> np.ndarray:
        return said[:, 0]

    def _checked_y(self, y: Any) -> np.ndarray:
        y = column_or_1d(of_pandas(y), warn=True)
        return check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")

    def _codes(self, y: np.ndarray, reset: bool) -> np.ndarray:
        return y

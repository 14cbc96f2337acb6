"""Estimators for scikit-learn: programs that exist, and programs that are found for the data.

    from zero.sklearn import EvolvedClassifier

    found = EvolvedClassifier(seconds=60, random_state=0).fit(X, y)
    print(found.program_)
    found.predict(X_new)

`DiscoveredClassifier` and `DiscoveredRegressor` train one program: shipped, of a file or of a run.
`EvolvedClassifier` and `EvolvedRegressor` search for one. X is an array of numbers, or a frame that may
have texts and dates; NaN is an empty cell. They work in the process that calls them, on one core, and
touch nothing else: in threads, in joblib's workers, in notebooks. Pipelines, `clone`, grid search and pickle
work as for every estimator. After `model_.save("mine.h5")` that file is as good as a run:
`zero export mine.h5`, `zero predict mine.h5 new.csv`, `zero.load("mine.h5")`.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

if TYPE_CHECKING:
    from zero.data.columns import Column
    from zero.data.prepare import ColumnPlan, Preparation
    from zero.programs.fitting import Candidate, Examples
    from zero.programs.model import TableModel
    from zero.programs.program import Program

__all__ = [
    "DiscoveredClassifier", "DiscoveredRegressor", "EvolvedClassifier", "EvolvedRegressor",
]  # fmt: skip

STEPS = 50_000  # of training that `epochs=None` aims at
# Features that a searched program sees at least, zeros if need be: a network's hidden units.
NARROW = 16


class _Estimator(BaseEstimator):
    """What all have in common; `_train` is what differs."""

    _least_features = 0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Trains on rows X (N, F) with targets y (N,); returns itself.

        Deterministic for a given `random_state`, unless `seconds` are limited.

        Raises:
            ValueError: X or y cannot be used.
            ProgramError: training failed, as it does where a program's numbers grow without bound.
        """
        before = vars(self).copy()
        try:
            columns, y = self._checked(X, _given(self, y), reset=True)
            y = self._known_targets(y)
            preparation, examples = self._prepared(columns, y)
            self._train(examples, preparation)
        except BaseException:  # an interrupted search too: what was trained before still predicts
            vars(self).clear()
            vars(self).update(before)
            raise
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Returns the prediction for each row, (N,): of `classes_`, or numbers."""
        return self._said(self._features(X))

    # --- rows -------------------------------------------------------------------------------------

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[list[Column], Any]:
        """Returns the columns of X, and y if it is given."""
        from zero.data.columns import Column

        for name, values in (("X", X), ("y", y)):
            if np.ma.is_masked(values):
                raise ValueError(f"{name} is a masked array; give {name}.filled(numpy.nan)")
        if _has_texts(X):
            from zero.data.frames import of_frame
            from zero.data.table import Wanted
            from zero.errors import TaskError

            validate_data(self, X, y="no_validation", skip_check_array=True, reset=reset)
            if y is not None:
                y = self._checked_y(y)
                if len(y) != len(X):
                    raise ValueError(
                        f"X has {len(X)} rows and y {len(y)}; give a target for each row"
                    )
            if len(X) == 0:
                raise ValueError("Found array with 0 sample(s); a minimum of 1 is required.")
            names = getattr(self, "feature_names_in_", None)
            if names is None:  # no texts: as scikit-learn has it, only the places count
                X = X.set_axis(_numbered(X.shape[1]), axis=1)
            try:
                return list(of_frame(X, Wanted(), "X").features.values()), y
            except TaskError as error:
                raise ValueError(str(error)) from None
        checks: dict[str, Any] = {
            "dtype": np.float64,
            "ensure_all_finite": "allow-nan",
            "reset": reset,
        }
        if y is None:
            X = validate_data(self, X, **checks)
        else:
            X, y = validate_data(self, X, y, **checks, **self._target_checks)
            y = self._checked_y(y)
        names = getattr(self, "feature_names_in_", _numbered(X.shape[1]))
        return [Column(str(name), X[:, k]) for k, name in enumerate(names)], y

    def _prepared(self, columns: list[Column], y: np.ndarray) -> tuple[Preparation, Examples]:
        """Returns what is done to rows before a program sees them, and these rows after it."""
        from zero.data.prepare import fit, plan_column, raw_features
        from zero.programs.fitting import Examples

        if len(y) < 2:
            raise ValueError(f"1 sample (n_samples={len(y)}) says nothing; give at least 2 rows")
        plans = [plan_column(column, _kind(column)) for column in columns]
        raw = raw_features(plans, {c.name: c for c in columns})
        target = None if self._classes() else y
        preparation = fit(plans, raw, target=target, matrix=_widening(plans, self._least_features))
        x = preparation.of_raw(raw)
        if target is not None:
            scale = preparation.target_scale or 1.0
            y = (y - preparation.target_mean) / scale
        return preparation, Examples(x, y, self._classes())

    def _features(self, X: Any) -> np.ndarray:
        """Returns the features (N, F) of new rows."""
        check_is_fitted(self)
        columns, _ = self._checked(X, None, reset=False)
        return self._features_of(columns)

    def _features_of(self, columns: list[Column]) -> np.ndarray:
        from zero.errors import TaskError

        try:
            return self.model_.preparation.features({c.name: c for c in columns})
        except TaskError as error:
            raise ValueError(str(error)) from None

    def _said(self, features: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    # --- training ---------------------------------------------------------------------------------

    def _train(self, examples: Examples, preparation: Preparation) -> None:
        """Sets `program_`, `epochs_` and `model_`."""
        raise NotImplementedError

    def _keep(self, trained: Any, preparation: Preparation, epochs: int) -> None:
        from zero.programs.model import TableModel

        classes = self._classes()
        problem: Any = "regression" if not classes else "binary" if classes == 2 else "multiclass"
        names = tuple(map(str, getattr(self, "classes_", ())))
        self.program_, self.epochs_ = trained.program, epochs
        self.model_: TableModel = TableModel(trained, preparation, problem, names, "y", epochs)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31))  # type: ignore[attr-defined]

    # --- targets ----------------------------------------------------------------------------------

    _target_checks: ClassVar[dict[str, Any]] = {}

    def _checked_y(self, y: Any) -> np.ndarray:
        raise NotImplementedError

    def _known_targets(self, y: np.ndarray) -> np.ndarray:
        """Returns numbers, of classes from 0; sets `classes_`."""
        raise NotImplementedError

    def _classes(self) -> int:
        return len(getattr(self, "classes_", ()))


def _given(estimator: Any, y: Any) -> Any:
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"{name} requires y to be passed, but the target y is None")
    return y


def _numbered(width: int) -> list[str]:
    return [f"x{k}" for k in range(width)]


def _distinct(values: Any, name: str) -> np.ndarray:
    """Returns the different values, in order."""
    try:
        return np.unique(values)
    except TypeError:  # None among texts, for one
        kinds = sorted({type(value).__name__ for value in np.ravel(values).tolist()})
        raise ValueError(
            f"{name} has values of several types ({', '.join(kinds)}); give one type and no empty values"
        ) from None


def _has_texts(X: Any) -> bool:
    """Returns whether X is a frame with columns that are not numbers."""
    if not hasattr(X, "columns") or not hasattr(X, "dtypes"):
        return False
    kinds = [getattr(dtype, "kind", "O") for dtype in X.dtypes]
    return any(kind not in "biuf" for kind in kinds)


def _kind(column: Column) -> Any:
    if column.texts is not None:
        return "category"
    return "number" if column.form is None else "date"


def _widening(plans: list[ColumnPlan], least: int) -> np.ndarray | None:
    """Returns the matrix (R, least) that appends zeros to R features, None where there are enough."""
    width = sum(len(plan.features) for plan in plans)
    return np.eye(width, least) if width < least else None


class _Classifier(ClassifierMixin, _Estimator):
    """Of estimators that tell classes."""

    def predict_proba(self, X: Any) -> np.ndarray:
        """Returns the probability of each of `classes_` for each row, (N, K)."""
        features = self._features(X)  # first, for it may say that nothing is trained
        return self.model_.trained.probabilities(features)

    def decision_function(self, X: Any) -> np.ndarray:
        """Returns the program's scores, before any sigmoid: (N,) of two classes, else (N, K)."""
        features = self._features(X)
        scores = self.model_.trained.scores(features).astype(np.float64)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def _said(self, features: np.ndarray) -> np.ndarray:
        return self.classes_[self.model_.labels(features)]

    def _checked_y(self, y: Any) -> np.ndarray:
        from sklearn.utils.validation import column_or_1d

        y = column_or_1d(y, warn=True)
        if y.dtype.kind == "O":
            _distinct(y, "y")
        check_classification_targets(y)
        return y

    def _known_targets(self, y: np.ndarray, classes: Any = None) -> np.ndarray:
        self.classes_ = _distinct(y, "y") if classes is None else _distinct(classes, "classes")
        places = _places(y, self.classes_)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes; the data has 1 class, "
                f"{self.classes_.tolist()[0]!r}"
            )
        return places.astype(np.float64)


def _places(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Returns the number of each row's class."""
    unknown = np.setdiff1d(_distinct(y, "y"), classes)
    if len(unknown):
        raise ValueError(
            f"y has {unknown.tolist()[0]!r}, which is none of the classes {classes.tolist()}"
        )
    return np.searchsorted(classes, y)


class _Regressor(RegressorMixin, _Estimator):
    """Of estimators that predict numbers."""

    _target_checks: ClassVar[dict[str, Any]] = {"y_numeric": True}

    def _said(self, features: np.ndarray) -> np.ndarray:
        return self.model_.predict_features(features)

    def _checked_y(self, y: Any) -> np.ndarray:
        from sklearn.utils import check_array
        from sklearn.utils.validation import column_or_1d

        return check_array(column_or_1d(y, warn=True), ensure_2d=False, dtype=np.float64)

    def _known_targets(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(y, dtype=np.float64)


# --- one program ----------------------------------------------------------------------------------


class _Discovered(_Estimator):
    """Trains one program, and goes on with rows that come later."""

    def __init__(
        self,
        program: str | Program = "linear_with_bias",
        *,
        epochs: int | None = None,
        random_state: Any = None,
    ):
        self.program = program
        self.epochs = epochs
        self.random_state = random_state

    def _train(self, examples: Examples, preparation: Preparation) -> None:
        from zero.programs import fitting

        epochs = self.epochs
        if epochs is None:
            epochs = max(1, min(100, STEPS // len(examples.y)))
        elif isinstance(epochs, bool) or not isinstance(epochs, int | np.integer) or epochs < 1:
            raise ValueError(f"epochs must be a whole number of at least 1 or None, got {epochs!r}")
        trained = fitting.fit(examples, self._program(), int(epochs), self._seed())
        self._keep(trained, preparation, int(epochs))

    def _program(self) -> Program:
        from zero.programs.find import load_program
        from zero.programs.program import Program, parse_program

        program = self.program
        if isinstance(program, Program):
            return program
        if isinstance(program, os.PathLike):
            program = os.fspath(program)
        if not isinstance(program, str) or not program:
            raise ValueError(
                "program must be a shipped program's name, a file, RUN#ID or a text, got "
                f"{program!r}"
            )
        return parse_program(program) if "\n" in program else load_program(program)

    def _go_on(self, X: Any, y: Any, known_targets: Any) -> Self:
        """Trains on more rows, each once, in their order: the first time from zero."""
        from zero.programs.trained import go_on, train

        first = not hasattr(self, "model_")
        columns, y = self._checked(X, _given(self, y), reset=first)
        y = known_targets(y)
        if first:
            preparation, examples = self._prepared(columns, y)
            rows = np.arange(len(examples.y))
            labels = examples.labels(rows)
            trained = train(self._program(), examples.x, labels, examples.metric)
            self._keep(trained, preparation, 1)
            return self
        from zero.programs.fitting import Examples

        prepared = self.model_.preparation
        if not self._classes():
            y = (y - prepared.target_mean) / (prepared.target_scale or 1.0)
        x = self._features_of(columns)
        labels = Examples(x, y, self._classes()).labels(np.arange(len(y)))
        self._keep(go_on(self.model_.trained, x, labels), prepared, self.epochs_)
        return self


class DiscoveredClassifier(_Classifier, _Discovered):
    """A program as a classifier; of more than two classes each is told from the rest.

    Args:
        program: a shipped program's name (`zero list programs`), a program's file or text, RUN or RUN#ID, or
            a `zero.programs.program.Program`.
        epochs: how often the rows are gone through in `fit`; None: some 50,000 steps, at most 100 epochs.
        random_state: of the rows' order.

    Attributes:
        classes_, n_features_in_, feature_names_in_: as of every classifier.
        program_: what was trained, without instructions that change nothing; epochs_.
        model_: a `zero.programs.model.TableModel`, which can be saved.
    """

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Goes on training with more rows, each once, in their order; returns itself.

        How columns become features stays as the first rows said. The same rows in one call or in several
        leave the same memory, unless the program draws at random while it learns.

        Args:
            X, y: as for `fit`.
            classes: all classes that there are; needed in the first call unless y has them all.
        """

        def known(y: np.ndarray) -> np.ndarray:
            if not hasattr(self, "model_"):
                return self._known_targets(y, classes)
            if classes is not None and not np.array_equal(
                _distinct(classes, "classes"), self.classes_
            ):
                raise ValueError(
                    f"classes must stay as they were, {self.classes_.tolist()}; got "
                    f"{np.asarray(classes).tolist()}: train anew with fit, or leave classes out"
                )
            return _places(y, self.classes_).astype(np.float64)

        return self._go_on(X, y, known)


class DiscoveredRegressor(_Regressor, _Discovered):
    """A program as a regressor; args and attributes as of `DiscoveredClassifier`, without classes."""

    def partial_fit(self, X: Any, y: Any) -> Self:
        """Goes on training with more rows, each once, in their order; see `DiscoveredClassifier`."""
        return self._go_on(X, y, self._known_targets)


# --- a search -------------------------------------------------------------------------------------


class _Evolved(_Estimator):
    """Searches for a program and trains it."""

    _least_features = NARROW

    def __init__(
        self,
        individuals: float | None = 20_000,
        seconds: float | None = None,
        *,
        settings: tuple[str, ...] = (),
        random_state: Any = None,
    ):
        self.individuals = individuals
        self.seconds = seconds
        self.settings = settings
        self.random_state = random_state

    def _train(self, examples: Examples, preparation: Preparation) -> None:
        from zero.programs import fitting

        for name in ("individuals", "seconds"):
            value = getattr(self, name)
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if value is not None and not (number and value > 0):
                raise ValueError(f"{name} must be a number above 0 or None, got {value!r}")
        if not isinstance(self.settings, list | tuple):
            raise ValueError(
                f"settings must be a tuple of texts KEY=VALUE, got {self.settings!r}; one is "
                'written ("search.population=100",)'
            )
        limits = fitting.Limits(self.individuals or math.inf, self.seconds or math.inf)
        if math.isinf(limits.individuals) and math.isinf(limits.seconds):
            raise ValueError("give individuals or seconds, so that the search ends")
        seed = self._seed()
        found, made = fitting.discover(examples, limits, seed, self.settings)
        best = found[0]
        trained = fitting.fit(examples, best.program, best.epochs, seed)
        self.candidates_: list[Candidate] = found
        self.individuals_ = made
        self._keep(trained, preparation, best.epochs)


class EvolvedClassifier(_Classifier, _Evolved):
    """A classifier whose program is found by evolution.

    The linear program and the network are tried with some learning rates; searches begin with the best of
    each; cross-validation of whole predictors chooses among all of these; the chosen one is trained on all
    rows. Of more than two classes each is told from the rest, by one program.

    Args:
        individuals: programs to evaluate, all searches together; None: as many as the seconds allow.
        seconds: about how long `fit` may take, also for compiling in a new environment; None: no limit.
            Whichever of both is first ends the search.
        settings: of the search, as `zero run --set` takes them, such as ("search.population=100",).
        random_state: of splits, search and the rows' order.

    Attributes:
        classes_, n_features_in_, feature_names_in_: as of every classifier.
        program_: the program that was chosen; epochs_: that it was trained for.
        candidates_: what was compared, the best first, with scores; individuals_: evaluated by the search.
        model_: a `zero.programs.model.TableModel`, which can be saved.
    """


class EvolvedRegressor(_Regressor, _Evolved):
    """A regressor whose program is found by evolution; args and attributes as of `EvolvedClassifier`."""

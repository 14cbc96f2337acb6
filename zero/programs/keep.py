"""What a run over a table keeps of its outcome: the program trained on all rows but the test rows.

Beside it, on the same rows, stand predictors that people know, so that no figure flatters by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from zero.data.columns import as_text
from zero.data.prepare import Preparation
from zero.errors import ProgramError
from zero.programs import library
from zero.programs.config import ProgramsConfig
from zero.programs.model import TableModel
from zero.programs.predicted_rows import PredictedRows
from zero.programs.program import Program, memory_needed
from zero.programs.scores import (
    BOOSTING,
    LARGER_CLASS,
    LOGISTIC,
    MEAN,
    RIDGE,
    THIS,
    Predicted,
    Truth,
    compare,
)
from zero.programs.trained import labels_of, train
from zero.rng.philox import key_for
from zero.tasks import Labels
from zero.tasks.table import Table

# What every outcome is set beside: both were written by people.
BASELINES = ("linear", "neural_network")
WIDE = 100  # features above which a matrix, of their square, takes much memory and time
MOST_ROWS = 100_000  # that scikit-learn's predictors and the scales of features are fitted on
MOST_STEPS = 2_000_000  # rows that are trained on, each as often as it is gone through


def table_of(config: ProgramsConfig) -> Table | None:
    """Returns the table that a run's final figure is of, None where it is of other data."""
    family = config.tasks.final
    return family if isinstance(family, Table) else None


def beside(features: int, matrices: bool, labels: Labels = "scalar") -> list[str]:
    """Returns the shipped programs to compare with: of a wide table those without matrices.

    matrices: whether the programs that are compared may have some, so that it takes as long anyway. labels:
    of the tasks.
    """
    if labels == "vector":
        return list(library.OF_CLASSES)
    if matrices or features <= WIDE:
        return list(BASELINES)
    return [name for name in BASELINES if not memory_needed(library.program(name)).matrices]


def train_on_all(
    config: ProgramsConfig, program: Program, module: ModuleType | None, about: Mapping[str, str]
) -> TableModel:
    """Returns the program trained on all rows of the final table but the test rows.

    Raises:
        ProgramError: training fails on so many rows.
    """
    family = table_of(config)
    assert family is not None
    rows = _shuffled(config, family.rows_to_keep())
    prepared = family.preparation(rows[:MOST_ROWS])
    x = family.features_of(rows, prepared)
    return _trained(config, family, program, x, family.data().y[rows], prepared, module, about)


def notes(config: ProgramsConfig, model: TableModel) -> list[str]:
    """Returns what was cut because the table is large, a line each."""
    family = table_of(config)
    assert family is not None
    found, rows = [], len(family.rows_to_keep_learning())
    if model.epochs < family.epochs:
        found.append(
            f"trained for {model.epochs} of {family.epochs} epochs: {rows:,} rows are many"
        )
    if rows > MOST_ROWS:
        found.append(f"scikit-learn's predictors: fitted on {MOST_ROWS:,} of {rows:,} rows")
    return found


def _shuffled(config: ProgramsConfig, rows: np.ndarray) -> np.ndarray:
    """Returns the rows to train on in a random order, as in every task: programs remember."""
    return np.random.default_rng(key_for(config.seed, "kept") % 2**63).permutation(rows)


def _trained(
    config: ProgramsConfig,
    family: Table,
    program: Program,
    x: np.ndarray,
    y: np.ndarray,
    prepared: Preparation,
    module: ModuleType | None = None,
    about: Mapping[str, str] | None = None,
) -> TableModel:
    data = family.data()
    epochs = max(1, min(family.epochs, MOST_STEPS // len(y)))
    if data.problem == "regression":
        y = (y - prepared.target_mean) / prepared.target_scale
    labels = labels_of(y, len(data.classes))
    trained = train(
        program, x, labels, family.metric, epochs,
        dtype=config.dtype or "float64", seed_key=key_for(config.seed, "evaluation"),
        max_abs_error=config.evaluation.max_abs_error, module=module,
    )  # fmt: skip
    reading = {key: value for key, value in vars(family.reading).items() if value is not None}
    return TableModel(
        trained,
        prepared,
        data.problem,
        data.classes,
        data.target,
        epochs,
        reading,
        about or {},
    )


def predictions(
    config: ProgramsConfig, model: TableModel, shipped: Sequence[str]
) -> dict[str, Predicted]:
    """Returns what predictors say of the test rows, in the order of `Table.parts`, by their names.

    They are: `THIS` (the model), the `shipped` programs trained in the same way, logistic or ridge
    regression, histogram gradient boosting, and always the larger class or the mean. All are fitted on the
    same rows and features (of very many, scikit-learn's get `MOST_ROWS`, see `notes`); programs get them
    drawn by their weights (`Table.rows_to_keep`), scikit-learn's get the weights.
    """
    import threadpoolctl  # comes with scikit-learn

    family = table_of(config)
    assert family is not None
    data, prepared = family.data(), model.preparation
    rows = _shuffled(config, family.rows_to_keep())
    x = family.features_of(rows, prepared)
    test = family.features_of(family.parts.test, prepared)
    found = {THIS: _predicted(model, test)}
    for name in shipped:
        with contextlib.suppress(ProgramError):  # training fails
            program = library.program(name)
            found[name] = _predicted(
                _trained(config, family, program, x, data.y[rows], prepared), test
            )
    few, x, weights = rows[:MOST_ROWS], x[:MOST_ROWS], None
    if data.weights is not None:  # with mean 1: what regularises is not to change with their unit
        few = _shuffled(config, family.rows_to_keep_learning())[:MOST_ROWS]
        x = family.features_of(few, prepared)
        weights = data.weights[few] / max(data.weights[few].mean(), 1e-300)
    # Threads that wait for each other on a busy machine take gradient boosting from seconds to a minute.
    with threadpoolctl.threadpool_limits(1):
        for name, estimator in _known(data.problem).items():
            estimator.fit(x, data.y[few], sample_weight=weights)
            chances = None
            if data.problem != "regression":
                chances = np.zeros((len(test), len(data.classes)))
                chances[:, estimator.classes_.astype(int)] = estimator.predict_proba(test)
            found[name] = Predicted(estimator.predict(test), chances)
    return found


def truth(config: ProgramsConfig) -> Truth:
    """Returns the test rows' targets, in the same order."""
    family = table_of(config)
    assert family is not None
    data, test = family.data(), family.parts.test
    groups = None
    if family.groups is not None:
        _, groups = np.unique(as_text(data.special["groups"]).values[test], return_inverse=True)
    weights = None if data.weights is None else data.weights[test]
    return Truth(data.y[test], len(data.classes), weights, groups)


def predicted_rows(config: ProgramsConfig, predictors: Mapping[str, Predicted]) -> PredictedRows:
    """Returns what a run's folder keeps of predictions: the program's, and logistic or ridge regression's."""
    family = table_of(config)
    assert family is not None
    data, test = family.data(), family.parts.test
    numbers = test + 1 if data.numbers is None else data.numbers[test]
    two = (THIS, LOGISTIC if data.classes else RIDGE)
    found = {name: predictors[name] for name in two}
    return PredictedRows(numbers, data.target, data.classes, truth(config), found)


def compared(
    config: ProgramsConfig, model: TableModel, predictors: Mapping[str, Predicted]
) -> dict[str, Any]:
    """Returns `zero.programs.scores.compare` of predictors of the test rows, and `notes` as kept_notes.

    Same seed, same figures.
    """
    found = compare(truth(config), predictors, key_for(config.seed, "intervals") % 2**63)
    return {**found, "kept_notes": notes(config, model)}


def _predicted(model: TableModel, x: np.ndarray) -> Predicted:
    if model.problem == "regression":
        return Predicted(model.predict_features(x), None)
    return Predicted(model.labels(x).astype(np.float64), model.trained.probabilities(x))


def _known(problem: str) -> dict[str, Any]:
    """Returns scikit-learn's predictors by what they are called here."""
    from sklearn import dummy, ensemble, linear_model

    if problem == "regression":
        return {
            MEAN: dummy.DummyRegressor(),
            RIDGE: linear_model.Ridge(),
            BOOSTING: ensemble.HistGradientBoostingRegressor(random_state=0),
        }
    return {
        LARGER_CLASS: dummy.DummyClassifier(strategy="prior"),
        LOGISTIC: linear_model.LogisticRegression(max_iter=1000),
        BOOSTING: ensemble.HistGradientBoostingClassifier(random_state=0),
    }

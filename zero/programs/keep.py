"""What a run over a table keeps of its outcome: the program trained on all rows but the test rows.

Beside it, on the same rows, stand predictors that people know, so that no figure flatters by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from zero.data.prepare import Preparation
from zero.errors import ProgramError
from zero.programs import library
from zero.programs.config import ProgramsConfig
from zero.programs.model import TableModel
from zero.programs.program import Program
from zero.programs.trained import train
from zero.rng.philox import key_for
from zero.tasks.table import Table

MOST_ROWS = (
    100_000  # that the predictors beside it are fitted on, and that say how features are scaled
)
MOST_STEPS = 2_000_000  # rows that are trained on, each as often as it is gone through


def table_of(config: ProgramsConfig) -> Table | None:
    """Returns the table that a run's final figure is of, None where it is of other data."""
    family = config.tasks.final
    return family if isinstance(family, Table) else None


def train_on_all(
    config: ProgramsConfig, program: Program, module: ModuleType | None, about: Mapping[str, str]
) -> TableModel:
    """Returns the program trained on all rows of the final table but the test rows.

    Raises:
        ProgramError: training fails on so many rows.
    """
    family = table_of(config)
    assert family is not None
    rows = _rows(config, family)
    prepared = family.preparation(rows[:MOST_ROWS])
    return _trained(config, family, program, rows, prepared, module, about)


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


def _rows(config: ProgramsConfig, family: Table) -> np.ndarray:
    """Returns the rows to train on, in a random order as in every task: programs remember."""
    rng = np.random.default_rng(key_for(config.seed, "kept") % 2**63)
    return rng.permutation(family.rows_to_keep_learning())


def _trained(
    config: ProgramsConfig,
    family: Table,
    program: Program,
    rows: np.ndarray,
    prepared: Preparation,
    module: ModuleType | None = None,
    about: Mapping[str, str] | None = None,
) -> TableModel:
    data = family.data()
    y = data.y[rows]
    epochs = max(1, min(family.epochs, MOST_STEPS // len(rows)))
    if data.problem == "regression":
        labels = [(y - prepared.target_mean) / prepared.target_scale]
    else:
        wanted = [1] if data.problem == "binary" else range(len(data.classes))
        labels = [(y == label).astype(np.float64) for label in wanted]
    trained = train(
        program, family.features_of(rows, prepared), labels, family.metric, epochs,
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


def scores(
    config: ProgramsConfig, model: TableModel, shipped: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Returns scores on the test rows by predictor and scikit-learn's name of the score.

    Predictors: "this program" (the model), the `shipped` programs trained in the same way, logistic or
    ridge regression, histogram gradient boosting, and always the larger class or the mean. All are fitted
    on the same rows and features (of very many, scikit-learn's get `MOST_ROWS`, see `notes`).
    """
    import threadpoolctl  # comes with scikit-learn

    family = table_of(config)
    assert family is not None
    data, rows, prepared = family.data(), _rows(config, family), model.preparation
    test, y = family.features_of(family.parts.test, prepared), data.y[family.parts.test]
    found = {"this program": _scores(data.problem, y, *_predicted(model, test))}
    for name in shipped:
        with contextlib.suppress(ProgramError):  # training fails
            other = _trained(config, family, library.program(name), rows, prepared)
            found[name] = _scores(data.problem, y, *_predicted(other, test))
    few = rows[:MOST_ROWS]
    x = family.features_of(few, prepared)
    # Threads that wait for each other on a busy machine take gradient boosting from seconds to a minute.
    with threadpoolctl.threadpool_limits(1):
        for name, estimator in _known(data.problem).items():
            estimator.fit(x, data.y[few])
            chances = estimator.predict_proba(test) if data.problem != "regression" else None
            found[name] = _scores(data.problem, y, estimator.predict(test), chances)
    return found


def _predicted(model: TableModel, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    if model.problem == "regression":
        return model.predict_features(x), None
    return model.labels(x).astype(np.float64), model.trained.probabilities(x)


def _known(problem: str) -> dict[str, Any]:
    """Returns scikit-learn's predictors by what they are called here."""
    from sklearn import dummy, ensemble, linear_model

    if problem == "regression":
        return {
            "always the mean": dummy.DummyRegressor(),
            "ridge regression": linear_model.Ridge(),
            "gradient boosting": ensemble.HistGradientBoostingRegressor(random_state=0),
        }
    return {
        "always the larger class": dummy.DummyClassifier(strategy="prior"),
        "logistic regression": linear_model.LogisticRegression(max_iter=1000),
        "gradient boosting": ensemble.HistGradientBoostingClassifier(random_state=0),
    }


def _scores(
    problem: str, y: np.ndarray, predicted: np.ndarray, chances: np.ndarray | None
) -> dict[str, float]:
    from sklearn import metrics

    if problem == "regression":
        predicted = np.nan_to_num(predicted)
        return {
            "rmse": float(np.sqrt(metrics.mean_squared_error(y, predicted))),
            "r2": float(metrics.r2_score(y, predicted)),
            "mae": float(metrics.mean_absolute_error(y, predicted)),
        }
    assert chances is not None
    found = {
        "accuracy": float(metrics.accuracy_score(y, predicted)),
        "balanced_accuracy": float(metrics.balanced_accuracy_score(y, predicted)),
    }
    labels = np.arange(chances.shape[1], dtype=np.float64)
    if len(np.unique(y)) == len(labels):
        binary = len(labels) == 2
        found["roc_auc"] = float(
            metrics.roc_auc_score(
                y, chances[:, 1] if binary else chances, multi_class="ovr", labels=labels
            )
        )
    found["log_loss"] = float(metrics.log_loss(y, np.clip(chances, 1e-12, 1), labels=labels))
    return found

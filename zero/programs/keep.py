"""What a run over a table keeps of its outcome: the program trained on all rows but the test rows.

Beside it, on the same rows, stand predictors that people know, so that no figure flatters by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from zero.errors import ProgramError
from zero.programs import library
from zero.programs.config import ProgramsConfig
from zero.programs.model import TableModel
from zero.programs.program import Program
from zero.programs.trained import Trained, train
from zero.rng.philox import key_for
from zero.tasks.table import Table

MOST_ROWS = 100_000  # that the predictors beside it are fitted on


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
    data, rows = family.data(), family.rows_to_keep_learning()
    # Programs remember what came before: the rows come in a random order, as in every task.
    rows = np.random.default_rng([key_for(config.seed, "kept") % 2**63]).permutation(rows)
    prepared = family.preparation(rows, 0)
    x = prepared.of_raw(family.split.raw[rows])
    trained = _trained(
        config, program, x, data.y[rows], prepared, data.problem, len(data.classes), module
    )
    return TableModel(
        trained, prepared, data.problem, data.classes, data.target, family.epochs,
        {key: value for key, value in vars(family.reading).items() if value is not None}, about,
    )  # fmt: skip


def _trained(
    config: ProgramsConfig, program: Program, x: np.ndarray, y: np.ndarray, prepared: Any,
    problem: str, classes: int, module: ModuleType | None,
) -> Trained:  # fmt: skip
    if problem == "regression":
        labels = [(y - prepared.target_mean) / prepared.target_scale]
    else:
        wanted = [1] if problem == "binary" else range(classes)
        labels = [(y == label).astype(np.float64) for label in wanted]
    metric = "rms_error" if problem == "regression" else "accuracy"
    return train(
        program, x, labels, metric, config.tasks.final.epochs, dtype=config.dtype or "float64",
        seed_key=key_for(config.seed, "evaluation"), max_abs_error=config.evaluation.max_abs_error,
        module=module,
    )  # fmt: skip


def scores(config: ProgramsConfig, model: TableModel) -> dict[str, dict[str, float]]:
    """Returns scores on the test rows by predictor and scikit-learn's name of the score.

    Predictors: "this program" (the model), the shipped programs trained in the same way, logistic or ridge
    regression, histogram gradient boosting, and always the larger class or the mean. All are fitted on the
    same rows and features (of very many, scikit-learn's get the first `MOST_ROWS`).
    """
    family = table_of(config)
    assert family is not None
    data, rows = family.data(), family.rows_to_keep_learning()
    x, test = (model.preparation.of_raw(family.split.raw[r]) for r in (rows, family.split.test))
    y, y_test = data.y[rows], data.y[family.split.test]
    found = {"this program": _scores(data.problem, y_test, *_predicted(model, test, data))}
    for name in ("linear", "neural_network"):
        try:
            trained = _trained(
                config,
                library.program(name),
                x,
                y,
                model.preparation,
                data.problem,
                len(data.classes),
                None,
            )
        except ProgramError:
            continue
        other = TableModel(
            trained, model.preparation, data.problem, data.classes, data.target, family.epochs
        )
        found[name] = _scores(data.problem, y_test, *_predicted(other, test, data))
    few = np.arange(len(y))[:MOST_ROWS]
    for name, estimator in _known(data.problem).items():
        estimator.fit(x[few], y[few])
        chance = estimator.predict_proba(test) if data.problem != "regression" else None
        found[name] = _scores(data.problem, y_test, estimator.predict(test), chance)
    return found


def _predicted(model: TableModel, x: np.ndarray, data: Any) -> tuple[np.ndarray, np.ndarray | None]:
    if data.problem == "regression":
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

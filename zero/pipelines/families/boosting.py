"""Gradient boosting: scikit-learn's, and LightGBM, XGBoost and CatBoost where they are installed."""

from typing import Any

from zero.pipelines.families import Family, Problem, register
from zero.pipelines.parameters import choice, number, whole

_RATE = number("learning_rate", 0.01, 0.5, 9, log=True, default=0.1)
_ROUNDS = whole("rounds", 25, 1600, 7, log=True, default=100)


def _histogram(values: dict[str, Any], problem: Problem) -> dict[str, Any]:
    found = {**values, "max_iter": values["rounds"]}
    del found["rounds"]
    return found


register(
    Family(
        "histogram_boosting",
        "gradient boosting on histograms",
        "sklearn.ensemble:HistGradientBoostingClassifier",
        "sklearn.ensemble:HistGradientBoostingRegressor",
        parameters=(
            _RATE,
            _ROUNDS,
            whole("max_leaf_nodes", 4, 128, 9, log=True, default=31),
            whole("min_samples_leaf", 2, 160, 8, log=True, default=20),
            number("l2_regularization", 1e-6, 100.0, 9, log=True, default=1e-6),
            number("max_features", 0.25, 1.0, 4, default=1.0),
        ),
        classifier_parameters=(choice("class_weight", None, "balanced"),),
        fixed={"early_stopping": False},
        translate=_histogram,
        takes_nan=True,
        grows="rounds",
    )
)


def _lightgbm(values: dict[str, Any], problem: Problem) -> dict[str, Any]:
    found = {**values, "n_estimators": values["rounds"], "reg_lambda": values["l2"]}
    found |= {"colsample_bytree": values["columns"], "subsample": values["share"]}
    for name in ("rounds", "l2", "columns", "share"):
        del found[name]
    return found


_L2 = number("l2", 1e-3, 100.0, 6, log=True, default=1e-3)
_COLUMNS = number("columns", 0.4, 1.0, 4, default=1.0)
_SHARE = number("share", 0.5, 1.0, 4, default=1.0)

register(
    Family(
        "lightgbm",
        "gradient boosting by LightGBM",
        "lightgbm:LGBMClassifier",
        "lightgbm:LGBMRegressor",
        parameters=(
            _RATE,
            _ROUNDS,
            whole("num_leaves", 4, 128, 9, log=True, default=31),
            whole("min_child_samples", 2, 160, 8, log=True, default=20),
            _L2,
            _COLUMNS,
            _SHARE,
        ),
        classifier_parameters=(choice("class_weight", None, "balanced"),),
        fixed={"n_jobs": 1, "verbosity": -1, "subsample_freq": 1, "deterministic": True},
        translate=_lightgbm,
        takes_nan=True,
        takes_sparse=True,
        package="lightgbm",
        grows="rounds",
    )
)


def _xgboost(values: dict[str, Any], problem: Problem) -> dict[str, Any]:
    found = _lightgbm(values, problem)
    return {**found, "max_depth": 0, "grow_policy": "lossguide"}


register(
    Family(
        "xgboost",
        "gradient boosting by XGBoost",
        "xgboost:XGBClassifier",
        "xgboost:XGBRegressor",
        parameters=(
            _RATE,
            _ROUNDS,
            whole("max_leaves", 4, 128, 9, log=True, default=31),
            number("min_child_weight", 0.1, 100.0, 7, log=True, default=1.0),
            _L2,
            _COLUMNS,
            _SHARE,
        ),
        fixed={"n_jobs": 1, "tree_method": "hist", "verbosity": 0},
        translate=_xgboost,
        takes_nan=True,
        takes_sparse=True,
        package="xgboost",
        grows="rounds",
    )
)


def _catboost(values: dict[str, Any], problem: Problem) -> dict[str, Any]:
    return {
        "learning_rate": values["learning_rate"], "iterations": values["rounds"],
        "depth": values["depth"], "l2_leaf_reg": values["l2"],
    }  # fmt: skip


register(
    Family(
        "catboost",
        "gradient boosting by CatBoost",
        "catboost:CatBoostClassifier",
        "catboost:CatBoostRegressor",
        parameters=(
            _RATE,
            _ROUNDS,
            whole("depth", 2, 9, 8, default=6),
            number("l2", 1e-2, 100.0, 5, log=True, default=1.0),
        ),
        fixed={"thread_count": 1, "verbose": False, "allow_writing_files": False},
        translate=_catboost,
        takes_nan=True,
        package="catboost",
        grows="rounds",
    )
)

"""Support vector machines; of classes with probabilities, by calibration in three parts (Platt)."""

from typing import Any

from zero.pipelines.families import Family, Problem, register
from zero.pipelines.parameters import choice, number

CACHE = 200  # MiB
MOST = 200_000  # iterations: some kernels on some features never converge


def _svm(values: dict[str, Any], problem: Problem) -> dict[str, Any]:
    found = {**values, "cache_size": CACHE, "max_iter": MOST}
    if problem == "regression":
        return found
    from sklearn.svm import SVC

    return {"estimator": SVC(**found), "ensemble": False, "cv": 3}


register(
    Family(
        "svm",
        "support vector machine",
        "sklearn.calibration:CalibratedClassifierCV",
        "sklearn.svm:SVR",
        parameters=(
            number("C", 0.03, 1000.0, 12, log=True, default=1.0),
            choice("kernel", "rbf", "poly", "sigmoid"),
            choice("gamma", "scale", 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, kernel=("rbf", "poly")),
            choice("degree", 2, 3, 4, default=3, kernel="poly"),
        ),
        classifier_parameters=(choice("class_weight", None, "balanced"),),
        regressor_parameters=(number("epsilon", 0.001, 1.0, 7, log=True, default=0.1),),
        translate=_svm,
        scaled=True,
        seeded=False,
        rows=10_000,
        cells=3_000_000,
    )
)

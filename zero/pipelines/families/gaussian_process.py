"""Gaussian processes, for few rows."""

from typing import Any

from zero.pipelines.families import Family, Problem, register
from zero.pipelines.parameters import choice, number


def _process(values: dict[str, Any], problem: Problem) -> dict[str, Any]:
    from sklearn.gaussian_process.kernels import RBF, Matern, WhiteKernel

    width = values["length"]
    shape = RBF(width) if values["shape"] == "rbf" else Matern(width, nu=values["shape"])
    if problem != "regression":
        return {"kernel": 1.0 * shape}
    return {"kernel": 1.0 * shape + WhiteKernel(values["noise"]), "normalize_y": True}


register(
    Family(
        "gaussian_process",
        "Gaussian process, for at most 1,000 rows",
        "sklearn.gaussian_process:GaussianProcessClassifier",
        "sklearn.gaussian_process:GaussianProcessRegressor",
        parameters=(
            choice("shape", 1.5, 0.5, 2.5, "rbf", default=1.5),
            number("length", 0.3, 30.0, 5, log=True, default=3.0),
        ),
        regressor_parameters=(number("noise", 1e-3, 1.0, 4, log=True, default=0.1),),
        translate=_process,
        scaled=True,
        weighted=False,
        rows=1000,
        cells=100_000,
    )
)

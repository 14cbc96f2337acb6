"""Linear models."""

from typing import Any

from zero.pipelines.families import Family, Problem, register
from zero.pipelines.parameters import choice, number

MOST = 400  # iterations: more seldom change a figure


def _logistic(values: dict[str, Any], problem: Problem) -> dict[str, Any]:
    return {"C": values["strength"], "class_weight": values["class_weight"]}


register(
    Family(
        "logistic_regression",
        "logistic regression, ridge penalty",
        classifier="sklearn.linear_model:LogisticRegression",
        classifier_parameters=(
            number("strength", 1e-4, 1e4, 17, log=True, default=1.0),
            choice("class_weight", None, "balanced"),
        ),
        fixed={"max_iter": MOST},
        translate=_logistic,
        scaled=True,
        takes_sparse=True,
        problems=("binary", "multiclass"),
    )
)
register(
    Family(
        "ridge",
        "ridge regression",
        regressor="sklearn.linear_model:Ridge",
        regressor_parameters=(number("alpha", 1e-4, 1e4, 17, log=True, default=1.0),),
        scaled=True,
        takes_sparse=True,
    )
)
register(
    Family(
        "elastic_net",
        "linear regression with few features left (elastic net)",
        regressor="sklearn.linear_model:ElasticNet",
        regressor_parameters=(
            number("alpha", 1e-4, 1e2, 13, log=True, default=0.01),
            number("l1_ratio", 0.1, 1.0, 7, default=0.55),
        ),
        fixed={"max_iter": 2000},
        scaled=True,
        rows=200_000,
    )
)
register(
    Family(
        "stochastic_gradient",
        "linear model by stochastic gradient descent, for very many rows",
        "sklearn.linear_model:SGDClassifier",
        "sklearn.linear_model:SGDRegressor",
        parameters=(
            number("alpha", 1e-7, 1e-1, 13, log=True, default=1e-4),
            choice("penalty", "l2", "l1", "elasticnet"),
            choice("average", True, False),
        ),
        classifier_fixed={"loss": "log_loss"},
        regressor_parameters=(choice("loss", "squared_error", "huber"),),
        scaled=True,
        takes_sparse=True,
    )
)
register(
    Family(
        "discriminant",
        "linear or quadratic discriminant analysis",
        classifier="sklearn.discriminant_analysis:LinearDiscriminantAnalysis",
        classifier_parameters=(choice("shrinkage", "auto", 0.01, 0.1, 0.5, 0.9, default="auto"),),
        fixed={"solver": "lsqr"},
        scaled=True,
        seeded=False,
        weighted=False,
        cells=100_000_000,
        problems=("binary", "multiclass"),
    )
)

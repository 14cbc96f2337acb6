"""Neural networks."""

from typing import Any

from zero.pipelines.families import Family, Problem, register
from zero.pipelines.parameters import choice, number, whole


def _layers(values: dict[str, Any], problem: Problem) -> dict[str, Any]:
    found = {k: v for k, v in values.items() if k not in ("width", "layers")}
    return {**found, "hidden_layer_sizes": (values["width"],) * values["layers"]}


register(
    Family(
        "neural_network",
        "neural network of full layers",
        "sklearn.neural_network:MLPClassifier",
        "sklearn.neural_network:MLPRegressor",
        parameters=(
            whole("width", 8, 256, 6, log=True, default=64),
            choice("layers", 1, 2),
            choice("activation", "relu", "tanh"),
            number("alpha", 1e-6, 1.0, 7, log=True, default=1e-4),
            number("learning_rate_init", 1e-4, 1e-1, 7, log=True, default=1e-3),
            whole("max_iter", 25, 400, 5, log=True, default=200),
        ),
        fixed={"early_stopping": False, "n_iter_no_change": 15},
        translate=_layers,
        scaled=True,
        takes_sparse=True,
        weighted=False,
        rows=200_000,
        grows="max_iter",
    )
)

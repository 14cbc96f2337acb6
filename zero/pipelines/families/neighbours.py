"""Nearest neighbours."""

from zero.pipelines.families import Family, register
from zero.pipelines.parameters import choice, whole

register(
    Family(
        "neighbours",
        "nearest neighbours",
        "sklearn.neighbors:KNeighborsClassifier",
        "sklearn.neighbors:KNeighborsRegressor",
        parameters=(
            whole("n_neighbors", 1, 64, 13, log=True, default=5),
            choice("weights", "distance", "uniform", default="distance"),
            choice("p", 2, 1),
        ),
        scaled=True,
        seeded=False,
        weighted=False,
        rows=50_000,
        cells=5_000_000,
    )
)

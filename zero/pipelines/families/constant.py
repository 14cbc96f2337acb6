"""The predictor that looks at no feature: what every other one is held against, and an answer at once."""

from zero.pipelines.families import Family, register

register(
    Family(
        "constant",
        "always the mean, or the shares of the classes",
        "sklearn.dummy:DummyClassifier",
        "sklearn.dummy:DummyRegressor",
        classifier_fixed={"strategy": "prior"},
        seeded=False,
        takes_nan=True,
        takes_sparse=True,
    )
)

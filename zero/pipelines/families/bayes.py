"""Naive Bayes."""

from zero.pipelines.families import Family, register
from zero.pipelines.parameters import number

register(
    Family(
        "naive_bayes",
        "naive Bayes with normal features",
        classifier="sklearn.naive_bayes:GaussianNB",
        classifier_parameters=(number("var_smoothing", 1e-11, 1.0, 12, log=True, default=1e-9),),
        seeded=False,
        scaled=True,
        problems=("binary", "multiclass"),
    )
)

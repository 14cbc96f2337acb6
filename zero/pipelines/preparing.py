"""What is done to a row of a table before a learner sees it: decisions, and scikit-learn's parts for them.

Everything is made of scikit-learn, pandas and NumPy, so that a pipeline that was found works where zero
is not installed. Columns of numbers, categories, dates and texts go each their way; what follows (products,
selection, principal components) sees all features. Called by `zero.pipelines.space` and
`zero.pipelines.build`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zero.pipelines.facts import MOST_CATEGORIES, Facts
from zero.pipelines.families import Family
from zero.pipelines.parameters import Parameter, Values, choice

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

NARROW = 30  # columns of which all products of two are made
SPARSE = 200  # features of categories and terms from which on a sparse matrix is worth it
FILLED = ("median", "mean")  # ways to fill empty cells
DATE_PARTS = ("year", "month", "day", "day_of_week", "hour")


def parameters(facts: Facts, family: Family) -> tuple[Parameter, ...]:
    """Returns the decisions on preparing such a table for a family."""
    if family.name == "constant":
        return ()
    found: list[Parameter] = []
    sparse, whole = is_sparse(facts, family), {}
    if facts.gaps:
        keeps = family.takes_nan and not sparse
        whole = {"empty": FILLED} if keeps else {}  # what follows takes no empty cells
        found.append(choice("empty", *(("keep",) if keeps else ()), *FILLED))
        found.append(choice("flag_empty", False, True, empty=FILLED))
    if facts.categories:
        usual = "one_hot" if family.scaled else "ordinal"
        found.append(choice("categories", "one_hot", "ordinal", "target", default=usual))
    if family.scaled and (facts.numbers or facts.dates):
        found.append(choice("scaling", "standard", "robust", "minmax", "quantile", None))
    if facts.texts:
        terms = (300, 1000, 5000) if sparse else (30, 100, 300)
        found.append(choice("terms", *terms, default=terms[1]))
    if facts.width <= NARROW and facts.one_hot <= 2 * NARROW and not facts.texts:
        found.append(choice("products", None, "pairs", "squares", **whole))
    if facts.width > 2:
        found.append(choice("kept", None, 0.75, 0.5, 0.25, 0.1, **whole))
        if family.scaled and not sparse:
            found.append(choice("components", None, 0.99, 0.95, 0.8))
    return tuple(found)


def is_sparse(facts: Facts, family: Family) -> bool:
    """Returns whether features are a sparse matrix."""
    return family.takes_sparse and (facts.one_hot > SPARSE or bool(facts.texts))


def steps(facts: Facts, family: Family, values: Values, seed: int) -> list[tuple[str, Any]]:
    """Returns the steps of a pipeline before its learner, names and transformers, not fitted."""
    from sklearn.compose import ColumnTransformer

    if family.name == "constant":
        return []
    sparse = is_sparse(facts, family)
    parts: list[tuple[str, Any, Any]] = []
    if facts.numbers:
        parts.append(
            ("numbers", _chain(_numbers(facts, family, values, seed)), list(facts.numbers))
        )
    if facts.categories:
        encoder = _categories(facts, family, values, seed, sparse)
        parts.append(("categories", _chain(encoder), list(facts.categories)))
    for k, name in enumerate(facts.dates):
        for part in DATE_PARTS:
            parts.append(
                (f"date{k}_{part}", _chain(_date(part, facts, family, values, seed)), name)
            )
    for k, name in enumerate(facts.texts):
        parts.append((f"text{k}", _chain(_text(values)), [name]))
    prepared = ColumnTransformer(parts, sparse_threshold=1.0 if sparse else 0.0)
    return [("prepare", prepared), *_after(facts, values, seed)]


def _chain(parts: list[Any]) -> Pipeline | str:
    """Returns one transformer that is all of these in turn."""
    from sklearn.pipeline import make_pipeline

    if not parts:
        return "passthrough"
    return parts[0] if len(parts) == 1 else make_pipeline(*parts)


def _numbers(facts: Facts, family: Family, values: Values, seed: int) -> list[Any]:
    from sklearn.impute import SimpleImputer

    found: list[Any] = []
    how = values.get("empty")
    if how is None and (not family.takes_nan or values.get("products") or values.get("kept")):
        how = "median"  # no cell was empty, but a new row's may be
    if how in FILLED:
        flags = bool(values.get("flag_empty"))
        found.append(SimpleImputer(strategy=how, add_indicator=flags, keep_empty_features=True))
    return found + _scaling(values, facts.rows, seed)


def _scaling(values: Values, rows: int, seed: int) -> list[Any]:
    from sklearn import preprocessing

    how = values.get("scaling")
    if how == "standard":
        return [preprocessing.StandardScaler()]
    if how == "robust":
        return [preprocessing.RobustScaler()]
    if how == "minmax":
        return [preprocessing.MinMaxScaler(clip=True)]
    if how == "quantile":
        levels = max(2, min(1000, rows // 2))
        return [
            preprocessing.QuantileTransformer(
                n_quantiles=levels, output_distribution="normal", random_state=seed
            )
        ]
    return []


def _categories(facts: Facts, family: Family, values: Values, seed: int, sparse: bool) -> list[Any]:
    from sklearn import preprocessing

    how = values["categories"]
    if how == "one_hot":
        return [
            preprocessing.OneHotEncoder(
                handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES,
                min_frequency=2, sparse_output=sparse,
            )
        ]  # fmt: skip
    encoder: Any
    if how == "ordinal":
        encoder = preprocessing.OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
        )
    else:
        kinds = {"regression": "continuous", "binary": "binary", "multiclass": "multiclass"}
        encoder = preprocessing.TargetEncoder(
            target_type=kinds[facts.problem], **_split_by(seed, facts.problem)
        )
    return [encoder, preprocessing.StandardScaler()] if family.scaled else [encoder]


def _split_by(seed: int, problem: str) -> dict[str, Any]:
    """Returns how TargetEncoder is told of its draws: until scikit-learn 1.9 by a seed."""
    from sklearn import __version__
    from sklearn.model_selection import KFold, StratifiedKFold

    if tuple(map(int, __version__.split(".")[:2])) < (1, 9):
        return {"random_state": seed}
    folds = KFold if problem == "regression" else StratifiedKFold
    return {"cv": folds(5, shuffle=True, random_state=seed)}


def _date(part: str, facts: Facts, family: Family, values: Values, seed: int) -> list[Any]:
    """Returns what makes numbers of one part of a column of dates, which comes as a series."""
    import operator

    import numpy as np
    import pandas as pd
    from sklearn.preprocessing import FunctionTransformer

    return [
        FunctionTransformer(pd.to_datetime),
        FunctionTransformer(operator.attrgetter(f"dt.{part}")),
        FunctionTransformer(np.expand_dims, kw_args={"axis": 1}),
        *_numbers(facts, family, values, seed),
    ]


def _text(values: Values) -> list[Any]:
    """Returns what makes features of a column of texts, which comes as a frame of one column."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import FunctionTransformer

    return [
        SimpleImputer(strategy="constant", fill_value=""),
        FunctionTransformer(np.ravel),
        TfidfVectorizer(
            max_features=values["terms"], ngram_range=(1, 2), sublinear_tf=True, min_df=2
        ),
    ]


def _after(facts: Facts, values: Values, seed: int) -> list[tuple[str, Any]]:
    """Returns what is made of all features together."""
    from sklearn.decomposition import PCA
    from sklearn.feature_selection import SelectPercentile, f_classif, f_regression
    from sklearn.preprocessing import PolynomialFeatures

    found: list[tuple[str, Any]] = []
    if values.get("products"):
        pairs = values["products"] == "pairs"
        maker = PolynomialFeatures(2, interaction_only=pairs, include_bias=False)
        found.append(("products", maker))
    if values.get("kept") is not None:
        score = f_regression if facts.problem == "regression" else f_classif
        found.append(("kept", SelectPercentile(score, percentile=100 * values["kept"])))
    if values.get("components") is not None:
        found.append(("components", PCA(values["components"], random_state=seed)))
    return found

"""`zero.sklearn`: scikit-learn's own checks, and what users do with estimators."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import zero
from zero.programs import fitting
from zero.sklearn import (
    DiscoveredClassifier,
    DiscoveredRegressor,
    EvolvedClassifier,
    EvolvedRegressor,
)

FEW = {"individuals": 300, "random_state": 0}
ALL = [
    DiscoveredClassifier(random_state=0),
    DiscoveredRegressor(random_state=0),
    EvolvedClassifier(**FEW),
    EvolvedRegressor(**FEW),
]


def by_name(estimator):
    return type(estimator).__name__


@pytest.mark.parametrize("estimator", ALL, ids=by_name)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_own_checks(estimator, monkeypatch):
    monkeypatch.setattr(fitting, "SEEN", 1)  # each fit compares candidates once
    monkeypatch.setattr(fitting, "FOLDS", 2)
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert failed == {}
    assert len(results) > 40


def test_a_search_is_at_least_as_good_as_logistic_regression_where_that_is_good():
    X, y = load_breast_cancer(return_X_y=True)
    scores = cross_val_score(EvolvedClassifier(individuals=1000, random_state=0), X, y, cv=3)
    known = cross_val_score(make_pipeline(StandardScaler(), LogisticRegression()), X, y, cv=3)
    assert scores.mean() > known.mean() - 0.015


def test_several_classes_with_names():
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    found = EvolvedClassifier(**FEW).fit(X, names)
    assert found.score(X, names) > 0.94
    assert found.predict_proba(X).sum(axis=1) == pytest.approx(1)
    assert set(found.predict(X)) <= set(names)
    assert found.n_features_in_ == 4 and list(found.feature_names_in_) == list(X.columns)
    again = EvolvedClassifier(**FEW).fit(X, names)
    assert again.program_ == found.program_
    assert (again.predict_proba(X) == found.predict_proba(X)).all()


def test_what_was_compared_is_told():
    X, y = load_diabetes(return_X_y=True)
    found = EvolvedRegressor(**FEW).fit(X, y)
    assert found.score(X, y) > 0.45
    assert found.individuals_ == 300
    best, *others = found.candidates_
    assert best.program == found.program_ and best.epochs == found.epochs_
    assert any("search from" in c.origin for c in found.candidates_)
    assert all(np.isnan(c.score) or c.score < 0 for c in others)


def frame(rows=300):
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], rows)
    size = rng.normal(size=rows)
    y = np.where((colour == "red") ^ (size > 1), "yes", "no")
    size[::17] = np.nan
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), "D")
    return pd.DataFrame({"colour": colour, "size": size, "day": day}), y


@pytest.mark.parametrize(
    "estimator", [DiscoveredClassifier(random_state=0), EvolvedClassifier(**FEW)]
)
def test_frames_with_texts_gaps_and_dates(estimator):
    X, y = frame()
    fitted = clone(estimator).fit(X, y)
    assert fitted.score(X, y) > 0.8
    new = X.iloc[:3].assign(colour=["red", "violet", None])
    assert len(fitted.predict(new)) == 3
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(X.drop(columns="day"))


def test_pipelines_grid_search_clone_and_pickle():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), DiscoveredClassifier(random_state=0))
    grid = GridSearchCV(
        pipeline,
        {"discoveredclassifier__program": ["linear", "linear_with_bias", "neural_network"]},
        cv=3,
        n_jobs=2,
    ).fit(X, y)
    assert grid.best_score_ > 0.9
    assert grid.best_params_["discoveredclassifier__program"] != "linear"
    copied = pickle.loads(pickle.dumps(grid))
    assert (copied.predict(X) == grid.predict(X)).all()


def test_threads_do_not_disturb_each_other():
    X, y = load_iris(return_X_y=True)

    def fitted(seed):
        found = EvolvedClassifier(individuals=300, random_state=seed).fit(X, y)
        return found.predict_proba(X)

    alone = [fitted(seed) for seed in range(3)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(fitted, range(3)))
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


def test_rows_in_parts_are_as_rows_at_once():
    X, y = load_breast_cancer(return_X_y=True)
    a = DiscoveredClassifier("neural_network").partial_fit(X[:300], y[:300])
    b = DiscoveredClassifier("neural_network").partial_fit(X[:300], y[:300])
    a.partial_fit(X[300:], y[300:])
    for part in (slice(300, 400), slice(400, 500), slice(500, None)):
        b.partial_fit(X[part], y[part])
    assert (a.decision_function(X) == b.decision_function(X)).all()
    assert a.score(X, y) > 0.93
    first = DiscoveredClassifier().partial_fit(X[:20], ["a"] * 20, classes=["a", "b"])
    assert list(first.classes_) == ["a", "b"]
    with pytest.raises(ValueError, match="'c', which is none of the classes"):
        first.partial_fit(X[:2], ["a", "c"])
    regressor = DiscoveredRegressor()
    for _ in range(20):
        regressor.partial_fit(X, X[:, 0])
    assert regressor.score(X, X[:, 0]) > 0.9


def test_seconds_end_a_search():
    X, y = load_iris(return_X_y=True)
    found = EvolvedClassifier(individuals=None, seconds=1, random_state=0).fit(X, y)
    assert found.score(X, y) > 0.8


@pytest.mark.parametrize(
    "estimator, X, y, message",
    [
        (DiscoveredClassifier("linaer"), "iris", None, "no program 'linaer'"),
        (DiscoveredClassifier(3), "iris", None, "program must be a shipped program's name"),
        (DiscoveredClassifier(epochs=0), "iris", None, "epochs must be a whole number"),
        (EvolvedClassifier(None), "iris", None, "give individuals or seconds"),
        (EvolvedClassifier(float("inf")), "iris", None, "give individuals or seconds"),
        (DiscoveredClassifier(""), "iris", None, "program must be a shipped program's name"),
        (DiscoveredClassifier(), [[1.0], [2.0]], ["a", None], "y has values of several types"),
        (EvolvedClassifier(True), "iris", None, "individuals must be a number"),
        (EvolvedClassifier(**FEW, settings="seed=3"), "iris", None, "settings must be a tuple"),
        (EvolvedClassifier(**FEW, settings=["islands.count=3"]), "iris", None, "must be 1"),
        (EvolvedClassifier(seconds=-1), "iris", None, "seconds must be a number above 0"),
        (EvolvedClassifier(**FEW), [[1.0], [2.0]], ["a", "a"], "needs at least 2 classes"),
        (EvolvedClassifier(**FEW), [[1.0]], ["a"], "2 classes|1 sample"),
        (EvolvedRegressor(**FEW), [[1.0]], [1.0], "1 sample"),
        (EvolvedRegressor(**FEW), [[1.0], [np.inf]], [1.0, 2.0], "infinity"),
        (EvolvedRegressor(**FEW), [[1.0], [2.0]], [1.0, np.nan], "NaN"),
        (EvolvedRegressor(**FEW), [["a"], ["b"]], [1.0, 2.0], "could not convert string to float"),
        (
            DiscoveredRegressor(),
            np.ma.masked_array([[1.0], [2.0]], [[0], [1]]),
            [1.0, 2.0],
            "masked array",
        ),
    ],
)
def test_what_cannot_be_used_is_told_in_a_line(estimator, X, y, message):
    from zero.errors import ZeroError

    if isinstance(X, str):
        X, y = load_iris(return_X_y=True)
    with pytest.raises((ValueError, ZeroError), match=message) as raised:
        estimator.fit(X, y)
    assert "\n" not in str(raised.value).strip() or "strings" in str(raised.value)


def test_a_saved_model_predicts_on_its_own(tmp_path):
    X = pd.DataFrame({"a": [1.0, 2.0] * 5, "t": ["x", "y"] * 5})
    known = DiscoveredClassifier(epochs=5, random_state=0).fit(X, ["no", "yes"] * 5)
    known.model_.save(tmp_path / "mine.h5")
    loaded = zero.load(tmp_path / "mine.h5")
    assert (loaded.predict(X) == known.predict(X)).all()
    X.to_csv(tmp_path / "new.csv", index=False)
    found = loaded.predictions(tmp_path / "new.csv").columns["y"]
    assert found == known.predict(X).tolist()


def test_columns_without_names_in_texts_count_by_their_places():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, 2)))
    y = X[0] > 0
    known = DiscoveredClassifier(epochs=3, random_state=0)
    for first, later in ((X, X.astype(object)), (X.astype(object), X)):
        assert (known.fit(first, y).predict(later) == known.predict(first)).all()


def test_a_failed_fit_leaves_what_was_trained():
    X, y = load_iris(return_X_y=True)
    known = DiscoveredClassifier(epochs=1, random_state=0).fit(X, y)
    before = known.predict(X)
    with pytest.raises(ValueError, match="2 classes"):
        known.fit(X[:, :2], np.zeros(len(y)))
    assert (known.predict(X) == before).all()


def test_other_classes_and_wrong_cells_of_later_rows_are_refused():
    X = pd.DataFrame({"a": [1.0, 2.0] * 5, "t": ["x", "y"] * 5})
    y = np.array([0, 1] * 5)
    known = DiscoveredClassifier(epochs=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"classes must stay as they were, \[0, 1\]; got"):
        known.partial_fit(X, y, classes=[0, 1, 2])
    for use in (known.predict, lambda X: known.partial_fit(X, y)):
        with pytest.raises(ValueError, match=r"column 'a', row 0 .*is no number"):
            use(X.assign(a="much"))


def test_importing_it_takes_little_more_than_importing_scikit_learn():
    code = (
        "import sys, zero.sklearn; heavy = {'numba', 'pydantic', 'h5py'};"
        "print(sorted(heavy & {m.split('.')[0] for m in sys.modules}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"

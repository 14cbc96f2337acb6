"""`zero.AutoClassifier` and `zero.AutoRegressor`: scikit-learn's own checks, and what users do with them."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

import zero
from zero import AutoClassifier, AutoRegressor
from zero.pipelines import given

FEW = {"seconds": None, "candidates": 2, "islands": 1, "random_state": 0}
CLASSES = AutoClassifier(**FEW, families=["logistic_regression"])
NUMBERS = AutoRegressor(**FEW, families=["ridge"])
QUICK = {**FEW, "folds": 2, "ensemble": False}
ALL = [
    AutoClassifier(**QUICK, families=["logistic_regression"]),
    AutoRegressor(**QUICK, families=["ridge"]),
]
# Folds are made of rows: a row of weight 2 falls into one of them, two equal rows into two.
EXPECTED = {
    f"check_sample_weight_equivalence_on_{kind}_data": "folds are made of rows"
    for kind in ("dense", "sparse")
}


@pytest.mark.parametrize("estimator", ALL, ids=lambda e: type(e).__name__)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_own_checks(estimator):
    results = check_estimator(
        estimator, on_fail=None, on_skip=None, expected_failed_checks=EXPECTED
    )
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert failed == {}
    assert len(results) > 40


def frame(rows=120):
    """Rows with texts, gaps, dates and sentences, and classes that hang on two of them."""
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], rows).astype(object)
    size = rng.normal(size=rows)
    y = np.where((colour == "red") ^ (size > 1), "yes", "no")
    size[::17], colour[::19] = np.nan, None
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), "D")
    words = ["good tool indeed", "broke at once", "would buy again", "no idea yet"]
    said = [" ".join(rng.choice(words, 3)) for _ in range(rows)]
    return pd.DataFrame({"colour": colour, "size": size, "day": day, "said": said}), y


@pytest.fixture(scope="module")
def mixed():
    X, y = frame()
    return X, y, clone(CLASSES).fit(X, y)


def test_frames_with_texts_gaps_dates_and_sentences(mixed):
    X, y, found = mixed
    assert list(found.classes_) == ["no", "yes"] and found.score(X, y) > 0.75
    assert found.predict_proba(X).shape == (len(X), 2)
    assert list(found.feature_names_in_) == list(X.columns)
    new = X.iloc[:3].assign(colour=["red", "violet", None])
    assert set(found.predict(new)) <= {"no", "yes"}
    with pytest.raises(ValueError, match="feature names"):
        found.predict(X.drop(columns="day"))


def test_the_best_pipeline_takes_the_users_rows_and_says_the_users_classes(mixed):
    X, y, found = mixed
    best = found.best_pipeline()
    assert best.score(X, y) > 0.75 and list(best.classes_) == ["no", "yes"]
    assert len(best.predict(X.iloc[:3].assign(colour=["red", "violet", None]))) == 3
    assert "zero" not in {type(step).__module__.split(".")[0] for _, step in best.steps}
    assert found.best_pipeline() is best


def test_a_pickled_estimator_predicts_and_a_pickled_pipeline_needs_no_zero(mixed, tmp_path):
    X, _, found = mixed
    copied = pickle.loads(pickle.dumps(found))
    assert (copied.predict_proba(X) == found.predict_proba(X)).all()
    unasked = pickle.loads(pickle.dumps(clone(found).fit(*frame(60))))
    with pytest.raises(ValueError, match="rows are not pickled"):
        unasked.best_pipeline()
    (tmp_path / "best.pickle").write_bytes(pickle.dumps(found.best_pipeline()))
    X.to_pickle(tmp_path / "rows.pickle")
    code = (
        "import pickle, sys\n"
        "rows, best = (pickle.load(open(n, 'rb')) for n in ('rows.pickle', 'best.pickle'))\n"
        "print(len(best.predict(rows)), 'zero' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(len(X)), "False"], done.stderr


@pytest.mark.parametrize("classes", [[7, 3], [True, False], ["b", "a"], [2.0, 1.0], [5, 1, 9]])
def test_classes_are_the_users_own(classes):
    X, y = load_iris(return_X_y=True)
    rows = y < len(classes)
    X, y = X[rows], np.array(classes)[y[rows]]
    found = clone(CLASSES).fit(X, y)
    assert found.classes_.tolist() == sorted(classes) and found.score(X, y) > 0.9
    assert found.predict(X).dtype == y.dtype
    assert found.best_pipeline().predict(X).dtype == y.dtype


def test_numbers_and_what_was_tried():
    X, y = load_diabetes(return_X_y=True)
    found = AutoRegressor(seconds=None, candidates=6, families=["ridge"], random_state=0).fit(X, y)
    assert found.score(X, y) > 0.45 and found.best_pipeline().score(X, y) > 0.45
    board = found.leaderboard()
    assert list(board.columns) == ["name", "validation", "test", "record", "pipeline"]
    assert board["validation"].is_monotonic_decreasing and set(board["name"]) >= {
        "ridge",
        "constant",
    }
    assert board["validation"].max() >= found.score_ > board["validation"].min()
    assert found.metric_ == "neg_root_mean_squared_error" and found.candidates_ == 6
    again = clone(found).fit(X, y)
    assert (again.predict(X) == found.predict(X)).all() and again.leaderboard().equals(board)


def test_the_time_is_enough_for_an_answer():
    X, y = load_breast_cancer(return_X_y=True)
    assert AutoClassifier(seconds=2, random_state=0).fit(X, y).score(X, y) > 0.6


def test_a_run_that_is_kept(tmp_path):
    X, y = load_iris(return_X_y=True, as_frame=True)
    folder = tmp_path / "run"
    found = clone(CLASSES).set_params(folder=folder).fit(X, np.array(["a", "b", "c"])[y])
    assert found.run_ == folder
    model = zero.load(folder)
    assert (model.predict(X) == found.predict(X)).all()
    assert (model.predict_proba(X) == found.predict_proba(X)).all()
    assert zero.resume(folder, quiet=True).reason == "individuals"
    with pytest.raises(ValueError, match="not empty"):
        clone(found).fit(X, y)
    assert clone(CLASSES).fit(X, y).run_ is None


def test_sparse_rows_are_made_dense_if_that_is_possible(monkeypatch):
    X, y = load_iris(return_X_y=True)
    found = clone(CLASSES).fit(scipy.sparse.csr_array(X), y)
    assert (found.predict(scipy.sparse.csc_matrix(X)) == found.predict(X)).all()
    assert found.best_pipeline().score(X, y) > 0.9
    monkeypatch.setattr(given, "MOST_DENSE", 10)
    with pytest.raises(ValueError, match=r"150 x 4 cells, and at most 10 are made dense; reduce"):
        clone(CLASSES).fit(scipy.sparse.csr_array(X), y)


def test_arrays_of_texts_and_numbers():
    X, y = frame()
    found = clone(CLASSES).fit(X[["colour", "size"]].to_numpy(dtype=object), y)
    assert found.score(X[["colour", "size"]].to_numpy(dtype=object), y) > 0.75
    assert found.n_features_in_ == 2


def test_frames_of_polars():
    polars = pytest.importorskip("polars")
    X, y = frame()
    found = clone(CLASSES).fit(polars.from_pandas(X), polars.Series(y))
    assert found.score(polars.from_pandas(X), y) == found.score(X, y)


def test_weights_and_groups():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = np.where(np.arange(200) < 100, X[:, 0], -X[:, 0])
    weights = np.where(np.arange(200) < 100, 1.0, 0.0)
    found = clone(NUMBERS).set_params(candidates=4).fit(X, y, sample_weight=weights)
    assert found.score(X[:100], y[:100]) > 0.99
    assert found.best_pipeline().score(X[:100], y[:100]) > 0.99
    # Rows of a group are copies: where they are kept apart, nothing can be learned.
    group = np.repeat(np.arange(40), 5)
    X, y = rng.normal(size=(40, 1))[group], rng.normal(size=40)[group]
    near = AutoRegressor(**FEW, families=["neighbours"], ensemble=False)
    leaking, apart = clone(near).fit(X, y), clone(near).fit(X, y, groups=group)
    assert leaking.score_ > apart.score_ + 0.2
    with pytest.raises(ValueError, match="groups has 3 values and y 200"):
        clone(near).fit(X, y, groups=[1, 2, 3])
    with pytest.raises(ValueError, match="groups and time exclude each other"):
        clone(near).fit(X, y, groups=group, time=group)


def test_later_rows_from_earlier_ones():
    X, y = load_diabetes(return_X_y=True)
    days = pd.date_range("2024-01-01", periods=len(y))
    assert clone(NUMBERS).fit(X, y, time=days).score(X, y) > 0.4


def test_what_was_chosen_is_trained_on_other_rows():
    X, y = load_iris(return_X_y=True)
    found = clone(CLASSES).fit(X[::2], y[::2])
    before = found.predict_proba(X)
    assert found.refit(X, y) is found and (found.predict_proba(X) != before).any()
    assert found.best_pipeline().score(X, y) > 0.9
    with pytest.raises(ValueError, match=r"y has 5, which is none of the classes \[0, 1, 2\]"):
        found.refit(X, y + 5)
    assert found.score(X, y) > 0.9  # what was trained before is still there


def test_bad_input_is_one_clear_line():
    X, y = load_iris(return_X_y=True)
    for estimator, rows, target, message in [
        (CLASSES, X, np.ones(150), "needs at least 2 classes; the data has 1 class, 1.0"),
        (CLASSES, X, [None, *y[1:]], r"y is empty \(None or NaN\) in row 0"),
        (CLASSES, X[:2], y[:2], "n_samples=2 is too few: give at least 3 rows"),
        (NUMBERS, X, np.where(y == 1, np.nan, y), "y contains NaN"),
        (NUMBERS, X, np.ones(150), "the same value, '1', in every row"),
        (NUMBERS, np.ones((150, 2)), y, "there is nothing to learn from"),
        (
            clone(NUMBERS).set_params(metric="f1"),
            X,
            y,
            "metric f1 does not fit a target of numbers",
        ),
        (clone(NUMBERS).set_params(families=["ridg"]), X, y, "did you mean 'ridge'"),
        (clone(NUMBERS).set_params(families="ridge"), X, y, "must be a list of texts"),
        (clone(NUMBERS).set_params(candidates=None), X, y, "give seconds or candidates"),
    ]:
        with pytest.raises(ValueError, match=message):
            clone(estimator).fit(rows, target)


def test_five_rows():
    X = np.arange(10.0).reshape(5, 2)
    assert len(clone(CLASSES).fit(X, [0, 1, 0, 1, 1]).predict(X)) == 5
    assert len(clone(NUMBERS).fit(X, [0.0, 1.0, 2.0, 3.0, 5.0]).predict(X)) == 5


def test_workers_and_threads():
    X, y = load_iris(return_X_y=True)
    assert cross_val_score(CLASSES, X, y, cv=3, n_jobs=2).min() > 0.8

    def fitted(seed):
        return clone(CLASSES).set_params(random_state=seed).fit(X, y).predict_proba(X)

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(fitted, range(2)))
    assert all((fitted(seed) == found).all() for seed, found in enumerate(together))

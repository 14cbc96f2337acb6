"""Task families: the contract that all keep, the distributions of each, and unusable data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zero.config import yaml as yaml_loader
from zero.data.sources import load_source
from zero.data.splits import (
    find_file,
    rng_for,
    split_sizes,
    standardize,
)
from zero.errors import ConfigError, TaskError
from zero.tasks import PURPOSES, Task, TaskFamily, make_task, make_task_set, task_families
from zero.tasks.networks import batches, parameters
from zero.tasks.read import from_settings
from zero.tasks.table import table_from_arrays, table_from_frame

ROWS = 120


TABLE = {"type": "table", "path": "table.csv"}

# Settings of every family under the contract; those that need data find it in one folder.
SETTINGS = {
    "linear_regression": [{"features": 4}, {"features": 1, "train": 7, "valid": 3}],
    "affine_regression": [{"features": 8}],
    "two_layer_regression": [{"features": 4, "train": 100}],
    "projected_binary": [
        {},
        {"source": "wine", "projection": "none"},
        {"source": "arrays", "path": "set.npz", "features": 3},
        {"source": "breast_cancer", "positive_class": 1, "negative_class": 0},
    ],
    "projected_classes": [
        {},
        {"source": "iris", "projection": "none"},
        {"source": "arrays", "path": "set.npz", "features": 3},
        {"classes": [1, 4, 7, 9], "features": 4, "max_per_class": 60},
    ],
    "table": [
        {**TABLE, "target": "price", "problem": "regression", "ignore": ["kind"]},
        {**TABLE, "target": "kind", "problem": "binary", "features": 3},
    ],
    "optimizer": [{}, {"networks": 0, "features": 3}, {"networks": 1, "hidden": 2, "train": 9}],
    "loss": [{"flipped": 0.3}, {"source": "wine", "projection": "none", "hidden": 0}],
}
FAMILIES = [
    (kind, number) for kind, settings in SETTINGS.items() for number in range(len(settings))
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(5)
    x = rng.normal(size=(ROWS, 5))
    lines = ["a,b,c,d,e,price,kind"]
    for row in x:
        cells = [f"{v:.6f}" for v in row]
        lines.append(",".join([*cells, f"{3 * row[0] + 7:.6f}", "yes" if row[1] > 0.6 else "no"]))
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    np.savez(folder / "set.npz", X=x, y=np.arange(ROWS) % 3)
    return folder


@pytest.fixture(params=FAMILIES, ids=lambda p: f"{p[0]}-{p[1]}")
def family(request, folder):
    kind, number = request.param
    keys = SETTINGS[kind][number]
    return from_settings({"type": kind, "count": 3, **keys}).resolve_paths(folder)


# --- the contract -------------------------------------------------------------------------------


def test_every_family_is_under_the_contract():
    families = {k: f for k, f in task_families().items() if f.__module__.startswith("zero.")}
    assert set(SETTINGS) == set(families)  # without those that other tests register


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_task_set_is_float64_finite_and_the_same_again(family, purpose):
    first, again = make_task_set(family, purpose), make_task_set(family, purpose)
    assert first.names == again.names and len(set(first.keys.tolist())) == 3
    for part in ("train_x", "train_y", "valid_x", "valid_y", "keys"):
        a, b = getattr(first, part), getattr(again, part)
        assert a.tobytes() == b.tobytes()
        if part != "keys":
            assert a.dtype == np.float64 and a.flags.c_contiguous and np.isfinite(a).all()
    assert first.train_x.shape[0] == first.num_tasks == 3
    assert first.train_x.shape[2] == first.valid_x.shape[2]
    assert first.features == (1 if first.training else first.train_x.shape[2])
    assert first.train_x.shape[:2] == first.train_y.shape
    assert first.valid_x.shape[:2] == first.valid_y.shape
    assert first.metric in ("rms_error", "accuracy")


def test_tasks_differ_between_purposes_and_from_each_other(family):
    sets = [make_task_set(family, purpose) for purpose in PURPOSES]
    scored = [x.tobytes() for s in sets for x in s.valid_x]
    trained = [x.tobytes() for s in sets for x in s.train_x]
    # Final table tasks share their test rows, but not how these are standardised.
    assert len(set(scored)) == len(set(trained)) == 9


def test_experiments_draw_new_search_tasks_and_keep_the_final_ones(family):
    assert (
        make_task_set(family, "search", 1).train_x.tobytes()
        != make_task_set(family, "search", 2).train_x.tobytes()
    )
    assert (
        make_task_set(family, "final", 1).train_x.tobytes()
        == make_task_set(family, "final", 2).train_x.tobytes()
    )


def test_labels_of_classes_are_their_numbers_and_all_occur(family):
    if family.metric != "accuracy":
        return
    for purpose in PURPOSES:
        tasks = make_task_set(family, purpose)
        assert (tasks.labels == "vector") == (family.labels == "vector") == (tasks.classes > 0)
        for y in (*tasks.train_y, *tasks.valid_y):
            assert set(y.tolist()) == set(range(tasks.classes or 2))


def _order_statistics(labels):
    """Standard scores of a row of labels, near N(0, 1) in random order: runs, lags, position."""
    labels = labels > np.median(labels) if len(np.unique(labels)) > 2 else labels > 0.5
    n, ones = len(labels), int(labels.sum())
    pairs = 2 * ones * (n - ones)
    expected = 1 + pairs / n
    runs = 1 + np.count_nonzero(np.diff(labels))
    z = [(runs - expected) / np.sqrt(pairs * (pairs - n) / (n * n * (n - 1)))]
    y = (labels - labels.mean()) / labels.std()
    z += [(y[lag:] @ y[:-lag]) / np.sqrt(n - lag) for lag in (1, 2, 3, 4)]
    place = np.arange(n) - (n - 1) / 2
    return [*z, y @ place / np.sqrt(place @ place)]


def _check_random_order(tasks_of):
    """tasks_of: from a number to a task; asserts that its parts are in random order."""
    for split in ("train_y", "valid_y"):
        found = np.array([_order_statistics(getattr(tasks_of(k), split)) for k in range(60)])
        assert np.abs(found.mean(axis=0) * np.sqrt(60)).max() < 5.0, split
        assert len({getattr(tasks_of(k), split).tobytes() for k in range(60)}) > 30, split


@pytest.mark.parametrize("purpose", ["search", "final"])
def test_examples_come_in_random_order(family, purpose):
    if family.kind == "linear_regression" and family.valid < 10:
        return  # too few to tell
    if family.part == "optimizer":
        return  # they see no examples: batches are drawn in random order
    _check_random_order(lambda k: make_task(family, 1000 + k, k, purpose))


def test_tasks_with_networks_say_how_they_are_trained(family):
    tasks = [make_task_set(family, "search") for _ in range(2)]
    if family.part == "predictor":
        assert tasks[0].training is None
        return
    first, again = (t.training for t in tasks)
    assert first.part == family.part and first.steps == family.steps == tasks[0].steps
    assert len(first.networks) == 3
    for one, other in zip(first.networks, again.networks, strict=True):
        assert one.start.tobytes() == other.start.tobytes() and np.isfinite(one.start).all()
        assert len(one.start) == parameters(tasks[0].train_x.shape[2], one.hidden)
        assert 1 <= one.batch <= one.train <= tasks[0].train_x.shape[1]
        assert 1 <= one.valid <= tasks[0].valid_x.shape[1]


class _Name:
    kind = "sorted"  # of a base class that is no family, so that this one is not listed


class SortedRows(TaskFamily, _Name):
    metric = "accuracy"

    def make(self, data_seed, param_seed, purpose):
        y = np.repeat([0.0, 1.0], 40)
        x = np.arange(80.0)[:, None] + data_seed
        return Task("sorted", x, y, x, y, np.arange(80))


@pytest.mark.parametrize("purpose", ["search", "final"])
def test_examples_of_a_family_of_ones_own_are_shuffled(purpose):
    _check_random_order(lambda k: make_task(SortedRows(), k, 0, purpose))
    task = make_task(SortedRows(), 3, 0, purpose)
    assert np.array_equal(task.valid_x[:, 0], task.valid_ids + 3)  # rows stay together
    assert np.array_equal(task.valid_y, task.valid_ids >= 40)
    assert np.array_equal(task.train_y, task.train_x[:, 0] >= 43)
    again = make_task(SortedRows(), 3, 0, purpose)
    assert again.valid_x.tobytes() == task.valid_x.tobytes()


def test_tasks_that_share_examples_say_so(folder):
    keys = SETTINGS
    for kind, number in (("table", 1), ("projected_binary", 2)):
        family = from_settings({"type": kind, "count": 3, **keys[kind][number]})
        family = family.resolve_paths(folder)
        tasks = make_task_set(family, "final")
        rows = {}
        for name, y in zip(tasks.names, tasks.valid_ids, strict=True):
            rows.setdefault(name, set()).update(y.tolist())
            assert len(set(y.tolist())) == tasks.valid_y.shape[1]
        if kind == "table":  # all score on the same test rows
            assert len(set(map(frozenset, rows.values()))) == 1
    linear = from_settings({"type": "linear_regression", "count": 2})
    assert make_task_set(linear, "final").valid_ids is None


@pytest.mark.parametrize("ones", [1, 2])
def test_a_part_without_a_class_is_refused(ones):
    x = np.random.default_rng(3).normal(size=(60, 2))
    y = np.where(np.arange(60) < ones, "rare", "common")
    family = table_from_arrays(x, y, "binary")
    message = rf"rows all have the same 'y' \({ones} of 60 rows have 'rare'\).*give a larger"
    for purpose in PURPOSES:
        with pytest.raises(TaskError, match=message):
            make_task_set(family, purpose)
    # Enough of them are never left out, whatever the seeds.
    y = np.where(np.arange(60) < 8, "rare", "common")
    for split_seed in range(20):
        family = table_from_arrays(x, y, "binary", count=5, split_seed=split_seed)
        for purpose in PURPOSES:
            tasks = make_task_set(family, purpose)
            assert (np.ptp(tasks.train_y, axis=1) == 1).all()
            assert (np.ptp(tasks.valid_y, axis=1) == 1).all()


def test_train_features_of_real_data_are_standardised(family):
    if family.kind not in ("table", "projected_binary", "projected_classes"):
        return
    for x in make_task_set(family, "search").train_x:
        np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-12)


def test_no_test_row_is_ever_trained_on_or_scored_before_the_final(family):
    if family.kind not in ("table", "projected_binary", "projected_classes"):
        return
    used, tested = set(), set()
    for data_seed in range(40):
        parts = family.rows(data_seed)
        used |= {*parts["train"].tolist(), *parts["valid"].tolist()}
        tested |= set(parts["test"].tolist())
        together = np.concatenate(list(parts.values()))
        assert len(set(together.tolist())) == len(together)
    assert used and tested and not used & tested


# --- synthetic families -------------------------------------------------------------------------


def fit(x, y):
    """Least-squares weights and residual."""
    weights = np.linalg.lstsq(x, y, rcond=None)[0]
    return weights, np.abs(x @ weights - y).max()


@pytest.mark.parametrize("kind", ["linear_regression", "affine_regression"])
def test_labels_are_exactly_linear_in_the_features(kind):
    family = from_settings({"type": kind, "features": 5, "train": 60, "valid": 40})
    task = make_task(family, 3, 4, "search")
    assert task.train_x.shape == (60, 5) and task.valid_x.shape == (40, 5)
    ones = kind == "affine_regression"
    x = np.column_stack([task.train_x, np.ones(60)]) if ones else task.train_x
    weights, residual = fit(x, task.train_y)
    assert residual < 1e-12
    valid_x = np.column_stack([task.valid_x, np.ones(40)]) if ones else task.valid_x
    np.testing.assert_allclose(valid_x @ weights, task.valid_y, atol=1e-12)


def test_affine_labels_have_an_offset_and_linear_ones_have_none():
    for kind, offset in (("linear_regression", False), ("affine_regression", True)):
        family = from_settings({"type": kind})
        task = make_task(family, 1, 1, "search")
        assert (fit(task.train_x, task.train_y)[1] > 1e-3) == offset


def test_two_layer_teacher_has_two_dead_units():
    family = from_settings({"type": "two_layer_regression", "features": 4, "train": 4000})
    # F - 2 = 2 active units: labels are 0 where both are off, a quarter to a half of the time, and
    # on each of the other three regions linear in x.
    task = make_task(family, 1, 2, "search")
    share = (task.train_y == 0).mean()
    assert 0.02 < share < 0.5
    smallest = from_settings({"type": "two_layer_regression", "features": 3, "train": 4000})
    task = make_task(smallest, 1, 2, "search")
    active = task.train_y != 0
    # One active unit: half of the examples are 0, and all the others lie on one plane.
    assert 0.45 < active.mean() < 0.55
    assert fit(task.train_x[active], task.train_y[active])[1] < 1e-10
    assert len(set(np.sign(task.train_y[active]))) == 1


@pytest.mark.parametrize(
    "kind, variance", [("linear_regression", 8), ("affine_regression", 9), ("two_layer", 24)]
)
def test_moments_of_synthetic_tasks(kind, variance):
    # Second moment of the labels: F for w.x, F + 1 for u.x + a, and F - 2 units of F / 2 each
    # for the teacher, over random weights.
    kind = "two_layer_regression" if kind == "two_layer" else kind
    keys = {"features": 8, "count": 400, "train": 100, "valid": 50}
    tasks = make_task_set(from_settings({"type": kind, **keys}), "search")
    assert abs(tasks.train_x.mean()) < 0.01 and abs(tasks.train_x.var() - 1) < 0.01
    # Normal, not merely of unit variance: the fourth moment is 3, and 4.55 % lie beyond 2.
    assert abs((tasks.train_x**4).mean() - 3) < 0.1
    assert abs((np.abs(tasks.train_x) > 2).mean() - 0.0455) < 0.002
    assert abs((tasks.train_y**2).mean() / variance - 1) < 0.15
    # Columns and rows are independent.
    assert np.abs(np.corrcoef(tasks.train_x.reshape(-1, 8).T) - np.eye(8)).max() < 0.02


def test_data_seed_and_param_seed_act_apart():
    for kind in ("linear_regression", "affine_regression", "two_layer_regression"):
        family = from_settings({"type": kind})
        a, b, c = (make_task(family, *seeds, "search") for seeds in ((1, 1), (1, 2), (2, 1)))
        assert np.array_equal(a.train_x, b.train_x) and not np.array_equal(a.train_y, b.train_y)
        assert not np.array_equal(a.train_x, c.train_x)
    linear = from_settings({"type": "linear_regression"})
    a, c = (make_task(linear, seed, 1, "search") for seed in (1, 2))
    np.testing.assert_allclose(fit(a.train_x, a.train_y)[0], fit(c.train_x, c.train_y)[0])


def test_large_seeds_are_all_different():
    draws = {rng_for("x", seed).random() for seed in (0, 1, 2**32, 2**32 + 1, 2**62, 2**63 - 1)}
    assert len(draws) == 6


# --- projected binary ---------------------------------------------------------------------------


def projected(**keys):
    return from_settings({"type": "projected_binary", **keys})


def test_classes_are_exactly_balanced_in_every_part():
    family = projected(train=100, valid=50, test=40)
    for data_seed in range(20):
        for purpose, size in (("search", 50), ("final", 40)):
            task = make_task(family, data_seed, 0, purpose)
            assert task.train_y.sum() == 50 and len(task.train_y) == 100
            assert task.valid_y.sum() == size / 2 and len(task.valid_y) == size
            # The classes come in a mixed order.
            assert 0 < task.train_y[:20].sum() < 20


def test_default_sizes_are_three_fifths_of_the_smallest_pair():
    tasks = make_task_set(projected(count=5), "final")  # digits: the smallest class has 174
    assert tasks.train_x.shape[1:] == (210, 16) and tasks.valid_x.shape[1:] == (68, 16)
    assert make_task_set(projected(source="iris"), "search").features == 4


def test_sizes_beyond_balance_take_more_of_the_larger_class():
    family = projected(source="breast_cancer", train=400, valid=100, test=40)
    task = make_task(family, 0, 0, "search")
    assert task.train_y.sum() + task.valid_y.sum() == 212 - 20  # all malignant ones but the test's
    assert make_task(family, 0, 0, "final").valid_y.mean() == 0.5


def test_pairs_are_drawn_from_the_allowed_ones_and_the_smaller_class_is_positive():
    held_out = [[1, 0], [2, 9]]
    drawn = {projected(held_out_pairs=held_out).draw(seed)[:2] for seed in range(600)}
    every = {(a, b) for a in range(10) for b in range(a + 1, 10)}
    assert drawn == every - {(0, 1), (2, 9)}
    only = projected(pairs=[[7, 3], [1, 2], [5, 5 - 1]], held_out_pairs=[[2, 1]])
    assert {only.draw(seed)[:2] for seed in range(60)} == {(3, 7), (4, 5)}
    seeds = [only.draw(seed)[2] for seed in range(2000)]
    assert set(seeds) == set(range(100))


def test_given_classes_keep_their_sides_and_count_through_the_seeds():
    family = projected(positive_class=8, negative_class=3, seeds={"min": 10, "max": 15})
    assert [family.draw(seed) for seed in (0, 1, 7)] == [(8, 3, 10), (8, 3, 11), (8, 3, 12)]
    rows = family.rows(0)
    labels = load_source("digits").labels
    assert set(labels[rows["train"]].tolist()) == {8, 3}
    task = make_task(family, 0, 0, "search")
    assert np.array_equal(task.train_y, labels[rows["train"]] == 8)


def test_projection_depends_on_the_seed_alone():
    data = load_source("digits")
    for data_seed in range(3):
        family = projected(features=5, train=80, valid=20, pairs=[[0, 1], [2, 3]])
        rows, (_, _, seed) = family.rows(data_seed), family.draw(data_seed)
        matrix = rng_for("projected_binary/projection", seed).standard_normal((64, 5))
        expected = standardize(data.x[rows["train"]] @ matrix, data.x[rows["valid"]] @ matrix)
        task = make_task(family, data_seed, 0, "search")
        np.testing.assert_allclose(task.train_x, expected[0], atol=1e-9)
        np.testing.assert_allclose(task.valid_x, expected[1], atol=1e-9)


def test_without_a_projection_constant_pixels_become_0():
    task = make_task(projected(projection="none"), 0, 0, "final")
    assert task.train_x.shape[1] == 64
    assert (task.train_x[:, 0] == 0).all() and (task.valid_x[:, 0] == 0).all()
    assert np.isfinite(task.valid_x).all()


def test_max_per_class_uses_the_first_examples():
    family = projected(max_per_class=20)
    data = load_source("digits")
    first = {row for rows in data.rows_of.values() for row in rows[:20].tolist()}
    for seed in range(10):
        assert set(np.concatenate(list(family.rows(seed).values())).tolist()) <= first


def test_official_test_images(tmp_path):
    rng = np.random.default_rng(0)
    for stem, count in (("train", 60), ("t10k", 30)):
        for kind, array in (
            ("images-idx3", rng.integers(0, 256, (count, 3, 3))),
            ("labels-idx1", np.arange(count) % 3),
        ):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (tmp_path / f"{stem}-{kind}-ubyte").write_bytes(head + array.astype("u1").tobytes())
    family = projected(source="mnist", path=str(tmp_path), official_test=True, features=4)
    task = make_task(family, 0, 0, "final")
    assert len(task.train_y) == 30 and len(task.valid_y) == 20
    assert make_task(family, 0, 0, "search").valid_y.shape == (10,)
    rows = family.rows(0)
    assert rows["test"].max() < 30
    family.check_apart(projected(source="mnist", path=str(tmp_path)))


def test_final_tasks_must_not_test_on_rows_that_a_search_uses():
    small, large = projected(test=20), projected(test=40)
    small.check_apart(large)
    small.check_apart(small)
    large.check_apart(projected(source="wine"))
    with pytest.raises(TaskError, match="test on 40 examples but others keep only 20"):
        large.check_apart(small)
    with pytest.raises(TaskError, match="max_per_class"):
        small.check_apart(projected(test=20, max_per_class=100))
    x, y = np.arange(40.0).reshape(20, 2) ** 2, np.arange(20) % 2
    table = table_from_arrays(x, y, "binary", split_seed=1)
    table.check_apart(table.model_copy(update={"train": 5}))
    for key, value in (("split_seed", 2), ("test", 2.0), ("problem", "regression")):
        with pytest.raises(TaskError, match=f"'{key}' differs"):
            table.check_apart(table.model_copy(update={key: value}))


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"source": "digits_"}, "source: must be one of digits, breast_cancer"),
        ({"positive_class": 1}, "both or neither"),
        ({"positive_class": 1, "negative_class": 1}, "are both 1"),
        ({"positive_class": 1, "negative_class": 2, "pairs": [[1, 2]]}, "fixes the pair"),
        ({"pairs": [[1, 1]]}, "two different classes"),
        ({"pairs": [[1]]}, r"pairs\[0\]: must be a list of 2 "),
        ({"pairs": []}, "none is left"),
        ({"pairs": [[1, 2]], "held_out_pairs": [[2, 1]]}, "none is left"),
        ({"seeds": {"min": 5, "max": 5}}, "must be below max"),
        ({"path": "x"}, "comes with scikit-learn"),
        ({"source": "mnist"}, "'mnist' needs it"),
        ({"official_test": True}, "no official test set"),
        ({"features": 0}, "features: must be a whole number from 1 to 4,096 or none, got 0"),
        ({"projection": "pca"}, "projection: must be one of gaussian, none"),
        ({"sise": 3}, "unknown key 'sise'"),
    ],
)
def test_wrong_keys_of_projected_binary(keys, message):
    with pytest.raises(ConfigError, match=message):
        projected(**keys)


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"features": 65}, "65 wanted, the examples have 64; give at most 64"),
        ({"features": 16, "projection": "none"}, "16 wanted, the examples have 64; give 64"),
        ({"positive_class": 3, "negative_class": 10}, "no class 10; its classes are"),
        ({"pairs": [[3, 10]]}, "no class 10"),
        ({"held_out_pairs": [[3, 10]]}, "no class 10"),
        ({"source": "breast_cancer", "held_out_pairs": [[0, 1]]}, "no class pair is left"),
        ({"train": 5000}, "348 usable rows cannot be split into train 5000"),
        ({"train": 300, "valid": 50, "test": 50}, "train 300 .* valid 50 examples wanted"),
        ({"train": 10, "valid": 10, "test": 1000}, "takes 500 of it"),
        ({"max_per_class": 3, "train": 6}, "cannot be split"),
    ],
)
def test_impossible_projected_binary(keys, message):
    with pytest.raises(TaskError, match=message):
        make_task_set(projected(**keys), "search")


# --- tables -------------------------------------------------------------------------------------

GOOD_CSV = "x,y,label\n1,2,a\n 3 ,-.5,b\n1e-3,+4.,a\n4,4,b\n5,1E2,a\n"


def table(path, **keys):
    keys = {"target": "label", "problem": "binary", **keys}
    return from_settings({"type": "table", "path": str(path), **keys})


def numbers(data):
    """Returns the columns' values, (N, columns)."""
    return np.stack([column.values for column in data.columns], axis=1)


def read(tmp_path, text, **keys):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return table(path, **keys).data()


def test_csv_cells_header_and_labels(tmp_path):
    data = read(tmp_path, "\ufeff" + GOOD_CSV.replace("\n", "\r\n") + "\r\n")
    assert numbers(data).tolist() == [[1, 2], [3, -0.5], [1e-3, 4], [4, 4], [5, 100]]
    assert data.y.tolist() == [0, 1, 0, 1, 0] and data.positive == "b"


def test_csv_columns_can_be_chosen(tmp_path):
    text = 'city;x;"y;2";target\nOslo;1;2;10\nRome;3;4;20\nRome;9;8;5\n'
    keys = {"delimiter": ";", "target": "target", "problem": "regression"}
    data = read(tmp_path, text, ignore=["city"], **keys)
    assert numbers(data).tolist() == [[1, 2], [3, 4], [9, 8]] and data.y.tolist() == [10, 20, 5]
    assert numbers(read(tmp_path, text, features_columns=["y;2"], **keys)).tolist() == [
        [2],
        [4],
        [8],
    ]
    data = read(tmp_path, text, **{**keys, "target": 1}, ignore=[0, "target"])
    assert data.y.tolist() == [1, 3, 9]


@pytest.mark.parametrize(
    "low, high, positive",
    [
        ("0", "1", "1"),
        ("9", "10", "10"),
        ("-1", "1.0", "1"),
        ("no", "yes", "yes"),
        ("False", "True", "True"),
        ("9", "a", "a"),
    ],
)
def test_the_larger_value_is_positive(tmp_path, low, high, positive):
    text = "x,label\n" + "".join(f"{i * i},{(low, high)[i % 2]}\n" for i in range(10))
    data = read(tmp_path, text)
    assert data.positive == positive
    assert data.y.tolist() == [0, 1] * 5
    assert f"label={positive}" in make_task(table(tmp_path / "t.csv"), 0, 0, "search").name


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "empty file"),
        ("\n\n", "empty file"),
        ("x,y,label\n", "no rows below the header"),
        ("x,y,label\n1,2,a\n", "only 1 row; train, valid and test need"),
        (GOOD_CSV.replace("1,2,a", "1,red,a"), r"line 2, column 'y': 'red' is not a finite number"),
        (GOOD_CSV.replace("1,2,a", "1,red,a"), r"ignore: \[y\]"),
        (GOOD_CSV.replace("1,2,a", "1,inf,a"), "line 2, column 'y': is infinite"),
        (GOOD_CSV.replace("1,2,a", "1,1e999,a"), "line 2, column 'y': is infinite"),
        (GOOD_CSV.replace("1,2,a", '1,"1,000",a'), "'1,000' is not a finite number"),
        (GOOD_CSV.replace("1,2,a", "1,1_000,a"), "'1_000' is not a finite number"),
        (GOOD_CSV.replace("1,2,a", "1,0x10,a"), "'0x10' is not a finite number"),
        (GOOD_CSV.replace("1,2,a", "1,٣,a"), "'٣' is not a finite number"),
        (
            GOOD_CSV.replace(",a", ","),
            "line 2: target 'label' is empty, and so it is in 3 of 5 rows",
        ),
        (GOOD_CSV.replace("1,2,a", "1,2,c"), r"3 distinct values \('a', 'b', 'c'\)"),
        (GOOD_CSV.replace(",b", ",a"), r"one value in every row \('a'\)"),
        (GOOD_CSV.replace("1,2,a", "1,a"), "line 2: 2 cells, the header has 3 columns"),
        (GOOD_CSV.replace("1,2,a", "1,2,a,"), "line 2: 4 cells, the header has 3 columns"),
        (GOOD_CSV.replace("x,y,label\n", ""), "line 1: '1', ... are numbers: the header"),
        (GOOD_CSV.replace("x,y,label", "x,x,label"), "column 1 .* has the name of another, 'x'"),
        (GOOD_CSV.replace("x,y,label", "x,,label"), "column 1 .* has no name"),
        (GOOD_CSV.replace("label", "Label"), "unknown target column 'label'; did you mean 'Label'"),
        (GOOD_CSV + '1,"2,a\n', "line 7: not CSV"),
        (GOOD_CSV.encode() + b"\xff\xfe,1,a\n", "not UTF-8 text"),
        (GOOD_CSV.encode("utf-16")[2:], "line 1: a NUL character.*encoding: utf-16-le"),
        (
            GOOD_CSV.replace("1,2,a", "1,2,a\x00"),
            "line 2: a NUL character, which text does not have",
        ),
        ("k,j,label\n5,1,a\n5,1,b\n5.0,1,a\n", "column 'k' has the same value.*every other"),
        ("label\na\nb\na\n", "only one column, 'label'"),
    ],
)
def test_unusable_csv(tmp_path, text, message):
    with pytest.raises(TaskError, match=message) as caught:
        read(tmp_path, text)
    assert "t.csv" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"target": 3}, "target column 3 does not exist; columns are 0 to 2"),
        ({"ignore": ["z"]}, "unknown ignored column 'z'"),
        ({"ignore": ["label"]}, "target column 'label' is also a feature or ignored"),
        ({"features_columns": ["x", "label"]}, "also a feature or ignored"),
        ({"features_columns": ["lable"]}, "unknown feature column 'lable'; did you mean 'label'"),
        ({"ignore": ["x", "y"]}, "no feature column is left"),
        ({"problem": "regression"}, "line 2: 'a' is not a number, as problem: regression needs"),
        ({"features": 3}, "3 wanted, the table has 2 features; give at most 2"),
        ({"train": 5.0}, "5 usable rows cannot be split into train 5, valid 0, test 0"),
        ({"select": 2, "train": 2}, "cannot be split into train 2, select 2, valid 0"),
        ({"train": 2, "valid": 2, "test": 2}, "cannot be split"),
        ({"train": 0.5, "valid": 0.1}, "cannot be split into train 2, valid 0"),
        ({"train": 1}, "there is only one train row, of one 'label'"),
    ],
)
def test_impossible_tables(tmp_path, keys, message):
    path = tmp_path / "t.csv"
    path.write_text(GOOD_CSV)
    with pytest.raises(TaskError, match=message):
        make_task_set(table(path, **keys), "search")


@pytest.mark.parametrize(
    "path, keys, message",
    [
        ("t.doc", {}, "should end in .csv"),
        ("t.csv", {"target": None}, "give the target column's name"),
        ("t.npz", {}, "leave it out"),
        ("t.csv", {"problem": "classes"}, "problem: must be one of regression, binary, multiclass"),
        ("t.csv", {"types": {"x": "colour"}}, "types.x: must be one of number, category, date"),
        ("t.csv", {"groups": "g", "time": "t"}, "groups and time exclude each other"),
        ("t.csv", {"test_path": "u.csv", "test": 0.2}, "leave it out"),
        ("t.csv", {"select": -1}, "select"),
        ("t.csv", {"train": 1.5}, "neither a fraction below 1 nor a whole number"),
        ("t.csv", {"train": 0}, "train: must be a number above 0"),
        ("t.csv", {"target": True}, "target: must be text or a whole number"),
        ("t.csv", {"targets": "x"}, "unknown key 'targets'; did you mean 'target'"),
    ],
)
def test_wrong_keys_of_a_table(path, keys, message):
    with pytest.raises(ConfigError, match=message):
        table(path, **keys)


def test_files_that_cannot_be_opened(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path / "none.npz", tmp_path / "n\0.csv"):
        keys = {"target": None} if path.suffix == ".npz" else {}
        with pytest.raises(TaskError, match=r"cannot be read|not a usable path"):
            table(path, **keys).data()
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TaskError, match="cannot be read"):
        table(tmp_path / "folder.csv").data()


def test_a_table_is_read_again_when_its_file_changes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(GOOD_CSV)
    family = table(path)
    assert family.data() is table(path).data()
    path.write_text(GOOD_CSV + "7,7,b\n")
    assert len(family.data()) == 6


def test_npy_and_npz_tables(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 3))
    np.save(tmp_path / "t.npy", x)
    data = table(tmp_path / "t.npy", target=1, problem="regression").data()
    assert np.array_equal(numbers(data), x[:, [0, 2]]) and np.array_equal(data.y, x[:, 1])
    y = np.where(x[:, 0] > 0, "up", "down")
    np.savez(tmp_path / "t.npz", X=x, y=y, A=x[:, :2], b=x[:, 2])
    data = table(tmp_path / "t.npz", target=None, ignore=[0]).data()
    assert np.array_equal(numbers(data), x[:, 1:]) and np.array_equal(data.y, y == "up")
    data = table(tmp_path / "t.npz", target=None, x="A", y="b", problem="regression").data()
    assert np.array_equal(data.y, x[:, 2])


@pytest.mark.parametrize(
    "x, y, message",
    [
        (np.zeros(4), np.zeros(4), "expected a 2-D array"),
        (np.zeros((4, 2), dtype="V3"), [0, 1, 0, 1], "expected an array of numbers or texts"),
        (np.ma.masked_equal([[1.0], [2.0], [3.0]], 2), [0, 1, 0], "a masked array"),
        (scipy.sparse.eye(4), [0, 1, 0, 1], "a sparse matrix"),
        ([[1, 2], [3]], [0, 1], "must be an array"),
        (np.eye(4), [0, 1, 0], r"expected \(4,\)"),
        (np.eye(4) * np.nan, [0, 1, 0, 1], "no feature column can be used"),
        (np.eye(4) / 0.0, [0, 1, 0, 1], "row 0, column '0': is infinite"),
        (np.eye(4), [0, 1, np.nan, np.inf], "row 3: target 'y' is infinite"),
        (np.eye(4), [0, None, None, None], "row 1: target 'y' is empty, and so it is in 3 of 4"),
        (np.eye(4), [0, 1, 2, 1], "3 distinct values"),
        (np.ones((4, 1)), [0, 1, 0, 1], "column '0' has the same value"),
        (np.eye(4)[:, :0], [0, 1, 0, 1], "no feature column is left"),
        (np.eye(2), [0, 1], "2 rows"),
        (np.eye(4) * 1j, [0, 1, 0, 1], "an array of numbers"),
    ],
)
def test_unusable_arrays(x, y, message):
    with pytest.raises(TaskError, match=message):
        table_from_arrays(x, y, "binary")


MIXED = (
    "id,name,age,sex,fare,label\n1,Ann,,f,7.5,a\n2,Bob,30,m,1e999,b\n3,Cy,31,m,8,a\n4,Di,9,f,8,b\n"
)


def test_all_unusable_columns_are_named_at_once_with_one_line_that_can_be_copied(tmp_path):
    with pytest.raises(TaskError) as caught:
        read(tmp_path, MIXED, ignore=["id"])
    told = str(caught.value)
    assert "line 3, column 'fare': is infinite; as little can be used: sex ('1' is not" not in told
    assert "line 3, column 'fare': is infinite" in told
    line = told.rpartition("ignore: ")[2]
    assert yaml.safe_load(line) == ["id", "fare", "name"]
    data = read(tmp_path, MIXED, ignore=yaml.safe_load(line))
    assert [c.name for c in data.columns] == ["age", "sex"]
    both = MIXED.replace("30,m", "thirty,m").replace("4,Di,9", "4,Di,8")
    with pytest.raises(TaskError, match=r"column 'age'.*as little can be used: fare \(is infinite"):
        read(tmp_path, both)


@pytest.mark.parametrize(
    "name",
    ["price, EUR", "q: [m]", "2019", "1e5", "true", "null", "- x", "#1", 'say "x"', "it's", "*a",
     "a\u200bb", "{x}", "%", "&y", "!z", "@", "a # b", "~", "0x1F", "1_000", "é", "日本"],
)  # fmt: skip
def test_names_in_hints_can_be_copied(tmp_path, name):
    quoted = name.replace('"', '""')
    text = f'a,"{quoted}",label\n1,1,a\n5,2,b\n3,x,a\n4,7,b\n5,8,a\n6,9,b\n'
    with pytest.raises(TaskError) as caught:
        read(tmp_path, text)
    hint = yaml_loader.parse(str(caught.value).rpartition("ignore: ")[2], "x", section=False).data
    assert hint == [name]
    assert numbers(read(tmp_path, text, ignore=hint)).shape == (6, 1)


def test_what_cannot_be_seen_is_shown(tmp_path):
    with pytest.raises(TaskError, match=r"'1\\xa0000' is not a finite number"):
        read(tmp_path, GOOD_CSV.replace("1,2,a", "1,1\u00a0000,a"))
    with pytest.raises(TaskError, match=r'known: "la\\u200bbel", x, y'):
        read(tmp_path, GOOD_CSV.replace("label", "la\u200bbel"))
    spaced = GOOD_CSV.replace("x,y", "x\u00a0 m,y")
    assert numbers(read(tmp_path, spaced, ignore=["x\u00a0 m"])).shape == (5, 1)


def test_numbers_that_are_names_of_columns(tmp_path):
    years = "a,b,c,2019\n1,5,2,0\n2,6,9,1\n4,4,4,0\n"
    with pytest.raises(TaskError, match='for the column named 2019 write target: "2019"'):
        read(tmp_path, years, target=2019)
    with pytest.raises(TaskError, match=r'write ignore: \["2019"\]'):
        read(tmp_path, years, target="a", ignore=[2019])
    assert read(tmp_path, years, target="2019").y.tolist() == [0, 1, 0]
    shifted = "a,b,1,y\n1,5,2,0\n2,6,9,1\n4,4,4,0\n"
    with pytest.raises(TaskError, match=r"may mean column 1 \(from 0\), named 'b', or"):
        read(tmp_path, shifted, target="y", ignore=[1])
    assert numbers(read(tmp_path, shifted, target="y", ignore=["1"])).tolist() == [
        [1, 5],
        [2, 6],
        [4, 4],
    ]


def test_constant_columns_are_left_out_with_one_note(tmp_path):
    rows = [[1, 0, i * i, 0, i % 3] for i in range(10)]
    names = ["one", "no, thing", "i", "zero", "m"]
    frame = pd.DataFrame(rows, columns=names).assign(y=[0, 1] * 5)
    family = table_from_frame(frame, "y", "binary")
    assert numbers(family.data()).tolist() == [[i * i, i % 3] for i in range(10)]
    assert family.notes() == (
        "frame: 3 of 5 feature columns have the same value in every row and are left out: one, "
        '"no, thing", zero',
    )
    assert table_from_frame(frame[["i", "m", "y"]], "y", "binary").notes() == ()
    stored = family.stored(tmp_path / "data.npz")
    assert np.array_equal(numbers(stored.data()), numbers(family.data()))
    with pytest.raises(TaskError, match="the same value in every row"):
        table_from_frame(frame[["one", "zero", "y"]], "y", "binary")


def test_a_constant_regression_target():
    with pytest.raises(TaskError, match="same value, 3, in every row"):
        table_from_arrays(np.eye(4), [3, 3, 3, 3], "regression")


def test_regression_targets_are_standardised_by_the_train_rows():
    x = np.random.default_rng(1).normal(size=(100, 2))
    family = table_from_arrays(x, 1e6 + 50 * x[:, 0], "regression", train=0.5, valid=30, test=20)
    task = make_task(family, 0, 0, "search")
    assert len(task.train_y) == 50 and len(task.valid_y) == 30
    assert abs(task.train_y.mean()) < 1e-9 and abs(task.train_y.std() - 1) < 1e-9
    # The same scale for both: labels still are the standardised first feature.
    np.testing.assert_allclose(task.valid_y, task.valid_x[:, 0], atol=1e-6)
    assert family.metric == "rms_error"


def test_binary_splits_keep_the_classes_shares():
    x = np.random.default_rng(1).normal(size=(200, 2))
    family = table_from_arrays(x, np.arange(200) % 10 == 0, "binary", select=0)
    for seed in range(10):
        task = make_task(family, seed, 0, "search")
        assert abs(task.train_y.sum() - 12) <= 1 and abs(task.valid_y.sum() - 4) <= 1
        assert make_task(family, seed, 0, "final").valid_y.sum() == 4


def test_frames():
    frame = pd.DataFrame(
        {
            "a": np.arange(24) ** 2,
            "b": [True, False, True, True, False, False] * 4,
            "c": pd.array([1, 2, None, 4, 5, 6] * 4, dtype="Int64"),
            "name": list("uvwxyz") * 4,
            "when": pd.date_range("2020", periods=24),
            "object": [1, 2.5, True, None, "3", 4] * 4,
            "ok": pd.Categorical(["no", "yes"] * 12),
        }
    )
    family = table_from_frame(frame, "ok", "binary", count=2)
    assert family.positive_label() == "yes" and family.metric == "accuracy"
    data = family.data()
    assert data.kinds == ("number", "number", "number", "category", "date", "number")
    columns = {column.name: column.values.tolist() for column in data.columns}
    assert columns["b"][:3] == [1, 0, 1] and columns["when"][:2] == [1577836800, 1577923200]
    assert np.array_equal(columns["c"][:4], [1, 2, np.nan, 4], equal_nan=True)
    assert np.array_equal(columns["object"][:6], [1, 2.5, 1, np.nan, 3, 4], equal_nan=True)
    assert make_task_set(family, "final").features == 1 + 1 + 2 + 6 + 2 + 2
    plain = table_from_frame(frame, "ok", "binary", ignore=["c", "name", "when", "object"])
    assert make_task_set(plain, "final").features == 2
    refused = {"missing": "refuse", "categories": "refuse"}
    with pytest.raises(TaskError, match=r"row 0, column 'name': 'u' is text.*: c \(is empty"):
        table_from_frame(frame, "ok", "binary", **refused)
    with pytest.raises(TaskError, match="unknown target column 'okay'; did you mean 'ok'"):
        table_from_frame(frame, "okay", "binary")


FUZZ = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
CELLS = st.sampled_from(["1", "2.5", "-3e2", "", "nan", "a", "label", '"', "1e999", "\0", "é", "b"])
SEPARATORS = st.sampled_from([",", ",", ",", "\n", "\r", '"', ";"])


@FUZZ
@given(
    parts=st.lists(st.tuples(CELLS, SEPARATORS), max_size=40),
    head=st.sampled_from(["", "x,label\n", GOOD_CSV]),
    tail=st.binary(max_size=4),
)
def test_foreign_csv(tmp_path, parts, head, tail):
    text = head + "".join(cell + separator for cell, separator in parts)
    try:
        make_task_set(_table_of(tmp_path, text.encode() + tail), "final")
    except TaskError as error:
        assert "\n" not in str(error) and "\r" not in str(error)


def _table_of(tmp_path, data):
    (tmp_path / "f.csv").write_bytes(data)
    return table(tmp_path / "f.csv")


# --- networks -----------------------------------------------------------------------------------


def test_a_quadratic_has_the_condition_number_of_its_name():
    family = from_settings({"type": "optimizer", "networks": 0, "features": 6, "condition": 50})
    for seed in range(8):
        task = make_task(family, seed, seed, "search")
        curvature = task.train_x.T @ task.train_x / len(task.train_x)
        eigenvalues = np.linalg.eigvalsh(curvature)
        condition = eigenvalues[-1] / eigenvalues[0]
        assert 1 <= condition <= 50.001
        assert f"condition{condition:.0f}-" in task.name
        # It begins at an error of 1, and can be solved.
        assert np.sqrt(np.mean(task.train_y**2)) == pytest.approx(1)
        best = np.linalg.solve(curvature, task.train_x.T @ task.train_y / len(task.train_x))
        np.testing.assert_allclose(task.train_x @ best, task.train_y, atol=1e-9)


def test_the_share_of_networks_and_their_sizes():
    keys = {"type": "optimizer", "count": 200, "networks": 0.3, "least_hidden": 2, "hidden": 5}
    training = make_task_set(from_settings(keys), "search").training
    hidden = [network.hidden for network in training.networks]
    assert 35 < np.count_nonzero(hidden) < 85
    assert set(hidden) == {0, 2, 3, 4, 5}


def test_a_share_of_the_train_labels_is_wrong_and_no_other():
    keys = {"type": "loss", "train": 80, "valid": 40}
    right, wrong = (
        make_task(from_settings({**keys, "flipped": share}), 4, 0, "search") for share in (0, 0.25)
    )
    assert np.array_equal(right.train_x, wrong.train_x)
    assert np.count_nonzero(right.train_y != wrong.train_y) == 20
    assert np.array_equal(right.valid_y, wrong.valid_y)


def test_batches_go_through_all_examples_again_and_again():
    found = batches(10, 4, 5, 3)
    assert found.shape == (5, 4)
    assert sorted(found.ravel()[:10]) == sorted(found.ravel()[10:]) == list(range(10))
    assert found[:2].tolist() != batches(10, 4, 5, 4)[:2].tolist()


@pytest.mark.parametrize(
    "keys, told",
    [
        ({"condition": 2, "least_condition": 3}, "least_condition 3 is above condition 2"),
        ({"hidden": 2, "least_hidden": 3}, "least_hidden 3 is above hidden 2"),
    ],
)
def test_bounds_of_an_optimizer_s_tasks(keys, told):
    with pytest.raises(ConfigError, match=told):
        from_settings({"type": "optimizer", **keys})


# --- helpers ------------------------------------------------------------------------------------


def test_standardize_with_extreme_numbers():
    train = np.array([[1e300, 5.0, 1e-320, 0.1], [-1e300, 5.0, 3e-320, 0.1], [0, 5.0, 2e-320, 0.1]])
    out, other = standardize(train, np.array([[0.0, 6.0, 0.0, 7.0]]))
    assert np.isfinite(out).all() and np.isfinite(other).all()
    np.testing.assert_allclose(out[:, [0, 2]].std(axis=0), 1, rtol=1e-3)
    assert (out[:, [1, 3]] == 0).all() and (other[:, [1, 3]] == 0).all()
    plain = np.random.default_rng(0).normal(3, 2, (50, 4))
    expected = (plain - plain.mean(axis=0)) / plain.std(axis=0)
    np.testing.assert_allclose(standardize(plain)[0], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "given, expected",
    [
        ((None, None, None), (60, 20, 20)),
        ((0.5, 0.3, 0.2), (50, 30, 20)),
        ((80, 10, None), (80, 10, 10)),
        ((20, 10, None), (20, 10, 20)),
        ((None, None, 4), (72, 24, 4)),
        ((0.1, None, None), (10, 45, 20)),
    ],
)
def test_split_sizes(given, expected):
    sizes = split_sizes(100, dict(zip(("train", "valid", "test"), given, strict=True)), "here")
    assert tuple(sizes.values()) == expected


def test_files_are_found_beside_the_yaml_at_home_and_among_the_shipped(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "a.csv").write_text("x")
    assert find_file("a.csv", tmp_path) == tmp_path / "a.csv"
    assert find_file("~/b.csv", tmp_path) == tmp_path / "home" / "b.csv"
    assert find_file("/c.csv", tmp_path) == Path("/c.csv")
    assert find_file("none.csv", tmp_path) == tmp_path / "none.csv"
    assert find_file("own_table.csv", tmp_path).is_file()
    (tmp_path / "own_table.csv").write_text("x")
    assert find_file("own_table.csv", tmp_path) == tmp_path / "own_table.csv"
    family = table("a.csv").resolve_paths(tmp_path)
    assert family.path == str(tmp_path / "a.csv")
    linear = from_settings({"type": "linear_regression"})
    assert linear.resolve_paths(tmp_path) is linear


def test_the_shipped_table_can_be_learned():
    family = table("own_table.csv", target="diagnosis").resolve_paths(Path("nowhere"))
    assert family.positive_label() == "malignant"
    tasks = make_task_set(family, "final")
    x, y = tasks.train_x[0], tasks.train_y[0]
    weights = np.linalg.lstsq(x, y - y.mean(), rcond=None)[0]
    guess = tasks.valid_x[0] @ weights + y.mean() > 0.5
    assert (guess == (tasks.valid_y[0] > 0.5)).mean() > 0.85


def numbered(labels, rows=40):
    """Returns a frame of two features and a target of two classes under these labels."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {0: rng.normal(size=rows), 1: rng.normal(size=rows), 2: np.arange(rows) % 2}
    ).set_axis(labels, axis=1)


@pytest.mark.parametrize(
    "labels, target, name",
    [
        ([5, 6, 7], 7, "7"),
        ([1, 2, 0], 0, "0"),
        ([5, 6, 7], np.int64(7), "7"),
        ([5, 6, 7], "7", "7"),
        ([0.5, 1.5, 2.5], 2.5, "2.5"),
        (["a", "b", "y"], 2, "y"),
        (pd.RangeIndex(3), 2, "2"),
        (pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("y", 0)]), ("y", 0), "('y', 0)"),
    ],
)
def test_a_frame_s_columns_are_named_by_their_labels(labels, target, name):
    assert table_from_frame(numbered(labels), target).data().target == name


def test_a_number_is_no_position_where_labels_are_numbers():
    frame = numbered([5, 6, 7])
    with pytest.raises(TaskError, match=r'unknown target column .2. .known: "5", "6", "7"'):
        table_from_frame(frame, 2)
    kept = table_from_frame(frame, 7, ignore=[5], types={6: "number"}).data()
    assert [column.name for column in kept.columns] == ["6"]
    kept = table_from_arrays(frame[[5, 6]], frame[7], features_columns=[6]).data()
    assert [column.name for column in kept.columns] == ["6"]


def test_all_unknown_columns_are_told_at_once():
    with pytest.raises(TaskError, match=r"'yy'.*unknown groups column 'g'.*column 'p'.*column 'q'"):
        table_from_frame(numbered(["a", "b", "y"]), "yy", groups="g", ignore=["p", "q"])


def test_a_class_of_which_no_test_row_has_a_weight():
    part = np.repeat(["train", "valid", "select", "test"], 10)
    frame = numbered(["a", "b", "y"]).assign(part=part)
    frame["w"] = np.where((part == "test") & (frame["y"] == 1), 0.0, 1.0)
    family = table_from_frame(frame, "y", split_by="part", weights="w")
    with pytest.raises(TaskError, match="of the 10 test rows all that have a weight have the same"):
        make_task_set(family, "final")


@pytest.mark.parametrize("groups", [1, 2])
def test_too_few_groups(groups):
    frame = numbered(["a", "b", "y"]).assign(g=np.arange(40) % groups)
    with pytest.raises(TaskError, match=f"column 'g': {groups} groups? (is|are) too few"):
        make_task_set(table_from_frame(frame, "y", groups="g"), "search")


def test_a_target_of_true_and_false_in_several_spellings(tmp_path):
    (tmp_path / "t.csv").write_text(
        "a,b,y\n"
        + "".join(
            f"{i},{i * i % 7},{['TRUE', 'false', 'True', 'FALSE'][i % 4]}\n" for i in range(40)
        )
    )
    data = table(tmp_path / "t.csv", target="y").data()
    assert data.classes == ("False", "True") and data.y.tolist() == [1, 0] * 20

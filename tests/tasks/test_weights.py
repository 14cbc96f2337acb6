"""Weights of a table's rows: a row of weight 2 counts as two rows."""

import json

import numpy as np
import pandas as pd
import pytest
from commands import zero_
from helpers import parse
from sklearn import metrics

import zero
from zero.programs import figures, keep, library
from zero.programs.evaluator import Evaluator
from zero.tasks import make_task_set
from zero.tasks.table import drawn_by_weight, table_from_frame

SUM = parse(Setup="s2 = 1; v1 = bcast(s2)", Predict="s1 = dot(v0, v1)")


def frame(rows=400, target="classes"):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3))
    score = x[:, 0] + 0.7 * rng.normal(size=rows)
    y = np.where(score > 0, "yes", "no") if target == "classes" else score
    weight = rng.integers(0, 5, size=rows)
    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "w": weight, "y": y})


def weighted(table, **keys):
    return table_from_frame(table, "y", weights="w", **keys)


def test_rows_are_drawn_in_proportion_to_their_weights():
    weights = np.array([0, 1, 2, 5, 0.0, 2])
    drawn = [drawn_by_weight(weights, np.random.default_rng(n)) for n in range(3000)]
    assert {len(rows) for rows in drawn} == {6}
    share = np.bincount(np.concatenate(drawn), minlength=6) / (6 * 3000)
    np.testing.assert_allclose(share, weights / 10, atol=0.01)
    rows = drawn_by_weight(np.full(9999, 0.1), np.random.default_rng(0))
    assert np.array_equal(rows, np.arange(9999))


@pytest.mark.parametrize("target", ["classes", "numbers"])
def test_equal_weights_are_no_weights(target):
    table = frame(target=target)
    plain = table_from_frame(table.drop(columns="w"), "y")
    equal = weighted(table.assign(w=2.5))
    for purpose in ("search", "select", "final"):
        one, two = (make_task_set(family, purpose) for family in (plain, equal))
        for part in ("train_x", "train_y", "valid_x", "valid_y"):
            np.testing.assert_array_equal(getattr(one, part), getattr(two, part))
        first, second = (Evaluator(t, independent=True, keep_errors=True)(SUM) for t in (one, two))
        assert first.fitness == pytest.approx(second.fitness)
        assert figures.interval(one, first) == pytest.approx(figures.interval(two, second))
        assert figures.chance(one) == pytest.approx(figures.chance(two))


def compared(family):
    """What is told of the linear program and of those beside it, trained on a table."""
    config = zero.load_config("own_csv", ["tasks.search.problem=null"])
    tasks = config.tasks.model_copy(update=dict.fromkeys(("search", "select", "final"), family))
    config = config.model_copy(update={"tasks": tasks})
    model = keep.train_on_all(config, library.program("linear"), None, {})
    return keep.compared(config, model, keep.predictions(config, model, []))


@pytest.mark.parametrize("target", ["classes", "numbers"])
def test_equal_weights_give_the_same_scores(target):
    table = frame(target=target)
    plain = compared(table_from_frame(table.drop(columns="w"), "y"))
    equal = compared(weighted(table.assign(w=2.5)))
    assert equal["said"] == plain["said"]
    for what in ("scores", "intervals"):
        for name, found in plain[what].items():
            for score, figure in found.items():
                assert equal[what][name][score] == pytest.approx(figure, rel=1e-6), (name, score)


def test_scores_are_those_of_the_rows_that_count():
    """Half of the rows have no weight and say the contrary."""
    table = frame()
    counts = np.arange(len(table)) % 2 == 0
    table["w"] = counts.astype(float)
    table["y"] = np.where((table["a"] > 0) == counts, "yes", "no")
    told = compared(weighted(table))["scores"]
    for name in ("this program", "logistic regression", "gradient boosting"):
        assert told[name]["accuracy"] > 0.8, name


def test_the_column_is_no_feature_and_tasks_have_rows_by_weight():
    family = weighted(frame())
    tasks = make_task_set(family, "search")
    assert tasks.features == 3 and tasks.valid_weights is None
    again = make_task_set(family, "search")
    np.testing.assert_array_equal(tasks.train_x, again.train_x)
    shown = family.data().weights[make_task_set(family, "select").valid_ids]
    assert shown.min() > 0 and shown.mean() > 2.5  # of drawn rows: 3 in the mean, 2 without weights


@pytest.mark.parametrize("target", ["classes", "numbers"])
def test_the_final_figure_is_that_of_rows_repeated(target):
    """Of test rows that stand in the table as often as their weight says."""
    tasks = make_task_set(weighted(frame(target=target)), "final")
    found = Evaluator(tasks, independent=True)(SUM)
    (weights,) = tasks.valid_weights
    score = tasks.valid_x[0].sum(axis=1)
    if target == "classes":
        share = metrics.accuracy_score(tasks.valid_y[0], score > 0, sample_weight=weights)
        assert found.fitness == pytest.approx(share)
        larger = np.average(tasks.valid_y[0], weights=weights)
        assert figures.chance(tasks)[0] == pytest.approx(max(larger, 1 - larger))
    else:
        loss = metrics.mean_squared_error(tasks.valid_y[0], score, sample_weight=weights)
        assert found.fitness == pytest.approx(1 - 2 / np.pi * np.arctan(loss**0.5))
    low, high = figures.interval(tasks, found)
    assert low < found.fitness < high


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({4: "-1"}, "line 6, column 'w': a weight is a number of at least 0, not -1.0"),
        ({4: ""}, "line 6, column 'w': a weight is a number of at least 0, not empty"),
        ({2: "much"}, "line 4, column 'w': a weight is a number of at least 0, not 'much'"),
        ({2: "1e999"}, "line 4, column 'w': a weight is a number of at least 0, not inf"),
        (dict.fromkeys(range(60), "0"), "column 'w': all weights are 0"),
        (dict.fromkeys(range(60), "2024-01-31"), "column 'w': a weight is a number"),
    ],
)
def test_what_is_no_weight_is_told_in_one_line(tmp_path, cells, said):
    table = frame(60).astype({"w": str})
    for row, cell in cells.items():
        table.loc[row, "w"] = cell
    table.to_csv(tmp_path / "t.csv", index=False)
    settings = ["--set", "tasks.search.weights=w", "--set", "tasks.search.target=y"]
    settings += ["--set", "tasks.search.problem=null"]
    path = f"tasks.search.path={tmp_path / 't.csv'}"
    _, err = zero_("validate", "own_csv", "--data", "--set", path, *settings, code=1)
    assert said in err and len(err.splitlines()) == 1


def test_a_column_that_is_not_there():
    with pytest.raises(zero.ZeroError, match="weights column 'v'"):
        table_from_frame(frame(), "y", weights="v")


def test_all_test_rows_without_weight():
    table = frame(60)
    table["part"] = ["test"] * 20 + ["train"] * 40
    table.loc[:19, "w"] = 0
    with pytest.raises(zero.ZeroError, match="20 test rows all have weight 0 in column 'w'"):
        make_task_set(weighted(table, split_by="part"), "final")


def test_editors_know_the_key():
    out, _ = zero_("schema")
    assert "a row of weight 2 counts as two rows" in json.dumps(json.loads(out))


def test_a_family_with_weights_is_stored_with_them(tmp_path):
    family = weighted(frame())
    stored = family.stored(tmp_path / "t.npz")
    for purpose in ("search", "final"):
        one, two = (make_task_set(f, purpose) for f in (family, stored))
        np.testing.assert_array_equal(one.train_x, two.train_x)
    np.testing.assert_array_equal(one.valid_weights, two.valid_weights)

"""Suspicions of leaks: each is found where it is, and ordinary tables have none."""

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets

from zero.data.frames import of_frame
from zero.data.leaks import leaks
from zero.data.table import Wanted
from zero.data.understand import understand


def lines(frame, target="y", **keys):
    return leaks(understand(of_frame(frame, Wanted(target)), texts=True, lenient=True, **keys))


def table(rows=400, classes=("no", "yes")):
    """Returns a table in which nothing is wrong."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, rows))
    level = a + b + rng.standard_normal(rows)
    y = level
    if classes:
        cuts = np.quantile(level, np.linspace(0, 1, len(classes) + 1)[1:-1])
        y = np.array(classes)[np.searchsorted(cuts, level)]
    return pd.DataFrame(
        {
            "a": a,
            "b": b,
            "age": rng.integers(1, 90, rows),
            "sex": rng.choice(["m", "f"], rows),
            "y": y,
        }
    )


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits"])
def test_ordinary_tables_have_none(name):
    frame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
    found = lines(frame, "target")
    if name == "iris":
        assert len(found) == 1 and "frame: 1 row is a copy of another" in found[0]
    else:
        assert found == []


@pytest.mark.parametrize("classes", [None, ("no", "yes"), ("low", "mid", "top")])
def test_a_table_in_which_nothing_is_wrong(classes):
    assert lines(table(classes=classes)) == []
    assert lines(table(25, classes)) == []


def only(found, column, what):
    assert len(found) == 1, found
    assert found[0].startswith(f"frame, column '{column}': ") and what in found[0]
    assert f"ignore: [{column}]" in found[0]


def test_columns_that_tell_a_class():
    frame = table()
    yes = frame["y"] == "yes"
    only(lines(frame.assign(z=yes)), "z", "one value for each of the target 'y'")
    only(lines(frame.assign(z=np.where(yes, "left", "stayed"))), "z", "one value for each")
    score = np.where(yes, 1, -1) * (1 + np.random.default_rng(1).random(400))
    only(lines(frame.assign(z=score)), "z", "parts the two classes")
    only(lines(frame.assign(z=-score)), "z", "parts the two classes")
    score[7] = np.nan
    only(lines(frame.assign(z=score)), "z", "parts the two classes")
    ended = pd.Series(np.random.default_rng(1).random(400)).where(yes)
    only(lines(frame.assign(z=ended)), "z", "is empty for one class only")
    # A class that is seldom may be told by chance.
    rare = frame.assign(y=np.where(np.arange(400) < 3, "yes", "no"), z=np.arange(400) < 3)
    assert lines(rare) == []


def test_columns_that_tell_one_of_many_classes():
    frame = table(classes=("low", "mid", "top"))
    place = frame["y"].map({"low": 1, "mid": 0, "top": 5})
    only(lines(frame.assign(z=place)), "z", "one value for each of the target")
    only(
        lines(frame.assign(z=place + 0.5 * np.random.default_rng(1).random(400))), "z", "of its own"
    )


def test_columns_that_tell_a_number():
    frame = table(classes=None)
    only(lines(frame.assign(z=frame["y"])), "z", "equals the target 'y'")
    only(lines(frame.assign(z=np.exp(frame["y"]))), "z", "rises or falls with the target")
    only(lines(frame.assign(z=-(frame["y"] ** 3))), "z", "rises or falls")
    grades = frame.assign(y=np.random.default_rng(2).integers(0, 40, 400))
    grades["z"] = (grades["y"] * 7 % 41).map(lambda v: f"g{v}")
    only(lines(grades, problem="regression"), "z", "one value for each of the target")


def test_columns_that_name_rows():
    rng = np.random.default_rng(3)
    frame = table()
    only(lines(frame.assign(z=np.arange(400) * 10 + 7)), "z", "counts the rows")
    only(
        lines(frame.assign(z=rng.permutation(400) + 1000)), "z", "another whole number in each row"
    )
    wide = rng.choice(10**9, 400, replace=False)
    assert lines(frame.assign(people=wide)) == []
    only(lines(frame.assign(customer_id=wide)), "customer_id", "as identifiers have")
    names = frame.assign(z=[f"n{i}" for i in range(400)])
    only(lines(names, types={"z": "category"}), "z", "another text in each row")
    assert lines(frame.assign(z=[f"this is note {i}" for i in range(400)])) == []


def test_rows_that_are_there_twice():
    frame = table()
    twice = pd.concat([frame, frame.iloc[:7]])
    assert len(lines(twice)) == 1 and "frame: 7 rows are copies of others" in lines(twice)[0]
    other = frame.iloc[:4].assign(y=frame["y"].iloc[:4].map({"no": "yes", "yes": "no"}))
    found = lines(pd.concat([frame, other]))
    assert len(found) == 1 and "8 rows are equal to another in all features, but" in found[0]
    # Empty cells are equal, and of a few words rows must be.
    gaps = frame.assign(a=np.where(np.arange(400) < 9, np.nan, frame["a"]))
    assert "9 rows are copies" in lines(pd.concat([gaps, gaps.iloc[:9]]))[0]
    assert lines(frame[["age", "sex", "y"]]) == []

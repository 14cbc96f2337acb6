"""Which columns count, where that is known."""

import numpy as np
import pandas as pd
import pytest

import zero
from zero.programs import keep, library
from zero.programs.explain import sections
from zero.programs.explain.columns import MOST_SHOWN, importances
from zero.runs.reports.text import print_parts


def found(frame, **keys):
    """The importances of a table's columns to the linear program, trained on it."""
    family = zero.table_from_frame(frame, "y", **keys)
    config = zero.load_config("own_csv", ["tasks.search.problem=null"])
    tasks = config.tasks.model_copy(update=dict.fromkeys(("search", "select", "final"), family))
    config = config.model_copy(update={"tasks": tasks})
    model = keep.train_on_all(config, library.program("linear"), None, {})
    one = importances(model, family, 0)
    assert one == importances(model, family, 0)
    return one


def table(rows=600, more=2):
    rng = np.random.default_rng(0)
    columns = {"colour": rng.choice(["red", "green", "blue"], rows)}
    columns |= {f"x{k}": rng.normal(size=rows) for k in range(more)}
    return pd.DataFrame(columns)


@pytest.mark.parametrize("problem", ["binary", "regression"])
def test_the_one_column_that_decides_is_found(problem):
    """It is of texts, and has three features: they count as one column."""
    frame, rng = table(), np.random.default_rng(1)
    frame["y"] = np.where(frame["colour"] == "red", "yes", "no")
    if problem == "regression":
        frame["y"] = 5.0 * (frame["colour"] == "red") + 0.1 * rng.normal(size=600)
    told = found(frame)
    assert told.metric == ("accuracy" if problem == "binary" else "rmse")
    first, *others = told.columns
    assert first.column == "colour" and first.low > 0.3
    assert {c.column for c in others} == {"x0", "x1"}
    assert all(abs(c.lost) < 0.05 for c in others)


def test_rows_without_weight_say_nothing():
    """On the rows that count, x0 decides; the others say it is x1."""
    frame = table()
    counts = np.arange(600) % 2 == 0
    frame["w"] = counts.astype(float)
    frame["y"] = np.where(np.where(counts, frame["x0"], frame["x1"]) > 0, "yes", "no")
    told = found(frame, weights="w")
    assert told.columns[0].column == "x0" and told.columns[0].low > 0.2
    assert all(abs(c.lost) < 0.1 for c in told.columns[1:]) and told.score > 0.85


def test_the_largest_are_shown(capsys):
    frame = table(300, 30)
    frame["y"] = np.where(frame["x7"] > 0, "yes", "no")
    section = sections.of_columns(found(frame))
    assert len(section.data["columns"]) == MOST_SHOWN
    assert section.data["columns"][0]["column"] == "x7"
    print_parts(section.parts)
    out = capsys.readouterr().out
    assert "accuracy lost" in out and "11 more columns count less." in out

"""Frames of pandas, polars and Arrow: which types of columns become what."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from zero.data.frames import of_arrays, of_frame
from zero.data.table import Wanted
from zero.errors import TaskError

DAY = 86400.0
DATES = [datetime.date(2024, 1, 1), None, datetime.date(9999, 12, 31)]


def cells(table, name):
    column = table.features[name]
    return [column.cell(row) for row in range(len(column))]


def test_dates_that_nanoseconds_cannot_count():
    far = pd.Series(np.array(["2024-01-01", "NaT", "9999-12-31"], "datetime64[s]"))
    near = pd.Series(np.array(["2024-01-01", "NaT", "2024-01-02T00:00:00.5"], "datetime64[ns]"))
    table = of_frame(pd.DataFrame({"far": far, "near": near, "y": [0, 1, 0]}), Wanted("y"))
    assert cells(table, "far")[:2] == [19723 * DAY, None] and cells(table, "far")[2] > 2.5e11
    assert cells(table, "near") == [19723 * DAY, None, 19724 * DAY + 0.5]


@pytest.mark.parametrize("cell", [[1, 2], (1, 2), {"a": 1}, np.zeros(2)])
def test_cells_of_several_values_are_refused_in_a_line(cell):
    frame = pd.DataFrame(
        {"a": [1, 2, 3], "e m": pd.Series([None, cell, cell], dtype=object), "y": 0}
    )
    with pytest.raises(TaskError, match=r"column 'e m' holds values of type .* ignore: \[e m\]$"):
        of_frame(frame, Wanted("y"))
    assert list(of_frame(frame, Wanted("y", ignore=["e m"])).features) == ["a"]


def test_sparse_columns():
    frame = pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 0.0, 1.5]), "y": [0, 1, 0]})
    assert cells(of_frame(frame, Wanted("y")), "a") == [0, 0, 1.5]


def test_polars():
    pl = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    hour = datetime.datetime(2024, 1, 1, 1)
    frame = pl.DataFrame(
        {
            "whole": [1, None, 3],
            "flag": [True, None, False],
            "date": DATES,
            "zone": pl.Series([hour, None, hour]).dt.replace_time_zone("Europe/Berlin"),
            "long": [datetime.timedelta(hours=1), None, datetime.timedelta(0)],
            "price": [decimal.Decimal("1.25"), None, decimal.Decimal("2.5")],
            "word": pl.Series(["a", None, "b"], dtype=pl.Categorical),
            "y": ["u", "v", "u"],
        }
    )
    for given in (frame, frame.lazy(), frame.to_arrow()):
        table = of_frame(given, Wanted("y"))
        assert cells(table, "whole") == [1, None, 3] and cells(table, "flag") == [1, None, 0]
        assert cells(table, "date")[:2] == [19723 * DAY, None]
        assert cells(table, "zone")[0] == 19723 * DAY and cells(table, "long") == [3600, None, 0]
        assert cells(table, "price") == [1.25, None, 2.5] and cells(table, "word") == [
            "a",
            None,
            "b",
        ]
    table = of_arrays(frame.drop("y"), frame["y"])
    assert list(table.features)[:2] == ["whole", "flag"] and table.target.cell(1) == "v"
    with pytest.raises(TaskError, match="column 'l' holds values of type"):
        of_frame(frame.with_columns(l=pl.Series([[1, 2], None, [3]])), Wanted("y"))
    with pytest.raises(TaskError, match="column 's' holds values of type dict"):
        of_frame(frame.with_columns(s=pl.Series([{"a": 1}] * 3)), Wanted("y"))

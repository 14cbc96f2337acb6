"""Tables as pipelines read them: texts are used, and cells that cannot be used become empty with a note."""

import numpy as np
import pandas as pd
import pytest

from zero.data.frames import of_arrays, of_frame
from zero.data.table import Wanted
from zero.data.tables import read_table
from zero.data.understand import understand
from zero.errors import TaskError, ZeroError
from zero.tasks.table import table_from_frame

ROWS = 300


def read(path, columns, target="y", **keys):
    """Returns a CSV file of columns as pipelines understand it."""
    wanted = Wanted(target, rename=keys.pop("rename", True))
    path.write_text(pd.DataFrame(columns).to_csv(index=False))
    return understand(read_table(path, wanted), texts=True, lenient=True, **keys)


def kinds(data):
    return {c.name: kind for c, kind in zip(data.columns, data.kinds, strict=True)}


def base(**columns):
    return {"a": np.arange(ROWS) % 7, **columns, "y": ["no", "yes", "no"] * (ROWS // 3)}


def test_texts_are_used_where_they_can_be_learned_from(tmp_path):
    columns = base(
        review=[f"film number {i} was good" for i in range(ROWS)],
        zip=[f"Z{i % 149}" for i in range(ROWS)],
        id=[f"id{i}" for i in range(ROWS)],
        sex=["m", "f"] * (ROWS // 2),
        state=["not yet known", "known by now"] * (ROWS // 2),
    )
    data = read(tmp_path / "t.csv", columns)
    assert kinds(data) == {
        "a": "number", "review": "text", "zip": "category", "sex": "category", "state": "category",
    }  # fmt: skip
    assert "id (300 different texts in 300 rows); ignore: [id]" in data.notes[0]
    asked = read(tmp_path / "t.csv", columns, types={"id": "text", "a": "text"})
    assert kinds(asked)["id"] == kinds(asked)["a"] == "text"
    assert asked.columns[0].texts is not None
    # Programs have no use for them, and say so.
    plain = understand(read_table(tmp_path / "t.csv", Wanted("y")))
    assert set(kinds(plain)) == {"a", "sex", "state"}
    with pytest.raises(ZeroError, match="types") as error:
        table_from_frame(pd.DataFrame(columns), "y", types={"review": "text"})
    assert "\n" not in str(error.value) and "category" in str(error.value)


def test_cells_that_are_no_numbers_become_empty(tmp_path):
    age = [str(20 + i) for i in range(ROWS)]
    age[4], age[9] = "x20", "y"
    size = [i * 0.5 for i in range(ROWS)]
    size[7] = float("inf")
    columns = base(age=age, size=size)
    with pytest.raises(TaskError, match="line 6, column 'age'"):
        (tmp_path / "u.csv").write_text(pd.DataFrame(columns).to_csv(index=False))
        understand(read_table(tmp_path / "u.csv", Wanted("y")))
    data = understand(of_frame(pd.DataFrame(columns), Wanted("y")), lenient=True)
    assert kinds(data) == {"a": "number", "age": "number", "size": "number"}
    assert np.flatnonzero(data.columns[1].empty).tolist() == [4, 9]
    assert np.flatnonzero(data.columns[2].empty).tolist() == [7]
    assert data.notes[0] == (
        "frame: 2 cells are no numbers and are taken as empty: 'age' (2; first 'x20' in row 4)"
    )
    assert data.notes[1] == "frame: 1 cell is infinite and is taken as empty: 'size' (1; in row 7)"
    table = read_table(tmp_path / "u.csv", Wanted("y"))
    assert "first 'x20' in line 6" in understand(table, lenient=True).notes[0]
    endless = read(tmp_path / "v.csv", base(b=["inf"] * ROWS, c=["inf", "-inf", 1] * (ROWS // 3)))
    assert (
        kinds(endless) == {"a": "number", "c": "number"} and endless.columns[1].empty.sum() == 200
    )
    assert any("b (empty everywhere)" in note for note in endless.notes)
    # What is a number as the user says is one as long as most cells are.
    words = base(b=["1", "2", "three"] * (ROWS // 3))
    assert kinds(read(tmp_path / "w.csv", words, types={"b": "number"}))["b"] == "number"
    words = base(b=["one", "2", "three"] * (ROWS // 3))
    with pytest.raises(TaskError, match="'one' is not a finite number"):
        read(tmp_path / "w.csv", words, types={"b": "number"})


def test_columns_of_numbers_and_texts(tmp_path):
    grade = ["1", "2", "3", "good"] * (ROWS // 4)
    dose = [f"{i}.5" if i % 5 else "unknown" for i in range(ROWS)]
    data = read(tmp_path / "t.csv", base(grade=grade, dose=dose))
    assert kinds(data) == {"a": "number", "grade": "category", "dose": "number"}
    assert any("60 cells are no numbers" in note and "'unknown'" in note for note in data.notes)
    assert any("1 column has numbers and texts and is taken" in note for note in data.notes)


def test_classes(tmp_path):
    def of(y, **keys):
        y = list(y)
        table = of_arrays(np.random.default_rng(0).random((len(y), 2)), np.array(y))
        return understand(table, lenient=True, **keys)

    many = of([f"c{i % 200}" for i in range(599)] + ["once"])
    assert (many.problem, len(many.classes)) == ("multiclass", 201)
    assert "1 of 201 class has a single row" in many.notes[-1]
    with pytest.raises(
        TaskError, match=r"each of the 60 rows has a class of its own, such as 'c0'"
    ):
        of(f"c{i}" for i in range(60))
    with pytest.raises(TaskError, match=r"class of its own.*, or say problem: regression"):
        of(range(60), problem="multiclass")
    assert of(range(60)).problem == "regression"
    with pytest.raises(TaskError, match=r"1500 different texts; .* at most 1000 classes"):
        of(f"c{i % 1500}" for i in range(3000))
    for same in ("one", 5):
        with pytest.raises(
            TaskError, match=rf"same value, '{same}', in every row; there is nothing"
        ):
            of([same] * 9)
    with pytest.raises(TaskError, match="only 2 rows"):
        of(["a", "b"])


def test_columns_of_one_name(tmp_path):
    text = "a,b,a,a.2,y\n" + "".join(
        f"{i % 7},{i % 5},{i % 3},{i % 4},{i % 2}\n" for i in range(30)
    )
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(TaskError, match="has the name of another, 'a'"):
        read_table(path, Wanted("y"))
    wanted = Wanted("y", rename=True)
    table = read_table(path, wanted)
    assert list(table.features) == ["a", "b", "a.3", "a.2"]
    assert table.features["a.3"].values[:4].tolist() == [0, 1, 2, 0]
    assert table.notes == (
        f"{path}: columns with the name of another got one of their own: column 2 (from 0) is 'a.3'",
    )
    frame = pd.read_csv(path, header=None, skiprows=1).set_axis(
        list(text.split("\n")[0].split(",")), axis=1
    )
    found = of_frame(frame, wanted)
    assert list(found.features) == list(table.features)
    arrays = of_arrays(frame.iloc[:, :4], frame["y"], wanted=Wanted(rename=True))
    assert list(arrays.features) == list(table.features)
    # New rows are found by the new names, and such a column can be left out by its own.
    later = read_table(path, Wanted(only=["a.3", "b"], rename=True))
    assert later.features["a.3"].values[:4].tolist() == [0, 1, 2, 0]
    assert list(read_table(path, Wanted("y", ignore=["a.3"], rename=True)).features) == [
        "a",
        "b",
        "a.2",
    ]
    with pytest.raises(TaskError, match=r"columns 0, 2 \(from 0\) have the same name, 'a'"):
        read_table(path, Wanted("a", rename=True))

import gzip

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from zero.data import parts, prepare
from zero.data.columns import of_texts
from zero.data.frames import of_arrays, of_frame
from zero.data.prepare import Preparation, fit, plan_column, raw_features
from zero.data.table import Reading, Wanted, decimal_of
from zero.data.tables import read_table
from zero.data.understand import from_tree, to_tree, understand
from zero.errors import TaskError, written
from zero.tasks import make_task_set
from zero.tasks import table as family_of_tables
from zero.tasks.read import from_settings
from zero.tasks.table import table_from_frame

PEOPLE = """id,survived,class,name,sex,age,fare,cabin,port,joined
1,yes,3,Ann A,female,22,7.25,,S,1911-02-03
2,no,1,"Bob, B",male,,71.3,C85,C,1911-12-24
3,no,3,Cy C,male,26,7.9,,,1912-01-05
"""


def people(rows=60):
    """Returns a table with all that real ones have, as CSV text."""
    rng = np.random.default_rng(0)
    lines = [PEOPLE.splitlines()[0]]
    for i in range(rows):
        age = "" if i % 7 == 3 else str(rng.integers(1, 80))
        cabin = f"C{i}" if i % 5 == 0 else ""
        lines.append(
            f'{i + 1},{"yes" if rng.random() < 0.4 else "no"},{i % 3 + 1},"P{i}, Mr.",'
            f"{'male' if i % 2 else 'female'},{age},{rng.random() * 90:.2f},{cabin},"
            f"{'SCQ'[i % 3] if i % 11 else 'NA'},19{10 + i % 3}-0{i % 9 + 1}-1{i % 10}"
        )
    return "\n".join(lines) + "\n"


def read(path, text, target="y", reading=Reading(), **wanted):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path, Wanted(target, **wanted), reading)


def kinds(data):
    return {c.name: kind for c, kind in zip(data.columns, data.kinds, strict=True)}


def test_a_real_table_is_understood_as_it_is(tmp_path):
    data = understand(read(tmp_path / "t.csv", people(), "survived"))
    assert kinds(data) == {
        "class": "number", "sex": "category", "age": "number", "fare": "number",
        "cabin": "category", "port": "category", "joined": "date",
    }  # fmt: skip
    assert (data.problem, data.classes, data.positive) == ("binary", ("no", "yes"), "yes")
    left, problem = data.notes
    assert "id (counts the rows), name (60 different texts in 60 rows)" in left
    assert left.endswith("ignore: [id, name]") and "2 classes, 'no', 'yes'" in problem
    # A column of texts that are nearly all different still tells where it is empty.
    family = from_settings({"type": "table", "path": str(tmp_path / "t.csv"), "target": "survived"})
    names = [name for plan in family.plans for name in plan.features]
    assert "cabin=(empty)" in names and "cabin=(other)" not in names
    assert "age=(empty)" in names and "sex=male" in names and "sex=female" not in names


def test_the_same_table_by_every_way_in(tmp_path):
    frame = pd.read_csv(_file(tmp_path, "t.csv", people()), keep_default_na=True)
    plain = people().encode()
    ways = {
        "t.csv": plain, "u.csv": b"\xef\xbb\xbf" + plain, "v.csv.gz": gzip.compress(plain),
        "w.csv": people().replace("\n", "\r\n"), "x.csv": people().encode("utf-16"),
        "y.csv": people().replace(",", ";").replace('; Mr."', ', Mr."'),
        "z.tsv": people().replace(",", "\t").replace('\t Mr."', ', Mr."'),
        "s.csv": "sep=|\n" + people().replace(",", "|").replace('| Mr."', ', Mr."'),
    }  # fmt: skip
    found = {
        name: understand(read(tmp_path / name, text, "survived")) for name, text in ways.items()
    }
    found["frame"] = understand(of_frame(frame, Wanted("survived")))
    frame["joined"] = pd.to_datetime(frame["joined"])
    found["dates"] = understand(of_frame(frame, Wanted("survived")))
    first = found["t.csv"]
    for name, data in found.items():
        assert kinds(data) == kinds(first), name
        assert np.array_equal(data.y, first.y), name
        for mine, its in zip(data.columns, first.columns, strict=True):
            cells = [[c.cell(row) for row in range(len(c))] for c in (mine, its)]
            assert cells[0] == cells[1], (name, mine.name)


def _file(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def test_parquet_and_excel_where_pandas_can(tmp_path):
    for name, package in (("t.parquet", "pyarrow"), ("t.xlsx", "openpyxl")):
        (tmp_path / name).write_bytes(b"foreign")
        with pytest.raises(TaskError, match=rf"needs {package}: pip install|not a \.\w+ file"):
            read_table(tmp_path / name, Wanted("y"))


def semicolons(cells):
    return "a;b;y\n" + "".join(f"{a};{b};{i % 2}\n" for i, (a, b) in enumerate(cells))


def test_decimal_commas(tmp_path):
    text = semicolons([("0,5", "-1,25e2"), ("1", "3,5"), ("2,5", "4")] * 3)
    table = read(tmp_path / "t.csv", text)
    assert table.decimal == "," and "decimal comma" in table.notes[0]
    assert table.features["a"].values[:3].tolist() == [0.5, 1, 2.5]
    assert table.features["b"].values[:3].tolist() == [-125, 3.5, 4]
    # 1,234 alone does not say what it is.
    text = semicolons([("1,234", "2"), ("5,678", "3"), ("9,012", "4")] * 3)
    assert read(tmp_path / "t.csv", text).features["a"].texts is not None
    given = read(tmp_path / "t.csv", text, reading=Reading(decimal=","))
    assert given.features["a"].values[:2].tolist() == [1.234, 5.678]
    both = semicolons([("0,5", "1.5"), ("1,5", "2.5")] * 3)
    assert read(tmp_path / "t.csv", both).features["a"].texts is not None


def test_headers(tmp_path):
    rows = "".join(f"{i};{i * i};{i % 2}\n" for i in range(9))
    named = "Export of today;;\na;b;y\n" + rows
    with pytest.raises(TaskError, match=r"2 of 3 columns have no name; .* say header: 2"):
        read(tmp_path / "t.csv", named)
    table = read(tmp_path / "t.csv", named, reading=Reading(header=2))
    assert list(table.features) == ["a", "b"] and table.place(0) == "line 3"
    with pytest.raises(TaskError, match="say header: 0"):
        read(tmp_path / "t.csv", rows)
    table = read(tmp_path / "t.csv", rows, target=2, reading=Reading(header=0))
    assert list(table.features) == ["0", "1"] and table.place(8) == "line 9"


def test_columns_without_a_name(tmp_path):
    rows = "".join(f"{i},{i * i % 7},{i % 2},\n" for i in range(9))
    table = read(tmp_path / "t.csv", ",a,y,\n" + rows)
    assert list(table.features) == ["a"]
    assert [note.partition(": ")[2] for note in table.notes] == [
        "column 0 (from 0) has no name and counts the rows; it is left out",
        "column 3 (from 0) has no name and is empty; it is left out",
    ]
    text = ",a,y,a\n" + "".join(f"{i * i},{i},{i % 2},3\n" for i in range(9))
    with pytest.raises(TaskError, match=r"column 0 .* no name; column 3 .*: ignore: \[0, 3\]"):
        read(tmp_path / "t.csv", text)
    assert list(read(tmp_path / "t.csv", text, ignore=[0, 3]).features) == ["a"]
    with pytest.raises(TaskError, match=r"columns 1, 3 .* have the same name, 'a'"):
        read(tmp_path / "t.csv", text, keep=["a"])


def test_lines_in_messages_where_cells_have_line_breaks(tmp_path):
    text = 'a,b,y\n1,"x\ny",0\n\n2,z,1\n3,w,0\n4,v,inf\n'
    assert read(tmp_path / "t.csv", text).place(1) == "line 5"


@pytest.mark.parametrize(
    "row, message",
    [
        ("1,2", "line 12: 2 cells, the header has 3 columns"),
        ("1,2,3,4", "line 12: 4 cells, the header has 3 columns"),
        ("1,2\n1,2,3,4", "line 12: 2 cells"),
        ('1,"2,3', "not CSV"),
    ],
)
def test_ragged_rows(tmp_path, row, message):
    text = "a,b,y\n" + "".join(f"{i},{i * i},{i % 2}\n" for i in range(10)) + row + "\n1,2,0\n"
    with pytest.raises(TaskError, match=message):
        read(tmp_path / "t.csv", text)


def test_encodings(tmp_path):
    text = "größe,y\n" + "".join(f"{i * i},{'ja' if i % 2 else 'nö'}\n" for i in range(9))
    with pytest.raises(TaskError, match=r"not UTF-8 text .*; say encoding: cp1252"):
        read(tmp_path / "t.csv", text.encode("cp1252"))
    table = read(tmp_path / "t.csv", text.encode("cp1252"), reading=Reading(encoding="cp1252"))
    assert list(table.features) == ["größe"] and understand(table).classes == ("ja", "nö")
    with pytest.raises(TaskError, match="encoding: 'utf-9' is not known"):
        read(tmp_path / "t.csv", text, reading=Reading(encoding="utf-9"))


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("zero.data.csv_tables.ZIP_FREE_BYTES", 1000)
    with pytest.raises(TaskError, match="more than 100 times its size"):
        read(tmp_path / "t.csv.gz", gzip.compress(b"a,y\n" + b"1,2\n" * 300_000))


# --- what is predicted ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, problem, classes",
    [
        (["yes", "no"], "binary", ("no", "yes")),
        ([0, 1], "binary", ("0", "1")),
        ([True, False], "binary", ("False", "True")),
        (["a", "b", "c"], "multiclass", ("a", "b", "c")),
        ([1, 2, 3], "multiclass", ("1", "2", "3")),
        ([0.5, 1.5, 2.5, 7.25], "regression", ()),
        (list(range(30)), "regression", ()),
    ],
)
def test_problems_are_told_from_the_target(values, problem, classes):
    y = (values * 60)[:60]
    frame = pd.DataFrame({"a": np.arange(60) ** 2, "y": y})
    data = table_from_frame(frame, "y").data()
    assert (data.problem, data.classes) == (problem, classes)
    assert f"problem: {problem}" in data.notes[-1]
    assert table_from_frame(frame, "y", problem).data().notes == ()


def test_rows_without_a_target_are_left_out():
    frame = pd.DataFrame({"a": np.arange(30) ** 2, "y": ["u", "v", None] * 10})
    data = table_from_frame(frame, "y").data()
    assert len(data) == 20 and data.columns[0].values[2] == 9
    assert "10 rows of 30 have no 'y' and are left out" in data.notes[0]


def test_several_classes_make_tasks_of_one_against_the_rest():
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=300)
    frame = pd.DataFrame({"a": rng.random(300) + label, "b": rng.random(300), "y": label})
    family = table_from_frame(frame, "y", count=6)
    tasks = make_task_set(family, "search")
    assert [name.split("=")[1].split("-")[0] for name in tasks.names].count("2") == 2
    for i in range(0, 6):
        share = tasks.train_y[i].mean()
        assert 0.2 < share < 0.45
    first = int(tasks.names[0].rpartition("seed")[2])
    first += -first % 3  # so that the next three tasks share their rows
    rows = [family.rows(first + k)["train"] for k in range(3)]
    assert np.array_equal(rows[0], rows[1]) and np.array_equal(rows[0], rows[2])


# --- splits ---------------------------------------------------------------------------------------


def family_of(n=400, **keys):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"a": rng.random(n), "who": np.arange(n) // 7, "when": rng.permutation(n),
         "part": np.array(["train", "Test", "train", "valid", "train"])[np.arange(n) % 5],
         "y": rng.integers(2, size=n)}
    )  # fmt: skip
    unused = {"who", "when", "part"} - set(keys.values())
    return frame, table_from_frame(frame, "y", "binary", ignore=sorted(unused), **keys)


def test_select_rows_are_seen_by_select_tasks_alone():
    _, family = family_of()
    parts = [family.rows(seed) for seed in range(6)]
    apart = set(parts[0]["select"].tolist()) | set(parts[0]["test"].tolist())
    assert len(apart) == len(parts[0]["select"]) + len(parts[0]["test"]) > 100
    for rows in parts:
        assert not apart & set(np.concatenate([rows["train"], rows["valid"]]).tolist())
        assert np.array_equal(rows["select"], parts[0]["select"])
    ids = make_task_set(family, "select").valid_ids
    assert set(ids[0].tolist()) == set(parts[0]["select"].tolist())
    _, small = family_of(100)
    assert len(small.rows(0)["select"]) == 0  # too few rows: select tasks score on valid rows
    assert make_task_set(small, "select").valid_y.shape == (1, len(small.rows(1)["valid"]))
    _, given = family_of(train=0.5, valid=0.25, test=0.25)
    assert len(given.rows(0)["select"]) == 0


def test_groups_stay_together():
    frame, family = family_of(groups="who")
    for seed in range(5):
        rows = family.rows(seed)
        groups = {part: set(frame["who"][r]) for part, r in rows.items()}
        for one in groups:
            for other in groups:
                assert one == other or not groups[one] & groups[other], (one, other)
    assert "who" not in [c.name for c in family.data().columns]
    assert len({make_task_set(family, "search").train_x.shape}) == 1


def test_later_rows_are_predicted_from_earlier_ones():
    frame, family = family_of(time="when", count=4)
    when = frame["when"].to_numpy()
    starts = set()
    for seed in range(8):
        rows = family.rows(seed)
        assert when[rows["train"]].max() < when[rows["valid"]].min()
        assert when[rows["valid"]].max() < when[rows["select"]].min()
        assert when[rows["select"]].max() < when[rows["test"]].min()
        starts.add(int(when[rows["train"]].min()))
    assert len(starts) > 2
    with pytest.raises(TaskError, match="time needs a date or a number in every row"):
        table_from_frame(frame, "y", ignore=["who"], time="part").rows(0)


def test_a_column_says_which_rows_are_for_what():
    frame, family = family_of(split_by="part")
    rows = family.rows(3)
    assert set(frame["part"][rows["test"]]) == {"Test"}
    assert set(frame["part"][rows["select"]]) == {"valid"}
    assert set(frame["part"][np.concatenate([rows["train"], rows["valid"]])]) == {"train"}
    with pytest.raises(TaskError, match="'dev'; split_by needs test"):
        table_from_frame(frame.replace({"part": {"valid": "dev"}}), "y", split_by="part").rows(0)


def test_a_test_file(tmp_path):
    text = people(300)
    head, *lines = text.splitlines(keepends=True)
    (tmp_path / "train.csv").write_text(head + "".join(lines[:220]))
    (tmp_path / "test.csv").write_text(head + "".join(lines[220:]))
    keys = {"type": "table", "path": str(tmp_path / "train.csv"), "target": "survived", "count": 2}
    family = from_settings({**keys, "test_path": str(tmp_path / "test.csv")})
    rows = family.rows(0)
    assert rows["test"].tolist() == list(range(220, 300))
    assert make_task_set(family, "final").valid_y.shape == (2, 80)
    assert np.array_equal(family.rows_to_keep_learning(), np.arange(220))
    (tmp_path / "other.csv").write_text("survived,b\nyes,1\nno,2\n")
    with pytest.raises(TaskError, match="its columns are not those of"):
        from_settings({**keys, "test_path": str(tmp_path / "other.csv")}).rows(0)


def test_rows_have_the_numbers_that_the_user_knows_them_by(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,0.5\n2,\n3,1.5\n5,2.5\n")
    more = tmp_path / "more.csv"
    more.write_text("x,y\n1,\n9,9.5\n7,8.5\n")
    keys = {"path": str(path), "target": "y", "problem": "regression"}
    data = from_settings({"type": "table", "test_path": str(more), **keys}).data()
    assert data.y.tolist() == [0.5, 1.5, 2.5, 9.5, 8.5]
    assert data.numbers.tolist() == [1, 3, 4, 2, 3]
    assert from_tree(to_tree(data), path).numbers.tolist() == [1, 3, 4, 2, 3]


def test_a_large_table_gives_tasks_of_some_thousand_rows():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.random(100_000), "y": rng.integers(2, size=100_000)})
    family = table_from_frame(frame, "y", count=2)
    tasks = make_task_set(family, "search")
    assert tasks.train_x.shape == (2, 4000, 1) and tasks.valid_x.shape == (2, 2000, 1)
    assert len(family.rows_to_keep_learning()) > 80_000


# --- preparation ----------------------------------------------------------------------------------


def columns_of(rows=400):
    rng = np.random.default_rng(2)
    texts = {
        "x": [f"{v:.3f}" for v in rng.normal(50, 9, rows)],
        "colour": [["red", "green", "blue", "grey"][k] for k in rng.integers(4, size=rows)],
        "rare": ["a" if k else f"only{i}" for i, k in enumerate(rng.random(rows) < 0.99)],
        "gone": ["" if k else str(i % 9) for i, k in enumerate(rng.random(rows) < 0.3)],
    }
    columns = []
    for name, cells in texts.items():
        distinct = [t for t in dict.fromkeys(cells) if t]
        place = {t: i for i, t in enumerate(distinct)} | {"": -1}
        columns.append(of_texts(name, np.array([place[t] for t in cells], np.int32), distinct))
    return texts, columns


def test_preparation_is_that_of_scikit_learn():
    texts, columns = columns_of()
    train, rest = np.arange(250), np.arange(250, 400)
    which = ["number", "category", "category", "number"]
    plans = [plan_column(c.take(train), k) for c, k in zip(columns, which, strict=True)]
    raw = raw_features(plans, {c.name: c for c in columns})
    mine = fit(plans, raw[train])
    frame = pd.DataFrame(texts)
    frame["x"] = frame["x"].astype(float)
    frame["gone"] = pd.to_numeric(frame["gone"], errors="coerce")
    hot = OneHotEncoder(min_frequency=3, handle_unknown="infrequent_if_exist", sparse_output=False)
    theirs = make_pipeline(
        ColumnTransformer(
            [("x", "passthrough", ["x"]), ("hot", hot, ["colour", "rare"]),
             ("gone", SimpleImputer(strategy="median", add_indicator=True), ["gone"])]
        ),
        StandardScaler(),
    ).fit(frame.iloc[train])  # fmt: skip
    expected = theirs.transform(frame.iloc[rest])
    np.testing.assert_allclose(mine.of_raw(raw[rest]), expected, rtol=1e-12, atol=1e-12)
    assert mine.feature_names == [
        "x", "colour=blue", "colour=green", "colour=grey", "colour=red", "rare=a", "rare=(other)",
        "gone", "gone=(empty)",
    ]  # fmt: skip


def test_preparation_is_kept_as_plain_values():
    _, columns = columns_of()
    plans = [plan_column(c, "category" if c.texts else "number") for c in columns]
    table = {c.name: c for c in columns}
    mine = fit(
        plans, raw_features(plans, table), matrix=np.random.default_rng(0).normal(size=(9, 4))
    )
    again = Preparation.from_tree(mine.to_tree())
    assert np.array_equal(again.features(table), mine.features(table))
    assert again.num_features == 4


def test_new_rows_of_a_table():
    columns = {
        "age": of_texts("age", np.array([0, 1, 2, -1] * 9), ["1", "2", "4"]),
        "sex": of_texts("sex", np.array([0, 1, 1, 0] * 9), ["f", "m"]),
        "day": of_texts(
            "day", np.array([0, 1, 1, 2] * 9), ["2020-01-31", "2021-02-01", "2022-03-09"]
        ),
    }
    plans = [
        plan_column(c, k)
        for c, k in zip(columns.values(), ("number", "category", "date"), strict=True)
    ]
    mine = fit(plans, raw_features(plans, columns))
    new = {
        "day": of_texts("day", np.array([0, -1]), ["2020-01-31"]),
        "more": of_texts("more", np.array([0, 0]), ["1"]),
        "sex": of_texts("sex", np.array([0, 1]), ["x", "m"]),
        "age": of_texts("age", np.array([-1, 0]), ["2"]),
    }
    x = mine.features(new)
    raw = dict(zip(mine.feature_names, (x * mine.scale + mine.mean).T, strict=True))
    assert raw["age"].tolist() == [2, 2] and np.allclose(raw["age=(empty)"], [1, 0])
    assert np.allclose(raw["sex=m"], [0, 1])
    assert np.allclose(raw["day.days"], [18292, 18659])  # the median where it is empty
    with pytest.raises(
        TaskError, match="lacks 2 columns that the program needs: age, sex; it has day"
    ):
        mine.features({"day": new["day"]})
    wrong = {**new, "age": of_texts("age", np.array([0, 1]), ["2", "two"]),
             "day": of_texts("day", np.array([0, 1]), ["2020-01-31", "31.1.2020"])}  # fmt: skip
    with pytest.raises(
        TaskError, match=r"'age', row 1 .*'two' is no number; .*'day', row 1 .* no date"
    ):
        mine.features(wrong)


def test_a_table_is_kept_as_it_was_understood(tmp_path):
    data = understand(read(tmp_path / "t.csv", people(), "survived", special={"groups": "port"}))
    again = from_tree(to_tree(data), tmp_path)
    assert kinds(again) == kinds(data) and again.notes == data.notes
    assert np.array_equal(again.y, data.y) and again.special["groups"].cell(3) == "S"
    with pytest.raises(TaskError, match="holds no table"):
        from_tree({**to_tree(data), "columns": 3}, tmp_path)


def test_a_frame_with_texts_is_stored_with_the_run(tmp_path):
    frame = pd.read_csv(_file(tmp_path, "t.csv", people(250))).assign(home=np.arange(250) // 5)
    family = table_from_frame(
        frame, "survived", types={"class": "category"}, groups="home", count=2
    )
    stored = family.stored(tmp_path / "data.npz")
    for purpose in ("search", "final"):
        mine, its = make_task_set(family, purpose), make_task_set(stored, purpose)
        assert np.array_equal(mine.train_x, its.train_x) and np.array_equal(
            mine.valid_y, its.valid_y
        )


# --- large tables ---------------------------------------------------------------------------------


def test_of_a_large_table_only_the_rows_asked_for_become_features(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text(people(600))
    sizes = {"count": 2, "train": 40, "valid": 20}
    keys = {"type": "table", "path": str(path), "target": "survived", **sizes}
    small = make_task_set(from_settings(keys), "search")
    asked = []

    def counted(plans, table, decimal):
        asked.append(len(next(iter(table.values()))))
        return raw_features(plans, table, decimal)

    monkeypatch.setattr(family_of_tables, "raw_features", counted)
    monkeypatch.setattr(family_of_tables, "MOST_KEPT", 0)
    monkeypatch.setattr(family_of_tables, "BLOCK", 16)
    large = make_task_set(from_settings(keys), "search")
    assert max(asked) == 40  # to fit the preparation; then 16 at a time
    for name in ("train_x", "train_y", "valid_x", "valid_y"):
        assert np.array_equal(getattr(small, name), getattr(large, name))


@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("size", [0, 1, 7, 500, 999, 1000])
def test_the_first_rows_of_an_order_are_those_of_the_whole_order(classes, size):
    shares = {0: [1.0], 2: [0.1, 0.9], 3: [0.01, 0.3, 0.69]}[classes]
    y = np.random.default_rng(1).choice(len(shares), 1000, p=shares)
    whole, first = (
        parts.spread(y.astype(float), classes, np.random.default_rng(0), n) for n in (1000, size)
    )
    assert sorted(whole) == list(range(1000))
    assert np.array_equal(first, whole[:size])


def test_rows_are_scaled_in_blocks_as_at_once(monkeypatch):
    _, columns = columns_of()
    plans = [plan_column(c, "category" if c.texts else "number") for c in columns]
    raw = raw_features(plans, {c.name: c for c in columns})
    mine = fit(plans, raw)
    at_once = mine.of_raw(raw)
    monkeypatch.setattr(prepare, "BLOCK", 7)
    assert np.array_equal(mine.of_raw(raw), at_once)


def test_of_many_missing_columns_some_are_named():
    plans = [prepare.ColumnPlan(f"x{i}", "number") for i in range(200)]
    with pytest.raises(TaskError, match=r"lacks 200 columns .*, x19, and 180 more; it has none$"):
        raw_features(plans, {})


YEARS = "2019,2020,2021\n" + "".join(f"{i / 8},{i * i % 7},{i % 2}\n" for i in range(9))


def test_a_line_with_a_column_that_is_asked_for_is_the_header(tmp_path):
    with pytest.raises(TaskError, match=r"header: 0 .*\(if these are names, header: 1\)"):
        read(tmp_path / "t.csv", YEARS, target=2)
    assert list(read(tmp_path / "t.csv", YEARS, target="2021").features) == ["2019", "2020"]
    mostly = YEARS.replace("2021", "y", 1)
    assert read(tmp_path / "t.csv", mostly, target="y").target.name == "y"
    nameless = "a,,,,y\n" + "".join(f"{i / 8},u,v,w,{i % 2}\n" for i in range(9))
    assert list(read(tmp_path / "t.csv", nameless, keep=["a"]).features) == ["a"]


def test_an_index_without_a_name_in_any_order(tmp_path):
    order = np.random.default_rng(0).permutation(30)[:20]
    rows = "".join(f"{i},{i / 8},{i % 2}\n" for i in order)
    assert list(read(tmp_path / "t.csv", ",a,y\n" + rows).features) == ["a"]


def test_decimal_commas_of_frames_and_arrays():
    cells = [f"{i / 8}".replace(".", ",") for i in range(9)]
    frame = pd.DataFrame({"a": cells, "y": np.arange(9) % 2})
    for found in (
        of_frame(frame, Wanted("y")),
        of_arrays(np.array(cells)[:, None], frame["y"], ["a"]),
    ):
        assert found.features["a"].values.tolist() == [i / 8 for i in range(9)]
        assert 'decimal: ","' in found.notes[0] and found.decimal == ","
    mixed = frame.assign(b=[f"{i / 8}" for i in range(9)])
    assert of_frame(mixed, Wanted("y")).decimal == "."


def test_names_of_a_sheet_are_those_of_its_header(tmp_path):
    pytest.importorskip("openpyxl")
    frame = pd.DataFrame([[i / 8, i * i % 7, i % 2, i % 3] for i in range(9)])
    path = tmp_path / "t.xlsx"
    frame.set_axis(["a", "a", "y", 2019], axis=1).to_excel(path)
    found = read_table(path, Wanted("y", ignore=[2]))
    assert list(found.features) == ["a", "2019"] and "counts the rows" in found.notes[0]
    frame.to_excel(path, header=["a", "b", "y", "c"], index=False, startrow=2)
    found = read_table(path, Wanted("y"), Reading(header=3))
    assert list(found.features) == ["a", "b", "c"]
    frame.to_excel(path, header=False, index=False)
    assert list(read_table(path, Wanted(2), Reading(header=0)).features) == ["0", "1", "3"]


def test_columns_that_nobody_needs_may_be_of_any_kind(tmp_path):
    (tmp_path / "t.csv").write_text("a,a,,b\n1,2,u,3\n4,5,v,6\n")
    found = read_table(tmp_path / "t.csv", Wanted(only=["b", "c"]))
    assert list(found.features) == ["b"]
    np.savez(tmp_path / "t.npz", X=np.eye(2))
    assert list(read_table(tmp_path / "t.npz", Wanted(only=["1"])).features) == ["1"]


def test_names_that_yaml_would_read_as_something_else_stand_in_quotes():
    for name in ("yes", "NO", "off", "2024-01-01", "0b1", "1_0", "a: b", "a,b", "", "null", "\t"):
        assert yaml.safe_load(f"ignore: {written([name])}") == {"ignore": [name]}


def test_infinities_say_nothing_of_the_decimal_sign_and_warn_of_nothing(recwarn):
    commas = (np.arange(2), ["1,5", "2,5"])
    assert decimal_of([commas, np.array([1.0, np.inf, -np.inf, np.nan])]) == ","
    assert decimal_of([commas, np.array([1.0, 0.5])]) == "."
    assert not recwarn.list

"""Tables as frames for scikit-learn, at training and for new rows."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from zero.data.frame_of import FrameColumn, frame_columns, frame_of, rows_like, wanted_rows
from zero.data.frames import of_frame
from zero.data.table import Wanted
from zero.data.tables import read_table
from zero.data.understand import understand
from zero.errors import TaskError

TEXT = "size,color,when,note,y\n" + "".join(
    f"{i}.5,{('red', 'blue', '')[i % 3]},{1 + i % 28}.12.{2020 + i % 3},{i} is not so much,{i % 2}\n"
    for i in range(60)
)


@pytest.fixture
def data(tmp_path):
    (tmp_path / "t.csv").write_text(TEXT)
    return understand(read_table(tmp_path / "t.csv", Wanted("y")), texts=True, lenient=True)


def new_rows(path, text, columns):
    path.write_text(text)
    return rows_like(read_table(path, wanted_rows(columns)), columns)


def test_a_frame_holds_what_the_file_does(data):
    frame = frame_of(data.columns, data.kinds)
    assert data.kinds == ("number", "category", "date", "text") and len(frame) == 60
    assert frame["size"].dtype == np.float64 and frame["size"].tolist()[:2] == [0.5, 1.5]
    assert frame["color"].dtype == frame["note"].dtype == object
    assert frame["color"].tolist()[:2] == ["red", "blue"] and frame["color"].isna().sum() == 20
    assert frame["when"].dtype.kind == "M" and frame["when"].iloc[4] == pd.Timestamp(2021, 12, 5)
    assert frame["note"].iloc[3] == "3 is not so much"


def test_encoders_take_it_without_a_word(data):
    frame, y = frame_of(data.columns, data.kinds), data.y
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    later = pd.concat([frame[["color"]].iloc[:3]] * 2).reset_index(drop=True)
    later.loc[0, "color"] = "green"
    empty = frame[["color"]].assign(color=pd.Series([np.nan] * 60, dtype=object))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ordinal = OrdinalEncoder(encoded_missing_value=-2, **unknown).fit(frame[["color"]])
        assert ordinal.transform(later).ravel().tolist()[:3] == [-1, 0, -2]
        hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2).fit(
            frame[["color"]]
        )
        assert hot.transform(later).toarray()[:3].tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 1]]
        TargetEncoder(target_type="binary").fit(frame[["color"]], y).transform(later)
        filled = SimpleImputer(strategy="constant", fill_value="").fit_transform(frame[["color"]])
        assert filled.ravel().tolist()[:3] == ["red", "blue", ""]
        assert (ordinal.transform(empty) == -2).all()


def test_new_rows_become_the_same_frame(data, tmp_path):
    columns = frame_columns(data)
    lines = TEXT.splitlines()
    mixed = "note,extra,when,color,size\n" + "".join(
        "{3},,{2},{1},{0}\n".format(*line.split(",")) for line in lines[1:]
    )
    frame, notes = new_rows(tmp_path / "n.csv", mixed, columns)
    pd.testing.assert_frame_equal(frame, frame_of(data.columns, data.kinds))
    assert notes == []
    # Each date alone may be read in two ways: it is read as the train rows' were.
    one, _ = new_rows(tmp_path / "n.csv", "\n".join([lines[0], "1,green,3.12.2021,,"]), columns)
    assert one["when"].tolist() == [pd.Timestamp(2021, 12, 3)] and one["color"].tolist() == [
        "green"
    ]
    assert pd.isna(one["note"].iloc[0])


def test_cells_of_another_kind_become_empty_with_a_note(data, tmp_path):
    text = "size,color,when,note\n1,red,2.12.2020,a\nbig,red,soon,b\n2024-01-01,7,3.12.2020,c\n"
    frame, notes = new_rows(tmp_path / "n.csv", text, frame_columns(data))
    assert frame["size"].isna().tolist() == [False, True, True]
    assert frame["when"].isna().tolist() == [False, True, False]
    assert frame["color"].tolist() == ["red", "red", "7"]
    where = tmp_path / "n.csv"
    assert notes == [
        f"{where}: 2 cells are no numbers and are taken as empty: 'size' (2; first 'big' in line 3)",
        f"{where}: 1 cell is no date and is taken as empty: 'when' (1; first 'soon' in line 3)",
    ]
    frame, notes = new_rows(tmp_path / "n.csv", text.replace("big", "inf"), frame_columns(data))
    assert frame["size"].isna().tolist() == [False, True, True]


def test_all_missing_columns_are_named(data, tmp_path):
    with pytest.raises(TaskError, match=r"2 columns are missing .*: color, note; the table has"):
        new_rows(tmp_path / "n.csv", "when,size\n1.12.2020,3\n", frame_columns(data))
    with pytest.raises(TaskError, match=r"1 column is missing .*: size; the table has when"):
        new_rows(tmp_path / "n.csv", "when,color,note\n1.12.2020,a,b\n", frame_columns(data))


def test_dates_that_nanoseconds_cannot_count(tmp_path):
    text = "when\n9999-12-31\n0100-01-01T10:00:00\n"
    frame, _ = new_rows(tmp_path / "n.csv", text, [FrameColumn("when", "date", "iso")])
    assert frame["when"].dt.year.tolist() == [9999, 100] and frame["when"].dt.hour.tolist() == [
        0,
        10,
    ]


def test_a_new_row_alone_has_the_texts_of_the_train_rows(tmp_path):
    """What looks like a number or a truth alone is a text where others of the train rows were none."""
    cells = {"code": ["007", "x1", "12"] * 20, "flag": ["True", "False", "unknown"] * 20}
    cells |= {"grade": ["01", "2", "3"] * 20, "y": [0, 1] * 30}
    pd.DataFrame(cells).to_csv(tmp_path / "t.csv", index=False)
    data = understand(
        read_table(tmp_path / "t.csv", Wanted("y")), types={"grade": "category"}, texts=True
    )
    columns = frame_columns(data)
    assert frame_of(data.columns, data.kinds).iloc[0].tolist() == ["007", "True", "1"]
    frame, _ = new_rows(tmp_path / "n.csv", "grade,flag,code\n01,True,007\n2,,\n", columns)
    assert frame.iloc[0].tolist() == ["007", "True", "1"] and frame["code"].isna().tolist() == [
        False,
        True,
    ]
    one = pd.DataFrame({"code": [12], "flag": [True], "grade": [3]})
    frame, _ = rows_like(of_frame(one, wanted_rows(columns)), columns)
    assert frame.iloc[0].tolist() == ["12", "True", "3"]

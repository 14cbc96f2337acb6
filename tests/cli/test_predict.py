"""`zero predict`: what it prints and writes, for a trained network of cells."""

import csv
import io
import json
import sys

import pytest
from commands import zero_
from image_kinds import write_images
from small_cells import small_cell_settings

from zero.cli.predict import _as_csv, _as_json_lines
from zero.config import yaml
from zero.runs.model import Predictions


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a training of one epoch on a folder of images, and the images'."""
    folder = tmp_path_factory.mktemp("predict")
    for name in ("cats", "big dogs"):
        write_images(folder / "images" / name, len(name))
    settings = small_cell_settings(cells={
        "images": {"source": "folder", "path": str(folder / "images"), "resize": [8, 8],
                   "channels": 1, "train": None, "valid": None, "test": None},
        "training": {"epochs": 1, "batch": 4},
    })  # fmt: skip
    (folder / "small.yaml").write_text(yaml.dump(settings))
    zero_("train", "nas_bench_201_skip", folder / "small.yaml", "--out", folder / "run", "--quiet")
    return folder / "run", folder / "images"


def test_csv_goes_to_where_it_is_wanted(trained, tmp_path):
    run, images = trained
    (images / "cats" / "notes.txt").write_text("")
    out, err = zero_("predict", run, images)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["file", "class", "probability", "p(big dogs)", "p(cats)"]
    assert len(rows) == 24 and rows[0]["file"].startswith("big dogs/")
    for row in rows:
        assert (
            row["class"] in ("cats", "big dogs") and row["probability"] == row[f"p({row['class']})"]
        )
        assert float(row["p(cats)"]) + float(row["p(big dogs)"]) == pytest.approx(1, abs=1e-6)
    notes = [line for line in err.splitlines() if not line.startswith("compiling ")]
    assert notes == ["note: 1 file left out (.txt 1)"]
    written, _ = zero_("predict", run, images, "-o", tmp_path / "found.csv")
    assert written == f"wrote {tmp_path / 'found.csv'}\n"
    assert (tmp_path / "found.csv").read_text(encoding="utf-8") == out
    zero_("predict", run, images, "-o", tmp_path / "found.jsonl")
    lines = (tmp_path / "found.jsonl").read_text().splitlines()
    for line, row in zip(map(json.loads, lines), rows, strict=True):
        assert (
            line["file"] == row["file"]
            and f"{line['probability']:.5f}" == f"{float(row['probability']):.5f}"
        )


def test_a_terminal_gets_a_table(trained, monkeypatch, capsys):
    from zero.cli.predict import predict

    run, images = trained
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    predict(run=str(run), data=images / "cats" / "OTHER.JPG", output=None, debug=False)
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["file", "class", "probability"] and row.startswith("OTHER.JPG")


def test_what_goes_wrong_is_one_line(trained, tmp_path):
    run, images = trained
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        ((tmp_path / "none", images), "there is no"),
        ((tmp_path / "empty", images), "has no config.yaml"),
        ((run, tmp_path / "none"), "no such file or folder"),
        ((run, tmp_path / "empty"), "no images"),
        ((run, images, "-o", tmp_path / "a.txt"), "give a name in .csv or .jsonl"),
        ((run, images, "-o", tmp_path / "none" / "a.csv"), "cannot write"),
    ):
        out, err = zero_("predict", *arguments, code=1)
        errors = [line for line in err.splitlines() if line.startswith("error: ")]
        assert out == "" and len(errors) == 1 and words in errors[0] and "Traceback" not in err


def test_figures_and_names_as_they_are_written():
    found = Predictions({"file": ['a "b",c', "\udcff"], "value": [0.5, float("nan")], "n": [1, 2]})
    assert _as_csv(found) == 'file,value,n\n"a ""b"",c",0.5,1\n\udcff,nan,2\n'
    first, second = map(json.loads, _as_json_lines(found).splitlines())
    assert first == {"file": 'a "b",c', "value": 0.5, "n": 1}
    assert second["value"] is None

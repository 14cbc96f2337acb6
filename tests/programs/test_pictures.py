"""What a run keeps of test rows, and `zero plot`."""

from dataclasses import replace

import numpy as np
import pytest
from commands import zero_

from zero.errors import ArchiveError
from zero.programs.predicted_rows import FILE, PredictedRows, load, save
from zero.programs.scores import LOGISTIC, RIDGE, THIS, Predicted, Truth

KINDS = {  # of test rows: number of classes, and what can be drawn
    2: ["roc", "pr", "calibration", "confusion"],
    3: ["roc", "pr", "calibration", "confusion"],
    26: ["roc", "pr", "calibration", "confusion"],
    0: ["residuals"],
}


def some(classes, rows=120, weighted=False):
    rng = np.random.default_rng(0)
    y = rng.integers(classes or 9, size=rows).astype(float)
    weights = rng.random(rows) if weighted else None
    found = {}
    for name, noise in ((THIS, 1.0), (LOGISTIC if classes else RIDGE, 2.0)):
        if classes == 0:
            found[name] = Predicted(y + noise * rng.normal(size=rows), None)
            continue
        chances = np.exp(np.eye(classes)[y.astype(int)] + noise * rng.normal(size=(rows, classes)))
        chances /= chances.sum(axis=1, keepdims=True)
        found[name] = Predicted(chances.argmax(axis=1).astype(float), chances)
    names = tuple(f'$ of "{k}", weight' for k in range(classes))
    return PredictedRows(np.arange(3, rows + 3), "weight", names, Truth(y, classes, weights), found)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text("program: {}\n")
    return folder


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", KINDS)
def test_predictions_are_kept_to_the_last_bit(run, classes, weighted):
    one = some(classes, weighted=weighted)
    save(one, run)
    two = load(run)
    assert (two.target, two.classes) == (one.target, one.classes)
    assert two.numbers.tolist() == one.numbers.tolist()
    assert two.truth.y.tolist() == one.truth.y.tolist() and two.truth.classes == classes
    if weighted:
        assert two.truth.weights.tolist() == one.truth.weights.tolist()
    else:
        assert two.truth.weights is None
    assert list(two.predictors) == list(one.predictors)
    for name, found in one.predictors.items():
        again = two.predictors[name]
        assert again.values.tolist() == found.values.tolist()
        if classes:
            assert again.chances.tolist() == found.chances.tolist()


def test_a_file_that_is_another_by_now(run):
    with pytest.raises(ArchiveError, match=r"has no test_predictions\.csv"):
        load(run)
    save(some(2), run)
    lines = (run / FILE).read_text().splitlines()
    for text in (
        "",
        "\n".join(lines[:1]),
        lines[0] + "\n1,2\n",
        "\n".join(lines).replace("0.", "x"),
    ):
        (run / FILE).write_text(text)
        with pytest.raises(ArchiveError, match="is not as the run wrote it"):
            load(run)


@pytest.mark.parametrize("classes", KINDS)
def test_pictures(run, classes, tmp_path):
    save(some(classes, weighted=classes == 3), run)
    for what in KINDS[classes]:
        for name, begins in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG")):
            out, _ = zero_("plot", run, "--what", what, "-o", tmp_path / name)
            assert "wrote" in out
            first = (tmp_path / name).read_bytes()
            assert first.startswith(begins)
            zero_("plot", run, "--what", what, "-o", tmp_path / name)
            assert (tmp_path / name).read_bytes() == first  # the same each time


def test_the_first_picture_is_the_default(run, tmp_path):
    save(some(2), run)
    zero_("plot", run, "-o", tmp_path / "a.svg")
    zero_("plot", run, "--what", "roc", "-o", tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--what", "residuals", "-o", "a.svg"],
            "unknown picture 'residuals' (known: calibration, confusion, pr, roc)",
        ),
        (["-o", "a.pdf"], "cannot tell how to write a.pdf: give a name in .svg or .png"),
    ],
)
def test_what_cannot_be_drawn_is_told(run, arguments, said):
    save(some(2), run)
    _, err = zero_("plot", run, *arguments, code=1)
    assert said in err and len(err.splitlines()) == 1


def test_predictions_that_are_no_numbers_are_drawn(run, tmp_path):
    one = some(0)
    values = one.predictors[THIS].values.copy()
    values[3] = np.nan
    save(replace(one, predictors={**one.predictors, THIS: Predicted(values, None)}), run)
    zero_("plot", run, "-o", tmp_path / "a.png")

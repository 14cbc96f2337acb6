"""A run over a table keeps its outcome, ready for new rows."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from commands import zero_

import zero
from tests.data.test_tables import people
from zero.programs import keep, library, predicted_rows, room
from zero.programs.domain import ProgramsDomain
from zero.programs.interpreter.reference import run
from zero.programs.model import FILE, load_model
from zero.programs.program import Program, memory_needed
from zero.programs.trained import train
from zero.programs.view import _print_if_shipped
from zero.runs.archive import read_archive
from zero.runs.folder import RunFolder
from zero.tasks import TaskSet

SMALL = [
    "budget.individuals=300", "search.population=20", "search.tournament=5", "islands.count=1",
    "tasks.search.problem=null",
]  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    (folder / "people.csv").write_text(people(240))
    return folder / "people.csv"


@pytest.fixture(scope="module")
def finished(table):
    path, target = f"tasks.search.path={table}", "tasks.search.target=survived"
    config = zero.load_config("own_csv", [path, target, *SMALL])
    return zero.start(config, out=table.parent / "run", quiet=True)


@pytest.mark.parametrize("name", ["linear", "neural_network", "paper_best"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_are_predicted_as_the_reference_does(name, dtype):
    rng = np.random.default_rng(0)
    x, program = rng.normal(size=(120, 5)), library.program(name)
    labels = [(x[:, 0] * x[:, k] > 0).astype(float) for k in (1, 2, 3)]
    trained = train(program, x, labels, "accuracy", 2, dtype=dtype, seed_key=7)
    scores = trained.scores(x)
    for k, y in enumerate(labels):
        keys = np.array([k], np.uint32)
        tasks = TaskSet(("t",), keys, x[None], y[None], x[None], y[None], "accuracy", 2)
        found = run(
            program, memory_needed(program), tasks, 0, seed_key=7, dtype=dtype, independent=True
        )
        assert found.valid_errors == ((scores[:, k] > 0) != (y > 0.5)).astype(float).tolist()


def test_training_that_fails_is_told():
    x = np.full((10, 2), 1e9)
    with pytest.raises(zero.ZeroError, match="training failed after"):
        train(library.program("linear"), x, [np.arange(10.0)], "rms_error", 3)


def test_new_rows_in_any_order_with_gaps_and_new_texts(finished, table):
    model = zero.load(finished.folder)
    assert model.classes == ("no", "yes")
    frame = pd.read_csv(table)
    first = model.predict(frame)
    chances = model.predict_proba(frame)
    assert set(first) <= {"no", "yes"} and np.allclose(chances.sum(axis=1), 1)
    assert np.array_equal(first == "yes", chances[:, 1] > 0.5)
    shuffled = frame[sorted(frame.columns)].drop(columns=["survived", "name"])
    assert np.array_equal(model.predict(shuffled), first)
    shuffled.loc[3, "age"], shuffled.loc[4, "port"] = np.nan, "X"
    assert len(model.predict(shuffled)) == len(frame)
    with pytest.raises(zero.ZeroError, match=r"lacks 2 columns .*: sex, age; it has"):
        model.predict(frame.drop(columns=["sex", "age"]))
    with pytest.raises(zero.ZeroError, match=r"rows of shape \(3, 2\); expected \(N, 7\)"):
        model.predict(np.zeros((3, 2)))


def test_a_file_of_new_rows(finished, table):
    found = zero.load(finished.folder).predictions(table)
    assert list(found.columns) == ["survived", "probability of no", "probability of yes"]
    assert {len(column) for column in found.columns.values()} == {240}


def test_rows_unlike_those_of_training_are_told(finished, table, tmp_path):
    frame = pd.read_csv(table)
    frame.loc[[2, 5], "fare"] = 1e6
    frame.to_csv(tmp_path / "new.csv", index=False)
    model = zero.load(finished.folder)
    notes = [n for n in model.predictions(tmp_path / "new.csv").notes if "far from" in n]
    assert len(notes) == 1 and notes[0].startswith("column 'fare': 2 rows have values far from")
    assert not any("far from" in n for n in model.predictions(table).notes)
    frame["fare"] = "cheap"
    frame.to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(
        zero.ZeroError, match=r"new.csv: column 'fare', row 0 .*'cheap' is no number"
    ):
        model.predictions(tmp_path / "new.csv")


def test_an_outcome_that_is_a_shipped_program_is_called_so(capsys):
    _print_if_shipped(library.program("neural_network"), "scalar")
    assert "this is the shipped program 'neural_network'" in capsys.readouterr().out
    _print_if_shipped(library.program("neural_network").__class__(), "scalar")
    assert "'empty'" in capsys.readouterr().out


def test_known_predictors_stand_beside_the_outcome(finished):
    scores = finished.details["scores"]
    assert {"this program", "linear", "logistic regression", "gradient boosting"} <= set(scores)
    for found in scores.values():
        assert {"accuracy", "balanced_accuracy", "roc_auc", "log_loss"} == set(found)
    model = load_model(finished.folder / FILE)
    assert model.about["final fitness"].startswith(f"{finished.final.fitness:.6g}")


@pytest.mark.parametrize("target", [[0.5, 1.25, 3.5, 9.75], ["a", "b", "c"]])
def test_numbers_and_several_classes(tmp_path, target):
    rng = np.random.default_rng(0)
    kind = rng.integers(len(target), size=240)
    frame = pd.DataFrame({"x": kind + rng.normal(size=240) / 9, "z": rng.normal(size=240)})
    frame["y"] = [target[k] for k in kind]
    family = zero.table_from_frame(frame, "y", count=5)
    config = zero.load_config("own_csv", SMALL)
    config = config.model_copy(
        update={
            "tasks": config.tasks.model_copy(
                update=dict.fromkeys(("search", "select", "final"), family)
            )
        }
    )
    outcome = zero.start(config, out=tmp_path / "run", quiet=True)
    model = zero.load(outcome.folder)
    predicted = model.predict(frame)
    if isinstance(target[0], str):
        assert (predicted == frame["y"]).mean() > 0.6
        assert model.predict_proba(frame).shape == (240, 3)
    else:
        assert np.corrcoef(predicted, frame["y"])[0, 1] > 0.8
        with pytest.raises(zero.ZeroError, match="'y' is a number and has no probabilities"):
            model.predict_proba(frame)


def test_a_run_without_a_table_says_that_it_predicts_nothing(tmp_path):
    config = zero.load_config("linear_demo", ["budget.individuals=50", "islands.count=1"])
    outcome = zero.start(config, out=tmp_path / "run", quiet=True)
    with pytest.raises(zero.ZeroError, match=r"has no model\.h5"):
        zero.load(outcome.folder)


def with_family(family, *settings):
    """Returns the config of runs over a table given as a family."""
    config = zero.load_config("own_csv", [*SMALL, *settings])
    tasks = config.tasks.model_copy(update=dict.fromkeys(("search", "select", "final"), family))
    return config.model_copy(update={"tasks": tasks})


def test_shipped_programs_are_trained_as_the_outcome_is():
    """On a table that is sorted by class, the order of the rows decides what a program learns."""
    rng = np.random.default_rng(0)
    label = np.arange(240) // 80
    frame = pd.DataFrame(
        {"x": label + rng.normal(size=240) / 2, "z": rng.normal(size=240), "y": label}
    )
    family = zero.table_from_frame(frame, "y", "multiclass", count=3)
    config = with_family(family)
    kept = keep.train_on_all(config, library.program("linear"), None, {})
    found = keep.predictions(config, kept, ["linear"])
    assert np.array_equal(found["linear"].chances, found["this program"].chances)


def test_intervals_and_what_may_be_said_are_told_and_kept(finished):
    told = read_archive(finished.folder).results["table"]
    for key in ("scores", "intervals", "differences", "said"):
        assert told[key] == finished.details[key]
    assert "logistic regression" in told["said"][0]
    out, _ = zero_("show", finished.folder)
    assert "below each: 95 % interval over the test rows" in out
    assert f"* {told['said'][0][:40]}" in out


def test_predictions_of_the_test_rows_are_kept_with_their_numbers(finished, table):
    kept, frame = predicted_rows.load(finished.folder), pd.read_csv(table)
    rows = frame.iloc[kept.numbers - 1]
    assert 30 < len(rows) < 60
    assert (rows["survived"] == np.array(kept.classes)[kept.truth.y.astype(int)]).all()
    chances = zero.load(finished.folder).predict_proba(rows)
    np.testing.assert_allclose(kept.predictors["this program"].chances, chances)
    right = (kept.predictors["this program"].values == kept.truth.y).mean()
    assert right == pytest.approx(finished.details["scores"]["this program"]["accuracy"])


def test_which_columns_count_is_told_of_the_outcome(finished):
    out, _ = zero_("explain", finished.folder, "--evaluations", "20", "--json")
    told = json.loads(out)["columns"]
    names = {column["column"] for column in told["columns"]}
    assert names == {"class", "sex", "age", "fare", "cabin", "port", "joined"}
    accuracy = finished.details["scores"]["this program"]["accuracy"]
    assert told["score"] == pytest.approx(accuracy)
    out, _ = zero_("explain", "linear")
    assert "columns" not in out


def test_no_model_of_an_earlier_outcome_is_left(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "run")
    folder, config = (
        RunFolder.open(tmp_path / "run"),
        zero.load_config(finished.folder / "config.yaml"),
    )
    domain = ProgramsDomain(config)
    for program, kept in ((finished.program, True), (Program(), False)):
        domain.outline(SimpleNamespace(program=program), folder)
        assert (folder.path / FILE).is_file() == kept


def test_many_rows_are_trained_on_less_often_and_that_is_told(monkeypatch):
    rng = np.random.default_rng(0)
    family = zero.table_from_arrays(rng.normal(size=(120, 3)), rng.normal(size=120), select=20)
    config = with_family(family)
    rows = len(family.rows_to_keep_learning())
    kept = keep.train_on_all(config, library.program("linear"), None, {})
    assert kept.epochs == family.epochs == 10 and keep.notes(config, kept) == []
    monkeypatch.setattr(keep, "MOST_STEPS", 3 * rows + 1)
    monkeypatch.setattr(keep, "MOST_ROWS", 50)
    kept = keep.train_on_all(config, library.program("linear"), None, {})
    assert kept.epochs == 3 and kept.trained.step == 3 * rows
    assert keep.notes(config, kept) == [
        f"trained for 3 of 10 epochs: {rows} rows are many",
        f"scikit-learn's predictors: fitted on 50 of {rows} rows",
    ]
    assert "ridge regression" in keep.predictions(config, kept, [])


def test_matrices_that_have_no_room_are_told(monkeypatch):
    rng = np.random.default_rng(0)
    family = zero.table_from_arrays(rng.normal(size=(60, 50)), rng.normal(size=60), count=3)
    config, tasks = with_family(family), zero.make_task_set(family, "search")
    needed = room.matrix_bytes(config, tasks)
    assert needed == 2 * 1 * (3 * 2 + 1) * 50**2 * 3 * 8  # one island, two matrices
    monkeypatch.setattr(room, "usable_bytes", lambda: needed)
    ProgramsDomain(config).check()
    monkeypatch.setattr(room, "usable_bytes", lambda: needed - 1)
    with pytest.raises(
        zero.ZeroError, match=r"matrices: 2 of 50 x 50 .* 3 tasks on 1 islands"
    ) as told:
        ProgramsDomain(config).check()
    assert "\n" not in str(told.value)

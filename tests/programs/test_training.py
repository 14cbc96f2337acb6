"""`zero train` of a program: on another table, for predictions and exports."""

import json

import numpy as np
import pandas as pd
import pytest
from commands import zero_

import zero
from tests.data.test_tables import people
from zero.programs import library, training
from zero.programs.find import load_program


def error_of(*arguments):
    out, err = zero_(*arguments, code=1)
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert out == ""
    return line.removeprefix("error: ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("training")
    (path / "people.csv").write_text(people(240))
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=240)
    frame = pd.DataFrame({"x": kind + rng.normal(size=240) / 9, "z": rng.normal(size=240)})
    frame.assign(y=np.array(["a", "b", "c"])[kind]).to_csv(path / "kinds.csv", index=False)
    frame.assign(y=frame["x"] * 3 + 1).to_csv(path / "numbers.csv", index=False)
    return path


@pytest.fixture(scope="module")
def trained(folder):
    out = folder / "t"
    printed = zero_("train", "linear", folder / "people.csv", "--target", "survived", "-o", out)
    return out, *printed


def test_scores_stand_beside_those_of_known_predictors(trained):
    out, printed, err = trained
    found = training.read_trained(out)
    assert {"this program", "neural_network", "logistic regression"} <= set(found.table["scores"])
    assert found.rows == {"trained on": 200, "test": 40} and found.epochs == 10
    for words in ("this program", "trained on 200, test 40", f"zero predict {out} NEW.csv"):
        assert words in printed
    assert "survived" in err
    shown, _ = zero_("show", out)
    assert shown.startswith("def Setup():") and printed in shown


def test_it_predicts_and_is_exported(trained, folder, tmp_path):
    out = trained[0]
    predicted, _ = zero_("predict", out, folder / "people.csv")
    assert predicted.startswith("survived,probability of no,probability of yes\n")
    zero_("export", out, "-o", tmp_path / "model.py")
    assert "def predict_proba" in (tmp_path / "model.py").read_text()
    assert load_program(out) == library.program("linear")
    assert "is a training and no run" in error_of("resume", out)


def test_new_rows_may_have_one_column_and_are_not_overwritten(folder, tmp_path):
    frame = pd.read_csv(folder / "numbers.csv")
    frame[["x", "y"]].to_csv(tmp_path / "one.csv", index=False)
    zero_("train", "linear", tmp_path / "one.csv", "--target", "y", "-o", tmp_path / "t")
    new = tmp_path / "new.csv"
    new.write_text("x\n1\n2.5\n")
    assert len(zero_("predict", tmp_path / "t", new)[0].splitlines()) == 3
    assert "is the file to predict" in error_of("predict", tmp_path / "t", new, "-o", new)
    assert new.read_text() == "x\n1\n2.5\n"
    new.write_text("x\n")
    assert error_of("predict", tmp_path / "t", new) == f"{new}: no rows below the header"
    new.write_text("x,y\n")
    assert "no rows below the header" in error_of("train", "linear", new, "--target", "y")


def test_what_explains_runs_says_that_a_training_is_none(trained):
    assert f"{trained[0]} is a training" in error_of("explain", trained[0])


def test_several_classes_and_what_options_say(folder, tmp_path):
    options = ("--epochs", "3", "--ignore", "z", "--seed", "5", "--json-log", "-q")
    table = (folder / "kinds.csv", "--target", "y", *options)
    event = json.loads(zero_("train", "linear", *table, "-o", tmp_path / "k")[0])
    assert (event["problem"], event["epochs"]) == ("multiclass", 3)
    model = zero.load(tmp_path / "k")
    assert model.classes == ("a", "b", "c")
    assert [plan.name for plan in model.table.preparation.columns] == ["x"]


def test_a_training_and_a_run_are_trained_on_other_tables(trained, folder, tmp_path):
    less = ("budget.individuals=40", "search.population=10", "search.tournament=2")
    sets = [word for setting in less for word in ("--set", setting)]
    zero_("run", folder / "people.csv", "--target", "survived", "--out", tmp_path / "r", "-q",
          "--islands", "1", *sets)  # fmt: skip
    for number, what in enumerate((trained[0], tmp_path / "r")):
        out = tmp_path / str(number)
        zero_("train", what, folder / "numbers.csv", "--target", "y", "-o", out, "-q")
        assert training.read_trained(out).problem == "regression"
        assert load_program(out) == load_program(what)


def test_a_config_over_a_table_serves_too(folder, tmp_path):
    config = {"tasks": {"search": {"type": "table", "path": "numbers.csv", "target": "y"}}}
    (folder / "n.yaml").write_text(
        json.dumps({**config, "program": {"predict": {"ops": "all"}}, "budget": {"seconds": 1}})
    )
    zero_("train", "linear", folder / "n.yaml", "-o", tmp_path / "t", "-q")
    assert training.read_trained(tmp_path / "t").table["scores"]["this program"]["r2"] > 0.99


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nasnet_a", "people.csv", "--target", "survived"), "nasnet_a is one of zero's cells"),
        (("linear", "amoebanet_digits"), "linear is one of zero's programs"),
        (("linear", "linear_demo"), "are no table"),
        (("linear", "people.csv"), "say what to predict, --target"),
        (("linear", "own_csv", "--epochs", "3"), "--epochs is for a table"),
        (("nope", "people.csv", "--target", "survived"), "no program 'nope'"),
        (("linear", "people.csv", "--target", "x"), "unknown target column 'x'"),
        (("linear", "people.csv", "--target", "survived", "--threads", "2"), "for networks"),
    ],
)
def test_mistakes_are_told_in_a_line_and_leave_nothing(folder, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(folder)
    assert said in error_of("train", *words, "--out", tmp_path / "t")
    assert not (tmp_path / "t").exists()

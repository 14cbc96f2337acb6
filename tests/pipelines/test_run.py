"""Runs over pipelines: what they find and keep, resume, failures, and what they leave to predict with."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_predict, cross_val_score
from small_runs import all_records, archive_bytes
from small_tables import mixed_frame, pipelines_config, write_table

import zero
from zero.errors import ArchiveError, ConfigError, TaskError
from zero.pipelines.build import build
from zero.pipelines.domain import PipelinesDomain
from zero.pipelines.metrics import METRICS
from zero.pipelines.model import load_model
from zero.pipelines.predictions import Predictions
from zero.pipelines.view import BOARD
from zero.runs import run


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("table"), mixed_frame(150))


@pytest.fixture(scope="module")
def whole(table, tmp_path_factory):
    """The folder of a run, and its outcome."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, run.start(pipelines_config(table), folder, quiet=True)


def test_scores_are_those_of_cross_validation(whole, table):
    folder, outcome = whole
    domain = PipelinesDomain(pipelines_config(table))
    space, rows = domain.search_space, domain.searched
    kept = {k.number: k for k in Predictions(folder / "predictions").all()}
    tested = 0
    for record in all_records(folder):
        if record.reason or record.same_as >= 0 or "tree" not in record.text:
            continue
        genome = space.parse(record.text)
        pipeline = build(space, genome, record.seed % (2**31 - 1))
        said = cross_val_predict(
            pipeline, rows.x, rows.y.astype(int), cv=domain.folds, method="predict_proba"
        )
        folds = cross_val_score(
            pipeline, rows.x, rows.y.astype(int), cv=domain.folds, scoring="roc_auc"
        )
        score = folds.mean()
        assert record.accuracy == pytest.approx(score) and record.fitness == record.accuracy
        assert kept[record.id].values == pytest.approx(said, abs=1e-6)
        tested += 1
    assert tested
    assert outcome.search_fitness == max(r.fitness for r in all_records(folder))


def test_test_rows_are_a_fifth_that_no_fold_has(table):
    domain = PipelinesDomain(pipelines_config(table))
    searched, test = domain.split
    assert len(test) == 30 and sorted([*searched, *test]) == list(range(150))
    assert len(domain.searched.y) == 120
    assert sorted(np.concatenate([asked for _, asked in domain.folds])) == list(range(120))
    share = domain.data.y[test].mean()
    assert share == pytest.approx(domain.data.y.mean(), abs=0.05)


def test_what_is_kept_predicts_and_has_the_final_figure(whole, table):
    folder, outcome = whole
    domain = PipelinesDomain(pipelines_config(table))
    frame, rows = pd.read_csv(table), domain.split[1]
    model = zero.load(folder)
    chances = model.predict_proba(frame.iloc[rows])
    assert model.classes == ("no", "yes")
    score = METRICS["roc_auc"].score(domain.data.y[rows], chances)
    assert outcome.final.fitness == pytest.approx(score)
    assert set(model.predict(frame)) == {"no", "yes"}
    shuffled = frame[frame.columns[::-1]].iloc[rows]
    assert model.predict_proba(shuffled) == pytest.approx(chances)
    found = model.predictions(table)
    assert list(found.columns) == ["prediction", "probability of no", "probability of yes"]
    assert len(found.columns["prediction"]) == 150


def test_new_rows_may_be_odd_but_not_lack_columns(whole, table):
    model, frame = zero.load(whole[0]), pd.read_csv(table).head(9)
    frame["colour"], frame["said"] = "mauve", ""
    frame["size"] = frame["size"].astype(object)
    frame.loc[0, "size"] = "?"
    assert np.isfinite(model.predict_proba(frame).astype(float)).all()
    with pytest.raises(TaskError, match=r"2 columns are missing .*: size, when"):
        model.predict(frame.drop(columns=["size", "when"]))


def test_the_leaderboard_has_what_people_compare_with(whole):
    folder, outcome = whole
    board = json.loads((folder / BOARD).read_text())
    names = [row["name"] for row in board["rows"]]
    assert "constant" in names and any("random search" in name for name in names)
    assert any("as usual" in name for name in names)
    values = [row["validation"] for row in board["rows"]]
    assert values == sorted(values, reverse=True)
    assert board["final"] == outcome.final.fitness
    best = next(row for row in board["rows"] if row["text"] == outcome.details["text"])
    assert best["validation"] == outcome.search_fitness
    constant = next(row for row in board["rows"] if row["name"] == "constant")
    assert constant["test"] == 0.5


def test_the_same_settings_give_the_same_run(whole, table, tmp_path):
    run.start(pipelines_config(table), tmp_path / "again", quiet=True)
    assert archive_bytes(tmp_path / "again") == archive_bytes(whole[0])
    frame = pd.read_csv(table)
    one, two = (zero.load(f).predict_proba(frame) for f in (whole[0], tmp_path / "again"))
    assert (one == two).all()


def test_a_run_that_is_cut_ends_the_same(whole, table, tmp_path):
    folder, pieces = tmp_path / "cut", 0
    outcome = run.start(pipelines_config(table), folder, quiet=True, max_seconds=0)
    while outcome.reason == "max_seconds" and outcome.individuals < 6 and pieces < 100:
        outcome, pieces = run.resume(folder, max_seconds=0.5, quiet=True), pieces + 1
    outcome = run.resume(
        folder, max_seconds=1.5, quiet=True
    )  # what follows the search can be cut, too
    outcome = run.resume(folder, quiet=True)
    assert archive_bytes(folder) == archive_bytes(whole[0])
    assert outcome.final == whole[1].final


@pytest.mark.parametrize("problem", ["multiclass", "regression"])
def test_other_targets(problem, tmp_path):
    path = write_table(tmp_path, mixed_frame(90, problem))
    family = "ridge" if problem == "regression" else "logistic_regression"
    config = pipelines_config(
        path, pipelines={"families": [family, "tree"]}, budget={"individuals": 4}
    )
    outcome = run.start(config, tmp_path / "run", quiet=True)
    model = zero.load(tmp_path / "run")
    said = model.predict(pd.read_csv(path))
    if problem == "regression":
        assert outcome.details["metric"] == "neg_root_mean_squared_error"
        assert said.dtype == np.float64 and np.isfinite(said).all()
        with pytest.raises(TaskError, match="is a number"):
            model.predict_proba(pd.read_csv(path))
    else:
        assert outcome.details["metric"] == "neg_log_loss" and set(said) <= {
            "low",
            "middle",
            "high",
        }


def test_candidates_that_fail_say_why_and_harm_nobody(table, tmp_path):
    config = pipelines_config(
        table,
        pipelines={"families": ["tree", "gaussian_process"], "candidate_seconds": 0.001},
        budget={"individuals": 3},
    )
    run.start(config, tmp_path / "run", quiet=True)
    reasons = {r.reason for r in all_records(tmp_path / "run")}
    assert reasons == {"", "time: more than 0.001 s"}
    said = zero.load(tmp_path / "run").predict(pd.read_csv(table))  # an answer, whatever happens
    assert len(set(said)) == 1


def test_an_answer_whatever_the_time(table, tmp_path):
    config = pipelines_config(table, pipelines={"seconds": 0.2}, budget={"individuals": None})
    outcome = run.start(config, tmp_path / "run", quiet=True)
    assert outcome.reason == "seconds" and not math.isnan(outcome.final.fitness)
    assert len(zero.load(tmp_path / "run").predict(pd.read_csv(table))) == 150


def test_five_rows_get_an_answer(tmp_path):
    path = write_table(tmp_path, pd.DataFrame({"a": [1, 2, 3, 4, 5], "y": list("aabab")}))
    outcome = run.start(pipelines_config(path), tmp_path / "run", quiet=True)
    assert outcome.final is None  # no rows to spare
    assert set(zero.load(tmp_path / "run").predict(pd.read_csv(path))) <= {"a", "b"}


def test_mistakes_are_told_before_anything_runs(table, tmp_path):
    def refusal(**changes):
        with pytest.raises((ConfigError, TaskError)) as caught:
            run.start(pipelines_config(table, **changes), tmp_path / "none", quiet=True)
        (line,) = str(caught.value).splitlines()
        return line

    assert "metric r2 does not fit a target of two classes" in refusal(pipelines={"metric": "r2"})
    assert "unknown family 'tre'; did you mean 'tree'" in refusal(pipelines={"families": ["tre"]})
    assert "ridge does not serve a target of the kind binary" in refusal(
        pipelines={"families": ["ridge"]}
    )
    assert "nothing ends the run" in refusal(budget={"individuals": None})
    assert "target column 'z'" in refusal(pipelines={"table": {"target": "z"}})
    assert not (tmp_path / "none").exists()


def test_models_that_are_damaged_or_foreign_are_refused(whole, tmp_path):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(whole[0], folder)
    file = next((folder / "models").glob("*.skops"))
    file.write_bytes(b"no zip")
    with pytest.raises(ArchiveError, match="no trained pipeline, or a damaged one"):
        load_model(folder).predict(np.zeros((1, 6)))
    (folder / "models" / "model.json").write_text('{"version": 1}')
    with pytest.raises(ArchiveError, match="is damaged"):
        load_model(folder)

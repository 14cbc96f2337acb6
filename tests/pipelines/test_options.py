"""What a run over pipelines can be asked for: methods, weights, groups, time, fidelity, own programs."""

import numpy as np
import pandas as pd
import pytest
from small_runs import all_records, archive_bytes
from small_tables import mixed_frame, pipelines_config, write_table

import zero
from zero.pipelines.config import PipelineSearch
from zero.pipelines.domain import PipelinesDomain
from zero.runs import run
from zero.search.section import methods_for


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    frame = mixed_frame(120)
    frame["patient"] = [f"p{k % 17}" for k in range(120)]
    frame["day"] = pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d")
    frame["often"] = np.arange(120) % 4
    return write_table(tmp_path_factory.mktemp("options"), frame)


@pytest.mark.parametrize("method", methods_for(PipelineSearch))
def test_every_method_searches_pipelines(method, table, tmp_path):
    search = {"method": method, "population": 4, "initial": 2}
    config = pipelines_config(
        table, pipelines={"families": ["tree"], "folds": 2, "portfolio": False}, search=search, seed=1,
        budget={"individuals": 10},
    )  # fmt: skip
    run.start(config, tmp_path / "run", quiet=True)
    records = all_records(tmp_path / "run")
    assert len(records) == 10 and max(r.fitness for r in records) > 0.6
    assert len({r.text for r in records}) >= 3


def test_pipelines_are_weighed_against_how_unusual_they_are(table, tmp_path):
    config = pipelines_config(
        table, pipelines={"families": ["tree"], "folds": 2, "objective": "pareto"},
        search={"method": "nsga2", "population": 4}, budget={"individuals": 12},
    )  # fmt: skip
    run.start(config, tmp_path / "run", quiet=True)
    records = {r.text: r for r in all_records(tmp_path / "run")}
    domain = PipelinesDomain(config)
    usual = domain.search_space.text(domain.search_space.usual("tree"))
    assert records[usual].decisions == 0
    assert max(r.decisions for r in records.values()) > 1


def test_groups_stay_whole_in_the_test_rows_and_the_folds(table):
    config = pipelines_config(table, pipelines={"table": {"groups": "patient"}})
    domain = PipelinesDomain(config)
    patients = pd.read_csv(table)["patient"].to_numpy()
    searched, test = domain.split
    assert set(patients[searched]).isdisjoint(patients[test]) and len(test) > 10
    for known, asked in domain.folds:
        assert set(patients[searched][known]).isdisjoint(patients[searched][asked])
    assert "patient" not in domain.rows.x.columns


def test_later_rows_are_predicted_from_earlier_ones(table, tmp_path):
    config = pipelines_config(table, pipelines={"table": {"time": "day"}})
    domain = PipelinesDomain(config)
    searched, test = domain.split
    assert searched.max() < test.min() and len(test) == pytest.approx(24, abs=8)
    for known, asked in domain.folds:
        assert searched[known].max() < searched[asked].min()
    outcome = run.start(config, tmp_path / "run", quiet=True)
    assert outcome.final.fitness > 0.5


def test_a_row_of_weight_2_counts_as_two_rows(tmp_path):
    frame = mixed_frame(80, "regression", gaps=False)[["size", "weight", "y"]]
    frame["often"] = np.arange(80) % 3
    twice = frame.loc[frame.index.repeat(frame["often"])]
    settings = {"families": ["ridge"], "folds": 2, "table": {"weights": "often", "test": 0}}
    config = pipelines_config(write_table(tmp_path, frame), pipelines=settings)
    domain = PipelinesDomain(config)
    genome = domain.search_space.usual("ridge", scaling="none")
    from zero.pipelines.evaluator import Rows, said, train

    weighed = train(domain.search_space, genome, 0, domain.searched)
    rows = Rows(twice[["size", "weight"]], twice["y"].to_numpy(), None, 0)
    repeated = train(domain.search_space, genome, 0, rows)
    x = frame[["size", "weight"]]
    assert said(weighed, x, 0) == pytest.approx(said(repeated, x, 0))
    assert domain.evaluator.score(np.zeros((80, 1)), [np.arange(80)]) == pytest.approx(
        -np.sqrt((twice["y"] ** 2).mean())
    )


def test_few_rows_and_trees_first_and_few_candidates_go_on(table, tmp_path):
    config = pipelines_config(
        table,
        pipelines={
            "families": ["extra_trees"], "folds": 2, "ensemble": None,
            "fidelity": {"shares": [0.2, 0.5, 1.0]}, "halving": {"epochs": [1, 2], "keep": 0.4},
        },
        budget={"individuals": 12},
    )  # fmt: skip
    run.start(config, tmp_path / "run", quiet=True)
    records = [r for r in all_records(tmp_path / "run") if r.same_as < 0]
    parts = [len(r.curve) for r in records]
    assert set(parts) <= {1, 2, 3} and min(parts) < 3 <= max(parts)
    full = next(r for r in records if len(r.curve) == 3)
    assert full.curve[:, 0].tolist() == [0.2, 0.5, 1.0] and not full.reason
    stopped = next(r for r in records if len(r.curve) < 3)
    assert stopped.reason and stopped.fitness < full.fitness


def test_two_islands_share_what_they_find_and_the_run_is_exact(table, tmp_path):
    config = pipelines_config(
        table, islands={"count": 2, "migrate_every": 4, "migrants": 2},
        search={"method": "smac", "population": 10, "initial": 2}, budget={"individuals": 16},
        pipelines={"families": ["tree"], "folds": 2},
    )  # fmt: skip
    for name in ("a", "b"):
        run.start(config, tmp_path / name, quiet=True)
    assert archive_bytes(tmp_path / "a") == archive_bytes(tmp_path / "b")
    records = all_records(tmp_path / "a")
    assert {r.island for r in records} == {0, 1} and len(records) == 16


def test_programs_of_ones_own_are_learners(table, tmp_path):
    from zero.programs.library import program

    (tmp_path / "my program.txt").write_text(str(program("linear")))
    config = pipelines_config(
        table,
        pipelines={"families": ["program"], "folds": 2, "programs": [str(tmp_path / "my program.txt")]},
        budget={"individuals": 4},
    )  # fmt: skip
    run.start(config, tmp_path / "run", quiet=True)
    texts = [r.text for r in all_records(tmp_path / "run") if not r.reason]
    assert any("program=my_program " in t for t in texts)
    said = zero.load(tmp_path / "run").predict(pd.read_csv(table))
    assert len(said) == 120


def test_a_search_starts_from_an_earlier_one(table, tmp_path):
    run.start(pipelines_config(table), tmp_path / "first", quiet=True)
    best = max(all_records(tmp_path / "first"), key=lambda r: r.fitness)
    config = pipelines_config(
        table, search={"start_from": str(tmp_path / "first")}, budget={"individuals": 2}, seed=1
    )
    run.start(config, tmp_path / "second", quiet=True)
    assert all_records(tmp_path / "second")[0].text == best.text


def test_a_larger_budget_goes_on(table, tmp_path):
    config = pipelines_config(table, budget={"individuals": 4})
    run.start(config, tmp_path / "run", quiet=True)
    outcome = run.resume(tmp_path / "run", settings=["budget.individuals=7"], quiet=True)
    assert outcome.individuals == 7 and outcome.final is not None


def test_the_metric_is_what_is_maximised(table, tmp_path):
    config = pipelines_config(table, pipelines={"metric": "f1"})
    outcome = run.start(config, tmp_path / "run", quiet=True)
    domain, frame = PipelinesDomain(config), pd.read_csv(table)
    rows = domain.split[1]
    from sklearn.metrics import f1_score

    said = zero.load(tmp_path / "run").predict(frame.iloc[rows])
    assert outcome.final.fitness == pytest.approx(
        f1_score(frame["y"].iloc[rows], said, pos_label="yes")
    )


def test_a_search_may_see_some_rows_and_what_is_kept_is_trained_on_all(tmp_path):
    path = write_table(tmp_path, mixed_frame(300))
    config = pipelines_config(path, pipelines={"rows": 100, "families": ["tree"]})
    domain = PipelinesDomain(config)
    searched, _ = domain.split
    assert 60 <= len(domain.sample) <= 100 and set(domain.sample) < set(searched)
    assert len(domain.searched.y) == len(domain.sample) and len(domain.whole.y) == 240 == len(
        searched
    )
    assert domain.searched.y.mean() == pytest.approx(domain.whole.y.mean(), abs=0.05)
    run.start(config, tmp_path / "run", quiet=True)
    member = zero.load(tmp_path / "run").pipelines[0]
    assert member[-1].tree_.n_node_samples[0] == 240

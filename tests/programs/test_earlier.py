"""A search goes on from what is known: a program or the last population of an earlier run."""

import json
import shutil

import numpy as np
import pytest
from small_runs import Messages, all_records, archive_bytes, small_config

from zero.errors import ConfigError
from zero.programs import earlier
from zero.programs.domain import ProgramsDomain
from zero.programs.find import load_program
from zero.programs.island import share
from zero.programs.program import Program
from zero.runs import run
from zero.runs.archive import best_record, read_archive
from zero.runs.state import RunState

TWO = {"count": 2}
LARGER = ["budget.individuals=2000"]


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    folder = tmp_path_factory.mktemp("known") / "run"
    run.start(small_config(islands=TWO, budget={"individuals": 3000}), folder)
    return folder


def from_population(folder, budget=1500, search=None, **program):
    return small_config(
        seed=8, islands=TWO, budget={"individuals": budget}, search=search or {},
        program={"population": str(folder), **program},
    )  # fmt: skip


def test_the_living_are_found_as_the_checkpoint_has_them(known):
    found = earlier.earlier(known)
    assert found.living and len(found.programs) == 60
    state = RunState.from_tree(run.RunFolder.open(known).checkpoints.load()[0], {})
    fitness = [i["arrays"]["population.slot_fitness"] for i in state.ended_islands]
    assert np.array_equal(np.sort(found.fitness), np.sort(np.concatenate(fitness)))
    evaluate = ProgramsDomain(small_config(), Program()).evaluator("search", 0)
    top = int(np.argmax(found.fitness))
    assert evaluate(found.programs[top]).fitness == pytest.approx(found.fitness[top], abs=1e-12)


@pytest.mark.parametrize("more", [{}, {"batch": 7}, {"population": 200}])
def test_the_first_population_is_the_earlier_one(known, tmp_path, more):
    size = more.get("population", 30)
    run.start(from_population(known, 2 * size, more), tmp_path / "run")
    texts = sorted(str(program) for program in earlier.earlier(tmp_path / "run").programs)
    wanted = [str(program) for program in earlier.earlier(known).programs]
    assert set(texts) == set(wanted)
    if size == 30:
        assert texts == sorted(wanted)


def test_of_a_larger_population_the_best_are_taken(known):
    domain = ProgramsDomain(from_population(known, search={"population": 10, "tournament": 3}))
    found = earlier.earlier(known)
    assert len(domain.population) == 20 and domain.population == found.best(20)
    assert "the best 20 of 60 individuals" in domain.notes()[-1]


def test_islands_with_too_few_share_them_all():
    config = small_config()
    (island,) = ProgramsDomain(config, Program()).islands(0, {"individuals": 9, "train_steps": 9})
    assert share(island.space, 1, 2).initial is island.space.initial


def test_it_goes_on_exactly_without_the_earlier_run(known, tmp_path):
    moved = tmp_path / "known"
    shutil.copytree(known, moved)
    run.start(from_population(moved, 2000), tmp_path / "whole")
    run.start(from_population(moved), tmp_path / "run")
    shutil.rmtree(moved)
    run.resume(tmp_path / "run", settings=LARGER)
    assert archive_bytes(tmp_path / "run") == archive_bytes(tmp_path / "whole")
    info = json.loads((tmp_path / "run" / "run.json").read_text())["initial_population"]
    assert len(info["individuals"]) == 60 and len(info["programs"]) <= 60
    assert earlier.earlier(tmp_path / "run").living


def test_an_archive_alone_gives_its_records_and_says_so(known, tmp_path):
    shutil.copy(known / "archive.h5", tmp_path / "old.h5")
    messages = Messages()
    run.start(from_population(tmp_path / "old.h5", 100), tmp_path / "run", messages)
    assert any("records: it kept no population" in text for text in messages.texts)
    assert not earlier.earlier(tmp_path / "old.h5").living


def test_a_search_starts_from_a_run_or_a_record(known):
    data = read_archive(known)
    for name, record in ((str(known), best_record(data)), (f"{known}#2", None)):
        domain = ProgramsDomain(small_config(program={"initial": name}))
        assert domain.initial == load_program(name)
        assert record is None or str(domain.initial) == record.text


@pytest.mark.parametrize("key", ["initial", "population"])
def test_what_does_not_fit_is_told_by_its_key(known, tmp_path, key):
    longest = max(all_records(known), key=lambda record: record.sizes.sum())
    what = {"initial": f"{known}#{longest.id}", "population": str(known)}[key]
    sizes = {name: {"size": {"max": 0}} for name in ("setup", "predict", "learn")}
    with pytest.raises(ConfigError) as caught:
        small_config(program={key: what, "memory": {"scalars": 2}, **sizes})
    (line,) = str(caught.value).splitlines()
    for words in (f"program.{key}: ", " need", ".size.max of at least ", ", got 0"):
        assert words in line
    assert key == "initial" or "program.memory.scalars of at least " in line
    with pytest.raises(ConfigError, match=rf"program\.{key}: .* cannot be .*No such file"):
        small_config(program={key: str(tmp_path / "gone")})

"""Islands of one run that search different tasks: fitness is always of the island's own."""

import json
import math

import numpy as np
import pytest
from commands import zero_
from small_runs import all_records, archive_bytes, small_config, small_settings

from tests.programs.test_island import BUDGET, exchange, play_together
from zero.config.load import config_to_yaml, load_config, make_config
from zero.errors import ConfigError
from zero.evolution.migration import distribute
from zero.evolution.population import TRAIN_STEPS
from zero.programs.domain import ProgramsDomain
from zero.programs.interpreter import cpu
from zero.programs.other_tasks import OtherTasks
from zero.programs.program import from_arrays
from zero.runs import run
from zero.runs.archive import read_archive

FIRST = {"type": "linear_regression", "features": 4, "train": 20, "valid": 10}
OTHER = {"type": "linear_regression", "features": 4, "train": 30, "valid": 12}
HURDLE = {"evaluation": {"hurdle": {"train": 15, "valid": 5, "quantile": 0.5}}}


def mixed(count=2, **changes):
    """Returns the config of islands that search FIRST and OTHER by turns."""
    tasks = {"search": [FIRST, OTHER], "select": FIRST}
    islands = {"count": count, **changes.pop("islands", {})}
    return small_config(**{"tasks": tasks, "islands": islands, **changes})


def program_of(island, record):
    return from_arrays(*cpu.read_arrays(island.genomes, record, island.starts))


# --- who arrives ------------------------------------------------------------------------------------


def test_the_living_have_the_fitness_of_their_islands_tasks():
    domain = ProgramsDomain(mixed(3))
    islands = play_together(domain.islands(0, BUDGET), 6)
    exchange(islands)  # which lets in who arrived
    for island, tasks in zip(islands, (0, 1, 0), strict=True):
        evaluate = domain.evaluator("search", 0, searched=tasks)
        p = island.population
        strangers = [n for n in p.number[p.slots].tolist() if n % 3 != island.index]
        assert strangers
        for record in p.slots.tolist():
            # NaN ranks last, and is kept as that.
            expected = max(evaluate(program_of(island, record)).fitness, -math.inf)
            assert p.fitness[record] == pytest.approx(expected)
        assert np.array_equal(p.fitness[p.slots], p.slot_fitness)


@pytest.mark.parametrize("changes", [{}, HURDLE, {"search": {"batch": 10}}], ids=str)
def test_records_say_no_fitness_but_that_of_their_islands_tasks(changes):
    domain = ProgramsDomain(mixed(2, islands={"migrants": 20, "migrate_every": 60}, **changes))
    islands = play_together(domain.islands(0, BUDGET), 30)
    unknown = 0
    for island in islands:
        evaluate = domain.evaluator("search", 0, searched=island.index)
        for record in island.records.values():
            unknown += math.isnan(record.fitness)
            if record.is_best:
                found = evaluate(record.program).task_fitness
                assert record.task_fitness[island.index] == pytest.approx(found[0])
                assert np.isnan(record.task_fitness[1 - island.index])
                assert record.fitness == pytest.approx(found[0])
            elif record.fitness > 0.05:  # it passed the hurdle
                assert record.fitness == pytest.approx(evaluate(record.program).fitness)
    assert unknown  # ancestors that only the other island knows


def test_only_who_comes_from_other_tasks_is_evaluated_anew():
    islands = play_together(ProgramsDomain(mixed(3)).islands(0, BUDGET), 1)
    for planted in (islands[1], islands[2]):  # figures that no program has on any tasks
        planted.population.fitness[planted.population.slots] = 2.0 + planted.index
        planted.population.slot_fitness[:] = 2.0 + planted.index
    exchange(islands)
    for island in islands:
        while not island.waiting:
            island.advance(1.0)
    first = islands[0]
    senders = [n % 3 for n in first.arrivals["numbers"].tolist()]
    before = int(first.population.counts[TRAIN_STEPS])
    slots = first.sent
    first.begin_round()
    after = first.population.slot_fitness[slots]
    assert {1, 2} <= set(senders)
    for sender, fitness in zip(senders, after, strict=True):
        assert (fitness == 4.0) == (sender == 2)
        assert fitness <= 1 or sender == 2
    steps = int(first.population.counts[TRAIN_STEPS]) - before
    assert 0 < steps <= 20 * senders.count(1)  # of each one's training on this island's task


def test_the_reference_backend_evaluates_them_anew_too():
    small = {"search": {"population": 4, "tournament": 2}, "evaluation": {"cache": "none"}}
    islands = {"migrants": 3, "migrate_every": 6}
    domain = ProgramsDomain(mixed(2, backend="reference", islands=islands, **small))
    both = play_together(domain.islands(0, BUDGET), 2)
    exchange(both)
    for island in both:
        evaluate = domain.evaluator("search", 0, searched=island.index)
        p = island.population
        assert any(n % 2 != island.index for n in p.number[p.slots].tolist())
        for record in p.slots.tolist():
            assert p.fitness[record] == evaluate(program_of(island, record)).fitness


def test_an_immigrant_above_the_train_budget_has_no_fitness():
    migration = {"migrants": 20}
    low = {"evaluation": {"train_budget": {"baseline": "linear", "factor": 0.01}}}
    islands = play_together(ProgramsDomain(mixed(2, islands=migration)).islands(0, BUDGET), 2)
    strict = ProgramsDomain(mixed(2, islands=migration, **low)).islands(0, BUDGET)[1]
    strict.restore(islands[1].state())
    came = strict.arrivals["numbers"] % 2 == 0
    slots, costly = strict.sent[came], 0
    strict.begin_round()
    for slot in slots.tolist():
        if any(program_of(strict, strict.population.slots[slot]).functions[1:]):
            costly += 1
            assert strict.population.slot_fitness[slot] == 0.0
    assert costly > 3


def test_the_fitness_of_one_who_was_sent_twice_is_that_of_the_same_tasks():
    others = OtherTasks([0, 1, 0], 0, "these", 0, 4)
    numbers, senders = np.array([7, 8, 7, 9]), np.array([1, 1, 2, 0])
    known = others.known(numbers, senders, np.array([0.1, 0.2, 0.3, 0.4]))
    assert np.array_equal(known, [0.3, math.nan, 0.3, 0.4], equal_nan=True)


def test_islands_restored_with_migrants_on_their_way_go_on():
    whole = play_together(ProgramsDomain(mixed()).islands(0, BUDGET), 7)
    cut = play_together(ProgramsDomain(mixed()).islands(0, BUDGET), 4)
    first = cut[0].begin_round()
    while not cut[0].waiting:
        cut[0].advance(1.0)
    again = ProgramsDomain(mixed()).islands(0, BUDGET)
    for island, old in zip(again, cut, strict=True):
        island.restore(old.state())
    assert again[0].report == first
    drawn = distribute([again[0].report, again[1].begin_round()], 1, 0)
    for island, immigrants in zip(again, drawn, strict=True):
        island.receive(immigrants)
    while not again[1].waiting:
        again[1].advance(1.0)
    exchange(again)
    play_together(again, 2)
    for a, b in zip(again, whole, strict=True):
        assert a.others.unmeasured == b.others.unmeasured
        one, other = a.state(), b.state()
        for name, array in one["arrays"].items():
            kind = array.dtype.kind == "f"
            assert np.array_equal(array, other["arrays"][name], equal_nan=kind), name


# --- a run ------------------------------------------------------------------------------------------

KINDS = {
    "evolution": {"tasks": {"search": [FIRST, {**OTHER, "count": 3}], "select": FIRST}},
    "random search": {"search": {"method": "random_search", "tournament": None}},
    "batches": {"search": {"batch": 10}, **HURDLE},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_finds_the_same(kind, tmp_path):
    changes = dict(KINDS[kind])
    if kind == "random search":
        settings = small_settings(
            tasks={"search": [FIRST, OTHER], "select": FIRST}, islands={"count": 2}
        )
        config = make_config({**settings, "search": {"method": "random_search", "population": 30}})
    else:
        config = mixed(**changes)
    outcomes = [run.start(config, tmp_path / name) for name in "ab"]
    assert archive_bytes(tmp_path / "a") == archive_bytes(tmp_path / "b")
    data = read_archive(tmp_path / "a")
    found = data.results["search"]
    assert outcomes[0].search_fitness == pytest.approx(found["fitness"])
    assert len(found["task_fitness"]) == (3 if "count 3" in found["found_on"] else 1)
    # What is told of the run is on the first tasks.
    best = [r for r in all_records(tmp_path / "a") if r.is_best]
    assert best and all(np.isfinite(r.task_fitness[0]) for r in best)
    assert data.experiments[0].curve[-1].best_fitness == pytest.approx(best[-1].fitness)


def test_a_list_of_one_family_is_that_family(tmp_path):
    plain, listed = (
        small_config(tasks={"search": FIRST if one else [FIRST]}) for one in (True, False)
    )
    assert config_to_yaml(plain) == config_to_yaml(listed)
    # Equal ones are the same tasks, whose islands compare their figures.
    config = mixed(3, tasks={"search": [FIRST, OTHER, dict(FIRST)], "select": FIRST})
    assert ProgramsDomain(config).tasks_of_islands() == [0, 1, 0]
    alike = small_config(tasks={"search": [FIRST, dict(FIRST)]}, islands={"count": 2})
    for name, one in (("plain", small_config(islands={"count": 2})), ("alike", alike)):
        run.start(one, tmp_path / name)
    one, other = (read_archive(tmp_path / name).experiments[0] for name in ("plain", "alike"))
    assert [r.text for r in one.records] == [r.text for r in other.records]


def test_a_written_config_is_read_as_it_was(tmp_path):
    config = mixed(3)
    file = tmp_path / "mixed.yaml"
    file.write_text(config_to_yaml(config))
    again = load_config(file)
    assert config_to_yaml(again) == file.read_text()
    assert [f.train for f in again.tasks.searched] == [20, 30]


def test_people_are_told_what_each_island_searches(tmp_path):
    file, folder = tmp_path / "mixed.yaml", tmp_path / "run"
    file.write_text(config_to_yaml(mixed(3)))
    islands = ("islands 0, 2: linear_regression", "island 1: linear_regression")
    differ = "train 30, valid 12"
    checked = zero_("validate", str(file), "--data")[0]
    assert "search (islands 0, 2)" in checked and "search (island 1)" in checked
    told = zero_("run", str(file), "--out", str(folder))
    shown = [*told, *zero_("show", str(folder)), *zero_("watch", str(folder))]
    for text in (checked, "".join(told), "".join(shown[2:4]), "".join(shown[4:])):
        plain = " ".join(text.split())
        assert all(part in plain for part in (*islands, differ))
    assert "search fitness is on the tasks of island" in " ".join("".join(told).split())
    zero_("report", str(folder), "-o", str(tmp_path / "report.html"))
    report = (tmp_path / "report.html").read_text()
    assert islands[1] in report and "search (island 1)" in report
    pytest.importorskip("starlette", reason="of the dashboard")
    from zero.dashboard.root import Root
    from zero.dashboard.shown import Shown

    board = Shown(Root(tmp_path))
    figures = dict(board.run("run")["figures"])
    board.close()
    assert figures["searches 2"].startswith(islands[1]) and differ in figures["searches 2"]


# --- mistakes ---------------------------------------------------------------------------------------

CLASSES = {"type": "projected_classes", "source": "digits", "features": 4, "classes": [0, 1]}


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ([FIRST, OTHER, {**FIRST, "train": 7}],
         "tasks.search: lists 3 families for 2 islands, each of which searches one; give islands.count of "
         "at least 3, or fewer families"),
        ([], "tasks.search: is an empty list; give a family for each group of islands"),
        ([FIRST, {"type": "linear_regresion"}], "tasks.search[1].type: unknown task type"),
        ([FIRST, {**FIRST, "trian": 3}], "tasks.search[1].trian: unknown key 'trian'"),
        ([FIRST, 7], "tasks.search[1]: must be a section with a 'type'"),
        ([FIRST, CLASSES], "tasks.search[1]: has vector labels and the search tasks have scalar ones"),
        ([FIRST, {"type": "optimizer"}], "tasks.search[1]: programs are the optimizer on these tasks"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_line(search, said):
    with pytest.raises(ConfigError) as raised:
        small_config(
            tasks={"search": search, "select": FIRST, "final": FIRST}, islands={"count": 2}
        )
    lines = str(raised.value).splitlines()
    assert any(said in line for line in lines), lines
    assert len(lines) == 1


def test_families_of_other_features_are_refused():
    wide = {**OTHER, "features": 5}
    config = mixed(tasks={"search": [FIRST, wide], "select": FIRST})
    with pytest.raises(ConfigError) as raised:
        ProgramsDomain(config).check()
    assert str(raised.value) == (
        "tasks.search[1] has 5 features, and tasks.search[0] has 4; islands exchange programs, so give "
        "families of as many features"
    )


def test_the_hurdle_must_fit_all_tasks():
    tasks = {"search": [FIRST, {**OTHER, "valid": 8}], "select": FIRST}
    config = mixed(tasks=tasks, evaluation={"hurdle": {"train": 15, "valid": 9}})
    with pytest.raises(
        ConfigError, match=r"evaluation\.hurdle\.valid is 9, but the search tasks have"
    ):
        ProgramsDomain(config).check()


def test_settings_by_any_hand_are_put_into_words():
    from zero.tasks.read import in_words

    for search in ([1, None], [{}, {"type": 3}], [{"path": None}, {"path": 7}], "x", None, []):
        for islands in (None, {"count": "many"}, {"count": -1}, {"count": 10**18}, 3):
            texts = in_words({"tasks": {"search": search}, "islands": islands})
            assert all(isinstance(text, str) for text in texts)
    assert json.dumps(in_words(7)) == "[]"

"""What a run promises: the same seed gives the same bytes, budgets hold, the archive is true."""

import math

import numpy as np
import pytest
from helpers import parse
from small_runs import all_records, archive_bytes, small_config

from zero.config.load import make_config
from zero.errors import ArchiveError, ProgramError
from zero.programs import library
from zero.programs.domain import ProgramsDomain, make_evaluator, make_tasks, memory_of
from zero.programs.evaluator import Evaluator
from zero.programs.figures import chance
from zero.programs.find import load_program
from zero.programs.island import Island
from zero.programs.keep import BASELINES
from zero.programs.program import Program, parse_program, validate_program
from zero.programs.simplified import simplify
from zero.runs import run
from zero.runs.archive import lineage, read_archive
from zero.runs.progress import Reporter
from zero.runs.run import resume, start
from zero.tasks.table import table_from_arrays

SETTINGS_OF_ALL_KINDS = {
    "median": {"evaluation": {"fitness": "median"}, "tasks": {"search": {"count": 5}}},
    "min": {"evaluation": {"fitness": "min"}, "tasks": {"search": {"count": 5}}},
    "no cache": {"evaluation": {"cache": "none"}},
    "hurdle": {"evaluation": {"hurdle": {"train": 15, "valid": 5, "quantile": 0.5}}},
    "train budget": {"evaluation": {"train_budget": {"baseline": "linear", "factor": 1.5}}},
    "random search": {"search": {"method": "random_search"}},
    "random start": {"program": {"initial": "random"}},
    "a shipped program": {"program": {"initial": "linear"}},
}


class Listener(Reporter):
    def __init__(self):
        self.messages, self.summaries = [], []

    def message(self, text):
        self.messages.append(text)

    def finish(self, summary):
        self.summaries.append(summary)


def go(tmp_path, name="run", **changes):
    return run.start(small_config(**changes), tmp_path / name)


def experiments(outcome):
    return read_archive(outcome.folder).experiments


# --- the same seed ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3])
def test_same_seed_gives_same_archive(tmp_path, count):
    for name in ("a", "b"):
        go(tmp_path, name, islands={"count": count})
    assert archive_bytes(tmp_path / "a") == archive_bytes(tmp_path / "b")


@pytest.mark.parametrize("kind", SETTINGS_OF_ALL_KINDS)
def test_same_seed_gives_same_archive_for_every_kind(tmp_path, kind):
    changes = SETTINGS_OF_ALL_KINDS[kind] | {
        "islands": {"count": 2},
        "budget": {"individuals": 3000},
    }
    outcomes = [go(tmp_path, name, **changes) for name in ("a", "b")]
    assert archive_bytes(tmp_path / "a") == archive_bytes(tmp_path / "b")
    assert outcomes[0].individuals == 3000
    assert 0 < outcomes[0].search_fitness <= 1
    assert 0 <= outcomes[0].final.fitness <= 1


def test_seed_and_islands_change_what_is_found(tmp_path):
    go(tmp_path, "a")
    go(tmp_path, "b", seed=4)
    go(tmp_path, "c", islands={"count": 2})
    programs = [[r.text for r in all_records(tmp_path / name)] for name in "abc"]
    assert programs[0] != programs[1]
    assert programs[0] != programs[2]


@pytest.mark.parametrize("slow", [0, 1])
def test_a_slow_island_changes_nothing(tmp_path, monkeypatch, slow):
    import time

    go(tmp_path, "even", islands={"count": 2})
    advance = Island.advance

    def delayed(self, seconds):
        if self.index == slow:
            time.sleep(0.02)
        return advance(self, seconds)

    monkeypatch.setattr(Island, "advance", delayed)
    go(tmp_path, "uneven", islands={"count": 2})
    assert archive_bytes(tmp_path / "even") == archive_bytes(tmp_path / "uneven")


def test_checkpoints_change_nothing(tmp_path):
    go(tmp_path, "seldom", islands={"count": 2})
    run.start(small_config(islands={"count": 2}), tmp_path / "often", checkpoint_seconds=0.0)
    assert archive_bytes(tmp_path / "seldom") == archive_bytes(tmp_path / "often")


def test_reference_backend_finds_the_same(tmp_path):
    changes = {"evaluation": {"cache": "none"}, "budget": {"individuals": 250}}
    changes["islands"] = {"count": 2, "migrate_every": 50}
    compiled = go(tmp_path, "cpu", **changes)
    plain = go(tmp_path, "reference", backend="reference", **changes)
    assert plain.program == compiled.program
    assert plain.search_fitness == pytest.approx(compiled.search_fitness, abs=1e-9)
    assert plain.final.fitness == pytest.approx(compiled.final.fitness, abs=1e-9)


# --- budgets ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("individuals", "count", "migrate_every"),
    [(1, 1, 500), (2000, 1, 300), (1000, 3, 333), (1001, 2, 500), (2, 3, 10), (999, 2, 10_000)],
)
def test_individuals_are_met_exactly(tmp_path, individuals, count, migrate_every):
    outcome = go(
        tmp_path,
        budget={"individuals": individuals},
        islands={"count": count, "migrate_every": migrate_every},
    )
    assert (outcome.individuals, outcome.reason) == (individuals, "individuals")
    assert experiments(outcome)[0].summary.individuals == individuals
    assert outcome.program is not None


@pytest.mark.parametrize("count", [1, 2])
def test_train_steps_are_passed_by_less_than_one_individual_an_island(tmp_path, count):
    outcome = go(
        tmp_path, budget={"individuals": None, "train_steps": 5000}, islands={"count": count}
    )
    assert outcome.reason == "train_steps"
    assert 5000 <= outcome.train_steps < 5000 + 20 * count


@pytest.mark.parametrize("count", [1, 2])
def test_fitness_ends_a_run(tmp_path, count):
    outcome = go(tmp_path, budget={"fitness": 0.35}, islands={"count": count})
    assert outcome.reason == "fitness"
    assert outcome.search_fitness >= 0.35
    assert outcome.individuals < 6000


def test_patience_counts_from_the_last_improvement(tmp_path):
    outcome = go(tmp_path, budget={"individuals": None, "patience": 700})
    assert outcome.reason == "patience"
    last = max(r.individuals for r in all_records(outcome.folder) if r.is_best)
    assert outcome.individuals == last + 700


def test_patience_of_islands_is_that_of_all_together(tmp_path):
    outcome = go(
        tmp_path,
        budget={"individuals": 100_000, "patience": 3000},
        islands={"count": 2, "migrate_every": 100},
    )
    assert outcome.reason == "patience"
    last = max(r.individuals for r in all_records(outcome.folder) if r.is_best)
    # Both go on for at least 1500 each, and at most to the end of the round.
    assert 2 * (last + 1500) <= outcome.individuals < 2 * (last + 1500 + 200)


def test_seconds_end_a_run_for_good(tmp_path):
    outcome = go(tmp_path, budget={"individuals": None, "seconds": 0.3})
    assert outcome.reason == "seconds"
    assert outcome.individuals > 0
    before = archive_bytes(outcome.folder)
    again = run.resume(outcome.folder)
    assert (again.reason, again.individuals) == ("seconds", outcome.individuals)
    assert archive_bytes(outcome.folder) == before


def test_huge_budgets_are_no_budgets(tmp_path):
    changes = {"individuals": 10**30, "train_steps": 10**30, "patience": 10**30, "fitness": 0.1}
    assert go(tmp_path, budget=changes).reason == "fitness"


# --- experiments --------------------------------------------------------------------------------


def test_experiments_are_counted_and_share_the_budget(tmp_path):
    each = {"max": 3, "individuals": 800}
    outcome = go(tmp_path, "three", experiments=each, budget={"individuals": 5000})
    assert outcome.reason == "experiments"
    assert [e.summary.individuals for e in experiments(outcome)] == [800, 800, 800]
    outcome = go(tmp_path, "cut", experiments=each, budget={"individuals": 1500})
    assert outcome.reason == "individuals"
    assert [e.summary.individuals for e in experiments(outcome)] == [800, 700]


def test_experiments_start_afresh(tmp_path):
    outcome = go(tmp_path, experiments={"max": 2, "individuals": 800})
    first, second = experiments(outcome)
    assert [r.text for r in first.records] != [r.text for r in second.records]
    assert second.records[0].parent == -1
    assert second.curve[0].individuals == 30


def test_sufficient_fitness_on_select_tasks_ends_the_run(tmp_path):
    outcome = go(
        tmp_path,
        experiments={"max": 0, "individuals": 3000, "sufficient_fitness": 0.36},
        budget={"individuals": 300_000},
        islands={"count": 2},
    )
    assert outcome.reason == "sufficient_fitness"
    assert outcome.select_fitness >= 0.36
    reached = [e.summary.select_fitness >= 0.36 for e in experiments(outcome)]
    assert reached == [False] * (len(reached) - 1) + [True]


def test_new_tasks_are_new_for_search_and_select_only(tmp_path):
    config = small_config(experiments={"max": 2, "individuals": 500, "new_tasks": True})
    maker = ProgramsDomain(config, Program())
    for purpose, same in (("search", False), ("select", False), ("final", True)):
        data = [maker.tasks(purpose, number).train_x for number in (0, 1)]
        assert np.array_equal(*data) == same
    outcome = run.start(config, tmp_path / "run")
    assert len(experiments(outcome)) == 2
    # Each experiment's figures are of its own tasks.
    for number, experiment in enumerate(experiments(outcome)):
        best = max((r for r in experiment.records if r.is_best), key=lambda r: r.fitness)
        evaluated = maker.evaluator("search", number)(parse_program(best.text))
        assert evaluated.fitness == best.fitness


def test_the_outcome_is_best_on_the_select_tasks(tmp_path):
    outcome = go(tmp_path, experiments={"max": 4, "individuals": 700})
    summaries = [e.summary for e in experiments(outcome)]
    assert outcome.select_fitness == max(s.select_fitness for s in summaries)
    results = read_archive(outcome.folder).results
    assert results["record"] in [s.candidate for s in summaries]
    assert results["select"]["fitness"] == outcome.select_fitness
    assert (outcome.folder / "best.txt").read_text() == results["program"] == str(outcome.program)


def test_final_tasks_are_used_once_and_last(tmp_path, monkeypatch):
    used = []
    call = Evaluator.__call__

    def watched(self, program):
        purpose = wanted.index(self.tasks.train_x.tobytes())
        used.append((program, ("search", "select", "final")[purpose]))
        return call(self, program)

    config = small_config(experiments={"max": 2, "individuals": 500})
    maker = ProgramsDomain(config, Program())
    wanted = [maker.tasks(p, 0).train_x.tobytes() for p in ("search", "select", "final")]
    assert len(set(wanted)) == 3
    monkeypatch.setattr("zero.evolution.forks.in_child", lambda ask, **_: ask())
    monkeypatch.setattr(Evaluator, "__call__", watched)
    # In one process, so that the islands' evaluations are seen too.
    islands = maker.islands(0, {"individuals": 500, "train_steps": 10**9})
    while not islands[0].waiting:
        islands[0].advance(1.0)
    # Of an island: what it began with and its best.
    assert [purpose for _, purpose in used] == ["select", "select"]
    assert used[0][0] == Program() != used[1][0]
    used.clear()
    outcome = run.start(config, tmp_path / "run")
    # The shipped programs are evaluated too, to be compared with; of what was found, one program.
    shipped = [library.program(name) for name in BASELINES]
    found = [(program, purpose) for program, purpose in used if program not in shipped]
    # The final tasks twice where memory may last: as a predictor, and with it.
    purposes = ["search", "select", "final"] + ["final"] * bool(outcome.details["departures"])
    assert found == [(outcome.program, purpose) for purpose in purposes]


# --- what the archive says ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    config = small_config(islands={"count": 3}, tasks={"search": {"count": 5}})
    return run.start(config, tmp_path_factory.mktemp("run") / "run"), config


def test_archive_figures_are_those_of_the_programs(outcome):
    outcome, config = outcome
    evaluate = ProgramsDomain(config, Program()).evaluator("search", 0)
    checked = 0
    for record in all_records(outcome.folder):
        again = evaluate(parse_program(record.text))
        if record.is_best:
            checked += 1
            assert np.array_equal(again.task_fitness, record.task_fitness)
        assert again.fitness == record.fitness
    assert checked > 3


def test_lineage_reaches_the_start(outcome):
    data = read_archive(outcome[0].folder)
    records = {r.id: r for e in data.experiments for r in e.records}
    assert all(r.parent == -1 or r.parent in records for r in records.values())
    chain = lineage(data, max(records.values(), key=lambda r: r.fitness).id)
    assert chain[0].parent == -1
    assert chain[0].mutation == "first"
    assert parse_program(chain[0].text) == Program()
    assert all(later.steps >= 1 or later.mutation == "copy" for later in chain[1:])
    assert len(chain) > 2


def test_programs_keep_to_memory_and_sizes(outcome):
    outcome, config = outcome
    for record in all_records(outcome.folder):
        program = parse_program(record.text)
        validate_program(program, memory_of(config))
        sizes = [len(f) for f in program.functions]
        assert np.all(np.array(sizes) <= [3, 3, 6])


def test_curve_counts_all_islands(outcome):
    curve = experiments(outcome[0])[0].curve
    assert [p.individuals for p in curve[:3]] == [90, 180, 270]
    best = [p.best_fitness for p in curve]
    assert best == sorted(best)
    assert best[-1] <= outcome[0].search_fitness or math.isclose(best[-1], max(best))


def test_long_curves_are_thinned_together(tmp_path):
    changes = {"search": {"population": 2, "tournament": 1}, "budget": {"individuals": 5001}}
    outcome = go(tmp_path, islands={"count": 2, "migrate_every": 400, "migrants": 1}, **changes)
    points = [p.individuals for p in experiments(outcome)[0].curve]
    assert 200 < len(points) <= 1000
    assert len(set(np.diff(points))) == 1


def test_totals_are_told_once(tmp_path):
    listener = Listener()
    config = small_config(experiments={"max": 3, "individuals": 600}, islands={"count": 2})
    outcome = run.start(config, tmp_path / "run", listener)
    (summary,) = listener.summaries
    assert summary["individuals"] == outcome.individuals == 1800
    assert summary["individuals_per_second"] <= 1800 / summary["seconds"] * 1.5
    assert sum("ended" in text for text in listener.messages) == 3


# --- programs by name ---------------------------------------------------------------------------


class Watcher(Reporter):
    """Keeps what a view of a run shows."""

    def __init__(self):
        self.beside, self.found, self.near = [], [], []

    def baselines(self, fitness):
        self.beside.append(fitness)

    def improvement(self, record):
        self.found.append(record)

    def update(self, stats):
        self.near.append(stats["nearest"])


def test_what_a_view_shows_is_true_and_changes_nothing(tmp_path, monkeypatch):
    watcher, config = Watcher(), small_config()
    start(config, tmp_path / "a", watcher)
    slow = config.model_copy(update={"backend": "reference"})
    evaluate = make_evaluator(slow, make_tasks(config, "search"))
    wanted = {name: evaluate(library.program(name)).fitness for name in BASELINES}
    wanted["always the mean"] = chance(evaluate.tasks).mean()
    assert len(watcher.beside) == 1 and watcher.beside[0] == pytest.approx(wanted)
    shown = parse_program(watcher.found[-1]["program"])
    assert evaluate(shown).fitness == pytest.approx(watcher.found[-1]["fitness"])
    assert simplify(shown) == shown
    assert [watcher.near[-1][key] for key in ("limit", "of")] == ["individuals", 6000]
    assert 0 < watcher.near[-1]["done"] <= 6000
    monkeypatch.setattr(ProgramsDomain, "baselines", lambda *_: {})
    start(small_config(), tmp_path / "b")
    assert archive_bytes(tmp_path / "a") == archive_bytes(tmp_path / "b")


def test_the_nearest_limit_is_that_of_all_experiments(tmp_path):
    watcher = Watcher()
    experiments = {"max": 2, "individuals": 1000}
    start(small_config(experiments=experiments), tmp_path / "run", watcher)
    assert [watcher.near[-1][key] for key in ("limit", "of")] == ["individuals", 2000]
    assert 1000 < watcher.near[-1]["done"] <= 2000


def test_programs_are_loaded_by_name_file_and_record(tmp_path):
    outcome = go(tmp_path, budget={"individuals": 1500})
    assert load_program(str(outcome.folder)) == outcome.program
    record = all_records(outcome.folder)[-1]
    assert load_program(f"{outcome.folder}#{record.id}") == parse_program(record.text)
    assert load_program(str(outcome.folder / "best.txt")) == outcome.program
    with pytest.raises(ArchiveError, match="no record 5"):
        load_program(f"{outcome.folder}#5")
    with pytest.raises(ProgramError, match="no program 'nothing'"):
        load_program("nothing")


def test_a_found_program_can_be_the_start_of_another_run(tmp_path):
    outcome = go(tmp_path, budget={"individuals": 1500})
    start = str(outcome.folder / "best.txt")
    changes = {"program": {"initial": start}, "budget": {"individuals": 100}}
    again = go(tmp_path, "again", **changes)
    assert again.search_fitness >= outcome.search_fitness


def test_a_run_on_arrays_keeps_its_data_and_can_be_resumed(tmp_path):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 3))
    y = np.where(x[:, 0] > 0, "yes", "no")
    settings = {
        "seed": 2,
        "tasks": {"search": table_from_arrays(x, y, "binary", count=2)},
        "program": {
            "memory": {"scalars": 4, "vectors": 3, "matrices": 0},
            "predict": {"ops": ["VECTOR_INNER_PRODUCT"]},
            "learn": {"ops": ["SCALAR_DIFF", "SCALAR_VECTOR_PRODUCT", "VECTOR_SUM"]},
        },
        "search": {"population": 50, "tournament": 5},
        "budget": {"individuals": 20000},
    }
    config = make_config(settings)
    whole = start(config, tmp_path / "whole")
    start(config, tmp_path / "broken", max_seconds=0.01)
    broken = resume(tmp_path / "broken")
    assert (tmp_path / "whole" / "search-data.h5").is_file()
    assert whole.reason == broken.reason == "individuals"
    assert str(whole.program) == str(broken.program)
    assert whole.final.fitness == broken.final.fitness > 0.5


def test_the_program_a_search_starts_from_is_a_candidate(tmp_path):
    """Evolution fits few noisy rows too closely; the linear program that it began with may be better."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4))
    y = x @ [1, -1, 0.5, 2] + 2 * rng.normal(size=60)
    families = {
        purpose: table_from_arrays(x, y, "regression", count=count, epochs=1)
        for purpose, count in (("search", 2), ("select", 20))
    }
    kept = 0
    for seed in range(1, 7):
        config = small_config(seed=seed, tasks=families, program={"initial": "linear"})
        outcome = start(config, tmp_path / str(seed))
        linear = outcome.baselines["linear"][0]
        assert outcome.select_fitness >= linear
        kept += outcome.select_fitness == linear
    assert kept  # otherwise this says nothing


def test_the_final_figure_is_a_predictors(tmp_path):
    """A program that says the classes in turn is told apart from one that predicts."""
    rows = 400
    x = np.random.default_rng(2).normal(size=(rows, 4))
    family = table_from_arrays(x, np.arange(rows) % 2, "binary")
    config = small_config(tasks={"search": family})
    toggle = parse(Setup="s2 = 1; s3 = -1", Predict="s2 = s2 * s3; s1 = maximum(s2, s2)")
    maker = ProgramsDomain(config, toggle)
    tasks = maker.tasks("final", 0)
    tasks.valid_y[:] = np.arange(tasks.valid_y.shape[1]) % 2 == 1
    evaluation, found = maker.figures(toggle, "final", 0)
    assert evaluation.fitness == found["fitness"] == found["chance"] == 0.5
    assert found["lasting_fitness"] in (0.0, 1.0) and found["order_matters"]
    low, high = found["interval"]
    assert low < 0.5 < high and 0.05 < high - low < 0.3
    # In the search, and for select tasks, memory lasts, as in the original engine.
    _, found = maker.figures(toggle, "select", 0)
    assert "lasting_fitness" not in found

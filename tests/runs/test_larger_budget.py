"""What may change about a run that has begun: a larger budget, and nothing else."""

import sys

import pytest
from commands import zero_
from small_cells import small_cells
from small_runs import Messages, archive_bytes, small_config, small_settings

from zero.config.load import make_config
from zero.errors import ArchiveError, ConfigError
from zero.evolution.island import reopened
from zero.programs import ops
from zero.programs.domain import ProgramsDomain
from zero.runs import run
from zero.runs.folder import RunFolder

TWO = {"islands": {"count": 2}}
MANY = {"experiments": {"max": 0, "individuals": 4000, "new_tasks": True}}
NO_LIMIT = {"individuals": None}
CASES = {
    "at the end of a round": ({"individuals": 2000}, {"individuals": 5000}, {}),
    "within a round": ({"individuals": 2011}, {"individuals": 5003}, {}),
    "two islands, at the end of a round": ({"individuals": 2000}, {"individuals": 5000}, TWO),
    "two islands, one within a round": ({"individuals": 2001}, {"individuals": 5000}, TWO),
    "two islands, within a round": ({"individuals": 2011}, {"individuals": 5000}, TWO),
    "in the first population": ({"individuals": 40}, {"individuals": 5000}, TWO),
    "patience": ({"patience": 700}, {"patience": 1500}, {}),
    "patience of two islands": ({"patience": 700}, {"patience": 1500}, TWO),
    "fitness": ({"fitness": 0.3}, {"fitness": 0.9}, {}),
    "fitness of one of two islands": ({"fitness": 0.3}, {"fitness": 0.9}, TWO),
    "train steps": (NO_LIMIT | {"train_steps": 9999}, NO_LIMIT | {"train_steps": 29999}, {}),
    "within an experiment": ({"individuals": 6000}, {"individuals": 9000}, MANY),
    "between experiments": ({"individuals": 8000}, {"individuals": 9000}, MANY | TWO),
    "batches": ({"individuals": 2000}, {"individuals": 5000}, {"search": {"batch": 7}}),
}


def assignments(small, large):
    return [f"budget.{key}={value}" for key, value in large.items() if value != small[key]]


@pytest.mark.parametrize("case", CASES)
def test_a_run_goes_on_as_if_it_had_been_given_the_larger_budget_at_first(case, tmp_path):
    small, large, more = CASES[case]
    run.start(small_config(**more, budget=large), tmp_path / "whole")
    first = run.start(small_config(**more, budget=small), tmp_path / "run")
    messages = Messages()
    outcome = run.resume(tmp_path / "run", messages, settings=assignments(small, large))
    assert outcome.individuals > first.individuals
    assert archive_bytes(tmp_path / "run") == archive_bytes(tmp_path / "whole")
    assert "larger" in messages.texts[0] and not any("exactly" in m for m in messages.texts)
    assert RunFolder.open(tmp_path / "run").info()["budgets"] == [
        {key: [small[key], large[key]] for key in small if small[key] != large[key]}
    ]


@pytest.mark.parametrize("more", [{}, TWO])
def test_cells_go_on_with_a_larger_budget(more, tmp_path):
    run.start(small_cells(**more, budget={"individuals": 14}), tmp_path / "whole")
    run.start(small_cells(**more, budget={"individuals": 9}), tmp_path / "run")
    run.resume(tmp_path / "run", settings=["budget.individuals=14"])
    assert archive_bytes(tmp_path / "run") == archive_bytes(tmp_path / "whole")


def test_last_trainings_are_done_anew_for_the_new_outcome(tmp_path):
    final = {"cells": {"final": {"filters": 3, "epochs": 2}, "published": ["nas_bench_201_skip"]}}
    run.start(small_cells(**final, budget={"individuals": 14}), tmp_path / "whole")
    run.start(small_cells(**final, budget={"individuals": 6}), tmp_path / "run")
    run.resume(tmp_path / "run", settings=["budget.individuals=14"])
    assert archive_bytes(tmp_path / "run") == archive_bytes(tmp_path / "whole")


def test_a_run_that_was_stopped_can_be_given_more(tmp_path):
    run.start(small_config(budget={"individuals": 90_000}), tmp_path / "whole")
    run.start(small_config(budget={"individuals": 60_000}), tmp_path / "run", max_seconds=0.0)
    outcome = run.resume(tmp_path / "run", settings=["budget.individuals=9e4"])
    assert outcome.individuals == 90_000
    assert archive_bytes(tmp_path / "run") == archive_bytes(tmp_path / "whole")


def test_a_run_that_ended_by_seconds_goes_on_where_it_was(tmp_path):
    forever = {"individuals": 10**9}
    first = run.start(small_config(budget={**forever, "seconds": 0.3}), tmp_path / "run")
    assert (first.reason, run.resume(tmp_path / "run").reason) == ("seconds", "seconds")
    again = run.resume(tmp_path / "run", settings=["budget.seconds=0.9"])
    assert again.reason == "seconds"
    assert again.individuals > first.individuals


def test_a_run_that_cannot_go_on_exactly_says_so(tmp_path):
    settings = {"search": {"batch": 7}}
    run.start(small_config(**settings, budget={"individuals": 2011}), tmp_path / "run")
    messages = Messages()
    outcome = run.resume(tmp_path / "run", messages, settings=["budget.individuals=4000"])
    assert outcome.individuals == 4000
    assert "not exactly as if" in messages.texts[1]
    assert RunFolder.open(tmp_path / "run").info()["budgets_not_exact"] is True


def test_what_an_idle_island_sent_cannot_be_taken_back():
    counts = {"arrays": {}, "reason": "train_steps"}
    idle = {**counts, "round": 9, "report": {"round": 8, "reason": "train_steps"}}
    idle["before_end"] = {"round": 3, "reason": None, "report": None}
    late = {**idle, "before_end": {"round": 8, "reason": None, "report": None, "late": True}}
    states, exact = reopened([idle, late])
    assert not exact
    assert [s["round"] for s in states] == [9, 8]
    assert states[0]["report"] == {"round": 8, "reason": None}
    assert [s["reason"] for s in states] == [None, None]
    assert reopened([late])[1]


def test_another_limit_that_holds_keeps_the_run_ended(tmp_path):
    run.start(small_config(budget={"individuals": 2000, "patience": 1900}), tmp_path / "run")
    messages = Messages()
    outcome = run.resume(tmp_path / "run", messages, settings=["budget.patience=null"])
    assert (outcome.reason, outcome.individuals) == ("individuals", 2000)
    assert "changes nothing" in messages.texts[1]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("seed=4", "seed=4: a run goes on with the settings that it began with"),
        ("search.population=31", "population: 30"),
        ("budget.individuals=5999", "can only become larger, and budget.individuals is 6000"),
        ("budget.seconds=5", "budget.seconds has no limit"),
        ("budget.individuals=many", "must be a whole number"),
        ("budget.individuals=null", "nothing ends the run"),
    ],
)
def test_anything_else_is_refused(setting, words, tmp_path):
    run.start(small_config(), tmp_path / "run")
    before = archive_bytes(tmp_path / "run"), (tmp_path / "run" / "config.yaml").read_text()
    with pytest.raises(ConfigError, match=words) as caught:
        run.resume(tmp_path / "run", settings=[setting])
    assert "\n" not in str(caught.value)
    assert before == (
        archive_bytes(tmp_path / "run"), (tmp_path / "run" / "config.yaml").read_text()
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("population: 30", "population: 80", "search.population is 80, recorded 30"),
        ("seed: 3", "seed: 4", "seed is 4, recorded 3"),
        ("dtype: float64", "dtype: float32", "dtype is float32, recorded float64"),
        ("migrants: 4", "migrants: 3", "islands.migrants is 3, recorded 4"),
        ("individuals: 6000", "individuals: 9000", "budget.individuals is 9000, recorded 6000"),
        ("tournament: 5", "turnament: 5", "tournament is null, recorded 5, .*turnament is 5"),
    ],
)
def test_an_edited_config_is_refused(old, new, words, tmp_path):
    run.start(small_config(), tmp_path / "run", max_seconds=0.0)
    path = tmp_path / "run" / "config.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=words) as caught:
        run.resume(tmp_path / "run")
    assert "\n" not in str(caught.value)
    path.write_text("# a comment\n" + text)
    assert run.resume(tmp_path / "run").reason == "individuals"


def test_a_folder_of_an_older_version_goes_on_with_a_note(tmp_path):
    run.start(small_config(), tmp_path / "whole")
    run.start(small_config(budget={"individuals": 6000}), tmp_path / "run", max_seconds=0.0)
    for name in ("run", "whole"):
        folder = RunFolder.open(tmp_path / name)
        info = folder.info()
        kept = {k: v for k, v in info.items() if k not in ("settings", "imports")}
        folder.write_info(kept)
        state, _ = folder.checkpoints.load()
        for key in ("search_seconds", "budget", "ended_states"):
            del state[key]
        folder.checkpoints.save(state)
    messages = Messages()
    run.resume(tmp_path / "run", messages)
    assert "older zero" in messages.texts[0]
    assert archive_bytes(tmp_path / "run") == archive_bytes(tmp_path / "whole")
    with pytest.raises(ArchiveError, match="kept nothing to go on from"):
        run.resume(tmp_path / "whole", settings=["budget.individuals=7000"])


def test_a_run_that_cannot_go_on_keeps_its_budget(tmp_path, monkeypatch):
    run.start(small_config(budget={"individuals": 500}), tmp_path / "run")
    before = (tmp_path / "run" / "config.yaml").read_text()
    monkeypatch.setattr(ProgramsDomain, "data_digest", lambda self: "others")
    with pytest.raises(ConfigError, match="so it cannot go on"):
        run.resume(tmp_path / "run", settings=["budget.individuals=900"])
    assert (tmp_path / "run" / "config.yaml").read_text() == before


@pytest.mark.parametrize("killed", [1, 2, 3])
def test_killed_while_its_budget_becomes_larger_a_run_goes_on(killed, tmp_path, monkeypatch):
    run.start(small_config(budget={"individuals": 500}), tmp_path / "run")
    writes = []

    def dying(write):
        def writing(*arguments):
            writes.append(1)
            if len(writes) == killed:
                raise KeyboardInterrupt
            return write(*arguments)

        return writing

    with monkeypatch.context() as patched:
        for name in ("write_info", "write_config"):
            patched.setattr(RunFolder, name, dying(getattr(RunFolder, name)))
        with pytest.raises(KeyboardInterrupt):
            run.resume(tmp_path / "run", settings=["budget.individuals=900"])
    outcome = run.resume(tmp_path / "run", settings=["budget.individuals=900"])
    assert outcome.individuals == 900


# --- imports --------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path, own_ops):
    """A file with an op, and settings that import it."""
    path = tmp_path / "own.py"
    path.write_text(
        "from zero.programs.ops import register_op\nregister_op('SCALAR_TWICE', 's>s', 'a + a')\n"
    )
    learn = ["SCALAR_TWICE", "SCALAR_DIFF", "SCALAR_VECTOR_PRODUCT", "VECTOR_SUM"]
    changes = {"program": {"learn": {"ops": learn}}, "imports": [str(path)]}
    yield path, small_settings(**changes)
    forget()


def forget():
    """Lets this process know nothing of what it has imported, as a new one does."""
    ops.OPS.pop("SCALAR_TWICE", None)
    ops.GROUPS.update(ops._groups())
    for name in [name for name in sys.modules if name.startswith("zero_import_own_")]:
        del sys.modules[name]


def test_a_run_goes_on_with_the_imports_that_it_began_with(own, tmp_path):
    path, settings = own
    run.start(make_config(settings), tmp_path / "whole")
    run.start(make_config(settings), tmp_path / "run", max_seconds=0.0)
    for change in (lambda: path.write_text("register_nothing()"), path.unlink):
        forget()
        change()
        messages = Messages()
        run.resume(tmp_path / "run", messages)
        assert len(messages.texts) == 1
        assert str(path) in messages.texts[0] and "the copy that it keeps" in messages.texts[0]
    assert archive_bytes(tmp_path / "run") == archive_bytes(tmp_path / "whole")
    forget()
    assert "best" not in zero_("show", tmp_path / "run")[1]
    assert "SCALAR_TWICE" not in ops.OPS  # to look at a run executes nothing of it
    zero_("evaluate", tmp_path / "run", tmp_path / "run" / "config.yaml")
    assert "SCALAR_TWICE" in ops.OPS


def test_a_kept_import_that_was_edited_is_refused(own, tmp_path):
    _, settings = own
    run.start(make_config(settings), tmp_path / "run", max_seconds=0.0)
    (kept,) = (tmp_path / "run" / "imports").glob("*.py")
    kept.write_text(kept.read_text() + "# more\n")
    with pytest.raises(ConfigError, match=r"0-own\.py is not what the run began with"):
        run.resume(tmp_path / "run")


def test_a_module_that_changed_is_refused(tmp_path, monkeypatch):
    (tmp_path / "zero_own_module.py").write_text("a = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    run.start(small_config(imports=["zero_own_module"]), tmp_path / "run", max_seconds=0.0)
    (tmp_path / "zero_own_module.py").write_text("a = 2\n")
    with pytest.raises(ConfigError, match="the module zero_own_module has changed"):
        run.resume(tmp_path / "run")

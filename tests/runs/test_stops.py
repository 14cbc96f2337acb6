"""A stop acts at once, whatever a run is doing; what is no search counts in no budget of seconds."""

import contextlib
import os
import signal
import sys
import threading
import time

import pytest
from commands import zero_
from small_runs import archive_bytes, living, small_config, wait_until

from tests.runs.test_resume import forked
from zero.errors import TaskError
from zero.jit import compiling
from zero.jit.cache import compiled_aside
from zero.programs.domain import ProgramsDomain
from zero.programs.island import Island
from zero.runs import run
from zero.runs.archive import read_archive
from zero.runs.folder import RunFolder
from zero.system import signals
from zero.system.signals import Stop, Stops

FOREVER = 3000.0  # far above the time that a test may take


def compile_for_ever():
    compiled_aside(lambda: time.sleep(FOREVER))


def before(method, action):
    """Returns the method with an action before it, as long as there is one."""

    def longer(self, *arguments, **options):
        if longer.action:
            longer.action()
        return method(self, *arguments, **options)

    longer.action = action
    return longer


# Where a run may be when a stop is wished, and how it stays there.
PLACES = {
    "reading": (ProgramsDomain, "check", lambda: time.sleep(FOREVER)),
    "compiling": (ProgramsDomain, "islands", compile_for_ever),
    "in an evaluation": (Island, "advance", lambda: time.sleep(FOREVER)),
    "on the select tasks": (Island, "_select_fitness", lambda: time.sleep(FOREVER)),
    "final figures": (ProgramsDomain, "conclude", lambda: time.sleep(FOREVER)),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    run.start(small_config(), folder)
    return archive_bytes(folder)


@pytest.fixture(params=PLACES)
def stuck(request, monkeypatch):
    """The place that runs do not leave, and what lets them."""
    owner, name, action = PLACES[request.param]
    method = before(getattr(owner, name), action)
    monkeypatch.setattr(owner, name, method)
    return request.param, lambda: setattr(method, "action", None)


def test_a_limit_of_time_acts_wherever_the_run_is(stuck, whole, tmp_path):
    place, go_on = stuck
    outcome = run.start(small_config(), tmp_path / "run", max_seconds=2.0)
    assert (outcome.reason, outcome.final, outcome.baselines) == ("max_seconds", None, {})
    assert (outcome.individuals == 6000) == (place == "final figures")
    go_on()
    assert run.resume(tmp_path / "run").reason == "individuals"
    assert archive_bytes(tmp_path / "run") == whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_acts_wherever_the_run_is(stuck, number, whole, tmp_path):
    _, go_on = stuck

    def stop_soon():
        timer = threading.Timer(1.5, os.kill, (os.getpid(), number))
        timer.start()
        outcome = run.start(small_config(), tmp_path / "run")
        assert (outcome.reason, outcome.final) == ("interrupted", None)

    child = forked(stop_soon)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert wait_until(lambda: not living(child))
    go_on()
    run.resume(tmp_path / "run")
    assert archive_bytes(tmp_path / "run") == whole


@pytest.mark.parametrize("name", ["check", "data_digest"])
def test_defaults_are_cut_to_the_data_after_a_stop_in_the_reading(name, tmp_path, monkeypatch):
    config = small_config(
        tasks={"search": {"type": "linear_regression", "features": 4, "train": 20, "valid": 6}},
        evaluation={"cache": {}},
    )
    run.start(config, tmp_path / "whole")
    read, reads = getattr(ProgramsDomain, name), []

    def slow(self):
        found = read(self)
        reads.append(1)
        if len(reads) == 1:
            time.sleep(FOREVER)
        return found

    monkeypatch.setattr(ProgramsDomain, name, slow)
    assert run.start(config, tmp_path / "run", max_seconds=1.5).individuals == 0
    assert run.resume(tmp_path / "run").reason == "individuals"
    assert archive_bytes(tmp_path / "run") == archive_bytes(tmp_path / "whole")


def test_a_run_that_was_stopped_is_shown_and_evaluated(tmp_path, monkeypatch):
    method = before(ProgramsDomain.conclude, lambda: time.sleep(FOREVER))
    monkeypatch.setattr(ProgramsDomain, "conclude", method)
    outcome = run.start(small_config(), tmp_path / "run", max_seconds=2.0)
    results = read_archive(tmp_path / "run").results
    assert (results["search"], results["select"], results["final"]) == (None, None, None)
    out, _ = zero_("show", tmp_path / "run")
    assert f"search fitness  {outcome.search_fitness:.6f}" in out
    assert "zero resume" in out
    out, _ = zero_("evaluate", tmp_path / "run", tmp_path / "run" / "config.yaml")
    assert "final fitness" in out
    out, _ = zero_("resume", tmp_path / "run", "--quiet", "--max-seconds", "2")
    assert "final figures  not yet" in out and "zero resume" in out
    method.action = None
    assert "neural_network (shipped)" in zero_("resume", tmp_path / "run", "--quiet")[0]


def test_budget_seconds_are_of_the_search(tmp_path, monkeypatch):
    slow = [
        before(getattr(ProgramsDomain, n), lambda: time.sleep(1.0)) for n in ("check", "islands")
    ]
    monkeypatch.setattr(ProgramsDomain, "check", slow[0])
    monkeypatch.setattr(ProgramsDomain, "islands", slow[1])
    config = small_config(budget={"individuals": 10**9, "seconds": 0.9})
    outcome = run.start(config, tmp_path / "run", max_seconds=2.5)
    state, _ = RunFolder.open(tmp_path / "run").checkpoints.load()
    assert outcome.reason == "max_seconds"
    assert state["search_seconds"] < 0.9 < 2.0 < state["seconds"]
    outcome = run.resume(tmp_path / "run")
    after, _ = RunFolder.open(tmp_path / "run").checkpoints.load()
    assert outcome.reason == "seconds"
    assert outcome.individuals > 0
    assert state["search_seconds"] < 0.9 <= after["search_seconds"] < after["seconds"] - 3.0


def test_data_that_cannot_be_used_leave_no_folder(tmp_path, monkeypatch):
    def fail(self):
        raise TaskError("the data are wrong")

    monkeypatch.setattr(ProgramsDomain, "check", fail)
    (tmp_path / "mine").mkdir()
    for name in ("new", "mine"):
        with pytest.raises(TaskError, match="the data are wrong"):
            run.start(small_config(), tmp_path / name)
    assert [(p.name, list(p.iterdir())) for p in tmp_path.iterdir()] == [("mine", [])]


# --- compiling aside ------------------------------------------------------------------------------


def test_what_is_compiled_aside_ends_with_its_parent(tmp_path):
    child = forked(compile_for_ever)
    assert wait_until(lambda: len(living(child)) == 2)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert wait_until(lambda: not living(child))


def test_a_second_ctrl_c_ends_what_is_compiled_aside():
    def pressed():
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            compile_for_ever()
        assert living(os.getpid()) == [os.getpid()]

    assert os.waitstatus_to_exitcode(os.waitpid(forked(pressed), 0)[1]) == 0


def test_what_fails_aside_is_left_to_the_caller(tmp_path):
    mark, told = tmp_path / "mark", []

    def work():
        compiling.begin("measure")
        mark.touch()

    with compiling.telling(lambda *stage: told.append(stage[2])):
        assert compiled_aside(work)
        assert told == ["training and validation"]  # though the process may end at once after it
        assert not compiled_aside(lambda: sys.exit("no"))
    assert mark.exists()


# --- wishes ---------------------------------------------------------------------------------------


def test_wishes_act_only_where_nothing_is_lost():
    stops = Stops(max_seconds=0.0)
    signals.check()
    with stops.at_once():
        with pytest.raises(Stop):
            signals.check()
        signals.check(time.monotonic())  # it may yet end by itself
    signals.check()
    assert stops.why == "max_seconds"


def test_reading_is_left_at_any_line():
    stops = Stops(max_seconds=0.2)
    with pytest.raises(Stop), stops.at_once(anywhere=True):
        time.sleep(FOREVER)
    time.sleep(0.2)  # nothing comes later

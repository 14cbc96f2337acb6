"""A run that is killed, interrupted or stopped ends, once resumed, with the very same archive."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import traceback

import pytest
from small_runs import archive_bytes, living, small_config, small_settings, wait_until

from zero.errors import ArchiveError
from zero.programs.find import load_program
from zero.programs.island import Island
from zero.runs import run
from zero.runs.archive import read_archive
from zero.runs.progress import Reporter

pytestmark = pytest.mark.skipif(
    not os.path.isdir("/proc/self"), reason="reads processes from /proc"
)

KINDS = {
    "one island": {"budget": {"individuals": 60_000}},
    "two islands": {"budget": {"individuals": 30_000}, "islands": {"count": 2}},
    "experiments": {
        "budget": {"individuals": 60_000},
        "experiments": {"max": 0, "individuals": 9000, "new_tasks": True},
    },
    "experiments on islands": {
        "budget": {"individuals": 24_000},
        "islands": {"count": 2},
        "experiments": {"max": 6, "individuals": 4000, "new_tasks": True},
        "evaluation": {"hurdle": {"train": 15, "valid": 5, "quantile": 0.5}},
    },
}
LINEAR = {"type": "linear_regression", "features": 4, "train": 20, "valid": 10}
KINDS["islands with other tasks"] = {
    "budget": {"individuals": 30_000},
    "tasks": {"search": [LINEAR, {**LINEAR, "train": 30, "count": 2}], "select": LINEAR},
    "islands": {"count": 3},
    "evaluation": {"hurdle": {"train": 15, "valid": 5, "quantile": 0.5}},
}
KILLS_OF_EACH = 3


@pytest.fixture(scope="module", params=KINDS)
def whole(request, tmp_path_factory):
    """A config and its undisturbed run's folder and duration."""
    config = small_config(**KINDS[request.param])
    folder = tmp_path_factory.mktemp("whole") / "run"
    warm = small_config(**{**KINDS[request.param], "budget": {"individuals": 1}})
    run.start(warm, folder.parent / "warm")
    began = time.monotonic()
    run.start(config, folder)
    return config, folder, time.monotonic() - began


def forked(action) -> int:
    """Runs the action in a process of its own session; returns its process number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        action()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def start_or_resume(config, folder, **options):
    options = {"checkpoint_seconds": 0.05, **options}
    if (folder / "run.json").exists():
        return run.resume(folder, **options)
    return run.start(config, folder, **options)


def kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_killed_at_random_moments(whole, tmp_path):
    config, reference, seconds = whole
    folder = tmp_path / "run"
    rng = random.Random(f"{config.seed}/{config.islands.count}/{config.experiments.max}")
    for _ in range(KILLS_OF_EACH):
        if folder.exists() and not (folder / "run.json").exists():
            (folder / "config.yaml").unlink(missing_ok=True)  # killed before the run had begun
            (folder / ".lock").unlink(missing_ok=True)
        child = forked(lambda: start_or_resume(config, folder))
        time.sleep(rng.uniform(0.0, 0.5 * seconds + 0.05))
        kill(child)
        assert wait_until(lambda child=child: not living(child)), "workers outlive their parent"
    start_or_resume(config, folder)
    assert archive_bytes(folder) == archive_bytes(reference)


def test_interrupted_again_and_again(whole, tmp_path):
    config, reference, seconds = whole
    folder = tmp_path / "run"
    outcome = None
    for _ in range(200):
        outcome = start_or_resume(config, folder, max_seconds=0.4 * seconds)
        if outcome.reason != "max_seconds":
            break
        assert outcome.folder == folder
    assert outcome.reason != "max_seconds"
    assert archive_bytes(folder) == archive_bytes(reference)


def test_interrupted_by_signals(whole, tmp_path):
    config, reference, seconds = whole
    folder = tmp_path / "run"
    for number, group in ((signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGTERM, True)):
        child = forked(lambda: start_or_resume(config, folder))
        wait_until((folder / "log.jsonl").exists)
        time.sleep(0.2 * seconds)
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(child, number)
        # -2, -15: it came before or after the run, when nothing was to be saved.
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, 1, -signal.SIGINT, -signal.SIGTERM)
        assert not living(child)
    start_or_resume(config, folder)
    assert archive_bytes(folder) == archive_bytes(reference)


def test_an_interrupted_run_tells_its_best_so_far(tmp_path):
    outcome = run.start(
        small_config(budget={"individuals": 10**9}), tmp_path / "r", max_seconds=0.3
    )
    assert outcome.reason == "max_seconds"
    assert outcome.program is not None
    assert 0 < outcome.individuals < 10**9
    assert 0 < outcome.search_fitness <= 1
    # What takes time after a search is left to the process that ends the run.
    assert (outcome.final, outcome.baselines) == (None, {})
    assert read_archive(tmp_path / "r").results["final"] is None
    assert (tmp_path / "r" / "best.txt").read_text() == str(outcome.program)


def test_a_run_without_a_first_checkpoint_starts_again(tmp_path):
    config = small_config()
    run.start(config, tmp_path / "whole")
    run.start(config, tmp_path / "cut", max_seconds=0.0)
    for path in (tmp_path / "cut" / "checkpoints").iterdir():
        path.unlink()
    run.resume(tmp_path / "cut")
    assert archive_bytes(tmp_path / "cut") == archive_bytes(tmp_path / "whole")


def test_spaces_and_comments_in_the_config_change_no_archive(tmp_path):
    run.start(small_config(), tmp_path / "whole")
    run.start(small_config(), tmp_path / "cut", max_seconds=0.0)
    path = tmp_path / "cut" / "config.yaml"
    path.write_text("# mine\n" + path.read_text().rstrip() + "  # end")
    run.resume(tmp_path / "cut")
    assert archive_bytes(tmp_path / "cut") == archive_bytes(tmp_path / "whole")


def test_a_finished_run_stays_as_it_is(tmp_path):
    first = run.start(small_config(islands={"count": 2}), tmp_path / "run")
    before = archive_bytes(tmp_path / "run")
    again = run.resume(tmp_path / "run")
    assert archive_bytes(tmp_path / "run") == before
    assert again.program == first.program
    names = ("reason", "individuals", "train_steps", "search_fitness", "select_fitness")
    assert [getattr(again, n) for n in names] == [getattr(first, n) for n in names]


def test_time_of_all_sessions_is_counted(tmp_path):
    config = small_config(budget={"individuals": 10**9, "seconds": 1.0})
    outcome = None
    for _ in range(10):
        outcome = start_or_resume(config, tmp_path / "run", max_seconds=0.3)
        if outcome.reason == "seconds":
            break
    assert outcome.reason == "seconds"
    assert outcome.seconds >= 1.0


def test_a_folder_in_use_is_refused(tmp_path):
    config = small_config(budget={"individuals": 10**9})
    folder = tmp_path / "run"
    child = forked(lambda: run.start(config, folder))
    try:
        assert wait_until(lambda: (folder / "checkpoints").exists())
        for attempt in (lambda: run.resume(folder), lambda: run.start(config, folder)):
            with pytest.raises(ArchiveError, match=r"in use|not empty") as caught:
                attempt()
            assert "\n" not in str(caught.value)
    finally:
        kill(child)
    assert wait_until(lambda: not living(child))
    run.resume(folder, max_seconds=0.0)  # the dead process holds it no longer


def test_workers_in_a_long_block_notice_that_the_parent_is_gone(tmp_path, monkeypatch):
    advance = Island.advance

    def slow(self, seconds):
        time.sleep(0.5)
        return advance(self, seconds)

    monkeypatch.setattr(Island, "advance", slow)
    config = small_config(islands={"count": 3}, budget={"individuals": 10**9})
    child = forked(lambda: run.start(config, tmp_path / "run"))
    assert wait_until(lambda: len(living(child)) == 4)
    kill(child)
    assert wait_until(lambda: not living(child))


def test_a_damaged_checkpoint_costs_only_itself(tmp_path):
    texts = []
    reporter = Reporter()
    reporter.message = texts.append
    config = small_config(budget={"individuals": 60_000})
    run.start(config, tmp_path / "whole")
    folder = tmp_path / "cut"
    while len(list((folder / "checkpoints").glob("*.h5"))) < 3:
        start_or_resume(config, folder, max_seconds=0.05)
    newest = max((folder / "checkpoints").glob("*.h5"))
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    run.resume(folder, reporter)
    (text,) = texts
    assert newest.name in text
    assert "damaged" in text
    assert "older checkpoint" in text
    assert archive_bytes(folder) == archive_bytes(tmp_path / "whole")


SCRIPT = """
import sys
from small_runs import small_config
from zero.runs import run
config = small_config(budget={"individuals": 10**9}, islands={"count": 2})
print("begun", flush=True)
outcome = run.start(config, sys.argv[1], checkpoint_seconds=0.1)
print(outcome.reason, outcome.individuals > 0)
"""


def test_ctrl_c_ends_a_program_of_its_own_cleanly(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "run")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert wait_until((tmp_path / "run" / "archive.h5").exists, 120)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert output.split("\n")[:2] == ["begun", "interrupted True"]
    assert errors == ""
    assert not living(process.pid)


def test_settings_are_kept_with_the_run(tmp_path):
    # Nothing of the caller's is needed any more: neither its file nor its working folder.
    from zero.config.load import make_config

    start = tmp_path / "start.txt"
    start.write_text(str(load_program("linear")))
    config = make_config(small_settings(program={"initial": "./start.txt"}), tmp_path)
    run.start(config, tmp_path / "whole")
    run.start(config, tmp_path / "cut", max_seconds=0.0)
    start.unlink()
    run.resume(tmp_path / "cut")
    assert archive_bytes(tmp_path / "cut") == archive_bytes(tmp_path / "whole")

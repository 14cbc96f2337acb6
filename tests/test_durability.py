"""benchmarks/durability.py: a little of everything counts no fault, and what is broken is counted."""

import json
import os
import random
import runpy
import signal
import sys
import time
from pathlib import Path

import pytest

import zero

FOLDER = Path(zero.__file__).parents[1] / "benchmarks"
pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout"),
    pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads processes from /proc"),
]


@pytest.fixture(scope="module", autouse=True)
def path():
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def whole(path, tmp_path_factory):
    """An unbroken run over programs."""
    from durable import kinds

    (kind,) = kinds.kinds(tmp_path_factory.mktemp("home"), ["programs"])
    return kinds.whole(kind)


def test_the_command_counts_and_writes(tmp_path, monkeypatch, capsys):
    file = tmp_path / "found.json"
    file.write_text(json.dumps({"parts": {"disk": {"done": {"full disks": 7}, "faults": {}}}}))
    given = ["--only", "kills,clock", "--kinds", "programs", "--kills", "2", "--times", "1"]
    monkeypatch.setattr(sys, "argv", ["durability.py", *given, "--json", str(file)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(FOLDER / "durability.py"), run_name="__main__")
    assert ended.value.code == 0, capsys.readouterr().out
    found = json.loads(file.read_text())
    assert found["parts"]["kills"]["done"]["kills"] >= 2
    assert found["parts"]["clock"]["done"]["runs compared"] == 1
    assert found["parts"]["disk"]["done"] == {"full disks": 7}  # of an earlier time
    assert set(found["faults"].values()) == {0} and found["faults"]["different"] == 0


def test_a_store_that_writes_in_place_is_counted(whole, tmp_path, monkeypatch):
    from durable import kills, writes
    from durable.counts import Counts
    from durable.trials import Trial

    found = writes.killed_at(whole, tmp_path / "sound", 12, "within")
    assert found.total == 0 and found.done["kills"] == found.done["runs compared"] == 1

    def in_place(path, data):
        path.write_bytes(data[: len(data) // 2])
        if path.name == "archive.h5":
            os.killpg(0, signal.SIGKILL)
        path.write_bytes(data)

    monkeypatch.setattr("zero.system.trees.write_bytes", in_place)
    folder, counts = tmp_path / "run", Counts()
    trial = Trial(lambda: whole.kind.start(folder))
    assert trial.wait() and trial.code == -signal.SIGKILL
    trial.end()
    kills.look(whole.kind, folder, counts, None, "in place")
    assert counts.faults == {"not_opened": 1}


def test_what_is_not_as_before_is_counted(whole, tmp_path):
    import shutil

    from durable import kills
    from durable.counts import Counts
    from durable.files import damage

    folder, counts = tmp_path / "run", Counts()
    shutil.copytree(whole.folder, folder)
    kills.compare(whole, folder, counts, "sound")
    reports = kills.Reports(whole.kind)
    kills.look(whole.kind, folder, counts, reports, "sound")
    assert counts.total == 0
    (folder / "best.txt").write_text("another")
    (folder / ".best.txt.1-aa.zero-tmp").write_text("")
    kills.compare(whole, folder, counts, "another")
    reports.checkpoint, reports.held = 10**6, 10**6
    kills.look(whole.kind, folder, counts, reports, "lost")
    damage(folder / "archive.h5", "bit", 10_000)
    kills.look(whole.kind, folder, counts, reports, "damaged")
    reports.close()
    assert counts.faults == {"different": 1, "left": 1, "lost": 3, "not_opened": 1}


def test_a_traceback_a_hang_and_an_orphan_are_seen(monkeypatch):
    from durable import trials

    def fail():
        raise RuntimeError("no")

    trial = trials.Trial(fail)
    assert trial.wait(20) and trial.code == trials.CRASHED and "Traceback" in trial.printed()
    assert trial.end()
    monkeypatch.setattr(trials, "ORPHANS", 0.3)
    trial = trials.Trial(lambda: os.fork() or time.sleep(60))
    assert trial.wait(20) and not trial.end()  # its child lives on, and is killed
    trial = trials.Trial(lambda: time.sleep(60))
    assert not trial.wait(0.2)
    trial.kill()
    assert trial.wait(20) and trial.end()


def test_growth_is_a_robust_slope(path):
    from durable.soak import growth

    rng = random.Random(1)
    times = [float(k) for k in range(60)]
    flat = [100 + rng.uniform(-1, 1) for _ in times]
    flat[7] = 900.0
    assert abs(growth(times, flat)) < 1.5
    assert growth(times, [v + 2 * t for v, t in zip(flat, times, strict=True)]) == pytest.approx(
        118, abs=3
    )

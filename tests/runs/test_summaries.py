"""What is said of the runs in a folder: each has its row, whatever state it is in."""

import json
import math
import os
import shutil

import onemax  # noqa: F401  (registers the kind)
import pytest

import zero
from zero.errors import ArchiveError
from zero.runs.archive import ARCHIVE_VERSION
from zero.runs.folder import RunFolder
from zero.runs.lock import RunLock, is_locked
from zero.runs.progress import Reporter
from zero.runs.summaries import LOG_END, find_runs, is_run, summary_of
from zero.system.trees import read_tree, write_tree

SETTINGS = {"name": "ones", "seed": 4, "bits": {"length": 12}, "budget": {"individuals": 300}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "ones-001"
    return zero.start(zero.make_config(SETTINGS), folder, Reporter())


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished.folder, tmp_path / "runs" / "ones-001")


def test_a_run_that_has_ended(finished, run):
    found = summary_of(run)
    assert (found.name, found.kind, found.seed, found.training) == ("ones", "bits", 4, False)
    assert (found.state, found.reason, found.individuals) == ("ended", "individuals", 300)
    assert found.fitness == finished.search_fitness
    assert found.final_fitness == finished.final.fitness
    assert found.seconds == pytest.approx(finished.seconds, abs=0.5)
    assert found.started <= found.updated
    assert json.loads(json.dumps(found.plain()))["folder"] == str(run)


def test_a_run_goes_on_while_a_process_works_in_it(run):
    with RunLock(run):
        assert is_locked(run)
        found = summary_of(run)
        assert (found.state, found.reason) == ("running", None)
    assert not is_locked(run)


def test_looking_does_not_keep_a_run_from_going_on(run):
    for _ in range(50):
        is_locked(run)
        RunLock(run).release()


def test_what_a_run_that_was_stopped_has_so_far(tmp_path):
    config = zero.make_config({**SETTINGS, "bits": {"length": 500}})
    zero.start(config, tmp_path / "a", Reporter(), max_seconds=0)
    found = summary_of(tmp_path / "a")
    assert (found.state, found.reason) == ("stopped", "max_seconds")
    zero.resume(tmp_path / "a", Reporter())
    assert summary_of(tmp_path / "a").state == "ended"


def test_a_run_that_was_killed_is_stopped_and_its_log_tells_how_far_it_came(run):
    lines = (run / "log.jsonl").read_text().splitlines()
    kept = [line for line in lines if '"finish"' not in line and '"experiment"' not in line]
    going = {"event": "progress", "individuals": 250, "best_fitness": 0.75, "seconds": 3.5}
    (run / "log.jsonl").write_text("\n".join([*kept, json.dumps(going), '{"event": "imp']))
    found = summary_of(run)
    assert (found.state, found.reason, found.individuals) == ("stopped", None, 250)
    assert found.seconds == 3.5
    assert 0.75 <= found.fitness <= 1


def test_a_training_is_told_from_a_run(run):
    log = (run / "log.jsonl").read_text().splitlines()
    (run / "log.jsonl").write_text("\n".join(line for line in log if "finish" not in line))
    (run / "train.json").write_text("{}")
    found = summary_of(run)
    assert (found.training, found.state) == (True, "stopped")  # of a network: it can be resumed
    shutil.rmtree(run / "checkpoints")
    assert summary_of(run).state == "ended"  # of a program


def test_a_long_log_is_read_from_its_end(run):
    log = run / "log.jsonl"
    noise = json.dumps({"event": "message", "text": "x" * 1000}) + "\n"
    log.write_text(noise * (2 * LOG_END // 1000) + log.read_text())
    assert summary_of(run).individuals == 300
    log.write_text(log.read_text().replace("finish", "finsh") + noise * (2 * LOG_END // 1000))
    assert summary_of(run).fitness > 0  # what stands far from the end, where that is all there is


@pytest.mark.parametrize("name", ["run.json", "config.yaml", "archive.h5"])
@pytest.mark.parametrize("content", [b"", b"\xff\x00nonsense", b"[" * 100_000])
def test_a_damaged_run_has_a_row_that_says_so(run, name, content):
    (run / name).write_bytes(content)
    if name == "config.yaml":  # the settings stand in run.json, too
        (run / "run.json").unlink()
    found = summary_of(run)
    assert found.state == "damaged" and "\n" not in found.reason
    assert name in found.reason or "run.json" in found.reason


def test_a_lost_config_and_a_cut_archive_are_damage(run):
    archive = run / "archive.h5"
    archive.write_bytes(archive.read_bytes()[:-1])
    assert "archive.h5 is damaged" in summary_of(run).reason
    (run / "config.yaml").unlink()
    assert "config.yaml" in summary_of(run).reason
    assert [found.state for found in find_runs(run.parent)] == ["damaged"]


@pytest.mark.parametrize("value", [None, [], {}, "x", 1e400, True])
def test_wrong_types_in_a_runs_files_are_passed_over(run, value):
    keys = ("name", "seed", "kind", "started", "settings")
    (run / "run.json").write_text(json.dumps(dict.fromkeys(keys, value)))
    names = ("individual", "individuals", "fitness", "seconds", "time", "reason", "event")
    events = [{**dict.fromkeys(names, value), "event": e} for e in ("improvement", "finish", value)]
    (run / "log.jsonl").write_text("\n".join(map(json.dumps, [*events, value])))
    found = summary_of(run)
    assert found.state in ("ended", "stopped")
    json.dumps(found.plain(), allow_nan=False)


def test_a_newer_run_says_so(run):
    archive = run / "archive.h5"
    tree = read_tree(archive, "archive", ARCHIVE_VERSION)
    write_tree(archive, tree, "archive", ARCHIVE_VERSION + 1)
    found = summary_of(run)
    assert found.state == "newer" and "use a newer zero" in found.reason


def test_runs_are_found_in_folders_but_not_through_links(run, tmp_path):
    deep = tmp_path / "runs" / "day"
    shutil.copytree(run, deep / "ones-002")
    shutil.copytree(run, deep / "a" / "b" / "ones-003")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "config.yaml").write_text("seed: 1\n")
    os.symlink(run, tmp_path / "link")
    os.symlink(tmp_path, tmp_path / "round")
    (deep / "ones-002" / "ones-004").mkdir()
    assert [r.folder for r in find_runs(tmp_path)] == [run, deep / "ones-002"][::-1]
    assert [r.folder for r in find_runs(run)] == [run]
    assert is_run(run) and not is_run(tmp_path / "configs") and not is_run(tmp_path / "none")


def test_no_folder_is_one_line(tmp_path):
    with pytest.raises(ArchiveError, match=r"cannot look for runs in .*none: No such file"):
        find_runs(tmp_path / "none")
    assert find_runs(tmp_path) == []


def test_a_kind_that_is_not_known_here_is_not_taken_for_another(run):
    info = RunFolder.open(run).info()
    del info["kind"]
    info["settings"]["stones"] = info["settings"].pop("bits")
    (run / "run.json").write_text(json.dumps(info))
    found = summary_of(run)
    assert found.kind is None and not math.isnan(found.fitness)

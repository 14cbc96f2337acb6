"""A run seen from outside: by its files alone, as it shows itself."""

import json
import os
import shutil
from pathlib import Path

import onemax  # noqa: F401  (registers the kind)
import pytest
from commands import zero_

from zero.config.load import make_config
from zero.errors import ArchiveError
from zero.runs import run as runs
from zero.runs.folder import LOG_BYTES, RunFolder
from zero.runs.lock import RunLock
from zero.runs.progress import Reporter
from zero.runs.tail import LogTail
from zero.runs.watch import watch


class Heard(Reporter):
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def __getattribute__(self, name):
        if name in ("start", "baselines", "update", "message", "improvement", "finish"):
            return lambda value: self.told.append((name, value))
        return super().__getattribute__(name)

    def of(self, name):
        return [value for told, value in self.told if told == name]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "ones"
    config = make_config({"bits": {"length": 12}, "budget": {"individuals": 400}, "seed": 1})
    runs.start(config, folder)
    return folder


@pytest.fixture
def run(ended, tmp_path):
    return Path(shutil.copytree(ended, tmp_path / "ones"))


def lines_of(run):
    return (run / "log.jsonl").read_text().splitlines(keepends=True)


def test_a_run_that_has_ended_shows_its_figures(run):
    heard = Heard()
    assert watch(run, heard) == "ended"
    (begun,), (finish,) = heard.of("start"), heard.of("finish")
    assert begun["seed"] == 1 and begun["folder"] == str(run)
    assert finish["reason"] == "individuals" and finish["individuals"] == 400
    best = heard.of("improvement")[-1]
    assert set(best["program"].strip()) <= {"0", "1"} and best["fitness"] == finish["best_fitness"]


def test_a_run_is_followed_to_its_end(run):
    lines = lines_of(run)
    log = run / "log.jsonl"
    half = len(lines) // 2
    log.write_text("".join(lines[:half]) + lines[half][:9])
    lock = RunLock(run)
    rest = [lines[half][9:], *lines[half + 1 :]]

    def wait(_):
        with open(log, "a") as file:
            file.write(rest.pop(0))
        if not rest:
            lock.release()

    heard, whole = Heard(), Heard()
    assert watch(run, heard, sleep=wait) == "ended"
    watch(run, whole)
    assert heard.of("finish") == whole.of("finish")
    assert heard.of("improvement")[-1] == whole.of("improvement")[-1]
    assert len(heard.of("update")) > 2


def test_a_killed_run_says_how_to_go_on(run):
    (run / "log.jsonl").write_text("".join(lines_of(run)[:-1]))
    heard = Heard()
    assert watch(run, heard) == "killed"
    assert f"zero resume {run}" in heard.of("message")[-1] and heard.of("finish") == []


def test_a_stopped_run_says_how_to_go_on(tmp_path):
    config = make_config({"bits": {"length": 900}, "budget": {"individuals": 10**7}})
    runs.start(config, tmp_path / "long", max_seconds=0.3)
    heard = Heard()
    assert watch(tmp_path / "long", heard) == "stopped"
    assert "zero resume" in heard.of("message")[-1]
    figures = [e for e in RunFolder.open(tmp_path / "long").events() if e["event"] == "progress"]
    assert {"individuals", "mean_fitness", "seconds"} <= set(figures[-1])


def test_once_looks_once_and_changes_nothing(run):
    (run / "log.jsonl").write_text("".join(lines_of(run)[:-1]))
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*")}
    with RunLock(run):
        before[run / ".lock"] = (run / ".lock").stat().st_mtime_ns
        out, _ = zero_("watch", run, "--once")
    assert "best fitness 1.0000" in out and "ended" not in out
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*")} == before


def test_the_command_shows_the_outcome_and_json_lines(run):
    out, _ = zero_("watch", run)
    assert "ended: individuals" in out and "record" in out
    out, _ = zero_("watch", run, "--json-log")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events[0] == "start" and events[-1] == "finish"


def test_what_is_no_run_is_one_line(tmp_path):
    _, error = zero_("watch", tmp_path / "none", code=1)
    assert error.count("\n") == 1 and "is not a folder" in error


def test_a_run_that_is_deleted_meanwhile_is_one_line(run):
    with RunLock(run), pytest.raises(ArchiveError, match="is gone"):
        watch(run, Heard(), sleep=lambda _: shutil.rmtree(run))


def test_a_log_that_is_begun_anew_is_followed(tmp_path):
    folder = RunFolder.create(tmp_path / "run", "x", "seed: 1\n", {})
    tail = LogTail(tmp_path / "run")
    assert tail.new() == []
    folder.log("message", text="a")
    assert [e["text"] for e in tail.new()] == ["a"]
    folder.log("message", text="b" * LOG_BYTES)
    folder.log("message", text="c")
    folder.log("message", text="d")
    assert [e["text"][:1] for e in tail.new()] == ["b", "c", "d"]
    assert os.path.exists(tmp_path / "run" / "log.old.jsonl")
    folder.close()

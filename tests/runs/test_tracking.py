"""Curves for other tools: exact, continued by a resumed run, and never in a run's way."""

import csv
import importlib.util
import json
import math
import os
import struct

import onemax  # noqa: F401  (registers the kind)
import pytest
from small_runs import archive_bytes, small_config

import zero
from zero.config.load import config_to_yaml, make_config
from zero.errors import ArchiveError, ConfigError
from zero.runs import tracking
from zero.runs.archive import read_archive
from zero.runs.curves import points_of, points_of_archive
from zero.runs.progress import FIGURES, Reporter
from zero.runs.tracking import COLUMNS
from zero.runs.tracking.mlflow import SETTINGS

HEADER = ",".join(COLUMNS)
POINTS = [
    {"individuals": 10, "experiment": 1, "train_steps": 100, "best_fitness": 0.1, "mean_fitness": 1 / 3,
     "std_fitness": math.nan, "cache_hits": 4},
    {"individuals": 20, "experiment": 2, "train_steps": 250, "best_fitness": 0.5, "mean_fitness": 0.25,
     "std_fitness": 1e-17, "cache_hits": 0},
]  # fmt: skip
LATER = {**POINTS[1], "individuals": 30, "cache_hits": 9}


def needs(package):
    found = importlib.util.find_spec(package) is not None
    return pytest.mark.skipif(
        not found, reason=f"{package} is not installed: nothing written by it is read"
    )


class Keeping(Reporter):
    """Keeps what it is told."""

    def __init__(self):
        self.told, self.kept, self.finished, self.closed = [], [], [], 0

    def message(self, text):
        self.told.append(text)

    def points(self, points):
        self.kept += points

    def finish(self, summary):
        self.finished.append(summary)

    def close(self):
        self.closed += 1


def written(name, place, *batches):
    """Has a new tracker of that name, as a new process does, write batches of points to a place."""
    (tracker,) = tracking.make([name], place)
    with tracker:
        tracker.start({"name": "a", "seed": 1, "folder": str(place.parent)})
        for points in batches:
            tracker.points(points)
        tracker.finish({"reason": "individuals"})
    return place


def test_csv_exactly(tmp_path):
    place = written("csv", tmp_path / "c.csv", POINTS[:1], POINTS[1:])
    expected = f"{HEADER}\n10,1,100,0.1,0.3333333333333333,,4\n20,2,250,0.5,0.25,1e-17,0\n"
    assert place.read_text() == expected
    assert HEADER.split(",") == ["individuals", "experiment", "train_steps", *FIGURES]


def test_json_lines_exactly(tmp_path):
    place = written("jsonl", tmp_path / "c.jsonl", POINTS)
    assert place.read_text().splitlines()[0] == (
        '{"individuals": 10, "experiment": 1, "train_steps": 100, "best_fitness": 0.1, '
        '"mean_fitness": 0.3333333333333333, "std_fitness": null, "cache_hits": 4}'
    )
    assert json.loads(place.read_text().splitlines()[1]) == POINTS[1]


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_a_later_process_goes_on_without_doubling_points(tmp_path, name):
    once = written(name, tmp_path / "once", POINTS, [LATER]).read_bytes()
    place = written(name, tmp_path / "twice", POINTS)
    assert written(name, place, POINTS, [*POINTS, LATER]).read_bytes() == once
    for cut in (1, 5, len(once.splitlines()[-1]) + 1, 120):  # a kill left half a line, or lost some
        place.write_bytes(once[:-cut])
        assert written(name, place, [*POINTS, LATER]).read_bytes() == once


@needs("tensorboardX")
def test_tensorboard_is_read_back(tmp_path):
    from tensorboardX.proto.event_pb2 import Event

    place = written("tensorboard", tmp_path / "board", POINTS)
    written("tensorboard", place, POINTS, [LATER])
    written("tensorboard", place, [*POINTS, LATER])  # nothing new, so no file
    files = sorted(place.iterdir())
    assert len(files) == 2 and all("tfevents" in f.name for f in files)
    found = {}
    for file in files:
        content, at = file.read_bytes(), 0
        while at < len(content):
            (size,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + size])
            at += 16 + size
            for value in event.summary.value:
                assert (value.tag, event.step) not in found
                found[value.tag, event.step] = value.simple_value
    assert {step for _, step in found} == {10, 20, 30}
    assert found["best_fitness", 20] == 0.5 and found["train_steps", 30] == 250
    assert ("std_fitness", 10) not in found  # no number


@needs("tensorboardX")
def test_a_torn_event_file_is_gone_on_with(tmp_path):
    place = written("tensorboard", tmp_path / "board", POINTS)
    (file,) = place.iterdir()
    for content in (file.read_bytes()[:-7], b"nonsense" * 99, b"", b"\xff" * 40):
        file.write_bytes(content)
        written("tensorboard", place, [*POINTS, LATER])
    (tracker,) = tracking.make(["tensorboard"], place)
    assert tracker.open(place, {}) == 30


@needs("mlflow")
def test_mlflow_is_read_back(tmp_path, monkeypatch):
    for name in [n for n in os.environ if n.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    for name, value in {**SETTINGS, "MLFLOW_ALLOW_FILE_STORE": "true"}.items():
        monkeypatch.setenv(name, value)  # which the tracker sets
    from mlflow.tracking import MlflowClient

    place = written("mlflow", tmp_path / "ml", POINTS)
    written("mlflow", place, POINTS, [LATER])
    client = MlflowClient(tracking_uri=(place / "mlruns").resolve().as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("zero").experiment_id])
    assert run.info.status == "FINISHED" and run.data.params["seed"] == "1"
    history = client.get_metric_history(run.info.run_id, "best_fitness")
    assert [(m.step, m.value) for m in history] == [(10, 0.1), (20, 0.5), (30, 0.5)]


def test_what_is_not_installed_is_told_before_the_run_starts(tmp_path, monkeypatch):
    real = importlib.util.find_spec
    missing = ("tensorboardX", "mlflow")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n in missing else real(n, *a)
    )
    for name, package in (("tensorboard", "tensorboardX"), ("mlflow", "mlflow")):
        config = small_config(track=[name])
        with pytest.raises(ConfigError) as error:
            zero.start(config, tmp_path / "run", Reporter())
        assert str(error.value) == (
            f"tracking by {name} needs the package {package}: pip install 'zero-discovery[{name}]'"
        )
        assert not (tmp_path / "run").exists()


# --- in runs --------------------------------------------------------------------------------------


def test_a_config_names_trackers():
    assert small_config(track="csv").track == ("csv",)
    config = small_config(track=["csv", "jsonl"])
    assert "track: [csv, jsonl]" in config_to_yaml(config)
    assert "track" not in config_to_yaml(small_config())  # so archives stay as they were
    with pytest.raises(ConfigError, match=r"track.*unknown tracker 'cvs'; did you mean 'csv'\?"):
        small_config(track=["cvs"])


@pytest.mark.parametrize(
    "settings",
    [
        {"pipelines": {"table": {"path": "t.csv", "target": "y"}}, "budget": {"individuals": 9}},
        {"cells": {"space": "amoebanet", "images": {"source": "digits"}}, "budget": {"individuals": 30}},
    ],
)  # fmt: skip
def test_every_kind_that_comes_with_zero_has_the_key(settings):
    with pytest.raises(ConfigError, match="unknown tracker 'x'"):
        make_config({**settings, "track": ["x"]})


def test_a_run_writes_its_curves_and_stays_the_same_run(tmp_path):
    plain = zero.start(small_config(), tmp_path / "plain", Reporter())
    tracked = zero.start(small_config(track=["csv", "jsonl"]), tmp_path / "tracked", Reporter())
    assert plain.search_fitness == tracked.search_fitness
    points = points_of_archive(read_archive(tracked.folder))
    with open(tracked.folder / "curves.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["best_fitness"]) for r in rows] == [p["best_fitness"] for p in points]
    lines = (tracked.folder / "curves.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == points
    assert points[-1]["individuals"] == 6000 and len(points) > 3


@pytest.mark.parametrize(("keep", "islands"), [("all", 1), ("some", 1), ("none", 1), ("all", 2)])
def test_a_resumed_run_goes_on_in_the_same_files(tmp_path, keep, islands):
    experiments = {"max": 3, "individuals": 3000}
    config = small_config(
        track=["csv", "jsonl"], experiments=experiments, budget={"individuals": 9000},
        islands={"count": islands},
    )  # fmt: skip
    whole = zero.start(config, tmp_path / "whole", Reporter()).folder
    part = tmp_path / "part"
    zero.start(config, part, Reporter(), max_seconds=0.0)
    for _ in range(4):  # stopped in the middle, again and again
        zero.resume(part, Reporter(), max_seconds=0.05, checkpoint_seconds=0.0)
        if keep == "some":  # as after a kill between writing and syncing
            content = (part / "curves.csv").read_bytes()
            (part / "curves.csv").write_bytes(content[: len(content) // 2])
        elif keep == "none":
            (part / "curves.csv").unlink()
    zero.resume(part, Reporter())
    assert archive_bytes(part) == archive_bytes(whole)
    for name in ("curves.csv", "curves.jsonl"):
        assert (part / name).read_bytes() == (whole / name).read_bytes()
    assert {p["experiment"] for p in points_of_archive(read_archive(whole))} == {1, 2, 3}


def test_a_users_callback_is_told_what_happens(tmp_path):
    mine, again = Keeping(), Keeping()
    outcome = zero.start(small_config(), tmp_path / "a", Reporter(), callbacks=[mine])
    assert mine.kept == points_of_archive(read_archive(outcome.folder))
    (end,) = mine.finished
    assert (end["reason"], end["fitness"]) == ("individuals", outcome.search_fitness)
    assert end["final_fitness"] == outcome.final.fitness and mine.closed == 1
    zero.resume(tmp_path / "a", Reporter(), callbacks=[again])
    assert again.kept == mine.kept  # from the first, see `Reporter.points`


@pytest.mark.parametrize(
    "method",
    ["start", "update", "points", "improvement", "finish", "close", "message", "compiling"],
)
def test_a_callback_that_fails_is_told_of_once_and_dropped(tmp_path, method):
    class Failing(Keeping):
        calls = 0

    def fail(self, *_):
        Failing.calls += 1
        raise RuntimeError("no\nway")

    setattr(Failing, method, fail)
    people, other = Keeping(), Keeping()
    outcome = zero.start(
        small_config(), tmp_path / "a", people, callbacks=[Failing(), other]
    )  # fmt: skip
    told = [text for text in people.told if "callback" in text]
    if Failing.calls:
        assert told == ["the callback Failing failed and is told nothing more, the run goes on: "
                        "RuntimeError: no way"]  # fmt: skip
    assert Failing.calls <= 1 and (Failing.calls == 1 or method in ("message", "compiling"))
    assert outcome.reason == "individuals"
    assert other.kept and other.closed == 1


def test_a_tracker_that_cannot_write_does_not_end_the_run(tmp_path):
    class Blocking(Reporter):
        def start(self, info):
            os.mkdir(f"{info['folder']}/curves.csv")

    people = Keeping()
    config = small_config(track=["csv", "jsonl"])
    outcome = zero.start(config, tmp_path / "a", people, callbacks=[Blocking()])
    assert outcome.reason == "individuals"
    assert any("the callback csv failed" in text and "curves.csv" in text for text in people.told)
    assert (tmp_path / "a" / "curves.jsonl").read_text()


@pytest.mark.parametrize("given", ["csv", [print], [Reporter], [None], Reporter()])
def test_what_is_no_callback_is_told(tmp_path, given):
    with pytest.raises(ConfigError, match=r"zero\.Reporter"):
        zero.start(small_config(), tmp_path / "a", Reporter(), callbacks=given)
    assert not (tmp_path / "a").exists()


def test_points_count_over_experiments():
    curve = [[10, 100, 0.1, 0.1, 0.1, 1], [20, 200, 0.2, 0.1, 0.1, 2], [20, 200, 0.2, 0.1, 0.1, 2]]
    points = points_of([(curve, 25, 240), (curve[:1], 10, 100)])
    counts = [(p["individuals"], p["train_steps"], p["experiment"]) for p in points]
    assert counts == [(10, 100, 1), (20, 200, 1), (35, 340, 2)]
    assert points_of([([], 0, 0)]) == []


# --- zero curves ----------------------------------------------------------------------------------


def test_curves_of_an_archive(tmp_path):
    from commands import zero_

    config = small_config(track=["csv"], budget={"individuals": 3000})
    folder = zero.start(config, tmp_path / "a", Reporter()).folder
    out, _ = zero_("curves", folder, "--to", "csv", "-o", tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_bytes() == (folder / "curves.csv").read_bytes()
    assert f"wrote {tmp_path / 'c.csv'}" in out
    for arguments, words in (
        ((folder, "--to", "csv", "-o", tmp_path / "c.csv"), "is there already"),
        ((folder, "--to", "xls", "-o", tmp_path / "d"), "unknown tracker 'xls'"),
        ((tmp_path / "none", "--to", "csv", "-o", tmp_path / "d"), "none"),
        ((folder, "--to", "csv", "-o", tmp_path / "none" / "d"), "there is no folder"),
    ):
        _, err = zero_("curves", *arguments, code=1)
        assert len(err.splitlines()) == 1 and words in err


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tracker,) = tracking.make(["csv"], tmp_path)
    with pytest.raises(ArchiveError, match="cannot write"):
        tracker.start({"folder": str(tmp_path)})

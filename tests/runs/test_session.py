"""A session keeps a folder once there is anything in it, and notices what has changed since."""

import json

import pytest

from zero.errors import ConfigError, ZeroError
from zero.runs.progress import Reporter, TrainingReporter
from zero.runs.session import new_session, resumed_session
from zero.system.signals import Stops


class Heard(Reporter):
    def __init__(self):
        self.texts, self.events = [], []

    def message(self, text):
        self.texts.append(text)

    def start(self, info):
        self.events.append(("start", info))

    def update(self, stats):
        self.events.append(("update", stats))

    def finish(self, summary):
        self.events.append(("finish", summary))


def begin(folder, reporter=None, seconds=0.0):
    reporter = reporter or Reporter()
    return new_session(folder, "x", "seed: 1\n", 1, ["zero"], reporter, Stops(), seconds)


def resume(folder, reporter=None):
    return resumed_session(folder, reporter or Reporter(), Stops(), 0.0)


def test_a_folder_without_a_checkpoint_is_removed_when_an_error_comes(tmp_path):
    with pytest.raises(ZeroError, match="no data"), begin(tmp_path / "run") as session:
        session.record_settings([])
        raise ZeroError("no data")
    assert not (tmp_path / "run").exists()


def test_a_folder_with_a_checkpoint_is_kept(tmp_path):
    with pytest.raises(ZeroError), begin(tmp_path / "run") as session:
        session.record_settings([])
        session.save({"n": 1})
        raise ZeroError("later")
    with resume(tmp_path / "run") as session:
        assert session.load() == {"n": 1}


def test_checkpoints_that_cannot_be_read_are_named(tmp_path):
    heard = Heard()
    with begin(tmp_path / "run") as session:
        session.record_settings([])
        assert session.load() is None
        session.save({"n": 1})
        session.save({"n": 2})
    newest = tmp_path / "run" / "checkpoints" / "checkpoint-000002.h5"
    newest.write_bytes(b"")
    with resume(tmp_path / "run", heard) as session:
        assert session.load() == {"n": 1}
    (text,) = heard.texts
    assert newest.name in text and "older checkpoint" in text


def test_changed_data_are_refused(tmp_path):
    words = ("images", "training", "train anew")
    with begin(tmp_path / "run") as session:
        session.check_data("images", "one", *words)  # seen for the first time
        session.info["images"] = "one"
        session.record_settings([])
    with resume(tmp_path / "run") as session:
        session.check_data("images", "one", *words)
        with pytest.raises(ConfigError, match=r"the images of .* since the training .*train anew"):
            session.check_data("images", "other", *words)


def test_changed_settings_are_refused_and_a_missing_record_is_said(tmp_path):
    with begin(tmp_path / "run") as session:
        session.record_settings([])
    path = tmp_path / "run"
    (path / "config.yaml").write_text("seed: 2\n")
    with pytest.raises(ConfigError, match="seed is 2, recorded 1"), resume(path):
        pass
    info = json.loads((path / "run.json").read_text())
    del info["settings"], info["sha256"]  # as in an older version
    (path / "run.json").write_text(json.dumps(info))
    heard = Heard()
    with resume(path, heard):
        pass
    assert "an older zero" in heard.texts[0]


def test_messages_are_told_and_logged_and_time_adds_up(tmp_path):
    heard = Heard()
    with begin(tmp_path / "run", heard, seconds=1e9) as session:
        session.message("hello")
        session.earlier_seconds = 100.0
        assert session.seconds >= 100.0
        assert not session.save_is_due()
        session.checkpoint_seconds = 0.0
        assert session.save_is_due()
        assert [e["text"] for e in session.folder.events()] == ["hello"]
    assert heard.texts == ["hello"]


def test_of_a_training_people_get_lines_and_programs_get_figures():
    lines, events = Heard(), Heard()
    both = TrainingReporter(lines, events)
    both.start({"cell": "x"})
    both.message("epoch 1")
    both.update({"epoch": 1})
    both.finish({"reason": "epochs"})
    assert lines.texts == ["epoch 1"] and lines.events == []
    assert events.texts == [] and [name for name, _ in events.events] == [
        "start",
        "update",
        "finish",
    ]

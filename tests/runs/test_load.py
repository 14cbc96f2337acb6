"""Which kind of genome a folder is of, and what a kind without a model says."""

from pathlib import Path

import pytest

import zero
from zero.errors import ArchiveError
from zero.runs.kind import Kind
from zero.runs.load import kind_of


class Mute(Kind):
    name = "stones"


def test_a_kind_that_cannot_predict_says_so():
    with pytest.raises(ArchiveError, match=r"^runs/a is a run of stones, which cannot predict$"):
        Mute().model(Path("runs/a"))


def test_the_kind_is_that_of_the_config_where_there_is_no_archive_yet(tmp_path):
    (tmp_path / "config.yaml").write_text("cells: {images: {source: digits}}\n")
    assert kind_of(tmp_path).name == "cells"
    (tmp_path / "config.yaml").write_text("tasks: {}\n")
    assert kind_of(tmp_path).name == "programs"


def test_what_is_no_run_is_told(tmp_path):
    with pytest.raises(ArchiveError, match="there is no"):
        zero.load(tmp_path / "none")
    with pytest.raises(ArchiveError, match=r"has no config\.yaml"):
        zero.load(tmp_path)
    (tmp_path / "a.h5").write_bytes(b"")
    with pytest.raises(ArchiveError, match="is empty"):
        zero.load(tmp_path / "a.h5")

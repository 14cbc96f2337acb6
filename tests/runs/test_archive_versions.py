"""The policy for versions of archives: what a file says of itself, and which files are read."""

import json
from pathlib import Path

import pytest

from zero.errors import ArchiveError
from zero.runs.archive import (
    ARCHIVE_VERSION,
    ArchiveData,
    best_record,
    read_archive,
    write_archive,
)
from zero.system.trees import read_tree, write_tree

VERSIONS = {"programs": 1, "cells": 2}  # a change here is a new version: see the policy
DATA = Path(__file__).parent / "data"
PARTS = {"search": None, "select": None, "final": None}
TOTALS = {"record": -1, "reason": "individuals", "individuals": 9, "train_steps": 90}


def archive_of(kind):
    text = {"programs": "program", "cells": "genome"}[kind]
    ops = ["NO_OP"] if kind == "programs" else []
    results = {text: "its text", **TOTALS, **PARTS}
    return ArchiveData(5, "seed: 5\n", ops, "0.1.0", results=results, kind=kind)


@pytest.mark.parametrize("kind", VERSIONS)
def test_a_file_says_its_version(tmp_path, kind):
    path = tmp_path / "archive.h5"
    write_archive(path, archive_of(kind))
    first_line = path.read_bytes().split(b"\n")[0]
    assert first_line.decode() == f"zero archive version {VERSIONS[kind]}"
    assert read_archive(path).kind == kind


@pytest.mark.parametrize("kind", VERSIONS)
def test_keys_of_a_later_release_are_no_new_version(tmp_path, kind):
    path = tmp_path / "archive.h5"
    write_archive(path, archive_of(kind))
    tree = read_tree(path, "archive", VERSIONS[kind])
    tree["results"]["added_later"] = 1.5
    write_tree(path, {**tree, "added": ["later"]}, "archive", VERSIONS[kind])
    assert read_archive(path).results["individuals"] == TOTALS["individuals"]


def test_a_newer_version_is_refused_in_one_line(tmp_path):
    path = tmp_path / "archive.h5"
    write_archive(path, archive_of("programs"))
    newest = max(VERSIONS.values())
    write_tree(path, read_tree(path, "archive", newest), "archive", newest + 1)
    with pytest.raises(ArchiveError) as error:
        read_archive(path)
    assert str(error.value) == (
        f"{path} has format version {newest + 1}, this zero reads up to {newest}; use a newer zero"
    )


# --- files that were written when a version was new -------------------------------------------------


@pytest.mark.parametrize("file", sorted(DATA.glob("*.h5")), ids=lambda file: file.stem)
def test_archives_of_earlier_versions_are_read(file):
    expected = json.loads(file.with_suffix(".json").read_text())
    data = read_archive(file)
    best, results = best_record(data), data.results
    records = [r for e in data.experiments for r in e.records]
    assert file.read_bytes().startswith(f"zero archive version {file.stem[1]}\n".encode())
    assert expected == {
        "kind": data.kind, "seed": data.seed, "records": len(records),
        "points": sum(len(e.curve) for e in data.experiments),
        "best": best.id, "text": best.text, "fitness": best.fitness,
        "final": results["final"]["fitness"] if results["final"] else None,
        "reason": results["reason"], "individuals": results["individuals"],
    }  # fmt: skip


def test_every_version_has_a_file():
    kept = {file.stem for file in DATA.glob("*.h5")}
    assert kept >= {f"v{version}-{kind}" for kind, version in VERSIONS.items()}
    assert {int(name[1]) for name in kept} == set(range(1, ARCHIVE_VERSION + 1))

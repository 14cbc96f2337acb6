"""A library keeps each genome once, is safe with many writers, and its entries are the truth."""

import json
import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import onemax  # noqa: F401  (registers the kind)
import pytest

import zero
from zero.collection import index
from zero.collection.adding import discoveries_in
from zero.collection.comparing import difference
from zero.collection.library import Library
from zero.collection.place import default_library
from zero.errors import ArchiveError
from zero.runs.discoveries import KIND, VERSION, Ancestor, Discovery, read_discovery
from zero.runs.progress import Reporter
from zero.system.trees import read_tree, write_tree

DATA = Path(__file__).parent / "data"


def made(text="1011", fitness=0.75, final=math.nan, run="ones", **changes):
    """Returns a discovery as a run over bit strings would leave it."""
    about = {"folder": "/runs/a", "config": "seed: 1\n", "command": "", "commit": "", "data": ""}
    given = {"started": "2026-01-01", "zero_version": "0.1.0", "record": 7, "seed": 1}
    values = {"kind": "bits", "text": text, "canonical": text, "task": "ones", "size": len(text)}
    values |= {"size_unit": "bits", "run": {**about, **given}, "name": run, "fitness": fitness}
    return Discovery(**{**values, "final_fitness": final, "added": "2026-01-02", **changes})


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "library")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    settings = {"name": "ones", "seed": 4, "bits": {"length": 12}, "budget": {"individuals": 300}}
    return zero.start(
        zero.make_config(settings), tmp_path_factory.mktemp("run") / "a", Reporter()
    ).folder


def test_the_same_genome_found_twice_is_one_form_with_two_findings(library):
    assert library.add(made(final=0.5))[1] and library.add(made(fitness=0.8, run="other"))[1]
    assert library.add(made("0000", 0.9))[1]
    entries = library.entries()
    assert [(e.findings, e.runs) for e in entries] == [(2, ("ones", "other")), (1, ("ones",))]
    assert (entries[0].final_fitness, entries[0].fitness) == (
        0.5,
        0.75,
    )  # a final figure counts more
    assert [f.name for f in library.read(entries[0])] == ["ones", "other"]


def test_what_is_there_stays_as_it_is(library):
    path, _ = library.add(made())
    before = path.read_bytes(), path.stat().st_mtime_ns
    again, new = library.add(made(added="2027-01-01", task="said otherwise"))
    assert (again, new) == (path, False)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_filters_and_orders(library):
    for k, (fitness, final) in enumerate(
        [(0.1, 0.3), (0.9, math.nan), (0.2, 0.6), (math.nan, math.nan)]
    ):
        library.add(
            made("1" * (4 - k), fitness, final, task=f"Task {k % 2}", added=f"2026-01-0{k + 1}")
        )
    library.add(made("x", 0.5, kind="stones", task="Task 5", added="2026-01-09"))
    assert [e.fitness for e in library.entries(kind="bits")] == [0.2, 0.1, 0.9, None]
    assert [e.size for e in library.entries(sort="size", kind="bits")] == [1, 2, 3, 4]
    assert [e.added[-1] for e in library.entries(sort="date")] == list("94321")
    assert [e.task for e in library.entries(task="tASK 1")] == ["Task 1", "Task 1"]
    assert len(library.entries(top=2)) == 2
    assert library.entries(kind="none") == []


def test_an_id_is_found_by_its_first_digits(library):
    forms = [made(format(k, "012b")) for k in range(60)]
    for found in forms:
        library.add(found)
    wanted = forms[17]
    assert library.find(wanted.form[:12]).id == wanted.form
    assert library.find(wanted.file_name).id == wanted.form
    for nothing in ("", "zzzz", "-", wanted.form + "0"):
        with pytest.raises(ArchiveError, match="has no discovery"):
            library.find(nothing)
    with pytest.raises(
        ArchiveError, match=rf"'{wanted.form[0]}' stands for several: .* more digits"
    ):
        library.find(wanted.form[0])


def test_no_library_is_one_line(tmp_path):
    with pytest.raises(ArchiveError, match=r"there is no library .* yet; `zero archive add RUN`"):
        Library(tmp_path / "none").entries()


def test_where_the_users_library_is(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ZERO_LIBRARY", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert default_library() == tmp_path / ".local" / "share" / "zero" / "library"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_library() == tmp_path / "data" / "zero" / "library"
    monkeypatch.setenv("ZERO_LIBRARY", "~/mine")
    assert Library().folder == tmp_path / "mine"


# --- from runs ------------------------------------------------------------------------------------


def test_a_run_gives_its_outcome_with_all_that_is_known(run, library):
    (found,) = discoveries_in(str(run))
    path, _ = library.add(found)
    read = read_discovery(path)
    assert read.plain() == found.plain()
    assert (read.kind, read.task, read.name, read.run["seed"]) == ("bits", "ones", "ones", 4)
    assert read.final_fitness == read.text.count("1") / 12
    assert read.run["config"] == (run / "config.yaml").read_text()
    assert read.effort["individuals"] == 300 and read.effort["seconds"] > 0
    assert read.machine["cpu_count"] == os.cpu_count() and "numpy" in read.versions
    assert read.lineage[-1] == Ancestor(
        read.run["record"], read.lineage[-1].parent, read.lineage[-1].individuals, read.fitness,
        read.lineage[-1].mutation, read.text,
    )  # fmt: skip


def test_all_that_were_once_the_best_and_single_records(run):
    found = discoveries_in(str(run), every_best=True)
    assert len(found) > 2 and len({f.run["record"] for f in found}) == len(found)
    fitness = sorted(f.fitness for f in found[1:])
    assert fitness == [f.fitness for f in found[1:]]
    (one,) = discoveries_in(f"{run}#{found[1].run['record']}")
    assert one.text == found[1].text and math.isnan(one.final_fitness)
    with pytest.raises(ArchiveError, match="has no record 99999"):
        discoveries_in(f"{run}#99999")
    with pytest.raises(ArchiveError, match="there is no run"):
        discoveries_in(f"{run}-not")


def test_added_twice_it_is_there_once(run, library):
    assert [library.add(d)[1] for d in discoveries_in(str(run)) * 2] == [True, False]


# --- many writers, damage, versions -----------------------------------------------------------------

WRITER = """
import sys
sys.path[:0] = sys.argv[1:3]
from test_library import made
from zero.collection.library import Library
library = Library(sys.argv[3])
for k in range(15):
    library.add(made(format(k, "08b"), run=f"run {sys.argv[4]}"))
    library.add(made(format(k + 100, "08b")))
    if k % 5 == 0:
        library.entries()
"""


def test_many_processes_add_and_list_at_once(library):
    here = Path(__file__).parent
    command = [sys.executable, "-c", WRITER, str(here), str(here.parent), str(library.folder)]
    writers = [
        subprocess.Popen([*command, str(k)], stderr=subprocess.PIPE, text=True) for k in range(8)
    ]
    errors = [writer.communicate(timeout=120)[1] for writer in writers]
    assert [w.returncode for w in writers] == [0] * 8, errors
    entries = library.entries()
    assert len(entries) == 30 and library.problems == []
    assert sorted(e.findings for e in entries) == [1] * 15 + [8] * 15
    fresh = Library(library.folder)
    (library.folder / index.FILE).unlink()
    assert fresh.entries() == entries


def test_the_index_follows_the_entries(library):
    first, _ = library.add(made())
    assert len(library.entries()) == 1
    second, _ = library.add(made("0000"))  # at once: within the file system's grain of time
    assert len(library.entries()) == 2
    first.unlink()
    assert [e.files for e in library.entries()] == [(second,)]
    shutil.rmtree(second.parent)
    assert library.entries() == []


def test_settled_folders_are_not_read_again(library, monkeypatch):
    path, _ = library.add(made())
    old = time.time() - 60
    os.utime(path.parent, (old, old))
    expected = library.entries()
    monkeypatch.setattr(index, "_list_again", None)
    assert library.entries() == expected


@pytest.mark.parametrize("content", [b"", b"nonsense" * 1000, "empty", "other", "cut", "flipped"])
def test_a_damaged_index_is_made_anew(library, content):
    for k in range(40):
        library.add(made(format(k, "08b")))
    expected, file = library.entries(), library.folder / index.FILE
    good = file.read_bytes()
    if content == "empty":
        file.unlink()
        sqlite3.connect(file).close()
    elif content == "other":
        file.unlink()
        with sqlite3.connect(file) as other:
            other.execute("CREATE TABLE entries (a)")
    elif content == "cut":
        file.write_bytes(good[: len(good) // 2])
    elif content == "flipped":
        for seed in range(8):
            dice, changed = random.Random(seed), bytearray(good)
            for _ in range(20):
                changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
            file.write_bytes(changed)
            assert len(Library(library.folder).entries()) >= 0  # no trace; texts may have changed
        file.write_bytes(b"")
    else:
        file.write_bytes(content)
    assert Library(library.folder).entries() == expected


def test_a_library_that_cannot_be_written_is_read(library):
    library.add(made())
    (library.folder / index.FILE).mkdir()  # as good as no permission, which root always has
    assert len(library.entries()) == 1


def test_a_damaged_entry_is_named_and_passed_over(library):
    good, _ = library.add(made())
    bad, _ = library.add(made("0000"))
    content = bad.read_bytes()
    for damaged in (
        b"",
        content[:-1],
        content[:100],
        content.replace(b"0000", b"0001", 1),
        b"x" * 9,
    ):
        bad.write_bytes(damaged)
        assert [e.files for e in library.entries()] == [(good,)]
        assert len(library.problems) == 1 and str(bad) in library.problems[0]
    with h5py.File(bad, "w") as foreign:
        foreign["text"] = "0000"
    assert len(library.entries()) == 1 and "is no discovery" in library.problems[0]
    shutil.copy(good, bad)  # sound, but not what its name says
    assert len(library.entries()) == 1 and "another name" in library.problems[0]


def test_bytes_flipped_anywhere_are_noticed(library):
    path, _ = library.add(made())
    good = path.read_bytes()
    dice = random.Random(5)
    for _ in range(60):
        changed = bytearray(good)
        changed[dice.randrange(len(good))] ^= 1 << dice.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(ArchiveError) as error:
            read_discovery(path)
        assert "\n" not in str(error.value)


def _changes(tree):
    """Yields trees with one value each lost, or of another type."""
    for key in tree:
        yield {k: v for k, v in tree.items() if k != key}
        for value in (None, 1.5, "x", 2**63, [], {}, np.zeros(3), True):
            if type(value) is not type(tree[key]):
                yield {**tree, key: value}
        if isinstance(tree[key], dict):
            yield from ({**tree, key: changed} for changed in _changes(tree[key]))


def test_entries_whose_content_makes_no_sense_are_refused_in_one_line(tmp_path):
    path = tmp_path / "a.h5"
    ancestors = [Ancestor(1, -1, 1, 0.5, "first", "0011"), Ancestor(7, 1, 9, 0.75, "flip", "1011")]
    found = made(
        lineage=ancestors, tasks={"search": (["a", "b"], [0.5, 1.0])}, machine={"cpu": "c"}
    )
    path, _ = Library(tmp_path).add(found)
    tree = read_tree(path, KIND, VERSION)
    refused = read = 0
    for changed in list(_changes(tree))[::4]:
        write_tree(path, changed, KIND, VERSION)
        try:
            json.dumps(read_discovery(path).plain(), allow_nan=False)
            read += 1
        except ArchiveError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 5 * read


def test_a_newer_entry_is_passed_over_and_told(library):
    path, _ = library.add(made())
    write_tree(path, read_tree(path, KIND, VERSION), KIND, VERSION + 1)
    assert library.entries() == [] and "use a newer zero" in library.problems[0]


def test_keys_of_a_later_release_are_no_new_version(library):
    path, _ = library.add(made())
    tree = read_tree(path, KIND, VERSION)
    write_tree(path, {**tree, "later": 1, "run": {**tree["run"], "more": "x"}}, KIND, VERSION)
    assert len(library.entries()) == 1 and library.problems == []


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_files_of_every_version_are_read(version):
    (file,) = DATA.glob(f"v{version}/*.h5")
    found = read_discovery(file)
    kept = json.loads((DATA / f"v{version}" / "expected.json").read_text())
    assert found.plain() == kept
    assert file.name == found.file_name  # so that the same finding is not there twice


def test_h5py_alone_reads_an_entry(library):
    ancestors = [Ancestor(1, -1, 1, 0.5, "first", "0011"), Ancestor(7, 1, 9, 0.75, "flip", "1011")]
    path, _ = library.add(made(lineage=ancestors, tasks={"final": (["a", "b"], [0.5, 1.0])}))
    with h5py.File(path) as file:
        assert file["text"].asstr()[()] == "1011"
        assert file.attrs["fitness"] == 0.75
        assert file["tasks/final/fitness"][:].tolist() == [0.5, 1.0]
        assert file["tasks/final/names"].asstr()[:].tolist() == ["a", "b"]
        assert file["lineage/text"].asstr()[:].tolist() == ["0011", "1011"]
        assert file["run/config"].asstr()[()] == "seed: 1\n"
        assert file["run"].attrs["seed"] == 1


# --- two libraries, two discoveries -----------------------------------------------------------------


def test_merging_adds_what_is_new_and_passes_over_what_is_damaged(library, tmp_path):
    other = Library(tmp_path / "other")
    library.add(made())
    other.add(made())
    other.add(made("0000"))
    bad, _ = other.add(made("0011"))
    bad.write_bytes(b"damaged")
    assert library.merge(other) == (1, 1)
    assert len(library.entries()) == 2 and len(other.problems) == 1
    assert library.merge(other) == (0, 2)
    with pytest.raises(ArchiveError, match="there is no library"):
        library.merge(Library(tmp_path / "none"))


def test_difference_is_by_line(library):
    old, new = made("a\nb\nc"), made("a\nx\nc")
    assert difference(old, new) == ["  a", "- b", "+ x", "  c"]
    with pytest.raises(ArchiveError, match="one is of bits, the other of stones"):
        difference(old, replace(new, kind="stones"))

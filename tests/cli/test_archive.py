"""`zero archive` and `zero list runs`: what people type, and what comes of it."""

import json
from pathlib import Path

import onemax
import pytest
from commands import zero_
from small_runs import small_config

import zero
from zero.programs.canonical import canonical
from zero.programs.find import load_program
from zero.runs.progress import Reporter

BITS = f"""
imports: [{Path(onemax.__file__)}]
name: ones
bits: {{length: 12}}
budget: {{individuals: 200}}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in (3, 7):  # which find different programs
        config = small_config(name="small", seed=seed, budget={"individuals": 6000})
        zero.start(config, folder / f"small-{seed}", Reporter())
    (folder / "ones.yaml").write_text(BITS)
    zero.start(zero.load_config(folder / "ones.yaml"), folder / "ones-1", Reporter())
    return folder


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.setenv("ZERO_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path / "library"


@pytest.fixture
def filled(library, runs):
    zero_("archive", "add", runs / "small-3", runs / "small-7", runs / "ones-1")
    return library


def entries(*options):
    return json.loads(zero_("archive", "list", "--json", *options)[0])


def test_add_and_list(filled, runs):
    assert sorted(e["kind"] for e in entries()) == ["bits", "programs", "programs"]
    out, _ = zero_("archive", "list", "--kind", "programs", "--sort", "size", "--top", "1")
    assert "linear_regression" in out and len(out.splitlines()) == 2
    again, err = zero_("archive", "add", runs / "small-3")
    assert "already there: record" in again and str(filled) in err
    assert entries("--task", "no such task") == []
    assert "no discovery in the library is like that" in zero_("archive", "list", "--task", "x")[0]


def test_show_has_the_genome_and_where_it_comes_from(filled, runs):
    best = next(e for e in entries("--kind", "programs") if e["size"])
    out, _ = zero_("archive", "show", best["id"][:8])
    text = (runs / "small-7" / "best.txt").read_text()
    assert all(line in text or "def " in line for line in out.splitlines() if line[:2] == "  s")
    for words in ("final fitness", "found by:", "lineage:", best["files"][0]):
        assert words in out
    (known,) = json.loads(zero_("archive", "show", best["id"], "--json")[0])
    assert known["final_fitness"] == best["final_fitness"] and known["run"]["config"]
    assert "final" in known["tasks"] and known["machine"]["cpu"]


def test_what_is_exported_is_taken_where_a_programs_name_is(filled, tmp_path):
    best = entries("--kind", "programs")[0]
    for ending in ("txt", "h5", "json", "py"):
        file = tmp_path / f"prog.{ending}"
        assert str(file) in zero_("archive", "export", best["id"], "-o", file)[0]
    (known,) = json.loads(zero_("archive", "show", best["id"], "--json")[0])
    assert json.loads((tmp_path / "prog.json").read_text()) == known
    program = load_program(tmp_path / "prog.txt")
    assert load_program(tmp_path / "prog.h5") == program
    assert canonical(str(program)) == known["canonical"]
    compile((tmp_path / "prog.py").read_text(), "prog.py", "exec")
    for file in ("prog.txt", "prog.h5"):
        assert "def Predict():" in zero_("explain", tmp_path / file)[0]
        zero_("export", tmp_path / file, "-o", tmp_path / "again.py")
        zero_("validate", "linear_demo", "--set", f"program.initial={tmp_path / file}")
        out, _ = zero_("evaluate", tmp_path / file, "linear_demo")
        assert "select fitness" in out
        assert "final fitness" in zero_("show", tmp_path / file)[0] or file == "prog.txt"


def test_other_kinds_say_what_can_be_written(filled, tmp_path, runs):
    (bits,) = entries("--kind", "bits")
    zero_("archive", "export", bits["id"], "-o", tmp_path / "a.txt")
    assert set((tmp_path / "a.txt").read_text().strip()) <= {"0", "1"}
    _, err = zero_("archive", "export", bits["id"], "-o", tmp_path / "a.py", code=1)
    assert len(err.splitlines()) == 1 and ".txt, .json, .h5" in err
    runs.rename(runs.with_name("moved"))
    _, err = zero_("archive", "export", bits["id"], "-o", tmp_path / "a.py", code=1)
    runs.with_name("moved").rename(runs)
    assert "is gone; files that end in" in err
    _, err = zero_("archive", "export", bits["id"], "-o", tmp_path / "none" / "a.txt", code=1)
    assert "there is no folder" in err


def test_a_search_starts_from_a_discovery(filled, runs, tmp_path):
    (bits,) = entries("--kind", "bits")
    file = tmp_path / "start.h5"
    zero_("archive", "export", bits["id"], "-o", file)
    zero_("run", runs / "ones.yaml", "--set", f"search.start_from={file}", "--out", tmp_path / "new",
          "--set", "budget.individuals=5")  # fmt: skip
    info = json.loads((tmp_path / "new" / "run.json").read_text())
    assert [start["run"] for start in info["start_from"]] == [str(file)]
    (programs, *_) = entries("--kind", "programs")
    zero_("archive", "export", programs["id"], "-o", file)
    _, err = zero_("run", runs / "ones.yaml", "--set", f"search.start_from={file}", code=1)
    assert "is a discovery of programs; start_from needs one over bits" in err


def test_diff(filled):
    first, second = (e["id"] for e in entries("--kind", "programs"))
    out, _ = zero_("archive", "diff", first[:12], second[:12])
    assert "def Predict():" in out and "final fitness" in out
    (bits,) = entries("--kind", "bits")
    assert "two of one kind" in zero_("archive", "diff", first, bits["id"], code=1)[1]


def test_merge(filled, tmp_path, runs):
    other = tmp_path / "other"
    out, _ = zero_("archive", "merge", filled, "--library", other)
    assert "3 added, 0 already there" in out
    assert len(entries("--library", other)) == 3
    damaged = Path(entries("--library", other)[0]["files"][0])
    damaged.write_bytes(b"x")
    out, err = zero_("archive", "merge", other, "--library", tmp_path / "third")
    assert "2 added" in out and f"note: {damaged}" in err


@pytest.mark.parametrize(
    "command", [["list"], ["show", "ab"], ["diff", "ab", "cd"], ["merge", "none"]]
)
def test_no_library_is_one_line(library, command):
    _, err = zero_("archive", *command, code=1)
    assert len(err.splitlines()) == 1 and "there is no library" in err


def test_what_is_no_run_is_one_line(library, tmp_path, runs):
    for run in ("none", tmp_path, f"{runs / 'small-3'}#99999", f"{runs / 'ones-1'}#x"):
        _, err = zero_("archive", "add", run, code=1)
        assert len(err.splitlines()) == 1
    assert not library.exists()


# --- zero list runs -------------------------------------------------------------------------------


def test_runs_of_a_folder_are_listed(runs, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    out, _ = zero_("list", "runs", runs)
    assert len(out.splitlines()) == 4
    assert "ended: individuals" in out and "6,000" in out and "bits" in out
    rows = json.loads(zero_("list", "runs", runs, "--json")[0])
    assert [Path(r["folder"]).name for r in rows] == ["ones-1", "small-3", "small-7"]
    assert zero_("list", "runs", tmp_path)[0].startswith(
        f"no runs in {tmp_path}; `zero run CONFIG`"
    )
    assert json.loads(zero_("list", "runs", tmp_path, "--json")[0]) == []
    assert "none" in zero_("list", "runs", tmp_path / "none", code=1)[1]
    assert "leave it out" in zero_("list", "ops", "--json", code=1)[1]


def test_a_run_that_was_stopped_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    zero.start(small_config(), tmp_path / "runs" / "a", Reporter(), max_seconds=0)
    out, _ = zero_("list", "runs")
    assert "stopped: max_seconds" in out and "zero resume runs/a" in out

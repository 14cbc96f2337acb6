"""`zero explain` and `zero tune`: what they print, and one line for whatever cannot be explained."""

import json
import shutil
from pathlib import Path

import onemax
import pytest
from commands import zero_
from small_cells import table_settings, write_table
from small_runs import small_settings

from zero.cells.kind import CELLS
from zero.config import yaml
from zero.programs.explain import exact as exact_module
from zero.programs.explain import report
from zero.programs.explain.exact import Proof
from zero.programs.program import parse_program

SLOW = """
def Setup():
  s2 = 0.0001
  s3 = 7  # unused
def Predict():
  s1 = dot(v1, v0)
def Learn():
  s3 = s0 - s1
  s3 = s2 * s3
  v2 = s3 * v0
  v1 = v1 + v2
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a config, a run of it that has ended, and a program."""
    folder = tmp_path_factory.mktemp("explain")
    tasks = {"type": "linear_regression", "features": 4, "train": 60, "valid": 10, "count": 4}
    settings = small_settings(
        program={"initial": "linear"},
        tasks={"select": tasks, "final": tasks | {"param_seeds": [9000]}},
    )
    (folder / "small.yaml").write_text(yaml.dump(settings))
    (folder / "slow.txt").write_text(SLOW)
    zero_("run", folder / "small.yaml", "--out", folder / "run", "--quiet")
    return folder


@pytest.fixture(autouse=True)
def in_place(place, monkeypatch):
    monkeypatch.chdir(place)


def error_of(*arguments):
    """Returns the only line of a command that fails with 1 and prints nothing else."""
    out, err = zero_(*arguments, code=1)
    lines = [line for line in err.splitlines() if not line.startswith("compiling")]
    assert out == "" and len(lines) == 1 and lines[0].startswith("error: "), err
    return lines[0].removeprefix("error: ")


def explained(*arguments):
    return json.loads(zero_("explain", *arguments, "--json")[0])


# --- explain ----------------------------------------------------------------------------------------


def test_a_program_alone():
    out, _ = zero_("explain", "slow.txt")
    assert "6 of 7 instructions are left: 1 reach no prediction." in out
    assert "gradient step" in out and "lost without" not in out
    assert "With a config" in out and "CONFIG" in out
    assert set(explained("slow.txt")) == {"simplification", "program", "motifs"}


def test_a_program_on_tasks():
    found = explained("slow.txt", "small.yaml")
    assert list(found) == ["simplification", "select", "program", "motifs", "constants"]
    assert found["simplification"]["proof"] == {"holds": True, "errors": 40, "tasks": 4}
    assert found["select"]["tasks"] == 4 and found["select"]["seeds"] == 1
    figures = json.loads(zero_("evaluate", "slow.txt", "small.yaml", "--json")[0])
    assert found["select"]["fitness"] == pytest.approx(figures["select"]["fitness"], abs=1e-12)
    rows = {row["instruction"]: row for row in found["program"]}
    assert len(rows) == 6 and "s3 = 7" not in rows
    assert rows["v1 = v1 + v2"]["motifs"] == ["gradient step"]
    low, high = rows["v1 = v1 + v2"]["lost"]["interval"]
    assert low < rows["v1 = v1 + v2"]["lost"]["value"] < high
    (constant,) = found["constants"]
    assert constant["value"] == 0.0001 and constant["lost"]["doubled"]["value"] < 0


def test_seeds_of_a_random_program():
    assert explained("neural_network", "small.yaml")["select"]["seeds"] == report.SEEDS
    few = explained("neural_network", "small.yaml", "--evaluations", 10)
    assert few["select"]["seeds"] == 1
    assert sum(row["lost"] is None for row in few["program"]) == 19 - 9


@pytest.mark.parametrize("columns", ["80", "120"])
def test_it_fits_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    for what in ("neural_network", "slow.txt", "run"):
        out, _ = zero_("explain", what, "small.yaml", "--evaluations", 4)
        assert max(map(len, out.splitlines())) <= int(columns)
        assert "--evaluations gives more" in out


def test_a_run_has_its_config_and_lineage():
    found = explained("run")
    assert list(found)[-1] == "lineage" and "constants" in found
    came = [text for step in found["lineage"] for _, text in step["instructions"]]
    assert sorted(came) == sorted(row["instruction"] for row in found["program"])
    out, _ = zero_("explain", "run")
    assert "Where each came in" in out and "has not ended" not in out
    record = found["lineage"][0]["record"]
    first = explained(f"run#{record}")
    assert [step["record"] for step in first["lineage"]][-1] <= record
    alone = explained("run/archive.h5")  # without the config beside it there are no tasks
    assert "lineage" in alone and "constants" not in alone


def test_the_same_again():
    assert explained("run") == explained("run")


def test_a_run_that_goes_on_says_so(tmp_path):
    shutil.copytree("run", tmp_path / "run")
    from zero.runs.archive import read_archive, write_archive

    data = read_archive(tmp_path / "run")
    data.results = None
    write_archive(tmp_path / "run" / "archive.h5", data)
    assert "has not ended" in zero_("explain", tmp_path / "run")[0]


def test_a_form_that_is_not_proven_is_not_used(monkeypatch):
    real = exact_module.prove
    monkeypatch.setattr(report, "prove", lambda *a: (Proof(False, 40, 4), real(*a)[1]))
    out, _ = zero_("explain", "slow.txt", "small.yaml")
    assert "mistake of zero" in out and "7 of 7 instructions are left" in out


# --- tune -------------------------------------------------------------------------------------------


def test_tune_writes_what_it_prints(tmp_path):
    file = tmp_path / "tuned.txt"
    out, _ = zero_("tune", "slow.txt", "small.yaml", "-o", file, "--evaluations", 60)
    program = file.read_text()
    assert out.startswith(program) and "beyond chance" in out and str(file) in out
    assert len(parse_program(program)) == 6
    found = json.loads(zero_("tune", "slow.txt", "small.yaml", "--evaluations", 60, "--json")[0])
    assert found["program"] == program and found["evaluations"] == 60
    assert found["final"]["gain"]["interval"][0] > 0.0
    figures = json.loads(zero_("evaluate", file, "small.yaml", "--json")[0])
    for part in ("select", "final"):
        assert figures[part]["fitness"] == pytest.approx(found[part]["tuned"], abs=1e-12)
    assert found["changed"][0]["before"] == 0.0001


def test_tune_without_gain_writes_nothing(tmp_path):
    # A constant that no prediction depends on much cannot be better.
    (tmp_path / "flat.txt").write_text("def Predict():\n  s2 = 3\n  s3 = s2 - s4\n  s1 = s3 * s4\n"
                                       "def Learn():\n  s4 = s0 - s0\n")  # fmt: skip
    file = tmp_path / "tuned.txt"
    out, _ = zero_("tune", tmp_path / "flat.txt", "small.yaml", "-o", file, "--evaluations", 9)
    assert (
        out.startswith("No gain")
        and "is not written" in " ".join(out.split())
        and not file.exists()
    )


def test_tune_takes_seeds_and_runs():
    a, b, c = (
        zero_("tune", "run", "small.yaml", "--evaluations", 20, "--seed", seed, "--json")[0]
        for seed in (1, 1, 2)
    )
    assert a == b and a != c


# --- what cannot be explained -------------------------------------------------------------------------


def test_a_program_that_fails():
    Path("fails.txt").write_text("def Setup():\n  s2 = 3\ndef Predict():\n  s1 = s2 / s3\n")
    assert "fails on every select task" in error_of("explain", "fails.txt", "small.yaml")
    assert "fails on every select task" in error_of("tune", "fails.txt", "small.yaml")
    assert "gradient" not in zero_("explain", "fails.txt")[0]


def test_wrong_names_and_options():
    assert "no program 'liner'" in error_of("explain", "liner")
    assert "unknown config 'smal'" in error_of("explain", "linear", "smal")
    assert "--set" in error_of("explain", "linear", "--set", "seed=2")
    assert "no constants" in error_of("tune", "empty", "small.yaml")
    assert "no record 123456" in error_of("explain", "run#123456")


def test_a_run_without_a_program(tmp_path):
    shutil.copy("run/config.yaml", tmp_path / "config.yaml")
    assert "holds no program yet" in error_of("explain", tmp_path)
    assert "no config.yaml" in error_of("explain", tmp_path.parent)


def test_other_genomes(tmp_path):
    table = table_settings(write_table(tmp_path / "table.csv"), budget={"individuals": 10})
    (tmp_path / "cells.yaml").write_text(yaml.dump(table))
    assert "is about cells" in error_of("explain", "linear", tmp_path / "cells.yaml")
    assert "is about cells" in error_of("tune", "linear", tmp_path / "cells.yaml")
    zero_("run", tmp_path / "cells.yaml", "--out", tmp_path / "cells", "--quiet")
    said = error_of("explain", tmp_path / "cells")
    assert said == CELLS.no_explanation(tmp_path / "cells") and "zero cells show" in said
    assert "cells" in error_of("tune", tmp_path / "cells", "small.yaml")
    (tmp_path / "bits.yaml").write_text(
        f"imports: [{onemax.__file__}]\nbits: {{length: 8}}\nbudget: {{individuals: 60}}\n"
    )
    zero_("run", tmp_path / "bits.yaml", "--out", tmp_path / "bits", "--quiet")
    assert "a run of bits" in error_of("explain", tmp_path / "bits")
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "genome.txt").write_text("")
    assert "training of a network" in error_of("explain", tmp_path / "training")

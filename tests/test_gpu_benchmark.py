"""benchmarks/gpu_interpreter.py from end to end on the host machine, and what it computes by hand."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cuda_machines import missing

import zero
from zero.programs import library
from zero.programs.cuda.encode import encode_program
from zero.programs.cuda.layout import UnitLayout

FOLDER = Path(zero.__file__).parents[1] / "benchmarks"
SCRIPT = FOLDER / "gpu_interpreter.py"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")
HEADLINES = ("projected_network_programs_per_second", "linear_demo_individuals_per_second",
             "cpu_core_projected_network_programs_per_second")  # fmt: skip


def script(*options):
    command = [sys.executable, str(SCRIPT), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=250)


@pytest.fixture
def imported(monkeypatch):
    """Imports a module of benchmarks/."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


# --- the script -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the whole script prints and writes, tiny."""
    path = tmp_path_factory.mktemp("benchmark") / "r.json"
    before = sorted((FOLDER / "results").iterdir())
    options = ("--host", "--rounds", 1, "--seconds", 0.05, "--cores", 2)
    done = script(*options, "--json", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted((FOLDER / "results").iterdir()) == before
    return done.stdout, json.loads(path.read_text())


def test_every_row_is_measured_on_every_side(results):
    printed, found = results
    assert found["complete"] and found["gpu"] == "host"
    assert all(found[key] > 0 for key in HEADLINES)
    assert {"driver", "cuda", "commit", "checks", "where_time_goes"} <= found.keys()
    table = printed[printed.rindex("\nwork ") :].splitlines()[2:]
    assert len(table) == len(found["rows"]) == 8
    dtypes = [row["dtype"] for row in found["rows"].values()]
    assert sorted(set(dtypes)) == ["float32", "float64"]
    for row in found["rows"].values():
        gpu = row["gpu"]
        assert 0 < gpu["smallest"] <= gpu["median"] <= gpu["largest"]
        if "core" in row:
            assert row["ratio_to_core"] == pytest.approx(gpu["median"] / row["core"]["median"])
        if row["unit"] == "individuals/s":
            assert row["gpu_busy"]["median"] > 0 and gpu["islands"] == 2
        else:
            assert gpu["flops"] > 0 and gpu["shared_cycles"] > 0
            assert gpu["fitness"] == pytest.approx(row["core"]["fitness"], abs=0.02)
    assert set(found["checks"]["random programs"]) == {"F = 4, float64", "F = 4, float32"}


def test_the_page_shows_them(results, imported):
    page, (_, found) = imported("page"), results
    found = json.loads(json.dumps(found))
    found["rows"]["linear_demo"]["gpu"]["median"] = 1234567.8
    found["rows"]["linear_demo"]["ratio_to_core"] = 3.21
    text = page.gpu_interpreter(found)
    (line,) = [x for x in text.splitlines() if x.startswith("| linear_demo |")]
    assert "| 1,234,568 |" in line and "| 3.2 |" in line
    assert "| MATVEC_RESIDENT | 1 |" in text and "GPU: host" in text


def test_a_sweep_keeps_the_other_results(tmp_path):
    path = tmp_path / "r.json"
    path.write_text('{"gpu": "another"}')
    done = script("--host", "--sweep", "--rounds", 1, "--seconds", 0.01, "--json", path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(path.read_text())
    assert found["gpu"] == "another"
    rows = found["sweep"]["rows"]
    assert [row["group"] for row in rows] == [1, 2, 4]
    assert [row["is_default"] for row in rows] == [False, True, False]


def test_time_that_is_up_is_told_and_nothing_is_begun(tmp_path):
    path = tmp_path / "r.json"
    done = script("--host", "--minutes", 0, "--cores", 2, "--json", path)
    assert done.returncode == 2 and "no time for: round 1" in done.stdout
    assert json.loads(path.read_text())["complete"] is False


@pytest.mark.skipif(missing() is None, reason="there is a GPU")
def test_without_a_gpu_it_is_one_line(tmp_path):
    done = script("--json", tmp_path / "r.json")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "r.json").exists()


def test_sanitizer_command_lines():
    lines = script("--sanitize").stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["compute-sanitizer", "--tool", tool] for tool in ("memcheck", "racecheck", "synccheck")
    ]
    assert all(line.endswith("gpu_interpreter.py --workload") for line in lines)


@pytest.mark.slow
def test_the_sanitizers_workload_runs():
    done = script("--host", "--workload")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": done") == 8


# --- what it computes -----------------------------------------------------------------------------


@pytest.mark.parametrize("group", [4, 8])
def test_arithmetic_of_the_network_by_hand(imported, group):
    cost, layout = imported("gpu.cost"), UnitLayout("float32", 16, group)
    rows, spans = encode_program(library.program("neural_network"), layout)
    costs = cost.function_costs(rows, spans[0], layout)
    assert costs[1:, 0].tolist() == [577, 611]  # as in test_benchmarks.py, joined or not


def test_shared_memory_of_rows_by_hand(imported):
    row_cost = imported("gpu.cost").row_cost
    single = UnitLayout("float32", 16, 8)  # two elements and rows of 16 a lane, four tasks a warp
    assert row_cost("SCALAR_SUM", single)[1] == 1 + 3
    assert row_cost("VECTOR_SUM", single)[1] == 1 + 3 * 2
    assert row_cost("MATRIX_SUM", single)[1] == 1 + 3 * 2 * 16
    assert row_cost("MATRIX_VECTOR_PRODUCT", single)[1] == 1 + 2 * 16 + 4 + 2
    assert row_cost("MATVEC_RESIDENT", single)[1] == 1 + 4 + 2  # the matrix is in registers
    assert row_cost("VECTOR_SUM", UnitLayout("float64", 16, 8))[1] == 1 + 3 * 2 * 2
    assert row_cost("MATRIX_MATRIX_PRODUCT", single)[0] == 2 * 16**3
    assert row_cost("VECTOR_MEAN", single)[0] == 16
    for name in zero.programs.ops.OPS:
        if name != "NO_OP":
            assert row_cost(name, single)[1] > 1, name


def test_repeated_rows_are_the_same_program_and_longer(imported):
    cost, layout = imported("gpu.cost"), UnitLayout("float32", 4, 2)
    rows, spans = encode_program(library.program("neural_network"), layout)
    named = cost.named_rows(rows, spans[0])
    which = [at for at, name in named if name == "VECTOR_SUM"]
    longer, span = cost.repeated(rows, spans[0], which)
    more = [name for _, name in cost.named_rows(longer, span)]
    assert more.count("VECTOR_SUM") == len(which) * (1 + cost.REPEATED)
    assert [n for n in more if n != "VECTOR_SUM"] == [n for _, n in named if n != "VECTOR_SUM"]
    old = cost.function_costs(rows, spans[0], layout)
    new = cost.function_costs(longer, span, layout)
    added = cost.REPEATED * np.array(cost.row_cost("VECTOR_SUM", layout))
    np.testing.assert_allclose(new - old, [0 * added, added, added])


class Runtime:
    """What CuPy tells of an H200."""

    def runtimeGetVersion(self):
        return 13010

    def deviceGetAttribute(self, which, device):
        return {13: 1_980_000, 75: 9, 76: 0}[which]


def test_shares_of_a_cards_limits(imported, monkeypatch):
    module, cost = imported("gpu_interpreter"), imported("gpu.cost")
    machine = SimpleNamespace(name="H200", cores=132, cuda=SimpleNamespace(runtime=Runtime()))
    monkeypatch.setattr(zero.cuda, "open_machine", lambda: machine)
    monkeypatch.setattr(module, "driver_version", lambda: "580.1")
    card = module.look_at_card()
    assert (card["gpu"], card["driver"], card["cuda"]) == ("H200", "580.1", "13.1")
    assert card["peak_flops"] == {"float32": 2 * 128 * 132 * 1.98e9, "float64": 132 * 128 * 1.98e9}
    gpu = {"median": 70_000.0, "flops": 1e8, "shared_cycles": 2e6}
    found = cost.shares({"gpu": gpu}, card, "float32")
    assert found["share_of_peak_flops"] == pytest.approx(7e12 / 66.9e12, rel=1e-3)
    assert found["share_of_shared_memory"] == pytest.approx(1.4e11 / (132 * 1.98e9))

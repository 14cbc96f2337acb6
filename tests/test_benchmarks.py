"""The benchmarks' page is made from the results beside it, and every script says what it does."""

import importlib.util
import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest

import zero

ROOT = Path(zero.__file__).parents[1]
FOLDER = ROOT / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")


@pytest.fixture(scope="module")
def page():
    spec = importlib.util.spec_from_file_location("page", FOLDER / "page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_results_give(page):
    assert (FOLDER / "README.md").read_text() == page.page(FOLDER / "results"), (
        "run python benchmarks/page.py"
    )


def test_floor_of_the_linear_program_by_hand(page):
    # F = 4: predict 8 operations, learn 10; 10 tasks of 100 + 100 examples at 80 GFLOP/s.
    assert page.floor("linear_demo") == pytest.approx(1e6 * 10 * (100 * 18 + 100 * 8) / 80e9)
    assert page.floor("linear_demo, two islands") == pytest.approx(page.floor("linear_demo") / 2)
    # F = 16: predict 577, learn 611; 10 tasks of 8000 + 1000 examples.
    network = 10 * (8000 * 1188 + 1000 * 577)
    name = "network on projected_binary_baseline, float32"
    assert page.floor(name) == pytest.approx(1e6 * network / 160e9)


def test_a_split_as_bars(page):
    stages = {"select": 50.0, "first examples": 200.0, "the rest": 0.0}
    row = {
        "nanoseconds_per_individual": 250.0,
        "stages": stages,
        "ops": {"A": {"share": 0.5, "nanoseconds": 3}, "B": {"share": 0.75, "nanoseconds": 2.5}},
    }
    text = page.split({"machine": "a box", "rows": {"linear_demo": row}})
    assert f"first examples      200 ns  80.0%  {'█' * 40}\n" in text
    assert f"select               50 ns  20.0%  {'█' * 10}\n" in text
    assert text.index("| B | 75.0% | 2.5 |") < text.index("| A | 50.0% | 3 |")


def test_batch_sizes_beside_batch_1(page):
    def part(successes, each):
        summary = {"runs": 4, "successes": successes, "median_individuals": 900.0,
                   "individuals_per_success": each, "standard_error": each and each / 2,
                   "median_seconds": 3.5}  # fmt: skip
        return {"summary": summary, "runs": []}

    sizes = {"64": part(2, 1500.0), "1": part(4, 1000.0), "1024": part(0, None)}
    results = {"machine": "a box", "config": "linear_demo", "population": 1000, "sizes": sizes}
    lines = page.discovery({"batches": results}).splitlines()
    assert lines[-3:] == [
        "| 1 | 4 of 4 | 900 | 1,000 | 500 | 1.00x | 3.5 |",
        "| 64 | 2 of 4 | 900 | 1,500 | 750 | 1.50x | 3.5 |",
        "| 1,024 | 0 of 4 | 900 |  |  |  | 3.5 |",
    ]


def training_results(torch):
    """Results of one network on two threads; torch: its images a second in both memory formats."""
    figures = {"median": 300.0, "smallest": 290.0, "largest": 310.0}
    row = {
        "threads": 2,
        "ours": figures,
        "ours_gflops": 30.0,
        "share_of_sgemm": 0.25,
        "torch": None,
    }
    if torch:
        row["torch"] = {
            name: {"median": rate, "smallest": rate, "largest": rate}
            for name, rate in torch.items()
        }
        row |= {"torch_best": "channels_last", "ratio": 4.0}
        row["ratio_in_rounds"] = {"smallest": 3.5, "largest": 4.5}
    close = {"loss": 1e-7, "logits": 2e-6, "gradients": 3e-3, "losses": 4e-6}
    entry = {
        "cell": "a_cell", "skeleton": {"kind": "darts", "normal_cells": 2, "filters": 16},
        "parameters": 1000, "multiply_adds": 2_000_000, "memory_mb": {"estimate": 1.5, "ours": 2.5},
        "agreement": {"contiguous": close} if torch else {}, "rows": [row],
        "split": {"step_ms": 10.0, "parts": {"sum": {"forward": 2.0, "backward": 6.0},
                                             "head": {"forward": 1.0, "backward": 1.0}}},
    }  # fmt: skip
    return {
        "machine": "a box", "torch": {"torch": "2.13"} if torch else None, "batch": 64, "rounds": 5,
        "seconds": 3, "load_before": 0.1, "sgemm_gflops": {"2": figures},
        "networks": {"small": entry},
    }  # fmt: skip


def test_training_beside_the_better_of_pytorchs_formats(page):
    text = page.cells_cpu(training_results({"contiguous": 40.0, "channels_last": 75.0}))
    assert (
        "| small | 2 | 300 | 290 to 310 | 30 | 25% | 75 | 75 to 75 | channels-last | 4.00x |"
        in text
    )
    assert "gradients by 0.003" in text
    assert "| sum | 2.00 | 6.00 | 80.0% |" in text


def test_training_without_pytorch(page):
    text = page.cells_cpu(training_results(None))
    assert "PyTorch was not there" in text
    assert "| small | 2 | 300 | 290 to 310 | 30 | 25% |\n" in text


@pytest.fixture
def large_tables(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("large_tables")


def test_tables_are_read_as_pandas_reads_them(large_tables, tmp_path):
    path = tmp_path / "large.csv"
    large_tables.write_large(path, 300)
    large_tables.check_read(path)
    assert pd.read_csv(path).shape == (300, large_tables.FEATURES + 1)
    found = large_tables.reading(path, 1)
    assert all(found[name]["seconds"]["median"] > 0 for name in ("pandas", "zero"))
    large_tables.write_wide(tmp_path / "wide.csv", 40)
    assert pd.read_csv(tmp_path / "wide.csv").shape == (large_tables.WIDE_ROWS, 41)


def test_commands_over_tables_are_measured(large_tables, tmp_path):
    path = tmp_path / "large.csv"
    large_tables.write_large(path, 300)
    found = large_tables.run(path, tmp_path / "run", "--set=budget={individuals: 300}")
    assert found["individuals"] == 300 and found["peak_mb"] > 20 and found["seconds"] > 0.5
    assert 0.5 < found["final_fitness"] <= 1 and 0.5 <= found["chance"] < 1


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_every_script_helps(path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {path.name}")

"""Large and wide tables: time and memory of reading, validating, a run and predictions.

    python benchmarks/large_tables.py [--rows 1000000] [--columns 2000] [--seconds 60] [--rounds 3]

Makes a CSV of 20 feature columns (16 of numbers, one of whole numbers, three of texts; gaps in four) with two
classes, and one of 20 rows with many columns of numbers. First checks that what was read is what pandas
reads, and that the linear program's predictions are its weights' products; then runs once on few rows, so
that nothing is compiled later. Every figure is of a process of its own. Peaks of reading are beyond those
of an interpreter that has imported pandas; those of commands are the sum of their processes' memory, each
shared page once, as sampled from /proc (Linux). Writes benchmarks/results/large_tables.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from peers.processes import EVERY, memory_mb

from zero.programs import library
from zero.programs.trained import train
from zero.runs.folder import run_info
from zero.tasks.table import Table

FEATURES = 20
WIDE_ROWS = 20
PIECE = 50_000  # rows that are made at a time
_PEAK = "[int(l.split()[1]) / 1024 for l in open('/proc/self/status') if l.startswith('VmHWM')][0]"
_READ = {
    "pandas": ("import pandas", "pandas.read_csv({path!r})"),
    "zero": ("import pandas; from zero.tasks.table import Table", "Table(path={path!r}, target='y').data()"),
}  # fmt: skip


# --- tables ---------------------------------------------------------------------------------------


def write_large(path: Path, rows: int) -> None:
    """Writes the table of 20 features and two classes."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal(16)
    texts = {
        "grade": [f"g{i}" for i in range(5)], "colour": ["red", "green", "blue"],
        "city": [f"city {i}" for i in range(200)],
    }  # fmt: skip
    for start in range(0, rows, PIECE):
        size = min(PIECE, rows - start)
        x = rng.standard_normal((size, 16))
        frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(16)])
        frame["age"] = rng.integers(18, 90, size)
        for name, known in texts.items():
            frame[name] = np.array(known)[rng.integers(0, len(known), size)]
        frame["y"] = np.where(x @ weights + rng.standard_normal(size) > 0, "yes", "no")
        for name in ("x3", "x7", "grade", "city"):
            frame.loc[rng.random(size) < 0.05, name] = None
        frame.to_csv(path, mode="a", index=False, header=start == 0, float_format="%.6g")


def write_wide(path: Path, columns: int) -> None:
    """Writes the table of few rows; its target is the first column and noise."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((WIDE_ROWS, columns)))
    frame.columns = [f"x{i}" for i in range(columns)]
    frame["y"] = frame["x0"] + 0.1 * rng.standard_normal(WIDE_ROWS)
    frame.to_csv(path, index=False, float_format="%.6g")


def check_read(path: Path) -> None:
    """Stops where our columns are not pandas' columns."""
    ours, frame = Table(path=str(path), target="y").data(), pd.read_csv(path)
    assert [c.name for c in ours.columns] == list(frame.columns[:-1])
    for column in ours.columns:
        theirs = frame[column.name].to_numpy()
        if column.texts is None:
            assert np.array_equal(column.values, theirs.astype(float), equal_nan=True), column.name
        else:
            texts = np.array([*column.texts, None], object)[column.values]
            assert np.array_equal(texts, np.where(pd.isna(theirs), None, theirs)), column.name
    assert np.array_equal(np.array(ours.classes)[ours.y.astype(int)], frame["y"].to_numpy())


# --- processes ------------------------------------------------------------------------------------


def spread(values: list[float]) -> dict[str, float]:
    """Returns the median of some figures, the smallest and the largest."""
    return {"median": statistics.median(values), "smallest": min(values), "largest": max(values)}


def in_process(imports: str, work: str) -> dict[str, float]:
    """Returns seconds and peak memory of some work in a process of its own, without its imports."""
    code = f"import json, time; {imports}; t = time.perf_counter(); found = {work}; "
    code += f"print(json.dumps({{'seconds': time.perf_counter() - t, 'peak_mb': {_PEAK}}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def reading(path: Path, rounds: int) -> dict[str, Any]:
    """Returns what pandas and we need to read a table, in turns."""
    bare = in_process("import pandas", "None")["peak_mb"]
    rows: dict[str, list] = {name: [] for name in _READ}
    for _ in range(rounds):
        for name, (imports, work) in _READ.items():
            rows[name].append(in_process(imports, work.format(path=str(path))))
    found: dict[str, Any] = {"bare_mb": bare}
    for name, results in rows.items():
        peaks = [r["peak_mb"] - bare for r in results]
        found[name] = {"seconds": spread([r["seconds"] for r in results]), "peak_mb": spread(peaks)}
    return found


def processes(pid: int) -> list[int]:
    """Returns a process's number and those of all that it started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(p for child in children for p in processes(int(child)))]


def command(*words: str) -> dict[str, Any]:
    """Returns seconds, peak memory and output of a command of zero's."""
    began, peak = time.perf_counter(), 0.0
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([sys.executable, "-m", "zero", *words], stdout=out, stderr=out)
        while process.poll() is None:
            peak = max(peak, sum(memory_mb(p) for p in processes(process.pid)))
            time.sleep(EVERY)
        seconds = time.perf_counter() - began
        out.seek(0)
        text = out.read()
    assert process.returncode == 0, text
    return {"seconds": seconds, "peak_mb": peak, "output": text}


def run(path: Path, folder: Path, *settings: str) -> dict[str, Any]:
    """Returns what a run over a table took, and found."""
    words = ("run", str(path), "--target", "y", "--quiet", "--json-log", "--out", str(folder))
    found = command(*words, *settings)
    lines = [json.loads(line) for line in found.pop("output").splitlines() if line.startswith("{")]
    outcome = lines[-1]
    kept = ("individuals", "final_fitness", "interval")
    return found | {key: outcome[key] for key in kept} | {"chance": outcome["chance"]["final"]}


def linear_rows_per_second(rows: int, rounds: int) -> dict[str, float]:
    """Returns rows a second of the trained linear program's predictions for features in memory."""
    rng = np.random.default_rng(0)
    few, x = rng.standard_normal((500, FEATURES)), rng.standard_normal((rows, FEATURES))
    trained = train(library.program("linear"), few, [few[:, 0]], "rms_error")
    (banks,) = trained.memories
    products = x[:1000] @ banks.v[1]
    assert np.allclose(trained.scores(x[:1000])[:, 0], products), "not the linear program"
    rates = []
    for _ in range(rounds):
        began = time.perf_counter()
        trained.scores(x)
        rates.append(rows / (time.perf_counter() - began))
    return spread(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=2000, help="of the wide table")
    parser.add_argument("--seconds", type=float, default=60.0, help="budget of the run")
    parser.add_argument("--individuals", type=int, default=2000, help="of the wide table's run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results/large_tables.json"
    )
    options = parser.parse_args()
    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    load = os.getloadavg()[0]
    machine = {k: v for k, v in run_info(0, []).items() if k in keys}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large, wide, small = (folder / f"{name}.csv" for name in ("large", "wide", "small"))
        write_large(large, options.rows)
        write_large(small, 1000)
        write_wide(wide, options.columns)
        code = f"from large_tables import *; check_read(Path({str(large)!r}))"
        here = str(Path(__file__).parent)  # a process of its own, so that this one stays small
        subprocess.run([sys.executable, "-c", code], cwd=here, check=True)
        for path in (small, wide):
            run(path, folder / f"{path.stem} first", "--set=budget={individuals: 500}")
        settings = [
            f"--set=tasks.search.{key}" for key in (f"path={large}", "target=y", "problem=null")
        ]
        results = {
            "machine": machine, "load_before": load, "dtype": "float64",
            "rows": options.rows, "features": FEATURES,
            "file_mb": large.stat().st_size / 2**20, "seconds": options.seconds,
            "wide": {"rows": WIDE_ROWS, "columns": options.columns},
            "reading": reading(large, options.rounds),
            "validate": command("validate", "own_csv", "--data", *settings),
            "run": run(large, folder / "run", f"--set=budget={{seconds: {options.seconds}}}"),
            "predict": command("predict", str(folder / "run"), str(large), "-o", str(folder / "p.csv")),
            "wide_run": run(wide, folder / "wide", f"--set=budget={{individuals: {options.individuals}}}"),
            "linear_rows_per_second": linear_rows_per_second(options.rows, options.rounds),
        }  # fmt: skip
    for row in ("validate", "predict"):
        del results[row]["output"]
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()

"""What exports predict beside the interpreter: random trained programs, each export in a bare process.

    python benchmarks/exports.py [--programs 200] [--seed 0] [--json FILE]

The programs have every op in some prediction, regressions, two and three classes, and both number types
(`tests/exported.py`). Python and C are compared trained and after training anew, ONNX (always float32)
trained, with the interpreter in float32. A program that noise of a rounding's size in the interpreter
moves by a tenth of the tolerance is not compared. Nothing is timed. Needs gcc and onnxruntime.
Writes benchmarks/results/exports.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import exported

from zero.runs.folder import run_info


def row(form: str, what: str, dtype: str, parts: tuple[list, list, list]) -> dict[str, Any]:
    """Returns the figures of the cases of one number type; parts: wanted, found, tolerances."""
    pairs, results, tolerance = parts
    number, largest, bad = exported.compared(pairs, results, tolerance)
    return {
        "form": form, "what": what, "dtype": dtype, "programs": len(pairs), "compared": number,
        "different": len(bad), "largest_difference": largest, "tolerance": tolerance[0],
    }  # fmt: skip


def by_dtype(form: str, what: str, every: list, pairs: list, results: list) -> list[dict[str, Any]]:
    """Returns a row for each number type."""
    rows = []
    for dtype, tolerance in exported.TOLERANCE.items():
        chosen = [k for k, case in enumerate(every) if case.dtype == dtype]
        parts = [pairs[k] for k in chosen], [results[k] for k in chosen], [tolerance] * len(chosen)
        rows.append(row(form, what, dtype, parts))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results/exports.json")
    options = parser.parse_args()
    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    machine = {k: v for k, v in run_info(0, []).items() if k in keys}
    machine["versions"] |= {name: metadata.version(name) for name in ("onnx", "onnxruntime")}
    gcc = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True)
    machine["versions"]["gcc"] = gcc.stdout.strip()

    every = exported.cases(options.programs, options.seed)
    trained = [exported.predictions(case) for case in every]
    fitted = [exported.predictions_after_training(case) for case in every]
    single = [exported.predictions_single(case) for case in every]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for form, run in (("python", exported.python_results), ("c", exported.c_results)):
            results = run(every, folder)
            rows += by_dtype(form, "trained", every, trained, results[0])
            rows += by_dtype(form, "trained anew", every, fitted, results[1])
        for runtime in exported.RUNTIMES:
            found = exported.onnx_results(every, folder, runtime)
            parts = single, found, [exported.TOLERANCE["float32"]] * len(every)
            rows.append(row(f"onnx, {runtime}", "trained", "float32", parts))
    ops = {i.op for case in every for i in case.model.trained.program.predict}
    results = {
        "machine": machine, "programs": len(every), "seed": options.seed, "ops": len(ops),
        "instructions": sum(len(case.model.trained.program) for case in every), "rows": rows,
    }  # fmt: skip
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    for figures in rows:
        print(figures)


if __name__ == "__main__":
    main()

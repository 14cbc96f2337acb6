"""What programs should cost a GPU, counted from their rows; nothing is run or timed.

    python benchmarks/gpu_counted.py [--json FILE]

Useful arithmetic, and the cycles that a multiprocessor's shared memory needs at least, of one program on
ten tasks of 8000 train and 1000 validation examples (`gpu/cost.py` counts them). *Bound*: programs/s of
132 multiprocessors at 1.98 GHz, an H200's, if shared memory were all that counts. The table is that of
kernels/README.md. Writes benchmarks/results/gpu_counted.json.
"""

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from gpu.cost import cost

from zero.programs import library
from zero.programs.cuda.encode import encode_program
from zero.programs.cuda.layout import UnitLayout, best_layout
from zero.runs.folder import run_info

TASKS, TRAIN, VALID = 10, 8000, 1000
CYCLES = 132 * 1.98e9  # of an H200's multiprocessors, in a second
# Program, features, dtype, lanes a task (None: as chosen).
CASES = [
    ("neural_network", 4, "float32", None),
    ("neural_network", 16, "float32", None),
    ("neural_network", 16, "float64", None),
    ("neural_network", 16, "float64", 8),
    ("neural_network", 32, "float32", None),
    ("neural_network", 32, "float32", 16),
    ("paper_best", 16, "float32", None),
]


def counted(name: str, features: int, dtype: str, group: int | None) -> dict:
    """Returns the counts of one program in one layout."""
    layout = UnitLayout(dtype, features, group) if group else best_layout(features, dtype)
    rows, spans = encode_program(library.program(name), layout)
    examples = SimpleNamespace(
        train_x=np.zeros((TASKS, TRAIN, 1)), valid_x=np.zeros((TASKS, VALID, 1)), epochs=1
    )
    launches = SimpleNamespace(
        evaluator=SimpleNamespace(layout=layout),
        programs=SimpleNamespace(tasks=examples, rows=[0]),
        rows=rows, spans=spans, taken=np.full((1, TASKS), TRAIN),
    )  # fmt: skip
    flops, cycles = cost(launches)
    return {
        "program": name, "features": features, "dtype": dtype, "lanes_a_task": layout.group,
        "flops": flops, "shared_cycles": cycles, "programs_per_second_bound": CYCLES / cycles,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results/gpu_counted.json"
    )
    options = parser.parse_args()
    rows = [counted(*case) for case in CASES]
    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    info = {k: v for k, v in run_info(0, []).items() if k in keys}
    options.json.write_text(json.dumps({"machine": info, "rows": rows}, indent=1) + "\n")
    for r in rows:
        print(
            f"{r['program']:15} F = {r['features']:2} {r['dtype']} {r['lanes_a_task']:2} lanes: "
            f"{r['flops'] / 1e6:6.1f} MFLOP, {r['shared_cycles'] / 1e6:5.2f} million cycles, "
            f"at most {r['programs_per_second_bound']:,.0f} programs/s"
        )


if __name__ == "__main__":
    main()

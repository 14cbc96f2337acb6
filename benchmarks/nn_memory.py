"""What trainings of networks take of memory, beside the estimate that refuses those too large.

    python benchmarks/nn_memory.py [--json FILE]

Each network is made and trained on random images for two steps, and evaluated, in a process of its
own, whose peak of resident memory is VmHWM in /proc (Linux). The estimate is the same process's, of
`zero.nn.train_memory`. The largest takes 4 GiB. Writes benchmarks/results/nn_memory.json.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

MIB = 2**20
DIGITS, FASHION, CIFAR = (8, 8, 1), (28, 28, 1), (32, 32, 3)
EVERYTHING = {"optimizer": "rmsprop", "ema": 0.99, "pad": 4, "flip": True, "cutout": 8}
# Cell, skeleton, image, batch, threads, backend, settings of the training, whether states are written.
DEFAULTS = {
    "kind": "slim_cifar", "normal_cells": 1, "batch": 64, "threads": 2, "backend": "cpu",
    "settings": {}, "checkpoints": False,
}  # fmt: skip
CASES = [
    {"cell": "amoebanet_a", "filters": 8, "image": DIGITS, "threads": 1},
    {"cell": "nasnet_a", "filters": 16, "image": FASHION, "threads": 1},
    {"cell": "darts_v2", "kind": "darts", "filters": 16, "image": CIFAR},
    {"cell": "amoebanet_a", "filters": 64, "image": DIGITS, "settings": EVERYTHING},
    {"cell": "amoebanet_a", "filters": 64, "image": DIGITS, "checkpoints": True},
    {"cell": "amoebanet_a", "filters": 32, "image": FASHION, "settings": EVERYTHING},
    {"cell": "amoebanet_a", "filters": 64, "image": FASHION, "threads": 1},
    {"cell": "amoebanet_a", "filters": 64, "image": FASHION},
    {"cell": "nasnet_a", "normal_cells": 3, "filters": 24, "image": CIFAR},
    {"cell": "amoebanet_a", "filters": 128, "image": FASHION},
    {"cell": "amoebanet_a", "filters": 128, "image": FASHION, "batch": 16, "checkpoints": True},
    {"cell": "darts_v2", "kind": "darts", "normal_cells": 6, "filters": 36, "image": CIFAR},
    {"cell": "amoebanet_a", "filters": 8, "image": FASHION, "backend": "reference"},
]  # fmt: skip


def train(case: dict) -> dict:
    """Trains two steps in this process; returns estimate by part, resident memory before, and peak."""
    import numpy as np

    from zero.cells.networks.build import build_network
    from zero.cells.networks.skeletons import Skeleton
    from zero.cells.published import get_published
    from zero.data.images import ImageData
    from zero.nn.train import Trainer
    from zero.nn.train_memory import training_memory
    from zero.nn.train_settings import TrainSettings
    from zero.system.trees import write_tree

    case, rng = {**DEFAULTS, **case}, np.random.default_rng(0)
    batch, shape, parts = case["batch"], tuple(case["image"]), []
    for count in (2 * batch, batch, batch):
        parts.append(rng.integers(0, 256, (count, *shape), np.uint8))
        parts.append(np.arange(count) % 10)
    data = ImageData("random", *parts, tuple("0123456789"))
    skeleton = Skeleton(case["kind"], case["normal_cells"], case["filters"])
    network = build_network(get_published(case["cell"]).genome, skeleton, shape, 10)
    settings = TrainSettings(epochs=1, batch=batch, **case["settings"])
    where = (case["backend"], case["threads"])
    needed = training_memory(
        network, settings, batch, "float32", *where, data=data, checkpoints=case["checkpoints"]
    )
    before = resident("VmRSS")
    trainer = Trainer(network, data, settings, 0, *where, checkpoints=case["checkpoints"])
    result = trainer.run_epochs()
    if case["checkpoints"]:
        write_tree("/dev/shm/nn_memory.test", trainer.state(), "checkpoint", 1)
        Path("/dev/shm/nn_memory.test").unlink()
    assert result.steps == 2
    return {
        "parameters": len(result.parameters),
        "estimate": needed.total,
        "parts": asdict(needed),
        "before": before,
        "peak": resident("VmHWM"),
    }


def resident(name: str) -> int:
    """Returns VmRSS (now) or VmHWM (the peak so far) of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def measure(case: dict) -> dict:
    """Returns what `train` does, in a process of its own; ratio: estimate over peak."""
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row = json.loads(done.stdout)
    return {**DEFAULTS, **case, **row, "ratio": row["estimate"] / row["peak"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results/nn_memory.json"
    )
    parser.add_argument("--case", type=json.loads, help="one case, in this process")
    options = parser.parse_args()
    if options.case is not None:
        print(json.dumps(train(options.case)))
        return
    from zero.runs.folder import run_info

    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    results = {"machine": {k: v for k, v in run_info(0, []).items() if k in keys}, "rows": []}
    measure(CASES[0])  # compiles the steps, which takes memory once
    for case in CASES:
        row = measure(case)
        results["rows"].append(row)
        parts = ", ".join(f"{name} {size / MIB:,.0f}" for name, size in row["parts"].items())
        print(
            f"{row['cell']} {row['filters']}x{row['normal_cells']}, {row['image']}, batch "
            f"{row['batch']}, {row['threads']} threads, {row['backend']}: estimate "
            f"{row['estimate'] / MIB:,.0f} MiB, peak {row['peak'] / MIB:,.0f}, "
            f"ratio {row['ratio']:.3f} ({parts}; before {row['before'] / MIB:.0f})",
            flush=True,
        )
    options.json.write_text(json.dumps(results, indent=2) + "\n")
    print(f"wrote {options.json}")


if __name__ == "__main__":
    main()

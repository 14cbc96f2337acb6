"""Memory of an island that runs for long, its functional equivalence cache full.

    python benchmarks/memory.py [--minutes 60] [--every 5] [--json FILE]

Runs `zero run linear_demo` with one island, without its goal, and reads the resident memory of its
two processes from /proc (Linux): the parent, which keeps the archive and checkpoints, and the worker
that evolves. Both count what they share, such as libraries. How full the cache is, the run's
checkpoints say; from then on memory should stay as it is, which the slope of a line through the
worker's figures tells, of all of them and of those in the second half of the time, when everything
has been touched once. Writes benchmarks/results/memory.json.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from zero.config.load import load_config
from zero.runs.folder import RunFolder, run_info

CACHE_SIZE = 100_000
FULL = 0.99  # entries that were served often are forgotten now and then, so some are always free
LIMIT_MB = 400
_IMPORTS = (
    "import zero.runs.run, zero.programs.island, zero.evolution.workers, zero.cli.main, "
    "zero.runs.archive, zero.programs.interpreter.cpu"
)


def memory_mb(process: int | str) -> dict[str, float]:
    """Returns a process's resident memory and its peak so far in MB; empty if it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines]
    names = {"VmRSS:": "mb", "VmHWM:": "peak_mb"}
    return {names[w[0]]: int(w[1]) / 1024 for w in words if w and w[0] in names}


def imports_mb() -> float:
    """Returns the resident memory of a process that has imported the engine and done nothing."""
    code = f"{_IMPORTS}; print(open('/proc/self/status').read())"
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = [line for line in text.stdout.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def worker_of(pid: int) -> int | None:
    """Returns the process id of a run's only worker, None before it starts and after it ends."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def cache_filled(folder: Path) -> float:
    """Returns how much of the cache is in use, by the newest checkpoint."""
    if not (folder / RunFolder.CONFIG).is_file():
        return 0.0
    state, _ = RunFolder.open(folder).checkpoints.load() or (None, [])
    if not state or not state["islands"]:
        return 0.0
    return float(np.mean(state["islands"][0]["arrays"]["fec.lines"][:, :4] != 0))


def sample(folder: Path, minutes: float, every: float) -> tuple[list[dict], float | None]:
    """Returns figures taken during a run, and after how many seconds the cache was full."""
    settings = [
        "islands.count=1", f"evaluation.cache.size={CACHE_SIZE}",
        "experiments={}", f"budget={{seconds: {60 * minutes}}}",
    ]  # fmt: skip
    command = [sys.executable, "-m", "zero", "run", "linear_demo", "--quiet", "--out", str(folder)]
    process = subprocess.Popen(
        [*command, *(f"--set={s}" for s in settings)], stdout=subprocess.DEVNULL
    )
    samples, full_after, began = [], None, None
    try:
        while process.poll() is None:
            worker = worker_of(process.pid)
            found = {"worker": memory_mb(worker or "none"), "parent": memory_mb(process.pid)}
            if all(found.values()):
                began = began or time.monotonic()
                seconds = time.monotonic() - began
                samples.append({"seconds": seconds, **found})
                if full_after is None and cache_filled(folder) >= FULL:
                    full_after = seconds
                shown = ", ".join(
                    f"{name} {figures['mb']:.1f} MB" for name, figures in found.items()
                )
                state = "filling" if full_after is None else "full"
                print(f"{seconds:7.0f} s: {shown}, cache {state}", flush=True)
            time.sleep(every if worker else 0.1)
    finally:
        if process.poll() is None:
            process.terminate()
        code = process.wait()
    assert code == 0, f"the run ended with exit code {code}"
    return samples, full_after


def slope(samples: list[dict], process: str) -> float | None:
    """Returns MB an hour: the slope of the straight line that fits best, None for a single sample."""
    if len(samples) < 2:
        return None
    seconds, mb = [s["seconds"] for s in samples], [s[process]["mb"] for s in samples]
    return 3600 * statistics.linear_regression(seconds, mb).slope


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between samples")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results/memory.json")
    options = parser.parse_args()
    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    machine = {k: v for k, v in run_info(0, []).items() if k in keys}
    with tempfile.TemporaryDirectory() as parent:
        samples, full_after = sample(Path(parent) / "run", options.minutes, options.every)
        filled = cache_filled(Path(parent) / "run")
        individuals = RunFolder.open(Path(parent) / "run").events()[-1]["individuals"]
    assert full_after is not None, f"the cache is only {filled:.0%} full; give more --minutes"
    after = [s for s in samples if s["seconds"] >= full_after]
    half = [s for s in after if s["seconds"] >= 30 * options.minutes]
    results = {
        "machine": machine,
        "dtype": load_config("linear_demo").dtype,
        "minutes": options.minutes,
        "individuals": individuals,
        "cache_entries": CACHE_SIZE,
        "cache_filled": filled,
        "cache_full_after_seconds": full_after,
        "imports_mb": imports_mb(),
        "limit_mb": LIMIT_MB,
        "within_limit": samples[-1]["worker"]["peak_mb"] <= LIMIT_MB,
    }
    for process in ("worker", "parent"):
        results[process] = {
            "peak_mb": samples[-1][process]["peak_mb"],
            "when_full_mb": after[0][process]["mb"],
            "last_mb": samples[-1][process]["mb"],
            "slope_mb_per_hour": slope(after, process),
            "slope_of_second_half_mb_per_hour": slope(half, process),
        }
    results["samples"] = [
        [round(s["seconds"]), round(s["worker"]["mb"], 1), round(s["parent"]["mb"], 1)]
        for s in samples[:: max(1, len(samples) // 60)]
    ]
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    print({k: v for k, v in results.items() if k not in ("machine", "samples")})


if __name__ == "__main__":
    main()

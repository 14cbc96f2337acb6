"""Loads mutations of every kind of file that zero reads; counts what is neither read nor refused.

    python benchmarks/hostile.py [--mutations N] [--only KIND,...] [--seed S] [--keep DIR] [--record]

Valid files are made by zero itself, small. Each is mutated (bits, chunks, numbers, words of its format,
its structure) and loaded in a forked child that has a bound of memory and of time. Allowed: it is loaded, or
a ZeroError with lines of bounded length. Everything else is counted: another exception, anything printed,
written, started or connected to, more memory than the bound, a hang, a crash. `--keep` keeps these files.
Exits with 1 where there are any. `--record` keeps what was counted of each kind, beside that of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULT = HERE / "results" / "hostile.json"


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mutations", type=int, default=10_000, metavar="N", help="of each kind")
    parser.add_argument("--only", metavar="KIND,...", help="these kinds alone")
    parser.add_argument(
        "--first", type=int, default=0, metavar="I", help="number of the first mutation"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where bad files are kept")
    parser.add_argument(
        "--record", action="store_true", help=f"write {RESULT.relative_to(HERE.parent)}"
    )
    options = parser.parse_args()
    from fuzz.kinds import KINDS, NOT_PROMISED
    from fuzz.workers import mutated, run

    names = options.only.split(",") if options.only else list(KINDS)
    kinds = {**KINDS, **NOT_PROMISED}
    unknown = [name for name in names if name not in kinds]
    if unknown:
        parser.error(f"unknown kind {unknown[0]} (known: {', '.join(kinds)})")
    found: list[int] = []
    root = Path(tempfile.mkdtemp(prefix="zero-hostile-"))
    os.environ.setdefault("ZERO_KEY", str(root / "key"))
    try:
        for name in names:
            started, before = time.monotonic(), _processor()
            outcome = run(
                kinds[name],
                root / name,
                max(1, options.mutations // kinds[name].share),
                options.seed,
                options.first,
            )
            bad, used = sum(outcome.counts.values()), _processor() - before
            print(
                f"{name:20} {outcome.total:6} mutations: {outcome.loaded:6} loaded, "
                f"{outcome.refused:6} refused, {bad:4} bad; at most {outcome.most_memory >> 20} MiB, "
                f"{outcome.longest:.1f} s; {time.monotonic() - started:.0f} s, "
                f"{used:.0f} s of the processor",
                flush=True,
            )
            for index, what, detail in outcome.faults[:12]:
                print(f"    {index}: {what}: {detail}", flush=True)
            if options.keep and outcome.faults:
                again = root / f"{name}-again"
                again.mkdir()
                seeds = kinds[name].prepare(again)
                for index, _, _ in outcome.faults:
                    file = options.keep / name / f"{index}-{Path(kinds[name].file).name}"
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(mutated(kinds[name], seeds, options.seed, index))
            found.append(bad)
            if options.record:
                _record(outcome, bad, options.seed, used)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if any(found) else 0


def _record(outcome: Any, bad: int, seed: int, used: float) -> None:
    """Writes what was counted of a kind beside what is known of the others."""
    from fuzz.workers import MEMORY, SECONDS

    from zero.runs.folder import run_info

    known = json.loads(RESULT.read_text()) if RESULT.exists() else {"kinds": {}}
    keys = ("commit", "cpu", "platform", "versions")
    known |= {k: v for k, v in run_info(0, []).items() if k in keys}
    known |= {"memory_bound": MEMORY, "seconds_bound": SECONDS}
    known["kinds"][outcome.name] = {
        "mutations": outcome.total, "seed": seed, "loaded": outcome.loaded, "refused": outcome.refused,
        "bad": bad, "counts": dict(outcome.counts), "most_memory": outcome.most_memory,
        "longest": outcome.longest, "processor_seconds": round(used),
    }  # fmt: skip
    RESULT.write_text(json.dumps(known, indent=2) + "\n")


def _processor() -> float:
    """Returns the seconds of the processor that this process and its children have taken."""
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(x.ru_utime + x.ru_stime for x in both)


if __name__ == "__main__":
    sys.exit(main())

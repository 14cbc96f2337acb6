"""Several tasks side by side, each in a forked process, and what they counted."""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from durable.counts import Counts

SHOW = 20.0  # seconds between lines


def each(name: str, tasks: Iterable[Callable[[], Counts]], jobs: int) -> Counts:
    """Returns what all tasks counted together; `jobs` of them run side by side.

    name: of what they do, for lines that tell how far it is.
    """
    waiting, running = list(tasks), {}  # process -> where its counts go
    total, counts, began, shown = len(waiting), Counts(), time.monotonic(), time.monotonic()
    waiting.reverse()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                task, result = waiting.pop(), tempfile.TemporaryFile()
                running[_forked(task, result)] = result
            pid, status = os.waitpid(-1, 0)
            if pid not in running:
                continue
            result = running.pop(pid)
            assert status == 0, f"{name}: a task of the benchmark failed"
            result.seek(0)
            found = pickle.load(result)
            counts.add(found)
            for example in found.examples:
                print(f"  {example}", flush=True)
            if time.monotonic() - shown > SHOW or not (waiting or running):
                shown = time.monotonic()
                done = total - len(waiting) - len(running)
                print(
                    f"{name}: {done} of {total} tasks, {shown - began:.0f} s, faults: {counts.total}",
                    flush=True,
                )
    finally:
        for pid in running:
            os.kill(pid, 15)
    return counts


def _forked(task: Callable[[], Counts], result: Any) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        pickle.dump(task(), result)
        result.flush()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)

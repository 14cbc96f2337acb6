"""Loads mutated files in a forked child that is killed where it hangs, and says what became of each."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import re
import resource
import select
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from fuzz.mutate import Mutation, mutate

MEMORY = 1 << 30  # bytes that loading one file may take more than the process has
SECONDS = 10.0  # that loading one file may take
PATIENCE = 12  # times as long may a child wait for something other than the processor
MOST_LINES = 60  # of a message: one for each mistake of a config

# What loading never does, as Python's audit hooks tell it.
_NEVER = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.symlink",
    "os.truncate",
    "subprocess.Popen",
    "socket.connect",
    "socket.bind",
    "shutil.rmtree",
    "ctypes.dlopen",
    "urllib.Request",
    "pickle.find_class",
    "os.putenv",
)


@dataclass(frozen=True)
class Kind:
    """A kind of file that zero reads.

    prepare: makes what else there must be in a folder, and returns valid files. file: the name in that
    folder under which a mutated one is put. load: reads it as zero does; raises a ZeroError for bad ones.
    tokens: words of the format. shapes: mutations that know the format. allowed: audit events that loading
    may cause. clean: takes out of a mutated file what is not to be tried. share: among so many
    kinds the mutations of one are shared.
    """

    name: str
    prepare: Callable[[Path], list[bytes]]
    file: str
    load: Callable[[Path], Any]
    tokens: Sequence[bytes] = ()
    shapes: Sequence[Mutation] = ()
    allowed: tuple[str, ...] = ()
    clean: Callable[[bytes], bytes] = bytes
    share: int = 1


@dataclass
class Outcome:
    """What became of a kind's mutations. faults: (index, what, detail), the first hundred."""

    name: str
    total: int = 0
    loaded: int = 0
    refused: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    most_memory: int = 0
    longest: float = 0.0

    def fault(self, index: int, what: str, detail: str) -> None:
        """Counts a fault."""
        self.counts[what] += 1
        if len(self.faults) < 100:
            self.faults.append((index, what, detail))


def mutated(kind: Kind, seeds: Sequence[bytes], seed: int, index: int) -> bytes:
    """Returns the mutation of that number; the first ones are the valid files themselves."""
    if index < len(seeds):
        return seeds[index]
    rng = Random(f"{seed}/{kind.name}/{index}")
    data = rng.choice(list(seeds))
    if kind.shapes and rng.random() < 0.6:
        with contextlib.suppress(Exception):  # a mutation that does not fit this file
            data = rng.choice(list(kind.shapes))(data, rng)
            if rng.random() < 0.75:
                return data
    return mutate(data, rng, kind.tokens, seeds)


def run(kind: Kind, folder: Path, mutations: int, seed: int, first: int = 0) -> Outcome:
    """Returns what becomes of a kind's mutations, loaded one after another in a child."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = kind.prepare(folder)
    outcome = Outcome(kind.name)
    index, last = first, first + mutations
    while index < last:
        index = _in_child(kind, seeds, folder, index, last, seed, outcome)
    return outcome


def _in_child(
    kind: Kind,
    seeds: Sequence[bytes],
    folder: Path,
    index: int,
    last: int,
    seed: int,
    outcome: Outcome,
) -> int:
    """Loads mutations until all are done or the child is gone; returns the next index."""
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            _child(kind, seeds, folder, range(index, last), seed, writing)
        finally:
            os._exit(0)
    os.close(writing)
    buffer, used, waited = b"", 0.0, 0
    try:
        while index < last:
            ready, _, _ = select.select([reading], [], [], SECONDS)
            waited = 0 if ready else waited + 1
            # On a busy machine a child may have had no processor to hang on.
            if not ready and _processor_of(child) - used < 0.8 * SECONDS and waited < PATIENCE:
                continue
            if not ready:
                os.kill(child, signal.SIGKILL)
                outcome.total += 1
                outcome.fault(index, "hang", f"more than {SECONDS:g} s: {_where(folder)}")
                return index + 1
            piece = os.read(reading, 1 << 16)
            if not piece:
                break
            buffer, used = buffer + piece, _processor_of(child)
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                _note(outcome, index, line.decode(errors="replace"))
                index += 1
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    if index < last:
        outcome.total += 1
        outcome.fault(index, "dies", f"its process ended with {os.waitstatus_to_exitcode(status)}")
        index += 1
    return index


def _processor_of(child: int) -> float:
    """Returns the seconds of the processor that a child has had."""
    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _note(outcome: Outcome, index: int, line: str) -> None:
    what, memory, seconds, detail = line.split("\t", 3)
    outcome.total += 1
    outcome.most_memory = max(outcome.most_memory, int(memory))
    outcome.longest = max(outcome.longest, float(seconds))
    if what == "loaded":
        outcome.loaded += 1
    elif what == "refused":
        outcome.refused += 1
    else:
        outcome.fault(index, what, detail)


def _child(
    kind: Kind, seeds: Sequence[bytes], folder: Path, indices: range, seed: int, pipe: int
) -> None:
    import time

    from zero.errors import ZeroError

    gc.freeze()  # what the parent has dropped is its own to clean up, and no deed of a reader
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    faulthandler.disable()  # a test's: that it died is told
    empty = folder.with_name(f"{folder.name}-cwd")
    empty.mkdir(exist_ok=True)
    os.chdir(empty)
    printed = os.open(
        folder.with_name(f"{folder.name}-printed"), os.O_RDWR | os.O_CREAT | os.O_TRUNC
    )
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
    warnings.simplefilter("always")
    watching, seen = [False], []

    def audit(event: str, values: tuple[Any, ...]) -> None:
        if not watching[0]:
            return
        writes = (
            event == "open" and isinstance(values[1], str) and any(c in values[1] for c in "wax+")
        )
        writes |= (
            event == "open"
            and isinstance(values[2], int)
            and bool(values[2] & (os.O_WRONLY | os.O_RDWR))
        )
        if (writes and values[0] != os.devnull) or (event in _NEVER and event not in kind.allowed):
            seen.append(f"{event} {values!r}"[:200])

    sys.addaudithook(audit)
    hanging = open(_trace_file(folder), "w")
    file = folder / kind.file
    for valid in seeds:  # what is imported, compiled or allocated once
        file.write_bytes(valid)
        with contextlib.suppress(ZeroError):
            kind.load(folder)
    base = _size("VmSize")
    limits = resource.getrlimit(resource.RLIMIT_AS)
    files = _files(folder)
    for index in indices:
        faulthandler.dump_traceback_later(SECONDS * 0.8, file=hanging)
        data = kind.clean(mutated(kind, seeds, seed, index))
        file.write_bytes(data)
        os.ftruncate(printed, 0)
        os.lseek(printed, 0, os.SEEK_SET)
        seen.clear()
        before = _reset_peak()
        began = time.monotonic()
        resource.setrlimit(resource.RLIMIT_AS, (base + MEMORY, limits[1]))
        watching[0] = True
        try:
            kind.load(folder)
            what, detail = "loaded", ""
        except ZeroError as error:
            what, detail = _message(error)
        except MemoryError as error:
            what, detail = "memory", _raised(error)
        except BaseException as error:
            what, detail = "raises", _raised(error)
        finally:
            watching[0] = False
            faulthandler.cancel_dump_traceback_later()
        took = time.monotonic() - began
        resource.setrlimit(resource.RLIMIT_AS, limits)
        sys.stdout.flush()
        sys.stderr.flush()
        memory = max(0, _size("VmHWM") - before)
        if index < len(seeds) and what not in ("loaded", "raises"):
            what, detail = "valid is refused", detail
        elif seen:
            what, detail = "does", seen[0]
        elif os.fstat(printed).st_size:
            what = "prints"
            detail = os.pread(printed, 300, 0).decode(errors="replace")
        elif _files(folder) != files or os.listdir(empty):
            what, detail = "writes", str(set(_files(folder)) ^ set(files) or os.listdir(empty))
        elif memory > MEMORY:
            what, detail = "memory", f"{memory >> 20} MiB"
        line = f"{what}\t{memory}\t{took:.3f}\t{' '.join(detail.split())[:400]}\n"
        os.write(pipe, line.encode(errors="replace"))


def _message(error: BaseException) -> tuple[str, str]:
    """Returns "refused", or what is wrong with what the command line would print."""
    from zero.cli.common import _lines_of
    from zero.errors import LONGEST_LINE

    lines = _lines_of(error)
    if len(lines) > MOST_LINES:
        return "many lines", f"{len(lines)} lines: {lines[0]}"
    for line in lines:
        if len(line) > LONGEST_LINE:
            return "long line", f"{len(line)} characters: {line[:200]} ... {line[-100:]}"
        if not line.isprintable():
            return "unprintable", ascii(line[:300])
    if "Traceback" in "".join(lines):
        return "trace", lines[0]
    return "refused", lines[0]


def _raised(error: BaseException) -> str:
    """Returns what was raised, and where."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(f.filename).name}:{f.lineno}" for f in frames[-5:]]
    return f"{type(error).__name__}: {str(error)[:150]} at {' < '.join(reversed(places))}"


def _trace_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-trace")


def _where(folder: Path) -> str:
    """Returns where a child hangs, as it wrote a little earlier."""
    lines = _trace_file(folder).read_text(errors="replace").splitlines()
    found = [
        f"{Path(a).name}:{b}"
        for a, b in re.findall(r'File "([^"]+)", line (\d+)', "\n".join(lines))
    ]
    return " < ".join(found[:12])


def _files(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def _size(name: str) -> int:
    """Returns a size of this process in bytes, as the kernel tells it."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1]) << 10
    return 0


def _reset_peak() -> int:
    """Sets the peak of this process's memory to what it has now; returns that."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return _size("VmHWM")

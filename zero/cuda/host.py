"""The GPU's code on the CPU: the same text compiled by g++, one unit at a time, for tests.

Looks like `zero.cuda.device` to the modules above. Lanes are fibers that run in a random order between
two synchronisations, so missing ones show. Slow, unless a block has one lane only.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import subprocess
import tempfile
import threading
import time
from functools import cache
from pathlib import Path

import numpy as np

from zero.cuda.kernel_source import KernelSource
from zero.errors import DeviceError
from zero.jit.cache import cache_folder, write_whole

_OPTIONS = (
    "-O2",
    "-std=c++17",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-fPIC",
    "-shared",
    "-w",
)


class Buffer:
    """A copy of an array, at `address`."""

    def __init__(self, array: np.ndarray):
        self.array = np.ascontiguousarray(array)
        self.address, self.nbytes = self.array.ctypes.data, self.array.nbytes

    def write(self, array: np.ndarray) -> None:
        """Overwrites the beginning."""
        self.array.reshape(-1)[: array.size] = array.reshape(-1)

    def read(self) -> np.ndarray:
        """Returns a copy."""
        return self.array.copy()


class Event:
    """A point in a stream that has passed."""

    def __init__(self):
        self.at = time.perf_counter()

    def wait(self) -> None:
        """Does nothing."""

    def seconds_since(self, earlier: Event) -> float:
        """Returns the time between two events."""
        return self.at - earlier.at


class Stream(contextlib.nullcontext):
    """A stream in which everything is done at once."""

    def synchronize(self) -> None:
        """Does nothing."""

    def event(self) -> Event:
        """Returns an event that has passed."""
        return Event()


class Kernel:
    """The compiled text of a kernel."""

    def __init__(self, library: ctypes.CDLL, seed: int):
        self._evaluate, self._seed = library.evaluate, seed
        self._evaluate.argtypes = [ctypes.c_void_p, ctypes.c_uint]

    def units(self, unit_bytes: int) -> int:
        """Returns how many units run side by side: one."""
        return 1

    def launch(self, job: np.ndarray, units: int, unit_bytes: int) -> None:
        """Runs a job to its end."""
        # Fibers live in variables of the library: one job at a time.
        with _one_at_a_time():
            failed = self._evaluate(job.ctypes.data, self._seed)
        assert failed != 1, "the lanes of a unit did not all synchronise equally often"
        assert failed != 2, "a unit wrote outside its shared memory"


class HostMachine:
    """Stands in for a GPU. seed: of the order in which lanes run."""

    name = "host"
    shared_bytes = 227 * 1024

    def __init__(self, seed: int = 0):
        self.seed = seed
        self._lock = threading.Lock()
        self._kernels: dict[KernelSource, Kernel] = {}

    def kernel(self, source: KernelSource) -> Kernel:
        """Returns the kernel of a text, compiled or from the cache."""
        with self._lock:
            if source not in self._kernels:
                self._kernels[source] = Kernel(_library(source.text), self.seed)
            return self._kernels[source]

    def buffer(self, array: np.ndarray) -> Buffer:
        """Returns a buffer with a copy of the array."""
        return Buffer(np.array(array))

    def empty(self, shape, dtype) -> Buffer:
        """Returns a buffer of that shape; its content is arbitrary."""
        return Buffer(np.zeros(shape, dtype))

    def stream(self) -> Stream:
        """Returns a new stream."""
        return Stream()


def compile_library(text: str, path: Path, options: tuple[str, ...] = _OPTIONS) -> None:
    """Compiles the text to a shared library.

    Raises:
        DeviceError: there is no g++, or it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        source_file, made = Path(folder) / "unit.cpp", Path(folder) / "unit.so"
        source_file.write_text(text)
        try:
            done = subprocess.run(
                ["g++", *options, "-o", made, source_file], capture_output=True, text=True
            )
        except FileNotFoundError as error:
            raise DeviceError("there is no g++ to build the GPU's code for the CPU with") from error
        if done.returncode:
            raise DeviceError(f"g++ failed:\n{done.stderr[:4000]}")
        write_whole(path, made.read_bytes())


@cache
def _library(text: str) -> ctypes.CDLL:
    digest = hashlib.sha256((text + repr(_OPTIONS)).encode()).hexdigest()[:20]
    path = cache_folder() / f"zero_host_{digest}.so"
    if not path.exists():
        compile_library(text, path)
    return ctypes.CDLL(os.fspath(path))


@cache
def _one_at_a_time():
    return threading.Lock()

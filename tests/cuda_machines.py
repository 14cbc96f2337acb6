"""What tests of backend cuda share: the machines they run on, and programs for them.

`MACHINES` parametrizes a test over the host machine, which runs the GPU's code on the CPU, and a GPU;
without one that half is skipped and says why. A process that has used the GPU can no longer fork
workers that use it: such tests start a process of their own.
"""

from functools import cache

import numpy as np
import pytest

from zero import cuda
from zero.cuda.host import HostMachine
from zero.errors import DeviceError
from zero.evolution.forks import in_child
from zero.programs import library
from zero.programs.parts import part_of
from zero.programs.program import Memory, Program

WIDE = Memory(8, 14, 3)  # room for every shipped program


@cache
def missing():
    """Why there is no GPU, or None."""
    try:
        in_child(lambda: cuda.open_machine().name)
    except DeviceError as error:
        return str(error)
    return None


@cache
def gpu():
    """The GPU."""
    return cuda.open_machine()


MACHINES = [
    pytest.param(HostMachine, id="host"),
    pytest.param(
        gpu,
        id="gpu",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(missing() is not None, reason=f"no CUDA device: {missing()}"),
        ],
    ),
]


def grown(rng, number, grow):
    """Random programs, and shipped ones with random instructions put in by `helpers.grown_program`."""
    names = [name for name in library.names() if part_of(name) == "predictor"]
    for k in range(number):
        base = Program() if k % 4 == 0 else library.program(names[k % len(names)])
        yield grow(rng, base, WIDE, int(rng.integers(1, 9)))


def agree(got, wanted, moved, tolerance, dtype):
    """Where numbers are stable: `moved`, from slightly wrong arithmetic, is close to `wanted`.

    Returns (whether got agrees with wanted at each stable place, which places are stable).
    """
    a, b, c = (np.asarray(x, np.float64) for x in (got, wanted, moved))
    with np.errstate(all="ignore"):
        stable = (b == c) | (np.abs(b - c) <= tolerance * np.abs(b)) | (np.isnan(b) & np.isnan(c))
        # Next to the smallest normal number relative accuracy ends.
        small = np.finfo(dtype).tiny / tolerance
        close = np.abs(a - b) <= 10 * tolerance * np.abs(b) + small
        same = (a == b) | (np.isnan(a) & np.isnan(b)) | close
    return same | ~stable, stable

"""Stages of compiling: told once each, in order, also by another process; their names are true."""

import os

import numba
import pytest

from zero.evolution import loop, population
from zero.jit import compiling
from zero.jit.compiling import (
    CELL_STAGES,
    PROGRAM_STAGES,
    receive,
    send_to,
    telling,
)
from zero.nn.cpu import kernels, runner
from zero.programs import mutations
from zero.programs.interpreter import module


def pair():
    """Two functions that are not compiled yet, named as those that stages begin with."""

    @numba.njit
    def measure(x):
        return x + 1

    @numba.njit
    def decode(x):
        return measure(x)

    return decode, measure


def test_stages_are_told_when_they_are_compiled_and_only_then():
    decode, measure = pair()
    told = []
    with telling(lambda *stage: told.append(stage)):
        decode(1)
        decode(2)
        measure(1.5)  # compiled once more, for other types: no new stage
    total = len(PROGRAM_STAGES)
    assert told == [(5, total, "simplification"), (6, total, "training and validation")]
    decode(1.5)
    assert len(told) == 2  # nobody listens any more


def test_earlier_stages_are_not_told_again():
    told = []
    with telling(lambda *stage: told.append(stage[0])):
        for name in ("handlers", "breed", "handlers", "no stage", "measure"):
            compiling.begin(name)
    assert told == [1, 4, 6]


def test_another_process_tells_through_a_pipe():
    decode, _ = pair()
    reading, writing = os.pipe()
    told = []
    with telling(lambda *stage: told.append(stage)):
        child = os.fork()
        if not child:
            try:
                send_to(writing)
                decode(1)
            finally:
                os._exit(0)
        os.close(writing)
        assert os.waitpid(child, 0)[1] == 0
        receive(os.read(reading, 1000))
    os.close(reading)
    assert [stage[2] for stage in told] == ["simplification", "training and validation"]


@pytest.mark.parametrize("name", [name for name in PROGRAM_STAGES if name != "handlers"])
def test_stages_of_programs_begin_with_functions_that_there_are(name):
    text = module.text_of("float64", 4, "regularized_evolution")
    mutation = isinstance(vars(mutations).get(name), numba.core.dispatcher.Dispatcher)
    assert f"\ndef {name}(" in text or mutation or hasattr(loop, name)


def test_stages_of_programs_are_no_functions_that_cells_use():
    used = {name for module in (population, kernels, runner) for name in vars(module)}
    assert used & set(PROGRAM_STAGES) == set() and len(PROGRAM_STAGES) != len(CELL_STAGES)


def test_stages_of_cells_begin_with_functions_that_there_are():
    texts = [open(module.__file__).read() for module in (kernels, runner)]
    assert [name for name in CELL_STAGES if not any(f"def {name}(" in text for text in texts)] == []

"""The host machine finds what a GPU would get wrong: missing synchronisation, writing out of bounds."""

import re

import numpy as np
import pytest
from helpers import copy_of, flat, random_banks, small_tasks

from zero.cuda.host import HostMachine
from zero.programs import library
from zero.programs.cuda import source
from zero.programs.cuda.encode import encode_program
from zero.programs.cuda.evaluate import CudaEvaluator, run_on_machine
from zero.programs.cuda.layout import UnitLayout
from zero.programs.interpreter import reference
from zero.programs.interpreter.reference import Draws
from zero.programs.ops import OPS
from zero.programs.program import Instruction

LAYOUT = UnitLayout("float64", 8, 4)
SEEDS = range(4)

# Each instruction reads what other lanes wrote just before, and overwrites what they may still read.
USES = {
    "outer": ["VECTOR_SUM 1 2 1", "VECTOR_OUTER_PRODUCT 1 1 0", "VECTOR_DIFF 1 0 1"],
    "matvec": ["VECTOR_SUM 1 2 1", "MATRIX_VECTOR_PRODUCT 0 1 1", "VECTOR_DIFF 1 0 1"],
    "matmul": ["MATRIX_SUM 0 1 0", "MATRIX_MATRIX_PRODUCT 1 0 0", "MATRIX_ABS 0 0 0"],
    "transpose": ["MATRIX_SUM 0 1 0", "MATRIX_TRANSPOSE 0 0 0", "MATRIX_ABS 0 0 0"],
    "fill_rows": ["VECTOR_SUM 1 2 1", "VECTOR_ROW_BROADCAST 1 0 0", "VECTOR_DIFF 1 0 1"],
}


def instructions(name):
    for line in USES[name]:
        op, a, b, out = line.split()
        b = b if len(OPS[op].inputs) > 1 else 0
        yield Instruction(op, int(a), int(b), int(out), ())


def disagreements(name):
    """How many orders of the lanes give something else than the reference."""
    program = tuple(instructions(name)) * 2
    found = 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        wanted = [random_banks(rng, LAYOUT.features, special=False) for _ in range(LAYOUT.tasks)]
        got = [copy_of(bank) for bank in wanted]
        run_on_machine(program, got, HostMachine(seed), "float64", strict=True, layout=LAYOUT)
        for bank in wanted:
            for instruction in program:
                reference.execute(instruction, bank, Draws())
        pairs = zip(map(flat, got), map(flat, wanted), strict=True)
        found += not all(np.allclose(a, b, rtol=1e-9, equal_nan=True) for a, b in pairs)
    return found


@pytest.mark.parametrize("name", USES)
def test_missing_synchronisation_is_found(name, monkeypatch):
    assert disagreements(name) == 0
    whole = source.render

    def without(layout, *how):
        text = whole(layout, *how)
        start = re.search(rf"^(template <.*> )?DEVICE void {name}\(", text, re.M).start()
        end = text.index("\n}\n", start)
        body = text[start:end]
        if name in ("matmul", "transpose"):  # they wait once more in what they call
            other = text.index("DEVICE void take_temporary(")
            text = text[:other] + text[other:].replace("sync();", ";", 1)
        assert "sync();" in body
        return text.replace(body, body.replace("sync();", ";"))

    monkeypatch.setattr(source, "render", without)
    assert disagreements(name) > 0


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("if (u.lane) sync();", "equally often"),
        ("u.memory[-200] = 1;", "outside"),  # before the unit's room
    ],
)
def test_faults_of_an_op_are_found(statement, found, monkeypatch):
    whole = source.render
    head = "DEVICE void scaled_add(const Unit &u, const Row &r) {"
    assert head in whole(LAYOUT)
    with_fault = lambda *a: whole(*a).replace(head, f"{head} {statement}")  # noqa: E731
    monkeypatch.setattr(source, "render", with_fault)
    with pytest.raises(AssertionError, match=found):
        run_scaled_add()


def run_scaled_add():
    """Trains a program in which a product is added to a sum in place."""
    machine = HostMachine()
    evaluator = CudaEvaluator(small_tasks(2, 3, 2, 8), machine, "float64", key=1, layout=LAYOUT)
    rows, spans = encode_program(library.program("linear"), LAYOUT)
    assert source.row_numbers()["SCALED_ADD"] in rows[:, 0]
    evaluator.start(rows, spans, machine.stream()).result()

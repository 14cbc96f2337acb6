"""What several test files need: random programs and memories, small tasks, both interpreters.

Compiling takes seconds a variant, so all tests share these: `MODULES`.
"""

from functools import lru_cache
from unittest import mock

import numpy as np

from zero.programs.interpreter import cpu, reference
from zero.programs.interpreter.reference import Banks, Draws
from zero.programs.island import new_space
from zero.programs.ops import OPS, get_op
from zero.programs.program import (
    Instruction,
    Memory,
    Program,
    parse_program,
)
from zero.tasks import TaskSet, make_task_set
from zero.tasks.linear_regression import LinearRegression

MODULES = [
    ("float64", 1), ("float64", 4), ("float64", 16), ("float32", 16), ("float64", 10), ("float32", 10),
]  # fmt: skip
MEMORY = Memory(6, 5, 3)
SPECIAL = [
    0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 5e-324, -1e-310, 1e-40, 1e200, -1e200, 1e-200,
    3e38, -7e-39, 710.0, -745.2, 88.8, 1e5,
]  # fmt: skip
ROOM = 24  # instructions that fit a `Machine`


def parse(*lines, **functions):
    """Returns a program from lines of text, or from Setup=, Predict= and Learn= (`;` between)."""
    text = "\n".join(lines)
    for name, body in functions.items():
        text += f"\ndef {name}():\n" + body.replace(";", "\n")
    return parse_program(text)


def random_instruction(rng, memory, ops, stream=0):
    """Returns a random instruction; not made by the code under test."""
    op = get_op(ops[rng.integers(len(ops))])
    addresses = [int(rng.integers(memory.of(kind))) for kind in op.inputs] + [0, 0]
    out = 0
    if op.output:
        lowest = 0 if op.output == "m" else 1
        out = int(rng.integers(lowest, memory.of(op.output)))
    constants = []
    for constant in op.constants:
        value = rng.uniform(constant.low, constant.high)
        constants.append(float(np.float32(value)) if constant.single else float(value))
    # An index fraction that rounds to 1 is none.
    constants = [
        min(c, 0.999) if k.alter == "redraw" else c
        for c, k in zip(constants, op.constants, strict=True)
    ]
    streams = stream if op.random else 0
    return Instruction(op.name, addresses[0], addresses[1], out, tuple(constants), streams)


def random_program(rng, memory=MEMORY, sizes=(4, 6, 6), ops=None):
    """Returns a random program; instruction k of a function draws stream k."""
    ops = ops or list(OPS)
    return Program(
        *(
            tuple(random_instruction(rng, memory, ops, k) for k in range(rng.integers(size + 1)))
            for size in sizes
        )
    )


def grown_program(rng, base, memory, extra, ops=None):
    """Returns a program with random instructions inserted at random places."""
    functions = [list(f) for f in base.functions]
    for k in range(extra):
        body = functions[rng.integers(3)]
        new = random_instruction(rng, memory, ops or list(OPS), 100 + k)
        body.insert(int(rng.integers(len(body) + 1)), new)
    return Program(*map(tuple, functions))


def random_banks(rng, features, dtype="float64", memory=MEMORY, special=0.3):
    """Returns a memory of ordinary numbers, a share of them zeros, NaN, denormals and the like."""
    banks = Banks(memory, features, dtype)
    for bank in (banks.s, banks.v, banks.m):
        values = rng.normal(size=bank.shape) * 10.0 ** rng.integers(-3, 4, bank.shape)
        odd = rng.choice(SPECIAL, bank.shape)
        with np.errstate(all="ignore"):
            bank[...] = np.where(rng.random(bank.shape) < special, odd, values)
    return banks


def copy_of(banks):
    """Returns a copy of a memory."""
    memory = Memory(len(banks.s), len(banks.v), len(banks.m))
    other = Banks(memory, banks.v.shape[1], banks.s.dtype)
    other.s[...], other.v[...], other.m[...] = banks.s, banks.v, banks.m
    return other


def flat(banks):
    """Returns a memory as one row."""
    return np.concatenate([banks.s.ravel(), banks.v.ravel(), banks.m.ravel()])


class Machine:
    """The compiled interpreter with a memory of its own in each lane."""

    def __init__(self, dtype, lanes, features, memory=MEMORY, key=0):
        # Ten tasks lie closely in sixteen lanes, in one block; else there are two blocks.
        close = lanes == 10
        self.module, self.lanes = cpu.build(dtype, cpu.lanes_for(lanes)), lanes
        self.genomes, self.starts = cpu.genome_of(Program(), (ROOM, 0, 0))
        number = lanes if close else 2 * lanes
        tasks = small_tasks(tasks=number, features=features, train=1, valid=1)
        self.keys = tasks.keys
        self.arrays = cpu.new_evaluator(
            tasks, memory, self.starts, module=self.module, key=key, seen_size=1
        )
        self.handle = self.module.pack(self.arrays)
        self.banks = cpu.banks_of(self.arrays)

    def run(self, instructions, all_banks, function=0, example=0):
        """Executes instructions on `lanes` memories in place; checks that no more is written."""
        program = Program(setup=tuple(instructions))
        cpu.write_program(self.genomes, 0, self.starts, program)
        settings = self.arrays.settings
        self.arrays.mem[settings.memory_size :] = 12345.0  # the second block: must stay
        for lane, banks in enumerate(all_banks):
            for here, bank in zip(self.banks, (banks.s, banks.v, banks.m), strict=True):
                here[..., lane] = bank
        self.module.run_instructions(
            self.module.pack(self.genomes), 0, self.handle, example, function
        )
        assert (self.arrays.mem[settings.memory_size :] == 12345.0).all()
        for lane, banks in enumerate(all_banks):
            for here, bank in zip(self.banks, (banks.s, banks.v, banks.m), strict=True):
                bank[...] = here[..., lane]


@lru_cache
def machine(dtype, lanes, features):
    """Returns a `Machine` with `MEMORY`, made once."""
    return Machine(dtype, lanes, features)


def run_reference(instructions, banks, draws=None):
    """Executes instructions with the reference interpreter, in place."""
    for instruction in instructions:
        reference.execute(instruction, banks, draws or Draws())


def small_tasks(
    tasks=1, train=8, valid=4, features=4, metric="rms_error", epochs=1, seed=0, scale=1.0
):
    """Returns linear tasks without noise, the label of every fourth example negated.

    metric "classes": with vector labels of three classes, or of as many as there are features.
    """
    rng = np.random.default_rng([seed, features])
    classes = min(3, features) if metric == "classes" else 0
    weights = rng.normal(size=(tasks, features)) * scale
    of_class = np.random.default_rng(seed).normal(size=(tasks, features, classes))
    parts = {}
    for split, n in (("train", train), ("valid", valid)):
        x = rng.normal(size=(tasks, n, features))
        y = np.einsum("tnf,tf->tn", x, weights)
        y[:, ::4] *= -1.0
        parts[f"{split}_x"] = x
        parts[f"{split}_y"] = (y > 0) * 1.0 if metric == "accuracy" else y
        if classes:
            parts[f"{split}_y"] = (x @ of_class).argmax(axis=2).astype(np.float64)
    names = tuple(f"task {k}" for k in range(tasks))
    keys = rng.integers(2**32, size=tasks, dtype=np.uint32)
    metric = "accuracy" if classes else metric
    return TaskSet(names, keys, metric=metric, epochs=epochs, classes=classes, **parts)


def linear_tasks(count, purpose="select"):
    """Returns linear tasks that a linear program learns well, those of purposes apart."""
    family = LinearRegression(features=4, train=100, valid=20, count=count)
    return make_task_set(family, purpose)


def sine_tasks(train=40, valid=20, metric="rms_error"):
    """Returns the fixture "SINE" of the spec's Appendix B.2, which has no random numbers."""
    k = np.arange(train + valid)[:, None]
    i = np.arange(4)[None, :]
    x = np.sin(0.37 * (k + 1) * (i + 1) + 0.11 * i)
    y = x @ np.array([0.5, -1.5, 0.25, 2.0])
    if metric == "accuracy":
        y = (y > 0) * 1.0
    x, y = x[None], y[None]
    return TaskSet(
        ("sine",), np.zeros(1, np.uint32), x[:, :train], y[:, :train], x[:, train:], y[:, train:],
        metric,
    )  # fmt: skip


def noisy(noise, seed):
    """Patches the reference interpreter: every result is off by up to that relative error.

    Where that changes an outcome much, rounding may too, and interpreters need not agree.
    """
    rng = np.random.default_rng(seed)
    exact = reference.execute

    def execute(instruction, banks, draws):
        exact(instruction, banks, draws)
        output = get_op(instruction.op).output
        if output:
            bank = banks.bank(output)
            shape = np.shape(bank[instruction.out])
            with np.errstate(all="ignore"):
                bank[instruction.out] *= 1 + noise * rng.uniform(-1, 1, shape)

    return mock.patch.object(reference, "execute", execute)


def space_for(
    ops, sizes, mutations=None, memory=MEMORY, probability=1.0, initial=None, initial_random=False
):
    """Returns (Space, starts): ops are three lists of names, sizes three (smallest, largest)."""
    initial = initial or Program()
    return new_space(
        memory,
        tuple([get_op(name).number for name in names] for names in ops),
        [(len(f), *size) for f, size in zip(initial.functions, sizes, strict=True)],
        mutations or {"identity": 1.0},
        probability,
        initial,
        initial_random,
    )


@lru_cache
def search_driver(dtype="float64", lanes=4):
    """Returns the search's `evaluate` (caches, hurdle and budget included) over rows of genomes."""
    import numba

    evaluate = cpu.build(dtype, lanes).evaluate

    @numba.njit(error_model="numpy")
    def drive(genomes, rows, evaluator, fitness, steps):
        for k in range(len(rows)):
            fitness[k], steps[k] = evaluate(genomes, rows[k], evaluator)

    return drive


class SearchEvaluator:
    """The search's own evaluator on a task set, one program after the other."""

    def __init__(self, tasks, widths=(16, 16, 16), memory=MEMORY, dtype="float64", lanes=4, **more):
        self.module = cpu.build(dtype, lanes)
        self.drive = search_driver(dtype, lanes)
        self.genomes, self.starts = cpu.genome_of(Program(), widths)
        arguments = {"key": 3, "seen_size": 4096} | more
        self.arrays = cpu.new_evaluator(tasks, memory, self.starts, module=self.module, **arguments)
        self.handle = self.module.pack(self.arrays)

    def __call__(self, program):
        """Returns (fitness, train steps taken)."""
        cpu.write_program(self.genomes, 0, self.starts, program)
        fitness, steps = np.zeros(1), np.zeros(1, np.int64)
        self.drive(
            self.module.pack(self.genomes), np.zeros(1, np.int64), self.handle, fitness, steps
        )
        return float(fitness[0]), int(steps[0])

    def count(self, which):
        """Returns one of the counters in `zero.programs.interpreter.arrays`."""
        return int(self.arrays.counters[which])


def check_errors(program, memory, tasks, task, train, valid):
    """Asserts that errors on a task, (n,) each, are the reference's, where those do not move.

    Returns the reference's trace, None where it moves when its own arithmetic is perturbed.
    """
    arguments = (program, memory, tasks, task)
    wanted = reference.run(*arguments, seed_key=5, max_abs_error=6.0)
    with noisy(1e-13, task):
        moved = reference.run(*arguments, seed_key=5, max_abs_error=6.0)
    n = len(wanted.train_errors)
    if len(moved.train_errors) != n or not np.allclose(
        moved.train_errors, wanted.train_errors, 1e-8, 1e-8
    ):
        return None
    np.testing.assert_allclose(train[:n], wanted.train_errors, 1e-7, 1e-7)
    if n == len(train) and np.allclose(moved.fitness, wanted.fitness, 1e-8, 1e-8):
        v = len(wanted.valid_errors)
        np.testing.assert_allclose(valid[:v], wanted.valid_errors, 1e-6, 1e-6)
    return wanted

"""Removing instructions without effect: exact, complete, and blind to names of addresses."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import MEMORY, grown_program, parse, random_program, small_tasks

from zero.programs.evaluator import Evaluator
from zero.programs.interpreter import reference
from zero.programs.library import OF_CLASSES, names
from zero.programs.library import program as shipped
from zero.programs.ops import OPS, get_op, op_tables
from zero.programs.parts import part_of
from zero.programs.program import (
    Instruction,
    Memory,
    Program,
    memory_needed,
    to_arrays,
)
from zero.programs.simplified import likely_labels, simplify
from zero.programs.simplify import mark_live

PREDICTORS = [name for name in names() if part_of(name) == "predictor"]

SMALL = Memory(5, 4, 2)


# What is set before predict and learn, and what is read after predict.
PLACES = {
    "scalar": ({("s", 0), ("v", 0)}, {("s", 1)}),
    "vector": ({("v", 0), ("v", 1)}, {("v", 2)}),
}


def live_along(program, steps, labels="scalar"):
    """Which instructions matter when functions run in that order, by following values back."""
    bodies = [[(f, k, i) for k, i in enumerate(body)] for f, body in enumerate(program.functions)]
    events = list(bodies[0])
    for step in steps:
        events += [("load", None, None), *bodies[step], ("read", step, None)]
    needed, live = set(), set()
    for function, k, instruction in reversed(events):
        if function == "read":
            needed |= PLACES[labels][1] if k == 1 else set()
        elif function == "load":
            needed -= PLACES[labels][0]
        else:
            op = get_op(instruction.op)
            target = (op.output, instruction.out)
            if not op.output or target not in needed:
                continue
            live.add((function, k))
            if op.kind != "const" or op.output == "s":
                needed.discard(target)
            addresses = (instruction.in1, instruction.in2)
            needed |= set(zip(op.inputs, addresses, strict=False))
    return live


def live_anywhere(program, rng, labels="scalar"):
    """Which instructions matter in any order: after predict comes learn, or predict again."""
    live = live_along(program, [1, 2] * 15, labels) | live_along(program, [1] * 15, labels)
    live |= live_along(program, ([1, 2] * 8 + [1] * 3) * 2, labels)  # what an evaluation does
    for _ in range(8):
        steps = []
        for _ in range(12):
            steps += [1, 2] if rng.random() < 0.6 else [1]
        live |= live_along(program, steps, labels)
    return live


def kept(program):
    """Which instructions `simplify` keeps, when all differ in their stream or constants."""
    return [len(f) for f in simplify(program).functions]


@pytest.mark.parametrize("labels", PLACES)
def test_exactly_the_instructions_that_matter_stay(labels):
    rng = np.random.default_rng(1)
    removed = total = 0
    for _ in range(1500):
        program = random_program(rng, SMALL, (4, 7, 7))
        live = live_anywhere(program, rng, labels)
        wanted = Program(
            *(
                tuple(i for k, i in enumerate(body) if (f, k) in live)
                for f, body in enumerate(program.functions)
            )
        )
        assert simplify(program, labels) == wanted, str(program)
        removed += len(program) - len(wanted)
        total += len(wanted)
    assert removed > 1500 and total > 1500  # both happen often


@pytest.mark.parametrize("metric", ["rms_error", "accuracy", "classes"])
def test_every_error_keeps_its_bits(metric):
    rng = np.random.default_rng(2)
    tasks = small_tasks(tasks=1, metric=metric, epochs=2, train=6, valid=3)
    fitness = set()
    for k in range(150):
        base = shipped(PREDICTORS[k % len(PREDICTORS)]) if k % 3 else Program()
        memory = Memory(8, 14, 3)
        program = grown_program(rng, base, memory, 8)
        small = simplify(program, tasks.labels)
        assert len(small) < len(program) or k < 100
        # The reference executes every instruction; the compiled interpreter would simplify.
        a = reference.run(program, memory, tasks, 0, seed_key=3)
        b = reference.run(small, memory, tasks, 0, seed_key=3)
        assert a.train_steps == b.train_steps and a.fitness == b.fitness
        np.testing.assert_array_equal(a.train_errors, b.train_errors)
        np.testing.assert_array_equal(a.valid_errors, b.valid_errors)
        fitness.add(tuple(a.train_errors) if metric == "classes" else a.fitness)
    assert len(fitness) > (20 if metric == "rms_error" else 3)


def test_shipped_programs_have_nothing_to_remove():
    for name in names():
        if name != "neural_network_damaged":
            labels = "vector" if name in OF_CLASSES else "scalar"
            assert likely_labels(shipped(name)) == labels
            assert simplify(shipped(name), labels) == shipped(name), name


def test_obvious_cases():
    program = parse(
        Setup="s2 = 1; s2 = 0.5; v1[0.5] = 1; s0 = 3; v0 = bcast(s2); NoOp()",
        Predict="s1 = dot(v1, v0); s3 = s1 + s1; s1 = s1 * s2",
        Learn="s4 = s3 - s0; s2 = s2 + s0; m0 = outer(v0, v0)",
    )
    wanted = parse(
        Setup="s2 = 0.5; v1[0.5] = 1",
        Predict="s1 = dot(v1, v0); s1 = s1 * s2",
        Learn="s2 = s2 + s0",
    )
    assert simplify(program) == wanted


def test_what_only_the_next_example_reads_stays():
    # Learn's s3 is read by the next Predict, after this one has used the old value.
    program = parse(Predict="s1 = s4 + s3; s4 = s3 - s1", Learn="s3 = s0 - s1")
    assert simplify(program) == program
    # Without anything that reads it, s1 written in Learn reaches validation's first Predict.
    program = parse(Predict="NoOp()", Learn="s1 = s0 + s0")
    assert kept(program) == [0, 0, 1]


def renamed(program, memory, rng):
    """The same program with its addresses permuted, all but those the engine uses."""
    maps = {}
    for kind, fixed in (("s", 2), ("v", 1), ("m", 0)):
        n = memory.of(kind)
        maps[kind] = [*range(fixed), *(fixed + rng.permutation(n - fixed))] if n else []

    def rename(i):
        op = get_op(i.op)
        addresses = [maps[kind][a] for kind, a in zip(op.inputs, (i.in1, i.in2), strict=False)]
        addresses += [0, 0]
        out = maps[op.output][i.out] if op.output else 0
        return replace(i, in1=int(addresses[0]), in2=int(addresses[1]), out=int(out))

    return Program(*(tuple(rename(i) for i in f) for f in program.functions))


def test_renaming_addresses_changes_no_bit():
    from zero.programs.interpreter import cpu

    rng = np.random.default_rng(4)
    tasks = small_tasks(tasks=3, train=6, valid=3)
    evaluate = Evaluator(tasks, memory=MEMORY, seed_key=9, module=cpu.build("float64", 4))
    base = parse(
        Setup="v1 = gaussian(0, 1, n_features); s2 = 0.1",
        Predict="s1 = dot(v1, v0)",
        Learn="s3 = s0 - s1; s3 = s2 * s3; v2 = s3 * v0; v1 = v1 + v2; s4 = uniform(0, 1)",
    )
    results, changed = set(), 0
    for _ in range(300):
        program = grown_program(rng, base, MEMORY, 6)
        other = renamed(program, MEMORY, rng)
        changed += other != program
        a, b = evaluate(program), evaluate(other)
        assert np.array_equal(a.task_fitness, b.task_fitness) and a.train_steps == b.train_steps
        results.add(a.fitness)
    assert len(results) > 30 and changed > 290


def test_removed_random_instructions_change_no_draw():
    tasks = small_tasks(tasks=2)
    program = parse(
        Setup="s9 = gaussian(0, 1); v1 = gaussian(0, 1, n_features)",
        Predict="v5 = uniform(0, 1, n_features); s1 = dot(v1, v0)",
    )
    small = simplify(program)
    assert kept(program) == [1, 1, 0] and small.setup[0].stream == 1
    for backend in ("reference", "cpu"):
        evaluate = Evaluator(tasks, backend, memory=memory_needed(program))
        assert np.array_equal(evaluate(program).task_fitness, evaluate(small).task_fitness)
    # The streams are what does it: the first number free would be another draw.
    moved = Program((replace(small.setup[0], stream=0),), small.predict)
    assert evaluate(moved).fitness != evaluate(small).fitness


def test_ops_of_every_kind_can_be_live():
    # One instruction an op, its result made to reach the prediction.
    reach = {"s": "s1 = s2 + s2", "v": "s1 = norm(v2)", "m": "s1 = norm(m1)"}
    for op in OPS.values():
        if op.output:
            out = {"s": 2, "v": 2, "m": 1}[op.output]
            constants = tuple(0.5 for _ in op.constants)
            first = Instruction(op.name, 0, 0, out, constants)
            program = Program((), (first, *parse(Predict=reach[op.output]).predict))
            assert simplify(program) == program, op.name


@pytest.mark.parametrize("labels", PLACES)
def test_what_is_shown_is_what_evaluations_keep(labels):
    rng = np.random.default_rng(8)
    for _ in range(200):
        program = random_program(rng, SMALL, (5, 7, 7))
        code, _, sizes = to_arrays(program)
        starts = np.cumsum([0, *sizes[:2]]).astype(np.int64)
        live = np.zeros(len(code), dtype=np.uint8)
        needed = np.zeros(4, np.uint64)
        mark_live(code, starts, sizes, op_tables(), needed, live, labels == "vector")
        instructions = [i for function in program.functions for i in function]
        kept = [i for i, lives in zip(instructions, live, strict=True) if lives]
        assert kept == [i for function in simplify(program, labels).functions for i in function]

"""Whole programs: the compiled interpreter does what the reference does, on anything.

Interpreters add up in different orders, and a program may amplify the last bit. So an outcome is
compared only where it does not move when the reference's own results are perturbed (`noisy`).
"""

from dataclasses import replace

import numpy as np
import pytest
from helpers import (
    MEMORY,
    MODULES,
    Machine,
    check_errors,
    copy_of,
    flat,
    grown_program,
    machine,
    noisy,
    parse,
    random_banks,
    random_program,
    run_reference,
    small_tasks,
)

from zero.programs import library
from zero.programs.evaluator import Evaluator
from zero.programs.interpreter import cpu, reference
from zero.programs.interpreter.reference import Draws
from zero.programs.ops import OPS, op_tables
from zero.programs.parts import part_of
from zero.programs.program import Memory, Program
from zero.tasks import TaskSet

WIDE = Memory(8, 14, 3)  # room for every shipped program


def programs(rng, number):
    """Random programs, and shipped ones with random instructions put in."""
    names = [name for name in library.names() if part_of(name) == "predictor"]
    for k in range(number):
        base = Program() if k % 4 == 0 else library.program(names[k % len(names)])
        yield grown_program(rng, base, WIDE, int(rng.integers(1, 9)))


# --- fitness --------------------------------------------------------------------------------------

# metric, epochs, max_abs_error, tasks, features, independent rows
SETTINGS = [
    ("rms_error", 1, 100.0, 5, 4, False),
    ("rms_error", 3, 3.0, 6, 4, False),
    ("rms_error", 3, 1e6, 10, 16, False),
    ("accuracy", 1, 100.0, 10, 3, False),
    ("accuracy", 2, 0.9, 17, 4, False),
    ("rms_error", 1, 100.0, 5, 4, True),
    ("rms_error", 3, 10.0, 17, 4, True),
    ("accuracy", 2, 0.9, 10, 3, True),
    ("classes", 1, 100.0, 10, 4, False),
    ("classes", 2, 0.9, 17, 3, False),
    ("classes", 2, 100.0, 5, 16, True),
]


OF_DTYPES = [("float64", s) for s in SETTINGS] + [("float32", SETTINGS[k]) for k in (1, 2, 4, 7, 9)]


@pytest.mark.parametrize("dtype, setting", OF_DTYPES)
def test_fitness_of_any_program(dtype, setting):
    metric, epochs, limit, count, features, independent = setting
    tasks = small_tasks(count, 5, 4, features, metric, epochs)
    rng = np.random.default_rng(len(metric) + epochs)
    noise, tolerance = (1e-13, 1e-8) if dtype == "float64" else (3e-6, 2e-3)
    lanes = [1, 4, 16] if dtype == "float64" else [16]
    modules = [cpu.build(dtype, w) for w in lanes]
    how = {"max_abs_error": limit, "independent": independent, "keep_errors": True}
    compiled = [Evaluator(tasks, "cpu", dtype, WIDE, 7, module=m, **how) for m in modules]
    plain = Evaluator(tasks, "reference", dtype, WIDE, 7, **how)
    compared = total = failed = 0
    for program in programs(rng, 24):
        wanted = plain(program)
        stable = np.ones(count, bool)
        for seed in range(2):
            with noisy(noise, seed):
                moved = plain(program)
            stable &= np.abs(moved.task_fitness - wanted.task_fitness) <= tolerance
            stable &= moved.train_steps == wanted.train_steps
        results = [evaluate(program) for evaluate in compiled]
        for got in results:
            apart = np.abs(got.task_fitness - wanted.task_fitness)
            assert (apart[stable] <= tolerance).all(), f"{apart}\n{program}"
            bad = np.isnan(got.errors).all(axis=1), np.isnan(wanted.errors).all(axis=1)
            assert np.array_equal(bad[0][stable], bad[1][stable])
            if stable.all():
                assert got.train_steps == wanted.train_steps, str(program)
            # The number of lanes changes no bit.
            assert np.array_equal(got.task_fitness, results[0].task_fitness), str(program)
            assert got.train_steps == results[0].train_steps
        total += count
        compared += stable.sum()
        failed += (wanted.task_fitness == 0).sum()
    assert compared > 0.7 * total  # most are compared ...
    assert metric != "rms_error" or 0 < failed < 0.7 * total  # ... and most of them say something


def test_every_error_of_every_lane():
    rng = np.random.default_rng(11)
    module = cpu.build("float64", 4)
    compared = 0
    for metric in ("rms_error", "accuracy", "classes"):
        tasks = small_tasks(4, 9, 5, 4, metric, scale=3.0)
        for program in programs(rng, 60):
            genomes, starts = cpu.genome_of(program)
            arrays = cpu.new_evaluator(
                tasks, WIDE, starts, module=module, key=5, max_abs_error=6.0, seen_size=1
            )
            train, valid = np.zeros(9 * 4), np.zeros(5 * 4)
            module.trace(module.pack(genomes), 0, module.pack(arrays), train, valid)
            for lane in range(4):
                errors = train.reshape(9, 4)[:, lane], valid.reshape(5, 4)[:, lane]
                wanted = check_errors(program, WIDE, tasks, lane, *errors)
                if wanted is not None:
                    n = len(wanted.train_errors)
                    assert arrays.stopped[lane] == (n if n < 9 else 9)
                    compared += 1
    assert compared > 450


# --- rules of an evaluation, one by one (spec, sections 4 and 8) ------------------------------

BACKENDS = ["reference", "cpu"]


def evaluate(program, tasks, backend, **arguments):
    module = cpu.build("float64", 4) if backend == "cpu" else None
    return Evaluator(tasks, backend, module=module, **arguments)(program)


def labels(tasks, train, valid):
    """The same tasks with these labels for all."""
    full = {
        "train_y": np.broadcast_to(np.float64(train), tasks.train_y.shape).copy(),
        "valid_y": np.broadcast_to(np.float64(valid), tasks.valid_y.shape).copy(),
    }
    return replace(tasks, **full)


@pytest.mark.parametrize("backend", BACKENDS)
def test_error_exactly_at_the_limit_passes(backend):
    tasks = labels(small_tasks(6), 3.0, 0.0)
    got = evaluate(Program(), tasks, backend, max_abs_error=3.0)
    assert got.fitness == 1.0 and got.train_steps == 6 * 8
    got = evaluate(Program(), tasks, backend, max_abs_error=2.999)
    assert got.fitness == 0.0 and got.train_steps == 6  # the failing step counts


@pytest.mark.parametrize("backend", BACKENDS)
def test_validation_error_above_the_limit_gives_zero(backend):
    tasks = labels(small_tasks(6), 0.0, [0, 0, 3.5, 0])
    assert evaluate(Program(), tasks, backend, max_abs_error=3.0).fitness == 0.0
    assert evaluate(Program(), tasks, backend, max_abs_error=3.5).fitness > 0.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_best_epoch_counts_and_late_failure_keeps_it(backend):
    # The prediction grows with every step: good after the first epoch, worse later, then too large.
    program = parse(Setup="s2 = 0.25", Learn="s1 = s1 + s2")
    tasks = labels(small_tasks(6, train=4, epochs=3), 0.0, 1.0)
    got = evaluate(program, tasks, backend, max_abs_error=100.0)
    assert got.fitness == 1.0 and got.train_steps == 6 * 12
    got = evaluate(program, tasks, backend, max_abs_error=1.5)
    assert got.fitness == 1.0 and got.train_steps == 6 * 8  # 7 steps pass, the 8th fails
    assert evaluate(program, tasks, backend, max_abs_error=0.7).fitness == 0.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_memory_lasts_through_validation_into_the_next_epoch(backend):
    # s2 counts predictions, validation's included: 4 + 4 before the second epoch.
    program = parse(Setup="s3 = 1", Predict="s2 = s2 + s3; s4 = 11; s4 = s4 - s2; s1 = abs(s4)")
    tasks = labels(small_tasks(2, train=4, valid=4, epochs=2), 0.0, 0.0)
    # Largest train error is at the first step (10); |11 - s2| in the last validation is 2, 3, 4, 5.
    got = evaluate(program, tasks, backend)
    rms = np.sqrt((4 + 9 + 16 + 25) / 4)
    first = np.sqrt((36 + 25 + 16 + 9) / 4)
    wanted = 1 - 2 / np.pi * np.arctan(min(rms, first))
    assert got.fitness == pytest.approx(wanted, abs=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
def test_predict_sees_no_label_and_learn_sees_it(backend):
    tasks = labels(small_tasks(2), 5.0, 5.0)
    seen = parse(Predict="s1 = s0 + s0")
    assert evaluate(seen, tasks, backend).fitness == pytest.approx(1 - 2 / np.pi * np.arctan(5))
    assert evaluate(parse(Learn="s1 = s0 + s9"), tasks, backend).fitness == 1.0
    # Writing s0 or v0 lasts only to the next call.
    kept = parse(
        Setup="s0 = 7", Predict="s1 = s0 + s9; s0 = 9; v0 = bcast(s0); s0 = 8", Learn="s0 = 4"
    )
    assert evaluate(kept, tasks, backend).fitness == pytest.approx(1 - 2 / np.pi * np.arctan(5))


@pytest.mark.parametrize("backend", BACKENDS)
def test_features_are_set_again_before_learn(backend):
    tasks = labels(small_tasks(3), 0.0, 0.0)
    first = replace(tasks, train_x=np.full_like(tasks.train_x, 2.0))
    program = parse(
        Predict="v0 = bcast(s5); s1 = s2 + s3", Learn="s2 = mean(v0); s3 = -2.0"
    )  # s1 = 0 only if Learn saw the features, not Predict's v0
    assert evaluate(program, first, backend).fitness == 1.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_accuracy_squashes_in_training_only(backend):
    tasks = labels(small_tasks(2, metric="accuracy"), 1.0, [1, 1, 1, 0])
    # Learn sees sigmoid(0) = 0.5; Predict in validation sees the raw value.
    program = parse(
        Setup="s2 = 0.5", Predict="s1 = s3 + s3", Learn="s4 = s1 - s2; s3 = heaviside(s4, 1.0)"
    )
    assert evaluate(program, tasks, backend).fitness == 0.75
    # NaN in validation counts as class 0; in training it stops.
    tasks = labels(small_tasks(2, metric="accuracy"), 1.0, [1, 1, 1, 0])
    nan_never = parse(
        Setup="s2 = 1; s3 = 10.5", Predict="s4 = s3 - s5; s1 = log(s4)", Learn="s5 = s5 + s2"
    )
    assert evaluate(nan_never, tasks, backend).fitness == 0.75  # log(10.5 - 8) > 0: class 1
    nan_later = parse(
        Setup="s2 = 1; s3 = 7.5", Predict="s4 = s3 - s5; s1 = log(s4)", Learn="s5 = s5 + s2"
    )
    assert evaluate(nan_later, tasks, backend).fitness == 0.25  # log(-0.5) is NaN: class 0 for all


@pytest.mark.parametrize("backend", BACKENDS)
def test_accuracy_takes_infinite_predictions_and_a_half_is_class_zero(backend):
    tasks = labels(small_tasks(2, metric="accuracy"), 1.0, [1, 1, 1, 0])
    assert evaluate(parse(Predict="s1 = 1 / s9"), tasks, backend).fitness == 0.75
    assert evaluate(parse(Predict="s1 = s9 * s9"), tasks, backend).fitness == 0.25


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_tiny_predictions_are_classed_as_their_sigmoid_is(dtype):
    tasks = labels(small_tasks(1, metric="accuracy"), 1.0, 1.0)
    module = cpu.build(dtype, 1 if dtype == "float64" else 16)
    # Not next to where the rounded sigmoid leaves 0.5: there the last bit of exp decides.
    for value in (1e-8, 6e-8, 3e-7, 1e-15, 1e-16, 1.2e-16, 2.3e-16, 1e-30, -1e-5):
        program = parse(Predict=f"s1 = {value}")
        plain = Evaluator(tasks, "reference", dtype)(program)
        assert Evaluator(tasks, "cpu", dtype, module=module)(program).fitness == plain.fitness


@pytest.mark.parametrize("backend", BACKENDS)
def test_setup_is_not_checked_and_first_prediction_may_be_setups(backend):
    tasks = labels(small_tasks(2), 0.0, 0.0)
    program = parse(Setup="s1 = 50; s2 = nan; v1 = bcast(s2)", Learn="s1 = s9 * s9")
    assert evaluate(program, tasks, backend).fitness == 1.0
    assert evaluate(parse(Setup="s1 = 101"), tasks, backend).fitness == 0.0


def test_later_epochs_are_shuffles_of_the_one_before():
    orders = reference.epoch_orders(50, 4)
    assert orders.dtype == np.int32 and orders[0].tolist() == list(range(50))
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert np.array_equal(orders[:2], reference.epoch_orders(50, 2))


# --- any instruction on any memory ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_hundred_thousand_programs_on_a_memory_of_odd_numbers(dtype):
    # 200,000 in all, of all 65 ops. `Machine.run` sees to it that nothing else is written.
    number, length, features = 100_000, 12, 4
    rng = np.random.default_rng(5)
    runner = Machine(dtype, 16, features)
    tables = op_tables()
    addresses = np.array([1, MEMORY.scalars, MEMORY.vectors, MEMORY.matrices])
    lowest = np.array([0, 1, 1, 0])
    memories = [[random_banks(rng, features, dtype, special=0.5) for _ in range(16)] for _ in "abc"]
    settings = runner.arrays.settings
    rows = runner.arrays.mem[: settings.temporary_at].reshape(-1, 16)
    starting = [np.stack([flat(b) for b in banks], axis=1) for banks in memories]
    used = np.zeros(len(OPS), np.int64)
    runner.genomes.sizes[0] = length, 0, 0
    packed = runner.module.pack(runner.genomes)
    runner.arrays.mem[settings.memory_size :] = 12345.0
    changed = 0
    for k in range(number // 1000):
        ops = rng.integers(len(OPS), size=(1000, length))
        code = np.zeros((1000, length, 4), np.int16)
        code[..., 0] = ops
        for column, table in ((1, tables.in1), (2, tables.in2)):
            code[..., column] = rng.integers(addresses[table[ops]])
        kinds = tables.out[ops]
        code[..., 3] = rng.integers(lowest[kinds], addresses[kinds] + (kinds == 0))
        constants = rng.random((1000, length, 3)) * 0.999
        used += np.bincount(ops.ravel(), minlength=len(OPS))
        for row in range(1000):
            runner.genomes.code[0, :length] = code[row]
            runner.genomes.constants[0, :length] = constants[row]
            rows[:] = starting[row % 3]
            runner.module.run_instructions(packed, 0, runner.handle, row, k % 4)
        changed += not np.array_equal(rows, starting[999 % 3], equal_nan=True)
        assert np.array_equal(rows[:1], starting[999 % 3][:1], equal_nan=True)
    assert used.min() > 1000 and changed == number // 1000
    assert (runner.arrays.mem[settings.memory_size :] == 12345.0).all()


def test_a_sample_of_them_against_the_reference():
    compared = total = 0
    for number, (dtype, lanes) in enumerate(MODULES):
        rng = np.random.default_rng(number)
        noise, tolerance = (1e-13, 1e-9) if dtype == "float64" else (3e-6, 1e-3)
        runner = machine(dtype, lanes, 4)
        for k in range(200 // lanes + 10):
            program = random_program(rng, sizes=(12, 0, 0))
            before = [random_banks(rng, 4, dtype) for _ in range(lanes)]
            got = [copy_of(b) for b in before]
            runner.run(program.setup, got, 1, k)
            for lane in range(lanes):
                draws = Draws(0, int(runner.keys[lane]), 1, k)
                wanted, moved = copy_of(before[lane]), copy_of(before[lane])
                run_reference(program.setup, wanted, draws)
                with noisy(noise, lane):
                    run_reference(program.setup, moved, draws)
                a, b, c = (flat(x).astype(np.float64) for x in (got[lane], wanted, moved))
                with np.errstate(all="ignore"):
                    stable = (b == c) | (np.abs(b - c) <= tolerance * np.abs(b))
                    stable |= np.isnan(b) & np.isnan(c)
                    # Next to the smallest normal number relative accuracy ends.
                    small = np.finfo(dtype).tiny / tolerance
                    close = np.abs(a - b) <= 10 * tolerance * np.abs(b) + small
                    same = (a == b) | (np.isnan(a) & np.isnan(b)) | close
                assert same[stable].all(), f"{a[stable & ~same]} {b[stable & ~same]}\n{program}"
                compared += stable.sum()
                total += len(stable)
    assert compared > 0.95 * total


STEP = "s2 = s0 - s1; s2 = s2 * s3; "


@pytest.mark.parametrize(
    ("predict", "learn"),
    [
        ("s1 = dot(v1, v0)", "v2 = s2 * v0; v1 = v1 + v2"),
        ("s1 = dot(v1, v0)", "v2 = s2 * v0; v1 = v2 + v1; v1 = v1 + v2"),
        ("s4 = dot(v2, v0); s1 = dot(v1, v0); s1 = s1 + s4", "v2 = s2 * v0; v1 = v1 + v2"),
        ("s1 = dot(v2, v0)", "v2 = s2 * v0; v2 = v2 + v1; v1 = v2 - v3"),
        ("s1 = dot(v1, v0)", "v2 = s2 * v0; v1 = v2 + v2; v1 = v1 + v2"),
        ("v3 = dot(m0, v0); s1 = mean(v3)", "m1 = outer(v0, v0); m0 = m0 + m1; m0 = s2 * m0"),
        ("v3 = dot(m0, v0); s1 = mean(v3)", "v4 = s2 * v0; m1 = outer(v4, v0); m0 = m1 + m0"),
        (
            "v3 = dot(m0, v0); s1 = mean(v3)",
            "v4 = s2 * v0; m1 = outer(v4, v0); m0 = m1 + m0; m0 = m0 + m1",
        ),
        (
            "v3 = dot(m0, v0); s1 = mean(v3); s4 = mean(m1); s1 = s1 + s4",
            "v4 = s2 * v0; m1 = outer(v4, v0); m0 = m1 + m0",
        ),
        ("v3 = dot(m1, v0); s1 = mean(v3)", "v4 = s2 * v0; m1 = outer(v4, v0); m1 = m0 + m1"),
    ],
)
def test_a_product_and_the_sum_behind_it(predict, learn):
    """The compiled interpreter joins the two; what else reads the product must still find it."""
    program = parse(Setup="s3 = 0.1", Predict=predict, Learn=STEP + learn)
    tasks = small_tasks(3)
    plain = evaluate(program, tasks, "reference")
    assert len(set(plain.task_fitness)) == 3  # it learns something
    compiled = evaluate(program, tasks, "cpu")
    np.testing.assert_allclose(compiled.task_fitness, plain.task_fitness, atol=1e-12)


def test_a_task_that_fails_in_validation_keeps_its_memory_whatever_the_others_do():
    """Predict runs on for the other lanes; the failed one must go on from where it failed."""
    valid = np.zeros((2, 4, 1))
    valid[0] = 200.0  # above max_abs_error at once
    tasks = TaskSet(
        ("fails", "goes on"), np.arange(2, dtype=np.uint32), np.zeros((2, 3, 1)),
        np.zeros((2, 3)), valid, np.zeros((2, 4)), "rms_error", 2,
    )  # fmt: skip
    program = parse(
        Setup="s4 = 1",
        Predict="s3 = mean(v0); s1 = s3 / s4; s3 = abs(s3); s4 = s4 + s3",
    )
    plain = evaluate(program, tasks, "reference").task_fitness
    assert plain[0] > 0  # it is better in the second epoch
    assert evaluate(program, tasks, "cpu").task_fitness == pytest.approx(plain, abs=1e-12)

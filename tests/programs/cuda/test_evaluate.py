"""Backend cuda does what the reference does: on the host machine always, on a GPU where there is one.

As in test_interpreters.py, an outcome is compared only where it does not move when the reference's own
results are perturbed (`helpers.noisy`).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cuda_machines import MACHINES, WIDE, agree, grown
from helpers import (
    MEMORY,
    check_errors,
    copy_of,
    flat,
    grown_program,
    noisy,
    parse,
    random_banks,
    random_instruction,
    run_reference,
    small_tasks,
)
from small_runs import small_config

from zero import cuda
from zero.bench import conformance
from zero.bench.speed import evaluation_speed
from zero.cuda.host import HostMachine
from zero.programs import library
from zero.programs.backends.cuda import FILLED
from zero.programs.cuda import encode as code
from zero.programs.cuda import source
from zero.programs.cuda.evaluate import CudaEvaluator, run_on_machine
from zero.programs.cuda.job import SPAN
from zero.programs.cuda.layout import UnitLayout, best_layout
from zero.programs.cuda.source import row_numbers
from zero.programs.evaluator import Evaluator, check_backend
from zero.programs.interpreter.reference import Draws
from zero.programs.ops import OPS, get_op, register_op
from zero.programs.program import Program
from zero.tasks import TaskSet

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
CASES = Path(__file__).parents[4] / "shared" / "conformance" / "reference_cases.jsonl.gz"
NOISE = {"float64": (1e-13, 1e-9), "float32": (3e-6, 1e-3)}
ACCURACY = {"float64": (1e-13, 1e-8), "float32": (3e-6, 2e-3)}  # of fitness


@pytest.fixture(params=MACHINES)
def machine(request, monkeypatch):
    """The machine, which is also what `open_machine` returns."""
    machine = request.param()
    monkeypatch.setattr(cuda, "open_machine", lambda index=0: machine)
    return machine


def batch_of(programs, layout):
    """Rows and spans of programs, encoded one by one."""
    parts = [code.encode_program(program, layout) for program in programs]
    at = np.cumsum([0, *(len(rows) for rows, _ in parts[:-1])])
    spans = np.concatenate([spans for _, spans in parts])
    spans[:, 0] = at
    return np.concatenate([rows for rows, _ in parts]), spans


# --- single instructions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "strict"),
    [
        (UnitLayout("float64", 4, 2), True),
        (UnitLayout("float64", 3, 1, shared=False), False),
        (UnitLayout("float32", 16, 8), False),
        (UnitLayout("float32", 6, 2), True),
        (UnitLayout("float32", 40, 64), False),  # two warps a task
    ],
)
def test_every_op_on_a_memory_of_odd_numbers(machine, layout, strict):
    dtype = layout.dtype
    rng = np.random.default_rng(layout.features)
    noise, tolerance = NOISE[dtype]
    compared = total = 0
    tasks = layout.tasks + 1  # the last one has a unit almost of its own
    keys = rng.integers(2**32, size=tasks, dtype=np.uint32)
    for op in OPS.values():
        if op.kind == "none":
            continue
        body = (random_instruction(rng, MEMORY, [op.name], 7),)
        before = [random_banks(rng, layout.features, dtype) for _ in range(tasks)]
        if op.kind not in ("map", "const", "outer"):
            # A sum that overflows is infinite or NaN, as the order of its terms will have it.
            for bank in (bank for banks in before for bank in (banks.s, banks.v, banks.m)):
                large = 1e150 if dtype == "float64" else 1e18
                bank[np.isfinite(bank)] = np.clip(bank[np.isfinite(bank)], -large, large)
        got = [copy_of(banks) for banks in before]
        run_on_machine(body, got, machine, dtype, strict, layout, 5, keys)
        for task in range(tasks):
            draws = Draws(5, int(keys[task]))
            wanted, moved = copy_of(before[task]), copy_of(before[task])
            run_reference(body, wanted, draws)
            for bank in (moved.s, moved.v, moved.m):  # what a sum cancels to is rounding
                with np.errstate(all="ignore"):
                    bank *= 1 + noise * rng.uniform(-1, 1, bank.shape)
            with noisy(noise, task):
                run_reference(body, moved, draws)
            written = body[0].out, get_op(op.name).output
            for name in "svm":
                here = moved.bank(name)
                for address in range(len(here)):
                    if (address, name) != written:
                        here[address] = wanted.bank(name)[address]
            good, stable = agree(flat(got[task]), flat(wanted), flat(moved), tolerance, dtype)
            assert good.all(), f"{body[0]}: {flat(got[task])[~good]}, not {flat(wanted)[~good]}"
            if op.kind in ("uniform", "const"):  # these leave nothing to rounding
                assert np.array_equal(flat(got[task]), flat(wanted), equal_nan=True), str(body[0])
            compared += stable.sum()
            total += len(stable)
    assert compared > 0.95 * total


def test_recorded_cases_pass(machine):
    if not CASES.exists():
        pytest.skip("the recorded cases (../shared/conformance/) are not on this machine")
    cases = conformance.read_cases(CASES)
    outcome = conformance.run_cases(cases, "cuda", "float64")
    assert outcome.differences == []
    assert outcome.passed == outcome.total == {"op": 928, "algorithm": 350}
    outcome = conformance.run_cases(cases, "cuda", "float32")
    assert outcome.differences == [] and outcome.passed == outcome.total
    assert outcome.total["op"] > 600 and outcome.total["algorithm"] == 350


# --- whole programs -------------------------------------------------------------------------------

# metric, epochs, max_abs_error, tasks, layout
SETTINGS = [
    ("rms_error", 1, 100.0, 5, UnitLayout("float64", 4, 2)),
    ("rms_error", 3, 3.0, 33, UnitLayout("float64", 4, 1, shared=False)),
    ("rms_error", 3, 1e6, 10, UnitLayout("float64", 16, 8)),
    ("accuracy", 2, 0.9, 17, UnitLayout("float64", 3, 2)),
    ("rms_error", 2, 30.0, 6, UnitLayout("float64", 6, 64)),
]
OF_DTYPES = [("float64", s) for s in SETTINGS] + [("float32", SETTINGS[k]) for k in (0, 3)]


@pytest.mark.parametrize("dtype, setting", OF_DTYPES)
def test_fitness_of_any_program(machine, dtype, setting):
    metric, epochs, limit, count, layout = setting
    layout = replace(layout, dtype=dtype)
    tasks = small_tasks(count, 5, 4, layout.features, metric, epochs)
    rng = np.random.default_rng(len(metric) + epochs)
    noise, tolerance = ACCURACY[dtype]
    batch = list(grown(rng, 16, grown_program))
    evaluator = CudaEvaluator(
        tasks, machine, dtype, key=7, max_abs_error=limit, strict=dtype == "float64", layout=layout
    )
    fitness, taken = evaluator.start(*batch_of(batch, layout), machine.stream()).result()
    plain = Evaluator(tasks, "reference", dtype, WIDE, 7, max_abs_error=limit)
    compared = total = failed = 0
    for k, program in enumerate(batch):
        wanted = plain(program)
        stable = np.ones(count, bool)
        for seed in range(2):
            with noisy(noise, seed):
                moved = plain(program)
            stable &= np.abs(moved.task_fitness - wanted.task_fitness) <= tolerance
            stable &= moved.train_steps == wanted.train_steps
        apart = np.abs(fitness[k] - wanted.task_fitness)
        assert (apart[stable] <= tolerance).all(), f"{apart}\n{program}"
        if stable.all():
            assert taken[k].sum() == wanted.train_steps, str(program)
        total += count
        compared += stable.sum()
        failed += (wanted.task_fitness == 0).sum()
    assert compared > 0.7 * total
    assert metric == "accuracy" or 0 < failed < 0.7 * total


def test_every_error_of_every_task(machine):
    rng = np.random.default_rng(11)
    compared = 0
    for metric in ("rms_error", "accuracy"):
        tasks = small_tasks(5, 9, 5, 4, metric, scale=3.0)
        evaluator = CudaEvaluator(tasks, machine, "float64", key=5, max_abs_error=6.0, strict=True)
        batch = list(grown(rng, 30, grown_program))
        rows, spans = batch_of(batch, evaluator.layout)
        found = evaluator.start(rows, spans, machine.stream(), traces=True).results()
        for k, program in enumerate(batch):
            for task in range(5):
                errors = found["train_errors"][k, task], found["valid_errors"][k, task]
                wanted = check_errors(program, WIDE, tasks, task, *errors)
                if wanted is not None:
                    assert found["taken"][k, task] == wanted.train_steps
                    compared += 1
    assert compared > 150


@pytest.mark.parametrize(
    "program",
    [
        parse(
            Setup="s4 = 1",
            Predict="s3 = mean(v0); s1 = s3 / s4; s3 = abs(s3); s4 = s4 + s3",
        ),
        parse(  # with a matrix in registers
            Setup="s5 = 1; v2[0] = 1",
            Predict="v1 = dot(m0, v2); s4 = mean(v1); s4 = s4 + s5; s3 = mean(v0); s1 = s3 / s4; "
            "m1 = outer(v0, v2); m0 = m0 + m1",
        ),
    ],
)
def test_a_task_that_fails_in_validation_keeps_its_memory_whatever_the_others_do(machine, program):
    valid = np.zeros((2, 4, 1))
    valid[0] = 200.0  # above max_abs_error at once
    tasks = TaskSet(
        ("fails", "goes on"), np.arange(2, dtype=np.uint32), np.zeros((2, 3, 1)),
        np.zeros((2, 3)), valid, np.zeros((2, 4)), "rms_error", 2,
    )  # fmt: skip
    rows, _ = code.encode_program(program, best_layout(1, "float64"))
    held = source.row_numbers()["OUTER_ADD_RESIDENT"] in rows[:, 0]
    assert held == ("m0" in str(program))
    plain = Evaluator(tasks, "reference")(program).task_fitness
    assert plain[0] > 0  # it is better in the second epoch
    assert Evaluator(tasks, "cuda", strict=True)(program).task_fitness == pytest.approx(plain)


# --- batches --------------------------------------------------------------------------------------


def test_what_is_in_a_batch_changes_no_bit(machine):
    # With so little shared memory the programs go three ways: small, shared and global.
    rng = np.random.default_rng(8)
    tasks = small_tasks(18, 6, 4, 4, epochs=2)
    batch = list(grown(rng, 40, grown_program))
    layout = best_layout(4, "float64")
    tight = machine.shared_bytes
    alone = CudaEvaluator(tasks, machine, "float64", key=1, max_abs_error=5.0)
    singles = [
        alone.start(*code.encode_program(p, layout), machine.stream()).result() for p in batch
    ]
    rows, spans = batch_of(batch, layout)
    sizes = np.sort(layout.unit_bytes(spans[:, 5].max(), spans[:, 6]))
    try:
        machine.shared_bytes = int(sizes[-1]) - 1
        evaluator = CudaEvaluator(tasks, machine, "float64", key=1, max_abs_error=5.0)
        assert len(evaluator._launches(spans)[1]) == 3
        fitness, taken = evaluator.start(rows, spans, machine.stream()).result()
    finally:
        machine.shared_bytes = tight
    assert len(set(fitness[:, 0])) > 10
    assert np.array_equal(fitness, np.concatenate([f for f, _ in singles]), equal_nan=True)
    assert np.array_equal(taken, np.concatenate([t for _, t in singles]))


def test_no_launch_needs_more_shared_memory_than_there_is():
    # One program has the most memory, another the most rows: together they would need more.
    machine = HostMachine()
    evaluator = CudaEvaluator(small_tasks(3), machine, "float32", key=0)
    spans = np.zeros((4, len(SPAN)), np.int32)
    rows, memory = SPAN.index("rows"), SPAN.index("memory")
    spans[:, rows] = 5, 9, 500, 20
    most = (machine.shared_bytes - evaluator.layout.unit_bytes(20, 0)) // 4 // 32 * 32
    spans[:, memory] = 1024, 2048, 2048, most
    _, launches = evaluator._launches(spans)
    assert sum(launch.last - launch.first for launch in launches) == 4
    for launch in launches:
        assert launch.unit_bytes <= machine.shared_bytes
        assert launch.layout.shared == (launch.unit_memory < most)


def test_several_batches_in_flight(machine):
    tasks = small_tasks(4)
    evaluator = CudaEvaluator(tasks, machine, "float32", key=1)
    streams = machine.stream(), machine.stream()
    rates = np.linspace(0.001, 0.2, 12).tolist()
    programs = [parse(str(library.program("linear")).replace("0.01", repr(r))) for r in rates]
    together, _ = evaluator.start(*batch_of(programs, evaluator.layout), streams[0]).result()
    assert len(set(together[:, 0])) == 12
    for _ in range(2):  # the second time with buffers that have been used
        started = [
            evaluator.start(*batch_of(programs[k : k + 4], evaluator.layout), streams[k // 4 % 2])
            for k in (0, 4, 8)
        ]
        results = [pending.result()[0] for pending in started]
        assert np.array_equal(np.concatenate(results), together)


def test_a_look_ahead_is_an_evaluation_of_the_first_examples(machine):
    tasks = small_tasks(5, 12, 8, epochs=2)
    first = replace(
        tasks, train_x=tasks.train_x[:, :7], train_y=tasks.train_y[:, :7],
        valid_x=tasks.valid_x[:, :3], valid_y=tasks.valid_y[:, :3], epochs=1,
    )  # fmt: skip
    arguments = {"key": 4, "max_abs_error": 9.0}
    whole = CudaEvaluator(tasks, machine, "float64", **arguments)
    short = CudaEvaluator(first, machine, "float64", **arguments)
    batch = batch_of(list(grown(np.random.default_rng(1), 12, grown_program)), whole.layout)
    got = whole.start(*batch, machine.stream(), steps=7, valid=3).result()
    wanted = short.start(*batch, machine.stream()).result()
    for a, b in zip(got, wanted, strict=True):
        assert np.array_equal(a, b)
    assert got[1].max() == 7


def test_a_batch_of_nothing(machine):
    evaluator = CudaEvaluator(small_tasks(3), machine, "float32", key=0)
    rows, spans = batch_of([Program()], evaluator.layout)
    fitness, taken = evaluator.start(rows[:0], spans[:0], machine.stream()).result()
    assert fitness.shape == taken.shape == (0, 3)


# --- the interfaces above -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_evaluator(machine, dtype):
    check_backend("cuda")
    tasks = small_tasks(6)
    for how in ("mean", "median", "min"):
        got = Evaluator(tasks, "cuda", dtype, combine=how)(library.program("linear"))
        wanted = Evaluator(tasks, "reference", dtype, combine=how)(library.program("linear"))
        assert got.fitness == pytest.approx(wanted.fitness, rel=1e-4)
        assert got.train_steps == wanted.train_steps == 6 * 8
        assert len(set(got.task_fitness)) == 6


@pytest.mark.parametrize(
    "metric, features",
    [("accuracy", 4), ("rms_error", 16)],  # the latter with a matrix in registers
)
def test_rows_that_know_nothing_of_each_other(machine, metric, features):
    tasks = small_tasks(3, 6, 5, features, metric, epochs=2)
    how = {"memory": WIDE, "seed_key": 7, "max_abs_error": 20.0}
    how |= {"independent": True, "keep_errors": True}
    here = Evaluator(tasks, "cuda", strict=True, **how)
    plain = Evaluator(tasks, "reference", **how)
    compared = total = 0
    for program in grown(np.random.default_rng(features), 16, grown_program):
        got, wanted = here(program), plain(program)
        with noisy(1e-13, 1):
            moved = plain(program)
        stable = np.abs(moved.task_fitness - wanted.task_fitness) <= 1e-9
        apart = np.abs(got.task_fitness - wanted.task_fitness)
        assert (apart[stable] <= 1e-8).all(), str(program)
        failed = np.isnan(got.errors).all(axis=1), np.isnan(wanted.errors).all(axis=1)
        assert np.array_equal(failed[0][stable], failed[1][stable])
        compared, total = compared + stable.sum(), total + 3
    assert compared > 0.7 * total


def test_bench_counts_every_copy_of_a_launch(machine, monkeypatch):
    config = small_config(backend="cuda")
    launches = []
    start = CudaEvaluator.start
    monkeypatch.setattr(
        CudaEvaluator,
        "start",
        lambda self, *a, **k: launches.append(len(a[1])) or start(self, *a, **k),
    )
    figures = evaluation_speed(config, library.program("linear"), 0.01)
    copies = figures["programs_a_launch"]
    assert figures["gpu"] == machine.name and copies >= FILLED
    assert set(launches) == {copies}
    assert figures["evaluations"] % copies == 0
    assert figures["evaluations"] <= copies * (len(launches) - 3)  # three were to warm up
    cpu = evaluation_speed(small_config(), library.program("linear"), 0.01)
    assert figures["train_steps"] == cpu["train_steps"]
    assert figures["fitness"] == pytest.approx(cpu["fitness"], rel=1e-3)
    assert "gpu" not in cpu


def test_an_op_that_is_registered_later_is_there(machine, own_ops):
    tasks = small_tasks(2, 6, 4, 4)
    evaluate = Evaluator(tasks, "cuda")
    evaluate(library.program("linear"))  # the kernel without the op
    numbers = row_numbers()
    register_op("VECTOR_LATE", "v>v", "tanh(a) + 0.25")
    assert (
        numbers.items() < row_numbers().items()
    )  # programs that are encoded already mean the same
    program = parse(Predict="v1 = vector_late(v0); s1 = dot(v1, v0)")
    got, wanted = Evaluator(tasks, "cuda")(program), Evaluator(tasks, "reference")(program)
    np.testing.assert_allclose(got.task_fitness, wanted.task_fitness, rtol=0, atol=1e-9)

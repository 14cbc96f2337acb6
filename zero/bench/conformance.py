"""Compares a backend with cases recorded from the original engine (`zero bench conformance`).

The file has one JSON object a line: kind "op" (one instruction on a given memory) or "algorithm" (a
whole program on one small task, with every error). Numbers may be the strings "nan", "inf", "-inf".
"""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zero.errors import ProgramError, TaskError
from zero.programs.evaluator import check_backend
from zero.programs.interpreter import reference
from zero.programs.interpreter.reference import Banks, Trace
from zero.programs.ops import get_op
from zero.programs.program import Instruction, Memory, Program
from zero.system.foreign import from_json
from zero.tasks import TaskSet

# Relative tolerances: of one op, and of errors and fitness of a whole algorithm.
TOLERANCE = {"float64": (1e-9, 1e-6), "float32": (1e-3, 1e-3)}
MOST_BYTES, MOST_FEATURES = 1 << 30, 1024  # of a file, of a case
# What a case that is none makes Python raise.
_NO_CASE = (AttributeError, ArithmeticError, LookupError, ProgramError, TypeError, ValueError)
AMPLIFIED = {"float64": 1e6, "float32": 1e2}  # errors beyond this are not compared


@dataclass
class Agreement:
    """Counts of cases, and a line about each that differs.

    skipped: ops on numbers that float32 cannot hold, such as 1e200, when asked for float32.
    """

    passed: dict[str, int] = field(default_factory=lambda: {"op": 0, "algorithm": 0})
    total: dict[str, int] = field(default_factory=lambda: {"op": 0, "algorithm": 0})
    skipped: dict[str, int] = field(default_factory=lambda: {"op": 0, "algorithm": 0})
    differences: list[str] = field(default_factory=list)


def read_cases(path: str | Path) -> list[dict]:
    """Returns the cases of a file (.jsonl or .jsonl.gz).

    Raises:
        TaskError: the file cannot be read or is not of this form.
    """
    try:
        data = Path(path).read_bytes()
        if data[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                data = file.read(MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES} bytes when decompressed")
        cases = [from_json(line) for line in data.decode().splitlines() if line.strip()]
        for case in cases:
            if case["kind"] not in ("op", "algorithm"):
                raise KeyError(case["kind"])
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise TaskError(f"{path}: not a file of recorded cases ({error})") from error
    return cases


def run_cases(cases: list[dict], backend: str, dtype: str) -> Agreement:
    """Returns how many cases the backend agrees with, at the tolerances above.

    "cuda" runs in strict mode in float64.

    Raises:
        DeviceError: the backend cannot be used here.
    """
    check_backend(backend)
    interpreter = {"reference": _Reference, "cpu": _Cpu, "cuda": _Cuda}[backend](dtype)
    outcome = Agreement()
    for number, case in enumerate(cases, 1):
        kind = case["kind"]
        compare = _compare_op if kind == "op" else _compare_algorithm
        try:
            _check_size(case)
            if kind == "op" and dtype == "float32" and not _fits_float32(case):
                outcome.skipped[kind] += 1
                continue
            difference = compare(case, interpreter, dtype)
        except _NO_CASE as error:
            raise TaskError(
                f"case {number} is no recorded {kind}: {type(error).__name__}: {error}"
            ) from error
        outcome.total[kind] += 1
        if difference:
            outcome.differences.append(f"case {number} ({kind}, F = {case['F']}): {difference}")
        else:
            outcome.passed[kind] += 1
    return outcome


def _check_size(case: dict) -> None:
    """Raises ValueError if a case's features are not a number of those that cases have."""
    if type(case["F"]) is not int or not 1 <= case["F"] <= MOST_FEATURES:
        raise ValueError(f"F is {case['F']}, expected 1 to {MOST_FEATURES}")


def _fits_float32(case: dict) -> bool:
    """Returns whether memory holds only numbers whose products and quotients float32 can hold."""
    values = np.concatenate([_numbers(bank).ravel() for bank in case["before"].values()])
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    return not np.any((sizes > 1e18) | (sizes < 1e-18))


def _numbers(value) -> np.ndarray:
    return np.array(value, dtype=object).astype(np.float64)


def _instruction(record: dict) -> Instruction:
    op = get_op(record["op"])
    if op.kind == "const" and op.output == "s":
        constants: tuple = (float(record["activation"]),)
    else:
        with np.errstate(over="ignore"):  # a number beyond float32 is infinite there
            constants = tuple(float(np.float32(float(x))) for x in record["float"])
        constants = constants[: len(op.constants)]
    in1 = record["in1"] if op.inputs else 0
    in2 = record["in2"] if len(op.inputs) > 1 else 0
    return Instruction(op.name, in1, in2, record["out"] if op.output else 0, constants)


def _close(got: np.ndarray, wanted: np.ndarray, tolerance: float, dtype: str) -> bool:
    with np.errstate(all="ignore"):
        wanted = wanted.astype(dtype).astype(np.float64)
        scale = np.abs(wanted) * tolerance + np.finfo(dtype).tiny
        same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
        return bool(np.all(same | (np.abs(got - wanted) <= scale)))


def _compare_op(case: dict, interpreter, dtype: str) -> str | None:
    instruction = _instruction(case["instruction"])
    before = {k: _numbers(case["before"][k]) for k in ("scalar", "vector", "matrix")}
    wanted = _numbers(case["after"])
    banks = reference.Banks(
        Memory(*(len(before[k]) for k in ("scalar", "vector", "matrix"))), case["F"], dtype
    )
    with np.errstate(over="ignore", under="ignore"):
        banks.s[:], banks.v[:], banks.m[:] = before["scalar"], before["vector"], before["matrix"]
    interpreter.execute(instruction, banks)
    output = get_op(instruction.op).output
    got = banks.bank(output)[instruction.out].astype(np.float64)
    tolerance = TOLERANCE[dtype][0]
    if _close(got, wanted.reshape(got.shape), tolerance, dtype):
        return None
    return f"{instruction}: expected {wanted.tolist()}, got {got.tolist()}"


def run_on_banks(instructions, banks: reference.Banks, dtype: str, lanes: int = 1, **draws) -> None:
    """Executes instructions with the compiled interpreter on a memory, in place.

    draws: key, task, function, example, as in `zero.programs.interpreter.reference.Draws`.
    """
    from zero.programs.interpreter import cpu

    features = banks.v.shape[1]
    memory = Memory(len(banks.s), len(banks.v), len(banks.m))
    draw = reference.Draws(**draws)
    x, y = np.zeros((1, 1, features)), np.zeros((1, 1))
    tasks = TaskSet(("case",), np.array([draw.task], np.uint32), x, y, x, y, "rms_error")
    genomes, starts = cpu.genome_of(Program(setup=tuple(instructions)))
    module = cpu.build(dtype, lanes)
    e = cpu.new_evaluator(tasks, memory, starts, module=module, key=draw.key)
    compiled = cpu.banks_of(e)
    for here, bank in zip(compiled, (banks.s, banks.v, banks.m), strict=True):
        here[...] = bank[..., None]
    module.run_instructions(module.pack(genomes), 0, module.pack(e), draw.example, draw.function)
    for here, bank in zip(compiled, (banks.s, banks.v, banks.m), strict=True):
        bank[...] = here[..., lanes - 1]


def _compare_algorithm(case: dict, interpreter, dtype: str) -> str | None:
    program = Program(
        *(tuple(_instruction(i) for i in case[f]) for f in ("setup", "predict", "learn"))
    )
    tasks, memory = _task(case)
    trace = interpreter.trace(program, memory, tasks, case["max_abs_error"])
    tolerance, amplified = TOLERANCE[dtype][1], AMPLIFIED[dtype]
    grown = False
    for name in ("train_errors", "valid_errors"):
        wanted = _numbers(case[name]).reshape(-1)
        got = np.array(getattr(trace, name), dtype=np.float64)
        # Past this an error has been amplified: later digits are rounding, not behaviour.
        big = np.nonzero(~(wanted < amplified))[0]
        length = int(big[0]) if len(big) else len(wanted)
        grown |= length < len(wanted)
        if grown and name == "valid_errors":
            return None
        if len(got) < length or not (grown or len(got) == len(wanted)):
            return f"{len(got)} {name}, expected {len(wanted)}"
        apart = np.abs(got[:length] - wanted[:length]) > tolerance * np.maximum(
            1.0, wanted[:length]
        )
        if apart.any():
            k = int(np.argmax(apart))
            return f"{name}[{k}]: expected {wanted[k]!r}, got {got[k]!r}"
    fitness = float(case["fitness"])
    if not abs(trace.fitness - fitness) <= tolerance:
        return f"fitness: expected {fitness!r}, got {trace.fitness!r}"
    return None


def _task(case: dict) -> tuple[TaskSet, Memory]:
    names = {"train_x": "train_features", "train_y": "train_labels"}
    names |= {"valid_x": "valid_features", "valid_y": "valid_labels"}
    parts = {k: _numbers(case[name])[None] for k, name in names.items()}
    metric = {"RMS_ERROR": "rms_error", "ACCURACY": "accuracy"}[case["eval_type"]]
    return TaskSet(("case",), np.zeros(1, np.uint32), metric=metric, **parts), Memory(20, 20, 20)


# --- interpreters: one instruction on a memory in place, and a program's errors on one task ----------


class _Reference:
    def __init__(self, dtype: str):
        self.dtype = dtype

    def execute(self, instruction: Instruction, banks: Banks) -> None:
        reference.execute(instruction, banks, reference.Draws())

    def trace(self, program, memory, tasks, max_abs_error) -> Trace:
        return reference.run(
            program, memory, tasks, 0, max_abs_error=max_abs_error, dtype=self.dtype
        )


class _Cpu(_Reference):
    def execute(self, instruction: Instruction, banks: Banks) -> None:
        run_on_banks((instruction,), banks, self.dtype)

    def trace(self, program, memory, tasks, max_abs_error) -> Trace:
        from zero.programs.interpreter import cpu

        genomes, starts = cpu.genome_of(program)
        module = cpu.build(self.dtype, 1)
        e = cpu.new_evaluator(
            tasks, memory, starts, module=module, key=0, max_abs_error=max_abs_error
        )
        train_errors = np.zeros(tasks.train_x.shape[1], self.dtype)
        valid_errors = np.zeros(tasks.valid_x.shape[1], self.dtype)
        taken = module.trace(module.pack(genomes), 0, module.pack(e), train_errors, valid_errors)
        fitness = float(e.task_fitness[0])
        return _cut(fitness, taken, train_errors, valid_errors, max_abs_error)


class _Cuda(_Reference):
    def __init__(self, dtype: str):
        from zero import cuda

        super().__init__(dtype)
        self.machine = cuda.open_machine()
        self.stream = self.machine.stream()

    def execute(self, instruction: Instruction, banks: Banks) -> None:
        from zero.programs.cuda.evaluate import run_on_machine

        run_on_machine((instruction,), [banks], self.machine, self.dtype, self._strict)

    @property
    def _strict(self) -> bool:
        return self.dtype == "float64"

    def trace(self, program, memory, tasks, max_abs_error) -> Trace:
        from zero.programs.cuda.encode import encode_program
        from zero.programs.cuda.evaluate import CudaEvaluator

        evaluator = CudaEvaluator(
            tasks, self.machine, self.dtype, key=0, max_abs_error=max_abs_error,
            strict=self._strict,
        )  # fmt: skip
        rows, spans = encode_program(program, evaluator.layout)
        found = evaluator.start(rows, spans, self.stream, traces=True).results()
        first = {name: values[0, 0] for name, values in found.items()}
        return _cut(
            float(first["fitness"]), int(first["taken"]), first["train_errors"],
            first["valid_errors"], max_abs_error,
        )  # fmt: skip


def _cut(fitness: float, taken: int, train, valid, max_abs_error: float) -> Trace:
    """Returns the trace of a task: errors end before the first one that is too large."""
    trace = Trace(fitness, train_steps=taken)
    trace.train_errors = _allowed(train[:taken], max_abs_error)
    if len(trace.train_errors) == len(train):
        trace.valid_errors = _allowed(valid, max_abs_error)
    return trace


def _allowed(errors: np.ndarray, max_abs_error: float) -> list[float]:
    bad = np.nonzero(~(errors <= errors.dtype.type(max_abs_error)))[0]
    return errors[: bad[0] if len(bad) else None].tolist()

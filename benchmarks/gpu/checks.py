"""Whether backend cuda gives what it should, before it is timed; for gpu_interpreter.py."""

import dataclasses
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from gpu.programs import evolved

from zero import cuda
from zero.bench.conformance import read_cases, run_cases
from zero.config.load import make_config
from zero.errors import ZeroError
from zero.evolution.forks import in_child
from zero.programs import library
from zero.programs.cuda.encode import Encoder
from zero.programs.cuda.evaluate import CudaEvaluator
from zero.programs.cuda.layout import best_layout
from zero.programs.domain import make_tasks
from zero.programs.evaluator import Evaluator
from zero.programs.interpreter import cpu, reference
from zero.programs.ops import get_op
from zero.programs.program import Program, from_arrays
from zero.tasks import TaskSet

TOLERANCE = {"float64": (1e-13, 1e-8), "float32": (3e-6, 2e-3)}  # noise, of fitness


class Disagrees(ZeroError):
    """Backend cuda gives other results than it should."""


def check_cases(path: Path) -> dict[str, str]:
    """Compares with recorded cases; returns counts by dtype."""
    cases, found = read_cases(path), {}
    for dtype in ("float64", "float32"):
        outcome = run_cases(cases, "cuda", dtype)
        if outcome.differences:
            raise Disagrees(
                f"{len(outcome.differences)} of the recorded cases differ in {dtype}, the first: "
                f"{outcome.differences[0]}"
            )
        found[dtype] = f"{sum(outcome.passed.values())} of {sum(outcome.total.values())}"
    return found


def random_programs(features: int, number: int) -> tuple[list[Program], TaskSet]:
    """Returns random programs of all ops, mutated, and the tasks of regression they were bred on."""
    part = {"ops": ["all"], "size": {"initial": 6, "min": 0, "max": 12}}
    config = make_config({
        "program": {"memory": {"scalars": 6, "vectors": 6, "matrices": 3}, "setup": part,
                    "predict": part, "learn": part, "initial": "random"},
        "tasks": {"search": {"type": "two_layer_regression", "features": features, "count": 5,
                             "train": 12, "valid": 6}},
        "evaluation": {"cache": "none"}, "search": {"population": number, "tournament": 2},
        "islands": {"migrants": 0}, "budget": {"individuals": 1e9},
    })  # fmt: skip
    genomes, starts, rows = evolved(config, 3 * number)
    programs = [from_arrays(*cpu.read_arrays(genomes, row, starts)) for row in rows]
    return programs, make_tasks(config, "search")


def noisy_reference(noise: float, seed: int):
    """Patches the reference interpreter: every result is off by up to that relative error."""
    rng, exact = np.random.default_rng(seed), reference.execute

    def execute(instruction, banks, draws):
        exact(instruction, banks, draws)
        output = get_op(instruction.op).output
        if output:
            bank = banks.bank(output)
            with np.errstate(all="ignore"):
                bank[instruction.out] *= 1 + noise * rng.uniform(
                    -1, 1, np.shape(bank[instruction.out])
                )

    return mock.patch.object(reference, "execute", execute)


def check_programs(features: int, dtype: str, number: int) -> tuple[int, int]:
    """Compares random programs with the reference; returns (fitnesses compared, of how many).

    Only where the reference's own fitness does not move when its results are slightly wrong: elsewhere
    rounding decides.
    """
    programs, tasks = random_programs(features, number)
    noise, tolerance = TOLERANCE[dtype]
    on_card = Evaluator(tasks, "cuda", dtype, seed_key=5, strict=dtype == "float64")
    plain = Evaluator(tasks, "reference", dtype, seed_key=5)
    compared = 0
    for program in programs:
        with np.errstate(all="ignore"):
            got, wanted = (e(program).task_fitness for e in (on_card, plain))
            stable = np.ones(len(got), bool)
            for seed in range(2):
                with noisy_reference(noise, seed):
                    stable &= np.abs(plain(program).task_fitness - wanted) <= tolerance
        if (np.abs(got - wanted) > tolerance)[stable].any():
            raise Disagrees(f"F = {features}, {dtype}: {got}, not {wanted}\n{program}")
        compared += int(stable.sum())
    total = len(programs) * tasks.num_tasks
    if compared < total / 2:
        raise Disagrees(f"F = {features}, {dtype}: only {compared} of {total} could be compared")
    return compared, total


def check(cases: Path | None, features: tuple[int, ...], number: int) -> dict[str, Any]:
    """Compares backend cuda with what is known to be right; raises Disagrees."""
    found: dict[str, Any] = {"random programs": {}}
    if cases:
        found["recorded cases"] = in_child(lambda: check_cases(cases))
    for f in features:
        for dtype in ("float64", "float32"):
            compared, total = in_child(lambda f=f, d=dtype: check_programs(f, d, number))
            found["random programs"][f"F = {f}, {dtype}"] = f"{compared} of {total}"
    return found


def workload(sizes: tuple[int, ...]) -> None:
    """Small work for compute-sanitizer: random programs through every path of the kernel.

    sizes: numbers of features.
    """
    machine = cuda.open_machine()
    print(f"on {machine.name}", flush=True)
    for features in sizes:
        programs, tasks = random_programs(features, 8)
        tasks = dataclasses.replace(tasks, epochs=2)
        names = [library.program(name) for name in library.names()]
        genomes, starts = cpu.genome_of(Program(), (12, 12, 24))
        for dtype in ("float32", "float64"):
            best = best_layout(features, dtype)
            for layout in (best, best.in_global_memory()):
                evaluator = CudaEvaluator(tasks, machine, dtype, key=1, layout=layout)
                streams, started = [machine.stream() for _ in range(2)], []
                for k, program in enumerate([*names, *programs]):
                    cpu.write_program(genomes, 0, starts, program)
                    encoded = Encoder(layout, starts)(genomes, np.zeros(3, np.int64))
                    started.append(evaluator.start(*encoded, streams[k % 2]))
                    started.append(evaluator.start(*encoded, streams[k % 2], steps=3, valid=2))
                for pending in started:
                    pending.result()
                print(f"F = {features}, {dtype}, shared {layout.shared}: done", flush=True)

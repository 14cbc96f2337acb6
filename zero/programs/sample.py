"""Random programs, drawn as random search draws them: what a search's outcome is set beside.

In plain Python, for a few thousand of them; a search over random programs alone is `search.method:
random_search` (`zero.search.random_search`), whose compiled twin of this is `zero.programs.mutations.create`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zero.programs.ops import get_op
from zero.programs.program import FUNCTIONS, Instruction, Program
from zero.rng.philox import key_for

if TYPE_CHECKING:
    from zero.programs.config import ProgramsConfig
    from zero.programs.domain import ProgramsDomain

SHARE = 0.05  # of the search's train steps that a sample takes
LEAST, MOST = 20, 2000  # programs


@dataclass(frozen=True, eq=False)
class Sample:
    """The search fitness (N,) of random programs, in the order in which they were drawn."""

    fitness: np.ndarray

    @property
    def best_so_far(self) -> tuple[np.ndarray, np.ndarray]:
        """How many were drawn, and the best of them, (N,) each."""
        return np.arange(1, len(self.fitness) + 1), np.maximum.accumulate(self.fitness)


def sampled(domain: ProgramsDomain, train_steps: int) -> Sample:
    """Returns random programs' fitness on a run's search tasks; the same for the same run.

    train_steps: of the search; the sample costs a small share of it.
    """
    evaluate = domain.evaluator("search", 0)
    tasks = evaluate.tasks
    each = max(1, tasks.num_tasks * tasks.train_x.shape[1] * tasks.epochs)
    count = int(min(MOST, max(LEAST, SHARE * train_steps / each)))
    rng = np.random.Generator(np.random.Philox(key=key_for(domain.config.seed, "sample")))
    programs = (random_program(domain.config, domain.initial, rng) for _ in range(count))
    return Sample(np.array([evaluate(program).fitness for program in programs]))


def random_program(config: ProgramsConfig, initial: Program, rng: np.random.Generator) -> Program:
    """Returns a program with sizes uniform between smallest and largest, and uniform instructions.

    Functions without ops keep the initial program's instructions.
    """
    made = {}
    for name in FUNCTIONS:
        settings = getattr(config.program, name)
        if not settings.ops:
            made[name] = getattr(initial, name)
            continue
        size = int(rng.integers(settings.size.min, settings.size.max + 1))
        stream = iter(range(size))
        made[name] = tuple(_instruction(config, settings.ops, rng, stream) for _ in range(size))
    return Program(**made)


def _instruction(
    config: ProgramsConfig, ops: Any, rng: np.random.Generator, stream: Any
) -> Instruction:
    memory = config.program.memory
    room = {"s": memory.scalars, "v": memory.vectors, "m": memory.matrices}
    op = get_op(ops[int(rng.integers(len(ops)))])
    read = [int(rng.integers(room[kind])) for kind in op.inputs]
    out = 0
    if op.output:
        # Never s0 or v0, which hold label and features.
        first = int(op.output != "m" and room[op.output] > 1)
        out = int(rng.integers(first, room[op.output]))
    constants = []
    for constant in op.constants:
        value = float(constant.low + rng.random() * (constant.high - constant.low))
        constants.append(float(np.float32(value)) if constant.single else value)
    in1, in2 = [*read, 0, 0][:2]
    return Instruction(op.name, in1, in2, out, tuple(constants), next(stream) if op.random else 0)

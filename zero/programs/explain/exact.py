"""The shortest form of a program that we can prove: every prediction keeps all its bits.

Beyond `zero.programs.simplified.simplify`, which drops what reaches no prediction: what is computed from
constants alone becomes a constant, what writes a value that is there already goes, and what computes a
value that another place holds goes where that place can be read instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from zero.programs.evaluator import Evaluation, Evaluator
from zero.programs.explain.values import Place, Spot, Values
from zero.programs.ops import get_op
from zero.programs.program import Instruction, Program
from zero.programs.simplified import live_positions
from zero.tasks import Labels
from zero.tasks.networks import Part

_Lines = list[list[tuple[int, Instruction]]]  # of each function: positions in the original


@dataclass(frozen=True)
class Exact:
    """A program in its shortest form.

    origins: for each function, where its instructions stood in the original. unused, folded, repeated:
    how many instructions reached no prediction, became constants, wrote what some place held already
    (the last and what was then unused count once, as repeated and unused).
    """

    program: Program
    origins: tuple[tuple[int, ...], ...]
    unused: int
    folded: int
    repeated: int


@dataclass(frozen=True)
class Proof:
    """Two programs evaluated on the same tasks: whether all errors agree in all bits, and how many."""

    holds: bool
    errors: int
    tasks: int


def exact(
    program: Program,
    dtype: str = "float64",
    labels: Labels = "scalar",
    part: Part = "predictor",
) -> Exact:
    """Returns the program's shortest form in arithmetic of that dtype.

    labels: of its tasks. part: what it is.

    Deterministic. A further call on the result changes nothing.

    Raises:
        ProgramError: the program is not valid in any memory.
    """
    lines: _Lines = [list(enumerate(f)) for f in program.functions]
    counts = {"folded": 0, "repeated": 0}
    # First, and so constants that predict sets again and again are left in setup.
    while (done := _drop_same(lines, Values(_program(lines), dtype, labels, part))) is not None:
        counts["repeated"] += 1
        lines = done
    lines = _live(lines, labels)
    while True:
        for what, rewrite in (("folded", _fold), ("repeated", _drop_same), ("repeated", _reuse)):
            done = rewrite(lines, Values(_program(lines), dtype, labels, part))
            if done is not None:
                counts[what] += 1
                lines = _live(done, labels)
                break
        else:
            break
    small = _program(lines)
    origins = tuple(tuple(k for k, _ in function) for function in lines)
    unused = len(program) - len(small) - counts["repeated"]
    return Exact(small, origins, unused, **counts)


def as_it_is(program: Program) -> Exact:
    """Returns a program as if it had no shorter form."""
    return Exact(program, tuple(tuple(range(len(f))) for f in program.functions), 0, 0, 0)


def prove(evaluate: Evaluator, program: Program, other: Program) -> tuple[Proof, Evaluation]:
    """Returns whether two programs err alike on every example, and the other's evaluation.

    evaluate: must keep errors.
    """
    one, two = evaluate(program), evaluate(other)
    assert one.errors is not None and two.errors is not None
    alike = np.array_equal(one.errors, two.errors, equal_nan=True)
    holds = bool(alike) and np.array_equal(one.task_fitness, two.task_fitness)
    return Proof(holds, one.errors.size, len(one.errors)), two


def _program(lines: _Lines) -> Program:
    return Program(*(tuple(i for _, i in function) for function in lines))


def _live(lines: _Lines, labels: Labels) -> _Lines:
    kept = live_positions(_program(lines), labels)
    return [[function[k] for k in at] for function, at in zip(lines, kept, strict=True)]


def _changed(lines: _Lines, change: Callable[[Spot, Instruction], Instruction | None]) -> _Lines:
    """Returns the lines with each instruction as `change` returns it; None: without it."""
    changed: _Lines = []
    for f, function in enumerate(lines):
        pairs = [(origin, change((f, k), i)) for k, (origin, i) in enumerate(function)]
        changed.append([(origin, i) for origin, i in pairs if i is not None])
    return changed


def _with(lines: _Lines, spot: Spot, new: Instruction | None) -> _Lines:
    return _changed(lines, lambda at, i: new if at == spot else i)


def _fold(lines: _Lines, values: Values) -> _Lines | None:
    """Returns the lines with one more scalar set to what it always is, None if there is none."""
    for step in values.steps:
        instruction = lines[step.spot[0]][step.spot[1]][1]
        number, op = values.number(step.value), get_op(instruction.op)
        if number is not None and op.output == "s" and op.kind != "const":
            return _with(
                lines,
                step.spot,
                Instruction("SCALAR_CONST_SET", out=instruction.out, constants=(number,)),
            )
    return None


def _drop_same(lines: _Lines, values: Values) -> _Lines | None:
    """Returns the lines without one that writes what its place holds, None if there is none."""
    for step in values.steps:
        if values.held(step.before, _written(lines, step.spot)) == step.value:
            return _with(lines, step.spot, None)
    return None


def _reuse(lines: _Lines, values: Values) -> _Lines | None:
    """Returns shorter lines, where a value is read from another place that holds it; None: none are."""
    length = sum(map(len, lines))
    for step in values.steps:
        place = _written(lines, step.spot)
        holders = [p for p, value in step.before.items() if value == step.value and p != place]
        for holder in sorted(h for h in holders if h[0] == place[0]):
            shorter = _live(_redirected(lines, values, place, holder), values.labels)
            if sum(map(len, shorter)) < length:
                return shorter
    return None


def _redirected(lines: _Lines, values: Values, place: Place, holder: Place) -> _Lines:
    """Returns the lines with `holder` read instead of `place` wherever both hold the same."""
    same = {
        step.spot
        for step in values.steps
        if values.held(step.before, place) == values.held(step.before, holder)
    }

    def change(at: Spot, instruction: Instruction) -> Instruction:
        if at not in same:
            return instruction
        kinds = (*get_op(instruction.op).inputs, "", "")
        addresses = (instruction.in1, instruction.in2)
        in1, in2 = (
            holder[1] if (k, a) == place else a for k, a in zip(kinds, addresses, strict=False)
        )
        return replace(instruction, in1=in1, in2=in2)

    return _changed(lines, change)


def _written(lines: _Lines, spot: Spot) -> Place:
    instruction = lines[spot[0]][spot[1]][1]
    return get_op(instruction.op).output, instruction.out

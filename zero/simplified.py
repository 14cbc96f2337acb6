"""One program without what changes no prediction, for people: in plain Python, so without compiling.

The same rule as `zero.simplify.mark_live`, which the search applies to every individual.
"""

from __future__ import annotations

from zero.ops import get_op, is_partial
from zero.program import Instruction, Program, memory_needed, validate_program

_Places = set[tuple[str, int]]  # types and addresses
_GIVEN: _Places = {("s", 0), ("v", 0)}  # set before predict and before learn
_PREDICTION: _Places = {("s", 1)}


def simplify(program: Program) -> Program:
    """Returns the program without the instructions that cannot affect any prediction.

    Exact: every prediction, and so the fitness, keeps all its bits.

    Raises:
        ProgramError: the program is not valid in any memory.
    """
    validate_program(program, memory_needed(program))
    setup, predict, learn = program.functions
    before_predict: _Places = set()
    before_learn: _Places = set()
    while True:
        known = before_predict, before_learn
        # The prediction is read after every predict; then follows learn, or predict again.
        after = before_predict | before_learn | _PREDICTION
        needed, live_predict = _backward(predict, after)
        before_predict = needed - _GIVEN
        needed, live_learn = _backward(learn, before_predict)
        before_learn = needed - _GIVEN
        if (before_predict, before_learn) == known:
            return Program(_backward(setup, before_predict)[1], live_predict, live_learn)


def _backward(
    function: tuple[Instruction, ...], after: _Places
) -> tuple[_Places, tuple[Instruction, ...]]:
    """Returns what must be there before a function, and its instructions that matter."""
    needed, live = set(after), []
    for instruction in reversed(function):
        op = get_op(instruction.op)
        written = (op.output, instruction.out)
        if written not in needed:
            continue
        live.append(instruction)
        if not is_partial(op):
            needed.discard(written)
        needed |= set(zip(op.inputs, (instruction.in1, instruction.in2), strict=False))
    return needed, tuple(reversed(live))

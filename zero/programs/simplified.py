"""One program without what changes no prediction, for people: in plain Python, so without compiling.

The same rule as `zero.programs.simplify.mark_live`, which the search applies to every individual.
"""

from __future__ import annotations

from zero.programs.ops import get_op, is_partial
from zero.programs.program import (
    CLASS_LABEL,
    CLASS_PREDICTION,
    FEATURES,
    LABEL,
    PREDICTION,
    Instruction,
    Program,
    memory_needed,
    validate_program,
)
from zero.tasks import Labels

_Places = set[tuple[str, int]]  # types and addresses
# What is set before predict and before learn, and what is read after predict, by the tasks' labels.
GIVEN: dict[Labels, _Places] = {
    "scalar": {("s", LABEL), ("v", FEATURES)},
    "vector": {("v", CLASS_LABEL), ("v", FEATURES)},
}
READ: dict[Labels, _Places] = {
    "scalar": {("s", PREDICTION)},
    "vector": {("v", CLASS_PREDICTION)},
}


def likely_labels(program: Program) -> Labels:
    """Returns the labels of the tasks that a program is probably for, where nothing else tells.

    One that writes no scalar prediction anywhere, but a vector one in predict, is for vector labels.
    """
    written = {(get_op(i.op).output, i.out) for function in program.functions for i in function}
    predicted = {(get_op(i.op).output, i.out) for i in program.predict}
    is_vector = not READ["scalar"] & written and READ["vector"] <= predicted
    return "vector" if is_vector else "scalar"


def simplify(program: Program, labels: Labels = "scalar") -> Program:
    """Returns the program without the instructions that cannot affect any prediction.

    labels: of the tasks that it is for (`TaskSet.labels`), which decide where its prediction is.
    Exact: every prediction, and so the fitness, keeps all its bits.

    Raises:
        ProgramError: the program is not valid in any memory.
    """
    kept = live_positions(program, labels)
    return Program(
        *(tuple(f[k] for k in at) for f, at in zip(program.functions, kept, strict=True))
    )


def live_positions(program: Program, labels: Labels = "scalar") -> tuple[tuple[int, ...], ...]:
    """Returns, for setup, predict and learn, the positions of the instructions that `simplify` keeps.

    Raises:
        ProgramError: the program is not valid in any memory.
    """
    validate_program(program, memory_needed(program))
    before, predict, learn = _flow(program.predict, program.learn, labels)
    return _backward(program.setup, before)[1], predict, learn


def departures(program: Program, epochs: int, labels: Labels = "scalar") -> list[str]:
    """Returns, in words, what a search counts in the program's fitness and a predictor's has not.

    A search validates after each of the epochs, memory lasts from row to row and from there into the
    next epoch; see `independent` of `zero.programs.evaluator.Evaluator`. Without any, both fitnesses
    are equal.
    """
    predict = program.predict
    _, live, _ = _flow(predict, (), labels)
    # What later rows, and the training after them, read of what predict wrote.
    lasting, writing, _ = _flow(predict, program.learn if epochs > 1 else (), labels)
    found = []
    if any((get_op(i.op).output, i.out) in lasting for i in (predict[k] for k in writing)):
        found.append("memory lasts from row to row")
    if any(get_op(predict[k].op).random for k in live):
        found.append("each row draws random numbers of its own")
    if epochs > 1:
        found.append(f"the best of {epochs} epochs counts")
    return found


def _flow(
    predict: tuple[Instruction, ...], learn: tuple[Instruction, ...], labels: Labels
) -> tuple[_Places, tuple[int, ...], tuple[int, ...]]:
    """Returns what must be there before predict, and the positions in both that matter."""
    before_predict: _Places = set()
    before_learn: _Places = set()
    while True:
        known = before_predict, before_learn
        # The prediction is read after every predict; then follows learn, or predict again.
        after = before_predict | before_learn | READ[labels]
        needed, live_predict = _backward(predict, after)
        before_predict = needed - GIVEN[labels]
        needed, live_learn = _backward(learn, before_predict)
        before_learn = needed - GIVEN[labels]
        if (before_predict, before_learn) == known:
            return before_predict, live_predict, live_learn


def _backward(function: tuple[Instruction, ...], after: _Places) -> tuple[_Places, tuple[int, ...]]:
    """Returns what must be there before a function, and the positions in it that matter."""
    needed, live = set(after), []
    for position, instruction in reversed(list(enumerate(function))):
        op = get_op(instruction.op)
        written = (op.output, instruction.out)
        if written not in needed:
            continue
        live.append(position)
        if not is_partial(op):
            needed.discard(written)
        needed |= set(zip(op.inputs, (instruction.in1, instruction.in2), strict=False))
    return needed, tuple(reversed(live))

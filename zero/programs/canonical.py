"""A program in canonical form: for telling whether two programs are the same in other words.

The rule is that of the search's own cache (`zero.programs.interpreter.frame`): without what changes no
prediction, addresses named in the order in which they are first met, operands of commutative ops in
order. Programs of one form give the same predictions, bit for bit; the reverse need not hold.
"""

from __future__ import annotations

from dataclasses import replace

from zero.programs.ops import get_op, is_commutative
from zero.programs.program import Instruction, Program, parse_program
from zero.programs.simplified import simplify
from zero.tasks import Labels

# The label, the prediction and the features keep theirs.
_GIVEN: dict[Labels, dict[str, list[int]]] = {
    "scalar": {"s": [0, 1], "v": [0], "m": []},
    "vector": {"s": [], "v": [0, 1, 2], "m": []},
}


def canonical(text: str, labels: Labels = "scalar") -> str:
    """Returns the canonical form of a program's text, as a text of a program that does the same.

    labels: of the tasks that it is for.

    Raises:
        ProgramError: it is no program, or has an op that is not known here.
    """
    return str(canonical_program(parse_program(text), labels))


def canonical_program(program: Program, labels: Labels = "scalar") -> Program:
    """Returns the program in canonical form.

    Raises:
        ProgramError: it is not valid in any memory.
    """
    names: dict[str, list[int]] = {kind: list(given) for kind, given in _GIVEN[labels].items()}

    def name(kind: str, address: int) -> int:
        met = names[kind]
        if address not in met:
            met.append(address)
        return met.index(address)

    def renamed(instruction: Instruction) -> Instruction:
        op = get_op(instruction.op)
        given = (instruction.in1, instruction.in2)
        operands = [name(kind, at) for kind, at in zip(op.inputs, given, strict=False)]
        if is_commutative(op):
            operands.sort()
        in1, in2 = (*operands, 0, 0)[:2]
        out = name(op.output, instruction.out) if op.output else 0
        return replace(instruction, in1=in1, in2=in2, out=out)

    functions = simplify(program, labels).functions
    return Program(*(tuple(map(renamed, function)) for function in functions))

"""What is exported: a program alone, or a trained one with all that is done before and after it.

Every form of export takes a `Source` and returns its file's content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from zero import __version__
from zero.errors import ProgramError
from zero.programs.model import TableModel
from zero.programs.ops import Op, get_op, is_partial
from zero.programs.program import (
    FEATURES,
    LABEL,
    PREDICTION,
    Instruction,
    Memory,
    Program,
    memory_needed,
)
from zero.programs.simplified import likely_labels, simplify

NO_VECTORS = (
    "its tasks have vector labels (classes), and exports know scalar ones only; its text is written by "
    "`zero show --raw`"
)
MAX_ABS_ERROR = 100.0  # training fails at an error above it, as in a search (spec, section 4)

# Set from outside before predict and before learn, so never kept from one row to the next.
GIVEN = (f"s{LABEL}", f"v{FEATURES}")


@dataclass(frozen=True, eq=False)
class Source:
    """See the module's docstring.

    program: without what changes no prediction. model: None for a program alone. name: an identifier.
    notes: figures and provenance, plain texts.
    """

    program: Program
    model: TableModel | None
    name: str
    notes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, what: Program | TableModel, name: str = "", about: Mapping[str, str] | None = None
    ) -> Source:
        """Returns the source of an export; about: further notes.

        Raises:
            ProgramError: the program is not valid in any memory.
        """
        notes = dict(about or {})
        if isinstance(what, Program):
            if likely_labels(what) == "vector":
                raise ProgramError(NO_VECTORS)
            return cls(simplify(what), None, identifier(name), notes | _made)
        notes = {**what.about, **notes, "problem": what.problem, "target": what.target} | _made
        return cls(what.trained.program, what, identifier(name), notes)

    @property
    def memory(self) -> Memory:
        """The addresses that the program uses."""
        return memory_needed(self.program)

    @property
    def variables(self) -> list[str]:
        """What lasts from row to row, such as s1 and v1."""
        memory = self.memory
        names = [f"{kind}{k}" for kind in "svm" for k in range(memory.of(kind))]
        return [name for name in names if name not in GIVEN]

    @property
    def dtype(self) -> np.dtype:
        """Of memory and arithmetic."""
        return np.dtype("float64" if self.model is None else self.model.trained.dtype)

    @property
    def random(self) -> bool:
        """Whether it draws random numbers."""
        return any(get_op(i.op).random for f in self.program.functions for i in f)


_made = {"made_with": f"zero {__version__}"}


def identifier(name: str) -> str:
    """Returns a name for code that is as near as can be: ASCII letters, digits and _."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return plain if plain and not plain[0].isdigit() else f"model_{plain}".rstrip("_")


def operands(instruction: Instruction) -> list[str]:
    """Returns what an instruction reads as operands, such as s2 and v0."""
    op = get_op(instruction.op)
    addresses = (instruction.in1, instruction.in2)
    return [f"{kind}{at}" for kind, at in zip(op.inputs, addresses, strict=False)]


def steps(function: tuple[Instruction, ...]) -> Iterator[tuple[Instruction, Op, str, list[str]]]:
    """Yields instruction, op, what it writes and its operands, of instructions that do something."""
    for instruction in function:
        op = get_op(instruction.op)
        if op.output:
            yield instruction, op, f"{op.output}{instruction.out}", operands(instruction)


def read_first(function: tuple[Instruction, ...]) -> list[str]:
    """Returns what a function reads before it writes it, in order."""
    read: list[str] = []
    written: set[str] = set()
    for _, op, out, inputs in steps(function):
        if is_partial(op):  # leaves the rest of what it writes
            inputs = [*inputs, out]
        read += [name for name in inputs if name not in written and name not in read]
        written.add(out)
    return sorted(read, key=_place)


def written(function: tuple[Instruction, ...]) -> list[str]:
    """Returns what a function writes, in order."""
    return sorted({out for _, _, out, _ in steps(function)}, key=_place)


def _place(name: str) -> tuple[int, int]:
    return "svm".index(name[0]), int(name[1:])


def value(instruction: Instruction, dtype: np.dtype) -> np.floating:
    """Returns the number that a const op writes."""
    with np.errstate(over="ignore"):
        return dtype.type(instruction.constants[-1])


def indices(instruction: Instruction, features: int) -> list[int]:
    """Returns where a const op writes it: its float32 fractions of F, truncated (spec, section 1)."""
    return [int(np.float32(features) * np.float32(x)) for x in instruction.constants[:-1]]


PREDICTED = f"s{PREDICTION}"

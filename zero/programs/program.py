"""Programs: three lists of instructions, their text form and their form as arrays.

An algorithm is setup, predict and learn (Real et al. 2020, section 3.1) over three banks of memory:
scalars `s`, vectors `v`, matrices `m`. s0 is the label, s1 the prediction, v0 the features; where labels are
vectors v1 is the label and v2 the prediction (`zero.programs.interpreter.reference.run`).

The text form is that of the original engine, printed exactly (constants are not rounded) and read
back to the identical program:

    def Setup():
      s2 = 0.01
    def Predict():
      s1 = dot(v1, v0)
    def Learn():
      s3 = s0 - s1
      ...

`#` starts a comment; spaces do not matter; a function may be left out when it is empty. The index in
`v1[0.625] = 0.5` is a fraction of the number of features, so that programs fit any size. A random
instruction may end in `stream=N`: which numbers it draws (see `zero.rng.philox`); without it, it gets the
first number free in its function.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from zero.errors import ProgramError, unknown_name
from zero.programs.ops import (
    OPS,
    Op,
    by_number,
    get_op,
)

FUNCTIONS = ("setup", "predict", "learn")
MAX_ADDRESSES = 64
MAX_STREAM = 2**15 - 1
MAX_SIZE = 1000  # instructions of one function (spec, section 3)

LABEL, PREDICTION, FEATURES = 0, 1, 0
# Vectors, where labels are vectors (classes): then s0 and s1 are scalars like all others.
CLASS_LABEL, CLASS_PREDICTION = 1, 2


@dataclass(frozen=True)
class Memory:
    """How many addresses each bank has: at least 2 scalars and 1 vector, at most 64 of each."""

    scalars: int
    vectors: int
    matrices: int

    def of(self, kind: str) -> int:
        """Returns the number of addresses of type "s", "v" or "m"."""
        return {"s": self.scalars, "v": self.vectors, "m": self.matrices}[kind]

    def __str__(self) -> str:
        return f"{self.scalars} scalars, {self.vectors} vectors, {self.matrices} matrices"


@dataclass(frozen=True)
class Instruction:
    """One instruction. Operands that the op does not have are 0, and so are constants.

    op: a name in the op table. in1, in2, out: addresses. constants: as the op's row says, float32
    values except for SCALAR_CONST_SET. stream: which random numbers a random op draws.
    """

    op: str
    in1: int = 0
    in2: int = 0
    out: int = 0
    constants: tuple[float, ...] = ()
    stream: int = 0

    def __str__(self) -> str:
        return format_instruction(self)

    def __eq__(self, other: object) -> bool:
        # Equality of bits: NaN equals NaN, -0.0 differs from 0.0.
        if not isinstance(other, Instruction):
            return NotImplemented
        mine = (self.op, self.in1, self.in2, self.out, self.stream)
        theirs = (other.op, other.in1, other.in2, other.out, other.stream)
        bits = [np.array(i.constants, dtype=np.float64).tobytes() for i in (self, other)]
        return mine == theirs and bits[0] == bits[1]

    def __hash__(self) -> int:
        return hash((self.op, self.in1, self.in2, self.out, self.stream, len(self.constants)))


class Instructions(tuple):
    """The instructions of a function; a tuple that says what it is where it is called."""

    __slots__ = ()

    def __call__(self, *args: object, **keywords: object) -> object:
        """Raises ProgramError: instructions are read, not called."""
        raise ProgramError(
            "setup, predict and learn of a program are its instructions and cannot be called; "
            "evaluate a program on tasks with zero.Evaluator(tasks)(program)"
        )


@dataclass(frozen=True, repr=False)
class Program:
    """An algorithm: setup runs once, then predict and learn for each example; str() is its text."""

    setup: tuple[Instruction, ...] = ()
    predict: tuple[Instruction, ...] = ()
    learn: tuple[Instruction, ...] = ()

    def __post_init__(self) -> None:
        for name in FUNCTIONS:
            object.__setattr__(self, name, Instructions(getattr(self, name)))

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(getattr(self, name))}" for name in FUNCTIONS)
        return f"<Program of {len(self)} instructions: {sizes}>"

    @property
    def functions(self) -> tuple[tuple[Instruction, ...], ...]:
        """Returns (setup, predict, learn)."""
        return self.setup, self.predict, self.learn

    def __len__(self) -> int:
        return sum(len(f) for f in self.functions)

    def __str__(self) -> str:
        return format_program(self)


def make_instruction(
    op: str, *addresses: int, constants: tuple[float, ...] = (), stream: int = 0
) -> Instruction:
    """Returns an instruction: operand addresses in order, then the output address.

    Raises:
        ProgramError: the number of addresses or constants does not fit the op.
    """
    row = get_op(op)
    expected = len(row.inputs) + (1 if row.output else 0)
    if len(addresses) != expected or len(constants) != len(row.constants):
        raise ProgramError(
            f"{row.name} takes {expected} address(es) and {len(row.constants)} constant(s), "
            f"got {len(addresses)} and {len(constants)}"
        )
    rounded = tuple(_rounded(x, c.single) for x, c in zip(constants, row.constants, strict=True))
    in1, in2, out = 0, 0, 0
    if row.output:
        out = addresses[-1]
    if row.inputs:
        in1 = addresses[0]
    if len(row.inputs) > 1:
        in2 = addresses[1]
    return Instruction(row.name, in1, in2, out, rounded, stream)


def _rounded(value: float, single: bool) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value)) if single else float(value)


# --- text ---------------------------------------------------------------------------------------


def _number_text(value: float, single: bool) -> str:
    """Returns the shortest text that reads back to the same bits."""
    text = str(np.float32(value)) if single else repr(float(value))
    return text.removesuffix(".0") if re.fullmatch(r"-?[1-9]\d*\.0", text) else text


def format_instruction(instruction: Instruction, show_stream: bool = True) -> str:
    """Returns the text of one instruction."""
    op = get_op(instruction.op)
    numbers = [
        _number_text(x, c.single) for x, c in zip(instruction.constants, op.constants, strict=True)
    ]
    text = op.listing.format(*numbers, o=instruction.out, a=instruction.in1, b=instruction.in2)
    if op.random and show_stream:
        text = f"{text[:-1]}, stream={instruction.stream})"
    return text


def format_program(program: Program) -> str:
    """Returns the program's text, ending in a newline; `parse_program` reads it back identically."""
    lines = []
    for name, instructions in zip(FUNCTIONS, program.functions, strict=True):
        lines.append(f"def {name.capitalize()}():")
        streams = [i.stream for i in instructions if get_op(i.op).random]
        # Streams counted up from 0 are what the parser gives to instructions without one.
        counted = streams == list(range(len(streams)))
        lines += ["  " + format_instruction(i, not counted) for i in instructions]
    return "\n".join(lines) + "\n"


_NUMBER = r"([-+]?(?:nan|inf|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))"


@cache
def _pattern(listing: str, random: bool) -> tuple[re.Pattern, tuple[str, ...]]:
    """Returns the regular expression of a listing without spaces, and what its groups hold."""
    order = re.findall(r"\{([oab012])\}", listing)
    text = re.escape(listing.replace(" ", ""))
    for field in order:
        number = field in "012"
        text = text.replace(rf"\{{{field}\}}", _NUMBER if number else r"(\d{1,5})", 1)
    if random:
        text = text[: -len(r"\)")] + r"(?:,stream=(\d{1,9}))?\)"
    return re.compile(text), tuple(order)


def parse_instruction(text: str) -> tuple[Instruction, bool]:
    """Returns the instruction and whether its stream was given.

    Raises:
        ProgramError: the text is no instruction of any op.
    """
    packed = re.sub(r"\s+", "", text)
    for op in OPS.values():
        pattern, order = _pattern(op.listing, op.random)
        match = pattern.fullmatch(packed)
        if match is None:
            continue
        groups = dict(zip(order, match.groups(), strict=False))
        constants = tuple(
            _rounded(float(groups[str(k)]), c.single) for k, c in enumerate(op.constants)
        )
        stream = match.group(len(order) + 1) if op.random else None
        if stream is not None and int(stream) > MAX_STREAM:
            raise ProgramError(f"'{text.strip()}': stream must be at most {MAX_STREAM}")
        address = {field: int(groups.get(field, 0)) for field in "abo"}
        return (
            Instruction(
                op.name, address["a"], address["b"], address["o"], constants, int(stream or 0)
            ),
            stream is not None,
        )
    raise ProgramError(f"'{text.strip()}' is no instruction; `zero list ops` shows their forms")


_HEADER = re.compile(r"def\s+(\w+)\s*\(\s*\)\s*:", re.IGNORECASE)


def parse_program(text: str, where: str = "program") -> Program:
    """Returns the program that a text describes.

    Args:
        text: the text form, see the module's docstring.
        where: named in errors, such as a file's name.

    Raises:
        ProgramError: with the line's number and what is wrong there.
    """
    functions: dict[str, list[tuple[Instruction, bool]]] = {}
    current = None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        header = _HEADER.fullmatch(line)
        try:
            if header:
                current = header.group(1).lower()
                if current not in FUNCTIONS:
                    raise ProgramError(unknown_name("function", header.group(1), FUNCTIONS))
                if current in functions:
                    raise ProgramError(f"'{header.group(1)}' is defined twice")
                functions[current] = []
            elif current is None:
                raise ProgramError(f"'{line}' stands before the first 'def Setup():'")
            else:
                functions[current].append(parse_instruction(line))
        except ProgramError as error:
            raise ProgramError(f"{where}:{number}: {error}") from None
    if not functions:
        raise ProgramError(f"{where}: no 'def Setup():', 'def Predict():' or 'def Learn():' found")
    try:
        return Program(*(_with_streams(name, functions.get(name, [])) for name in FUNCTIONS))
    except ProgramError as error:
        raise ProgramError(f"{where}: {error}") from None


def _with_streams(name: str, parsed: list[tuple[Instruction, bool]]) -> tuple[Instruction, ...]:
    given = [i.stream for i, has_stream in parsed if has_stream]
    if len(set(given)) < len(given):
        raise ProgramError(f"in {name}: two random instructions have the same stream")
    free = (n for n in range(MAX_STREAM + 1) if n not in set(given))
    result = []
    for instruction, has_stream in parsed:
        if OPS[instruction.op].random and not has_stream:
            fields = (instruction.op, 0, 0, instruction.out, instruction.constants, next(free))
            instruction = Instruction(*fields)
        result.append(instruction)
    return tuple(result)


# --- checks -------------------------------------------------------------------------------------


def validate_program(program: Program, memory: Memory) -> None:
    """Checks that the program runs in that memory.

    Raises:
        ProgramError: names the function, the instruction and the address that does not exist (there
            are never more than `MAX_ADDRESSES`), or the index that is no fraction of F.
    """
    for name, instructions in zip(FUNCTIONS, program.functions, strict=True):
        if len(instructions) > MAX_SIZE:
            raise ProgramError(
                f"{name} has {len(instructions)} instructions; at most {MAX_SIZE} are allowed"
            )
        streams: set[int] = set()
        for position, instruction in enumerate(instructions, 1):
            op = get_op(instruction.op)
            used = list(zip(op.inputs, (instruction.in1, instruction.in2), strict=False))
            if op.output:
                used.append((op.output, instruction.out))
            for kind, address in used:
                have = min(memory.of(kind), MAX_ADDRESSES)
                if not 0 <= address < have:
                    allowed = f"allowed: {kind}0 to {kind}{have - 1}" if have else "there are none"
                    raise ProgramError(
                        f"{name}, instruction {position} ({instruction}): no address "
                        f"{kind}{address} in memory ({allowed})"
                    )
            for constant, value in zip(op.constants, instruction.constants, strict=True):
                # Interpreters check no bounds; NaN fails this comparison too.
                if constant.alter == "redraw" and not constant.low <= value < constant.high:
                    raise ProgramError(
                        f"{name}, instruction {position} ({instruction}): {constant.name} "
                        f"{value:g} is outside [0, 1): write a fraction of the number of features"
                    )
            if op.random:
                if not 0 <= instruction.stream <= MAX_STREAM:
                    raise ProgramError(
                        f"{name}, instruction {position}: stream {instruction.stream} is outside "
                        f"0 to {MAX_STREAM}"
                    )
                if instruction.stream in streams:
                    raise ProgramError(
                        f"{name}, instruction {position} ({instruction}): stream "
                        f"{instruction.stream} is used twice in this function"
                    )
                streams.add(instruction.stream)


def memory_needed(program: Program, labels: str = "scalar") -> Memory:
    """Returns the smallest memory that the program runs in; labels: of the tasks (`TaskSet.labels`)."""
    need = {"s": 2, "v": 1 if labels == "scalar" else CLASS_PREDICTION + 1, "m": 0}
    for instruction in (i for f in program.functions for i in f):
        op = get_op(instruction.op)
        used = list(zip(op.inputs, (instruction.in1, instruction.in2), strict=False))
        if op.output:
            used.append((op.output, instruction.out))
        for kind, address in used:
            need[kind] = max(need[kind], address + 1)
    return Memory(need["s"], need["v"], need["m"])


# --- arrays -------------------------------------------------------------------------------------


def to_arrays(program: Program) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns (code (n, 4) int16, constants (n, 3) float64, sizes (3,) int16).

    A row of `code` is op number, in1, in2, out; `in1` of a random op holds its stream. Rows are
    setup, predict, learn one after the other; `sizes` says how many belong to each.
    """
    instructions = [i for f in program.functions for i in f]
    code = np.zeros((len(instructions), 4), dtype=np.int16)
    constants = np.zeros((len(instructions), 3), dtype=np.float64)
    for row, instruction in enumerate(instructions):
        op = get_op(instruction.op)
        in1 = instruction.stream if op.random else instruction.in1
        code[row] = op.number, in1, instruction.in2, instruction.out
        constants[row, : len(instruction.constants)] = instruction.constants
    sizes = np.array([len(f) for f in program.functions], dtype=np.int16)
    return code, constants, sizes


def from_arrays(
    code: np.ndarray, constants: np.ndarray, sizes: np.ndarray, ops: list[Op] | None = None
) -> Program:
    """Returns the program that `to_arrays` made these from.

    Args:
        code, constants, sizes: as returned by `to_arrays`; further rows are ignored.
        ops: the ops by number, when the arrays come from a file with its own table of names.
    """
    ops = ops or by_number()
    functions, row = [], 0
    for size in sizes:
        instructions = []
        for _ in range(int(size)):
            number, in1, in2, out = (int(x) for x in code[row])
            op = ops[number]
            values = tuple(float(x) for x in constants[row, : len(op.constants)])
            stream = in1 if op.random else 0
            first = 0 if op.random else in1
            instructions.append(Instruction(op.name, first, in2, out, values, stream))
            row += 1
        functions.append(tuple(instructions))
    return Program(*functions)

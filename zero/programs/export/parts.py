"""A program that is an optimiser or a loss, as one Python module that needs NumPy alone.

Every parameter, and every output, has vectors and matrices of one element, so that all ops go element by
element: one line serves arrays of any shape.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pprint import pformat

from zero.errors import ConfigError, ProgramError
from zero.programs.export.source import Source, steps, value
from zero.programs.ops import FUNCTIONS, Op
from zero.programs.program import Instruction, Program
from zero.tasks.networks import Part

# Of one element each op is a formula over the operands a and b.
_OF_ONE = {
    "inner": "a * b", "outer": "a * b", "matvec": "a * b", "matmul": "a * b", "fill_columns": "a",
    "fill_rows": "a", "transpose": "a",
}  # fmt: skip

_OPTIMIZER = '''"""An optimiser, {name}: steps from gradients, parameter by parameter; needs NumPy alone.

    optimizer = Optimizer()
    weights -= optimizer.step(gradient)  # arrays of one shape, again and again
"""

import numpy as np

NOTES = {notes}


class Optimizer:
    """What it remembers of the parameters of one array; make one for each array."""

    def __init__(self):
        {first} = (np.float64(0),) * {count}
        with np.errstate(all="ignore"):{setup}
        self.memory = {rest}

    def step(self, gradient):
        """Returns what to subtract from the parameters: an array like their gradient."""
        gradient = np.asarray(gradient)
        {rest} = self.memory
        with np.errstate(all="ignore"):
            s0 = v0 = gradient{predict}
            found = s1{learn}
        self.memory = {rest}
        return np.array(np.broadcast_to(found, gradient.shape), gradient.dtype)
'''

_LOSS = '''"""A loss, {name}: its derivative by the output of a two-class network; needs NumPy alone."""

import numpy as np

NOTES = {notes}


def derivative(labels, outputs):
    """Returns the derivatives by the outputs: an array like these.

    labels: -1 or 1, of the outputs' shape. An output above 0 means the class 1.
    """
    outputs = np.asarray(outputs)
    {first} = (np.float64(0),) * {count}
    with np.errstate(all="ignore"):{setup}
        s0, s1, v0 = np.asarray(labels), outputs, outputs{predict}
    return np.array(np.broadcast_to(s1, outputs.shape), outputs.dtype)
'''


def to_python(program: Program, part: Part, name: str, about: Mapping[str, str]) -> str:
    """Returns the module's text; name: of what is exported, about: notes that it keeps.

    Raises:
        ProgramError: the program draws random numbers.
    """
    source = Source.of(program, name, about)
    if source.random:
        raise ProgramError(f"this {part} draws random numbers, which Python's form of it cannot")
    names = ["s0", "v0", *source.variables]
    deep = 12 if part == "optimizer" else 8
    blocks = {}
    for function in ("setup", "predict", "learn"):
        lines = _lines(getattr(source.program, function))
        if function == "learn" and lines:
            lines = ["s0 = v0 = gradient", *lines]
        if function == "setup" and part == "optimizer" and not lines:
            lines = ["pass"]
        blocks[function] = "".join(f"\n{' ' * deep}{line}" for line in lines)
    rest = f"({', '.join(source.variables)},)"
    text = _OPTIMIZER if part == "optimizer" else _LOSS
    return text.format(
        name=source.name, notes=pformat(dict(source.notes), width=96), first=", ".join(names),
        count=len(names), rest=rest, **blocks,
    )  # fmt: skip


def check_form(part: Part, form: str) -> None:
    """Raises ConfigError for a form of export that takes predictors only."""
    if form not in ("python", "json"):
        raise ConfigError(
            f"the form {form} is for predictors, and this program is a{'n' * (part[0] in 'aeiou')} {part}; "
            "give --to python (a module that does its part in training) or json"
        )


def _lines(function: tuple[Instruction, ...]) -> list[str]:
    return [
        f"{out} = {_expression(op, instruction, inputs)}"
        for instruction, op, out, inputs in steps(function)
    ]


def _expression(op: Op, instruction: Instruction, inputs: list[str]) -> str:
    if op.kind == "const":
        import numpy as np

        return f"np.float64({float(value(instruction, np.dtype('float64')))!r})"
    if op.kind.startswith("reduce"):
        a = inputs[0]
        named = {"sum": a, "squares": f"({a} * {a})", "n": "1.0"}
        return _named(op.formula, named)
    return _named(_OF_ONE.get(op.kind, op.formula), dict(zip("ab", inputs, strict=False)))


def _named(formula: str, names: Mapping[str, str]) -> str:
    """Returns a formula of the op table over these expressions, in NumPy's names."""

    class Renamed(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            text = f"np.{node.id}" if node.id in FUNCTIONS else names[node.id]
            return ast.parse(text, mode="eval").body

    return ast.unparse(Renamed().visit(ast.parse(formula, mode="eval")))

"""What each instruction and each constant of a program is worth: the fitness that is lost without it."""

from __future__ import annotations

from dataclasses import dataclass

from zero.programs.explain.edits import Knob, knobs, with_constants, without
from zero.programs.explain.measure import Difference, Evaluations, Meter, difference
from zero.programs.explain.values import Spot
from zero.programs.program import Program

# What is done to a constant to see whether it matters, by name.
CHANGES = {"halved": 0.5, "doubled": 2.0, "zero": 0.0}


@dataclass(frozen=True)
class ConstantWorth:
    """Fitness lost when a constant is changed, by the names in `CHANGES`."""

    knob: Knob
    lost: dict[str, Difference]

    @property
    def matters(self) -> bool:
        """Whether any of the changes certainly changes the fitness."""
        return any(loss.certain for loss in self.lost.values())


@dataclass(frozen=True)
class Worth:
    """What the parts of a program are worth; parts that no evaluations were left for are missing.

    base: the program's own evaluations. instructions: fitness lost without each, negative where the
    program does better without it. complete: whether all was measured.
    """

    base: Evaluations
    instructions: dict[Spot, Difference]
    constants: list[ConstantWorth]
    complete: bool


def worth(program: Program, meter: Meter, base: Evaluations) -> Worth:
    """Returns what the parts of a program are worth on the meter's tasks.

    Instructions come first, then constants that are not zero. base: the program's evaluations by this meter.
    """
    lost: dict[Spot, Difference] = {}
    spots = [(f, k) for f, function in enumerate(program.functions) for k in range(len(function))]
    for spot in spots:
        if meter.spent:
            return Worth(base, lost, [], False)
        lost[spot] = difference(meter.tasks, base, meter(without(program, spot)))
    constants: list[ConstantWorth] = []
    for knob in knobs(program):
        if knob.value == 0.0:  # nothing that these changes change
            continue
        changed = {}
        for name, factor in CHANGES.items():
            if meter.spent:
                return Worth(base, lost, constants, False)
            other = meter(with_constants(program, [(knob, knob.value * factor)]))
            changed[name] = difference(meter.tasks, base, other)
        constants.append(ConstantWorth(knob, changed))
    return Worth(base, lost, constants, True)

"""Tuning a program's constants: on some tasks, so that others can tell what it gained.

As in the paper (spec, section 9.3) each constant is scaled by a log-uniform factor from 1/1000 to 1000;
with half of the evaluations. The others go from the best of these to one nearby, step by step: a (1+1)
evolution strategy on the logarithms, whose step size follows the rule of one success in five.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zero.data.splits import rng_for
from zero.errors import ProgramError
from zero.programs.explain.edits import Knob, knobs, with_constants
from zero.programs.explain.measure import Difference, Evaluations, Meter, difference, fitness_of
from zero.programs.program import Program

_DECADES = 3.0  # of a factor, each way
_FIRST_STEP, _LONGER, _SHORTER = 0.3, 1.5, 1.5**-0.25  # in decades; after a success, a failure


@dataclass(frozen=True)
class Tuned:
    """A program with constants that do better on the tasks that they were tuned on, or as it was.

    changed: constants and their new values, none if no others were better. base, best: evaluations of
    the program before and now, on these tasks; gain: by how much it is fitter on them now, which the choice
    of the best flatters. evaluations: how many were made.
    """

    program: Program
    changed: list[tuple[Knob, float]]
    base: Evaluations
    best: Evaluations
    gain: Difference
    evaluations: int


def tune(program: Program, meter: Meter, base: Evaluations, seed: int = 0) -> Tuned:
    """Returns the program with the best constants found on the meter's tasks within its evaluations.

    Constants keep their sign, and those that are 0 stay. The same arguments give the same result.

    base: the program's evaluations by this meter.

    Raises:
        ProgramError: the program has no constant that is not 0.
    """
    tuned = [knob for knob in knobs(program) if knob.value != 0.0]
    if not tuned:
        raise ProgramError("the program has no constants to tune (other than 0)")
    rng = rng_for("tune", seed)
    best, fitness = np.zeros(len(tuned)), fitness_of(base)
    evaluations, found = base, program
    step, near_from = _FIRST_STEP, meter.made + (meter.most - meter.made) // 2
    while not meter.spent:
        near = meter.made >= near_from
        if near:
            factors = best + step * rng.standard_normal(len(tuned))
        else:
            factors = rng.uniform(-_DECADES, _DECADES, len(tuned))
        other = with_constants(program, _scaled(tuned, factors))
        its = meter(other)
        better = fitness_of(its) > fitness
        if better:
            best, fitness, evaluations, found = factors, fitness_of(its), its, other
        if near:
            step *= _LONGER if better else _SHORTER
    changed = [] if found is program else _scaled(tuned, best)
    gain = difference(meter.tasks, evaluations, base)
    return Tuned(found, changed, base, evaluations, gain, meter.made)


def _scaled(tuned: list[Knob], decades: np.ndarray) -> list[tuple[Knob, float]]:
    return [(k, k.value * 10.0 ** float(d)) for k, d in zip(tuned, decades, strict=True)]

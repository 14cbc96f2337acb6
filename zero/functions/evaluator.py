"""Evaluates formulas: fits their constants, and measures the worst error."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from zero.errors import ZeroError
from zero.evolution.object_island import Measured, ObjectIsland
from zero.functions import constants
from zero.functions.compiled import module
from zero.functions.formula import SEPARATOR, Formula, code_of
from zero.functions.records import RawFormula
from zero.functions.targets import Points, chebyshev
from zero.rng import splitmix

EVERY = 4  # least squares take each fourth point
LEVELS = 12  # steps of `zero.functions.fitting.level`
KINDRED = 4  # starts from a parent's constants, the first of them with those as they are
_NEAR, _FAR = 0.3, 2.0  # how far others are from them, and new ones from 1: in logarithms


class FormulaEvaluator:
    """See the module's docstring; a `zero.evolution.object_island.ObjectEvaluator`.

    Args:
        settings: the section `functions`.
    """

    def __init__(self, settings: Any):
        self.settings = settings
        self.points: Points = chebyshev(settings.target, settings.points)

    def key(self, genome: Formula) -> str:
        """Returns the formula's text: equal formulas are written in the same way."""
        return SEPARATOR.join(genome)

    def begin(self, genome: Formula, seed: int, name: str, parent: Any = None) -> Measured:
        """Returns the formula's fitted constants as a trial.

        parent: the record of the formula that it was made from, None = none.

        Raises:
            ZeroError: it has no value at some of the points, or is off by a factor of 1e100.
        """
        rng = np.array([seed], dtype=np.uint64)  # a key of this purpose alone
        code, own, points = code_of(genome), self.settings, self.points
        given = np.zeros((0, code.constants))
        if parent is not None and parent.constants:
            given = _kindred(parent, genome, rng)
        high, low = np.zeros(code.constants), np.zeros(code.constants)
        error = module().fit(
            code.ops, code.left, code.right, points.x, points.f, points.f_low, points.scale,
            EVERY, given, own.starts, own.steps, LEVELS, rng, high, low,
        )  # fmt: skip
        if not error < 1e100:
            raise ZeroError("it has no value at some points")
        trial = Measured(-math.log10(max(error, 1e-40)))
        trial.error, trial.constants = error, constants.to_text(high, low)  # type: ignore[attr-defined]
        return trial


def _kindred(parent: Any, child: Formula, rng: np.ndarray) -> np.ndarray:
    """Returns starts from a parent's constants, float64 (`KINDRED`, n)."""
    formula = tuple(parent.text.split())
    known = np.array([float(word) for word in parent.constants.split()])
    taken = constants.carried(formula, known, child)
    found = np.empty((KINDRED, len(taken)))
    for k in range(KINDRED):
        for j, value in enumerate(taken.tolist()):
            if math.isnan(value):
                value = math.exp(_FAR * splitmix.normal(rng))
                value *= -1.0 if splitmix.unit(rng) < 0.5 else 1.0
            elif k > 0:
                value = math.sinh(math.asinh(value) + _NEAR * splitmix.normal(rng))
            found[k, j] = value
    return found


class FormulaIsland(ObjectIsland):
    """An island of formulas; see `zero.evolution.object_island.ObjectIsland`.

    Formulas of as many operations and the same error are the same function in other words; of these only so
    many count (`functions.alike`), so that no population fills with one. Others have fitness -inf.
    """

    record_type = RawFormula
    section = "functions"

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.alike: Counter[tuple[int, int]] = Counter()  # operations, digits -> how many

    def _before(self, genome: Formula, record: Any) -> None:
        record.operations = len(genome)

    def _inheritance(self, record: Any) -> Any:
        parent = self.records.get(record.parent)
        return parent if parent is not None and math.isfinite(parent.error) else None

    def _finished(self, trial: Any, record: Any) -> None:
        record.error, record.constants = trial.error, trial.constants
        what = _digits(record)
        self.alike[what] += 1
        most = self.evaluator.settings.alike
        if self.alike[what] > most:
            record.fitness, record.reason = -math.inf, f"computes what {most} others compute"

    def _take_own_state(self, state: dict[str, Any]) -> None:
        super()._take_own_state(state)
        own = (r for r in self.records.values() if r.island == self.index and r.same_as < 0)
        self.alike = Counter(_digits(r) for r in own if math.isfinite(r.error))


def _digits(record: Any) -> tuple[int, int]:
    return record.operations, round(1000 * math.log10(max(record.error, 1e-40)))

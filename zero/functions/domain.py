"""Runs over formulas: from a config to islands, and the check of what was found.

The same config gives the same archive, byte for byte, on machines of one kind.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

from zero.evolution.object_island import Rules
from zero.functions.checking import check
from zero.functions.config import FunctionsConfig
from zero.functions.evaluator import FormulaEvaluator, FormulaIsland
from zero.functions.formula import Formula
from zero.functions.records import FormulaRecord
from zero.functions.space import FormulaSpace
from zero.functions.targets import TARGETS
from zero.runs.domain import Conclusion, Score
from zero.runs.folder import RunFolder
from zero.runs.object_domain import ObjectDomain


class FunctionsDomain(ObjectDomain):
    """What a run over formulas is made of; see `zero.runs.domain.Domain`."""

    island, record = FormulaIsland, FormulaRecord
    config: FunctionsConfig

    def __init__(self, config: FunctionsConfig):
        self.config, self.own = config, config.functions

    @cached_property
    def search_space(self) -> FormulaSpace:
        """The formulas that a search may visit."""
        return FormulaSpace(self.own.operations, self.own.operators)

    @cached_property
    def evaluator(self) -> FormulaEvaluator:
        """Fits and measures."""
        return FormulaEvaluator(self.own)

    @property
    def rules(self) -> Rules:
        """What counts."""
        return Rules(self.own.objective)

    def notes(self) -> list[str]:
        """Returns what is computed, and where."""
        target = TARGETS[self.own.target]
        return [f"{target.text}; errors are relative to it"]

    def _warm_up(self) -> None:
        super()._warm_up()
        formula: Formula = ("x*c", "t0+c")
        self.evaluator.begin(formula, 0, "warm up")

    def conclude(
        self, best: Any, number: int, experiments: Any, final_state: Any, folder: RunFolder
    ) -> Conclusion:
        """Checks the outcome at many points."""
        known = self.outline(best, folder)
        error = check(self.own.target, known.outcome, best.constants).error
        final = -math.log10(max(error, 1e-40)) if math.isfinite(error) else -40.0
        results = {**known.results, "final": {"fitness": final}}
        return Conclusion(known.outcome, Score(final), {}, results, known.details)

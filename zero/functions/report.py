"""What a run over formulas has to report: the front of errors and operations, and the formulas as Python."""

from __future__ import annotations

from typing import Any

from zero.functions import source
from zero.functions.checking import POINTS
from zero.functions.targets import TARGETS
from zero.functions.view import rows_of, target_of
from zero.runs.reports import common
from zero.runs.reports.common import RunFiles
from zero.runs.reports.parts import Code, Commands, Report, Section, Table


def report(run: RunFiles, drawn: dict[str, Any]) -> Report:
    """Returns the report on a run; drawn: its pictures."""
    target = target_of(run.data)
    if not target:
        return common.basic(run)
    records = [r for e in run.data.experiments for r in e.records]
    rows = rows_of(target, records)
    columns = ("operations", "worst error", "in float64", "record", "formula")
    about = (
        f"Worst errors at {POINTS:,} points of one distance, relative to the function: with constants and "
        "arithmetic of 32 digits, and in float64."
    )
    best = run.best
    answer = (
        f"The most accurate of {run.individuals:,} formulas computes {TARGETS[target].text} with "
        f"{best.operations} operations to {best.error:.3g}."
    )
    return Report(
        f"{TARGETS[target].text}: formulas of few operations, run {run.name}",
        [
            common.asked(run),
            Section("The front", [
                *filter(None, [common.unfinished(run)]), about, Table(columns, rows),
                common.picture(drawn["pareto"], "pareto", "Formulas by operations and digits."),
            ]),
            Section("The most accurate formula", [
                Code(source.python(target, tuple(best.text.split()), best.constants)),
                Commands([
                    (f"zero show {run.path}#ID", "prints another one, with its errors"),
                    (f"zero export {run.path}#ID -o {target}.c", "writes it as C, or as Python"),
                ]),
            ]),
            common.progress(run, drawn),
            *common.ancestry(run, drawn),
            common.checked(run),
            common.cost(run),
            common.reproduced(run),
        ],
        answer,
    )  # fmt: skip

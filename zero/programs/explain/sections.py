"""An explanation as sections: what each shows people, and what it is as JSON.

Whoever explains something puts the sections that fit into a list; what is not known has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from zero.errors import visible
from zero.programs.explain.columns import MOST_SHOWN, Importances
from zero.programs.explain.exact import Exact, Proof
from zero.programs.explain.lineage import Arrival
from zero.programs.explain.measure import Difference, Evaluations, fitness_of
from zero.programs.explain.motifs import Motif
from zero.programs.explain.values import Spot
from zero.programs.explain.worth import CHANGES, Worth
from zero.programs.program import FUNCTIONS, Program, format_instruction
from zero.runs.reports.parts import Bullets, Part, Table
from zero.runs.tables import json_number, shown_fitness


@dataclass(frozen=True)
class Section:
    """A part of an explanation; key: its name in JSON, data: what it is there. parts: for people."""

    key: str
    data: Any
    parts: list[Part]


def of_form(program: Program, found: Exact, proof: Proof | None) -> Section:
    """Returns the section on the shortest form of a program; proof: on tasks, if there are any."""
    counts = [
        (found.unused, "reach no prediction"),
        (found.folded, "always give the same number and became constants"),
        (found.repeated, "write what is there already or stands elsewhere"),
    ]
    said = [f"{number} {what}" for number, what in counts if number]
    proven = ""
    if proof:
        proven = (
            f" Evaluated again on {proof.tasks:,} select tasks: all {proof.errors:,} errors agree bit for "
            "bit."
            if proof.holds
            else " A shorter form gave other errors on the select tasks, which is a mistake of zero: please "
            "report this program."
        )

    left = f"{len(found.program)} of {len(program)} instructions are left"
    sentence = f"{left}{': ' if said else ''}{'; '.join(said)}.{proven}"
    data: dict[str, Any] = {
        "instructions": len(program),
        "left": len(found.program),
        "unused": found.unused,
        "folded": found.folded,
        "repeated": found.repeated,
        "proof": proof and vars(proof),
    }
    return Section("simplification", data, [sentence])


def of_fitness(base: Evaluations, tasks: int, chance: float) -> Section:
    """Returns the section on how fit the program is on its select tasks."""
    fitness = fitness_of(base)
    over = f"{tasks:,} task{'s' * (tasks > 1)}"
    if len(base) > 1:
        over += f" and {len(base)} seeds of its random draws"

    sentence = f"select fitness: {shown_fitness(fitness)} over {over}; chance {chance:.4f}"
    data = {"fitness": fitness, "tasks": tasks, "seeds": len(base), "chance": chance}
    return Section("select", data, [sentence])


def of_program(program: Program, worth: Worth | None, motifs: Sequence[Motif]) -> Section:
    """Returns the section with the program's text: beside each instruction its worth and motifs."""
    lost = worth.instructions if worth else {}
    names = {spot: _unique(m.name for m in motifs if spot in m.spots) for spot in _spots(program)}

    columns = ("instruction", "part of", *(("lost without", "+-") if worth else ()))
    rows: list[tuple[str, ...]] = []
    for f, name in enumerate(FUNCTIONS):
        rows.append((f"def {name.capitalize()}():", *[""] * (len(columns) - 1)))
        for k, instruction in enumerate(program.functions[f]):
            figures = _figures(lost.get((f, k))) if worth else ()
            text = f"  {format_instruction(instruction, show_stream=False)}"
            rows.append((text, ", ".join(names[f, k]), *figures))
    parts: list[Part] = [Table(columns, rows, 2 if worth else 0, code=True)]
    if worth:
        parts.append(
            "Lost without: the select fitness lost when the instruction alone is taken out, and half "
            "of the 95 % interval over the tasks."
        )
        harmful = [spot for spot, loss in lost.items() if loss.high < 0.0]
        if harmful:
            texts = "; ".join(_text(program, spot) for spot in harmful)
            parts.append(f"Fitter without it, by more than chance: {texts}")
        if not worth.complete:
            parts.append("The evaluations did not suffice for all of it; --evaluations gives more.")

    data = [
        {
            "function": FUNCTIONS[spot[0]],
            "instruction": _text(program, spot),
            "lost": as_json(lost.get(spot)),
            "motifs": names[spot],
        }
        for spot in _spots(program)
    ]
    return Section("program", data, parts)


def of_motifs(program: Program, motifs: Sequence[Motif]) -> Section:
    """Returns the section on known pieces, in sentences."""
    parts: list[Part] = ["No piece of it is one that has a name here."]
    if motifs:
        parts = ["Pieces that have a name:", Bullets([f"{m.name}: {m.sentence}" for m in motifs])]
    data = [
        {
            "name": m.name,
            "sentence": m.sentence,
            "instructions": [[FUNCTIONS[s[0]], _text(program, s)] for s in m.spots],
        }
        for m in motifs
    ]
    return Section("motifs", data, parts)


def of_constants(program: Program, worth: Worth) -> Section:
    """Returns the section on which constants matter."""
    rows = [(c, _text(program, c.knob.spot)) for c in worth.constants]

    parts: list[Part] = ["No constant other than 0 was measured."]
    if rows:
        table = [
            (
                f"{c.knob.name} of {text}",
                *(f"{c.lost[name].value:.4f}" for name in CHANGES),
                "yes" if c.matters else "no",
            )
            for c, text in rows
        ]
        parts = [
            "Select fitness lost when a constant is halved, doubled or 0:",
            Table(("constant", *CHANGES, "matters"), table),
        ]
    data = [
        {
            "function": FUNCTIONS[c.knob.spot[0]],
            "instruction": text,
            "constant": c.knob.name,
            "value": json_number(c.knob.value),
            "lost": {name: as_json(loss) for name, loss in c.lost.items()},
            "matters": c.matters,
        }
        for c, text in rows
    ]
    return Section("constants", data, parts)


def of_columns(found: Importances) -> Section:
    """Returns the section on which columns of a table count, the `MOST_SHOWN` largest."""
    shown = found.columns[:MOST_SHOWN]
    left = len(found.columns) - len(shown)

    parts: list[Part] = [
        f"Which columns count: how much worse the {found.metric} ({found.score:.4g}) of the trained "
        f"program is on {found.rows:,} test rows with a column's cells shuffled; columns that say the "
        "same can stand in for each other.",
        Table(
            ("column", found.metric + " lost", "95 % interval over shuffles"),
            [(visible(c.column), f"{c.lost:.3g}", f"{c.low:.3g} to {c.high:.3g}") for c in shown],
            2,
        ),
    ]
    if left:
        parts.append(f"{left} more columns count less.")
    data = {
        "metric": found.metric,
        "score": found.score,
        "rows": found.rows,
        "columns": [
            {"column": c.column, "lost": c.lost, "interval": [c.low, c.high]} for c in shown
        ],
    }
    return Section("columns", data, parts)


def of_lineage(program: Program, arrivals: Sequence[Arrival]) -> Section:
    """Returns the section on where each instruction came in."""
    parts: list[Part] = [
        "Where each came in: the record from which on it stayed, with the search fitness of that record "
        "and what it gained over the one before.",
        Table(
            ("record", "mutation", "search", "gained", "came in"),
            [
                (str(a.record), a.mutation, _four(a.after), _four(a.gained),
                 "; ".join(_text(program, spot) for spot in a.spots))
                for a in arrivals
            ],
        ),
    ]  # fmt: skip
    data = [
        {
            "record": a.record,
            "individuals": a.individuals,
            "mutation": a.mutation,
            "before": json_number(a.before),
            "after": json_number(a.after),
            "instructions": [[FUNCTIONS[s[0]], _text(program, s)] for s in a.spots],
        }
        for a in arrivals
    ]
    return Section("lineage", data, parts)


def _spots(program: Program) -> list[Spot]:
    return [(f, k) for f, function in enumerate(program.functions) for k in range(len(function))]


def _text(program: Program, spot: Spot) -> str:
    return format_instruction(program.functions[spot[0]][spot[1]], show_stream=False)


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _figures(loss: Difference | None) -> tuple[str, str]:
    return ("-", "-") if loss is None else (_four(loss.value), _four(loss.high - loss.value))


def _four(value: float) -> str:
    """Returns a fitness with four decimals, no -0.0000, '-' for none."""
    return "-" if value != value else f"{round(value, 4) + 0.0:.4f}"


def as_json(loss: Difference | None) -> dict[str, Any] | None:
    """Returns a difference for JSON, None for none."""
    return {"value": loss.value, "interval": [loss.low, loss.high]} if loss else None

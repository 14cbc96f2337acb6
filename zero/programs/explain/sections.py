"""An explanation as sections: what each prints for people, and what it is as JSON.

Whoever explains something puts the sections that fit into a list; what is not known has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
from zero.runs.tables import json_number, print_paragraph, print_table, shown_fitness


@dataclass(frozen=True)
class Section:
    """A part of an explanation; key: its name in JSON. show: prints it."""

    key: str
    data: Any
    show: Callable[[], None]


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

    def show() -> None:
        left = f"{len(found.program)} of {len(program)} instructions are left"
        print_paragraph(f"{left}{': ' if said else ''}{'; '.join(said)}.{proven}")

    data: dict[str, Any] = {
        "instructions": len(program),
        "left": len(found.program),
        "unused": found.unused,
        "folded": found.folded,
        "repeated": found.repeated,
        "proof": proof and vars(proof),
    }
    return Section("simplification", data, show)


def of_fitness(base: Evaluations, tasks: int, chance: float) -> Section:
    """Returns the section on how fit the program is on its select tasks."""
    fitness = fitness_of(base)
    over = f"{tasks:,} task{'s' * (tasks > 1)}"
    if len(base) > 1:
        over += f" and {len(base)} seeds of its random draws"

    def show() -> None:
        print_paragraph(
            f"select fitness: {shown_fitness(fitness)} over {over}; chance {chance:.4f}"
        )

    data = {"fitness": fitness, "tasks": tasks, "seeds": len(base), "chance": chance}
    return Section("select", data, show)


def of_program(program: Program, worth: Worth | None, motifs: Sequence[Motif]) -> Section:
    """Returns the section with the program's text: beside each instruction its worth and motifs."""
    lost = worth.instructions if worth else {}
    names = {spot: _unique(m.name for m in motifs if spot in m.spots) for spot in _spots(program)}

    def show() -> None:
        columns = ("instruction", *(("lost without", "+-") if worth else ()), "part of")
        rows: list[tuple[str, ...]] = []
        for f, name in enumerate(FUNCTIONS):
            rows.append((f"def {name.capitalize()}():", *[""] * (len(columns) - 1)))
            for k, instruction in enumerate(program.functions[f]):
                figures = _figures(lost.get((f, k))) if worth else ()
                text = f"  {format_instruction(instruction, show_stream=False)}"
                rows.append((text, *figures, ", ".join(names[f, k])))
        print_table(columns, rows)
        if worth:
            print()
            print_paragraph(
                "Lost without: the select fitness lost when the instruction alone is taken out, and half "
                "of the 95 % interval over the tasks."
            )
            harmful = [spot for spot, loss in lost.items() if loss.high < 0.0]
            if harmful:
                texts = "; ".join(_text(program, spot) for spot in harmful)
                print_paragraph(f"Fitter without it, by more than chance: {texts}")
            if not worth.complete:
                print_paragraph(
                    "The evaluations did not suffice for all of it; --evaluations gives more."
                )

    data = [
        {
            "function": FUNCTIONS[spot[0]],
            "instruction": _text(program, spot),
            "lost": as_json(lost.get(spot)),
            "motifs": names[spot],
        }
        for spot in _spots(program)
    ]
    return Section("program", data, show)


def of_motifs(program: Program, motifs: Sequence[Motif]) -> Section:
    """Returns the section on known pieces, in sentences."""

    def show() -> None:
        if motifs:
            print("Pieces that have a name:")
        for motif in motifs:
            print_paragraph(f"{motif.name}: {motif.sentence}", "* ", "  ")
        if not motifs:
            print_paragraph("No piece of it is one that has a name here.")

    data = [
        {
            "name": m.name,
            "sentence": m.sentence,
            "instructions": [[FUNCTIONS[s[0]], _text(program, s)] for s in m.spots],
        }
        for m in motifs
    ]
    return Section("motifs", data, show)


def of_constants(program: Program, worth: Worth) -> Section:
    """Returns the section on which constants matter."""
    rows = [(c, _text(program, c.knob.spot)) for c in worth.constants]

    def show() -> None:
        if not rows:
            print_paragraph("No constant other than 0 was measured.")
            return
        print_paragraph("Select fitness lost when a constant is halved, doubled or 0:")
        columns = ("constant", *CHANGES, "matters")
        print_table(
            columns,
            [
                (
                    f"{c.knob.name} of {text}",
                    *(f"{c.lost[name].value:.4f}" for name in CHANGES),
                    "yes" if c.matters else "no",
                )
                for c, text in rows
            ],
        )

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
    return Section("constants", data, show)


def of_columns(found: Importances) -> Section:
    """Returns the section on which columns of a table count, the `MOST_SHOWN` largest."""
    shown = found.columns[:MOST_SHOWN]
    left = len(found.columns) - len(shown)

    def show() -> None:
        print_paragraph(
            f"Which columns count: how much worse the {found.metric} ({found.score:.4g}) of the trained "
            f"program is on {found.rows:,} test rows with a column's cells shuffled; columns that say the "
            "same can stand in for each other."
        )
        print_table(
            ("column", found.metric + " lost", "95 % interval over shuffles"),
            [(visible(c.column), f"{c.lost:.3g}", f"{c.low:.3g} to {c.high:.3g}") for c in shown],
        )
        if left:
            print_paragraph(f"{left} more columns count less.")

    data = {
        "metric": found.metric,
        "score": found.score,
        "rows": found.rows,
        "columns": [
            {"column": c.column, "lost": c.lost, "interval": [c.low, c.high]} for c in shown
        ],
    }
    return Section("columns", data, show)


def of_lineage(program: Program, arrivals: Sequence[Arrival]) -> Section:
    """Returns the section on where each instruction came in."""

    def show() -> None:
        print_paragraph(
            "Where each came in: the record from which on it stayed, with the search fitness of that record "
            "and what it gained over the one before."
        )
        print_table(
            ("record", "mutation", "search", "gained", "came in"),
            [
                (str(a.record), a.mutation, _four(a.after), _four(a.gained),
                 "; ".join(_text(program, spot) for spot in a.spots))
                for a in arrivals
            ],
        )  # fmt: skip

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
    return Section("lineage", data, show)


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

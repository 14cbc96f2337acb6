"""What people are told of programs: a run's outcome, its figures beside chance, one record."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import Any

from zero.errors import visible
from zero.runs.tables import (
    Whole,
    json_number,
    print_pairs,
    print_paragraph,
    print_table,
    shown_fitness,
)
from zero.runs.view import View

# What is told of a run over a table beside its fitness, see `zero.programs.scores.compare`.
SCORES = ("accuracy", "balanced_accuracy", "roc_auc", "log_loss", "rmse", "r2", "mae")
OF_TABLES = ("scores", "intervals", "differences", "said", "kept_notes", "not_kept")


def _print_scores(table: dict[str, Any]) -> None:
    """Prints scores on the test rows after training on all others, beside known predictors.

    table: what `zero.programs.domain.ProgramsDomain` tells of a model that it keeps, or of none.
    """
    if "not_kept" in table:
        print_paragraph(f"no model is kept: {table['not_kept']}")
    scores = table.get("scores")
    if not scores:
        return
    print()
    names = [name for name in SCORES if name in scores["this program"]]
    intervals = table.get("intervals", {})
    rows: list[tuple[str, ...]] = []
    # An archive does not keep their order.
    for name in sorted(scores, key=lambda n: (n != "this program", n)):
        found = scores[name]
        rows.append((name, *(_score(found[k]) if k in found else "-" for k in names)))
        own = intervals.get(name)
        if own:
            ends = (own.get(k) for k in names)
            rows.append(("", *(f"{_score(e[0])} to {_score(e[1])}" if e else "" for e in ends)))
    print_table(
        ("trained on all but the test rows", *(name.replace("_", " ") for name in names)), rows
    )
    if intervals:
        print("below each: 95 % interval over the test rows")
    for sentence in (*table.get("kept_notes", ()), *table.get("said", ())):
        print_paragraph(sentence, "* ", "  ")


def _print_if_shipped(program: Any, labels: Any) -> None:
    """Says so where a run's outcome is a program that comes with zero."""
    from zero.programs import library
    from zero.programs.simplified import simplify

    for name in library.names():
        if simplify(library.program(name), labels) == simplify(program, labels):
            print_paragraph(
                f"this is the shipped program '{name}': nothing else that was found did better on the "
                "select tasks"
            )


def _score(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


class ProgramsView(View):
    """See `zero.runs.view.View`."""

    noun = "program"

    def event(self, outcome: Any) -> dict[str, Any]:
        """Returns what the JSON line of a run's end says of the program that was found."""
        return {
            **figures_event(outcome),
            "program": outcome.program and str(outcome.program),
            "simplified": outcome.program and simplified(str(outcome.program), _labels_of(outcome)),
        }

    def print_outcome(self, outcome: Any) -> None:
        """Prints the program that a run found and its figures."""
        if outcome.program is None:
            print("no program was evaluated")
            return
        labels = _labels_of(outcome)
        print(f"\n{simplified(str(outcome.program), labels)}")
        _print_if_shipped(outcome.program, labels)
        print_table(*outcome_table(outcome))
        if outcome.final:
            final = {**outcome.details, "fitness": outcome.final.fitness}
            final["chance"] = outcome.details["chance"]["final"]
            for note in filter(None, [found_on_note(outcome.details), *notes(final)]):
                print_paragraph(note)
            _print_scores(outcome.details)
        print()

    def print_training(self, found: Any, as_json: bool) -> None:
        """Prints the scores of a program that was trained, and what to do with it."""
        if as_json:
            print(json.dumps({"event": "outcome", **vars(found), "folder": str(found.folder)}))
            return
        quoted = shlex.quote(str(found.folder))
        rows = [
            ("program", f"{found.genome} ({counted(found.program)})"),
            ("predicts", f"'{visible(found.target)}', {found.problem}"),
            ("rows", ", ".join(f"{name} {count:,}" for name, count in found.rows.items())),
            ("epochs", f"{found.epochs:,}"),
            ("folder", Whole(found.folder)),
            ("predict with", Whole(f"zero predict {quoted} NEW.csv")),
            ("export with", Whole(f"zero export {quoted} -o model.py")),
        ]
        _print_scores(found.table)
        print()
        print_pairs(rows)

    def show_training(self, folder: Path) -> None:
        """Prints a program that was trained, and its scores."""
        from zero.programs.training import read_trained

        found = read_trained(folder)
        print(simplified(found.program), end="")
        self.print_training(found, False)

    def searches(self, settings: dict[str, Any]) -> list[str]:
        """Returns what each island searches, none where all search the same."""
        from zero.tasks.read import in_words  # what it imports takes long

        return in_words(settings)

    def setting_rows(self, settings: dict[str, Any]) -> list[tuple[str, str]]:
        """Returns what each island searches, where they search different tasks."""
        return [(f"searches {n}", text) for n, text in enumerate(self.searches(settings), 1)]

    def figure_rows(self, path: Path, data: Any, record: Any) -> list[tuple[str, str]]:
        """Returns the figures of a run's best program."""
        from zero.tasks import PURPOSES  # what it imports takes long

        results = data.results
        if results and results["final"]:
            rows = [
                (f"{name} fitness", with_chance(spread(results[name]), results[name]))
                for name in PURPOSES
            ]
            found_on = [("", found_on_note(results["search"]))] if results["search"] else []
            rows[1:1] = [row for row in found_on if row[1]]
            return rows + [("", note) for note in notes(results["final"])]
        rows = [
            ("search fitness", shown_fitness(record.fitness)),
            ("select fitness", shown_fitness(record.select_fitness)),
        ]
        if results:
            rows.append(("final fitness", f"not yet; `zero resume {path}` goes on to it"))
        return rows

    def print_run(self, path: Path, data: Any, record: Any, lineage: bool, raw: bool) -> None:
        """Prints the best program of a run, and how its experiments went."""
        text = data.results["program"] if data.results else record.text
        _print_program(f"record {record.id}", text, raw, labels_of_run(data))
        print()
        print_table(
            ("experiment", "ended", "individuals", "train steps", "search", "select", "record"),
            [
                (n, s.reason or "not yet", f"{s.individuals:,}", f"{s.train_steps:,}",
                 shown_fitness(s.search_fitness), shown_fitness(s.select_fitness),
                 "-" if s.candidate < 0 else s.candidate)
                for n, s in enumerate((e.summary for e in data.experiments), 1)
            ],
        )  # fmt: skip
        if data.results:
            _print_scores(data.results.get("table", {}))
        if lineage:
            print()
            self.print_lineage(data, record.id)
            print(f"\nthe program of one of them: zero show '{path}#RECORD'")

    def print_record(self, path: Path, data: Any, record: Any, lineage: bool, raw: bool) -> None:
        """Prints one record: its figures as a comment, then the program's text."""
        from zero.programs.ops import get_op
        from zero.programs.program import from_arrays

        ops = [get_op(op) for op in data.ops]
        program = from_arrays(record.code, record.consts, record.sizes, ops)
        print_paragraph(_record_line(record), "# ")  # a comment: the output is a program's text
        print(program if raw else simplified(str(program), labels_of_run(data)), end="")
        if lineage:
            print()
            self.print_lineage(data, record.id)

    def print_lineage(self, data: Any, record_id: int) -> None:
        """Prints the records that one descends from, oldest first."""
        from zero.runs.archive import lineage

        chain = lineage(data, record_id)
        # Most steps change nothing that is measured: the first, the last and the others are shown.
        shown = [
            record
            for before, record in zip([None, *chain], chain, strict=False)
            if before is None or record is chain[-1] or record.fitness != before.fitness
        ]
        print(f"lineage: {len(shown)} of {len(chain)} records, those that changed the fitness")
        print_table(
            ("record", "island", "individuals", "mutation", "search", "select"),
            [
                (r.id, r.island, f"{r.individuals:,}", r.mutation, shown_fitness(r.fitness),
                 shown_fitness(r.select_fitness))
                for r in shown
            ],
        )  # fmt: skip

    def print_checked(self, domain: Any) -> None:
        """Prints the sizes of the tasks, and what chance gives on them."""
        from zero.programs.figures import chance, chance_name, part_of

        rows = []
        for name, purpose, searched in sets_of(domain):
            tasks = domain.tasks(purpose, 0, searched)
            sizes = (tasks.train_x.shape[1], tasks.valid_x.shape[1], tasks.train_x.shape[2])
            rows.append((name, tasks.num_tasks, *sizes, shown_fitness(chance(tasks).mean())))
        print_table(("tasks", "count", "train", "valid", "features", "chance"), rows)
        name = chance_name(tasks.metric, part_of(tasks))
        what = f"of {name}" if tasks.training else f"of a predictor that says {name}"
        print(f"chance: the mean fitness {what}")


def sets_of(domain: Any) -> list[tuple[str, str, int]]:
    """Returns of each set of a run's tasks its name, purpose and number; one for all that islands search."""
    tasks_of = domain.tasks_of_islands()
    found = []
    for k in domain.searched:
        islands = ", ".join(str(n) for n, mine in enumerate(tasks_of) if mine == k)
        whose = f" (island{'s' * (tasks_of.count(k) > 1)} {islands})" * (len(domain.searched) > 1)
        found.append((f"search{whose}", "search", k))
    return [*found, ("select", "select", 0), ("final", "final", 0)]


def labels_of_run(data: Any) -> Any:
    """Returns the labels of an archive's tasks, None if they are not known here."""
    from zero.config import yaml
    from zero.tasks.read import labels_in

    return labels_in(yaml.parse(data.config, "config").data)


def _labels_of(outcome: Any) -> Any:
    return outcome.details.get("labels", "scalar")


def simplified(text: str, labels: Any = None) -> str:
    """Returns a program's text without dead instructions; as it is if its ops are unknown here.

    labels: of its tasks; None: as `likely_labels` of `zero.programs.simplified` says.
    """
    from zero.errors import ProgramError
    from zero.programs.program import parse_program

    try:
        program = parse_program(text)
    except ProgramError:  # ops of the user's own, which only the run's config imports
        return text
    from zero.programs.simplified import likely_labels, simplify

    return str(simplify(program, labels or likely_labels(program)))


def counted(program: Any) -> str:
    """Returns in words how many instructions a program or its text has."""
    length = sum(line.startswith(" ") for line in str(program).splitlines())
    return "1 instruction" if length == 1 else f"{length} instructions"


def spread(part: dict[str, Any] | None) -> str:
    """Returns a set's fitness, and how it varies over tasks."""
    if part is None:
        return "-"
    tasks = part["task_fitness"]
    if len(tasks) < 2:
        return shown_fitness(part["fitness"])
    low, high = (shown_fitness(f(tasks)) for f in (min, max))
    return f"{shown_fitness(part['fitness'])}  ({len(tasks)} tasks: {low} to {high})"


def _print_program(name: str, text: str, raw: bool, labels: Any = None) -> None:
    """Prints a program under a line that says what it is; raw: as it was found."""
    short = simplified(text, labels)
    title = f"program ({name}, {counted(text)})"
    if not raw and short != text:
        title = (
            f"program ({name}, {counted(short)}; as found {counted(text)}, of which the others "
            "change no prediction: --raw)"
        )
    print()
    print_paragraph(f"{title}:")
    print(text if raw else short, end="")


def _record_line(record: Any) -> str:
    parent = f", parent {record.parent}" if record.parent >= 0 else ""
    return (
        f"record {record.id}: search fitness {shown_fitness(record.fitness)}, select fitness "
        f"{shown_fitness(record.select_fitness)}, individual {record.individuals:,} of island "
        f"{record.island}{parent}"
    )


# --- figures ----------------------------------------------------------------------------------------


def outcome_table(outcome: Any) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Returns headings and rows: the discovered program, the shipped ones, chance."""
    from zero.tasks import PURPOSES  # what it imports takes long

    headings = ("program", *(f"{purpose} fitness" for purpose in PURPOSES))
    rows = [("discovered", *map(shown_fitness, figures(outcome).values()))]
    rows += [
        (f"{name} (shipped)", "", *map(shown_fitness, pair))
        for name, pair in outcome.baselines.items()
    ]
    if chance := outcome.details.get("chance"):
        named = f"({_chance_name(outcome.details)})"
        rows.append((named, *(shown_fitness(chance[purpose]) for purpose in PURPOSES)))
    return headings, rows


def figures(outcome: Any) -> dict[str, float]:
    """Returns search, select and final fitness; NaN where it is not known."""
    return {
        "search": outcome.search_fitness,
        "select": outcome.select_fitness,
        "final": outcome.final.fitness if outcome.final else math.nan,
    }


def figures_event(outcome: Any) -> dict[str, Any]:
    """Returns the same for a line of JSON."""
    event: dict[str, Any] = {
        f"{name}_fitness": json_number(f) for name, f in figures(outcome).items()
    }
    event["baselines"] = {
        name: {"select_fitness": select, "final_fitness": final}
        for name, (select, final) in outcome.baselines.items()
    }
    keys = (
        "chance",
        "part",
        "interval",
        "lasting_fitness",
        "order_matters",
        "departures",
        "found_on",
        *OF_TABLES,
    )
    return event | {key: outcome.details[key] for key in keys if key in outcome.details}


def notes(final: dict[str, Any]) -> list[str]:
    """Returns what a person must be told of a final figure; final: from `ProgramsDomain.figures`.

    A run of an older version has no such parts, and no notes.
    """
    if "interval" not in final:
        return []
    low, high = final["interval"]
    over = "tasks" if "part" in final else "examples"
    said = [f"final fitness, 95 % interval over the {over}: {low:.4f} to {high:.4f}"]
    if low <= final["chance"]:
        always = _chance_name(final)
        who = always if final.get("part") == "optimizer" else f"a predictor that says {always}"
        said.append(f"not beyond chance: {who} has {final['chance']:.4f}")
    if final["order_matters"]:
        why = "; ".join(final.get("departures", ["memory lasts from row to row"]))
        said.append(
            f"counted as in the search ({why}) the final fitness would be "
            f"{final['lasting_fitness']:.4f}; that of a predictor, row by row after all training, is "
            f"{final['fitness']:.4f}"
        )
    return said


def found_on_note(search: dict[str, Any]) -> str:
    """Returns on which tasks a search fitness is, where islands search different ones; else "".

    search: of an archive's results, or an outcome's details.
    """
    found_on = search.get("found_on")
    return f"search fitness is on the tasks of {found_on}" if found_on else ""


def with_chance(shown: str, part: dict[str, Any] | None) -> str:
    """Returns a figure as shown, and what chance gives on the same tasks."""
    if not part or "chance" not in part:
        return shown
    return f"{shown}; {_chance_name(part)}: {shown_fitness(part['chance'])}"


def _chance_name(part: dict[str, Any]) -> str:
    from zero.programs.figures import chance_name  # what it imports takes long

    return chance_name(part["metric"], part.get("part", "predictor"))

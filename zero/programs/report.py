"""What there is to report on a run over programs: its figures, what each part is worth, its tasks."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero.errors import ZeroError, visible
from zero.programs.sample import Sample, sampled
from zero.programs.view import SCORES, counted, found_on_note, notes, sets_of, simplified
from zero.runs.reports import charts, common
from zero.runs.reports.common import RunFiles
from zero.runs.reports.parts import Bullets, Code, Commands, Pairs, Part, Report, Section, Table
from zero.runs.tables import shown_fitness
from zero.tasks.read import labels_in, searched

if TYPE_CHECKING:
    from zero.programs.domain import ProgramsDomain

MOST_EVALUATIONS = 300  # to measure what parts are worth, as `zero explain` makes
SHARE = 0.02  # of the search's train steps that these may take, but for
LEAST_EVALUATIONS = 30
_WHAT = {"optimizer": "an optimiser", "loss": "a loss"}
MOST_COLUMNS = 40  # of a table, and classes, that are listed


def report(run: RunFiles, domain: ProgramsDomain | None) -> Report:
    """Returns the report.

    domain: of the run; None: it is made anew, from the run's config. Where that cannot be (a table is gone),
    what needs the tasks is left out, and the report says so.
    """
    why = ""
    if domain is None:
        domain, why = _domain(run)
    sample = _sampled(run, domain)
    drawn = pictures(run)
    if sample is not None and not run.random_searches:
        drawn["curve"] = common.curve(
            run, sample.best_so_far, f"{len(sample.fitness):,} random programs"
        )
    text = simplified(run.results.get("program", run.best.text), labels_in(run.settings))
    found: list[Part] = [*filter(None, [common.unfinished(run)]), Code(text)]
    final = run.results.get("final")
    part = (final or {}).get("part", "predictor")
    if final:
        found.append(Bullets(notes(final)))
    return Report(
        _question(run),
        [
            common.asked(run, [("predict", what) for what in _tasks_in_words(run)]),
            Section(f"The program: {counted(text)}", found),
            Section("How good it is", _figures(run, sample)),
            *_test_rows(run.results.get("table") or {}, drawn),
            *_explained(run, domain, why, drawn),
            common.progress(run, drawn),
            *_data(run, domain, why),
            Section("Use it", [Commands(_uses(run.path, part))]),
            common.checked(run),
            common.cost(run),
            common.reproduced(run),
        ],
        _answer(run, text),
    )


def of_training(path: Path) -> Report:
    """Returns the report on the training of one program on a table, from its folder."""
    from zero.programs import pictures as of_rows
    from zero.programs.training import read_trained

    found = read_trained(path)
    text, target = simplified(found.program), visible(found.target)
    sentences = [f"Trained for {found.epochs:,} epochs on {found.rows['trained on']:,} rows"]
    sentences += found.table.get("said", ())
    rows = [("predicts", f"{target}, {found.problem}"), ("epochs", f"{found.epochs:,}")]
    rows += [(f"rows {name}", f"{count:,}") for name, count in found.rows.items()]
    config = shlex.quote(str(path / "config.yaml"))
    again = f"zero train {shlex.quote(found.genome)} {config} --out AGAIN"
    return Report(
        f"{found.genome} trained to predict {target}: the training {path.resolve().name}",
        [
            Section(f"The program: {counted(text)}", [Code(text), Pairs(rows)]),
            *_test_rows(found.table, of_rows.pictures(path)),
            Section("Use it", [Commands(_uses(path))]),
            Section("How to reproduce it", [Commands([(again, "the same training once more:")])]),
        ],
        " ".join(f"{text[:1].upper()}{text[1:]}." for text in sentences),
    )


def pictures(run: RunFiles) -> dict[str, Any]:
    """Returns what can be drawn of a run, those of a table's test rows first where it keeps some."""
    from zero.programs import pictures as of_rows
    from zero.programs.predicted_rows import FILE

    rows = of_rows.pictures(run.path) if (run.path / FILE).is_file() else {}
    sizes = common.costs(run, lambda record: float(sum(record.sizes)), lambda r: r.fitness)
    return {
        **rows,
        **common.pictures(run),
        "pareto": charts.pareto(*sizes, "instructions, as found", "search fitness"),
    }


# --- the question and the answer ------------------------------------------------------------------------


def _question(run: RunFiles) -> str:
    task = (searched(run.settings) or [{}])[0]
    name = run.settings.get("name")
    if task.get("type") == "table":
        return (
            f"{name}: a learning algorithm for {visible(str(task.get('target')))}, run {run.name}"
        )
    what = _WHAT.get((run.results.get("final") or {}).get("part", ""), "a learning algorithm")
    return f"{name}: {what} for tasks of the family {task.get('type')}, run {run.name}"


def _tasks_in_words(run: RunFiles) -> list[str]:
    task = (searched(run.settings) or [{}])[0]
    if task.get("type") == "table":
        where = Path(str(task["path"])).name if task.get("path") else "arrays that it was given"
        return [
            f"{visible(str(task.get('target')))} of {where} ({task.get('problem') or 'as its values say'})"
        ]
    given = ", ".join(
        f"{k} {v}" for k, v in task.items() if k != "type" and v not in (None, [], False)
    )
    return [f"tasks of the family {task.get('type')}: {given}"]


def _answer(run: RunFiles, text: str) -> str:
    final, results = run.results.get("final"), run.results
    size = f"A program of {counted(text)}"
    if not final:
        best = run.best
        fitness = shown_fitness(best.fitness)
        return f"{size} has search fitness {fitness} so far; there is no final figure yet."
    low, high = final.get("interval", (None, None))
    said = f"{size} has final fitness {common.first_sentence(final['fitness'], low, high)}"
    said += (
        f" on tasks that nothing in the search saw; chance has {final['chance']:.4f}"
        if "chance" in final
        else ""
    )
    others = {name: pair["final"] for name, pair in (results.get("baselines") or {}).items()}
    if others:
        best = max(others, key=lambda name: others[name])
        said += f", the shipped program '{best}' {others[best]:.4f}"
    sentences = [said, *(results.get("table") or {}).get("said", ())]
    return " ".join(f"{text[:1].upper()}{text[1:]}." for text in sentences)


# --- figures --------------------------------------------------------------------------------------------


def _sampled(run: RunFiles, domain: ProgramsDomain | None) -> Sample | None:
    """Returns random programs to compare with; none of a backend on which they would take long."""
    if domain is None or domain.backend.slow:
        return None
    try:
        return sampled(domain, run.train_steps)
    except ZeroError:  # the tasks cannot be made here
        return None


def _figures(run: RunFiles, sample: Sample | None) -> list[Part]:
    results = run.results
    if not results:
        return [Pairs(run.view.figure_rows(run.path, run.data, run.best))]

    def of(purpose: str, key: str = "fitness") -> str:
        part = results.get(purpose) or {}
        return shown_fitness(float(part[key])) if key in part else "-"

    purposes = ("search", "select", "final")
    rows: list[tuple[str, ...]] = [("discovered", *(of(p) for p in purposes))]
    for name, pair in sorted((results.get("baselines") or {}).items()):
        rows.append(
            (f"{name} (shipped)", "", *(shown_fitness(float(pair[p])) for p in ("select", "final")))
        )
    found_on = found_on_note(results.get("search") or {})
    if sample is not None and not found_on:  # which is on the first tasks
        best = shown_fitness(float(sample.fitness.max()))
        rows.append((f"best of {len(sample.fitness):,} random programs", best, "", ""))
    if any("chance" in (results.get(p) or {}) for p in purposes):
        rows.append(("chance", *(of(p, "chance") for p in purposes)))
    parts: list[Part] = [Table(("program", *(f"{p} fitness" for p in purposes)), rows, 3)]
    spread = [
        (f"{p} tasks", f"{len(part['task_fitness']):,}: from {min(part['task_fitness']):.4f} to "
                       f"{max(part['task_fitness']):.4f}")
        for p in purposes if (part := results.get(p)) and len(part["task_fitness"]) > 1
    ]  # fmt: skip
    parts += [Pairs(spread)] if spread else []
    parts += [f"{found_on[:1].upper()}{found_on[1:]}."] if found_on else []
    parts.append(
        "The search maximised the first figure, and the outcome was chosen by the second: both flatter. "
        "Only the final one is of tasks that decided nothing."
    )
    return parts


def _test_rows(table: dict[str, Any], drawn: dict[str, Any]) -> list[Section]:
    """Returns the section on a table's test rows: scores with intervals, and pictures.

    table: what `zero.programs.scores.compare` found.
    """
    scores = table.get("scores")
    parts: list[Part] = []
    if table.get("not_kept"):
        parts.append(f"No model is kept: {table['not_kept']}")
    if scores:
        names = [name for name in SCORES if name in scores["this program"]]
        intervals = table.get("intervals", {})

        def cell(who: str, name: str) -> str:
            if name not in scores[who]:
                return "-"
            ends = intervals.get(who, {}).get(name)
            low_high = "" if ends is None else f"\n({ends[0]:.3g} to {ends[1]:.3g})"
            return f"{scores[who][name]:.4g}{low_high}"

        order = sorted(scores, key=lambda who: (who != "this program", who))
        rows = [(who, *(cell(who, name) for name in names)) for who in order]
        heads = ("trained on all but the test rows", *(name.replace("_", " ") for name in names))
        parts += [Table(heads, rows, len(names)), "Below each: 95 % interval over the test rows."]
        said = [*table.get("kept_notes", ()), *table.get("said", ())]
        parts += [Bullets(said)] if said else []
    about = {"roc": "ROC curves on the test rows, beside logistic regression.",
             "confusion": "How many test rows of each class are said to be of which.",
             "calibration": "Whether chances that are told come true.",
             "residuals": "Target minus prediction, beside ridge regression."}  # fmt: skip
    parts += [
        common.picture(drawn[name], name, text) for name, text in about.items() if name in drawn
    ]
    return [Section("On the table's test rows", parts)] if parts else []


# --- what its parts are worth -----------------------------------------------------------------------------


def _domain(run: RunFiles) -> tuple[ProgramsDomain | None, str]:
    """Returns the run's domain, made anew, or None and why that cannot be."""
    from zero.config.load import load_config
    from zero.programs.domain import ProgramsDomain

    try:
        config: Any = load_config(str(run.path / run.folder.CONFIG))
        domain = ProgramsDomain(config)
        domain.tasks("select", 0)
        return domain, ""
    except ZeroError as error:
        return None, str(error).splitlines()[0]


def _explained(
    run: RunFiles, domain: ProgramsDomain | None, why: str, drawn: dict[str, Any]
) -> list[Section]:
    """Returns the sections on what parts of the program are worth, and where they came from."""
    from zero.programs.explain.lineage import chain_of
    from zero.programs.explain.report import explain
    from zero.programs.model import FILE, load_model

    came = common.ancestry(run, drawn)
    try:
        chain = chain_of(run.data, run.best.id)
        is_kept = domain is not None and (run.path / FILE).is_file()
        kept = load_model(run.path / FILE) if is_kept else None
        program = chain[-1][1]
        found = explain(program, domain, _evaluations(run, domain), chain, kept=kept)
    except ZeroError as error:
        return [
            Section("What its parts are worth", [f"That could not be measured: {error}"]),
            *came,
        ]
    parts = {section.key: section.parts for section in found}
    gone = (
        [f"Not measured, for the run's tasks cannot be made here: {why}"] if domain is None else []
    )
    made = [
        Section(
            "What each instruction is worth", [*gone, *parts["simplification"], *parts["program"]]
        ),
        Section("Its pieces and constants", [*parts["motifs"], *parts.get("constants", [])]),
    ]
    made += [Section("Which columns count", parts["columns"])] if "columns" in parts else []
    lineage = [*(part for section in came for part in section.parts), *parts.get("lineage", [])]
    return [*made, *([Section("Where it came from", lineage)] if lineage else [])]


def _evaluations(run: RunFiles, domain: ProgramsDomain | None) -> int:
    """Returns how many evaluations measure the parts: a small share of what the search cost."""
    if domain is None:
        return LEAST_EVALUATIONS
    tasks = domain.tasks("select", 0)
    each = max(1, tasks.num_tasks * tasks.steps * tasks.epochs)
    return int(min(MOST_EVALUATIONS, max(LEAST_EVALUATIONS, SHARE * run.train_steps / each)))


# --- its data -----------------------------------------------------------------------------------------------


def _data(run: RunFiles, domain: ProgramsDomain | None, why: str) -> list[Section]:
    parts: list[Part] = []
    if domain is not None:
        rows = []
        for name, purpose, number in sets_of(domain):
            try:
                tasks = domain.tasks(purpose, 0, number)
            except ZeroError:
                continue
            sizes = (
                tasks.num_tasks,
                tasks.train_x.shape[1],
                tasks.valid_x.shape[1],
                tasks.train_x.shape[2],
            )
            rows.append((name, *(f"{size:,}" for size in sizes)))
        parts.append(
            Table(("tasks", "count", "train examples", "valid examples", "features"), rows, 4)
        )
        parts += _columns(domain)
    elif why:
        parts.append(f"The tasks cannot be made here: {why}")
    parts += [Bullets(run.notes)] if run.notes else []
    return [Section("Tasks and data", parts)] if parts else []


def _columns(domain: ProgramsDomain) -> list[Part]:
    """Returns what is known of a table's columns and classes; nothing of other tasks."""
    import numpy as np

    from zero.programs.keep import table_of

    family = table_of(domain.config)
    if family is None:
        return []
    data = family.data()
    rows = []
    for column, kind in zip(data.columns[:MOST_COLUMNS], data.kinds, strict=False):
        known = column.values[~column.empty]
        values = f"{len(np.unique(known)):,} different"
        if column.texts is None and column.form is None and len(known):
            values = f"{known.min():.4g} to {known.max():.4g}"
        rows.append((visible(column.name), kind, values, f"{int(column.empty.sum()):,}"))
    left = len(data.columns) - len(rows)
    parts: list[Part] = [Table(("column", "type", "values", "empty cells"), rows, 1)]
    parts += [f"{left:,} more columns are not listed."] if left else []
    if data.classes:
        counts = np.bincount(data.y.astype(int), minlength=len(data.classes))
        shares = [
            (visible(name), f"{n:,}", f"{n / len(data):.1%}")
            for name, n in sorted(zip(data.classes, counts, strict=True), key=lambda c: -c[1])
        ][:MOST_COLUMNS]
        parts.append(Table((f"class of {visible(data.target)}", "rows", "share"), shares, 2))
    else:
        y = data.y
        parts.append(
            f"{visible(data.target)} goes from {y.min():.4g} to {y.max():.4g}, mean {y.mean():.4g}, "
            f"standard deviation {y.std():.4g}."
        )
    return parts


def _uses(path: Path, part: str = "predictor") -> list[tuple[str, str]]:
    from zero.programs.model import FILE

    uses, name = [], "model" if part == "predictor" else part
    if (path / FILE).is_file():
        uses.append((f"zero predict {path} NEW.csv -o predictions.csv", "Predict new rows:"))
    uses += [
        (f"zero export {path} -o {name}.py", "Take it away, as Python with NumPy alone:"),
        (f"zero explain {path}", "Explain it, with more evaluations or another config:"),
        (f"zero run CONFIG --set program.initial={path}", "Begin another search with it:"),
    ]
    return uses

"""What a run over pipelines has to report: what was asked, the data, the leaderboard, what figures are worth.

From the run's files alone; its table may be gone. Called by the kind.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zero.pipelines import drawings, metrics, tested
from zero.pipelines.board import Board
from zero.pipelines.model import FILE, MODELS
from zero.pipelines.view import BOARD
from zero.pipelines.words import in_words
from zero.runs.reports import common
from zero.runs.reports.common import RunFiles
from zero.runs.reports.parts import Commands, Pairs, Part, Picture, Report, Section, Table
from zero.system.sealed import read_sealed

MOST_NAMES = 30  # columns of a kind that are named


class Scores:
    """Scores as people read them: errors without their sign."""

    def __init__(self, metric: str):
        self.metric = metrics.METRICS[metric]
        self.name = metrics.shown(self.metric, 0.0)[0]

    @property
    def better(self) -> str:
        """Which scores are better."""
        return "smaller is better" if self.metric.sign < 0 else "larger is better"

    def value(self, score: float) -> float:
        """Returns a score for people."""
        return metrics.shown(self.metric, score)[1]

    def text(self, score: float | None) -> str:
        """Returns a score as text, - for none."""
        known = score is not None and not math.isnan(score)
        return f"{self.value(score):.5g}" if known else "-"  # type: ignore[arg-type]


def report(run: RunFiles) -> Report:
    """Returns the report on a run."""
    path, info = run.path, run.info
    records = [r for e in run.data.experiments for r in e.records]
    records.sort(key=lambda r: r.id)
    file = path / BOARD
    board = Board.from_tree(read_sealed(file)) if file.is_file() else None
    table, scores = info["table"], Scores(info["table"]["metric"])
    return Report(
        f"{table['target']}, predicted from {Path(table['where']).name}: the run {run.name}",
        [
            Section("What was asked", [Pairs(_asked(info, run.data))]),
            Section("Data", _data(run)),
            *(_of_board(board, scores, path) if board else [_unfinished(path)]),
            *_test_rows(path),
            Section("Search", _search(records, scores)),
            Section("Use it", [Commands(_uses(path))]),
            common.checked(run),
            common.cost(run),
            common.reproduced(run),
        ],
        _answer(run, board, scores),
    )


def _interval(path: Path, scores: Scores) -> str:
    ends = tested.interval(path, scores.metric)
    if ends is None:
        return ""
    low, high = sorted(scores.value(end) for end in ends)
    return f" (95 % interval {low:.4g} to {high:.4g})"


def _answer(run: RunFiles, board: Board | None, scores: Scores) -> str:
    path = run.path
    count = f"{run.individuals:,} candidates"
    if board is None:
        best = scores.text(run.best.accuracy)
        return f"The best of {count} so far has {scores.name} {best} in cross-validation."
    said = f"Of {count}, {board.used} is kept"
    if math.isnan(board.final):
        return f"{said}; it promises {scores.name} {scores.text(board.promised)}, which no test rows check."
    said += f": {scores.name} {scores.text(board.final)}{_interval(path, scores)}"
    said += " on test rows that nothing saw"
    simple = [r for r in board.rows if r.name == "constant" and not math.isnan(r.test)]
    beside = "".join(f"; the constant predictor has {scores.text(row.test)}" for row in simple[:1])
    return f"{said}{beside} ({scores.better})."


def _test_rows(path: Path) -> list[Section]:
    """Returns the section with pictures of the test rows."""
    about = {
        "roc": "ROC curves on the test rows.",
        "confusion": "How many test rows of each class are said to be of which.",
        "calibration": "Whether chances that are told come true.",
        "residuals": "Target minus prediction on the test rows.",
    }
    drawn = tested.pictures(path)
    parts = [
        common.picture(drawn[name], name, text) for name, text in about.items() if name in drawn
    ]
    return [Section("On the test rows", parts)] if parts else []


def _asked(info: dict[str, Any], data: Any) -> list[tuple[str, str]]:
    table, settings, own = info["table"], info["settings"], info["settings"]["pipelines"]
    scores = Scores(table["metric"])
    families = own["families"]
    rows = [
        ("predict", f"{table['target']} of {Path(table['where']).name}"),
        ("problem", _problem(table)),
        ("score", f"{scores.name}, {scores.better}"),
        ("search", f"{settings['search']['method']}, seed {settings['seed']}, "
                   f"{settings['islands']['count']} processes"),
        ("families", ", ".join(families) if families else "all that suit the table's size"),
    ]  # fmt: skip
    if own["seconds"] is not None:
        rows.append(("seconds", f"{own['seconds']:g} of everything"))
    budget = {k: v for k, v in settings["budget"].items() if v is not None}
    rows += [(f"budget.{key}", f"{value:,}") for key, value in budget.items()]
    return [*rows, ("ended", data.results["reason"] if data.results else "not yet")]


def _problem(table: dict[str, Any]) -> str:
    classes = table["classes"]
    if not classes:
        return "regression: a number"
    named = ", ".join(classes[:20]) + (" ..." if len(classes) > 20 else "")
    return f"{table['problem']}, {len(classes)} classes: {named}"


def _data(run: RunFiles) -> list[Part]:
    info = run.info
    table, facts = info["table"], info["table"].get("facts", {})
    rows = [
        ("rows", f"{table['rows']:,} to search with, in {table['folds']} folds"),
        ("test rows", f"{table['test_rows']:,}, which nothing sees before the end"
                      if table["test_rows"] else "none: figures are of validation alone"),
    ]  # fmt: skip
    for kind in ("numbers", "categories", "dates", "texts"):
        names = facts.get(kind, [])
        if names:
            more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            rows.append((f"{kind} ({len(names):,})", ", ".join(names[:MOST_NAMES]) + more))
    rows.append(
        ("empty cells", "in numbers or dates" if facts.get("gaps") else "none in numbers or dates")
    )
    return [Pairs(rows), *([Pairs([("note", text) for text in run.notes])] if run.notes else [])]


def _unfinished(path: Path) -> Section:
    return Section("Leaderboard", [f"The run has not ended: `zero resume {path}` goes on."])


def _of_board(board: Board, scores: Scores, folder: Path) -> list[Section]:
    rows = board.ordered
    lines = [
        (row.name, "" if row.record < 0 else f"#{row.record}", scores.text(row.validation),
         scores.text(row.test))
        for row in rows
    ]  # fmt: skip
    name = scores.name
    columns = ("pipeline", "record", f"validation {name}", f"test {name}")
    points = [(r.name, scores.value(r.validation), scores.value(r.test)) for r in rows]
    drawn = drawings.dots(points, f"{name}, {scores.better}")
    about = "Filled: in cross-validation. Rings: on the test rows."
    picture = [Picture(drawn, about)] if drawn else []
    best = next((row for row in rows if row.record >= 0), None)
    winner: list[Part] = []
    if best is not None:
        winner.append(f"The best pipeline (record #{best.record}): {in_words(best.text)}.")
    winner += _kept(board, folder)
    return [
        Section("Leaderboard", [Table(columns, lines, 2), *picture]),
        Section("The winner", winner),
        Section("What the figures are worth", [Pairs(_worth(board, scores, folder))]),
    ]


def _kept(board: Board, folder: Path) -> list[Part]:
    """Returns what is kept for predictions, with the members of an ensemble and what each counts."""
    said = f"Kept for predictions: {board.used}."
    file = folder / MODELS / FILE
    tree = read_sealed(file) if file.exists() else {"members": [], "weights": []}
    members = [(m["text"], float(w)) for m, w in zip(tree["members"], tree["weights"], strict=True)]
    if len(members) < 2:
        return [said]
    total = sum(weight for _, weight in members) or 1.0
    lines = [(in_words(text), f"{weight / total:.0%}") for text, weight in members]
    return [said, Table(("member", "weight"), lines, 1)]


def _worth(board: Board, scores: Scores, path: Path) -> list[tuple[str, str]]:
    name, text = scores.name, scores.text
    rows = [
        ("search", f"{name} {text(board.best)} of the best pipeline in cross-validation: what the search "
                   "maximised, so it flatters"),
        ("nested", f"{text(board.nested)} on folds that played no part in choosing the pipeline"),
        ("promised", f"{text(board.promised)} of what is kept, on such folds"),
    ]  # fmt: skip
    if math.isnan(board.final):
        return [*rows, ("test", "not counted: there are no test rows")]
    less = board.promised - board.final
    word = "worse" if less > 0 else "better"
    interval = _interval(path, scores)
    rows.append(
        ("test", f"{text(board.final)}{interval} of what is kept, on rows that nothing saw")
    )
    if not math.isnan(less):
        rows.append(("optimism", f"the test is {abs(less):.3g} {word} than validation promised"))
    return rows


def _search(records: Sequence[Any], scores: Scores) -> list[Part]:
    found = [math.nan if r.reason else r.accuracy for r in records]
    best, top = [], math.nan
    for score in found:
        if not math.isnan(score) and (math.isnan(top) or score > top):
            top = score
        best.append(top)
    failed = [r for r in records if r.reason and r.same_as < 0]
    parts: list[Part] = [f"{len(records):,} candidates, {len(failed):,} of which failed."]
    drawn = drawings.search(
        [scores.value(v) for v in found], [scores.value(v) for v in best], scores.name
    )
    if drawn:
        parts.append(
            Picture(
                drawn,
                "Dots: candidates, in turn; worse ones lie at the edge. Line: the best so far.",
            )
        )
    if failed:
        causes = Counter((r.reason, r.text.split()[0].partition("=")[2]) for r in failed)
        lines = [(family, reason, f"{n:,}") for (reason, family), n in causes.most_common(20)]
        parts.append(Table(("family", "cause", "failures"), lines, 1))
        if len(causes) > 20:
            parts.append(f"{len(causes) - 20} further causes are not shown.")
    return parts


def _uses(path: Path) -> list[tuple[str, str]]:
    return [
        (f"zero predict {path} NEW.csv", "predicts new rows"),
        (
            f"zero export {path} -o pipeline.py",
            "writes the best pipeline as Python (#ID for another)",
        ),
        (f'zero.load("{path}").predict(frame)', "predicts in Python"),
    ]

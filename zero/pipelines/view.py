"""What people are shown of runs over pipelines: the leaderboard, the winner in words, one candidate."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from zero.runs.tables import json_number, print_pairs, print_table, shown_fitness
from zero.runs.view import View
from zero.system.sealed import read_sealed

BOARD = "leaderboard.json"


class PipelinesView(View):
    """See `zero.runs.view.View`."""

    noun = "pipeline"

    def event(self, outcome: Any) -> dict[str, Any]:
        """Returns what the JSON line of a run's end says."""
        return {**super().event(outcome), "board": _plain(outcome.details.get("board"))}

    def print_outcome(self, outcome: Any) -> None:
        """Prints the leaderboard, the winner in words, and what its figures are worth."""
        if outcome.program is None:
            print("no pipeline was evaluated")
            return
        tree = outcome.details.get("board")
        if tree is None:
            print(f"\nbest so far: {outcome.details['text']}\nscore {outcome.search_fitness:.6g}\n")
            return
        print_board(tree)

    def print_run(self, path: Path, data: Any, record: Any, lineage: bool, raw: bool) -> None:
        """Prints a run's leaderboard, or its best record while there is none."""
        file = (path if path.is_dir() else path.parent) / BOARD
        if file.is_file():
            print_board(read_sealed(file))
        else:
            print(f"\nrecord {record.id}:\n{record.text}\n")
        self.print_experiments(data)
        if lineage:
            print()
            self.print_lineage(data, record.id)

    def figure_rows(self, path: Path, data: Any, record: Any) -> list[tuple[str, str]]:
        """Returns the figures of a run's best record."""
        rows = [("score", shown_fitness(record.accuracy))]
        if data.results and data.results["final"]:
            rows.append(("test score", shown_fitness(data.results["final"]["fitness"])))
        return rows


def _plain(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: _plain(v) for k, v in tree.items()}
    if isinstance(tree, list):
        return [_plain(v) for v in tree]
    return json_number(tree) if isinstance(tree, float) else tree


def print_board(tree: dict[str, Any]) -> None:
    """Prints a leaderboard as `zero.pipelines.board.Board.tree` gave it."""
    from zero.pipelines.board import Board
    from zero.pipelines.words import in_words

    board = Board.from_tree(tree)
    sign = -1.0 if board.metric.startswith("neg_") else 1.0
    name = board.metric.removeprefix("neg_")

    def shown(value: float | None) -> str:
        return "-" if value is None or math.isnan(value) else f"{sign * value:.5g}"

    print()
    print_table(
        ("pipeline", f"validation {name}", f"test {name}"),
        [(row.name, shown(row.validation), shown(row.test)) for row in board.ordered],
    )
    print()
    best = next((row for row in board.ordered if row.record >= 0), None)
    pairs = [("kept", board.used)]
    if best is not None:
        pairs.append(("best pipeline", in_words(best.text)))
    pairs.append(("search", f"{name} {shown(board.best)} in cross-validation, which it maximised; "
                  f"{shown(board.nested)} on folds that played no part in the choice"))  # fmt: skip
    if not math.isnan(board.final):
        less = sign * (board.promised - board.final)
        pairs.append(("test", f"{name} {shown(board.final)} of what is kept, on rows that nothing saw; "
                      f"{abs(less):.3g} {'worse' if board.promised > board.final else 'better'} than "
                      "validation promised"))  # fmt: skip
    if board.failed:
        causes = ", ".join(f"{count} {cause}" for cause, count in sorted(board.failed.items()))
        pairs.append(("failed", causes))
    print_pairs(pairs)
    print()

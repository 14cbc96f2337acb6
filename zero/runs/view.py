"""What people are shown of a run whose genomes are of some kind; kinds override what they tell better.

Called by the command line, which prints what all runs have: name, seed, budget, how it ended.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from zero.runs.tables import json_number, print_pairs, print_table, shown_fitness


class View:
    """See the module's docstring; `data` is an archive (`zero.runs.archive.ArchiveData`)."""

    noun = "candidate"  # what an individual is called

    # --- at a run's end -------------------------------------------------------------------------

    def event(self, outcome: Any) -> dict[str, Any]:
        """Returns what the JSON line of a run's end says of what was found."""
        final = outcome.final.fitness if outcome.final else math.nan
        return {
            "fitness": json_number(outcome.search_fitness),
            "final_fitness": json_number(final),
            "genome": _text_of(outcome),
        }

    def print_outcome(self, outcome: Any) -> None:
        """Prints what a run found, and its figures."""
        if outcome.program is None:
            print(f"no {self.noun} was evaluated")
            return
        print(f"\n{_text_of(outcome)}\n")
        final = outcome.final.fitness if outcome.final else math.nan
        own = (outcome.search_fitness, outcome.select_fitness, final)
        rows = [("discovered", *map(shown_fitness, own))]
        rows += [(name, "", *map(shown_fitness, pair)) for name, pair in outcome.baselines.items()]
        print_table((self.noun, "search fitness", "select fitness", "final fitness"), rows)
        print()

    # --- of a run's folder or archive -----------------------------------------------------------

    def setting_rows(self, settings: dict[str, Any]) -> list[tuple[str, str]]:
        """Returns what a run's settings say beyond what all runs have."""
        return []

    def searches(self, settings: dict[str, Any]) -> list[str]:
        """Returns what each island searches, none where all search the same; settings: unchecked."""
        return []

    def figure_rows(self, path: Path, data: Any, record: Any) -> list[tuple[str, str]]:
        """Returns the figures of a run's best record; path: of the run."""
        rows = [("fitness", shown_fitness(record.fitness))]
        if data.results and data.results["final"]:
            rows.append(("final fitness", shown_fitness(data.results["final"]["fitness"])))
        return rows

    def print_run(self, path: Path, data: Any, record: Any, lineage: bool, raw: bool) -> None:
        """Prints a run's best record, and what else its archive says; raw: nothing left out."""
        print(f"\nrecord {record.id}:\n{record.text}\n")
        self.print_experiments(data)
        if lineage:
            print()
            self.print_lineage(data, record.id)

    def print_experiments(self, data: Any) -> None:
        """Prints how the experiments of a run went."""
        print_table(
            ("experiment", "ended", f"{self.noun}s", "train steps", "fitness", "record"),
            [
                (n, s.reason or "not yet", f"{s.individuals:,}", f"{s.train_steps:,}",
                 shown_fitness(s.search_fitness), "-" if s.candidate < 0 else s.candidate)
                for n, s in enumerate((e.summary for e in data.experiments), 1)
            ],
        )  # fmt: skip

    def print_record(self, path: Path, data: Any, record: Any, lineage: bool, raw: bool) -> None:
        """Prints one record: figures as comments, then its genome's text; path: of its run."""
        print(f"# record {record.id}: fitness {shown_fitness(record.fitness)}")
        print(record.text)
        if lineage:
            print()
            self.print_lineage(data, record.id)

    def print_lineage(self, data: Any, record_id: int) -> None:
        """Prints the records that one descends from, oldest first."""
        from zero.runs.archive import lineage

        print("lineage:")
        print_table(
            ("record", "island", "individuals", "mutation", "fitness"),
            [
                (r.id, r.island, f"{r.individuals:,}", r.mutation, shown_fitness(r.fitness))
                for r in lineage(data, record_id)
            ],
        )

    # --- of a training --------------------------------------------------------------------------

    def print_training(self, found: Any, as_json: bool) -> None:
        """Prints what `zero.runs.kind.Kind.train` returned; as_json: as a line of JSON."""
        raise NotImplementedError

    def print_rate(self, found: Any, as_json: bool) -> None:
        """Prints what `zero.runs.kind.Kind.find_rate` returned; as_json: as a line of JSON."""
        raise NotImplementedError

    def show_training(self, folder: Path) -> None:
        """Prints what `zero show` says of the folder of a training."""
        raise NotImplementedError

    # --- of a checked config --------------------------------------------------------------------

    def print_checked(self, domain: Any) -> None:
        """Prints what `zero validate --data` says of the data."""
        rows = [("note", text) for text in domain.notes()]
        if rows:
            print_pairs(rows)


def _text_of(outcome: Any) -> str | None:
    """Returns the text of what a run found, as its space writes it; None if nothing was evaluated."""
    if outcome.program is None:
        return None
    return str(outcome.details.get("text", outcome.program))

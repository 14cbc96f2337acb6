"""What people are shown of runs over formulas: the front, and formulas as Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zero.functions.records import front_of
from zero.runs.tables import print_pairs, print_table
from zero.runs.view import View


def settings_of(data: Any) -> dict[str, Any]:
    """Returns the section `functions` of an archive's config."""
    from zero.config import yaml

    found = yaml.parse(data.config, "config").data.get("functions")
    return found if isinstance(found, dict) else {}


def target_of(data: Any) -> str:
    """Returns the name of the function that an archive's run computes; "" if it is none of those known."""
    from zero.functions.targets import TARGETS

    name = settings_of(data).get("target", "exp2")
    return name if name in TARGETS else ""


def rows_of(target: str, records: Sequence[Any]) -> list[tuple[str, str, str, str, str]]:
    """Returns the front of records as rows: operations, error, in float64, record, formula."""
    from zero.errors import ZeroError
    from zero.functions.checking import check

    rows = []
    for record in front_of(records):
        try:
            found = check(target, tuple(record.text.split()), record.constants)
        except ZeroError:  # such as an archive that somebody changed
            continue
        rows.append((str(record.operations), f"{found.error:.3g}", f"{found.rounded:.3g}",
                     f"#{record.id}", record.text))  # fmt: skip
    return rows


class FunctionsView(View):
    """See `zero.runs.view.View`."""

    noun = "formula"

    def setting_rows(self, settings: dict[str, Any]) -> list[tuple[str, str]]:
        """Returns what is computed, and by how many operations."""
        own = settings.get("functions") or {}
        return [
            ("function", str(own.get("target"))),
            ("operations", f"up to {own.get('operations')}"),
        ]

    def figure_rows(self, path: Path, data: Any, record: Any) -> list[tuple[str, str]]:
        """Returns the figures of a run's best record."""
        rows = [("worst error", f"{record.error:.4g}"), ("operations", str(record.operations))]
        if data.results and data.results["final"]:
            rows.append(("at 10,000 points", f"{10.0 ** -data.results['final']['fitness']:.4g}"))
        return rows

    def print_run(self, path: Path, data: Any, record: Any, lineage: bool, raw: bool) -> None:
        """Prints the front of a run, and its best record as Python."""
        target = target_of(data)
        records = [r for e in data.experiments for r in e.records]
        rows = rows_of(target, records) if target else []
        print()
        print_table(("operations", "worst error", "in float64", "record", "formula"), rows)
        print()
        self.print_record(path, data, record, lineage, raw)
        print()
        self.print_experiments(data)

    def print_record(self, path: Path, data: Any, record: Any, lineage: bool, raw: bool) -> None:
        """Prints one record as Python, with its errors."""
        from zero.errors import ZeroError
        from zero.functions import source
        from zero.functions.checking import POINTS, check

        target, formula = target_of(data) or "f", tuple(record.text.split())
        print(f"# record {record.id}: {record.operations} operations")
        try:
            text = source.python(target, formula, record.constants)
            found = check(target, formula, record.constants) if target != "f" else None
        except ZeroError as error:
            print(f"# {record.reason or error}\n{record.text}")
            return
        if found is not None:
            print(f"# worst error at {POINTS:,} points: {found.error:.4g}, at x = {found.at:.6g}; "
                  f"{found.rounded:.4g} in float64")  # fmt: skip
        print(text, end="")
        if lineage:
            print()
            self.print_lineage(data, record.id)

    def print_checked(self, domain: Any) -> None:
        """Prints what is computed."""
        print_pairs([("function", text) for text in domain.notes()])

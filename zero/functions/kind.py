"""The kind of genome 'functions': formulas that compute a function of one number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero.errors import ArchiveError, ConfigError
from zero.functions import records
from zero.functions.config import FormulaSearch, FunctionsConfig
from zero.functions.view import FunctionsView, target_of
from zero.runs.kind import Kind

if TYPE_CHECKING:
    from zero.functions.domain import FunctionsDomain
    from zero.runs.pictures import Draw
    from zero.runs.reports.parts import Report

FORMS = {"python": ".py", "c": ".c"}


class Functions(Kind):
    """See `zero.runs.kind.Kind`."""

    name = "functions"
    section = "functions"
    config = FunctionsConfig
    search = FormulaSearch
    record = records.FormulaRecord
    view = FunctionsView()

    def domain(self, config: FunctionsConfig) -> FunctionsDomain:
        """Returns what a run is made of."""
        from zero.functions.domain import FunctionsDomain

        return FunctionsDomain(config)

    def columns(self, rows: Sequence[records.FormulaRecord]) -> dict[str, Any]:
        """Returns the columns of candidates."""
        return records.columns(rows)

    def from_columns(self, tree: dict[str, Any], count: int, ops: int) -> dict[str, Any]:
        """Returns what `columns` gave."""
        return records.from_columns(tree, count)

    def lines(self, text: str, canonical: str) -> list[str]:
        """Returns a formula's instructions."""
        return text.split()

    def size(self, text: str, record: Any) -> tuple[int, str]:
        """Returns how many operations a formula has."""
        return int(record.operations), "operations"

    def task(self, settings: dict[str, Any]) -> str:
        """Returns the function."""
        own = settings.get("functions") or {}
        return str(own.get("target", "exp2")) if isinstance(own, dict) else ""

    def no_explanation(self, path: Path) -> str:
        """Returns what a person is told who wants a run's outcome explained as programs are."""
        return (
            f"{path} is a run of functions, and only programs can be explained; `zero show {path}` prints "
            "its formulas with their errors"
        )

    def pictures(self, path: Path) -> dict[str, Draw]:
        """Returns the pictures of a run: its front, its curve and lineage."""
        from zero.runs.reports import charts, common

        run = common.RunFiles.read(path, self)
        points = common.costs(run, lambda r: float(r.operations), lambda r: r.fitness)
        about = ("operations", "digits: -log10 of the worst error")
        return {**common.pictures(run), "pareto": charts.pareto(*points, *about)}

    def report(self, path: Path, domain: Any = None) -> Report:
        """Returns what there is to report on a run."""
        from zero.functions.report import report
        from zero.runs.reports.common import RunFiles

        return report(RunFiles.read(path, self), self.pictures(path))

    def export(
        self,
        what: str,
        to: str | None,
        output: Path | None,
        note: Callable[[str], None],
        opset: int | None,
    ) -> list[Path] | str:
        """Returns a formula as source of Python or C, or writes it."""
        from zero.functions import source
        from zero.system.files import write_bytes

        form = to or next((f for f, e in FORMS.items() if output and output.suffix == e), None)
        if form is None and output is None:
            form = "python"
        if form not in FORMS:
            raise ConfigError(
                f"formulas are exported as {' or '.join(FORMS)}: give --to one of these, or a file that "
                f"ends in {' or '.join(FORMS.values())}"
            )
        target, record = _record(what)
        write = source.python if form == "python" else source.c
        text = write(target, tuple(record.text.split()), record.constants)
        if output is None:
            return text
        try:
            write_bytes(output, text.encode())
        except OSError as error:
            raise ArchiveError(f"cannot write {output}: {error}") from None
        return [output]


def _record(what: str) -> tuple[str, Any]:
    """Returns what a run computes, and its best record or that of RUN#ID."""
    from zero.runs.archive import best_record, read_archive

    name, mark, number = what.rpartition("#")
    wanted = int(number) if mark and number.isdigit() else None
    data = read_archive(Path(what) if wanted is None else Path(name))
    records: list[Any] = [r for e in data.experiments for r in e.records]
    found: Any = best_record(data)
    if wanted is not None:
        found = next((r for r in records if r.id == wanted), None)
    if found is None or not found.constants:
        raise ArchiveError(f"{what}: there is no such record of a formula that could be evaluated")
    return target_of(data) or "f", found


FUNCTIONS = Functions()

"""The kind of genome 'pipelines': see README.md beside this file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero.config.yaml import Document, Problem
from zero.errors import ArchiveError, ConfigError
from zero.pipelines import records
from zero.pipelines.config import PipelinesConfig, PipelineSearch, read_pipelines
from zero.pipelines.view import PipelinesView
from zero.runs.kind import Kind, table_name

if TYPE_CHECKING:
    from zero.pipelines.domain import PipelinesDomain
    from zero.pipelines.model import PipelineModel
    from zero.runs.pictures import Draw
    from zero.runs.reports.parts import Report


class Pipelines(Kind):
    """See `zero.runs.kind.Kind`."""

    name = "pipelines"
    section = "pipelines"
    config = PipelinesConfig
    search = PipelineSearch
    record = records.PipelineRecord
    view = PipelinesView()

    def read(
        self, document: Document, data: dict[str, Any], folder: Path, check_files: bool
    ) -> tuple[Any, list[Problem]]:
        """Returns a run's config and all problems."""
        return read_pipelines(document, data, folder, check_files)

    def domain(self, config: PipelinesConfig) -> PipelinesDomain:
        """Returns what a run is made of."""
        from zero.pipelines.domain import PipelinesDomain

        return PipelinesDomain(config)

    def columns(self, rows: Sequence[records.PipelineRecord]) -> dict[str, Any]:
        """Returns the columns of candidates."""
        return records.columns(rows)

    def from_columns(self, tree: dict[str, Any], count: int, ops: int) -> dict[str, Any]:
        """Returns what `columns` gave."""
        return records.from_columns(tree, count)

    def model(self, path: Path) -> PipelineModel:
        """Returns what a run trained last, which predicts new rows."""
        from zero.pipelines.model import load_model

        return load_model(path)

    def report(self, path: Path, domain: Any = None) -> Report:
        """Returns what there is to report on a run."""
        from zero.pipelines.report import report
        from zero.runs.reports.common import RunFiles

        return report(RunFiles.read(path, self))

    def pictures(self, path: Path) -> dict[str, Draw]:
        """Returns the pictures of a run: of its test rows, its curve and lineage."""
        from zero.pipelines import tested
        from zero.runs.reports import charts, common

        run = common.RunFiles.read(path, self)
        unusual = common.costs(run, lambda r: float(r.decisions), lambda r: r.accuracy)
        pareto = charts.pareto(*unusual, "decisions that are not as usual", "score in validation")
        return {**tested.pictures(run.path), **common.pictures(run), "pareto": pareto}

    def no_explanation(self, path: Path) -> str:
        """Returns what a person is told who wants a run's outcome explained as programs are."""
        return (
            f"{path} is a run of pipelines, and only programs can be explained; `zero show {path}` says "
            f"in words what its best pipeline does, `zero export {path} -o FILE.py` writes it as Python"
        )

    def lines(self, text: str, canonical: str) -> list[str]:
        """Returns a pipeline's decisions."""
        return text.split()

    def size(self, text: str, record: Any) -> tuple[int, str]:
        """Returns how many decisions are not as usual."""
        return int(record.decisions), "decisions"

    def task(self, settings: dict[str, Any]) -> str:
        """Returns the table's file and target."""
        pipelines = settings.get("pipelines") or {}
        table = pipelines.get("table") if isinstance(pipelines, dict) else None
        return table_name(table) if isinstance(table, dict) else ""

    def export(
        self,
        what: str,
        to: str | None,
        output: Path | None,
        note: Callable[[str], None],
        opset: int | None,
    ) -> list[Path] | str:
        """Returns a pipeline as Python source that needs scikit-learn alone, or writes it."""
        from zero.pipelines.source import is_alone, source_of_run
        from zero.system.files import write_bytes

        if to not in (None, "python") or (output is not None and output.suffix != ".py"):
            raise ConfigError("pipelines are exported to Python source: give -o FILE.py")
        text = source_of_run(what)
        if not is_alone(what):
            note(f"{what} predicts with an ensemble: this is its best pipeline alone, not trained")
        if output is None:
            return text
        try:
            write_bytes(output, text.encode())
        except OSError as error:
            raise ArchiveError(f"cannot write {output}: {error}") from None
        return [output]


PIPELINES = Pipelines()

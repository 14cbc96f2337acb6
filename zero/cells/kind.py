"""The kind of genome 'cells': see `zero.cells.genome`, and README.md beside this file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero.cells import records
from zero.cells.config import CellsConfig, CellSearch, read_cells
from zero.cells.view import CellsView
from zero.config.yaml import Document, Problem
from zero.errors import ConfigError
from zero.runs.kind import Kind, Training

if TYPE_CHECKING:
    from zero.cells.domain import CellsDomain
    from zero.cells.find_rate import FoundRate
    from zero.cells.model import CellsModel
    from zero.cells.train_run import Trained
    from zero.runs.pictures import Draw
    from zero.runs.reports.parts import Report


class Cells(Kind):
    """See `zero.runs.kind.Kind`."""

    name = "cells"
    section = "cells"
    config = CellsConfig
    search = CellSearch
    record = records.CellRecord
    view = CellsView()
    how_to_train = "a network is trained on images as a config says: zero train {genome} CONFIG"

    def read(
        self, document: Document, data: dict[str, Any], folder: Path, check_files: bool
    ) -> tuple[Any, list[Problem]]:
        """Returns a run's config and all problems."""
        return read_cells(document, data, folder, check_files)

    def domain(self, config: CellsConfig) -> CellsDomain:
        """Returns what a run is made of."""
        from zero.cells.domain import CellsDomain

        return CellsDomain(config)

    def columns(self, rows: Sequence[records.CellRecord]) -> dict[str, Any]:
        """Returns the columns of candidates."""
        return records.columns(rows)

    def from_columns(self, tree: dict[str, Any], count: int, ops: int) -> dict[str, Any]:
        """Returns what `columns` gave."""
        return records.from_columns(tree, count, ops)

    def model(self, path: Path) -> CellsModel:
        """Returns the trained network of a run or a training, which classifies images."""
        from zero.cells.model import CellsModel

        return CellsModel.of_run(path)

    def pictures(self, path: Path) -> dict[str, Draw]:
        """Returns the pictures of a run: its course, its cells, costs, and what the network confuses."""
        from zero.cells.pictures import of_training, pictures
        from zero.runs.folder import RunFolder
        from zero.runs.reports.common import RunFiles

        if (path / RunFolder.TRAINED).is_file():
            return of_training(path)
        return pictures(RunFiles.read(path, self))

    def report(self, path: Path, domain: Any = None) -> Report:
        """Returns what there is to report on a run or on a training."""
        from zero.cells import report
        from zero.runs.folder import RunFolder
        from zero.runs.reports.common import RunFiles

        if (path / RunFolder.TRAINED).is_file():
            return report.of_training(path)
        return report.report(RunFiles.read(path, self), domain)

    def ships(self, what: str) -> bool:
        """Returns whether that is a published cell."""
        from zero.cells.published import PUBLISHED

        return what in PUBLISHED

    def train(self, wanted: Training) -> Trained:
        """Trains one network in full, as a config says of its cells' last training."""
        from zero.cells import train_run
        from zero.cells.train_config import training_config

        config = training_config(wanted.config, wanted.settings)
        return train_run.start(
            wanted.genome, config, wanted.out, wanted.threads, wanted.max_seconds,
            wanted.reporter, wanted.command,
        )  # fmt: skip

    def find_rate(self, wanted: Training) -> FoundRate:
        """Looks for a learning rate by a range test."""
        from zero.cells import find_rate
        from zero.cells.train_config import training_config

        config = training_config(wanted.config, wanted.settings)
        return find_rate.find_rate(
            wanted.genome, config, wanted.out, wanted.threads, wanted.reporter
        )

    def no_explanation(self, path: Path) -> str:
        """Returns what a person is told who wants a run's outcome explained as programs are."""
        return (
            f"{path} is a run of cells, and only programs can be explained; `zero cells show {path}` "
            f"tells what its best network costs, `zero cells draw {path}` draws it"
        )

    def canonical(self, text: str) -> str:
        """Returns one text for all drawings of the same cells."""
        from zero.cells.genome import canonical_key
        from zero.cells.text import parse_genome

        return canonical_key(parse_genome(text))

    def lines(self, text: str, canonical: str) -> list[str]:
        """Returns a genome's text in parts."""
        parts = text.replace(";", ";\n").replace(",", ",\n").replace("+|", "\n+|").splitlines()
        return [part.strip() for part in parts if part.strip()]

    def size(self, text: str, record: Any) -> tuple[int, str]:
        """Returns the number of parameters of the network that was trained."""
        return int(record.parameters), "parameters"

    def task(self, settings: dict[str, Any]) -> str:
        """Returns the images, or the table of figures."""
        cells = settings.get("cells") or {}
        evaluate, images = cells.get("evaluate"), cells.get("images") or {}
        if isinstance(evaluate, dict):
            return Path(str(evaluate.get("table"))).name
        path = images.get("path")
        return str(images.get("source") or "") if path is None else Path(str(path)).name

    def has(self, what: str) -> bool:
        """Returns whether that is a file of weights."""
        return Path(what).suffix == ".h5" and Path(what).is_file()

    def export(
        self,
        what: str,
        to: str | None,
        output: Path | None,
        note: Callable[[str], None],
        opset: int | None,
    ) -> list[Path] | str:
        """Writes a trained network."""
        from zero.cells.export import FORMATS, export

        forms = {"python": "numpy"} | {form: form for form in FORMATS}
        if to is not None and to not in forms:
            raise ConfigError(f"networks of cells are exported to python and onnx, not to {to}")
        if output is None:
            raise ConfigError("networks of cells go into files: give -o FILE.py or -o FILE.onnx")
        return export(what, output, to and forms[to], note, opset)


CELLS = Cells()

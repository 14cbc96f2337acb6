"""The kind of genome 'programs': three lists of instructions, see `zero.programs.program`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zero.config.yaml import Document, Problem
from zero.programs import library, records
from zero.programs.config import (
    ProgramsConfig,
    ProgramSearch,
    dump_programs,
    programs_schema,
    read_programs,
)
from zero.programs.view import ProgramsView
from zero.runs.kind import Kind, Training, table_name
from zero.runs.records import get_array, get_texts

if TYPE_CHECKING:
    from zero.programs.domain import ProgramsDomain
    from zero.programs.predictor import TablePredictor
    from zero.programs.training import Trained
    from zero.runs.pictures import Draw
    from zero.runs.reports.parts import Report


class Programs(Kind):
    """See `zero.runs.kind.Kind`."""

    name = "programs"
    section = "program"
    config = ProgramsConfig
    search = ProgramSearch
    record = records.Record
    outcome_key = "program"
    archive_version = 1  # so that older versions read it too
    view = ProgramsView()
    how_to_train = "a program is trained on a table: zero train {genome} my.csv --target COLUMN"

    def read(
        self, document: Document, data: dict[str, Any], folder: Path, check_files: bool
    ) -> tuple[Any, list[Problem]]:
        """Returns a run's config and all problems."""
        return read_programs(document, data, folder, check_files)

    def dump(self, config: ProgramsConfig) -> dict[str, Any]:
        """Returns a config as plain values."""
        return dump_programs(config)

    def schema(self) -> dict[str, Any]:
        """Returns the JSON schema of a file."""
        return programs_schema()

    def domain(self, config: ProgramsConfig) -> ProgramsDomain:
        """Returns what a new run is made of."""
        from zero.programs.domain import ProgramsDomain

        return ProgramsDomain(config)

    def resumed(self, config: ProgramsConfig, info: dict[str, Any]) -> ProgramsDomain:
        """Returns what a run is made of that began earlier."""
        from zero.programs.domain import resumed

        return resumed(config, info)

    def columns(self, rows: Sequence[records.Record]) -> dict[str, Any]:
        """Returns the columns of programs."""
        return records.columns(rows)

    def from_columns(self, tree: dict[str, Any], count: int, ops: int) -> dict[str, Any]:
        """Returns what `columns` gave."""
        return records.from_columns(tree, count, ops)

    def head(self, ops: list[str]) -> dict[str, Any]:
        """Returns the names of the op codes: an archive with them is one of programs."""
        return {"ops": ops}

    def ops_in(self, tree: dict[str, Any]) -> list[str]:
        """Returns the names of the op codes."""
        return get_texts(tree, "ops")

    def model(self, path: Path) -> TablePredictor:
        """Returns the trained program of a run over a table, which predicts its rows."""
        from zero.programs.predictor import TablePredictor

        return TablePredictor.of_run(path)

    def pictures(self, path: Path) -> dict[str, Draw]:
        """Returns the pictures of a run: of a table's test rows, its curve and lineage."""
        from zero.programs import pictures, predicted_rows, report
        from zero.runs.folder import RunFolder
        from zero.runs.reports.common import RunFiles

        folder = path if path.is_dir() else path.parent
        if not (folder / RunFolder.ARCHIVE).is_file() and (folder / predicted_rows.FILE).is_file():
            return pictures.pictures(folder)  # of a training
        return report.pictures(RunFiles.read(path, self))

    def report(self, path: Path, domain: Any = None) -> Report:
        """Returns what there is to report on a run."""
        from zero.programs.report import of_training, report
        from zero.runs.folder import RunFolder
        from zero.runs.reports.common import RunFiles

        if (path / RunFolder.TRAINED).is_file():
            return of_training(path)
        return report(RunFiles.read(path, self), domain)

    def ships(self, what: str) -> bool:
        """Returns whether that is a shipped program."""
        return what in library.PROGRAMS

    def train(self, wanted: Training) -> Trained:
        """Trains a program on a table."""
        from zero.programs import training

        return training.start(wanted)

    def check_results(self, results: dict[str, Any]) -> None:
        """Raises ValueError if an archive's results lack something or contradict themselves.

        Each part has, beside fitness (over tasks), task_fitness (T,) and task_names, T texts. Of a run over a
        table there is also `table`: what `zero.programs.scores.compare` gives, or not_kept: why.
        """
        super().check_results(results)
        for part in (results["search"], results["select"], results["final"]):
            if part is not None:
                names = get_texts(part, "task_names")
                get_array(part, "task_fitness", np.float64, (len(names),))

    def canonical(self, text: str) -> str:
        """Returns a program without what changes no prediction, its addresses in order of use."""
        return self.canonical_in(text, {})

    def canonical_in(self, text: str, settings: Mapping[str, Any]) -> str:
        """Returns the same of a program for the tasks of a run."""
        from zero.programs.canonical import canonical
        from zero.tasks.read import labels_in

        return canonical(text, labels_in(settings) or "scalar")

    def lines(self, text: str, canonical: str) -> list[str]:
        """Returns the instructions that matter, so that other names of addresses are no difference."""
        return canonical.splitlines()

    def size(self, text: str, record: Any) -> tuple[int, str]:
        """Returns how many instructions change predictions."""
        lines = (line.strip() for line in text.splitlines())
        return sum(
            bool(line) and not line.startswith(("def ", "#")) for line in lines
        ), "instructions"

    def task(self, settings: dict[str, Any]) -> str:
        """Returns the family of tasks, or a table's file and target."""
        from zero.tasks.read import searched

        names = [table_name(s) or str(s.get("type", "")) for s in searched(settings)]
        return ", ".join(dict.fromkeys(names))

    def has(self, what: str) -> bool:
        """Returns whether that is a program or a model of one."""
        from zero.programs.export.named import is_named

        return is_named(what)

    def export(
        self,
        what: str,
        to: str | None,
        output: Path | None,
        note: Callable[[str], None],
        opset: int | None,
    ) -> list[Path] | str:
        """Writes a program, trained if there is a model of it, or returns its text."""
        from zero.programs.export import export, form_of, named, of_part, text_of

        form = form_of(to, output)
        part = named.part_of(what)
        if part != "predictor":
            return of_part(what, part, form, output)
        found, about = named.find(what, note)
        if output is None:
            return text_of(found, form, Path(what.partition("#")[0]).stem, about, opset)
        return export(found, form, output, about, opset)


PROGRAMS = Programs()

"""A kind of genome: `Kind`, registered in `zero.genomes`, and how people are told of one: `View`.

Everything that depends on what a genome is belongs to the kind: its section of a config, its columns
and results in an archive, what is printed of a run, and the `zero.runs.domain.Domain` that a run
evaluates genomes with. A kind gives the methods that raise NotImplementedError here; the others have
a default that serves. What reads configs and archives asks no more of it, so the file that a kind
stands in should import what takes long inside its methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero.config.checks import OF_EVERY_RUN
from zero.config.sections import RunConfig, fitted_to_population
from zero.config.settings import across
from zero.config.yaml import Document, Problem
from zero.errors import ArchiveError, ConfigError
from zero.runs.records import BaseRecord, get
from zero.runs.view import View
from zero.search.protocol import SearchSettings
from zero.search.section import read_config, schema_of

if TYPE_CHECKING:
    from zero.runs.domain import Domain
    from zero.runs.model import Model
    from zero.runs.pictures import Draw
    from zero.runs.reports.parts import Report

# Each None, or a dict with a fitness (float); the rest is the kind's own.
_PARTS = dict.fromkeys(("search", "select", "final"), (dict, type(None)))
_RESULTS = {
    "record": int,  # the outcome's id, -1 if it is not a record
    "reason": str,  # why the run ended
    "individuals": int,  # totals of the run
    "train_steps": int,
    **_PARTS,
}


@dataclass(frozen=True)
class Training:
    """What `zero train` is asked for.

    genome: as the user names it. config: a YAML file or a shipped config, with settings KEY=VALUE.
    out: the folder, None for one of its own. threads: None for one a core. max_seconds: None for no limit.
    reporter: a `zero.runs.progress.TrainingReporter`. command: for run.json.
    """

    genome: str
    config: str
    settings: list[str]
    out: Path | None
    threads: int | None
    max_seconds: float | None
    reporter: Any
    command: list[str]


def table_name(settings: Mapping[str, Any]) -> str:
    """Returns how a section with the keys path and target names its table; "" without a path."""
    path, target = settings.get("path"), settings.get("target")
    file = Path(path).name if isinstance(path, str) else ""
    return f"{file}: {target}" if file and isinstance(target, str) else file


class Kind:
    """See the module's docstring.

    name: in archives and outcomes. section: of a YAML file, which says that it is about such genomes.
    config: the model of such a file. search: of its section `search`. record: the class of an archive's
    records; its fields beyond `BaseRecord`'s are the kind's own columns. outcome_key: of an archive's
    results, the outcome's text.
    archive_version: of the archives that it writes, see `zero.runs.archive`.
    how_to_train: for people, with {genome} where its name is to stand.
    """

    name: str
    section: str
    config: type[RunConfig]
    search: type[SearchSettings]
    record: type[BaseRecord] = BaseRecord
    outcome_key: str = "genome"
    archive_version: int = 2
    view: View = View()
    how_to_train: str = "such genomes are not trained alone"

    # --- its configs ----------------------------------------------------------------------------

    def read(
        self, document: Document, data: dict[str, Any], folder: Path, check_files: bool
    ) -> tuple[Any, list[Problem]]:
        """Returns a run's config (what is known of it, if it is wrong in part), and all problems.

        Args:
            document: the YAML file.
            data: its sections, which this may change; `imports` have been executed.
            folder: where relative paths in it start.
            check_files: whether files are read that only the start of a run needs.
        """
        config, problems = read_config(document, data, self.config, self.search, folder)
        problems += [document.problem(*found) for found in across(config, OF_EVERY_RUN)]
        if not problems:
            config = config.model_copy(update=fitted_to_population(config))
        return config, problems

    def dump(self, config: Any) -> dict[str, Any]:
        """Returns a config as plain values, in the form of a file; `read` gives an equal one back."""
        return config.model_dump(mode="json")

    def schema(self) -> dict[str, Any]:
        """Returns the JSON schema of such a file."""
        return schema_of(self.config, self.search)[0]

    # --- its runs -------------------------------------------------------------------------------

    def domain(self, config: Any) -> Domain:
        """Returns what a new run is made of."""
        raise NotImplementedError

    def resumed(self, config: Any, info: dict[str, Any]) -> Domain:
        """Returns what a run is made of that began earlier; info: what `Domain.info` gave then."""
        domain = self.domain(config)
        domain.recall(info)
        return domain

    # --- its archives ---------------------------------------------------------------------------

    def columns(self, records: Sequence[Any]) -> dict[str, Any]:
        """Returns the kind's own columns of an archive's records: arrays, or lists of texts."""
        return {}

    def from_columns(self, tree: dict[str, Any], count: int, ops: int) -> dict[str, Any]:
        """Returns what `columns` gave, as lists of `count` values by the names of the record's fields.

        ops: how many ops the archive names.

        Raises:
            ValueError: a column is missing, of another type, or contradicts the others.
        """
        return {}

    def head(self, ops: list[str]) -> dict[str, Any]:
        """Returns what an archive says of the kind; ops: of `Domain.ops`."""
        return {"kind": self.name}

    def ops_in(self, tree: dict[str, Any]) -> list[str]:
        """Returns the ops that an archive names; raises ValueError where it should and does not."""
        return []

    def check_results(self, results: dict[str, Any]) -> None:
        """Raises ValueError if an archive's results lack something or contradict themselves."""
        for key, types in {self.outcome_key: str, **_RESULTS}.items():
            part = get(results, key, types)
            if isinstance(part, dict):
                get(part, "fitness", float)

    # --- its genomes among others ---------------------------------------------------------------

    def canonical(self, text: str) -> str:
        """Returns a genome's canonical form: equal for genomes that are the same in other words.

        Raises:
            ZeroError: the text is no genome that is known here.
        """
        return text.strip()

    def canonical_in(self, text: str, settings: Mapping[str, Any]) -> str:
        """Returns `canonical` of a genome of a run with these settings, as plain values."""
        return self.canonical(text)

    def lines(self, text: str, canonical: str) -> list[str]:
        """Returns a genome as the lines in which two are compared; canonical: its form."""
        return text.splitlines()

    def size(self, text: str, record: Any) -> tuple[int, str]:
        """Returns how large a genome is, and what was counted; text: the canonical form."""
        return len(text), "characters"

    def task(self, settings: dict[str, Any]) -> str:
        """Returns what a run's genomes are evaluated on, in a few words; "" if its name says all.

        settings: of its config, unchecked.
        """
        return ""

    # --- taking a discovery away ----------------------------------------------------------------

    def model(self, path: Path) -> Model:
        """Returns what predicts with the outcome of a run, for `zero.load` and `zero predict`.

        path: the folder of a run, or its archive.

        Raises:
            ArchiveError: there is nothing yet that predicts; or genomes of this kind never do.
        """
        raise ArchiveError(f"{path} is a run of {self.name}, which cannot predict")

    def pictures(self, path: Path) -> Mapping[str, Draw]:
        """Returns what can be drawn of a run, by name, for `zero plot`; the first is the default.

        path: the folder of a run, or its archive.

        Raises:
            ArchiveError: there is nothing to draw yet.
        """
        from zero.runs.reports import common

        return common.pictures(common.RunFiles.read(path, self))

    def report(self, path: Path, domain: Domain | None = None) -> Report:
        """Returns what there is to report on a run, for `zero report` and at a run's end.

        path: the folder of a run, or its archive. domain: of the run, if it is at hand; where a report
        needs one, it is made anew otherwise.

        Raises:
            ArchiveError: there is nothing to report yet.
        """
        from zero.runs.reports import common

        return common.basic(common.RunFiles.read(path, self))

    def ships(self, what: str) -> bool:
        """Returns whether that is the name of a genome that comes with zero."""
        return False

    def train(self, wanted: Training) -> Any:
        """Trains one genome in a folder of its own, which `model` then reads.

        Returns: what the view's `print_training` takes; its `reason` is why it ended.

        Raises:
            ZeroError: the genome, the config or its data cannot be used, or do not fit together.
        """
        raise ConfigError(f"{wanted.config} is about {self.name}, which cannot be trained alone")

    def find_rate(self, wanted: Training) -> Any:
        """Looks for a learning rate to train a genome with; writes a curve and its picture, nothing else.

        Returns: what the view's `print_rate` takes.

        Raises:
            ZeroError: as for `train`; or no rate is found.
        """
        raise ConfigError(
            f"--find-rate is for networks of cells; {wanted.config} is about {self.name}"
        )

    def no_explanation(self, path: Path) -> str:
        """Returns what a person is told who wants a run's outcome explained as programs are."""
        return (
            f"{path} is a run of {self.name}, and only programs can be explained; look at it with "
            f"`zero show {path}`"
        )

    def has(self, what: str) -> bool:
        """Returns whether a user's word, which is no run, is something of this kind to be exported."""
        return False

    def export(
        self,
        what: str,
        to: str | None,
        output: Path | None,
        note: Callable[[str], None],
        opset: int | None,
    ) -> list[Path] | str:
        """Returns the files written, or without `output` the text.

        Args:
            what: a run, with `#ID` of a record or without, or what `has` is true of.
            to: the form; None takes what the output's ending says.
            output: the file to write.
            note: gets what the user should know.
            opset: of ONNX's operators, None for one that suits most.

        Raises:
            ZeroError: there is nothing to export, or not in this form; nothing is written then.
        """
        raise ArchiveError(f"{what} is a run of {self.name}, of which nothing can be exported")

"""`zero train` of a program: trained on a table, in a folder that `zero.load` and exports read as a run's.

The folder is a run's (`zero.runs.folder.RunFolder`: config.yaml, run.json, log.jsonl, best.txt) with
    model.h5       the trained program with all that is done to a row (`zero.programs.model`)
    train.json     its figures, see `Trained`
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zero import genomes
from zero.config.files import import_again
from zero.config.load import config_to_yaml, load_config
from zero.errors import ArchiveError, ConfigError, ProgramError
from zero.programs import keep, library, model, predicted_rows
from zero.programs.config import ProgramsConfig, of_programs
from zero.programs.export.named import part_of
from zero.programs.find import load_program
from zero.programs.program import Program, memory_needed
from zero.runs.folder import RunFolder
from zero.runs.kind import Training
from zero.runs.reports.write import leave_report
from zero.runs.session import new_session
from zero.system.sealed import read_sealed, write_sealed
from zero.system.signals import Stops


@dataclass(frozen=True)
class Trained:
    """What a training of a program came to.

    genome: as the user named it. program: its text. target, problem, epochs: of the table. rows: that it
    was trained on, and that the scores are of. table: see `zero.programs.scores.compare`.
    """

    folder: Path
    genome: str
    program: str
    target: str
    problem: str
    epochs: int
    rows: dict[str, int]
    table: dict[str, Any]
    reason: str = "epochs"


def start(wanted: Training) -> Trained:
    """Trains a program on all rows of a config's final table but the test rows.

    Raises:
        ProgramError: there is no such program, or training fails on these rows.
        ConfigError: the config is wrong or has no table, or an option is for networks only.
        ZeroError: the table or the folder cannot be used.
    """
    for option, value in (("threads", wanted.threads), ("max-seconds", wanted.max_seconds)):
        if value is not None:
            raise ConfigError(f"--{option} is for networks of cells; leave it out")
    program = _find(wanted.genome)
    config = of_programs(load_config(wanted.config, wanted.settings))
    family = keep.table_of(config)
    if family is None:
        raise ConfigError(
            f"the final tasks of {wanted.config} are no table; zero train needs one: a table file with "
            "--target COLUMN, or a config with tasks of type table"
        )
    for searched in config.tasks.searched:
        family.check_apart(searched)
    reporter, name = wanted.reporter, Path(wanted.genome).stem.replace("#", "-")
    with new_session(
        wanted.out, f"train-{name}", config_to_yaml(config), config.seed, wanted.command, reporter,
        Stops(None), 0.0,
    ) as session:  # fmt: skip
        for note in family.notes():
            session.message(f"note: {note}")
        session.record_settings(config.imports)
        trained = _trained(config, wanted.genome, program, session.folder)
        session.begun = True
        if config.report:
            kind, path = genomes.get(config.genomes), session.folder.path
            leave_report(kind, path, None, session.stops, session.message)
    return trained


def _find(what: str) -> Program:
    part = part_of(what)
    if part != "predictor":
        raise ProgramError(
            f"{what} is the {part} of networks and predicts no rows; `zero export {what} --to python` makes "
            "a module of it"
        )
    run = Path(what.partition("#")[0])
    if what not in library.PROGRAMS and (run.is_dir() or run.suffix == ".h5"):
        import_again(run if run.is_dir() else run.parent)  # ops of the user's own
    return load_program(what)


def _trained(config: ProgramsConfig, genome: str, program: Program, folder: RunFolder) -> Trained:
    """Trains, scores and keeps a program in a folder."""
    family = keep.table_of(config)
    assert family is not None
    about = {"program": genome, "seed": str(config.seed)}
    kept = keep.train_on_all(config, program, None, about)
    matrices = memory_needed(program).matrices > 0
    beside = [name for name in keep.beside(kept.trained.features, matrices) if name != genome]
    predictions = keep.predictions(config, kept, beside)
    predicted_rows.save(keep.predicted_rows(config, predictions), folder.path)
    rows = {"trained on": len(family.rows_to_keep_learning()), "test": len(family.parts.test)}
    found = Trained(
        folder.path, genome, str(program), kept.target, kept.problem, kept.epochs, rows,
        keep.compared(config, kept, predictions),
    )  # fmt: skip
    kept.save(folder.path / model.FILE)
    folder.write_best(str(program))
    figures = {key: value for key, value in asdict(found).items() if key != "folder"}
    write_sealed(folder.path / RunFolder.TRAINED, figures)
    return found


def read_trained(folder: Path) -> Trained:
    """Returns what the folder of a training says of it.

    Raises:
        ArchiveError: it cannot be read, or is damaged.
    """
    file = folder / RunFolder.TRAINED
    try:
        return Trained(folder, **read_sealed(file))
    except TypeError as error:
        raise ArchiveError(f"{file} holds no figures of a training: {error}") from None

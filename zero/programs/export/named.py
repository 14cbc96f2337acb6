"""What a user names to be exported: a run, a record of one, a shipped program, a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zero.config import yaml
from zero.config.files import import_again
from zero.errors import ArchiveError, ProgramError
from zero.programs import library, model, parts
from zero.programs.export.json import from_json
from zero.programs.export.source import NO_VECTORS
from zero.programs.find import load_program
from zero.programs.program import Program
from zero.runs import discoveries
from zero.runs.archive import ArchiveData, best_record, read_archive
from zero.runs.folder import RunFolder
from zero.system.trees import kind_of_file
from zero.tasks import task_families
from zero.tasks.networks import Part
from zero.tasks.read import labels_in, searched


def is_named(what: str) -> bool:
    """Returns whether that is a program or a model, and not of a run."""
    path = Path(what)
    if what in library.PROGRAMS or not path.is_file():
        return what in library.PROGRAMS
    return path.suffix != ".h5" or kind_of_file(path) in (model.KIND, discoveries.KIND)


def find(
    what: str, note: Callable[[str], None]
) -> tuple[Program | model.TableModel, dict[str, str]]:
    """Returns what is to be exported, and notes on where it comes from.

    Args:
        what: a run's folder or archive, alone or with `#ID` of a record; a shipped program; a file of a
            program, of a model, or of JSON.
        note: gets what the user should know.

    Raises:
        ProgramError, ArchiveError: there is nothing of that name, or it cannot be read.
    """
    path = Path(what)
    if path.is_file() and path.suffix == ".json":
        return from_json(_text_of(path), path), {}
    if path.is_file() and kind_of_file(path) == model.KIND:
        return model.load_model(path), {}
    name, mark, record_id = what.rpartition("#")
    run = Path(name) if mark and record_id.isdigit() else path
    is_run = run.is_dir() or (run.suffix == ".h5" and kind_of_file(run) != discoveries.KIND)
    if what in library.PROGRAMS or not is_run:
        return load_program(what), {"program": path.name}
    folder = run if run.is_dir() else run.parent
    if run.is_dir() and not mark and (run / RunFolder.TRAINED).is_file():
        import_again(run)
        return _kept(run)
    if run.is_dir() and not RunFolder.open(run).archive_path.exists():
        raise ArchiveError(f"{run} holds no program yet")
    data = read_archive(run)
    import_again(folder)  # ops of the user's own
    if labels_in(_settings(data, folder)) == "vector":
        raise ProgramError(f"{what}: {NO_VECTORS}")
    about = _about(folder, data, record_id if mark else "")
    if not mark and (folder / model.FILE).is_file():
        return model.load_model(folder / model.FILE), about
    program = load_program(what)
    if not mark:
        note(f"{run} has no {model.FILE}: this is its best program alone, which is not trained")
    return program, about


def part_of(what: str) -> Part:
    """Returns what a program that `find` finds is: of a run what its tasks say, of a file a predictor."""
    if what in library.PROGRAMS:
        return parts.part_of(what)
    name, mark, record_id = what.rpartition("#")
    run = Path(name) if mark and record_id.isdigit() else Path(what)
    if run.is_dir() and (run / RunFolder.TRAINED).is_file():
        return "predictor"
    if not run.is_dir() and kind_of_file(run) != "archive":
        return "predictor"
    folder = run if run.is_dir() else run.parent
    import_again(folder)  # families of the user's own
    settings = _settings(read_archive(run), folder)
    try:
        return task_families()[searched(settings)[0]["type"]].part
    except (KeyError, IndexError, TypeError):
        return "predictor"


def _settings(data: ArchiveData, folder: Path) -> dict[str, Any]:
    """Returns a run's config as it was written, {} where it has none."""
    if not data.config.strip():
        return {}
    settings: dict[str, Any] = yaml.parse(data.config, str(folder)).data
    return settings


def _kept(training: Path) -> tuple[model.TableModel, dict[str, str]]:
    """Returns the trained program of a training's folder, and what it says of itself."""
    found = model.load_model(training / model.FILE)
    return found, {"training": training.resolve().name, **found.about}


def _text_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror}") from error


def _about(folder: Path, data: ArchiveData, record_id: str) -> dict[str, str]:
    """Returns provenance, and the figures of a run's outcome."""
    best = best_record(data)
    found = record_id or ("" if best is None else str(best.id))
    about = {"run": folder.resolve().name, "seed": str(data.seed), "record": found}
    for part in ("search", "select", "final"):
        figures = data.results and data.results[part]
        if figures and not record_id:
            about[f"{part}_fitness"] = f"{figures['fitness']:.6g}"
    return about

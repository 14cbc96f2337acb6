"""Programs by name: shipped ones, files, and those of archives."""

from __future__ import annotations

import os
from pathlib import Path

from zero.errors import ArchiveError, ProgramError, what_is
from zero.programs import library
from zero.programs.ops import Op, get_op
from zero.programs.program import Program, from_arrays, parse_program
from zero.runs import discoveries
from zero.runs.archive import ArchiveData, best_record, find_record, read_archive
from zero.runs.folder import RunFolder
from zero.system.sealed import read_sealed
from zero.system.trees import kind_of_file


def load_program(name: str | os.PathLike) -> Program:
    """Returns a program by name: shipped, a text file, or an archive entry.

    An archive entry is a run folder or archive file, alone (its outcome) or with `#ID` of a record; the
    folder of a program's training has that program.

    Raises:
        ProgramError, ArchiveError: there is nothing of that name, or it cannot be read.
    """
    if not isinstance(name, str | os.PathLike):
        hint = "; this is a program already" if isinstance(name, Program) else ""
        raise ProgramError(
            f"load_program takes a shipped program's name, a file or a run, got {what_is(name)}{hint}"
        )
    name = os.fspath(name)
    if name in library.PROGRAMS:
        return library.program(name)
    path_text, _, record_id = name.partition("#")
    path = Path(path_text)
    if path.is_dir() or path.suffix == ".h5":
        if record_id and not record_id.isdigit():
            raise ArchiveError(f"'{name}': after # stands the number of a record")
        if kind_of_file(path) == discoveries.KIND and not record_id:
            return _of_discovery(path)
        trained = path / RunFolder.TRAINED
        if not record_id and trained.is_file() and (path / RunFolder.BEST).is_file():
            return parse_program(str(read_sealed(trained)["program"]), str(trained))
        data = read_programs_archive(path)
        record = find_record(data, int(record_id)) if record_id else best_record(data)
        if record is None:
            raise ArchiveError(f"{path_text} holds no program yet")
        return from_arrays(record.code, record.consts, record.sizes, ops_of(data))
    if not path.is_file():
        names = ", ".join(library.names())
        raise ProgramError(
            f"no program '{name}': give a file, a run folder or one of {names}; for cells there is "
            "`zero cells show`"
        )
    return _read(path)


def _of_discovery(path: Path) -> Program:
    """Returns the program of an entry of a library."""
    found = discoveries.read_discovery(path)
    if found.kind != "programs":
        raise ArchiveError(f"{path} is a discovery of {found.kind}, not of programs")
    return parse_program(found.text, str(path))


def read_programs_archive(path: Path) -> ArchiveData:
    """Returns the archive of a run over programs; raises ArchiveError if it is none."""
    data = read_archive(path)
    if data.kind != "programs":
        raise ArchiveError(f"{path} is a run over {data.kind}, not over programs")
    return data


def ops_of(data: ArchiveData) -> list[Op]:
    """Returns the ops by the numbers of an archive; raises ProgramError if one is not known here."""
    found = []
    for name in data.ops:
        try:
            found.append(get_op(name))
        except ProgramError:
            raise ProgramError(
                f"its run has the op {name}, which is not known here; name the file of it in imports"
            ) from None
    return found


def _read(path: Path) -> Program:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProgramError(f"{path} cannot be read as text: {error}") from error
    return parse_program(text, str(path))

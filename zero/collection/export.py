"""A discovery of a library in a file that other commands and programs read."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from zero import genomes
from zero.errors import ArchiveError, ConfigError, ZeroError
from zero.runs.discoveries import Discovery
from zero.runs.summaries import is_run
from zero.system.files import check_place, write_bytes

OWN = (".txt", ".json", ".h5")


def export(found: Discovery, entry: Path, output: Path, note: Callable[[str], None]) -> list[Path]:
    """Writes a discovery to a file; its ending says how. Returns the files written.

    .txt is the genome as commands take it, .json all that is known, .h5 a copy of the entry; other endings
    are forms of the kind of genome (`zero.runs.kind.Kind.export`): from the text, where that is enough, else
    from the run, if it is still where it was.

    Args:
        found: what to write.
        entry: its file.
        output: the file to write.
        note: gets what the user should know.

    Raises:
        ZeroError: it cannot be written, or not in this form.
    """
    check_place(output)
    if output.suffix == ".txt":
        write_bytes(output, (found.text.rstrip("\n") + "\n").encode())
    elif output.suffix == ".json":
        text = json.dumps(found.plain(), indent=2, allow_nan=False)
        write_bytes(output, text.encode() + b"\n")
    elif output.suffix == ".h5":
        write_bytes(output, entry.read_bytes())
    else:
        return _by_kind(found, output, note)
    return [output]


def _by_kind(found: Discovery, output: Path, note: Callable[[str], None]) -> list[Path]:
    kind = genomes.get(found.kind)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / f"{found.form[:12]}.txt"
        text.write_text(found.text)
        if kind.has(str(text)):
            return list(kind.export(str(text), None, output, note, None))
    folder = found.run["folder"]
    try:
        if not is_run(folder):
            raise ArchiveError(f"the run that it needs, {folder}, is gone")
        return list(kind.export(f"{folder}#{found.run['record']}", None, output, note, None))
    except ZeroError as error:
        raise ConfigError(
            f"cannot write {output}: {' '.join(str(error).split())}; files that end in {', '.join(OWN)} "
            "can always be written"
        ) from error

"""Tables of the user, in whatever file they come: CSV, TSV, Parquet, Excel, NPY and NPZ."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from zero.config.settings import Found
from zero.data.arrays import read_npy, read_npz
from zero.data.csv_tables import read_text
from zero.data.frames import of_arrays, of_frame
from zero.data.splits import read_error
from zero.data.table import Reading, Table, Wanted, cell_text, check_names
from zero.errors import TaskError

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
FRAME_SUFFIXES = {".parquet": "pyarrow", ".xlsx": "openpyxl", ".xls": "xlrd"}
AS_IT_SEEMS = Reading()
SUFFIXES = (*TEXT_SUFFIXES, *FRAME_SUFFIXES, ".npy", ".npz")
IN_MEMORY = "(in memory)"  # the path of a table that Python gives
STORED = ".h5"  # tables that a run keeps, in a form of our own


def ending(path: str | Path) -> str:
    """Returns the ending that tells a file's type, such as ".csv", also of .csv.gz."""
    return "." + Path(path).name.lower().removesuffix(".gz").rpartition(".")[2]


def check_path(table: Any) -> Iterator[Found]:
    """Checks the key `path` of a section that names a table's file."""
    if table.path != IN_MEMORY and ending(table.path) not in (*SUFFIXES, STORED):
        yield ("path",), f"'{table.path}' should end in {', '.join(SUFFIXES)}"


def check_target(table: Any) -> Iterator[Found]:
    """Checks the key `target` of such a section."""
    if table.path == IN_MEMORY or ending(table.path) == STORED:
        return
    if ending(table.path) == ".npz" and table.target is not None:
        yield ("target",), "an NPZ file has its targets in array 'y'; leave it out"
    if ending(table.path) != ".npz" and table.target is None:
        yield ("target",), "give the target column's name, or its number from 0"


def read_table(path: Path, wanted: Wanted, reading: Reading = AS_IT_SEEMS) -> Table:
    """Returns the table in a file, of the type that its name's ending says.

    Raises:
        TaskError: it cannot be read; columns that are wanted are missing.
    """
    suffix = ending(path)
    if suffix in FRAME_SUFFIXES:
        frame = _read_frame(path, suffix, reading, wanted.names)
        return of_frame(frame, wanted, str(path), reading.decimal)
    if suffix == ".npz":
        names = (reading.x, reading.y)
        x, *y = read_npz(path, names[:1] if wanted.only is not None else names)
        return of_arrays(x, y[0] if y else None, None, wanted, str(path), names, reading.decimal)
    if suffix == ".npy":
        x = read_npy(path)
        if x.ndim != 2:
            raise TaskError(f"{path}: shape {x.shape} of '{x.dtype}'; expected a 2-D array")
        return of_arrays(x, None, None, wanted, str(path), decimal=reading.decimal)
    return read_text(path, wanted, reading)


def _read_frame(path: Path, suffix: str, reading: Reading, asked_for: Collection[str]) -> Any:
    import pandas as pd

    try:
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:
        raise read_error(path, error) from None
    try:
        if suffix == ".parquet":
            return pd.read_parquet(path)
        return _read_sheet(path, reading.header, asked_for)
    except TaskError:
        raise
    except ImportError:
        package = FRAME_SUFFIXES[suffix]
        raise TaskError(f"{path}: reading it needs {package}: pip install {package}") from None
    except Exception as error:  # foreign bytes raise a dozen kinds
        raise TaskError(
            f"{path}: not a {suffix} file, or a damaged one: {' '.join(str(error).split())[:200]}"
        ) from None


def _read_sheet(path: Path, header: int | None, asked_for: Collection[str]) -> Any:
    """Returns the first sheet of an Excel file as a frame with the names that its header has."""
    import pandas as pd

    skip = max(0, (header or 1) - 1)
    if header == 0:
        frame = pd.read_excel(path, header=None)
        return frame.set_axis([str(i) for i in range(frame.shape[1])], axis=1)
    frame = pd.read_excel(path, skiprows=skip)
    # pandas gives names of its own to columns without one, or with that of another.
    first = pd.read_excel(path, header=None, skiprows=skip, nrows=1, dtype=object)
    cells = [] if first.empty else first.iloc[0].tolist()
    names = ["" if pd.isna(cell) else " ".join(cell_text(cell).split()) for cell in cells]
    names += [""] * (frame.shape[1] - len(names))
    check_names(names, str(path), 1 + skip, header is not None, asked_for)
    return frame.set_axis(names[: frame.shape[1]], axis=1)

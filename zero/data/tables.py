"""Tables of the user, in whatever file they come: CSV, TSV, Parquet, Excel, NPY and NPZ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zero.data.arrays import read_npy, read_npz
from zero.data.csv_tables import read_text
from zero.data.frames import of_arrays, of_frame
from zero.data.splits import read_error
from zero.data.table import Reading, Table, Wanted
from zero.errors import TaskError

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
FRAME_SUFFIXES = {".parquet": "pyarrow", ".xlsx": "openpyxl", ".xls": "xlrd"}
AS_IT_SEEMS = Reading()
SUFFIXES = (*TEXT_SUFFIXES, *FRAME_SUFFIXES, ".npy", ".npz")


def ending(path: str | Path) -> str:
    """Returns the ending that tells a file's type, such as ".csv", also of .csv.gz."""
    return "." + Path(path).name.lower().removesuffix(".gz").rpartition(".")[2]


def read_table(path: Path, wanted: Wanted, reading: Reading = AS_IT_SEEMS) -> Table:
    """Returns the table in a file, of the type that its name's ending says.

    Raises:
        TaskError: it cannot be read; columns that are wanted are missing.
    """
    suffix = ending(path)
    if suffix in FRAME_SUFFIXES:
        return of_frame(_read_frame(path, suffix), wanted, str(path))
    if suffix == ".npz":
        names = (reading.x, reading.y)
        x, y = read_npz(path, names)
        return of_arrays(x, y, None, wanted, str(path), names)
    if suffix == ".npy":
        x = read_npy(path)
        if x.ndim != 2:
            raise TaskError(f"{path}: shape {x.shape} of '{x.dtype}'; expected a 2-D array")
        return of_arrays(x, None, None, wanted, str(path))
    return read_text(path, wanted, reading)


def _read_frame(path: Path, suffix: str) -> Any:
    import pandas as pd

    try:
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:
        raise read_error(path, error) from None
    try:
        return pd.read_parquet(path) if suffix == ".parquet" else pd.read_excel(path)
    except ImportError:
        package = FRAME_SUFFIXES[suffix]
        raise TaskError(f"{path}: reading it needs {package}: pip install {package}") from None
    except Exception as error:  # foreign bytes raise a dozen kinds
        raise TaskError(
            f"{path}: not a {suffix} file, or a damaged one: {' '.join(str(error).split())[:200]}"
        ) from None

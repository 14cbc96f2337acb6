"""Trained pipelines in files, without pickle: loading never executes what stands in a file.

By skops, which restores only types that it knows as harmless or that are named here; a file that asks for
another is refused. Called by the end of a run and by what predicts with it.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

from zero.errors import ArchiveError
from zero.system.files import write_bytes

# Beside what skops trusts by itself: functions of preparing, and what learners are made of.
_PLACES = (
    "numpy.", "scipy.", "sklearn.", "lightgbm.", "xgboost.", "catboost.", "zero.pipelines.",
    "zero.sklearn.", "zero.programs.", "zero.data.",
)  # fmt: skip
_NAMES = (
    "pandas.to_datetime", "operator.attrgetter", "collections.OrderedDict",
    "pandas.core.tools.datetimes.to_datetime", "builtins.bytes",
)  # fmt: skip
_REFUSED = ("numpy.f2py", "numpy.distutils", "numpy.testing", "scipy.io", "numpy.load")


def warm_up() -> None:
    """Imports what saving needs, which takes a second."""
    import skops.io  # noqa: F401


def save(path: Path, pipeline: Any) -> None:
    """Writes a trained pipeline."""
    import skops.io

    write_bytes(path, skops.io.dumps(pipeline, compression=zipfile.ZIP_DEFLATED, compresslevel=1))


def load(path: Path) -> Any:
    """Returns the pipeline in a file.

    Raises:
        ArchiveError: it cannot be read, or holds what no pipeline of ours has.
    """
    import skops.io

    try:
        data = path.read_bytes()
        unknown = skops.io.get_untrusted_types(data=data)
        strange = [name for name in unknown if not _is_trusted(name)]
        if strange:
            raise ArchiveError(
                f"{path} holds {strange[0]}, which no pipeline has; it is not loaded"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return skops.io.loads(data, trusted=unknown)
    except ArchiveError:
        raise
    except Exception as error:  # foreign bytes raise a dozen kinds
        text = " ".join(str(error).split())[:200]
        raise ArchiveError(f"{path}: no trained pipeline, or a damaged one: {text}") from None


def _is_trusted(name: str) -> bool:
    if any(name.startswith(place) for place in _REFUSED):
        return False
    return name in _NAMES or any(name.startswith(place) for place in _PLACES)

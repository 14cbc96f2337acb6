"""What readers of data and task families share: seeded draws, standardising, split sizes, finding a file."""

from __future__ import annotations

import importlib.resources
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from zero.errors import TaskError

# Parts that are not given share the remaining rows like this: of train, valid and test 60 %, 20 % and 20 %.
SHARES = {"train": 3, "valid": 1, "select": 1, "test": 1}


def _count_or_fraction(size: float) -> float:
    if size >= 1 and size != int(size):
        raise ValueError(f"{size} is neither a fraction below 1 nor a whole number of rows")
    return size


Size = Annotated[float, Field(gt=0, lt=2**40), AfterValidator(_count_or_fraction)]


def rng_for(what: str, seed: int) -> np.random.Generator:
    """Returns the generator of the draws named `what` for this seed; equal arguments, equal draws.

    The original takes all of a task's numbers from a Mersenne Twister (spec, section 5.4); ours
    have the same distributions but not the same values.
    """
    # A spawn key keeps the streams of two names apart for every pair of seeds.
    spawn_key = (zlib.crc32(what.encode()),)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))


def center_and_scale(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean and the population std of each column of `train`, (rows, F) or (rows,).

    The std is 0 for a column without spread.
    """
    biggest = np.abs(train).max(axis=0)
    # Scaling by a power of two is exact and keeps squares of huge values finite. The exponent is
    # cut so that ldexp itself can neither overflow nor lose a normal number.
    exponent = np.clip(np.frexp(biggest)[1], -1000, 1000)
    scaled = np.ldexp(train, -exponent)
    mean, std = scaled.mean(axis=0), scaled.std(axis=0)
    # The mean of equal numbers may be off by a rounding, which leaves a std that is not quite 0.
    flat = std <= 1e-12 * np.abs(scaled).max(axis=0)
    return np.ldexp(mean, exponent), np.where(flat, 0.0, np.ldexp(std, exponent))


def standardize(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Returns `train` and `others` minus the mean, divided by the population std, of `train`.

    All are (rows, F) or (rows,), float64; each column on its own. A column without spread in
    `train` becomes 0 everywhere.
    """
    mean, std = center_and_scale(train)
    flat = std == 0.0
    parts = [(part - mean) / np.where(flat, 1.0, std) for part in (train, *others)]
    return [np.where(flat, 0.0, part) for part in parts]


def split_sizes(rows: int, given: Mapping[str, float | None], where: str) -> dict[str, int]:
    """Returns the number of rows of each part named in `given` (train, valid and perhaps select and test).

    Args:
        rows: how many rows there are.
        given: per part a count (1 or more), a fraction of `rows` (below 1), or None: such parts
            share what is left in the ratio 3 : 1 : 1 : 1, rounded down, test getting a fifth of `rows`
            at most; train takes the remainder.
        where: opens the error message.

    Raises:
        TaskError: a part is empty, or the parts need more rows than there are.
    """
    sizes = {
        part: int(size) if size >= 1 else int(size * rows + 1e-9)
        for part, size in given.items()
        if size is not None
    }
    rest = rows - sum(sizes.values())
    shares = {part: SHARES[part] for part, size in given.items() if size is None}
    for part, share in shares.items():
        sizes[part] = rest * share // sum(shares.values())
        if part == "test":
            sizes[part] = min(sizes[part], rows // 5)
    if "train" in shares:
        sizes["train"] += rows - sum(sizes.values())
    if sum(sizes.values()) > rows or min(sizes.values()) < 1:
        wanted = ", ".join(f"{part} {size if size > 0 else 0}" for part, size in sizes.items())
        raise TaskError(
            f"{where}: {rows} usable rows cannot be split into {wanted}; each part needs at least "
            "1 row; give smaller sizes or more data"
        )
    return {part: sizes[part] for part in given}


def shipped_file(name: str) -> Path | None:
    """Returns the path of a file among the package's shipped configs, None if there is none."""
    try:
        found = Path(str(importlib.resources.files("zero.configs").joinpath(name)))
    except ModuleNotFoundError:  # an editable install does not always map the folder
        found = Path(__file__).resolve().parents[2] / "configs" / name
    return found if found.exists() else None


def find_file(given: str, base: Path) -> Path:
    """Returns where the file or folder `given` lies; it need not exist.

    `~` is the home folder; a relative path starts at `base`. One that does not exist there, but
    whose name is that of a shipped file, is the shipped one.
    """
    try:
        path = base / Path(given).expanduser()
        if Path(given).name == given and not path.exists():
            return shipped_file(given) or path
        path = path.resolve()  # one file has one name, so that test rows can be kept apart
    except (OSError, RuntimeError, ValueError) as error:  # no such user; a NUL or too long a name
        raise TaskError(f"{given[:200]!r} is not a usable path: {error}") from None
    return path


def read_error(path: Path, error: Exception) -> TaskError:
    """Returns the one-line error for a file that the system cannot open or read."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return TaskError(f"{path}: cannot be read: {reason}")

"""Images from the user's own files: a folder of images per class, or arrays in an NPZ file.

Both return images as channels-last arrays and labels as numbers. Every message is one line: which
file, what is wrong, what to do. Called by `zero.data.images`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zero.data.arrays import read_npz
from zero.data.pixels import GROUNDS, PixelsError, on_ground, read_pixels
from zero.data.splits import read_error
from zero.errors import TaskError
from zero.system.memory import gigabytes, usable_bytes

if TYPE_CHECKING:
    from PIL import Image

# What names of image files end in; `zero.data.pixels.FORMATS` are the formats.
SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
)  # fmt: skip
# Names of folders that hold the parts of a split, compared in small letters.
PARTS = {
    "train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid",
    "dev": "valid", "test": "test", "testing": "test",
}  # fmt: skip
CHANNELS = (1, 3, 4)  # that images have
MOST_TOLD = 10  # files in a message
CHECKED_AT_ONCE = 1000  # images looked at for NaN at a time

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class FoundImages:
    """Images of a source: x (N, H, W, C), labels (N,) int64 from 0, a name for each label.

    ground: a key of `GROUNDS`, "" where no pixel is transparent. left_out: the endings of files in class
    folders that are no image's, once for each file. note: what else the user should know, "" for nothing.
    """

    x: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    ground: str = ""
    left_out: tuple[str, ...] = ()
    note: str = ""


def read_folder(
    folder: Path,
    resize: tuple[int, int] | None = None,
    channels: int | None = None,
    ground: str | None = None,
) -> FoundImages:
    """Returns the images of a folder that has one folder of images for each class.

    Class folders and files go by name; what lies in folders of a class folder is of its class. Names that
    start with "." or "__" are left out, and so are files whose name ends like no image's. Photographs are
    turned as their camera says. Of animated images it is the first picture; 16 bits a channel become 8.

    Args:
        folder: the folder of class folders.
        resize: (height, width) to which each image is scaled (bilinear, smoothed); None: as it is.
        channels: 1 makes all images grey, 3 coloured; None: as the files are.
        ground: a key of `GROUNDS`, on which images with transparent pixels are put; None: the one
            that leaves more of these images something to see, or the stronger contrast.

    Raises:
        TaskError: no class folders, one without images, a file that cannot be read or is damaged,
            images of different sizes or channels, or more of them than the memory holds.
    """
    classes = class_folders(folder)
    files: list[tuple[Path, int]] = []
    left_out: list[str] = []
    empty: dict[Path, str] = {}
    for label, name in enumerate(classes):
        found, others = find_images(folder / name)
        left_out += others
        if not found:
            empty[folder / name] = f", but {left_out_text(others)}" if others else ""
        files += [(file, label) for file in found]
    if empty:
        more = "".join(
            f"; {path}: empty as well{but}" for path, but in list(empty.items())[1:MOST_TOLD]
        )
        more += f"; {len(empty) - MOST_TOLD} more" if len(empty) > MOST_TOLD else ""
        path, but = next(iter(empty.items()))
        raise TaskError(
            f"{path}: an empty class folder: it has no images ({', '.join(SUFFIXES)}){but}; put images "
            f"there, or remove the folder{more}"
        )
    beside = images_beside(folder)
    if not files:
        found_text = f"no folders, but {beside}" if beside else "no images"
        raise TaskError(
            f"{folder}: {found_text}; expected one folder for each class, with its images in it"
        )
    note = f"{folder}: {beside} beside the class folders left out" if beside else ""
    seen = _Transparent()
    damaged: list[TaskError] = []
    images: np.ndarray | None = None
    for row, (file, _) in enumerate(files):
        try:
            image = read_image(file, resize, channels, ground or "white", partial(seen.add, file))
        except TaskError as error:
            damaged.append(error)
            continue
        if damaged:
            continue  # only to find the others
        if images is None:
            images = _room_for(len(files), image.shape, folder)
        if image.shape != images.shape[1:]:
            raise _mixed(files[0][0], images.shape[1:], file, image.shape)
        images[row] = image
    if damaged or images is None:
        others = [str(error).partition(": ")[0] for error in damaged[1:]]
        more = f"; as little can be read: {', '.join(others[:MOST_TOLD])}" if others else ""
        more += f" and {len(others) - MOST_TOLD} more" if len(others) > MOST_TOLD else ""
        raise TaskError(f"{damaged[0]}{more}")
    chosen = (ground or seen.best()) if seen.files else ""
    if chosen == "black" and ground is None:  # they were put on white
        for row, (file, _) in enumerate(files):
            if file in seen.files:
                images[row] = read_image(file, resize, channels, chosen)
    labels = np.array([k for _, k in files], dtype=np.int64)
    return FoundImages(images, labels, classes, chosen, tuple(left_out), note)


class _Transparent:
    """What was seen of images with transparent pixels, to choose what they are put on."""

    def __init__(self) -> None:
        self.files: set[Path] = set()
        self.visible = dict.fromkeys(GROUNDS, 0)  # images that are not of one colour there
        self.contrast = dict.fromkeys(GROUNDS, 0)

    def add(self, file: Path, image: Image.Image) -> None:
        """Takes note of an image in Pillow's mode RGBA."""
        alpha = np.asarray(image.getchannel("A"), dtype=np.int64)
        if alpha.min() == 255:
            return
        self.files.add(file)
        for name, level in GROUNDS.items():
            put = np.asarray(on_ground(image, name), dtype=np.int64)
            self.visible[name] += bool((put != put[:1, :1]).any())
            self.contrast[name] += int(np.abs(put - level).sum() // put.shape[0] // put.shape[1])

    def best(self) -> str:
        """Returns the ground that leaves most to see; white where both leave as much."""
        return max(GROUNDS, key=lambda name: (self.visible[name], self.contrast[name]))


def class_folders(folder: Path) -> tuple[str, ...]:
    """Returns the names of the class folders in a folder, sorted.

    Raises:
        TaskError: the folder is absent or cannot be read.
    """
    if not folder.is_dir():
        raise TaskError(f"{folder}: no such folder; give a folder with one folder for each class")
    return tuple(path.name for path in _entries(folder) if path.is_dir())


def _entries(folder: Path) -> list[Path]:
    """Returns what is in a folder, sorted, without hidden entries and archivers' leftovers."""
    try:
        return sorted(p for p in folder.iterdir() if not p.name.startswith((".", "__")))
    except OSError as error:
        raise read_error(folder, error) from None


def part_folders(folder: Path) -> dict[str, Path]:
    """Returns the folders of a split in a folder by part (train, valid, test), none where there is none.

    A split has folders named as in `PARTS`, in any case, or as `train_set` and
    `val-data`: one for train and one or two for the others.

    Raises:
        TaskError: the folder is absent or cannot be read; or two folders are for one part, or others
            stand beside those of a split.
    """
    names = class_folders(folder)
    told = {name: re.sub(r"[\W_]*(set|data|images)?$", "", name.lower()) for name in names}
    parts = {name: PARTS[text] for name, text in told.items() if text in PARTS}
    if "train" not in parts.values() or len(set(parts.values())) < 2:
        return {}
    others = [name for name in names if name not in parts]
    if others or len(set(parts.values())) < len(parts):
        what = f"and also '{others[0]}'" if others else "two of them for one part"
        raise TaskError(
            f"{folder}: has folders of a split, {', '.join(parts)}, {what}; leave one folder for each "
            "of train, valid and test, or name classes otherwise"
        )
    return {part: folder / name for name, part in parts.items()}


def inner_folders(folder: Path) -> list[str]:
    """Returns the names of the folders in a folder that have images somewhere in them."""
    return [p.name for p in _entries(folder) if p.is_dir() and find_images(p)[0]]


def find_images(folder: Path) -> tuple[list[Path], list[str]]:
    """Returns the images in a folder and in all folders in it, by name, and the endings of other files.

    Raises:
        TaskError: a folder cannot be read.
    """
    files: list[Path] = []
    seen: set[Path] = set()

    def look(where: Path) -> None:
        if where.resolve() in seen:  # a link to a folder around it
            return
        seen.add(where.resolve())
        entries = _entries(where)
        files.extend(path for path in entries if path.is_file())
        for path in entries:
            if path.is_dir():
                look(path)

    look(folder)
    found = [path for path in files if path.suffix.lower() in SUFFIXES]
    return found, [path.suffix.lower() for path in files if path.suffix.lower() not in SUFFIXES]


def images_beside(folder: Path) -> str:
    """Returns how many images lie in a folder itself, in words; "" for none."""
    count = sum(p.is_file() and p.suffix.lower() in SUFFIXES for p in _entries(folder))
    return f"{count} image{'s' if count > 1 else ''}" if count else ""


def left_out_text(endings: Sequence[str]) -> str:
    """Returns in words how many files are left out, and of which endings."""
    each = ", ".join(f"{end or 'no ending'} {n}" for end, n in sorted(Counter(endings).items()))
    return f"{len(endings)} file{'s' if len(endings) > 1 else ''} left out ({each})"


def _room_for(count: int, shape: tuple[int, ...], folder: Path) -> np.ndarray:
    """Returns an array for that many images, before the first of them fills the memory."""
    needed, allowed = count * int(np.prod(shape)), usable_bytes()
    if needed > allowed:
        raise TaskError(
            f"{folder}: {count} images of {_size(shape)} need {gigabytes(needed)}, "
            f"{gigabytes(allowed)} allowed; give resize: [HEIGHT, WIDTH]"
        )
    return np.empty((count, *shape), dtype=np.uint8)


def read_image(
    file: Path,
    size: tuple[int, int] | None,
    channels: int | None,
    ground: str,
    see_transparent: Callable[[Image.Image], None] | None = None,
) -> np.ndarray:
    """Returns one image (H, W, C) uint8; arguments as for `zero.data.pixels.read_pixels`.

    Raises:
        TaskError: the file cannot be read, is damaged, or has pixels of a type that is not read.
    """
    try:
        file.open("rb").close()
    except OSError as error:
        raise read_error(file, error) from None
    try:
        return read_pixels(file, size, channels, ground, see_transparent)
    except PixelsError as error:
        raise TaskError(f"{file}: {error}") from None
    except Exception as error:  # Pillow's decoders raise a dozen kinds on foreign bytes
        raise TaskError(
            f"{file}: a damaged, truncated or foreign image: {type(error).__name__}: "
            f"{' '.join(str(error).split())[:120]}; replace or remove the file"
        ) from None


def _size(shape: Shape) -> str:
    return f"{shape[0]} x {shape[1]} pixels and {shape[2]} channel{'s' if shape[2] > 1 else ''}"


def _mixed(first: Path, first_shape: Shape, other: Path, shape: Shape) -> TaskError:
    wanted, fixes = [], []
    if shape[:2] != first_shape[:2]:
        wanted.append("one size")
        fixes.append("resize: [HEIGHT, WIDTH]")
    if shape[2] != first_shape[2]:
        wanted.append("one number of channels")
        fixes.append("channels: 1 or channels: 3")
    return TaskError(
        f"{other}: {_size(shape)}, but {first} has {_size(first_shape)}; images must have "
        f"{' and '.join(wanted)}; give {' and '.join(fixes)} to make them equal"
    )


def read_image_arrays(path: Path, x_name: str, y_name: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Returns the images and labels in two arrays of an NPZ file, and a note for the user or "".

    Returns:
        Images (N, H, W, C): uint8 if the array holds whole numbers from 0 to 255, else float32;
        labels (N,), int64 or text; of labels (N, K) with one 1 in each row, else 0, the column of the 1.
        An array (N, H, W) has one channel; of one whose second size is 1,
        3 or 4 and whose last is none of them the channels stand first, and the note says so.

    Raises:
        TaskError: no such file or array, another shape or type, NaN or infinity, or labels that are
            neither whole numbers nor texts.
    """
    if not path.is_file():
        raise TaskError(f"{path}: no such file; source 'npz' needs an NPZ file in 'path'")
    x, y = read_npz(path, (x_name, y_name))
    where = f"{path}: array '{x_name}'"
    if x.ndim not in (3, 4) or x.dtype.kind not in "biuf":
        raise TaskError(
            f"{where} has shape {x.shape} and type '{x.dtype}'; expected images as numbers, "
            "(N, height, width, channels) or (N, height, width)"
        )
    note = ""
    if x.ndim == 4 and x.shape[1] in CHANNELS and x.shape[3] not in CHANNELS:
        note = (
            f"{where} has shape {x.shape}: taken for channels first, so images of "
            f"{_size((*x.shape[2:], x.shape[1]))}; networks take (N, height, width, channels)"
        )
        x = x.transpose(0, 2, 3, 1)
    return _pixels(x, where), _labels(y, len(x), f"{path}: array '{y_name}'", x_name), note


def _pixels(x: np.ndarray, where: str) -> np.ndarray:
    x = x if x.ndim == 4 else x[..., None]
    if x.dtype.kind in "biu" and x.min() >= 0 and x.max() <= 255:
        return np.ascontiguousarray(x, dtype=np.uint8)
    with np.errstate(over="ignore"):  # too big for float32 becomes infinity and is found below
        x = np.ascontiguousarray(x, dtype=np.float32)
    for start in range(0, len(x), CHECKED_AT_ONCE):
        good = np.isfinite(x[start : start + CHECKED_AT_ONCE]).all(axis=(1, 2, 3))
        if not good.all():
            raise TaskError(
                f"{where}: NaN, infinity or a number beyond 3e38 in image {start + good.argmin()} "
                "(from 0); repair or remove it"
            )
    return x


def _is_one_hot(y: np.ndarray) -> bool:
    return y.dtype.kind in "biuf" and bool(
        ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()
    )


def _labels(y: np.ndarray, count: int, where: str, x_name: str) -> np.ndarray:
    if y.ndim == 2 and len(y) == count and y.shape[1] > 1 and _is_one_hot(y):
        y = y.argmax(axis=1)
    if y.shape not in ((count,), (count, 1)):
        raise TaskError(
            f"{where} has shape {y.shape}; expected ({count},), one label for each image of "
            f"'{x_name}'"
        )
    y = y.reshape(count)
    if y.dtype.kind == "U":
        return y
    with np.errstate(invalid="ignore"):  # NaN has no whole number and is caught as unequal
        if y.dtype.kind not in "biuf" or not np.array_equal(y, y.astype(np.int64)):
            raise TaskError(
                f"{where} of type '{y.dtype}': labels must be whole numbers or texts, one for each class"
            )
    return y.astype(np.int64)

"""Labelled images for training networks: where they come from, how they are split.

`load_images` reads a source that `ImageSettings` describes. Pixels stay as they are stored, uint8
where they are whole numbers up to 255: Fashion-MNIST is 47 MB so, and 188 MB as float32. They are
normalised batch by batch (`zero.nn.augment`).

Called by the configuration, `zero.nn.train` and the command line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, Field

from zero.config.settings import Check, Found, Settings
from zero.data.image_files import (
    SUFFIXES,
    FoundImages,
    images_beside,
    inner_folders,
    left_out_text,
    part_folders,
    read_folder,
    read_image_arrays,
)
from zero.data.preparation import OF_FILES, Preparation, usual_range
from zero.data.sources import load_source
from zero.data.splits import Size, find_file, rng_for, split_sizes
from zero.errors import TaskError, written

# Valid and test examples where nothing is said, at most: that many tell accuracies half a percent
# apart, and CIFAR-10's 50,000 are split 45,000 to 5,000 as in the papers.
MOST_HELD_OUT = 5000
BLOCK = 1000  # images whose statistics are taken at a time

CLASS_NAMES = {
    "fashion_mnist": ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt",
                      "sneaker", "bag", "ankle boot"),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
                "truck"),
}  # fmt: skip

Pixels = Annotated[int, Field(ge=1, le=4096)]


def _check_test_arrays(arrays: Any) -> Iterator[Found]:
    if (arrays.test_x is None) != (arrays.test_y is None):
        yield (), "test_x and test_y: give both or neither"


class ImageArrays(Settings):
    """Names of the arrays in an NPZ file; without the last two, test images are held out."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    checks: ClassVar[tuple[Check, ...]] = (_check_test_arrays,)

    x: str = Field("X", min_length=1, description="images")
    y: str = Field("y", min_length=1, description="labels, whole numbers or texts")
    test_x: str | None = Field(None, min_length=1, description="test images")
    test_y: str | None = Field(None, min_length=1, description="test labels")


def _check_path(images: Any) -> Iterator[Found]:
    if images.source == "digits" and images.path is not None:
        yield ("path",), "source 'digits' comes with scikit-learn; leave it out"
    if images.source not in ("digits", "fashion_mnist") and images.path is None:
        yield ("path",), f"source '{images.source}' needs it"


def _for_folders(key: str) -> Check:
    def check(images: Any) -> Iterator[Found]:
        if images.source != "folder" and getattr(images, key) is not None:
            yield (key,), "for source 'folder' only; leave it out"

    return check


def _check_background(images: Any) -> Iterator[Found]:
    if images.source != "folder" and images.background != "auto":
        yield ("background",), "for source 'folder' only; leave it out"


def _check_arrays(images: Any) -> Iterator[Found]:
    if images.source != "npz" and images.arrays != ImageArrays():
        yield ("arrays",), "for source 'npz' only; leave it out"


class ImageSettings(Settings):
    """Labelled images and their split into train, valid and test.

    The source's own test images are the test part if it has any (fashion_mnist, mnist, cifar10; an
    NPZ file with test arrays; a folder with `train` and `test` in it); else some are held out. Valid
    examples come from the others, or from a folder `valid` beside `train`. Sizes are counts (from 1) or
    fractions of the images they come from; what is not given is 60 %, 20 % and 20 %, but at most 5000
    valid and held-out test images.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    checks: ClassVar[tuple[Check, ...]] = (
        _check_path, _for_folders("resize"), _for_folders("channels"), _check_background,
        _check_arrays,
    )  # fmt: skip

    source: Literal["digits", "fashion_mnist", "mnist", "cifar10", "folder", "npz"] = Field(
        "digits", description="where the images come from"
    )
    path: str | None = Field(
        None, description="folder of the source's files, folder of class folders, or NPZ file"
    )
    arrays: ImageArrays = Field(ImageArrays(), description="names of the arrays in an NPZ file")
    resize: list[Pixels] | None = Field(
        None, min_length=2, max_length=2, description="[height, width] of a folder's images"
    )
    channels: Literal[1, 3] | None = Field(
        None, description="make a folder's images all grey (1) or all coloured (3)"
    )
    background: Literal["auto", "white", "black"] = Field(
        "auto",
        description="what a folder's images with transparent pixels are put on; auto: white or "
        "black for all of them, whichever leaves more to see",
    )
    train: Size | None = Field(None, description="train images, count or fraction")
    valid: Size | None = Field(None, description="valid images, count or fraction")
    test: Size | None = Field(None, description="test images, count or fraction")
    seed: int = Field(0, ge=0, lt=2**63, description="picks train and valid; never the test part")

    def resolve_paths(self, base: Path) -> ImageSettings:
        """Returns the settings with `path` made absolute; relative ones start at `base`."""
        if self.path is None:
            return self
        return self.model_copy(update={"path": str(find_file(self.path, base))})


@dataclass(frozen=True, eq=False)
class ImageData:
    """Labelled images in three parts.

    name: for messages and reports. train_x, valid_x, test_x: (N, H, W, C), uint8 or float32, finite.
    train_y, valid_y, test_y: (N,) int64, from 0. classes: a name for each label. background: what
    images with transparent pixels were put on, "" if there are none. warnings: what the user should
    know of the images, a sentence each. preparation: what they went through, None where nobody knows.
    """

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    valid_x: np.ndarray
    valid_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    classes: tuple[str, ...]
    background: str = ""
    warnings: tuple[str, ...] = ()
    preparation: Preparation | None = None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.train_x.shape[1:]

    @property
    def mean(self) -> np.ndarray:
        """Mean of each channel over the train images, float32 (C,), in the images' own units."""
        return self._statistics[0]

    @property
    def std(self) -> np.ndarray:
        """Population standard deviation beside `mean`; 1 for a channel that never changes."""
        return self._statistics[1]

    def counts(self, part: str) -> np.ndarray:
        """Returns how many images of each class a part has ("train", "valid" or "test"), int64."""
        return np.bincount(getattr(self, f"{part}_y"), minlength=len(self.classes))

    def summary(self) -> dict[str, Any]:
        """Returns what reports say of the images: name, shape, classes, counts, background."""
        return {
            "name": self.name,
            "shape": [int(n) for n in self.image_shape],
            "classes": list(self.classes),
            "counts": {part: self.counts(part).tolist() for part in ("train", "valid", "test")},
            "background": self.background,
        }

    @cached_property
    def _statistics(self) -> tuple[np.ndarray, np.ndarray]:
        return channel_statistics(self.train_x)


def channel_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and population standard deviation per channel of images (N, H, W, C).

    Both float32 (C,), computed in float64; 1 as the deviation of a channel that never changes.
    """
    # Sums over images first: rows as long as an image are what NumPy adds fastest.
    blocks = [x[i : i + BLOCK].reshape(-1, x[0].size) for i in range(0, len(x), BLOCK)]
    count = x[..., 0].size

    def per_channel(sums: np.ndarray) -> np.ndarray:
        return sums.reshape(-1, x.shape[3]).sum(axis=0) / count

    mean = per_channel(sum(block.sum(axis=0, dtype=np.float64) for block in blocks))
    everywhere = np.tile(mean, x[0].size // x.shape[3])
    std = np.sqrt(per_channel(sum(((block - everywhere) ** 2).sum(axis=0) for block in blocks)))
    flat = std <= 1e-6 * np.maximum(np.abs(mean), 1e-30)  # equal numbers, but for rounding
    return mean.astype(np.float32), np.where(flat, 1.0, std).astype(np.float32)


def load_images(settings: ImageSettings) -> ImageData:
    """Returns the images that the settings describe, split. Same settings and files, same bits.

    All parts hold the classes in the proportions of the source. The test part depends on the source
    and the sizes only, the valid part also on the seed, so that no split ever trains on test images.

    Raises:
        TaskError: files that are absent or damaged, images of mixed sizes or channels, NaN, one
            class, or fewer images than the sizes ask for.
    """
    found = _read(settings, "train")
    x, labels, names = found.x, found.labels, found.classes
    name = (
        Path(str(settings.path)).stem if settings.source in ("folder", "npz") else settings.source
    )
    if len(names) < 2:
        raise TaskError(
            f"{name}: only one class, '{names[0]}'; a network needs two to tell apart"
            f"{_deeper(settings, names[0])}"
        )
    rows_of = [np.flatnonzero(labels == k) for k in range(len(names))]
    # On the ground of the train images; without any that is transparent there, on their own.
    own = {part: _read(settings, part, found.ground or None) for part in _own_parts(settings)}
    least = 3 - len(own)
    for class_name, rows in zip(names, rows_of, strict=True):
        if len(rows) < least:
            raise TaskError(
                f"{name}: class '{class_name}' has only {len(rows)} image"
                f"{'s' if len(rows) > 1 else ''}; each class needs at least {least}"
            )
    sizes = _sizes(settings, len(x), set(own), name)
    parts = _split(rows_of, sizes, settings.seed)
    few = [n for k, n in enumerate(names) if not (labels[parts["train"]] == k).any()]
    if few:
        raise TaskError(
            f"{name}: train: {sizes['train']} images leave none of class '{few[0]}'; give more"
        )
    sets = {part: (x[rows], labels[rows]) for part, rows in parts.items()}
    sets |= {part: _own_part(part, own[part], settings, x, names, name) for part in own}
    if (
        len({images.dtype for images, _ in sets.values()}) > 1
    ):  # whole numbers here, fractions there
        sets = {part: (images.astype(np.float32), y) for part, (images, y) in sets.items()}
    ground = next((part.ground for part in (found, *own.values()) if part.ground), "")
    data = ImageData(
        name, *sets["train"], *sets["valid"], *sets["test"], names, ground,
        preparation=_preparation(settings, sets["train"][0], ground),
    )  # fmt: skip
    left_out = tuple(end for part in (found, *own.values()) for end in part.left_out)
    notes = [part.note for part in (found, *own.values()) if part.note]
    if settings.source == "folder" and own and (beside := images_beside(Path(str(settings.path)))):
        notes.insert(0, f"{settings.path}: {beside} beside the folders of the split left out")
    return replace(data, warnings=(*notes, *_warnings(data, left_out)))


def _preparation(settings: ImageSettings, train_x: np.ndarray, ground: str) -> Preparation:
    files = settings.source == "folder"
    low, high = OF_FILES if files else usual_range(float(train_x.min()), float(train_x.max()))
    asked = settings.background if settings.background != "auto" else "white"
    return Preparation(files, settings.resize is not None, ground or asked, low, high)


def _deeper(settings: ImageSettings, name: str) -> str:
    """Returns what to do where the only class folder may be the folder of class folders, or ""."""
    if settings.source != "folder" or part_folders(Path(str(settings.path))):
        return ""
    folder = Path(str(settings.path)) / name
    inner = inner_folders(folder)
    while len(inner) == 1 and (deeper := inner_folders(folder / inner[0])):
        folder, inner = folder / inner[0], deeper
    if not inner:
        return ""
    what = f"its folders {', '.join(inner[:3])}{' ...' if len(inner) > 3 else ''}"
    told = "are those of a split" if part_folders(folder) else "are the classes"
    return f"; if {what} {told}, give path: {written(str(folder))}"


def _warnings(data: ImageData, left_out: tuple[str, ...]) -> Iterator[str]:
    """Yields what the user should know before a network is trained on the images."""
    if left_out:
        yield f"{left_out_text(left_out)}: images end in {', '.join(SUFFIXES)}"
    for label, name in enumerate(data.classes):
        images = data.train_x[data.train_y == label]
        if len(images) > 1 and all(np.array_equal(image, images[0]) for image in images):
            yield f"class '{name}': all {len(images)} train images are alike, pixel for pixel"
        elif len(images) > 1 and all((image == image[:1, :1]).all() for image in images):
            yield f"class '{name}': each of its {len(images)} train images is of one colour all over"
    for part in ("valid", "test"):
        lacking = [name for name, n in zip(data.classes, data.counts(part), strict=True) if not n]
        if lacking:
            yield (
                f"{part}: none of its {len(getattr(data, f'{part}_y'))} images is of class "
                f"{', '.join(lacking[:5])}{' and others' if len(lacking) > 5 else ''}; its accuracy "
                "says nothing of that"
            )


def _own_parts(settings: ImageSettings) -> list[Literal["valid", "test"]]:
    """Returns which parts a source has besides its train images."""
    if settings.source == "folder":
        has = set(part_folders(Path(str(settings.path))))
    elif settings.source == "npz":
        has = {"test"} if settings.arrays.test_x is not None else set()
    else:
        has = {"test"} if settings.source != "digits" else set()
    return [part for part in ("valid", "test") if part in has]


def _read(
    settings: ImageSettings, part: Literal["train", "valid", "test"], ground: str | None = None
) -> FoundImages:
    """Returns images, labels from 0, and class names of all a source has for one part.

    ground: as for `read_folder`, where the settings leave it open.
    """
    if settings.source == "folder":
        folder = Path(str(settings.path))
        folder = part_folders(folder).get(part, folder)
        resize = (settings.resize[0], settings.resize[1]) if settings.resize else None
        ground = ground if settings.background == "auto" else settings.background
        return read_folder(folder, resize, settings.channels, ground)
    note = ""
    if settings.source == "npz":
        names = settings.arrays
        x_name, y_name = (names.x, names.y) if part == "train" else (names.test_x, names.test_y)
        x, labels, note = read_image_arrays(Path(str(settings.path)), str(x_name), str(y_name))
    else:
        assert part != "valid"  # no such source has any
        source = load_source(settings.source, settings.path, part)
        x, labels = _as_images(source.x, settings.source), source.labels
    ids, labels = np.unique(labels, return_inverse=True)
    if 2 * len(ids) > len(labels) and len(ids) > 2:
        raise TaskError(
            f"{settings.path or settings.source}: {len(ids)} different labels for {len(labels)} "
            "images; labels must be class ids"
        )
    classes: tuple[str, ...] = CLASS_NAMES.get(settings.source, ())
    if not np.array_equal(ids, np.arange(len(classes))):
        classes = tuple(str(i) for i in ids)
    return FoundImages(x, labels.astype(np.int64), classes, note=note)


def _as_images(flat: np.ndarray, source: str) -> np.ndarray:
    """Returns rows of pixels as images (N, H, W, C) uint8."""
    if source == "cifar10":  # red, green and blue planes
        return np.ascontiguousarray(flat.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    side = math.isqrt(flat.shape[1])
    if side * side != flat.shape[1]:
        raise TaskError(f"{source}: images of {flat.shape[1]} pixels are not square")
    return flat.astype(np.uint8, copy=False).reshape(-1, side, side, 1)


def _sizes(settings: ImageSettings, count: int, own: set[str], name: str) -> dict[str, int]:
    """Returns the numbers of train images, and of valid and test images that do not have `own` ones."""
    given = {"train": settings.train, "valid": settings.valid, "test": settings.test}
    given = {part: size for part, size in given.items() if part not in own}
    sizes = split_sizes(count, given, name)
    for part in sizes:
        if part != "train" and given[part] is None:
            spare = max(sizes[part] - MOST_HELD_OUT, 0)
            sizes[part] -= spare
            sizes["train"] += spare if settings.train is None else 0
    return sizes


def apportion(counts: np.ndarray, total: int) -> np.ndarray:
    """Returns whole numbers that sum to `total`, in the proportions of `counts`, none above its own.

    The largest remainders are rounded up. total: at most the sum of counts.
    """
    exact = counts * total
    shares, remainders = exact // counts.sum(), exact % counts.sum()
    up = np.argsort(-remainders, kind="stable")[: total - shares.sum()]
    shares[up] += 1
    return shares


def with_all(counts: np.ndarray, total: int) -> np.ndarray:
    """Returns `apportion`'s numbers, but with one of each class where that can be.

    The largest class gives up an image for one that would have none, unless that is its last.
    """
    takes = apportion(counts, total)
    for label in np.flatnonzero((takes == 0) & (counts > 1)):
        if takes.max() > 1:
            takes[takes.argmax()] -= 1
            takes[label] = 1
    return takes


def _split(rows_of: list[np.ndarray], sizes: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    """Returns each part's rows, in rising order; classes in proportion."""
    # Test rows first, in an order that the seed does not change; then valid, so that the number of
    # train images does not change the others.
    rng = rng_for("images/test", 0)
    left = [rng.permutation(rows) for rows in rows_of]
    parts: dict[str, np.ndarray] = {}
    for part in ("test", "valid", "train"):
        if part == "valid":
            rng = rng_for("images/split", seed)
            left = [rng.permutation(np.sort(rows)) for rows in left]
        if part in sizes:
            takes = with_all(np.array([len(rows) for rows in left]), sizes[part])
            taken = [rows[:n] for rows, n in zip(left, takes, strict=True)]
            left = [rows[n:] for rows, n in zip(left, takes, strict=True)]
            parts[part] = np.sort(np.concatenate(taken))
    return parts


def _own_part(
    part: str,
    own: FoundImages,
    settings: ImageSettings,
    x: np.ndarray,
    names: tuple[str, ...],
    where: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the source's own images and labels of a part, or as many of them as the settings ask."""
    images, labels, size = own.x, own.labels, getattr(settings, part)
    if images.shape[1:] != x.shape[1:]:
        raise TaskError(
            f"{where}: {part} images of shape {images.shape[1:]}, train images of {x.shape[1:]}; "
            "they must have one size"
        )
    unknown = [name for name in own.classes if name not in names]
    if unknown:
        raise TaskError(f"{where}: {part} images of class '{unknown[0]}', which no train image has")
    labels = np.array([names.index(name) for name in own.classes], dtype=np.int64)[labels]
    if size is not None:
        count = split_sizes(len(labels), {part: size}, f"{where}, its {part} images")
        rows_of = [np.flatnonzero(labels == k) for k in range(len(names))]
        rows = _split(rows_of, count, 0)[part]
        images, labels = images[rows], labels[rows]
    return images, labels

"""What images went through before a network was trained on them, so that new ones can go through the same.

Kept with the trained network (`zero.nn.saved`); what is said of it here stands in exports, too. Called by
`zero.data.images`, `zero.nn` and `zero.cells`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zero.data.image_files import read_image
from zero.data.pixels import GROUNDS
from zero.errors import TaskError

WHOLE_SCALES = (
    16,
    255,
    65535,
)  # of images as whole numbers: scikit-learn's digits, 8 bits, 16 bits
OF_FILES = (0.0, 255.0)  # pixel values that image files are read to

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Preparation:
    """What images of a shape (height, width, channels) went through.

    files: whether they were image files; else arrays, whose pixels are as they were. resized: whether
    they were scaled to the shape. ground: a key of `GROUNDS`, what transparent pixels are put on. low,
    high: between which pixel values are.
    """

    files: bool
    resized: bool
    ground: str
    low: float
    high: float

    def reads_files(self, shape: Shape) -> bool:
        """Returns whether image files have such channels and values."""
        return shape[2] in (1, 3) and (self.low, self.high) == OF_FILES

    def read(self, file: Path, shape: Shape) -> np.ndarray:
        """Returns an image file's pixels, uint8 of that shape, as in training.

        Raises:
            TaskError: the file cannot be read, or is of another size and none was scaled.
        """
        size = shape[:2] if self.resized else None
        pixels = read_image(file, size, shape[2], self.ground)
        if pixels.shape != shape:
            raise TaskError(
                f"{file}: {pixels.shape[0]} x {pixels.shape[1]} pixels; the network was trained on "
                f"images of {shape[0]} x {shape[1]}, none of them scaled"
            )
        return pixels

    def notes(self, shape: Shape) -> dict[str, str]:
        """Returns in words what images of that shape went through, by what it is about."""
        size = f"{shape[0]} x {shape[1]} pixels (height x width)"
        found = {"pixel_values": f"{self.low:g} to {self.high:g}; not scaled to 0..1 or otherwise"}
        if not self.files:
            many = "grey" if shape[2] == 1 else "in the order of the arrays"
            return {
                **found,
                "images": "arrays, whose pixels are taken as they are",
                "resize": f"none: images are of {size}",
                "channels": f"{shape[2]}, {many}",
            }
        return {
            **found,
            "images": "image files, read with Pillow; 16 bits a channel become 8",
            "turning": "as the camera says (EXIF orientation)",
            "background": f"transparent pixels are put on {self.ground}",
            "channels": "1, grey: 0.299 R + 0.587 G + 0.114 B"
            if shape[2] == 1
            else "3: red, green, blue, in this order",
            "resize": f"to {size}, bilinear and smoothed (Pillow's BILINEAR), after all else"
            if self.resized
            else f"none: images are of {size}",
        }

    def tree(self) -> dict[str, Any]:
        """Returns it as plain values, as trees keep them."""
        return asdict(self)

    @staticmethod
    def from_tree(tree: dict[str, Any]) -> Preparation:
        """Returns what `tree` gave; raises ValueError where it makes no sense."""
        kinds = {"files": bool, "resized": bool, "ground": str, "low": float, "high": float}
        wrong = [key for key, kind in kinds.items() if type(tree.get(key)) is not kind]
        if wrong or tree["ground"] not in GROUNDS:
            raise ValueError(f"'{wrong[0] if wrong else 'ground'}' is missing or wrong")
        return Preparation(**{key: tree[key] for key in kinds})


def usual_range(low: float, high: float) -> tuple[float, float]:
    """Returns between which pixel values images are, of which some had those from `low` to `high`.

    That is the usual scale that they fit in; where they fit none, as far again as they went.
    """
    most = max(abs(low), abs(high))
    if low < 0:
        return (-1.0, 1.0) if most <= 1 else (-2.0 * most, 2.0 * most)
    if most <= 1:
        return 0.0, 1.0
    # Fractions a little above 1 (interpolated, say) are not of the scale 0 to 16.
    top = next((s for s in WHOLE_SCALES if most <= s), 2.0 * most) if most > 2 else 2.0 * most
    return 0.0, float(top)

"""What an image file's pixels go through before a network sees them: the same in training and ever after.

`zero export` copies these functions into the module that it writes (`zero.nn.export.numpy`), so they use
Pillow, NumPy and each other only, and what they raise is theirs. Called by `zero.data.image_files`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

# Named for Pillow one by one: some of its other formats start foreign programs.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
# Pillow's names of pixels. 16 bits a channel: "I;16" and its kin, or "I" (PNG, PGM); of colour Pillow
# itself takes the upper 8 bits.
DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N")
GREY_MODES = ("1", "L", "LA", "La", *DEEP_MODES)
COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
GROUNDS = {"white": 255, "black": 0}  # what may shine through transparent pixels
CONSTANTS = ("FORMATS", "DEEP_MODES", "GREY_MODES", "COLOUR_MODES", "GROUNDS")  # of `READING`

# What is wrong with an image is raised; Pillow logs it, too, and Python prints that where nobody listens.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class PixelsError(ValueError):
    """An image's pixels are of a type that is not read."""


def read_pixels(
    file: str | Path,
    size: tuple[int, int] | None,
    channels: int | None,
    ground: str,
    see_transparent: Callable[[Image.Image], None] | None = None,
) -> np.ndarray:
    """Returns the pixels of an image file, (height, width, channels) uint8.

    It is turned as its camera says (EXIF); transparent pixels are filled from behind; it is made grey or
    coloured; 16 bits a channel become 8; of an animation it is the first picture.

    Args:
        file: its path.
        size: (height, width) to which it is scaled (bilinear, smoothed); None: as it is.
        channels: 1 makes it grey, 3 coloured (red, green, blue); None: as the file is.
        ground: a key of `GROUNDS`, on which transparent pixels are put.
        see_transparent: gets an image that has such pixels, in Pillow's mode RGBA.

    Raises:
        PixelsError: its pixels are of a type that is not read.
        Exception: the file cannot be read or is damaged; Pillow's decoders raise a dozen kinds.
    """
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        # Of a picture too big to be true; other warnings are of no use to the user.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file, formats=FORMATS) as opened:
            # Pillow makes four channels of grey with alpha where they have 16 bits.
            grey = any("LA" in str(tile[3]) for tile in opened.tile)
            opened.load()
            mode = mode_for("LA" if grey else opened.mode, channels)
            image: Image.Image = ImageOps.exif_transpose(opened)
            if image.has_transparency_data:
                image = with_alpha(image)
                if see_transparent is not None:
                    see_transparent(image)
                image = on_ground(image, ground)
            elif image.mode in DEEP_MODES:
                image = eight_bits(image)
            image = image.convert(mode)
            if size is not None:
                image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            pixels = np.asarray(image, dtype=np.uint8)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def mode_for(mode: str, channels: int | None) -> str:
    """Returns Pillow's name of the pixels that those of `mode` are turned into."""
    if mode not in GREY_MODES + COLOUR_MODES:
        raise PixelsError(
            f"pixels of type '{mode}'; save it as grey or RGB with 8 or 16 bits a channel"
        )
    grey = mode in GREY_MODES if channels is None else channels == 1
    return "L" if grey else "RGB"


def eight_bits(image: Image.Image) -> Image.Image:
    """Returns a grey image of whole numbers up to 65535 as one up to 255."""
    from PIL import Image

    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise PixelsError(
            f"pixels from {values.min()} to {values.max()}; grey images may have 8 or 16 bits, "
            "from 0 to 65535; scale and save it anew"
        )
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def with_alpha(image: Image.Image) -> Image.Image:
    """Returns an image with transparent pixels in Pillow's mode RGBA."""
    from PIL import Image

    clear = image.info.get("transparency")
    if image.mode in DEEP_MODES:  # one grey value is transparent
        alpha = Image.fromarray(np.where(np.asarray(image) == clear, 0, 255).astype(np.uint8))
        image = Image.merge("LA", (eight_bits(image), alpha))
    elif image.mode == "La":
        image = image.convert("LA")
    elif isinstance(clear, tuple) and max(clear) > 255:  # of 16 bits; pixels have 8 by now
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    return image.convert("RGBA")


def on_ground(image: Image.Image, ground: str) -> Image.Image:
    """Returns an image of Pillow's mode RGBA as RGB, its transparent pixels filled from behind."""
    from PIL import Image

    level = GROUNDS[ground]
    behind = Image.new("RGBA", image.size, (level, level, level, 255))
    return Image.alpha_composite(behind, image).convert("RGB")


def check_range(images: np.ndarray, low: float, high: float) -> None:
    """Raises ValueError unless pixel values are like those of training, from `low` to `high`."""
    if not images.size:
        return
    least, most = float(images.min()), float(images.max())
    found = f"pixel values from {least:g} to {most:g}, but those of training were from {low:g} to {high:g}"
    factor = "FACTOR"
    if low <= least and most <= high:
        if most > 1 or most <= 0 or high <= 10:
            return
        factor = f"{high:g}"
    elif (low, high) == (0, 1) and least >= 0 and most <= 255:
        factor = "1/255"
    # NaN comes here, too.
    raise ValueError(
        f"{found}; give scale={factor} to bring them there, scale=1 to have them as they are"
    )


# What `read_pixels` is made of, for copies of it.
READING = (PixelsError, read_pixels, mode_for, eight_bits, with_alpha, on_ground)

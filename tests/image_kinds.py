"""Image files of every kind that is read: turned, transparent, deep, of a palette, of any size."""

import numpy as np
from PIL import Image


def write_images(folder, seed=0):
    """Writes a file of each kind into a folder; returns their names, sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)

    def pixels(*shape):
        return rng.integers(0, 256, shape, dtype=np.uint8)

    turned = Image.Exif()
    turned[0x0112] = 6
    clear = Image.fromarray(pixels(11, 14, 4))
    palette = Image.fromarray(pixels(12, 12, 3)).quantize(7)
    for name, image, options in (
        ("turned.jpg", Image.fromarray(pixels(20, 31, 3)), {"exif": turned, "quality": 95}),
        ("OTHER.JPG", Image.fromarray(pixels(9, 9)), {}),
        ("jpeg.jfif", Image.fromarray(pixels(13, 10, 3)), {"format": "JPEG"}),
        ("clear.png", clear, {}),
        ("clear.webp", clear, {"lossless": True}),
        ("grey clear.png", clear.convert("LA"), {}),
        ("palette.gif", palette, {}),
        ("palette clear.png", palette, {"transparency": 2}),
        ("deep.png", Image.fromarray(rng.integers(0, 65536, (15, 8), dtype=np.uint16)), {}),
        ("print.tif", Image.fromarray(pixels(10, 10, 3)).convert("CMYK"), {}),
        ("bits.bmp", Image.fromarray(pixels(12, 9)).convert("1"), {}),
        ("ä ö.png", Image.fromarray(pixels(6, 7, 3)), {}),
    ):
        image.save(folder / name, **options)
    return sorted(path.name for path in folder.iterdir())

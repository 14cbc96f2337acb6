"""Images: what each source gives, how it is split, and that bad files cost one clear error."""

import gzip
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from sklearn.datasets import load_digits

from zero.data import image_files as read_images
from zero.data.images import ImageSettings, apportion, load_images
from zero.data.preparation import Preparation
from zero.errors import TaskError

RNG = np.random.default_rng(0)


def load(**settings):
    return load_images(ImageSettings(**settings))


def error_of(**settings):
    with pytest.raises(TaskError) as caught:
        load(**settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


def keys(x):
    """The images as a sorted list of bytes, to compare sets of images."""
    return sorted(image.tobytes() for image in x)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def colour(size=(6, 5)):
    return RNG.integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Two classes, 5 colour images each, 6 x 5 pixels, and things that are no images."""
    for name in ("cats", "dogs"):
        for i in range(5):
            save(tmp_path / "own" / name / f"{i}.png", colour())
    (tmp_path / "own" / "README.txt").write_text("not a class")
    (tmp_path / "own" / "cats" / "notes.txt").write_text("not an image")
    (tmp_path / "own" / "cats" / ".hidden.png").write_text("not an image")
    (tmp_path / "own" / "__MACOSX").mkdir()
    return tmp_path / "own"


# --- sources ------------------------------------------------------------------------------------


def test_digits():
    data = load()
    original = load_digits()
    assert data.image_shape == (8, 8, 1)
    assert data.classes == tuple("0123456789")
    assert data.train_x.dtype == np.uint8 and data.train_y.dtype == np.int64
    parts = np.concatenate([data.train_x, data.valid_x, data.test_x])
    assert keys(parts) == keys(original.images.astype(np.uint8))
    wanted = {
        image.astype(np.uint8).tobytes(): y for image, y in zip(original.images, original.target)
    }
    for x, y in (
        (data.train_x, data.train_y),
        (data.valid_x, data.valid_y),
        (data.test_x, data.test_y),
    ):
        assert [wanted[image.tobytes()] for image in x] == y.tolist()


def test_statistics_are_those_of_the_train_images():
    data = load(train=700)
    np.testing.assert_allclose(data.mean, data.train_x.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(data.std, data.train_x.std(axis=(0, 1, 2)), rtol=1e-6)
    assert data.mean.dtype == data.std.dtype == np.float32


def test_mnist_files_have_their_own_test_part(tmp_path):
    pixels = {}
    for stem, count in (("train", 30), ("t10k", 10)):
        pixels[stem] = RNG.integers(0, 256, (count, 4, 4), dtype=np.uint8)
        header = struct.pack(">HBB3I", 0, 8, 3, count, 4, 4)
        (tmp_path / f"{stem}-images-idx3-ubyte").write_bytes(header + pixels[stem].tobytes())
        labels = (np.arange(count) % 2).astype(np.uint8)
        header = struct.pack(">HBBI", 0, 8, 1, count)
        packed = gzip.compress(header + labels.tobytes())
        (tmp_path / f"{stem}-labels-idx1-ubyte.gz").write_bytes(packed)
    data = load(source="mnist", path=str(tmp_path))
    assert (data.test_x[..., 0] == pixels["t10k"]).all()
    assert data.test_y.tolist() == [0, 1] * 5
    assert keys(np.concatenate([data.train_x, data.valid_x])) == keys(pixels["train"])
    assert data.classes == ("0", "1") and data.name == "mnist"
    few = load(source="mnist", path=str(tmp_path), train=10, valid=4, test=6)
    assert (len(few.train_x), len(few.valid_x), len(few.test_x)) == (10, 4, 6)
    assert few.test_y.tolist().count(0) == 3


def test_cifar_has_its_colours_last_and_its_class_names(tmp_path):
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        records = np.zeros((20, 3073), np.uint8)
        records[:, 0] = np.arange(20) % 10
        records[:, 1:1025], records[:, 1025:2049], records[:, 2049:] = 10, 20, 30
        records[:, 1 + 33] = 99  # red, second row, second column
        (tmp_path / f"{name}.bin").write_bytes(records.tobytes())
    data = load(source="cifar10", path=str(tmp_path))
    assert data.train_x.shape[1:] == (32, 32, 3) and data.train_x.flags.c_contiguous
    assert data.train_x[0, 0, 0].tolist() == [10, 20, 30]
    assert data.train_x[0, 1, 1].tolist() == [99, 20, 30]
    assert data.classes[0] == "airplane" and data.classes[9] == "truck"


def test_folder_of_class_folders(folder):
    data = load(source="folder", path=str(folder))
    assert data.classes == ("cats", "dogs") and data.name == "own"
    assert data.image_shape == (6, 5, 3) and data.train_x.dtype == np.uint8
    parts = [(data.train_x, data.train_y), (data.valid_x, data.valid_y), (data.test_x, data.test_y)]
    found = {x.tobytes(): data.classes[y] for xs, ys in parts for x, y in zip(xs, ys)}
    wanted = {
        np.asarray(Image.open(file)).tobytes(): file.parent.name
        for file in folder.glob("*/[0-9].png")
    }
    assert found == wanted


def test_folder_with_train_and_test(tmp_path):
    for part, count in (("train", 6), ("test", 3)):
        for name in ("a", "b"):
            for i in range(count):
                save(tmp_path / part / name / f"{i}.png", colour())
    data = load(source="folder", path=str(tmp_path))
    assert (len(data.train_x) + len(data.valid_x), len(data.test_x)) == (12, 6)
    save(tmp_path / "test" / "c" / "0.png", colour())
    save(tmp_path / "test" / "c" / "1.png", colour())
    assert "class 'c', which no train image has" in error_of(source="folder", path=str(tmp_path))


@pytest.mark.parametrize(
    "names",
    [("train", "val", "test"), ("Train", "VALID", "Testing"), ("training", "validation", None)],
)
def test_folders_of_a_split_are_the_split(tmp_path, names):
    wanted = {}
    for part, name, count in zip(("train", "valid", "test"), names, (9, 4, 3)):
        for label in ("a", "b") if name else ():
            for i in range(count):
                save(tmp_path / name / label / f"{i}.png", colour())
        if name:
            files = tmp_path.glob(f"{name}/*/*.png")
            wanted[part] = sorted(np.asarray(Image.open(f)).tobytes() for f in files)
    data = load(source="folder", path=str(tmp_path))
    assert data.classes == ("a", "b") and keys(data.valid_x) == wanted["valid"]
    if names[2]:
        assert keys(data.train_x) == wanted["train"] and keys(data.test_x) == wanted["test"]
    else:
        assert keys(np.concatenate([data.train_x, data.test_x])) == wanted["train"]
    few = load(source="folder", path=str(tmp_path), train=4, valid=2)
    assert (few.counts("train").tolist(), few.counts("valid").tolist()) == ([2, 2], [1, 1])
    assert set(keys(few.train_x)) <= set(keys(data.train_x)) and few.warnings == ()
    save(tmp_path / "0.png", colour())
    (told,) = load(source="folder", path=str(tmp_path)).warnings
    assert "1 image beside the folders of the split left out" in told


def test_folders_beside_those_of_a_split_are_told(tmp_path):
    for name in ("train", "test", "other"):
        for i in range(4):
            save(tmp_path / name / "a" / f"{i}.png", colour())
    message = error_of(source="folder", path=str(tmp_path))
    assert "folders of a split, test, train, and also 'other'" in message
    (tmp_path / "other").rename(tmp_path / "Testing")
    assert "two of them for one part" in error_of(source="folder", path=str(tmp_path))


def test_a_class_may_be_called_as_a_part(tmp_path):
    for name in ("train", "bus", "bicycle"):
        for i in range(4):
            save(tmp_path / name / f"{i}.png", colour())
    assert load(source="folder", path=str(tmp_path)).classes == ("bicycle", "bus", "train")


def test_images_in_folders_of_a_class_folder_are_of_the_class(folder):
    save(folder / "cats" / "indoors" / "at night" / "0.png", colour())
    (folder / "cats" / "indoors" / "a.heic").write_bytes(b"")
    data = load(source="folder", path=str(folder))
    assert sum(data.counts(part)[0] for part in ("train", "valid", "test")) == 6
    assert data.warnings[0].startswith("2 files left out (.heic 1, .txt 1)")


def test_images_outside_of_class_folders_are_told(folder, tmp_path):
    save(folder / "0.png", colour())
    assert (
        "own: 1 image beside the class folders left out"
        in (load(source="folder", path=str(folder)).warnings[0])
    )
    save(tmp_path / "flat" / "0.png", colour())
    save(tmp_path / "flat" / "1.JPG", colour())
    assert "no folders, but 2 images" in error_of(source="folder", path=str(tmp_path / "flat"))


def test_the_folder_around_the_class_folders_is_told(folder, tmp_path):
    (tmp_path / "outer").mkdir()
    folder.rename(tmp_path / "outer" / "own")
    message = error_of(source="folder", path=str(tmp_path / "outer"))
    assert "if its folders cats, dogs are the classes, give path:" in message
    assert message.endswith("outer/own")


def test_names_of_classes_and_files_may_be_any(tmp_path):
    for name in ("grün äpfel", "a b, c", "日本"):
        for i in range(3):
            Image.fromarray(colour()).save(_made(tmp_path / name) / f"ü {i}.JFIF", format="JPEG")
    assert load(source="folder", path=str(tmp_path)).classes == ("a b, c", "grün äpfel", "日本")


def _made(path):
    path.mkdir(exist_ok=True)
    return path


def test_folder_formats_resize_and_channels(tmp_path):
    flat = np.full((10, 8, 3), (200, 100, 50), np.uint8)
    for name in ("a", "b"):
        place = tmp_path / name
        save(place / "0.png", flat)
        save(place / "1.JPG", flat[:5, :4], quality=95)
        Image.fromarray(flat).quantize(4).save(place / "2.gif")
        Image.fromarray(flat).convert("RGBA").save(place / "3.png")
        Image.fromarray(flat).convert("CMYK").save(place / "4.tif")
    data = load(source="folder", path=str(tmp_path), resize=[4, 6])
    assert data.image_shape == (4, 6, 3)
    for x in (data.train_x, data.valid_x, data.test_x):
        assert np.abs(x.astype(int) - [200, 100, 50]).max() <= 3
    grey = load(source="folder", path=str(tmp_path), resize=[4, 6], channels=1)
    assert grey.image_shape == (4, 6, 1)
    assert abs(int(grey.train_x.mean()) - 124) <= 2  # 0.299 R + 0.587 G + 0.114 B


def test_photographs_are_turned_as_the_camera_says(tmp_path):
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:, :4] = 255  # left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: the left becomes the top
    for name in ("a", "b"):
        for i in range(3):
            save(tmp_path / name / f"{i}.png", pixels, exif=exif)
    x = load(source="folder", path=str(tmp_path)).train_x
    assert x.shape[1:] == (8, 4, 3)
    assert (x[:, :4] == 255).all() and (x[:, 4:] == 0).all()


def png(path, kind, depth, pixels, clear=b"", palette=b""):
    """Writes a PNG that Pillow cannot; pixels: (H, W, channels); clear, palette: tRNS, PLTE."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    pixels = np.asarray(pixels, dtype=">u2" if depth == 16 else "u1")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, kind, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"PLTE", palette), (b"tRNS", clear), (b"IDAT", zlib.compress(rows))]
    written = [chunk(*c) for c in chunks if c[1]] + [chunk(b"IEND", b"")]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(written))


def read_one(folder, make, **settings):
    """The pixels (H, W, C) of an image that `make(path)` writes, beside others of its size."""
    for name in ("a", "b"):
        for i in range(3):
            make(folder / name / f"{i}.png")
    return load(source="folder", path=str(folder), **settings).train_x[0].astype(int)


def test_sixteen_bits_become_eight_over_their_whole_range(tmp_path):
    grey = [[[0], [257], [32768], [65535]]]
    x = read_one(tmp_path / "grey", lambda file: png(file, 0, 16, grey))
    assert x.tolist() == [[[0], [1], [128], [255]]]
    x = read_one(tmp_path / "rgb", lambda file: png(file, 2, 16, [[[0, 65535, 32768]]]))
    assert x.tolist() == [[[0, 255, 128]]]
    deep = np.array([[0, 257, 32768, 65535]], np.uint16)
    for suffix in ("tif", "pgm"):
        for name in ("a", "b"):
            for i in range(3):
                save(tmp_path / suffix / name / f"{i}.{suffix}", deep)
        data = load(source="folder", path=str(tmp_path / suffix))
        assert data.train_x[0].tolist() == [[[0], [1], [128], [255]]]


def test_one_bit_palette_and_print_colours(tmp_path):
    bits = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    x = read_one(tmp_path / "bits", lambda file: (file.parent.mkdir(parents=True, exist_ok=True),
                                                  bits.save(file)))  # fmt: skip
    assert x.tolist() == [[[0], [255]]]
    palette = bytes([10, 20, 30, 40, 50, 60])
    x = read_one(tmp_path / "palette", lambda f: png(f, 3, 8, [[[0], [1]]], palette=palette))
    assert x.tolist() == [[[10, 20, 30], [40, 50, 60]]]
    print_ = Image.fromarray(np.full((8, 8, 3), (200, 100, 50), np.uint8)).convert("CMYK")
    for name in ("a", "b"):
        (tmp_path / "cmyk" / name).mkdir(parents=True)
        for i in range(3):
            print_.save(tmp_path / "cmyk" / name / f"{i}.jpg", quality=95)
    x = load(source="folder", path=str(tmp_path / "cmyk")).train_x[0].astype(int)
    assert np.abs(x - [200, 100, 50]).max() <= 6


# Each is black where it is opaque and half transparent or clear elsewhere.
CLEAR = {
    "rgba": (6, 8, [[[0, 0, 0, 255], [9, 9, 9, 0]]], b"", b""),
    "rgba of 16 bits": (6, 16, [[[0, 0, 0, 65535], [9, 9, 9, 0]]], b"", b""),
    "grey": (4, 8, [[[0, 255], [9, 0]]], b"", b""),
    "grey of 16 bits": (4, 16, [[[0, 65535], [9, 0]]], b"", b""),
    "palette": (3, 8, [[[0], [1]]], bytes([255, 0]), bytes([0, 0, 0, 9, 9, 9])),
    "one grey": (0, 8, [[[0], [9]]], b"\0\x09", b""),
    "one grey of 16 bits": (0, 16, [[[0], [9]]], b"\0\x09", b""),
    "one colour": (2, 8, [[[0, 0, 0], [9, 8, 7]]], b"\0\x09\0\x08\0\x07", b""),
    "one colour of 16 bits": (2, 16, [[[0] * 3, [2304, 0, 0]]], b"\x09\0\0\0\0\0", b""),
}


@pytest.mark.parametrize("kind", CLEAR)
def test_black_drawings_on_a_transparent_ground_are_put_on_white(tmp_path, kind):
    color, depth, pixels, clear, palette = CLEAR[kind]
    channels = 1 if color in (0, 4) else 3

    def make(file):
        png(file, color, depth, pixels, clear, palette)

    x = read_one(tmp_path, make)
    assert x.tolist() == [[[0] * channels, [255] * channels]]
    assert read_one(tmp_path, make, background="black").max() == 0


def drawings(folder, level, seed=0, ground=(0, 0, 0, 0), name="a"):
    """Squares of one grey level at drawn places, elsewhere transparent."""
    rng = np.random.default_rng(seed)
    for i in range(6):
        image = np.full((8, 8, 4), ground, np.uint8)
        y, x = rng.integers(0, 6, 2)
        image[y : y + 3, x : x + 3] = (level, level, level, 255)
        save(folder / name / f"{i}.png", image)


def test_all_drawings_are_put_on_the_ground_that_leaves_most_to_see(tmp_path):
    for level, wanted in ((0, "white"), (60, "white"), (200, "black"), (255, "black")):
        folder = tmp_path / str(level)
        for part in ("train", "test"):
            drawings(folder / part, level, name="a")
            drawings(folder / part, 255 - level if part == "test" else level, 1, name="b")
        data = load(source="folder", path=str(folder))
        assert data.background == wanted
        ground = 255 if wanted == "white" else 0
        for x in (data.train_x, data.valid_x):
            assert set(np.unique(x)) == {level, ground}
        # The test images go on the same one, whatever they would take by themselves.
        assert set(np.unique(data.test_x)) == {level, 255 - level, ground}
    assert load(source="folder", path=str(folder), background="white").background == "white"


def test_images_without_transparent_pixels_have_no_ground(folder):
    for name in ("cats", "dogs"):
        opaque = np.dstack([colour(), np.full((6, 5), 255, np.uint8)])
        save(folder / name / "9.png", opaque)
    data = load(source="folder", path=str(folder))
    assert data.background == ""
    assert opaque[..., :3].tobytes() in keys(
        np.concatenate([data.train_x, data.valid_x, data.test_x])
    )


def test_files_that_are_left_out_are_told(folder):
    for name in ("a.heic", "b.HEIC", "c.avif", "plain"):
        (folder / "dogs" / name).write_bytes(b"")
    Image.fromarray(colour()).save(folder / "dogs" / "d.jfif", format="JPEG")
    data = load(source="folder", path=str(folder))
    assert sum(sum(data.counts(part)) for part in ("train", "valid", "test")) == 11
    (told,) = data.warnings
    assert told.startswith(
        "5 files left out (no ending 1, .avif 1, .heic 2, .txt 1): images end in"
    )
    (folder / "birds").mkdir()
    (folder / "birds" / "a.heic").write_bytes(b"")
    assert "but 1 file left out (.heic 1)" in error_of(source="folder", path=str(folder))


def test_images_that_are_all_alike_are_told(tmp_path):
    drawings(tmp_path, 0, name="black")
    drawings(tmp_path, 255, name="white")
    data = load(source="folder", path=str(tmp_path))  # one of the two cannot be seen
    assert len(data.warnings) == 1 and "all 4 train images are alike" in data.warnings[0]
    assert f"class '{'white' if data.background == 'white' else 'black'}'" in data.warnings[0]
    x = np.zeros((20, 4, 4), np.uint8) + np.arange(20, dtype=np.uint8)[:, None, None]
    x[::2, 0, 0] += 1
    np.savez(tmp_path / "flat.npz", X=x, y=np.arange(20) % 2)
    (told,) = load(source="npz", path=str(tmp_path / "flat.npz")).warnings
    assert "class '1': each of its 6 train images is of one colour" in told


def test_a_rare_class_is_in_every_part(tmp_path):
    y = np.array([0] * 120 + [1] * 3 + [2] * 3)
    np.savez(tmp_path / "rare.npz", X=RNG.integers(0, 256, (126, 4, 4), dtype=np.uint8), y=y)
    data = load(source="npz", path=str(tmp_path / "rare.npz"))
    for part in ("train", "valid", "test"):
        assert data.counts(part).min() >= 1
    assert (
        data.counts("train").sum() + data.counts("valid").sum() + data.counts("test").sum() == 126
    )
    assert data.warnings == ()
    told = load(source="npz", path=str(tmp_path / "rare.npz"), valid=2).warnings
    assert len(told) == 1 and told[0].startswith("valid: none of its 2 images is of class ")


def test_npz(tmp_path):
    path = tmp_path / "mine.npz"
    x = RNG.integers(0, 256, (20, 4, 3), dtype=np.int64)
    y = np.where(np.arange(20) % 2, 7, -3)
    np.savez(path, X=x, y=y, other_x=x[:6] / 255, other_y=y[:6, None])
    data = load(source="npz", path=str(path))
    assert data.image_shape == (4, 3, 1) and data.train_x.dtype == np.uint8
    assert data.classes == ("-3", "7") and data.name == "mine"
    arrays = {"x": "other_x", "y": "other_y", "test_x": "X", "test_y": "y"}
    data = load(source="npz", path=str(path), arrays=arrays)
    assert data.train_x.dtype == data.test_x.dtype == np.float32
    np.testing.assert_allclose(data.test_x[..., 0], x, rtol=1e-6)
    assert data.test_y.tolist() == [0, 1] * 10
    np.savez(path, X=x, y=y, other_x=x[:6], other_y=np.full(6, 7))
    data = load(source="npz", path=str(path), arrays={"test_x": "other_x", "test_y": "other_y"})
    assert data.classes == ("-3", "7") and data.test_y.tolist() == [1] * 6


def test_labels_of_an_npz_file_may_be_texts(tmp_path):
    x = RNG.integers(0, 256, (30, 4, 4, 3), dtype=np.uint8)
    y = np.array(["dog", "cat", "dog"] * 10)
    np.savez(tmp_path / "text.npz", X=x, y=y)
    data = load(source="npz", path=str(tmp_path / "text.npz"))
    assert data.classes == ("cat", "dog") and data.counts("train").tolist() == [6, 12]
    wanted = {image.tobytes(): int(name == "dog") for image, name in zip(x, y, strict=True)}
    assert [wanted[image.tobytes()] for image in data.valid_x] == data.valid_y.tolist()


@pytest.mark.parametrize(
    "y, classes",
    [
        (np.array([2.0, 0.0, 1.0] * 10), ("0", "1", "2")),
        (np.eye(3)[[2, 0, 1] * 10], ("0", "1", "2")),
        (np.eye(3, dtype=bool)[[2, 0, 1] * 10], ("0", "1", "2")),
        (np.array([["c"], ["a"], ["b"]] * 10), ("a", "b", "c")),
        (np.array(["ü", "a", "b c"] * 10).astype("U9"), ("a", "b c", "ü")),
        (np.array([b"c", b"a", b"\xc3\xbc"] * 10), ("a", "c", "ü")),
    ],
)
def test_labels_of_an_npz_file_in_other_forms(tmp_path, y, classes):
    np.savez(tmp_path / "y.npz", X=RNG.integers(0, 256, (30, 4, 4)), y=y)
    data = load(source="npz", path=str(tmp_path / "y.npz"))
    assert data.classes == classes
    assert sum(data.counts(part) for part in ("train", "valid", "test")).tolist() == [10] * 3


@pytest.mark.parametrize(
    "low, high, wanted",
    [(0, 1, (0, 1)), (-1, 1, (-1, 1)), (0, 16, (0, 16)), (3, 200, (0, 255)), (0, 255, (0, 255)),
     (0, 4095, (0, 65535)), (0, 1.02, (0, 2.04)), (-2.5, 2.7, (-5.4, 5.4)), (0, 1e6, (0, 2e6))],
)  # fmt: skip
def test_what_images_went_through_is_known(tmp_path, low, high, wanted):
    x = np.linspace(low, high, 30 * 16).reshape(30, 4, 4)
    np.savez(tmp_path / "x.npz", X=x, y=np.arange(30) % 2)
    data = load(source="npz", path=str(tmp_path / "x.npz"), train=24, valid=3, test=3)
    found = data.preparation
    assert not found.files and not found.resized
    assert (found.low, found.high) == pytest.approx(wanted)
    assert found.low <= data.train_x.min() and data.train_x.max() <= found.high


def test_what_files_went_through_is_known(folder):
    found = load(source="folder", path=str(folder)).preparation
    assert found == Preparation(True, False, "white", 0.0, 255.0)
    found = load(source="folder", path=str(folder), resize=[4, 4], background="black").preparation
    assert found == Preparation(True, True, "black", 0.0, 255.0)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 5, 6), (4, 4, 9), (3, 20, 2)])
def test_channels_may_stand_first_in_an_npz_file(tmp_path, shape):
    x = RNG.integers(0, 256, (30, *shape), dtype=np.uint8)
    np.savez(tmp_path / "first.npz", X=x, y=np.arange(30) % 3)
    data = load(source="npz", path=str(tmp_path / "first.npz"))
    assert data.image_shape == (*shape[1:], shape[0])
    parts = np.concatenate([data.train_x, data.valid_x, data.test_x])
    assert keys(parts) == keys(np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    assert len(data.warnings) == 1 and "taken for channels first" in data.warnings[0]


@pytest.mark.parametrize("shape", [(3, 8, 3), (4, 4, 1), (8, 8, 2), (2, 8, 8)])
def test_channels_are_last_otherwise(tmp_path, shape):
    np.savez(tmp_path / "last.npz", X=RNG.integers(0, 256, (30, *shape)), y=np.arange(30) % 3)
    data = load(source="npz", path=str(tmp_path / "last.npz"))
    assert data.image_shape == shape and data.warnings == ()


# --- splits -------------------------------------------------------------------------------------


def test_the_seed_picks_train_and_valid_but_never_test():
    first, again, other = load(), load(), load(seed=1)
    for part in ("train", "valid", "test"):
        assert (getattr(first, f"{part}_x") == getattr(again, f"{part}_x")).all()
    assert (first.test_x == other.test_x).all()
    assert keys(first.valid_x) != keys(other.valid_x)
    assert len(first.valid_x) == len(other.valid_x)


def test_valid_images_do_not_depend_on_how_many_are_trained_on():
    sizes = {"valid": 200, "test": 100}
    many, few = load(**sizes), load(train=100, **sizes)
    assert (many.valid_x == few.valid_x).all()
    assert (len(many.train_x), len(few.train_x)) == (1797 - 300, 100)
    assert set(keys(few.train_x)) <= set(keys(many.train_x))


def test_parts_hold_the_classes_in_proportion():
    data = load(train=1000, valid=0.2, test=300)
    share = np.bincount(load_digits().target) / 1797
    for y in (data.train_y, data.valid_y, data.test_y):
        assert (np.abs(np.bincount(y) - share * len(y)) < 2).all()


def test_held_out_parts_are_at_most_5000_unless_asked_for(tmp_path):
    path = tmp_path / "many.npz"
    x = RNG.integers(0, 256, (30_000, 2, 2), dtype=np.uint8)
    np.savez(path, X=x, y=np.arange(30_000) % 2)
    data = load(source="npz", path=str(path))
    assert [len(data.train_x), len(data.valid_x), len(data.test_x)] == [20_000, 5000, 5000]
    assert len(load(source="npz", path=str(path), valid=6000).valid_x) == 6000


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=12).filter(any), st.floats(0, 1))
def test_apportion(counts, part):
    counts = np.array(counts)
    total = int(part * counts.sum())
    shares = apportion(counts, total)
    assert shares.sum() == total
    assert (shares <= counts).all()
    assert (np.abs(shares - counts * total / counts.sum()) < 1).all()


def test_the_largest_remainders_are_rounded_up():
    assert apportion(np.array([90, 11, 9]), 11).tolist() == [9, 1, 1]


# --- bad input ----------------------------------------------------------------------------------


def test_images_of_mixed_sizes_name_both_files(folder):
    save(folder / "dogs" / "7.png", colour((6, 9)))
    message = error_of(source="folder", path=str(folder))
    assert "dogs/7.png: 6 x 9 pixels and 3 channels" in message
    assert "cats/0.png has 6 x 5 pixels and 3 channels" in message
    assert "resize" in message and "channels: 1" not in message
    load(source="folder", path=str(folder), resize=[6, 6])


def test_images_of_mixed_channels_name_both_files(folder):
    save(folder / "dogs" / "7.png", colour()[..., 0])
    message = error_of(source="folder", path=str(folder))
    assert "dogs/7.png" in message and "cats/0.png" in message
    assert "one number of channels; give channels: 1 or channels: 3 to" in message
    assert load(source="folder", path=str(folder), channels=3).image_shape == (6, 5, 3)


@pytest.mark.parametrize("keep", [0, 10, 60, 150])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".webp", ".tif", ".ppm"])
def test_a_truncated_file_is_named(folder, suffix, keep):
    file = folder / "cats" / f"9{suffix}"
    save(file, np.random.default_rng(1).integers(0, 256, (6, 5, 3), dtype=np.uint8))
    whole = file.read_bytes()
    file.write_bytes(whole[: min(keep, len(whole) * 2 // 3)])
    message = error_of(source="folder", path=str(folder))
    assert message.startswith(f"{file}: a damaged, truncated or foreign image")


def test_a_file_that_is_no_image_is_named(folder):
    for content in (b"%PDF-1.4 nothing", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"):
        (folder / "cats" / "9.png").write_bytes(content)
        assert "cats/9.png" in error_of(source="folder", path=str(folder))


def test_a_bit_flip_in_a_png_is_noticed(folder):
    file = folder / "cats" / "1.png"
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    file.write_bytes(damaged)
    assert "cats/1.png" in error_of(source="folder", path=str(folder))


def test_formats_that_are_not_ours_are_refused_whatever_their_name(folder):
    Image.fromarray(colour()).save(folder / "cats" / "1.png", format="PCX")
    assert "cats/1.png" in error_of(source="folder", path=str(folder))


def test_a_small_file_that_claims_a_huge_image_is_refused(folder):
    Image.new("1", (10_000, 10_000)).save(folder / "cats" / "0.png")
    message = error_of(source="folder", path=str(folder), resize=[6, 6], channels=3)
    assert "cats/0.png" in message and "100000000 pixels" in message


def test_pixels_of_other_types_are_refused(folder):
    for pixels in (np.zeros((6, 5), np.float32), np.full((6, 5), 65536, np.int32)):
        Image.fromarray(pixels).save(folder / "cats" / "1.tif")
        assert "8 or 16 bits" in error_of(source="folder", path=str(folder))


def test_folders_without_what_is_needed(folder, tmp_path):
    (folder / "birds").mkdir()
    (folder / "birds" / "notes.txt").write_text("")
    assert f"{folder / 'birds'}: an empty class folder" in error_of(
        source="folder", path=str(folder)
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no images" in error_of(source="folder", path=str(empty))
    assert "no such folder" in error_of(source="folder", path=str(tmp_path / "nowhere"))
    save(tmp_path / "alone" / "cats" / "0.png", colour())
    assert "only one class, 'cats'" in error_of(source="folder", path=str(tmp_path / "alone"))


def test_images_that_do_not_fit_the_memory(folder, monkeypatch):
    monkeypatch.setattr(read_images, "usable_bytes", lambda: 10 * 6 * 5 * 3 - 1)
    message = error_of(source="folder", path=str(folder))
    assert "10 images" in message and "resize" in message


def test_fewer_images_than_asked(folder):
    assert "1797" in error_of(train=1800)
    assert "1797" in error_of(train=1000, valid=500, test=400)
    assert "cannot be split" in error_of(source="folder", path=str(folder), train=20)
    message = error_of(train=5)
    assert "train: 5 images leave none of class" in message
    for i in range(3):
        (folder / "cats" / f"{i}.png").unlink()
    message = error_of(source="folder", path=str(folder))
    assert "class 'cats' has only 2 images" in message


X = RNG.integers(0, 256, (12, 4, 4, 3), dtype=np.uint8)
Y = np.arange(12) % 2
NAN = X.astype(float)
NAN[7, 1, 1, 1] = np.nan
MANY = np.ones((1100, 2, 2))
MANY[1007] = -np.inf


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"X": X, "y": Y + 0.5}, "labels must be whole numbers"),
        ({"X": X, "y": np.array([f"{i}" for i in range(12)])}, "12 different labels for 12 images"),
        ({"X": X, "y": np.where(Y, np.nan, 1)}, "labels must be whole numbers"),
        ({"X": X, "y": Y[:-1]}, "one label for each image"),
        ({"X": X, "y": np.ones((12, 3))}, "one label for each image"),
        ({"X": X, "y": np.array([b"\xff", b"a"] * 6)}, "no text in UTF-8"),
        ({"X": X, "y": Y * 0}, "only one class"),
        ({"X": X, "y": np.arange(12)}, "12 different labels for 12 images"),
        ({"X": X.reshape(12, -1), "y": Y}, "(N, height, width, channels)"),
        ({"X": NAN, "y": Y}, "NaN, infinity or a number beyond 3e38 in image 7"),
        ({"X": MANY, "y": np.arange(1100) % 2}, "in image 1007"),
        ({"X": NAN * 0 + 1e39, "y": Y}, "in image 0"),
        ({"Z": X, "y": Y}, "unknown array 'X'"),
    ],
)
def test_bad_arrays(tmp_path, arrays, words):
    np.savez(tmp_path / "bad.npz", **arrays)
    message = error_of(source="npz", path=str(tmp_path / "bad.npz"))
    assert words in message and "bad" in message


def test_bad_npz_files(tmp_path):
    assert "no such file" in error_of(source="npz", path=str(tmp_path / "none.npz"))
    np.savez(tmp_path / "cut.npz", X=X, y=Y)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:400])
    assert "cut.npz" in error_of(source="npz", path=str(tmp_path / "cut.npz"))
    np.savez(tmp_path / "sizes.npz", X=X, y=Y, tx=X[:, :3], ty=Y)
    arrays = {"test_x": "tx", "test_y": "ty"}
    assert "must have one size" in error_of(
        source="npz", path=str(tmp_path / "sizes.npz"), arrays=arrays
    )


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"source": "imagenet"}, "fashion_mnist"),
        ({"path": "x"}, "leave it out"),
        ({"source": "folder"}, "path: source 'folder' needs it"),
        ({"source": "npz", "path": "x", "resize": [4, 4]}, "for source 'folder'"),
        ({"background": "white"}, "for source 'folder'"),
        ({"source": "folder", "path": "x", "resize": [4]}, "resize"),
        ({"source": "folder", "path": "x", "channels": 2}, "1 or 3"),
        ({"source": "npz", "path": "x", "arrays": {"test_x": "a"}}, "give both or neither"),
        ({"arrays": {"x": "a"}}, "for source 'npz' only"),
        ({"train": 0}, "train"),
        ({"train": 1.5}, "neither a fraction"),
        ({"sizes": 3}, "sizes"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(ValidationError, match=words):
        ImageSettings(**settings)


def test_paths_start_at_the_folder_of_the_file(tmp_path):
    settings = ImageSettings(source="folder", path="pictures").resolve_paths(tmp_path)
    assert settings.path == str(tmp_path / "pictures")


def test_pillow_is_loaded_only_where_images_are_read():
    code = "import sys, zero.data.images; print([m for m in ('PIL', 'sklearn', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_all_empty_folders_and_damaged_files_are_told_at_once(folder):
    for name in ("cats/8.png", "dogs/9.png"):
        (folder / name).write_bytes(b"nothing")
    message = error_of(source="folder", path=str(folder))
    assert message.startswith(f"{folder / 'cats' / '8.png'}: a damaged")
    assert message.endswith(f"; as little can be read: {folder / 'dogs' / '9.png'}")
    for name in ("ants", "birds"):
        (folder / name).mkdir()
    message = error_of(source="folder", path=str(folder))
    assert message.startswith(f"{folder / 'ants'}: an empty class folder")
    assert message.endswith(f"; {folder / 'birds'}: empty as well")


@pytest.mark.parametrize(
    "names",
    [("train_set", "dev"), ("Train-Data", "TEST_images"), ("training set", "validation_set")],
)
def test_names_of_the_folders_of_a_split(tmp_path, names):
    for part in names:
        for number, name in enumerate(("a", "b")):
            for i in range(4):
                save(tmp_path / "s" / part / name / f"{i}.png", colour() + 20 * number + i)
    data = load(source="folder", path=str(tmp_path / "s"))
    assert data.classes == ("a", "b") and data.warnings is not None
    around = tmp_path / "x: y"
    (around / "in").mkdir(parents=True)
    (tmp_path / "s").rename(around / "in" / "s")
    message = error_of(source="folder", path=str(around))
    assert message.endswith(f'are those of a split, give path: "{around}/in/s"')


def test_what_pillow_logs_of_a_damaged_image_is_not_printed():
    code = (
        "import zero.data.pixels, logging; "
        "logging.getLogger('PIL.TiffImagePlugin').error('More samples per pixel than can be decoded')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

"""A trained network in use: it reads images as its training did, and so does what is exported of it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from image_kinds import write_images
from PIL import Image
from small_cells import small_cells

import zero
from zero.cells.model import CellsModel
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.published import PUBLISHED
from zero.data.images import load_images
from zero.data.preparation import Preparation
from zero.errors import ArchiveError, TaskError
from zero.nn.export.numpy import to_numpy
from zero.nn.reference import ReferenceModel
from zero.nn.saved import load_network, save_network
from zero.nn.weights import initial_parameters, initial_statistics
from zero.runs.archive import read_archive

CLASSES = ("grün äpfel", "dark, or\nblack")
FILES = Preparation(files=True, resized=True, ground="black", low=0.0, high=255.0)
DIGITS = Preparation(files=False, resized=False, ground="white", low=0.0, high=16.0)


def model_of(path, shape=(8, 8, 3), preparation=FILES, **changes):
    """A network with drawn weights, saved in a folder and read again."""
    cell = PUBLISHED["nas_bench_201_skip"]
    network = build_network(
        cell.genome, Skeleton(kind="nas_bench_201", normal_cells=1, filters=4), shape, 2
    )
    settings = {
        "genome": str(cell.genome),
        "skeleton": {},
        "image_shape": shape,
        "classes": CLASSES,
        "mean": np.full(shape[2], 100.0),
        "std": np.full(shape[2], 50.0),
        "parameters": initial_parameters(network, 5),
        "statistics": initial_statistics(network),
        "network": network,
        "preparation": preparation,
    }
    path.mkdir(exist_ok=True)
    save_network(path / "network.h5", **{**settings, **changes})
    return CellsModel.of_run(path)


def by_definition(model, pixels):
    """Probabilities by the reference, in float64."""
    saved = model._saved
    reference = ReferenceModel(saved.network, 4, "float64")
    reference.parameters[:], reference.statistics[:] = saved.parameters, saved.statistics
    logits = reference.predict((pixels.astype(np.float64) - saved.mean) / saved.std)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def exported(model, folder):
    """The network's NumPy module in a folder; returns what code it takes to import it there."""
    s = model._saved
    arrays = (s.network, s.parameters, s.statistics, s.mean, s.std, s.classes, "net.npz")
    source, weights = to_numpy(*arrays, s.notes(), s.preparation)
    (folder / "net.py").write_text(source, encoding="utf-8")
    (folder / "net.npz").write_bytes(weights)
    return (
        f"import sys, json; sys.path.insert(0, {str(folder)!r}); import net; import numpy as np\n"
    )


def alone(code):
    """What Python prints that has NumPy and Pillow but neither this project's folder nor its names."""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- arrays -----------------------------------------------------------------------------------------


def test_arrays_are_classified_as_the_definition_says(tmp_path):
    model = model_of(tmp_path)
    pixels = np.random.default_rng(1).integers(0, 256, (70, 8, 8, 3), dtype=np.uint8)
    found, wanted = model.predict_proba(pixels), by_definition(model, pixels)
    assert found.dtype == np.float32 and model.classes == CLASSES
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert model.predict(pixels).tolist() == [CLASSES[k] for k in wanted.argmax(axis=1)]
    assert model.predict_proba(pixels[:0]).shape == (0, 2)
    np.testing.assert_allclose(model.predict_proba(pixels / 255, scale=255), wanted, atol=1e-5)


def test_one_channel_may_be_left_out(tmp_path):
    model = model_of(tmp_path, (8, 6, 1))
    pixels = np.random.default_rng(1).integers(0, 256, (5, 8, 6), dtype=np.uint8)
    assert np.array_equal(model.predict_proba(pixels), model.predict_proba(pixels[..., None]))
    with pytest.raises(
        TaskError, match=r"\(8, 6, 1\).* expected .*\(N, 8, 6, 1\).* images\[None\]"
    ):
        model.predict(pixels[0][..., None])


@pytest.mark.parametrize(
    "pixels, words",
    [
        (np.zeros((2, 9, 8, 3)), r"expected numbers \(N, 8, 8, 3\)"),
        (np.full((2, 8, 8, 3), "a"), "expected numbers"),
        (
            np.full((2, 8, 8, 3), 0.9),
            "from 0.9 to 0.9, .* from 0 to 255; give scale=255 .* scale=1",
        ),
        (np.full((2, 8, 8, 3), 256), "from 256 to 256"),
        (np.full((2, 8, 8, 3), -0.5), "from -0.5"),
        (np.full((2, 8, 8, 3), np.nan), "from nan"),
        ("nowhere.png", "nowhere.png: cannot be read"),
    ],
)
def test_what_is_no_such_image_is_told(tmp_path, pixels, words):
    with pytest.raises(TaskError, match=words) as caught:
        model_of(tmp_path).predict(pixels)
    assert "\n" not in str(caught.value)


def test_black_images_are_images_and_other_scales_have_their_own_range(tmp_path):
    assert len(model_of(tmp_path).predict(np.zeros((2, 8, 8, 3)))) == 2
    ones = Preparation(False, False, "white", 0.0, 1.0)
    model = model_of(tmp_path, preparation=ones, mean=np.full(3, 0.5), std=np.ones(3))
    assert len(model.predict(np.full((1, 8, 8, 3), 0.3))) == 1
    with pytest.raises(TaskError, match="scale=1/255"):
        model.predict(np.full((1, 8, 8, 3), 200))
    (tmp_path / "a").mkdir()
    write_images(tmp_path / "a")
    with pytest.raises(TaskError, match="values from 0 to 1, which image files have not"):
        model.predictions(tmp_path / "a")
    with pytest.raises(TaskError, match="from 0 to 255, but those of training were from 0 to 16"):
        model_of(tmp_path, preparation=DIGITS).predict(
            np.arange(192).reshape(1, 8, 8, 3) * 255 // 191
        )


# --- files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_files_are_read_as_in_training_and_so_by_the_exported_module(tmp_path, channels):
    names = write_images(tmp_path / "data" / "a")
    write_images(tmp_path / "data" / "b", 1)
    settings = small_cells(
        cells={
            "images": {
                "source": "folder",
                "path": str(tmp_path / "data"),
                "resize": [8, 8],
                "channels": channels,
                "background": "black",
                "train": None,
                "valid": None,
                "test": None,
            }
        }
    ).cells.images
    data = load_images(settings)
    assert data.preparation == FILES
    model = model_of(tmp_path / "run", (8, 8, channels))
    files = [tmp_path / "data" / part / name for part in "ab" for name in names]
    pixels = np.stack([FILES.read(file, (8, 8, channels)) for file in files])
    trained = np.concatenate([data.train_x, data.valid_x, data.test_x])
    assert sorted(x.tobytes() for x in pixels) == sorted(x.tobytes() for x in trained)

    wanted = by_definition(model, pixels)
    np.testing.assert_allclose(model.predict_proba(files), wanted, atol=1e-6)
    assert model.predict(str(files[0])).tolist() == model.predict(files[:1]).tolist()
    code = exported(model, tmp_path) + f"paths = {[str(file) for file in files]!r}\n"
    code += "print(json.dumps([net.predict(net.load(path))[0].tolist() for path in paths]))\n"
    code += "assert 'zero' not in sys.modules and 'black' in net.load.__doc__"
    logits = np.array(json.loads(alone(code)))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), wanted, atol=1e-5)


def test_a_folder_is_predicted_with_its_folders(tmp_path):
    model = model_of(tmp_path / "run")
    names = write_images(tmp_path / "data")
    write_images(tmp_path / "data" / "deep" / "er")
    for name in ("a.heic", "b.HEIC", "notes.txt", ".hidden.png"):
        (tmp_path / "data" / name).write_bytes(b"")
    (tmp_path / "data" / "broken.png").write_bytes(b"no image")
    (tmp_path / "data" / "deep" / "around").symlink_to(tmp_path / "data")
    found = model.predictions(tmp_path / "data")
    assert list(found.columns) == ["file", "class", "probability", *(f"p({c})" for c in CLASSES)]
    assert found.columns["file"] == [*names, *(f"deep/er/{name}" for name in names)]
    assert found.notes[0] == "3 files left out (.heic 2, .txt 1)"
    assert "broken.png: a damaged" in found.notes[1] and len(found.notes) == 2
    proba = model.predict_proba([tmp_path / "data" / name for name in found.columns["file"]])
    for k, name in enumerate(CLASSES):
        np.testing.assert_array_equal(found.columns[f"p({name})"], proba[:, k])
    np.testing.assert_array_equal(found.columns["probability"], proba.max(axis=1))
    assert found.columns["class"] == [CLASSES[k] for k in proba.argmax(axis=1)]
    one = model.predictions(tmp_path / "data" / names[0])
    assert one.columns["file"] == names[:1] and one.notes == ()


def test_folders_without_images(tmp_path):
    model = model_of(tmp_path / "run")
    with pytest.raises(TaskError, match="no such file or folder"):
        model.predictions(tmp_path / "none")
    (tmp_path / "data").mkdir()
    with pytest.raises(TaskError, match="no images"):
        model.predictions(tmp_path / "data")
    for k in range(12):
        (tmp_path / "data" / f"{k}.png").write_bytes(b"no image")
    with pytest.raises(TaskError, match=r"0\.png: a damaged"):
        model.predictions(tmp_path / "data")
    Image.new("L", (4, 4)).save(tmp_path / "data" / "good.png")
    assert model.predictions(tmp_path / "data").notes[-1] == "left out: 2 more that cannot be read"


def test_without_resize_files_must_have_the_size_of_training(tmp_path):
    model = model_of(tmp_path / "run", preparation=Preparation(True, False, "white", 0.0, 255.0))
    Image.new("L", (8, 8), 77).save(tmp_path / "good.png")
    Image.new("RGB", (9, 8)).save(tmp_path / "bad.png")
    assert model.predict([tmp_path / "good.png"]).shape == (1,)
    with pytest.raises(TaskError, match=r"bad\.png: 8 x 9 pixels; .* 8 x 8, none of them scaled"):
        model.predict([tmp_path / "bad.png"])


# --- what is kept, and older files ------------------------------------------------------------------


def test_saved_networks_keep_what_images_went_through(tmp_path):
    model_of(tmp_path)
    saved = load_network(tmp_path / "network.h5")
    assert saved.preparation == FILES
    notes = saved.notes()
    assert notes["resize"].startswith("to 8 x 8 pixels") and "black" in notes["background"]
    assert notes["channels"].startswith("3: red, green, blue") and "EXIF" in notes["turning"]
    assert (
        notes["pixel_values"].startswith("0 to 255")
        and "[50.0, 50.0, 50.0]" in notes["normalisation"]
    )
    model_of(tmp_path, preparation=DIGITS)
    notes = load_network(tmp_path / "network.h5").notes()
    assert notes["images"].startswith("arrays") and notes["pixel_values"].startswith("0 to 16")
    for wrong in ({}, {**FILES.tree(), "ground": "red"}, {**FILES.tree(), "high": "255"}):
        with pytest.raises(ValueError, match="missing or wrong"):
            Preparation.from_tree(wrong)


def test_networks_of_older_versions_did_not_record_it(tmp_path):
    model = model_of(tmp_path, preparation=None)
    assert model._saved.notes()["images"].startswith("not recorded")
    assert model.predict(np.full((1, 8, 8, 3), 0.5)).shape == (
        1,
    )  # nothing is known to check it by
    Image.new("RGB", (8, 8)).save(tmp_path / "good.png")
    assert "did not record" in model.predictions(tmp_path / "good.png").notes[0]
    alone(exported(model, tmp_path) + "assert not hasattr(net, 'load')")


def test_the_exported_module_refuses_pixels_of_another_scale(tmp_path):
    code = (
        exported(model_of(tmp_path), tmp_path)
        + """
x = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3))
for wrong in (x / 255, x * 2, x - 9.0):
    try:
        net.predict(wrong)
    except ValueError as error:
        print(error)
assert np.allclose(net.predict(x / 255, scale=255), net.predict(x), atol=1e-4)
assert net.classify(x / 255, scale=255) == net.classify(x)
assert net.predict(x / 255, scale=1).shape == (3, 2) and net.predict(x * 0).shape == (3, 2)
"""
    )
    lines = alone(code).splitlines()
    assert len(lines) == 3 and "give scale=255" in lines[0] and "from 0 to 255" in lines[1]


# --- runs -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run over digits that has ended, and its config."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    config = small_cells(budget={"individuals": 5})
    zero.start(config, out=folder, quiet=True)
    return folder, config


def test_a_run_is_loaded_and_gives_its_test_accuracy(run):
    folder, config = run
    data, model = load_images(config.cells.images), zero.load(folder)
    assert model.classes == data.classes
    right = (model.predict(data.test_x) == np.array(data.classes)[data.test_y]).mean()
    assert right == pytest.approx(read_archive(folder).results["final"]["fitness"], abs=0.02)
    again = zero.load(folder / "archive.h5")
    assert np.array_equal(again.predict_proba(data.test_x), model.predict_proba(data.test_x))


def test_a_run_without_a_network_is_told(run, tmp_path):
    folder, _ = run
    (tmp_path / "config.yaml").write_text((folder / "config.yaml").read_text())
    with pytest.raises(ArchiveError, match="has no trained network"):
        zero.load(tmp_path)

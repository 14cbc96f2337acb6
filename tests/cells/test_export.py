"""Exports compute what the reference computes, need nothing of ours, and bad files are told."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
from typer.testing import CliRunner

from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton, usual_kind
from zero.cells.published import PUBLISHED, get_preset
from zero.cells.text import parse_genome
from zero.data.preparation import Preparation
from zero.errors import ArchiveError, DeviceError, NetworkError
from zero.nn.export.numpy import to_numpy
from zero.nn.export.onnx import to_onnx
from zero.nn.layers import LAYER_KINDS
from zero.nn.network import Builder
from zero.nn.reference import ReferenceModel
from zero.nn.saved import load_network, save_network
from zero.nn.weights import batch_norms, initial_parameters, initial_statistics
from zero.runs.archive import ArchiveData, write_archive
from zero.runs.folder import RunFolder
from zero.system.trees import read_tree, write_tree

CLASSES = ("cat", "dog", 'it\'s a "bird"\n', "{été}", "\\")
MEAN, STD = np.array([120.0, 110.0, 90.0], np.float32), np.array([60.0, 70.0, 50.0], np.float32)
SHAPE = (9, 8, 3)


def halved(b, x, channels):
    """The factorised reduction of NASNet: two shifted convolutions, then one batch norm."""
    first = b.conv(x, channels // 2, stride=2, pad="valid")
    second = b.conv(x, channels // 2, stride=2, pad=(-1, 1, -1, 1))
    return b.batch_norm(b.concat(first, second))


def norm_of_a_shared_convolution(b, x):
    y = b.conv(x, 6)
    return b.add(b.batch_norm(y), b.batch_norm(y), y)


# For each kind networks that depend on it; x is a layer of 9 x 8 x 6.
CASES = {
    "input": [lambda b, x: x],
    "relu": [lambda b, x: b.concat(b.relu(x), b.relu(x))],
    "conv": [
        lambda b, x: b.conv(x, 5, 3, pad="same", stride=2),
        lambda b, x: b.conv(x, 5, (1, 7), pad="symmetric"),
        lambda b, x: b.conv(x, 5, 3, pad=(-2, 1, 0, -3), dilation=2),
    ],
    "depthwise": [
        lambda b, x: b.depthwise(x, 5, stride=2),
        lambda b, x: b.depthwise(x, (3, 2), dilation=2, pad=(1, 3, -1, 2)),
    ],
    "batch_norm": [
        lambda b, x: b.batch_norm(x),
        lambda b, x: b.batch_norm(b.batch_norm(b.conv(x, 4))),
        lambda b, x: b.batch_norm(b.drop_path(b.depthwise(x, 3), 0.5)),
        lambda b, x: halved(b, x, 4),
        norm_of_a_shared_convolution,
    ],
    "max_pool": [
        lambda b, x: b.pool("max", x, 3),
        lambda b, x: b.pool("max", x, (2, 3), stride=2, pad=(-1, 0, 1, 1)),
    ],
    "min_pool": [
        lambda b, x: b.pool("min", x, 3),
        lambda b, x: b.pool("min", x, 3, stride=2, pad="symmetric"),
    ],
    "avg_pool": [
        lambda b, x: b.pool("avg", x, 3),
        lambda b, x: b.pool("avg", x, (2, 3), stride=2, pad=(1, 0, -2, 1)),
    ],
    **{
        kind: [lambda b, x, kind=kind: b.add_layer(kind, x)]
        for kind in ("relu6", "sigmoid", "hard_sigmoid", "swish", "h_swish")
    },
    "scale_channels": [
        lambda b, x: b.squeeze_excite(x, 2),
        lambda b, x: b.relu(b.batch_norm(b.squeeze_excite(x, 3, "h_swish", "hard_sigmoid"))),
    ],
    "add": [lambda b, x: b.add(x, x), lambda b, x: b.add(x, b.relu(x), b.pool("avg", x, 3))],
    "concat": [lambda b, x: b.concat(x, b.relu(x), x)],
    "slice": [lambda b, x: b.first_channels(x, 4)],
    "zero": [
        lambda b, x: b.concat(b.zero(x, (9, 8, 2)), x),
        lambda b, x: b.add(x, b.zero(x, (9, 8, 6))),
        lambda b, x: b.add(b.zero(x, (9, 8, 6)), b.zero(b.relu(x), (9, 8, 6))),
    ],
    "drop_path": [lambda b, x: b.drop_path(x, 0.5)],
    "dropout": [lambda b, x: b.dropout(x, 0.5)],
    "global_pool": [lambda b, x: b.global_pool(x)],
    "linear": [lambda b, x: b.linear(b.relu(b.linear(x, 7)), 6)],
    "linear_no_bias": [lambda b, x: b.linear(x, 6, bias=False)],
}
EVERY = [(kind, number) for kind, cases in CASES.items() for number in range(len(cases))]


def network_of(*cases, auxiliary=False):
    b = Builder(SHAPE)
    with b.scope("stem"):
        x = b.conv(0, 6, 3)
    heads = []
    for number, case in enumerate(cases):
        with b.scope(f"cell{number}"):
            heads.append(b.linear(case(b, x), len(CLASSES)))
    output = b.add(*heads)
    return b.network(output, b.linear(b.batch_norm(x), len(CLASSES)) if auxiliary else None)


def every_kind():
    return network_of(*(case for cases in CASES.values() for case in cases), auxiliary=True)


def trained(network):
    """Parameters and statistics that are not those of the start."""
    rng = np.random.default_rng(3)
    parameters, statistics = initial_parameters(network, 1), initial_statistics(network)
    for p in network.parameters:
        if p.role != "weight":
            parameters[p.start : p.start + p.size] += rng.normal(0, 0.3, p.size)
    for _, start, channels in batch_norms(network):
        statistics[start : start + channels] = rng.normal(0, 0.5, channels)
        statistics[start + channels : start + 2 * channels] = rng.uniform(0.2, 2, channels)
    return parameters, statistics


def images(count=5):
    return np.random.default_rng(4).integers(0, 256, (count, *SHAPE)).astype(np.float32)


def expected(network, parameters, statistics, pictures):
    model = ReferenceModel(network, 4, "float64")
    model.parameters[:], model.statistics[:] = parameters, statistics
    return model.predict((pictures.astype(np.float64) - MEAN) / STD)


def assert_same(logits, wanted):
    assert logits.dtype == np.float32 and logits.shape == wanted.shape
    np.testing.assert_allclose(logits, wanted, rtol=0, atol=3e-6 * max(1, abs(wanted).max()))


def load_module(folder, source, weights, name="model"):
    (folder / f"{name}.py").write_text(source, encoding="utf-8")
    (folder / f"{name}.npz").write_bytes(weights)
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numpy_logits(network, folder, pictures, **options):
    source, weights = to_numpy(network, *trained(network), MEAN, STD, CLASSES, "model.npz")
    return load_module(folder, source, weights).predict(pictures, **options)


def test_there_is_a_case_for_every_kind_of_layer():
    assert set(CASES) == set(LAYER_KINDS)
    assert {layer.kind for layer in every_kind().layers} == set(LAYER_KINDS)


@pytest.mark.parametrize("kind, number", EVERY)
def test_numpy_module_computes_the_same(kind, number, tmp_path):
    network = network_of(CASES[kind][number])
    logits = numpy_logits(network, tmp_path, images(), batch=2)
    assert_same(logits, expected(network, *trained(network), images()))


@pytest.mark.parametrize("opset, ir", [(13, 7), (14, 7), (15, 8), (16, 8), (17, 8), (21, 10)])
@pytest.mark.parametrize("kind, number", EVERY)
def test_onnx_model_computes_the_same(kind, number, opset, ir):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    network = network_of(CASES[kind][number])
    content = to_onnx(network, *trained(network), MEAN, STD, CLASSES, opset=opset)
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == (ir, opset)
    (logits,) = ReferenceEvaluator(model).run(None, {"images": images()})
    assert_same(logits, expected(network, *trained(network), images()))


WHOLE = (
    "chain[conv3x3-1F,conv1x1-2F,pool2s2,pool3s2,fc4F,fc2F,skips,size9]: "
    "conv3x3-1F conv1x1-2F conv3x3-1F(1) pool3s2 fc4F fc2F",
    "chain[conv3x3-1F,pool2s2,gap]: conv3x3-1F pool2s2 conv3x3-1F gap",
    "hierarchical[id,none,max3,sep3x3-bn-relu,dw3x3-bn-relu]: m1 id(in) id(in)+max3(n1) "
    "sep3x3-bn-relu(in)+id(n2); m2 none() none() dw3x3-bn-relu(in); m3 none() none() none(); "
    + "".join(f"m{k} none() none() none(); " for k in (4, 5, 6))
    + "cell m1(in) m2(in)+m1(n1) m3(in) m2(n1)+m1(n2)",
)


@pytest.mark.parametrize("text", WHOLE)
def test_networks_of_other_forms_of_genome_are_exported(text, tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    genome = parse_genome(text)
    skeleton = Skeleton(usual_kind(genome.space), 1, 4, dropout=0.4)
    network = build_network(genome, skeleton, SHAPE, len(CLASSES))
    wanted = expected(network, *trained(network), images())
    assert_same(numpy_logits(network, tmp_path, images(), batch=2), wanted)
    model = onnx.load_from_string(to_onnx(network, *trained(network), MEAN, STD, CLASSES))
    (logits,) = ReferenceEvaluator(model).run(None, {"images": images()})
    assert_same(logits, wanted)


def test_onnx_model_is_for_old_runtimes_unless_told_otherwise():
    onnx = pytest.importorskip("onnx")
    network = every_kind()
    model = onnx.load_from_string(to_onnx(network, *trained(network), MEAN, STD, CLASSES))
    assert (model.ir_version, model.opset_import[0].version) == (8, 15)
    with pytest.raises(NetworkError, match="from 13 to 21"):
        to_onnx(network, *trained(network), MEAN, STD, CLASSES, opset=12)


@pytest.mark.parametrize("count", [1, 5])
def test_onnx_model_in_onnxruntime(count):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    network = every_kind()
    session = runtime.InferenceSession(to_onnx(network, *trained(network), MEAN, STD, CLASSES))
    (logits,) = session.run(None, {"images": images(count)})
    assert_same(logits, expected(network, *trained(network), images(count)))


def test_onnx_model_says_what_it_is():
    onnx = pytest.importorskip("onnx")
    network = every_kind()
    content = to_onnx(network, *trained(network), MEAN, STD, CLASSES, {"genome": "a\nb"})
    assert content == to_onnx(network, *trained(network), MEAN, STD, CLASSES, {"genome": "a\nb"})
    model = onnx.load_from_string(content)
    found = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(found["classes"]) == list(CLASSES) and found["genome"] == "a\nb"
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dimensions] == ["N", *SHAPE]


def test_onnx_model_says_which_pixel_values_it_takes():
    onnx = pytest.importorskip("onnx")
    network = network_of(CASES["relu"][0])

    def texts(preparation):
        content = to_onnx(network, *trained(network), MEAN, STD, CLASSES, preparation=preparation)
        model = onnx.load_from_string(content)
        onnx.checker.check_model(model, full_check=True)
        return model.graph.input[0].doc_string, model.doc_string

    for text in texts(Preparation(True, True, "white", 0.0, 255.0)):
        assert "from 0 to 255" in text and "not checked" in text
    assert all("as in the images of training" in text for text in texts(None))


def test_batch_norms_go_into_convolutions_where_nothing_else_reads_them():
    onnx = pytest.importorskip("onnx")

    def norms(case):
        network = network_of(case)
        model = onnx.load_from_string(to_onnx(network, *trained(network), MEAN, STD, CLASSES))
        return sum(node.op_type == "Mul" for node in model.graph.node)

    assert norms(lambda b, x: b.batch_norm(b.conv(b.depthwise(b.relu(x), 3), 6))) == 0
    assert norms(lambda b, x: halved(b, x, 4)) == 0
    assert norms(norm_of_a_shared_convolution) == 2


def test_onnx_package_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    network = network_of(CASES["relu"][0])
    with pytest.raises(DeviceError, match=r"zero-discovery\[export\]"):
        to_onnx(network, *trained(network), MEAN, STD, CLASSES)


@pytest.mark.parametrize("short", ["parameters", "statistics"])
def test_weights_of_another_network_are_refused(short):
    network = every_kind()
    parameters, statistics = trained(network)
    if short == "parameters":
        parameters = parameters[:100]
    else:
        statistics = statistics[:3]
    with pytest.raises(NetworkError, match=short):
        to_numpy(network, parameters, statistics, MEAN, STD, CLASSES, "w.npz")


def test_numpy_module_runs_with_numpy_only(tmp_path):
    network = every_kind()
    source, weights = to_numpy(network, *trained(network), MEAN, STD, CLASSES, "model.npz")
    (tmp_path / "model.py").write_text(source, encoding="utf-8")
    (tmp_path / "model.npz").write_bytes(weights)
    np.save(tmp_path / "images.npy", images())
    script = f"""
import sys
sys.modules["zero"] = None  # importing it fails
sys.path.insert(0, {str(tmp_path)!r})
before = set(sys.modules)
import numpy as np, model
np.save({str(tmp_path / "logits.npy")!r}, model.predict(np.load({str(tmp_path / "images.npy")!r})))
loaded = {{name.split(".")[0] for name in set(sys.modules) - before}}
print(sorted(loaded - set(sys.stdlib_module_names)))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, cwd="/"
    )
    assert done.stderr == "" and done.stdout.strip() == "['model', 'numpy']"
    assert_same(np.load(tmp_path / "logits.npy"), expected(network, *trained(network), images()))


def test_numpy_module_names_classes_and_keeps_notes(tmp_path):
    network = every_kind()
    notes = {"genome": 'normal:\n """sep3"""\n{x}\\n', "'": "\0\u2028#", "accuracy": "0.5"}
    arguments = (network, *trained(network), MEAN, STD, CLASSES, "model.npz", notes)
    source, weights = to_numpy(*arguments)
    assert (source, weights) == to_numpy(*arguments)
    module = load_module(tmp_path, source, weights)
    assert notes == module.NOTES
    logits = expected(network, *trained(network), images())
    assert module.classify(images().astype(np.uint8)) == [CLASSES[i] for i in logits.argmax(1)]
    assert module.predict(images(0)).shape == (0, len(CLASSES))
    with pytest.raises(ValueError, match=r"expected \(N, 9, 8, 3\)"):
        module.predict(images()[..., :2])


def test_numpy_module_refuses_other_weights(tmp_path):
    network = network_of(CASES["conv"][0])
    arguments = (MEAN, STD, CLASSES, "model.npz")
    source, weights = to_numpy(network, *trained(network), *arguments)
    parameters, statistics = trained(network)
    _, others = to_numpy(network, parameters + 1, statistics, *arguments)
    load_module(tmp_path, source, weights)
    with pytest.raises(ValueError, match=r"model\.npz is damaged or belongs to another"):
        load_module(tmp_path, source, others)


@pytest.mark.parametrize("name", ["nasnet_a", "darts_v2", "nas_bench_101_inception"])
def test_published_networks(name, tmp_path):
    cell = PUBLISHED[name]
    skeleton = get_preset(cell.preset).skeleton.resized(normal_cells=1, filters=4)
    network = build_network(cell.genome, skeleton, (16, 16, 3), len(CLASSES))
    pictures = np.random.default_rng(5).integers(0, 256, (3, 16, 16, 3)).astype(np.float32)
    wanted = expected(network, *trained(network), pictures)
    assert_same(numpy_logits(network, tmp_path, pictures), wanted)
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    model = onnx.load_from_string(to_onnx(network, *trained(network), MEAN, STD, CLASSES))
    assert_same(ReferenceEvaluator(model).run(None, {"images": pictures})[0], wanted)


# --- the file of a trained network ----------------------------------------------------------------


def save(path, **changes):
    network = every_kind()
    parameters, statistics = trained(network)
    settings = {
        "genome": "a genome",
        "skeleton": {"name": "cifar", "reductions": (1, 2), "auxiliary": True},
        "image_shape": SHAPE,
        "classes": CLASSES,
        "mean": MEAN,
        "std": STD,
        "parameters": parameters,
        "statistics": statistics,
        "extra": {"test_accuracy": 0.75, "curve": [0.5, 0.75]},
    }
    save_network(path, **{**settings, **changes})
    return network


def test_saved_network_comes_back(tmp_path):
    network = save(tmp_path / "a.h5")
    save(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    saved = load_network(tmp_path / "a.h5")
    saved.check_fits(network)
    parameters, statistics = trained(network)
    assert np.array_equal(saved.parameters, parameters) and saved.parameters.dtype == np.float32
    assert np.array_equal(saved.statistics, statistics)
    assert (saved.classes, saved.image_shape, saved.genome) == (CLASSES, SHAPE, "a genome")
    assert saved.skeleton == {"name": "cifar", "reductions": [1, 2], "auxiliary": True}
    assert saved.notes()["test_accuracy"] == "0.75" and "curve" not in saved.notes()


def test_a_saved_network_keeps_its_layers(tmp_path):
    network = every_kind()
    save(tmp_path / "a.h5", network=network)
    assert load_network(tmp_path / "a.h5").network == network
    assert load_network(tmp_path / "a.h5").network.parameters == network.parameters
    save(tmp_path / "b.h5")
    assert load_network(tmp_path / "b.h5").network is None  # of an older version
    for text in (
        "", "[]", "{}", '{"output": 1, "auxiliary": null, "layers": [{"kind": "input"}]}',
        '{"output": 1, "auxiliary": null, "layers": [{"kind": "input", "name": "input", "shape": '
        '[2, 2, 1]}, {"kind": "relu", "name": "r", "inputs": [5], "shape": [2, 2, 1]}]}',
    ):  # fmt: skip
        tree = {**read_tree(tmp_path / "a.h5", "network", 1), "layers": text}
        write_tree(tmp_path / "c.h5", tree, "network", 1)
        with pytest.raises(ArchiveError, match="'layers' holds no network"):
            load_network(tmp_path / "c.h5")


def test_saved_network_without_its_auxiliary_head(tmp_path):
    plain = every_kind().without_auxiliary
    parameters, statistics = trained(plain)
    network = save(tmp_path / "a.h5", parameters=parameters, statistics=statistics)
    load_network(tmp_path / "a.h5").check_fits(network)


def test_saved_network_of_another_genome(tmp_path):
    save(tmp_path / "a.h5")
    saved = load_network(tmp_path / "a.h5")
    with pytest.raises(ArchiveError, match=r"a\.h5 holds .* parameters, but its genome"):
        saved.check_fits(network_of(CASES["relu"][0]), "a.h5")
    b = Builder((8, 8, 3))
    with pytest.raises(ArchiveError, match="5 classes"):
        saved.check_fits(b.network(b.linear(0, 5)), "a.h5")


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda data: b"", "is empty"),
        (lambda data: data[: len(data) // 2], "is damaged"),
        (lambda data: data[:1000] + b"!!" + data[1002:], "is damaged"),
        (lambda data: b"\x89HDF\r\n\x1a\n" + data, "no network that zero wrote"),
        (lambda data: data.replace(b"version 1\n", b"version 9\n", 1), "newer zero"),
    ],
)
def test_damaged_files(tmp_path, damage, message):
    save(tmp_path / "a.h5")
    path = tmp_path / "b.h5"
    path.write_bytes(damage((tmp_path / "a.h5").read_bytes()))
    with pytest.raises(ArchiveError, match=message):
        load_network(path)


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(ArchiveError, match="No such file"):
        load_network(tmp_path / "none.h5")
    write_tree(tmp_path / "a.h5", {"genome": "g"}, "checkpoint", 1)
    with pytest.raises(ArchiveError, match="holds: checkpoint; expected: network"):
        load_network(tmp_path / "a.h5")
    write_tree(tmp_path / "a.h5", {"genome": "g", "image_shape": [8, 8, "3"]}, "network", 1)
    with pytest.raises(ArchiveError, match="image_shape"):
        load_network(tmp_path / "a.h5")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"parameters": np.array([1.0, np.nan])}, "not finite"),
        ({"std": np.array([1.0, 0.0, 1.0])}, "above 0"),
        ({"mean": np.zeros(2)}, r"shape \(3,\)"),
        ({"classes": ["only one"]}, "at least two"),
        ({"image_shape": (8, 8)}, "height, width"),
    ],
)
def test_networks_that_cannot_be_saved(tmp_path, changes, message):
    with pytest.raises(ArchiveError, match=message):
        save(tmp_path / "a.h5", **changes)
    assert not (tmp_path / "a.h5").exists()


# --- the command ----------------------------------------------------------------------------------


def command(*arguments):
    from zero.cli import main as cli

    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def save_darts(path, **changes):
    cell = PUBLISHED["darts_v2"]
    skeleton = get_preset(cell.preset).skeleton.resized(layers=3, filters=2)
    network = build_network(cell.genome, skeleton, (8, 8, 3), len(CLASSES))
    parameters, statistics = trained(network)
    settings = {"genome": str(cell.genome), "skeleton": asdict(skeleton), "image_shape": (8, 8, 3)}
    more = {"parameters": parameters, "statistics": statistics, "extra": {"test_accuracy": 0.5}}
    save(path, **{**settings, **more, **changes})
    return network


def test_command_exports_a_run_and_a_file(tmp_path):
    pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    run = tmp_path / "run"
    RunFolder.create(run, "cells", "cells: {}\n", {}).close()
    network = save_darts(run / "best_weights.h5")
    pictures = np.random.default_rng(5).integers(0, 256, (3, 8, 8, 3)).astype(np.float32)
    wanted = expected(network, *trained(network), pictures)

    onnx_file, python_file = tmp_path / "net.onnx", tmp_path / "net.py"
    done = command("export", run, "-o", onnx_file)
    assert (done.exit_code, done.output) == (0, f"wrote {onnx_file}\n")
    (logits,) = ReferenceEvaluator(str(onnx_file)).run(None, {"images": pictures})
    assert_same(logits, wanted)

    done = command("export", run / "best_weights.h5", "--format", "numpy", "-o", python_file)
    assert done.output == f"wrote {python_file}\nwrote {tmp_path / 'net.npz'}\n"
    module = load_module(
        tmp_path, python_file.read_text(), (tmp_path / "net.npz").read_bytes(), "net"
    )
    assert_same(module.predict(pictures), wanted)
    assert module.NOTES["genome"] == str(PUBLISHED["darts_v2"].genome)
    assert module.NOTES["test_accuracy"] == "0.5"


def refused(*arguments):
    done = command("export", *arguments)
    assert done.exit_code == 1
    assert done.output.startswith("error: ") and done.output.count("\n") == 1
    return done.output


def test_command_on_what_is_no_trained_network(tmp_path):
    run = tmp_path / "run"
    folder = RunFolder.create(run, "cells", "cells: {}\n", {})
    output = tmp_path / "net.onnx"
    assert "no trained network" in refused(run, "-o", output)
    write_archive(folder.archive_path, ArchiveData(1, "", [], "0"))
    folder.close()
    assert "holds no program yet" in refused(run, "-o", output)
    assert "has no config.yaml" in refused(tmp_path, "-o", output)
    assert "there is no" in refused(tmp_path / "none.h5", "-o", output)
    assert not output.exists()


def test_command_on_names_and_networks_that_do_not_fit(tmp_path):
    path = tmp_path / "a.h5"
    save_darts(path)
    assert "ends in .onnx or .py" in refused(path, "-o", tmp_path / "net.pt")
    assert "ends in .onnx or .py" in refused(path, "-o", tmp_path / "net", "--format", "numpy")
    save_darts(path, parameters=np.zeros(7))
    assert "holds 7 parameters" in refused(path, "-o", tmp_path / "net.onnx")
    save_darts(path, genome="darts: normal sep9(cur)")
    assert "make no network" in refused(path, "-o", tmp_path / "net.onnx")
    save_darts(path, skeleton={"kind": "darts", "colour": "red"})
    assert "make no network" in refused(path, "-o", tmp_path / "net.onnx")
    save_darts(path, skeleton={"kind": "darts", "filters": "many"})
    assert "make no network" in refused(path, "-o", tmp_path / "net.onnx")

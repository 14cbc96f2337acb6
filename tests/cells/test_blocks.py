"""Blocks of stacks: every registered one keeps the contract, faults of own ones are told in a line."""

import numpy as np
import pytest
from small_cells import small_cells
from small_runs import all_records

from zero.cells.blocks import BLOCKS, add_block, block, check_block, get_block
from zero.cells.domain import CellsDomain
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.spaces import get_space
from zero.cells.text import parse_genome
from zero.errors import NetworkError
from zero.nn.network import Builder
from zero.nn.weights import views
from zero.runs import run

HALVING = ("reduce3", "max_pool3", "avg_pool2")
WIDER = ("wide3", "reduce3")
SKELETON = Skeleton("blocks", filters=4)


@pytest.fixture
def own_blocks():
    """Blocks registered by a test are gone after it."""
    before = dict(BLOCKS)
    yield
    BLOCKS.clear()
    BLOCKS.update(before)
    get_space.cache_clear()


def network(text, shape=(8, 8, 1)):
    return build_network(parse_genome(f"blocks: {text}"), SKELETON, shape, 3)


@pytest.mark.parametrize("name", list(BLOCKS))
def test_every_block_reads_images_of_any_size(name):
    for height, width in ((8, 8), (7, 2), (3, 5)):
        for channels in (12, 3, 1):
            b = Builder((height, width, channels))
            if BLOCKS[name].dense:
                assert b.shape(add_block(b, name, b.global_pool(0)))[:2] == (1, 1)
                continue
            made = b.shape(add_block(b, name, 0))
            halves = name in HALVING
            assert made[:2] == (-(-height // 2), -(-width // 2)) if halves else (height, width)
            if channels == 12:  # cells divide them among their nodes
                assert made[2] == (24 if name in WIDER else 12) or "_" in name


@pytest.mark.parametrize("name", list(BLOCKS))
def test_every_block_can_be_trained_and_is_described(name):
    check_block(name)
    assert BLOCKS[name].name == name and "\n" not in BLOCKS[name].description


@pytest.mark.parametrize("name", HALVING)
def test_what_cannot_be_halved_is_told_in_a_line(name):
    words = rf"^blocks on images of 8 x 8 x 1: block '{name}': the image has 1 x 1 pixels here"
    with pytest.raises(NetworkError, match=words):
        network(f"reduce3 max_pool3 avg_pool2 {name}")


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "a stack has at least one block"),
        (
            "conv3 dense conv5",
            "conv5 stands after dense, which is fully connected; blocks of images",
        ),
        ("conf3", "unknown block of blocks 'conf3'; did you mean 'conv3'"),
        ("conv3(in)", r"'conv3\(in\)' is no block; write names, such as"),
        (" ".join(["conv3"] * 9), "9 blocks; at most 8 are allowed"),
    ],
)
def test_texts_that_are_no_stack(text, words):
    with pytest.raises(NetworkError, match=words) as raised:
        parse_genome(f"blocks: {text}")
    assert "\n" not in str(raised.value)


def test_the_layers_of_a_stack():
    layers = network("residual3 avg_pool2 squeeze_excite dense").layers
    kinds = [layer.kind for layer in layers]
    conv = ["conv", "batch_norm"]
    excite = ["global_pool", "linear", "relu", "linear", "sigmoid", "scale_channels"]
    assert kinds == [
        "input", *conv, "relu", *conv, "relu", *conv, "add", "relu", "avg_pool", *excite,
        "global_pool", "linear", "relu", "linear",
    ]  # fmt: skip
    assert [layers[i].shape for i in (-4, -3, -1)] == [(1, 1, 4), (1, 1, 4), (1, 1, 3)]


# --- inherited weights ------------------------------------------------------------------------------


def trained_layers(network, weights):
    layers = [layer.name for layer in network.layers]
    return {
        name: [array.copy() for array in arrays]
        for name, arrays in zip(layers, views(network, weights), strict=True)
        if arrays
    }


@pytest.mark.parametrize(
    "child, kept",
    [
        ("residual3 sep3 conv1", "stem block0 block1"),  # one more
        ("residual3 sep3 dense", "stem block0 block1"),
        ("residual3 conv1", "stem block0"),  # another one
        ("residual3", "stem block0"),
        ("conv3 residual3 sep3", "stem"),  # those after it have other inputs
        ("conv3 sep3", "stem"),
        ("residual3 sep3", "stem block0 block1 head"),  # the same
    ],
)
def test_exactly_the_unchanged_beginning_is_inherited(child, kept):
    config = small_cells(cells={"space": "blocks", "skeleton": {"filters": 4}})
    evaluator = CellsDomain(config).evaluator
    parent, heir = (parse_genome(f"blocks: {text}") for text in ("residual3 sep3", child))
    first = evaluator.begin(parent, 1, "parent")
    first.step()
    weights = first.weights()
    begun = evaluator.begin(heir, 2, "child", (parent, weights)).trainer
    alone = evaluator.begin(heir, 2, "child").trainer
    theirs = trained_layers(evaluator.network(parent), weights[0])
    mine, fresh = (trained_layers(t.network, t.model.parameters) for t in (begun, alone))
    same = set()
    for name, arrays in mine.items():
        inherited = name in theirs and all(map(np.array_equal, arrays, theirs[name]))
        assert inherited or all(map(np.array_equal, arrays, fresh[name]))
        if inherited:
            same.add(name.partition("/")[0].partition(".")[0])
    assert same == set(kept.split())


# --- own blocks -------------------------------------------------------------------------------------


def test_blocks_of_ones_own(tmp_path, own_blocks):
    (tmp_path / "own.py").write_text(
        "from zero.cells.blocks import block\n"
        "@block('test_block', 'a convolution of our own')\n"
        "def conv(b, x):\n"
        "    return b.relu(b.batch_norm(b.conv(x, b.shape(x)[2] + 1, 3)))\n"
    )
    config = small_cells(
        imports=[str(tmp_path / "own.py")],
        cells={"space": "blocks", "skeleton": {"filters": 2}, "ops": ["test_block", "avg_pool2"]},
        search={"method": "beam"},
        budget={"individuals": 8},
    )
    outcome = run.start(config, tmp_path / "run")
    texts = [r.text for r in all_records(outcome.folder)]
    assert all(text.startswith("blocks[test_block,avg_pool2]: ") for text in texts)
    assert any("test_block" in text.partition(":")[2] for text in texts)
    assert run.resume(tmp_path / "run").program == outcome.program


@pytest.mark.parametrize(
    "build, words",
    [
        (lambda b, x: None, "block 'own' returned None; it must return the layer that it made"),
        (lambda b, x: b.no_layer(x), "block 'own' failed: .*test_blocks.py, line .*AttributeError"),
        (lambda b, x: b.conv(x, 4, 99, pad="valid"), "block 'own' failed: .*test_blocks.py, line"),
    ],
)
def test_faults_of_own_blocks_are_told_with_their_place(build, words, own_blocks):
    block("own", "of ours")(build)
    with pytest.raises(NetworkError, match=words) as raised:
        check_block("own")
    assert "\n" not in str(raised.value)
    assert "test_blocks.py" in str(raised.value)


def test_a_dense_block_must_stay_one(own_blocks):
    block("own", "of ours", dense=True)(lambda b, x: 0)
    with pytest.raises(NetworkError, match=r"must be \(1, 1, width\)"):
        check_block("own")


def test_names_of_blocks(own_blocks):
    for name, words in (("end", "cannot name a block"), ("a b", "cannot"), ("conv3", "already")):
        with pytest.raises(NetworkError, match=words):
            block(name, "of ours")(lambda b, x: x)
    with pytest.raises(NetworkError, match="did you mean 'conv3'"):
        get_block("konv3")

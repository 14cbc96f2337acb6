"""Ops of cells: every registered op keeps the contract; bodies are the published ones."""

import re

import pytest
from commands import zero_

from zero.cells import ops
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.ops import CELL_OPS, DARTS, ENAS, RULES, SLIM, cell_op, factorized_reduction
from zero.cells.spaces import get_space
from zero.cells.text import parse_genome
from zero.errors import NetworkError
from zero.nn.network import Builder

SIZES = [(8, 8), (7, 7), (1, 1), (2, 3), (5, 1)]


@pytest.fixture
def own_cell_ops():
    """Ops registered by a test are gone after it."""
    before = dict(CELL_OPS)
    yield
    CELL_OPS.clear()
    CELL_OPS.update(before)
    get_space.cache_clear()


def built(name, rules=SLIM, shape=(8, 8, 16), channels=16, stride=1):
    """Returns (builder, output) of one op."""
    b = Builder(shape)
    return b, CELL_OPS[name].build(b, 0, channels, stride, rules)


def weights(name, rules=SLIM, **options):
    """Returns the number of parameters of one op."""
    b, y = built(name, rules, **options)
    return sum(p.size for p in b.network(y).parameters)


def kinds(name, rules=SLIM, **options):
    return [layer.kind for layer in built(name, rules, **options)[0].layers[1:]]


@pytest.mark.parametrize("rules", RULES.values(), ids=list(RULES))
@pytest.mark.parametrize("name", list(CELL_OPS))
def test_every_op_makes_the_wanted_shape(name, rules):
    for height, width in SIZES:
        for stride in (1, 2):
            for before, channels in ((8, 8), (12, 8), (3, 1)):
                b, y = built(name, rules, (height, width, before), channels, stride)
                assert b.shape(y) == (-(-height // stride), -(-width // stride), channels)


@pytest.mark.parametrize("name", list(CELL_OPS))
def test_every_op_is_described_and_names_layers_once(name):
    b, _ = built(name)
    assert len({layer.name for layer in b.layers}) == len(b.layers)
    op = CELL_OPS[name]
    assert op.name == name and op.description
    assert op.identity == (name in ("id", "skip_connect"))


def test_unknown_op_names_the_nearest():
    with pytest.raises(NetworkError, match="unknown op 'sepp3'; did you mean 'sep3'"):
        ops.get_cell_op("sepp3")


# --- bodies (counts: nas.md, section a; c = 16) ---------------------------------------------------


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_separable_convolution_is_applied_twice(kernel):
    c = 16
    assert weights(f"sep{kernel}") == 2 * (kernel * kernel * c + c * c + 2 * c)
    one = ["relu", "depthwise", "conv", "batch_norm"]
    assert kinds(f"sep{kernel}", stride=2) == one + one
    b, _ = built(f"sep{kernel}", stride=2)
    assert [layer.stride for layer in b.layers if layer.kind == "depthwise"] == [2, 1]


@pytest.mark.parametrize("kernel", [3, 5])
def test_dilated_separable_convolution_is_applied_once(kernel):
    c = 16
    assert weights(f"dil{kernel}") == kernel * kernel * c + c * c + 2 * c
    b, _ = built(f"dil{kernel}", DARTS)
    (depthwise,) = [layer for layer in b.layers if layer.kind == "depthwise"]
    assert depthwise.dilation == 2
    assert depthwise.pad == (kernel - 1,) * 4  # PyTorch's padding of 2 and 4
    assert weights("dil_sep5") == weights("sep5")


def test_pools_and_identity_have_no_parameters():
    for name in ("avg3", "max2", "max3", "max5", "max7", "min3", "id", "none"):
        assert weights(name) == 0
    assert kinds("id") == []
    # Other channels: pooling is followed by a convolution without ReLU, an identity becomes one.
    assert kinds("avg3", channels=8) == ["avg_pool", "conv", "batch_norm"]
    assert kinds("id", channels=8) == ["relu", "conv", "batch_norm"]


def test_strided_identity_is_another_layer_in_each_family():
    c = 16
    assert kinds("id", SLIM, stride=2) == ["relu", "conv", "batch_norm"]
    assert kinds("id", DARTS, stride=2) == ["relu", "conv", "conv", "concat", "batch_norm"]
    assert kinds("id", ENAS, stride=2) == ["conv", "conv", "concat", "batch_norm"]
    for rules in (SLIM, DARTS, ENAS):
        assert weights("id", rules, stride=2) == c * c + 2 * c


def test_max_pool_pads_as_its_family_does():
    """Stride 2 on an even size: TensorFlow pads below and right only, PyTorch on all sides."""
    pads = {}
    for rules in (SLIM, DARTS):
        b, y = built("max3", rules, stride=2)
        pads[rules.name] = b.layers[y].pad
    assert pads == {"slim": (0, 1, 0, 1), "darts": (1, 1, 1, 1)}


def test_convolutions_have_bottlenecks_but_in_darts():
    c = 16
    ends = c * c // 4 + c // 2 + c * c // 4 + 2 * c  # 1x1 to c / 4 and back, with batch norm
    assert weights("3x3") == ends + 9 * c * c // 16 + c // 2
    assert weights("1x7_7x1") == ends + 2 * (7 * c * c // 16 + c // 2)
    assert weights("3x3", DARTS) == 9 * c * c + 2 * c
    assert weights("1x7_7x1", DARTS) == 2 * 7 * c * c + 2 * c
    assert kinds("1x7_7x1", DARTS) == ["relu", "conv", "conv", "batch_norm"]
    wide = 6  # 1x3_3x1 works at 3 / 8 of the channels
    assert weights("1x3_3x1") == (
        2 * (c * wide) + 2 * (3 * wide * wide + 2 * wide) + 2 * wide + 2 * c
    )
    assert kinds("3x3", channels=2, shape=(8, 8, 2)) == ["relu", "conv", "batch_norm"]  # no quarter


def test_factorized_reduction_sees_every_second_pixel_twice():
    for shape in ((8, 8, 6), (7, 5, 6), (1, 1, 6)):
        b = Builder(shape)
        y = factorized_reduction(b, 0, 4)
        assert b.shape(y) == (-(-shape[0] // 2), -(-shape[1] // 2), 4)
        first, second = (layer for layer in b.layers if layer.kind == "conv")
        assert first.pad == (0, 0, 0, 0) and second.pad[0] == second.pad[2] == -1
        assert sum(p.size for p in b.network(y).parameters) == 6 * 4 + 2 * 4
    b = Builder((8, 8, 6))
    assert b.shape(factorized_reduction(b, 0, 5))[2] == 5  # odd: 2 and 3


# --- a user's own op ------------------------------------------------------------------------------


def test_own_op_needs_one_registration(own_cell_ops):
    @cell_op("conv9", "9x9 convolution")
    def conv9(b, x, channels, stride, rules):
        return b.batch_norm(b.conv(b.relu(x), channels, 9, stride, pad=rules.pad(9)))

    space = "amoebanet[conv9,id]"
    genome = parse_genome(
        f"{space}: normal conv9(cur)+id(prev) id(n1)+id(cur) id(n2)+id(n1) id(n3)+id(n3) "
        "conv9(n4)+id(n4)"
    )
    assert parse_genome(str(genome)) == genome
    for kind in ("slim_cifar", "darts", "enas"):
        network = build_network(genome, Skeleton(kind, 1, 4), (8, 8, 1), 10)
        assert any(layer.kernel == (9, 9) for layer in network.layers)


def test_own_op_of_a_wrong_shape_is_told(own_cell_ops):
    @cell_op("shrinks", "forgets the stride")
    def shrinks(b, x, channels, stride, rules):
        return b.conv(x, channels, 3, pad="valid")

    node = "shrinks(cur)+shrinks(prev)"
    genome = parse_genome(f"amoebanet[shrinks]: normal {' '.join([node] * 5)}")
    with pytest.raises(NetworkError, match="op 'shrinks' made a layer of"):
        build_network(genome, Skeleton("darts", 1, 4))


FAULTS = {
    "b.relu6(x)": "AttributeError: 'Builder' object has no attribute 'relu6'",
    "b.conv(x, channels / 2, 1, stride)": "TypeError: 'float' object cannot be",
    "b.conv(x, channels, 1, 1)": r"made a layer of \(9, 8, 4\); it must be \(5, 4, 4\)",
    "b.relu(x) and None": "returned None",
    "b.add(x, b.conv(x, 1))": "cannot add layers of different shapes",
    "exit(3)": "SystemExit: 3",
    "1 // 0": "ZeroDivisionError",
}


@pytest.mark.parametrize("body, told", FAULTS.items())
def test_a_fault_of_an_own_op_is_one_line_of_every_command(body, told, tmp_path, own_cell_ops):
    file, config = tmp_path / "my.py", tmp_path / "own.yaml"
    file.write_text(
        "from zero.cells.ops import cell_op\n\n\n@cell_op('mine', 'faulty')\n"
        f"def mine(b, x, channels, stride, rules):\n    return {body}\n"
    )
    config.write_text(
        "imports: [my.py]\nbackend: reference\ncells: {ops: [mine, id], images: {source: digits}}\n"
        "budget: {individuals: 2}\nsearch: {population: 2, tournament: 2}\n"
    )
    cell = "amoebanet[mine,id]: normal " + 5 * "mine(cur)+id(prev) "
    place = "line [46]"  # of the function, or of what raised
    for command in (
        ("validate", config),
        ("run", config, "--out", tmp_path / "run", "--quiet"),
        ("train", cell, config, "--out", tmp_path / "train", "--quiet"),
    ):
        _, err = zero_(*command, code=1)
        assert err.count("\n") == 1
        assert re.search(f"op 'mine' .*{told}", err) and re.search(f"{file}, {place}", err)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "text", ["import sys; sys.exit(0)", "x = (", "1 // 0", "from zero import y"]
)
def test_a_fault_of_an_imported_file_is_one_line(text, tmp_path):
    (tmp_path / "my.py").write_text(f"\n{text}\n")
    config = tmp_path / "own.yaml"
    config.write_text("imports: [my.py]\nbudget: {seconds: 1}\ncells: {images: {source: digits}}\n")
    _, err = zero_("validate", config, code=1)
    assert err.count("\n") == 1 and f"{tmp_path / 'my.py'}, line 2: " in err


@pytest.mark.parametrize("name", ["sep3", "two words", "a(b)", "", "out", "a+b"])
def test_own_op_with_a_bad_or_taken_name(name, own_cell_ops):
    with pytest.raises(NetworkError, match=r"cannot name|already"):
        cell_op(name, "bad")(lambda *_: 0)

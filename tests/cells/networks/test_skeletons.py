"""Skeletons: every genome builds in every skeleton that it fits, at any size that holds it."""

from collections import Counter

import pytest
from cells_helpers import SMALL, SPACE_NAMES, genomes, small, smallest_side

from zero.cells.forms.graph import GraphCell
from zero.cells.forms.pair import PairCell
from zero.cells.networks.build import build_network
from zero.cells.networks.nas_bench import vertex_channels
from zero.cells.networks.skeletons import SKELETONS, Skeleton, skeletons_of
from zero.cells.published import PUBLISHED, get_published
from zero.cells.text import parse_genome
from zero.errors import NetworkError

PAIR_KINDS = [name for name, kind in SKELETONS.items() if kind.form is PairCell]
CIFAR_KINDS = [name for name in PAIR_KINDS if "imagenet" not in name]


def cells_of(network):
    """Returns {cell's name: shape of its last layer}, in order."""
    return {
        layer.name.split("/")[0]: layer.shape for layer in network.layers if "cell" in layer.name
    }


def options(kind, **more):
    pair = SKELETONS[kind].form is PairCell
    return Skeleton(kind, 1, 6, stem_filters=8, auxiliary=pair, drop_path=pair, **more)


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_every_genome_builds_and_no_layer_is_idle(name):
    for genome in genomes(name, 8):
        for kind in skeletons_of(genome):
            side = smallest_side(genome)
            sizes = [(32, 32, 3), (side, side, 1), (side + 1, side + 3, 2)]
            sizes = [(64, 64, 3)] if "imagenet" in kind else sizes
            for shape in sizes:
                network = build_network(genome, options(kind), shape, 5)
                read = {i for layer in network.layers for i in layer.inputs}
                ends = {network.output, network.auxiliary}
                idle = [x.name for i, x in enumerate(network.layers) if i not in read | ends]
                # The images are not read by cells that are all zeros.
                assert idle in ([], ["input"])
                assert all(i < n for n, x in enumerate(network.layers) for i in x.inputs)
                assert len({x.name for x in network.layers}) == len(network.layers)
                assert network.classes == 5


@pytest.mark.parametrize("kind", CIFAR_KINDS)
def test_two_reductions_halve_the_image_and_double_the_channels(kind):
    skeleton = Skeleton(kind, 2, 6)
    shapes = list(cells_of(build_network(small(), skeleton)).values())
    assert len(shapes) == skeleton.cells == (6 if kind == "pnasnet" else 8)
    first, second = skeleton.reductions
    assert (first, second) == ((2, 4) if kind == "pnasnet" else (2, 5))
    for number, (height, width, channels) in enumerate(shapes):
        halved = (number >= first) + (number >= second)
        assert height == width == 32 >> halved
        assert channels % (6 << halved) == 0


def test_reduction_cells_are_the_genomes_reduction_cell():
    genome = get_published("amoebanet_a").genome
    plain = build_network(genome, Skeleton("slim_cifar", 1, 8))
    swapped = build_network(
        parse_genome(f"amoebanet: normal {genome.normal}; reduction {genome.normal}"),
        Skeleton("slim_cifar", 1, 8),
    )
    by_cell = []
    for network in (plain, swapped):
        kinds = Counter()
        for layer in network.layers:
            kinds[layer.name.split("/")[0], layer.kind] += 1
        by_cell.append(kinds)
    assert {k: v for k, v in by_cell[0].items() if k[0] == "cell2"} == {
        k: v for k, v in by_cell[1].items() if k[0] == "cell2"
    }
    assert {k: v for k, v in by_cell[0].items() if k[0] == "cell1"} != {
        k: v for k, v in by_cell[1].items() if k[0] == "cell1"
    }


def test_only_ops_that_read_cell_inputs_are_strided():
    network = build_network(
        small(text=SMALL.replace("max3(n1)", "max3(n1)").replace("sep5(n3)", "max3(n3)")),
        Skeleton("slim_cifar", 1, 8),
    )
    strides = {x.name: x.stride for x in network.layers if x.name.startswith("cell1/")}
    assert strides["cell1/n2/a/max_pool"] == 1 and strides["cell1/n4/a/max_pool"] == 1
    assert strides["cell1/n1/a/depthwise"] == 2 and strides["cell1/n1/a/depthwise2"] == 1
    assert strides["cell1/n2/b/avg_pool"] == 2


def test_prev_after_a_reduction_is_the_larger_cell_before_it():
    """It is brought to size by a factorised reduction."""
    network = build_network(small(), Skeleton("slim_cifar", 1, 8))
    layers = {x.name: x for x in network.layers}
    first = layers["cell2/prev/conv"]
    assert first.stride == 2 and layers["cell2/prev/conv2"].pad[0] == -1
    source = network.layers[network.layers[first.inputs[0]].inputs[0]]
    assert source.name.startswith("cell0/")
    assert layers["cell3/prev/conv"].stride == 1


def test_calibration_of_the_families():
    """slim leaves prev alone where it fits; darts never does; enas calibrates cur twice."""

    def named(kind):
        found = build_network(get_published("nasnet_a").genome, Skeleton(kind, 3, 8)).layers
        return [x.name for x in found if x.kind == "conv"]

    nasnet = named("slim_cifar")
    assert "cell0/prev/conv" not in nasnet and "cell1/prev/conv" in nasnet  # stem: 3F channels
    assert "cell0/cur/conv" in nasnet and "cell0/cur/conv2" not in nasnet
    assert "cell0/prev/conv" in named("darts")
    assert "cell0/cur/conv2" in named("enas") and "cell0/prev/conv" in named("enas")


def test_same_place_has_the_same_name_in_other_genomes():
    """Weights are inherited by name: an op changed elsewhere renames nothing."""
    one = build_network(small(), Skeleton("slim_cifar", 1, 8))
    text = SMALL.replace("avg3(cur)", "max3(cur)")
    two = build_network(small(text=text), Skeleton("slim_cifar", 1, 8))
    assert [p.name for p in one.parameters] == [p.name for p in two.parameters]
    text = SMALL.replace("dil3(n1)", "sep3(n1)")
    three = build_network(small(text=text), Skeleton("slim_cifar", 1, 8))
    names = {p.name for p in one.parameters}
    kept = [p.name for p in three.parameters if p.name in names]
    assert all(n in {*kept} for n in names if "/n3/b/" not in n)


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CIFAR_KINDS)
@pytest.mark.parametrize("name", ["nasnet_a", "amoebanet_c", "darts_v2"])
def test_small_images_work_down_to_what_two_halvings_leave(kind, name):
    genome = get_published(name).genome
    for side in (3, 4, 5, 28):
        network = build_network(genome, Skeleton(kind, 1, 4, auxiliary=True), (side, side, 1))
        assert min(min(x.shape) for x in network.layers) >= 1
    for shape in ((2, 2, 1), (1, 1, 1), (2, 28, 1)):
        with pytest.raises(NetworkError, match="cannot be halved; use larger images"):
            build_network(genome, Skeleton(kind, 1, 4), shape)


def test_too_deep_for_the_image_is_told_with_its_size():
    with pytest.raises(NetworkError, match=r"slim_imagenet on images of 16 x 16 x 3: .*halved"):
        build_network(small(), Skeleton("slim_imagenet", 1, 8), (16, 16, 3))
    with pytest.raises(
        NetworkError, match=r"slim_imagenet on images of 2 x 2 x 3: .*nothing is left"
    ):
        build_network(small(), Skeleton("slim_imagenet", 1, 8), (2, 2, 3))
    for name in ("nas_bench_101_inception", "nas_bench_201_conv3x3"):
        cell = get_published(name)
        build_network(cell.genome, Skeleton(cell.preset, 1, 8), (3, 3, 1))
        with pytest.raises(NetworkError, match="halved"):
            build_network(cell.genome, Skeleton(cell.preset, 1, 8), (2, 2, 1))


@pytest.mark.parametrize(
    "shape, classes, told",
    [((8, 8, 1), 1, "1 class; "), ((8, 8, 1), 0, "0 classes"), ((8, 8), 2, "height, width, channels"),
     ((8, 0, 1), 2, "height, width, channels")],
)  # fmt: skip
def test_bad_images_and_classes(shape, classes, told):
    with pytest.raises(NetworkError, match=told):
        build_network(small(), Skeleton(), shape, classes)


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"kind": "slim_cifr"}, "did you mean 'slim_cifar'"),
        ({"normal_cells": -1}, "normal_cells is -1"),
        ({"normal_cells": 1.5}, "normal_cells is 1.5"),
        ({"filters": 0}, "filters is 0"),
        ({"filters": True}, "filters is True"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"layers": 8}, "layers must be 0"),
        ({"kind": "darts", "layers": 2}, "too few cells"),
        ({"kind": "pnasnet", "normal_cells": 0}, "too few cells"),
    ],
)
def test_bad_skeletons(settings, told):
    with pytest.raises(NetworkError, match=told):
        Skeleton(**settings)


def test_genome_and_skeleton_must_fit():
    with pytest.raises(
        NetworkError, match="does not fit the skeleton nas_bench_201; use one of: slim"
    ):
        build_network(small(), Skeleton("nas_bench_201"))
    with pytest.raises(NetworkError, match="no auxiliary head"):
        genome = get_published("nas_bench_201_skip").genome
        build_network(genome, Skeleton("nas_bench_201", auxiliary=True))


def test_resized():
    assert Skeleton("slim_cifar", 6, 32).resized(filters=8) == Skeleton("slim_cifar", 6, 8)
    assert Skeleton("slim_cifar", 6, 32).resized(layers=11) == Skeleton("slim_cifar", 3, 32)
    assert Skeleton("pnasnet", 3, 48).resized(layers=12) == Skeleton("pnasnet", 4, 48)
    assert Skeleton("enas", 2).resized(layers=15) == Skeleton("enas", 2).resized(layers=17)
    darts = Skeleton("darts", 6, 36).resized(layers=8)
    assert darts.cells == 8 and darts.reductions == (2, 5)
    assert darts.resized(normal_cells=6).reductions == (6, 13)
    assert Skeleton("darts", layers=14).reductions == (4, 9)
    for skeleton, sizes in (
        (Skeleton(), {"layers": 9}),
        (Skeleton("pnasnet"), {"layers": 11}),
        (Skeleton("nas_bench_201"), {"layers": 9}),
        (Skeleton(), {"normal_cells": 3, "layers": 11}),
    ):
        with pytest.raises(NetworkError):
            skeleton.resized(**sizes)


# --- heads, drop path, dropout --------------------------------------------------------------------


@pytest.mark.parametrize("kind", PAIR_KINDS)
def test_auxiliary_head_comes_last_and_reads_where_the_paper_has_it(kind):
    shape = (64, 64, 3) if "imagenet" in kind else (32, 32, 3)
    network = build_network(small(), Skeleton(kind, 2, 8, auxiliary=True), shape, 7)
    names = [layer.name for layer in network.layers]
    head = [n for n in names if n.startswith("auxiliary/")]
    assert names[-len(head) :] == head and network.auxiliary == len(names) - 1
    assert network.layers[-1].shape == (1, 1, 7)
    source = names[network.layers[names.index("auxiliary/relu")].inputs[0]]
    second = {"pnasnet": 4, "pnasnet_imagenet": 4}.get(kind, 5)
    offset = {"enas": 1}.get(kind, 0 if "darts" in kind else -1)
    assert source.startswith(f"cell{second + offset}/")
    plain = build_network(small(), Skeleton(kind, 2, 8), shape, 7)
    assert network.without_auxiliary == plain


def test_auxiliary_windows():
    """NASNet's on 16x16: 5x5 stride 3 leaves 4x4; DARTS's on 8x8 leaves 2x2; small images fit."""
    for kind, side, window in (
        ("slim_cifar", 32, (4, 4)),
        ("darts", 32, (2, 2)),
        ("slim_cifar", 8, (1, 1)),
        ("darts", 4, (1, 1)),
    ):
        skeleton = Skeleton(kind, 1, 8, auxiliary=True)
        network = build_network(small(), skeleton, (side, side, 3))
        head = [x for x in network.layers if x.name == "auxiliary/conv2"]
        assert head[0].kernel == window and head[0].shape == (1, 1, 768)


def test_drop_path_grows_with_depth_and_spares_identities():
    genome = small()  # ids read prev and nodes
    network = build_network(genome, Skeleton("slim_cifar", 1, 8, drop_path=True))
    rates = {x.name: x.rate for x in network.layers if x.kind == "drop_path"}
    for name, rate in rates.items():
        number = int(name.split("/")[0].removeprefix("cell"))
        assert rate == pytest.approx((number + 1) / 5)
    places = {"/".join(n.split("/")[1:3]) for n in rates}
    assert places == {"n1/a", "n2/a", "n2/b", "n3/b", "n4/a"}
    darts = build_network(genome, Skeleton("darts", 1, 8, drop_path=True))
    found = [x for x in darts.layers if x.kind == "drop_path"]
    assert {x.rate for x in found} == {1.0}
    # A strided identity is a factorised reduction there, which is dropped.
    assert any(x.name.startswith("cell1/n1/b/") for x in found)
    assert not any(x.name.startswith("cell0/n1/b/") for x in found)
    stems = build_network(genome, Skeleton("slim_imagenet", 1, 8, drop_path=True), (64, 64, 3))
    rates = {x.name.split("/")[0]: x.rate for x in stems.layers if x.kind == "drop_path"}
    assert list(rates) == ["stem_cell0", "stem_cell1", *(f"cell{n}" for n in range(5))]
    assert list(rates.values()) == pytest.approx([(n + 1) / 7 for n in range(7)])
    plain = build_network(genome, Skeleton("slim_cifar", 1, 8))
    assert not any(x.kind == "drop_path" for x in plain.layers)


def test_dropout_and_heads():
    for kind, last, before in (
        ("slim_cifar", "linear", "relu"),
        ("darts", "linear", "concat"),
        ("enas", "linear_no_bias", "relu"),
    ):
        genome = get_published("darts_v2").genome
        layers = build_network(genome, Skeleton(kind, 1, 8, dropout=0.2)).layers
        assert [x.kind for x in layers[-4:]] == [before, "global_pool", "dropout", last]
        assert layers[-2].rate == 0.2
        assert build_network(genome, Skeleton(kind, 1, 8)).layers[-2].kind == "global_pool"


def test_batch_norm_of_the_families():
    def batch_norms(name, kind, shape=(64, 64, 3)):
        network = build_network(get_published(name).genome, Skeleton(kind, 1, 8), shape)
        return {(x.epsilon, x.decay) for x in network.layers if x.kind == "batch_norm"}

    assert batch_norms("nasnet_a", "slim_cifar") == {(1e-5, 0.9)}
    assert batch_norms("nasnet_a", "slim_imagenet") == {(1e-3, 0.9997)}
    assert batch_norms("darts_v2", "darts") == {(1e-5, 0.9)}
    assert batch_norms("nas_bench_101_inception", "nas_bench_101") == {(1e-5, 0.997)}


# --- NAS-Benches ----------------------------------------------------------------------------------


def test_channels_of_nas_bench_101_vertices():
    def channels(text, width):
        return vertex_channels(parse_genome(f"nas_bench_101: {text}").normal.pruned, width)[1:]

    c3 = "conv3x3-bn-relu"
    inception = get_published("nas_bench_101_inception").genome.normal
    assert vertex_channels(inception, 128)[1:] == [32, 32, 32, 32, 32]
    # Three outputs share 128 as 43, 43, 42; a vertex that feeds others takes the widest of them.
    assert channels(f"{c3}(in) {c3}(in) {c3}(in) out(n1,n2,n3)", 128) == [43, 43, 42]
    assert channels(f"{c3}(in) {c3}(n1) {c3}(n1) out(n2,n3)", 9) == [5, 5, 4]


def test_extra_channels_are_cut_and_input_is_projected():
    c3 = "conv3x3-bn-relu"
    genome = parse_genome(f"nas_bench_101: {c3}(in) {c3}(n1) {c3}(in,n1) out(in,n2,n3)")
    network = build_network(genome, Skeleton("nas_bench_101", 1, 9))
    layers = {x.name: x for x in network.layers}
    assert layers["cell0/n3/slice"].shape[2] == 4  # of five
    assert layers["cell0/n3/in/conv"].kernel == (1, 1)
    assert layers["cell0/out/conv"].shape[2] == 9  # the output's projected input, added
    with pytest.raises(NetworkError, match="too few"):
        build_network(genome, Skeleton("nas_bench_101", 1, 1))


def test_vertices_off_every_path_are_left_out():
    c3 = "conv3x3-bn-relu"
    full = parse_genome(f"nas_bench_101: {c3}(in) {c3}() maxpool3x3(n1) {c3}(n1,n2) out(n4)")
    lean = parse_genome(f"nas_bench_101: {c3}(in) {c3}(n1) out(n2)")
    assert isinstance(full.normal, GraphCell)
    skeleton = Skeleton("nas_bench_101", 1, 8)
    assert build_network(full, skeleton) == build_network(lean, skeleton)


def test_nas_bench_201_without_a_path_is_zeros():
    genome = parse_genome("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    network = build_network(genome, Skeleton("nas_bench_201", 1, 4), (8, 8, 1))
    assert Counter(x.kind for x in network.layers)["zero"] == 3


def test_published_cells_fit_every_skeleton_of_their_form():
    for cell in PUBLISHED.values():
        for kind in skeletons_of(cell.genome):
            shape = (64, 64, 3) if "imagenet" in kind else (16, 16, 3)
            build_network(cell.genome, options(kind), shape)

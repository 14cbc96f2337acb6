"""Networks that every backend must run as the reference does; see nn_cases.py for the comparison.

`NETWORKS` lists (name, function that makes the network): every kind of layer in many settings.
`CELLS` lists random genomes' networks the same way, `PUBLISHED` names published cells.
"""

from zero.nn.network import Builder
from zero.rng.philox import key_for

CHANNELS = (3, 5, 8, 12, 16, 20, 24, 48)
NETWORKS = []


def pick(n, *purpose):
    """Returns an integer below n, named by words and numbers."""
    return key_for(11, *purpose) % n


UNRECORDED = set()  # names of cases of which PyTorch's values are not in the recordings


def network_case(shape, head="flat", classes=4, recorded=True):
    """Registers a function (builder, images) -> last layer as a case; adds the head.

    Head "flat" reads every pixel by its own weights, "pool" through a global mean. recorded: whether
    `record_torch.py` has recorded what PyTorch makes of it.
    """

    def register(body):
        def make():
            b = Builder(shape)
            x = body(b, 0)
            return b.network(b.linear(x if head == "flat" else b.global_pool(x), classes))

        NETWORKS.append((body.__name__, make))
        if not recorded:
            UNRECORDED.add(body.__name__)
        return body

    return register


# One layer in each of its settings.

WINDOWS = {  # kernel, stride, dilation, pad, image
    "1x1": (1, 1, 1, "same", (5, 7)),
    "1x1_stride_2": (1, 2, 1, "valid", (5, 7)),
    "1x1_second_pixels": (1, 2, 1, (-1, 1, -1, 1), (8, 8)),
    "1x1_second_pixels_odd": (1, 2, 1, (-1, 1, -1, 1), (5, 7)),
    "3x3": (3, 1, 1, "same", (5, 7)),
    "3x3_stride_2": (3, 2, 1, "same", (8, 8)),
    "3x3_stride_2_odd": (3, 2, 1, "same", (5, 7)),
    "3x3_stride_2_symmetric": (3, 2, 1, "symmetric", (8, 8)),
    "3x3_dilated": (3, 1, 2, "same", (5, 7)),
    "5x5_dilated_stride_2": (5, 2, 2, "symmetric", (8, 8)),
    "5x5_stride_2": (5, 2, 1, "same", (8, 8)),
    "7x7": (7, 1, 1, "same", (5, 7)),
    "7x7_stride_2": (7, 2, 1, "same", (9, 8)),
    "1x7": ((1, 7), 1, 1, "same", (5, 7)),
    "7x1": ((7, 1), 1, 1, "same", (5, 7)),
    "1x7_stride_2": ((1, 7), 2, 1, "same", (8, 9)),
    "1x3_stride_2": ((1, 3), 2, 1, "same", (8, 8)),
    "4x4_valid": (4, 1, 1, "valid", (4, 5)),
    "3x3_uneven_pads": (3, 1, 1, (2, -1, -1, 3), (5, 7)),
    "3x3_pads_at_two_sides": (3, 1, 1, (2, 0, 0, 2), (5, 7)),
    "2x2_stride_2": (2, 2, 1, "valid", (5, 7)),
    "3x3_stride_3": (3, 3, 1, "valid", (8, 8)),
    "one_pixel": (3, 1, 1, "same", (1, 1)),
}


def _window_networks():
    for name, (kernel, stride, dilation, pad, image) in WINDOWS.items():

        def conv(kernel=kernel, stride=stride, dilation=dilation, pad=pad, image=image):
            b = Builder((*image, 3))
            x = b.batch_norm(b.conv(b.conv(0, 5), 12, kernel, stride, dilation, pad))
            return b.network(b.linear(b.conv(b.relu(x), 4), 4))

        def depthwise(kernel=kernel, stride=stride, dilation=dilation, pad=pad, image=image):
            b = Builder((*image, 3))
            x = b.depthwise(b.relu(b.conv(0, 12)), kernel, stride, dilation, pad)
            y = b.depthwise(b.conv(0, 5), kernel, stride, dilation, pad)  # without relu
            return b.network(b.linear(b.concat(b.batch_norm(b.conv(x, 8)), y), 4))

        def pools(kernel=kernel, stride=stride, pad=pad, image=image):
            b = Builder((*image, 3))
            x = b.batch_norm(b.conv(0, 5))
            kinds = ("max", "min", "avg")
            xs = [b.pool(kind, x, kernel, stride, pad) for kind in kinds]
            # of rectified values many are 0: which one of equals counts?
            xs += [b.pool(kind, b.relu(x), kernel, stride, pad) for kind in kinds]
            return b.network(b.linear(b.concat(*xs), 4))

        NETWORKS.append((f"conv_{name}", conv))
        NETWORKS.append((f"depthwise_{name}", depthwise))
        # No op dilates a pool or crops for one; only the reference has that.
        if dilation == 1 and (isinstance(pad, str) or min(pad) >= 0):
            NETWORKS.append((f"pools_{name}", pools))


_window_networks()


# Building blocks of cells.


def unit(b, x, channels, kernel=1, stride=1):
    """ReLU, convolution, batch norm."""
    return b.batch_norm(b.conv(b.relu(x), channels, kernel, stride))


def separable(b, x, channels, kernel=3, stride=1, dilation=1):
    """ReLU, depthwise, pointwise, batch norm."""
    x = b.depthwise(b.relu(x), kernel, stride, dilation)
    return b.batch_norm(b.conv(x, channels))


def factorised(b, x, channels):
    """Halves the size: two stride-2 subsamplings, the second shifted by a pixel."""
    x = b.relu(x)
    height, width, _ = b.shape(x)
    first = b.conv(x, channels // 2, 1, 2, pad="valid")
    second = b.conv(x, channels - channels // 2, 1, 2, pad=(-1, height % 2, -1, width % 2))
    return b.batch_norm(b.concat(first, second))


def _channel_networks():
    for channels in CHANNELS:

        def make(channels=channels):
            b = Builder((5, 7, 3))
            x = b.batch_norm(b.conv(0, channels, 3))
            y = separable(b, separable(b, x, channels, 5), channels, 3, stride=2)
            z = b.pool("max", x, 3, 2)
            w = b.pool("avg", unit(b, x, channels), 3, 2)
            return b.network(b.linear(b.global_pool(b.relu(b.add(y, z, w))), 4))

        NETWORKS.append((f"channels_{channels}", make))


_channel_networks()


# Layers read by several others, and sums and concatenations of all sorts.


@network_case((8, 8, 3))
def relu_read_by_several(b, x):
    x = b.relu(b.conv(x, 8, 3))
    return b.add(b.conv(x, 8), b.depthwise(x, 3), b.pool("max", x, 3), x)


@network_case((8, 8, 3))
def batch_norm_read_by_several(b, x):
    x = b.batch_norm(b.conv(x, 8, 3))
    return b.concat(separable(b, x, 8), b.pool("avg", x, 3), x, unit(b, x, 5), b.conv(x, 3))


@network_case((5, 7, 3), head="pool")
def two_relus_of_one_layer(b, x):
    x = b.batch_norm(b.conv(x, 5))
    return b.add(separable(b, x, 5), separable(b, x, 5, 5), b.relu(x))


@network_case((5, 7, 5))
def sum_read_by_sum_and_conv(b, x):
    x = b.add(b.conv(x, 5), b.conv(x, 5, 3))
    return b.add(x, b.conv(x, 5, 3), unit(b, x, 5))


@network_case((5, 7, 5))
def sum_of_one_layer_twice(b, x):
    x = b.batch_norm(b.conv(x, 8))
    return b.add(b.add(x, x), b.pool("max", x, 3), x)


@network_case((5, 7, 5))
def sum_of_one_pool_twice(b, x):
    x = b.pool("avg", b.conv(x, 8), 3)
    return b.add(x, x)


@network_case((8, 8, 5), head="pool")
def concat_of_concats(b, x):
    x, y = unit(b, x, 3), unit(b, x, 5)
    inner = b.concat(x, y, x)
    return unit(b, b.concat(inner, b.concat(y, inner), b.pool("max", x, 3)), 8)


@network_case((8, 8, 5))
def concat_read_by_pools_and_batch_norm(b, x):
    x = b.concat(b.conv(x, 3), b.conv(x, 5, 3))
    return b.add(b.pool("max", x, 3), b.pool("min", x, 3), b.batch_norm(x), b.depthwise(x, 3))


@network_case((5, 7, 5))
def batch_norm_of_sum_of_pools(b, x):
    return b.batch_norm(b.relu(b.add(b.pool("avg", x, 3), b.pool("max", x, 5))))


@network_case((5, 7, 5))
def batch_norm_twice(b, x):
    return b.batch_norm(b.relu(b.batch_norm(b.batch_norm(b.conv(x, 8)))))


@network_case((5, 7, 5), head="pool")
def relu_twice_and_chained_sums(b, x):
    x = b.relu(b.relu(b.add(b.add(unit(b, x, 5), x), b.add(x, unit(b, x, 5, 3)))))
    return b.relu(b.concat(x, b.conv(x, 3)))


@network_case((5, 7, 5))
def zeros_only(b, x):
    x = b.conv(x, 8)
    return b.add(b.zero(x, (5, 7, 8)), b.zero(x, (5, 7, 8)))


@network_case((8, 8, 5))
def zeros_among_others(b, x):
    x = unit(b, x, 8)
    zeros = b.zero(x, (4, 4, 8))
    y = b.add(zeros, b.pool("avg", x, 2, 2), zeros)
    return b.concat(y, b.batch_norm(b.conv(b.relu(zeros), 5)), b.pool("max", zeros, 3))


@network_case((5, 7, 5))
def first_channels(b, x):
    x = b.conv(x, 12, 3)
    y = b.first_channels(x, 5)
    z = b.first_channels(b.relu(b.batch_norm(x)), 5)
    return b.add(y, z, unit(b, y, 5), unit(b, b.first_channels(b.concat(x, y), 16), 5))


@network_case((8, 8, 3), head="pool")
def factorised_reductions(b, x):
    x = factorised(b, unit(b, x, 8), 12)
    return factorised(b, x, 5)


@network_case((7, 5, 3))
def factorised_reduction_of_odd_size(b, x):
    return factorised(b, b.conv(x, 5), 8)


@network_case((8, 8, 3), head="pool")
def drop_paths(b, x):
    x = b.batch_norm(b.conv(x, 8, 3))
    branches = [separable(b, x, 8), unit(b, x, 8), b.pool("max", x, 3), separable(b, x, 8, 5)]
    dropped = [b.drop_path(y, 0.5) for y in branches]
    y = b.add(dropped[0], dropped[1], x)
    return b.add(b.drop_path(separable(b, y, 8), 1.0), dropped[2], dropped[3], dropped[2])


@network_case((5, 7, 3))
def dropout_of_pixels(b, x):
    x = b.dropout(unit(b, b.dropout(x, 0.25), 8), 0.25)
    return b.add(x, b.conv(b.relu(b.dropout(b.conv(x, 8), 0.25)), 8))


@network_case((5, 7, 3), head="pool")
def linear_between_others(b, x):
    x = b.linear(b.global_pool(unit(b, x, 8)), 12, bias=False)
    return b.dropout(b.relu(b.batch_norm(x)), 0.25)


@network_case((1, 1, 20))
def one_pixel_multilayer(b, x):
    return b.relu(b.linear(b.relu(b.linear(x, 24, bias=False)), 16, bias=False))


@network_case((28, 28, 1), head="pool", classes=10)
def fashion_sized(b, x):
    x = b.batch_norm(b.conv(x, 24, 3))
    y = b.concat(separable(b, x, 16, 5, 2), b.pool("max", x, 3, 2))
    return b.relu(b.add(separable(b, y, 20, 7, 2), factorised(b, y, 20)))


@network_case((28, 28, 3), head="pool", classes=10)
def bottlenecks(b, x):
    x = b.batch_norm(b.conv(x, 16, 3, 2))
    y = unit(b, unit(b, unit(b, unit(b, x, 4), 4, (1, 7)), 4, (7, 1), 1), 16)
    return b.add(y, b.pool("avg", x, 3), unit(b, unit(b, x, 16, (1, 3), 1), 16, (3, 1)))


def _auxiliary(pool_first):
    b = Builder((8, 8, 3))
    x = b.relu(unit(b, b.conv(0, 8, 3), 8, 3))
    y = b.pool("max", x, 3, 2) if pool_first else unit(b, x, 8, 3, 2)
    logits = b.linear(b.dropout(b.global_pool(b.relu(separable(b, y, 8))), 0.25), 5)
    z = b.pool("avg", b.relu(x), 5, 3, "valid")
    z = b.relu(b.batch_norm(b.conv(z, 12)))
    z = b.relu(b.batch_norm(b.conv(z, 16, b.shape(z)[:2], pad="valid")))
    return b.network(logits, b.linear(z, 5))


NETWORKS.append(("auxiliary_head", lambda: _auxiliary(False)))
NETWORKS.append(("auxiliary_head_after_pool", lambda: _auxiliary(True)))


def random_network(seed, shape=(8, 8, 3)):
    """Returns a network of two cells of random ops on random earlier layers, the second halved."""
    b = Builder(shape)
    width = CHANNELS[pick(len(CHANNELS), seed, "width")]
    old = new = b.batch_norm(b.conv(0, width, 3))
    for cell in range(2):
        stride = 1 + cell
        nodes = [unit(b, old, width), unit(b, new, width)]
        for node in range(4):
            pair = []
            for side in range(2):
                place = (seed, cell, node, side)
                source = pick(len(nodes), "source", *place)
                reach = stride if source < 2 else 1
                pair.append(_random_op(b, nodes[source], width, reach, place))
            nodes.append(b.add(*pair))
        old, new = new, b.concat(*nodes[2:])
        if cell == 0:
            old = b.first_channels(new, width)
    return b.network(b.linear(b.global_pool(b.relu(new)), 6))


def _random_op(b, x, width, stride, place):
    ops = [
        lambda: separable(b, x, width, 3, stride),
        lambda: separable(b, separable(b, x, width, 5, stride), width, 5),
        lambda: separable(b, x, width, 3, stride, dilation=2),
        lambda: b.pool("max", x, 3, stride),
        lambda: b.pool("min", x, 3, stride),
        lambda: b.pool("avg", x, 3, stride),
        lambda: x if stride == 1 else factorised(b, x, width),
        lambda: unit(b, x, width, 3, stride),
        lambda: unit(b, unit(b, x, width, (1, 7), stride), width, (7, 1)),
        lambda: b.drop_path(unit(b, x, width, 1, stride), 1.0),
        lambda: b.zero(x, (-(-b.shape(x)[0] // stride), -(-b.shape(x)[1] // stride), width)),
    ]
    return ops[pick(len(ops), "op", *place)]()


for _seed in range(8):
    _shape = [(8, 8, 3), (5, 7, 3), (9, 8, 1)][_seed % 3]
    NETWORKS.append(
        (f"random_{_seed}", lambda seed=_seed, shape=_shape: random_network(seed, shape))
    )


# Random genomes of every space in skeletons that they fit; kept out of `NETWORKS`, whose values are
# recorded, as the spaces may change.


def cell_network(space, seed):
    """Returns the network of a random genome, small."""
    from zero.cells.networks.build import build_network
    from zero.cells.networks.skeletons import SKELETONS, Skeleton, skeletons_of
    from zero.cells.spaces import get_space
    from zero.rng.splitmix import new_state

    genome = get_space(space).random(new_state(seed, "genome", space))
    kinds = [kind for kind in skeletons_of(genome) if "imagenet" not in kind]
    kind = kinds[seed % len(kinds)]
    pairs = get_space(space).form.reduces
    skeleton = Skeleton(
        kind,
        normal_cells=1,
        filters=(5, 8, 6)[seed % 3],
        drop_path=pairs,
        auxiliary=pairs and seed == 0 and SKELETONS[kind].auxiliary != "after",
        dropout=0.25,
    )
    return build_network(genome, skeleton, [(8, 8, 3), (9, 7, 1)][seed % 2], 4)


SPACES = (
    "nasnet", "amoebanet", "amoebanet_code", "darts", "nas_bench_101", "nas_bench_201", "hierarchical"
)  # fmt: skip
CELLS = [
    (f"{space}_{seed}", lambda space=space, seed=seed: cell_network(space, seed))
    for space in SPACES
    for seed in range(3)
]


def chain_network(size, text, kind):
    """Returns the network of a chain of layers, small."""
    from zero.cells.networks.build import build_network
    from zero.cells.networks.skeletons import Skeleton
    from zero.cells.text import parse_genome

    skeleton = Skeleton(kind, filters=3, dropout=0.5)
    return build_network(
        parse_genome(f"chain[{CHAIN_OPS},size{size}]: {text}"), skeleton, (8, 9, 2), 4
    )


CHAIN_OPS = "conv1x1-1F,conv3x3-1F,conv3x3-2F,pool2s2,pool3s2,gap,fc2F,fc4F,skips"
CHAINS = {
    "chain_skips": (
        14,
        "conv3x3-1F conv3x3-2F conv1x1-1F(1) pool2s2 conv1x1-1F conv3x3-2F(4) fc4F fc2F",
    ),
    "chain_pooled": (14, "conv3x3-2F pool3s2 conv1x1-1F gap"),
    "chain_hidden": (7, "fc4F fc2F"),
    "chain_linear": (7, "end"),
}
CELLS += [
    (f"{name}_{kind}", lambda size=size, text=text, kind=kind: chain_network(size, text, kind))
    for name, (size, text) in CHAINS.items()
    for kind in ("chain", "chain_plain")
]


# Published cells, whose training is recorded.

PUBLISHED = {  # cell: its skeleton, at F = 8
    "nasnet_a": {"kind": "slim_cifar", "normal_cells": 1, "drop_path": True, "dropout": 0.25},
    "amoebanet_a": {"kind": "slim_cifar", "normal_cells": 1},
    "darts_v2": {"kind": "darts", "layers": 5, "drop_path": True, "auxiliary": True},
}


def published_network(name):
    """Returns a published cell's network for 16x16 images and 5 classes."""
    from zero.cells.networks.build import build_network
    from zero.cells.networks.skeletons import Skeleton
    from zero.cells.published import get_published

    skeleton = Skeleton(filters=8, **PUBLISHED[name])
    return build_network(get_published(name).genome, skeleton, (16, 16, 3), 5)


# Mobile networks. Sums of one layer make values beyond the corners at 3 and 6.

CURVES = ("sigmoid", "hard_sigmoid", "swish", "h_swish")


def _curve_networks():
    for curve in ("relu6", *CURVES):

        def body(b, x, curve=curve):
            x = b.batch_norm(b.conv(x, 5, 3))
            return b.add_layer(curve, b.add(x, x, x))

        body.__name__ = f"curve_{curve}"
        network_case((5, 4, 3), recorded=False)(body)


_curve_networks()


def mobile(b, x, channels, kernel=3, stride=1, curve="relu6", ratio=0.25):
    """Mobile inverted bottleneck: 1x1 to three times the channels, depthwise, squeeze-excite, 1x1."""
    before = b.shape(x)[2]
    y = b.add_layer(curve, b.batch_norm(b.conv(x, 3 * before)))
    y = b.add_layer(curve, b.batch_norm(b.depthwise(y, kernel, stride)))
    if ratio:
        y = b.squeeze_excite(y, max(1, int(ratio * before)))
    y = b.batch_norm(b.conv(y, channels))
    return b.add(b.drop_path(y, 0.5), x) if b.shape(y) == b.shape(x) else y


@network_case((8, 8, 3), head="pool", recorded=False)
def mobile_blocks(b, x):
    x = b.add_layer("relu6", b.batch_norm(b.conv(x, 8, 3)))
    x = mobile(b, mobile(b, x, 8, 5), 12, 3, 2)
    return mobile(b, mobile(b, x, 12, 3, ratio=0), 16, 5, 2, "h_swish")


@network_case((7, 5, 1), head="pool", recorded=False)
def mobile_blocks_of_16_channels(b, x):
    x = mobile(b, b.conv(x, 16, 3), 16, 3, 1, "swish")
    return mobile(b, x, 32, 5, 2, "relu6")


@network_case((6, 5, 3), recorded=False)
def relu6_read_by_several(b, x):
    x = b.batch_norm(b.conv(x, 8, 3))
    x = b.add_layer("relu6", b.add(x, x, x, x, x))
    y = b.add_layer("relu6", b.drop_path(b.add(x, x, b.conv(x, 8)), 1.0))
    z = b.drop_path(b.relu(x), 1.0)
    return b.concat(
        b.add(b.conv(x, 8, 3), y, z), b.depthwise(x, 3, 1), b.pool("max", y, 3), b.conv(z, 5)
    )


@network_case((6, 5, 3), recorded=False)
def depthwise_between_batch_norms(b, x):
    x = b.add_layer("relu6", b.batch_norm(b.conv(x, 12)))
    x = b.add_layer("relu6", b.batch_norm(b.depthwise(x, 5, 1)))
    return b.conv(b.add_layer("relu6", b.batch_norm(b.depthwise(x, 3, 2))), 5)


@network_case((6, 5, 3), recorded=False)
def curves_of_all_sorts(b, x):
    x = b.concat(b.batch_norm(b.conv(x, 5)), b.conv(x, 12))
    large = b.add(x, x, x, x)
    ys = [b.add_layer(curve, y) for curve in CURVES for y in (large, b.drop_path(b.relu(x), 1.0))]
    return b.concat(b.add(*ys), b.batch_norm(b.add_layer("swish", ys[0])), b.conv(ys[1], 3))


@network_case((6, 5, 3), recorded=False)
def factors_of_channels(b, x):
    def scale(x, factors):
        return b.add_layer("scale_channels", x, factors)

    def factors(x):
        return b.global_pool(b.conv(x, b.shape(x)[2], 3))

    both = b.concat(b.conv(x, 5), b.conv(x, 3))
    y = scale(both, factors(both))
    shared = b.batch_norm(factors(y))
    y = b.batch_norm(scale(b.relu(b.batch_norm(y)), b.add_layer("relu6", shared)))
    y = b.add(y, scale(b.drop_path(y, 1.0), b.drop_path(b.relu(shared), 1.0)))
    mean = b.global_pool(y)
    return b.concat(y, scale(x, factors(x)), scale(b.conv(y, 8), scale(mean, mean)))


@network_case((5, 4, 3), recorded=False)
def biases_inside(b, x):
    y = b.linear(b.relu(b.linear(b.conv(x, 5), 12)), 20)
    z = b.linear(b.drop_path(b.batch_norm(b.linear(y, 8)), 1.0), 5)
    return b.concat(b.linear(b.add(y, y), 3), z)


def mobile_stages_network(kind, seed):
    """Returns the network of a random genome of MnasNet's space, small."""
    from zero.cells.networks.build import build_network
    from zero.cells.networks.skeletons import Skeleton
    from zero.cells.spaces import get_space
    from zero.rng.splitmix import new_state

    genome = get_space("mnasnet").random(new_state(seed, "genome", "mnasnet"))
    skeleton = Skeleton(kind, filters=(5, 8)[seed % 2], dropout=0.25, drop_path=True)
    return build_network(genome, skeleton, [(8, 8, 3), (9, 7, 1)][seed % 2], 4)


CELLS += [
    (f"{kind}_{seed}", lambda kind=kind, seed=seed: mobile_stages_network(kind, seed))
    for kind, seed in (("mnasnet", 2), ("mobilenet_v2", 3))
]

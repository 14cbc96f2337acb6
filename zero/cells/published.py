"""The published cells and the sizes of their networks.

Cells are written as in the papers' code. The states that `out` lists are part of the cell: NASNet's and
AmoebaNet's code concatenates more than those that nobody reads.

Sources: TF-slim nasnet.py and pnasnet.py; AmoebaNet's TPU code (model_specs.py); DARTS's, P-DARTS's and
ENAS's repositories; NAS-Bench-101's README; MobileNetV2's paper; MnasNet's TPU code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zero.cells.darts_text import genome_text, is_genotype
from zero.cells.genome import Genome
from zero.cells.networks.skeletons import Skeleton, usual_kind
from zero.cells.normal_cells import NORMAL_CELLS
from zero.cells.text import parse_genome
from zero.errors import NetworkError, unknown_name

if TYPE_CHECKING:  # names are completed by the shell without it
    from zero.nn.layers.record import Shape


@dataclass(frozen=True)
class Preset:
    """A skeleton of a published size, with the images and classes that it was made for."""

    skeleton: Skeleton
    image_shape: Shape = (32, 32, 3)
    classes: int = 10


_LARGE, _MOBILE = (331, 331, 3), (224, 224, 3)
PRESETS: dict[str, Preset] = {
    "nasnet_cifar": Preset(Skeleton("slim_cifar", 6, 32)),
    "amoebanet_cifar": Preset(Skeleton("slim_cifar", 6, 36)),
    "search_proxy": Preset(Skeleton("slim_cifar", 3, 24)),
    "tiny": Preset(Skeleton("slim_cifar", 1, 8)),
    "nasnet_mobile": Preset(Skeleton("slim_imagenet", 4, 44, stem_filters=32), _MOBILE, 1000),
    "nasnet_large": Preset(Skeleton("slim_imagenet", 6, 168, stem_filters=96), _LARGE, 1000),
    "amoebanet_mobile": Preset(Skeleton("tpu_imagenet", 4, 50, stem_filters=32), _MOBILE, 1000),
    "amoebanet_large": Preset(Skeleton("tpu_imagenet", 6, 190, stem_filters=96), _LARGE, 1000),
    "pnasnet_cifar": Preset(Skeleton("pnasnet", 3, 48)),
    "pnasnet_mobile": Preset(Skeleton("pnasnet_imagenet", 3, 54, stem_filters=32), _MOBILE, 1000),
    "pnasnet_large": Preset(Skeleton("pnasnet_imagenet", 4, 216, stem_filters=96), _LARGE, 1000),
    "darts_cifar": Preset(Skeleton("darts", 6, 36)),
    "darts_imagenet": Preset(Skeleton("darts_imagenet", 4, 48, stem_filters=96), _MOBILE, 1000),
    "enas_cifar": Preset(Skeleton("enas", 5, 36)),
    "nas_bench_101": Preset(Skeleton("nas_bench_101", 3, 128)),
    "nas_bench_201": Preset(Skeleton("nas_bench_201", 5, 16)),
    "mnasnet_cifar": Preset(Skeleton("mnasnet", filters=32)),
    "mnasnet_imagenet": Preset(Skeleton("mnasnet", filters=32, dropout=0.2), _MOBILE, 1000),
    "mobilenet_imagenet": Preset(Skeleton("mobilenet_v2", filters=32, dropout=0.2), _MOBILE, 1000),
    "blocks": Preset(Skeleton("blocks", filters=16)),
    "chain": Preset(Skeleton("chain", filters=64, dropout=0.5)),
    "hierarchical": Preset(Skeleton("hierarchical", 1, 16)),
    "chain_plain": Preset(Skeleton("chain_plain", filters=64, dropout=0.5)),
}


def get_preset(name: str) -> Preset:
    """Returns a skeleton's preset by its name, or the first of a kind of skeleton by the kind's.

    Raises:
        NetworkError: There is none of that name.
    """
    of_kind = {preset.skeleton.kind: preset for preset in reversed(PRESETS.values())}
    if name not in PRESETS | of_kind:
        raise NetworkError(unknown_name("skeleton", name, PRESETS | of_kind))
    return PRESETS.get(name) or of_kind[name]


@dataclass(frozen=True)
class Published:
    """A cell: its name, where it is from, its genome's text and the name of its skeleton's preset."""

    name: str
    source: str
    text: str
    preset: str

    @cached_property
    def genome(self) -> Genome:
        """The genome."""
        return parse_genome(self.text)


_CELLS = [
    Published(
        "nasnet_a", "Zoph et al. 2018",
        f"""nasnet: normal {NORMAL_CELLS["nasnet_a"]};
        reduction sep5(cur)+sep7(prev) max3(cur)+sep7(prev) avg3(cur)+sep5(prev)
        id(n2)+avg3(n1) sep3(n1)+max3(cur) out(n2,n3,n4,n5)""",
        "nasnet_cifar",
    ),
    Published(
        "amoebanet_a", "Real et al. 2019",
        f"""amoebanet: normal {NORMAL_CELLS["amoebanet_a"]};
        reduction sep3(prev)+avg3(cur) max3(cur)+sep7(n1) max3(prev)+max3(cur)
        sep3(n3)+1x7_7x1(cur) avg3(prev)+sep7(cur) out(n1,n2,n3,n4,n5)""",
        "amoebanet_cifar",
    ),
    Published(
        "amoebanet_b", "Real et al. 2019",
        """amoebanet_code: normal 1x1(prev)+max3(prev) id(prev)+sep3(cur) 1x1(prev)+sep3(cur)
        1x1(n1)+id(n1) avg3(prev)+1x1(n4) out(cur,n2,n3,n5);
        reduction max2(cur)+max3(cur) id(n1)+3x3(prev) dil_sep5(n1)+max3(n1)
        id(n2)+sep3(prev) avg3(n3)+1x1(n2) out(n4,n5)""",
        "amoebanet_cifar",
    ),
    Published(
        "amoebanet_c", "Real et al. 2019",
        """amoebanet: normal avg3(cur)+sep3(cur) id(cur)+sep3(cur) avg3(n1)+sep3(prev)
        id(cur)+sep3(prev) avg3(n2)+sep3(cur) out(prev,n1,n3,n4,n5);
        reduction max3(cur)+max3(cur) sep7(n1)+sep3(cur) sep7(cur)+max3(prev)
        sep5(n3)+sep5(n3) max3(prev)+sep3(prev) out(cur,n1,n2,n3,n4,n5)""",
        "amoebanet_cifar",
    ),
    Published(
        "amoebanet_d", "Real et al. 2019",
        """amoebanet_code: normal 1x1(prev)+max3(prev) id(prev)+1x7_7x1(cur) 1x1(cur)+1x7_7x1(cur)
        max3(n1)+id(n1) avg3(prev)+1x1(n4) out(cur,n2,n3,n5);
        reduction max2(cur)+max3(cur) id(n1)+3x3(prev) 1x7_7x1(n1)+max3(n1)
        id(n2)+max2(prev) avg3(n1)+1x1(n2) out(n3,n4,n5)""",
        "amoebanet_cifar",
    ),
    Published(
        "pnasnet_5", "Liu et al. 2018",
        """nasnet: normal sep5(prev)+max3(prev) sep7(cur)+max3(cur) sep5(cur)+sep3(cur)
        sep3(n3)+max3(cur) sep3(prev)+id(cur) out(n1,n2,n3,n4,n5)""",
        "pnasnet_cifar",
    ),
    Published(
        "enas", "Pham et al. 2018, released arc",
        """nasnet: normal avg3(prev)+sep3(prev) id(prev)+sep5(prev) id(prev)+sep5(cur)
        sep3(cur)+sep5(prev) avg3(prev)+sep5(cur) out(n1,n2,n3,n4,n5);
        reduction sep3(cur)+sep3(cur) max3(prev)+avg3(prev) sep5(cur)+sep5(n2)
        sep3(cur)+id(prev) max3(prev)+sep5(cur) out(n1,n3,n4,n5)""",
        "enas_cifar",
    ),
    Published(
        "darts_v1", "Liu et al. 2019, first order",
        """darts: normal sep3(cur)+sep3(prev) id(prev)+sep3(cur) id(prev)+sep3(cur)
        sep3(prev)+id(n1) out(n1,n2,n3,n4);
        reduction max3(prev)+max3(cur) id(n1)+max3(prev) max3(prev)+id(n1)
        id(n1)+avg3(prev) out(n1,n2,n3,n4)""",
        "darts_cifar",
    ),
    Published(
        "darts_v2", "Liu et al. 2019, second order",
        f"""darts: normal {NORMAL_CELLS["darts_v2"]};
        reduction max3(prev)+max3(cur) id(n1)+max3(cur) max3(prev)+id(n1)
        id(n1)+max3(cur) out(n1,n2,n3,n4)""",
        "darts_cifar",
    ),
    Published(
        "p_darts", "Chen et al. 2019, CIFAR-10 genotype",
        """darts: normal id(prev)+dil3(cur) id(prev)+sep3(cur) sep3(cur)+sep3(n2)
        sep3(prev)+dil5(n3) out(n1,n2,n3,n4);
        reduction avg3(prev)+sep5(cur) sep3(prev)+dil5(n1) max3(prev)+dil3(cur)
        dil3(cur)+dil5(n2) out(n1,n2,n3,n4)""",
        "darts_cifar",
    ),
    Published(
        "nasnet_darts", "NASNet-A as DARTS's repository reads it",
        """nasnet: normal sep5(cur)+sep3(prev) sep5(prev)+sep3(prev) avg3(cur)+id(prev)
        avg3(prev)+avg3(prev) sep3(cur)+id(cur) out(n1,n2,n3,n4,n5);
        reduction sep5(cur)+sep7(prev) max3(cur)+sep7(prev) avg3(cur)+sep5(prev)
        id(n2)+avg3(n1) sep3(n1)+max3(cur) out(n3,n4,n5)""",
        "darts_cifar",
    ),
    Published(
        "amoebanet_darts", "AmoebaNet-A as DARTS's repository reads it",
        """amoebanet: normal avg3(prev)+max3(cur) sep3(prev)+sep5(n1) sep3(prev)+avg3(n2)
        sep3(cur)+id(cur) id(prev)+avg3(cur) out(n3,n4,n5);
        reduction avg3(prev)+sep3(cur) max3(prev)+sep7(n1) sep7(prev)+avg3(cur)
        max3(prev)+max3(cur) 1x7_7x1(prev)+sep3(n4) out(n2,n3,n5)""",
        "darts_cifar",
    ),
    Published(
        "nas_bench_101_inception", "Ying et al. 2019, README",
        """nas_bench_101: conv1x1-bn-relu(in) conv3x3-bn-relu(in) conv3x3-bn-relu(in)
        conv3x3-bn-relu(n3) maxpool3x3(in) out(n1,n2,n4,n5)""",
        "nas_bench_101",
    ),
    Published("nas_bench_101_projection", "Ying et al. 2019", "nas_bench_101: out(in)",
              "nas_bench_101"),
    Published("nas_bench_101_conv3x3", "Ying et al. 2019",
              "nas_bench_101: conv3x3-bn-relu(in) out(n1)", "nas_bench_101"),
    Published("nas_bench_101_conv1x1", "Ying et al. 2019",
              "nas_bench_101: conv1x1-bn-relu(in) out(n1)", "nas_bench_101"),
    Published(
        "nas_bench_201_conv3x3", "Dong and Yang 2020",
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
        "nas_bench_201",
    ),
    Published(
        "nas_bench_201_skip", "Dong and Yang 2020",
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|",
        "nas_bench_201",
    ),
    Published(
        "nas_bench_201_no_conv", "Dong and Yang 2020",
        "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|avg_pool_3x3~2|",
        "nas_bench_201",
    ),
    Published(
        "mobilenet_v2", "Sandler et al. 2018",
        """mnasnet: sep-k3-w1-n1 mb6-k3-w1-n2-id mb6-k3-w1-n3-id mb6-k3-w1-n4-id mb6-k3-w1-n3-id
        mb6-k3-w1-n3-id mb6-k3-w1-n1""",
        "mobilenet_imagenet",
    ),
    Published(
        "mnasnet_b1", "Tan et al. 2019",
        """mnasnet: sep-k3-w1-n1 mb3-k3-w1-n3-id mb3-k5-w1.25-n3-id mb6-k5-w1.25-n3-id
        mb6-k3-w1-n2-id mb6-k5-w1.2-n4-id mb6-k3-w1-n1""",
        "mnasnet_imagenet",
    ),
    Published(
        "mnasnet_a1", "Tan et al. 2019",
        """mnasnet: sep-k3-w1-n1 mb6-k3-w1-n2-id mb3-k5-w1.25-n3-se-id mb6-k3-w1.25-n4-id
        mb6-k3-w1.1667-n2-se-id mb6-k5-w1-n3-se-id mb6-k3-w1-n1""",
        "mnasnet_imagenet",
    ),
]  # fmt: skip
PUBLISHED: dict[str, Published] = {cell.name: cell for cell in _CELLS}


def get_published(name: str) -> Published:
    """Returns a published cell by its name.

    Raises:
        NetworkError: There is none; the message names the nearest.
    """
    if name not in PUBLISHED:
        raise NetworkError(unknown_name("cell", name, PUBLISHED))
    return PUBLISHED[name]


def find_cell(what: str) -> Published:
    """Returns the cell that a user names: a published one, a file with a genome's text, or the text.

    Names go without case and punctuation; the text may be a genotype as DARTS prints it.

    Raises:
        NetworkError: It is none of them, or the text is no genome.
        OSError: The file cannot be read.
    """
    if what in PUBLISHED:
        return PUBLISHED[what]
    if as_listed(what) in PUBLISHED and not _exists(Path(what)):
        return PUBLISHED[as_listed(what)]
    if not what.strip():
        raise NetworkError("no cell is named; give a published one, a file or a genome's text")
    path = Path(what)
    is_file = _exists(path)
    if is_file:
        name, text = path.stem, _read(path)
    elif ":" in what or "|" in what or is_genotype(what):
        name, text = "genome", what
    else:
        message = unknown_name("cell", what, PUBLISHED)
        raise NetworkError(f"{message}; or give a file with a genome's text, or the text itself")
    try:
        text = genome_text(text) if is_genotype(text) else text
        cell = Published(name, "", text, "")
        space = cell.genome.space.partition("[")[0]
    except NetworkError as error:
        raise NetworkError(f"{what}: {error}" if is_file else str(error)) from None
    kind = usual_kind(space)
    of_kind = next(name for name, preset in PRESETS.items() if preset.skeleton.kind == kind)
    preset = {"amoebanet": "amoebanet_cifar"}.get(space, of_kind)
    return Published(name, "", text, preset)


def as_listed(name: str) -> str:
    """Returns the name in `PUBLISHED` that a name is but for case and punctuation, itself if none is."""
    return next((n for n in PUBLISHED if _letters(n) == _letters(name)), name)


def _letters(name: str) -> str:
    """Returns a name without case and punctuation, as names are compared."""
    return "".join(filter(str.isalnum, name.lower()))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a genome's text is too long to be a file's name
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise NetworkError(f"{path} is no text; a genome's file is") from None

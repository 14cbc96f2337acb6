"""Search spaces: which genomes there are, how to draw one, and the papers' mutations.

Every space has the same methods (`zero.cells.spaces.space.Space`). Random numbers come from a search's
stream (`zero.rng.splitmix`). To add one with a new form of genome, write the form
(`zero.cells.forms.form`) and the space, and how its networks are built with its kinds of skeleton
(`zero.cells.networks.skeleton`); then name them in `SPACES` here and in
`zero.cells.networks.skeletons.SKELETONS`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from zero.cells.blocks import BLOCKS
from zero.cells.forms.form import Form
from zero.cells.genome import Genome
from zero.cells.spaces.blocks import BlockSpace
from zero.cells.spaces.chain import ChainSpace
from zero.cells.spaces.hierarchical import HierarchicalSpace
from zero.cells.spaces.mobile import MobileSpace
from zero.cells.spaces.nas_bench import NasBench101, NasBench201
from zero.cells.spaces.pair import PairSpace
from zero.cells.spaces.space import Space
from zero.errors import NetworkError, unknown_name

_AMOEBANET = ("id", "sep3", "sep5", "sep7", "avg3", "max3", "dil3", "1x7_7x1")
_CHAIN = (
    *(f"conv{field}x{field}-{filters}F" for field in (1, 3, 5) for filters in (1, 2, 4, 8)),
    "pool5s3",
    "pool3s2",
    "pool2s2",
    "gap",
    "fc8F",
    "fc4F",
    "fc2F",
)
SPACES: dict[str, Space] = {
    space.name: space
    for space in (
        PairSpace(
            "nasnet", "the 13 ops of NASNet (Zoph et al. 2018)",
            ("id", "1x3_3x1", "1x7_7x1", "dil_3x3", "avg3", "max3", "max5", "max7", "1x1", "3x3",
             "sep3", "sep5", "sep7"),
        ),
        PairSpace("amoebanet", "the 8 ops of AmoebaNet's search (Real et al. 2019)", _AMOEBANET),
        PairSpace(
            "amoebanet_code", "ops of the published AmoebaNet code, for AmoebaNet-B to -D",
            (*_AMOEBANET, "1x1", "3x3", "dil_3x3", "1x3_3x1", "dil_sep5", "max2", "min3"),
        ),
        PairSpace(
            "darts", "the 7 ops and 4 nodes of DARTS (Liu et al. 2019)",
            ("max3", "avg3", "id", "sep3", "sep5", "dil3", "dil5"), nodes=4, distinct=True,
        ),
        NasBench101(
            "nas_bench_101", "graphs of up to 7 vertices and 9 edges (Ying et al. 2019)",
            ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"),
        ),
        NasBench201(
            "nas_bench_201", "6 edges with one of 5 ops each (Dong and Yang 2020)",
            ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"),
        ),
        MobileSpace(
            "mnasnet", "seven stages of blocks around MobileNetV2 (Tan et al. 2019)",
            ("conv", "sep", "mb3", "mb6", "k3", "k5", "w0.75", "w1", "w1.25", "n-1", "n0", "n+1",
             "plain", "se", "none", "id", "pool"),
        ),
        BlockSpace("blocks", "stacks of blocks (Google Model Search)", (*BLOCKS, "depth8")),
        ChainSpace(
            "chain", "whole networks, layers and skip connections (Zoph and Le 2017)",
            (*_CHAIN, "skips", "depth18", "size32"),
        ),
        ChainSpace(
            "metaqnn", "whole networks, layer by layer (MetaQNN; Baker et al. 2017)",
            (*_CHAIN, "depth18", "size32"),
        ),
        HierarchicalSpace(
            "hierarchical", "6 motifs of 7 ops, and a cell of motifs (Liu et al. 2018)",
            ("none", "id", "conv1x1-bn-relu", "dw3x3-bn-relu", "sep3x3-bn-relu", "max3", "avg3"),
        ),
    )
}  # fmt: skip


@lru_cache(maxsize=256)
def get_space(name: str) -> Space:
    """Returns a space by its name: one of `SPACES`, or NAME[op,op,...] with ops of one's own choice.

    Raises:
        NetworkError: There is no such space or op.
    """
    base, bracket, ops = name.partition("[")
    if base not in SPACES:
        raise NetworkError(unknown_name("space", base, SPACES))
    if not bracket:
        return SPACES[base]
    if not re.fullmatch(r"[^\[\]]*\]", ops):
        raise NetworkError(f"space '{name}' must be written {base}[op,op,...]")
    return space_with_ops(base, [op.strip() for op in ops[:-1].split(",")])


def space_with_ops(base: str, ops: Sequence[str]) -> Space:
    """Returns a space with other ops, any of `CELL_OPS`; it is called BASE[op,op,...].

    Raises:
        NetworkError: No space is called `base`, an op is unknown or named twice, or there is none.
    """
    for op in ops:
        get_space(base).form.check_op(op)
    if not ops or len(set(ops)) < len(ops):
        raise NetworkError(f"a space needs at least one op, each named once; got {', '.join(ops)}")
    name = f"{base}[{','.join(ops)}]"
    words = f"{base} with ops of one's own"
    space: Any = get_space(base)
    return replace(space, name=name, description=words, ops=tuple(ops))


def make_genome(space: str, normal: Form, reduction: Form | None = None) -> Genome:
    """Returns a genome of these cells.

    Raises:
        NetworkError: the space is unknown, or the cells are none of it.
    """
    genome = Genome(space, normal, reduction)
    get_space(space).check(genome)
    return genome

"""Skeletons: from a genome's cells to a whole network, by the rules of the published ones.

A `Skeleton` says of which kind the network is (`SKELETONS`) and how large; `zero.cells.networks.build`
builds it, by the function that the kind names.
Layers are named by their place, such as "cell3/n1/a/conv": the third node's first op of the fourth
cell, so that the same place in two genomes' networks has the same name.

Sources: Zoph et al. 2018 and the TF-slim code (slim), Real et al. 2019 and the TPU code (tpu), Liu et
al. 2018 (pnasnet), Pham et al. 2018 (enas), Liu et al. 2019 (darts), Ying et al. 2019, Dong and Yang
2020. Counts of parameters agree with the papers' to the integer (`zero.cells.published`).
"""

from __future__ import annotations

from collections.abc import Iterable

from zero.cells.genome import Genome
from zero.cells.networks.chain import CHAIN_SKELETONS
from zero.cells.networks.hierarchical import HIERARCHICAL_SKELETONS
from zero.cells.networks.mobile import MOBILE_SKELETONS
from zero.cells.networks.nas_bench import NAS_BENCH_SKELETONS
from zero.cells.networks.pair_network import PAIR_SKELETONS
from zero.cells.networks.skeleton import SKELETONS, Skeleton, SkeletonKind
from zero.cells.networks.stack_network import STACK_SKELETONS
from zero.cells.spaces import SPACES

__all__ = ["SKELETONS", "Skeleton", "SkeletonKind", "check_ops", "skeletons_of", "usual_kind"]

for _kinds in (
    PAIR_SKELETONS,
    NAS_BENCH_SKELETONS,
    STACK_SKELETONS,
    CHAIN_SKELETONS,
    HIERARCHICAL_SKELETONS,
    MOBILE_SKELETONS,
):
    SKELETONS.update(_kinds)


def check_ops(names: Iterable[str], kind: str) -> None:
    """Tries ops in small networks as a kind of skeleton has them; see their form's `try_op`."""
    for name in names:
        SKELETONS[kind].form.try_op(name, SKELETONS[kind].rules)


def skeletons_of(genome: Genome) -> list[str]:
    """Returns the kinds of skeleton that a genome fits."""
    return [name for name, kind in SKELETONS.items() if isinstance(genome.normal, kind.form)]


def usual_kind(space: str) -> str:
    """Returns the kind of skeleton for a space: of the same name, or the first of the space's form."""
    base = space.partition("[")[0]
    if base in SKELETONS:
        return base
    return next(name for name, kind in SKELETONS.items() if kind.form is SPACES[base].form)

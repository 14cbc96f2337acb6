"""What a skeleton is: a network but for its genome; the kinds that there are: `skeletons`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zero.cells.forms.form import Form
from zero.cells.genome import Genome
from zero.cells.ops import SLIM, Rules
from zero.errors import NetworkError, unknown_name

if TYPE_CHECKING:  # names are completed by the shell without it
    from zero.nn.network import Builder, Network


@dataclass(frozen=True)
class SkeletonKind:
    """A kind of skeleton.

    build: returns the network of a genome, made with a `Builder`; the last argument is the number of
    classes. form: of the genomes that it builds. epsilon, decay: of batch norm. rules: how ops are
    built. stem: "cifar" (one convolution), "imagenet" (a strided one, then two reduction cells),
    "darts_imagenet" (three strided ones), "" where genomes are whole networks. The rest is for kinds of
    normal and reduction cells: one_cell: reductions
    are normal cells with stride 2, 3N cells in all (PNASNet); else reduction cells of their own, 3N + 2
    in all. auxiliary: where the auxiliary head reads: "before" (the last cell before the second
    reduction), "at" (the second reduction), "after" (the cell after it). depth_drop: drop path grows
    with depth (the papers' scheduled drop path), else it is the same in all cells.
    """

    description: str
    build: Callable[[Builder, Genome, Skeleton, int], Network]
    form: type[Form]
    rules: Rules = SLIM
    stem: str = "cifar"
    one_cell: bool = False
    epsilon: float = 1e-5
    decay: float = 0.9
    auxiliary: str = "before"
    depth_drop: bool = True
    relu_head: bool = True
    head_bias: bool = True


SKELETONS: dict[str, SkeletonKind] = {}  # filled by `skeletons`, which all others import


@dataclass(frozen=True)
class Skeleton:
    """A network but for its cells.

    kind: a name in `SKELETONS`. normal_cells: N, the normal cells between two reductions (NAS-Benches:
    cells a stage). filters: F, channels of each node of the first cells. layers: number of cells, where
    it is not the one that follows from N (kinds darts and darts_imagenet); reductions then stand at a
    third and two thirds of it. stem_filters: of ImageNet's first convolution. auxiliary: with the
    auxiliary head, which helps in training and counts nothing. dropout: rate before the last layer
    (chains: of the last dropout, see `zero.cells.networks.chain`). drop_path: with layers for scheduled
    drop path.
    """

    kind: str = "slim_cifar"
    normal_cells: int = 1
    filters: int = 8
    layers: int = 0
    stem_filters: int = 32
    auxiliary: bool = False
    dropout: float = 0.0
    drop_path: bool = False

    def __post_init__(self) -> None:
        if self.kind not in SKELETONS:
            raise NetworkError(unknown_name("kind of skeleton", self.kind, SKELETONS))
        for what, least in (
            ("normal_cells", 0),
            ("filters", 1),
            ("layers", 0),
            ("stem_filters", 1),
        ):
            value = getattr(self, what)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise NetworkError(f"{what} is {value!r}; it must be a whole number from {least}")
        if not 0 <= self.dropout < 1:
            raise NetworkError(f"dropout is {self.dropout!r}; it must be from 0 to below 1")
        if self.layers and "darts" not in self.kind:
            have = "3 * normal_cells" if self.of_kind.stem else "no"
            raise NetworkError(f"kind {self.kind} has {have} cells; layers must be 0")
        if self.layers in (1, 2) or (self.of_kind.one_cell and self.normal_cells < 1):
            raise NetworkError("the skeleton has too few cells; normal_cells must be at least 1")

    @property
    def of_kind(self) -> SkeletonKind:
        """What its kind says."""
        return SKELETONS[self.kind]

    @property
    def cells(self) -> int:
        """Number of cells, reductions among them, without ImageNet's stem cells."""
        if self.of_kind.one_cell:
            return 3 * self.normal_cells
        return self.layers or 3 * self.normal_cells + 2

    @property
    def reductions(self) -> tuple[int, int]:
        """The numbers, from 0, of the cells that halve the image."""
        if self.of_kind.one_cell:
            return self.normal_cells, 2 * self.normal_cells
        if self.layers:
            return self.layers // 3, 2 * self.layers // 3
        return self.normal_cells, 2 * self.normal_cells + 1

    @property
    def stem_channels(self) -> int:
        """Channels of the stem's first convolution."""
        kind = self.of_kind
        if not kind.form.reduces:
            return self.filters
        wide = {"cifar": 3 * self.filters, "darts_imagenet": max(self.filters // 2, 1)}
        return wide.get(kind.stem, self.stem_filters)

    @property
    def size(self) -> str:
        """N (or the number of cells) and F in words."""
        if not self.of_kind.stem:
            return f"F {self.filters}"
        number = f"{self.layers} cells" if self.layers else f"N {self.normal_cells}"
        return f"{number}, F {self.filters}"

    def __str__(self) -> str:
        """SkeletonKind, size, stem, and what else adds parameters, in words."""
        head = ", auxiliary head" if self.auxiliary else ""
        stem = f", stem of {self.stem_channels} channels" if self.of_kind.stem else ""
        return f"{self.kind}, {self.size}{stem}{head}"

    def resized(
        self, normal_cells: int | None = None, filters: int | None = None, layers: int | None = None
    ) -> Skeleton:
        """Returns the skeleton with another size; None keeps what it has.

        Args:
            normal_cells: N.
            filters: F.
            layers: Number of cells instead of N: 3N + 2 (PNASNet 3N, ENAS either; DARTS any from 3).

        Raises:
            NetworkError: Both N and layers are given, or there is no such number of cells.
        """
        if not self.of_kind.stem and (normal_cells is not None or layers is not None):
            raise NetworkError(f"the skeleton {self.kind} has no cells; give its filters only")
        changes: dict[str, int] = {} if filters is None else {"filters": filters}
        if normal_cells is not None:
            changes |= {"normal_cells": normal_cells, "layers": 0}
        if layers is None:
            return replace(self, **changes)
        if normal_cells is not None:
            raise NetworkError("normal cells and layers say the same; give one of them")
        if "darts" in self.kind:
            return replace(self, **changes, layers=layers)
        # ENAS's papers and code call 17 cells "15 layers".
        beyond = {"enas": (0, 2)}.get(self.kind, (0,) if self.of_kind.one_cell else (2,))
        if not self.of_kind.form.reduces or layers % 3 not in beyond:
            have = " or ".join("3N + 2" if rest else "3N" for rest in beyond)
            if not self.of_kind.form.reduces:
                have = "N cells a stage; give normal cells"
            raise NetworkError(f"{layers} layers: the skeleton {self.kind} has {have}")
        return replace(self, **changes, normal_cells=layers // 3)

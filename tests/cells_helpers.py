"""What the tests of cells share: streams, genomes by the dozen, and relabelled copies of cells."""

from dataclasses import replace

import numpy as np

from zero.cells.forms.chain import Chain
from zero.cells.forms.edge import EDGES, EdgeCell
from zero.cells.forms.graph import GraphCell
from zero.cells.forms.hierarchy import Hierarchy
from zero.cells.forms.mobile import MobileStages
from zero.cells.forms.pair import PairCell
from zero.cells.forms.stack import Stack
from zero.cells.published import PUBLISHED
from zero.cells.spaces import SPACES, get_space, make_genome
from zero.cells.text import parse_genome
from zero.rng.splitmix import new_state

OWN = "amoebanet[sep3,max3,id]"
OWN_CHAIN = (
    "chain[conv1x1-1F,conv3x3-1F,conv3x3-2F,conv3x3-4F,pool2s2,fc4F,fc2F,skips,depth6,size8]"
)
SPACE_NAMES = [*SPACES, OWN, "darts[sep3,1x1]", "nas_bench_201[none,nor_conv_3x3]", OWN_CHAIN]
PAIR_SPACES = [name for name in SPACE_NAMES if get_space(name).form is PairCell]
SMALL = (
    "amoebanet: normal sep3(cur)+id(prev) max3(n1)+avg3(cur) id(n2)+dil3(n1) sep5(n3)+id(prev) "
    "id(n4)+id(n4)"
)


def stream(name):
    return new_state(1, "test", name)


def genomes(name, count):
    """Returns random genomes of a space, and mutants of them."""
    space, rng = get_space(name), stream(name)
    found = [space.random(rng) for _ in range(count // 2)]
    return found + [space.mutate(genome, rng)[0] for genome in found]


def published_of(form):
    return [cell.genome for cell in PUBLISHED.values() if isinstance(cell.genome.normal, form)]


def smallest_side(genome):
    """Returns the side of small images for which every genome of its space makes a network."""
    return getattr(get_space(genome.space), "size", 8)


def small(**changes):
    """Returns a genome of a few ops."""
    return parse_genome(changes.get("text", SMALL))


def _topological(reads, rng):
    """Returns the vertices (numbers from 0) in a random order that respects what they read."""
    left, order = set(range(len(reads))), []
    while left:
        ready = sorted(v for v in left if not set(reads[v]) & left)
        order.append(ready[rng.integers(len(ready))])
        left.remove(order[-1])
    return order


def relabelled(cell, rng):
    """Returns the same cell drawn differently; made without the code under test."""
    if isinstance(cell, PairCell):
        order = _topological([{s - 2 for _, s in node} for node in cell.nodes], rng)
        place = {0: 0, 1: 1} | {old + 2: new + 2 for new, old in enumerate(order)}
        nodes = []
        for old in order:
            pair = [(op, place[s]) for op, s in cell.nodes[old]]
            nodes.append(tuple(pair[::-1] if rng.integers(2) else pair))
        concat = [place[s] for s in cell.concat]
        return PairCell(tuple(nodes), tuple(int(s) for s in rng.permutation(concat)))
    if isinstance(cell, GraphCell):
        order = _topological([{r - 1 for r in reads} for _, reads in cell.vertices], rng)
        place = {0: 0} | {old + 1: new + 1 for new, old in enumerate(order)}
        vertices = []
        for old in order:
            op, reads = cell.vertices[old]
            vertices.append((op, tuple(int(place[r]) for r in rng.permutation(reads))))
        return GraphCell(tuple(vertices), tuple(place[r] for r in cell.output))
    if isinstance(cell, Chain | Stack):
        return cell  # layers and blocks have an order
    if isinstance(cell, MobileStages):
        # The channels of the first and the last stage are never those before them.
        stages = list(cell.stages)
        for place in (0, 6):
            if stages[place].blocks == 1:
                skip = ("none", "id", "pool")[rng.integers(3)]
                stages[place] = replace(stages[place], skip=skip)
        return MobileStages(tuple(stages))
    if isinstance(cell, Hierarchy):
        order = [int(k) for k in rng.permutation(len(cell.motifs))]
        place = {f"m{old + 1}": f"m{new + 1}" for new, old in enumerate(order)}
        motifs = tuple(cell.motifs[k] for k in order)
        return Hierarchy(motifs, tuple(place.get(label, label) for label in cell.cell))
    if dict(zip(EDGES, cell.ops, strict=True))[1, 2] != "none" or rng.integers(2):
        return cell
    swap = {0: 0, 1: 2, 2: 1, 3: 3}
    ops = {tuple(sorted((swap[s], swap[t]))): o for (s, t), o in zip(EDGES, cell.ops, strict=True)}
    return EdgeCell(tuple(ops[edge] for edge in EDGES))


def relabelled_genome(genome, seed):
    rng = np.random.default_rng(seed)
    cells = [c and relabelled(c, rng) for c in (genome.normal, genome.reduction)]
    return make_genome(genome.space, *cells)

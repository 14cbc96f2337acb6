"""Genomes of networks: immutable values with a text that is parsed back to the same genome.

What a genome consists of is its space's form (`zero.cells.forms`): a normal and a reduction cell in
the spaces of NASNet, AmoebaNet and DARTS, one cell or a whole network in the others.

Texts, white space free, lines that start with `#` left out:

    amoebanet: normal sep3(cur)+id(prev) max3(n1)+sep5(cur) ... out(n2,n5);
               reduction ... out(n4,n5)
    nas_bench_101: conv3x3-bn-relu(in) maxpool3x3(in,n1) out(n1,n2)
    nas_bench_201: |nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|none~2|
    chain: conv3x3-1F conv3x3-2F conv1x1-2F(1) pool2s2 gap
    hierarchical: m1 id(in) id(in)+max3(n1) avg3(n2); ... m6 ...; cell m1(in) m2(in)+m1(n1) none() m2(n1)

Without `out(...)` a pair cell's output is all states that nobody reads; without a reduction cell the
normal cell stands for both; NAS-Bench-201's text may stand alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from zero.cells.forms.form import Form


@dataclass(frozen=True)
class Genome:
    """A genome of a space; `str` is its text, which `zero.cells.text.parse_genome` reads back.

    normal: its normal cell, or whatever else it consists of. reduction: None where there is no second
    one. A plain value: `zero.cells.spaces.make_genome` checks one.
    """

    space: str
    normal: Form
    reduction: Form | None = None

    def __str__(self) -> str:
        if self.reduction is None:
            return f"{self.space}: {self.normal}"
        return f"{self.space}: normal {self.normal}; reduction {self.reduction}"

    def listing(self) -> str:
        """Returns the genome for people to read, a node a line."""
        parts = {self.normal.word: self.normal}
        if self.reduction is not None:
            parts = {"normal cell": self.normal, "reduction cell": self.reduction}
        texts = [[name, *(f"  {line}" for line in cell.lines())] for name, cell in parts.items()]
        return "\n".join(line for lines in texts for line in lines)


def canonical_key(genome: Genome) -> str:
    """Returns a text that two genomes share exactly if they are the same but for names.

    What counts as the same: see `canonical` of their form. The space counts nothing, so that a cell is
    found again in another space; the form does.
    """
    cells = [genome.normal] if genome.reduction is None else [genome.normal, genome.reduction]
    form = type(genome.normal).__name__
    return f"{form}: {' ; '.join(cell.canonical() for cell in cells)}"

"""Two discoveries side by side."""

from __future__ import annotations

import difflib

from zero import genomes
from zero.errors import ArchiveError
from zero.runs.discoveries import Discovery


def difference(old: Discovery, new: Discovery) -> list[str]:
    """Returns how the genomes differ, as lines that begin with "-" (old), "+" (new) or a blank (both).

    The lines are the kind's (`zero.runs.kind.Kind.lines`): of programs instructions that matter.

    Raises:
        ArchiveError: they are of different kinds.
        ConfigError: the kind is not known here.
    """
    if old.kind != new.kind:
        raise ArchiveError(
            f"one is of {old.kind}, the other of {new.kind}; two of one kind can be compared"
        )
    kind = genomes.get(old.kind)
    texts = [kind.lines(d.text, d.canonical) for d in (old, new)]
    lines = difflib.ndiff(*texts)
    return [f"{line[0]} {line[2:]}" for line in lines if line[0] in "-+ "]

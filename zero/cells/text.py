"""Texts of genomes, read; how they look: `zero.cells.genome`."""

from __future__ import annotations

import re

from zero.cells.forms.form import Form
from zero.cells.genome import Genome
from zero.cells.spaces import get_space, make_genome
from zero.errors import NetworkError


def parse_genome(text: str) -> Genome:
    """Returns the genome of a text; see the module's text for how texts look.

    Raises:
        NetworkError: The text is none, or its genome is none of the space that it names.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    text = " ".join(" ".join(lines).split())
    if text.startswith("|"):
        text = f"nas_bench_201: {text}"
    match = re.match(r"([\w.\-]+ ?(?:\[[^\]]*\])?) ?: ?(.*)", text)
    if not match:
        raise NetworkError(
            f"no genome: '{text[:60]}' does not start with a space's name and ':', such as "
            "'amoebanet: normal ...; reduction ...'"
        )
    space = get_space(match[1].replace(" ", ""))
    form = space.form
    if not form.reduces:
        return make_genome(space.name, _part(form.word, form, match[2]))
    cells = {}
    for part in filter(None, (p.strip() for p in match[2].split(";"))):
        kind, _, body = part.partition(" ")
        if kind not in ("normal", "reduction") or kind in cells:
            raise NetworkError(
                f"'{part[:40]}' must start with 'normal' or 'reduction', each once, "
                "with ';' between them"
            )
        cells[kind] = _part(f"{kind} {form.word}", form, body)
    if "normal" not in cells:
        raise NetworkError(f"{space.name}: no normal cell; write 'normal sep3(cur)+id(prev) ...'")
    return make_genome(space.name, cells["normal"], cells.get("reduction", cells["normal"]))


def _part(where: str, form: type[Form], text: str) -> Form:
    try:
        return form.parse(text)
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None

"""What people are shown of fidelity, halving and extrapolation in runs over cells."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any


def settings_of(data: Any) -> dict[str, Any]:
    """Returns the section `cells` of an archive's config, as it was written; {} if there is none."""
    from zero.config import yaml

    return yaml.parse(data.config, "config").data.get("cells") or {}


def fidelity_of(cells: dict[str, Any]) -> str:
    """Returns at which fidelity candidates are trained, in words; "" where it is in full."""
    from pydantic import ValidationError

    from zero.cells.fidelity import Fidelity

    try:
        return str(Fidelity.model_validate(cells.get("fidelity") or {}))
    except ValidationError:  # of another version
        return ""


def option_words(cells: dict[str, Any]) -> list[str]:
    """Returns what the settings say of options that search methods know nothing of."""
    words = [f"candidates with {fidelity_of(cells)}"] if cells.get("fidelity") else []
    halving = cells.get("halving") or {}
    if halving.get("epochs"):
        words.append("successive halving")
    elif halving:
        brackets = halving.get("brackets", 1)
        of = "" if brackets in (1, "all") else f" in {brackets} brackets"
        words.append(f"{'hyperband' if brackets == 'all' else 'asha'}{of}")
    if cells.get("extrapolation"):
        words.append("stopped by their curves' extrapolation")
    return words


def outcome_text(details: dict[str, Any], final: float) -> str:
    """Returns whose the outcome's figures are, a sentence; "" where there is no fidelity."""
    if "fidelity" not in details:
        return ""
    if math.isnan(final):
        return f"fitness and valid accuracy are those of a training with {details['fidelity']} only"
    return f"fitness is that of a training with {details['fidelity']}; the accuracies are in full"


def stopped_rows(cells: dict[str, Any], records: list[Any]) -> list[tuple[str, str]]:
    """Returns how many of a run's candidates were stopped before their end, a row or none."""
    counts = {
        name: sum(r.reason.startswith(f"stopped by cells.{name} ") for r in records)
        for name in ("halving", "extrapolation")
        if cells.get(name)
    }
    if not counts:
        return []
    texts = [f"{count:,} by {name}" for name, count in counts.items()]
    if counts.get("extrapolation") == 0:
        texts[-1] += _why_none(cells["extrapolation"].get("curves", 0), records)
    return [("stopped", ", ".join(texts))]


def _why_none(needed: int, records: list[Any]) -> str:
    """Returns why extrapolation stopped no candidate, where it never could."""
    islands = Counter(r.island for r in records if not r.reason and r.same_as < 0)
    if max(islands.values(), default=0) > needed:
        return ""
    return f" (only with {needed} that an island trained in full)"

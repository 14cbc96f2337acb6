"""Rows that runs over cells and trainings of networks both show people."""

import math
from typing import Any

from zero.data.classes import by_class_text, counts_text, largest, largest_share


def image_rows(images: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns how many images of each class every part has; images: `ImageData.summary`."""
    counts, rows = images["counts"], []
    name = images["classes"][largest(counts["train"])]
    for part in ("train", "valid", "test"):
        found = counts[part]
        text = f"{sum(found):,} images: {counts_text(images['classes'], found)}"
        share = largest_share(found, counts["train"])
        rows.append((part, f"{text}; always '{name}' would be right in {100 * share:.1f} %"))
    if images["background"]:
        rows.append(("background", f"transparent pixels are put on {images['background']}"))
    return rows


def by_class_row(images: dict[str, Any], right: Any) -> tuple[str, str]:
    """Returns the accuracies by class on test images; right: how many of each class are."""
    return "by class", by_class_text(images["classes"], right, images["counts"]["test"])


def print_text(text: str) -> None:
    """Prints a genome's cells for people to read, then its text."""
    from zero.cells.text import parse_genome
    from zero.errors import NetworkError

    try:
        print(parse_genome(text).listing())
    except NetworkError:  # ops of the user's own, which only the run's config imports
        print("cells with ops of one's own, as text")
    print(f"\n{text}\n")


def supernet_rows(figures: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Returns what is to tell of a search with shared weights, none where there was none."""
    if not figures:
        return []
    rows = [("supernet", f"{figures['method']}, {int(figures['steps']):,} steps")]
    derived, drawn = ([float(x) for x in figures.get(key, ())] for key in ("derived", "fitness"))
    if derived:
        which = "cell" if len(derived) == 1 else f"best of {len(derived)} cells"
        text = f"fitness {max(derived):.4f} of the {which} that the search derived"
        if drawn:
            mean, best = sum(drawn) / len(drawn), max(drawn)
            text += f"; of {len(drawn)} random ones {mean:.4f} in the mean, {best:.4f} at best"
            if best > max(derived):
                text += ": the best of all is a random one"
        rows.append(("derived", text))
    tau = float(figures["tau"])
    if not math.isnan(tau):
        rows.append((
            "scores", f"Kendall's tau {tau:.2f} between scores with shared weights and the fitness of "
            "random cells trained from nothing"
        ))  # fmt: skip
    return rows + [("supernet", note) for note in map(str, figures["notes"])]

"""The section `cells.scores`: which candidates are worth a training, by a zero-cost score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from zero import search
from zero.config.sections import Positive, Section, Whole, one_of
from zero.config.settings import Found
from zero.nn.scores import SCORES


def _check_way(scores: Any) -> Iterator[Found]:
    if (scores.candidates is None) == (scores.keep is None):
        yield (), "needs one of candidates and keep, such as {filter: synflow, candidates: 5}"


class ScoreFilter(Section):
    """Genomes are drawn by a score, computed before any training (`zero.nn.scores`).

    filter: the score. candidates: of so many random genomes or mutants the one of the highest score is
    proposed; or keep: only genomes of a score that this share of random ones has, `sample` of them drawn
    once. What a space lists by size, which progressive and beam search grow, is not filtered. batch: train
    images that a score looks at.
    """

    filter: Annotated[str, one_of("score", lambda: SCORES)]
    candidates: Whole | None = Field(None, ge=2, le=10_000)
    keep: float | None = Field(None, gt=0, lt=1)
    sample: Positive = 50
    batch: Whole = Field(32, ge=2, le=4096)

    checks = (_check_way,)


def check_scores(config: Any) -> Iterator[Found]:
    """Checks that the method draws candidates, and that a table's cells need no images."""
    scores, method = config.cells.scores, config.search.method
    if scores is None:
        return
    loc = ("cells", "scores")
    if scores.candidates is not None and getattr(search.get(method), "NEEDS", ()):
        yield (
            (*loc, "candidates"),
            (f"{method} does not draw genomes and mutants one by one; use keep, such as keep: 0.5"),
        )
    if config.cells.images is None and SCORES[scores.filter].images:
        without = ", ".join(name for name, kind in SCORES.items() if not kind.images)
        yield (
            (*loc, "filter"),
            f"{scores.filter} needs images; a table has none: use one of {without}",
        )

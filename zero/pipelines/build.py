"""From a genome to a scikit-learn pipeline.

Called by what evaluates candidates, by the outcome of a run, and by exports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zero.pipelines import preparing
from zero.pipelines.space import Pipeline as Genome
from zero.pipelines.space import PipelineSpace

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

LEARNER = "learner"  # the name of the last step


def build(space: PipelineSpace, genome: Genome, seed: int, share: float = 1.0) -> Pipeline:
    """Returns the pipeline, not fitted.

    Args:
        space: that the genome is of.
        genome: what to build.
        seed: of all that is random in it.
        share: of the trees or rounds that it asks for, of which there is at least one.
    """
    from sklearn.pipeline import Pipeline

    family, problem = space.family(genome), space.facts.problem
    values = space.values(genome)
    if family.grows and share < 1:
        values[family.grows] = max(1, round(share * values[family.grows]))
    learner = family.load(problem)
    keywords = family.keywords(values, problem)
    if family.seeded:
        keywords["random_state"] = seed
    before = preparing.steps(space.facts, family, values, seed)
    return Pipeline([*before, (LEARNER, learner(**keywords))])


def fit(
    space: PipelineSpace, genome: Genome, pipeline: Pipeline, x: Any, y: Any, weights: Any = None
) -> Pipeline:
    """Fits a pipeline that `build` made; x: a frame, weights (N,): of the rows, or None."""
    if weights is None or not space.family(genome).weighted:
        return pipeline.fit(x, y)
    return pipeline.fit(x, y, **{f"{LEARNER}__sample_weight": weights})

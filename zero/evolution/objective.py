"""What a search is after: accuracy alone, or accuracy against what a candidate costs.

Accuracy is the share of valid examples that are right or, where the classes are unequal and the metric
says so, the mean over classes of these shares (`METRICS`).

* `accuracy`: fitness is the accuracy on the valid examples.
* `mnasnet`: accuracy * (cost / target) ** exponent, with another exponent where the cost is below the
  target if one is given (Tan et al. 2019, "MnasNet", equation 2; soft constraint: both -0.07, hard:
  0 below and -1 above).
* `pareto`: fitness is the accuracy, but parents are chosen by how few of the living dominate them, in
  accuracy and any number of costs (Deb et al. 2002, "NSGA-II": fronts, and in a front those with room
  around them first; see `zero.search.pareto`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal, get_args

from pydantic import Field

from zero.config.sections import Section
from zero.config.settings import Check, Found


def weighed(objective: Any) -> tuple[str, ...]:
    """Returns the figures that count beside accuracy, of an objective that may be wrong in part."""
    if objective.kind == "accuracy":
        return ()
    return (objective.cost,) if isinstance(objective.cost, str) else objective.cost


def _check_costs(objective: Any) -> Iterator[Found]:
    costs = weighed(objective)
    if objective.kind == "mnasnet" and len(costs) > 1:
        message = f"mnasnet weighs one cost, got {len(costs)}; give one, or kind: pareto"
        yield ("cost",), message
    elif len(set(costs)) < len(costs):
        yield ("cost",), "names a cost twice"


class Objective(Section):
    """What candidates are compared by.

    kind: see above. metric: which of `METRICS` is called accuracy. cost: which figure of a candidate is
    weighed against it, of `pareto` also several. target (in the cost's unit), exponent, exponent_below
    (by default as exponent): of `mnasnet`.
    """

    checks: ClassVar[tuple[Check, ...]] = (_check_costs,)

    kind: Literal["accuracy", "mnasnet", "pareto"] = "accuracy"
    metric: Literal["accuracy", "balanced_accuracy"] = "accuracy"
    cost: str | tuple[str, ...] = "parameters"
    target: float | None = Field(None, gt=0)
    exponent: float = Field(-0.07, le=0)
    exponent_below: float | None = Field(None, le=0)

    def accuracy_of(self, trial: Any) -> float:
        """Returns the accuracy that counts of a trial of `zero.evolution.object_island`."""
        return trial.accuracy if self.metric == "accuracy" else trial.balanced_accuracy

    @property
    def weighed(self) -> tuple[str, ...]:
        """The figures of the candidates that count beside their accuracy."""
        return weighed(self)

    def fitness(self, accuracy: float, costs: Sequence[float]) -> float:
        """Returns a candidate's fitness; costs: its figures of `weighed`."""
        if self.kind != "mnasnet":
            return accuracy
        if self.target is None:
            raise ValueError("mnasnet needs a target")
        ratio = max(costs[0], 1e-12) / self.target
        below = self.exponent if self.exponent_below is None else self.exponent_below
        return accuracy * ratio ** (below if ratio <= 1 else self.exponent)


OBJECTIVES: tuple[str, ...] = get_args(Objective.model_fields["kind"].annotation)
METRICS: tuple[str, ...] = get_args(Objective.model_fields["metric"].annotation)

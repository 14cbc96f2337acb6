"""What a fitness is worth: chance beside it, its interval, and whether two of them differ.

Intervals tell how much a figure depends on which examples happened to be scored. Examples that tasks
share count once, and each by its weight. What programs or seeds add to the spread is not in them.
"""

from __future__ import annotations

import math

import numpy as np

from zero.programs.evaluator import Evaluation
from zero.programs.interpreter.reference import fitness_of_loss
from zero.programs.interpreter.reference_networks import outputs
from zero.tasks import TaskSet
from zero.tasks.networks import Part

# What `chance` says, by metric; of optimisers it is what they begin with.
CHANCE = {"accuracy": "always the larger class", "rms_error": "always the mean"}
NO_STEP = "no step at all"
# Standard errors: of a 95 % interval; and for saying that two figures differ, where a false alarm is
# worse than a small difference that goes unmentioned.
_INTERVAL, _DIFFERENT = 1.96, 3.0


def chance_name(metric: str, part: Part = "predictor") -> str:
    """Returns in words what `chance` says; part: what the program is (`zero.tasks.networks.Part`)."""
    return NO_STEP if part == "optimizer" else CHANCE[metric]


def part_of(tasks: TaskSet) -> Part:
    """Returns what programs are on these tasks: "predictor", "optimizer" or "loss"."""
    return "predictor" if tasks.training is None else tasks.training.part


def chance(tasks: TaskSet) -> np.ndarray:
    """Returns the fitness (T,) on each task of a predictor that looks at no feature.

    For classes it always says the class that most scored examples have, the share of which is its
    fitness; for numbers always the mean of the train labels. Of optimisers it is that of no step.
    """
    if part_of(tasks) == "optimizer":
        return _untrained(tasks)
    if tasks.classes:
        shares = [_mean(tasks, tasks.valid_y == k) for k in range(tasks.classes)]
        return np.max(shares, axis=0)
    if tasks.metric == "accuracy":
        share = _mean(tasks, tasks.valid_y > 0.5)
        return np.maximum(share, 1.0 - share)
    mean = tasks.train_y.mean(axis=1, keepdims=True)
    losses = _mean(tasks, (tasks.valid_y - mean) ** 2)
    return np.array([fitness_of_loss(float(loss), False) for loss in losses])


def _untrained(tasks: TaskSet) -> np.ndarray:
    """Returns the fitness (T,) of networks as they begin."""
    assert tasks.training is not None
    found = []
    for task, network in enumerate(tasks.training.networks):
        x, y = tasks.valid_x[task, : network.valid], tasks.valid_y[task, : network.valid]
        errors = y - outputs(network.start, x, network.hidden)
        found.append(fitness_of_loss(float(np.mean(errors**2)), False))
    return np.array(found)


def _mean(tasks: TaskSet, values: np.ndarray) -> np.ndarray:
    """Returns the mean (T,) over each task's scored examples of values (T, V)."""
    weights = tasks.valid_weights
    return values.mean(axis=1) if weights is None else (
        (values * weights).sum(axis=1) / weights.sum(axis=1)
    )  # fmt: skip


def interval(tasks: TaskSet, evaluation: Evaluation) -> tuple[float, float]:
    """Returns the 95 % interval of the mean fitness over tasks, within [0, 1].

    evaluation: with `errors`. Wilson's interval for shares of right classes. For errors Student's, of
    the error's logarithm, which is nearer to normal than the fitness; one example a task tells nothing.
    Of optimisers and losses Student's, of the fitness over tasks: each is a training of its own.
    """
    if tasks.training is not None:
        return _over_tasks(evaluation.task_fitness)
    fitness, spread = float(np.mean(evaluation.task_fitness)), _standard_error(tasks, evaluation)
    if tasks.metric != "accuracy":
        return _of_errors(fitness, spread, _examples(tasks), tasks.valid_y.shape[1])
    # As many independent examples would have this standard error; all right or all wrong: the rows.
    number = _examples(tasks)
    if spread > 0.0 and 0.0 < fitness < 1.0:
        number = min(number, fitness * (1.0 - fitness) / spread**2)
    z = _INTERVAL**2 / number
    centre = (fitness + z / 2) / (1 + z)
    half = math.sqrt(z * fitness * (1 - fitness) + z * z / 4) / (1 + z)
    return max(0.0, centre - half), min(1.0, centre + half)


def _over_tasks(fitness: np.ndarray) -> tuple[float, float]:
    if len(fitness) < 2:
        return 0.0, 1.0
    from scipy.special import stdtrit  # takes a while to import

    mean, spread = float(fitness.mean()), float(fitness.std(ddof=1)) / math.sqrt(len(fitness))
    half = float(stdtrit(len(fitness) - 1, 0.975)) * spread
    return max(0.0, mean - half), min(1.0, mean + half)


def _of_errors(fitness: float, spread: float, examples: float, rows: int) -> tuple[float, float]:
    if not 0.0 < fitness < 1.0:
        return fitness, fitness
    if rows == 1:
        return 0.0, 1.0
    from scipy.special import stdtrit  # takes a while to import

    # The mean of each task's own rows is taken off them.
    free = (rows - 1) / rows
    error = math.tan(math.pi / 2 * (1.0 - fitness))
    of_log = math.pi / 2 * (1.0 + error**2) / error * spread / math.sqrt(free)
    factor = math.exp(min(300.0, float(stdtrit(examples * free, 0.975)) * of_log))
    return fitness_of_loss((error * factor) ** 2, False), fitness_of_loss(
        (error / factor) ** 2, False
    )


def differ(tasks: TaskSet, one: Evaluation, other: Evaluation) -> bool:
    """Returns whether two evaluations on the same tasks differ by more than chance.

    Both with `errors`: compared example by example, three standard errors of the difference.
    """
    difference, spread = difference_of(tasks, one, other)
    # Where every example differs alike there is no spread: the rule of three bounds what chance does.
    return abs(difference) > max(
        _DIFFERENT * spread, 3.0 / _examples(tasks) if spread == 0 else 0.0
    )


def difference_of(tasks: TaskSet, one: Evaluation, other: Evaluation) -> tuple[float, float]:
    """Returns by how much the first is fitter on the same tasks, and the standard error of that.

    Both with `errors`: compared example by example.
    """
    difference = float(np.mean(one.task_fitness) - np.mean(other.task_fitness))
    return difference, _clustered(tasks, _influence(tasks, one) - _influence(tasks, other))


def _influence(tasks: TaskSet, evaluation: Evaluation) -> np.ndarray:
    """Returns (T, V): how far each scored example moves the mean fitness from what it is."""
    errors = evaluation.errors
    if tasks.metric == "accuracy":
        moved = -(errors - _mean(tasks, errors)[:, None])
    else:
        squares = errors * errors
        mean = _mean(tasks, squares)[:, None]
        root = np.sqrt(np.maximum(mean, 1e-300))
        slope = -1.0 / (math.pi * root * (1.0 + mean))  # of 1 - 2/pi atan(sqrt(mean))
        moved = slope * (squares - mean)
    if tasks.valid_weights is not None:
        moved = moved * tasks.valid_weights / tasks.valid_weights.mean(axis=1, keepdims=True)
    # A task that failed has no spread between examples.
    return np.nan_to_num(moved) / errors.size


def _standard_error(tasks: TaskSet, evaluation: Evaluation) -> float:
    return _clustered(tasks, _influence(tasks, evaluation))


def _clustered(tasks: TaskSet, influence: np.ndarray) -> float:
    """Returns the standard error that influences (T, V) give, examples in several tasks as one."""
    if tasks.valid_ids is None:
        return math.sqrt(float((influence**2).sum()))
    _, at = np.unique(tasks.valid_ids, return_inverse=True)
    return math.sqrt(float((np.bincount(at.reshape(-1), influence.reshape(-1)) ** 2).sum()))


def _examples(tasks: TaskSet) -> float:
    """Returns how many independent examples there are; of unequal weights, what they are worth (Kish)."""
    ids, weights = tasks.valid_ids, tasks.valid_weights
    if weights is None:
        return tasks.valid_y.size if ids is None else len(np.unique(ids))
    at = (
        np.arange(weights.size)
        if ids is None
        else np.unique(ids, return_inverse=True)[1].reshape(-1)
    )
    of_each = np.bincount(at, weights.reshape(-1))
    return float(of_each.sum() ** 2 / (of_each**2).sum())

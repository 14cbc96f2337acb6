"""Pipelines that come first: each family as usual, quick ones before slow ones.

Called by runs over pipelines.
"""

from __future__ import annotations

from zero.pipelines.space import Pipeline, PipelineSpace

# family and decisions that are not as usual; what a table's space does not have is left out.
FIRST: tuple[tuple[str, dict[str, str]], ...] = (
    ("constant", {}),
    ("logistic_regression", {}),
    ("ridge", {}),
    ("extra_trees", {"n_estimators": "100"}),
    ("lightgbm", {"rounds": "50", "learning_rate": "0.19"}),
    ("histogram_boosting", {"rounds": "50", "learning_rate": "0.19", "max_leaf_nodes": "15"}),
    ("svm", {"C": "3.4"}),
    ("neighbours", {"n_neighbors": "4"}),
    ("histogram_boosting", {}),
    ("extra_trees", {}),
    ("random_forest", {}),
    ("neighbours", {"n_neighbors": "11"}),
    ("neural_network", {}),
    ("logistic_regression", {"products": "squares", "strength": "0.1"}),
    ("ridge", {"products": "squares", "alpha": "10"}),
    ("gaussian_process", {}),
    ("extra_trees", {"n_estimators": "400", "min_samples_leaf": "3", "max_features": "0.66"}),
    ("lightgbm", {}),
    ("xgboost", {}),
    ("catboost", {}),
    ("program", {}),
    ("program", {"program": "neural_network", "epochs": "46"}),
    ("discriminant", {}),
    ("naive_bayes", {}),
    ("tree", {}),
    ("elastic_net", {}),
    ("svm", {"C": "23", "gamma": "0.01"}),
    ("stochastic_gradient", {}),
    ("evolved_program", {}),
)


def portfolio(space: PipelineSpace) -> list[Pipeline]:
    """Returns the first candidates of a space: each family as usual, and some better ones."""
    found = [space.usual(name, **values) for name, values in FIRST if name in space.families]
    found += [space.usual(name) for name in space.families]
    found += [space.usual("program", program=name) for name in _own_programs(space)]
    return list(dict.fromkeys(found))


def first_answer(space: PipelineSpace) -> list[Pipeline]:
    """Returns the candidate that any search begins with, whatever else: it takes no time."""
    return [space.constant] if "constant" in space.families else []


def _own_programs(space: PipelineSpace) -> list[str]:
    """Returns the names of the user's programs among the learners."""
    if "program" not in space.families:
        return []
    from zero.pipelines.families.programs import SHIPPED

    values = space.families["program"].parameters[0].values
    return [name for name in values if name not in SHIPPED]

"""What a search over a table begins with where nobody says."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

import zero
from zero.programs.first_try import settings_for


def table(y, rows=600, **keys):
    x = np.random.default_rng(0).normal(size=(rows, 4))
    return zero.table_from_arrays(x, y(x), **keys)


def chosen(family, **how):
    return dict(setting.split("=") for setting in settings_for(family, **how))


def test_what_is_linear_begins_with_the_linear_program():
    found = chosen(table(lambda x: x @ [1, 2, -3, 0] + 5))
    assert found["program.initial"] == "linear_with_bias" and found["tasks.search.count"] == "8"


@pytest.mark.parametrize(
    "y", [lambda x: np.abs(x[:, 0]), lambda x: np.where(x[:, 0] * x[:, 1] > 0, "a", "b")]
)
def test_what_is_not_begins_with_the_network(y):
    assert chosen(table(y))["program.initial"] == "neural_network"


def test_each_of_several_classes_has_as_many_tasks():
    family = table(lambda x: np.digitize(x[:, 0], [-1, 0, 1]), problem="multiclass")
    assert chosen(family)["tasks.search.count"] == "8"
    family = table(lambda x: np.digitize(x[:, 0], [-0.5, 0.5]), problem="multiclass")
    assert chosen(family)["tasks.search.count"] == "9"


def test_few_rows_are_gone_through_often():
    assert (
        chosen(zero.table_from_arrays(*load_iris(return_X_y=True)))["tasks.search.epochs"] == "100"
    )


def test_the_same_table_begins_in_the_same_way():
    def y(x):
        return x[:, 0] > 0

    assert settings_for(table(y), seed=3) == settings_for(table(y), seed=3)
    assert settings_for(table(y, select=0.4)) == settings_for(table(y, select=0.4))

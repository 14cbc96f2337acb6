"""A table without a config: what is searched with, and the file of settings that is left beside it."""

import numpy as np
import pandas as pd
import pytest
from commands import zero_

from tests.data.test_tables import people
from zero.config.load import config_to_yaml, load_config
from zero.programs import keep, own_table

FEW = ["budget.individuals=60", "search.population=20", "search.tournament=5"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/people.csv").write_text(people(240))
    return tmp_path


def as_given(given):
    return config_to_yaml(load_config(own_table.CONFIG, given))


@pytest.mark.parametrize(
    "more",
    [[], ["seed=7", "name=mine"], ["tasks.search.test_path=later.csv", "program.initial=./a.txt"]],
)
def test_the_file_has_the_same_settings_wherever_paths_start(folder, more):
    (folder / "a.txt").write_text("def Setup():\ndef Predict():\ndef Learn():\n")
    (folder / "later.csv").write_text(people(40))
    given = [*own_table.settings("data/people.csv", "survived"), *more]
    assert own_table.keep("data/people.csv", given).startswith("wrote data/people.yaml")
    assert config_to_yaml(load_config("data/people.yaml")) == as_given(given)
    text = (folder / "data/people.yaml").read_text()
    assert "path: people.csv" in text and "# What ends the run" in text
    assert "the settings are those of" in own_table.keep("data/people.csv", given)


def test_a_file_of_the_users_is_left_alone(folder):
    (folder / "data/people.yaml").write_text("mine")
    said = own_table.keep("data/people.csv", own_table.settings("data/people.csv", "survived"))
    assert "is left as it is and not used" in said
    assert (folder / "data/people.yaml").read_text() == "mine"


def test_a_folder_that_nothing_can_be_written_to_stops_no_run(folder):
    assert "cannot be written" in own_table.keep("gone/x.csv", own_table.settings("x.csv", "y"))


def test_wide_tables_are_searched_without_matrices(folder):
    x = np.random.default_rng(0).normal(size=(60, own_table.WIDE + 1))
    frame = pd.DataFrame(x, columns=[f"x{k}" for k in range(x.shape[1])])
    frame.to_csv("wide.csv", index=False)
    given = own_table.settings("wide.csv", "x0")  # without it no column too many
    assert not any("matrices" in s for s in own_table.fitted(load_config(own_table.CONFIG, given)))
    given = own_table.settings("wide.csv", "y")
    frame.assign(y=x[:, 0] > 0).to_csv("wide.csv", index=False)
    narrow = own_table.fitted(load_config(own_table.CONFIG, given))
    config = load_config(own_table.CONFIG, [*narrow, *given])
    assert config.program.memory.matrices == 0 and len(config.program.learn.ops) == 7
    assert config.program.initial == "linear_with_bias"
    assert keep.beside(own_table.WIDE + 1, False) == ["linear"]
    assert keep.beside(own_table.WIDE + 1, True) == keep.beside(own_table.WIDE, False)


def test_a_run_leaves_the_file_and_the_file_gives_the_same_run(folder):
    less = [word for setting in FEW for word in ("--set", setting)]
    table = ("data/people.csv", "--target", "survived", "--islands", "1", "--seed", "5")
    _, err = zero_("run", *table, *less, "--out", "a")
    assert "wrote data/people.yaml" in err
    zero_("run", "data/people.yaml", "--out", "b", "-q")
    assert (folder / "a/archive.h5").read_bytes() == (folder / "b/archive.h5").read_bytes()


def test_nothing_is_left_beside_a_table_without_such_a_target(folder):
    _, err = zero_("run", "data/people.csv", "--target", "surived", code=1)
    assert "survived" in err and not (folder / "data/people.yaml").exists()
    assert "say what to predict" in zero_("run", "data/people.csv", code=1)[1]
    assert "is for a table" in zero_("run", "own_csv", "--target", "x", code=1)[1]

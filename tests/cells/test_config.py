"""Configs of runs over cells: what is read, and one clear line for every mistake."""

import pytest
from small_cells import small_cell_settings, small_cells, table_settings

from zero.cells.config import (
    CellsConfig,
    skeleton_of,
    space_of,
    training_of,
)
from zero.cells.domain import CellsDomain
from zero.config.load import config_to_yaml, load_config, make_config
from zero.errors import ConfigError

GOOD = """\
cells:
  space: amoebanet
  images: {source: digits}
budget: {individuals: 100}
"""


@pytest.fixture
def load(tmp_path):
    def load(text, *overrides):
        path = tmp_path / "run.yaml"
        path.write_text(text)
        return load_config(path, overrides)

    return load


@pytest.fixture
def mistakes(load, tmp_path):
    def mistakes(text, *overrides):
        with pytest.raises(ConfigError) as caught:
            load(text, *overrides)
        return [line.replace(f"{tmp_path}/", "") for line in str(caught.value).splitlines()]

    return mistakes


def test_defaults_are_a_whole_run(load):
    config = load(GOOD)
    assert isinstance(config, CellsConfig)
    assert (config.name, config.backend, config.dtype) == ("run", "cpu", "float32")
    assert (config.search.population, config.search.tournament) == (100, 25)  # Real et al. 2019
    assert skeleton_of(config.cells).kind == "slim_cifar"
    assert config.cells.objective.kind == "accuracy"


@pytest.mark.parametrize("section", [
    {},
    {"objective": {"kind": "mnasnet", "target": 1e5, "cost": "multiply_adds"}},
    {"halving": {"epochs": [1], "keep": 0.3}, "final": {"epochs": 5, "filters": 16}},
    {"training": {"epochs": 9}, "halving": "hyperband", "extrapolation": {"after": 4}},
    {"training": {"epochs": 9}, "halving": {"first": 2, "factor": 2, "brackets": 2}},
    {"skeleton": {"filters": 4}, "fidelity": {"filters": 2, "images": 30}},
    {"ops": ["skip_connect", "nor_conv_3x3"], "published": ["nas_bench_201_skip"]},
])  # fmt: skip
def test_a_config_written_out_loads_back(load, section):
    config = small_cells(cells=section)
    text = config_to_yaml(config)
    assert load(text) == config
    assert config_to_yaml(load(text)) == text


@pytest.mark.parametrize(("space", "kind"), [
    ("nasnet", "slim_cifar"), ("amoebanet", "slim_cifar"), ("darts", "darts"),
    ("nas_bench_101", "nas_bench_101"), ("nas_bench_201", "nas_bench_201"),
])  # fmt: skip
def test_each_space_has_its_skeleton(load, space, kind):
    assert skeleton_of(load(GOOD, f"cells.space={space}").cells).kind == kind


def test_words_are_short_for_brackets(load):
    asha, hyperband = (
        load(GOOD, f"cells.halving={w}").cells.halving for w in ("asha", "hyperband")
    )
    assert (asha.epochs, asha.first, asha.factor, asha.brackets) == (None, 1, 3, 1)
    assert hyperband.model_copy(update={"brackets": 1}) == asha
    assert hyperband.brackets == "all"
    assert load(GOOD, "cells.halving=none").cells.halving is None
    config = load(GOOD, "cells.halving=asha", "cells.fidelity={epochs: 8}")
    assert CellsDomain(config).rules.halving.epochs == (1, 3)


def test_own_ops_make_a_space(load):
    space = space_of(load(GOOD, "cells.ops=[sep3, 3x3, id]").cells)
    assert space.ops == ("sep3", "3x3", "id")


def test_the_last_training_changes_what_it_names(load):
    cells = load(GOOD, "cells.final={filters: 24, epochs: 77}", "cells.training.batch=32").cells
    assert (skeleton_of(cells).filters, skeleton_of(cells, True).filters) == (8, 24)
    assert skeleton_of(cells, True).normal_cells == skeleton_of(cells).normal_cells
    assert (training_of(cells, True).epochs, training_of(cells, True).batch) == (77, 32)
    assert training_of(cells).epochs == 25
    other = load(GOOD, "cells.final={training: {epochs: 9, batch: 16}}").cells
    assert (training_of(other, True).epochs, training_of(other, True).batch) == (9, 16)


def test_paths_start_at_the_file_or_where_the_option_is_given(load, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    text = GOOD.replace("source: digits", "source: npz, path: my.npz")
    assert load(text).cells.images.path == str(tmp_path / "my.npz")
    config = load(text, "cells.images.path=my.npz")
    assert config.cells.images.path == str(elsewhere / "my.npz")
    config = make_config(table_settings("t.csv"), tmp_path)
    assert config.cells.evaluate.table == str(tmp_path / "t.csv")


@pytest.mark.parametrize(("option", "line"), [
    ("cells.space=amobanet", "cells.space: unknown space 'amobanet'; did you mean 'amoebanet'?"),
    ("cells.ops=[sep3, sep33]", "cells.ops: unknown op 'sep33'; did you mean 'sep3'?"),
    ("cells.ops=[sep3, sep3]", "cells.ops: a space needs at least one op, each named once"),
    ("cells.skeleton.kind=nas_bench_201", "cells.skeleton: kind nas_bench_201 does not fit"),
    ("cells.skeleton.filters=0", "cells.skeleton.filters: must be a whole number from 1"),
    ("cells.skeleton.layers=5", "cells.skeleton: kind slim_cifar has 3 * normal_cells cells"),
    ("cells.images=null", "cells.images: is missing; it must be a section such as"),
    ("cells.images.source=digit", "cells.images.source: must be one of digits, fashion_mnist"),
    ("cells.training.epochs=0", "cells.training.epochs: must be a whole number of at least 1"),
    ("cells.training.optimizer=adam", "cells.training.optimizer: unknown optimizer 'adam'"),
    ("cells.objective=speed", "cells.objective: unknown objective 'speed'"),
    ("cells.objective=mnasnet", "cells.objective: mnasnet needs a target"),
    ("cells.objective={kind: pareto, cost: weight}", "cells.objective.cost: must be one of"),
    ("cells.objective={kind: pareto, cost: [latency, weight]}", "cells.objective.cost: must be some of"),
    ("cells.objective={kind: pareto, cost: []}", "cells.objective.cost: must be some of"),
    ("cells.objective={kind: pareto, cost: [latency, latency]}", "objective.cost: names a cost twice"),
    ("cells.objective={kind: mnasnet, target: 9, cost: [latency, parameters]}",
     "cells.objective.cost: mnasnet weighs one cost, got 2; give one, or kind: pareto"),
    ("cells.halving={epochs: [3, 2]}", "cells.halving.epochs: must rise"),
    ("cells.halving={epochs: [25]}", "cells.halving.epochs: must be below training.epochs (25)"),
    ("cells.halving={epochs: [2], keep: 1}", "cells.halving.keep: must be a number above 0"),
    ("cells.halving={epochs: [2], factor: 4}", "cells.halving.factor: is of a series, and epochs"),
    ("cells.halving={keep: 0.3}", "cells.halving.keep: goes with epochs; a series keeps one of"),
    ("cells.halving={first: 25}", "cells.halving.first: must be below training.epochs (25), got 25"),
    ("cells.halving={brackets: 5}", "cells.halving.brackets: must be at most 4 or all, with"),
    ("cells.halving={factor: 1}", "cells.halving.factor: must be a whole number from 2 to 100"),
    ("cells.halving=hyperban", "cells.halving: must be asha, hyperband, a section or none, got"),
    ("cells.fidelity={}", "cells.fidelity: give one of epochs, images, pixels, filters, or leave"),
    ("cells.fidelity={epochs: 25}", "cells.fidelity.epochs: must be below training.epochs (25)"),
    ("cells.fidelity={filters: 9}", "cells.fidelity.filters: must be below skeleton.filters (8)"),
    ("cells={fidelity: {images: 500}, images: {train: 500}}",
     "cells.fidelity.images: must be below images.train (500), got 500"),
    ("cells={images: {}, fidelity: {epochs: 3}, training: {warmup_epochs: 4}}",
     "cells.fidelity.epochs: training.warmup_epochs must be below epochs (3), got 4"),
    ("cells={images: {}, fidelity: {epochs: 3}, halving: {epochs: [3]}}",
     "cells.halving.epochs: must be below fidelity.epochs (3), got 3"),
    ("cells.extrapolation={after: 25}", "cells.extrapolation.after: must be below training.epochs"),
    ("cells.extrapolation={after: 2, fit: power_law}",
     "cells.extrapolation.after: must be at least 3 for power_law"),
    ("cells={images: {}, fidelity: {epochs: 3}, extrapolation: {}}",
     "cells.extrapolation.after: must be below fidelity.epochs (3), got 3"),
    ("cells.extrapolation={chance: 0.6}", "cells.extrapolation.chance: must be a number above 0"),
    ("cells={images: {}, extrapolation: {}, objective: balanced_accuracy}",
     "cells.extrapolation: follows curves of accuracy"),
    ("cells={images: {}, extrapolation: {}, objective: {kind: pareto, cost: latency}}",
     "cells.extrapolation: needs a cost that is known before training"),
    ("cells.final={layers: 5}", "cells.final: kind slim_cifar has 3 * normal_cells cells"),
    ("cells.final={epochs: 5, training: {epochs: 6}}", "cells.final.epochs: give final.epochs or"),
    ("cells.published=[amoebanet]", "cells.published: unknown published cell 'amoebanet'"),
    ("cells.budget.parameters=0", "cells.budget.parameters: must be a whole number of at least 1"),
    ("cells.evaluate=traim", "cells.evaluate: must be train or a section with keys of table"),
    ("search.tournament=101", "search.tournament: must be at most search.population (100)"),
    ("islands={count: 2, migrants: 101}", "islands.migrants: must be at most search.population"),
    ("search.mutations=[op]", "search.mutations: unknown key 'mutations'"),
    ("dtype=float64", "dtype: float64 needs backend: reference"),
    ("backend=cuda", "backend: must be one of cpu, reference"),
    ("budget=null", "budget: must be a section"),
    ("budget.individuals=null", "budget: nothing ends the run"),
    ("program={initial: empty}", "program: unknown key 'program'"),
])  # fmt: skip
def test_mistakes_are_one_line_with_their_key(mistakes, option, line):
    (told,) = mistakes(GOOD, option)
    assert line in told
    assert told.startswith(("--set", "run.yaml:"))


def test_all_mistakes_are_told_at_once_with_their_places(mistakes):
    told = mistakes(
        "cells:\n  space: darts\n  skeleton: {kind: nas_bench_101, filtres: 3}\n"
        "  images: {source: npz}\n  halving: {epochs: [9, 2]}\nsaerch: {}\nbudget: {seconds: -1}\n"
    )
    places = [":".join(line.split(":")[:4]) for line in told]
    assert places == [
        "run.yaml:3:13: cells.skeleton",
        "run.yaml:3:35: cells.skeleton.filtres",
        "run.yaml:4:11: cells.images",
        "run.yaml:5:21: cells.halving.epochs",
        "run.yaml:6:1: saerch",
        "run.yaml:7:19: budget.seconds",
    ]


def test_one_mistake_of_cells_hides_no_other(mistakes):
    told = mistakes(
        "cells:\n  space: darts\n  ops: [sep3, sep33]\n  skeleton: {kind: nas_bench_101, filters: 0}\n"
        "  images: {source: npz, resize: [3, 3], channels: 7}\n"
        "  training: {epochs: 3, warmup_epochs: 4, schedule: stepp, batch: x}\n"
        "  halving: {epochs: [9, 2], keep: 3}\n  objective: {kind: mnasnet, cost: weight}\n"
        "  final: {epochs: 5, training: {epochs: x}}\n  published: [amoebanet_a, nothing]\n"
        "search: {population: 9, tournament: 10}\nislands: {count: 2, migrants: 11}\n"
        "budget: {}\ndtype: float64\n"
    )
    assert [":".join(line.split(":")[1:4]).replace(" ", "") for line in told] == [
        "3:15:cells.ops",
        "4:13:cells.skeleton",
        "4:44:cells.skeleton.filters",
        "5:11:cells.images",
        "5:33:cells.images.resize",
        "5:51:cells.images.channels",
        "6:40:cells.training.warmup_epochs",
        "6:53:cells.training.schedule",
        "6:67:cells.training.batch",
        "7:21:cells.halving.epochs",
        "7:35:cells.halving.keep",
        "8:14:cells.objective",
        "8:36:cells.objective.cost",
        "9:19:cells.final.epochs",
        "9:41:cells.final.training.epochs",
        "10:28:cells.published",
        "11:37:search.tournament",
        "12:31:islands.migrants",
        "13:9:budget",
        "14:8:dtype",
    ]


def test_defaults_that_nobody_gave_fit_the_population(load):
    config = load(GOOD, "search.population=3", "islands.count=2")
    assert (config.search.tournament, config.islands.migrants) == (3, 3)
    assert load(config_to_yaml(config)) == config
    assert load(GOOD, "search={method: random_search, population: 3, tournament: 9}")
    assert load(GOOD, "cells.training={schedule: constant, min_learning_rate: 1}")


def table_mistake(tmp_path, **cells):
    with pytest.raises(ConfigError) as caught:
        make_config(table_settings(tmp_path / "t.csv", cells=cells))
    return str(caught.value)


def test_what_a_table_has_no_use_for(tmp_path):
    assert "needs space: nas_bench_201" in table_mistake(tmp_path, space="darts", ops=None)
    for cells in (
        {"images": {"source": "digits"}},
        {"training": {"epochs": 3}},
        {"final": {"epochs": 3}},
        {"fidelity": {"filters": 1}},
        {"extrapolation": {}},
        {"inherit_weights": True},
        {"ensemble": 3},
    ):
        (key,) = cells
        assert f"cells.{key}: has no meaning with a table" in table_mistake(tmp_path, **cells)
    for cost in ("latency", ["parameters", "latency"]):
        latency = {"kind": "pareto", "cost": cost}
        assert "cannot be measured" in table_mistake(tmp_path, objective=latency)


def test_a_warm_start_needs_a_network_at_least_as_large():
    with pytest.raises(ConfigError) as caught:
        small_cells(cells={"final": {"filters": 1, "warm_start": True}})
    line = "cells.final.filters: must be at least the search's (2) with warm_start, got 1"
    assert str(caught.value) == f"settings: {line}"
    assert small_cells(cells={"final": {"filters": 1}}).cells.final.filters == 1
    with pytest.raises(ConfigError, match=r"cells.inherit_weights: .*exact"):
        small_cells(cells={"inherit_weights": "exactly"})


def test_a_program_config_is_none_of_cells():
    settings = small_cell_settings()
    del settings["cells"]
    with pytest.raises(ConfigError, match="tasks"):
        make_config(settings)

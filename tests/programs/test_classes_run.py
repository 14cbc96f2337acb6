"""A run over tasks with vector labels, and what is asked of it afterwards."""

import json

import pytest
from typer.testing import CliRunner

from zero.cli import main as cli
from zero.config.load import load_config
from zero.errors import ConfigError
from zero.runs.archive import best_record, read_archive
from zero.runs.discoveries import discovery_of
from zero.runs.run import start

FAMILY = "{type: projected_classes, source: digits, count: 2, train: 60, valid: 40, test: 300}"
CONFIG = f"""
name: ten
program:
  memory: {{scalars: 4, vectors: 8, matrices: 2}}
  learn: {{ops: [deterministic], size: 12}}
  initial: softmax_regression
tasks:
  search: {FAMILY}
  select: {FAMILY}
  final: {FAMILY}
search: {{population: 20, tournament: 4, mutations: [alter_parameter, randomize_instruction]}}
budget: {{individuals: 400}}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "ten.yaml"
    path.write_text(CONFIG.replace("size: 12", "size: {initial: 5, min: 0, max: 12}"))
    return path


@pytest.fixture(scope="module")
def ran(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, start(load_config(str(config)), folder)


def ask(*words):
    result = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert "Traceback" not in result.output
    return result


def test_the_outcome_is_set_beside_programs_for_classes(ran):
    _, outcome = ran
    assert set(outcome.baselines) == {"softmax_regression", "neural_network_of_classes"}
    assert outcome.details["labels"] == "vector" and outcome.details["chance"]["final"] < 0.12
    assert outcome.search_fitness > 0.3  # the program that it begins with has that


def test_commands_know_where_the_prediction_is(ran, config):
    folder, _ = ran
    record = best_record(read_archive(folder)).id
    for words in (("show", folder), ("show", f"{folder}#{record}"), ("show", "softmax_regression")):
        result = ask(*words)
        assert result.exit_code == 0 and "v2 = " in result.output and "v1" in result.output, words
    result = ask("evaluate", "softmax_regression", config, "--json")
    assert json.loads(result.output)["final"]["fitness"] > 0.3
    result = ask("explain", folder, "--evaluations", 20)
    assert result.exit_code == 0 and "linear layer" in result.output, result.output
    page = folder.parent / "page.html"
    assert ask("report", folder, "-o", page).exit_code == 0 and "v2 = " in page.read_text()


def test_what_knows_scalar_labels_only_says_so(ran, tmp_path):
    folder, _ = ran
    for what in (folder, "softmax_regression"):
        for form in ("python", "c", "latex", "json"):
            result = ask("export", what, "--to", form)
            assert result.exit_code == 1
            assert "vector labels" in result.output and result.output.count("\n") <= 3


def test_a_finding_of_it_keeps_its_instructions(ran):
    folder, _ = ran
    data = read_archive(folder)
    found = discovery_of(folder, data, best_record(data))
    assert "v2 = " in found.canonical and found.size > 3


@pytest.mark.parametrize("keys, message", [
    (["program.memory.vectors=2", "program.initial=empty"], "must be at least 3 with vector labels"),
    (["backend=cuda"], "knows no vector labels yet; use 'cpu'"),
    (["tasks.final={type: projected_binary, source: digits}"], "has scalar labels and the search"),
])  # fmt: skip
def test_configs_that_cannot_be_are_told(config, keys, message):
    with pytest.raises(ConfigError, match=message):
        load_config(str(config), keys)


def test_the_reference_searches_alike(config, tmp_path):
    keys = ["budget.individuals=30", "report=false", "evaluation.cache=null"]
    found = [
        start(load_config(str(config), [*keys, f"backend={name}"]), tmp_path / name)
        for name in ("cpu", "reference")
    ]
    assert found[0].search_fitness == pytest.approx(found[1].search_fitness, abs=1e-9)
    assert str(found[0].program) == str(found[1].program)

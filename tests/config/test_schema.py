"""The JSON schema of configs: what an editor accepts, and the command that prints it."""

import json

import jsonschema
import pytest
from commands import zero_

from zero.config import yaml
from zero.config.schema import config_schema
from zero.config.shipped import shipped_configs
from zero.errors import ConfigError

SHIPPED = shipped_configs()
TASKS = "tasks: {search: {type: linear_regression, features: 4}}\n"


@pytest.fixture(scope="module")
def editor():
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def faults(editor, text):
    data = yaml.parse(text, "a file").data  # numbers as in YAML 1.2, as editors read them
    return [".".join(map(str, error.absolute_path)) for error in editor.iter_errors(data)]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_configs_are_right(editor, name):
    assert faults(editor, SHIPPED[name].read_text()) == []


def test_mistakes_are_found_where_they_are(editor):
    assert faults(editor, f"{TASKS}buget: {{individuals: 5}}") == [""]
    assert faults(editor, f"{TASKS}seed: many") == ["seed"]
    assert faults(editor, "tasks: {search: {type: no_such_family}}") == ["tasks.search"]
    cells = SHIPPED["amoebanet_digits"].read_text()
    assert faults(editor, cells + "\nprogram: {}\n") == [""]


def test_islands_may_have_other_tasks(editor):
    one = "{type: linear_regression, features: 4}"
    assert faults(editor, f"tasks: {{search: [{one}, {one}]}}\nislands: {{count: 2}}") == []
    assert faults(editor, f"tasks: {{search: [{one}, 3]}}") == ["tasks.search"]
    assert faults(editor, f"tasks: {{search: {one}, select: [{one}]}}") == ["tasks.select"]


def test_none_is_taken_where_a_file_may_say_it(editor):
    assert faults(editor, TASKS + "evaluation: {cache: none}\nbudget: {seconds: none}") == []
    assert faults(editor, TASKS + "search: {population: none}") == ["search.population"]
    # A path may be any text, that one too.
    table = "tasks: {search: {type: table, path: none, target: y, problem: binary}}"
    assert faults(editor, table) == []


def test_a_kind_has_a_schema_of_its_own():
    digits = yaml.parse(SHIPPED["amoebanet_digits"].read_text(), "a file").data
    for kind, right in (("cells", True), ("programs", False)):
        assert jsonschema.Draft202012Validator(config_schema(kind)).is_valid(digits) is right
    with pytest.raises(ConfigError, match="unknown kind of genome 'cell'; did you mean 'cells'"):
        config_schema("cell")


def test_the_command_prints_it():
    assert json.loads(zero_("schema")[0]) == config_schema()
    assert json.loads(zero_("schema", "--kind", "cells")[0]) == config_schema("cells")
    _, error = zero_("schema", "--kind", "cats", code=1)
    assert error.startswith("error: unknown kind of genome 'cats'")
    assert len(error.splitlines()) == 1

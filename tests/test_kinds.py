"""Kinds of genomes: a third one, in one file, runs, resumes, is archived and shown like the others."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import onemax  # registers the kind
import pytest
from commands import zero_
from jsonschema import Draft202012Validator
from small_runs import archive_bytes

from zero import genomes, search
from zero.config.load import config_to_yaml, load_config, make_config
from zero.config.schema import config_schema
from zero.errors import ConfigError
from zero.runs import run
from zero.runs.archive import lineage, read_archive
from zero.search.section import methods_for

TEXT = f"""
imports: [{Path(onemax.__file__)}]
bits: {{length: 24}}
budget: {{individuals: 600}}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "bits.yaml"
    path.write_text(TEXT)
    return path


def settings(**changes):
    return {"bits": {"length": 24}, "budget": {"individuals": 600}, **changes}


def test_its_config_is_read_checked_and_written(file):
    config = load_config(file)
    assert (config.genomes, config.bits.length, config.search.population) == ("bits", 24, 20)
    again = make_config({**settings(), "name": "bits", "imports": config.imports})
    assert again == config
    assert "length: 24" in config_to_yaml(config)
    with pytest.raises(ConfigError) as raised:
        load_config(file, ["bits.length=0", "search.tournament=50", "serch.x=1"])
    lines = str(raised.value).splitlines()
    assert any("bits.length: must be a whole number from 1 to 1,000, got 0" in x for x in lines)
    assert any("search.tournament: must be at most search.population (20)" in x for x in lines)


def test_nothing_ends_the_run(file):
    with pytest.raises(ConfigError, match="nothing ends the run"):
        load_config(file, ["budget.individuals=none"])


def test_the_schema_has_it(file):
    validator = Draft202012Validator(config_schema())
    assert not list(validator.iter_errors(settings()))
    assert list(validator.iter_errors({**settings(), "bits": {"length": 0}}))


def test_it_runs_from_the_command_line_and_is_shown(file, tmp_path):
    out = tmp_path / "run"
    assert "1" * 24 in zero_("run", file, "--out", out)[0]
    shown = zero_("show", out)[0]
    assert "1" * 24 in shown and "final fitness" in shown
    data = read_archive(out)
    best = data.results["record"]
    assert data.kind == "bits" and data.results["final"] == {"fitness": 1.0}
    record = zero_("show", f"{out}#{best}", "--lineage")[0]
    assert f"record {best}" in record and "flip" in record
    chain = lineage(data, best)
    assert chain[-1].text == "1" * 24 and all(
        sum(a != b for a, b in zip(x.text, y.text, strict=True)) == 1 for x, y in pairwise(chain)
    )
    lines = zero_("run", file, "--json-log", "--out", tmp_path / "b")[0].splitlines()
    event = json.loads(lines[-1])
    assert event["event"] == "outcome" and event["genome"] == "1" * 24
    assert zero_("validate", file, "--data")[0].splitlines()[0] == "bits: no mistakes"


@pytest.mark.parametrize("islands", [1, 2])
def test_a_run_that_was_stopped_ends_with_the_same_archive(tmp_path, islands):
    config = make_config(settings(islands={"count": islands, "migrate_every": 50}))
    run.start(config, tmp_path / "whole")
    found = run.start(config, tmp_path / "cut", max_seconds=0)
    assert found.reason == "max_seconds"
    run.resume(tmp_path / "cut")
    assert archive_bytes(tmp_path / "cut") == archive_bytes(tmp_path / "whole")


@pytest.mark.parametrize("method", methods_for(onemax.BitsSearch))
def test_every_method_that_serves_it_finds_more_ones_than_a_random_string(tmp_path, method):
    outcome = run.start(make_config(settings(search={"method": method})), tmp_path / method)
    assert outcome.individuals == 600
    assert outcome.final.fitness >= 0.7


def test_the_methods_that_serve_it_are_all_that_there_are():
    needed = {"growth", "supernet"}  # strings do not grow, and no network holds them all
    served = [n for n in search.names() if not needed & set(getattr(search.get(n), "NEEDS", ()))]
    assert methods_for(onemax.BitsSearch) == served


def test_commands_for_programs_refuse_it(file, tmp_path):
    for command in (["evaluate", "linear", file], ["bench", "search", file]):
        assert "bits is about bits" in zero_(*command, code=1)[1]
    zero_("run", file, "--out", tmp_path / "run")
    error = zero_("export", tmp_path / "run", "-o", tmp_path / "x.onnx", code=1)[1]
    assert "a run of bits, of which nothing can be exported" in error


def test_a_name_that_is_taken_is_refused():
    class Other(onemax.BitsKind):
        name = "cells"

    with pytest.raises(ConfigError, match="there is one already"):
        genomes.register(Other())


def test_an_unknown_kind_is_told():
    with pytest.raises(ConfigError, match=r"unknown kind of genome 'molecules' \(known: .*bits"):
        genomes.get("molecules")


def test_a_new_process_that_knows_no_such_kind_shows_a_run(file, tmp_path):
    zero_("run", file, "--out", tmp_path / "run")
    best = read_archive(tmp_path / "run").results["record"]
    for what in (tmp_path / "run", f"{tmp_path / 'run'}#{best}", tmp_path / "run" / "archive.h5"):
        done = subprocess.run(
            [sys.executable, "-m", "zero", "show", str(what)], capture_output=True, text=True
        )
        assert done.returncode == 0 and "1" * 24 in done.stdout, done.stderr

"""The gallery's page: every program, figure and command in it is there and right."""

import importlib
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import zero
from zero.cli import main as cli
from zero.config.load import load_config
from zero.errors import ProgramError
from zero.programs import library
from zero.programs.program import parse_program

ROOT = Path(zero.__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="not a checkout")


@pytest.fixture
def gallery(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module("gallery")


def blocks(text, language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [block for its, block in found if its == language]


def test_programs_on_the_page_are_the_librarys(gallery):
    page = gallery.page()
    found = [parse_program(text) for text in blocks(page, "")]
    assert found == [library.program(entry.program) for entry in gallery.ENTRIES]
    assert [f"## {e.title}" for e in gallery.ENTRIES] == re.findall(r"^## .*$", page, re.M)
    assert "<!-- gallery -->\n" in (ROOT / "docs" / "gallery.md").read_text()
    assert "gallery.md" in (ROOT / "mkdocs.yml").read_text()


def test_every_command_can_be_given(gallery):
    commands = [line for b in blocks(gallery.page(), "sh") for line in b.splitlines()]
    assert len(commands) == 2 * len(gallery.ENTRIES)
    for command in commands:
        words = shlex.split(command)
        if words[0] == "python":
            assert (ROOT / words[1]).is_file(), command
            continue
        assert words[0] == "zero", command
        if words[1] in ("evaluate", "explain"):
            library.program(words[2])
        name = words[2] if words[1] == "run" else words[3]
        settings = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
        assert load_config(name, settings).genomes == "programs", command
        result = CliRunner().invoke(cli.app, [words[1], "--help"])
        assert result.exit_code == 0
        options = [word for word in words[2:] if word.startswith("--")]
        assert all(option in result.output for option in options), command


def test_discovered_programs_are_those_of_the_runs(gallery):
    results = json.loads((gallery.RESULTS / "gallery.json").read_text())
    shown = [e for e in gallery.ENTRIES if e.program.startswith("discovered_")]
    assert shown
    for entry in shown:
        found = results[entry.program]
        assert parse_program(found["program"]) == library.program(entry.program)
        assert f"zero run {found['config']} --seed {found['seed']}" == entry.command
        assert f"{found['final_fitness']:.4f}" in gallery.section(entry)


def test_figures_of_the_papers_best_program(gallery):
    pairs = load_config("projected_binary_baseline", check_files=False).tasks.final.pairs

    def rows(learner, seed, accuracy, count=9):
        return [
            {"data": "cifar10", "learner": learner, "seed": seed, "accuracy": accuracy,
             "pair": sorted(pair)}
            for pair in pairs[:count]
        ]  # fmt: skip

    found = [
        *rows("evolved", 0, 0.84), *rows("evolved", 1, 0.85), *rows("evolved", 2, 0.1, count=8),
        *rows("linear", 0, 0.77), *rows("evolved, no noise", 1, 0.83),
        {"data": "cifar10", "learner": "linear", "seed": 0, "accuracy": 0.0, "pair": [0, 1]},
        {"data": "cifar10", "tuned": "linear"},
    ]  # fmt: skip
    text = gallery.best_program({"rows": found})
    assert "| CIFAR-10 | this program | 84.50 | 2 | 84.06 | +0.44 |" in text
    assert "| CIFAR-10 | linear | 77.00 | 1 | 77.65 | -0.65 |" in text
    assert "| CIFAR-10 | noise | -2.00 | 1 |" in text
    assert "network" not in text and "Fashion" not in text


def test_an_entry_whose_program_is_not_shipped_ends_the_build(gallery):
    with pytest.raises(ProgramError, match="unknown program"):
        gallery.section(replace(gallery.ENTRIES[0], program="not_there"))

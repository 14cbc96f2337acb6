"""What is printed fits the terminal, and no word of it is lost."""

import re

import pytest
from commands import zero_

from zero.cells.blocks import BLOCKS
from zero.cells.networks.skeletons import SKELETONS
from zero.cells.ops import CELL_OPS
from zero.cells.published import PUBLISHED
from zero.cells.spaces import SPACES
from zero.config.shipped import header, shipped_configs
from zero.programs import library, ops
from zero.programs.mutation_names import MUTATIONS
from zero.runs.tables import Whole, print_pairs, print_table
from zero.search import methods
from zero.tasks import task_families

HELP = [
    [], ["run"], ["resume"], ["show"], ["evaluate"], ["list"], ["validate"], ["train"], ["export"],
    ["bench"], ["bench", "conformance"], ["bench", "search"], ["bench", "evaluate"],
    ["bench", "nas-table"], ["cells"], ["cells", "list"], ["cells", "show"], ["cells", "count"],
    ["cells", "draw"],
]  # fmt: skip
LISTS = {
    "list ops": [f"{op.name} {op.signature}" for op in ops.by_number()],
    "list tasks": [
        f"{family.__doc__.splitlines()[0]} "
        + " ".join(f"{name} {f.description or ''}" for name, f in family.model_fields.items())
        for family in task_families().values()
    ],
    "list programs": [f"{name} {library.description(name)}" for name in library.names()],
    "list mutations": [f"{name} {text}" for name, text in MUTATIONS.items()],
    "list searches": [f"{name} {text}" for name, text in methods().items()],
    "list configs": [f"{name} {header(path)}" for name, path in shipped_configs().items()],
    "cells list": [f"{c.name} {c.source} {c.preset}" for c in PUBLISHED.values()],
    "cells list ops": [f"{op.name} {op.description}" for op in CELL_OPS.values()],
    "cells list blocks": [f"{b.name} {b.description}" for b in BLOCKS.values()],
    "cells list spaces": [f"{s.name} {s.description}" for s in SPACES.values()],
    "cells list skeletons": [kind.description for kind in SKELETONS.values()],
}


@pytest.fixture(params=[80, 40])
def width(request, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


def check(out, width):
    assert [line for line in out.splitlines() if len(line) > width] == []
    assert "…" not in out and not re.search(r"\w\.\.\.(\s|$)", out.replace("ARGS]...", ""))


@pytest.mark.parametrize("command", HELP, ids=" ".join)
def test_help_fits(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out, _ = zero_(*command, "--help")
    check(out.replace("NAME-001 ...", "").replace("[NAME]...", "").replace("A,B,...", ""), 80)


def test_help_has_whole_descriptions():
    for group in ([], ["bench"], ["cells"]):
        names = re.findall(
            r"^  (\S+)  ", zero_(*group, "--help")[0].partition("Commands:")[2], re.M
        )
        assert len(names) >= 4
        listed = " ".join(zero_(*group, "--help")[0].split())
        for name in names:
            whole = zero_(*group, name, "--help")[0].split("\n\n")[1]
            assert " ".join(whole.split()) in listed


@pytest.mark.parametrize("command", list(LISTS))
def test_lists_fit_and_lose_no_word(command, width):
    out, _ = zero_(*command.split())
    check(out, width)
    printed = set(out.split())
    wanted = {word for text in LISTS[command] for word in text.split()}
    assert wanted - printed - {word + ":" for word in wanted} <= set(task_families())


ROWS = [("first", "a text of several words that is long", 1234), ("second one", "short", 5)]


def test_columns_share_the_room(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "34")
    print_table(("name", "what it is", "figure"), ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "name        what it is      figure",
        "first       a text of         1234",
        "            several words",
        "            that is long",
        "second one  short                5",
    ]


def test_table_without_room_is_told_row_by_row(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "24")
    print_table(("name", "description", "figure"), ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "first",
        "  description  a text of",
        "               several",
        "               words",
        "               that is",
        "               long",
        "  figure       1234",
        "second one",
        "  description  short",
        "  figure       5",
    ]


def test_what_is_to_be_copied_stays_whole(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "30")
    command = "zero resume 'runs/a name with spaces in it'"
    print_pairs([("why", "a reason that takes more than a line"), ("go on", Whole(command))])
    assert capsys.readouterr().out.splitlines() == [
        "why    a reason that takes",
        "       more than a line",
        f"go on  {command}",
    ]
    print_table(("task", "fitness"), [])
    assert capsys.readouterr().out == "task  fitness\n"

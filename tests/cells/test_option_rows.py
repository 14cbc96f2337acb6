"""What is said of options that search methods know nothing of."""

from types import SimpleNamespace

import pytest
from small_cells import small_cells

from zero.cells.domain import CellsDomain
from zero.cells.option_rows import option_words, stopped_rows


@pytest.mark.parametrize(("cells", "words"), [
    ({}, []),
    ({"halving": {"epochs": [1], "keep": 0.5}}, ["successive halving"]),
    ({"halving": {"epochs": None, "brackets": 1}}, ["asha"]),
    ({"halving": {"epochs": None, "brackets": 2}}, ["asha in 2 brackets"]),
    ({"halving": {"epochs": None, "brackets": "all"}}, ["hyperband"]),
    ({"fidelity": {"epochs": 2, "images": 1500}, "extrapolation": {"after": 3}},
     ["candidates with 2 epochs, 1,500 images", "stopped by their curves' extrapolation"]),
])  # fmt: skip
def test_words(cells, words):
    assert option_words(cells) == words


def candidates(*reasons, island=0):
    return [SimpleNamespace(reason=r, same_as=-1, island=island) for r in reasons]


def test_how_many_were_stopped():
    halved = "stopped by cells.halving after 2 epochs"
    foreseen = "stopped by cells.extrapolation after 3 epochs: accuracy ..."
    records = candidates("", halved, halved, foreseen, "diverged")
    both = {"halving": {"epochs": [2]}, "extrapolation": {"curves": 10}}
    assert stopped_rows(both, records) == [("stopped", "2 by halving, 1 by extrapolation")]
    assert stopped_rows({}, records) == []


def test_why_extrapolation_stopped_none():
    cells = {"extrapolation": {"curves": 3}}
    few = candidates("", "", "", island=0) + candidates("", "", island=1)
    ((_, told),) = stopped_rows(cells, few)
    assert told == "0 by extrapolation (only with 3 that an island trained in full)"
    assert stopped_rows(cells, few + candidates("", "")) == [("stopped", "0 by extrapolation")]


def test_a_run_says_once_from_when_on_candidates_are_stopped():
    domain = CellsDomain(small_cells(cells={"extrapolation": {"after": 1, "curves": 7}}))
    (told,) = domain.notes()
    assert told == (
        "cells.extrapolation: an island stops nothing before 7 of its candidates are trained in full"
    )
    assert CellsDomain(small_cells()).notes() == []

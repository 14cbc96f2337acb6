"""Records of cells in an archive: what is written comes back, what contradicts itself is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zero.cells.kind import CELLS
from zero.cells.records import CellRecord
from zero.errors import ArchiveError
from zero.runs.archive import (
    ArchiveData,
    ExperimentData,
    read_archive,
    write_archive,
)
from zero.runs.records import records_from_tree, records_tree
from zero.system.trees import read_tree, write_tree


def make_record(number, parent=-1, epochs=2, **changes):
    values = dict(
        id=number, parent=parent, island=0, individuals=number, steps=1, mutation="op",
        fitness=0.5, is_best=True, select_fitness=math.nan, text="amoebanet: ...", accuracy=0.5,
        parameters=1000, multiply_adds=10**12, activation_bytes=10**10, latency=math.nan,
        train_steps=30, seed=2**64 - 1, same_as=-1, reason="",
        curve=np.arange(2.0 * epochs).reshape(epochs, 2),
    )  # fmt: skip
    return CellRecord(**{**values, **changes})


def make_data(records, results=None):
    return ArchiveData(7, "seed: 7\n", [], "0", [ExperimentData(records)], results, "cells")


def make_results(**changes):
    part = {"fitness": 0.5, "more": [1, 2]}
    return {
        "genome": "amoebanet: ...", "record": 1, "reason": "individuals", "individuals": 2,
        "train_steps": 60, "search": part, "select": part, "final": None, **changes,
    }  # fmt: skip


@st.composite
def records(draw):
    found = []
    for number in range(1, 1 + draw(st.integers(0, 5))):
        epochs = draw(st.integers(0, 4))
        curve = draw(st.lists(st.floats(), min_size=2 * epochs, max_size=2 * epochs))
        found.append(make_record(
            number, draw(st.sampled_from([-1, *range(1, number)])), reason=draw(st.text()),
            fitness=draw(st.floats()), seed=draw(st.integers(0, 2**64 - 1)),
            curve=np.array(curve).reshape(epochs, 2), mutation=draw(st.text()),
        ))  # fmt: skip
    return found


@given(records())
@settings(max_examples=100, deadline=None, database=None)
def test_everything_comes_back(rows):
    back = records_from_tree(records_tree(rows, CELLS), CELLS, 0)
    assert len(back) == len(rows)
    for record, wanted in zip(back, rows, strict=True):
        for name, value in vars(wanted).items():
            np.testing.assert_array_equal(getattr(record, name), value, strict=name == "curve")


def test_an_archive_comes_back(tmp_path):
    data = make_data([make_record(1), make_record(2, 1, epochs=0)], make_results())
    write_archive(tmp_path / "a.h5", data)
    back = read_archive(tmp_path / "a.h5")
    assert (back.kind, back.seed, back.results) == ("cells", 7, make_results())
    assert [len(r.curve) for r in back.experiments[0].records] == [2, 0]


@pytest.mark.parametrize(("change", "match"), [
    (lambda records: records["epochs"].__setitem__(0, 3), "epochs"),
    (lambda records: records["epochs"].__setitem__(0, -1), "epochs"),
    (lambda records: records["parameters"].__setitem__(0, -1), "parameters"),
    (lambda records: records.pop("reason"), "'reason' is missing"),
    (lambda records: records.update(seed=np.zeros(2)), "'seed' is float64"),
    (lambda records: records["parent"].__setitem__(0, 2), "its own ancestor"),
    (lambda records: records["mutation"].__setitem__(0, 5), "mutation has no name"),
])  # fmt: skip
def test_records_that_cannot_be_are_refused(tmp_path, change, match):
    path = tmp_path / "a.h5"
    write_archive(path, make_data([make_record(1), make_record(2, 1)]))
    tree = read_tree(path, "archive", 2)
    change(tree["experiments"][0]["records"])
    write_tree(path, tree, "archive", 2)
    with pytest.raises(ArchiveError, match=match) as caught:
        read_archive(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("results", [
    {"record": 9}, {"genome": None}, {"search": {}}, {"final": {"fitness": "high"}},
])  # fmt: skip
def test_results_that_cannot_be_are_refused(tmp_path, results):
    with pytest.raises(ValueError):
        write_archive(tmp_path / "a.h5", make_data([make_record(1)], make_results(**results)))
    assert not (tmp_path / "a.h5").exists()


def test_a_kind_that_there_is_not(tmp_path):
    write_archive(tmp_path / "a.h5", make_data([]))
    tree = read_tree(tmp_path / "a.h5", "archive", 2)
    write_tree(tmp_path / "a.h5", {**tree, "kind": "molecules"}, "archive", 2)
    with pytest.raises(ArchiveError, match="'kind' is 'molecules'"):
        read_archive(tmp_path / "a.h5")

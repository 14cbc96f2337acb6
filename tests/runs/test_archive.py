"""A run folder and its archive: what is written comes back, what is wrong is named."""

import copy
import random
import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zero.errors import ArchiveError
from zero.programs.records import Record
from zero.runs import archive
from zero.runs.archive import (
    ArchiveData,
    CurvePoint,
    ExperimentData,
    Summary,
    best_record,
    find_record,
    lineage,
    read_archive,
    write_archive,
)
from zero.runs.checkpoints import CheckpointFolder
from zero.system.trees import read_tree, write_tree

OPS = ["NO_OP", "SCALAR_SUM", "SCALAR_DIFF"]
FLIPS = 300
CHANGES = 150


def make_record(number, parent=-1, length=6, num_tasks=3, **changes):
    values = dict(
        id=number,
        parent=parent,
        island=number % 2,
        individuals=10 * number,
        steps=number + 1,
        mutation=["alter_parameter", "insert_instruction"][number % 2],
        fitness=0.1 * number,
        is_best=number % 3 == 0,
        select_fitness=float("nan"),
        task_fitness=np.linspace(0, 1, num_tasks),
        text=f"def Setup():\n  s{number} = 0.5\n",
        code=np.arange(length * 4, dtype=np.int16).reshape(length, 4) % 3,
        consts=np.full((length, 3), number / 7),
        sizes=np.array([1, 2, 3], dtype=np.int16),
    )
    return Record(**{**values, **changes})


def make_data(**changes):
    first = ExperimentData(
        records=[make_record(0), make_record(3, 0), make_record(4, 3, fitness=0.9)],
        curve=[CurvePoint(10, 100, 0.5, 0.25, 0.125, 3), CurvePoint(20, 200, 0.75, 0.5, 0.0, 9)],
        summary=Summary("individuals", 20, 200, 0.9, 0.8, 4),
    )
    second = ExperimentData(records=[make_record(7, length=9, num_tasks=1, fitness=0.2)])
    scores = {
        "fitness": 0.5,
        "task_names": ["a", "b"],
        "task_fitness": np.array([0.25, 0.75]),
    }
    results = {
        "program": "def Setup():\n",
        "record": 3,
        "reason": "Ctrl-C",
        "individuals": 20,
        "train_steps": 200,
        "search": scores,
        "select": scores,
        "final": None,
    }
    values = dict(
        seed=2**63 + 1,
        config="seed: 1\n# é\n",
        ops=OPS,
        zero_version="0.1.0",
        experiments=[first, second],
        results=results,
    )
    return ArchiveData(**{**values, **changes})


# --- the archive ----------------------------------------------------------------------------------


def test_everything_comes_back(tmp_path):
    data = make_data()
    write_archive(tmp_path / "archive.h5", data)
    back = read_archive(tmp_path / "archive.h5")
    assert (back.seed, back.config, back.ops) == (data.seed, data.config, data.ops)
    assert back.zero_version == "0.1.0"
    for experiment, expected in zip(back.experiments, data.experiments, strict=True):
        assert experiment.curve == expected.curve
        assert repr(experiment.summary) == repr(expected.summary)  # repr, as NaN is not equal
        for record, wanted in zip(experiment.records, expected.records, strict=True):
            for name, value in vars(wanted).items():
                np.testing.assert_array_equal(getattr(record, name), value, strict=True)
    assert back.results["reason"] == "Ctrl-C" and back.results["final"] is None
    assert back.results["search"]["task_names"] == ["a", "b"]
    assert back.results["search"]["task_fitness"].tolist() == [0.25, 0.75]


floats = st.floats(width=64)
counts = st.integers(0, 2**63 - 1)


@st.composite
def archives(draw):
    number = 0
    experiments = []
    for _ in range(draw(st.integers(0, 3))):
        length, num_tasks = draw(st.integers(0, 5)), draw(st.integers(0, 3))
        records = []
        for _ in range(draw(st.integers(0, 4))):
            number += draw(st.integers(1, 1000))
            records.append(
                make_record(
                    number,
                    draw(st.sampled_from([-1, *(r.id for r in records)])),
                    length,
                    num_tasks,
                    mutation=draw(st.text()),
                    fitness=draw(floats),
                    is_best=draw(st.booleans()),
                    individuals=draw(counts),
                    text=draw(st.text()),
                    sizes=np.array([0, length, 0], dtype=np.int16),
                )
            )
        points = draw(
            st.lists(st.builds(CurvePoint, counts, counts, floats, floats, floats, counts))
        )
        summary = Summary(draw(st.none() | st.text()), draw(counts), draw(counts), draw(floats))
        experiments.append(ExperimentData(records, points, summary))
    return make_data(experiments=experiments, results=None, config=draw(st.text()))


@settings(max_examples=50, deadline=None)
@given(data=archives())
def test_any_archive_reads_back_to_one_that_writes_the_same_bytes(tmp_path_factory, data):
    first, second = (tmp_path_factory.getbasetemp() / name for name in ("a.h5", "b.h5"))
    write_archive(first, data)
    back = read_archive(first)
    write_archive(second, back)
    assert first.read_bytes() == second.read_bytes()
    texts = [[r.text for r in e.records] for e in data.experiments]
    assert [[r.text for r in e.records] for e in back.experiments] == texts


def test_a_run_still_going_can_be_read(tmp_path):
    write_archive(tmp_path / "archive.h5", make_data(experiments=[ExperimentData()], results=None))
    back = read_archive(tmp_path)  # the run's folder will do
    assert back.results is None and back.experiments[0].summary.reason is None
    assert best_record(back) is None


def test_plain_hdf5_readers_find_the_columns(tmp_path):
    write_archive(tmp_path / "archive.h5", make_data())
    with h5py.File(tmp_path / "archive.h5") as file:
        records = file["experiments/0/records"]
        assert records["id"][:].tolist() == [0, 3, 4]
        assert records["code"].shape == (3, 6, 4) and records["code"].dtype == np.int16
        assert records["text"].asstr()[1].startswith("def Setup():")
        assert file["ops"].asstr()[:].tolist() == OPS


@pytest.mark.parametrize(
    "records",
    [
        [make_record(1), make_record(1)],
        [make_record(1, parent=2), make_record(2, parent=1)],
        [make_record(1, parent=1)],
        [make_record(1, parent=-2)],
        [make_record(-1)],
        [make_record(1), make_record(2, length=7)],
        [make_record(1, sizes=np.array([3, 3, 3]))],
        [make_record(1, sizes=np.array([3, -1, 3]))],
        [make_record(1, code=np.full((6, 4), 3, dtype=np.int16))],
        [make_record(1, code=np.full((6, 4), 2**16))],
        [make_record(1, consts=np.zeros((5, 3)))],
    ],
)
def test_contradictions_are_refused_before_the_old_archive_is_lost(tmp_path, records):
    write_archive(tmp_path / "archive.h5", make_data())
    before = (tmp_path / "archive.h5").read_bytes()
    with pytest.raises(ValueError):
        write_archive(
            tmp_path / "archive.h5", make_data(experiments=[ExperimentData(records)], results=None)
        )
    assert (tmp_path / "archive.h5").read_bytes() == before


def places(tree, path=()):
    """Returns the path of each value in a tree."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in children:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def test_a_sound_file_with_wrong_content_is_refused(tmp_path):
    rng = random.Random(3)
    write_archive(tmp_path / "good.h5", make_data())
    good = read_tree(tmp_path / "good.h5", "archive", 1)
    odd = [None, 5, -7, True, 0.5, "text", [], ["a"], {}, np.zeros(3), np.zeros((0, 4), np.int16)]
    refused = 0
    for _ in range(CHANGES):
        tree = copy.deepcopy(good)
        *above, key = rng.choice(list(places(tree)))
        part = tree
        for step in above:
            part = part[step]
        value = part[key]
        if rng.random() < 0.2:
            del part[key]
        elif isinstance(value, np.ndarray) and rng.random() < 0.5:
            part[key] = rng.choice([value[:-1], value.astype(np.float32), value * -1])
        else:
            part[key] = rng.choice(odd)
        write_tree(tmp_path / "bad.h5", tree, "archive", 1)
        try:
            data = read_archive(tmp_path / "bad.h5")
            best_record(data)
            for record in data.experiments[0].records if data.experiments else []:
                lineage(data, record.id)
        except ArchiveError as error:
            refused += 1
            assert "bad.h5 is not a sound archive: " in str(error)
    assert refused > CHANGES / 2


def test_damaged_bytes_are_noticed(tmp_path):
    rng = random.Random(4)
    write_archive(tmp_path / "good.h5", make_data())
    good = (tmp_path / "good.h5").read_bytes()
    for _ in range(FLIPS):
        bad = bytearray(good)
        if rng.random() < 0.3:
            del bad[rng.randrange(len(bad)) :]
        else:
            for _ in range(rng.randint(1, 8)):
                bad[rng.randrange(len(bad) if rng.random() < 0.7 else 512)] = rng.randrange(256)
        (tmp_path / "bad.h5").write_bytes(bad)
        try:
            write_archive(tmp_path / "again.h5", read_archive(tmp_path / "bad.h5"))
            assert (tmp_path / "again.h5").read_bytes() == good
        except ArchiveError as error:
            assert "bad.h5" in str(error)


def test_newer_and_foreign_files(tmp_path):
    write_tree(tmp_path / "newer.h5", {"what": "ever"}, "archive", archive.ARCHIVE_VERSION + 1)
    with pytest.raises(ArchiveError, match="newer zero"):
        read_archive(tmp_path / "newer.h5")
    CheckpointFolder(tmp_path).save({})
    with pytest.raises(ArchiveError, match="holds: checkpoint; expected: archive"):
        read_archive(tmp_path / "checkpoint-000001.h5")
    with pytest.raises(ArchiveError, match=r"archive\.h5"):
        read_archive(tmp_path)


def test_lineage_goes_from_the_start_to_the_record():
    data = make_data()
    assert [r.id for r in lineage(data, 4)] == [0, 3, 4]
    assert [r.id for r in lineage(data, 7)] == [7]
    with pytest.raises(ArchiveError, match="no record 5; its ids go from 0 to 7"):
        lineage(data, 5)


def test_lineage_stops_at_missing_parents_and_circles():
    records = [make_record(1, 2), make_record(2, 1), make_record(3, 99), make_record(4, 3)]
    data = make_data(experiments=[ExperimentData(records)], results=None)
    assert [r.id for r in lineage(data, 4)] == [3, 4]
    assert [r.id for r in lineage(data, 2)] == [1, 2]


def test_best_record():
    data = make_data()
    assert best_record(data).id == 3  # the one that the results name
    data.results = None
    # Its neighbour's fitness may be on other tasks: nobody took it for the best one.
    assert best_record(data).id == 3
    find_record(data, 4).is_best = True
    assert best_record(data).id == 4
    data.experiments[1].records.append(make_record(8, fitness=float("nan")))
    data.experiments[1].records.append(make_record(9, fitness=0.9))
    assert best_record(data) is find_record(data, 4)


def test_import_leaves_heavy_libraries_alone():
    code = "import sys, zero.runs.archive; print({'h5py', 'numba', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n"

"""JSON holds all of a model, and what is foreign or damaged is refused in one line."""

import copy
import json

import numpy as np
import pytest
from exported_tables import CELLS, make, table

from zero.errors import ArchiveError, ZeroError
from zero.programs.export import content
from zero.programs.export.json import from_json
from zero.programs.library import OF_CLASSES, PROGRAMS, program
from zero.programs.model import TableModel
from zero.programs.simplified import simplify


def same(a, b):
    """Whether two trees are equal, bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray | float):
        a, b = np.asarray(a), np.asarray(b)
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("problem", ["multiclass", "regression", "binary"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("matrix", [False, True])
def test_a_model_comes_back_bit_for_bit(problem, dtype, matrix):
    model = make(problem, dtype, matrix)
    banks = model.trained.memories[0]
    banks.s[2:4], banks.v[1, :3] = (np.inf, -np.inf), (-0.0, 5e-324, 1 / 3)
    banks.v[1, 3:4] = np.nan
    again = from_json(content(model, "json"))
    assert same(again.to_tree(), model.to_tree())
    if banks.v.shape[1] > 4:
        assert np.isnan(again.trained.memories[0].v[1, 3])


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in OF_CLASSES])
def test_a_program_alone_comes_back(name):
    text = content(program(name), "json")
    assert json.loads(text)["model"] is None
    assert from_json(text) == simplify(program(name))


JUNK = [
    None,
    True,
    -1,
    0,
    10**30,
    1.5,
    "",
    "nan",
    "x",
    "NaN",
    [],
    [[]],
    {},
    {"a": 1},
    [None],
    1e308,
    "float16",
]


def places(tree, at=()):
    """Yields the path of everything in a tree."""
    yield at
    items = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else []
    )
    for key, part in items:
        yield from places(part, (*at, key))


def mutated(rng, tree):
    tree = copy.deepcopy(tree)
    every = list(places(tree))
    path = every[rng.integers(1, len(every))]
    part = tree
    for key in path[:-1]:
        part = part[key]
    how = rng.integers(4)
    if how == 0:
        del part[path[-1]]
    elif how == 1 and isinstance(part, list):
        part.append(copy.deepcopy(part[path[-1]]))
    elif how == 2 and isinstance(part, dict):
        part[str(rng.choice(["extra", "", "."]))] = part[path[-1]]
    else:
        part[path[-1]] = JUNK[rng.integers(len(JUNK))]
    return tree


def read(text, where="the file"):
    """Returns what the text holds, used a little; None where it is refused as it should be."""
    try:
        found = from_json(text, where)
    except ArchiveError as error:
        assert "\n" not in str(error) and str(error).startswith(where)
        return None
    if isinstance(found, TableModel):
        assert same(from_json(content(found, "json")).to_tree(), found.to_tree())
        try:
            found.predict_table(table(CELLS))
        except ZeroError:
            pass  # columns of other names, kinds or forms
    return found


@pytest.mark.parametrize("problem", ["multiclass", "regression"])
def test_mutated_files_are_refused_or_hold_another_model(problem):
    rng = np.random.default_rng(0)
    tree = json.loads(content(make(problem, matrix=problem == "regression"), "json"))
    refused = sum(read(json.dumps(mutated(rng, tree))) is None for _ in range(400))
    assert refused > 150


def test_damaged_texts_are_refused_or_hold_another_model():
    rng = np.random.default_rng(1)
    text = content(make(), "json")
    refused = 0
    for _ in range(300):
        damaged = bytearray(text)
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        if rng.random() < 0.3:
            damaged = damaged[: rng.integers(len(damaged))]
        refused += read(bytes(damaged)) is None
    assert refused > 100


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no program of zero"),
        ("[" * 100_000, "no program of zero"),
        ("NaN", "NaN is no JSON"),
        ("{}", "format: Field required"),
        ('{"format": "zero program", "version": 2}', "version"),
        (b"\xff\xfe\xff", "no program of zero"),
    ],
)
def test_what_is_no_model(text, says):
    with pytest.raises(ArchiveError, match=says):
        from_json(text)


def test_contradictions_are_named():
    tree = json.loads(content(make(), "json"))

    def error(**changes):
        with pytest.raises(ArchiveError) as raised:
            from_json(json.dumps({**tree, "model": {**tree["model"], **changes}}))
        return str(raised.value)

    assert "outputs" in error(task_keys=[1])
    assert "64 bits" in error(seed_key="9" * 20)
    assert "memory s has the shape" in error(
        memories=[{**m, "s": [0.0]} for m in tree["model"]["memories"]]
    )
    prepared = tree["model"]["preparation"]
    assert "mean has the shape" in error(preparation={**prepared, "mean": [0.0]})
    assert "Unable to parse" in error(step="x") or "step" in error(step="x")

"""A small table with columns of every kind, and a model that is trained on it."""

import numpy as np
from helpers import parse

from zero.data.columns import of_texts
from zero.data.prepare import fit, plan_column, raw_features
from zero.programs.interpreter import cpu
from zero.programs.library import program
from zero.programs.model import TableModel
from zero.programs.trained import train

NAMES = ("amount", "colour", "code", "day", "flag")
KINDS = ("number", "category", "category", "date", "number")
CELLS = [
    ("1.5", "red", "1", "2024-01-31", "True"), ("-2e3", "blue", "2", "1969-12-31", "False"),
    ("", "red", "2", "2000-02-29T12:30", "true"), ("+7.", "grün", "", "1900-03-01 23:59:59.5", ""),
    (" .25 ", "grün", "1", "2024-06-15T01:02:03+05:30", "False"), ("1e2", "blue", "3", "", "True"),
    ("3", "red", "3", "2023-12-31", "False"), ("n/a", 'a "quoted" ??/ \\ NAME_x', "1", "2016-02-29", "True"),
]  # fmt: skip


def column(name, cells):
    texts = ["" if cell is None else str(cell).strip() for cell in cells]
    empty = {"", "n/a", "NaN", "NULL"}
    distinct = sorted(set(texts) - empty)
    codes = [-1 if text in empty else distinct.index(text) for text in texts]
    return of_texts(name, np.array(codes, np.int32), distinct)


def table(rows):
    return {
        name: column(name, cells)
        for name, cells in zip(NAMES, zip(*rows, strict=True), strict=True)
    }


def make(problem="multiclass", dtype="float64", matrix=False, text=None):
    """Returns a model that was trained on `CELLS`, repeated."""
    rows = CELLS * 4
    found = table(rows)
    plans = [plan_column(found[name], kind) for name, kind in zip(NAMES, KINDS, strict=True)]
    raw = raw_features(plans, found)
    rng = np.random.default_rng(3)
    y = rng.normal(size=len(rows)) * 50 + 1000
    projection = rng.normal(size=(raw.shape[1], 3)) if matrix else None
    regression = problem == "regression"
    prepared = fit(plans, raw, target=y if regression else None, matrix=projection)
    x = prepared.features(found)
    classes = {"regression": (), "binary": ("no", "yes"), "multiclass": ("a", 'b"\\', "ü??=")}[
        problem
    ]
    labels = rng.integers(0, max(2, len(classes)), len(rows))
    outputs = [(labels == k) * 1.0 for k in range(len(classes))]
    if regression:
        outputs = [(y - prepared.target_mean) / prepared.target_scale]
    elif problem == "binary":
        outputs = outputs[1:]
    module = cpu.build(dtype, {"float64": 4, "float32": 16}[dtype])
    metric = "rms_error" if regression else "accuracy"
    learned = parse(text) if text else program("linear")
    trained = train(learned, x, outputs, metric, dtype=dtype, module=module)
    about = {"final_fitness": "0.9", "note": 'ends */ "here" ?? """ \\'}
    return TableModel(trained, prepared, problem, classes, "the target", 1, {}, about)

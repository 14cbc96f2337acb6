"""Small runs over cells for tests: a config that takes a second or two, on the reference backend."""

import itertools

import numpy as np
from small_runs import _merged

from zero.cells.config import CellsConfig
from zero.config.load import make_config

SETTINGS = {
    "seed": 3,
    "backend": "reference",
    "cells": {
        "space": "nas_bench_201",
        "skeleton": {"normal_cells": 1, "filters": 2},
        "images": {"source": "digits", "train": 60, "valid": 60, "test": 60},
        "training": {"epochs": 2, "batch": 20, "learning_rate": 0.1},
    },
    "search": {"population": 5, "tournament": 3},
    "islands": {"migrate_every": 4, "migrants": 2},
    "budget": {"individuals": 18},
}


def small_cell_settings(**changes) -> dict:
    """Returns the settings of a small run; each section given is merged into its own."""
    return _merged(SETTINGS, changes)


def small_cells(**changes) -> CellsConfig:
    """Returns the config of `small_cell_settings`."""
    return make_config(small_cell_settings(**changes))


def write_table(path, ops=("none", "skip_connect", "nor_conv_3x3"), seed=0):
    """Writes a table of all cells of these ops with drawn accuracies, in percent; returns its path."""
    rng = np.random.default_rng(seed)
    lines = ["arch,valid,test"]
    for a, b, c, d, e, f in itertools.product(ops, repeat=6):
        arch = f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"
        lines.append(f"{arch},{rng.uniform(10, 90):.3f},{rng.uniform(10, 90):.3f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def table_settings(path, **changes) -> dict:
    """Returns the settings of a small run over the table that `write_table` makes."""
    cells = {
        "space": "nas_bench_201",
        "ops": ["none", "skip_connect", "nor_conv_3x3"],
        "skeleton": {"normal_cells": 1, "filters": 2},
        "evaluate": {"table": str(path), "select": "valid", "report": "test"},
    }
    own = {k: v for k, v in SETTINGS.items() if k not in ("cells", "backend")}
    return _merged({**own, "cells": cells}, changes)

"""The kinds of run that things happen to: small ones, of a second or two, and what is promised of them."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zero.config.load import config_to_yaml, make_config
from zero.errors import ZeroError
from zero.runs.archive import read_archive
from zero.runs.folder import RunFolder
from zero.runs.progress import PlainReporter

CHECKPOINT_SECONDS = 0.1
# What no two runs have in common: clock times, states on the way, who works there.
NEVER_THE_SAME = ("run.json", "log.jsonl", "log.old.jsonl", ".lock")

PROGRAMS: dict[str, Any] = {
    "seed": 3,
    "program": {
        "memory": {"scalars": 4, "vectors": 3, "matrices": 0},
        "setup": {"ops": ["SCALAR_CONST_SET"], "size": {"max": 3}},
        "predict": {"ops": ["VECTOR_INNER_PRODUCT", "SCALAR_SUM"], "size": {"max": 3}},
        "learn": {
            "ops": ["SCALAR_DIFF", "SCALAR_PRODUCT", "SCALAR_VECTOR_PRODUCT", "VECTOR_SUM"],
            "size": {"max": 6},
        },
    },
    "tasks": {"search": {"type": "linear_regression", "features": 4, "train": 20, "valid": 10}},
    "search": {"population": 30, "tournament": 5},
    "islands": {"count": 2, "migrate_every": 500, "migrants": 4},
    "experiments": {"max": 2, "individuals": 12_000, "new_tasks": True},
    "evaluation": {"cache": {"size": 1000}},  # the rest of a checkpoint is small
    "budget": {"individuals": 24_000},
}
TABLE = [
    "budget.individuals=3000", "search.population=50", "islands.count=2",
    "islands.migrate_every=300", "evaluation.cache={size: 1000}",
]  # fmt: skip
CELLS: dict[str, Any] = {
    "seed": 3,
    "backend": "cpu",
    "cells": {
        "space": "nas_bench_201",
        "skeleton": {"normal_cells": 1, "filters": 2},
        "images": {"source": "digits", "train": 60, "valid": 60, "test": 60},
        "training": {"epochs": 2, "batch": 20, "learning_rate": 0.1},
    },
    "search": {"population": 5, "tournament": 3},
    "islands": {"count": 2, "migrate_every": 4, "migrants": 2},
    "budget": {"individuals": 24},
}
TRAINING: dict[str, Any] = {
    **CELLS,
    "cells": {
        **CELLS["cells"],
        "images": {"source": "digits", "train": 600, "valid": 100, "test": 100},
        "skeleton": {"normal_cells": 1, "filters": 4},
        "training": {"epochs": 8, "batch": 20, "learning_rate": 0.1, "pad": 1},
    },
}
CELL = "nas_bench_201_skip"
PIPELINES: dict[str, Any] = {
    "seed": 3,
    "pipelines": {
        "families": ["ridge", "logistic_regression", "tree"],
        "folds": 3,
    },
    "search": {"method": "random_search"},
    "islands": {"count": 2},
    "budget": {"individuals": 8},
}


@dataclass(frozen=True)
class Kind:
    """A kind of run.

    name: of it. config: of the run. home: a folder of its own, with its data.
    promised: names of files, patterns of `Path.match`, that are the same bytes whatever interrupts the run.
    """

    name: str
    config: Any
    home: Path
    promised: Sequence[str]

    def start(self, folder: Path, **options: Any) -> None:
        """Runs in a new folder, to the end."""
        if self.name == "training":
            from zero.cells import train_run

            train_run.start(CELL, self.config, folder, threads=1, reporter=_told(), **options)
            return
        from zero.runs import run

        run.start(self.config, folder, _told(), **self._every(options))

    def resume(self, folder: Path, **options: Any) -> None:
        """Goes on to the end."""
        if self.name == "training":
            from zero.cells import train_run

            train_run.resume(folder, reporter=_told(), **options)
            return
        from zero.runs import run

        run.resume(folder, _told(), **self._every(options))

    def go(self, folder: Path, **options: Any) -> None:
        """Starts in the folder, or goes on where a run has begun there."""
        begun = (folder / RunFolder.INFO).exists()
        (self.resume if begun else self.start)(folder, **options)

    def _every(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"checkpoint_seconds": CHECKPOINT_SECONDS, **options}

    def command(self, folder: Path) -> list[str]:
        """Returns the command line of a process of its own that does as `go`."""
        zero = [sys.executable, "-m", "zero"]
        if (folder / RunFolder.INFO).exists():
            return [*zero, "resume", str(folder), "--quiet"]
        path = folder.with_name(f"{folder.name}.yaml")  # others begin at the same time
        path.write_text(config_to_yaml(self.config))
        if self.name == "training":
            cell = [CELL, str(path), "--threads", "1"]
            return [*zero, "train", *cell, "--out", str(folder), "--quiet"]
        return [*zero, "run", str(path), "--out", str(folder), "--quiet"]

    def outcome(self, folder: Path) -> dict[str, bytes]:
        """Returns what is promised of an ended run: its files by name, those of clock times without them."""
        found = {}
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = str(path.relative_to(folder))
            if name in NEVER_THE_SAME or name.startswith("checkpoints/"):
                continue
            if name == RunFolder.TRAINED:
                figures = json.loads(path.read_text())
                for key in ("seconds", "images_per_second", "run", "sha256"):
                    figures.pop(key, None)
                found[name] = json.dumps(figures).encode()
            elif any(path.match(pattern) for pattern in self.promised):
                found[name] = path.read_bytes()
            else:  # that it is there
                found[name] = b""
        return found

    def check_archive(self, folder: Path) -> int:
        """Returns how much the run's archive (or figures) holds, -1 if there is none yet.

        Raises:
            ZeroError: it cannot be opened.
        """
        if self.name == "training":
            from zero.cells.train_run import FIGURES, read_figures

            return read_figures(folder)["epochs"] if (folder / FIGURES).exists() else -1
        if not (folder / RunFolder.ARCHIVE).exists():
            return -1
        data = read_archive(folder)
        points = sum(len(e.curve) for e in data.experiments)
        return points if data.results is None else points + 1

    def has_ended(self, folder: Path) -> bool:
        """Returns whether the run's archive, or figures, say that it is over."""
        try:
            if self.name == "training":
                from zero.cells.train_run import read_figures

                return read_figures(folder)["reason"] == "epochs"
            results = read_archive(folder).results
        except ZeroError:
            return False
        return bool(results and results["reason"] == "individuals" and results["final"] is not None)


def _told() -> PlainReporter:
    return PlainReporter(sys.stdout, interval=0.5)


def kinds(home: Path, names: Sequence[str] | None = None) -> list[Kind]:
    """Returns the kinds of these names, all by default; their data are written to `home`."""
    made = []
    for name in names or MAKERS:
        folder = home / name
        folder.mkdir(parents=True, exist_ok=True)
        config, promised = MAKERS[name](folder)
        made.append(Kind(name, config, folder, promised))
    return made


def _programs(home: Path) -> tuple[Any, Sequence[str]]:
    own = home / "own.py"
    own.write_text("ANSWER = 42\n")
    return make_config({**PROGRAMS, "imports": [str(own)]}), ("archive.h5", "best.txt")


def _table(home: Path) -> tuple[Any, Sequence[str]]:
    from zero.config.load import load_config

    return load_config("own_csv", TABLE), ("*.h5", "best.txt", "test_predictions.csv")


def _cells(home: Path) -> tuple[Any, Sequence[str]]:
    return make_config(CELLS), ("*.h5", "best.txt", "*.svg")


def _training(home: Path) -> tuple[Any, Sequence[str]]:
    from zero.cells.train_config import training_config

    path = home / "training.yaml"
    path.write_text(config_to_yaml(make_config(TRAINING)))
    return training_config(path), ("*.h5", "genome.txt", "*.svg")


def _pipelines(home: Path) -> tuple[Any, Sequence[str]]:
    # Trained pipelines are no bytes to compare: scikit-learn's objects hold addresses when written.
    import numpy as np

    rng = np.random.default_rng(3)
    size, weight = rng.normal(size=150), rng.exponential(size=150)
    colour = rng.choice(["red", "green", "blue"], 150)
    signal = size + weight + 1.5 * (colour == "red") + 0.3 * rng.normal(size=150)
    target = np.where(signal > np.median(signal), "yes", "no")
    rows = [
        f"{a:.4f},{b:.4f},{c},{y}" for a, b, c, y in zip(size, weight, colour, target, strict=True)
    ]
    path = home / "table.csv"
    path.write_text("\n".join(["size,weight,colour,y", *rows]) + "\n")
    own = {**PIPELINES["pipelines"], "table": {"path": str(path), "target": "y"}}
    config = make_config({**PIPELINES, "pipelines": own})
    return config, ("archive.h5", "best.txt", "leaderboard.json", "model.json")


MAKERS: dict[str, Callable[[Path], tuple[Any, Sequence[str]]]] = {
    "programs": _programs,
    "table": _table,
    "cells": _cells,
    "training": _training,
    "pipelines": _pipelines,
}


@dataclass(frozen=True)
class Whole:
    """An unbroken run of a kind: its folder, what is promised of it, and its seconds."""

    kind: Kind
    folder: Path
    outcome: dict[str, bytes]
    seconds: float


def whole(kind: Kind) -> Whole:
    """Runs a kind, unbroken; where a whole run of it is there already, returns that.

    Twice, in processes of their own: the first one compiles. What is promised must be the same in both.
    """
    from durable.trials import Trial

    outcomes, seconds = [], 0.0
    for number in range(2):
        folder = kind.home / f"whole-{number}"
        began = time.monotonic()
        trial = Trial(lambda folder=folder: kind.start(folder))
        assert trial.wait(1200), f"{kind.name}: an unbroken run does not end"
        seconds = time.monotonic() - began
        text = trial.printed()
        trial.end()
        assert trial.code == 0, text
        outcomes.append(kind.outcome(folder))
    assert outcomes[0] == outcomes[1], f"{kind.name}: two unbroken runs differ"
    return Whole(kind, kind.home / "whole-1", outcomes[1], seconds)


def warm() -> None:
    """Imports what runs need, so that processes forked from here begin at once."""
    import h5py  # noqa: F401
    import sklearn.ensemble
    import sklearn.linear_model
    import sklearn.tree  # noqa: F401
    import skops.io  # noqa: F401

    import zero.cells.kind
    import zero.cells.train_run
    import zero.evolution.workers
    import zero.pipelines.kind
    import zero.programs.interpreter.cpu
    import zero.runs.run  # noqa: F401

    os.environ.setdefault("OMP_NUM_THREADS", "1")

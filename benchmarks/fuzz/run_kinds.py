"""Kinds of files that runs leave: archives, checkpoints, models, weights, records, logs."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from fuzz.shapes import (
    YAML_TOKENS,
    h5_bytes,
    h5_tree,
    json_line,
    json_tree,
    yaml_tree,
    zip_members,
    zip_sizes,
)
from fuzz.text_kinds import PROGRAMS
from fuzz.workers import Kind

CELLS_RUN = {
    "seed": 3,
    "backend": "reference",
    "islands": {"count": 1},
    "budget": {"individuals": 4},
    "search": {"method": "regularized_evolution", "population": 3, "tournament": 2},
    "cells": {
        "space": "nas_bench_201",
        "skeleton": {"normal_cells": 1, "filters": 2},
        "images": {"source": "digits", "train": 60, "valid": 60, "test": 60},
        "training": {"epochs": 1, "batch": 20, "learning_rate": 0.1},
    },
}
TABLE = "a,b,c,y\n" + "".join(
    f"{i * 0.3:.2f},{'xyz'[i % 3]},{i % 5},{int(i % 5 > 1)}\n" for i in range(60)
)


@functools.cache
def _root() -> Path:
    import atexit

    folder = Path(tempfile.mkdtemp(prefix="zero-hostile-"))
    atexit.register(_remove, folder, os.getpid())
    (folder / "t.csv").write_text(TABLE)
    return folder


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # and no child of it
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _made(name: str) -> Path:
    """Returns a small run of programs, pipelines or cells; a training of a network or a program."""
    import yaml

    from zero.config.load import make_config
    from zero.runs.progress import Reporter
    from zero.runs.run import start

    root = _root()
    folder, table = root / name, {"path": str(root / "t.csv"), "target": "y"}
    if name == "programs":
        settings: Any = yaml.safe_load(PROGRAMS)
        settings |= {"tasks": {"search": {"type": "table", **table}}, "islands": {"count": 1}}
        start(make_config({**settings, "budget": {"individuals": 100}}), folder, quiet=True)
    elif name == "pipelines":
        pipelines = {"table": table, "folds": 3, "families": ["logistic_regression", "tree"]}
        settings = {
            "pipelines": pipelines,
            "search": {"method": "random_search"},
            "islands": {"count": 1},
        }
        start(make_config({**settings, "budget": {"individuals": 3}}), folder, quiet=True)
    elif name == "cells":
        start(make_config(CELLS_RUN), folder, quiet=True)
    elif name == "network":
        from zero.cells.train_config import training_config
        from zero.cells.train_run import start as train

        (root / "cells.yaml").write_text(yaml.safe_dump(CELLS_RUN))
        cell = (
            "nas_bench_201: |none~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|"
        )
        train(cell, training_config(root / "cells.yaml"), folder)
    else:
        from zero.programs.training import start as train_program
        from zero.runs.kind import Training

        given = [f"tasks.search.path={root / 't.csv'}", "tasks.search.target=y"]
        train_program(Training("linear", "own_csv", given, folder, None, None, Reporter(), []))
    return folder


def _run(name: str, files: tuple[str, ...], folder: Path) -> list[bytes]:
    """Copies a run; returns the valid content of a file of it."""
    source = _made(name)
    shutil.copytree(source, folder / "run", dirs_exist_ok=True)
    (folder / "t.csv").write_text(TABLE)
    found = [(source / file) for file in files]
    return [max(source.glob(str(path.relative_to(source)))).read_bytes() for path in found]


def _silent(call: Any, *arguments: Any) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return call(*arguments)


def _show(folder: Path) -> Any:
    from zero.cli.show import show

    return _silent(show.__wrapped__, str(folder / "run"))


def _report(folder: Path) -> Any:
    from zero.cli.report import report

    return _silent(report.__wrapped__, folder / "run")


def _checkpoint(folder: Path) -> Any:
    from zero.runs.checkpoints import CheckpointFolder

    return CheckpointFolder(folder / "checkpoints").load()


def _checkpoints(folder: Path) -> list[bytes]:
    (folder / "checkpoints").mkdir(exist_ok=True)
    return [max((_made("cells") / "checkpoints").glob("*.h5")).read_bytes()]


def _started(folder: Path) -> list[bytes]:
    valid = _run("programs", ("checkpoints/*.h5",), folder)
    for file in (folder / "run" / "checkpoints").glob("*.h5"):
        file.unlink()
    return valid


def _start_from(folder: Path) -> Any:
    from zero.programs.earlier import earlier
    from zero.runs.checkpoints import CheckpointFolder

    CheckpointFolder(folder / "run" / "checkpoints").load()  # most end here

    return earlier(folder / "run")


def _predict(folder: Path) -> Any:
    import zero
    from zero.programs.model import load_model
    from zero.system.foreign import content_of

    load_model(folder / "run" / "model.h5")  # most end here
    model = zero.load(folder / "run")
    with content_of("the run"):
        return model.predictions(folder / "t.csv")


def _load_weights(folder: Path) -> Any:
    from zero.cells.export import find_trained

    return find_trained(folder / "run" / "network.h5", lambda text: None)


def _pipeline(folder: Path) -> Any:
    from zero.pipelines.saved import load

    return load(folder / "run" / "models" / "0.skops")


def _kept(folder: Path) -> Any:
    from zero.pipelines.predictions import Predictions

    return Predictions(folder / "run" / "predictions").all()


def _predictions(folder: Path) -> list[bytes]:
    from types import SimpleNamespace

    import numpy as np

    from zero.pipelines.predictions import Predictions

    kept = Predictions(folder / "run" / "predictions")
    kept.folder.mkdir(parents=True, exist_ok=True)
    record = SimpleNamespace(key="0", text="a b", seed=3, number=1, mutation="", fitness=0.5)
    kept.keep(record, np.random.default_rng(1).random((20, 2)), 0.5)
    return [(kept.folder / "0.npz").read_bytes()]


@functools.cache
def _data() -> Any:
    from zero.runs.archive import read_archive

    return read_archive(_made("programs"))


def _info(folder: Path) -> Any:
    from zero.config import imports
    from zero.runs.checklist import answers
    from zero.runs.folder import RunFolder
    from zero.runs.settings import check_unchanged
    from zero.system.foreign import content_of

    imports.kept_in(folder / "run")
    run = RunFolder.open(folder / "run")
    with content_of("the run"):
        check_unchanged(run, run.info())
        return answers(run, _data(), [])


def _log(folder: Path) -> Any:
    from zero.cli.show import _has_stopped
    from zero.runs.checklist import answers
    from zero.runs.folder import RunFolder
    from zero.system.foreign import content_of

    run = RunFolder.open(folder / "run")
    with content_of("the run"):
        return answers(run, _data(), []), _has_stopped(run.events())


def _run_config(folder: Path) -> Any:
    from zero.config.load import load_config
    from zero.runs.load import kind_of

    kind_of(folder / "run")
    return load_config(folder / "run" / "config.yaml")


def _archive(folder: Path) -> Any:
    from zero.runs.archive import read_archive

    read_archive(folder / "run" / "archive.h5")  # most end here
    return _show(folder)


def _reported(folder: Path) -> Any:
    from zero.runs.archive import read_archive

    read_archive(folder / "run" / "archive.h5")
    return _report(folder)


_H5 = (h5_tree,)
KINDS = [
    *(
        Kind(
            f"archive-{name}",
            partial(_run, name, ("archive.h5",)),
            "run/archive.h5",
            _archive,
            (),
            _H5,
            share=4,
        )
        for name in ("programs", "cells", "pipelines")
    ),
    Kind(
        "archive-report",
        partial(_run, "pipelines", ("archive.h5",)),
        "run/archive.h5",
        _reported,
        (),
        _H5,
        share=4,
    ),
    Kind(
        "checkpoint",
        _checkpoints,
        "checkpoints/checkpoint-000009.h5",
        _checkpoint,
        (),
        _H5,
        share=1,
    ),
    Kind(
        "checkpoint-start",
        _started,
        "run/checkpoints/checkpoint-000009.h5",
        _start_from,
        (),
        _H5,
        share=20,
    ),
    Kind("model", partial(_run, "programs", ("model.h5",)), "run/model.h5", _predict, (), _H5),
    Kind(
        "weights",
        partial(_run, "network", ("network.h5",)),
        "run/network.h5",
        _load_weights,
        (),
        _H5,
    ),
    Kind(
        "pipeline",
        partial(_run, "pipelines", ("models/*.skops",)),
        "run/models/0.skops",
        _pipeline,
        (b"PK\3\4", b"PK\1\2"),
        (zip_members, zip_members, zip_members, zip_sizes),
    ),
    Kind("predictions", _predictions, "run/predictions/0.npz", _kept, (), (zip_members, zip_sizes)),
    Kind(
        "run-json",
        partial(_run, "programs", ("run.json",)),
        "run/run.json",
        _info,
        (),
        (json_tree,),
    ),
    Kind(
        "run-config",
        partial(_run, "cells", ("config.yaml",)),
        "run/config.yaml",
        _run_config,
        YAML_TOKENS,
        (yaml_tree,),
    ),
    Kind("log", partial(_run, "programs", ("log.jsonl",)), "run/log.jsonl", _log, (), (json_line,)),
    Kind(
        "train-json",
        partial(_run, "program", ("train.json",)),
        "run/train.json",
        _show,
        (),
        (json_tree,),
        share=2,
    ),
    Kind(
        "train-json-network",
        partial(_run, "network", ("train.json",)),
        "run/train.json",
        _show,
        (),
        (json_tree,),
        share=2,
    ),
]

# Bytes of HDF5 changed under a right checksum: its library may hang or crash, as SECURITY.md says.
NOT_PROMISED = [
    Kind(
        "hdf5-sealed",
        partial(_run, "pipelines", ("archive.h5",)),
        "run/archive.h5",
        _archive,
        (),
        (h5_bytes,),
    )
]

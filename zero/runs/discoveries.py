"""A discovery on its own: one record of a run, with all that is known of it, in one file.

A file, version 1, is a tree of `zero.system.trees` of the kind "discovery": plain HDF5, which h5py and any
HDF5 program read without zero (texts are datasets, numbers attributes, dicts groups, None an empty
attribute):
    kind               str: of genome, a name of `zero.genomes`
    text               str: the genome, as `zero` reads it
    canonical          str: its canonical form (`zero.runs.kind.Kind.canonical`): equal for equal genomes
    form               str: 32 hex digits, of the SHA-256 of kind, a zero byte, and canonical
    task               str: what it was evaluated on, in a few words
    fitness, select_fitness, final_fitness    float, NaN where it was not evaluated
    tasks              dict of search, select, final, as far as known; each a dict
      names              list of str: the tasks
      fitness            float64 (T,): on each
    size               int, and size_unit str: what is counted
    cost               dict of numbers by name: what the kind knows, such as parameters, multiply_adds
    effort             dict of numbers by name: of the whole run: individuals, train_steps, seconds
    lineage            columns of length n, the ancestors that the run kept, oldest first, itself last
      id, parent, individuals    int64
      fitness            float64
      mutation, text     list of str
    name               str: of the run
    run                dict: folder, config, command, commit, started, data, zero_version str; record,
                       seed int; record is the id in the run's archive, data the digest of its data
    machine            dict: cpu, platform str, cpu_count int
    versions           dict of str: of Python and packages
    added              str: when the file was written, ISO 8601 in UTC

Versions follow the rule of `zero.runs.archive`: all up to `VERSION` are read, newer ones refused in one
line; keys may be added without a new version. A file is written once and never changed.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from zero import genomes
from zero.config import yaml
from zero.errors import ArchiveError, ZeroError
from zero.runs.archive import ArchiveData, best_record, lineage
from zero.runs.folder import RunFolder
from zero.runs.records import BaseRecord, columns_of, get, get_array, get_texts
from zero.runs.summaries import summary_of
from zero.system.trees import Tree, read_tree, write_tree

KIND, VERSION = "discovery", 1
PARTS = ("search", "select", "final")
FIGURES = ("fitness", "select_fitness", "final_fitness")
HEAD = {"form": str, "kind": str, "task": str, "name": str, "size": int, "size_unit": str, "added": str,
        **dict.fromkeys(FIGURES, float)}  # fmt: skip
RUN = {"folder": str, "config": str, "command": str, "commit": str, "started": str,
       "data": str, "zero_version": str, "record": int, "seed": int}  # fmt: skip
ANCESTORS = {"id": np.int64, "parent": np.int64, "individuals": np.int64, "fitness": np.float64}


@dataclass(frozen=True)
class Ancestor:
    """A record that a discovery descends from, or itself."""

    id: int
    parent: int
    individuals: int
    fitness: float
    mutation: str
    text: str


@dataclass(frozen=True)
class Discovery:
    """See the module's docstring; tasks: (names, fitness of each) by part of the run."""

    kind: str
    text: str
    canonical: str
    task: str
    size: int
    size_unit: str
    name: str
    run: dict[str, Any]
    fitness: float = math.nan
    select_fitness: float = math.nan
    final_fitness: float = math.nan
    tasks: dict[str, tuple[list[str], list[float]]] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    effort: dict[str, float] = field(default_factory=dict)
    lineage: list[Ancestor] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    added: str = ""

    @property
    def form(self) -> str:
        """The digest of its canonical form: of equal genomes equal."""
        return _form(self.kind, self.canonical)

    @property
    def file_name(self) -> str:
        """The name of its file: the form, then a digest of what tells this finding from others.

        The same record of the same run, with the same figures, has the same name in every release.
        """
        keys = ("config", "started", "seed", "record", "zero_version")
        told = [
            self.text,
            self.name,
            *(self.run[key] for key in keys),
            *(getattr(self, key) for key in FIGURES),
        ]
        return f"{self.form}-{_digest(json.dumps(told))}.h5"

    def plain(self) -> dict[str, Any]:
        """Returns it as JSON can hold it: NaN and infinities as None."""
        values = {**vars(self), "form": self.form, "run": dict(self.run)}
        values["tasks"] = {
            part: {"names": names, "fitness": fitness}
            for part, (names, fitness) in self.tasks.items()
        }
        values["lineage"] = [dict(vars(a)) for a in self.lineage]
        return _finite(values)


def discovery_of(
    folder: Path, data: ArchiveData, record: BaseRecord, added: str | None = None
) -> Discovery:
    """Returns what is known of a record of a run.

    Args:
        folder: of the run, or its archive, which says less.
        data: its archive.
        record: of it.
        added: when, ISO 8601; None: now.
    """
    kind, path = genomes.get(data.kind), folder if folder.is_dir() else folder.parent
    settings = yaml.parse(data.config, str(folder)).data
    info = RunFolder.open(path).info() if (path / RunFolder.INFO).is_file() else {}
    results, best = data.results or {}, best_record(data)
    is_outcome = best is not None and best.id == record.id
    parts = {p: results[p] for p in PARTS if is_outcome and results.get(p)}
    try:
        canonical = kind.canonical_in(record.text, settings)
    except ZeroError:  # with ops of the user's own that are not known here, say
        canonical = record.text.strip()
    size, unit = kind.size(canonical, record)
    totals = ("individuals", "train_steps")
    effort: dict[str, float] = {key: results[key] for key in totals if key in results}
    seconds = summary_of(path).seconds if info else None
    if seconds is not None:
        effort["seconds"] = seconds
    chain = [Ancestor(**{f.name: getattr(r, f.name) for f in fields(Ancestor)})
             for r in lineage(data, record.id)]  # fmt: skip
    texts = {key: _text(info.get(key)) for key in ("command", "commit", "started", "data")}
    name = _text(settings.get("name")) or path.resolve().name
    return Discovery(
        kind=data.kind,
        text=record.text,
        canonical=canonical,
        task=kind.task(settings) or name,
        size=size,
        size_unit=unit,
        name=name,
        run={**texts, "folder": str(path.resolve()), "config": data.config,
             "zero_version": data.zero_version, "record": record.id, "seed": data.seed},
        fitness=record.fitness,
        select_fitness=record.select_fitness,
        final_fitness=parts["final"]["fitness"] if "final" in parts else math.nan,
        tasks=_tasks(parts, record),
        cost=_numbers(record),
        effort=effort,
        lineage=chain,
        machine={key: info[key] for key in ("cpu", "cpu_count", "platform") if info.get(key)},
        versions={str(k): _text(v) for k, v in (info.get("versions") or {}).items()},
        added=added or datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def write_discovery(path: str | Path, found: Discovery) -> None:
    """Writes a discovery to a file in one step.

    Raises:
        ArchiveError: the file cannot be written.
    """
    tree: Tree = {**vars(found), "form": found.form}
    tree["tasks"] = {
        part: {"names": names, "fitness": np.array(fitness, dtype=np.float64)}
        for part, (names, fitness) in found.tasks.items()
    }
    columns: Tree = dict(columns_of(found.lineage, ANCESTORS))
    columns |= {name: [getattr(a, name) for a in found.lineage] for name in ("mutation", "text")}
    _from_tree({**tree, "lineage": columns})  # what could not be read again is not written
    write_tree(path, {**tree, "lineage": columns}, KIND, VERSION, compress=True)


def head_of_discovery(path: str | Path) -> dict[str, Any]:
    """Returns what lists show of a discovery, its `HEAD`, which takes a quarter of the time.

    Raises:
        ArchiveError: as `read_discovery` does, but for contradictions in the rest.
    """
    tree = read_tree(path, KIND, VERSION, only=(*HEAD, "canonical"))
    try:
        values = {key: get(tree, key, of) for key, of in HEAD.items()}
        _check_form(values, get(tree, "canonical", str))
    except ValueError as error:
        raise _unsound(path, error) from error
    return values


def read_discovery(path: str | Path) -> Discovery:
    """Returns the discovery in a file, checked.

    Raises:
        ArchiveError: the file is missing, foreign, damaged, newer, or contradicts itself.
    """
    tree = read_tree(path, KIND, VERSION)
    try:
        return _from_tree(tree)
    except ValueError as error:
        raise _unsound(path, error) from error


def _unsound(path: str | Path, error: ValueError) -> ArchiveError:
    return ArchiveError(f"{path} is no sound discovery: {error}; use a copy of it")


# --- from tree to data, with every check ----------------------------------------------------------


def _from_tree(tree: Tree) -> Discovery:
    values = {key: get(tree, key, of) for key, of in HEAD.items()}
    values |= {key: get(tree, key, str) for key in ("text", "canonical")}
    _check_form(values, values["canonical"])
    del values["form"]
    run = get(tree, "run", dict)
    tasks = {}
    for part, kept in get(tree, "tasks", dict).items():
        names = get_texts(kept, "names")
        tasks[part] = (names, get_array(kept, "fitness", np.float64, (len(names),)).tolist())
    return Discovery(
        **values,
        run={key: get(run, key, of) for key, of in RUN.items()},
        tasks=tasks,
        cost=_checked(get(tree, "cost", dict)),
        effort=_checked(get(tree, "effort", dict)),
        lineage=_lineage(get(tree, "lineage", dict)),
        machine={k: v for k, v in get(tree, "machine", dict).items() if isinstance(v, str | int)},
        versions={k: get(tree["versions"], k, str) for k in get(tree, "versions", dict)},
    )


def _check_form(head: dict[str, Any], canonical: str) -> None:
    if head["form"] != _form(head["kind"], canonical):
        raise ValueError("'form' is not that of its canonical form")
    if not 0 <= head["size"] < 2**63:
        raise ValueError(f"'size' is {head['size']}")


def _lineage(tree: Tree) -> list[Ancestor]:
    count = len(get_array(tree, "id", np.int64, (None,)))
    columns: dict[str, list[Any]] = {
        name: get_array(tree, name, dtype, (count,)).tolist() for name, dtype in ANCESTORS.items()
    }
    columns |= {name: get_texts(tree, name, count) for name in ("mutation", "text")}
    return [Ancestor(**{name: column[k] for name, column in columns.items()}) for k in range(count)]


def _checked(numbers: Tree) -> dict[str, float]:
    for key, value in numbers.items():
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError(f"'{key}' is of type {type(value).__name__}")
    return numbers


# --- from a run -----------------------------------------------------------------------------------


def _tasks(parts: dict[str, Any], record: Any) -> dict[str, tuple[list[str], list[float]]]:
    """Returns names and fitness of the tasks, by part; without names numbers stand for them."""
    found = {
        part: (list(kept["task_names"]), np.asarray(kept["task_fitness"], dtype=float).tolist())
        for part, kept in parts.items()
        if "task_names" in kept and "task_fitness" in kept
    }
    own = getattr(record, "task_fitness", None)
    if "search" not in found and own is not None and not np.isnan(own).all():
        found["search"] = ([str(k) for k in range(len(own))], np.asarray(own, dtype=float).tolist())
    return found


def _numbers(record: BaseRecord) -> dict[str, float]:
    """Returns the numbers that a kind's record has beyond those of all records."""
    common = {f.name for f in fields(BaseRecord)} | {"seed", "same_as"}
    values = {key: value for key, value in vars(record).items() if key not in common}
    good = {k: v for k, v in values.items() if isinstance(v, int | float) and type(v) is not bool}
    return {key: value for key, value in good.items() if math.isfinite(value)}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _form(kind: str, canonical: str) -> str:
    return _digest(f"{kind}\0{canonical}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

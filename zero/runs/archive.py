"""The archive of a run: what it discovered, in its folder's archive.h5 (`zero.runs.folder`).

archive.h5, version 1, a tree of `zero.system.trees`; n records, T search tasks, L instructions:
    seed int, config str, zero_version str
    ops                list of str: the name of op code k is ops[k], whatever later versions have
    experiments        list, one dict for each experiment, in order
      records            columns of length n; a record is an improvement, or an ancestor of one
        id, parent         int64: number in the run, unique; recorded ancestor, -1 = the start
        island             int64: where it was made
        individuals        int64: individuals made on that island until then
        steps              int64: mutations since the recorded parent
        mutation           int16: index into mutation_names (list of str), the last of these steps
        fitness            float64: search fitness
        is_best            bool: a new best of the run
        select_fitness     float64, NaN if it was not evaluated
        task_fitness       float64 (n, T), rows of NaN where not kept
        text               list of str: the program
        code               int16 (n, L, 4): op, in1, in2, out of each instruction; -1: unused row
        consts             float64 (n, L, 3)
        sizes              int16 (n, 3): instructions in setup, predict and learn
      curve              columns: individuals, train_steps, cache_hits int64; best_fitness,
                         mean_fitness, std_fitness float64
      summary            dict: the fields of `Summary`
    results            None while the run goes on; then a dict, see `zero.runs.kind.Kind.check_results`

That is an archive of programs. Of other kinds of genomes (version 2): kind str; no ops; the kind's own
columns instead of those from task_fitness on (of cells: `zero.cells.records.CellRecord`, with every
candidate, and curves with rows of NaN where one had fewer epochs).

Versions. A file's first line says its version. `read_archive` reads every version up to
`ARCHIVE_VERSION`, whatever release wrote it, and refuses newer ones in one line. A kind of genome keeps
its number (`Kind.archive_version`) while what is written for it can be read by older releases too: they
take the keys that they know, so keys may be added. The number rises (to one above `ARCHIVE_VERSION`)
when a key is taken away, renamed, or gets another meaning, dtype or shape, and with a new kind of
genome; the reader then learns the new version and keeps the old ones, with a test for each. Checkpoints
have a version of their own (`zero.runs.checkpoints.CheckpointFolder.VERSION`) and the same rule; but
that a resumed run ends with the archive of an unbroken one is promised for one release alone.

Nothing in it depends on the clock: the same seed gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from zero import genomes
from zero.errors import ArchiveError, ConfigError
from zero.runs.folder import RunFolder
from zero.runs.records import (
    BaseRecord,
    columns_of,
    get,
    get_array,
    records_from_tree,
    records_tree,
)
from zero.system.trees import read_tree, write_tree

ARCHIVE_VERSION = 2  # the newest that is read; a kind says which one it writes

CURVE_COLUMNS = {
    "individuals": np.int64,
    "train_steps": np.int64,
    "best_fitness": np.float64,
    "mean_fitness": np.float64,
    "std_fitness": np.float64,
    "cache_hits": np.int64,
}


@dataclass
class CurvePoint:
    """Progress at one moment; all islands together."""

    individuals: int
    train_steps: int
    best_fitness: float
    mean_fitness: float
    std_fitness: float
    cache_hits: int


@dataclass
class Summary:
    """How an experiment went; `reason` is None while it goes on."""

    reason: str | None = None
    individuals: int = 0
    train_steps: int = 0
    search_fitness: float = float("nan")
    select_fitness: float = float("nan")
    candidate: int = -1  # id of its record, -1 = none


@dataclass(eq=False)
class ExperimentData:
    """What one experiment left: improvements, progress and outcome."""

    records: list[Any] = field(default_factory=list)  # of the kind's class
    curve: list[CurvePoint] = field(default_factory=list)
    summary: Summary = field(default_factory=Summary)


@dataclass(eq=False)
class ArchiveData:
    """The content of an archive; kind: of its genomes, a name of `zero.genomes`."""

    seed: int
    config: str
    ops: list[str]
    zero_version: str
    experiments: list[ExperimentData] = field(default_factory=list)
    results: dict[str, Any] | None = None
    kind: str = genomes.DEFAULT


# --- the archive ----------------------------------------------------------------------------------


def write_archive(path: str | Path, data: ArchiveData) -> None:
    """Writes an archive in one step; equal data give equal bytes.

    Raises:
        ValueError: the data contradict each other (a mistake of the caller).
        ArchiveError: the file cannot be written.
    """
    kind = genomes.get(data.kind)
    tree = {
        "seed": data.seed,
        "config": data.config,
        "zero_version": data.zero_version,
        "experiments": [_experiment_tree(e, kind) for e in data.experiments],
        "results": data.results,
    }
    tree |= kind.head(data.ops)
    _from_tree(tree)  # what could not be read again must not replace a good file
    write_tree(path, tree, "archive", kind.archive_version, compress=True)


def read_archive(path: str | Path) -> ArchiveData:
    """Returns the content of an archive, checked: shapes, lengths, sizes, parents and references.

    A folder stands for the archive in it. Works while the run goes on (`results` is then None).

    Raises:
        ArchiveError: the file is missing, foreign, damaged, newer, or contradicts itself.
    """
    path = Path(path)
    if path.is_dir():
        path = path / RunFolder.ARCHIVE
    tree = read_tree(path, "archive", ARCHIVE_VERSION)
    try:
        return _from_tree(tree)
    except ValueError as error:
        raise ArchiveError(f"{path} is not a sound archive: {error}; use a copy of it") from error


def find_record(data: ArchiveData, record_id: int) -> BaseRecord:
    """Returns the record with this id.

    Raises:
        ArchiveError: there is none.
    """
    ids = []
    record: BaseRecord
    for experiment in data.experiments:
        for record in experiment.records:
            if record.id == record_id:
                return record
            ids.append(record.id)
    known = f"its ids go from {min(ids)} to {max(ids)}" if ids else "it has no records yet"
    raise ArchiveError(f"the archive has no record {record_id}; {known}")


def lineage(data: ArchiveData, record_id: int) -> list[BaseRecord]:
    """Returns the record and its recorded ancestors, oldest first.

    It starts at the start of the experiment, or later where a parent was not recorded.

    Raises:
        ArchiveError: there is no such record.
    """
    last = find_record(data, record_id)
    by_id = {r.id: r for e in data.experiments for r in e.records}
    chain: dict[int, BaseRecord] = {}
    step: BaseRecord | None = last
    while step is not None and step.id not in chain:  # hand-made data may go round in circles
        chain[step.id] = step
        step = by_id.get(step.parent)
    return list(reversed(chain.values()))


def best_record(data: ArchiveData) -> BaseRecord | None:
    """Returns the record that the results name, else the one of highest search fitness among the best ones.

    Of equal ones the earliest; NaN ranks last; None without records.
    """
    records = [r for e in data.experiments for r in e.records]
    if data.results is not None and data.results["record"] != -1:
        return find_record(data, data.results["record"])
    # Fitness of others may be on other tasks, which some islands search.
    return max(
        records,
        key=lambda r: (r.is_best, -np.inf if np.isnan(r.fitness) else r.fitness),
        default=None,
    )


def _experiment_tree(data: ExperimentData, kind: Any) -> dict[str, Any]:
    return {
        "records": records_tree(data.records, kind),
        "curve": columns_of(data.curve, CURVE_COLUMNS),
        "summary": dict(vars(data.summary)),
    }


# --- from tree to data, with every check ----------------------------------------------------------


def _from_tree(tree: dict[str, Any]) -> ArchiveData:
    """Returns the data that an archive's tree holds; raises ValueError where it makes no sense."""
    name = get(tree, "kind", str) if "kind" in tree else genomes.DEFAULT
    try:
        kind = genomes.get(name)
    except ConfigError as error:
        raise ValueError(f"'kind' is {name!r}: {error}") from None
    ops = kind.ops_in(tree)
    experiments = []
    for number, part in enumerate(get(tree, "experiments", list)):
        try:
            experiments.append(_experiment_from_tree(part, kind, len(ops)))
        except ValueError as error:
            raise ValueError(f"experiment {number}: {error}") from error
    ids = [r.id for e in experiments for r in e.records]
    if len(set(ids)) != len(ids):
        raise ValueError("two records have the same id")
    results = get(tree, "results", (dict, type(None)))
    if results is not None:
        kind.check_results(results)
        if results["record"] not in (-1, *ids):
            raise ValueError(f"its outcome, record {results['record']}, is not in the archive")
    return ArchiveData(
        seed=get(tree, "seed", int),
        config=get(tree, "config", str),
        ops=ops,
        zero_version=get(tree, "zero_version", str),
        experiments=experiments,
        results=results,
        kind=name,
    )


def _experiment_from_tree(tree: Any, kind: Any, num_ops: int) -> ExperimentData:
    summary_tree = get(tree, "summary", dict)
    kinds = {"reason": (str, type(None)), "search_fitness": float, "select_fitness": float}
    summary = Summary(
        **{f.name: get(summary_tree, f.name, kinds.get(f.name, int)) for f in fields(Summary)}
    )
    records = records_from_tree(get(tree, "records", dict), kind, num_ops)
    if summary.candidate != -1 and summary.candidate not in {r.id for r in records}:
        raise ValueError(f"its candidate, record {summary.candidate}, is not in the archive")
    curve_tree = get(tree, "curve", dict)
    points = len(get(curve_tree, "individuals", np.ndarray))
    columns = [
        get_array(curve_tree, name, dtype, (points,)).tolist()
        for name, dtype in CURVE_COLUMNS.items()
    ]
    return ExperimentData(
        records, [CurvePoint(*row) for row in zip(*columns, strict=True)], summary
    )

"""The last population of an earlier run, for a search that begins with it (`program.population`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zero.errors import ArchiveError
from zero.programs.find import ops_of, read_programs_archive
from zero.programs.program import FUNCTIONS, Program, from_arrays, parse_program
from zero.runs.archive import ArchiveData
from zero.runs.folder import RunFolder
from zero.runs.settings import settings_of
from zero.runs.state import RunState
from zero.system.foreign import content_of


@dataclass(frozen=True)
class Earlier:
    """Individuals of an earlier run, oldest first; living: whether they are its last population.

    programs: of the individuals, equal ones are the same object often. fitness: on that run's search
    tasks.
    """

    programs: list[Program]
    fitness: np.ndarray
    living: bool

    def best(self, most: int) -> list[Program]:
        """Returns at most so many, the best of them, still oldest first."""
        chosen = np.argsort(-self.fitness, kind="stable")[:most]
        return [self.programs[k] for k in np.sort(chosen)]


def earlier(run: str | Path) -> Earlier:
    """Returns the population that a run ended with, or has now; records where none is kept.

    run: its folder, or its archive, which has records alone: those of its last experiment.

    Raises:
        ArchiveError: it is no run over programs, or cannot be read.
        ProgramError: it has ops that are not known here.
    """
    path = Path(run)
    with content_of(path):
        return _earlier(path)


def _earlier(run: Path) -> Earlier:
    data = read_programs_archive(run)
    found = _living(run, data) if run.is_dir() else None
    if found is not None:
        return found
    records = data.experiments[-1].records if data.experiments else []
    if not records:
        raise ArchiveError(f"{run} holds no program yet")
    ops = ops_of(data)
    records = sorted(records, key=lambda record: record.individuals)
    programs = [from_arrays(r.code, r.consts, r.sizes, ops) for r in records]
    return Earlier(programs, _ranked([r.fitness for r in records]), False)


def _ranked(fitness: Any) -> np.ndarray:
    return np.nan_to_num(np.asarray(fitness, np.float64), nan=-np.inf)


def _living(path: Path, data: ArchiveData) -> Earlier | None:
    """Returns the individuals in a run's newest checkpoint, None where it keeps none."""
    from zero.evolution.population import FILLED
    from zero.programs.interpreter.cpu import read_arrays
    from zero.programs.mutations import Genomes

    folder = RunFolder.open(path)
    try:
        kept = folder.checkpoints.load()
    except ArchiveError:  # none of them can be read
        return None
    state = None if kept is None else RunState.from_tree(kept[0], {})
    islands = (state and (state.islands or state.ended_islands)) or []
    starts = _starts(folder)
    ops = ops_of(data)
    found = []
    for island in islands:
        arrays = island["arrays"]
        genomes = Genomes(*(arrays[f"genomes.{name}"] for name in Genomes._fields))
        if genomes.code.shape[1] != starts[3]:
            return None
        for row in arrays["population.slots"][: int(arrays["population.counts"][FILLED])]:
            number, fitness = arrays["population.number"][row], arrays["population.fitness"][row]
            program = from_arrays(*read_arrays(genomes, int(row), starts), ops)
            found.append((int(number), float(fitness), program))
    found.sort(key=lambda individual: individual[0])  # numbers rise with age over all islands
    if not found:
        return None
    return Earlier([p for *_, p in found], _ranked([f for _, f, _ in found]), True)


def _starts(folder: RunFolder) -> np.ndarray:
    """Returns where functions start in a run's genomes."""
    from zero.programs.island import lengths

    info, program = folder.info(), settings_of(folder.config_text())["program"]
    first = [parse_program(info.get("initial_program", ""), RunFolder.INFO)]
    first += from_info(info.get("initial_population"))
    most = [program[name]["size"]["max"] for name in FUNCTIONS]
    return np.concatenate([[0], np.cumsum(lengths(most, first))]).astype(np.int64)


# --- in run.json --------------------------------------------------------------------------------------


def to_info(programs: Sequence[Program]) -> dict[str, Any]:
    """Returns a population as run.json keeps it: each program once."""
    texts = [str(program) for program in programs]
    known = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return {"programs": list(known), "individuals": [known[text] for text in texts]}


def from_info(info: dict[str, Any] | None) -> list[Program]:
    """Returns what `to_info` gave; no programs where there was no population."""
    if not info:
        return []
    programs = [parse_program(text, RunFolder.INFO) for text in info["programs"]]
    return [programs[number] for number in info["individuals"]]

"""Where in a run's lineage each instruction of its outcome came in, and what that step gained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zero import genomes
from zero.errors import ArchiveError
from zero.programs.explain.exact import Exact
from zero.programs.explain.values import Spot
from zero.programs.ops import get_op
from zero.programs.program import Instruction, Program, from_arrays
from zero.programs.records import Record
from zero.runs.archive import ArchiveData, best_record, find_record, lineage, read_archive
from zero.runs.folder import RunFolder


@dataclass(frozen=True)
class Arrival:
    """A record in which instructions came in that stayed.

    record, individuals, mutation: of it. before, after: search fitness of the record that it descends from,
    NaN for the first one, and its own. spots: the instructions, in the shortest form of the outcome.
    """

    record: int
    individuals: int
    mutation: str
    before: float
    after: float
    spots: list[Spot]

    @property
    def gained(self) -> float:
        """How much search fitness the step gained, NaN for the first record."""
        return self.after - self.before


def read_run(path: Path) -> ArchiveData:
    """Returns the archive of a run of programs that has some.

    Raises:
        ArchiveError: it is no run, one of other genomes, or has no program yet.
    """
    if path.is_dir() and not RunFolder.open(path).archive_path.exists():
        if (path / RunFolder.TRAINED).is_file():
            raise ArchiveError(
                f"{path} is a training of one program, with no search to explain; give the folder of a run"
            )
        raise ArchiveError(f"{path} holds no program yet; let the run go on")
    data = read_archive(path)
    if data.kind != "programs":
        raise ArchiveError(genomes.get(data.kind).no_explanation(path))
    if best_record(data) is None:
        raise ArchiveError(f"{path} holds no program yet; let the run go on")
    return data


def chain_of(data: ArchiveData, record_id: int | None) -> list[tuple[Any, Program]]:
    """Returns a record (None: the outcome, or the best so far) and its ancestors, oldest first.

    Each with its program; ops of the user's own must be registered.

    Raises:
        ArchiveError: there is no such record. ProgramError: an op is not known.
    """
    record: Any = best_record(data) if record_id is None else find_record(data, record_id)
    return [(r, program_of(data, r)) for r in lineage(data, record.id)]


def program_of(data: ArchiveData, record: Any) -> Program:
    """Returns the program of a record; raises ProgramError where an op is not known."""
    assert isinstance(record, Record)
    ops = [get_op(name) for name in data.ops]
    return from_arrays(record.code, record.consts, record.sizes, ops)


def arrivals(found: Exact, chain: Sequence[tuple[Any, Program]]) -> list[Arrival]:
    """Returns where the instructions of an outcome's shortest form came in, oldest first.

    An instruction came in with the first record from which on all have it: the same op on the same addresses
    in the same function; its constants may have changed since. Between two records may lie several mutations.

    found: of the last program of the chain.
    """
    records = [record for record, _ in chain]
    outcome = chain[-1][1]
    by_record: dict[int, list[Spot]] = {}
    for function, positions in enumerate(found.origins):
        for position, origin in enumerate(positions):
            forms = [_form(i) for i in outcome.functions[function][: origin + 1]]
            number = forms.count(forms[-1])  # of several alike, the first came first
            first = len(chain) - 1
            while first and _count(chain[first - 1][1], function, forms[-1]) >= number:
                first -= 1
            by_record.setdefault(first, []).append((function, position))
    found_in = []
    for k, spots in sorted(by_record.items()):
        before = records[k - 1].fitness if k else math.nan
        r = records[k]
        found_in.append(Arrival(r.id, r.individuals, r.mutation, before, r.fitness, spots))
    return found_in


def _form(instruction: Instruction) -> tuple[str, int, int, int]:
    return instruction.op, instruction.in1, instruction.in2, instruction.out


def _count(program: Program, function: int, form: tuple[str, int, int, int]) -> int:
    return sum(_form(instruction) == form for instruction in program.functions[function])

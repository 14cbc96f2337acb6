"""One island: a population of programs, its evaluator and its random stream, in one process.

`Island.advance` runs the compiled loop in short blocks and comes back to Python a few times a
second. All state is arrays and plain numbers: `state` gives it away, `restore` takes it back, and
an island that is restored goes on as if nothing had happened, bit for bit. No decision depends on a
clock.

Islands exchange individuals through a `MigrantBuffer`, memory that their processes share, one round late: an
island that ends a round leaves its emigrants there, lets in the immigrants of the round before, and
goes on without waiting for anybody, as long as no other is a whole round behind.

Made by `zero.programs.kind`, driven by `zero.evolution.workers`; what islands of all kinds do is in
`zero.evolution.island`.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np

from zero.evolution import batches, population
from zero.evolution.island import (
    ID_STRIDE,
    MAX_CURVE,
    BaseIsland,
    Limits,
)
from zero.evolution.loop import SearchState
from zero.evolution.population import (
    BEST,
    BEST_AT,
    FILLED,
    INDIVIDUALS,
)
from zero.jit.decorators import prepare
from zero.jit.struct import arrays_of
from zero.programs import proposals, zeros
from zero.programs.backends import SearchModule
from zero.programs.evaluator import Evaluator
from zero.programs.interpreter import cpu
from zero.programs.interpreter.arrays import EVALUATED, FEC_HITS, SEEN_HITS, EvaluatorArrays
from zero.programs.mutation_names import MUTATION_NAMES
from zero.programs.mutations import Genomes, Space, new_genomes
from zero.programs.other_tasks import OtherTasks, static_cost
from zero.programs.program import Memory, Program
from zero.programs.raw_records import RawProgram, pack_records, unpack_records
from zero.rng.splitmix import below

__all__ = ["MAX_CURVE", "Island", "Limits", "MigrantBuffer", "lengths", "new_space", "share"]

MAX_RECORDS = 5000


def new_space(
    memory: Memory,
    ops: tuple[list[int], list[int], list[int]],
    sizes: list[tuple[int, int, int]],
    mutations: dict[str, float],
    mutate_probability: float,
    initial: Program,
    initial_random: bool,
    population: Sequence[Program] = (),
    conditions: dict[str, Any] | None = None,
) -> tuple[Space, np.ndarray]:
    """Returns the space of programs and where functions start in a row of genomes.

    Args:
        memory: addresses.
        ops: numbers of the allowed ops of setup, predict, learn; none = never mutated.
        sizes: (initial, smallest, largest) of each function; `largest` is inclusive.
        mutations: weight by name.
        mutate_probability: of a child being mutated at all.
        initial: the first program, or the sizes of the first random ones.
        initial_random: whether the first programs are random.
        population: the first programs, if they are not `initial`.
        conditions: of children, as `zero.programs.proposals.new_proposals` takes them; None = no conditions.
    """
    from zero.programs.ops import op_tables

    genomes, starts = cpu.genome_of(
        initial, lengths([largest for *_, largest in sizes], [initial, *population])
    )
    if population:
        genomes = new_genomes(len(population), int(starts[3]))
        for row, program in enumerate(population):
            cpu.write_program(genomes, row, starts, program)
    names = [name for name in MUTATION_NAMES if mutations.get(name, 0) > 0]
    weights = np.cumsum([mutations[name] for name in names], dtype=np.float64)
    tables = op_tables()
    space = Space(
        starts=starts,
        smallest=np.array([s[1] for s in sizes], dtype=np.int64),
        largest=np.array([s[2] for s in sizes], dtype=np.int64),
        addresses=np.array([0, memory.scalars, memory.vectors, memory.matrices], np.int64),
        ops=np.array([n for f in ops for n in f], dtype=np.int16),
        ops_start=np.concatenate([[0], np.cumsum([len(f) for f in ops])]).astype(np.int64),
        mutable=np.array([k for k in range(3) if ops[k]], dtype=np.int64),
        tables=tables,
        weights=weights / weights[-1] if len(weights) else np.ones(1),
        kinds=np.array([MUTATION_NAMES.index(name) for name in names] or [0], dtype=np.int64),
        mutate_probability=np.array([mutate_probability if names else 0.0]),
        initial_random=np.array([initial_random]),
        initial=genomes,
        proposals=proposals.new_proposals(zeros.table(), **(conditions or {})),
        mates=np.zeros(0, dtype=np.int32),
        mate_fitness=np.zeros(0),
    )
    return space, starts


def lengths(largest: Sequence[int], first: Sequence[Program]) -> tuple[int, ...]:
    """Returns the room for each function in a row of genomes.

    largest: sizes that mutations keep to. first: the programs that a search begins with.
    """
    # One instruction more than the largest size: trading inserts before it removes.
    return tuple(
        max(most, *(len(program.functions[k]) for program in first)) + 1
        for k, most in enumerate(largest)
    )


def share(space: Space, index: int, count: int) -> Space:
    """Returns the space of one of `count` islands, which share the first programs out among them."""
    own_proposals = proposals.Proposals(*(part.copy() for part in space.proposals))
    space = space._replace(proposals=own_proposals)  # islands may be threads of one process
    if len(space.initial.sizes) < count:
        return space
    own = (np.ascontiguousarray(part[index::count]) for part in space.initial)
    return space._replace(initial=Genomes(*own))


class MigrantBuffer:
    """Where islands leave emigrants and their ancestors for each other.

    Two boxes an island, for even and odd rounds: while an island fills one, others may still read
    the other. A box is a range of rows, the same in all columns.

    Attributes:
        rows: of a box.
        columns: name -> array of all boxes' rows, in memory shared with processes forked later.
            What an island knows of an individual; parent is a row, or -1. code and so on: a genome.
            unmeasured, where islands have other tasks: see `OtherTasks.are_unmeasured`.
        migrants: (islands, 2, migrants), rows of the emigrants themselves.
    """

    def __init__(
        self, islands: int, size: int, migrants: int, length: int, other_tasks: bool = False
    ):
        """Makes empty boxes for islands of a population size, with genomes of that total length."""
        self.rows = population.capacity(size)
        kinds = {"number": "i8", "parent": "i8", "steps": "i4", "mutation": "i1", "fitness": "f8"}
        kinds |= {"unmeasured": "?"} if other_tasks else {}
        total = 2 * islands * self.rows
        self.columns = {name: _shared((total,), np.dtype(kind)) for name, kind in kinds.items()}
        for name, bank in new_genomes(1, length)._asdict().items():
            self.columns[name] = _shared((total, *bank.shape[1:]), bank.dtype)
        self.migrants = _shared((islands, 2, migrants), np.dtype("i8"))

    def box(self, island: int, round_: int) -> int:
        """Returns the first row of an island's box for a round."""
        return (2 * island + round_ % 2) * self.rows

    def senders(self, rows: np.ndarray) -> np.ndarray:
        """Returns in whose boxes rows are."""
        return rows // (2 * self.rows)


def _shared(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    memory = mmap.mmap(-1, int(np.prod(shape)) * dtype.itemsize)
    return np.frombuffer(memory, dtype).reshape(shape)


def _with_ancestors(parent: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns the given rows and those of all their ancestors, each once."""
    others = np.ones(len(parent) + 1, dtype=np.bool_)
    others[-1] = False  # for parent -1
    while len(rows):
        others[rows] = False
        rows = parent[rows]
        rows = rows[others[rows]]
    return np.flatnonzero(~others[:-1])


def _find(ascending: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns (places, whether it is there) of each wanted number."""
    at = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return at, ascending[at] == wanted


class Island(BaseIsland):
    """See the module's docstring.

    Args:
        module: breeds and evaluates, see `zero.programs.backends`.
        space, starts: as returned by `new_space`.
        memory: addresses.
        arrays: the evaluator of the search tasks.
        select: evaluates candidates on the select tasks.
        size: population size.
        settings: numbers of the search method.
        seed, experiment, index, count: name the random stream; `count` islands in all.
        limits: when to stop.
        migrants: how many individuals are exchanged after each round.
        buffer: shared by all islands; None where there is only one.
        batch: individuals bred at a time; 1 = without a pipeline, see `zero.evolution.batches`.
        others: what it knows of islands with other tasks; None where all have the same.
    """

    def __init__(
        self,
        module: SearchModule,
        space: Space,
        memory: Memory,
        arrays: EvaluatorArrays,
        select: Evaluator | None,
        size: int,
        settings: list[float],
        seed: int,
        experiment: int,
        index: int,
        count: int,
        limits: Limits,
        migrants: int,
        buffer: MigrantBuffer | None = None,
        batch: int = 1,
        others: OtherTasks | None = None,
    ):
        super().__init__(
            population.new_population(size, batch), seed, experiment, index, count, limits,
            min(migrants, size) if buffer is not None else 0, curve_every=size,
        )  # fmt: skip
        if space.proposals.tries[0] > 1:  # keys of the population, which `share` does not know
            of_record = np.zeros(population.capacity(size, batch), dtype=np.uint64)
            space = space._replace(proposals=space.proposals._replace(of_record=of_record))
        space = space._replace(  # seen by mutations that look at other individuals
            mates=self.population.slots, mate_fitness=self.population.slot_fitness
        )
        self.module, self.space, self.memory, self.arrays = module, space, memory, arrays
        self.select, self.buffer, self.others = select, buffer, others
        self.starts = space.starts
        self.batch = batches.new_batch(batch) if batch > 1 else None
        self.genomes = new_genomes(population.capacity(size, batch), int(self.starts[3]))
        # Those that are sent away, as a population of the same records.
        leaving = population.new_population(size, batch)
        self.leaving = leaving._replace(fitness=self.population.fitness)
        self.settings = np.array(settings, dtype=np.float64)
        state = SearchState(
            self.population, self.settings, self.genomes, space, arrays, self.rng, self.numbering,
            self.batch,
        )  # fmt: skip
        bundles = state, self.population, self.leaving, self.genomes, arrays
        handles = tuple(module.pack(bundle) for bundle in bundles)
        self._state, self._population, self._leaving, self._genomes, self._evaluator = handles

    def warm_up(self) -> None:
        """Compiles what `advance` needs (or loads it from the cache) and changes nothing."""
        self._run_block(0, np.zeros(3, dtype=np.int64))
        prepare(self.module.evaluate_program, self._genomes, 0, self._evaluator)
        self.module.collect(self._population)
        below(self.rng.copy(), 1)

    def prepare(self) -> None:
        """Opens the island's GPU, if it has one."""
        self.module.open_device(self._evaluator)

    def _tasks_fitness(self, row: int) -> np.ndarray:
        """Returns the fitness on each task; the rolling hurdle neither stops this nor sees it."""
        hurdle = self.arrays.hurdle
        kept = [array.copy() for array in hurdle]
        hurdle.threshold[0] = -np.inf
        self.module.evaluate_program(self._genomes, row, self._evaluator)
        for array, old in zip(hurdle, kept, strict=True):
            array[...] = old
        found = self.arrays.task_fitness[: self.arrays.settings.tasks].copy()
        return found if self.others is None else self.others.among_all(found)

    # --- running --------------------------------------------------------------------------------

    def _run_block(self, quota: int, limits: np.ndarray) -> int:
        if self.batch is None:
            return self.module.run_block(self._state, quota, limits)
        return self.module.run_batches(self._state, quota, limits)

    def _bred(self) -> int:
        return int(self.arrays.counters[EVALUATED])

    def _end_round(self) -> None:
        super()._end_round()
        if self.batch is not None:
            batches.clear(self.batch)  # somebody is in flight only where the experiment has ended

    def stats(self) -> dict[str, Any]:
        """As of every island; where a GPU evaluates also how long it was busy, for benchmarks."""
        busy = self.module.busy_seconds
        found = super().stats() | {"proposals": int(self.space.proposals.made[0])}
        best = float(self.population.best[0])
        if self.others is not None and self.others.mine > 0 and best > -np.inf:
            # A run's other figures are of the first tasks.
            found["now"] = f"best {best:.4f} on {self.others.name}"
        return found | ({} if busy is None else {"busy_seconds": busy})

    def _hits(self) -> tuple[int, int]:
        counters = self.arrays.counters
        return int(counters[SEEN_HITS] + counters[FEC_HITS]), int(counters[EVALUATED])

    def _select_fitness(self, record: RawProgram) -> float:
        return float("nan") if self.select is None else self.select(record.program).fitness

    def _first_records(self) -> list[RawProgram]:
        best = int(self.population.number[self.population.counts[BEST]])
        return [r for n, r in self.records.items() if r.individuals == 1 and n != best]

    def _record_best(self) -> RawProgram:
        """Keeps the best individual and its ancestors as records; returns its own."""
        p = self.population
        best = int(p.counts[BEST])
        parent = -1
        for record in population.lineage(p, best):
            number = int(p.number[record])
            if number not in self.records:
                self.records[number] = self._record(record, parent)
            parent = number
        mine = self.records[parent]
        if not mine.is_best:
            mine.is_best = True
            mine.task_fitness = self._tasks_fitness(best)
            if self.others is not None:  # it may have been recorded before it was evaluated here
                mine.fitness = float(p.fitness[best])
        if len(self.records) > MAX_RECORDS:
            self._thin_records()
        return mine

    def _thin_records(self) -> None:
        """Keeps every second improvement, so that a run of any length fits into memory.

        Lineages then go from improvement to improvement; steps in between are counted, not kept.
        """
        best = [number for number, r in self.records.items() if r.is_best]
        kept = {*best[::2], int(self.population.number[self.population.counts[BEST]])}
        kept |= {number for number, r in self.records.items() if r.parent < 0}
        if self.candidate:
            kept.add(self.candidate["number"])
        for number in kept:
            record = self.records[number]
            while record.parent >= 0 and record.parent not in kept:
                above = self.records[record.parent]
                record.steps += above.steps
                record.parent = above.parent
        self.records = {n: r for n, r in self.records.items() if n in kept}

    def _record(self, record: int, parent: int) -> RawProgram:
        p = self.population
        code, consts, sizes = cpu.read_arrays(self.genomes, record, self.starts)
        number = int(p.number[record])
        mutation = int(p.mutation[record])
        names = {population.COPY: "copy", population.FIRST: "first"}
        local = number % ID_STRIDE
        tasks, fitness = self.arrays.settings.tasks, float(p.fitness[record])
        if self.others is not None:
            tasks = self.others.total
            fitness = float("nan") if number in self.others.unmeasured else fitness
        return RawProgram(
            number=number,
            parent=parent,
            island=local % self.count,
            individuals=local // self.count,
            steps=int(p.steps[record]) if parent >= 0 else 0,
            mutation=names.get(mutation) or MUTATION_NAMES[mutation],
            fitness=fitness,
            is_best=False,
            select_fitness=float("nan"),
            task_fitness=np.full(tasks, np.nan),
            code=code,
            consts=consts,
            sizes=sizes,
        )

    # --- exchange with other islands ------------------------------------------------------------

    def _emigrants(self) -> dict[str, Any]:
        return {"rows": self._post() if len(self.sent) else 0}

    def _post(self) -> int:
        """Puts the individuals to send away into the buffer; returns how many rows that takes."""
        p, leaving, buffer = self.population, self.leaving, self.buffer
        # What they descend from, without the steps that led nowhere.
        records = leaving.slots[: len(self.sent)] = p.slots[self.sent]
        leaving.parent[:], leaving.steps[:] = p.parent, p.steps
        leaving.counts[FILLED], leaving.counts[BEST] = len(records), -1
        self.module.collect(self._leaving)
        rows = np.flatnonzero(leaving.keep)
        box = buffer.box(self.index, self.round)
        row_of = np.full(len(p.parent) + 1, -1)  # the last one for parent -1
        row_of[rows] = np.arange(box, box + len(rows))
        buffer.migrants[self.index, self.round % 2, : len(records)] = row_of[records]
        columns = {
            "number": p.number, "parent": row_of[leaving.parent], "steps": leaving.steps,
            "mutation": p.mutation, "fitness": p.fitness, **self.genomes._asdict(),
        }  # fmt: skip
        if self.others is not None:
            columns["unmeasured"] = self.others.are_unmeasured(p.number)
        for name, column in columns.items():
            buffer.columns[name][box : box + len(rows)] = column[rows]
        return len(rows)

    def _posted(self) -> dict[str, np.ndarray]:
        """Returns what of the buffer others have still to read, as views."""
        if self.report is None or self.report["sent"] == 0:
            return {}
        box = self.buffer.box(self.index, self.report["round"])
        parts = {n: c[box : box + self.report["rows"]] for n, c in self.buffer.columns.items()}
        migrants = self.buffer.migrants[self.index, self.report["round"] % 2]
        return {**parts, "migrants": migrants[: self.report["sent"]]}

    def _take_arrivals(self, drawn: np.ndarray) -> None:
        """Copies immigrants and their ancestors from the buffer.

        drawn: (n, 2), of each the island that sent it and its place among those it sent.
        """
        if len(drawn):
            columns = self.buffer.columns
            migrants = self.buffer.migrants[drawn[:, 0], self.report["round"] % 2, drawn[:, 1]]
            rows = _with_ancestors(columns["parent"], migrants)
            if self.others is not None:  # those first whose fitness is of these tasks
                elsewhere = self.others.elsewhere(self.buffer.senders(rows))
                unmeasured = elsewhere | columns["unmeasured"][rows]
                rows = rows[np.argsort(unmeasured, kind="stable")]
            # Several islands may send the same one.
            _, first = np.unique(columns["number"][rows], return_index=True)
            rows = rows[first]
            found = {name: column[rows] for name, column in columns.items()}
            parent = found["parent"]
            found["parent"] = np.where(parent < 0, -1, columns["number"][parent])
            numbers = columns["number"][migrants]
            self.arrivals = {"numbers": numbers, "immigrants": found}
            if self.others is not None:
                found["unmeasured"] |= self.others.elsewhere(self.buffer.senders(rows))
                fitness = columns["fitness"][migrants]
                self.arrivals["known"] = self.others.known(numbers, drawn[:, 0], fitness)

    def _immigrate(self, arrivals: dict[str, Any]) -> None:
        """Lets individuals take the places of those sent away.

        arrivals: numbers; immigrants, what the buffer had of them and of their ancestors, oldest first;
            known, where islands have other tasks: see `OtherTasks.known`.
        """
        numbers, immigrants = arrivals["numbers"], arrivals["immigrants"]
        p, everyone = self.population, immigrants["number"]
        self.module.collect(self._population)
        held = np.flatnonzero(p.keep)
        at, here = _find(everyone, p.number[held])
        records = np.full(len(everyone) + 1, -1)  # of each; the last one for nobody
        records[at[here]] = held[here]
        # Where there is no room for the whole history its beginning is left out.
        new = np.flatnonzero(records[:-1] < 0)
        new = new[max(0, len(new) - int(p.counts[population.FREE])) :]
        p.counts[population.FREE] -= len(new)
        free = int(p.counts[population.FREE])
        target = records[new] = p.free[free : free + len(new)]
        at, here = _find(everyone, immigrants["parent"][new])
        p.parent[target] = np.where(here, records[at], -1)
        if len(self.space.proposals.of_record) > 1:
            self.space.proposals.of_record[target] = 0
        for name in ("number", "steps", "mutation", "fitness"):
            getattr(p, name)[target] = immigrants[name][new]
        for name, bank in self.genomes._asdict().items():
            bank[target] = immigrants[name][new]
        arrived = records[np.searchsorted(everyone, numbers)][: len(self.sent)]
        fits = arrived >= 0
        slots = self.sent[: len(arrived)][fits]  # the others' occupants stay
        arrived = arrived[fits]
        if self.others is not None:
            came = target, immigrants["unmeasured"][new]
            known = arrivals["known"][: len(fits)][fits]
            self.others.settle(p, self._evaluated_anew, came, held, arrived, known)
        p.slots[slots] = arrived
        p.slot_fitness[slots] = p.fitness[arrived]
        if len(arrived):
            best = arrived[np.argmax(p.fitness[arrived])]
            if p.fitness[best] > p.best[0]:
                p.best[0] = p.fitness[best]
                p.counts[BEST] = best
                p.counts[BEST_AT] = p.counts[INDIVIDUALS]

    def _evaluated_anew(self, record: int) -> tuple[float, int]:
        """Returns (fitness, train steps taken) of a record from elsewhere, as if it were bred here."""
        if 0.0 < self.arrays.settings.budget < static_cost(self.arrays, self.genomes, record):
            return 0.0, 0
        fitness, steps = self.module.evaluate_program(self._genomes, record, self._evaluator)
        return (-np.inf if np.isnan(fitness) else float(fitness)), int(steps)

    # --- state ----------------------------------------------------------------------------------

    def _arrays(self) -> dict[str, np.ndarray]:
        lasting = ("seen", "fec", "hurdle")
        found = {
            **arrays_of(self.population, "population."),
            **{f"genomes.{k}": v for k, v in zip(Genomes._fields, self.genomes, strict=True)},
            "rng": self.rng,
            "counters": self.arrays.counters,
            **{f"proposals.{k}": getattr(self.space.proposals, k) for k in proposals.LASTING},
        }
        for name in lasting:
            found.update(arrays_of(getattr(self.arrays, name), f"{name}."))
        if self.batch is not None:
            found.update(arrays_of(self.batch, "batch."))
        return found

    def _own_state(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "posted": {name: part.copy() for name, part in self._posted().items()},
            "records": pack_records(list(self.records.values())),
        }
        return found if self.others is None else found | {"unmeasured": self.others.state()}

    def _take_own_state(self, state: dict[str, Any]) -> None:
        for name, part in self._posted().items():
            part[...] = state["posted"][name]
        self.records = {r.number: r for r in unpack_records(state["records"])}
        if self.others is not None:
            self.others.restore(state["unmeasured"])

"""One island: a population of programs, its evaluator and its random stream, in one process.

`Island.advance` runs the compiled loop in short blocks and comes back to Python a few times a
second. All state is arrays and plain numbers: `state` gives it away, `restore` takes it back, and
an island that is restored goes on as if nothing had happened, bit for bit. No decision depends on a
clock.

Made by `zero.run`, driven by `zero.islands`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero import loop, population
from zero.evaluator import Evaluator
from zero.interpreter import cpu
from zero.interpreter.arrays import FEC_HITS, SEEN_HITS
from zero.interpreter.arrays import Evaluator as EvaluatorArrays
from zero.mutation_names import MUTATION_NAMES
from zero.mutations import Genomes, Space, new_genomes
from zero.population import BEST, BEST_AT, FILLED, INDIVIDUALS, TRAIN_STEPS
from zero.program import Memory, Program, from_arrays
from zero.search_rng import below, new_state
from zero.struct import arrays_of

MAX_CURVE = 1000
ID_STRIDE = 1 << 44  # individuals' numbers of different experiments lie this far apart
_NEVER = np.iinfo(np.int64).max


def new_space(
    memory: Memory,
    ops: tuple[list[int], list[int], list[int]],
    sizes: list[tuple[int, int, int]],
    mutations: dict[str, float],
    mutate_probability: float,
    initial: Program,
    initial_random: bool,
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
    """
    from zero.ops import op_tables

    # One instruction more than the largest size: trading inserts before it removes.
    lengths = [
        max(largest, len(f)) + 1
        for (_, _, largest), f in zip(sizes, initial.functions, strict=True)
    ]
    genomes, starts = cpu.genome_of(initial, tuple(lengths))
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
    )
    return space, starts


@dataclass(frozen=True)
class Limits:
    """When an island ends its experiment by itself; its own share where islands share a budget."""

    individuals: int = _NEVER
    train_steps: int = _NEVER
    patience: int = _NEVER
    fitness: float = np.inf
    round: int = 10_000


def pack_records(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns records as one array a column: thousands of small arrays are slow to store."""
    if not records:
        return {}
    length = max(len(r["code"]) for r in records)
    columns: dict[str, Any] = {}
    for name, first in records[0].items():
        values = [r[name] for r in records]
        if name in ("code", "consts"):
            padded = np.zeros((len(records), length, first.shape[1]), first.dtype)
            for row, value in zip(padded, values, strict=True):
                row[: len(value)] = value
            columns[name] = padded
        else:
            columns[name] = values if isinstance(first, str) else np.array(values)
    return columns


def unpack_records(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the records that `pack_records` was given."""
    records = []
    for k in range(len(columns.get("number", ()))):
        record = {}
        for name, values in columns.items():
            value = values[k]
            record[name] = value.item() if isinstance(value, np.generic) else value
        used = int(record["sizes"].sum())
        record["code"], record["consts"] = record["code"][:used], record["consts"][:used]
        records.append(record)
    return records


class Island:
    """See the module's docstring.

    Args:
        module: as returned by `zero.interpreter.cpu.build`.
        space, starts: as returned by `new_space`.
        memory: addresses.
        arrays: the evaluator of the search tasks.
        select: evaluates candidates on the select tasks.
        size: population size.
        settings: numbers of the search method.
        seed, experiment, index, count: name the random stream; `count` islands in all.
        limits: when to stop.
        migrants: how many individuals are exchanged after each round.
    """

    def __init__(
        self,
        module,
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
    ):
        self.module, self.space, self.memory, self.arrays = module, space, memory, arrays
        self.select, self.limits, self.index, self.count = select, limits, index, count
        self.starts = space.starts
        self.population = population.new_population(size)
        self.genomes = new_genomes(population.capacity(size), int(self.starts[3]))
        self.rng = new_state(seed, "search", experiment, index)
        self.migrants = min(migrants, size) if count > 1 else 0
        self.settings = np.array(settings, dtype=np.float64)
        self.numbering = np.array([count, index + experiment * ID_STRIDE], dtype=np.int64)
        # What the generic loop does not know: bookkeeping between blocks.
        self.round = 0
        self.reason: str | None = None  # why the island ended its experiment
        self.waiting = False  # at the end of a round, for the other islands
        self.sent = np.zeros(0, dtype=np.int64)  # slots whose individuals were sent away
        self.records: dict[int, dict[str, Any]] = {}
        self.curve: list[list[float]] = []
        self.curve_every = size
        self.checked = -1  # number of the individual that was last evaluated on the select tasks
        self.candidate: dict[str, Any] | None = None
        self._handles()

    def _handles(self) -> None:
        self._population = self.module.pack(self.population)
        self._space = self.module.pack(self.space)
        self._genomes = self.module.pack(self.genomes)
        self._evaluator = self.module.pack(self.arrays)
        self._quota = 1

    def warm_up(self) -> None:
        """Compiles what `advance` needs (or loads it from the cache) and changes nothing."""
        limits = np.zeros(2, dtype=np.int64)
        self.module.run_block(
            self._population, self.settings, self._genomes, self._space, self._evaluator, self.rng,
            0, limits, self.numbering,
        )  # fmt: skip
        self._tasks_fitness(0)
        self.module.collect(self._population)
        below(self.rng.copy(), 1)

    def _tasks_fitness(self, row: int) -> np.ndarray:
        """Returns the fitness on each task; the rolling hurdle neither stops this nor sees it."""
        hurdle = self.arrays.hurdle
        kept = [array.copy() for array in hurdle]
        hurdle.threshold[0] = -np.inf
        self.module.evaluate_program(self._genomes, row, self._evaluator)
        for array, old in zip(hurdle, kept, strict=True):
            array[...] = old
        return self.arrays.task_fitness[: self.arrays.settings.tasks].copy()

    # --- running --------------------------------------------------------------------------------

    @property
    def individuals(self) -> int:
        """Individuals made so far."""
        return int(self.population.counts[INDIVIDUALS])

    def advance(self, seconds: float) -> dict[str, Any] | None:
        """Evolves for about that long, to the end of a round or to a new best individual.

        Returns the new best individual's record, or None. At the end of a round or of the
        experiment `waiting` is set; then `report` and `begin_round` are next.
        """
        counts, limits = self.population.counts, self.limits
        deadline = time.perf_counter() + seconds
        while True:
            round_end = min((self.round + 1) * limits.round, limits.individuals)
            stop = min(round_end, self._next_curve())
            if counts[FILLED]:
                stop = min(stop, int(counts[BEST_AT]) + limits.patience)
            began, before = time.perf_counter(), self.individuals
            code = self.module.run_block(
                self._population, self.settings, self._genomes, self._space, self._evaluator,
                self.rng, self._quota, np.array([stop, limits.train_steps]), self.numbering,
            )  # fmt: skip
            now = time.perf_counter()
            # Blocks of about a twentieth of a second; their length decides nothing.
            rate = (self.individuals - before) / max(now - began, 1e-9)
            if code == loop.QUOTA:
                self._quota = int(max(1, min(rate * 0.05, self._quota * 4, 1_000_000)))
            best = self._record_best() if code == loop.IMPROVED else None
            if self.individuals >= self._next_curve():
                self._add_to_curve()
            self._check_limits(round_end)
            if best is not None or self.waiting or now >= deadline:
                return best

    def _check_limits(self, round_end: int) -> None:
        counts, limits = self.population.counts, self.limits
        if self.population.best[0] >= limits.fitness:
            self.reason = "fitness"
        elif counts[INDIVIDUALS] >= limits.individuals:
            self.reason = "individuals"
        elif counts[TRAIN_STEPS] >= limits.train_steps:
            self.reason = "train_steps"
        elif counts[INDIVIDUALS] - counts[BEST_AT] >= limits.patience:
            self.reason = "patience"
        if self.reason or self.individuals >= round_end:
            self._end_round()

    def _end_round(self) -> None:
        """Evaluates a new best program on the select tasks and draws who migrates."""
        self.waiting = True
        best = int(self.population.counts[BEST])
        number = int(self.population.number[best]) if best >= 0 else -1
        if best >= 0 and number != self.checked:
            self.checked = number
            self._record_best()
            record = self.records[number]
            fitness = self._select_fitness(record)
            record["select_fitness"] = fitness
            old = self.candidate
            if old is None or not fitness < old["select_fitness"]:
                self.candidate = {
                    "number": number,
                    "search_fitness": record["fitness"],
                    "select_fitness": fitness,
                }
        filled = int(self.population.counts[FILLED])
        slots = np.arange(filled)
        for k in range(min(self.migrants, filled)):  # a partial shuffle: drawn without replacement
            other = k + below(self.rng, filled - k)
            slots[k], slots[other] = slots[other], slots[k]
        self.sent = slots[: self.migrants].astype(np.int64)

    def _select_fitness(self, record: dict[str, Any]) -> float:
        program = from_arrays(record["code"], record["consts"], record["sizes"])
        return float("nan") if self.select is None else self.select(program).fitness

    def _next_curve(self) -> int:
        done = self.curve[-1][0] if self.curve else 0
        return int(done) + self.curve_every

    def _add_to_curve(self) -> None:
        fitness = self.population.slot_fitness[: self.population.counts[FILLED]]
        counters = self.arrays.counters
        # A fixed order of summation, and NaN-free even where every program failed.
        finite = fitness[np.isfinite(fitness)]
        mean = float(finite.mean()) if len(finite) else 0.0
        spread = float(finite.std()) if len(finite) else 0.0
        hits = int(counters[SEEN_HITS] + counters[FEC_HITS])
        steps = int(self.population.counts[TRAIN_STEPS])
        best = float(self.population.best[0])
        self.curve.append([self.individuals, steps, best, mean, spread, hits])
        if len(self.curve) > MAX_CURVE:
            self.curve = self.curve[1::2]
            self.curve_every *= 2

    def _record_best(self) -> dict[str, Any]:
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
        if not mine["is_best"]:
            mine["is_best"] = True
            mine["task_fitness"] = self._tasks_fitness(best)
        return mine

    def _record(self, record: int, parent: int) -> dict[str, Any]:
        p = self.population
        code, consts, sizes = cpu.read_arrays(self.genomes, record, self.starts)
        number = int(p.number[record])
        mutation = int(p.mutation[record])
        names = {population.COPY: "copy", population.FIRST: "first"}
        local = number % ID_STRIDE
        return {
            "number": number,
            "parent": parent,
            "island": local % self.count,
            "individuals": local // self.count,
            "steps": int(p.steps[record]) if parent >= 0 else 0,
            "mutation": names.get(mutation) or MUTATION_NAMES[mutation],
            "fitness": float(p.fitness[record]),
            "is_best": False,
            "select_fitness": float("nan"),
            "task_fitness": np.full(self.arrays.settings.tasks, np.nan),
            "code": code,
            "consts": consts,
            "sizes": sizes,
        }

    # --- exchange with other islands ------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """Returns what the other islands and the run need to know at the end of a round."""
        return {
            "island": self.index,
            "round": self.round,
            "reason": self.reason,
            "best_fitness": float(self.population.best[0]),
            "unimproved": int(self.individuals - self.population.counts[BEST_AT]),
            "candidate": self.candidate,
            "emigrants": self._emigrants(),
        }

    def _emigrants(self) -> dict[str, Any]:
        """Returns the individuals sent away with their ancestors: {numbers, people}."""
        p = self.population
        people: dict[int, dict[str, Any]] = {}
        for slot in self.sent:
            record = int(p.slots[slot])
            # Up to an ancestor that came along with another one.
            while record >= 0 and int(p.number[record]) not in people:
                parent = int(p.parent[record])
                people[int(p.number[record])] = {
                    "parent": int(p.number[parent]) if parent >= 0 else -1,
                    "steps": int(p.steps[record]),
                    "mutation": int(p.mutation[record]),
                    "fitness": float(p.fitness[record]),
                    # Bytes: hundreds of small arrays are slow to send.
                    "genome": [bank[record].tobytes() for bank in self.genomes],
                }
                record = parent
        numbers = [int(p.number[p.slots[slot]]) for slot in self.sent]
        return {"numbers": numbers, "people": people}

    def begin_round(self, immigrants: dict[str, Any] | None) -> None:
        """Lets immigrants replace the individuals that were sent away, and goes on."""
        if immigrants and immigrants["numbers"]:
            self._immigrate(immigrants)
        self.round += 1
        self.waiting = False

    def _immigrate(self, immigrants: dict[str, Any]) -> None:
        p, people = self.population, immigrants["people"]
        self.module.collect(self._population)
        held = np.nonzero(p.keep)[0]
        known = {int(p.number[record]): int(record) for record in held}
        arriving = list(zip(self.sent, immigrants["numbers"], strict=False))
        for done, (slot, number) in enumerate(arriving):
            chain = []
            while number >= 0 and number not in known:
                chain.append(number)
                number = people[number]["parent"]
            if chain and len(chain) > p.counts[population.FREE] - (len(arriving) - done):
                if p.counts[population.FREE] == 0:
                    continue  # no room at all: the one whose place this is stays
                chain = chain[:1]  # no room for its history: what is left is for the others
                number = -1
            parent = known.get(number, -1)
            for number in reversed(chain):
                parent = known[number] = self._admit(number, people[number], parent)
            p.slots[slot] = parent
            p.slot_fitness[slot] = p.fitness[parent]
            if p.fitness[parent] > p.best[0]:
                p.best[0] = p.fitness[parent]
                p.counts[BEST] = parent
                p.counts[BEST_AT] = p.counts[INDIVIDUALS]

    def _admit(self, number: int, person: dict[str, Any], parent: int) -> int:
        p = self.population
        p.counts[population.FREE] -= 1
        record = int(p.free[p.counts[population.FREE]])
        for bank, data in zip(self.genomes, person["genome"], strict=True):
            bank[record] = np.frombuffer(data, bank.dtype).reshape(bank.shape[1:])
        p.number[record], p.parent[record] = number, parent
        p.steps[record], p.mutation[record] = person["steps"], person["mutation"]
        p.fitness[record] = person["fitness"]
        return record

    # --- state ----------------------------------------------------------------------------------

    def _arrays(self) -> dict[str, np.ndarray]:
        lasting = ("seen", "fec", "hurdle")
        found = {
            **arrays_of(self.population, "population."),
            **{f"genomes.{k}": v for k, v in zip(Genomes._fields, self.genomes, strict=True)},
            "rng": self.rng,
            "counters": self.arrays.counters,
        }
        for name in lasting:
            found.update(arrays_of(getattr(self.arrays, name), f"{name}."))
        return found

    def state(self) -> dict[str, Any]:
        """Returns everything that the future depends on, as a tree of arrays and plain values."""
        return {
            "arrays": {name: array.copy() for name, array in self._arrays().items()},
            "round": self.round,
            "reason": self.reason,
            "waiting": self.waiting,
            "sent": self.sent.copy(),
            "records": pack_records(list(self.records.values())),
            "curve": np.array(self.curve, dtype=np.float64).reshape(-1, 6),
            "curve_every": self.curve_every,
            "checked": self.checked,
            "candidate": dict(self.candidate) if self.candidate else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state` gave."""
        for name, array in self._arrays().items():
            array[...] = state["arrays"][name]
        self.round, self.reason = state["round"], state["reason"]
        self.waiting, self.sent = state["waiting"], state["sent"]
        self.records = {r["number"]: r for r in unpack_records(state["records"])}
        self.curve = [list(row) for row in state["curve"]]
        self.curve_every, self.checked = state["curve_every"], state["checked"]
        self.candidate = dict(state["candidate"]) if state["candidate"] else None

    def stats(self) -> dict[str, Any]:
        """Returns the numbers shown while the run goes on."""
        counts, counters = self.population.counts, self.arrays.counters
        fitness = self.population.slot_fitness[: counts[FILLED]]
        finite = fitness[np.isfinite(fitness)]
        return {
            "individuals": self.individuals,
            "train_steps": int(counts[TRAIN_STEPS]),
            "best_fitness": float(self.population.best[0]),
            "mean_fitness": float(finite.mean()) if len(finite) else 0.0,
            "hits": int(counters[SEEN_HITS] + counters[FEC_HITS]),
            "evaluations": int(counters[0]),
        }

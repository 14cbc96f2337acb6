"""Batched evolution: who is bred from whom, exact resume, and evaluations that are deferred."""

from dataclasses import replace

import numpy as np
import pytest
from small_runs import small_config

from tests.evolution.test_population import History, check
from tests.programs.test_island import (
    BUDGET,
    HURDLE,
    exchange,
    make,
    numbers,
    play,
    play_together,
    same,
)
from zero.errors import ConfigError
from zero.evolution.batches import (
    BRED,
    FINISHED,
    FULL,
    KNOWN,
    PASSED,
    new_batch,
    run_batches,
)
from zero.evolution.loop import IMPROVED, LIMIT, QUOTA
from zero.evolution.population import (
    BEST_AT,
    INDIVIDUALS,
    TRAIN_STEPS,
    capacity,
    new_population,
)
from zero.programs.config import default_batch
from zero.programs.domain import make_tasks, memory_of
from zero.programs.interpreter import cpu
from zero.programs.interpreter.arrays import (
    BUDGET_FAILS,
    EVALUATED,
    FEC_HITS,
    HURDLE_FAILS,
    SEEN_HITS,
)
from zero.rng.philox import key_for
from zero.search import local_search, random_search, regularized_evolution

# --- the loop on a toy genome -----------------------------------------------------------------------


class BatchToy(History):
    """The toy search that remembers everything, in batches; its rounds end where it is told."""

    def __init__(self, size, batch, *arguments, **more):
        super().__init__(size, *arguments, **more)
        self.population = new_population(size, batch)
        self.genomes = np.zeros(capacity(size, batch), np.int64)
        self.batch = new_batch(batch)
        self.born_among = []  # of each individual bred, how many had been inserted

    def _remember(self, record, parent, copy):
        self.born_among.append(int(self.population.counts[INDIVIDUALS]))
        number = 3 * len(self.born_among) + 2
        self.everyone[number] = (parent, int(self.genomes[record]), copy)

    def run(self, quota, individuals=10**9, steps=10**9, end=None):
        limits = np.array([individuals, steps, end or individuals])
        return run_batches(self.functions(), self.state(self.batch), quota, limits)


def test_children_are_bred_from_the_batches_before_the_one_in_flight():
    toy = BatchToy(20, 8, lambda x: x / 1000)
    toy.run_on(100)
    # First individuals: batches of 8, 8 and, so that the population is filled exactly, 4. The first
    # children need all of them; from then on one batch is in flight. The last one ends the round.
    expected = [0] * 16 + [8] * 4 + [20] * 8
    for k in range(28, 100):
        expected.append(max(20, (k - 28) // 8 * 8 + 20))
    assert toy.born_among == expected
    assert toy.population.counts[INDIVIDUALS] == 100 and not toy.batch.rows.any()
    assert toy.population.counts[TRAIN_STEPS] == 700
    before = len(toy.born_among)
    toy.run_on(9)  # another round: nothing is in flight at its start
    assert toy.born_among[before:] == [100] * 9


def test_the_oldest_are_replaced_in_order_of_breeding():
    toy = BatchToy(6, 4, lambda x: 0.5)
    for end in (6, 7, 20, 41):
        toy.run_on(end - toy.population.counts[INDIVIDUALS])
        ring = np.roll(toy.population.slots, -end % 6 if end % 6 == 0 else -(end % 6))
        assert toy.population.number[ring].tolist() == [3 * k + 2 for k in range(end - 5, end + 1)]
        assert toy.genomes[ring].tolist() == [m[1] for m in toy.made[-6:]]


@pytest.mark.parametrize(("size", "batch"), [(2, 2), (5, 64), (40, 16)])
def test_lineages_stay_true_with_some_in_flight(size, batch):
    toy = BatchToy(size, batch, lambda x: -abs(x - 160))
    for end in range(1500, 12_000, 1500):
        while toy.population.counts[INDIVIDUALS] < end - 300:
            toy.run(batch // 2 + 1, individuals=end - 300, end=end)
        check(toy)  # in the middle of a round
        toy.run_on(300)
        check(toy)


def test_room_is_enough_for_those_in_flight_however_long_every_step_is_a_step_forward():
    toy = BatchToy(30, 50, lambda x: 0.0)
    toy.evaluate = lambda genomes, record, evaluator: (float(genomes[record]), 1)
    toy.breed = lambda genomes, parent, record, space, evaluator, rng: _longer(
        genomes, parent, record
    )
    toy.run_on(3 * capacity(30, 50))
    assert toy.population.best[0] > 110


def _longer(genomes, parent, record):
    genomes[record] = genomes[parent] + 1
    return 4


def test_why_the_batched_loop_comes_back():
    toy = BatchToy(4, 4, lambda x: x / 1000)
    assert toy.run(3, end=50) == QUOTA and toy.population.counts[INDIVIDUALS] == 0
    assert toy.run(100, end=50) == IMPROVED and toy.population.counts[INDIVIDUALS] == 1
    flat = BatchToy(4, 4, lambda x: 0.5)
    assert flat.run(100, end=50) == IMPROVED
    # Limits that are no end of a round leave others in flight.
    assert flat.run(100, individuals=18, end=50) == LIMIT
    assert flat.population.counts[INDIVIDUALS] == 18 and flat.batch.rows.sum() == 8
    assert flat.run(100, steps=7 * 20 + 1, end=50) == LIMIT
    assert flat.population.counts[INDIVIDUALS] == 21
    assert flat.run(100, individuals=60, end=50) == LIMIT
    assert flat.population.counts[INDIVIDUALS] == 50 and not flat.batch.rows.any()
    odd = BatchToy(4, 4, lambda x: float("nan"))
    odd.run_on(50)
    assert odd.population.best[0] == -np.inf and not np.isnan(odd.population.slot_fitness).any()


@pytest.mark.parametrize("method", [regularized_evolution, random_search, local_search])
def test_quota_decides_nothing_in_batches(method):
    runs = []
    for quota in (1, 5, 10_000):
        toy = BatchToy(12, 9, lambda x: -abs(x - 130), method.choose)
        for end in (400, 1500):
            while toy.population.counts[INDIVIDUALS] < end:
                toy.run(quota, individuals=end)
        runs.append([m[1] for m in toy.made])
    assert len(runs[0]) == 1500
    assert runs[0] == runs[1] == runs[2]


# --- islands ----------------------------------------------------------------------------------------


def in_batches(size, **changes):
    return {**changes, "search": {"batch": size, **changes.get("search", {})}}


def test_batch_size_is_part_of_the_algorithm():
    found = [numbers(play(make(**in_batches(size)), 2)) for size in (1, 2, 16)]
    fitness = [play(make(**in_batches(s)), 2).population.slot_fitness for s in (1, 2, 16)]
    assert found[0] == found[1] == found[2]  # exactly a round each
    assert not same(fitness[0], fitness[1]) and not same(fitness[1], fitness[2])


def test_backends_agree_in_batches():
    changes = in_batches(16, evaluation={"cache": "none"}, islands={"migrate_every": 120})
    compiled, plain = play(make(**changes), 2), play(make(**changes, backend="reference"), 2)
    assert compiled.individuals == plain.individuals == 240
    assert same(compiled.genomes.code, plain.genomes.code)
    np.testing.assert_allclose(compiled.population.fitness, plain.population.fitness, rtol=1e-12)


def cut_into_blocks(make_one, rounds, quota):
    """Plays with a fresh island, restored from the last one's state, after every block."""
    island = make_one()
    in_flight = 0
    for _ in range(rounds):
        if island.waiting:
            island.begin_round()
        while not island.waiting:
            island._quota = quota
            island.advance(0.0)
            in_flight += island.batch.rows.all()
            fresh = make_one()
            fresh.restore(island.state())
            island = fresh
    assert in_flight > 5
    return island


@pytest.mark.parametrize("changes", [{}, HURDLE])
def test_an_island_restored_at_any_block_goes_on_as_if_nothing_had_happened(changes):
    changes = in_batches(64, **changes)
    whole = play(make(**changes), 3)
    cut = cut_into_blocks(lambda: make(**changes), 3, quota=47)
    assert same(cut.state(), whole.state())


def test_islands_in_batches_are_restored_with_migrants_on_their_way():
    changes = in_batches(64)
    whole = play_together(make(2, **changes), 5)
    cut = play_together(make(2, **changes), 3)
    exchange(cut)
    for island in cut:
        while not island.batch.rows.all():  # into the middle of a round
            island._quota = 30
            island.advance(0.0)
    again = make(2, **changes)
    for island, old in zip(again, cut, strict=True):
        island.restore(old.state())
    for islands in (again, cut):
        for island in islands:
            play(island, 1)
        exchange(islands)
        play_together(islands, 1)
        assert all(same(a.state(), b.state()) for a, b in zip(islands, whole, strict=True))
    whole[0].begin_round()
    assert any(n % 2 for n in numbers(whole[0]))  # somebody did migrate


def test_an_experiment_ends_where_it_should_with_others_in_flight():
    patience = make(**in_batches(64), budget={**BUDGET, "individuals": 10**9})
    patience.limits = replace(patience.limits, patience=100)
    play(patience, 20)
    assert patience.reason == "patience"
    assert patience.individuals == patience.population.counts[BEST_AT] + 100
    assert not patience.batch.rows.any()
    steps = make(budget={"individuals": 10**9, "train_steps": 20_000}, **in_batches(64))
    play(steps, 20)
    assert steps.reason == "train_steps"
    taken = steps.population.counts[TRAIN_STEPS]
    assert 20_000 <= taken <= 20_000 + 20
    exact = make(budget={"individuals": 777, "train_steps": 10**9}, **in_batches(64))
    play(exact, 3)
    assert (exact.reason, exact.individuals) == ("individuals", 777)
    assert exact.arrays.counters[EVALUATED] == 777


# --- evaluations that are deferred --------------------------------------------------------------


class Deferred:
    """Stands for a module that has a GPU: it evaluates FULL rows in full, each on its own.

    Everything else is as in the module that it is made from.
    """

    def __init__(self, config):
        self.module = cpu.build(config.dtype, cpu.lanes_for(config.tasks.search.count))
        self.config, self.evaluated, self.filled = config, 0, []

    def __getattr__(self, name):
        return getattr(self.module, name)

    def _evaluator(self, starts, train=None, valid=None):
        config, tasks = self.config, make_tasks(self.config, "search")
        if train:
            tasks = replace(
                tasks, train_x=tasks.train_x[:, :train], train_y=tasks.train_y[:, :train],
                valid_x=tasks.valid_x[:, :valid], valid_y=tasks.valid_y[:, :valid],
            )  # fmt: skip
        return cpu.new_evaluator(
            tasks, memory_of(config), starts, module=self.module,
            key=key_for(config.seed, "evaluation"),
        )  # fmt: skip

    def _evaluate(self, batch, half, genomes, arrays):
        """Returns fitness and train steps of each task of the rows to be evaluated."""
        rows = np.flatnonzero(np.isin(batch.status[half, : batch.rows[half]], (FULL, PASSED)))
        tasks = arrays.settings.tasks
        fitness = np.zeros((len(rows), tasks))
        taken = np.zeros((len(rows), tasks), np.int32)
        packed = self.module.pack(arrays)
        for n, row in enumerate(batch.record[half, rows]):
            _, taken[n, 0] = self.module.evaluate_program(genomes, int(row), packed)
            fitness[n] = arrays.task_fitness[:tasks]
        return fitness, taken

    def run_batches(self, state, quota, limits):
        value = state.kept[0]
        p, b, e = value.population, value.batch, value.evaluator
        while quota > 0:
            if p.counts[INDIVIDUALS] >= limits[0] or p.counts[TRAIN_STEPS] >= limits[1]:
                return LIMIT
            if self.module.breed_batch(state, limits[2]):
                newest = int(np.flatnonzero(b.stage == BRED)[0])
                full = self.module.prepare_batch(state, newest)
                assert full == np.sum(b.status[newest, : b.rows[newest]] == FULL)
                quota -= 1
                continue
            half = int(b.counts[0])
            if b.rows[half] == 0:
                return LIMIT
            if b.stage[half] != FINISHED:
                self._finish(b, half, self.module.pack(value.genomes), e, state)
            code = self.module.insert_batch(state, limits)
            if code != QUOTA:
                return code
        return QUOTA

    def _finish(self, b, half, genomes, e, state):
        s = e.settings
        if s.hurdle_train:
            early = self._evaluator(e.starts, s.hurdle_train, s.hurdle_valid)
            early = self._evaluate(b, half, genomes, early)
            passed = self.module.screen_batch(state, half, *early)
            assert passed == np.sum(b.status[half, : b.rows[half]] == PASSED)
        outcome = self._evaluate(b, half, genomes, self._evaluator(e.starts))
        self.evaluated += len(outcome[0])
        self.filled.append((len(outcome[0]), int(b.rows[half])))
        self.module.finish_batch(state, half, *outcome)
        assert (b.status[half, : b.rows[half]] == KNOWN).all()


def deferred(changes):
    """Returns an island whose evaluations are deferred."""
    island = make(**changes)
    island.module = Deferred(small_config(**changes))
    return island


def _forget_how(state):
    """Leaves caches, counters, hurdle and so on, but not how batches were worked on."""
    arrays = {k: v for k, v in state["arrays"].items() if not k.startswith("batch.")}
    for cache in ("seen", "fec"):
        lines = arrays[f"{cache}.lines"]
        arrays.pop(f"{cache}.floats")
        lines[:, 4:][lines[:, :4] == 0] = 0  # values of entries that were erased
    state["arrays"] = arrays


SMALL_CACHE = {"cache": {"train": 3, "valid": 2, "size": 40, "forget_every": 3}}
RANDOM_OPS = {"program": {"predict": {"ops": ["VECTOR_INNER_PRODUCT", "SCALAR_GAUSSIAN_SET"]}}}
CASES = {
    "plain": {},
    "no cache": {"evaluation": {"cache": "none"}},
    "entries are forgotten": {"evaluation": SMALL_CACHE},
    "hurdle": HURDLE,
    "hurdle, no cache": {"evaluation": {**HURDLE["evaluation"], "cache": "none"}},
    "train budget": {"evaluation": {"train_budget": {"baseline": "linear", "factor": 0.5}}},
    "three tasks": {"tasks": {"search": {"count": 3}}, "evaluation": {"fitness": "median"}},
    "random ops": RANDOM_OPS,
}


@pytest.mark.parametrize("batch", [2, 30, 200])
@pytest.mark.parametrize("case", CASES)
def test_deferred_evaluations_make_the_same_search(case, batch):
    changes = in_batches(batch, **CASES[case])
    here, there = play(make(**changes), 3), play(deferred(changes), 3)
    wanted, got = here.state(), there.state()
    for state in (wanted, got):
        _forget_how(state)
    assert same(got, wanted)
    counters = here.arrays.counters
    # What a cache knows, also of the same batch, is evaluated nowhere.
    known = counters[[SEEN_HITS, FEC_HITS, HURDLE_FAILS, BUDGET_FAILS]].sum()
    assert there.module.evaluated == counters[EVALUATED] - known
    assert 0 < there.module.evaluated < here.individuals
    assert (case == "train budget") == (counters[BUDGET_FAILS] > 0)
    assert ("hurdle" in case) == (counters[HURDLE_FAILS] > 0)


def test_children_alike_in_one_batch_and_the_next_are_evaluated_once():
    still = {"search": {"mutate_probability": 0.0, "batch": 10}}  # all are copies of the first
    still["evaluation"] = {"cache": {"forget_every": 0}}
    island = play(deferred(still), 2)
    assert island.module.evaluated == 1
    assert island.module.filled[:3] == [(1, 10), (0, 10), (0, 10)]
    assert len(set(island.population.slot_fitness.tolist())) == 1


@pytest.mark.parametrize("changes", [{}, HURDLE])
def test_deferred_evaluations_are_resumed_while_they_are_in_flight(changes):
    changes = in_batches(64, **changes)
    whole = play(deferred(changes), 3)
    cut = cut_into_blocks(lambda: deferred(changes), 3, quota=1)
    assert same(cut.state(), whole.state())


# --- settings ---------------------------------------------------------------------------------------


def test_the_config_keeps_the_batch_size():
    assert small_config().search.batch == 1
    assert small_config(backend="reference").search.batch == 1
    assert small_config(search={"batch": 64}).search.batch == 64
    cuda = small_config(backend="cuda", search={"population": 500}).search
    assert cuda.batch == default_batch("cuda", 500) > 1
    with pytest.raises(ConfigError, match=r"search\.batch: must be a whole number from 1 to 1,000"):
        small_config(search={"batch": 0})


def test_the_dtype_depends_on_the_backend_unless_it_is_given():
    assert small_config().dtype == small_config(backend="reference").dtype == "float64"
    assert small_config(backend="cuda").dtype == "float32"
    assert small_config(backend="cuda", dtype="float64").dtype == "float64"

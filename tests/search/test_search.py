"""Search methods and the loop: who becomes a parent, who dies, and when the loop comes back."""

import numba
import numpy as np
import pytest
from scipy import stats

from zero import search
from zero.errors import ConfigError
from zero.evolution.loop import IMPROVED, LIMIT, QUOTA, SearchFunctions, SearchState, run_block
from zero.evolution.population import (
    BEST,
    BEST_AT,
    COPY,
    CURSOR,
    FILLED,
    FIRST,
    INDIVIDUALS,
    TRAIN_STEPS,
    capacity,
    new_population,
)
from zero.rng.splitmix import below, new_state
from zero.search import random_search, regularized_evolution
from zero.search.protocol import RANDOM, SearchSettings
from zero.search.section import settings_model

# --- contract -------------------------------------------------------------------------------------


RULES = [name for name in search.names() if search.chooses_parents(name)]


@pytest.mark.parametrize("name", RULES)
def test_every_rule_for_parents_chooses_a_slot_or_a_random_one(name):
    method = search.get(name)
    settings = settings_model(SearchSettings, name)(population=20)
    numbers = np.array(method.numbers(settings), dtype=np.float64)
    rng = new_state(0, "test")
    chosen = [method.choose(np.linspace(0, 1, 20), numbers, rng) for _ in range(200)]
    assert all(c == RANDOM or 0 <= c < 20 for c in chosen)
    # It compiles: the loop that uses it is compiled.
    compiled = numba.njit(method.choose)
    rng = new_state(0, "test")
    assert [compiled(np.linspace(0, 1, 20), numbers, rng) for _ in range(200)] == chosen


def test_unknown_method():
    with pytest.raises(ConfigError, match="did you mean 'random_search'"):
        search.get("random_serch")


@pytest.mark.parametrize("part", ["DESCRIPTION", "Settings", "numbers", "choose"])
def test_a_methods_file_that_lacks_something_is_told(monkeypatch, part):
    monkeypatch.delattr(random_search, part)
    with pytest.raises(ConfigError, match=f"random_search.py is not complete .* it has no {part};"):
        search.get("random_search")


def test_a_method_that_proposes_says_what_it_needs(monkeypatch):
    monkeypatch.delattr(search.get("surrogate"), "NEEDS")
    with pytest.raises(ConfigError, match="it has no NEEDS;"):
        search.get("surrogate")


# --- tournament -----------------------------------------------------------------------------------


def chosen(fitness, tournament, number, seed=0):
    choose = numba.njit(regularized_evolution.choose)
    settings, rng = np.array([float(tournament)]), new_state(seed, "test")
    return np.array([choose(fitness, settings, rng) for _ in range(number)])


@pytest.mark.parametrize("tournament", [1, 3, 10])
def test_each_rank_wins_as_often_as_it_should(tournament):
    size, number = 8, 20_000
    fitness = np.array([0.3, 0.7, 0.1, 0.9, 0.5, -np.inf, 0.6, 0.2])
    counts = np.bincount(chosen(fitness, tournament, number), minlength=size)
    rank = np.empty(size, int)
    rank[np.argsort(fitness)] = np.arange(1, size + 1)
    # With replacement, from all slots: the best of T draws has rank r.
    expected = (rank / size) ** tournament - ((rank - 1) / size) ** tournament
    likely = expected * number > 5
    assert stats.chisquare(counts[likely], expected[likely] * counts[likely].sum()
                           / expected[likely].sum()).pvalue > 1e-5  # fmt: skip
    assert counts[~likely].sum() < 30


def test_first_drawn_wins_ties():
    fitness = np.zeros(50)
    rng, copy = new_state(4, "test"), new_state(4, "test")
    for _ in range(200):
        winner = regularized_evolution.choose(fitness, np.array([4.0]), rng)
        drawn = [below(copy, 50) for _ in range(4)]
        assert winner == drawn[0]


# --- the loop on a toy genome: one integer --------------------------------------------------


class Toy:
    """Genomes are numbers; a child is its parent plus 0, 1 or -1; fitness is looked up."""

    def __init__(self, size, fitness, choose=regularized_evolution.choose, tournament=3):
        self.population = new_population(size)
        self.genomes = np.zeros(capacity(size), np.int64)
        self.choose, self.fitness = choose, fitness
        self.settings, self.rng = np.array([float(tournament)]), new_state(1, "toy")
        self.made = []  # (record, genome, parent record) in order
        self.compared = 0

    def create_initial(self, genomes, record, space, rng):
        genomes[record] = 100
        self.made.append([record, 100, None])

    def create(self, genomes, record, space, rng):
        genomes[record] = below(rng, 1000)
        self.made.append([record, int(genomes[record]), None])

    def breed(self, genomes, parent, record, space, evaluator, rng):
        step = below(rng, 3) - 1
        genomes[record] = genomes[parent] + step
        self.made.append([record, int(genomes[record]), int(parent)])
        return COPY if step == 0 else 4

    def evaluate(self, genomes, record, evaluator):
        assert evaluator == "evaluator"
        return self.fitness(int(genomes[record])), 7

    def run(self, quota, individuals=10**9, steps=10**9):
        return run_block(self.functions(), self.state(), quota, np.array([individuals, steps]))

    def functions(self):
        return SearchFunctions(
            self.choose, self.create_initial, self.create, self.breed, self.evaluate
        )

    def state(self, batch=None):
        return SearchState(
            self.population, self.settings, self.genomes, None, "evaluator", self.rng,
            np.array([3, 2]), batch,
        )  # fmt: skip

    def run_on(self, number):
        """Runs on through improvements."""
        end = self.population.counts[INDIVIDUALS] + number
        while self.run(number, individuals=end) != LIMIT:
            pass


def test_loop_climbs_and_counts():
    toy = Toy(10, lambda x: x / 1000)
    toy.run_on(2000)
    counts = toy.population.counts
    assert counts[INDIVIDUALS] == 2000 == len(toy.made)
    assert counts[TRAIN_STEPS] == 7 * 2000
    assert counts[FILLED] == 10 and counts[CURSOR] == 2000 % 10
    best = max(x for _, x, _ in toy.made)
    assert best > 300 and toy.population.best[0] == best / 1000
    assert toy.genomes[counts[BEST]] == best
    first_at = next(k for k, (_, x, _) in enumerate(toy.made, 1) if x == best)
    assert counts[BEST_AT] == first_at


def test_oldest_is_replaced_whatever_its_fitness():
    toy = Toy(6, lambda x: 1.0 if x == 100 else 0.5)
    toy.run_on(6)
    slots = toy.population.slots
    assert [toy.made[k][0] for k in range(6)] == slots.tolist()
    for n in range(7, 40):
        toy.run_on(1)
        newest = toy.made[-6:]
        oldest_first = np.roll(slots, -toy.population.counts[CURSOR])
        assert [m[0] for m in newest] == oldest_first.tolist()
        numbers = toy.population.number[oldest_first]
        assert numbers.tolist() == [3 * k + 2 for k in range(n - 5, n + 1)]
        values = [toy.fitness(m[1]) for m in newest]
        assert (
            np.roll(toy.population.slot_fitness, -toy.population.counts[CURSOR]).tolist() == values
        )


def test_parents_are_alive_and_may_be_the_one_replaced():
    toy = Toy(4, lambda x: 0.5, tournament=1)
    toy.run_on(4)
    replaced = 0
    for _ in range(400):
        slots = toy.population.slots.copy()
        cursor = toy.population.counts[CURSOR]
        toy.run_on(1)
        parent = toy.made[-1][2]
        assert parent in slots
        replaced += parent == slots[cursor]
    assert abs(replaced - 100) < 5 * 10


def test_nan_ranks_last_and_is_never_the_best():
    toy = Toy(10, lambda x: float("nan") if x % 2 else x / 1000)
    toy.run_on(500)
    population = toy.population
    assert not np.isnan(population.slot_fitness).any()
    assert np.isfinite(population.best[0])
    parents = [p for _, _, p in toy.made if p is not None]
    assert len(parents) == 490
    odd = Toy(10, lambda x: float("nan"))
    odd.run_on(50)
    assert odd.population.best[0] == -np.inf and odd.population.counts[BEST] == -1


def test_why_the_loop_comes_back():
    toy = Toy(5, lambda x: x / 1000)
    assert toy.run(100) == IMPROVED  # the very first
    assert toy.population.counts[INDIVIDUALS] == 1
    flat = Toy(5, lambda x: 0.5)
    flat.run(1)
    assert flat.run(10) == QUOTA and flat.population.counts[INDIVIDUALS] == 11
    assert flat.run(100, individuals=20) == LIMIT and flat.population.counts[INDIVIDUALS] == 20
    assert flat.run(100, steps=7 * 20 + 8) == LIMIT
    assert flat.population.counts[INDIVIDUALS] == 22  # 21 have taken 147 steps, 22 take 154
    assert flat.run(0) == QUOTA


def test_quota_decides_nothing():
    runs = []
    for quota in (1, 7, 10_000):
        toy = Toy(12, lambda x: -abs(x - 130))
        while toy.population.counts[INDIVIDUALS] < 1500:
            toy.run(quota, individuals=1500)
        runs.append([m[1] for m in toy.made])
    assert runs[0] == runs[1] == runs[2]


def test_random_search_never_looks_at_fitness():
    both = []
    for fitness in (lambda x: x / 1000, lambda x: -x / 1000, lambda x: float("nan")):
        toy = Toy(10, fitness, random_search.choose)
        toy.run_on(300)
        assert all(parent is None for _, _, parent in toy.made)
        assert (toy.population.mutation[toy.population.slots] == FIRST).all()
        both.append([x for _, x, _ in toy.made])
    assert both[0] == both[1] == both[2]
    assert stats.kstest(both[0][10:], stats.uniform(0, 1000).cdf).pvalue > 1e-4

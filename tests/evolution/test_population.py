"""Ageing population: lineages stay true while the dead are forgotten, in bounded room."""

import numpy as np
import pytest

from tests.search.test_search import Toy
from zero.evolution.population import (
    BEST,
    FILLED,
    FREE,
    INDIVIDUALS,
    capacity,
    collect,
    lineage,
)


class History(Toy):
    """A toy search that remembers everything: number -> (parent's number, genome, a copy)."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.everyone = {}

    def _remember(self, record, parent, copy):
        number = 3 * (int(self.population.counts[INDIVIDUALS]) + 1) + 2
        self.everyone[number] = (parent, int(self.genomes[record]), copy)

    def create_initial(self, genomes, record, space, rng):
        super().create_initial(genomes, record, space, rng)
        self._remember(record, None, False)

    def breed(self, genomes, parent, record, space, evaluator, rng):
        kind = super().breed(genomes, parent, record, space, evaluator, rng)
        self._remember(record, int(self.population.number[parent]), kind < 0)
        return kind

    def ancestors(self, number):
        """Numbers from the first ancestor to this individual."""
        chain = []
        while number is not None:
            chain.append(number)
            number = self.everyone[number][0]
        return chain[::-1]


def check(toy):
    """Every living individual's lineage is part of its true one, and steps add up."""
    p = toy.population
    living = [*p.slots[: p.counts[FILLED]], p.counts[BEST]]
    lengths = []
    for record in living:
        records = lineage(p, int(record))
        numbers = [int(p.number[r]) for r in records]
        true = toy.ancestors(numbers[-1])
        positions = [true.index(n) for n in numbers]
        assert positions == sorted(positions) and numbers[-1] == true[-1]
        for r, before, after in zip(records[1:], positions[:-1], positions[1:], strict=True):
            between = true[before + 1 : after + 1]
            changes = sum(not toy.everyone[n][2] for n in between)
            assert int(p.steps[r]) == changes
        for r, n in zip(records, numbers, strict=True):
            assert toy.genomes[r] == toy.everyone[n][1]  # no genome was overwritten
        lengths.append(len(records))
    return living, lengths


@pytest.mark.parametrize("size", [2, 5, 40])
def test_lineages_stay_true_over_many_generations(size):
    toy = History(size, lambda x: -abs(x - 160))
    for _ in range(8):
        toy.run_on(1500)
        living, _ = check(toy)
        # Whoever was better than all its ancestors is still known: a step forward is kept.
        for record in living[:5]:
            numbers = {int(toy.population.number[r]) for r in lineage(toy.population, int(record))}
            best = -np.inf
            true = toy.ancestors(int(toy.population.number[record]))
            for n in true[1:]:
                fitness = toy.fitness(toy.everyone[n][1])
                if fitness > max(best, toy.fitness(toy.everyone[true[0]][1])):
                    assert n in numbers
                best = max(best, fitness)


def test_best_ever_is_kept_after_its_line_has_died_out():
    toy = History(4, lambda x: float(x == 103), tournament=1)
    while toy.population.best[0] < 1:
        toy.run(1000)
    best = int(toy.population.counts[BEST])
    number = int(toy.population.number[best])
    toy.run_on(3 * capacity(4))
    assert toy.population.counts[BEST] == best and toy.population.number[best] == number
    assert toy.genomes[best] == 103
    check(toy)


def test_room_is_enough_however_long_every_step_is_a_step_forward():
    # Each child better than its parent: no ancestor may be bridged for being no step forward.
    toy = History(30, lambda x: 0.0)
    toy.evaluate = lambda genomes, record, evaluator: (float(len(toy.made)), 1)
    toy.run_on(3 * capacity(30))
    _, lengths = check(toy)
    assert max(lengths) > 5
    kept = capacity(30) - int(toy.population.counts[FREE])
    assert 30 <= kept <= capacity(30)


def test_collecting_changes_nothing_but_the_free_records():
    toy = History(10, lambda x: -abs(x - 130))
    toy.run_on(700)
    population = toy.population
    before = {k: v.copy() for k, v in population._asdict().items()}
    lines = [
        [int(population.number[r]) for r in lineage(population, int(s))] for s in population.slots
    ]
    collect(population)
    for name in ("slots", "slot_fitness", "number", "fitness", "mutation", "best"):
        np.testing.assert_array_equal(getattr(population, name), before[name])
    check(toy)
    free = population.free[: population.counts[FREE]]
    held = {r for s in population.slots for r in lineage(population, int(s))}
    held |= set(lineage(population, int(population.counts[BEST])))
    assert set(free.tolist()) == set(range(capacity(10))) - held
    after = [
        [int(population.number[r]) for r in lineage(population, int(s))] for s in population.slots
    ]
    for short, long in zip(after, lines, strict=True):
        assert set(short) <= set(long) and short[-1] == long[-1]


def test_first_collection_comes_before_anyone_is_lost():
    toy = History(3, lambda x: 0.5)
    toy.run_on(capacity(3) + 50)
    check(toy)
    assert 0 < toy.population.counts[FREE] < capacity(3)

"""NSGA-II: what survives, and what it finds of a front that is known."""

import itertools

import numpy as np
import pytest
from bits import BitSpace

from zero import search
from zero.rng.splitmix import new_state
from zero.search.nsga2 import Nsga2, Settings
from zero.search.pareto import dominance_fronts, hypervolume, pareto_front
from zero.search.protocol import MIGRATION, Proposal, SearchSettings
from zero.search.section import settings_model


def searcher(space=None, seed=1, **given):
    settings = Settings(method="nsga2", **{"population": 8, **given})
    return Nsga2(space or BitSpace(6), settings, new_state(seed, "nsga2"))


def measured(genome):
    """Three figures of a genome that cannot all be good: fitness, two costs."""
    thirds = np.array_split(np.array(genome), 3)
    right, first, second = (float(np.mean(third)) for third in thirds)
    return 0.2 + 0.5 * right + 0.15 * (first + second), (1 + 4 * first, 2 + 9 * second + right)


def volume(results):
    """Returns the share of the box that the results dominate: fitness above 0, costs below the most."""
    losses = [[-fitness, a / 5, b / 12] for fitness, (a, b) in results]
    return hypervolume(np.array(losses), np.array([0.0, 1.0, 1.0]))


def run(name, seed, count, length=24, **given):
    settings = settings_model(SearchSettings, name)(population=20, **given)
    space, rng = BitSpace(length), new_state(seed, "planted", name)
    method = search.get(name).make(space, settings, rng)
    made = []
    for number in range(1, count + 1):
        proposal = method.ask()
        fitness, costs = measured(proposal.genome)
        made.append((fitness, costs))
        method.tell(proposal, number, fitness, 1, costs)
    return made


def test_it_dominates_more_than_random_search():
    """At equal budgets, on two costs beside fitness."""
    space, rng = BitSpace(24), new_state(5, "random")
    mine = [volume(run("nsga2", seed, 200)) for seed in range(10)]
    random = [volume([measured(space.random(rng)) for _ in range(200)]) for _ in range(10)]
    assert np.mean(mine) > np.mean(random) * 1.1


def test_survivors_are_whole_fronts_and_then_those_with_room():
    method = searcher(population=5)
    # Two fronts: four that nobody dominates, three behind them.
    figures = [(4, 4), (3, 3), (2, 2), (1, 1), (3, 4), (2, 3.5), (1, 2)]
    genomes = list(itertools.product((0, 1), repeat=6))
    for number, (fitness, cost) in enumerate(figures):
        method.tell(Proposal(genomes[number]), number, fitness, 0, (cost,))
        if number == 4:
            assert [m.number for m in method.parents] == [0, 1, 2, 3, 4]
    for number in range(7, 10):
        method.tell(Proposal(genomes[number]), number, np.nan, 0, (0.0,))
    kept = [m.number for m in method.parents]
    assert kept[:4] == [0, 1, 2, 3] and len(kept) == 5 and kept[4] in (4, 6)
    fronts = dominance_fronts(
        np.array([m.fitness for m in method.parents]), np.array([m.costs for m in method.parents])
    )
    assert [m.rank[0] for m in method.parents] == fronts.tolist() == [0, 0, 0, 0, 1]


def test_of_equal_ones_the_first_survive():
    method = searcher(population=4)
    for number, genome in enumerate(itertools.product((0, 1), repeat=6)):
        method.tell(Proposal(genome), number, 0.5, 0, (1.0, 1.0))
    assert [m.number for m in method.parents] == [0, 1, 2, 3]


def test_a_genome_is_there_once():
    method = searcher(BitSpace(2), population=4)  # there are four genomes
    for number in range(40):
        proposal = method.ask()
        method.tell(proposal, number, float(sum(proposal.genome)), 0, (1.0,))
        texts = [m.text for m in (*method.parents, *method.children)]
        assert len(set(texts)) == len(texts)
    assert max(m.fitness for m in method.parents) == 2


def test_children_are_new_where_that_is_easy():
    method, there = searcher(BitSpace(12), population=10), 0
    for number in range(1, 101):
        known = {m.text for m in (*method.parents, *method.children)}
        proposal = method.ask()
        there += method.space.text(proposal.genome) in known
        fitness, costs = measured(proposal.genome)
        method.tell(proposal, number, fitness, 0, costs)
    assert there <= 2


@pytest.mark.parametrize("worth", [-np.inf, np.nan])
def test_failures_are_no_parents(worth):
    method = searcher(population=6)
    for number in range(30):  # everything fails: it goes on at random
        proposal = method.ask()
        assert proposal.parent == -1
        method.tell(proposal, number, worth, 0, (np.nan, 3.0))
    assert method.parents == []
    for number in range(30, 90):
        proposal = method.ask()
        fitness = worth if proposal.genome[0] else 0.1 + sum(proposal.genome)
        method.tell(proposal, number, fitness, 0, (1.0, 2.0))
    assert method.parents and not any(m.genome[0] for m in method.parents)


def test_without_costs_the_best_of_all_survive():
    method, fitness = searcher(BitSpace(10), population=7), {}
    for number in range(70):
        proposal = method.ask()
        worth = sum(bit * 1.1**place for place, bit in enumerate(proposal.genome))
        fitness[proposal.genome] = worth
        method.tell(proposal, number, worth)
    best = sorted(fitness.values(), reverse=True)[:7]
    assert sorted((m.fitness for m in method.parents), reverse=True) == best


def test_a_child_of_two_has_nothing_that_neither_has():
    class Still(BitSpace):
        def mutate(self, genome, rng):
            return genome, "nothing"

    method = searcher(Still(12), crossover=1.0)
    one, other = (0,) * 6 + (1,) * 6, (1,) * 3 + (0,) * 3 + (1,) * 6
    for number, genome in enumerate((one, other)):
        method.tell(Proposal(genome), number, float(number), 0, (float(number),))
    for number in range(2, 8):
        method.tell(Proposal(one), number, 0.0)
    made = [method.ask() for _ in range(60)]
    children = {p.genome for p in made}
    assert all(child[3:6] == (0,) * 3 and child[6:] == (1,) * 6 for child in children)
    assert children > {one, other} or len(children) > 4
    for proposal in made:
        parent = (one, other)[proposal.parent]
        assert proposal.steps == (proposal.genome != parent)
        assert proposal.mutation == ("crossover" if proposal.steps else "nothing")


def test_what_comes_from_elsewhere_may_be_a_parent():
    method = searcher(population=4)
    for number in range(4):
        method.tell(method.ask(), number, 0.1 * number, 0, (1.0,))
    method.tell(Proposal((1,) * 6, mutation=MIGRATION), 99, 5.0, 0, (0.5,))
    for number in range(5, 8):
        method.tell(method.ask(), number, 0.0, 0, (2.0,))
    assert {method.ask().parent for _ in range(20)} == {99} | {
        m.number for m in method.parents if m.number != 99
    }


def test_the_front_is_found():
    """All that nobody dominates, of 512 genomes with two costs, by 300 of them."""
    every = [measured(g) for g in itertools.product((0, 1), repeat=9)]
    fitness, costs = np.array([f for f, _ in every]), np.array([c for _, c in every])
    front = {(f, *c) for f, c in (every[k] for k in pareto_front(fitness, costs))}
    found = {(f, *c) for f, c in run("nsga2", 3, 300, length=9)}
    assert len(front & found) >= 0.8 * len(front)

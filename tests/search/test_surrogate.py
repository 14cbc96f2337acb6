"""The surrogate's models: what they predict, what they propose, and that nothing of them is lost."""

import itertools

import numpy as np
import pytest
from bits import BitSpace

from zero import search
from zero.rng.splitmix import below, new_state
from zero.search import predictors
from zero.search.protocol import Proposal, SearchSettings
from zero.search.section import settings_model

MODELS = ["ridge", "forest", "ensemble"]


def searcher(model="ridge", space=None, seed=0, **settings):
    keys = {"model": model, "initial": 20, **settings}
    made = settings_model(SearchSettings, "surrogate")(**keys)
    space = space or BitSpace()
    return search.get("surrogate").make(space, made, new_state(seed, "surrogate"))


def go_on(made, fitness, count, first=1):
    proposals = []
    for number in range(first, first + count):
        proposals.append(made.ask())
        made.tell(proposals[-1], number, fitness(proposals[-1].genome))
    return proposals


def pairs_equal(genome):
    """Bits count in pairs: of two neighbours both or none should be set, the first of all should."""
    return sum(a == b for a, b in itertools.pairwise(genome)) + genome[0]


# --- predictions ----------------------------------------------------------------------------------


def test_ridge_is_the_regression_on_pairs_of_decisions():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(3)
    # Sequences of different lengths, as where what can be decided hangs on what was.
    made = [tuple("abc"[k] for k in rng.integers(0, 3, rng.integers(3, 6))) for _ in range(70)]
    columns = sorted({pair for decisions in made for pair in enumerate(decisions)})

    def features(sequences):
        rows = []
        for decisions in sequences:
            single = [pair in set(enumerate(decisions)) for pair in columns]
            rows.append(single + [a and b for a, b in itertools.combinations(single, 2)])
        return np.array(rows, dtype=float)

    known, asked, values = made[:40], made[40:], rng.standard_normal(40)
    theirs = Ridge(alpha=0.7).fit(features(known), values).predict(features(asked))
    rows = predictors.one_hot(made)
    kernel = predictors.products(rows[:40], rows[:40])
    ours = predictors.ridge(kernel, values, 0.7)(predictors.products(rows[40:], rows[:40]))
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def test_expected_improvement_is_an_expectation():
    mean, deviation = np.array([0.2, 0.9, 1.3]), np.array([0.5, 0.2, 0.0])
    draws = np.random.default_rng(1).standard_normal((400_000, 3)) * deviation + mean
    expected = np.maximum(draws - 1.0, 0).mean(axis=0)
    found = predictors.expected_improvement(mean, deviation, 1.0)
    np.testing.assert_allclose(found, expected, atol=0.002)


# --- proposals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_every_model_finds_what_decisions_are_worth_in_pairs(model):
    """Of 65,536 genomes, all candidates not listed or, of 1,024, all listed."""
    for length in (10, 16):
        best = []
        for seed in range(3):
            made = searcher(model, BitSpace(length), seed)
            best.append(max(pairs_equal(p.genome) for p in go_on(made, pairs_equal, 90)))
        rng = new_state(0, "random")
        drawn = [tuple(int(below(rng, 2)) for _ in range(length)) for _ in range(270)]
        assert np.mean(best) > max(map(pairs_equal, drawn)) - (length == 10)


@pytest.mark.parametrize("model", MODELS)
def test_a_batch_in_its_middle_is_part_of_the_state(model):
    whole = go_on(searcher(model), pairs_equal, 60)
    for cut in (33, 37):
        first, second = searcher(model), searcher(model, seed=5)
        go_on(first, pairs_equal, cut)
        second.restore(first.state())
        assert go_on(second, pairs_equal, 60 - cut, 1 + cut) == whole[cut:]


@pytest.mark.parametrize("model", ["ridge", "ensemble"])
def test_nothing_is_proposed_twice_while_there_is_something_new(model):
    genomes = [p.genome for p in go_on(searcher(model), pairs_equal, 120)]
    assert len(set(genomes)) == 120


def test_where_nothing_is_new_proposals_are_random():
    last = go_on(searcher(space=BitSpace(3), initial=4), pairs_equal, 30)[-5:]
    assert {p.mutation for p in last} == {"random"}


def test_too_few_results_are_named():
    made = searcher(initial=7)
    names = [p.mutation for p in go_on(made, pairs_equal, 12)]
    assert names[:7] == ["too_few_results"] * 7 and "too_few_results" not in names[7:]
    made = searcher(initial=7)
    assert {p.mutation for p in go_on(made, lambda genome: np.nan, 30)} == {"too_few_results"}
    made.tell(Proposal((1,) * 8), 31, 0.5)
    made.tell(Proposal((0,) * 8), 32, 0.4)
    assert made.ask().mutation in ("decision", "predicted")


def test_every_fifth_proposal_of_the_forest_is_random():
    names = [p.mutation for p in go_on(searcher("forest", BitSpace(16)), pairs_equal, 220)][20:]
    assert 20 < names.count("random") < 60
    names = [p.mutation for p in go_on(searcher("forest", random_share=0.0), pairs_equal, 60)][20:]
    assert "random" not in names


def test_a_genome_one_decision_away_is_a_child_of_the_best_of_these():
    made = searcher(initial=3, batch=1)
    for number, bits in enumerate([(1,) * 8, (0, *[1] * 7), (0,) * 8], 1):
        made.tell(Proposal(bits), number, sum(bits))
    proposal = made.ask()
    assert proposal.parent == 1 and sum(proposal.genome) == 7 and proposal.steps == 1


def test_a_state_is_not_changed_by_what_is_told_later():
    made = searcher()
    go_on(made, pairs_equal, 30)
    state = made.state()
    kept = {name: np.array(value, dtype=object).tolist() for name, value in state.items()}
    go_on(made, pairs_equal, 30, 31)
    assert {name: np.array(value, dtype=object).tolist() for name, value in state.items()} == kept

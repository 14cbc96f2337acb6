"""Hyperband's brackets are those of the paper, and an island's candidates are spread over them."""

import itertools

import pytest

from zero.evolution.halving import Halving
from zero.evolution.hyperband import hyperband, order, series

# Li et al. 2018, table 1: R = 81, eta = 3; a column for each bracket, s = 4 to 0.
TABLE = [
    {1: 81, 3: 27, 9: 9, 27: 3, 81: 1},
    {3: 34, 9: 11, 27: 3, 81: 1},
    {9: 15, 27: 5, 81: 1},
    {27: 8, 81: 2},
    {81: 5},
]


def test_the_papers_table():
    found = [dict(zip(b.epochs, b.counts, strict=True)) for b in hyperband(81, 1, 3)]
    assert found == TABLE


@pytest.mark.parametrize(
    ("epochs", "first", "factor"), [(25, 1, 3), (16, 2, 2), (100, 4, 5), (2, 1, 3)]
)
def test_brackets_of_other_trainings(epochs, first, factor):
    brackets = hyperband(epochs, first, factor)
    rungs = series(epochs, first, factor)
    assert rungs[0] == first and rungs[-1] < epochs <= rungs[-1] * factor
    assert all(b == a * factor for a, b in itertools.pairwise(rungs))
    assert [b.epochs for b in brackets] == [(*rungs[k:], epochs) for k in range(len(rungs) + 1)]
    for bracket in brackets:
        assert all(b == a // factor for a, b in itertools.pairwise(bracket.counts))
        assert bracket.counts[-1] >= 1
    # Each bracket gets about the same training where nothing is rounded.
    if epochs == first * factor ** len(rungs):
        spent = [sum(n * e for n, e in zip(b.counts, b.epochs, strict=True)) for b in brackets]
        assert max(spent) < 1.6 * min(spent)


def test_however_few_candidates_each_bracket_has_its_share():
    brackets = hyperband(81)
    found = order(brackets)
    starts = [b.counts[0] for b in brackets]
    assert [found.count(k) for k in range(5)] == starts
    for made in range(1, len(found) + 1):
        for k, count in enumerate(starts):
            assert abs(found[:made].count(k) - made * count / len(found)) < 1.5


def test_a_candidate_is_compared_in_its_bracket_only():
    rungs = Halving(brackets="all").rungs(81)
    asked = {c: [rungs.compared_in(c, e) for e in range(1, 81)] for c in range(1, 144)}
    lists = [frozenset(x for x in found if x is not None) for found in asked.values()]
    assert sorted({lists.count(one): len(one) for one in lists}.items()) == [
        (5, 0), (8, 1), (15, 2), (34, 3), (81, 4),
    ]  # fmt: skip
    assert all(a == b or not a & b for a in lists for b in lists)
    for found in asked.values():
        epochs = [e for e, x in enumerate(found, 1) if x is not None]
        assert epochs == [1, 3, 9, 27][4 - len(epochs) :]
    assert asked[1] == [rungs.compared_in(144, e) for e in range(1, 81)]  # over and over


def test_few_brackets_are_the_boldest_and_asha_has_one():
    assert {Halving().rungs(81).compared_in(c, 1) for c in range(1, 200)} == {0}
    two = Halving(brackets=2).rungs(81)
    found = [two.compared_in(c, 1) is None for c in range(1, 116)]
    assert (found.count(False), found.count(True)) == (81, 34)
    assert all(two.compared_in(c, 3) is not None for c in range(1, 116))


def test_shares_of_a_factor_are_exact():
    """0.333... of 3 is less than 1."""
    for factor in (3, 7, 49):
        rungs = Halving(factor=factor).rungs(10**6)
        earlier = [0.5] * (2 * factor - 1)
        assert rungs.goes_on(0.6, earlier)
        assert rungs.goes_on(0.4, []) and not rungs.goes_on(0.4, earlier)
        assert rungs.goes_on(0.6, [0.7, *earlier[1:]]) and not rungs.goes_on(
            0.6, [0.7, *earlier[2:]]
        )

"""SMAC: what trees see of decisions, what is proposed, and that failures are avoided."""

import numpy as np
import pytest
from bits import BitSpace
from pipeline_like import BEST, PipelineSpace, fitness_of

from zero import search
from zero.rng.splitmix import new_state
from zero.search import predictors
from zero.search.columns import INACTIVE, Columns
from zero.search.decisions import altered, by_key, differing
from zero.search.protocol import MIGRATION, Proposal, SearchSettings
from zero.search.section import settings_model
from zero.search.smac import worth

SPACE = PipelineSpace()


def searcher(space=SPACE, seed=0, **settings):
    made = settings_model(SearchSettings, "smac")(**settings)
    return search.get("smac").make(space, made, new_state(seed, "smac"))


def go_on(made, fitness, count, first=1):
    proposals = []
    for number in range(first, first + count):
        proposals.append(made.ask())
        made.tell(proposals[-1], number, fitness(proposals[-1].genome))
    return proposals


def column(columns, key, sequences):
    return columns(sequences)[:, columns.keys.index(key)].tolist()


def of_tree(depth=3, leaves=8, scale="none"):
    return (f"scale={scale}", "family=tree", f"depth={depth}", f"leaves={leaves}")


# --- columns --------------------------------------------------------------------------------------


def test_numbers_become_a_column_in_their_order():
    columns = Columns(SPACE.choices, [of_tree()])
    depths = column(columns, "depth", [of_tree(depth=d) for d in range(1, 13)])
    assert depths == sorted(set(depths)) and depths[0] == 0 and depths[-1] == 1
    leaves = column(columns, "leaves", [of_tree(leaves=2**k) for k in range(8)])
    np.testing.assert_allclose(leaves, np.arange(8) / 7, rtol=1e-6)


def test_numbers_far_apart_and_positive_are_seen_by_their_logarithm():
    def offers(*values):
        names = [f"x={value}" for value in values]
        columns = Columns(lambda done: () if done else names, [(names[0],)])
        return column(columns, "x", [(name,) for name in names])

    assert offers("1e-6", "1e-3", "1") == pytest.approx([0, 0.5, 1])
    assert offers("100", "1", "10") == pytest.approx([1, 0, 0.5])
    assert offers(0, 50, 100) == offers(-5, 0, 5) == offers(1, 5.5, 10) == [0, 0.5, 1]
    assert offers(7) == [0]
    # One that is no number: all are categories, in the space's order.
    assert offers(100, "none", 1, "nan") == [0, 1, 2, 3]


def test_categories_are_numbered_as_the_space_lists_them():
    others = [("scale=quantiles", "quantiles=30", "family=bayes"), ("scale=none", "family=near")]
    columns = Columns(SPACE.choices, [of_tree(), others[0]])
    assert column(columns, "scale", [of_tree(), of_tree(scale="standard"), *others]) == [0, 1, 2, 0]
    assert column(columns, "family", [of_tree(), *others]) == [4, 0, 2]


def test_a_key_that_is_not_there_is_below_all_values():
    made = [of_tree(depth=1), ("scale=quantiles", "quantiles=10", "family=bayes")]
    columns = Columns(SPACE.choices, made)
    assert set(columns.keys) == {"scale", "quantiles", "family", "depth", "leaves"}
    assert column(columns, "depth", made) == [0, INACTIVE]
    assert column(columns, "quantiles", made) == [INACTIVE, 0]
    assert columns([("scale=none", "family=linear", "penalty=1e0")]).shape == (1, 5)


def test_decisions_without_a_key_have_a_column_for_each_place():
    columns = Columns(BitSpace(3).choices, [("on", "off", "off")])
    assert columns.keys == [0, 1, 2]
    assert columns([("off", "on", "on"), ("on",)]).tolist() == [[0, 1, 1], [1, -1, -1]]


def test_a_forest_knows_what_lies_between_numbers_that_it_saw():
    """Of depths 1, 2, 11 and 12 it says something for 3 and 10; one-hot they would be the same."""
    known = [of_tree(depth=d, leaves=2**k) for d in (1, 2, 11, 12) for k in range(8)]
    values = np.array([float(by_key(d)["depth"].partition("=")[2]) for d in known])
    columns = Columns(SPACE.choices, known)
    forest = predictors.forest(columns(known), values, new_state(1, "forest"))
    mean, _ = forest(columns([of_tree(depth=3), of_tree(depth=10)]))
    assert mean[0] < 4 and mean[1] > 9


# --- decisions with keys --------------------------------------------------------------------------


def test_what_an_altered_decision_does_not_concern_stays():
    """Although `quantiles`, which hangs on `scale`, moves all others by a place."""
    rng, given, kept = new_state(1, "altered"), of_tree(), 0
    for _ in range(200):
        other = altered(SPACE.choices, given, rng)
        assert differing(by_key(given), by_key(other)) == 1
        if len(other) == 5 and other[0] == "scale=quantiles":
            kept += 1
            assert other[2:] == given[1:]
    assert kept > 10


def test_decisions_that_differ():
    def apart(some, others):
        both = differing(by_key(some), by_key(others)), differing(by_key(others), by_key(some))
        assert both[0] == both[1]
        return both[0]

    assert apart(of_tree(), of_tree()) == 0
    assert apart(of_tree(), of_tree(depth=5)) == 1
    assert apart(of_tree(), ("scale=none", "family=bayes")) == 1  # what a bayes has not is none
    assert apart(of_tree(), ("scale=standard", "family=bayes")) == 2
    assert apart(("on", "off"), ("on",)) == 1
    assert apart(("on", "off"), ("off", "on", "on")) == 3


# --- proposals ------------------------------------------------------------------------------------


def test_it_finds_more_than_random_search():
    best, drawn = [], []
    for seed in range(20):
        made = searcher(seed=seed, batch=5, candidates=50)
        best.append(max(fitness_of(p.genome) for p in go_on(made, fitness_of, 60)))
        rng = new_state(seed, "random")
        drawn.append(max(fitness_of(SPACE.random(rng)) for _ in range(60)))
    assert fitness_of(BEST) == 0
    assert np.mean(best) > np.mean(drawn) + 0.1


def test_any_scale_of_fitness_gives_the_same_search():
    one, two = (
        go_on(searcher(batch=3), fitness, 30)
        for fitness in (fitness_of, lambda genome: -np.exp(-9 * fitness_of(genome)) - 1e6)
    )
    assert one == two


def test_failures_count_as_the_worst_that_did_not_fail():
    assert worth(np.array([-np.inf, 2, np.nan, 1, 3])).tolist() == [0.3, 0.7, 0.3, 0.3, 0.9]


def test_what_fails_is_avoided():
    def fitness(genome):
        fails = "family=boosting" in genome or "family=near" in genome
        return -np.inf if fails else fitness_of(genome)

    proposals = go_on(searcher(random_share=0.0, batch=2), fitness, 50)
    failed = [fitness(p.genome) == -np.inf for p in proposals]
    assert sum(failed[:10]) >= 2 and np.mean(failed[25:]) < 0.2


def test_nothing_is_proposed_twice_while_there_is_something_new():
    proposals = go_on(searcher(BitSpace(6), candidates=20, batch=3), sum, 60)
    assert len({p.genome for p in proposals}) == 60
    assert {p.mutation for p in go_on(searcher(BitSpace(2), initial=3), sum, 12)[4:]} == {"random"}


def test_results_from_elsewhere_count_as_initial_ones():
    made = searcher()
    go_on(made, fitness_of, 6)
    for number, depth in enumerate((2, 3, 5, 8), 7):
        genome = of_tree(depth=depth)
        made.tell(Proposal(genome, mutation=MIGRATION), number, fitness_of(genome))
    names = [p.mutation for p in go_on(made, fitness_of, 10, 11)]
    assert "too_few_results" not in names and {"decision", "predicted"} & set(names)
    failed = go_on(searcher(), lambda genome: np.nan, 15)
    assert {p.mutation for p in failed} == {"too_few_results"}


def test_children_are_one_decision_from_their_parents():
    proposals = go_on(searcher(batch=2), fitness_of, 50)
    genomes = {number: p.genome for number, p in enumerate(proposals, 1)}
    children = [p for p in proposals if p.parent >= 0]
    assert len(children) > 5 and {p.mutation for p in children} == {"decision"}
    for child in children:
        assert differing(by_key(child.genome), by_key(genomes[child.parent])) == child.steps == 1


def test_a_share_of_proposals_is_random():
    names = [p.mutation for p in go_on(searcher(batch=5, candidates=10), fitness_of, 160)][10:]
    assert 15 < names.count("random") < 45
    made = searcher(random_share=0.0, batch=5, candidates=10)
    assert "random" not in [p.mutation for p in go_on(made, fitness_of, 60)][10:]


@pytest.mark.parametrize("cut", [7, 22, 24])
def test_it_goes_on_exactly_from_a_state(cut):
    whole = go_on(searcher(batch=4), fitness_of, 36)
    first, second = searcher(batch=4), searcher(seed=5, batch=4)
    go_on(first, fitness_of, cut)
    state = first.state()
    go_on(first, fitness_of, 5, cut + 1)
    second.restore(state)
    assert go_on(second, fitness_of, 36 - cut, 1 + cut) == whole[cut:]


def test_genomes_that_the_space_refuses_are_not_proposed():
    from zero.errors import ZeroError

    class Picky(PipelineSpace):
        def genome_of(self, decisions):
            if "family=boosting" in decisions:
                raise ZeroError("not wanted")
            return super().genome_of(decisions)

    proposals = go_on(searcher(Picky(), batch=3), fitness_of, 40)
    assert not any("family=boosting" in p.genome for p in proposals)

"""Policies and what moves them: gradients against finite differences, probabilities, the better arm."""

import itertools
import json

import numpy as np
import pytest
from bits import BitSpace

from zero.rng.splitmix import new_state
from zero.search.controller import Lstm, Softmaxes, slopes_of
from zero.search.protocol import Proposal
from zero.search.reinforce import Reinforce, Settings

KINDS = [
    {},
    {"controller": "lstm", "units": 8},
    {"update": "ppo", "samples": 5},
    {"controller": "lstm", "units": 8, "update": "ppo", "samples": 5, "entropy": 1e-5},
]


def reinforce(space, seed=1, **settings):
    return Reinforce(space, Settings(method="reinforce", **settings), new_state(seed, "reinforce"))


class Tree:
    """Genomes of one to four decisions; which names there are depends on those before."""

    def choices(self, done):
        if (done and done[-1] == "stop") or len(done) == 4:
            return ()
        names = ("a", "b", "c") if len(done) % 2 == 0 else ("a", "d")
        return (*names, "stop") if done else names

    def random(self, rng):
        return ("a", "stop")

    def genome_of(self, decisions):
        return decisions

    decisions_of = genome_of

    def all(self, done=()):
        names = self.choices(done)
        return [g for n in names for g in self.all((*done, n))] if names else [done]


TREE = Tree()


def policies():
    return [Softmaxes(), Lstm(5, 1, 3), Lstm(4, 2, 3)]


def probability(policy, genome):
    shares, _ = policy.probabilities([policy.path(TREE.choices, genome)])
    chosen = [way for _, way in policy.path(TREE.choices, genome)]
    return np.prod([share[way] for share, way in zip(shares[0], chosen, strict=True)])


def differences(policy, function, names=None):
    """Returns the gradient of a function by table (all or those named), by finite differences."""
    found, step = {}, 1e-5
    for name, table in policy.tables().items():
        if names and name not in names:
            continue
        found[name] = np.zeros_like(table[0])
        for at in np.ndindex(table[0].shape):
            kept, sides = table[0][at], []
            for value in (kept + step, kept - step):
                table[0][at] = value
                sides.append(function())
            table[0][at] = kept
            found[name][at] = (sides[0] - sides[1]) / (2 * step)
    return found


def same(one, other, **tolerance):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], err_msg=name, **tolerance)


def spread(policy):
    """Makes a policy's values large enough for all of it to matter."""
    for genome in TREE.all():
        policy.path(TREE.choices, genome)
    rng = np.random.default_rng(0)
    for table in policy.tables().values():
        table[0] = rng.normal(0, 0.5, table[0].shape)
    return policy


# --- the policies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", policies(), ids=lambda p: type(p).__name__)
def test_probabilities_of_all_genomes_sum_to_one(policy):
    spread(policy)
    assert sum(probability(policy, genome) for genome in TREE.all()) == pytest.approx(1)


@pytest.mark.parametrize("policy", policies(), ids=lambda p: type(p).__name__)
def test_walking_gives_the_probabilities_of_the_path(policy):
    spread(policy)
    for genome in TREE.all():
        walked, step = 1.0, policy.walk()
        for place, name in enumerate(genome):
            names = TREE.choices(genome[:place])
            walked *= step(genome[:place], names)[names.index(name)]
        assert walked == pytest.approx(probability(policy, genome))


@pytest.mark.parametrize("entropy", [0.0, 0.7])
@pytest.mark.parametrize("policy", policies(), ids=lambda p: type(p).__name__)
def test_gradients_are_those_of_finite_differences(policy, entropy):
    """Of several genomes of different lengths at once, and of the entropy."""
    spread(policy)
    genomes = [("a", "stop"), ("b", "d", "c", "a"), ("c", "a", "stop"), ("a", "a", "a", "d")]
    paths = [policy.path(TREE.choices, genome) for genome in genomes]
    advantages = [0.7, -0.4, 1.3, 0.2]

    def aim():
        shares, _ = policy.probabilities(paths)
        total = 0.0
        for path, of_path, advantage in zip(paths, shares, advantages, strict=True):
            for (_, chosen), share in zip(path, of_path, strict=True):
                total += advantage * np.log(share[chosen]) - entropy * share @ np.log(share)
        return total / len(paths)

    shares, trace = policy.probabilities(paths)
    slopes = slopes_of(paths, shares, advantages, entropy)
    same(policy.gradient(trace, slopes), differences(policy, aim), atol=1e-8)


@pytest.mark.parametrize("policy", policies(), ids=lambda p: type(p).__name__)
def test_gradients_of_the_clipped_ratios(policy):
    spread(policy)
    genomes = TREE.all()[::3]
    paths = [policy.path(TREE.choices, genome) for genome in genomes]
    advantages = np.random.default_rng(1).normal(size=len(paths))
    before, _ = policy.probabilities(paths)
    for table in policy.tables().values():
        table[0] *= 1.7
    clipped = []

    def aim():
        shares, _ = policy.probabilities(paths)
        total = 0.0
        for path, now, old, advantage in zip(paths, shares, before, advantages, strict=True):
            for (_, chosen), share, was in zip(path, now, old, strict=True):
                ratio = share[chosen] / was[chosen]
                at_most = np.clip(ratio, 0.8, 1.2)
                total += min(ratio * advantage, at_most * advantage)
                clipped.append(at_most * advantage < ratio * advantage)
        return total / len(paths)

    aim()
    assert 0 < sum(clipped) < len(clipped)
    shares, trace = policy.probabilities(paths)
    slopes = slopes_of(paths, shares, advantages, 0.0, before)
    same(policy.gradient(trace, slopes), differences(policy, aim), atol=1e-8)


@pytest.mark.parametrize("kind", KINDS[:2], ids=str)
def test_drawn_gradients_have_the_analytic_one_as_their_mean(kind):
    """Within three standard errors; the analytic one is that of the reward that is expected."""
    searcher = reinforce(TREE, **(kind and kind | {"units": 3}))
    policy = spread(searcher.policy)
    genomes = TREE.all()
    reward = {g: 1.0 + g.count("a") - 0.5 * len(g) for g in genomes}

    def expected():
        return sum(probability(policy, g) * reward[g] for g in genomes)

    name = "outputs" if kind else "logits"
    analytic = differences(policy, expected, [name])[name]
    of = {}
    for genome in genomes:
        paths = [policy.path(TREE.choices, genome)]
        shares, trace = policy.probabilities(paths)
        slopes = slopes_of(paths, shares, [reward[genome]], 0.0)
        of[genome] = policy.gradient(trace, slopes)[name]
    draws = np.array([of[searcher.ask().genome] for _ in range(4000)])
    error = draws.std(axis=0) / len(draws) ** 0.5
    apart = np.abs(draws.mean(axis=0) - analytic)
    # Of some fifty numbers of which many go together, a few may be beyond two standard errors.
    assert (apart <= 3 * error + 1e-9).mean() > 0.95 and (apart <= 5 * error + 1e-9).all()
    assert error.max() < np.abs(analytic).max() / 3


def test_what_a_controller_starts_with_does_not_depend_on_what_it_met_first():
    genomes = TREE.all()
    found = []
    for order in (genomes, genomes[::-1]):
        policy = Lstm(6, 2, 5)
        for genome in order:
            policy.path(TREE.choices, genome)
        found.append([probability(policy, genome) for genome in genomes])
    np.testing.assert_allclose(*found, rtol=1e-12)
    assert probability(Lstm(6, 2, 6), genomes[0]) != found[0][0]


# --- the search -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_better_arm_is_found(kind):
    policy = reinforce(BitSpace(1), 2, **kind)
    for number in range(1, 400):
        proposal = policy.ask()
        policy.tell(proposal, number, 0.9 if proposal.genome[0] else 0.4)
    assert policy.policy.walk()((), ("off", "on"))[1] > 0.95


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_policy_learns_decisions_that_count_each_for_itself(kind):
    searcher, made = reinforce(BitSpace(12), **kind), []
    for number in range(1, 500):
        proposal = searcher.ask()
        made.append(sum(proposal.genome))
        searcher.tell(proposal, number, made[-1] / 12)
    assert np.mean(made[-50:]) > np.mean(made[:50]) + 2.5


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("cut", [0, 7, 40])
def test_a_state_is_all_that_the_future_depends_on(kind, cut):
    """Also in the middle of a minibatch."""

    def go_on(searcher, first, last):
        made = []
        for number in range(first, last):
            proposal = searcher.ask()
            made.append(proposal.genome)
            searcher.tell(proposal, number, np.nan if number % 9 == 4 else sum(made[-1]) / 6)
        return made

    whole = go_on(reinforce(BitSpace(6), **kind), 0, 80)
    first = reinforce(BitSpace(6), **kind)
    go_on(first, 0, cut)
    state = first.state()
    kept = json.dumps(state, default=np.ndarray.tolist)
    go_on(first, cut, cut + 9)
    assert json.dumps(state, default=np.ndarray.tolist) == kept  # what goes on changes no state
    second = reinforce(BitSpace(6), seed=8, **kind)
    second.restore(state)
    assert go_on(second, cut, 80) == whole[cut:]


def test_a_state_of_an_older_version_is_read():
    """It had nothing that waits for an update."""
    searcher = reinforce(BitSpace(6))
    for number in range(9):
        searcher.tell(searcher.ask(), number, number / 9)
    state = searcher.state()
    del state["waiting"], state["advantages"]
    again = reinforce(BitSpace(6), seed=3)
    again.restore(state)
    assert [again.ask().genome for _ in range(9)] == [searcher.ask().genome for _ in range(9)]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_policy_that_is_sure_goes_on_with_what_it_is_sure_of(kind):
    searcher, ones = reinforce(BitSpace(4), learning_rate=1.0, **kind), (1,) * 4
    for number in range(300):  # only one genome is worth anything
        searcher.tell(Proposal(ones if number % 2 else (0,) * 4), number, float(number % 2))
    for number in range(60):
        proposal = searcher.ask()
        assert proposal.genome == ones
        searcher.tell(proposal, number, 1.0 if number % 5 else np.nan)
    assert all(np.isfinite(table).all() for table in searcher.policy.tables().values())


@pytest.mark.parametrize("controller", ["softmax", "lstm"])
def test_entropy_keeps_a_policy_undecided(controller):
    """With all its weight on entropy, a policy that was sure becomes even again."""
    shares = []
    for entropy in (0.0, 10.0):
        policy = reinforce(BitSpace(1), controller=controller, units=6, entropy=entropy)
        for number in range(300):
            proposal = policy.ask()
            policy.tell(proposal, number, float(proposal.genome[0]))
        shares.append(policy.policy.walk()((), ("off", "on"))[1])
    assert shares[0] > 0.95 and 0.3 < shares[1] < 0.7


def test_numbers_that_nobody_gave_are_those_of_the_papers():
    found = {
        (controller, update): Settings(method="reinforce", controller=controller, update=update)
        for controller, update in itertools.product(("softmax", "lstm"), ("reinforce", "ppo"))
    }
    fitted = {key: settings.fitted() for key, settings in found.items()}
    assert (fitted["lstm", "reinforce"].units, fitted["lstm", "reinforce"].layers) == (35, 2)
    assert (fitted["lstm", "ppo"].units, fitted["lstm", "ppo"].layers) == (100, 1)
    assert fitted["softmax", "reinforce"].samples == 1 and fitted["lstm", "ppo"].samples == 20
    given = Settings(method="reinforce", controller="lstm", units=7, learning_rate=0.5)
    assert (given.fitted().units, given.fitted().learning_rate) == (7, 0.5)

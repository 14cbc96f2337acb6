"""What holds for every search method: settings, the same stream the same search, exact states."""

import itertools
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from bits import TRAINED, BitSpace

from zero import search
from zero.cells.config import CellSearch
from zero.cells.spaces import get_space
from zero.config.load import config_to_yaml, make_config
from zero.config.schema import config_schema
from zero.errors import ConfigError
from zero.evolution.ageing import Ageing, make_searcher
from zero.evolution.loop import SearchState, run_block
from zero.evolution.population import COPY, FIRST, INDIVIDUALS, capacity, new_population
from zero.jit.decorators import jit
from zero.jit.struct import Functions, pack
from zero.programs.config import ProgramSearch
from zero.rng.splitmix import below, new_state
from zero.search.protocol import MIGRATION, Proposal, SearchSettings
from zero.search.section import methods_for, settings_model

METHODS = search.names()
RULES = [name for name in METHODS if search.chooses_parents(name)]
DECIDING = [n for n in METHODS if search.decides(n) and not search.shares_weights(n)]
NUMBERING = np.array([3, 2])
SMALL = {"progressive": {"beam": 4}, **TRAINED}  # the largest genomes are met in time


def fitness_of(genome):
    """Ones count, later ones for more; without the first one there is nothing to be measured."""
    return sum(bit * 1.1**place for place, bit in enumerate(genome)) if genome[0] else np.nan


class Run:
    """A search over bits, and all that it proposed."""

    def __init__(self, name, seed=0, population=6, length=8):
        self.space, self.rng = BitSpace(length), new_state(seed, "methods")
        keys = {"population": population, **SMALL.get(name, {})}
        settings = settings_model(SearchSettings, name)(**keys).fitted()
        self.searcher = make_searcher(
            settings, self.space, new_population(population), self.rng, NUMBERING
        )
        self.made, self.count = [], 0

    def ask(self):
        self.proposal = self.searcher.ask()

    def tell(self):
        self.count += 1
        self.made.append(self.proposal)
        self.searcher.tell(self.proposal, 3 * self.count + 2, fitness_of(self.proposal.genome), 7)

    def go_on(self, individuals):
        for _ in range(individuals):
            self.ask()
            self.tell()
        return self


# --- contract -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_every_method_describes_itself_in_a_line(name):
    assert search.methods()[name] == search.get(name).DESCRIPTION
    assert "\n" not in search.get(name).DESCRIPTION


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_when_to_use_it_what_it_costs_and_where_it_comes_from(name):
    words = search.get(name).__doc__
    places = [words.index(f"\n{start} ") for start in ("When to use it:", "Cost:", "Source:")]
    assert places == sorted(places)


@pytest.mark.parametrize("name", METHODS)
def test_the_random_stream_decides_what_is_proposed(name):
    made = [Run(name, seed).go_on(60).made for seed in (0, 0, 1)]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("name", METHODS)
def test_proposals_say_what_they_were_made_from(name):
    run = Run(name).go_on(150)
    by_number = {}
    for count, proposal in enumerate(run.made, 1):
        assert len(proposal.genome) == 8 and set(proposal.genome) <= {0, 1}
        if proposal.parent < 0:
            assert proposal.steps == 0 and proposal.mutation
        else:
            apart = sum(map(int.__ne__, proposal.genome, by_number[proposal.parent]))
            assert proposal.steps == (apart > 0)
            assert apart <= 1 or proposal.mutation == "crossover"  # of two parents
        by_number[3 * count + 2] = proposal.genome
    assert any(p.parent >= 0 for p in run.made) == search.breeds(name)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("cut", [0, 3, 6, 7, 41])
def test_a_state_is_all_that_the_future_depends_on(name, cut):
    whole = Run(name).go_on(90)
    first = Run(name).go_on(cut)
    state = json.loads(json.dumps(first.searcher.state(), default=_listed))  # no live objects
    first.go_on(5)  # what goes on later changes no state
    second = Run(name, seed=9)
    second.searcher.restore(_arrays_in(state))
    second.count = cut
    assert second.go_on(90 - cut).made == whole.made[cut:]


def _listed(array):
    return {"array": array.tolist(), "dtype": str(array.dtype)}


def _arrays_in(tree):
    if isinstance(tree, dict) and "dtype" in tree:
        return np.array(tree["array"], dtype=tree["dtype"])
    if isinstance(tree, dict):
        return {key: _arrays_in(value) for key, value in tree.items()}
    return tree


@pytest.mark.parametrize("name", METHODS)
def test_what_was_asked_in_vain_is_as_if_it_had_not_been(name):
    run = Run(name)
    for _ in range(60):
        mark = run.searcher.mark()
        run.ask()
        run.searcher.back(mark)
        run.go_on(1)
    assert run.made == Run(name).go_on(60).made


@pytest.mark.parametrize("name", METHODS)
def test_the_latest_individuals_are_the_population(name):
    run = Run(name, population=5).go_on(23)
    p = run.searcher.population
    assert sorted(p.number.tolist()[row] for row in p.slots) == [3 * n + 2 for n in range(19, 24)]
    assert p.counts[INDIVIDUALS] == 23 and not np.isnan(p.slot_fitness).any()
    fitness = [fitness_of(proposal.genome) for proposal in run.made]
    assert p.best[0] == np.nanmax(fitness)


@pytest.mark.parametrize("name", METHODS)
def test_an_immigrant_takes_a_slot_and_may_be_the_best(name):
    run = Run(name, population=5).go_on(7)
    run.searcher.settle(1, (*[1] * 7, 0), 1000, 99.0)  # that can still grow
    p = run.searcher.population
    assert p.number[p.slots[1]] == 1000 and p.best[0] == p.slot_fitness[1] == 99.0
    assert p.counts[INDIVIDUALS] == 7
    run.go_on(60)
    children = [proposal.parent for proposal in run.made].count(1000)
    # Rules draw a parent among the living, local search goes on from the best that it hears of.
    assert (children > 0) == search.breeds(name)


@pytest.mark.parametrize("name", [name for name in METHODS if search.breeds(name)])
def test_every_method_that_breeds_beats_random_search(name):
    def best(name):
        runs = (Run(name, seed, 10) for seed in range(30))
        return [max(fitness_of(p.genome) for p in r.go_on(60).made if p.genome[0]) for r in runs]

    assert np.mean(best(name)) > np.mean(best("random_search")) + 0.2


@pytest.mark.parametrize("name", DECIDING)
def test_every_method_that_decides_beats_random_search(name):
    """What it proposes after 100 genomes of 65,536, whose decisions count each for itself."""

    def mean(name):
        runs = [Run(name, seed, length=16).go_on(130).made[100:] for seed in range(5)]
        return np.mean([np.nan_to_num(fitness_of(p.genome)) for run in runs for p in run])

    assert mean(name) > mean("random_search") + 2


@pytest.mark.parametrize("name", DECIDING)
def test_methods_that_decide_serve_any_space_and_failures_only(name):
    """Few choices, none at all, and nothing that can be evaluated."""
    from zero.cells.limits import LimitedSpace

    def unlimited(space):
        limits = SimpleNamespace(exceeded=lambda cost: None)
        return LimitedSpace(get_space(space), SimpleNamespace(cost=lambda genome: 0), limits)

    for space in ("nas_bench_201[none]", "nas_bench_101", "darts[sep3,id]", "amoebanet", "blocks"):
        for value in (-np.inf, np.nan, 0.5):
            rng = new_state(1, space)
            settings = settings_model(SearchSettings, name)()
            searcher = search.get(name).make(unlimited(space), settings, rng)
            for number in range(1, 26):
                proposal = searcher.ask()
                get_space(space).check(proposal.genome)
                searcher.tell(proposal, number, value)


def test_epsilon_falls_as_in_the_paper():
    from zero.search.q_learning import epsilon

    steps = [epsilon(count, 2700) for count in range(3000)]
    assert [steps.count(e) for e in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)] == (
        [1500, 100, 100, 100, 150, 150, 150, 150, 150]
    )
    assert steps == sorted(steps, reverse=True) and set(steps[2550:]) == {0.1}


def test_epsilons_of_ones_own():
    given = make_config({"cells": {"images": {"source": "digits"}}, "budget": {"individuals": 9},
                         "search": {"method": "q_learning", "epsilons": [[1, 4], [0.25, 6]]}})  # fmt: skip
    assert given.search.epsilons == [(1.0, 4), (0.25, 6)]
    from zero.search.q_learning import epsilon

    found = [epsilon(count, 10, given.search.epsilons) for count in range(12)]
    assert found == [1.0] * 4 + [0.25] * 8
    for epsilons, message in (
        ([[0.5, 4], [0.5, 4]], "epsilons: must fall; got 0.5, 0.5"),
        ([[1.5, 4]], "must be"),
        ([[1, 0]], "must be"),
        ([], "must"),
    ):
        with pytest.raises(ConfigError, match=message):
            make_config(
                {**given.model_dump(), "search": {"method": "q_learning", "epsilons": epsilons}}
            )
    settings = {"method": "q_learning", "schedule": 11, "epsilons": [[1, 4], [0.25, 6]]}
    with pytest.raises(ConfigError, match="are for 10 genomes together, but schedule is 11"):
        make_config({**given.model_dump(), "search": settings})


def test_one_replay_of_q_learning_by_hand():
    from zero.search.q_learning import QLearning, Settings

    learner = QLearning(BitSpace(2), Settings(method="q_learning", replay=1), new_state(1, "q"))
    learner.tell(Proposal((1, 0)), 1, 0.7)  # the only one: reward 0.5, as all values
    assert learner.values == {(): [0.5, 0.5], ("on",): [0.5, 0.5]}  # of off, on
    learner._learn(learner.paths[0], 1.0)
    assert learner.values[("on",)] == pytest.approx([0.55, 0.5])
    assert learner.values[()] == pytest.approx([0.5, 0.505])


def test_a_shaped_reward_is_given_in_even_parts():
    from zero.search.q_learning import QLearning, Settings

    settings = Settings(method="q_learning", replay=1, rate=1, shaped=True)
    learner = QLearning(BitSpace(2), settings, new_state(1, "q"))
    learner._know(("on", "off"), "10")
    learner._learn(learner.paths[0], 1.0)
    assert learner.values[("on",)] == pytest.approx([0.5, 0.5])  # the last decision's half
    assert learner.values[()] == pytest.approx([0.5, 1.0])  # and the first one's beside it


# --- rules for parents: asking and telling is the compiled loop ---------------------------------------


class NumberSpace:
    """The genomes of the compiled functions below, drawn in the same way."""

    mutations = ("up", "down")

    def random(self, rng):
        return int(below(rng, 1000))

    def mutate(self, genome, rng):
        step = int(below(rng, 3)) - 1
        return genome + step, "down" if step < 0 else "up"


@jit
def _create(genomes, record, space, rng):
    genomes[record] = below(rng, 1000)


@jit
def _breed(genomes, parent, record, space, evaluator, rng):
    step = below(rng, 3) - 1
    genomes[record] = genomes[parent] + step
    return COPY if step == 0 else 1 if step < 0 else 0


@jit
def _evaluate(genomes, record, evaluator):
    return -abs(genomes[record] - 700.0), 7


@pytest.mark.parametrize("name", RULES)
def test_asking_and_telling_is_the_compiled_loop(name):
    method, size, individuals = search.get(name), 12, 3000
    settings = settings_model(SearchSettings, name)(population=size).fitted()
    numbers = method.numbers(settings)

    compiled, genomes = new_population(size), np.zeros(capacity(size), np.int64)
    rng, limits = new_state(5, "loop"), np.array([individuals, 10**9])
    functions = Functions(
        choose=jit(method.choose), create_initial=_create, create=_create, breed=_breed,
        evaluate=_evaluate,
    )  # fmt: skip
    block = jit(lambda state, quota, limits: run_block(functions, state, quota, limits))
    settings_of_rule = np.array(numbers, dtype=np.float64)
    state = pack(SearchState(compiled, settings_of_rule, genomes, None, None, rng, NUMBERING))
    while compiled.counts[INDIVIDUALS] < individuals:
        block(state, 500, limits)

    own = new_state(5, "loop")
    ageing = Ageing(method.choose, numbers, NumberSpace(), new_population(size), own, NUMBERING)
    for count in range(1, individuals + 1):
        proposal = ageing.ask()
        ageing.tell(proposal, 3 * count + 2, -abs(proposal.genome - 700.0), 7)

    assert own == rng
    for mine, theirs in zip(ageing.population, compiled, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    rows = compiled.slots
    assert [ageing.genomes[row] for row in rows] == genomes[rows].tolist()
    assert (compiled.mutation != FIRST).any() == search.breeds(name)


# --- local search over all neighbours -----------------------------------------------------------------


def neighbourhoods(run):
    """Splits what was proposed where the search moved or restarted."""
    return [
        (parent, [p.genome for p in group])
        for parent, group in itertools.groupby(run.made, key=lambda p: p.parent)
    ]


@pytest.mark.parametrize("first", [False, True])
def test_local_search_goes_through_the_neighbours(first):
    name = f"local_search_{'first_improvement' if first else 'best_neighbour'}"
    run, space = Run(name).go_on(400), BitSpace()
    genome_of = {3 * n + 2: p.genome for n, p in enumerate(run.made, 1)}

    def worth(genome):
        return np.nan_to_num(fitness_of(genome), nan=-np.inf)

    moves = restarts = 0
    for (parent, tried), (after, _) in itertools.pairwise(neighbourhoods(run)):
        if parent < 0:
            restarts += 1
            continue
        at = genome_of[parent]
        assert len(set(tried)) == len(tried) and set(tried) <= set(space.neighbours(at))
        best = max(tried, key=worth)
        if worth(best) > worth(at):
            moves += 1
            assert genome_of[after] == best
            assert len(tried) == 8 or (first and tried[-1] == best)
        else:
            assert after == -1 and len(tried) == 8
    assert moves > 10 and restarts > 3


def test_neighbours_come_in_every_order():
    seconds = {
        Run("local_search_best_neighbour", seed).go_on(2).made[1].genome for seed in range(60)
    }
    firsts = {
        Run("local_search_best_neighbour", seed).go_on(1).made[0].genome for seed in range(60)
    }
    assert len(seconds) > 40 and len(firsts) > 30


def test_local_search_goes_on_from_what_it_hears():
    run = Run("local_search_best_neighbour").go_on(3)
    run.searcher.searcher.tell(Proposal((1,) * 8, mutation=MIGRATION), 77, 99.0)
    run.go_on(10)
    assert 77 in [p.parent for p in run.made]


# --- the section of a run's settings ------------------------------------------------------------------

PROGRAMS = {"tasks": {"search": {"type": "linear_regression", "features": 2, "train": 10}},
            "program": {"predict": {"ops": ["SCALAR_SUM"]}}, "budget": {"individuals": 9}}  # fmt: skip
CELLS = {"cells": {"space": "darts", "images": {"source": "digits"}}, "budget": {"individuals": 9}}
KINDS = {"programs": (PROGRAMS, ProgramSearch), "cells": (CELLS, CellSearch)}
FITTING = [(kind, name) for kind, (_, model) in KINDS.items() for name in methods_for(model)]


def made(kind, **section):
    return make_config({**KINDS[kind][0], "search": section})


def mistakes(kind, **section):
    with pytest.raises(ConfigError) as caught:
        made(kind, **section)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("kind, name", FITTING)
def test_settings_are_read_back(kind, name, tmp_path):
    from zero.config.load import load_config

    config = made(kind, method=name, population=7)
    keys = list(config.search.model_dump())
    assert keys[:2] == ["method", "population"] and config.search.population == 7
    (tmp_path / "again.yaml").write_text(config_to_yaml(config))
    again = load_config(tmp_path / "again.yaml")
    assert again == config and type(again.search) is type(config.search)


@pytest.mark.parametrize("kind, name", FITTING)
def test_keys_of_other_methods_are_ignored(kind, name):
    """A config stays valid when its method alone is changed, and older runs' say all keys."""
    config = made(kind, method=name, population=30, tournament=20)
    given = 20 if name == "regularized_evolution" else None
    assert getattr(config.search, "tournament", None) == given


def test_a_methods_own_settings_are_checked():
    line = "settings: search.tournament: must be at most search.population (5), got 6"
    assert mistakes("programs", population=5, tournament=6) == [line]
    assert mistakes("cells", population=5, tournament=6) == [line]
    assert made("programs", population=5).search.tournament == 5
    assert made("programs", method="random_search", population=5, tournament=6)


def test_keys_that_no_method_has_are_mistakes():
    for name in RULES:
        (line,) = mistakes("cells", method=name, populaton=5)
        assert line.startswith("settings: search.populaton: unknown key 'populaton'; did you mean")
    assert "unknown key 'mutations'" in mistakes("cells", mutations=["op"])[0]


def test_all_mistakes_of_the_section_are_told_at_once():
    lines = mistakes("programs", method="random_serch", population=1, mutation=[], batch=0)
    assert sorted(line.split(": ")[1] for line in lines) == [
        "search.batch", "search.method", "search.mutation", "search.population",
    ]  # fmt: skip
    assert any("did you mean 'random_search'?" in line for line in lines)
    assert mistakes("cells", method=3) == ["settings: search.method: must be text, got 3"]


def test_a_method_that_a_kind_of_genome_cannot_serve_is_refused_with_those_that_can():
    unfit = set(METHODS) - set(methods_for(ProgramSearch))
    assert unfit == set(METHODS) - set(RULES)
    for name in unfit:
        (line,) = mistakes("programs", method=name)
        assert line == (
            f"settings: search.method: {name} cannot search programs; use one of "
            f"{', '.join(methods_for(ProgramSearch))}"
        )
    assert methods_for(CellSearch) == METHODS


def test_the_schema_has_a_form_for_every_method():
    for kind, model in (("programs", ProgramSearch), ("cells", CellSearch)):
        schema = json.loads(json.dumps(config_schema(kind)))
        run = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        by_name, section = {}, run["properties"]["search"]
        while "if" in section:
            by_name[section["if"]["properties"]["method"]["const"]] = section["then"]
            section = section["else"]
        by_name[search.DEFAULT] = section  # whose name need not be given
        assert sorted(by_name) == methods_for(model)
        by_name = {
            name: schema["$defs"][form["$ref"].removeprefix("#/$defs/")]
            for name, form in by_name.items()
        }
        assert all(f["properties"]["method"]["const"] == n for n, f in by_name.items())
        assert [n for n, form in by_name.items() if "tournament" in form["properties"]] == [
            "regularized_evolution"
        ]


def test_settings_are_read_without_a_compiler():
    code = (
        "import sys\nfrom zero.config.load import make_config\n"
        f"for name in {METHODS!r}:\n    make_config({{**{CELLS!r}, 'search': {{'method': name}}}})\n"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stdout + done.stderr

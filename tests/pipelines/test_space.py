"""Pipelines as decisions, and what scikit-learn makes of each of them."""

import warnings

import numpy as np
import pandas as pd
import pytest
from small_tables import mixed_frame

from zero.data.frame_of import frame_of
from zero.data.frames import of_frame
from zero.data.table import Wanted
from zero.data.understand import understand
from zero.errors import ZeroError
from zero.pipelines.build import build, fit
from zero.pipelines.facts import Facts, facts_of
from zero.pipelines.families import families, named, suiting
from zero.pipelines.portfolio import FIRST, portfolio
from zero.pipelines.space import PipelineSpace
from zero.rng.splitmix import new_state
from zero.search.decisions import checked, drawn

PROBLEMS = ("binary", "multiclass", "regression")
SLOW = ("evolved_program", "program", "neural_network", "gaussian_process", "catboost")


def table(problem, **how):
    frame = mixed_frame(problem=problem, **how)
    return understand(of_frame(frame, Wanted("y")), texts=True, lenient=True)


def space_of(problem, data=None):
    data = table(problem) if data is None else data
    facts = facts_of(data, len(data))
    return PipelineSpace(facts, suiting(problem, facts.rows, facts.width))


@pytest.fixture(scope="module", params=PROBLEMS)
def space(request):
    return space_of(request.param)


def some(space, count, name="some"):
    rng = new_state(1, name)
    return [space.random(rng) for _ in range(count)]


def test_genomes_are_their_decisions_both_ways_and_as_text(space):
    rng = new_state(0, "genomes")
    for genome in (drawn(space.choices, rng) for _ in range(200)):
        assert checked(space.choices, genome) == genome
        assert space.genome_of(space.decisions_of(genome)) == genome
        assert space.parse(space.text(genome)) == genome
        assert space.values(genome)["family"] == space.family(genome).name


def test_mutations_and_neighbours_change_one_decision_and_stay_in_the_space(space):
    rng = new_state(2, "mutations")
    for genome in some(space, 30):
        other, name = space.mutate(genome, rng)
        assert name in space.mutations and other != genome
        assert checked(space.choices, other) == other
        near = space.neighbours(genome)
        assert genome not in near and len(set(near)) == len(near)
        assert len(near) >= len(genome)
        for one in near:
            assert checked(space.choices, one) == one


def test_every_decision_of_every_family_can_be_drawn(space):
    wanted = set()
    for parameters in space._asked.values():
        wanted |= {d for p in parameters for d in p.decisions}
    found = {d for genome in some(space, 6000, "many") for d in genome[1:]}
    assert wanted - found == set()


def test_usual_pipelines_have_the_defaults_of_their_family(space):
    usual = space.usual("tree")
    assert space.values(usual)["max_depth"] == 5
    other = space.usual("tree", max_depth="3", no_such="1")
    assert [d for d in other if d not in usual] == ["max_depth=3"]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_all_pipelines_can_be_trained_and_predict_new_rows(problem):
    data = table(problem)
    space, frame = space_of(problem, data), frame_of(data.columns, data.kinds)
    y = data.y if problem == "regression" else data.y.astype(int)
    fresh = frame.iloc[:20].copy()
    fresh["colour"] = "never seen"
    fresh.iloc[0] = np.nan
    fresh["when"] = fresh["when"].astype(frame["when"].dtype)
    quick = [f for f in space.families if f not in SLOW]
    genomes = [space.usual(name) for name in quick]
    genomes += [g for g in some(space, 60) if space.family(g).name in quick][:20]
    for genome in genomes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pipeline = fit(space, genome, build(space, genome, 0, share=0.1), frame, y)
            said = pipeline.predict(fresh)
        assert said.shape == (20,) and np.isfinite(said.astype(float)).all(), genome


def test_a_table_without_gaps_or_texts_asks_nothing_of_them():
    frame = mixed_frame(gaps=False)[["size", "weight", "y"]]
    data = understand(of_frame(frame, Wanted("y")), texts=True, lenient=True)
    space = space_of("binary", data)
    keys = {d.partition("=")[0] for genome in some(space, 300) for d in genome}
    assert keys.isdisjoint({"empty", "flag_empty", "categories", "terms"}) and "scaling" in keys


def test_the_portfolio_begins_with_an_answer_at_once_and_has_each_family(space):
    first = portfolio(space)
    assert first[0] == ("family=constant",)
    assert {space.family(g).name for g in first} == set(space.families)
    for genome in first:
        assert space.parse(space.text(genome)) == genome


def test_what_the_portfolio_decides_is_there_to_be_decided():
    for name, values in FIRST:
        family = families()[name]
        own = {
            d for problem in PROBLEMS for p in family.parameters_for(problem) for d in p.decisions
        }
        wanted = {f"{key}={value}" for key, value in values.items() if key != "products"}
        assert wanted <= own, name


@pytest.mark.timeout(120)
def test_a_support_vector_machine_that_never_converges_ends():
    facts = Facts("binary", 300, 2, ("a", "b", "c", "d"))
    space = PipelineSpace(facts, named(["svm"]))
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(size=(300, 4)) * 100, columns=list("abcd"))
    y = (x["a"] + 100 * rng.normal(size=300) > 0).astype(int).to_numpy()
    wild = {"C": "390", "kernel": "poly", "gamma": "10", "degree": "2", "scaling": "none"}
    genome = space.usual("svm", **wild, products="pairs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = fit(space, genome, build(space, genome, 0), x, y)
    assert pipeline.predict_proba(x).shape == (300, 2)


def test_what_is_no_pipeline_of_the_space_is_refused():
    space = space_of("binary")
    for wrong in ("family=none_such", "family=tree max_depth=7777", "family=tree", ""):
        with pytest.raises(ZeroError):
            space.parse(wrong)


def test_families_say_what_they_need():
    assert named(["ridge"])[0].learner("binary") is None
    with pytest.raises(ZeroError, match=r"unknown family 'forest'"):
        named(["forest"])
    large = [f.name for f in suiting("binary", 2_000_000, 20)]
    assert "histogram_boosting" in large
    assert {"svm", "gaussian_process", "neighbours"}.isdisjoint(large)


@pytest.mark.parametrize("family", families().values(), ids=lambda f: f.name)
def test_every_family_is_whole(family):
    """A family added in one file has all that searches, words and exports ask of it."""
    assert family.about and family.name.isidentifier()
    for problem in PROBLEMS:
        if family.learner(problem) is None or not family.is_installed():
            continue
        facts = Facts(problem, 100, 0 if problem == "regression" else 2, ("a", "b"))
        space = PipelineSpace(facts, [family])
        pipeline = build(space, space.usual(family.name), 3)
        if family.seeded:
            assert pipeline[-1].get_params()["random_state"] == 3
        if family.grows:
            assert family.grows in space.values(space.usual(family.name))

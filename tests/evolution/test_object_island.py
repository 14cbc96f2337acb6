"""Islands of Python objects, on strings of bits: nothing is lost or done twice, wherever they are cut."""

import itertools

import numpy as np
import pytest
from bits import TRAINED, BitEvaluator, BitSpace, Unusable

from zero import search
from zero.evolution.extrapolation import Extrapolation
from zero.evolution.halving import Halving, Rungs
from zero.evolution.island import Limits
from zero.evolution.migration import distribute
from zero.evolution.object_island import ObjectIsland, Rules
from zero.evolution.object_records import ObjectRecord, pack_records, unpack_records
from zero.evolution.objective import Objective
from zero.search.protocol import SearchSettings
from zero.search.section import settings_model


class BitIsland(ObjectIsland):
    section = "bits"
    unusable = (Unusable,)


def make_island(
    name="regularized_evolution", index=0, count=1, unusable=None, individuals=60, **rules
):
    settings = settings_model(SearchSettings, name)(population=8, **TRAINED.get(name, {})).fitted()
    return BitIsland(
        BitSpace(), BitEvaluator(unusable), settings, Rules(**rules), 3, 0, index, count,
        Limits(individuals=individuals, round=20), 3,
    )  # fmt: skip


def to_the_end(island):
    """Goes on through all rounds of an island that is alone."""
    while not island.reason:
        island.advance(1e9)
        if island.waiting and not island.reason:
            island.receive(island.begin_round() and [])
    return island


def shown(island):
    return [str({k: v.tolist() if k == "curve" else v for k, v in vars(r).items()})
            for r in island.records.values()]  # fmt: skip


CASES = {
    "plain": {},
    "halving": {"halving": Rungs((2, 5), 0.5)},
    "hyperband": {"halving": Halving(factor=2, brackets="all").rungs(8)},
    "extrapolation": {"extrapolation": Extrapolation(after=2, chance=0.5, curves=5)},
    "retrained": {"retrain_duplicates": True},
    "pareto": {"objective": Objective(kind="pareto", cost="individuals")},
    "several costs": {"objective": Objective(kind="pareto", cost=("individuals", "seed"))},
    "unusable": {"unusable": (0, 1)},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", search.names())
def test_an_island_is_its_state_wherever_it_is_cut(name, case):
    """Paused after every epoch, and put into a fresh island each time."""

    def fresh():
        return make_island(name, individuals=30, **CASES[case])

    whole, moved, within, cuts = to_the_end(fresh()), fresh(), 0, 0
    while not moved.reason:
        moved.advance(0.0)
        if moved.waiting and not moved.reason:
            moved.receive(moved.begin_round() and [])
        state, moved = moved.state(), fresh()
        within += bool(state["trial"] and state["trial"]["seen"] > 1)
        moved.restore(state)
        cuts += 1
    assert cuts > 50 and within > 10
    assert shown(moved) == shown(whole)
    assert np.array_equal(moved.rng, whole.rng)


@pytest.mark.parametrize("name", search.names())
def test_a_pause_repeats_nothing(name):
    steady, paused = make_island(name), make_island(name)
    to_the_end(steady)
    while not paused.reason:
        paused.advance(0.0)
        if paused.waiting and not paused.reason:
            paused.receive(paused.begin_round() and [])
    assert shown(paused) == shown(steady)
    assert paused.evaluator.begun == steady.evaluator.begun


@pytest.mark.parametrize("name", search.names())
def test_genomes_of_an_earlier_run_come_first_and_the_method_hears_of_them(name):
    def fresh():
        island = make_island(name, individuals=30)
        island.starts = [(1,) * 7 + (0,), (0, 1) * 4]
        return island

    island, moved = to_the_end(fresh()), fresh()
    first, second, third, *_ = island.records.values()
    assert [(r.text, r.mutation, r.parent) for r in (first, second)] == [
        ("11111110", "start", -1), ("01010101", "start", -1)
    ]  # fmt: skip
    assert third.mutation != "start" and first.fitness == 7 / 8
    while not moved.reason:
        moved.advance(0.0)
        if moved.waiting and not moved.reason:
            moved.receive(moved.begin_round() and [])
        state, moved = moved.state(), fresh()
        moved.restore(state)
    assert shown(moved) == shown(island)
    told = fresh()
    told.advance(0.0)  # begins
    heard, tell = [], told.searcher.tell
    told.searcher.tell = lambda *result: (heard.append(result[0].mutation), tell(*result))
    to_the_end(told)
    assert heard[:2] == ["start", "start"] and len(heard) == 30


def test_every_candidate_is_recorded_and_the_same_ones_once():
    island = to_the_end(make_island(unusable=(0, 1)))
    records = list(island.records.values())
    assert [r.individuals for r in records] == list(range(1, 61))
    assert len(island.evaluator.begun) == len({r.text for r in records}) < 60
    first = {}
    for record in records:
        twin = first.setdefault(record.key, record)
        assert record.same_as == (-1 if twin is record else twin.number)
        assert (record.fitness, record.reason) == (twin.fitness, twin.reason) or record is twin
        if record.text.endswith("01"):
            assert record.fitness == -np.inf and record.train_steps == 0
            assert record.reason == f"candidate {twin.number} is not to be counted"
        elif record is twin:
            assert record.fitness == record.accuracy == record.text.count("1") / 8
            assert record.train_steps == 24 and len(record.curve) == 8
    assert island.stats()["hits"] == 60 - len(first)
    best = max(r.fitness for r in records)
    assert island.records[island.candidate["number"]].fitness == best == island.population.best[0]


def test_halving_stops_candidates_and_ranks_them_below():
    island = to_the_end(make_island(halving=Rungs((2, 5), 0.5)))
    stopped = [r for r in island.records.values() if "halving" in r.reason and r.same_as < 0]
    assert {len(r.curve) for r in stopped} == {2, 5}
    for record in stopped:
        epochs = len(record.curve)
        assert record.reason == f"stopped by bits.halving after {epochs} epochs"
        ones = record.text[:epochs].count("1") / epochs
        assert record.fitness == pytest.approx(ones * (1e-6 if epochs == 2 else 1e-3))


def test_brackets_compare_their_own_candidates_from_their_own_rung_on():
    rungs = Halving(factor=2, brackets="all").rungs(8)
    records = list(to_the_end(make_island("random_search", halving=rungs)).records.values())
    earlier = {}
    for record in (r for r in records if r.same_as < 0 and r.reason != "no ones"):
        bracket = rungs.order[(record.individuals - 1) % len(rungs.order)]
        for rung, epochs in list(enumerate((1, 2, 4)))[bracket:]:
            others = earlier.setdefault((bracket, epochs), [])
            mine = record.curve[epochs - 1, 1]
            on = sum(a >= mine for a in others) < max(1, (len(others) + 1) // 2)
            others.append(mine)
            assert on == (len(record.curve) > epochs)
            if not on:
                assert record.fitness == pytest.approx(mine * 1000.0 ** (rung - 3))
                break
    assert len(earlier) == 6


@pytest.mark.parametrize("kind", ["accuracy", "pareto"])
def test_forecasts_stop_candidates_below_what_they_need(kind):
    objective = Objective(kind=kind, cost="individuals")  # a later one costs more
    rules = {"extrapolation": Extrapolation(after=4, chance=0.5, curves=5), "objective": objective}
    records = list(to_the_end(make_island("random_search", **rules)).records.values())
    stopped = [r for r in records if r.reason.startswith("stopped by bits.extrapolation after ")]
    assert len(stopped) > 10
    assert sum(r.train_steps for r in records) < 24 * sum(r.same_as < 0 for r in records)
    for record in stopped:
        before = [r for r in records if r.individuals < record.individuals]
        assert record.fitness < max(r.fitness for r in before if not r.reason)
        if record.same_as < 0:
            assert 4 <= len(record.curve) < 8
            assert sum(not r.reason and r.same_as < 0 for r in before) >= 5


# --- islands --------------------------------------------------------------------------------------


def exchange(islands, rounds, cut=None):
    """Goes on for so many rounds; between rounds `cut` may replace islands by others."""
    for _ in range(rounds):
        for island in islands:
            while not island.waiting:
                island.advance(1e9)
        reports = [island.begin_round() for island in islands]
        if cut:
            islands = [cut(island) for island in islands]
        drawn = distribute(reports, 1, 0)
        for island, pairs in zip(islands, drawn, strict=True):
            island.receive([reports[s]["emigrants"][k] for s, k in pairs.tolist()])
        if cut:
            islands = [cut(island) for island in islands]
    return islands


@pytest.mark.parametrize("name", search.names())
def test_who_migrates_is_in_the_state(name):
    def pair():
        return [make_island(name, k, 2, individuals=10**6) for k in range(2)]

    def moved(island):
        fresh = make_island(name, island.index, 2, individuals=10**6)
        fresh.restore(island.state())
        return fresh

    whole, cut = exchange(pair(), 5), exchange(pair(), 5, moved)
    assert [shown(island) for island in cut] == [shown(island) for island in whole]
    for island, other in itertools.permutations(whole):
        foreign = [r for r in island.records.values() if r.island != island.index]
        assert foreign and all(r.text == other.records[r.number].text for r in foreign)


def test_a_state_of_an_older_version_is_read():
    """Emigrants had another name, and no searcher had a state of its own."""

    def older(island):
        state = island.state()
        del state["searcher"]
        for name, key in (("report", "emigrants"), ("arrivals", "immigrants")):
            if state[name]:
                state[name] = {("people" if k == key else k): v for k, v in state[name].items()}
        fresh = make_island(index=island.index, count=2, individuals=10**6)
        fresh.restore(state)
        if fresh.report:  # is answered from what the state has
            assert all("text" in emigrant for emigrant in fresh.report["emigrants"])
        return fresh

    def pair():
        return [make_island(index=k, count=2, individuals=10**6) for k in range(2)]

    whole, cut = exchange(pair(), 4), exchange(pair(), 4, older)
    assert [shown(island) for island in cut] == [shown(island) for island in whole]


@pytest.mark.parametrize("kind, told", [("pareto", 2), ("accuracy", 0)])
def test_searches_hear_what_candidates_and_immigrants_cost(kind, told):
    costs = ("individuals", "train_steps")
    objective = Objective(kind=kind, cost=costs)
    pair = [make_island("nsga2", k, 2, individuals=10**6, objective=objective) for k in range(2)]
    heard = []
    for island in pair:
        searcher = island.searcher.searcher
        searcher.tell = lambda p, number, *rest, tell=searcher.tell, island=island: (
            heard.append((island, p, number, rest)), tell(p, number, *rest)
        )  # fmt: skip
    exchange(pair, 3)
    for island, _, number, (_, _, spent) in heard:
        record = island.records[number]
        assert spent == tuple(float(record[name]) for name in costs)[:told]
    assert any(island.records[number].island != island.index for island, _, number, _ in heard)


# --- records --------------------------------------------------------------------------------------


def test_records_are_columns_and_back():
    island = to_the_end(make_island(unusable=(0, 1)))
    records = list(island.records.values())
    columns = pack_records(records)
    assert columns["seed"].dtype == np.uint64 and columns["epochs"].sum() == len(columns["curve"])
    again = unpack_records(ObjectRecord, columns)
    assert [str(vars(r)) for r in again] == [str(vars(r)) for r in records]
    assert pack_records([]) == {} and unpack_records(ObjectRecord, {}) == []

"""One island: its state is all that its future depends on; how it is cut into blocks is not."""

import os

import numpy as np
import pytest
from small_runs import small_config

from zero import run
from zero.island import MAX_CURVE, pack_records, unpack_records
from zero.islands import distribute
from zero.population import BEST, FILLED, FREE
from zero.program import Program

BUDGET = {"individuals": 10**9, "train_steps": 10**12}


def make(count=1, index=0, budget=BUDGET, **changes):
    config = small_config(islands={"count": count}, **changes)
    return run.Maker(config, run.initial_program(config)).islands(0, budget)[index]


def play(island, rounds, seconds=1.0):
    """Advances to the end of the round before the last, then to that round's end."""
    for _ in range(rounds):
        if island.waiting:
            island.begin_round(None)
        while not island.waiting:
            island.advance(seconds)
    return island


def same(a, b):
    """Returns whether two trees of arrays and plain values are equal, NaN included."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return type(a) is type(b) and (a == b or (a != a and b != b))


HURDLE = {"evaluation": {"hurdle": {"train": 15, "valid": 5, "quantile": 0.5}}}


@pytest.mark.parametrize(
    "changes", [{}, HURDLE, {"dtype": "float32"}], ids=["plain", "hurdle", "f4"]
)
def test_a_restored_island_goes_on_as_if_nothing_had_happened(changes):
    whole = play(make(**changes), 6)
    first = play(make(**changes), 2)
    first.begin_round(None)
    first.advance(0.0)  # into the middle of a round
    second = make(**changes)
    second.restore(first.state())
    assert same(second.state(), first.state())
    # What a state gave away is not touched by going on.
    state = first.state()
    kept = state["arrays"]["population.slots"].copy()
    play(first, 4)
    assert np.array_equal(state["arrays"]["population.slots"], kept)
    play(second, 4)
    assert same(first.state(), whole.state())
    assert same(second.state(), whole.state())


def test_blocks_decide_nothing():
    whole = play(make(), 3)
    single = make()
    for _ in range(3):
        if single.waiting:
            single.begin_round(None)
        while not single.waiting:
            single._quota = 1  # as on a very slow machine
            single.advance(0.0)
    assert same(single.state(), whole.state())


@pytest.mark.parametrize("changes", [{}, HURDLE], ids=["plain", "hurdle"])
def test_warming_up_changes_nothing(changes):
    island = make(**changes)
    before = island.state()
    island.warm_up()
    assert same(island.state(), before)


def test_recording_a_program_does_not_move_the_hurdle():
    island = play(make(**HURDLE), 1)
    before = [array.copy() for array in island.arrays.hurdle]
    best = island.records[island.checked]
    best["is_best"] = False
    again = island._record_best()
    assert same(before, list(island.arrays.hurdle))
    assert again["task_fitness"].mean() == pytest.approx(best["fitness"])


def test_records_survive_being_packed():
    records = list(play(make(), 2).records.values())
    assert len(records) > 2
    assert same(unpack_records(pack_records(records)), records)
    assert unpack_records(pack_records([])) == []


def test_the_curve_stays_short_and_even():
    island = play(make(search={"population": 4, "tournament": 1}), 20)
    assert MAX_CURVE // 2 <= len(island.curve) <= MAX_CURVE
    assert len({int(step) for step in np.diff([row[0] for row in island.curve])}) == 1


# --- migration ----------------------------------------------------------------------------------


def test_a_planted_good_program_spreads():
    poor = [make(2, k, program={"learn": {"ops": []}, "predict": {"ops": ["SCALAR_SUM"]}})
            for k in (0, 1)]  # fmt: skip
    for island in poor:
        play(island, 1)
    best_before = poor[1].population.best[0]
    # The whole of island 0 is one better program.
    planted = poor[0].population
    planted.slot_fitness[:] = 0.9
    planted.fitness[planted.slots] = 0.9
    arrivals = None
    for round_ in range(20):
        reports = [island.report() for island in poor]
        arrivals = distribute(reports, 1, 0)[1]
        poor[1].begin_round(arrivals)
        if poor[1].population.best[0] == 0.9:
            break
        poor[1].waiting = True
        for report in reports:
            report["round"] = round_
    assert best_before < 0.9 == poor[1].population.best[0]
    # Selection does the rest.
    copies = np.sum(poor[1].population.slot_fitness == 0.9)
    assert 1 <= copies <= 4
    play(poor[1], 1)
    lines = {int(poor[1].population.counts[BEST])}
    assert lines and poor[1].records[poor[1].checked]["fitness"] >= 0.9
    assert poor[1].records[poor[1].checked]["island"] == 0


def test_immigrants_take_the_places_of_those_sent_away():
    both = [play(make(2, k), 2) for k in (0, 1)]
    reports = [island.report() for island in both]
    sent = [set(r["emigrants"]["numbers"]) for r in reports]
    assert [len(s) for s in sent] == [4, 4]
    everyone = [set(i.population.number[i.population.slots].tolist()) for i in both]
    assert sent[0] <= everyone[0] and sent[1] <= everyone[1]
    arrivals = distribute(reports, 7, 0)
    for k, island in enumerate(both):
        island.begin_round(arrivals[k])
        p = island.population
        now = p.number[p.slots].tolist()
        assert set(now) == (everyone[k] - sent[k]) | set(arrivals[k]["numbers"])
        assert len(now) == 30
        assert np.array_equal(p.fitness[p.slots], p.slot_fitness)


def test_every_slot_holds_somebody_when_there_is_no_room_for_immigrants(monkeypatch):
    both = [play(make(2, k), 2) for k in (0, 1)]
    arrivals = distribute([island.report() for island in both], 7, 0)
    p = both[0].population
    everyone = set(p.slots.tolist())
    monkeypatch.setattr(both[0].module, "collect", lambda handle: None)
    p.counts[FREE] = 0  # as after rounds that kept much history
    both[0].begin_round(arrivals[0])
    assert set(p.slots.tolist()) <= everyone
    assert np.array_equal(p.fitness[p.slots], p.slot_fitness)


def test_immigrants_bring_their_ancestors():
    both = [play(make(2, k), 4) for k in (0, 1)]
    arrivals = distribute([island.report() for island in both], 5, 0)[1]
    own = set(both[1].population.number.tolist())
    both[1].begin_round(arrivals)
    p = both[1].population
    where = {int(n): r for r, n in enumerate(p.number)}
    strangers = [n for n in arrivals["numbers"] if n not in own]
    assert strangers
    for number in strangers:
        record = where[number]
        while p.parent[record] >= 0:
            parent = int(p.number[p.parent[record]])
            assert arrivals["people"][int(p.number[record])]["parent"] == parent
            record = p.parent[record]


def test_without_migrants_nobody_is_sent():
    for island in (make(2, 0, budget=BUDGET), make(1, 0)):
        island.migrants = 0
        play(island, 1)
        assert island.report()["emigrants"] == {"numbers": [], "people": {}}
    lonely = make(1)
    assert lonely.migrants == 0


def test_migration_before_the_population_is_full():
    both = [
        make(2, k, {"individuals": 3, "train_steps": 10**9}, search={"population": 100})
        for k in (0, 1)
    ]
    for island in both:
        play(island, 1)
    assert [int(i.population.counts[FILLED]) for i in both] == [2, 1]
    arrivals = distribute([i.report() for i in both], 1, 0)
    for island, arriving in zip(both, arrivals, strict=True):
        island.begin_round(arriving)
        assert island.individuals + island.index == 2


# --- over a long time ---------------------------------------------------------------------------


def test_memory_does_not_grow():
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    if not os.path.exists("/proc/self/statm"):
        pytest.skip("reads resident memory from /proc")
    both = [make(2, k) for k in (0, 1)]

    def rounds(number):
        for _ in range(number):
            for island in both:
                play(island, 0)
                while not island.waiting:
                    island.advance(1.0)
            arrivals = distribute([i.report() for i in both], 1, 0)
            for island, arriving in zip(both, arrivals, strict=True):
                island.begin_round(arriving)

    rounds(60)
    before = resident()
    rounds(120)
    assert resident() - before < 12e6


def test_the_reference_island_starts_from_its_initial_program():
    island = make(backend="reference", evaluation={"cache": "none"})
    island._quota = 5
    island.advance(0.0)
    assert island.individuals > 0
    first = island.records[min(island.records)]
    assert first["mutation"] == "first"
    assert run.from_arrays(first["code"], first["consts"], first["sizes"]) == Program()

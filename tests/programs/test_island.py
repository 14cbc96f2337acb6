"""One island: its state is all that its future depends on; how it is cut into blocks is not."""

import os

import numpy as np
import pytest
from small_runs import small_config

from zero.evolution.island import MAX_CURVE, Limits
from zero.evolution.migration import distribute
from zero.evolution.population import BEST, FILLED, FREE
from zero.programs.domain import ProgramsDomain, initial_program
from zero.programs.program import Program
from zero.programs.raw_records import pack_records, unpack_records

BUDGET = {"individuals": 10**9, "train_steps": 10**12}


def make(count=1, budget=BUDGET, **changes):
    """Returns the island, or a list of them."""
    changes["islands"] = {"count": count, **changes.get("islands", {})}
    config = small_config(**changes)
    islands = ProgramsDomain(config, initial_program(config)).islands(0, budget)
    return islands if count > 1 else islands[0]


def play(island, rounds, seconds=1.0):
    """Advances to the end of the round before the last, then to that round's end."""
    for _ in range(rounds):
        if island.waiting:
            island.begin_round()
        while not island.waiting:
            island.advance(seconds)
    return island


def exchange(islands, seed=1):
    """Ends a round: what each island sent is drawn for the others."""
    reports = [island.begin_round() for island in islands]
    for island, drawn in zip(islands, distribute(reports, seed, 0), strict=True):
        island.receive(drawn)


def play_together(islands, rounds):
    """Plays rounds with exchange and stops at the end of the last."""
    for round_ in range(rounds):
        if round_:
            exchange(islands)
        for island in islands:
            play(island, 0)
            while not island.waiting:
                island.advance(1.0)
    return islands


def test_records_are_thinned_and_lineages_stay_whole(monkeypatch):
    plain = play(make(), 12)
    monkeypatch.setattr("zero.programs.island.MAX_RECORDS", 20)
    thinned = play(make(), 12)
    assert len(plain.records) > 25 and len(thinned.records) < len(plain.records)
    assert numbers(thinned) == numbers(plain)  # the search takes no notice
    best = int(plain.population.number[plain.population.counts[BEST]])
    for island in (plain, thinned):
        generations, number = 0, best
        while number >= 0:
            record = island.records[number]
            generations += record.steps
            number = record.parent
        island.generations = generations
    assert thinned.generations == plain.generations
    assert thinned.candidate == plain.candidate
    assert thinned.candidate["number"] in thinned.records
    assert all(r.parent < 0 or r.parent in thinned.records for r in thinned.records.values())


def numbers(island):
    """Returns the numbers of the living, slot by slot."""
    return island.population.number[island.population.slots].tolist()


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
    first.begin_round()
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
            single.begin_round()
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
    best.is_best = False
    again = island._record_best()
    assert same(before, list(island.arrays.hurdle))
    assert again.task_fitness.mean() == pytest.approx(best.fitness)


def test_records_survive_being_packed():
    records = list(play(make(), 2).records.values())
    assert len(records) > 2
    assert same(
        [vars(r) for r in unpack_records(pack_records(records))], [vars(r) for r in records]
    )
    assert unpack_records(pack_records([])) == []


def test_the_curve_stays_short_and_even():
    island = play(make(search={"population": 4, "tournament": 1}), 20)
    assert MAX_CURVE // 2 <= len(island.curve) <= MAX_CURVE
    assert len({int(step) for step in np.diff([row[0] for row in island.curve])}) == 1
    # Thinned points are those that a curve of the wider steps has from its start.
    assert island.curve_every > 4
    assert island.curve[0][0] == island.curve_every


# --- migration ----------------------------------------------------------------------------------


def test_a_planted_good_program_spreads():
    poor = make(2, program={"learn": {"ops": []}, "predict": {"ops": ["SCALAR_SUM"]}})
    play_together(poor, 1)
    # The whole of island 0 is one better program.
    planted = poor[0].population
    planted.slot_fitness[:] = 0.9
    planted.fitness[planted.slots] = 0.9
    exchange(poor, seed=2)  # draws some of them for island 1
    for island in poor:
        play(island, 1)
    assert poor[1].population.best[0] < 0.9  # they are on their way
    exchange(poor)
    assert poor[1].population.best[0] == 0.9
    # Selection does the rest.
    copies = np.sum(poor[1].population.slot_fitness == 0.9)
    assert 1 <= copies <= 4
    play(poor[1], 1)
    assert poor[1].records[poor[1].checked].fitness >= 0.9
    assert poor[1].records[poor[1].checked].island == 0


def test_immigrants_take_the_places_of_those_sent_away():
    both = play_together(make(2), 4)
    for island in both:
        before, sent = numbers(island), island.sent
        arrivals = island.arrivals["numbers"].tolist()
        assert len(sent) == len(set(arrivals)) == 4
        island.begin_round()
        p = island.population
        now = numbers(island)
        assert [now[k] for k in sent] == arrivals
        stayed = np.setdiff1d(np.arange(30), sent)
        assert [now[k] for k in stayed] == [before[k] for k in stayed]
        assert np.array_equal(p.fitness[p.slots], p.slot_fitness)


def test_immigrants_are_those_that_were_sent():
    both = play_together(make(2), 2)
    known = {}
    for island in both:
        p = island.population
        for slot in island.sent:
            record = p.slots[slot]
            known[int(p.number[record])] = (
                p.fitness[record], [bank[record].copy() for bank in island.genomes]
            )  # fmt: skip
    exchange(both)
    play(both[0], 1)
    arrivals = both[0].arrivals["numbers"].tolist()
    assert set(arrivals) <= set(known)
    assert any(n % 2 for n in arrivals)  # from the other island
    slots = both[0].sent
    both[0].begin_round()
    p = both[0].population
    for slot, number in zip(slots, arrivals, strict=True):
        fitness, genome = known[number]
        assert p.slot_fitness[slot] == fitness
        assert same([bank[p.slots[slot]] for bank in both[0].genomes], genome)


@pytest.mark.parametrize("room", [0, 3])
def test_where_there_is_no_room_for_all_immigrants_the_youngest_come(monkeypatch, room):
    island = play_together(make(2), 3)[0]
    p, people = island.population, island.arrivals["immigrants"]
    monkeypatch.setattr(island.module, "collect", lambda handle: None)
    p.keep[:] = False
    p.keep[p.slots] = True
    p.counts[FREE] = room  # as after rounds that kept much history
    before = numbers(island)
    island._immigrate(island.arrivals)
    strangers = [n for n in people["number"].tolist() if n not in before]
    assert len(strangers) > 3
    # Whose place nobody takes stays.
    allowed = before + strangers[len(strangers) - room :]
    assert set(numbers(island)) <= set(allowed)
    assert p.counts[FREE] == 0
    assert np.array_equal(p.fitness[p.slots], p.slot_fitness)


def test_immigrants_bring_the_steps_that_led_to_them():
    both = play_together(make(2), 6)
    arrivals = both[1].arrivals
    own = set(both[1].population.number.tolist())
    both[1].begin_round()
    p = both[1].population
    where = {int(n): r for r, n in enumerate(p.number)}
    people = arrivals["immigrants"]
    parent_of = dict(zip(people["number"].tolist(), people["parent"].tolist(), strict=True))
    strangers = [n for n in arrivals["numbers"].tolist() if n not in own]
    assert strangers
    for number in strangers:
        record = where[number]
        while p.parent[record] >= 0 and int(p.number[record]) not in own:
            parent = int(p.number[p.parent[record]])
            assert parent_of[int(p.number[record])] == parent
            record = p.parent[record]
        assert int(p.number[record]) in own or parent_of[int(p.number[record])] == -1
    assert people["number"].tolist() == sorted(set(people["number"].tolist()))
    assert max(len(arrivals["numbers"]), 5) < len(people["number"])


def test_without_migrants_nobody_is_sent():
    for island in (*make(2, islands={"migrants": 0}), make(1)):
        play(island, 1)
        assert island.begin_round()["sent"] == 0
        island.receive(np.zeros((0, 2), dtype=np.int64))
        assert island.arrivals is None


def test_migration_before_the_population_is_full():
    both = make(2, {"individuals": 3, "train_steps": 10**9}, search={"population": 100})
    play_together(both, 3)
    assert [int(i.population.counts[FILLED]) for i in both] == [2, 1]
    assert [len(i.arrivals["numbers"]) for i in both] == [2, 1]
    assert [i.individuals for i in both] == [2, 1]


def test_an_island_that_has_ended_waits_for_the_others():
    island = play(make(budget={"individuals": 700, "train_steps": 10**9}), 2)
    assert (island.reason, island.individuals) == ("individuals", 700)
    island.limits = Limits(fitness=0.0)  # of whatever kind the end was
    before = island.population.slots.copy()
    play(island, 3)
    assert (island.individuals, island.round) == (700, 4)
    assert np.array_equal(island.population.slots, before)


def test_islands_restored_with_migrants_on_their_way_go_on():
    config = small_config(islands={"count": 2})
    whole = play_together(make(2), 6)
    cut = play_together(make(2), 3)
    # One is a round ahead and has heard nothing yet, the other has immigrants in hand.
    first = cut[0].begin_round()
    play(cut[0], 1)
    again = ProgramsDomain(config, initial_program(config)).islands(0, BUDGET)  # fresh mail
    for island, old in zip(again, cut, strict=True):
        island.restore(old.state())
    assert again[0].report == first
    drawn = distribute([again[0].report, again[1].begin_round()], 1, 0)
    for island, immigrants in zip(again, drawn, strict=True):
        island.receive(immigrants)
    play(again[1], 1)
    play_together(again, 1)
    exchange(again)
    play_together(again, 2)
    assert all(same(a.state(), b.state()) for a, b in zip(again, whole, strict=True))


# --- over a long time ---------------------------------------------------------------------------


def test_memory_does_not_grow():
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    if not os.path.exists("/proc/self/statm"):
        pytest.skip("reads resident memory from /proc")
    both = play_together(make(2), 60)
    before = resident()
    exchange(both)
    play_together(both, 120)
    assert resident() - before < 12e6


def test_the_reference_island_starts_from_its_initial_program():
    island = make(backend="reference", evaluation={"cache": "none"})
    island._quota = 5
    island.advance(0.0)
    assert island.individuals > 0
    first = island.records[min(island.records)]
    assert first.mutation == "first"
    assert first.program == Program()

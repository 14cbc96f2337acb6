"""The caches of fitness: what is served, forgotten and dropped, and that they change no fitness."""

import numpy as np
from helpers import MEMORY, SearchEvaluator, grown_program, parse, small_tasks

from zero.programs.evaluator import Evaluator
from zero.programs.fec import (
    WAYS,
    find,
    insert,
    mix,
    new_cache,
)
from zero.programs.interpreter import cpu
from zero.programs.interpreter.arrays import (
    EVALUATED,
    FEC_HITS,
    SEEN_HITS,
    STEPS_TAKEN,
)
from zero.programs.library import program as shipped
from zero.programs.ops import GROUPS


def key(n):
    return np.uint64(n)


def test_found_is_what_was_stored():
    cache = new_cache(100)
    assert find(cache, key(5), 0) == (False, 0.0)
    insert(cache, key(5), 0.25)
    insert(cache, key(6), -np.inf)
    assert find(cache, key(5), 0) == (True, 0.25)
    assert find(cache, key(6), 0) == (True, -np.inf)
    insert(cache, key(5), 0.75)
    assert find(cache, key(5), 0) == (True, 0.75)


def test_entry_is_forgotten_after_99_hits_of_100():
    cache = new_cache(8)
    for _ in range(3):
        insert(cache, key(1), 0.5)
        insert(cache, key(2), 0.25)
        served = 0
        while find(cache, key(1), 100)[0]:
            served += 1
        assert served == 99  # the insertion counts as the first use
        assert find(cache, key(2), 100)[0]  # its neighbour stays
    insert(cache, key(3), 1.0)
    assert all(find(cache, key(3), 0)[0] for _ in range(1000))  # 0: never


def test_least_recently_used_of_four_goes_first():
    cache = new_cache(1)
    assert cache.lines.shape == (1, 8) and WAYS == 4
    for n in range(1, 5):
        insert(cache, key(n), float(n))
    find(cache, key(1), 0)  # now 2 is the oldest
    insert(cache, key(5), 5.0)
    assert [find(cache, key(n), 0)[0] for n in range(1, 6)] == [True, False, True, True, True]


def test_large_cache_holds_nearly_what_it_has_room_for():
    cache = new_cache(4096)
    rng = np.random.default_rng(0)
    keys = rng.integers(1, 2**64, size=2048, dtype=np.uint64)
    for n, k in enumerate(keys):
        insert(cache, k, float(n))
    found = [find(cache, k, 0) for k in keys]
    assert sum(f for f, _ in found) > 0.9 * len(keys)
    assert all(value == n for n, (f, value) in enumerate(found) if f)


def test_hash_depends_on_every_word_and_on_their_order():
    def hashed(*words):
        h = np.uint64(0x9AE16A3B2F90404F)
        for word in words:
            h = mix(np.uint64(h), np.uint64(word))
        return int(h)

    words = [hashed(*w) for w in ((0,), (1,), (0, 0), (0, 1), (1, 0), (2**63,), (2**63, 0))]
    assert len(set(words)) == len(words)
    many = {hashed(a, b) for a in range(100) for b in range(100)}
    assert len(many) == 10_000


# --- in the evaluator -----------------------------------------------------------------------------

LINE = parse(
    Setup="s2 = 0.05", Predict="s1 = dot(v1, v0)",
    Learn="s3 = s0 - s1; s3 = s2 * s3; v2 = s3 * v0; v1 = v1 + v2",
)  # fmt: skip


def children(number, ops, seed=0):
    """Programs around the linear one, many of them alike."""
    rng = np.random.default_rng(seed)
    return [grown_program(rng, LINE, MEMORY, int(rng.integers(4)), ops) for _ in range(number)]


def test_caches_change_no_fitness_when_fingerprints_cover_the_task():
    tasks = small_tasks(tasks=6, train=9, valid=5)
    programs = children(1500, None)
    with_cache = SearchEvaluator(tasks, cache_=(9, 5, 10_000, 0))
    plain = Evaluator(tasks, memory=MEMORY, seed_key=3, module=cpu.build("float64", 4))
    values = set()
    for program in programs:
        fitness, _ = with_cache(program)
        wanted = plain(program).fitness
        assert abs(fitness - wanted) < 1e-14, str(program)
        values.add(wanted)
    hits = with_cache.count(FEC_HITS), with_cache.count(SEEN_HITS)
    assert hits[0] > 20 and hits[1] > 200 and len(values) > 100
    assert with_cache.count(EVALUATED) == 1500


def test_short_fingerprints_serve_the_fitness_of_a_program_alike_so_far():
    tasks = small_tasks(tasks=6, train=30, valid=10)
    ops = GROUPS["deterministic"] + GROUPS["constant"]
    programs = children(1500, ops)
    cached = SearchEvaluator(tasks, cache_=(10, 10, 10_000, 0))
    plain = Evaluator(tasks, memory=MEMORY, module=cpu.build("float64", 4))
    wanted = np.array([plain(p).fitness for p in programs])
    got = np.array([cached(p)[0] for p in programs])
    other = np.abs(got - wanted) > 1e-14
    assert other.mean() < 0.01  # programs that fail within ten steps and no others
    # What is served is always some program's true fitness.
    assert all(np.abs(wanted - g).min() < 1e-14 for g in got[other])


def counting(limit):
    """Predicts 0 until it has trained `limit` steps, then 1."""
    return parse(
        Setup=f"s2 = 1; s4 = {limit}", Predict="s5 = s3 - s4; s1 = heaviside(s5, 1.0)",
        Learn="s3 = s3 + s2",
    )  # fmt: skip


def test_programs_alike_in_the_fingerprint_share_a_fitness_until_it_is_forgotten():
    tasks = small_tasks(tasks=2, train=10, valid=4)
    off = SearchEvaluator(tasks)
    early, late = off(counting(6))[0], off(counting(100))[0]
    assert early != late
    cached = SearchEvaluator(tasks, cache_=(4, 2, 100, 5))
    assert cached(counting(6)) == (early, 20)
    assert cached(counting(100)) == (early, 8)  # 4 steps on each task for the fingerprint
    assert cached.count(FEC_HITS) == 1
    assert cached(counting(6)) == (early, 8)  # seen before: not run, counted as a fingerprint
    assert cached.count(SEEN_HITS) == 1
    assert cached(counting(101)) == (early, 8)
    assert cached(counting(102)) == (early, 8)  # the fourth hit of five: now forgotten
    assert cached(counting(103)) == (late, 20)
    assert cached(counting(6)) == (late, 8)
    assert cached.count(STEPS_TAKEN) == 20 + 8 + 8 + 8 + 8 + 20 + 8


def test_without_fingerprints_a_program_seen_before_is_not_run_again():
    tasks = small_tasks(tasks=5)
    search = SearchEvaluator(tasks)
    first = search(LINE)
    assert first[1] == 5 * 8
    renamed = parse(
        Setup="NoOp(); s4 = 0.05; v4 = 1 / v1", Predict="s1 = dot(v0, v3); m1 = outer(v0, v0)",
        Learn="s5 = s0 - s1; s5 = s5 * s4; v4 = s5 * v0; v3 = v4 + v3",
    )  # fmt: skip
    assert search(renamed) == (first[0], 5)  # counted as one step a task
    assert search.count(SEEN_HITS) == 1
    for other in (
        parse(str(LINE).replace("s0 - s1", "s1 - s0")),
        parse(str(LINE).replace("0.05", "0.05000000000000001")),
        parse(str(LINE).replace("v1 + v2", "v2 - v1")),
        parse(str(LINE).replace("s2 = 0.05", "s2 = 0.05\n  v1[0] = 1e-9")),
        parse(str(LINE).replace("s2 = 0.05", "s2 = uniform(0, 0.1)")),
        parse(str(LINE).replace("s2 = 0.05", "s2 = uniform(0, 0.1, stream=1)")),
        parse(str(LINE).replace("s2 = 0.05", "NoOp()").replace("v1 + v2", "v1 + v2\n s2 = 0.05")),
    ):
        assert search(other)[1] == 5 * 8, str(other)
    assert search.count(SEEN_HITS) == 1


def test_shipped_programs_keep_their_fitness_with_every_cache():
    from zero.programs.program import Memory

    tasks = small_tasks(tasks=3, train=30, valid=10, metric="accuracy")
    memory = Memory(8, 14, 3)
    search = SearchEvaluator(tasks, memory=memory, cache_=(10, 10, 100, 100))
    plain = Evaluator(tasks, memory=memory, seed_key=3, module=cpu.build("float64", 4))
    for name in ("linear", "neural_network", "paper_best", "empty"):
        for _ in range(3):
            assert abs(search(shipped(name))[0] - plain(shipped(name)).fitness) < 1e-14

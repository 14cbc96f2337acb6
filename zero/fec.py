"""A cache of fitness by 64-bit key, compiled: set-associative, least recently used out first.

Used twice: for programs that behave alike (the functional equivalence cache; Real et al. 2020, section
3.2; spec, section 6.6: key = errors on the first few examples, value = fitness) and for programs seen
before (key = canonical form, value = the 64 bits of that fingerprint, or of the fitness where there
is no fingerprint). A key may sit in one of four places, so "least recently used" holds among four
neighbours rather than in the whole cache, as it does in the original.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zero.jit import jit

WAYS = 4


class Cache(NamedTuple):
    """Arrays of n entries, and a clock.

    keys (n,) uint64, 0 = empty; values (n,) float64 and bits (n,) uint64, the same memory; stamps
    (n,) int64: when last used; uses (n,) int32: how often served, counting the insertion; box (1,)
    float64 and box_bits (1,) uint64, the same memory: scratch; clock (1,) int64.
    """

    keys: np.ndarray
    values: np.ndarray
    bits: np.ndarray
    stamps: np.ndarray
    uses: np.ndarray
    box: np.ndarray
    box_bits: np.ndarray
    clock: np.ndarray


def new_cache(size: int) -> Cache:
    """Returns an empty cache with room for `size` entries, rounded up to a multiple of four."""
    n = max(1, -(-size // WAYS)) * WAYS
    values, box = np.zeros(n, dtype=np.float64), np.zeros(1)
    return Cache(
        keys=np.zeros(n, dtype=np.uint64),
        values=values,
        bits=values.view(np.uint64),
        stamps=np.zeros(n, dtype=np.int64),
        uses=np.zeros(n, dtype=np.int32),
        box=box,
        box_bits=box.view(np.uint64),
        clock=np.zeros(1, dtype=np.int64),
    )


@jit
def mix(h, x):
    """Returns the hash h extended by the 64-bit value x."""
    # x is scrambled first: flips in two values must not cancel each other.
    x = (x ^ (x >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    h = (h ^ x ^ (x >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
    return h ^ (h >> np.uint64(32))


@jit
def as_float(cache, bits):
    """Returns the float64 with these bits."""
    cache.box_bits[0] = bits
    return cache.box[0]


@jit
def _first_way(cache, key):
    sets = np.uint64(len(cache.keys) // WAYS)
    return np.int64(((key >> np.uint64(32)) * sets) >> np.uint64(32)) * WAYS


@jit
def _place_of(cache, key):
    """Returns the place of a key and stamps it as used, -1 if it is not there."""
    first = _first_way(cache, key)
    for way in range(first, first + WAYS):
        if cache.keys[way] == key:
            cache.clock[0] += 1
            cache.stamps[way] = cache.clock[0]
            return way
    return -1


@jit
def find(cache, key, forget_every):
    """Returns (found, value); an entry is erased by the use that makes `forget_every` (0: never)."""
    way = _place_of(cache, key)
    if way < 0:
        return False, 0.0
    cache.uses[way] += 1
    if cache.uses[way] == forget_every:
        cache.keys[way] = np.uint64(0)
        cache.stamps[way] = 0
    return True, cache.values[way]


@jit
def find_bits(cache, key):
    """Returns (found, the value's bits); nothing is forgotten."""
    way = _place_of(cache, key)
    return (False, np.uint64(0)) if way < 0 else (True, cache.bits[way])


@jit
def _room(cache, key):
    """Returns the place for a key: its own, or that of the least recently used neighbour."""
    first = _first_way(cache, key)
    place = first
    for way in range(first, first + WAYS):
        if cache.keys[way] == key:
            place = way
            break
        if cache.stamps[way] < cache.stamps[place]:
            place = way
    cache.clock[0] += 1
    cache.keys[place] = key
    cache.stamps[place] = cache.clock[0]
    cache.uses[place] = 1
    return place


@jit
def insert(cache, key, value):
    """Stores a value, in place of the least recently used of its four neighbours."""
    cache.values[_room(cache, key)] = value


@jit
def insert_bits(cache, key, bits):
    """Stores the bits of a value; see `insert`."""
    cache.bits[_room(cache, key)] = bits

"""A cache of fitness by 64-bit key, compiled: set-associative, least recently used out first.

Used twice: for programs that behave alike (the functional equivalence cache; Real et al. 2020, section
3.2; spec, section 6.6: key = errors on the first few examples, value = fitness) and for programs seen
before (key = canonical form, value = the 64 bits of that fingerprint, or of the fitness where there
is no fingerprint). A key may sit in one of four places, so "least recently used" holds among four
neighbours rather than in the whole cache, as it does in the original. The four keys and their values
share one cache line, in the order of their last use.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zero.jit.decorators import jit
from zero.jit.struct import aligned_zeros

WAYS = 4


class Cache(NamedTuple):
    """Arrays of sets of four entries.

    lines (n, 8) uint64: four keys (0 = empty), most recently used first, and their values' bits;
    floats: the same memory as float64. uses (n, 4) int32: how often an entry was served, counting
    the insertion.
    """

    lines: np.ndarray
    floats: np.ndarray
    uses: np.ndarray


def new_cache(size: int) -> Cache:
    """Returns an empty cache with room for `size` entries, rounded up to a multiple of four."""
    sets = max(1, -(-size // WAYS))
    lines = aligned_zeros((sets, 2 * WAYS), np.uint64)
    return Cache(lines, lines.view(np.float64), np.zeros((sets, WAYS), dtype=np.int32))


@jit
def mix(h, x):
    """Returns the hash h extended by the 64-bit value x."""
    # x is scrambled first: flips in two values must not cancel each other.
    x = (x ^ (x >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    h = (h ^ x ^ (x >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
    return h ^ (h >> np.uint64(32))


@jit
def _set_of(cache, key):
    sets = np.uint64(len(cache.lines))
    return np.int64(((key >> np.uint64(32)) * sets) >> np.uint64(32))


@jit
def _bring_forward(cache, row, way):
    """Moves an entry to the front of its set; those before it move back by one."""
    lines, uses = cache.lines, cache.uses
    key, bits, used = lines[row, way], lines[row, WAYS + way], uses[row, way]
    for k in range(way, 0, -1):
        lines[row, k] = lines[row, k - 1]
        lines[row, WAYS + k] = lines[row, WAYS + k - 1]
        uses[row, k] = uses[row, k - 1]
    lines[row, 0], lines[row, WAYS], uses[row, 0] = key, bits, used


@jit
def _front(cache, key):
    """Returns the set of a key, which is brought to its front; -1 if it is not there."""
    row = _set_of(cache, key)
    for way in range(WAYS):
        if cache.lines[row, way] == key:
            if way:
                _bring_forward(cache, row, way)
            return row
    return -1


@jit
def find(cache, key, forget_every):
    """Returns (found, value); an entry is erased by the use that makes `forget_every` (0: never)."""
    row = _front(cache, key)
    if row < 0:
        return False, 0.0
    if forget_every:
        cache.uses[row, 0] += 1
        if cache.uses[row, 0] == forget_every:
            cache.lines[row, 0] = np.uint64(0)
    return True, cache.floats[row, WAYS]


@jit
def find_bits(cache, key):
    """Returns (found, the value's bits); nothing is forgotten."""
    row = _front(cache, key)
    return (False, np.uint64(0)) if row < 0 else (True, cache.lines[row, WAYS])


@jit
def _room(cache, key):
    """Puts a key first in its set: in its own place, an empty one, or that of the oldest."""
    row = _set_of(cache, key)
    place = WAYS - 1
    for way in range(WAYS - 1, -1, -1):
        if cache.lines[row, way] == np.uint64(0):
            place = way
    for way in range(WAYS):
        if cache.lines[row, way] == key:
            place = way
    _bring_forward(cache, row, place)
    cache.lines[row, 0] = key
    cache.uses[row, 0] = 1
    return row


@jit
def insert(cache, key, value):
    """Stores a value, in place of the least recently used of its four neighbours."""
    cache.floats[_room(cache, key), WAYS] = value


@jit
def insert_bits(cache, key, bits):
    """Stores the bits of a value; see `insert`."""
    cache.lines[_room(cache, key), WAYS] = bits


@jit
def replace_bits(cache, key, old, new):
    """Replaces the bits of a value where the entry is still there and holds `old`; it does not age."""
    row = _set_of(cache, key)
    for way in range(WAYS):
        if cache.lines[row, way] == key and cache.lines[row, WAYS + way] == old:
            cache.lines[row, WAYS + way] = new

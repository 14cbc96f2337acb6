"""Random numbers from a counter: Philox-4x32-10 (Salmon et al., SC 2011, "Parallel random numbers").

A draw is a pure function of a 64-bit key and four 32-bit counter words, so it depends neither on what
was drawn before nor on which process draws. Two uses:

* Random ops (interpreters): key = the run's evaluation seed; counter = (element of the result,
  example, function and stream, task key). The *stream* is a small number stored in the instruction,
  unique among the random instructions of its function, so that removing other instructions or
  renaming addresses changes no draw. Functions count as `SETUP`, `PREDICT`, `LEARN` and, for Predict
  during validation, `VALIDATE`.
* Keys: of the search's own stream (`zero.rng.splitmix`) and of what else is drawn in order.

This file is the definition in NumPy; `zero.programs.interpreter.lanes` holds the same for SIMD lanes.
"""

from __future__ import annotations

import zlib

import numpy as np

SETUP, PREDICT, LEARN, VALIDATE = range(4)

M0, M1 = 0xD2511F53, 0xCD9E8D57
W0, W1 = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
_MASK = np.uint64(0xFFFFFFFF)

Word = int | np.ndarray  # a counter word, or an array of them
Words = tuple[Word, Word, Word, Word]


def philox(key: int, c0: Word, c1: Word, c2: Word, c3: Word) -> np.ndarray:
    """Returns the four output words, uint64 arrays below 2**32, stacked on a new first axis.

    Args:
        key: 64-bit key.
        c0, c1, c2, c3: 32-bit counter words, integers or arrays that broadcast together.
    """
    words = np.broadcast_arrays(*(np.asarray(c, dtype=np.uint64) & _MASK for c in (c0, c1, c2, c3)))
    x0, x1, x2, x3 = (w.copy() for w in words)
    k0, k1 = key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF
    for _ in range(ROUNDS):
        p0 = x0 * np.uint64(M0)
        p1 = x2 * np.uint64(M1)
        x0 = (p1 >> np.uint64(32)) ^ x1 ^ np.uint64(k0)
        x1 = p1 & _MASK
        x2 = (p0 >> np.uint64(32)) ^ x3 ^ np.uint64(k1)
        x3 = p0 & _MASK
        k0 = (k0 + W0) & 0xFFFFFFFF
        k1 = (k1 + W1) & 0xFFFFFFFF
    return np.stack([x0, x1, x2, x3])


def unit(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Returns float64 in the open interval (0, 1) from two 32-bit words: 52 bits, then a half."""
    bits = (high << np.uint64(20)) | (low >> np.uint64(12))
    return (bits.astype(np.float64) + 0.5) * 2.0**-52


def counters(shape: tuple[int, ...], example: int, function: int, stream: int, task: int) -> Words:
    """Returns the four counter words for all elements of a result of that shape (row-major)."""
    elements = np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.uint64).reshape(shape)
    return elements, example, (function << 16) | stream, task


def uniform(key: int, words: Words, low: float, high: float) -> np.ndarray:
    """Returns float64 from U(low, high); all equal `low` where low >= high (spec, section 2.4)."""
    x = philox(key, *words)
    if not low < high:
        return np.full(x[0].shape, low)
    return low + unit(x[0], x[1]) * (high - low)


def gaussian(key: int, words: Words, mean: float, stdev: float) -> np.ndarray:
    """Returns float64 from N(mean, stdev) by the Box-Muller transform."""
    x = philox(key, *words)
    radius = np.sqrt(-2.0 * np.log(unit(x[0], x[1])))
    return mean + stdev * (radius * np.cos(2.0 * np.pi * unit(x[2], x[3])))


def key_for(seed: int, *purpose: object) -> int:
    """Returns a 64-bit key for a purpose, such as ("search", experiment, island).

    Keys of different purposes are unrelated; the same arguments give the same key on any machine.
    """
    text = "/".join(str(p) for p in purpose)
    words = philox(seed & (2**64 - 1), zlib.crc32(text.encode()), len(text), seed >> 64, 0)
    return int(words[0]) | (int(words[1]) << 32)

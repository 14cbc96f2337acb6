"""The search's random numbers, compiled: a stream of Philox words whose state is an array.

The state is written to checkpoints as it is, so a resumed search draws what an unbroken one would.
"""

from __future__ import annotations

import math

import numpy as np

from zero.jit import jit
from zero.rng import M0, M1, W0, W1, key_for

_KEY, _COUNTER, _POSITION, _WORDS = 0, 1, 2, 3
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_M0, _M1, _W0, _W1 = np.uint64(M0), np.uint64(M1), np.uint64(W0), np.uint64(W1)


def new_state(seed: int, *purpose) -> np.ndarray:
    """Returns the state at the start of the stream for a purpose: uint64 (7,)."""
    state = np.zeros(7, dtype=np.uint64)
    state[_KEY] = key_for(seed, *purpose)
    state[_POSITION] = 4
    return state


@jit
def next_word(state):
    """Returns the next 32 random bits as uint64."""
    position = state[_POSITION]
    if position == np.uint64(4):
        k0, k1 = state[_KEY] & _LOW, state[_KEY] >> _32
        x0, x1 = state[_COUNTER] & _LOW, state[_COUNTER] >> _32
        x2, x3 = np.uint64(0), np.uint64(0)
        for _ in range(10):
            p0, p1 = x0 * _M0, x2 * _M1
            x0, x1 = (p1 >> _32) ^ x1 ^ k0, p1 & _LOW
            x2, x3 = (p0 >> _32) ^ x3 ^ k1, p0 & _LOW
            k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        state[_WORDS], state[_WORDS + 1] = x0, x1
        state[_WORDS + 2], state[_WORDS + 3] = x2, x3
        state[_COUNTER] += np.uint64(1)
        position = np.uint64(0)
    state[_POSITION] = position + np.uint64(1)
    return state[np.uint64(_WORDS) + position]


@jit
def below(state, n):
    """Returns an integer in [0, n), n below 2**31; the bias is at most n / 2**32."""
    return np.int64((next_word(state) * np.uint64(n)) >> _32)


@jit
def unit(state):
    """Returns float64 in the open interval (0, 1)."""
    bits = (next_word(state) << np.uint64(20)) | (next_word(state) >> np.uint64(12))
    return (np.float64(bits) + 0.5) * 2.0**-52


@jit
def normal(state):
    """Returns float64 from N(0, 1)."""
    radius = math.sqrt(-2.0 * math.log(unit(state)))
    return radius * math.cos(2.0 * math.pi * unit(state))

"""The search's random numbers, compiled: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, figure 16).

One stream for each purpose, started at a 64-bit key (`zero.rng.philox.key_for`). The state is an array that
is written to checkpoints as it is, so a resumed search draws what an unbroken one would. Philox, which
names the draws of random ops, would take seven times as long here, where nothing needs to be drawn out
of order.
"""

from __future__ import annotations

import math

import numpy as np

from zero.jit.decorators import jit
from zero.rng.philox import key_for

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def new_state(seed: int, *purpose: object) -> np.ndarray:
    """Returns the state at the start of the stream for a purpose: uint64 (1,)."""
    return np.array([key_for(seed, *purpose)], dtype=np.uint64)


@jit
def next_word(state: np.ndarray) -> np.uint64:
    """Returns the next 64 random bits as uint64."""
    state[0] += _STEP
    x = state[0]
    x = (x ^ (x >> np.uint64(30))) * _FIRST
    x = (x ^ (x >> np.uint64(27))) * _SECOND
    return x ^ (x >> np.uint64(31))


@jit
def below(state: np.ndarray, n: int) -> np.int64:
    """Returns an integer in [0, n), n below 2**31; the bias is at most n / 2**32."""
    return np.int64(((next_word(state) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@jit
def unit(state: np.ndarray) -> float:
    """Returns float64 in the open interval (0, 1)."""
    return (np.float64(next_word(state) >> np.uint64(12)) + 0.5) * 2.0**-52


@jit
def normal(state: np.ndarray) -> float:
    """Returns float64 from N(0, 1)."""
    radius = math.sqrt(-2.0 * math.log(unit(state)))
    return radius * math.cos(2.0 * math.pi * unit(state))

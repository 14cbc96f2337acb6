"""Executes a plan's steps with several threads: all steps of a forward or backward run in one call.

Threads take a step's chunks of images as they come; what is summed is summed per chunk, so the
outcome does not depend on who took which, nor on how many threads there are. The last thread to
finish a step makes batch normalisation's figures from the sums and lets the others go on; who waits
for long gives its core away, so that a busy machine costs little.

This file's text is the generated module that `zero.nn.cpu.model` caches under a hash (`zero.jit.cache`).
"""

import math

from zero.jit.decorators import entry, jit
from zero.nn.cpu.kernels import make_kernels
from zero.nn.cpu.simd import (
    fetch_add,
    give_way,
    load_shared,
    widest,
)
from zero.nn.cpu.steps import (
    FIRST_CHANNEL,
    KIND,
    N_BETA,
    N_CONSTANT,
    N_D_BETA,
    N_D_GAMMA,
    N_FACTOR_D,
    N_FACTOR_Y,
    N_GAMMA,
    N_MEAN,
    N_SCALE,
    N_SHIFT,
    N_VARIANCE,
    NORM,
    SUMS,
    VECTOR,
    Y_CHANNELS,
    Y_HEIGHT,
    Y_WIDTH,
)

_narrow = make_kernels(8)
_wide = make_kernels(widest())
forward_8, backward_8 = _narrow.forward, _narrow.backward
forward_16, backward_16 = _wide.forward, _wide.backward

SPINS = 2000  # looks at a shared number before the core is given away


@jit
def _taken(sums, chunks, place):
    """Returns a sum over all chunks and leaves zeros for the next step."""
    total = 0.0
    for chunk in range(chunks):
        total += sums[chunk, place]
        sums[chunk, place] = 0.0
    return total


@jit
def _finish_forward(s, images, chunks, norms, sums, epsilon):
    """Makes mean, variance, scale and shift of a batch normalisation from its sums."""
    first, count = s[FIRST_CHANNEL], images * s[Y_HEIGHT] * s[Y_WIDTH]
    channels = s[Y_CHANNELS]
    for c in range(channels):
        one = _taken(sums, chunks, 2 * first + c)
        two = _taken(sums, chunks, 2 * first + channels + c)
        at = first + c
        mean = one / count
        variance = two / count - mean * mean
        if variance < 0:  # by rounding; a NaN stays one
            variance = 0.0
        scale = norms[N_GAMMA, at] / math.sqrt(variance + epsilon[at])
        norms[N_MEAN, at] = mean
        norms[N_VARIANCE, at] = variance
        norms[N_SCALE, at] = scale
        norms[N_SHIFT, at] = norms[N_BETA, at] - mean * scale


@jit
def _finish_backward(s, images, chunks, norms, sums, epsilon):
    """Makes the coefficients of a batch normalisation's gradient, and that of gamma and beta."""
    first, count = s[FIRST_CHANNEL], images * s[Y_HEIGHT] * s[Y_WIDTH]
    channels = s[Y_CHANNELS]
    for c in range(channels):
        one = _taken(sums, chunks, 2 * first + c)
        two = _taken(sums, chunks, 2 * first + channels + c)
        at = first + c
        r = 1.0 / math.sqrt(norms[N_VARIANCE, at] + epsilon[at])
        scale = norms[N_GAMMA, at] * r
        b = -scale * r * r * two / count
        norms[N_D_GAMMA, at] = r * two
        norms[N_D_BETA, at] = one
        norms[N_FACTOR_D, at] = scale
        norms[N_FACTOR_Y, at] = b
        norms[N_CONSTANT, at] = -scale * one / count - b * norms[N_MEAN, at]


@entry
def run(steps, back, train, images, chunks, thread_memory, threads, sync, norms, sums, epsilon):
    """Executes all steps, forward or `back`, on the first `images` of a batch.

    sync: int64 (steps, 8), zeros: chunks taken, threads that are done, steps let go.
    """
    size = (images + chunks - 1) // chunks
    start = sync.ctypes.data
    for number in range(len(steps)):
        s = steps[number]
        place = start + 64 * number
        narrow = s[VECTOR] == 8
        while True:
            chunk = fetch_add(place, 1)
            if chunk >= chunks:
                break
            for image in range(chunk * size, min(images, (chunk + 1) * size)):
                if back:
                    if narrow:
                        backward_8(s, image, chunk, thread_memory)
                    else:
                        backward_16(s, image, chunk, thread_memory)
                elif narrow:
                    forward_8(s, image, chunk, thread_memory, train)
                else:
                    forward_16(s, image, chunk, thread_memory, train)
        if fetch_add(place + 8, 1) == threads - 1:
            if back:
                if s[KIND] == NORM:
                    _finish_backward(s, images, chunks, norms, sums, epsilon)
            elif train and s[SUMS] != 0:
                _finish_forward(s, images, chunks, norms, sums, epsilon)
            fetch_add(place + 16, 1)
        else:
            spins = 0
            while load_shared(place + 16) == 0:
                spins += 1
                if spins > SPINS:
                    give_way()

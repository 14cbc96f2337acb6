"""Random programs and mutations, compiled (spec, sections 6.2 and 6.3).

Programs live in `Genomes`, arrays with one row a program; a mutation changes a row in place. To add a
mutation, write a function `f(genomes, row, space, rng)` here and name it in `zero.programs.mutation_names`.

Departures from the original: the largest size is inclusive (its `max - 1`), and a random instruction
carries a stream (see `zero.rng.philox`), the smallest number free in its function.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from zero.jit.decorators import jit
from zero.jit.struct import address
from zero.programs.mutation_names import MUTATIONS
from zero.programs.ops import ALTER, OpTables
from zero.programs.proposals import LEARNS, Proposals, dependence, forget_key
from zero.rng.splitmix import below, normal, unit

FLIP_PROBABILITY = 0.1
_REDRAW, _SCALE_OR_FLIP = ALTER["redraw"], ALTER["scale_or_flip"]


class Genomes(NamedTuple):
    """Programs as arrays, one row each; a function's instructions start at `Space.starts`.

    code (C, L, 4) int16: op number, in1 (or stream), in2, out. constants (C, L, 3) float64.
    sizes (C, 3) int16: instructions in setup, predict, learn.
    """

    code: np.ndarray
    constants: np.ndarray
    sizes: np.ndarray


class Space(NamedTuple):
    """What programs a search may make.

    starts (4,) int64: first instruction of setup, predict, learn in a row of `Genomes`, and L.
    smallest, largest (3,) int64: sizes. addresses (4,) int64: number of addresses by type number
    (`zero.programs.ops.TYPES`). ops (n,) int16, ops_start (4,) int64: allowed ops of the three functions one
    after the other. mutable (k,) int64: functions with a non-empty op list. tables: the op table.
    weights (n,) float64: cumulated weights of the mutations in use, last entry 1; kinds (n,) int64:
    their numbers. mutate_probability (1,) float64. initial_random (1,) bool: whether the first
    programs are random (at their initial sizes) rather than copies. initial: genomes of one row, or of
    those that make the first population, in turn. proposals: what children and random programs must be.
    mates (P,) int32, mate_fitness (P,) float64: slots of the living, as in `Population`, or empty.
    """

    starts: np.ndarray
    smallest: np.ndarray
    largest: np.ndarray
    addresses: np.ndarray
    ops: np.ndarray
    ops_start: np.ndarray
    mutable: np.ndarray
    tables: OpTables
    weights: np.ndarray
    kinds: np.ndarray
    mutate_probability: np.ndarray
    initial_random: np.ndarray
    initial: Genomes
    proposals: Proposals
    mates: np.ndarray
    mate_fitness: np.ndarray


def new_genomes(rows: int, length: int) -> Genomes:
    """Returns room for that many programs of that total length, all empty."""
    return Genomes(
        np.zeros((rows, length, 4), dtype=np.int16),
        np.zeros((rows, length, 3), dtype=np.float64),
        np.zeros((rows, 3), dtype=np.int16),
    )


@jit
def copy_genome(source, source_row, target, row):
    """Copies a program from one row to another."""
    # Through addresses: an array assignment takes numba seconds to compile, and is slower.
    length = source.code.shape[1]
    a, b = address(source.code), address(target.code)
    for k in range(4 * length):
        b[4 * length * row + k] = a[4 * length * source_row + k]
    x, y = address(source.constants), address(target.constants)
    for k in range(3 * length):
        y[3 * length * row + k] = x[3 * length * source_row + k]
    for function in range(3):
        target.sizes[row, function] = source.sizes[source_row, function]


# --- random instructions ------------------------------------------------------------------------


@jit
def rounded(x, single):
    """Returns x, rounded to float32 where the constant is one."""
    return np.float64(np.float32(x)) if single else x


@jit
def drawn(low, high, single, rng):
    """Returns a number from U[low, high); rounding to float32 must not reach `high`."""
    value = rounded(low + unit(rng) * (high - low), single)
    return value if value < high else low


@jit
def random_input(kind, space, rng):
    """Returns a random address to read of that type."""
    return np.int16(below(rng, space.addresses[kind]))


@jit
def random_output(kind, space, rng):
    """Returns a random address to write: never s0 or v0 (spec, section 1)."""
    if kind == 3 or space.addresses[kind] == 1:  # a lone v0 is left to hand-written programs
        return np.int16(below(rng, space.addresses[kind]))
    return np.int16(1 + below(rng, space.addresses[kind] - 1))


@jit
def free_stream(genomes, row, space, function, position):
    """Returns the smallest stream that no other random instruction of the function has."""
    first = space.starts[function]
    size = genomes.sizes[row, function]
    for stream in range(size + 1):
        taken = False
        for k in range(size):
            if k != position and space.tables.random[genomes.code[row, first + k, 0]]:
                taken |= genomes.code[row, first + k, 1] == stream
        if not taken:
            return np.int16(stream)
    return np.int16(size)


@jit
def write_random_instruction(genomes, row, space, rng, function, position):
    """Writes a random instruction at a position of a function (which must be mutable)."""
    tables = space.tables
    first = space.ops_start[function]
    op = np.int64(space.ops[first + below(rng, space.ops_start[function + 1] - first)])
    at = row * genomes.code.shape[1] + space.starts[function] + position
    # Addresses: indexing them skips the handling of negative indices.
    code, constants = address(genomes.code), address(genomes.constants)
    in1, in2, out = address(tables.in1)[op], address(tables.in2)[op], address(tables.out)[op]
    code[4 * at] = op
    code[4 * at + 1] = random_input(in1, space, rng) if in1 else np.int16(0)
    code[4 * at + 2] = random_input(in2, space, rng) if in2 else np.int16(0)
    code[4 * at + 3] = random_output(out, space, rng) if out else np.int16(0)
    number = address(tables.constants)[op]
    for k in range(3):
        constants[3 * at + k] = 0.0
        if k < number:
            low, high = tables.low[op, k], tables.high[op, k]
            constants[3 * at + k] = drawn(low, high, tables.single[op, k], rng)
    if number and tables.random[op]:
        code[4 * at + 1] = free_stream(genomes, row, space, function, position)


@jit
def create(genomes, row, space, rng):
    """Writes a random program; functions without ops keep the initial program's instructions.

    Sizes are uniform between smallest and largest: this is what random search draws.
    """
    p = space.proposals
    forget_key(p, row)
    for _ in range(p.tries[0]):
        p.made[0] += 1
        copy_genome(space.initial, np.int64(0), genomes, row)
        for function in space.mutable:
            span = space.largest[function] - space.smallest[function] + 1
            genomes.sizes[row, function] = space.smallest[function] + below(rng, span)
        _randomize_all(genomes, row, space, rng)
        if not p.learns[0] or dependence(genomes, row, space) == LEARNS:
            break


@jit
def create_initial(genomes, row, space, rng):
    """Writes a program of the first population: a copy of an initial one, or a random one.

    Records of the first population are given out in order, so that each initial program has its turn.
    """
    p = space.proposals
    forget_key(p, row)
    copy_genome(space.initial, np.int64(row % len(space.initial.sizes)), genomes, row)
    for _ in range(p.tries[0]):
        p.made[0] += 1
        if not space.initial_random[0]:
            break
        _randomize_all(genomes, row, space, rng)
        if not p.learns[0] or dependence(genomes, row, space) == LEARNS:
            break


# --- mutations ----------------------------------------------------------------------------------


@jit
def random_function(space, rng):
    """Returns a random function among those that may change."""
    return space.mutable[below(rng, len(space.mutable))]


@jit
def _altered(value, kind, low, high, single, rng):
    if kind == _REDRAW:
        return drawn(low, high, single, rng)
    if kind == _SCALE_OR_FLIP and unit(rng) < FLIP_PROBABILITY:
        return -value
    # Times a log-normal factor; zero stays zero (spec, section 8, row 26).
    return value * math.exp(normal(rng))


@jit
def alter_parameter(genomes, row, space, rng):
    """Alters one operand, the output or one constant of one instruction; the op stays."""
    function = random_function(space, rng)
    size = np.int64(genomes.sizes[row, function])
    if size == 0:
        return
    at = space.starts[function] + below(rng, size)
    tables, code, constants = space.tables, genomes.code[row, at], genomes.constants[row, at]
    op = code[0]
    inputs = (tables.in1[op] > 0) + (tables.in2[op] > 0)
    choices = inputs + (tables.out[op] > 0) + (tables.constants[op] > 0)
    if choices == 0:
        return
    choice = below(rng, choices)
    if choice < inputs:
        kind = tables.in1[op] if choice == 0 else tables.in2[op]
        code[1 + choice] = random_input(kind, space, rng)
    elif choice == inputs:
        code[3] = random_output(tables.out[op], space, rng)
    else:
        _alter_constant(op, constants, tables, rng)


@jit
def randomize_instruction(genomes, row, space, rng):
    """Replaces one instruction by a random one."""
    function = random_function(space, rng)
    size = np.int64(genomes.sizes[row, function])
    if size:
        write_random_instruction(genomes, row, space, rng, function, below(rng, size))


@jit
def _randomize(genomes, row, space, rng, function):
    size = np.int64(genomes.sizes[row, function])
    # Streams are given out in order: those of the old instructions must not count.
    for position in range(size):
        genomes.code[row, space.starts[function] + position, 0] = 0
    for position in range(size):
        write_random_instruction(genomes, row, space, rng, function, position)


@jit
def _randomize_all(genomes, row, space, rng):
    for function in space.mutable:
        _randomize(genomes, row, space, rng, function)


@jit
def randomize_function(genomes, row, space, rng):
    """Replaces every instruction of one function by random ones; the size stays."""
    _randomize(genomes, row, space, rng, random_function(space, rng))


@jit
def randomize_algorithm(genomes, row, space, rng):
    """Replaces every instruction of every function that may change; the sizes stay."""
    _randomize_all(genomes, row, space, rng)


@jit
def identity(genomes, row, space, rng):
    """Changes nothing."""


@jit
def _copy_instruction(genomes, source_row, source, row, target):
    for j in range(4):
        genomes.code[row, target, j] = genomes.code[source_row, source, j]
    for j in range(3):
        genomes.constants[row, target, j] = genomes.constants[source_row, source, j]


@jit
def _insert(genomes, row, space, rng, function):
    size = np.int64(genomes.sizes[row, function])
    position = below(rng, size + 1)
    start = space.starts[function]
    for k in range(start + size, start + position, -1):
        _copy_instruction(genomes, row, k - 1, row, k)
    genomes.sizes[row, function] = size + 1
    write_random_instruction(genomes, row, space, rng, function, position)


@jit
def _remove(genomes, row, space, rng, function):
    size = np.int64(genomes.sizes[row, function])
    start = space.starts[function]
    for k in range(start + below(rng, size), start + size - 1):
        _copy_instruction(genomes, row, k + 1, row, k)
    genomes.sizes[row, function] = size - 1


@jit
def insert_instruction(genomes, row, space, rng):
    """Inserts a random instruction at a random place; nothing at the largest size."""
    function = random_function(space, rng)
    if genomes.sizes[row, function] < space.largest[function]:
        _insert(genomes, row, space, rng, function)


@jit
def remove_instruction(genomes, row, space, rng):
    """Removes a random instruction; nothing at the smallest size."""
    function = random_function(space, rng)
    if genomes.sizes[row, function] > space.smallest[function]:
        _remove(genomes, row, space, rng, function)


@jit
def trade_instruction(genomes, row, space, rng):
    """Inserts a random instruction, then removes one (perhaps the same); the size stays."""
    function = random_function(space, rng)
    _insert(genomes, row, space, rng, function)
    _remove(genomes, row, space, rng, function)


@jit
def alter_constant(genomes, row, space, rng):
    """Alters one constant of an instruction drawn among those of all functions that have some."""
    tables, code = space.tables, genomes.code[row]
    found = 0
    for function in space.mutable:
        first = space.starts[function]
        for k in range(first, first + genomes.sizes[row, function]):
            found += tables.constants[code[k, 0]] > 0
    if found == 0:
        return
    wanted = below(rng, found)
    for function in space.mutable:
        first = space.starts[function]
        for k in range(first, first + genomes.sizes[row, function]):
            if tables.constants[code[k, 0]] > 0:
                if wanted == 0:
                    _alter_constant(code[k, 0], genomes.constants[row, k], tables, rng)
                    return
                wanted -= 1


@jit
def _alter_constant(op, constants, tables, rng):
    k = below(rng, tables.constants[op])
    single = tables.single[op, k]
    value = _altered(
        constants[k], tables.alter[op, k], tables.low[op, k], tables.high[op, k], single, rng
    )
    constants[k] = rounded(value, single)
    if tables.ordered[op] and constants[0] > constants[1]:
        constants[0], constants[1] = constants[1], constants[0]


@jit
def cross_function(genomes, row, space, rng):
    """Takes one function of the fitter of two individuals drawn from the population."""
    mates, fitness = space.mates, space.mate_fitness
    if len(mates) == 0:
        return
    slot, other = below(rng, len(mates)), below(rng, len(mates))
    if fitness[other] > fitness[slot]:
        slot = other
    function = random_function(space, rng)
    mate = mates[slot]
    genomes.sizes[row, function] = genomes.sizes[mate, function]
    first = space.starts[function]
    for k in range(first, first + genomes.sizes[mate, function]):
        _copy_instruction(genomes, mate, k, row, k)


def mutation_functions() -> dict[str, object]:
    """Returns the compiled function of every mutation by name, in the order of their numbers."""
    return {name: globals()[name] for name in MUTATIONS}

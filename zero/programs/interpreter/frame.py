"""The compiled evaluator: decode a program, train it on W tasks at once, validate, give a fitness.

This file is part of a generated module, not imported by itself (`zero.programs.interpreter.module`): before
it stands for which dtype and how many lanes it is. It follows `zero.programs.interpreter.reference` step
by step; tasks sit in lanes, `block` counts groups of W tasks, and `alive` has a bit for each lane that
has not failed. Instructions are executed by the functions of `handlers.py` (`execute`).
"""
# ruff: noqa: F821

import math

import numpy as np

from zero.jit.decorators import jit
from zero.jit.struct import address
from zero.programs.fec import (
    find,
    find_bits,
    insert,
    insert_bits,
    mix,
)
from zero.programs.interpreter.arrays import (
    BUDGET_FAILS,
    EVALUATED,
    FEC_HITS,
    HURDLE_FAILS,
    SEEN_HITS,
    STEPS_TAKEN,
)
from zero.programs.interpreter.handlers import (
    CONSTANT_1,
    CONSTANT_2,
    EXAMPLE,
    EXTRA,
    FUNCTION,
    HANDLER,
    KEYS,
    OUT,
    ROW,
    A,
    B,
    C,
)
from zero.programs.interpreter.lanes import execute, make_lanes
from zero.programs.ops import OPS
from zero.programs.simplify import LAST_USE_1, LAST_USE_2, mark_live
from zero.rng.philox import (
    LEARN,
    PREDICT,
    SETUP,
    VALIDATE,
)

globals().update(vars(make_lanes(DTYPE, LANES)))  # W, load, store, add, ...

# Up to here the sigmoid rounds to one half, and the class is 0.
_CLASS_THRESHOLD = 1.5 * 2.0**-53 if DTYPE == "float64" else 1.5 * 2.0**-24
OUTER, MATRIX_SUM = OPS["VECTOR_OUTER_PRODUCT"].number, OPS["MATRIX_SUM"].number
SCALAR_VECTOR, VECTOR_SUM = OPS["SCALAR_VECTOR_PRODUCT"].number, OPS["VECTOR_SUM"].number
LINE = 8 if DTYPE == "float64" else 16  # elements in a cache line
BYTES = 8 if DTYPE == "float64" else 4
_FIRST_KEY = np.uint64(0x9AE16A3B2F90404F)


@jit
def count_bits(bits):
    """Returns how many of the lanes' bits are set."""
    n = 0
    while bits:
        bits &= bits - 1
        n += 1
    return n


@jit
def _place(kind, address, s):
    """Returns where an address of that type starts in memory."""
    if kind == 1:
        return address * W
    if kind == 2:
        return s.vectors_at + address * s.vector_size
    return s.matrices_at + address * s.matrix_size


@jit
def _name(names, named, fresh, kind, address_):
    """Returns the canonical name of an address: in the order in which they are first met."""
    at = 64 * np.int64(kind)
    if names[at + address_] < 0:
        names[at + address_] = fresh[kind]
        named[at + fresh[kind]] = address_
        fresh[kind] += 1
    return np.uint64(names[at + address_])


@jit
def _forget_names(names, named, fresh, classes):
    for k in range(256):
        names[k] = -1
    names[64], names[65], names[128] = 0, 1, 0  # s0, s1 and v0 keep their names
    named[64], named[65], named[128] = 0, 1, 0
    fresh[1], fresh[2], fresh[3] = 2, 1, 0
    if classes:  # and so do v1 and v2
        names[129], names[130], named[129], named[130] = 1, 2, 1, 2
        fresh[2] = 3


@jit
def decode(genomes, row, e, keep_dead):
    """Writes the live instructions to `e.code`; returns (key, whether v0 is written, has random).

    The key is that of predict and learn in canonical form: live instructions only, addresses renamed
    in the order of use, operands of commutative ops ordered. The last is about setup alone.
    keep_dead: writes all instructions, none fused.
    """
    s, tables = e.settings, e.tables
    forget_begun(e)
    length = genomes.code.shape[1]
    classes = s.classes > 0
    mark_live(genomes.code[row], e.starts, genomes.sizes[row], tables, e.needed, e.live, classes)
    # Addresses: indexing them skips the handling of negative indices; this runs for every individual.
    code, bits = address(genomes.code), address(genomes.constants.view(np.uint64))
    live, to, starts, sizes = (
        address(e.live),
        address(e.code),
        address(e.starts),
        address(genomes.sizes),
    )
    handlers, extra = address(e.handlers), len(e.handlers) - len(EXTRA)
    in1, in2, out = address(tables.in1), address(tables.in2), address(tables.out)
    constants, commutative = address(tables.constants), address(tables.commutative)
    names, named, fresh = address(e.names), address(e.named), address(e.fresh)
    places, used = address(e.places), address(e.used)
    # Always used: s0, s1 and v0; with classes v1 and v2, too.
    used[1], used[2], used[3] = 3, 7 if classes else 1, 0
    _forget_names(names, named, fresh, classes)
    key = _FIRST_KEY
    pc = 0
    writes_features = random_setup = False
    for function in range(3):
        e.bounds[function] = pc
        before = np.int64(0)  # the op of the instruction written last
        first = starts[function]
        for k in range(first, first + sizes[3 * row + function]):
            if not (keep_dead or live[k]):
                continue
            at = 4 * (row * length + k)
            op = np.int64(code[at])
            here = ROW * pc
            for operand in range(1, 4):
                kind = in1[op] if operand == 1 else in2[op] if operand == 2 else out[op]
                to[here + operand] = places[2 * kind] + code[at + operand] * places[2 * kind + 1]
                used[kind] |= np.uint64(1) << np.uint64(code[at + operand])
            writes_features |= out[op] == 2 and code[at + 3] == 0
            number = np.int64(constants[op])
            if number:
                _decode_constants(genomes.constants[row, k], op, code[at + 1], e, pc)
            if not keep_dead and _fused(to, here, before, op, live[k], handlers, extra):
                before = np.int64(0)
            else:
                to[here + HANDLER] = handlers[op]
                before = op
                pc += 1
            if function == 0:
                random_setup |= tables.random[op]
                continue
            word = np.uint64(op)  # op and names side by side: 16 bits each
            if in1[op]:
                x = _name(names, named, fresh, in1[op], code[at + 1])
                if in2[op]:
                    y = _name(names, named, fresh, in2[op], code[at + 2])
                    if commutative[op] and y < x:
                        x, y = y, x
                    word |= y << np.uint64(32)
                word |= x << np.uint64(16)
            elif number:
                word |= np.uint64(code[at + 1]) << np.uint64(16)  # the stream
                for c in range(number):
                    key = mix(key, bits[3 * (row * length + k) + c])
            if out[op]:
                name = _name(names, named, fresh, out[op], code[at + 3])
                word |= name << np.uint64(48)
            key = mix(key, word)
        to[ROW * pc + HANDLER] = handlers[extra]
        pc += 1
        key = mix(key, np.uint64(1000003 + function))
    e.slots[0, 0] = 0
    _list_slots(e, 1, used[1], W)
    _list_slots(e, 2, used[2], s.vector_size)
    _list_slots(e, 3, used[3], s.matrix_size)
    return key, writes_features, random_setup


@jit
def _list_slots(e, kind, used, size):
    """Lists the places of the addresses in a bit set: the rest of memory is never looked at."""
    slots = address(e.slots)
    n, number = slots[0], 0
    while used:
        if used & np.uint64(1):
            n += 1
            slots[2 * n] = _place(kind, number, e.settings)
            slots[2 * n + 1] = size
        used >>= np.uint64(1)
        number += 1
    slots[0] = n


@jit
def _fused(code, here, before, op, flags, handlers, extra):
    """Joins a sum with the product before it, which it uses up, into one pass over memory; exact.

    before: op of the instruction before, 0 for none. Returns whether it did.
    """
    if before == OUTER and op == MATRIX_SUM:
        fused = 1
    elif before == SCALAR_VECTOR and op == VECTOR_SUM:
        fused = 2
    else:
        return False
    there = here - ROW
    product, x, y, out = code[there + OUT], code[here + A], code[here + B], code[here + OUT]
    # The product must not be needed afterwards, unless the sum overwrites it anyway.
    if x == product and y != product and (flags & LAST_USE_1 or out == product):
        other = y
    elif y == product and x != product and (flags & LAST_USE_2 or out == product):
        other = x
    else:
        return False
    code[there + HANDLER] = handlers[extra + fused]
    code[there + OUT], code[there + C] = out, other
    return True


@jit
def add_memory(e, key, every_lane):
    """Returns the key extended by what setup left in memory for predict and learn to read.

    Two programs that agree in this and in predict and learn do the same on every example. Lanes
    differ only by random numbers: without any, the first speaks for all.
    """
    s = e.settings
    blocks, lanes = (s.blocks, min(s.units, W)) if every_lane else (1, 1)
    for kind in range(1, 4):
        length = 1 if kind == 1 else s.features if kind == 2 else s.features * s.features
        element = W if kind == 1 else s.element
        for name in range(e.fresh[kind]):
            address_ = e.named[kind, name]
            if not e.needed[kind] >> np.uint64(address_) & np.uint64(1):
                continue
            at = _place(kind, address_, s)
            key = mix(key, np.uint64(name))
            for block in range(blocks):
                first = block * s.memory_size + at
                for k in range(first, first + length * element, element):
                    for lane in range(lanes):
                        key = mix(key, np.uint64(e.mem_bits[k + lane]))
        key = mix(key, np.uint64(2000003))
    return key


@jit
def _decode_constants(constants, op, stream, e, pc):
    s, tables = e.settings, e.tables
    if tables.random[op]:
        e.code[pc, A] = stream
        e.code_floats[pc, CONSTANT_1] = constants[0]
        e.code_floats[pc, CONSTANT_2] = constants[1]
        return
    last = tables.constants[op] - 1
    place = 0
    for k in range(last - 1, -1, -1):  # matrices lie column by column
        # The index is a float32 fraction of F, truncated in float32.
        index = int(np.float32(s.features) * np.float32(constants[k]))
        place = place * s.features + min(max(index, 0), s.features - 1)
    e.code[pc, A] = place * s.element * BYTES
    e.code_floats[pc, CONSTANT_1] = constants[last]


@jit
def start(e, block):
    """Zeroes what the program uses of the block's memory and runs setup."""
    s = e.settings
    base = block * s.memory_size
    mem, slots, zero = address(e.mem), address(e.slots), splat(0.0)
    for n in range(1, slots[0] + 1):
        first = base + slots[2 * n]
        for k in range(first, first + slots[2 * n + 1], W):
            store(mem, k, zero)
    context = context_of(e, block, SETUP)
    execute(address(e.code), e.bounds[0], mem, base, context)
    ready(e, block)


@jit
def ready(e, block):
    """Takes all of a block's tasks as not failed."""
    s = e.settings
    e.alive[block] = (1 << min(W, s.units - block * W)) - 1
    for lane in range(block * W, block * W + W):
        e.task_fitness[lane] = 0.0
        e.stopped[lane] = s.steps


@jit
def context_of(e, block, function):
    """Returns the address of the context, which names the random draws."""
    context = address(e.context)
    context[KEYS] = e.settings.keys_address + 8 * W * block
    context[FUNCTION] = function
    context[EXAMPLE] = 0
    return context


@jit
def _show(mem, features_at, x, at, length, advance):
    """Writes an example's features, which start at `at`, to v0."""
    for k in range(features_at, features_at + length, W):
        store(mem, k, load(x, at))
        at += advance


@jit
def train(e, block, first, last, writes_features, errors):
    """Runs train steps first..last; returns how many steps tasks took, failed ones included.

    errors: (n * W,) where step i's absolute errors go, or empty.
    """
    s = e.settings
    accuracy = s.accuracy
    base, lanes_at, stride = block * s.memory_size, block * W, s.stride
    length, advance, wide = s.vector_size, s.advance, s.features * stride
    features_at = base + s.vectors_at
    label_at, output_at = places_of_classes(s, base)
    mem, code, context = address(e.mem), address(e.code), context_of(e, block, PREDICT)
    x, y, order = address(e.train_x), address(e.train_y), address(e.order)
    errors_to, recording = address(errors), len(errors) > 0
    predict, learn = e.bounds[1], e.bounds[2]
    limit, zero, one = splat(s.max_abs_error), splat(0.0), splat(1.0)
    alive = e.alive[block]
    count = count_bits(alive)
    taken = 0
    for number in range(first, last):
        if alive == 0:
            break
        taken += count
        example = order[number]
        _show(mem, features_at, x, example * wide + lanes_at, length, advance)
        if s.far and number + 1 < last:
            following = order[number + 1] * wide
            for k in range(following, following + wide, LINE):
                prefetch(x, k)
        if s.classes:
            show_class(mem, label_at, s, splat(-1.0))
        else:
            store(mem, base, zero)
        context[EXAMPLE], context[FUNCTION] = number, PREDICT
        execute(code, predict, mem, base, context)
        label = load(y, example * stride + lanes_at)
        if s.classes:
            error = softmax(mem, output_at, s, label)
        else:
            prediction = load(mem, base + W)
            if accuracy:
                prediction = div(one, add(one, exp(neg(prediction))))
                store(mem, base + W, prediction)
            error = absolute(sub(label, prediction))
        failed = bits_above(error, limit) & alive
        if failed:
            alive &= ~failed
            count = count_bits(alive)
            for lane in range(W):
                if failed >> lane & 1:
                    e.stopped[lanes_at + lane] = number
        if recording:
            store(errors_to, number * W, error)
        if writes_features:
            _show(mem, features_at, x, example * wide + lanes_at, length, advance)
        if s.classes:
            show_class(mem, label_at, s, label)
        else:
            store(mem, base, label)
        context[FUNCTION] = LEARN
        execute(code, learn, mem, base, context)
    e.alive[block] = alive
    return taken


@jit
def _copy_lanes(to, to_at, source, source_at, s, lanes):
    """Copies the memory of some lanes, given as bits."""
    for k in range(s.vectors_at):
        if lanes >> (k % W) & 1:
            to[to_at + k] = source[source_at + k]
    for k in range(s.vectors_at, s.temporary_at):
        size = s.vector_size if k < s.matrices_at else s.matrix_size
        within = (k - (s.vectors_at if k < s.matrices_at else s.matrices_at)) % size
        if lanes >> (within % s.element) & 1:
            to[to_at + k] = source[source_at + k]


@jit
def keep_memory(e, to, base):
    """Copies what the program uses of a block's memory; base: where the block's begins."""
    mem, slots = address(e.mem), address(e.slots)
    for n in range(1, slots[0] + 1):
        for k in range(slots[2 * n], slots[2 * n] + slots[2 * n + 1], W):
            store(to, k, load(mem, base + k))


@jit
def put_back(e, kept, base):
    """Puts back what `keep_memory` copied."""
    mem, slots = address(e.mem), address(e.slots)
    for n in range(1, slots[0] + 1):
        for k in range(slots[2 * n], slots[2 * n] + slots[2 * n + 1], W):
            store(mem, base + k, load(kept, k))


@jit
def validate(e, block, step, number, divisor, errors, errors_at):
    """Writes the fitness of each task on the first `number` validation examples to `e.fitness`.

    step: train steps done, names the random draws. divisor: the loss is divided by this.
    """
    s = e.settings
    accuracy = s.accuracy
    base, lanes_at, stride = block * s.memory_size, block * W, s.stride
    length, advance, wide = s.vector_size, s.advance, s.features * stride
    features_at = base + s.vectors_at
    label_at, output_at = places_of_classes(s, base)
    mem, code, context = address(e.mem), address(e.code), context_of(e, block, VALIDATE)
    x, y = address(e.valid_x), address(e.valid_y)
    errors_to, recording = address(errors), len(errors) > 0
    predict = e.bounds[1]
    limit, zero, one = splat(s.max_abs_error), splat(0.0), splat(1.0)
    half, threshold = splat(0.5), splat(_CLASS_THRESHOLD)
    frozen = address(e.frozen)
    loss = zero
    valid = e.alive[block]
    if s.independent:
        keep_memory(e, frozen, base)
    for row in range(number):
        if s.independent:
            put_back(e, frozen, base)
        _show(mem, features_at, x, row * wide + lanes_at, length, advance)
        if s.classes:
            show_class(mem, label_at, s, splat(-1.0))
        else:
            store(mem, base, zero)
        context[EXAMPLE] = step if s.independent else step + row
        execute(code, predict, mem, base, context)
        prediction = load(mem, base + W)
        label = load(y, row * stride + lanes_at)
        if s.classes:
            error = wrong_class(mem, output_at, s, label)
            loss = add(loss, error)
        elif accuracy:
            is_one = where(gt(label, half), one, zero)
            says_one = where(gt(prediction, threshold), one, zero)
            error = absolute(sub(is_one, says_one))
            loss = add(loss, error)
        else:
            error = absolute(sub(label, prediction))
            failed = bits_above(error, limit) & valid
            if failed:
                valid &= ~failed
                if s.epochs > 1 and not s.independent:
                    # Validation of these tasks ends here: their memory is what training goes on with.
                    _copy_lanes(frozen, 0, mem, base, s, failed)
            loss = add(loss, mul(error, error))
            if valid == 0 and not recording:
                break
        if recording:
            store(errors_to, errors_at + row * W, error)
    if s.epochs > 1 and not s.independent and valid != e.alive[block]:
        _copy_lanes(mem, base, frozen, 0, s, e.alive[block] & ~valid)
    store(address(e.losses), 0, loss)
    for lane in range(W):
        fitness = 0.0
        if valid >> lane & 1:
            mean = np.float64(e.losses[lane]) / divisor
            fitness = 1.0 - mean if accuracy else 1.0 - 2.0 / math.pi * math.atan(math.sqrt(mean))
        e.fitness[lanes_at + lane] = fitness


@jit
def keep_best(e, block):
    """Takes over the fitness of an epoch where it is better than that of those before."""
    for lane in range(block * W, block * W + W):
        e.task_fitness[lane] = max(e.task_fitness[lane], e.fitness[lane])


@jit
def sort(values):
    """Sorts in place, by insertion: short arrays, and little to compile."""
    for i in range(1, len(values)):
        x, k = values[i], i
        while k > 0 and values[k - 1] > x:
            values[k] = values[k - 1]
            k -= 1
        values[k] = x


@jit
def combine(values, s, scratch):
    """Returns the mean, upper median or minimum over tasks."""
    if s.combine == 0:
        total = 0.0
        for t in range(s.tasks):
            total += values[t]
        return total / s.tasks
    for t in range(s.tasks):
        scratch[t] = values[t]
    sort(scratch)
    return scratch[s.tasks // 2] if s.combine == 1 else scratch[0]


@jit
def _look_ahead(e, block, step, number, divisor, errors, errors_at):
    """Validates on the first examples and puts memory back as it was."""
    saved, base = address(e.saved), block * e.settings.memory_size
    keep_memory(e, saved, base)
    validate(e, block, step, number, divisor, errors, errors_at)
    put_back(e, saved, base)


@jit
def _fingerprint(e):
    """Returns the hash of the errors on the first examples of all tasks; they stop where it failed."""
    s = e.settings
    width = (s.fec_train + s.fec_valid) * W
    key = _FIRST_KEY
    for task in range(s.tasks):
        at = task // W * width + task % W
        stop = e.stopped[task]
        number = s.fec_train + s.fec_valid if stop >= s.fec_train else stop
        for i in range(number):
            key = mix(key, np.uint64(e.error_bits[at + i * W]))
        key = mix(key, np.uint64(number))
    return key


@jit
def _hurdle(e, fitness):
    """Returns whether a program passes, and takes its early fitness into the rolling window.

    The hurdle is a quantile of the unique early fitnesses of the last programs (paper, S3).
    """
    h = e.hurdle
    passes = fitness >= h.threshold[0]
    h.window[h.count[0] % len(h.window)] = fitness
    h.count[0] += 1
    if h.count[0] % len(h.window) == 0:
        n = len(h.window)
        for k in range(n):
            h.sorted[k] = h.window[k]
        sort(h.sorted)
        unique = 0  # the unique ones move to the front
        for k in range(n):
            if k == 0 or h.sorted[k] != h.sorted[unique - 1]:
                h.sorted[unique] = h.sorted[k]
                unique += 1
        h.threshold[0] = h.sorted[int(e.settings.hurdle_quantile * (unique - 1))]
    return passes


@jit
def _below_hurdle(early):
    """Returns the fitness of a program that failed the hurdle."""
    # Ordered among themselves, but below what passed: a few examples must not win.
    return early / 1000.0


@jit
def _first_examples(e, writes_features):
    """Runs the cache's first examples; returns (fingerprint, train steps taken)."""
    s = e.settings
    taken = 0
    width = (s.fec_train + s.fec_valid) * W
    for block in range(s.blocks):
        errors = e.errors[block * width : (block + 1) * width]
        taken += train(e, block, np.int64(0), s.fec_train, writes_features, errors)
        if e.alive[block]:
            at = s.fec_train * W
            _look_ahead(e, block, s.fec_train, s.fec_valid, s.fec_valid, errors, at)
    return _fingerprint(e), taken


@jit
def measure(e, writes_features, canonical):
    """Returns (fitness, train steps taken) of the decoded program."""
    s = e.settings
    taken = done = np.int64(0)
    key = np.uint64(0)
    if s.fec_train:
        key, taken = _first_examples(e, writes_features)
        insert_bits(e.seen, canonical, key)
        found, fitness = find(e.fec, key, s.forget_every)
        if found:
            e.counters[FEC_HITS] += 1
            return fitness, taken
        done = s.fec_train
    fitness, more = _rest(e, done, writes_features)
    if s.fec_train:
        insert(e.fec, key, fitness)
    else:
        insert(e.seen, canonical, fitness)
    return fitness, taken + more


@jit
def _rest(e, done, writes_features):
    """Trains and validates from step `done` on."""
    s = e.settings
    taken = 0
    none, nowhere = e.errors[:0], np.int64(0)
    if s.hurdle_train:
        for block in range(s.blocks):
            taken += train(e, block, done, s.hurdle_train, writes_features, none)
            _look_ahead(e, block, s.hurdle_train, s.hurdle_valid, s.hurdle_valid, none, nowhere)
        early = combine(e.fitness, s, e.sorted)
        done = s.hurdle_train
        if not _hurdle(e, early):
            e.counters[HURDLE_FAILS] += 1
            return _below_hurdle(early), taken
    for block in range(s.blocks):
        for epoch in range(s.epochs):
            first = max(done, epoch * s.train)
            taken += train(e, block, first, (epoch + 1) * s.train, writes_features, none)
            if e.alive[block] == 0:
                break
            last = epoch == s.epochs - 1
            if s.independent and not last:
                continue
            errors = e.row_errors if last else none
            at = min(block * s.valid * W, len(errors))
            validate(e, block, (epoch + 1) * s.train, s.valid, s.valid, errors, at)
            keep_best(e, block)
    return combine(e.task_fitness, s, e.sorted), taken


@jit
def over_budget(genomes, row, e):
    """Returns whether the static cost of the whole program is above the train budget (spec, 6.5)."""
    s = e.settings
    total = 0.0
    for function in range(3):
        cost = 0.0
        for k in range(e.starts[function], e.starts[function] + genomes.sizes[row, function]):
            cost += e.tables.cost[genomes.code[row, k, 0]]
        total += cost if function == 0 else cost * s.steps
    return total > s.budget


@jit
def _remembered(e, canonical):
    """Returns (found, fitness) of a program that was seen before."""
    if not e.settings.fec_train:
        return find(e.seen, canonical, 0)
    # Its fingerprint is known, and may still be in the other cache.
    found, bits = find_bits(e.seen, canonical)
    return find(e.fec, bits, e.settings.forget_every) if found else (False, 0.0)


@jit
def _steps_of_remembered(s):
    """Returns the train steps that such a program counts."""
    # Like a look at the first examples, so that a budget of train steps always ends.
    return s.tasks * max(1, s.fec_train)


@jit
def begin(genomes, row, e):
    """Decodes a program and runs its setup; returns (canonical key, whether v0 is written).

    What `canonical_key` has begun last is begun already.
    """
    if e.begun[0] == row:
        key, writes_features = np.uint64(e.begun[1]), e.begun[2] != 0
        forget_begun(e)
        return key, writes_features
    key, writes_features, random_setup = decode(genomes, row, e, False)
    for block in range(e.settings.blocks):
        start(e, block)
    return add_memory(e, key, random_setup), writes_features


@jit
def canonical_key(genomes, row, e):
    """Returns the key that programs have in common which do the same on every example, as far as is seen."""
    forget_begun(e)
    key, writes_features = begin(genomes, row, e)
    e.begun[0], e.begun[1], e.begun[2] = row, np.int64(key), writes_features
    return key


@jit
def forget_begun(e):
    """Tells that a row may hold another program than `canonical_key` has seen in it."""
    e.begun[0] = -1


@jit
def evaluate(genomes, row, e):
    """Returns (fitness, train steps taken) of one program."""
    e.counters[EVALUATED] += 1
    if e.settings.budget > 0.0 and over_budget(genomes, row, e):
        e.counters[BUDGET_FAILS] += 1
        return 0.0, 0
    canonical, writes_features = begin(genomes, row, e)
    found, fitness = _remembered(e, canonical)
    if found:
        e.counters[SEEN_HITS] += 1
        taken = _steps_of_remembered(e.settings)
        e.counters[STEPS_TAKEN] += taken
        return fitness, taken
    fitness, taken = measure(e, writes_features, canonical)
    e.counters[STEPS_TAKEN] += taken
    return fitness, taken

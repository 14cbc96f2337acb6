"""Mutations: every allowed outcome comes, at its rate, and no other ever does (spec, 6.3)."""

from functools import lru_cache

import numba
import numpy as np
import pytest
from helpers import MEMORY, parse, small_tasks, space_for
from scipy import stats

from zero.programs import mutations, zeros
from zero.programs.interpreter import cpu
from zero.programs.mutation_names import MUTATION_NAMES, MUTATIONS
from zero.programs.mutations import mutation_functions, new_genomes
from zero.programs.ops import (
    ALTER,
    GROUPS,
    OPS,
    get_op,
)
from zero.programs.program import (
    Memory,
    Program,
    from_arrays,
    validate_program,
)
from zero.programs.proposals import new_proposals
from zero.rng.splitmix import new_state, next_word

ALL = list(OPS)
MODULE = ("float64", 4)


@lru_cache
def drivers():
    """Compiled loops over `breed` and the two ways to make a new program."""
    module = cpu.build(*MODULE)
    breed, create, create_initial = module.breed, mutations.create, mutations.create_initial

    @numba.njit(error_model="numpy")
    def drive(genomes, space, evaluator, rng, kinds, chained):
        for row in range(1, len(kinds)):
            kinds[row] = breed(genomes, row - 1 if chained else 0, row, space, evaluator, rng)

    @numba.njit(error_model="numpy")
    def make(genomes, space, rng, first):
        for row in range(len(genomes.sizes)):
            if first:
                create_initial(genomes, row, space, rng)
            else:
                create(genomes, row, space, rng)

    return drive, make


class Bred:
    """`number` children of a program (or each the child of the one before)."""

    def __init__(self, space_and_starts, parent, number, seed=0, chained=False):
        space, self.starts = space_and_starts
        self.genomes = new_genomes(number + 1, int(self.starts[3]))
        cpu.write_program(self.genomes, 0, self.starts, parent)
        self.kinds = np.zeros(number + 1, np.int64)
        handle = cpu.build(*MODULE).pack(space)
        module, rng = cpu.build(*MODULE), new_state(seed, "test")
        evaluator = cpu.new_evaluator(small_tasks(4), MEMORY, self.starts, module=module, key=0)
        drivers()[0](self.genomes, handle, module.pack(evaluator), rng, self.kinds, chained)
        self.code, self.constants = self.genomes.code[1:], self.genomes.constants[1:]
        self.sizes, self.kinds = self.genomes.sizes[1:], self.kinds[1:]

    def program(self, row):
        return from_arrays(*cpu.read_arrays(self.genomes, row, self.starts))

    def changed(self):
        """For each child, whether it differs from the parent in row 0."""
        different = (self.code != self.genomes.code[0]).any(axis=(1, 2))
        different |= (self.constants != self.genomes.constants[0]).any(axis=(1, 2))
        return different | (self.sizes != self.genomes.sizes[0]).any(axis=1)


def near(count, number, probability):
    """Whether a count of successes is what chance allows (five standard deviations)."""
    return abs(count - number * probability) <= 5 * (number * probability) ** 0.5 + 1e-9


# --- the contract of every mutation ---------------------------------------------------------------

LISTS = [
    ["SCALAR_CONST_SET", "VECTOR_UNIFORM_SET", "MATRIX_CONST_SET", "SCALAR_GAUSSIAN_SET"],
    GROUPS["deterministic"],
    [],
]
START = parse(
    Setup="s2 = 0.5; v1 = uniform(0.5, -0.5, n_features)", Predict="s1 = dot(v1, v0); NoOp()",
    Learn="s3 = s0 - s1; s4 = gaussian(0, 1)",
)  # fmt: skip


def test_table_names_every_mutation():
    assert list(mutation_functions()) == list(MUTATION_NAMES) == list(MUTATIONS)


@pytest.mark.parametrize("name", MUTATION_NAMES)
def test_thousands_of_mutations_leave_only_allowed_programs(name):
    # Inserting and removing too, so that sizes move; each child is the parent of the next.
    weights = {name: 2.0, "insert_instruction": 1.0, "remove_instruction": 1.0}
    sizes = [(1, 6), (0, 4), (0, 9)]
    space = space_for(LISTS, sizes, weights, initial=START)
    bred = Bred(space, START, 20_000, chained=True)
    assert (bred.kinds == MUTATION_NAMES.index(name)).sum() > 4000
    allowed = [{get_op(n).number for n in names} for names in LISTS]
    for function, (smallest, largest) in enumerate(sizes[:2]):
        found = bred.sizes[:, function]
        assert found.min() == smallest and found.max() == largest
        start = bred.starts[function]
        inside = np.arange(largest) < found[:, None]
        ops = bred.code[:, start : start + largest, 0][inside]
        extra = {get_op(i.op).number for i in START.functions[function]}
        assert set(ops.tolist()) <= allowed[function] | extra
        assert set(ops[len(ops) // 2 :].tolist()) >= allowed[function]
    # A function without ops is never touched.
    assert (bred.sizes[:, 2] == 2).all()
    at = bred.starts[2]
    assert (bred.code[:, at : at + 2] == bred.genomes.code[0, at : at + 2]).all()
    for row in range(1, 20_001, 101):
        program = bred.program(row)
        validate_program(program, MEMORY)  # addresses, index fractions, streams
        assert all(
            i.out > 0 or get_op(i.op).output in ("", "m") for f in program.functions for i in f
        )


def test_children_without_mutation_are_copies():
    space = space_for(LISTS, [(0, 6)] * 3, {"randomize_function": 1.0}, initial=START,
                      probability=0.75)  # fmt: skip
    bred = Bred(space, START, 20_000)
    assert near((bred.kinds == -1).sum(), 20_000, 0.25)
    assert not bred.changed()[bred.kinds == -1].any()
    assert bred.changed()[bred.kinds >= 0].all()
    bred = Bred(space_for(LISTS, [(0, 6)] * 3, {"identity": 1.0}, initial=START), START, 100)
    assert (bred.kinds == MUTATION_NAMES.index("identity")).all() and not bred.changed().any()


def test_mutations_come_by_weight():
    weights = {"identity": 3.0, "alter_parameter": 1.0, "trade_instruction": 0.5,
               "randomize_algorithm": 0.0}  # fmt: skip
    bred = Bred(space_for(LISTS, [(0, 6)] * 3, weights, initial=START), START, 30_000)
    count = dict(
        zip(MUTATION_NAMES, np.bincount(bred.kinds, minlength=len(MUTATIONS)), strict=True)
    )
    assert near(count["identity"], 30_000, 3 / 4.5)
    assert near(count["alter_parameter"], 30_000, 1 / 4.5)
    assert near(count["trade_instruction"], 30_000, 0.5 / 4.5)
    assert count["randomize_algorithm"] == 0 and sum(count.values()) == 30_000


def test_functions_with_ops_share_equally():
    lists = [["SCALAR_SUM"], [], ["SCALAR_PRODUCT"]]
    parent = parse(Setup="s1 = s2 + s3", Predict="s1 = s2 - s3", Learn="s1 = s2 * s3")
    bred = Bred(space_for(lists, [(0, 3)] * 3, {"insert_instruction": 1.0}, initial=parent),
                parent, 10_000)  # fmt: skip
    assert near((bred.sizes[:, 0] == 2).sum(), 10_000, 0.5)
    assert (bred.sizes[:, 1] == 1).all()
    assert (bred.sizes[:, 0] + bred.sizes[:, 2] == 3).all()


# --- altering a parameter -------------------------------------------------------------------------


def altered(text, number=40_000, memory=MEMORY):
    """Returns the children's only instruction: code (n, 4), constants (n, 3), and the parent's."""
    parent = parse(Setup=text)
    op = parent.setup[0].op
    space = space_for([[op], [], []], [(1, 2), (0, 1), (0, 1)], {"alter_parameter": 1.0},
                      memory, initial=parent)  # fmt: skip
    bred = Bred(space, parent, number)
    assert (bred.sizes == [1, 0, 0]).all() and (bred.code[:, 0, 0] == get_op(op).number).all()
    return bred.code[:, 0], bred.constants[:, 0], bred.genomes.constants[0, 0]


@pytest.mark.parametrize(
    "text, rates",  # of in1, in2, out being drawn, and how many values each can take
    [
        ("s4 = s2 + s3", [(1 / 3, 6), (1 / 3, 6), (1 / 3, 5)]),
        ("v4 = s2 * v3", [(1 / 3, 6), (1 / 3, 5), (1 / 3, 4)]),
        ("m0 = matmul(m1, m2)", [(1 / 3, 3), (1 / 3, 3), (1 / 3, 3)]),
        ("s4 = norm(v2)", [(1 / 2, 5), (0, 1), (1 / 2, 5)]),
        ("s4 = 0.5", [(0, 1), (0, 1), (1 / 2, 5)]),
        ("m2[0.5, 0.5] = 1", [(0, 1), (0, 1), (1 / 2, 3)]),
        ("v3 = gaussian(0, 1, n_features)", [(0, 1), (0, 1), (1 / 2, 4)]),
    ],
)
def test_addresses_are_drawn_at_their_rate_and_uniformly(text, rates):
    code, _, _ = altered(text)
    parent = parse(Setup=text).setup[0]
    old = [parent.in1, parent.in2, parent.out]
    for column, (rate, values), before in zip((1, 2, 3), rates, old, strict=True):
        # A drawn address may be the old one.
        moved = code[:, column] != before
        assert near(moved.sum(), len(code), rate * (values - 1) / values), column
        if rate:
            lowest = 1 if column == 3 and get_op(parent.op).output != "m" else 0
            counts = np.bincount(code[moved, column], minlength=lowest + values)
            assert len(counts) == lowest + values and (counts[:lowest] == 0).all()
            free = np.delete(counts, [*range(lowest), before])
            assert stats.chisquare(free).pvalue > 1e-5 and (free > 0).all()
    # One thing at a time.
    assert ((code[:, 1:] != old).sum(axis=1) <= 1).all()


def test_no_op_has_nothing_to_alter():
    code, constants, _ = altered("NoOp()", 200)
    assert (code == 0).all() and (constants == 0).all()


@pytest.mark.parametrize(
    "text, k, rate, how",
    [
        ("s4 = 0.7", 0, 1 / 2, "scale_or_flip"),
        ("v3[0.5] = 0.7", 0, 1 / 4, "redraw"),
        ("v3[0.5] = -0.7", 1, 1 / 4, "scale_or_flip"),
        ("m2[0.5, 0.25] = 1", 0, 1 / 6, "redraw"),
        ("m2[0.5, 0.25] = 1", 1, 1 / 6, "redraw"),
        ("m2[0.5, 0.25] = 1", 2, 1 / 6, "scale_or_flip"),
        ("s4 = gaussian(0.5, 0.25)", 0, 1 / 4, "scale_or_flip"),
        ("v4 = gaussian(0.5, 0.25, n_features)", 1, 1 / 4, "scale"),
        ("m1 = gaussian(0.5, 0.25, (n_features, n_features))", 1, 1 / 4, "scale"),
    ],
)
def test_constants_are_altered_at_their_rate_and_in_their_way(text, k, rate, how):
    _, constants, before = altered(text)
    moved = constants[:, k] != before[k]
    assert near(moved.sum(), len(constants), rate)
    assert ((constants != before).sum(axis=1) <= 1).all()
    new = constants[moved, k]
    if how == "redraw":
        assert new.min() >= 0 and new.max() < 1
        assert stats.kstest(new, "uniform").pvalue > 1e-5
    else:
        ratio = new / before[k]
        flips = ratio == -1
        assert near(flips.sum(), len(new), 0.1 if how == "scale_or_flip" else 0)
        assert (ratio[~flips] > 0).all()  # scaled or negated, not both
        assert stats.kstest(np.log(ratio[~flips]), "norm").pvalue > 1e-5
    single = get_op(parse(Setup=text).setup[0].op).constants[k].single
    assert (np.float32(new) == new).all() == single


def test_zero_stays_zero():
    _, constants, _ = altered("s4 = 0")
    assert (constants == 0).all()
    assert np.signbit(constants[:, 0]).any()  # flipped


@pytest.mark.parametrize("low, high", [(0.25, 0.5), (0.5, -0.25), (-0.5, -0.25)])
def test_bounds_are_sorted_by_any_alteration_of_them(low, high):
    code, constants, _ = altered(f"v3 = uniform({low}, {high}, n_features)")
    data = ~(code[:, 3] != 3) & ((constants[:, 0] != low) | (constants[:, 1] != high))
    assert (constants[data, 0] <= constants[data, 1]).all()
    untouched = ~data
    assert (constants[untouched][:, :2] == (low, high)).all()  # unsorted ones may live long
    assert near(data.sum(), len(code), 1 / 2)
    # One of the two is altered, each as often: the other is still there.
    has_low, has_high = ((constants[data] == x).any(axis=1) for x in (low, high))
    assert near((has_low & ~has_high).sum(), data.sum(), 1 / 2)
    assert (has_low | has_high).all()


def test_every_way_to_alter_is_tested_above():
    assert set(ALTER) == {"redraw", "scale", "scale_or_flip"}
    kinds = {c.alter for op in OPS.values() for c in op.constants}
    assert kinds == set(ALTER)


# --- the others -----------------------------------------------------------------------------------

TWO = parse(Setup="s1 = s2 + s3; s4 = s2 * s3; v1 = v2 + v3")


def bred_from(name, ops, sizes=(0, 5), number=20_000, parent=TWO):
    return Bred(space_for([ops, [], []], [sizes, (0, 1), (0, 1)], {name: 1.0}, initial=parent),
                parent, number)  # fmt: skip


def test_randomize_instruction_replaces_one():
    bred = bred_from("randomize_instruction", ["MATRIX_ABS", "MATRIX_ABS", "VECTOR_ABS"])
    old = bred.genomes.code[0, :3, 0]
    places = bred.code[:, :3, 0] != old
    assert (places.sum(axis=1) == 1).all() and (bred.sizes[:, 0] == 3).all()
    assert all(near(n, 20_000, 1 / 3) for n in places.sum(axis=0))
    new = bred.code[:, :3, 0][places]
    assert near((new == get_op("MATRIX_ABS").number).sum(), 20_000, 2 / 3)  # twice the weight


def test_randomize_function_replaces_all_and_every_op_comes():
    bred = bred_from("randomize_function", ALL)
    ops = bred.code[:, :3, 0].ravel()
    assert stats.chisquare(np.bincount(ops, minlength=65)).pvalue > 1e-5
    for op in OPS.values():
        rows = bred.code[:, :3].reshape(-1, 4)[ops == op.number]
        values = bred.constants[:, :3].reshape(-1, 3)[ops == op.number]
        for column, kind in zip((1, 2), op.inputs, strict=False):
            assert set(rows[:, column]) == set(range(MEMORY.of(kind))), op.name
        if op.output:
            lowest = 0 if op.output == "m" else 1
            assert set(rows[:, 3]) == set(range(lowest, MEMORY.of(op.output))), op.name
        for k, constant in enumerate(op.constants):
            x = values[:, k]
            assert constant.low <= x.min() and x.max() < constant.high
            width = constant.high - constant.low
            assert stats.kstest(x, stats.uniform(constant.low, width).cdf).pvalue > 1e-6
        assert (values[:, len(op.constants) :] == 0).all()
        if op.kind == "uniform":
            assert near((values[:, 0] > values[:, 1]).sum(), len(values), 0.5)  # unsorted


def test_insert_at_every_place_until_the_largest_size():
    bred = bred_from("insert_instruction", ["MATRIX_ABS"])
    assert (bred.sizes[:, 0] == 4).all()
    new = bred.code[:, :4, 0] == get_op("MATRIX_ABS").number
    assert (new.sum(axis=1) == 1).all()
    assert all(near(n, 20_000, 1 / 4) for n in new.sum(axis=0))
    rest = bred.code[:, :4][~new].reshape(-1, 3, 4)
    assert (rest == bred.genomes.code[0, :3]).all()
    assert not bred_from("insert_instruction", ["MATRIX_ABS"], (0, 3), 100).changed().any()


def test_remove_from_every_place_down_to_the_smallest_size():
    bred = bred_from("remove_instruction", ALL)
    assert (bred.sizes[:, 0] == 2).all()
    old = bred.genomes.code[0, :3]
    matches = [(bred.code[:, :2] == np.delete(old, k, 0)).all(axis=(1, 2)) for k in range(3)]
    assert np.sum(matches) == 20_000
    assert all(near(m.sum(), 20_000, 1 / 3) for m in matches)
    assert not bred_from("remove_instruction", ALL, (3, 5), 100).changed().any()


def test_trade_keeps_the_size_even_at_both_limits():
    bred = bred_from("trade_instruction", ["MATRIX_ABS"], (3, 3))
    assert (bred.sizes[:, 0] == 3).all()
    new = (bred.code[:, :3, 0] == get_op("MATRIX_ABS").number).sum(axis=1)
    assert near((new == 0).sum(), 20_000, 1 / 4)  # the new one itself was removed
    assert ((new == 0) | (new == 1)).all()
    empty = bred_from("trade_instruction", ["MATRIX_ABS"], (0, 0), 100, parent=Program())
    assert not empty.sizes.any()


@pytest.mark.parametrize("name", ["alter_parameter", "randomize_instruction", "randomize_function"])
def test_empty_function_stays_empty(name):
    bred = bred_from(name, ALL, (0, 5), 100, parent=Program())
    assert not bred.changed().any()


def test_randomize_algorithm_replaces_every_function_that_may_change():
    lists = [["MATRIX_ABS"], [], ["VECTOR_ABS"]]
    parent = parse(Setup="s1 = s2 + s3; s1 = 1", Predict="s1 = 2", Learn="s1 = s2 - s3")
    space = space_for(lists, [(0, 3)] * 3, {"randomize_algorithm": 1.0}, initial=parent)
    bred = Bred(space, parent, 200)
    assert (bred.sizes == [2, 1, 1]).all()
    ops = [[i.op for f in bred.program(row).functions for i in f] for row in range(1, 201)]
    assert all(o == ["MATRIX_ABS"] * 2 + ["SCALAR_CONST_SET"] + ["VECTOR_ABS"] for o in ops)


def test_altering_a_constant_alters_one_that_is_there_and_nothing_else():
    parent = parse(
        Setup="s2 = 0.5; s3 = s2 + s2; s3 = 2", Learn="v1 = uniform(0.5, 0.75, n_features)"
    )
    lists = [["SCALAR_SUM"], [], ["VECTOR_UNIFORM_SET"]]
    space = space_for(lists, [(0, 3)] * 3, {"alter_constant": 1.0}, initial=parent)
    bred = Bred(space, parent, 9000)
    assert (bred.code == bred.genomes.code[0]).all()
    moved = (bred.constants != bred.genomes.constants[0]).sum(axis=(0, 2))
    starts = bred.starts
    # Scaling may leave a number as it is, rounded; both ends of an interval may change places.
    assert (moved[[starts[0], starts[0] + 2, starts[2]]] > 2500).all()
    assert moved.sum() == moved[[starts[0], starts[0] + 2, starts[2]]].sum()
    assert (bred.constants[:, starts[2], 0] <= bred.constants[:, starts[2], 1]).all()
    none = bred_from(
        "alter_constant", ["SCALAR_SUM"], (0, 3), 100, parent=parse(Setup="s2 = s2 + s3")
    )
    assert not none.changed().any()


def test_crossing_takes_one_function_of_the_fitter_of_two():
    parent, mate, worse = (parse(Setup=f"s2 = {x}", Predict="s1 = s2 + s2", Learn=text)
                           for x, text in ((1, "s3 = 1"), (2, "s3 = 2; s3 = 3"), (9, "s3 = 9")))  # fmt: skip
    lists = [["SCALAR_CONST_SET"], [], ["SCALAR_CONST_SET"]]
    space, starts = space_for(lists, [(0, 3)] * 3, {"cross_function": 1.0}, initial=parent)
    genomes = new_genomes(403, int(starts[3]))
    for row, program in ((0, parent), (401, mate), (402, worse)):
        cpu.write_program(genomes, row, starts, program)
    space = space._replace(mates=np.array([401, 402], np.int32), mate_fitness=np.array([0.7, 0.2]))
    module = cpu.build(*MODULE)
    evaluator = cpu.new_evaluator(small_tasks(4), MEMORY, starts, module=module, key=0)
    kinds = np.zeros(401, np.int64)
    drivers()[0](
        genomes, module.pack(space), module.pack(evaluator), new_state(1, "test"), kinds, False
    )
    children = [from_arrays(*cpu.read_arrays(genomes, row, starts)) for row in range(1, 401)]
    taken = [
        (child.setup != parent.setup) + 2 * (child.learn != parent.learn) for child in children
    ]
    assert near(taken.count(1), 400, 0.5) and near(taken.count(2), 400, 0.5)
    assert all(child.predict == parent.predict for child in children)
    setups = [child.setup for child, how in zip(children, taken, strict=True) if how == 1]
    assert near(setups.count(mate.setup), len(setups), 0.75)  # unless the other was drawn twice
    learns = {child.learn for child, how in zip(children, taken, strict=True) if how == 2}
    assert learns == {mate.learn, worse.learn}
    alone = Bred(
        space_for(lists, [(0, 3)] * 3, {"cross_function": 1.0}, initial=parent), parent, 100
    )
    assert not alone.changed().any()


def test_children_are_mutated_again_with_the_given_probability():
    parent = parse(
        Setup="s2 = 2; s3 = 3; s4 = 4; s5 = 5",
        Predict="s1 = dot(v0, v1); s1 = s1 + s2",
        Learn="s3 = s0 - s1; s3 = s3 * s4; v2 = s3 * v0; v1 = v1 + v2",
    )
    lists = [[], [], ["SCALAR_SUM", "VECTOR_SUM", "SCALAR_VECTOR_PRODUCT", "SCALAR_DIFF"]]
    space, starts = space_for(lists, [(0, 5)] * 3, {"randomize_instruction": 1.0}, initial=parent)
    changed = {}
    for again in (0.0, 0.5):
        wanted = new_proposals(zeros.table(), tries=1000, changed=True, again=again)
        bred = Bred((space._replace(proposals=wanted), starts), parent, 4000)
        different = (bred.code != bred.genomes.code[0]).any(axis=2)
        changed[again] = different.sum(axis=1)
    several = (changed[0.0] > 1).mean(), (changed[0.5] > 1).mean()
    assert several[0] < 0.01  # every instruction is live: one change is one, but for equal operands
    # A second change comes to the same instruction in one of four cases.
    assert 0.35 < several[1] < 0.45


# --- new programs ---------------------------------------------------------------------------------


def made(space_and_starts, number, first):
    space, starts = space_and_starts
    genomes = new_genomes(number, int(starts[3]))
    drivers()[1](genomes, cpu.build(*MODULE).pack(space), new_state(1, "test"), first)
    return [from_arrays(*cpu.read_arrays(genomes, row, starts)) for row in range(number)]


def test_first_programs_are_copies_or_random_at_the_initial_size():
    lists = [["SCALAR_CONST_SET"], [], ALL]
    copies = made(space_for(lists, [(0, 6)] * 3, initial=START), 50, True)
    assert all(p == START for p in copies)
    randoms = made(space_for(lists, [(0, 6)] * 3, initial=START, initial_random=True), 500, True)
    assert {len(p.setup) for p in randoms} == {2} and {len(p.learn) for p in randoms} == {2}
    assert all(p.predict == START.predict for p in randoms)
    assert {i.op for p in randoms for i in p.setup} == {"SCALAR_CONST_SET"}
    assert {i.op for p in randoms for i in p.learn} == set(ALL)
    assert len({str(p) for p in randoms}) == 500


def test_random_search_draws_sizes_uniformly():
    space = space_for([ALL, ALL, []], [(1, 4), (0, 2), (0, 5)], initial=START)
    programs = made(space, 4000, False)
    sizes = np.array([[len(f) for f in p.functions] for p in programs])
    assert stats.chisquare(np.bincount(sizes[:, 0], minlength=5)[1:]).pvalue > 1e-5
    assert stats.chisquare(np.bincount(sizes[:, 1])).pvalue > 1e-5
    assert set(sizes[:, 0]) == {1, 2, 3, 4} and set(sizes[:, 1]) == {0, 1, 2}
    assert all(p.learn == START.learn for p in programs)
    for program in programs[:300]:
        validate_program(program, MEMORY)


def test_index_fractions_never_round_up_to_one():
    state = new_state(0, "test")
    state[0] = (
        0x31628AF67B2131AB  # from here the next word has all bits set: 1 - 2**-53, the largest
    )
    assert int(next_word(state.copy())) == 2**64 - 1
    value = mutations.drawn(0.0, 1.0, True, state)
    assert 0 <= value < 1 and np.float32(value) == value


def test_smallest_memory_still_has_somewhere_to_write():
    memory = Memory(2, 2, 1)
    parent = parse(Setup="v1 = v0 + v0")
    weights = {"randomize_function": 1.0, "alter_parameter": 1.0}
    sizes = [(1, 3), (0, 1), (0, 1)]
    space = space_for([ALL, [], []], sizes, weights, memory, initial=parent)
    bred = Bred(space, parent, 3000, chained=True)
    for row in range(1, 3001, 10):
        validate_program(bred.program(row), memory)

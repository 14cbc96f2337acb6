"""Ops: what each computes (by hand), and that both interpreters agree on any memory."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import MEMORY, MODULES, copy_of, flat, machine, parse, random_banks, run_reference

from zero.errors import ProgramError
from zero.programs import ops
from zero.programs.evaluator import Evaluator
from zero.programs.interpreter.reference import Banks, Draws
from zero.programs.ops import (
    NUM_STANDARD_OPS,
    OPS,
    check_formula,
    get_op,
    register_op,
)
from zero.programs.program import (
    Instruction,
    format_program,
    parse_instruction,
    parse_program,
)

NAN, INF = np.nan, np.inf

# Memory of the hand-made cases, F = 2; what is not named is 0.
SCALARS = {2: 3.0, 3: -2.0, 4: NAN, 5: INF, 6: -0.0, 7: 0.5, 8: 1e200}
VECTORS = {1: [3.0, -4.0], 2: [0.5, 2.0], 3: [NAN, 0.0], 4: [-0.0, INF], 5: [0.1, 0.1]}
MATRICES = {1: [[1.0, 2.0], [3.0, -4.0]], 2: [[0.0, -1.0], [NAN, 2.0]], 3: [[0.5, 0.25], [2, 4]]}

# instruction, expected result. One line an op, more where the spec's section 8 warns.
BY_HAND = [
    ("NoOp()", None),
    ("s1 = s2 + s3", 1.0),
    ("s1 = s2 - s3", 5.0),
    ("s1 = s2 * s3", -6.0),
    ("s1 = s2 / s3", -1.5),
    ("s1 = s2 / s6", -INF),
    ("s1 = s9 / s6", NAN),
    ("s1 = abs(s3)", 2.0),
    ("s1 = 1 / s7", 2.0),
    ("s1 = 1 / s6", -INF),
    ("s1 = 1 / s9", INF),
    ("s1 = sin(s7)", 0.479425538604203),
    ("s1 = sin(s5)", NAN),
    ("s1 = cos(s2)", -0.9899924966004454),
    ("s1 = tan(s3)", 2.185039863261519),
    ("s1 = arcsin(s7)", 0.5235987755982989),
    ("s1 = arcsin(s2)", NAN),
    ("s1 = arccos(s7)", 1.0471975511965979),
    ("s1 = arctan(s5)", 1.5707963267948966),
    ("s1 = exp(s2)", 20.085536923187668),
    ("s1 = exp(s8)", INF),
    ("s1 = log(s2)", 1.0986122886681098),
    ("s1 = log(s3)", NAN),
    ("s1 = log(s6)", -INF),
    ("s1 = heaviside(s9, 1.0)", 1.0),  # 1 at zero
    ("s1 = heaviside(s6, 1.0)", 1.0),
    ("s1 = heaviside(s3, 1.0)", 0.0),
    ("s1 = heaviside(s4, 1.0)", 0.0),
    ("v6 = heaviside(v1, 1.0)", [1.0, 0.0]),
    ("v6 = heaviside(v3, 1.0)", [0.0, 0.0]),  # 0 at zero, unlike the scalar's
    ("v6 = heaviside(v4, 1.0)", [0.0, 1.0]),
    ("m0 = heaviside(m2, 1.0)", [[0.0, 0.0], [0.0, 1.0]]),
    ("v6 = s3 * v1", [-6.0, 8.0]),
    ("v6 = bcast(s3)", [-2.0, -2.0]),
    ("v6 = 1 / v2", [2.0, 0.5]),
    ("s1 = norm(v1)", 5.0),
    ("v6 = abs(v1)", [3.0, 4.0]),
    ("v6 = v1 + v2", [3.5, -2.0]),
    ("v6 = v1 - v2", [2.5, -6.0]),
    ("v6 = v1 * v2", [1.5, -8.0]),
    ("v6 = v1 / v2", [6.0, -2.0]),
    ("v6 = v1 / v4", [-INF, -0.0]),
    ("s1 = dot(v1, v2)", -6.5),
    ("m0 = outer(v1, v2)", [[1.5, 6.0], [-2.0, -8.0]]),
    ("m0 = s3 * m1", [[-2.0, -4.0], [-6.0, 8.0]]),
    ("m0 = 1 / m3", [[2.0, 4.0], [0.5, 0.25]]),
    ("v6 = dot(m1, v2)", [4.5, -6.5]),
    ("m0 = bcast(v1, axis=0)", [[3.0, 3.0], [-4.0, -4.0]]),  # every column is v1
    ("m0 = bcast(v1, axis=1)", [[3.0, -4.0], [3.0, -4.0]]),  # every row is v1
    ("s1 = norm(m1)", 30.0**0.5),
    ("v6 = norm(m1, axis=0)", [10.0**0.5, 20.0**0.5]),  # of columns
    ("v6 = norm(m1, axis=1)", [5.0**0.5, 5.0]),  # of rows
    ("m0 = transpose(m1)", [[1.0, 3.0], [2.0, -4.0]]),
    ("m0 = abs(m1)", [[1.0, 2.0], [3.0, 4.0]]),
    ("m0 = m1 + m3", [[1.5, 2.25], [5.0, 0.0]]),
    ("m0 = m1 - m3", [[0.5, 1.75], [1.0, -8.0]]),
    ("m0 = m1 * m3", [[0.5, 0.5], [6.0, -16.0]]),
    ("m0 = m1 / m3", [[2.0, 8.0], [1.5, -1.0]]),
    ("m0 = matmul(m1, m3)", [[4.5, 8.25], [-6.5, -15.25]]),
    ("s1 = minimum(s2, s3)", -2.0),
    ("s1 = minimum(s4, s3)", NAN),  # NaN: the first operand
    ("s1 = minimum(s3, s4)", -2.0),
    ("v6 = minimum(v1, v2)", [0.5, -4.0]),
    ("v6 = minimum(v3, v1)", [NAN, -4.0]),
    ("v6 = minimum(v1, v3)", [3.0, -4.0]),
    ("m0 = minimum(m1, m3)", [[0.5, 0.25], [2.0, -4.0]]),
    ("m0 = minimum(m1, m2)", [[0.0, -1.0], [NAN, -4.0]]),  # NaN: the second operand
    ("m0 = minimum(m2, m1)", [[0.0, -1.0], [3.0, -4.0]]),
    ("s1 = maximum(s2, s3)", 3.0),
    ("s1 = maximum(s4, s3)", NAN),
    ("s1 = maximum(s3, s4)", -2.0),
    ("v6 = maximum(v1, v2)", [3.0, 2.0]),
    ("v6 = maximum(v3, v1)", [NAN, 0.0]),
    ("v6 = maximum(v1, v3)", [3.0, 0.0]),
    ("m0 = maximum(m1, m3)", [[1.0, 2.0], [3.0, 4.0]]),
    ("m0 = maximum(m1, m2)", [[1.0, 2.0], [NAN, 2.0]]),
    ("m0 = maximum(m2, m1)", [[1.0, 2.0], [3.0, 2.0]]),
    ("s1 = mean(v1)", -0.5),
    ("s1 = mean(m1)", 0.5),
    ("v6 = mean(m1, axis=1)", [1.5, -0.5]),
    ("v6 = std(m1, axis=1)", [0.5, 3.5]),
    ("s1 = std(v1)", 3.5),
    ("s1 = std(m1)", 7.25**0.5),
    ("s1 = 0.1", 0.1),  # float64
    ("v1[0.75] = 0.1", [3.0, 0.10000000149011612]),  # float32; the rest is untouched
    ("v1[0.49] = 7", [7.0, -4.0]),
    ("m1[0.5, 0.25] = 7", [[1.0, 2.0], [7.0, -4.0]]),
    ("s1 = uniform(0.5, -0.5)", 0.5),  # unsorted bounds give the low one
    ("v6 = uniform(0.5, 0.5, n_features)", [0.5, 0.5]),
    ("m0 = uniform(0.5, -0.5, (n_features, n_features))", [[0.5, 0.5], [0.5, 0.5]]),
    ("s1 = gaussian(0.5, 0)", 0.5),
    ("v6 = gaussian(0.5, 0, n_features)", [0.5, 0.5]),
    ("m0 = gaussian(0.5, 0, (n_features, n_features))", [[0.5, 0.5], [0.5, 0.5]]),
]


def hand_banks():
    from zero.programs.program import Memory

    banks = Banks(Memory(10, 7, 4), 2)
    for bank, values in ((banks.s, SCALARS), (banks.v, VECTORS), (banks.m, MATRICES)):
        for address, value in values.items():
            bank[address] = value
    return banks


def test_every_op_has_a_case_by_hand():
    covered = {parse_instruction(text)[0].op for text, _ in BY_HAND}
    assert covered == {op.name for op in OPS.values() if op.number < NUM_STANDARD_OPS}
    assert len(covered) == NUM_STANDARD_OPS >= 65


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("text, expected", BY_HAND, ids=[text for text, _ in BY_HAND])
def test_result_by_hand(text, expected, backend):
    from zero.bench.conformance import run_on_banks

    instruction, _ = parse_instruction(text)
    banks = hand_banks()
    if backend == "reference":
        run_reference([instruction], banks)
    else:
        run_on_banks([instruction], banks, "float64")
    if expected is None:
        np.testing.assert_array_equal(flat(banks), flat(hand_banks()))
        return
    got = banks.bank(get_op(instruction.op).output)[instruction.out]
    np.testing.assert_allclose(got, expected, rtol=1e-15, atol=0)
    zero = np.asarray(expected) == 0
    np.testing.assert_array_equal(np.signbit(got)[zero], np.signbit(expected)[zero])


def test_std_is_not_clamped():
    # Equal numbers whose mean of squares rounds below the square of the mean: NaN (spec, 8, row 3).
    found = {"reference": 0, "cpu": 0}
    for value in np.random.default_rng(1).uniform(0.1, 10, 200):
        for backend in found:
            banks = [Banks(MEMORY, 3)]
            banks[0].v[1] = value
            instruction = parse_instruction("s1 = std(v1)")[0]
            if backend == "reference":
                run_reference([instruction], banks[0])
            else:
                machine("float64", 1, 3).run([instruction], banks)
            found[backend] += bool(np.isnan(banks[0].s[1]))
    assert min(found.values()) > 0


# --- every op: reference = cpu --------------------------------------------------------------------

LIBM = ("sin", "cos", "tan", "arc", "tanh", "exp", "log")
EXACT_KINDS = ("map", "outer", "fill_columns", "fill_rows", "transpose", "const", "uniform", "none")


def is_exact(op):
    """Whether every step is one IEEE operation in a fixed order."""
    return op.kind in EXACT_KINDS and not any(name in op.formula for name in LIBM)


def places(op, aliasing):
    """Addresses in1, in2, out in `MEMORY`: v0 or the like, the last one and the one after v0."""
    last = {"s": 5, "v": 4, "m": 2}
    in1, in2 = 0, last[op.inputs[1]] if len(op.inputs) > 1 else 0
    out = 1 if op.output else 0
    same = [kind == op.output for kind in op.inputs] + [False, False]
    if aliasing == "out = in1" and same[0]:
        in1 = out
    if aliasing == "out = in2" and same[1]:
        out = in2
    if aliasing == "in1 = in2 = out" and same[0] and same[1]:
        in1 = in2 = out
    return in1, in2, out


# Instead of a difference of sums, how large its terms are.
TERMS = {"VECTOR_ST_DEV": "VECTOR_NORM", "MATRIX_ST_DEV": "MATRIX_NORM"}
TERMS["MATRIX_ROW_ST_DEV"] = "MATRIX_ROW_NORM"


def spread(op, instruction, banks):
    """How large the terms are that each element adds up, so how large rounding errors may be."""
    terms = copy_of(banks)
    for bank in (terms.s, terms.v, terms.m):
        bank[...] = np.where(np.isfinite(bank), np.abs(bank), 0.0)
    if is_exact(op) or op.kind == "map":
        return 0.0
    if op.kind == "gaussian":  # mean + stdev * n, |n| < 9
        return abs(instruction.constants[0]) + 9.0 * abs(instruction.constants[1])
    run_reference([replace(instruction, op=TERMS.get(op.name, op.name))], terms)
    return terms.bank(op.output)[instruction.out].astype(np.float64)


@pytest.mark.parametrize("name", list(OPS))
def test_reference_and_cpu_agree_on_any_memory(name):
    op = get_op(name)
    rng = np.random.default_rng(op.number)
    compared = 0
    for dtype, lanes in MODULES:
        eps = 4e-15 if dtype == "float64" else 4e-6
        for features in (2, 3, 4, 8, 16):
            runner = machine(dtype, lanes, features)
            for aliasing in ("apart", "out = in1", "out = in2", "in1 = in2 = out"):
                constants = tuple(float(np.float32(rng.random() * 0.999)) for _ in op.constants)
                in1, in2, out = places(op, aliasing)
                instruction = Instruction(name, in1, in2, out, constants, 3 if op.random else 0)
                before = [random_banks(rng, features, dtype) for _ in range(lanes)]
                got = [copy_of(b) for b in before]
                runner.run([instruction], got, function=2, example=7)
                for lane, wanted in enumerate(copy_of(b) for b in before):
                    task = int(runner.keys[lane])
                    run_reference([instruction], wanted, Draws(0, task, 2, 7))
                    terms = spread(op, instruction, before[lane])
                    compare(op, got[lane], wanted, instruction, eps, terms, (dtype, features))
                    compared += 1
    assert compared == (1 + 4 + 16 + 16 + 10 + 10) * 5 * 4


@pytest.mark.parametrize("features", [5, 6, 7, 12, 33, 256])
def test_any_number_of_features(features):
    rng = np.random.default_rng(features)
    runner = machine("float64", 10, features)
    before = [random_banks(rng, features, special=0.1) for _ in range(10)]
    looked_at = (3, 9) if features < 50 else (9,)
    for number, op in enumerate(OPS.values()):
        constants = tuple(float(np.float32(rng.random() * 0.999)) for _ in op.constants)
        in1, in2, out = places(op, ("apart", "in1 = in2 = out")[number % 2])
        instruction = Instruction(op.name, in1, in2, out, constants, 3 if op.random else 0)
        got = [copy_of(b) for b in before]
        runner.run([instruction], got, function=2, example=7)
        for lane in looked_at:
            wanted = copy_of(before[lane])
            run_reference([instruction], wanted, Draws(0, int(runner.keys[lane]), 2, 7))
            terms = spread(op, instruction, before[lane])
            compare(op, got[lane], wanted, instruction, 1e-14, terms, features)


def compare(op, got, wanted, instruction, eps, terms, where):
    a, b = flat(got), flat(wanted)
    if is_exact(op):
        assert_same_bits(a, b, where)
        return
    out = (op.output, instruction.out)
    x, y = got.bank(out[0])[out[1]].copy(), wanted.bank(out[0])[out[1]].copy()
    got.bank(out[0])[out[1]] = wanted.bank(out[0])[out[1]] = 0.0
    assert_same_bits(flat(got), flat(wanted), where)  # nothing else was written
    with np.errstate(all="ignore"):
        if "squares / n" in op.formula:
            # Next to a variance of zero either may be NaN: compare the variance itself.
            x, y = np.nan_to_num(x * x, nan=0.0), np.nan_to_num(y * y, nan=0.0)
            terms = terms * terms
        smallest = np.finfo(x.dtype).smallest_subnormal * 4
        close = np.abs(x - y) <= eps * (np.abs(y) + terms) + smallest
        close |= np.isinf(terms)  # where sums overflow, their order decides between inf and NaN
        same = (x == y) | (np.isnan(x) & np.isnan(y)) | close
    assert np.all(same), f"{where} {instruction}: got {x}, wanted {y}"


def assert_same_bits(got, wanted, where):
    """NaN equals NaN whatever its sign; -0.0 differs from 0.0."""
    same = (got == wanted) & (np.signbit(got) == np.signbit(wanted))
    same |= np.isnan(got) & np.isnan(wanted)
    assert same.all(), f"{where}: {got[~same]} instead of {wanted[~same]}"


# --- the table ------------------------------------------------------------------------------------


def test_numbers_and_groups():
    # The first 65 are the original's, whatever comes after them.
    assert [op.number for op in OPS.values()] == list(range(NUM_STANDARD_OPS))
    of_the_original = {
        name: sum(OPS[op].number < 65 for op in group) for name, group in ops.GROUPS.items()
    }
    assert (of_the_original["random"], of_the_original["constant"]) == (6, 3)
    assert of_the_original["deterministic"] == 56
    listings = [op.listing for op in OPS.values()]
    assert len(set(listings)) == NUM_STANDARD_OPS


def test_original_names_are_understood():
    assert get_op("SCALAR_SUM_OP") is get_op("SCALAR_SUM")
    with pytest.raises(ProgramError, match="unknown op 'SCALAR_SUMM'; did you mean 'SCALAR_SUM'"):
        get_op("SCALAR_SUMM")


def test_costs_of_the_network_are_those_measured_of_the_original():
    from zero.programs.library import program

    costs = [sum(get_op(i.op).cost for i in f) for f in program("neural_network").functions]
    assert costs == [358_864_510, 26_984_126, 54_920_587]  # spec, section 3.3


def test_only_ops_marked_so_are_commutative():
    rng = np.random.default_rng(3)
    for op in OPS.values():
        if len(op.inputs) != 2 or op.inputs[0] != op.inputs[1]:
            assert not ops.is_commutative(op)
            continue
        last = {"s": 1, "v": 1, "m": 1}[op.output]
        equal = True
        for _ in range(200):
            both = []
            banks = random_banks(rng, 4)
            for in1, in2 in ((1, 2), (2, 1)):
                mine = copy_of(banks)
                run_reference([Instruction(op.name, in1, in2, last)], mine)
                both.append(mine.bank(op.output)[last])
            equal &= np.array_equal(both[0], both[1], equal_nan=True)
        assert ops.is_commutative(op) == equal or op.name == "MATRIX_MATRIX_PRODUCT", op.name


# --- ops of one's own -----------------------------------------------------------------------------


@pytest.fixture
def two_new_ops(own_ops):
    step = register_op("VECTOR_STEP", "sv>v", "where(b >= a, sqrt(abs(b)), -1.0)")
    largest = register_op("MATRIX_ROW_POWER", "m>v", "squares / n + 0 * sum", kind="reduce_rows")
    return step, largest


def test_registered_op_works_everywhere(two_new_ops):
    program = parse(
        setup="s2 = 0.5; v2 = gaussian(0, 1, n_features)",
        predict="v1 = vector_step(s2, v0); m1 = outer(v1, v2); v3 = matrix_row_power(m1);"
        "s1 = dot(v3, v0)",
    )
    assert program.predict[0].op == "VECTOR_STEP"
    assert parse_program(format_program(program)) == program
    from helpers import small_tasks, space_for

    tasks = small_tasks(tasks=3)
    wanted = Evaluator(tasks, "reference")(program)
    got = Evaluator(tasks, "cpu")(program)  # four lanes, a module of its own
    assert 0 < wanted.fitness < 1
    np.testing.assert_allclose(got.task_fitness, wanted.task_fitness, rtol=1e-12)

    # Random programs and mutations draw it, with operands of its types.
    from tests.programs.test_mutations import Bred

    parent = parse(setup="NoOp(); NoOp()")
    space = space_for([["VECTOR_STEP", "MATRIX_ROW_POWER"], [], []], [(0, 3), (0, 0), (0, 0)],
                      {"randomize_function": 1.0}, initial=parent)  # fmt: skip
    bred = Bred(space, parent, 2000)
    seen = {str(i) for row in range(1, 2001) for i in bred.program(row).setup}
    assert len(seen) == 6 * 5 * 4 + 3 * 4
    assert "v1 = vector_step(s5, v4)" in seen and "v4 = matrix_row_power(m2)" in seen


def test_registering_twice_is_one_op_and_another_meaning_is_refused(two_new_ops):
    again = register_op("VECTOR_STEP", "sv>v", "where(b >= a, sqrt(abs(b)), -1.0)")
    assert again is two_new_ops[0]
    with pytest.raises(ProgramError, match="exists already with another meaning"):
        register_op("VECTOR_STEP", "sv>v", "a + b")


def test_registered_ops_do_not_leak():
    assert list(OPS) == [op.name for op in ops.by_number()] and len(OPS) == 65


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": "lower"}, "op name 'lower': use capital letters"),
        ({"name": "SCALAR_SUM"}, "op SCALAR_SUM exists already with another meaning"),
        ({"kind": "matmul"}, "unknown kind 'matmul'"),
        ({"signature": "v>"}, "signature 'v>' does not fit kind 'map'"),
        ({"signature": "v>s"}, "signature 'v>s' does not fit"),
        ({"formula": "b"}, "'b' cannot stand in a formula"),
        ({"formula": "a +"}, "is not an expression"),
        ({"formula": ""}, "is not an expression"),
        ({"formula": "a ** 2"}, "'a \\*\\* 2' cannot stand"),
        ({"formula": "a.real"}, "cannot stand in a formula"),
        ({"formula": "__import__('os')"}, "cannot stand in a formula"),
        ({"formula": "a < 1"}, "a comparison stands only first in where"),
        ({"formula": "where(a, 1, 2)"}, "cannot stand in a formula"),
        ({"formula": "sin(a, a)"}, r"sin takes 1 argument\(s\)"),
        ({"formula": "a * 1e999"}, "cannot stand in a formula"),
        ({"listing": "s{o} = abs(s{a})", "signature": "s>s"}, "belongs to another op"),
        ({"listing": "v{o} = new"}, "must hold {a}, {o} once each"),
        ({"listing": "v{o} = new(v{c})"}, "must hold {a}, {o} once each"),
        ({"listing": "v{o} = new(v{a}) # x"}, "must hold"),
    ],
)
def test_unusable_op_is_refused(own_ops, arguments, message):
    given = {"name": "NEW_OP", "signature": "v>v", "formula": "a"} | arguments
    with pytest.raises(ProgramError, match=message) as caught:
        register_op(**given)
    assert "\n" not in str(caught.value)
    assert len(OPS) == 65


def test_swapped_operands_are_no_listing_of_ones_own(own_ops):
    with pytest.raises(ProgramError, match="belongs to another op"):
        register_op("SCALAR_BACK", "ss>s", "b / a", listing="s{o} = s{b} / s{a}")


def test_formulas_read_the_same_for_python_and_for_lanes():
    for op in OPS.values():
        if op.formula:
            names = ["a", "b"] if op.kind == "map" else ["sum", "squares", "n"]
            check_formula(op.name, op.formula, names)

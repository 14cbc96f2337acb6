"""Programs: text that reads back identically, hand-written forms, errors, checks, arrays."""

import numpy as np
import pytest
from helpers import MEMORY, random_program

from zero.errors import ProgramError
from zero.programs.ops import OPS, get_op
from zero.programs.program import (
    Instruction,
    Memory,
    Program,
    format_instruction,
    format_program,
    from_arrays,
    make_instruction,
    memory_needed,
    parse_program,
    to_arrays,
    validate_program,
)

EXTREMES = [
    0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, -5e-324, 2.2250738585072014e-308, 1.5e-323,
    1.7976931348623157e308, -1.7976931348623157e308, 0.1, 1 / 3, 1e16, 1e22, 1e23, 123456789.0,
    -1.0, 100.0, 1e-7, 9007199254740993.0,
]  # fmt: skip


def extreme_program(rng):
    """A random program with constants of random bits and streams in any order."""
    program = random_program(rng, Memory(64, 64, 64), (5, 5, 5))
    functions = []
    for body in program.functions:
        streams = rng.choice(2**15, len(body), replace=False)
        if rng.random() < 0.3:
            streams = np.arange(len(body))
        new = []
        for stream, i in zip(streams, body, strict=True):
            op = get_op(i.op)
            constants = []
            for constant in op.constants:
                if rng.random() < 0.5:
                    value = float(rng.choice(EXTREMES))
                else:
                    value = float(rng.integers(2**64, dtype=np.uint64).view(np.float64))
                    value = np.nan if np.isnan(value) else value  # a text has but one NaN
                with np.errstate(all="ignore"):
                    constants.append(float(np.float32(value)) if constant.single else value)
            stream = int(stream) if op.random else 0
            new.append(Instruction(i.op, i.in1, i.in2, i.out, tuple(constants), stream))
        functions.append(tuple(new))
    return Program(*functions)


def test_ten_thousand_random_programs_read_back_identically():
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(10_000):
        program = extreme_program(rng)
        text = format_program(program)
        again = parse_program(text)
        assert again == program, text
        seen.update(i.op for f in program.functions for i in f)
        for mine, theirs in zip(program.functions, again.functions, strict=True):
            for a, b in zip(mine, theirs, strict=True):
                bits = [np.array(i.constants, np.float64).tobytes() for i in (a, b)]
                assert bits[0] == bits[1], text
    assert seen == set(OPS)


def test_programs_survive_their_arrays():
    rng = np.random.default_rng(2)
    for _ in range(500):
        program = extreme_program(rng)
        code, constants, sizes = to_arrays(program)
        assert code.dtype == np.int16 and constants.dtype == np.float64 and len(code) == sizes.sum()
        assert from_arrays(code, constants, sizes) == program


def test_equality_is_that_of_bits():
    def const(x):
        return Instruction("SCALAR_CONST_SET", out=2, constants=(x,))

    assert const(np.nan) == const(np.nan)
    assert const(0.0) != const(-0.0)
    assert const(1.0) != "s2 = 1"
    assert len({const(0.0), const(-0.0), const(0.0)}) == 2


BY_HAND = """
# a linear model
DEF setup( ) :
s2=.01 # learning rate
   s3   =   +1e-3
def Learn():
\ts 3 = s0-s1

  v2[0.5]=-2.5E+1
  m1 [ 0.25 , .75 ] = inf
  v3 = gaussian( 0,1 ,n_features )
  s4 = uniform(-1, 1, stream=0)
  m0 = uniform(0, 1, (n_features, n_features), stream = 7)
  s5 = gaussian(0, 1)
"""


def test_hand_written_text():
    program = parse_program(BY_HAND)
    assert [str(i) for i in program.setup] == ["s2 = 0.01", "s3 = 0.001"]
    assert program.predict == ()
    assert [format_instruction(i, False) for i in program.learn] == [
        "s3 = s0 - s1",
        "v2[0.5] = -25",
        "m1[0.25, 0.75] = inf",
        "v3 = gaussian(0.0, 1, n_features)",
        "s4 = uniform(-1, 1)",
        "m0 = uniform(0.0, 1, (n_features, n_features))",
        "s5 = gaussian(0.0, 1)",
    ]
    # 0 and 7 are given, so those without take 1 and 2.
    assert [i.stream for i in program.learn[3:]] == [1, 0, 7, 2]


def test_canonical_text_of_a_small_program():
    program = Program(
        (make_instruction("SCALAR_CONST_SET", 2, constants=(0.1,)),),
        (
            make_instruction("VECTOR_INNER_PRODUCT", 1, 0, 1),
            make_instruction("SCALAR_GAUSSIAN_SET", 3, constants=(0.0, 0.1), stream=4),
        ),
    )
    assert format_program(program) == (
        "def Setup():\n  s2 = 0.1\ndef Predict():\n  s1 = dot(v1, v0)\n"
        "  s3 = gaussian(0.0, 0.1, stream=4)\ndef Learn():\n"
    )
    # float32 constants are rounded when an instruction is made, float64 ones are not.
    assert program.predict[1].constants[1] == 0.10000000149011612
    assert program.setup[0].constants == (0.1,)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "file.txt: no 'def Setup():', 'def Predict():' or 'def Learn():' found"),
        ("# nothing\n\n", "file.txt: no 'def Setup():', 'def Predict():' or 'def Learn():' found"),
        ("s1 = s2 + s3", "file.txt:1: 's1 = s2 + s3' stands before the first 'def Setup():'"),
        (
            "def Setup():\n\n  s1 = foo(s2)  # x",
            "file.txt:3: 's1 = foo(s2)' is no instruction; `zero list ops` shows their forms",
        ),
        (
            "def Setup():\ndef Predikt():",
            "file.txt:2: unknown function 'Predikt'; did you mean 'predict'? "
            "(known: learn, predict, setup)",
        ),
        ("def Setup():\n s1 = 1\ndef setup():", "file.txt:3: 'setup' is defined twice"),
        (
            "def Setup():\n s2 = uniform(0, 1, stream=32768)",
            "file.txt:2: 's2 = uniform(0, 1, stream=32768)': stream must be at most 32767",
        ),
        (
            "def Setup():\n s2 = uniform(0, 1, stream=3)\n s3 = gaussian(0, 1, stream=3)",
            "file.txt: in setup: two random instructions have the same stream",
        ),
        (
            "def Setup():\n s2 = s3",
            "file.txt:2: 's2 = s3' is no instruction; `zero list ops` shows their forms",
        ),
        (
            "def Setup():\n s-1 = 2",
            "file.txt:2: 's-1 = 2' is no instruction; `zero list ops` shows their forms",
        ),
        (
            "def Setup():\n s1 = 1.2.3",
            "file.txt:2: 's1 = 1.2.3' is no instruction; `zero list ops` shows their forms",
        ),
        (
            "def Setup():\n v1 = s2 + v3",
            "file.txt:2: 'v1 = s2 + v3' is no instruction; `zero list ops` shows their forms",
        ),
        (
            "def Setup()",
            "file.txt:1: 'def Setup()' stands before the first 'def Setup():'",
        ),
    ],
)
def test_mistakes_in_a_text_name_line_and_cause(text, message):
    with pytest.raises(ProgramError) as caught:
        parse_program(text, "file.txt")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text, message",
    [
        ("s4 = 1", "setup, instruction 1 (s4 = 1): no address s4 in memory (allowed: s0 to s3)"),
        (
            "NoOp()\n v1 = s9 * v0",
            "setup, instruction 2 (v1 = s9 * v0): no address s9 in memory (allowed: s0 to s3)",
        ),
        (
            "s2 = norm(m0)",
            "setup, instruction 1 (s2 = norm(m0)): no address m0 in memory (there are none)",
        ),
        ("v1[0.99] = 1", None),
        (
            "v1[1] = 2",
            "setup, instruction 1 (v1[1] = 2): index 1 is outside [0, 1): write a fraction of the "
            "number of features",
        ),
    ],
)
def test_program_must_fit_its_memory(text, message):
    program = parse_program(f"def Setup():\n {text}")
    memory = Memory(4, 2, 0)
    if message is None:
        validate_program(program, memory)
        return
    with pytest.raises(ProgramError) as caught:
        validate_program(program, memory)
    assert str(caught.value) == message


@pytest.mark.parametrize("index", ["1", "5", "1e9", "inf", "nan", "-0.25", "-1e-30"])
@pytest.mark.parametrize("form", ["v1[{}] = 1", "m1[0.5, {}] = 1", "m1[{}, 0.5] = 1"])
def test_index_outside_a_vector_or_matrix_is_refused(form, index):
    # The compiled interpreter checks no bounds: such a program would write anywhere.
    program = parse_program("def Learn():\n " + form.format(index))
    with pytest.raises(ProgramError, match=r"learn, instruction 1 .*is outside \[0, 1\)"):
        validate_program(program, MEMORY)


def test_more_addresses_than_any_memory_has_are_refused():
    program = parse_program("def Setup():\n s64 = s2 + s3")
    with pytest.raises(ProgramError, match=r"no address s64 in memory \(allowed: s0 to s63\)"):
        validate_program(program, memory_needed(program))


def test_two_equal_streams_in_a_function_are_refused():
    same = [make_instruction("SCALAR_UNIFORM_SET", 2, constants=(0, 1), stream=1)] * 2
    validate_program(Program((same[0],), (same[0],), (same[0],)), MEMORY)
    with pytest.raises(ProgramError, match="stream 1 is used twice in this function"):
        validate_program(Program(tuple(same)), MEMORY)


def test_memory_needed_is_the_smallest():
    program = parse_program("def Predict():\n v3 = dot(m1, v0)\n s4 = norm(v3)")
    assert memory_needed(program) == Memory(5, 4, 2)
    assert memory_needed(Program()) == Memory(2, 1, 0)


def test_wrong_number_of_addresses_or_constants_is_refused():
    with pytest.raises(
        ProgramError, match=r"takes 3 address\(es\) and 0 constant\(s\), got 2 and 0"
    ):
        make_instruction("SCALAR_SUM", 1, 2)
    with pytest.raises(ProgramError, match=r"1 address\(es\) and 1 constant\(s\), got 1 and 0"):
        make_instruction("SCALAR_CONST_SET", 1)

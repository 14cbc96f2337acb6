"""Programs as rows for the GPU: addresses without gaps, dead code gone, sums joined, any batch alike."""

import numpy as np
import pytest
from helpers import copy_of, flat, parse, random_banks, random_program, run_reference

from zero.cuda.host import HostMachine
from zero.programs.cuda import encode as code
from zero.programs.cuda import evaluate
from zero.programs.cuda.job import SPAN
from zero.programs.cuda.layout import UnitLayout
from zero.programs.cuda.source import row_numbers
from zero.programs.interpreter import cpu
from zero.programs.program import Program

LAYOUT = UnitLayout("float64", 4, 2)  # 32 lanes; vectors of 64, matrices of 256 elements


def span_of(program, layout=LAYOUT):
    rows, spans = code.encode_program(program, layout)
    return rows, dict(zip(SPAN, spans[0].tolist(), strict=True))


def test_a_program_row_by_row():
    program = parse(
        Predict="s1 = dot(v7, v0); s9 = s9 + s1",
        Learn="s5 = s0 - s1; v9 = s5 * v0; v7 = v9 + v7; m2 = outer(v9, v9)",
    )
    rows, span = span_of(program)
    number = row_numbers()
    # s0, s1, s5 at 0, 32, 64; v0, v7 at 96, 160; v9 needs no place.
    assert rows.tolist() == [
        [number["END"], 0, 0, 0],
        [number["VECTOR_INNER_PRODUCT"], 160, 96, 32],
        [number["END"], 0, 0, 0],
        [number["SCALAR_DIFF"], 0, 32, 64],
        [number["SCALED_ADD"], 64, 96, 160],
        [number["END"], 0, 0, 0],
    ]
    assert span == {
        "code_at": 0, "features_at": 96, "matrices_at": 224, "predict_at": 1, "learn_at": 3, "rows": 6,
        "memory": 224, "temporary": -1, "writes_features": 0, "resident": -1,
    }  # fmt: skip


def test_constants_are_in_a_row_of_their_own():
    program = parse(
        Setup="s2 = 1e300; v1[0.8] = 0.25; m0[0.5, 0.75] = 2",
        Predict="v1 = gaussian(0.5, 2, n_features, stream=3); m1 = abs(m0); v2 = dot(m1, v1); s3 = mean(v2)"
        "; s1 = s2 * s3",
    )
    rows, span = span_of(program)
    numbers, op = rows.view(np.float64), row_numbers()
    # v1 is drawn anew before it is read, so its constant is dead.
    assert rows[[0, 2], 0].tolist() == [op["SCALAR_CONST_SET"], op["MATRIX_CONST_SET"]]
    assert numbers[1].tolist() == [1e300, 0] and numbers[3].tolist() == [2, 0]
    assert span["predict_at"] == 5
    assert rows[5].tolist()[:2] == [op["VECTOR_GAUSSIAN_SET"], 3]
    assert numbers[6].tolist() == [0.5, 2]


def test_only_matrices_that_are_needed_have_room():
    scalars = 3 * 32 + 3 * 64  # s0, s1, s2; v0, v1, v2
    predict = "v1 = dot(m0, v0); s1 = mean(v1)"
    learn = "s2 = s0 - s1; v2 = s2 * v0; m5 = outer(v2, v0); m0 = m0 + m5"
    _, span = span_of(parse(Predict=predict, Learn=learn))
    assert span["memory"] == scalars + 256  # m0; m5 is only ever added
    _, span = span_of(parse(Predict=predict + "; m0 = transpose(m5)", Learn=learn))
    assert span["memory"] == scalars + 3 * 256 and span["temporary"] == scalars + 2 * 256


@pytest.mark.parametrize(
    ("body", "joined"),
    [
        ("m1 = outer(v0, v0); m0 = m0 + m1", True),
        ("m1 = outer(v0, v0); m0 = m1 + m0", True),
        ("m1 = outer(v0, v0); m2 = m0 + m1; m0 = abs(m2)", False),  # not in place
        ("m1 = outer(v0, v0); m0 = m1 + m0; m0 = m0 + m1", False),  # needed once more
        ("m1 = outer(v0, v0); m0 = m1 + m1", False),
        ("m0 = outer(v0, v0); m0 = m0 + m1", False),
        ("v2 = s2 * v0; v1 = v1 + v2", True),
        ("v2 = s2 * v1; v1 = v2 + v1", True),
        ("v2 = s2 * v0; s2 = s0 + s0; v1 = v1 + v2", False),  # not next to each other
        ("v2 = s2 * v0; v3 = v1 + v2; v1 = abs(v3)", False),
    ],
)
def test_which_sums_are_joined(body, joined):
    predict = "v3 = dot(m0, v0); s1 = dot(v3, v1)"
    rows, _ = span_of(parse(Setup="s2 = 0.5", Predict=predict, Learn=body))
    sums = {"OUTER_ADD", "OUTER_ADD_RESIDENT", "SCALED_ADD"}
    numbers = {row_numbers()[name] for name in sums}
    assert bool(numbers & set(rows[:, 0].tolist())) == joined


@pytest.mark.parametrize(
    ("program", "writes"),
    [
        (parse(Predict="s1 = mean(v0)", Learn="v0 = abs(v0)"), 0),  # also dead
        (parse(Setup="v0 = bcast(s1)", Predict="s1 = mean(v0)"), 0),
        (parse(Predict="v0 = abs(v0); s1 = mean(v0)"), 1),
        (parse(Predict="v1 = s2 * v0; v0 = v0 + v1; s1 = mean(v0)"), 1),
    ],
)
def test_whether_predict_writes_the_features(program, writes):
    assert span_of(program)[1]["writes_features"] == writes


def test_a_batch_is_its_programs_one_after_the_other():
    rng = np.random.default_rng(2)
    some = [random_program(rng, sizes=(6, 12, 12)) for _ in range(50)] + [Program()]
    genomes, starts = cpu.genome_of(Program(), (8, 20, 16))
    genomes = type(genomes)(*(np.repeat(array, len(some), axis=0) for array in genomes))
    for row, program in enumerate(some):
        cpu.write_program(genomes, row, starts, program)
    encoder = code.Encoder(LAYOUT, starts)
    which = rng.permutation(len(some))[:40]
    rows, spans = encoder(genomes, which)
    at = 0
    for span, k in zip(spans, which, strict=True):
        alone, (wanted,) = code.encode_program(some[k], LAYOUT)
        assert span[0] == at
        assert np.array_equal(span[1:], wanted[1:])
        assert np.array_equal(rows[at : at + len(alone)], alone)
        at += len(alone)
    assert at == len(rows)
    again, _ = encoder(genomes, which[:3])
    assert np.array_equal(again, rows[: len(again)])  # a copy: what came before is untouched
    nothing, spans = encoder(genomes, which[:0])
    assert nothing.shape == (0, 4) and len(spans) == 0


def test_copies_have_rows_of_their_own():
    program = parse(Predict="s1 = mean(v0)")
    one, (span,) = code.encode_program(program, LAYOUT)
    rows, spans = code.encode_copies(program, LAYOUT, 3)
    for copy in spans:
        assert np.array_equal(rows[copy[0] : copy[0] + len(one)], one)
        assert np.array_equal(copy[1:], span[1:])
    assert len(set(spans[:, 0])) == 3


def test_the_matrix_that_stays_in_registers():
    step = "m1 = outer(v1, v0); m0 = m0 + m1"
    used = "v1 = dot(m0, v0); s1 = mean(v1)"
    numbers = row_numbers()
    resident = {numbers["MATVEC_RESIDENT"], numbers["OUTER_ADD_RESIDENT"]}
    rows, span = span_of(parse(Predict=used, Learn=step))
    assert span["resident"] == span["matrices_at"] and resident <= set(rows[:, 0].tolist())
    assert rows[0, :2].tolist() == [numbers["TAKE_RESIDENT"], span["resident"]]
    # Whatever else looks at the matrix finds it in memory.
    for more in ("s2 = norm(m0); s1 = s1 + s2", "m0 = abs(m0)"):
        rows, span = span_of(parse(Predict=f"{used}; {more}", Learn=step))
        assert span["resident"] == -1 and not resident & set(rows[:, 0].tolist())


@pytest.mark.parametrize("features", [3, 5, 40])
def test_every_index_of_constants(features):
    machine = HostMachine()
    fractions = [float(np.float32(k / features)) for k in range(features)] + [0.999]
    rng = np.random.default_rng(features)
    for k, fraction in enumerate(fractions):
        other = fractions[(3 * k + 1) % len(fractions)]
        body = parse(Setup=f"v1[{fraction!r}] = 0.5; m1[{fraction!r}, {other!r}] = -2").setup
        banks = random_banks(rng, features, "float32")
        wanted = copy_of(banks)
        run_reference(body, wanted)
        evaluate.run_on_machine(body, [banks], machine, "float32")
        assert np.array_equal(flat(banks), flat(wanted), equal_nan=True)

"""Random numbers: Philox's known answers, the definition against the compiled forms, statistics."""

import numpy as np
import pytest
from helpers import MODULES, machine, parse, random_banks, small_tasks
from scipy import stats

from zero.programs.evaluator import Evaluator
from zero.programs.interpreter import cpu
from zero.programs.program import Instruction
from zero.rng import philox as rng
from zero.rng import splitmix as search_rng

ONES = 0xFFFFFFFF
# Random123's kat_vectors for philox4x32-10: counter, key, result.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((ONES,) * 4, (ONES, ONES), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


@pytest.mark.parametrize("counter, key, words", KNOWN)
def test_known_answers(counter, key, words):
    got = rng.philox(key[0] | key[1] << 32, *counter)
    assert " ".join(f"{int(w):08x}" for w in got) == words


def test_search_stream_is_splitmix64():
    state = np.array([1234567], dtype=np.uint64)  # published first words of the stream from there
    assert [int(search_rng.next_word(state)) for _ in range(5)] == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
        16408922859458223821,
    ]  # fmt: skip
    started = search_rng.new_state(5, "search", 0, 3)
    assert int(started[0]) == rng.key_for(5, "search", 0, 3)


def test_search_draws_have_their_ranges_and_distributions():
    state = search_rng.new_state(1, "test")
    below = np.array([search_rng.below(state, 7) for _ in range(7000)])
    assert set(below) == set(range(7))
    assert stats.chisquare(np.bincount(below)).pvalue > 1e-4
    unit = np.array([search_rng.unit(state) for _ in range(5000)])
    assert 0 < unit.min() < 0.002 and 0.998 < unit.max() < 1
    assert stats.kstest(unit, "uniform").pvalue > 1e-4
    normal = np.array([search_rng.normal(state) for _ in range(5000)])
    assert stats.kstest(normal, "norm").pvalue > 1e-4


def test_unit_never_reaches_its_ends():
    words = np.array([0, ONES], dtype=np.uint64)
    low, high = rng.unit(words, words)
    assert 0 < low == 2.0**-53 and high == 1 - 2.0**-53


def test_keys_of_different_purposes_differ_and_stay():
    purposes = [("search", e, i) for e in range(20) for i in range(20)] + [("evaluation",)]
    keys = {rng.key_for(seed, *p) for seed in (0, 1, 2**63, 2**64, 2**70) for p in purposes}
    assert len(keys) == 5 * len(purposes)
    # Changing this changes every run that can be resumed or repeated from its seed.
    assert rng.key_for(1, "search", 0, 0) == 0x3462FDFD0BD3D3FF


# --- random ops -----------------------------------------------------------------------------------

UNIFORM = Instruction("MATRIX_UNIFORM_SET", 0, 0, 1, (-0.25, 0.75), 5)
GAUSSIAN = Instruction("MATRIX_GAUSSIAN_SET", 0, 0, 1, (0.5, 2.0), 6)


def draw(instruction, dtype="float64", lanes=16, features=16, function=2, example=9):
    """Returns (the matrices that the lanes draw, the tasks' keys)."""
    runner = machine(dtype, lanes, features)
    banks = [random_banks(np.random.default_rng(0), features, dtype) for _ in range(lanes)]
    runner.run([instruction], banks, function, example)
    return np.stack([b.m[instruction.out] for b in banks]), runner.keys


@pytest.mark.parametrize("dtype, lanes", MODULES)
@pytest.mark.parametrize("instruction", [UNIFORM, GAUSSIAN])
def test_lanes_draw_what_is_defined(dtype, lanes, instruction):
    got, keys = draw(instruction, dtype, lanes)
    name = rng.uniform if instruction is UNIFORM else rng.gaussian
    for lane in range(lanes):
        words = rng.counters((16, 16), 9, 2, instruction.stream, int(keys[lane]))
        wanted = name(0, words, *instruction.constants)
        tolerance = 1e-13 if dtype == "float64" else 1e-6
        np.testing.assert_allclose(got[lane], wanted, rtol=tolerance, atol=tolerance)


def test_draws_depend_on_everything_that_names_them():
    base, _ = draw(UNIFORM)
    flat = [base]
    flat.append(draw(UNIFORM, example=10)[0])
    flat.append(draw(UNIFORM, function=3)[0])
    flat.append(draw(Instruction("MATRIX_UNIFORM_SET", 0, 0, 1, (-0.25, 0.75), 6))[0])
    values = np.concatenate([x.ravel() for x in flat])
    assert len(np.unique(values)) == len(values)  # 16384 numbers of 52 bits
    again, _ = draw(UNIFORM)
    assert np.array_equal(again, base)
    renamed, _ = draw(Instruction("MATRIX_UNIFORM_SET", 0, 0, 2, (-0.25, 0.75), 5))
    assert np.array_equal(renamed, base)  # the address is no part of the name
    smaller, _ = draw(UNIFORM, lanes=4, features=16)
    assert smaller.shape == (4, 16, 16)


def test_random_ops_have_their_distributions():
    uniform = np.concatenate([draw(UNIFORM, example=k)[0].ravel() for k in range(5)])
    assert stats.kstest(uniform, stats.uniform(-0.25, 1.0).cdf).pvalue > 1e-4
    gaussian = np.concatenate([draw(GAUSSIAN, example=k)[0].ravel() for k in range(5)])
    assert stats.kstest(gaussian, stats.norm(0.5, 2.0).cdf).pvalue > 1e-4
    n = len(gaussian)
    assert abs(gaussian.mean() - 0.5) < 5 * 2 / n**0.5
    assert abs(gaussian.var() - 4) < 5 * 4 * (2 / n) ** 0.5
    assert abs(stats.kurtosis(gaussian)) < 5 * (24 / n) ** 0.5
    # Neighbours in every direction are unrelated: elements, rows, lanes (tasks).
    grid = draw(GAUSSIAN)[0]
    for a, b in (
        (grid[:, :, :-1], grid[:, :, 1:]),
        (grid[:, :-1], grid[:, 1:]),
        (grid[:-1], grid[1:]),
    ):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / a.size**0.5


def test_fitness_of_random_programs_depends_on_no_lane_block_or_neighbour():
    program = parse(
        Setup="v1 = gaussian(0, 1, n_features); s2 = 0.05",
        Predict="v3 = uniform(-0.1, 0.1, n_features); v4 = v0 + v3; s1 = dot(v1, v4)",
        Learn="s3 = s0 - s1; s3 = s2 * s3; v2 = s3 * v0; v1 = v1 + v2; s2 = gaussian(0.05, 0.01)",
    )
    tasks = small_tasks(tasks=21, epochs=2)
    fitness = {}
    for lanes in (1, 4, 16):
        evaluate = Evaluator(tasks, module=cpu.build("float64", lanes), seed_key=77)
        fitness[lanes] = evaluate(program).task_fitness
    assert len(np.unique(fitness[1])) == 21 and (fitness[1] > 0).all()
    assert np.array_equal(fitness[1], fitness[4]) and np.array_equal(fitness[1], fitness[16])
    order = np.random.default_rng(0).permutation(21)
    turned = type(tasks)(
        tuple(tasks.names[k] for k in order), tasks.keys[order], tasks.train_x[order],
        tasks.train_y[order], tasks.valid_x[order], tasks.valid_y[order], "rms_error", 2,
    )  # fmt: skip
    got = Evaluator(turned, module=cpu.build("float64", 4), seed_key=77)(program).task_fitness
    assert np.array_equal(got, fitness[4][order])
    other = Evaluator(tasks, module=cpu.build("float64", 4), seed_key=78)(program).task_fitness
    assert (other != fitness[4]).all()

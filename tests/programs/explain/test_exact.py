"""The shortest form of a program: every error keeps its bits, and what can go goes."""

import numpy as np
import pytest
from helpers import grown_program, parse, random_program, small_tasks

from zero.programs.evaluator import Evaluator
from zero.programs.explain.exact import exact, prove
from zero.programs.interpreter import reference
from zero.programs.library import names
from zero.programs.library import program as shipped
from zero.programs.ops import OPS
from zero.programs.program import Memory, Program
from zero.programs.simplified import simplify

FEW = Memory(5, 4, 2)  # so few places that values often meet


def programs(number, seed):
    """Random programs, many of which compute with constants, zeros and the same values again."""
    rng = np.random.default_rng(seed)
    scalar = [n for n, op in OPS.items() if set(op.signature) <= set("s>")]
    for k in range(number):
        if k % 3 == 0:
            yield random_program(rng, FEW, (6, 8, 8))
        elif k % 3 == 1:
            yield random_program(rng, FEW, (6, 8, 8), [*scalar, "VECTOR_INNER_PRODUCT"])
        else:
            base = parse(
                Setup="s2 = 0.5; s3 = 1; v1 = gaussian(0, 1, n_features)",
                Predict="s1 = dot(v1, v0)",
                Learn="s4 = s0 - s1; s4 = s2 * s4; v2 = s4 * v0; v1 = v1 + v2",
            )
            yield grown_program(rng, base, FEW, 12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("metric", ["rms_error", "accuracy"])
def test_every_error_keeps_its_bits(metric, dtype):
    tasks = small_tasks(tasks=1, metric=metric, epochs=2, train=5, valid=3)
    shorter = folded = repeated = 0
    fitness = set()
    for program in programs(150, 4):
        found = exact(program, dtype)
        settings = {"seed_key": 3, "dtype": dtype, "max_abs_error": 1e9}
        a = reference.run(program, FEW, tasks, 0, **settings)
        b = reference.run(found.program, FEW, tasks, 0, **settings)
        assert a.train_steps == b.train_steps and a.fitness == b.fitness, str(program)
        np.testing.assert_array_equal(a.train_errors, b.train_errors, str(program))
        np.testing.assert_array_equal(a.valid_errors, b.valid_errors, str(program))
        fitness.add(a.fitness)
        shorter += len(found.program) < len(simplify(program))
        folded, repeated = folded + found.folded, repeated + found.repeated
        assert len(found.program) + found.unused + found.repeated == len(program)
    assert shorter > 25 and folded > 10 and repeated > 25  # all of it happens often
    assert len(fitness) > (25 if metric == "rms_error" else 3)


def test_the_compiled_interpreter_agrees():
    evaluate = Evaluator(small_tasks(tasks=3), keep_errors=True)
    for program in programs(60, 5):
        proof, _ = prove(evaluate, program, exact(program).program)
        assert proof.holds and proof.tasks == 3 and proof.errors == 12, str(program)


def test_a_difference_is_no_proof():
    evaluate = Evaluator(small_tasks(tasks=3), keep_errors=True)
    other = parse(Setup="s2 = 0.010000001", Predict="s1 = dot(v1, v0)",
                  Learn="s3 = s0 - s1; s3 = s2 * s3; v2 = s3 * v0; v1 = v1 + v2")  # fmt: skip
    proof, _ = prove(evaluate, shipped("linear"), other)
    assert not proof.holds


def test_once_is_enough():
    for program in [*programs(60, 6), *map(shipped, names())]:
        once = exact(program).program
        again = exact(once)
        assert again.program == once and (again.unused, again.folded, again.repeated) == (0, 0, 0)


def test_shipped_programs_are_as_short_as_they_can_be():
    for name in ("linear", "neural_network", "paper_best"):
        assert exact(shipped(name)).program == shipped(name)


def form(dtype="float64", **functions):
    return exact(parse(**functions), dtype).program


def test_what_constants_give_is_a_constant():
    found = form(
        Setup="s2 = 0.5; s3 = 2; s4 = s2 * s3; s5 = s4 - s2",
        Predict="s1 = dot(v0, v0); s1 = s1 * s5",
    )
    assert found == parse(Setup="s5 = 0.5", Predict="s1 = dot(v0, v0); s1 = s1 * s5")


def test_constants_fold_in_the_arithmetic_of_the_run():
    functions = dict(Setup="s2 = 0.1; s3 = s2 + s2; s4 = s3 + s2", Predict="s1 = s1 + s4")
    assert form(**functions).setup[0].constants == (0.1 + 0.1 + 0.1,)
    single = np.float32(0.1)
    assert form("float32", **functions).setup[0].constants == (float(single + single + single),)


def test_what_libraries_round_differently_is_left():
    functions = dict(Setup="s2 = 0.5; s3 = sin(s2)", Predict="s1 = s1 + s3")
    assert form(**functions) == parse(**functions)


def test_what_is_there_already_is_not_written_again():
    found = form(
        Setup="s2 = 0.5", Predict="s2 = 0.5; v2 = v3 * v4; s1 = dot(v1, v0); s1 = s1 * s2",
        Learn="s2 = 0.5; v1 = v1 + v0; v1 = v1 + v2",
    )  # fmt: skip
    assert found == parse(
        Setup="s2 = 0.5", Predict="s1 = dot(v1, v0); s1 = s1 * s2",
        Learn="v1 = v1 + v0; v1 = v1 + v2",  # which makes 0 of -0
    )  # fmt: skip


def test_the_same_twice_is_computed_once():
    found = form(
        Setup="s2 = 1", Predict="s1 = dot(v1, v0)",
        Learn="s3 = s0 - s1; s4 = s2 * s3; s5 = s0 - s1; v2 = s4 * v0; v2 = s5 * v2; v1 = v1 + v2",
    )  # fmt: skip
    assert found == parse(
        Predict="s1 = dot(v1, v0)",
        Learn="s3 = s0 - s1; v2 = s3 * v0; v2 = s3 * v2; v1 = v1 + v2",
    )


def test_an_iteration_may_begin_with_something_else():
    # s3 is 0 in the first example alone; and each learn draws anew.
    for functions in (
        dict(Predict="s1 = s1 - s3", Learn="s3 = s3 + s0"),
        dict(Predict="v1 = v0 - v2; s1 = dot(v1, v0)", Learn="v2 = uniform(0, 1, n_features)"),
        dict(Predict="s1 = s2 - s3", Learn="s2 = uniform(0, 1); s3 = uniform(0, 1)"),
    ):
        assert form(**functions) == parse(**functions)


def test_minus_zero_is_not_zero():
    # 0 + -0 is 0, so 1 / it is another infinity.
    functions = dict(
        Predict="s2 = s3 * s4; s5 = s2 + s6; s1 = 1 / s5", Learn="s3 = s0 - s1; s4 = s3 - s0"
    )
    assert form(**functions) == parse(**functions)


def test_origins_name_the_instructions_kept():
    program = parse(
        Setup="s9 = 3; s2 = 0.5", Predict="s8 = s2 + s2; s1 = dot(v1, v0)",
        Learn="s3 = s0 - s1; s3 = s2 * s3; NoOp(); v2 = s3 * v0; v1 = v1 + v2",
    )  # fmt: skip
    found = exact(program)
    assert found.origins == ((1,), (1,), (0, 1, 3, 4)) and found.unused == 3
    kept = [[f[k] for k in at] for f, at in zip(program.functions, found.origins, strict=True)]
    assert Program(*map(tuple, kept)) == found.program

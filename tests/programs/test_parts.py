"""Programs that are a part of training a network: what is run, on both interpreters, and around it."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import grown_program, parse

from zero.errors import ConfigError, DeviceError, ProgramError
from zero.programs import library, parts
from zero.programs.backends import EvaluationSetup, get
from zero.programs.canonical import canonical_program
from zero.programs.evaluator import Evaluator
from zero.programs.explain.exact import exact
from zero.programs.export import parts as exported
from zero.programs.figures import chance, interval
from zero.programs.program import Memory, Program
from zero.programs.simplified import simplify
from zero.tasks import make_task_set
from zero.tasks.read import from_settings

WIDE = Memory(17, 4, 2)
SMALL = {
    "optimizer": {
        "count": 5, "epochs": 3, "steps": 2, "features": 3, "hidden": 3, "train": 12, "valid": 7,
        "batch": 4,
    },
    "loss": {
        "count": 3, "epochs": 2, "steps": 4, "features": 4, "hidden": 3, "train": 12, "valid": 7,
        "batch": 5, "flipped": 0.25,
    },
}  # fmt: skip
PARTS = sorted(SMALL)


def tasks_of(part, **more):
    return make_task_set(from_settings({"type": part, **SMALL[part], **more}), "search")


def programs(part, rng, number):
    """The shipped ones of that part, and such and empty ones with random instructions put in."""
    names = list(parts.OPTIMIZERS if part == "optimizer" else parts.LOSSES)
    yield from map(library.program, names)
    for k in range(number):
        base = Program() if k % 3 == 0 else library.program(names[k % len(names)])
        yield grown_program(rng, base, WIDE, int(rng.integers(1, 6)))


@pytest.fixture(scope="module")
def both():
    """Evaluators of the same tasks on both interpreters."""
    how = {"memory": WIDE, "seed_key": 9, "keep_errors": True}
    return {
        part: [Evaluator(tasks_of(part), backend, **how) for backend in ("reference", "cpu")]
        for part in PARTS
    }


# --- both interpreters ----------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_the_compiled_interpreter_does_what_the_reference_does(part, both):
    told = failed = 0
    for program in programs(part, np.random.default_rng(3), 18):
        wanted, got = (evaluate(program) for evaluate in both[part])
        assert got.train_steps == wanted.train_steps, str(program)
        apart = np.abs(got.task_fitness - wanted.task_fitness)
        assert apart.max() < 1e-6, f"{apart}\n{program}"
        np.testing.assert_array_equal(np.isnan(got.errors), np.isnan(wanted.errors))
        failed += int((wanted.task_fitness == 0).sum())
        told += len(set(wanted.task_fitness.tolist())) > 1
    assert told > 8  # most programs do something that differs between tasks
    assert part == "loss" or failed > 0


def test_float32_is_close():
    evaluate = Evaluator(tasks_of("optimizer"), "cpu", "float32")
    wanted = Evaluator(tasks_of("optimizer"), "reference", "float32")
    for name in parts.OPTIMIZERS:
        program = library.program(name)
        got = evaluate(program).task_fitness
        np.testing.assert_allclose(got, wanted(program).task_fitness, atol=2e-3)


@pytest.mark.parametrize("part", PARTS)
def test_dead_code_and_other_words_change_no_bit(part, both):
    evaluate, rng = both[part][1], np.random.default_rng(8)
    shorter = 0
    for program in programs(part, rng, 30):
        wanted = evaluate(program).task_fitness
        for same in (simplify(program), canonical_program(program)):
            assert np.array_equal(evaluate(same).task_fitness, wanted), f"{program}\n{same}"
            shorter += len(same) < len(program)
        short = exact(program, part=part).program
        assert np.array_equal(evaluate(short).task_fitness, wanted), f"{program}\n{short}"
    assert shorter > 10


# --- what is defined ------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_gradient_descent_on_a_quadratic_is_what_algebra_says(backend):
    settings = {"networks": 0.0, "epochs": 1, "steps": 6, "features": 4, "count": 3}
    tasks = tasks_of("optimizer", **settings)
    got = Evaluator(tasks, backend)(library.program("sgd")).task_fitness
    for task in range(3):
        x, y = tasks.train_x[task], tasks.train_y[task]
        curvature, pull = x.T @ x / len(x), x.T @ y / len(x)
        best = np.linalg.solve(curvature, pull)
        left = np.linalg.matrix_power(np.eye(4) - 0.1 * curvature, 6) @ -best
        error = np.sqrt(2 * 0.5 * left @ curvature @ left)
        assert got[task] == pytest.approx(1 - 2 / np.pi * np.arctan(error), rel=1e-9)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_the_fitness_is_of_the_geometric_mean_over_rounds(backend):
    tasks = tasks_of("optimizer", networks=0.0, epochs=3, steps=1)
    # Each round counts alike: after one, two and three steps.
    errors = []
    for rounds in (1, 2, 3):
        one = replace(tasks, epochs=1, training=replace(tasks.training, steps=rounds))
        fitness = Evaluator(one, backend)(library.program("sgd")).task_fitness
        errors.append(np.tan(np.pi / 2 * (1 - fitness)))
    got = Evaluator(tasks, backend)(library.program("sgd")).task_fitness
    wanted = np.exp(np.mean(np.log(errors), axis=0))
    np.testing.assert_allclose(np.tan(np.pi / 2 * (1 - got)), wanted, rtol=1e-9)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_cross_entropy_trains_as_back_propagation_does(backend):
    tasks = tasks_of("loss", count=1, epochs=1, steps=1, batch=12, hidden=0, rate=0.5)
    x, y = tasks.train_x[0], np.where(tasks.train_y[0] > 0.5, 1.0, -1.0)
    weights = 0.5 * (y[:, None] * x / (1 + np.exp(0.0))).mean(axis=0)  # one step from zero
    wanted = np.mean((tasks.valid_x[0] @ weights > 0) == (tasks.valid_y[0] > 0.5))
    got = Evaluator(tasks, backend)(library.program("cross_entropy")).fitness
    assert got == pytest.approx(wanted)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_loss_remembers_nothing(backend):
    tasks = tasks_of("loss")
    plain = Evaluator(tasks, backend)(library.program("squared_error"))
    # s4 would grow with each example, were memory to last.
    counting = parse(Setup="s3 = 1", Predict="s1 = s1 - s0; s4 = s4 + s3; s1 = s1 / s4")
    assert Evaluator(tasks, backend)(counting).fitness == plain.fitness


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_learn_is_the_second_half_of_an_optimisers_step(backend):
    tasks = tasks_of("optimizer")
    whole = parse(Setup="s2 = 0.1; s3 = 0.5", Predict="s4 = s3 * s4; s1 = s2 * s4; s4 = s4 + s0")
    halves = parse(
        Setup="s2 = 0.1; s3 = 0.5", Predict="s4 = s3 * s4; s1 = s2 * s4; s0 = s2 * s2",
        Learn="s4 = s4 + s0",
    )  # fmt: skip
    found = [Evaluator(tasks, backend)(p).task_fitness for p in (whole, halves)]
    assert np.array_equal(*found) and found[0].min() > 0


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_every_parameter_draws_its_own_numbers(backend):
    tasks = tasks_of("optimizer")
    one = parse(Setup="s2 = 0.1", Predict="s3 = uniform(0, 1); s1 = s2 * s3; s1 = s1 * s0")
    other = Evaluator(tasks, backend, seed_key=1)(one).task_fitness
    assert np.array_equal(Evaluator(tasks, backend, seed_key=1)(one).task_fitness, other)
    assert not np.array_equal(Evaluator(tasks, backend, seed_key=2)(one).task_fitness, other)


# --- around it ------------------------------------------------------------------------------------


def test_known_optimisers_are_better_than_no_step_and_tuned_ones_than_those():
    tasks = tasks_of("optimizer", count=8, epochs=4, steps=10)
    evaluate = Evaluator(tasks)
    for name in parts.OPTIMIZERS:
        program = library.program(name)
        tuned = parts.tuned(program, name, lambda p: evaluate(p).fitness)
        assert evaluate(tuned).fitness >= evaluate(program).fitness
        assert evaluate(tuned).fitness > chance(tasks).mean() + 0.1


def test_no_step_is_the_fitness_of_the_empty_program():
    tasks = tasks_of("optimizer")
    found = Evaluator(tasks)(Program()).task_fitness
    np.testing.assert_allclose(found, chance(tasks), rtol=1e-12)


def test_the_interval_is_over_tasks():
    tasks = tasks_of("optimizer")
    result = Evaluator(tasks, keep_errors=True)(library.program("sgd"))
    low, high = interval(tasks, result)
    assert low < result.fitness < high
    alike = replace(result, task_fitness=np.full(5, 0.75))
    assert interval(tasks, alike) == (0.75, 0.75)


@pytest.mark.parametrize("name", [*parts.OPTIMIZERS])
def test_the_exported_optimiser_takes_the_same_steps(name):
    module = {}
    exec(exported.to_python(library.program(name), "optimizer", name, {}), module)
    tasks = tasks_of("optimizer", networks=0.0, count=1, epochs=1, steps=5)
    x, y = tasks.train_x[0], tasks.train_y[0]
    weights, optimizer = np.zeros(x.shape[1]), module["Optimizer"]()
    for _ in range(5):
        weights -= optimizer.step(x.T @ (x @ weights - y) / len(x))
    error = np.sqrt(np.mean((x @ weights - y) ** 2))
    wanted = Evaluator(tasks)(library.program(name)).fitness
    assert 1 - 2 / np.pi * np.arctan(error) == pytest.approx(wanted, rel=1e-9)


def test_the_exported_loss_gives_the_derivative():
    module = {}
    exec(exported.to_python(library.program("cross_entropy"), "loss", "x", {}), module)
    labels, outputs = np.array([1.0, -1.0, 1.0]), np.array([0.5, 2.0, -3.0])
    step = 1e-6
    by_hand = [
        (np.log1p(np.exp(-y * (z + step))) - np.log1p(np.exp(-y * (z - step)))) / (2 * step)
        for y, z in zip(labels, outputs, strict=True)
    ]
    np.testing.assert_allclose(module["derivative"](labels, outputs), by_hand, rtol=1e-6)


def test_vectors_and_learn_are_exported_too():
    program = parse(
        Setup="s2 = 0.3; m0[0.5, 0.5] = 2", Predict="v1 = dot(m0, v0); s4 = norm(v1); s1 = s4 * s2",
        Learn="s2 = s2 * s2; s5 = heaviside(s0, 1.0); s2 = s2 + s5",
    )  # fmt: skip
    module = {}
    exec(exported.to_python(program, "optimizer", "x", {}), module)
    found = module["Optimizer"]()
    first, second = found.step(np.array([1.0, -2.0])), found.step(np.array([1.0, 1.0]))
    np.testing.assert_allclose(first, [0.6, 1.2])
    np.testing.assert_allclose(second, [2 * 1.09, 2 * 0.09])


def test_what_cannot_be_exported_is_told():
    noisy = parse(Predict="s1 = gaussian(0, 1)")
    with pytest.raises(ProgramError, match="draws random numbers"):
        exported.to_python(noisy, "optimizer", "x", {})
    with pytest.raises(ConfigError, match=r"form onnx is for predictors.*an optimizer; give --to"):
        exported.check_form("optimizer", "onnx")


def test_a_gpu_refuses_in_one_line():
    setup = EvaluationSetup(tasks_of("optimizer"), "float32")
    for call in (
        lambda: get("cuda").runner(setup),
        lambda: get("cuda").modules(setup, "regularized_evolution", 1),
    ):
        with pytest.raises(DeviceError, match=r"cuda does not train networks.*use cpu"):
            call()

"""Evaluators: combining tasks, train budget, hurdle, and what they refuse."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers import MEMORY, SearchEvaluator, parse, small_tasks

from tests.programs.test_fec import LINE, counting
from zero.errors import DeviceError, ProgramError
from zero.programs.evaluator import Evaluator
from zero.programs.interpreter import cpu
from zero.programs.interpreter.arrays import BUDGET_FAILS, HURDLE_FAILS
from zero.programs.interpreter.reference import combine, fitness_of_loss
from zero.programs.ops import get_op
from zero.programs.program import Memory, Program


def test_combining_tasks():
    fitness = np.array([0.5, 0.1, 0.9, 0.2])
    assert combine(fitness, "mean") == pytest.approx(0.425)
    assert combine(fitness, "median") == 0.5  # the upper middle one, no averaging
    assert combine(fitness[:3], "median") == 0.5
    assert combine(fitness, "min") == 0.1


@pytest.mark.parametrize("how", ["mean", "median", "min"])
@pytest.mark.parametrize("count", [1, 4, 6, 7])
def test_search_combines_as_the_reference_does(how, count):
    tasks = small_tasks(tasks=count)
    got, _ = SearchEvaluator(tasks, combine=how)(LINE)
    wanted = Evaluator(tasks, "reference", combine=how)(LINE)
    assert got == pytest.approx(wanted.fitness, abs=1e-14)
    if count > 2:
        each = np.sort(wanted.task_fitness)
        assert len(set(each)) == count
        at = {"mean": each.mean(), "median": each[count // 2], "min": each[0]}[how]
        assert got == pytest.approx(at, abs=1e-14)


def test_fitness_of_a_loss():
    assert fitness_of_loss(0.0, False) == 1.0
    assert fitness_of_loss(0.25, False) == pytest.approx(0.704833, abs=1e-6)  # spec, 4.3
    assert fitness_of_loss(1.0, False) == pytest.approx(0.5)
    assert fitness_of_loss(1e4, False) == pytest.approx(0.006366, abs=1e-6)
    assert fitness_of_loss(np.inf, False) == 0.0
    assert fitness_of_loss(0.25, True) == 0.75


# --- train budget ---------------------------------------------------------------------------------


def cost_of(program, steps):
    setup, predict, learn = (sum(get_op(i.op).cost for i in f) for f in program.functions)
    return setup + steps * (predict + learn)


def test_train_budget_is_of_the_whole_program_and_inclusive():
    tasks = small_tasks(tasks=3, epochs=2)  # 16 steps
    dead = replace(LINE, predict=LINE.predict + parse(Learn="m1 = outer(v0, v0)").learn)
    cost = cost_of(LINE, 16)
    assert cost == 3691108 + 16 * (4294617 + 5102027 + 4418347 + 3705015 + 4701519)
    exact = SearchEvaluator(tasks, budget=float(cost))
    assert exact(LINE) == SearchEvaluator(tasks)(LINE)
    assert exact(dead) == (0.0, 0)  # dead instructions cost, too
    assert exact.count(BUDGET_FAILS) == 1
    assert SearchEvaluator(tasks, budget=cost - 1.0)(LINE) == (0.0, 0)
    # Rejected programs leave nothing behind.
    assert exact(LINE)[0] == SearchEvaluator(tasks)(LINE)[0]


# --- hurdle ---------------------------------------------------------------------------------------


def constant(value):
    return parse(Setup=f"s1 = {value}")


def test_hurdle_is_a_quantile_of_the_unique_fitness_of_the_last_window():
    tasks = small_tasks(tasks=2, train=10, valid=8)
    short = replace(tasks, train_x=tasks.train_x[:, :4], train_y=tasks.train_y[:, :4],
                    valid_x=tasks.valid_x[:, :3], valid_y=tasks.valid_y[:, :3])  # fmt: skip
    early = SearchEvaluator(short)
    full = SearchEvaluator(tasks)
    search = SearchEvaluator(tasks, hurdle=(4, 3, 0.5, 4))
    programs = [constant(v) for v in (0.0, 3.0, 9.0, 0.5)]
    # The first window passes whole.
    assert [search(p) for p in programs] == [full(p) for p in programs]
    ordered = sorted({early(p)[0] for p in programs})
    assert len(ordered) == 4
    threshold = ordered[int(0.5 * 3)]
    assert search.arrays.hurdle.threshold[0] == threshold
    bad, good = constant(20.0), constant(0.25)
    assert early(bad)[0] < threshold <= early(good)[0]
    # One that fails is ranked by what it showed, but below all that passed.
    assert search(bad) == (early(bad)[0] / 1000, 2 * 4)
    assert search.count(HURDLE_FAILS) == 1
    assert search(good) == full(good)
    # A second window: those that failed count, equal ones count once.
    for value in (30.0, 30.5):
        search(constant(value))
    seen = {early(constant(v))[0] for v in (20.0, 0.25, 30.0, 30.5)}
    assert search.arrays.hurdle.threshold[0] == sorted(seen)[int(0.5 * (len(seen) - 1))]


def test_training_goes_on_where_cache_and_hurdle_left_it():
    tasks = small_tasks(tasks=5, train=10, valid=8, epochs=2)
    plain = SearchEvaluator(tasks)
    search = SearchEvaluator(tasks, cache_=(3, 3, 100, 0), hurdle=(7, 4, 0.5, 1000))
    for rate in (0.05, 0.3, 0.9, 1.5):
        program = parse(str(LINE).replace("0.05", str(rate)))
        assert search(program) == plain(program)
    assert search(counting(2)) == plain(counting(2))


# --- refusing -------------------------------------------------------------------------------------


def test_unusable_backends(monkeypatch):
    with pytest.raises(DeviceError, match="unknown backend 'gpu'"):
        Evaluator(small_tasks(), "gpu")
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(DeviceError, match="backend 'cuda' needs CuPy"):
        Evaluator(small_tasks(), "cuda")


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_program_that_does_not_fit_is_refused_before_it_runs(backend):
    evaluate = Evaluator(small_tasks(), backend, memory=Memory(4, 2, 0))
    with pytest.raises(ProgramError, match="no address s4 in memory"):
        evaluate(parse(Predict="s1 = s4 + s4"))
    anywhere = Evaluator(small_tasks(), backend)
    for text in ("v1[5] = 2", "v1[nan] = 2", "m0[0, 1] = 1", "s1 = s40000 + s1", "v64 = v0 + v0"):
        with pytest.raises(ProgramError):
            anywhere(parse(Predict=text))


def test_programs_of_any_size_one_after_the_other():
    tasks = small_tasks(tasks=4)
    evaluate = Evaluator(tasks, module=cpu.build("float64", 4))
    reference = Evaluator(tasks, "reference")
    rng = np.random.default_rng(0)
    from helpers import grown_program

    for extra in (0, 12, 3, 20, 0):
        program = grown_program(rng, LINE, MEMORY, extra, ["SCALAR_SUM", "VECTOR_MAX"])
        got, wanted = evaluate(program), reference(program)
        np.testing.assert_allclose(got.task_fitness, wanted.task_fitness, rtol=1e-9, atol=1e-12)
        assert got.train_steps == wanted.train_steps
    first = evaluate(LINE)
    first.task_fitness[:] = 7  # a copy: the next result is not touched
    assert evaluate(LINE).fitness < 1
    assert evaluate(Program()).train_steps == 32

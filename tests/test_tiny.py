"""The whole engine in seconds, run first: an op, a program, a search, a run on disk."""

import numpy as np
import pytest
from helpers import SearchEvaluator, parse, run_reference, small_tasks, space_for

from zero.programs import library
from zero.programs.evaluator import Evaluator
from zero.programs.interpreter import cpu
from zero.programs.interpreter.reference import Banks
from zero.programs.program import Memory, parse_instruction, parse_program

OPS = [
    "SCALAR_CONST_SET", "VECTOR_INNER_PRODUCT", "SCALAR_DIFF", "SCALAR_PRODUCT",
    "SCALAR_VECTOR_PRODUCT", "VECTOR_SUM",
]  # fmt: skip


def test_one_instruction():
    banks = Banks(Memory(3, 2, 0), 2)
    banks.v[:] = [[1, 2], [3, 4]]
    run_reference([parse_instruction("s1 = dot(v0, v1)")[0]], banks)
    assert banks.s.tolist() == [0, 11, 0]


def test_one_program_on_both_interpreters():
    tasks = small_tasks(tasks=4)
    for name in library.names():
        program = library.program(name)
        assert parse_program(str(program)) == program
        wanted = Evaluator(tasks, "reference")(program)
        got = Evaluator(tasks, "cpu")(program)
        np.testing.assert_allclose(got.task_fitness, wanted.task_fitness, rtol=1e-9)
        assert got.train_steps == wanted.train_steps


def test_search_evaluates_as_the_evaluator_does():
    tasks = small_tasks(tasks=4)
    program = library.program("linear")
    fitness, steps = SearchEvaluator(tasks, cache_=(4, 2, 100, 100))(program)
    assert fitness == pytest.approx(Evaluator(tasks, "reference")(program).fitness, rel=1e-12)
    assert steps == 4 * 8


def island(seed, ops, tasks, **more):
    """An island of 50 programs with all three functions free to change."""
    from zero.evolution.island import Limits
    from zero.programs.island import Island

    module = cpu.build("float64", 4)
    memory = Memory(4, 3, 1)
    weights = {"alter_parameter": 1, "randomize_function": 1, "insert_instruction": 1,
               "remove_instruction": 1}  # fmt: skip
    space, starts = space_for(
        [ops] * 3, [(0, 4), (0, 3), (0, 6)], weights, memory,
        initial=parse(Setup="s2 = 0.1", Predict="s1 = dot(v1, v0)"), probability=0.9,
    )  # fmt: skip
    arrays = cpu.new_evaluator(
        tasks, memory, starts, module=module, key=1, cache_=(4, 2, 1000, 100), seen_size=1000
    )
    limits = Limits(individuals=3000, round=1000)
    select = Evaluator(tasks, module=module)
    return Island(
        module, space, memory, arrays, select, 50, [5.0], seed, 0, 0, 1, limits, 0, **more
    )


def finished(island):
    """Runs an island to its end; returns it."""
    while island.reason is None:
        island.advance(0.05)
        if island.waiting and island.reason is None:
            island.begin_round()
    return island


def test_an_island_searches_the_same_way_twice():
    tasks = small_tasks(tasks=4, train=10)
    a, b, c = (finished(island(seed, OPS, tasks)) for seed in (1, 1, 2))
    assert a.individuals == b.individuals == 3000
    for name, array in a._arrays().items():
        np.testing.assert_array_equal(array, b._arrays()[name], name)
    assert not np.array_equal(a.genomes.code, c.genomes.code)
    first = Evaluator(tasks, "reference")(parse(Setup="s2 = 0.1", Predict="s1 = dot(v1, v0)"))
    assert a.population.best[0] > first.fitness


def test_what_the_search_says_of_its_programs_is_true():
    # All 65 ops; the fitness of everyone alive is what the reference says, but for rare programs
    # that amplify the last bit, or were alike in the fingerprint.
    from helpers import noisy

    from zero.programs.ops import OPS as ALL
    from zero.programs.program import from_arrays

    tasks = small_tasks(tasks=4, train=10)
    done = finished(island(3, list(ALL), tasks))
    # An island draws with the key that its arrays were made with.
    evaluate = Evaluator(tasks, "reference", memory=Memory(4, 3, 1), seed_key=1)
    wrong = stable = 0
    for slot in range(50):
        record = done.population.slots[slot]
        program = from_arrays(*cpu.read_arrays(done.genomes, record, done.starts))
        wanted = evaluate(program).fitness
        with noisy(1e-13, slot):
            moved = evaluate(program).fitness
        if abs(moved - wanted) < 1e-9:
            stable += 1
            wrong += abs(wanted - done.population.slot_fitness[slot]) > 1e-8
    assert stable > 25 and wrong <= 2


def test_a_run_from_settings_to_results(tmp_path):
    import zero
    from zero.runs.archive import best_record, read_archive

    task = {"type": "linear_regression", "features": 4, "train": 20, "valid": 10, "count": 5}
    functions = {
        "setup": {"ops": ["SCALAR_CONST_SET"], "size": 2},
        "predict": {"ops": OPS, "size": 1},
        "learn": {"ops": OPS, "size": 4},
    }
    config = zero.make_config({
        "name": "tiny",
        "seed": 3,
        "program": {"memory": {"scalars": 4, "vectors": 3, "matrices": 0}, **functions,
                    "initial": "random"},
        "tasks": {"search": task},
        "search": {"population": 50, "tournament": 5},
        "budget": {"individuals": 2000},
    })  # fmt: skip
    outcome = zero.start(config, tmp_path / "run")
    assert outcome.reason == "individuals" and outcome.individuals == 2000
    assert 0 < outcome.search_fitness <= 1 and 0 <= outcome.final.fitness <= 1
    best = best_record(read_archive(tmp_path / "run"))
    assert best.fitness == outcome.search_fitness

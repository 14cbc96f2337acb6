"""What children must be before they are evaluated: data flow, canonical keys, and searches that use them."""

import json
from dataclasses import replace

import numba
import numpy as np
import pytest
from helpers import MEMORY, grown_program, parse, small_tasks, space_for

from zero.config.load import load_config
from zero.evolution.population import INDIVIDUALS
from zero.programs import library
from zero.programs.domain import ProgramsDomain
from zero.programs.interpreter import cpu, reference
from zero.programs.mutations import new_genomes
from zero.programs.ops import OPS, get_op
from zero.programs.program import from_arrays
from zero.programs.proposals import LEARNS, NOTHING, SEES, dependence
from zero.programs.zeros import of_zero
from zero.runs.archive import read_archive
from zero.runs.run import resume, start

ALL = (list(OPS),) * 3


@numba.njit
def _dependence(genomes, space):
    return dependence(genomes, 0, space)


def depends(program):
    """What the program's prediction may depend on."""
    sizes = [(len(f), len(f) + 1) for f in program.functions]
    space, starts = space_for(ALL, sizes, initial=program)
    genomes = new_genomes(1, int(starts[3]))
    cpu.write_program(genomes, 0, starts, program)
    return _dependence(genomes, cpu.build("float64", 4).pack(space))


@pytest.mark.parametrize(
    ("functions", "expected"),
    [
        ({"Setup": ""}, NOTHING),
        ({"Predict": "s1 = dot(v1, v1)"}, NOTHING),
        ({"Predict": "s2 = dot(v0, v0)"}, NOTHING),
        ({"Predict": "s1 = dot(v0, v0)"}, SEES),
        # The product with what is always zero is zero.
        ({"Predict": "s1 = dot(v0, v1)"}, NOTHING),
        ({"Predict": "s1 = dot(v0, v1)", "Learn": "v1 = s0 * v0"}, LEARNS),
        ({"Predict": "s1 = dot(v0, v1)", "Learn": "v1 = s2 * v0"}, NOTHING),
        ({"Predict": "s1 = dot(v0, v1)", "Learn": "s3 = s0 - s0; v1 = s3 * v0"}, NOTHING),
        ({"Setup": "s2 = 0.5", "Predict": "s1 = dot(v0, v1)", "Learn": "v1 = s2 * v0"}, SEES),
        # The label is gone before anything reads it, or after it was used for nothing.
        ({"Predict": "s1 = dot(v0, v0)", "Learn": "s2 = s0 * s0"}, SEES),
        # Only over two examples does it get through.
        (
            {"Predict": "s1 = dot(v0, v2); v2 = v1 + v1", "Learn": "v1 = s0 * v0"},
            LEARNS,
        ),
        # cos(0) is 1.
        ({"Predict": "s2 = cos(s3); v1 = s2 * v0; s1 = mean(v1)"}, SEES),
    ],
)
def test_what_a_prediction_depends_on(functions, expected):
    assert depends(parse(**functions)) == expected


PREDICTORS = (
    "linear",
    "linear_with_bias",
    "neural_network",
    "discovered_linear",
    "discovered_digits",
)


@pytest.mark.parametrize("name", PREDICTORS)
def test_shipped_programs_learn(name):
    program = library.program(name)
    assert depends(program) == LEARNS


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.inputs], ids=lambda op: op.name)
def test_zeros_do_what_the_table_says(op):
    """The claim about zeros holds for what the reference interpreter computes."""
    claim, rng = of_zero(op), np.random.default_rng(1)
    shape = {"s": (), "v": (3,), "m": (3, 3)}
    operands = [rng.uniform(0.2, 0.8, shape[kind]) for kind in op.inputs]

    def zero_where(zeros):
        given = [np.zeros_like(x) if z else x for x, z in zip(operands, zeros, strict=True)]
        return not np.any(computed(op, given))

    everything = [True] * len(operands)
    assert zero_where(everything) == (claim != 0)
    if claim == 2:
        for k in range(len(operands)):
            assert zero_where([j == k for j in range(len(operands))])
    if claim == 3:
        assert not np.any(computed(op, [operands[0], operands[0]]))


def computed(op, operands):
    """The result of an op on given operands, by the reference interpreter."""
    out = 0 if op.output == "m" else 3
    text = op.listing.format(o=out, a=1, b=2)
    program = parse(Setup=text)
    banks = reference.Banks(MEMORY, 3, "float64")
    for address, kind, value in zip((1, 2), op.inputs, operands, strict=False):
        banks.bank(kind)[address] = value
    with np.errstate(all="ignore"):
        reference.execute(program.setup[0], banks, reference.Draws())
    return banks.bank(op.output)[out]


def test_no_program_that_learns_is_taken_for_one_that_does_not():
    """Programs whose predictions change with the labels of earlier examples are never told apart."""
    rng, tasks = np.random.default_rng(5), small_tasks(1, train=6, valid=6)
    other = small_tasks(1, train=6, valid=6)
    other.train_y[:] = np.roll(other.train_y, 1, axis=1) + 0.37
    changed = 0
    for _ in range(150):
        program = grown_program(rng, library.program("linear"), MEMORY, 12, ops=DETERMINISTIC)
        a, b = (predictions(program, t) for t in (tasks, other))
        if np.isfinite(a).all() and np.isfinite(b).all() and (a != b).any():
            changed += 1
            assert depends(program) == LEARNS or not features_matter(program, tasks)
    assert 20 < changed < 150


DETERMINISTIC = [op.name for op in OPS.values() if not op.random]


def predictions(program, tasks):
    """Errors on the valid examples, plus their labels: the predictions up to sign."""
    trace = reference.run(program, MEMORY, tasks, 0, seed_key=0, max_abs_error=1e9, dtype="float64")
    found = np.full(tasks.valid_y.shape[1], np.nan)
    found[: len(trace.valid_errors)] = trace.valid_errors
    return found


def features_matter(program, tasks):
    """Whether other features give other predictions."""
    other = small_tasks(1, train=6, valid=6)
    other.valid_x[:] += 0.11
    return (predictions(program, tasks) != predictions(program, other)).any()


def run(folder, *settings):
    return start(load_config("linear_demo", ["report=false", *settings]), folder)


SMALL = ("experiments={max: 1, individuals: 30000}", "budget={individuals: 30000}")


def test_conditions_make_more_of_the_individuals_worth_training():
    shares = {}
    for setting in ("none", "{}"):
        config = load_config("linear_demo", [f"search.proposals={setting}", *SMALL])
        budget = {"individuals": 20_000, "train_steps": 2**60}
        island = ProgramsDomain(config).islands(0, budget)[0]
        island.limits = replace(island.limits, round=20_000)
        while island.reason is None:
            island.advance(1.0)
        stats = island.stats()
        shares[setting] = 1 - stats["hits"] / stats["evaluations"]
        assert (stats["proposals"] == stats["individuals"]) == (setting == "none")
    assert shares["{}"] > shares["none"] + 0.1


def test_the_same_seed_gives_the_same_run_and_a_resumed_one(tmp_path):
    settings = ("search.proposals={tries: 50}", *SMALL)
    whole = run(tmp_path / "whole", *settings)
    config = load_config("linear_demo", ["report=false", *settings])
    outcome = start(config, tmp_path / "part", max_seconds=0.3)
    while outcome.reason == "max_seconds":
        outcome = resume(tmp_path / "part", max_seconds=2)
    assert outcome.individuals == whole.individuals == 30000
    assert outcome.search_fitness == whole.search_fitness
    assert str(outcome.program) == str(whole.program)
    told = [
        json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()
    ]
    shown = [event for event in told if event["event"] == "progress"]
    assert all(1 < event["proposals_per_individual"] <= 50 for event in shown) and shown


def ended_island(conditions, *settings, between=lambda island: None):
    """An island of a search that has ended; between: done to it every now and then."""
    config = load_config("linear_demo", [f"search.proposals={conditions}", *SMALL, *settings])
    budget = {"individuals": 20_000, "train_steps": 2**60}
    island = ProgramsDomain(config).islands(0, budget)[0]
    quota = np.array([20_000, 2**60, 2**60])
    while island.population.counts[INDIVIDUALS] < 20_000:
        between(island)
        island.module.run_block(island._state, 500, quota)
    return island


@pytest.mark.parametrize("conditions", ["{}", "{learns: false}", "{tries: 3}", "{changed: false}"])
def test_what_is_remembered_of_programs_decides_nothing(conditions):
    """Neither the keys of individuals nor what is decoded already: an island without goes the same way."""

    def forget(island):
        island.space.proposals.of_record[:] = 0
        island.arrays.begun[0] = -1

    one = ended_island(conditions)
    other = ended_island(conditions, between=forget)
    assert one.space.proposals.of_record.any()
    for name in ("number", "parent", "fitness"):
        assert (getattr(one.population, name) == getattr(other.population, name)).all()
    assert (one.genomes.code == other.genomes.code).all()
    assert one.rng == other.rng


@pytest.mark.parametrize("conditions", ["{}", "{tries: 3}"])
def test_fitness_is_that_of_the_program_itself(conditions):
    """Whatever was begun before: each individual has the fitness that evaluation alone gives its program."""
    island = ended_island(conditions, "evaluation.cache={train: 10, valid: 10, forget_every: 0}")
    population, checked = island.population, 0
    for slot in range(0, len(population.slots), 25):
        row = int(population.slots[slot])
        fitness, _ = island.module.evaluate_program(island._genomes, row, island._evaluator)
        # The cache takes programs for one that agree on its first examples.
        checked += fitness == population.fitness[row]
    assert checked >= 38


def test_random_programs_are_drawn_until_they_learn(tmp_path):
    settings = (
        "search.method=random_search", "budget={individuals: 300}", "search.population=100",
        "tasks.search.count=1",
    )  # fmt: skip
    run(tmp_path / "random", "search.proposals={tries: 100000}", *settings)
    archive = read_archive(tmp_path / "random")
    found = [record for e in archive.experiments for record in e.records]
    assert found and all(
        depends(from_arrays(record.code, record.consts, record.sizes)) == LEARNS for record in found
    )
    space, _ = space_for(
        ([], ["VECTOR_INNER_PRODUCT"], ["SCALAR_VECTOR_PRODUCT", "VECTOR_SUM"]),
        [(0, 1), (1, 1), (2, 2)],
        initial=parse(Predict="NoOp()", Learn="NoOp(); NoOp()"),
    )
    assert space.proposals.tries[0] == 1  # off unless asked for


@pytest.mark.parametrize("value", ["{tries: 1}", "{changed: maybe}", "{unknown: 1}", "5"])
def test_wrong_settings_are_told(value):
    from zero.errors import ConfigError

    with pytest.raises(ConfigError, match=r"search\.proposals"):
        load_config("linear_demo", [f"search.proposals={value}"])


def test_get_op_knows_ops_of_the_table():
    assert get_op("SCALAR_DIFF").formula == "a - b" and of_zero(get_op("SCALAR_DIFF")) == 3

"""Every shipped config is right, says what it is for, and runs."""

import numpy as np
import pytest
from small_cells import write_table
from typer.testing import CliRunner

from zero import cuda
from zero.cli import main as cli
from zero.config.load import load_config
from zero.config.shipped import shipped_configs
from zero.cuda.host import HostMachine
from zero.programs.cuda import search
from zero.programs.domain import ProgramsDomain, initial_program, memory_of
from zero.programs.program import validate_program
from zero.runs import run
from zero.search import shares_weights

CONFIGS = sorted(shipped_configs())
CELLS = [name for name in CONFIGS if load_config(name).genomes == "cells"]
PIPELINES = [name for name in CONFIGS if load_config(name).genomes == "pipelines"]
FUNCTIONS = [name for name in CONFIGS if load_config(name).genomes == "functions"]
PROGRAMS = [name for name in CONFIGS if name not in (*CELLS, *PIPELINES, *FUNCTIONS)]
NAS_BENCH_201_OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
# CIFAR-10 is the user's own; the same tasks from scikit-learn's digits, which have fewer images.
DIGITS = [
    f"tasks.{purpose}.{setting}"
    for purpose in ("search", "select", "final")
    for setting in (
        "source=digits", "path=null", "official_test=false", "train=100", "valid=50", "test=50",
    )
]  # fmt: skip
INSTEAD = {
    "adapt_few_examples": DIGITS,
    "adapt_fast_training": DIGITS,
    "adapt_ten_classes": DIGITS,
    "projected_binary_baseline": DIGITS,
    "search_fashion": DIGITS,
    "cifar10_from_scratch_gpu": [*DIGITS, "evaluation.hurdle={train: 20, valid: 20}"],
}
# So that a test takes a second: fewer and smaller tasks than the config asks for.
SMALLER = {
    "linear_demo": ["tasks.select.count=10", "tasks.final.count=10"],
    "linear_integration": [
        f"tasks.{purpose}.{setting}"
        for purpose in ("select", "final")
        for setting in ("count=10", "train=100")
    ],
    **{
        name: [f"tasks.{purpose}.{setting}" for purpose in ("search", "select", "final")
               for setting in ("count=2", "train=40", "epochs=2")]
        for name in ("adapt_few_examples", "adapt_fast_training", "adapt_ten_classes")
    },
    # As many tasks as others have, and numbers of the same kind: so there is less to compile.
    **{
        name: ["tasks.search.count=10"]
        for name in ("fig5", "search_backprop", "search_linear", "search_fashion")
    },
    **{
        name: ["dtype=float64"]
        + [f"tasks.{purpose}.count=4" for purpose in ("search", "select", "final")]
        for name in ("discover_optimizer", "discover_loss")
    },
    # The host machine is slow.
    "cifar10_from_scratch_gpu": [
        *(f"tasks.{purpose}.count=4" for purpose in ("search", "select", "final")),
        "tasks.search.train=30", "islands={count: 2, migrate_every: 400}",
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def host(monkeypatch):
    """Runs on backend cuda are made with the GPU's code on the CPU."""
    monkeypatch.setattr(cuda, "open_machine", lambda index=0: HostMachine())
    search.gpu_names.cache_clear()
    yield
    search.gpu_names.cache_clear()


def load(name, *overrides):
    return load_config(name, [*INSTEAD.get(name, []), *overrides])


def test_the_promised_configs_are_there():
    promised = {
        "quickstart", "linear_demo", "linear_integration", "nonlinear_integration",
        "projected_binary_baseline", "cifar10_from_scratch_gpu", "own_csv", "amoebanet_digits",
        "amoebanet_fashion", "amoebanet_cifar10", "nas_bench_201_table", "own_images", "search_chain",
        "search_hierarchical", "search_beam", "search_mnasnet", "search_nsga2", "search_progressive",
        "search_reinforce", "search_surrogate", "fit", "adapt_few_examples", "adapt_fast_training",
        "adapt_ten_classes", "discover_exp2", "discover_optimizer", "discover_loss",
    }  # fmt: skip
    assert promised <= set(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_its_header_says_what_to_expect(name):
    header = shipped_configs()[name].read_text().split("\n\n")[0]
    assert all(line.startswith("#") for line in header.splitlines())
    for word in (f"zero run {name}", "expect:", "time:"):
        assert word in header


@pytest.mark.parametrize("name", CONFIGS)
def test_it_is_right_without_its_data(name):
    config = load_config(name)
    assert config.name == name
    assert config.budget.individuals or config.budget.train_steps


@pytest.mark.parametrize("name", PROGRAMS)
def test_its_tasks_can_be_made(name):
    config = load(name, *SMALLER.get(name, []))
    domain = ProgramsDomain(config, initial_program(config))
    domain.check()
    sets = {p: domain.tasks(p, 0) for p in ("search", "select", "final")}
    for purpose, tasks in sets.items():
        assert tasks.num_tasks == getattr(config.tasks, purpose).count
        assert tasks.features == sets["search"].features
        assert np.isfinite(tasks.train_x).all()
    assert not np.array_equal(sets["search"].valid_x[0], sets["final"].valid_x[0])


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_runs(name, tmp_path):
    config = load(
        name, *SMALLER.get(name, []), "budget.individuals=3000", "search.population=100",
        "experiments={max: 1}",
    )  # fmt: skip
    outcome = run.start(config, tmp_path / "run")
    assert (outcome.reason, outcome.individuals) == ("individuals", 3000)
    assert 0 < outcome.search_fitness <= 1
    assert 0 <= outcome.final.fitness <= 1
    validate_program(outcome.program, memory_of(config))
    assert len(outcome.final.task_fitness) == config.tasks.final.count


def test_the_gpus_search_has_the_papers_settings():
    config = load_config("cifar10_from_scratch_gpu")
    program, search_ = config.program, config.search
    assert (config.backend, config.dtype, program.initial) == ("cuda", "float32", "empty")
    assert [len(set(f.ops)) for f in (program.setup, program.predict, program.learn)] == [9, 58, 58]
    assert tuple(program.memory.model_dump().values()) == (8, 14, 3)
    assert [f.size.max for f in (program.setup, program.predict, program.learn)] == [21, 21, 45]
    assert (search_.population, search_.tournament, search_.mutate_probability) == (100, 10, 0.9)
    assert search_.batch > 1 and config.islands.count > 1
    tasks = config.tasks
    for family in (tasks.search, tasks.select, tasks.final):
        assert (family.features, family.train, family.valid) == (16, 8000, 2000)
    assert tasks.search.held_out_pairs == tasks.select.pairs == tasks.final.pairs
    assert len(tasks.select.pairs) == 9
    result = CliRunner().invoke(cli.app, ["validate", config.name])
    assert result.stdout == f"{config.name}: no mistakes\n", result.output


# The same configs with few and small images, networks and candidates; of the table, one drawn anew.
SMALL_CELLS = [
    "backend=reference", "cells.images={source: digits, train: 60, valid: 40, test: 40}",
    "cells.skeleton={normal_cells: 0, filters: 2}", "cells.training={epochs: 1, batch: 30}",
    "cells.published=[]", "search={population: 4, tournament: 2}",
    "islands={count: 2, migrate_every: 2, migrants: 1}", "budget={individuals: 6}",
]  # fmt: skip
SMALL_TABLE = ["budget={individuals: 40}", "experiments={max: 2, individuals: 20}"]


@pytest.mark.parametrize("name", CELLS)
def test_cells_run(name, tmp_path):
    options = SMALL_CELLS
    if name == "nas_bench_201_table":
        table = write_table(tmp_path / "t.csv", NAS_BENCH_201_OPS)
        table = f"cells.evaluate={{table: {table}, select: valid, report: test}}"
        options = [table, *SMALL_TABLE]
    elif load_config(name).cells.final:
        options = [*options, "cells.final={filters: 3, epochs: 3}"]
    if shares_weights(load_config(name).search.method):  # its own method, small
        small = ["cells.skeleton.normal_cells=1", "search.population=4", "search.epochs=1"]
        small += ["search.samples=3", "search.sample=1", "search.candidates=1"]
        options = [*(o for o in options if not o.startswith(("search=", "cells.skel"))), *small]
        options.append("cells.skeleton.filters=2")
    config = load_config(name, options)
    outcome = run.start(config, tmp_path / "run")
    assert outcome.reason == "individuals"
    assert outcome.individuals == config.budget.individuals
    assert 0 < outcome.search_fitness <= 1
    assert 0 < outcome.final.fitness <= 1
    assert (tmp_path / "run" / "best.svg").exists()


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_run(name, tmp_path):
    config = load_config(name, ["pipelines.families=[tree]", "budget.individuals=3"])
    outcome = run.start(config, tmp_path / "run")
    assert (outcome.reason, outcome.individuals) == ("individuals", 3)
    assert outcome.final.fitness > 0.7


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_run(name, tmp_path):
    small = ["functions.operations=5", "search.population=20", "islands.count=1"]
    outcome = run.start(load_config(name, [*small, "budget.individuals=200"]), tmp_path / "run")
    assert (outcome.reason, outcome.individuals) == ("individuals", 200)
    assert outcome.final.fitness > 1.5  # worst error below about 3 %


@pytest.mark.parametrize("name", [name for name in CELLS if name != "nas_bench_201_table"])
def test_the_networks_of_its_size_can_be_built(name):
    from zero.cells.config import skeleton_of, space_of
    from zero.cells.networks.build import build_network
    from zero.rng.splitmix import new_state

    cells = load_config(name).cells
    shape = {"digits": (8, 8, 1), "fashion_mnist": (28, 28, 1)}.get(
        cells.images.source, (32, 32, 3)
    )
    for seed in range(3):
        genome = space_of(cells).random(new_state(seed))
        for final in (False, True):
            assert build_network(genome, skeleton_of(cells, final), shape, 10).num_parameters > 0

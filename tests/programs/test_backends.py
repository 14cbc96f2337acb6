"""Backends: each offers all that is declared; they are found by name and imported when asked for."""

import inspect
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import small_tasks

from zero import cuda
from zero.cuda.host import HostMachine
from zero.errors import DeviceError
from zero.programs import backends, library
from zero.programs.backends import (
    BACKENDS,
    Backend,
    EvaluationSetup,
    ProgramRunner,
    SearchModule,
    get,
)
from zero.programs.cuda import search
from zero.programs.interpreter import module
from zero.programs.program import memory_needed

SEARCH = "regularized_evolution"


@pytest.fixture(autouse=True)
def host(monkeypatch):
    """The GPU's code on the CPU, as a machine with two GPUs."""
    monkeypatch.setattr(cuda, "open_machine", lambda index=0: HostMachine())
    monkeypatch.setattr(search, "gpu_names", lambda: ["one", "two"])


def methods(protocol):
    return {n: f for n, f in vars(protocol).items() if inspect.isfunction(f) and n[0] != "_"}


def missing(thing, protocol):
    """What a thing lacks of a protocol: attributes, or methods that take the same arguments."""
    found = [name for name in protocol.__annotations__ if not hasattr(thing, name)]
    for name, declared in methods(protocol).items():
        offered = getattr(thing, name, None)
        offered = getattr(offered, "py_func", offered)
        wanted = list(inspect.signature(declared).parameters)[1:]
        if offered is None or list(inspect.signature(offered).parameters) != wanted:
            found.append(name)
    return found


def setup_of(**changes):
    tasks = small_tasks(tasks=3, features=4, train=12, valid=6)
    return EvaluationSetup(tasks, "float64", seed_key=7, **changes)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_offers_what_is_declared(name):
    assert missing(get(name), Backend) == []
    modules = get(name).modules(setup_of(), SEARCH, 3)
    assert len(modules) == 3
    for offered in modules:
        assert missing(offered, SearchModule) == []
        assert offered.DTYPE == "float64"
    assert get(get(name).for_one_program) in [get(other) for other in BACKENDS]


def test_what_is_lacking_is_found():
    whole = get("reference")
    parts = {name: getattr(whole, name) for name in ("for_one_program", "slow", *methods(Backend))}
    parts["groups"] = lambda number: None  # `islands` may be given by name
    del parts["runner"]
    assert sorted(missing(SimpleNamespace(**parts), Backend)) == [
        "groups",
        "runner",
        "shares_module",
    ]


def test_islands_share_what_is_not_of_one_gpu():
    for name in ("cpu", "reference"):
        one, two = get(name).modules(setup_of(), SEARCH, 2)
        assert one is two and one.busy_seconds is None
        assert get(name).groups(4) is None and get(name).devices() == []
    modules = get("cuda").modules(setup_of(), SEARCH, 3)
    assert get("cuda").groups(3) == [[0, 2], [1]] and get("cuda").devices() == ["one", "two"]
    assert len(set(map(id, modules))) == 3 and modules[0].busy_seconds == 0
    assert modules[0]._gpu is modules[2]._gpu is not modules[1]._gpu
    assert get("cpu").modules(setup_of(), SEARCH, 1)[0] is module.build("float64", 4, SEARCH)


@pytest.mark.parametrize("keep_errors", [False, True])
def test_backends_measure_the_same(keep_errors):
    program, setup = library.program("linear"), setup_of(keep_errors=keep_errors)
    runners: dict[str, ProgramRunner] = {name: get(name).runner(setup) for name in BACKENDS}
    found = {name: run(program, memory_needed(program)) for name, run in runners.items()}
    for fitness, steps, errors in found.values():
        np.testing.assert_allclose(fitness, found["reference"][0], rtol=1e-9)
        assert steps == found["reference"][1] == 3 * setup.all_steps
        if keep_errors:
            np.testing.assert_allclose(errors, found["reference"][2], rtol=1e-7, atol=1e-9)
        else:
            assert errors is None


@pytest.mark.parametrize("name", BACKENDS)
def test_a_program_is_repeated_for_timing(name):
    program = library.program("linear")
    repeater = get(name).repeater(setup_of(), SEARCH, program, memory_needed(program))
    fitness, steps, _ = get(name).runner(setup_of())(program, memory_needed(program))
    assert repeater.fitness == pytest.approx(fitness.mean()) and repeater.train_steps == steps
    assert repeater.at_once == repeater.details.get("programs_a_launch", 1)
    repeater.run(2)


@pytest.mark.parametrize("name", ["gpu", "CPU", "", None, 3, "../cpu"])
def test_other_names_are_no_backends(name):
    with pytest.raises(DeviceError, match="backend") as caught:
        get(name)
    assert "\n" not in str(caught.value)


def test_a_backend_is_imported_when_it_is_asked_for():
    code = (
        "import sys, zero.programs.evaluator\n"
        "from zero.programs import backends\n"
        "backends.get('reference').check()\n"
        "print({'numba', 'llvmlite', 'cupy'} & set(sys.modules), "
        "sorted(n for n in sys.modules if n.startswith(backends.__name__ + '.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == f"set() ['{backends.__name__}.reference']", done.stderr

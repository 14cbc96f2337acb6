"""Searches on backend cuda, with the host machine in the GPU's place (and on a GPU where there is one).

A forked process inherits the patched `open_machine`, so whole runs go through all that a GPU's do.
"""

import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from cuda_machines import missing
from small_runs import Messages, archive_bytes, small_config, small_settings
from typer.testing import CliRunner

from zero import cuda
from zero.cli import main as cli
from zero.config.load import config_to_yaml, make_config
from zero.cuda.host import HostMachine
from zero.errors import ConfigError, DeviceError
from zero.evolution.batches import FULL, OLDER
from zero.programs import library
from zero.programs.cuda import search
from zero.programs.domain import ProgramsDomain
from zero.programs.island import Island
from zero.runs import run
from zero.runs.archive import read_archive
from zero.runs.folder import RunFolder

BUDGET = {"individuals": 10**9, "train_steps": 10**15}
HURDLE = {"train": 15, "valid": 5, "quantile": 0.5}
KINDS = {
    "cache": {},
    "hurdle": {"evaluation": {"hurdle": HURDLE}},
    "hurdle alone": {"evaluation": {"cache": "none", "hurdle": HURDLE}},
    "budget": {"evaluation": {"train_budget": {"baseline": "linear", "factor": 1.5}}},
    "epochs": {"tasks": {"search": {"epochs": 2, "count": 5}}},
}
# First programs that differ and learn.
RANDOM = {
    "initial": "random",
    "setup": {"size": {"initial": 3}},
    "predict": {"size": {"initial": 3}},
    "learn": {"size": {"initial": 6}},
}


@pytest.fixture(autouse=True)
def fresh_count():
    search.gpu_names.cache_clear()
    yield
    search.gpu_names.cache_clear()


@pytest.fixture
def host(monkeypatch):
    monkeypatch.setattr(cuda, "open_machine", lambda index=0: HostMachine())


def config_of(backend="cuda", **changes):
    """A run of two islands in batches of 8."""
    both = {"backend": backend, "dtype": "float64", "islands": {"count": 2}}
    both["budget"] = {"individuals": 1200}
    settings = small_settings(**both, search={"batch": 8})
    return make_config(_merged(settings, changes))


def _merged(old, new):
    inner = {k: _merged(old[k], v) for k, v in new.items() if isinstance(v, dict) and k in old}
    return {**old, **new, **inner}


def island_of(config):
    """The first island of a run, in this process."""
    return ProgramsDomain(config).islands(0, BUDGET)[0]


def go_on(island, individuals):
    while island.individuals < individuals:
        island._run_block(8, np.array([individuals, 10**15, 10**9]))


# --- the same search as on the cpu ----------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_search_of_the_cpu_to_rounding(host, kind):
    changes = {**KINDS[kind], "program": RANDOM, "search": {"population": 100}}
    islands = [island_of(config_of(backend, **changes)) for backend in ("cuda", "cpu")]
    for island in islands:
        go_on(island, 100)
    gpu, cpu = (island.population for island in islands)
    np.testing.assert_allclose(gpu.slot_fitness, cpu.slot_fitness, rtol=0, atol=1e-9)
    assert len(np.unique(gpu.slot_fitness.round(9))) > 3
    np.testing.assert_array_equal(gpu.counts, cpu.counts)
    np.testing.assert_array_equal(islands[0].genomes.code, islands[1].genomes.code)


def test_single_programs_of_a_run_are_evaluated_on_the_cpu(monkeypatch):
    def none() -> list[str]:
        raise DeviceError("this process must touch no GPU")

    monkeypatch.setattr(search, "gpu_names", none)
    monkeypatch.setattr(cuda, "open_machine", lambda index=0: none())
    domain = ProgramsDomain(config_of())
    program, domains = library.program("linear"), (domain, ProgramsDomain(config_of("cpu")))
    gpu, cpu = (m.evaluator("select", 0)(program) for m in domains)
    np.testing.assert_array_equal(gpu.task_fitness, cpu.task_fitness)
    with pytest.raises(DeviceError):
        domain.evaluator("select", 0, on_gpu=True)


def test_what_is_known_is_not_evaluated_again(host, monkeypatch):
    programs = []
    from zero.programs.cuda.evaluate import CudaEvaluator

    start = CudaEvaluator.start

    def counted(self, rows, spans, *arguments, **options):
        programs.append(len(spans))
        return start(self, rows, spans, *arguments, **options)

    monkeypatch.setattr(CudaEvaluator, "start", counted)
    island = island_of(config_of())
    go_on(island, 400)
    hits, evaluated = island._hits()
    assert hits > 0
    assert sum(programs) == evaluated - hits
    assert max(programs) <= 8


def test_the_next_batch_is_launched_before_the_last_one_is_waited_for(host, monkeypatch):
    from zero.programs.cuda.evaluate import CudaEvaluator, Pending

    start, result = CudaEvaluator.start, Pending.result
    island = island_of(config_of(program=RANDOM))
    flying, at_once = [], []

    def starting(self, *arguments, **options):
        flying.append(start(self, *arguments, **options))
        return flying[-1]

    def waiting(self):
        assert island.batch.rows.all() or island.individuals < 30  # of the first generation
        assert len(flying) == np.any(island.batch.status == FULL, axis=1).sum()
        at_once.append(len(flying))
        assert flying.pop(0) is self
        return result(self)

    monkeypatch.setattr(CudaEvaluator, "start", starting)
    monkeypatch.setattr(Pending, "result", waiting)
    go_on(island, 400)
    assert at_once.count(2) > 20


class Moment:
    def __init__(self, at):
        self.at = at

    def seconds_since(self, earlier):
        return self.at - earlier.at


def test_time_in_which_several_launches_run_counts_once():
    gpu = search.Gpu(0, None, "float64", 0, 100.0)
    launches = [(1, 3), (2, 4), (2.5, 3.5), (6, 8), (7, 7.5), (7, 10)]
    seconds = [
        gpu.alone(SimpleNamespace(began=Moment(began), ended=Moment(ended)))
        for began, ended in launches
    ]
    assert seconds == [2, 1, 0, 2, 0, 2]


# --- state ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["cache", "hurdle"])
def test_a_restored_island_goes_on_as_if_nothing_had_happened(host, kind):
    config = config_of(**KINDS[kind])
    whole, broken = island_of(config), island_of(config)
    in_flight = 0
    while whole.individuals < 300:
        limits = np.array([300, 10**15, 10**9])
        whole._run_block(8, limits)
        broken._run_block(8, limits)
        state = broken.state()
        in_flight += bool(broken.batch.rows[broken.batch.counts[OLDER]])
        broken = island_of(config)
        broken.restore(state)
    assert in_flight > 20
    expected, got = whole.state()["arrays"], broken.state()["arrays"]
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)


def test_an_island_that_goes_back_forgets_what_it_launched(host):
    island = island_of(config_of())
    go_on(island, 100)
    state = island.state()
    go_on(island, 200)
    expected = island.state()["arrays"]
    island.restore(state)
    go_on(island, 200)
    for name, array in island.state()["arrays"].items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


# --- whole runs -----------------------------------------------------------------------------------


def test_a_killed_and_resumed_run_ends_with_the_same_archive(host, tmp_path, monkeypatch):
    config = config_of(evaluation={"hurdle": HURDLE})
    run.start(config, tmp_path / "whole")
    advance = Island.advance

    def dying(self, seconds):
        if self.index == 1 and self.individuals > 300:
            try:
                os.close(os.open(tmp_path / "died", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return advance(self, seconds)
            os.kill(os.getpid(), signal.SIGKILL)
        return advance(self, seconds)

    monkeypatch.setattr(Island, "advance", dying)
    messages = Messages()
    outcome = run.start(
        config, tmp_path / "hurt", messages, max_seconds=0.3, checkpoint_seconds=0.02
    )
    for _ in range(100):
        if outcome.reason != "max_seconds":
            break
        outcome = run.resume(tmp_path / "hurt", messages, max_seconds=0.3, checkpoint_seconds=0.02)
    assert outcome.reason == "individuals"
    assert [text for text in messages.texts if "islands 0, 1 died" in text]
    assert archive_bytes(tmp_path / "hurt") == archive_bytes(tmp_path / "whole")


def test_the_islands_of_a_gpu_share_a_process(host, tmp_path, monkeypatch):
    monkeypatch.setattr(search, "gpu_names", lambda: ["one", "two"])
    opened = []

    def opening(index=0):
        (tmp_path / f"{index}-{os.getpid()}").touch(exist_ok=False)
        return HostMachine()

    monkeypatch.setattr(cuda, "open_machine", opening)
    domain = ProgramsDomain(config_of(islands={"count": 3}))
    assert domain.groups() == [[0, 2], [1]]
    assert ProgramsDomain(config_of(islands={"count": 1})).groups() == [[0]]
    assert ProgramsDomain(config_of("cpu")).groups() is None
    run.start(config_of(islands={"count": 3}), tmp_path / "run")
    opened = sorted(path.name.split("-") for path in tmp_path.glob("?-*"))
    assert [number for number, _ in opened] == ["0", "1"]
    assert len({process for _, process in opened} | {str(os.getpid())}) == 3


def test_how_many_gpus_there_are_decides_nothing(host, tmp_path, monkeypatch):
    config = config_of(islands={"count": 3})
    run.start(config, tmp_path / "one")
    monkeypatch.setattr(search, "gpu_names", lambda: ["one", "two"])
    run.start(config, tmp_path / "two")
    assert archive_bytes(tmp_path / "one") == archive_bytes(tmp_path / "two")


def test_a_run_goes_on_with_the_batch_that_it_began_with(host, tmp_path, monkeypatch):
    config = config_of(search={"batch": None}, budget={"individuals": 300})
    run.start(config, tmp_path / "run", max_seconds=0.0)
    assert f"batch: {config.search.batch}" in (tmp_path / "run" / RunFolder.CONFIG).read_text()
    monkeypatch.setattr("zero.programs.config.default_batch", lambda *_: 2)
    assert run.resume(tmp_path / "run").reason == "individuals"
    run.start(config, tmp_path / "whole")
    assert archive_bytes(tmp_path / "run") == archive_bytes(tmp_path / "whole")
    shown = command("show", tmp_path / "run").stdout
    assert f"batch {config.search.batch}" in " ".join(shown.split())


def test_a_failing_gpu_is_one_line_and_no_fault(host, tmp_path, monkeypatch):
    def opening(index=0):
        raise DeviceError("the card fell off")

    search.gpu_names()  # there is one, but it fails in the worker
    monkeypatch.setattr(cuda, "open_machine", opening)
    with pytest.raises(Exception, match=r"island \d failed: the card fell off; the last") as caught:
        run.start(config_of(), tmp_path / "run")
    assert "\n" not in str(caught.value) and "fault" not in str(caught.value)


# --- commands -------------------------------------------------------------------------------------


def command(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def test_bench_search_tells_how_busy_the_gpu_is(host, tmp_path):
    (tmp_path / "c.yaml").write_text(config_to_yaml(config_of("cpu", search={"batch": None})))
    options = ("--backend", "cuda", "--seconds", 1, "--set", "search.batch=8")
    result = command("bench", "search", tmp_path / "c.yaml", *options, "--json", tmp_path / "f")
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "f").read_text())
    assert figures["backend"] == "cuda" and figures["gpus"] == 1 and figures["islands"] == 2
    assert 0 < figures["gpu_busy"] <= 1
    assert figures["individuals_per_second"] > 0


def test_evaluate_uses_the_gpu(host, tmp_path, monkeypatch):
    (tmp_path / "c.yaml").write_text(config_to_yaml(config_of("cpu", search={"batch": None})))
    found = {}
    for backend in ("cpu", "cuda"):
        options = ("--set", f"backend={backend}", "--set", "search.batch=null", "--json")
        result = command("evaluate", "linear", tmp_path / "c.yaml", *options)
        assert result.exit_code == 0, result.output
        found[backend] = json.loads(result.stdout)
    for purpose in ("select", "final"):
        gpu, cpu = (found[b][purpose]["task_fitness"] for b in ("cuda", "cpu"))
        np.testing.assert_allclose(gpu, cpu, rtol=0, atol=1e-9)


def test_without_a_gpu_it_is_one_line_before_anything_is_written(no_gpu, tmp_path):
    (tmp_path / "c.yaml").write_text(config_to_yaml(config_of()))
    folder = tmp_path / "run"
    result = command("run", tmp_path / "c.yaml", "--out", folder)
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr == "error: no CUDA device found; use backend: cpu\n"
    assert not folder.exists()
    with pytest.raises(DeviceError):
        run.start(config_of(), folder)
    assert not folder.exists()


def test_a_config_for_another_machine_is_valid_here(no_gpu, tmp_path):
    (tmp_path / "c.yaml").write_text(config_to_yaml(config_of()))
    result = command("validate", tmp_path / "c.yaml", "--data")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].endswith(": no mistakes")
    assert lines[1] == "on this machine it does not run: no CUDA device found; use backend: cpu"
    assert len(lines) > 3  # the tasks


def test_a_process_that_used_a_gpu_is_told_to_start_a_new_one(monkeypatch):
    def opening(index=0):
        raise DeviceError("CUDA does not start: cudaErrorInitializationError: initialization error")

    monkeypatch.setattr(cuda, "open_machine", opening)
    with pytest.raises(DeviceError, match="start the run in a new process"):
        search.gpu_names()


def test_a_batch_of_one_is_refused():
    with pytest.raises(ConfigError, match=r"search\.batch: must be at least 2 with backend cuda"):
        small_config(backend="cuda", search={"batch": 1})
    assert small_config(backend="cuda").search.batch > 1


# --- on a GPU -------------------------------------------------------------------------------------

needs_gpu = pytest.mark.skipif(missing() is not None, reason=f"no CUDA device: {missing()}")


def process(*arguments):
    """A command in a process of its own: this one may have used the GPU."""
    done = subprocess.run(
        [sys.executable, "-m", "zero", *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.gpu
@needs_gpu
def test_a_run_on_the_gpu_resumes_to_the_same_archive(tmp_path):
    config = config_of(budget={"individuals": 20_000}, evaluation={"hurdle": HURDLE})
    (tmp_path / "c.yaml").write_text(config_to_yaml(config))
    process("run", tmp_path / "c.yaml", "--out", tmp_path / "whole")
    process("run", tmp_path / "c.yaml", "--out", tmp_path / "cut", "--max-seconds", 2)
    process("resume", tmp_path / "cut")
    assert archive_bytes(tmp_path / "cut") == archive_bytes(tmp_path / "whole")


@pytest.mark.gpu
@needs_gpu
def test_a_benchmark_on_the_gpu(tmp_path):
    process("bench", "search", "linear_demo", "--backend", "cuda", "--json", tmp_path / "f")
    figures = json.loads((tmp_path / "f").read_text())
    assert 0 < figures["gpu_busy"] <= 1


def test_islands_may_search_different_tasks(host, tmp_path):
    one = {"type": "linear_regression", "features": 4, "train": 20, "valid": 10}
    tasks = {"search": [one, {**one, "train": 30}], "select": one}
    found = []
    for backend in ("cuda", "cpu"):
        config = config_of(backend, islands={"migrate_every": 100}, tasks=tasks)
        run.start(config, tmp_path / backend)
        records = read_archive(tmp_path / backend).experiments[0].records
        found.append([(r.id, r.text) for r in records])
        assert [r.fitness for r in records if r.is_best]
    assert found[0] == found[1]

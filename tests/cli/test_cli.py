"""The command line: what every command prints, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from commands import zero_

import zero
from zero.config.load import load_config
from zero.config.shipped import shipped_configs
from zero.errors import ZeroError
from zero.pipelines.families import families
from zero.pipelines.metrics import ALSO, METRICS
from zero.programs import library, ops
from zero.programs.mutation_names import MUTATION_NAMES
from zero.programs.program import parse_program
from zero.programs.simplified import simplify
from zero.runs.archive import ArchiveData, best_record, lineage, read_archive, write_archive
from zero.runs.folder import RunFolder
from zero.search import names as search_names
from zero.tasks import task_families

TINY = """\
program:
  memory: {scalars: 4, vectors: 3, matrices: 0}
  setup: {ops: [SCALAR_CONST_SET], size: {initial: 1, max: 4}}
  predict: {ops: [VECTOR_INNER_PRODUCT, SCALAR_SUM], size: {initial: 1, max: 4}}
  learn: {ops: [SCALAR_DIFF, SCALAR_VECTOR_PRODUCT, VECTOR_SUM], size: {initial: 1, max: 6}}
  initial: random
tasks:
  search: {type: linear_regression, features: 2, train: 20, valid: 10}
  final: {type: linear_regression, features: 2, train: 20, valid: 10, count: 3}
evaluation: {cache: none}
search: {population: 20, tournament: 5}
islands: {migrants: 5, migrate_every: 500}
budget: {individuals: 2000}
"""
CASES = Path(__file__).parents[3] / "shared" / "conformance" / "reference_cases.jsonl.gz"


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path, monkeypatch):
    """Runs without --out would write to the checkout."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)


def error_of(*arguments):
    """Returns the only line of a command that fails with 1 and prints nothing else."""
    out, err = zero_(*arguments, code=1)
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), err
    return lines[0].removeprefix("error: ")


def squeezed(text):
    """Returns the text with one space where columns are apart."""
    return re.sub(" +", " ", text)


def process(*arguments, **options):
    command = [sys.executable, "-m", "zero", *map(str, arguments)]
    return subprocess.Popen(command, text=True, stderr=subprocess.PIPE, **options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run that has ended, and what the command printed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(TINY)
    out, err = zero_("run", folder / "tiny.yaml", "--out", folder / "run", "--islands", 2)
    return folder / "run", out, err


# --- the package ----------------------------------------------------------------------------------


def test_import_and_help_load_nothing_heavy():
    heavy = ["numba", "h5py", "sklearn", "pandas", "multiprocess"]
    code = (
        "import sys, zero, zero.cli.main\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(zero.cli.main.app, ['--help']).exit_code == 0\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_those_of_the_rooms():
    from zero.programs.evaluator import Evaluator

    assert zero.load_config is load_config
    assert zero.register_op is ops.register_op
    assert zero.Evaluator is Evaluator
    assert callable(zero.start) and callable(zero.resume) and callable(zero.make_config)
    assert zero.load_program("linear") == library.program("linear")
    assert set(zero.__all__) <= set(dir(zero))
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = zero.nothing_of_that_name


def test_version_by_option_and_by_module():
    assert zero_("--version")[0] == f"zero {zero.__version__}\n"
    done = process("--version", stdout=subprocess.PIPE)
    assert done.communicate()[0] == f"zero {zero.__version__}\n"
    assert done.returncode == 0


def test_help_names_every_command():
    out, _ = zero_("--help")
    for name in ("run", "resume", "show", "evaluate", "list", "validate", "bench"):
        assert f"\n  {name} " in out
    out, _ = zero_("bench", "--help")
    for name in ("conformance", "search", "evaluate"):
        assert f"\n  {name} " in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["run"],
        ["run", "tiny.yaml", "--nonsense"],
        ["run", "tiny.yaml", "--seed", "-1"],
        ["run", "tiny.yaml", "--islands", "0"],
        ["run", "tiny.yaml", "--max-seconds", "0"],
        ["run", "tiny.yaml", "--max-seconds", "nan"],
        ["resume", "somewhere", "--max-seconds", "-1"],
        ["list", "everything"],
        ["bench", "conformance", "cases.jsonl", "--backend", "tpu"],
        ["bench", "conformance", "cases.jsonl", "--dtype", "float16"],
        ["bench", "search", "tiny.yaml", "--seconds", "inf"],
        ["bench", "evaluate", "tiny.yaml"],
    ],
)
def test_wrong_usage_exits_with_2(arguments):
    _, err = zero_(*arguments, code=2)
    assert "Usage:" in err


# --- run and resume -------------------------------------------------------------------------------


def test_run_prints_the_outcome_and_where_it_is(finished):
    folder, out, err = finished
    program = parse_program((folder / RunFolder.BEST).read_text())
    assert out.startswith(f"\n{simplify(program)}\n")
    results = read_archive(folder).results
    figures = [f"{results[name]['fitness']:.6f}" for name in ("search", "select", "final")]
    assert f"discovered {' '.join(figures)}" in squeezed(out)
    for name in ("linear", "neural_network"):  # set beside it, on the same tasks
        figures = [f"{results['baselines'][name][k]:.6f}" for k in ("select", "final")]
        assert f"{name} (shipped) {' '.join(figures)}" in squeezed(out)
    assert "individuals 2,000\n" in squeezed(out)
    assert f"zero show {folder}" in out
    assert "zero resume" not in out  # it has ended: nothing is left to do
    assert "ended: individuals" in err


def test_options_of_run_are_settings():
    zero_(
        "run", "tiny.yaml", "--out", "here", "--seed", 7, "--islands", 2, "--quiet",
        "--set", "search.population=30", "--set", "budget.individuals=1e3",
    )  # fmt: skip
    config = load_config("here/config.yaml")
    assert (config.seed, config.islands.count) == (7, 2)
    assert (config.search.population, config.budget.individuals) == (30, 1000)


def test_quiet_leaves_only_the_outcome():
    out, err = zero_("run", "tiny.yaml", "-q")
    assert err == ""
    assert "final fitness" in out
    assert Path("runs/tiny-001/archive.h5").is_file()


def test_json_log_is_one_object_a_line():
    out, err = zero_("run", "tiny.yaml", "--json-log", "--quiet", "--out", "here")
    assert err == ""
    events = [json.loads(line) for line in out.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "start" and kinds[-2:] == ["finish", "outcome"]
    assert "improvement" in kinds
    outcome = events[-1]
    assert outcome["folder"] == "here" and outcome["reason"] == "individuals"
    assert outcome["program"] == Path("here/best.txt").read_text()
    assert outcome["simplified"] == str(simplify(parse_program(outcome["program"])))
    assert outcome["final_fitness"] == read_archive("here").results["final"]["fitness"]


def test_stopped_run_goes_on_with_resume():
    big = ["--set", "budget.individuals=1e9", "--out", "here"]
    out, _ = zero_("run", "tiny.yaml", *big, "--max-seconds", 0.3)
    assert "zero resume here" in out
    before = read_archive("here").results["individuals"]
    out, _ = zero_("resume", "here", "--max-seconds", 0.3, "--quiet")
    assert "max_seconds" in out
    assert read_archive("here").results["individuals"] > before


def test_resume_of_an_ended_run_changes_nothing(finished):
    folder, out, _ = finished
    before = (folder / "archive.h5").read_bytes()
    again, _ = zero_("resume", folder)
    assert (folder / "archive.h5").read_bytes() == before
    assert [line for line in out.splitlines() if "fitness" in line] == [
        line for line in again.splitlines() if "fitness" in line
    ]


def test_ctrl_c_ends_a_run_cleanly():
    running = process(
        "run", "tiny.yaml", "--set", "budget.individuals=1e9", "--out", "here", "--json-log",
        stdout=subprocess.PIPE,
    )  # fmt: skip
    for line in running.stdout:
        event = json.loads(line)
        if event["event"] == "update" and event["individuals"] > 1000:
            break
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    outcome = json.loads(out.splitlines()[-1])
    assert outcome["event"] == "outcome" and outcome["reason"] == "interrupted"
    assert outcome["program"] == Path("here/best.txt").read_text()


# --- errors ---------------------------------------------------------------------------------------


def test_every_mistake_of_a_config_is_a_line():
    Path("bad.yaml").write_text(TINY.replace("population", "popluation").replace("2000", "-1"))
    for command in ("run", "validate"):
        out, err = zero_(command, "bad.yaml", code=1)
        lines = err.splitlines()
        assert out == "" and len(lines) == 2
        assert lines[0].startswith("error: bad.yaml:") and "did you mean 'population'" in lines[0]
        assert lines[1].startswith("error: bad.yaml:") and "budget.individuals" in lines[1]


def test_mistakes_are_one_line():
    assert "unknown config 'quikstart'" in error_of("run", "quikstart")
    assert "no_file.yaml" in error_of("run", "no_file.yaml")
    assert "seed" in error_of("run", "tiny.yaml", "--set", "seed=x")
    assert "KEY=VALUE" in error_of("run", "tiny.yaml", "--set", "seed")
    assert "is not empty" in error_of("run", "tiny.yaml", "--out", ".")
    assert "tiny.yaml" in error_of("run", "tiny.yaml", "--out", "tiny.yaml/here")
    assert "config.yaml" in error_of("resume", ".")
    assert "config.yaml" in error_of("show", ".")
    assert "no program 'liner'" in error_of("show", "liner")
    assert "no program 'liner'" in error_of("evaluate", "liner", "tiny.yaml")
    assert "no program 'liner'" in error_of("bench", "evaluate", "tiny.yaml", "--program", "liner")
    assert "not a file of recorded cases" in error_of("bench", "conformance", "tiny.yaml")
    assert not Path("runs").exists()  # nothing was begun


def test_without_a_gpu_it_is_one_line(no_gpu):
    missing = "no CUDA device found; use backend: cpu"
    assert missing in error_of("run", "tiny.yaml", "--set", "backend=cuda")
    assert missing in error_of("evaluate", "linear", "tiny.yaml", "--set", "backend=cuda")
    assert missing in error_of("bench", "search", "tiny.yaml", "--backend", "cuda")
    command = ["bench", "evaluate", "tiny.yaml", "--program", "linear", "--backend", "cuda"]
    assert missing in error_of(*command)
    Path("cases.jsonl").write_text("")
    assert missing in error_of("bench", "conformance", "cases.jsonl", "--backend", "cuda")
    assert not Path("runs").exists()  # nothing was begun
    # A config for another machine may be checked on this one.
    out, _ = zero_("validate", "tiny.yaml", "--set", "backend=cuda")
    assert out.splitlines() == [
        "tiny: no mistakes",
        f"on this machine it does not run: {missing}",
    ]


def test_foreign_archive_and_unknown_record(finished):
    Path("foreign.h5").write_text("not HDF5")
    assert "foreign.h5" in error_of("show", "foreign.h5")
    assert "no record 999999" in error_of("show", f"{finished[0]}#999999")
    assert "number of a record" in error_of("show", f"{finished[0]}#best")
    assert "has no lineage" in zero_("show", "linear", "--lineage", code=1)[1]


def test_debug_shows_the_trace():
    _, err = zero_("run", "quikstart", "--debug", code=1)
    assert "Traceback" in err and "ConfigError" in err
    assert err.splitlines()[-1].startswith("error: unknown config")


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ZeroError("a worker failed\nits trace"), "a worker failed"),
        (OSError(28, "No space left on device", "here/x"), "here/x: No space left on device"),
        (MemoryError("Unable to allocate 7 TiB"), "out of memory (Unable to allocate 7 TiB)"),
    ],
)
def test_what_happens_within_a_run_is_one_line(monkeypatch, raised, told):
    def start(*_, **__):
        raise raised

    monkeypatch.setattr("zero.runs.run.start", start)
    assert error_of("run", "tiny.yaml").startswith(told)


def test_ctrl_c_before_a_run_has_begun(monkeypatch):
    def start(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("zero.runs.run.start", start)
    assert zero_("run", "tiny.yaml", code=130) == ("", "interrupted\n")


def test_reader_that_goes_away_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    done = process("list", "ops", stdout=writing)
    os.close(writing)
    assert done.communicate()[1] == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_disk_behind_standard_output_is_one_line():
    with open("/dev/full", "w") as full:
        done = process("list", "mutations", stdout=full)
        _, err = done.communicate()
    assert done.returncode == 1
    assert err == "error: No space left on device\n"


# --- show -----------------------------------------------------------------------------------------


def test_show_a_run(finished):
    folder, _, _ = finished
    out, _ = zero_("show", folder)
    data = read_archive(folder)
    words = squeezed(out)
    assert "name tiny\n" in words and "islands 2\n" in words and "individuals 2,000\n" in words
    assert f"final fitness {data.results['final']['fitness']:.6f} (3 tasks: " in words
    assert f"\nprogram (record {data.results['record']}, " in out
    assert str(simplify(parse_program(data.results["program"]))) in out
    raw, _ = zero_("show", folder, "--raw")
    assert data.results["program"] in raw
    table = out.partition("\nexperiment ")[2].splitlines()
    assert table[1].split()[:3] == ["1", "individuals", "2,000"]
    assert zero_("show", folder / "archive.h5")[0].partition("\nsearch fitness")[2] in out


def test_show_lineage_tells_what_changed_the_fitness(finished):
    folder, _, _ = finished
    out, _ = zero_("show", folder, "--lineage")
    data = read_archive(folder)
    chain = lineage(data, data.results["record"])
    told = out.partition("\nlineage: ")[2].splitlines()[2:]
    ids = [int(line.split()[0]) for line in told if line[:1] == " " or line[:1].isdigit()]
    assert ids[0] == chain[0].id and ids[-1] == chain[-1].id
    values = [r.fitness for r in chain if r.id in ids]
    assert set(values) == {r.fitness for r in chain}


def test_show_a_record_is_a_program_file(finished):
    folder, _, _ = finished
    data = read_archive(folder)
    record = data.experiments[0].records[0]
    raw, _ = zero_("show", f"{folder}#{record.id}", "--raw")
    assert raw.startswith(f"# record {record.id}: ")
    assert parse_program(raw) == parse_program(record.text)
    out, _ = zero_("show", f"{folder}#{record.id}")
    assert parse_program(out) == simplify(parse_program(record.text))
    with_lineage, _ = zero_("show", f"{folder}#{record.id}", "--lineage")
    assert with_lineage.startswith(out) and "lineage: 1 of 1" in with_lineage


def test_show_a_run_that_has_only_begun():
    RunFolder.create("begun", "tiny", "name: tiny\nislands: {count: 3}\n", {}).close()
    out, _ = zero_("show", "begun")
    assert "name tiny\n" in squeezed(out) and "islands 3\n" in squeezed(out)
    assert "no program yet" in out


def test_show_a_run_that_was_stopped_before_it_found_anything():
    folder = RunFolder.create("stopped", "tiny", "name: tiny\nislands: {count: 1}\n", {})
    with folder:
        write_archive(folder.archive_path, ArchiveData(0, folder.config_text(), [], "0", [], None))
        folder.log("finish", reason="max_seconds", seconds=1.5, individuals=0, train_steps=0)
    out = squeezed(zero_("show", "stopped")[0])
    assert "ended max_seconds: --max-seconds have passed\n" in out and "time 1.5 s\n" in out
    assert "no program yet" in out


def test_show_a_run_that_goes_on(finished):
    folder, _, _ = finished
    data = read_archive(folder)
    write_archive("going.h5", replace(data, results=None))
    out, _ = zero_("show", "going.h5", "--raw")
    best = best_record(replace(data, results=None))
    assert "not yet" in out and best.text in out
    assert f"search fitness {best.fitness:.6f}\n" in squeezed(out)


def test_show_programs():
    assert zero_("show", "linear")[0] == str(library.program("linear"))
    Path("mine.txt").write_text(
        "def Setup():\n  s2 = 0.5\n  s3 = 0.25\ndef Predict():\n  s1 = s0 + s3\ndef Learn():\n"
    )
    assert zero_("show", "mine.txt", "--raw")[0] == Path("mine.txt").read_text()
    simplified, _ = zero_("show", "mine.txt")
    assert simplified == Path("mine.txt").read_text().replace("  s2 = 0.5\n", "")


def test_program_that_a_run_prints_is_evaluated_to_the_same_figures(finished):
    """Copied from the screen into a file, as anybody would; draws of random ops included."""
    folder, out, _ = finished
    Path("printed.txt").write_text(out.partition("\nprogram  ")[0])
    results = read_archive(folder).results
    figures = json.loads(zero_("evaluate", "printed.txt", "tiny.yaml", "--json")[0])
    for name in ("select", "final"):
        assert figures[name]["task_fitness"] == results[name]["task_fitness"].tolist()
    dead = "def Setup():\n  v1 = gaussian(0, 1, n_features)\n  v2 = gaussian(0, 1, n_features)\n"
    Path("draws.txt").write_text(dead + "def Predict():\n  s1 = dot(v0, v2)\ndef Learn():\n")
    Path("shown.txt").write_text(zero_("show", "draws.txt")[0])
    assert len(Path("shown.txt").read_text().splitlines()) == 5
    whole, short = (
        json.loads(zero_("evaluate", name, "tiny.yaml", "--json")[0])["final"]["task_fitness"]
        for name in ("draws.txt", "shown.txt")
    )
    assert whole == short


# --- evaluate, list, validate ---------------------------------------------------------------------


def test_evaluate_gives_the_figures_of_the_run(finished):
    folder, _, _ = finished
    results = read_archive(folder).results
    out, _ = zero_("evaluate", folder, "tiny.yaml", "--json")
    figures = json.loads(out)
    assert figures["program"] == results["program"]
    for name in ("select", "final"):
        assert figures[name]["fitness"] == results[name]["fitness"]
        assert figures[name]["task_fitness"] == results[name]["task_fitness"].tolist()
        assert figures[name]["task_names"] == results[name]["task_names"]


def test_evaluate_prints_sets_and_tasks():
    out, _ = zero_("evaluate", "linear", "tiny.yaml")
    figures = json.loads(zero_("evaluate", "linear", "tiny.yaml", "--json")[0])
    assert f"final fitness {figures['final']['fitness']:.6f}" in squeezed(out)
    tasks, _ = zero_("evaluate", "linear", "tiny.yaml", "--tasks")
    assert tasks.startswith(out)
    for name in figures["final"]["task_names"]:
        assert name in tasks and name not in out
    other, _ = zero_("evaluate", "linear", "tiny.yaml", "--set", "tasks.final.train=10")
    assert other != out


@pytest.mark.parametrize(
    ("topic", "names"),
    [
        ("ops", [*ops.OPS, "s3 = s1 + s2", "v3 = gaussian(mean, stdev, n_features)"]),
        ("tasks", [*task_families(), "held_out_pairs", "int 1..4096", "number of tasks"]),
        ("programs", library.names()),
        ("mutations", MUTATION_NAMES),
        ("searches", search_names()),
        ("configs", shipped_configs()),
        ("families", [*families(), "gradient boosting on histograms", "binary, multiclass"]),
        ("metrics", [*METRICS, *ALSO]),
    ],
)
def test_list_names_everything(topic, names, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")  # a line each
    out, _ = zero_("list", topic)
    assert [name for name in names if name not in out] == []


def test_list_of_some_names():
    out, _ = zero_("list", "ops", "max", "NO_OP")
    names = [line.split()[1] for line in out.splitlines()[1:]]
    assert names == ["NO_OP", "SCALAR_MAX", "VECTOR_MAX", "MATRIX_MAX"]
    out, _ = zero_("list", "tasks", "table")
    assert out.startswith("table: ") and "linear_regression" not in out
    assert "none of ops has 'maxx' in its name" in error_of("list", "ops", "maxx")


def test_validate():
    assert zero_("validate", "tiny.yaml") == ("tiny: no mistakes\n", "")
    out, _ = zero_("validate", "tiny.yaml", "--data")
    *_, final, said = out.splitlines()
    assert final.split()[:-1] == ["final", "3", "20", "10", "2"]
    assert 0.0 < float(final.split()[-1]) < 1.0 and said.endswith("says always the mean")
    too_many = ["--set", "evaluation.cache.train=50"]
    assert "tiny" in zero_("validate", "tiny.yaml", *too_many)[0]
    assert (
        "only 20 train examples" in zero_("validate", "tiny.yaml", "--data", *too_many, code=1)[1]
    )


# --- bench ----------------------------------------------------------------------------------------


def case(result):
    """A recorded case: s2 = s0 + s1 with 1 and 2."""
    instruction = {
        "op": "SCALAR_SUM_OP",
        "in1": 0,
        "in2": 1,
        "out": 2,
        "float": [],
        "activation": 0,
    }
    before = {"scalar": [1.0, 2.0, 0.0], "vector": [[0.0, 0.0]], "matrix": [[[0.0] * 2] * 2]}
    return {"kind": "op", "F": 2, "instruction": instruction, "before": before, "after": result}


def test_conformance_counts_and_lists_differences():
    right, wrong = case(3.0), case(4.0)
    Path("cases.jsonl").write_text("\n".join(json.dumps(c) for c in [right] * 2))
    command = ["bench", "conformance", "cases.jsonl", "--backend", "reference"]
    out, _ = zero_(*command)
    assert out == "ops: 2/2 passed\nalgorithms: 0/0 passed\n"
    Path("cases.jsonl").write_text("\n".join(json.dumps(c) for c in [right] + [wrong] * 12))
    out, _ = zero_(*command, code=1)
    lines = out.splitlines()
    assert lines[0] == "ops: 1/13 passed"
    assert lines[2].startswith("case 2 (op, F = 2): ") and "expected 4.0, got 3.0" in lines[2]
    assert len(lines) == 13 and lines[-1] == "... and 2 more"


def test_conformance_tells_what_it_skips():
    huge = case(3.0)
    huge["before"]["scalar"][2] = 1e200
    Path("cases.jsonl").write_text("\n".join(json.dumps(c) for c in [case(3.0), huge]))
    command = ["bench", "conformance", "cases.jsonl", "--backend", "reference"]
    out, _ = zero_(*command, "--dtype", "float32")
    assert out.splitlines()[0] == "ops: 1/1 passed, 1 skipped"


@pytest.mark.skipif(not CASES.exists(), reason="the recorded cases in ../shared are not here")
def test_conformance_of_the_recorded_cases():
    out, _ = zero_("bench", "conformance", CASES, "--backend", "cpu")
    assert out == "ops: 928/928 passed\nalgorithms: 350/350 passed\n"


def test_bench_search():
    command = ["bench", "search", "tiny.yaml", "--seconds", 0.5, "--islands", 2, "--seed", 3]
    # What would end a run must not end a measurement.
    command += ["--set", "budget.fitness=0.01", "--json", "figures.json"]
    out, _ = zero_(*command)
    figures = json.loads(Path("figures.json").read_text())
    assert (figures["islands"], figures["seed"]) == (2, 3)
    assert (figures["backend"], figures["dtype"]) == ("cpu", "float64")
    assert figures["individuals"] > 100 and 0 < figures["best_fitness"] <= 1
    rate = figures["individuals"] / figures["seconds"]
    assert figures["individuals_per_second"] == pytest.approx(rate)
    assert {"config", "machine", "commit", "versions"} <= set(figures)
    assert f"individuals {figures['individuals']:,}\n" in squeezed(out)
    assert not Path("runs").exists()


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_bench_evaluate(backend):
    command = ["bench", "evaluate", "tiny.yaml", "--program", "linear", "--seconds", 0.2]
    zero_(*command, "--backend", backend, "--json", "figures.json")
    figures = json.loads(Path("figures.json").read_text())
    assert figures["backend"] == backend and figures["program"] == "linear"
    speed = figures["programs_per_second"] * figures["microseconds_per_program"]
    assert speed == pytest.approx(1e6)
    assert figures["train_steps"] == 20  # it does evaluate: all train examples are gone through
    config = load_config("tiny.yaml")
    from zero.programs.evaluator import Evaluator
    from zero.tasks import make_task_set

    evaluator = Evaluator(make_task_set(config.tasks.search, "search"), "reference")
    expected = evaluator(library.program("linear")).fitness
    assert figures["fitness"] == pytest.approx(expected)


def test_ctrl_c_while_the_command_line_is_imported_is_one_line(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    done = subprocess.run(
        [sys.executable, "-c", "from zero.__main__ import main; main()"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "interrupted\n")

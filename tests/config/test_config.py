"""Run configurations: what is read, and one clear line for every mistake."""

import json
import math
import sys

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zero.cells.config import CellsConfig
from zero.config import yaml as yaml_loader
from zero.config.load import config_to_yaml, load_config, make_config
from zero.config.schema import config_schema
from zero.config.sections import IslandSettings
from zero.config.shipped import shipped_configs
from zero.errors import ConfigError
from zero.programs import config, ops
from zero.programs.config import ProgramsConfig
from zero.tasks import task_families

GOOD = """\
program:
  memory: {scalars: 4, vectors: 3, matrices: 1}
  setup: {ops: [SCALAR_CONST_SET], size: 5}
  predict: {ops: [VECTOR_INNER_PRODUCT], size: {initial: 1, max: 3}}
  learn: {ops: [SCALAR_DIFF, SCALAR_DIFF, constant]}
tasks:
  search: {type: linear_regression, features: 4, train: 100}
budget: {individuals: 1e6}
"""


@pytest.fixture
def load(tmp_path):
    def load(text, *overrides):
        path = tmp_path / "run.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(path, overrides)

    return load


@pytest.fixture
def mistakes(load, tmp_path):
    """Returns the lines of the error, each without the folder of the file."""

    def mistakes(text, *overrides):
        with pytest.raises(ConfigError) as caught:
            load(text, *overrides)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return mistakes


def replaced(old, new):
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


# --- what is read -------------------------------------------------------------------------------


def test_defaults_and_normalised_values(load):
    run = load(GOOD)
    assert (run.name, run.seed, run.backend, run.dtype) == ("run", 0, "cpu", "float64")
    assert run.program.setup.size == config.Size(initial=5, min=5, max=5)
    assert run.program.predict.size == config.Size(initial=1, min=0, max=3)
    assert run.program.learn.size == config.LearnSize(initial=0, min=0, max=40)
    assert run.program.learn.ops == ("SCALAR_DIFF", "SCALAR_DIFF", *ops.GROUPS["constant"])
    assert run.tasks.search.train == 100
    assert run.tasks.select == run.tasks.search == run.tasks.final
    assert run.evaluation.cache == config.CacheSettings(
        train=10, valid=10, size=100_000, forget_every=100
    )
    assert run.evaluation.hurdle is None and run.evaluation.train_budget is None
    assert (run.search.population, run.search.tournament) == (1000, 10)
    assert set(run.search.mutations.values()) == {1.0} and len(run.search.mutations) == 4
    assert run.islands == IslandSettings(count=1, migrate_every=10_000, migrants=50)
    assert run.budget.individuals == 1_000_000 and isinstance(run.budget.individuals, int)


def test_numbers_and_words_are_those_of_yaml_1_2(load):
    text = "a: 1e-3\nb: 1_000\nc: 012\nd: on\ne: No\nf: TRUE\ng: 0x1F\nh: .5\ni: ~\nj: 2020-01-01\n"
    data = yaml_loader.parse(text, "x").data
    values = [0.001, 1000, 12, "on", "No", True, 31, 0.5, None, "2020-01-01"]
    assert list(data.values()) == values
    assert load(GOOD, "budget.seconds=1e-3").budget.seconds == 0.001


@pytest.mark.parametrize("word", ["none", "null", "~"])
def test_parts_that_can_be_switched_off(load, word):
    run = load(GOOD + f"evaluation: {{cache: {word}, hurdle: {word}, train_budget: {word}}}\n")
    assert (run.evaluation.cache, run.evaluation.hurdle, run.evaluation.train_budget) == (None,) * 3


def test_mutations_as_list_count_repeats(load):
    run = load(GOOD + "search: {mutations: [identity, insert_instruction, identity]}\n")
    assert run.search.mutations == {"identity": 2.0, "insert_instruction": 1.0}


def test_aliases_may_repeat_a_part(load):
    text = "tasks: {search: &t {type: linear_regression, features: 2}, final: *t}\n"
    run = load(
        GOOD[: GOOD.index("tasks:")] + text + "budget: {seconds: 1}\n", "tasks.final.count=7"
    )
    assert (run.tasks.search.features, run.tasks.final.features) == (2, 2)
    assert (run.tasks.search.count, run.tasks.final.count) == (1, 7)


def test_resolved_config_loads_back_to_an_equal_one(load):
    weird = "name: '1e3'\nseed: 7\nislands: {count: 3, migrants: 0}\nevaluation: {cache: none}\n"
    more = "search: {mutations: {identity: 0.1, insert_instruction: 1e-7}}\n"
    run = load(GOOD + weird + more, "program.initial=linear")
    text = config_to_yaml(run)
    assert load(text) == run
    assert config_to_yaml(load(text)) == text


def test_paths_start_at_the_file_or_where_the_option_is_given(load, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    program = "def Setup():\ndef Predict():\n  s1 = dot(v1, v0)\ndef Learn():\n"
    (tmp_path / "start.txt").write_text(program)
    (elsewhere / "other.txt").write_text(program)
    text = replaced("program:\n", "program:\n  initial: start.txt\n")
    assert load(text).program.initial == str(tmp_path / "start.txt")
    run = load(text, "program.initial=other.txt")
    assert run.program.initial == str(elsewhere / "other.txt")
    monkeypatch.chdir(tmp_path)
    assert load(config_to_yaml(run)) == run


def test_programs_that_only_a_start_reads_may_be_gone_later(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(replaced("program:\n", "program:\n  initial: gone.txt\n"))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(path)
    assert load_config(path, check_files=False).program.initial.endswith("gone.txt")


def test_settings_from_python():
    run = make_config(yaml.safe_load(GOOD.replace("1e6", "1000000")))
    assert run.budget.individuals == 1_000_000
    with pytest.raises(ConfigError, match="settings: seed: must be a whole number"):
        make_config({**yaml.safe_load(GOOD), "seed": "x"})


def test_user_ops_are_imported_before_op_names_are_checked(load, tmp_path, mistakes):
    (tmp_path / "my_ops.py").write_text(
        "from zero.programs.ops import register_op\nregister_op('SCALAR_TWICE', 's>s', 'a + a')\n"
    )
    text = replaced("SCALAR_CONST_SET", "SCALAR_TWICE") + "imports: [my_ops.py]\n"
    try:
        assert load(text).program.setup.ops == ("SCALAR_TWICE",)
        assert load(text).imports == [str(tmp_path / "my_ops.py")]
    finally:
        ops.OPS.pop("SCALAR_TWICE", None)
        ops.GROUPS.update(ops._groups())
        for name in [name for name in sys.modules if name.startswith("zero_import_my_ops")]:
            del sys.modules[name]
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (line,) = mistakes(GOOD + "imports: [broken.py]\n")
    assert line.startswith("run.yaml:9:11: imports[0]: ")
    assert "ZeroDivisionError: division by zero" in line
    for text, said in (
        (
            "import sys\nsys.exit(3)\n",
            ", line 2: SystemExit: 3: it ends the program; take that out",
        ),
        ("raise SystemExit\n", ", line 1: SystemExit: it ends the program"),
        ("exit('done')\n", ", line 1: SystemExit: done: it ends the program"),
        ("raise BaseException('odd')\n", ", line 1: BaseException: odd; mend the file"),
        ("class Stop(BaseException): pass\nraise Stop\n", ", line 2: Stop; mend the file"),
        ("def f(:\n", ", line 1: SyntaxError: invalid syntax; mend the file"),
        ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'; give"),
    ):
        (tmp_path / f"broken{abs(hash(text))}.py").write_text(text)
        (line,) = mistakes(GOOD + f"imports: [broken{abs(hash(text))}.py]\n")
        assert line.startswith("run.yaml:9:11: imports[0]: 'broken") and said in line
    (tmp_path / "stopped.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load(GOOD + "imports: [stopped.py]\n")
    (line,) = mistakes(GOOD + "imports: [nowhere.py]\n")
    assert "there is no such file" in line
    (line,) = mistakes(GOOD + "imports: [no_such_module]\n")
    assert "No module named 'no_such_module'" in line


@pytest.mark.parametrize("method", ["random_search", "local_search", "regularized_evolution"])
def test_defaults_that_nobody_gave_fit_the_population(load, method):
    run = load(GOOD, f"search={{method: {method}, population: 5}}", "islands.count=3")
    assert getattr(run.search, "tournament", 5) == run.islands.migrants == 5
    assert load(config_to_yaml(run)) == run


def test_only_what_is_used_is_checked(load):
    run = load(GOOD, "search={method: random_search, population: 5, tournament: 50, mutations: []}")
    assert (run.islands.count, run.islands.migrants) == (1, 5)
    assert load(GOOD, "search.population=5", "islands.migrants=50").islands.migrants == 50
    load(GOOD, "search={method: local_search, population: 5, tournament: 50}")


def test_what_an_import_prints_is_no_result(load, tmp_path, capsys):
    (tmp_path / "loud.py").write_text("print('hello')\n")
    load(GOOD + "imports: [loud.py]\n")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "hello\n")


# --- mistakes of meaning ------------------------------------------------------------------------


def test_all_mistakes_in_one_go_in_the_file_order(mistakes):
    text = """\
sed: 1
dtype: flot64
program:
  memory: {scalars: 1}
  setup: {ops: [SCALAR_CONST_SET, SCALR_SUM], size: -3}
  predict: {ops: [VECTOR_SUM], size: {initial: 1, maxx: 6}}
tasks:
  search: {type: linear_regression, features: "four", trian: 3}
  selct: {}
search:
  population: abc
  mutate_probability: 1.5
  mutations: {alter_paramter: 1, randomize_function: x}
  population: 12
budget: {seconds: -1, individuals: yes}
evaluation:
  cache: {forget_every: 1, train: "10"}
  fitness: max
islands: 3
"""
    lines = mistakes(text)
    starts = [
        "run.yaml:1:1: sed: unknown key 'sed'; did you mean 'seed'?",
        'run.yaml:2:8: dtype: must be one of float64, float32 or none, got "flot64"',
        "run.yaml:4:21: program.memory.scalars: must be a whole number from 2 to 64, got 1",
        "run.yaml:5:35: program.setup.ops[1]: unknown op 'SCALR_SUM'; did you mean SCALAR_SUM",
        "run.yaml:5:53: program.setup.size: must be a whole number from 0 to 1,000 or a section "
        "with keys of initial, min, max, got -3",
        "run.yaml:6:51: program.predict.size.maxx: unknown key 'maxx'; did you mean 'max'?",
        'run.yaml:8:47: tasks.search.features: must be a whole number from 1 to 256, got "four"',
        "run.yaml:8:55: tasks.search.trian: unknown key 'trian'; did you mean 'train'?",
        "run.yaml:9:3: tasks.selct: unknown key 'selct'; did you mean 'select'?",
        'run.yaml:11:15: search.population: must be a whole number from 2 to 10,000,000, got "abc"',
        "run.yaml:12:23: search.mutate_probability: must be a number from 0 to 1, got 1.5",
        "run.yaml:13:15: search.mutations.alter_paramter: unknown mutation 'alter_paramter'; did "
        "you mean 'alter_parameter'?",
        "run.yaml:13:54: search.mutations.randomize_function: must be a number of at least 0, got "
        '"x"',
        "run.yaml:14:3: search.population: given twice (first in line 11); keep one of them",
        "run.yaml:15:19: budget.seconds: must be a number above 0 or none, got -1",
        "run.yaml:15:36: budget.individuals: must be a whole number of at least 1 or none, got "
        '"yes"',
        "run.yaml:17:25: evaluation.cache.forget_every: must be 0 (never) or a whole number of at "
        "least 2, got 1",
        'run.yaml:17:35: evaluation.cache.train: must be a whole number from 1 to 100, got "10"',
        'run.yaml:18:12: evaluation.fitness: must be one of mean, median, min, got "max"',
        "run.yaml:19:10: islands: must be a section with keys of count, migrate_every, migrants, "
        "got 3",
    ]
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts


MEANING = [
    # added to the good config, the one line expected (its start)
    ("name: a/b", "run.yaml:9:7: name: must be up to 100 letters, digits, spaces and _ . -"),
    ("seed: true", "run.yaml:9:7: seed: must be a whole number"),
    ("seed: 1.5", "run.yaml:9:7: seed: must be a whole number"),
    ("seed: .inf", "run.yaml:9:7: seed: must be a whole number"),
    ("seed:", "run.yaml:9:6: seed: must be a whole number"),
    ("evaluation: {max_abs_error: .nan}", "run.yaml:9:29: evaluation.max_abs_error: must be a nu"),
    ("backend: gpu", 'run.yaml:9:10: backend: must be one of cpu, reference, cuda, got "gpu"'),
    ("islands: []", "run.yaml:9:10: islands: must be a section"),
    ("islands: {count: 1025}", "run.yaml:9:18: islands.count: must be a whole number from 1 to 1"),
    (
        "islands: {count: 2, migrants: 1001}",
        "run.yaml:9:31: islands.migrants: must be at most search.population (1000), got 1001",
    ),
    (
        "search: {population: 5, tournament: 6}",
        "run.yaml:9:37: search.tournament: must be at most search.population (5), got 6",
    ),
    (
        "search: {method: random_serch}",
        "run.yaml:9:18: search.method: unknown search method 'random_serch'; did you mean "
        "'random_search'? (known: ",
    ),
    ("search: {mutations: []}", "run.yaml:9:21: search.mutations: all weights are 0"),
    (
        "search: {mutations: [identity]}",
        "run.yaml:9:21: search.mutations: must have insert_instruction",
    ),
    (
        "evaluation: {train_budget: {baseline: liner}}",
        "run.yaml:9:39: evaluation.train_budget.baseline: unknown program 'liner'; did you mean "
        "'linear'?",
    ),
    (
        "experiments: {max: 3}",
        "run.yaml:9:20: experiments.max: must be 1 unless experiments.individuals",
    ),
]


@pytest.mark.parametrize(("added", "start"), MEANING)
def test_mistakes_of_meaning(mistakes, added, start):
    (line,) = mistakes(f"{GOOD}{added}\n")
    assert line.startswith(start)


CHANGED = [
    ("SCALAR_CONST_SET], size: 5", "SCALAR_CONST_SET], size: {initial: 5, max: 4}",
     "run.yaml:3:42: program.setup.size: must have min <= initial <= max, got min 0, initial 5, m"),
    ("[SCALAR_CONST_SET]", "MATRX_SUM", "run.yaml:3:16: program.setup.ops: unknown op 'MATRX"),
    ("matrices: 1", "matrices: 0",
     "run.yaml:5:16: program.learn.ops: matrix ops (MATRIX_CONST_SET) need program.memory.matric"),
    ("vectors: 3", "vectors: 1",
     "run.yaml:5:16: program.learn.ops: ops that write a vector (VECTOR_CONST_SET) need program.m"),
    ("program:\n", "program:\n  initial: lineer\n",
     "run.yaml:2:12: program.initial: unknown initial program 'lineer'; did you mean 'linear'?"),
    ("program:\n", "program:\n  initial: neural_network\n",
     'run.yaml:2:12: program.initial: "neural_network" does not fit: it needs program.'),
    ("{ops: [SCALAR_CONST_SET], size: 5}\n", "{size: 5}\n  initial: random\n",
     "run.yaml:3:3: program.setup.ops: is empty, so 5 random instructions cannot be made"),
    ("type: linear_regression, features: 4, ", "",
     "run.yaml:7:3: tasks.search.type: is missing; it must be one of affine_regression"),
    ("linear_regression", "linear_regresion",
     "run.yaml:7:18: tasks.search.type: unknown task type 'linear_regresion'; did you mean 'linea"),
    ("train: 100", "train: '100'", "run.yaml:7:57: tasks.search.train: must be a number, got \"10"),
    ("train: 100", "count: true", "run.yaml:7:57: tasks.search.count: must be a number, got true"),
    ("train: 100", "data_seeds: [1, -2]",
     "run.yaml:7:66: tasks.search.data_seeds[1]: must be a whole number of at least 0,"),
    ("search: {type", "final: {type",
     "run.yaml:6:1: tasks.search: is missing; it must be a section such as"),
    ("  search: {type: linear_regression, features: 4, train: 100}", "  search: 3",
     "run.yaml:7:11: tasks.search: must be a section with a 'type' of affine_regression"),
    ("budget: {individuals: 1e6}\n", "",
     "run.yaml:1:1: budget: nothing ends the run: give at least one of individuals, train_steps"),
    ("budget: {individuals: 1e6}", "experiments: {max: 0, individuals: 5}",
     "run.yaml:8:20: experiments.max: 0 experiments (no limit) need experiments.sufficient_fitnes"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "start"), CHANGED)
def test_mistakes_across_keys_and_in_tasks(mistakes, old, new, start):
    (line,) = mistakes(replaced(old, new))
    assert line.startswith(start)


def test_no_ops_at_all(mistakes):
    (line,) = mistakes(GOOD[GOOD.index("tasks:") :])
    assert line.startswith("run.yaml:1:1: program: no function has ops, so nothing can evolve")


def test_experiments_alone_can_end_a_run(load):
    without = replaced("budget: {individuals: 1e6}\n", "")
    run = load(without + "experiments: {max: 0, individuals: 1e3, sufficient_fitness: 0.99}\n")
    assert run.experiments.individuals == 1000


def test_initial_program_file_is_checked(mistakes, tmp_path):
    (tmp_path / "start.txt").write_text("def Setup():\n  s2 = nonsense(s1)\n")
    (line,) = mistakes(replaced("program:\n", "program:\n  initial: start.txt\n"))
    assert line.startswith("run.yaml:2:12: program.initial: ")
    assert "start.txt:2: " in line


SIXTEEN = """\
seed: one
programm:
  memory: {scalars: 4, vectors: 5, matrices: 2}
program:
  setup:
    ops: [SCALAR_CONST_SETT, VECTOR_GAUSSIAN_SET]
    size: {initial: 5, min: 0, max: 3}
  predict:
    size: {initial: 0, min: 0, max: -5}
  learn: {ops: SCALAR_DIFF}
  initial: lineer
tasks:
  search:
    type: tabel
    path: my.csv
    targt: diagnosis
    problem: classes
    count: 8.5
search:
  population: 0
  tournament: 1000
  mutations: [alter_parameter, insert_instrution]
islands: {count: two}
budget: {individuals: "many"}
evaluation: {fitness: avg}
"""


def test_one_mistake_hides_no_other(mistakes):
    places = [":".join(line.split(":")[1:4]).replace(" ", "") for line in mistakes(SIXTEEN)]
    assert places == [
        "1:7:seed",
        "2:1:programm",
        "6:11:program.setup.ops[0]",
        "7:11:program.setup.size",
        "9:37:program.predict.size.max",
        "11:12:program.initial",
        "14:11:tasks.search.type",
        "16:5:tasks.search.targt",
        "17:14:tasks.search.problem",
        "18:12:tasks.search.count",
        "20:15:search.population",
        "21:15:search.tournament",
        "22:32:search.mutations[1]",
        "23:18:islands.count",
        "24:23:budget.individuals",
        "25:23:evaluation.fitness",
    ]


def test_what_stands_under_a_misspelt_key_is_checked(mistakes):
    text = replaced("  predict:", "  predictt:").replace("max: 3", "max: -3")
    places = [line.split(": ")[:2] for line in mistakes(text)]
    assert places == [
        ["run.yaml:4:3", "program.predictt"],
        ["run.yaml:4:67", "program.predictt.size.max"],
    ]


@pytest.mark.parametrize("given", ["{typ: table, count: 0}", "{count: 0, path: x.csv, target: y}"])
def test_a_missing_type_hides_nothing(mistakes, given):
    text = GOOD.replace("{type: linear_regression, features: 4, train: 100}", given)
    assert any("tasks.search.count: must be a whole number from 1" in m for m in mistakes(text))


def test_many_mistakes_are_cut_short(mistakes):
    lines = mistakes(GOOD + "".join(f"key{i}: 1\n" for i in range(500)))
    assert len(lines) < 60 and lines[-1].startswith("and ")


# --- mistakes of form ---------------------------------------------------------------------------


FORM = [
    (b"", "run.yaml:1:1: the file is empty"),
    (b"# only a comment\n", "run.yaml:1:1: the file is empty"),
    (b"- a\n- b\n", "run.yaml:1:1: the file is a list"),
    (b"hello\n", "run.yaml:1:1: the file is a single value"),
    (b"a: 1\nb: \xff\n", "run.yaml:2:4: byte 0xff is not UTF-8"),
    ("ä: \0".encode("latin-1"), "run.yaml:1:1: byte 0xe4 is not UTF-8"),
    ("ä: \x07\n".encode(), "run.yaml:1:4: character U+0007 is not allowed in YAML"),
    (b"a: 1\n\tb: 2\n", "run.yaml:2:1: not valid YAML: a tab; YAML is indented with spaces"),
    (b"a: b: c\n", "run.yaml:1:5: not valid YAML: a second ':' in one line"),
    (b"a: [1, 2\n", "run.yaml:2:1: not valid YAML: "),
    (b"a: 1\n---\nb: 2\n", "run.yaml:2:1: not valid YAML: a second document"),
    (b"a: " + b"[" * 5000, "run.yaml:1:33: not valid YAML: nested deeper than 30"),
    (b"a: &x [*x]\n", "run.yaml:1:4: more than 20,000 values or 30 levels: an alias"),
    (b'a: "\\UFFFFFFFF"\n', "run.yaml:1:"),
    (b"a: *nothing\n", "run.yaml:1:4: not valid YAML: found undefined alias"),
    (b"x" * 1_000_001, "run.yaml: larger than 1,000,000 bytes"),
]


@pytest.mark.parametrize(("raw", "start"), FORM)
def test_mistakes_of_form(mistakes, raw, start):
    (line,) = mistakes(raw)
    assert line.startswith(start)


def test_alias_bomb(mistakes):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    (line,) = mistakes("\n".join(lines))
    assert "more than 20,000 values" in line


@pytest.mark.parametrize(
    ("added", "start"),
    [
        ("seed: !!python/object/apply:os.getpid []", '9:7: seed: the tag "!!python/object/apply'),
        ("seed: !mine 3", '9:7: seed: the tag "!mine" is not allowed'),
        ("seed: !!int abc", '9:7: seed: must be a whole number, got "abc"'),
        (f"seed: {'9' * 5000}", "9:7: seed: must be a whole number"),
        ("1: 2", '9:1: a key must be a name, got "1"'),
        ("? [a]\n: 2", "9:3: a key must be a name"),
        ('name: "\\ud800"', "9:7: name: must be text"),
    ],
)
def test_mistakes_that_leave_the_rest_readable(mistakes, added, start):
    line = mistakes(f"{GOOD}{added}\nsede: 1\n")
    assert line[0].startswith(f"run.yaml:{start}")
    assert "sede: unknown key 'sede'; did you mean 'seed'" in line[-1]


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such file"):
        load_config(tmp_path / "nowhere.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"folder\.yaml: cannot be read: Is a directory"):
        load_config(tmp_path / "folder.yaml")
    for name in ("x" * 5000, "a\0b.yaml", ""):
        with pytest.raises(ConfigError):
            load_config(name)
    with pytest.raises(ConfigError, match=r"unknown config 'quikstart'; did you mean 'quickstart'"):
        load_config("quikstart")


@given(
    raw=st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace"))
)
@settings(max_examples=150, deadline=None, database=None)
def test_any_bytes_give_a_config_error(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError):
        load_config(path)


@given(data=st.data())
@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_a_damaged_config_loads_or_gives_a_config_error(tmp_path_factory, data):
    text = GOOD
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 4))
        pieces = [
            "[",
            "{",
            "&a ",
            "*a",
            "!!int ",
            "'",
            "\n",
            ": ",
            "1e9",
            "-",
            "\u2028",
            "null",
            "x",
        ]
        text = text[:at] + data.draw(st.sampled_from(pieces)) + text[at + cut :]
    path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_bytes(text.encode())
    try:
        load_config(path)
    except ConfigError as error:
        assert all(line.strip() for line in str(error).splitlines())


# --- options ------------------------------------------------------------------------------------


def test_options_replace_and_create(load):
    run = load(
        GOOD,
        "seed=3",
        "search.mutations={identity: 1, insert_instruction: 2}",
        "evaluation.cache=none",
        "evaluation.cache.train=5",
        "budget.seconds=1e-3",
        "name=other",
        "program.predict.size.max=9",
    )
    assert (run.seed, run.name, run.budget.seconds) == (3, "other", 0.001)
    assert run.search.mutations == {"identity": 1.0, "insert_instruction": 2.0}
    assert run.evaluation.cache == config.CacheSettings(train=5)
    assert run.program.predict.size == config.Size(initial=1, max=9)


@pytest.mark.parametrize(
    ("option", "start"),
    [
        (
            "serch.population=3",
            "--set serch.population=3: serch: unknown key 'serch'; did you mean",
        ),
        (
            "search.populaton=3",
            "--set search.populaton=3: search.populaton: unknown key 'populaton'",
        ),
        (
            "search.population=x",
            "--set search.population=x: search.population: must be a whole numb",
        ),
        ("seed.x=1", "--set seed.x=1: seed.x: cannot be set: seed is not a section"),
        ("seed", "--set seed: must be KEY=VALUE"),
        ("=3", "--set =3: must be KEY=VALUE"),
        ("seed=[1", "--set seed=[1: not valid YAML: "),
        ("tasks.search={type: x}", "--set tasks.search={type: x}: tasks.search.type: unknown task"),
        (
            "search.tournament=2000",
            "--set search.tournament=2000: search.tournament: must be at mo",
        ),
        (
            "budget={seconds: 1, seconds: 2}",
            "--set budget={seconds: 1, seconds: 2}: seconds: given",
        ),
    ],
)
def test_mistakes_in_options(mistakes, option, start):
    (line,) = mistakes(GOOD + "seed: 1\n", option)
    assert line.startswith(start)


def test_options_hide_no_mistakes(mistakes):
    lines = mistakes(GOOD + "seed: x\n", "name", "budget=[1", "serch.population=x", "dtype=int")
    places = [line.split(": ")[:2] for line in lines]
    assert places == [
        ["run.yaml:9:7", "seed"],
        ["--set name", "must be KEY=VALUE, for example search.population=1000"],
        ["--set budget=[1", "not valid YAML"],
        ["--set serch.population=x", "serch"],
        ["--set serch.population=x", "serch.population"],
        ["--set dtype=int", "dtype"],
    ]


# --- shipped configs and schema -----------------------------------------------------------------


SHIPPED = [
    "adapt_fast_training",
    "adapt_few_examples",
    "adapt_ten_classes",
    "amoebanet_cifar10",
    "amoebanet_digits",
    "amoebanet_fashion",
    "cifar10_from_scratch_gpu",
    "discover_exp2",
    "discover_loss",
    "discover_optimizer",
    "fig4_affine",
    "fig4_affine_learn",
    "fig4_linear",
    "fig4_linear_learn",
    "fig5",
    "fit",
    "linear_demo",
    "linear_integration",
    "nas_bench_201_table",
    "nonlinear_integration",
    "own_csv",
    "own_images",
    "projected_binary_baseline",
    "quickstart",
    "search_backprop",
    "search_beam",
    "search_chain",
    "search_darts",
    "search_enas",
    "search_fashion",
    "search_hierarchical",
    "search_linear",
    "search_mnasnet",
    "search_nsga2",
    "search_progressive",
    "search_random_sharing",
    "search_reinforce",
    "search_surrogate",
]


def test_shipped_configs_are_found():
    assert list(shipped_configs()) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_config_is_valid_and_explains_itself(name, tmp_path):
    run = load_config(name)
    assert run.name == name
    header = shipped_configs()[name].read_text().split("\n\n")[0].lower()
    assert all(line.startswith("#") for line in header.splitlines())
    for part in (f"zero run {name}", "expect:", "time:"):
        assert part in header
    copy = tmp_path / "copy.yaml"
    copy.write_text(config_to_yaml(run))
    assert load_config(copy) == run


def test_shipped_configs_keep_final_class_pairs_apart():
    for name in ("quickstart", "projected_binary_baseline", "discover_loss"):
        tasks = load_config(name).tasks
        unseen = {frozenset(pair) for pair in tasks.final.pairs}
        for family in (tasks.search, tasks.select):
            assert unseen <= {frozenset(pair) for pair in family.held_out_pairs}


def test_schema_describes_the_file():
    for kind, model in (("cells", CellsConfig), ("programs", ProgramsConfig)):
        schema = json.loads(json.dumps(config_schema(kind), allow_nan=False))
        definitions = schema["$defs"]
        run = definitions[schema["$ref"].removeprefix("#/$defs/")]
        assert run["additionalProperties"] is False
        assert set(run["properties"]) == set(model.model_fields)
    *choices, several = definitions["programs.Tasks"]["properties"]["search"]["oneOf"]
    assert several["type"] == "array" and several["items"]["oneOf"] == choices
    kinds = [definitions[c["$ref"].removeprefix("#/$defs/")] for c in choices]
    assert [k["properties"]["type"]["const"] for k in kinds] == list(task_families())
    budget = definitions["programs.Budget"]["properties"]["individuals"]["anyOf"][0]
    assert budget == {"minimum": 1, "type": "integer"}


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=8),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        max_size=4,
    )
)
@settings(max_examples=100, deadline=None, database=None)
def test_dumped_yaml_reads_back(data):
    def key(value):
        return "nan" if isinstance(value, float) and math.isnan(value) else value

    document = yaml_loader.parse(yaml_loader.dump(data), "x")
    assert not document.problems
    assert {k: key(v) for k, v in document.data.items()} == {k: key(v) for k, v in data.items()}


def test_a_setting_is_refused_in_a_line_however_deep_or_odd_it_is():
    deep = "search." + ".".join(["a"] * 2000) + "=1"
    with pytest.raises(ConfigError, match="nested deeper than 30"):
        load_config("linear_demo", [deep])
    with pytest.raises(ConfigError, match="did you mean 'search'"):
        load_config("linear_demo", ["earch.method={random_search: 1}"])


PART = """\
program:
  memory: {scalars: 4, vectors: 1, matrices: 0}
  setup: {ops: [SCALAR_CONST_SET]}
  predict: {ops: [SCALAR_SUM]}
  learn: {ops: [], size: 0}
tasks:
  search: {type: loss}
budget: {individuals: 1e6}
"""


@pytest.mark.parametrize(
    "option, told",
    [
        ("backend=cuda", "backend: cuda does not train networks, and here programs are their loss"),
        ("evaluation.hurdle={train: 4}", "evaluation.hurdle: looks at a predictor's errors"),
        ("evaluation.cache={train: 4}", "evaluation.cache: looks at a predictor's errors"),
        ("program.learn.ops=[SCALAR_SUM]", "program.learn.ops: a loss is predict alone"),
        ("tasks.final={type: optimizer}", "tasks.final: programs are the optimizer on these tasks"),
        ("tasks.search.flipped=0.7", "tasks.search.flipped: "),
    ],
)
def test_what_programs_that_train_networks_do_not_allow(mistakes, option, told):
    found = mistakes(PART, option)
    assert any(told in line for line in found), found


def test_programs_that_train_networks_have_no_cache(load):
    run = load(PART)
    assert run.evaluation.cache is None
    assert load(config_to_yaml(run)) == run
    assert load(GOOD).evaluation.cache is not None

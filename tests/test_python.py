"""The engine from Python: what is public, its errors, and what it shows."""

import ast
import importlib
import io
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_runs import Messages, small_config, small_settings

import zero
from zero.runs import notebook, progress
from zero.tasks.read import from_settings

FRAME = pd.DataFrame({"a": [1.0, 2, 3, 4, 5, 6], "b": [3.0, 1, 2, 5, 4, 1], "y": [0, 1] * 3})
X, Y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 2
LINEAR = {"type": "linear_regression", "train": 20, "valid": 10}


def tasks():
    return zero.make_task_set(from_settings(LINEAR), "select")


def test_public_names_are_listed_and_documented():
    wanted = {"Evaluator", "load_config", "load_program", "make_config", "make_task_set", "start",
              "register_op", "resume", "table_from_arrays", "table_from_frame", "ZeroError"}  # fmt: skip
    assert wanted <= set(zero.__all__) <= set(dir(zero))
    for name in wanted:
        thing = getattr(zero, name)
        assert thing.__doc__ and (isinstance(thing, type) or "Raises:" in thing.__doc__), name
        assert name in zero.__doc__ or name == "table_from_arrays"


def test_type_checkers_see_every_public_name():
    tree = ast.parse(Path(zero.__file__).read_text())
    seen = {
        alias.asname: node.module
        for branch in tree.body
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in branch.body
        for alias in node.names
    }
    assert set(seen) == set(zero.__all__) - {"__version__"}
    for name, module in seen.items():
        assert getattr(importlib.import_module(module), name) is getattr(zero, name)
    assert Path(zero.__file__).with_name("py.typed").is_file()


WRONG = {  # what a person types, and what the one line says
    "program.predict": (lambda: zero.load_program("linear").predict(X), "zero.Evaluator(tasks)"),
    "start a dict": (lambda: zero.start({"tasks": {}}), "make one with zero.make_config"),
    "start a name": (lambda: zero.start("quickstart"), "load one with zero.load_config"),
    "start nothing": (lambda: zero.start(None), "takes a config, got None"),
    "out": (lambda: zero.start(small_config(), out=3), "out must be a folder's path, got an int: 3"),
    "reporter": (lambda: zero.start(small_config(), reporter=3), "reporter must be"),
    "resume": (lambda: zero.resume(None), "must be a folder's path, got None"),
    "settings: file": (lambda: zero.make_config("my.yaml"), "use zero.load_config('my.yaml')"),
    "settings: None": (lambda: zero.make_config(None), "got None"),
    "settings: key": (
        lambda: zero.make_config({**small_settings(), 3: 4}), "a key must be a name, got 3",
    ),
    "settings: frame": (
        lambda: zero.make_config(small_settings(tasks={"search": FRAME})), "zero.table_from_frame",
    ),
    "settings: family": (
        lambda: zero.make_config({**small_settings(), "tasks": from_settings(LINEAR)}),
        'write {"search": FAMILY}',
    ),
    "load a dict": (lambda: zero.load_config({}), "use zero.make_config"),
    "overrides": (lambda: zero.load_config("quickstart", {"seed": 4}), "texts KEY=VALUE"),
    "program: None": (lambda: zero.load_program(None), "got None"),
    "program: path": (lambda: zero.load_program(Path("nowhere.txt")), "no program 'nowhere.txt'"),
    "op: formula": (lambda: zero.register_op("A_B", "s>s", 3), "formula must be text, got an int"),
    "op: kind": (
        lambda: zero.register_op("A_B", "s>s", "a", kind=[]), "kind must be text, got a list",
    ),
    "op: listing": (lambda: zero.register_op("A_B", "s>s", "a", listing=[]), "listing must be text"),
    "purpose: array": (lambda: zero.make_task_set(from_settings(LINEAR), X), "unknown purpose"),
    "experiment": (
        lambda: zero.make_task_set(from_settings(LINEAR), "select", "x"),
        "experiment must be a whole number",
    ),
    "dtype: array": (lambda: zero.Evaluator(tasks(), dtype=X), "unknown dtype"),
    "backend: array": (lambda: zero.Evaluator(tasks(), backend=X), "unknown backend"),
    "command": (
        lambda: zero.start(small_config(), command=3), "command must be a list of texts or None",
    ),
    "op: cost": (lambda: zero.register_op("A_B", "s>s", "a", cost="x"), "cost must be a number"),
    "evaluator: family": (lambda: zero.Evaluator(from_settings(LINEAR)), "zero.make_task_set"),
    "evaluator: dtype": (lambda: zero.Evaluator(tasks(), dtype="float16"), "unknown dtype"),
    "evaluator: combine": (lambda: zero.Evaluator(tasks(), combine="max"), "unknown combine"),
    "evaluator: memory": (lambda: zero.Evaluator(tasks(), memory=3), "memory must be"),
    "evaluate a name": (lambda: zero.Evaluator(tasks())("linear"), "zero.load_program"),
    "tasks of a dict": (lambda: zero.make_task_set({"type": "table"}, "search"), "task family"),
    "frame: None": (lambda: zero.table_from_frame(None, "y", "binary"), "pandas frame, got None"),
    "frame: array": (lambda: zero.table_from_frame(X, 0, "binary"), "zero.table_from_arrays"),
    "frame: key": (
        lambda: zero.table_from_frame(FRAME, "y", "binary", trian=3), "did you mean 'train'?",
    ),
    "frame: problem": (
        lambda: zero.table_from_frame(FRAME, "y", "multi"), "one of regression, binary",
    ),
    "frame: target": (lambda: zero.table_from_frame(FRAME, None, "binary"), "got None"),
    "frame: path": (
        lambda: zero.table_from_frame(FRAME, "y", "binary", path="x.csv"), "for files only",
    ),
    "frame: count": (
        lambda: zero.table_from_frame(FRAME, "y", "binary", count="3"), 'got "3"; write 3',
    ),
    "arrays: key": (lambda: zero.table_from_arrays(X, Y, "binary", cuont=3), "mean 'count'?"),
    "arrays: columns": (
        lambda: zero.table_from_arrays(X, Y, "binary", columns="abc"), "columns is a list",
    ),
    "family: key": (lambda: from_settings({**LINEAR, "trian": 3}), "unknown key 'trian'"),
    "family: text": (lambda: from_settings("table"), "takes a dict"),
    **{
        f"max_seconds {value}": (
            lambda value=value: zero.start(small_config(), max_seconds=value), "max_seconds must be",
        )
        for value in (float("nan"), float("inf"), -1, "5", True)
    },
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_one_line_that_says_what_to_do(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, said = WRONG[case]
    with pytest.raises(zero.ZeroError) as caught:
        call()
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []  # nothing was begun


def test_several_wrong_keys_are_a_line_each():
    with pytest.raises(zero.ZeroError) as caught:
        zero.table_from_frame(FRAME, "y", "multi", count=0, train="x")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["count", "problem", "train"]


def test_what_numpy_and_pathlib_give_is_taken(tmp_path):
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    search = {"type": "table", "path": Path("t.csv"), "target": "y", "problem": "binary"}
    settings = {**small_settings(), "tasks": {"search": {**search, "ignore": ("a",)}}}
    settings["budget"] = {"individuals": np.int64(7), "seconds": np.float32(2)}
    config = zero.make_config(settings, folder=tmp_path)
    assert config.budget.individuals == 7 and config.budget.seconds == 2.0
    assert config.tasks.search.path == str(tmp_path / "t.csv")
    assert zero.table_from_frame(FRAME, np.int64(2), "binary", ignore=FRAME.columns[:1]).target == 2
    assert zero.load_config("quickstart", "seed=4").seed == 4


def test_reprs_are_one_line_and_programs_print_in_full():
    program = zero.load_program("neural_network")
    config = small_config()
    things = [program, program.setup[0], config, tasks(), zero.Evaluator(tasks())]
    assert all(len(repr(thing)) < 200 and "\n" not in repr(thing) for thing in things)
    assert "19 instructions" in repr(program)
    assert str(program).count("\n") == 22 and "dot(m0, v0)" in str(program)


def test_running_a_cell_again(tmp_path):
    config = small_config(budget={"individuals": 300})
    outcome = zero.start(config, out=tmp_path / "run")
    assert len(repr(outcome)) < 300 and repr(outcome).startswith("<Outcome of")
    with pytest.raises(zero.ZeroError) as caught:
        zero.start(config, out=tmp_path / "run")
    told = str(caught.value)
    assert "--out" not in told and f"zero.resume('{tmp_path / 'run'}')" in told
    assert zero.resume(str(tmp_path / "run")).individuals == 300


# --- what is shown ------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_nothing_is_shown_without_a_terminal(tmp_path, capfd):
    zero.start(small_config(budget={"individuals": 300}), out=tmp_path / "run")
    assert capfd.readouterr() == ("", "")


def test_progress_is_shown_in_a_terminal_unless_quiet(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    config = small_config(budget={"individuals": 300})
    zero.start(config, out=tmp_path / "one")
    assert "run run, seed 3" in shown.getvalue() and "ended: individuals" in shown.getvalue()
    shown.truncate(0)
    zero.start(config, out=tmp_path / "two", quiet=True)
    zero.start(config, out=tmp_path / "three", reporter=progress.Reporter())
    assert shown.getvalue().strip("\0") == ""


def test_progress_in_a_notebook_is_one_line_written_anew(tmp_path, monkeypatch, capsys):
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    zero.start(small_config(budget={"individuals": 300}), out=tmp_path / "run")
    out, err = capsys.readouterr()
    assert "run run, seed 3" in out and "ended: individuals" in out and err == ""
    now = iter(range(100))
    stream = io.StringIO()
    reporter = notebook.NotebookReporter(stream, clock=lambda: next(now))
    reporter.update({"individuals": 123_456})
    reporter.update({"individuals": 7})
    reporter.message("half")
    reporter.finish({"individuals": 8, "reason": "individuals"})
    lines = stream.getvalue().split("\n")
    assert lines[0] == "\rindividuals 123,456\rindividuals 7      "
    assert lines[1:] == ["half", "ended: individuals, individuals 8", ""]


def test_what_was_left_out_is_told_once(tmp_path):
    frame = FRAME.assign(same=1)
    rows = pd.concat([frame] * 10, ignore_index=True)
    family = zero.table_from_frame(rows, "y", "binary")
    settings = {**small_settings(), "tasks": {"search": family}, "budget": {"individuals": 50}}
    told = Messages()
    zero.start(zero.make_config(settings), out=tmp_path / "run", reporter=told)
    assert [t for t in told.texts if "note" in t] == [
        "note: frame: 1 of 3 feature columns has the same value in every row and is left out: same"
    ]


def test_cells_of_arrays_that_are_no_numbers_are_told_as_such():
    x = X.copy()
    x[2, 0], x[3, 1] = np.nan, np.inf
    with pytest.raises(zero.ZeroError, match="column '1': is infinite"):
        zero.table_from_arrays(x, Y, "binary")

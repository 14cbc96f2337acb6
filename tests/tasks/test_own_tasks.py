"""Task families of the user's own, by `imports:`: what is wrong with one is told in one line."""

import pytest
from typer.testing import CliRunner

from zero.cli.main import app
from zero.config.load import load_config
from zero.errors import ZeroError
from zero.tasks import make_task_set

FAMILY = '''import numpy as np
from zero.tasks import Task, TaskFamily
class Sines(TaskFamily):
    """Predict a sine."""
    kind = "KIND"
    metric = "rms_error"
    def make(self, data_seed, param_seed, purpose):
        x = np.random.default_rng(data_seed).normal(size=(30, 3))
        y = np.sin(x[:, 0])
        return Task("sines", x[:20], y[:20], x[20:], y[20:])
'''
CONFIG = """imports: [own_family.py]
program: {learn: {ops: [SCALAR_SUM]}}
tasks: {search: {type: KIND}}
budget: {individuals: 10}
"""
FAULTS = {  # what is written instead, and what is said of it
    "no metric": ('metric = "rms_error"', "pass", "line 3: task family Sines: metric must be one of"),
    "metric": ('"rms_error"', '"rmse"', "metric must be one of rms_error, accuracy, got a str: 'rmse'"),
    "kind": ('"KIND"', "3", "kind must be text, got an int: 3"),
    "a shipped kind": ('"KIND"', '"table"', "has kind 'table' already"),
    "raises": ("np.sin(x[:, 0])", "1 / 0", "own_family.py, line 9: ZeroDivisionError"),
    "exits": ("np.sin(x[:, 0])", "exit(3)", "own_family.py, line 9: SystemExit"),
    "no task": ("return Task", "return ", "must return a zero.tasks.Task with a name"),
    "name": ('"sines"', "3", "got one named an int: 3"),
    "text": ("np.sin(x[:, 0])", '["a"] * 30', "train_y is no array of numbers"),
}  # fmt: skip


def tasks_of(folder, kind, old="", new=""):
    """The search tasks of a config that imports the family; every test's kind is its own."""
    text = FAMILY.replace(old, new, 1) if old else FAMILY
    (folder / "own_family.py").write_text(text.replace("KIND", kind))
    (folder / "own.yaml").write_text(CONFIG.replace("KIND", kind))
    return make_task_set(load_config(folder / "own.yaml").tasks.search, "search")


def test_a_family_of_ones_own_is_used(tmp_path):
    assert tasks_of(tmp_path, "sines_right").train_x.shape == (1, 20, 3)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_one_line(fault, tmp_path):
    old, new, said = FAULTS[fault]
    with pytest.raises(ZeroError) as told:
        tasks_of(tmp_path, f"sines_{fault.replace(' ', '_')}", old, new)
    line = str(told.value).splitlines()[0]
    assert said in line and ("own_family.py" in line or "task 'sines'" in line)
    # A family that is refused is none that the next config could name, nor hides a shipped one.
    assert tasks_of(tmp_path, "sines_right").train_x.shape == (1, 20, 3)


def test_a_family_that_does_not_say_what_it_is_is_listed(tmp_path):
    tasks_of(tmp_path, "sines_without_words", '    """Predict a sine."""\n', "")
    result = CliRunner().invoke(app, ["list", "tasks", "sines_without_words"])
    assert result.exit_code == 0 and result.stdout.startswith("sines_without_words\n")

"""A table of the user's without a config: the shipped `own_csv` on it, and that as a file to go on from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zero.config import yaml
from zero.config.files import is_path
from zero.config.load import name_from
from zero.config.shipped import shipped_configs
from zero.data.tables import SUFFIXES, ending
from zero.errors import ConfigError, ZeroError, visible
from zero.programs import first_try
from zero.programs.keep import WIDE
from zero.programs.ops import get_op
from zero.programs.program import FUNCTIONS
from zero.system.files import write_bytes

CONFIG = "own_csv"
TABLES = tuple(suffix for suffix in SUFFIXES if suffix != ".npz")  # which has its target apart
_FILES = ("path", "test_path")  # keys of a task that name files

_MEANING = {
    "name": "Of the run's folder.",
    "seed": "The same seed and settings give the same run.",
    "program": """\
memory: how many scalars s0.., vectors v0.. and matrices m0.. programs have. setup runs once, predict
for each row, learn for each train row. ops: what they are made of (zero list ops); size: instructions
at first, at least and at most. initial: the program that all begins with (zero list programs, a file,
or a run); population: RUN begins with the programs that an earlier run ended with.""",
    "tasks": """\
path: from this file's folder. target: the column to predict. count: random splits of the rows that
programs are scored on (of several classes each is told from the rest in turn). epochs, and
program.initial: what did best of a few in cross-validation before any search. For ignore, test and the
others: zero list tasks table""",
    "evaluation": "fitness: of the scores on the splits their mean, median or min.",
    "search": """\
population: programs alive on each island. tournament: the best of so many is copied. mutations: what
changes the copy (zero list mutations).""",
    "islands": "count: populations, each in a process of its own.",
    "budget": """\
What ends the run: individuals, seconds, train_steps, fitness or patience, whichever is first. Where
seconds end it, the same seed need not give the same run.""",
}


def is_table(name: str) -> bool:
    """Returns whether that is called as a table file is; one that needs a target."""
    return ending(name) in TABLES


def settings(path: str, target: str) -> list[str]:
    """Returns what makes `CONFIG` one for a table: KEY=VALUE each."""
    chosen = {
        "name": name_from(_yaml(path)), "tasks.search.path": path, "tasks.search.target": target,
        "tasks.search.problem": None,
    }  # fmt: skip
    return [f"{key}={json.dumps(value)}" for key, value in chosen.items()]


def fitted(config: Any) -> list[str]:
    """Returns the settings that suit a table: what to begin with; of a wide one, to do without matrices.

    config: of programs, over a table, which is read.

    Raises:
        TaskError: the table cannot be read or used.
    """
    family = config.tasks.search
    found = first_try.settings_for(family, config.seed)
    if (family.features or family.width) <= WIDE:
        return found
    program = yaml.read(shipped_configs()[CONFIG]).data["program"]
    found.append("program.memory.matrices=0")
    for name in FUNCTIONS:
        ops = [op for op in program[name]["ops"] if not _uses_matrices(op)]
        found.append(f"program.{name}.ops=[{', '.join(ops)}]")
    return found


def _uses_matrices(name: str) -> bool:
    op = get_op(name)
    return "m" in (*op.inputs, op.output)


def keep(path: str, given: list[str]) -> str:
    """Writes the settings of a run over a table beside it, as YAML; nothing is overwritten.

    Args:
        path: of the table.
        given: all settings, those of `settings` among them.

    Returns:
        What was done, for people.
    """
    file = _yaml(path)
    text = _text(path, given)
    try:
        if not file.exists():
            write_bytes(file, text.encode())
            return f"wrote {file}: change it as you like, then zero run {file}"
        if file.read_bytes() == text.encode():
            return f"the settings are those of {file}"
    except (OSError, ZeroError) as error:
        return f"{file} with the run's settings cannot be written ({error}); its folder has them"
    return (
        f"{file} is left as it is and not used (zero run {file} does); this run's settings are in its "
        "folder"
    )


def _yaml(path: str) -> Path:
    """Returns the config's file: my.csv.gz has my.yaml."""
    table = Path(path)
    bare = table.name[:-3] if table.name.lower().endswith(".gz") else table.name
    return table.with_name(bare).with_suffix(".yaml")


def _text(path: str, given: list[str]) -> str:
    """Returns the settings as YAML with comments; paths start at the table's folder."""
    document = yaml.read(shipped_configs()[CONFIG])
    for setting in given:
        document.override(setting)
    data, file = document.data, _yaml(path)
    if data.get("name") == name_from(file):
        del data["name"]  # it follows from the file's
    for purpose in data["tasks"].values():
        for key in (k for k in _FILES if purpose.get(k)):
            purpose[key] = _beside(file, purpose[key])
        if purpose.get("problem", "") is None:
            del purpose["problem"]
    program = data["program"]
    for key in ("initial", "population"):
        if is_path(program.get(key)):
            program[key] = _beside(file, program[key])
    if isinstance(data.get("imports"), list):
        data["imports"] = [_beside(file, n) if is_path(n, ".py") else n for n in data["imports"]]
    target = visible(str(data["tasks"]["search"]["target"]))
    parts = [
        f"# Searches {visible(Path(path).name)} for a program that predicts '{target}'.",
        f"# Run: zero run {visible(file.name)}   Check: zero validate --data {visible(file.name)}",
    ]
    for line in yaml.dump(data).splitlines():
        meaning = _MEANING.get(line.partition(":")[0], "").splitlines()
        parts += ["", *(f"# {text}" for text in meaning), line] if meaning else [line]
    return "\n".join(parts) + "\n"


def _beside(file: Path, path: str) -> str:
    """Returns a path that starts where the user is as one from a file's folder, or absolute."""
    there = Path.cwd() / path
    folder = (Path.cwd() / file).parent
    return str(there.relative_to(folder)) if there.is_relative_to(folder) else str(there)


def needs_target(path: str) -> ConfigError:
    """Returns the mistake of who names a table and no target."""
    return ConfigError(f"{path} is a table: say what to predict, --target COLUMN")


def no_table(what: str = "--target") -> ConfigError:
    """Returns the mistake of who gives an option of tables without one."""
    return ConfigError(f"{what} is for a table ({', '.join(TABLES)}); leave it out")

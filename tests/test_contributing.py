"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# Where a block goes, by its first line.
PLACE = re.compile(r"# (?P<file>[\w/.-]+\.\w+)(, in (?P<name>\w+)|(?P<end>, at the end))?")


def recipe(title):
    """Returns the recipe's code blocks as (language, text)."""
    (part,) = re.findall(rf"^### {title}\n(.*?)(?=^##|\Z)", TEXT, flags=re.S | re.M)
    return re.findall(r"^```(\w+)\n(.*?)^```", part, flags=re.S | re.M)


def put(folder, text):
    """Writes a block into the file that its first line names."""
    first, rest = text.split("\n", 1)
    place = PLACE.fullmatch(first)
    assert place, f"the block must begin with its file's name: {first}"
    path = folder / place["file"]
    if place["name"] is None:
        assert path.exists() == bool(place["end"])
        path.write_text((path.read_text() if place["end"] else "") + rest)
        return
    old = path.read_text()
    opening = rf"^( *){place['name']}\b[^\n]*[\[{{(]\n"
    list_ = re.compile(rf"{opening}.*?(?=^\1[\]}})])", flags=re.S | re.M)
    assert len(list_.findall(old)) == 1, f"no list {place['name']} in {place['file']}"
    path.write_text(list_.sub(lambda found: found[0] + rest, old))


@pytest.fixture
def copy(tmp_path):
    junk = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("zero", "configs", "kernels", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=junk)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("title", re.findall(r"^### (.*)", TEXT, flags=re.M))
def test_a_recipe_works(title, copy):
    commands = []
    for language, text in recipe(title):
        if language == "sh":
            commands += text.splitlines()
        else:
            put(copy, text)
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    assert len(commands) >= 1
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=copy, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_the_rooms_are_those_that_are_tested():
    """The order of packages stands in the text as in the architecture's test."""
    for name in re.findall(r"`(\w+)`", re.search(r"lowest first: (.*?)\. `tests", TEXT, re.S)[1]):
        assert (ROOT / "zero" / name).is_dir() or (ROOT / "zero" / f"{name}.py").is_file(), name

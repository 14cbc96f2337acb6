"""What a shell offers after TAB: asked as bash asks, and by a real bash."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zero.cells.published import PRESETS, PUBLISHED
from zero.config.shipped import shipped_configs
from zero.programs import library, ops
from zero.programs.mutation_names import MUTATION_NAMES
from zero.search import names as search_names
from zero.tasks import task_families

TOPICS = ["ops", "tasks", "programs", "mutations", "searches", "configs", "families", "metrics",
          "runs"]  # fmt: skip
ZERO = [sys.executable, "-m", "zero"]


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def offered(line, command=ZERO):
    """Returns what is offered for the last word of a line, as the script for bash asks."""
    words = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    environment = {**os.environ, **asked, "_ZERO_COMPLETE": "complete_bash"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("zero ru", ["run"]),
        ("zero run ", list(shipped_configs())),
        ("zero run quick", ["quickstart"]),
        ("zero validate own_", ["own_csv", "own_images"]),
        ("zero run quickstart --is", ["--islands"]),
        ("zero list ", TOPICS),
        ("zero list mu", ["mutations"]),
        ("zero list ops VECTOR_M", ["VECTOR_MIN", "VECTOR_MAX", "VECTOR_MEAN"]),
        ("zero list ops ", list(ops.OPS)),
        ("zero list tasks ", list(task_families())),
        ("zero list mutations ", list(MUTATION_NAMES)),
        ("zero list searches ", search_names()),
        ("zero show ", library.names()),
        ("zero evaluate neural_network_d", ["neural_network_damaged"]),
        ("zero evaluate linear quick", ["quickstart"]),
        ("zero bench evaluate quickstart --program lin", ["linear", "linear_with_bias"]),
        ("zero bench search quickstart --backend c", ["cpu", "cuda"]),
        ("zero cells show ", list(PUBLISHED)),
        ("zero cells count enas --skeleton darts", [n for n in PRESETS if n.startswith("darts")]),
        ("zero train amoebanet_d", ["amoebanet_d", "amoebanet_darts"]),
        ("zero resume ru", []),  # then shells offer files
        ("zero run nothing_such", []),
    ],
)
def test_names_are_offered(line, words):
    assert offered(line) == words


def test_files_that_a_command_takes_are_offered_beside_names():
    for name in ("quick.yaml", "quick.txt", "quick sand.yaml"):
        Path(name).touch()
    Path("quarry").mkdir()
    assert offered("zero run qu") == ["quickstart", "quarry/", "quick.yaml"]
    assert offered("zero run quic") == ["quickstart", "quick.yaml"]
    assert offered("zero run quick.") == []  # no name begins so: the shell looks by itself


def test_completion_loads_nothing_slow():
    slow = {"numba", "numpy", "h5py", "sklearn", "rich", "yaml"}
    code = (
        "import sys, zero.cli.main\n"
        "try: zero.cli.main.main()\n"
        f"finally: print([n for n in {slow} if n in sys.modules], file=sys.stderr)"
    )
    for line in ("zero run q", "zero list ops V", "zero show li", "zero cells show en"):
        asked = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        environment = {**os.environ, **asked, "_ZERO_COMPLETE": "complete_bash"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert done.stdout.strip() and done.stderr.strip() == "[]", line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_printed(shell):
    environment = {**os.environ, "_ZERO_COMPLETE": f"source_{shell}"}
    done = subprocess.run(ZERO, env=environment, capture_output=True, text=True, check=True)
    assert f"_ZERO_COMPLETE=complete_{shell}" in done.stdout


@pytest.fixture
def bash(tmp_path):
    """Runs lines in a bash that finds a command `zero`; its home is the folder."""
    if shutil.which("bash") is None:
        pytest.skip("no bash on this machine")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "zero"
    command.write_text(f'#!/bin/sh\nexec {shlex.join(ZERO)} "$@"\n')
    command.chmod(0o755)
    root = str(Path(library.__file__).parents[1])
    environment = {
        **os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": root,
        "HOME": str(tmp_path),
    }  # fmt: skip

    def run(lines):
        command = ["bash", "--norc", "-c", lines]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_bash_completes_with_what_is_installed(bash, tmp_path):
    assert "bash completion installed" in bash("zero --install-completion; true")
    assert "complete -o default -F _zero_completion zero" in bash("zero --show-completion; true")
    told = bash(
        "source ~/.bashrc\nCOMP_WORDS=(zero run linear_) COMP_CWORD=2\n"
        "_zero_completion zero\necho ${COMPREPLY[@]}"
    )
    assert told == "linear_demo linear_integration\n"

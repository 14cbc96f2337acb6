"""LaTeX is balanced and names every address; where there is a pdflatex it is compiled, too."""

import re
import shutil
import subprocess

import exported
import pytest
from exported_tables import make
from helpers import parse

from zero.programs.export import content
from zero.programs.library import OF_CLASSES, PROGRAMS, program
from zero.programs.ops import OPS


def check(text):
    """Asserts that braces and environments are closed in order, and nothing special is left bare."""
    plain = re.sub(r"(?<!\\)%.*", "", text)
    depth = 0
    for mark in re.findall(r"(?<!\\)(?:\\\\)*([{}])", plain):
        depth += 1 if mark == "{" else -1
        assert depth >= 0
    assert depth == 0
    opened = []
    for what, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", plain):
        if what == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    assert plain.count(r"\left") - plain.count(r"\leftarrow") == plain.count(r"\right")
    assert plain.isascii() and "#" not in plain.replace(r"\#", "")
    assert not re.search(r"\bnan\b|\binf\b", plain)


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in OF_CLASSES])
def test_shipped_programs(name):
    text = content(program(name), "latex").decode()
    check(text)
    assert set(re.findall(r"\\usepackage(?:\[\w+\])?\{(.*?)\}", text)) == {"amsmath,array"}
    used = set(re.findall(r"\b[svm]\d+\b", str(program(name))))
    assert {a for a in used if f" & {a} & " not in text} <= dead(name)


def dead(name):
    """Addresses of instructions that change no prediction."""
    from zero.programs.simplified import simplify

    return set(re.findall(r"\b[svm]\d+\b", str(program(name)))) - set(
        re.findall(r"\b[svm]\d+\b", str(simplify(program(name))))
    )


def test_the_linear_program_reads_as_a_person_writes_it():
    text = content(program("linear"), "latex").decode()
    for line in (
        r"\hat{y} &\leftarrow \mathbf{w}^\top \mathbf{x}",
        r"a &\leftarrow y - \hat{y} \\",
        r"\mathbf{u} &\leftarrow a \, \mathbf{x}",
        r"\mathbf{w} &\leftarrow \mathbf{w} + \mathbf{u}",
    ):
        assert line in text


def test_random_programs_with_every_op():
    for case in exported.cases(70):
        check(content(case.model, "latex").decode())


@pytest.mark.parametrize("problem", ["multiclass", "regression", "binary"])
def test_names_with_special_characters(problem):
    text = content(make(problem, matrix=problem == "regression"), "latex").decode()
    check(text)
    assert "final\\_fitness" in text and "U+00FC" in text


@pytest.mark.parametrize(
    "op", [op for op in OPS.values() if op.kind in ("map", "reduce", "reduce_rows")]
)
def test_formulas_of_every_op(op):
    inputs = [f"{kind}{k + 2}" for k, kind in enumerate(op.inputs)]
    kind = op.output
    line = op.listing.format(o=1, a=inputs[0][1:], b=inputs[-1][1:])
    into = {"s": "s1 = s1 + s1", "v": "s1 = mean(v1)", "m": "s1 = mean(m1)"}[kind]
    check(content(parse(Predict=f"{line}; {into}"), "latex").decode())


@pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="needs pdflatex; structure is checked alone"
)
def test_it_compiles(tmp_path):
    for k, found in enumerate([program("neural_network"), make("multiclass")]):
        (tmp_path / f"p{k}.tex").write_bytes(content(found, "latex"))
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"p{k}.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]

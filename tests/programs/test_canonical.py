"""Canonical forms: one for all spellings of the same program, and it does what the program does."""

import numpy as np
import pytest

from zero.errors import ProgramError
from zero.programs import library
from zero.programs.canonical import canonical, canonical_program
from zero.programs.evaluator import Evaluator
from zero.programs.program import parse_program
from zero.tasks import make_task_set
from zero.tasks.linear_regression import LinearRegression

SPELLINGS = [
    "def Setup():\n  s2 = 0.5\ndef Predict():\n  s1 = dot(v1, v0)\ndef Learn():\n"
    "  s3 = s0 - s1\n  s4 = s2 * s3\n  v2 = s4 * v0\n  v1 = v1 + v2\n",
    # other addresses, operands the other way round, and what changes no prediction
    "def Setup():\n  s7 = 0.5\n  s9 = 3\ndef Predict():\n  s1 = dot(v0, v5)\n  s8 = s9 + s9\ndef Learn():\n"
    "  s2 = s0 - s1\n  s3 = s2 * s7\n  v3 = s3 * v0\n  v5 = v3 + v5\n",
]


def test_spellings_of_one_program_have_one_form():
    assert canonical(SPELLINGS[0]) == canonical(SPELLINGS[1])
    assert "s9" not in canonical(SPELLINGS[1])


def test_another_constant_or_order_is_another_program():
    forms = {canonical(SPELLINGS[0])}
    for old, new in (("0.5", "0.25"), ("s0 - s1", "s1 - s0"), ("  s3 = s0 - s1\n", "")):
        forms.add(canonical(SPELLINGS[0].replace(old, new)))
    assert len(forms) == 4


@pytest.mark.parametrize("name", library.names())
def test_the_form_of_a_form_is_itself(name):
    once = canonical_program(library.program(name))
    assert canonical(str(once)) == str(once)
    assert len(once) <= len(library.program(name))


def test_forms_do_what_their_programs_do():
    family = LinearRegression(features=4, train=30, valid=20, count=2)
    evaluate = Evaluator(make_task_set(family, "search"), backend="reference")
    for text in SPELLINGS:
        program = parse_program(text)
        same = evaluate(canonical_program(program)), evaluate(program)
        assert np.array_equal(same[0].task_fitness, same[1].task_fitness)
        assert same[0].fitness > 0.1


def test_what_is_no_program_is_told():
    with pytest.raises(ProgramError):
        canonical("no program")

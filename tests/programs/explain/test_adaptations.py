"""The paper's adaptations: found in programs that have them, by what they do, and in no others."""

import pytest
from adapted import NETWORK, NOISY_RELU, RATE_DECAY, RATE_OF_WEIGHTS

from zero.programs import library
from zero.programs.explain.adaptations import ADAPTATIONS, adaptations
from zero.programs.explain.exact import exact
from zero.programs.program import parse_program

NOISE, DECAY, MEAN = ADAPTATIONS
OF_CLASSES = str(library.program("neural_network_of_classes"))


def of(text, labels="scalar"):
    program = exact(parse_program(text), labels=labels).program
    return set(adaptations(program, labels))


def with_rate(text, rate, setup="", predict="", learn="", end=""):
    """Another learning rate, s3, and more instructions where functions begin and at the end."""
    text = text.replace("s3 = 0.01", rate).replace("def Setup():", f"def Setup():{setup}")
    text = text.replace("def Predict():", f"def Predict():{predict}")
    return text.replace("def Learn():", f"def Learn():{learn}") + end


def test_the_papers_programs_have_theirs():
    assert of(NOISY_RELU) == {NOISE}
    assert of(RATE_DECAY) == {DECAY}
    assert of(RATE_OF_WEIGHTS) == {MEAN}


def test_they_are_found_with_vector_labels():
    follows = "\n  s4 = abs(s5)\n  s3 = sin(s4)"
    assert of(
        with_rate(OF_CLASSES, "s5 = 0.01", predict=follows, end="  s5 = mean(m0)\n"), "vector"
    ) == {MEAN}
    assert of(with_rate(OF_CLASSES, "s3 = 0.37", learn="\n  s3 = arctan(s3)"), "vector") == {DECAY}
    noisy = with_rate(OF_CLASSES, "s3 = 0.01", end="  v9 = gaussian(-0.5, 0.4, n_features)\n")
    assert of(noisy, "vector") == {NOISE}


@pytest.mark.parametrize("name", library.names())
def test_shipped_programs_have_none(name):
    labels = "vector" if name in library.OF_CLASSES else "scalar"
    assert adaptations(library.program(name), labels) == {}


@pytest.mark.parametrize("learn", [
    "\n  s3 = sin(s3)", "\n  s3 = arctan(s3)", "\n  s7 = 0.98\n  s3 = s3 * s7",
    "\n  s7 = 0.01\n  s8 = s3 * s7\n  s3 = s3 - s8",
])  # fmt: skip
def test_any_rate_that_shrinks_decays(learn):
    assert of(with_rate(NETWORK, "s3 = 0.3", learn=learn)) == {DECAY}


def test_the_prediction_may_be_of_a_copy_of_the_weights():
    text = str(library.program("softmax_regression")).replace("s2 = 0.01", "s2 = 0.2")
    text = text.replace("dot(m0, v0)", "dot(m2, v0)")
    text = text.replace("def Predict():", "def Predict():\n  s2 = sin(s2)")
    assert of(text + "  m2 = minimum(m0, m0)\n", "vector") == {DECAY}


@pytest.mark.parametrize("learn", [
    "\n  s7 = 1.01\n  s3 = s3 * s7",  # grows
    "\n  s3 = gaussian(0.01, 0.001)",  # is drawn
    "\n  s7 = sin(s3)",  # shrinks, but nothing reads it
    "\n  s7 = 0.9999\n  s3 = s3 * s7",  # shrinks too slowly for anyone to notice
])  # fmt: skip
def test_other_rates_do_not(learn):
    assert DECAY not in of(with_rate(NETWORK, "s3 = 0.01", learn=learn))


@pytest.mark.parametrize("made, found", [
    ("mean(m0)", {MEAN}), ("norm(m0)", set()), ("std(m0)", set()),
])  # fmt: skip
def test_the_mean_of_the_weights_is_told_from_their_size(made, found):
    follows = "\n  s4 = abs(s5)\n  s3 = arctan(s4)"
    assert (
        of(with_rate(NETWORK, "s5 = 0.01", predict=follows, end=f"  s5 = {made}\n")) - {DECAY}
        == found
    )


@pytest.mark.parametrize("end", [
    "  v9 = gaussian(-0.5, 0.4, n_features)\n  v9 = v9 + v9\n",  # nothing reads it
    "  v6 = gaussian(0, 0.01, n_features)\n  v2 = v2 + v6\n",  # noise on weights, not in the ReLU
    "  s2 = gaussian(0, 0.1)\n",  # on the prediction, behind the ReLU
])  # fmt: skip
def test_noise_elsewhere_is_no_noisy_relu(end):
    assert of(NETWORK + end) == set()

"""Known pieces of programs: by what is computed, whatever the addresses and the number of instructions."""

import numpy as np
from adapted import NETWORK, NOISY_RELU, RATE_DECAY, RATE_OF_WEIGHTS
from helpers import parse, random_program

from zero.programs.explain.exact import exact
from zero.programs.explain.motifs import motifs
from zero.programs.library import program
from zero.programs.program import FUNCTIONS, Memory, format_instruction, parse_program


def found_in(text, metric=None):
    """What is found: {name: [(sentence, texts of its instructions)]}."""
    given = parse_program(text) if isinstance(text, str) else text
    found = {}
    for motif in motifs(given, metric):
        texts = [format_instruction(given.functions[f][k], False) for f, k in motif.spots]
        found.setdefault(motif.name, []).append((motif.sentence, texts))
    return found


def test_linear():
    found = found_in(program("linear"), "rms_error")
    assert set(found) == {"dot-product prediction", "gradient step", "learning rate"}
    assert found["dot-product prediction"][0][1] == ["s1 = dot(v1, v0)"]
    sentence, texts = found["gradient step"][0]
    assert sentence.startswith("v1: ") and "squared error" in sentence and "1.00" in sentence
    assert texts == ["s3 = s0 - s1", "s3 = s2 * s3", "v2 = s3 * v0", "v1 = v1 + v2"]
    assert found["learning rate"] == [("0.01 scales the steps", ["s2 = 0.01"])]


def test_the_loss_is_that_of_the_tasks():
    assert "log loss" in found_in(program("linear"), "accuracy")["gradient step"][0][0]
    both = found_in(program("linear"))["gradient step"][0][0]
    assert "squared error" in both and "log loss" in both


def test_neural_network():
    found = found_in(program("neural_network"), "accuracy")
    assert set(found) == {
        "dot-product prediction", "linear layer", "bias", "ReLU", "gradient step", "learning rate",
        "random start",
    }  # fmt: skip
    assert found["linear layer"][0][1] == ["v3 = dot(m0, v0)"]
    assert found["ReLU"][0][1] == ["v4 = maximum(v3, v5)"]
    assert [texts for _, texts in found["bias"]] == [["v3 = v3 + v1"], ["s1 = s1 + s2"]]
    assert found["gradient step"][0][0].startswith("m0, s2, v1 and v2: ")
    assert len(found["random start"]) == 2


def test_paper_best():
    found = found_in(program("paper_best"), "accuracy")
    assert set(found) == {
        "bilinear form", "step near the gradient", "normalised gradient", "averaging of weights",
        "noise on the features",
    }  # fmt: skip
    assert found["bilinear form"][0][1] == ["v6 = dot(m1, v5)", "s1 = dot(v6, v1)"]
    sentence, texts = found["step near the gradient"][0]
    assert sentence.startswith("m0: ") and sentence.endswith("through sin")
    assert "m0 = m1 + m0" in texts and "s5 = sin(s4)" in texts
    assert found["normalised gradient"][0][1] == ["s2 = norm(m1)", "s7 = s5 / s2"]
    assert found["averaging of weights"][0][1] == ["m2 = m2 + m0"]
    noise = found["noise on the features"][0][1]
    assert noise == ["v1 = v0 - v9", "v5 = v0 + v9", "v9 = uniform(0.002, 0.7, n_features)"]


def test_noisy_relu_of_the_paper():
    found = found_in(NOISY_RELU, "accuracy")
    ((hidden, _),) = found["noise on hidden values"]
    ((threshold, _),) = found["noise on the threshold of a ReLU"]
    assert hidden.startswith("v1 = ") and threshold.startswith("v5 = ")
    assert "ReLU" not in found  # its threshold is not 0
    assert found["gradient step"][0][0].startswith("v2: ")
    assert found["learning rate"] == [("0.004 scales the steps", ["s3 = 0.004"])]


def test_learning_rate_decay_of_the_paper():
    found = found_in(RATE_DECAY, "accuracy")
    ((sentence, texts),) = found["learning-rate decay"]
    assert sentence.startswith("s3, ") and texts == ["s3 = arctan(s3)"]
    assert found["gradient step"][0][0].startswith("m0, s2, v1 and v2: ")


def test_learning_rate_of_the_weights_of_the_paper():
    ((sentence, texts),) = found_in(RATE_OF_WEIGHTS, "accuracy")["learning rate of the weights"]
    assert sentence.endswith("made of m0")
    assert texts == ["s3 = abs(s5)", "s3 = sin(s3)", "s5 = mean(m0)"]


def test_a_rate_that_grows_is_no_decay():
    grows = RATE_DECAY.replace("s3 = arctan(s3)", "s3 = s3 + s3").replace("0.37", "1e-20")
    found = found_in(grows, "accuracy")
    assert "learning-rate decay" not in found and "learning rate that changes" in found


LINEAR = dict(
    Setup="s2 = 0.01", Predict="s1 = dot(v1, v0)",
    Learn="s3 = s0 - s1; s3 = s2 * s3; v2 = s3 * v0; v1 = v1 + v2",
)  # fmt: skip


def of_linear(**changed):
    return found_in(parse(**(LINEAR | changed)), "rms_error")


def test_steps_are_named_by_where_they_lead():
    # Other instructions that do the same.
    same = "s3 = s1 - s0; v2 = bcast(s3); v2 = v2 * v0; v2 = s2 * v2; v1 = v1 - v2"
    assert "gradient step" in of_linear(Learn=same)
    up = of_linear(Learn="s3 = s0 - s1; s3 = s2 * s3; v2 = s3 * v0; v1 = v1 - v2")
    assert set(up) & {"gradient step", "step against the gradient"} == {"step against the gradient"}
    blind = of_linear(Learn="v2 = s2 * v0; v2 = s0 * v2; v2 = s0 * v2; v1 = v1 + v2")
    assert not set(blind) & {"gradient step", "step near the gradient"}
    # The sign of the features alone is not the gradient.
    near = of_linear(Learn="s3 = s0 - s1; s3 = s2 * s3; v3 = abs(v0); v3 = v0 / v3; v2 = s3 * v3; "
                     "v1 = v1 + v2")  # fmt: skip
    assert set(near) & {"gradient step", "step near the gradient"} == {"step near the gradient"}


def test_decay_of_weights():
    decay = of_linear(Setup="s2 = 0.01; s4 = 0.98", Learn=LINEAR["Learn"] + "; v1 = s4 * v1")
    assert "multiplied by 0.98" in decay["decay of weights"][0][0]
    assert "gradient step" in decay
    less = of_linear(
        Setup="s2 = 0.01; s4 = 0.02", Learn=LINEAR["Learn"] + "; v3 = s4 * v1; v1 = v1 - v3"
    )
    assert "multiplied by 0.98" in less["decay of weights"][0][0]
    grows = of_linear(Setup="s2 = 0.01; s4 = 1.02", Learn=LINEAR["Learn"] + "; v1 = s4 * v1")
    assert "decay of weights" not in grows


def test_normalised_by_the_features():
    for norm in ("s4 = norm(v0); s3 = s3 / s4", "s4 = dot(v0, v0); s3 = s3 / s4",
                 "s4 = norm(v0); s4 = 1 / s4; s3 = s4 * s3"):  # fmt: skip
        learn = f"s3 = s0 - s1; s3 = s2 * s3; {norm}; v2 = s3 * v0; v1 = v1 + v2"
        assert "normalised gradient" in of_linear(Learn=learn), norm
    times = "s3 = s0 - s1; s3 = s2 * s3; s4 = norm(v0); s3 = s3 * s4; v2 = s3 * v0; v1 = v1 + v2"
    assert "normalised gradient" not in of_linear(Learn=times)


def test_relu_as_a_product():
    text = NETWORK.replace("v4 = maximum(v3, v5)", "v9 = heaviside(v3, 1.0)\n  v4 = v3 * v9")
    # Its derivative is the same value.
    assert found_in(text)["ReLU"][0][1] == [
        "v9 = heaviside(v3, 1.0)", "v4 = v3 * v9", "v8 = heaviside(v3, 1.0)"
    ]  # fmt: skip
    other = NETWORK.replace("v4 = maximum(v3, v5)", "v4 = maximum(v3, v0)")
    assert "ReLU" not in found_in(other)


def test_every_program_can_be_looked_at():
    rng = np.random.default_rng(3)
    names = set()
    with np.errstate(all="ignore"):
        for _ in range(150):
            given = exact(random_program(rng, Memory(5, 4, 2), (4, 8, 10))).program
            for motif in motifs(given, "accuracy"):
                names.add(motif.name)
                sizes = [len(getattr(given, f)) for f in FUNCTIONS]
                assert motif.spots and all(0 <= k < sizes[f] for f, k in motif.spots)
    assert len(names) > 4


def test_values_doubled_again_and_again():
    sums, products = "; v2 = v2 + v2" * 300, "; v3 = v3 * v3" * 300
    found = of_linear(Learn=f"s3 = s0 - s1; v2 = s3 * v0; v3 = s2 * v0{sums}{products}; v1 = v1 + v2; "
                      "v1 = v1 + v3")  # fmt: skip
    assert "dot-product prediction" in found  # sums and products are not written out


def test_adaptations_of_the_paper_are_named():
    assert "noisy ReLU" in found_in(NOISY_RELU, "accuracy")
    name = "learning rate from the mean of weights"
    ((sentence, texts),) = found_in(RATE_OF_WEIGHTS, "accuracy")[name]
    assert "mean of m0" in sentence and "s5 = mean(m0)" in texts
    assert len(found_in(RATE_DECAY, "accuracy")["learning-rate decay"]) == 1

"""The paper's best program by inner products is the program that the interpreter runs."""

import json
from pathlib import Path

import numpy as np
import pytest

import zero
from zero.programs.interpreter import reference
from zero.programs.program import memory_needed, parse_program
from zero.rng import philox
from zero.tasks import TaskSet

FOLDER = Path(zero.__file__).parents[1] / "benchmarks" / "paper"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")
KEY, TASK = 5, 7


@pytest.fixture
def bilinear(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import bilinear

    return bilinear


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import best_program

    return best_program


def examples(features=9, train=40, scored=30, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((train + scored, features))
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.float64)
    return x[:train], y[:train], x[train:], y[train:]


def by_products(bilinear, data, epochs):
    x, y, vx, vy = data
    draws_of, _ = bilinear.variants()["evolved"]
    r = bilinear.draws(draws_of, x.shape[1], epochs * len(x), KEY, TASK, "float64")
    return bilinear.products(x, y, r, r @ r.T, {"valid": (vx, vy)})


def by_interpreter(program, data, epochs):
    """Trains, then predicts twice: absolute errors of the train steps, scores with memory that lasts."""
    x, y, vx, _ = data
    banks = reference.Banks(memory_needed(program), x.shape[1])
    errors, step = [], 0

    def call(function, instructions, features, label):
        banks.v[0], banks.s[0] = features, label
        for instruction in instructions:
            reference.execute(instruction, banks, reference.Draws(KEY, TASK, function, step))

    for instruction in program.setup:
        reference.execute(instruction, banks, reference.Draws(KEY, TASK))
    for order in reference.epoch_orders(len(x), epochs):
        for row in order:
            call(philox.PREDICT, program.predict, x[row], 0.0)
            banks.s[1] = reference.sigmoid(banks.s[1])
            errors.append(abs(y[row] - banks.s[1]))
            call(philox.LEARN, program.learn, x[row], y[row])
            step += 1
    scores = []
    for row in [*range(len(vx)), 0]:
        call(philox.VALIDATE, program.predict, vx[row], 0.0)
        scores.append(float(banks.s[1]))
    return np.array(errors), np.array(scores)


NAMES = [
    "evolved", "evolved, no noise", "evolved, no bilinear form", "evolved, no normalised gradient",
    "evolved, no accumulated weights",
]  # fmt: skip


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_program(bilinear, name, epochs):
    assert list(bilinear.variants()) == NAMES
    program, variant = bilinear.variants()[name]
    program = parse_program(str(program).replace("s3 = 0.0001", "s3 = 0.1"))
    data = examples()
    its = by_products(bilinear, data, epochs)
    found = bilinear.run(its, program, variant)
    errors, scores = by_interpreter(program, data, epochs)
    assert errors.std() > 0.01
    np.testing.assert_allclose(found["errors"], errors, rtol=0, atol=1e-12)
    # From the second example on memory holds what predicts; the first comes once more at the end.
    ratio = found["valid"] / np.array([scores[-1], *scores[1:-1]])
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    assert ratio[0] > 0
    share = np.mean((found["valid"] > 0) == (data[3] > 0.5))
    assert bilinear.accuracy(its, found, "valid") == share


def test_its_errors_are_those_of_an_evaluation(bilinear):
    program, variant = bilinear.variants()["evolved"]
    data = examples(train=100)
    arrays = (data[0][None], data[1][None], data[2][None], data[3][None])
    tasks = TaskSet(("a",), np.array([TASK], np.uint32), *arrays, "accuracy")
    trace = reference.run(program, memory_needed(program), tasks, 0, seed_key=KEY)
    found = bilinear.run(by_products(bilinear, data, 1), program, variant)
    np.testing.assert_allclose(found["errors"], trace.train_errors, rtol=0, atol=1e-12)
    wrong = (found["valid"] > 0) != (data[3] > 0.5)
    assert list(wrong[1:]) == [bool(error) for error in trace.valid_errors[1:]]
    assert 0 < wrong.mean() < 0.5


@pytest.mark.parametrize("bounds", [(0.3, 0.3), (0.4, 0.1), (-0.5, 0.9)])
def test_other_bounds_of_the_noise(bilinear, bounds):
    program, variant = bilinear.variants()["evolved"]
    text = str(program).replace("uniform(0.002, 0.7", f"uniform({bounds[0]}, {bounds[1]}")
    other = parse_program(text)
    data = examples()
    found = bilinear.run(by_products(bilinear, data, 1), other, variant)
    errors, _ = by_interpreter(other, data, 1)
    np.testing.assert_allclose(found["errors"], errors, rtol=0, atol=1e-12)


def test_fewer_epochs_of_the_same_products(bilinear):
    program, variant = bilinear.variants()["evolved"]
    data = examples()
    short = bilinear.shortened(by_products(bilinear, data, 3), 2)
    one, other = (
        bilinear.run(its, program, variant) for its in (short, by_products(bilinear, data, 2))
    )
    for name in ("errors", "valid"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-9)


def test_the_network_learns_what_a_line_cannot(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import sgd

    rng = np.random.default_rng(0)
    x = rng.standard_normal((1500, 4)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.float64)
    parts = {"valid": (x[1000:], y[1000:])}
    settings = {hidden: sgd.Settings(hidden, 0.3, 1.0, 1e-5) for hidden in (0, 32)}
    found = {
        h: sgd.train(x[:1000], y[:1000], parts, s, 15, 0)["valid"] for h, s in settings.items()
    }
    assert len(found[32]) == 15 and found[32][-1] > 0.9 and found[0][-1] < 0.65
    assert sgd.train(x[:1000], y[:1000], parts, settings[32], 15, 0)["valid"] == found[32]
    line = {"valid": (x[1000:], (x[1000:, 0] > 0).astype(np.float64))}
    labels = (x[:1000, 0] > 0).astype(np.float64)
    assert sgd.train(x[:1000], labels, line, settings[0], 5, 0)["valid"][-1] > 0.95
    too_fast = sgd.Settings(32, 1e9, 1.0, 0.0)
    assert len(sgd.train(x[:1000], y[:1000], parts, too_fast, 4, 0)["valid"]) == 4


def test_pairs_are_apart(script):
    held_out = script.held_out()
    assert len(held_out) == 9
    for pairs in script.TUNING_PAIRS.values():
        assert len(set(pairs)) == 3 and not set(held_out) & set(pairs)


def test_the_whole_script_and_again(script, tmp_path, monkeypatch):
    class Small(script.Data):
        features, train, scored, name = 6, 40, 20, "small"

        def __init__(self):
            pass

        def task(self, pair, seed, part):
            x, y, vx, vy = examples(6, 40, 20, seed=10 * pair[0] + seed)
            return x.astype(np.float32), y, {part: (vx.astype(np.float32), vy)}

    monkeypatch.setattr(script, "CONSTANTS", 4)
    monkeypatch.setattr(script, "SETTINGS", {"linear": ([0], 4), "network": ([3, 5], 4)})
    monkeypatch.setattr(script, "MOST_EPOCHS", 3)
    monkeypatch.setitem(script.TUNING_PAIRS, "small", [(0, 1), (0, 2)])
    rows, data = script.Rows("small", tmp_path), Small()

    def all_of_it():
        script.check()
        script.tune_trained(data, rows)
        script.tune_programs(data, rows, script.PROGRAMS)
        script.measure(data, rows, script.held_out()[:2], 0, script.PROGRAMS)

    all_of_it()
    tuned = {row["tuned"]: row for row in rows.all() if "tuned" in row}
    assert set(tuned) == {"linear", "network", *NAMES, "evolved in 3 epochs"}
    assert tuned["evolved in 3 epochs"]["epochs"] == 3
    for name in NAMES:
        assert tuned[name]["epochs"] in (1, 2, 3)
        assert tuned[name]["valid_accuracy"] == max(
            tuned[name]["valid_accuracy_by_epochs"].values()
        )
        (constants,) = rows.where(constants_of=name)
        assert constants["valid_accuracy"] >= constants["valid_accuracy_untuned"]
        assert constants["valid_accuracy"] == tuned[name]["valid_accuracy_by_epochs"]["1"]
    final = [row for row in rows.all() if "learner" in row]
    assert len(final) == 2 * 8 and all(0 <= row["accuracy"] <= 1 for row in final)
    before = (tmp_path / "small.json").read_text()
    all_of_it()
    assert (tmp_path / "small.json").read_text() == before
    assert json.loads(before)["rows"][0]["machine"]["cpu"]

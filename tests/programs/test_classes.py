"""Vector labels: what programs see of them, how predictions are scored, and what knows nothing of them."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import SearchEvaluator, grown_program, parse, small_tasks

from zero.errors import ConfigError, TaskError
from zero.programs import library
from zero.programs.canonical import canonical
from zero.programs.evaluator import Evaluator
from zero.programs.figures import chance
from zero.programs.interpreter import cpu
from zero.programs.interpreter.arrays import FEC_HITS, SEEN_HITS
from zero.programs.interpreter.reference import largest, softmax
from zero.programs.program import Memory, Program
from zero.tasks import Task, TaskFamily, make_task_set
from zero.tasks.projected_classes import ProjectedClasses

BACKENDS = ["reference", "cpu"]


def evaluate(program, tasks, backend, **arguments):
    module = cpu.build("float64", 4) if backend == "cpu" else None
    return Evaluator(tasks, backend, module=module, keep_errors=True, **arguments)(program)


def labelled(train, valid, features=4, tasks=2):
    """Tasks of three classes with these labels for all."""
    found = small_tasks(tasks, len(train), len(valid), features, "classes")
    parts = {"train_y": train, "valid_y": valid}
    return replace(found, **{k: np.tile(np.float64(y), (tasks, 1)) for k, y in parts.items()})


@pytest.mark.parametrize("backend", BACKENDS)
def test_learn_sees_the_label_one_hot_and_predict_sees_zeros(backend):
    # Memory v3 gathers what learn sees; the prediction is the class seen most often.
    tasks = labelled([2, 2, 1], [2, 1, 0, 2])
    counted = parse(Predict="v2 = v3 + v9", Learn="v3 = v3 + v1")
    assert evaluate(counted, tasks, backend).fitness == 0.5
    # In predict v1 is zero, whatever was written there: class 0, the first of equal ones.
    seen = parse(Setup="v1[0.3] = 1", Predict="v2 = v1 + v9", Learn="v1[0.3] = 1")
    assert evaluate(seen, tasks, backend).fitness == 0.25
    # s0 is a scalar like all others: it lasts, and no label goes there.
    kept = parse(Setup="s0 = 1", Predict="v2 = s0 * v3", Learn="v3 = v3 + v1")
    assert evaluate(kept, tasks, backend).fitness == 0.5


@pytest.mark.parametrize("backend", BACKENDS)
def test_learn_sees_probabilities_and_zeros_behind_the_classes(backend):
    # v2 is 1 everywhere after predict; the classes' elements are a third each when learn sees it.
    tasks = labelled([0], [1, 0], features=5)
    setup = "s2 = 1; v3 = bcast(s2); s4 = 0.4; v6[0.8] = 1; v7[0.3] = 1"  # elements 4 and 1
    predict = "v8 = s5 * v7; v2 = v3 + v8"  # class 1 where s5 is above 0, else class 0
    behind = parse(Setup=setup, Predict=predict, Learn="s3 = dot(v2, v6); s5 = s4 - s3")
    assert evaluate(behind, tasks, backend).errors.tolist() == [[0, 1]] * 2  # 0.4 - 0
    within = parse(Setup=setup, Predict=predict, Learn="s3 = dot(v2, v7); s5 = s3 - s4")
    assert evaluate(within, tasks, backend).errors.tolist() == [[1, 0]] * 2  # 1/3 - 0.4


@pytest.mark.parametrize("backend", BACKENDS)
def test_largest_output_is_the_class_and_nan_never_wins(backend):
    cases = {
        "v2[0.3] = 1": [0, 1, 0],  # four features: elements 0, 1, 2 are the classes
        "v2[0.6] = 1": [0, 0, 1],
        "v2[0.8] = 1": [1, 0, 0],  # behind the classes
        "v2[0] = nan": [1, 0, 0],
        "v2[0.3] = nan": [1, 0, 0],
        "v2[0.3] = inf": [0, 1, 0],
        "v2[0] = -inf": [0, 1, 0],
    }
    tasks = labelled([0], [0, 1, 2], tasks=1)
    for line, right in cases.items():
        # Written in learn, after a train step whose softmax was of zeros, for validation's predict to keep.
        program = parse(Learn="v2 = v9 * v9; " + line)
        got = evaluate(program, tasks, backend)
        assert (1.0 - got.errors[0]).tolist() == right, line


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_what_has_no_probabilities_fails_in_training(backend):
    tasks = labelled([1, 1], [1, 1])
    for value, fails in (("nan", True), ("inf", True), ("1e38", False), ("-inf", False)):
        got = evaluate(parse(Predict=f"v2[0.3] = {value}"), tasks, backend)
        assert got.train_steps == (2 if fails else 4), value
    # An error is 1 - the probability of the right class: two thirds before anything is learned.
    assert evaluate(Program(), tasks, backend, max_abs_error=0.7).train_steps == 4
    assert evaluate(Program(), tasks, backend, max_abs_error=0.6).train_steps == 2


def test_softmax_and_largest():
    x = np.array([1.0, -2.0, 700.0, 710.0])
    found = softmax(x)
    assert found.sum() == pytest.approx(1) and found[3] / found[2] == pytest.approx(np.exp(10))
    assert np.isnan(softmax(np.array([0.0, np.inf]))).all()
    assert softmax(np.float32([1, 1])).dtype == np.float32
    assert largest(np.array([1.0, 3.0, 3.0])) == 1 and largest(np.array([np.nan, 1.0])) == 0


def test_shipped_programs_learn_ten_digits():
    family = ProjectedClasses(source="digits", count=2, train=800, valid=200, epochs=3)
    tasks = make_task_set(family, "search")
    found = {
        name: Evaluator(tasks)(library.program(name)).fitness
        for name in ("softmax_regression", "neural_network_of_classes", "linear")
    }
    assert found["softmax_regression"] > 0.75 and found["neural_network_of_classes"] > 0.75
    assert found["linear"] < 0.15
    assert chance(tasks) == pytest.approx(0.1, abs=0.02)


def test_the_search_takes_no_program_for_another():
    # Its caches and canonical names, against plain evaluations of programs that differ in a few places.
    tasks = small_tasks(3, 12, 8, 4, "classes")
    search = SearchEvaluator(
        tasks, memory=Memory(8, 14, 3), cache_=(10, 8, 4096, 0), widths=(24,) * 3
    )
    plain = Evaluator(tasks, memory=Memory(8, 14, 3), seed_key=3)
    rng = np.random.default_rng(2)
    for k in range(300):
        name = library.OF_CLASSES[k % 2]
        program = grown_program(rng, library.program(name), Memory(8, 14, 3), int(rng.integers(3)))
        assert search(program)[0] == plain(program).fitness
        assert search(program)[0] == plain(program).fitness
    assert search.count(SEEN_HITS) >= 300 and search.count(FEC_HITS) > 0


def test_canonical_form_keeps_label_and_prediction():
    one = (
        "def Predict():\n  v2 = dot(m3, v0)\ndef Learn():\n  v5 = v1 - v2\n  s4 = mean(v5)\n"
        "  m3 = outer(v5, v0)\n"
    )
    other = one.replace("m3", "m0").replace("v5", "v9")
    assert canonical(one, "vector") == canonical(other, "vector")
    assert "s4" not in canonical(one, "vector") and "v1 - v2" in canonical(one, "vector")
    assert canonical(one) == "def Setup():\ndef Predict():\ndef Learn():\n"


def test_too_little_memory_is_told():
    tasks = small_tasks(1, metric="classes")
    with pytest.raises(ConfigError, match=r"vector labels need memory of at least 3 vectors"):
        Evaluator(tasks, memory=Memory(4, 2, 0))


# --- families ---------------------------------------------------------------------------------------


class Blobs(TaskFamily):
    """Tell three blobs apart."""

    kind = "blobs_of_test_classes"
    metric = "accuracy"
    labels = "vector"

    def make(self, data_seed, param_seed, purpose):
        y = np.tile([0.0, 1.0, 2.0], 20)
        x = np.eye(4)[y.astype(int)] + np.random.default_rng(data_seed).normal(size=(60, 4)) / 10
        return Task("blobs", x, y, x, y, classes=self.classes_of())

    def classes_of(self):
        return 3


def test_a_family_of_ones_own_may_have_vector_labels():
    tasks = make_task_set(Blobs(), "search")
    assert (
        tasks.classes == 3 and Evaluator(tasks)(library.program("softmax_regression")).fitness > 0.9
    )


@pytest.mark.parametrize("classes, message", [
    (5, "5 classes and 4 features; one-hot labels need"), (0, "0 classes"), (2, "0 to 1"),
])  # fmt: skip
def test_wrong_classes_are_told(classes, message, monkeypatch):
    monkeypatch.setattr(Blobs, "classes_of", lambda self: classes)
    with pytest.raises(TaskError, match=message):
        make_task_set(Blobs(), "search")


@pytest.mark.parametrize("labels, metric, message", [
    ("vector", "rms_error", "with vector labels metric must be accuracy"),
    ("matrix", "accuracy", "labels must be one of scalar, vector"),
])  # fmt: skip
def test_a_family_with_impossible_labels_is_refused(labels, metric, message):
    with pytest.raises(TaskError, match=message):
        type("Wrong", (TaskFamily,), {"kind": "wrong", "metric": metric, "labels": labels,
                                      "__module__": "own", "__annotations__": {}})  # fmt: skip


def test_projected_classes_share_out_what_each_class_has():
    family = ProjectedClasses(source="digits", train=600, valid=300, test=200)
    rows = family.rows(3)
    assert {part: len(r) for part, r in rows.items()} == {"train": 600, "valid": 300, "test": 200}
    labels = family._load("train").labels
    for part, number in (("train", 60), ("valid", 30), ("test", 20)):
        assert np.abs(np.bincount(labels[rows[part]]) - number).max() <= number * 0.06 + 1
    assert np.array_equal(np.sort(rows["test"]), np.sort(family.rows(4)["test"]))
    assert not np.array_equal(np.sort(rows["train"]), np.sort(family.rows(4)["train"]))


@pytest.mark.parametrize("keys, message", [
    ({"classes": [0, 11]}, "has no class 11"),
    ({"features": 8}, "10 classes and 8 features"),
    ({"train": 5000}, "cannot be split"),
])  # fmt: skip
def test_projected_classes_that_cannot_be_are_told(keys, message):
    with pytest.raises(TaskError, match=message):
        make_task_set(ProjectedClasses(source="digits", **keys), "search")


def test_final_tasks_with_other_classes_are_refused():
    final = ProjectedClasses(source="digits", classes=[0, 1, 2])
    with pytest.raises(TaskError, match="other classes"):
        final.check_apart(ProjectedClasses(source="digits"))
    with pytest.raises(TaskError, match="test rows could be trained on"):
        ProjectedClasses(source="digits", test=500).check_apart(
            ProjectedClasses(source="digits", test=400)
        )

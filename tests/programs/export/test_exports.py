"""130 random trained programs, each export run without zero and compared with the interpreter."""

import shutil

import exported
import numpy as np
import pytest

from zero.programs.ops import OPS

COUNT = 130  # each op twice


@pytest.fixture(scope="module")
def every():
    return exported.cases(COUNT)


@pytest.fixture(scope="module")
def tolerance(every):
    return [exported.TOLERANCE[case.dtype] for case in every]


@pytest.fixture(scope="module")
def predicted(every):
    return [exported.predictions(case) for case in every]


@pytest.fixture(scope="module")
def fitted(every):
    return [exported.predictions_after_training(case) for case in every]


def check(pairs, results, tolerance):
    number, largest, bad = exported.compared(pairs, results, tolerance)
    assert bad == [], f"the largest difference is {largest}"
    assert number >= 0.95 * COUNT  # the rest are moved by a rounding


def test_every_op_is_in_some_prediction(every):
    used = {i.op for case in every for i in case.model.trained.program.predict}
    assert used == set(list(OPS)[1:65])  # not NO_OP, which does nothing and so is left out


def test_a_difference_would_be_seen(predicted, tolerance):
    moved = [wanted + 10 * t for (wanted, _), t in zip(predicted, tolerance, strict=True)]
    assert len(exported.compared(predicted, moved, tolerance)[2]) > 0.7 * COUNT
    lost = [np.full_like(wanted, np.nan) for wanted, _ in predicted]
    assert len(exported.compared(predicted, lost, tolerance)[2]) >= 0.95 * COUNT


def test_the_interpreter_predicts_many_rows_as_one_by_one(every, predicted, tolerance):
    found = [exported.outcome(case, case.model.trained.scores(case.x)) for case in every]
    check(predicted, found, tolerance)


def test_python(every, predicted, fitted, tolerance, tmp_path):
    results = exported.python_results(every, tmp_path)
    check(predicted, results[0], tolerance)
    check(fitted, results[1], tolerance)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.slow
def test_c(every, predicted, fitted, tolerance, tmp_path):
    results = exported.c_results(every, tmp_path)
    check(predicted, results[0], tolerance)
    check(fitted, results[1], tolerance)


@pytest.mark.skipif(shutil.which("clang") is None, reason="needs clang")
def test_c_of_another_compiler(every, predicted, tolerance, tmp_path):
    results = exported.c_results(every[:20], tmp_path, "clang", ("-O0",))
    assert exported.compared(predicted[:20], results[0], tolerance[:20])[2] == []


@pytest.mark.parametrize("runtime", list(exported.RUNTIMES))
def test_onnx(every, tmp_path, runtime):
    pytest.importorskip("onnx" if runtime == "reference" else runtime)
    single = [exported.predictions_single(case) for case in every]
    results = exported.onnx_results(every, tmp_path, runtime)
    check(single, results, [exported.TOLERANCE["float32"]] * COUNT)


@pytest.mark.parametrize("opset", [13, 17])
def test_onnx_of_every_opset(every, tmp_path, opset):
    onnx = pytest.importorskip("onnx")
    results = exported.onnx_results(every[:20], tmp_path, "reference", opset)
    found = exported.onnx_results(every[:20], tmp_path, "reference")
    for a, b in zip(results, found, strict=True):
        np.testing.assert_array_equal(a, b)
    model = onnx.load(tmp_path / "p0.onnx")
    assert model.ir_version == 8

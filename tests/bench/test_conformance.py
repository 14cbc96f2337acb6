"""Cases recorded from the original engine; both backends agree with all of them."""

import gzip
import json
import sys
from pathlib import Path

import pytest

from zero.bench import conformance
from zero.bench.conformance import read_cases, run_cases
from zero.errors import DeviceError, TaskError

FILE = Path(__file__).parents[3] / "shared" / "conformance" / "reference_cases.jsonl.gz"


@pytest.fixture(scope="module")
def cases():
    if not FILE.exists():
        pytest.skip("the recorded cases (../shared/conformance/) are not on this machine")
    return read_cases(FILE)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_all_recorded_cases_pass(cases, backend):
    outcome = run_cases(cases, backend, "float64")
    assert outcome.differences == []
    assert outcome.passed == outcome.total == {"op": 928, "algorithm": 350}


def test_recorded_cases_pass_in_float32_at_its_tolerance(cases):
    # What float32 cannot hold is not compared; that must stay the smaller part.
    outcome = run_cases(cases, "cpu", "float32")
    assert outcome.differences == [] and outcome.passed == outcome.total
    assert outcome.total["op"] > 600 and outcome.total["algorithm"] == 350


SUM = {
    "kind": "op",
    "F": 2,
    "instruction": {
        "op": "SCALAR_SUM_OP", "in1": 1, "in2": 2, "out": 3, "activation": 0, "float": [0, 0, 0],
    },
    "before": {"scalar": [0, 1, 2, 0], "vector": [[0, 0]], "matrix": [[[0, 0], [0, 0]]]},
    "after": 3,
}  # fmt: skip


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_wrong_result_is_found_and_named(backend):
    wrong = json.loads(json.dumps(SUM))
    wrong["after"] = 3.0001
    outcome = run_cases([SUM, wrong], backend, "float64")
    assert outcome.passed["op"] == 1 and outcome.total["op"] == 2
    (line,) = outcome.differences
    assert "case 2 (op, F = 2)" in line and "3.0001" in line and "s3 = s1 + s2" in line


def test_a_wrong_algorithm_is_found(cases, monkeypatch):
    few = [c for c in cases if c["kind"] == "algorithm"][:20]
    honest = conformance.reference.fitness_of_loss
    monkeypatch.setattr(
        conformance.reference, "fitness_of_loss", lambda *a: honest(*a) * (1 - 1e-4)
    )
    assert len(run_cases(few, "reference", "float64").differences) > 10


def test_unreadable_files(tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(SUM) + "\n\n")
    assert read_cases(path) == [SUM]
    packed = tmp_path / "cases.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_cases(packed) == [SUM]
    packed.write_bytes(gzip.compress(path.read_bytes())[:-9])
    for broken, text in ((packed, None), (path, "{"), (path, "[1]"), (path, '{"kind": "x"}')):
        if text is not None:
            broken.write_text(text)
        with pytest.raises(TaskError, match="not a file of recorded cases"):
            read_cases(broken)
    with pytest.raises(TaskError, match="not a file of recorded cases"):
        read_cases(tmp_path / "none")


def test_unusable_backends(monkeypatch):
    with pytest.raises(DeviceError, match="unknown backend 'gpu'"):
        run_cases([], "gpu", "float64")
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(DeviceError, match="backend 'cuda' needs CuPy"):
        run_cases([], "cuda", "float64")

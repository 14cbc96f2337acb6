"""Fixtures for all tests, and their order: the smallest test of the whole engine comes first."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from zero.programs import ops
from zero.runs.reports import write

# Reports on each of the runs of tests would take minutes; `reports` brings them back.
write_report, write.write_report = write.write_report, lambda kind, path, domain=None: path

# Runs with imports are signed by a key of the tests' own, in their children as well.
_HOME = tempfile.mkdtemp(prefix="zero-tests-")
os.environ["ZERO_KEY"] = str(Path(_HOME) / "key")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

# They run the GPU's code on the CPU, which g++ compiles.
NEED_COMPILER = (
    "cuda/test_device.py", "cuda/test_host.py", "programs/cuda/test_evaluate.py",
    "programs/cuda/test_search.py", "test_gpu_benchmark.py",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name != "test_tiny.py")
    if shutil.which("g++") is None:
        for item in items:
            if (
                item.path.as_posix().endswith(NEED_COMPILER)
                or "cifar10_from_scratch_gpu" in item.name
            ):
                item.add_marker(pytest.mark.skip(reason="no g++ to build the GPU's code with"))


@pytest.fixture
def reports(monkeypatch):
    """Runs write their reports, as those of users do."""
    monkeypatch.setattr(write, "write_report", write_report)


@pytest.fixture
def own_ops():
    """Ops registered by a test are gone after it."""
    before, groups = dict(ops.OPS), dict(ops.GROUPS)
    yield
    ops.OPS.clear()
    ops.OPS.update(before)
    ops.GROUPS.clear()
    ops.GROUPS.update(groups)


@pytest.fixture
def no_gpu(monkeypatch):
    """A machine without a GPU, whatever it has."""
    from zero import cuda
    from zero.errors import DeviceError
    from zero.programs.cuda.search import gpu_names

    def opening(index=0):
        raise DeviceError("no CUDA device found; use backend: cpu")

    monkeypatch.setattr(cuda, "open_machine", opening)
    gpu_names.cache_clear()
    yield
    gpu_names.cache_clear()

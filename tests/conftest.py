"""Fixtures for all tests, and their order: the smallest test of the whole engine comes first."""

import pytest

from zero import ops


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name != "test_tiny.py")


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
    from zero.cuda.search import count_gpus
    from zero.errors import DeviceError

    def opening(index=0):
        raise DeviceError("no CUDA device found; use backend: cpu")

    monkeypatch.setattr(cuda, "open_machine", opening)
    count_gpus.cache_clear()
    yield
    count_gpus.cache_clear()

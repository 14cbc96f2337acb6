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

import pytest
from boards import copied, make_runs

pytest.importorskip(
    "starlette", reason="the dashboard's packages are not installed: pip install -e .[test]"
)


@pytest.fixture(scope="session")
def made_runs(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("made") / "runs")


@pytest.fixture
def runs(made_runs, tmp_path):
    return copied(made_runs, tmp_path)

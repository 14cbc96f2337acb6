"""The README's Python example does what the README says."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def examples():
    return re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.S)


def test_the_estimators_example_tells_wines_apart():
    (text,) = (t for t in examples() if "zero.sklearn" in t)
    names = {}
    exec(compile(text, "README.md", "exec"), names)
    assert names["found"].score(names["X_test"], names["y_test"]) > 0.9
    assert names["again"].score(names["X_train"], names["y_train"]) > 0.9


@pytest.mark.slow
def test_the_example_beats_the_mean(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (text,) = (t for t in examples() if "zero.start" in t)
    assert 'individuals": 200_000' in text
    names = {}
    # A tenth of the search: the claim holds all the more for all of it.
    exec(compile(text.replace("200_000", "20_000"), "README.md", "exec"), names)
    outcome = names["outcome"]
    assert outcome.details["interval"][0] > outcome.details["chance"]["final"]
    assert outcome.select_fitness >= outcome.baselines["linear"][0]
    assert outcome.final.fitness > outcome.baselines["linear"][1] - 0.02
    assert (tmp_path / "runs" / "mine" / "archive.h5").exists()

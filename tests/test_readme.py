"""The README's Python example does what the README says."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
def test_the_example_beats_the_mean(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (text,) = re.findall(r"```python\n(from sklearn.*?)```", README.read_text(), flags=re.S)
    assert 'individuals": 200_000' in text
    names = {}
    # A tenth of the search: the claim holds all the more for all of it.
    exec(compile(text.replace("200_000", "20_000"), "README.md", "exec"), names)
    outcome = names["outcome"]
    assert outcome.details["interval"][0] > outcome.details["chance"]["final"]
    assert outcome.select_fitness >= outcome.baselines["linear"][0]
    assert outcome.final.fitness > outcome.baselines["linear"][1] - 0.02
    assert (tmp_path / "runs" / "mine" / "archive.h5").exists()

"""`zero show RUN --checklist`: what a run's record answers of what a report must tell."""

from pathlib import Path

import onemax
import pytest
from commands import zero_
from small_cells import small_cells

from zero.config.load import make_config
from zero.runs.archive import best_record, read_archive
from zero.runs.run import start


def run(folder, **changes):
    settings = {"bits": {"length": 12}, "budget": {"individuals": 60}, **changes}
    start(make_config({"imports": [str(Path(onemax.__file__))], **settings}), folder, quiet=True)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs beside each other: evolution twice, random search, local search, and other settings."""
    folder = tmp_path_factory.mktemp("runs")
    run(folder / "one", seed=1)
    run(folder / "two", seed=2)
    run(folder / "random", seed=1, search={"method": "random_search"})
    for method in ("local_search", "random_search"):
        run(folder / "compared" / method / "seed-1", seed=1, search={"method": method})
    run(folder / "other", seed=1, bits={"length": 13})
    (folder / "empty").mkdir()
    return folder


def answers(path):
    out, _ = zero_("show", path, "--checklist")
    found, name = {}, None
    for line in out.splitlines():
        if line[:1] != " ":
            name, _, text = line.partition("  ")
            found[name] = text.strip()
        else:
            found[name] += " " + line.strip()
    return found


def test_what_is_recorded(runs):
    found = answers(runs / "one")
    assert found["code"].startswith("zero 0") and "commit" in found["code"]
    assert found["seed"].startswith("1;")
    assert "cores" in found["hardware"] and "numba" in found["software"]
    assert found["effort"].startswith("60 individuals")
    assert "data that decided nothing" in found["what the search saw"]
    assert found["tuning before it"].startswith("not recorded")
    assert found["over random sampling"] == "not recorded"


def test_runs_of_the_same_settings_stand_beside_it(runs):
    found = answers(runs / "one")
    assert "random (random_search, seed 1: search" in found["random search beside it"]
    assert (
        found["runs with other seeds"].startswith("1:")
        and "seed 2" in found["runs with other seeds"]
    )
    assert "other" not in found["runs with other seeds"]
    alone = answers(runs / "other")
    assert alone["random search beside it"].startswith("none found; make one")
    assert alone["runs with other seeds"].startswith("none:")
    assert answers(runs / "random")["random search beside it"] == "it is one"
    # As `zero bench search-methods` lays them out, a folder for each method.
    compared = answers(runs / "compared" / "local_search" / "seed-1")
    assert "random_search/seed-1" in compared["random search beside it"].replace(" ", "")


def test_the_gain_over_random_sampling_is_the_outcomes(tmp_path):
    """With seed 5 that is of the first of two experiments."""
    small = {"budget": {"individuals": 8}, "experiments": {"max": 2, "individuals": 4}}
    start(small_cells(seed=5, **small), tmp_path / "run", quiet=True)
    data = read_archive(tmp_path / "run")
    best, last = best_record(data), data.experiments[1].records
    assert best.accuracy > max(r.accuracy for r in last)
    told = answers(tmp_path / "run")["over random sampling"]
    assert f"valid accuracy {best.accuracy:.4f}" in told


def test_a_folder_without_an_archive(tmp_path):
    _, err = zero_("show", tmp_path, "--checklist", code=1)
    assert "has no config.yaml; give the folder that `zero run`" in err

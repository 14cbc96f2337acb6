"""Ensembles: their members are the best candidates, their figures those of the mean logits."""

import numpy as np
import pytest
from small_cells import small_cells
from small_runs import all_records

from zero.cells.domain import CellsDomain
from zero.cells.ensemble import best_members, ensemble_figures
from zero.errors import ConfigError
from zero.nn.augment import Normaliser
from zero.nn.reference import ReferenceModel
from zero.runs import run
from zero.runs.archive import read_archive

SPACE = {"space": "blocks", "skeleton": {"filters": 3}, "ensemble": 3}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    config = small_cells(
        cells=SPACE, search={"method": "random_search"}, islands={"count": 2},
        budget={"individuals": 16},
    )  # fmt: skip
    return run.start(config, tmp_path_factory.mktemp("ensemble") / "run")


def test_members_are_the_best_candidates_of_all_islands(outcome):
    figures = read_archive(outcome.folder).results["ensemble"]
    trained = [r for r in all_records(outcome.folder) if r.same_as < 0 and r.reason == ""]
    best = sorted(trained, key=lambda r: (-r.fitness, r.id))
    best = [r for k, r in enumerate(best) if r.text not in [b.text for b in best[:k]]][:3]
    assert figures["numbers"].tolist() == [r.id for r in best]
    assert figures["member_valid"].tolist() == [r.accuracy for r in best]
    assert figures["valid"] >= min(figures["member_valid"])


def test_figures_are_those_of_the_mean_logits():
    config = small_cells(cells=SPACE, search={"method": "beam"})
    domain = CellsDomain(config)
    (island,) = domain.islands(0, {"individuals": 8, "train_steps": 10**9})
    while not island.waiting:
        island.advance(1.0)
    members, evaluator, data = island.members, domain.evaluator, domain.data
    assert len(members) == 3
    figures = ensemble_figures(evaluator, members)
    normalise = Normaliser(data.image_shape, data.mean, data.std)
    for part, x, y in (("valid", data.valid_x, data.valid_y), ("final", data.test_x, data.test_y)):
        logits = []
        for one in members:
            genome = domain.search_space.parse(one["text"])
            model = ReferenceModel(evaluator.network(genome), 7, "float32")
            model.parameters[:], model.statistics[:] = one["parameters"], one["statistics"]
            logits.append(model.predict(normalise(x)))
        for share, mine in zip(figures[f"member_{part}"], logits, strict=True):
            assert share == np.mean(mine.argmax(axis=1) == y)
        assert figures[part] == np.mean(np.mean(logits, axis=0).argmax(axis=1) == y)
    classes = [np.mean(np.mean(logits, axis=0).argmax(axis=1)[y == k] == k) for k in np.unique(y)]
    assert figures["balanced"] == pytest.approx(np.mean(classes))


def test_a_member_without_numbers_makes_the_ensemble_wrong():
    domain = CellsDomain(small_cells(cells=SPACE, search={"method": "beam"}))
    (island,) = domain.islands(0, {"individuals": 4, "train_steps": 10**9})
    while not island.waiting:
        island.advance(1.0)
    broken = {**island.members[0], "parameters": island.members[0]["parameters"] * np.nan}
    figures = ensemble_figures(domain.evaluator, [island.members[0], broken])
    assert figures["valid"] == figures["final"] == 0 == figures["member_valid"][1]
    assert figures["member_valid"][0] > 0


def test_of_equal_members_the_earlier_ones_are_kept_and_each_genome_once():
    rows = ((5, 0.5, "a"), (3, 0.9, "b"), (4, 0.5, "c"), (9, 0.7, "d"), (8, 0.8, "b"))
    members = [{"number": n, "fitness": f, "text": text} for n, f, text in rows]
    assert [m["number"] for m in best_members(members, 3)] == [3, 9, 4]


def test_an_ensemble_has_at_least_two():
    with pytest.raises(ConfigError, match=r"cells\.ensemble"):
        small_cells(cells={"ensemble": 1})


def test_without_one_there_is_no_figure(tmp_path):
    outcome = run.start(small_cells(budget={"individuals": 4}), tmp_path / "run")
    assert "ensemble" not in read_archive(outcome.folder).results

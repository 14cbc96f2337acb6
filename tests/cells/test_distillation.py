"""Distillation: from whom candidates learn, and what the loss then is."""

import numpy as np
import pytest
from small_cells import small_cells, table_settings, write_table

from zero.cells.distillation import taught_by
from zero.cells.domain import CellsDomain
from zero.config.load import make_config
from zero.errors import ConfigError


def island_of(**cells):
    config = small_cells(cells={"space": "blocks", "skeleton": {"filters": 3}, **cells})
    domain = CellsDomain(config)
    return domain, domain.islands(0, {"individuals": 8, "train_steps": 10**9})[0]


def finished(island):
    while not island.waiting:
        island.advance(1.0)
    return list(island.records.values())


def test_the_first_candidate_has_no_teacher_and_others_the_best_before_them(monkeypatch):
    domain, island = island_of(distillation={"weight": 2.0, "temperature": 3.0})
    seen, trial_of = [], type(island)._trial

    def noted(island, genome, record):
        trial = trial_of(island, genome, record)
        seen.append((record.number, trial.trainer.taught, trial.trainer.taught_weight))
        return trial

    monkeypatch.setattr(type(island), "_trial", noted)
    best = {}  # number of the best before each candidate, and its weights
    kept = type(island)._kept

    def follow(island, record):
        best[record.number + 1] = island.best_weights
        kept(island, record)

    monkeypatch.setattr(type(island), "_kept", follow)
    records = {r.number: r for r in finished(island)}
    assert seen[0][1] is None
    for number, taught, weight in seen[1:]:
        if best.get(number) is None:
            continue
        teacher = {**best[number], "text": records[best[number]["number"]].text}
        np.testing.assert_array_equal(taught, taught_by(domain.evaluator, teacher, 3.0))
        assert weight == 2.0
        np.testing.assert_allclose(taught.sum(axis=1), 1, rtol=1e-5)
        assert taught.shape == (60, 10)
    assert sum(taught is not None for _, taught, _ in seen) >= 2


def test_candidates_that_are_taught_are_trained_otherwise():
    plain, taught = (finished(island_of(distillation=how)[1]) for how in (None, {"weight": 1.0}))
    assert repr(plain[0]) == repr(taught[0])
    same = [a for a, b in zip(plain, taught, strict=False) if a.key == b.key]
    assert any(a.curve.tolist() != b.curve.tolist()
               for a, b in zip(plain[1:], taught[1:], strict=True)) and same  # fmt: skip


def test_a_hot_teacher_is_less_sure():
    domain, island = island_of()
    finished(island)
    best = {**island.best_weights, "text": island.records[island.best_weights["number"]].text}
    cold, hot = (taught_by(domain.evaluator, best, t) for t in (1.0, 4.0))
    assert (hot.max(axis=1) <= cold.max(axis=1)).all() and (hot.max() < cold.max())
    np.testing.assert_array_equal(hot.argmax(axis=1), cold.argmax(axis=1))
    broken = {**best, "parameters": best["parameters"] * np.nan}
    assert taught_by(domain.evaluator, broken, 1.0) is None


def test_a_table_teaches_nothing(tmp_path):
    settings = table_settings(write_table(tmp_path / "t.csv"), cells={"distillation": {}})
    with pytest.raises(ConfigError, match=r"cells\.distillation: has no meaning with a table"):
        make_config(settings)

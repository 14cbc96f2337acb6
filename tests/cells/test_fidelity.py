"""Candidates trained with less than the run is about; the outcome is trained in full."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_cells import small_cells
from small_runs import all_records

from zero.cells.domain import CellsDomain
from zero.cells.evaluator import TrainEvaluator
from zero.cells.fidelity import Fidelity, area_means, candidate_of, reduced
from zero.cells.kind import CELLS
from zero.cells.networks.build import build_network
from zero.cells.text import parse_genome
from zero.data.images import ImageSettings, load_images
from zero.errors import ConfigError, NetworkError
from zero.rng.splitmix import new_state
from zero.runs import run
from zero.runs.archive import read_archive

LOW = {"epochs": 2, "images": 40, "pixels": 4, "filters": 2}
FULL = {"skeleton": {"filters": 4}, "training": {"epochs": 4}}


@pytest.fixture(scope="module")
def digits():
    return load_images(ImageSettings(source="digits"))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    config = small_cells(cells={**FULL, "fidelity": LOW}, budget={"individuals": 6})
    return run.start(config, tmp_path_factory.mktemp("low") / "run")


def test_fewer_images_are_of_all_classes_and_more_of_them_hold_the_fewer(digits):
    few, more = (reduced(digits, Fidelity(images=n), 0) for n in (50, 300))
    assert (len(few.train_x), len(more.train_x)) == (50, 300)
    for data, n in ((few, 50), (more, 300)):
        shares = digits.counts("train") * n / len(digits.train_x)
        assert np.abs(data.counts("train") - shares).max() < 1
        assert (data.valid_x is digits.valid_x) and (data.test_y is digits.test_y)
    labelled = {(x.tobytes(), int(y)) for x, y in zip(digits.train_x, digits.train_y, strict=True)}
    small, large = ({(x.tobytes(), int(y)) for x, y in zip(d.train_x, d.train_y, strict=True)}
                    for d in (few, more))  # fmt: skip
    assert small < large < labelled
    other = reduced(digits, Fidelity(images=50), 1)
    assert not np.array_equal(other.train_x, few.train_x)


def test_pixels_are_means_over_areas(digits):
    found = reduced(digits, Fidelity(pixels=2), 0)
    for part in ("train", "valid", "test"):
        images, small = (getattr(d, f"{part}_x") for d in (digits, found))
        assert small.shape == (len(images), 2, 2, 1) and small.dtype == images.dtype
        corner = images[:, :4, 4:, 0].reshape(len(images), -1).mean(axis=1)
        assert np.array_equal(small[:, 0, 1, 0], np.rint(corner))
    images = np.arange(24, dtype=np.float32).reshape(1, 2, 4, 3)
    means = area_means(images, 2)
    assert means.dtype == np.float32
    assert means.tolist() == [[[[7.5, 8.5, 9.5], [13.5, 14.5, 15.5]]]]
    assert found.mean != digits.mean or found.std != digits.std  # those of the small images


def test_wide_images_keep_their_shape(digits):
    wide = {
        f"{p}_x": np.repeat(getattr(digits, f"{p}_x"), 3, axis=2)[:, :, :12]
        for p in ("train", "valid", "test")
    }
    found = reduced(replace(digits, **wide), Fidelity(pixels=2), 0)
    assert found.image_shape == (2, 3, 1)
    with pytest.raises(ConfigError, match=r"must be one of 2, 4, so that .* 8 x 12"):
        reduced(replace(digits, **wide), Fidelity(pixels=1), 0)


@pytest.mark.parametrize(("low", "line"), [
    ({"pixels": 8}, "cells.fidelity.pixels: must be one of 1, 2, 4"),
    ({"pixels": 16}, "cells.fidelity.pixels: must be one of 1, 2, 4"),
    ({"pixels": 3}, "cells.fidelity.pixels: must be one of 1, 2, 4"),
    ({"images": 9}, "cells.fidelity.images: must be from 10 (one of each class) to 1,078"),
    ({"images": 1079}, "cells.fidelity.images: must be from 10 (one of each class) to 1,078"),
])  # fmt: skip
def test_what_only_the_images_can_tell(low, line, digits):
    with pytest.raises(ConfigError) as caught:
        reduced(digits, Fidelity(**low), 0)
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_images_too_small_for_the_skeleton_are_told_of():
    cells = {"space": "nasnet", "fidelity": {"pixels": 1}, "skeleton": {"normal_cells": 1}}
    with pytest.raises(NetworkError, match=r"^with cells\.fidelity: "):
        CellsDomain(small_cells(cells=cells)).check()


def test_a_candidate_is_trained_with_less_and_costs_what_the_full_network_does():
    domain = CellsDomain(small_cells(cells={**FULL, "fidelity": LOW}))
    evaluator = domain.evaluator
    genome = parse_genome("|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|none~1|skip_connect~2|")
    trial = evaluator.begin(genome, 1, "one")
    trainer = trial.trainer
    assert (trial.all_epochs, evaluator.data.image_shape) == (2, (4, 4, 1))
    assert len(evaluator.data.train_x) == 40
    full = CellsDomain(small_cells(cells=FULL)).evaluator
    assert evaluator.cost(genome) == full.cost(genome)
    assert trainer.network.num_parameters < evaluator.cost(genome).parameters
    low = candidate_of(domain.cells)
    assert (low.training.epochs, low.skeleton.filters) == (2, 2)
    assert (domain.cells.training.epochs, domain.cells.skeleton.filters) == (4, 4)


def test_scores_are_those_of_the_full_network():
    """Those that look at images take them in full, too."""
    for name in ("parameters", "grad_norm"):
        scores = {"filter": name, "candidates": 2}
        spaces = [
            CellsDomain(small_cells(cells={**FULL, **low, "scores": scores})).search_space
            for low in ({}, {"fidelity": LOW})
        ]
        genome = spaces[0].space.random(new_state(0, "test"))
        full, told = (space.scorer(genome) for space in spaces)
        assert np.isfinite(full) and told == full


def test_the_outcome_is_trained_in_full(outcome):
    data = read_archive(outcome.folder)
    records = all_records(outcome.folder)
    assert {len(r.curve) for r in records if r.same_as < 0} == {2}
    assert {r.train_steps for r in records if r.same_as < 0} == {2 * 2}  # 40 images, batches of 20
    final = data.results["final"]
    assert final["retrained"] and final["epochs"] == 4
    genome = parse_genome(data.results["genome"])
    network = build_network(
        genome, CellsDomain(small_cells(cells=FULL)).evaluator.skeleton, (8, 8, 1), 10
    )
    assert final["parameters"] == network.num_parameters
    best = next(r for r in records if r.id == data.results["record"])
    assert best.parameters == network.num_parameters
    assert (outcome.folder / "best_weights.h5").exists()
    assert data.results["search"]["fidelity"] == outcome.details["fidelity"]
    assert (
        outcome.details["fidelity"] == "2 epochs, 40 images, images of 4 pixels' height, 2 filters"
    )


def test_a_section_final_says_how_the_outcome_is_trained(tmp_path):
    cells = {**FULL, "fidelity": {"epochs": 2}, "final": {"filters": 6, "epochs": 3}}
    outcome = run.start(small_cells(cells=cells, budget={"individuals": 3}), tmp_path / "run")
    assert outcome.details["epochs"] == 3
    best = next(r for r in all_records(outcome.folder) if r.is_best)
    assert outcome.details["parameters"] > best.parameters


def test_without_a_full_training_there_are_no_figures_of_the_outcome(tmp_path, monkeypatch, capsys):
    def begin(self, genome, seed, name, parent=None):
        if name == "outcome":
            raise NetworkError("too large")
        return begins(self, genome, seed, name, parent)

    begins = TrainEvaluator.begin
    monkeypatch.setattr(TrainEvaluator, "begin", begin)
    config = small_cells(cells={**FULL, "fidelity": LOW}, budget={"individuals": 3})
    outcome = run.start(config, tmp_path / "run")
    assert np.isnan(outcome.final.fitness)
    assert outcome.details["failed"] == "too large"
    assert not (outcome.folder / "best_weights.h5").exists()
    CELLS.view.print_outcome(outcome)
    told = capsys.readouterr().out
    assert "the last training failed: too large\nfitness and valid accuracy are those of" in told
    data = read_archive(outcome.folder)
    rows = dict(
        CELLS.view.figure_rows(outcome.folder, data, next(iter(all_records(outcome.folder))))
    )
    assert rows["test accuracy"] == "- (the last training failed: too large)"


def test_people_are_told_at_which_fidelity(outcome, capsys):
    words = "2 epochs, 40 images, images of 4 pixels' height, 2 filters"
    CELLS.view.print_outcome(outcome)
    assert f"fitness is that of a training with {words}; the accuracies are in full" in (
        capsys.readouterr().out
    )
    assert CELLS.view.event(outcome)["fidelity"] == words
    json.dumps(CELLS.view.event(outcome))
    data = read_archive(outcome.folder)
    record = next(r for r in all_records(outcome.folder) if r.is_best)
    rows = dict(CELLS.view.figure_rows(outcome.folder, data, record))
    assert rows["fidelity"].startswith(words)
    assert "after 4 epochs" in rows["test accuracy"]
    CELLS.view.print_record(outcome.folder, data, record, False, False)
    assert f"# fidelity: {words}" in capsys.readouterr().out

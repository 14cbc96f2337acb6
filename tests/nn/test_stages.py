"""Training in stages: sizes, batches and rates change, weights carry over, resuming gives the same bits."""

from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from zero.data.images import ImageSettings, load_images
from zero.errors import ArchiveError, ConfigError, NetworkError
from zero.nn.augment import Resizer
from zero.nn.network import Builder
from zero.nn.stages import Course, relative_costs
from zero.nn.train import Trainer
from zero.nn.train_memory import training_memory
from zero.nn.train_settings import TrainSettings
from zero.system.trees import read_tree, write_tree

STAGES = [
    {"epochs": 1, "size": 4, "batch": 32, "learning_rate": 0.2},
    {"epochs": 2, "size": 6},
    {"epochs": 1},
]
STAGED = {
    "epochs": 4, "batch": 16, "learning_rate": 0.1, "schedule": "one_cycle", "momentum": 0.95,
    "lowest_momentum": 0.85, "mixup": 0.4, "pad": 2, "flip": True, "cutout": 2, "ema": 0.9,
    "drop_path": 0.3, "label_smoothing": 0.1, "stages": STAGES,
}  # fmt: skip


@pytest.fixture(scope="module")
def few():
    """70 train images: four whole batches of 16, two of 32."""
    return load_images(ImageSettings(train=70, valid=40, test=40))


def small(shape=(8, 8, 1)):
    b = Builder(shape)
    x = b.relu(b.batch_norm(b.conv(0, 4, 3, stride=2)))
    x = b.add(x, b.drop_path(b.batch_norm(b.conv(x, 4, 3)), 1.0))
    y = b.linear(b.dropout(b.global_pool(b.relu(x)), 0.2), 10)
    return b.network(y, b.linear(b.global_pool(x), 10))


def flat(shape=(8, 8, 1)):
    """Its linear layer has a weight for each pixel."""
    b = Builder(shape)
    return b.network(b.linear(b.relu(b.batch_norm(b.conv(0, 4, 3))), 10))


def trainer(data, settings=STAGED, network=None, build=small, **more):
    made = TrainSettings(**settings)
    return Trainer(network or small(), data, made, 5, "reference", build=build, **more)


def same(a, b):
    assert a.curve == b.curve and (a.reason, a.steps) == (b.reason, b.steps)
    assert (a.parameters == b.parameters).all() and (a.statistics == b.statistics).all()


def course(count=70, shape=(8, 8, 1), **settings):
    return Course(TrainSettings(**{"epochs": 4, "batch": 16, **settings}), count, shape)


def test_steps_epochs_and_places():
    found = course(stages=STAGES)
    assert found.steps == 2 + 2 * 4 + 4
    epochs = [found.epoch_of(step) for step in range(found.steps)]
    assert epochs == [(0, 0), (0, 1), *((e, at) for e in (1, 2, 3) for at in range(4))]
    assert [found.steps_until(epoch) for epoch in range(5)] == [0, 2, 6, 10, 14]
    # An epoch counts as one for the schedule, however many steps it has.
    assert [found.place(step) / found.per_epoch for step in (0, 1, 2, 3, 6, 13)] == [
        0, 0.5, 1, 1.25, 2, 3.75,
    ]  # fmt: skip
    assert [leg.shape for leg in found.legs] == [(4, 4, 1), (6, 6, 1), (8, 8, 1)]
    assert found.images(found.steps) == 64 * 4
    assert found.images(3, [0.25, 0.5, 1.0]) == 64 * 0.25 + 16 * 0.5


def test_a_schedule_begins_anew_where_a_stage_says_so(few):
    stages = [{"epochs": 1}, {"epochs": 1}, {"epochs": 2, "restart": True, "learning_rate": 0.3}]
    settings = {"epochs": 4, "batch": 16, "learning_rate": 0.1, "stages": stages}
    mine, rates = trainer(few, settings), []
    while mine.reason == "paused":
        place, units = mine.course.place(mine.step), mine.course.per_epoch
        mine.run_epochs(should_stop=lambda: True)
        rates.append(mine.schedule.rate(place, units))
    half = 0.05 * (1 + np.cos(np.pi * np.arange(8) / 8))
    np.testing.assert_allclose(rates, [*half, *3 * half])


def test_without_stages_a_place_is_a_step():
    found = course()
    assert [found.place(step) for step in range(found.steps)] == list(range(16))
    assert found.per_epoch == 4 and found.images(5) == 5 * 16


def test_stages_that_change_nothing_train_as_none(few):
    plain = {k: v for k, v in STAGED.items() if k != "stages"}
    both = [{"epochs": 3}, {"epochs": 1}]
    same(trainer(few, {**plain, "stages": both}).run_epochs(), trainer(few, plain).run_epochs())


def test_each_stage_has_its_size_batch_and_rate(few):
    mine = trainer(few)
    seen = []
    while mine.reason == "paused":
        before = mine.model.parameters.copy(), mine.model.statistics.copy()
        mine.run_epochs(should_stop=lambda: True)
        seen.append((mine.model.network.layers[0].shape[0], mine.model.batch))
        assert (mine.model.parameters != before[0]).any()
    assert seen == [(4, 32)] * 2 + [(6, 16)] * 8 + [(8, 16)] * 4
    assert mine.schedule.learning_rate == 0.1 and len(mine.curve) == 4


def test_weights_carry_over_as_they_are(few):
    mine = trainer(few, {**STAGED, "ema": 0.0})
    mine.run_epochs(1)
    kept = mine.model.parameters.copy(), mine.model.statistics.copy()
    assert mine.model.network.layers[0].shape == (4, 4, 1)
    right = mine.right_by_class("valid")  # on images as they are, in the middle of a training
    assert mine.model.network.layers[0].shape == (8, 8, 1)
    assert (mine.model.parameters == kept[0]).all() and (mine.model.statistics == kept[1]).all()
    assert int(right.sum()) / 40 == mine.accuracy(few.valid_x, few.valid_y)
    whole = trainer(few, {**STAGED, "ema": 0.0})
    same(mine.run_epochs(), whole.run_epochs())


def test_stopped_after_any_step_it_goes_on_as_if_unbroken(few, tmp_path):
    whole, pieces = trainer(few).run_epochs(), trainer(few)
    assert whole.reason == "epochs" and whole.steps == 14
    while pieces.reason == "paused":
        pieces.run_epochs(should_stop=lambda: True)
        write_tree(tmp_path / "state.h5", pieces.state(), "checkpoint", 1)
        pieces = trainer(few)
        pieces.restore(read_tree(tmp_path / "state.h5", "checkpoint", 1))
    same(pieces.result(), whole)


def test_other_stages_are_another_training(few):
    state = trainer(few).state()
    others = [{"epochs": 1, "size": 4}, *STAGES[1:]]
    with pytest.raises(ArchiveError, match="other settings"):
        trainer(few, {**STAGED, "stages": others}).restore(state)


def test_a_state_from_before_there_were_stages_is_gone_on_with(few):
    plain = {"epochs": 4, "batch": 16, "learning_rate": 0.1}
    state = trainer(few, plain).state()
    fields = ("stages", "mixup", "cycle_start", "cycle_rise", "lowest_momentum")
    settings = TrainSettings(**plain).model_dump_json(exclude=set(fields))
    state["made_with"]["settings"] = settings
    mine = trainer(few, plain)
    mine.restore(state)
    same(mine.run_epochs(), trainer(few, plain).run_epochs())


def test_the_best_epoch_is_one_on_images_as_they_are(few):
    mine = trainer(few)
    mine.run_epochs()
    mine.curve = [r._replace(valid_accuracy=0.9 - 0.2 * r.epoch) for r in mine.curve]
    found = mine.result()
    assert found.best_epoch == 4 and found.best_valid_accuracy == found.valid_accuracy


def test_the_accuracy_budget_waits_for_images_as_they_are(few):
    found = trainer(few, {**STAGED, "accuracy": 1e-9}).run_epochs()
    assert found.reason == "accuracy" and len(found.curve) == 4


def test_backends_agree(few):
    settings = {**STAGED, "drop_path": 0.0, "ema": 0.0, "epochs": 2, "stages": [
        {"epochs": 1, "size": 4, "batch": 35}, {"epochs": 1, "batch": 35}]}  # fmt: skip
    made = TrainSettings(**settings)
    found = [
        Trainer(small(), few, made, 5, backend, build=small).run_epochs()
        for backend in ("cpu", "reference")
    ]
    np.testing.assert_allclose(found[0].parameters, found[1].parameters, rtol=0, atol=2e-4)
    np.testing.assert_allclose(found[0].statistics, found[1].statistics, rtol=1e-3, atol=1e-3)
    assert found[0].curve[0].train_loss == pytest.approx(found[1].curve[0].train_loss, rel=1e-4)


def test_memory_is_that_of_the_stage_that_takes_most(few):
    plain = {k: v for k, v in STAGED.items() if k != "stages"}

    def total(stages, batch=16):
        made = TrainSettings(**{**plain, "stages": stages, "batch": batch})
        where = ("float32", "reference", 1, few, False, small)
        return training_memory(small(), made, batch, *where).total

    assert total([{"epochs": 3, "batch": 8}, {"epochs": 1}]) == total([])  # the last one
    assert total(STAGES) >= total([])
    large = [{"epochs": 3, "batch": 64}, {"epochs": 1}]
    assert total(large) == total([], 64) > total(STAGES)
    needed = total(large)
    settings = {**plain, "stages": large}
    trainer(few, settings, memory_limit=needed)
    with pytest.raises(NetworkError, match="training needs"):
        trainer(few, settings, memory_limit=needed - 1)


def test_small_images_cost_less():
    found = course(stages=STAGES)
    networks = found.networks(small(), small)
    costs = relative_costs(found.legs, networks)
    assert costs[-1] == 1 and all(a < b for a, b in pairwise(costs))


@pytest.mark.parametrize(
    "shape, to", [((8, 8, 1), (4, 4, 1)), ((6, 9, 3), (2, 3, 3)), ((7, 5, 2), (7, 5, 2))]
)
def test_a_smaller_image_has_the_means_of_areas(shape, to):
    x = np.random.default_rng(0).integers(0, 256, (5, *shape)).astype(np.uint8)
    found = Resizer(shape, to)(x)
    rows, columns = shape[0] // to[0], shape[1] // to[1]
    blocks = x.reshape(5, to[0], rows, to[1], columns, shape[2])
    assert found.dtype == np.float32 and found.flags.c_contiguous
    np.testing.assert_allclose(found, blocks.mean((2, 4)), rtol=1e-5)


def test_any_smaller_size_keeps_mean_and_range():
    x = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype(np.uint8)
    found = Resizer((8, 8, 1), (5, 3, 1))(x)
    np.testing.assert_allclose(found.mean((1, 2)), x.mean((1, 2)), rtol=1e-5)
    assert found.min() >= x.min() and found.max() <= x.max()
    line = np.arange(3, dtype=np.uint8).reshape(
        1, 3, 1, 1
    )  # each new pixel has one and a half old ones
    np.testing.assert_allclose(
        Resizer((3, 1, 1), (2, 1, 1))(line).ravel(), [1 / 3, 5 / 3], rtol=1e-6
    )


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"stages": [{"epochs": 3}]}, "stages: have 3 epochs together, but epochs is 4"),
        ({"stages": [{"epochs": 4, "size": 4}]}, "the last stage trains on images as they are"),
        ({"stages": [{"epochs": 0}, {"epochs": 4}]}, "stages.0.epochs"),
        ({"stages": [{"epochs": 4, "pixels": 4}]}, "pixels"),
        (
            {"stages": [{"epochs": 3}, {"epochs": 1, "restart": True}], "warmup_epochs": 1},
            "stages.1.restart: its schedule has 1 epochs, and warmup_epochs is 1",
        ),
        (
            {"stages": [{"epochs": 4, "learning_rate": 0.01}], "min_learning_rate": 0.02},
            "stages.0.learning_rate: must be at least min_learning_rate",
        ),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(ValidationError, match=words):
        TrainSettings(**{"epochs": 4, **settings})


def test_sizes_that_cannot_be_made(few):
    both = [{"epochs": 3, "size": 9}, {"epochs": 1}]
    with pytest.raises(ConfigError, match=r"stages\[0\]\.size: must be at most .* \(8\), got 9"):
        trainer(few, {**STAGED, "stages": both})
    odd = [{"epochs": 3, "size": 3}, {"epochs": 1}]
    with pytest.raises(ConfigError, match="no whole width at the height 3; use a multiple of 2"):
        course(shape=(4, 6, 1), stages=odd)


def test_networks_that_cannot_be_trained_so(few):
    with pytest.raises(NetworkError, match="for images of 4 x 4 the network has other weights"):
        trainer(few, network=flat(), build=flat)
    with pytest.raises(NetworkError, match=r"cell 3: .*no network is known for images of 4 x 4"):
        trainer(few, build=None, name="cell 3")

    def deep(shape):
        b = Builder(shape)
        x = 0
        for _ in range(3):
            x = b.pool("max", x, 2, 2, pad="valid")
        return b.network(b.linear(b.global_pool(x), 10))

    with pytest.raises(NetworkError, match=r"no network for images of 4 x 4: .*use a larger size"):
        trainer(few, build=deep)

"""Training a network: it learns, repeats itself bit for bit, resumes, and ends as it should."""

import numpy as np
import pytest

from zero.data.images import ImageData, ImageSettings, load_images
from zero.errors import ArchiveError, NetworkError
from zero.nn import train as train_module
from zero.nn.masks import Masks
from zero.nn.network import Builder
from zero.nn.train import Trainer, evaluate, train
from zero.nn.train_settings import TrainSettings, trained_network
from zero.nn.weights import initial_parameters, initial_statistics
from zero.system.signals import Stop
from zero.system.trees import read_tree, write_tree

QUICK = {"epochs": 4, "batch": 16, "learning_rate": 0.1}
EVERYTHING = {
    **QUICK, "drop_path": 0.5, "pad": 1, "flip": True, "cutout": 2, "ema": 0.9,
    "label_smoothing": 0.1, "auxiliary_weight": 0.4, "warmup_epochs": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    return load_images(ImageSettings())


@pytest.fixture(scope="module")
def few(digits):
    """70 train images: four whole batches of 16 and a rest."""
    return load_images(ImageSettings(train=70, valid=40, test=40))


def small(shape=(8, 8, 1), classes=10):
    """Convolutions with every random layer and an auxiliary head."""
    b = Builder(shape)
    x = b.relu(b.batch_norm(b.conv(0, 4, 3, stride=2)))
    x = b.add(x, b.drop_path(b.batch_norm(b.conv(x, 4, 3)), 1.0))
    y = b.linear(b.dropout(b.global_pool(b.relu(x)), 0.2), classes)
    return b.network(y, b.linear(b.global_pool(x), classes))


def learner():
    b = Builder((8, 8, 1))
    x = b.relu(b.batch_norm(b.conv(0, 16, 3)))
    x = b.relu(b.batch_norm(b.conv(x, 32, 3, stride=2)))
    return b.network(b.linear(b.global_pool(x), 10))


def trainer(data, settings=EVERYTHING, seed=0, network=None, **more):
    made = TrainSettings(**settings)
    return Trainer(network or small(), data, made, seed, backend="reference", **more)


def same(a, b):
    assert a.curve == b.curve and (a.reason, a.steps) == (b.reason, b.steps)
    assert (a.parameters == b.parameters).all() and (a.statistics == b.statistics).all()


def test_digits_are_learnt(digits):
    t = trainer(digits, {"epochs": 8, "batch": 32, "learning_rate": 0.2}, network=learner())
    result = t.run_epochs()
    assert result.reason == "epochs" and result.steps == 8 * (1079 // 32)
    assert result.valid_accuracy > 0.9
    assert t.test_accuracy() > 0.9
    assert [record.epoch for record in result.curve] == list(range(1, 9))
    assert result.curve[-1].train_loss < 0.5 * result.curve[0].train_loss
    assert result.curve[-1].train_accuracy > 0.9  # of this epoch, not of all so far
    assert result.valid_accuracy == result.curve[-1].valid_accuracy
    best = max(record.valid_accuracy for record in result.curve)
    assert result.best_valid_accuracy == best
    assert result.curve[result.best_epoch - 1].valid_accuracy == best


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_same_seed_same_bits_and_other_seed_others(few, optimizer):
    settings = {**EVERYTHING, "optimizer": optimizer}
    first = trainer(few, settings).run_epochs()
    assert first.reason == "epochs" and first.parameters.dtype == np.float32
    same(first, trainer(few, settings).run_epochs())
    other = trainer(few, settings, seed=1).run_epochs()
    assert (first.parameters != other.parameters).any()


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
@pytest.mark.parametrize("epochs", [0, 1, 3, 4])
def test_resumed_after_any_epoch_is_as_if_unbroken(few, tmp_path, optimizer, epochs):
    settings = {**EVERYTHING, "optimizer": optimizer}
    whole = trainer(few, settings).run_epochs()
    broken = trainer(few, settings)
    broken.run_epochs(epochs)
    write_tree(tmp_path / "state.h5", broken.state(), "checkpoint", 1)
    broken.run_epochs()  # what goes on after must not reach the state
    resumed = trainer(few, settings)
    resumed.restore(read_tree(tmp_path / "state.h5", "checkpoint", 1))
    assert resumed.epochs_done == epochs
    result = resumed.run_epochs()
    same(result, whole)


def test_trained_in_pieces_is_trained_at_once(few):
    whole, pieces = trainer(few).run_epochs(), trainer(few)
    assert pieces.run_epochs(1).reason == "paused"
    assert len(pieces.run_epochs(2).curve) == 3
    same(pieces.run_epochs(5), whole)
    same(pieces.run_epochs(1), whole)  # nothing is left to do


def test_stopped_after_any_step_it_goes_on_as_if_unbroken(few):
    whole, pieces = trainer(few).run_epochs(), trainer(few)
    assert pieces.run_epochs(should_stop=lambda: pieces.step % 3 == 0).steps == 3
    assert pieces.run_epochs(1).steps == pieces.steps_per_epoch  # the epoch that was begun
    stops = 0
    while pieces.reason == "paused":
        state = pieces.run_epochs(should_stop=lambda: True) and pieces.state()
        pieces = trainer(few)
        pieces.restore(state)
        stops += 1
    assert stops == whole.steps - pieces.steps_per_epoch  # each took a step
    same(pieces.result(), whole)


def test_a_validation_that_a_stop_met_is_done_first(few, tmp_path, monkeypatch):
    whole = trainer(few)
    whole.run_epochs()
    mine = trainer(few)
    while mine.reason == "paused":
        with monkeypatch.context() as patch:
            patch.setattr(train_module, "right_by_class", _raise_stop)
            with pytest.raises(Stop):
                mine.run_epochs()
        write_tree(tmp_path / "state.h5", mine.state(), "checkpoint", 1)
        mine = trainer(few)
        mine.restore(read_tree(tmp_path / "state.h5", "checkpoint", 1))
        mine.run_epochs(1)  # the validation alone
    same(mine.result(), whole.result())


def _raise_stop(*arguments):
    raise Stop


def test_train_reports_and_resumes(few):
    states, records = [], []
    arguments = (small(), few, TrainSettings(**EVERYTHING), 0, "reference")
    whole = train(*arguments, checkpoint=states.append, on_epoch=records.append)
    assert tuple(records) == whole.curve and len(states) == 4
    same(train(*arguments, resume=states[1]), whole)


def test_states_of_other_trainings_are_refused(few, digits):
    state = trainer(few).state()
    others = {
        "settings": trainer(few, {**EVERYTHING, "momentum": 0.5}),
        "seed": trainer(few, seed=1),
        "layers": trainer(few, network=learner()),
        "images": trainer(load_images(ImageSettings(train=70, valid=40, test=40, seed=1))),
    }
    for what, other in others.items():
        with pytest.raises(ArchiveError, match=f"other {what}"):
            other.restore(state)
    for damaged in ({}, {**state, "step": None}, {**state, "parameters": np.zeros(3)}):
        with pytest.raises(ArchiveError, match="damaged"):
            trainer(few).restore(damaged)


def test_the_learning_rate_follows_the_schedule_over_all_epochs(few):
    t = trainer(few, {**QUICK, "schedule": "step", "milestones": [2], "gamma": 1e-30})
    weights = [t.run_epochs(1).parameters for _ in range(4)]
    assert (weights[0] != weights[1]).any()
    assert (weights[1] == weights[2]).all() and (weights[2] == weights[3]).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_divergence_is_a_result(few, optimizer):
    settings = {**QUICK, "learning_rate": 1e30, "clip": 0.0, "optimizer": optimizer}
    t = trainer(few, settings)
    result = t.run_epochs()
    assert result.reason == "diverged"
    assert result.valid_accuracy == result.best_valid_accuracy == result.best_epoch == 0
    assert result.steps < 16
    assert t.run_epochs(1).steps == result.steps
    again = trainer(few, settings)
    again.restore(t.state())
    assert again.run_epochs().reason == "diverged"


def test_a_loss_above_the_limit_is_divergence(few):
    result = trainer(few, {**QUICK, "max_loss": 0.01}).run_epochs()
    assert (result.reason, result.steps) == ("diverged", 0)


def test_the_accuracy_budget(digits):
    settings = {"epochs": 30, "batch": 32, "learning_rate": 0.2, "accuracy": 0.7}
    result = trainer(digits, settings, network=learner()).run_epochs()
    assert result.reason == "accuracy" and len(result.curve) < 30
    before = [record.valid_accuracy for record in result.curve[:-1]]
    assert result.valid_accuracy >= 0.7 > max(before, default=0)


def test_the_seconds_budget_ends_within_an_epoch(few, monkeypatch):
    class Clock:
        now = 0.0

        def monotonic(self):
            self.now += 1.0
            return self.now

    monkeypatch.setattr(train_module, "time", Clock())
    t = trainer(few, {**QUICK, "seconds": 6.0})
    result = t.run_epochs()
    assert result.reason == "seconds" and result.seconds >= 6
    assert result.steps % t.steps_per_epoch != 0
    assert result.curve[-1].steps == result.steps
    assert 0 <= result.valid_accuracy <= 1
    assert t.run_epochs().steps == result.steps


def test_a_candidate_too_large_for_the_memory_is_named(few):
    with pytest.raises(NetworkError, match=r"cell 17: training needs .* MB .* 0\.0 MB allowed"):
        trainer(few, memory_limit=1000, name="cell 17")
    needed = train_module.training_bytes(
        small(), TrainSettings(**EVERYTHING), 16, "float32", "reference", data=few
    )
    trainer(few, memory_limit=needed)
    with pytest.raises(NetworkError):
        trainer(few, memory_limit=needed - 1)


def test_an_allocation_that_fails_names_the_candidate(few, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(train_module, "make_model", fail)
    with pytest.raises(NetworkError, match="cell 17"):
        trainer(few, name="cell 17")


def test_networks_for_other_images_are_refused(few):
    for shape, classes in (((8, 8, 3), 10), ((6, 8, 1), 10), ((8, 8, 1), 9)):
        with pytest.raises(NetworkError, match="digits has 8 x 8 x 1 and 10 classes"):
            trainer(few, network=small(shape, classes))


def test_the_auxiliary_head_is_trained_only_if_it_has_weight(few):
    net = small()
    with_head = trainer(few, {**QUICK, "auxiliary_weight": 0.4}).run_epochs()
    without = trainer(few, {**QUICK, "auxiliary_weight": 0.0}).run_epochs()
    assert len(without.parameters) == net.num_parameters < len(with_head.parameters)
    start = initial_parameters(net, 0)
    assert (with_head.parameters[net.num_parameters :] != start[net.num_parameters :]).any()
    assert (with_head.parameters[: net.num_parameters] != without.parameters).any()


def test_training_starts_from_given_weights(few):
    settings = TrainSettings(**QUICK)
    first = trainer(few, QUICK).run_epochs()
    t = trainer(few, QUICK, initial=(first.parameters, first.statistics))
    assert t.accuracy(few.valid_x, few.valid_y) == first.valid_accuracy
    net = trained_network(small(), settings)
    same(
        trainer(
            few, QUICK, initial=(initial_parameters(net, 0), initial_statistics(net))
        ).run_epochs(),
        trainer(few, QUICK).run_epochs(),
    )


def test_averaged_weights_are_what_is_validated_and_returned(few):
    t = trainer(few, {**QUICK, "ema": 0.99})
    result = t.run_epochs()
    last = t.model.parameters.copy()
    assert (result.parameters != last).any()
    t.accuracy(few.valid_x, few.valid_y)
    assert (t.model.parameters == last).all()
    plain = trainer(few, QUICK)
    plain.run_epochs()
    assert (plain.model.parameters == last).all()  # averaging does not disturb training
    plain.model.parameters[:], plain.model.statistics[:] = result.parameters, result.statistics
    assert plain.accuracy(few.valid_x, few.valid_y) == result.valid_accuracy


def test_a_batch_larger_than_the_data_is_all_of_it(few):
    t = trainer(few, {**QUICK, "batch": 1000})
    assert (t.batch, t.steps_per_epoch) == (70, 1)
    assert t.run_epochs().steps == 4


class Answers:
    """Stands in for a model: gives prepared logits and keeps what it was shown."""

    def __init__(self, logits, batch):
        self.logits, self.batch, self.shown = logits, batch, []

    def predict(self, images):
        start = sum(map(len, self.shown))
        self.shown.append(images)
        return self.logits[start : start + len(images)]


def test_evaluate_counts_right_answers_on_normalised_images():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (3000, 2, 2, 1), dtype=np.uint8), rng.integers(0, 3, 3000)
    data = ImageData("d", x, y, x, y, x, y, ("a", "b", "c"))
    logits = np.eye(3, dtype=np.float32)[y]
    logits[:600] = logits[:600, [1, 2, 0]]  # wrong
    logits[600:1200] = np.where(logits[600:1200] > 0, np.inf, 0)  # right, but not finite
    logits[1200:1500, 0] = np.nan
    model = Answers(logits, 100)
    assert evaluate(model, x, y, data) == 0.5
    shown = np.concatenate(model.shown)
    assert all(len(part) % 100 == 0 for part in model.shown) and len(model.shown) > 1
    assert abs(shown.mean()) < 1e-3 and abs(shown.std() - 1) < 1e-3


def paths(names, share=1.0):
    b = Builder((2, 2, 3))
    x = 0
    for name in names:
        with b.scope(name):
            x = b.drop_path(x, share)
    return b.network(b.linear(x, 2))


def test_drop_path_grows_with_the_steps_and_with_the_layers_share():
    masks = Masks(paths(["a", "b"]), 0.4, 100, 0)
    assert masks.draw(0, 8) == {}
    for step in (25, 99):
        keep = 1 - 0.4 * step / 100
        for mask in masks.draw(step, 20_000).values():
            assert mask.dtype == np.float32 and mask.shape == (20_000,)
            assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / keep)}
            assert (mask > 0).mean() == pytest.approx(keep, abs=0.02)
    half = Masks(paths(["a"], 0.5), 0.4, 100, 0).draw(99, 20_000)[1]
    assert (half > 0).mean() == pytest.approx(1 - 0.2 * 0.99, abs=0.02)
    assert Masks(paths(["a"]), 0.0, 100, 0).draw(99, 8) == {}


def test_masks_go_by_the_layers_name_and_the_step():
    one, two = Masks(paths(["a", "b"]), 0.5, 100, 0), Masks(paths(["c", "b", "d"]), 0.5, 100, 0)
    first, second = one.draw(60, 64), two.draw(60, 64)
    assert (first[2] == second[2]).all()  # "b" in both
    assert (first[1] != first[2]).any() and (first[1] != second[1]).any()
    assert ((first[2] > 0) != (one.draw(61, 64)[2] > 0)).any()
    other = Masks(paths(["a", "b"]), 0.5, 100, 1)
    assert (first[2] != other.draw(60, 64)[2]).any()


def test_dropout():
    b = Builder((10, 10, 5))
    net = b.network(b.linear(b.dropout(0, 0.25), 2))
    masks = Masks(net, 0.0, 100, 0)
    mask = masks.draw(0, 64)[1]
    assert mask.shape == (64, 500) and mask.dtype == np.float32
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.75)}
    assert mask.mean() == pytest.approx(1, abs=0.02)
    assert (mask == Masks(net, 0.0, 100, 0).draw(0, 64)[1]).all()
    assert (mask != masks.draw(1, 64)[1]).any()

"""The cpu backend: agrees with the reference on every case, whatever the number of threads."""

import numpy as np
import pytest
from nn_cases import CELLS, NETWORKS, check_model_agrees, some_batch, some_masks, some_parameters

from zero.errors import DeviceError
from zero.nn import make_model
from zero.nn.cpu.model import CpuModel
from zero.nn.network import Builder
from zero.nn.reference import ReferenceModel
from zero.nn.weights import initial_parameters

CASES = [pytest.param(make, id=name) for name, make in NETWORKS + CELLS]


@pytest.mark.parametrize("make", CASES)
def test_agrees_with_the_reference(make):
    network = make()
    # In float32 the reference itself is 6e-4 off for the deepest of them.
    check_model_agrees(CpuModel, network, 2e-4 if len(network.layers) < 400 else 1e-3)


def _of_images(b):
    return b.batch_norm(0)


def _of_zeros(b):
    return b.relu(b.batch_norm(b.zero(0, (6, 5, 4))))


def _of_a_concatenation(b):
    return b.batch_norm(b.concat(b.conv(0, 3), b.pool("max", 0, 3), b.batch_norm(0)))


@pytest.mark.parametrize("make", [_of_images, _of_zeros, _of_a_concatenation])
def test_batch_norm_of_what_no_step_makes(make):
    b = Builder((6, 5, 3))
    x = make(b)
    network = b.network(b.linear(b.global_pool(b.conv(x, 5, 3)), 3))
    check_model_agrees(CpuModel, network, 2e-4)


def test_threads_and_what_was_run_before_change_no_bit():
    network = dict(NETWORKS)["drop_paths"]()
    found = []
    for threads in (1, 2, 3, 8):
        model = CpuModel(network, 11, threads=threads)
        model.parameters[:] = some_parameters(network)
        for count in (11, 3):  # the second step finds the first one's numbers everywhere
            images, labels = some_batch(network, count, "threads")
            images = images.astype(np.float32)
            loss, _ = model.train_step(images, labels, some_masks(network, count))
            found.append((count, loss, model.gradients.tobytes(), model.predict(images).tobytes()))
    for count in (11, 3):
        assert len({entry for entry in found if entry[0] == count}) == 1


def test_not_a_number_is_not_hidden_by_a_relu():
    b = Builder((4, 4, 3))
    x = b.relu(b.batch_norm(b.conv(b.relu(b.batch_norm(b.conv(0, 8, 3))), 8)))
    model = CpuModel(b.network(b.linear(b.global_pool(x), 2)), 4)
    model.parameters[:] = 1
    images = np.zeros((4, 4, 4, 3), np.float32)
    images[2, 1, 1, 0] = np.nan
    loss, _ = model.train_step(images, np.zeros(4, dtype=np.int64))
    assert np.isnan(loss)


def test_a_bias_of_the_logits_is_in_what_others_read_too():
    b = Builder((4, 4, 3))
    logits = b.linear(b.relu(b.conv(0, 5)), 3)
    network = b.network(logits, auxiliary=b.linear(b.relu(logits), 3))
    check_model_agrees(CpuModel, network, 2e-4)


def test_a_mobile_network_learns_as_the_reference_does():
    network = dict(NETWORKS)["mobile_blocks"]()
    losses = []
    for make in (CpuModel, ReferenceModel):
        model = make(network, 16)
        model.parameters[:] = initial_parameters(network, 0)
        images, labels = some_batch(network, 16, "learn")
        found = []
        for _ in range(30):
            loss, _ = model.train_step(images.astype(model.parameters.dtype), labels)
            model.parameters -= 0.1 * model.gradients
            found.append(loss)
        losses.append(found)
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)
    assert losses[0][-1] < 0.5 * losses[0][0]


def test_what_it_does_not_do_is_reported():
    b = Builder((4, 4, 3))
    network = b.network(b.linear(b.relu(b.conv(0, 5)), 2))
    with pytest.raises(DeviceError, match="float64"):
        make_model(network, 4, dtype="float64")

"""Records what PyTorch computes for our networks: tests/data/nn_*.npz, read by test_nn_recorded.py.

    python tests/record_torch.py    # needs torch; recorded with 2.13.0 on CPU in float64

An interpreter of `zero.nn.network` of its own, on torch.nn.functional, with PyTorch's gradients and
optimiser. Record again only when `NETWORKS` of nn_networks.py or the published cells change.
"""

from pathlib import Path

import nn_cases as cases
import numpy as np
import torch
import torch.nn.functional as F

from zero.nn.network import Network
from zero.nn.weights import batch_norms, views

DATA = Path(__file__).parent / "data"


class TorchNetwork:
    """A network with its parameters and statistics as double tensors; images (N, C, H, W)."""

    def __init__(self, network: Network, parameters, statistics):
        self.network = network
        self.parameters = [
            [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in arrays]
            for arrays in views(network, parameters)
        ]
        self.statistics = {
            index: [
                torch.tensor(statistics[start : start + channels]),
                torch.tensor(statistics[start + channels : start + 2 * channels]),
            ]
            for index, start, channels in batch_norms(network)
        }

    def trainable(self):
        """Returns all parameters in the order of `Network.parameters`."""
        return [p for ps in self.parameters for p in ps]

    def flat_statistics(self):
        """Returns means and variances as one vector."""
        parts = [t.numpy() for pair in self.statistics.values() for t in pair]
        return np.concatenate([np.zeros(0), *parts])

    def forward(self, images, training, masks=None):
        """Returns the main head's logits and the auxiliary head's, or None."""
        values = []
        for index, layer in enumerate(self.network.layers):
            x = [values[i] for i in layer.inputs]
            if layer.kind == "input":
                x = [torch.tensor(images).permute(0, 3, 1, 2)]
            values.append(self.run(index, layer, x, training, (masks or {}).get(index)))
        network = self.network
        heads = [values[network.output], None]
        if network.auxiliary is not None:
            heads[1] = values[network.auxiliary]
        return [head if head is None else head[:, :, 0, 0] for head in heads]

    def run(self, index, layer, xs, training, mask):
        """Returns a layer's output."""
        x, kind, parameters = xs[0], layer.kind, self.parameters[index]
        top, bottom, left, right = layer.pad
        outside = (left, right, top, bottom)
        if kind == "input":
            return x
        if kind == "relu":
            return F.relu(x)
        if kind == "conv":
            weight = parameters[0].permute(3, 2, 0, 1)
            x = F.pad(x, outside)
            return F.conv2d(x, weight, stride=layer.stride, dilation=layer.dilation)
        if kind == "depthwise":
            weight = parameters[0].permute(2, 0, 1)[:, None]
            x, groups = F.pad(x, outside), x.shape[1]
            return F.conv2d(x, weight, stride=layer.stride, dilation=layer.dilation, groups=groups)
        if kind == "batch_norm":
            mean, variance = self.statistics[index]
            momentum = 1 - layer.decay
            return F.batch_norm(x, mean, variance, *parameters, training, momentum, layer.epsilon)
        if kind in ("max_pool", "min_pool"):
            sign = 1 if kind == "max_pool" else -1
            x = F.pad(sign * x, outside, value=-torch.inf)
            x = F.max_pool2d(x, layer.kernel, layer.stride)
            return sign * torch.where(x == -torch.inf, 0.0, x)
        if kind == "avg_pool":
            return self.avg_pool(layer, x, outside)
        if kind == "add":
            return torch.stack(xs).sum(0)
        if kind == "concat":
            return torch.cat(xs, 1)
        if kind == "slice":
            return x[:, : layer.shape[2]]
        if kind == "zero":
            height, width, channels = layer.shape
            return torch.zeros(len(x), channels, height, width, dtype=x.dtype)
        if kind == "drop_path":
            return x if mask is None else x * torch.tensor(mask)[:, None, None, None]
        if kind == "dropout":
            if mask is None:
                return x
            return x * torch.tensor(mask).reshape(-1, *layer.shape).permute(0, 3, 1, 2)
        if kind == "global_pool":
            return F.adaptive_avg_pool2d(x, 1)
        if kind in ("linear", "linear_no_bias"):
            weight, *bias = parameters
            return F.linear(x.permute(0, 2, 3, 1).flatten(1), weight.T, *bias)[:, :, None, None]
        raise NotImplementedError(kind)

    def avg_pool(self, layer, x, outside):
        """Returns averages that leave padding out; PyTorch has them for equal pads on both sides."""
        left, right, top, bottom = outside
        if left == right >= 0 and top == bottom >= 0:
            return F.avg_pool2d(x, layer.kernel, layer.stride, (top, left), count_include_pad=False)
        total, inside = (
            F.avg_pool2d(F.pad(y, outside), layer.kernel, layer.stride)
            for y in (x, torch.ones_like(x))
        )
        return total / torch.where(inside > 0, inside, 1.0)

    def loss(self, images, labels, masks, smoothing, auxiliary_weight):
        """Returns the loss of a batch and the number of right answers; statistics move on."""
        labels = torch.tensor(labels)
        logits, auxiliary = self.forward(images, True, masks)
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        if auxiliary is not None:
            extra = F.cross_entropy(auxiliary, labels, label_smoothing=smoothing)
            loss = loss + auxiliary_weight * extra
        return loss, int((logits.argmax(1) == labels).sum())

    def gradients(self):
        """Returns all gradients as one vector (n,)."""
        return np.concatenate(
            [
                (torch.zeros_like(p) if p.grad is None else p.grad).numpy().ravel()
                for p in self.trainable()
            ]
        )

    def values(self):
        """Returns all parameters as one vector (n,)."""
        return np.concatenate([p.detach().numpy().ravel() for p in self.trainable()])

    def predict(self, images):
        """Returns logits with running statistics."""
        with torch.no_grad():
            return self.forward(images, False)[0].numpy()


def start(network):
    """Returns the network with the parameters and statistics that the tests give it, too."""
    return TorchNetwork(network, *cases.recorded_start(network))


def record_networks():
    """Returns one training step of every network of `NETWORKS`."""
    found = {}
    for name, make in cases.NETWORKS:
        network = make()
        model = start(network)
        step = cases.recorded_step(network)
        found[f"{name}/logits"] = model.predict(step["images"])
        loss, correct = model.loss(*step.values())
        loss.backward()
        found[f"{name}/loss"] = np.array([loss.item(), correct])
        found[f"{name}/gradients"] = cases.checksums(network, model.gradients())
        found[f"{name}/statistics"] = model.flat_statistics()
    return found


def record_published():
    """Returns ten steps of training of published cells."""
    found = {}
    for name in cases.PUBLISHED:
        network = cases.published_network(name)
        model = start(network)
        optimizer = torch.optim.SGD(
            model.trainable(), lr=cases.LEARNING_RATE, momentum=cases.MOMENTUM
        )
        steps = list(cases.published_steps(network))
        found[f"{name}/shapes"] = np.array([str(p.shape) for p in network.parameters])
        found[f"{name}/logits_before"] = model.predict(steps[0]["images"])
        losses = []
        for number, step in enumerate(steps):
            optimizer.zero_grad()
            loss, _ = model.loss(*step.values())
            loss.backward()
            losses.append(loss.item())
            if number == 0:
                gradients = model.gradients()
                found[f"{name}/gradients"] = cases.checksums(network, gradients)
                found[f"{name}/some_gradients"] = gradients[:: cases.EVERY]
            optimizer.step()
        found[f"{name}/losses"] = np.array(losses)
        found[f"{name}/some_parameters"] = model.values()[:: cases.EVERY]
        found[f"{name}/statistics"] = model.flat_statistics()
        found[f"{name}/logits"] = model.predict(steps[0]["images"])
    return found


def main():
    """Writes both files."""
    torch.set_num_threads(1)
    DATA.mkdir(exist_ok=True)
    for file, record in (("nn_networks", record_networks), ("nn_published", record_published)):
        path = DATA / f"{file}.npz"
        np.savez_compressed(path, **record())
        print(f"{path}: {path.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()

"""Training throughput of the cpu backend on cell networks, beside PyTorch's CPU build in eager mode.

    python benchmarks/cells_cpu.py [--torch PYTHON] [--rounds 5] [--seconds 3] [--batch 64]
        [--threads 1,2] [--only NAME,...] [--json FILE]

A step is forward, loss, backward and an update of SGD (Nesterov's momentum, weight decay); both sides
take the same batch, from the same weights. First they must agree: loss, logits, gradients, and the
losses of three steps. Then they are timed in turns (ours, theirs channels-last, theirs contiguous,
ours, ...), each turn `--seconds` long; theirs is the better of the two memory formats. PyTorch runs in
a process of its own, with the Python that `--torch` names (default: this one, if it has torch), which
needs nothing but torch and NumPy. Without torch, ours alone is measured. The last part says where our
time goes, one step of the plan after the other on one thread. Run it on a quiet machine. Writes
benchmarks/results/cells_cpu.json.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from functools import reduce
from pathlib import Path

import numpy as np

# What is measured: name -> (published cell, kind of skeleton, normal cells N, filters F).
NETWORKS = {
    "amoebanet proxy": ("amoebanet_a", "slim_cifar", 1, 8),
    "DARTS_V2, 8 cells": ("darts_v2", "darts", 2, 16),
    "AmoebaNet as DARTS reads it, 5 cells": ("amoebanet_darts", "darts", 1, 8),
    "NASNet-A, small": ("nasnet_a", "slim_cifar", 1, 8),
    "AmoebaNet-A, search proxy": ("amoebanet_a", "slim_cifar", 3, 24),
}
IMAGE, CLASSES = (32, 32, 3), 10
LAYOUTS = ("channels_last", "contiguous")
RATE, MOMENTUM, DECAY = 0.025, 0.9, 3e-4
CHECKED_STEPS = 3
# Largest differences allowed, relative to the norm, both sides in float32. Rounding decides ReLUs near 0
# and maxima near ties, so PyTorch's own gradients are up to 0.011 from those that it has in float64.
TOLERANCE = {"loss": 1e-4, "logits": 1e-3, "gradients": 3e-2, "losses": 2e-3}


# --- PyTorch's side: a process that reads commands, one JSON object a line --------------------------


def make_torch_network(description: dict, arrays: dict):
    """Returns a description as an nn.Module of PyTorch's own layers, with its weights."""
    import torch
    from torch import nn

    layers = description["layers"]
    readers = [[n for n, y in enumerate(layers) if i in y["inputs"]] for i in range(len(layers))]

    class Add(nn.Module):
        def forward(self, *xs):
            return reduce(torch.add, xs)

    class Concat(nn.Module):
        def forward(self, *xs):
            return torch.cat(xs, 1)

    class Cut(nn.Module):
        def __init__(self, top, left):
            super().__init__()
            self.top, self.left = top, left

        def forward(self, x):
            return x[:, :, self.top :, self.left :]

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    def window(layer, size):
        """Returns what stands before the layer (or None), and the padding that the layer can do."""
        top, bottom, left, right = layer["pad"]
        if top == bottom >= 0 and left == right >= 0:
            return None, (top, left)
        # Rows and columns that no window reaches need not be padded.
        ends = []
        for axis, before, after in ((0, top, bottom), (1, left, right)):
            reach = layer["dilation"] * (layer["kernel"][axis] - 1) + 1
            needed = (layer["shape"][axis] - 1) * layer["stride"] + reach - size[axis] - before
            ends.append(min(after, max(needed, 0)))
        if max(top, left, *ends) <= 0 == max(map(abs, ends)):
            return Cut(-top, -left), (0, 0)
        return nn.ZeroPad2d((left, ends[1], top, ends[0])), (0, 0)

    def pool(layer, size):
        (rows, columns), stride = layer["kernel"], layer["stride"]
        before, padding = window(layer, size)
        top, _, left, _ = layer["pad"]
        uneven = isinstance(before, nn.ZeroPad2d)
        if uneven and min(top, left) < 0:
            raise NotImplementedError(f"{layer['name']}: padding {layer['pad']}")
        if uneven:  # "same" padding, a pixel more at the end: ceil_mode leaves that out as well
            before, padding = None, (top, left)
        kind = layer["kind"]
        more = {"count_include_pad": False} if kind == "avg_pool" else {}
        make = {"avg_pool": nn.AvgPool2d, "max_pool": nn.MaxPool2d}[kind]
        module = make((rows, columns), stride, padding, ceil_mode=uneven, **more)
        return module if before is None else nn.Sequential(before, module)

    def layer_module(index, layer):
        """Returns (module, the part of it that has the weights or None)."""
        kind, channels = layer["kind"], layer["shape"][2]
        source = layers[layer["inputs"][0]] if layer["inputs"] else None
        if kind == "input":
            return nn.Identity(), None
        if kind == "relu":
            # In place where nobody else needs the input, as careful users write it.
            alone = readers[layer["inputs"][0]] == [index]
            return nn.ReLU(inplace=alone and source["kind"] in ("batch_norm", "add")), None
        if kind in ("conv", "depthwise"):
            before, padding = window(layer, source["shape"])
            conv = nn.Conv2d(
                source["shape"][2], channels, layer["kernel"], layer["stride"], padding,
                layer["dilation"], groups=channels if kind == "depthwise" else 1, bias=False,
            )  # fmt: skip
            return (conv if before is None else nn.Sequential(before, conv)), conv
        if kind == "batch_norm":
            norm = nn.BatchNorm2d(channels, layer["epsilon"], 1 - layer["decay"])
            return norm, norm
        if kind in ("max_pool", "avg_pool"):
            return pool(layer, source["shape"]), None
        if kind == "linear":
            linear = nn.Linear(source["shape"][2], channels)
            return linear, linear
        plain = {"add": Add, "concat": Concat, "global_pool": Mean}
        if kind not in plain:
            raise NotImplementedError(f"layer '{layer['name']}': no {kind} here")
        return plain[kind](), None

    class TorchNetwork(nn.Module):
        def __init__(self):
            super().__init__()
            made = [layer_module(index, layer) for index, layer in enumerate(layers)]
            self.modules_in_order = nn.ModuleList(module for module, _ in made)
            self.last = [max(r, default=index) for index, r in enumerate(readers)]
            self.trained = []  # (tensor, role, from their layout to ours), in our order
            for index, role in description["parameters"]:
                owner = made[index][1]
                tensor = owner.bias if role in ("beta", "bias") else owner.weight
                axes = {"conv": (2, 3, 1, 0), "depthwise": (2, 3, 0, 1), "linear": (1, 0)}.get(
                    layers[index]["kind"], (0,)
                )
                axes = axes if tensor.dim() > 1 else (0,)
                ours = torch.tensor(arrays[f"{index}/{role}"])
                if layers[index]["kind"] == "depthwise":
                    ours = ours[..., None]
                back = tuple(np.argsort(axes))
                with torch.no_grad():
                    tensor.copy_(ours.permute(back))
                self.trained.append((tensor, role, axes))

        def forward(self, x):
            values = []
            for index, (layer, module) in enumerate(
                zip(layers, self.modules_in_order, strict=True)
            ):
                values.append(module(*(values[i] for i in layer["inputs"] or ())) if index else x)
                for i in layer["inputs"]:
                    if self.last[i] == index:
                        values[i] = None  # as a local variable that ends
            return values[description["output"]]

        def flat_gradients(self):
            return np.concatenate([t.grad.permute(a).numpy().ravel() for t, _, a in self.trained])

    return TorchNetwork()


class TorchSide:
    """What the process does; each method answers a command with what JSON can hold."""

    def load(self, folder: str, layout: str) -> dict:
        import torch

        path = Path(folder)
        self.layout, self.folder = layout, path
        with np.load(path / "arrays.npz") as arrays:
            arrays = dict(arrays)
        description = json.loads((path / "network.json").read_text())
        net = make_torch_network(description, arrays)
        x = torch.tensor(arrays["images"]).permute(0, 3, 1, 2)  # channels-last in memory
        if layout == "channels_last":
            net = net.to(memory_format=torch.channels_last)
        else:
            x = x.contiguous()
        groups = [
            {"params": [t for t, role, _ in net.trained if (role == "weight") == decays],
             "weight_decay": DECAY if decays else 0.0}
            for decays in (True, False)
        ]  # fmt: skip
        self.made = getattr(self, "made", {})
        self.made[layout] = (
            net, x, torch.tensor(arrays["labels"]),
            torch.optim.SGD(groups, lr=RATE, momentum=MOMENTUM, nesterov=True),
        )  # fmt: skip
        return {"torch": torch.__version__, "python": sys.version.split()[0]}

    def forget(self) -> dict:
        self.made = {}
        return {}

    def step(self, layout: str, update: bool = True):
        import torch.nn.functional as functional

        net, x, y, optimizer = self.made[layout]
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(x), y)
        loss.backward()
        if update:
            optimizer.step()
        return loss.item()

    def check(self, layout: str) -> dict:
        import torch

        net, x, *_ = self.made[layout]
        kept = {}
        weights = {t.untyped_storage().data_ptr() for t in net.parameters()}

        def keep(tensor):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = self.step(layout, update=False)
        gradients = net.flat_gradients()
        net.eval()
        with torch.no_grad():
            logits = net(x).numpy()
        net.train()
        np.savez(self.folder / "theirs.npz", logits=logits, gradients=gradients)
        saved = sum(size for place, size in kept.items() if place not in weights)
        losses = [self.step(layout) for _ in range(CHECKED_STEPS)]
        return {"loss": loss, "losses": losses, "saved_bytes": saved}

    def time(self, layout: str, threads: int, steps: int) -> dict:
        import torch

        torch.set_num_threads(threads)
        began = time.perf_counter()
        for _ in range(steps):
            self.step(layout)
        return {"seconds": (time.perf_counter() - began) / steps}


def serve() -> None:
    """Answers commands until there are no more."""
    side, answers = TorchSide(), sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        command, arguments = json.loads(line)
        print(json.dumps(getattr(side, command)(**arguments)), file=answers, flush=True)


class Torch:
    """The other end: a process with torch."""

    def __init__(self, python: str):
        self.process = subprocess.Popen(
            [python, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, command: str, **arguments) -> dict:
        self.process.stdin.write(json.dumps([command, arguments]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"the process with torch ended at '{command}'; see above")
        return json.loads(answer)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


# --- our side -------------------------------------------------------------------------------------


class Ours:
    """A network on the cpu backend with its optimiser and one batch."""

    def __init__(self, network, images, labels, threads: int):
        from zero.nn import make_model
        from zero.nn.optimizers import SGD
        from zero.nn.weights import initial_parameters

        self.images, self.labels = images, labels
        self.model = make_model(network, len(images), threads=threads)
        self.model.parameters[:] = initial_parameters(network, 1)
        self.optimizer = SGD(network, DECAY, momentum=MOMENTUM, nesterov=True)

    def update(self) -> None:
        self.optimizer.step(self.model.parameters, self.model.gradients, RATE)

    def step(self) -> float:
        loss, _ = self.model.train_step(self.images, self.labels)
        self.update()
        return loss

    def check(self) -> dict:
        loss, _ = self.model.train_step(self.images, self.labels)
        gradients, logits = self.model.gradients.copy(), self.model.predict(self.images)
        losses = [self.step() for _ in range(CHECKED_STEPS)]
        return {"loss": loss, "gradients": gradients, "logits": logits, "losses": losses}

    def time(self, steps: int) -> float:
        began = time.perf_counter()
        for _ in range(steps):
            self.step()
        return (time.perf_counter() - began) / steps


def network_of(cell: str, kind: str, normal_cells: int, filters: int):
    from zero.cells.networks.build import build_network
    from zero.cells.networks.skeletons import Skeleton
    from zero.cells.published import get_published

    skeleton = Skeleton(kind, normal_cells, filters)
    return build_network(get_published(cell).genome, skeleton, IMAGE, CLASSES)


def write_for_torch(folder: Path, network, images, labels) -> None:
    """Writes a network, its first weights and the batch, for who knows nothing of us."""
    from dataclasses import asdict

    from zero.nn.weights import initial_parameters

    flat = initial_parameters(network, 1)
    arrays = {
        f"{p.layer}/{p.role}": flat[p.start : p.start + p.size].reshape(p.shape)
        for p in network.parameters
    }
    np.savez(folder / "arrays.npz", images=images, labels=labels, **arrays)
    description = {
        "layers": [asdict(layer) for layer in network.layers],
        "output": network.output,
        "parameters": [(p.layer, p.role) for p in network.parameters],
    }
    (folder / "network.json").write_text(json.dumps(description))


def agreement(ours: dict, theirs: dict, folder: Path, name: str) -> dict[str, float]:
    """Returns how far both are apart, relative to the norm; ends the script if that is too far."""
    with np.load(folder / "theirs.npz") as arrays:
        theirs = {**theirs, **arrays}
    apart = {}
    for what, allowed in TOLERANCE.items():
        a, b = (np.asarray(side[what], dtype=np.float64) for side in (ours, theirs))
        apart[what] = float(np.linalg.norm(a - b) / np.linalg.norm(b))
        if not apart[what] <= allowed:
            raise SystemExit(f"{name}: {what} differ by {apart[what]:.2g}, allowed {allowed}")
    return apart


def sgemm_gflops(threads: int) -> float:
    """Returns GFLOP/s of NumPy's matrix product (OpenBLAS), 2048 x 2048, float32, best of five."""
    from threadpoolctl import threadpool_limits

    a = np.random.default_rng(0).random((2048, 2048), dtype=np.float32)
    found = []
    with threadpool_limits(threads, "blas"):
        for _ in range(5):
            began = time.perf_counter()
            a @ a
            found.append(2e-9 * len(a) ** 3 / (time.perf_counter() - began))
    return max(found)


# --- where our time goes --------------------------------------------------------------------------


def kind_of(row: np.ndarray) -> str:
    """Returns the name of what a row of the plan does."""
    from zero.nn.cpu import kernels as k

    kind = row[k.KIND]
    if kind == k.MEAN or (kind == k.CONV and row[k.Y_HEIGHT] * row[k.Y_WIDTH] == 1):
        return "head"
    if kind == k.CONV:
        if row[k.DEPTHWISE]:
            return "depthwise + 1x1 convolution" if row[k.WEIGHT] else "depthwise convolution"
        return "1x1 convolution" if row[k.TAPS] == 1 else "convolution, larger"
    if kind == k.POOL:
        return "average pooling" if row[k.MODE] == k.AVERAGE else "max pooling"
    names = {k.ADD: "sum", k.NORM: "batch norm, alone", k.SPREAD: "batch norm, alone"}
    return names.get(kind, "other")


def split(ours: Ours, passes: int) -> dict:
    """Returns where a step's time goes, in ms: {part: {"forward" or "backward": ms}}, medians.

    The training step itself runs, but for its plan's rows one by one. What a call costs without a
    row is taken off. What batch norm and ReLU cost in their readers counts for those.
    """
    model = ours.model
    whole = [ours.time(1) for _ in range(passes)]
    execute, now = model._execute, time.perf_counter
    record: dict = {}

    def empty() -> float:
        began = now()
        execute(model._plan.forward[:0], False, True, len(ours.images))
        return now() - began

    nothing = statistics.median(empty() for _ in range(100))

    def add(part: str, way: str, seconds: float) -> None:
        record[part, way] = record.get((part, way), 0.0) + seconds

    def by_rows(steps, back, train, images) -> None:
        way = "backward" if back else "forward"
        for number in range(len(steps)):
            began = now()
            execute(steps[number : number + 1], back, train, images)
            add(kind_of(steps[number]), way, now() - began - nothing)
            add("rows", "overhead", nothing)

    def timed(part: str, way: str, function):
        def run(*arguments):
            began = now()
            function(*arguments)
            add(part, way, now() - began)

        return run

    model._execute = by_rows
    model._load = timed("weights packed, images copied", "forward", model._load)
    model._update_statistics = timed(
        "running statistics", "backward", model._update_statistics
    )  # fmt: skip
    taken = defaultdict(list)
    for _ in range(passes):
        record.clear()
        began = now()
        model.train_step(ours.images, ours.labels)
        add("loss, gradients gathered", "backward", now() - began - sum(record.values()))
        timed("optimiser", "backward", ours.update)()
        for key, seconds in record.items():
            taken[key].append(1000 * seconds)
    for name in ("_execute", "_load", "_update_statistics"):
        delattr(model, name)
    taken.pop(("rows", "overhead"))
    parts: dict = {}
    for (part, way), values in taken.items():
        parts.setdefault(part, {"forward": 0.0, "backward": 0.0})[way] = statistics.median(values)
    return {
        "threads": model.threads,
        "step_ms": 1000 * statistics.median(whole),
        "parts": dict(sorted(parts.items(), key=lambda pair: -sum(pair[1].values()))),
    }


# --- the measurement ------------------------------------------------------------------------------


def spread(values: list[float]) -> dict[str, float]:
    """Returns the median, smallest and largest."""
    return {
        "median": statistics.median(values), "smallest": min(values), "largest": max(values),
    }  # fmt: skip


def measure(network, images, labels, threads: int, torch: Torch | None, options) -> dict:
    """Returns a row: images a second of both sides in turns, and what follows from them."""
    ours = Ours(network, images, labels, threads)
    turns = {"ours": ours.time}
    for layout in LAYOUTS if torch else ():
        more = {"layout": layout, "threads": threads}
        turns[layout] = lambda steps, more=more: torch.ask("time", steps=steps, **more)["seconds"]
    steps = {}
    for name, run in turns.items():
        run(1)  # compiles, finds its algorithms, touches its memory
        steps[name] = max(1, round(options.seconds / run(1)))
    rates: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(options.rounds):
        for name, run in turns.items():
            rates[name].append(len(images) / run(steps[name]))
    flops = 6e-9 * network.multiply_adds  # 2 a multiply-add; forward, and two gradients
    ours_median = statistics.median(rates["ours"])
    row = {
        "threads": threads,
        "unit": "images/s",
        "ours": spread(rates["ours"]),
        "ours_gflops": flops * ours_median,
        "steps_a_turn": steps,
        "torch": None,
    }
    if torch:
        best = max(LAYOUTS, key=lambda layout: statistics.median(rates[layout]))
        row["torch"] = {layout: spread(rates[layout]) for layout in LAYOUTS}
        row["torch_best"] = best
        row["torch_gflops"] = flops * statistics.median(rates[best])
        row["ratio"] = ours_median / statistics.median(rates[best])
        row["ratio_in_rounds"] = spread(
            [a / b for a, b in zip(rates["ours"], rates[best], strict=True)]
        )
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", metavar="PYTHON", help="a Python that has torch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a turn")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--only", help="names of networks, ';' between them")
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results/cells_cpu.json"
    )
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve()
    from zero.runs.folder import run_info

    names = options.only.split(";") if options.only else list(NETWORKS)
    threads = [int(n) for n in options.threads.split(",")]
    python = options.torch
    if python is None and importlib.util.find_spec("torch"):
        python = sys.executable
    torch = Torch(python) if python else None
    random = np.random.default_rng(1)
    images = random.standard_normal((options.batch, *IMAGE), dtype=np.float32)
    labels = random.integers(0, CLASSES, options.batch)

    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    machine = {k: v for k, v in run_info(0, []).items() if k in keys}
    load = os.getloadavg()[0]  # of others, which would slow both sides, but not alike
    versions, peaks, networks = None, defaultdict(list), {}
    for name in names:
        network = network_of(*NETWORKS[name])
        entry = {
            "cell": NETWORKS[name][0],
            "skeleton": dict(
                zip(("kind", "normal_cells", "filters"), NETWORKS[name][1:], strict=True)
            ),
            "parameters": network.num_parameters,
            "multiply_adds": network.multiply_adds,
            "agreement": {},
        }
        ours = Ours(network, images, labels, max(threads))
        entry["memory_mb"] = {
            "estimate": network.activation_bytes(options.batch) / 1e6,
            "ours": ours.model.activation_bytes / 1e6,
        }
        with tempfile.TemporaryDirectory() as folder:
            if torch:
                write_for_torch(Path(folder), network, images, labels)
                found = ours.check()
            for layout in LAYOUTS if torch else ():
                versions = torch.ask("load", folder=folder, layout=layout)
                theirs = torch.ask("check", layout=layout)
                apart = agreement(found, theirs, Path(folder), f"{name}, {layout}")
                entry["agreement"][layout] = apart
                entry["memory_mb"][f"torch saved for backward, {layout}"] = (
                    theirs["saved_bytes"] / 1e6
                )
        del ours
        entry["rows"] = []
        for count in threads:
            peaks[count].append(sgemm_gflops(count))
            row = measure(network, images, labels, count, torch, options)
            entry["rows"].append(row)
            text = f"{name:38} {count} threads: ours {row['ours']['median']:8.1f} images/s"
            if torch:
                text += f", torch {row['torch'][row['torch_best']]['median']:8.1f}"
                text += f" ({row['torch_best']}), {row['ratio']:.2f}x"
            print(text, flush=True)
        alone = Ours(network, images, labels, 1)
        alone.time(2)
        entry["split"] = split(alone, max(3, options.rounds))
        networks[name] = entry
        if torch:
            torch.ask("forget")
    if torch:
        torch.close()
    for entry in networks.values():
        for row in entry["rows"]:
            row["share_of_sgemm"] = row["ours_gflops"] / max(peaks[row["threads"]])
    results = {
        "machine": machine,
        "load_before": load,
        "torch": versions,
        "batch": options.batch,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "sgemm_gflops": {str(count): spread(values) for count, values in peaks.items()},
        "networks": networks,
    }
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""What a training takes of memory: the estimate, the peak of a process, and what may be taken."""

import importlib.util
import resource
from pathlib import Path

import pytest
from nn_networks import CELLS, NETWORKS

import zero
from zero.nn.arrays import Arrays
from zero.nn.cpu.model import CpuModel
from zero.nn.train_settings import TrainSettings, make_optimizer
from zero.system import memory

CASES = [*NETWORKS[::6], *CELLS[::4]]
SCRIPT = Path(zero.__file__).parents[1] / "benchmarks" / "nn_memory.py"


@pytest.fixture(scope="module")
def script():
    if not SCRIPT.is_file():
        pytest.skip("not a checkout")
    spec = importlib.util.spec_from_file_location("nn_memory", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.measure({"cell": "nasnet_a", "filters": 8, "image": (8, 8, 1)})  # compiles once
    return module


@pytest.mark.parametrize(
    "case",
    [
        # Mostly activations; weights with all that goes with them; the same with checkpoints.
        {"cell": "nasnet_a", "filters": 16, "image": (28, 28, 1), "batch": 32, "threads": 1},
        {"cell": "amoebanet_a", "filters": 80, "image": (8, 8, 1), "batch": 4,
         "settings": {"optimizer": "rmsprop", "ema": 0.9, "pad": 1, "flip": True}},
        {"cell": "amoebanet_a", "filters": 80, "image": (8, 8, 1), "batch": 4, "threads": 2,
         "checkpoints": True},
    ],
    ids=["activations", "weights", "checkpoints"],
)  # fmt: skip
def test_the_estimate_is_within_a_tenth_of_a_process_s_peak(script, case):
    row = script.measure(case)
    large = row["peak"] - row["parts"]["program"]
    assert large > 100e6, "the case must be about more than the program"
    assert 0.9 <= row["ratio"] <= 1.1
    assert 0.85 <= (row["estimate"] - row["parts"]["program"]) / large <= 1.15


@pytest.mark.parametrize("make", [make for _, make in CASES], ids=[name for name, _ in CASES])
def test_what_is_counted_is_what_is_made(make):
    network = make()
    counted, made = Arrays(real=False), Arrays()
    for arrays in (counted, made):
        model = CpuModel(network, 5, 2, arrays)
        make_optimizer(network, TrainSettings(optimizer="rmsprop"), "float32", arrays)
    assert counted.bytes == made.bytes > model.activation_bytes > 0


def test_limits_of_control_groups_and_of_the_shell_count(tmp_path, monkeypatch):
    groups, own = tmp_path / "cgroup", tmp_path / "own"
    monkeypatch.setattr(memory, "CONTROL_GROUPS", groups)
    monkeypatch.setattr(memory, "OWN_GROUPS", own)
    whole = memory.usable_bytes()
    for text, file, limit in (
        ("0::/a/b\n", "a/memory.max", 3000),  # of a group around this process's
        ("0::/a/b\n", "a/b/memory.max", 1000),
        ("0::/elsewhere\n", "memory.max", 800),  # a container that sees its own group at the root
        ("5:cpu:/x\n4:cpuset,memory:/job\n", "memory/job/memory.limit_in_bytes", 500),
    ):
        own.write_text(text)
        assert memory.usable_bytes() > 2 * limit or file == "a/b/memory.max"
        (groups / file).parent.mkdir(parents=True, exist_ok=True)
        (groups / file).write_text(f"{limit}\n")
        assert memory.usable_bytes() == int(0.8 * limit)
    own.write_text("0::/b\n")
    (groups / "memory.max").write_text("max\n")
    assert memory.usable_bytes() == whole
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (10**6, -1))
    assert memory.usable_bytes() == 800_000

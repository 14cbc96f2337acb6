"""GPUs through CuPy: what is missing is said in one line; compiling, copies, streams and launches.

Without a GPU, a fake CuPy runs it all on the CPU (`fake_cupy`).
"""

import sys
import threading

import numpy as np
import pytest
from fake_cupy import FakeCupy
from helpers import parse, small_tasks

from zero import cuda
from zero.cuda.device import DeviceMachine, devices
from zero.cuda.host import HostMachine
from zero.errors import DeviceError
from zero.programs import library
from zero.programs.cuda import encode as code
from zero.programs.cuda import source
from zero.programs.cuda.evaluate import CudaEvaluator
from zero.programs.cuda.layout import UnitLayout
from zero.programs.cuda.source import kernel_source

LAYOUT = UnitLayout("float32", 4, 2)


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """A fake CuPy, and an empty cache folder."""
    monkeypatch.setenv("ZERO_CACHE", str(tmp_path))
    fake = FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    return fake


# --- what is missing ------------------------------------------------------------------------------


def line_of(what=cuda.open_machine, *arguments):
    with pytest.raises(DeviceError) as error:
        what(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    line = line_of()
    assert "needs CuPy" in line and "pip install 'zero-discovery[gpu]'" in line
    assert devices() == cuda.devices() == []


def test_no_driver(fake):
    fake.driver = 0
    assert "no driver" in line_of() and devices() == []


def test_a_driver_that_is_too_old_for_this_cupy(fake):
    fake.driver = 12040
    line = line_of()
    assert "CUDA 12.4" in line and "CUDA 13.2" in line and "zero-discovery[gpu12]" in line
    fake.driver = 14000  # a newer one runs everything
    assert devices() == ["Fake 0"]


def test_no_device(fake):
    fake.count = 0
    assert "no CUDA device" in line_of() and devices() == []


def test_a_number_that_no_gpu_has(fake):
    fake.count = 2
    assert devices() == ["Fake 0", "Fake 1"]
    assert cuda.open_machine(1).name == "Fake 1"
    assert "no GPU 2" in line_of(cuda.open_machine, 2)


def test_cuda_that_does_not_start(fake, monkeypatch):
    def fails():
        raise fake.cuda.runtime.CUDARuntimeError(
            "cudaErrorInitializationError:\ninitialization error"
        )

    monkeypatch.setattr(fake.cuda.runtime, "getDeviceCount", fails)
    assert "initialization error" in line_of()


def test_no_compiler(fake, monkeypatch):
    def fails():
        raise RuntimeError("Failure finding libnvrtc.so.13")

    monkeypatch.setattr(fake.cuda.nvrtc, "getVersion", fails)
    assert "NVRTC" in line_of() and "zero-discovery[gpu]" in line_of()


def test_a_card_that_the_compiler_does_not_know(fake):
    fake.capability = "70"
    assert "compute capability 7.0" in line_of(
        cuda.open_machine().kernel, kernel_source(LAYOUT, False)
    )


def test_no_room(fake):
    machine = cuda.open_machine()
    fake.free = 1000
    assert "search.batch" in line_of(machine.empty, 1001, np.uint8)


# --- compiling ------------------------------------------------------------------------------------


def test_a_kernel_is_compiled_once_on_a_machine(fake, tmp_path):
    first = cuda.open_machine()
    kernel = first.kernel(kernel_source(LAYOUT, True))
    assert first.kernel(kernel_source(LAYOUT, True)) is kernel
    ((text, options),) = fake.compiled
    assert text == source.render(LAYOUT, True)
    assert options == ("--gpu-architecture=sm_90", *source.OPTIONS)
    cuda.open_machine().kernel(
        kernel_source(LAYOUT, True)
    )  # another process would find it on disk, too
    assert len(fake.compiled) == 1 and len(list(tmp_path.glob("*.cubin"))) == 1
    cuda.open_machine().kernel(kernel_source(LAYOUT, False))
    assert len(fake.compiled) == 2
    fake.capability = "120"
    cuda.open_machine().kernel(kernel_source(LAYOUT, True))
    assert fake.compiled[2][1][0] == "--gpu-architecture=sm_120"


@pytest.mark.parametrize(
    ("capability", "target", "kept"),
    [
        ("89", "sm_80", "cubin"),  # machine code of an older card of the same generation
        ("130", "compute_120", "ptx"),  # the driver compiles for a newer one
    ],
)
def test_cards_between_and_beyond_those_that_the_compiler_knows(
    fake, tmp_path, capability, target, kept
):
    fake.capability = capability
    cuda.open_machine().kernel(kernel_source(LAYOUT, False))
    assert fake.compiled[0][1][0] == f"--gpu-architecture={target}"
    assert len(list(tmp_path.glob(f"*.{kept}"))) == 1


def test_a_kernel_that_does_not_compile(fake, tmp_path):
    fake.log = "zero.cu(7): error: expected a ;"
    with pytest.raises(DeviceError, match=r"does not compile for sm_90.*\n.*expected a ;"):
        cuda.open_machine().kernel(kernel_source(LAYOUT, False))
    assert list(tmp_path.glob("*.cubin")) == []


# --- copies and streams ---------------------------------------------------------------------------


def test_what_is_written_is_what_the_array_was_then(fake):
    machine = cuda.open_machine()
    buffer, stream = machine.empty((3, 4), np.int32), machine.stream()
    data = np.arange(8, dtype=np.int32)
    with stream:
        buffer.write(data)
        data[:] = -1  # nothing has been copied to the device yet
        buffer.write(np.array([[70, 71]]))  # waits for the first copy: they share the host's memory
        got = buffer.read()
    assert got.shape == (3, 4) and got.ravel()[:8].tolist() == [70, 71, 2, 3, 4, 5, 6, 7]


def test_streams_of_threads_are_their_own(fake):
    machine = cuda.open_machine()
    seen = {}

    def work(name):
        mine = machine.stream()
        with mine:
            seen[name] = machine.current()
        seen[name, "after"] = machine.current()

    with machine.stream():
        here = machine.current()
        threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert machine.current() is here
    assert len({here, seen[0], seen[1]}) == 3
    assert seen[0, "after"] is seen[1, "after"] is machine.current() is fake.cuda.Stream.null


def test_events(fake):
    machine = cuda.open_machine()
    first, second = machine.stream(), machine.stream()
    buffer = machine.buffer(np.zeros(4))
    with first:
        buffer.write(np.ones(4))
    event = first.event()
    second.synchronize()
    assert fake.pending  # the other stream's
    event.wait()
    assert not fake.pending and event.seconds_since(event) == 0.002
    assert buffer.read().tolist() == [1, 1, 1, 1]


# --- launches -------------------------------------------------------------------------------------


def test_a_launch_has_as_many_blocks_as_there_is_work_and_room_for(fake):
    fake.resident = (
        23  # a multiprocessor; what the registers allow may be more than the kernel must
    )
    machine = cuda.open_machine()
    tasks = small_tasks(17, 6, 4, 4)  # in two units of 16
    evaluator = CudaEvaluator(tasks, machine, "float32", key=1, layout=LAYOUT)
    for copies, blocks in ((1, 2), (10, 20), (24, 46)):
        batch = code.encode_copies(library.program("linear"), LAYOUT, copies)
        evaluator.start(*batch, machine.stream()).result()
        assert fake.launches[-1][:2] == ((blocks,), (LAYOUT.lanes,))
    assert evaluator.at_once(batch[1]) == 23
    assert fake.attributes["shared"] == machine.shared_bytes
    kernel = machine.kernel(kernel_source(LAYOUT, False))
    assert kernel.units(100_000) == 2 * 2
    assert "no room" in line_of(kernel.units, fake.shared + 1)


@pytest.mark.parametrize("layout", [LAYOUT, LAYOUT.in_global_memory()])
def test_evaluations_are_those_of_the_host_machine(fake, layout):
    tasks = small_tasks(20, 8, 4, 4, epochs=2)
    programs = [library.program(name) for name in ("linear", "neural_network")]
    programs += [parse(Predict="s2 = mean(v0); s3 = s3 + s2; s1 = s3 + s2")]
    batches = [code.encode_copies(p, layout, 3) for p in programs]
    results = []
    for machine in (HostMachine(), DeviceMachine()):
        evaluator = CudaEvaluator(
            tasks, machine, "float32", key=2, max_abs_error=5.0, layout=layout
        )
        streams = machine.stream(), machine.stream()
        started = [evaluator.start(*b, streams[k % 2]) for k, b in enumerate(batches)]
        assert machine.name == "host" or fake.pending
        results.append([pending.result() for pending in started])
    for (fitness, taken), (wanted, steps) in zip(*results, strict=True):
        assert np.array_equal(fitness, wanted) and np.array_equal(taken, steps)
    assert len({f[0, 0] for f, _ in results[0]}) == 3
    assert {launch[3].ptr for launch in fake.launches} == {s._stream.ptr for s in streams}

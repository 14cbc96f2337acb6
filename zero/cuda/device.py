"""GPUs through CuPy: compiling kernels, memory, streams and launches.

Of CuPy only thin layers over CUDA are used: its arrays and its own compiler calls would bring work that
nobody needs here, and the latter need a device even to compile. Everything a thread does goes to the
stream that it has made current (`with stream:`), or to CUDA's default stream. Streams do not wait for
each other. A machine may be used by several threads, a buffer, a stream and an event by one at a time.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from zero.cuda.kernel_source import KernelSource
from zero.errors import DeviceError
from zero.jit.cache import cache_folder, read_kept, write_kept

_DEFAULT_SHARED = 48 * 1024  # bytes a block may have without asking
_INSTALL = "pip install 'zero-discovery[gpu]' (drivers for CUDA 12: 'zero-discovery[gpu12]')"


def _cupy_cuda() -> Any:
    """Returns the module `cupy.cuda`."""
    # Read when CUDA starts: how many streams, of islands, need not wait for each other; 8 by default.
    os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "32")
    try:
        import cupy
    except ImportError as error:
        if error.name == "cupy":
            raise DeviceError(
                f"backend 'cuda' needs CuPy, which is not installed: {_INSTALL}"
            ) from error
        raise DeviceError(
            f"backend 'cuda' needs CuPy, which cannot be imported ({_line(error)}): {_INSTALL}"
        ) from error
    return cupy.cuda


def _line(error: BaseException) -> str:
    """Returns an error's text in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _count(cuda: Any) -> int:
    """Returns the number of devices, at least 1.

    Raises:
        DeviceError: there is none, or no driver, or one that is too old for this CuPy.
    """
    runtime = cuda.runtime
    driver, wanted = runtime.driverGetVersion(), runtime.runtimeGetVersion()
    if driver == 0:
        raise DeviceError(
            "backend 'cuda' needs an NVIDIA GPU and its driver, and there is no driver on this machine; "
            "use backend: cpu"
        )
    if driver // 1000 < wanted // 1000:
        raise DeviceError(
            f"the driver is for CUDA {_version(driver)}, the installed CuPy for CUDA "
            f"{_version(wanted)}: install a newer driver, or for CUDA 12 uninstall CuPy and "
            "pip install 'zero-discovery[gpu12]'"
        )
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        if "cudaErrorNoDevice" not in str(error):
            raise DeviceError(f"CUDA does not start on this machine: {_line(error)}") from error
        count = 0
    if count == 0:
        raise DeviceError(
            "no CUDA device found (see nvidia-smi; is CUDA_VISIBLE_DEVICES set?); use backend: cpu"
        )
    return count


def _name(cuda: Any, index: int) -> str:
    return cuda.runtime.getDeviceProperties(index)["name"].decode()


def devices() -> list[str]:
    """Returns the names of the GPUs; none without CuPy, driver or device. Initialises CUDA."""
    try:
        cuda = _cupy_cuda()
        return [_name(cuda, index) for index in range(_count(cuda))]
    except DeviceError:
        return []


@contextmanager
def _device_errors(what: str) -> Iterator[None]:
    """Turns CUDA's errors into a DeviceError; what: what has failed then."""
    try:
        yield
    except RuntimeError as error:  # what CuPy's errors derive from
        hint = ""
        if "OutOfMemory" in type(error).__name__ or "MemoryAllocation" in str(error):
            hint = "; set a smaller search.batch or fewer islands"
        raise DeviceError(f"{what}: {_line(error)}{hint}") from error


class Buffer:
    """Memory on the GPU, at `address`, of one array's shape and dtype.

    Copies go through memory of the host that cannot be swapped out, so that they need not be waited for.
    """

    def __init__(self, machine: DeviceMachine, shape: Any, dtype: Any):
        self._machine, self._dtype = machine, np.dtype(dtype)
        self._shape = (shape,) if np.isscalar(shape) else tuple(shape)
        self.nbytes = int(np.prod(self._shape, dtype=np.int64)) * self._dtype.itemsize
        self._host: Any = None
        self._written: Event | None = None
        machine.use()
        with _device_errors(f"{machine.name} has no room for {self.nbytes} bytes"):
            self._memory = machine.cuda.memory.Memory(self.nbytes)
        self.address = int(self._memory.ptr)

    def _pinned(self) -> np.ndarray:
        """Returns the buffer's bytes on the host."""
        if self._host is None:
            with _device_errors(f"no room for {self.nbytes} bytes that cannot be swapped out"):
                self._host = self._machine.cuda.alloc_pinned_memory(self.nbytes)
        return np.frombuffer(self._host, np.uint8, self.nbytes)

    def write(self, array: np.ndarray) -> None:
        """Overwrites the beginning, when the stream gets there; the array itself may change at once."""
        data = np.ascontiguousarray(array, self._dtype).reshape(-1).view(np.uint8)
        assert data.nbytes <= self.nbytes
        if data.nbytes == 0:
            return
        if self._written is not None:
            self._written.wait()
        self._pinned()[: data.nbytes] = data
        runtime, stream = self._machine.cuda.runtime, self._machine.current()
        self._machine.use()
        with _device_errors(f"{self._machine.name}: copying to the GPU failed"):
            runtime.memcpyAsync(
                self.address, self._host.ptr, data.nbytes, runtime.memcpyHostToDevice, stream.ptr
            )
        self._written = Event(self._machine, stream)

    def read(self) -> np.ndarray:
        """Returns a copy of the whole; waits for what the stream did before."""
        pinned = self._pinned()
        runtime, stream = self._machine.cuda.runtime, self._machine.current()
        self._machine.use()
        with _device_errors(f"{self._machine.name}: copying from the GPU failed"):
            if self.nbytes:
                runtime.memcpyAsync(
                    self._host.ptr,
                    self.address,
                    self.nbytes,
                    runtime.memcpyDeviceToHost,
                    stream.ptr,
                )
            stream.synchronize()
        return pinned.copy().view(self._dtype).reshape(self._shape)


class Event:
    """A point in a stream."""

    def __init__(self, machine: DeviceMachine, stream: Any):
        self._machine = machine
        with _device_errors(f"{machine.name}: a launch failed"):
            machine.use()
            # block: whoever waits sleeps, instead of looking again and again on a core that breeds.
            self._event = machine.cuda.Event(block=True)
            self._event.record(stream)

    def wait(self) -> None:
        """Waits until the stream got there.

        Raises:
            DeviceError: something in the stream failed.
        """
        self._machine.use()
        with _device_errors(f"{self._machine.name}: a launch failed"):
            self._event.synchronize()

    def seconds_since(self, earlier: Event) -> float:
        """Returns the GPU's time between two events that have passed, of any streams."""
        self._machine.use()
        return self._machine.cuda.get_elapsed_time(earlier._event, self._event) / 1000


class Stream:
    """Work of the GPU, one thing after the other; `with stream:` makes it the thread's current one."""

    def __init__(self, machine: DeviceMachine):
        self._machine = machine
        with _device_errors(f"{machine.name} gives no stream"):
            machine.use()
            self._stream = machine.cuda.Stream(non_blocking=True)

    def __enter__(self) -> Stream:
        self._machine.streams().append(self._stream)
        return self

    def __exit__(self, *_: Any) -> None:
        self._machine.streams().pop()

    def synchronize(self) -> None:
        """Waits until everything is done; DeviceError if something failed."""
        self._machine.use()
        with _device_errors(f"{self._machine.name}: a launch failed"):
            self._stream.synchronize()

    def event(self) -> Event:
        """Returns the point in the stream after all that was put there so far."""
        return Event(self._machine, self._stream)


class Kernel:
    """A compiled kernel, loaded on a machine."""

    def __init__(self, machine: DeviceMachine, source: KernelSource, code: bytes):
        self._machine = machine
        self._lanes = source.lanes
        driver = machine.cuda.driver
        machine.use()
        module = machine.cuda.function.Module()
        with _device_errors(f"{machine.name} does not load the kernel"):
            module.load(code)
            self._function = module.get_function("evaluate")  # it keeps the module
            if machine.shared_bytes > _DEFAULT_SHARED:
                driver.funcSetAttribute(
                    self._function.ptr,
                    driver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                    machine.shared_bytes,
                )
            if source.shared:
                # In percent of what a multiprocessor divides between it and the L1 cache.
                driver.funcSetAttribute(
                    self._function.ptr,
                    driver.CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT,
                    100,
                )
        self._resident: dict[int, int] = {}

    def units(self, unit_bytes: int) -> int:
        """Returns how many units the card runs at once.

        Args:
            unit_bytes: shared memory of a unit.

        Raises:
            DeviceError: not even one.
        """
        if unit_bytes not in self._resident:
            self._machine.use()
            with _device_errors(f"{self._machine.name} does not say how much it runs at once"):
                a_core = self._machine.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(
                    self._function.ptr, self._lanes, unit_bytes
                )
            self._resident[unit_bytes] = a_core * self._machine.cores
        if self._resident[unit_bytes] == 0:
            raise DeviceError(
                f"{self._machine.name} has no room for {unit_bytes} bytes of shared memory in a block"
            )
        return self._resident[unit_bytes]

    def launch(self, job: np.ndarray, units: int, unit_bytes: int) -> None:
        """Starts a job.

        Args:
            job: (1,), the kernel's argument, passed by value.
            units: how many run; more than `units` says would only wait for others to end.
            unit_bytes: shared memory of a unit.
        """
        self._machine.use()
        with _device_errors(f"{self._machine.name}: a launch failed"):
            self._function(
                (units,), (self._lanes,), (job,), unit_bytes, stream=self._machine.current()
            )


class DeviceMachine:
    """One GPU.

    Attributes: name; shared_bytes, the most shared memory of a block; cores, its multiprocessors; cuda,
    the module `cupy.cuda`.

    Args:
        index: the GPU's number.

    Raises:
        DeviceError: CuPy, a driver, its compiler or that GPU is missing.
    """

    def __init__(self, index: int = 0):
        self.cuda = _cupy_cuda()
        count = _count(self.cuda)
        if not 0 <= index < count:
            raise DeviceError(
                f"there is no GPU {index} on this machine (there are {count}: 0 to {count - 1})"
            )
        try:
            self._compiler = self.cuda.nvrtc.getVersion()
        except (RuntimeError, ImportError, OSError) as error:
            raise DeviceError(f"CuPy finds no compiler (NVRTC): {_INSTALL}") from error
        self._index = index
        self._local, self._lock = threading.local(), threading.Lock()
        self._kernels: dict[KernelSource, Kernel] = {}
        with _device_errors("CUDA does not start on this GPU"):
            self.use()
            properties = self.cuda.runtime.getDeviceProperties(index)
            self.name = properties["name"].decode()
            self.cores = properties["multiProcessorCount"]
            self.shared_bytes = properties["sharedMemPerBlockOptin"]

    def use(self) -> None:
        """Makes this GPU the current one of the thread."""
        self.cuda.runtime.setDevice(self._index)

    def streams(self) -> list[Any]:
        """Returns the thread's streams, the current one last."""
        if not hasattr(self._local, "streams"):
            self._local.streams = [self.cuda.Stream.null]
        return self._local.streams

    def current(self) -> Any:
        """Returns CuPy's object of the thread's current stream."""
        return self.streams()[-1]

    def stream(self) -> Stream:
        """Returns a new stream."""
        return Stream(self)

    def empty(self, shape: Any, dtype: Any) -> Buffer:
        """Returns a buffer of that shape; its content is arbitrary."""
        return Buffer(self, shape, dtype)

    def buffer(self, array: np.ndarray) -> Buffer:
        """Returns a buffer with a copy of the array; it is there when this returns, for all streams."""
        made = Buffer(self, array.shape, array.dtype)
        data, runtime = np.ascontiguousarray(array), self.cuda.runtime
        with _device_errors(f"{self.name}: copying to the GPU failed"):
            if made.nbytes:
                runtime.memcpyAsync(
                    made.address, data.ctypes.data, data.nbytes, runtime.memcpyHostToDevice,
                    self.current().ptr,
                )  # fmt: skip
            self.current().synchronize()
        return made

    def kernel(self, source: KernelSource) -> Kernel:
        """Returns the kernel of a text: compiled once on this machine, loaded once.

        Raises:
            DeviceError: it does not compile or load.
        """
        with self._lock:
            if source not in self._kernels:
                self._kernels[source] = Kernel(self, source, self._compiled(source))
            return self._kernels[source]

    def _architecture(self) -> tuple[str, bool]:
        """Returns (what to compile for, whether that is machine code and not PTX)."""
        mine = int(self.cuda.Device(self._index).compute_capability)
        known = [a for a in self.cuda.nvrtc.getSupportedArchs() if a <= mine]
        if not known:
            raise DeviceError(
                f"{self.name} (compute capability {mine // 10}.{mine % 10}) is too old for this CuPy's "
                "compiler: uninstall CuPy and pip install 'zero-discovery[gpu12]'"
            )
        best = max(known)
        return (f"sm_{best}", True) if best // 10 == mine // 10 else (f"compute_{best}", False)

    def _compiled(self, source: KernelSource) -> bytes:
        """Returns machine code (or PTX) from the cache, else compiles it."""
        target, binary = self._architecture()
        options = (f"--gpu-architecture={target}", *source.options)
        digest = hashlib.sha256(repr((source.text, options, self._compiler)).encode()).hexdigest()[
            :20
        ]
        path = cache_folder() / f"zero_{target}_{digest}.{'cubin' if binary else 'ptx'}"
        kept = read_kept(path)
        if kept is not None:
            return kept
        nvrtc = self.cuda.nvrtc
        program = nvrtc.createProgram(source.text, "zero.cu", (), ())
        try:
            nvrtc.compileProgram(program, options)
            code = nvrtc.getCUBIN(program) if binary else nvrtc.getPTX(program)
        except nvrtc.NVRTCError as error:
            log = nvrtc.getProgramLog(program).strip()[:4000]
            raise DeviceError(
                f"the kernel does not compile for {target}: {error}\n{log}"
            ) from error
        finally:
            nvrtc.destroyProgram(program)
        write_kept(path, code)
        return code

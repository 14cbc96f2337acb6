"""A stand-in for CuPy: the functions that zero.cuda.device calls, on the CPU.

"Device memory" is the host's. What is put into a stream is done only when somebody waits for it, so what
nobody waited for is not there. The kernel is the same text, compiled for the CPU.
"""

import ctypes
import types

import numpy as np

from zero.cuda import host
from zero.programs.cuda.job import JOB


class FakeCupy:
    """What `import cupy` shall give; attributes say what machine it is."""

    def __init__(self):
        self.driver, self.wanted, self.count = 13000, 13020, 1
        self.capability, self.known = "90", (75, 80, 90, 100, 120)
        self.shared = 227 * 1024
        self.resident = 3  # blocks a multiprocessor
        self.free = 1 << 30  # bytes
        self.compiled = []  # (text, options)
        self.launches = []  # (grid, block, shared memory, stream)
        self.attributes = {}
        self.log = ""
        self.pending = []  # (stream, what to do), in the order of the calls
        self.cuda = _cuda(self)

    def drain(self, stream, last=None):
        """Does what a stream has to do, up to an event."""
        while True:
            mine = [k for k, (whose, _) in enumerate(self.pending) if whose is stream]
            if not mine or (last is not None and last.passed):
                return
            self.pending.pop(mine[0])[1]()


def _cuda(fake):
    class CUDARuntimeError(RuntimeError):
        pass

    class NVRTCError(RuntimeError):
        pass

    # --- runtime

    def getDeviceCount():
        if fake.count == 0:
            raise CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
        return fake.count

    def memcpyAsync(dst, src, size, kind, stream):
        assert kind in (1, 2)
        fake.pending.append((streams[stream], lambda: ctypes.memmove(dst, src, size)))

    def getDeviceProperties(device):
        return {
            "name": b"Fake %d" % device, "multiProcessorCount": 2,
            "sharedMemPerMultiprocessor": fake.shared + 1024,
            "sharedMemPerBlockOptin": fake.shared,
        }  # fmt: skip

    runtime = types.SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        driverGetVersion=lambda: fake.driver,
        runtimeGetVersion=lambda: fake.wanted,
        getDeviceCount=getDeviceCount,
        setDevice=lambda device: None,
        getDeviceProperties=getDeviceProperties,
        memcpyAsync=memcpyAsync,
        memcpyHostToDevice=1,
        memcpyDeviceToHost=2,
    )

    class Device:
        def __init__(self, device=None):
            self.compute_capability = fake.capability

    # --- streams

    streams = []

    class Stream:
        def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
            self.ptr = len(streams)
            streams.append(self)

        def synchronize(self):
            fake.drain(self)

    Stream.null = Stream(null=True)

    class Event:
        def __init__(self, block=False, disable_timing=False, interprocess=False):
            self.passed, self.stream = False, None

        def _pass(self):
            self.passed = True

        def record(self, stream=None):
            self.stream = stream
            fake.pending.append((stream, self._pass))

        def synchronize(self):
            fake.drain(self.stream, self)

    # --- memory

    class Memory:
        def __init__(self, size):
            if size > fake.free:
                raise CUDARuntimeError("cudaErrorMemoryAllocation: out of memory")
            self._array = np.full(size + 16, 0xAB, np.uint8)
            self.ptr = -(-self._array.ctypes.data // 16) * 16

    def alloc_pinned_memory(size):
        kind = type("Pinned", (ctypes.c_char * size,), {})
        pinned = kind()
        pinned.ptr = ctypes.addressof(pinned)
        return pinned

    # --- kernels

    class Function:
        ptr = 77

        def __init__(self, text):
            self._library = host._library(text)
            self._library.evaluate.argtypes = [ctypes.c_void_p, ctypes.c_uint]

        def __call__(self, grid, block, args, shared_mem=0, stream=None):
            (job,) = args
            assert isinstance(job, np.ndarray) and job.dtype == JOB and job.shape == (1,)
            job = job.copy()  # a parameter: what becomes of the array does not matter
            assert shared_mem <= fake.attributes.get("shared", 48 * 1024)
            fake.launches.append((grid, block, shared_mem, stream))
            fake.pending.append((stream, lambda: self._library.evaluate(job.ctypes.data, 0)))

    class Module:
        def load(self, cubin):
            assert isinstance(cubin, bytes)
            self._text = cubin.decode()

        def get_function(self, name):
            assert name == "evaluate"
            return Function(self._text)

    def funcSetAttribute(f, attribute, value):
        assert f == 77
        fake.attributes[{8: "shared", 9: "carveout"}[attribute]] = value

    def occupancyMaxActiveBlocksPerMultiprocessor(func, blockSize, dynamicSMemSize):
        assert func == 77
        return min(fake.resident, fake.shared // max(1, dynamicSMemSize))

    driver = types.SimpleNamespace(
        CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=8,
        CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT=9,
        funcSetAttribute=funcSetAttribute,
        occupancyMaxActiveBlocksPerMultiprocessor=occupancyMaxActiveBlocksPerMultiprocessor,
    )

    # --- the compiler

    programs = {}

    def createProgram(src, name, headers, include_names):
        assert len(headers) == len(include_names) == 0
        programs[len(programs)] = src
        return len(programs) - 1

    def compileProgram(prog, options):
        fake.compiled.append((programs[prog], options))
        if fake.log:
            raise NVRTCError("NVRTC_ERROR_COMPILATION (6)")

    nvrtc = types.SimpleNamespace(
        NVRTCError=NVRTCError,
        getVersion=lambda: (13, 5),
        getSupportedArchs=lambda: fake.known,
        createProgram=createProgram,
        compileProgram=compileProgram,
        getCUBIN=lambda prog: programs[prog].encode(),
        getPTX=lambda prog: programs[prog].encode(),
        getProgramLog=lambda prog: fake.log,
        destroyProgram=lambda prog: programs.update({prog: None}),
    )

    return types.SimpleNamespace(
        runtime=runtime, driver=driver, nvrtc=nvrtc, Device=Device, Stream=Stream, Event=Event,
        memory=types.SimpleNamespace(Memory=Memory), alloc_pinned_memory=alloc_pinned_memory,
        function=types.SimpleNamespace(Module=Module),
        get_elapsed_time=lambda start, end: 2.0,
    )  # fmt: skip

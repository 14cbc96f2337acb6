"""A GPU: `device` compiles CUDA C text and launches it, `host` runs the same text on the CPU for tests.

Importing this package imports neither, and CuPy only when a machine is opened.
"""

from __future__ import annotations


def open_machine(index: int = 0):
    """Returns the machine (`zero.cuda.device.DeviceMachine`) of a GPU. Initialises CUDA in this process.

    CUDA does not survive a fork: a process that forks workers must not call this before.

    Args:
        index: the GPU's number among those that CUDA shows.

    Raises:
        DeviceError: CuPy, a driver, a compiler or that GPU is missing; says which.
    """
    from zero.cuda.device import DeviceMachine

    return DeviceMachine(index)


def devices() -> list[str]:
    """Returns the names of the GPUs; none without CuPy, driver or device. Initialises CUDA, too."""
    from zero.cuda import device

    return device.devices()

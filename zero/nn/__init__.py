"""Networks of layers and their training, without any deep-learning framework.

`layers` has a record of each kind of layer, with what it computes (NumPy); `network` says what a network
is, `reference` runs it, `cpu` does the same fast, `train` trains, `export` writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zero.errors import DeviceError, unknown_name

if TYPE_CHECKING:
    from zero.nn.arrays import Arrays
    from zero.nn.network import Network

BACKENDS = ("cpu", "reference")


def make_model(
    network: Network,
    batch: int,
    backend: str = "cpu",
    dtype: str = "float32",
    threads: int = 1,
    arrays: Arrays | None = None,
):
    """Returns a model: a network with its parameters on a backend.

    Args:
        network: what to run.
        batch: the most examples of a training step; prediction goes in chunks of as many.
        backend: "cpu" (numba, float32) or "reference" (NumPy, the definition).
        dtype: "float32", or "float64" ("reference" only).
        threads: of "cpu"; "reference" leaves them to NumPy.
        arrays: what makes its arrays; one that is not real only counts them, and the model cannot run.

    Returns:
        An object with the attributes and methods of `zero.nn.reference.ReferenceModel`; all
        parameters are 0, see `zero.nn.weights.initial_parameters`.

    Raises:
        DeviceError: no such backend, or a dtype that it does not have.
    """
    if backend == "cuda":
        raise DeviceError("backend 'cuda' does not train networks yet; use 'cpu' or 'reference'")
    if backend not in BACKENDS:
        raise DeviceError(unknown_name("backend", backend, BACKENDS))
    allowed = ("float32",) if backend == "cpu" else ("float32", "float64")
    if dtype not in allowed:
        raise DeviceError(
            f"backend '{backend}' has no dtype '{dtype}'; allowed: {', '.join(allowed)}"
        )
    if backend == "reference":
        from zero.nn.reference import ReferenceModel

        return ReferenceModel(network, batch, dtype, arrays)
    from zero.nn.cpu.model import CpuModel

    return CpuModel(network, batch, threads, arrays)

"""The GPU's code compiles to machine code for every kind of card, without one, and needs no more than it
should: no registers spilled to memory, and few enough for the warps that a multiprocessor is to hold.
"""

import io
import re
from dataclasses import replace

import pytest

from zero.programs.cuda import source
from zero.programs.cuda.layout import UnitLayout, best_layout

core = pytest.importorskip(
    "cuda.core", reason="compiling for a GPU needs: pip install 'zero-discovery[test]'"
)

ARCHITECTURES = ["sm_80", "sm_90", "sm_120"]
REGISTERS = 65536 // source.THREADS
STACK = 128  # bytes; sines of large numbers take some


def layouts():
    """The layouts that are chosen for the features that people have."""
    features = (4, 8, 10, 16, 32, 64, 128)
    found = [best_layout(f, d) for f in features for d in ("float32", "float64")]
    found += [replace(x, shared=False) for x in found if x.features in (16, 128)]
    return found + [UnitLayout(d, 256, 256, shared=False) for d in ("float32", "float64")]


def usage(layout, architecture, strict, independent=False):
    """Returns (registers, bytes spilled, bytes of stack) of the kernel as ptxas reports them."""
    options = core.ProgramOptions(std="c++17", fma=False, arch=architecture, ptxas_options=["-v"])
    log = io.StringIO()
    program = core.Program(source.render(layout, strict, independent), "c++", options)
    assert len(program.compile("cubin", logs=log).code) > 10_000
    text = log.getvalue()
    (registers,) = re.findall(r"Used (\d+) registers", text)
    spilled = sum(int(n) for n in re.findall(r"(\d+) bytes spill", text))
    stack = max(int(n) for n in re.findall(r"(\d+) bytes stack frame", text))
    return int(registers), spilled, stack


def cards():
    """Each layout for one kind of card, in turn, and that of the shipped config for all."""
    found = [(ARCHITECTURES[k % 3], layout) for k, layout in enumerate(layouts())]
    found += [(name, best_layout(16, "float32")) for name in ARCHITECTURES]
    return sorted(set(found), key=repr)


@pytest.mark.parametrize(
    "architecture, layout",
    cards(),
    ids=lambda x: x if type(x) is str else f"{x.dtype}-{x.features}-{x.group}-{x.shared}",
)
def test_compiles_within_bounds(layout, architecture):
    registers, spilled, stack = usage(layout, architecture, strict=False)
    assert (spilled, registers <= REGISTERS, stack <= STACK) == (0, True, True), (registers, stack)


@pytest.mark.parametrize("features, group", [(4, 1), (4, 4), (16, 4), (16, 16), (32, 8)])
def test_other_groups_compile(features, group):
    # What `benchmarks/gpu_interpreter.py --sweep` compares; a few bytes may be spilled.
    _, spilled, _ = usage(UnitLayout("float32", features, group), "sm_90", strict=False)
    assert spilled <= 256


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_of_predictors_compile(dtype):
    # For figures of single programs: a few bytes may be spilled.
    _, spilled, _ = usage(best_layout(16, dtype), "sm_90", strict=False, independent=True)
    assert spilled <= 256


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_strict_compiles(dtype, architecture):
    registers, spilled, _ = usage(best_layout(16, dtype), architecture, strict=True)
    assert spilled == 0 and registers <= REGISTERS


def test_options_are_those_of_the_device():
    assert set(source.OPTIONS) == {"--std=c++17", "--fmad=false"}  # as in `usage`

"""The compiled switch over ops: executes decoded instructions on the memory of W tasks.

This file is the frame of a generated module, not imported by itself: `zero.interpreter.cpu` puts the
names of lanes before it and the branches of all ops (`render.py`) in place of `# SWITCH`. FEATURES is
the number of features where it is known when compiling, so that LLVM unrolls loops over it (a third
faster), else 0.
"""
# ruff: noqa: F821, F841

from numba import cfunc

from zero.struct import execute_signature


@cfunc(execute_signature(DTYPE), cache=True, error_model="numpy")
def interpret(
    code, constants, first, last, mem, base, F, tmp, key, example, function, keys, keys_at
):
    """Executes the decoded instructions first..last on one block's memory.

    code (n, 4): op, and places of in1 (or place within the result, or stream), in2 and out. constants
    (n, 2). mem: memory, the block's starting at `base`, with room for a matrix at `tmp`. key, example,
    function, keys: name the random draws. All arrays are addresses and no bounds are checked:
    programs are valid in their memory by construction or by `validate_program`.
    """
    if FEATURES:
        F = FEATURES
    FW = F * W
    FFW = F * FW
    tmp += base
    for pc in range(first, last):
        op = code[4 * pc]
        a = base + code[4 * pc + 1]
        b = base + code[4 * pc + 2]
        o = base + code[4 * pc + 3]
        # SWITCH

"""What an evaluation costs a GPU: useful arithmetic, shared memory, time; for gpu_interpreter.py."""

from typing import Any

import numpy as np
from gpu.programs import Launches, Programs
from page import operations

from zero.programs.cuda.job import SPAN
from zero.programs.cuda.layout import WARP, UnitLayout
from zero.programs.cuda.source import row_numbers
from zero.programs.ops import OPS, get_op

REPEATED = 4  # times more of an instruction in `where_time_goes`


def on_gpu(
    programs: Programs, dtype: str, seconds: float, layout: UnitLayout | None = None
) -> dict[str, Any]:
    """Returns full evaluations a second of the GPU, and what one of them costs (`cost`)."""
    launches = Launches(programs, dtype, layout)
    took, number = launches.seconds(seconds)
    at_once = len(launches.spans)
    flops, cycles = cost(launches)
    fitness = launches.fitness[: len(programs.rows)]
    return {
        "rate": number * at_once / took, "evaluations": number * at_once,
        "programs_a_launch": at_once, "flops": flops, "shared_cycles": cycles,
        "fitness": float(np.mean(fitness)),
    }  # fmt: skip


def row_cost(name: str, layout: UnitLayout) -> tuple[float, float]:
    """Returns (useful FLOP on one task, cycles of shared memory for a warp) of a row by its op's name.

    A multiprocessor's shared memory moves 128 bytes a cycle: a float32 of each lane takes one, 16 bytes of
    each lane four, a value that all lanes of a task read at once as little as one. Every row is read, too.
    """
    f, each, chunks = layout.features, layout.each, layout.padded // layout.chunk
    s = layout.itemsize / 4
    v, m = each * s, each * chunks * 4.0
    tasks = max(1, WARP // layout.group)  # of a warp
    if layout.group % layout.chunk == 0:
        whole = chunks * max(1.0, tasks * 16 / 128)  # a vector that all lanes of a task read
    else:
        whole = f * max(1.0, tasks * layout.itemsize / 128)
    size = {"s": s, "v": v, "m": m}
    extra = {
        "END": (0, 0.0),
        "OUTER_ADD": (2 * f * f, whole + v + 2 * m),
        "SCALED_ADD": (2 * f, s + 3 * v),
        "TAKE_RESIDENT": (0, m),
        "MATVEC_RESIDENT": (2 * f * f, whole + v),
        "OUTER_ADD_RESIDENT": (2 * f * f, whole + v),
    }
    if name in extra:
        flops, cycles = extra[name]
        return flops, 1 + cycles
    op = get_op(name)
    moved = sum(size[kind] for kind in (*op.inputs, op.output))
    match op.kind:
        case "const":
            moved = s
        case "matvec" | "outer" | "fill_rows":
            moved += whole - v  # the vector that is read whole
        case "matmul":
            moved = chunks * (f * (max(1.0, tasks * 16 / 128) + v) + 4 * each) + 2 * m
        case "transpose":
            moved = 2 * f * v + 2 * m
        case "reduce_columns":
            moved = f * v + v
    return operations(op, f), 1 + moved


def function_costs(rows: np.ndarray, span: np.ndarray, layout: UnitLayout) -> np.ndarray:
    """Returns (3, 2): what `row_cost` says of a program's setup, predict and learn."""
    starts = [int(span[SPAN.index(name)]) for name in ("predict_at", "learn_at")]
    found = np.zeros((3, 2))
    for at, name in named_rows(rows, span):
        found[sum(at >= start for start in starts)] += row_cost(name, layout)
    return found


def named_rows(rows: np.ndarray, span: np.ndarray) -> list[tuple[int, str]]:
    """Returns (row, counted from the program's first, name) of each instruction of a program."""
    names = {number: name for name, number in row_numbers().items()}
    first, at, found = int(span[SPAN.index("code_at")]), 0, []
    while at < span[SPAN.index("rows")]:
        name = names[int(rows[first + at, 0])]
        found.append((at, name))
        at += 2 if name in OPS and OPS[name].constants else 1
    return found


def cost(launches: Launches) -> tuple[float, float]:
    """Returns (useful FLOP, cycles of a multiprocessor's shared memory) of a program, on average.

    Only of steps that were taken: a program that fails ends early.
    """
    layout, tasks = launches.evaluator.layout, launches.programs.tasks
    # Of a unit's lanes, those of other programs' tasks and of none are busy, too.
    v = layout.each * layout.itemsize / 4
    steps = tasks.train_x.shape[1] * tasks.epochs
    total = np.zeros(2)
    distinct = len(launches.programs.rows)
    for k in range(distinct):
        costs = function_costs(launches.rows, launches.spans[k], layout)
        taken = launches.taken[k].astype(float)
        valid = np.where(taken == steps, tasks.valid_x.shape[1] * tasks.epochs, 0)
        total[0] += len(taken) * costs[0, 0]
        total[0] += (taken * (costs[1, 0] + costs[2, 0]) + valid * costs[1, 0]).sum()
        # The features and some scalars of every example, besides the rows.
        # The features are copied to a place of their own, read there and written to v0.
        step, check = costs[1, 1] + costs[2, 1] + 3 * v + 6, costs[1, 1] + 3 * v + 5
        for first in range(0, len(taken), layout.tasks):
            mine = slice(first, first + layout.tasks)
            unit = costs[0, 1] + taken[mine].max() * step + valid[mine].max() * check
            total[1] += unit * layout.lanes / WARP
    return tuple(float(x) for x in total / distinct)


def shares(row: dict[str, Any], card: dict[str, Any], dtype: str) -> dict[str, float]:
    """Returns which shares of the card's limits a row's median rate is, where they are known."""
    found = {}
    gpu, peak = row["gpu"], card.get("peak_flops", {}).get(dtype)
    if "flops" in gpu and peak:
        found["share_of_peak_flops"] = gpu["median"] * gpu["flops"] / peak
    if "flops" in gpu and card.get("clock_hz"):
        cycles = card["multiprocessors"] * card["clock_hz"]
        found["share_of_shared_memory"] = gpu["median"] * gpu["shared_cycles"] / cycles
    return found


def where_time_goes(programs: Programs, dtype: str, seconds: float) -> dict[str, Any]:
    """Returns the share of the time that each instruction of the first program takes on the GPU.

    Each instruction of Predict and Learn is repeated and the launch timed: what another one of it costs,
    with whatever of fetching, waiting and arithmetic other warps do not hide. What is left is the rest
    of each example: its features, prediction, error, and the loop.
    """
    launches = Launches(programs._replace(rows=programs.rows[:1]), dtype)
    layout = launches.evaluator.layout
    length, number = len(launches.rows) // len(launches.spans), len(launches.spans)
    rows, span = launches.rows[:length], launches.spans[0].copy()
    span[SPAN.index("code_at")] = 0
    plain, began = launches.seconds(seconds), {}
    at_once = plain[0] / plain[1]
    predict_at = span[SPAN.index("predict_at")]
    found = [(at, name) for at, name in named_rows(rows, span) if at >= predict_at]
    for name in dict.fromkeys(name for _, name in found):
        if name == "END" or (name in OPS and OPS[name].constants):
            continue
        mine = [at for at, each in found if each == name]
        longer, new = repeated(rows, span, mine)
        launches.rows = np.tile(longer, (number, 1))
        launches.spans = np.repeat(new[None], number, axis=0)
        launches.spans[:, SPAN.index("code_at")] = len(longer) * np.arange(number)
        _, taken = launches.start(0).result()
        launches.start(1).result()
        took, times = launches.seconds(seconds)
        share = (took / times - at_once) / REPEATED / at_once
        if taken.min() < launches.taken.min():
            share = None  # repeated, it makes the program fail
        flops, cycles = row_cost(name, layout)
        began[name] = {
            "rows": len(mine), "share": share, "flops": flops * len(mine),
            "shared_cycles": cycles * len(mine),
        }  # fmt: skip
    rest = 1 - sum(part["share"] or 0 for part in began.values())
    return {"instructions": began, "the rest of each example": rest}


def repeated(rows: np.ndarray, span: np.ndarray, which: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns rows and span of a program in which these rows stand `REPEATED` times more."""
    times = np.ones(len(rows), np.int64)
    times[which] += REPEATED
    new = span.copy()
    for name in ("predict_at", "learn_at", "rows"):
        new[SPAN.index(name)] = times[: span[SPAN.index(name)]].sum()
    return np.repeat(rows, times, axis=0), new

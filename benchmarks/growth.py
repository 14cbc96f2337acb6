"""How cost grows with tasks, features, examples and program length, on one core.

    python benchmarks/growth.py [--seconds 2] [--rounds 3] [--json FILE] [--plot]

Two figures at each point of `CURVES`, for `linear_demo` with that one setting changed: an evaluation
of the shipped linear program without caches, and an individual of the search. The search follows what
evolution finds: each round has a seed of its own, and slow points see an earlier part of it. Length
is measured by programs of which every instruction counts. `CHECKS` are what the explanations rest on.
All is measured in turns, `rounds` times; the median is given with the smallest and the largest. First
the compiled evaluator is compared with the reference. Writes benchmarks/results/growth.json and, with
matplotlib, growth.svg; --plot draws the figures in the JSON once more.
"""

import argparse
import json
import random
import statistics
from functools import cache
from pathlib import Path

from zero.bench.speed import evaluation_speed, search_speed
from zero.config.load import load_config
from zero.config.sections import RunConfig
from zero.programs import library
from zero.programs.domain import make_tasks
from zero.programs.evaluator import Evaluator
from zero.programs.program import Program, make_instruction
from zero.programs.simplified import simplify
from zero.runs.folder import run_info

CONFIG = "linear_demo"
PROGRAMS = 5  # of each length
CURVES = {
    "tasks": (1, 2, 4, 8, 10, 16, 32, 64, 128),
    "features": (2, 3, 4, 6, 8, 12, 16, 32, 64),
    "examples": (10, 30, 100, 300, 1000, 3000, 10_000),
    "length": (5, 10, 20, 30, 45, 60, 90),
}
TITLES = {
    "tasks": "tasks",
    "features": "features",
    "examples": "train examples, and as many validation examples",
    "length": "instructions, all of which count",
}
# Why the curves bend, as far as `CHECKS` and the curves themselves show it.
EXPLANATIONS = {
    "tasks": """
Tasks sit side by side in the lanes of vector registers, 1, 4, 8 or 16 to a block. Filling lanes is
nearly free: four tasks cost about what one does, sixteen about twice that. Above 16 there are several
blocks, one after the other, and the cost is proportional to their number: compare 16 and 17 tasks
below. The search bends later than the evaluation, because most of its individuals are known to a
cache and never evaluated in full.""",
    "features": """
Each example has a fixed part and one proportional to F: every instruction on vectors runs through
their F numbers a task. From some 8 features on the second part is the larger. Matrices, F x F numbers
a task, cost nothing where no program uses them: compare no, one and four of them below, where the
same individuals come out.""",
    "examples": """
An evaluation has a fixed part (decode the program, zero the memory) that counts below some 30
examples; above, the cost is proportional. The processor's caches make no knee: with 10,000 examples
the data are 8 MB, far more than its second cache holds, and an example costs what it costs with 100,
where they are some 100 KB. They are read in order. The search is flat up to some hundred examples,
because most individuals are known to a cache after 10 + 10 examples at the latest; with more
examples, the few full evaluations are what takes the time. (With 10 examples, looking at the first 10
is already the whole evaluation.)""",
    "length": """
Every instruction costs the same, at 5 as at 90: no knee. Part of the price is waiting for the result
of the instruction before, which goes through memory: the same number of scalar instructions in eight
chains that do not need each other is cheaper, see below.""",
}
# What to measure beside the curves: curve -> (what, kind, settings, program).
CHECKS = {
    "tasks": [
        ("16 tasks: one block of lanes", "evaluate", ["tasks=16"], "linear"),
        ("17 tasks: two blocks", "evaluate", ["tasks=17"], "linear"),
    ],
    "features": [
        (f"64 features; matrices in memory, not used: {number}", kind, ["features=64", matrices],
         "linear")
        for number, matrices in ((n, f"program.memory.matrices={n}") for n in (0, 1, 4))
        for kind in ("evaluate", "search")
    ],
    "examples": [],
    "length": [
        (f"60 scalar instructions, {tasks} task{'s' * (tasks > 1)}, {what}", "evaluate",
         [f"tasks={tasks}"], f"scalars {strands}")
        for tasks in (1, 10)
        for strands, what in ((1, "each needs the one before"), (8, "eight independent chains"))
    ],
}  # fmt: skip


def config(*settings: str) -> RunConfig:
    """Returns `CONFIG` with settings; those named after a curve change what the curve is about.

    One select task: a good individual's figure on a hundred of them has nothing to do with growth.
    """
    always = ("islands.count=1", "tasks.select.count=1", "tasks.final.count=1")
    keys = {
        "tasks": ["tasks.search.count"],
        "features": [f"tasks.{purpose}.features" for purpose in ("search", "select", "final")],
        "examples": ["tasks.search.train", "tasks.search.valid"],
    }
    pairs = [setting.split("=") for setting in (*always, *settings)]
    return load_config(
        CONFIG, [f"{k}={value}" for key, value in pairs for k in keys.get(key, [key])]
    )


# --- programs -------------------------------------------------------------------------------------

_FROM = {
    "s": ["SCALAR_SUM", "SCALAR_DIFF", "SCALAR_MIN", "SCALAR_MAX", "SCALAR_VECTOR_PRODUCT"],
    "v": ["VECTOR_DIFF", "VECTOR_PRODUCT", "VECTOR_MIN", "VECTOR_MAX", "VECTOR_INNER_PRODUCT"],
}
_TO = {"SCALAR_VECTOR_PRODUCT": "v", "VECTOR_INNER_PRODUCT": "s"}


def chain(length: int, chains: int, scalars_only: bool, seed: int) -> Program:
    """Returns a program that predicts by chains of random instructions, joined at the end.

    Each instruction works on the result of the one before it in its chain and on what the program began
    with (v0, or s2 made of it), so every one counts; nothing is kept from one example to the next.
    """
    rng = random.Random(seed)
    code = [make_instruction("VECTOR_INNER_PRODUCT", 0, 0, 2)]
    newest = [("s", 2)] * chains
    for k in range(length - 1 - max(1, chains - 1)):
        kind, address = newest[k % chains]
        op = rng.choice(_FROM[kind][: -1 if scalars_only else None])
        result = _TO.get(op, kind)
        out = k % chains + (3 if result == "s" else 1)
        started = 2 if op.startswith("SCALAR") and op not in _TO else 0
        code.append(make_instruction(op, address, started, out))
        newest[k % chains] = (result, out)
    (kind, total), *others = newest
    if not others:
        op, started = ("SCALAR_MIN", 2) if kind == "s" else ("VECTOR_INNER_PRODUCT", 0)
        code.append(make_instruction(op, total, started, 1))
    for _, address in others:
        code.append(make_instruction("SCALAR_SUM", total, address, 1))
        total = 1
    return Program((), tuple(code), ())


@cache
def chains_of(length: int, chains: int = 1, scalars_only: bool = False) -> tuple[Program, ...]:
    """Returns `PROGRAMS` such programs that fail on no task: a failure would end an evaluation early."""
    evaluate = Evaluator(make_tasks(config(), "search"))
    found, seed = [], 0
    while len(found) < PROGRAMS:
        program = chain(length, chains, scalars_only, seed)
        assert len(simplify(program)) == len(program) == length, program
        if min(evaluate(program).task_fitness) > 0:
            found.append(program)
        seed += 1
    return tuple(found)


def programs_of(name: str) -> tuple[Program, ...]:
    """Returns the programs that a name in `CHECKS` stands for."""
    if name.startswith("scalars"):
        return chains_of(60, int(name.split()[1]), True)
    return (library.program(name),)


# --- measuring ------------------------------------------------------------------------------------


def check() -> None:
    """Stops unless the compiled evaluator agrees with the reference before anything is timed."""
    for settings in (["tasks=3"], ["tasks=17"], ["tasks=2", "features=16"]):
        tasks = make_tasks(config(*settings, "examples=20"), "search")
        for program in (library.program("linear"), *chains_of(30), *chains_of(60, 8, True)):
            compiled, reference = (
                Evaluator(tasks, b)(program).fitness for b in ("cpu", "reference")
            )
            assert abs(compiled - reference) < 1e-9, (settings, str(program), compiled, reference)


def evaluation(settings: list[str], programs: tuple[Program, ...], seconds: float) -> float:
    """Returns microseconds an evaluation, the mean over some programs."""
    speeds = [evaluation_speed(config(*settings), p, seconds / len(programs)) for p in programs]
    return statistics.mean(s["microseconds_per_program"] for s in speeds)


def searching(settings: list[str], seed: int, seconds: float) -> tuple[float, float]:
    """Returns microseconds an individual, and the share of them that a cache knew."""
    speed = search_speed(config(*settings, f"seed={seed}"), seconds)
    return 1e6 / speed["individuals_per_second"], speed["cache_hits"]


def work() -> dict[tuple, tuple]:
    """Returns what is measured: (curve, point, kind) -> (settings, programs)."""
    todo = {}
    for curve, points in CURVES.items():
        for x in points:
            if curve == "length":
                todo[curve, x, "evaluate"] = [], chains_of(x)
                continue
            for kind in ("evaluate", "search"):
                todo[curve, x, kind] = [f"{curve}={x}"], programs_of("linear")
    for curve, rows in CHECKS.items():
        for what, kind, settings, name in rows:
            todo[curve, what, kind] = settings, programs_of(name)
    return todo


def spread(values: list[float]) -> dict[str, float]:
    """Returns median, smallest and largest."""
    return {"median": statistics.median(values), "smallest": min(values), "largest": max(values)}


def measure(seconds: float, rounds: int) -> dict:
    """Returns curves and checks as they stand in the JSON."""
    todo = work()
    found: dict[tuple, list[float]] = {key: [] for key in todo}
    hits: dict[tuple, list[float]] = {key: [] for key in todo}
    for round_ in range(1, rounds + 1):
        for key, (settings, programs) in todo.items():
            if key[2] == "search":
                microseconds, share = searching(settings, round_, seconds)
                hits[key].append(share)
            else:
                microseconds = evaluation(settings, programs, seconds)
            found[key].append(microseconds)
            print(f"round {round_}: {key[0]:9} {key[1]!s:50} {key[2]:9} {microseconds:9.2f} us",
                  flush=True)  # fmt: skip
    results = {}
    for curve, points in CURVES.items():
        rows = []
        for x in points:
            row = {"x": x, "evaluation_us": spread(found[curve, x, "evaluate"])}
            if (curve, x, "search") in found:
                row["individual_us"] = spread(found[curve, x, "search"])
                row["cache_hits"] = statistics.median(hits[curve, x, "search"])
            rows.append(row)
        results[curve] = {
            "title": TITLES[curve],
            "points": rows,
            "checks": [
                {"what": what, "kind": kind, "us": spread(found[curve, what, kind])}
                for what, kind, *_ in CHECKS[curve]
            ],
            "explanation": " ".join(EXPLANATIONS[curve].split()),
        }
    return results


# --- drawing --------------------------------------------------------------------------------------


def plot(results: dict, path: Path) -> None:
    """Draws the four curves, the same bytes whenever the figures are the same."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    plt.rcParams.update({"svg.hashsalt": "growth", "font.size": 9})
    figure, panels = plt.subplots(2, 2, figsize=(9.5, 6.4), layout="constrained")
    for panel, curve in zip(panels.flat, CURVES, strict=True):
        for key, label, colour in (
            ("individual_us", "an individual\nof the search", "#c1440e"),
            ("evaluation_us", "an evaluation", "#1f5a99"),
        ):
            points = [p for p in results[curve]["points"] if key in p]
            if not points:
                continue
            x, y = [p["x"] for p in points], [p[key]["median"] for p in points]
            low = [p[key]["smallest"] for p in points]
            high = [p[key]["largest"] for p in points]
            panel.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
            panel.plot(x, y, "o-", color=colour, markersize=3, linewidth=1.3)
            panel.annotate(label, (x[-1], y[-1]), xytext=(6, 0), textcoords="offset points",
                           va="center", color=colour)  # fmt: skip
        panel.set_xscale("log")
        panel.set_yscale("log")
        points = CURVES[curve]  # named where there is room
        ticks = [x for x, y in zip(points, (0, *points), strict=False) if x >= 1.3 * y]
        panel.set_xticks(ticks, [f"{x:,}" for x in ticks])
        panel.set_xlabel(results[curve]["title"])
        panel.set_ylabel("microseconds")
        panel.minorticks_off()
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.grid(color="#dddddd", linewidth=0.5)
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each point and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results/growth.json")
    parser.add_argument("--plot", action="store_true", help="draw the JSON again, measure nothing")
    options = parser.parse_args()
    if not options.plot:
        check()
        keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
        results = {
            "machine": {k: v for k, v in run_info(0, []).items() if k in keys},
            "config": CONFIG,
            "dtype": config().dtype,
            "seconds": options.seconds,
            "rounds": options.rounds,
            **measure(options.seconds, options.rounds),
        }
        options.json.parent.mkdir(exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    plot(json.loads(options.json.read_text()), options.json.with_suffix(".svg"))


if __name__ == "__main__":
    main()

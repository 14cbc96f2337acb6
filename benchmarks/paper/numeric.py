"""Numeric functions: errors against operations, beside forms by hand and what was published.

    python benchmarks/paper/numeric.py [--functions exp2 sin] [--seeds 1 2] [--individuals N] [--runs FOLDER]

Each row of benchmarks/results/paper/numeric.json is a run of the shipped config discover_exp2 over one
function with one seed: its front, checked at 10,000 points in arithmetic of 32 digits and in float64. Rows
with the method "by hand" are forms that people write down, with constants of the smallest worst error, fitted
by the same code. Runs that are there already are not made again. At the end numeric.svg is drawn of all rows.

Published (Real et al. 2023, "AutoNumerics-Zero"): 2**x on [0, 1] with 10 operations to 1e-14.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rows import RESULTS, Rows

from zero.config.load import config_to_yaml, load_config
from zero.functions import constants
from zero.functions.checking import check
from zero.functions.compiled import module
from zero.functions.formula import code_of
from zero.functions.records import front_of
from zero.functions.targets import TARGETS, chebyshev
from zero.rng.splitmix import new_state
from zero.runs import run
from zero.runs.archive import read_archive
from zero.runs.folder import RunFolder
from zero.runs.pictures import FOURTH, OTHER, OWN, SOFT, THIRD, save

CONFIG = "discover_exp2"
# Operations -> worst error of 2**x on [0, 1]: what people's forms reached before, and what was discovered.
BY_HAND_BEFORE = {8: 5e-8, 9: 3e-9, 10: 2.1e-10, 11: 1.3e-11}
PUBLISHED = {"exp2": {10: 1e-14}}
MOST = 12


def polynomial(degree: int, x: str = "x", first: int = 0) -> list[str]:
    """Returns Horner's rule, 2 operations a degree; x: what it is in; first: the first result's number."""
    words = [f"{x}*c", f"t{first}+c"]
    for k in range(1, degree):
        at = first + 2 * k
        words += [f"t{at - 1}*{x}", f"t{at}+c"]
    return words


def continued_fraction(levels: int) -> list[str]:
    """Returns c + c / (x + c + c / (x + c + ...)), 3 operations a level: the quotient of two polynomials."""
    words = ["x+c", "c/t0"]
    for _ in range(levels - 1):
        n = len(words)
        words += [f"t{n - 1}+x", f"t{n}+c", f"c/t{n + 1}"]
    return [*words, f"t{len(words) - 1}+c"]


def odd_polynomial(degree: int) -> list[str]:
    """Returns x times a polynomial of that degree in x * x."""
    words = ["x*x", *polynomial(degree, "t0", 1)]
    return [*words, f"t{len(words) - 1}*x"]


def even_over_odd(squares: int) -> list[str]:
    """Returns (q + x) / (q - x) with q = c + c / (x * x + c), squared so many times: scaling and squaring."""
    words = ["x*x", "t0+c", "c/t1", "t2+c", "t3+x", "t3-x", "t4/t5"]
    return words + [f"t{6 + k}*t{6 + k}" for k in range(squares)]


def hand_forms(target: str) -> list[tuple[str, list[str]]]:
    """Returns forms by hand with at most `MOST` operations, by name."""
    forms = [(f"polynomial of degree {d}", polynomial(d)) for d in range(1, MOST // 2 + 1)]
    forms += [(f"continued fraction, {n} levels", continued_fraction(n)) for n in range(1, 5)]
    if TARGETS[target].vanishes:
        forms += [
            (f"x times a polynomial of degree {d} in x*x", odd_polynomial(d)) for d in range(1, 6)
        ]
    if target == "exp2":
        forms += [(f"scaling and {n} squarings", even_over_odd(n)) for n in range(6)]
    return [(name, words) for name, words in forms if len(words) <= MOST]


def fitted(target: str, words: list[str], given: np.ndarray | None) -> tuple[str, np.ndarray]:
    """Returns the constants of a form, as text and as float64; given: constants to start at."""
    code, points = code_of(tuple(words)), chebyshev(target, 257)
    best, found, number = np.inf, "", np.zeros(code.constants)
    starts = np.zeros((0, code.constants)) if given is None else given[None, :]
    for seed in range(8):
        high, low = np.zeros(code.constants), np.zeros(code.constants)
        error = module().fit(
            code.ops, code.left, code.right, points.x, points.f, points.f_low, points.scale, 4,
            starts, 60, 150, 40, new_state(seed), high, low,
        )  # fmt: skip
        if error < best:
            best, found, number = error, constants.to_text(high, low), high
    return found, number


def measure_by_hand(rows: Rows, target: str) -> None:
    """Adds the rows of a function's forms by hand."""
    before: np.ndarray | None = None
    for name, words in hand_forms(target):
        squared = name.startswith("scaling")
        text, number = fitted(target, words, before if squared else None)
        before = number if squared else None
        if rows.has(function=target, method="by hand", form=name):
            continue
        found = check(target, tuple(words), text)
        rows.add({
            "function": target, "method": "by hand", "form": name, "operations": len(words),
            "error": _plain(found.error), "in_float64": _plain(found.rounded),
            "formula": " ".join(words), "constants": text,
        })  # fmt: skip
        print(target, name, len(words), f"{found.error:.3g}", flush=True)


def measure(rows: Rows, target: str, seed: int, individuals: int | None, folder: Path) -> None:
    """Adds the row of one run, which is kept in the folder; one that stands there is taken up."""
    settings = [f"functions.target={target}", f"seed={seed}", "report=false"]
    settings += [f"budget.individuals={individuals}"] if individuals else []
    config = load_config(CONFIG, settings)
    wanted = {"function": target, "method": config.search.method, "seed": seed,
              "individuals": config.budget.individuals}  # fmt: skip
    if rows.has(**wanted):
        return
    path = folder / f"{target}-{seed}"
    if not path.exists():
        run.start(config, path)
    elif RunFolder.open(path).config_text() != config_to_yaml(config):
        raise SystemExit(f"{path} is a run with other settings; give another --runs")
    else:
        run.resume(path)
    front = []
    for record in front_of([r for e in read_archive(path).experiments for r in e.records]):
        found = check(target, tuple(record.text.split()), record.constants)
        front.append({
            "operations": record.operations, "error": _plain(found.error),
            "in_float64": _plain(found.rounded), "individual": record.individuals,
            "formula": record.text, "constants": record.constants,
        })  # fmt: skip
        print(target, seed, record.operations, f"{found.error:.3g}", record.text, flush=True)
    ends = [e for e in RunFolder.open(path).events() if e.get("event") == "finish"]
    rows.add({**wanted, "islands": config.islands.count, "population": config.search.population,
              "core_seconds": round(sum(e["core_seconds"] for e in ends), 1), "front": front})  # fmt: skip


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def draw(rows: list[dict[str, Any]], figure: Any) -> None:
    """Draws errors against operations, a panel for each function."""
    names = [name for name in TARGETS if any(row["function"] == name for row in rows)]
    figure.set_size_inches(3.4 * min(3, len(names)), 3.3 * -(-len(names) // 3))
    panels = figure.subplots(-(-len(names) // 3), min(3, len(names)), squeeze=False).ravel()
    for panel in panels[len(names) :]:
        panel.axis("off")
    for panel, name in zip(panels, names, strict=False):
        own = [row for row in rows if row["function"] == name]
        hand = [(r["operations"], r["error"]) for r in own if r["method"] == "by hand"]
        plain = [p for p, r in zip(hand, [r for r in own if r["method"] == "by hand"], strict=True)
                 if not r["form"].startswith("scaling")]  # fmt: skip
        squared = [p for p in hand if p not in plain]
        if plain:
            panel.scatter(*zip(*plain, strict=True), s=16, color=SOFT, label="by hand")
        if squared:
            panel.scatter(
                *zip(*squared, strict=True),
                s=16,
                color=THIRD,
                marker="s",
                label="scaling, squaring",
            )
        if name == "exp2":
            panel.plot(list(BY_HAND_BEFORE), list(BY_HAND_BEFORE.values()), color=OTHER, lw=1, marker="x",
                       ms=5, label="best before, as published")  # fmt: skip
        for operations, error in PUBLISHED.get(name, {}).items():
            panel.plot([operations], [error], "*", color=FOURTH, ms=10, label="published")
        best: dict[int, float] = {}
        for row in own:
            for point in row.get("front", []):
                if point["error"]:
                    k = point["operations"]
                    best[k] = min(best.get(k, np.inf), point["error"])
        if best:
            places = sorted(best)
            panel.plot(
                places, [best[k] for k in places], color=OWN, marker="o", ms=4, label="discovered"
            )
        panel.set(
            yscale="log",
            title=TARGETS[name].text,
            xlabel="operations",
            ylabel="worst relative error",
        )
        panel.legend(fontsize=7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--individuals", type=int, help="instead of the config's budget")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of numeric.json")
    parser.add_argument(
        "--runs", type=Path, help="folder that keeps the runs, so that they can go on"
    )
    options = parser.parse_args()
    rows = Rows("numeric", options.out)
    with tempfile.TemporaryDirectory() as folder:
        kept = options.runs or Path(folder)
        for target in options.functions:
            measure_by_hand(rows, target)
            for seed in options.seeds:
                measure(rows, target, seed, options.individuals, kept)
    found = rows.all()
    save(lambda figure: draw(found, figure), options.out / "numeric.svg")


if __name__ == "__main__":
    main()

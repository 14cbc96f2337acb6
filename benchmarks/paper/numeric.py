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
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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


def odd_fraction(levels: int) -> list[str]:
    """Returns x / (c + s / (c + s / (... + s * c))) with s = x * x, 2 operations a level."""
    words = ["x*x", "t0*c", "t1+c"]
    for _ in range(levels - 1):
        words += [f"t0/t{len(words) - 1}", f"t{len(words)}+c"]
    return [*words, f"x/t{len(words) - 1}"]


@dataclass(frozen=True)
class Form:
    """A form by hand; start: constants to begin the fit with, from those of the form before."""

    name: str
    words: list[str]
    start: Callable[[np.ndarray], np.ndarray] | None = None


def hand_forms(target: str) -> list[Form]:
    """Returns forms by hand with at most `MOST` operations."""
    if TARGETS[target].vanishes:
        forms = [
            Form(f"x times a polynomial of degree {d} in x*x", odd_polynomial(d))
            for d in range(1, 6)
        ]
        forms += [Form(f"odd continued fraction, {n} levels", odd_fraction(n), _deeper if n > 1 else None)
                  for n in range(1, 6)]  # fmt: skip
    else:
        forms = [Form(f"polynomial of degree {d}", polynomial(d)) for d in range(1, 7)]
        forms += [Form(f"continued fraction, {n} levels", continued_fraction(n),
                       partial(_quotient, target, n)) for n in range(1, 5)]  # fmt: skip
    if target == "exp2":
        forms += [Form(f"scaling and {n} squarings", even_over_odd(n), _halved if n else None)
                  for n in range(6)]  # fmt: skip
    return [form for form in forms if len(form.words) <= MOST]


def _halved(before: np.ndarray) -> np.ndarray:
    """Returns the constants for half the x: those of q(x) are of c + c / (x * x + c), times x."""
    return before * np.array([4.0, 8.0, 2.0])


def _deeper(before: np.ndarray) -> np.ndarray:
    """Returns the constants of one level more, whose last one hardly counts."""
    return np.concatenate([[1.0 / before[0] / 20, 1.0 / before[0]], before[1:]])


def _quotient(target: str, n: int, before: np.ndarray) -> np.ndarray:
    """Returns the constants of a continued fraction near f: of a quotient of polynomials of degree n.

    By least squares of p - f q, weighted anew by q some times (Loeb 1957), and Euclid's algorithm.
    """
    points = chebyshev(target, 129)
    powers, weight = np.vander(points.x, n + 1), np.ones(129)
    for _ in range(20):
        matrix = np.hstack([powers / points.f[:, None], -powers[:, 1:]]) * weight[:, None]
        found = np.linalg.lstsq(matrix, powers[:, 0] * weight, rcond=None)[0]
        p, q = found[: n + 1], np.concatenate([[1.0], found[n + 1 :]])
        weight = 1.0 / np.abs(powers @ q)
    numbers, rest = [p[0]], (p - p[0] * q)[1:]
    while True:
        first, rest = rest[0], rest / rest[0]
        b = q[1] - (rest[1] if len(rest) > 1 else 0.0)  # q / rest = x + b + (what is left) / rest
        numbers += [first, b]
        if len(rest) == 1:
            return np.array(numbers[::-1])
        q, rest = rest, (q - np.polymul([1.0, b], rest))[2:]


def fitted(target: str, words: list[str], given: np.ndarray | None) -> tuple[str, np.ndarray]:
    """Returns the constants of a form, as text and as float64; given: constants to start at."""
    code, points = code_of(tuple(words)), chebyshev(target, 257)
    best, found, number = np.inf, "", np.zeros(code.constants)
    starts = np.zeros((0, code.constants)) if given is None else given[None, :]
    for seed in range(4):
        high, low = np.zeros(code.constants), np.zeros(code.constants)
        error = module().fit(
            code.ops, code.left, code.right, points.x, points.f, points.f_low, points.scale, 4,
            starts, 60 if given is None else 2 * seed, 150, 40, new_state(seed), high, low,
        )  # fmt: skip
        if error < best:
            best, found, number = error, constants.to_text(high, low), high
    return found, number


def measure_by_hand(rows: Rows, target: str) -> None:
    """Adds the rows of a function's forms by hand."""
    number = np.zeros(0)
    for form in hand_forms(target):
        if rows.has(function=target, method="by hand", form=form.name):
            continue
        given = form.start(number) if form.start else None
        text, number = fitted(target, form.words, given)
        found = check(target, tuple(form.words), text)
        rows.add({
            "function": target, "method": "by hand", "form": form.name, "operations": len(form.words),
            "error": _plain(found.error), "in_float64": _plain(found.rounded),
            "formula": " ".join(form.words), "constants": text,
        })  # fmt: skip
        print(target, form.name, len(form.words), f"{found.error:.3g}", flush=True)


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
        panel.set_xticks(range(2, MOST + 1, 2))
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

"""Tables and plots of discovery beside the papers, from benchmarks/results/paper/*.json.

    python benchmarks/page.py      (writes this page, benchmarks/paper/README.md, as well)

Measures nothing: the same rows give the same page. Rows that are not there are left out.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]
BOOTSTRAP = 2000  # resamples of an interval
# Difficulty and evolution's success over random search's in the paper's figure 4, read off it.
PAPER_FIG4 = ((1e7, 5.0),)
HEAD = """# Discovery beside the papers

Written by `benchmarks/page.py` from the rows in `benchmarks/results/paper/`, each with the machine and the
commit that it came from; rows can be added on any machine, any day. Every script of this folder says in its
docstring what it does, and goes on where it was stopped. Intervals are 95 %. Core-seconds were taken beside
other work and serve as an order of magnitude; individuals do not depend on the machine.
"""


def rows_of(folder: Path, name: str) -> list[Row]:
    """Returns the rows of an experiment, none if there is no file."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text())["rows"] if path.exists() else []


def table(head: list[str], rows: list[list[str]]) -> str:
    """Returns a table in Markdown, ended by a blank line."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n"


def machines(rows: list[Row]) -> str:
    """Returns a line on the machines and commits that rows came from."""
    found = sorted({(r["machine"]["cpu"], r["machine"]["commit"][:8]) for r in rows})
    cpus = sorted({cpu for cpu, _ in found})
    return f"Machines: {', '.join(cpus)}; commits: {', '.join(sorted({c for _, c in found}))}.\n\n"


def grouped(rows: list[Row], *keys: str) -> dict[tuple, list[Row]]:
    """Returns the rows by the values of some keys, in the order in which they came."""
    found: dict[tuple, list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row.get(k) for k in keys)].append(row)
    return dict(found)


def share_interval(successes: int, number: int) -> tuple[float, float]:
    """Returns the exact interval (Clopper and Pearson) of a share."""
    from scipy.stats import beta

    low = 0.0 if successes == 0 else beta.ppf(0.025, successes, number - successes + 1)
    high = 1.0 if successes == number else beta.ppf(0.975, successes + 1, number - successes)
    return float(low), float(high)


def bootstrapped(rows: list[Any], figure: Callable[[list[Any]], float]) -> tuple[float, float]:
    """Returns the interval of a figure over resamples of rows, always the same ones."""
    rng = np.random.default_rng(0)
    picks = rng.integers(len(rows), size=(BOOTSTRAP, len(rows)))
    found = [figure([rows[k] for k in pick]) for pick in picks]
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


# --- figure 4 -------------------------------------------------------------------------------------


def fig4_figures(rows: list[Row]) -> list[Row]:
    """Returns, of each task, random search's rate and what evolution makes of as many programs."""
    found = []
    for (task,), of_task in grouped(rows, "task").items():
        random = [r for r in of_task if r["what"] == "random"]
        if not random:
            continue
        rate, low, high = _random_rate(random)
        for (variant,), runs in grouped(
            [r for r in of_task if r["what"] == "evolution"], "variant"
        ).items():
            number = sum(r["experiments"] for r in runs)
            successes = sum(r["successes"] for r in runs)
            most = runs[0]["most"]
            # As many programs drawn at random succeed at least once with this probability.
            of_random = -math.expm1(most * math.log1p(-rate)) if rate else 0.0
            found.append({
                "task": task, "variant": variant, "rate": rate, "rate_interval": (low, high),
                "programs": sum(r["programs"] for r in random),
                "experiments": number, "successes": successes, "most": most,
                "share": successes / number, "share_interval": share_interval(successes, number),
                "ratio": successes / number / of_random if of_random else math.nan,
                "ratio_interval": tuple(
                    x / of_random if of_random else math.nan
                    for x in share_interval(successes, number)
                ),
            })  # fmt: skip
    return found


def _random_rate(rows: list[Row]) -> tuple[float, float, float]:
    """Returns a random program's rate of success and its interval; over forms, the sum of their shares."""
    rate = low = high = 0.0
    for of_form in grouped(rows, "form").values():
        share = of_form[0].get("share", 1.0)
        number, successes = (
            sum(r["programs"] for r in of_form),
            sum(r["successes"] for r in of_form),
        )
        a, b = share_interval(successes, number)
        rate, low, high = rate + share * successes / number, low + share * a, high + share * b
    return rate, low, high


def fig4(rows: list[Row]) -> str:
    """Returns the section of figure 4."""
    text = "## Figure 4: evolution beside random search\n\n"
    text += (
        "The learning part of a linear and an affine regressor, and both whole, from random programs of "
        "fixed size. Difficulty: how many random programs one success takes. Relative success: the share of "
        "experiments that succeed, over the probability that as many random programs hold a success.\n\n"
    )
    found = fig4_figures(rows)
    cells = [
        [f["task"].removeprefix("fig4_"), f["variant"], f"{f['programs']:.0e}",
         f"{1 / f['rate']:.1e}" if f["rate"] else f"above {1 / f['rate_interval'][1]:.0e}",
         f"{f['most']:,}", f"{f['successes']} of {f['experiments']}",
         f"{f['share']:.2%} ({f['share_interval'][0]:.2%} to {f['share_interval'][1]:.2%})",
         f"{f['ratio']:.3g} ({f['ratio_interval'][0]:.2g} to {f['ratio_interval'][1]:.2g})"
         if f["rate"] else ""]
        for f in found
    ]  # fmt: skip
    head = ["task", "search", "random programs drawn", "difficulty", "individuals an experiment",
            "successes", "share", "over random search"]  # fmt: skip
    text += table(head, cells)
    text += (
        "The paper's figures: 2.9 at the easiest, about 5 at a difficulty of 10^7, 150 and 23,000 at its "
        "hardest (10^12).\n\n"
    )
    if any(f["rate"] for f in found):
        text += "![Relative success over difficulty](../results/paper/fig4.svg)\n\n"
    return text + machines(rows)


def draw_fig4(rows: list[Row], figure: Any) -> None:
    """Draws relative success over difficulty, one mark a task."""
    axes = figure.add_subplot()
    for (variant,), of_variant in grouped(fig4_figures(rows), "variant").items():
        points = sorted((f for f in of_variant if f["rate"]), key=lambda f: f["rate"])
        x = [1 / f["rate"] for f in points]
        y = [max(f["ratio"], f["ratio_interval"][0] or 0.1) for f in points]
        low = [max(a - f["ratio_interval"][0], 0) for a, f in zip(y, points, strict=True)]
        high = [max(f["ratio_interval"][1] - a, 0) for a, f in zip(y, points, strict=True)]
        axes.errorbar(x, y, yerr=[low, high], fmt="o", capsize=3, label=variant)
        for a, b, f in zip(x, y, points, strict=True):
            axes.annotate(f["task"].removeprefix("fig4_").replace("_", " "), (a, b),
                          textcoords="offset points", xytext=(6, 6))  # fmt: skip
    axes.axhline(1.0, linewidth=1, linestyle=":")
    axes.set(xscale="log", yscale="log", xlabel="difficulty: random programs a success",
             ylabel="evolution's success over random search's")  # fmt: skip
    axes.legend()


# --- the search -----------------------------------------------------------------------------------


def each(rows: list[Row], key: str = "individuals") -> float:
    """Returns what a success costs: all that was spent, over the successes; infinite without one."""
    successes = sum(r["success"] for r in rows)
    return sum(r[key] for r in rows) / successes if successes else math.inf


def speedup(pairs: list[tuple[Row, Row]]) -> float:
    """Returns the first rows' individuals a success over the second's; without one of them, of one more."""
    first, second = [p[0] for p in pairs], [p[1] for p in pairs]
    ones = [sum(r["success"] for r in rows) or 1 for rows in (first, second)]
    totals = [sum(r["individuals"] for r in rows) for rows in (first, second)]
    return (totals[0] / ones[0]) / (totals[1] / ones[1])


def search(rows: list[Row]) -> str:
    """Returns the section of the variants of the search."""
    text = "## The search: individuals to success\n\n"
    text += (
        "Three problems (`configs/paper/search_*.yaml`), the same seeds for every variant. A success is a "
        "search fitness that the config calls sufficient. `paper`: the paper's method.\n\n"
    )
    by_problem = grouped(rows, "problem", "variant")
    cells, ratios = [], defaultdict(dict)
    for (problem, variant), of_both in by_problem.items():
        of_paper = {r["seed"]: r for r in by_problem.get((problem, "paper"), [])}
        pairs = [(of_paper[r["seed"]], r) for r in of_both if r["seed"] in of_paper]
        ratio = ""
        if variant != "paper" and pairs:
            low, high = bootstrapped(pairs, speedup)
            ratios[variant][problem] = pairs
            ratio = f"{speedup(pairs):.2g} ({low:.2g} to {high:.2g})"
        cells.append([
            problem, variant, str(len(of_both)), str(sum(r["success"] for r in of_both)),
            _cost(of_both, "individuals"), _cost(of_both, "trained"),
            _cost(of_both, "core_seconds", "{:,.1f}"), ratio,
        ])  # fmt: skip
    head = ["problem", "variant", "seeds", "successes", "individuals a success",
            "full trainings a success", "core-seconds a success", "times fewer individuals"]  # fmt: skip
    text += table(head, cells)
    problems = {problem for problem, _ in by_problem}
    for variant, found in ratios.items():
        if set(found) == problems and len(problems) > 1:
            seeds = sorted(set.intersection(*({p[0]["seed"] for p in v} for v in found.values())))
            of_seed = [
                [next(p for p in found[name] if p[0]["seed"] == s) for name in found] for s in seeds
            ]

            def mean(picked: list[Any], count: int = len(found)) -> float:
                logs = [math.log(speedup([p[k] for p in picked])) for k in range(count)]
                return math.exp(sum(logs) / count)

            low, high = bootstrapped(of_seed, mean)
            text += (
                f"`{variant}`: {mean(of_seed):.2g} times fewer individuals to success than the paper's "
                f"method, geometric mean over the {len(found)} problems ({low:.2g} to {high:.2g}, "
                f"{len(seeds)} seeds; a problem on which a variant never succeeds counts as if it had "
                "once).\n\n"
            )
    return text + machines(rows)


def _cost(rows: list[Row], key: str, form: str = "{:,.0f}") -> str:
    cost = each(rows, key)
    spent = sum(r[key] for r in rows)
    return form.format(cost) if math.isfinite(cost) else f"above {form.format(spent)}"


# --- figure 5 and the baselines -------------------------------------------------------------------


def baseline(rows: list[Row]) -> str:
    """Returns the section of table S5."""
    text = "## Table S5: projected binary CIFAR-10\n\n"
    text += (
        "Mean accuracy on 100 unseen tasks. The paper, 1e11 train steps a process: Basic 0.671 (1 process), "
        "Full 0.684 (1), 0.707 (100); logistic regression 0.702, a network 0.729.\n\n"
    )
    cells = [
        [r["data"], r["variant"], str(r["seed"]), f"{r['steps']:.0e}", str(r["islands"]),
         f"{r['individuals']:,}", f"{r['search']:.3f}", f"{r['select']:.3f}", f"{r['unseen']:.3f}",
         f"{r['shipped'].get('linear', math.nan):.3f}",
         f"{r['shipped'].get('neural_network', math.nan):.3f}", f"{r['core_seconds'] / 3600:.2f}"]
        for r in rows
    ]  # fmt: skip
    head = ["data", "search", "seed", "train steps", "islands", "individuals", "search accuracy",
            "select", "unseen", "linear there", "network there", "core-hours"]  # fmt: skip
    return text + table(head, cells) + machines(rows)


SECTIONS: dict[str, Callable[[list[Row]], str]] = {
    "fig4": fig4, "search": search, "baseline": baseline,
}  # fmt: skip
PLOTS: dict[str, Callable[[list[Row], Any], None]] = {"fig4": draw_fig4}


def page(folder: Path) -> str:
    """Returns the page; folder: where the rows lie."""
    found = [section(rows) for name, section in SECTIONS.items() if (rows := rows_of(folder, name))]
    return HEAD + "\n" + "".join(found).rstrip() + "\n"


def draw(folder: Path) -> None:
    """Writes the plots beside the rows."""
    from zero.runs import pictures

    for name, plot in PLOTS.items():
        if rows := rows_of(folder, name):
            pictures.save(lambda figure, p=plot, r=rows: p(r, figure), folder / f"{name}.svg")

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
BESIDE = "demo"  # a problem that stands beside the three that are compared
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


def mean_interval(values: list[float]) -> tuple[float, float, float]:
    """Returns the mean of a few values and its interval (Student's t)."""
    from scipy import stats

    mean, half = float(np.mean(values)), float(stats.sem(values))
    half *= float(stats.t.ppf(0.975, len(values) - 1))
    return mean, mean - half, mean + half


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
                # Where none was drawn that succeeds: with random search's rate at its upper bound.
                "least_ratio": share_interval(successes, number)[0] / -math.expm1(most * math.log1p(-high)),
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
        "The learning part of a linear and an affine regressor, and both whole, from random programs of fixed"
        " size. Difficulty: how many random programs one success takes. Relative success: the share of "
        "experiments that succeed, over the probability that as many random programs hold a success.\n\n"
    )
    found = fig4_figures(rows)
    cells = [
        [f["task"].removeprefix("fig4_"), f["variant"], f"{f['programs']:.0e}",
         f"{1 / f['rate']:.1e}" if f["rate"] else f"above {1 / f['rate_interval'][1]:.0e}",
         f"{f['most']:,}", f"{f['successes']} of {f['experiments']}",
         f"{f['share']:.2%} ({f['share_interval'][0]:.2%} to {f['share_interval'][1]:.2%})",
         f"{f['ratio']:.3g} ({f['ratio_interval'][0]:.2g} to {f['ratio_interval'][1]:.2g})"
         if f["rate"] else f"above {f['least_ratio']:.0f}"]
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
    problems = {problem for problem, _ in by_problem} - {BESIDE}
    for variant, of_all in ratios.items():
        found = {name: pairs for name, pairs in of_all.items() if name != BESIDE}
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


UNSEEN = {
    "unseen_as_paper": "unseen, as the paper measures", "unseen": "unseen, as a predictor",
}  # fmt: skip


def baseline(rows: list[Row]) -> str:
    """Returns the section of table S5."""
    text = "## Table S5: projected binary CIFAR-10\n\n"
    text += (
        "Mean accuracy on 100 unseen tasks. The paper, 1e11 train steps a process: Basic 0.671 (1 process), "
        "Full 0.684 (1), 0.707 (100); logistic regression 0.702, a network 0.729. *As the paper "
        "measures*: memory goes from one validation example to the next, so a program may learn from "
        "features that it has seen without a label; *as a predictor*: it knows training alone. The search "
        "sees the former, and programs that live on it are worth little as predictors.\n\n"
    )
    cells = [
        [r["data"], r["variant"], str(r["seed"]), f"{r['steps']:.0e}", str(r["islands"]),
         f"{r['individuals']:,}", f"{r['search']:.3f}", f"{r['select']:.3f}",
         *(f"{r[key]:.3f}" for key in UNSEEN),
         f"{r['shipped'].get('linear', math.nan):.3f}",
         f"{r['shipped'].get('neural_network', math.nan):.3f}", f"{r['core_seconds'] / 3600:.2f}"]
        for r in rows
    ]  # fmt: skip
    head = ["data", "search", "seed", "train steps", "islands", "individuals", "search accuracy",
            "select", *UNSEEN.values(), "linear there", "network there", "core-hours"]  # fmt: skip
    means = []
    for key, found in grouped(rows, "data", "variant", "steps", "islands").items():
        if len(found) > 2:
            of_key = [mean_interval([r[unseen] for r in found]) for unseen in UNSEEN]
            texts = [f"{mean:.3f} ({low:.3f} to {high:.3f})" for mean, low, high in of_key]
            means.append([*key[:2], f"{key[2]:.0e}", str(key[3]), str(len(found)), *texts])
    of_seeds = ["data", "search", "train steps", "islands", "seeds", *UNSEEN.values()]
    return text + table(head, cells) + (table(of_seeds, means) if means else "") + machines(rows)


def _learns(row: Row) -> str:
    """Returns whether a program of figure 5 learns its first layer, in a word."""
    if not row["success"]:
        return "no"
    return "hard-coded" if row["unseen"] is not None and row["unseen"] < 0.58 else "yes"


def fig5(rows: list[Row]) -> str:
    """Returns the section of figure 5."""
    text = "## Figure 5: a network and back-propagation\n\n"
    text += (
        "The teacher is a two-layer network. *Learns*: the search fitness is at least 0.75, which takes a "
        "first layer that learns (by hand, at the best of five rates, the last alone reaches 0.58, both "
        "0.92; at the rate that is given 0.58 and 0.85: `results/paper/fig5_by_hand.json`). "
        "*Back-propagates*: on fresh examples a matrix of the program moves along the gradient of its own "
        "loss (cosine of 0.95 or more, by differences), whatever its text. *Hard-coded*: as fit on the tasks "
        "of the search, and below 0.58 on unseen ones, so what it knows stands in its constants.\n\n"
    )
    cells = [
        [r["start"], str(r["seed"]), f"{r['individuals']:,}", f"{r['search']:.3f}", f"{r['select']:.3f}",
         "" if r["unseen"] is None else f"{r['unseen']:.3f}", _learns(r),
         "yes" if r["backpropagates"] else "no",
         ", ".join(f"{k} {v:.2f}" for k, v in r["cosines"].items()), f"{r['core_seconds']:,.0f}"]
        for r in sorted(rows, key=lambda r: (r["start"], r["seed"]))
    ]  # fmt: skip
    head = ["start", "seed", "individuals", "search", "select", "unseen", "learns", "back-propagates",
            "cosines", "core-seconds"]  # fmt: skip
    return text + table(head, cells) + machines(rows)


def best_program(rows: list[Row]) -> str:
    """Returns the section of the paper's best program at full size."""
    paper = {"cifar10": {"linear": 77.65, "network": 82.22, "evolved": 84.06},
             "fashion_mnist": {"linear": 97.90, "network": 98.21, "evolved": 98.60}}  # fmt: skip
    text = "## The paper's best program at full size\n\n"
    text += (
        "Binary tasks of 3,072 (CIFAR-10, JPEG copies) and 784 features (Fashion-MNIST), 8,000 train "
        "examples, accuracy on 2,000 of the official test images; learners tuned on other pairs. Means over "
        "pairs and seeds, with bootstrap intervals; the paper's figures are of its own choice of pairs.\n\n"
    )
    cells = []
    measured = [r for r in rows if "accuracy" in r]
    for (data, learner), found in grouped(measured, "data", "learner").items():
        # Means are over the same pairs and seeds, those that all three main learners have.
        mains = [
            [r for r in measured if (r["data"], r["learner"]) == (data, x)] for x in paper[data]
        ]
        both = set.intersection(*({(*r["pair"], r["seed"]) for r in main} for main in mains))
        if learner in paper[data]:
            found = [r for r in found if (*r["pair"], r["seed"]) in both]
        if not found:
            continue
        low, high = bootstrapped([r["accuracy"] for r in found], lambda x: float(np.mean(x)))
        of_paper = paper.get(data, {}).get(learner)
        pairs = {tuple(r["pair"]) for r in found}
        cells.append([
            data, learner, str(len(pairs)), str(len(found)),
            f"{100 * np.mean([r['accuracy'] for r in found]):.2f} % ({100 * low:.2f} to {100 * high:.2f})",
            "" if of_paper is None else f"{of_paper:.2f} %",
        ])  # fmt: skip
    head = ["data", "learner", "pairs", "runs", "test accuracy", "paper"]
    return text + table(head, cells) + machines(rows)


def numeric(rows: list[Row]) -> str:
    """Returns the section of numeric functions."""
    text = "## Numeric functions by operation count\n\n"
    text += (
        "Worst relative error on 10,000 points, in extended precision, of the best formula of so many "
        "operations; constants are free. By hand: the best of polynomials, continued fractions and scaling "
        "with squarings, fitted by the same code. Published for 2^x: 1e-14 with 10 operations; by hand 5e-8 "
        "(8), 3e-9 (9), 2.1e-10 (10), 1.3e-11 (11).\n\n"
    )
    cells = []
    for (function,), found in grouped(rows, "function").items():
        fronts: dict[int, float] = {}
        for row in found:
            for point in row.get("front", ()):
                n = point["operations"]
                fronts[n] = min(point["error"], fronts.get(n, math.inf))
        hand: dict[int, float] = {}
        for row in found:
            if row["method"] == "by hand":
                n = row["operations"]
                hand[n] = min(row["error"], hand.get(n, math.inf))
        for what, of in (("found", fronts), ("by hand", hand)):
            if of:
                best = [
                    min((e for k, e in of.items() if k <= n), default=math.inf)
                    for n in range(4, 13)
                ]
                cells.append([function, what, *(f"{e:.1e}" if e < math.inf else "" for e in best)])
    text += table(["function", "", *(f"{n} ops" for n in range(4, 13))], cells)
    return text + "![Error over operations](../results/paper/numeric.svg)\n\n" + machines(rows)


def optimizers(rows: list[Row]) -> str:
    """Returns the section of optimisers and losses."""
    text = "## Programs as optimisers and as losses\n\n"
    text += (
        "Fitness on unseen tasks (for optimisers rotated quadratics and small networks of other sizes; "
        "for losses, small networks on noisy labels), and the difference from tuned momentum or "
        "cross-entropy, task by task. Fashion-MNIST: a small network trained by it. Not blind: the search "
        "tasks were changed several times after figures on unseen tasks were seen, and with shorter "
        "trainings to search on, optimisers did not beat momentum.\n\n"
    )
    cells = []
    for row in rows:
        unseen, images = row["unseen"], row["fashion"]
        low, high = unseen["interval"]
        diff_low, diff_high = unseen["fitter_interval"]
        accuracy = images.get("accuracy", images.get("fitness"))
        cells.append([
            row["part"], row["method"] + (f", seed {row['seed']}" if "seed" in row else ""),
            f"{unseen['fitness']:.3f} ({low:.3f} to {high:.3f})",
            f"{unseen['fitter']:+.3f} ({diff_low:+.3f} to {diff_high:+.3f})", f"{accuracy:.3f}",
        ])  # fmt: skip
    head = ["part", "program", "unseen tasks", "over momentum or cross-entropy", "Fashion-MNIST"]
    text += table(head, cells)
    return text + "![Optimisers and losses](../results/paper/optimizers.svg)\n\n" + machines(rows)


def adaptations(rows: list[Row], summary: list[Row]) -> str:
    """Returns the section of adaptations; summary: what `adaptations.py` made of the rows."""
    text = "## Adaptations\n\n"
    text += (
        "Runs from the network of figure 5 under pressure and without it; what appears is recognised by what "
        "the program does. The paper: noisy ReLU in 8 of 30 runs with few examples (0 of 30 without), a rate "
        "that decays in 30 of 30 with fast training (3 of 30), a rate from the mean of the weights in 24 of "
        "30 with ten classes (0 of 30). A count of few runs says little.\n\n"
    )
    cells = [
        [s["challenge"], s["adaptation"], f"{s['found']} of {s['of']}",
         f"{s['found_in_control']} of {s['of_control']}", f"{s['p']:.2g}",
         *("{} of {}".format(*s[k]) if k in s else "" for k in ("paper", "paper_control"))]
        for s in summary
    ]  # fmt: skip
    head = [
        "challenge",
        "adaptation",
        "under pressure",
        "without",
        "p (Fisher)",
        "paper",
        "paper, without",
    ]
    text += table(head, cells)
    cells = [
        [str(data), str(arm), str(len(found)), f"{sum(r['individuals'] for r in found):,}",
         f"{np.mean([r['final_fitness'] for r in found]):.3f}"]
        for (data, arm), found in grouped(rows, "data", "arm").items()
    ]  # fmt: skip
    head = ["data", "arm", "runs", "individuals", "mean final fitness"]
    text += table(head, cells)
    return text + "![Adaptations](../results/paper/adaptations.svg)\n\n" + machines(rows)


SECTIONS: dict[str, Callable[[list[Row]], str]] = {
    "fig4": fig4, "fig5": fig5, "baseline": baseline, "best_program": best_program,
    "search": search, "numeric": numeric, "optimizers": optimizers,
}  # fmt: skip
PLOTS: dict[str, Callable[[list[Row], Any], None]] = {"fig4": draw_fig4}


def page(folder: Path) -> str:
    """Returns the page; folder: where the rows lie."""
    found = [section(rows) for name, section in SECTIONS.items() if (rows := rows_of(folder, name))]
    summary = folder / "adaptations_summary.json"
    if summary.exists():
        found.append(adaptations(rows_of(folder, "adaptations"), json.loads(summary.read_text())))
    return HEAD + "\n" + "".join(found).rstrip() + "\n"


def draw(folder: Path) -> None:
    """Writes the plots beside the rows."""
    from zero.runs import pictures

    for name, plot in PLOTS.items():
        if rows := rows_of(folder, name):
            pictures.save(lambda figure, p=plot, r=rows: p(r, figure), folder / f"{name}.svg")

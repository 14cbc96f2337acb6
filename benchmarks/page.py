"""Writes benchmarks/README.md, a page for people, from benchmarks/results/*.json.

    python benchmarks/page.py [--results FOLDER] [--out FILE]

Measures nothing: the same results give the same page. Results that are not there are left out.
"""

import argparse
import ast
import importlib
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from zero.config.load import load_config
from zero.programs import library
from zero.programs.ops import Op, get_op

HERE = Path(__file__).parent
BAR = 40  # characters of the longest bar
# Arithmetic of one core: two 512-bit units, multiply and add at once, at about 2.6 GHz.
FLOPS = {"float64": 80e9, "float32": 160e9}
COMPARED = {  # row of speed.json -> config and the program whose arithmetic its floor is
    "linear_demo": ("linear_demo", "linear"),
    "linear_integration": ("linear_integration", "linear"),
    "nonlinear_integration": ("nonlinear_integration", "neural_network"),
    "projected_binary_baseline": ("projected_binary_baseline", "neural_network"),
    "network on projected_binary_baseline": ("projected_binary_baseline", "neural_network"),
}


# --- the floor ------------------------------------------------------------------------------------


def operations(op: Op, features: int) -> int:
    """Returns how many additions, multiplications, comparisons and function calls an op does on one task.

    Filling and moving memory counts as nothing, a random number neither.
    """
    size = {"s": 1, "v": features, "m": features**2}
    if op.kind == "map":
        return _arithmetic(op.formula) * size[op.output]
    if op.kind.startswith("reduce"):  # the formula itself is applied to few numbers
        return size[op.inputs[0]] * (("sum" in op.formula) + 2 * ("squares" in op.formula))
    if op.kind in ("inner", "matvec"):
        return 2 * size[op.inputs[0]]
    return {"outer": features**2, "matmul": 2 * features**3}.get(op.kind, 0)


def _arithmetic(formula: str) -> int:
    """Returns the operations of a formula on one element; of one with `where`, the comparison."""
    counted = 0
    for node in ast.walk(ast.parse(formula)):
        counted += isinstance(node, ast.BinOp | ast.Compare)
        counted += isinstance(node, ast.Call) and ast.unparse(node.func) != "where"
    return counted


def floor(name: str) -> float:
    """Returns the least time in microseconds for a row of speed.json, by arithmetic alone.

    That is the operations of one full evaluation (training and validation on all of the config's search
    tasks) of the linear program or the network over `FLOPS` of as many cores as there are islands. A
    search also makes programs, but evaluates only those that no cache knows, so its floor says how
    large an individual's cost is beside one evaluation's arithmetic, not what is possible.
    """
    work = name.split(",")[0]
    config_name, program_name = COMPARED[work]
    search = load_config(config_name, check_files=False).tasks.search
    _, predict, learn = (
        sum(operations(get_op(i.op), search.features) for i in function)
        for function in library.program(program_name).functions
    )
    epochs = getattr(search, "epochs", 1)
    steps = epochs * (search.train * (predict + learn) + search.valid * predict)
    cores = 2 if "two islands" in name else 1
    return 1e6 * search.count * steps / (cores * FLOPS[dtype_of(name)])


def dtype_of(name: str) -> str:
    """Returns the number type of a row of speed.json, which its name tells."""
    return "float32" if "float32" in name else "float64"


# --- pieces of a page -----------------------------------------------------------------------------


def table(head: list[str], rows: list[list[str]]) -> str:
    """Returns a table; all columns but the first are flush right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows)) + "\n"


def number(x: float | None) -> str:
    """Returns a number with three digits that count, or all before the point."""
    if x is None:
        return ""
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"


def between(figures: dict[str, float]) -> str:
    """Returns a spread."""
    return f"{number(figures['smallest'])} to {number(figures['largest'])}"


def machine_line(results: dict[str, Any]) -> str:
    """Returns machine, commit and versions on one line."""
    machine = results.get("machine", {})
    if isinstance(machine, str):
        return f"Machine: {machine}.\n"
    versions = ", ".join(f"{k} {v}" for k, v in machine.get("versions", {}).items())
    parts = [
        f"{machine.get('cpu')}, {machine.get('cpu_count')} cores",
        machine.get("platform"),
        f"commit {str(machine.get('commit'))[:12]}" if machine.get("commit") else None,
        versions,
        machine.get("started"),
    ]
    return "Machine: " + "; ".join(p for p in parts if p) + ".\n"


def scripts() -> str:
    """Returns a table of the scripts, from what each says of itself."""
    rows = []
    for path in sorted(HERE.glob("*.py")):
        lines = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
        usage = [line.strip() for line in lines if line.strip().startswith("python ")]
        shown = f"`{usage[0]}`".replace("|", "\\|") if usage else ""
        rows.append([f"`{path.name}`", lines[0] if lines else "", shown])
    return "\n".join(
        f"| {' | '.join(r)} |" for r in (["script", "what", "run it"], ["---"] * 3, *rows)
    )


# --- sections -------------------------------------------------------------------------------------


def speed(results: dict[str, Any]) -> str:
    """Returns the section of speed.json."""
    rows = []
    for name, row in results.items():
        if not isinstance(row, dict) or "median" not in row:
            continue
        least = floor(name) if name.split(",")[0] in COMPARED else None
        here = row["original_here"] and row["original_here"]["median"]
        compared = here or row["original"]
        first = f", first {number(row['first'])} individuals" if row.get("first") else ""
        rows.append([
            name.removesuffix(", float32") + first, dtype_of(name), number(row["median"]), between(row),
            row["unit"], number(row["original"]), number(here),
            f"{row['median'] / compared:.1f}x" if compared else "",
            number(least), f"{1e6 / row['median'] / least:.1f}x" if least else "",
        ])  # fmt: skip
    head = ["work", "dtype", "median", "spread", "unit", "original", "original here", "ratio",
            "floor, us", "above the floor"]  # fmt: skip
    return f"""## Speed

{machine_line(results)}Median of {results["rounds"]} rounds of {number(results["seconds"])} s each, in \
turns, with the smallest and the largest. *original* is the original C++ engine on the same class of
machine; *original here* the same on this machine in the same hour. The ratio is to the latter where it
was measured.

{table(head, rows)}
*Floor*: the additions, multiplications and comparisons of one full evaluation of the shipped linear
program (of the network, for `nonlinear_integration` and `projected_binary_baseline`) on all of the
config's search tasks, divided by {FLOPS["float64"] / 1e9:.0f} GFLOP/s in float64 and \
{FLOPS["float32"] / 1e9:.0f} in float32 for each core: two 512-bit units at about 2.6 GHz
(`floor` in `page.py`). *Above the floor* is the time of one individual or evaluation over that. A
search makes, mutates and looks up programs as well, and evaluates in full only those that no cache
knows, so for searches it is a yardstick, not a bound.
"""


def bars(parts: dict[str, float]) -> str:
    """Returns a line for each part: nanoseconds, share, bar."""
    total = sum(parts.values()) or 1.0
    widest = max(parts.values(), default=0.0) or 1.0
    width = max((len(name) for name in parts), default=0)
    return "\n".join(
        f"{name:{width}} {number(ns):>8} ns {ns / total:6.1%}  {'█' * round(BAR * ns / widest)}".rstrip()
        for name, ns in parts.items()
    )


def split(results: dict[str, Any]) -> str:
    """Returns the section of split.json."""
    text = f"## Where the time goes\n\n{machine_line(results)}Nanoseconds of each individual.\n"
    for name, row in results["rows"].items():
        text += f"\n### {name}: {number(row['nanoseconds_per_individual'])} ns an individual\n\n"
        text += f"```text\n{bars(row['stages'])}\n```\n"
        if row.get("ops"):
            ops = sorted(row["ops"].items(), key=lambda pair: (-pair[1]["share"], pair[0]))
            text += "\n" + table(
                ["instruction", "share", "ns"],
                [[op, f"{f['share']:.1%}", number(f["nanoseconds"])] for op, f in ops],
            )
    return text


def growth(results: dict[str, Any]) -> str:
    """Returns the section of growth.json."""
    text = f"""## How cost grows

{machine_line(results)}`{results["config"]}` with one setting changed, {results["dtype"]}, one core, median \
of {results["rounds"]} rounds of {number(results["seconds"])} s. *An evaluation* is that of the
shipped linear program (for length: of five random programs), without caches. *An individual* is that of
the search, each round with another seed: what evolution finds decides how many individuals a cache
knows, so the spread is wide.

![Microseconds against tasks, features, examples and program length](results/growth.svg)
"""
    for curve in ("tasks", "features", "examples", "length"):
        part = results[curve]
        search = "individual_us" in part["points"][0]
        head = [part["title"], "evaluation, us", "spread", "ns for each"]
        head += ["individuals/s", "individual, us", "spread", "known to a cache"] if search else []
        rows = []
        for p in part["points"]:
            us = p["evaluation_us"]
            row = [number(p["x"]), number(us["median"]), between(us)]
            row.append(number(1000 * us["median"] / p["x"]))
            if search:
                us = p["individual_us"]
                row += [number(1e6 / us["median"]), number(us["median"]), between(us)]
                row.append(f"{p['cache_hits']:.0%}")
            rows.append(row)
        text += f"\n### {curve.capitalize()}\n\n{part['explanation']}\n\n{table(head, rows)}"
        if part["checks"]:
            kinds = {"evaluate": "evaluation", "search": "individual"}
            rows = [
                [c["what"], kinds[c["kind"]], number(c["us"]["median"]), between(c["us"])]
                for c in part["checks"]
            ]
            text += "\n" + table(["beside it", "of an", "us", "spread"], rows)
    return text


def memory(results: dict[str, Any]) -> str:
    """Returns the section of memory.json."""
    names = {"worker": "worker: the island", "parent": "parent: archive and checkpoints"}
    keys = ("when_full_mb", "last_mb", "peak_mb", "slope_mb_per_hour",
            "slope_of_second_half_mb_per_hour")  # fmt: skip
    rows = [[shown, *(number(results[name][key]) for key in keys)] for name, shown in names.items()]
    head = ["process", "MB when the cache was full", "at the end", "peak", "MB an hour from then on",
            "in the second half"]  # fmt: skip
    verdict = "within" if results["within_limit"] else "above"
    return f"""## Memory

{machine_line(results)}`linear_demo`, one island, {results["dtype"]}, {number(results["minutes"])} minutes, \
{results["individuals"]:,} individuals; a functional equivalence cache of {results["cache_entries"]:,} \
entries, full after {number(results["cache_full_after_seconds"])} s. The worker is {verdict} \
{results["limit_mb"]} MB. Importing the engine alone takes {number(results["imports_mb"])} MB, which both
processes share in part.

{table(head, rows)}"""


def nn_memory(results: dict[str, Any]) -> str:
    """Returns the section of nn_memory.json."""
    rows = []
    for row in results["rows"]:
        notes = [f"{name} {value}" for name, value in row["settings"].items()]
        notes += ["checkpoints"] * row["checkpoints"]
        parts = row["parts"]
        rows.append([
            row["cell"], f"{row['kind']}, N {row['normal_cells']}, F {row['filters']}",
            "x".join(map(str, row["image"])), str(row["batch"]), str(row["threads"]),
            row["backend"], ", ".join(notes), f"{row['parameters']:,}",
            *(f"{parts[name] / 2**20:,.0f}" for name in ("activations", "weights")),
            *(f"{row[name] / 2**20:,.0f}" for name in ("estimate", "peak")), f"{row['ratio']:.3f}",
        ])  # fmt: skip
    head = ["cell", "skeleton", "images", "batch", "threads", "backend", "settings", "parameters",
            "activations, MiB", "weights", "estimate", "peak", "estimate / peak"]  # fmt: skip
    return f"""## Memory of trainings

{machine_line(results)}Two steps and an evaluation on random images, each in a process of its own. \
*Estimate* is what decides whether a training fits the memory: of the whole process, with *activations*
and their gradients, *weights* with all that is kept for each, images, program and results. *Peak* is
the most that was resident.

{table(head, rows)}"""


def tables(results: dict[str, Any]) -> str:
    """Returns the section of tables.json."""
    found, ranks = results["summary"], results["summary"]["mean_ranks"]
    reference = next(iter(found["against"]), None)
    beside = found["against"].get(reference, {})
    systems, rows = list(ranks or found["costs"]), []
    for name in systems:
        cost, other = found["costs"][name], beside.get(name)
        took, peak = cost["fit_seconds"] or {"median": None, "max": None}, cost["peak_mb"]
        rows.append([
            name, number(ranks.get(name)), f"{other['better']} of {other['sets']}" if other else "",
            number(other and other["p"]), str(cost["fits"]), number(took["median"]),
            number(took["max"]), str(cost["over"]), number(peak["median"]), number(peak["max"]),
            str(len(cost["failures"])),
        ])  # fmt: skip
    head = ["system", "mean rank", f"{reference} better", "p", "fits", "median s", "longest s",
            "over budget", "median MB", "most MB", "failed"]  # fmt: skip
    folds = sorted({row["folds"] for row in found["sets"].values()})
    text = f"""## AutoML for tables

{machine_line(results)}{len(found["sets"])} data sets, {" or ".join(map(str, folds))} of 10 folds, \
{number(results["seconds"])} s for each fit on all cores, each system in an environment and a process of
its own. The rank is by the mean score over a set's folds; a fit that failed has the score of a constant
prediction. *p* is Wilcoxon's, two-sided, over the sets. Over budget is a fit that took longer by more than
1 s and 5%, imports and H2O's start aside. The memory is that of all processes of a fit together.

{table(head, rows)}
"""
    peers = [", ".join(f"{k} {v}" for k, v in p.items()) for p in results["peers"].values()]
    text += "".join(f"Peer: {line}.\n" for line in peers)
    text += "".join(f"Not there: {name}: {why}\n" for name, why in results["absent"].items())
    rows = [
        [f"{name}, {row['metric']}", *(_score(row["scores"][system]) for system in systems)]
        for name, row in found["sets"].items()
    ]
    text += "\n### Scores\n\nMeans over the folds, and their standard deviation where there are several; "
    text += "the lower is better but for auc.\n\n" + table(["set", *systems], rows)
    behind = [
        f"- {system}, {row['set']}: {number(-row['difference'])} behind {row['default']}"
        + ("" if row["error"] is None else f" (standard error {number(row['error'])})")
        for system, sets in found["behind_defaults"].items()
        for row in sets
    ]
    text += "\n### Behind the best default\n\n" + ("\n".join(behind) or "Nowhere.") + "\n"
    failures = [
        f"- {system}, {row['set']}, fold {row['fold']}: {row['failure']}"
        for system, cost in found["costs"].items()
        for row in cost["failures"]
    ]
    return text + "\n### Failures\n\n" + ("\n".join(failures) or "None.") + "\n"


def _score(figures: dict[str, float | None]) -> str:
    """Returns a mean with its spread."""
    mean, std = figures["mean"], figures["std"]
    shown = number(mean) if abs(mean) >= 100 else f"{mean:.4f}"
    return shown if std is None else f"{shown} ± {number(std)}"


def large_tables(results: dict[str, Any]) -> str:
    """Returns the section of large_tables.json."""
    file, found = results["file_mb"], results["reading"]
    rows = [
        [name, number(found[name]["seconds"]["median"]), between(found[name]["seconds"]),
         number(found[name]["peak_mb"]["median"]), f"{found[name]['peak_mb']['median'] / file:.1f}x"]
        for name in ("pandas", "zero")
    ]  # fmt: skip
    large, wide = f"{results['rows']:,} rows", results["wide"]
    shown = {
        f"`zero validate --data`, {large}": "validate",
        f"`zero run`, {large}, {number(results['seconds'])} s": "run",
        f"`zero predict`, {large}": "predict",
        f"`zero run`, {wide['rows']} rows of {wide['columns']:,} columns, "
        f"{results['wide_run']['individuals']:,} individuals": "wide_run",
    }
    commands = [
        [text, number(results[key]["seconds"]), number(results[key]["peak_mb"]),
         number(results[key].get("individuals")), number(results[key].get("final_fitness")),
         number(results[key].get("chance"))]
        for text, key in shown.items()
    ]  # fmt: skip
    rate = results["linear_rows_per_second"]
    return f"""## Large and wide tables

{machine_line(results)}A CSV of {results["rows"]:,} rows and {results["features"]} feature columns, \
{number(file)} MB; {results["dtype"]}. The load of the machine before was
{results["load_before"]:.2f}: other work on its cores makes all times longer. Peaks of reading are beyond
the {number(found["bare_mb"])} MB of an interpreter that has imported pandas.

{table(["reading", "s", "spread", "peak, MB", "of the file"], rows)}
Whole commands, once each, nothing compiled; the memory of all their processes together. The fitness is
the final one: an accuracy; of the wide table 1 at no error. Chance is that of always saying the
larger class or the mean.

{table(["command", "s", "peak, MB", "individuals", "fitness", "chance"], commands)}
The linear program predicts {number(rate["median"])} rows a second ({between(rate)}) from features in memory.
"""


def exports(results: dict[str, Any]) -> str:
    """Returns the section of exports.json."""
    rows = [
        [r["form"], r["what"], r["dtype"], *(str(r[k]) for k in ("programs", "compared", "different")),
         f"{r['largest_difference']:.1e}", f"{r['tolerance']:.0e}"]
        for r in results["rows"]
    ]  # fmt: skip
    head = ["form", "program", "dtype", "programs", "compared", "different", "largest difference",
            "tolerance"]  # fmt: skip
    return f"""## Exports

{machine_line(results)}{results["programs"]} random trained programs of {results["instructions"]:,} \
instructions in all, with {results["ops"]} ops in predictions, exported and run in bare processes, beside \
the interpreter. Differences are relative to the prediction or to 1, whichever is larger. Those not compared \
are moved by noise of a rounding's size in the interpreter itself, or fail to train.

{table(head, rows)}"""


def estimators(results: dict[str, Any]) -> str:
    """Returns the section of estimators.json."""

    def figure(row: dict[str, Any], method: str) -> str:
        return f"{row[method]['accuracy']:.3f}"

    def over(row: dict[str, Any], method: str) -> str:
        found = row[f"over {method}"]
        return f"{found['difference']:+.3f} ± {found['error'] or 0:.3f}"

    rows = [
        [name, f"{r['rows']:,} x {r['columns']}", str(r["classes"]), f"{r['majority']:.3f}",
         *(figure(r, m) for m in ("evolved", "logistic", "boosting")),
         over(r, "logistic"), over(r, "boosting"), f"{r['evolved']['seconds']:.0f} s",
         *(f"{r[m]['bytes'] / 1000:,.0f} kB" for m in ("evolved", "boosting")),
         f"{r['instructions']:.0f}", f"{r['individuals']:,.0f}", f"{r['searched']} of {r['folds']}"]
        for name, r in results["sets"].items()
    ]  # fmt: skip
    head = ["table", "size", "classes", "largest class", "evolved", "logistic regression", "boosting",
            "over logistic", "over boosting", "time to fit", "size, evolved", "size, boosting",
            "instructions", "individuals", "from a search"]  # fmt: skip
    return f"""## Estimators

{machine_line(results)}Accuracy of `zero.sklearn.EvolvedClassifier(seconds={results["seconds"]:g})` over
{results["folds"]} stratified folds, beside scikit-learn's `LogisticRegression` and
`HistGradientBoostingClassifier` on the same folds, {results["jobs"]} fits side by side on one core each,
{results["dtype"]}. Differences are means over the folds with their standard error; sizes those of the
pickled predictors; times, sizes, instructions and individuals medians. *From a search*: in how many folds
cross-validation chose what a search had found over the linear program and the network that it began with.

{table(head, rows)}"""


def discovery(results: dict[str, Any]) -> str:
    """Returns the section of discovery.json."""
    success = {
        "linear_demo": "select fitness at least 0.9999",
        "quickstart": "final fitness at least that of the shipped linear program",
        "own_csv": "final fitness at least that of the shipped linear program",
    }
    text = "## Discovery\n"
    for config, methods in results.items():
        if config == "batches":
            text += batches(methods)
            continue
        rows = []
        for method in ("regularized_evolution", "random_search"):
            s, runs = methods[method]["summary"], methods[method]["runs"]
            final = [run["final_fitness"] for run in runs]
            chance = [run["chance"] for run in runs if "chance" in run]
            rows.append([
                method, f"{s['successes']} of {s['runs']}", number(s["median_individuals"]),
                number(s["median_seconds"]),
                f"{s['median_final_fitness']:.4f} ({min(final):.4f} to {max(final):.4f})",
                f"{s['median_linear_final_fitness']:.4f}",
                f"{statistics.median(chance):.4f}" if chance else "",
            ])  # fmt: skip
        head = ["method", "successes", "median individuals", "median seconds",
                "median final fitness", "linear program's", "chance"]  # fmt: skip
        text += f"\n### {config}\n\n{machine_line(methods)}Success: {success.get(config, '')}.\n\n"
        text += table(head, rows)
    return text


def batches(results: dict[str, Any]) -> str:
    """Returns the part of discovery.json on batch sizes."""
    sizes = {int(size): part["summary"] for size, part in results["sizes"].items()}
    one = sizes.get(1, {}).get("individuals_per_success")
    rows = []
    for size, s in sorted(sizes.items()):
        each = s["individuals_per_success"]
        rows.append([
            f"{size:,}", f"{s['successes']} of {s['runs']}", number(s["median_individuals"]),
            number(each), number(s["standard_error"]),
            f"{each / one:.2f}x" if each and one else "", number(s["median_seconds"]),
        ])  # fmt: skip
    head = ["batch", "successes", "median individuals", "individuals a success", "standard error",
            "over batch 1", "median seconds"]  # fmt: skip
    return f"""
### {results["config"]}: batch size

{machine_line(results)}Population {results["population"]:,}, backend `cpu`. Children are bred \
that many at a time (`search.batch`) while the batch before is in flight; 1 is without a pipeline.
Success: select fitness at least 0.9999 within 15 million individuals. *Individuals a success* are those
of all runs, failed ones included, over the number of successes.

{table(head, rows)}"""


def nas_table(results: dict[str, Any]) -> str:
    """Returns the section of nas_table.json."""
    text = "## Searches on a table of architectures\n"
    if "methods" in results:
        text += nas_table_methods(results["methods"])
    return text + (nas_table_tuned(results) if "comparison" in results else "")


def nas_table_methods(part: dict[str, Any]) -> str:
    """Returns all methods at equal budgets, and published rows beside ours."""
    searches, budgets = part["searches"], [str(budget) for budget in part["budgets"]]
    machines = [machine_line({"machine": e["machine"]}) for e in searches.values()]
    text = f"""
### Every method at equal budgets

{max(machines, default="")}`{part["file"]}`, {part["cells"]:,} cells. Searches see \
`{part["select"]}`; a query is a cell looked up for the
first time in its run. *Met it*: runs that met the best cell of that column within the largest budget. *ms a
proposal*: CPU time of the method itself for a query, or for a cell that came up again, of the median run.
Methods are as they are, but for settings beside their names.
"""
    for report, best in part["reports"].items():
        base = searches.get("random_search", {}).get("reports", {}).get(report, {})
        rows = []
        order = sorted(searches, key=lambda n: -searches[n]["reports"][report][budgets[-1]]["mean"])
        for name in order:
            entry, found = searches[name], searches[name]["reports"][report]
            row = [name, number(entry["runs"])]
            for budget in budgets:
                f = found[budget]
                std = "" if f["std"] is None else f" ± {f['std']:.3f}"
                row += [f"{f['mean']:.3f}{std}", *(
                    "" if f[key] is None else f"{f[key]:.3f}" for key in ("standard_error", "median")
                ), above(f, base.get(budget)) if name != "random_search" else ""]  # fmt: skip
            last = found[budgets[-1]]
            row += [
                number(last["queries_to_optimum_mean"]),
                number(last["queries_to_optimum_median"]),
            ]
            row += [f"{last['reached_optimum_within_budget']:.1%}"]
            row += [f"{max(entry['milliseconds_a_proposal'].values()):.3f}"]
            rows.append(row)
        head = ["search", "runs"]
        for budget in budgets:
            head += [f"{budget} queries", "standard error", "median", "above random search"]
        head += ["queries to the optimum", "median", "met it", "ms a proposal"]
        text += f"""
`{report}`: highest {best["highest"]:.3f}, of the cell that is best in `{part["select"]}` \
{best["of_best_selected"]:.3f}. *Above random search* in standard errors of the difference.

{table(head, rows)}"""
    if any(row.get("ours_mean") is not None for row in part.get("beside_published", ())):
        text += nas_table_published(part["beside_published"])
    if searches:
        text += """
![Regret over queries](results/nas_table.svg)
"""
    return text


def above(one: dict[str, Any], other: dict[str, Any] | None) -> str:
    """Returns how many standard errors of their difference a mean is above another."""
    if other is None or one["standard_error"] is None:
        return ""
    error = (one["standard_error"] ** 2 + other["standard_error"] ** 2) ** 0.5
    return f"{(one['mean'] - other['mean']) / error:.1f}" if error else ""


def nas_table_published(found: list[dict[str, Any]]) -> str:
    """Returns rows of others beside ours."""
    rows = [
        [
            row["method"], row["data"], row["source"], f"{row['queries']}", f"{row['runs']}",
            f"{row['mean']:.2f} ± {row['sd']:.2f}",
            *("" if row[key] is None else f"{row[key]:.2f}" for key in ("ours_mean", "ours_repeats")),
            *("" if row[key] is None else f"{row[key]:+.2f}" for key in ("difference",)),
            "" if row["standard_errors"] is None else f"{row['standard_errors']:+.1f}", row["ours"],
        ]
        for row in found
    ]  # fmt: skip
    head = ["method", "test accuracy on", "source", "queries", "runs", "theirs", "ours",
            "ours, repeats counted", "difference", "in standard errors", "our search"]  # fmt: skip
    return f"""
### Beside published rows

Accuracy in % after 200 epochs of the cell chosen by 12 epochs on CIFAR-10. *Published*: Dong and Yang 2020
(NAS-Bench-201), with a budget of 12,000 simulated seconds, some 100 queries. *Simulated*: by other code
of this project, in NumPy, on the same tables. The difference is to our mean where every individual counts,
also one that came up before, as in the authors' runs.

{table(head, rows)}"""


def nas_table_tuned(results: dict[str, Any]) -> str:
    """Returns the tuned methods of nas_table.json and their variants."""
    compared = results["comparison"]
    table_, budget = compared["table"], compared["budget"]
    found = [(name, "", entry) for name, entry in compared["searches"].items()]
    for entry in results["variants"]:
        skipping = "children that were queried before are drawn again" * entry["skip_known"]
        found.append((entry["method"], skipping, entry))
    rows = []
    for name, note, entry in found:
        if name == "random":  # random_search by its short name
            continue
        settings = ", ".join(f"{key} {value}" for key, value in (entry["settings"] or {}).items())
        apart = entry.get("standard_errors_above_random_search")
        reached = entry.get("reached_optimum")
        queries = number(entry["queries_to_optimum_mean"]) if reached else ""
        if reached and reached < 1:
            queries += f" ({1 - reached:.1%} of the runs never)"
        rows.append([
            name, "; ".join(part for part in (settings, note) if part), f"{entry['mean']:.3f}",
            f"{entry['std']:.3f}", f"{entry['standard_error']:.3f}",
            "" if apart is None else f"{apart:.1f}",
            f"{entry['relative_improvement_percent']:.2f}%", queries,
            number(entry["queries_to_optimum_median"]) if reached else "",
        ])  # fmt: skip
    head = ["search", "settings", "mean", "std", "standard error",
            "standard errors above random search", "over the mean cell", "queries to the optimum",
            "median"]  # fmt: skip
    protocol = "\n".join(f"- {key}: {text}" for key, text in compared["protocol"].items())
    return f"""
### Tuned evolution and local search

{machine_line(results)}`{table_["file"]}`, {table_["cells"]:,} cells; searches see \
`{compared["select"]}`, figures are of `{compared["report"]}`, {compared["runs"]:,} runs of {budget} \
queries each. The best cell of `{compared["select"]}` has {table_["optimum_report"]:.2f}; a random cell has
{table_["mean_report"]:.3f} in the mean. The first rows have the engine's settings, the others are
variants: those that tuning chose where queried children are drawn again, and the published ones.

{table(head, rows)}
{protocol}
"""


def cells_cpu(results: dict[str, Any]) -> str:
    """Returns the section of cells_cpu.json."""
    theirs = results["torch"]
    made = f"PyTorch {theirs['torch']}, eager" if theirs else "PyTorch was not there"
    head = ["network", "threads", "images/s", "spread", "GFLOP/s", "of sgemm"]
    head += ["PyTorch, images/s", "spread", "format", "ratio", "in rounds"] if theirs else []
    rows, sizes, kept = [], [], []
    for name, entry in results["networks"].items():
        skeleton, memory_ = entry["skeleton"], entry["memory_mb"]
        sizes.append([
            name, f"{entry['cell']}, {skeleton['kind']}", str(skeleton["normal_cells"]),
            str(skeleton["filters"]), number(entry["parameters"]),
            number(entry["multiply_adds"] / 1e6), number(memory_["estimate"]), number(memory_["ours"]),
            number(memory_.get("torch saved for backward, channels_last")),
        ])  # fmt: skip
        kept += entry["agreement"].values()
        for row in entry["rows"]:
            ours = row["ours"]
            rows.append([
                name, str(row["threads"]), number(ours["median"]), between(ours),
                number(row["ours_gflops"]), f"{row['share_of_sgemm']:.0%}",
            ])  # fmt: skip
            if theirs and row["torch"]:
                best = row["torch"][row["torch_best"]]
                rows[-1] += [
                    number(best["median"]), between(best), row["torch_best"].replace("_", "-"),
                    f"{row['ratio']:.2f}x", between(row["ratio_in_rounds"]),
                ]  # fmt: skip
    peaks = ", ".join(
        f"{number(figures['largest'])} GFLOP/s on {count} thread{'s' * (count != '1')}"
        for count, figures in results["sgemm_gflops"].items()
    )
    agreed = ""
    if kept:
        most = {what: f"{max(x[what] for x in kept):.1g}" for what in kept[0]}
        agreed = f"""Before that, from the same weights, both sides' loss differed by at most {most["loss"]}
of itself, logits by {most["logits"]} of their norm, gradients by {most["gradients"]} (rounding decides
ReLUs near 0 and maxima near ties), the losses of three steps by {most["losses"]}.
"""
    size_head = ["network", "cell, skeleton", "N", "F", "parameters", "million multiply-adds",
                 "MB, estimate", "MB, ours", "MB, PyTorch"]  # fmt: skip
    text = f"""## Training cells on processors

{machine_line(results)}{made}. Batch {results["batch"]}, 32 x 32 x 3, float32; a step is forward, loss, \
backward and an update of SGD. Median of {results["rounds"]} rounds of some \
{number(results["seconds"])} s, in turns, with the smallest and the largest; PyTorch in the better of \
its two memory formats. Load of the machine before: {number(results.get("load_before")) or "not known"}.
{agreed}
{table(head, rows)}
*GFLOP/s*: two operations a multiply-add, three passes. *Of sgemm*: share of what OpenBLAS's float32
product of 2048 x 2048 matrices does here at best: {peaks}.

{table(size_head, sizes)}
*MB* of a training step: our estimate from the network alone, activations with their gradients; all
buffers of ours; what PyTorch's forward pass keeps for its backward pass (gradients not among it).

### Where a training step's time goes

Ours, on one thread, the plan's steps one by one, in ms. Batch normalisation and ReLU are applied by who
reads them and count there; *alone* is what they take besides.
"""
    for name, entry in results["networks"].items():
        found = entry["split"]
        total = sum(sum(ways.values()) for ways in found["parts"].values())
        rows = [
            [part, f"{ways['forward']:.2f}", f"{ways['backward']:.2f}",
             f"{sum(ways.values()) / total:.1%}"]
            for part, ways in found["parts"].items()
        ]  # fmt: skip
        step = number(found["step_ms"])
        text += f"\n#### {name}: {step} ms a step; its parts: {number(total)} ms\n\n"
        text += table(["part", "forward", "backward", "share"], rows)
    return text


def search_methods(results: dict[str, Any]) -> str:
    """Every search method on real images, at equal train steps."""
    text = "## Search methods on images\n"
    titles = {
        "digits": "AmoebaNet's cells, digits",
        "fashion": "AmoebaNet's cells, Fashion-MNIST at 14 x 14 pixels",
        "fashion_blocks": "Stacks of blocks, Fashion-MNIST at 14 x 14 pixels",
    }
    for part, title in titles.items():
        if part not in results:
            continue
        found = results[part]
        rows = [
            [
                name,
                f"{entry['mean']:.4f} ({entry['min']:.4f} to {entry['max']:.4f})",
                f"{entry['search_mean']:.4f}",
                number(entry["individuals"]),
                number(entry["train_steps"]),
                number(entry["seconds"]),
            ]
            for name, entry in sorted(found["methods"].items(), key=lambda e: -e[1]["mean"])
        ]
        head = [
            "method",
            "test accuracy",
            "valid accuracy",
            "individuals",
            "train steps",
            "seconds",
        ]
        text += f"\n### {title}\n\n{machine_line(found)}`{found['config']}` with "
        text += f"`{'; '.join(found['settings'])}`. Means over {len(found['seeds'])} seeds, smallest and "
        text += f"largest.\n\n{table(head, rows)}\n{'; '.join(found['sentences'])}.\n\n"
        text += f"![Best so far](results/search_methods_{part}.svg)\n"
    return text


def cells_search(results: dict[str, Any]) -> str:
    """Searches over cells on real images, and a published cell trained fully."""
    text = "## Searching for cells\n"
    titles = {
        "search": "Evolution and random search, Fashion-MNIST at 14 x 14 pixels",
        "inheritance": "Children that start with their parent's weights, digits",
    }
    for part, title in titles.items():
        if part not in results:
            continue
        found = results[part]
        rows = []
        for method, runs in found["runs"].items():
            accuracy = [found[method][f"{kind}_accuracy"] for kind in ("valid", "test")]
            rows.append(
                [
                    method,
                    str(len(runs)),
                    f"{runs[0]['individuals']:,}",
                    f"{max(r['train_steps'] for r in runs):,}",
                    *(f"{a['mean']:.4f} ({a['min']:.4f} to {a['max']:.4f})" for a in accuracy),
                    f"{found['relative_improvement_percent'][method]:.1f}%",
                ]
            )
        gains = [
            f"{name} accuracy {gain['mean']:+.4f}, {number(gain['standard_errors'])} standard errors, "
            f"better with {gain['seeds_better']} of {gain['seeds']} seeds"
            for name in ("valid", "test")
            for gain in [found[f"gain_in_{name}_accuracy"]]
        ]
        head = ["method", "seeds", "candidates", "train steps, at most", "valid accuracy",
                "test accuracy", "over the mean random candidate"]  # fmt: skip
        text += f"\n### {title}\n\n{machine_line(found)}`{found['config']}` with "
        text += f"`{'; '.join(found['settings'])}`. Means over seeds, smallest and largest.\n\n"
        text += table(head, rows)
        text += f"\nThe first method's gain over the second, seed by seed: {'; '.join(gains)}.\n"
    if "options" in results:
        found = results["options"]
        rows = [
            [
                option,
                "; ".join(found["options"][option]),
                *(f"{got[key]:,.0f}" for key in ("individuals", "train_steps", "seconds")),
                f"{got['test_accuracy']:.4f}",
                f"{got['gain']:+.4f} ({number(got['standard_error'])})",
            ]
            for option, got in found["summary"].items()
        ]
        head = ["option", "setting", "candidates", "train steps", "seconds", "test accuracy",
                "over off (standard error)"]  # fmt: skip
        text += "\n### Options beside regularised evolution, 300 digits\n\n"
        text += f"{machine_line(found)}`{found['config']}` with `{'; '.join(found['settings'])}`. Means "
        text += (
            f"over {len(found['runs']['off'])} seeds; each outcome trained in full once more.\n\n"
        )
        text += table(head, rows)
    if "published" in results:
        found = results["published"]
        text += f"""
### A published cell on Fashion-MNIST

{machine_line(found)}`{found["cell"]}`, N = {found["normal_cells"]}, F = {found["filters"]}, \
{found["parameters"]:,} parameters, 55,000 training images, {found["threads"]} threads: test accuracy
{found["test_accuracy"]:.4f} after {len(found["curve"])} epochs and {number(found["seconds"])} s.

"""
        rows = [
            [str(e["epoch"]), f"{e['train_loss']:.4f}", f"{e['valid_accuracy']:.4f}",
             number(e["seconds"])]
            for e in found["curve"]
        ]  # fmt: skip
        text += table(["epoch", "train loss", "valid accuracy", "seconds"], rows)
    return text


def gpu_cells(results: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Returns head and rows of the table of gpu_interpreter.json."""
    goals = {  # what the project set out to reach, on an H200
        "network on projected_binary_baseline": "200x a core, 70,000/s",
        "linear_demo": "3,000,000/s",
        "projected_binary_baseline": "GPU busy 80%",
    }

    def of(row: Any, *keys: str, form: str = "{:,.0f}") -> str:
        for key in keys:
            row = row.get(key) if isinstance(row, dict) else None
        return "" if row is None else form.format(row)

    rows = []
    for name, row in results["rows"].items():
        rows.append([
            name.removesuffix(", float64"), row["dtype"], of(row, "gpu", "median"),
            of(row, "gpu", "smallest"), of(row, "gpu", "largest"), of(row, "core", "median"),
            of(row, "cores", "median"), of(row, "ratio_to_core", form="{:.1f}"),
            of(row, "ratio_to_cores", form="{:.1f}"), of(row, "share_of_peak_flops", form="{:.1%}"),
            of(row, "share_of_shared_memory", form="{:.0%}"),
            of(row, "gpu_busy", "median", form="{:.0%}"), goals.get(name, ""),
        ])  # fmt: skip
    head = ["work", "dtype", "GPU, a second", "smallest", "largest", "one core",
            f"{results['cores']} cores", "x one core", "x all cores", "of peak FLOP/s",
            "of shared memory", "GPU busy", "goal"]  # fmt: skip
    return head, rows


def sweep_cells(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Returns head and rows of the table of a sweep over lanes a task."""
    sizes = ("features", "group", "tasks_a_unit", "rows_a_lane")
    rates = ("median", "smallest", "largest")
    head = ["F", "lanes a task", "tasks a unit", "rows a lane", "programs/s", "smallest", "largest",
            "default"]  # fmt: skip
    return head, [
        [*(str(x[key]) for key in sizes), *(number(x[key]) for key in rates),
         "yes" if x["is_default"] else ""]
        for x in rows
    ]  # fmt: skip


def gpu_interpreter(results: dict[str, Any]) -> str:
    """Returns the section of gpu_interpreter.json."""
    text = "## One GPU\n"
    if results.get("rows"):
        text += f"""
{gpu_line(results)}Images: {results["images"]}. Median over rounds in turns; `gpu_interpreter.py` says
what rows and columns are.

{table(*gpu_cells(results))}"""
        errors = [f"{name}: {error}" for name, error in results.get("errors", {}).items()]
        text += "".join(f"\nFailed: {error}\n" for error in errors)
        if not results.get("complete"):
            text += "\nNot all of it was measured.\n"
    if "where_time_goes" in results:
        found = results["where_time_goes"]
        rows = [
            [name, str(part["rows"]), "" if part["share"] is None else f"{part['share']:.1%}",
             number(part["flops"]), number(part["shared_cycles"])]
            for name, part in found["instructions"].items()
        ]  # fmt: skip
        rows.append(["the rest of each example", "", f"{found['the rest of each example']:.1%}"])
        rows[-1] += ["", ""]
        head = ["instruction", "in the program", "share of the time", "FLOP", "cycles, a warp"]
        text += (
            "\n### Where the time of the network goes\n\nfloat32; what one more of each takes.\n\n"
        )
        text += table(head, rows)
    if "sweep" in results:
        found = results["sweep"]
        text += f"\n### Lanes a task\n\n{gpu_line(found)}The shipped network, {found['dtype']}.\n\n"
        text += table(*sweep_cells(found["rows"]))
    return text


def durability(results: dict[str, Any]) -> str:
    """Returns the section of durability.json."""
    parts = results["parts"]
    text = "## Durability\n\n"
    text += f"""What `durability.py` did to small runs of every kind, and what came of it. *Faults* are all
that must not be: archives that do not open, things reported as saved and lost, resumed runs that are
not, byte for byte, what the unbroken one is, tracebacks, damaged files taken for sound ones, and so on.
In all: {sum(results["faults"].values())}.

"""
    rows = []
    for name, part in parts.items():
        done = ", ".join(f"{n:,} {what}" for what, n in part["done"].items() if ":" not in what)
        rows.append([name, done, str(sum(part["faults"].values()))])
    text += table(["part", "what was done", "faults"], rows)
    figures = parts.get("soak", {}).get("figures", {})
    if figures:
        names = list(next(iter(figures.values()))["grown"])
        text += "\nWhat the last three quarters of a soak added, by a robust slope:\n\n"
        rows = [
            [kind, f"{found['seconds']:,}", *(number(found["grown"][name]) for name in names)]
            for kind, found in figures.items()
        ]
        text += table(["kind", "seconds", *(name.replace("_", " ") for name in names)], rows)
    machines = dict.fromkeys(machine_line(part) for part in parts.values() if "machine" in part)
    return text + "\n" + "".join(machines)


def trainer_options(results: dict[str, Any]) -> str:
    """Returns the section of trainer_options.json."""
    if str(HERE) not in sys.path:  # where the page is made by another program
        sys.path.insert(0, str(HERE))
    made = importlib.import_module("trainer_options")
    rows = results["rows"]
    machines = dict.fromkeys(f"{r['machine']['cpu']}, one thread" for r in rows)
    text = f"""## What options of the trainer gain

{"; ".join(machines)}. One network (AmoebaNet-A's cells, one normal cell a stage) trained with and without
each option, seed by seed: mean accuracy on test images, and the mean difference from the arm beside it with
a 95 % interval of Student's t over the seeds. *default*: cosine from 0.025; *found*: cosine from the rate
that `zero train --find-rate` suggests, a third of that of the lowest loss; *tenth*: a tenth of it. All others
begin at the rate of *found*, but super_convergence, whose highest is half of the lowest loss's, in half the
epochs. *small_first*: half the epochs on smaller images; *restart*: the schedule begins anew after them;
*equal*: as many more small ones as *found* has arithmetic for; *short*: *found* in as many epochs as
small_first has arithmetic for.
"""
    for name, case in made.SETS.items():
        found = [entry for entry in made.summary(rows) if entry["set"] == name]
        if not found:
            continue
        lines = []
        for entry in found:
            line = [entry["arm"], str(entry["seeds"]), f"{entry['test_accuracy']:.4f}"]
            line.append(f"{entry['core_seconds']:.1f}")
            if "gain" in entry:
                low, high = entry["interval"]
                line += [f"{entry['gain']:+.4f} ({low:+.4f} to {high:+.4f})", entry["beside"]]
            lines.append(line + [""] * (6 - len(line)))
        train = next(r["train"] for r in rows if r["set"] == name and "train" in r)
        text += f"\n### {name}, {train:,} train images, {case['epochs']} epochs\n\n"
        head = ["arm", "seeds", "test accuracy", "core-seconds", "gain", "beside"]
        text += table(head, lines)
    return text


def gpu_line(results: dict[str, Any]) -> str:
    """Returns the GPU, its driver and the machine in two lines."""
    versions = f"driver {results['driver']}, CUDA {results['cuda']}"
    return f"GPU: {results['gpu']}, {versions}.\n{machine_line(results)}"


SECTIONS = {
    "speed": speed, "split": split, "growth": growth, "memory": memory,
    "tables": tables, "large_tables": large_tables,
    "nn_memory": nn_memory, "discovery": discovery,
    "nas_table": nas_table, "cells_cpu": cells_cpu,
    "cells_search": cells_search, "search_methods": search_methods,
    "gpu_interpreter": gpu_interpreter, "exports": exports, "estimators": estimators,
    "durability": durability, "trainer_options": trainer_options,
}  # fmt: skip


def page(folder: Path) -> str:
    """Returns the whole page."""
    text = f"""# Benchmarks

Made by `python benchmarks/page.py` from what the scripts here left in `results/`; do not edit it by
hand. `speed.py`, `growth.py` and `gpu_interpreter.py` compare results with the reference interpreter
before they take times, `cells_cpu.py` with PyTorch; they take their rows in turns. Run them on a quiet
machine; a figure holds for its machine and commit. What the papers found beside what is found here:
[paper/README.md](paper/README.md).

{scripts()}
"""
    for name, section in SECTIONS.items():
        path = folder / f"{name}.json"
        if path.exists():
            text += "\n" + section(json.loads(path.read_text()))
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--out", type=Path, default=HERE / "README.md")
    options = parser.parse_args()
    options.out.write_text(page(options.results), encoding="utf-8")
    of_papers = importlib.import_module("paper.page")
    of_papers.draw(options.results / "paper")
    (HERE / "paper" / "README.md").write_text(of_papers.page(options.results / "paper"))


if __name__ == "__main__":
    main()

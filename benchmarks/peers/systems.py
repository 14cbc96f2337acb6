"""One system on one fold, in a process of the system's own environment.

    python benchmarks/peers/systems.py SYSTEM FOLDER

Reads task.json, train.csv and test.csv of the folder; writes predictions.npy and facts.json there. A system
is a function that fits and returns a function that predicts: numbers, or a column of probabilities for each
class. It gets a frame as pandas reads it, so this file needs no more than pandas and the system. Settings are
those that a user would give: time, metric, both cores, a seed; the rest are defaults.
"""

import importlib
import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Predict = Callable[[pd.DataFrame], Any]


@dataclass(frozen=True)
class Task:
    """What is asked of a system."""

    metric: str  # "auc", "log_loss" or "rmse"
    classes: int  # 0: a number is predicted
    seconds: float
    seed: int
    cores: int
    texts: dict[str, str]  # columns of texts


def flaml(task: Task, X: pd.DataFrame, y: pd.Series) -> Predict:
    from flaml import AutoML

    model = AutoML()
    model.fit(
        X, y, task="classification" if task.classes else "regression", time_budget=task.seconds,
        metric={"auc": "roc_auc"}.get(task.metric, task.metric), n_jobs=task.cores, seed=task.seed,
    )  # fmt: skip
    return model.predict_proba if task.classes else model.predict


def autogluon(
    task: Task, X: pd.DataFrame, y: pd.Series, presets: str = "medium_quality"
) -> Predict:
    from autogluon.tabular import TabularPredictor

    metric = {"auc": "roc_auc", "rmse": "root_mean_squared_error"}.get(task.metric, task.metric)
    kind = {"auc": "binary", "log_loss": "multiclass", "rmse": "regression"}[task.metric]
    predictor = TabularPredictor("target", problem_type=kind, eval_metric=metric, path="models")
    predictor.fit(X.assign(target=y), time_limit=task.seconds, num_cpus=task.cores, presets=presets)
    if not task.classes:
        return predictor.predict
    return lambda X: predictor.predict_proba(X)[list(range(task.classes))]


def autogluon_best(task: Task, X: pd.DataFrame, y: pd.Series) -> Predict:
    return autogluon(task, X, y, "best_quality")


def tpot(task: Task, X: pd.DataFrame, y: pd.Series) -> Predict:
    from tpot import TPOTClassifier, TPOTRegressor

    scorer = {"auc": "roc_auc", "log_loss": "neg_log_loss", "rmse": "neg_root_mean_squared_error"}
    model = (TPOTClassifier if task.classes else TPOTRegressor)(
        scorers=[scorer[task.metric]], scorers_weights=[1], max_time_mins=task.seconds / 60,
        n_jobs=task.cores, random_state=task.seed, preprocessing=True,
    )  # fmt: skip
    model.fit(X, y)
    return model.predict_proba if task.classes else model.predict


def mljar(task: Task, X: pd.DataFrame, y: pd.Series) -> Predict:
    from supervised import AutoML

    kinds = {"auc": "binary_classification", "log_loss": "multiclass_classification"}
    model = AutoML(
        results_path="models", total_time_limit=int(task.seconds), mode="Compete",
        ml_task=kinds.get(task.metric, "regression"), n_jobs=task.cores, random_state=task.seed,
        eval_metric={"log_loss": "logloss"}.get(task.metric, task.metric),
    )  # fmt: skip
    model.fit(X, y)
    return model.predict_proba if task.classes else model.predict


def start_h2o(task: Task) -> None:
    import h2o as engine

    engine.init(nthreads=task.cores, max_mem_size="6G", ice_root=".")


def h2o(task: Task, X: pd.DataFrame, y: pd.Series) -> Predict:
    import h2o as engine
    from h2o.automl import H2OAutoML

    def frame(table: pd.DataFrame) -> Any:
        return engine.H2OFrame(table, column_types=dict.fromkeys(task.texts, "enum"))

    train = frame(X.assign(target=y))
    if task.classes:
        train["target"] = train["target"].asfactor()
    metric = {"auc": "AUC", "log_loss": "logloss", "rmse": "RMSE"}[task.metric]
    model = H2OAutoML(max_runtime_secs=int(task.seconds), seed=task.seed, sort_metric=metric)
    model.train(y="target", training_frame=train)

    def predict(X: pd.DataFrame) -> pd.DataFrame:
        found = model.leader.predict(frame(X)).as_data_frame()
        return found[[f"p{c}" for c in range(task.classes)] if task.classes else "predict"]

    return predict


# --- in zero's own environment --------------------------------------------------------------------


def _prepared(task: Task, model: Any) -> Any:
    """Returns a pipeline with the usual preparation before a model of scikit-learn's."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    texts = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (texts, list(task.texts)),
        (numbers, make_column_selector(dtype_include="number")),
        verbose_feature_names_out=False,
    )
    return make_pipeline(columns, model)


def _fitted(task: Task, model: Any, X: pd.DataFrame, y: pd.Series) -> Predict:
    model.fit(X, y)
    return model.predict_proba if task.classes else model.predict


def linear(task: Task, X: pd.DataFrame, y: pd.Series) -> Predict:
    from sklearn.linear_model import LogisticRegression, Ridge

    return _fitted(task, _prepared(task, LogisticRegression() if task.classes else Ridge()), X, y)


def forest(task: Task, X: pd.DataFrame, y: pd.Series) -> Predict:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    model = RandomForestClassifier if task.classes else RandomForestRegressor
    model = model(n_jobs=task.cores, random_state=task.seed)
    return _fitted(task, _prepared(task, model), X, y)


def boosting(task: Task, X: pd.DataFrame, y: pd.Series) -> Predict:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    model = HistGradientBoostingClassifier if task.classes else HistGradientBoostingRegressor
    return _fitted(task, _prepared(task, model(random_state=task.seed)), X, y)


def random_search(task: Task, X: pd.DataFrame, y: pd.Series) -> Predict:
    """Random candidates of three families over five folds until the time is over; the best again."""
    from sklearn import ensemble, linear_model
    from sklearn.model_selection import cross_val_score

    rng, end = np.random.default_rng(task.seed), time.perf_counter() + task.seconds
    kind = "Classifier" if task.classes else "Regressor"
    scorer = {"auc": "roc_auc", "log_loss": "neg_log_loss", "rmse": "neg_root_mean_squared_error"}

    def candidate() -> Any:
        family, seed = rng.integers(3), int(rng.integers(2**31))
        if family == 0:
            strength = 10 ** rng.uniform(-4, 4)
            if task.classes:
                return linear_model.LogisticRegression(C=strength, max_iter=1000)
            return linear_model.Ridge(alpha=strength)
        if family == 1:
            trees = rng.choice(["RandomForest", "ExtraTrees"])
            return getattr(ensemble, trees + kind)(
                n_estimators=int(2 ** rng.uniform(5, 9)), max_features=rng.uniform(0.1, 1),
                min_samples_leaf=int(2 ** rng.uniform(0, 5)), random_state=seed,
            )  # fmt: skip
        return getattr(ensemble, "HistGradientBoosting" + kind)(
            learning_rate=10 ** rng.uniform(-2.5, 0), max_iter=int(2 ** rng.uniform(5, 9)),
            max_leaf_nodes=int(2 ** rng.uniform(2, 7)), l2_regularization=10 ** rng.uniform(-6, 1),
            min_samples_leaf=int(2 ** rng.uniform(1, 6)), random_state=seed,
        )  # fmt: skip

    best, longest = (-np.inf, None), 0.0  # the longest but the first, which starts the workers
    while best[1] is None or time.perf_counter() + longest < end:
        began, model = time.perf_counter(), _prepared(task, candidate())
        found = cross_val_score(
            model, X, y, scoring=scorer[task.metric], cv=5, n_jobs=task.cores
        ).mean()
        if best[1] is not None:
            longest = max(longest, time.perf_counter() - began)
        if best[1] is None or found > best[0]:
            best = (found, model)
    return _fitted(task, best[1], X, y)


def _zero(task: Task, X: pd.DataFrame, y: pd.Series, families: list[str] | None) -> Predict:
    import zero

    scorer = {"auc": "roc_auc", "log_loss": "neg_log_loss", "rmse": "neg_root_mean_squared_error"}
    options = {} if families is None else {"families": families}
    model = (zero.AutoClassifier if task.classes else zero.AutoRegressor)(
        seconds=task.seconds, random_state=task.seed, metric=scorer[task.metric], **options
    )
    return _fitted(task, model, X, y)


PROGRAMS = ("program", "evolved_program")  # families of learners


def zero_both(task: Task, X: pd.DataFrame, y: pd.Series) -> Predict:
    return _zero(task, X, y, None)


def zero_programs(task: Task, X: pd.DataFrame, y: pd.Series) -> Predict:
    return _zero(task, X, y, list(PROGRAMS))


def zero_pipelines(task: Task, X: pd.DataFrame, y: pd.Series) -> Predict:
    from zero.pipelines.families import suiting

    problem = {"auc": "binary", "log_loss": "multiclass", "rmse": "regression"}[task.metric]
    suit = [family.name for family in suiting(problem, *X.shape)]
    return _zero(task, X, y, [name for name in suit if name not in PROGRAMS])


SYSTEMS = {  # -> the environment it runs in; None: zero's own
    zero_both: None, zero_pipelines: None, zero_programs: None, flaml: "flaml",
    autogluon: "autogluon", autogluon_best: "autogluon", tpot: "tpot", mljar: "mljar", h2o: "h2o",
    linear: None, forest: None, boosting: None, random_search: None,
}  # fmt: skip
IMPORTS = {  # before anything is timed, for each environment
    None: "zero.sklearn sklearn.linear_model sklearn.ensemble sklearn.compose",
    "flaml": "flaml", "autogluon": "autogluon.tabular", "tpot": "tpot", "mljar": "supervised",
    "h2o": "h2o.automl",
}  # fmt: skip


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    task = Task(**json.loads((folder / "task.json").read_text()))
    (fit,) = [system for system in SYSTEMS if system.__name__ == name]
    read = {"float_precision": "round_trip", "dtype": task.texts}
    train, test = (pd.read_csv(folder / f"{part}.csv", **read) for part in ("train", "test"))
    y = train.pop("target")
    try:
        for module in IMPORTS[SYSTEMS[fit]].split():
            importlib.import_module(module)
        if fit is h2o:
            start_h2o(task)
        began = time.perf_counter()
        predict = fit(task, train, y)
        fitted = time.perf_counter()
        np.save(folder / "predictions.npy", np.asarray(predict(test), float))
    except Exception as error:  # whatever a system fails with: its last line is what counts
        traceback.print_exc()
        lines = str(error).strip().splitlines() or [""]
        facts = {"failure": f"{type(error).__name__}: {lines[-1].strip()}"[:300]}
    else:
        facts = {"fit_seconds": fitted - began, "predict_seconds": time.perf_counter() - fitted}
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()

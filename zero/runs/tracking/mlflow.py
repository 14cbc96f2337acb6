"""Curves as a run of MLflow; the step is the number of individuals.

They go to where MLFLOW_TRACKING_URI says; without it to files in `mlruns` in the run's folder. A file there
keeps MLflow's number of the run, by which a resumed one goes on with it.
"""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

from zero.runs.progress import FIGURES, Point
from zero.runs.tracking import Tracker, register
from zero.system.files import write_bytes
from zero.system.signals import RESUMABLE

SHOWN = ("train_steps", "experiment", *FIGURES)
EXPERIMENT = "zero"
MOST = 1000  # metrics in one call, a limit of MLflow's
KEPT = "zero-run.json"
# A server that is away must not hold up a run for long, and nobody is told of it. The user's own come first.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@register
class MlflowTracker(Tracker):
    """See the module's docstring."""

    name = "mlflow"
    about = "a run of MLflow, at MLFLOW_TRACKING_URI or in mlflow/"
    file = "mlflow"
    package = "mlflow"
    extra = "mlflow"

    def open(self, place: Path, info: dict[str, Any]) -> int:
        """Finds the run that an earlier process made, or makes one."""
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        if uri is None:
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
            uri = (place / "mlruns").resolve().as_uri()
        from mlflow.tracking import MlflowClient

        place.mkdir(parents=True, exist_ok=True)
        self.client, self.ended = MlflowClient(tracking_uri=uri), "KILLED"
        kept = place / KEPT
        known = self._known(kept, uri)
        if known is not None:
            self.run = known
            self.client.update_run(self.run, "RUNNING")
            history = self.client.get_metric_history(self.run, "train_steps")
            return max((metric.step for metric in history), default=-1)
        experiment = self.client.get_experiment_by_name(EXPERIMENT)
        number = (
            experiment.experiment_id if experiment else self.client.create_experiment(EXPERIMENT)
        )
        name = f"{info.get('name', 'run')}, seed {info.get('seed', '?')}"
        self.run = self.client.create_run(number, run_name=name).info.run_id
        for key in ("name", "seed", "islands", "backend", "dtype", "folder"):
            if info.get(key) is not None:
                self.client.log_param(self.run, key, info[key])
        write_bytes(kept, json.dumps({"uri": uri, "run": self.run}).encode())
        return -1

    def write(self, points: list[Point]) -> None:
        """Adds a value of each metric for each."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [
            Metric(name, float(point[name]), now, int(point["individuals"]))
            for point in points
            for name in SHOWN
            if math.isfinite(point[name])
        ]
        for k in range(0, len(metrics), MOST):
            self.client.log_batch(self.run, metrics=metrics[k : k + MOST])

    def finish(self, summary: dict[str, Any]) -> None:
        """Says how the run ended."""
        self.client.set_tag(self.run, "reason", str(summary.get("reason") or ""))
        for name in ("select_fitness", "final_fitness"):
            value = summary.get(name)
            if value is not None and math.isfinite(value):
                self.client.log_metric(self.run, name, float(value), step=max(0, self.last))
        if summary.get("reason") not in RESUMABLE:
            self.ended = "FINISHED"

    def close(self) -> None:
        """Ends MLflow's run: as finished, or as killed if it can go on."""
        if hasattr(self, "run"):
            self.client.set_terminated(self.run, self.ended)
            del self.run

    @staticmethod
    def _known(kept: Path, uri: str) -> str | None:
        """Returns the number of the run that a file names, None if there is none in that place."""
        try:
            known = json.loads(kept.read_text())
            return str(known["run"]) if known["uri"] == uri else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

"""Search methods compared on a config of one's own (`zero bench search-methods`).

Every method makes a run with each seed, all of them with the same budget and the same settings but
`search.method` and what the method was given. Each run is an ordinary one in a folder of its own, so
that a comparison that was stopped goes on where it was, run by run and within a run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zero import search
from zero.bench.differences import Difference, differences
from zero.config.load import config_to_yaml, load_config
from zero.errors import ConfigError
from zero.runs.archive import ArchiveData, read_archive
from zero.runs.folder import RunFolder, run_info
from zero.runs.run import resume, start

RANDOM_SEARCH = "random_search"
POINTS = 100  # of a curve


@dataclass(frozen=True)
class MethodRun:
    """One run: its figures, and its best fitness so far after numbers of individuals.

    final: the fitness that decides nothing in the search (tasks or images of their own); NaN if the run
    takes none. random_mean: the mean of its random candidates, NaN where it is not known. seconds: of all
    processes.
    """

    method: str
    seed: int
    folder: str
    search: float
    final: float
    individuals: int
    train_steps: int
    seconds: float
    random_mean: float
    curve: list[tuple[int, float]]


class Stopped(Exception):
    """A run was stopped: the comparison goes on with the same command."""


def asked(text: str) -> tuple[str, list[str]]:
    """Returns the settings of a method written as NAME or NAME:KEY=VALUE:KEY=VALUE, and its label.

    Raises:
        ConfigError: it is written otherwise.
    """
    name, *given = text.strip().split(":")
    if not name or not all(re.fullmatch(r"[a-z_]+=.+", setting) for setting in given):
        raise ConfigError(
            f"cannot read the method '{text}'; write NAME, or NAME:KEY=VALUE with keys of its section "
            "'search', such as surrogate:model=forest"
        )
    return text.strip(), [f"search.method={name}", *(f"search.{setting}" for setting in given)]


def compare(
    config: str,
    settings: Sequence[str],
    methods: Sequence[str] | None,
    seeds: int,
    out: Path,
    tell: Callable[[MethodRun, int, int], None] | None = None,
    command: list[str] | None = None,
) -> dict[str, Any]:
    """Makes all runs that are not there yet, and returns their figures.

    Args:
        config: a file or the name of a shipped config.
        settings: KEY=VALUE, for all runs.
        methods: as for `asked`, None: all that serve the config; random search is always among them.
        seeds: how many, from the config's own on.
        out: a folder for all runs: OUT/METHOD/seed-N.
        tell: is given each run as it is known, its place, and how many there are.
        command: kept in the records of runs.

    Returns:
        methods: by label, the summary of each method (`summary`) and its runs; differences: see
        `zero.bench.differences`; by: "final" or "search", the figure that is compared; config, settings,
        out, machine, commit, versions.

    Raises:
        ConfigError: the config, a method or a setting is wrong, there is no budget that is equal for
            all methods, or `out` has runs of other settings.
        Stopped: a run was stopped.
    """
    checked = load_config(config, list(settings))
    first, methods = checked.seed, serving(config, settings) if methods is None else methods
    labels = dict(map(asked, dict.fromkeys([*methods, RANDOM_SEARCH])))
    wanted = []
    for seed in range(first, first + seeds):  # seed by seed: what there is early can be compared
        for label, own in labels.items():
            run = _loaded(config, settings, label, own, seed)
            _check_budget(run)
            wanted.append((label, seed, run))
    runs: list[MethodRun] = []
    for label, seed, run in wanted:
        folder = out / re.sub(r"[^\w.=-]+", "_", label) / f"seed-{seed}"
        runs.append(_made(label, seed, run, folder, command))
        if tell is not None:
            tell(runs[-1], len(runs), len(wanted))
    by_method = {label: [r for r in runs if r.method == label] for label in labels}
    by = "final" if all(math.isfinite(r.final) for r in runs) else "search"
    values = {label: [getattr(r, by) for r in rows] for label, rows in by_method.items()}
    info = run_info(first, [])
    return {
        "config": config,
        "settings": list(settings),
        "seeds": list(range(first, first + seeds)),
        "by": by,
        "methods": {
            label: {**summary(rows, by), "runs": [asdict(r) for r in rows]}
            for label, rows in by_method.items()
        },
        "differences": [
            asdict(d) | {"beyond_noise": d.beyond_noise} for d in differences(values, first)
        ],
        "out": str(out),
        "machine": {"cpu": info["cpu"], "cores": info["cpu_count"], "platform": info["platform"]},
        "commit": info["commit"],
        "versions": info["versions"],
    }


def serving(config: str, settings: Sequence[str]) -> list[str]:
    """Returns the methods that can search what a config is about, as it is read with each."""
    found = []
    for name in search.names():
        with suppress(ConfigError):
            load_config(config, [*settings, f"search.method={name}"])
            found.append(name)
    return found


def _loaded(config: str, settings: Sequence[str], label: str, own: list[str], seed: int) -> Any:
    """Returns the config of a run; what is wrong with a method's own settings is said of `label`."""
    try:
        # One report on all of them says more than one on each.
        return load_config(config, ["report=false", *settings, *own, f"seed={seed}"])
    except ConfigError as error:
        text = str(error)
        for setting in own:
            text = text.replace(f"--set {setting}: ", f"--methods {label}: ")
        raise ConfigError(text) from None


def known_differences(result: dict[str, Any]) -> list[Difference]:
    """Returns the differences of what `compare` returned."""
    keys = Difference.__dataclass_fields__
    return [Difference(**{k: d[k] for k in keys}) for d in result["differences"]]


def _check_budget(run: Any) -> None:
    budget = run.budget
    if budget.individuals is None and budget.train_steps is None:
        raise ConfigError(
            "methods are compared at equal budgets, and this config's is of time or of nothing; "
            "give --set budget.individuals=N or --set budget.train_steps=N"
        )


def _made(label: str, seed: int, config: Any, folder: Path, command: list[str] | None) -> MethodRun:
    """Returns a run, made, gone on with, or read where it is over.

    Raises:
        Stopped: it was stopped.
        ConfigError: the folder has a run of other settings.
    """
    if not (folder / RunFolder.CONFIG).exists():
        outcome = start(config, folder, command=command, quiet=True)
    else:
        kept = (folder / RunFolder.CONFIG).read_text(encoding="utf-8")
        if kept != config_to_yaml(config):
            raise ConfigError(
                f"{folder} has a run of other settings; give another folder with --out, or remove it"
            )
        if (folder / RunFolder.ARCHIVE).exists():
            data = read_archive(folder)
            if data.results and data.results["reason"] not in ("interrupted", "max_seconds"):
                return _read(label, seed, folder, data)
        outcome = resume(folder, quiet=True)
    if outcome.reason in ("interrupted", "max_seconds"):
        raise Stopped
    return _read(label, seed, folder, read_archive(folder))


def _read(label: str, seed: int, folder: Path, data: ArchiveData) -> MethodRun:
    results = data.results or {}
    final, sampled = results.get("final"), results.get("random_sampling") or {}
    seconds = [e["seconds"] for e in RunFolder.open(folder).events() if e.get("seconds")]
    return MethodRun(
        method=label,
        seed=seed,
        folder=str(folder),
        search=float(results.get("search", {}).get("fitness", math.nan)),
        final=float(final["fitness"]) if final else math.nan,
        individuals=int(results.get("individuals", 0)),
        train_steps=int(results.get("train_steps", 0)),
        seconds=float(seconds[-1]) if seconds else math.nan,
        random_mean=float(sampled["mean"]) if sampled.get("count") else math.nan,
        curve=_curve(data),
    )


def _curve(data: ArchiveData) -> list[tuple[int, float]]:
    """Returns the best fitness so far over individuals, experiments one after the other."""
    found, before, best = [], 0, -math.inf
    for experiment in data.experiments:
        for point in experiment.curve:
            if point.best_fitness > best:
                best = point.best_fitness
            if math.isfinite(best):
                found.append((before + point.individuals, best))
        before += experiment.summary.individuals
    return found


def summary(runs: Sequence[MethodRun], by: str) -> dict[str, Any]:
    """Returns the figures of a method's runs: mean, std (NaN of one run), min and max of `by`.

    relative_improvement_percent: over the mean of random candidates (Yang et al. 2020, "NAS evaluation is
    frustratingly hard"), by search fitness; None where these are not known.
    """
    values = np.array([getattr(run, by) for run in runs], dtype=np.float64)
    random = np.array([run.random_mean for run in runs])
    known = np.isfinite(random) & (random > 0)
    gains = [
        100 * (r.search - r.random_mean) / r.random_mean
        for r, k in zip(runs, known, strict=True)
        if k
    ]
    return {
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)) if len(values) > 1 else None,
        "min": float(values.min()),
        "max": float(values.max()),
        "search_mean": float(np.mean([run.search for run in runs])),
        "individuals": float(np.mean([run.individuals for run in runs])),
        "train_steps": float(np.mean([run.train_steps for run in runs])),
        "seconds": float(np.mean([run.seconds for run in runs])),
        "relative_improvement_percent": float(np.mean(gains)) if gains else None,
    }


def bands(curves: Sequence[Sequence[tuple[int, float]]]) -> tuple[np.ndarray, ...]:
    """Returns individuals, and the mean and standard error of the best fitness so far of all curves.

    From where all curves have begun to where the last one ends; a curve that ends earlier goes on level.
    """
    curves = [c for c in curves if c]
    if not curves:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    begin, end = max(c[0][0] for c in curves), max(c[-1][0] for c in curves)
    at = np.unique(np.linspace(begin, end, POINTS).astype(np.int64))
    rows = np.array(
        [
            np.array([best for _, best in c])[
                np.searchsorted([n for n, _ in c], at, side="right") - 1
            ]
            for c in curves
        ]
    )
    spread = rows.std(axis=0, ddof=1) / math.sqrt(len(rows)) if len(rows) > 1 else 0 * rows[0]
    return at, rows.mean(axis=0), spread


def draw(result: dict[str, Any], figure: Any) -> None:
    """Draws the mean best fitness so far over individuals, with a band of two standard errors."""
    axes = figure.add_subplot()
    figure.set_size_inches(8, 5)
    for label, entry in result["methods"].items():
        at, mean, error = bands([run["curve"] for run in entry["runs"]])
        (line,) = axes.plot(
            at, mean, label=label, linestyle="--" if label == RANDOM_SEARCH else "-"
        )
        axes.fill_between(
            at, mean - 2 * error, mean + 2 * error, color=line.get_color(), alpha=0.15, linewidth=0
        )
    count = len(result["seeds"])
    axes.set_title(
        f"Best so far, mean of {count} seeds, bands of two standard errors"
        if count > 1
        else "Best so far, 1 seed"
    )
    axes.set_xlabel("individuals")
    axes.set_ylabel("search fitness")
    axes.legend()

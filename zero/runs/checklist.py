"""What a run's record answers of the questions that a report on a search has to answer.

The questions are those of Lindauer and Hutter 2020 ("Best Practices for Scientific Research on Neural
Architecture Search", checklist) as far as they concern one run, and the relative improvement over random
sampling of Yang et al. 2020 ("NAS evaluation is frustratingly hard"). Runs beside it, over the same
settings but for search and seed, are looked for in the folders around it. What is not known says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zero.config import yaml as yaml_loader
from zero.errors import ZeroError
from zero.runs.archive import ArchiveData, best_record, read_archive
from zero.runs.folder import RunFolder
from zero.runs.progress import duration
from zero.runs.tables import shown_fitness

RANDOM_SEARCH = "random_search"
UNKNOWN = "not recorded"
MAY_DIFFER = ("search", "seed", "name", "tuning")  # sections of runs beside each other
LISTED = 3  # runs beside it, of each kind


@dataclass(frozen=True)
class Beside:
    """A run beside another one: its folder, search method, seed, and figures (NaN: not taken)."""

    folder: Path
    method: str
    seed: Any
    search: float
    final: float


def answers(
    folder: RunFolder, data: ArchiveData, rows: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Returns questions and what the run's record answers.

    rows: what the run's settings say, for people (`zero.runs.view.View.setting_rows`).
    """
    info, settings = folder.info(), yaml_loader.parse(data.config, "config").data
    results = data.results or {}
    machine = (
        f"{info.get('cpu', UNKNOWN)}, {info.get('cpu_count', '?')} cores, {info.get('platform')}"
    )
    versions = ", ".join(f"{k} {v}" for k, v in (info.get("versions") or {}).items())
    seconds = [e["seconds"] for e in folder.events() if e.get("seconds")]
    found = [
        ("code", f"zero {data.zero_version}, commit {info.get('commit') or UNKNOWN}"),
        ("command", info.get("command") or "from Python"),
        ("hyperparameters", f"all in {folder.path / RunFolder.CONFIG}"),
        *((f"  {name}", text) for name, text in rows),
        ("seed", f"{data.seed}; every individual's own is in the archive"),
        ("data", _data(info, results)),
        ("what the search saw", _seen(results)),
        ("hardware", machine),
        ("software", versions or UNKNOWN),
        ("time", duration(seconds[-1]) if seconds else UNKNOWN),
        ("effort", _effort(results)),
        ("tuning before it", settings.get("tuning") or _no_word_of_tuning(settings)),
        ("over random sampling", _improvement(data, results)),
    ]
    others = list(beside(folder.path, settings))
    random = [other for other in others if other.method == RANDOM_SEARCH]
    method = (settings.get("search") or {}).get("method")
    again = [other for other in others if other.method == method]
    found.append(("random search beside it", _random_search(method, random)))
    seeds = "none: one run tells nothing of the spread; make more, such as with --seed 2"
    if again:
        seeds = f"{len(again)}: {_listed(again)}"
    found.append(("runs with other seeds", seeds))
    others = [o for o in others if o.method not in (RANDOM_SEARCH, method)]
    if others:
        found.append(("other methods beside it", _listed(others)))
    return found


def _data(info: dict[str, Any], results: dict[str, Any]) -> str:
    images = info.get("image_set") or results.get("images")
    digest = str(info.get("data_digest") or info.get("data") or "")
    parts = []
    if images:
        counts = ", ".join(f"{part} {sum(map(int, n)):,}" for part, n in images["counts"].items())
        parts.append(f"{images['name']}: {counts}")
    if digest:
        parts.append(f"digest {digest[:16]}")
    return "; ".join(parts) or UNKNOWN


def _seen(results: dict[str, Any]) -> str:
    if not results:
        return "the run has not ended"
    final = results.get("final")
    if not final:
        return "all figures: there is none of data that it did not see"
    return (
        f"fitness {shown_fitness(float(results['search']['fitness']))}; the final figure "
        f"{shown_fitness(float(final['fitness']))} is of data that decided nothing"
    )


def _effort(results: dict[str, Any]) -> str:
    if not results:
        return UNKNOWN
    return f"{results['individuals']:,} individuals, {results['train_steps']:,} train steps"


def _no_word_of_tuning(settings: dict[str, Any]) -> str:
    hint = "; say it in the config's key 'tuning'" if "tuning" in settings else ""
    return f"{UNKNOWN}: what was tried before with these data, and at what cost{hint}"


def _improvement(data: ArchiveData, results: dict[str, Any]) -> str:
    sampled = results.get("random_sampling") or {}
    if not sampled.get("count") or sampled["mean"] <= 0:
        return UNKNOWN
    of = "fitness"
    best = results["search"]["fitness"]
    if sampled.get("metric", "accuracy") == "accuracy":
        accuracy = getattr(best_record(data), "accuracy", math.nan)
        if math.isfinite(accuracy):
            best, of = accuracy, "valid accuracy"
    gain = 100 * (best - sampled["mean"]) / sampled["mean"]
    return (
        f"{gain:+.2f} %: {of} {shown_fitness(float(best))}, of {sampled['count']} random candidates "
        f"{shown_fitness(float(sampled['mean']))} (standard deviation {sampled['std']:.4f})"
    )


def _random_search(method: str | None, random: list[Beside]) -> str:
    if method == RANDOM_SEARCH:
        return "it is one"
    if random:
        return _listed(random)
    return (
        "none found; make one with the same config and --set search.method=random_search, or compare "
        "with `zero bench search-methods CONFIG`"
    )


def _listed(others: list[Beside]) -> str:
    shown = [
        f"{o.folder} ({o.method}, seed {o.seed}: search {shown_fitness(o.search)}, "
        f"final {shown_fitness(o.final)})"
        for o in others[:LISTED]
    ]
    more = f" and {len(others) - LISTED} more" if len(others) > LISTED else ""
    return ", ".join(shown) + more


def beside(path: Path, settings: dict[str, Any]) -> Iterator[Beside]:
    """Gives the ended runs around a folder that differ from it in search, seed and name only.

    settings: its own, as plain values.
    """
    path = path.resolve()
    own = _without_search(settings)
    mine = _blocks(path / RunFolder.CONFIG)
    around = [*path.parent.glob("*"), *path.parent.parent.glob("*/*")]
    for folder in sorted({p.resolve() for p in around} - {path}):
        config = folder / RunFolder.CONFIG
        try:  # from what is read fast to what takes long: there may be hundreds of runs
            if not (folder / RunFolder.ARCHIVE).is_file() or _blocks(config) != mine:
                continue
            text = config.read_text(encoding="utf-8", errors="replace")
            other = yaml_loader.parse(text, "config").data
            if _without_search(other) != own:
                continue
            data = read_archive(folder)
        except (ZeroError, OSError):
            continue
        if not data.results or not data.results.get("search"):  # the latter of one that was stopped
            continue
        final = data.results.get("final")
        yield Beside(
            folder,
            str((other.get("search") or {}).get("method")),
            other.get("seed"),
            float(data.results["search"]["fitness"]),
            float(final["fitness"]) if final else math.nan,
        )


def _blocks(config: Path) -> set[str]:
    """Returns the texts of a resolved config's sections, but for those that runs beside may differ in."""
    try:
        text = config.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    blocks = re.split(r"^(?=\w)", text, flags=re.MULTILINE)
    return {block for block in blocks if block.partition(":")[0] not in MAY_DIFFER}


def _without_search(settings: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in settings.items() if k not in MAY_DIFFER}

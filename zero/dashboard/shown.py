"""What pages show of runs, as plain values that JSON can hold; read from copies alone."""

from __future__ import annotations

import json
import math
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from zero import genomes
from zero.config import yaml
from zero.dashboard.commands import LOOK, answer
from zero.dashboard.copies import Copies
from zero.dashboard.follow import MOST_POINTS, Followed, Follower, curve
from zero.dashboard.root import UPLOADS, Missing, Root
from zero.errors import ConfigError, ZeroError
from zero.runs.folder import RunFolder
from zero.runs.progress import duration
from zero.runs.reasons import REASONS
from zero.runs.summaries import RunSummary

REPORT_SECONDS = 120.0  # that making one may take
MOST_STEPS = 150  # of a lineage, the newest
MOST_CANDIDATES = 12
MOST_LINE = 400  # characters of a genome that is a line among others
MOST_TEXT = 40_000  # characters of a genome
REPORT = "report.html"
DRAWINGS = ("best.svg", "cells.svg")  # of a run, of a training
BOARD = "leaderboard.json"
# What may be downloaded, and what it is.
FILES = {
    RunFolder.CONFIG: "the settings, to run it again",
    REPORT: "the report",
    RunFolder.BEST: "the best genome's text",
    "best.svg": "a drawing of the best cells",
    "cells.svg": "a drawing of the cells",
    "genome.txt": "the genome that is trained",
    BOARD: "the leaderboard",
    "test_predictions.csv": "what is predicted of the test rows",
    "model.h5": "the trained program",
    "best_weights.h5": "the trained network",
    "network.h5": "the trained network",
    RunFolder.TRAINED: "the training's figures",
    RunFolder.ARCHIVE: "all that was discovered",
    RunFolder.INFO: "machine, versions, seed",
    RunFolder.LOG: "what happened when",
}


class Shown:
    """See the module's docstring. Methods raise Missing where there is no such run."""

    def __init__(self, root: Root):
        self.root, self.copies, self.follower = root, Copies(root), Follower(root)
        # Where a table lies that was given on a page says nothing to who gave it.
        self._uploaded = re.compile(re.escape(f"{root.path}/{UPLOADS}/") + "[0-9a-f]{12}/")
        self._lock, self._reporting = threading.Lock(), threading.Lock()
        self._archives: OrderedDict[str, tuple[Any, dict[str, Any]]] = OrderedDict()
        self._reports: OrderedDict[str, tuple[Any, str]] = OrderedDict()

    def close(self) -> None:
        """Removes the copies."""
        self.copies.close()

    def runs(self) -> dict[str, Any]:
        """Returns a row for each run, whatever state it is in."""
        names = self.root.names()
        self.copies.keep(names)
        rows = []
        for name in names:
            try:
                rows.append(_row(name, self.copies.summary(name)))
            except (Missing, ZeroError, OSError):  # gone since its name was read
                continue
        return {"folder": str(self.root.path), "runs": rows}

    def run(self, name: str) -> dict[str, Any]:
        """Returns what a run's page shows."""
        try:
            summary = self.copies.summary(name)
        except Missing:
            self.follower.forget(name)
            raise
        found = _row(name, summary)
        followed = self.follower.of(name)
        seen = followed.seen
        going = summary.state == "running"
        settings = _settings(self.copies, name)
        found |= {
            "figures": [*_figures(summary, followed), *_searches(summary, settings)],
            "share": _share(seen.stats) if going else None,
            "now": str(seen.stats.get("now") or "") if going else "",
            "best_curve": curve(followed.best),
            "mean_curve": curve(followed.mean),
            "baselines": {k: v for k, v in seen.baselines.items() if isinstance(v, int | float)},
            "improvements": [_improvement(e) for e in reversed(followed.improvements)],
            "messages": [self._uploaded.sub("", text) for text in followed.messages],
            "best": _text(seen.best.get("program")),
            "settings": settings,
            "lineage": [],
            "board": None,
            "candidates": [],
        }
        if summary.state not in ("damaged", "newer"):
            archived = dict(self._archived(name))
            chosen = followed.texts.get(archived.pop("chosen", None))
            text = archived.pop("text", "")
            if summary.state == "ended":  # what was chosen in the end
                found["best"] = _text(chosen) or text or found["best"]
            found |= archived | {"best": found["best"] or text}
        there = self.root.files(name)
        found["usable"] = summary.kind in genomes.names()  # nothing of a run is imported for it
        found["files"] = [{"name": f, "about": about} for f, about in FILES.items() if f in there]
        found["drawing"] = [file for file in DRAWINGS if file in there]
        found["report"] = REPORT in there or (
            summary.kind in genomes.names()
            and bool({RunFolder.ARCHIVE, RunFolder.TRAINED} & set(there))
        )
        return found

    def compared(self, names: list[str]) -> dict[str, Any]:
        """Returns runs side by side, and the settings in which they differ."""
        runs = []
        for name in names:
            try:
                runs.append(self.run(name))
            except Missing:
                continue
        flat = [_flat(run["settings"]) for run in runs]
        keys = dict.fromkeys(key for settings in flat for key in settings)
        rows = [(key, [settings.get(key, "-") for settings in flat]) for key in keys]
        return {
            "runs": runs,
            "missing": [name for name in names if name not in {r["id"] for r in runs}],
            "settings": [[key, values] for key, values in rows if len(set(values)) > 1],
        }

    def report(self, name: str) -> str:
        """Returns a run's report as an HTML page: the one in its folder, else one that is made here.

        Raises:
            ZeroError: there is nothing to report yet.
        """
        if REPORT in self.root.files(name):
            with self.root.open(name, REPORT) as file:
                return file.read(8_000_000).decode(errors="replace")
        files = (RunFolder.ARCHIVE, RunFolder.INFO, RunFolder.LOG, BOARD)
        stamp = tuple(self.copies.stamp(name, file) for file in files)
        with self._lock:
            known = self._reports.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        with self._reporting:  # one at a time: it may take long
            copy = self.copies.whole(name, apart=True)
            try:
                asked = [*LOOK, "report", str(copy)]
                made = json.loads(answer(asked, REPORT_SECONDS))["page"]
            except ConfigError as error:
                raise ConfigError(str(error).replace(str(copy), name)) from None
            finally:
                self.copies.drop(copy)
        made = made.replace(str(copy), str(self.root.path / name))
        with self._lock:
            self._reports[name] = stamp, made
            while len(self._reports) > 10:
                self._reports.popitem(last=False)
        return made

    def _archived(self, name: str) -> dict[str, Any]:
        """Returns what a run's archive and leaderboard tell."""
        stamp = self.copies.stamp(name, RunFolder.ARCHIVE), self.copies.stamp(name, BOARD)
        with self._lock:
            known = self._archives.get(name)
        if known is None or known[0] != stamp:
            known = stamp, self._read_archive(name)
            with self._lock:
                self._archives[name] = known
                while len(self._archives) > 60:
                    self._archives.popitem(last=False)
        return known[1]

    def _read_archive(self, name: str) -> dict[str, Any]:
        from zero.runs.archive import best_record, lineage, read_archive

        copy = self.copies.whole(name)
        found: dict[str, Any] = {"board": _board(copy / BOARD)}
        if not (copy / RunFolder.ARCHIVE).exists():
            return found
        try:
            data = read_archive(copy)
            record = best_record(data)
        except Exception as error:  # whatever a foreign file holds, its page says so
            told = str(error).splitlines() or [type(error).__name__]
            return found | {"fault": told[0].replace(str(copy), name)}
        if record is None:
            return found
        steps = lineage(data, record.id)
        found["lineage"] = [
            {
                "id": r.id, "individuals": r.individuals, "mutation": r.mutation, "steps": r.steps,
                "fitness": _number(r.fitness), "text": _text(r.text)[:4000],
            }
            for r in steps[-MOST_STEPS:]
        ]  # fmt: skip
        found["text"], found["chosen"] = _text(record.text), record.id
        found["curve"] = _curve(data)
        if found["board"] is None:
            found["candidates"] = _candidates(r for e in data.experiments for r in e.records)
        return found


def _curve(data: Any) -> dict[str, list[Any]]:
    """Returns the archive's curve over individuals, experiments one after another: finer than the log's."""
    rows: list[tuple[int, float | None, float | None]] = []
    before = 0
    for experiment in data.experiments:
        for p in experiment.curve:
            rows.append((before + p.individuals, _number(p.best_fitness), _number(p.mean_fitness)))
        before += experiment.summary.individuals
    step = max(1, -(-len(rows) // MOST_POINTS))
    kept = [*rows[:-1:step], *rows[-1:]]
    names = ("individuals", "best", "mean")
    return {name: [row[k] for row in kept] for k, name in enumerate(names)}


def _candidates(records: Iterable[Any]) -> list[list[Any]]:
    """Returns the best records, if genomes are a line each: number, fitness and text."""
    known = (r for r in records if _number(r.fitness) is not None and len(r.text) <= MOST_LINE)
    found: dict[str, list[Any]] = {}
    for record in sorted(known, key=lambda r: -r.fitness):
        if "\n" in record.text.strip():
            return []
        found.setdefault(record.text, [record.id, record.fitness, record.text.strip()])
        if len(found) == MOST_CANDIDATES:
            break
    return list(found.values())


def _row(name: str, summary: RunSummary) -> dict[str, Any]:
    """Returns a run's line among all."""
    found = summary.plain()
    del found["folder"]
    reason = found["reason"]
    if summary.state == "running":
        told = ""
    elif summary.state in ("damaged", "newer"):
        told = reason or ""
    elif reason is None and summary.state == "ended":
        told = ""
    elif reason is None:
        told = "killed, or its machine stopped: zero resume goes on with it"
    else:
        told = REASONS.get(reason, reason)
    seconds = found["seconds"]
    found["duration"] = "" if seconds is None else duration(seconds)
    return found | {"id": name, "told": told}


def _figures(summary: RunSummary, followed: Followed) -> list[list[str]]:
    """Returns names and values for people."""
    stats = followed.seen.stats
    rows: list[list[str]] = []
    labels = (
        ("search fitness" if summary.state == "ended" else "best fitness", summary.fitness),
        ("mean fitness", stats.get("mean_fitness")),
        ("select fitness", summary.select_fitness), ("final fitness", summary.final_fitness),
    )  # fmt: skip
    rows += [[k, f"{v:.6g}"] for k, v in labels if _number(v) is not None]
    if summary.individuals is not None:
        rate = stats.get("individuals_per_second") if summary.state == "running" else None
        speed = f" ({rate:,.3g} a second)" if _number(rate) else ""
        rows.append(["individuals", f"{summary.individuals:,}{speed}"])
    if summary.train_steps:
        rows.append(["train steps", f"{summary.train_steps:,}"])
    if _number(stats.get("cache_hits")):
        rows.append(["cache hits", f"{100 * stats['cache_hits']:.0f} %"])
    if _number(stats.get("proposals_per_individual")) is not None:
        rows.append(["proposals", f"{stats['proposals_per_individual']:.1f} an individual"])
    if summary.seconds is not None:
        rows.append(["time", duration(summary.seconds)])
    if summary.state == "running" and _number(stats.get("seconds_left")) is not None:
        rows.append(["time left", duration(stats["seconds_left"])])
    rows += [["seed", str(summary.seed)]] if summary.seed is not None else []
    rows += [["started", _when(summary.started)]] if summary.started else []
    return rows


def _searches(summary: RunSummary, settings: dict[str, Any]) -> list[list[str]]:
    """Returns what each island searches, where they search different tasks; names and values."""
    if summary.kind not in genomes.names():
        return []
    texts = genomes.get(summary.kind).view.searches(settings)
    return [[f"searches {number}", text] for number, text in enumerate(texts, 1)]


def _share(stats: dict[str, Any]) -> float | None:
    """Returns how much of the nearest limit of a run's budget is reached, 0 to 1."""
    near = stats.get("nearest")
    if (
        not isinstance(near, dict)
        or not _number(near.get("of"))
        or _number(near.get("done")) is None
    ):
        return None
    return min(1.0, near["done"] / near["of"])


def _improvement(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "individual": event.get("individual"), "seconds": _number(event.get("seconds")),
        "fitness": _number(event.get("fitness")), "text": _text(event.get("program"))[:2000],
    }  # fmt: skip


def _board(file: Path) -> dict[str, Any] | None:
    """Returns the leaderboard of a run over pipelines, None if there is none."""
    from zero.pipelines.board import Board
    from zero.pipelines.report import Scores
    from zero.pipelines.words import in_words

    if not file.exists():
        return None
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
        known = {field.name for field in fields(Board)}  # a checksum, say, may be beside them
        board = Board.from_tree({k: v for k, v in tree.items() if k in known})
        scores = Scores(board.metric)
        rows = [
            [row.name, scores.text(row.validation), scores.text(row.test),
             in_words(row.text) if row.record >= 0 else ""]
            for row in board.ordered
        ]  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, ZeroError):
        return None
    return {"score": scores.name, "better": scores.better, "kept": board.used, "rows": rows}


def _settings(copies: Copies, name: str) -> dict[str, Any]:
    """Returns a run's settings, unchecked; none where they cannot be read."""
    copy = copies.small(name)
    try:
        settings = json.loads((copy / RunFolder.INFO).read_text()).get("settings")
        if not isinstance(settings, dict):
            text = (copy / RunFolder.CONFIG).read_text(errors="replace")
            settings = yaml.parse(text, name).data
    except (OSError, ValueError, AttributeError, RecursionError, ConfigError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _flat(settings: Any, above: str = "") -> dict[str, str]:
    """Returns settings as `a.b` -> text."""
    if not isinstance(settings, dict):
        text = settings if isinstance(settings, str) else json.dumps(settings, default=str)
        return {above: text if len(text) <= 200 else text[:199] + "…"}
    found: dict[str, str] = {}
    for key, value in settings.items():
        found |= _flat(value, f"{above}.{key}" if above else str(key))
    return found


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + "\n…"


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if good else None


def _when(stamp: str) -> str:
    """Returns an ISO time in UTC for people."""
    return stamp[:16].replace("T", " ") + " UTC"

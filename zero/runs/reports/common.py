"""The sections that reports on runs of all kinds have, and a report made of them alone."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zero.config import yaml
from zero.errors import ArchiveError
from zero.runs import checklist
from zero.runs.archive import best_record, lineage, read_archive
from zero.runs.folder import RunFolder
from zero.runs.pictures import Draw, inline
from zero.runs.progress import duration
from zero.runs.reports import charts
from zero.runs.reports.parts import Code, Commands, Pairs, Part, Picture, Report, Section
from zero.runs.tables import shown_fitness
from zero.system.signals import RESUMABLE

RANDOM_SEARCH = checklist.RANDOM_SEARCH
NOTE = "note: "  # what opens a message of the log that is about the data


@dataclass(frozen=True, eq=False)
class RunFiles:
    """What the files of a run say, read once.

    path: the folder. data: the archive. best: its outcome or best record. settings: plain values.
    info: run.json. events: the log. view: of its kind.
    """

    folder: RunFolder
    data: Any
    best: Any
    settings: dict[str, Any]
    info: dict[str, Any]
    events: list[dict[str, Any]]
    view: Any

    @classmethod
    def read(cls, path: Path, kind: Any) -> RunFiles:
        """Returns them.

        path: the run's folder, or its archive in it.

        Raises:
            ArchiveError: there is no archive yet, or nothing in it; the message says what there is.
        """
        folder = RunFolder.open(path if path.is_dir() else path.parent)
        view = kind.view
        if not folder.archive_path.exists():
            raise ArchiveError(
                f"{path} has nothing to report yet: it has its settings, but no {view.noun} was evaluated; "
                f"let it go on, or `zero resume {shlex.quote(str(path))}`"
            )
        data = read_archive(folder.archive_path)
        best = best_record(data)
        if best is None:
            raise ArchiveError(
                f"{path} has nothing to report: no {view.noun} was evaluated; "
                f"`zero show {shlex.quote(str(path))}` tells what it is"
            )
        settings = yaml.parse(data.config, str(path)).data
        return cls(folder, data, best, settings, folder.info(), folder.events(), view)

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.folder.path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def results(self) -> dict[str, Any]:
        """What the archive says of the end; empty while the run goes on."""
        return self.data.results or {}

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to do but with a larger budget."""
        return bool(self.results) and self.results["reason"] not in RESUMABLE

    @property
    def individuals(self) -> int:
        """How many individuals were made."""
        return sum(e.summary.individuals for e in self.data.experiments)

    @property
    def train_steps(self) -> int:
        """How many train steps were made."""
        return sum(e.summary.train_steps for e in self.data.experiments)

    @property
    def seconds(self) -> float | None:
        """How long the run took, None if it is not known."""
        known = [e["seconds"] for e in self.events if e.get("seconds")]
        return known[-1] if known else None

    def chain(self) -> list[Any]:
        """Returns the best record and its recorded ancestors, oldest first."""
        return lineage(self.data, self.best.id)

    def beside(self) -> dict[str, float]:
        """Returns the search fitness of what the run itself compared with, by name."""
        told = [e["values"] for e in self.events if e.get("event") == "baselines"]
        values = told[-1] if told and isinstance(told[-1], dict) else {}
        return {str(k): float(v) for k, v in values.items() if isinstance(v, int | float)}

    @cached_property
    def notes(self) -> list[str]:
        """What was said of the data when the run began, without the folders of files."""
        messages = [str(e.get("text")) for e in self.events if e.get("event") == "message"]
        said = [m.removeprefix(NOTE) for m in messages if m.startswith(NOTE)]
        return [re.sub(r"(?<![\w.])/(?:[^\s/,:']+/)+", "", text) for text in dict.fromkeys(said)]

    @cached_property
    def random_searches(self) -> list[Path]:
        """The folders of random searches over the same settings that lie around this run."""
        others = checklist.beside(self.path, self.settings)
        return [o.folder for o in others if o.method == RANDOM_SEARCH]


# --- pictures that all runs have ----------------------------------------------------------------------


def pictures(run: RunFiles) -> dict[str, Draw]:
    """Returns what can be drawn of every run, by name."""
    return {"curve": curve(run), "lineage": charts.lineage(run.chain(), run.view.noun)}


def curve(run: RunFiles, random: Any = None, name: str = "random search") -> Draw:
    """Returns the picture of a run's progress.

    random, name: individuals and best fitness so far of what is random; by default of a random search beside
    the run, if there is one.
    """
    random = _random(run) if random is None else random
    beside = run.beside()
    return charts.curve(run.data, run.events, run.view.noun, beside, random, name)


def _random(run: RunFiles) -> Any:
    """Returns the curve of a random search beside a run, None without one."""
    import numpy as np

    for folder in run.random_searches:
        found, best = [], -np.inf
        for experiment in read_archive(folder).experiments[:1]:
            for record in sorted(experiment.records, key=lambda r: r.individuals):
                if record.fitness > best:
                    best = record.fitness
                    found.append((record.individuals, best))
            found.append((experiment.summary.individuals, best))
        if found:
            at, fitness = np.array(found, dtype=float).T
            return at, fitness
    return None


def costs(
    run: RunFiles, cost: Callable[[Any], float], value: Callable[[Any], float]
) -> tuple[list[tuple[float, float]], int]:
    """Returns cost and value of each record, for `charts.pareto`, and the outcome's number among them."""
    records = [r for e in run.data.experiments for r in e.records]
    chosen = next((k for k, r in enumerate(records) if r.id == run.best.id), -1)
    return [(cost(r), value(r)) for r in records], chosen


def picture(draw: Draw, name: str, about: str) -> Picture:
    """Returns a picture for a page; name: unique in it."""
    return Picture(inline(draw, name), about)


# --- sections -----------------------------------------------------------------------------------------


def asked(run: RunFiles, first: Sequence[tuple[str, str]] = ()) -> Section:
    """Returns the section on what was asked; first: rows that stand before all others."""
    settings = run.settings
    search = settings.get("search") or {}
    rows = [*first, *run.view.setting_rows(settings)]
    if not any(name == "search" for name, _ in rows):
        rows.append(("search", str(search.get("method"))))
    rows.append(("islands", str((settings.get("islands") or {}).get("count"))))
    budget = {k: v for k, v in (settings.get("budget") or {}).items() if v is not None}
    rows += [(f"budget.{k}", f"{v:,}" if isinstance(v, int) else str(v)) for k, v in budget.items()]
    rows.append(("seed", str(run.data.seed)))
    return Section("What was asked", [Pairs(rows)])


def progress(run: RunFiles, drawn: dict[str, Draw]) -> Section:
    """Returns the section on how the search went; drawn: what `pictures` gave."""
    noun = run.view.noun
    parts: list[Part] = [
        picture(
            drawn["curve"], "curve",
            f"Search fitness of the best {noun} so far and the population's mean; dotted: what is known to "
            "compare with.",
        )
    ]  # fmt: skip
    if (
        not run.random_searches
        and (run.settings.get("search") or {}).get("method") != RANDOM_SEARCH
    ):
        config = shlex.quote(str(run.path / RunFolder.CONFIG))
        again = f"zero run {config} --set search.method={RANDOM_SEARCH}"
        parts.append(
            f"No random search over the same settings lies beside this run. `{again}` makes one, and the "
            "report then draws it."
        )
    return Section("How the search went", parts)


def ancestry(run: RunFiles, drawn: dict[str, Draw]) -> list[Section]:
    """Returns the section on the outcome's lineage; none where it has no ancestors."""
    if len(run.chain()) < 2:
        return []
    about = (
        "From the top: ancestors of the outcome whose step changed the fitness, with its mutation."
    )
    return [Section("Where it came from", [picture(drawn["lineage"], "lineage", about)])]


def cost(run: RunFiles) -> Section:
    """Returns the section on what the run cost, and on what."""
    info, events = run.info, run.events
    ends = [e for e in events if e.get("event") == "finish"]
    rows = [("individuals", f"{run.individuals:,}")]
    rows += [("train steps", f"{run.train_steps:,}")] if run.train_steps else []
    rows.append(("time", duration(run.seconds)))
    cores = [e["core_seconds"] for e in ends if e.get("core_seconds") is not None]
    if cores:
        starts = sum(e.get("event") in ("start", "resume") for e in events)
        least = "at least " if starts > len(cores) else ""  # a killed process has told nothing
        rows.append(("core-seconds", f"{least}{sum(cores):,.1f}"))
    memory = max((e["peak_bytes"] for e in ends if e.get("peak_bytes")), default=None)
    if memory:
        rows.append(
            ("memory", f"{memory / 2**20:,.0f} MiB at most, in the largest of its processes")
        )
    rows.append(
        ("machine", f"{info.get('cpu')}, {info.get('cpu_count')} cores, {info.get('platform')}")
    )
    versions = ", ".join(f"{k} {v}" for k, v in (info.get("versions") or {}).items())
    rows += [("versions", versions)] if versions else []
    return Section("What it cost", [Pairs(rows)])


def reproduced(run: RunFiles) -> Section:
    """Returns the section on how to get the same once more."""
    config = shlex.quote(str(run.path / RunFolder.CONFIG))
    digest = hashlib.sha256(run.folder.archive_path.read_bytes()).hexdigest()
    lines = [
        (
            f"zero run {config} --out AGAIN",
            "the same run once more, whatever else the machine does:",
        )
    ]
    parts: list[Part] = [Commands(lines)]
    rows = [
        ("command", str(run.info.get("command") or "from Python")),
        ("started", str(run.info.get("started"))),
    ]
    if commit := run.info.get("commit"):
        rows.append(("commit", str(commit)))
    if run.has_ended and run.results["reason"] != "seconds":
        rows.append((f"sha256 of {RunFolder.ARCHIVE}", digest))
    else:
        parts.append(
            "A run that ends by time, or has not ended, cannot be the same to the last individual."
        )
    return Section("How to reproduce it", [*parts, Pairs(rows)])


def checked(run: RunFiles) -> Section:
    """Returns the section with the checklist for reports on searches."""
    rows = checklist.answers(run.folder, run.data, run.view.setting_rows(run.settings))
    return Section("Checklist", [
        "What a report on a search has to tell (Lindauer and Hutter 2020), as the run's record answers it:",
        Pairs([(name.strip(), text) for name, text in rows]),
    ])  # fmt: skip


def unfinished(run: RunFiles) -> str:
    """Returns what is said of a run that has not ended, "" of one that has."""
    if run.has_ended:
        return ""
    return f"The run has not ended: these are its figures so far. `zero resume {run.path}` goes on with it."


def basic(run: RunFiles) -> Report:
    """Returns the report on a run of which no more is known than of all kinds."""
    drawn, noun = pictures(run), run.view.noun
    rows = run.view.figure_rows(run.path, run.data, run.best)
    named = ", ".join(f"{name} {text}" for name, text in rows[:2])
    answer = f"The best {noun} of {run.individuals:,} has {named}."
    return Report(
        f"{run.settings.get('name')}: a search over {run.data.kind}, run {run.name}",
        [
            asked(run),
            Section(
                f"The {noun}", [*filter(None, [unfinished(run)]), Code(run.best.text), Pairs(rows)]
            ),
            progress(run, drawn),
            *ancestry(run, drawn),
            checked(run),
            cost(run),
            reproduced(run),
        ],
        answer,
    )


def share_interval(share: float, count: float) -> tuple[float, float]:
    """Returns the 95 % interval (Wilson's) of a share that was counted over so many."""
    z = 1.96**2 / count
    centre = (share + z / 2) / (1 + z)
    half = math.sqrt(z * share * (1 - share) + z * z / 4) / (1 + z)
    return max(0.0, centre - half), min(1.0, centre + half)


def first_sentence(fitness: float, low: float | None = None, high: float | None = None) -> str:
    """Returns a figure with its interval, as an answer has it."""
    interval = f" (95 % interval {low:.4f} to {high:.4f})" if low is not None else ""
    return shown_fitness(fitness) + interval

"""A run: from a config to islands, experiments, checkpoints, an archive and a final figure.

`start` begins a run in a new folder, `resume` goes on with one. A run is one or more experiments
(spec, section 6.8): each evolves a fresh population on the search tasks; at the end of each round
its best program is evaluated on the select tasks, and the best one there is its candidate. The
run's outcome is the candidate best on the select tasks, and only it sees the final tasks.

A budget of individuals is met exactly, one of train steps is passed by the last individual. Islands
share both. What ends an experiment otherwise (fitness, patience) is seen when all islands have
reported a round; they finish the one that they are in by then (`zero.evolution.workers`).

Everything that decides the outcome is in the islands' states, which checkpoints hold exactly, so a
run that is stopped or killed and resumed ends with the same archive, byte for byte, as an unbroken
one. A stop acts within a second or two, whatever the run is doing; what comes after a search (final
figures, baselines) is then left to `resume`. A budget of seconds is of the search alone. A run can be
resumed with a larger budget, also one that its budget ended: the last checkpoint holds the islands'
states then. What depends on what a genome is, is asked of the kind of genome (`zero.genomes`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from zero import genomes
from zero.config.load import config_to_yaml
from zero.config.sections import RunConfig
from zero.config.trust import trusting
from zero.errors import ArchiveError, ConfigError, what_is
from zero.jit import cache
from zero.runs import tracking
from zero.runs.callbacks import WithCallbacks, checked
from zero.runs.course import Outcome, Run
from zero.runs.folder import RunFolder, is_new
from zero.runs.notebook import default_reporter
from zero.runs.progress import Reporter
from zero.runs.session import new_session, resumed_session
from zero.runs.settings import with_larger_budget
from zero.runs.state import RunState
from zero.system.signals import Stops

__all__ = ["CHECKPOINT_SECONDS", "Outcome", "resume", "start"]

CHECKPOINT_SECONDS = 10.0


# --- starting and resuming ------------------------------------------------------------------------


def start(
    config: RunConfig,
    out: str | Path | None = None,
    reporter: Reporter | None = None,
    command: list[str] | None = None,
    max_seconds: float | None = None,
    checkpoint_seconds: float | None = CHECKPOINT_SECONDS,
    quiet: bool = False,
    began: float | None = None,
    callbacks: Sequence[Reporter] = (),
) -> Outcome:
    """Runs a config in a new folder and returns the outcome.

    Args:
        config: from `zero.load_config` or `zero.make_config`.
        out: the run's folder, new or empty; by default runs/NAME-001 and so on.
        reporter: is told what happens; by default it is shown where there is a terminal or a notebook.
        command: kept in the run's record.
        max_seconds: stop after this time, with reading and compiling, so that `resume` can go on; no
            part of the config. 0 stops as soon as anything can be kept, None never.
        checkpoint_seconds: time between checkpoints; decides nothing about the outcome. None: there are
            none, and the run can't be resumed.
        quiet: shows nothing where no reporter is given.
        began: when the run's seconds began to count, by `time.monotonic`; default now.
        callbacks: are told the same as the reporter, and cannot break the run; each a `zero.Reporter` with
            methods of your own. The config's `track` has some that are made.

    Raises:
        ZeroError: an argument is none of these, data, programs or the folder cannot be used, or no
            space is left.
    """
    if not isinstance(config, RunConfig):
        hints = {dict: "; make one with zero.make_config", str: "; load one with zero.load_config"}
        raise ConfigError(
            f"start takes a config, got {what_is(config)}{hints.get(type(config), '')}"
        )
    _check_arguments(reporter, max_seconds, checkpoint_seconds)
    if command is not None and not (
        isinstance(command, list | tuple) and all(isinstance(word, str) for word in command)
    ):
        raise ConfigError(f"command must be a list of texts or None, got {what_is(command)}")
    if out is not None:
        out = _path(out, "out")
    text = config_to_yaml(config)
    if command is None and out is not None and out.is_dir() and not is_new(out, text):
        raise ArchiveError(
            f"folder {out} is not empty; give another as out, or, if it is a run, go on with it: "
            f"zero.resume({str(out)!r})"
        )
    also = [*checked(callbacks), *_trackers(config)]
    stops = Stops(max_seconds)
    with _shown(reporter, quiet, also) as told:
        return _start(config, out, told, command, stops, checkpoint_seconds, began)


def _start(
    config: RunConfig,
    out: Path | None,
    reporter: Reporter,
    command: list[str] | None,
    stops: Stops,
    checkpoint_seconds: float | None,
    began: float | None,
) -> Outcome:
    domain = genomes.get(config.genomes).domain(config)
    domain.check_device()
    if config.backend != "reference":
        cache.cache_folder()  # where it cannot be used, nothing has begun
    text = config_to_yaml(config)
    with new_session(
        out, config.name, text, config.seed, command or [], reporter, stops, checkpoint_seconds
    ) as session:
        session.counts_from(began)
        session.info |= {"kind": config.genomes, **domain.info()}
        stored = domain.stored(session.folder.path)
        if stored is not domain:  # data that came as arrays: from here on they are in the folder
            domain = stored
            session.folder.write_config(config_to_yaml(domain.config))
        session.record_settings(config.imports)
        return Run(domain, session, RunState()).go()


def _trackers(config: RunConfig) -> list[Reporter]:
    """Returns the config's trackers; raises ConfigError where one lacks a package."""
    return tracking.make(getattr(config, "track", ()))  # kinds of one's own need not have the key


@contextmanager
def _shown(
    reporter: Reporter | None, quiet: bool, callbacks: Sequence[Reporter]
) -> Iterator[WithCallbacks]:
    """Gives the reporter, or the default one, with callbacks, for as long as a run goes on."""
    with ExitStack() as stack:
        if reporter is None:
            reporter = stack.enter_context(Reporter() if quiet else default_reporter())
        yield stack.enter_context(WithCallbacks(reporter, callbacks))


def _check_arguments(reporter: Any, max_seconds: Any, checkpoint_seconds: Any) -> None:
    """Raises ConfigError if an argument of `start` or `resume` is none of those allowed."""
    for name, value in (("max_seconds", max_seconds), ("checkpoint_seconds", checkpoint_seconds)):
        if value is None:
            continue
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            hint = f" (None: {'no limit' if name == 'max_seconds' else 'never'})"
            raise ConfigError(
                f"{name} must be a number of seconds, 0 or more{hint}, got {what_is(value)}"
            )
    if reporter is not None and not all(
        hasattr(reporter, n) for n in ("start", "update", "finish")
    ):
        raise ConfigError(f"reporter must be a zero.Reporter or None, got {what_is(reporter)}")


def _path(value: Any, name: str) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise ConfigError(f"{name} must be a folder's path, got {what_is(value)}")
    return Path(value)


def resume(
    path: str | Path,
    reporter: Reporter | None = None,
    max_seconds: float | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    settings: Iterable[str] = (),
    quiet: bool = False,
    callbacks: Sequence[Reporter] = (),
    trust_imports: bool = False,
) -> Outcome:
    """Goes on with a run from its newest readable checkpoint; the outcome is as if never broken.

    A run that has ended, by whatever budget, stays as it is unless it is given a larger one.
    Arguments as for `start`.

    Args:
        settings: `KEY=VALUE` of a larger budget, such as "budget.individuals=1e6". Where the run
            cannot go on exactly as if that had been its budget from the start, it says so.
        trust_imports: execute what the run imports although this user did not begin it here; from then
            on it counts as this user's.

    Raises:
        ArchiveError: it is no run folder, it is in use, or no checkpoint can be read.
        ConfigError: its settings have been changed, or `settings` are anything but a larger budget.
        ZeroError: the run's data have changed since.
    """
    path = _path(path, "resume: the run")
    _check_arguments(reporter, max_seconds, checkpoint_seconds)
    if (path / RunFolder.TRAINED).is_file():
        raise ArchiveError(
            f"{path} is a training and no run: one of a network goes on with `zero resume`, one of a "
            "program is over"
        )
    stops = Stops(max_seconds)
    also = checked(callbacks)
    with (
        trusting(trust_imports),
        _shown(reporter, quiet, also) as told,
        resumed_session(path, told, stops, checkpoint_seconds) as session,
    ):
        old, config = with_larger_budget(path / RunFolder.CONFIG, settings)
        told.callbacks += _trackers(config)
        domain = genomes.get(config.genomes).resumed(config, session.info)
        tree, budget = session.load(), old.budget.model_dump()
        state = RunState() if tree is None else RunState.from_tree(tree, budget)
        run = Run(domain, session, state, resumed=tree is not None)
        if config != old:
            run.budget_before = budget
        if state.reason is None:
            domain.check_device()
        return run.go()

"""A run: from a config to islands, experiments, checkpoints, an archive and a final figure.

`start` begins a run in a new folder, `resume` goes on with one. A run is one or more experiments
(spec, section 6.8): each evolves a fresh population on the search tasks; at the end of each round
its best program is evaluated on the select tasks, and the best one there is its candidate. The
run's outcome is the candidate best on the select tasks, and only it sees the final tasks.

A budget of individuals is met exactly, one of train steps is passed by the last individual. Islands
share both. What ends an experiment otherwise (fitness, patience) is seen when all islands have
reported a round; they finish the one that they are in by then (`zero.islands`).

Everything that decides the outcome is in the islands' states, which checkpoints hold exactly, so a
run that is stopped or killed and resumed ends with the same archive, byte for byte, as an unbroken
one.
"""

from __future__ import annotations

import functools
import hashlib
import math
import signal
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zero import library
from zero.archive import (
    ArchiveData,
    CurvePoint,
    ExperimentData,
    Record,
    RunFolder,
    Summary,
    run_info,
    write_archive,
    zero_version,
)
from zero.config import RunConfig, config_to_yaml, load_config
from zero.errors import ArchiveError, ConfigError, ProgramError
from zero.evaluator import Evaluation, Evaluator, check_backend
from zero.ops import OPS, by_number, get_op
from zero.program import (
    FUNCTIONS,
    Instruction,
    Memory,
    Program,
    from_arrays,
    parse_program,
    validate_program,
)
from zero.progress import Reporter, seconds_left
from zero.rng import key_for
from zero.tasks import PURPOSES, TaskSet, make_task_set

CHECKPOINT_SECONDS = 10.0
_FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Outcome:
    """What a run found: its folder, why it ended, and the best program with its figures.

    program is None when no individual was evaluated. select and final are None where they were not
    evaluated; individuals, train_steps and seconds are totals. baselines: for each shipped program
    in `BASELINES` its fitness on the select and on the final tasks.
    """

    folder: Path
    reason: str
    program: Program | None
    search_fitness: float
    select_fitness: float
    final: Evaluation | None
    individuals: int
    train_steps: int
    seconds: float
    baselines: dict[str, tuple[float, float]]


# What every outcome is set beside: both were written by people.
BASELINES = ("linear", "neural_network")


# --- from config to objects -----------------------------------------------------------------------


def load_program(name: str) -> Program:
    """Returns a program by name: shipped, a text file, or an archive entry.

    An archive entry is a run folder or archive file, alone (its outcome) or with `#ID` of a record.

    Raises:
        ProgramError, ArchiveError: there is nothing of that name, or it cannot be read.
    """
    if name in library.PROGRAMS:
        return library.program(name)
    path_text, _, record_id = name.partition("#")
    path = Path(path_text)
    if path.is_dir() or path.suffix == ".h5":
        from zero.archive import best_record, find_record, read_archive

        data = read_archive(path)
        if record_id and not record_id.isdigit():
            raise ArchiveError(f"'{name}': after # stands the number of a record")
        record = find_record(data, int(record_id)) if record_id else best_record(data)
        if record is None:
            raise ArchiveError(f"{path_text} holds no program yet")
        ops = [get_op(op) for op in data.ops]
        return from_arrays(record.code, record.consts, record.sizes, ops)
    if not path.is_file():
        names = ", ".join(library.names())
        raise ProgramError(f"no program '{name}': give a file, a run folder or one of {names}")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProgramError(f"{path} cannot be read as text: {error}") from error
    return parse_program(text, str(path))


def initial_program(config: RunConfig) -> Program:
    """Returns the program that the first population is made of (spec, section 3.1).

    `no_op` and `random` have the initial sizes, filled with NO_OP; a named program is padded at the
    end of each function to its initial size, as in the original.
    """
    name = config.program.initial
    if name in ("empty", "no_op", "random"):
        base = Program()
    else:
        base = load_program(name)
    sizes = [getattr(config.program, f).size.initial for f in FUNCTIONS]
    if name == "empty":
        sizes = [0, 0, 0]
    padded = Program(*(
        f + (Instruction("NO_OP"),) * (size - len(f))
        for f, size in zip(base.functions, sizes, strict=True)
    ))  # fmt: skip
    validate_program(padded, memory_of(config))
    return padded


def memory_of(config: RunConfig) -> Memory:
    """Returns the addresses that programs of a run have."""
    memory = config.program.memory
    return Memory(memory.scalars, memory.vectors, memory.matrices)


def make_tasks(config: RunConfig, purpose: str, experiment: int = 0) -> TaskSet:
    """Returns a run's tasks for a purpose; new ones for each experiment if the config says so."""
    number = experiment if config.experiments.new_tasks else 0
    return make_task_set(getattr(config.tasks, purpose), purpose, number)


def make_evaluator(config: RunConfig, tasks: TaskSet, module=None, combine="mean") -> Evaluator:
    """Returns the evaluator of a run's select or final tasks (always the mean; spec, 4.4)."""
    return Evaluator(
        tasks,
        config.backend,
        config.dtype,
        seed_key=key_for(config.seed, "evaluation"),
        max_abs_error=config.evaluation.max_abs_error,
        combine=combine,
        module=module,
    )


def train_budget(config: RunConfig, tasks: TaskSet) -> float:
    """Returns the largest static cost of a program on a task, 0 without a budget (spec, 6.5).

    The baseline counts as padded with NO_OPs to the initial sizes, as in the original.
    """
    budget = config.evaluation.train_budget
    if budget is None:
        return 0.0
    baseline = library.program(budget.baseline)
    steps = tasks.train_x.shape[1] * tasks.epochs
    total = 0.0
    for name, instructions in zip(FUNCTIONS, baseline.functions, strict=True):
        padding = max(0, getattr(config.program, name).size.initial - len(instructions))
        cost = sum(get_op(i.op).cost for i in instructions) + padding * OPS["NO_OP"].cost
        total += cost if name == "setup" else cost * steps
    return budget.factor * total


class Maker:
    """Makes the islands of a run's experiments; compiles once, in the parent process."""

    def __init__(self, config: RunConfig, initial: Program):
        from zero import search

        check_backend(config.backend)
        self.config, self.initial = config, initial
        self.method = search.get(config.search.method)
        self._tasks: dict[tuple, TaskSet] = {}

    def tasks(self, purpose: str, experiment: int) -> TaskSet:
        """Returns the experiment's tasks; made once where they do not change."""
        fixed = purpose == "final" or not self.config.experiments.new_tasks
        key = (purpose, 0 if fixed else experiment)
        if key not in self._tasks:
            self._tasks = {k: v for k, v in self._tasks.items() if k[1] in (0, experiment)}
            self._tasks[key] = make_tasks(self.config, purpose, experiment)
        return self._tasks[key]

    def _lanes(self, experiment: int) -> int:
        from zero.interpreter import cpu

        tasks = self.tasks("search", experiment).num_tasks
        return 1 if self.config.backend == "reference" else cpu.lanes_for(tasks)

    def is_built(self, experiment: int = 0) -> bool:
        """Returns whether the module has been compiled on this machine before."""
        from zero.interpreter import cpu

        return cpu.is_built(self.config.dtype, self._lanes(experiment), self.config.search.method)

    def module(self, experiment: int = 0):
        """Returns the generated module that the run's islands and evaluators use."""
        from zero.interpreter import cpu, reference_loop

        config = self.config
        if config.backend == "reference":
            tasks = self.tasks("search", experiment)
            evaluate = make_evaluator(config, tasks, combine=config.evaluation.fitness)
            return reference_loop.ReferenceModule(evaluate, config.dtype, config.search.method)
        return cpu.build(config.dtype, self._lanes(experiment), config.search.method)

    def evaluator(self, purpose: str, experiment: int) -> Evaluator:
        """Returns the evaluator of the experiment's tasks, on the code that its islands use."""
        config = self.config
        combine = config.evaluation.fitness if purpose == "search" else "mean"
        module = self.module(experiment) if config.backend == "cpu" else None
        return make_evaluator(config, self.tasks(purpose, experiment), module, combine)

    def islands(self, experiment: int, budget: dict[str, Any]) -> list[Any]:
        """Returns the islands of an experiment.

        budget: what the run has left for it: individuals, train_steps (all islands together).
        """
        from zero.interpreter import cpu
        from zero.island import Island, Limits, Mail, new_space

        config, count = self.config, self.config.islands.count
        program, evaluation = config.program, config.evaluation
        tasks = self.tasks("search", experiment)
        module = self.module(experiment)
        functions = [getattr(program, f) for f in FUNCTIONS]
        space, starts = new_space(
            memory_of(config),
            tuple([OPS[name].number for name in f.ops] for f in functions),
            [(f.size.initial, f.size.min, f.size.max) for f in functions],
            config.search.mutations,
            config.search.mutate_probability,
            self.initial,
            program.initial == "random",
        )
        cache, hurdle = evaluation.cache, evaluation.hurdle

        def share(total: int, k: int) -> int:
            return _FOREVER if total >= _FOREVER else total // count + (k < total % count)

        size, migrants = config.search.population, config.islands.migrants
        mail = Mail(count, size, migrants, int(starts[3])) if count > 1 and migrants else None
        islands = []
        for k in range(count):
            arrays = cpu.new_evaluator(
                tasks,
                memory_of(config),
                starts,
                module=module,
                key=key_for(config.seed, "evaluation"),
                max_abs_error=evaluation.max_abs_error,
                combine=evaluation.fitness,
                budget=train_budget(config, tasks),
                cache_=cache and (cache.train, cache.valid, cache.size, cache.forget_every),
                hurdle=hurdle
                and (
                    hurdle.train,
                    hurdle.valid,
                    hurdle.quantile,
                    min(config.search.population, 1000),
                ),
            )
            limits = Limits(
                individuals=share(budget["individuals"], k),
                train_steps=share(budget["train_steps"], k),
                # Several islands' patience is that of all together: see `_Run._exchange`.
                patience=config.budget.patience or _FOREVER if count == 1 else _FOREVER,
                fitness=config.budget.fitness or math.inf,
                round=config.islands.migrate_every,
            )
            select = self.evaluator("select", experiment)
            islands.append(
                Island(
                    module, space, memory_of(config), arrays, select,
                    size, self.method.settings(config.search), config.seed,
                    experiment, k, count, limits, migrants, mail,
                )
            )  # fmt: skip
        if islands:
            islands[0].warm_up()
        return islands

    def check(self) -> None:
        """Checks what only the data can tell.

        Raises:
            TaskError: the final tasks' test rows may be among those of the others.
            ConfigError: cache or hurdle look at more examples than there are.
        """
        families, evaluation = self.config.tasks, self.config.evaluation
        families.final.check_apart(families.search)
        families.final.check_apart(families.select)
        tasks = self.tasks("search", 0)
        # They look within the first epoch.
        have = {"train": tasks.train_x.shape[1], "valid": tasks.valid_x.shape[1]}
        cache, hurdle = evaluation.cache, evaluation.hurdle
        for name, part in (("cache", cache), ("hurdle", hurdle)):
            for split, most in have.items():
                if part and getattr(part, split) > most:
                    raise ConfigError(
                        f"evaluation.{name}.{split} is {getattr(part, split)}, but the search "
                        f"tasks have only {most} {split} examples; give at most {most}, or "
                        f"{name}: none"
                    )
        if cache and hurdle and hurdle.train < cache.train:
            raise ConfigError(
                f"evaluation.hurdle.train is {hurdle.train}, but evaluation.cache.train is "
                f"{cache.train} and comes first; give the hurdle at least {cache.train}"
            )

    def data_digest(self) -> str:
        """Returns a digest of the run's data: a resumed run must find the same."""
        digest = hashlib.sha256()
        for purpose in ("search", "select", "final"):
            tasks = self.tasks(purpose, 0)
            for array in (tasks.train_x, tasks.train_y, tasks.valid_x, tasks.valid_y, tasks.keys):
                digest.update(str(array.shape).encode())
                digest.update(array.tobytes())
        return digest.hexdigest()


# --- starting and resuming ------------------------------------------------------------------------


def start(
    config: RunConfig,
    out: str | Path | None = None,
    reporter: Reporter | None = None,
    command: list[str] | None = None,
    max_seconds: float | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Outcome:
    """Runs a config in a new folder and returns the outcome.

    Args:
        config: from `zero.config.load_config` or `make_config`.
        out: the run's folder, new or empty; by default runs/NAME-001 and so on.
        reporter: is told what happens; by default nobody.
        command: kept in the run's record.
        max_seconds: stop after this time so that `resume` can go on; no part of the config.
        checkpoint_seconds: time between checkpoints; decides nothing about the outcome.

    Raises:
        ZeroError: data, programs or the folder cannot be used, or no space is left.
    """
    initial = initial_program(config)
    maker = Maker(config, initial)
    maker.check()
    info = run_info(config.seed, command or [])
    info |= {"initial_program": str(initial), "data": maker.data_digest()}
    with RunFolder.create(out, config.name, config_to_yaml(config), info) as folder:
        stored = _with_stored_data(config, folder.path)
        if stored is not config:  # data that came as arrays: from here on they are in the folder
            config, maker = stored, Maker(stored, initial)
            folder.write_config(config_to_yaml(config))
            folder.write_info(info | {"data": maker.data_digest()})
        run = _Run(config, folder, maker, reporter or Reporter(), max_seconds, checkpoint_seconds)
        return run.go(None)


def _with_stored_data(config: RunConfig, folder: Path) -> RunConfig:
    """Returns the config with all task data in files; those given as arrays go to the folder."""
    stored: dict[int, Any] = {}
    for purpose in PURPOSES:
        family = getattr(config.tasks, purpose)
        if id(family) not in stored:
            stored[id(family)] = family.stored(folder.resolve() / f"{purpose}-data.npz")
    families = {p: stored[id(getattr(config.tasks, p))] for p in PURPOSES}
    if all(families[p] is getattr(config.tasks, p) for p in PURPOSES):
        return config
    return config.model_copy(update={"tasks": config.tasks.model_copy(update=families)})


def resume(
    path: str | Path,
    reporter: Reporter | None = None,
    max_seconds: float | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Outcome:
    """Goes on with a run from its newest readable checkpoint; the outcome is as if never broken.

    A run that has ended, by whatever budget, stays as it is. Arguments as for `start`.

    Raises:
        ArchiveError: it is no run folder, it is in use, or no checkpoint can be read.
        ZeroError: the run's data have changed since.
    """
    reporter = reporter or Reporter()
    with RunFolder.open(path, write=True) as folder:
        config = load_config(folder.path / RunFolder.CONFIG, check_files=False)
        info = folder.info()
        maker = Maker(config, parse_program(info.get("initial_program", ""), "run.json"))
        if maker.data_digest() != info.get("data"):
            raise ConfigError(
                f"the data of {folder.path} have changed since the run began, so it cannot go on "
                "as if unbroken; put the old files back, or start a new run"
            )
        state, skipped = folder.checkpoints.load() or (None, [])
        for text in skipped:
            reporter.message(f"{text}; going on from an older checkpoint")
        return _Run(config, folder, maker, reporter, max_seconds, checkpoint_seconds).go(state)


class _Run:
    """One process's share of a run: from a state (or none) to the end or an interruption."""

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        maker: Maker,
        reporter: Reporter,
        max_seconds: float | None,
        checkpoint_seconds: float,
    ):
        self.config, self.folder, self.maker, self.reporter = config, folder, maker, reporter
        self.max_seconds, self.checkpoint_seconds = max_seconds, checkpoint_seconds
        self.experiment = 0
        self.finished: list[dict[str, Any]] = []  # experiments that ended
        self.archived: list[ExperimentData] = []  # the same, as the archive has them
        self.next_archive = 0.0
        self.stats: list[dict[str, Any]] = []
        self.evolving_since: float | None = None  # when this process began to evolve
        self.done_before: dict[str, int] = {}
        self.interrupted: str | None = None
        self.ended_by: str | None = None  # what ended the experiment, decided at the end of a round
        self.earlier_seconds = 0.0
        self.began = time.monotonic()

    # --- the course of a run --------------------------------------------------------------------

    def go(self, state: dict[str, Any] | None) -> Outcome:
        """Runs from a checkpoint's state, or from the start."""
        config = self.config
        islands_state = None
        if state is not None:
            self.experiment, self.finished = state["experiment"], state["finished"]
            self.earlier_seconds, islands_state = state["seconds"], state["islands"]
        self.reporter.start({
            "name": config.name, "seed": config.seed, "islands": config.islands.count,
            "backend": config.backend, "dtype": config.dtype, "folder": str(self.folder.path),
        })  # fmt: skip
        self.folder.log("start" if state is None else "resume", seconds=self.earlier_seconds)
        reason = state.get("reason") if state else None
        with _signals(self._interrupt):
            while reason is None:
                if islands_state is None:
                    self._checkpoint(None)
                states, ended = self._run_experiment(islands_state)
                islands_state = None
                if not ended:
                    # The budget of seconds ends a run for good, other interruptions do not.
                    self._checkpoint(states, "seconds" if self.interrupted == "seconds" else None)
                    return self._conclude(self.interrupted, states)
                self._finish_experiment(states)
                reason = self._reason_to_end()
                self.experiment += 1
                if reason is not None:
                    self._checkpoint(None, reason)
        return self._conclude(reason, islands_state)

    def _interrupt(self, why: str) -> None:
        if why == "interrupted" and self.interrupted is None:
            self.reporter.message("stopping; Ctrl-C again stops at once (then `zero resume`)")
        self.interrupted = self.interrupted or why

    def _should_stop(self) -> bool:
        seconds = time.monotonic() - self.began
        if self.config.budget.seconds and self.seconds >= self.config.budget.seconds:
            self._interrupt("seconds")
        if self.max_seconds is not None and seconds >= self.max_seconds:
            self._interrupt("max_seconds")
        return self.interrupted is not None

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken, in earlier processes too."""
        return self.earlier_seconds + time.monotonic() - self.began

    def _left(self) -> dict[str, int]:
        """Returns what the budgets of run and experiment leave for the next experiment."""
        budget, experiments = self.config.budget, self.config.experiments
        left = {}
        for key in ("individuals", "train_steps"):
            used = sum(e[key] for e in self.finished)
            total = getattr(budget, key)
            whole = _FOREVER if total is None else max(0, total - used)
            left[key] = min(whole, getattr(experiments, key) or _FOREVER)
        return left

    def _run_experiment(self, states: list[dict] | None) -> tuple[list[dict], bool]:
        from zero.islands import Islands

        if self.evolving_since is None and not self.maker.is_built(self.experiment):
            self._message("compiling: half a minute, the first time on this machine")
        islands = self.maker.islands(self.experiment, self._left())
        if states is not None:
            # Shown from the first moment: what was reached before.
            for island, state in zip(islands, states, strict=True):
                island.restore(state)
        self.stats = [island.stats() for island in islands]
        if self.evolving_since is None:
            # Rates and forecasts leave out compiling, and what earlier processes did.
            self.evolving_since = time.monotonic()
            self.done_before = self._done()
        self.ended_by = None
        running = Islands(
            [lambda island=island: island for island in islands],
            states,
            self._exchange,
            self._progress,
            self._message,
            self._checkpoint,
            self.checkpoint_seconds,
        )
        return running.run(self._should_stop)

    def _exchange(self, reports: list[dict]) -> list[Any] | None:
        """Returns who migrates to each island after a round, None to end the experiment.

        Depends on the reports alone: after a crash it is asked once more.
        """
        from zero.islands import distribute

        self.ended_by = self._end_of_experiment(reports)
        if self.ended_by is not None:
            return None
        return distribute(reports, self.config.seed, self.experiment)

    def _end_of_experiment(self, reports: list[dict]) -> str | None:
        reasons = [r["reason"] for r in reports]
        if "fitness" in reasons:
            return "fitness"
        wanted = self.config.experiments.sufficient_fitness
        found = [r["candidate"]["select_fitness"] for r in reports if r["candidate"]]
        if wanted is not None and any(f >= wanted for f in found):
            return "sufficient_fitness"
        # An island that has used up its share of a budget waits until all have.
        if all(reasons):
            return reasons[0]
        if len(reports) > 1 and self.config.budget.patience:
            # Islands keep step: so many individuals of each since the best one was found.
            best = max(r["best_fitness"] for r in reports)
            unimproved = max(r["unimproved"] for r in reports if r["best_fitness"] == best)
            if unimproved * len(reports) >= self.config.budget.patience:
                return "patience"
        return None

    def _finish_experiment(self, states: list[dict]) -> None:
        self.finished.append(_experiment_of(states, self.ended_by))
        # From now on the finished experiment is counted there.
        self.stats = [s | {"individuals": 0, "train_steps": 0} for s in self.stats]
        last = self.finished[-1]
        self.folder.log("experiment", **{k: v for k, v in last.items() if k not in _BULKY})
        shown = (
            f"experiment {self.experiment + 1} ended ({last['reason']}): search fitness "
            f"{last['search_fitness']:.6f}, select fitness {last['select_fitness']:.6f}"
        )
        if self.config.experiments.max != 1:
            self._message(shown)

    def _reason_to_end(self) -> str | None:
        """Returns why the run is over after an experiment, None if another one follows."""
        budget, experiments, last = self.config.budget, self.config.experiments, self.finished[-1]
        enough = experiments.sufficient_fitness
        if enough is not None and last["select_fitness"] >= enough:
            return "sufficient_fitness"
        if last["reason"] in ("fitness", "patience"):
            return last["reason"]
        for key in ("individuals", "train_steps"):
            total = getattr(budget, key)
            if total is not None and sum(e[key] for e in self.finished) >= total:
                return key
        if experiments.max and len(self.finished) >= experiments.max:
            return last["reason"] if experiments.max == 1 else "experiments"
        return None

    # --- telling and keeping --------------------------------------------------------------------

    def _message(self, text: str) -> None:
        self.reporter.message(text)
        self.folder.log("message", text=text)

    def _progress(self, island: int, stats: dict, best: dict | None) -> None:
        self.stats[island] = stats
        if best is not None and best["fitness"] >= max(s["best_fitness"] for s in self.stats):
            shown = {"individual": self._totals()["individuals"], "fitness": best["fitness"]}
            self.reporter.improvement({**shown, "island": island, "experiment": self.experiment})
            self.folder.log("improvement", **shown, id=best["number"], seconds=self.seconds)
        self.reporter.update(self._totals())

    def _totals(self) -> dict[str, Any]:
        stats, config = self.stats, self.config
        evaluations = max(1, sum(s["evaluations"] for s in stats))
        best = max((s["best_fitness"] for s in stats), default=-math.inf)
        done = self._done()
        totals = {
            **done,
            "best_fitness": best if math.isfinite(best) else None,
            "mean_fitness": float(np.mean([s["mean_fitness"] for s in stats])) if stats else None,
            "cache_hits": sum(s["hits"] for s in stats) / evaluations,
            "seconds": self.seconds,
            "islands": config.islands.count,
        }
        if config.experiments.max != 1:
            totals["experiment"] = self.experiment + 1
        if self.evolving_since is None:
            return totals
        recent = {k: done[k] - self.done_before[k] for k in done}
        recent["seconds"] = max(time.monotonic() - self.evolving_since, 1e-9)
        totals["individuals_per_second"] = recent["individuals"] / recent["seconds"]
        budget = config.budget.model_dump()
        for key, before in (
            *self.done_before.items(),
            ("seconds", self.seconds - recent["seconds"]),
        ):
            budget[key] = budget[key] and budget[key] - before
        # A forecast from the first individuals would be wild.
        totals["seconds_left"] = seconds_left(budget, recent) if recent["seconds"] >= 1 else None
        return totals

    def _done(self) -> dict[str, int]:
        """Returns individuals and train steps of the whole run so far."""
        return {
            key: sum(part[key] for part in (*self.finished, *self.stats))
            for key in ("individuals", "train_steps")
        }

    def _checkpoint(self, states: list[dict] | None, reason: str | None = None) -> None:
        """Writes a checkpoint and the archive as it stands."""
        self.folder.checkpoints.save({
            "experiment": self.experiment,
            "finished": self.finished,
            "seconds": self.seconds,
            "islands": states,
            "reason": reason,
        })  # fmt: skip
        # The archive is for onlookers until the run ends: a twentieth of the time is enough for it.
        began = time.monotonic()
        if states is not None and began >= self.next_archive:
            write_archive(self.folder.archive_path, self._archive(states, None))
            now = time.monotonic()
            self.next_archive = now + 20 * (now - began)

    def _archive(self, states: list[dict] | None, results: dict | None) -> ArchiveData:
        while len(self.archived) < len(self.finished):
            self.archived.append(_to_archive(self.finished[len(self.archived)]))
        experiments = list(self.archived)
        if states is not None:
            experiments.append(_to_archive(_experiment_of(states, None)))
        return ArchiveData(
            seed=self.config.seed,
            config=self.folder.config_text(),
            ops=[op.name for op in by_number()],
            zero_version=zero_version(),
            experiments=experiments,
            results=results,
        )

    def _conclude(self, reason: str, states: list[dict] | None) -> Outcome:
        """Evaluates the best candidate on the final tasks and writes archive and best.txt."""
        experiments = list(self.finished)
        if states is not None:
            experiments.append(_experiment_of(states, None))
        best = _best_candidate(experiments)
        totals = {k: sum(e[k] for e in experiments) for k in ("individuals", "train_steps")}
        program, final, results = None, None, None
        baselines: dict[str, tuple] = {}
        search = select = math.nan
        if best is not None:
            record, number = best
            program = from_arrays(record["code"], record["consts"], record["sizes"])
            search, select = record["fitness"], record["select_fitness"]
            figures = {}
            for purpose in ("search", "select", "final"):
                evaluate = self.maker.evaluator(purpose, number)
                result = evaluate(program)
                figures[purpose] = {
                    "fitness": result.fitness,
                    "task_names": list(evaluate.tasks.names),
                    "task_fitness": result.task_fitness,
                }
                final = result
                for name in BASELINES if purpose != "search" else ():
                    fitness = evaluate(library.program(name)).fitness
                    baselines[name] = (*baselines.get(name, ()), fitness)
            results = {"program": str(program), "record": record["number"], "reason": reason,
                       **totals, **figures}  # fmt: skip
            results["baselines"] = {
                name: {"select": pair[0], "final": pair[1]} for name, pair in baselines.items()
            }
            self.folder.write_best(str(program))
        write_archive(self.folder.archive_path, self._archive(states, results))
        summary = {**self._totals(), **totals, "reason": reason}
        self.folder.log("finish", reason=reason, seconds=self.seconds, **totals)
        self.reporter.finish(summary)
        outcome = Outcome(
            self.folder.path, reason, program, search, select, final,
            totals["individuals"], totals["train_steps"], self.seconds, baselines,
        )  # fmt: skip
        return outcome


_BULKY = ("records", "curve")


def _experiment_of(states: list[dict], reason: str | None) -> dict[str, Any]:
    """Returns an experiment's records, curve and summary from its islands' states.

    reason: why it ended, None while it goes on.
    """
    from zero.island import pack_records, unpack_records
    from zero.population import INDIVIDUALS, TRAIN_STEPS

    records: dict[int, dict[str, Any]] = {}
    for state in states:
        for record in unpack_records(state["records"]):
            known = records.get(record["number"])
            # An emigrant's ancestors are recorded on several islands; one knows its figures.
            if known is None or (record["is_best"], not math.isnan(record["select_fitness"])) > (
                known["is_best"],
                not math.isnan(known["select_fitness"]),
            ):
                records[record["number"]] = record
    ordered = sorted(records.values(), key=lambda r: (r["individuals"], r["island"]))
    best = -math.inf
    for record in ordered:  # best of the run, where islands each had their own
        record["is_best"] = bool(record["is_best"]) and record["fitness"] > best
        best = max(best, record["fitness"]) if record["is_best"] else best
    candidates = [s["candidate"] for s in states if s["candidate"]]
    chosen = max(
        candidates,
        key=lambda c: (_rank(c["select_fitness"]), c["search_fitness"], -c["number"]),
        default=None,
    )
    counts = [s["arrays"]["population.counts"] for s in states]
    return {
        "records": pack_records(ordered),
        "curve": _merged_curve([s["curve"] for s in states]),
        "reason": reason,
        "individuals": int(sum(c[INDIVIDUALS] for c in counts)),
        "train_steps": int(sum(c[TRAIN_STEPS] for c in counts)),
        "search_fitness": float(chosen["search_fitness"]) if chosen else math.nan,
        "select_fitness": float(chosen["select_fitness"]) if chosen else math.nan,
        "candidate": int(chosen["number"]) if chosen else -1,
    }


def _rank(fitness: float) -> float:
    """Returns a number to sort by: NaN last."""
    return -math.inf if math.isnan(fitness) else fitness


def _merged_curve(curves: list[np.ndarray]) -> np.ndarray:
    """Returns one curve for all islands: sums of counts, best of best, mean of mean and spread."""
    # Islands thin their curves as these grow, perhaps not all at the same moment.
    common = functools.reduce(np.intersect1d, [c[:, 0] for c in curves])
    stacked = np.stack([c[np.isin(c[:, 0], common)] for c in curves])
    merged = stacked.sum(axis=0)
    merged[:, 2] = stacked[:, :, 2].max(axis=0)
    merged[:, 3:5] = stacked[:, :, 3:5].mean(axis=0)
    return merged


def _best_candidate(experiments: list[dict]) -> tuple[dict[str, Any], int] | None:
    """Returns (record, experiment) of the candidate best on the select tasks; ties: the later.

    Without any candidate (stopped within the first round) it is the best on the search tasks.
    """
    from zero.island import unpack_records

    best = None
    for number, experiment in enumerate(experiments):
        for record in unpack_records(experiment["records"]):
            chosen = record["number"] == experiment["candidate"]
            if not chosen and not (experiment["candidate"] < 0 and record["is_best"]):
                continue
            rank = (chosen, _rank(record["select_fitness"] if chosen else record["fitness"]))
            if best is None or rank >= best[0]:
                best = (rank, record, number)
    return None if best is None else (best[1], best[2])


def _to_archive(experiment: dict[str, Any]) -> ExperimentData:
    from zero.island import unpack_records

    records = []
    raw = unpack_records(experiment["records"])
    length = max((len(r["code"]) for r in raw), default=0)
    for r in raw:
        code, consts = np.full((length, 4), -1, np.int16), np.zeros((length, 3))
        code[: len(r["code"])], consts[: len(r["consts"])] = r["code"], r["consts"]
        program = from_arrays(r["code"], r["consts"], r["sizes"])
        records.append(
            Record(
                id=r["number"], parent=r["parent"], island=r["island"],
                individuals=r["individuals"], steps=r["steps"], mutation=r["mutation"],
                fitness=r["fitness"], is_best=r["is_best"], select_fitness=r["select_fitness"],
                task_fitness=r["task_fitness"], text=str(program), code=code, consts=consts,
                sizes=r["sizes"],
            )
        )  # fmt: skip
    curve = [
        CurvePoint(int(p[0]), int(p[1]), float(p[2]), float(p[3]), float(p[4]), int(p[5]))
        for p in experiment["curve"]
    ]
    names = ("reason", "individuals", "train_steps", "search_fitness", "select_fitness")
    summary = Summary(**{k: experiment[k] for k in names}, candidate=experiment["candidate"])
    return ExperimentData(records, curve, summary)


@contextmanager
def _signals(interrupt: Callable[[str], None]):
    """Turns Ctrl-C and SIGTERM into a clean stop while it lasts; a second Ctrl-C breaks off."""
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    presses = [0]

    def on_signal(number, frame):
        presses[0] += 1
        if presses[0] > 1:
            raise KeyboardInterrupt
        interrupt("interrupted")

    old = {s: signal.signal(s, on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)

"""Runs whose genomes are programs: from a config to tasks, evaluators, islands and the outcome.

The other functions are for whatever looks at one program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zero.config.sections import Section
from zero.errors import ConfigError, ProgramError
from zero.programs import backends, earlier, library, parts
from zero.programs.backends import Backend, EvaluationSetup
from zero.programs.config import EvaluationSettings, ProgramsConfig, dump_programs
from zero.programs.evaluator import Evaluation, Evaluator
from zero.programs.figures import (
    chance,
    chance_name,
    differ,
    interval,
    part_of,
)
from zero.programs.find import load_program
from zero.programs.interpreter.reference import combine
from zero.programs.keep import beside
from zero.programs.ops import OPS, by_number, get_op
from zero.programs.other_tasks import OtherTasks
from zero.programs.program import (
    FUNCTIONS,
    Instruction,
    Memory,
    Program,
    parse_program,
    validate_program,
)
from zero.programs.raw_records import RawProgram, pack_records, unpack_records
from zero.programs.records import Record
from zero.programs.room import check_room
from zero.programs.simplified import departures, simplify
from zero.rng.philox import key_for
from zero.runs.domain import Conclusion, Domain
from zero.runs.folder import RunFolder
from zero.runs.state import Experiment
from zero.tasks import PURPOSES, Labels, TaskSet, make_task_set
from zero.tasks.read import in_words
from zero.tasks.table import Table


def initial_program(config: ProgramsConfig) -> Program:
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
    padded = _padded(base, sizes)
    validate_program(padded, memory_of(config))
    return padded


def _padded(program: Program, sizes: Sequence[int]) -> Program:
    """Returns the program with NO_OPs at the end of the functions that are shorter than these sizes."""
    return Program(*(
        f + (Instruction("NO_OP"),) * (size - len(f))
        for f, size in zip(program.functions, sizes, strict=True)
    ))  # fmt: skip


def first_population(config: ProgramsConfig) -> tuple[list[Program], str]:
    """Returns the programs that `program.population` names, oldest first, and a note on them.

    They are at most as many as all islands have room for; none without that key.
    """
    run = config.program.population
    if run is None:
        return [], ""
    found = earlier.earlier(run)
    chosen = found.best(config.search.population * config.islands.count)
    least = [getattr(config.program, f).size.min for f in FUNCTIONS]
    what = (
        "individuals of its last population" if found.living else "records: it kept no population"
    )
    note = f"program.population: {run}, the best {len(chosen):,} of {len(found.programs):,} {what}"
    return [_padded(program, least) for program in chosen], note


def memory_of(config: ProgramsConfig) -> Memory:
    """Returns the addresses that programs of a run have."""
    memory = config.program.memory
    return Memory(memory.scalars, memory.vectors, memory.matrices)


def make_tasks(
    config: ProgramsConfig, purpose: str, experiment: int = 0, searched: int = 0
) -> TaskSet:
    """Returns a run's tasks for a purpose; new ones for each experiment if the config says so.

    searched: which of the families that islands search, for the purpose "search".
    """
    number = experiment if config.experiments.new_tasks else 0
    family = getattr(config.tasks, purpose)
    if purpose == "search":
        family = config.tasks.searched[searched]
    return make_task_set(family, purpose, number)


def tasks_of_islands(config: ProgramsConfig) -> list[int]:
    """Returns which of the families in `tasks.searched` each island has, of equal ones the first."""
    families = config.tasks.searched
    first = [next(k for k, f in enumerate(families) if f is family) for family in families]
    return [first[k % len(first)] for k in range(config.islands.count)]


def make_evaluator(
    config: ProgramsConfig, tasks: TaskSet, module=None, combine="mean", draws=0, **how: bool
) -> Evaluator:
    """Returns the evaluator of a run's select or final tasks (always the mean; spec, 4.4).

    draws: which numbers random ops draw, 0: those of the run. how: `independent` and `keep_errors` of
    `Evaluator`.
    """
    return Evaluator(
        tasks,
        config.backend,
        config.dtype,
        seed_key=key_for(config.seed, "evaluation", *([draws] if draws else [])),
        max_abs_error=config.evaluation.max_abs_error,
        combine=combine,
        module=module,
        **how,
    )


def train_budget(config: ProgramsConfig, tasks: TaskSet) -> float:
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


class ProgramsDomain(Domain):
    """What a run over programs is made of; compiles once, in the parent process.

    On backend cuda, islands are dealt out over the GPUs. The parent process never touches these: it
    forks the islands' processes, and CUDA does not survive a fork.

    Args:
        config: of the run.
        initial: what the first population is made of, by default as the config says.
        population: the first programs, if they are not all `initial`; by default as the config says where
            it says `initial`, too.
    """

    def __init__(
        self,
        config: ProgramsConfig,
        initial: Program | None = None,
        population: Sequence[Program] = (),
    ):
        from zero import search

        self.config = config
        self.initial = initial_program(config) if initial is None else initial
        self.population, self._of_population = population, ""
        if initial is None:
            self.population, self._of_population = first_population(config)
        self.method = search.get(config.search.method)
        self._tasks: dict[tuple, TaskSet] = {}
        self._notes: list[str] | None = None
        self._tuned: dict[int, dict[str, Program]] = {}  # by experiment

    def tasks(self, purpose: str, experiment: int, searched: int = 0) -> TaskSet:
        """Returns the experiment's tasks; made once where they do not change.

        searched: as for `make_tasks`.
        """
        fixed = purpose == "final" or not self.config.experiments.new_tasks
        searched = searched if purpose == "search" else 0
        key = (purpose, 0 if fixed else experiment, searched)
        if key not in self._tasks:
            self._tasks = {k: v for k, v in self._tasks.items() if k[1] in (0, experiment)}
            self._tasks[key] = make_tasks(self.config, purpose, experiment, searched)
        return self._tasks[key]

    def tasks_of_islands(self) -> list[int]:
        """Returns which of `tasks.searched` each island has."""
        return tasks_of_islands(self.config)

    @property
    def searched(self) -> list[int]:
        """Which of `tasks.searched` islands have, each once; [0] where all have the same."""
        return sorted(set(self.tasks_of_islands()))

    def in_words(self) -> list[str]:
        """Returns what each island searches (`zero.tasks.read.in_words`), none where all have the same."""
        return in_words(dump_programs(self.config)) if len(self.searched) > 1 else []

    @property
    def labels(self) -> Labels:
        """The labels of the run's tasks."""
        return self.config.tasks.search.labels

    @property
    def backend(self) -> Backend:
        """The backend of the run's islands."""
        return backends.get(self.config.backend)

    def setup(self, purpose: str, experiment: int, searched: int = 0) -> EvaluationSetup:
        """Returns how the experiment's programs are evaluated on the tasks of a purpose."""
        config = self.config
        return EvaluationSetup(
            self.tasks(purpose, experiment, searched), config.dtype, key_for(config.seed, "evaluation"),
            config.evaluation.max_abs_error, self._combine(purpose),
        )  # fmt: skip

    # --- what a run asks of every kind of genome --------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Returns what run.json keeps, beside the config, for `resumed`."""
        found: dict[str, Any] = {
            "initial_program": str(self.initial),
            "evaluation_defaults": _defaults(self.config.evaluation),
        }
        if self.population:
            found["initial_population"] = earlier.to_info(self.population)
        devices = self.backend.devices()
        return found | ({"gpus": devices} if devices else {})

    def stored(self, folder: Path) -> ProgramsDomain:
        """Returns the domain with all data in files: those given as arrays go to the folder."""
        config = _with_stored_data(self.config, folder)
        if config is self.config:
            return self
        stored = ProgramsDomain(config, self.initial, self.population)
        stored._notes = self.notes()  # what was left out is not in the files
        return stored

    def evaluator(
        self,
        purpose: str,
        experiment: int,
        on_gpu: bool = False,
        draws: int = 0,
        searched: int = 0,
        **how: bool,
    ) -> Evaluator:
        """Returns the evaluator of the experiment's tasks, on the code that its islands use.

        It is on the backend's `for_one_program`, unless `on_gpu`: for cuda that is the cpu, because one
        program at a time would leave a GPU idle, and a process that forks islands must not touch it. Both
        agree to rounding.

        draws, how: see `make_evaluator`. searched: see `make_tasks`.
        """
        name = self.config.backend if on_gpu else self.backend.for_one_program
        config, backend = self.config.model_copy(update={"backend": name}), backends.get(name)
        module = None
        if backend.shares_module:
            search = self.setup("search", experiment, searched)
            module = backend.modules(search, config.search.method, 1)[0]
        tasks = self.tasks(purpose, experiment, searched)
        return make_evaluator(config, tasks, module, self._combine(purpose), draws, **how)

    def _combine(self, purpose: str) -> str:
        return self.config.evaluation.fitness if purpose == "search" else "mean"

    def _reported_by(
        self, purpose: str, experiment: int, on_gpu: bool = False, searched: int = 0
    ) -> Evaluator:
        """Returns the evaluator of the figures that are told: the final one is a predictor's."""
        final = purpose == "final"
        independent = final or (purpose == "select" and self._select_independent)
        return self.evaluator(
            purpose, experiment, on_gpu, searched=searched, independent=independent,
            keep_errors=final,
        )  # fmt: skip

    @property
    def _select_independent(self) -> bool:
        """Whether outcomes are chosen as predictors: of tables, whose search goes through several epochs."""
        # The best of many epochs is luck that a predictor has not.
        return isinstance(self.config.tasks.select, Table)

    def figures(
        self,
        program: Program,
        purpose: str,
        experiment: int,
        on_gpu: bool = False,
        evaluate: Evaluator | None = None,
    ) -> tuple[Evaluation, dict[str, Any]]:
        """Returns a program's evaluation on the tasks of a purpose, and all that is told of it.

        The final figure is that of a predictor, see `Evaluator`; evaluate: what gives it, made anew
        by default. The dict has fitness, task_names,
        task_fitness, metric and chance (`zero.programs.figures.chance`, over tasks); of the final tasks
        also interval (95 %), lasting_fitness (what it were if counted as in the search, where memory
        lasts from row to row), order_matters (whether the two differ by more than chance) and
        departures (why they can differ, a list of text; empty if they cannot).
        """
        evaluate = evaluate or self._reported_by(purpose, experiment, on_gpu)
        tasks, result = evaluate.tasks, evaluate(program)
        found = {
            "fitness": result.fitness,
            "task_names": list(tasks.names),
            "task_fitness": result.task_fitness,
            "metric": tasks.metric,
            "chance": combine(chance(tasks), self._combine(purpose)),
        }
        predicts = tasks.training is None
        found |= {} if predicts else {"part": part_of(tasks)}
        if purpose == "final":
            found["interval"] = list(interval(tasks, result))
            found["departures"] = (
                departures(program, tasks.epochs, tasks.labels) if predicts else []
            )
            lasting = result
            if found["departures"]:
                lasting = self.evaluator(purpose, experiment, on_gpu, keep_errors=True)(program)
            found["lasting_fitness"] = lasting.fitness
            found["order_matters"] = differ(tasks, result, lasting)
        return result, found

    def baselines(self, experiment: int) -> dict[str, float]:
        """Returns what the search tasks' fitness is set beside: chance, and the shipped programs.

        The latter not on a backend where they would take long.
        """
        tasks = self.tasks("search", experiment)
        name = chance_name(tasks.metric, part_of(tasks))
        found = {name: combine(chance(tasks), self._combine("search"))}
        if not self.backend.slow:
            evaluate = self.evaluator("search", experiment)
            programs = self._programs_beside(tasks.features, experiment)
            found |= {name: evaluate(program).fitness for name, program in programs.items()}
        return found

    def _beside(self, features: int) -> list[str]:
        """Returns the shipped programs that outcomes are set beside."""
        return beside(features, self.config.program.memory.matrices > 0, self.labels)

    def _programs_beside(self, features: int, experiment: int) -> dict[str, Program]:
        """Returns those programs by name; optimisers and losses with constants tuned on the search tasks."""
        part = part_of(self.tasks("search", experiment))
        if part == "predictor":
            return {name: library.program(name) for name in self._beside(features)}
        number = experiment if self.config.experiments.new_tasks else 0
        if number not in self._tuned:
            evaluate = self.evaluator("search", experiment)
            known = parts.OPTIMIZERS if part == "optimizer" else parts.LOSSES
            self._tuned[number] = {
                f"tuned {name}": parts.tuned(
                    library.program(name), name, lambda program: evaluate(program).fitness
                )
                for name in known
            }
        return self._tuned[number]

    def shown(self, record: RawProgram) -> str:
        """Returns a raw record's program without what changes no prediction."""
        return str(simplify(record.program, self.labels))

    def groups(self) -> list[list[int]] | None:
        """Returns which islands share a process: on backend cuda those of one GPU."""
        return self.backend.groups(self.config.islands.count)

    def islands(self, experiment: int, budget: dict[str, Any]) -> list[Any]:
        """Returns the islands of an experiment.

        budget: what the run has left for it: individuals, train_steps (all islands together).
        """
        from zero.programs.interpreter import cpu
        from zero.programs.island import Island, MigrantBuffer, new_space, share

        config, count = self.config, self.config.islands.count
        program, evaluation = config.program, config.evaluation
        tasks_of = self.tasks_of_islands()
        modules = {
            k: self.backend.modules(
                self.setup("search", experiment, k), config.search.method, count
            )
            for k in self.searched
        }
        functions = [getattr(program, f) for f in FUNCTIONS]
        space, starts = new_space(
            memory_of(config),
            tuple([OPS[name].number for name in f.ops] for f in functions),
            [(f.size.initial, f.size.min, f.size.max) for f in functions],
            config.search.mutations,
            config.search.mutate_probability,
            self.initial,
            program.initial == "random" and not self.population,
            self.population,
            self._conditions(self.tasks("search", experiment)),
        )
        cache, hurdle = evaluation.cache, evaluation.hurdle

        size, migrants = config.search.population, config.islands.migrants
        buffer = None
        if count > 1 and migrants:
            several = len(self.searched) > 1
            buffer = MigrantBuffer(count, size, migrants, int(starts[3]), several)
        islands = []
        for k in range(count):
            tasks, module = self.tasks("search", experiment, tasks_of[k]), modules[tasks_of[k]][k]
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
            select = self.evaluator("select", experiment, independent=self._select_independent)
            islands.append(
                Island(
                    module, share(space, k, count), memory_of(config), arrays, select,
                    size, self.method.numbers(config.search), config.seed,
                    experiment, k, count, self.limits(budget, k), migrants, buffer,
                    config.search.batch, self._other_tasks(experiment, k),
                )
            )  # fmt: skip
        # Those of other numbers of tasks are compiled apart.
        for k in self.searched if islands else ():
            islands[tasks_of.index(k)].warm_up()
        return islands

    def _other_tasks(self, experiment: int, island: int) -> OtherTasks | None:
        """Returns what an island knows of the others' tasks, None where all have the same."""
        if len(self.searched) == 1:
            return None
        tasks_of = self.tasks_of_islands()
        counts = {k: self.tasks("search", experiment, k).num_tasks for k in self.searched}
        first = sum(n for k, n in counts.items() if k < tasks_of[island])
        name = self.in_words()[self.searched.index(tasks_of[island])].partition(": ")[2]
        return OtherTasks(tasks_of, island, name, first, sum(counts.values()))

    def _searched_by(self, best: RawProgram, experiment: int) -> int:
        """Returns on which of `tasks.searched` a record's fitness is."""
        at = 0
        for k in self.searched:
            end = at + self.tasks("search", experiment, k).num_tasks
            if np.isfinite(best.task_fitness[at:end]).any():
                return k
            at = end
        return self.tasks_of_islands()[best.island]  # its first program, which was never the best

    def _conditions(self, tasks: TaskSet) -> dict[str, Any] | None:
        """Returns what children must be, as `zero.programs.island.new_space` takes it."""
        proposals = self.config.search.proposals
        if proposals is None:
            return None
        followed = part_of(tasks) == "predictor" and tasks.labels == "scalar"
        return proposals.model_dump() | {"learns": proposals.learns and followed}

    def check_device(self) -> None:
        """Raises DeviceError if the backend cannot be used on this machine."""
        self.backend.devices()

    def check(self) -> None:
        """Checks what only the data can tell, and cuts defaults that the data are too small for.

        Raises:
            TaskError: the final tasks' test rows may be among those of the others.
            ConfigError: matrices need more memory than there is; cache or hurdle look at more examples than
                there are, a line each.
        """
        self._check_apart()
        self._check_alike()
        sets = [self.tasks("search", 0, k) for k in self.searched]
        for tasks in sets:
            check_room(self.config, tasks)
        if sets[0].training is not None:  # which has neither cache nor hurdle
            return
        # They look within the first epoch.
        have = {
            "train": min(tasks.train_x.shape[1] for tasks in sets),
            "valid": min(tasks.valid_x.shape[1] for tasks in sets),
        }
        evaluation = _fitted(self.config.evaluation, have)
        self.config = self.config.model_copy(update={"evaluation": evaluation})
        cache, hurdle = evaluation.cache, evaluation.hurdle
        found = []
        for name, part in (("cache", cache), ("hurdle", hurdle)):
            for split, most in have.items():
                if part and getattr(part, split) > most:
                    found.append(
                        f"evaluation.{name}.{split} is {getattr(part, split)}, but the search "
                        f"tasks have only {most} {split} examples; give at most {most}, or "
                        f"{name}: none"
                    )
        if cache and hurdle and hurdle.train < cache.train:
            found.append(
                f"evaluation.hurdle.train is {hurdle.train}, but evaluation.cache.train is "
                f"{cache.train} and comes first; give the hurdle at least {cache.train}"
            )
        if found:
            raise ConfigError("\n".join(found))

    def _check_apart(self) -> None:
        """Raises TaskError if the final tasks' test rows may be among those of the others."""
        families = self.config.tasks
        for family in (*families.searched, families.select):
            families.final.check_apart(family)

    def _check_alike(self) -> None:
        """Raises ConfigError if programs of one island cannot be those of another with other tasks."""
        first, found = self.tasks("search", 0), []
        for k in self.searched[1:]:
            tasks = self.tasks("search", 0, k)
            pairs = (("features", first.features, tasks.features),
                     ("classes", first.classes, tasks.classes))  # fmt: skip
            found += [
                f"tasks.search[{k}] has {other} {what}, and tasks.search[0] has {one}; islands exchange "
                f"programs, so give families of as many {what}"
                for what, one, other in pairs
                if one != other
            ]
        if found:
            raise ConfigError("\n".join(found))

    def notes(self) -> list[str]:
        """Returns what a person should know of the data, a line each."""
        if self._notes is None:
            given = self.config.tasks
            families = [*given.searched, given.select, given.final]
            self._notes = list(dict.fromkeys(note for f in families for note in f.notes()))
            self._notes += [self._of_population] if self._of_population else []
        return self._notes

    def data_digest(self) -> str:
        """Returns a digest of the run's data: a resumed run must find the same."""
        digest = hashlib.sha256()
        for purpose, k in (*(("search", k) for k in self.searched), ("select", 0), ("final", 0)):
            tasks = self.tasks(purpose, 0, k)
            for array in (tasks.train_x, tasks.train_y, tasks.valid_x, tasks.valid_y, tasks.keys):
                digest.update(str(array.shape).encode())
                digest.update(array.ravel())  # in place: they can be large
            if tasks.valid_weights is not None:
                digest.update(tasks.valid_weights.tobytes())
            for network in tasks.training.networks if tasks.training else ():
                digest.update(network.start.tobytes())
        return digest.hexdigest()

    def answers(self, reports: list[dict], drawn: list[np.ndarray]) -> list[Any]:
        """Returns what each island receives; the individuals themselves are in shared memory."""
        return drawn

    def unpack(self, columns: dict[str, Any]) -> list[RawProgram]:
        """Returns the records of a state or of an experiment."""
        return unpack_records(columns)

    def pack(self, records: list[RawProgram]) -> dict[str, Any]:
        """Returns the columns that `unpack` takes."""
        return pack_records(records)

    def ops(self) -> list[str]:
        """Returns the names of the ops by their numbers."""
        return [op.name for op in by_number()]

    def archived(self, raw: list[RawProgram]) -> list[Record]:
        """Returns records as the archive has them."""
        length = max((len(r.code) for r in raw), default=0)
        records = []
        for r in raw:
            code, consts = np.full((length, 4), -1, np.int16), np.zeros((length, 3))
            code[: len(r.code)], consts[: len(r.consts)] = r.code, r.consts
            records.append(
                Record(
                    id=r.number, parent=r.parent, island=r.island, individuals=r.individuals,
                    steps=r.steps, mutation=r.mutation, fitness=r.fitness, is_best=r.is_best,
                    select_fitness=r.select_fitness, task_fitness=r.task_fitness,
                    text=str(r.program), code=code, consts=consts, sizes=r.sizes,
                )
            )  # fmt: skip
        return records

    def outline(self, best: RawProgram, folder: RunFolder) -> Conclusion:
        """Returns the program without any figures; writes best.txt.

        A trained model that the folder has of another program, from before a larger budget, goes.
        """
        from zero.programs import model

        program = best.program
        file = folder.path / model.FILE
        if file.is_file() and model.load_model(file).trained.program != simplify(
            program, self.labels
        ):
            file.unlink()
        folder.write_best(str(program))
        results = {"program": str(program), "search": None, "select": None, "final": None}
        return Conclusion(program, None, {}, {**results, "baselines": {}})

    def conclude(
        self,
        best: RawProgram,
        number: int,
        experiments: Sequence[Experiment],
        final_state: Any,
        folder: RunFolder,
    ) -> Conclusion:
        """Evaluates the run's outcome on all tasks and writes best.txt."""
        program = best.program
        figures: dict[str, Any] = {}
        final = None
        searched = self._searched_by(best, number) if len(self.searched) > 1 else 0
        pairs: dict[str, tuple] = {}
        for purpose in ("search", "select", "final"):
            evaluate = self._reported_by(purpose, number, searched=searched)
            final, figures[purpose] = self.figures(program, purpose, number, evaluate=evaluate)
            if purpose == "search":
                continue
            programs = self._programs_beside(evaluate.tasks.features, number)
            for name, shipped in programs.items():
                fitness = evaluate(shipped).fitness
                pairs[name] = (*pairs.get(name, ()), fitness)
        baselines = {name: {"select": pair[0], "final": pair[1]} for name, pair in pairs.items()}
        folder.write_best(str(program))
        results = {"program": str(program), **figures, "baselines": baselines}
        keys = ("metric", "part", "interval", "lasting_fitness", "order_matters", "departures")
        details = {key: figures["final"][key] for key in keys if key in figures["final"]}
        details["labels"] = self.labels
        if len(self.searched) > 1:
            words = self.in_words()[self.searched.index(searched)]
            figures["search"]["found_on"] = details["found_on"] = words
        details["chance"] = {purpose: part["chance"] for purpose, part in figures.items()}
        kept = self._keep(program, figures["final"], number, folder)
        results |= {"table": kept} if kept else {}
        details |= kept
        return Conclusion(program, final, pairs, results, details)

    def _keep(
        self, program: Program, final: dict[str, Any], number: int, folder: RunFolder
    ) -> dict[str, Any]:
        """Trains the outcome on all of a table's rows but the test's and keeps it, ready to predict.

        Returns what is told of it: `zero.programs.keep.compared`, or not_kept: why; nothing of other tasks.
        """
        from zero.programs import keep, model, predicted_rows

        if keep.table_of(self.config) is None:
            return {}
        low, high = final["interval"]
        about = {
            "run": self.config.name, "final fitness": f"{final['fitness']:.6g} ({low:.4g} to {high:.4g})",
            "seed": str(self.config.seed),
        }  # fmt: skip
        module = None
        if self.backend.shares_module:
            search = self.setup("search", number)
            module = self.backend.modules(search, self.config.search.method, 1)[0]
        try:
            kept = keep.train_on_all(self.config, program, module, about)
        except ProgramError as error:
            (folder.path / model.FILE).unlink(missing_ok=True)  # of before a larger budget
            return {"not_kept": str(error)}
        kept.save(folder.path / model.FILE)
        beside = self._beside(kept.trained.features)
        predictions = keep.predictions(self.config, kept, beside)
        predicted_rows.save(keep.predicted_rows(self.config, predictions), folder.path)
        return keep.compared(self.config, kept, predictions)


def resumed(config: ProgramsConfig, info: dict[str, Any]) -> ProgramsDomain:
    """Returns the domain of a run that began earlier; info: what `ProgramsDomain.info` gave then."""
    evaluation = _with_defaults(config.evaluation, info.get("evaluation_defaults", []))
    config = config.model_copy(update={"evaluation": evaluation})
    initial = parse_program(info.get("initial_program", ""), "run.json")
    return ProgramsDomain(config, initial, earlier.from_info(info.get("initial_population")))


def _fitted(evaluation: EvaluationSettings, have: dict[str, int]) -> EvaluationSettings:
    """Returns the section with no default of cache and hurdle above what there is.

    have: examples of a search task by split.
    """
    most = dict(have)
    hurdle, cache = evaluation.hurdle, evaluation.cache
    if hurdle:
        hurdle = _cut(hurdle, most)
        most["train"] = min(most["train"], hurdle.train)  # the cache comes first
    return evaluation.model_copy(update={"hurdle": hurdle, "cache": cache and _cut(cache, most)})


def _cut(section: Section, most: dict[str, int]) -> Section:
    given = section.model_fields_set
    return section.model_copy(
        update={key: min(getattr(section, key), n) for key, n in most.items() if key not in given}
    )


def _defaults(evaluation: EvaluationSettings) -> list[str]:
    """Returns which settings of cache and hurdle `_fitted` may cut; a config on disk has them all."""
    sections = {"cache": evaluation.cache, "hurdle": evaluation.hurdle}
    return [
        f"{name}.{split}"
        for name, section in sections.items()
        for split in ("train", "valid")
        if section and split not in section.model_fields_set
    ]


def _with_defaults(evaluation: EvaluationSettings, keys: list[str]) -> EvaluationSettings:
    """Returns the section with these settings as if nobody had given them."""
    update = {}
    for name in ("cache", "hurdle"):
        section = getattr(evaluation, name)
        if section:
            given = {k for k in section.model_fields_set if f"{name}.{k}" not in keys}
            update[name] = type(section).model_construct(given, **dict(section))
    return evaluation.model_copy(update=update)


def _with_stored_data(config: ProgramsConfig, folder: Path) -> ProgramsConfig:
    """Returns the config with all task data in files; those given as arrays go to the folder."""
    stored: dict[int, Any] = {}
    named = [(purpose, getattr(config.tasks, purpose)) for purpose in PURPOSES]
    named += [(f"search-{k}", family) for k, family in enumerate(config.tasks.others, 1)]
    for name, family in named:
        if id(family) not in stored:
            stored[id(family)] = family.stored(folder.resolve() / f"{name}-data.npz")
    if all(stored[id(family)] is family for _, family in named):
        return config
    families: dict[str, Any] = {p: stored[id(getattr(config.tasks, p))] for p in PURPOSES}
    families["others"] = tuple(stored[id(family)] for family in config.tasks.others)
    return config.model_copy(update={"tasks": config.tasks.model_copy(update=families)})

"""Checks across the sections of a run over programs.

See `zero.config.checks`, which has those of every run. Called by `zero.programs.config`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zero.config.checks import OF_EVERY_RUN
from zero.config.files import is_path
from zero.config.settings import Found, Unknown, roughly
from zero.config.words import got
from zero.config.yaml import Loc
from zero.errors import ZeroError, unknown_name
from zero.programs import library
from zero.programs.ops import get_op
from zero.programs.program import (
    CLASS_LABEL,
    CLASS_PREDICTION,
    FUNCTIONS,
    MAX_SIZE,
    Program,
    memory_needed,
    parse_program,
    validate_program,
)
from zero.programs.program import Memory as ProgramMemory
from zero.search import breeds
from zero.tasks import PURPOSES

INITIAL_WORDS = ("empty", "no_op", "random")


def _check_batch(config: Any) -> Iterator[Found]:
    if config.backend == "cuda" and config.search.batch == 1:
        message = "must be at least 2 with backend cuda (null: as many as suit a GPU), got 1"
        yield ("search", "batch"), message


def _check_size(name: str, config: Any) -> Iterator[Found]:
    size = getattr(config.program, name).size
    if not size.min <= size.initial <= size.max:
        message = (
            "must have min <= initial <= max, got "
            f"min {size.min}, initial {size.initial}, max {size.max}"
        )
        yield ("program", name, "size"), message


def _check_matrix_ops(name: str, config: Any) -> Iterator[Found]:
    if config.program.memory.matrices:
        return
    ops = [get_op(op) for op in dict.fromkeys(roughly(getattr(config.program, name), "ops"))]
    lacking = [op.name for op in ops if "m" in (*op.inputs, op.output)]
    if lacking:
        need = "need program.memory.matrices of at least 1, got 0; raise it or leave them out"
        yield ("program", name, "ops"), f"matrix ops ({_some(lacking)}) {need}"


def _check_vector_ops(name: str, config: Any) -> Iterator[Found]:
    if config.program.memory.vectors > 1:
        return
    ops = [get_op(op) for op in dict.fromkeys(roughly(getattr(config.program, name), "ops"))]
    lacking = [op.name for op in ops if op.output == "v"]
    if lacking:
        need = "need program.memory.vectors of at least 2, got 1 (v0 holds the features)"
        yield ("program", name, "ops"), f"ops that write a vector ({_some(lacking)}) {need}"


def _check_random_start(name: str, config: Any) -> Iterator[Found]:
    function = getattr(config.program, name)
    starts_random = config.program.initial == "random" and config.program.population is None
    if starts_random and not function.ops and function.size.initial > 0:
        message = (
            f"is empty, so {function.size.initial} random instructions cannot be made; list ops"
        )
        yield ("program", name, "ops"), message


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _of_functions(check: Any) -> Iterator[Any]:
    """Yields the check of each function, so that one's mistakes hide no other's."""
    for name in FUNCTIONS:
        yield lambda config, name=name: check(name, config)


def _check_any_ops(config: Any) -> Iterator[Found]:
    if not any([getattr(config.program, name).ops for name in FUNCTIONS]):
        message = "no function has ops, so nothing can evolve; list some in setup, predict or learn"
        yield ("program",), message


def check_initial(config: Any, check_files: bool = True) -> Iterator[Found]:
    """Checks the program that a search starts from; `check_files` False does not read files."""
    loc, initial = ("program", "initial"), config.program.initial
    if initial in INITIAL_WORDS:
        return
    try:
        if initial in library.names():
            start = library.program(initial)
        elif not is_path(initial):
            known = [*INITIAL_WORDS, *library.names()]
            message = unknown_name("initial program", initial, known)
            own = "; for a file or a run of your own give its path, such as ./start.txt"
            yield loc, message + own
            return
        elif not check_files:
            return
        elif is_run(initial):
            from zero.programs.find import load_program

            start = load_program(initial)
        else:
            path = Path(initial)
            start = parse_program(path.read_text(encoding="utf-8"), path.name)
        lacking = _lacking(config, [start]) if check_files else ""  # runs of older versions go on
        if lacking:
            yield loc, f"{got(initial)} does not fit: it needs {lacking}"
            return
        validate_program(start, _known_memory(config))
    except ZeroError as error:
        yield loc, f"{got(initial)} cannot be used: {error}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        yield loc, f"{got(initial)} cannot be read: {reason}"


def check_population(config: Any, check_files: bool = True) -> Iterator[Found]:
    """Checks the earlier run whose population a search starts from, as `check_initial` does."""
    loc, run = ("program", "population"), config.program.population
    if run is None or not check_files:
        return
    from zero.programs.earlier import earlier

    try:
        lacking = _lacking(config, earlier(run).programs)
        if lacking:
            yield loc, f"{got(run)} does not fit: its programs need {lacking}"
    except ZeroError as error:
        yield loc, f"{got(run)} cannot be used: {error}"


def is_run(what: str) -> bool:
    """Returns whether that names a run or a record of one, rather than a program's file."""
    path = Path(what.partition("#")[0])
    return path.is_dir() or path.suffix == ".h5"


def _lacking(config: Any, programs: Sequence[Program]) -> str:
    """Returns which keys must be larger for programs to fit, an empty text if they do."""
    memory, found = _known_memory(config), []
    needs = [memory_needed(program) for program in programs]
    for bank in ("scalars", "vectors", "matrices"):
        found.append(
            (f"memory.{bank}", max(getattr(n, bank) for n in needs), getattr(memory, bank))
        )
    for k, name in enumerate(FUNCTIONS):
        try:
            most = getattr(config.program, name).size.max
        except Unknown:
            continue
        need = max(len(program.functions[k]) for program in programs)
        found.append((f"{name}.size.max", need, most))
    return ", ".join(
        f"program.{key} of at least {need}, got {have}" for key, need, have in found if need > have
    )


def _known_memory(config: Any) -> ProgramMemory:
    """Returns a run's memory; as many addresses as there can be where their number is wrong."""
    found = []
    for bank in ("scalars", "vectors", "matrices"):
        try:
            found.append(getattr(config.program.memory, bank))
        except Unknown:
            found.append(MAX_SIZE)
    return ProgramMemory(*found)


def _check_labels(config: Any) -> Iterator[Found]:
    """Vector labels: of all tasks or none, with addresses for them, and not on a GPU."""
    families = {purpose: getattr(config.tasks, purpose, None) for purpose in PURPOSES}
    if None in families.values():  # a mistake that is told already
        return
    labels = families["search"].labels
    others = dict(_others(config))
    for loc, family in [*((("tasks", p), families[p]) for p in PURPOSES[1:]), *others.items()]:
        if family.labels != labels:
            message = (
                f"has {family.labels} labels and the search tasks have {labels} ones; "
                "a program predicts either"
            )
            yield loc, message
    if labels == "scalar":
        return
    need, have = CLASS_PREDICTION + 1, config.program.memory.vectors
    if have < need:
        message = (
            f"must be at least {need} with vector labels (v0 features, v{CLASS_LABEL} label, "
            f"v{CLASS_PREDICTION} prediction), got {have}"
        )
        yield ("program", "memory", "vectors"), message
    if config.backend == "cuda":
        yield ("backend",), "'cuda' knows no vector labels yet; use 'cpu'"


def _others(config: Any) -> Iterator[tuple[Loc, Any]]:
    """Yields the families that some islands search instead of the first one, with their places."""
    for number, family in enumerate(getattr(config.tasks, "others", ()), 1):
        yield ("tasks", "search", number), family


def _check_islands(config: Any) -> Iterator[Found]:
    """Checks that every family of a list is searched by some island."""
    number, count = 1 + len(dict(_others(config))), config.islands.count
    if number > count:
        message = (
            f"lists {number} families for {count} island{'s' * (count > 1)}, each of which searches one; "
            f"give islands.count of at least {number}, or fewer families"
        )
        yield ("tasks", "search"), message


def _check_mutations(config: Any) -> Iterator[Found]:
    if breeds(config.search.method) and not any(config.search.mutations.values()):
        message = "all weights are 0 or the list is empty; give at least one mutation a weight"
        yield ("search", "mutations"), message


def _check_start(config: Any) -> Iterator[Found]:
    mutations = config.search.mutations
    grows = mutations.get("insert_instruction", 0) > 0
    only_sampled = not breeds(config.search.method) or not any(mutations.values())
    begins_empty = config.program.initial == "empty" and config.program.population is None
    if begins_empty and not grows and not only_sampled:
        message = (
            "must have insert_instruction with a weight above 0 when program.initial is empty: "
            "otherwise all programs stay empty"
        )
        yield ("search", "mutations"), message


def _check_part(config: Any) -> Iterator[Found]:
    """Checks what tasks in which programs are a part of training a network do not allow."""
    families: dict[Loc, Any] = {("tasks", p): getattr(config.tasks, p, None) for p in PURPOSES}
    families |= dict(_others(config))
    parts = {loc: family.part for loc, family in families.items() if family is not None}
    part = parts.get(("tasks", "search"), "predictor")
    for loc in parts:
        if parts[loc] != part and ("tasks", "search") in parts:
            message = (
                f"programs are the {parts[loc]} on these tasks and the {part} on the search tasks; give "
                "tasks in which they are the same"
            )
            yield loc, message
    if part == "predictor":
        return
    if config.backend == "cuda":
        yield (
            ("backend",),
            f"cuda does not train networks, and here programs are their {part}; give cpu",
        )
    for name in ("hurdle", "cache"):
        given = name in config.evaluation.model_fields_set
        if given and getattr(config.evaluation, name) is not None:
            message = f"looks at a predictor's errors, and here programs are the {part}; give none"
            yield ("evaluation", name), message
    if part == "loss" and config.program.learn.ops:
        message = "a loss is predict alone and learn is not called; give learn: {ops: [], size: 0}"
        yield ("program", "learn", "ops"), message


OF_PROGRAMS = (
    *OF_EVERY_RUN,
    _check_batch,
    *_of_functions(_check_size),
    *_of_functions(_check_matrix_ops),
    *_of_functions(_check_vector_ops),
    *_of_functions(_check_random_start),
    _check_any_ops,
    _check_labels,
    _check_islands,
    _check_mutations,
    _check_start,
    _check_part,
)

"""A run's configuration: what a YAML file may say, its defaults and limits.

`load_config` reads and checks a file, and reports every mistake in one go as
`file:line:column: key: what was wrong, what is allowed, did you mean`. `zero.config.yaml` reads;
`zero.config.read` finds the mistakes, `zero.programs.checks` those across sections. The sections
follow the original engine's settings (spec, sections 6 and 7), with one difference: a function's
`max` size is inclusive here.

Called by `zero.runs.run` and the command line. Nothing below `zero.runs.run` receives a config.
"""

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SerializeAsAny,
    Tag,
    WithJsonSchema,
)
from pydantic.json_schema import models_json_schema

from zero.config import (
    endings as config_files,
)
from zero.config import (
    imports,
)
from zero.config import (
    words as config_words,
)
from zero.config import (
    yaml as yaml_loader,
)
from zero.config.read import read_section, read_tasks
from zero.config.schema import with_none_words
from zero.config.settings import Settings, across, plain
from zero.config.shipped import shipped_configs
from zero.errors import ConfigError, ProgramError, unknown_name, what_is
from zero.programs import checks as config_checks
from zero.programs import library
from zero.programs.mutation_names import MUTATION_NAMES
from zero.programs.ops import GROUPS, OPS, get_op
from zero.programs.program import MAX_SIZE
from zero.tasks import TaskFamily, task_families

_FILE_SUFFIXES = (".yaml", ".yml")
SCHEMA_KINDS = ("programs", "cells")  # what `config_schema` has a schema of


def _whole(value: Any) -> Any:
    """Returns 1e6 as 1000000, anything else unchanged."""
    is_whole = isinstance(value, float) and value.is_integer()
    return int(value) if is_whole else value


def _same_sizes(value: Any) -> Any:
    value = _whole(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return {"initial": value, "min": value, "max": value}
    return value


def as_tuple(value: Any) -> Any:
    """Returns a list as a tuple, and a single text as one of one item."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str) else value


def _op_name(name: str) -> str:
    if name in GROUPS:
        return name
    try:
        return get_op(name).name
    except ProgramError:
        pass
    # All seventy names would bury the one that was meant.
    near = difflib.get_close_matches(name.upper(), OPS, n=3) or list(GROUPS)
    raise ValueError(
        f"unknown op '{name}'; did you mean {', '.join(near)}? (`zero list ops` shows all; "
        f"groups: {', '.join(GROUPS)})"
    )


def _expanded(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(op for name in names for op in GROUPS.get(name, [name]))


def one_of(kind: str, known: Callable[[], Iterable[str]]) -> AfterValidator:
    """Returns a validator that refuses names that are not in `known()`."""

    def check(name: str) -> str:
        if name not in known():
            raise ValueError(unknown_name(kind, name, known()))
        return name

    return AfterValidator(check)


def search_methods() -> Iterable[str]:
    """Returns the names of the search methods."""
    from zero import search

    return search.names()


def _counted(names: list[str]) -> dict[str, float]:
    """Returns a list of mutation names as name -> number of times it is listed."""
    return {name: float(names.count(name)) for name in names}


Whole = Annotated[int, BeforeValidator(_whole)]
# The limits stand before the validator: only then does the JSON schema show them.
Positive = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
SizeNumber = Annotated[int, Field(ge=0, le=MAX_SIZE), BeforeValidator(_whole)]
OpList = Annotated[
    tuple[Annotated[str, AfterValidator(_op_name)], ...],
    BeforeValidator(as_tuple),
    AfterValidator(_expanded),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "expected": "a list of op names and groups (all, deterministic, random, constant)",
        }
    ),
]
Weight = Annotated[float, Field(ge=0)]
MutationName = Annotated[str, one_of("mutation", lambda: MUTATION_NAMES)]
Mutations = Annotated[
    Annotated[dict[MutationName, Weight], Tag("weights")]
    | Annotated[list[MutationName], AfterValidator(_counted), Tag("names")],
    Discriminator(lambda value: "names" if isinstance(value, list) else "weights"),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "object",
                    "propertyNames": {"enum": list(MUTATION_NAMES)},
                    "additionalProperties": {"type": "number", "minimum": 0},
                },
                {"type": "array", "items": {"enum": list(MUTATION_NAMES)}},
            ],
            "expected": "mutation names with weights, or a list of mutation names",
        }
    ),
]


RunName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}$",
        json_schema_extra={"expected": "up to 100 letters, digits, spaces and _ . -"},
    ),
]


class Section(Settings):
    """Base of the sections: unknown keys and values of another type are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Memory(Section):
    """Numbers of addresses (spec, section 1); s0: label, s1: prediction, v0: features."""

    scalars: Whole = Field(4, ge=2, le=64)
    vectors: Whole = Field(3, ge=1, le=64)
    matrices: Whole = Field(1, ge=0, le=64)


class Size(Section):
    """Instructions in a function: at the start, and what mutations keep to (both inclusive)."""

    initial: SizeNumber = 0
    min: SizeNumber = 0
    max: SizeNumber = 20


class LearnSize(Size):
    """As `Size`; learn functions are longer."""

    max: SizeNumber = 40


def _size_field(kind: type[Size]) -> Any:
    number = {"type": "integer", "minimum": 0, "maximum": MAX_SIZE}
    properties = {name: number for name in ("initial", "min", "max")}
    section = {"type": "object", "properties": properties, "additionalProperties": False}
    return Annotated[
        kind, BeforeValidator(_same_sizes), WithJsonSchema({"anyOf": [number, section]})
    ]


class ComponentFunction(Section):
    """Which ops a function may use (repeated: more often) and its size.

    ops: op names, groups expanded. Empty: mutations leave the function as it is.
    """

    ops: OpList = ()
    size: _size_field(Size) = Size()


class LearnFunction(ComponentFunction):
    """As `ComponentFunction`."""

    size: _size_field(LearnSize) = LearnSize()


class ProgramSettings(Section):
    """The programs that a search may visit, and where it starts.

    initial: `empty`, `no_op`, `random`, a shipped program's name or the path of a program text.
    """

    memory: Memory = Memory()
    setup: ComponentFunction = ComponentFunction()
    predict: ComponentFunction = ComponentFunction()
    learn: LearnFunction = LearnFunction()
    initial: str = Field("empty", min_length=1)


class Tasks(Section):
    """Task families for search, for selection among experiments, and for the final figure."""

    search: SerializeAsAny[TaskFamily]
    select: SerializeAsAny[TaskFamily]
    final: SerializeAsAny[TaskFamily]


def _forget(value: int) -> int:
    if value == 1:
        raise ValueError("must be 0 (never) or a whole number of at least 2, got 1")
    return value


class Cache(Section):
    """Functional equivalence cache (spec, section 6.6)."""

    train: Whole = Field(10, ge=1, le=100)
    valid: Whole = Field(10, ge=1, le=100)
    size: Whole = Field(100_000, ge=1, le=100_000_000)
    forget_every: Annotated[int, Field(ge=0), BeforeValidator(_whole), AfterValidator(_forget)] = (
        100
    )


class Hurdle(Section):
    """A short evaluation that a program must pass before the full one (spec, section 9).

    It must reach the quantile of the unique early fitnesses of the last programs (1000 at most). One
    that fails gets a thousandth of its early fitness, so that it ranks below those that passed.
    """

    train: Positive = 100
    valid: Positive = 100
    quantile: float = Field(0.75, ge=0, le=1)


class TrainBudget(Section):
    """Programs that cost over `factor` times the baseline get fitness 0 (spec, section 6.5)."""

    baseline: Annotated[str, one_of("program", library.names)] = "neural_network"
    factor: float = Field(2.0, gt=0)


class Evaluation(Section):
    """How programs are evaluated; `none` switches cache, hurdle and train budget off."""

    fitness: Literal["mean", "median", "min"] = "mean"
    max_abs_error: float = Field(100.0, gt=0)
    cache: Cache | None = Cache()
    hurdle: Hurdle | None = None
    train_budget: TrainBudget | None = None


class Search(Section):
    """The search method and its settings (spec, sections 6.3 and 6.4).

    batch: individuals bred at a time (`zero.evolution.batches`); null = as `default_batch` says.
    """

    method: Annotated[str, one_of("search method", search_methods)] = "regularized_evolution"
    population: Whole = Field(1000, ge=2, le=10_000_000)
    tournament: Positive = 10
    batch: Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(_whole)] | None = None
    mutate_probability: float = Field(0.9, ge=0, le=1)
    mutations: Mutations = Field(
        default={
            "alter_parameter": 1.0,
            "randomize_function": 1.0,
            "insert_instruction": 1.0,
            "remove_instruction": 1.0,
        }
    )


def short(config: Any) -> str:
    """Returns a run's config in one line; `config_to_yaml` gives all of it."""
    islands = f"{config.islands.count} island{'s' if config.islands.count > 1 else ''}"
    return (
        f"<{type(config).__name__} '{config.name}': {config.genomes}, seed {config.seed}, backend "
        f"{config.backend}, {islands} of {config.search.population}>"
    )


def default_batch(backend: str, population: int) -> int:
    """Returns how many individuals a backend breeds at a time where the config does not say."""
    # A GPU has some thousand units, and caches leave it only part of a batch. Batches larger than the
    # population would replace it whole before its children are known.
    return min(population, 2048) if backend == "cuda" else 1


class Islands(Section):
    """Processes that evolve side by side and exchange migrants."""

    count: Whole = Field(1, ge=1, le=1024)
    migrate_every: Positive = 10_000
    migrants: Whole = Field(50, ge=0)


class Repetitions(Section):
    """Experiments, each from a fresh population (spec, section 6.8); 0: until fitness suffices."""

    max: Whole = Field(1, ge=0, le=500_000)
    individuals: Positive | None = None
    train_steps: Positive | None = None
    sufficient_fitness: float | None = Field(None, gt=0, le=1)


class Experiments(Repetitions):
    """Repetitions over programs."""

    new_tasks: bool = False


class Budget(Section):
    """When the whole run stops; what is reached first wins."""

    individuals: Positive | None = None
    train_steps: Positive | None = None
    seconds: float | None = Field(None, gt=0)
    fitness: float | None = Field(None, gt=0, le=1)
    patience: Positive | None = None


class RunConfig(Section):
    """A checked run; made by `load_config` or `make_config`, which also check across sections.

    dtype: null = float64, on cuda float32; the two set what they leave open in the returned config.
    """

    genomes: ClassVar[str] = "programs"

    def __repr__(self) -> str:
        return short(self)

    name: RunName = "run"
    seed: Whole = Field(0, ge=0, lt=2**63)
    backend: Literal["cpu", "reference", "cuda"] = "cpu"
    dtype: Literal["float64", "float32"] | None = None
    imports: list[str] = Field(default=[])
    program: ProgramSettings = ProgramSettings()
    tasks: Tasks
    evaluation: Evaluation = Evaluation()
    search: Search = Search()
    islands: Islands = Islands()
    experiments: Experiments = Experiments()
    budget: Budget = Budget()


def load_config(
    path_or_name: str | Path, overrides: Iterable[str] = (), check_files: bool = True
) -> RunConfig:
    """Returns the checked configuration in a YAML file.

    Of a file with a section `cells` it is a `zero.cells.config.CellRunConfig`.

    Relative paths in the file start at the file's folder, those in `overrides` at the current one;
    the returned config has absolute paths. The files in `imports` are executed; of a run folder's
    config.yaml those that the run keeps.

    Args:
        path_or_name: a YAML file, or a shipped config's bare name.
        overrides: `KEY.KEY=VALUE` with VALUE in YAML, applied in order; or a single one.
        check_files: False skips files that only the start of a run reads (`program.initial`).

    Raises:
        ConfigError: one line per mistake, all mistakes of the file in one go.
    """
    if not isinstance(path_or_name, str | os.PathLike):
        hint = "; for settings in Python use zero.make_config" if isinstance(
            path_or_name, Mapping
        ) else ""  # fmt: skip
        raise ConfigError(
            f"load_config takes a YAML file's path or a shipped config's name, got "
            f"{what_is(path_or_name)}{hint}"
        )
    if not isinstance(overrides, Iterable) or isinstance(overrides, Mapping):
        raise ConfigError(
            "overrides is a list of texts KEY=VALUE, such as ['search.population=100'], got "
            f"{what_is(overrides)}"
        )
    path = Path(path_or_name)
    source = str(path_or_name)
    shipped = shipped_configs()
    is_file = os.path.isfile(path)  # False also for names that no file can have
    if not is_file and source in shipped:
        path, source = shipped[source], f"{source}.yaml"
    elif not is_file and path.suffix not in _FILE_SUFFIXES and len(path.parts) == 1:
        unknown = unknown_name("config", source, shipped)
        raise ConfigError(
            f"{unknown}; for a file of your own give its path, such as ./{source}.yaml"
        )
    document = yaml_loader.read(path, source)
    document.kept = imports.kept_in(path.parent) if path.name == "config.yaml" else {}
    for assignment in [overrides] if isinstance(overrides, str) else overrides:
        if not isinstance(assignment, str):
            raise ConfigError(f"overrides are texts KEY=VALUE, got {what_is(assignment)}")
        document.override(assignment)
    document.data.setdefault("name", _name_from(path))
    return checked(document, path.resolve().parent, check_files)


def make_config(settings: dict[str, Any], folder: str | Path = ".") -> RunConfig:
    """Returns the checked configuration that `settings` (shaped as a YAML file) describes.

    Of settings with a section `cells` it is a `zero.cells.config.CellRunConfig`. Task families made in
    Python, such as by `zero.table_from_frame`, may stand for their sections; NumPy numbers, tuples and
    `pathlib.Path` are taken as what they stand for.

    Args:
        settings: sections and keys as in a YAML file.
        folder: where relative paths in them start.

    Raises:
        ConfigError: one line per mistake, all mistakes in one go.
    """
    if not isinstance(settings, Mapping):
        hint = ""
        if isinstance(settings, str | os.PathLike):
            hint = f"; for a file or a shipped config use zero.load_config({os.fspath(settings)!r})"
        elif isinstance(settings, Section):
            hint = "; this is a config already, for zero.start"
        raise ConfigError(
            f"make_config takes a dict shaped as a YAML file, got {what_is(settings)}{hint}"
        )
    if not isinstance(folder, str | os.PathLike):
        raise ConfigError(f"folder must be a path, got {what_is(folder)}")
    document = yaml_loader.Document("settings", plain(settings))
    _check_keys(document, document.data, ())
    return checked(document, Path(folder).resolve())


def _check_keys(document: yaml_loader.Document, data: Any, loc: yaml_loader.Loc) -> None:
    """Takes keys that are no text out of settings from Python; a file cannot have them."""
    for key in [key for key in data if not isinstance(key, str)]:
        del data[key]
        message = f"a key must be a name, got {config_words.got(key)}"
        document.problems.append(document.problem(loc, message))
    for key, value in data.items():
        if isinstance(value, dict):
            _check_keys(document, value, (*loc, key))


def config_to_yaml(config: Section) -> str:
    """Returns the config as YAML, all defaults written out; it loads back to an equal config."""
    data = config.model_dump(mode="json")
    if config.genomes == "cells":
        return yaml_loader.dump(data)
    for purpose in ("search", "select", "final"):
        family = getattr(config.tasks, purpose)
        data["tasks"][purpose] = {"type": family.kind, **data["tasks"][purpose]}
    return yaml_loader.dump(data)


def config_schema(kind: str | None = None) -> dict[str, Any]:
    """Returns the JSON schema (draft 2020-12) of a run's YAML file, for editors.

    kind: one of `SCHEMA_KINDS`, for files of that kind only; None: a file with a section `cells` is
    checked as one of cells, any other as one of programs.

    Raises:
        ConfigError: there is no such kind.
    """
    from zero.cells.config import CellRunConfig

    if kind is not None and kind not in SCHEMA_KINDS:
        raise ConfigError(unknown_name("kind of genome", kind, SCHEMA_KINDS))
    families = task_families()
    models = [(model, "validation") for model in (RunConfig, CellRunConfig, *families.values())]
    refs, schema = models_json_schema(models, title="zero run")
    definitions = schema["$defs"]
    choices = []
    for name, family in families.items():
        reference = refs[(family, "validation")]
        definition = definitions[reference["$ref"].removeprefix("#/$defs/")]
        definition["properties"] = {"type": {"const": name}, **definition.get("properties", {})}
        definition["required"] = ["type", *definition.get("required", [])]
        choices.append(reference)
    tasks = definitions["Tasks"]
    tasks["properties"] = {part: {"oneOf": choices} for part in ("search", "select", "final")}
    tasks["required"] = ["search"]
    programs, cells = refs[(RunConfig, "validation")], refs[(CellRunConfig, "validation")]
    choice = {"if": {"required": ["cells"]}, "then": cells, "else": programs}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **{None: choice, "programs": programs, "cells": cells}[kind],
        "$defs": with_none_words(definitions),
    }


def _name_from(path: Path) -> str:
    """Returns a run's name made from its file's name; other characters become '_'."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in path.stem)
    return plain.lstrip(".-")[:100] or "run"


def checked(document: yaml_loader.Document, folder: Path, check_files: bool = True) -> RunConfig:
    """Returns the document's config; raises ConfigError with all problems, in the file's order."""
    if "cells" in document.data:
        from zero.cells.config import read_cells as read
    else:
        read = _read_programs
    config, problems = read(document, dict(document.data), folder, check_files)
    problems = document.problems + problems
    if problems:
        raise ConfigError(config_words.report(problems))
    return config


def _read_programs(
    document: yaml_loader.Document, data: dict[str, Any], folder: Path, check_files: bool
) -> tuple[Any, list[yaml_loader.Problem]]:
    """Returns a run's config (what is known of it, if it is wrong in part), and all problems."""
    config_files.resolve_paths(document, data, folder)
    problems = config_files.run_imports(document, data)
    families, found = read_tasks(document, data.pop("tasks", None), folder)
    problems += found
    tasks = Tasks.model_construct(**families)
    config, found = read_section(document, RunConfig, {**data, "tasks": tasks})
    problems += found

    def initial(config: Any) -> Any:
        return config_checks.check_initial(config, check_files)

    found = across(config, (*config_checks.OF_PROGRAMS, initial))
    problems += [document.problem(loc, message) for loc, message in found]
    return (config if problems else _with_defaults(config)), problems


def fitted_to_population(config: Any) -> dict[str, Any]:
    """Returns the sections of a run whose defaults must not be above the population's size."""
    search, islands, most = config.search, config.islands, config.search.population
    if "tournament" not in search.model_fields_set:
        search = search.model_copy(update={"tournament": min(search.tournament, most)})
    if "migrants" not in islands.model_fields_set:
        islands = islands.model_copy(update={"migrants": min(islands.migrants, most)})
    return {"search": search, "islands": islands}


def _with_defaults(config: RunConfig) -> RunConfig:
    """Returns the config with what depends on other keys: it is part of the algorithm."""
    sections = fitted_to_population(config)
    search = sections["search"]
    dtype = config.dtype or ("float32" if config.backend == "cuda" else "float64")
    batch = search.batch or default_batch(config.backend, search.population)
    sections["search"] = search.model_copy(update={"batch": batch})
    return config.model_copy(update={"dtype": dtype, **sections})

"""The config of a run over programs: what its file may say, its defaults and limits.

The sections follow the original engine's settings (spec, sections 6 and 7), with one difference: a
function's `max` size is inclusive here. Called by `zero.programs.kind`.
"""

import difflib
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SerializeAsAny,
    Tag,
    WithJsonSchema,
)

from zero.config.files import absolute, is_path
from zero.config.sections import (
    Budget,
    IslandSettings,
    Positive,
    Repetitions,
    RunConfig,
    RunName,
    Section,
    Whole,
    as_tuple,
    fitted_to_population,
    one_of,
    whole,
)
from zero.config.settings import across
from zero.config.yaml import Document, Problem
from zero.errors import ConfigError, ProgramError
from zero.programs import checks, library
from zero.programs.mutation_names import MUTATION_NAMES
from zero.programs.ops import GROUPS, OPS, get_op
from zero.programs.program import MAX_SIZE
from zero.runs.tracking import Track
from zero.search.protocol import SearchSettings
from zero.search.section import default_settings, of_method, read_config, schema_of
from zero.tasks import PURPOSES, TaskFamily, task_families
from zero.tasks.read import read_tasks


def _same_sizes(value: Any) -> Any:
    value = whole(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return {"initial": value, "min": value, "max": value}
    return value


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


def _counted(names: list[str]) -> dict[str, float]:
    """Returns a list of mutation names as name -> number of times it is listed."""
    return {name: float(names.count(name)) for name in names}


SizeNumber = Annotated[int, Field(ge=0, le=MAX_SIZE), BeforeValidator(whole)]
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


class MemorySettings(Section):
    """Numbers of addresses (spec, section 1); s0: label, s1: prediction, v0: features.

    With vector labels v1: label, v2: prediction, and no scalar is set apart.
    """

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

    initial: `empty`, `no_op`, `random`, a shipped program's name, the path of a program text or of a run (its
    outcome; RUN#ID: a record). population: the path of a run whose last population is the first one here,
    instead of `initial`; the best of it where it is larger, each several times where it is smaller.
    """

    memory: MemorySettings = MemorySettings()
    setup: ComponentFunction = ComponentFunction()
    predict: ComponentFunction = ComponentFunction()
    learn: LearnFunction = LearnFunction()
    initial: str = Field("empty", min_length=1)
    population: str | None = Field(None, min_length=1)


class Tasks(Section):
    """Task families for search, for selection among experiments, and for the final figure.

    search: of all islands; where a file has a list of families it is the first, and `others` has the rest:
    island i searches the i-th of `searched`, modulo their number.
    """

    search: SerializeAsAny[TaskFamily]
    select: SerializeAsAny[TaskFamily]
    final: SerializeAsAny[TaskFamily]
    others: tuple[TaskFamily, ...] = Field((), exclude=True)

    @property
    def searched(self) -> tuple[TaskFamily, ...]:
        """The families that islands search, by turns."""
        return (self.search, *self.others)


def _forget(value: int) -> int:
    if value == 1:
        raise ValueError("must be 0 (never) or a whole number of at least 2, got 1")
    return value


class CacheSettings(Section):
    """Functional equivalence cache (spec, section 6.6)."""

    train: Whole = Field(10, ge=1, le=100)
    valid: Whole = Field(10, ge=1, le=100)
    size: Whole = Field(100_000, ge=1, le=100_000_000)
    forget_every: Annotated[int, Field(ge=0), BeforeValidator(whole), AfterValidator(_forget)] = 100


class HurdleSettings(Section):
    """A short evaluation that a program must pass before the full one (spec, section 9).

    It must reach the quantile of the unique early fitnesses of the last programs (1000 at most). One
    that fails gets a thousandth of its early fitness, so that it ranks below those that passed.
    """

    train: Positive = 100
    valid: Positive = 100
    quantile: float = Field(0.75, ge=0, le=1)


class TrainBudgetSettings(Section):
    """Programs that cost over `factor` times the baseline get fitness 0 (spec, section 6.5)."""

    baseline: Annotated[str, one_of("program", library.names)] = "neural_network"
    factor: float = Field(2.0, gt=0)


class EvaluationSettings(Section):
    """How programs are evaluated; `none` switches cache, hurdle and train budget off."""

    fitness: Literal["mean", "median", "min"] = "mean"
    max_abs_error: float = Field(100.0, gt=0)
    cache: CacheSettings | None = CacheSettings()
    hurdle: HurdleSettings | None = None
    train_budget: TrainBudgetSettings | None = None


class ProposalSettings(Section):
    """What a child must be before it is evaluated; see `zero.programs.proposals`.

    changed: of another canonical form than its parent. novel: of one that no recent child had. learns: the
    prediction still depends on the features and on labels that learn saw, where the parent's did (left out
    where labels are vectors or programs are no predictors). again: the probability that such a child is
    mutated once more, and so on. tries: mutations of a child at most.
    """

    changed: bool = True
    learns: bool = True
    novel: bool = True
    again: float = Field(0.0, ge=0, lt=1)
    tries: Annotated[int, Field(ge=2, le=1_000_000), BeforeValidator(whole)] = 1000


class ProgramSearch(SearchSettings):
    """What a search over programs has beside its method's settings (spec, sections 6.3 and 6.4).

    batch: individuals bred at a time (`zero.evolution.batches`); null = as `default_batch` says.
    proposals: none = a child is what its mutation made it, as in the paper.
    """

    genomes: ClassVar[str] = "programs"
    compiled: ClassVar[bool] = True
    instead_of_start: ClassVar[str] = (
        "programs start from an earlier run by program.initial: RUN (its outcome; RUN#ID: a record) or "
        "by program.population: RUN (its last population)"
    )

    batch: Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(whole)] | None = None
    proposals: ProposalSettings | None = None
    mutate_probability: float = Field(0.9, ge=0, le=1)
    mutations: Mutations = Field(
        default={
            "alter_parameter": 1.0,
            "randomize_function": 1.0,
            "insert_instruction": 1.0,
            "remove_instruction": 1.0,
        }
    )


def default_batch(backend: str, population: int) -> int:
    """Returns how many individuals a backend breeds at a time where the config does not say."""
    # A GPU has some thousand units, and caches leave it only part of a batch. Batches larger than the
    # population would replace it whole before its children are known.
    return min(population, 2048) if backend == "cuda" else 1


class Experiments(Repetitions):
    """Repetitions over programs."""

    new_tasks: bool = False


class ProgramsConfig(RunConfig):
    """A checked run over programs.

    dtype: null = float64, on cuda float32; reading it sets what it leaves open.
    """

    genomes: ClassVar[str] = "programs"

    name: RunName = "run"
    seed: Whole = Field(0, ge=0, lt=2**63)
    backend: Literal["cpu", "reference", "cuda"] = "cpu"
    dtype: Literal["float64", "float32"] | None = None
    imports: list[str] = Field(default=[])
    report: bool = True
    program: ProgramSettings = ProgramSettings()
    tasks: Tasks
    evaluation: EvaluationSettings = EvaluationSettings()
    search: Annotated[
        SerializeAsAny[ProgramSearch], BeforeValidator(partial(of_method, ProgramSearch))
    ] = default_settings(ProgramSearch)
    islands: IslandSettings = IslandSettings()
    experiments: Experiments = Experiments()
    budget: Budget = Budget()
    track: Track = ()


def read_programs(
    document: Document, data: dict[str, Any], folder: Path, check_files: bool
) -> tuple[Any, list[Problem]]:
    """Returns a run's config (what is known of it, if it is wrong in part), and all problems.

    Arguments as for `zero.runs.kind.Kind.read`.
    """
    program = data.get("program")
    if isinstance(program, dict) and is_path(program.get("initial")):
        initial = absolute(document, program["initial"], ("program", "initial"), folder)
        program = data["program"] = {**program, "initial": initial}
    if isinstance(program, dict) and isinstance(program.get("population"), str):
        run = absolute(document, program["population"], ("program", "population"), folder)
        data["program"] = {**program, "population": run}
    families, problems = read_tasks(document, data.pop("tasks", None), folder)
    tasks = Tasks.model_construct(**families)
    data = {**data, "tasks": tasks}
    config, found = read_config(document, data, ProgramsConfig, ProgramSearch, folder)
    problems += found

    def initial_program(config: Any) -> Any:
        return checks.check_initial(config, check_files)

    def population(config: Any) -> Any:
        return checks.check_population(config, check_files)

    found = across(config, (*checks.OF_PROGRAMS, initial_program, population))
    problems += [document.problem(loc, message) for loc, message in found]
    return (config if problems else _with_defaults(config)), problems


def dump_programs(config: ProgramsConfig) -> dict[str, Any]:
    """Returns the config as plain values, in the form of a file."""
    data = config.model_dump(mode="json")
    if config.program.population is None:  # so that archives without one stay as they were
        del data["program"]["population"]
    if config.search.proposals is None:
        del data["search"]["proposals"]
    for purpose in PURPOSES:
        family = getattr(config.tasks, purpose)
        data["tasks"][purpose] = {"type": family.kind, **data["tasks"][purpose]}
    if config.tasks.others:
        others = [{"type": f.kind, **f.model_dump(mode="json")} for f in config.tasks.others]
        data["tasks"]["search"] = [data["tasks"]["search"], *others]
    return data


def programs_schema() -> dict[str, Any]:
    """Returns the JSON schema of such a file."""
    families = task_families()
    schema, refs = schema_of(ProgramsConfig, ProgramSearch, *families.values())
    definitions = schema["$defs"]
    for kind, family in families.items():
        definition = definitions[refs[family]["$ref"].removeprefix("#/$defs/")]
        definition["properties"] = {"type": {"const": kind}, **definition.get("properties", {})}
        definition["required"] = ["type", *definition.get("required", [])]
    tasks = definitions["Tasks"]
    one: dict[str, Any] = {"oneOf": list(refs.values())}
    tasks["properties"] = {name: one for name in PURPOSES}
    several = {"type": "array", "items": one, "minItems": 1}
    tasks["properties"]["search"] = {"oneOf": [*refs.values(), several]}
    tasks["required"] = ["search"]
    return schema


def of_programs(config: RunConfig) -> ProgramsConfig:
    """Returns the config, for what knows programs only.

    Raises:
        ConfigError: it is about genomes of another kind.
    """
    if not isinstance(config, ProgramsConfig):
        raise ConfigError(
            f"{config.name} is about {config.genomes}; this command needs a config for programs "
            f"(for {config.genomes}: zero run, zero train)"
        )
    return config


def _with_defaults(config: ProgramsConfig) -> ProgramsConfig:
    """Returns the config with what depends on other keys: it is part of the algorithm."""
    sections = fitted_to_population(config)
    search = sections["search"]
    dtype = config.dtype or ("float32" if config.backend == "cuda" else "float64")
    batch = search.batch or default_batch(config.backend, search.population)
    sections["search"] = search.model_copy(update={"batch": batch})
    if config.tasks.search.part != "predictor":  # the cache knows programs by a predictor's errors
        sections["evaluation"] = config.evaluation.model_copy(update={"cache": None})
    return config.model_copy(update={"dtype": dtype, **sections})

"""Sections that the settings of every kind of genome have, and the types that their keys are of.

The sections follow the original engine's settings (spec, sections 6 and 7). Called by the kinds'
own config files.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from zero.config.settings import Settings
from zero.errors import unknown_name


def whole(value: Any) -> Any:
    """Returns 1e6 as 1000000, anything else unchanged."""
    iswhole = isinstance(value, float) and value.is_integer()
    return int(value) if iswhole else value


def as_tuple(value: Any) -> Any:
    """Returns a list as a tuple, and a single text as one of one item."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str) else value


def one_of(kind: str, known: Callable[[], Iterable[str]]) -> AfterValidator:
    """Returns a validator that refuses names that are not in `known()`."""

    def check(name: str) -> str:
        if name not in known():
            raise ValueError(unknown_name(kind, name, known()))
        return name

    return AfterValidator(check)


Whole = Annotated[int, BeforeValidator(whole)]


# The limits stand before the validator: only then does the JSON schema show them.
Positive = Annotated[int, Field(ge=1), BeforeValidator(whole)]


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


class IslandSettings(Section):
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


class Budget(Section):
    """When the whole run stops; what is reached first wins."""

    individuals: Positive | None = None
    train_steps: Positive | None = None
    seconds: float | None = Field(None, gt=0)
    fitness: float | None = Field(None, gt=0, le=1)
    patience: Positive | None = None


class RunConfig(Section):
    """A checked run: what every kind's config has, each in the order of its own file.

    Made by `zero.config.load`, which also checks across sections.

    report: whether a run writes its report (report.html) when it has ended.
    """

    genomes: ClassVar[str]  # name of the kind, of `zero.genomes`

    if TYPE_CHECKING:
        name: str
        seed: int
        backend: str
        dtype: str | None
        imports: list[str]
        report: bool
        search: Any
        islands: IslandSettings
        experiments: Repetitions
        budget: Budget
        track: tuple[str, ...]

    def __repr__(self) -> str:
        """Returns a run's config in one line; `config_to_yaml` gives all of it."""
        islands = f"{self.islands.count} island{'s' if self.islands.count > 1 else ''}"
        return (
            f"<{type(self).__name__} '{self.name}': {self.genomes}, seed {self.seed}, backend "
            f"{self.backend}, {islands} of {self.search.population}>"
        )


def fitted_to_population(config: Any) -> dict[str, Any]:
    """Returns the sections of a run whose defaults must not be above the population's size."""
    islands = config.islands
    if "migrants" not in islands.model_fields_set:
        most = config.search.population
        islands = islands.model_copy(update={"migrants": min(islands.migrants, most)})
    return {"search": config.search.fitted(), "islands": islands}

"""A run's configuration, read from a YAML file or from Python: every mistake is told in one go.

A mistake reads `file:line:column: key: what was wrong, what is allowed, did you mean`.
`zero.config.yaml` reads; the kind of genome that the file is about (`zero.genomes`) has the model of its
sections and finds the mistakes, with `zero.config.read`.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zero import genomes
from zero.config import imports, trust, words, yaml
from zero.config.files import resolve_imports, run_imports
from zero.config.sections import RunConfig, Section
from zero.config.settings import plain
from zero.config.shipped import shipped_configs
from zero.errors import ConfigError, unknown_name, what_is

_FILE_SUFFIXES = (".yaml", ".yml")


def load_config(
    path_or_name: str | Path, overrides: Iterable[str] = (), check_files: bool = True
) -> RunConfig:
    """Returns the checked configuration in a YAML file.

    Its class is that of the kind of genome that the file's sections are about.

    Relative paths in the file start at the file's folder, those in `overrides` at the current one;
    the returned config has absolute paths. The files in `imports` are executed, and before that named on
    standard error where they or the config are another user's; of a run folder's config.yaml those that
    the run keeps, if this user began it here (`zero.config.trust`).

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
    path, source = find_config(path_or_name)
    document = yaml.read(path, source)
    document.file, document.of_run = path, trust.is_of_run(path)
    document.kept = imports.kept_in(path.parent) if document.of_run else {}
    _override(document, overrides)
    document.data.setdefault("name", name_from(path))
    return checked(document, path.resolve().parent, check_files)


def _override(document: yaml.Document, overrides: Iterable[str]) -> None:
    if not isinstance(overrides, Iterable) or isinstance(overrides, Mapping):
        raise ConfigError(
            "overrides is a list of texts KEY=VALUE, such as ['search.population=100'], got "
            f"{what_is(overrides)}"
        )
    for assignment in [overrides] if isinstance(overrides, str) else overrides:
        if not isinstance(assignment, str):
            raise ConfigError(f"overrides are texts KEY=VALUE, got {what_is(assignment)}")
        document.override(assignment)


def find_config(path_or_name: str | Path) -> tuple[Path, str]:
    """Returns the file of a config, or of a shipped one by its bare name, and what messages call it.

    Raises:
        ConfigError: a bare name is that of no shipped config.
    """
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
    return path, source


def make_config(
    settings: dict[str, Any], folder: str | Path = ".", overrides: Iterable[str] = ()
) -> RunConfig:
    """Returns the checked configuration that `settings` (shaped as a YAML file) describes.

    Task families made in Python, such as by `zero.table_from_frame`, may stand for their sections;
    NumPy numbers, tuples and `pathlib.Path` are taken as what they stand for.

    Args:
        settings: sections and keys as in a YAML file.
        folder: where relative paths in them start.
        overrides: as for `load_config`.

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
    document = yaml.Document("settings", plain(settings))
    _check_keys(document, document.data, ())
    _override(document, overrides)
    return checked(document, Path(folder).resolve())


def _check_keys(document: yaml.Document, data: Any, loc: yaml.Loc) -> None:
    """Takes keys that are no text out of settings from Python; a file cannot have them."""
    for key in [key for key in data if not yaml.is_text(key)]:
        del data[key]
        message = f"a key must be a name, got {words.got(key)}"
        document.problems.append(document.problem(loc, message))
    for key, value in data.items():
        if isinstance(value, dict):
            _check_keys(document, value, (*loc, key))


def config_to_yaml(config: RunConfig) -> str:
    """Returns the config as YAML, all defaults written out; it loads back to an equal config."""
    data = genomes.get(config.genomes).dump(config)
    if not data.get("track"):  # what only onlookers want is not named where nobody does
        data.pop("track", None)
    return yaml.dump(data)


def name_from(path: Path) -> str:
    """Returns a run's name made from its file's name; other characters become '_'."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in path.stem)
    return plain.lstrip(".-")[:100] or "run"


def checked(document: yaml.Document, folder: Path, check_files: bool = True) -> RunConfig:
    """Returns the document's config; raises ConfigError with all problems, in the file's order."""
    data = dict(document.data)
    resolve_imports(document, data, folder)
    problems = document.problems + run_imports(document, data)
    kind = genomes.of_settings(data)
    config, found = kind.read(document, data, folder, check_files)
    problems += found
    if problems:
        raise ConfigError(words.report(problems))
    return config

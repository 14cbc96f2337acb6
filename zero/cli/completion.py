"""What the shell offers after TAB, for arguments that name something.

Called by the command line's options; quick, since a person waits: nothing that needs numba or a config
is imported. What is returned begins with the text typed so far. Where nothing that zero knows begins
so, the shell offers files by itself.
"""

import shlex
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import typer


def configs(incomplete: str) -> list[str]:
    """Returns shipped configs, and YAML files."""
    from zero.config.shipped import shipped_configs

    return _with_files(shipped_configs(), incomplete, (".yaml", ".yml"))


def programs(incomplete: str) -> list[str]:
    """Returns shipped programs, and files and folders."""
    from zero.programs import library

    return _with_files(library.names(), incomplete)


def cells(incomplete: str) -> list[str]:
    """Returns published cells, and files and folders."""
    from zero.cells.published import PUBLISHED

    return _with_files(PUBLISHED, incomplete)


def skeletons(incomplete: str) -> list[str]:
    """Returns what `--skeleton` takes."""
    from zero.cells.published import PRESETS

    return _starting(PRESETS, incomplete)


def genomes(incomplete: str) -> list[str]:
    """Returns shipped programs and published cells."""
    return list(dict.fromkeys([*programs(incomplete), *cells(incomplete)]))


def runs(incomplete: str) -> list[str]:
    """Returns the folders in runs/."""
    with suppress(OSError):
        return _starting([f"runs/{p.name}" for p in sorted(Path("runs").iterdir())], incomplete)
    return []


def trackers(incomplete: str) -> list[str]:
    """Returns what writes curves."""
    from zero.runs.tracking import trackers as known

    return _starting(known(), incomplete)


def listed(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns names from the list that the command line asks for."""
    topic = str(ctx.params.get("topic") or "")
    return _starting(names_of(topic), incomplete)


def names_of(topic: str) -> list[str]:
    """Returns the names in a list of `zero list`, [] for one that there is not."""
    return list(_NAMES[topic]()) if topic in _NAMES else []


def _ops() -> Iterable[str]:
    from zero.programs.ops import OPS

    return OPS


def _tasks() -> Iterable[str]:
    from zero.tasks import task_families

    return task_families()


def _programs() -> Iterable[str]:
    from zero.programs import library

    return library.names()


def _mutations() -> Iterable[str]:
    from zero.programs.mutation_names import MUTATION_NAMES

    return MUTATION_NAMES


def _searches() -> Iterable[str]:
    from zero import search

    return search.names()


def _configs() -> Iterable[str]:
    from zero.config.shipped import shipped_configs

    return shipped_configs()


def _families() -> Iterable[str]:
    from zero.pipelines.families import families

    return families()


def _metrics() -> Iterable[str]:
    from zero.pipelines.metrics import METRICS

    return METRICS


_NAMES = {
    "ops": _ops, "tasks": _tasks, "programs": _programs,
    "mutations": _mutations, "searches": _searches, "configs": _configs,
    "families": _families, "metrics": _metrics,
}  # fmt: skip


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _with_files(names: Iterable[str], incomplete: str, suffixes: tuple[str, ...] = ()) -> list[str]:
    """Returns names, and beside them what is in this folder; [] where no name fits.

    suffixes: of files; () = any. Shells quote only what they find by themselves, so what needs
    quotes is left to them.
    """
    found = _starting(names, incomplete)
    if not found:
        return []
    with suppress(OSError):
        for path in sorted(Path().iterdir()):
            name = path.name + ("/" if path.is_dir() else "")
            fits = path.is_dir() or not suffixes or path.suffix in suffixes
            if fits and name.startswith(incomplete) and shlex.quote(name) == name:
                found += [] if name.startswith(".") else [name]
    return found

"""Sections of tasks, read so that every mistake in them is found at once."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from zero.config.read import meant_key, read_section
from zero.config.settings import Part, plain
from zero.config.words import got, report
from zero.config.yaml import Document, Loc, Problem
from zero.errors import ConfigError, TaskError, ZeroError, unknown_name, what_is
from zero.tasks import PURPOSES, Labels, TaskFamily, task_families


def searched(settings: Any) -> list[dict[str, Any]]:
    """Returns the sections of the families that a run's islands search by turns, as plain values, unchecked.

    Usually one; none where the settings have no tasks.
    """
    tasks = settings.get("tasks") if isinstance(settings, dict) else None
    search = tasks.get("search") if isinstance(tasks, dict) else None
    sections = search if isinstance(search, list) else [search]
    return [section for section in sections if isinstance(section, dict)]


def in_words(settings: Any) -> list[str]:
    """Returns what each island searches, a text a family, where a run has several; else none.

    Each names its islands, the family, and the keys in which those of that type differ.
    """
    sections = searched(settings)
    if len(sections) < 2:
        return []
    islands = settings.get("islands")
    count = islands.get("count") if isinstance(islands, dict) else None
    count = min(count, 1024) if isinstance(count, int) else len(sections)
    plain_ = [{k: str(v) for k, v in section.items()} for section in sections]
    first = [plain_.index(section) for section in plain_]  # of equal ones
    if len(set(first)) < 2:
        return []
    found = []
    for number in dict.fromkeys(first):
        mine = [str(k) for k in range(count) if first[k % len(sections)] == number]
        section = sections[number]
        alike = [p for p in plain_ if p.get("type") == plain_[number].get("type")]
        differ = [
            f"{key} {Path(str(value)).name if key == 'path' else value}"
            for key, value in section.items()
            if key != "type" and value is not None and len({p.get(key) for p in alike}) > 1
        ]
        named = f"island{'s' * (len(mine) != 1)} {', '.join(mine)}"
        found.append(f"{named}: {', '.join([str(section.get('type')), *differ])}")
    return found


def labels_in(settings: Any) -> Labels | None:
    """Returns the labels of a run's tasks, by its settings as plain values.

    None where they name no family that is known, as of another kind of genome.
    """
    sections = searched(settings)
    kind = sections[0].get("type") if sections else None
    family = task_families().get(kind) if isinstance(kind, str) else None
    return None if family is None else family.labels


def read_tasks(document: Document, data: Any, folder: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Returns the task families by purpose, `select` and `final` as `search` by default.

    Where `search` is a list, it stands for its first family, and "others" has the rest, a tuple.
    """
    families: dict[str, Any] = {}
    if not isinstance(data, dict):
        message = "is missing; it must be" if data is None else "must be"
        message += " a section such as {search: {type: linear_regression, features: 4}}"
        if isinstance(data, TaskFamily):
            message += '; write {"search": FAMILY}'
        return families, [document.problem(("tasks",), message)]
    problems: list[Problem] = []
    meant = {
        meant_key(document, key, value, data, PURPOSES, ("tasks",), problems): value
        for key, value in data.items()
    }
    problems += [
        document.problem(("tasks", key), unknown_name("key", key, PURPOSES), at_key=True)
        for key in meant
        if key not in PURPOSES
    ]
    if "search" not in meant:
        message = "is missing; it must be a section such as {type: linear_regression, features: 4}"
        problems.append(document.problem(("tasks", "search"), message))
    for purpose in PURPOSES:
        if purpose == "search" and isinstance(meant.get(purpose), list | tuple):
            listed, found = _read_list(document, meant[purpose], folder)
            problems += found
            family = listed[0] if listed else None
            families["others"] = tuple(listed[1:])
        elif purpose in meant:
            family, found = _read_family(document, ("tasks", purpose), meant[purpose], folder)
            problems += found
        else:
            family = families.get("search")
        if family is not None:
            families[purpose] = family
    return families, problems


def _read_list(
    document: Document, data: list[Any] | tuple[Any, ...], folder: Path
) -> tuple[list[TaskFamily], list[Problem]]:
    """Returns the families of a list, equal sections as the same one; none where one of them is wrong."""
    loc: Loc = ("tasks", "search")
    if not data:
        message = "is an empty list; give a family for each group of islands"
        return [], [document.problem(loc, message)]
    families: list[TaskFamily] = []
    problems: list[Problem] = []
    for number, section in enumerate(data):
        same = [k for k in range(len(families)) if _same(data[k], section)]
        if same:
            families.append(families[same[0]])
            continue
        family, found = _read_family(document, (*loc, number), section, folder)
        problems += found
        if family is None:
            return [], problems + [
                p
                for k in range(number + 1, len(data))
                for p in _read_family(document, (*loc, k), data[k], folder)[1]
            ]
        families.append(family)
    return families, problems


def _same(one: Any, other: Any) -> bool:
    """Returns whether two entries of the list are the same; in-memory families only if they are one."""
    if isinstance(one, TaskFamily) or isinstance(other, TaskFamily):
        return one is other
    return bool(one == other)


def _read_family(
    document: Document, loc: Loc, data: Any, folder: Path
) -> tuple[TaskFamily | None, list[Problem]]:
    known = task_families()
    if isinstance(data, TaskFamily):  # made in Python
        return data, []
    if not isinstance(data, dict):
        message = f"must be a section with a 'type' of {', '.join(known)}, got {got(data)}"
        if hasattr(data, "columns"):
            message += "; make a task of a frame with zero.table_from_frame"
        return None, [document.problem(loc, message)]
    problems: list[Problem] = []
    if "type" not in data:
        every = {"type", *(key for family in known.values() for key in family.model_fields)}
        data = {
            key if key in every else meant_key(
                document, key, value, data, ["type"], loc, problems
            ): value
            for key, value in data.items()
        }  # fmt: skip
    kind = data.get("type")
    settings = {key: value for key, value in data.items() if key != "type"}
    if not isinstance(kind, str) or kind not in known:
        message = f"is missing; it must be one of {', '.join(known)}"
        if "type" in data:
            message = unknown_name("task type", kind, known)
        problems.append(document.problem((*loc, "type"), message))
        likely = _likely_family(str(kind), settings)
        if likely is not None:
            problems += read_section(document, likely, settings, loc)[1]
        return None, problems
    family, found = read_section(document, known[kind], settings, loc)
    problems += found
    if found or isinstance(family, Part):
        return None, problems
    try:
        # Paths on the command line start where the user is, those in the file beside the file.
        here = document.override_of((*loc, "path"))
        return family.resolve_paths(Path.cwd() if here else folder), problems
    except ZeroError as error:
        return None, [*problems, document.problem(loc, str(error))]


def _likely_family(kind: str, settings: dict[str, Any]) -> type[TaskFamily] | None:
    """Returns the family that a misspelt type must mean, by its name or by its keys."""
    known = task_families()
    near = difflib.get_close_matches(kind, known, n=1)
    if near:
        return known[near[0]]
    keys = {name: len(set(settings) & set(f.model_fields)) for name, f in known.items()}
    best = [name for name, number in keys.items() if number == max(keys.values())]
    return known[best[0]] if len(best) == 1 else None


def read_family(model: type[TaskFamily], settings: dict[str, Any], where: str) -> TaskFamily:
    """Returns a task family made in Python.

    where: what was called, for messages.

    Raises:
        ConfigError: keys are wrong; one line each.
    """
    document = Document(where, plain(settings))
    family, problems = read_section(document, model, document.data)
    if problems:
        raise ConfigError(report(problems))
    return family


def from_settings(settings: dict[str, Any]) -> TaskFamily:
    """Returns the family that `{type: NAME, ...}` describes (for use from Python).

    Raises:
        TaskError: the type is unknown. ConfigError: a key is wrong; a line each.
    """
    if not isinstance(settings, dict):
        raise TaskError(f"from_settings takes a dict such as {{'type': 'table', ...}}, got "
                        f"{what_is(settings)}")  # fmt: skip
    settings = dict(settings)
    families = task_families()
    if "type" not in settings:
        raise TaskError(
            f"from_settings: 'type' is missing; it must be one of {', '.join(families)}"
        )
    kind = settings.pop("type")
    if kind not in families:
        raise TaskError(unknown_name("task type", kind, families))
    return read_family(families[kind], settings, kind)

"""Checks of a run's settings, and their words: every mistake becomes one plain line.

pydantic finds what is wrong with each key; what was allowed there is read from the model's JSON
schema, so that a new key or task family needs no words of its own. Checks across keys follow below.

Called by `zero.config` and `zero.cell_config` only.
"""

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from zero import library
from zero.errors import ZeroError, unknown_name
from zero.ops import get_op
from zero.own_code import fault_of
from zero.program import FUNCTIONS, parse_program, validate_program
from zero.program import Memory as ProgramMemory
from zero.tasks import PURPOSES, TaskFamily, task_families
from zero.yaml_loader import Document, Loc, Problem

MAX_REPORTED = 40
INITIAL_WORDS = ("empty", "no_op", "random")


def report(problems: list[Problem]) -> str:
    """Returns the problems as lines in the file's order, each once."""
    lines = list(dict.fromkeys(str(p) for p in sorted(problems, key=lambda p: p.order)))
    more = len(lines) - MAX_REPORTED
    return "\n".join(lines[:MAX_REPORTED] + ([f"and {more} more mistakes"] if more > 0 else []))


# --- words for pydantic's errors ----------------------------------------------------------------


def expected(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Returns what a JSON schema allows, in words: `a whole number of at least 1`."""
    if "expected" in schema:
        return schema["expected"]
    if "$ref" in schema:
        return expected(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            words = [expected(part, definitions) for part in schema[several]]
            return " or ".join(dict.fromkeys(words))
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values is not None:
        return ("one of " if len(values) > 1 else "") + ", ".join(str(v) for v in values)
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return ("a whole number" if kind == "integer" else "a number") + _range(schema)
    if kind == "array":
        items = schema.get("prefixItems")
        if items:
            return f"a list of {len(items)} items"
        inner = schema.get("items")
        return "a list" + (f" (each {expected(inner, definitions)})" if inner else "")
    if kind == "object":
        keys = ", ".join(schema.get("properties", {}))
        return "a section" + (f" with keys of {keys}" if keys else " (KEY: VALUE lines)")
    return {"string": "text", "boolean": "true or false", "null": "none"}.get(kind, "another value")


def _range(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low:,} to {high:,}"
    words = {" of at least": low, " above": above, " of at most": high, " below": below}
    return ",".join(f"{w} {v:,}" for w, v in words.items() if v is not None)


def got(value: Any) -> str:
    """Returns a value as a YAML file would show it, short."""
    if value is None or isinstance(value, bool):
        return {None: "nothing (null)", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = str(value).encode("unicode_escape").decode()
    text = text if len(text) <= 60 else text[:57] + "..."
    return f'"{text}"' if isinstance(value, str) else text


def _inside(schema: dict[str, Any], part: str | int, definitions: dict[str, Any]) -> dict | None:
    """Returns the schema of the item `part` of what `schema` describes, None if it has none."""
    if "$ref" in schema:
        return _inside(definitions[schema["$ref"].removeprefix("#/$defs/")], part, definitions)
    for choice in schema.get("anyOf", []):
        found = _inside(choice, part, definitions)
        if found is not None:
            return found
    if isinstance(part, int):
        items = schema.get("prefixItems", [])
        return items[part] if part < len(items) else schema.get("items")
    extra = schema.get("additionalProperties")
    return schema.get("properties", {}).get(part, extra if isinstance(extra, dict) else None)


def _keys_of(schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    if "$ref" in schema:
        return _keys_of(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    keys = list(schema.get("properties", {}))
    return keys + [k for choice in schema.get("anyOf", []) for k in _keys_of(choice, definitions)]


def _has(data: Any, part: str | int) -> bool:
    if isinstance(part, int):
        return isinstance(data, list) and part < len(data)
    return isinstance(data, dict) and part in data


def plain_problems(
    document: Document, model: type[BaseModel], data: Any, error: ValidationError, prefix: Loc = ()
) -> list[Problem]:
    """Returns one problem in plain words for each mistake that pydantic found in `data`."""
    try:
        root = model.model_json_schema()
    except PydanticInvalidForJsonSchema:
        root = {}
    definitions = root.get("$defs", {})
    problems: dict[tuple[Loc, str], Problem] = {}
    for item in error.errors(include_url=False):
        value, schema, loc = data, root, ()
        for part in item["loc"]:
            # Unions put the names of their members into the location: the data has no such keys.
            last = item["type"] == "missing" and part == item["loc"][-1]
            if not last and not _has(value, part):
                continue
            parent, schema = schema, _inside(schema, part, definitions) or {}
            value, loc = (None if last else value[part]), (*loc, part)
        kind, at_key = item["type"], item["loc"][-1:] == ("[key]",)
        if kind == "extra_forbidden":
            at_key = True
            message = unknown_name("key", str(loc[-1]), _keys_of(parent, definitions))
        elif kind in ("value_error", "assertion_error"):
            message = " ".join(str(item["ctx"]["error"]).split())
        elif kind == "missing":
            message = f"is missing; it must be {expected(schema, definitions)}"
        elif schema:
            message = f"must be {expected(schema, definitions)}, got {got(value)}"
        else:
            message = f"{item['msg'][:1].lower()}{item['msg'][1:]}, got {got(value)}"
        full = (*prefix, *loc)
        problems.setdefault((full, message), document.problem(full, message, at_key))
    return list(problems.values())


def _converted(raw: Any, value: Any, loc: Loc = ()) -> list[tuple[Loc, str]]:
    """Returns where text or true/false was taken for a number (pydantic allows that, we do not)."""
    if isinstance(value, BaseModel):
        value = value.__dict__
    if isinstance(raw, dict) and isinstance(value, dict):
        pairs = [(k, raw[k], value[k]) for k in raw if k in value]
    elif isinstance(raw, list) and isinstance(value, list | tuple) and len(raw) == len(value):
        pairs = list(zip(range(len(raw)), raw, value, strict=True))
    else:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and isinstance(raw, str | bool):
            return [(loc, f"must be a number, got {got(raw)}")]
        if isinstance(value, bool) and not isinstance(raw, bool):
            return [(loc, f"must be true or false, got {got(raw)}")]
        return []
    return [bad for part, r, v in pairs for bad in _converted(r, v, (*loc, part))]


# --- sections and tasks -------------------------------------------------------------------------


def check_model(
    document: Document, model: type[BaseModel], data: dict[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    """Returns the sections that are right (all of them: also "config", the model), and problems."""
    try:
        config = model.model_validate(data)
        return {**config.__dict__, "config": config}, []
    except ValidationError as error:
        problems = plain_problems(document, model, data, error)
        wrong = {item["loc"][0] for item in error.errors(include_url=False)}
    sections = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if name not in wrong and isinstance(kind, type) and issubclass(kind, BaseModel):
            value = data.get(name, {})
            sections[name] = value if isinstance(value, kind) else kind.model_validate(value)
    return sections, problems


def check_tasks(
    document: Document, data: Any, folder: Path
) -> tuple[dict[str, TaskFamily], list[Problem]]:
    """Returns the task families by purpose, `select` and `final` as `search` by default."""
    families: dict[str, TaskFamily] = {}
    if not isinstance(data, dict):
        message = "is missing; it must be" if data is None else "must be"
        message += " a section such as {search: {type: linear_regression, features: 4}}"
        return families, [document.problem(("tasks",), message)]
    problems = [
        document.problem(("tasks", key), unknown_name("key", key, PURPOSES), at_key=True)
        for key in data
        if key not in PURPOSES
    ]
    if "search" not in data:
        message = "is missing; it must be a section such as {type: linear_regression, features: 4}"
        problems.append(document.problem(("tasks", "search"), message))
    for purpose in PURPOSES:
        if purpose in data:
            family, found = _check_family(document, ("tasks", purpose), data[purpose], folder)
            problems += found
        else:
            family = families.get("search")
        if family is not None:
            families[purpose] = family
    return families, problems


def _check_family(
    document: Document, loc: Loc, data: Any, folder: Path
) -> tuple[TaskFamily | None, list[Problem]]:
    known = task_families()
    if isinstance(data, TaskFamily):  # made in Python
        return data, []
    if not isinstance(data, dict):
        message = f"must be a section with a 'type' of {', '.join(known)}, got {got(data)}"
        return None, [document.problem(loc, message)]
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in known:
        message = f"is missing; it must be one of {', '.join(known)}"
        if "type" in data:
            message = unknown_name("task type", kind, known)
        return None, [document.problem((*loc, "type"), message)]
    settings = {key: value for key, value in data.items() if key != "type"}
    try:
        family = known[kind].model_validate(settings)
        wrong = _converted(settings, family)
        if wrong:
            return None, [document.problem((*loc, *at), message) for at, message in wrong]
        # Paths on the command line start where the user is, those in the file beside the file.
        here = document.override_of((*loc, "path"))
        return family.resolve_paths(Path.cwd() if here else folder), []
    except ValidationError as error:
        return None, plain_problems(document, known[kind], settings, error, loc)
    except ZeroError as error:
        return None, [document.problem(loc, str(error))]


# --- files --------------------------------------------------------------------------------------


def resolve_paths(document: Document, data: dict[str, Any], folder: Path) -> None:
    """Makes `imports` and `program.initial` in `data` absolute where they are paths of files."""
    program = data.get("program")
    if isinstance(program, dict) and _is_path(program.get("initial")):
        initial = _absolute(document, program["initial"], ("program", "initial"), folder)
        data["program"] = {**program, "initial": initial}
    resolve_imports(document, data, folder)


def resolve_imports(document: Document, data: dict[str, Any], folder: Path) -> None:
    """Makes `imports` in `data` absolute where they are paths of files."""
    imports = data.get("imports")
    if isinstance(imports, list):
        data["imports"] = [
            _absolute(document, name, ("imports", i), folder) if _is_path(name, ".py") else name
            for i, name in enumerate(imports)
        ]


def _absolute(document: Document, value: Any, loc: Loc, folder: Path) -> str:
    return str((Path.cwd() if document.override_of(loc) else folder) / value)


def _is_path(value: Any, suffix: str = ".") -> bool:
    return isinstance(value, str) and ("/" in value or "\\" in value or suffix in value)


def run_imports(document: Document, data: dict[str, Any]) -> list[Problem]:
    """Imports the Python files and modules that `imports` names; returns what failed.

    Each is executed once a process, however often a config is loaded.
    """
    imports = data.get("imports")
    problems = []
    for i, name in enumerate(imports if isinstance(imports, list) else []):
        if not isinstance(name, str):
            continue  # reported as a wrong type
        try:
            _import(name)
        except (Exception, SystemExit) as error:
            message = f"'{name}' cannot be imported: {fault_of(error)}; give a .py file or a module's name"
            problems.append(document.problem(("imports", i), message))
    return problems


def _import(name: str) -> None:
    if not name.endswith(".py"):
        importlib.import_module(name)
        return
    path = Path(name)
    module_name = f"zero_import_{path.stem}_{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    if module_name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise


# --- checks across keys -------------------------------------------------------------------------


def check_across(document: Document, sections: dict[str, Any], check_files: bool) -> list[Problem]:
    """Returns the mistakes that show only when several keys are seen together.

    sections: those that are right in themselves; a check whose sections are not there is skipped.
    """
    found: list[tuple[Loc, str]] = []
    program, search = sections.get("program"), sections.get("search")
    if program:
        found += _check_program(program, check_files)
    if search:
        found += _check_search(search)
    if program and search:
        found += _check_start(program, search)
    if search and "islands" in sections and sections["islands"].migrants > search.population:
        migrants = sections["islands"].migrants
        message = f"must be at most search.population ({search.population}), got {migrants}"
        found.append((("islands", "migrants"), message))
    if search and sections.get("backend") == "cuda" and search.batch == 1:
        message = "must be at least 2 with backend cuda (null: as many as suit a GPU), got 1"
        found.append((("search", "batch"), message))
    if "experiments" in sections and "budget" in sections:
        found += check_end(sections["experiments"], sections["budget"])
    return [document.problem(loc, message) for loc, message in found]


def _check_program(program: Any, check_files: bool) -> list[tuple[Loc, str]]:
    found: list[tuple[Loc, str]] = []
    memory = program.memory
    for name in FUNCTIONS:
        function = getattr(program, name)
        loc = ("program", name)
        size = function.size
        if not size.min <= size.initial <= size.max:
            message = (
                "must have min <= initial <= max, got "
                f"min {size.min}, initial {size.initial}, max {size.max}"
            )
            found.append(((*loc, "size"), message))
        ops = [get_op(op) for op in dict.fromkeys(function.ops)]
        lacking = [op.name for op in ops if "m" in (*op.inputs, op.output) and not memory.matrices]
        if lacking:
            need = "need program.memory.matrices of at least 1, got 0; raise it or leave them out"
            found.append(((*loc, "ops"), f"matrix ops ({_some(lacking)}) {need}"))
        lacking = [op.name for op in ops if op.output == "v" and memory.vectors < 2]
        if lacking:
            need = "need program.memory.vectors of at least 2, got 1 (v0 holds the features)"
            found.append(((*loc, "ops"), f"ops that write a vector ({_some(lacking)}) {need}"))
        if program.initial == "random" and not function.ops and size.initial > 0:
            message = f"is empty, so {size.initial} random instructions cannot be made; list ops"
            found.append(((*loc, "ops"), message))
    if not any(getattr(program, name).ops for name in FUNCTIONS):
        message = "no function has ops, so nothing can evolve; list some in setup, predict or learn"
        found.append((("program",), message))
    if program.initial not in INITIAL_WORDS:
        found += _check_initial(program, check_files)
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _check_initial(program: Any, check_files: bool) -> list[tuple[Loc, str]]:
    loc = ("program", "initial")
    initial = program.initial
    try:
        if initial in library.names():
            start = library.program(initial)
        elif not _is_path(initial):
            known = [*INITIAL_WORDS, *library.names()]
            message = unknown_name("initial program", initial, known)
            return [(loc, message + "; for a file of your own give its path, such as ./start.txt")]
        elif not check_files:
            return []
        else:
            path = Path(initial)
            start = parse_program(path.read_text(encoding="utf-8"), path.name)
        memory = program.memory
        validate_program(start, ProgramMemory(memory.scalars, memory.vectors, memory.matrices))
    except ZeroError as error:
        return [(loc, f"{got(initial)} cannot be used: {error}")]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        return [(loc, f"{got(initial)} cannot be read: {reason}")]
    return []


def _check_search(search: Any) -> list[tuple[Loc, str]]:
    found: list[tuple[Loc, str]] = []
    if search.tournament > search.population:
        message = (
            f"must be at most search.population ({search.population}), got {search.tournament}"
        )
        found.append((("search", "tournament"), message))
    if not any(search.mutations.values()):
        message = "all weights are 0 or the list is empty; give at least one mutation a weight"
        found.append((("search", "mutations"), message))
    return found


def _check_start(program: Any, search: Any) -> list[tuple[Loc, str]]:
    grows = search.mutations.get("insert_instruction", 0) > 0
    only_sampled = search.method == "random_search" or not any(search.mutations.values())
    if program.initial != "empty" or grows or only_sampled:
        return []
    message = (
        "must have insert_instruction with a weight above 0 when program.initial is empty: "
        "otherwise all programs stay empty"
    )
    return [(("search", "mutations"), message)]


def check_end(experiments: Any, budget: Any) -> list[tuple[Loc, str]]:
    """Returns what is wrong with how experiments and the run end."""
    found: list[tuple[Loc, str]] = []
    limited = experiments.individuals is not None or experiments.train_steps is not None
    limits = [value for value in budget.__dict__.values() if value is not None]
    sufficient = experiments.sufficient_fitness is not None
    if not limits and not limited and not sufficient:
        message = (
            "nothing ends the run: give at least one of individuals, train_steps, seconds, "
            "fitness, patience"
        )
        found.append((("budget",), message))
    elif experiments.max == 0 and not limits and not sufficient:
        message = "0 experiments (no limit) need experiments.sufficient_fitness or a budget"
        found.append((("experiments", "max"), message))
    if experiments.max != 1 and not limited:
        message = (
            f"must be 1 unless experiments.individuals or train_steps says how long each lasts, "
            f"got {experiments.max}"
        )
        found.append((("experiments", "max"), message))
    return found

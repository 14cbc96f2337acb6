"""Which source a compiled module depends on: all that gets into machine code, and nothing else."""

import ast
import shutil
from pathlib import Path
from types import CodeType, FunctionType, ModuleType, SimpleNamespace

import numba
import pytest

import zero
from zero.jit import cache
from zero.jit.struct import Functions
from zero.nn.cpu import model
from zero.programs.cuda import encode
from zero.programs.interpreter import handlers, module
from zero.search import names as search_methods

ROOT = Path(zero.__file__).parent


def runner_text():
    return model._module()[1]


TEXTS = {
    "search": module.text_of("float64", 4, "regularized_evolution"),
    "handlers": f"import {handlers.__name__}",
    "encoder": encode._TEXT,
    "cells": runner_text(),
}


def files_of(text):
    return {path.relative_to(cache._ROOT).as_posix() for path in cache.sources(text)}


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package, which is looked at instead of it."""
    root = tmp_path / "zero"
    shutil.copytree(ROOT, root, ignore=lambda _, names: [n for n in names if n == "__pycache__"])
    monkeypatch.setattr(cache, "_ROOT", root)
    cache.imported.cache_clear()
    yield root
    cache.imported.cache_clear()


# Written by hand: what is known to be compiled into each.
KNOWN = {
    "search": [
        "evolution/batches.py", "evolution/loop.py", "evolution/population.py", "jit/decorators.py",
        "jit/struct.py", "programs/fec.py", "programs/interpreter/arrays.py",
        "programs/interpreter/handlers.py", "programs/interpreter/lanes.py",
        "programs/interpreter/vectors.py", "programs/mutations.py", "programs/ops.py",
        "programs/proposals.py", "programs/simplify.py", "rng/philox.py", "rng/splitmix.py",
        "search/regularized_evolution.py",
    ],
    "handlers": [
        "programs/interpreter/handlers.py", "programs/interpreter/vectors.py", "programs/ops.py",
        "rng/philox.py",
    ],
    "encoder": [
        "jit/decorators.py", "jit/struct.py", "programs/cuda/job.py", "programs/cuda/rows.py",
        "programs/ops.py", "programs/simplify.py",
    ],
    "cells": [
        "jit/decorators.py", "nn/cpu/kernels.py", "nn/cpu/loads.py", "nn/cpu/products.py",
        "nn/cpu/simd.py", "nn/cpu/steps.py",
    ],
}  # fmt: skip
CASES = [(name, file) for name, files in KNOWN.items() for file in files]


@pytest.mark.parametrize(("name", "file"), CASES)
def test_touching_what_is_compiled_changes_the_path(name, file, copy):
    before = cache.path_of(name, TEXTS[name])
    assert cache.path_of(name, TEXTS[name]) == before
    with (copy / file).open("a") as f:
        f.write("\n# touched\n")
    assert cache.path_of(name, TEXTS[name]) != before


@pytest.mark.parametrize("name", TEXTS)
def test_touching_anything_else_changes_nothing(name, copy):
    before = cache.path_of(name, TEXTS[name])
    compiled = {copy / file for file in files_of(TEXTS[name])}
    assert len(compiled) < 25
    for path in copy.rglob("*.py"):
        if path not in compiled:
            path.write_text(path.read_text() + "\n# touched\n")
    assert cache.path_of(name, TEXTS[name]) == before


@pytest.mark.parametrize("method", search_methods())
def test_a_search_method_is_compiled_in_alone(method):
    text = module.text_of("float64", 4, method)
    found = {file for file in files_of(text) if file.startswith("search/")}
    assert f"search/{method}.py" in found
    others = {f"search/{name}.py" for name in search_methods() if name != method}
    assert not found & others


def test_each_part_of_the_generated_module_counts(copy, monkeypatch):
    for part in ("frame", "deferred", "entries"):
        text = (ROOT / f"programs/interpreter/{part}.py").read_text()
        assert text in TEXTS["search"]


def imports_by_the_parser(path):
    """What `cache.imported` finds, with Python's own parser over the whole file."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, path
            for alias in node.names:
                inside = ROOT.parent.joinpath(*node.module.split("."), alias.name)
                is_module = (
                    inside.with_suffix(".py").is_file() or (inside / "__init__.py").is_file()
                )
                found.add(f"{node.module}.{alias.name}" if is_module else node.module)
    return {name for name in found if name.split(".")[0] == "zero"}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: p.stem)
def test_imports_are_found_as_the_parser_finds_them(path):
    # A generated module's text, in a string, may add to them.
    extra = cache.imported(path.read_text()) - imports_by_the_parser(path)
    assert imports_by_the_parser(path) <= cache.imported(path.read_text())
    assert not extra or "_TEXT" in path.read_text()


# --- what really is compiled ------------------------------------------------------------------------


def plain(value):
    """Returns the Python functions behind what compiled code names."""
    if isinstance(value, Functions):
        return [kind.dispatcher.py_func for _, kind in value.type.fields]
    function = getattr(value, "py_func", getattr(value, "_defn", value))
    return [function] if isinstance(function, FunctionType) else []


def named(function):
    """Returns what a function's code, and functions within it, name: globals, their attributes, cells."""
    names, waiting = set(), [function.__code__]
    while waiting:
        code = waiting.pop()
        names |= set(code.co_names)
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    values = [function.__globals__[name] for name in names if name in function.__globals__]
    for found in [value for value in values if isinstance(value, ModuleType | SimpleNamespace)]:
        values += [vars(found)[name] for name in names if name in vars(found)]
    return values + [cell.cell_contents for cell in function.__closure__ or ()]


def reached(functions):
    """Returns the files of zero whose functions compiled functions call, directly or not."""
    seen, waiting = set(), list(functions)
    while waiting:
        function = waiting.pop()
        if function not in seen:
            seen.add(function)
            waiting += [g for value in named(function) for g in plain(value)]
    files = {Path(function.__code__.co_filename) for function in seen}
    return {file.relative_to(ROOT).as_posix() for file in files if file.is_relative_to(ROOT)}


def entries(generated):
    return [
        value.py_func
        for value in vars(generated).values()
        if isinstance(value, numba.core.dispatcher.Dispatcher)
        and value.py_func.__module__ == generated.__name__
    ]


GENERATED = {
    "search": lambda: module.build("float64", 4),
    "encoder": encode._module,
    "cells": model._runner,
}


@pytest.mark.parametrize("name", GENERATED)
def test_every_function_in_machine_code_lies_in_a_file_that_counts(name, monkeypatch):
    found = reached(entries(GENERATED[name]()))
    assert len(found) >= 3
    assert found <= files_of(TEXTS[name])
    for file in found:  # that any of them were forgotten would be noticed
        left_out = "zero." + file.removesuffix(".py").replace("/", ".")
        monkeypatch.setattr(cache, "NOT_COMPILED", (*cache.NOT_COMPILED, left_out))
        assert not found <= files_of(TEXTS[name])
        monkeypatch.undo()

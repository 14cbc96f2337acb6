"""Who imports whom: down the list of rooms only, and heavy libraries only where they are used."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import zero

ROOT = Path(zero.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# The rooms from the ground up: one imports only those before it.
ROOMS = [
    "errors", "genomes",
    "system", "jit", "rng", "cuda",
    "config", "search", "data",
    "evolution", "tasks", "nn",
    "runs",
    "programs", "cells", "functions",
    "sklearn", "pipelines", "estimators",
    "collection", "dashboard",
    "bench", "cli",
    "", "__main__",
]  # fmt: skip
KINDS = [
    "programs",
    "cells",
    "pipelines",
    "functions",
]  # kinds of genomes: none knows another, but for
USED = {"pipelines": {"programs"}}  # programs, which are learners among others in pipelines

# Libraries and the only modules that may import them.
ONLY = {
    "yaml": {"config.yaml"},
    "h5py": {"system.trees", "runs.archive"},
    "typer": {"cli"},
    "multiprocess": {"evolution.workers", "evolution.forks"},
    "onnx": {"nn.export", "nn.layers", "programs.export.onnx"},
    "PIL": {"data.image_files", "data.pixels"},
    "cupy": {"cuda.device"},
    "matplotlib": {"runs.pictures", "cells.drawing.figure"},
    "tensorboardX": {"runs.tracking.tensorboard"},
    "mlflow": {"runs.tracking.mlflow"},
    "sqlite3": {"collection.index"},
    "starlette": {"dashboard.app", "dashboard.learn"},
    "uvicorn": {"dashboard.serve"},
    "plotly": {"dashboard.app"},
}
LIGHT = ["", "__main__", "errors", "genomes", "config", "system", "rng.philox", "tasks", "cli", "jit.cache",
         "jit.compiling", "programs.config", "programs.program", "programs.ops", "programs.library",
         "programs.mutation_names", "programs.simplified", "programs.view", "programs.kind",
         "programs.evaluator", "cells.kind", "cells.view", "cells.config", "functions.kind", "functions.view",
         "functions.config", "runs.kind", "runs.view",
         "runs.tables", "runs.progress", "runs.records", "runs.model", "runs.tracking",
         "collection"]  # fmt: skip
# Messages between a run's own processes; an unpickler of CIFAR's batches that executes nothing; numba's own
# files of machine code, in a folder that is the user's alone.
PICKLES = {"evolution.forks", "data.cifar", "jit.machine_code"}
HEAVY = {"numba", "llvmlite", "sklearn", "scipy", "pandas", "h5py", "multiprocess", "matplotlib",
         "tensorboardX", "mlflow"}  # fmt: skip


def name_of(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return "" if name == "__init__" else name.removesuffix(".__init__")


def imports_of(path, top_level=False):
    """Names of the modules that a file imports; at its top level only, if wished."""
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree)
    if top_level:
        inside = {
            id(n)
            for f in ast.walk(tree)
            if isinstance(f, ast.FunctionDef | ast.Lambda)
            for n in ast.walk(f)
        }
        nodes = [n for n in ast.walk(tree) if id(n) not in inside]
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def is_within(name, places):
    """Whether a module is one of those, or in one of those packages."""
    return any(name == place or (place and name.startswith(f"{place}.")) for place in places)


def room_of(name):
    return name.split(".")[0]


NAMES = {name_of(f) for f in FILES}


def zero_modules(path):
    """Names of the modules of zero that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = {f"{node.module}.{a.name}" for a in node.names}
            known = {m for m in submodules if m.removeprefix("zero.") in NAMES}
            found |= known | ({node.module} if known < submodules else set())
    mine = name_of(path)
    for module in found:
        name = module.removeprefix("zero.")
        if module.startswith("zero.") and name in NAMES and name != mine:
            yield name


GRAPH = {name_of(f): sorted(zero_modules(f)) for f in FILES}


def test_every_file_is_in_a_room():
    assert {room_of(name) for name in GRAPH} == set(ROOMS), "add new rooms to ROOMS"


@pytest.mark.parametrize("name", sorted(GRAPH))
def test_imports_go_down_only(name):
    mine = ROOMS.index(room_of(name))
    above = [m for m in GRAPH[name] if ROOMS.index(room_of(m)) > mine]
    assert above == [], f"{name} imports {above} from rooms above it"


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_genomes_do_not_know_each_other(kind):
    others = set(KINDS) - {kind} - USED.get(kind, set())
    for name, imports in GRAPH.items():
        if room_of(name) == kind:
            found = [m for m in imports if room_of(m) in others]
            assert found == [], f"{name} imports {found}"


def test_no_files_import_each_other_in_a_circle():
    left = dict(GRAPH)
    while left:
        leaves = [name for name, imports in left.items() if not any(m in left for m in imports)]
        assert leaves, f"circles among {sorted(left)}"
        for name in leaves:
            del left[name]


def test_nothing_outside_a_kind_asks_which_kind_it_is():
    for path in FILES:
        if room_of(name_of(path)) in (*KINDS, "genomes"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                texts = {s.value for s in sides if isinstance(s, ast.Constant)}
                assert not texts & set(KINDS), f"{name_of(path)}, line {node.lineno}"
            if isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant):
                assert node.value.value not in KINDS, f"{name_of(path)}, line {node.lineno}"


def test_every_package_is_installed():
    settings = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())
    listed = set(settings["tool"]["setuptools"]["packages"]) - {"zero.configs", "zero.kernels"}
    found = {".".join(f.parent.relative_to(ROOT.parent).parts) for f in ROOT.rglob("__init__.py")}
    assert listed == found


@pytest.mark.parametrize("library", list(ONLY))
def test_libraries_with_one_importer(library):
    importers = {
        name_of(f) for f in FILES if any(m.split(".")[0] == library for m in imports_of(f))
    }
    allowed = ONLY[library]
    assert {n for n in importers if not is_within(n, allowed)} == set()


def test_light_modules_import_nothing_heavy_at_their_top():
    light = [f for f in FILES if is_within(name_of(f), LIGHT)]
    assert len(light) > 40
    for path in light:
        heavy = {m.split(".")[0] for m in imports_of(path, top_level=True)} & HEAVY
        assert not heavy, f"{name_of(path)} imports {heavy}"


def test_what_a_command_line_loads_before_it_knows_the_command():
    code = "import sys, zero, zero.programs.config, zero.programs.program, zero.tasks\n"
    code += f"print(sorted({{m.split('.')[0] for m in sys.modules}} & set({sorted(HEAVY)!r})))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_nothing_is_pickled_and_no_file_is_executed():
    for path in FILES:
        names = {m.split(".")[0] for m in imports_of(path)}
        if name_of(path) not in PICKLES:
            assert not names & {"pickle", "dill", "cloudpickle", "shelve", "marshal"}, name_of(path)
        calls = {
            n.func.id
            for n in ast.walk(ast.parse(path.read_text()))
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
        }
        allowed = {"eval"} if name_of(path) == "programs.interpreter.reference" else set()
        assert not calls & {"eval", "exec", "compile"} - allowed, name_of(path)
        assert "allow_pickle=True" not in path.read_text()

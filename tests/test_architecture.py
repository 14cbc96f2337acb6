"""Who imports whom: down the list of rooms only, and heavy libraries only where they are used."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import zero

ROOT = Path(zero.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# Lower rooms first; a module may import rooms above it in this list, or its own.
ROOMS = [
    ["errors", "jit", "rng", "system", "config", "evolution", "runs", "programs", "bench", "cli"],
    [
        "programs.ops",
        "rng.philox",
        "jit.decorators",
        "config.imports",
        "jit.cache",
        "jit.compiling",
        "system.memory",
        "config.settings",
        "system.signals",
        "programs.mutation_names",
        "config.shipped",
        "system.own_code",
        "data.classes",
        "system.files",
        "system.trees",
        "jit.struct",
        "cuda.kernel_source",
        "config.yaml",
        "evolution.records",
    ],
    ["programs.program", "rng.splitmix", "programs.fec"],
    [
        "programs.mutations",
        "programs.library",
        "evolution.population",
        "programs.simplified",
        "programs.simplify",
        "tasks",
        "data",
        "config.read",  # both ways: a family made in Python is read like a section
        "config.words",
        "data.images",
        "data.image_files",
    ],
    [
        "programs.raw_records",
        "cells.raw_records",
        "evolution.loop",
        "evolution.batches",
        "search",
        "evolution.ageing",
        "evolution.halving",
        "evolution.island",
        "evolution.object_island",
        "evolution.object_records",
        "evolution.objective",
    ],
    ["programs.interpreter", "nn", "programs.backends"],
    ["cells", "cuda", "programs.cuda"],
    [
        "programs.evaluator",
        "bench.conformance",
        "programs.island",
        "evolution.forks",
        "evolution.migration",
        "evolution.workers",
        "programs.reference_island",
        "programs.cuda.search",
        "programs.backends.cuda",
        "programs.backends.reference",
        "programs.figures",
        "runs.records",
    ],
    [
        "runs.archive",
        "runs.checkpoints",
        "runs.folder",
        "runs.lock",
        "programs.config",
        "programs.checks",
        "config.endings",
        "cells.config",
        "runs.notebook",
        "runs.progress",
    ],
    ["runs.settings"],
    [
        "runs.run",
        "runs.budgets",
        "runs.course",
        "runs.experiments",
        "runs.session",
        "runs.state",
        "runs.totals",
        "runs.kind",
        "cells.kind",
        "programs.kind",
        "cells.train_config",
        "cells.train_run",
        "cells.export",
        "cells.placing",
    ],
    [
        "bench.speed",
        "bench.nas_table",
        "bench.nas_table_runs",
        "cli.main",
        "cli.cells",
        "cli.nas_table",
        "cli.common",
        "cli.completion",
        "cli.figures",
        "cli.tables",
        "cells.view",
        "cli.trainings",
    ],
    ["", "__main__", "__init__"],
]
LEVEL = {name: level for level, room in enumerate(ROOMS) for name in room}

# Libraries and the only modules that may import them.
ONLY = {
    "yaml": {"programs.config", "programs.checks", "config.yaml"},
    "h5py": {"system.trees"},
    "typer": {"cli.main", "cli.cells", "cli.nas_table", "cli.common", "cli.completion"},
    "multiprocess": {"evolution.forks", "evolution.workers"},
    "onnx": {"nn.export.onnx"},
    "PIL": {"data.image_files"},
    "cupy": {"cuda.device"},
}
LIGHT = ["__init__", "__main__", "cli.main", "cli.common", "cli.completion", "cli.tables", "programs.config",
         "programs.checks", "programs.program", "programs.ops", "errors", "programs.library", "rng.philox",
         "runs.progress", "programs.evaluator",
         "programs.mutation_names", "config.shipped", "programs.simplified", "config.yaml"]  # fmt: skip
# Messages between a run's own processes; an unpickler of CIFAR's batches that executes nothing.
PICKLES = {"evolution.forks", "data.cifar"}
HEAVY = {"numba", "llvmlite", "sklearn", "scipy", "pandas", "h5py", "multiprocess"}


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


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


def room_of(module):
    """The room's name in `LEVEL` of a module of zero, None if it is not one."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in LEVEL:
            return name
    return None


def zero_modules(path):
    known = {name_of(f) for f in FILES}
    for module in imports_of(path):
        if module.startswith("zero."):
            name = module.removeprefix("zero.")
            if name in known:
                yield name


def test_every_module_has_a_room():
    missing = [name_of(f) for f in FILES if room_of(name_of(f)) is None]
    assert missing == [], "add new modules to ROOMS"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_down_only(path):
    mine = LEVEL[room_of(name_of(path))]
    above = [m for m in zero_modules(path) if LEVEL[room_of(m)] > mine]
    assert above == [], f"{name_of(path)} imports {above} from rooms above it"


@pytest.mark.parametrize("library", list(ONLY))
def test_libraries_with_one_importer(library):
    importers = {
        name_of(f) for f in FILES if any(m.split(".")[0] == library for m in imports_of(f))
    }
    assert importers <= ONLY[library]


def test_light_modules_import_nothing_heavy_at_their_top():
    light = [f for f in FILES if name_of(f) in LIGHT or name_of(f).startswith("tasks")]
    assert len(light) > 15
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

"""Discovers machine-learning algorithms by evolution, from empty programs (AutoML-Zero).

    import zero

    config = zero.load_config("run.yaml")     # or zero.make_config({...}), with pandas frames too
    outcome = zero.start(config)              # zero.resume(folder) goes on with a stopped run
    print(outcome.program, outcome.final.fitness)
    zero.load(folder).predict(x)              # the run's outcome on new data

    family = zero.table_from_frame(frame, target="price", problem="regression")
    tasks = zero.make_task_set(family, "select")
    zero.Evaluator(tasks)(zero.load_program("linear")).fitness
    zero.register_op("SCALAR_SQUARE", ...)    # an op of your own, usable by name in a config

`zero.__all__` lists what there is; what goes wrong raises a `zero.ZeroError` whose message says what
to do. The names are loaded when they are first used: `import zero` itself takes no time. Where
things are: `zero.programs.ops` the op table, `zero.tasks`, `zero.evolution.loop` the evolutionary loop,
`zero.genomes` the kinds of genomes, `zero.runs.run` a run from start to end, `zero.runs.archive` what it
leaves, `zero.cli` the commands.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the same names as in `_PLACES`, for type checkers and editors
    from zero.config.load import load_config as load_config
    from zero.config.load import make_config as make_config
    from zero.errors import ZeroError as ZeroError
    from zero.estimators import AutoClassifier as AutoClassifier
    from zero.estimators import AutoRegressor as AutoRegressor
    from zero.programs.evaluator import Evaluator as Evaluator
    from zero.programs.find import load_program as load_program
    from zero.programs.ops import register_op as register_op
    from zero.runs.load import load as load
    from zero.runs.progress import Reporter as Reporter
    from zero.runs.run import resume as resume
    from zero.runs.run import start as start
    from zero.tasks import make_task_set as make_task_set
    from zero.tasks.table import table_from_arrays as table_from_arrays
    from zero.tasks.table import table_from_frame as table_from_frame

_PLACES = {
    "AutoClassifier": "zero.estimators",
    "AutoRegressor": "zero.estimators",
    "Evaluator": "zero.programs.evaluator",
    "Reporter": "zero.runs.progress",
    "ZeroError": "zero.errors",
    "load": "zero.runs.load",
    "load_config": "zero.config.load",
    "load_program": "zero.programs.find",
    "make_config": "zero.config.load",
    "make_task_set": "zero.tasks",
    "register_op": "zero.programs.ops",
    "resume": "zero.runs.run",
    "start": "zero.runs.run",
    "table_from_arrays": "zero.tasks.table",
    "table_from_frame": "zero.tasks.table",
}

__all__ = [*_PLACES, "__version__"]


def __getattr__(name: str) -> object:
    """Returns a public name, loading the module that has it."""
    if name == "__version__":
        from importlib import metadata  # here, for it takes 30 ms

        try:
            value: object = metadata.version("zero-discovery")
        except metadata.PackageNotFoundError:  # run from a checkout that is not installed
            value = "unknown"
    elif name in _PLACES:
        value = getattr(importlib.import_module(_PLACES[name]), name)
    else:
        raise AttributeError(f"module 'zero' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

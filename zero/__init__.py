"""Discovers machine-learning algorithms by evolution, from empty programs (AutoML-Zero).

    import zero

    config = zero.load_config("run.yaml")     # or zero.make_config({...}), with pandas frames too
    outcome = zero.start(config)              # zero.resume(folder) goes on with a stopped run
    print(outcome.program, outcome.final.fitness)

    zero.Evaluator(tasks)(zero.load_program("linear")).fitness
    zero.register_op("SCALAR_SQUARE", ...)    # an op of your own, usable by name in a config

The names above are loaded when they are first used: `import zero` itself takes no time. Where
things are: `zero.ops` the op table, `zero.program`, `zero.tasks`, `zero.loop` the evolutionary
loop, `zero.run` a run from start to end, `zero.archive` what it leaves, `zero.cli` the commands.
"""

import importlib

_PLACES = {
    "Evaluator": "zero.evaluator",
    "load_config": "zero.config",
    "load_program": "zero.run",
    "make_config": "zero.config",
    "register_op": "zero.ops",
    "resume": "zero.run",
    "start": "zero.run",
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

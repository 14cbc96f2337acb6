"""Random numbers by what they are for: Philox draws of programs and data, SplitMix streams of searches.

`from zero.rng import splitmix` gives a module that is imported when something of it is first used: it
takes a compiler, which those who only read a search method's settings need not load.
"""

import importlib.util
import sys
from types import ModuleType


def _lazily(name: str) -> ModuleType:
    """Returns a module whose code runs when one of its attributes is first asked for."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


splitmix = _lazily(f"{__name__}.splitmix")

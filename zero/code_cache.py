"""Where compiled code is kept between processes: generated modules, each under a hash of its source.

numba's disk cache does not notice edits in imported files. So entry points are written into a module
whose name carries a hash of all compiled source, and that module is cached.

Folder: $ZERO_CACHE, else `zero` in $XDG_CACHE_HOME or ~/.cache, else a temporary folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType


def cache_folder() -> Path:
    """Returns the folder for generated code, made if need be; a temporary one if it cannot be."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    chosen = Path(os.environ.get("ZERO_CACHE") or Path(base) / "zero").expanduser()
    for folder in (chosen, Path(tempfile.gettempdir()) / f"zero-cache-{os.getuid()}"):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return Path(tempfile.mkdtemp(prefix="zero-cache-"))


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file of the cache: aside and renamed, so that no other process can read half of it."""
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, suffix=".tmp", delete=False) as f:
        f.write(data)
    os.replace(f.name, path)


def path_of(name: str, text: str, modules: list[ModuleType]) -> Path:
    """Returns where a generated module is kept: its name carries a hash of all compiled source.

    modules: those whose functions are compiled into it; their text counts as well.
    """
    digest = hashlib.sha256(text.encode())
    for module in modules:
        digest.update(Path(module.__file__).read_bytes())
    return cache_folder() / f"zero_{name}_{digest.hexdigest()[:20]}.py"


def load(path: Path, text: str) -> ModuleType:
    """Imports a generated module, written to the cache folder if it is not there."""
    if not path.exists():
        write_whole(path, text.encode())
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module

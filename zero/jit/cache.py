"""Where compiled code is kept between processes: generated modules, each under a hash of its source.

numba's disk cache does not notice edits in imported files. So entry points are written into a module
whose name carries a hash of all compiled source, and that module is cached. Which source that is, is found
by following imports (`sources`).

Folder: $ZERO_CACHE, else `zero` in $XDG_CACHE_HOME or ~/.cache, else a temporary folder. What lies in
it is executed, so it must be a folder that nobody else can write to.
"""

from __future__ import annotations

import ast
import atexit
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

from zero.errors import ConfigError
from zero.jit import compiling
from zero.system import signals

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


# --- the folder -----------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Returns the folder for generated code, made if need be; a temporary one if it cannot be.

    Raises:
        ConfigError: $ZERO_CACHE names a folder that another user owns or may write to.
    """
    names = ("ZERO_CACHE", "XDG_CACHE_HOME", "HOME")
    return _chosen(*(os.environ.get(name) for name in names), tempfile.gettempdir())


@cache
def _chosen(given: str | None, base: str | None, home: str | None, temporary: str) -> Path:
    folder = Path(given or Path(base or "~/.cache") / "zero").expanduser()
    fault = _fault(folder)
    if fault and given:
        raise ConfigError(
            f"ZERO_CACHE: compiled code is executed, and {fault}; give a folder of your own, or "
            f"one that does not exist yet"
        )
    if fault:
        print(f"note: compiled code is not kept in {folder}: {fault}", file=sys.stderr)
    elif _usable(folder):
        return folder
    # Its name is known, so anybody may have been here before.
    folder = Path(temporary) / f"zero-cache-{os.getuid()}"
    if _is_own(folder) and _usable(folder) and _is_own(folder):
        return folder
    folder = Path(tempfile.mkdtemp(prefix="zero-cache-"))
    print("note: compiled code is kept for this command only; set ZERO_CACHE to a folder of your "
          "own", file=sys.stderr)  # fmt: skip
    atexit.register(_remove, folder, os.getpid())
    return folder


def _fault(folder: Path) -> str:
    """Returns why the code in a folder must not be executed, "" if it may or there is no folder."""
    for path in (folder, folder / "__pycache__"):
        try:
            found = path.stat()
        except OSError:
            continue
        if not stat.S_ISDIR(found.st_mode):
            return f"{path} is no folder"
        if found.st_uid != os.getuid():
            return f"{path} belongs to another user"
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"others may write to {path} (chmod go-w takes that from them)"
    return ""


def _is_own(folder: Path) -> bool:
    return not folder.is_symlink() and not _fault(folder)


def _usable(folder: Path) -> bool:
    """Makes the folder if need be; returns whether files can be made in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "__pycache__").mkdir(exist_ok=True, mode=0o700)  # where numba puts machine code
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


# --- what is in it --------------------------------------------------------------------------------


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file of the cache: aside and renamed, so that no other process can read half of it.

    Raises:
        ConfigError: it cannot be written, such as on a full disk.
    """
    aside = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        try:
            aside.write_bytes(data)
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"compiled code cannot be kept in {path.parent}: {error.strerror or error}; make room there, "
            "or set ZERO_CACHE to another folder of your own"
        ) from error


def write_kept(path: Path, data: bytes) -> None:
    """Writes a file of the cache with a digest before its data; raises as `write_whole` does."""
    write_whole(path, with_digest(data))


def read_kept(path: Path) -> bytes | None:
    """Returns the data in a file that has a digest, None if there is none or it is damaged."""
    try:
        return without_digest(path.read_bytes())
    except OSError:
        return None


def with_digest(data: bytes) -> bytes:
    """Returns the data with their digest before them."""
    return hashlib.sha256(data).digest() + data


def without_digest(kept: bytes) -> bytes | None:
    """Returns the data of which `with_digest` made this, None if it is damaged."""
    size = hashlib.sha256().digest_size
    data = kept[size:]
    return data if hashlib.sha256(data).digest() == kept[:size] else None


def path_of(name: str, text: str) -> Path:
    """Returns where a generated module is kept: its name carries a hash of all compiled source.

    text: of the module; that of the modules whose functions are compiled into it counts as well.
    """
    return cache_folder() / f"zero_{name}_{digest(text)[:20]}.py"


def digest(text: str) -> str:
    """Returns a hash of a module's text and of all `sources` of it, in hexadecimal."""
    found = hashlib.sha256(text.encode())
    for path in sources(text):
        found.update(path.read_bytes())
    return found.hexdigest()


def load(path: Path, text: str) -> ModuleType:
    """Imports a generated module, written to the cache folder if it is not there as it should be."""
    if not path.exists() or path.read_bytes() != text.encode():
        write_whole(path, text.encode())
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


# --- which source is compiled ---------------------------------------------------------------------

_ROOT = Path(__file__).parents[1]

# Nothing of these ends up in machine code, whoever imports them; nor does what only they import.
NOT_COMPILED = (
    "zero.errors",
    "zero.jit.cache",
    "zero.jit.compiling",
    "zero.jit.machine_code",
    "zero.system",
)

# An import from zero at the top level of a file; to parse whole files would take every start 60 ms.
_IMPORT = re.compile(
    r"^(?:from zero[\w.]* import|import zero)\b[^\n(]*(?:\([^)]*\))?", re.MULTILINE
)


def sources(text: str) -> list[Path]:
    """Returns the files of zero that a module of that text depends on, in the order of their names.

    They are those that it imports at its top level, those that these import, and so on, without
    `NOT_COMPILED`.
    """
    found: dict[str, Path] = {}
    waiting = [text]
    while waiting:
        for name in imported(waiting.pop()):
            path = _file_of(name)
            if path is None or name in found or _is_within(name, NOT_COMPILED):
                continue
            found[name] = path
            waiting.append(path.read_text())
    return [found[name] for name in sorted(found)]


@cache
def imported(text: str) -> frozenset[str]:
    """Returns the modules of zero that a text imports at its top level.

    A package counts only where something else than its modules is imported from it.
    """
    found = set()
    for node in ast.parse("\n".join(_IMPORT.findall(text))).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inside if _file_of(name)}
            found |= modules | ({node.module} if inside - modules else set())
    return frozenset(found)


def _is_within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _file_of(name: str) -> Path | None:
    """Returns the file of a module of zero, None if there is no such module."""
    package, *rest = name.split(".")
    path = os.path.join(_ROOT, *rest)
    for file in (f"{path}.py", os.path.join(path, "__init__.py")):
        if package == "zero" and os.path.isfile(file):
            return Path(file)
    return None


# --- compiling ------------------------------------------------------------------------------------

_in_child = False


def compiled_aside(work: Callable[[], object]) -> bool:
    """Compiles into the cache in a forked process; returns whether that was done there.

    The process ends when a stop acts (`zero.system.signals`), an exception leaves this function, or this
    process dies. False: it failed or cannot be forked, so that the caller should compile itself.
    """
    global _in_child
    if _in_child:
        return False
    ours, theirs = os.pipe()  # the child sees by it that this process is gone
    stages, tell = os.pipe()
    # A signal before the child ignores it would run this process's handler in the child.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        child = os.fork()
        if not child:
            _in_child = True
            compiling.send_to(tell)
            _compile(work, ours, theirs)
    except OSError:
        child = None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(ours)
        os.close(tell)
    try:
        return child is not None and _waited(child, stages)
    finally:
        os.close(theirs)
        os.close(stages)


def _compile(work: Callable[[], object], ours: int, theirs: int) -> None:
    """Does the work in the child, and ends it."""
    code = 1
    try:
        # They reach all processes of a terminal or a job; the parent decides what they mean.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(theirs)

        def end_with_the_parent() -> None:
            os.read(ours, 1)  # nothing is ever written: it returns when the parent is gone
            os._exit(1)

        threading.Thread(target=end_with_the_parent, daemon=True).start()
        work()
        code = 0
    finally:
        os._exit(code)  # whatever failed, the parent meets it when it compiles itself


def _waited(child: int, stages: int) -> bool:
    """Returns whether the child ended well; ends it if an exception comes meanwhile.

    stages: where it tells what it compiles.
    """
    pause, status, received = 0.001, None, b""
    os.set_blocking(stages, False)
    try:
        while status is None:
            signals.check()
            received = _tell_stages(received, stages)
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
            done, code = os.waitpid(child, os.WNOHANG)
            status = code if done else None
        _tell_stages(received, stages)  # its last words
    except ChildProcessError:  # a program that has its children waited for elsewhere
        return True
    finally:
        if status is None:
            _end(child)
    return status == 0


def _tell_stages(received: bytes, stages: int) -> bytes:
    """Tells the whole lines that have come; returns the rest, which began with `received`."""
    try:
        received += os.read(stages, 1 << 12)
    except BlockingIOError:
        return received
    lines, _, rest = received.rpartition(b"\n")
    compiling.receive(lines)
    return rest


def _end(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass

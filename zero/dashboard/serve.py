"""Serving the dashboard until it is stopped."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from zero.errors import ConfigError

PORT = 8421
NEEDED = ("starlette", "uvicorn", "plotly")


def check_installed() -> None:
    """Raises ConfigError if what the dashboard needs is not installed."""
    from importlib.util import find_spec

    lacking = [name for name in NEEDED if find_spec(name) is None]
    if lacking:
        raise ConfigError(
            f"the dashboard needs {', '.join(lacking)}: pip install 'zero-discovery[dashboard]'"
        )


def bound(host: str, port: int) -> socket.socket:
    """Returns a socket that listens there; port 0 takes any that is free.

    Raises:
        ConfigError: the port is in use, or there is no such host.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
            made.listen(128)
        except OSError:
            made.close()
            raise
        return made
    except socket.gaierror:
        raise ConfigError(
            f"there is no host {host}; give --host an address of this machine"
        ) from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} of {host} is in use, perhaps by another dashboard; give another one with "
                "--port N, or --port 0 for any that is free"
            ) from None
        raise ConfigError(f"cannot listen on {host}, port {port}: {error.strerror}") from None


def serve(
    folder: Path,
    host: str,
    port: int,
    write: bool,
    most_bytes: int,
    tell: Callable[[str], None],
    debug: bool = False,
) -> None:
    """Serves the runs of a folder until Ctrl-C.

    Args:
        folder: of the runs.
        host, port: where to listen.
        write: whether runs may be begun.
        most_bytes: of an upload.
        tell: gets the address to open.
        debug: whether traces of errors are printed.

    Raises:
        ZeroError: the folder, the host or the port cannot be used.
    """
    import uvicorn

    from zero.dashboard.app import make_app
    from zero.dashboard.guard import is_loopback, new_token
    from zero.dashboard.learn import Learning
    from zero.dashboard.root import Root

    root = Root(folder)
    listening = bound(host, port)
    loopback = is_loopback(host)
    token = None if loopback and not write else new_token()
    learning = Learning(root, most_bytes) if write else None
    app = make_app(root, token, loopback, learning, debug)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{listening.getsockname()[1]}/"
    tell(f"runs of {root.path}: {address}" + (f"?token={token}" if token else ""))
    if write:
        tell("whoever has this address can begin runs here, as you")
    elif token:
        tell("whoever has this address can see these runs")
    settings = uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=2,
        server_header=False,
    )  # fmt: skip
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: what was made is removed
        signal.signal(number, signal.default_int_handler)
    try:
        uvicorn.Server(settings).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        app.app.state.shown.close()
        root.close()

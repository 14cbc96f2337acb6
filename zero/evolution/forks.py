"""Forked processes of this program's own: how they are started, talk, and end.

A child leaves signals to its parent, and ends when that is gone. What is sent through a pipe is pickled:
only ever between our own processes.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from zero.errors import DeviceError, ZeroError
from zero.system import signals

T = TypeVar("T")

PARENTS_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class WorkerFailed(ZeroError):
    """A worker raised an exception (its trace is a note of this one), or workers die repeatedly."""


def fork_context() -> Any:
    """Returns the context that forks processes.

    Raises:
        DeviceError: this operating system cannot fork.
    """
    import multiprocess

    if "fork" not in multiprocess.get_all_start_methods():
        raise DeviceError(
            "islands are forked processes, which this operating system does not have; run on Linux "
            "or macOS (on Windows: in WSL)"
        )
    return multiprocess.get_context("fork")


def send(connection: Any, message: tuple[Any, ...]) -> None:
    """Sends a message to the other end of a pipe between our own processes."""
    # The standard pickler: the connection's own, dill, takes ten times as long over many arrays.
    connection.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))


def receive(connection: Any) -> tuple[Any, ...]:
    """Returns the next message from the other end of a pipe."""
    # Only ever what the other end of a pipe between our own processes sent.
    return pickle.loads(connection.recv_bytes())


def in_child(ask: Callable[[], T], patient: bool = False) -> T:
    """Returns what a function returns, called in a forked process that then ends.

    For what this process must not do itself because it forks later, such as initialising CUDA, and
    for what a stop may break off (`zero.system.signals.check`) though it has no steps.

    Raises:
        ZeroError: as the function did.
        DeviceError: its process died.
        WorkerFailed: the function raised something else.
    """
    context = fork_context()
    ours, theirs = context.Pipe(duplex=False)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, PARENTS_SIGNALS)
    try:
        process = context.Process(
            target=_answer, args=(ours, theirs, ask, os.getpid()), daemon=True
        )
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    theirs.close()
    try:
        began = time.monotonic()
        while not ours.poll(0.05):
            signals.check(began if patient else -math.inf)
        answer, error, trace = receive(ours)
    except EOFError:
        process.join()
        raise DeviceError(
            f"the process that was to do a part of the work died (exit code {process.exitcode}); is "
            "memory short?"
        ) from None
    finally:
        process.kill()  # it has nothing to say any more
        ours.close()
        process.join()
        process.close()
    if error is None:
        return answer
    if not isinstance(error, ZeroError):
        error = WorkerFailed(error)
        error.add_note(trace)
    raise error


def _answer(other: Any, connection: Any, ask: Callable[[], Any], parent: int) -> None:
    other.close()
    signals.forget()
    leave_signals_to_parent()
    use_one_openmp_thread()
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    message: tuple[Any, ZeroError | str | None, str]
    try:
        message = (ask(), None, "")
    except ZeroError as error:
        message = (None, error, traceback.format_exc())
    except BaseException as error:
        message = (None, in_words(error), traceback.format_exc())
    send(connection, message)
    # As workers do: whatever the function left behind has no say in how this ends.
    os._exit(0)


def use_one_openmp_thread() -> None:
    """Keeps libraries in a forked process from starting threads by OpenMP."""
    # GNU's waits for ever for the threads that it had in the parent, which are not in the child: as when
    # the parent has fitted scikit-learn's gradient boosting, and now the child does.
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="openmp")


def use_one_thread() -> None:
    """Keeps libraries in a forked process from starting threads, also those that it loads later."""
    from threadpoolctl import threadpool_limits

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    threadpool_limits(1)


def end_with(parent: int) -> None:
    """Ends this process when its parent is gone."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def leave_signals_to_parent() -> None:
    """Ignores in a child what the parent decides about."""
    # Ctrl-C and a batch system's SIGTERM reach all processes; the parent decides what they mean.
    for number in PARENTS_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PARENTS_SIGNALS)


def in_words(error: BaseException) -> str:
    """Returns an error that is no fault of the user's in one line."""
    text = "".join(traceback.format_exception_only(error))
    return " ".join(f"{text}; that is a fault in zero or in an op of your own".split())

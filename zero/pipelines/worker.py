"""A process that trains pipelines for somebody who must not die of it.

It has a limit of memory, and is killed when it takes too long. It is forked from its owner and so shares
the table; it is asked for one fold of one genome after another.
Whatever kills it, its owner hears of it and starts another. Called by `zero.pipelines.evaluator`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

from zero.evolution.forks import (
    end_with,
    fork_context,
    leave_signals_to_parent,
    receive,
    send,
    use_one_thread,
)

MIB = 1 << 20
BEGUN = "begun"
DIED = "its process died"
Work = Callable[[Any, Callable[[], None]], Any]
Answer = tuple[str, Any, float]  # "done" or the cause of a failure, what was found, seconds


class Worker:
    """See the module's docstring.

    Args:
        work: what is done with a question; any exception of it is a failure of that question alone. It
            also gets what it calls once all is imported that it needs: from then on seconds count.
        memory: bytes that the process may take beyond what it shares at its start; None for no limit.
    """

    def __init__(self, work: Work, memory: int | None = None):
        self.work, self.memory = work, memory
        self.process: int | None = None
        self._pipe: Any = None
        self._asked: float | None = None  # when, by `time.monotonic`

    @property
    def is_busy(self) -> bool:
        """Whether a question is not yet answered."""
        return self._asked is not None

    @property
    def seconds(self) -> float:
        """How long the question has been worked on."""
        return 0.0 if self._asked is None else time.monotonic() - self._asked

    def ask(self, question: Any) -> None:
        """Puts a question; there must be none yet."""
        if self.process is None:
            self._start()
        self._asked = time.monotonic()
        with contextlib.suppress(OSError):  # a dead process is noticed by `answer`
            send(self._pipe, (question,))

    def answer(self, patience: float) -> Answer | None:
        """Returns the answer, None if there is none after so many seconds."""
        if not self._pipe.poll(patience):
            return None
        seconds = self.seconds
        try:
            kind, found = receive(self._pipe)
        except (EOFError, OSError):
            return f"{DIED} ({self._death()})", None, seconds
        if kind == BEGUN:
            self._asked = time.monotonic()
            return None
        self._asked = None
        return kind, found, seconds

    def stop(self) -> None:
        """Ends the process, whatever it is doing."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
            self._death()

    def _death(self) -> str:
        """Returns how the process ended, and forgets it."""
        assert self.process is not None
        with contextlib.suppress(ChildProcessError):
            _, status = os.waitpid(self.process, 0)
        self._pipe.close()
        self.process = self._pipe = self._asked = None
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            return "killed, as where memory is short"
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def _start(self) -> None:
        ours, theirs = fork_context().Pipe()
        parent = os.getpid()
        # Not by multiprocess: an island is a process of it that may have no children.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
            self.process = os.fork()
        if self.process == 0:
            try:
                ours.close()
                _serve(theirs, self.work, self.memory, parent)
            finally:
                os._exit(0)
        theirs.close()
        self._pipe = ours


def _serve(pipe: Any, work: Work, memory: int | None, parent: int) -> None:
    """Answers questions until the owner is gone."""
    leave_signals_to_parent()
    use_one_thread()
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    if memory is not None:
        _limit(memory)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of learners: they are no news to who searches
        while True:
            try:
                (question,) = receive(pipe)
            except (EOFError, OSError):
                return
            send(pipe, _answered(work, question, memory, lambda: send(pipe, (BEGUN, None))))


def _answered(
    work: Work, question: Any, memory: int | None, begun: Callable[[], None]
) -> tuple[str, Any]:
    try:
        return "done", work(question, begun)
    except MemoryError:
        limit = "" if memory is None else f": more than {memory // MIB:,} MiB"
        return f"memory{limit}", None
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return text[:200], None


def _limit(memory: int) -> None:
    """Limits the process's memory to what it has now and so many bytes."""
    import resource

    with contextlib.suppress(OSError, ValueError):
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory,) * 2)

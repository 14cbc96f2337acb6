"""Islands as processes on one machine: start, exchange migrants, collect, stop.

Each island has a pipe to the parent and runs in a forked process of its own, or in a thread of one
that serves a group of islands: compiled code and waiting leave Python's lock to the others. A child
closes all ends of pipes but its own, and the parent waits for pipes and process sentinels together,
so a killed worker is noticed at once; workers of a killed parent find their pipe closed and end.

A round is a fixed number of individuals. At its end an island puts its emigrants into shared memory
where it has such, reports to the parent, and goes straight on. When all have reported a round,
the parent answers each: these are your immigrants, or this was enough. The answer to round r takes
effect at the end of round r + 1: immigrants arrive there, or the experiment ends there. Only an
island that has no answer by then waits. So islands seldom wait for each other, and the outcome
depends neither on the load nor on which process is faster.

When a worker dies, all islands step back to the last common snapshot (at most some seconds ago) and
start again from there: the same code path as resuming a run. While a snapshot is taken nothing is
answered. A state holds the island's report if it is unanswered, with what that put into shared
memory, and the immigrants that wait for the end of the round; so the states of a snapshot lack
nothing, though islands may be in two successive rounds. A restored island reports once more.

Messages to a worker: ("go", immigrants), ("end",) finish the round and stop, ("snapshot",),
("stop",) at once. From it: ("ready",) to evolve, ("progress", stats, new best record or None),
("round", report), ("snapshot", state), ("stopping",) a state is on its way, ("stopped", state,
whether at the end of the experiment), ("failed", one line, trace).

An island looks for messages between evaluations. One that is in the middle of a long one when a stop
is urgent (a large training set, an evaluation on the select tasks) is not waited for: all end, and
the states are those of the last common snapshot.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from zero.errors import ZeroError
from zero.evolution.forks import (
    PARENTS_SIGNALS,
    WorkerFailed,
    fork_context,
    in_words,
    leave_signals_to_parent,
    receive,
    send,
    use_one_openmp_thread,
)
from zero.evolution.island import BaseIsland, Report, State
from zero.system import signals

PROGRESS_SECONDS = 0.2  # between messages that only inform
MAX_RESTARTS = 5  # without a snapshot in between: a worker that always dies is a fault of its own


def _work(
    connections: list[Any],
    others: list[Any],
    makes: list[Callable[[], BaseIsland]],
    states: list[State | None],
) -> None:
    """Runs a group's islands until all are told to stop or the parent is gone."""
    for other in others:
        other.close()
    leave_signals_to_parent()
    use_one_openmp_thread()
    try:
        first, *rest = zip(connections, makes, states, strict=True)
        threads = [threading.Thread(target=_run, args=island) for island in rest]
        for thread in threads:
            thread.start()
        _run(*first)
        for thread in threads:
            thread.join()
    finally:
        # Leave without the clean-up of what was forked from the parent (its files, its terminal).
        os._exit(0)


def _run(connection: Any, make: Callable[[], BaseIsland], state: State | None) -> None:
    """Runs one island until it is told to stop, fails, or the parent is gone."""
    try:
        island = make()
        if state is not None:
            island.restore(state)
        island.prepare()
        send(connection, ("ready",))
        _serve(connection, island)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent is gone
    except BaseException as error:
        text = str(error) if isinstance(error, ZeroError) else in_words(error)
        with contextlib.suppress(OSError):
            send(connection, ("failed", " ".join(text.split()), traceback.format_exc()))


def _serve(connection: Any, island: BaseIsland) -> None:
    ending, informed = False, -math.inf
    if island.report is not None:
        send(connection, ("round", island.report))
    while True:
        if island.waiting and island.report is None:
            send(connection, ("round", island.begin_round()))
        if not island.waiting:
            best = island.advance(PROGRESS_SECONDS)
            if best is not None or time.monotonic() - informed >= PROGRESS_SECONDS:
                informed = time.monotonic()
                send(connection, ("progress", island.stats(), best))
        elif ending:
            send(connection, ("stopped", island.state(), True))
            ending = False
        while connection.poll(None if island.waiting and island.report and not ending else 0):
            command = receive(connection)
            if command[0] == "go":
                island.receive(command[1])
            elif command[0] == "end":
                ending = True
            elif command[0] == "snapshot":
                send(connection, ("snapshot", island.state()))
            else:
                send(connection, ("stopping",))
                send(connection, ("stopped", island.state(), ending and island.waiting))
                return


class Islands:
    """The islands of one experiment, in processes.

    Args:
        makers: one function an island that makes it; called in its process and thread.
        states: states to go on from, one an island, or None for a fresh start.
        exchange: (reports) -> what each island is to receive, called when all islands have reported
            a round, or None to end the experiment after the round they are in.
        on_progress: (island, stats, new best record or None), for showing.
        on_message: (text), for what a person should know.
        on_snapshot: (states), called with states of all islands that fit together.
        snapshot_every: seconds between snapshots.
        groups: which islands share a process, each in exactly one group; by default none do. Decides
            nothing about the outcome.
        on_ready: called when all islands are about to evolve, whatever they compile being compiled.
    """

    def __init__(
        self,
        makers: list[Callable[[], BaseIsland]],
        states: list[State] | None,
        exchange: Callable[[list[Report]], list[Any] | None],
        on_progress: Callable[[int, dict[str, Any], Any], None],
        on_message: Callable[[str], None],
        on_snapshot: Callable[[list[State]], None],
        snapshot_every: float = 10.0,
        groups: list[list[int]] | None = None,
        on_ready: Callable[[], None] | None = None,
    ):
        self.makers, self.states, self.exchange = makers, states, exchange
        self.on_progress, self.on_message, self.on_snapshot = on_progress, on_message, on_snapshot
        self.on_ready = on_ready or (lambda: None)
        self.snapshot_every = snapshot_every
        self.groups = groups or [[k] for k in range(len(makers))]
        self.processes: list[Any] = []  # one a group
        self.connections: list[Any] = []
        self.restarts = 0

    # --- processes ------------------------------------------------------------------------------

    def _start(self) -> None:
        self.reports: dict[int, Report] = {}
        self.pending: dict[int, State] | None = None
        self.ready: set[int] = set()
        self.heard: set[int] = set()
        self.stopping: set[int] = set()
        self.stopped: dict[int, tuple[State, bool]] = {}
        self.last_snapshot = time.monotonic()
        context = fork_context()
        pipes = []
        for _ in self.makers:
            pipes.append(context.Pipe())
            self.connections.append(pipes[-1][0])
        # A signal before the child has its own handlers would run the parent's in the child.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, PARENTS_SIGNALS)
        try:
            for group in self.groups:
                mine = [pipes[k][1] for k in group]
                # Everything that a child inherits and must not keep open.
                others = [end for pair in pipes for end in pair if end not in mine]
                makes = [self.makers[k] for k in group]
                states = [self.states[k] if self.states else None for k in group]
                process = context.Process(
                    target=_work, args=(mine, others, makes, states), daemon=True
                )
                process.start()
                self.processes.append(process)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for _, theirs in pipes:
                theirs.close()

    def _kill(self) -> None:
        for process in self.processes:
            process.kill()
        while self.processes:
            self.processes[-1].join()
            self.processes.pop().close()
        while self.connections:
            self.connections.pop().close()

    # --- the loop -------------------------------------------------------------------------------

    def run(
        self, should_stop: Callable[[], bool], urgent: Callable[[], bool] = lambda: True
    ) -> tuple[list[State] | None, bool]:
        """Runs until `exchange` ends the experiment or `should_stop`; returns (states, ended).

        ended: False when stopped from outside; the states then allow to go on exactly. They are None
        if there is none yet, for a fresh start. urgent: whether the stop must not wait for long
        evaluations.

        Raises:
            DeviceError: this operating system cannot fork.
            WorkerFailed: a worker raised an exception, died more than `MAX_RESTARTS` times in a
                row, or cannot be started.
        """
        try:
            while True:
                try:
                    self._start()
                except OSError as error:
                    raise WorkerFailed(
                        f"cannot start {len(self.groups)} processes: {error.strerror or error}; "
                        "set fewer islands, or raise the limits of processes and files (ulimit)"
                    ) from error
                try:
                    return self._loop(should_stop, urgent)
                except _TooLate:
                    return self.states, False
                except _WorkerDied as death:
                    self._give_up_or_tell(death)
                self._kill()
        finally:
            self._kill()

    def _give_up_or_tell(self, death: _WorkerDied) -> None:
        self.restarts += 1
        if self.restarts > MAX_RESTARTS:
            raise WorkerFailed(
                f"a worker died {self.restarts} times in a row ({death}); is memory short? Set "
                "fewer islands or smaller tasks, then `zero resume`"
            )
        self.on_message(f"{death.who} died ({death}); all islands go on from the last snapshot")

    def _loop(
        self, should_stop: Callable[[], bool], urgent: Callable[[], bool]
    ) -> tuple[list[State], bool]:
        from multiprocess.connection import wait

        count = len(self.makers)
        ending = stopping = False
        late: float | None = None  # when a stop became urgent
        while len(self.stopped) < count:
            running = [k for k in range(count) if k not in self.stopped]
            connections = {self.connections[k]: k for k in running}
            sentinels = {}
            for process, group in zip(self.processes, self.groups, strict=True):
                if not self.stopped.keys() >= set(group):
                    sentinels[process.sentinel] = group
            ready = wait([*connections, *sentinels], timeout=0.1)
            for connection in [c for c in ready if c in connections]:
                self._receive(connections[connection])
            for sentinel in [s for s in ready if s in sentinels]:
                for island in sentinels[sentinel]:
                    while island not in self.stopped and self.connections[island].poll():
                        self._receive(island)  # its last words
                    if island not in self.stopped:
                        raise self._death(island)
            wanted = stopping or should_stop()
            if wanted and len(self.stopping) < count and urgent():
                late = late or time.monotonic()
                if time.monotonic() - late >= signals.PATIENCE:
                    raise _TooLate
            if stopping:
                continue
            if len(self.reports) == count and self.pending is None:
                answers = self.exchange([self.reports[k] for k in range(count)])
                self.reports = {}
                ending = answers is None
                for k in range(count):
                    self._send(k, ("end",) if answers is None else ("go", answers[k]))
            # Only now: a run that is stopped at once, again and again, still gets somewhere, also
            # where all that it has to do is to answer.
            if wanted and len(self.heard) == count and self.pending is None:
                stopping = True
                for k in range(count):
                    self._send(k, ("stop",))
            due = time.monotonic() - self.last_snapshot >= self.snapshot_every
            if due and self.pending is None and not ending and not wanted:
                self.pending = {}
                for k in range(count):
                    self._send(k, ("snapshot",))
        states, ended = zip(*(self.stopped[k] for k in range(count)), strict=True)
        return list(states), all(ended)

    def _send(self, island: int, message: tuple[Any, ...]) -> None:
        try:
            send(self.connections[island], message)
        except OSError as error:
            raise self._death(island) from error

    def _death(self, island: int) -> _WorkerDied:
        number = next(n for n, group in enumerate(self.groups) if island in group)
        # Its pipe closes a moment before the exit code is there.
        self.processes[number].join(1)
        died = [str(k) for k in self.groups[number] if k not in self.stopped] or [str(island)]
        who = f"island{'s' * (len(died) > 1)} {', '.join(died)}"
        return _WorkerDied(who, f"exit code {self.processes[number].exitcode}")

    def _receive(self, island: int) -> None:
        try:
            message = receive(self.connections[island])
        except (EOFError, OSError) as error:
            raise self._death(island) from error
        kind = message[0]
        if kind == "ready":
            self.ready.add(island)
            if len(self.ready) == len(self.makers):
                self.on_ready()
            return
        self.heard.add(island)
        if kind == "failed":
            failure = WorkerFailed(
                f"island {island} failed: {message[1]}; the last checkpoint is as it was"
            )
            failure.add_note(message[2])
            raise failure
        if kind == "progress":
            self.on_progress(island, message[1], message[2])
        elif kind == "round":
            self.reports[island] = message[1]
        elif kind == "snapshot" and self.pending is not None:
            self.pending[island] = message[1]
            if len(self.pending) == len(self.makers):
                self._take(self.pending)
        elif kind == "stopping":
            self.stopping.add(island)
        elif kind == "stopped":
            self.stopping.add(island)
            self.stopped[island] = message[1:]

    def _take(self, pending: dict[int, State]) -> None:
        """Makes the states the ones to go on from."""
        self.states = [pending[k] for k in range(len(self.makers))]
        self.pending = None
        self.restarts = 0
        self.on_snapshot(self.states)
        # The time that it took does not count: however slow the disk, there is work in between.
        self.last_snapshot = time.monotonic()


class _TooLate(Exception):
    """A stop was urgent, and an island was in the middle of something long."""


class _WorkerDied(Exception):
    def __init__(self, who: str, why: str):
        super().__init__(why)
        self.who = who

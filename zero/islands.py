"""Islands as processes on one machine: start, exchange migrants, collect, stop.

Each island runs in a forked process with a pipe of its own; a child closes the ends of its
siblings' pipes, and the parent waits for pipes and process sentinels together, so a killed worker
is noticed at once; workers of a killed parent find their pipe closed and end. Islands meet only at
the end of a round, a fixed number of individuals, so the outcome depends neither on the load nor on
which process is faster.

When a worker dies, all islands step back to the last common snapshot (at most some seconds ago) and
start again from there: the same code path as resuming a run.

Messages to a worker: ("go", immigrants), ("snapshot",), ("stop",). From it: ("progress", stats,
new best record or None), ("round", report), ("snapshot", state), ("stopped", state), ("failed", one
line, trace).
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from zero.errors import DeviceError, ZeroError
from zero.island import Island
from zero.rng import key_for

MAX_RESTARTS = 5  # without a snapshot in between: a worker that always dies is a fault of its own
_PARENTS_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _context():
    import multiprocess

    if "fork" not in multiprocess.get_all_start_methods():
        raise DeviceError(
            "islands are forked processes, which this operating system does not have; run on Linux "
            "or macOS (on Windows: in WSL)"
        )
    return multiprocess.get_context("fork")


def _send(connection, message: tuple) -> None:
    # The standard pickler: the connection's own, dill, takes ten times as long over many arrays.
    connection.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))


def _receive(connection) -> tuple:
    # Only ever what the other end of a pipe between our own processes sent.
    return pickle.loads(connection.recv_bytes())


def _work(connection, others, make: Callable[[], Island], state: dict | None) -> None:
    """Runs one island until it is told to stop or the parent is gone."""
    for other in others:
        other.close()
    # Ctrl-C and a batch system's SIGTERM reach all processes; the parent decides what they mean.
    for number in _PARENTS_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PARENTS_SIGNALS)
    try:
        island = make()
        if state is not None:
            island.restore(state)
        _serve(connection, island)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent is gone
    except BaseException as error:
        line = " ".join("".join(traceback.format_exception_only(error)).split())
        with contextlib.suppress(OSError):
            _send(connection, ("failed", line, traceback.format_exc()))
    finally:
        # Leave without the clean-up of what was forked from the parent (its files, its terminal).
        os._exit(0)


def _serve(connection, island: Island) -> None:
    if island.waiting:
        _send(connection, ("round", island.report()))
    while True:
        if not island.waiting:
            best = island.advance(0.2)
            _send(connection, ("progress", island.stats(), best))
            if island.waiting:
                _send(connection, ("round", island.report()))
        while connection.poll(None if island.waiting else 0):
            command = _receive(connection)
            if command[0] == "go":
                island.begin_round(command[1])
            elif command[0] == "snapshot":
                _send(connection, ("snapshot", island.state()))
            else:
                _send(connection, ("stopped", island.state()))
                return


class WorkerFailed(ZeroError):
    """A worker raised an exception (its trace is a note of this one), or workers die repeatedly."""


class Islands:
    """The islands of one experiment, each in its process.

    Args:
        makers: one function an island that makes it; called in its process.
        states: states to go on from, one an island, or None for a fresh start.
        exchange: (reports) -> immigrants for each island, called at the end of each round when all
            islands have reported, or None to end the experiment.
        on_progress: (island, stats, new best record or None), for showing.
        on_message: (text), for what a person should know.
        on_snapshot: (states), called with the states of all islands at a common round.
        snapshot_every: seconds between snapshots.
    """

    def __init__(
        self,
        makers: list[Callable[[], Island]],
        states: list[dict] | None,
        exchange: Callable[[list[dict]], list[Any] | None],
        on_progress: Callable[[int, dict, dict | None], None],
        on_message: Callable[[str], None],
        on_snapshot: Callable[[list[dict]], None],
        snapshot_every: float = 10.0,
    ):
        self.makers, self.states, self.exchange = makers, states, exchange
        self.on_progress, self.on_message, self.on_snapshot = on_progress, on_message, on_snapshot
        self.snapshot_every = snapshot_every
        self.processes: list[Any] = []
        self.connections: list[Any] = []
        self.restarts = 0

    # --- processes ------------------------------------------------------------------------------

    def _start(self) -> None:
        self.reports: dict[int, dict] = {}
        self.pending: dict[int, dict] | None = None
        self.heard: set[int] = set()
        self.last_snapshot = time.monotonic()
        context = _context()
        pipes = []
        for _ in self.makers:
            pipes.append(context.Pipe())
            self.connections.append(pipes[-1][0])
        # A signal before the child has its own handlers would run the parent's in the child.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _PARENTS_SIGNALS)
        try:
            for k, make in enumerate(self.makers):
                # Everything that a child inherits and must not keep open.
                others = [end for pair in pipes for end in pair if end is not pipes[k][1]]
                state = self.states[k] if self.states else None
                process = context.Process(
                    target=_work, args=(pipes[k][1], others, make, state), daemon=True
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

    def run(self, should_stop: Callable[[], bool]) -> tuple[list[dict], bool]:
        """Runs until `exchange` ends the experiment or `should_stop`; returns (states, ended).

        ended: False when stopped from outside; the states then allow to go on exactly.

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
                        f"cannot start {len(self.makers)} processes: {error.strerror or error}; "
                        "set fewer islands, or raise the limits of processes and files (ulimit)"
                    ) from error
                try:
                    return self._loop(should_stop)
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
        self.on_message(
            f"island {death.island} died ({death}); all islands go on from the last snapshot"
        )

    def _loop(self, should_stop) -> tuple[list[dict], bool]:
        from multiprocess.connection import wait

        while True:
            sentinels = {p.sentinel: k for k, p in enumerate(self.processes)}
            ready = wait([*self.connections, *sentinels], timeout=0.1)
            for connection in [c for c in ready if c in self.connections]:
                self._receive(self.connections.index(connection))
            for sentinel in [s for s in ready if s in sentinels]:
                island = sentinels[sentinel]
                while self.connections[island].poll():
                    self._receive(island)  # its last words
                raise self._death(island)
            if len(self.reports) == len(self.makers) and self.pending is None:
                immigrants = self.exchange([self.reports[k] for k in range(len(self.makers))])
                if immigrants is None:
                    return self._stop(), True
                self.reports = {}
                for k, arrivals in enumerate(immigrants):
                    self._send(k, ("go", arrivals))
            # Only now: a run that is stopped at once, again and again, still gets somewhere.
            if len(self.heard) == len(self.makers) and should_stop():
                return self._stop(), False
            due = time.monotonic() - self.last_snapshot >= self.snapshot_every
            if due and self.pending is None:
                self.pending = {}
                for k in range(len(self.makers)):
                    self._send(k, ("snapshot",))

    def _send(self, island: int, message: tuple) -> None:
        try:
            _send(self.connections[island], message)
        except OSError as error:
            raise self._death(island) from error

    def _death(self, island: int) -> _WorkerDied:
        # Its pipe closes a moment before the exit code is there.
        self.processes[island].join(1)
        return _WorkerDied(island, f"exit code {self.processes[island].exitcode}")

    def _receive(self, island: int) -> tuple:
        try:
            message = _receive(self.connections[island])
        except (EOFError, OSError) as error:
            raise self._death(island) from error
        kind = message[0]
        self.heard.add(island)
        if kind == "failed":
            failure = WorkerFailed(
                f"island {island} failed: {message[1]}; that is a fault in zero or in an op of "
                "your own; the last checkpoint is as it was"
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
        return message

    def _take(self, pending: dict[int, dict]) -> None:
        """Makes the states the ones to go on from: all islands are in the same round.

        They are, because nobody is sent into the next round while a snapshot is pending.
        """
        self.states = [pending[k] for k in range(len(self.makers))]
        self.pending = None
        self.restarts = 0
        self.on_snapshot(self.states)
        # The time that it took does not count: however slow the disk, there is work in between.
        self.last_snapshot = time.monotonic()

    def _stop(self) -> list[dict]:
        """Returns the final states of all islands, which end."""
        for k in range(len(self.makers)):
            self._send(k, ("stop",))
        states = []
        for k in range(len(self.makers)):
            while True:
                message = self._receive(k)
                if message[0] == "stopped":
                    states.append(message[1])
                    break
        return states


class _WorkerDied(Exception):
    def __init__(self, island: int, why: str):
        super().__init__(why)
        self.island = island


def distribute(reports: list[dict], seed: int, experiment: int) -> list[dict]:
    """Returns the immigrants of each island: drawn uniformly from all that were sent.

    As in the paper's supplement S3: what every worker uploads goes into one pool, and each receives
    as many as it sent. The draw depends only on seed, experiment, round and island.
    """
    people: dict[int, dict] = {}
    pool: list[int] = []
    for report in reports:
        people.update(report["emigrants"]["people"])
        pool.extend(report["emigrants"]["numbers"])
    immigrants = []
    for report in reports:
        key = key_for(seed, "migration", experiment, report["round"], report["island"])
        wanted = len(report["emigrants"]["numbers"])
        chosen = np.random.default_rng(key).choice(len(pool), size=wanted, replace=False)
        numbers = [pool[k] for k in chosen] if wanted else []
        needed: dict[int, dict] = {}
        for number in numbers:
            while number >= 0 and number not in needed:
                needed[number] = people[number]
                number = people[number]["parent"]
        immigrants.append({"numbers": numbers, "people": needed})
    return immigrants

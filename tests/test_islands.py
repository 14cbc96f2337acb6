"""Processes: what happens when they die, fail, lag behind or are told to stop.

Most tests use islands that only count, so that each takes a fraction of a second.
"""

import contextlib
import errno
import os
import signal
import time

import multiprocess
import pytest
from small_runs import archive_bytes, small_config

from zero import islands, run
from zero.errors import DeviceError, ZeroError
from zero.island import Island
from zero.islands import Islands, WorkerFailed, distribute
from zero.progress import Reporter

ROUND = 20
ROUNDS = 4


class Counter:
    """An island without programs: it counts to `ROUND` in each round and keeps what arrives."""

    def __init__(self, index=0, work=None):
        self.index, self.work = index, work or (lambda counter: None)
        self.number, self.round, self.waiting, self.heard = 0, 0, False, []
        self.report = self.arrivals = None

    def advance(self, seconds):
        self.work(self)
        self.number += 1
        self.waiting = self.number == ROUND * (self.round + 1)

    def stats(self):
        return {"number": self.number}

    def begin_round(self):
        self.report = {"island": self.index, "round": self.round, "number": self.number}
        self.heard.append(self.arrivals)
        self.round += 1
        self.waiting, self.arrivals = False, None
        return self.report

    def receive(self, answer):
        self.report, self.arrivals = None, answer

    def state(self):
        names = ("number", "round", "waiting", "heard", "report", "arrivals")
        return {name: getattr(self, name) for name in names}

    def restore(self, state):
        for name, value in state.items():
            setattr(self, name, list(value) if name == "heard" else value)


class Watch:
    """Runs counters and keeps what they told."""

    def __init__(self, makers, states=None, snapshot_every=10.0, rounds=ROUNDS):
        self.rounds = rounds
        self.messages, self.snapshots, self.exchanges = [], [], []
        self.islands = Islands(
            makers,
            states,
            self.exchange,
            lambda island, stats, best: None,
            self.messages.append,
            self.snapshots.append,
            snapshot_every,
        )

    def exchange(self, reports):
        self.exchanges.append([r["round"] for r in reports])
        if reports[0]["round"] == self.rounds - 1:
            return None
        return [(k, sum(r["number"] for r in reports)) for k in range(len(reports))]

    def run(self, should_stop=lambda: False):
        return self.islands.run(should_stop)


def counters(count, work=None):
    return [lambda k=k: Counter(k, work) for k in range(count)]


def once(path):
    """Returns True the first time in any process."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        return True
    return False


def undisturbed(count):
    return Watch(counters(count)).run()


# --- the course of things -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5])
def test_islands_exchange_after_each_round(count):
    watch = Watch(counters(count))
    states, ended = watch.run()
    assert ended
    assert watch.exchanges == [[r] * count for r in range(ROUNDS)]
    for k, state in enumerate(states):
        # What the last report decides, and what the reports bring, comes a round later.
        assert state["number"] == ROUND * (ROUNDS + 1)
        assert state["heard"] == [None] + [(k, count * ROUND * (r + 1)) for r in range(ROUNDS - 1)]


def test_islands_do_not_wait_for_an_answer_within_a_round(tmp_path):
    # Island 0 is through its second round before island 1 begins.
    def work(counter):
        if counter.index == 0 and counter.number == 2 * ROUND - 1:
            (tmp_path / "ahead").touch()
        while counter.index == 1 and not (tmp_path / "ahead").exists():
            time.sleep(0.001)

    assert Watch(counters(2, work)).run() == undisturbed(2)


def test_a_stop_while_the_last_round_is_finished_is_heard():
    def work(counter):
        if counter.index == 1 and counter.round == ROUNDS:
            time.sleep(0.01)

    watch = Watch(counters(2, work))
    states, ended = watch.run(lambda: len(watch.exchanges) == ROUNDS)
    assert not ended
    assert states[1]["number"] < ROUND * (ROUNDS + 1)
    assert Watch(counters(2), states).run() == undisturbed(2)


def test_a_lagging_island_is_waited_for():
    slow = [Counter, lambda: Counter(1, lambda counter: time.sleep(0.002))]
    assert Watch(slow).run() == undisturbed(2)


def test_snapshots_fit_together():
    watch = Watch(counters(3, lambda c: time.sleep(0.0005 * c.index)), snapshot_every=0.0)
    states, _ = watch.run()
    assert len(watch.snapshots) > ROUNDS
    for snapshot in watch.snapshots:
        rounds = [s["round"] for s in snapshot]
        assert max(rounds) - min(rounds) <= 1
    # From any of them the rest follows.
    for snapshot in watch.snapshots[:: max(1, len(watch.snapshots) // 5)]:
        assert Watch(counters(3), snapshot).run()[0] == states


def test_stopping_at_once_again_and_again_still_gets_to_the_end():
    states, ended = None, False
    for _ in range(2 * ROUND * ROUNDS):
        watch = Watch(counters(2), states)
        states, ended = watch.run(lambda: True)
        if ended:
            break
    assert ended
    assert states == undisturbed(2)[0]


def test_no_process_and_no_file_is_left_over():
    def handles():
        return len(os.listdir("/proc/self/fd"))

    Watch(counters(2)).run()
    before = handles()
    for _ in range(50):
        Watch(counters(2), rounds=1).run()
    assert handles() <= before
    assert multiprocess.active_children() == []
    with pytest.raises(ChildProcessError):  # not even a zombie
        os.waitpid(-1, os.WNOHANG)


# --- deaths and failures ------------------------------------------------------------------------


@pytest.mark.parametrize("snapshot_every", [0.0, 10.0])
@pytest.mark.parametrize("moment", [(0, 0), (1, ROUND + 3), (2, 3 * ROUND + 1)])
def test_a_killed_worker_changes_nothing(tmp_path, moment, snapshot_every):
    def work(counter):
        if (counter.index, counter.number) == moment and once(tmp_path / "died"):
            os.kill(os.getpid(), signal.SIGKILL)

    watch = Watch(counters(3, work), snapshot_every=snapshot_every)
    assert watch.run() == undisturbed(3)
    (message,) = watch.messages
    assert f"island {moment[0]} died" in message
    assert "-9" in message


@pytest.mark.parametrize("method", ["begin_round", "receive", "state"])
def test_a_worker_killed_at_any_message_changes_nothing(tmp_path, monkeypatch, method):
    original = getattr(Counter, method)

    def dying(self, *arguments):
        if self.index == 1 and self.round == 1 and once(tmp_path / "died"):
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, *arguments)

    expected = undisturbed(2)
    monkeypatch.setattr(Counter, method, dying)
    watch = Watch(counters(2), snapshot_every=0.0)
    assert watch.run() == expected
    assert len(watch.messages) == 1


def test_a_worker_killed_while_it_stops_is_not_lost(tmp_path, monkeypatch):
    original = Counter.state

    def dying(self):
        if once(tmp_path / "died"):
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self)

    monkeypatch.setattr(Counter, "state", dying)
    watch = Watch(counters(2))
    states, ended = watch.run(lambda: True)
    assert not ended
    assert len(watch.messages) == 1
    assert Watch(counters(2), states).run() == undisturbed(2)


def test_a_worker_that_always_dies_is_an_error():
    def work(counter):
        os.kill(os.getpid(), signal.SIGKILL)

    watch = Watch(counters(2, work))
    with pytest.raises(WorkerFailed, match="died 6 times in a row") as caught:
        watch.run()
    assert "\n" not in str(caught.value)
    assert len(watch.messages) == islands.MAX_RESTARTS
    assert multiprocess.active_children() == []


def test_a_worker_that_raises_is_one_line_with_the_trace_as_a_note():
    def work(counter):
        if counter.index == 1:
            raise ValueError("two\nlines")

    with pytest.raises(WorkerFailed) as caught:
        Watch(counters(2, work)).run()
    assert isinstance(caught.value, ZeroError)
    assert "island 1 failed: ValueError: two lines" in str(caught.value)
    assert "\n" not in str(caught.value)
    (note,) = caught.value.__notes__
    assert "Traceback" in note
    assert "in work" in note


def test_a_failing_checkpoint_ends_all_workers():
    def full(states):
        raise OSError(errno.ENOSPC, "no space")

    watch = Watch(counters(2, lambda c: time.sleep(0.001)), snapshot_every=0.0)
    watch.islands.on_snapshot = full
    with pytest.raises(OSError, match="no space"):
        watch.run()
    assert multiprocess.active_children() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_leave_signals_to_the_parent(number):
    def work(counter):
        os.kill(os.getpid(), number)

    watch = Watch(counters(2, work))
    assert watch.run() == undisturbed(2)
    assert watch.messages == []


def test_too_many_processes_is_one_line(monkeypatch):
    started = []
    start = multiprocess.context.ForkProcess.start

    def failing(self):
        if len(started) == 2:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(self)
        start(self)

    monkeypatch.setattr(multiprocess.context.ForkProcess, "start", failing)
    with pytest.raises(WorkerFailed, match="cannot start 3 processes: Resource") as caught:
        Watch(counters(3)).run()
    assert "\n" not in str(caught.value)
    assert multiprocess.active_children() == []


def test_without_fork_it_is_said(monkeypatch):
    monkeypatch.setattr(multiprocess, "get_all_start_methods", lambda: ["spawn"])
    with pytest.raises(DeviceError, match="forked processes"):
        Watch(counters(1)).run()


# --- a real run ---------------------------------------------------------------------------------


class Messages(Reporter):
    def __init__(self):
        self.texts = []

    def message(self, text):
        self.texts.append(text)


def test_a_run_survives_a_killed_worker(tmp_path, monkeypatch):
    config = small_config(islands={"count": 2})
    run.start(config, tmp_path / "whole")
    advance = Island.advance

    def dying(self, seconds):
        if self.index == 1 and self.round == 3 and once(tmp_path / "died"):
            os.kill(os.getpid(), signal.SIGKILL)
        return advance(self, seconds)

    monkeypatch.setattr(Island, "advance", dying)
    messages = Messages()
    run.start(config, tmp_path / "hurt", messages, checkpoint_seconds=0.02)
    assert archive_bytes(tmp_path / "hurt") == archive_bytes(tmp_path / "whole")
    assert [text for text in messages.texts if "island 1 died" in text]


# --- migration ----------------------------------------------------------------------------------


def drawn(seed=1, experiment=0, round_=0, sent=(4, 4, 4)):
    """Returns for each island the (island, place) pairs that it receives."""
    reports = [{"island": k, "round": round_, "sent": n} for k, n in enumerate(sent)]
    return [[tuple(pair) for pair in d.tolist()] for d in distribute(reports, seed, experiment)]


def test_immigrants_come_from_all_islands():
    seen = [set() for _ in range(3)]
    for round_ in range(60):
        for k, pairs in enumerate(drawn(round_=round_)):
            assert len(pairs) == len(set(pairs)) == 4
            seen[k] |= set(pairs)
    assert seen == [{(k, place) for k in range(3) for place in range(4)}] * 3


def test_each_island_receives_as_many_as_it_sent():
    assert [len(pairs) for pairs in drawn(sent=(0, 1, 5))] == [0, 1, 5]
    assert drawn(sent=(0, 0)) == [[], []]


def test_the_draw_depends_on_seed_experiment_and_round():
    assert drawn() == drawn()
    others = [drawn(), drawn(seed=2), drawn(experiment=1), drawn(round_=1)]
    assert all(a != b for i, a in enumerate(others) for b in others[:i])

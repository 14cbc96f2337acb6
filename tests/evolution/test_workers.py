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
from small_runs import Messages, archive_bytes, living, small_config, wait_until

from zero.errors import DeviceError, TaskError, ZeroError
from zero.evolution import workers as islands
from zero.evolution.forks import WorkerFailed, in_child
from zero.evolution.migration import distribute
from zero.evolution.workers import Islands
from zero.programs.domain import ProgramsDomain
from zero.programs.island import Island
from zero.runs import run

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

    def prepare(self):
        pass


class Watch:
    """Runs counters and keeps what they told."""

    def __init__(self, makers, states=None, snapshot_every=10.0, rounds=ROUNDS, groups=None):
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
            groups,
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


# --- several islands in one process -------------------------------------------------------------

GROUPS = [[[0, 1, 2]], [[0, 2], [1]], [[1], [2, 0]]]


@pytest.mark.parametrize("groups", GROUPS, ids=str)
def test_who_shares_a_process_decides_nothing(groups):
    watch = Watch(counters(3, lambda c: time.sleep(0.0005 * c.index)), None, 0.0, ROUNDS, groups)
    assert watch.run() == undisturbed(3)
    assert len(watch.snapshots) > ROUNDS


def test_islands_of_a_group_share_a_process_and_no_other(tmp_path):
    def work(counter):
        (tmp_path / str(counter.index)).write_text(str(os.getpid()))

    Watch(counters(4, work), groups=[[0, 2], [1], [3]]).run()
    processes = [int((tmp_path / str(k)).read_text()) for k in range(4)]
    assert processes[0] == processes[2]
    assert len(set(processes)) == 3
    assert os.getpid() not in processes


@pytest.mark.parametrize("snapshot_every", [0.0, 10.0])
@pytest.mark.parametrize("moment", [(0, 0), (2, ROUND + 3), (1, 3 * ROUND + 1)])
def test_a_killed_process_takes_its_islands_along_and_changes_nothing(
    tmp_path, moment, snapshot_every
):
    def work(counter):
        if (counter.index, counter.number) == moment and once(tmp_path / "died"):
            os.kill(os.getpid(), signal.SIGKILL)

    watch = Watch(counters(3, work), None, snapshot_every, ROUNDS, [[0, 2], [1]])
    assert watch.run() == undisturbed(3)
    (message,) = watch.messages
    assert ("islands 0, 2 died" if moment[0] != 1 else "island 1 died") in message


def test_an_island_that_raises_is_named_whatever_its_thread():
    def work(counter):
        if counter.index == 2:
            raise ValueError("wrong")

    with pytest.raises(WorkerFailed, match="island 2 failed: ValueError: wrong") as caught:
        Watch(counters(3, work), groups=[[0, 1, 2]]).run()
    assert "fault in zero" in str(caught.value)
    assert multiprocess.active_children() == []


def test_what_the_engine_raises_itself_is_not_called_a_fault():
    def work(counter):
        raise DeviceError("no memory left on the GPU")

    with pytest.raises(WorkerFailed, match="no memory left on the GPU; the last check") as caught:
        Watch(counters(1, work)).run()
    assert "fault" not in str(caught.value)


def test_a_stopped_group_goes_on_from_its_states_in_processes_of_their_own():
    watch = Watch(counters(3, lambda c: time.sleep(0.001)), groups=[[0, 1, 2]])
    states, ended = watch.run(lambda: len(watch.exchanges) == 2)
    assert not ended
    assert Watch(counters(3), states).run() == undisturbed(3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_group_leaves_signals_to_the_parent(number):
    def work(counter):
        os.kill(os.getpid(), number)

    watch = Watch(counters(3, work), groups=[[0, 1, 2]])
    assert watch.run() == undisturbed(3)
    assert watch.messages == []


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads processes from /proc")
def test_a_group_ends_when_its_parent_is_gone():
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        Watch(counters(3, lambda c: time.sleep(0.01)), rounds=10**6, groups=[[0, 1, 2]]).run()
        os._exit(0)
    assert wait_until(lambda: len(living(child)) == 2)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert wait_until(lambda: not living(child))


# --- a question answered elsewhere --------------------------------------------------------------


def test_a_question_is_answered_in_another_process():
    assert in_child(lambda: ["a", os.getpid()])[1] != os.getpid()
    with pytest.raises(TaskError, match=r"^no such thing$"):
        in_child(lambda: _raise(TaskError("no such thing")))
    with pytest.raises(DeviceError, match="exit code -9"):
        in_child(lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert multiprocess.active_children() == []


def _raise(error):
    raise error


# --- a real run ---------------------------------------------------------------------------------


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


def test_a_run_is_the_same_with_several_islands_in_a_process(tmp_path, monkeypatch):
    hurdle = {"train": 15, "valid": 5, "quantile": 0.5}
    config = small_config(islands={"count": 3}, evaluation={"hurdle": hurdle})
    run.start(config, tmp_path / "apart")
    monkeypatch.setattr(ProgramsDomain, "groups", lambda domain: [[0, 2], [1]])
    run.start(config, tmp_path / "together", checkpoint_seconds=0.02)
    assert archive_bytes(tmp_path / "together") == archive_bytes(tmp_path / "apart")
    advance = Island.advance

    def dying(self, seconds):
        if self.index == 2 and self.round == 2 and once(tmp_path / "died"):
            os.kill(os.getpid(), signal.SIGKILL)
        return advance(self, seconds)

    monkeypatch.setattr(Island, "advance", dying)
    messages = Messages()
    run.start(config, tmp_path / "hurt", messages, checkpoint_seconds=0.02)
    assert archive_bytes(tmp_path / "hurt") == archive_bytes(tmp_path / "apart")
    assert [text for text in messages.texts if "islands 0, 2 died" in text]

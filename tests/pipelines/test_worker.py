"""A process that may die: its owner hears of it, and goes on with another."""

import math
import os
import signal
import time

import numpy as np
import pytest

from zero.pipelines.worker import MIB, Worker


def waited(worker, seconds=20.0):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found = worker.answer(0.05)
        if found is not None:
            return found[:2]
    raise AssertionError("no answer")


def work(question, begun):
    begun()
    if question == "die":
        os._exit(3)
    if question == "fault":
        raise ValueError("two\nlines")
    if question == "memory":
        return np.ones((4096, MIB // 8))
    if question == "sleep":
        time.sleep(60)
    return os.getpid() if question == "pid" else question


@pytest.fixture
def worker():
    worker = Worker(work, 512 * MIB)
    yield worker
    worker.stop()


def test_it_answers_one_question_after_another_in_one_process(worker):
    pids = []
    for question in ("pid", "pid"):
        worker.ask(question)
        pids.append(waited(worker)[1])
    assert pids[0] == pids[1] != os.getpid()


def test_faults_are_told_and_cost_nothing_else(worker):
    worker.ask("fault")
    assert waited(worker) == ("ValueError: two lines", None)
    worker.ask("memory")
    assert waited(worker) == ("memory: more than 512 MiB", None)
    worker.ask("die")
    kind, found = waited(worker)
    assert "died (exit code 3)" in kind and found is None
    worker.ask("a")
    assert waited(worker) == ("done", "a")


def test_it_can_be_stopped_in_the_middle(worker):
    worker.ask("sleep")
    assert worker.answer(0.3) is None and worker.is_busy
    pid = worker.process
    worker.stop()
    assert not worker.is_busy
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    worker.ask("b")
    assert waited(worker) == ("done", "b")


def test_a_worker_that_is_killed_once_is_asked_again(tmp_path):
    from zero.pipelines.evaluator import PipelineEvaluator

    mark = tmp_path / "begun"

    def killed_once(question, begun):
        begun()
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 42

    evaluator = PipelineEvaluator(None, None, (), None)
    evaluator.worker = Worker(killed_once)
    evaluator.limit_of = lambda genome: math.inf
    assert evaluator.ask(("g",), None)[:2] == ("done", 42)
    evaluator.worker.stop()
    evaluator.worker = Worker(lambda question, begun: os.kill(os.getpid(), signal.SIGKILL))
    assert evaluator.ask(("g",), None)[0].startswith("its process died (killed")

"""Reporters: what each mode writes, how often, and that failing output never stops a run."""

import io
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from zero.errors import ConfigError
from zero.progress import LiveReporter, duration, make_reporter, seconds_left

STATS = {
    "individuals": 1_234_000,
    "individuals_per_second": 25_000.4,
    "best_fitness": 0.98765,
    "mean_fitness": 0.5,
    "cache_hits": 0.456,
    "seconds": 50.0,
    "seconds_left": 130.0,
}


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (130, "2 min 10 s"),
        (3599.6, "1 h 0 min"),
        (3 * 3600 + 300, "3 h 5 min"),
        (2 * 86400 + 4 * 3600, "2 d 4 h"),
        (-1, "0.0 s"),
        (None, "unknown"),
        (math.nan, "unknown"),
        (math.inf, "unknown"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_forecast_is_the_first_limit_that_will_be_reached():
    stats = {"individuals": 100, "train_steps": 1000, "seconds": 10.0}
    assert seconds_left({"individuals": 300}, stats) == pytest.approx(20)
    assert seconds_left({"train_steps": 1500}, stats) == pytest.approx(5)
    budget = {"individuals": 300, "train_steps": 9000, "seconds": 13}
    assert seconds_left(budget, stats) == pytest.approx(3)
    assert seconds_left({"individuals": 50}, stats) == 0
    assert seconds_left({"individuals": 300, "seconds": None}, {"individuals": 0}) is None
    assert seconds_left({"fitness": 0.9}, stats) is None


def test_plain_lines_come_at_intervals_and_hold_the_figures():
    stream, clock = io.StringIO(), Clock()
    reporter = make_reporter("plain", stream, interval=2.0, clock=clock)
    reporter.start({"name": "demo", "seed": 3, "islands": 2})
    for _ in range(50):  # five seconds
        clock.now += 0.1
        reporter.update(STATS)
    reporter.finish({**STATS, "reason": "budget.individuals reached"})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert "demo" in lines[0] and "seed 3" in lines[0]
    for part in ("1,234,000", "25,000/s", "0.9877", "0.5000", "46 %", "2 min 10 s"):
        assert part in lines[1]
    assert "budget.individuals reached" in lines[3] and "2 min 10 s" not in lines[3]


def test_unknown_figures_are_left_out_or_said_to_be_unknown():
    stream, clock = io.StringIO(), Clock()
    reporter = make_reporter("plain", stream, interval=0.0, clock=clock)
    reporter.update({"individuals": 5, "best_fitness": None, "seconds_left": None})
    assert stream.getvalue() == "individuals 5, time left unknown\n"


def test_json_lines_are_strict_json():
    stream, clock = io.StringIO(), Clock()
    reporter = make_reporter("json", stream, interval=2.0, clock=clock)
    reporter.start({"name": "demo"})
    reporter.update(
        {"best_fitness": math.nan, "mean_fitness": math.inf, "individuals": np.int64(7)}
    )
    reporter.update({"individuals": 8})  # too early: left out
    reporter.message("two\nlines")
    reporter.improvement({"fitness": np.float64(0.5), "fitnesses": np.array([0.25, -math.inf])})
    reporter.finish({"reason": "stopped"})

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    events = [json.loads(line, parse_constant=refuse) for line in stream.getvalue().splitlines()]
    assert events == [
        {"event": "start", "name": "demo"},
        {"event": "update", "best_fitness": None, "mean_fitness": "inf", "individuals": 7},
        {"event": "message", "text": "two\nlines"},
        {"event": "improvement", "fitness": 0.5, "fitnesses": [0.25, "-inf"]},
        {"event": "finish", "reason": "stopped"},
    ]


def test_json_log_beside_another_mode():
    stream, log = io.StringIO(), io.StringIO()
    with make_reporter("none", stream, json_stream=log) as reporter:
        reporter.message("hello")
    assert stream.getvalue() == ""
    assert json.loads(log.getvalue()) == {"event": "message", "text": "hello"}


def test_auto_is_live_only_on_a_terminal_that_can_do_it(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(make_reporter("auto", Terminal()), LiveReporter)
    assert not isinstance(make_reporter("auto", io.StringIO()), LiveReporter)
    monkeypatch.setenv("TERM", "dumb")
    assert not isinstance(make_reporter("auto", Terminal()), LiveReporter)


def test_live_view_shows_the_figures_and_leaves_a_line_of_its_own(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    with make_reporter("live", stream) as reporter:
        reporter.start({"name": "demo"})
        reporter.update(STATS)
        reporter.message("island 1 [restarted]")
    text = stream.getvalue()
    for part in ("1,234,000", "25,000/s", "0.9877", "46 %", "2 min 10 s", "island 1 [restarted]"):
        assert part in text
    assert text.endswith("\x1b[?25h") or text.endswith("\n")  # cursor shown again
    assert "\n" in text[text.rindex("time left") :]
    assert "\x1b[36m" not in text  # cyan


def test_unknown_mode():
    with pytest.raises(ConfigError, match="did you mean 'plain'"):
        make_reporter("plian", io.StringIO())


@pytest.mark.parametrize("error", [BrokenPipeError, OSError(28, "No space left"), ValueError])
@pytest.mark.parametrize("mode", ["plain", "json", "live"])
def test_failing_output_does_not_stop_the_run(mode, error):
    class Gone(Terminal):
        def write(self, text):
            raise error

    with make_reporter(mode, Gone(), interval=0.0) as reporter:
        reporter.start({})
        reporter.update(STATS)
        reporter.finish({})


@pytest.mark.parametrize("mode", ["plain", "json", "live"])
def test_reader_that_goes_away(mode):
    script = (
        "import sys; from zero.progress import make_reporter\n"
        f"with make_reporter({mode!r}, sys.stdout, interval=0.0) as reporter:\n"
        "    reporter.start({'name': 'demo'})\n"
        "    for i in range(3000): reporter.update({'individuals': i})\n"
        "    reporter.finish({'reason': 'x' * 100_000})\n"
        "print('the run went on', file=sys.stderr)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait() == 0
    assert errors == "the run went on\n"


def test_text_that_the_stream_cannot_encode():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    reporter = make_reporter("plain", stream)
    reporter.message("müde")
    reporter.message("next")
    stream.flush()
    assert raw.getvalue() == b"m?de\nnext\n"

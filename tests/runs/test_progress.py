"""Reporters: what each mode writes, how often, and that failing output never stops a run."""

import io
import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest

from zero.errors import ConfigError
from zero.runs.progress import (
    LiveReporter,
    duration,
    make_reporter,
    nearest_limit,
    seconds_left,
)

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


def test_proposals_are_told_where_a_search_looks_at_them_first():
    stream = io.StringIO()
    reporter = make_reporter("plain", stream, interval=0.0, clock=Clock())
    reporter.start({"name": "demo", "seed": 3, "islands": 2})
    reporter.update({**STATS, "proposals_per_individual": 2.46})
    assert "proposals 2.5 an individual" in stream.getvalue()


def test_nearest_limit():
    budget = {"individuals": 1000, "train_steps": 500, "seconds": None, "fitness": 0.9}
    stats = {"individuals": 300, "train_steps": 100, "seconds": 9.0}
    assert nearest_limit(budget, stats) == {"limit": "individuals", "done": 300, "of": 1000}
    near = nearest_limit({**budget, "seconds": 10}, stats)
    assert near == {"limit": "seconds", "done": 9.0, "of": 10}
    assert nearest_limit({"fitness": 0.9}, stats) is None
    assert nearest_limit({"train_steps": 5}, {}) == {"limit": "train_steps", "done": 0, "of": 5}


NEAR = {"limit": "individuals", "done": 1_234_000, "of": 2_000_000}


def test_plain_lines_tell_how_much_is_done_and_come_seldom_in_long_runs():
    stream, clock = io.StringIO(), Clock()
    reporter = make_reporter("plain", stream, clock=clock)
    reporter.baselines({"linear": 0.92749, "majority": 0.5})
    for _ in range(2 * 3600):
        clock.now += 1
        reporter.update({**STATS, "nearest": NEAR})
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith("linear 0.9275, majority 0.5000")
    assert lines[1].startswith("61 % of 2,000,000 individuals, individuals 1,234,000")
    assert 100 < len(lines) < 300
    reporter.finish({"reason": "individuals", "nearest": NEAR})
    assert stream.getvalue().splitlines()[-1] == "ended: individuals"


def test_compiling_is_a_line_now_and_then_in_a_log():
    stream, log, clock = io.StringIO(), io.StringIO(), Clock()
    reporter = make_reporter("plain", stream, interval=2.0, clock=clock, json_stream=log)
    for number, what in enumerate(["ops", "population", "mutations", "the loop"], 1):
        reporter.compiling(number, 4, what)
        clock.now += 1
    first, second = stream.getvalue().splitlines()
    assert first.startswith("compiling 1/4: ops (") and "first time on this machine" in first
    assert second == "compiling 3/4: mutations"
    event = json.loads(log.getvalue().splitlines()[-1])
    assert event == {"event": "compiling", "stage": 4, "stages": 4, "what": "the loop"}


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


PROGRAM = "def Setup():\n" + "".join(f"  s2 = 0.{k:03}\n" for k in range(1, 40)) + "def Learn():\n"


def frames(stream):
    """Returns the texts that a live view has drawn, one after the other."""
    return [f for f in re.split(r"\x1b\[1A|\x1b\[2K|\r", stream.getvalue()) if f.strip()]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (40, 15), (30, 8)])
def test_live_view_fits_the_terminal(width, height, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", str(height))
    stream, clock = Terminal(), Clock()
    reporter = LiveReporter(stream, clock)
    reporter.start({"name": "demo"})
    reporter.compiling(3, 7, "mutations")
    assert "compiling 3/7: mutations" in stream.getvalue()
    reporter.baselines({"linear": 0.9275, "neural_network": 0.7893})
    reporter.improvement({"individual": 5, "fitness": 0.9, "program": PROGRAM})
    clock.now += 1
    reporter.update({**STATS, "nearest": NEAR})
    frame = frames(stream)[-1]
    words = " ".join(frame.split())
    assert "61 % of 2,000,000 individuals" in words and "compiling" not in frame
    assert "0.9877 (linear 0.9275, neural_network 0.7893)" in words or height < 10
    lines = re.sub(r"\x1b\[[0-9;]*m", "", frame).splitlines()  # rich marks what it leaves out
    assert len(lines) <= height and max(map(len, lines)) <= width
    shown = [line for line in lines if line.startswith("  s2 = 0.")]
    if height >= 24:  # as much of the program as there is room for
        assert len(lines) == height - 1
        assert f"... and {PROGRAM.count(chr(10)) - len(shown) - 1} more lines" in lines[-1]
    reporter.finish({"reason": "individuals"})
    last = frames(stream)[-1]
    assert "s2 =" not in last and "2,000,000" not in last and "ended: individuals" in last


def test_bar_grows_with_what_is_done(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    lengths = []
    for done in (0, 500_000, 1_000_000, 2_000_000):
        stream = Terminal()
        with LiveReporter(stream, Clock()) as reporter:
            reporter.start({})
            reporter.update({"nearest": {**NEAR, "done": done}})
            lengths.append(frames(stream)[-1].count("━"))
    assert lengths == [0, 10, 20, 40]


def test_view_of_compiling_alone_leaves_nothing(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with LiveReporter(stream) as reporter:
        reporter.compiling(1, 7, "ops")
        assert "compiling 1/7: ops" in stream.getvalue()
    assert "compiling" not in frames(stream)[-1]


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
        "import sys; from zero.runs.progress import make_reporter\n"
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

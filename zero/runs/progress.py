"""What a run tells while it goes on: a live view, plain lines, JSON lines or nothing.

A reporter gets events from `zero.runs.run` and never decides anything; output that fails (a closed pipe,
a full disk) silences the reporter, never stops the run. The live view has no thread of its own,
since islands are forked processes.

Keys of `update`'s stats, all optional: individuals, individuals_per_second, best_fitness,
mean_fitness, cache_hits (0 to 1), proposals_per_individual (of this experiment, where they are looked at
first), seconds (elapsed), seconds_left (None: unknown), seconds_after (estimate of what follows then: last
trainings), experiment, islands, train_steps, reason, now (text: what is being done), nearest (as
`nearest_limit` returns it).
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Self, TextIO

from zero.errors import ConfigError, unknown_name

FIRST_TIME = "half a minute or so in all, the first time on this machine"
MODES = ("auto", "live", "plain", "json", "none")

Clock = Callable[[], float]  # seconds that never run backwards

FIGURES = ("best_fitness", "mean_fitness", "std_fitness", "cache_hits")
# Of a run's curves: individuals and train_steps of the run so far, experiment (from 1), and FIGURES: of
# the experiment, fitness of the population, programs that needed no evaluation. Counts are int.
Point = dict[str, Any]


class Reporter:
    """A reporter that says nothing: `--quiet`, and the base of the others."""

    def start(self, info: dict[str, Any]) -> None:
        """The run begins; info: name, seed, islands, backend, dtype, folder (all optional)."""

    def compiling(self, number: int, total: int, what: str) -> None:
        """A stage of compiling begins; number: from 1 to total. See `zero.jit.compiling`."""

    def baselines(self, fitness: dict[str, float]) -> None:
        """What the search's fitness is to be set beside, by name, on the same tasks."""

    def update(self, stats: dict[str, Any]) -> None:
        """Progress; called a few times a second, shown less often."""

    def message(self, text: str) -> None:
        """Something that the user should read, such as a worker that was restarted."""

    def improvement(self, record: dict[str, Any]) -> None:
        """A better program was found; record: fitness, individual, and what else is known.

        program: its text, for people.
        """

    def points(self, points: list[Point]) -> None:
        """There is more of the run's curves, all of which is in a checkpoint.

        The points of a run, each with the number of individuals above that of the one before. After a
        resume they come once more, from the first: who keeps them elsewhere passes over what is there.
        """

    def finish(self, summary: dict[str, Any]) -> None:
        """The run ended; summary: stats, reason, and the outcome's fitness, select_ and final_fitness."""

    def close(self) -> None:
        """Leaves the terminal as it was; may be called twice and without `finish`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def make_reporter(
    mode: str,
    stream: TextIO,
    interval: float = 2.0,
    clock: Clock = time.monotonic,
    json_stream: TextIO | None = None,
) -> Reporter:
    """Returns the reporter of that mode.

    Args:
        mode: "live", "plain", "json" (one object a line), "none", or "auto": live if `stream` is a
            terminal that can do it, else plain.
        stream: where to write.
        interval: seconds between plain or JSON progress lines.
        clock: seconds that never run backwards.
        json_stream: JSON lines go there as well.

    Raises:
        ConfigError: there is no such mode.
    """
    if mode not in MODES:
        raise ConfigError(unknown_name("progress mode", mode, MODES))
    if mode == "auto":
        dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown", "")
        mode = "live" if _is_terminal(stream) and not dumb else "plain"
    reporter = Reporter()
    if mode == "live":
        reporter = LiveReporter(stream, clock=clock)
    elif mode == "plain":
        reporter = PlainReporter(stream, interval, clock)
    elif mode == "json":
        reporter = JsonReporter(stream, interval, clock)
    if json_stream is not None:
        reporter = _Both(reporter, JsonReporter(json_stream, interval, clock))
    return reporter


def duration(seconds: float | None) -> str:
    """Returns a time as text: `0.4 s`, `45 s`, `2 min 10 s`, `3 h 5 min`, `2 d 4 h`, `unknown`."""
    if seconds is None or not math.isfinite(seconds):
        return "unknown"
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def seconds_left(budget: dict[str, Any], stats: dict[str, Any]) -> float | None:
    """Returns the forecast of the remaining seconds, None if nothing allows one.

    The smallest of what the budget's individuals, train_steps and seconds leave, at the run's
    average rates; other limits (fitness, patience) cannot be foreseen.
    """
    elapsed = stats.get("seconds") or 0.0
    left = []
    for key in ("individuals", "train_steps"):
        limit, done = budget.get(key), stats.get(key)
        if limit is not None and done and elapsed > 0:
            left.append((limit - done) * elapsed / done)
    if budget.get("seconds") is not None:
        left.append(budget["seconds"] - elapsed)
    return max(0.0, min(left)) if left else None


def nearest_limit(budget: dict[str, Any], stats: dict[str, Any]) -> dict[str, Any] | None:
    """Returns which of the budget's individuals, train_steps and seconds is nearest to its end.

    As {"limit": its key, "done": of stats, "of": the budget's}; None if the budget has none.
    """
    known = [k for k in ("individuals", "train_steps", "seconds") if budget.get(k)]
    if not known:
        return None
    key = max(known, key=lambda k: (stats.get(k) or 0) / budget[k])
    return {"limit": key, "done": stats.get(key) or 0, "of": budget[key]}


class PlainReporter(Reporter):
    """A line now and then, for logs and pipes: every `interval` seconds, seldomer as a run goes on."""

    def __init__(self, stream: TextIO, interval: float = 2.0, clock: Clock = time.monotonic):
        self.output = _SafeStream(stream)
        self.interval = interval
        self.clock = clock
        self.began = self.last = clock()
        self.told_stage = -math.inf

    def start(self, info: dict[str, Any]) -> None:
        """Writes what runs and where."""
        self._line("run " + _start_text(info))

    def compiling(self, number: int, total: int, what: str) -> None:
        """Writes a line for the first stage, and for others if the last is `interval` seconds old."""
        now = self.clock()
        if now - self.told_stage >= self.interval:
            first = self.told_stage == -math.inf
            self.told_stage = now
            self._line(_stage(number, total, what) + (f" ({FIRST_TIME})" if first else ""))

    def baselines(self, fitness: dict[str, float]) -> None:
        """Writes them."""
        if fitness:
            self._line("fitness on the search tasks to compare with: " + _beside(fitness))

    def update(self, stats: dict[str, Any]) -> None:
        """Writes a line if the last one is old enough: 2 seconds at first, a minute in long runs."""
        now = self.clock()
        if now - self.last >= max(self.interval, min(60.0, (now - self.began) / 30)):
            self.last = now
            share = _share(stats)
            parts = [] if share is None else [share]
            self._figures(", ".join([*parts, *(f"{k} {v}" for k, v in _fields(stats))]))

    def message(self, text: str) -> None:
        """Writes the text."""
        self._line(text)

    def finish(self, summary: dict[str, Any]) -> None:
        """Writes the last figures and why the run ended."""
        self._line(_finish_text(summary))

    def _figures(self, text: str) -> None:
        self._line(text)

    def _line(self, text: str) -> None:
        self.output.write(text + "\n")
        self.output.flush()


class JsonReporter(Reporter):
    """One JSON object a line with the key "event", which is the name of a `Reporter`'s method.

    NaN is null, infinities are the texts "inf" and "-inf". Updates come every `interval` seconds.
    """

    def __init__(self, stream: TextIO, interval: float = 2.0, clock: Clock = time.monotonic):
        self.output = _SafeStream(stream)
        self.interval = interval
        self.clock = clock
        self.last = -math.inf

    def start(self, info: dict[str, Any]) -> None:
        """Writes the event `start`."""
        self._event("start", info)

    def update(self, stats: dict[str, Any]) -> None:
        """Writes the event `update` if the last one is `interval` seconds old."""
        now = self.clock()
        if now - self.last >= self.interval:
            self.last = now
            self._event("update", stats)

    def compiling(self, number: int, total: int, what: str) -> None:
        """Writes the event `compiling`."""
        self._event("compiling", {"stage": number, "stages": total, "what": what})

    def baselines(self, fitness: dict[str, float]) -> None:
        """Writes the event `baselines`."""
        self._event("baselines", {"fitness": fitness})

    def message(self, text: str) -> None:
        """Writes the event `message`."""
        self._event("message", {"text": text})

    def improvement(self, record: dict[str, Any]) -> None:
        """Writes the event `improvement`."""
        self._event("improvement", record)

    def finish(self, summary: dict[str, Any]) -> None:
        """Writes the event `finish`."""
        self._event("finish", summary)

    def _event(self, name: str, fields: dict[str, Any]) -> None:
        fields = {key: value for key, value in fields.items() if key != "event"}
        self.output.write(json.dumps(_plain({"event": name, **fields}), allow_nan=False) + "\n")
        self.output.flush()


class LiveReporter(Reporter):
    """A view on a terminal that follows the run, drawn in place with rich.

    A bar of compiling or of the budget, the figures, and the best program as far as there is room.
    """

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic, redraw_every: float = 0.2):
        from rich.console import Console
        from rich.live import Live

        safe: Any = _SafeStream(stream)  # all of a stream that rich asks for
        self.console = Console(file=safe, force_terminal=True, highlight=False)
        # rich's own refresh thread would hold locks while islands are forked, and they would
        # inherit its replacements of the standard streams.
        self.live = Live(
            console=self.console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self.clock = clock
        self.redraw_every = redraw_every
        self.last = -math.inf
        self.stage: tuple[int, int, str] | None = None
        self.stats: dict[str, Any] = {}
        self.beside: dict[str, float] = {}
        self.best: dict[str, Any] = {}
        self.finished = self.closed = False

    def start(self, info: dict[str, Any]) -> None:
        """Prints what runs and where, and opens the view."""
        self.console.print("run " + _start_text(info), markup=False)
        self.live.start()

    def compiling(self, number: int, total: int, what: str) -> None:
        """Shows the stage, and a bar of those that are done."""
        if not self.closed:
            self.stage = (number, total, what)
            self.live.start()
            self._draw()

    def baselines(self, fitness: dict[str, float]) -> None:
        """Shows them beside the best fitness."""
        self.beside = fitness

    def update(self, stats: dict[str, Any]) -> None:
        """Redraws the view, at most five times a second."""
        self.stats, self.stage = stats, None
        now = self.clock()
        if now - self.last >= self.redraw_every:
            self.last = now
            self._draw()

    def message(self, text: str) -> None:
        """Prints the text above the view."""
        self.console.print(text, markup=False)

    def improvement(self, record: dict[str, Any]) -> None:
        """Shows the program, and when it was found."""
        self.best = record

    def finish(self, summary: dict[str, Any]) -> None:
        """Draws the last figures, closes the view and prints why the run ended."""
        self.stats = _without_forecast({**self.stats, **summary})
        self.stage, self.finished = None, True
        self._draw()
        self.close()
        self.console.print(f"ended: {summary.get('reason') or 'done'}", markup=False)

    def close(self) -> None:
        """Gives the terminal back; what follows starts on a line of its own."""
        if not self.closed:
            if self.stage:  # nothing came after compiling
                self.live.update("")
            self.closed = True
            self.live.stop()

    def _draw(self) -> None:
        from rich.console import Group

        if self.closed:
            return
        parts = self._figures()
        used = sum(len(self.console.render_lines(part, pad=False)) for part in parts)
        room = self.console.height - used - 2  # an empty line before, the cursor's below
        if not self.finished and not self.stage:
            parts += self._program(room)
        self.live.update(Group(*parts), refresh=True)

    def _figures(self) -> list[Any]:
        from rich.table import Table

        if self.stage:
            number, total, what = self.stage
            parts = self._bar(number - 1, total, _stage(number, total, what))
            return [*parts, f"[dim]{FIRST_TIME}[/dim]"]
        table = Table.grid(padding=(0, 3 if self.console.width >= 60 else 1))
        table.add_column(style="cyan")
        table.add_column(overflow="fold")
        for name, value in _fields(self.stats):
            beside = _beside(self.beside) if name == "best fitness" else ""
            table.add_row(name, value + (f" ({beside})" if beside else ""))
        if self.best.get("individual") is not None:
            table.add_row("last improvement", f"at individual {self.best['individual']:,}")
        near = self.stats.get("nearest")
        if near is None or self.finished:
            return [table]
        return [*self._bar(near["done"], near["of"], str(_share(self.stats))), table]

    def _bar(self, done: float, total: float, text: str) -> list[Any]:
        """Returns a bar with a text behind it, below it on a narrow terminal."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        width = self.console.width - len(text) - 2
        below = width < 10
        bar = ProgressBar(total, done, width=min(40, self.console.width if below else width))
        table = Table.grid(padding=(0, 2))
        rows: list[list[Any]] = [[bar], [text]] if below else [[bar, text]]
        for row in rows:
            table.add_row(*row)
        return [table]

    def _program(self, room: int) -> list[Any]:
        """Returns an empty line and the best program, of which `room` lines at most."""
        from rich.text import Text

        lines = (self.best.get("program") or "").rstrip("\n").splitlines()
        if not lines or room < 3:
            return []
        if len(lines) > room:
            hidden = len(lines) - room + 1
            lines = [*lines[: room - 1], f"... and {hidden} more lines"]
        text = Text("\n".join(["", *lines]), no_wrap=True, overflow="crop")
        return [text]


class _Both(Reporter):
    """Passes every event on to two reporters."""

    def __init__(self, *reporters: Reporter):
        self.reporters = reporters

    def start(self, info: dict[str, Any]) -> None:
        for reporter in self.reporters:
            reporter.start(info)

    def compiling(self, number: int, total: int, what: str) -> None:
        for reporter in self.reporters:
            reporter.compiling(number, total, what)

    def baselines(self, fitness: dict[str, float]) -> None:
        for reporter in self.reporters:
            reporter.baselines(fitness)

    def update(self, stats: dict[str, Any]) -> None:
        for reporter in self.reporters:
            reporter.update(stats)

    def message(self, text: str) -> None:
        for reporter in self.reporters:
            reporter.message(text)

    def improvement(self, record: dict[str, Any]) -> None:
        for reporter in self.reporters:
            reporter.improvement(record)

    def points(self, points: list[Point]) -> None:
        for reporter in self.reporters:
            reporter.points(points)

    def finish(self, summary: dict[str, Any]) -> None:
        for reporter in self.reporters:
            reporter.finish(summary)

    def close(self) -> None:
        for reporter in self.reporters:
            reporter.close()


class TrainingReporter(Reporter):
    """What is parts of a training: lines for people, and events with figures for programs.

    Lines are the messages alone: they say of every epoch what `update` does in figures.

    Args:
        lines: gets the messages and what is compiled.
        events: gets start, update and finish.
    """

    def __init__(self, lines: Reporter, events: Reporter):
        self.lines, self.events = lines, events

    def start(self, info: dict[str, Any]) -> None:
        """Passed on as an event."""
        self.events.start(info)

    def compiling(self, number: int, total: int, what: str) -> None:
        """Passed on as a line."""
        self.lines.compiling(number, total, what)

    def update(self, stats: dict[str, Any]) -> None:
        """Passed on as an event."""
        self.events.update(stats)

    def message(self, text: str) -> None:
        """Passed on as a line."""
        self.lines.message(text)

    def finish(self, summary: dict[str, Any]) -> None:
        """Passed on as an event."""
        self.events.finish(summary)

    def close(self) -> None:
        """Closes both."""
        self.lines.close()
        self.events.close()


class _SafeStream:
    """A text stream that goes silent instead of raising when its reader or its disk is gone."""

    def __init__(self, stream: TextIO):
        self.stream = stream
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        self.silent = False

    def write(self, text: str) -> int:
        self._try(
            lambda: self.stream.write(text.encode(self.encoding, "replace").decode(self.encoding))
        )
        return len(text)

    def flush(self) -> None:
        self._try(self.stream.flush)

    def isatty(self) -> bool:
        return _is_terminal(self.stream)

    def fileno(self) -> int:
        return self.stream.fileno()

    def _try(self, action: Callable[[], object]) -> None:
        if self.silent:
            return
        try:
            action()
        except BrokenPipeError:
            self.silent = True
            self._discard()
        except (OSError, ValueError):  # a full disk; a closed file
            self.silent = True

    def _discard(self) -> None:
        # What is still buffered would raise once more when Python exits.
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.stream.fileno())
            os.close(null)
        except (OSError, ValueError):
            pass


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def _fields(stats: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields what is known as (name, text), in the order shown."""
    if (stats.get("experiment") or 0) > 0:
        yield "experiment", f"{stats['experiment']:,}"
    if stats.get("individuals") is not None:
        rate = stats.get("individuals_per_second")
        yield "individuals", f"{stats['individuals']:,}" + (f" ({_rate(rate)}/s)" if rate else "")
    for key, name in (("best_fitness", "best fitness"), ("mean_fitness", "mean fitness")):
        if stats.get(key) is not None:
            yield name, f"{stats[key]:.4f}"
    if stats.get("cache_hits") is not None:
        yield "cache hits", f"{100 * stats['cache_hits']:.0f} %"
    if stats.get("proposals_per_individual") is not None:
        yield "proposals", f"{stats['proposals_per_individual']:.1f} an individual"
    if stats.get("seconds") is not None:
        yield "time", duration(stats["seconds"])
    if "seconds_left" in stats:
        after = stats.get("seconds_after")
        then = "" if after is None else f", then the last training, about {duration(after)}"
        yield "time left", duration(stats["seconds_left"]) + then
    if stats.get("now"):
        yield "now", stats["now"]


def _share(stats: dict[str, Any]) -> str | None:
    """Returns how much of the nearest limit is reached, as text; None without one."""
    near = stats.get("nearest")
    if near is None:
        return None
    percent = min(100, math.floor(100 * near["done"] / near["of"]))
    of = duration(near["of"]) if near["limit"] == "seconds" else f"{near['of']:,}"
    words = {"individuals": "individuals", "train_steps": "train steps", "seconds": ""}
    return f"{percent} % of {of} {words[near['limit']]}".rstrip()


def _stage(number: int, total: int, what: str) -> str:
    return f"compiling {number}/{total}: {what}"


def _beside(fitness: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in fitness.items())


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def _start_text(info: dict[str, Any]) -> str:
    parts = [str(info.get("name", ""))]
    parts += [
        f"{key} {info[key]}" for key in ("seed", "islands", "backend", "dtype") if key in info
    ]
    if info.get("folder"):
        parts.append(f"folder {info['folder']}")
    if info.get("searches"):
        parts.append(str(info["searches"]))
    return ", ".join(part for part in parts if part)


def _finish_text(summary: dict[str, Any]) -> str:
    parts = [f"{k} {v}" for k, v in _fields(_without_forecast(summary))]
    return ", ".join([f"ended: {summary.get('reason') or 'done'}", *parts])


_FORECAST = ("seconds_left", "seconds_after", "now", "nearest")


def _without_forecast(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key not in _FORECAST}


def _plain(value: Any) -> Any:
    """Returns a value as JSON can hold it."""
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)

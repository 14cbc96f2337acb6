"""What a run's log has told so far, kept while its page is open: figures, curves, messages."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from typing import Any

from zero.dashboard.root import Missing, Root
from zero.runs.tail import LogTail
from zero.runs.watch import Seen

MOST_POINTS = 800  # of a curve as it is sent
MOST_MESSAGES = 40
MOST_IMPROVEMENTS = 12
FOLLOWED = 60  # runs at a time

Point = tuple[int | None, float | None, float]  # individuals, seconds, fitness


class Followed:
    """The log of one run, read on with every `look`.

    seen: see `zero.runs.watch.Seen`. best, mean: points of the curves. improvements: the last ones.
    texts: of the genomes of all improvements, by their records' numbers.
    """

    def __init__(self, root: Root, name: str):
        def open_it(file: str) -> Any:
            try:
                return root.open(name, file)
            except Missing as error:
                raise OSError(str(error)) from error

        self._tail = LogTail(".", open_it)
        self._lock = threading.Lock()
        self.seen = Seen()
        self.best: list[Point] = []
        self.mean: list[Point] = []
        self.improvements: deque[dict[str, Any]] = deque(maxlen=MOST_IMPROVEMENTS)
        self.texts: dict[Any, str] = {}
        self.messages: deque[str] = deque(maxlen=MOST_MESSAGES)

    def look(self) -> Followed:
        """Reads on; returns itself."""
        with self._lock:
            for event in self._tail.new():
                try:
                    self._take(event)
                except (TypeError, ValueError, AttributeError):
                    continue  # a line that no run has written
        return self

    def close(self) -> None:
        """Closes the log."""
        self._tail.close()

    def _take(self, event: dict[str, Any]) -> None:
        self.seen.take(event)
        self.messages += self.seen.messages
        self.seen.messages.clear()
        match event.get("event"):
            case "start":  # another run of the same name
                for kept in (self.best, self.mean, self.improvements, self.texts):
                    kept.clear()
            case "improvement":
                _add(self.best, event, "individual", "fitness")
                self.improvements.append(event)
                self.texts[event.get("id")] = str(event.get("program") or "")
            case "progress":
                _add(self.best, event, "individuals", "best_fitness")
                _add(self.mean, event, "individuals", "mean_fitness")
            case "epoch":
                _add(self.best, event, "steps", "valid_accuracy")
                _add(self.mean, event, "steps", "train_accuracy")
            case "finish" if not self.best or _is_better(event.get("fitness"), self.best[-1]):
                # What was chosen in the end need not be what the search held for the best.
                _add(self.best, event, "individuals", "fitness")


class Follower:
    """The runs that are followed."""

    def __init__(self, root: Root):
        self._root = root
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Followed] = OrderedDict()

    def of(self, name: str) -> Followed:
        """Returns what the log of a run has told until now."""
        with self._lock:
            if name not in self._known:
                self._known[name] = Followed(self._root, name)
            self._known.move_to_end(name)
            found = self._known[name]
            while len(self._known) > FOLLOWED:
                self._known.popitem(last=False)[1].close()
        return found.look()

    def forget(self, name: str) -> None:
        """Forgets a run that is gone, so that one of the same name begins anew."""
        with self._lock:
            if name in self._known:
                self._known.pop(name).close()


def curve(points: list[Point]) -> dict[str, list[Any]]:
    """Returns a curve as columns, of `MOST_POINTS` points or so: the first and the last, and some between."""
    step = max(1, math.ceil(len(points) / MOST_POINTS))
    kept = points[::step]
    if points and kept[-1] is not points[-1]:
        kept.append(points[-1])
    columns = zip(*kept, strict=True) if kept else ((), (), ())
    return dict(zip(("individuals", "seconds", "fitness"), map(list, columns), strict=True))


def _add(points: list[Point], event: dict[str, Any], x: str, y: str) -> None:
    value, done, seconds = event.get(y), event.get(x), event.get("seconds")
    if _is_number(value):
        done = done if isinstance(done, int) else None
        points.append((done, round(seconds, 2) if _is_number(seconds) else None, float(value)))  # type: ignore[arg-type]


def _is_better(fitness: Any, than: Point) -> bool:
    return _is_number(fitness) and fitness >= than[2]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

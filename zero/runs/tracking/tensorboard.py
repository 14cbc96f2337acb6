"""Curves as event files of TensorBoard: `tensorboard --logdir RUNS`; the step is the number of individuals.

Every process writes a file of its own, which is how TensorBoard's files are continued. The usual writer has a
thread, which would be in the way of forked islands: records are written here one by one.
"""

from __future__ import annotations

import math
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zero.runs.progress import FIGURES, Point
from zero.runs.tracking import Tracker, register
from zero.system.files import cannot_write

SHOWN = ("train_steps", "experiment", *FIGURES)


@register
class TensorBoardTracker(Tracker):
    """See the module's docstring."""

    name = "tensorboard"
    about = "event files in tensorboard/, for TensorBoard"
    file = "tensorboard"
    package = "tensorboardX"
    extra = "tensorboard"

    _events: Any = None

    def open(self, place: Path, info: dict[str, Any]) -> int:
        """Reads where earlier processes ended; the new file is made by the first `write`."""
        try:
            place.mkdir(parents=True, exist_ok=True)
            files = [p for p in sorted(place.iterdir()) if "tfevents" in p.name and p.is_file()]
            steps = [step for path in files for step in _steps(path.read_bytes())]
        except OSError as error:
            raise cannot_write(place, error) from error
        self.folder = place
        return max(steps, default=-1)

    def write(self, points: list[Point]) -> None:
        """Adds an event for each."""
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        if self._events is None:
            own = f".{os.getpid()}-{os.urandom(4).hex()}"  # two may begin in the same second
            self._events = EventsWriter(str(self.folder / "events"), own)
        for point in points:
            values = [
                Summary.Value(tag=name, simple_value=float(point[name]))
                for name in SHOWN
                if math.isfinite(point[name])
            ]
            event = Event(
                wall_time=time.time(),
                step=int(point["individuals"]),
                summary=Summary(value=values),
            )
            self._events.write_event(event)
        self._events.flush()  # nothing may wait in memory: islands are forked

    def close(self) -> None:
        """Closes the file of this process."""
        if self._events is not None:
            self._events.close()
            self._events = None


def _steps(content: bytes) -> Iterator[int]:
    """Yields the steps in an event file, up to where it was cut short."""
    from tensorboardX.proto.event_pb2 import Event

    at = 0
    while at + 12 <= len(content):
        (size,) = struct.unpack_from("<Q", content, at)
        record = content[at + 12 : at + 12 + size]
        if len(record) < size:
            return
        try:
            event = Event.FromString(record)
        except Exception:  # of protobuf, whose errors have moved between releases
            return
        if event.HasField("summary"):
            yield event.step
        at += 12 + size + 4

"""What is compiled, reported while it is: half a minute, the first time on a machine, in a few stages.

numba tells of each function that it begins to compile, and nothing of those that it finds in the cache.
The first function of each stage is known here by its name, so what compiles need not know of this.

Stages are reported as (number from 1, how many there are, what), plain numbers and text: a forked process
that compiles can send them through a pipe (`send_to`, `receive`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[int, int, str], None]

# The function that a stage begins with -> what the stage is, in the order of compiling.
PROGRAM_STAGES = {
    "handlers": "ops",  # by LLVM: `zero.programs.interpreter.handlers`
    "new_individual": "the population",
    "create_initial": "random programs",
    "breed": "mutations",
    "decode": "simplification",
    "measure": "training and validation",
    "replace_oldest": "the loop",
    "evaluate_program": "single programs",
}
CELL_STAGES = {
    "backward_conv": "convolutions, backward",
    "backward_average": "other layers, backward",
    "forward_conv": "convolutions, forward",
    "forward_average": "other layers, forward",
    "_finish_backward": "batch normalisation and threads",
}
_STAGES = {
    name: (number, len(stages), what)
    for stages in (PROGRAM_STAGES, CELL_STAGES)
    for number, (name, what) in enumerate(stages.items(), 1)
}

_tellers: list[Tell] = []  # the last one is called


@contextmanager
def telling(tell: Tell) -> Iterator[None]:
    """Calls `tell` when a stage begins, for as long as this lasts; never of an earlier stage."""
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, found: event.Event) -> None:
            begin(found.data["dispatcher"].py_func.__name__)

        def on_end(self, found: event.Event) -> None:
            pass

    last: dict[int, int] = {}

    def forward(number: int, total: int, what: str) -> None:
        if number > last.get(total, 0):
            last[total] = number
            tell(number, total, what)

    _tellers.append(forward)
    try:
        with event.install_listener("numba:compile", Listener()):
            yield
    finally:
        _tellers.remove(forward)


def begin(function: str) -> None:
    """Tells that a function is compiled now, if a stage begins with it."""
    if function in _STAGES and _tellers:
        _tellers[-1](*_STAGES[function])


def send_to(pipe: int) -> None:
    """Sends what this process compiles from now on to a pipe, instead of telling it here."""

    def send(number: int, total: int, what: str) -> None:
        os.write(pipe, f"{number} {total} {what}\n".encode())

    _tellers.append(send)


def receive(text: bytes) -> None:
    """Tells what another process has sent: whole lines."""
    for line in text.decode().splitlines():
        number, total, what = line.split(" ", 2)
        if _tellers:
            _tellers[-1](int(number), int(total), what)

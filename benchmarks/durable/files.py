"""Damaged files: each that a run leaves, cut short and with single bits turned, ended and on its way.

Whatever is damaged, a command works as with sound files or says in one line which one is damaged. So `show`
prints the same, predictions are the same, and `resume` ends with what the unbroken run has, from the
checkpoint before a damaged one, which it names.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from durable.counts import Counts
from durable.kills import compare
from durable.kinds import Kind, Whole
from durable.trials import FAILED, Trial, is_one_line

CUTS = (0.0, 0.5, 1.0)  # where files are cut, as shares; 1.0: one byte is lacking
HEADER = 600  # bytes, in which every file has one more bit turned
UNREAD = (".lock",)  # says who works there, to people
LOG = "log.jsonl"  # lines that are damaged are left out, as those that a kill cut short
NAMED = ("run.json", "config.yaml")  # each says if the other is not as it was


def damages(size: int, flips: int, seed: str) -> list[tuple[str, int]]:
    """Returns ("cut", bytes that stay) and ("bit", which one is turned), without repetition."""
    rng = random.Random(seed)
    found = [("cut", min(round(share * size), max(0, size - 1))) for share in CUTS]
    bits = [rng.randrange(8 * size) for _ in range(flips)] if size else []
    bits += [rng.randrange(8 * min(size, HEADER))] if size else []
    return list(dict.fromkeys([*found, *(("bit", bit) for bit in bits)]))


def damage(path: Path, how: str, where: int) -> None:
    """Cuts a file, or turns a bit of it."""
    data = bytearray(path.read_bytes())
    if how == "cut":
        del data[where:]
    else:
        data[where // 8] ^= 1 << (where % 8)
    path.write_bytes(data)


def stopped(whole: Whole, folder: Path) -> None:
    """Makes a folder whose run was killed on its way, with three checkpoints."""
    for attempt in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        kind = whole.kind
        trial = Trial(lambda kind=kind: kind.start(folder, **_often(kind)))
        trial.wait((0.3 + 0.1 * (attempt % 10)) * whole.seconds)
        trial.kill_group()
        trial.wait()
        trial.end()
        if len(list(folder.glob("checkpoints/*.h5"))) == 3 and not kind.has_ended(folder):
            return
    raise AssertionError(f"{whole.kind.name}: no run is stopped with three checkpoints")


def _often(kind: Kind) -> dict[str, float]:
    return {} if kind.name == "training" else {"checkpoint_seconds": 0.02}


def show(folder: Path) -> None:
    """`zero show`."""
    from zero.cli.main import app

    app(["show", str(folder)], prog_name="zero")


def predict(whole: Whole, folder: Path) -> None:
    """Prints predictions of what a run has found, for data that it has seen."""
    import zero

    kind = whole.kind.name
    if kind in ("table", "pipelines"):
        import zero.configs

        own = Path(zero.configs.__file__).parent / "own_table.csv"
        path = own if kind == "table" else whole.kind.home / "table.csv"
        found = zero.load(folder).predictions(path).columns
        print(json.dumps({name: [str(v) for v in column] for name, column in found.items()}))
    elif kind in ("cells", "training"):
        import numpy as np
        from sklearn.datasets import load_digits

        images = load_digits().images[:40, :, :, None].astype(np.uint8)
        model = zero.load(folder)
        print(*model._notes, model.predict_proba(images).tolist(), sep="\n")


def _said(action: Callable[[], None]) -> tuple[int | None, str]:
    """Returns the exit code of an action in a process of its own, and what it printed."""
    trial = Trial(action)
    trial.wait()
    text = trial.printed()
    trial.end()
    return trial.code, text


def damaged(
    whole: Whole, sound: Path, name: str, how: list[tuple[str, int]], folder: Path
) -> Counts:
    """Damages one file of a copy of a folder in several ways, and looks what commands make of it.

    sound: a sound folder. folder: where the copy comes to lie: what is printed names it.
    """
    counts, kind = Counts(), whole.kind
    looks = {"show": lambda: show(folder), "predict": lambda: predict(whole, folder)}
    shutil.copytree(sound, folder)
    right = {look: _said(action) for look, action in looks.items()}
    ended = kind.has_ended(folder)
    for what, place in how:
        shutil.rmtree(folder)
        shutil.copytree(sound, folder)
        damage(folder / name, what, place)
        state = "ended" if ended else "stopped"
        where = f"{kind.name}, {state}, {name}, {what} {place}"
        counts.done["damaged files"] += 1
        for look, action in looks.items():
            code, text = _said(action)
            if (code, text) == right[look] or (
                code == 0 and name == LOG and "Traceback" not in text
            ):
                continue
            _told(counts, f"{where}, {look}", name, code, text)
        code, text = _said(lambda: kind.resume(folder))
        if code != 0 or "Traceback" in text:
            _told(counts, f"{where}, resume", name, code, text)
            continue
        newest = max(p.name for p in (sound / "checkpoints").glob("*.h5"))
        if name.endswith(newest) and newest not in text:
            counts.fault("wrong", f"{where}: resume does not name the damaged checkpoint")
        compare(whole, folder, counts, where)
    shutil.rmtree(folder, ignore_errors=True)
    return counts


def _told(counts: Counts, where: str, name: str, code: int | None, text: str) -> None:
    """Counts what a command has said of a damaged file: one line that names it is right."""
    names = [Path(name).name, *(NAMED if name in NAMED else ())]
    if code not in (0, FAILED, 2) or "Traceback" in text:
        counts.fault("tracebacks", f"{where}: exit code {code}: {text[-1200:]}")
    elif code == 0 and any(n in text for n in names):
        counts.done["damages told in one line"] += 1  # and an older checkpoint is used
    elif code == 0:
        counts.fault("wrong", f"{where}: printed something else: {text[-400:]}")
    elif not is_one_line(text):
        counts.fault("tracebacks", f"{where}: {text[-600:]}")
    elif not any(n in text for n in names):
        counts.fault("wrong", f"{where}: does not name the file: {text[-400:]}")
    else:
        counts.done["damages told in one line"] += 1


def tasks(whole: Whole, folder: Path, flips: int) -> list[Callable[[], Counts]]:
    """Returns the damages of every file of a kind of run, ended and stopped; flips: bits turned in each."""
    halfway = whole.kind.home / "stopped"
    stopped(whole, halfway)
    found = []
    for sound, state in ((whole.folder, "ended"), (halfway, "stopped")):
        names = sorted(str(p.relative_to(sound)) for p in sound.rglob("*") if p.is_file())
        for number, name in enumerate(n for n in names if n not in UNREAD):
            size = (sound / name).stat().st_size
            how = damages(size, flips, f"{whole.kind.name}/{state}/{name}")
            copy = folder / f"{whole.kind.name}-{state}-{number}"
            found.append(partial(damaged, whole, sound, name, how, copy))
    return found

"""What a table or images are that were given, and what a model takes: JSON, by `python -m`.

A process of its own: a strange file may take long or much memory, and the dashboard goes on.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from zero.errors import TaskError

MOST_COLUMNS = 500  # that are described
MOST_CLASSES = 30
MOST_SIZES = 100  # images whose sizes are looked at
LEAST_ROWS = 10


def table(path: Path) -> dict[str, Any]:
    """Returns what a table's columns are, before it is said what is predicted."""
    from zero.data.table import Wanted
    from zero.data.tables import read_table

    found = read_table(path, Wanted(rename=True))
    if found.rows < LEAST_ROWS:
        raise TaskError(f"{path.name} has {found.rows} rows; give at least {LEAST_ROWS}")
    columns = [_described(name, column) for name, column in found.features.items()]
    return {
        "rows": found.rows, "columns": columns[:MOST_COLUMNS],
        "more": max(0, len(columns) - MOST_COLUMNS), "notes": [_short(note, path) for note in found.notes],
    }  # fmt: skip


def target(path: Path, name: str) -> dict[str, Any]:
    """Returns what is predicted where a column is the target, from what, and how it can be judged."""
    import numpy as np

    from zero.data.table import Wanted
    from zero.data.tables import read_table
    from zero.data.understand import understand
    from zero.pipelines.metrics import USUAL, fitting

    found = understand(read_table(path, Wanted(target=name, rename=True)), texts=True, lenient=True)
    counts = np.bincount(found.y.astype(int)).tolist() if found.classes else []
    classes = sorted(zip(found.classes, counts, strict=True), key=lambda c: -c[1])
    return {
        "problem": found.problem, "rows": len(found), "classes": classes[:MOST_CLASSES],
        "count": len(found.classes), "kinds": Counter(found.kinds),
        "notes": [n for note in found.notes if not (n := _short(note, path)).startswith("target ")],
        "metrics": fitting(found.problem), "usual": USUAL[found.problem],
        "range": [] if found.classes else [float(found.y.min()), float(found.y.max())],
    }  # fmt: skip


def images(folder: Path) -> dict[str, Any]:
    """Returns how many images of which sizes each class of a folder has."""
    from zero.data.image_files import PARTS, class_folders, find_images
    from zero.data.pixels import read_pixels

    names = class_folders(folder)
    parts = [n for n in names if n.lower() in PARTS] if names else []
    counts: Counter[str] = Counter()
    files: list[Path] = []
    for inner in [folder / n for n in parts] if parts else [folder]:
        for name in class_folders(inner):
            found, _ = find_images(inner / name)
            counts[name] += len(found)
            files += found
    counts = Counter({name: count for name, count in counts.items() if count})
    if len(counts) < 2:
        has = f"only class {next(iter(counts))}" if counts else "no images in folders"
        raise TaskError(f"{has}; give one folder of images for each class, at least two")
    if min(counts.values()) < 3:
        few = min(counts, key=lambda name: counts[name])
        raise TaskError(f"class {few} has only {counts[few]} images; give at least 3 of each")
    sizes: Counter[str] = Counter()
    for file in files[:: max(1, len(files) // MOST_SIZES)]:
        try:
            height, width, _ = read_pixels(file, None, None, "white").shape
            sizes[f"{width}x{height}"] += 1
        except Exception:  # Pillow's decoders raise a dozen kinds
            sizes["not readable"] += 1
    return {
        "images": len(files), "classes": counts.most_common(MOST_CLASSES), "count": len(counts),
        "sizes": sizes.most_common(5), "parts": parts,
    }  # fmt: skip


def fields(run: Path) -> dict[str, Any]:
    """Returns what rows a run's model takes; none where it takes images."""
    from zero.runs.load import load

    return {"fields": [list(field) for field in load(run).takes]}


def report(run: Path) -> dict[str, Any]:
    """Returns the report's page on a run; run: a copy of its files, which this changes.

    Nothing that the run names is read or executed: what needs its data is left out, and the report says so.
    """
    from zero import genomes
    from zero.config import yaml
    from zero.runs.folder import RunFolder
    from zero.runs.reports.page import page

    folder = RunFolder.open(run)
    settings = harmless(yaml.parse(folder.config_text(), str(run)).data)
    folder.write_config(json.dumps(settings))  # which is YAML, too
    name = folder.info().get("kind") or genomes.name_of(settings)
    if name not in genomes.names():
        raise TaskError(
            f"its kind of genome, {name}, is not known here; zero report {run} makes it"
        )
    return {"page": page(genomes.get(name).report(run))}


def harmless(settings: Any, top: bool = True) -> Any:
    """Returns settings without imports, and with names of files that are nowhere."""
    if isinstance(settings, dict):
        return {k: harmless(v, False) for k, v in settings.items() if not (top and k == "imports")}
    if isinstance(settings, list):
        return [harmless(value, False) for value in settings]
    if isinstance(settings, str) and (set(settings) & set("/\\~") or Path(settings).suffix):
        return f"left-out{Path(settings).suffix}"
    return settings


def _short(note: str, path: Path) -> str:
    """Returns a note without the file's name, which is known."""
    return note.replace(f"{path.parent}/", "").removeprefix(path.name).lstrip(",: ")


def _described(name: str, column: Any) -> dict[str, Any]:
    import numpy as np

    empty = int(column.empty.sum())
    filled = column.values[~column.empty]
    kind = "date" if column.form is not None else "number" if column.texts is None else "text"
    found: dict[str, Any] = {"name": name, "kind": kind, "empty": empty}
    if kind == "text":
        found["different"] = len(column.texts)
        found["example"] = ", ".join(t[:30] for t in list(column.texts)[:3])
    elif kind == "number" and len(filled):
        found["different"] = len(np.unique(filled))
        found["example"] = f"{filled.min():.6g} to {filled.max():.6g}"
    elif len(filled):
        days = filled.astype("datetime64[s]").astype("datetime64[D]")
        found["different"] = len(np.unique(days))
        found["example"] = f"{days.min()} to {days.max()}"
    return found


def main(arguments: list[str]) -> int:
    """Prints what is asked for; returns the exit status."""
    what, path, *rest = arguments
    try:
        known = {"table": table, "images": images, "fields": fields, "report": report}
        found = target(Path(path), *rest) if what == "target" else known[what](Path(path))
    except Exception as error:  # whatever strange files raise, who asks gets a line
        told = str(error).splitlines() or [type(error).__name__]
        print(f"error: {told[0].replace(f'{Path(path).parent}/', '')}", file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

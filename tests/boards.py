"""A dashboard over a folder of small runs, for the tests."""

import hashlib
import json
import shutil

import onemax  # noqa: F401  (registers the kind)

from zero.config.load import make_config
from zero.runs import run as runs

SETTINGS = {"name": "ones", "bits": {"length": 12}, "budget": {"individuals": 300}}


def make_runs(folder, count=3):
    """Makes runs ones-001 and so on in a folder, the last one in another folder in it."""
    for k in range(count):
        out = (
            folder / f"ones-{k + 1:03d}" if k < count - 1 else folder / "day" / f"ones-{k + 1:03d}"
        )
        runs.start(make_config({**SETTINGS, "seed": k + 1}), out)
    return folder


def digest(folder):
    """Returns what tells whether anything in a folder was changed."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found.update(f"{path} {status.st_mode} {status.st_size} {status.st_mtime_ns}".encode())
        if path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()


def copied(runs_folder, tmp_path):
    """Returns a copy of the runs that a test may spoil."""
    return shutil.copytree(runs_folder, tmp_path / "runs", symlinks=True)


def edit_info(run, **changes):
    """Changes a run's run.json."""
    info = json.loads((run / "run.json").read_text()) | changes
    (run / "run.json").write_text(json.dumps(info))

"""A session: what one process does in the folder of a run or of a training, from its start or a resume.

Both have a folder that is locked meanwhile, a run.json that records what they began with, checkpoints
now and then, a log, somebody who is told, and stop on a signal or after a time. `new_session` and
`resumed_session` open the folder; `zero.runs.run` and `zero.cells.train_run` do the rest with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zero.config import imports, trust
from zero.errors import ArchiveError, ConfigError, ZeroError
from zero.runs.folder import RunFolder, run_info
from zero.runs.progress import Reporter
from zero.runs.settings import change_settings, check_unchanged, restore_text, settings_of
from zero.system import usage
from zero.system.signals import Stops
from zero.system.trees import Tree


class Session:
    """See the module's docstring.

    Args:
        folder: locked.
        info: what its run.json holds, or is to hold (`write_info`).
        reporter: is told what happens.
        stops: wishes to stop; what counts of `max_seconds` began with them.
        checkpoint_seconds: between checkpoints; decides nothing about the outcome. None: there are none.

    Attributes:
        begun: whether the folder holds anything of worth; a new one is removed otherwise.
        earlier_seconds: that earlier processes took, as their checkpoint has it.
    """

    def __init__(
        self,
        folder: RunFolder,
        info: dict[str, Any],
        reporter: Reporter,
        stops: Stops,
        checkpoint_seconds: float | None,
    ):
        self.folder, self.info, self.reporter, self.stops = folder, info, reporter, stops
        self.checkpoint_seconds = checkpoint_seconds
        self.begun = False
        self.earlier_seconds = 0.0
        self._began = self._saved = time.monotonic()
        self._cores = usage.core_seconds()
        stops.on_signal = lambda: reporter.message(
            "stopping; Ctrl-C again stops at once (then `zero resume`)"
        )

    @property
    def seconds(self) -> float:
        """Seconds that all has taken so far, in earlier processes too."""
        return self.earlier_seconds + time.monotonic() - self._began

    @property
    def core_seconds(self) -> float:
        """Seconds of computing of this process and its workers that have ended, of all cores together."""
        return usage.core_seconds() - self._cores

    def counts_from(self, began: float | None) -> None:
        """Counts seconds from an earlier moment, by `time.monotonic`."""
        self._began = self._began if began is None else began

    def message(self, text: str) -> None:
        """Tells people something, and logs it."""
        self.reporter.message(text)
        self.folder.log("message", text=text)

    # --- what run.json records ------------------------------------------------------------------

    def write_info(self) -> None:
        """Writes run.json as `info` is now."""
        self.folder.write_info(self.info)

    def record_settings(self, imported: list[str]) -> None:
        """Records the settings that it begins with, and copies the files that a config imports."""
        self.info["settings"] = settings_of(self.folder.config_text())
        self.info["imports"] = imports.keep(imported, self.folder.path)
        self.sign_imports()
        self.write_info()

    def sign_imports(self) -> None:
        """Signs the record of imports: from now on this user need not be asked about them."""
        if not self.info.get("imports"):
            return
        try:
            self.info[trust.SIGNATURE] = trust.signed(imports.recorded_in(self.info))
        except ArchiveError as error:
            self.message(
                f"its imports are not signed, and zero will ask before it executes them: {error}"
            )

    def change_settings(self, text: str) -> None:
        """Replaces the config and its record; text: YAML."""
        change_settings(self.folder, self.info, text)

    def check_data(self, key: str, digest: str, what: str, began: str, anew: str) -> None:
        """Checks that data have the digest that run.json records, if it does.

        Args:
            key: of the record.
            digest: of the data as they are.
            what, began, anew: words for the message: "data", "run", "start a new run".

        Raises:
            ConfigError: they have another one.
        """
        if self.info.get(key) not in (None, digest):
            raise ConfigError(
                f"the {what} of {self.folder.path} have changed since the {began} began, so it cannot "
                f"go on as if unbroken; put the old files back, or {anew}"
            )

    # --- checkpoints ----------------------------------------------------------------------------

    def load(self) -> Tree | None:
        """Returns the newest checkpoint that can be read, None if there is none at all.

        Says which newer ones cannot be read.

        Raises:
            ArchiveError: there are some, but none can be read.
        """
        found = self.folder.checkpoints.load()
        if found is None:
            return None
        tree, skipped = found
        for text in skipped:
            self.reporter.message(f"{text}; going on from an older checkpoint")
        return tree

    def save(self, tree: Tree) -> None:
        """Writes a checkpoint.

        Raises:
            ArchiveError: it cannot be written; the earlier ones stay.
        """
        if self.checkpoint_seconds is not None:
            self.folder.checkpoints.save(tree)
        self.begun = True
        self._saved = time.monotonic()

    def save_is_due(self) -> bool:
        """Returns whether the last checkpoint is `checkpoint_seconds` old."""
        every = self.checkpoint_seconds
        return every is not None and time.monotonic() - self._saved >= every


@contextmanager
def new_session(
    out: str | Path | None,
    name: str,
    config: str,
    seed: int,
    command: Sequence[str],
    reporter: Reporter,
    stops: Stops,
    checkpoint_seconds: float | None,
) -> Iterator[Session]:
    """Gives a session in a new folder, which is removed if an error comes before anything is kept.

    Args:
        out, name: as for `RunFolder.create`.
        config: resolved, as YAML.
        seed, command: for run.json; written by `Session.record_settings`.
        reporter, stops, checkpoint_seconds: as for `Session`.

    Raises:
        ArchiveError: the folder cannot be used.
    """
    with RunFolder.create(out, name, config, None) as folder:
        info = run_info(seed, command)
        session = Session(folder, info, reporter, stops, checkpoint_seconds)
        try:
            yield session
        except ZeroError:
            if not session.begun:  # a fault of the data, say
                folder.discard()
            raise


@contextmanager
def resumed_session(
    path: str | Path, reporter: Reporter, stops: Stops, checkpoint_seconds: float
) -> Iterator[Session]:
    """Gives a session in the folder of a run or a training that began earlier.

    Raises:
        ArchiveError: it is no such folder, or it is in use.
        ConfigError: its settings have been changed, or it is from elsewhere and imports what is not
            trusted.
    """
    with RunFolder.open(path, write=True) as folder:
        session = Session(folder, folder.info(), reporter, stops, checkpoint_seconds)
        session.begun = True
        if check_unchanged(folder, session.info):
            restore_text(folder, session.info)
        else:
            reporter.message(
                "an older zero began this run, without a record of its settings and imports: "
                "changes of these would not be noticed"
            )
        wanted = settings_of(folder.config_text(), str(folder.path)).get("imports")
        names = [n for n in wanted if isinstance(n, str)] if isinstance(wanted, list) else []
        trust.check(folder.path, names, imports.recorded(folder.path), imports.kept_in(folder.path))
        if names and trust.is_trusting():
            session.sign_imports()
            session.write_info()
        for line in imports.changed(folder.path):
            reporter.message(line)
        yield session

"""`zero.load`: what a run has found, ready to be used.

Called by the command line and by users.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zero import genomes
from zero.config import yaml
from zero.config.files import import_again
from zero.config.trust import trusting
from zero.errors import ArchiveError, ConfigError
from zero.runs.archive import read_archive
from zero.runs.folder import RunFolder
from zero.runs.model import Model
from zero.runs.settings import check_unchanged
from zero.system.foreign import content_of
from zero.system.trees import kind_of_file


def load(run: str | Path, trust_imports: bool = False) -> Model:
    """Returns the model that a run or a training has found; its `predict` takes new data.

    Args:
        run: the folder of a run or of a training, a run's archive, or a saved model over a table.
        trust_imports: execute what a run that this user did not begin here imports.

    Raises:
        ArchiveError: it is none of them, or has nothing yet that predicts.
        ConfigError: its config names a kind of genome that is not known here, or imports what is not
            trusted.
    """
    path = Path(run)
    with trusting(trust_imports), content_of(path):
        return kind_of(path).model(path)


def kind_of(path: Path) -> Any:
    """Returns the kind of genome of a run or training, a `zero.runs.kind.Kind`; raises as `load` does."""
    if not path.exists():
        raise ArchiveError(
            f"there is no {path}; give the folder that `zero run` or `zero train` made"
        )
    know_kind(path)
    if kind_of_file(path) == "model":  # such as that of an estimator
        return genomes.get("programs")
    folder = RunFolder.open(path) if path.is_dir() else None
    if folder and not folder.archive_path.exists():  # a training, or a run that has just begun
        if (path / RunFolder.INFO).exists():
            check_unchanged(folder, folder.info())
        text = folder.config_text()
        return genomes.of_settings(yaml.parse(text, str(path / RunFolder.CONFIG)).data)
    return genomes.get(read_archive(path).kind)


def know_kind(run: Path) -> None:
    """Imports what a run's config imports, where its genomes are of a kind that is not known without."""
    folder = run if run.is_dir() else run.parent
    config = folder / RunFolder.CONFIG
    if not config.is_file():
        return
    try:
        text = config.read_text(encoding="utf-8", errors="replace")
        known = genomes.has_known(yaml.parse(text, str(config)).data)
    except ConfigError:  # the archive has its own copy
        return
    if not known:
        import_again(folder)

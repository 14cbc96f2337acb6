"""Trained pipelines in files, without pickle: loading never executes what stands in a file.

By skops, which restores only types that it knows as harmless or that are named here; a file that asks for
another is refused. Called by the end of a run and by what predicts with it.
"""

from __future__ import annotations

import importlib
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

from zero.errors import ArchiveError
from zero.system.files import write_bytes

# Beside what skops trusts by itself, what pipelines of the families are made of. Functions by name alone:
# a step calls the one that it is given.
_NAMES = frozenset((
    "builtins.bytes", "collections.OrderedDict", "operator.attrgetter", "pandas.to_datetime",
    "pandas.core.tools.datetimes.to_datetime", "numpy.dtype", "numpy.expand_dims", "numpy.ravel",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "zero.data.prepare.ColumnPlan", "zero.data.prepare.Preparation", "zero.programs.fitting.Candidate",
    "zero.programs.interpreter.reference.Banks", "zero.programs.model.TableModel",
    "zero.programs.program.Instruction", "zero.programs.program.Instructions",
    "zero.programs.program.Memory", "zero.programs.program.Program", "zero.programs.trained.Trained",
    "zero.sklearn.DiscoveredClassifier", "zero.sklearn.DiscoveredRegressor",
    "zero.sklearn.EvolvedClassifier", "zero.sklearn.EvolvedRegressor",
))  # fmt: skip
_BOOSTERS = re.compile(
    r"lightgbm\.(sklearn\.LGBM\w+|basic\.Booster)|xgboost\.(sklearn\.XGB\w+|core\.Booster)"
    r"|catboost\.core\.CatBoost\w*"
)
_NOT_THESE = ("sklearn.datasets.", "sklearn.utils.", "sklearn.externals.")


def warm_up() -> None:
    """Imports what saving needs, which takes a second."""
    import skops.io  # noqa: F401


def save(path: Path, pipeline: Any) -> None:
    """Writes a trained pipeline."""
    import skops.io

    write_bytes(path, skops.io.dumps(pipeline, compression=zipfile.ZIP_DEFLATED, compresslevel=1))


def load(path: Path) -> Any:
    """Returns the pipeline in a file.

    Raises:
        ArchiveError: it cannot be read, or holds what no pipeline of ours has.
    """
    import skops.io

    try:
        data = path.read_bytes()
        unknown = skops.io.get_untrusted_types(data=data)
        strange = [name for name in unknown if not _is_trusted(name)]
        if strange:
            raise ArchiveError(
                f"{path} holds {strange[0]}, which no pipeline has; it is not loaded"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return skops.io.loads(data, trusted=unknown)
    except ArchiveError:
        raise
    except Exception as error:  # foreign bytes raise a dozen kinds
        text = " ".join(str(error).split())[:200]
        raise ArchiveError(f"{path}: no trained pipeline, or a damaged one: {text}") from None


def _is_trusted(name: str) -> bool:
    if name in _NAMES or _BOOSTERS.fullmatch(name):
        return True
    module, _, last = name.rpartition(".")
    if not module.startswith("sklearn.") or f"{module}.".startswith(_NOT_THESE):
        return False
    # Classes of scikit-learn's own, whose places change with its version: kernels, splits, trees.
    found = getattr(importlib.import_module(module), last, None)
    return isinstance(found, type) and found.__module__.startswith("sklearn.")

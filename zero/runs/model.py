"""What a run's outcome is when it is used: `Model`, and `Predictions` of a user's file or folder.

Each kind of genome makes its own (`zero.runs.kind.Kind.model`). `zero.load` and `zero predict` know no more
of it than what stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Predictions:
    """Predictions of a user's file or folder, a row each.

    columns: by name, of equal length, in order: what is written to a file. notes: what the user should
    know, a sentence each. brief: how many of the columns, from the first, a table on a screen has; None: all.
    """

    columns: dict[str, Sequence[Any]]
    notes: tuple[str, ...] = ()
    brief: int | None = None


class Model:
    """A trained predictor, ready to be used on new data.

    classes: a name for each class, in the order of `predict_proba`'s columns; empty for numbers.
    """

    classes: tuple[str, ...] = ()

    @property
    def takes(self) -> Sequence[tuple[str, str]]:
        """The columns of rows that it takes, name and kind such as "number"; none of what takes no table."""
        return ()

    def predict(self, x: Any) -> np.ndarray:
        """Returns the prediction for each example of `x`, (N,): class names, or numbers.

        Raises:
            ZeroError: `x` is not what the model was trained on.
        """
        raise NotImplementedError

    def predict_proba(self, x: Any) -> np.ndarray:
        """Returns the probability of each class for each example of `x`, (N, K) float32.

        Raises:
            ZeroError: as for `predict`.
        """
        raise NotImplementedError

    def predictions(self, path: Path) -> Predictions:
        """Returns the predictions for a file or folder of the user's.

        Raises:
            ZeroError: it cannot be read, or holds nothing that the model can predict.
        """
        raise NotImplementedError

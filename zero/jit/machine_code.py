"""numba's files of machine code, with digests: a damaged one counts as missing, and is compiled anew.

numba itself unpickles and executes whatever stands in them, and ends in a traceback where it cannot write
them. Called by `zero.jit.decorators`.
"""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path
from typing import Any

from numba.core.caching import IndexDataCacheFile

from zero.jit.cache import read_kept, with_digest


class CheckedFiles(IndexDataCacheFile):  # type: ignore[misc]
    """Index and data of one function, as numba's class of the same use keeps them, but with digests."""

    @classmethod
    def like(cls, files: Any) -> CheckedFiles:
        """Returns the files in the same place as numba's."""
        name = files._index_name.removesuffix(".nbi")
        return cls(files._cache_path, name, files._source_stamp)

    def save(self, key: Any, data: Any) -> None:
        """Keeps machine code, if there is room for it."""
        with contextlib.suppress(OSError):
            super().save(key, data)

    def _dump(self, obj: Any) -> bytes:
        return with_digest(super()._dump(obj))

    def _save_index(self, overloads: dict[Any, str]) -> None:
        with self._open_for_write(self._index_path) as file:
            file.write(self._dump((self._version, self._source_stamp, overloads)))

    def _load_index(self) -> dict[Any, str]:
        data = read_kept(Path(self._index_path))
        if data is None:
            return {}
        version, stamp, overloads = pickle.loads(data)  # of our own cache folder alone
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _load_data(self, name: str) -> Any:
        data = read_kept(Path(self._data_path(name)))
        if data is None:
            raise FileNotFoundError(name)  # which numba takes for code that is not there
        return pickle.loads(data)

"""All kinds of files, by name; those of NOT_PROMISED are tried only where they are named."""

from fuzz import data_kinds, run_kinds, text_kinds
from fuzz.workers import Kind

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*text_kinds.KINDS, *run_kinds.KINDS, *data_kinds.KINDS)
}
NOT_PROMISED: dict[str, Kind] = {kind.name: kind for kind in run_kinds.NOT_PROMISED}

"""All kinds of files, by name."""

from fuzz import data_kinds, run_kinds, text_kinds
from fuzz.workers import Kind

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*text_kinds.KINDS, *run_kinds.KINDS, *data_kinds.KINDS)
}

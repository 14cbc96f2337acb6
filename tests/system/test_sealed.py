"""JSON files that tell whether they are damaged."""

import json
import math

import pytest

from zero.errors import ArchiveError
from zero.system.sealed import read_sealed, write_sealed

VALUES = {
    "name": "é",
    "share": 0.1,
    "none": None,
    "list": [1, {"nan": math.inf}],
    "deep": {"a": True},
}


def test_values_come_back(tmp_path):
    write_sealed(tmp_path / "a.json", VALUES)
    assert read_sealed(tmp_path / "a.json") == VALUES
    write_sealed(tmp_path / "b.json", {"path": tmp_path, "sha256": "of before"})
    assert read_sealed(tmp_path / "b.json") == {"path": str(tmp_path)}


def test_no_turned_bit_and_no_cut_gives_other_values(tmp_path):
    path = tmp_path / "a.json"
    write_sealed(path, VALUES)
    sound = path.read_bytes()
    accepted = 0
    for bit in range(8 * len(sound)):
        data = bytearray(sound)
        data[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(data)
        try:
            found = read_sealed(path)
        except ArchiveError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            continue
        found = {key: value for key, value in found.items() if key in VALUES}
        assert found == VALUES  # in a space, or in the name of the digest
        accepted += 1
    assert accepted < len(sound)
    for size in range(len(sound) - 2):
        path.write_bytes(sound[:size])
        with pytest.raises(ArchiveError, match="is not JSON"):
            read_sealed(path)


def test_files_of_older_versions_are_believed(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps({"a": 1}))
    assert read_sealed(tmp_path / "old.json") == {"a": 1}
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(ArchiveError, match="holds no JSON object"):
        read_sealed(tmp_path / "list.json")
    with pytest.raises(ArchiveError, match="cannot read"):
        read_sealed(tmp_path / "absent.json")

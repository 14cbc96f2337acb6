"""What others made ends in one line: the faults that mutations of files have found, one of each kind."""

import gzip
import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from zero.bench.conformance import read_cases, run_cases
from zero.config import yaml
from zero.config.load import load_config, make_config
from zero.data.arrays import read_npy
from zero.errors import LONGEST_LINE, ArchiveError, ConfigError, TaskError, ZeroError
from zero.pipelines.predictions import Predictions
from zero.runs.folder import RunFolder
from zero.system import trees
from zero.system.foreign import content_of, from_json

DEEP = "[" * 100_000


def sealed(path, change):
    """Changes a tree's HDF5 and makes the checksum right again, as who attacks a reader would."""
    trees.write_tree(path, {"a": np.arange(3), "b": {"c": ["x", "y"]}, "d": "text"}, "test", 1)
    buffer = io.BytesIO(path.read_bytes())
    with h5py.File(buffer, "r+", libver=("earliest", "v108")) as file:
        change(file)
    rest = buffer.getvalue()[trees.HEADER_SIZE :]
    path.write_bytes(trees._header("test", 1, rest).ljust(trees.HEADER_SIZE, b"\0") + rest)


def cycle(file):
    file["b/again"] = file["/"]


def many_names(file):
    for k in range(30):  # 2^30 ways through them
        group = file.require_group("b" + "/x" * k)
        group["y"] = group.require_group("x")


def unstored(file):
    file.create_dataset("big", shape=(1 << 36,), dtype="u1", chunks=(1 << 20,))


def reference(file):
    file.create_dataset("r", data=file["a"].ref, dtype=h5py.ref_dtype)


def named_type(file):
    file["t"] = np.dtype("f8")


def external(file):
    file["o"] = h5py.ExternalLink("/etc/passwd", "/")


def soft(file):
    file["o"] = h5py.SoftLink("/a")


def other_storage(file):
    file.create_dataset("o", shape=(10,), dtype="u1", external=[("/etc/passwd", 0, 10)])


CHANGES = [cycle, many_names, unstored, reference, named_type, external, soft, other_storage]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_a_tree_never_holds_is_refused(tmp_path, change):
    path = tmp_path / "file.h5"
    sealed(path, change)
    with pytest.raises(ArchiveError, match="its checksum is right but its content is not"):
        trees.read_tree(path, "test", 1)


def test_a_text_that_is_claimed_often_is_not_read(tmp_path):
    path = tmp_path / "file.h5"
    trees.write_tree(path, {"a": ["z" * 5000, "y" * 5000, *["q"] * 100]}, "test", 1)
    data = bytearray(path.read_bytes())
    with h5py.File(io.BytesIO(data), "r") as file:
        start = file["a"].id.get_offset()
    for k in range(1, 102):  # all are the first
        data[start + 16 * k : start + 16 * k + 16] = data[start : start + 16]
    rest = bytes(data[trees.HEADER_SIZE :])
    path.write_bytes(trees._header("test", 1, rest).ljust(trees.HEADER_SIZE, b"\0") + rest)
    with pytest.raises(ArchiveError, match="more text than there is"):
        trees.read_tree(path, "test", 1)


def test_a_message_is_lines_that_can_be_printed():
    error = ConfigError(f"a\x1b[2J\u202e\udc80\n{'x' * 100_000}")
    first, second = str(error).split("\n")
    assert first == "a\\u001b[2J\\u202e\\udc80"
    assert len(second) <= LONGEST_LINE + 10
    assert str(ArchiveError("é 日本 fine")) == "é 日本 fine"


def test_json_that_is_nested_without_end_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="nested too deeply"):
        from_json(DEEP)
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    (tmp_path / "run.json").write_text(DEEP)
    (tmp_path / "log.jsonl").write_text(f'{DEEP}\n{{"event": "start"}}\n')
    folder = RunFolder.open(tmp_path)
    with pytest.raises(ArchiveError, match="is not JSON"):
        folder.info()
    assert folder.events() == [{"event": "start"}]


def test_content_that_makes_no_sense_is_told():
    with pytest.raises(ArchiveError, match=r"run is not as zero writes it \(KeyError: 'x'\)"):
        with content_of("run"):
            {}["x"]
    with pytest.raises(TaskError):
        with content_of("run"):
            raise TaskError("of its own")


def test_a_config_of_very_many_values_ends_early():
    with pytest.raises(ConfigError, match="more than 20,000 values"):
        yaml.parse("x: 1\n" * 150_000, "my.yaml")


def test_keys_that_no_encoding_has():
    with pytest.raises(ConfigError, match="a key must be text"):
        load_config("linear_demo", ["\udcf3eed=2", "budget={a: null}"])
    with pytest.raises(ConfigError, match="a key must be a name"):
        make_config({"\udcf3eed": 2, "budget": {"a": None}})


@pytest.mark.parametrize("change", [
    {"F": 10**12}, {"F": "x"}, {"instruction": {}}, {"before": {}}, {"after": {}}, {"before": []},
    {"kind": "algorithm"}, {"instruction": {"op": []}},
])  # fmt: skip
def test_a_recorded_case_that_is_none(tmp_path, change):
    case = {
        "kind": "op", "F": 2, "after": 3.0,
        "instruction": {"op": "SCALAR_SUM", "in1": 1, "in2": 2, "out": 3, "activation": 0, "float": []},
        "before": {"scalar": [0, 1, 2, 3], "vector": [[1, 2]] * 3, "matrix": [[[1, 2], [3, 4]]]},
    }  # fmt: skip
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(case))
    assert run_cases(read_cases(path), "reference", "float64").passed["op"] == 1
    path.write_text(json.dumps({**case, **change}))
    with pytest.raises(TaskError, match="case 1 is no recorded"):
        run_cases(read_cases(path), "reference", "float64")
    path.write_bytes(gzip.compress(json.dumps(case).encode())[:-9])
    with pytest.raises(TaskError, match="not a file of recorded cases"):
        read_cases(path)


def _predictions(path, name):
    """Writes a file of predictions that is damaged in the way of that name."""
    told = {"list": "[]", "deep": DEEP, "other keys": '{"text": 1}'}
    if name in told:
        np.savez(path, values=np.ones((2, 2), np.float32), told=told[name])
    elif name == "cut":
        path.write_bytes(b"PK\3\4")
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("values.npy", bytes(300 << 20))


@pytest.mark.parametrize("name", ["list", "deep", "other keys", "cut", "bomb"])
def test_predictions_that_are_damaged_are_named(tmp_path, name):
    _predictions(tmp_path / "a.npz", name)
    with pytest.raises(ArchiveError, match=r"a\.npz is damaged: .*remove it") as caught:
        Predictions(tmp_path).all()
    assert "\n" not in str(caught.value)


def test_an_array_of_python_2_warns_of_nothing(tmp_path, recwarn):
    path = tmp_path / "old.npy"
    np.save(path, np.arange(4))
    path.write_bytes(path.read_bytes().replace(b"(4,), ", b"(4L,),"))
    assert read_npy(path).tolist() == [0, 1, 2, 3]
    assert not recwarn.list
    assert issubclass(TaskError, ZeroError)

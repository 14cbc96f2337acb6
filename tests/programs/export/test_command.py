"""`zero export` of programs: what it finds, what it writes, and what it refuses in one line."""

import json
import subprocess
import sys

import numpy as np
import pytest
from commands import zero_
from exported import WARNINGS
from exported_tables import make
from helpers import parse
from small_runs import small_config

from zero.errors import ConfigError, DeviceError, ProgramError
from zero.programs.export import content, export, form_of, text_of
from zero.programs.export.json import from_json
from zero.programs.export.source import identifier
from zero.programs.library import program
from zero.programs.ops import register_op
from zero.programs.program import Program, format_program
from zero.runs import run
from zero.runs.archive import best_record, read_archive

TEXTS = {"python": ".py", "c": ".c", "latex": ".tex", "json": ".json"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    run.start(small_config(budget={"individuals": 500}), folder)
    return folder


def error_of(*arguments):
    _, err = zero_("export", *arguments, code=1)
    assert err.startswith("error: ") and err.count("\n") == 1
    return err


@pytest.mark.parametrize(("form", "ending"), TEXTS.items())
def test_texts_are_printed_or_written(tmp_path, form, ending):
    out, err = zero_("export", "linear", "--to", form)
    assert err == "" and len(out) > 100
    file = tmp_path / f"linear{ending}"
    assert zero_("export", "linear", "-o", file)[0] == f"wrote {file}\n"
    assert file.read_text() == out


def test_a_program_of_a_file(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text(format_program(program("linear")))
    assert from_json(zero_("export", file, "--to", "json")[0]) == program("linear")


def test_a_run_without_a_model_gives_its_best_program_and_says_so(finished, tmp_path):
    out, err = zero_("export", finished, "--to", "json")
    assert (
        err == f"{finished} has no model.h5: this is its best program alone, which is not trained\n"
    )
    tree = json.loads(out)
    assert tree["model"] is None and tree["notes"]["run"] == "small"
    assert float(tree["notes"]["final_fitness"]) > 0
    best = best_record(read_archive(finished))
    assert tree["notes"]["record"] == str(best.id)
    again, err = zero_("export", f"{finished}#{best.id}", "--to", "json")
    assert err == "" and json.loads(again)["program"] == tree["program"]
    assert zero_("export", finished / "archive.h5", "--to", "json")[0] == out


def test_a_run_with_a_model_gives_the_model(finished, tmp_path):
    model = make()
    model.save(finished / "model.h5")
    try:
        out, err = zero_("export", finished, "--to", "json")
        assert err == ""
        assert from_json(out).classes == model.classes
        assert json.loads(out)["notes"]["run"] == "small"
        out, _ = zero_("export", finished / "model.h5", "--to", "json")
        file = tmp_path / "m.json"
        file.write_text(out)
        assert zero_("export", file, "--to", "json")[0] == out
        best = best_record(read_archive(finished))
        assert isinstance(
            from_json(zero_("export", f"{finished}#{best.id}", "--to", "json")[0]), Program
        )
        pytest.importorskip("onnx")
        zero_("export", finished, "-o", tmp_path / "m.onnx", "--opset", "17")
        assert (tmp_path / "m.onnx").stat().st_size > 1000
    finally:
        (finished / "model.h5").unlink()


def test_what_is_refused(finished, tmp_path):
    output = tmp_path / "out.onnx"
    assert "there is no nothing" in error_of("nothing", "--to", "c")
    assert "there is no" in error_of(tmp_path / "none.h5", "-o", output)
    assert "has no config.yaml" in error_of(tmp_path, "-o", output)
    assert "give --to python|c|latex|onnx|json" in error_of("linear")
    assert "ends in .py, .c, .tex" in error_of("linear", "-o", tmp_path / "x.pt")
    assert "--opset is for ONNX" in error_of("linear", "--to", "c", "--opset", "15")
    assert "onnx holds a trained model" in error_of("linear", "-o", output)
    assert "onnx is no text" in error_of("linear", "--to", "onnx")
    assert "no record" in error_of(f"{finished}#999999999", "--to", "c")
    make().save(tmp_path / "m.h5")
    assert "from 13 to 17" in error_of(tmp_path / "m.h5", "-o", output, "--opset", "18")
    damaged = bytearray((tmp_path / "m.h5").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "m.h5").write_bytes(damaged)
    assert "m.h5" in error_of(tmp_path / "m.h5", "-o", output)
    (tmp_path / "bad.json").write_text("{")
    assert "holds no program of zero" in error_of(tmp_path / "bad.json", "--to", "c")
    (tmp_path / "bad.txt").write_text("def Predict():\n  s1 = magic(v0)\n")
    assert "bad.txt:2" in error_of(tmp_path / "bad.txt", "--to", "c")
    assert "cannot write" in error_of("linear", "-o", tmp_path / "no" / "x.py")
    assert {p.name for p in tmp_path.iterdir()} == {"m.h5", "bad.json", "bad.txt"}


def test_unknown_forms_and_missing_packages(monkeypatch):
    with pytest.raises(ConfigError, match="did you mean 'latex'"):
        form_of("latx", None)
    with pytest.raises(ConfigError, match="give -o FILE"):
        text_of(make(), "onnx", "m")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DeviceError, match="pip install"):
        content(make(), "onnx")


def test_a_failed_export_leaves_the_old_file(tmp_path):
    file = tmp_path / "m.onnx"
    file.write_text("old")
    with pytest.raises(ProgramError):
        export(program("linear"), None, file)
    assert file.read_text() == "old"


def test_networks_of_cells_have_two_forms(tmp_path):
    (tmp_path / "w.h5").write_bytes(b"no weights")
    assert "to python and onnx, not to latex" in error_of(tmp_path / "w.h5", "--to", "latex")
    assert "give -o FILE.py or -o FILE.onnx" in error_of(tmp_path / "w.h5", "--to", "onnx")


def test_names_for_code():
    assert [identifier(n) for n in ("my model-1", "7", "", "ü", "_x_")] == [
        "my_model_1", "model_7", "model", "model", "x",
    ]  # fmt: skip


def test_ops_of_the_users_own(own_ops, tmp_path):
    """They are formulas, so every form knows them."""
    register_op("VECTOR_STEP", "sv>v", "where(b >= a, sqrt(abs(b)), -1.0)")
    register_op("SCALAR_HALF", "s>s", "1 / 2 * a + sin(2)")
    found = parse(
        Setup="s2 = 0.25", Predict="v1 = vector_step(s2, v0); s1 = mean(v1); s1 = scalar_half(s1)"
    )
    x = np.random.default_rng(0).normal(size=(6, 3))
    scope = {}
    exec(content(found, "python"), scope)
    predicted = scope["Model"]().fit(x, np.zeros(6)).predict(x)
    wanted = np.where(x >= 0.25, np.sqrt(np.abs(x)), -1).mean(axis=1) / 2 + np.sin(2)
    np.testing.assert_allclose(predicted, wanted, rtol=1e-12)
    (tmp_path / "own.c").write_bytes(content(found, "c", "own"))
    assert b"-Down_MAIN" in content(found, "c", "own")  # as its comment says
    options = ["-Down_F=3", "-Down_MAIN", "own.c", "-lm", "-o", "own"]
    subprocess.run(["gcc", *WARNINGS, *options], cwd=tmp_path, check=True)
    text = "".join("\t".join(map(repr, [*row.tolist(), 0.0])) + "\n" for row in x)
    done = subprocess.run([tmp_path / "own"], input=text, capture_output=True, text=True)
    np.testing.assert_allclose([float(t) for t in done.stdout.split()], wanted, rtol=1e-12)
    assert r"\sqrt" in content(found, "latex").decode()

"""From raw cells to predictions: what exports do to a table's rows is what the model does."""

import importlib.util
import math
import re
import shutil
import subprocess
import warnings

import exported
import numpy as np
import pandas
import pytest
from exported_tables import CELLS, KINDS, NAMES, column, make, table
from helpers import parse

from zero.data.prepare import ColumnPlan, fit, plan_column, raw_features
from zero.errors import ProgramError
from zero.programs.export import content
from zero.programs.interpreter import cpu
from zero.programs.library import program
from zero.programs.model import TableModel
from zero.programs.trained import train

NEW = [
    ("12", "violet", "1.0", "2031-07-01T00:00Z", "1"), (None, None, None, None, None),
    ("0", " red ", "03", "0001-01-01", "0"), ("NaN", "NULL", "9", "9999-12-31", "TRUE"),
]  # fmt: skip


def load(model, folder, form="python"):
    path = folder / "exported.py"
    path.write_bytes(content(model, form))
    spec = importlib.util.spec_from_file_location("exported_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODELS = [
    ("multiclass", "float64", False),
    ("regression", "float64", True),
    ("binary", "float32", False),
]


@pytest.mark.parametrize(("problem", "dtype", "matrix"), MODELS)
@pytest.mark.filterwarnings("ignore:not as in training")
def test_python(tmp_path, problem, dtype, matrix):
    model = make(problem, dtype, matrix)
    module = load(model, tmp_path)
    rows = CELLS + NEW
    # The interpreter's table has a column of texts where one code is not written as training knew it.
    known = [
        tuple({"1.0": "1", "03": "3"}.get(c, c) if k == 2 else c for k, c in enumerate(row))
        for row in rows
    ]
    wanted = model.preparation.features(table(known))
    as_dicts = [dict(zip(NAMES, row, strict=True)) for row in rows]
    as_columns = dict(zip(NAMES, zip(*rows, strict=True), strict=True))
    for given in (rows, as_dicts, as_columns, np.array(rows, dtype=object)):
        np.testing.assert_allclose(module.prepare(given), wanted, rtol=1e-12, atol=1e-12)
    predicted = module.Model().predict(module.prepare(rows))
    mine = model.predict_features(wanted)
    if problem == "regression":
        np.testing.assert_allclose(predicted, mine, rtol=1e-9)
    else:
        assert predicted.tolist() == mine.tolist()
        shares = module.Model().predict_proba(module.prepare(rows))
        tolerance = 1e-9 if dtype == "float64" else 1e-5
        np.testing.assert_allclose(shares, model.trained.probabilities(wanted), atol=tolerance)
    assert module.NOTES["note"] == 'ends */ "here" ?? """ \\'


def test_python_takes_cells_of_other_types(tmp_path):
    module = load(make(), tmp_path)
    texts = module.prepare([("1.5", "red", "1", "2024-01-31", "True")])
    others = module.prepare([(1.5, "red", 1, np.datetime64("2024-01-31"), True)])
    np.testing.assert_array_equal(others, texts)
    frame = pandas.DataFrame({name: [cell] for name, cell in zip(NAMES, CELLS[0], strict=True)})
    np.testing.assert_array_equal(module.prepare(frame), module.prepare(CELLS[:1]))
    assert module.prepare([]).shape == (0, module.F)
    nothing = module.prepare([(math.nan, None, math.nan, np.datetime64("NaT"), None)])
    np.testing.assert_array_equal(nothing, module.prepare([("", "", "", "", "")]))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("x", "red", "1", "", ""), "column 'amount', row 0 (from 0): 'x' is no number"),
        (("1e999", "red", "1", "", ""), "'1e999' is no number"),
        (("1", "red", "1", "31.1.2024", ""), "'31.1.2024' is no date"),
        (("1", "red", "1", "2023-02-29", ""), "is no date"),
        (("1", "red"), "rows need 5 cells each"),
    ],
)
def test_python_names_bad_cells(tmp_path, row, says):
    module = load(make(), tmp_path)
    with pytest.raises(ValueError, match=re.escape(says)):
        module.prepare([row])
    with pytest.raises(ValueError, match="lack columns: colour, code"):
        module.prepare([{"amount": 1, "day": "", "flag": 1}])


def test_python_goes_on_training(tmp_path):
    model = make("regression")
    module = load(model, tmp_path)
    found = module.Model().fit(*training(model, module), epochs=3)
    again = module.Model().fit(*training(model, module))
    x = module.prepare(CELLS)
    assert not np.allclose(found.predict(x), again.predict(x), rtol=1e-9)
    before = again.predict(x)
    again.partial_fit(x[:2], [1000.0, 1100.0])
    assert again.step == 34 and not np.array_equal(again.predict(x), before)
    with pytest.raises(ArithmeticError, match="training failed in step 34"):
        again.partial_fit(x, [1e9] * len(x))


def training(model, module):
    y = np.random.default_rng(3).normal(size=len(CELLS) * 4) * 50 + 1000
    return module.prepare(CELLS * 4), y


def test_epochs_are_those_of_the_interpreter(tmp_path):
    model = make("regression")
    module = load(model, tmp_path)
    x, y = training(model, module)
    prepared = model.preparation
    target = (y - prepared.target_mean) / prepared.target_scale
    wanted = train(
        model.trained.program, x, [target], "rms_error", epochs=3, module=cpu.build("float64", 4)
    )
    fitted = module.Model().fit(x, y, epochs=3)
    np.testing.assert_allclose(fitted.scores(x), wanted.scores(x), rtol=1e-9)


def test_the_range_of_training_is_recorded_and_missed():
    rows = [(str(k), "red", "1", "2024-01-31", "True") for k in (3, 9, 5)]
    plan = plan_column(table(rows)["amount"], "number")
    assert (plan.low, plan.high) == (3.0, 9.0)
    assert math.isnan(ColumnPlan("x", "number").low)
    assert plan == ColumnPlan("amount", "number")  # ranges change no feature


@pytest.mark.parametrize(
    ("amounts", "warns"),
    [
        ([5000.0] * 3, True),  # further away than the width that training saw
        ([150.0], False),
        ([5000.0, 3.0], False),  # not all
        (list(np.linspace(0, 1, 30)), True),  # as if scaled
        ([0.0, 1.0] * 20, False),  # flags or small counts
        ([0.5] * 3, False),  # too few to tell
    ],
)
def test_python_warns_of_another_scale(tmp_path, amounts, warns):
    module = load(make(), tmp_path)
    module.COLUMNS[0] |= {"low": 0.0, "high": 100.0}
    rows = [(amount, "red", "1", "2020-01-31", "True") for amount in amounts]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        module.prepare(rows)
    assert len(told) == warns
    assert not warns or str(told[0].message).endswith(": amount")


def test_large_memory_is_written_as_base64(tmp_path):
    text = "def Predict():\n  v1 = dot(m0, v0)\n  s1 = mean(v1)\ndef Learn():\n  m0 = outer(v0, v0)"
    features = 50
    x = np.random.default_rng(0).normal(size=(10, features))
    from zero.data.prepare import identity

    trained = train(parse(text), x, [x[:, 0]], "rms_error", module=cpu.build("float64", 4))
    model = TableModel(trained, identity(features), "regression", (), "y", 1)
    assert b"b64decode" in content(model, "python")
    module = load(model, tmp_path)
    found = module.Model().predict(x)
    np.testing.assert_allclose(found, model.predict_features(x), rtol=1e-9)


# --- C and ONNX -------------------------------------------------------------------------------------


def compiled(model, folder, *options, name="it"):
    (folder / "it.c").write_bytes(content(model, "c", name))
    command = ["gcc", *exported.WARNINGS, "-O1", *options, "it.c", "-lm", "-o", "it"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "it"


needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")


def lines(rows):
    return "".join("\t".join("" if c is None else c for c in row) + "\n" for row in rows)


@needs_gcc
@pytest.mark.parametrize(("problem", "dtype", "matrix"), MODELS)
@pytest.mark.filterwarnings("ignore:not as in training")
def test_c(tmp_path, problem, dtype, matrix):
    model = make(problem, dtype, matrix)
    module = load(model, tmp_path)
    rows = CELLS + NEW
    wanted = module.Model().predict(module.prepare(rows))
    it = compiled(model, tmp_path, "-Dit_MAIN", "-Dit_HEAP")
    done = subprocess.run([it], input=lines(rows), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = done.stdout.splitlines()
    if problem == "regression":
        np.testing.assert_allclose([float(x) for x in found], wanted, rtol=1e-9)
    else:
        assert found == wanted.tolist()


@needs_gcc
def test_c_is_a_header_too(tmp_path):
    (tmp_path / "it.c").write_bytes(content(make(), "c", "it"))
    (tmp_path / "use.c").write_text(
        '#define it_HEADER\n#include "it.c"\n#include "it.c"\n'
        "int main(void)\n{\n    it_model *model = it_new();\n    it_real x[it_F] = {0};\n"
        "    puts(it_classes[(int)it_predict(model, x, NULL)]);\n    it_free(model);\n    return 0;\n}\n"
    )
    command = ["gcc", *exported.WARNINGS, "-O3", "-Dit_HEAP", "it.c", "use.c", "-lm", "-o", "use"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "use"], capture_output=True, text=True)
    assert done.stdout.strip() in make().classes


@needs_gcc
def test_c_names_bad_cells(tmp_path):
    it = compiled(make(), tmp_path, "-Dit_MAIN")
    good = CELLS[0]
    dates = ["2023-02-29", "2024-1-31", "2024-01-31T", "2024-01-31T24:00", "31.1.2024", "2024-01-31x",
             "2024-01-31Z", "0000-01-01"]  # fmt: skip
    bad = [(3, date) for date in dates]
    bad += [(0, number) for number in ("x", "1e", ".", "1e999", "1,5", "0x10", "inf", "1 2")]
    for place, cell in bad:
        row = tuple(cell if k == place else c for k, c in enumerate(good))
        done = subprocess.run([it], input=lines([good, row]), capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (1, f"row 2: {NAMES[place]}\n"), cell
        with pytest.raises(ValueError, match="is no"):
            load(make(), tmp_path).prepare([row])
    done = subprocess.run([it], input="1\t2\n", capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "row 1: another number of cells\n")


@needs_gcc
def test_c_of_a_program_alone(tmp_path):
    it = compiled(program("linear"), tmp_path, "-Dit_MAIN", "-Dit_F=2", "-Dit_HEAP")
    data = np.random.default_rng(1).normal(size=(20, 3))
    text = "".join("\t".join(map(repr, row.tolist())) + "\n" for row in data)
    done = subprocess.run([it], input=text, capture_output=True, text=True)
    module = load(program("linear"), tmp_path)
    wanted = []
    model = module.Model().fit(data[:0, :2], data[:0, 2])
    for row in data:
        wanted.append(model.predict(row[None, :2])[0])
        model.partial_fit(row[None, :2], row[2:])
    np.testing.assert_allclose([float(x) for x in done.stdout.split()], wanted, rtol=1e-9)
    done = subprocess.run([it], input="1\t1\t1e9\n", capture_output=True, text=True)
    assert done.returncode == 1 and "training failed" in done.stderr


@needs_gcc
def test_c_without_numbers_or_rows_of_any_kind(tmp_path):
    """A table of dates only, and a program that does nothing: no function is left unused."""
    rows = [("2024-01-31",), ("2024-02-29",)] * 4
    found = {"day": column("day", [row[0] for row in rows])}
    plans = [plan_column(found["day"], "date")]
    prepared = fit(plans, raw_features(plans, found))
    x = prepared.features(found)
    trained = train(
        parse("def Predict():"), x, [np.zeros(8)], "rms_error", module=cpu.build("float64", 4)
    )
    model = TableModel(trained, prepared, "regression", (), "y", 1)
    it = compiled(model, tmp_path, "-Dit_MAIN")
    done = subprocess.run([it], input="2024-01-31\n", capture_output=True, text=True)
    assert done.stdout == "0\n"


def test_c_refuses_dates_that_it_cannot_read():
    found = {"day": column("day", ["31.01.2024", "28.02.2024"] * 4)}
    plans = [plan_column(found["day"], "date")]
    prepared = fit(plans, raw_features(plans, found))
    x = prepared.features(found)
    trained = train(
        program("linear"), x, [np.zeros(8)], "rms_error", module=cpu.build("float64", 4)
    )
    model = TableModel(trained, prepared, "regression", (), "y", 1)
    with pytest.raises(ProgramError, match=r"c cannot read the dates of column 'day' \(%d.%m.%Y\)"):
        content(model, "c")


@pytest.mark.parametrize("runtime", ["reference", "onnxruntime"])
@pytest.mark.parametrize(("problem", "dtype", "matrix"), MODELS)
@pytest.mark.filterwarnings("ignore:not as in training")
def test_onnx(tmp_path, problem, dtype, matrix, runtime):
    pytest.importorskip("onnx" if runtime == "reference" else runtime)
    model = make(problem, dtype, matrix)
    module = load(model, tmp_path)
    rows = [row for row in CELLS + NEW if row[2] not in ("1.0", "03")]  # codes are texts here
    wanted = module.Model().predict(module.prepare(rows))
    (tmp_path / "m.onnx").write_bytes(content(model, "onnx"))
    if runtime == "reference":
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(str(tmp_path / "m.onnx"))
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    cells = list(zip(*rows, strict=True))
    given = {}
    for name, kind, texts in zip(NAMES, KINDS, cells, strict=True):
        if kind == "category":
            given[name] = np.array([["" if t is None else t.strip()] for t in texts], object)
        else:
            read = module.number_in if kind == "number" else module.seconds_in
            dtype_of = np.float32 if kind == "number" else np.float64
            values = [math.nan if module.is_nothing(t) else read(t, {}, ".") for t in texts]
            given[name] = np.array(values, dtype_of)[:, None]
    found = session.run(None, given)
    if problem == "regression":
        np.testing.assert_allclose(found[0], wanted, rtol=1e-5)
    else:
        assert [str(x) for x in found[0]] == wanted.tolist()
        shares = module.Model().predict_proba(module.prepare(rows))
        np.testing.assert_allclose(found[1], shares, atol=1e-5)

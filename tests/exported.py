"""Random trained programs, what the interpreter predicts with them, and what their exports do.

Exports run in processes of their own in which `zero` cannot be imported. Used by tests/programs/export and
by benchmarks/exports.py.
"""

import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
from helpers import copy_of, grown_program, noisy, parse, random_instruction

from zero.data.prepare import identity
from zero.errors import ProgramError
from zero.programs.export import content
from zero.programs.interpreter import cpu, reference
from zero.programs.interpreter.reference import Banks, Draws, sigmoid
from zero.programs.model import TableModel
from zero.programs.ops import by_number
from zero.programs.program import Memory, memory_needed
from zero.programs.trained import train
from zero.rng import philox

ROWS, TRAIN_ROWS, SEED_KEY = 12, 20, 0xA1B2C3D4E5F60718
# Sums are taken in another order, functions are those of other libraries: relative, and near 0 absolute.
TOLERANCE = {"float64": 1e-9, "float32": 1e-3}
NOISE = {"float64": 1e-13, "float32": 2e-7}  # a program that this moves by more tells nothing
BASE = """
def Setup():
  s2 = 0.01
  m0 = gaussian(0, 1, (n_features, n_features))
  v2 = uniform(-1, 1, n_features)
def Predict():
  s1 = dot(v1, v0)
def Learn():
  s3 = s0 - s1
  s3 = s2 * s3
  v3 = s3 * v0
  v1 = v1 + v3
"""
ROOM = Memory(7, 5, 3)
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]


@dataclass
class Case:
    """A trained program; x: rows that it was not trained on."""

    model: TableModel
    train_x: np.ndarray
    labels: list  # of each output
    x: np.ndarray

    @property
    def dtype(self):
        return self.model.trained.dtype


def with_op(rng, program, op):
    """Returns the program with an op at the end of predict on which the prediction depends."""
    used = random_instruction(rng, ROOM, [op.name], 500)
    kind, out = op.output or "s", used.out
    if kind == "s" and out == 1:
        return replace(program, predict=(*program.predict, used))
    into = {"s": f"s1 = s1 + s{out}", "v": f"s6 = mean(v{out})", "m": f"s6 = mean(m{out})"}[kind]
    ending = f"{into}; s1 = s1 + s6" if kind != "s" else into
    return replace(program, predict=(*program.predict, used, *parse(Predict=ending).predict))


def cases(count, seed=0):
    """Returns that many cases: every op in some prediction, regressions and classes, both dtypes."""
    rng = np.random.default_rng(seed)
    modules = {"float64": cpu.build("float64", 4), "float32": cpu.build("float32", 16)}
    ops, found = by_number()[:65], []
    while len(found) < count:
        k = len(found)
        dtype = "float32" if k % 4 == 3 else "float64"
        outputs, metric = [(1, "rms_error"), (1, "rms_error"), (1, "accuracy"), (3, "accuracy")][
            k // 4 % 4
        ]
        features = int(rng.integers(1, 13))
        program = grown_program(rng, parse(BASE), ROOM, int(rng.integers(4, 16)))
        program = with_op(rng, program, ops[k % 65])
        x = rng.normal(size=(TRAIN_ROWS + ROWS, features))
        noise = rng.normal(size=(TRAIN_ROWS, outputs))
        labels = list((x[:TRAIN_ROWS, :1] + noise).T)
        labels = [(y > 0) * 1.0 for y in labels] if metric == "accuracy" else labels
        if outputs == 3:
            labels = list(np.eye(3)[rng.integers(0, 3, TRAIN_ROWS)].T)
        try:
            trained = train(
                program, x[:TRAIN_ROWS], labels, metric, dtype=dtype, module=modules[dtype],
                seed_key=SEED_KEY, task_keys=range(7, 7 + outputs),
            )  # fmt: skip
        except ProgramError:
            continue
        problem = {(1, "rms_error"): "regression", (1, "accuracy"): "binary"}.get(
            (outputs, metric), "multiclass"
        )
        classes = () if problem == "regression" else ("a", "b", "c")[: max(2, outputs)]
        model = TableModel(trained, identity(features), problem, classes, "target", 1)
        found.append(Case(model, x[:TRAIN_ROWS], labels, x[TRAIN_ROWS:]))
    return found


# --- the interpreter --------------------------------------------------------------------------------


def call(instructions, banks, draws, x, label):
    banks.v[0], banks.s[0] = x, label
    for instruction in instructions:
        reference.execute(instruction, banks, draws)


def scores(case, memories, dtype=None):
    """Returns s1 (N, outputs) by the reference interpreter, row by row."""
    trained = case.model.trained
    found = np.empty((len(case.x), len(memories)), dtype or case.dtype)
    for k, kept in enumerate(memories):
        draws = Draws(trained.seed_key, trained.task_keys[k], philox.VALIDATE, trained.step)
        for row, x in enumerate(case.x):
            banks = copy_of(kept)
            call(trained.program.predict, banks, draws, x.astype(banks.s.dtype), 0.0)
            found[row, k] = banks.s[1]
    return found


def memories_after_training(case):
    """Returns the memories after training by the reference interpreter, None if it fails."""
    trained = case.model.trained
    found = []
    for k, labels in enumerate(case.labels):
        banks = Banks(memory_needed(trained.program), trained.features, case.dtype)
        key, task = trained.seed_key, trained.task_keys[k]
        call(trained.program.setup, banks, Draws(key, task, philox.SETUP, 0), 0.0, 0.0)
        labels = labels.astype(case.dtype)
        for step, (x, y) in enumerate(zip(case.train_x.astype(case.dtype), labels, strict=True)):
            call(trained.program.predict, banks, Draws(key, task, philox.PREDICT, step), x, 0.0)
            if trained.metric == "accuracy":
                banks.s[1] = sigmoid(banks.s[1])
            if not abs(y - banks.s[1]) <= 100:
                return None
            call(trained.program.learn, banks, Draws(key, task, philox.LEARN, step), x, y)
        found.append(banks)
    return found


def outcome(case, found):
    """Returns what exports are compared by: numbers, or probabilities."""
    if case.model.problem == "regression":
        return found[:, 0].astype(np.float64)
    ones = sigmoid(np.nan_to_num(found.astype(np.float64), nan=-np.inf))
    if ones.shape[1] == 1:
        return np.hstack([1 - ones, ones])
    total = ones.sum(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        return np.where(total > 0, ones / total, 1 / ones.shape[1])


def predictions(case):
    """Returns what the interpreter predicts, and with a little noise in every result."""
    memories = case.model.trained.memories
    found = outcome(case, scores(case, memories))
    with noisy(NOISE[case.dtype], 1):
        return found, outcome(case, scores(case, memories))


def predictions_single(case):
    """Returns the same with the memory and the arithmetic of an ONNX file, float32."""
    memories = []
    for banks in case.model.trained.memories:
        single = Banks(
            memory_needed(case.model.trained.program), case.model.trained.features, "float32"
        )
        with np.errstate(over="ignore"):
            single.s[...], single.v[...], single.m[...] = banks.s, banks.v, banks.m
        memories.append(single)
    found = outcome(case, scores(case, memories, "float32"))
    with noisy(NOISE["float32"], 1):
        return found, outcome(case, scores(case, memories, "float32"))


def predictions_after_training(case):
    """Returns the same after training from zero by the reference interpreter; None where it failed."""
    memories = memories_after_training(case)
    found = None if memories is None else outcome(case, scores(case, memories))
    with noisy(NOISE[case.dtype], 1):
        memories = memories_after_training(case)
        return found, None if memories is None else outcome(case, scores(case, memories))


def difference(found, wanted):
    """Returns the largest difference, relative to what is wanted or to 1, inf where one is NaN alone."""
    found, wanted = np.broadcast_arrays(found, wanted)
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    with np.errstate(all="ignore"):
        far = np.abs(found - wanted) / np.maximum(np.abs(wanted), 1.0)
    return float(np.where(same, 0.0, np.nan_to_num(far, nan=np.inf)).max())


def compared(pairs, results, tolerance):
    """Returns (how many were compared, the largest difference, indices of those that differ).

    pairs: for each case (wanted, wanted with noise). Those that noise moves are left out.
    """
    number, largest, bad = 0, 0.0, []
    for k, ((wanted, moved), found) in enumerate(zip(pairs, results, strict=True)):
        if wanted is None or moved is None or difference(moved, wanted) > tolerance[k] / 10:
            continue
        number += 1
        far = difference(found, wanted)
        largest = max(largest, far)
        bad += [k] if far > tolerance[k] else []
    return number, largest, bad


# --- the exports ------------------------------------------------------------------------------------

_PYTHON = """
import importlib.util, sys
import numpy as np
sys.modules["zero"] = None
data, found = np.load("data.npz"), {}
for k in range(int(data["count"])):
    spec = importlib.util.spec_from_file_location(f"p{k}", f"p{k}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, model in (("trained", module.Model()), ("fitted", module.Model())):
        try:
            if name == "fitted":
                model.fit(data[f"train{k}"], data[f"y{k}"])
            x = module.prepare(data[f"x{k}"])
            of = model.predict if hasattr(module, "TARGET_MEAN") else model.predict_proba
            found[f"{name}{k}"] = of(x)
        except ArithmeticError:
            found[f"{name}{k}"] = np.nan
np.savez("found.npz", **found)
"""


def write_data(every, folder):
    data = {"count": len(every)}
    for k, case in enumerate(every):
        data |= {f"x{k}": case.x, f"train{k}": case.train_x, f"y{k}": labels_of(case)}
    np.savez(folder / "data.npz", **data)


def labels_of(case):
    """Returns labels as a user gives them: numbers, or names of classes."""
    if case.model.problem == "regression":
        return case.labels[0]
    labels = np.argmax(case.labels, axis=0) if len(case.labels) > 1 else case.labels[0].astype(int)
    return np.array(case.model.classes)[labels]


def run_bare(code, folder):
    """Runs Python isolated from the user's environment and this checkout."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


def python_results(every, folder):
    """Returns (predictions of the trained, of those fitted anew) of the Python modules."""
    write_data(every, folder)
    for k, case in enumerate(every):
        (folder / f"p{k}.py").write_bytes(content(case.model, "python"))
    run_bare(_PYTHON, folder)
    with np.load(folder / "found.npz") as found:
        return tuple(
            [found[f"{name}{k}"] for k in range(len(every))] for name in ("trained", "fitted")
        )


_C = """
static void run_p{k}(FILE *in, FILE *out)
{{
    static p{k}_model model;
    p{k}_real features[p{k}_F];
    double number, shares[{width}];
    long rows[2];
    int fitted, i, j, failed = 0;
    if (fread(rows, sizeof rows, 1, in) != 1) exit(1);
    for (fitted = 0; fitted < 2; fitted++) {{
        if (fitted) p{k}_reset(&model); else p{k}_init(&model);
        for (i = 0; i < rows[0] + rows[1]; i++) {{
            int trains = i < rows[0];
            for (j = 0; j < p{k}_F; j++) {{
                if (fread(&number, sizeof number, 1, in) != 1) exit(1);
                features[j] = (p{k}_real)number;
            }}
            if (trains) {{
                if (fread(&number, sizeof number, 1, in) != 1) exit(1);
                if (fitted && !failed) failed |= p{k}_learn_row(&model, features, number);
            }} else {{
                shares[0] = p{k}_predict(&model, features, {shares});
                for (j = 0; j < {width}; j++) if (failed) shares[j] = NAN;
                fwrite(shares, sizeof shares[0], {width}, out);
            }}
        }}
    }}
}}
"""


def c_results(every, folder, compiler="gcc", flags=("-O1",), at_once=20):
    """Returns the same of the files of C; compiled `at_once` at a time."""
    results = [], []
    for first in range(0, len(every), at_once):
        part = list(enumerate(every))[first : first + at_once]
        text, calls, data = "", "", b""
        for k, case in part:
            (folder / f"p{k}.c").write_bytes(content(case.model, "c", f"p{k}"))
            classes = len(case.model.classes)
            body = _C.format(k=k, width=classes or 1, shares="shares" if classes else "NULL")
            if classes:
                body = body.replace(f"shares[0] = p{k}_predict", f"p{k}_predict")
            text += f'#include "p{k}.c"\n' + body
            calls += f"    run_p{k}(in, out);\n"
            labels = np.argmax(case.labels, axis=0) if len(case.labels) > 1 else case.labels[0]
            rows = (
                np.hstack([case.train_x, np.asarray(labels, float)[:, None]]).tobytes()
                + case.x.tobytes()
            )
            data += np.array([len(case.train_x), len(case.x)], np.int64).tobytes() + 2 * rows
        text += 'int main(int count, char **names)\n{\n    FILE *in = fopen(names[1], "rb");\n'
        text += (
            '    FILE *out = fopen(names[2], "wb");\n    if (count != 3 || !in || !out) return 1;\n'
        )
        text += calls + "    fclose(out);\n    return 0;\n}\n"
        (folder / "main.c").write_text(text)
        (folder / "in").write_bytes(data)
        command = [compiler, *WARNINGS, "-ffp-contract=off", *flags, "main.c", "-lm", "-o", "main"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:3000]
        subprocess.run(["./main", "in", "out"], cwd=folder, check=True)
        found, at = np.fromfile(folder / "out"), 0
        for _, case in part:
            width = max(1, len(case.model.classes))
            for result in results:
                size = len(case.x) * width
                array = found[at : at + size].reshape(len(case.x), width)
                result.append(array if width > 1 else array[:, 0])
                at += size
    return results


_ONNX = """
import sys
import numpy as np
sys.modules["zero"] = None
import onnx
data, found = np.load("data.npz"), {}
for k in range(int(data["count"])):
    onnx.checker.check_model(onnx.load(f"p{k}.onnx"), full_check=True)
    x = data[f"x{k}"].astype(np.float32)
    given = {f"x{i}": x[:, i : i + 1] for i in range(x.shape[1])}
    session = RUNTIME
    found[f"p{k}"] = session.run(None, given)[-1]
np.savez("found.npz", **found)
"""
RUNTIMES = {
    "reference": "__import__('onnx.reference').reference.ReferenceEvaluator(f'p{k}.onnx')",
    "onnxruntime": "__import__('onnxruntime').InferenceSession(f'p{k}.onnx')",
}


def onnx_results(every, folder, runtime, opset=None):
    """Returns the predictions of the ONNX files by one of `RUNTIMES`."""
    write_data([replace(c, x=c.x.astype(np.float32)) for c in every], folder)
    for k, case in enumerate(every):
        (folder / f"p{k}.onnx").write_bytes(content(case.model, "onnx", opset=opset))
    run_bare(_ONNX.replace("RUNTIME", RUNTIMES[runtime]), folder)
    with np.load(folder / "found.npz") as found:
        return [found[f"p{k}"] for k in range(len(every))]

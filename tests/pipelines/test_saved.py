"""A file of a trained pipeline is data: whatever it names, loading it calls nothing."""

import io
import json
import zipfile
from functools import partial

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from zero.errors import ArchiveError
from zero.pipelines import saved

CALLS = [
    ("posix", "system"), ("os", "system"), ("builtins", "eval"), ("builtins", "exec"),
    ("subprocess", "Popen"),
    ("numpy", "load"), ("numpy.lib._npyio_impl", "load"), ("numpy.lib.npyio", "load"), ("numpy", "memmap"),
    ("numpy", "savetxt"), ("numpy", "fromfile"), ("numpy.ctypeslib", "load_library"),
    ("numpy.ctypeslib._ctypeslib", "load_library"), ("numpy.f2py", "compile"), ("scipy.io", "loadmat"),
    ("scipy.io", "savemat"), ("joblib", "load"), ("pickle", "loads"), ("sklearn.datasets", "load_files"),
    ("sklearn.datasets._base", "fetch_file"),
    ("sklearn.utils._testing", "assert_run_python_script_without_output"),
    ("sklearn.utils.fixes", "_open_binary"), ("zero.programs.training", "import_again"),
    ("zero.config.imports", "execute"), ("zero.programs.find", "load_program"), ("pandas", "read_pickle"),
    ("importlib", "import_module"), ("webbrowser", "open"), ("shutil", "rmtree"),
]  # fmt: skip


def changed(pipeline, change):
    """Returns a file of a pipeline with its description changed."""
    data = skops.io.dumps(pipeline)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    change(schema)
    members["schema.json"] = json.dumps(schema).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def replace(tree, old, new):
    """Puts a name in the place of another, wherever it stands in a description."""
    if isinstance(tree, dict):
        if (tree.get("__module__"), tree.get("__class__")) == old:
            tree["__module__"], tree["__class__"] = new
        content = tree.get("content")
        if isinstance(content, dict) and content.get("function") == old[1]:
            content["module_path"], content["function"] = new
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        replace(part, old, new)


@pytest.mark.parametrize("name", CALLS, ids=".".join)
@pytest.mark.parametrize("how", ["a step's function", "a part of a step's function", "a step"])
def test_what_no_pipeline_has_is_refused(tmp_path, name, how):
    function = np.ravel if how == "a step's function" else partial(np.ravel, order="C")
    pipeline = make_pipeline(FunctionTransformer(function), StandardScaler())
    old = (StandardScaler.__module__, "StandardScaler") if how == "a step" else ("numpy", "ravel")
    path = tmp_path / "model.skops"
    path.write_bytes(changed(pipeline, lambda schema: replace(schema, old, name)))
    before = set(tmp_path.iterdir())
    with pytest.raises(ArchiveError, match="which no pipeline has"):
        saved.load(path)
    assert set(tmp_path.iterdir()) == before


def test_a_pipeline_comes_back(tmp_path):
    x = np.arange(12.0).reshape(4, 3)
    pipeline = make_pipeline(StandardScaler(), FunctionTransformer(np.ravel)).fit(x)
    saved.save(tmp_path / "model.skops", pipeline)
    assert np.array_equal(saved.load(tmp_path / "model.skops").transform(x), pipeline.transform(x))

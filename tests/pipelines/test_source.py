"""The source of a pipeline builds the same pipeline: same hyperparameters, same predictions."""

import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from zero.pipelines.build import build
from zero.pipelines.facts import facts_of
from zero.pipelines.families import families
from zero.pipelines.source import source_of
from zero.pipelines.space import PipelineSpace
from zero.rng.splitmix import new_state

PROBLEMS = ("binary", "multiclass", "regression")
GROWING = ("n_estimators", "max_iter", "iterations")  # cut where only what they grow matters


def table(problem):
    """Returns (facts, frame, y) of numbers with gaps, categories, dates and texts."""
    import pandas as pd

    from zero.data.frame_of import frame_of
    from zero.data.frames import of_frame
    from zero.data.table import Wanted
    from zero.data.understand import understand

    draw = np.random.default_rng(3)
    n = 60
    size, width = draw.normal(size=(2, n))
    colour = draw.choice(["red", "green", 'the "blue"'], n).astype(object)
    y = size + (colour == "red")
    if problem != "regression":
        y = np.digitize(y, [0.4] if problem == "binary" else [0, 1]).astype(str)
    words = draw.choice(["quick", "lazy", "brown", "fox", "dog", "a"], (n, 5))
    frame = pd.DataFrame({
        "size": size, "wid'th": np.where(draw.random(n) < 0.2, np.nan, width), "colour": colour,
        "day": pd.date_range("2024-01-01", periods=n, freq="31h"), "said": [" ".join(w) for w in words],
        "y": y,
    })  # fmt: skip
    data = understand(
        of_frame(frame, Wanted("y"), "X"), problem, {"said": "text"}, texts=True, lenient=True
    )
    return facts_of(data, n), frame_of(data.columns, data.kinds), data.y


@pytest.fixture(scope="module", params=PROBLEMS)
def space_and_rows(request):
    facts, frame, y = table(request.param)
    assert facts.numbers and facts.categories and facts.dates and facts.texts and facts.gaps
    found = [f for f in families().values() if f.suits(request.param, facts.rows, facts.width)]
    found = [f for f in found if f.name not in ("program", "evolved_program")]
    return PipelineSpace(facts, found), frame, y


def executed(source):
    """Returns what `make_pipeline` of a source returns."""
    names = {"__name__": "exported"}
    exec(compile(source, "exported.py", "exec"), names)
    return names["make_pipeline"]()


def learner_of(pipeline):
    return {k: v for k, v in pipeline[-1].get_params().items() if not hasattr(v, "get_params")}


def cut(pipeline):
    """Makes a pipeline small, so that it is trained at once."""
    learner = pipeline[-1]
    learner.set_params(**{k: 4 for k in GROWING if k in learner.get_params()})
    return pipeline


def genomes(space, count):
    """Returns one as usual of each family, and random ones."""
    rng = new_state(1, "source")
    return [space.usual(name) for name in space.families] + [
        space.random(rng) for _ in range(count)
    ]


def test_source_builds_a_pipeline_that_predicts_the_same(space_and_rows):
    space, frame, y = space_and_rows
    y = y if space.facts.problem == "regression" else y.astype(int)
    for genome in genomes(space, 4):
        wanted, made = build(space, genome, 5), executed(source_of(space, genome, 5))
        assert repr(learner_of(made)) == repr(learner_of(wanted)), genome
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first, second = (cut(p).fit(frame, y) for p in (wanted, made))
            said = "predict" if space.facts.problem == "regression" else "predict_proba"
            expected, got = (getattr(p, said)(frame) for p in (first, second))
        assert np.array_equal(expected, got, equal_nan=True), genome


def test_source_is_short_of_what_is_as_usual_and_names_no_zero(space_and_rows):
    space, _, _ = space_and_rows
    for genome in genomes(space, 4):
        source = source_of(space, genome, 5)
        assert "zero" not in source.replace("zero_", "")
        assert "._" not in source  # names come from where people import them
        assert max(map(len, source.splitlines())) <= 88


def test_programs_of_zero_keep_their_text():
    from zero.pipelines.families.programs import with_programs

    facts, _, _ = table("binary")
    text = "def Setup():\n  s2 = 0.5\ndef Predict():\n  s1 = dot(v0, v1)\ndef Learn():\n  s3 = s0 - s1\n"
    space = PipelineSpace(facts, [with_programs({"mine": text})])
    genome = space.usual("program", program="mine")
    made = executed(source_of(space, genome, 0))
    assert made[-1].get_params()["program"] == text


def test_constructor_calls_of_other_objects():
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    from zero.pipelines.code import Code

    kernel = (ConstantKernel(2.0) + WhiteKernel(0.1)) * RBF(np.float64(0.3))
    code = Code()
    text = code.of({"kernel": kernel, "one": (1,), "nan": np.float64("nan"), "text": 'a"b\\'})
    names = {}
    exec(code.imports(), names)
    back = eval(text, names)
    assert back["kernel"] == kernel and back["one"] == (1,) and back["text"] == 'a"b\\'
    assert np.isnan(back["nan"])


def test_what_has_no_name_is_refused_in_a_line():
    from sklearn.preprocessing import FunctionTransformer

    from zero.errors import ZeroError
    from zero.pipelines.code import Code

    with pytest.raises(ZeroError, match="no name in a module"):
        Code().of(FunctionTransformer(lambda x: x))

"""Where instructions came in: from which record on all have them."""

import math
from types import SimpleNamespace

from helpers import parse
from small_runs import small_config

from zero.programs.explain.exact import exact
from zero.programs.explain.lineage import arrivals, chain_of
from zero.runs import run
from zero.runs.archive import read_archive


def chain(*programs, fitness):
    return [
        (SimpleNamespace(id=10 + k, individuals=100 * k, mutation=f"m{k}", fitness=f), program)
        for k, (program, f) in enumerate(zip(programs, fitness, strict=True))
    ]


def test_instructions_come_in_where_they_stay():
    steps = chain(
        parse(Setup="s2 = 0.5", Predict="s1 = s2 + s3"),
        parse(Setup="s2 = 0.5", Predict="s1 = s2 + s3; s1 = dot(v0, v0)"),
        parse(Setup="s2 = 0.7", Predict="s1 = s2 + s3"),  # gone again
        parse(Setup="s2 = 0.7", Predict="s1 = s2 + s3; s1 = dot(v0, v0); s1 = s1 + s2"),
        fitness=(0.1, 0.2, 0.3, 0.5),
    )
    found = arrivals(exact(steps[-1][1]), steps)
    assert [(a.record, a.mutation, a.spots) for a in found] == [
        (10, "m0", [(0, 0)]),  # its constant has changed since
        (13, "m3", [(1, 0), (1, 1)]),
    ]
    assert math.isnan(found[0].before) and math.isnan(found[0].gained)
    assert (found[1].before, found[1].after) == (0.3, 0.5) and math.isclose(found[1].gained, 0.2)


def test_of_two_alike_the_second_came_later():
    steps = chain(
        parse(Predict="s2 = s2 + s1; s1 = s2 + s2"),
        parse(Predict="s2 = s2 + s1; s2 = s2 + s1; s1 = s2 + s2"),
        fitness=(0.1, 0.2),
    )
    found = arrivals(exact(steps[-1][1]), steps)
    assert [a.spots for a in found] == [[(1, 0), (1, 2)], [(1, 1)]]


def test_the_lineage_of_a_run(tmp_path):
    outcome = run.start(small_config(), out=tmp_path / "run", reporter=run.Reporter())
    data = read_archive(tmp_path / "run")
    found = chain_of(data, None)
    assert found[-1][1] == outcome.program and found[0][0].parent == -1
    form = exact(outcome.program)
    came = arrivals(form, found)
    assert sorted(s for a in came for s in a.spots) == [
        (f, k) for f, body in enumerate(form.program.functions) for k in range(len(body))
    ]
    ids = [record.id for record, _ in found]
    assert all(a.record in ids for a in came) and form.program != parse(Predict="NoOp()")
    (other,) = chain_of(data, found[0][0].id)
    assert other[0].id == found[0][0].id

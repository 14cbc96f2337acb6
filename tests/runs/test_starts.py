"""Searches that start from earlier runs (`search.start_from`): what comes first, resume, and refusals."""

import json

import onemax
import pytest
from small_cells import small_cells
from small_runs import all_records, archive_bytes, small_config

from zero.config.load import load_config, make_config
from zero.errors import ConfigError
from zero.runs import run
from zero.runs.archive import ArchiveData, read_archive, write_archive

CHEAP = {"ops": ["none", "skip_connect", "nor_conv_1x1"], "training": {"epochs": 1}}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """The folder of a run over cells."""
    folder = tmp_path_factory.mktemp("earlier") / "run"
    run.start(small_cells(cells=CHEAP, budget={"individuals": 8}), folder)
    return folder


def started(folder, **changes):
    return small_cells(**{
        "cells": CHEAP, "seed": 4, "budget": {"individuals": 7},
        "search": {"start_from": str(folder), "start_from_count": 2}, **changes,
    })  # fmt: skip


def ranked(folder):
    """Returns a run's different genomes' texts, the best first."""
    records = sorted((r for r in all_records(folder) if r.same_as < 0), key=lambda r: -r.fitness)
    return list(dict.fromkeys(r.text for r in records))


def test_the_best_of_an_earlier_run_are_evaluated_first(earlier, tmp_path):
    run.start(started(earlier), tmp_path / "run")
    records = all_records(tmp_path / "run")
    assert [r.text for r in records[:2]] == ranked(earlier)[:2]
    assert [r.mutation for r in records[:3]] == ["start", "start", "first"]
    assert all(r.parent == -1 and r.train_steps > 0 for r in records[:2])


def test_islands_share_them_out_and_a_record_can_be_named(earlier, tmp_path):
    third = all_records(earlier)[2]
    search = {"start_from": [str(earlier), f"{earlier}#{third.id}"], "start_from_count": 2}
    config = started(earlier, search=search, islands={"count": 2}, budget={"individuals": 6})
    run.start(config, tmp_path / "run")
    records = [r for r in all_records(tmp_path / "run") if r.mutation == "start"]
    wanted = list(dict.fromkeys([*ranked(earlier)[:2], third.text]))
    assert [r.text for r in records if r.island == 0] == wanted[::2]
    assert [r.text for r in records if r.island == 1] == wanted[1::2]


@pytest.mark.parametrize("method", ["regularized_evolution", "q_learning"])
def test_a_run_goes_on_when_the_earlier_one_is_gone(earlier, tmp_path, method):
    gone = tmp_path / "gone"
    gone.mkdir()
    (gone / "archive.h5").write_bytes(archive_bytes(earlier))
    search = {"start_from": str(gone), "start_from_count": 2, "method": method}
    config = started(gone, search=search)
    whole = run.start(config, tmp_path / "whole")
    outcome, pieces = run.start(config, tmp_path / "cut", max_seconds=0), 0
    (gone / "archive.h5").unlink()
    while outcome.reason == "max_seconds":
        outcome, pieces = run.resume(tmp_path / "cut", max_seconds=0.1), pieces + 1
    assert archive_bytes(tmp_path / "cut") == archive_bytes(tmp_path / "whole")
    assert outcome.final == whole.final and pieces
    kept = json.loads((tmp_path / "cut" / "run.json").read_text())["start_from"]
    assert [entry["text"] for entry in kept] == ranked(earlier)[:2]


def test_random_candidates_alone_are_the_yardstick(earlier, tmp_path):
    run.start(started(earlier, search={"method": "random_search", "start_from": str(earlier)}),
              tmp_path / "run")  # fmt: skip
    assert read_archive(tmp_path / "run").results["random_sampling"]["count"] == 6


def test_relative_paths_start_where_the_config_lies(earlier, tmp_path):
    text = (
        "cells: {space: nas_bench_201, images: {source: digits}}\n"
        "search: {start_from: [old, old#3]}\nbudget: {individuals: 3}\n"
    )
    (tmp_path / "my.yaml").write_text(text)
    config = load_config(tmp_path / "my.yaml")
    assert config.search.start_from == (f"{tmp_path / 'old'}", f"{tmp_path / 'old'}#3")


def test_none_and_mistakes_in_the_config():
    for nothing in (None, "none", []):
        assert small_cells(search={"start_from": nothing}).search.start_from == ()
    for wrong in (3, "", ["runs/a", ""]):
        with pytest.raises(ConfigError, match=r"^settings: search.start_from"):
            small_cells(search={"start_from": wrong})


def refusal(**changes):
    with pytest.raises(ConfigError) as caught:
        run.start(started("", **changes))
    (line,) = str(caught.value).splitlines()
    return line


def test_runs_that_do_not_fit_are_refused_in_one_line(earlier, tmp_path):
    def of(name, **changes):
        return refusal(search={"start_from": str(name)}, **changes)

    write_archive(tmp_path / "programs.h5", ArchiveData(0, "", ["NO_OP"], "0.1"))
    assert of(tmp_path / "programs.h5") == (
        f"search.start_from: {tmp_path / 'programs.h5'} is a run over programs; start_from needs one over "
        "cells of the space nas_bench_201[none,skip_connect,nor_conv_1x1]"
    )
    darts = {"space": "darts", "ops": None, "skeleton": {"normal_cells": 0, "filters": 2}}
    assert (
        "(it is of the space nas_bench_201[none,skip_connect,nor_conv_1x1]); start_from needs a "
        in (of(earlier, cells=darts))
    )
    best = ranked(earlier)[0]
    used = next(op for op in CHEAP["ops"] if op in best)
    others = [op for op in (*CHEAP["ops"], "nor_conv_3x3") if op != used]
    assert "is no genome of this run's space (" in of(earlier, cells={"ops": others})
    assert "costs more than cells.budget allows" in of(
        f"{earlier}#{costly(earlier)}", cells={**CHEAP, "budget": {"parameters": 1300}}
    )
    assert f"{tmp_path / 'nowhere'} cannot be used: " in of(tmp_path / "nowhere")
    assert "after # stands the number of a record" in of(f"{earlier}#best")
    assert "has no record 999" in of(f"{earlier}#999")


def costly(folder):
    """Returns the id of the candidate of the most parameters."""
    return max(all_records(folder), key=lambda r: r.parameters).id


def test_programs_are_told_what_they_start_from_instead():
    with pytest.raises(
        ConfigError, match=r"search.start_from: programs start from an earlier run by"
    ):
        small_config(search={"start_from": "runs/old"})


def test_every_kind_of_python_objects_starts_from_runs(tmp_path):
    settings = {"bits": {"length": 12}, "budget": {"individuals": 40}}
    assert type(make_config(settings)).__name__ == onemax.BitsConfig.__name__
    first = run.start(make_config(settings), tmp_path / "a")
    again = {**settings, "seed": 1, "search": {"start_from": str(tmp_path / "a")}}
    run.start(make_config(again), tmp_path / "b")
    assert all_records(tmp_path / "b")[0].text == first.program
    with pytest.raises(ConfigError, match=r"no genome of this run's space .decision 9 is '[01]'; "):
        run.start(make_config({**again, "bits": {"length": 8}}), tmp_path / "c")

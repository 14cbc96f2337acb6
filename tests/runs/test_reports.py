"""Reports on runs: what they tell, that a run writes one at its end, and what becomes of one that fails."""

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from commands import zero_
from small_cells import small_cells
from small_runs import small_config

import zero
from zero import genomes
from zero.programs.library import program
from zero.programs.program import memory_needed
from zero.programs.sample import random_program
from zero.runs.pictures import inline
from zero.runs.progress import Reporter
from zero.runs.reports import charts
from zero.runs.reports.common import share_interval
from zero.runs.reports.page import MOST_BYTES, page
from zero.runs.reports.parts import (
    Bullets,
    Code,
    Commands,
    Pairs,
    Picture,
    Report,
    Section,
    Table,
)


class Reader(HTMLParser):
    """What a page asks for from elsewhere, what it would execute, and its text."""

    def __init__(self, text):
        super().__init__()
        self.wanted, self.scripts, self.words = [], 0, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attrs)
        self.wanted += [
            value
            for name, value in attrs
            if name in ("src", "href", "xlink:href", "action", "data") and value
            if not value.startswith(("#", "data:image/png;base64,"))
        ]

    def handle_data(self, data):
        self.words.append(data)


def alone(text):
    """Checks that a page stands alone, and returns its words."""
    reader = Reader(text)
    assert (reader.wanted, reader.scripts) == ([], 0)
    assert not re.search(r"url\(\s*['\"]?(?!#)|@import", text)
    assert len(text.encode()) < MOST_BYTES
    return " ".join(reader.words)


class Heard(Reporter):
    """What a run tells."""

    def __init__(self):
        super().__init__()
        self.messages = []

    def message(self, text):
        self.messages.append(text)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a small run over programs."""
    folder = tmp_path_factory.mktemp("reports") / "run"
    zero.start(small_config(), folder, quiet=True)
    return folder


def test_a_page_shows_every_part_and_executes_nothing():
    hostile = "<script>alert(1)</script>"
    parts = [
        hostile,
        Pairs([(hostile, "two")]),
        Table(("a", "b"), [(hostile, "4.5")], 1),
        Commands([("zero run", hostile)]),
        Bullets([hostile]),
        Code(hostile),
        Picture("<svg><text>drawn</text></svg>", hostile),
    ]
    words = alone(page(Report(hostile, [Section(hostile, parts)], hostile)))
    assert words.count("alert(1)") >= 9 and "drawn" in words and "4.5" in words


def test_a_page_leaves_out_the_largest_pictures_rather_than_grow_too_large():
    drawn = [Picture(f"<svg><!--{'x' * size}--></svg>", f"of {size}") for size in (10, MOST_BYTES)]
    text = page(Report("r", [Section("s", drawn)]))
    assert "too large for this page: of 1000000" in alone(text) and "<!--xxxxxxxxxx-->" in text


def test_a_run_writes_its_report_when_it_has_ended(tmp_path, reports):
    heard, folder = Heard(), tmp_path / "run"
    outcome = zero.start(small_config(), folder, heard)
    words = alone((folder / "report.html").read_text())
    assert f"{outcome.final.fitness:.6f}" in words
    assert not [m for m in heard.messages if "report" in m]
    assert "random programs" in words and "core-seconds" in words and "lost without" in words
    assert f"zero run {folder / 'config.yaml'} --out AGAIN" in words


def test_a_run_may_leave_it_out_or_have_not_ended(tmp_path, reports):
    zero.start(small_config(report=False), tmp_path / "none", quiet=True)
    assert not (tmp_path / "none" / "report.html").exists()
    zero.start(small_config(), tmp_path / "stopped", quiet=True, max_seconds=0)
    assert not (tmp_path / "stopped" / "report.html").exists()
    outcome = zero.resume(tmp_path / "stopped", quiet=True)
    assert outcome.reason == "individuals" and (tmp_path / "stopped" / "report.html").exists()


def test_a_report_that_fails_takes_nothing_from_the_run(tmp_path, reports, monkeypatch):
    def broken(self, path, domain=None):
        raise ValueError("no report today\nsecond line")

    monkeypatch.setattr(type(genomes.get("programs")), "report", broken)
    heard = Heard()
    outcome = zero.start(small_config(), tmp_path / "run", heard)
    assert outcome.reason == "individuals" and not (tmp_path / "run" / "report.html").exists()
    (said,) = [m for m in heard.messages if "report" in m]
    assert said.startswith("no report could be written") and "\n" not in said


def test_reports_need_the_runs_files_alone_and_are_the_same_each_time(run, tmp_path):
    zero_("report", run, "-o", tmp_path / "one.html")
    zero_("report", run, "-o", tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    out, _ = zero_("report", run)
    assert "HOW TO REPRODUCE IT" in out and "Lindauer" in out


def test_a_run_without_an_outcome_says_what_there_is(tmp_path):
    zero.start(small_config(), tmp_path / "run", quiet=True, max_seconds=0)
    zero.start(small_config(), tmp_path / "beside", quiet=True, max_seconds=0)
    out, _ = zero_("report", tmp_path / "run")
    assert "has not ended" in out and "there is no final figure yet" in " ".join(out.split())
    (tmp_path / "run" / "archive.h5").unlink()
    _, err = zero_("report", tmp_path / "run", code=1)
    assert "it has its settings" in err and "zero resume" in err


@pytest.mark.parametrize("what", ["curve", "lineage", "pareto"])
@pytest.mark.parametrize("ending", ["svg", "png"])
def test_every_run_has_its_curve_and_lineage(run, tmp_path, what, ending):
    file = tmp_path / f"p.{ending}"
    zero_("plot", run, "--what", what, "-o", file)
    assert file.read_bytes().startswith(b"\x89PNG" if ending == "png" else b"<?xml")
    _, err = zero_("plot", run, "--what", "roc", "-o", file, code=1)
    assert "curve, lineage, pareto" in err


def test_cells_have_drawings_curves_costs_and_mistakes(tmp_path, reports):
    folder = tmp_path / "run"
    outcome = zero.start(small_cells(budget={"individuals": 6}), folder, quiet=True)
    words = alone((folder / "report.html").read_text())
    assert f"{outcome.final.fitness:.4f}" in words
    for title in ("Classes and mistakes", "What accuracy costs", "How candidates trained"):
        assert title in words
    for what in ("cells", "training", "pareto", "confusion", "mistakes", "curve"):
        file = tmp_path / f"{what}.png"
        zero_("plot", folder, "--what", what, "-o", file)
        assert file.stat().st_size > 2000


def test_the_front_is_what_no_other_beats_in_both():
    points = np.array([[3, 0.9], [1, 0.5], [2, 0.4], [2, 0.7], [5, 0.9], [1, 0.2]])
    assert charts.front_of(points).tolist() == [1, 3, 0]
    assert charts.front_of(np.zeros((0, 2))).tolist() == []


def test_intervals_of_shares_are_wilsons():
    # Figures of Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I.
    assert share_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert share_interval(0 / 20, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_random_programs_are_as_the_config_allows():
    config = small_config()
    rng = np.random.default_rng(0)
    made = [random_program(config, program("linear"), rng) for _ in range(300)]
    for one in made:
        for name in ("setup", "predict", "learn"):
            settings, function = getattr(config.program, name), getattr(one, name)
            assert settings.size.min <= len(function) <= settings.size.max
            assert {i.op for i in function} <= set(settings.ops)
            assert not any(i.out == 0 for i in function), "s0 or v0 is written"
        needed = memory_needed(one)
        assert needed.scalars <= 4 and needed.vectors <= 3 and needed.matrices == 0
    assert len({str(one) for one in made}) > 250


def test_a_lineage_names_the_steps_that_changed_most():
    chain = [
        SimpleNamespace(id=k, mutation=f"step{k}", fitness=f)
        for k, f in enumerate([0.1, 0.1, 0.5, 0.5, 0.9])
    ]
    text = inline(charts.lineage(chain, "program"), "x")
    assert "step2" in text and "+0.4" in text and "step1 " not in text and "step3 " not in text
    assert "var(--own)" in text and "#1f5fa8" not in text

"""Spaces whose genomes are drawn by a zero-cost score, and searches over them."""

import numpy as np
import pytest
from small_cells import small_cell_settings, small_cells, table_settings, write_table
from small_runs import all_records, archive_bytes

from zero import search
from zero.cells.domain import CellsDomain
from zero.cells.filters import TRIES
from zero.cells.spaces import get_space
from zero.cells.view import CellsView
from zero.config.load import make_config
from zero.errors import ConfigError, ZeroError
from zero.nn.scores import SCORES
from zero.rng.splitmix import new_state
from zero.runs import run


def space_of(**scores):
    return CellsDomain(small_cells(cells={"scores": scores})).search_space


def test_the_best_of_some_candidates_is_drawn():
    space = space_of(filter="parameters", candidates=4)
    rng, own = new_state(1, "candidates"), new_state(1, "candidates")
    for _ in range(10):
        drawn = [space.space.random(own) for _ in range(4)]
        assert space.random(rng) == max(drawn, key=space.scorer)
        mutants = [space.space.mutate(drawn[0], own) for _ in range(4)]
        assert space.mutate(drawn[0], rng) == max(mutants, key=lambda pair: space.scorer(pair[0]))
    assert np.array_equal(rng, own)


def test_the_better_share_is_kept_whatever_draws():
    space = space_of(filter="parameters", keep=0.3, sample=40)
    rng = new_state(1, "keep")
    shares = [space.wants(space.space.random(rng)) for _ in range(200)]
    assert 0.2 < np.mean(shares) < 0.5  # of equal ones all are kept
    genomes = [space.random(rng) for _ in range(20)]
    assert all(space.wants(genome) for genome in genomes)
    assert all(space.wants(space.mutate(genome, rng)[0]) for genome in genomes)
    near = space.neighbours(genomes[0])
    assert 0 < len(near) < len(space.space.neighbours(genomes[0]))
    low = next(g for g in iter(lambda: space.space.random(rng), None) if not space.wants(g))
    with pytest.raises(ZeroError, match="has a score below that of most random genomes"):
        space.genome_of(space.decisions_of(low))
    assert space.genome_of(space.decisions_of(genomes[0])) == genomes[0]


def test_where_nothing_is_good_enough_the_best_is_taken():
    space = space_of(filter="parameters", keep=0.5)
    space.threshold = 10**9
    rng, own = new_state(1, "none"), new_state(1, "none")
    drawn = [space.space.random(own) for _ in range(TRIES)]
    assert space.random(rng) == max(drawn, key=space.scorer)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_scores_cells_from_the_seed_alone(name):
    settings = {"filter": name, "candidates": 2, "batch": 8}
    genomes = [space_of(**settings).space.random(new_state(k, "genomes")) for k in range(4)]
    first, again = ([space_of(**settings).scorer(g) for g in genomes] for _ in range(2))
    assert first == again and len(set(first)) > 1


FILTERS = {
    "candidates": ("regularized_evolution", {"filter": "synflow", "candidates": 3}),
    "keep": ("q_learning", {"filter": "naswot", "keep": 0.5, "sample": 10, "batch": 8}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_stopped_search_ends_the_same(name, tmp_path):
    method, scores = FILTERS[name]
    config = small_cells(
        cells={"scores": scores, "training": {"epochs": 1}}, search={"method": method},
        budget={"individuals": 8}, islands={"count": 2},
    )  # fmt: skip
    run.start(config, tmp_path / "whole")
    outcome, pieces = run.start(config, tmp_path / "cut", max_seconds=0.2), 1
    while outcome.reason == "max_seconds":
        outcome, pieces = run.resume(tmp_path / "cut", max_seconds=0.3), pieces + 1
    assert pieces > 1 and archive_bytes(tmp_path / "cut") == archive_bytes(tmp_path / "whole")
    plain = run.start(small_cells(
        cells={"training": {"epochs": 1}}, search={"method": method}, budget={"individuals": 8},
        islands={"count": 2},
    ), tmp_path / "plain")  # fmt: skip
    assert [r.text for r in all_records(outcome.folder)] != [
        r.text for r in all_records(plain.folder)
    ]


def test_a_table_can_be_searched_by_what_needs_no_images(tmp_path):
    path = write_table(tmp_path / "t.csv")
    scores = {"filter": "synflow", "candidates": 2}
    config = make_config(table_settings(path, cells={"scores": scores}, budget={"individuals": 6}))
    assert run.start(config, tmp_path / "run").individuals == 6


def test_a_run_is_shown_with_how_its_candidates_came_about():
    def words(**changes):
        return dict(CellsView().setting_rows(small_cells(**changes).model_dump(mode="json")))[
            "search"
        ]

    scores = {"filter": "synflow", "keep": 0.25}
    shown = words(
        cells={"scores": scores, "inherit_weights": "exact"}, search={"start_from": "/old#3"}
    )
    assert shown.endswith(
        "weights inherited, exactly where that can be, drawn by synflow (best 25%), started from /old#3"
    )
    assert "drawn by snip (best of 4)" in words(
        cells={"scores": {"filter": "snip", "candidates": 4}}
    )


def mistake(**changes):
    with pytest.raises(ConfigError) as caught:
        make_config(small_cell_settings(**changes))
    (line,) = str(caught.value).splitlines()
    return line.removeprefix("settings: cells.scores")


def test_mistakes(tmp_path):
    one = ": needs one of candidates and keep, such as {filter: synflow, candidates: 5}"
    assert mistake(cells={"scores": {"filter": "snip"}}) == one
    assert mistake(cells={"scores": {"filter": "snip", "keep": 0.5, "candidates": 3}}) == one
    assert "unknown score 'snipp'; did you mean 'snip'" in mistake(
        cells={"scores": {"filter": "snipp", "keep": 0.5}}
    )
    table = table_settings(tmp_path / "t.csv", cells={"scores": {"filter": "snip", "keep": 0.5}})
    with pytest.raises(ConfigError, match=r"snip needs images; a table has none: use one of param"):
        make_config(table)


ASKED = [
    name
    for name in search.names()
    if not search.chooses_parents(name) and not search.lacking(name, get_space("nas_bench_201"))
]


@pytest.mark.parametrize("method", ASKED)
def test_methods_that_draw_otherwise_are_told_what_to_use(method):
    needs = getattr(search.get(method), "NEEDS", ())
    settings = {"search": {"method": method}}
    if needs:
        line = mistake(cells={"scores": {"filter": "snip", "candidates": 3}}, **settings)
        assert line == (
            f".candidates: {method} does not draw genomes and mutants one by one; use keep, such as "
            "keep: 0.5"
        )
    assert small_cells(cells={"scores": {"filter": "snip", "keep": 0.5}}, **settings)

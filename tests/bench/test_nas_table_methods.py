"""Every search method on tables: strings over an alphabet, several budgets, seconds, pictures."""

import csv
import itertools
import json

import numpy as np
import pytest
import typer
from cell_tables import planted, write, write_strings
from typer.testing import CliRunner

from zero import search
from zero.bench.nas_table import compare
from zero.bench.nas_table_runs import (
    MAX_REPEATS,
    Stop,
    goes_on,
    make_lookup,
    trajectories,
)
from zero.bench.nas_table_searches import SAMPLING, descriptions, settings_of
from zero.bench.nas_table_space import RowSpace
from zero.cells.table import read_cell_table

ENDING = [name for name in descriptions() if not goes_on(name) and name != SAMPLING]
BUDGET, RUNS = 80, 25


@pytest.fixture(scope="module")
def strings(tmp_path_factory):
    return write_strings(tmp_path_factory.mktemp("strings") / "strings.csv")


@pytest.fixture(scope="module")
def everything(strings):
    """All searches compared on the strings."""
    return compare(strings, "valid", "test", None, RUNS, [20, BUDGET], seed=1)


def runs_of(path, name, runs, stop, seed=3, **settings):
    table = read_cell_table(path, ["valid"], None)
    lookup = make_lookup(table, "valid")
    return table, trajectories(name, lookup, settings, runs, seed, stop)


# --- which methods, and what they find ------------------------------------------------------------


def test_every_method_that_a_table_can_serve_is_there():
    assert {"q_learning", "reinforce", "surrogate", "local_search_best_neighbour"} <= set(
        descriptions()
    )
    left_out = set(search.names()) - set(descriptions())
    assert all(search.lacking(name, RowSpace) for name in left_out)


def test_every_method_beats_random_search_on_a_planted_function(everything):
    searches = everything["searches"]
    assert set(searches) == set(descriptions()) | {"random"}
    for name in set(descriptions()) - {"random_sampling", "random_search"}:
        entry = searches[name]
        assert entry["standard_errors_above_random_search"] > (1 if name == "q_learning" else 3), (
            name
        )
        assert entry["mean"] <= 10 * planted("2" * 8) + 1e-9
        assert entry["regret"] == pytest.approx(10 * planted("2" * 8) - entry["mean"])
    assert everything["table"]["optimum"] == "22222222"
    assert everything["table"]["cells"] == everything["table"]["possible_cells"] == 3**8
    assert "another symbol in one place" in everything["protocol"]["space"]


def test_an_alphabet_may_be_given(strings):
    asked = ["q_learning"]
    one, two = (
        compare(strings, "valid", "test", asked, 3, 20, alphabet=alphabet)
        for alphabet in (None, "012")
    )
    assert one["searches"] == two["searches"] and one["table"] == two["table"]


# --- where runs end -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENDING)
def test_a_run_ends_at_its_budget(strings, name):
    table, runs = runs_of(strings, name, 5, Stop(30))
    values = table.columns["valid"]
    for run in runs:
        assert run.all_queries == 30 or values[run.rows[-1]] == values.max()
        assert (np.diff(values[run.rows]) > 0).all() and run.queries[0] == 1
        assert (np.diff(run.queries) > 0).all() and (run.queries <= run.individuals).all()


def test_a_run_goes_on_to_the_optimum_where_that_is_asked(strings):
    options = {"runs": 5, "budget": 20, "searches": ["surrogate", "reinforce"]}
    ended = compare(strings, "valid", "test", **options)
    went_on = compare(strings, "valid", "test", to_optimum=300, **options)
    for name in options["searches"]:
        one, two = ended["searches"][name], went_on["searches"][name]
        assert one["reached_optimum"] < 0.5 and one["queries_to_optimum_mean"] is None
        assert one["queries_to_optimum_median"] is None
        assert two["mean"] == one["mean"]  # of the same budget
        assert two["queries_to_optimum_mean"] > 20
    assert went_on["searches"]["surrogate"]["reached_optimum"] > 0.8
    assert "surrogate end at the budget" in ended["protocol"]["optimum"]
    assert "surrogate end after 300 queries" in went_on["protocol"]["optimum"]


def test_a_policy_that_has_made_up_its_mind_ends_its_run(tmp_path):
    # At this rate the first good string becomes certain, and nothing else is drawn ever after.
    rows = [(s, planted(s)) for s in itertools.product("012", repeat=4)]
    path = write(tmp_path / "t.csv", rows, ("arch", "valid"), "".join)
    table, runs = runs_of(path, "reinforce", 6, Stop(81), learning_rate=10.0)
    values = table.columns["valid"]
    assert all(run.all_queries < 81 for run in runs)
    stuck = [run for run in runs if values[run.rows[-1]] < values.max()]
    assert stuck and all(run.individuals[-1] <= 81 * MAX_REPEATS for run in stuck)
    found = compare(path, "valid", "valid", ["reinforce:learning_rate=10.0"], 6, 81)
    entry = found["searches"]["reinforce:learning_rate=10.0"]
    assert 0 < 1 - entry["reached_optimum"]


# --- budgets --------------------------------------------------------------------------------------


def test_several_budgets_are_as_each_alone(strings, everything):
    names = ["q_learning", "reinforce"]
    assert everything["budgets"] == [20, BUDGET]
    for budget in (20, BUDGET):
        alone = compare(strings, "valid", "test", names, RUNS, budget, seed=1)["searches"]
        for name in (*names, "random_search"):
            entry = everything["searches"][name]["budgets"][str(budget)]
            for key in ("mean", "std", "standard_errors_above_random_search", "curve"):
                assert entry.get(key) == alone[name].get(key), (name, budget, key)
    # What plans for its budget is told it.
    entries = everything["searches"]["q_learning"]["budgets"]
    assert [entries[b]["settings"]["schedule"] for b in ("20", str(BUDGET))] == [20, BUDGET]
    assert settings_of("q_learning", {}, {"schedule": 7}, 50) == {"schedule": 7}


def test_settings_of_a_search_may_be_named_with_it(strings):
    names = ["surrogate", "surrogate:initial=5:candidates=20", "random:population=7"]
    found = compare(strings, "valid", "test", names, 5, 30)["searches"]
    one, two = found["surrogate"], found["surrogate:initial=5:candidates=20"]
    assert (one["settings"]["initial"], two["settings"]["initial"]) == (40, 5)
    assert one["mean"] != two["mean"]


def test_seconds_are_a_budget_of_what_is_done_within_them(strings):
    seconds = dict(zip(*columns(strings, "arch", "seconds"), strict=True))
    names = ["local_search", "q_learning"]
    found = compare(
        strings, "valid", "test", names, 10, seed=2, seconds=[200, 1500], seconds_column="seconds"
    )
    assert found["budget_of"] == "seconds" and found["budget"] == 1500
    table = read_cell_table(strings, ["valid", "test", "seconds"], None)
    lookup = make_lookup(table, "valid", seconds="seconds")
    entry = found["searches"]["local_search"]["budgets"]["200"]
    runs = trajectories("local_search", lookup, entry["settings"], 10, 2)
    best = [table.columns["test"][run.rows[run.seconds <= 200][-1]] for run in runs]
    assert entry["mean"] == pytest.approx(np.mean(best))
    assert entry["curve"]["seconds"][-1] == 200 and "counting_repeats" not in entry
    for run in runs:
        # The first cells are random and all new; later ones may be known.
        assert run.seconds[0] == seconds[table.arch(int(run.rows[0]))]
        assert (40 * run.queries <= run.seconds).all() and (run.seconds <= 80 * run.queries).all()
    assert "1,500 seconds" in found["protocol"]["budget"]


def columns(path, *names):
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return [[row[n] if n == "arch" else float(row[n]) for row in rows] for n in names]


# --- files ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app():
    from zero.cli.nas_table import register

    bench = typer.Typer()
    bench.callback()(lambda: None)  # else Typer makes the only command the program itself
    register(bench)
    return bench


def test_the_command_draws_and_writes_rows(app, strings, tmp_path):
    picture, rows, data = (tmp_path / name for name in ("a.svg", "a.csv", "a.json"))
    options = ["--select", "valid", "--report", "test", "--runs", "6", "--budget", "10,40"]
    files = ["--plot", str(picture), "--csv", str(rows), "--json", str(data)]
    searches = ["--searches", "local_search,q_learning", "--alphabet", "012"]
    arguments = ["nas-table", str(strings), *options, *files, *searches]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "10 queries\n" in result.stdout and "40 queries\n" in result.stdout
    text = picture.read_text()
    for name in ("random_search", "local_search", "q_learning", "mean regret"):
        assert f">{name}</text>" in text or f"<!-- {name} -->" in text
    written = json.loads(data.read_text())
    with rows.open() as file:
        found = list(csv.DictReader(file))
    assert [(r["search"], r["budget"]) for r in found] == [
        ("random_sampling", "1"),
        *itertools.product(("random_search", "local_search", "q_learning"), ("10", "40")),
    ]
    for row in found:
        entry = written["searches"][row["search"]]
        entry = entry.get("budgets", {}).get(row["budget"], entry)
        assert float(row["mean"]) == entry["mean"] and float(row["milliseconds_a_proposal"]) > 0
    curve = written["searches"]["q_learning"]["regret_curve"]
    assert curve["queries"][0] == 1 and curve["queries"][-1] == 40
    assert (np.diff(curve["mean"]) <= 1e-12).all()  # select and report agree here


def test_strings_that_cannot_be_used_are_one_line(app, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("arch,valid\n0121,1\n0120,2\n012,3\n")
    for options, match in (
        ([], "string '012' has 3 symbols, the first row's has 4"),
        (["--alphabet", "01"], "symbol 3 of string '0121' is '2'; the alphabet is 01"),
        (["--alphabet", "00"], "'00' is no alphabet"),
    ):
        arguments = ["nas-table", str(path), "--select", "valid", "--report", "valid", *options]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1 and match in result.stderr
        assert result.stderr.count("\n") == 1

"""Rows of the paper's experiments, and the page made from them."""

import importlib
import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest

import zero

FOLDER = Path(zero.__file__).parents[1] / "benchmarks" / "paper"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")


@pytest.fixture(autouse=True)
def scripts_are_found(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.syspath_prepend(str(FOLDER.parent))


def rows_module():
    return importlib.import_module("rows")


def page_module():
    return importlib.import_module("paper.page")


def _add(name, folder, first):
    rows = rows_module().Rows(name, folder)
    for k in range(5):
        rows.add({"seed": first + k})


def test_rows_of_several_processes_are_all_kept(tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_add, args=("x", tmp_path, 10 * k)) for k in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    rows = rows_module().Rows("x", tmp_path)
    assert sorted(r["seed"] for r in rows.all()) == sorted(
        10 * a + b for a in range(4) for b in range(5)
    )
    assert rows.has(seed=32) and not rows.has(seed=5) and len(rows.where(seed=3)) == 1
    assert set(rows.all()[0]["machine"]) >= {"cpu", "commit", "versions"}


def test_a_row_that_json_has_no_word_for_is_refused_and_nothing_is_lost(tmp_path):
    rows = rows_module().Rows("x", tmp_path)
    rows.add({"seed": 1})
    with pytest.raises(ValueError, match="JSON"):
        rows.add({"seed": 2, "figure": float("inf")})
    assert [r["seed"] for r in rows.all()] == [1]


def test_the_page_is_what_the_rows_give():
    folder = FOLDER.parent / "results" / "paper"
    assert (FOLDER / "README.md").read_text() == page_module().page(folder), (
        "run python benchmarks/page.py"
    )


def random_rows(successes, programs, **more):
    return {"what": "random", "task": "t", "form": None, "programs": programs,
            "successes": successes, **more}  # fmt: skip


def test_success_over_random_search_by_hand():
    evolution = {"what": "evolution", "task": "t", "variant": "paper", "experiments": 50,
                 "successes": 10, "most": 1000}  # fmt: skip
    rows = [random_rows(1, 10_000), random_rows(3, 30_000), evolution, evolution]
    (found,) = page_module().fig4_figures(rows)
    assert found["rate"] == pytest.approx(1e-4)
    # 20 of 100 experiments, over 1 - (1 - 0.0001)^1000.
    assert found["ratio"] == pytest.approx(0.2 / (1 - 0.9999**1000))
    low, high = found["ratio_interval"]
    assert low < found["ratio"] < high


def test_forms_of_a_function_add_up_by_their_shares():
    rows = [
        random_rows(5, 100, form="a", share=0.1),
        random_rows(1, 100, form="b", share=0.02),
        {
            "what": "evolution",
            "task": "t",
            "variant": "v",
            "experiments": 1,
            "successes": 0,
            "most": 1,
        },
    ]
    (found,) = page_module().fig4_figures(rows)
    assert found["rate"] == pytest.approx(0.1 * 0.05 + 0.02 * 0.01)


def test_the_share_of_right_predict_functions_is_that_of_random_ones():
    fig4 = importlib.import_module("fig4")
    rng, n, counts = np.random.default_rng(3), 400_000, {"apart": 0, "in place": 0}
    is_dot, out = rng.integers(2, size=(2, n)), rng.integers(1, 5, size=(2, n))
    s, v = rng.integers(5, size=(2, 2, n)), rng.integers(3, size=(2, 2, n))
    right = (is_dot[0] == 1) & (is_dot[1] == 0) & ((v[0, 0] == 0) != (v[0, 1] == 0)) & (out[1] == 1)
    first, second = s[1, 0] == out[0], s[1, 1] == out[0]
    bias = np.where(first, s[1, 1], s[1, 0])
    right &= (first != second) & (bias >= 2)
    counts["in place"] = int((right & (out[0] == 1)).sum())
    counts["apart"] = int((right & (out[0] != 1)).sum())
    for form, count in counts.items():
        expected = n * fig4.share_of_form(form)
        assert count > 200 and abs(count - expected) < 5 * expected**0.5


def searched(problem, variant, seed, success, individuals):
    return {"problem": problem, "variant": variant, "seed": seed, "success": success,
            "individuals": individuals, "trained": 1, "core_seconds": 1.0,
            "machine": {"cpu": "a box", "commit": "0123456789"}}  # fmt: skip


def test_a_speedup_counts_what_failures_spent():
    rows = [
        searched("p", "paper", 1, True, 100), searched("p", "paper", 2, False, 500),
        searched("p", "new", 1, True, 30), searched("p", "new", 2, True, 70),
        searched("q", "paper", 1, True, 40), searched("q", "paper", 2, True, 40),
        searched("q", "new", 1, True, 10), searched("q", "new", 2, True, 10),
    ]  # fmt: skip
    text = page_module().search(rows)
    assert "| p | paper | 2 | 1 | 600 |" in text and "| p | new | 2 | 2 | 50 |" in text
    # 12 and 4 times: their geometric mean is 6.9.
    assert "`new`: 6.9 times fewer individuals" in text
    assert page_module().each([searched("p", "v", 1, False, 5)]) == float("inf")


def test_rows_lie_in_the_repository_without_what_json_cannot_say():
    for path in (FOLDER.parent / "results" / "paper").glob("*.json"):
        rows = json.loads(
            path.read_text(), parse_constant=lambda word: pytest.fail(f"{path}: {word}")
        )
        if not path.stem.endswith("_summary"):
            assert all("machine" in row for row in rows["rows"])

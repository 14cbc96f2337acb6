"""What people are told beside a figure."""

from types import SimpleNamespace

from zero.programs.view import notes, outcome_table, with_chance

FINAL = {
    "fitness": 0.8, "metric": "accuracy", "chance": 0.6, "interval": [0.7, 0.9],
    "lasting_fitness": 0.8, "order_matters": False, "departures": ["it counts twice"],
}  # fmt: skip


def test_a_good_figure_has_its_interval_alone():
    assert notes(FINAL) == ["final fitness, 95 % interval over the examples: 0.7000 to 0.9000"]
    assert notes({"fitness": 0.8}) == []  # of an older version


def test_a_figure_no_better_than_chance_says_so():
    said = notes(FINAL | {"chance": 0.7})
    assert len(said) == 2
    assert "not beyond chance" in said[1] and "0.7000" in said[1] and "larger class" in said[1]
    said = notes(FINAL | {"chance": 0.75, "metric": "rms_error"})
    assert "always the mean has 0.7500" in said[1]


def test_a_figure_that_needs_the_order_says_so():
    said = notes(FINAL | {"order_matters": True, "lasting_fitness": 0.97})
    assert "0.9700" in said[1] and "0.8000" in said[1] and "(it counts twice)" in said[1]


def test_chance_stands_beside_every_fitness():
    details = FINAL | {"chance": {"search": 0.5, "select": 0.55, "final": 0.6}}
    outcome = SimpleNamespace(
        search_fitness=0.9, select_fitness=0.85, final=SimpleNamespace(fitness=0.8),
        baselines={"linear": (0.7, 0.65)}, details=details,
    )  # fmt: skip
    headings, rows = outcome_table(outcome)
    assert all(len(row) == len(headings) for row in rows)
    last = rows[-1]
    assert "larger class" in last[0] and [float(x) for x in last[1:]] == [0.5, 0.55, 0.6]
    assert "0.6" in with_chance("0.8", FINAL) and with_chance("0.8", {}) == "0.8"

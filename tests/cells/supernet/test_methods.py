"""Methods that share weights, as runs: what they derive, what they say, and what they refuse."""

import numpy as np
import pytest
from small_cells import small_cells, write_table
from small_runs import all_records

from zero.cells.domain import CellsDomain
from zero.cells.kind import CELLS
from zero.cells.supernet.supernet import Supernet
from zero.config.load import make_config
from zero.errors import ConfigError, NetworkError
from zero.rng.splitmix import new_state
from zero.runs import pictures, run
from zero.search import darts
from zero.search.protocol import SearchSettings
from zero.search.section import settings_model

METHODS = {
    "random_sharing": {"epochs": 2, "samples": 6, "candidates": 2, "sample": 4},
    "darts": {"epochs": 3, "sample": 4, "alpha_learning_rate": 0.1, "eigenvalue_every": 1},
    "enas": {"epochs": 2, "controller_steps": 2, "samples": 2, "units": 4, "final": 5, "sample": 4},
}


def small(method, individuals=7, **changes):
    search = {"method": method, **METHODS[method], **changes.pop("search", {})}
    return small_cells(search=search, budget={"individuals": individuals}, **changes)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_derives_genomes_and_tells_how_scores_and_trainings_agree(method, tmp_path, capsys):
    outcome = run.start(small(method), tmp_path / "run")
    records = all_records(tmp_path / "run")
    derived = METHODS[method].get("candidates", 1)
    made = [record.mutation for record in records]
    assert made[:derived] == ["drawn"] * derived and made[derived : derived + 4] == ["random"] * 4
    assert all(record.train_steps > 0 or record.same_as >= 0 for record in records)
    told = outcome.details["supernet"]
    assert told["method"] == method and told["steps"] >= 3
    assert -1 <= told["tau"] <= 1 or np.isnan(told["tau"])
    CELLS.view.print_outcome(outcome)
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{method}, {told['steps']}" in shown
    own = max(record.fitness for record in records if record.mutation == "drawn")
    best = max(record.fitness for record in records[derived : derived + 4])
    assert f"fitness {own:.4f} of the" in shown and f"{best:.4f} at best" in shown
    assert ("best of all is a random one" in shown) == (best > own)


def test_scores_rank_candidates(tmp_path):
    domain = CellsDomain(small("random_sharing"))
    domain.check()
    (island,) = domain.islands(0, {"individuals": 3, "train_steps": 10**9})
    searcher = island.searcher.searcher
    searcher.advance()
    best = sorted(searcher.derived, key=lambda name: -searcher.scores[name])
    asked = [searcher.space.text(searcher.ask().genome) for _ in range(2)]
    assert asked == best[:2]
    assert searcher.net is None  # its memory is free while candidates are trained


def test_tau_is_that_of_the_sample():
    domain = CellsDomain(small("random_sharing", search={"sample": 6}))
    (island,) = domain.islands(0, {"individuals": 3, "train_steps": 10**9})
    searcher = island.searcher.searcher
    searcher.advance()
    ranked = {name: score for name, score in searcher.scores.items() if name in searcher.drawn}
    for sign in (1, -1):
        searcher.heard = {}
        for _ in range(30):
            proposal = searcher.ask()
            name = searcher.space.text(proposal.genome)
            searcher.tell(proposal, 0, sign * searcher.scores.get(name, 0.0))
        searcher.heard = {name: sign * score for name, score in ranked.items()}
        if len(set(ranked.values())) == len(ranked):
            assert searcher.figures()["tau"] == pytest.approx(sign)


# --- DARTS ----------------------------------------------------------------------------------------


class Toy:
    """A supernet of one edge whose losses are known: weights w, shares s of two ops and none.

    Train loss (w - (s0 - s1))^2 / 2, the shares' loss (w - 1)^2 / 2 + c s0: to the first order the gradient
    of s is (c, 0, 0); what w would become makes the rest.
    """

    edges, ops, skips, steps_per_epoch, slope = (
        (type("E", (), {"cell": ""})(),),
        ("a", "b", "none"),
        ("b",),
        4,
        0.3,
    )

    def __init__(self, w=0.2, rate=0.1):
        self.w, self._rate = np.array([w]), rate
        self.steps = 40

    @property
    def weights(self):
        return self.w.copy()

    def rate(self, step):
        return self._rate

    def slopes(self, part, number, shares, weights=None):
        w = (self.w if weights is None else weights)[0]
        s = shares[0]
        if part == "weights":
            apart = w - (s[0] - s[1])
            return apart**2 / 2, np.array([[-apart, apart, 0.0]]), np.array([apart])
        return (
            (w - 1) ** 2 / 2 + self.slope * s[0],
            np.array([[self.slope, 0, 0]]),
            np.array([w - 1]),
        )

    def ahead(self, step, gradients):
        return self.w - self._rate * gradients

    def descend(self, step, gradients):
        self.w = self.w - self._rate * gradients
        return True

    def chosen(self, shares):
        return [(0, int(shares[0, :2].argmax()))]

    def strongest(self, shares):
        return self.ops[self.chosen(shares)[0][1]]


def searcher_of(toy, **given):
    settings = settings_model(SearchSettings, "darts")(epochs=10, **given)
    space = type("S", (), {"supernet": lambda self, *_: toy, "text": str, "mixture": True})()
    found = darts.make(space, settings, new_state(1, "toy"))
    found.net = toy
    found.alphas = np.array([[0.4, -0.2, 0.1]])
    found.direction, found.moments = np.array([[1.0, 0.3, -0.2]]), np.zeros((2, 1, 3))
    return found


def loss_after_a_step(toy, alphas):
    shares = darts.softmaxes(alphas)
    _, _, to_weights = toy.slopes("weights", 0, shares)
    return toy.slopes("shares", 0, shares, toy.w - toy._rate * to_weights)[0]


def test_second_order_is_the_gradient_through_the_step():
    toy = Toy()
    found = searcher_of(toy, order="second")
    gradient, small_step = found.gradient(0), 1e-5
    for op in range(3):
        moved = np.zeros((1, 3))
        moved[0, op] = small_step
        values = [loss_after_a_step(toy, found.alphas + sign * moved) for sign in (1, -1)]
        assert gradient[0, op] == pytest.approx(
            (values[0] - values[1]) / (2 * small_step), rel=1e-3
        )


def test_second_order_without_a_rate_is_the_first():
    both = [searcher_of(Toy(rate=0.0), order=order).gradient(0) for order in ("first", "second")]
    assert np.array_equal(*both) and both[0].any()


def test_the_eigenvalue_is_that_of_the_hessian():
    found = searcher_of(Toy())

    def gradient(alphas):
        shares = darts.softmaxes(alphas)
        return darts.through_softmax(shares, found.net.slopes("shares", 0, shares)[1])[0]

    columns = []
    for op in range(3):
        moved = np.zeros((1, 3))
        moved[0, op] = 1e-5
        columns.append((gradient(found.alphas + moved) - gradient(found.alphas - moved)) / 2e-5)
    values = np.linalg.eigvalsh((np.array(columns) + np.array(columns).T) / 2)
    largest = values[np.abs(values).argmax()]
    for _ in range(6):
        value = found._eigenvalue(0)
    assert value == pytest.approx(largest, rel=0.02)


def test_alphas_that_are_no_numbers_end_it_with_the_last_that_were():
    toy = Toy()
    found = searcher_of(toy)
    found.train(0)
    before = found.alphas.copy()
    toy.slope = np.nan
    found.train(1)
    assert np.array_equal(found.alphas, before)
    assert "no numbers any more in step 2 (epoch 1)" in found.ended
    assert found.derive() in (["a"], ["b"])


def test_early_stops_and_what_they_derive_from():
    found = searcher_of(Toy(), early_stop="skips", skips=1)
    found.alphas = np.array([[-3.0, 3.0, 0.0]])
    for step in range(4):
        found.train(step)
    assert found.ended == "stopped after epoch 1: 1 skips in the derived cell"
    found = searcher_of(Toy(), early_stop="eigenvalue")
    growing = iter(np.linspace(1, 10, 40))
    found._eigenvalue = lambda step: float(next(growing))
    step = 0
    while not found.ended:
        found.train(step)
        step += 1
    assert "after epoch 10: the dominant eigenvalue grew" in found.ended
    assert np.array_equal(found.best, found.history[4])


def test_collapse_is_said_and_the_limit_keeps_skips_out():
    domain = CellsDomain(small("darts"))
    (island,) = domain.islands(0, {"individuals": 3, "train_steps": 10**9})
    net = Supernet(domain.space, domain.evaluator.skeleton, domain.evaluator.data,
                   domain.evaluator.settings, 1, True, "reference")  # fmt: skip
    searcher = island.searcher.searcher
    searcher.net = net
    alphas = np.zeros((6, 5))
    skip, conv = net.ops.index("skip_connect"), net.ops.index("nor_conv_3x3")
    alphas[:, skip] = np.linspace(2, 3, 6)
    alphas[:, conv] = 1
    searcher.alphas = alphas
    (genome,) = searcher.derive()
    assert set(genome.normal.ops) == {"skip_connect"}
    assert searcher.notes == ["collapse: 6 of 6 ops of the derived cell are skips"]
    searcher.settings = searcher.settings.model_copy(update={"skip_limit": 2})
    (genome,) = searcher.derive()
    assert genome.normal.ops == ("nor_conv_3x3",) * 4 + ("skip_connect",) * 2


def test_darts_learns_which_op_is_the_better(tmp_path):
    """Of convolutions and zeros for images: convolutions."""
    config = small(
        "darts", 1, cells={"ops": ["none", "nor_conv_3x3", "skip_connect"]},
        search={"epochs": 4, "sample": 0},
    )  # fmt: skip
    outcome = run.start(config, tmp_path / "run")
    assert "none" not in str(outcome.program).split(": ")[1]


# --- what is refused ------------------------------------------------------------------------------


def test_spaces_without_a_supernet_or_a_mixture_are_refused_in_a_line():
    with pytest.raises(
        ConfigError, match="random_sharing cannot search the space chain; use one of"
    ):
        make_config({"cells": {"space": "chain", "images": {"source": "digits"}},
                     "search": {"method": "random_sharing"}, "budget": {"individuals": 3}})  # fmt: skip
    with pytest.raises(ConfigError, match="darts cannot search the space amoebanet; use one of"):
        make_config({"cells": {"space": "amoebanet", "images": {"source": "digits"}},
                     "search": {"method": "darts"}, "budget": {"individuals": 3}})  # fmt: skip


def test_a_table_has_no_images_to_train_on(tmp_path):
    table = str(write_table(tmp_path / "t.csv"))
    with pytest.raises(ConfigError, match="darts trains a supernet on images, and cells"):
        make_config({
            "cells": {"space": "nas_bench_201", "ops": ["none", "skip_connect", "nor_conv_3x3"],
                      "evaluate": {"table": table, "select": "valid", "report": "test"}},
            "search": {"method": "darts"}, "budget": {"individuals": 3},
        })  # fmt: skip


def test_a_supernet_beyond_the_memory_is_refused_with_what_fits(monkeypatch, tmp_path):
    config = small("darts", cells={"skeleton": {"filters": 64}, "training": {"batch": 60}})
    domain = CellsDomain(config)
    limit = 250 << 20
    monkeypatch.setattr("zero.cells.domain.usable_bytes", lambda: limit)
    with pytest.raises(
        NetworkError, match=r"with 64 filters, .* allowed; cells.skeleton.filters: "
    ):
        domain.check()


def test_a_training_that_diverges_says_when_and_scores_with_what_it_has():
    domain = CellsDomain(small("random_sharing", cells={"training": {"max_loss": 0.1}}))
    (island,) = domain.islands(0, {"individuals": 3, "train_steps": 10**9})
    searcher = island.searcher.searcher
    searcher.advance()
    (note,) = searcher.figures()["notes"]
    assert "the supernet's training diverged in step 1 (epoch 1)" in note
    assert len(searcher.scores) >= 6


def test_pictures_and_the_report_show_scores_and_shares(tmp_path):
    folder = tmp_path / "run"
    run.start(small("darts"), folder)
    drawn = CELLS.pictures(folder)
    for name in ("scores", "shares"):
        pictures.save(drawn[name], tmp_path / f"{name}.svg")
    assert "skip_connect" in (tmp_path / "shares.svg").read_text()
    titles = [section.title for section in CELLS.report(folder).sections]
    assert "The network of all candidates" in titles
    run.start(small_cells(budget={"individuals": 2}), tmp_path / "other")
    assert "scores" not in CELLS.pictures(tmp_path / "other")

"""Runs over cells that are stopped or killed end, once resumed, with the very same archive."""

import os
import random
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest
from small_cells import small_cells
from small_runs import all_records, archive_bytes, living, wait_until

from tests.runs.test_resume import forked, kill, start_or_resume
from zero.cells.domain import CellsDomain
from zero.cells.island import CellIsland
from zero.rng.splitmix import new_state
from zero.runs import run
from zero.runs.progress import Reporter

KINDS = {
    "two islands": {"islands": {"count": 2}},
    "pareto": {"cells": {"objective": "pareto"}, "islands": {"count": 2}},
    "mnasnet": {"cells": {"objective": {"kind": "mnasnet", "target": 2000, "exponent": -0.3}}},
    "halving": {
        "cells": {"training": {"epochs": 4}, "halving": {"epochs": [1, 2], "keep": 0.5}},
        "islands": {"count": 2},
    },
    "hyperband": {"cells": {"training": {"epochs": 4}, "halving": {"factor": 2, "brackets": "all"}}},
    "asha": {"cells": {"training": {"epochs": 4}, "halving": {"factor": 2}}, "islands": {"count": 2}},
    "forecasts": {
        "cells": {"training": {"epochs": 4},
                  "extrapolation": {"after": 2, "chance": 0.4, "curves": 5}},
        "islands": {"count": 2},
        "budget": {"individuals": 24},
    },
    "power laws": {
        "cells": {"training": {"epochs": 5},
                  "extrapolation": {"chance": 0.4, "curves": 5, "fit": "power_law"}},
        "budget": {"individuals": 24},
    },
    "fidelity": {
        "cells": {"training": {"epochs": 3}, "skeleton": {"filters": 4},
                  "fidelity": {"epochs": 2, "images": 50, "pixels": 4, "filters": 2}},
        "islands": {"count": 2},
    },
    "an ensemble": {"cells": {"ensemble": 3}, "islands": {"count": 2}},
    "distillation": {"cells": {"distillation": {"weight": 0.5}}, "islands": {"count": 2}},
    "inherited weights": {"cells": {"inherit_weights": True}, "islands": {"count": 2}},
    "exact inheritance": {"cells": {"inherit_weights": "exact", "final": {
        "filters": 3, "normal_cells": 2, "epochs": 2, "warm_start": True}}},
    "duplicates trained": {"cells": {"ops": ["skip_connect", "nor_conv_1x1"],
                                     "retrain_duplicates": True}},
    "all neighbours": {"search": {"method": "local_search_best_neighbour"},
                       "islands": {"count": 2}},
    "a policy": {"search": {"method": "reinforce"}, "islands": {"count": 2}},
    "a recurrent policy": {"search": {"method": "reinforce", "controller": "lstm", "units": 4,
                                      "update": "ppo", "samples": 3}, "islands": {"count": 2}},
    "fronts": {"search": {"method": "nsga2", "population": 3}, "islands": {"count": 2},
               "cells": {"objective": {"kind": "pareto",
                                       "cost": ["parameters", "activation_bytes"]}}},
    "values of decisions": {"search": {"method": "q_learning", "schedule": 8}},
    "a beam": {"search": {"method": "beam", "beam": 2, "population": 2}, "islands": {"count": 2}},
    "a surrogate": {"search": {"method": "surrogate", "initial": 4, "candidates": 10}},
    "stacks that grow": {"cells": {"space": "blocks", "ensemble": 2},
                         "search": {"method": "beam", "trials_per_depth": 2},
                         "islands": {"count": 2}},
    "grown cells": {"search": {"method": "progressive", "smallest": 3, "beam": 2},
                    "cells": {"space": "darts", "skeleton": {"normal_cells": 0, "filters": 2}},
                    "budget": {"individuals": 8}},
    "random paths": {"search": {"method": "random_sharing", "epochs": 2, "samples": 4, "sample": 3}},
    "a mixture": {"search": {"method": "darts", "epochs": 2, "sample": 3, "order": "second",
                             "eigenvalue_every": 1, "alpha_learning_rate": 0.1},
                  "islands": {"count": 2}},
    "mixed pairs": {"search": {"method": "darts", "epochs": 1, "sample": 1, "skip_limit": 1},
                    "cells": {"space": "darts", "ops": ["id", "sep3", "max3"],
                              "skeleton": {"kind": "darts", "layers": 3, "filters": 2}},
                    "budget": {"individuals": 4}},
    "a controller of paths": {"search": {"method": "enas", "epochs": 2, "units": 4, "samples": 2,
                                         "controller_steps": 2, "final": 4, "sample": 3}},
    "experiments": {"experiments": {"max": 2, "individuals": 6}, "islands": {"count": 2}},
    "last training": {"cells": {"final": {"filters": 3, "epochs": 3},
                                "published": ["nas_bench_201_skip"]}},
    "pairs": {"cells": {"space": "darts", "skeleton": {"normal_cells": 0, "filters": 2}},
              "budget": {"individuals": 8}},
    "mobile stages": {"cells": {"space": "mnasnet", "skeleton": {"filters": 1},
                                "ops": ["sep", "k3", "w1", "n-1", "plain", "se", "none", "id"],
                                "training": {"epochs": 1}},
                      "budget": {"individuals": 4}},
}  # fmt: skip


# Whole runs are stopped where more than the island's state is at stake: what comes after the search, several
# islands or experiments, what is asked of the config; a method's own state is the island's.
STOPPED = (
    "two islands", "forecasts", "fidelity", "exact inheritance", "stacks that grow", "distillation",
    "fronts", "experiments", "last training", "random paths", "a mixture",
)  # fmt: skip


def config_of(name):
    return small_cells(**{"budget": {"individuals": 12}, **KINDS[name]})


@pytest.mark.parametrize("name", STOPPED)
def test_stopped_again_and_again_it_ends_the_same(name, tmp_path):
    config = config_of(name)
    outcome = run.start(config, tmp_path / "whole")
    seconds, pieces = 0.1, 1
    again = run.start(config, tmp_path / "cut", max_seconds=seconds)
    while again.reason == "max_seconds":
        assert pieces < 40
        seconds *= 1.5  # some ten pieces, on machines of any speed
        again = run.resume(tmp_path / "cut", max_seconds=seconds)
        pieces += 1
    assert pieces > 1
    assert archive_bytes(tmp_path / "cut") == archive_bytes(outcome.folder)
    assert again.final == outcome.final


@pytest.mark.parametrize("name", KINDS)
def test_an_island_is_its_state(name):
    """Cut after every batch, and put into a fresh island each time."""
    config = config_of(name)
    budget = {"individuals": config.islands.count * 8, "train_steps": 10**9}
    domain = CellsDomain(config)
    steady, moved = (domain.islands(0, budget)[0] for _ in range(2))
    while not steady.waiting:
        steady.advance(1.0)
    cuts, within = 0, False
    while not moved.waiting:
        moved.advance(0.0)
        state = moved.state()
        within |= bool(state["trial"] and state["trial"]["epoch"]["seen"])
        moved = domain.islands(0, budget)[0]
        moved.restore(state)
        cuts += 1
    assert cuts >= 4 and within
    assert records_of(moved) == records_of(steady)
    assert np.array_equal(moved.rng, steady.rng)


def records_of(island):
    return [repr(r) for r in island.records.values()]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads processes from /proc")
@pytest.mark.parametrize("name", ["forecasts", "last training", "a mixture"])
def test_killed_at_random_moments(name, tmp_path):
    config = small_cells(**KINDS[name])
    began = time.monotonic()
    outcome = run.start(config, tmp_path / "whole")
    seconds = time.monotonic() - began
    folder, rng = tmp_path / "run", random.Random(name)
    for _ in range(3):
        if folder.exists() and not (folder / "run.json").exists():
            (folder / "config.yaml").unlink(missing_ok=True)  # killed before the run had begun
            (folder / ".lock").unlink(missing_ok=True)
        child = forked(lambda: start_or_resume(config, folder))
        time.sleep(rng.uniform(0.0, 0.6 * seconds + 0.05))
        kill(child)
        assert wait_until(lambda child=child: not living(child)), "workers outlive their parent"
    start_or_resume(config, folder)
    assert archive_bytes(folder) == archive_bytes(outcome.folder)


class InterruptedWithABest(Reporter):
    """Interrupts the run and its processes once the archive holds a candidate."""

    def __init__(self, folder):
        self.folder = folder

    def update(self, totals):
        if (self.folder / "archive.h5").exists() and all_records(self.folder):
            os.killpg(os.getpid(), signal.SIGINT)
            self.update = lambda totals: None  # a second one would break it off


def test_an_interrupted_run_tells_its_best_so_far(tmp_path):
    config, folder = (
        small_cells(budget={"individuals": 10**6}, islands={"count": 2}),
        tmp_path / "r",
    )

    def interrupted():
        reporter = InterruptedWithABest(folder)
        outcome = run.start(config, folder, reporter, checkpoint_seconds=0.0)
        assert outcome.reason == "interrupted"

    child = forked(interrupted)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (folder / "best.svg").exists()
    assert not living(child)
    outcome = run.resume(folder, max_seconds=0.2)
    assert (outcome.reason, outcome.final) == ("max_seconds", None)
    assert 0 < outcome.details["valid_accuracy"] < 1


def test_a_last_training_that_is_stopped_leaves_no_final_figure_yet(tmp_path):
    class Stopping(Reporter):
        def update(self, totals):
            if totals.get("now", "").startswith("outcome: epoch 2 "):
                os.kill(os.getpid(), signal.SIGTERM)

    config = small_cells(cells={"final": {"filters": 6, "epochs": 200}}, budget={"individuals": 5})
    outcome = run.start(config, tmp_path / "run", Stopping())
    assert (outcome.reason, outcome.final) == ("interrupted", None)
    assert outcome.individuals == 5
    assert outcome.search_fitness > 0
    state, _ = run.RunFolder.open(tmp_path / "run").checkpoints.load()
    assert state["reason"] == "individuals"
    assert len(state["closing"]["trial"]["curve"]) > 0


def test_a_last_training_stops_within_an_epoch(tmp_path):
    domain = CellsDomain(small_cells(cells={"final": {"filters": 3, "epochs": 2}}))
    best = SimpleNamespace(text=str(domain.space.random(new_state(0, "best"))))
    whole, _ = domain.final_phase(best, None, lambda: False, lambda state: None, lambda text: None)
    state, done, stops = None, False, []
    while not done:
        state, done = domain.final_phase(
            best, state, lambda: True, lambda state: None, lambda text: None
        )
        stops += [] if done else [state["trial"]["epoch"]["seen"]]
    assert stops == [20, 40, 0, 20, 40]  # images of the epoch so far, in batches of 20
    assert repr(state) == repr(whole)


def test_a_run_survives_a_killed_worker(tmp_path, monkeypatch):
    config = small_cells(islands={"count": 2})
    run.start(config, tmp_path / "whole")
    advance, mark = CellIsland.advance, tmp_path / "killed"

    def dying(self, seconds):
        if self.index == 1 and self.individuals == 5 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return advance(self, 0.0)

    monkeypatch.setattr(CellIsland, "advance", dying)
    run.start(config, tmp_path / "hit", checkpoint_seconds=0.0)
    assert mark.exists()
    assert archive_bytes(tmp_path / "hit") == archive_bytes(tmp_path / "whole")

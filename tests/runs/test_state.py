"""What checkpoints hold of a run: keys that all versions read, and what older ones lack."""

import numpy as np

from zero.runs.checkpoints import CheckpointFolder
from zero.runs.state import Experiment, RunState

BUDGET = {
    "individuals": 100,
    "train_steps": None,
    "seconds": None,
    "fitness": None,
    "patience": None,
}


def experiment(**changes):
    known = {
        "records": {"number": np.arange(3)}, "curve": np.zeros((2, 6)), "reason": "individuals",
        "individuals": 100, "train_steps": 7, "search_fitness": 0.5, "select_fitness": 0.25,
        "candidate": 2, "best_state": {"number": 2},
    }  # fmt: skip
    return Experiment(**known | changes)


def test_a_state_comes_back_from_a_checkpoint(tmp_path):
    checkpoints = CheckpointFolder(tmp_path)
    state = RunState(
        experiment=1, finished=[experiment()], seconds=9.0, search_seconds=5.0, budget=BUDGET,
        islands=None, ended_islands=[{"round": 3}], reason="individuals", final_state={"done": {}},
    )  # fmt: skip
    checkpoints.save(state.tree())
    again = RunState.from_tree(checkpoints.load()[0], {})
    assert np.array_equal(again.finished[0].records["number"], np.arange(3))
    assert again.finished[0].summary() == experiment().summary()
    assert again.finished[0].best_state == {"number": 2}
    mine, theirs = vars(state), vars(again)
    assert {k: v for k, v in mine.items() if k != "finished"} == {
        k: v for k, v in theirs.items() if k != "finished"
    }


def test_the_keys_are_those_that_checkpoints_always_had():
    state = RunState(finished=[experiment()], ended_islands=[{}], final_state=1, reason="fitness")
    tree = state.tree()
    assert set(tree) == {
        "experiment", "finished", "seconds", "search_seconds", "budget", "islands", "ended_states",
        "reason", "closing",
    }  # fmt: skip
    assert set(tree["finished"][0]) == {
        "records", "curve", "reason", "individuals", "train_steps", "search_fitness",
        "select_fitness", "candidate", "keepsake",
    }  # fmt: skip
    assert tree["ended_states"] == [{}]


def test_islands_of_an_experiment_that_ended_are_kept_only_once_the_run_is_over():
    assert RunState(ended_islands=[{}]).tree()["ended_states"] is None


def test_what_checkpoints_of_older_versions_lack():
    oldest = {"experiment": 2, "finished": [], "seconds": 4.5, "islands": [{"round": 1}]}
    state = RunState.from_tree(oldest, BUDGET)
    assert (state.experiment, state.seconds, state.search_seconds) == (2, 4.5, 4.5)
    assert state.budget == BUDGET and state.reason is None and state.final_state is None
    assert state.islands == [{"round": 1}] and state.ended_islands is None

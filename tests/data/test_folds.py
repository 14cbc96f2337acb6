"""Folds: every row validated once, classes and groups as they should be, time going forward."""

import numpy as np
import pandas as pd
import pytest

from zero.data.folds import folds, folds_of
from zero.data.frames import of_frame
from zero.data.table import Wanted
from zero.data.understand import understand
from zero.errors import TaskError


def check(found, rows):
    """Asserts that each row is validated once and trained on in the other folds."""
    assert sorted(np.concatenate([valid for _, valid in found])) == list(range(rows))
    for train, valid in found:
        assert len(train) and len(valid)
        assert sorted([*train, *valid]) == list(range(rows))


@pytest.mark.parametrize("rows", [2, 3, 4, 7, 100])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_every_row_is_validated_once(rows, classes):
    rng = np.random.default_rng(rows)
    y = rng.integers(classes, size=rows).astype(float) if classes else rng.standard_normal(rows)
    for count in (2, 5, 10):
        found = folds(y, classes, count, 0)
        check(found, rows)
        assert len(found) == min(count, rows)
        sizes = [len(valid) for _, valid in found]
        assert max(sizes) - min(sizes) <= 1


def test_folds_are_the_same_for_a_seed_and_others_for_another():
    y = np.arange(50.0) % 3
    groups = np.arange(50) // 3
    for keys in ({}, {"groups": groups}):
        one, same, other = (folds(y, 3, 5, seed, **keys) for seed in (1, 1, 2))
        assert all(np.array_equal(a[1], b[1]) for a, b in zip(one, same, strict=True))
        assert not all(np.array_equal(a[1], b[1]) for a, b in zip(one, other, strict=True))


def test_classes_keep_their_shares():
    y = np.array([0.0] * 70 + [1.0] * 24 + [2.0] * 5 + [3.0])
    found = folds(np.random.default_rng(0).permutation(y), 4, 5, 3)
    shuffled = np.random.default_rng(0).permutation(y)
    for _, valid in found:
        counts = np.bincount(shuffled[valid].astype(int), minlength=4)
        assert counts[0] == 14 and counts[1] in (4, 5) and counts[2] == 1
    assert sum(3.0 in shuffled[train] for train, _ in found) == 4


def test_numbers_keep_their_spread():
    y = np.random.default_rng(0).exponential(size=200) ** 3
    means = [np.sort(y[valid])[[4, 20, 35]] for _, valid in folds(y, 0, 5, 0)]
    all_of_them = np.sort(y)[[22, 102, 177]]
    for mean in means:
        assert np.allclose(mean, all_of_them, rtol=0.3, atol=0.01)


def test_groups_stay_whole_and_have_the_classes_shares():
    rng = np.random.default_rng(0)
    groups = rng.integers(40, size=600)
    y = (groups % 4 == 0).astype(float)  # a group is of one class
    found = folds(y, 2, 5, 0, groups)
    check(found, 600)
    for train, valid in found:
        assert not set(groups[train]) & set(groups[valid])
        assert 90 <= len(valid) <= 150 and 0.15 < y[valid].mean() < 0.35
    named = folds(y, 2, 5, 0, np.array([f"g{g:02}" for g in groups]))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(found, named, strict=True))
    # A large group and few of them.
    few = np.array([0] * 50 + [1] * 5 + [2] * 5)
    found = folds(rng.standard_normal(60), 0, 5, 0, few)
    check(found, 60)
    assert sorted(len(valid) for _, valid in found) == [5, 5, 50]
    with pytest.raises(TaskError, match=r"only 1 group; .* at least 2 groups"):
        folds(y, 2, 5, 0, np.zeros(600))


def test_time_goes_forward():
    time = np.random.default_rng(0).permutation(np.repeat(np.arange(30), 4))
    found = folds(np.zeros(120), 0, 5, 0, time=time)
    assert len(found) == 5
    upto = 0
    for train, valid in found:
        assert time[train].max() < time[valid].min()
        assert len(train) > upto and np.array_equal(
            np.sort(time[train]), np.sort(time)[: len(train)]
        )
        assert len(valid) == 20
        upto = len(train)
    assert set(np.concatenate([*found[-1]])) == set(range(120))
    # Most rows have one time; there are few times.
    for times in ([0] * 90 + [1, 2, 3], [0, 1, 2] + [3] * 90, [5, 6], [1, 2, 3]):
        found = folds(np.zeros(len(times)), 0, 5, 0, time=np.array(times))
        assert len(found) == len(set(times)) - 1
        for train, valid in found:
            assert np.array(times)[train].max() < np.array(times)[valid].min()
    with pytest.raises(TaskError, match="only 1 time"):
        folds(np.zeros(9), 0, 5, 0, time=np.zeros(9))


def test_a_table_says_how_it_is_split():
    frame = pd.DataFrame(
        {"a": np.arange(40) % 7, "who": [f"p{i % 8}" for i in range(40)], "y": np.arange(40) % 2}
    )
    frame["day"] = pd.date_range("2024-01-01", periods=40)[::-1]

    def of(**special):
        return folds_of(understand(of_frame(frame, Wanted("y", special=special))), 4, 0)

    check(of(), 40)
    for train, valid in of(groups="who"):
        assert not set(frame["who"][train]) & set(frame["who"][valid])
    for train, valid in of(time="day"):
        assert frame["day"][train].max() < frame["day"][valid].min()
    frame["who"] = "one"
    with pytest.raises(TaskError, match=r"column 'who': only 1 group"):
        of(groups="who")

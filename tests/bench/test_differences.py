"""Which differences between methods are told from noise."""

import numpy as np
import pytest

from zero.bench.differences import ENOUGH, differences, in_words


def test_the_better_one_comes_first_with_the_mean_of_paired_differences():
    found = differences({"a": [1.0, 2.0, 3.0], "b": [2.0, 4.0, 6.0]})
    assert [(d.first, d.second, d.pairs) for d in found] == [("b", "a", 3)]
    assert found[0].mean == pytest.approx(2.0)
    assert found[0].low <= 2.0 <= found[0].high


def test_what_all_seeds_agree_on_is_beyond_noise_however_much_seeds_differ():
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 10, 20)  # how hard each seed is, for both methods alike
    (found,) = differences({"a": hard, "b": hard + 1 + rng.normal(0, 0.1, 20)})
    assert found.beyond_noise and found.first == "b" and found.low > 0.9
    # Not so if the pairs are torn apart.
    (torn,) = differences({"a": hard, "b": np.roll(hard, 7) + 1})
    assert not torn.beyond_noise


def test_methods_that_are_the_same_are_seldom_told_apart():
    rng = np.random.default_rng(2)
    told = 0
    for trial in range(200):
        values = {name: rng.normal(0, 1, 10) for name in "abc"}
        told += any(d.beyond_noise for d in differences(values, seed=trial))
    assert told <= 30  # a percentile bootstrap of ten pairs tells a few more than 5 %


def test_few_seeds_tell_nothing():
    few = [0.0] * (ENOUGH - 1)
    found = differences({"a": few, "b": [value + 1 for value in few]})
    assert not found[0].beyond_noise
    assert "too few" in in_words(found)[0] and f"at least {ENOUGH}" in in_words(found)[0]


def test_in_words():
    values = {"a": [0.1] * 8, "b": [0.2] * 8, "c": [0.2] * 8}
    lines = in_words(differences(values))
    assert lines[0] == "b is better than a by 0.1 (0.1 to 0.1): beyond noise"
    assert "c is better than a" in lines[1]
    assert lines[2] == "no other difference is beyond noise"
    assert lines[3].startswith("intervals: 95%, all 3 together, by a paired bootstrap over 8 seeds")
    assert in_words(differences({"a": values["a"]})) == []
    same = in_words(differences({"b": values["b"], "c": values["c"]}))
    assert same[0] == "no difference between these methods is beyond noise"

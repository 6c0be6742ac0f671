"""Splits: shares, groups, seeds, and requests that cannot be met."""

from collections import Counter

import numpy as np
import pytest

from hf_slt.data.gloss.splits import fold_rows, leave_one_group_out, split_rows
from hf_slt.errors import ConfigurationError

LABELS = [f"g{i % 7}" for i in range(210)]  # 30 clips of each of 7 classes


def counts(labels, splits, number):
    return Counter(label for label, split in zip(labels, splits, strict=True) if split == number)


def test_every_class_in_its_shares():
    splits = split_rows(LABELS, (0.8, 0.1, 0.1))
    assert counts(LABELS, splits, 0) == {f"g{i}": 24 for i in range(7)}
    assert counts(LABELS, splits, 1) == counts(LABELS, splits, 2) == {f"g{i}": 3 for i in range(7)}


def test_rounding_evens_out_over_the_classes():
    labels = [f"g{i % 20}" for i in range(100)]  # 5 clips a class: 0.8, 0.1, 0.1 would be 4, 0.5, 0.5
    splits = split_rows(labels, (0.7, 0.15, 0.15))
    sizes = [3, 1, 1]
    assert [set(counts(labels, splits, number).values()) for number in range(3)] == [{size} for size in sizes]
    labels = [f"g{i % 40}" for i in range(40 * 11)]
    assert np.bincount(split_rows(labels, (0.8, 0.2))).tolist() == [352, 88]
    for number, share in enumerate((0.8, 0.2)):
        per_class = counts(labels, split_rows(labels, (0.8, 0.2)), number).values()
        assert set(per_class) <= {int(11 * share), int(11 * share) + 1}


def test_a_class_with_fewer_clips_than_splits_is_trained():
    labels = ["rare", "rare", *["often"] * 20]
    splits = split_rows(labels, (0.8, 0.1, 0.1))
    assert splits[:2].tolist() == [0, 0]
    assert sorted(Counter(splits[2:].tolist()).values()) == [2, 2, 16]


def test_three_clips_reach_every_split():
    splits = split_rows(["a"] * 3 + ["b"] * 4, (0.8, 0.1, 0.1))
    assert sorted(splits[:3].tolist()) == [0, 1, 2] and sorted(splits[3:].tolist()) == [0, 0, 1, 2]


@pytest.mark.parametrize("groups", [None, [f"s{i // 7 % 30}" for i in range(210)]])
def test_the_seed_decides(groups):
    first = split_rows(LABELS, (0.6, 0.4), groups, seed=1)
    np.testing.assert_array_equal(first, split_rows(LABELS, (0.6, 0.4), groups, seed=1))
    assert (first != split_rows(LABELS, (0.6, 0.4), groups, seed=2)).any()


@pytest.mark.parametrize("num_groups", [5, 30])
def test_groups_stay_together_and_classes_keep_their_shares(num_groups):
    rng = np.random.default_rng(0)
    groups = [f"s{int(i)}" for i in rng.integers(0, num_groups, 210)]
    splits = split_rows(LABELS, (0.6, 0.2, 0.2), groups)
    homes = {group: {split for g, split in zip(groups, splits, strict=True) if g == group} for group in groups}
    assert all(len(home) == 1 for home in homes.values())
    sizes = np.bincount(splits) / 210
    assert np.abs(sizes - [0.6, 0.2, 0.2]).max() < (0.06 if num_groups == 5 else 0.03)


def test_groups_are_placed_by_their_classes():
    # Only a + d and b + c hold both classes evenly.
    groups = ["a"] * 10 + ["b"] * 10 + ["c"] * 10 + ["d"] * 10
    labels = ["x"] * 20 + ["y"] * 20
    for seed in range(5):
        splits = split_rows(labels, (0.5, 0.5), groups, seed)
        assert counts(labels, splits, 0) == counts(labels, splits, 1) == {"x": 10, "y": 10}


def test_many_groups_come_close_to_the_best_placement():
    rng = np.random.default_rng(3)
    groups, labels = [], []
    for person in range(60):
        for label in range(40):
            clips = int(rng.integers(0, 4))
            groups += [f"p{person}"] * clips
            labels += [f"g{label}"] * clips
    splits = split_rows(labels, (0.8, 0.1, 0.1), groups)
    sizes = np.bincount(splits) / len(splits)
    assert np.abs(sizes - [0.8, 0.1, 0.1]).max() < 0.02
    total = Counter(labels)
    shares = [counts(labels, splits, 0)[label] / total[label] for label in total]
    random = np.isin(groups, [f"p{i}" for i in rng.permutation(60)[:48]])
    by_chance = [Counter(np.array(labels)[random].tolist())[label] / total[label] for label in total]
    assert np.std(shares) < 0.7 * np.std(by_chance)


def test_folds_part_the_clips_evenly():
    labels = [f"g{i % 7}" for i in range(100)]
    folds = fold_rows(labels, 4)
    assert np.bincount(folds).tolist() == [25] * 4
    for fold in range(4):
        assert set(counts(labels, folds, fold).values()) <= {3, 4}
    groups = [f"s{i // 5}" for i in range(100)]
    folds = fold_rows(labels, 4, groups)
    assert len(set(zip(groups, folds.tolist(), strict=True))) == 20 and np.bincount(folds).tolist() == [25] * 4


def test_leaving_each_group_out():
    parts = leave_one_group_out(["b", "a", "b"])
    assert {name: part.tolist() for name, part in parts.items()} == {
        "a": [False, True, False],
        "b": [True, False, True],
    }


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: split_rows(LABELS, (0.5, 0.4)), r"whose sum is 1, found \[0.5, 0.4\]"),
        (lambda: split_rows(LABELS, (1.2, -0.2)), "ratios above 0"),
        (lambda: split_rows(LABELS, (0.5, float("nan"))), "ratios above 0"),
        (lambda: split_rows(["a"], (0.5, 0.5)), r"as many clips as splits \(2\), found 1;"),
        (lambda: split_rows(LABELS, (0.5, 0.5), ["ann"] * 210), r"as many groups as splits \(2\), found 1 \(ann\)"),
        (lambda: fold_rows(LABELS, 1), "at least 2 folds, found 1"),
        (lambda: fold_rows(["a", "b"], 3), r"as many clips as splits \(3\), found 2"),
        (lambda: leave_one_group_out(["ann", "ann"]), r"at least 2 groups to leave one out, found 1: ann"),
    ],
)
def test_what_cannot_be(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()

"""Splits of clips: every class in its share everywhere, and nobody (or nothing else that is named) in two of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from hf_slt.errors import ConfigurationError

_MAX_PLACEMENTS = 20_000  # up to here all placements of the groups are compared
_NUM_STARTS = 8
_NUM_SWEEPS = 20


def split_rows(
    labels: Sequence[str], ratios: Sequence[float], groups: Sequence[str] | None = None, seed: int = 42
) -> np.ndarray:
    """Divide clips so that each class is divided in the given ratios.

    Without groups the clips of a class are dealt exactly, up to rounding, at least one to each split; a class with
    fewer clips than splits goes to the first split as a whole. With groups, no group is divided; they are placed so
    that the sum over splits and classes of (clips - wanted clips)^2 is small: the smallest there is for a few groups,
    else the best of several greedy placements after moves of single groups.

    Args:
        labels: Class of each clip.
        ratios: Share of each split, of sum 1.
        groups: Group of each clip, for example its signer.
        seed: Seed of the choice between equals.

    Returns:
        `(N,)` the number of the split of each clip.

    Raises:
        ConfigurationError: Ratios that are not positive or not of sum 1; fewer clips or groups than splits.
    """
    if not ratios or not all(ratio > 0 for ratio in ratios) or not abs(sum(ratios) - 1) <= 1e-6:  # NaN too
        raise ConfigurationError(f"expected ratios above 0 whose sum is 1, found {list(ratios)}")
    _require_units(labels, groups, len(ratios))
    rng, classes, shares = np.random.default_rng(seed), _numbers(labels), np.asarray(ratios, dtype=np.float64)
    return _deal(classes, shares, rng) if groups is None else _place_groups(classes, groups, shares, rng)


def fold_rows(labels: Sequence[str], folds: int, groups: Sequence[str] | None = None, seed: int = 42) -> np.ndarray:
    """Divide clips into folds of about equal size and equal shares of each class; arguments as `split_rows`.

    Returns:
        `(N,)` the number of the fold of each clip.

    Raises:
        ConfigurationError: Fewer than two folds, or fewer clips or groups than folds.
    """
    if folds < 2:
        raise ConfigurationError(f"expected at least 2 folds, found {folds}")
    _require_units(labels, groups, folds)
    rng, classes = np.random.default_rng(seed), _numbers(labels)
    if groups is not None:
        return _place_groups(classes, groups, np.full(folds, 1 / folds), rng)
    order = np.lexsort((rng.random(len(classes)), classes))  # class by class, at random inside
    assignment = np.empty(len(classes), dtype=np.int64)
    assignment[order] = np.arange(len(classes)) % folds
    return assignment


def leave_one_group_out(groups: Sequence[str]) -> dict[str, np.ndarray]:
    """Return, for each group in the order of their names, which clips are its own: `(N,)` bool, the test split.

    Raises:
        ConfigurationError: Fewer than two groups.
    """
    names = sorted(set(groups))
    if len(names) < 2:
        raise ConfigurationError(f"expected at least 2 groups to leave one out, found {len(names)}: {_few(groups)}")
    array = np.asarray(groups, dtype=object)
    return {name: array == name for name in names}


def _require_units(labels: Sequence[str], groups: Sequence[str] | None, count: int) -> None:
    what, found = ("clips", len(labels)) if groups is None else ("groups", len(set(groups)))
    if found < count:
        shown = "" if groups is None else f" ({_few(groups)})"
        raise ConfigurationError(
            f"expected at least as many {what} as splits ({count}), found {found}{shown}; ask for fewer splits, or "
            f"group by another column"
        )


def _few(values: Sequence[str]) -> str:
    names = sorted(set(values))
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _numbers(values: Sequence[str]) -> np.ndarray:
    """Return the number of each value among the sorted values."""
    position = {value: number for number, value in enumerate(sorted(set(values)))}
    return np.array([position[value] for value in values], dtype=np.int64)


def _deal(classes: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Divide the clips of each class; what rounding took from a split is given back with later classes."""
    assignment = np.zeros(len(classes), dtype=np.int64)
    owed = np.zeros(len(shares))  # clips that each split should have by now and has not
    for number in rng.permutation(classes.max() + 1):
        clips = rng.permutation(np.flatnonzero(classes == number))
        if len(clips) < len(shares):
            continue
        counts = np.maximum(np.floor(shares * len(clips)).astype(np.int64), 1)
        while counts.sum() > len(clips):
            counts[np.argmax(counts)] -= 1
        while counts.sum() < len(clips):
            # No split gets more than one clip above its share, so a class is never far from its ratios.
            lack = np.where(counts < np.ceil(shares * len(clips)), shares * len(clips) - counts + owed, -np.inf)
            counts[np.argmax(lack)] += 1
        owed += shares * len(clips) - counts
        assignment[clips] = np.repeat(np.arange(len(shares)), counts)
    return assignment


def _place_groups(
    classes: np.ndarray, groups: Sequence[str], shares: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the split of each clip, with no group divided."""
    members = _numbers(groups)
    table = np.zeros((members.max() + 1, classes.max() + 1))  # (groups, classes): clips
    np.add.at(table, (members, classes), 1)
    wanted = shares[:, None] * table.sum(axis=0)  # (splits, classes)
    if len(shares) ** len(table) <= _MAX_PLACEMENTS:
        return _best_placement(table, wanted, rng)[members]
    starts = [_improve(table, wanted, _greedy(table, wanted, rng)) for _ in range(_NUM_STARTS)]
    return min(starts, key=lambda placed: _cost(table, wanted, placed))[members]


def _cost(table: np.ndarray, wanted: np.ndarray, placed: np.ndarray) -> float:
    have = np.zeros_like(wanted)
    np.add.at(have, placed, table)
    return float(((have - wanted) ** 2).sum())


def _best_placement(table: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Compare all placements that leave no split empty; of equal ones, any."""
    splits = range(len(wanted))
    candidates = [
        np.array(placed) for placed in itertools.product(splits, repeat=len(table)) if set(placed) == set(splits)
    ]
    costs = np.array([_cost(table, wanted, placed) for placed in candidates])
    return candidates[rng.choice(np.flatnonzero(costs < costs.min() + 1e-6))]


def _greedy(table: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Place groups one by one, large ones rather first, each where it lowers the cost most."""
    placed, have = np.full(len(table), -1), np.zeros_like(wanted)
    order = np.argsort(-table.sum(axis=1) * rng.uniform(0.7, 1.3, len(table)))  # another order in each start
    for position, group in enumerate(order):
        change = _change(have - wanted, table[group])
        empty = ~np.isin(np.arange(len(wanted)), placed)
        if len(table) - position <= empty.sum():  # the last groups go where there is none yet
            change[~empty] = np.inf
        placed[group] = np.argmin(change)
        have[placed[group]] += table[group]
    return placed


def _change(excess: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """Return by how much the cost rises if clips `(classes,)` are added to each split with this excess."""
    return (2 * excess * clips + clips**2).sum(axis=1)


def _improve(table: np.ndarray, wanted: np.ndarray, placed: np.ndarray) -> np.ndarray:
    """Move single groups while that lowers the cost; no split becomes empty."""
    excess = -wanted
    np.add.at(excess, placed, table)
    sizes = np.bincount(placed, minlength=len(wanted))
    for _ in range(_NUM_SWEEPS):
        moved = False
        for group, clips in enumerate(table):
            home = placed[group]
            excess[home] -= clips
            change = _change(excess, clips)
            target = int(np.argmin(change))
            if sizes[home] > 1 and change[target] < change[home] - 1e-9:
                sizes[home] -= 1
                sizes[target] += 1
                placed[group], moved = target, True
            excess[placed[group]] += clips
        if not moved:
            break
    return placed

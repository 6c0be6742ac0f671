"""Batches of near-equal length."""

import numpy as np
import pytest

from hf_slt.data.gloss.sampler import LengthGroupedSampler
from hf_slt.errors import ConfigurationError

LENGTHS = np.random.default_rng(0).integers(20, 200, 205)


def batches(order):
    order = list(order)
    return [order[i : i + 8] for i in range(0, len(order), 8)]


@pytest.mark.parametrize("count, size", [(205, 8), (200, 8), (3, 8), (8, 8), (1, 1), (0, 4)])
def test_every_clip_once(count, size):
    sampler = LengthGroupedSampler(LENGTHS[:count], size)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        assert sorted(sampler) == list(range(count)) and len(sampler) == count


def test_little_of_a_batch_is_padding():
    grouped = batches(LengthGroupedSampler(LENGTHS, 8))
    valid = sum(LENGTHS) / sum(len(batch) * LENGTHS[batch].max() for batch in grouped)
    assert valid > 0.85
    random = np.random.default_rng(0).permutation(len(LENGTHS))
    assert sum(LENGTHS) / sum(len(batch) * LENGTHS[batch].max() for batch in batches(random)) < 0.7


def test_order_and_composition_change_with_epoch_and_seed_alone():
    sampler = LengthGroupedSampler(LENGTHS, 8, seed=3)
    first = list(sampler)
    assert list(sampler) == first == list(LengthGroupedSampler(LENGTHS.tolist(), 8, seed=3))
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first and list(LengthGroupedSampler(LENGTHS, 8, seed=4)) != first
    sampler.set_epoch(0)
    assert list(sampler) == first
    together = [
        {frozenset((a, b)) for batch in batches(order) for a in batch for b in batch} for order in (first, second)
    ]
    assert len(together[0] & together[1]) < 0.7 * len(together[0])


def test_batches_come_in_random_order_and_any_length_may_be_the_incomplete_one():
    sampler = LengthGroupedSampler(LENGTHS, 8)
    correlations, last = [], []
    for epoch in range(20):
        sampler.set_epoch(epoch)
        means = [LENGTHS[batch].mean() for batch in batches(sampler)]
        correlations.append(np.corrcoef(means, range(len(means)))[0, 1])
        last.append(means[-1])
    assert abs(np.mean(correlations)) < 0.2
    assert min(last) < 100 and max(last) > 150


def test_clips_of_one_length_are_mixed():
    sampler = LengthGroupedSampler([50] * 64, 8, jitter=0)
    first = {frozenset(batch) for batch in batches(sampler)}
    sampler.set_epoch(1)
    assert first.isdisjoint({frozenset(batch) for batch in batches(sampler)})


def test_wrong_batch_size():
    with pytest.raises(ConfigurationError, match="from 1 on, found 0"):
        LengthGroupedSampler([1], 0)

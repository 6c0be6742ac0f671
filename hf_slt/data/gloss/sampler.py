"""Sampler: batches of clips of near-equal length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from hf_slt.errors import ConfigurationError

_JITTER = 0.05  # lengths that differ by less than about this part are interchangeable


class LengthGroupedSampler(Sampler[int]):
    """Order clips so that each batch holds near-equal lengths; batches come in random order.

    Each epoch sorts the clips by their length times a random factor, cuts the order into batches and shuffles those:
    which clips meet in a batch changes from epoch to epoch. The order is a function of (seed, epoch) alone, so that a
    resumed run goes on where it was. If the clips do not fill the last batch, a random stretch of that order does not.

    Args:
        lengths: Frames of each clip.
        batch_size: Clips of a batch, as the loader cuts them.
        seed: Seed of the order.
        jitter: Largest logarithm of the random factor; 0 keeps clips of a length together.

    Raises:
        ConfigurationError: A batch size below 1.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int = 0, jitter: float = _JITTER):
        if batch_size < 1:
            raise ConfigurationError(f"expected a batch size from 1 on, found {batch_size}")
        self.lengths = np.asarray(lengths, dtype=np.float64)
        self.batch_size = batch_size
        self.seed = seed
        self.jitter = jitter
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        factors = np.exp(rng.uniform(-self.jitter, self.jitter, len(self.lengths)))
        ties = rng.random(len(self.lengths))
        order = np.lexsort((ties, self.lengths * factors))
        full, rest = divmod(len(order), self.batch_size)
        start = int(rng.integers(full + 1)) * self.batch_size
        incomplete = order[start : start + rest]
        batches = np.delete(order, slice(start, start + rest)).reshape(full, self.batch_size)
        return iter([*rng.permutation(batches).ravel().tolist(), *incomplete.tolist()])

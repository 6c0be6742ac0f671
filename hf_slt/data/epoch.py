"""The number of the running epoch, shared with the worker processes that load data."""

from __future__ import annotations

import torch


class SharedEpoch:
    """A counter in shared memory: a worker started earlier sees a later change.

    Augmentation is a function of (seed, epoch, clip id); this is where it reads the epoch.
    """

    def __init__(self) -> None:
        self._value = torch.zeros(1, dtype=torch.int64).share_memory_()

    @property
    def value(self) -> int:
        """The epoch, starting at 0."""
        return int(self._value.item())

    @value.setter
    def value(self, epoch: int) -> None:
        self._value.fill_(epoch)

"""Batches that do not fit: each attempt with smaller ones begins where the first one did."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


class FirstAttempt:
    """Where a run began, for another attempt with smaller batches.

    Args:
        trainer: The trainer, before its first step.
    """

    def __init__(self, trainer: Any):
        self.restored = False
        self.weights = {name: value.to("cpu", copy=True) for name, value in trainer.model.state_dict().items()}
        self.average = None if trainer.average is None else trainer.average.copies()
        self.python, self.numpy, self.torch = random.getstate(), np.random.get_state(), torch.get_rng_state()
        self.cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []

    def restore(self, trainer: Any) -> None:
        """Put weights and random states back; the optimizer is created anew."""
        trainer.model.load_state_dict(self.weights)
        if self.average is not None:
            trainer.average.load_copies(self.average)
        trainer.optimizer = None
        trainer.load_run_state({})
        random.setstate(self.python)
        np.random.set_state(self.numpy)
        torch.set_rng_state(self.torch)
        torch.cuda.set_rng_state_all(self.cuda)
        self.restored = True

"""Moving average of the weights: what is evaluated and kept is the average, what is trained are the weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from hf_slt.compat import stored_names

TRAINING_WEIGHTS = "training_weights.safetensors"  # beside the averaged ones, in a checkpoint


class WeightAverage:
    """Exponential moving average of the trained parameters, updated after each step of the optimizer.

    `average = d * average + (1 - d) * weights`, with `d = min(decay, (1 + n) / (10 + n))` after n updates, so that the
    untrained weights are soon forgotten. Buffers are not averaged.

    Reference: Polyak and Juditsky (1992); the warm-up of the decay is that of TensorFlow's ExponentialMovingAverage.

    Args:
        model: The model; its parameters are what is averaged.
        decay: Largest weight of the old average, in [0, 1].
        updates: Updates so far.
    """

    def __init__(self, model: nn.Module, decay: float, updates: int = 0):
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.average = {name: p.detach().clone() for name, p in self.parameters.items()}
        own = {name: stored for stored, name in stored_names(model).items()}
        self.stored = {name: own.get(name, name) for name in self.parameters}  # name in the model -> in a checkpoint
        self.decay = decay
        self.updates = updates

    @torch.no_grad()
    def update(self) -> None:
        """Add the weights as they are now."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, parameter in self.parameters.items():
            self.average[name].lerp_(parameter, 1 - decay)
        self.updates += 1

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average in the place of the weights, while this lasts."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self.parameters.items():
            kept = parameter.clone()
            parameter.copy_(self.average[name])
            self.average[name].copy_(kept)

    @torch.no_grad()
    def copy_to_model(self) -> None:
        """Make the average the weights of the model."""
        for name, parameter in self.parameters.items():
            parameter.copy_(self.average[name])

    def copies(self) -> tuple[dict[str, torch.Tensor], int]:
        """Return copies of the average and the number of updates."""
        return {name: average.to("cpu", copy=True) for name, average in self.average.items()}, self.updates

    def load_copies(self, copies: tuple[dict[str, torch.Tensor], int]) -> None:
        """Go back to what `copies` returned."""
        for name, average in copies[0].items():
            self.average[name].copy_(average)
        self.updates = copies[1]

    def save_weights(self, folder: Path) -> None:
        """Save the weights that are trained, for a run that goes on."""
        weights = {self.stored[name]: p.detach().contiguous() for name, p in self.parameters.items()}
        save_file(weights, folder / TRAINING_WEIGHTS, metadata={"updates": str(self.updates)})

    @torch.no_grad()
    def load_weights(self, folder: Path) -> None:
        """Load the weights that are trained; the average is what the model holds at this moment."""
        for name, average in self.average.items():
            average.copy_(self.parameters[name])
        saved = load_file(folder / TRAINING_WEIGHTS)
        for name, parameter in self.parameters.items():
            parameter.copy_(saved[self.stored[name]])

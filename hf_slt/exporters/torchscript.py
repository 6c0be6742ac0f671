"""TorchScript of the stream encoder and the gloss classifiers: loads where there is torch, without hf_slt."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hf_slt.exporters.clips import longest_clip, random_clips
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.generation import INPUT_NAMES

TORCHSCRIPT = "model.pt"


class DictionaryModule(nn.Module):
    """A model that takes one dictionary of tensors and returns a dictionary of tensors.

    Args:
        model: A stream encoder or a gloss classifier.
        outputs: Name of an output of the model -> name that it gets.
    """

    def __init__(self, model: nn.Module, outputs: dict[str, str]):
        super().__init__()
        self.model, self.outputs = model.requires_grad_(False), outputs

    def forward(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Compute the outputs for inputs under the names of the model; all of them must be given."""
        found = self.model(**inputs)
        return {name: found[own] for own, name in self.outputs.items()}


def output_names(config: Any) -> dict[str, str]:
    """Return the outputs of a model as it calls them -> as the exports call them."""
    if isinstance(config, MultiStreamConfig):
        return {"last_hidden_state": "last_hidden_state", "attention_mask": "states_mask"}
    heads = ("gloss_logits", "category_logits")[: 1 if config.num_categories is None else 2]
    return {name: name for name in heads}


def write_torchscript(model: nn.Module, config: Any, folder: Path) -> Path:
    """Trace a model in evaluation mode and write `model.pt`.

    Args:
        model: A stream encoder or a gloss classifier.
        config: Its configuration.
        folder: The folder to write to.

    Returns:
        The file. `torch.jit.load(file)(inputs)` takes a dictionary with every input, masks included, and returns one:
        `last_hidden_state` and `states_mask`, or `gloss_logits` and `category_logits`.
    """
    inputs = random_clips(config, 2, min(16, longest_clip(config) or 16), "padding")
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # checks of shapes are left out of the trace on purpose
        traced = torch.jit.trace(DictionaryModule(model, output_names(config)).eval(), (inputs,), strict=False)
    path = folder / TORCHSCRIPT
    torch.jit.save(traced, str(path))
    return path


def all_inputs(config: Any, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return inputs with a stream that is not given put in: zeros, seen nowhere."""
    inputs = dict(inputs)
    batch_size, frames = inputs["attention_mask"].shape
    for stream in getattr(config, "streams", ()):
        if INPUT_NAMES[stream] not in inputs:
            like = random_clips(config, batch_size, frames)
            inputs |= {name: torch.zeros_like(like[name]) for name in (INPUT_NAMES[stream], f"{stream}_mask")}
    return inputs

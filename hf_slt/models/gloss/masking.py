"""Masks and pooling of the gloss classifiers.

Masks are `(B, T)`, 1 = real frame. The models pass `None` around where every frame is real: the common case once
batches are grouped by length, and the fast one, because attention without a mask tensor is cheaper.
"""

from __future__ import annotations

import torch

from hf_slt.errors import ConfigurationError, DimensionMismatchError


def prepare_frames(
    input_values: torch.Tensor, attention_mask: torch.Tensor | None, input_size: int
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Check a batch, and make what stands in its masked frames harmless.

    Args:
        input_values: Frames `(B, T, F)`.
        attention_mask: `(B, T)`, 1 = real frame; holes inside a clip are legal. `None`: every frame is real.
        input_size: F that the model expects.

    Returns:
        The frames, zero where they are masked (NaN included), and a boolean mask `(B, T)` with at least one frame in
        every clip: a clip without a real frame counts as one frame of zeros. `None` in place of the mask: all real.

    Raises:
        DimensionMismatchError: The frames are not `(B, T, input_size)` with T >= 1.
        ConfigurationError: The mask is of another shape than the frames.
    """
    real = real_frames(input_values, attention_mask, input_size)
    if real is None:
        return input_values, None
    return input_values.masked_fill(~real[..., None], 0), at_least_one(real)


def real_frames(
    input_values: torch.Tensor, attention_mask: torch.Tensor | None, input_size: int
) -> torch.Tensor | None:
    """Check a batch and return its mask as booleans, or `None` if every frame is real; see [`prepare_frames`]."""
    if input_values.dim() != 3 or input_values.shape[2] != input_size or input_values.shape[1] == 0:
        raise DimensionMismatchError(
            f"expected input_values (B, T, {input_size}) with at least one frame, found {tuple(input_values.shape)}"
        )
    if attention_mask is None:
        return None
    if attention_mask.shape != input_values.shape[:2]:
        raise ConfigurationError(
            f"expected an attention_mask (B, T) = {tuple(input_values.shape[:2])}, found {tuple(attention_mask.shape)}"
        )
    real = attention_mask.bool()
    return None if can_branch(real) and bool(real.all()) else real


def at_least_one(mask: torch.Tensor) -> torch.Tensor:
    """Make the first frame of a clip count where no frame of `mask (B, T)` is true."""
    empty = ~mask.any(dim=1, keepdim=True)  # (B, 1)
    return torch.cat((mask[:, :1] | empty, mask[:, 1:]), dim=1)


def can_branch(tensor: torch.Tensor) -> bool:
    """Whether Python may look at the values of a tensor: not in a graph that has to hold for every other batch too.

    On an accelerator the look would wait for the device, which costs more than it saves.
    """
    return tensor.device.type == "cpu" and not (torch.compiler.is_compiling() or torch.jit.is_tracing())


def masked_mean(states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Average states `(B, T, D)` over the real frames of `mask (B, T)`; returns `(B, D)`."""
    if mask is None:
        return states.mean(dim=1)
    weights = mask[..., None].to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)


def masked_max(states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Take the maximum of states `(B, T, D)` over the real frames of `mask (B, T)`; returns `(B, D)`."""
    if mask is not None:
        states = states.masked_fill(~mask[..., None], torch.finfo(states.dtype).min)
    return states.amax(dim=1)

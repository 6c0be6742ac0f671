"""Which frames the decoder looks at while it writes each token.

Dimensions: B clips, T frames, T' = ceil(T / temporal_stride) states of the encoder, N tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

_TARGETS = ("labels", "decoder_input_ids", "decoder_attention_mask")


def cross_attention(
    model: Any, batch: Mapping[str, torch.Tensor], ids: Sequence[np.ndarray]
) -> list[np.ndarray] | None:
    """Return the decoder's cross-attention over the frames, the mean of all heads and layers.

    The generated tokens are fed back in one forward pass (teacher forcing), which gives the attention of generating
    them, whatever searched for them. An encoder that takes one state of every `temporal_stride` frames has one weight
    for each such state: its frames share it in equal parts. A weight tells where the decoder looked, and not that the
    frame mattered: states mix the frames around them (Jain & Wallace, 2019, "Attention is not explanation").

    Args:
        model: A [`MultiStreamForConditionalGeneration`], in evaluation mode.
        batch: Stream inputs and masks of B clips, `attention_mask (B, T)` among them; targets in it are not used.
        ids: Token ids of each clip, 1-D, without the start token: what is to be written at each position.

    Returns:
        For each clip float64 `(tokens, frames)` over its real frames, each row with the sum 1. None for models that
        give no attention: those on ONNX Runtime, and decoders of one's own that return none.
    """
    if not isinstance(model, PreTrainedModel) or not isinstance(getattr(model, "text_model", None), nn.Module):
        return None
    device = model.device
    inputs = {name: value.to(device) for name, value in batch.items() if name not in _TARGETS}
    decoder_inputs = _decoder_inputs(ids, model.config.decoder_start_token_id, model.config.pad_token_id)
    with _eager_attention(model.text_model), torch.no_grad():
        outputs = model(**inputs, decoder_input_ids=decoder_inputs.to(device), output_attentions=True, use_cache=False)
    layers = [layer for layer in outputs.get("cross_attentions") or () if layer is not None]
    if not layers:
        return None
    weights = torch.stack([layer.float().mean(dim=1) for layer in layers]).mean(dim=0)  # (B, N, T')
    frames = inputs["attention_mask"].sum(dim=1).tolist()
    stride = model.config.temporal_stride
    return [
        spread_over_frames(clip[: len(tokens)].double().cpu().numpy(), stride, count)
        for clip, tokens, count in zip(weights, ids, frames, strict=True)
    ]


def spread_over_frames(weights: np.ndarray, stride: int, num_frames: int) -> np.ndarray:
    """Share the weight of each encoder state among its frames.

    Args:
        weights: `(N, T')` or wider: the weights of states; state j stands for the frames from `j * stride` on.
        stride: Frames of one state; the last state may have fewer.
        num_frames: T, the real frames of the clip.

    Returns:
        `(N, T)`; every row has the sum 1.
    """
    states = np.arange(num_frames) // stride  # (T,)
    shared = weights[:, states] / np.bincount(states)[states]
    return shared / shared.sum(axis=1, keepdims=True)


def _decoder_inputs(ids: Sequence[np.ndarray], start: int, pad: int) -> torch.Tensor:
    """Return `(B, N)` ids shifted right behind the start token; what stands behind a clip's tokens is never seen."""
    inputs = torch.full((len(ids), max(1, *(len(tokens) for tokens in ids))), pad, dtype=torch.long)
    inputs[:, 0] = start
    for row, tokens in zip(inputs, ids, strict=True):
        row[1 : len(tokens)] = torch.from_numpy(np.asarray(tokens[:-1], dtype=np.int64))
    return inputs


@contextmanager
def _eager_attention(text_model: nn.Module) -> Iterator[None]:
    """Compute attention so that its weights are known, and as before afterwards; fused kernels return none."""
    used = getattr(text_model.config, "_attn_implementation", None)
    switches = used not in (None, "eager") and hasattr(text_model, "set_attn_implementation")
    if switches:
        text_model.set_attn_implementation("eager")
    try:
        yield
    finally:
        if switches:
            text_model.set_attn_implementation(used)

"""Attention as all gloss classifiers compute it."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    dropout: float = 0.0,
) -> torch.Tensor:
    """Scaled-dot-product attention (Vaswani et al. 2017, section 3.2.1) by torch's own kernels.

    Under autocast on a CPU it stays in float32: torch's gradient of half-precision attention takes as long there as
    all the rest of a training step.

    Args:
        query: `(B, N, T, D / N)`.
        key: Likewise.
        value: Likewise.
        mask: `(B, T)`, true = a frame that may be attended to; `None`: all.
        dropout: Dropout probability of the attention weights.

    Returns:
        `(B, T, D)`.
    """
    mask = None if mask is None else mask[:, None, None, :]
    if query.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            states = (query.float(), key.float(), value.float())
            attended = F.scaled_dot_product_attention(*states, attn_mask=mask, dropout_p=dropout)
    else:
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
    return attended.transpose(1, 2).flatten(2)

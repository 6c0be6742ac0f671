"""Positions of frames, shared by the models."""

from __future__ import annotations

import math

import torch


def sinusoidal_positions(length: int, width: int, like: torch.Tensor) -> torch.Tensor:
    """Return sinusoidal position embeddings `(length, width)` for any length (Vaswani et al. 2017, section 3.5)."""
    position = torch.arange(length, device=like.device, dtype=torch.float32)[:, None]
    frequency = torch.exp(torch.arange(0, width, 2, device=like.device) * (-math.log(10000.0) / width))
    angles = position * frequency  # (length, ceil(width / 2))
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :width].to(like.dtype)

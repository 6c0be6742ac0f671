"""Dropout that does not wait for its random numbers on a CPU, where torch draws them one by one on one thread."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.autograd.function import FunctionCtx, once_differentiable
from transformers.activations import ACT2FN

from hf_slt.errors import ConfigurationError
from hf_slt.models.gloss.masking import can_branch

LEVELS = 2**16  # 16 random bits decide about a value: the probability is exact to 1e-5


class FastDropout(nn.Dropout):
    """[`nn.Dropout`] with another source of random numbers on CPUs.

    Sixteen bits of torch's own generator decide about a value, four values a draw: ten times as fast, reproducible by
    `torch.manual_seed` just so, but with other numbers. Elsewhere, and in a compiled graph, it is `nn.Dropout`.
    """

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Zero each value with probability `p` and scale the others, in training."""
        if self._is_fast(states):
            return states * _factors(states, self.p)
        return super().forward(states)

    def _is_fast(self, states: torch.Tensor) -> bool:
        return self.training and self.p > 0 and can_branch(states)


class ActivationDropout(FastDropout):
    """An activation and the dropout behind it; ReLU in fewer passes over the memory.

    Args:
        hidden_act: One of transformers' names of activations.
        p: Probability that a value is zeroed.

    Raises:
        ConfigurationError: There is no such activation.
    """

    def __init__(self, hidden_act: str, p: float):
        super().__init__(p)
        if hidden_act not in ACT2FN:
            raise ConfigurationError(f"expected hidden_act to be one of {sorted(ACT2FN)}, found '{hidden_act}'")
        self.is_relu = hidden_act == "relu"
        self.activation = ACT2FN[hidden_act]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Activate values, then zero each with probability `p` and scale the others, in training."""
        if self.is_relu and self._is_fast(states):
            return _ReLUDropout.apply(states, self.p)
        return super().forward(self.activation(states))


class _ReLUDropout(torch.autograd.Function):
    """ReLU and dropout whose gradient needs no more than the output: it passes where that is positive."""

    @staticmethod
    def forward(ctx: FunctionCtx, states: torch.Tensor, p: float) -> torch.Tensor:
        output = states.clamp_min(0).mul_(_factors(states, p))
        ctx.save_for_backward(output)
        ctx.scale = _scale(p)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (output,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, output, 0).mul_(ctx.scale), None


def _dropped(p: float) -> int:
    return min(round(p * LEVELS), LEVELS - 1)


def _scale(p: float) -> float:
    return LEVELS / (LEVELS - _dropped(p))


def _factors(like: torch.Tensor, p: float) -> torch.Tensor:
    """Draw factors of the shape and type of `like`: 0 with probability p, else 1 / (1 - p)."""
    bits = torch.empty((like.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    numbers = bits.view(torch.int16)[: like.numel()].view(like.shape)  # all 16-bit numbers, equally likely
    return (numbers >= _dropped(p) - LEVELS // 2).to(like.dtype).mul_(_scale(p))

"""Attention of the gloss classifiers."""

import math

import pytest
import torch

from hf_slt.models.gloss.attention import attend


def states(seed=0):
    return torch.randn(3, 2, 4, 5, 6, generator=torch.Generator().manual_seed(seed)).unbind(0)


def plain(query, key, value, mask):
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask[:, None, None, :], -math.inf)
    return (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)


@pytest.mark.parametrize("masked", [False, True])
def test_it_is_the_formula(masked):
    mask = torch.tensor([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0]]).bool() if masked else None
    assert torch.allclose(attend(*states(), mask), plain(*states(), mask), atol=1e-6)


def test_under_autocast_on_a_cpu_it_is_in_float32():
    halves = [value.bfloat16() for value in states()]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        attended = attend(*halves, None)
    assert attended.dtype == torch.float32
    assert torch.allclose(attended, plain(*(value.float() for value in halves), None), atol=1e-6)
    assert attend(*halves, None).dtype == torch.bfloat16

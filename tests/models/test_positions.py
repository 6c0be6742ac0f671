"""Positions of frames."""

import math

import pytest
import torch

from hf_slt.models.positions import sinusoidal_positions


def test_sinusoidal_positions_follow_the_formula_for_any_length():
    positions = sinusoidal_positions(400, 7, torch.zeros(1))
    assert positions.shape == (400, 7)
    assert positions[0].tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert positions[300, 2].item() == pytest.approx(math.sin(300 / 10000 ** (2 / 7)), abs=1e-3)

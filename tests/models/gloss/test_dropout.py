"""Dropout with numbers that are quick to draw."""

import pytest
import torch
from torch.nn import functional as F

from hf_slt.errors import ConfigurationError
from hf_slt.models.gloss.dropout import ActivationDropout, FastDropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.999])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_are_dropped_with_the_probability_and_the_others_scaled(p, dtype):
    torch.manual_seed(0)
    dropped = FastDropout(p)(torch.ones(1000, 333, dtype=dtype))
    assert dropped.dtype == dtype
    kept = dropped[dropped != 0]
    assert kept.numel() / dropped.numel() == pytest.approx(1 - p, abs=3e-3)
    assert kept.float().unique().tolist() == pytest.approx([1 / (1 - p)], rel=2e-2)
    # neither rows nor columns nor neighbours go together
    for mean in (dropped.float().mean(0), dropped.float().mean(1)):
        assert mean.std().item() == pytest.approx((p / (1 - p) / (333000 / len(mean))) ** 0.5, rel=0.2)
    neighbours = ((dropped[:, 1:] != 0) & (dropped[:, :-1] != 0)).float().mean()
    assert neighbours.item() == pytest.approx((1 - p) ** 2, abs=3e-3)


def test_the_expectation_is_exact():
    torch.manual_seed(0)
    assert FastDropout(0.3)(torch.ones(2**20)).mean().item() == pytest.approx(1, abs=3e-3)


def test_the_seed_decides_and_the_gradient_passes_where_the_value_did():
    dropout, states = FastDropout(0.5), torch.randn(5, 7, requires_grad=True)
    torch.manual_seed(3)
    first = dropout(states)
    assert not torch.equal(dropout(states), first)
    torch.manual_seed(3)
    assert torch.equal(dropout(states), first)
    first.sum().backward()
    assert torch.equal(states.grad, 2.0 * (first != 0))


def test_nothing_is_dropped_in_evaluation_or_without_a_probability():
    states = torch.randn(4, 4)
    assert torch.equal(FastDropout(0.5).eval()(states), states)
    assert torch.equal(FastDropout(0.0)(states), states)
    assert FastDropout(0.5)(torch.empty(0, 3)).shape == (0, 3)


def test_a_compiled_graph_draws_anew():
    compiled = torch.compile(ActivationDropout("relu", 0.5), backend="eager", fullgraph=True)
    assert not torch.equal(compiled(torch.ones(64)), compiled(torch.ones(64)))


def test_relu_and_dropout_together_are_what_they_are_apart():
    together, apart = ActivationDropout("relu", 0.25), FastDropout(0.25)
    states = torch.randn(50, 40, requires_grad=True)
    weights = torch.randn(50, 40)
    results = []
    for module, inputs in ((together, states), (apart, states.relu())):
        torch.manual_seed(1)
        output = module(inputs)
        (gradient,) = torch.autograd.grad((output * weights).sum(), states)
        results.append((output, gradient))
    (output, gradient), (expected, expected_gradient) = results
    assert torch.equal(output, expected)
    assert torch.allclose(gradient, expected_gradient, rtol=1e-6)
    assert 0.5 < (gradient == 0).float().mean() < 0.75


@pytest.mark.parametrize("act", ["relu", "gelu", "silu"])
def test_activations_by_name(act):
    states = torch.randn(30)
    expected = getattr(F, act)(states)
    assert torch.allclose(ActivationDropout(act, 0.5).eval()(states), expected)
    assert torch.allclose(ActivationDropout(act, 0.0)(states), expected)
    dropped = ActivationDropout(act, 0.5)(states)
    kept = dropped != 0
    assert torch.allclose(dropped[kept], 2 * expected[kept])
    with pytest.raises(ConfigurationError, match="hidden_act to be one of .*'relu'.*found 'rel'"):
        ActivationDropout("rel", 0.5)

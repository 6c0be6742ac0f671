"""Training losses against torch's own, and by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from hf_slt.training.gloss_losses import GlossLoss, balanced_class_weights, focal_loss, smoothed_cross_entropy

LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 3, 1])
WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 4.0])


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("unknown", [0, 2])
def test_cross_entropy_is_torchs(smoothing, weights, unknown):
    labels = LABELS.clone()
    labels[:unknown] = -100
    expected = F.cross_entropy(LOGITS, labels, weight=weights, label_smoothing=smoothing)
    assert smoothed_cross_entropy(LOGITS, labels, weights, smoothing).item() == pytest.approx(expected.item(), rel=1e-6)


def test_focal_loss_by_hand():
    p = LOGITS.softmax(-1)[torch.arange(6), LABELS]
    expected = (-((1 - p) ** 2) * p.log()).mean()
    assert focal_loss(LOGITS, LABELS, 2.0).item() == pytest.approx(expected.item(), rel=1e-6)
    weighted = (-WEIGHTS[LABELS] * (1 - p) ** 2 * p.log()).sum() / WEIGHTS[LABELS].sum()
    assert focal_loss(LOGITS, LABELS, 2.0, WEIGHTS).item() == pytest.approx(weighted.item(), rel=1e-6)


def test_focal_loss_turns_away_from_easy_clips():
    easy, hard = torch.tensor([[5.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    label = torch.tensor([0])
    ratios = [focal_loss(easy, label, gamma) / focal_loss(hard, label, gamma) for gamma in (0.0, 2.0)]
    assert ratios[1] < ratios[0] / 100


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_unknown_labels_and_certain_clips_have_finite_gradients(gamma):
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0], [0.0, 0.0]], requires_grad=True)
    focal_loss(logits, torch.tensor([0, 0, -100]), gamma, label_smoothing=0.1).backward()
    assert torch.isfinite(logits.grad).all() and (logits.grad[2] == 0).all()


def test_a_batch_without_any_known_label_costs_nothing():
    logits = LOGITS.clone().requires_grad_()
    loss = focal_loss(logits, torch.full((6,), -100), 2.0, WEIGHTS, 0.1)
    loss.backward()
    assert loss.item() == 0 and (logits.grad == 0).all()


def test_balanced_weights_make_classes_count_alike():
    labels = np.array([0, 0, 0, 0, 0, 0, 2, 2, -100])
    weights = balanced_class_weights(labels, 4)
    assert weights.tolist() == pytest.approx([8 / (2 * 6), 1.0, 8 / (2 * 2), 1.0])
    assert 6 * weights[0] == pytest.approx(2 * weights[2].item())
    assert weights[labels[:8]].mean().item() == pytest.approx(1)


def test_both_heads_are_weighted():
    outputs = {"gloss_logits": LOGITS, "category_logits": LOGITS[:, :2]}
    categories = LABELS % 2
    gloss, category = F.cross_entropy(LOGITS, LABELS), F.cross_entropy(LOGITS[:, :2], categories)
    loss = GlossLoss(alpha=0.7, beta=0.3)
    assert loss(outputs, LABELS, categories).item() == pytest.approx((0.7 * gloss + 0.3 * category).item(), rel=1e-6)
    assert loss(outputs, LABELS).item() == pytest.approx(0.7 * gloss.item(), rel=1e-6)


def test_options_reach_both_heads():
    outputs = {"gloss_logits": LOGITS, "category_logits": LOGITS[:, :2]}
    options = {"loss_type": "focal", "focal_gamma": 1.0, "label_smoothing": 0.1}
    loss = GlossLoss(**options, gloss_weights=WEIGHTS, category_weights=WEIGHTS[:2])
    gloss = focal_loss(LOGITS, LABELS, 1.0, WEIGHTS, 0.1)
    category = focal_loss(LOGITS[:, :2], LABELS % 2, 1.0, WEIGHTS[:2], 0.1)
    assert loss(outputs, LABELS, LABELS % 2).item() == pytest.approx((gloss + category).item())
    ignored = GlossLoss(focal_gamma=1.0)
    assert ignored(outputs, LABELS).item() == pytest.approx(F.cross_entropy(LOGITS, LABELS).item())

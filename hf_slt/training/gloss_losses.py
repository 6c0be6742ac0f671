"""Training losses of the gloss classifiers. B clips, C classes; a label of -100 is unknown and costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

UNKNOWN = -100


def smoothed_cross_entropy(
    logits: torch.Tensor,
    labels: torch.Tensor,
    class_weights: torch.Tensor | None = None,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Cross-entropy with label smoothing and class weights.

    Inputs:
        - logits: `(B, C)` float.
        - labels: `(B,)` int64 in [0, C), or -100.
        - class_weights: `(C,)` w_c; None: all 1.
        - label_smoothing: e in [0, 1), share of the target that is spread over all classes.

    Equation:
        `L = - sum_b sum_c w_c q_bc log p_bc / sum_b w_{y_b}` with `p = softmax(logits)` and
        `q_bc = (1 - e) [c = y_b] + e / C`.

    Reference:
        Label smoothing: Szegedy et al. (2016), Rethinking the Inception Architecture, section 7.

    When to use:
        Always a good start. Smoothing of about 0.1 helps on small corpora, and against overconfidence; class weights
        where some signs have many times the clips of others.

    Returns:
        A scalar; zero, with a zero gradient, if no label is known.
    """
    return focal_loss(logits, labels, 0.0, class_weights, label_smoothing)


def focal_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    gamma: float = 2.0,
    class_weights: torch.Tensor | None = None,
    label_smoothing: float = 0.0,
    divisor: torch.Tensor | None = None,
) -> torch.Tensor:
    """Focal loss: cross-entropy in which clips that are easy already weigh less.

    Inputs:
        - logits: `(B, C)` float.
        - labels: `(B,)` int64 in [0, C), or -100.
        - gamma: exponent of 0 or more; 0 is cross-entropy.
        - class_weights: `(C,)` w_c (the alpha of the paper); None: all 1.
        - label_smoothing: e in [0, 1), share of the target that is spread over all classes.
        - divisor: () float in place of `sum_b w_{y_b}`, where these clips are a part of those of a step.

    Equation:
        `L = - sum_b sum_c w_c q_bc (1 - p_bc)^gamma log p_bc / sum_b w_{y_b}` with `p = softmax(logits)` and
        `q_bc = (1 - e) [c = y_b] + e / C`; without smoothing `- w_y (1 - p_y)^gamma log p_y` for each clip.

    Reference:
        Lin et al. (2017), Focal Loss for Dense Object Detection, equations 4 and 5.

    When to use:
        When most clips are learnt early and a few signs are still confused. Its probabilities are less confident than
        those of cross-entropy: look at the calibration before a threshold is set on them.

    Returns:
        A scalar; zero, with a zero gradient, if no label is known.
    """
    log_p = F.log_softmax(logits.float(), dim=-1)  # (B, C)
    # The floor keeps the gradient of the power finite for gamma < 1.
    rest = (1 - log_p.exp()).clamp(min=torch.finfo(log_p.dtype).eps)
    terms = -(rest**gamma) * log_p if gamma else -log_p
    known = labels != UNKNOWN
    target = labels.clamp(min=0)
    weights = torch.ones_like(target, dtype=log_p.dtype) if class_weights is None else class_weights[target]
    if class_weights is not None:
        terms = terms * class_weights
    loss = terms.gather(-1, target[:, None])[:, 0]  # (B,)
    if label_smoothing:
        loss = (1 - label_smoothing) * loss + label_smoothing * terms.mean(-1)
    divisor = (weights * known).sum() if divisor is None else divisor
    return (loss * known).sum() / divisor.clamp(min=torch.finfo(log_p.dtype).tiny)


def balanced_class_weights(labels: np.ndarray, num_classes: int) -> torch.Tensor:
    """Weights under which every class that occurs counts the same.

    Inputs:
        - labels: `(N,)` int labels of the training clips; -100 is left out.
        - num_classes: C.

    Equation:
        `w_c = N / (K n_c)` for the K classes with n_c > 0 clips, 1 for the others: the mean over the clips is 1.

    Reference:
        King and Zeng (2001), Logistic Regression in Rare Events Data; scikit-learn's `class_weight="balanced"`.

    When to use:
        When classes are very unequal and macro F1 matters as much as accuracy.

    Returns:
        `(C,)` float32.
    """
    labels = np.asarray(labels)
    counts = np.bincount(labels[labels != UNKNOWN], minlength=num_classes)
    occurring = np.count_nonzero(counts)
    weights = np.where(counts > 0, counts.sum() / (max(occurring, 1) * np.maximum(counts, 1)), 1.0)
    return torch.tensor(weights, dtype=torch.float32)


@dataclass
class GlossLoss:
    """The training loss of both heads, `alpha * loss(gloss) + beta * loss(category)`.

    Attributes:
        alpha: Weight of the gloss loss.
        beta: Weight of the category loss.
        loss_type: `"ce"`, `"label_smoothing"` (cross-entropy with it) or `"focal"`.
        focal_gamma: Exponent of the focal loss.
        label_smoothing: Share of the target that is spread over all classes, in both heads.
        gloss_weights: `(C,)` class weights of the glosses, or None.
        category_weights: `(K,)` class weights of the categories, or None.
    """

    alpha: float = 1.0
    beta: float = 1.0
    loss_type: str = "ce"
    focal_gamma: float = 2.0
    label_smoothing: float = 0.0
    gloss_weights: torch.Tensor | None = None
    category_weights: torch.Tensor | None = None

    def __call__(
        self,
        outputs: Any,
        labels: torch.Tensor,
        category_labels: torch.Tensor | None = None,
        divisors: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the loss.

        Args:
            outputs: `gloss_logits (B, C)` and `category_logits (B, K)` or None.
            labels: `(B,)`.
            category_labels: `(B,)`, or None without categories.
            divisors: `(2,)`, those of the whole step that these clips are a part of (see `divisors`); None: their own.
        """
        gloss, category = (None, None) if divisors is None else divisors
        loss = self.alpha * self._head(outputs["gloss_logits"], labels, self.gloss_weights, gloss)
        if category_labels is not None:
            scores = outputs["category_logits"]
            loss = loss + self.beta * self._head(scores, category_labels, self.category_weights, category)
        return loss

    def divisors(self, labels: torch.Tensor, category_labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return the sums `(2,)` of the weights of the known labels of each head, by which its loss is divided."""
        heads = ((labels, self.gloss_weights), (category_labels, self.category_weights))
        return torch.stack([_weight_of(known, weights, like=labels) for known, weights in heads])

    def _head(
        self,
        logits: torch.Tensor,
        labels: torch.Tensor,
        weights: torch.Tensor | None,
        divisor: torch.Tensor | None,
    ) -> torch.Tensor:
        gamma = self.focal_gamma if self.loss_type == "focal" else 0.0
        weights = None if weights is None else weights.to(logits.device)
        return focal_loss(logits, labels, gamma, weights, self.label_smoothing, divisor)


def _weight_of(labels: torch.Tensor | None, weights: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    if labels is None:
        return torch.zeros((), device=like.device)
    known = labels[labels != UNKNOWN]
    return (
        torch.tensor(float(len(known)), device=like.device) if weights is None else weights.to(like.device)[known].sum()
    )

"""The two heads of a gloss classifier, and their loss."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hf_slt.errors import ConfigurationError
from hf_slt.models.gloss.configuration_gloss import GlossConfig
from hf_slt.models.gloss.outputs import GlossClassifierOutput


def classification_head(config: GlossConfig, hidden_size: int, num_classes: int) -> nn.Module:
    """Build one head: a linear layer, after a hidden layer of `config.head_hidden_size` if that is set."""
    if config.head_hidden_size is None:
        return nn.Linear(hidden_size, num_classes)
    return nn.Sequential(
        nn.Linear(hidden_size, config.head_hidden_size),
        nn.ReLU(),
        nn.Dropout(config.head_dropout),
        nn.Linear(config.head_hidden_size, num_classes),
    )


class GlossHeads(nn.Module):
    """Scores of the glosses and, unless `config.num_categories` is `None`, of the categories.

    Args:
        config: The model's configuration.
        hidden_size: D, the width of the pooled states.
    """

    def __init__(self, config: GlossConfig, hidden_size: int):
        super().__init__()
        self.gloss = classification_head(config, hidden_size, config.num_labels)
        two_heads = config.num_categories is not None
        self.category = classification_head(config, hidden_size, config.num_categories) if two_heads else None

    def forward(self, pooled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Score pooled states `(B, D)`; returns `(B, num_labels)` and `(B, num_categories)` or `None`."""
        return self.gloss(pooled), None if self.category is None else self.category(pooled)


def known_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over the clips with a known label; zero, with a zero gradient, if there is none.

    Args:
        logits: `(B, C)`.
        labels: `(B,)`; -100 = unknown.
    """
    total = F.cross_entropy(logits.float(), labels, ignore_index=-100, reduction="sum")
    return total / (labels != -100).sum().clamp(min=1)


def classifier_output(
    config: GlossConfig,
    logits: tuple[torch.Tensor, torch.Tensor | None],
    labels: torch.Tensor | None = None,
    category_labels: torch.Tensor | None = None,
    hidden_states: tuple[torch.Tensor, ...] | None = None,
    return_dict: bool | None = None,
) -> GlossClassifierOutput | tuple:
    """Put scores and loss together, as every gloss classifier returns them.

    The loss is `alpha * CE(gloss) + beta * CE(category)`, each a mean over the clips whose label is known; labels that
    are not given contribute nothing.

    Args:
        config: The model's configuration.
        logits: What [`GlossHeads`] returned.
        labels: Glosses `(B,)`; -100 = unknown.
        category_labels: Categories `(B,)`; -100 = unknown.
        hidden_states: The states to return.
        return_dict: Return a `GlossClassifierOutput` (default) or a tuple.

    Raises:
        ConfigurationError: There are labels of categories, and no head for them.
    """
    gloss_logits, category_logits = logits
    if category_labels is not None and category_logits is None:
        raise ConfigurationError("expected no category_labels, since num_categories is None; set it or leave them out")
    losses = []
    if labels is not None:
        losses.append(config.alpha * known_cross_entropy(gloss_logits, labels))
    if category_labels is not None and category_logits is not None:
        losses.append(config.beta * known_cross_entropy(category_logits, category_labels))
    output = GlossClassifierOutput(
        loss=sum(losses) if losses else None,
        gloss_logits=gloss_logits,
        category_logits=category_logits,
        hidden_states=hidden_states,
    )
    return output if return_dict in (None, True) else output.to_tuple()

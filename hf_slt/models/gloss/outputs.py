"""Output of the gloss classifiers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers.utils import ModelOutput


@dataclass
class GlossClassifierOutput(ModelOutput):
    """Output of a gloss classifier. B clips, T frames, D width of the model.

    Attributes:
        loss (`torch.FloatTensor`): `alpha * gloss loss + beta * category loss`, when labels were given.
        gloss_logits (`torch.FloatTensor` of shape `(B, num_labels)`): Scores of the glosses before softmax.
        category_logits (`torch.FloatTensor` of shape `(B, num_categories)`): Scores of the categories before softmax;
            `None` for a model with one head.
        hidden_states (`tuple[torch.FloatTensor]` of shapes `(B, T, D)`): States before the first layer and after each
            one, when asked for.
    """

    loss: torch.FloatTensor | None = None
    gloss_logits: torch.FloatTensor | None = None
    category_logits: torch.FloatTensor | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None

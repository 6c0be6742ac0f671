"""Sentences of a translation model, and how sure its text decoder is of them; on whichever runtime it computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F


@dataclass(frozen=True)
class Hypotheses:
    """The sentences that a model gives for a batch of clips, best first.

    Attributes:
        ids: Token ids `(B, K, 1 + N)`, start token first.
        scores: `(B, K)`, mean log-probability per token of each sentence, see `token_log_probability`.
    """

    ids: torch.Tensor
    scores: torch.Tensor


def generated_targets(ids: torch.Tensor, eos_token_id: int | Sequence[int] | None) -> torch.Tensor:
    """Return generated ids `(B, 1 + N)` as targets `(B, N)`: without the start token, -100 behind the first end.

    A sentence without an end is one that reached the largest length: nothing of it is padding.
    """
    targets = ids[:, 1:]
    ends = torch.isin(targets, torch.tensor([] if eos_token_id is None else eos_token_id, device=ids.device))
    behind = ends.long().cumsum(1) - ends.long() > 0
    return targets.masked_fill(behind, -100)


def token_log_probability(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean log-probability per token `(B,)` of sentences that the text decoder was given token by token.

    Args:
        logits: Its scores `(B, N, V)`.
        targets: Token ids `(B, N)`; -100 is ignored.
    """
    losses = F.cross_entropy(logits.float().transpose(1, 2), targets, reduction="none")  # (B, N)
    return -losses.sum(1) / (targets != -100).sum(1)


@torch.no_grad()
def translate(model: Any, inputs: dict[str, torch.Tensor], num_sentences: int = 1, **options: Any) -> Hypotheses:
    """Translate a batch of clips; the encoder runs once.

    The scores are what the decoder itself says of the sentences, also where beams were ranked with a length penalty,
    CTC had a share in them or tokens were barred: they are those of an evaluation.

    Args:
        model: A translation model, of PyTorch or on ONNX Runtime, in evaluation mode.
        inputs: What the feature extractor made of the clips, on the device of the model.
        num_sentences: K, sentences of each clip; at most as many as there are beams.
        options: Other arguments of `generate`: `num_beams`, `length_penalty`, `max_new_tokens`, ...
    """
    mask = inputs["attention_mask"]
    encoded = model.encoder(**inputs)
    own = type(encoded)(**encoded)  # `generate` repeats what it is handed for every beam, in place
    ids = model.generate(encoder_outputs=own, attention_mask=mask, num_return_sequences=num_sentences, **options)
    ids = ids.unflatten(0, (-1, num_sentences))  # (B, K, 1 + N)
    scores = []
    for rank in range(num_sentences):
        targets = generated_targets(ids[:, rank], model.generation_config.eos_token_id)
        logits = model(encoder_outputs=encoded, attention_mask=mask, labels=targets).logits
        scores.append(token_log_probability(logits, targets))
    return Hypotheses(ids, torch.stack(scores, 1))

"""Connectionist temporal classification beside the attention decoder: a loss for the encoder, and scores for beams.

Sign order and gloss order agree, which the attention of a decoder has to discover and CTC assumes; on small corpora
the two together do what neither does alone (hybrid CTC/attention, Watanabe et al. 2017).

Dimensions: R rows (clips times beams), T' encoder states, V vocabulary, N tokens. The blank is the pad token.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F
from transformers import LogitsProcessor

IMPOSSIBLE = -1e4  # log-probability that stands for zero; finite, so that differences of two of them are no NaN


def ctc_log_probs(logits: torch.Tensor, states_mask: torch.Tensor, blank: int) -> torch.Tensor:
    """Return float32 log-probabilities `(R, T', V)` of logits `(R, T', V)`; padded states are sure to be blank.

    Args:
        logits: Scores of each token at each state.
        states_mask: `(R, T')`; 1 = real state.
        blank: Token that stands for "no token here".
    """
    padding = torch.full_like(logits[0, 0], IMPOSSIBLE, dtype=torch.float32)
    padding[blank] = 0
    return torch.where(states_mask[..., None].bool(), logits.float().log_softmax(-1), padding)


def ctc_loss(
    logits: torch.Tensor,
    states_mask: torch.Tensor,
    labels: torch.Tensor,
    blank: int,
    eos: int,
    num_items_in_batch: torch.Tensor | int | None = None,
) -> torch.Tensor:
    """CTC loss per label (Graves et al. 2006), computed in float32.

    A clip with fewer states than its labels need has an infinite loss, which counts as zero.

    Args:
        logits: `(B, T', V)`.
        states_mask: `(B, T')`; 1 = real state, all of them in front.
        labels: `(B, N)`; -100, `blank` and `eos` are left out of the target.
        blank: The blank token.
        eos: The token that ends a sentence; the end of a clip is no event in it.
        num_items_in_batch: Divisor of the summed loss; by default the number of labels that are not -100, as for the
            decoder's loss.
    """
    kept = (labels != -100) & (labels != blank) & (labels != eos)
    loss = F.ctc_loss(
        logits.float().log_softmax(-1).transpose(0, 1),
        labels[kept],
        states_mask.sum(1),
        kept.sum(1),
        blank=blank,
        reduction="sum",
        zero_infinity=True,
    )
    return loss / ((labels != -100).sum() if num_items_in_batch is None else num_items_in_batch)


class CTCPrefixScorer(LogitsProcessor):
    """Mix CTC's opinion of the next token into the decoder's (joint decoding: Watanabe et al. 2017, section II-C).

    CTC's log-probability of a token after a prefix is `log p(prefix + token, ...) - log p(prefix, ...)`, with `...` any
    continuation; of the end, it is that of the prefix alone. It keeps the decoder from looping and from sentences that
    were not signed: both need tokens without states left to emit them.

    Args:
        log_probs: `(R, T', V)`, see [`ctc_log_probs`].
        weight: Share of CTC in the scores, in [0, 1].
        blank: The blank token.
        eos: The token that ends a sentence.
    """

    def __init__(self, log_probs: torch.Tensor, weight: float, blank: int, eos: int):
        self.log_probs = log_probs
        self.weight = weight
        self.blank = blank
        self.eos = eos

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return mixed log-probabilities `(R, V)`; `input_ids (R, 1 + N)` are a start token and the prefix."""
        next_token = self.next_token_log_probs(input_ids[:, 1:])
        return (1 - self.weight) * scores.log_softmax(-1) + self.weight * next_token.to(scores.dtype)

    def next_token_log_probs(self, prefix: torch.LongTensor) -> torch.Tensor:
        """Return CTC's log-probability `(R, V)` of each token, or the end, after a prefix `(R, N)` without start."""
        with_token, with_blank, own = self._prefix_paths(prefix)
        before = torch.logaddexp(with_token, with_blank)  # (R, T' + 1)
        scores = torch.logsumexp(before[:, :-1, None] + self.log_probs, dim=1)
        if prefix.shape[1]:
            # The last token once more is another token only after a blank.
            last = prefix[:, -1:]
            again = self._emissions(last)[..., 0] + with_blank[:, :-1]
            scores = scores.scatter(1, last, again.logsumexp(1, keepdim=True))
        scores[:, self.eos] = before[:, -1]
        scores[:, self.blank] = IMPOSSIBLE
        return scores - own[:, None]

    def _emissions(self, tokens: torch.LongTensor) -> torch.Tensor:
        return self.log_probs.gather(2, tokens[:, None].expand(-1, self.log_probs.shape[1], -1))  # (R, T', N)

    def _prefix_paths(self, prefix: torch.LongTensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Forward variables of all starts of a prefix at once, as they stand before each state and after the last.

        Returns:
            Log-probability that the first states emit the prefix and end with its last token `(R, T' + 1)`, or with a
            blank `(R, T' + 1)`; and that of the prefix with any continuation, `(R,)`.
        """
        rows, length = prefix.shape
        emissions, blanks = self._emissions(prefix), self.log_probs[..., self.blank]
        token = self.log_probs.new_full((rows, length + 1), IMPOSSIBLE)
        blank = token.clone()
        blank[:, 0] = 0.0
        repeated = F.pad(prefix[:, 1:] == prefix[:, :-1], (min(length, 1), 0))
        history, entries = [(token[:, -1], blank[:, -1])], []
        for t in range(blanks.shape[1]):
            # A token is entered from the shorter prefix; a repeated one only when a blank came in between.
            before = torch.where(repeated, blank[:, :-1], torch.logaddexp(blank[:, :-1], token[:, :-1]))
            entry = before + emissions[:, t]
            stay = token[:, 1:] + emissions[:, t]
            blank = torch.logaddexp(blank, token) + blanks[:, t, None]
            token = torch.cat((token[:, :1], torch.logaddexp(stay, entry)), dim=1)
            history.append((token[:, -1], blank[:, -1]))
            entries.append(entry[:, -1] if length else entry.new_zeros(rows))
        with_token, with_blank = (torch.stack(values, dim=1) for values in zip(*history, strict=True))
        own = torch.logsumexp(torch.stack(entries, dim=1), dim=1) if length else token.new_zeros(rows)
        return with_token, with_blank, own

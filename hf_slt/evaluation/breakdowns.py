"""Tables that look behind the scores of translations: by signer, and by length of the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.length_bins import group_by_length, length_unit

TABLE_SCORES = ("bleu", "chrf", "cer", "wer")
FEW_CLIPS = 30  # with fewer, scores and intervals say little
FEW = f"fewer than {FEW_CLIPS} clips"

Score = Callable[[list[str], list[str]], dict[str, Any]]


def per_signer_table(
    predictions: Sequence[str], references: Sequence[str], signers: Sequence[str | None], score: Score
) -> list[dict[str, Any]]:
    """Score every signer alone: a score over all of them hides the one that the model fails on.

    Args:
        predictions: N predicted sentences.
        references: N raw reference sentences.
        signers: N names; clips of None are one group, without a name, after all others.
        score: Predictions and references -> scores, and `<score>_interval: [low, high]` where wanted.

    Returns:
        One row a signer, by name: `signer`, `clips`, `bleu`, `bleu_low`, `bleu_high` (95 % interval), the same of
        `chrf`, `cer` and `wer`, and `note` where there are few clips.
    """
    names = sorted({signer for signer in signers if signer is not None})
    groups = [("signer", name, [i for i, s in enumerate(signers) if s == name]) for name in names]
    groups += [("signer", "", [i for i, s in enumerate(signers) if s is None])]
    return _table(predictions, references, groups, score)


def per_length_table(predictions: Sequence[str], references: Sequence[str], score: Score) -> list[dict[str, Any]]:
    """Score sentences of similar lengths alone.

    Returns:
        As `per_signer_table`, with `words` of the reference (`6-10`, `31+`) in place of `signer`, or `characters` where
        `length_unit` says so; lengths that no sentence has are left out.
    """
    unit, groups = length_unit(references), group_by_length(references).items()
    return _table(predictions, references, [(unit, name, chosen) for name, chosen in groups], score)


def _table(
    predictions: Sequence[str], references: Sequence[str], groups: Iterable[tuple[str, str, list[int]]], score: Score
) -> list[dict[str, Any]]:
    if len(predictions) != len(references):
        raise ConfigurationError(f"expected {len(references)} predictions, found {len(predictions)}")
    rows = []
    for column, name, chosen in groups:
        if not chosen:
            continue
        scores = score([predictions[i] for i in chosen], [references[i] for i in chosen])
        row: dict[str, Any] = {column: name, "clips": len(chosen)}
        for metric in TABLE_SCORES:
            low, high = scores.get(f"{metric}_interval", (None, None))
            row |= {metric: round(scores[metric], 4), f"{metric}_low": low, f"{metric}_high": high}
        rows.append(row | {"note": FEW if len(chosen) < FEW_CLIPS else None})
    return rows

"""Tables that look behind the scores of a gloss classifier: by class, by signer, and which signs are confused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.classification import bootstrap_accuracy_intervals, compute_gloss_metrics, confusion_matrix
from hf_slt.evaluation.scored_clips import check_scores


def per_class_table(labels: Any, predictions: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    """Tell how each class does.

    Args:
        labels: `(N,)` gloss ids.
        predictions: `(N,)` predicted gloss ids.
        names: Name of every class; their number is C.

    Returns:
        C rows: `gloss_id`, `gloss`, `clips`, `correct`, `predicted` (clips that it was predicted for), `recall` (None
        without clips), `precision` (None if never predicted), `f1` (None if neither), `confused_with` (the class that
        most of its other clips were taken for, None without any) and `confused_clips` (how many).
    """
    matrix = confusion_matrix(labels, predictions, len(names))
    rows = []
    for index, name in enumerate(names):
        clips, predicted, correct = int(matrix[index].sum()), int(matrix[:, index].sum()), int(matrix[index, index])
        wrong = matrix[index].copy()
        wrong[index] = 0
        rows.append(
            {
                "gloss_id": index,
                "gloss": name,
                "clips": clips,
                "correct": correct,
                "predicted": predicted,
                "recall": correct / clips if clips else None,
                "precision": correct / predicted if predicted else None,
                "f1": 2 * correct / (clips + predicted) if clips + predicted else None,
                "confused_with": names[wrong.argmax()] if wrong.any() else None,
                "confused_clips": int(wrong.max()),
            }
        )
    return rows


def per_signer_table(
    gloss_scores: Any,
    labels: Any,
    signers: Sequence[str],
    category_scores: Any | None = None,
    category_labels: Any | None = None,
) -> list[dict[str, Any]]:
    """Score every signer alone: a mean over signers hides the one that the model fails on.

    Args:
        gloss_scores: `(N, C)` probabilities or logits.
        labels: `(N,)` gloss ids.
        signers: `(N,)` names.
        category_scores: `(N, K)` of the categories, or None.
        category_labels: `(N,)` category ids, -100 where unknown, or None.

    Returns:
        One row a signer, by name: `signer`, `clips`, `accuracy`, `accuracy_low`, `accuracy_high` (95 % bootstrap
        interval over the signer's clips), `top5_accuracy`, `macro_f1` and, if known, `category_accuracy`.

    Raises:
        ClassificationInputError: As for `check_scores`.
        ConfigurationError: Other numbers of signers and clips.
    """
    clips = check_scores(gloss_scores, labels, category_scores, category_labels)
    if len(signers) != len(clips.labels):
        raise ConfigurationError(f"expected a signer for each of {len(clips.labels)} clips, found {len(signers)}")
    rows = []
    for signer in sorted(set(signers)):
        part = clips.select(np.array([name == signer for name in signers]))
        metrics = compute_gloss_metrics(*part)
        low, high = bootstrap_accuracy_intervals(*part)["accuracy"]
        del metrics["ece"]  # biased upwards on the few clips of one signer
        intervals = {"accuracy": metrics.pop("accuracy"), "accuracy_low": low, "accuracy_high": high}
        rows.append({"signer": signer, "clips": len(part[1]), **intervals, **metrics})
    return rows


def most_confused_pairs(matrix: np.ndarray, names: Sequence[str], limit: int = 20) -> list[dict[str, Any]]:
    """Name the confusions that happen most often.

    Args:
        matrix: `(C, C)` counts, rows are labels (`confusion_matrix`).
        names: C class names.
        limit: Number of pairs.

    Returns:
        Up to `limit` rows, most clips first, between equal counts the larger share first: `gloss`, `prediction`,
        `clips` and `share` (of the clips of that gloss).
    """
    wrong = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    shares = wrong / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    rows, columns = np.nonzero(wrong)
    order = np.lexsort((columns, rows, -shares[rows, columns], -wrong[rows, columns]))[:limit]
    return [
        {"gloss": names[r], "prediction": names[c], "clips": int(wrong[r, c]), "share": float(shares[r, c])}
        for r, c in zip(rows[order], columns[order], strict=True)
    ]

"""CSV files that report a gloss classifier (UTF-8). A file is either the old one or the whole new one, never a part."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from typing import Any

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_whole
from hf_slt.evaluation.scored_clips import UNKNOWN, ScoredClips, top_classes

GLOSS_COLUMNS = ("gloss", "gloss_id", "prediction", "prediction_id", "confidence", "correct")
CATEGORY_COLUMNS = ("category", *(f"category_{name}" for name in ("id", *GLOSS_COLUMNS[2:])))
TOP_COLUMNS = ("top5", "top5_ids")
_DIGITS = 4  # of a probability; further ones depend on the runtime and the number of threads


def gloss_prediction_rows(
    clips: ScoredClips,
    files: Sequence[str],
    gloss_names: Sequence[str],
    category_names: Sequence[str] | None = None,
    signers: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Describe what a model says of every clip.

    Args:
        clips: Scores and labels of N clips (`check_scores`). To report categories that have no labels, give labels of
            -100.
        files: N file names.
        gloss_names: Name of every gloss.
        category_names: Name of every category; None leaves their columns out.
        signers: N signers; None leaves the column out.

    Returns:
        N rows with the columns `file`, `signer`, `gloss`, `gloss_id`, `prediction`, `prediction_id`, `confidence`
        (probability of the prediction), `correct` (0 or 1), the same with `category` in front (label and `correct` None
        where unknown), `top5` (for people: names with probabilities) and `top5_ids` (ids, best first).

    Raises:
        ConfigurationError: Other numbers of clips, files, signers or names; all of it at once.
    """
    _check_lengths(clips, files, gloss_names, category_names, signers)
    best = top_classes(clips.probabilities)
    rows = []
    for index, file in enumerate(files):
        scores = clips.probabilities[index]
        row = {"file": file} | ({} if signers is None else {"signer": signers[index]})
        row |= _head_columns(GLOSS_COLUMNS, clips.labels[index], scores, gloss_names)
        if category_names is not None and clips.category_labels is not None:
            label, category_scores = clips.category_labels[index], clips.category_probabilities[index]
            row |= _head_columns(CATEGORY_COLUMNS, label, category_scores, category_names)
        row["top5"] = " | ".join(f"{gloss_names[i]} {scores[i]:.3f}" for i in best[index])
        row["top5_ids"] = " ".join(str(i) for i in best[index])
        rows.append(row)
    return rows


def _check_lengths(
    clips: ScoredClips,
    files: Sequence[str],
    gloss_names: Sequence[str],
    category_names: Sequence[str] | None,
    signers: Sequence[str] | None,
) -> None:
    count, num_classes = clips.probabilities.shape
    expected = {"files": (files, count), "signers": (signers, count), "gloss names": (gloss_names, num_classes)}
    if clips.category_probabilities is not None:
        expected["category names"] = (category_names, clips.category_probabilities.shape[1])
    wrong = [
        f"expected {number} {name}, found {len(given)}"
        for name, (given, number) in expected.items()
        if given is not None and len(given) != number
    ]
    if wrong:
        raise ConfigurationError("; ".join(wrong))


def _head_columns(columns: Sequence[str], label: int, scores: Any, names: Sequence[str]) -> dict[str, Any]:
    prediction = int(scores.argmax())
    known = label != UNKNOWN
    values = (
        names[label] if known else None,
        int(label) if known else None,
        names[prediction],
        prediction,
        round(float(scores[prediction]), _DIGITS),
        int(prediction == label) if known else None,
    )
    return dict(zip(columns, values, strict=True))


def write_gloss_predictions(path: str | os.PathLike[str], rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows of `gloss_prediction_rows`; no rows give a file with the header alone.

    Raises:
        ValueError: A row with other columns; the message names the row.
    """
    columns = ["file", *(["signer"] if rows and "signer" in rows[0] else []), *GLOSS_COLUMNS]
    columns += [*(CATEGORY_COLUMNS if rows and CATEGORY_COLUMNS[0] in rows[0] else []), *TOP_COLUMNS]
    for index, row in enumerate(rows):
        if set(row) != set(columns):
            raise ValueError(f"row {index} of the predictions: expected the keys {columns}, found {list(row)}")
    write_table(path, rows, columns)


def write_table(
    path: str | os.PathLike[str], rows: Sequence[dict[str, Any]], columns: Sequence[str] | None = None
) -> None:
    """Write rows as CSV.

    Args:
        path: File to write; its folder is made if needed.
        rows: Column -> value; None and a column that a row lacks give an empty cell.
        columns: The columns in their order; None: all that occur, in the order in which they do.
    """
    text = io.StringIO(newline="")
    columns = columns or list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())

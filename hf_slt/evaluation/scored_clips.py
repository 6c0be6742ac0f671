"""Checked scores and labels of classified clips: what the scores, their intervals and the reports start from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_slt.errors import Problem, ProblemsError

UNKNOWN = -100  # label of a clip whose category is not known; the losses of torch leave it out
TOP_K = 5
_ROW_SUM_TOLERANCE = 2e-3  # what rounding to float16 does to the sum of some thousand probabilities
_EXACT = 1e-12  # what rounding to float64 does


class ClassificationInputError(ProblemsError, ValueError):
    """Scores and labels that nothing can be computed from; bad rows are named by their 0-based index."""

    headline = "the predictions cannot be scored"


@dataclass(frozen=True)
class ScoredClips:
    """Checked scores and labels of N clips.

    Attributes:
        probabilities: `(N, C)` float64.
        labels: `(N,)` int64 gloss ids.
        category_probabilities: `(N, K)` float64, or None without categories.
        category_labels: `(N,)` int64, -100 where unknown, or None without categories.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    category_probabilities: np.ndarray | None = None
    category_labels: np.ndarray | None = None

    @property
    def predictions(self) -> np.ndarray:
        """`(N,)` id of the best gloss."""
        return self.probabilities.argmax(axis=1)

    @property
    def category_hits(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Whether the category is right and whether it is known, `(N,)` bool each; None if no clip has one."""
        if self.category_labels is None or not (known := self.category_labels != UNKNOWN).any():
            return None
        return (self.category_probabilities.argmax(axis=1) == self.category_labels) & known, known

    @property
    def top5_hits(self) -> np.ndarray:
        """`(N,)` bool: whether the gloss is among the five best."""
        return (top_classes(self.probabilities) == self.labels[:, None]).any(axis=1)

    def select(self, chosen: np.ndarray) -> tuple[np.ndarray | None, ...]:
        """Return the four arrays, in their order, of the clips that a `(N,)` bool array chooses."""
        arrays = (self.probabilities, self.labels, self.category_probabilities, self.category_labels)
        return tuple(None if array is None else array[chosen] for array in arrays)


def to_probabilities(scores: np.ndarray) -> np.ndarray:
    """Return `(N, C)` probabilities as float64; logits go through a softmax.

    Scores are taken for probabilities if none is negative and every row sums to 1 within 0.002.
    """
    scores = np.asarray(scores, dtype=np.float64)
    sums = scores.sum(axis=1, keepdims=True)
    if (scores >= 0).all() and (np.abs(sums - 1) <= _ROW_SUM_TOLERANCE).all():
        # To divide again what was divided before would change its last digits.
        return np.where(np.abs(sums - 1) <= _EXACT, scores, scores / sums)
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def top_classes(scores: np.ndarray, count: int = TOP_K) -> np.ndarray:
    """Return `(N, min(count, C))` ids of the best classes, best first; between equal scores the smaller id first."""
    return np.argsort(-np.asarray(scores, dtype=np.float64), axis=1, kind="stable")[:, :count]


def check_scores(
    gloss_scores: Any, labels: Any, category_scores: Any | None = None, category_labels: Any | None = None
) -> ScoredClips:
    """Check scores and labels and bring them into one form.

    Args:
        gloss_scores: `(N, C)` probabilities or logits.
        labels: `(N,)` integer gloss ids in [0, C).
        category_scores: `(N, K)` probabilities or logits; None for a model with one head.
        category_labels: `(N,)` integer category ids in [0, K), -100 where unknown; None if none is known.

    Returns:
        The scores as probabilities, with their labels.

    Raises:
        ClassificationInputError: No rows, other numbers of rows, scores that are not finite, labels that are no
            integers or out of range; all of it at once.
    """
    pairs = {"gloss": (gloss_scores, labels)}
    if category_scores is not None and category_labels is not None:
        pairs["category"] = (category_scores, category_labels)
    arrays = {name: (np.asarray(s), np.asarray(y)) for name, (s, y) in pairs.items()}
    problems = [problem for name, (s, y) in arrays.items() for problem in _array_problems(name, s, y)]
    rows = {len(y) for _, y in arrays.values() if y.ndim}
    if not problems and len(rows) > 1:
        fix = "pass both of the same clips"
        problems.append(Problem("glosses and categories", "as many of both", f"{sorted(rows)} rows", fix))
    if problems:
        raise ClassificationInputError(problems)
    checked = [item for s, y in arrays.values() for item in (to_probabilities(s), y.astype(np.int64))]
    return ScoredClips(*checked)


def _array_problems(name: str, scores: np.ndarray, labels: np.ndarray) -> Iterator[Problem]:
    if scores.ndim != 2 or labels.ndim != 1 or len(scores) != len(labels) or not scores.size:
        expected = "scores (N, classes) and labels (N,) of at least one clip"
        found = f"shapes {scores.shape} and {labels.shape}"
        yield Problem(f"{name} scores and labels", expected, found, "pass both from the same rows of a filled split")
        return
    if not np.issubdtype(labels.dtype, np.integer):
        yield Problem(f"{name} labels", "integer ids", f"{labels.dtype}", "turn names into ids before scoring")
        return
    for row in np.flatnonzero(~np.isfinite(scores.astype(np.float64)).all(axis=1)):
        fix = "the model may have diverged in training: a lower learning rate, or gradients clipped"
        yield Problem(f"{name} scores, row {row}", "finite numbers", "NaN or infinity", fix)
    legal = (labels >= 0) & (labels < scores.shape[1])
    if name == "category":
        legal |= labels == UNKNOWN
    for row in np.flatnonzero(~legal):
        expected = f"an id from 0 to {scores.shape[1] - 1}"
        fix = "check that the labels belong to this model's classes"
        yield Problem(f"{name} labels, row {row}", expected, str(labels[row]), fix)

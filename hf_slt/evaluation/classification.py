"""Scores of a gloss classifier, all as fractions in [0, 1], as an `evaluate.Metric` that needs no network.

- `accuracy`: share of clips whose best class is the label (top-1).
- `top5_accuracy`: share of clips whose label is among the five best classes; 1.0 with five classes or fewer. Between
  equal scores the smaller id comes first, so a model that says the same of every class gains nothing by ties.
- `macro_f1`: mean F1 over the classes that occur in the labels or in the predictions.
- `ece`: expected calibration error of the best class (`hf_slt.evaluation.calibration`).
- `category_accuracy`: top-1 of the second head over the clips whose category is known; only where there are any.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import datasets
import evaluate
import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.calibration import expected_calibration_error
from hf_slt.evaluation.scored_clips import ScoredClips, check_scores

_CHUNK_CELLS = 2_000_000  # 16 MB of weights at a time

_INPUTS = """
Args:
    predictions (list of list of float): probabilities or logits of every gloss, one list a clip.
    references (list of int): gloss ids.
    category_predictions, category_references: the same of the categories (-100: unknown), if asked for.

Returns:
    accuracy, top5_accuracy, macro_f1, ece and, with categories, category_accuracy (float, 0 to 1).
"""


def compute_gloss_metrics(
    gloss_scores: Any, labels: Any, category_scores: Any | None = None, category_labels: Any | None = None
) -> dict[str, float]:
    """Score the predictions of N clips.

    Args:
        gloss_scores: `(N, C)` probabilities or logits (see `to_probabilities`).
        labels: `(N,)` gloss ids.
        category_scores: `(N, K)` of the categories; None for a model with one head.
        category_labels: `(N,)` category ids, -100 where unknown; None if none is known.

    Returns:
        `accuracy`, `top5_accuracy`, `macro_f1`, `ece` and, if any category is known, `category_accuracy`: fractions.

    Raises:
        ClassificationInputError: As for `check_scores`.
    """
    clips = check_scores(gloss_scores, labels, category_scores, category_labels)
    correct = clips.predictions == clips.labels
    matrix = confusion_matrix(clips.labels, clips.predictions, clips.probabilities.shape[1])
    metrics = {
        "accuracy": float(correct.mean()),
        "top5_accuracy": float(clips.top5_hits.mean()),
        "macro_f1": float(macro_f1(np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0))),
        "ece": expected_calibration_error(clips.probabilities.max(axis=1), correct),
    }
    if (hits := clips.category_hits) is not None:
        metrics["category_accuracy"] = float(hits[0].sum() / hits[1].sum())
    return metrics


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Count clips as `(C, C)` int64: rows are labels, columns are predictions."""
    flat = np.asarray(labels, dtype=np.int64) * num_classes + np.asarray(predictions, dtype=np.int64)
    return np.bincount(flat, minlength=num_classes**2).reshape(num_classes, num_classes)


def macro_f1(correct: np.ndarray, labelled: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Mean F1 = 2 correct / (labelled + predicted) over the classes that occur in either.

    Args:
        correct: `(..., C)` clips of each class that were recognised.
        labelled: `(..., C)` clips of each class.
        predicted: `(..., C)` clips that each class was predicted for.

    Returns:
        `(...)` fractions.
    """
    total = labelled + predicted
    f1 = 2 * correct / np.maximum(total, 1)
    mean: np.ndarray = f1.sum(axis=-1) / (total > 0).sum(axis=-1)
    return mean


def bootstrap_accuracy_intervals(
    gloss_scores: Any,
    labels: Any,
    category_scores: Any | None = None,
    category_labels: Any | None = None,
    *,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals (Efron, 1979) of the scores over resamples drawn with replacement.

    All scores see the same resamples. The result is a pure function of the arguments. `ece` has no interval: it is a
    sum of distances, which every resample makes larger, so that the interval would lie above the score.

    Args:
        gloss_scores: `(N, C)` probabilities or logits.
        labels: `(N,)` gloss ids.
        category_scores: `(N, K)` of the categories, or None.
        category_labels: `(N,)` category ids, -100 where unknown, or None.
        clusters: `(N,)` what is drawn together, for example the signers: the interval then speaks of new signers
            instead of new clips of the same ones. Intervals from few clusters are too narrow.
        resamples: Number of resamples.
        seed: Seed of the resamples.
        confidence: Share of the resampled scores inside the interval, in (0, 1).

    Returns:
        `(low, high)` of `accuracy`, `top5_accuracy`, `macro_f1` and, if any category is known, `category_accuracy`.

    Raises:
        ClassificationInputError: As for `check_scores`.
        ConfigurationError: `resamples` below 1, `confidence` outside (0, 1), clusters of another number of clips or
            fewer than two of them.
    """
    clips = check_scores(gloss_scores, labels, category_scores, category_labels)
    units = _units(clusters, len(clips.labels))
    if resamples < 1:
        raise ConfigurationError(f"expected resamples of at least 1, found {resamples}")
    if not 0 < confidence < 1:
        raise ConfigurationError(f"expected a confidence between 0 and 1, found {confidence}; 95 % is 0.95")
    chunks = [_weighted_scores(clips, weights) for weights in _resample_weights(units, resamples, seed)]
    tail = 50 * (1 - confidence)
    intervals = {}
    for name in chunks[0]:
        # A resample without any known category has no category accuracy (NaN).
        low, high = np.nanpercentile(np.concatenate([chunk[name] for chunk in chunks]), [tail, 100 - tail])
        intervals[name] = (float(low), float(high))
    return intervals


def _units(clusters: Sequence[Hashable] | None, count: int) -> np.ndarray:
    """Return `(N,)` the number of the unit that each clip is drawn with."""
    if clusters is None:
        return np.arange(count)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    if len(clusters) != count or len(numbers) < 2:
        raise ConfigurationError(
            f"expected a cluster for each of {count} clips and at least two different ones, "
            f"found {len(clusters)} with {len(numbers)} different; without clusters the clips are resampled"
        )
    return np.array([numbers[name] for name in clusters])


def _resample_weights(units: np.ndarray, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield `(chunk, N)` int64: how often each clip is in each resample."""
    rng = np.random.default_rng(seed)
    count = int(units.max()) + 1
    chunk = max(1, _CHUNK_CELLS // len(units))
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        yield rng.multinomial(count, np.full(count, 1 / count), size=size)[:, units]


def _weighted_scores(clips: ScoredClips, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores, `(R,)` each, of R resamples given by `(R, N)` weights of the clips."""
    num_classes = clips.probabilities.shape[1]
    correct = clips.predictions == clips.labels
    counts = (
        _class_sums(clips.labels, weights * correct, num_classes),
        _class_sums(clips.labels, weights, num_classes),
        _class_sums(clips.predictions, weights, num_classes),
    )
    totals = weights.sum(axis=1)
    scores = {
        "accuracy": weights @ correct / totals,
        "top5_accuracy": weights @ clips.top5_hits / totals,
        "macro_f1": macro_f1(*counts),
    }
    if (hits := clips.category_hits) is not None:
        with np.errstate(invalid="ignore"):
            scores["category_accuracy"] = (weights @ hits[0]) / (weights @ hits[1])
    return scores


def _class_sums(classes: np.ndarray, weights: np.ndarray, num_classes: int) -> np.ndarray:
    """Return `(R, C)`: the sum of each row's weights `(R, N)` over the clips of each class."""
    rows = len(weights)
    flat = (np.arange(rows)[:, None] * num_classes + classes).ravel()
    return np.bincount(flat, weights=weights.ravel(), minlength=rows * num_classes).reshape(rows, num_classes)


class GlossMetric(evaluate.Metric):
    """`compute_gloss_metrics` with the interface of the `evaluate` library, without its hub.

    Works with `compute`, `add`, `add_batch` and `evaluate.combine`; rows stay in memory.

    Args:
        with_categories: Whether rows also have `category_predictions` and `category_references`.
        **kwargs: Passed to `evaluate.Metric`.
    """

    def __init__(self, with_categories: bool = False, **kwargs: Any):
        self.with_categories = with_categories
        kwargs.setdefault("keep_in_memory", kwargs.get("num_process", 1) == 1)
        super().__init__(**kwargs)

    def _info(self) -> evaluate.MetricInfo:
        scores, label = datasets.Sequence(datasets.Value("float64")), datasets.Value("int64")
        columns = {"predictions": scores, "references": label}
        if self.with_categories:
            columns |= {"category_predictions": scores, "category_references": label}
        return evaluate.MetricInfo(
            description="Top-1, top-5, macro F1, calibration error and category accuracy of a gloss classifier.",
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features(columns),
        )

    def _build_data_dir(self) -> str:
        # evaluate makes this folder even where it is not used, which fails on a machine with a read-only home.
        return "" if self.keep_in_memory else super()._build_data_dir()

    def _finalize(self) -> None:
        if self.writer is None:
            check_scores([], [])
        super()._finalize()

    def _compute(
        self,
        predictions: Sequence[Sequence[float]],
        references: Sequence[int],
        category_predictions: Sequence[Sequence[float]] | None = None,
        category_references: Sequence[int] | None = None,
    ) -> dict[str, float]:
        return compute_gloss_metrics(predictions, references, category_predictions, category_references)

"""How far a classifier's confidence can be trusted: reliability bins and the expected calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_slt.errors import ConfigurationError

DEFAULT_BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """The predictions whose confidence lies in one interval.

    Attributes:
        low: Lower end of the interval, not part of it (except 0 itself).
        high: Upper end, part of it.
        count: Number of predictions in it.
        confidence: Their mean confidence; None for an empty bin.
        accuracy: Share of them that is correct; None for an empty bin.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability_bins(
    confidence: Sequence[float] | np.ndarray, correct: Sequence[bool] | np.ndarray, bins: int = DEFAULT_BINS
) -> list[ReliabilityBin]:
    """Sort predictions into bins of equal width over (0, 1].

    Args:
        confidence: `(N,)` probability of each predicted class, in [0, 1].
        correct: `(N,)` whether each prediction is right (bool, or 0 and 1).
        bins: Number of bins.

    Returns:
        `bins` bins in rising order, empty ones included.

    Raises:
        ConfigurationError: Fewer than one bin, other lengths, no prediction, or a confidence outside [0, 1].
    """
    confidence, correct = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    _check(confidence, correct, bins)
    edges = np.linspace(0, 1, bins + 1)
    # side="left" makes a bin (low, high]; a confidence of 0 would fall before the first one.
    index = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    confidence_sums = np.bincount(index, weights=confidence, minlength=bins)
    correct_sums = np.bincount(index, weights=correct, minlength=bins)
    return [
        ReliabilityBin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            count=int(count),
            confidence=float(confidence_sums[i] / count) if count else None,
            accuracy=float(correct_sums[i] / count) if count else None,
        )
        for i, count in enumerate(counts)
    ]


def _check(confidence: np.ndarray, correct: np.ndarray, bins: int) -> None:
    if bins < 1:
        raise ConfigurationError(f"expected at least one bin, found {bins}")
    if confidence.ndim != 1 or confidence.shape != correct.shape or not len(confidence):
        raise ConfigurationError(
            f"expected one confidence and one correct for each of at least one prediction, "
            f"found shapes {confidence.shape} and {correct.shape}"
        )
    if not ((confidence >= 0) & (confidence <= 1)).all():  # also catches NaN
        raise ConfigurationError(
            f"expected confidences in [0, 1], found {confidence.min()} to {confidence.max()}; "
            f"pass the probability of the predicted class, not its logit"
        )


def expected_calibration_error(
    confidence: Sequence[float] | np.ndarray, correct: Sequence[bool] | np.ndarray, bins: int = DEFAULT_BINS
) -> float:
    """Mean distance of confidence and accuracy over bins of equal width, weighted by their counts.

    `ECE = sum_b n_b / N * |accuracy_b - confidence_b|`: Naeini et al. (2015), in the form of Guo et al. (2017). On few
    predictions it is biased upwards: a calibrated model does not score 0.

    Args:
        confidence: `(N,)` probability of each predicted class, in [0, 1].
        correct: `(N,)` whether each prediction is right.
        bins: Number of bins.

    Returns:
        A fraction in [0, 1]; 0 is perfect.

    Raises:
        ConfigurationError: As for `reliability_bins`.
    """
    full = [item for item in reliability_bins(confidence, correct, bins) if item.count]
    return sum(item.count * abs(item.accuracy - item.confidence) for item in full) / len(confidence)

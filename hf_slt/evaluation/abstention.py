"""When a model should rather say nothing: risk against coverage, and a threshold on its own confidence.

A clip is answered if its score (how sure the model is) is at least a threshold. Coverage is the share of clips that are
answered, risk the mean loss of those: selective prediction (El-Yaniv & Wiener, 2010; Geifman & El-Yaniv, 2017). Clips
of equal scores are answered together or not at all, so that nothing depends on their order.

A threshold is chosen on calibration clips as the one with the largest coverage whose risk there is within the target.
That is an estimate, not a guarantee: on other clips the risk scatters around it, the more the fewer calibration clips
are answered, and clips unlike those of calibration (another signer, camera or topic) can be far off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_slt.errors import ConfigurationError


@dataclass(frozen=True)
class OperatingPoint:
    """What one threshold gives.

    Attributes:
        threshold: Smallest score that is answered.
        coverage: Share of the clips that are answered, in (0, 1].
        risk: Mean loss of those, in the unit of the losses.
    """

    threshold: float
    coverage: float
    risk: float


def risk_coverage_curve(
    scores: Sequence[float] | np.ndarray, risks: Sequence[float] | np.ndarray
) -> list[OperatingPoint]:
    """Return an `OperatingPoint` for each different score, the surest first.

    Args:
        scores: N scores, higher = surer.
        risks: N losses, such as the character error rate of each sentence.

    Raises:
        ConfigurationError: No clips, other numbers of scores and losses, or values that are not finite.
    """
    scores, risks = _checked(scores, risks)
    order = np.argsort(-scores, kind="stable")
    ordered, sums = scores[order], np.cumsum(risks[order])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of each run of equal scores
    return [
        OperatingPoint(float(ordered[index]), (int(index) + 1) / len(ordered), float(sums[index] / (index + 1)))
        for index in last
    ]


def area_under_risk_coverage(scores: Sequence[float] | np.ndarray, risks: Sequence[float] | np.ndarray) -> float:
    """Return the mean, over n = 1 ... N, of the risk of the n surest clips (AURC, Geifman et al., 2019).

    0 is a model without errors; the overall mean loss is what scores that know nothing give. Between clips of equal
    scores the loss of each counts as their mean, which is the average over all orders of them.

    Args:
        scores: N scores, higher = surer.
        risks: N losses.

    Raises:
        ConfigurationError: As for `risk_coverage_curve`.
    """
    scores, risks = _checked(scores, risks)
    _, ties = np.unique(-scores, return_inverse=True)  # in the order of falling scores
    means = np.bincount(ties, weights=risks) / np.bincount(ties)
    ordered = means[np.sort(ties)]
    return float(np.mean(np.cumsum(ordered) / np.arange(1, len(ordered) + 1)))


def choose_threshold(
    scores: Sequence[float] | np.ndarray, risks: Sequence[float] | np.ndarray, target: float
) -> OperatingPoint:
    """Choose the threshold that answers most calibration clips with a risk of `target` at most.

    Args:
        scores: N scores of calibration clips, higher = surer.
        risks: N losses.
        target: Largest risk.

    Raises:
        ConfigurationError: No threshold reaches it, the message names the lowest risk; or as `risk_coverage_curve`.
    """
    curve = risk_coverage_curve(scores, risks)
    within = [point for point in curve if point.risk <= target]
    if not within:
        lowest = min(curve, key=lambda point: point.risk)
        raise ConfigurationError(
            f"expected a risk that some threshold reaches on the {len(np.asarray(scores))} calibration clips, found "
            f"{target:g}; the lowest is {lowest.risk:.4g}, of {lowest.coverage:.1%} of them"
        )
    return within[-1]


def _checked(
    scores: Sequence[float] | np.ndarray, risks: Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    scores, risks = np.asarray(scores, dtype=np.float64), np.asarray(risks, dtype=np.float64)
    if scores.ndim != 1 or scores.shape != risks.shape or not scores.size:
        raise ConfigurationError(
            f"expected a score and a loss for each of at least one clip, found shapes {scores.shape} and {risks.shape}"
        )
    if not (np.isfinite(scores).all() and np.isfinite(risks).all()):
        raise ConfigurationError("expected finite scores and losses, found NaN or infinity")
    return scores, risks

"""Confidence intervals of corpus scores by bootstrap over sentences.

Percentile bootstrap: Efron (1979); for BLEU: Koehn (2004). A resample is a weighted sum of what was counted once for
each sentence, see `hf_slt.evaluation.corpus_statistics`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.corpus_statistics import TRANSLATION_SCORES, CorpusStatistics, collect_statistics

INTERVAL_METRICS = TRANSLATION_SCORES
_CHUNK_CELLS = 2_000_000  # 16 MB of float64 weights at a time


def bootstrap_intervals(
    predictions: Sequence[str],
    references: Sequence[str],
    tokenize: str = "13a",
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    metrics: Sequence[str] = INTERVAL_METRICS,
    lowercase: bool = False,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of corpus scores over resamples of the sentences, drawn with replacement.

    All metrics see the same resamples. The result is a pure function of the arguments.

    Args:
        predictions: N predicted sentences.
        references: N raw reference sentences.
        tokenize: sacrebleu tokenizer for BLEU.
        resamples: Number of resamples, each of N sentences.
        seed: Seed of the resamples.
        confidence: Share of the resampled scores inside the interval, in (0, 1).
        metrics: Names out of `INTERVAL_METRICS`.
        lowercase: Lower-case both sides before all scores.

    Returns:
        `(low, high)` in percent for each metric (`length_ratio`: a plain ratio).

    Raises:
        MetricInputError: As for `compute_translation_metrics`.
        ConfigurationError: Unknown metric or tokenizer, `resamples` below 1, or `confidence` outside (0, 1).
    """
    check_resampling(resamples, seed, confidence)
    statistics = collect_statistics(predictions, references, tokenize, lowercase, metrics, warn=False)
    return statistics_intervals(statistics, resamples, seed, confidence)


def statistics_intervals(
    statistics: CorpusStatistics, resamples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Do what `bootstrap_intervals` does with sentences that are counted already."""
    check_resampling(resamples, seed, confidence)
    chunks = [
        statistics.score_sums(statistics.sums(weights))
        for weights in resample_weights(len(statistics), resamples, seed)
    ]
    return {
        name: percentile_interval(np.concatenate([chunk[name] for chunk in chunks]), confidence)
        for name in statistics.metrics
    }


def percentile_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Return the percentiles between which the share `confidence` of the values lies."""
    tail = 50 * (1 - confidence)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def check_resampling(resamples: int, seed: int = 0, confidence: float = 0.95) -> None:
    """Refuse settings that no interval can be computed with.

    Raises:
        ConfigurationError: `resamples` below 1, a negative seed, or `confidence` outside (0, 1).
    """
    if resamples < 1:
        raise ConfigurationError(f"expected resamples of at least 1, found {resamples}")
    if seed < 0:
        raise ConfigurationError(f"expected a seed of 0 or more, found {seed}")
    if not 0 < confidence < 1:
        raise ConfigurationError(f"expected a confidence between 0 and 1, found {confidence}; 95 % is 0.95")


def resample_weights(count: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield `(chunk, count)` float64: how often each sentence is in each resample; a row sums to `count`."""
    rng = np.random.default_rng(seed)
    for size in chunk_sizes(count, resamples):
        indices = rng.integers(0, count, size=(size, count))
        offsets = np.arange(size)[:, None] * count
        flat = np.bincount((indices + offsets).ravel(), minlength=size * count)
        yield flat.reshape(size, count).astype(np.float64)


def chunk_sizes(count: int, resamples: int) -> Iterator[int]:
    """Yield how many resamples of `count` sentences to hold in memory at a time; they sum to `resamples`."""
    chunk = max(1, _CHUNK_CELLS // count)
    for start in range(0, resamples, chunk):
        yield min(chunk, resamples - start)

"""Confidence intervals of corpus scores by bootstrap over sentences.

A corpus score is a function of sums over sentences (n-gram matches, lengths, edits). So the sums are taken once per
sentence, and a resample is a weighted sum of those rows: the same number that sacrebleu would give on the resampled
sentences, some hundred times faster. Percentile bootstrap: Efron (1979); for BLEU: Koehn (2004).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.pairs import check_bleu_tokenizer, check_pairs, edit_counts

INTERVAL_METRICS = ("bleu", "bleu1", "bleu2", "bleu3", "bleu4", "chrf", "cer", "wer")
_MAX_ORDER = 4
_CHUNK_CELLS = 2_000_000  # 16 MB of float64 weights at a time


@dataclass(frozen=True)
class _Statistics:
    """Sufficient statistics of one family of scores: `rows` is `(N, K)`, `score` maps their sum `(K,)` to percent."""

    rows: np.ndarray
    score: Callable[[list[int]], float]


def bootstrap_intervals(
    predictions: Sequence[str],
    references: Sequence[str],
    tokenize: str = "13a",
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    metrics: Sequence[str] = ("bleu", "chrf", "cer", "wer"),
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

    Returns:
        `(low, high)` in percent for each metric.

    Raises:
        MetricInputError: As for `compute_translation_metrics`.
        ConfigurationError: Unknown metric or tokenizer, `resamples` below 1, or `confidence` outside (0, 1).
    """
    _check_options(resamples, confidence, metrics)
    check_bleu_tokenizer(tokenize)
    predictions, references = list(predictions), list(references)
    check_pairs(predictions, references)
    statistics = _collect(predictions, references, tokenize, metrics)
    scores: dict[str, list[float]] = {name: [] for name in metrics}
    for weights in _resample_weights(len(references), resamples, seed):
        for name, statistic in statistics.items():
            # Sums of integers below 2**53 are exact in float64, whatever the order of summation.
            sums = (weights @ statistic.rows).astype(np.int64).tolist()
            scores[name] += [statistic.score(row) for row in sums]
    tail = 50 * (1 - confidence)
    intervals = {name: np.percentile(values, [tail, 100 - tail]) for name, values in scores.items()}
    return {name: (float(low), float(high)) for name, (low, high) in intervals.items()}


def _check_options(resamples: int, confidence: float, metrics: Sequence[str]) -> None:
    if resamples < 1:
        raise ConfigurationError(f"expected resamples of at least 1, found {resamples}")
    if not 0 < confidence < 1:
        raise ConfigurationError(f"expected a confidence between 0 and 1, found {confidence}; 95 % is 0.95")
    unknown = [name for name in metrics if name not in INTERVAL_METRICS]
    if unknown:
        raise ConfigurationError(f"expected metrics out of {list(INTERVAL_METRICS)}, found {unknown}")


def _resample_weights(count: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield `(chunk, count)` float64: how often each sentence is in each resample; a row sums to `count`."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // count)
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        indices = rng.integers(0, count, size=(size, count))
        offsets = np.arange(size)[:, None] * count
        flat = np.bincount((indices + offsets).ravel(), minlength=size * count)
        yield flat.reshape(size, count).astype(np.float64)


def _collect(
    predictions: list[str], references: list[str], tokenize: str, metrics: Sequence[str]
) -> dict[str, _Statistics]:
    collected = {}
    bleu_rows = None
    for name in metrics:
        if name.startswith("bleu"):
            bleu_rows = _bleu_rows(predictions, references, tokenize) if bleu_rows is None else bleu_rows
            collected[name] = _Statistics(bleu_rows, partial(_bleu_score, order=int(name[4:] or _MAX_ORDER)))
        elif name == "chrf":
            collected[name] = _chrf_statistics(predictions, references)
        else:
            rows = edit_counts(predictions, references, "char" if name == "cer" else "word")
            collected[name] = _Statistics(rows, _error_rate)
    return collected


def _bleu_rows(predictions: list[str], references: list[str], tokenize: str) -> np.ndarray:
    """Return `(N, 10)`: prediction length, reference length, 4 n-gram match counts, 4 n-gram totals."""
    # sacrebleu's own bootstrap stands on this method; its public calls return no statistics per sentence.
    metric = BLEU(tokenize=tokenize, force=True)
    return np.array(metric._extract_corpus_statistics(predictions, [references]), dtype=np.int64)


def _bleu_score(sums: list[int], order: int) -> float:
    matches, totals = sums[2 : 2 + order], sums[2 + _MAX_ORDER : 2 + _MAX_ORDER + order]
    return BLEU.compute_bleu(matches, totals, sums[0], sums[1], smooth_method="exp", max_ngram_order=order).score


def _chrf_statistics(predictions: list[str], references: list[str]) -> _Statistics:
    metric = CHRF()
    rows = np.array(metric._extract_corpus_statistics(predictions, [references]), dtype=np.int64)
    return _Statistics(rows, lambda sums: metric._compute_score_from_stats(sums).score)


def _error_rate(sums: list[int]) -> float:
    edits, length = sums
    return 100 * edits / length

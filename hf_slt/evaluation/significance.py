"""Is one system better than another on the same sentences, or did it have luck with them?

Two paired tests on what was counted once for each sentence (`hf_slt.evaluation.corpus_statistics`):

- paired bootstrap (Koehn, 2004): both systems are scored on the same resamples of the sentences, which gives an
  interval of the difference; its p-value is twice the share of resamples on the far side of 0, (c + 1) / (R + 1).
- approximate randomisation (Noreen, 1989; Riezler and Maxwell, 2005): if the systems were the same, to exchange their
  outputs of a sentence would change nothing; p = (c + 1) / (R + 1) with c the number of R random exchanges whose
  difference is at least as large, in either direction, as the one measured. It assumes less than the bootstrap.

Both p-values are two-sided. Several scores on one set of sentences are several tests: the smallest p of many is small
by luck.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.bootstrap import check_resampling, chunk_sizes, percentile_interval, resample_weights
from hf_slt.evaluation.corpus_statistics import CorpusStatistics

_EQUAL = 1e-9  # differences of scores in percent that only rounding tells apart


@dataclass(frozen=True)
class PairedScore:
    """One score of two systems on the same sentences.

    Attributes:
        a: Score of the first system.
        b: Score of the second one.
        difference: b - a.
        interval: Bootstrap interval of the difference.
        p_bootstrap: Two-sided p-value of the paired bootstrap.
        p_randomisation: Two-sided p-value of approximate randomisation.
    """

    a: float
    b: float
    difference: float
    interval: tuple[float, float]
    p_bootstrap: float
    p_randomisation: float

    def to_dict(self) -> dict[str, Any]:
        """Return the values as they are written to JSON, rounded to six decimals."""
        return {
            name: [round(v, 6) for v in value] if isinstance(value, tuple) else round(value, 6)
            for name, value in asdict(self).items()
        }


def compare_systems(
    a: CorpusStatistics, b: CorpusStatistics, resamples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> dict[str, PairedScore]:
    """Compare two systems by all scores that both statistics hold.

    Args:
        a: Statistics of N sentences of the first system.
        b: Statistics of the second system on the same N sentences, in the same order.
        resamples: Resamples of the bootstrap, and exchanges of the randomisation.
        seed: Seed of both; the resamples are those of `bootstrap_intervals` with this seed.
        confidence: Of the interval of the difference, in (0, 1).

    Raises:
        ConfigurationError: Other numbers of sentences or other scores in `a` and `b`; as for `bootstrap_intervals`.
    """
    check_resampling(resamples, seed, confidence)
    if len(a) != len(b) or a.metrics != b.metrics:
        raise ConfigurationError(
            f"expected the same sentences and scores of both systems, found {len(a)} sentences with {list(a.metrics)} "
            f"and {len(b)} with {list(b.metrics)}"
        )
    scores_a, scores_b = a.scores(), b.scores()
    resampled = _differences(_resampled(a, b, resamples, seed))
    exchanged = _differences(_exchanged(a, b, resamples, seed))
    results = {}
    for name in a.metrics:
        difference = scores_b[name] - scores_a[name]
        low, high = percentile_interval(resampled[name], confidence)
        results[name] = PairedScore(
            scores_a[name],
            scores_b[name],
            difference,
            (low, high),
            _two_sided(resampled[name]),
            (1 + int((np.abs(exchanged[name]) >= abs(difference) - _EQUAL).sum())) / (1 + resamples),
        )
    return results


def _two_sided(differences: np.ndarray) -> float:
    beyond = min((differences <= _EQUAL).sum(), (differences >= -_EQUAL).sum())
    return min(1.0, 2 * float(beyond + 1) / (len(differences) + 1))


def _differences(chunks: Iterator[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    collected = list(chunks)
    return {name: np.concatenate([chunk[name] for chunk in collected]) for name in collected[0]}


def _resampled(a: CorpusStatistics, b: CorpusStatistics, resamples: int, seed: int) -> Iterator[dict[str, np.ndarray]]:
    for weights in resample_weights(len(a), resamples, seed):
        yield _subtract(a.score_sums(a.sums(weights)), b.score_sums(b.sums(weights)))


def _exchanged(a: CorpusStatistics, b: CorpusStatistics, resamples: int, seed: int) -> Iterator[dict[str, np.ndarray]]:
    rng = np.random.default_rng([seed, 1])  # other draws than those of the bootstrap
    changes = CorpusStatistics({family: b.rows[family] - rows for family, rows in a.rows.items()}, a.metrics)
    sums_a, sums_b = a.sums(), b.sums()
    for size in chunk_sizes(len(a), resamples):
        moved = changes.sums((rng.random((size, len(a))) < 0.5).astype(np.float64))
        mixed_a = {family: sums_a[family] + change for family, change in moved.items()}
        mixed_b = {family: sums_b[family] - change for family, change in moved.items()}
        yield _subtract(a.score_sums(mixed_a), b.score_sums(mixed_b))


def _subtract(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: b[name] - a[name] for name in a}

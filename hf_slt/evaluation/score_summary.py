"""All scores of one set of predictions, with intervals and with what they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.bootstrap import statistics_intervals
from hf_slt.evaluation.corpus_statistics import CorpusStatistics, collect_statistics
from hf_slt.evaluation.pairs import is_looping
from hf_slt.evaluation.translation_scores import PHOENIX_LEGACY, translation_scores


def summarise_scores(
    predictions: Sequence[str],
    references: Sequence[str],
    tokenize: str = "13a",
    lowercase: bool = False,
    resamples: int = 1000,
    seed: int = 0,
    phoenix_legacy: bool = False,
) -> dict[str, Any]:
    """Score sentences, and say how.

    Args:
        predictions: N predicted sentences.
        references: N raw references.
        tokenize: sacrebleu tokenizer for BLEU.
        lowercase: Lower-case both sides before all scores.
        resamples: Bootstrap resamples for the 95 % intervals; 0 = no intervals.
        seed: Seed of the resamples.
        phoenix_legacy: Add the scores of `compute_phoenix_legacy`, with intervals, as a block of that name.

    Returns:
        The scores of `compute_translation_metrics`, each with `<score>_interval: [low, high]` (rounded to 4 decimals);
        `looping_predictions` (how many), `n`, `tokenize`, `lowercase`, `resamples`, `seed` and `confidence`.

    Raises:
        MetricInputError: As for `compute_translation_metrics`.
        ConfigurationError: Unknown tokenizer, or a negative number of resamples or seed.
    """
    if resamples < 0 or seed < 0:
        raise ConfigurationError(f"expected resamples and a seed of 0 or more, found {resamples} and {seed}")
    statistics = collect_statistics(predictions, references, tokenize, lowercase)
    summary = _rounded(translation_scores(statistics, tokenize, lowercase))
    texts = [text.lower() for text in predictions] if lowercase else predictions
    summary |= {"looping_predictions": sum(map(is_looping, texts)), "n": len(statistics)}
    summary |= _intervals(statistics, resamples, seed)
    summary |= {"tokenize": tokenize, "lowercase": lowercase, "resamples": resamples, "seed": seed, "confidence": 0.95}
    if phoenix_legacy:
        legacy = collect_statistics(predictions, references, *PHOENIX_LEGACY)
        scores = _rounded(translation_scores(legacy, *PHOENIX_LEGACY[:2]))
        summary["phoenix_legacy"] = scores | _intervals(legacy, resamples, seed)
    return summary


def _intervals(statistics: CorpusStatistics, resamples: int, seed: int) -> dict[str, Any]:
    intervals = statistics_intervals(statistics, resamples, seed) if resamples else {}
    return {f"{name}_interval": [round(v, 4) for v in bounds] for name, bounds in intervals.items()}


def _rounded(scores: dict[str, float | str]) -> dict[str, Any]:
    return {name: value if isinstance(value, str) else round(value, 4) for name, value in scores.items()}

"""What corpus scores are made of: a few sums over sentences, taken once for scores, intervals and tests.

Every score here is a function of sums over sentences (n-gram matches, lengths, edits). So the score of a resample is
that function of a weighted sum of rows: the same number that sacrebleu would give on the resampled sentences, for a
thousand resamples at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from sacrebleu.metrics import BLEU, CHRF, TER

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.pairs import check_bleu_tokenizer, check_pairs, edit_counts, is_looping
from hf_slt.evaluation.rouge import rouge_l_scores
from hf_slt.evaluation.ter import ter_counts

MAX_ORDER = 4
_CHAR_ORDER, _CHRF_BETA, _CHRFPP_WORD_ORDER = 6, 2, 2
_NANO = 10**9  # sums of integers are exact in float64 whatever their order, so shares of a sentence are kept as such

Rows = Callable[["_Sentences"], np.ndarray]
Score = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class _Sentences:
    predictions: list[str]
    references: list[str]
    tokenize: str
    lowercase: bool
    warn: bool


def _bleu_rows(sentences: _Sentences) -> np.ndarray:
    """Return `(N, 10)`: prediction length, reference length, 4 n-gram match counts, 4 n-gram totals."""
    # Text that is declared to be tokenized needs no warning of sacrebleu that it looks so.
    quiet = not sentences.warn or sentences.tokenize == "none"
    metric = BLEU(tokenize=sentences.tokenize, lowercase=sentences.lowercase, force=quiet)
    # sacrebleu's own bootstrap stands on this method; its public calls return no statistics per sentence.
    return np.array(metric._extract_corpus_statistics(sentences.predictions, [sentences.references]), dtype=np.int64)


def _chrf_rows(sentences: _Sentences) -> np.ndarray:
    """Return `(N, 24)`: n-grams of prediction, reference and both, of characters (orders 1-6) and words (1-2)."""
    metric = CHRF(char_order=_CHAR_ORDER, word_order=_CHRFPP_WORD_ORDER)
    return np.array(metric._extract_corpus_statistics(sentences.predictions, [sentences.references]), dtype=np.int64)


def _rouge_rows(sentences: _Sentences) -> np.ndarray:
    scores = np.rint(_NANO * rouge_l_scores(sentences.predictions, sentences.references)).astype(np.int64)
    return np.stack([scores, np.full_like(scores, _NANO)], axis=1)


def _share_rows(hits: list[bool]) -> np.ndarray:
    return np.array([(hit, 1) for hit in hits], dtype=np.int64)


def _match_rows(sentences: _Sentences) -> np.ndarray:
    pairs = zip(sentences.predictions, sentences.references, strict=True)
    return _share_rows([prediction.split() == reference.split() for prediction, reference in pairs])


def _length_rows(sentences: _Sentences) -> np.ndarray:
    pairs = zip(sentences.predictions, sentences.references, strict=True)
    return np.array([(len(prediction.split()), len(reference.split())) for prediction, reference in pairs])


_ROWS: dict[str, Rows] = {
    "bleu": _bleu_rows,
    "chrf": _chrf_rows,
    "ter": lambda s: ter_counts(s.predictions, s.references),
    "rouge": _rouge_rows,
    "characters": lambda s: edit_counts(s.predictions, s.references, "char"),
    "words": lambda s: edit_counts(s.predictions, s.references, "word"),
    "matches": _match_rows,
    "lengths": _length_rows,
    "loops": lambda s: _share_rows([is_looping(prediction) for prediction in s.predictions]),
}


def _bleu(sums: np.ndarray, order: int) -> np.ndarray:
    """BLEU up to an n-gram order of sums `(R, 10)` (Papineni et al., 2002), with sacrebleu's exponential smoothing."""
    predicted, expected = sums[:, 0], sums[:, 1]
    matches, totals = sums[:, 2 : 2 + order], sums[:, 2 + MAX_ORDER : 2 + MAX_ORDER + order]
    none = matches == 0
    smoothing = 2.0 ** np.cumsum(none, axis=1)  # the k-th order without a match counts as 1 / 2^k matches
    with np.errstate(divide="ignore", invalid="ignore"):
        precisions = 100 * np.where(none, 1 / smoothing, matches) / totals
        penalty = np.where(predicted < expected, np.exp(1 - expected / predicted), 1.0)
        scores = penalty * np.exp(np.log(precisions).mean(axis=1))
    return np.where(none.all(axis=1) | (totals == 0).any(axis=1), 0.0, scores)


def _chrf(sums: np.ndarray, orders: int) -> np.ndarray:
    """chrF2 of the first n-gram orders of sums `(R, 24)` (Popovic, 2015, 2017) without orders that a side lacks."""
    precision, recall, counted = np.zeros((3, len(sums)))
    for order in range(orders):
        predicted, expected, matched = sums[:, 3 * order : 3 * order + 3].T
        is_counted = (predicted > 0) & (expected > 0)
        precision += np.divide(matched, predicted, out=np.zeros(len(sums)), where=is_counted)
        recall += np.divide(matched, expected, out=np.zeros(len(sums)), where=is_counted)
        counted += is_counted
    precision, recall = (mean / np.maximum(counted, 1) for mean in (precision, recall))
    weight = _CHRF_BETA**2
    scores = (1 + weight) * precision * recall
    scores = np.divide(scores, weight * precision + recall, out=np.zeros(len(sums)), where=precision + recall > 0)
    return 100 * scores


def _ratio(sums: np.ndarray, scale: float = 100) -> np.ndarray:
    ratios: np.ndarray = scale * sums[:, 0] / sums[:, 1]
    return ratios


# Score -> which sums it needs and how it follows from them, in the order in which scores are reported.
_SCORES: dict[str, tuple[str, Score]] = {
    "bleu": ("bleu", partial(_bleu, order=MAX_ORDER)),
    **{f"bleu{n}": ("bleu", partial(_bleu, order=n)) for n in range(1, MAX_ORDER + 1)},
    "chrf": ("chrf", partial(_chrf, orders=_CHAR_ORDER)),
    "chrfpp": ("chrf", partial(_chrf, orders=_CHAR_ORDER + _CHRFPP_WORD_ORDER)),
    "ter": ("ter", _ratio),
    "rouge_l": ("rouge", _ratio),
    "cer": ("characters", _ratio),
    "wer": ("words", _ratio),
    "exact_match": ("matches", _ratio),
    "length_ratio": ("lengths", partial(_ratio, scale=1)),
    "looping": ("loops", _ratio),
}
TRANSLATION_SCORES = tuple(_SCORES)
ERROR_SCORES = frozenset({"ter", "cer", "wer", "looping"})  # less is better; length_ratio is best at 1


@dataclass(frozen=True)
class CorpusStatistics:
    """Sums of N sentences, from which scores follow.

    Attributes:
        rows: Family of scores -> `(N, K)` float64 of whole numbers.
        metrics: The scores that follow from them.
    """

    rows: dict[str, np.ndarray]
    metrics: tuple[str, ...] = field(default=TRANSLATION_SCORES)

    def __len__(self) -> int:
        return len(next(iter(self.rows.values())))

    def take(self, indices: Sequence[int]) -> CorpusStatistics:
        """Return the statistics of some sentences."""
        chosen = np.asarray(indices, dtype=np.int64)
        return CorpusStatistics({family: rows[chosen] for family, rows in self.rows.items()}, self.metrics)

    def sums(self, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return the sums `(R, K)` of each family under `(R, N)` float64 weights, or of all sentences with R = 1."""
        if weights is None:
            weights = np.ones((1, len(self)))
        return {family: weights @ rows for family, rows in self.rows.items()}

    def score_sums(self, sums: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return each score `(R,)` of sums `(R, K)`, in percent (`length_ratio`: a plain ratio)."""
        return {name: _SCORES[name][1](sums[_SCORES[name][0]]) for name in self.metrics}

    def scores(self) -> dict[str, float]:
        """Return the scores of all sentences."""
        return {name: float(value[0]) for name, value in self.score_sums(self.sums()).items()}


def collect_statistics(
    predictions: Sequence[str],
    references: Sequence[str],
    tokenize: str = "13a",
    lowercase: bool = False,
    metrics: Sequence[str] = TRANSLATION_SCORES,
    warn: bool = True,
) -> CorpusStatistics:
    """Count, sentence by sentence, what the scores need.

    Args:
        predictions: N predicted sentences; an empty one is legal.
        references: N raw reference sentences, one for each prediction.
        tokenize: sacrebleu tokenizer for BLEU.
        lowercase: Lower-case both sides before all scores.
        metrics: Names out of `TRANSLATION_SCORES`.
        warn: Let sacrebleu warn of text that looks tokenized.

    Raises:
        MetricInputError: Different lengths, no rows, rows that are no strings, or empty references (named by index).
        ConfigurationError: Unknown metric or tokenizer.
        MissingDependencyError: A tokenizer whose package is not installed.
    """
    unknown = [name for name in metrics if name not in _SCORES]
    if unknown:
        raise ConfigurationError(f"expected metrics out of {list(_SCORES)}, found {unknown}")
    check_bleu_tokenizer(tokenize)
    predictions, references = list(predictions), list(references)
    check_pairs(predictions, references)
    if lowercase:
        predictions, references = ([text.lower() for text in texts] for texts in (predictions, references))
    sentences = _Sentences(predictions, references, tokenize, lowercase, warn)
    families = dict.fromkeys(_SCORES[name][0] for name in metrics)
    return CorpusStatistics({name: _ROWS[name](sentences).astype(np.float64) for name in families}, tuple(metrics))


def signature(tokenize: str = "13a", lowercase: bool = False, metrics: Sequence[str] = TRANSLATION_SCORES) -> str:
    """Return the sacrebleu signatures of those scores out of BLEU, chrF, chrF++ and TER that are among `metrics`."""
    by_sacrebleu: dict[str, Any] = {
        "bleu": ("BLEU", BLEU(tokenize=tokenize, lowercase=lowercase, force=True)),
        "chrf": ("chrF2", CHRF(lowercase=lowercase)),
        "chrfpp": ("chrF2++", CHRF(word_order=_CHRFPP_WORD_ORDER, lowercase=lowercase)),
        "ter": ("TER", TER(case_sensitive=not lowercase)),
    }
    parts = []
    for name in dict.fromkeys(metric.rstrip("1234") for metric in metrics):
        if name in by_sacrebleu:
            label, metric = by_sacrebleu[name]
            metric.corpus_score(["-"], [["-"]])  # only after a first score does it know the number of references
            parts.append(f"{label}|{metric.get_signature()}")
    return " ".join(parts)

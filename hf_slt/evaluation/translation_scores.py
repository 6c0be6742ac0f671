"""Scores of translated sentences, in percent but for `length_ratio`.

Every score compares predictions with the *raw* reference strings of the corpus, never with a decode of label ids: what
a tokenizer cannot hold would then vanish from both sides and the score would rise. Case is kept unless asked otherwise.

- `bleu1` ... `bleu4`: cumulative corpus BLEU up to that n-gram order (Papineni et al., 2002) as sacrebleu defines it
  (Post, 2018): exponential smoothing of orders without a match, no effective order. `bleu` is `bleu4`.
- `chrf`: corpus chrF2, character order 6, no word n-grams (Popovic, 2015); `chrfpp`: with words and pairs of words too
  (chrF++, Popovic, 2017); both as sacrebleu defines them.
- `ter`: translation edit rate over the whole corpus (see `hf_slt.evaluation.ter`); can exceed 100.
- `rouge_l`: mean of the sentences' ROUGE-L F-measure with beta = 1.2 (see `hf_slt.evaluation.rouge`).
- `cer`, `wer`: edits / reference length over the whole corpus, in characters and in words; can exceed 100.
- `exact_match`: share of predictions that equal their reference up to white space.
- `length_ratio`: words of all predictions / words of all references, a plain ratio (1 is the length of the references).
- `looping`: share of predictions that repeat themselves: two or more word 4-grams that have occurred before, or
  character 4-grams in Chinese and Japanese without white space (see `hf_slt.evaluation.pairs.is_looping`).
- `signature`: the sacrebleu signatures that BLEU, chrF, chrF++ and TER can be reproduced from.

Words of `rouge_l`, `wer`, `ter` and `length_ratio` are what stands between white space: for languages that are written
without spaces, read `bleu` (with the language's tokenizer), `chrf` and `cer`.

`phoenix_legacy` is another set of scores, for comparison with papers on PHOENIX-2014T that score lower-cased text
without tokenization: never to be mixed with the ones above.
"""

from __future__ import annotations

from collections.abc import Sequence

from hf_slt.evaluation.corpus_statistics import CorpusStatistics, collect_statistics, signature

PHOENIX_LEGACY_SCORES = ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "wer", "chrf")
PHOENIX_LEGACY = ("none", True, PHOENIX_LEGACY_SCORES)  # tokenize, lowercase, metrics


def compute_translation_metrics(
    predictions: Sequence[str], references: Sequence[str], tokenize: str = "13a", lowercase: bool = False
) -> dict[str, float | str]:
    """Score N predicted sentences against N raw references.

    Args:
        predictions: Predicted sentences; an empty one is legal.
        references: Raw reference sentences, one for each prediction.
        tokenize: sacrebleu tokenizer for BLEU: `"13a"` for written text, `"none"` for glosses. It has no bearing on
            the other scores. `hf_slt.evaluation.languages.tokenizer_for_language` knows the one of a language.
        lowercase: Lower-case both sides before all scores; the signature says so.

    Returns:
        `bleu`, `bleu1` ... `bleu4`, `chrf`, `chrfpp`, `ter`, `rouge_l`, `cer`, `wer`, `exact_match`, `looping` in
        percent, `length_ratio` as a plain ratio, and `signature`.

    Raises:
        MetricInputError: Different lengths, no rows, rows that are no strings, or empty references (named by index).
        ConfigurationError: Unknown `tokenize`.
        MissingDependencyError: A tokenizer whose package is not installed.
    """
    statistics = collect_statistics(predictions, references, tokenize, lowercase)
    return translation_scores(statistics, tokenize, lowercase)


def translation_scores(
    statistics: CorpusStatistics, tokenize: str = "13a", lowercase: bool = False
) -> dict[str, float | str]:
    """Return what `compute_translation_metrics` does, of sentences that are counted already with these settings."""
    return {**statistics.scores(), "signature": signature(tokenize, lowercase, statistics.metrics)}


def compute_phoenix_legacy(predictions: Sequence[str], references: Sequence[str]) -> dict[str, float | str]:
    """Score as papers on PHOENIX-2014T do: both sides lower-cased, words between white space as they are.

    Args:
        predictions: Predicted sentences; an empty one is legal.
        references: Reference sentences, one for each prediction.

    Returns:
        `bleu1` ... `bleu4` (sacrebleu, `tokenize none`), `rouge_l`, `wer`, `chrf` in percent, and `signature`.

    Raises:
        MetricInputError: As for `compute_translation_metrics`.
    """
    statistics = collect_statistics(predictions, references, *PHOENIX_LEGACY)
    return translation_scores(statistics, *PHOENIX_LEGACY[:2])

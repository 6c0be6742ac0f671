"""The scores of `hf_slt.evaluation.translation_scores` as metrics of the `evaluate` library that need no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from hf_slt.evaluation.corpus_statistics import TRANSLATION_SCORES, collect_statistics
from hf_slt.evaluation.pairs import MetricInputError, check_bleu_tokenizer, check_pairs
from hf_slt.evaluation.translation_scores import (
    PHOENIX_LEGACY_SCORES,
    compute_phoenix_legacy,
    compute_translation_metrics,
)

_INPUTS = """
Args:
    predictions (list of str): predicted sentences; an empty one is legal and scored as such.
    references (list of str): raw reference sentences, one each; none may be empty.
"""
_TRANSLATION_INPUTS = f"""{_INPUTS}    tokenize (str): sacrebleu tokenizer; the one given at construction if left out.
    lowercase (bool): lower-case both sides; as given at construction if left out.

Returns:
    {", ".join(TRANSLATION_SCORES)} (float, percent; length_ratio: a plain ratio) and signature (str).
"""
_CITATION = """Post (2018), A Call for Clarity in Reporting BLEU Scores, WMT."""


class _SentenceMetric(evaluate.Metric):
    """What the metrics here share: rows of strings that stay in memory.

    No cache folder is made, so that runs side by side cannot meet in one file; only `num_process > 1` needs the files
    of `evaluate`, and then an `experiment_id` of its own.
    """

    description = ""
    inputs = _INPUTS
    citation = _CITATION

    def __init__(self, **kwargs: Any):
        kwargs.setdefault("keep_in_memory", kwargs.get("num_process", 1) == 1)
        super().__init__(**kwargs)

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=self.description,
            citation=self.citation,
            inputs_description=self.inputs,
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _build_data_dir(self) -> str:
        # evaluate makes this folder even where it is not used, which fails on a machine with a read-only home.
        return "" if self.keep_in_memory else super()._build_data_dir()

    def _finalize(self) -> None:
        if self.writer is None:
            check_pairs([], [])
        super()._finalize()


class TranslationMetric(_SentenceMetric):
    """`compute_translation_metrics` with the interface of the `evaluate` library, without its hub.

    Works with `compute`, `add`, `add_batch` and `evaluate.combine`. Rows stay in memory and no cache folder is made,
    so that runs side by side cannot meet in one file; only `num_process > 1` needs the files of `evaluate`, and then an
    `experiment_id` of its own.

    Args:
        tokenize: sacrebleu tokenizer for BLEU, for example `"13a"` or `"none"`.
        lowercase: Lower-case both sides before all scores.
        **kwargs: Passed to `evaluate.Metric`.

    Raises:
        ConfigurationError: Unknown `tokenize`.
        MissingDependencyError: A tokenizer whose package is not installed.
    """

    description = "BLEU-1..4, chrF, chrF++, TER, ROUGE-L, CER, WER of translations, with the sacrebleu signature."
    inputs = _TRANSLATION_INPUTS

    def __init__(self, tokenize: str = "13a", lowercase: bool = False, **kwargs: Any):
        check_bleu_tokenizer(tokenize)
        self.tokenize, self.lowercase = tokenize, lowercase
        super().__init__(**kwargs)

    def _compute(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        tokenize: str | None = None,
        lowercase: bool | None = None,
    ) -> dict[str, float | str]:
        lowercase = self.lowercase if lowercase is None else lowercase
        return compute_translation_metrics(predictions, references, tokenize or self.tokenize, lowercase)


class PhoenixLegacyMetric(_SentenceMetric):
    """`compute_phoenix_legacy` as an `evaluate.Metric`, see [`TranslationMetric`].

    Args:
        **kwargs: Passed to `evaluate.Metric`.
    """

    description = "Scores of papers on PHOENIX-2014T: lower-cased, not tokenized."
    inputs = f"{_INPUTS}\nReturns:\n    {', '.join(PHOENIX_LEGACY_SCORES)} (float, percent) and signature (str).\n"

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float | str]:
        return compute_phoenix_legacy(predictions, references)


class _SingleMetric(_SentenceMetric):
    """A metric of one score, for example to `evaluate.combine` with others."""

    score = ""

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
        return collect_statistics(predictions, references, metrics=(self.score,)).scores()


class CharacterErrorMetric(_SingleMetric):
    """Character error rate of a corpus as an `evaluate.Metric`: `cer`, in percent."""

    description, score = "Character error rate: edits / reference length, in percent.", "cer"
    citation = "Levenshtein (1966), Binary codes capable of correcting deletions, insertions and reversals."


class WordErrorMetric(_SingleMetric):
    """Word error rate of a corpus as an `evaluate.Metric`: `wer`, in percent."""

    description, score = "Word error rate: edits / reference length, in percent.", "wer"
    citation = CharacterErrorMetric.citation


class RougeLMetric(_SingleMetric):
    """ROUGE-L (F, beta = 1.2; mean over sentences) as an `evaluate.Metric`: `rouge_l`, in percent."""

    description, score = "ROUGE-L, F-measure with beta = 1.2, mean over sentences, in percent.", "rouge_l"
    citation = "Lin (2004), ROUGE: A Package for Automatic Evaluation of Summaries."


__all__ = [
    "CharacterErrorMetric",
    "MetricInputError",
    "PhoenixLegacyMetric",
    "RougeLMetric",
    "TranslationMetric",
    "WordErrorMetric",
    "compute_phoenix_legacy",
    "compute_translation_metrics",
]

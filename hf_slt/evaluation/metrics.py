"""Scores of translated sentences, all in percent, as an `evaluate.Metric` that needs no network.

Every score compares predictions with the *raw* reference strings of the corpus, never with a decode of label ids: what
a tokenizer cannot hold would then vanish from both sides and the score would rise. Case is kept.

- `bleu1` ... `bleu4`: cumulative corpus BLEU up to that n-gram order (Papineni et al., 2002) by sacrebleu: exponential
  smoothing of orders without a match, no effective order. `bleu` is `bleu4`.
- `chrf`: corpus chrF2, character order 6, no word n-grams (Popovic, 2015) by sacrebleu.
- `cer`, `wer`: edits / reference length over the whole corpus, in characters and in words; can exceed 100.
- `exact_match`: share of predictions that equal their reference up to white space.
- `looping`: share of predictions that repeat themselves (see `hf_slt.evaluation.pairs.is_looping`).
- `signature`: the sacrebleu signatures that BLEU and chrF can be reproduced from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from hf_slt.evaluation.pairs import MetricInputError, check_bleu_tokenizer, check_pairs, edit_counts, is_looping

BLEU_ORDERS = (1, 2, 3, 4)

_INPUTS = """
Args:
    predictions (list of str): predicted sentences; an empty one is legal and scored as such.
    references (list of str): raw reference sentences, one each; none may be empty.
    tokenize (str): sacrebleu tokenizer; the one given at construction if left out.

Returns:
    bleu, bleu1, bleu2, bleu3, bleu4, chrf, cer, wer, exact_match, looping (float, percent) and signature (str).
"""
_CITATION = """Post (2018), A Call for Clarity in Reporting BLEU Scores, WMT."""


def compute_translation_metrics(
    predictions: Sequence[str], references: Sequence[str], tokenize: str = "13a"
) -> dict[str, float | str]:
    """Score N predicted sentences against N raw references.

    Args:
        predictions: Predicted sentences; an empty one is legal.
        references: Raw reference sentences, one for each prediction.
        tokenize: sacrebleu tokenizer for BLEU: `"13a"` for written text, `"none"` for glosses. It has no bearing on
            the other scores.

    Returns:
        `bleu`, `bleu1` ... `bleu4`, `chrf`, `cer`, `wer`, `exact_match`, `looping` in percent, and `signature`.

    Raises:
        MetricInputError: Different lengths, no rows, rows that are no strings, or empty references (named by index).
        ConfigurationError: Unknown `tokenize`.
    """
    check_bleu_tokenizer(tokenize)
    predictions, references = list(predictions), list(references)
    check_pairs(predictions, references)
    scores, bleu_signature = _bleu(predictions, references, tokenize)
    chrf = CHRF()
    scores["chrf"] = chrf.corpus_score(predictions, [references]).score
    scores["cer"] = _error_rate(predictions, references, "char")
    scores["wer"] = _error_rate(predictions, references, "word")
    pairs = zip(predictions, references, strict=True)
    scores["exact_match"] = 100 * float(np.mean([p.split() == r.split() for p, r in pairs]))
    scores["looping"] = 100 * float(np.mean([is_looping(p) for p in predictions]))
    return {**scores, "signature": f"BLEU|{bleu_signature} chrF2|{chrf.get_signature()}"}


def _bleu(predictions: list[str], references: list[str], tokenize: str) -> tuple[dict[str, float], str]:
    # With `none` the text is declared to be tokenized, so sacrebleu's warning about " ." would say nothing new.
    metric = BLEU(tokenize=tokenize, force=tokenize == "none")
    full = metric.corpus_score(predictions, [references])
    scores = {
        f"bleu{n}": BLEU.compute_bleu(
            full.counts[:n], full.totals[:n], full.sys_len, full.ref_len, smooth_method="exp", max_ngram_order=n
        ).score
        for n in BLEU_ORDERS
    }
    return {"bleu": full.score, **scores}, str(metric.get_signature())


def _error_rate(predictions: list[str], references: list[str], unit: str) -> float:
    edits, length = edit_counts(predictions, references, unit).sum(axis=0)
    return 100 * float(edits / length)


class TranslationMetric(evaluate.Metric):
    """`compute_translation_metrics` with the interface of the `evaluate` library, without its hub.

    Works with `compute`, `add`, `add_batch` and `evaluate.combine`. Rows stay in memory and no cache folder is made,
    so that runs side by side cannot meet in one file; only `num_process > 1` needs the files of `evaluate`, and then an
    `experiment_id` of its own.

    Args:
        tokenize: sacrebleu tokenizer for BLEU, for example `"13a"` or `"none"`.
        **kwargs: Passed to `evaluate.Metric`.

    Raises:
        ConfigurationError: Unknown `tokenize`.
    """

    def __init__(self, tokenize: str = "13a", **kwargs: Any):
        check_bleu_tokenizer(tokenize)
        self.tokenize = tokenize
        kwargs.setdefault("keep_in_memory", kwargs.get("num_process", 1) == 1)
        super().__init__(**kwargs)

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description="BLEU-1..4, chrF, CER and WER of translations, in percent, with the sacrebleu signature.",
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _build_data_dir(self) -> str:
        # evaluate makes this folder even where it is not used, which fails on a machine with a read-only home.
        return "" if self.keep_in_memory else super()._build_data_dir()

    def _finalize(self) -> None:
        if self.writer is None:
            check_pairs([], [])
        super()._finalize()

    def _compute(
        self, predictions: Sequence[str], references: Sequence[str], tokenize: str | None = None
    ) -> dict[str, float | str]:
        return compute_translation_metrics(predictions, references, tokenize or self.tokenize)


__all__ = ["BLEU_ORDERS", "MetricInputError", "TranslationMetric", "compute_translation_metrics"]

"""Checks and counts on (prediction, reference) pairs that the scores and their intervals share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

from hf_slt.errors import ConfigurationError, MissingDependencyError, Problem, ProblemsError
from hf_slt.evaluation.length_bins import is_unspaced

LOOP_ORDER = 4
LOOP_REPEATS = 2
_TOKENIZER_PACKAGES = {"ja-mecab": "sacrebleu[ja]", "ko-mecab": "sacrebleu[ko]"}
_SENTENCEPIECE = (
    "it needs the package sentencepiece (run: pip install sentencepiece) and a model that sacrebleu downloads at its "
    "first use (run once with a network, or take a tokenizer without a model, such as '13a')"
)


class MetricInputError(ProblemsError, ValueError):
    """Predictions and references that no score can be computed from; every bad row is named by its 0-based index."""

    headline = "the sentences cannot be scored"


def check_pairs(predictions: Sequence[str], references: Sequence[str]) -> None:
    """Refuse pairs that would give a meaningless score.

    An empty prediction is legal: a model may say nothing, and is scored for it. An empty reference is not.

    Args:
        predictions: N predicted sentences.
        references: N raw reference sentences, one for each prediction.

    Raises:
        MetricInputError: Other numbers of predictions and references, no rows, a row that is not a string, or an empty
            reference.
    """
    if len(predictions) != len(references):
        raise MetricInputError(
            [
                Problem(
                    where="predictions and references",
                    expected="one reference for each prediction",
                    found=f"{len(predictions)} predictions and {len(references)} references",
                    fix="pass both from the same rows, in the same order",
                )
            ]
        )
    if len(references) == 0:
        raise MetricInputError(
            [
                Problem(
                    where="predictions and references",
                    expected="at least one pair",
                    found="no rows",
                    fix="check that the split is not empty before it is evaluated",
                )
            ]
        )
    problems = [problem for i in range(len(references)) for problem in _row_problems(i, predictions[i], references[i])]
    if problems:
        raise MetricInputError(problems)


def _row_problems(index: int, prediction: object, reference: object) -> list[Problem]:
    problems = []
    for name, value in (("prediction", prediction), ("reference", reference)):
        if not isinstance(value, str):
            fix = "decode token ids to text before scoring" if name == "prediction" else "pass the raw text of the row"
            problems.append(Problem(f"{name} {index}", "a string", f"{type(value).__name__} {value!r}", fix))
        elif name == "reference" and not value.strip():
            fix = "correct the text of that row, or leave the row out of the split"
            problems.append(Problem(f"reference {index}", "a sentence", f"empty text {value!r}", fix))
    return problems


def check_bleu_tokenizer(tokenize: str) -> None:
    """Refuse a name that sacrebleu has no tokenizer for, or one that cannot work here.

    Raises:
        ConfigurationError: Unknown name; the message lists the known ones.
        MissingDependencyError: The tokenizer needs a package that is not installed, or a file that is not there and
            cannot be downloaded.
    """
    from sacrebleu.metrics import BLEU

    if tokenize not in BLEU.TOKENIZERS:
        raise ConfigurationError(
            f"expected a sacrebleu tokenizer out of {sorted(BLEU.TOKENIZERS)}, found '{tokenize}'; "
            f"take '13a' for written text or 'none' for text that is tokenized already, such as glosses"
        )
    try:
        BLEU(tokenize=tokenize)
    except (ImportError, RuntimeError) as error:  # sacrebleu raises the one or the other
        package = _TOKENIZER_PACKAGES.get(tokenize)
        fix = f"run: pip install '{package}'" if package else _SENTENCEPIECE
        raise MissingDependencyError(
            f"expected what sacrebleu's tokenizer '{tokenize}' needs, found that it does not import; {fix}"
        ) from error
    except OSError as error:
        raise MissingDependencyError(
            f"expected what sacrebleu's tokenizer '{tokenize}' needs, found: {error}; {_SENTENCEPIECE}"
        ) from error


def edit_counts(predictions: Sequence[str], references: Sequence[str], unit: str) -> np.ndarray:
    """Count the edits that turn each prediction into its reference.

    An edit is an insertion, a deletion or a substitution of one unit, each with cost 1 (Levenshtein, 1966). Runs of
    white space count as one space and space at either end is ignored; case, accents and punctuation count.

    Args:
        predictions: N sentences.
        references: N sentences.
        unit: `"char"` for characters (spaces between words included) or `"word"` for words between white space.

    Returns:
        `(N, 2)` int64: the number of edits, and the number of units in the reference.
    """
    split = str.split if unit == "word" else _collapse
    rows = []
    for prediction, reference in zip(predictions, references, strict=True):
        hypothesis, target = split(prediction), split(reference)
        rows.append((Levenshtein.distance(hypothesis, target), len(target)))
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def _collapse(text: str) -> str:
    return " ".join(text.split())


def is_looping(sentence: str) -> bool:
    """Tell whether a sentence goes round in circles.

    Returns:
        True if at least two of its word 4-grams have occurred before in the same sentence. Words stand between white
        space; in Chinese and Japanese without any, every character is one.
    """
    words = list(sentence.strip()) if is_unspaced(sentence) else sentence.split()
    ngrams = [tuple(words[i : i + LOOP_ORDER]) for i in range(len(words) - LOOP_ORDER + 1)]
    return len(ngrams) - len(set(ngrams)) >= LOOP_REPEATS

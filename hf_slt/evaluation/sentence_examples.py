"""Single translations to look at: their own score, which ones to show, and where they differ from the reference."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import numpy as np

from hf_slt.evaluation.length_bins import UNSPACED

KINDS = ("best", "median", "worst")
_UNIT = re.compile(f"[{UNSPACED}]|[^\\s{UNSPACED}]+")  # a character or a word


def sentence_chrf(predictions: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return the chrF of each sentence, in percent.

    chrF (Popović, 2015) is of characters, so it tells sentences apart that share few words, where BLEU is 0 for most.

    Args:
        predictions: N sentences.
        references: N sentences.

    Returns:
        `(N,)` float64.
    """
    from sacrebleu.metrics import CHRF

    metric = CHRF()
    pairs = zip(predictions, references, strict=True)
    return np.array([metric.sentence_score(prediction, [reference]).score for prediction, reference in pairs])


def choose_examples(scores: np.ndarray, references: Sequence[str], count: int = 3) -> dict[str, list[int]]:
    """Choose the best, the median and the worst sentences; none is in two of the groups.

    Of equal scores the longer reference is more of an example: it stands nearer to the ends.

    Args:
        scores: `(N,)`, higher is better.
        references: N sentences.
        count: Sentences of each kind, fewer if there are not `3 * count`.

    Returns:
        Kind (`KINDS`) -> indices: the best first, the worst first, the median ones from better to worse. Empty groups
        are left out.
    """
    sizes = np.array([len(reference) for reference in references])
    # Among the better half a long sentence goes to the front, among the worse half to the back.
    outwards = np.where(scores >= np.median(scores), -sizes, sizes) if len(scores) else sizes
    order = np.lexsort((outwards, -np.asarray(scores)))
    best = order[: min(count, -(-len(order) // 3))]
    worst = order[len(best) :][::-1][: min(count, len(order) // 3 + (len(order) == 2))]
    between = order[len(best) : len(order) - len(worst)]
    middle = max(0, (len(between) - count) // 2)
    groups = (best, between[middle : middle + count], worst)
    return {kind: group.tolist() for kind, group in zip(KINDS, groups, strict=True) if len(group)}


def mark_differences(
    prediction: str, reference: str, lowercase: bool = False
) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Say which words of a prediction and of its reference the other one lacks.

    Words are aligned in order, so a word at another place differs (Ratcliff & Obershelp, as `difflib` has it).
    Punctuation counts, and case unless `lowercase`. Chinese and Japanese are compared by characters.

    Returns:
        Two lists, of the prediction and of the reference: a piece of text with the white space behind it, and whether
        it differs. Joined, the pieces are the sentence, without white space at its front.
    """
    left, right = (list(_UNIT.finditer(text)) for text in (prediction, reference))
    words = ([m.group().lower() if lowercase else m.group() for m in units] for units in (left, right))
    matcher = difflib.SequenceMatcher(None, *words, autojunk=False)
    same_left, same_right = set(), set()
    for block in matcher.get_matching_blocks():
        same_left.update(range(block.a, block.a + block.size))
        same_right.update(range(block.b, block.b + block.size))
    return _pieces(prediction, left, same_left), _pieces(reference, right, same_right)


def _pieces(text: str, units: list[re.Match[str]], same: set[int]) -> list[tuple[str, bool]]:
    ends = [*(unit.start() for unit in units[1:]), len(text)]
    return [(text[unit.start() : ends[i]], i not in same) for i, unit in enumerate(units)]

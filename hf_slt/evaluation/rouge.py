"""ROUGE-L, as papers on sign language translation report it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import LCSseq

ROUGE_BETA = 1.2


def rouge_l_scores(predictions: Sequence[str], references: Sequence[str], beta: float = ROUGE_BETA) -> np.ndarray:
    """Return the F-measure of the longest common subsequence of words, sentence by sentence.

    With L the length of the longest common subsequence of prediction and reference (words in the same order, others
    may lie between), P = L / words of the prediction, R = L / words of the reference (Lin, 2004):

        F = (1 + beta^2) P R / (R + beta^2 P)

    beta = 1.2 weighs recall a little above precision; papers on sign language translation use it since Camgoz et al.
    (2018) and report the mean of F over sentences. Words are between white space; case and punctuation count.

    Args:
        predictions: N sentences; one without words scores 0.
        references: N sentences, none of them empty.
        beta: Weight of recall.

    Returns:
        `(N,)` float64 in [0, 1].
    """
    scores = np.zeros(len(references))
    for i, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
        hypothesis, target = prediction.split(), reference.split()
        if common := LCSseq.similarity(hypothesis, target):
            precision, recall = common / len(hypothesis), common / len(target)
            scores[i] = (1 + beta**2) * precision * recall / (recall + beta**2 * precision)
    return scores

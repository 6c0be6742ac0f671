"""ROUGE-L by hand."""

import pytest

from hf_slt.evaluation.rouge import rouge_l_scores


@pytest.mark.parametrize(
    ("prediction", "reference", "score"),
    [
        ("a b c", "a b c", 1.0),
        ("", "a b", 0.0),
        ("x y", "a b", 0.0),
        ("A", "a", 0.0),  # case counts
        # common a c: P = 2/3, R = 2/4; F = 2.44 P R / (R + 1.44 P)
        ("a x c", "a b c d", 2.44 * (2 / 3) * 0.5 / (0.5 + 1.44 * 2 / 3)),
        ("b a", "a b", 0.5),  # the order counts: one word is common
    ],
)
def test_by_hand(prediction, reference, score):
    assert rouge_l_scores([prediction], [reference])[0] == pytest.approx(score)


def test_beta_weighs_recall():
    prediction, reference = ["a b c d"], ["a b"]  # P = 1/2, R = 1
    assert rouge_l_scores(prediction, reference, beta=0)[0] == pytest.approx(0.5)
    assert rouge_l_scores(prediction, reference, beta=1)[0] == pytest.approx(2 / 3)
    assert rouge_l_scores(prediction, reference)[0] == pytest.approx(2.44 * 0.5 / (1 + 1.44 * 0.5))

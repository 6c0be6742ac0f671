"""Single translations: which are shown, and what of them is marked."""

import numpy as np
import pytest

from hf_slt.evaluation.sentence_examples import choose_examples, mark_differences, sentence_chrf


def test_chrf_is_that_of_each_sentence_in_percent():
    scores = sentence_chrf(["the same words", "", "the sane words"], ["the same words"] * 3)
    assert scores[0] == 100 and scores[1] == 0 and 50 < scores[2] < 90


def test_best_median_and_worst_are_apart_and_in_order():
    scores = np.array([10.0, 90, 50, 30, 70, 100, 0, 60, 40, 80, 20])
    groups = choose_examples(scores, ["x"] * 11, count=2)
    assert {kind: scores[chosen].tolist() for kind, chosen in groups.items()} == {
        "best": [100, 90],
        "median": [60, 50],
        "worst": [0, 10],
    }
    assert list(groups) == ["best", "median", "worst"]


def test_of_equal_scores_the_longer_sentence_is_shown():
    references = ["ab", "abcd", "abc", "a", "abcdef", "abcde"]
    groups = choose_examples(np.array([100.0, 100, 100, 0, 0, 0]), references, count=1)
    assert groups["best"] == [1] and groups["worst"] == [4]


@pytest.mark.parametrize(
    ("number", "sizes"),
    [(0, {}), (1, {"best": 1}), (2, {"best": 1, "worst": 1}), (5, {"best": 2, "median": 2, "worst": 1})],
)
def test_few_clips_are_shown_once_each(number, sizes):
    groups = choose_examples(np.arange(number, dtype=float), ["x"] * number)
    assert {kind: len(chosen) for kind, chosen in groups.items()} == sizes
    shown = [index for chosen in groups.values() for index in chosen]
    assert sorted(shown) == list(range(number))


def test_words_that_differ_are_marked_and_the_text_stays():
    prediction, reference = mark_differences("el señor  come hoy.", "el señor come en casa hoy.")
    assert prediction == [("el ", False), ("señor  ", False), ("come ", False), ("hoy.", False)]
    assert reference == [
        ("el ", False),
        ("señor ", False),
        ("come ", False),
        ("en ", True),
        ("casa ", True),
        ("hoy.", False),
    ]
    assert mark_differences("", "a") == ([], [("a", True)])
    assert mark_differences("Casa", "casa")[0] == [("Casa", True)]


def test_scripts_without_spaces_are_compared_by_characters():
    prediction, reference = mark_differences("今天下雨", "今天下雪了")
    assert [text for text, differs in prediction if differs] == ["雨"]
    assert [text for text, differs in reference if differs] == ["雪", "了"]
    assert mark_differences("昨日 ABC も", "昨日 ABC は")[0] == [
        ("昨", False),
        ("日 ", False),
        ("ABC ", False),
        ("も", True),
    ]


def test_case_differs_unless_it_does_not_count():
    assert mark_differences("Hola TODOS", "hola todos")[0] == [("Hola ", True), ("TODOS", True)]
    left, right = mark_differences("Hola TODOS", "hola nadie", lowercase=True)
    assert left == [("Hola ", False), ("TODOS", True)] and right == [("hola ", False), ("nadie", True)]

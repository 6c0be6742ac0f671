"""What the length of a sentence is counted in, in text with and without spaces between words."""

import pytest

from hf_slt.evaluation.breakdowns import per_length_table
from hf_slt.evaluation.length_bins import group_by_length, is_unspaced, length_unit, sentence_length
from hf_slt.evaluation.pairs import is_looping

CHINESE, JAPANESE = "明天北方会下雨，南方晴。", "あしたは雨です。"


@pytest.mark.parametrize(
    ("text", "unspaced"),
    [
        (CHINESE, True),
        (f" {JAPANESE}\n", True),
        ("用Windows电脑", True),
        ("明天 下雨", False),  # split into words already
        ("Mississippi", False),
        ("내일", False),  # Korean has spaces between words
        ("...", False),
        ("", False),
    ],
)
def test_text_without_spaces(text, unspaced):
    assert is_unspaced(text) is unspaced


def test_the_unit_is_that_of_most_references():
    assert length_unit([CHINESE, JAPANESE, "我 用 Windows"]) == "characters"
    assert length_unit([CHINESE, "hola"]) == length_unit([]) == "words"
    assert (sentence_length("我 用 Windows", "characters"), sentence_length("我 用 Windows", "words")) == (9, 3)


def test_ranges_of_lengths():
    assert group_by_length([CHINESE, "今天", JAPANESE, "明天" * 20]) == {
        "1-5": [1], "6-10": [2], "11-15": [0], "31+": [3],
    }  # fmt: skip
    assert group_by_length([CHINESE, "sí", "a b c d e f"]) == {"1-5": [0, 1], "6-10": [2]}


def test_the_table_by_length_names_its_unit():
    def score(predictions, references):
        return dict.fromkeys(("bleu", "chrf", "cer", "wer"), 0.0)

    assert [list(row)[0] for row in per_length_table(["x"], ["sí"], score)] == ["words"]
    rows = per_length_table(["x", "x"], [CHINESE, JAPANESE], score)
    assert [row["characters"] for row in rows] == ["6-10", "11-15"]


@pytest.mark.parametrize(
    ("sentence", "looping"),
    [
        ("今天今天今天下雨", False),  # one 4-gram again, 今天今天
        ("下雨下雨下雨下雨", True),
        (CHINESE, False),
        ("下雨 下雨 下雨", False),  # words between spaces: no 4-gram at all
        ("hahahahahaha", False),  # one word
    ],
)
def test_loops_of_text_without_spaces_are_of_characters(sentence, looping):
    assert is_looping(sentence) is looping

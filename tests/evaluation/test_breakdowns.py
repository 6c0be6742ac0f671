"""Scores by signer and by length: which clips are in which row."""

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.breakdowns import FEW, per_length_table, per_signer_table


def fake_score(predictions, references):
    """Scores that tell which sentences they are of."""
    letters = float(sum(map(len, predictions)))
    return {"bleu": letters, "chrf": 1 / 3, "cer": 0.0, "wer": 2.0, "bleu_interval": [letters - 1, letters + 1]}


def test_signers_by_name_and_those_without_one_last():
    rows = per_signer_table(["a", "bb", "cccc", "d"], ["r"] * 4, ["Eva", "Ana", None, "Eva"], fake_score)
    assert [(row["signer"], row["clips"], row["bleu"]) for row in rows] == [("Ana", 1, 2), ("Eva", 2, 2), ("", 1, 4)]
    assert rows[0]["bleu_low"] == 1 and rows[0]["bleu_high"] == 3
    assert (rows[0]["chrf"], rows[0]["chrf_low"], rows[0]["note"]) == (0.3333, None, FEW)


def test_thirty_clips_are_not_few():
    rows = per_signer_table(["a"] * 59, ["r"] * 59, ["A"] * 30 + ["B"] * 29, fake_score)
    assert [(row["clips"], row["note"]) for row in rows] == [(30, None), (29, "fewer than 30 clips")]


def test_lengths_are_words_of_the_reference_and_empty_bins_are_left_out():
    lengths = [1, 5, 6, 30, 31, 200]
    rows = per_length_table(["p" * n for n in lengths], [" ".join("r" * n) for n in lengths], fake_score)
    assert [(row["words"], row["clips"], row["bleu"]) for row in rows] == [
        ("1-5", 2, 6), ("6-10", 1, 6), ("21-30", 1, 30), ("31+", 2, 231),
    ]  # fmt: skip


def test_other_numbers_of_sentences():
    with pytest.raises(ConfigurationError, match="expected 2 predictions, found 1"):
        per_length_table(["a"], ["b", "c"], fake_score)

"""Tables by class and by signer, and the pairs that are confused."""

import numpy as np
import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.classification import bootstrap_accuracy_intervals
from hf_slt.evaluation.gloss_tables import most_confused_pairs, per_class_table, per_signer_table

NAMES = ["HELLO", "HOW ARE YOU", "NA", "YES"]


def test_per_class():
    rows = per_class_table([0, 0, 0, 0, 1, 1], [0, 1, 2, 1, 1, 1], NAMES)
    assert rows[0] == {
        "gloss_id": 0,
        "gloss": "HELLO",
        "clips": 4,
        "correct": 1,
        "predicted": 1,
        "recall": 0.25,
        "precision": 1.0,
        "f1": 2 / 5,
        "confused_with": "HOW ARE YOU",
        "confused_clips": 2,
    }
    assert (rows[1]["recall"], rows[1]["precision"], rows[1]["confused_with"]) == (1.0, 0.5, None)
    assert [rows[2][name] for name in ("clips", "recall", "precision", "f1")] == [0, None, 0.0, 0.0]
    assert [rows[3][name] for name in ("predicted", "recall", "precision", "f1")] == [0, None, None, None]


def test_per_signer():
    scores = np.eye(3)[[0, 1, 1, 2, 0]]
    category_scores, categories = np.eye(2)[[0, 0, 1, 1, 0]], np.array([0, 1, -100, -100, -100])
    rows = per_signer_table(scores, [0, 1, 2, 2, 0], ["S2", "S2", "S2", "S1", "S1"], category_scores, categories)
    assert [(row["signer"], row["clips"], row["accuracy"]) for row in rows] == [("S1", 2, 1.0), ("S2", 3, 2 / 3)]
    assert "category_accuracy" not in rows[0] and rows[1]["category_accuracy"] == 0.5
    interval = bootstrap_accuracy_intervals(scores[:3], [0, 1, 2])["accuracy"]
    assert (rows[1]["accuracy_low"], rows[1]["accuracy_high"]) == interval
    assert rows[1]["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert "ece" not in rows[1]


def test_another_number_of_signers_is_refused():
    with pytest.raises(ConfigurationError, match="a signer for each of 2 clips, found 1"):
        per_signer_table(np.eye(2), [0, 1], ["S1"])


def test_most_confused_pairs():
    matrix = np.array([[9, 2, 0, 1], [2, 2, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]])
    pairs = most_confused_pairs(matrix, NAMES, limit=3)
    # two clips each, but of 4 and of 12
    assert pairs[0] == {"gloss": "HOW ARE YOU", "prediction": "HELLO", "clips": 2, "share": 0.5}
    assert [(p["gloss"], p["prediction"], p["clips"]) for p in pairs[1:]] == [
        ("HELLO", "HOW ARE YOU", 2),
        ("YES", "HELLO", 1),
    ]
    assert most_confused_pairs(np.diag([3, 0, 1, 2]), NAMES) == []

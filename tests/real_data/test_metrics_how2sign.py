"""The scores of a published system's 2,349 outputs on How2Sign are the known ones."""

import csv
import time

import pytest

from hf_slt.evaluation.bootstrap import bootstrap_intervals
from hf_slt.evaluation.metrics import TranslationMetric, compute_translation_metrics

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def pairs(real_data_dir):
    with open(real_data_dir / "text" / "how2sign_unisign_output.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 2349
    return [row["prediction"] for row in rows], [row["reference"] for row in rows]


@pytest.mark.parametrize(("tokenize", "bleu"), [("13a", 14.50), ("none", 13.06), ("intl", 16.34)])
def test_bleu_by_tokenizer(pairs, tokenize, bleu):
    assert compute_translation_metrics(*pairs, tokenize=tokenize)["bleu"] == pytest.approx(bleu, abs=0.005)


def test_bleu_of_lower_case(pairs):
    lowered = [[text.lower() for text in texts] for texts in pairs]
    assert compute_translation_metrics(*lowered)["bleu"] == pytest.approx(14.96, abs=0.005)


def test_looping_share(pairs):
    scores = TranslationMetric().compute(predictions=pairs[0], references=pairs[1])
    assert scores["looping"] == pytest.approx(100 * 268 / 2349)


def test_interval_holds_the_score_within_the_known_width(pairs):
    start = time.perf_counter()
    intervals = bootstrap_intervals(*pairs)
    assert time.perf_counter() - start < 15
    scores = compute_translation_metrics(*pairs)
    for name, (low, high) in intervals.items():
        assert low < scores[name] < high
    assert 0.5 < (intervals["bleu"][1] - intervals["bleu"][0]) / 2 < 1.5

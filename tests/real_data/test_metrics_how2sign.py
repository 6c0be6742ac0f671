"""The scores of a published system's 2,349 outputs on How2Sign are the known ones."""

import time

import pytest
from sacrebleu.metrics import TER

from hf_slt.evaluation.bootstrap import INTERVAL_METRICS, bootstrap_intervals
from hf_slt.evaluation.metrics import TranslationMetric, compute_translation_metrics
from hf_slt.evaluation.score_files import read_pairs
from hf_slt.evaluation.score_summary import summarise_scores
from hf_slt.evaluation.ter import ter_counts

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def pairs(real_data_dir):
    pairs = read_pairs(real_data_dir / "text" / "how2sign_unisign_output.tsv")
    assert len(pairs[0]) == len(pairs[1]) == 2349
    return pairs


@pytest.mark.parametrize(
    ("options", "bleu"),
    [
        ({}, 14.50),
        ({"lowercase": True}, 14.96),
        ({"tokenize": "none"}, 13.06),
        ({"tokenize": "intl"}, 16.34),
    ],
)
def test_bleu_by_tokenizer_and_case(pairs, options, bleu):
    summary = summarise_scores(*pairs, **options, resamples=0)
    assert summary["bleu"] == pytest.approx(bleu, abs=0.005)
    assert summary["n"] == 2349


def test_looping_share(pairs):
    scores = TranslationMetric().compute(predictions=pairs[0], references=pairs[1])
    assert scores["looping"] == pytest.approx(100 * 268 / 2349)
    assert summarise_scores(*pairs, resamples=0)["looping_predictions"] == 268


def test_ter_is_that_of_sacrebleu(pairs):
    some = [texts[::20] for texts in pairs]
    edits, words = ter_counts(*some).sum(axis=0)
    expected = TER(case_sensitive=True).corpus_score(some[0], [some[1]])
    assert (edits, words) == (expected.num_edits, expected.ref_length)


def test_intervals_of_all_scores_take_seconds_and_hold_them(pairs):
    start = time.process_time()
    intervals = bootstrap_intervals(*pairs)
    assert time.process_time() - start < 5
    scores = compute_translation_metrics(*pairs)
    assert tuple(intervals) == INTERVAL_METRICS
    for name, (low, high) in intervals.items():
        assert low < scores[name] < high
    assert intervals["bleu"] == pytest.approx((13.7465, 15.1592), abs=5e-5)

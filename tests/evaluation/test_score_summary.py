"""What scripts/score.py prints."""

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.bootstrap import INTERVAL_METRICS, bootstrap_intervals, statistics_intervals
from hf_slt.evaluation.corpus_statistics import collect_statistics
from hf_slt.evaluation.score_summary import summarise_scores
from hf_slt.evaluation.translation_scores import (
    PHOENIX_LEGACY_SCORES,
    compute_phoenix_legacy,
    compute_translation_metrics,
)

PREDICTIONS = ["no No no no no no", "La casa es azul.", ""]
REFERENCES = ["no", "la casa es azul.", "sí"]


def test_scores_intervals_and_settings():
    summary = summarise_scores(PREDICTIONS, REFERENCES, resamples=50, seed=3, phoenix_legacy=True)
    scores = compute_translation_metrics(PREDICTIONS, REFERENCES)
    for name, (low, high) in bootstrap_intervals(PREDICTIONS, REFERENCES, resamples=50, seed=3).items():
        assert summary[name] == round(scores[name], 4)
        assert summary[f"{name}_interval"] == [round(low, 4), round(high, 4)]
    assert summary["signature"] == scores["signature"]
    assert (summary["n"], summary["tokenize"], summary["lowercase"]) == (3, "13a", False)
    assert (summary["resamples"], summary["seed"], summary["confidence"]) == (50, 3, 0.95)
    legacy = compute_phoenix_legacy(PREDICTIONS, REFERENCES)
    assert summary["phoenix_legacy"]["rouge_l"] == round(legacy["rouge_l"], 4)
    names = ("none", True, PHOENIX_LEGACY_SCORES)
    intervals = statistics_intervals(collect_statistics(PREDICTIONS, REFERENCES, *names), resamples=50, seed=3)
    low, high = intervals["rouge_l"]
    assert low < high and summary["phoenix_legacy"]["rouge_l_interval"] == [round(low, 4), round(high, 4)]
    assert set(summary["phoenix_legacy"]) == set(legacy) | {f"{name}_interval" for name in PHOENIX_LEGACY_SCORES}


@pytest.mark.parametrize(("lowercase", "loops"), [(False, 0), (True, 1)])
def test_the_number_of_loops_is_that_of_the_share(lowercase, loops):
    summary = summarise_scores(PREDICTIONS, REFERENCES, lowercase=lowercase, resamples=0)
    assert summary["looping_predictions"] == loops and summary["looping"] == round(100 * loops / 3, 4)


def test_without_resamples_there_are_no_intervals():
    summary = summarise_scores(PREDICTIONS, REFERENCES, resamples=0, phoenix_legacy=True)
    legacy = summary.pop("phoenix_legacy")
    assert [name for name in (*summary, *legacy) if name.endswith("_interval")] == []
    assert set(INTERVAL_METRICS) < set(summary)
    assert "phoenix_legacy" not in summarise_scores(PREDICTIONS, REFERENCES, resamples=0)
    with pytest.raises(ConfigurationError, match="of 0 or more, found -1 and 0"):
        summarise_scores(PREDICTIONS, REFERENCES, resamples=-1)

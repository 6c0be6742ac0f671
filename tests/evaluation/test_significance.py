"""Paired tests: against slow loops, on equal systems, and on systems of which one is clearly better."""

import numpy as np
import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation import bootstrap
from hf_slt.evaluation.corpus_statistics import collect_statistics
from hf_slt.evaluation.significance import compare_systems

RNG = np.random.default_rng(0)
REFERENCES = [" ".join(RNG.choice(list("abcdefgh"), RNG.integers(3, 9))) for _ in range(24)]
METRICS = ("bleu", "chrf", "wer", "rouge_l")


def drop(share: float, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(word for word in text.split() if rng.random() > share) for text in REFERENCES]


def statistics(predictions):
    return collect_statistics(predictions, REFERENCES, metrics=METRICS)


POOR, GOOD, ALIKE = statistics(drop(0.5, 1)), statistics(drop(0.1, 2)), statistics(drop(0.5, 3))


def test_a_clear_difference_is_found_and_a_small_one_is_not():
    for name, score in compare_systems(POOR, GOOD, resamples=200).items():
        low, high = score.interval
        assert low < score.difference < high and low * high > 0, name
        assert score.difference == score.b - score.a
        assert score.p_randomisation == pytest.approx(1 / 201)
        assert score.p_bootstrap == pytest.approx(2 / 201)
    small = compare_systems(POOR, ALIKE, resamples=200)["wer"]
    assert small.p_bootstrap > 0.05 and small.p_randomisation > 0.05
    assert small.interval[0] < 0 < small.interval[1]


def test_the_sides_can_be_exchanged():
    forth, back = compare_systems(POOR, ALIKE, resamples=99), compare_systems(ALIKE, POOR, resamples=99)
    for name, score in forth.items():
        assert back[name].difference == pytest.approx(-score.difference)
        assert back[name].interval == pytest.approx((-score.interval[1], -score.interval[0]))
        assert (back[name].p_bootstrap, back[name].p_randomisation) == (score.p_bootstrap, score.p_randomisation)


def test_a_system_does_not_differ_from_itself():
    for score in compare_systems(GOOD, GOOD, resamples=50).values():
        assert (score.difference, score.interval, score.p_bootstrap, score.p_randomisation) == (0, (0, 0), 1, 1)


def test_randomisation_equals_a_loop_that_exchanges_sentences():
    rng = np.random.default_rng([5, 1])
    swaps = rng.random((40, len(REFERENCES))) < 0.5
    a, b = drop(0.5, 1), drop(0.5, 3)
    measured = compare_systems(POOR, ALIKE, resamples=40, seed=5)["chrf"]
    reached = 0
    for swap in swaps:
        mixed = [[y if s else x for x, y, s in zip(one, two, swap, strict=True)] for one, two in ((a, b), (b, a))]
        scores = [collect_statistics(texts, REFERENCES, metrics=["chrf"]).scores()["chrf"] for texts in mixed]
        reached += abs(scores[1] - scores[0]) >= abs(measured.difference)
    assert 0 < reached < 40
    assert measured.p_randomisation == pytest.approx((reached + 1) / 41)


def test_the_interval_is_of_the_resamples_of_the_scores():
    weights = np.concatenate(list(bootstrap.resample_weights(len(REFERENCES), 60, seed=4)))
    a, b = (system.score_sums(system.sums(weights))["wer"] for system in (POOR, ALIKE))
    expected = tuple(np.percentile(b - a, [5, 95]))
    assert compare_systems(POOR, ALIKE, 60, seed=4, confidence=0.9)["wer"].interval == pytest.approx(expected)
    p = 2 * (min((b - a <= 0).sum(), (b - a >= 0).sum()) + 1) / 61
    assert compare_systems(POOR, ALIKE, 60, seed=4)["wer"].p_bootstrap == pytest.approx(min(1, p))


def test_chunks_change_nothing(monkeypatch):
    whole = compare_systems(POOR, ALIKE, resamples=30)
    monkeypatch.setattr(bootstrap, "_CHUNK_CELLS", 7 * len(REFERENCES))
    assert compare_systems(POOR, ALIKE, resamples=30) == whole


def test_other_sentences_or_scores_are_refused():
    with pytest.raises(ConfigurationError, match="found 24 sentences .* and 3 with"):
        compare_systems(POOR, ALIKE.take([0, 1, 2]))
    with pytest.raises(ConfigurationError, match="the same sentences and scores"):
        compare_systems(POOR, collect_statistics(drop(0.1, 0), REFERENCES, metrics=["cer"]))
    with pytest.raises(ConfigurationError, match="seed of 0 or more, found -1"):
        compare_systems(POOR, ALIKE, seed=-1)

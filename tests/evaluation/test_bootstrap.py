"""Bootstrap intervals equal a slow loop over sacrebleu on the same resamples."""

import time

import numpy as np
import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation import bootstrap
from hf_slt.evaluation.bootstrap import INTERVAL_METRICS, bootstrap_intervals
from hf_slt.evaluation.metrics import MetricInputError, compute_translation_metrics

WORDS = "el la niño casa va come llueve mañana, norte. sur ¿dónde vive hermana?".split()


def corpus(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    references = [" ".join(rng.choice(WORDS, rng.integers(1, 12))) for _ in range(count)]
    keep = [[word for word in reference.split() if rng.random() < 0.8] for reference in references]
    keep[0] = ["no"] * 9  # which loops
    return [" ".join(words) for words in keep], references


@pytest.mark.parametrize("tokenize", ["13a", "none"])
def test_equals_a_loop_over_resampled_sentences(tokenize):
    predictions, references = corpus(30)
    assert "" in predictions, "the loop should see an empty prediction"
    fast = bootstrap_intervals(predictions, references, tokenize, resamples=40, seed=3, metrics=INTERVAL_METRICS)
    indices = np.random.default_rng(3).integers(0, 30, size=(40, 30))
    slow = [
        compute_translation_metrics([predictions[i] for i in row], [references[i] for i in row], tokenize)
        for row in indices
    ]
    for name in INTERVAL_METRICS:
        expected = np.percentile([scores[name] for scores in slow], [2.5, 97.5])
        assert fast[name] == pytest.approx(tuple(expected), abs=1e-9), name
        assert fast[name][0] < fast[name][1]


def test_chunks_change_nothing(monkeypatch):
    predictions, references = corpus(20)
    whole = bootstrap_intervals(predictions, references, resamples=30)
    monkeypatch.setattr(bootstrap, "_CHUNK_CELLS", 7 * 20)
    assert bootstrap_intervals(predictions, references, resamples=30) == whole


def test_is_a_function_of_its_seed():
    predictions, references = corpus(20)
    first = bootstrap_intervals(predictions, references, resamples=50, seed=1)
    assert bootstrap_intervals(predictions, references, resamples=50, seed=1) == first
    assert bootstrap_intervals(predictions, references, resamples=50, seed=2) != first


def test_higher_confidence_is_wider_and_holds_the_score():
    predictions, references = corpus(40)
    scores = compute_translation_metrics(predictions, references)
    narrow = bootstrap_intervals(predictions, references, resamples=200, confidence=0.5)
    wide = bootstrap_intervals(predictions, references, resamples=200, confidence=0.95)
    assert tuple(wide) == INTERVAL_METRICS
    for name, (low, high) in wide.items():
        assert low <= narrow[name][0] <= narrow[name][1] <= high and narrow[name] != (low, high)
        assert low < scores[name] < high


def test_lower_case_is_that_of_the_scores():
    pair = (["LA casa", "Sí"], ["la casa", "sí"])
    assert bootstrap_intervals(*pair, resamples=5, metrics=["wer"], lowercase=True)["wer"] == (0, 0)
    assert bootstrap_intervals(*pair, resamples=5, metrics=["wer"])["wer"][1] > 0


def test_one_sentence_has_an_interval_without_width():
    intervals = bootstrap_intervals(["la casa"], ["la casa azul"], resamples=5)
    assert intervals["wer"] == pytest.approx((100 / 3, 100 / 3))


def test_a_test_set_of_the_usual_size_takes_seconds():
    predictions, references = corpus(2349)
    start = time.process_time()
    intervals = bootstrap_intervals(predictions, references)
    assert time.process_time() - start < 5
    assert intervals["bleu"][1] - intervals["bleu"][0] < 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resamples": 0}, "resamples of at least 1, found 0"),
        ({"confidence": 95}, "between 0 and 1, found 95"),
        ({"seed": -1}, "seed of 0 or more, found -1"),
        ({"metrics": ["bleu", "rouge"]}, r"found \['rouge'\]"),
        ({"tokenize": "13b"}, "found '13b'"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        bootstrap_intervals(["a"], ["a"], **options)


def test_bad_pairs_are_refused():
    with pytest.raises(MetricInputError, match="reference 1"):
        bootstrap_intervals(["a", "b"], ["a", ""])

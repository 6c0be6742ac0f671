"""Scores of a gloss classifier: values by hand, intervals against a loop, the `evaluate` interface, bad input."""

import evaluate
import numpy as np
import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation import classification
from hf_slt.evaluation.classification import (
    GlossMetric,
    bootstrap_accuracy_intervals,
    compute_gloss_metrics,
    confusion_matrix,
)
from hf_slt.evaluation.scored_clips import ClassificationInputError, check_scores, to_probabilities, top_classes

SCORES = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1]])
LABELS = np.array([0, 1, 1, 1])
CATEGORY_SCORES = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
CATEGORY_LABELS = np.array([0, 0, -100, 1])


def random_clips(count: int = 40, num_classes: int = 12, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, count)
    logits = rng.normal(size=(count, num_classes)) + np.eye(num_classes)[labels]
    categories = np.where(rng.random(count) < 0.2, -100, labels % 3)
    return logits, labels, rng.normal(size=(count, 3)), categories


def test_values_by_hand():
    metrics = compute_gloss_metrics(SCORES, LABELS, CATEGORY_SCORES, CATEGORY_LABELS)
    assert list(metrics) == ["accuracy", "top5_accuracy", "macro_f1", "ece", "category_accuracy"]
    assert metrics["accuracy"] == 3 / 4
    # class 0: 2 * 1 / (1 + 2), class 1: 2 * 2 / (3 + 2); class 2 occurs nowhere and is left out
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert metrics["category_accuracy"] == pytest.approx(2 / 3)
    # bins of 15: 0.6 is alone and wrong, 0.7 twice right, 0.8 right
    assert metrics["ece"] == pytest.approx((0.6 + 2 * 0.3 + 0.2) / 4)
    assert {type(value) for value in metrics.values()} == {float}


def test_logits_and_their_probabilities_score_the_same():
    logits, labels, category_logits, categories = random_clips()
    as_logits = compute_gloss_metrics(logits, labels, category_logits, categories)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    as_probabilities = compute_gloss_metrics(probabilities, labels, category_logits, categories)
    assert as_logits == pytest.approx(as_probabilities, abs=1e-12)


def test_probabilities_stay_what_they_are():
    probabilities = to_probabilities(np.random.default_rng(3).normal(size=(200, 49)))
    np.testing.assert_array_equal(to_probabilities(probabilities), probabilities)  # to the last digit


def test_large_logits_do_not_overflow():
    assert to_probabilities(np.array([[1000.0, 0.0], [-1000.0, -1000.0]])).tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_probabilities_of_half_precision_are_seen_as_such():
    probabilities = to_probabilities(np.random.default_rng(0).normal(size=(20, 500)))
    assert to_probabilities(probabilities.astype(np.float16)) == pytest.approx(probabilities, abs=1e-3)


def test_top5():
    scores = np.tile(np.linspace(1, 0, 7), (7, 1))  # every clip: 0, 1, 2, 3, 4 are the best five
    assert compute_gloss_metrics(scores, np.arange(7))["top5_accuracy"] == pytest.approx(5 / 7)
    assert compute_gloss_metrics(scores[:5, :5], np.arange(5))["top5_accuracy"] == 1.0
    assert top_classes(scores[:1], 3).tolist() == [[0, 1, 2]]


def test_a_model_that_says_the_same_of_every_class_gains_nothing_by_ties():
    metrics = compute_gloss_metrics(np.zeros((100, 50)), np.arange(100) % 50)
    assert (metrics["accuracy"], metrics["top5_accuracy"]) == (0.02, 0.1)


def test_without_known_categories_there_is_no_category_score():
    for extra in ((), (CATEGORY_SCORES, None), (None, CATEGORY_LABELS), (CATEGORY_SCORES, np.full(4, -100))):
        assert "category_accuracy" not in compute_gloss_metrics(SCORES, LABELS, *extra)


def test_confusion_matrix_has_labels_in_rows():
    matrix = confusion_matrix([0, 0, 2], [1, 1, 0], 3)
    assert matrix.tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 0]]


class TestIntervals:
    def test_equal_a_loop_over_resampled_clips(self):
        clips = random_clips(30)
        fast = bootstrap_accuracy_intervals(*clips, resamples=50, seed=4)
        slow = []
        for weights in np.random.default_rng(4).multinomial(30, np.full(30, 1 / 30), size=50):
            chosen = np.repeat(np.arange(30), weights)
            slow.append(compute_gloss_metrics(*(array[chosen] for array in clips)))
        assert list(fast) == ["accuracy", "top5_accuracy", "macro_f1", "category_accuracy"]
        for name, interval in fast.items():
            expected = np.percentile([scores[name] for scores in slow], [2.5, 97.5])
            assert interval == pytest.approx(tuple(expected), abs=1e-12), name
            assert interval[0] < interval[1]

    def test_chunks_change_nothing(self, monkeypatch):
        clips = random_clips(20)
        whole = bootstrap_accuracy_intervals(*clips, resamples=30)
        monkeypatch.setattr(classification, "_CHUNK_CELLS", 7 * 20)
        assert bootstrap_accuracy_intervals(*clips, resamples=30) == whole

    def test_clusters_are_drawn_together(self):
        # one signer is always right, the other never: only means of whole signers can come out
        scores = np.eye(2)[[0] * 10]
        signers = ["a"] * 4 + ["b"] * 6
        labels = np.array([0] * 4 + [1] * 6)
        low, high = bootstrap_accuracy_intervals(scores, labels, clusters=signers, resamples=200)["accuracy"]
        assert (low, high) == (0.0, 1.0)
        low, high = bootstrap_accuracy_intervals(scores, labels, resamples=200)["accuracy"]
        assert 0 < low < 0.4 < high < 1

    def test_is_a_function_of_its_seed(self):
        clips = random_clips(25)
        first = bootstrap_accuracy_intervals(*clips, resamples=50, seed=1)
        assert bootstrap_accuracy_intervals(*clips, resamples=50, seed=1) == first
        assert bootstrap_accuracy_intervals(*clips, resamples=50, seed=2) != first

    def test_resamples_without_a_known_category_are_left_out(self):
        categories = np.array([1, -100, -100, -100])
        intervals = bootstrap_accuracy_intervals(SCORES, LABELS, CATEGORY_SCORES, categories, resamples=100)
        assert intervals["category_accuracy"] == (0.0, 0.0)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"resamples": 0}, "resamples of at least 1, found 0"),
            ({"confidence": 95}, "between 0 and 1, found 95"),
            ({"clusters": ["a"] * 4}, "at least two different ones, found 4 with 1 different"),
            ({"clusters": ["a", "b"]}, "a cluster for each of 4 clips .* found 2 with 2 different"),
        ],
    )
    def test_bad_options_are_refused(self, options, message):
        with pytest.raises(ConfigurationError, match=message):
            bootstrap_accuracy_intervals(SCORES, LABELS, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], []), r"gloss scores and labels\n    expected: .*\n    found:    shapes \(0,\) and \(0,\)"),
        ((SCORES, LABELS[:3]), r"shapes \(4, 3\) and \(3,\)"),
        ((SCORES[:, 0], LABELS), r"shapes \(4,\) and \(4,\)"),
        ((SCORES, [0.0, 1.0, 1.0, 1.0]), "found:    float64"),
        ((SCORES, ["A", "B", "B", "B"]), "found:    <U1\n    fix:      turn names into ids"),
        ((SCORES, [0, 1, 3, 1]), "labels, row 2\n    expected: an id from 0 to 2\n    found:    3"),
        ((SCORES, [0, -100, 1, 1]), "gloss labels, row 1\n    expected: an id from 0 to 2\n    found:    -100"),
        ((SCORES, LABELS, CATEGORY_SCORES, [0, 2, -100, -1]), "category labels, row 1(.|\n)*category labels, row 3"),
        ((SCORES, LABELS, CATEGORY_SCORES[:3], [0, 1, 1]), r"as many of both\n    found:    \[3, 4\] rows"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ClassificationInputError, match=message):
        compute_gloss_metrics(*arguments)


def test_everything_wrong_is_named_at_once():
    scores = np.where(np.arange(4)[:, None] == 2, np.nan, SCORES)
    with pytest.raises(ClassificationInputError) as caught:
        check_scores(scores, [0, 1, 1, 9], CATEGORY_SCORES, [5, 0, 0, 0])
    where = [problem.where for problem in caught.value.problems]
    assert where == ["gloss scores, row 2", "gloss labels, row 3", "category labels, row 0"]
    assert "diverged" in caught.value.problems[0].fix


class TestEvaluateInterface:
    clips = random_clips()
    expected = compute_gloss_metrics(*clips)
    columns = dict(
        zip(("predictions", "references", "category_predictions", "category_references"), clips, strict=True)
    )

    def test_compute(self):
        assert GlossMetric(with_categories=True).compute(**self.columns) == self.expected
        one_head = GlossMetric().compute(predictions=self.clips[0], references=self.clips[1])
        assert one_head == {name: value for name, value in self.expected.items() if name != "category_accuracy"}

    def test_add_batch_and_add(self):
        metric = GlossMetric(with_categories=True)
        metric.add_batch(**{name: column[:-1] for name, column in self.columns.items()})
        prediction, reference, category_prediction, category_reference = (array[-1] for array in self.clips)
        metric.add(
            prediction=prediction,
            reference=reference,
            category_predictions=category_prediction,
            category_references=category_reference,
        )
        assert metric.compute() == self.expected

    def test_combine(self):
        combined = evaluate.combine({"gloss": GlossMetric(), "again": GlossMetric()})
        scores = combined.compute(predictions=self.clips[0].tolist(), references=self.clips[1].tolist())
        assert scores["gloss_accuracy"] == scores["again_accuracy"] == self.expected["accuracy"]

    def test_leaves_no_files(self, tmp_path):
        GlossMetric(cache_dir=str(tmp_path)).compute(predictions=SCORES, references=LABELS)
        assert list(tmp_path.iterdir()) == []

    def test_no_rows(self):
        with pytest.raises(ClassificationInputError, match="at least one clip"):
            GlossMetric().compute()

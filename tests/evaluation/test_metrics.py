"""The translation scores: values by hand or by sacrebleu, the `evaluate` interface, refusal of bad input."""

import evaluate
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.metrics import (
    CharacterErrorMetric,
    MetricInputError,
    PhoenixLegacyMetric,
    RougeLMetric,
    TranslationMetric,
    WordErrorMetric,
    compute_phoenix_legacy,
    compute_translation_metrics,
)
from hf_slt.evaluation.pairs import edit_counts, is_looping

REFERENCES = ["Mañana llueve en el norte.", "El año pasado nevó mucho en la montaña.", "¿Dónde vive tu hermana?"]
PREDICTIONS = ["Mañana llueve en el sur.", "El año pasado nevó en la montaña.", ""]


def test_perfect_predictions():
    scores = compute_translation_metrics(REFERENCES, REFERENCES)
    assert {name: round(value, 6) for name, value in scores.items() if name != "signature"} == {
        "bleu": 100,
        "bleu1": 100,
        "bleu2": 100,
        "bleu3": 100,
        "bleu4": 100,
        "chrf": 100,
        "chrfpp": 100,
        "ter": 0,
        "rouge_l": 100,
        "cer": 0,
        "wer": 0,
        "exact_match": 100,
        "length_ratio": 1,
        "looping": 0,
    }


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_cumulative_bleu_is_that_of_sacrebleu(order):
    scores = compute_translation_metrics(PREDICTIONS, REFERENCES)
    expected = BLEU(max_ngram_order=order).corpus_score(PREDICTIONS, [REFERENCES]).score
    assert 0 < expected < 100
    assert scores[f"bleu{order}"] == pytest.approx(expected, abs=1e-9)


def test_bleu_is_bleu4_and_chrf_and_ter_are_those_of_sacrebleu():
    scores = compute_translation_metrics(PREDICTIONS, REFERENCES)
    assert scores["bleu"] == scores["bleu4"]
    for name, metric in (("chrf", CHRF()), ("chrfpp", CHRF(word_order=2)), ("ter", TER(case_sensitive=True))):
        expected = metric.corpus_score(PREDICTIONS, [REFERENCES]).score
        assert 0 < expected < 100 and scores[name] == pytest.approx(expected, abs=1e-9), name


def test_rouge_l_is_a_mean_over_sentences_and_the_length_ratio_is_not():
    scores = compute_translation_metrics(["a b c d e f", ""], ["a b c d e f", "x y"])
    assert scores["rouge_l"] == pytest.approx(50)
    assert scores["length_ratio"] == pytest.approx(6 / 8)


def test_lower_case_on_demand_and_in_the_signature():
    pair = (["LA CASA ES AZUL"], ["la casa es azul"])
    kept, lowered = compute_translation_metrics(*pair), compute_translation_metrics(*pair, lowercase=True)
    assert (kept["bleu"], kept["wer"], kept["exact_match"], kept["rouge_l"]) == (0, 100, 0, 0)
    assert [round(lowered[name], 6) for name in ("bleu", "chrf", "ter", "wer", "exact_match")] == [100, 100, 0, 0, 100]
    assert kept["signature"].count("case:mixed") == lowered["signature"].count("case:lc") == 4


def test_phoenix_legacy_is_lower_cased_and_not_tokenized():
    pair = (["LA casa.", "Hoy llueve"], ["la casa .", "hoy llueve mucho"])
    scores = compute_phoenix_legacy(*pair)
    lowered = [[text.lower() for text in texts] for texts in pair]
    expected = compute_translation_metrics(*lowered, tokenize="none")
    assert list(scores) == ["bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "wer", "chrf", "signature"]
    assert {name: scores[name] for name in scores if name != "signature"} == {n: expected[n] for n in list(scores)[:-1]}
    assert "tok:none" in scores["signature"] and "case:mixed" not in scores["signature"]
    assert scores["bleu1"] > compute_translation_metrics(*pair, tokenize="none")["bleu1"]


def test_signature_names_all_settings():
    signature = compute_translation_metrics(PREDICTIONS, REFERENCES)["signature"]
    assert signature.startswith("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert " chrF2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:" in signature


def test_case_and_accents_count():
    scores = compute_translation_metrics(["el ano paso"], ["El año pasó"])
    assert scores["wer"] == 100
    assert scores["cer"] == pytest.approx(100 * 3 / 11)
    assert scores["bleu"] == 0


def test_error_rates_are_corpus_level_over_the_reference_and_can_exceed_100():
    # words: one replaced, then one replaced and two too many
    scores = compute_translation_metrics(["casi", "no sé nada"], ["cosa", "yo"])
    assert edit_counts(["casi", "no sé nada"], ["cosa", "yo"], "char").tolist() == [[2, 4], [9, 2]]
    assert scores["cer"] == pytest.approx(100 * 11 / 6)
    assert scores["wer"] == pytest.approx(100 * 4 / 2)


def test_white_space_alone_is_no_edit():
    scores = compute_translation_metrics(["  hola   mundo\n"], [" hola mundo"])
    assert (scores["cer"], scores["wer"], scores["exact_match"]) == (0, 0, 100)


def test_empty_prediction_is_scored_as_such():
    scores = compute_translation_metrics(["", "si"], ["dos palabras", "si"])
    assert scores["wer"] == pytest.approx(100 * 2 / 3)
    assert scores["exact_match"] == 50
    assert compute_translation_metrics([""], ["hola"])["bleu"] == 0


def test_tokenize_changes_bleu_only():
    by_13a = compute_translation_metrics(["hola, mundo ."], ["hola, mundo."])
    by_none = compute_translation_metrics(["hola, mundo ."], ["hola, mundo."], tokenize="none")
    assert by_13a["bleu1"] == pytest.approx(100)
    assert by_none["bleu1"] == pytest.approx(100 / 3)
    assert "tok:none" in by_none["signature"]
    assert by_13a["chrf"] == by_none["chrf"]


@pytest.mark.parametrize(
    ("sentence", "looping"),
    [
        ("a b c d a b c d", False),  # one 4-gram comes again
        ("a b c d a b c d a", True),  # two of them do
        ("no no no no no no", True),
        ("a b c", False),
        ("", False),
    ],
)
def test_looping(sentence, looping):
    assert is_looping(sentence) is looping


def test_looping_share():
    assert compute_translation_metrics(["no no no no no no", "a"], ["no", "a"])["looping"] == 50


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (["a", "b"], ["a"], "found:    2 predictions and 1 references"),
        ([], [], "found:    no rows"),
        (["a", "b"], ["a", " "], r"reference 1\n    expected: a sentence\n    found:    empty text ' '"),
        (["a", None], ["a", "b"], r"prediction 1\n    expected: a string\n    found:    NoneType None"),
        (["a"], [3], r"reference 0\n    expected: a string\n    found:    int 3"),
    ],
)
def test_bad_pairs_are_refused(predictions, references, message):
    with pytest.raises(MetricInputError, match=message):
        compute_translation_metrics(predictions, references)


def test_every_empty_reference_is_named():
    with pytest.raises(MetricInputError) as caught:
        compute_translation_metrics(["a"] * 4, ["", "a", "b", "\t"])
    assert [problem.where for problem in caught.value.problems] == ["reference 0", "reference 3"]


def test_unknown_tokenizer_is_refused():
    with pytest.raises(ConfigurationError, match="found '13b'"):
        compute_translation_metrics(["a"], ["a"], tokenize="13b")
    with pytest.raises(ConfigurationError, match="found '13b'"):
        TranslationMetric(tokenize="13b")


class TestEvaluateInterface:
    expected = compute_translation_metrics(PREDICTIONS, REFERENCES)

    def test_compute(self):
        assert TranslationMetric().compute(predictions=PREDICTIONS, references=REFERENCES) == self.expected

    def test_add_batch_and_add(self):
        metric = TranslationMetric()
        metric.add_batch(predictions=PREDICTIONS[:2], references=REFERENCES[:2])
        metric.add(prediction=PREDICTIONS[2], reference=REFERENCES[2])
        assert metric.compute() == self.expected

    def test_a_metric_starts_afresh_after_compute(self):
        metric = TranslationMetric()
        metric.compute(predictions=["otra cosa"], references=["nada de eso"])
        assert metric.compute(predictions=PREDICTIONS, references=REFERENCES) == self.expected

    def test_combine(self):
        combined = evaluate.combine({"text": TranslationMetric(), "gloss": TranslationMetric(tokenize="none")})
        scores = combined.compute(predictions=PREDICTIONS, references=REFERENCES)
        assert scores["text_bleu"] == self.expected["bleu"]
        assert scores["gloss_bleu"] == compute_translation_metrics(PREDICTIONS, REFERENCES, "none")["bleu"]

    def test_tokenize_by_construction_and_by_call(self):
        expected = compute_translation_metrics(PREDICTIONS, REFERENCES, "none")
        assert expected != self.expected
        assert TranslationMetric("none").compute(predictions=PREDICTIONS, references=REFERENCES) == expected
        by_call = TranslationMetric().compute(predictions=PREDICTIONS, references=REFERENCES, tokenize="none")
        assert by_call == expected

    def test_lower_case_by_construction_and_by_call(self):
        expected = compute_translation_metrics(PREDICTIONS, REFERENCES, lowercase=True)
        rows = {"predictions": PREDICTIONS, "references": REFERENCES}
        assert TranslationMetric(lowercase=True).compute(**rows) == expected != self.expected
        assert TranslationMetric().compute(**rows, lowercase=True) == expected

    def test_single_scores_combine(self):
        combined = evaluate.combine([CharacterErrorMetric(), WordErrorMetric(), RougeLMetric()])
        scores = combined.compute(predictions=PREDICTIONS, references=REFERENCES)
        assert scores == {name: self.expected[name] for name in ("cer", "wer", "rouge_l")}

    def test_phoenix_legacy(self):
        scores = PhoenixLegacyMetric().compute(predictions=PREDICTIONS, references=REFERENCES)
        assert scores == compute_phoenix_legacy(PREDICTIONS, REFERENCES)

    def test_leaves_no_files(self, tmp_path):
        metric = TranslationMetric(cache_dir=str(tmp_path))
        metric.compute(predictions=PREDICTIONS, references=REFERENCES)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("arguments", [{}, {"predictions": [], "references": []}])
    def test_no_rows(self, arguments):
        with pytest.raises(MetricInputError, match="no rows"):
            TranslationMetric().compute(**arguments)

    def test_other_lengths(self):
        with pytest.raises(ValueError, match=r"predictions \(2\) and references \(1\)"):
            TranslationMetric().compute(predictions=["a", "b"], references=["a"])

    def test_empty_reference(self):
        with pytest.raises(MetricInputError, match="reference 1"):
            TranslationMetric().compute(predictions=["a", "b"], references=["a", ""])

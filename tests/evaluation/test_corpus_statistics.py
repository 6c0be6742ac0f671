"""Vectorised scores are those of sacrebleu, also where orders are without a match or without any n-gram."""

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.corpus_statistics import collect_statistics, signature

REFERENCES = ["the cat sat on the mat", "it rains", "where does she live ?", "yes", "we go home now, (maybe)"]
PREDICTIONS = ["the cat is on a mat", "", "where do she lives ?", "no", "now we go home, maybe"]


@pytest.mark.parametrize("chosen", [[0], [1], [3], [1, 3], [0, 2], [2, 4], [0, 1, 2, 3, 4]])
def test_equals_sacrebleu(chosen):
    predictions, references = [PREDICTIONS[i] for i in chosen], [REFERENCES[i] for i in chosen]
    scores = collect_statistics(PREDICTIONS, REFERENCES).take(chosen).scores()
    expected = {
        **{f"bleu{n}": BLEU(max_ngram_order=n, force=True) for n in (1, 2, 3, 4)},
        "chrf": CHRF(),
        "chrfpp": CHRF(word_order=2),
        "ter": TER(case_sensitive=True),
    }
    for name, metric in expected.items():
        assert scores[name] == pytest.approx(metric.corpus_score(predictions, [references]).score, abs=1e-9), name


def test_weights_stand_for_repeated_sentences():
    statistics = collect_statistics(PREDICTIONS, REFERENCES)
    weights = np.array([[2.0, 0, 1, 0, 1], [0, 1, 0, 3, 0]])
    scores = statistics.score_sums(statistics.sums(weights))
    for row, chosen in enumerate([[0, 0, 2, 4], [1, 3, 3, 3]]):
        expected = statistics.take(chosen).scores()
        assert {name: values[row] for name, values in scores.items()} == pytest.approx(expected)


def test_only_what_is_asked_for_is_counted():
    statistics = collect_statistics(PREDICTIONS, REFERENCES, metrics=["wer", "chrfpp", "chrf"])
    assert set(statistics.rows) == {"words", "chrf"} and len(statistics) == 5
    assert list(statistics.scores()) == ["wer", "chrfpp", "chrf"]
    with pytest.raises(ConfigurationError, match=r"out of \['bleu'.*found \['rouge'\]"):
        collect_statistics(PREDICTIONS, REFERENCES, metrics=["rouge"])


def test_signature_names_what_was_computed():
    full = signature()
    assert [part.split("|")[0] for part in full.split()] == ["BLEU", "chrF2", "chrF2++", "TER"]
    assert "TER|nrefs:1|case:mixed|tok:tercom" in full and "nw:2" in full
    legacy = signature("none", True, ("bleu1", "bleu4", "chrf", "wer"))
    assert [part.split("|")[0] for part in legacy.split()] == ["BLEU", "chrF2"]
    assert legacy.count("case:lc") == 2 and "tok:none" in legacy

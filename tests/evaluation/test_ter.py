"""The edits of TER are those of sacrebleu, shift by shift, and known by hand."""

import random

import pytest
from sacrebleu.metrics import TER, lib_ter

from hf_slt.evaluation.ter import ter_counts

# Lost, moved and repeated runs; few kinds of words make for many matches.
SHAPES = [(words, kinds) for words in (6, 15, 30, 45) for kinds in (2, 8, 30)]


def damaged(reference: list[str], rng: random.Random) -> list[str]:
    words = [word for word in reference if rng.random() < rng.choice([0.2, 0.8])]
    if rng.random() < 0.3:
        words += words[:3] * rng.randint(1, 20)
    for _ in range(rng.randint(0, 3)):
        start = rng.randrange(len(words) + 1)
        run = words[start : start + 4]
        del words[start : start + 4]
        place = rng.randrange(len(words) + 1)
        words[place:place] = run
    return words


@pytest.mark.parametrize(
    ("prediction", "reference", "edits"),
    [
        ("a b c d", "a b c d", 0),
        ("c d a b", "a b c d", 1),  # one run moved
        ("b c d x a", "a b c d", 2),  # one moved, one too many
        ("", "a b", 2),
        ("x y z", "a", 3),
        ("A b", "a b", 1),
    ],
)
def test_by_hand(prediction, reference, edits):
    assert ter_counts([prediction], [reference]).tolist() == [[edits, len(reference.split())]]


@pytest.mark.parametrize(("words", "kinds"), SHAPES)
def test_equals_sacrebleu(words, kinds):
    rng = random.Random(words * 100 + kinds)
    references = [[str(rng.randrange(kinds)) for _ in range(rng.randint(1, words))] for _ in range(8)]
    predictions = [" ".join(damaged(reference, rng)) for reference in references]
    references = [" ".join(reference) for reference in references]
    counts = ter_counts(predictions, references)
    metric = TER(case_sensitive=True)
    expected = [metric.sentence_score(p, [r]) for p, r in zip(predictions, references, strict=True)]
    assert counts[:, 0].tolist() == [score.num_edits for score in expected]
    assert counts[:, 1].tolist() == [score.ref_length for score in expected]


def test_far_from_the_diagonal_sacrebleu_itself_is_asked(monkeypatch):
    seen = []
    monkeypatch.setattr(lib_ter, "translation_edit_rate", lambda *sides: seen.append(sides) or (77, 0))
    tail, lost = [f"t{i}" for i in range(30)], [f"h{i}" for i in range(26)]
    other = [f"x{i}" for i in range(26)]
    near, far = (" ".join(tail[:4] + other), " ".join(lost + tail[:4])), (" ".join(tail + other), " ".join(lost + tail))
    assert ter_counts([near[0], far[0]], [near[1], far[1]])[:, 0].tolist() == [27, 77]
    assert seen == [(tail + other, lost + tail)]

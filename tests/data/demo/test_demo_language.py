"""The demo language: its lexicon, its minimal pairs, its Spanish."""

import numpy as np
import pytest

from hf_slt.data.demo.grammar import MAX_SIGNS, draw_sentences, translate
from hf_slt.data.demo.signer import MOVEMENTS
from hf_slt.data.demo.signs import CATEGORIES, HANDSHAPES, MOUTHS, SIGNS, STREAM_OF_CHANNEL, minimal_pairs
from hf_slt.errors import ConfigurationError


def test_lexicon_is_large_enough_and_uses_known_parts():
    assert len(SIGNS) >= 24
    assert {sign.category for sign in SIGNS.values()} == set(CATEGORIES)
    for sign in SIGNS.values():
        assert sign.right in HANDSHAPES and sign.left in HANDSHAPES
        assert sign.movement in MOVEMENTS and sign.mouth in MOUTHS


def test_no_two_signs_look_the_same():
    looks = {(s.right, s.left, s.movement, s.mouth, s.head) for s in SIGNS.values()}
    assert len(looks) == len(SIGNS)


@pytest.mark.parametrize("channel", STREAM_OF_CHANNEL)
def test_each_channel_has_minimal_pairs(channel):
    pairs = minimal_pairs()[channel]
    assert len(pairs) >= 2
    for first, second in pairs:
        a, b = SIGNS[first], SIGNS[second]
        assert getattr(a, channel) != getattr(b, channel)
        assert a.category == b.category and a.head == b.head
        assert all(getattr(a, other) == getattr(b, other) for other in STREAM_OF_CHANNEL if other != channel)


@pytest.mark.parametrize(
    "glosses, text",
    [
        ("NIÑA VER", "la niña ve."),
        ("MAÑANA MANZANA ROJO NIÑA COMER", "la niña come una manzana roja mañana."),
        ("AYER PAN SEÑOR COMPRAR NO", "el señor no compró pan ayer."),
        ("CASA LIBRO PEQUEÑO MAMÁ BUSCAR", "la mamá busca un libro pequeño en casa."),
        ("HOY AQUÍ FLOR PEQUEÑO ABUELO QUERER", "el abuelo quiere una flor pequeña aquí hoy."),
    ],
)
def test_spanish_has_its_own_order_articles_and_verb_forms(glosses, text):
    assert translate(tuple(glosses.split())) == text


def test_sentences_are_different_short_and_the_same_each_time():
    sentences = draw_sentences(1500, seed=3)
    assert sentences == draw_sentences(1500, seed=3)
    assert len({sentence.text for sentence in sentences}) == 1500
    assert {len(sentence.glosses) for sentence in sentences} == set(range(2, MAX_SIGNS + 1))
    assert sentences != draw_sentences(1500, seed=4)
    assert draw_sentences(100, seed=3) == sentences[:100]


def test_every_sign_comes_often_enough_to_be_learnt():
    glosses = [gloss for sentence in draw_sentences(600, seed=0) for gloss in sentence.glosses]
    counts = dict(zip(*np.unique(glosses, return_counts=True), strict=True))
    assert counts.keys() == SIGNS.keys()
    assert min(counts.values()) >= 40


def test_a_request_for_too_many_sentences_says_how_many_there_are(monkeypatch):
    monkeypatch.setattr("hf_slt.data.demo.grammar.random_sentence", lambda rng: draw_sentences.__name__)
    with pytest.raises(ConfigurationError, match="at most about 1 different demo sentences, found a request for 2"):
        draw_sentences(2, seed=0)

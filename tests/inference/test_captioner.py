"""Captions: agreed words are said at once and never taken back, rest and long segments end a segment."""

import pytest
from live_factories import feed, live_frames

from hf_slt.errors import ConfigurationError
from hf_slt.inference.captioner import Captioner, LocalAgreement, drop_repeated, split_words


class Script:
    """Translates by a list, one text a call; remembers what it was asked."""

    def __init__(self, *texts):
        self.texts, self.windows, self.said = list(texts), [], []

    def __call__(self, frames, said):
        self.windows.append((frames[0].number, frames[-1].number))
        self.said.append(said)
        return self.texts[min(len(self.windows), len(self.texts)) - 1]


def test_words_are_the_text():
    assert split_words(" el  niño come. ") == ["el", "  niño", " come."]
    assert split_words("我 好吗 ok") == ["我", " 好", "吗", " ok"]  # noqa: RUF001
    assert split_words("  ") == []


def test_two_texts_have_to_agree():
    agreed = LocalAgreement()
    assert agreed.add("el niño come") == []
    assert agreed.add("el niño bebe agua") == ["el", " niño"]
    assert agreed.add("el niño bebe leche") == [" bebe"]
    assert agreed.text == "el niño bebe"
    assert agreed.finish("el niño bebe leche fría.") == [" leche", " fría."]
    assert agreed.text == "el niño bebe leche fría."


def test_what_was_said_stays():
    agreed = LocalAgreement()
    for text in ("la casa es", "la casa es"):
        agreed.add(text)
    assert agreed.add("un perro corre") == []
    assert agreed.add("un perro corre lejos hoy") == []  # "corre" ended one of the two
    assert agreed.add("un perro corre lejos ya") == [" corre", " lejos"]
    assert agreed.text == "la casa corre lejos"
    assert agreed.finish("un") == []
    assert agreed.text == "la casa corre lejos"


def test_the_end_of_a_sentence_is_held_back():
    agreed = LocalAgreement()
    assert [agreed.add("él come."), agreed.add("él come.")] == [[], ["él"]]
    assert agreed.finish() == [" come."]
    bold = LocalAgreement(hold=0)
    assert [bold.add("él come."), bold.add("él come.")] == [[], ["él", " come."]]


def test_the_agreement_of_more_texts_and_of_one():
    three, one = LocalAgreement(3), LocalAgreement(1)
    assert [three.add("a b c"), three.add("a b c"), three.add("a d c")] == [[], [], ["a"]]
    assert one.add("a b") == ["a"]
    assert LocalAgreement().finish() == []
    with pytest.raises(ConfigurationError, match="expected an agreement of 1 or more texts, found 0"):
        LocalAgreement(0)


def test_a_growing_window_says_what_two_translations_agree_on():
    script = Script("I too", "I see him", "I see her.", "I see her now.", "I see her again.")
    said = list(feed(Captioner(script, window=10, hop=0.5), live_frames("s" * 21)))
    assert [(c.text, c.end, c.is_final) for c in said] == [
        ("I", 1.0, False),
        ("see", 1.5, False),
        ("her again.", 2.0, True),
    ]
    assert script.windows == [(0, 5), (0, 10), (0, 15), (0, 20), (0, 20)]
    assert script.said == ["", "", "I", "I see", "I see"]
    assert {c.segment for c in said} == {0}
    assert said[1].to_dict() == {
        "text": "see",
        "segment": 0,
        "start": 0.0,
        "end": 1.5,
        "is_final": False,
        "words": 1,
    }
    assert str(said[1]) == "[1.50 s] see"


def test_rest_ends_a_segment_and_is_not_translated():
    script = Script("one", "two")
    said = list(feed(Captioner(script, hop=5, pause=0.5), live_frames("r" * 10 + "s" * 10 + "n" * 20 + "s" * 10)))
    assert [(c.text, c.segment, c.is_final) for c in said] == [("one", 0, True), ("two", 1, True)]
    assert script.windows == [(7, 24), (37, 49)]  # with the way to the first sign, and to the rest
    assert (said[0].start, said[0].end) == (0.7, 2.4)


def test_without_a_pause_everything_is_signing():
    script = Script("one")
    said = list(feed(Captioner(script, hop=5, pause=0), live_frames("r" * 10 + "n" * 10)))
    assert [(c.text, c.start, c.end) for c in said] == [("one", 0.0, 1.9)]


def test_nobody_says_nothing():
    script = Script("never")
    assert list(feed(Captioner(script), live_frames("n" * 30))) == []
    assert list(feed(Captioner(script), [])) == []
    assert script.windows == []


def test_hands_that_are_up_for_a_moment_are_no_segment():
    script = Script("one")
    said = list(feed(Captioner(script, pause=0.5, hop=0.2), live_frames("ssr" + "r" * 9 + "ssss" + "r" * 9 + "s")))
    assert [(c.text, c.segment) for c in said] == [("one", 0)]
    assert script.windows == [(9, 15), (9, 17), (9, 19), (9, 20)]


def test_a_long_segment_is_cut_and_repeated_words_are_said_once():
    script = Script("the cat sat", "Sat down", "sat down there")
    said = list(feed(Captioner(script, window=1.0, hop=5, overlap=0.3), live_frames("s" * 15)))
    assert script.windows == [(0, 10), (7, 14)]
    assert [(c.text, c.segment) for c in said] == [("the cat sat", 0), ("down", 1)]


def test_a_moment_of_signing_after_a_cut_is_no_segment():
    script = Script("one", "two")
    said = list(feed(Captioner(script, window=1.0, hop=5, pause=0.5), live_frames("s" * 13 + "r" * 10)))
    assert script.windows == [(0, 10)]  # two frames were left
    assert [(c.text, c.segment) for c in said] == [("one", 0)]


def test_without_overlap_nothing_is_dropped():
    script = Script("no no", "no no")
    said = list(feed(Captioner(script, window=1.0, hop=5), live_frames("s" * 15)))
    assert script.windows == [(0, 10), (11, 14)]
    assert [c.text for c in said] == ["no no", "no no"]


def test_who_has_no_time_translates_later():
    script = Script("a")
    captioner = Captioner(script, window=10, hop=0.5)
    for frame in live_frames("s" * 12):
        captioner.add(frame, may_translate=frame.number >= 8)
    assert script.windows == [(0, 8)]


def test_a_segment_without_words_still_ends():
    captions = list(feed(Captioner(Script("")), live_frames("s" * 10)))
    assert [(c.text, c.words, c.is_final) for c in captions] == [("", 0, True)]


@pytest.mark.parametrize("values", [{"hop": 0}, {"pause": -1}, {"hop": float("nan")}, {"pause": float("nan")}])
def test_settings_that_cannot_work(values):
    with pytest.raises(ConfigurationError, match="expected a hop above 0 s and a pause of 0 s or more"):
        Captioner(Script(), **values)


def test_repeated_words():
    assert drop_repeated([" b", " c", " d"], ["a", " B", " c"]) == [" d"]
    assert drop_repeated(["x"], ["a"]) == ["x"]
    assert drop_repeated([], ["a"]) == []

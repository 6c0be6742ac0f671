"""Figures of a corpus from what is known of its clips."""

import pytest

from hf_slt.errors import Problem
from hf_slt.inspection.clip_facts import ClipFacts
from hf_slt.inspection.corpus_facts import (
    Group,
    detections,
    extractors,
    group_clips,
    split_words,
    total_seconds,
    vocabulary,
    worst_clips,
)

HOLISTIC = {"extractor": "mediapipe_holistic", "extractor_version": "0.10.21"}


def clip(video_id, **known):
    return ClipFacts(video_id, **{"frames": 10, **known})


def test_groups_are_sorted_by_size_and_say_whether_their_length_is_all_of_it():
    clips = [
        clip("a", signer="x", seconds=1.0),
        clip("b", signer="y", seconds=2.0),
        clip("c", signer="y", seconds=None),
        clip("d", frames=0, error="broken"),
    ]
    assert group_clips(clips, lambda one: one.signer) == [
        Group("y", 2, 20, 2.0, False, 1),
        Group("unknown", 1, 0, None, True, 0),
        Group("x", 1, 10, 1.0, True, 1),
    ]
    assert total_seconds([clips[0], clips[3]]) == (1.0, True)


def test_detection_is_over_the_clips_that_were_extracted():
    rates = [0.0, *[0.4] * 2, *[1.0] * 8]
    clips = [clip(str(number), rates={"face": rate}) for number, rate in enumerate(rates)]
    (face,) = detections([*clips, clip("x", rates={"face": 0.0}, error="broken")])
    assert (face.part, face.clips, face.below_half) == ("face", 11, 3)
    assert face.mean == pytest.approx(8.8 / 11)
    assert (face.median, face.low_tenth) == (1.0, 0.4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("¿Dónde está  el niño?", ["dónde", "está", "el", "niño"]),
        ("l'ami, «oui» -- 3.5!", ["l'ami", "oui", "3.5"]),
        ("नमस्ते दुनिया।", ["नमस्ते", "दुनिया"]),
    ],
)
def test_words_lose_the_punctuation_at_their_ends(text, words):
    assert split_words(text) == words


def test_vocabulary_counts_words_and_of_signs_whole_names():
    texts = ["El niño come", "el pan, el pan", None]
    clips = [clip(str(number), text=text) for number, text in enumerate(texts)]
    words = vocabulary(clips, shown=2)
    assert (words.words, words.different, words.once) == (7, 4, 2)
    assert list(words.common) == [("el", 3), ("pan", 2)]
    assert list(words.rare) == [("come", 1), ("niño", 1)]
    signs = vocabulary([clip("a", text="HOW ARE YOU"), clip("b", text="HOW ARE YOU")], of_glosses=True)
    assert (signs.words, list(signs.common)) == (2, [("HOW ARE YOU", 2)])


def test_rare_words_are_spread_over_the_alphabet():
    words = vocabulary([clip("a", text=" ".join("abcdefghi"))], shown=3)
    assert [word for word, _ in words.common] == ["a", "b", "c"]
    assert [word for word, _ in words.rare] == ["d", "f", "h"]


def test_errors_come_first_then_problems_then_low_rates_and_each_clip_once():
    problem = Problem("clip 'c'", "an image", "a text", "extract it again")
    clips = [
        clip("a", rates={"person": 1.0, "left_hand": 0.0, "right_hand": 1.0}, frames=5),
        clip("b", rates={"person": 0.9, "left_hand": 0.2, "right_hand": 0.4}),
        clip("c", rates={"person": 0.1}, problems=[problem, problem]),
        clip("d", frames=0, error="not a video"),
        clip("e", rates={"person": 1.0}, frames=50),
    ]
    found = worst_clips(clips, most=4)
    assert [(finding.clip.video_id, finding.reason) for finding in found] == [
        ("d", "not extracted: not a video"),
        ("c", "breaks the data contract: expected an image, found a text (and 1 more)"),
        ("b", "better hand in 40 % of the frames"),
        ("a", "one of the shortest"),
        ("e", "one of the longest"),
    ]


def test_extractors_are_counted_with_those_that_are_not_known():
    clips = [clip("a", provenance=HOLISTIC), clip("b", provenance=HOLISTIC), clip("c"), clip("d", error="broken")]
    assert extractors(clips) == {"mediapipe_holistic 0.10.21": 2, "unknown": 1}

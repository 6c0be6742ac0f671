"""Spotted signs: each one once, with hysteresis, and none where nobody signs."""

import numpy as np
import pytest
from live_factories import feed, live_frames

from hf_slt.errors import ConfigurationError
from hf_slt.inference.gloss_spotter import GlossSpotter, SpottedGloss

NAMES = ["A", "B", "C"]


class Script:
    """Classifies by a list of (gloss, probability) a look; the others share the rest."""

    def __init__(self, *looks):
        self.looks, self.windows = list(looks), []

    def __call__(self, frames):
        self.windows.append((frames[0].number, frames[-1].number))
        gloss, score = self.looks[min(len(self.windows), len(self.looks)) - 1]
        probabilities = np.full(3, (1 - score) / 2, np.float32)
        probabilities[gloss] = score
        return probabilities


def spot(script, activity, **settings):
    spotter = GlossSpotter(script, NAMES, **{"hop": 0.5, "window": 2, "threshold": 0.6, **settings})
    return [(s.gloss, round(s.score, 2), s.start, s.end) for s in feed(spotter, live_frames(activity))]


def test_a_sign_is_said_once_with_its_place():
    script = Script((1, 0.7), (1, 0.9), (1, 0.8))
    assert spot(script, "r" * 10 + "s" * 20 + "r" * 10) == [("B", 0.9, 1.0, 2.9)]
    assert script.windows[0] == (10, 15)  # the rest before is not looked at
    assert script.windows[-1] == (10, 29)


def test_two_signs_in_a_row_without_rest():
    looks = [(0, 0.9), (0, 0.9), (2, 0.9), (2, 0.9), (2, 0.9)]
    assert spot(Script(*looks), "s" * 26) == [("A", 0.9, 0.0, 1.0), ("C", 0.9, 0.0, 2.5)]


def test_two_signs_with_rest_are_two_even_if_they_are_the_same():
    said = spot(Script((0, 0.9)), "s" * 15 + "r" * 10 + "s" * 15)
    assert said == [("A", 0.9, 0.0, 1.4), ("A", 0.9, 2.5, 3.9)]


def test_one_look_does_not_make_a_sign_while_the_hands_move_on():
    assert spot(Script((0, 0.9), (1, 0.5), (2, 0.9), (1, 0.5)), "s" * 26) == []


def test_a_sign_lasts_until_its_probability_has_fallen_far():
    fading = Script((0, 0.9), (0, 0.9), (0, 0.45), (0, 0.9), (0, 0.3), (0, 0.3))
    assert spot(fading, "s" * 36) == [("A", 0.9, 0.0, 2.0)]


def test_below_the_threshold_there_is_no_sign():
    assert spot(Script((0, 0.59)), "s" * 30) == []


def test_resting_hands_and_nobody_are_no_sign():
    script = Script((0, 0.99))
    assert spot(script, "r" * 20 + "n" * 20) == []
    assert script.windows == []


def test_a_sign_too_short_for_two_looks_counts_at_its_end():
    script = Script((2, 0.8))
    assert spot(script, "s" * 8 + "r" * 10, hop=2) == [("C", 0.8, 0.0, 0.7)]
    assert spot(Script((2, 0.8)), "s" * 2 + "r" * 10) == []  # a twitch


def test_without_a_pause_rest_is_looked_at_too():
    script = Script((0, 0.9))
    assert spot(script, "r" * 12, pause=0) == [("A", 0.9, 0.0, 1.1)]


def test_hands_that_left_the_window_are_not_looked_at():
    script = Script((0, 0.9))
    assert spot(script, "s" * 10 + "r" * 40, window=1, pause=3) == [("A", 0.9, 0.0, 0.9)]
    assert script.windows[-1] == (5, 9)  # then the window has only rest in it
    assert [s[0] for s in spot(Script((0, 0.9)), "s" * 4 + "r" * 8, window=0.05)] == ["A"]  # a window of one frame


def test_who_has_no_time_does_not_look():
    script = Script((0, 0.9))
    spotter = GlossSpotter(script, NAMES)
    for frame in live_frames("s" * 20):
        spotter.add(frame, may_classify=False)
    assert script.windows == []
    assert [s.gloss for s in spotter.finish()] == ["A"]


def test_a_sign_as_text_and_as_data():
    said = SpottedGloss("THANK YOU", 4, 0.91239, 0.5, 1.23456, 1.7, arrival=3.0)
    assert str(said) == "[0.50-1.23 s] THANK YOU (4) 0.91"
    assert said.to_dict() == {
        "gloss": "THANK YOU",
        "id": 4,
        "score": 0.9124,
        "start": 0.5,
        "end": 1.235,
        "said_at": 1.7,
    }


@pytest.mark.parametrize(
    "values", [{"hop": 0}, {"pause": -1}, {"confirm": 0}, {"threshold": 0}, {"threshold": 1.1}, {"pause": float("nan")}]
)
def test_settings_that_cannot_work_are_refused(values):
    with pytest.raises(ConfigurationError, match="expected a hop above 0 s, a pause of 0 s or more"):
        GlossSpotter(Script(), NAMES, **values)

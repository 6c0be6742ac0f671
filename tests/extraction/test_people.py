"""Who is taken for the signer: people joined over frames, motion in the signing space, the signer's part."""

import numpy as np
import pytest

from hf_slt.extraction import people as module
from hf_slt.extraction.people import (
    Detection,
    Person,
    SignerChoice,
    choose_signer,
    join_people,
    pick_signer,
    pixel_box,
    sample_numbers,
)
from hf_slt.extraction.video import VideoFrame

WIDE = 16 / 9


def someone(x, radius=0.5):
    return Detection(x=x, y=0.5, head_x=x, radius=radius)


def person(x, motion, size=0.5, frames=6):
    return Person({number: someone(x, size) for number in range(frames)}, motion)


def test_pairs_of_neighbours_are_spread_over_the_clip():
    assert sample_numbers(120) == [10, 11, 30, 31, 50, 51, 70, 71, 90, 91, 110, 111]
    assert sample_numbers(4) == [0, 1, 2, 3]
    assert sample_numbers(1) == [0]


def test_detections_are_joined_by_position_whatever_their_order():
    found = [[someone(0.4), someone(1.2)], [someone(1.25), someone(0.45)], [someone(1.3)]]
    left, right = join_people(found)
    assert sorted(left.found) == [0, 1]
    assert sorted(right.found) == [0, 1, 2]
    assert (left.x, right.x) == pytest.approx((0.425, 1.25))


def test_a_passing_or_a_tiny_person_is_none_of_the_people():
    found = [[someone(0.4), someone(1.4, 0.1)] for _ in range(5)] + [[someone(0.4), someone(1.1)]]
    assert [one.x for one in join_people(found)] == pytest.approx([0.4])
    assert join_people([[], []]) == []


def test_frames_without_anybody_count_against_nobody():
    found = [[someone(0.4), someone(1.2)], [someone(0.4), someone(1.2)], [], [], [], []]
    assert len(join_people(found)) == 2


def test_somebody_who_crosses_the_picture_stays_one_person():
    found = [[someone(0.2 + 0.28 * number)] for number in range(6)]
    assert len(join_people(found)) == 1


def test_the_signer_is_who_is_large_and_moves():
    choice = pick_signer([person(0.5, 0.005, size=0.7), person(1.2, 0.04)], WIDE, 6)
    assert (choice.people, choice.signer) == (2, 1)
    assert choice.region == pytest.approx(((0.5 + 1.2) / 2 / WIDE, 0, 1, 1), abs=1e-4)
    assert choice.to_dict()["candidates"][0] == {
        "x": 0.2812,
        "size": 0.7,
        "motion": 0.005,
        "score": 0.0035,
        "frames": 1.0,
    }
    near, far = person(0.5, 0.02, size=0.6), person(1.2, 0.021, size=0.3)
    assert pick_signer([near, far], WIDE, 6).region == pytest.approx((0, 0, 0.85 / WIDE, 1), abs=1e-4)


def test_the_part_of_the_signer_reaches_no_further_than_arms_do():
    choice = pick_signer([person(0.2, 0.0, size=0.2), person(1.5, 0.04, size=0.2)], WIDE, 6)
    assert choice.region == pytest.approx(((1.5 - 0.3) / WIDE, 0, 1, 1), abs=1e-4)


def test_one_person_or_none_has_the_whole_picture():
    assert pick_signer([person(0.5, 0.0)], WIDE, 6).region is None
    nobody = pick_signer([], WIDE, 6)
    assert nobody == SignerChoice(sampled=6)
    assert nobody.to_dict() == {"people": 0, "region": None, "signer": None, "candidates": [], "sampled": 6}


def test_a_region_in_pixels_is_never_empty():
    assert pixel_box(None, 320, 180) == (0, 0, 320, 180)
    assert pixel_box((0.5, 0, 1, 1), 321, 180) == (160, 0, 321, 180)
    assert pixel_box((1.0, 1.0, 1.0, 1.0), 10, 10) == (9, 9, 10, 10)


def frames_of(number_images):
    return [VideoFrame(number, number / 25, image) for number, image in number_images]


def moving(box, seed):
    """A black picture with noise in a box (left, top, right, bottom) of 160 x 90."""
    image = np.zeros((90, 160, 3), np.uint8)
    left, top, right, bottom = box
    image[top:bottom, left:right] = np.random.default_rng(seed).integers(0, 255, (bottom - top, right - left, 1))
    return image


LEFT_HEAD, RIGHT_HANDS = (36, 10, 56, 38), (100, 60, 120, 70)


@pytest.fixture
def two_people(monkeypatch):
    pytest.importorskip("cv2", reason="motion needs OpenCV (extra 'extraction')")
    monkeypatch.setattr(module, "_detect", lambda image: [someone(46 / 90), someone(110 / 90)])


@pytest.mark.parametrize(("box", "signer"), [(RIGHT_HANDS, 1), ((30, 60, 50, 70), 0)])
def test_hands_win(two_people, box, signer):
    choice = choose_signer(frames_of((number, moving(box, number)) for number in range(12)))
    assert (choice.people, choice.signer, choice.sampled) == (2, signer, 6)


def test_the_motion_of_a_head_does_not_count(two_people):
    small = (108, 64, 112, 66)
    images = [np.maximum(moving(LEFT_HEAD, number), moving(small, number)) for number in range(12)]
    choice = choose_signer(frames_of(enumerate(images)))
    assert choice.signer == 1
    assert choice.candidates[0]["motion"] == 0
    assert choice.candidates[1]["motion"] > 0


def test_frames_without_an_image_or_a_neighbour_are_passed_over(two_people):
    numbers = [0, 5, 6, 20, 21, 22]
    frames = [VideoFrame(3, 0.12, None), *frames_of((number, moving(RIGHT_HANDS, number)) for number in numbers)]
    assert choose_signer(frames).sampled == 2
    lone = choose_signer(frames_of([(7, moving(RIGHT_HANDS, 0))]))
    assert (lone.people, lone.sampled, lone.signer) == (2, 1, 0)
    assert choose_signer([]) == SignerChoice()

"""Frames are kept and timed by their time stamps."""

import pytest

from hf_slt.extraction.resampling import FrameClock, FrameSlots


def kept(times, fps):
    slots = FrameSlots(fps)
    return [time for time in times if slots.take(time)]


def test_a_frame_is_kept_when_its_time_passes_the_next_slot():
    times = [number / 30 for number in range(10)]
    assert kept(times, 10) == pytest.approx([0, 0.1, 0.2, 0.3])
    # Slots 0, .04, .08, .12, ...: of every six frames, the last one passes no new slot.
    assert kept(times, 25) == pytest.approx([times[number] for number in (0, 2, 3, 4, 5, 6, 8, 9)])


def test_a_gap_over_several_slots_gives_one_frame_and_goes_on_after_it():
    assert kept([0, 0.1, 0.57, 0.61, 0.69, 0.71], 10) == [0, 0.1, 0.57, 0.61, 0.71]


def test_a_slower_video_keeps_every_frame_once():
    times = [0, 0.12, 0.24, 0.36]
    assert kept(times, 25) == times
    assert kept(times, None) == times


def test_time_stamps_rounded_to_milliseconds_lose_no_frame():
    times = [round(number / 30, 3) for number in range(300)]
    assert times[1] < 1 / 30
    assert kept(times, 30) == times


def test_a_clip_whose_first_frame_is_late_starts_with_it():
    assert kept([0.03, 0.07, 0.11, 0.15, 0.2], 10) == [0.03, 0.11, 0.2]


@pytest.mark.parametrize(
    ("rate", "stamps", "expected"),
    [
        (10, [0.0, 0.2, 0.3], [0.0, 0.2, 0.3]),
        (10, [None, None, None], [0.0, 0.1, 0.2]),
        (10, [0.5, None, 0.9], [0.5, 0.6, 0.9]),
        (10, [0.0, 0.1, 0.1, 0.05, 0.6], [0.0, 0.1, 0.2, 0.3, 0.6]),  # repeated, set back, and good again
        (None, [None, None], [0.0, 0.04]),
    ],
)
def test_times_increase_whatever_the_stamps_are(rate, stamps, expected):
    clock = FrameClock(rate)
    assert [clock.tick(stamp) for stamp in stamps] == pytest.approx(expected)

"""Live frames of a made-up signer, who signs and rests when a test says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from landmark_factories import signer_frame, signer_pose

from hf_slt.extraction.landmark_clip import FrameLandmarks
from hf_slt.inference.streaming import LiveFrame
from hf_slt.streams import IMAGE_STREAMS

FPS = 10
WIDTH, HEIGHT = 400, 200
RESTING = signer_frame(pose=signer_pose(left_wrist=0.1, right_wrist=0.1), left_hand=None, right_hand=None)
NOBODY = FrameLandmarks()


def live_frame(number: int, landmarks: FrameLandmarks | None = None, crop_size: int = 0) -> LiveFrame:
    """Return a frame at `number / FPS` seconds; the signer signs unless other landmarks are given.

    Args:
        number: Its number.
        landmarks: What is found in it.
        crop_size: Side of the crops, each in a grey of its own; 0: no crops.
    """
    crops = {s: np.full((crop_size, crop_size, 3), 50 * i + number, np.uint8) for i, s in enumerate(IMAGE_STREAMS)}
    return LiveFrame(
        number, number / FPS, landmarks or signer_frame(number), WIDTH, HEIGHT, crops if crop_size else {}, 0.0
    )


def live_frames(activity: str) -> list[LiveFrame]:
    """Return frames, one a character: `s` signs, `r` rests, `n` shows nobody."""
    found = {"s": None, "r": RESTING, "n": NOBODY}
    return [live_frame(number, found[kind]) for number, kind in enumerate(activity)]


def feed(reader, frames: Iterable[LiveFrame]) -> Iterator:
    """Yield what a captioner or a spotter says of frames, and at their end."""
    for frame in frames:
        yield from reader.add(frame)
    yield from reader.finish()

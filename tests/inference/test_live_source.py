"""Frames as they arrive: dropped for who is behind, paced like a camera, and a camera that is not there."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from landmark_factories import FakeDetector, signer_frame

from hf_slt.errors import ConfigurationError, VideoError
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.video import VideoFrame
from hf_slt.inference import live_source
from hf_slt.inference.live_source import LatestFrames, arriving, camera_frames, check_fps, find_landmarks, paced

IMAGE = np.zeros((200, 400, 3), np.uint8)


def frames(count, fps=10):
    return [VideoFrame(number, number / fps, IMAGE) for number in range(count)]


def test_frames_of_a_file_all_arrive():
    before = time.perf_counter()
    arrived = list(arriving(frames(3)))
    assert [frame.number for frame, _ in arrived] == [0, 1, 2]
    assert before <= arrived[0][1] <= arrived[2][1] <= time.perf_counter()


def test_pace_is_that_of_the_clip():
    start = time.perf_counter()
    assert [frame.number for frame in paced(iter(frames(4)), speed=10)] == [0, 1, 2, 3]
    assert time.perf_counter() - start >= 0.03  # 0.3 s of the clip


def test_who_is_behind_gets_the_latest_frame():
    with LatestFrames(paced(frames(10, fps=50))) as latest:
        time.sleep(0.5)  # all have come
        got = [frame.number for frame, _ in latest]
    assert got == [9]
    assert latest.dropped == 9


def test_who_keeps_up_gets_every_frame():
    with LatestFrames(paced(frames(4, fps=20))) as latest:
        assert [frame.number for frame, _ in latest] == [0, 1, 2, 3]
    assert latest.dropped == 0


def test_leaving_early_ends_the_source():
    closed = []

    def endless():
        number = 0
        try:
            while True:
                time.sleep(0.002)
                yield VideoFrame(number, number / 10, IMAGE)
                number += 1
        finally:
            closed.append(number)

    with LatestFrames(endless()) as latest:
        next(iter(latest))
    assert len(closed) == 1
    assert not latest._thread.is_alive()


def test_an_error_of_the_source_is_raised_where_it_is_read():
    def broken():
        yield frames(1)[0]
        time.sleep(0.05)
        raise ConfigurationError("expected a cable, found none")

    with LatestFrames(broken()) as latest, pytest.raises(ConfigurationError, match="expected a cable"):
        list(latest)


class FakeCamera:
    """Stands in for `cv2.VideoCapture`: pictures (RGB 3, 2, 1) until there are no more."""

    def __init__(self, count, is_open=True):
        self.left, self.is_open, self.released = count, is_open, False

    def isOpened(self):  # noqa: N802
        return self.is_open

    def read(self):
        self.left -= 1
        picture = np.broadcast_to(np.array([1, 2, 3], np.uint8), (4, 6, 3))
        return (True, picture) if self.left >= 0 else (False, None)

    def release(self):
        self.released = True


def connect(monkeypatch, camera):
    asked = []
    cv2 = SimpleNamespace(
        VideoCapture=lambda index: asked.append(index) or camera,
        utils=SimpleNamespace(logging=SimpleNamespace(setLogLevel=lambda level: None, LOG_LEVEL_SILENT=0)),
        cvtColor=lambda picture, code: picture[..., ::-1],
        COLOR_BGR2RGB=0,
    )
    monkeypatch.setattr(live_source, "require_package", lambda name, extra: cv2)
    return asked


def test_pictures_of_a_camera(monkeypatch):
    camera = FakeCamera(3)
    asked = connect(monkeypatch, camera)
    taken = list(camera_frames(2, fps=1e6))
    assert asked == [2]
    assert [frame.number for frame in taken] == [0, 1, 2]
    assert taken[0].image[0, 0].tolist() == [3, 2, 1]
    assert taken[0].time < taken[1].time < taken[2].time
    assert camera.released


def test_a_camera_that_is_faster_than_asked(monkeypatch):
    connect(monkeypatch, FakeCamera(50))
    assert len(list(camera_frames(0, fps=0.01))) == 1  # a slot each 100 s


@pytest.mark.parametrize(
    ("camera", "found"), [(FakeCamera(3, is_open=False), "none"), (FakeCamera(0), "a camera without a picture")]
)
def test_no_camera(monkeypatch, camera, found):
    connect(monkeypatch, camera)
    with pytest.raises(VideoError) as raised:
        next(camera_frames(1, fps=15))
    message = str(raised.value)
    assert message.startswith("the camera is not usable: 1 problem\n1. camera 1\n")
    assert f"found:    {found}\n" in message
    assert "use --video FILE" in message
    assert camera.released


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_frame_rate_that_is_none(fps):
    with pytest.raises(ConfigurationError, match="expected --fps above 0, found"):
        check_fps(fps)


def test_landmarks_and_the_crops_that_are_asked_for():
    pytest.importorskip("cv2", reason="OpenCV cuts and resizes crops")
    detector, asked = FakeDetector([signer_frame(0), signer_frame(1, left_hand=None)]), []

    def make(options, region):
        asked.append((options, region))
        return detector

    options = ExtractionOptions(image_size=32)
    found = list(find_landmarks(arriving(frames(2)), options, ("face", "left_hand"), (0, 0, 0.5, 1), make))
    assert asked == [(options, (0, 0, 0.5, 1))]
    assert [(frame.number, frame.time, frame.width, frame.height) for frame in found] == [
        (0, 0.0, 400, 200),
        (1, 0.1, 400, 200),
    ]
    assert set(found[0].crops) == {"face", "left_hand"}
    assert found[0].crops["face"].shape == (32, 32, 3)
    assert found[1].landmarks.left_hand is None
    assert detector.closed


def test_no_crops_where_the_model_reads_none():
    make = lambda options, region: FakeDetector([signer_frame()])  # noqa: E731
    (found,) = find_landmarks(arriving(frames(1)), ExtractionOptions(), (), None, make)
    assert found.crops == {}

"""Frames as they arrive, of a camera or of a file, and the landmarks and crops of each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Condition, Thread
from typing import Any, Protocol

from hf_slt.errors import ConfigurationError, Problem, VideoError, require_package
from hf_slt.extraction.crops import CropMaker
from hf_slt.extraction.hand_checks import check_hands
from hf_slt.extraction.landmark_clip import FrameLandmarks
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.resampling import FrameSlots
from hf_slt.extraction.video import VideoFrame
from hf_slt.inference.streaming import LiveFrame

_JOIN_SECONDS = 5.0

Arrival = tuple[VideoFrame, float]


class Detector(Protocol):
    """What finds the landmarks of one frame after the other, as `HolisticDetector` does."""

    def detect(self, image: Any) -> FrameLandmarks:
        """Return the landmarks of an image `(H, W, 3)` uint8 RGB."""


DetectorFactory = Callable[[ExtractionOptions, Any], AbstractContextManager[Detector]]


def check_fps(fps: float) -> None:
    """Raise `ConfigurationError` for a frame rate that is none."""
    if not fps > 0 or not math.isfinite(fps):
        raise ConfigurationError(f"expected --fps above 0, found {fps:g}")


def arriving(frames: Iterable[VideoFrame]) -> Iterator[Arrival]:
    """Yield all frames of a file, each with the time of `time.perf_counter` at which it was asked for and read."""
    for frame in frames:
        yield frame, time.perf_counter()


def paced(frames: Iterable[VideoFrame], speed: float = 1.0) -> Iterator[VideoFrame]:
    """Yield the frames of a file when a camera would have shown them.

    Args:
        frames: The frames.
        speed: Seconds of the file in a second.
    """
    begin: float | None = None
    for frame in frames:
        begin = time.perf_counter() - frame.time / speed if begin is None else begin
        time.sleep(max(0.0, begin + frame.time / speed - time.perf_counter()))
        yield frame


def camera_frames(index: int, fps: float) -> Iterator[VideoFrame]:
    """Yield the pictures of a camera, at most `fps` a second.

    Args:
        index: Its number; 0 is the first one.
        fps: Pictures a second.

    Raises:
        ConfigurationError: A number below 0.
        MissingDependencyError: OpenCV is not installed.
        VideoError: There is no such camera, or it gives no picture.
    """
    if index < 0:  # OpenCV would take any camera, or crash without one
        raise ConfigurationError(f"expected the number of a camera, from 0, in --camera, found {index}")
    cv2 = require_package("cv2", extra="extraction")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it would tell of every driver that it tried
    camera = cv2.VideoCapture(index)
    try:
        is_there, picture = camera.read() if camera.isOpened() else (False, None)
        if not is_there:
            raise VideoError(
                [
                    Problem(
                        f"camera {index}",
                        "a camera that gives pictures",
                        "none" if not camera.isOpened() else "a camera without a picture",
                        "connect one and give its number to --camera, or use --video FILE",
                    )
                ],
                headline="the camera is not usable",
            )
        begin, slots, number = time.perf_counter(), FrameSlots(fps), 0
        while is_there:
            now = time.perf_counter() - begin
            if slots.take(now):
                yield VideoFrame(number, now, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
                number += 1
            is_there, picture = camera.read()
    finally:
        camera.release()


class LatestFrames:
    """Iterates over the frames of a source that does not wait: who is behind gets the latest one only.

    A context manager: the source is read in a thread of its own, which ends with the block.

    Args:
        frames: The frames, as they arrive.

    Attributes:
        dropped: Frames that nobody got.
    """

    def __init__(self, frames: Iterable[VideoFrame]):
        self.dropped = 0
        self._frames = frames
        self._news = Condition()
        self._latest: Arrival | None = None
        self._error: BaseException | None = None
        self._is_over = False
        self._thread = Thread(target=self._read, name="frames", daemon=True)

    def __enter__(self) -> LatestFrames:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._news:
            self._is_over = True
            self._news.notify_all()
        self._thread.join(_JOIN_SECONDS)

    def __iter__(self) -> Iterator[Arrival]:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._latest is not None or self._is_over)
                latest, self._latest = self._latest, None
                if latest is None:
                    if self._error is not None:
                        raise self._error
                    return
            yield latest

    def _read(self) -> None:
        try:
            for frame in self._frames:
                with self._news:
                    if self._is_over:
                        return
                    self.dropped += self._latest is not None
                    self._latest = frame, time.perf_counter()
                    self._news.notify_all()
        except BaseException as error:  # raised where the frames are read
            self._error = error
        finally:
            if close := getattr(self._frames, "close", None):
                close()
            with self._news:
                self._is_over = True
                self._news.notify_all()


def choose_region(video: Path) -> Any:
    """Return the part of the picture that the signer of a file is in, None for all of it."""
    from hf_slt.extraction.people import find_signer

    return find_signer(video).region


def find_landmarks(
    arrivals: Iterable[Arrival],
    options: ExtractionOptions,
    streams: Collection[str] = (),
    region: Any = None,
    make_detector: DetectorFactory | None = None,
) -> Iterator[LiveFrame]:
    """Yield each frame with its landmarks and crops.

    Args:
        arrivals: The frames.
        options: Settings of the extraction.
        streams: Image streams to cut out.
        region: The part of the picture to look at; None: all of it.
        make_detector: What makes the detector of options and region; MediaPipe Holistic by default.

    Raises:
        VideoError: The frames cannot be read.
        MissingDependencyError: A package of the extra `extraction` is missing.
    """
    if make_detector is None:
        from hf_slt.extraction.holistic import HolisticDetector as make_detector
    with make_detector(options, region) as detector:
        crop_maker: CropMaker | None = None
        for number, (frame, arrival) in enumerate(arrivals):
            height, width = frame.image.shape[:2]
            landmarks = check_hands(detector.detect(frame.image), width, height)
            if crop_maker is None:
                crop_maker = CropMaker(options, width, height, streams)
            crops = crop_maker.crop(frame.image, landmarks) if streams else {}
            yield LiveFrame(number, frame.time, landmarks, width, height, crops, arrival)

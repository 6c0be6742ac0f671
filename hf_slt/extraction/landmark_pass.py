"""The landmark model over one clip: decoding goes on ahead of it, and the signer is chosen while it has begun."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from hf_slt.extraction.hand_checks import check_hands
from hf_slt.extraction.holistic import HolisticDetector, one_core
from hf_slt.extraction.landmark_clip import FrameLandmarks
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.people import Region, SignerChoice
from hf_slt.extraction.pipelining import ahead
from hf_slt.extraction.video import VideoFrame, read_frames

Span = tuple[float | None, float | None]

AHEAD = 8  # decoded frames that wait for the landmark model
_HELD = 16  # frames with landmarks that wait for the choice of the signer


def signer_landmarks(
    video: Path, options: ExtractionOptions, span: Span, choosing: Future[SignerChoice], core: int | None = None
) -> Iterator[tuple[VideoFrame, FrameLandmarks]]:
    """Yield the frames of a clip with the landmarks of its signer.

    Most clips show one person, so the model begins on the whole picture while the signer is still being chosen. The
    first frames are held back until that is done; if there is a choice, they are thrown away and it begins again.

    Args:
        video: The file.
        options: Settings.
        span: Start and end of the clip in seconds, see `read_frames`.
        choosing: The choice of the signer, done or under way in another thread.
        core: Number of the core that the model is bound to; None leaves that to the system.

    Raises:
        VideoError: The video is not usable.
        MissingDependencyError: A package of the extra `extraction` is missing.
    """
    with closing(_detected(video, options, span, None, core)) as found:
        held = []
        for pair in found:
            held.append(pair)
            if choosing.done() or len(held) == _HELD:
                break
        if choosing.result().region is None:
            while held:
                yield held.pop(0)
            yield from found
            return
    yield from _detected(video, options, span, choosing.result().region, core)


def _detected(
    video: Path, options: ExtractionOptions, span: Span, region: Region | None, core: int | None
) -> Iterator[tuple[VideoFrame, FrameLandmarks]]:
    # The decoder's thread starts before the model is bound to its core: what is started after it stays on that core.
    with (
        ahead(read_frames(video, fps=options.fps, start=span[0], end=span[1]), AHEAD) as frames,
        _bound_to(core),
        HolisticDetector(options, region) as detector,
    ):
        for frame in frames:
            height, width = frame.image.shape[:2]
            yield frame, check_hands(detector.detect(frame.image), width, height)


def _bound_to(core: int | None) -> AbstractContextManager[None]:
    return nullcontext() if core is None else one_core(core)

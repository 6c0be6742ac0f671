"""A video with what the extraction saw in it: landmarks, crop boxes, the signer's region, a caption."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from hf_slt.errors import ConfigurationError, require_package
from hf_slt.extraction.landmark_clip import ClipLandmarks, FrameLandmarks, stack_frames
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.skeleton_drawing import Box, draw_boxes, draw_landmarks, load_font, wrap_text
from hf_slt.extraction.video import VideoFrame, read_frames

logger = logging.getLogger(__name__)

Captions = str | Sequence[tuple[float, float, str]] | None

_SHORT_SIDE = (480, 1080)  # pixels: smaller pictures are enlarged so that lines and text can be seen, larger reduced
_LARGEST_ENLARGEMENT = 3
_CODECS = ("libx264", "mpeg4")  # the second one is in every build of FFmpeg
_TIME_BASE = Fraction(1, 1000)  # seconds; mpeg4 takes at most 1/65535
_MAX_CAPTION_LINES = 4


class OverlayWriter:
    """Writes an mp4 file frame by frame; the file is there when the block ends without an error, else not at all.

    Under the picture is a band for the captions, so that they cover no hand.

    Args:
        output: The `.mp4` file; replaced if it is there.
        width: Width of the pictures in pixels.
        height: Their height.
        captions: One text for the whole video, or `(start, end, text)` in seconds; of several at a time the last one
            is shown. None: no band.
        region: The signer's part of the picture in fractions: left, top, right, bottom.

    Raises:
        ConfigurationError: The file cannot be written there.
        MissingDependencyError: PyAV is not installed.
    """

    def __init__(self, output: Path, width: int, height: int, captions: Captions = None, region: Box | None = None):
        self.output, self.region = Path(output), region
        self.size = picture_size(width, height)
        texts = [(0.0, np.inf, captions)] if isinstance(captions, str) else list(captions or [])
        self._font = load_font(max(16, round(min(self.size) / 22)))
        self._line_height = round(1.35 * getattr(self._font, "size", 16))
        room = self.size[0] - self._line_height
        self._captions = [(start, end, wrap_text(text, self._font, room)) for start, end, text in texts]
        lines = min(_MAX_CAPTION_LINES, max((len(lines) for _, _, lines in self._captions), default=0))
        self._band = _even(lines * self._line_height + self._line_height // 2) if lines else 0
        self._partial = self.output.with_name(f".{self.output.name}.{os.getpid()}.partial")
        self._count, self._last_stamp = 0, -1

    def __enter__(self) -> OverlayWriter:
        av = require_package("av", extra="extraction")
        try:
            self.output.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._partial), "w", format="mp4")
        except OSError as error:  # FFmpeg's errors of files are such, too
            raise ConfigurationError(
                f"expected a place for the overlay, found {self.output}: {error.strerror or error}; choose another one"
            ) from error
        self._stream = _add_stream(av, self._container)
        self._stream.width, self._stream.height = self.size[0], self.size[1] + self._band
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _TIME_BASE
        return self

    def add(self, image: np.ndarray, landmarks: FrameLandmarks, boxes: Mapping[str, Box | None], time: float) -> None:
        """Draw a frame and write it.

        Args:
            image: uint8 `(H, W, 3)` RGB.
            landmarks: What was detected in it.
            boxes: Stream -> box of the crop in pixels of `image`: left, top, right, bottom; None: no crop.
            time: Seconds since the start.
        """
        av = require_package("av", extra="extraction")
        self._last_stamp = max(round(time / _TIME_BASE), self._last_stamp + 1)
        picture = self._draw(image, landmarks, boxes, time)
        frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
        frame.pts, frame.time_base = self._last_stamp, _TIME_BASE
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def _draw(
        self, image: np.ndarray, landmarks: FrameLandmarks, boxes: Mapping[str, Box | None], time: float
    ) -> Image.Image:
        height, width = image.shape[:2]
        picture = Image.fromarray(image).resize(self.size, Image.Resampling.BILINEAR)
        draw_landmarks(picture, landmarks)
        scale = np.array([width, height, width, height])
        draw_boxes(picture, {k: None if b is None else np.asarray(b) / scale for k, b in boxes.items()}, self.region)
        canvas = Image.new("RGB", (self.size[0], self.size[1] + self._band))
        canvas.paste(picture)
        draw = ImageDraw.Draw(canvas)
        margin = self._line_height // 2
        where = (margin, self.size[1] - self._line_height - 2)
        stroke = {"stroke_width": 2, "stroke_fill": (0, 0, 0)}
        draw.text(where, f"{self._count}   {time:.2f} s", font=self._font, fill=(255, 255, 255), **stroke)
        for place, line in enumerate(self._caption_at(time)):
            where = (margin, self.size[1] + margin // 2 + place * self._line_height)
            draw.text(where, line, font=self._font, fill=(255, 255, 255))
        return canvas

    def _caption_at(self, time: float) -> list[str]:
        shown = [lines for start, end, lines in self._captions if start <= time < end]
        lines = shown[-1] if shown else []
        cut = lines[:_MAX_CAPTION_LINES]
        return [*cut[:-1], f"{cut[-1]} …"] if len(lines) > len(cut) else cut

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._container.mux(self._stream.encode())
            self._container.close()
            if kind is None:
                os.replace(self._partial, self.output)
        finally:
            self._partial.unlink(missing_ok=True)


def picture_size(width: int, height: int) -> tuple[int, int]:
    """Return the size in which a picture is drawn: even, as H.264 wants it, neither tiny nor huge."""
    short = min(width, height)
    low, high = _SHORT_SIDE
    factor = min(low / short, _LARGEST_ENLARGEMENT) if short < low else min(high / short, 1.0)
    return _even(width * factor), _even(height * factor)


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))


def _add_stream(av: Any, container: Any) -> Any:
    """Return a video stream of the first codec that this build of FFmpeg has."""
    rate = round(1 / _TIME_BASE)
    for codec in _CODECS[:-1]:
        try:
            return container.add_stream(codec, rate=rate, options={"crf": "23", "preset": "veryfast"})
        except (ValueError, av.FFmpegError):
            logger.warning(f"this build of FFmpeg has no {codec}; the overlay is written with {_CODECS[-1]}")
    stream = container.add_stream(_CODECS[-1], rate=rate)
    stream.bit_rate = 4_000_000
    return stream


def check_overlay_path(video: Path, output: Path) -> None:
    """Refuse a place that an overlay cannot have, before anything is computed for it.

    Raises:
        ConfigurationError: It does not end in `.mp4`, is a folder, or is the video.
    """
    video, output = Path(video), Path(output)
    if output.suffix.lower() != ".mp4":
        raise ConfigurationError(f"expected an overlay file that ends in .mp4, found {output}; rename it")
    if output.is_dir():
        raise ConfigurationError(f"expected a file for the overlay, found a folder: {output}")
    if output.resolve() == video.resolve():
        raise ConfigurationError(f"expected another file for the overlay than the video, found {output} for both")


def write_overlay(
    video: Path,
    output: Path,
    clip: ClipLandmarks,
    boxes: Sequence[Mapping[str, Box | None]] = (),
    captions: Captions = None,
    region: Box | None = None,
    *,
    fps: float | None = None,
    start: float | None = None,
    end: float | None = None,
) -> None:
    """Draw landmarks that are known already over the frames that they come from.

    Args:
        video: The video.
        output: The `.mp4` file to write.
        clip: Its landmarks.
        boxes: For each frame, stream -> box of the crop in pixels of the video; may be shorter than the clip.
        captions: As in `OverlayWriter`.
        region: The signer's part of the picture in fractions; None: as `clip.signer` has it.
        fps: Frames a second that the clip was read with; None: all.
        start: Second of the video that the clip starts at.
        end: Second that it ends at.

    Raises:
        VideoError: The video cannot be read.
        ConfigurationError: The overlay cannot be written.
    """
    region = clip.signer.get("region") if region is None else region
    check_overlay_path(video, output)
    with OverlayWriter(output, clip.width, clip.height, captions, region) as writer:
        for frame in read_frames(video, fps=fps, start=start, end=end):
            if frame.number >= len(clip):
                break
            of_frame = boxes[frame.number] if frame.number < len(boxes) else {}
            writer.add(frame.image, frame_of(clip, frame.number), of_frame, frame.time)


def frame_of(clip: ClipLandmarks, number: int) -> FrameLandmarks:
    """Return the landmarks of one frame of a clip."""
    found = {part: clip.points[part][number] if clip.seen[part][number] else None for part in clip.points}
    if found["pose"] is not None:
        found["pose"] = np.concatenate([found["pose"], clip.visibility[number][:, None]], axis=1)
    return FrameLandmarks(**found)


class OverlayRecorder:
    """Remembers what an extraction sees, to draw it when the caption is known: pass it as `on_frame` of `extract_clip`.

    A frame takes some 5 kB.
    """

    def __init__(self) -> None:
        self._size = (0, 0)
        self._times: list[float] = []
        self._landmarks: list[FrameLandmarks] = []
        self._boxes: list[dict[str, Box | None]] = []

    def __call__(self, frame: VideoFrame, landmarks: FrameLandmarks, boxes: Mapping[str, Box | None]) -> None:
        """Take the next frame in; it is not kept."""
        self._size = (frame.image.shape[1], frame.image.shape[0])
        self._times.append(frame.time)
        self._landmarks.append(replace(landmarks, person_mask=None))
        self._boxes.append(dict(boxes))

    def write(
        self,
        video: Path,
        output: Path,
        row: Mapping[str, Any],
        captions: Captions = None,
        *,
        fps: float | None = None,
    ) -> None:
        """Write the overlay.

        Args:
            video: The video that was extracted.
            output: The `.mp4` file to write.
            row: What `extract_clip` returned.
            captions: As in `OverlayWriter`.
            fps: As in the options of the extraction.

        Raises:
            ConfigurationError: The overlay cannot be written.
        """
        clip = stack_frames(self._landmarks, np.array(self._times), *self._size, dict(row["signer_choice"]))
        span = {"start": row["start"], "end": row["end"]}
        write_overlay(video, output, clip, self._boxes, captions, fps=fps, **span)


def overlay_video(
    video: Path,
    output: Path,
    options: ExtractionOptions,
    caption: Captions = None,
    *,
    start: float | None = None,
    end: float | None = None,
) -> None:
    """Detect and draw: what `extract_clip` sees with these options.

    Args:
        video: The video.
        output: The `.mp4` file to write.
        options: As for the extraction; the boxes are those of its crops.
        caption: As in `OverlayWriter`, for example the sentence that a model reads in the clip.
        start: Second of the video to start at.
        end: Second to end at.

    Raises:
        VideoError: The video cannot be read, or shows no person.
        ConfigurationError: The overlay cannot be written.
        MissingDependencyError: MediaPipe is not installed.
    """
    from hf_slt.extraction.clip import extract_clip

    check_overlay_path(video, output)
    recorder = OverlayRecorder()
    with tempfile.TemporaryDirectory() as folder:
        row = extract_clip(video, Path(folder), "clip", options, start=start, end=end, on_frame=recorder)
    recorder.write(video, output, row, caption, fps=options.fps)

"""Augmentation of a clip, for training only. Every function draws from the generator that it is given, and no other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.landmarks import PoseLayout
from hf_slt.signing_space import ABOVE_SHOULDERS, HEIGHT, WIDTH

Frames = list[np.ndarray | None]  # T entries: uint8 (H, W, 3), or None where the frame is missing


@dataclass(frozen=True)
class Clip:
    """The sampled frames of a clip: image stream -> frames, and the pose in signing space.

    Attributes:
        frames: Image stream -> T frames.
        points: `(T, L, 2)`, -1 where undetected; None without a pose stream.
        confidence: `(T, L)`, 0 where undetected.
    """

    frames: dict[str, Frames]
    points: np.ndarray | None = None
    confidence: np.ndarray | None = None


@dataclass(frozen=True)
class Augmentation:
    """How much a training clip is changed.

    Attributes:
        flip: Probability of mirroring the clip; hands and landmarks are swapped with it.
        rotation: Largest rotation of the pose, in degrees.
        scale: Largest relative change of the size of the pose, each axis on its own (0.1 = 10 %).
        shift: Largest shift of the pose, as a share of the signing space.
        noise: Standard deviation of the noise on each coordinate, as a share of the signing space.
        speed: Largest relative change of the speed (0.2 = from 1/1.2 to 1.2 times as fast).
        frame_dropout: Probability that a frame goes missing, in all streams.
        stream_dropout: Probability that a stream goes missing in the whole clip; one stream always stays.
        colour_jitter: Largest relative change of brightness and contrast of an image stream; half of it of the tint.
    """

    flip: float = 0.0
    rotation: float = 10.0
    scale: float = 0.1
    shift: float = 0.03
    noise: float = 0.0
    speed: float = 0.2
    frame_dropout: float = 0.0
    stream_dropout: float = 0.0
    colour_jitter: float = 0.2

    def __post_init__(self) -> None:
        if self.scale >= 1:
            raise ConfigurationError(f"expected a scale below 1 (a pose of no size, or mirrored), found {self.scale}")
        for name in ("flip", "frame_dropout", "stream_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigurationError(f"expected a probability in [0, 1] for {name}, found {getattr(self, name)}")
        for name in ("rotation", "scale", "shift", "noise", "speed", "colour_jitter"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ConfigurationError(f"expected {name} >= 0, found {getattr(self, name)}")


def resample_time(num_frames: int, speed: float, rng: np.random.Generator) -> np.ndarray:
    """Return frame numbers of a clip played up to `1 + speed` times faster or slower: `(T',)`, ascending."""
    rate = np.exp(rng.uniform(-1, 1) * np.log1p(speed))
    length = max(1, round(num_frames / rate))
    return np.minimum(np.arange(length) * num_frames // length, num_frames - 1)


def augment(clip: Clip, augmentation: Augmentation, layout: PoseLayout | None, rng: np.random.Generator) -> Clip:
    """Apply every augmentation but the temporal one, which chooses the frames before they are read.

    Raises:
        ConfigurationError: Mirroring was asked for and the layout does not know left from right.
    """
    if rng.random() < augmentation.flip:
        clip = flip_clip(clip, layout)
    if clip.points is not None:
        clip = replace(clip, points=transform_pose(clip.points, clip.confidence, augmentation, rng))
    if augmentation.colour_jitter:
        clip = replace(clip, frames={s: jitter(f, augmentation.colour_jitter, rng) for s, f in clip.frames.items()})
    if augmentation.frame_dropout:
        clip = drop_frames(clip, augmentation.frame_dropout, rng)
    if augmentation.stream_dropout:
        clip = drop_streams(clip, augmentation.stream_dropout, rng)
    return clip


def flip_clip(clip: Clip, layout: PoseLayout | None) -> Clip:
    """Mirror a clip: images are mirrored, the hands change places, left and right landmarks too.

    Undetected points stay undetected: the sentinel is not a coordinate.
    """
    mirrored = {s: [None if image is None else image[:, ::-1] for image in frames] for s, frames in clip.frames.items()}
    swapped = {"left_hand": "right_hand", "right_hand": "left_hand"}
    frames = {s: mirrored[swapped[s]] if swapped.get(s) in mirrored else mirrored[s] for s in mirrored}
    if clip.points is None:
        return Clip(frames)
    if layout is None or not layout.mirrorable:
        raise ConfigurationError(
            "expected a pose layout that names left and right to mirror clips, found unnamed points; give "
            "--pose-layout or set --augment-flip 0"
        )
    points, confidence = clip.points[:, layout.mirrored].copy(), clip.confidence[:, layout.mirrored]
    seen = confidence > 0
    points[seen, 0] = 1 - points[seen, 0]
    return Clip(frames, points, confidence)


def transform_pose(
    points: np.ndarray, confidence: np.ndarray, augmentation: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """Rotate, scale and shift the detected points of a clip about the middle of the shoulders, all frames alike."""
    angle = np.deg2rad(rng.uniform(-1, 1) * augmentation.rotation)
    scale = 1 + rng.uniform(-1, 1, size=2) * augmentation.scale
    shift = rng.uniform(-1, 1, size=2) * augmentation.shift
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([0.5, ABOVE_SHOULDERS / HEIGHT])
    # Rotation happens in head units: signing space is wider than it is tall once mapped to [0, 1].
    units = np.array([WIDTH, HEIGHT])
    moved = ((points - centre) * units * scale) @ rotation.T / units + centre + shift
    if augmentation.noise:
        moved = moved + rng.normal(0, augmentation.noise, size=points.shape)
    return np.where(confidence[..., None] > 0, moved, points).astype(np.float32)


def jitter(frames: Frames, strength: float, rng: np.random.Generator) -> Frames:
    """Change brightness, contrast and tint of a stream, all frames alike."""
    contrast, brightness = 1 + rng.uniform(-1, 1, size=2) * strength
    tint = 1 + rng.uniform(-1, 1, size=3) * strength / 2  # of red, green and blue
    # Each level of a colour is looked up instead of computed: much faster on uint8.
    table = ((np.arange(256)[:, None] - 128) * contrast + 128 * brightness) * tint  # (256, 3)
    table = np.clip(table, 0, 255).astype(np.uint8)
    return [None if image is None else table[image, np.arange(3)] for image in frames]


def drop_frames(clip: Clip, probability: float, rng: np.random.Generator) -> Clip:
    """Let frames go missing in all streams; at least one frame stays."""
    length = len(clip.confidence) if clip.confidence is not None else len(next(iter(clip.frames.values())))
    dropped = rng.random(length) < probability
    dropped[rng.integers(length)] = False
    frames = {
        s: [None if gone else image for gone, image in zip(dropped, images, strict=True)]
        for s, images in clip.frames.items()
    }
    if clip.points is None:
        return Clip(frames)
    return _hide_points(replace(clip, frames=frames), dropped)


def drop_streams(clip: Clip, probability: float, rng: np.random.Generator) -> Clip:
    """Let whole streams go missing; a stream chosen at random stays in any case."""
    streams = [*clip.frames, *(["pose"] if clip.points is not None else [])]
    kept = streams[rng.integers(len(streams))]
    dropped = {s for s in streams if rng.random() < probability and s != kept}
    frames = {s: [None] * len(images) if s in dropped else images for s, images in clip.frames.items()}
    clip = replace(clip, frames=frames)
    return _hide_points(clip, np.ones(len(clip.points), dtype=bool)) if "pose" in dropped else clip


def _hide_points(clip: Clip, frames: np.ndarray) -> Clip:
    points = np.where(frames[:, None, None], np.float32(-1), clip.points)
    return replace(clip, points=points, confidence=np.where(frames[:, None], 0, clip.confidence).astype(np.float32))

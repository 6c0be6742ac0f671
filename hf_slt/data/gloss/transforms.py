"""Augmentation of classifier clips, for training only. Every function draws from the generator that it is given."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hf_slt.data.gloss.clips import GlossClip
from hf_slt.errors import ConfigurationError
from hf_slt.keypoint_geometry import body_frame, mirror_clip, palm_length, resample_clip
from hf_slt.landmarks import PoseLayout

_RARELY, _OFTEN = 0.1, 0.3  # shares of the frames: a hand seen in fewer is absent, one seen in more is present


@dataclass(frozen=True)
class GlossAugmentation:
    """How much a training clip is changed. Clips of features only change in time: `trim`, `speed`, `frame_dropout`.

    Attributes:
        flip: Probability of mirroring the clip; left and right landmarks change places.
        rotation: Largest rotation, in degrees.
        scale: Largest change of the size, each axis on its own (0.2 = from 1/1.2 to 1.2 times as large).
        shear: Largest horizontal shear, as a ratio.
        shift: Largest shift, as a share of the height of the picture.
        noise: Standard deviation of the noise on each coordinate, in shoulder widths.
        hand_rotation: Largest rotation of each hand about its own wrist, in degrees.
        speed: Largest relative change of the number of frames (0.5 = from 0.5 to 1.5 times as many).
        trim: Largest share of the frames that is cut off, at each end.
        frame_dropout: Probability that a frame goes missing, in half of the clips.
        landmark_dropout: Probability that a landmark goes missing in the whole clip.
        hand_dropout: Probability that, of two hands, the one that moves less goes missing.
        passive_hand: Probability that a clip with one hand gets a second one that rests somewhere below it.
        body_dropout: Probability that all points but the hands go missing, as in a close-up.
    """

    flip: float = 0.5
    rotation: float = 15.0
    scale: float = 0.2
    shear: float = 0.1
    shift: float = 0.05
    noise: float = 0.0075
    hand_rotation: float = 20.0
    speed: float = 0.5
    trim: float = 0.0
    frame_dropout: float = 0.1
    landmark_dropout: float = 0.0
    hand_dropout: float = 0.1
    passive_hand: float = 0.4
    body_dropout: float = 0.3

    def __post_init__(self) -> None:
        chances = "flip frame_dropout landmark_dropout hand_dropout passive_hand body_dropout".split()
        wrong = [f"{name} in [0, 1], found {value}" for name in chances if not 0 <= (value := getattr(self, name)) <= 1]
        for name, bound in (("speed", 1), ("trim", 0.5)):
            if not 0 <= getattr(self, name) < bound:
                wrong.append(f"{name} in [0, {bound}), found {getattr(self, name)}")
        for name in ("rotation", "scale", "shear", "shift", "noise", "hand_rotation"):
            if not 0 <= getattr(self, name) < math.inf:
                wrong.append(f"{name} of 0 or more, found {getattr(self, name)}")
        if wrong:
            raise ConfigurationError(f"expected augmentation with {'; '.join(wrong)}")


def augment_clip(
    clip: GlossClip,
    augmentation: GlossAugmentation,
    layout: PoseLayout | None,
    rng: np.random.Generator,
    num_frames: int | None = None,
) -> GlossClip:
    """Apply every augmentation to a clip.

    Args:
        clip: The clip as it was read.
        augmentation: How much to change.
        layout: The layout of the landmarks; None for features.
        rng: Generator of all draws.
        num_frames: Length that the model resamples clips to, which `speed` then changes; None: the clip's own.

    Raises:
        ConfigurationError: Mirroring was asked for and the layout does not know left from right.
    """
    clip = trim_clip(clip, augmentation.trim, rng)
    length = clip.values.shape[0] if num_frames is None else num_frames
    length = max(1, round(length * rng.uniform(1 - augmentation.speed, 1 + augmentation.speed)))
    if clip.mask is None or layout is None:
        return _augment_features(clip, augmentation, rng, length)
    points = clip.values.reshape(len(clip.values), -1, 2) * np.array([clip.aspect_ratio, 1], dtype=np.float32)
    points, mask = resample_clip(points, clip.mask, length)
    if rng.random() < augmentation.flip:
        points, mask = mirror_clip(points, mask, layout, clip.aspect_ratio)
    points = transform_points(points, mask, layout, augmentation, rng)
    if augmentation.hand_rotation:
        points = rotate_hands(points, mask, layout, augmentation.hand_rotation, rng)
    if rng.random() < augmentation.passive_hand:
        points, mask = add_passive_hand(points, mask, layout, rng)
    mask = drop_parts(points, mask, layout, augmentation, rng)
    points = points / np.array([clip.aspect_ratio, 1], dtype=np.float32)
    values = np.where(mask[..., None], points, 0).astype(np.float32)
    return GlossClip(values.reshape(length, -1), mask, clip.aspect_ratio)


def trim_clip(clip: GlossClip, largest: float, rng: np.random.Generator) -> GlossClip:
    """Cut up to a share `largest` of the frames off at each end: where a sign starts and ends is a matter of taste."""
    if not largest:
        return clip
    first, last = (int(share * len(clip.values)) for share in rng.uniform(0, largest, size=2))
    kept = slice(first, len(clip.values) - last)
    if clip.mask is not None and not clip.mask[kept].any():
        return clip
    return GlossClip(clip.values[kept], None if clip.mask is None else clip.mask[kept], clip.aspect_ratio)


def _augment_features(
    clip: GlossClip, augmentation: GlossAugmentation, rng: np.random.Generator, length: int
) -> GlossClip:
    shape = (len(clip.values), clip.values.shape[1], 1)
    values, _ = resample_clip(clip.values.reshape(shape), np.ones(shape[:2], bool), length)
    mask = np.ones((length, 1), bool)
    return GlossClip(values[..., 0], drop_frames(mask, augmentation.frame_dropout, rng), clip.aspect_ratio)


def transform_points(
    points: np.ndarray,
    mask: np.ndarray,
    layout: PoseLayout,
    augmentation: GlossAugmentation,
    rng: np.random.Generator,
) -> np.ndarray:
    """Rotate, scale, shear and shift a clip about the middle of its points, all frames alike; then add noise."""
    scale = np.exp(rng.uniform(-1, 1, size=2) * math.log1p(augmentation.scale))
    shear = rng.uniform(-1, 1) * augmentation.shear
    shift = rng.uniform(-1, 1, size=2) * augmentation.shift
    matrix = rotation_matrix(rng.uniform(-1, 1) * augmentation.rotation) @ np.array([[scale[0], shear], [0, scale[1]]])
    middle = points[mask].mean(axis=0) if mask.any() else np.zeros(2)
    moved = (points - middle) @ matrix.T + middle + shift
    if augmentation.noise:
        moved += rng.normal(0, augmentation.noise * body_frame(points, mask, layout)[1], size=moved.shape)
    return moved.astype(np.float32)


def rotation_matrix(degrees: float) -> np.ndarray:
    """Return the matrix `(2, 2)` of a rotation in the plane."""
    angle = math.radians(degrees)
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def rotate_hands(
    points: np.ndarray, mask: np.ndarray, layout: PoseLayout, largest: float, rng: np.random.Generator
) -> np.ndarray:
    """Turn each hand about its wrist by up to `largest` degrees, the same in all frames."""
    points = points.copy()
    for hand in layout.hands:
        matrix = rotation_matrix(rng.uniform(-1, 1) * largest).T.astype(np.float32)
        wrist = points[:, hand[:1]]
        seen = mask[:, hand] & mask[:, hand[:1]]
        turned = (points[:, hand] - wrist) @ matrix + wrist
        points[:, hand] = np.where(seen[..., None], turned, points[:, hand])
    return points


def add_passive_hand(
    points: np.ndarray, mask: np.ndarray, layout: PoseLayout, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Give a clip in which only one hand is seen a second one at rest.

    Whether the idle hand is in the picture depends on the camera, not on the sign. The hand is a still of the other
    one, mirrored and turned at random, up to 6 palms beside and 1.5 to 8 palms below it. Other clips stay as they are.
    """
    if not layout.hands:
        return points, mask
    present = [mask[:, hand[0]].mean() for hand in layout.hands]
    idle = int(np.argmin(present))
    hand, other = layout.hands[idle], layout.hands[1 - idle]
    palm = palm_length(points[:, other], mask[:, other])
    if present[idle] > _RARELY or present[1 - idle] < _OFTEN or palm is None:
        return points, mask
    whole = np.flatnonzero(mask[:, other].all(axis=1))
    if not len(whole):
        return points, mask
    still = points[rng.choice(whole), other]
    shape = (still - still[0]) * np.array([-1, 1]) @ rotation_matrix(rng.uniform(-180, 180)).T
    side = 1 if idle == 0 else -1  # the left hand of a signer is on the right of the picture
    offset = palm * np.array([side * rng.uniform(0, 6), rng.uniform(1.5, 8)])
    place = np.median(points[whole, other[0]], axis=0) + offset
    jitter = rng.normal(0, 0.01 * palm, size=(len(points), len(hand), 2))
    points, mask = points.copy(), mask.copy()
    points[:, hand] = shape * np.exp(rng.uniform(-0.2, 0.2)) + place + jitter
    mask[:, hand] = True
    return points, mask


def drop_parts(
    points: np.ndarray,
    mask: np.ndarray,
    layout: PoseLayout,
    augmentation: GlossAugmentation,
    rng: np.random.Generator,
) -> np.ndarray:
    """Mark parts as not seen: the body, the hand that moves less, landmarks, frames. A clip never becomes empty."""
    dropped = mask.copy()
    if rng.random() < augmentation.body_dropout and layout.hands:
        dropped[:, layout.body] = False
    if rng.random() < augmentation.hand_dropout and layout.hands:
        motion = [_motion(points[:, hand[0]], mask[:, hand[0]]) for hand in layout.hands]
        if min(motion) >= 0:
            dropped[:, layout.hands[int(np.argmin(motion))]] = False
    dropped[:, rng.random(mask.shape[1]) < augmentation.landmark_dropout] = False
    dropped = drop_frames(dropped, augmentation.frame_dropout, rng)
    return dropped if dropped.any() else mask


def _motion(wrist: np.ndarray, seen: np.ndarray) -> float:
    """Return the mean distance between neighbouring frames of a point `(T, 2)`; -1 if it was hardly seen."""
    both = seen[1:] & seen[:-1]
    if both.sum() < 3:
        return -1.0
    return float(np.linalg.norm(wrist[1:] - wrist[:-1], axis=-1)[both].mean())


def drop_frames(mask: np.ndarray, probability: float, rng: np.random.Generator) -> np.ndarray:
    """Mark each frame of half of the clips as not seen with a probability; at least one frame stays."""
    dropped = rng.random(len(mask)) < probability
    if not probability or rng.random() < 0.5 or not mask[~dropped].any():
        return mask
    return np.where(dropped[:, None], False, mask)

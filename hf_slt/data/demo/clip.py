"""One demo clip: a signed sentence as a time line, then as four streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from hf_slt.data.demo.drawing import SPRITE_MARGIN, face_sprite, hand_sprite
from hf_slt.data.demo.grammar import Sentence
from hf_slt.data.demo.signer import LEFT_REST, RIGHT_REST, SIGNERS, Signer, pose_points, wrist_paths
from hf_slt.data.demo.signs import REST_SHAPE, SIGNS

TILTS = np.linspace(-0.26, 0.26, 9)  # radians: how a hand is held differs from frame to frame by chance
_MISSING_HAND, _DROPPED_FACE = 0.05, 0.05  # chance per clip


@dataclass
class TimeLine:
    """What the body does, frame by frame.

    Attributes:
        sign: Number of the sign `(N,)` within the sentence, -1 between signs.
        wrists: Body coordinates `(N,2,2)`, left and right.
        head: Turn and tilt `(N,2)`, -1..1.
        right, left, mouth: Shapes, N names each.
    """

    sign: np.ndarray
    wrists: np.ndarray
    head: np.ndarray
    right: list[str]
    left: list[str]
    mouth: list[str]


@dataclass
class DemoClip:
    """The streams of a clip.

    Attributes:
        frames: For `face`, `left_hand` and `right_hand`: uint8 `(P,S,S,3)`, the frames that are present.
        frame_numbers: For the same streams: their numbers `(P,)`.
        points, confidence: Pose `(N,33,2)` in image coordinates and `(N,33)`.
        timeline: The truth behind it, which is never written to disk.
    """

    frames: dict[str, np.ndarray]
    frame_numbers: dict[str, np.ndarray]
    points: np.ndarray
    confidence: np.ndarray
    timeline: TimeLine

    @property
    def num_frames(self) -> int:
        """Number of frames, N."""
        return len(self.points)


@dataclass
class _Track:
    """Frames of a time line while it grows."""

    frames: list[tuple] = field(default_factory=list)  # (sign number, wrists (2,2), head (2,), right, left, mouth)

    def move_to(self, wrists: np.ndarray, right: str, left: str, steps: int) -> None:
        """Append a straight transition of `steps` frames; the hands change shape half-way."""
        _, start, _, old_right, old_left, _ = self.frames[-1]
        for step in range(1, steps + 1):
            part = step / (steps + 1)
            shapes = (right, left) if part >= 0.5 else (old_right, old_left)
            self.frames.append((-1, start + part * (wrists - start), np.zeros(2), *shapes, "neutral"))


def _head_motion(kind: str | None, phase: np.ndarray) -> np.ndarray:
    """Turn and tilt `(N,2)`: two swings in the length of a sign."""
    swing = np.cos(4 * np.pi * phase)
    still = np.zeros_like(phase)
    return np.stack([swing if kind == "shake" else still, swing if kind == "nod" else still], axis=-1)


def sign_sentence(sentence: Sentence, signer: Signer, rng: np.random.Generator) -> TimeLine:
    """Lay a sentence out in time: a frame of rest, signs of 4 to 6 frames, transitions of 1 or 2, a frame of rest."""
    rest = np.array([LEFT_REST, RIGHT_REST])
    at_rest = (-1, rest, np.zeros(2), REST_SHAPE, REST_SHAPE, "neutral")
    track = _Track([at_rest])
    for number, gloss in enumerate(sentence.glosses):
        sign = SIGNS[gloss]
        count = int(np.clip(round(sign.frames * signer.slowness + rng.uniform(-0.45, 0.45)), 4, 6))
        phase = np.linspace(0, 1, count)
        # Nobody signs twice in the same place: the whole sign is a little off.
        wrists = wrist_paths(sign.movement, phase) + rng.normal(0, 0.03, (1, 2, 2))
        head = _head_motion(sign.head, phase)
        track.move_to(wrists[0], sign.right, sign.left, 1 + int(rng.random() < 0.15))
        track.frames += [(number, wrists[i], head[i], sign.right, sign.left, sign.mouth) for i in range(count)]
    track.move_to(rest, REST_SHAPE, REST_SHAPE, 1)
    track.frames.append(at_rest)
    numbers, wrists, head, right, left, mouth = zip(*track.frames, strict=True)
    return TimeLine(np.array(numbers), np.stack(wrists), np.stack(head), list(right), list(left), list(mouth))


@lru_cache(maxsize=1024)
def _right_hand(signer: int, shape: str, tilt: int, size: int) -> np.ndarray:
    person = SIGNERS[signer]
    sleeve = tuple(0.75 * channel for channel in person.clothes)
    look = {"skin": person.skin, "sleeve": sleeve, "background": person.clothes, "finger": person.finger}
    return hand_sprite(shape, size, angle=TILTS[tilt], scale=0.95 * person.hand, **look).astype(np.float32)


@lru_cache(maxsize=256)
def _face(signer: int, mouth: str, yaw: int, pitch: int, size: int) -> np.ndarray:
    person = SIGNERS[signer]
    look = {"skin": person.skin, "hair": person.hair, "lips": person.lips, "background": person.wall}
    return face_sprite(mouth, size, width=person.face, yaw=yaw, pitch=pitch, **look).astype(np.float32)


def _film(sprites: np.ndarray, size: int, light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut crops, up to 2 pixels off centre, out of sprites `(N,S,S,3)`, with light and sensor noise: uint8."""
    count = len(sprites)
    top, left = SPRITE_MARGIN + rng.integers(-2, 3, (2, count))
    rows = (top[:, None] + np.arange(size))[:, :, None]
    columns = (left[:, None] + np.arange(size))[:, None, :]
    crops = sprites[np.arange(count)[:, None, None], rows, columns]
    crops *= (light * rng.uniform(0.96, 1.04, (count, 1))).astype(np.float32)[:, None, None, :]
    crops += rng.integers(-8, 9, crops.shape, dtype=np.int8)
    return np.clip(crops, 0, 255).astype(np.uint8)


def _present_frames(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Frame numbers of each image stream: now and then a hand is lost for 2 to 4 frames, or the face for 1 or 2."""
    missing: dict[str, np.ndarray] = {}
    hand_lost, which, face_lost = rng.random() < _MISSING_HAND, rng.random() < 0.5, rng.random() < _DROPPED_FACE
    start, length = int(rng.integers(1, count - 5)), int(rng.integers(2, 5))
    dropped = rng.choice(np.arange(1, count), size=int(rng.integers(1, 3)), replace=False)
    if hand_lost:
        missing["left_hand" if which else "right_hand"] = np.arange(start, start + length)
    if face_lost:
        missing["face"] = dropped
    streams = ("face", "left_hand", "right_hand")
    return {stream: np.setdiff1d(np.arange(count), missing.get(stream, [])).astype(np.int32) for stream in streams}


def film_clip(sentence: Sentence, signer: int, rng: np.random.Generator, image_size: int = 32) -> DemoClip:
    """Sign a sentence and film it.

    Args:
        sentence: What is signed.
        signer: Index in `SIGNERS`.
        rng: The clip's own generator: the same generator gives the same clip.
        image_size: Side of the square crops in pixels.
    """
    person = SIGNERS[signer]
    line = sign_sentence(sentence, person, rng)
    count = len(line.sign)
    place = np.array([0.5, 0.42]) + rng.uniform(-0.04, 0.04, 2)
    drift = rng.normal(0, 0.004, (count, 1, 2)).cumsum(axis=0)
    points, confidence = pose_points(person, line.wrists + drift, line.head, place=place, rng=rng)
    light = rng.uniform(0.82, 1.12) * rng.uniform(0.96, 1.04, 3)
    turns = np.rint(line.head).astype(int)
    faces = [_face(signer, m, int(t[0]), int(t[1]), image_size) for m, t in zip(line.mouth, turns, strict=True)]
    rights = [_right_hand(signer, s, int(t), image_size) for s, t in zip(line.right, _tilts(count, rng), strict=True)]
    lefts = [
        _right_hand(signer, s, int(t), image_size)[:, ::-1] for s, t in zip(line.left, _tilts(count, rng), strict=True)
    ]
    sprites = {"face": faces, "left_hand": lefts, "right_hand": rights}
    frames = {stream: _film(np.stack(pictures), image_size, light, rng) for stream, pictures in sprites.items()}
    present = _present_frames(count, rng)
    frames = {stream: pictures[present[stream]] for stream, pictures in frames.items()}
    return DemoClip(frames, present, points, confidence, line)


def _tilts(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(len(TILTS), size=count)

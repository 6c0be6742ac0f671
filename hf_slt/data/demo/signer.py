"""The bodies that sign: proportions and colours of the three signers, wrist paths, and the 33 pose points.

Body coordinates: origin between the shoulders, unit = shoulder width, x to the right of the image, y downwards. A
signer faces the camera, so that the right hand is at negative x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hf_slt.landmarks import LAYOUTS

LAYOUT = LAYOUTS["mediapipe_pose"]
RIGHT_REST, LEFT_REST = (-0.45, 1.35), (0.45, 1.35)
BASE_HAND = (0.22, 0.55)  # where the left hand waits for the right one


@dataclass(frozen=True)
class Signer:
    """One person.

    Attributes:
        name: Value of the `signer` column.
        slowness: Factor on the length of a sign.
        shoulder: Shoulder width as a part of the picture's width.
        head, arm: Size of the head and of an arm, factors on the average.
        hand: Size of a hand in its crop; finger: half the width of a finger in half crops.
        face: Width of the head in its crop.
        skin, hair, lips, clothes, wall: RGB in 0..255.
    """

    name: str
    slowness: float
    shoulder: float
    head: float
    arm: float
    hand: float
    finger: float
    face: float
    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    lips: tuple[int, int, int]
    clothes: tuple[int, int, int]
    wall: tuple[int, int, int]


SIGNERS = (
    Signer(
        name="signer_1",
        slowness=0.96,
        shoulder=0.21,
        head=1.0,
        arm=1.0,
        hand=0.95,
        finger=0.115,
        face=0.70,
        skin=(226, 178, 148),
        hair=(70, 45, 30),
        lips=(190, 70, 75),
        clothes=(36, 48, 84),
        wall=(196, 200, 204),
    ),
    Signer(
        name="signer_2",
        slowness=1.06,
        shoulder=0.25,
        head=0.92,
        arm=1.07,
        hand=1.03,
        finger=0.13,
        face=0.75,
        skin=(152, 102, 74),
        hair=(25, 20, 20),
        lips=(120, 45, 50),
        clothes=(28, 58, 44),
        wall=(150, 175, 165),
    ),
    Signer(
        name="signer_3",
        slowness=0.90,
        shoulder=0.19,
        head=1.06,
        arm=0.95,
        hand=0.90,
        finger=0.12,
        face=0.68,
        skin=(194, 142, 110),
        hair=(120, 80, 45),
        lips=(165, 60, 60),
        clothes=(78, 30, 42),
        wall=(185, 185, 150),
    ),
)
HELD_OUT_SIGNER = 2  # index in SIGNERS: films test clips only

Path = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def _line(start: tuple[float, float], end: tuple[float, float]) -> Path:
    return lambda u: (start[0] + (end[0] - start[0]) * u, start[1] + (end[1] - start[1]) * u)


# Path of the right wrist over the time u = 0..1 of a sign.
_RIGHT_PATHS: dict[str, Path] = {
    "chest": lambda u: (-0.12 + 0 * u, 0.45 - 0.08 * np.cos(4 * np.pi * u)),
    "forehead": lambda u: (-0.28 - 0.10 * u, -0.98 + 0 * u),
    "low_side": lambda u: (-0.80 + 0 * u, 0.78 - 0.06 * np.cos(4 * np.pi * u)),
    "chin": lambda u: (-0.08 + 0.06 * np.cos(4 * np.pi * u), -0.36 + 0 * u),
    "circle": lambda u: (-0.35 + 0.28 * np.sin(2 * np.pi * u), 0.25 - 0.28 * np.cos(2 * np.pi * u)),
    "sweep": _line((0.15, 0.12), (-1.0, 0.12)),
    "wave": lambda u: (-0.85 + 0.2 * np.cos(4 * np.pi * u), -0.15 + 0 * u),
    "downward": _line((-0.35, 0.05), (-0.35, 0.95)),
    "upward": _line((-0.45, 0.70), (-0.45, -0.40)),
    "backward": _line((-0.35, -0.65), (-0.95, -0.85)),
    "on_base": lambda u: (BASE_HAND[0] - 0.15 + 0.08 * np.cos(4 * np.pi * u), BASE_HAND[1] - 0.12 + 0 * u),
    "both_down": _line((-0.40, 0.20), (-0.40, 0.80)),
    "both_apart": _line((-0.10, 0.20), (-0.85, 0.20)),
    "both_together": _line((-0.85, 0.20), (-0.10, 0.20)),
}
MOVEMENTS = tuple(_RIGHT_PATHS)


def wrist_paths(movement: str, phase: np.ndarray) -> np.ndarray:
    """Return where both wrists are during a sign.

    Args:
        movement: One of `MOVEMENTS`. `both_*` moves the left wrist as the right one's mirror image, `on_base` holds it
            in front of the body, the others leave it at rest.
        phase: Time within the sign `(N,)`, 0..1.

    Returns:
        Body coordinates `(N,2,2)`: left wrist, right wrist.
    """
    x, y = _RIGHT_PATHS[movement](phase)
    right = np.stack([x, y], axis=-1)
    if movement.startswith("both_"):
        left = right * [-1.0, 1.0]
    else:
        left = np.broadcast_to(BASE_HAND if movement == "on_base" else LEFT_REST, right.shape)
    return np.stack([left, right], axis=1)


def _elbows(wrists: np.ndarray, arm: float) -> np.ndarray:
    """Elbows `(N,2,2)` of arms of two equal bones: on the outside of the line from shoulder to wrist."""
    shoulders = np.array([[0.5, 0.0], [-0.5, 0.0]])
    bone = 0.80 * arm
    line = wrists - shoulders
    length = np.maximum(np.linalg.norm(line, axis=-1, keepdims=True), 1e-6)
    height = np.sqrt(np.maximum(bone**2 - (length / 2) ** 2, 0.0))
    normal = np.stack([line[..., 1], -line[..., 0]], axis=-1) / length * np.array([[1.0], [-1.0]])
    return shoulders + line / 2 + 0.6 * height * normal


def pose_points(
    signer: Signer, wrists: np.ndarray, head: np.ndarray, *, place: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pose of a clip as a body tracker would.

    The finger points follow the wrist at a fixed distance and the mouth corners follow the head: they tell nothing
    about the hand's shape and the mouth's.

    Args:
        signer: Who signs.
        wrists: Body coordinates `(N,2,2)` of left and right wrist.
        head: Turn and tilt of the head `(N,2)`, each about -1..1.
        place: Image coordinates `(2,)` of the point between the shoulders.
        rng: Source of the tracker's noise.

    Returns:
        Image coordinates `(N,33,2)` and confidences `(N,33)`, float32. The legs are out of the picture: (0,0), with
        confidence 0.
    """
    points = dict(_head_points(signer, head))
    elbows = _elbows(wrists, signer.arm)
    for side, sign, i in (("left", 1, 0), ("right", -1, 1)):
        points[f"{side}_shoulder"] = np.array([0.5 * sign, 0.0])
        points[f"{side}_hip"] = np.array([0.33 * sign, 1.55])
        points[f"{side}_elbow"] = elbows[:, i]
        points[f"{side}_wrist"] = wrists[:, i]
        for finger, dx, dy in (("pinky", 0.06, -0.16), ("index", -0.04, -0.20), ("thumb", -0.09, -0.09)):
            points[f"{side}_{finger}"] = wrists[:, i] + [dx * sign, dy]
    body = np.zeros((len(wrists), LAYOUT.num_landmarks, 2))
    seen = np.zeros(LAYOUT.num_landmarks, dtype=bool)
    for name, values in points.items():
        seen[LAYOUT.points.index(name)] = True
        body[:, LAYOUT.points.index(name)] = values
    image = place + signer.shoulder * body + rng.normal(0, 0.003, body.shape)
    confidence = np.where(seen, rng.uniform(0.90, 1.0, body.shape[:2]), 0.0)
    return np.where(seen[:, None], image, 0.0).astype(np.float32), confidence.astype(np.float32)


def _head_points(signer: Signer, head: np.ndarray) -> dict[str, np.ndarray]:
    """Points of the head in body coordinates, each `(N,2)`: a turn moves the front of the face more than the ears."""
    front = {
        "nose": (0.0, -0.66),
        "mouth_left": (0.09, -0.52),
        "mouth_right": (-0.09, -0.52),
        "left_eye_inner": (0.06, -0.76),
        "left_eye": (0.11, -0.76),
        "left_eye_outer": (0.16, -0.76),
        "right_eye_inner": (-0.06, -0.76),
        "right_eye": (-0.11, -0.76),
        "right_eye_outer": (-0.16, -0.76),
    }
    ears = {"left_ear": (0.26, -0.70), "right_ear": (-0.26, -0.70)}
    moved = {name: signer.head * np.array(at) + 0.10 * head for name, at in front.items()}
    return moved | {name: signer.head * np.array(at) + 0.03 * head for name, at in ears.items()}

"""Named landmark layouts: what each point of a pose array is, which points swap in a mirror, where the body is.

A layout is data. Code that needs "the left wrist" or "the mirrored order" asks a layout for it and never slices
by number. Point numbers of MediaPipe are from its documentation (Pose: 33 points, Hand: 21, Face Mesh: 468).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hf_slt.errors import ConfigurationError

_MEDIAPIPE_POSE = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
    "mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle left_heel right_heel left_foot_index right_foot_index"
).split()
_HAND = ["wrist"] + [
    f"{finger}_{joint}" for finger in ("thumb", "index", "middle", "ring", "pinky") for joint in range(4)
]
_FACE_11 = {
    "nose_tip": 1,  # its place in the Face Mesh
    "right_eye_outer": 33,
    "left_eye_outer": 263,
    "right_eye_inner": 133,
    "left_eye_inner": 362,
    "mouth_right": 61,
    "mouth_left": 291,
    "right_brow": 105,
    "left_brow": 334,
    "chin": 199,
    "nose_ridge": 4,
}


def _hand(side: str) -> list[str]:
    return [f"{side}_hand_{joint}" for joint in _HAND]


@dataclass(frozen=True)
class PoseLayout:
    """The meaning of the L points of a pose array.

    Attributes:
        name: Key in `LAYOUTS`.
        points: The L point names; a name with `left` and the same name with `right` are mirror images.
        left_shoulder, right_shoulder: Index of each shoulder, None where the layout has none.
        mirrorable: Whether left and right are named, so that a mirrored clip can swap them.
    """

    name: str
    points: tuple[str, ...]
    left_shoulder: int | None = None
    right_shoulder: int | None = None
    mirrorable: bool = True

    @property
    def num_landmarks(self) -> int:
        """Number of points, L."""
        return len(self.points)

    @cached_property
    def hands(self) -> tuple[np.ndarray, ...]:
        """Indices `(21,)` of the left and of the right hand, wrist first; empty if the layout has no complete hands."""
        position = {point: i for i, point in enumerate(self.points)}
        names = [_hand(side) for side in ("left", "right")]
        if not all(point in position for hand in names for point in hand):
            return ()
        return tuple(np.array([position[point] for point in hand]) for hand in names)

    @cached_property
    def body(self) -> np.ndarray:
        """Indices of all points that are not part of `hands`."""
        in_hands = set(np.concatenate(self.hands).tolist()) if self.hands else set()
        return np.array([i for i in range(self.num_landmarks) if i not in in_hands], dtype=np.int64)

    @cached_property
    def mirrored(self) -> np.ndarray:
        """Order `(L,)` in which the points stand after a horizontal flip: `flipped = points[mirrored]`."""
        position = {point: i for i, point in enumerate(self.points)}
        order = []
        for point in self.points:
            if "left" in point:
                point = point.replace("left", "right")
            elif "right" in point:
                point = point.replace("right", "left")
            order.append(position[point])
        return np.array(order)


def _layout(name: str, points: Sequence[str], mirrorable: bool = True) -> PoseLayout:
    index = {point: i for i, point in enumerate(points)}
    return PoseLayout(name, tuple(points), index.get("left_shoulder"), index.get("right_shoulder"), mirrorable)


_FACE_78 = [f"mesh_{point}" for point in _FACE_11]
_MESH_NAMES = {number: f"mesh_{point}" for point, number in _FACE_11.items()}
_FACE_468 = [_MESH_NAMES.get(number, f"mesh_{number}") for number in range(468)]
# COCO-WholeBody (Jin et al. 2020): 17 points of the body, 6 of the feet, the 68 of the face of iBUG 300-W, both hands.
_COCO_BODY = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle left_foot_index left_small_toe "
    "left_heel right_foot_index right_small_toe right_heel"
).split()
# In the order of the 68; those at the place of a point of the Face Mesh have its name.
_IBUG_FACE = (
    "right_jaw_0 right_jaw_1 right_jaw_2 right_jaw_3 right_jaw_4 right_jaw_5 right_jaw_6 right_jaw_7 mesh_chin "
    "left_jaw_7 left_jaw_6 left_jaw_5 left_jaw_4 left_jaw_3 left_jaw_2 left_jaw_1 left_jaw_0 "
    "right_brow_0 right_brow_1 mesh_right_brow right_brow_3 right_brow_4 "
    "left_brow_4 left_brow_3 mesh_left_brow left_brow_1 left_brow_0 "
    "nose_bridge_0 nose_bridge_1 nose_bridge_2 mesh_nose_tip "
    "right_nostril_0 right_nostril_1 nose_base left_nostril_1 left_nostril_0 "
    "mesh_right_eye_outer right_lid_0 right_lid_1 mesh_right_eye_inner right_lid_2 right_lid_3 "
    "mesh_left_eye_inner left_lid_1 left_lid_0 mesh_left_eye_outer left_lid_3 left_lid_2 "
    "mesh_mouth_right right_lip_0 right_lip_1 lip_top left_lip_1 left_lip_0 "
    "mesh_mouth_left left_lip_2 left_lip_3 lip_bottom right_lip_3 right_lip_2 "
    "right_inner_lip_0 right_inner_lip_1 inner_lip_top left_inner_lip_1 left_inner_lip_0 "
    "left_inner_lip_2 inner_lip_bottom right_inner_lip_2"
).split()
# The 50 joints of the PHOENIX-2014T skeletons: x < 0 is the left of the image, which is the signer's right.
_SKELETON_8 = [
    "head",
    "neck",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
]

LAYOUTS: dict[str, PoseLayout] = {
    layout.name: layout
    for layout in (
        _layout("mediapipe_pose", _MEDIAPIPE_POSE),
        _layout("mediapipe_pose_upper", _MEDIAPIPE_POSE[:25]),
        _layout("mediapipe_pose_hands", _MEDIAPIPE_POSE + _hand("left") + _hand("right")),
        _layout("keypoints_78", _MEDIAPIPE_POSE[:25] + _hand("left") + _hand("right") + _FACE_78),
        _layout("skeleton_50", _SKELETON_8 + _hand("right") + _hand("left")),
        _layout("hands_nose", ["left_wrist", "right_wrist", "nose"]),
        # most points of the mesh have a number and no side
        _layout("holistic_543", _FACE_468 + _hand("left") + _MEDIAPIPE_POSE + _hand("right"), mirrorable=False),
        _layout("coco_wholebody_133", _COCO_BODY + _IBUG_FACE + _hand("left") + _hand("right")),
    )
}


def generic_layout(num_landmarks: int) -> PoseLayout:
    """Return a layout of unnamed points: it can be normalised by its bounding box, but not mirrored."""
    return PoseLayout(f"points_{num_landmarks}", tuple(f"point_{i}" for i in range(num_landmarks)), mirrorable=False)


def get_layout(name: str | None, num_landmarks: int) -> PoseLayout:
    """Find a layout by name, or by its number of points.

    Args:
        name: Key in `LAYOUTS`; None takes the layout with `num_landmarks` points, or unnamed points if there is none.
        num_landmarks: Number of points in the data.

    Raises:
        ConfigurationError: Unknown name, or a layout with another number of points.
    """
    if name is None:
        matching = [layout for layout in LAYOUTS.values() if layout.num_landmarks == num_landmarks]
        return matching[0] if matching else generic_layout(num_landmarks)
    if name == f"points_{num_landmarks}":
        return generic_layout(num_landmarks)
    if name not in LAYOUTS:
        raise ConfigurationError(
            f"expected a pose layout out of {sorted(LAYOUTS)}, found '{name}'; see hf_slt/landmarks.py"
        )
    if LAYOUTS[name].num_landmarks != num_landmarks:
        raise ConfigurationError(
            f"expected {LAYOUTS[name].num_landmarks} landmarks for the pose layout '{name}', found "
            f"{num_landmarks} in the data; choose the layout that the poses were written with"
        )
    return LAYOUTS[name]

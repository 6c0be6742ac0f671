"""`.pose` files: the binary format of https://github.com/sign-language-processing/pose, versions 0.1 and 0.2.

All numbers are little endian. Header: version (float32), width, height, depth (uint16), number of components (uint16).
A component: name, format of a point (such as `XYZC`; C = confidence), numbers of points, limbs and colours (uint16),
names of the points, limbs (2 uint16 each), colours (3 uint16 each). A text: length (uint16), UTF-8. Body of 0.1:
frames a second, frames, people (uint16); of 0.2: float32, uint32, uint16. Then the coordinates (frames, people, points,
D) and the confidences (frames, people, points), float32. The number of frames of version 0.1 overflows in long files.

Read here, without the package of that name, since it asks for the newest PyAV to read some numbers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.data.npz_files import data_error, unreadable
from hf_slt.extraction.imports.raw_clip import RawClip
from hf_slt.landmarks import LAYOUTS

POSE_SUFFIX = ".pose"
_LAYOUT = LAYOUTS["holistic_543"]
_POSE, _FACE, _WORLD = "POSE_LANDMARKS", "FACE_LANDMARKS", "POSE_WORLD_LANDMARKS"
_HANDS = {"LEFT_HAND_LANDMARKS": "left_hand", "RIGHT_HAND_LANDMARKS": "right_hand"}
_JOINTS = {"thumb": ("CMC", "MCP", "IP", "TIP")}
_FINGER_JOINTS = ("MCP", "PIP", "DIP", "TIP")
_MESH_POINTS, _REFINED_POINTS = 468, 478  # the refined mesh has both irises behind it
_OVERFLOW = 1 << 16


@dataclass(frozen=True)
class _Component:
    name: str
    point_format: str
    points: list[str]


class _Cursor:
    """Reads numbers and texts one after the other.

    Args:
        data: The bytes of a file.
    """

    def __init__(self, data: bytes):
        self.data = data
        self.offset = 0

    @property
    def bytes_left(self) -> int:
        return len(self.data) - self.offset

    def numbers(self, layout: str) -> tuple[Any, ...]:
        """Return the numbers of a `struct` layout."""
        size = struct.calcsize(f"<{layout}")
        self._require(size)
        values = struct.unpack_from(f"<{layout}", self.data, self.offset)
        self.offset += size
        return values

    def text(self) -> str:
        """Return a text."""
        (length,) = self.numbers("H")
        return str(self.numbers(f"{length}s")[0], "utf-8")

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return float32 numbers."""
        count = int(np.prod(shape))
        self._require(4 * count)
        values = np.frombuffer(self.data, "<f4", count, self.offset).reshape(shape)
        self.offset += 4 * count
        return values

    def _require(self, size: int) -> None:
        if size > self.bytes_left:
            raise ValueError(f"cut short: {size} bytes expected at byte {self.offset}, {self.bytes_left} are there")


def read_pose_format(path: Path) -> RawClip:
    """Read the landmarks of MediaPipe Holistic from a `.pose` file, complete or reduced.

    Points are taken by the names of components and points; `POSE_WORLD_LANDMARKS`, depth and irises are left out.

    Args:
        path: The file.

    Returns:
        The clip, in the layout `holistic_543`.

    Raises:
        DataContractError: The file is damaged, of another version, of another detector, or shows several people.
    """
    try:
        cursor = _Cursor(path.read_bytes())
        version = round(cursor.numbers("f")[0], 1)
        if version not in (0.1, 0.2):
            fix = "read and write the file with a recent pose-format (pip install pose-format)"
            raise data_error(path, "a .pose file of version 0.1 or 0.2", f"version {version:.3g} or no .pose file", fix)
        (width, height, _), components = cursor.numbers("HHH"), _read_components(cursor)
        rows = _rows_by_name(path, components)
        fps, points, confidence = _read_body(cursor, version, components)
    except (ValueError, OSError, struct.error) as error:
        raise unreadable(path, ".pose file", error) from error
    person = _only_person(path, confidence)
    full_points = np.full((len(points), _LAYOUT.num_landmarks, 2), np.nan, np.float32)
    full_confidence = np.zeros(full_points.shape[:2], np.float32)
    place = {name: i for i, name in enumerate(_LAYOUT.points)}
    for row, name in rows.items():
        full_points[:, place[name]] = points[:, person, row, :2]
        full_confidence[:, place[name]] = confidence[:, person, row]
    facts = {"pose_format_version": version, "components": {one.name: len(one.points) for one in components}}
    size = (width or None, height or None)
    return RawClip(
        full_points, full_confidence, _LAYOUT.name, "mediapipe_holistic", *size, fps or None, True, facts=facts
    )


def _read_components(cursor: _Cursor) -> list[_Component]:
    components = []
    for _ in range(cursor.numbers("H")[0]):
        name, point_format = cursor.text(), cursor.text()
        num_points, num_limbs, num_colors = cursor.numbers("HHH")
        components.append(_Component(name, point_format, [cursor.text() for _ in range(num_points)]))
        cursor.numbers(f"{2 * num_limbs + 3 * num_colors}H")
    return components


def _rows_by_name(path: Path, components: list[_Component]) -> dict[int, str]:
    """Return row of a point in the file -> its name in the layout."""
    found = ", ".join(f"{one.name} ({len(one.points)} points, {one.point_format})" for one in components)
    known = {_POSE, _FACE, _WORLD, *_HANDS}
    names = {one.name for one in components}
    flat = any(not one.point_format.startswith("XY") or one.point_format[-1] != "C" for one in components)
    if not names <= known or _POSE not in names or flat:
        expected = f"components of MediaPipe Holistic ({', '.join(sorted(known))}) with x, y and confidence"
        fix = "write the file with video_to_pose --format mediapipe, or extract the video: scripts/extract_streams.py"
        raise data_error(path, expected, found or "no component", fix)
    rows, start, strange = {}, 0, []
    for component in components:
        for row, point in enumerate(component.points, start=start):
            name = _point_name(component.name, point)
            if name in _LAYOUT.points:
                rows[row] = name
            elif name:
                strange.append(f"{component.name} {point}")
        start += len(component.points)
    if strange:
        fix = "write the file again with a recent pose-format"
        raise data_error(path, "the names of the points of MediaPipe Holistic", ", ".join(strange[:5]), fix)
    return rows


def _point_name(component: str, point: str) -> str | None:
    """Return the name of a point in the layout (or what is none), None if it is to be left out."""
    if component == _WORLD:
        return None
    if component == _POSE:
        return point.lower()
    if component == _FACE:
        number = int(point) if point.isdecimal() else _REFINED_POINTS
        if _MESH_POINTS <= number < _REFINED_POINTS:
            return None
        return _LAYOUT.points[number] if number < _MESH_POINTS else point
    finger, _, joint = point.replace("_FINGER", "").lower().rpartition("_")
    joints = _JOINTS.get(finger, _FINGER_JOINTS)
    place = f"{finger}_{joints.index(joint.upper())}" if joint.upper() in joints else joint
    return f"{_HANDS[component]}_{place}"


def _read_body(cursor: _Cursor, version: float, components: list[_Component]) -> tuple[float, np.ndarray, np.ndarray]:
    """Return frames a second, coordinates (T, P, L, D) and confidences (T, P, L)."""
    fps, num_frames, people = cursor.numbers("HHH" if version == 0.1 else "fIH")
    num_points = sum(len(one.points) for one in components)
    dims = max(len(one.point_format) for one in components) - 1
    frame_size = 4 * people * num_points * (dims + 1)
    there, rest = divmod(cursor.bytes_left, frame_size) if frame_size else (0, 0)
    stored = there % _OVERFLOW if version == 0.1 else there
    if rest or stored != num_frames:
        raise ValueError(f"cut short or too long: {num_frames} frames by its header, {cursor.bytes_left} bytes of them")
    return float(fps), cursor.array((there, people, num_points, dims)), cursor.array((there, people, num_points))


def _only_person(path: Path, confidence: np.ndarray) -> int:
    """Return the number of the person that is there."""
    there = np.flatnonzero((confidence > 0).any(axis=(0, 2)))
    if len(there) > 1:
        fix = "keep the signer: pose.body.data = pose.body.data[:, [n]], pose.body.confidence likewise; write it again"
        raise data_error(path, "one person", f"{len(there)} people", fix)
    return int(there[0]) if len(there) else 0

"""`.pose` files: both versions, complete and reduced, and what is wrong with others."""

import struct

import numpy as np
import pytest

from hf_slt.errors import DataContractError
from hf_slt.extraction.imports import pose_format_files
from hf_slt.extraction.imports.conversion import to_layout
from hf_slt.extraction.imports.landmark_files import read_landmark_file
from hf_slt.landmarks import LAYOUTS

POINTS = LAYOUTS["holistic_543"].points
HAND = ["WRIST"] + [
    f"{finger}_{joint}"
    for finger, joints in (
        ("THUMB", ("CMC", "MCP", "IP", "TIP")),
        *((f"{name}_FINGER", ("MCP", "PIP", "DIP", "TIP")) for name in ("INDEX", "MIDDLE", "RING")),
        ("PINKY", ("MCP", "PIP", "DIP", "TIP")),
    )
    for joint in joints
]
COMPONENTS = {
    "POSE_LANDMARKS": [name.upper() for name in LAYOUTS["mediapipe_pose"].points],
    "FACE_LANDMARKS": [str(number) for number in range(478)],
    "LEFT_HAND_LANDMARKS": HAND,
    "RIGHT_HAND_LANDMARKS": HAND,
    "POSE_WORLD_LANDMARKS": [name.upper() for name in LAYOUTS["mediapipe_pose"].points],
}


def pose_bytes(points, confidence, components=COMPONENTS, version=0.2, size=(200, 100), fps=12.5, point_format="XYZC"):
    """A `.pose` file of `(T, P, L, 3)` and `(T, P, L)`, written by its specification."""

    def text(value):
        return struct.pack("<H", len(value)) + value.encode()

    data = struct.pack("<fHHHH", version, *size, 0, len(components))
    for name, names in components.items():
        data += text(name) + text(point_format) + struct.pack("<HHH", len(names), 1, 1)
        data += b"".join(map(text, names)) + struct.pack("<HHHHH", 0, 1, 255, 0, 0)
    frames, people = confidence.shape[:2]
    data += (
        struct.pack("<fIH", fps, frames, people) if version == 0.2 else struct.pack("<HHH", int(fps), frames, people)
    )
    return data + points.astype("<f4").tobytes() + confidence.astype("<f4").tobytes()


def arrays(num_points, frames=4, people=1):
    generator = np.random.default_rng(0)
    points = generator.uniform(5, 95, (frames, people, num_points, 3))
    return points, generator.uniform(0.6, 1, (frames, people, num_points))


NUM_POINTS = sum(map(len, COMPONENTS.values()))


@pytest.fixture
def write(tmp_path):
    def write_file(*args, **kwargs):
        path = tmp_path / "clip.pose"
        path.write_bytes(pose_bytes(*args, **kwargs))
        return path

    return write_file


@pytest.mark.parametrize(("version", "fps"), [(0.1, 12.0), (0.2, 12.5)])
def test_points_are_taken_by_name_as_fractions_of_the_picture(write, version, fps):
    points, confidence = arrays(NUM_POINTS)
    confidence[1, 0, 40] = 0
    clip = read_landmark_file(write(points, confidence, version=version))
    assert (clip.layout, clip.width, clip.height, clip.fps) == ("holistic_543", 200, 100, fps)
    starts = {"nose": 0, "mesh_nose_tip": 33 + 1, "mesh_467": 33 + 467}  # irises stand behind the mesh
    starts |= {"left_hand_wrist": 33 + 478, "left_hand_thumb_1": 33 + 478 + 2, "right_hand_pinky_3": 33 + 478 + 41}
    for name, row in starts.items():
        place = POINTS.index(name)
        np.testing.assert_allclose(clip.points[:, place], points[:, 0, row, :2] / (200, 100), rtol=1e-5)
        np.testing.assert_allclose(clip.confidence[:, place], confidence[:, 0, row], rtol=1e-5)
    missing = POINTS.index("mesh_7")  # row 40 of the file
    assert clip.confidence[:, missing].astype(bool).tolist() == [True, False, True, True]
    assert (clip.points[1, missing] == 0).all()


def test_provenance_names_the_detector_and_the_source(write):
    path = write(*arrays(NUM_POINTS))
    record = read_landmark_file(path).provenance
    assert (record["extractor"], record["extractor_version"]) == ("mediapipe_holistic", None)
    assert record["source"] == "clip.pose" and len(record["source_sha256"]) == 64
    assert record["components"]["FACE_LANDMARKS"] == 478 and record["pose_format_version"] == 0.2


def test_reduced_file_has_missing_points(write):
    shoulders = ["LEFT_SHOULDER", "RIGHT_SHOULDER", "LEFT_WRIST"]
    reduced = {"POSE_LANDMARKS": shoulders, "FACE_LANDMARKS": ["33", "61"], "LEFT_HAND_LANDMARKS": HAND}
    points, confidence = arrays(3 + 2 + 21)
    clip = read_landmark_file(write(points, confidence, reduced))
    assert clip.confidence.any(axis=0).sum() == 26
    np.testing.assert_allclose(clip.points[:, POINTS.index("mesh_mouth_right")], points[:, 0, 4, :2] / (200, 100), 1e-5)
    pose = to_layout(clip, "mediapipe_pose")
    names = LAYOUTS["mediapipe_pose"].points
    seen = {name for name, ever in zip(names, pose.confidence.any(axis=0), strict=True) if ever}
    stand_ins = {"right_eye_outer", "mouth_right", "left_pinky", "left_index", "left_thumb"}  # of face and hand
    assert seen == {"left_shoulder", "right_shoulder", "left_wrist"} | stand_ins
    wrist_knuckle = points[:, 0, 3 + 2 + HAND.index("INDEX_FINGER_MCP"), :2] / (200, 100)
    np.testing.assert_allclose(pose.points[:, names.index("left_index")], wrist_knuckle, 1e-5)


def test_empty_second_person_is_none(write):
    points, confidence = arrays(NUM_POINTS, people=2)
    confidence[:, 0] = 0
    clip = read_landmark_file(write(points, confidence))
    np.testing.assert_allclose(clip.points[:, POINTS.index("nose")], points[:, 1, 0, :2] / (200, 100), rtol=1e-5)


def test_number_of_frames_of_version_0_1_overflows(write, monkeypatch):
    monkeypatch.setattr(pose_format_files, "_OVERFLOW", 4)
    components = {"POSE_LANDMARKS": ["NOSE", "LEFT_EYE"]}
    points, confidence = arrays(2, frames=7)
    path = write(points, confidence, components, version=0.1)
    data = bytearray(path.read_bytes())
    header = len(data) - 7 * 2 * 4 * 4 - 6  # fps, frames, people stand before the body
    data[header + 2 : header + 4] = struct.pack("<H", 7 % 4)
    path.write_bytes(data)
    clip = read_landmark_file(path)
    assert len(clip) == 7
    np.testing.assert_allclose(clip.confidence[-1, POINTS.index("left_eye")], confidence[-1, 0, 1], rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"components": {"pose_keypoints_2d": ["Nose"]}}, r"found:    pose_keypoints_2d \(1 points, XYZC\)"),
        ({"components": {"POSE_LANDMARKS": ["NOSE", "TAIL"]}}, "found:    POSE_LANDMARKS TAIL"),
        ({"version": 0.3}, "version 0.1 or 0.2\n    found:    version 0.3"),
        ({"size": (0, 100)}, "no size in the file"),
        ({"people": 2}, "found:    2 people"),
        ({"scale": 0.01}, r"points in pixels of the 200 x 100 picture\n    found:    x from 0.0"),
        ({"seen": 0}, "no detected point in 4 frames"),
        ({"frames": 0}, "an empty clip"),
    ],
    ids=str,
)
def test_other_files(write, change, message):
    components = change.get("components", COMPONENTS)
    num_points = sum(map(len, components.values()))
    points, confidence = arrays(num_points, change.get("frames", 4), change.get("people", 1))
    points, confidence = points * change.get("scale", 1), confidence * change.get("seen", 1)
    header = {name: change[name] for name in ("version", "size") if name in change}
    with pytest.raises(DataContractError, match=message):
        read_landmark_file(write(points, confidence, components, **header))


@pytest.mark.parametrize("size", [0, 3, 40, 5000, -4])
def test_file_that_was_cut_short(write, size):
    path = write(*arrays(NUM_POINTS))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataContractError, match=r"a readable \.pose file\n    found:    ValueError: cut short"):
        read_landmark_file(path)


def test_text_under_the_name_of_a_pose_file(tmp_path):
    path = tmp_path / "clip.pose"
    path.write_text("this is no binary file, but it is long enough to be read as one")
    with pytest.raises(DataContractError, match=r"or no \.pose file"):
        read_landmark_file(path)

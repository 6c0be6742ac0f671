"""COCO-WholeBody: JSON of MMPose, annotations, arrays; the signer among several people."""

import json

import numpy as np
import pytest

from hf_slt.errors import DataContractError
from hf_slt.extraction.imports.arrays import imported_keypoints, imported_pose
from hf_slt.extraction.imports.conversion import to_layout
from hf_slt.extraction.imports.landmark_files import read_landmark_file
from hf_slt.landmarks import LAYOUTS

LAYOUT = LAYOUTS["coco_wholebody_133"]
SIZE = {"width": 1280, "height": 720}


def person(x=600.0, size=1.0, wrist_shift=0.0):
    """(133, 3): pixels and scores of a body of 200 pixels x size between the shoulders."""
    points = np.random.default_rng(2).uniform(-100, 100, (133, 2)) * size
    points[LAYOUT.left_shoulder], points[LAYOUT.right_shoulder] = (100 * size, 0), (-100 * size, 0)
    for side in ("left", "right"):
        points[LAYOUT.points.index(f"{side}_wrist")] += (0, wrist_shift)
    return np.concatenate([points + (x, 360), np.full((133, 1), 0.9)], axis=1)


def instance(values):
    return {"keypoints": values[:, :2].tolist(), "keypoint_scores": values[:, 2].tolist()}


def video(frames, first=0):
    return [{"frame_id": n, "instances": list(map(instance, people))} for n, people in enumerate(frames, start=first)]


def write(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"meta_info": {}, "instance_info": rows}])
def test_json_of_mmpose(tmp_path, wrap):
    rows = video([[person()], [], [person(610)]], first=1)
    clip = read_landmark_file(write(tmp_path / "a.json", wrap(rows)), fps=25, **SIZE)
    assert (clip.layout, clip.width, clip.height, clip.fps) == ("coco_wholebody_133", 1280, 720, 25)
    np.testing.assert_allclose(clip.points[2], person(610)[:, :2] / (1280, 720), rtol=1e-5)
    assert clip.confidence.any(axis=1).tolist() == [True, False, True]
    assert clip.provenance["extractor"] == "mmpose_wholebody" and clip.provenance["people"] == 1


def test_frames_stand_by_their_numbers(tmp_path):
    rows = video([[person()]] * 4)
    clip = read_landmark_file(write(tmp_path / "a.json", [rows[0], rows[1], rows[3]]), **SIZE)
    assert clip.confidence.any(axis=1).tolist() == [True, True, False, True]


def test_json_of_one_picture(tmp_path):
    clip = read_landmark_file(write(tmp_path / "a.json", [instance(person())]), **SIZE)
    assert clip.points.shape == (1, 133, 2)


@pytest.mark.parametrize("parts", [{"keypoints": 133}, dict(zip(
    ("keypoints", "foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts"), (17, 6, 68, 21, 21), strict=True
))], ids=["one list", "five lists"])  # fmt: skip
def test_annotations_of_coco(tmp_path, parts):
    def annotation(image_id, values):
        cuts = np.cumsum(list(parts.values()))[:-1]
        split = np.split(values, cuts)
        return {"image_id": image_id, **{k: v.ravel().tolist() for k, v in zip(parts, split, strict=True)}}

    images = [{"id": number, **SIZE} for number in (7, 8, 9)]
    content = {"images": images, "annotations": [annotation(9, person(610)), annotation(7, person())]}
    clip = read_landmark_file(write(tmp_path / "a.json", content))
    assert (clip.width, clip.height) == (1280, 720) and clip.confidence.any(axis=1).tolist() == [True, False, True]
    np.testing.assert_allclose(clip.points[2], person(610)[:, :2] / (1280, 720), rtol=1e-5)


def test_arrays_with_scores_above_one(tmp_path):
    values = np.stack([person(), person(605)])
    values[:, 0, 2] = 3.5
    np.savez(tmp_path / "a.npz", keypoints=values[..., :2], scores=values[..., 2], fps=15, **SIZE)
    np.save(tmp_path / "b.npy", values)
    first, second = read_landmark_file(tmp_path / "a.npz"), read_landmark_file(tmp_path / "b.npy", **SIZE)
    np.testing.assert_array_equal(first.points, second.points)
    assert first.confidence[0, 0] == 1 and first.confidence[0, 1] == np.float32(0.9) and first.fps == 15


def test_the_one_that_moves_the_hands_is_followed_though_the_order_changes(tmp_path):
    frames = [[person(300), person(900, wrist_shift=40.0 * (n % 2))] for n in range(8)]
    rows = [people if n % 2 else people[::-1] for n, people in enumerate(frames)]
    clip = read_landmark_file(write(tmp_path / "a.json", video(rows)), **SIZE)
    centre = clip.points[:, [LAYOUT.left_shoulder, LAYOUT.right_shoulder], 0].mean(axis=1) * 1280
    np.testing.assert_allclose(centre, 900, rtol=1e-5)
    assert clip.provenance["people"] == 2


def test_a_small_person_behind_is_not_the_signer(tmp_path):
    frames = [
        [person(300, size=0.2, wrist_shift=5.0 * (n % 2)), person(800, wrist_shift=20.0 * (n % 2))] for n in range(6)
    ]
    clip = read_landmark_file(write(tmp_path / "a.json", video(frames)), **SIZE)
    assert clip.points[:, LAYOUT.left_shoulder, 0] * 1280 == pytest.approx(900)


def test_several_people_in_arrays(tmp_path):
    frames = np.stack([[person(900, wrist_shift=40.0 * (n % 2)), person(300)] for n in range(4)])
    frames[2, 1] = 0  # padding
    np.savez(tmp_path / "a.npz", keypoints=frames[..., :2], scores=frames[..., 2], **SIZE)
    clip = read_landmark_file(tmp_path / "a.npz")
    assert clip.points[:, LAYOUT.left_shoulder, 0] * 1280 == pytest.approx(1000)


def test_the_points_of_mediapipe_that_coco_lacks_are_missing_or_from_hands_and_face(tmp_path):
    np.savez(tmp_path / "a.npz", keypoints=person()[None], **SIZE)
    clip = read_landmark_file(tmp_path / "a.npz")
    pose, names = to_layout(clip, "mediapipe_pose"), LAYOUTS["mediapipe_pose"].points
    assert pose.confidence.all()  # all 33: from the body, from hands and face, and the feet
    for name, source in (
        ("left_pinky", "left_hand_pinky_0"),
        ("right_thumb", "right_hand_thumb_1"),
        ("mouth_left", "mesh_mouth_left"),
        ("left_foot_index", "left_foot_index"),
    ):
        expected = clip.points[0, LAYOUT.points.index(source)]
        np.testing.assert_array_equal(pose.points[0, names.index(name)], expected)
    face = to_layout(clip, "keypoints_78").points[0, 67:]
    ibug = clip.points[0, 23:91]
    np.testing.assert_array_equal(face, ibug[[30, 36, 45, 39, 42, 48, 54, 19, 24, 8, 30]])


def test_points_of_a_low_score_are_no_keypoints_and_keep_their_confidence_in_the_pose(tmp_path):
    values = np.stack([person()] * 3)
    values[1, LAYOUT.points.index("left_elbow"), 2] = 0.2
    values[:, LAYOUT.points.index("right_elbow"), 2] = 0.35
    np.savez(tmp_path / "a.npz", keypoints=values, **SIZE)
    clip = read_landmark_file(tmp_path / "a.npz")
    left, right = (LAYOUTS["keypoints_78"].points.index(f"{side}_elbow") for side in ("left", "right"))
    assert imported_keypoints(clip, max_gap=0)[1][:, [left, right]].tolist() == [[True] * 2, [False, True], [True] * 2]
    filled, mask = imported_keypoints(clip)
    assert mask[1, left] and filled.reshape(3, 78, 2)[1, left] == pytest.approx(clip.points[0, 7])
    points, confidence = imported_pose(clip, "mediapipe_pose")
    assert confidence[1, LAYOUTS["mediapipe_pose"].points.index("left_elbow")] == np.float32(0.2)
    shoulders = points[0, [11, 12]] * (6, 7)
    np.testing.assert_allclose(shoulders, [[4, 3], [2, 3]], atol=1e-4)  # head units, whatever the picture's shape


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (video([[person()[:17]]]), "17 points, expected 133"),
        ([{"frame": 0}], "KeyError: 'keypoints'"),
        ([], "no frame"),
        ({"people": []}, "KeyError: 'instance_info'"),
        ([{"instances": [{"keypoints": [[1]] * 133, "keypoint_scores": [1] * 133}]}], "points of 1 numbers"),
        ([{"frame_id": float("inf"), "instances": []}], "OverflowError"),
        (
            {"images": [{"id": 1, "width": "w"}], "annotations": [{"image_id": 1, "keypoints": [1] * 399}]},
            "ValueError: invalid literal for int",
        ),
        (video([[]]), "no detected point in 1 frames"),
        ([{"frame_id": 0, "instances": []}, {"frame_id": 9_000_000, "instances": []}], "at most 1000000 frames"),
    ],
    ids=["17 points", "no points", "empty", "openpose", "one number", "infinite", "width", "nobody", "frame numbers"],
)
def test_other_json(tmp_path, content, message):
    with pytest.raises(DataContractError, match=message):
        read_landmark_file(write(tmp_path / "a.json", content), **SIZE)


def test_pictures_of_several_sizes(tmp_path):
    images = [{"id": 1, "width": 100, "height": 100}, {"id": 2, "width": 200, "height": 100}]
    annotations = [{"image_id": 1, "keypoints": person().ravel().tolist()}]
    with pytest.raises(DataContractError, match="pictures of several sizes"):
        read_landmark_file(write(tmp_path / "a.json", {"images": images, "annotations": annotations}))


def test_text_that_is_no_json(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DataContractError, match="a readable JSON file"):
        read_landmark_file(tmp_path / "a.json")


def test_pixels_without_a_size(tmp_path):
    with pytest.raises(DataContractError, match="no size in the file\n    fix:      say how large .*--width"):
        read_landmark_file(write(tmp_path / "a.json", video([[person()]])))

"""Pose files of every shape, sound and broken."""

import io

import numpy as np
import pytest
from factories import make_pose

from hf_slt.data.readers import probe_pose, read_pose, write_pose
from hf_slt.errors import DataContractError


def problems_of(action, *arguments, **options):
    with pytest.raises(DataContractError) as error:
        action(*arguments, **options)
    return error.value.problems


def test_pose_round_trip(tmp_path):
    points, confidence = make_pose(4, 33)
    write_pose(tmp_path / "p.npz", points, confidence, norm="signing_space_v1", layout="mediapipe_pose")
    pose = read_pose(tmp_path / "p.npz")
    assert (pose.norm, pose.layout) == ("signing_space_v1", "mediapipe_pose")
    assert np.array_equal(pose.points, points) and np.array_equal(pose.confidence, confidence)
    assert (pose.points.dtype, pose.confidence.dtype) == (np.float32, np.float32)
    assert probe_pose(tmp_path / "p.npz") == (4, 33, "mediapipe_pose", True)


def pose_variants(points, confidence):
    full = np.concatenate([points, confidence[:, :, None]], axis=2)
    depth = np.concatenate([points, np.full_like(points[:, :, :1], -0.4)], axis=2)
    return {
        "(T,L,3)": {"pose": full},
        "(T,3L)": {"pose": full.reshape(len(full), -1)},
        "(T,L,2)": {"pose": points, "confidence": confidence},
        "(T,L,2) other key": {"pose": points, "pose_confidence": confidence},
        "(T,2L)": {"pose": points.reshape(len(points), -1), "confidence": confidence},
        "(T,L,3) with z": {"pose": depth, "confidence": confidence},
        "(T,3L) with z": {"pose": depth.reshape(len(depth), -1), "confidence": confidence},
        "float64": {"pose": full.astype(np.float64)},
    }


@pytest.mark.parametrize("variant", list(pose_variants(*make_pose(1, 1))))
@pytest.mark.parametrize("landmarks", [3, 6])
def test_every_shape_of_a_pose_reads_the_same(tmp_path, variant, landmarks):
    points, confidence = make_pose(4, landmarks)
    np.savez(tmp_path / "p.npz", **pose_variants(points, confidence)[variant])
    pose = read_pose(tmp_path / "p.npz")
    assert np.array_equal(pose.points, points) and np.array_equal(pose.confidence, confidence)
    assert (pose.norm, pose.layout) == (None, None)


def test_undetected_points(tmp_path):
    points, confidence = make_pose(3, 4)
    points[0, 1], confidence[0, 1] = np.nan, 0
    points[1, 2] = -1
    points[2, 3, 0] = -1
    for norm, expected in (("signing_space_v1", 0), (None, confidence[1, 2])):
        write_pose(tmp_path / "p.npz", points, confidence, norm=norm)
        pose = read_pose(tmp_path / "p.npz")
        assert pose.points[0, 1].tolist() == [0, 0] and pose.confidence[0, 1] == 0
        assert pose.confidence[1, 2] == expected
        assert pose.points[1, 2].tolist() == ([0, 0] if norm else [-1, -1])
        assert pose.points[2, 3, 0] == -1 and pose.confidence[2, 3] == confidence[2, 3]


def test_the_sentinel_may_stand_in_the_confidence_too(tmp_path):
    np.savez(tmp_path / "p.npz", pose=np.full((2, 3, 3), -1.0), pose_norm=np.array("signing_space_v1"))
    assert not read_pose(tmp_path / "p.npz").confidence.any()
    assert probe_pose(tmp_path / "p.npz")[3] is False


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"keypoints": np.zeros((2, 3))}, "the keys ['keypoints']"),
        ({"pose": np.zeros(9)}, "shape (9,)"),
        ({"pose": np.zeros((2, 3, 3, 1))}, "shape (2, 3, 3, 1)"),
        ({"pose": np.zeros((2, 4))}, "shape (2, 4)"),
        ({"pose": np.zeros((2, 8))}, "shape (2, 8)"),
        ({"pose": np.zeros((2, 5, 2))}, "shape (2, 5, 2)"),
        ({"pose": np.zeros((2, 0, 3))}, "shape (2, 0, 3)"),
        ({"pose": np.zeros((2, 0))}, "shape (2, 0)"),
        ({"pose": np.zeros((2, 5, 2)), "confidence": np.zeros((3, 5))}, "shape (2, 5, 2)"),
        ({"pose": np.zeros((2, 5, 2)), "confidence": np.zeros((2, 5, 1))}, "shape (2, 5, 2)"),
        ({"pose": np.zeros((0, 5, 3))}, "an empty clip, shape (0, 5, 3)"),
        ({"pose": np.zeros((0, 15))}, "an empty clip, shape (0, 15)"),
        ({"pose": np.full((2, 5, 3), np.nan)}, "10 points with NaN or infinity, the first at frame 0, point 0"),
        ({"pose": np.full((2, 5, 3), 1e300)}, "10 points with NaN or infinity, the first at frame 0, point 0"),
        ({"pose": np.full((2, 5, 3), 2.0)}, "confidences from 2 to 2"),
        ({"pose": np.full((2, 5, 3), -0.5)}, "confidences from -0.5 to -0.5"),
        ({"pose": np.zeros((2, 5, 3), complex)}, "dtype complex128"),
        ({"pose": np.array([["a", "b", "c"]])}, "dtype <U1"),
        ({"pose": np.array([{}, {}], dtype=object)}, "pickled Python objects"),
        ({"pose": np.zeros((2, 5, 3)), "pose_norm": np.array("other")}, "'other'"),
        ({"pose": np.zeros((2, 5, 3)), "pose_norm": np.array(["a", "b"])}, "dtype <U1 of shape (2,)"),
        ({"pose": np.zeros((2, 5, 3)), "pose_norm": np.array(None)}, "pickled Python objects"),
    ],
)
def test_poses_that_break_the_contract(tmp_path, arrays, found):
    np.savez(tmp_path / "p.npz", **arrays)
    (problem,) = problems_of(read_pose, tmp_path / "p.npz")
    assert problem.found == found
    assert str(tmp_path / "p.npz") in problem.where


def test_one_infinite_point_is_named(tmp_path):
    points, confidence = make_pose(5, 4)
    points[3, 2, 1] = np.inf
    write_pose(tmp_path / "p.npz", points, confidence)
    (problem,) = problems_of(read_pose, tmp_path / "p.npz")
    assert problem.found == "1 points with NaN or infinity, the first at frame 3, point 2"


@pytest.mark.parametrize("layout", ["nobody_knows", "keypoints_78", "points_4"])
def test_a_layout_that_does_not_fit(tmp_path, layout):
    write_pose(tmp_path / "p.npz", *make_pose(2, 3), layout=layout)
    (problem,) = problems_of(read_pose, tmp_path / "p.npz")
    assert problem.where.endswith("key 'pose_layout'") and layout in problem.found


@pytest.mark.parametrize("content", [b"", b"no array", slice(600), slice(30)])
def test_damaged_pose(tmp_path, content):
    write_pose(tmp_path / "p.npz", *make_pose(6, 33))
    whole = (tmp_path / "p.npz").read_bytes()
    (tmp_path / "p.npz").write_bytes(whole[content] if isinstance(content, slice) else content)
    (problem,) = problems_of(read_pose, tmp_path / "p.npz")
    assert problem.expected.startswith("a readable") and "pickle" not in problem.found


def test_a_bare_array_under_the_name_npz(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((2, 3, 3)))
    (tmp_path / "p.npz").write_bytes(buffer.getvalue())
    (problem,) = problems_of(read_pose, tmp_path / "p.npz")
    assert problem.found == "a bare .npy array under the name .npz"


def test_a_pose_under_another_key(tmp_path):
    np.savez(tmp_path / "p.npz", landmarks=np.full((2, 3, 3), 0.5))
    assert read_pose(tmp_path / "p.npz", key="landmarks").points.shape == (2, 3, 2)

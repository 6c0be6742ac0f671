"""Importing files and folders: what is written, and all that is wrong at once."""

import json
import pickle

import numpy as np
import pytest

from hf_slt.data.gloss.clips import read_clip
from hf_slt.data.pose_files import read_pose
from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.extraction.imports.arrays import imported_keypoints, imported_pose
from hf_slt.extraction.imports.conversion import ImportedClip, convert_layout, to_layout
from hf_slt.extraction.imports.corpus import import_landmarks
from hf_slt.extraction.imports.landmark_files import read_landmark_file
from hf_slt.extraction.keypoints import keypoints_78
from hf_slt.extraction.landmark_clip import FrameLandmarks, stack_frames
from hf_slt.extraction.pose_arrays import pose_streams
from hf_slt.landmarks import LAYOUTS
from hf_slt.signing_space import normalize_pose

WHOLE = {"width": 640, "height": 480}


def save(path, frames=5, seed=3, **more):
    points = np.random.default_rng(seed).uniform(0.2, 0.8, (frames, 543, 2)).astype(np.float32)
    points[2, 468:489] = np.nan
    np.savez(path, landmarks=points, **{**WHOLE, "fps": 25, **more})
    return points


def test_files_of_an_import_are_read_as_those_of_an_extraction(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("b", "a"):
        save(tmp_path / "in" / f"{name}.npz")
    (tmp_path / "in" / "notes.txt").write_text("not a clip")
    rows = import_landmarks(tmp_path / "in", tmp_path / "out")
    written = [json.loads(line) for line in (tmp_path / "out" / "metadata.jsonl").read_text().splitlines()]
    assert written == rows and [row["video_id"] for row in rows] == ["a", "b"]
    row = rows[0]
    assert (row["n_frames"], row["fps"], row["width"], row["height"], row["status"]) == (5, 25, 640, 480, "ok")
    assert row["detection"] == {"person": 1.0, "face": 1.0, "left_hand": 0.8, "right_hand": 1.0}
    pose, clip = read_pose(tmp_path / "out" / "pose" / "a.npz"), read_clip(tmp_path / "out" / "keypoints78" / "a.npz")
    assert (pose.norm, pose.layout, pose.points.shape) == ("signing_space_v1", "mediapipe_pose", (5, 33, 2))
    assert clip.values.shape == (5, 156) and clip.aspect_ratio == 640 / 480 and clip.mask.all()  # the gap is filled
    assert pose.provenance == clip.provenance == row["provenance"]
    with np.load(tmp_path / "out" / "keypoints78" / "a.npz") as arrays:
        assert json.loads(str(arrays["meta"]))["filled_points"] == 21
        np.testing.assert_allclose(arrays["timestamps_ms"], [0, 40, 80, 120, 160])


def test_import_and_extraction_give_the_same_arrays():
    generator = np.random.default_rng(4)
    frames = []
    for number in range(12):
        pose = generator.uniform(-0.1, 1.1, (33, 3)).astype(np.float32).clip(-1, 1)
        pose[:, 2] = generator.uniform(0.01, 1, 33)
        parts = {name: generator.uniform(-0.1, 1.1, (size, 2)) for name, size in (("left_hand", 21), ("face", 468))}
        frames.append(FrameLandmarks(None, None) if number == 5 else FrameLandmarks(pose, **parts))
    extracted = stack_frames(frames, np.arange(12) / 25, 640, 480)
    layout = LAYOUTS["holistic_543"]
    order = [extracted.points[part] for part in ("face", "left_hand", "pose", "right_hand")]
    seen = [np.repeat(extracted.seen[p][:, None], n, 1) for p, n in (("face", 468), ("left_hand", 21))]
    seen += [extracted.visibility, np.repeat(extracted.seen["right_hand"][:, None], 21, 1)]
    clip = ImportedClip(np.concatenate(order, 1), np.concatenate(seen, 1).astype(np.float32), layout.name, 640, 480)
    for imported, expected in zip(imported_keypoints(clip, 5), keypoints_78(extracted, 5), strict=True):
        np.testing.assert_array_equal(imported, expected)
    points, confidence = pose_streams(extracted, "mediapipe_pose_hands")
    normalized = normalize_pose(points, confidence, LAYOUTS["mediapipe_pose_hands"])
    imported = imported_pose(clip, "mediapipe_pose_hands")
    np.testing.assert_array_equal(imported[0], normalized)
    np.testing.assert_array_equal(imported[1], confidence)


def test_same_bytes_twice(tmp_path):
    save(tmp_path / "a.npz")
    for out in ("one", "two"):
        import_landmarks(tmp_path / "a.npz", tmp_path / out)
    for name in ("pose/a.npz", "keypoints78/a.npz", "metadata.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_all_problems_at_once_and_nothing_written(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    save(source / "good.npz")
    save(source / "twice.npz")
    np.save(source / "twice.npy", np.zeros((3, 17, 3)))
    (source / "old.pkl").write_bytes(pickle.dumps({"keypoints": 1}))
    (source / "broken.pose").write_bytes(b"\0" * 3)
    with pytest.raises(DataContractError) as error:
        import_landmarks(source, tmp_path / "out")
    message = str(error.value)
    assert "the landmark files are not usable; nothing was written: 4 problems" in message
    assert "one file for the id 'twice'\n    found:    twice.npy, twice.npz" in message
    assert "float64 of shape (3, 17, 3)" in message and "cut short" in message
    assert "reading one runs code" in message and "np.savez('old.npz', keypoints=d['keypoints']" in message
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_earlier_import_is_replaced_on_demand_only(tmp_path):
    save(tmp_path / "a.npz")
    import_landmarks(tmp_path / "a.npz", tmp_path / "out")
    save(tmp_path / "b.npz")
    with pytest.raises(ConfigurationError, match=r"add --overwrite to replace an import"):
        import_landmarks(tmp_path / "b.npz", tmp_path / "out")
    import_landmarks(tmp_path / "b.npz", tmp_path / "out", overwrite=True)
    assert [path.name for path in (tmp_path / "out" / "pose").iterdir()] == ["b.npz"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fps": 0, "width": 640}, "fps, found 0; expected width and height together"),
        ({"fps": float("nan")}, "expected a number above 0 for fps, found nan"),
        ({"format": "openpose"}, "expected a format out of .*, found 'openpose'"),
        ({"pose_layout": "keypoints_78"}, "expected a pose layout out of"),
        ({"max_gap": -1}, "0 frames or more, found -1"),
    ],
)
def test_settings_that_cannot_work(tmp_path, settings, message):
    save(tmp_path / "a.npz")
    with pytest.raises(ConfigurationError, match=message):
        import_landmarks(tmp_path / "a.npz", tmp_path / "out", **settings)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.pose", "found:    no such file"),
        ("folder.pose", "found:    a folder"),
        ("clip.csv", "one of the suffixes .pose, .parquet, .json, .npy, .npz\n    found:    '.csv'"),
        ("own.npz", r"found:    the keys \['mask'\]"),
        ("body.npz", "a score for each point, shape .3, 133.\n    found:    none"),
    ],
)
def test_files_that_are_none(tmp_path, name, message):
    (tmp_path / "folder.pose").mkdir()
    (tmp_path / "clip.csv").write_text("x,y\n")
    np.savez(tmp_path / "own.npz", mask=np.ones(3))
    np.savez(tmp_path / "body.npz", keypoints=np.ones((3, 133, 2)))
    with pytest.raises(DataContractError, match=message):
        read_landmark_file(tmp_path / name)


@pytest.mark.parametrize("format", ["pose", "wholebody133"])
def test_a_format_that_was_asked_for_is_required(tmp_path, format):
    save(tmp_path / "a.npz")
    with pytest.raises(DataContractError, match=f"an array of the format {format}\n    found:    543 points a frame"):
        read_landmark_file(tmp_path / "a.npz", format=format)
    (tmp_path / "a.json").write_text("[]")
    if format == "pose":
        with pytest.raises(DataContractError, match="found:    a file of the format wholebody133"):
            read_landmark_file(tmp_path / "a.json", format=format)


def test_folder_without_landmarks(tmp_path):
    (tmp_path / "clip.mp4").write_text("")
    with pytest.raises(DataContractError, match=r"found:    1 others: clip\.mp4"):
        import_landmarks(tmp_path, tmp_path / "out")


def test_layouts_that_share_nothing():
    clip = ImportedClip(np.zeros((1, 3, 2)), np.ones((1, 3)), "hands_nose")
    assert to_layout(clip, "hands_nose") is clip
    points, confidence = np.zeros((1, 2, 2)), np.ones((1, 2))
    unnamed = type(LAYOUTS["hands_nose"])("two", ("a", "b"))
    with pytest.raises(ConfigurationError, match="shares points with 'two', found 'hands_nose'"):
        convert_layout(points, confidence, unnamed, LAYOUTS["hands_nose"])
    with pytest.raises(ConfigurationError, match="expected a layout out of .*found 'coco'"):
        to_layout(clip, "coco")

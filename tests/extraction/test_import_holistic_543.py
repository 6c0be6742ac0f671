"""The 543 points of MediaPipe Holistic in tables and arrays."""

import numpy as np
import pytest

from hf_slt.errors import DataContractError
from hf_slt.extraction.imports.landmark_files import read_landmark_file
from hf_slt.landmarks import LAYOUTS

PARTS = {"face": 468, "left_hand": 21, "pose": 33, "right_hand": 21}
POINTS = LAYOUTS["holistic_543"].points


def points_543(frames=3, dims=3):
    return np.random.default_rng(1).uniform(0.2, 0.8, (frames, 543, dims)).astype(np.float32)


def table(points, first_frame=20):
    """The rows of the Google ISLR data, in an order of their own."""
    rows = []
    for frame, values in enumerate(points, start=first_frame):
        numbered = [(part, index) for part, size in PARTS.items() for index in range(size)]
        for (part, index), (x, y, z) in zip(numbered, values, strict=True):
            row_id = f"{frame}-{part}-{index}"
            rows.append(
                {"frame": frame, "row_id": row_id, "type": part, "landmark_index": index, "x": x, "y": y, "z": z}
            )
    return rows[::-1]


def write_parquet(path, rows):
    pa = pytest.importorskip("pyarrow", reason="parquet files need pyarrow")
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_table_and_array_are_the_same_clip(tmp_path):
    points = points_543()
    points[1, 468:489] = np.nan
    from_table = read_landmark_file(write_parquet(tmp_path / "a.parquet", table(points)))
    np.save(tmp_path / "a.npy", points)
    from_array = read_landmark_file(tmp_path / "a.npy")
    for clip in (from_table, from_array):
        assert (clip.layout, clip.width, clip.fps) == ("holistic_543", None, None)
        np.testing.assert_array_equal(clip.points[:, POINTS.index("nose")], points[:, 489, :2])
        np.testing.assert_array_equal(clip.points[0], points[0, :, :2])
        hand = POINTS.index("left_hand_wrist")
        assert clip.confidence[:, hand].tolist() == [1, 0, 1] and (clip.points[1, hand] == 0).all()
        assert clip.provenance["extractor"] == "mediapipe_holistic"
    np.testing.assert_array_equal(from_table.points, from_array.points)


def test_frames_that_a_table_leaves_out_are_missing(tmp_path):
    rows = [row for row in table(points_543(4)) if row["frame"] != 22]
    clip = read_landmark_file(write_parquet(tmp_path / "a.parquet", rows), fps=30, width=640, height=480)
    assert clip.confidence.any(axis=1).tolist() == [True, True, False, True]
    assert (clip.fps, clip.aspect_ratio) == (30, 640 / 480)


def test_body_counts_inside_the_picture_only_and_hands_everywhere(tmp_path):
    points = points_543(2, dims=2)
    points[:, [489 + 25, 468]] = 1.2
    np.savez(tmp_path / "a.npz", landmarks=points, fps=25.0)
    clip = read_landmark_file(tmp_path / "a.npz")
    assert clip.confidence[0, POINTS.index("left_knee")] == 0 and clip.fps == 25
    assert clip.confidence[0, POINTS.index("left_hand_wrist")] == 1


def test_zeros_are_missing_too(tmp_path):
    points = points_543()
    points[0, 100] = 0
    np.save(tmp_path / "a.npy", points)
    assert read_landmark_file(tmp_path / "a.npy").confidence[:, 100].tolist() == [0, 1, 1]


def test_pixels_need_the_size_of_the_picture(tmp_path):
    points = points_543(dims=2)
    np.save(tmp_path / "a.npy", points * (640, 480))
    with pytest.raises(DataContractError, match="--width and --height"):
        read_landmark_file(tmp_path / "a.npy")
    clip = read_landmark_file(tmp_path / "a.npy", width=640, height=480)
    np.testing.assert_allclose(clip.points, points, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"landmark_index": 21}, r"left_hand 0 to 20.*\n    found:    row 0: frame 20.0, type 'left_hand', .* 21.0"),
        ({"type": "foot"}, "type 'foot'"),
        ({"frame": 2_000_000}, "at most 1000000 frames"),
    ],
    ids=str,
)
def test_other_points(tmp_path, change, message):
    row = {"frame": 20, "type": "left_hand", "landmark_index": 0, "x": 0.5, "y": 0.5}
    path = write_parquet(tmp_path / "a.parquet", [{**row, **change}, row])
    with pytest.raises(DataContractError, match=message):
        read_landmark_file(path)


def test_table_of_other_columns(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [{"frame": 0, "x": 0.5}])
    with pytest.raises(DataContractError, match=r"found:    the columns \['frame', 'x'\]"):
        read_landmark_file(path)


def test_damaged_table(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", table(points_543()))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataContractError, match="a readable parquet file"):
        read_landmark_file(path)

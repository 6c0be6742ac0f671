"""Real clips to files: who is found where, and twice the same bytes."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from hf_slt.data.gloss.clips import read_clip
from hf_slt.data.pose_files import read_pose
from hf_slt.errors import VideoError
from hf_slt.extraction.clip import extract_clip
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.stream_files import IMAGE_FOLDERS

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(importlib.util.find_spec("mediapipe") is None, reason="needs mediapipe, see README"),
]

OPTIONS = ExtractionOptions(fps=6, image_size=64)


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_signer_twice_the_same_bytes(real_data_dir, tmp_path):
    video = real_data_dir / "video" / "wlasl_10signers" / "63728.mp4"
    rows = [extract_clip(video, tmp_path / run, "wood", OPTIONS) for run in ("one", "two")]
    assert rows[0] == rows[1]
    one, two = (files_below(tmp_path / run) for run in ("one", "two"))
    assert one == two
    assert len(one) == 2 + sum(rows[0]["frames"][stream] for stream in IMAGE_FOLDERS)
    row = rows[0]
    assert (row["n_frames"], row["width"], row["height"]) == (15, 260, 240)
    assert row["detection"]["person"] == row["detection"]["face"] == 1
    assert min(row["detection"]["left_hand"], row["detection"]["right_hand"]) > 0.4
    assert row["signer_choice"]["people"] == 1
    for stream, folder in IMAGE_FOLDERS.items():
        assert len(list((tmp_path / "one" / folder / "wood").iterdir())) == row["frames"][stream]
    # both hands rest below the picture at first: a wrist that is not in it has no crop
    assert not (tmp_path / "one" / "hand_l" / "wood" / "000000.jpg").exists()
    pose = read_pose(tmp_path / "one" / "pose" / "wood.npz")
    shoulders = pose.points[:, [11, 12]]
    assert np.median(shoulders[:, 0, 0] - shoulders[:, 1, 0]) == pytest.approx(1 / 3, abs=0.02)  # two head units of 6
    assert pose.provenance["extractor"] == "mediapipe_holistic"
    clip = read_clip(tmp_path / "one" / "keypoints78" / "wood.npz")
    assert clip.mask[:, 0].all()
    assert (0.3 < clip.values[:, 0]).all() and (clip.values[:, 0] < 0.6).all()  # the nose, in fractions of the picture


def test_a_title_card_is_missing_and_not_invented(real_data_dir, tmp_path):
    video = real_data_dir / "video" / "wlasl_10signers" / "70304.mp4"
    row = extract_clip(video, tmp_path, "week", OPTIONS)
    known = read_pose(tmp_path / "pose" / "week.npz").confidence.any(axis=1)
    times = np.load(tmp_path / "keypoints78" / "week.npz")["timestamps_ms"] / 1000
    card = (times > 2.3) & (times < 3.6)  # seconds
    assert card.sum() >= 7
    assert not known[card].any()
    assert known[times < 1.6].all()
    assert row["frames"]["face"] == known.sum()
    with pytest.raises(VideoError, match="no person in any of"):
        extract_clip(video, tmp_path, "card", OPTIONS, start=2.4, end=3.4)
    assert not list(tmp_path.rglob("*card*"))


def test_of_two_people_the_signer_is_cut_out(real_data_dir, tmp_path):
    boxes = []
    video = real_data_dir / "video" / "misc" / "lsat_clip2.gif"
    row = extract_clip(video, tmp_path, "two", OPTIONS, on_frame=lambda frame, landmarks, found: boxes.append(found))
    assert row["signer_choice"]["people"] == 2
    assert row["detection"]["person"] == 1
    lefts = [box[0] / row["width"] for found in boxes for box in found.values() if box]
    assert len(lefts) == sum(row["frames"][stream] for stream in IMAGE_FOLDERS)
    assert min(lefts) > 0.45  # the signer stands on the right

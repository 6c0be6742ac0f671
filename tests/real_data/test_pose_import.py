"""Real `.pose` files: AUTSL and PHOENIX (version 0.1), Spanish fingerspelling (version 0.2, refined face)."""

import numpy as np
import pytest

from hf_slt.data.gloss.clips import read_clip
from hf_slt.data.pose_files import read_pose
from hf_slt.extraction.imports.corpus import import_landmarks
from hf_slt.landmarks import LAYOUTS

pytestmark = pytest.mark.real_data
POINTS = LAYOUTS["keypoints_78"].points


@pytest.fixture(scope="module")
def imported(real_data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("poses") / "out"
    rows = import_landmarks(real_data_dir / "pose_files", folder)
    return folder, {row["video_id"]: row for row in rows}


def test_frames_sizes_and_rates(imported):
    _, rows = imported
    facts = {name.partition("_")[0]: (r["n_frames"], r["width"], r["height"], r["fps"]) for name, r in rows.items()}
    assert len(rows) == 6
    assert facts["autsl"] == (43, 512, 512, 30.0) and facts["phoenix"] == (86, 210, 260, 25.0)
    assert rows["autsl_signer0_sample1000"]["detection"]["left_hand"] == pytest.approx(40 / 43, abs=1e-4)
    spelling = [row for name, row in rows.items() if name.startswith("fs-sts")]
    assert [row["detection"]["right_hand"] for row in spelling] == [1.0] * 4
    assert [row["detection"]["left_hand"] for row in spelling] == [0.0] * 4


def test_bodies_stand_upright_and_hands_are_at_their_wrists(imported):
    folder, rows = imported
    index = {name: number for number, name in enumerate(POINTS)}
    for name, row in rows.items():
        clip = read_clip(folder / "keypoints78" / f"{name}.npz", width=156)
        points = clip.values.reshape(-1, 78, 2) * (row["width"], row["height"])
        shoulders = points[:, [index["left_shoulder"], index["right_shoulder"]]]
        assert clip.mask[:, index["nose"]].all() and clip.aspect_ratio == row["width"] / row["height"]
        assert (points[:, index["nose"], 1] < shoulders[..., 1].min(axis=1)).all()
        assert (shoulders[:, 0, 0] > shoulders[:, 1, 0]).all()  # the signer's left is at the right of the picture
        width = np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=-1)
        both = clip.mask[:, index["right_wrist"]] & clip.mask[:, index["right_hand_wrist"]]
        distance = np.linalg.norm(points[:, index["right_wrist"]] - points[:, index["right_hand_wrist"]], axis=-1)
        assert both.any() and np.median((distance / width)[both]) < 0.25


def test_pose_files_are_in_signing_space(imported):
    folder, rows = imported
    for name in rows:
        pose = read_pose(folder / "pose" / f"{name}.npz")
        layout = LAYOUTS["mediapipe_pose"]
        middle = np.median(pose.points[:, [layout.left_shoulder, layout.right_shoulder]].mean(axis=1), axis=0)
        np.testing.assert_allclose(middle, (1 / 2, 3 / 7), atol=0.01)
        assert pose.provenance["extractor"] == "mediapipe_holistic"

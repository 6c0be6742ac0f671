"""What files of clips say of their extractor."""

import json

import numpy as np
import pytest
from factories import make_pose, write_corpus
from gloss_factories import make_clip

from hf_slt.data.builder import build_datasets
from hf_slt.data.file_records import clip_record, clip_records, pose_record, pose_records
from hf_slt.data.gloss.clips import read_clip, write_clip
from hf_slt.data.pose_files import read_pose, write_pose

RECORD = {"extractor": "holistic", "extractor_version": "0.10", "options": {"fps": 25.0}, "source": "señas.mp4"}


def test_a_pose_file_holds_its_record(tmp_path):
    points, confidence = make_pose(4, 33)
    for name, record in (("a", RECORD), ("b", RECORD), ("none", None)):
        write_pose(tmp_path / f"{name}.npz", points, confidence, norm="signing_space_v1", provenance=record)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert read_pose(tmp_path / "a.npz").provenance == RECORD
    assert read_pose(tmp_path / "none.npz").provenance is None
    assert pose_record(tmp_path / "a.npz") == {**RECORD, "pose_norm": "signing_space_v1"}
    assert pose_record(tmp_path / "none.npz") == {"pose_norm": "signing_space_v1"}


@pytest.mark.parametrize("foreign", [np.array([1, 2]), np.array("by hand"), np.array("[1]"), np.array(["{}", "{}"])])
def test_what_other_tools_wrote_there_is_no_record(tmp_path, foreign):
    points, confidence = make_pose(4, 33)
    pose = np.concatenate([points, confidence[:, :, None]], axis=2)
    np.savez(tmp_path / "p.npz", pose=pose, provenance=foreign)
    assert read_pose(tmp_path / "p.npz").provenance is None and pose_record(tmp_path / "p.npz") is None
    np.savez(tmp_path / "c.npz", X=pose.reshape(4, -1)[:, :66] + 1, meta=foreign)
    assert read_clip(tmp_path / "c.npz").provenance is None and clip_record(tmp_path / "c.npz") is None


def test_an_unreadable_file_is_for_others_to_report(tmp_path):
    (tmp_path / "p.npz").write_bytes(b"no npz")
    assert pose_record(tmp_path / "p.npz") is None and clip_record(tmp_path / "p.npz") is None


def test_the_rows_of_a_corpus(tmp_path):
    paths = write_corpus(tmp_path, {"a": "Hola.", "b": "Adiós."}, {"train": ["a", "b"]}, streams=("face", "pose"))
    pose = read_pose(paths.pose_dir / "b.npz")
    write_pose(paths.pose_dir / "b.npz", pose.points, pose.confidence, norm=pose.norm, provenance=RECORD)
    found = pose_records(build_datasets(paths, show_progress=False)[0]["train"])
    assert [record and record.get("extractor") for record in found] == [None, "holistic"]
    assert pose_records([{"pose": None}, {"pose": {"path": str(paths.pose_dir / "b.npz")}}])[0] is None


def test_clips_of_single_signs_hold_it_in_their_meta(tmp_path):
    values, mask = make_clip(np.random.default_rng(0), 1, 4)
    write_clip(tmp_path / "a.npz", values, mask, meta={"width": 2, "height": 1, "provenance": RECORD})
    write_clip(tmp_path / "b.npz", values, key="X2048", meta={"provenance": json.dumps(RECORD)})
    write_clip(tmp_path / "c.npz", values, mask)
    clip = read_clip(tmp_path / "a.npz")
    assert (clip.provenance, clip.aspect_ratio) == (RECORD, 2.0)
    assert read_clip(tmp_path / "b.npz", "features").provenance == RECORD
    assert clip_records(tmp_path, ["a", "b", "c"]) == [RECORD, RECORD, None]

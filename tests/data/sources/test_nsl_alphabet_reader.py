"""The converter of the NSL alphabet on a small made-up download."""

import csv

import numpy as np
import pytest

from hf_slt.data.gloss.clips import read_clip
from hf_slt.data.gloss.contract import GlossSplit, check_splits
from hf_slt.data.gloss.names import read_names
from hf_slt.data.sources import convert_source
from hf_slt.data.sources.nsl_alphabet import read_nsl_alphabet
from hf_slt.errors import DataContractError
from hf_slt.landmarks import LAYOUTS

HEADER = "path,gloss,kind,signer,take,frames,fps,width,height,pose_ratio"
SIGNS = {"KA": "consonant", "": "consonant", "A": "vowel"}
SIGNERS = ("S1", "S2", "S3", "S7", "S12")
POINTS = LAYOUTS["keypoints_78"].points


def make_xyz(seed=0, frames=4):
    xyz = np.random.default_rng(seed).uniform(-0.3, 0.3, (frames, 75, 3)).astype(np.float16)
    xyz[:, 33:54] = np.nan  # no left hand
    return xyz


def write_xyz(folder, signer, gloss, xyz):
    path = folder / "clips" / signer / "take" / f"{gloss}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, xyz=xyz, pose_vis=np.ones((len(xyz), 33), np.float16))


@pytest.fixture
def download(tmp_path):
    folder = tmp_path / "nsl"
    lines = [HEADER]
    for seed, (signer, gloss) in enumerate((signer, gloss) for signer in SIGNERS for gloss in SIGNS):
        write_xyz(folder, signer, gloss, make_xyz(seed))
        lines.append(f"clips/{signer}/take/{gloss}.npz,{gloss},{SIGNS[gloss]},{signer},take,4,30.0,1920,1080,1.0")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def points_of(download, xyz):
    write_xyz(download, "S1", "KA", xyz)
    clip = read_nsl_alphabet(download)[0]
    return clip.points, clip.mask


def test_points_are_picked_by_name_and_moved_into_the_picture(download):
    xyz = make_xyz(5)
    points, mask = points_of(download, xyz)
    assert points.shape == (4, 78, 2) and mask.shape == (4, 78)
    expected = xyz[..., :2].astype(np.float32) + 0.5
    for name, source in (("nose", 0), ("left_shoulder", 11), ("right_hip", 24), ("right_hand_wrist", 54)):
        np.testing.assert_array_equal(points[:, POINTS.index(name)], expected[:, source])
    np.testing.assert_array_equal(points[:, POINTS.index("right_hand_pinky_3")], expected[:, 74])
    seen = {
        name.split("_")[0] + "_hand" if "_hand_" in name else "other"
        for name, m in zip(POINTS, mask[0], strict=True)
        if m
    }
    assert seen == {"right_hand", "other"} and mask[:, :25].all() and not mask[:, 67:].any()
    assert (points[~mask] == 0).all()


def test_a_take_without_a_body_is_in_the_picture_already(download):
    xyz = make_xyz(5) + np.float16(0.5)
    xyz[:, :33] = np.nan
    points, mask = points_of(download, xyz)
    np.testing.assert_array_equal(points[:, 46:67], xyz[:, 54:, :2].astype(np.float32))
    assert mask.any(axis=0).nonzero()[0].tolist() == list(range(46, 67))


def test_a_body_that_was_lost_in_single_frames_is_missing_there(download):
    xyz = make_xyz(5)
    xyz[2, :33] = -0.5
    points, mask = points_of(download, xyz)
    assert mask[:, 0].tolist() == [True, True, False, True] and mask[2, 46:67].all()
    assert (points[2, :25] == 0).all()


def test_files_labels_and_splits(download, tmp_path):
    output = convert_source("nsl_alphabet", download, tmp_path / "out", show_progress=False)
    assert read_names(output / "glosses.csv") == ["A", "KA", "NA"]
    assert read_names(output / "categories.csv") == ["consonant", "vowel"]
    with open(output / "labels.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "gloss", "cat", "signer", "take"] and len(rows) == 16
    assert rows[1:4] == [
        ["S1__take__KA", "1", "0", "S1", "take"],
        ["S1__take__NA", "2", "0", "S1", "take"],
        ["S1__take__A", "0", "1", "S1", "take"],
    ]
    clip = read_clip(output / "keypoints" / "S1__take__NA.npz", width=156)
    assert clip.aspect_ratio == pytest.approx(16 / 9)

    splits = output / "splits"
    assert sorted(path.name for path in (splits / "loso").iterdir()) == sorted(SIGNERS)
    for name, test_signers in {"standard": {"S7", "S12"}, **{f"loso/{signer}": {signer} for signer in SIGNERS}}.items():
        parts = [GlossSplit(part, output / "keypoints", splits / name / f"{part}.csv") for part in ("train", "test")]
        report = check_splits(
            parts,
            width=156,
            gloss_names=output / "glosses.csv",
            cat_names=output / "categories.csv",
            cache_dir=tmp_path,
        )
        assert report.problems == [] and report.warnings == []
        assert {row.signer for row in report.rows["test"]} == test_signers
        assert {row.signer for row in report.rows["train"]} == set(SIGNERS) - test_signers


def test_a_corpus_is_replaced_on_demand(download, tmp_path):
    for _ in range(2):
        convert_source("nsl_alphabet", download, tmp_path / "out", overwrite=True, show_progress=False)
    assert len(list((tmp_path / "out" / "keypoints").iterdir())) == 15


def test_everything_that_is_wrong_is_listed(download):
    manifest = (download / "manifest.csv").read_text().splitlines()
    manifest[3] = manifest[3].replace(",1920,", ",wide,")
    manifest[5] = manifest[5].replace(",30.0,1920,", ",nan,0,")
    manifest.append(manifest[1])
    manifest.append(manifest[2].replace(",S1,", ",../S1,"))
    (download / "manifest.csv").write_text("\n".join(manifest) + "\n")
    (download / "clips" / "S2" / "take" / "KA.npz").unlink()
    write_xyz(download, "S2", "A", np.zeros((4, 33, 3), np.float16))
    write_xyz(download, "S3", "A", np.full((4, 75, 3), np.nan, np.float16))
    with pytest.raises(DataContractError) as caught:
        read_nsl_alphabet(download)
    shown = str(caught.value)
    assert len(caught.value.problems) == 7
    for text in (
        "'wide'",
        "line 6\n    expected: width, height and fps above 0\n    found:    {'width': 0, 'height': 1080, 'fps': nan}",
        "'S1__take__KA' again",
        "a path separator in",
        "No such file",
        "(4, 33, 3)",
        "none in any frame",
    ):
        assert text in shown


def test_other_manifests(download):
    (download / "manifest.csv").write_text("path,gloss\na,b\n")
    with pytest.raises(DataContractError, match=r"no \['kind', 'signer', 'take', 'fps', 'width', 'height'\]"):
        read_nsl_alphabet(download)
    (download / "manifest.csv").unlink()
    with pytest.raises(DataContractError, match="No such file"):
        read_nsl_alphabet(download)

"""The converters on the real corpora."""

import csv
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hf_slt.data.contract import check_corpus
from hf_slt.data.corpus import CorpusPaths
from hf_slt.data.readers import read_pose
from hf_slt.data.sources import convert_source

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def boston(real_data_dir, tmp_path_factory):
    return convert_source("boston104", real_data_dir / "boston104", tmp_path_factory.mktemp("corpora") / "boston104")


@pytest.fixture(scope="module")
def phoenix(real_data_dir, tmp_path_factory):
    folder = real_data_dir / "phoenix_skeletons"
    return convert_source("phoenix_skeletons", folder, tmp_path_factory.mktemp("corpora") / "phoenix")


def ids(corpus, index):
    return (corpus / "index" / f"{index}.csv").read_text(encoding="utf-8").split()[1:]


def texts(corpus):
    with open(corpus / "meta.csv", encoding="utf-8", newline="") as file:
        return {row["video_id"]: row["text"] for row in csv.DictReader(file)}


def report_of(corpus, **indexes):
    files = {split: corpus / "index" / f"{name}.csv" for split, name in indexes.items()}
    return check_corpus(CorpusPaths(pose_dir=corpus / "pose", metadata_csv=corpus / "meta.csv", indexes=files))


def test_boston_keeps_the_data_contract_with_the_standard_split(boston):
    clips, report = report_of(boston, train="fold0_train", validation="fold0_val", test="test")
    assert report.problems == []
    assert {split: len(found) for split, found in clips.items()} == {"train": 128, "validation": 33, "test": 40}
    assert len(ids(boston, "train")) == 161
    assert {gloss for text in texts(boston).values() for gloss in text.split()} >= {"JOHN", "IX-1P", "MUST"}


def test_boston_test_sentences_are_partly_known(boston):
    text = texts(boston)
    known = {text[name] for name in ids(boston, "train")}
    assert sum(text[name] in known for name in ids(boston, "test")) == 26


def test_boston_folds_part_the_train_split_and_are_alike(boston):
    text = texts(boston)
    held_out = [ids(boston, f"fold{number}_val") for number in range(5)]
    assert sorted(sum(held_out, [])) == sorted(ids(boston, "train"))
    for number, fold in enumerate(held_out):
        rest = ids(boston, f"fold{number}_train")
        assert set(rest) | set(fold) == set(ids(boston, "train")) and not set(rest) & set(fold)
        assert sum(text[name] in {text[other] for other in rest} for name in fold) in (11, 12)
    assert Counter(map(len, held_out)) == {32: 4, 33: 1}


def test_boston_points_fill_the_signing_space(boston):
    poses = [read_pose(path) for path in sorted((boston / "pose").iterdir())]
    points = np.concatenate([pose.points for pose in poses])
    assert len(poses) == 201 and {pose.norm for pose in poses} == {"signing_space_v1"}
    np.testing.assert_allclose(np.median(points[:, 2], axis=0), [0.5, 1.5 / 7], atol=1e-3)
    low, high = np.percentile(points, [1, 99], axis=(0, 1))
    assert (low > 0.1).all() and (high < 1.0).all()
    assert points[:, 0, 0].mean() > points[:, 1, 0].mean()  # the signer's left is on the right of the picture
    assert min(pose.confidence.min() for pose in poses) == 1.0  # the trackers lost nothing


def test_phoenix_keeps_the_data_contract(phoenix):
    clips, report = report_of(phoenix, train="train", validation="val", test="test")
    assert report.problems == []
    assert {split: len(found) for split, found in clips.items()} == {"train": 5, "validation": 5, "test": 5}
    lengths = [clip.n_frames for found in clips.values() for clip in found]
    assert (min(lengths), max(lengths)) == (42, 198)
    assert any("ü" in clip.text for clip in clips["train"])


def test_phoenix_signers_stand_upright_with_every_joint_found(phoenix):
    for path in (phoenix / "pose").iterdir():
        pose = read_pose(path)
        assert (pose.norm, pose.layout, pose.confidence.min()) == (None, "skeleton_50", 1.0)
        head, neck, left, right = (np.median(pose.points[:, joint], axis=0) for joint in (0, 1, 2, 5))
        assert head[1] < neck[1] - 0.1 and right[0] < neck[0] < left[0]


def test_script_writes_a_corpus_and_replaces_it_on_demand_only(real_data_dir, tmp_path):
    script = Path(__file__).parents[2] / "scripts" / "prepare_data.py"
    command = [sys.executable, str(script), "--source", "phoenix_skeletons", "--output", str(tmp_path / "out")]
    command += ["--input", str(real_data_dir / "phoenix_skeletons")]
    environment = os.environ | {"PYTHONPATH": str(script.parents[1])}
    codes = [subprocess.run(command + more, env=environment).returncode for more in ([], [], ["--overwrite"])]
    assert codes == [0, 2, 0]
    assert len(texts(tmp_path / "out")) == 15

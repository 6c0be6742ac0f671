"""The converters on small made-up downloads: values, folds, and what they say of damage."""

import numpy as np
import pytest

from hf_slt.data.readers import read_pose
from hf_slt.data.sources import convert_source
from hf_slt.data.sources.boston104 import cross_validation_folds, pixels_per_head_unit, read_boston104
from hf_slt.data.sources.phoenix_skeletons import read_phoenix_skeletons
from hf_slt.errors import ConfigurationError, DataContractError

HEADER = "video\tspeaker\tsplit\tframes\tgloss\tsegments\n"
UNIT = 40.0  # pixels


@pytest.fixture
def boston(tmp_path):
    folder = tmp_path / "boston"
    folder.mkdir()
    rows = [(1, "train", "JOHN READ"), (2, "test", "JOHN READ"), (3, "train", "MARY GO")]
    lines = [f"{video}\tman-1\t{split}\t4\t{gloss}\tJOHN:0-1\n" for video, split, gloss in rows]
    (folder / "sentences.tsv").write_text(HEADER + "".join(lines))
    rest = 60 + 3.4 * UNIT  # where a hand at rest is, with the nose at (170, 60)
    clip = np.array([[200, rest, 140, 100, 170, 60]] * 4, np.float32)
    np.savez(folder / "positions.npz", v1=clip, v2=2 * clip, v3=clip)
    return folder


@pytest.fixture
def phoenix(tmp_path):
    folder = tmp_path / "phoenix"
    folder.mkdir()
    for number, split in enumerate(("train", "dev", "test")):
        frame = np.arange(1, 151, dtype=float) + number
        frame[3:6] = 0  # the neck, at the origin
        frame[24:27] = 0  # joint 8, not found
        line = " ".join(map(str, [*frame, 0.0, *frame, 0.5]))
        (folder / f"{split}.skels").write_text(line + "\n")
        (folder / f"{split}.text").write_text(f"schöne grüße aus {split} .\n", encoding="utf-8")
        (folder / f"{split}.gloss").write_text("GRUSS\n")
        (folder / f"{split}.files").write_text(f"{split}/video-{number}\n")
    return folder


def test_boston_positions_are_head_units_around_shoulders_below_the_nose(boston):
    clips, indexes = read_boston104(boston)
    assert [clip.video_id for clip in clips] == ["v001", "v002", "v003"]
    assert clips[0].text == "JOHN READ"
    assert (clips[0].layout, clips[0].norm) == ("hands_nose", "signing_space_v1")
    left, right, nose = clips[0].points[0]
    np.testing.assert_allclose(nose, [0.5, (3 - 1.5) / 7], atol=1e-5)
    np.testing.assert_allclose(left, [0.5 + 30 / UNIT / 6, (3 - 1.5 + 3.4) / 7], atol=1e-5)
    np.testing.assert_allclose(right, [0.5 - 30 / UNIT / 6, (3 - 1.5 + 1.0) / 7], atol=1e-5)
    assert clips[0].confidence.min() == 1.0
    assert indexes["train"] == ["v001", "v003"] and indexes["test"] == ["v002"]


def test_boston_head_unit_comes_from_train_alone(boston):
    train = read_boston104(boston)[0][0].points
    with np.load(boston / "positions.npz") as arrays:
        clips = dict(arrays)
    assert pixels_per_head_unit([clips["v1"].reshape(-1, 3, 2)]) == pytest.approx(UNIT, rel=1e-6)
    np.savez(boston / "positions.npz", **clips | {"v2": 9 * clips["v2"]})
    np.testing.assert_array_equal(read_boston104(boston)[0][0].points, train)


def test_boston_lost_points_are_undetected(boston):
    with np.load(boston / "positions.npz") as arrays:
        clips = dict(arrays)
    clips["v1"][1, :2] = 0
    np.savez(boston / "positions.npz", **clips)
    clip = read_boston104(boston)[0][0]
    assert clip.confidence[:, 0].tolist() == [1, 0, 1, 1]
    assert clip.points[1, 0].tolist() == [-1, -1]


def test_folds_part_the_clips_and_spread_repeated_sentences():
    texts = ["A", "A", "A", "B", "B", *"CDEFGHIJ"]
    rows = [{"video": str(i), "speaker": f"s{i % 2}", "gloss": text} for i, text in enumerate(texts)]
    folds = cross_validation_folds(rows)
    assert folds == cross_validation_folds(rows[::-1])
    assert sorted(int(row["video"]) for fold in folds for row in fold) == list(range(13))
    assert sorted(len(fold) for fold in folds) == [2, 2, 3, 3, 3]
    for text in "AB":
        assert max(sum(row["gloss"] == text for row in fold) for fold in folds) == 1


def test_boston_files_on_disk_hold_no_word_boundaries(boston, tmp_path):
    output = convert_source("boston104", boston, tmp_path / "out")
    names = {path.name for path in (output / "index").iterdir()}
    folds = {f"fold{number}_{part}.csv" for number in range(5) for part in ("train", "val")}
    assert names == folds | {"train.csv", "test.csv"}
    assert (output / "meta.csv").read_text().splitlines()[:2] == [
        "video_id,text,frame_count,signer,split",
        "v001,JOHN READ,4,man-1,train",
    ]
    pose = read_pose(output / "pose" / "v001.npz")
    assert (pose.points.shape, pose.norm, pose.layout) == ((4, 3, 2), "signing_space_v1", "hands_nose")
    with np.load(output / "pose" / "v001.npz") as arrays:
        assert set(arrays) == {"pose", "pose_norm", "pose_layout"}


def test_boston_lists_every_damaged_recording(boston):
    np.savez(boston / "positions.npz", v1=np.zeros((3, 6)), v2=np.full((4, 6), np.nan))
    with pytest.raises(DataContractError, match=r"3 problems(.|\n)*'v1'(.|\n)*\(3, 6\)(.|\n)*'v2'(.|\n)*'v3'"):
        read_boston104(boston)


@pytest.mark.parametrize(
    "table, message",
    [
        ("video\tspeaker\n1\tman\n", r"no \['split', 'frames', 'gloss'\]"),
        (HEADER + "x\tman\ttrain\t4\tJOHN\t\n1\tman\tdev\t4\tJOHN\t\n", r"2 problems(.|\n)*line 2(.|\n)*line 3"),
    ],
)
def test_boston_damaged_table(boston, table, message):
    (boston / "sentences.tsv").write_text(table)
    with pytest.raises(DataContractError, match=message):
        read_boston104(boston)


def test_boston_missing_files(tmp_path, boston):
    (boston / "positions.npz").unlink()
    with pytest.raises(DataContractError, match="positions.npz"):
        read_boston104(boston)
    with pytest.raises(DataContractError, match="sentences.tsv(.|\n)*no such file"):
        read_boston104(tmp_path)


def test_phoenix_keeps_the_neck_and_marks_joints_that_were_not_found(phoenix):
    clips, indexes = read_phoenix_skeletons(phoenix)
    assert indexes == {"train": ["video-0"], "val": ["video-1"], "test": ["video-2"]}
    clip = clips[0]
    assert (clip.text, clip.columns["gloss"]) == ("schöne grüße aus train .", "GRUSS")
    assert clip.points.shape == (2, 50, 2) and clip.norm is None and clip.layout == "skeleton_50"
    assert clip.points[0, 0].tolist() == [1, 2] and clip.points[0, 49].tolist() == [148, 149]
    assert np.flatnonzero(clip.confidence[0] == 0).tolist() == [8]
    np.testing.assert_array_equal(clip.points[1], clip.points[0])  # the progress counter is no joint


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("dev.text", "a\nb\n", "as many lines in each file(.|\n)*'dev.text': 2"),
        ("dev.skels", "1 2 3\n", "151 a frame(.|\n)*found:    3 numbers"),
        ("dev.skels", "1 x 3\n", "expected: numbers(.|\n)*'x'"),
        ("dev.files", "dev/..\n", "dev, line 1(.|\n)*expected: the name of a video"),
        ("dev.gloss", None, "dev.gloss(.|\n)*no such file"),
    ],
)
def test_phoenix_damaged_files(phoenix, name, content, message):
    if content is None:
        (phoenix / name).unlink()
    else:
        (phoenix / name).write_text(content)
    with pytest.raises(DataContractError, match=message):
        read_phoenix_skeletons(phoenix)


def test_phoenix_lists_the_problems_of_all_splits(phoenix):
    for split in ("train", "dev", "test"):
        (phoenix / f"{split}.skels").write_text("1 2\n")
    with pytest.raises(DataContractError) as caught:
        read_phoenix_skeletons(phoenix)
    assert [problem.where.rpartition("/")[2] for problem in caught.value.problems] == [
        "train, line 1",
        "dev, line 1",
        "test, line 1",
    ]


def test_unknown_source_names_the_known_ones(tmp_path):
    with pytest.raises(ConfigurationError, match=r"'phoenix_skeletons', 'nsl_alphabet'\], found 'how2sign'"):
        convert_source("how2sign", None, tmp_path / "out")

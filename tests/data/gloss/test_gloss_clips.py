"""Classifier clips: what is read, and what is said of files that are not usable."""

import json

import numpy as np
import pytest
from gloss_factories import make_clip, write_gloss_clip

from hf_slt.data.gloss.clips import clip_problems, read_clip, write_clip
from hf_slt.errors import ConfigurationError, DataContractError


def points(frames=3, landmarks=4, value=0.5):
    return np.full((frames, 2 * landmarks), value, np.float32)


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_landmarks_come_back_with_mask_and_aspect_ratio(tmp_path):
    values, mask = make_clip(np.random.default_rng(0), 1, 4)
    clip = read_clip(write_gloss_clip(tmp_path / "a.npz", values, mask), "keypoints", width=156)
    np.testing.assert_array_equal(clip.values, values)
    np.testing.assert_array_equal(clip.mask, mask)
    assert clip.values.dtype == np.float32 and clip.mask.dtype == bool
    assert not mask.all() and clip.aspect_ratio == pytest.approx(640 / 480)


def test_without_a_mask_a_point_at_the_origin_is_missing(tmp_path):
    values = points()
    values[1, 2:4] = 0
    values[2, 4] = 0  # x alone: a point at the left edge
    clip = read_clip(save(tmp_path / "a.npz", X=values))
    assert np.argwhere(~clip.mask).tolist() == [[1, 1]]
    assert clip.aspect_ratio == 1.0


def test_what_stands_at_a_masked_point_does_not_count(tmp_path):
    values, mask = points(), np.ones((3, 4), np.uint8)
    values[0, :2], values[1, 2:4], mask[0, 0], mask[1, 1] = np.nan, 0.9, 0, 0
    clip = read_clip(save(tmp_path / "a.npz", X=values, mask=mask))
    assert clip.values[0, :2].tolist() == [0, 0] and clip.values[1, 2:4].tolist() == [0, 0]
    assert clip.mask.sum() == 10 and clip.values[clip.values != 0].tolist() == [0.5] * 20


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8"])
def test_number_types(dtype, tmp_path):
    clip = read_clip(save(tmp_path / "a.npz", X=points(value=1).astype(dtype)))
    assert clip.values.dtype == np.float32 and (clip.values == 1).all()


@pytest.mark.parametrize(
    "keys, kind, key, value",
    [
        ({"X": 1, "X2048": 2}, "keypoints", None, 1),
        ({"X": 1, "X2048": 2}, "features", None, 2),
        ({"X": 1}, "features", None, 1),
        ({"X": 1, "X2048": 2, "mine": 3}, "features", "mine", 3),
        ({"X": 1, "mine": 3}, "keypoints", "mine", 3),
        ({"X": 1, "X2048": 2}, "features", "mine", 1),
    ],
)
def test_key_by_kind(keys, kind, key, value, tmp_path):
    arrays = {name: points(value=number) for name, number in keys.items()}
    assert read_clip(save(tmp_path / "a.npz", **arrays), kind, key).values[0, 0] == value


def test_features_have_no_mask_and_zeros_are_values(tmp_path):
    values = np.zeros((2, 5), np.float32)
    clip = read_clip(save(tmp_path / "a.npz", X2048=values, mask=np.ones((2, 3))), "features", width=5)
    assert clip.mask is None
    np.testing.assert_array_equal(clip.values, values)


@pytest.mark.parametrize(
    "meta",
    ["{}", "no json", '{"width": 0, "height": 4}', '{"width": 4, "height": 0}', '{"width": NaN, "height": 4}', 7],
)
def test_meta_of_other_tools_says_nothing(meta, tmp_path):
    assert read_clip(save(tmp_path / "a.npz", X=points(), meta=np.array(meta))).aspect_ratio == 1.0


def test_meta_is_json(tmp_path):
    write_clip(tmp_path / "a.npz", points(), np.ones((3, 4)), [0, 40, 80], {"width": 1920, "height": 1080, "fps": 25.0})
    with np.load(tmp_path / "a.npz") as arrays:
        assert json.loads(str(arrays["meta"])) == {"width": 1920, "height": 1080, "fps": 25.0}
        assert arrays["timestamps_ms"].tolist() == [0, 40, 80] and arrays["mask"].dtype == bool
    assert read_clip(tmp_path / "a.npz").aspect_ratio == pytest.approx(16 / 9)


def test_the_same_clip_gives_the_same_bytes(tmp_path):
    for name in "ab":
        write_clip(tmp_path / name, points(), np.ones((3, 4)), meta={"height": 2, "width": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


WITH_NAN = points()
WITH_NAN[1, 3] = np.nan


@pytest.mark.parametrize(
    "arrays, options, message",
    [
        ({"X2048": points(), "pose": points()}, {}, r"under the key 'X'\n.*the keys \['X2048', 'pose'\]\n.*--kp-key"),
        ({"pose": points()}, {"kind": "features"}, r"under the key 'X2048' or 'X'"),
        ({"X": points()}, {"width": 156}, r"shape \(T, 156\)\n.*float32 of shape \(3, 8\)"),
        ({"X": points(landmarks=4)[:, :7]}, {}, "an even number a frame"),
        ({"X": points()[:0]}, {}, r"at least one frame\n.*an empty clip, shape \(0, 8\)"),
        ({"X": points()[:, :0]}, {}, r"shape \(3, 0\)"),
        ({"X": points().reshape(3, 4, 2)}, {}, r"shape \(3, 4, 2\)\n.*reshape"),
        ({"X": np.array([["a", "b"]])}, {}, "<U1 of shape"),
        ({"X": WITH_NAN}, {}, "1 NaN or infinite numbers in 1 frames, first in frame 1"),
        ({"X": WITH_NAN, "mask": np.ones((3, 4))}, {}, "1 NaN"),
        ({"X2048": np.full((2, 3), np.inf)}, {"kind": "features"}, "6 NaN .* in 2 frames.*\n.*the features"),
        ({"X": np.full((2, 4), 1e300)}, {}, "8 NaN or infinite"),
        ({"X": points(), "mask": np.ones((3, 3))}, {}, r"key 'mask'\n.*shape \(3, 4\)\n.*shape \(3, 3\)"),
        ({"X": points(value=0)}, {}, "every point is missing in every frame"),
        ({"X": points(), "mask": np.zeros((3, 4))}, {}, "every point is missing in every frame"),
        ({"X": np.array([[None, None]])}, {}, "pickled Python objects"),
    ],
)
def test_unusable_clips(arrays, options, message, tmp_path):
    path = save(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataContractError, match=message):
        read_clip(path, **options)
    assert len(clip_problems(path, **options)) == 1


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_unreadable_files(content, tmp_path):
    if content is not None:
        (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataContractError, match="a readable npz file"):
        read_clip(tmp_path / "a.npz")


def test_a_file_that_was_cut_short_or_changed(tmp_path):
    whole = save(tmp_path / "a.npz", X=points(50)).read_bytes()
    for damaged in (whole[:-300], whole[:300] + b"\xff" * 10 + whole[310:]):
        (tmp_path / "a.npz").write_bytes(damaged)
        assert "readable" in clip_problems(tmp_path / "a.npz")[0].expected


def test_unknown_kind(tmp_path):
    with pytest.raises(ConfigurationError, match=r"\['keypoints', 'features'\], found 'video'"):
        read_clip(tmp_path / "a.npz", "video")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((points()[0],), "shape"),
        ((points(), np.ones((3, 3))), "mask of shape"),
        ((points(), np.zeros((3, 4))), "every point is missing"),
        ((points(), None, [0.0]), "time for each frame"),
    ],
)
def test_nothing_unusable_is_written(arguments, message, tmp_path):
    with pytest.raises(DataContractError, match=message):
        write_clip(tmp_path / "a.npz", *arguments)
    assert not (tmp_path / "a.npz").exists()

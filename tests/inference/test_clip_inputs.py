"""Clips of any source: folders as training reads them, files of landmarks, videos, and what is said of the others."""

import numpy as np
import pytest
from factories import make_pose, write_corpus, write_stream
from model_factories import tiny_extractor

from hf_slt.data.builder import build_datasets
from hf_slt.data.clip_transform import ClipTransform
from hf_slt.data.gloss.clips import GlossClip, read_clip, write_clip
from hf_slt.data.pose_files import write_pose
from hf_slt.errors import ConfigurationError, DataContractError, Problem, VideoError
from hf_slt.extraction.imports.corpus import import_landmarks
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.inference.clip_inputs import Reading, read_gloss_clip, read_stream_clip
from hf_slt.inference.clip_sources import clip_in, clips_in, extraction_options
from hf_slt.inference.clips import encode_source, encode_stream_clips, read_all, read_gloss_clips
from hf_slt.landmarks import LAYOUTS
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.signing_space import normalize_pose

RECORD = {"extractor": "mediapipe_holistic", "extractor_version": "0.10.21"}


def names_of(layout):
    return LAYOUTS[layout].points


@pytest.fixture
def corpus(tmp_path):
    missing = {("left_hand", "vid1"): (0, 3), ("right_hand", "vid1"): (1, 2, 3, 4)}
    return write_corpus(tmp_path, variant="folders", missing=missing)


def test_a_folder_is_read_as_training_reads_it(corpus, tmp_path):
    extractor = tiny_extractor(sequence_length=4)
    row = build_datasets(corpus, show_progress=False)[0]["test"][0]
    expected = ClipTransform(extractor).load(row)
    clip = read_stream_clip(tmp_path, extractor, Reading(clip="vid1"))
    assert clip.missing == () and clip.provenance is None
    assert expected.keys() == clip.encoded.keys() and expected["left_hand_mask"].tolist() == [0, 1, 0, 1]
    assert all(np.array_equal(clip.encoded[name], value) for name, value in expected.items())


@pytest.mark.parametrize("variant", ["flat", "video", "npz"])
def test_every_variant_of_the_data_contract_is_read(tmp_path, variant):
    write_corpus(tmp_path, {"a": "x"}, variant=variant)
    clip = read_stream_clip(str(tmp_path), tiny_extractor(), Reading())
    assert clip.encoded["face_mask"].tolist() == [1] * 6 and clip.encoded["pose_values"].shape == (6, 99)


def test_streams_that_a_folder_lacks_are_masked_unless_none_is_left(tmp_path, caplog):
    write_corpus(tmp_path, {"a": "x", "b": "y"}, streams=("face", "pose"))
    sources = [tmp_path, tmp_path]
    encoded = encode_stream_clips(sources, tiny_extractor(), Reading(clip="a"))
    assert encoded[0]["left_hand_mask"].sum() == 0 and encoded[0]["face_mask"].sum() == 6
    assert caplog.messages == [
        "the model reads streams that the input lacks, which are masked: left_hand (2 of 2 clips), right_hand (2 of 2 "
        "clips)"
    ]
    with pytest.raises(DataContractError, match=r"that the model reads: left_hand(.|\n)*found:    only face, pose"):
        read_stream_clip(tmp_path, tiny_extractor(("left_hand",)), Reading(clip="a"))


def test_the_clip_of_a_folder_is_named_or_the_only_one(corpus, tmp_path):
    assert clips_in(tmp_path) == ["001", "vid1", "vid10", "vid1_foo"] and clip_in(tmp_path, "vid10") == "vid10"
    with pytest.raises(DataContractError, match=r"expected: one clip\n.*4 clips: 001, vid1, vid10, vid1_foo\n.*--clip"):
        clip_in(tmp_path)
    with pytest.raises(DataContractError, match="expected: the clip 'vid'\n"):
        clip_in(tmp_path, "vid")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataContractError, match="clips in its folders face, hand_l, hand_r, pose, keypoints78"):
        clip_in(tmp_path / "empty")


def test_damaged_files_of_a_folder_are_all_listed(corpus, tmp_path):
    (tmp_path / "face" / "vid1" / "000002.png").write_bytes(b"no picture")
    (tmp_path / "pose" / "vid1.npz").write_bytes(b"no archive")
    with pytest.raises(DataContractError) as error:
        read_stream_clip(tmp_path, tiny_extractor(), Reading(clip="vid1"))
    assert "000002.png" in str(error.value) and "vid1.npz" in str(error.value)


def test_a_pose_file_alone_is_a_clip_with_its_extractor(tmp_path):
    points, confidence = make_pose(5, 33)
    write_pose(tmp_path / "p.npz", points, confidence, norm="signing_space_v1", provenance=RECORD)
    clip = read_stream_clip(tmp_path / "p.npz", tiny_extractor(("pose", "face")), Reading())
    assert clip.provenance == {**RECORD, "pose_norm": "signing_space_v1"} and clip.missing == ("face",)
    values = clip.encoded["pose_values"].reshape(5, 33, 3)
    assert np.array_equal(values[..., :2], points) and np.array_equal(values[..., 2], confidence)


def test_landmarks_of_another_layout_are_matched_by_name(tmp_path):
    points, confidence = make_pose(4, 75)
    write_pose(tmp_path / "p.npz", points, confidence, norm="signing_space_v1", layout="mediapipe_pose_hands")
    clip = read_stream_clip(tmp_path / "p.npz", tiny_extractor(("pose",), 25), Reading())
    assert np.array_equal(clip.encoded["pose_values"].reshape(4, 25, 3)[..., :2], points[:, :25])
    other = tiny_extractor(("pose",), num_landmarks=7)
    with pytest.raises(DataContractError, match=r"layout points_7, .*\n.*those of mediapipe_pose_hands \(75 points\)"):
        read_stream_clip(tmp_path / "p.npz", other, Reading())


def test_a_layout_without_shoulders_is_normalised_as_its_raw_points_are(tmp_path):
    points = np.random.default_rng(0).uniform(100, 300, (4, 33, 2)).astype(np.float32)
    confidence = np.ones((4, 33), np.float32)
    normalized = normalize_pose(points, confidence, LAYOUTS["mediapipe_pose"])
    write_pose(tmp_path / "extracted.npz", normalized, confidence, norm="signing_space_v1", layout="mediapipe_pose")
    names = LAYOUTS["mediapipe_pose"].points
    chosen = [names.index(name) for name in LAYOUTS["hands_nose"].points]
    write_pose(tmp_path / "raw.npz", points[:, chosen], confidence[:, chosen], layout="hands_nose")
    extractor = tiny_extractor(("pose",), 3, pose_layout="hands_nose")
    found, wanted = (
        read_stream_clip(tmp_path / name, extractor, Reading()).encoded["pose_values"]
        for name in ("extracted.npz", "raw.npz")
    )
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.abs(found.reshape(4, 3, 3)[..., :2] - normalized[:, chosen]).max() > 0.01


def test_a_clip_of_a_single_sign_becomes_a_pose(tmp_path):
    values, mask = np.random.default_rng(0).uniform(0.2, 0.8, (4, 156)), np.ones((4, 78), bool)
    mask[1, 0] = False
    write_clip(tmp_path / "k.npz", values, mask, meta={"width": 320, "height": 160, "provenance": RECORD})
    clip = read_stream_clip(tmp_path / "k.npz", tiny_extractor(("pose",), 25), Reading())
    assert clip.provenance == RECORD and clip.encoded["pose_mask"][1].tolist() == [0] + [1] * 24
    shoulders = [names_of("keypoints_78").index(f"{side}_shoulder") for side in ("left", "right")]
    points = clip.encoded["pose_values"].reshape(4, 25, 3)[:, shoulders, :2]
    assert np.median(points.mean(1)[:, 0]) == pytest.approx(0.5, abs=1e-5)  # centred: normalised as in training
    raw = values.reshape(4, 78, 2)[:, shoulders] * [2, 1]  # pixels are square, the picture is not
    expected = np.linalg.norm(raw[:, 0] - raw[:, 1], axis=-1)
    found = np.linalg.norm((points[:, 0] - points[:, 1]) * [6, 7], axis=-1)
    assert found / found[0] == pytest.approx(expected / expected[0], rel=1e-3)


def test_a_gloss_clip_is_read_from_a_folder_and_from_its_file(tmp_path):
    values, mask = np.random.default_rng(0).uniform(0.2, 0.8, (4, 156)), np.ones((4, 78), bool)
    (tmp_path / "keypoints78").mkdir()
    write_clip(tmp_path / "keypoints78" / "a.npz", values, mask, meta={"width": 2, "height": 1})
    clips = [read_gloss_clip(p, GlossFeatureExtractor(), Reading()) for p in (tmp_path, tmp_path / "keypoints78/a.npz")]
    expected = read_clip(tmp_path / "keypoints78" / "a.npz")
    for clip in clips:
        assert np.array_equal(clip.values, expected.values) and clip.aspect_ratio == 2
    encoded = encode_source(tmp_path, GlossFeatureExtractor(), clip="a")
    assert np.array_equal(
        encoded["input_values"], GlossFeatureExtractor().encode_clip(values, mask, 2.0)["input_values"]
    )


def test_a_pose_file_is_a_gloss_clip_of_the_points_that_it_has(tmp_path, caplog):
    points, confidence = make_pose(4, 33)
    write_pose(tmp_path / "p.npz", points, confidence, norm="signing_space_v1", provenance=RECORD)
    clip = read_gloss_clips([tmp_path / "p.npz"], GlossFeatureExtractor(), Reading())[0]
    assert clip.mask[:, :25].all() and not clip.mask[:, 25:67].any() and clip.provenance == RECORD
    assert clip.values.reshape(4, 78, 2)[:, :25] == pytest.approx(points[:, :25] * [6, 7], rel=1e-5)
    assert caplog.messages == ["the model reads hands, and none was seen in 1 of 1 clips"]
    raw = GlossFeatureExtractor(normalization="none")
    with pytest.raises(DataContractError, match=r"landmarks in places of the picture(.|\n)*found:    signing_space_v1"):
        read_gloss_clip(tmp_path / "p.npz", raw, Reading())


def test_gloss_clips_of_another_named_layout_are_converted(tmp_path):
    values, mask = np.random.default_rng(0).uniform(0.2, 0.8, (4, 150)), np.ones((4, 75), bool)
    write_clip(tmp_path / "k.npz", values, mask)
    clip = read_gloss_clip(tmp_path / "k.npz", GlossFeatureExtractor(), Reading())
    assert clip.values.shape == (4, 156)
    wrist = names_of("keypoints_78").index("left_hand_wrist"), names_of("mediapipe_pose_hands").index("left_hand_wrist")
    assert clip.values.reshape(4, 78, 2)[:, wrist[0]] == pytest.approx(values.reshape(4, 75, 2)[:, wrist[1]], rel=1e-5)


def test_features_are_not_made_of_videos(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"x")
    with pytest.raises(DataContractError, match=r"a video of no features\n.*scripts/extract_features\.py"):
        read_gloss_clip(tmp_path / "v.mp4", GlossFeatureExtractor(input_type="features"), Reading())


def test_all_that_is_wrong_with_many_sources_is_said_at_once(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataContractError, match="the clips are not what the model reads: 2 problems") as error:
        encode_stream_clips([tmp_path / "gone.mp4", tmp_path / "notes.txt"], tiny_extractor(), Reading())
    assert "none of this name" in str(error.value) and "the ending '.txt'" in str(error.value)

    def read(number):
        raise VideoError([Problem(f"v{number}", "e", "f", "x")])

    with pytest.raises(VideoError, match="the videos are not usable: 2 problems"):
        read_all([1, 2], read)


def test_arrays_are_clips(tmp_path):
    pose = np.random.default_rng(0).uniform(0.1, 0.9, (5, 33, 3)).astype(np.float32)
    extractor = tiny_extractor(("pose",))
    one, two = encode_stream_clips([pose, {"pose": pose, "pose_norm": None}], extractor, Reading())
    assert one["pose_values"].shape == (5, 99) and np.array_equal(one["pose_values"], two["pose_values"])
    with pytest.raises(ConfigurationError, match=r"dictionary out of .*'pose_norm'\], found \['hands'\]"):
        encode_stream_clips([{"hands": pose}], extractor, Reading())
    with pytest.raises(ConfigurationError, match="the streams of one clip, found 2 clips"):
        encode_stream_clips([{"pose": pose[None].repeat(2, 0)}], extractor, Reading())


def test_another_extractor_is_a_warning_or_strictly_an_error(tmp_path, caplog):
    points, confidence = make_pose(5, 33)
    write_pose(tmp_path / "p.npz", points, confidence, provenance={**RECORD, "extractor_version": "0.9"})
    extractor = tiny_extractor(("pose",), extractor="mediapipe_holistic 0.10.21")
    encode_source(tmp_path / "p.npz", extractor)
    assert "mediapipe_holistic 0.10.21" in caplog.text and "mediapipe_holistic 0.9" in caplog.text
    with pytest.raises(ConfigurationError, match=r"of the extractor mediapipe_holistic 0\.10\.21"):
        encode_source(tmp_path / "p.npz", extractor, strict=True)


def test_options_of_an_extraction_are_those_of_the_script_where_the_model_takes_them():
    assert extraction_options(tiny_extractor()) == ExtractionOptions()
    large = tiny_extractor(image_size=256, num_landmarks=75)
    assert extraction_options(large, 10) == ExtractionOptions(
        fps=10, image_size=256, pose_layout="mediapipe_pose_hands"
    )
    assert extraction_options(tiny_extractor(num_landmarks=78)).pose_layout == "mediapipe_pose_hands"
    assert extraction_options(GlossFeatureExtractor()) == ExtractionOptions()


def test_a_video_is_what_its_extracted_files_are(tmp_path, monkeypatch):
    (tmp_path / "v.mp4").write_bytes(b"a video")
    asked = []

    def extract(video, output, video_id, options):
        asked.append((video, options))
        write_stream(output / "face", video_id, "face", range(4), "folders")
        (output / "pose").mkdir()
        write_pose(output / "pose" / f"{video_id}.npz", *make_pose(4, 33), provenance=RECORD)
        (output / "keypoints78").mkdir()
        write_clip(output / "keypoints78" / f"{video_id}.npz", np.full((4, 156), 0.5), np.ones((4, 78)))

    monkeypatch.setattr("hf_slt.extraction.clip.extract_clip", extract)
    clip = read_stream_clip(tmp_path / "v.mp4", tiny_extractor(("face", "pose")), Reading(fps=5))
    extract(None, tmp_path / "files", "v", None)
    again = read_stream_clip(tmp_path / "files", tiny_extractor(("face", "pose")), Reading())
    assert asked[0] == (tmp_path / "v.mp4", ExtractionOptions(fps=5))
    assert all(np.array_equal(clip.encoded[name], value) for name, value in again.encoded.items())
    sign = read_gloss_clip(tmp_path / "v.mp4", GlossFeatureExtractor(), Reading())
    assert isinstance(sign, GlossClip) and sign.values.shape == (4, 156)


def test_a_file_of_another_tool_is_what_its_imported_files_are(tmp_path):
    points = np.random.default_rng(0).uniform(0.2, 0.8, (6, 543, 3))
    points[2, 468:489] = np.nan  # a frame without the left hand, which an import fills
    np.save(tmp_path / "clip.npy", points)
    np.savez(tmp_path / "clip.npz", landmarks=points)
    import_landmarks(tmp_path / "clip.npy", tmp_path / "D")
    expected = read_gloss_clip(tmp_path / "D", GlossFeatureExtractor(), Reading())
    stream = read_stream_clip(tmp_path / "D", tiny_extractor(("pose",)), Reading())
    assert expected.mask.all() and stream.provenance["pose_norm"] == "signing_space_v1"
    for name in ("clip.npy", "clip.npz"):
        sign = read_gloss_clip(tmp_path / name, GlossFeatureExtractor(), Reading())
        assert np.array_equal(sign.values, expected.values) and np.array_equal(sign.mask, expected.mask)
        clip = read_stream_clip(tmp_path / name, tiny_extractor(("pose",)), Reading())
        assert all(np.array_equal(clip.encoded[key], value) for key, value in stream.encoded.items())


def test_points_of_coco_wholebody_in_an_archive_are_read(tmp_path):
    points = np.random.default_rng(0).uniform(50, 400, (1, 133, 2)) + np.arange(5)[:, None, None]  # one person
    scores = np.full((5, 133), 0.9)
    scores[1, 91] = 0.1  # a knuckle that the detector is not sure of
    np.savez(tmp_path / "clip.npz", keypoints=points, scores=scores, width=640, height=480)
    sign = read_gloss_clip(tmp_path / "clip.npz", GlossFeatureExtractor(), Reading())
    assert sign.aspect_ratio == 640 / 480 and sign.provenance["extractor"] == "mmpose_wholebody"
    assert sign.mask[:, names_of("keypoints_78").index("left_hand_wrist")].all()  # interpolated
    np.savez(tmp_path / "unsure.npz", keypoints=points, scores=0 * scores + 0.1, width=640, height=480)
    with pytest.raises(DataContractError, match="at least one point that the detector is sure of"):
        read_gloss_clip(tmp_path / "unsure.npz", GlossFeatureExtractor(), Reading())
    np.savez(tmp_path / "no_size.npz", keypoints=points, scores=scores)
    with pytest.raises(DataContractError, match=r"import_landmarks\.py --width"):
        read_stream_clip(tmp_path / "no_size.npz", tiny_extractor(("pose",)), Reading())


def test_a_pipeline_warns_once_of_what_many_clips_share(tmp_path, caplog):
    points, confidence = make_pose(5, 33)
    for name, version in (("a", "0.9"), ("b", "0.9"), ("c", "0.8")):
        write_pose(tmp_path / f"{name}.npz", points, confidence, provenance={**RECORD, "extractor_version": version})
    extractor = tiny_extractor(("pose", "face"), extractor="mediapipe_holistic 0.10.21")
    for name in "abcab":
        encode_source(tmp_path / f"{name}.npz", extractor)
    assert [text.count("masked") for text in caplog.messages] == [1, 0, 0]
    assert "holistic 0.9:" in caplog.messages[1] and "holistic 0.8:" in caplog.messages[2]
    with pytest.raises(ConfigurationError, match=r"found mediapipe_holistic 0\.9;"):
        encode_source(tmp_path / "a.npz", extractor, strict=True)  # an error each time
    caplog.clear()
    encode_source(tmp_path / "a.npz", tiny_extractor(("pose", "face")))
    assert len(caplog.messages) == 1  # another pipeline

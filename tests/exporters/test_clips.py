"""Random clips: each condition is what its name says."""

import pytest
import torch
from export_factories import tiny_classifier
from model_factories import tiny_config

from hf_slt.exporters.clips import CONDITIONS, GLOSS_CONDITIONS, gloss_clips, multistream_clips, random_clips

SHAPES = {
    "attention_mask": (3, 9),
    "pose_values": (3, 9, 15),
    "pose_mask": (3, 9, 5),
    **{f"{stream}_pixel_values": (3, 9, 3, 16, 16) for stream in ("face", "left_hand", "right_hand")},
    **{f"{stream}_mask": (3, 9) for stream in ("face", "left_hand", "right_hand")},
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_translation_clips_have_the_shapes_of_their_model(condition):
    clips = random_clips(tiny_config(), 3, 9, condition)
    absent = {"face_pixel_values", "face_mask"} if condition == "missing_stream" else set()
    assert {name: tuple(value.shape) for name, value in clips.items()} == {
        name: shape for name, shape in SHAPES.items() if name not in absent
    }


def test_only_padded_clips_have_padding():
    lengths = {c: multistream_clips(tiny_config(), 3, 9, c)["attention_mask"].sum(1).tolist() for c in CONDITIONS}
    padded = lengths.pop("padding")
    assert min(padded) >= 1 and min(padded[:-1]) < 9 and padded[-1] == 9
    assert all(found == [9, 9, 9] for found in lengths.values())
    assert multistream_clips(tiny_config(), 1, 9, "padding")["attention_mask"].sum() == 7


def test_hands_are_missing_in_half_of_the_frames_and_one_in_a_whole_clip():
    clips = multistream_clips(tiny_config(), 3, 9, "missing_hands")
    left, right = clips["left_hand_mask"], clips["right_hand_mask"]
    assert not left[0].any() and 0 < left[1:].sum() < 18 and 0 < right.sum() < 27
    assert not clips["left_hand_pixel_values"][left == 0].any() and clips["left_hand_pixel_values"][left == 1].all()
    pose = clips["pose_mask"]
    assert pose[:, [0, 2, 3, 4, 6, 7, 8]].any(dim=(0, 2)).all() and not pose.all(dim=-1).all()
    assert not pose[:, [1, 5]].any() and not clips["pose_values"][:, [1, 5]].any() and clips["face_mask"].all()


def test_the_seed_chooses_the_missing_stream():
    names = {"face_mask", "left_hand_mask", "right_hand_mask", "pose_mask"}
    clips = [multistream_clips(tiny_config(), 1, 2, "missing_stream", seed) for seed in range(0, 20, len(CONDITIONS))]
    missing = [names - clip.keys() for clip in clips]
    assert missing == [{"face_mask"}, {"left_hand_mask"}, {"right_hand_mask"}, {"pose_mask"}, {"face_mask"}]


def test_a_model_of_one_stream_keeps_it():
    assert "pose_values" in multistream_clips(tiny_config(("pose",)), 1, 4, "missing_stream")


def test_gloss_clips_have_holes_or_nothing_at_all():
    config = tiny_classifier("sign").config
    masks = {condition: gloss_clips(config, 3, 9, condition)["attention_mask"] for condition in GLOSS_CONDITIONS}
    assert masks["no_padding"].all() and not masks["nothing_detected"][0].any() and masks["nothing_detected"][1:].all()
    assert 0 < masks["holes"].sum() < 27 and masks["padding"][-1].all() and not masks["padding"].all()
    clips = gloss_clips(config, 3, 9, "holes")
    assert clips["input_values"].shape == (3, 9, 6) and not clips["input_values"][clips["attention_mask"] == 0].any()


def test_a_seed_gives_the_same_clips():
    first, again, other = (multistream_clips(tiny_config(("pose",)), 2, 4, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first["pose_values"], again["pose_values"])
    assert not torch.equal(first["pose_values"], other["pose_values"])

"""Rows of paths to model inputs: what is read, and that randomness is a function of (seed, epoch, clip id) alone."""

import numpy as np
import pytest
import torch
from factories import CLIPS, make_pose, write_corpus
from model_factories import tiny_extractor
from torch.utils.data import DataLoader

from hf_slt.data.builder import build_datasets
from hf_slt.data.clip_transform import ClipTransform, clip_rng
from hf_slt.data.epoch import SharedEpoch
from hf_slt.data.transforms import Augmentation
from hf_slt.signing_space import normalize_pose
from hf_slt.streams import IMAGE_STREAMS

STRONG = Augmentation(flip=0.5, noise=0.01, speed=0.5, frame_dropout=0.2, stream_dropout=0.2)
EXACT = {"image_mean": (0, 0, 0), "image_std": (1 / 255, 1 / 255, 1 / 255)}  # pixels come out as 0 ... 255


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    paths = write_corpus(tmp_path_factory.mktemp("corpus"), variant="npz", missing={("left_hand", "001"): [1, 2]})
    return build_datasets(paths, show_progress=False)[0]


def load(corpus, transform, split="train"):
    data = corpus[split].with_transform(transform)
    return {row["video_id"]: row for row in (data[i] for i in range(len(data)))}


def assert_same(clips, others, same=True):
    equal = all(
        np.array_equal(value, others[video_id][name])
        for video_id, clip in clips.items()
        for name, value in clip.items()
        if name in others[video_id] and value.__class__ is np.ndarray and value.shape == others[video_id][name].shape
    ) and all(len(clip["attention_mask"]) == len(others[v]["attention_mask"]) for v, clip in clips.items())
    assert equal is same


def test_streams_are_read_by_frame_number(corpus):
    clip = load(corpus, ClipTransform(tiny_extractor(**EXACT)))["001"]
    expected = {s: [40 + 60 * i + 5 * t for t in range(6)] for i, s in enumerate(IMAGE_STREAMS)}
    expected["left_hand"][1:3] = [0, 0]
    for stream in IMAGE_STREAMS:
        np.testing.assert_allclose(clip[f"{stream}_pixel_values"][:, 0, 5, 5], expected[stream], atol=0.01)
    assert clip["left_hand_mask"].tolist() == [1, 0, 0, 1, 1, 1] and clip["right_hand_mask"].tolist() == [1] * 6
    points, confidence = make_pose(6, 33, seed=0)
    normalized = normalize_pose(points, confidence, tiny_extractor().layout())
    np.testing.assert_allclose(clip["pose_values"].reshape(6, 33, 3)[..., :2], normalized, atol=1e-6)


def test_a_long_clip_is_sampled_alike_in_all_streams(corpus):
    clip = load(corpus, ClipTransform(tiny_extractor(sequence_length=3, **EXACT)))["001"]
    np.testing.assert_allclose(clip["face_pixel_values"][:, 0, 0, 0], [45, 55, 65], atol=0.01)  # frames 1, 3, 5
    np.testing.assert_allclose(clip["right_hand_pixel_values"][:, 0, 0, 0], [165, 175, 185], atol=0.01)
    whole = load(corpus, ClipTransform(tiny_extractor()))["001"]
    np.testing.assert_array_equal(clip["pose_values"], whole["pose_values"][[1, 3, 5]])
    assert clip["left_hand_mask"].tolist() == [0, 1, 1]


def test_labels_come_from_the_text_of_the_row(corpus):
    transform = ClipTransform(tiny_extractor(("pose",)), lambda texts: [[len(text), 1] for text in texts])
    clips = load(corpus, transform)
    assert {video_id: clip["labels"] for video_id, clip in clips.items()} == {
        video_id: [len(CLIPS[video_id]), 1] for video_id in ("001", "vid1_foo")
    }
    assert "labels" not in load(corpus, ClipTransform(tiny_extractor(("pose",))))["001"]
    assert set(clips["001"]) == {"video_id", "labels", "pose_values", "pose_mask", "attention_mask"}


@pytest.mark.parametrize("stream", ["face", "pose"])
def test_ablated_streams_count_as_missing(corpus, stream):
    plain = load(corpus, ClipTransform(tiny_extractor()))["001"]
    clip = load(corpus, ClipTransform(tiny_extractor(), ablate=[stream]))["001"]
    assert plain[f"{stream}_mask"].all() and not clip[f"{stream}_mask"].any()
    same = [name for name in plain if not name.startswith(stream) and name != "video_id"]
    assert len(same) >= 6 and all(np.array_equal(plain[name], clip[name]) for name in same)


def test_without_augmentation_nothing_is_random(corpus):
    one, other = (
        ClipTransform(tiny_extractor(sequence_length=4), seed=1),
        ClipTransform(tiny_extractor(sequence_length=4), seed=2),
    )
    other.epoch.value = 5
    assert_same(load(corpus, one), load(corpus, other))


def test_randomness_depends_on_seed_epoch_and_clip_only(corpus):
    epoch = SharedEpoch()
    transform = ClipTransform(tiny_extractor(), augmentation=STRONG, seed=3, epoch=epoch)
    np.random.seed(0)
    first = load(corpus, transform)
    np.random.seed(1)
    torch.manual_seed(7)
    assert_same(load(corpus, transform), first)
    assert_same(load(corpus, ClipTransform(tiny_extractor(), augmentation=STRONG, seed=4)), first, same=False)
    epoch.value = 1
    second = load(corpus, transform)
    assert_same(second, first, same=False)
    epoch.value = 0
    assert_same(load(corpus, transform), first)
    draws = {clip_rng(seed, epoch, name).random() for seed in (0, 1) for epoch in (0, 1) for name in ("a", "b")}
    assert len(draws) == 8 and clip_rng(0, 0, "a").random() in draws


def test_the_number_of_workers_changes_nothing_and_workers_see_the_epoch(corpus):
    epoch = SharedEpoch()
    transform = ClipTransform(tiny_extractor(("pose",)), augmentation=STRONG, epoch=epoch)
    data = corpus["train"].with_transform(transform)
    loader = DataLoader(data, batch_size=1, collate_fn=lambda rows: rows[0], num_workers=2, persistent_workers=True)
    epochs = []
    for epoch.value in (0, 1, 0):
        by_workers = {row["video_id"]: row for row in loader}
        assert_same(by_workers, load(corpus, transform))
        epochs.append(by_workers)
    assert_same(epochs[0], epochs[2])
    assert_same(epochs[0], epochs[1], same=False)

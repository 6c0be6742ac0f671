"""The collator: padding, decoder inputs, mixed streams."""

import numpy as np
import pytest
import torch
from model_factories import tiny_extractor

from hf_slt.data.collator import DataCollatorForMultiStream, check_mix_streams, permute_stream
from hf_slt.data.epoch import SharedEpoch
from hf_slt.errors import ConfigurationError


def make_rows(count=3, frames=(4, 2, 3, 4), labels=True):
    rows = []
    for i in range(count):
        points = np.full((frames[i], 33, 2), (i + 1) / 10, np.float32)
        images = [np.full((16, 16, 3), 50 * (i + 1), np.uint8)] * frames[i]
        images = [None, *images[1:]] if i == 1 else images
        confidence = np.full((frames[i], 33), (i + 1) / 10, np.float32)
        clip = tiny_extractor().encode_clip({"face": images, "left_hand": images[::-1]}, points, confidence)
        rows.append({"video_id": f"clip{i}", **clip, **({"labels": list(range(5, 7 + i)) + [1]} if labels else {})})
    return rows


def collator(**options):
    return DataCollatorForMultiStream(tiny_extractor().pad, pad_token_id=0, decoder_start_token_id=9, **options)


def test_labels_and_decoder_inputs():
    batch = collator()(make_rows())
    assert batch["labels"].tolist() == [[5, 6, 1, -100, -100], [5, 6, 7, 1, -100], [5, 6, 7, 8, 1]]
    assert batch["decoder_input_ids"].tolist() == [[9, 5, 6, 1, 0], [9, 5, 6, 7, 1], [9, 5, 6, 7, 8]]
    assert batch["labels"].dtype == batch["decoder_input_ids"].dtype == torch.int64


def test_clips_are_padded_to_the_longest_of_the_batch():
    batch = collator()(make_rows())
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]]
    assert batch["face_mask"].tolist() == [[1, 1, 1, 1], [0, 1, 0, 0], [1, 1, 1, 0]]
    assert batch["face_pixel_values"].shape == (3, 4, 3, 16, 16) and batch["pose_values"].shape == (3, 4, 99)
    assert not batch["pose_values"][1, 2:].any() and "video_id" not in batch


def test_without_labels_there_are_no_decoder_inputs():
    batch = collator()(make_rows(labels=False))
    assert not {"labels", "decoder_input_ids"} & set(batch)


@pytest.mark.parametrize(
    ("stream", "names"),
    [("face", ("face_pixel_values", "face_mask")), ("pose", ("pose_values", "pose_mask"))],
)
def test_a_permuted_stream_takes_its_mask_along_and_nothing_else(stream, names):
    rows = make_rows()
    plain, mixed = collator()(rows), collator()(rows)
    permute_stream(mixed, stream, torch.tensor([2, 0, 1]))
    for name, value in plain.items():
        expected = value[[2, 0, 1]] if name in names else value
        assert torch.equal(mixed[name], expected), name
    assert not torch.equal(plain[names[1]], mixed[names[1]])


@pytest.mark.parametrize("stream", ["face", "left_hand", "pose"])
def test_mixing_permutes_within_the_batch(stream):
    rows = make_rows(count=4)
    plain = collator()(rows)
    values = f"{stream}_values" if stream == "pose" else f"{stream}_pixel_values"
    orders = set()
    for seed in range(12):
        mixed = collator(mix_streams={stream: 1.0}, seed=seed)(rows)
        marks = plain[values].flatten(1).sum(1)
        order = [int((marks - mark).abs().argmin()) for mark in mixed[values].flatten(1).sum(1)]
        assert sorted(order) == [0, 1, 2, 3]
        assert torch.equal(mixed[values], plain[values][order])
        assert torch.equal(mixed[f"{stream}_mask"], plain[f"{stream}_mask"][order])
        assert all(torch.equal(mixed[name], plain[name]) for name in ("labels", "decoder_input_ids", "attention_mask"))
        orders.add(tuple(order))
    assert len(orders) > 4


def test_probability_0_never_mixes_and_one_half_sometimes():
    rows = make_rows(count=4)
    plain = collator()(rows)["pose_values"]
    for probability, low, high in ((0.0, 0, 0), (0.5, 8, 30)):
        mixed = [collator(mix_streams={"pose": probability}, seed=s)(rows)["pose_values"] for s in range(40)]
        assert low <= sum(not torch.equal(values, plain) for values in mixed) <= high


def test_mixing_follows_seed_epoch_and_clips():
    rows, epoch = make_rows(count=4), SharedEpoch()
    mixing = collator(mix_streams={"face": 1.0, "pose": 1.0}, seed=1, epoch=epoch)
    first = mixing(rows)
    np.random.seed(3)
    torch.manual_seed(3)
    again = mixing(rows)
    assert all(torch.equal(first[name], again[name]) for name in first)
    by_epoch = []
    for epoch.value in range(6):
        by_epoch.append(tuple(mixing(rows)["pose_values"][:, 0, 0].tolist()))
    assert len(set(by_epoch)) > 2


def test_mixed_streams_move_apart_from_each_other():
    rows = make_rows(count=4)
    orders = set()
    for seed in range(8):
        mixed = collator(mix_streams={"face": 1.0, "pose": 1.0}, seed=seed)(rows)
        face = mixed["face_pixel_values"].flatten(1).sum(1).argsort().tolist()
        orders.add(face == mixed["pose_values"].flatten(1).sum(1).argsort().tolist())
    assert False in orders


@pytest.mark.parametrize("mix", [{"hand": 0.5}, {"face": 1.5}, {"face": -0.1}])
def test_streams_and_probabilities_are_checked(mix):
    (stream, probability), *_ = mix.items()
    message = rf"expected STREAM:P with a stream out of \['face'.*found {stream}:{probability}"
    with pytest.raises(ConfigurationError, match=message):
        collator(mix_streams=mix)
    assert check_mix_streams({"face": 0.5}) == {"face": 0.5}

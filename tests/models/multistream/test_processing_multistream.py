"""The processor: clips and sentences together."""

import numpy as np
import pytest
import torch
from factories import CLIPS, make_frames
from model_factories import tiny_model, tiny_processor, tiny_text_config

from hf_slt.models.multistream.processing_multistream import MultiStreamProcessor

SENTENCES = [CLIPS["001"], CLIPS["vid1_foo"]]


@pytest.fixture(scope="module")
def processor():
    return tiny_processor()


def test_text_becomes_labels_padded_with_minus_100(processor):
    labels = processor(text=SENTENCES, return_tensors="pt")["labels"]
    expected = processor.tokenizer(SENTENCES)["input_ids"]
    assert [row[row != -100].tolist() for row in labels] == expected
    lengths = [len(ids) for ids in expected]
    assert lengths[0] != lengths[1] and (labels == -100).sum() == abs(lengths[0] - lengths[1])
    assert all(ids[-1] == processor.tokenizer.eos_token_id for ids in expected)
    assert processor(text=SENTENCES[0])["labels"].shape == (1, lengths[0])


def test_labels_decode_to_the_sentences(processor):
    ids = processor.tokenizer(SENTENCES)["input_ids"]
    assert processor.batch_decode(ids, skip_special_tokens=True) == SENTENCES
    assert processor.decode(ids[0], skip_special_tokens=True) == SENTENCES[0]


def test_clips_and_text_together_train_a_model(processor):
    frames = make_frames("face", range(3))
    batch = processor(
        face=[frames, frames], pose=[np.ones((3, 33, 3))] * 2, right_hand=None, text=SENTENCES, return_tensors="pt"
    )
    assert batch["labels"].shape[0] == batch["face_pixel_values"].shape[0] == 2 and "right_hand_mask" not in batch
    text_config = tiny_text_config(vocab_size=len(processor.tokenizer))
    model = tiny_model(num_pose_landmarks=33, text_config=text_config)
    assert torch.isfinite(model(**batch).loss)
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    sentences = processor.batch_decode(model.generate(**inputs, max_new_tokens=3), skip_special_tokens=True)
    assert len(sentences) == 2 and all(isinstance(sentence, str) for sentence in sentences)


def test_save_and_load(processor, tmp_path):
    processor.save_pretrained(tmp_path)
    loaded = MultiStreamProcessor.from_pretrained(tmp_path)
    assert loaded.feature_extractor.to_dict() == processor.feature_extractor.to_dict()
    assert np.array_equal(loaded(text=SENTENCES)["labels"], processor(text=SENTENCES)["labels"])

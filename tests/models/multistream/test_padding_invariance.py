"""A clip alone and the same clip padded in a batch give the same states, loss and sentences."""

import pytest
import torch
from model_factories import clip_of, inputs_of, tiny_batch, tiny_model, tiny_resnet, tiny_text_config
from torch.nn import functional as F

from hf_slt.models.multistream.modeling_multistream import sequence_loss

LENGTHS = (7, 4, 5)
SHAPES = pytest.mark.parametrize(
    ("stride", "kernel"), [(1, 0), (1, 5), (2, 3), (3, 5)], ids=["plain", "convolution", "stride2", "stride3"]
)


def models(stride, kernel, **overrides):
    return tiny_model(temporal_stride=stride, temporal_kernel_size=kernel, gain=8.0, **overrides)


@SHAPES
def test_encoder_states_and_loss(stride, kernel):
    model = models(stride, kernel)
    batch = tiny_batch(lengths=LENGTHS, missing=True)
    with torch.no_grad():
        encoded, output = model.encoder(**inputs_of(batch)), model(**batch)
        for index, length in enumerate(LENGTHS):
            clip = clip_of(batch, index)
            alone = model.encoder(**inputs_of(clip))
            states = -(-length // stride)  # ceil
            assert alone.last_hidden_state.shape == (1, states, 16)
            assert encoded.attention_mask[index].tolist() == [1] * states + [0] * (encoded[0].shape[1] - states)
            assert (encoded.last_hidden_state[index, :states] - alone.last_hidden_state[0]).abs().max() < 1e-5
            loss = sequence_loss(output.logits[index : index + 1], batch["labels"][index : index + 1])
            assert abs(loss - model(**clip).loss) < 1e-5


@SHAPES
@pytest.mark.parametrize("beams", [1, 4])
def test_generated_tokens(stride, kernel, beams):
    model = models(stride, kernel)
    batch = tiny_batch(lengths=LENGTHS, seed=3)
    options = {"max_new_tokens": 8, "num_beams": beams}
    together = model.generate(**inputs_of(batch), **options)
    assert len({tuple(row) for row in together.tolist()}) > 1, "the decoder ignores its encoder: nothing is tested"
    for index in range(len(LENGTHS)):
        alone = model.generate(**inputs_of(clip_of(batch, index)), **options)
        assert torch.equal(F.pad(alone, (0, together.shape[1] - alone.shape[1])), together[index : index + 1])


@pytest.mark.parametrize("overrides", [{"text_config": tiny_text_config("bart")}, {"backbone_config": tiny_resnet()}])
def test_other_decoders_and_backbones(overrides):
    model, batch = tiny_model(**overrides), tiny_batch(lengths=LENGTHS, missing=True)
    with torch.no_grad():
        logits = model(**batch).logits
        for index in range(len(LENGTHS)):
            clip = clip_of(batch, index)
            expected = model(**clip).logits[0]
            assert (logits[index, : len(expected)] - expected).abs().max() < 1e-5


def test_what_stands_in_padding_frames_is_not_read():
    model, batch = tiny_model(temporal_stride=2), tiny_batch(lengths=LENGTHS)
    garbage = dict(batch)
    for name, value in batch.items():
        if name.endswith("_values"):
            padding = batch["attention_mask"].view(*batch["attention_mask"].shape, *[1] * (value.dim() - 2)) == 0
            garbage[name] = value.masked_fill(padding, 1e3)
        elif name.endswith("_mask") and name != "attention_mask":
            garbage[name] = torch.ones_like(value)
    assert torch.equal(model(**garbage).loss, model(**batch).loss)


@pytest.mark.parametrize("beams", [1, 2])
def test_batch_of_clips_of_equal_length_needs_no_attention_mask(beams):
    model, batch = models(2, 3), tiny_batch(lengths=(6, 6))
    expected = model.generate(**inputs_of(batch), max_new_tokens=5, num_beams=beams)
    del batch["attention_mask"]
    assert torch.equal(model.generate(**inputs_of(batch), max_new_tokens=5, num_beams=beams), expected)

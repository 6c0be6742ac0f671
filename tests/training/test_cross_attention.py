"""Cross-attention over frames: of every decoder, whatever the batch, and the model as it was afterwards."""

import numpy as np
import pytest
import torch
from custom_decoders import custom_decoder_config
from model_factories import DECODERS, inputs_of, tiny_batch, tiny_model, tiny_text_config

from hf_slt.training.cross_attention import cross_attention, spread_over_frames

IDS = [np.array([5, 6, 7, 1]), np.array([9, 1])]


def test_each_state_shares_its_weight_among_its_frames():
    spread = spread_over_frames(np.array([[0.6, 0.4, 0.0]]), stride=3, num_frames=5)
    assert spread == pytest.approx(np.array([[0.2, 0.2, 0.2, 0.2, 0.2]]))
    assert spread_over_frames(np.array([[0.2, 0.6]]), 1, 2) == pytest.approx(np.array([[0.25, 0.75]]))


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("kind", DECODERS)
def test_rows_are_tokens_over_the_real_frames_of_each_clip(kind, stride):
    model = tiny_model(("pose",), text_config=tiny_text_config(kind), temporal_stride=stride)
    before = model.text_model.config._attn_implementation
    batch = tiny_batch(("pose",), lengths=(7, 4))
    maps = cross_attention(model, batch, IDS)
    assert [weights.shape for weights in maps] == [(4, 7), (2, 4)]
    for weights in maps:
        assert (weights >= 0).all() and weights.sum(axis=1) == pytest.approx(np.ones(len(weights)))
    alone = cross_attention(model, {name: value[1:, :4] for name, value in batch.items()}, IDS[1:])
    assert alone[0] == pytest.approx(maps[1], abs=1e-5)
    assert model.text_model.config._attn_implementation == before


def test_weights_are_those_of_the_forward_pass():
    model = tiny_model(("pose",))
    batch = tiny_batch(("pose",), lengths=(6,))
    model.text_model.set_attn_implementation("eager")
    start = model.config.decoder_start_token_id
    with torch.no_grad():
        outputs = model(**inputs_of(batch), decoder_input_ids=torch.tensor([[start, 5, 6, 7]]), output_attentions=True)
    expected = torch.stack([layer[0].mean(dim=0) for layer in outputs.cross_attentions]).mean(dim=0)
    assert cross_attention(model, batch, IDS[:1])[0] == pytest.approx(expected.numpy(), abs=1e-6)


def test_a_fused_kernel_is_used_again_after_an_error():
    model = tiny_model(("pose",), text_config=tiny_text_config("bart"))
    before = model.text_model.config._attn_implementation
    assert before == "sdpa"
    with pytest.raises(IndexError):
        cross_attention(model, tiny_batch(("pose",), lengths=(6,)), [np.array([10_000, 10_000])])
    assert model.text_model.config._attn_implementation == before


def test_models_without_attention_give_none():
    model = tiny_model(("pose",), text_config=custom_decoder_config("TinyDecoder", num_heads=2, dropout=0.0))
    assert cross_attention(model, tiny_batch(("pose",), lengths=(6,)), IDS[:1]) is None
    assert cross_attention(object(), {}, []) is None

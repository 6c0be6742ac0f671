"""Parts of the stream encoder that a configuration may choose: they save, learn, and pad as all others do."""

import pytest
import torch
from model_factories import clip_of, inputs_of, tiny_batch, tiny_config, tiny_model

from hf_slt.errors import ConfigurationError
from hf_slt.models.multistream.modeling_multistream import MultiStreamForConditionalGeneration

VARIANTS = {
    "pose_encoder": "none",
    "projector_type": "mlp",
    "fusion_norm": True,
    "temporal_norm": "post",
    "temporal_activation": "relu",
    "position_embedding_type": "learned",
    "max_frames": 8,
}


@pytest.mark.parametrize("kernel", [0, 3])
def test_a_model_of_all_variants_saves_and_learns(kernel, tmp_path):
    model, batch = tiny_model(temporal_kernel_size=kernel, **VARIANTS), tiny_batch(missing=True)
    expected = model(**batch)
    expected.loss.backward()
    idle = [name for name, parameter in model.encoder.named_parameters() if parameter.grad is None]
    assert idle == []
    assert model.encoder.positions.weight.grad[:6].abs().min() > 0 and not model.encoder.positions.weight.grad[6:].any()
    model.save_pretrained(tmp_path)
    loaded = MultiStreamForConditionalGeneration.from_pretrained(tmp_path).eval()
    assert {name: getattr(loaded.config, name) for name in VARIANTS} == VARIANTS
    assert torch.equal(loaded(**batch).logits, expected.logits)


@torch.no_grad()
def test_a_clip_gives_the_same_states_alone_and_in_a_batch():
    model, batch = tiny_model(**VARIANTS).encoder, tiny_batch(missing=True)
    together = model(**inputs_of(batch)).last_hidden_state
    for index, length in enumerate((6, 4)):
        alone = model(**inputs_of(clip_of(batch, index))).last_hidden_state
        assert (together[index, :length] - alone[0]).abs().max() < 1e-5


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "max_frames"])
def test_each_variant_changes_the_states(name):
    batch = inputs_of(tiny_batch())
    usual, other = (tiny_model(**fields).encoder(**batch)[0] for fields in ({}, {name: VARIANTS[name]}))
    assert not torch.allclose(usual, other, atol=1e-3)


def test_a_clip_longer_than_the_learned_positions_is_an_error():
    model = tiny_model(**VARIANTS).encoder
    with pytest.raises(ConfigurationError, match=r"at most 8 frames \(max_frames.*found 9; lower sequence"):
        model(**inputs_of(tiny_batch(lengths=(9,))))
    assert model(**inputs_of(tiny_batch(lengths=(8,))))[0].shape[1] == 8


def test_the_length_of_a_clip_does_not_limit_that_of_a_sentence():
    model = tiny_model(**VARIANTS)
    model.generation_config.eos_token_id = None
    assert model.config.max_frames == 8
    assert model.generate(**inputs_of(tiny_batch()), do_sample=False).shape[1] == 21  # transformers' default


def test_configuration_lists_all_that_cannot_work():
    message = (
        "pose_encoder 'mlp' or 'none', found 'gru'; expected projector_type 'linear' or 'mlp', found 'x'; expected "
        "temporal_norm 'pre' or 'post', found 'y'; expected max_frames of 1 or more, found 0"
    )
    with pytest.raises(ConfigurationError, match=message):
        tiny_config(pose_encoder="gru", projector_type="x", temporal_norm="y", max_frames=0)

"""What a translation model on ONNX Runtime is called with: PyTorch's arguments, or an error that says why not."""

import inspect

import pytest
import torch
from export_factories import export, tiny_translator
from model_factories import tiny_text_config
from transformers import DynamicCache

from hf_slt import ORTMultiStreamForConditionalGeneration
from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.exporters.clips import multistream_clips

SHORT = {"max_new_tokens": 6}


@pytest.fixture(scope="module")
def exported(translator):
    return ORTMultiStreamForConditionalGeneration.from_pretrained(translator.folder, num_threads=1)


@pytest.fixture(scope="module")
def clips(translator):
    return multistream_clips(translator.model.config, 2, 7, "padding")


@pytest.fixture(scope="module")
def labels():
    return torch.tensor([[5, 6, 7, 1], [8, 9, 1, -100]])


def test_forward_takes_what_pytorch_does(translator, exported):
    found, expected = (inspect.signature(model.forward).parameters for model in (exported, translator.model))
    assert list(found) == list(expected)
    with pytest.raises(TypeError, match="pose_vlaues"):
        exported(pose_vlaues=1)


def test_a_tuple_on_demand(exported, clips, labels):
    loss, logits, states = exported(**clips, labels=labels, return_dict=False)
    output = exported(**clips, labels=labels, return_dict=True)
    assert torch.equal(loss, output.loss) and torch.equal(logits, output.logits)
    assert torch.equal(states, output.encoder_last_hidden_state)


def test_the_loss_is_divided_as_in_pytorch(translator, exported, clips, labels):
    with torch.no_grad():
        expected = translator.model(**clips, labels=labels, num_items_in_batch=3).loss
    assert abs(float(exported(**clips, labels=labels, num_items_in_batch=3).loss - expected)) < 1e-4


def test_a_mask_of_the_tokens_has_to_be_ones(translator, exported, clips, labels):
    tokens = torch.tensor([[0, 5, 6], [0, 7, 8]])
    ones = torch.ones_like(tokens)
    plain = exported(**clips, decoder_input_ids=tokens).logits
    assert torch.equal(exported(**clips, decoder_input_ids=tokens, decoder_attention_mask=ones).logits, plain)
    zeros = torch.tensor([[1, 1, 1], [0, 1, 1]])
    with pytest.raises(ConfigurationError, match="decoder_attention_mask of ones, since .* found zeros; score sent"):
        exported(**clips, decoder_input_ids=tokens, decoder_attention_mask=zeros)
    prompt = {"decoder_input_ids": tokens, **SHORT}
    with pytest.raises(ConfigurationError, match="decoder_attention_mask of ones"):
        exported.generate(**clips, **prompt, decoder_attention_mask=zeros)
    expected = translator.model.generate(**clips, **prompt, decoder_attention_mask=ones)
    assert torch.equal(exported.generate(**clips, **prompt, decoder_attention_mask=ones), expected)


def test_what_an_export_does_not_give_is_refused(exported, clips, labels):
    for name in ("output_attentions", "output_hidden_states"):
        with pytest.raises(ConfigurationError, match=f"expected no {name} of a model .*found {name}=True"):
            exported(**clips, labels=labels, **{name: True})
        with pytest.raises(ConfigurationError, match=f"expected no {name}"):
            exported.generate(**clips, **SHORT, **{name: True}, return_dict_in_generate=True)
        assert exported(**clips, labels=labels, **{name: False}).loss > 0


def test_nothing_to_score_and_nothing_to_translate(exported, clips):
    with pytest.raises(ConfigurationError, match="expected labels or decoder_input_ids, .* found neither"):
        exported(**clips)
    with pytest.raises(
        ConfigurationError, match=r"at least one of the inputs \['face_pixel_values', .* of generate, f"
    ):
        exported.generate()
    outputs = exported.encoder(**clips)
    assert torch.equal(exported.generate(encoder_outputs=outputs, **SHORT), exported.generate(**clips, **SHORT))


def test_tokens_and_caches_of_another_kind_are_errors(exported, clips):
    for tokens in (torch.zeros(2, 0), torch.zeros(3, 2), torch.zeros(2)):
        with pytest.raises(DimensionMismatchError, match=r"expected tokens \(B, N\) of 2 clips, at least one of each"):
            exported(**clips, decoder_input_ids=tokens.long())
    with pytest.raises(ConfigurationError, match="past_key_values as this model returns them, a tuple, found DynamicC"):
        exported(**clips, decoder_input_ids=torch.zeros(2, 1).long(), past_key_values=DynamicCache())


def test_states_of_another_type_of_number(exported, clips, labels):
    outputs = exported.encoder(**clips)
    rounded = outputs[0].bfloat16()
    found = exported(encoder_outputs=(rounded,), attention_mask=clips["attention_mask"] * 0.5, labels=labels)
    expected = exported(encoder_outputs=(rounded.float(),), attention_mask=clips["attention_mask"], labels=labels)
    assert torch.equal(found.logits, expected.logits)


def test_generate_says_which_argument_is_unknown(exported, clips):
    with pytest.raises(ValueError, match="not used by the model.*pose_vlaues"):
        exported.generate(**clips, pose_vlaues=torch.zeros(1), **SHORT)


def test_the_states_are_those_before_the_bridge(tmp_path, labels):
    model = tiny_translator(("pose",), text_config=tiny_text_config("t5", d_model=24), bridge=True)
    exported = ORTMultiStreamForConditionalGeneration.from_pretrained(export(model, tmp_path), num_threads=1)
    clips = multistream_clips(model.config, 2, 7)
    states = exported(**clips, labels=labels).encoder_last_hidden_state
    assert torch.equal(states, exported.encoder(**clips).last_hidden_state) and states.shape[2] == model.config.d_model
    assert float((model.bridge(states) - model(**clips, labels=labels).encoder_last_hidden_state).abs().max()) < 1e-3

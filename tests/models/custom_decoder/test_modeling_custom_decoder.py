"""A decoder of one's own in the translation model: values, training, generation, saving, and what cannot work."""

import logging
import shutil
import sys

import custom_decoders
import pytest
import torch
from custom_decoders import RecurrentDecoder, custom_decoder_config
from model_factories import EOS, PAD, VOCABULARY, WIDTH, inputs_of, tiny_batch, tiny_model
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModel

from hf_slt.errors import ConfigurationError
from hf_slt.models.custom_decoder.configuration_custom_decoder import CustomDecoderConfig
from hf_slt.models.custom_decoder.modeling_custom_decoder import (
    CustomDecoderForConditionalGeneration,
    tied_parameters,
)
from hf_slt.models.loading import load_pretrained, missing_weights
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.modeling_multistream import MultiStreamForConditionalGeneration

DECODERS = {"TinyDecoder": {"max_length": 20}, "RecurrentDecoder": {"scale": 2.0}}
OPTIONS = {"max_new_tokens": 6}


def model_of(name, seed=0, **overrides):
    return tiny_model(("pose",), seed, text_config=custom_decoder_config(name, **DECODERS[name]), **overrides)


@pytest.fixture
def batch():
    return tiny_batch(("pose",), seed=3)


@pytest.mark.parametrize("name", DECODERS)
def test_logits_are_those_of_the_module(name, batch):
    model = model_of(name)
    states = model.encoder(**inputs_of(batch))
    tokens = model.prepare_decoder_input_ids_from_labels(batch["labels"])
    arguments = (tokens, states[0], states.attention_mask)
    if name == "RecurrentDecoder":
        expected = model.get_decoder()(arguments[1], arguments[0], arguments[2]).logits
    else:
        expected = model.get_decoder()(*arguments)
    output = model(**batch)
    assert torch.equal(output.logits, expected) and output.loss.item() > 0
    assert model.config.decoder_start_token_id == PAD and model.config.decoder_hidden_size == WIDTH


def test_the_module_gets_its_arguments_and_keeps_its_initialisation():
    torch.manual_seed(5)
    alone = RecurrentDecoder(hidden_size=WIDTH, vocab_size=VOCABULARY, pad=PAD, eos=EOS)
    torch.manual_seed(5)
    model = CustomDecoderForConditionalGeneration(custom_decoder_config("RecurrentDecoder", scale=2.0))
    assert model.decoder.received == {"pad": PAD, "eos": EOS, "layers": 1, "scale": 2.0}
    wrapped = model.decoder.state_dict()
    assert all(torch.equal(value, wrapped[key]) for key, value in alone.state_dict().items())


@pytest.mark.parametrize("name", DECODERS)
def test_every_parameter_trains(name):
    model = model_of(name).train()
    model(**tiny_batch(("pose",), missing=True, lengths=(6, 4))).loss.backward()
    idle = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert idle == []


@pytest.mark.parametrize("name", DECODERS)
def test_greedy_is_the_argmax_step_by_step(name, batch):
    model, inputs = model_of(name), inputs_of(batch)
    with torch.no_grad():
        model.text_model.get_decoder().output.weight.mul_(3)
    tokens = torch.full((2, 1), PAD)
    with torch.no_grad():
        for _ in range(6):
            tokens = torch.cat((tokens, model(**inputs, decoder_input_ids=tokens).logits[:, -1:].argmax(-1)), dim=1)
    generated = model.generate(**inputs, **OPTIONS, eos_token_id=None)
    assert torch.equal(generated, tokens)


def test_beams_and_samples(batch):
    model, inputs = model_of("RecurrentDecoder"), inputs_of(batch)

    def score(**options):
        output = model.generate(**inputs, **OPTIONS, return_dict_in_generate=True, output_scores=True, **options)
        beams = getattr(output, "beam_indices", None)
        return model.compute_transition_scores(output.sequences, output.scores, beams, normalize_logits=True).sum(-1)

    assert (score(num_beams=8, length_penalty=0.0) > score()).all()
    torch.manual_seed(0)
    sampled = model.generate(**inputs, **OPTIONS, do_sample=True, num_return_sequences=3)
    assert len(sampled) == 6 and len({tuple(row) for row in sampled.tolist()}) > 3


def test_generation_does_without_a_cache(batch, caplog):
    model = model_of("TinyDecoder")
    assert model.generation_config.use_cache is False
    with caplog.at_level(logging.WARNING):
        model.generate(**inputs_of(batch), **OPTIONS)
    assert caplog.text == ""
    with pytest.raises(
        ConfigurationError, match=r"no key-value cache, which custom_decoders:TinyDecoder does not have"
    ):
        model.generate(**inputs_of(batch), **OPTIONS, use_cache=True)


@pytest.mark.parametrize("name", DECODERS)
def test_saving_and_loading_changes_nothing(name, batch, tmp_path):
    model = model_of(name, seed=1)
    model.save_pretrained(tmp_path)
    loaded, info = MultiStreamForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert loaded.generation_config.use_cache is False
    assert torch.equal(loaded.eval()(**batch).logits, model(**batch).logits)
    assert type(MultiStreamConfig.from_pretrained(tmp_path).text_config) is CustomDecoderConfig


def test_ties_and_tables_that_are_not_saved_survive(tmp_path):
    model = model_of("TinyDecoder")
    model.save_pretrained(tmp_path)
    names = load_file(tmp_path / "model.safetensors").keys()
    assert "text_model.decoder.tokens.weight" in names
    assert not {"text_model.decoder.output.weight", "text_model.decoder.positions"} & set(names)
    loaded = MultiStreamForConditionalGeneration.from_pretrained(tmp_path).get_decoder()
    assert loaded.output.weight is loaded.tokens.weight
    assert torch.equal(loaded.positions, model.get_decoder().positions) and loaded.positions.abs().max() > 0.5


def test_tied_parameters_are_named_after_the_first():
    layer = nn.Linear(2, 2)
    assert tied_parameters(nn.ModuleDict({"a": layer, "b": nn.Linear(2, 2), "c": layer})) == {
        "c.weight": "a.weight",
        "c.bias": "a.bias",
    }


def test_a_name_under_which_a_tied_weight_is_not_stored_is_not_missing():
    model = model_of("TinyDecoder")
    tied, lost = "text_model.decoder.output.weight", "encoder.fusion.weight"
    assert missing_weights(model, [tied, lost]) == [lost]
    assert missing_weights(model, {tied, "text_model.decoder.tokens.weight"}) == sorted(
        [tied, "text_model.decoder.tokens.weight"]
    )


def test_a_model_whose_code_is_gone(tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    shutil.copy(custom_decoders.__file__, tmp_path / "code" / "decoders_of_mine.py")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path / "code")
        config = custom_decoder_config("TinyDecoder", module="decoders_of_mine")
        tiny_model(("pose",), text_config=config).save_pretrained(tmp_path / "model")
    monkeypatch.delitem(sys.modules, "decoders_of_mine")
    message = "a trained model .*decoder class decoders_of_mine:TinyDecoder .*put the folder of its file on PYTHONPATH"
    with pytest.raises(ConfigurationError, match=message):
        load_pretrained(MultiStreamForConditionalGeneration, str(tmp_path / "model"), "a trained model")
    assert AutoModel.from_pretrained(tmp_path / "model").config.d_model == WIDTH  # the encoder needs no such code


def test_the_vocabulary_cannot_be_resized():
    model = model_of("TinyDecoder")
    with pytest.raises(ConfigurationError, match="a call to resize custom_decoders:TinyDecoder; build it anew"):
        model.resize_token_embeddings(50)
    assert model.get_input_embeddings() is model.get_decoder().tokens
    other = model_of("RecurrentDecoder")
    assert other.get_input_embeddings() is other.get_decoder() and other.get_output_embeddings() is None


def test_a_constructor_that_raises():
    message = r"found custom_decoders:TinyDecoder\(d_model=16, .*num_heads=3.*\) to raise AssertionError: .*divisible"
    with pytest.raises(ConfigurationError, match=message):
        CustomDecoderForConditionalGeneration(custom_decoder_config("TinyDecoder", num_heads=3))


class Lazy(nn.Module):
    def __init__(self, d_model, vocab_size):
        super().__init__()
        self.norm, self.output = nn.LazyBatchNorm1d(), nn.LazyLinear(vocab_size)

    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        raise NotImplementedError


def test_weights_without_a_size():
    names = "norm.weight, norm.bias, output.weight, output.bias, norm.running_mean, norm.running_var"
    message = f"in {__name__}:Lazy once it is built, found none for {names}; give its layers their sizes, e.g. Linear"
    with pytest.raises(ConfigurationError, match=message):
        CustomDecoderForConditionalGeneration(custom_decoder_config("Lazy", module=__name__))

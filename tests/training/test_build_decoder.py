"""The text decoder from flags: a class of one's own, and flags that exclude each other."""

import re

import pytest
import torch
from custom_decoders import RecurrentDecoder, TinyDecoder, custom_decoder_config
from factories import CLIPS
from model_factories import tiny_config, tiny_model, tiny_text_config
from transformers import FSMTConfig, T5GemmaConfig, WhisperConfig

from hf_slt.data.tokenization import train_unigram_tokenizer
from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.training.arguments import ModelArguments
from hf_slt.training.build_decoder import check_decoder_arguments, decoder_config, parse_decoder_kwargs
from hf_slt.training.build_slt import build_model

OWN = "custom_decoders:TinyDecoder"


def arguments(**values):
    tiny = {"d_model": 16, "projector_dim": 8, "temporal_heads": 2, "temporal_layers": 1, "decoder_heads": 2}
    return ModelArguments(
        **{**tiny, "temporal_dim_feedforward": 16, "decoder_layers": 2, "max_target_length": 32, **values}
    )


@pytest.fixture(scope="module")
def tokenizer():
    return train_unigram_tokenizer(list(CLIPS.values()), vocab_size=80)


def test_a_class_gets_the_flags_and_the_tokenizers_numbers(tokenizer):
    args = arguments(decoder_class="custom_decoders.RecurrentDecoder", decoder_kwargs='{"scale": 3}')
    model = build_model(args, ("pose",), 33, tokenizer)
    decoder = model.get_decoder()
    ids = {"pad": tokenizer.pad_token_id, "eos": tokenizer.eos_token_id}
    assert type(decoder) is RecurrentDecoder and decoder.received == {**ids, "layers": 2, "scale": 3}
    assert decoder.output.weight.shape == (len(tokenizer), 16) and model.config.vocab_size == len(tokenizer)
    assert model.config.decoder_start_token_id == tokenizer.pad_token_id
    assert type(build_model(arguments(decoder_class=OWN), ("pose",), 33, tokenizer).get_decoder()) is TinyDecoder


def test_a_class_of_another_width_needs_the_bridge(tokenizer):
    args = arguments(decoder_class=OWN, decoder_kwargs='{"d_model": 24}')
    with pytest.raises(DimensionMismatchError, match="d_model 16 and decoder width 24; .* or use --bridge"):
        build_model(args, ("pose",), 33, tokenizer)
    args.bridge = True
    model = build_model(args, ("pose",), 33, tokenizer)
    assert model.bridge.weight.shape == (24, 16) and model.get_decoder().tokens.weight.shape[1] == 24


def test_a_class_with_another_vocabulary(tokenizer, monkeypatch):
    size = len(tokenizer)
    args = arguments(decoder_class=OWN, decoder_kwargs='{"vocab_size": 7}')
    with pytest.raises(
        DimensionMismatchError, match=f"of {size} tokens, found vocab_size 7 in --decoder-kwargs; leave"
    ):
        build_model(args, ("pose",), 33, tokenizer)
    constructor = TinyDecoder.__init__

    def own_size(self, d_model, vocab_size, num_layers, num_heads, dropout):
        constructor(self, d_model, 200, num_layers, num_heads, dropout)

    monkeypatch.setattr(TinyDecoder, "__init__", own_size)
    with pytest.raises(
        DimensionMismatchError, match=rf"\(2, 6, {size}\) from .*, found \(2, 6, 200\); .* has {size} tok"
    ):
        build_model(arguments(decoder_class=OWN), ("pose",), 33, tokenizer)


def test_a_class_is_tried_before_anything_trains(tokenizer, monkeypatch):
    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        return self.output(self.tokens(input_ids).flip(1))

    monkeypatch.setattr(TinyDecoder, "forward", forward)
    with pytest.raises(ConfigurationError, match="expected a causal decoder"):
        build_model(arguments(decoder_class=OWN), ("pose",), 33, tokenizer)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"decoder_model": "a", "decoder_config": "b", "decoder_class": OWN},
            "one of --decoder-model, --decoder-config, --decoder-class, found --decoder-model and --decoder-config and "
            "--decoder-class; leave all but one out",
        ),
        ({"decoder_config": "b", "decoder_class": OWN}, "found --decoder-config and --decoder-class; leave"),
        ({"decoder_kwargs": "{}"}, "expected --decoder-class with --decoder-kwargs, found none"),
        ({"decoder_class": "nowhere:Decoder"}, "put the folder of its file on PYTHONPATH"),
        (
            {"decoder_class": OWN, "decoder_kwargs": "{a: 1}"},
            "a JSON object in --decoder-kwargs, .* found '{a: 1}': Exp",
        ),
        ({"decoder_class": OWN, "decoder_kwargs": "[1]"}, r"JSON object in --decoder-kwargs, found the list \[1\]"),
    ],
)
def test_flags_that_cannot_work(values, message, tokenizer):
    for check in (check_decoder_arguments, lambda args: build_model(args, ("pose",), 33, tokenizer)):
        with pytest.raises(ConfigurationError, match=message):
            check(arguments(**values))


def test_kwargs_are_json_or_the_object_of_a_config_file():
    assert parse_decoder_kwargs(None) == parse_decoder_kwargs("") == {}
    assert parse_decoder_kwargs('{"a": [1, null]}') == parse_decoder_kwargs({"a": [1, None]}) == {"a": [1, None]}


def test_a_decoder_config_is_a_folder_or_a_file(tmp_path, tokenizer):
    tiny_text_config("bart", vocab_size=5).save_pretrained(tmp_path)
    (tmp_path / "config.json").rename(tmp_path / "bart.json")
    config = decoder_config(arguments(decoder_config=str(tmp_path / "bart.json")), None, tokenizer)
    assert (config.model_type, config.vocab_size, config.eos_token_id) == ("bart", len(tokenizer), 1)
    with pytest.raises(ConfigurationError, match="a configuration in --decoder-config .*does not load"):
        decoder_config(arguments(decoder_config=str(tmp_path)), None, tokenizer)


def test_checking_leaves_the_weights_and_the_random_numbers(tokenizer):
    torch.manual_seed(3)
    first = build_model(arguments(decoder_class=OWN), ("pose",), 33, tokenizer)
    after = torch.rand(1)
    torch.manual_seed(3)
    second = build_model(arguments(decoder_class=OWN), ("pose",), 33, tokenizer)
    assert torch.equal(torch.rand(1), after) and first.training == second.training
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (tiny_config(("pose",)), "'multistream_slt', a whole translation model; start from one by --init-checkpoint"),
        (
            custom_decoder_config("TinyDecoder"),
            "'custom_decoder', a class of one's own; name it by --decoder-class custom_decoders:TinyDecoder",
        ),
        (SignTransformerConfig(), "'sign_transformer', which has no encoder"),
        (WhisperConfig(), "'whisper', which AutoModelForSeq2SeqLM does not know"),
        *(
            []
            if hasattr(FSMTConfig(), "vocab_size")
            else [(FSMTConfig(), "'fsmt', whose configuration has no vocab_size")]
        ),
        (T5GemmaConfig(), "'t5gemma', whose configuration has no hidden_size"),
    ],
    ids=lambda value: getattr(value, "model_type", ""),
)
def test_a_decoder_config_of_another_kind(config, reason, tmp_path, tokenizer):
    config.save_pretrained(tmp_path)
    message = re.escape(f"expected a seq2seq language model, found {reason} (--decoder-config takes e.g. t5 or bart)")
    with pytest.raises(ConfigurationError, match=message):
        build_model(arguments(decoder_config=str(tmp_path)), ("pose",), 33, tokenizer)


def test_a_run_is_no_decoder_model(tmp_path, tokenizer):
    tiny_model(("pose",)).save_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match=r"found 'multistream_slt', .*\(--decoder-model takes e.g. t5"):
        build_model(arguments(decoder_model=str(tmp_path)), ("pose",), 33, tokenizer)


def test_a_class_is_tried_on_the_longest_sentence(tokenizer):
    args = arguments(decoder_class=OWN, max_target_length=33)  # it has 32 positions
    with pytest.raises(ConfigurationError, match="custom_decoders:TinyDecoder to take 33 tokens, .*max-target-length"):
        build_model(args, ("pose",), 33, tokenizer)
    build_model(arguments(decoder_class=OWN, max_target_length=32), ("pose",), 33, tokenizer)

"""Decoder classes by name: importing them, and what their signatures take."""

import pytest
import torch
from custom_decoders import RecurrentDecoder, TinyDecoder
from torch import nn
from transformers.modeling_outputs import Seq2SeqLMOutput

from hf_slt.errors import ConfigurationError
from hf_slt.models.custom_decoder.decoder_class import (
    constructor_arguments,
    forward_names,
    load_decoder_class,
    logits_of,
)

OFFERED = {"d_model": 16, "vocab_size": 40, "num_layers": 3, "num_heads": 2, "dropout": 0.1}
OFFERED |= {"pad_token_id": 0, "eos_token_id": 1}


class Outer:
    Decoder = TinyDecoder


@pytest.mark.parametrize("path", ["custom_decoders:TinyDecoder", "custom_decoders.TinyDecoder"])
def test_a_class_is_named_with_a_colon_or_a_dot(path):
    assert load_decoder_class(path) is TinyDecoder
    assert load_decoder_class(f"{__name__}:Outer.Decoder") is TinyDecoder


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("MyDecoder", "expected a decoder class as module:Class, found 'MyDecoder'"),
        ("custom_decoders:", "expected a decoder class as module:Class, found 'custom_decoders:'"),
        ("nowhere:MyDecoder", "decoder class nowhere:MyDecoder .*No module named 'nowhere'; put .* on PYTHONPATH"),
        ("custom_decoders:Nothing", "custom_decoders:Nothing .*AttributeError: .*has no attribute 'Nothing'"),
        (
            "custom_decoders:torch",
            "a torch.nn.Module as the decoder class custom_decoders:torch, found <module 'torch'",
        ),
        ("builtins:dict", "a torch.nn.Module as the decoder class builtins:dict, found <class 'dict'>"),
    ],
)
def test_what_is_no_decoder_class(path, message):
    with pytest.raises(ConfigurationError, match=message):
        load_decoder_class(path)


def test_a_module_that_breaks_while_it_is_imported(tmp_path, monkeypatch):
    (tmp_path / "broken_decoder.py").write_text("import a_package_that_is_not_there")
    (tmp_path / "unfinished_decoder.py").write_text("class MyDecoder(")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ConfigurationError, match="broken_decoder:MyDecoder .*No module named 'a_package_that_is_not_the"
    ):
        load_decoder_class("broken_decoder:MyDecoder")
    with pytest.raises(ConfigurationError, match="unfinished_decoder:MyDecoder .*SyntaxError"):
        load_decoder_class("unfinished_decoder:MyDecoder")


def test_the_constructor_gets_what_its_signature_takes():
    assert constructor_arguments(TinyDecoder, OFFERED, {}) == {
        name: OFFERED[name] for name in ("d_model", "vocab_size", "num_layers", "num_heads", "dropout")
    }
    expected = {"hidden_size": 16, "vocab_size": 40, "pad": 0, "eos": 1, "layers": 3}
    assert constructor_arguments(RecurrentDecoder, OFFERED, {}) == expected


def test_own_arguments_win():
    chosen = constructor_arguments(RecurrentDecoder, OFFERED, {"layers": 7, "scale": 2.0})
    assert (chosen["layers"], chosen["scale"]) == (7, 2.0)

    class Open(nn.Module):
        def __init__(self, heads, **kwargs):
            super().__init__()

    expected = {**OFFERED, "heads": 2, "layers": 7, "colour": "red"}
    del expected["num_heads"], expected["num_layers"]
    assert constructor_arguments(Open, OFFERED, {"layers": 7, "colour": "red"}) == expected


def test_arguments_that_do_not_fit_the_constructor():
    class Demanding(nn.Module):
        def __init__(self, d_model, memory_size, depth=1):
            super().__init__()

    message = (
        r"Demanding\(d_model, memory_size, depth=1\), found \['width'\] in --decoder-kwargs, which it does not take"
    )
    with pytest.raises(ConfigurationError, match=message + r" and no value for \['memory_size'\], which it requires"):
        constructor_arguments(Demanding, OFFERED, {"width": 3})
    assert constructor_arguments(Demanding, OFFERED, {"memory_size": 3}) == {"d_model": 16, "memory_size": 3}


def names_of(forward):
    names = forward_names(forward)
    return names and tuple(names.values())


def test_forward_is_called_by_its_own_names():
    canonical = ("input_ids", "encoder_hidden_states", "encoder_attention_mask")
    assert names_of(lambda encoder_hidden_states, input_ids, encoder_attention_mask: 0) == canonical
    assert names_of(lambda **inputs: 0) == canonical
    assert names_of(lambda memory, decoder_input_ids, memory_mask: 0) == ("decoder_input_ids", "memory", "memory_mask")
    assert names_of(lambda encoder_states, x, attention_mask: 0) == ("x", "encoder_states", "attention_mask")
    assert names_of(lambda x, y, z, cache=None: 0) == ("x", "y", "z")
    assert names_of(lambda *inputs: 0) is None and names_of(lambda x, y, z, /: 0) is None


def test_forwards_that_cannot_be_called():
    with pytest.raises(
        ConfigurationError, match=r"found forward\(x, y\), which has no place for encoder_attention_mask"
    ):
        forward_names(lambda x, y: 0)
    with pytest.raises(ConfigurationError, match=r"found forward\(x, y, z, cache\), which also requires cache"):
        forward_names(lambda x, y, z, cache: 0)


def test_logits_come_bare_or_in_an_object():
    logits = torch.zeros(1, 2, 3)
    assert all(logits_of(output) is logits for output in (logits, {"logits": logits}, Seq2SeqLMOutput(logits=logits)))
    with pytest.raises(ConfigurationError, match="expected a tensor of logits .*found <class 'tuple'>"):
        logits_of((logits,))

"""A `torch.nn.Module` of the user's own in the place of a stock seq2seq language model.

Dimensions: B clips, N target tokens, T' encoder states, D d_model, V vocabulary. Masks have one polarity: 1 = real.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.models.custom_decoder.configuration_custom_decoder import CustomDecoderConfig
from hf_slt.models.custom_decoder.decoder_class import (
    CONSTRUCTOR_NAMES,
    constructor_arguments,
    forward_names,
    load_decoder_class,
    logits_of,
)


class CustomDecoderForConditionalGeneration(PreTrainedModel):
    r"""Text decoder whose layers are a class of the user's own.

    The class is any `torch.nn.Module`. Its constructor gets, by keyword, those of `d_model`, `vocab_size`, `num_layers`
    (or `layers`, `num_hidden_layers`), `num_heads` (`heads`, `nhead`), `dropout`, `pad_token_id` (`pad_id`, `pad`) and
    `eos_token_id` (`eos_id`, `eos`) that it takes, and `config.decoder_kwargs`, which win. Its `forward` gets tokens
    `(B, N)`, encoder states `(B, T', D)` and their mask `(B, T')`, 1 = real, and returns logits `(B, N, V)` or
    something with `.logits`. It must be causal: the logits at a token depend on that token and those before it only.
    It must take sentences of up to `--max-target-length` tokens; each starts from the pad token. Its weights,
    which it initialises, are saved with the rest of the model; its code is not: whoever loads the model needs it.

    Example, `my_decoder.py` in a folder on PYTHONPATH, used by `--decoder-class my_decoder:MyDecoder`:

        class MyDecoder(torch.nn.Module):
            def __init__(self, d_model, vocab_size, num_layers, num_heads, dropout, max_length=512):
                super().__init__()
                self.tokens = torch.nn.Embedding(vocab_size, d_model)
                self.positions = torch.nn.Embedding(max_length, d_model)
                layer = torch.nn.TransformerDecoderLayer(d_model, num_heads, 4 * d_model, dropout, batch_first=True)
                self.layers = torch.nn.TransformerDecoder(layer, num_layers)
                self.output = torch.nn.Linear(d_model, vocab_size)

            def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
                length = input_ids.shape[1]
                states = self.tokens(input_ids) + self.positions.weight[:length]
                later = torch.ones(length, length, dtype=torch.bool, device=input_ids.device).triu(1)
                padding = encoder_attention_mask == 0  # torch's own masks have the other polarity
                states = self.layers(states, encoder_hidden_states, later, memory_key_padding_mask=padding)
                return self.output(states)

    Args:
        config: The configuration, which names the class.

    Raises:
        ConfigurationError: The class cannot be imported, built or called; the message says what it lacks.
    """

    config_class = CustomDecoderConfig
    main_input_name = "decoder_input_ids"
    _supports_sdpa = True  # how it attends is the class's own matter

    def __init__(self, config: CustomDecoderConfig):
        super().__init__(config)
        decoder_class = load_decoder_class(config.decoder_class)
        offered = {name: getattr(config, name) for name in CONSTRUCTOR_NAMES}
        arguments = constructor_arguments(decoder_class, offered, config.decoder_kwargs)
        # Loading may build models without memory; what is not in the file (buffers that are not saved) needs some.
        is_meta = torch.get_default_device().type == "meta"
        try:
            with torch.device("cpu") if is_meta else torch.get_default_device():
                self.decoder = decoder_class(**arguments)
        except Exception as error:  # the class is the user's: it can raise anything
            shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
            raise ConfigurationError(
                f"expected the decoder class to build, found {config.decoder_class}({shown}) to raise "
                f"{type(error).__name__}: {error}"
            ) from error
        _check_initialised(self.decoder, config.decoder_class)
        self._forward_names = forward_names(self.decoder.forward)
        self._tied_weights_keys = tied_parameters(self)
        self._unsaved_buffers = unsaved_buffers(self)
        self.post_init()

    def forward(
        self,
        decoder_input_ids: torch.Tensor,
        encoder_outputs: BaseModelOutput | tuple,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Any | None = None,
        **kwargs: Any,
    ) -> Seq2SeqLMOutput:
        r"""Score target tokens.

        Args:
            decoder_input_ids (`torch.LongTensor` of shape `(B, N)`): Target tokens shifted right.
            encoder_outputs (`BaseModelOutput`): Its first entry is the encoder states `(B, T', D)`.
            attention_mask (`torch.Tensor` of shape `(B, T')`, *optional*): 1 = the state belongs to a real frame.
            past_key_values (`Cache`, *optional*): Not available.
            kwargs: What stock decoders take besides; ignored.

        Raises:
            ConfigurationError: A cache was given: `generate` would hand over the last token alone.
            DimensionMismatchError: The logits are not `(B, N, V)`.
        """
        if past_key_values is not None:
            raise ConfigurationError(
                f"expected no key-value cache, which {self.config.decoder_class} does not have; use "
                f"generate(..., use_cache=False)"
            )
        states = encoder_outputs[0]
        if attention_mask is None:
            attention_mask = torch.ones(states.shape[:2], dtype=torch.long, device=states.device)
        inputs = {
            "input_ids": decoder_input_ids,
            "encoder_hidden_states": states,
            "encoder_attention_mask": attention_mask,
        }
        if self._forward_names is None:
            output = self.decoder(*inputs.values())
        else:
            output = self.decoder(**{self._forward_names[name]: value for name, value in inputs.items()})
        logits = logits_of(output)
        expected = (*decoder_input_ids.shape, self.config.vocab_size)
        if tuple(logits.shape) != expected:
            raise DimensionMismatchError(
                f"expected logits (clips, tokens, vocabulary) of shape {expected} from {self.config.decoder_class}, "
                f"found {tuple(logits.shape)}; the tokenizer has {self.config.vocab_size} tokens"
            )
        return Seq2SeqLMOutput(logits=logits)

    def get_encoder(self, *args: Any, **kwargs: Any) -> nn.Module:
        """Return an empty module: there is no text encoder."""
        return nn.Identity()

    def get_decoder(self, *args: Any, **kwargs: Any) -> nn.Module:
        """Return the user's module."""
        return self.decoder

    def get_input_embeddings(self) -> nn.Module:
        """Return the table of the tokens, or the whole module where there is none of the vocabulary's size."""
        tables = (module for module in self.decoder.modules() if isinstance(module, nn.Embedding))
        return next((table for table in tables if table.num_embeddings == self.config.vocab_size), self.decoder)

    def get_output_embeddings(self) -> None:
        """Return None: which layer scores the vocabulary is not known."""
        return None

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Module:
        """Refuse: only the user's code could resize its layers.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(
            f"expected a vocabulary that stays, found a call to resize {self.config.decoder_class}; build it anew"
        )

    def _init_weights(self, module: nn.Module) -> None:
        # The class initialised its weights; only buffers that are not saved may have been lost in loading.
        for path, value in self._unsaved_buffers.items():
            owner, _, name = path.rpartition(".")
            if self.get_submodule(owner) is module:
                module.get_buffer(name).copy_(value)

    def _tie_weights(self) -> None:
        for target, source in self._tied_weights_keys.items():
            owner, _, name = target.rpartition(".")
            setattr(self.get_submodule(owner), name, self.get_parameter(source))


def _check_initialised(module: nn.Module, name: str) -> None:
    tensors = (*module.named_parameters(), *module.named_buffers())
    lazy = [path for path, tensor in tensors if isinstance(tensor, UninitializedParameter | UninitializedBuffer)]
    if lazy:
        raise ConfigurationError(
            f"expected weights of known sizes in {name} once it is built, found none for {', '.join(lazy)}; give its "
            f"layers their sizes, e.g. Linear in place of LazyLinear"
        )


def tied_parameters(module: nn.Module) -> dict[str, str]:
    """Return name -> first name of the parameters that share their memory with another one."""
    first: dict[tuple, str] = {}
    tied = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        # Not the identity of the parameter: transformers loads into copies of it that share its storage.
        key = (parameter.untyped_storage()._cdata, parameter.storage_offset(), parameter.shape, parameter.stride())
        if first.setdefault(key, name) != name:
            tied[name] = first[key]
    return tied


def unsaved_buffers(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of the buffers that are not in the state dict."""
    saved = module.state_dict().keys()
    return {name: buffer.clone() for name, buffer in module.named_buffers() if name not in saved}

"""Text decoders of a user's own, as a module that `--decoder-class custom_decoders:NAME` finds."""

import inspect

import torch
from model_factories import EOS, PAD, VOCABULARY, WIDTH
from torch import nn
from transformers.modeling_outputs import Seq2SeqLMOutput

from hf_slt.models.custom_decoder.configuration_custom_decoder import CustomDecoderConfig
from hf_slt.models.custom_decoder.modeling_custom_decoder import CustomDecoderForConditionalGeneration


class TinyDecoder(nn.Module):
    """The protocol's own names, output tied to the embeddings, and a table that is not saved."""

    def __init__(self, d_model, vocab_size, num_layers, num_heads, dropout, max_length=32):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.register_buffer("positions", torch.sin(torch.arange(max_length * d_model)).view(-1, d_model), False)
        layer = nn.TransformerDecoderLayer(d_model, num_heads, 2 * d_model, dropout, batch_first=True)
        self.layers = nn.TransformerDecoder(layer, num_layers)
        self.output = nn.Linear(d_model, vocab_size, bias=False)
        self.output.weight = self.tokens.weight

    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        length = input_ids.shape[1]
        later = torch.ones(length, length, dtype=torch.bool, device=input_ids.device).triu(1)
        states = self.tokens(input_ids) + self.positions[:length]
        padding = encoder_attention_mask == 0
        return self.output(self.layers(states, encoder_hidden_states, later, memory_key_padding_mask=padding))


class RecurrentDecoder(nn.Module):
    """Other names, parameters in another order, logits in an object, and no table of embeddings."""

    def __init__(self, *, hidden_size, vocab_size, pad, eos, layers=1, scale=1.0):
        super().__init__()
        self.received = {"pad": pad, "eos": eos, "layers": layers, "scale": scale}
        self.vocab_size = vocab_size
        self.gru = nn.GRU(vocab_size + hidden_size, hidden_size, layers, batch_first=True)
        self.output = nn.Linear(hidden_size, vocab_size)

    def forward(self, memory, tokens, memory_mask):
        weights = memory_mask[..., None].to(memory.dtype)
        context = (memory * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True).clamp(min=1)
        one_hot = nn.functional.one_hot(tokens, self.vocab_size).to(memory.dtype)
        states, _ = self.gru(torch.cat((one_hot, context.expand(-1, tokens.shape[1], -1)), dim=-1))
        return Seq2SeqLMOutput(logits=self.output(states))


def custom_decoder_config(name, module="custom_decoders", **kwargs):
    """Return the configuration of a tiny decoder of a class, without dropout, for the models of `model_factories`."""
    sizes = {"vocab_size": VOCABULARY, "d_model": WIDTH, "num_layers": 1, "num_heads": 2, "dropout": 0.0}
    ids = {"pad_token_id": PAD, "eos_token_id": EOS}
    return CustomDecoderConfig(decoder_class=f"{module}:{name}", decoder_kwargs=kwargs, **sizes, **ids)


def documented_decoder():
    """Return the example in the documentation of `--decoder-class`, `MyDecoder`, as the text of a module."""
    lines = inspect.getdoc(CustomDecoderForConditionalGeneration).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("    class MyDecoder"))
    end = next(i for i, line in enumerate(lines) if line.startswith("Args:"))
    return "\n".join(["import torch", "", "", *(line[4:] for line in lines[start:end])]).rstrip() + "\n"

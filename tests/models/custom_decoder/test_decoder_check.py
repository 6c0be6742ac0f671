"""The trial of a decoder of one's own finds what would only show after a training run."""

import pytest
import torch
from custom_decoders import TinyDecoder, custom_decoder_config
from model_factories import PAD
from torch import nn

from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.models.custom_decoder.decoder_check import check_decoder
from hf_slt.models.custom_decoder.modeling_custom_decoder import CustomDecoderForConditionalGeneration


def decoder_of(name, **kwargs):
    return CustomDecoderForConditionalGeneration(custom_decoder_config(name, module=__name__, **kwargs))


@pytest.mark.parametrize("length", [1, 3, 6, 32])
@pytest.mark.parametrize("name", ["TinyDecoder", "RecurrentDecoder"])
def test_sound_decoders_pass_the_check(name, length, caplog):
    decoder = CustomDecoderForConditionalGeneration(custom_decoder_config(name)).train()
    state = torch.get_rng_state()
    check_decoder(decoder, length)
    assert caplog.text == "" and decoder.training and torch.equal(torch.get_rng_state(), state)


class Peeking(TinyDecoder):
    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        return self.output(self.tokens(input_ids) + self.tokens(input_ids).mean(1, keepdim=True))


class Narrow(TinyDecoder):
    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        return super().forward(input_ids, encoder_hidden_states, encoder_attention_mask)[..., :7]


class Noisy(TinyDecoder):
    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        return self.output(nn.functional.dropout(self.tokens(input_ids), 0.5))


class MaskingPads(TinyDecoder):
    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        return (
            super()
            .forward(input_ids, encoder_hidden_states, encoder_attention_mask)
            .masked_fill((input_ids == PAD)[..., None], torch.nan)
        )


class Inverted(TinyDecoder):
    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        return super().forward(input_ids, encoder_hidden_states, 1 - encoder_attention_mask)


class MaskingAll(TinyDecoder):
    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        scores = encoder_hidden_states.sum(-1).masked_fill(encoder_attention_mask == 1, -torch.inf).softmax(-1)
        return self.output(self.tokens(input_ids) + (scores[:, None] @ encoder_hidden_states))


class Heedless(TinyDecoder):
    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        return self.output(self.tokens(input_ids) + encoder_hidden_states.mean(1, keepdim=True))


class Wide(TinyDecoder):
    def __init__(self, d_model, vocab_size, num_layers, num_heads, dropout):
        super().__init__(2 * d_model, vocab_size, num_layers, num_heads, dropout)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("Peeking", ConfigurationError, "expected a causal decoder, found that logits of .*:Peeking change with later"),
        (
            "Narrow",
            DimensionMismatchError,
            r"shape \(2, 6, 40\) from .*:Narrow, found \(2, 6, 7\); the tokenizer has 40",
        ),
        (
            "Inverted",
            ConfigurationError,
            ":Inverted that depend on the real .*depend on padding alone; turn its mask round: in the mask",
        ),
        ("MaskingAll", ConfigurationError, "found 240 NaN; .*or are real encoder states. .in the mask .* 1 is real"),
        ("Noisy", ConfigurationError, "the same logits from .*:Noisy .*is a dropout on"),
        (
            "MaskingPads",
            ConfigurationError,
            "numbers as logits from .*:MaskingPads, found 120 NaN; is the pad token masked",
        ),
        (
            "Wide",
            ConfigurationError,
            r"Wide to take tokens \(2, 6\) up to 3\d, encoder states \(2, 5, 16\) .*RuntimeError: .*shape",
        ),
    ],
)
def test_what_the_check_finds(name, error, message):
    with pytest.raises(error, match=message):
        check_decoder(decoder_of(name))


def test_padding_that_leaks_is_a_warning(caplog):
    check_decoder(decoder_of("Heedless"))
    assert "the logits of test_decoder_check:Heedless depend on padding" in caplog.text


class Deaf(TinyDecoder):
    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        return self.output(self.tokens(input_ids))


class Whispering(TinyDecoder):
    """A gate that lets little of the encoder states through when training begins."""

    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        weights = encoder_attention_mask[..., None] * 1e-6
        return self.output(self.tokens(input_ids) + (weights * encoder_hidden_states).sum(1, keepdim=True))


def test_a_decoder_that_leaves_the_encoder_out_is_a_warning(caplog):
    check_decoder(decoder_of("Whispering"))
    assert caplog.text == ""
    check_decoder(decoder_of("Deaf"))
    assert "the logits of test_decoder_check:Deaf do not depend on the encoder states" in caplog.text
    assert len(caplog.records) == 1


class Cutting(TinyDecoder):
    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        return super().forward(input_ids[:, :9], encoder_hidden_states, encoder_attention_mask)


class Fading(TinyDecoder):
    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        late = torch.arange(input_ids.shape[1])[:, None] > 8
        return super().forward(input_ids, encoder_hidden_states, encoder_attention_mask).masked_fill(late, torch.nan)


class Counting(TinyDecoder):
    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask):
        return super().forward(input_ids, encoder_hidden_states, encoder_attention_mask) * input_ids.shape[1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "TinyDecoder",
            r":TinyDecoder to take 40 tokens, the longest sentence of --max-target-length, found that it takes 6 but "
            r"not 40 \(.*RuntimeError: .*size of tensor .*\); give it a position .* a smaller --max-target-length",
        ),
        ("Cutting", r"takes 6 but not 40 \(.*shape \(1, 40, 40\) from .*:Cutting, found \(1, 9, 40\)"),
        ("Fading", "numbers as logits from .*:Fading for 40 tokens, .*found 1240 NaN"),
        ("Counting", "a causal decoder, .*:Counting change with the number of tokens: those of the first 6 are others"),
    ],
)
def test_what_only_a_long_sentence_shows(name, message):
    decoder = decoder_of(name, **({} if name == "TinyDecoder" else {"max_length": 40}))
    check_decoder(decoder)
    with pytest.raises(ConfigurationError, match=message):
        check_decoder(decoder, 40)


def test_positions_for_the_longest_sentence_and_no_more_are_enough():
    for length in (4, 40):
        check_decoder(decoder_of("TinyDecoder", max_length=length), length)
        with pytest.raises(ConfigurationError, match=f"take .*{length + 1}"):
            check_decoder(decoder_of("TinyDecoder", max_length=length), length + 1)

"""Configuration of a text decoder of the user's own."""

from __future__ import annotations

from typing import Any

from transformers.configuration_utils import PretrainedConfig


class CustomDecoderConfig(PretrainedConfig):
    r"""Configuration of [`CustomDecoderForConditionalGeneration`], the `text_config` of a model with such a decoder.

    Args:
        decoder_class (`str`): `module:Class` of the decoder, a `torch.nn.Module`; Python has to find the module.
        decoder_kwargs (`dict`): Arguments of its constructor besides, or in place of, those below.
        vocab_size (`int`): V, the size of the tokenizer.
        d_model (`int`): D, the width of the encoder states that it gets.
        num_layers (`int`): Layers.
        num_heads (`int`): Attention heads.
        dropout (`float`): Dropout probability.
        pad_token_id (`int`): Token that fills up shorter sentences.
        eos_token_id (`int`): Token that ends a sentence.
        decoder_start_token_id (`int`, *optional*): Token that a sentence starts from; the pad token by default.

    Example:
        >>> from hf_slt.models.custom_decoder.configuration_custom_decoder import CustomDecoderConfig
        >>> CustomDecoderConfig(decoder_class="my_decoder:MyDecoder", d_model=64).hidden_size
        64
    """

    model_type = "custom_decoder"
    attribute_map = {"hidden_size": "d_model", "num_hidden_layers": "num_layers", "num_attention_heads": "num_heads"}

    def __init__(
        self,
        decoder_class: str = "",
        decoder_kwargs: dict[str, Any] | None = None,
        vocab_size: int = 4000,
        d_model: int = 256,
        num_layers: int = 3,
        num_heads: int = 4,
        dropout: float = 0.1,
        pad_token_id: int = 0,
        eos_token_id: int = 1,
        decoder_start_token_id: int | None = None,
        **kwargs: Any,
    ):
        from hf_slt.models.auto import register_models

        register_models()  # a model can be built from this configuration without having read one from a file
        self.decoder_class = decoder_class
        self.decoder_kwargs = dict(decoder_kwargs or {})
        self.vocab_size = vocab_size
        self.d_model = d_model
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.dropout = dropout
        kwargs["is_encoder_decoder"] = True
        kwargs["tie_word_embeddings"] = (
            True  # what is tied is for the class to say; transformers asks here whether to look
        )
        super().__init__(
            pad_token_id=pad_token_id,
            eos_token_id=eos_token_id,
            decoder_start_token_id=pad_token_id if decoder_start_token_id is None else decoder_start_token_id,
            **kwargs,
        )
        self.use_cache = False  # there is no key-value cache; `generate` reads this

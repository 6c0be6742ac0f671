"""Build the text decoder of a translation run from its arguments: pretrained, from a configuration, or a class."""

from __future__ import annotations

import json
from typing import Any

from transformers import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING, AutoConfig, AutoModelForSeq2SeqLM

from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.models.custom_decoder.configuration_custom_decoder import CustomDecoderConfig
from hf_slt.models.custom_decoder.decoder_class import CONSTRUCTOR_NAMES, load_decoder_class
from hf_slt.models.loading import load_pretrained
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig, check_divisible, small_t5_config
from hf_slt.training.arguments import ModelArguments

DECODER_FLAGS = {
    "--decoder-model": "decoder_model",
    "--decoder-config": "decoder_config",
    "--decoder-class": "decoder_class",
}


def check_decoder_arguments(args: ModelArguments) -> None:
    """Check the flags of the decoder, before anything is read or trained; imports `--decoder-class`.

    Raises:
        ConfigurationError: Flags that exclude each other, arguments that are no JSON object, or no such class.
    """
    given = [flag for flag, name in DECODER_FLAGS.items() if getattr(args, name)]
    if len(given) > 1:
        raise ConfigurationError(
            f"expected one of {', '.join(DECODER_FLAGS)}, found {' and '.join(given)}; leave all but one out"
        )
    if args.decoder_kwargs and not args.decoder_class:
        raise ConfigurationError(
            "expected --decoder-class with --decoder-kwargs, found none; leave --decoder-kwargs out"
        )
    parse_decoder_kwargs(args.decoder_kwargs)
    if args.decoder_class:
        load_decoder_class(args.decoder_class)


def parse_decoder_kwargs(value: str | dict[str, Any] | None) -> dict[str, Any]:
    """Parse `--decoder-kwargs`; a `--config` file may hold the object itself.

    Raises:
        ConfigurationError: It is no JSON object.
    """
    if isinstance(value, dict):
        return value
    try:
        parsed = json.loads(value) if value else {}
    except ValueError as error:
        raise ConfigurationError(
            f"expected a JSON object in --decoder-kwargs, e.g. '{{\"max_length\": 64}}', found '{value}': {error}"
        ) from error
    if not isinstance(parsed, dict):
        raise ConfigurationError(
            f"expected a JSON object in --decoder-kwargs, found the {type(parsed).__name__} {value}"
        )
    return parsed


def load_decoder(args: ModelArguments) -> Any | None:
    """Load the language model of `--decoder-model`, if there is one.

    Raises:
        ConfigurationError: It does not load.
    """
    if not args.decoder_model:
        return None
    return load_pretrained(AutoModelForSeq2SeqLM, args.decoder_model, "a seq2seq language model in --decoder-model")


def decoder_config(args: ModelArguments, decoder: Any | None, tokenizer: Any) -> Any:
    """Return the configuration of the decoder: the loaded one's, a file's, a class's, or that of a small T5.

    Args:
        args: The flags.
        decoder: What [`load_decoder`] returned.
        tokenizer: The tokenizer, whose size and special tokens an untrained decoder gets.

    Raises:
        DimensionMismatchError: Tokenizer and decoder, or width and heads, do not fit.
        ConfigurationError: A configuration that does not load, or is not that of a seq2seq language model with one
            vocabulary.
    """
    if decoder is not None:
        return _checked(decoder.config, tokenizer)
    if args.decoder_config:
        config = load_pretrained(AutoConfig, args.decoder_config, "a configuration in --decoder-config")
        _check_seq2seq(config, "--decoder-config")
        config.vocab_size = len(tokenizer)
        for name, value in special_ids(tokenizer).items():
            setattr(config, name, value)
        return config
    if args.decoder_class:
        return _class_config(args, tokenizer)
    check_divisible(args.d_model, args.decoder_heads, "--d-model", "--decoder-heads")
    return small_t5_config(
        len(tokenizer),
        args.d_model,
        args.decoder_layers,
        args.decoder_heads,
        args.decoder_dropout,
        **special_ids(tokenizer),
    )


def special_ids(tokenizer: Any) -> dict[str, int]:
    """Return the pad, end and start tokens of an untrained decoder.

    Raises:
        ConfigurationError: The tokenizer has no pad or no end token.
    """
    pad, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
    if pad is None or eos is None:
        raise ConfigurationError(f"expected a tokenizer with a pad and an eos token, found pad {pad} and eos {eos}")
    return {"pad_token_id": pad, "eos_token_id": eos, "decoder_start_token_id": pad}


def _class_config(args: ModelArguments, tokenizer: Any) -> CustomDecoderConfig:
    own = parse_decoder_kwargs(args.decoder_kwargs)
    if own.get("vocab_size", len(tokenizer)) != len(tokenizer):
        raise DimensionMismatchError(
            f"expected a decoder with the tokenizer's vocabulary of {len(tokenizer)} tokens, found vocab_size "
            f"{own['vocab_size']} in --decoder-kwargs; leave it out"
        )
    # A decoder of another width than the encoder is for --bridge, as everywhere.
    width = next((own[name] for name in CONSTRUCTOR_NAMES["d_model"] if name in own), args.d_model)
    return CustomDecoderConfig(
        decoder_class=args.decoder_class,
        decoder_kwargs=own,
        vocab_size=len(tokenizer),
        d_model=width,
        num_layers=args.decoder_layers,
        num_heads=args.decoder_heads,
        dropout=args.decoder_dropout,
        **special_ids(tokenizer),
    )


def _checked(config: Any, tokenizer: Any) -> Any:
    _check_seq2seq(config, "--decoder-model")
    if len(tokenizer) > config.vocab_size:
        raise DimensionMismatchError(
            f"expected a tokenizer within the decoder's vocabulary, found {len(tokenizer)} tokens and a vocabulary of "
            f"{config.vocab_size}; use the decoder's own tokenizer (leave --tokenizer out)"
        )
    return config


def _check_seq2seq(config: Any, flag: str) -> None:
    reason = _why_not_seq2seq(config)
    if isinstance(config, CustomDecoderConfig) and flag == "--decoder-config":
        reason = f"a class of one's own; name it by --decoder-class {config.decoder_class}"
    if reason:
        raise ConfigurationError(
            f"expected a seq2seq language model, found '{config.model_type}', {reason} ({flag} takes e.g. t5 or bart)"
        )


def _why_not_seq2seq(config: Any) -> str | None:
    if isinstance(config, MultiStreamConfig):
        return "a whole translation model; start from one by --init-checkpoint"
    if not getattr(config, "is_encoder_decoder", False):
        return "which has no encoder"
    if type(config) not in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING:
        return "which AutoModelForSeq2SeqLM does not know"
    # Models of several parts or two vocabularies have sizes of other names, which the tokenizer cannot set.
    missing = [name for name in ("vocab_size", "hidden_size") if not hasattr(config, name)]
    return f"whose configuration has no {' and no '.join(missing)}" if missing else None

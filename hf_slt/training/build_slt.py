"""Build the parts of a translation run from its arguments: tokenizer, feature extractor, model, data sets, collator."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer

from hf_slt.data.tokenization import check_round_trip, train_unigram_tokenizer, train_word_tokenizer
from hf_slt.errors import ConfigurationError, DimensionMismatchError, TokenizerRoundTripError
from hf_slt.models.loading import load_pretrained
from hf_slt.models.multistream.configuration_multistream import (
    MultiStreamConfig,
    check_divisible,
    small_resnet_config,
    small_t5_config,
    small_vit_config,
)
from hf_slt.models.multistream.feature_extraction_multistream import MultiStreamFeatureExtractor
from hf_slt.models.multistream.modeling_multistream import MultiStreamForConditionalGeneration, drop_text_encoder
from hf_slt.models.multistream.processing_multistream import MultiStreamProcessor
from hf_slt.streams import IMAGE_STREAMS
from hf_slt.training.arguments import ModelArguments

logger = logging.getLogger(__name__)


def build_tokenizer(args: ModelArguments, sentences: Sequence[str]) -> Any:
    """Load or train the tokenizer and check that it holds the training sentences.

    Raises:
        TokenizerRoundTripError: It does not.
        ConfigurationError: Unknown kind of tokenizer, or a name that does not load.
    """
    name = args.tokenizer or args.decoder_model
    if name:
        flag = "--tokenizer" if args.tokenizer else "--decoder-model"
        tokenizer = load_pretrained(AutoTokenizer, name, f"a tokenizer in {flag}")
    elif args.tokenizer_type == "word":
        tokenizer = train_word_tokenizer(sentences)
    elif args.tokenizer_type == "unigram":
        tokenizer = train_unigram_tokenizer(sentences, vocab_size=args.vocab_size)
    else:
        raise ConfigurationError(f"expected --tokenizer-type unigram or word, found '{args.tokenizer_type}'")
    check_round_trip(tokenizer, sentences)
    lengths = [len(ids) for ids in tokenizer(list(sentences))["input_ids"]]
    cut = sum(length > args.max_target_length for length in lengths)
    if cut:
        logger.warning(
            f"{cut} of {len(lengths)} training sentences are cut to {args.max_target_length} tokens; the longest has "
            f"{max(lengths)} (--max-target-length)"
        )
    return tokenizer


def warn_of_unknown_characters(tokenizer: Any, sentences: dict[str, Sequence[str]]) -> None:
    """Log the splits (name -> sentences) that hold text which the tokenizer cannot write.

    That is no error outside of training: the scores, against the raw sentences, show what it costs.
    """
    for split, texts in sentences.items():
        try:
            check_round_trip(tokenizer, texts, where=f"{split} text")
        except TokenizerRoundTripError as error:
            shown = "; ".join(problem.found for problem in error.problems[:3])
            logger.warning(f"the {split} split holds text that the model cannot write: {shown}")


def build_processor(
    args: ModelArguments, streams: Sequence[str], num_landmarks: int | None, image_size: int, tokenizer: Any
) -> MultiStreamProcessor:
    """Build the processor that is saved with the model."""
    extractor = MultiStreamFeatureExtractor(
        streams=streams,
        image_size=image_size,
        sequence_length=args.sequence_length,
        num_pose_landmarks=num_landmarks or 0,
        pose_layout=args.pose_layout,
    )
    if "pose" in streams:
        extractor.pose_layout = extractor.layout().name
    return MultiStreamProcessor(extractor, tokenizer)


def build_model(
    args: ModelArguments, streams: Sequence[str], num_landmarks: int | None, tokenizer: Any
) -> MultiStreamForConditionalGeneration:
    """Build the model; pretrained parts are loaded, the rest starts from random weights.

    Raises:
        DimensionMismatchError: Parts that do not fit.
        ConfigurationError: A part that does not load, or flags that exclude each other.
    """
    decoder = (
        load_pretrained(AutoModelForSeq2SeqLM, args.decoder_model, "a seq2seq language model in --decoder-model")
        if args.decoder_model
        else None
    )
    backbone = load_backbone(args.backbone) if args.backbone else None
    has_images = any(stream in IMAGE_STREAMS for stream in streams)
    config = MultiStreamConfig(
        streams=streams,
        backbone_config=_backbone_config(args, backbone) if has_images else None,
        image_size=image_size_of(args, backbone),
        share_hand_backbone=args.share_hand_backbone,
        freeze_backbone=args.freeze_backbone,
        num_pose_landmarks=num_landmarks or 0,
        pose_hidden_size=args.pose_hidden_size,
        projector_dim=args.projector_dim,
        d_model=args.d_model,
        temporal_layers=args.temporal_layers,
        temporal_heads=args.temporal_heads,
        temporal_dim_feedforward=args.temporal_dim_feedforward,
        temporal_dropout=args.temporal_dropout,
        temporal_kernel_size=args.temporal_kernel_size,
        temporal_stride=args.temporal_stride,
        ctc_weight=args.ctc_weight,
        ctc_decoding_weight=args.ctc_decoding_weight,
        bridge=args.bridge,
        text_config=_text_config(args, decoder, tokenizer),
    )
    model = MultiStreamForConditionalGeneration(config)
    if decoder is not None:
        drop_text_encoder(decoder)
        model.text_model = decoder
    if backbone is not None and has_images:
        for stream in model.encoder.backbones.values():
            if hasattr(stream, "backbone"):
                stream.backbone.load_state_dict(backbone.state_dict(), strict=False)
    model.generation_config.max_length = args.max_target_length + 1  # the start token counts
    return model


def load_backbone(name: str) -> Any:
    """Load a vision model.

    Raises:
        ConfigurationError: It does not load, or does not turn images into features of one known width.
    """
    backbone = load_pretrained(AutoModel, name, "a vision model in --backbone")
    has_width = any(hasattr(backbone.config, key) for key in ("hidden_size", "hidden_sizes"))
    if backbone.main_input_name != "pixel_values" or not has_width:
        raise ConfigurationError(
            f"expected a vision model in --backbone, found '{name}' of type '{backbone.config.model_type}', which does "
            f"not turn images alone into features; save its vision part, e.g. CLIPVisionModel"
        )
    return backbone


def image_size_of(args: ModelArguments, backbone: Any | None = None) -> int:
    """Return the side of the crops: the flag's, the backbone's, or 224.

    Raises:
        DimensionMismatchError: The backbone takes images of one other size only, or would cut pixels off at the edge.
    """
    native = getattr(backbone.config, "image_size", None) if backbone is not None else None
    if args.image_size and native and native != args.image_size and not backbone.config.model_type.startswith("dinov2"):
        raise DimensionMismatchError(
            f"expected images of the backbone's size, found --image-size {args.image_size} and a backbone for "
            f"{native}; leave --image-size out"
        )
    patch_size = getattr(backbone.config, "patch_size", None) if backbone is not None else None
    if args.image_size not in (None, native) and isinstance(patch_size, int) and args.image_size % patch_size:
        raise DimensionMismatchError(
            f"expected an image size that is a multiple of the backbone's patches, found --image-size "
            f"{args.image_size} and patches of {patch_size} pixels"
        )
    return args.image_size or native or 224


def _backbone_config(args: ModelArguments, backbone: Any | None) -> Any:
    if backbone is not None:
        return backbone.config
    if args.backbone_type == "resnet":
        return small_resnet_config(args.backbone_hidden_size, args.backbone_layers)
    if args.backbone_type != "vit":
        raise ConfigurationError(f"expected --backbone-type vit or resnet, found '{args.backbone_type}'")
    return small_vit_config(image_size_of(args), args.backbone_hidden_size, args.backbone_layers)


def _text_config(args: ModelArguments, decoder: Any | None, tokenizer: Any) -> Any:
    if args.decoder_model and args.decoder_config:
        raise ConfigurationError("expected one of --decoder-model and --decoder-config, found both; leave one out")
    if decoder is None and not args.decoder_config:
        check_divisible(args.d_model, args.decoder_heads, "--d-model", "--decoder-heads")
        return small_t5_config(
            len(tokenizer),
            args.d_model,
            args.decoder_layers,
            args.decoder_heads,
            args.decoder_dropout,
            **_ids(tokenizer),
        )
    config = (
        decoder.config
        if decoder is not None
        else load_pretrained(AutoConfig, args.decoder_config, "a configuration in --decoder-config")
    )
    if not config.is_encoder_decoder:
        raise ConfigurationError(
            f"expected a seq2seq language model, found '{config.model_type}', which has no encoder"
        )
    if decoder is None:
        config.vocab_size = len(tokenizer)
        for name, value in _ids(tokenizer).items():
            setattr(config, name, value)
    elif len(tokenizer) > config.vocab_size:
        raise DimensionMismatchError(
            f"expected a tokenizer within the decoder's vocabulary, found {len(tokenizer)} tokens and a vocabulary of "
            f"{config.vocab_size}; use the decoder's own tokenizer (leave --tokenizer out)"
        )
    return config


def _ids(tokenizer: Any) -> dict[str, int]:
    pad, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
    if pad is None or eos is None:
        raise ConfigurationError(f"expected a tokenizer with a pad and an eos token, found pad {pad} and eos {eos}")
    return {"pad_token_id": pad, "eos_token_id": eos, "decoder_start_token_id": pad}


def text_encoder(tokenizer: Any, max_length: int):
    """Return a function from sentences to token ids, cut to `max_length` tokens."""

    def encode(sentences: list[str]) -> list[list[int]]:
        return tokenizer(sentences, truncation=True, max_length=max_length)["input_ids"]

    return encode


def resolve_output_dir(path: str | None) -> Path:
    """Return the folder of a run.

    Raises:
        ConfigurationError: No folder was given, it is a file, or it cannot be written to.
    """
    if not path:
        raise ConfigurationError("expected --output_dir FOLDER for the run, found none")
    if Path(path).exists() and not Path(path).is_dir():
        raise ConfigurationError(f"expected a folder in --output_dir, found the file {path}")
    existing = next(folder for folder in (Path(path).absolute(), *Path(path).absolute().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        found = "is read-only" if existing.is_dir() else "is a file"
        raise ConfigurationError(f"expected to write to --output_dir {path}, but {existing} {found}")
    return Path(path)

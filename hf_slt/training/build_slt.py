"""Build the parts of a translation run from its arguments: tokenizer, feature extractor, model, data sets, collator."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from hf_slt.data.tokenization import check_round_trip, train_unigram_tokenizer, train_word_tokenizer
from hf_slt.errors import ConfigurationError, TokenizerRoundTripError
from hf_slt.models.custom_decoder.decoder_check import check_decoder
from hf_slt.models.loading import load_pretrained
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.feature_extraction_multistream import MultiStreamFeatureExtractor
from hf_slt.models.multistream.modeling_multistream import MultiStreamForConditionalGeneration, drop_text_encoder
from hf_slt.models.multistream.processing_multistream import MultiStreamProcessor
from hf_slt.signing_space import SIGNING_SPACE
from hf_slt.streams import IMAGE_STREAMS, STREAMS
from hf_slt.training.arguments import ModelArguments
from hf_slt.training.build_backbones import backbone_configs, load_backbone_weights, load_backbones
from hf_slt.training.build_decoder import check_decoder_arguments, decoder_config, load_decoder

logger = logging.getLogger(__name__)

_CHOICES_OF_TRAINING = ("freeze_backbone", "temporal_dropout")
# A field of the configuration -> the flags that put another backbone in its place.
_FLAGS_OF_BACKBONES = {
    "backbone_config": ("backbone", "backbone_type", "backbone_hidden_size", "backbone_layers"),
    "face_backbone_config": ("face_backbone",),
    "hand_backbone_config": ("hand_backbone",),
}


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
    args: ModelArguments,
    streams: Sequence[str],
    num_landmarks: int | None,
    image_size: int,
    tokenizer: Any,
    extractor: str | None = None,
) -> MultiStreamProcessor:
    """Build the processor that is saved with the model.

    Args:
        args: The flags.
        streams: Streams of the run.
        num_landmarks: Landmarks of the poses, if there are any.
        image_size: Side of the crops that the model takes.
        tokenizer: The tokenizer.
        extractor: What the training clips were extracted by, see [`training_extractor`].
    """
    feature_extractor = MultiStreamFeatureExtractor(
        streams=streams,
        image_size=image_size,
        sequence_length=args.sequence_length,
        num_pose_landmarks=num_landmarks or 0,
        pose_layout=args.pose_layout,
        extractor=extractor,
    )
    if "pose" in streams:
        feature_extractor.pose_layout = feature_extractor.layout().name
        feature_extractor.pose_norm = SIGNING_SPACE
    return MultiStreamProcessor(feature_extractor, tokenizer)


def take_architecture(
    args: ModelArguments, encoder: dict[str, Any], given: Collection[str]
) -> tuple[ModelArguments, dict[str, Any]]:
    """Give the encoder the form that the weights of a checkpoint need; flags that were given win.

    Args:
        args: The flags.
        encoder: Fields of [`MultiStreamConfig`], see [`encoder_architecture`].
        given: Names of the flags that were given; those without a value say nothing.

    Returns:
        The flags with the checkpoint's sizes in the place of defaults, and the fields that no flag sets.

    Raises:
        ConfigurationError: Clips may be longer than the positions that the checkpoint has learned.
    """
    chosen = {item.name for item in fields(args) if item.name in given and getattr(args, item.name) is not None}
    kind = "resnet" if getattr(encoder.get("backbone_config"), "model_type", None) == "resnet" else "vit"
    if args.backbone_type == kind:  # asks for what the checkpoint has
        chosen.discard("backbone_type")
    left = {"streams", "num_pose_landmarks", *_CHOICES_OF_TRAINING, *chosen}  # the data say the first two
    left |= {config for config, flags in _FLAGS_OF_BACKBONES.items() if set(flags) & chosen}
    used = {_config_of(encoder, stream, left) for stream in encoder.get("streams", STREAMS) if stream in IMAGE_STREAMS}
    if used <= left:  # no backbone of the checkpoint is left, whose images would have to be of its size
        left |= {"image_size"}
    taken = {name: value for name, value in encoder.items() if name not in left}
    sizes = {item.name: taken[item.name] for item in fields(args) if item.name in taken}
    changed = {name: value for name, value in sizes.items() if value != getattr(args, name)}
    if changed:
        shown = ", ".join(f"{name} {value}" for name, value in changed.items())
        logger.info(f"the encoder takes its sizes from the checkpoint: {shown}")
    if not left & _FLAGS_OF_BACKBONES.keys():
        sizes.pop("image_size", None)  # no backbone is made from flags, so theirs need not take such images
    if taken.get("backbone_config") is not None:
        sizes["backbone_type"] = kind
    args = replace(args, **sizes)
    _check_positions(args, encoder)
    return args, {name: value for name, value in taken.items() if name not in sizes}


def _config_of(encoder: dict[str, Any], stream: str, left: Collection[str]) -> str:
    """Return the field of the backbone of an image stream: its own one, or that of all streams."""
    own = "face_backbone_config" if stream == "face" else "hand_backbone_config"
    return own if encoder.get(own) is not None or own in left else "backbone_config"


def _check_positions(args: ModelArguments, encoder: dict[str, Any]) -> None:
    limit = encoder.get("max_frames")
    if encoder.get("position_embedding_type") == "learned" and -(-args.sequence_length // args.temporal_stride) > limit:
        raise ConfigurationError(
            f"expected --sequence-length of at most {limit * args.temporal_stride}, the frames that the checkpoint has "
            f"learned positions for, found {args.sequence_length}; give --sequence-length "
            f"{limit * args.temporal_stride}"
        )


def take_tokenizer(args: ModelArguments, checkpoint: str | None) -> ModelArguments:
    """Take the tokenizer of a checkpoint whose weights a run starts from or goes on with: its tokens are theirs.

    Args:
        args: The flags; a tokenizer, or a decoder with its own, that they name wins.
        checkpoint: Folder of a run, `checkpoint-N`, or another source of weights; None leaves the flags as they are.
    """
    if not checkpoint or args.tokenizer or args.decoder_model:
        return args
    if not (Path(checkpoint) / "tokenizer_config.json").is_file():
        return args
    logger.info(f"the tokenizer is that of {checkpoint}")
    return replace(args, tokenizer=checkpoint)


def build_model(
    args: ModelArguments,
    streams: Sequence[str],
    num_landmarks: int | None,
    tokenizer: Any,
    encoder: dict[str, Any] | None = None,
) -> MultiStreamForConditionalGeneration:
    """Build the model; pretrained parts are loaded, the rest starts from random weights.

    Args:
        args: The flags.
        streams: Streams of the run.
        num_landmarks: Landmarks of the poses, if there are any.
        tokenizer: The tokenizer.
        encoder: Fields of the encoder's configuration that go before those of the flags, see [`take_architecture`].

    Raises:
        DimensionMismatchError: Parts that do not fit.
        ConfigurationError: A part that does not load, or flags that exclude each other.
    """
    check_decoder_arguments(args)
    decoder = load_decoder(args)
    backbones = load_backbones(args, streams)
    config = MultiStreamConfig(
        streams=streams,
        **{**backbone_configs(args, backbones, streams), **(encoder or {})},
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
        text_config=decoder_config(args, decoder, tokenizer),
    )
    model = MultiStreamForConditionalGeneration(config)
    if decoder is not None:
        drop_text_encoder(decoder)
        model.text_model = decoder
    elif args.decoder_class:
        check_decoder(model.text_model, args.max_target_length)
    load_backbone_weights(args, model.encoder, backbones)
    model.generation_config.max_length = args.max_target_length + 1  # the start token counts
    return model


def text_encoder(tokenizer: Any, max_length: int):
    """Return a function from sentences to token ids, cut to `max_length` tokens."""
    backend = getattr(tokenizer, "backend_tokenizer", None)

    def encode(sentences: list[str]) -> list[list[int]]:
        """Return the token ids of sentences, the end token included."""
        ids = tokenizer(sentences, truncation=True, max_length=max_length)["input_ids"]
        # A fast tokenizer is saved with the length that it last cut to, and would cut whatever other programs give it.
        if backend is not None:
            backend.no_truncation()
        return ids

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

"""Factories of tiny models: configurations, models, batches and processors that run in milliseconds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from factories import CLIPS
from transformers import BartConfig, MBartConfig, PretrainedConfig, ResNetConfig, T5Config, ViTConfig

from hf_slt.data.tokenization import train_unigram_tokenizer
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.feature_extraction_multistream import MultiStreamFeatureExtractor
from hf_slt.models.multistream.modeling_multistream import MultiStreamForConditionalGeneration
from hf_slt.models.multistream.processing_multistream import MultiStreamProcessor
from hf_slt.streams import IMAGE_STREAMS, STREAMS

IMAGE_SIZE, LANDMARKS, WIDTH, VOCABULARY = 16, 5, 16, 40
PAD, EOS = 0, 1
DECODERS = ("t5", "t5_untied", "bart", "mbart")


def tiny_vit(hidden_size: int = WIDTH) -> ViTConfig:
    """Return a ViT of one layer for crops of 16 pixels, without dropout."""
    return ViTConfig(
        image_size=IMAGE_SIZE,
        patch_size=8,
        hidden_size=hidden_size,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=2 * hidden_size,
    )


def tiny_resnet() -> ResNetConfig:
    """Return a ResNet of two stages, which has batch statistics."""
    return ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")


def tiny_text_config(kind: str = "t5", d_model: int = WIDTH, vocab_size: int = VOCABULARY) -> PretrainedConfig:
    """Return the configuration of a text decoder, one of `DECODERS`, without dropout."""
    ids = {"pad_token_id": PAD, "eos_token_id": EOS, "decoder_start_token_id": PAD}
    if kind.startswith("t5"):
        return T5Config(
            vocab_size=vocab_size,
            d_model=d_model,
            d_kv=8,
            d_ff=32,
            num_layers=1,
            num_decoder_layers=2,
            num_heads=2,
            dropout_rate=0.0,
            tie_word_embeddings=kind == "t5",
            **ids,
        )
    config_class = {"bart": BartConfig, "mbart": MBartConfig}[kind]
    return config_class(
        vocab_size=vocab_size,
        d_model=d_model,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=64,
        dropout=0.0,
        bos_token_id=EOS,
        forced_eos_token_id=None,
        **ids,
    )


def tiny_config(streams: Sequence[str] = STREAMS, **overrides: Any) -> MultiStreamConfig:
    """Return the configuration of a tiny model without dropout."""
    values = {
        "backbone_config": tiny_vit() if set(streams) & set(IMAGE_STREAMS) else None,
        "image_size": IMAGE_SIZE,
        "num_pose_landmarks": LANDMARKS,
        "pose_hidden_size": 16,
        "projector_dim": 8,
        "d_model": WIDTH,
        "temporal_layers": 2,
        "temporal_heads": 2,
        "temporal_dim_feedforward": 32,
        "temporal_dropout": 0.0,
        "temporal_kernel_size": 3,
        "text_config": tiny_text_config(),
    }
    return MultiStreamConfig(streams=streams, **{**values, **overrides})


def tiny_model(
    streams: Sequence[str] = STREAMS, seed: int = 0, gain: float = 1.0, **overrides: Any
) -> MultiStreamForConditionalGeneration:
    """Return a tiny model in evaluation mode.

    Args:
        streams: Streams that it reads.
        seed: Seed of its weights.
        gain: Factor on the decoder's cross-attention: an untrained decoder hardly listens to its encoder.
        overrides: Other values of the configuration.
    """
    torch.manual_seed(seed)
    model = MultiStreamForConditionalGeneration(tiny_config(streams, **overrides)).eval()
    with torch.no_grad():
        for name, parameter in model.text_model.named_parameters():
            if "EncDecAttention.v" in name or "EncDecAttention.o" in name:
                parameter.mul_(gain)
    return model


def tiny_batch(
    streams: Collection[str] = STREAMS,
    lengths: Sequence[int] = (6, 4),
    seed: int = 0,
    missing: bool = False,
    target_lengths: Sequence[int] | None = None,
) -> dict[str, torch.Tensor]:
    """Return a padded batch of random clips with labels.

    Args:
        streams: Streams in the batch.
        lengths: Frames of each clip; padding is zero, as the feature extractor leaves it.
        seed: Seed of the values.
        missing: Every stream misses one frame of the first clip, each stream another one.
        target_lengths: Labels of each clip, by default 5, 4, 3, ...
    """
    generator = torch.Generator().manual_seed(seed)
    frames = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()  # (B, T)
    batch = {"attention_mask": frames}
    for number, stream in enumerate(STREAMS):
        pixels = torch.randn(*frames.shape, 3, IMAGE_SIZE, IMAGE_SIZE, generator=generator)
        points = torch.rand(*frames.shape, LANDMARKS, 3, generator=generator)
        seen = frames.clone()
        if missing:
            seen[0, number] = 0
        if stream == "pose" and stream in streams:
            batch["pose_mask"] = seen[..., None].repeat(1, 1, LANDMARKS)
            batch["pose_values"] = (points * batch["pose_mask"][..., None]).flatten(2)
        elif stream in streams:
            batch[f"{stream}_mask"] = seen
            batch[f"{stream}_pixel_values"] = pixels * seen[..., None, None, None]
    targets = target_lengths or [max(2, 5 - i) for i in range(len(lengths))]
    labels = torch.randint(2, VOCABULARY, (len(lengths), max(targets)), generator=generator)
    return {**batch, "labels": labels.masked_fill(torch.arange(max(targets)) >= torch.tensor(targets)[:, None], -100)}


def inputs_of(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a batch without its labels."""
    return {name: value for name, value in batch.items() if name != "labels"}


def clip_of(batch: dict[str, torch.Tensor], index: int) -> dict[str, torch.Tensor]:
    """Return one clip of a batch without its padding, as a batch of one."""
    length = int(batch["attention_mask"][index].sum())
    clip = {name: value[index : index + 1, :length] for name, value in inputs_of(batch).items()}
    labels = batch["labels"][index : index + 1]
    return {**clip, "labels": labels[:, : int((labels != -100).sum())]}


def tiny_extractor(streams: Sequence[str] = STREAMS, num_landmarks: int = 33, **overrides: Any):
    """Return a feature extractor for crops of 16 pixels and clips of up to 8 frames."""
    values = {"image_size": IMAGE_SIZE, "sequence_length": 8, "num_pose_landmarks": num_landmarks, **overrides}
    return MultiStreamFeatureExtractor(streams=streams, **values)


def tiny_processor(streams: Sequence[str] = STREAMS, **overrides: Any) -> MultiStreamProcessor:
    """Return a processor whose tokenizer is trained on the sentences of `factories.CLIPS`."""
    return MultiStreamProcessor(
        tiny_extractor(streams, **overrides), train_unigram_tokenizer(CLIPS.values(), vocab_size=80)
    )

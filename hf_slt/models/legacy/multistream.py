"""Checkpoints of the older multi-stream tool: the encoder's weights under `encoder_state`.

The tool's encoder is a [`MultiStreamEncoder`] with `projector_type="mlp"`, `fusion_norm`, learned positions, post-LN
layers with ReLU, no convolution and landmarks as they are. Its own ViT is transformers' with another epsilon in the
norms; other backbones have no counterpart here.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from pathlib import Path
from typing import Any

import torch
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from hf_slt.compat import stored_weights
from hf_slt.models.legacy.conversion import Conversion, load_all
from hf_slt.models.legacy.files import plain_values, read_torch_file, tensors_in
from hf_slt.models.legacy.renaming import Renamed, count_of, rename, size_of
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig, small_vit_config
from hf_slt.models.multistream.modeling_multistream import MultiStreamEncoder
from hf_slt.streams import STREAMS

WEIGHTS, VALUES = "encoder_state", ("epoch", "best_val", "best_metric", "global_step")
DEFAULT_HEADS = 8
ARCHITECTURE = "MultiStreamEncoder"

_BACKBONES = {"face": "face_backbone", "left_hand": "hand_backbone_left", "right_hand": "hand_backbone_right"}
_PROJECTORS = dict(
    zip(STREAMS, ("face_projector", "hand_left_projector", "hand_right_projector", "pose_projector"), strict=True)
)
# A projector with dropout has one more module before its last layer.
_PROJECTOR_PARTS = (("layers.0", "norm"), ("layers.1", "hidden"), ("layers.3", "output"), ("layers.4", "output"))
_VIT_NAMES = (
    ("cls_token", "embeddings.cls_token"),
    ("pos_embed", "embeddings.position_embeddings"),
    ("patch_embed.proj.*", "embeddings.patch_embeddings.projection.*"),
    ("blocks.#.norm1.*", "encoder.layer.#.layernorm_before.*"),
    ("blocks.#.attn.in_proj_query.*", "encoder.layer.#.attention.attention.query.*"),
    ("blocks.#.attn.in_proj_key.*", "encoder.layer.#.attention.attention.key.*"),
    ("blocks.#.attn.in_proj_value.*", "encoder.layer.#.attention.attention.value.*"),
    ("blocks.#.attn.out_proj.*", "encoder.layer.#.attention.output.dense.*"),
    ("blocks.#.norm2.*", "encoder.layer.#.layernorm_after.*"),
    ("blocks.#.mlp.0.*", "encoder.layer.#.intermediate.dense.*"),
    ("blocks.#.mlp.3.*", "encoder.layer.#.output.dense.*"),
    ("norm.*", "layernorm.*"),
)
ENCODER_NAMES = (
    *(
        (f"{old}.{part}.*", f"projectors.{s}.{new}.*")
        for s, old in _PROJECTORS.items()
        for part, new in _PROJECTOR_PARTS
    ),
    ("fusion.norm.*", "fusion_norm.*"),
    ("fusion.proj.*", "fusion.*"),
    ("positional.embedding.weight", "positions.weight"),
    ("temporal.encoder.layers.#.self_attn.in_proj_weight", "layers.#.query_key_value.weight"),
    ("temporal.encoder.layers.#.self_attn.in_proj_bias", "layers.#.query_key_value.bias"),
    ("temporal.encoder.layers.#.self_attn.out_proj.*", "layers.#.attention_output.*"),
    ("temporal.encoder.layers.#.linear1.*", "layers.#.feed_forward_in.*"),
    ("temporal.encoder.layers.#.linear2.*", "layers.#.feed_forward_out.*"),
    ("temporal.encoder.layers.#.norm1.*", "layers.#.attention_norm.*"),
    ("temporal.encoder.layers.#.norm2.*", "layers.#.feed_forward_norm.*"),
    *((f"{old}.{name}", f"backbones.{s}.backbone.{new}") for s, old in _BACKBONES.items() for name, new in _VIT_NAMES),
)
_DROPS = (
    ("mska_encoder.**", "keypoint attention has no counterpart here"),
    ("_mska_gloss_mlp.**", "keypoint attention has no counterpart here"),
)
_FOREIGN_BACKBONE = "this image backbone has no counterpart here; give its weights with --backbone"
_NOT_THE_ENCODER = "the encoder is converted, nothing else of the run"


def read_multistream_checkpoint(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any], list[str]]:
    """Read a checkpoint; returns the encoder's weights, plain values, and the keys of everything else.

    Raises:
        ConfigurationError: It is no such file.
    """
    content = read_torch_file(path)
    values = plain_values(content, VALUES)
    others = [str(key) for key in content if key != WEIGHTS and key not in values]
    return tensors_in(content, WEIGHTS, path), values, others


def has_own_vit(state: Mapping[str, torch.Tensor]) -> bool:
    """Whether the image backbones are the tool's own ViT, which is convertible."""
    return all(f"{backbone}.blocks.0.attn.in_proj_weight" in state for backbone in _BACKBONES.values())


def rename_multistream(state: Mapping[str, torch.Tensor]) -> Renamed:
    """Give the weights of an encoder the names that they have in a [`MultiStreamEncoder`].

    The tool has zeros where a hand is missing, which are learned here, and may have no bias in the fusion.
    """
    drops = list(_DROPS)
    if not has_own_vit(state):
        drops += [(f"{backbone}.**", _FOREIGN_BACKBONE) for backbone in _BACKBONES.values()]
    renamed = rename(_split_attention(state), ENCODER_NAMES, drops)
    for part in ("query", "key", "value"):
        for name in [name for name in renamed.mapped if f".in_proj_{part}." in name]:
            whole = name.replace(f"in_proj_{part}.", "in_proj_")
            ours = renamed.mapped.pop(name)
            renamed.mapped[whole] = f"{renamed.mapped[whole]}, {ours}" if whole in renamed.mapped else ours
    if not renamed.weights:
        return renamed
    width = multistream_sizes(state)
    for stream in STREAMS:
        renamed.filled[f"projectors.{stream}.missing"] = "zeros stand for a missing stream"
        renamed.weights[f"projectors.{stream}.missing"] = torch.zeros(width["projector_dim"])
    if "fusion.bias" not in renamed.weights:
        renamed.filled["fusion.bias"] = "the fusion has no bias: zeros"
        renamed.weights["fusion.bias"] = torch.zeros(width["d_model"])
    return renamed


def _split_attention(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Divide the stacked projections of a ViT's attention into query, key and value."""
    divided: dict[str, torch.Tensor] = {}
    for name, value in state.items():
        if ".blocks." in name and ".attn.in_proj_" in name and value.dim() and value.shape[0] % 3 == 0:
            before, _, kind = name.rpartition("in_proj_")
            parts = zip(("query", "key", "value"), value.chunk(3), strict=True)
            divided |= {f"{before}in_proj_{part}.{kind}": chunk for part, chunk in parts}
        else:
            divided[name] = value
    return divided


def multistream_sizes(state: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Read the sizes of an encoder from its weights, under the names that a configuration has for them."""
    layer = "temporal.encoder.layers.0"
    return {
        "num_pose_landmarks": size_of(state, [("pose_projector.layers.0.weight", 0)], 39) // 3,
        "projector_dim": size_of(state, [(f"{old}.layers.1.weight", 0) for old in _PROJECTORS.values()], 256),
        "d_model": size_of(state, [("fusion.proj.weight", 0), ("positional.embedding.weight", 1)], 512),
        "temporal_layers": count_of(state, "temporal.encoder.layers.#.**"),
        "temporal_dim_feedforward": size_of(
            state, [(f"{layer}.linear1.weight", 0), (f"{layer}.linear1.bias", 0)], 2048
        ),
        "max_frames": size_of(state, [("positional.embedding.weight", 0)], 512),
    }


def multistream_fields(state: Mapping[str, torch.Tensor], num_heads: int = DEFAULT_HEADS) -> dict[str, Any]:
    """Return the fields of the [`MultiStreamConfig`] whose encoder computes what the older one does.

    Args:
        state: Older name -> tensor.
        num_heads: Attention heads of the temporal layers, which weights cannot say.
    """
    backbone = _backbone_config(state)
    return {
        "streams": list(STREAMS),
        "backbone_config": backbone,
        "image_size": backbone.image_size,
        "share_hand_backbone": False,
        "backbone_pooling": "cls",
        "pose_encoder": "none",
        "projector_type": "mlp",
        "fusion_norm": True,
        "temporal_heads": num_heads,
        "temporal_kernel_size": 0,
        "temporal_norm": "post",
        "temporal_activation": "relu",
        "position_embedding_type": "learned",
        **multistream_sizes(state),
    }


def multistream_settings(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return those fields of an older encoder's configuration that its weights, or its design, decide."""
    fields = multistream_fields(state)
    if not has_own_vit(state):
        del fields["backbone_config"], fields["image_size"]
    return {name: value for name, value in fields.items() if name != "temporal_heads"}


def _backbone_config(state: Mapping[str, torch.Tensor]) -> Any:
    """Return the configuration of the tool's ViT, or of one with random weights that is as wide as the projectors."""
    backbone = _BACKBONES["face"]
    width = size_of(state, [("face_projector.layers.0.weight", 0)], 384)
    if not has_own_vit(state):
        return small_vit_config(224, hidden_size=width)
    patch_size = size_of(state, [(f"{backbone}.patch_embed.proj.weight", 3)], 16)
    patches = size_of(state, [(f"{backbone}.pos_embed", 1)], 197) - 1
    return CONFIG_MAPPING["vit"](
        image_size=max(1, isqrt(patches)) * patch_size,
        patch_size=patch_size,
        hidden_size=width,
        num_hidden_layers=count_of(state, f"{backbone}.blocks.#.**"),
        num_attention_heads=max(1, width // 64),  # 6 of 384, as in every ViT of this design
        intermediate_size=size_of(state, [(f"{backbone}.blocks.0.mlp.0.weight", 0)], 4 * width),
        layer_norm_eps=1e-5,
    )


def convert_multistream(path: str | Path, num_heads: int | None = None) -> Conversion:
    """Build the encoder of a checkpoint; where all streams are there, its states are those of the older tool.

    Args:
        path: The file.
        num_heads: Attention heads of the temporal layers, as they were trained; 8 by default.

    Raises:
        ConfigurationError: Everything that does not fit, all at once.
    """
    num_heads = DEFAULT_HEADS if num_heads is None else num_heads
    state, values, others = read_multistream_checkpoint(path)
    renamed = rename_multistream(state)
    fields = multistream_fields(state, num_heads)
    problems = _size_problems(state, fields, num_heads)
    if problems:
        fields |= {"temporal_heads": 1, "d_model": -(-fields["d_model"] // 4) * 4}
    model = MultiStreamEncoder(MultiStreamConfig(**fields))
    may_be_absent = () if has_own_vit(state) else ("backbones.**",)
    load_all(model, renamed, ARCHITECTURE, problems, may_be_absent)
    random = [name for name in stored_weights(model) if name not in renamed.weights]
    options = {name: value for name, value in fields.items() if name not in ("streams", "backbone_config")}
    sizes = {name: options.pop(name) for name in (*multistream_sizes(state), "image_size")}
    dropped = {**renamed.dropped, **dict.fromkeys(others, _NOT_THE_ENCODER)}
    return Conversion(
        model, ARCHITECTURE, sizes, options, renamed.mapped, dropped, values, random, filled=renamed.filled
    )


def _size_problems(state: Mapping[str, torch.Tensor], fields: Mapping[str, Any], num_heads: int) -> list[str]:
    problems = []
    width = fields["d_model"]
    if num_heads < 1 or width % num_heads:
        fitting = [heads for heads in range(1, min(width, 64) + 1) if width % heads == 0]
        problems.append(
            f"expected --num-heads to divide the width {width} of the file, found {num_heads}; as it was trained, one "
            f"of {fitting}"
        )
    numbers = size_of(state, [("pose_projector.layers.0.weight", 0)], 3)
    if numbers % 3:
        problems.append(f"expected x, y and confidence of each landmark in pose_projector, found {numbers} numbers")
    return problems

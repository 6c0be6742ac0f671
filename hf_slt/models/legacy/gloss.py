"""Checkpoints of the older gloss tool: a dictionary with the weights of a classifier under `model`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from hf_slt.errors import ConfigurationError
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.inception_gru.configuration_inception_gru import InceptionGRUConfig
from hf_slt.models.inception_gru.modeling_inception_gru import InceptionGRUForGlossClassification
from hf_slt.models.legacy.conversion import Conversion, load_all
from hf_slt.models.legacy.files import plain_values, read_torch_file, tensors_in
from hf_slt.models.legacy.renaming import Renamed, count_of, rename, size_of
from hf_slt.models.positions import sinusoidal_positions
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification

WEIGHTS, VALUES = "model", ("epoch", "best_metric")
DEFAULT_HEADS = 8
LANDMARK_NUMBERS = 156  # x, y of the 78 landmarks that the tool reads
POSITIONS = "pos_encoder.pe"

SIGN_TRANSFORMER, INCEPTION_GRU = "SignTransformer", "InceptionV3GRU"
SIGN_TRANSFORMER_NAMES = (
    ("cls_token", "cls_token"),
    ("embedding.*", "embedding.*"),
    ("input_norm.gamma", "input_norm.weight"),
    ("input_norm.beta", "input_norm.bias"),
    ("encoder_layers.#.attention.W_q.*", "layers.#.attention.q_proj.*"),
    ("encoder_layers.#.attention.W_k.*", "layers.#.attention.k_proj.*"),
    ("encoder_layers.#.attention.W_v.*", "layers.#.attention.v_proj.*"),
    ("encoder_layers.#.attention.W_o.*", "layers.#.attention.out_proj.*"),
    ("encoder_layers.#.feed_forward.linear1.*", "layers.#.feed_forward_in.*"),
    ("encoder_layers.#.feed_forward.linear2.*", "layers.#.feed_forward_out.*"),
    ("encoder_layers.#.residual1.norm.gamma", "layers.#.attention_norm.weight"),
    ("encoder_layers.#.residual1.norm.beta", "layers.#.attention_norm.bias"),
    ("encoder_layers.#.residual2.norm.gamma", "layers.#.feed_forward_norm.weight"),
    ("encoder_layers.#.residual2.norm.beta", "layers.#.feed_forward_norm.bias"),
    ("gloss_head.**", "heads.gloss.**"),
    ("category_head.**", "heads.category.**"),
)
INCEPTION_GRU_NAMES = (
    ("gru1.*", "grus.0.*"),
    ("gru2.*", "grus.1.*"),
    ("gloss_head.**", "heads.gloss.**"),
    ("category_head.**", "heads.category.**"),
    ("feat_extractor.backbone.**", "backbone.**"),
)
_BACKBONE = "feat_extractor.backbone."
_DROPPED_BACKBONE = "the backbone is for frames only; features need none (--with-backbone keeps it)"
_IMAGENET_CLASSIFIER = "InceptionV3's own classifiers of ImageNet are not used"


def read_gloss_checkpoint(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a checkpoint; returns its weights and its other values (`epoch`, `best_metric`).

    Raises:
        ConfigurationError: It is no such file.
    """
    content = read_torch_file(path)
    return tensors_in(content, WEIGHTS, path), plain_values(content, VALUES)


def gloss_architecture(state: Mapping[str, torch.Tensor]) -> str | None:
    """Tell which classifier weights belong to; None: to neither of the tool's two."""
    if any(name.startswith("encoder_layers.") for name in state):
        return SIGN_TRANSFORMER
    return INCEPTION_GRU if any(name.startswith(("gru1.", "gru2.")) for name in state) else None


def rename_gloss(
    state: Mapping[str, torch.Tensor], with_cls_token: bool = False, with_backbone: bool = False
) -> Renamed:
    """Give the weights of a classifier the names that they have here.

    Args:
        state: Older name -> tensor.
        with_cls_token: Whether a CLS token is used.
        with_backbone: Whether InceptionV3 is.

    Raises:
        ConfigurationError: The weights are of none of the tool's classifiers.
    """
    architecture = gloss_architecture(state)
    if architecture == SIGN_TRANSFORMER:
        drops = [] if with_cls_token else [("cls_token", "the states of all frames are pooled (--pooling cls uses it)")]
        if POSITIONS in state and is_sinusoidal(state[POSITIONS]):
            drops.append((POSITIONS, "sinusoidal positions are computed"))
        return rename(state, SIGN_TRANSFORMER_NAMES, drops)
    if architecture == INCEPTION_GRU:
        drops = [(f"{_BACKBONE}{part}.**", _IMAGENET_CLASSIFIER) for part in ("fc", "AuxLogits")]
        drops += [] if with_backbone else [(f"{_BACKBONE}**", _DROPPED_BACKBONE)]
        return rename(state, INCEPTION_GRU_NAMES, drops)
    raise ConfigurationError(
        f"expected the weights of a {SIGN_TRANSFORMER} (encoder_layers.*) or an {INCEPTION_GRU} (gru1.*), found "
        f"{list(state)[:10]}"
    )


def gloss_input_size(state: Mapping[str, torch.Tensor]) -> int:
    """Return the numbers a frame that a classifier of the tool reads."""
    return size_of(state, [("embedding.weight", 1), ("gru1.weight_ih_l0", 1)], LANDMARK_NUMBERS)


def is_sinusoidal(positions: torch.Tensor) -> bool:
    """Whether positions `(1, T, D)` are those that the model computes."""
    if positions.dim() != 3 or len(positions) != 1 or not positions.is_floating_point():
        return False
    expected = sinusoidal_positions(*positions.shape[1:], torch.empty(0))
    # Numbers of 16 bits are rounded by more than those of 32 bits can differ.
    return torch.allclose(positions[0].float(), expected, rtol=0, atol=max(1e-3, torch.finfo(positions.dtype).eps))


def convert_gloss(
    path: str | Path,
    pooling: str | None = None,
    num_heads: int | None = None,
    with_backbone: bool = False,
    gloss_names: Sequence[str] | None = None,
    category_names: Sequence[str] | None = None,
) -> Conversion:
    """Build the classifier of a checkpoint; its logits are those of the older tool.

    Args:
        path: The file.
        pooling: `"mean"` (default), `"max"` or `"cls"`, as the transformer was trained.
        num_heads: Attention heads of the transformer, as it was trained; 8 by default.
        with_backbone: Keep the InceptionV3 of a GRU classifier, which needs torchvision.
        gloss_names: Names of the glosses.
        category_names: Names of the categories.

    Raises:
        ConfigurationError: Everything that does not fit, all at once.
        MissingDependencyError: `with_backbone` without torchvision.
    """
    state, values = read_gloss_checkpoint(path)
    renamed = rename_gloss(state, pooling == "cls", with_backbone)
    names = {"id2label": gloss_names, "category_id2label": category_names}
    if gloss_architecture(state) == SIGN_TRANSFORMER:
        conversion = _convert_transformer(
            state, renamed, pooling or "mean", DEFAULT_HEADS if num_heads is None else num_heads, with_backbone, names
        )
    else:
        conversion = _convert_gru(state, renamed, pooling, num_heads, with_backbone, names)
    conversion.values = values
    return conversion


def _convert_transformer(
    state: Mapping[str, torch.Tensor],
    renamed: Renamed,
    pooling: str,
    num_heads: int,
    with_backbone: bool,
    names: Mapping[str, Sequence[str] | None],
) -> Conversion:
    first = "encoder_layers.0.feed_forward.linear1"
    sizes = {
        "input_size": size_of(state, [("embedding.weight", 1)], LANDMARK_NUMBERS),
        "hidden_size": size_of(state, [("embedding.weight", 0), ("input_norm.gamma", 0)], 256),
        "num_hidden_layers": count_of(state, "encoder_layers.#.**"),
        "intermediate_size": size_of(state, [(f"{first}.weight", 0), (f"{first}.bias", 0)], 1024),
        "head_hidden_size": size_of(state, [("gloss_head.0.weight", 0), ("gloss_head.0.bias", 0)], 128),
        **_class_counts(state, "gloss_head.3", "category_head.3"),
    }
    problems = _name_problems(names, sizes)
    hidden = sizes["hidden_size"]
    if num_heads < 1 or hidden % num_heads:
        fitting = [heads for heads in range(1, min(hidden, 64) + 1) if hidden % heads == 0]
        problems.append(
            f"expected --num-heads to divide the hidden size {hidden} of the file, found {num_heads}; as it was "
            f"trained, one of {fitting}"
        )
    if pooling == "cls" and "cls_token" not in state:
        problems.append("expected a cls_token in the file for --pooling cls, found none; use mean or max")
    if POSITIONS in renamed.unplaced:
        problems.append(f"expected sinusoidal positions in {POSITIONS}, found others, which the model does not have")
        renamed.unplaced.remove(POSITIONS)
    if with_backbone:
        problems.append(f"expected no --with-backbone, a {SIGN_TRANSFORMER} has none")
    options = {"pooling": pooling, "num_attention_heads": num_heads}
    # Heads that do not divide are a problem of their own, and change no shape.
    fields = {**sizes, **options, "num_attention_heads": 1 if problems else num_heads}
    config = SignTransformerConfig(**fields, **({} if problems else _names_as_fields(names)))
    model = SignTransformerForGlossClassification(config)
    load_all(model, renamed, SIGN_TRANSFORMER, problems, may_be_absent=("cls_token",))
    return Conversion(model, SIGN_TRANSFORMER, sizes, options, renamed.mapped, renamed.dropped)


def _convert_gru(
    state: Mapping[str, torch.Tensor],
    renamed: Renamed,
    pooling: str | None,
    num_heads: int | None,
    with_backbone: bool,
    names: Mapping[str, Sequence[str] | None],
) -> Conversion:
    widths = [size_of(state, [(f"gru{number}.weight_hh_l0", 1)], width) for number, width in ((1, 16), (2, 12))]
    sizes = {
        "input_size": size_of(state, [("gru1.weight_ih_l0", 1)], 2048),
        "gru_hidden_sizes": widths,
        **_class_counts(state, "gloss_head", "category_head"),
    }
    problems = _name_problems(names, sizes)
    for flag, value in (("--pooling", pooling), ("--num-heads", num_heads)):
        if value is not None:
            problems.append(
                f"expected no {flag}, the {INCEPTION_GRU} takes the state of the last frame and has no attention; "
                f"found {value}"
            )
    if with_backbone and not any(name.startswith(_BACKBONE) for name in state):
        problems.append(f"expected weights {_BACKBONE}* in the file for --with-backbone, found none")
        with_backbone = False
    options = {"pooling": "last", "with_backbone": with_backbone}
    frames = {"train_from_frames": True, "freeze_backbone": False, "use_pretrained_backbone": False}
    fields = {**sizes, **(frames if with_backbone else {}), **({} if problems else _names_as_fields(names))}
    model = InceptionGRUForGlossClassification(InceptionGRUConfig(**fields))
    # Files of torch before 0.4.1 have no counters of batches.
    load_all(model, renamed, INCEPTION_GRU, problems, may_be_absent=("**.num_batches_tracked",))
    return Conversion(model, INCEPTION_GRU, sizes, options, renamed.mapped, renamed.dropped)


def _class_counts(state: Mapping[str, torch.Tensor], gloss: str, category: str) -> dict[str, int | None]:
    """Return the number of classes of each head; a file without a category head gives a model without one."""
    counts: dict[str, int | None] = {"num_categories": None}
    counts["num_labels"] = size_of(state, [(f"{gloss}.weight", 0), (f"{gloss}.bias", 0)], 1)
    if any(name.startswith("category_head.") for name in state):
        counts["num_categories"] = size_of(state, [(f"{category}.weight", 0), (f"{category}.bias", 0)], 1)
    return counts


def _name_problems(names: Mapping[str, Sequence[str] | None], sizes: Mapping[str, Any]) -> list[str]:
    flags = {"id2label": ("--gloss-names", "num_labels"), "category_id2label": ("--cat-names", "num_categories")}
    return [
        f"expected {sizes[size] or 'no'} names in {flag}, as the file has classes, found {len(names[field])}"
        for field, (flag, size) in flags.items()
        if names[field] is not None and len(names[field]) != sizes[size]
    ]


def _names_as_fields(names: Mapping[str, Sequence[str] | None]) -> dict[str, dict[int, str]]:
    return {field: dict(enumerate(given)) for field, given in names.items() if given is not None}


def gloss_feature_extractor(input_size: int) -> GlossFeatureExtractor:
    """Build the feature extractor that gives a converted classifier what the older tool read from the files.

    Args:
        input_size: Numbers a frame; 156: raw coordinates of 78 landmarks, else features as they are.
    """
    if input_size != LANDMARK_NUMBERS:
        return GlossFeatureExtractor(input_type="features", feature_size=input_size)
    extractor = GlossFeatureExtractor(num_landmarks=LANDMARK_NUMBERS // 2, normalization="none")
    extractor.layout_name = extractor.layout().name  # a layout that is added later must not change a saved one
    return extractor

"""Sources of weights: folders of models, files of weights, and files of the older tools."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel

from hf_slt.errors import ConfigurationError
from hf_slt.models.inception_gru.configuration_inception_gru import InceptionGRUConfig
from hf_slt.models.legacy import multistream
from hf_slt.models.legacy.files import read_torch_file, require_numbers, strip_wrappers, tensors_in
from hf_slt.models.legacy.gloss import (
    SIGN_TRANSFORMER,
    gloss_architecture,
    gloss_feature_extractor,
    gloss_input_size,
    rename_gloss,
)
from hf_slt.models.legacy.renaming import Renamed
from hf_slt.models.loading import load_pretrained
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig

# Where a file may hold its state dictionary; a file that is one holds tensors only.
_KEYS = ("model", "state_dict", "model_state")
_SINGLE_FILES = ("model.safetensors", "pytorch_model.bin")
_INDEX_FILES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_EXTRACTOR_FILE = "preprocessor_config.json"
_NOT_OF_THE_ENCODER = ("self", "kwargs", "text_config", "bridge", "ctc_weight", "ctc_decoding_weight")
_ENCODER_FIELDS = [
    name for name in inspect.signature(MultiStreamConfig.__init__).parameters if name not in _NOT_OF_THE_ENCODER
]


@dataclass
class Source:
    """Weights, and what is known of the model that they are of.

    Attributes:
        weights: The weights under our names.
        settings: Fields of its configuration.
        extractor: Settings of its feature extractor.
    """

    weights: Renamed
    settings: dict[str, Any] = field(default_factory=dict)
    extractor: dict[str, Any] = field(default_factory=dict)


def read_source(model: PreTrainedModel, path: Path) -> Source:
    """Read the weights of a folder or file, under our names.

    Args:
        model: The model that they are for: it says which of an older file's weights it has no need of.
        path: See [`initialize_from`].

    Raises:
        ConfigurationError: There is nothing readable, or the weights of another family of models.
    """
    _require_existing(path)
    if path.is_dir():
        settings = _settings_beside(model, path, path)
        return Source(Renamed(weights=_read_folder(path)), **settings)
    settings = _settings_beside(model, path.parent, path) if path.name in _SINGLE_FILES else {}
    if path.suffix == ".safetensors":
        return Source(Renamed(weights=_read_shard(path)), **settings)
    content = read_torch_file(path)
    if isinstance(content.get(multistream.WEIGHTS), Mapping):
        _require_family(model, MultiStreamConfig.model_type, path)
        state = tensors_in(content, multistream.WEIGHTS, path)
        return Source(multistream.rename_multistream(state), multistream.multistream_settings(state))
    state = _own_state(content, path)
    if gloss_architecture(state) is None:
        return Source(Renamed(weights=state), **settings)
    return _older_gloss_source(model, state, path)


def _older_gloss_source(model: PreTrainedModel, state: dict[str, torch.Tensor], path: Path) -> Source:
    is_transformer = gloss_architecture(state) == SIGN_TRANSFORMER
    _require_family(model, (SignTransformerConfig if is_transformer else InceptionGRUConfig).model_type, path)
    with_cls_token = getattr(model.config, "pooling", None) == "cls"
    renamed = rename_gloss(state, with_cls_token, with_backbone=getattr(model, "backbone", None) is not None)
    settings = {"hidden_act": "relu", "layer_norm_eps": 1e-6} if is_transformer else {"pooling": "last"}
    return Source(renamed, settings, gloss_feature_extractor(gloss_input_size(state)).to_dict())


def encoder_architecture(path: str | Path) -> dict[str, Any]:
    """Return what a stream encoder has to be like for its weights to fit.

    Args:
        path: A folder or file of weights.

    Returns:
        Fields of a [`MultiStreamConfig`], those of the encoder; of an older file with the default number of heads.
        Empty if the source is no stream encoder, or does not say.

    Raises:
        ConfigurationError: There is nothing readable.
    """
    path = Path(path)
    _require_existing(path)
    if path.is_dir():
        if _family_beside(path) != MultiStreamConfig.model_type:
            return {}
        config = load_pretrained(MultiStreamConfig, str(path), "a configuration beside the weights")
        return {name: getattr(config, name) for name in _ENCODER_FIELDS}
    content = read_torch_file(path) if path.suffix != ".safetensors" else {}
    if not isinstance(content.get(multistream.WEIGHTS), Mapping):
        return {}
    return multistream.multistream_fields(tensors_in(content, multistream.WEIGHTS, path))


def _require_existing(path: Path) -> None:
    if not path.exists():
        raise ConfigurationError(f"expected a folder or file of weights in --init-checkpoint, found nothing at {path}")


def _require_family(model: PreTrainedModel, family: str, path: Path) -> None:
    if family != model.config.model_type:
        raise ConfigurationError(
            f"expected weights of a '{model.config.model_type}' model in --init-checkpoint, found those of a "
            f"'{family}' model in {path}; choose weights of the same family of models"
        )


def _family_beside(folder: Path) -> str | None:
    """Return the `model_type` of the configuration in a folder; None without one."""
    return _read_object(folder / "config.json").get("model_type")


def _settings_beside(model: PreTrainedModel, folder: Path, path: Path) -> dict[str, dict[str, Any]]:
    """Return what the files beside weights say of their model; refuse those of another family."""
    found: dict[str, dict[str, Any]] = {"extractor": _read_object(folder / _EXTRACTOR_FILE)}
    if family := _family_beside(folder):
        _require_family(model, family, path)
        # The file leaves out what is a default.
        config = load_pretrained(type(model.config), str(folder), "a configuration beside the weights")
        found["settings"] = config.to_dict()
    return found


def _read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one where there is no file."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"expected JSON in {path}, found a damaged file: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"expected an object in {path}, found {type(content).__name__}")
    return content


def _own_state(content: Mapping[str, Any], path: Path) -> dict[str, torch.Tensor]:
    key = next((key for key in _KEYS if isinstance(content.get(key), Mapping)), None)
    if key is not None:
        return tensors_in(content, key, path)
    if content and all(isinstance(name, str) and torch.is_tensor(value) for name, value in content.items()):
        require_numbers(content, path)
        return strip_wrappers(content, path)
    found = ", ".join(map(str, list(content)[:10])) or "nothing"
    raise ConfigurationError(
        f"expected a state dictionary in {path}, or one under {', '.join(_KEYS)} or encoder_state; found {found}"
    )


def _read_folder(folder: Path) -> dict[str, torch.Tensor]:
    for name in _SINGLE_FILES:
        if (folder / name).is_file():
            return _read_shard(folder / name)
    for name in _INDEX_FILES:
        if (folder / name).is_file():
            return _read_shards(folder / name)
    checkpoints = sorted(entry.name for entry in folder.glob("checkpoint-*") if entry.is_dir())
    hint = f"; it holds {', '.join(checkpoints)}, give one of them" if checkpoints else ""
    raise ConfigurationError(
        f"expected weights ({', '.join((*_SINGLE_FILES, *_INDEX_FILES))}) in --init-checkpoint, found none in "
        f"{folder}{hint}"
    )


def _read_shards(index: Path) -> dict[str, torch.Tensor]:
    try:
        files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"expected an index with a weight_map, found a damaged one: {index}") from error
    if absent := [name for name in files if not (index.parent / name).is_file()]:
        raise ConfigurationError(f"expected every file that {index} names, found none of: {', '.join(absent)}")
    weights: dict[str, torch.Tensor] = {}
    for name in files:
        weights |= _read_shard(index.parent / name)
    return weights


def _read_shard(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix != ".safetensors":
        return tensors_in({path.name: read_torch_file(path)}, path.name, path)
    try:
        weights = load_file(path)
    except Exception as error:  # a damaged header gives errors of several libraries
        raise ConfigurationError(f"expected weights in {path}, found a damaged file: {error}") from error
    require_numbers(weights, path)
    return weights

"""Settings of a model that its weights cannot show: heads, norms, pooling, strides, and what its inputs are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from transformers import PretrainedConfig, PreTrainedModel

from hf_slt.training.init_sources import Source

# What changes neither the meaning of weights nor what they are multiplied with: choices of a training, names and
# numbers of classes and tokens, and which streams there are.
_IRRELEVANT = re.compile(
    r"_.*|.*(drop|initializer|label|token_id|vocab|ctc_).*|alpha|beta|num_categories|streams|num_pose_landmarks|"
    r"freeze_backbone|use_pretrained_backbone|train_from_frames|use_cache|bridge|sequence_length|"
    r"is_decoder|tie_word_embeddings|scale_decoder_outputs|feature_extractor_type|processor_class"
)
_OF_FEATURES = ("input_type", "feature_size")


def differing_settings(
    source: Source, model: PreTrainedModel, loaded: Collection[str], extractor: Any = None
) -> list[dict[str, Any]]:
    """List the settings in which a model is another one than the one that weights are of.

    Args:
        source: The weights, with what is known of their model.
        model: The model that takes them.
        loaded: Names in the model that they are loaded into.
        extractor: Its feature extractor; None: the inputs are not compared.

    Returns:
        `name`, `was` and `is` of each; a field of a nested configuration is called `outer.inner`.
    """
    was, now = _plain(source.settings), _plain(model.config)
    if not any(name.startswith("text_model.") for name in loaded):
        was.pop("text_config", None)  # that of an encoder alone says nothing
    rows = list(_differences(was, now))
    if extractor is not None:
        rows += _differences(_inputs(source.extractor), _inputs(extractor.to_dict()), "inputs: ")
    return [{"name": name, "was": before, "is": after} for name, before, after in rows]


def _plain(value: Any) -> Any:
    """Return configurations as dictionaries of the fields of their own kind, and tuples as lists."""
    if isinstance(value, PretrainedConfig):
        value = value.to_dict()
    if isinstance(value, Mapping):
        general = set(PretrainedConfig().to_dict()) - {"model_type"}
        return {name: _plain(item) for name, item in value.items() if name not in general}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _differences(was: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    if was.get("model_type") != now.get("model_type") and "model_type" in was:
        yield f"{prefix}model_type", was["model_type"], now.get("model_type")
        return
    for name in was:
        before, after = was[name], now.get(name)
        if name not in now or before == after or _IRRELEVANT.fullmatch(str(name)):
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _differences(before, after, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _short(before), _short(after)


def _short(value: Any) -> Any:
    return value.get("model_type", "a configuration") if isinstance(value, Mapping) else value


def _inputs(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a feature extractor that have an effect on its kind of inputs."""
    is_features = settings.get("input_type") == "features"
    return {
        name: value
        for name, value in _plain(settings).items()
        if name == "input_type" or (name in _OF_FEATURES) == is_features
        if name != "extractor" or value  # None: not known, which is no difference
    }

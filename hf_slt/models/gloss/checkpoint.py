"""A trained gloss classifier with its feature extractor, and the names of its classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PretrainedConfig

from hf_slt.errors import ConfigurationError
from hf_slt.models.auto import GLOSS_FAMILIES
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.loading import load_pretrained


def load_gloss_checkpoint(path: str | None) -> tuple[Any, Any]:
    """Load classifier and feature extractor of a run, or of a `checkpoint-N` in it, in evaluation mode.

    Raises:
        ConfigurationError: There is no gloss classifier, weights of it are missing, or no feature extractor is beside
            it or above it.
    """
    if not path:
        raise ConfigurationError("expected --checkpoint FOLDER of a trained model, found none")
    what = "a trained gloss classifier in --checkpoint"
    _, extractor = read_gloss_folder(path, what)
    model, info = load_pretrained(AutoModelForSequenceClassification, path, what, output_loading_info=True)
    if missing := sorted(info["missing_keys"]):
        raise ConfigurationError(f"expected {what}, found {path} without {len(missing)} of its weights: {missing[:5]}")
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), extractor


def read_gloss_folder(path: str, what: str) -> tuple[PretrainedConfig, GlossFeatureExtractor]:
    """Load configuration and feature extractor of a gloss classifier, whatever its weights are stored as.

    Args:
        path: Its folder.
        what: What was expected there, for the message.

    Raises:
        ConfigurationError: There is no gloss classifier, or no feature extractor is beside it or above it.
    """
    if not (Path(path) / "config.json").is_file():
        raise ConfigurationError(f"expected {what}, found no config.json in {path}")
    config = load_pretrained(AutoConfig, path, what)
    if config.model_type not in GLOSS_FAMILIES:
        raise ConfigurationError(f"expected {what}, found a model of type '{config.model_type}' in {path}")
    # checkpoint-N holds no feature extractor: the one of the run is in the folder above.
    folder = next((f for f in (Path(path), Path(path).parent) if (f / "preprocessor_config.json").is_file()), path)
    return config, load_pretrained(GlossFeatureExtractor, str(folder), "a feature extractor beside the model")


def class_names(config: PretrainedConfig) -> tuple[list[str], list[str] | None]:
    """Return the names of glosses and categories (None for a model with one head) to show to people.

    A class that the labels gave a number only is called by it: `gloss 4`, `category 0`.
    """
    glosses = [_shown(config.id2label[i], f"LABEL_{i}", f"gloss {i}") for i in range(config.num_labels)]
    if config.num_categories is None:
        return glosses, None
    names = config.category_id2label
    return glosses, [_shown(names[i], f"CATEGORY_{i}", f"category {i}") for i in range(config.num_categories)]


def _shown(name: str, placeholder: str, shown: str) -> str:
    return shown if name == placeholder else name

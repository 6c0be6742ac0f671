"""A trained gloss classifier with its feature extractor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PretrainedConfig

from hf_slt.errors import ConfigurationError
from hf_slt.models.auto import GLOSS_FAMILIES
from hf_slt.models.gloss.class_names import class_names
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.loading import load_pretrained

__all__ = ["class_names", "load_gloss_checkpoint", "read_gloss_folder"]


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

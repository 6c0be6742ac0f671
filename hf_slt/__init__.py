"""Sign language translation and gloss recognition in the HuggingFace ecosystem.

The names below are imported on first use: `import hf_slt` itself imports neither torch nor transformers.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from hf_slt.models.auto import register_when_imported

__version__ = "0.1.0"

_MULTISTREAM = "hf_slt.models.multistream."
_SIGN_TRANSFORMER = "hf_slt.models.sign_transformer."
_INCEPTION_GRU = "hf_slt.models.inception_gru."
_CONV_TRANSFORMER = "hf_slt.models.conv_transformer."
_EXPORTS = {
    "MultiStreamConfig": _MULTISTREAM + "configuration_multistream",
    "MultiStreamEncoder": _MULTISTREAM + "modeling_multistream",
    "MultiStreamForConditionalGeneration": _MULTISTREAM + "modeling_multistream",
    "MultiStreamFeatureExtractor": _MULTISTREAM + "feature_extraction_multistream",
    "MultiStreamProcessor": _MULTISTREAM + "processing_multistream",
    "SignTransformerConfig": _SIGN_TRANSFORMER + "configuration_sign_transformer",
    "SignTransformerForGlossClassification": _SIGN_TRANSFORMER + "modeling_sign_transformer",
    "InceptionGRUConfig": _INCEPTION_GRU + "configuration_inception_gru",
    "InceptionGRUForGlossClassification": _INCEPTION_GRU + "modeling_inception_gru",
    "ConvTransformerConfig": _CONV_TRANSFORMER + "configuration_conv_transformer",
    "ConvTransformerForGlossClassification": _CONV_TRANSFORMER + "modeling_conv_transformer",
    "GlossFeatureExtractor": "hf_slt.models.gloss.feature_extraction_gloss",
    "CorpusPaths": "hf_slt.data.corpus",
    "build_datasets": "hf_slt.data.builder",
    "ClipTransform": "hf_slt.data.clip_transform",
    "DataCollatorForMultiStream": "hf_slt.data.collator",
    "TranslationMetric": "hf_slt.evaluation.metrics",
    "GlossMetric": "hf_slt.evaluation.classification",
    "GlossPredictor": "hf_slt.inference.gloss",
    "TranslationPredictor": "hf_slt.inference.translation",
    "ORTMultiStreamForConditionalGeneration": "hf_slt.exporters.ort_multistream",
    "ORTMultiStreamEncoder": "hf_slt.exporters.ort_encoder",
    "ORTGlossClassifier": "hf_slt.exporters.ort_gloss",
    "DataContractError": "hf_slt.errors",
    "HfSltError": "hf_slt.errors",
}

# Models on ONNX Runtime need the extra `onnx`: `from hf_slt import *` works without it.
__all__ = ["__version__", *(name for name in _EXPORTS if not name.startswith("ORT"))]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'hf_slt' has no attribute '{name}'")
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


def _add_card(folder: Path, repo: str) -> None:
    from hf_slt.hub.stock_card import replace_stock_card

    replace_stock_card(folder, repo)


def _read_clip(source: Any, feature_extractor: Any, **reading: Any) -> Any:
    from hf_slt.inference.clips import encode_source

    return encode_source(source, feature_extractor, **reading)


def _register_pipelines() -> None:
    # Where our pipelines are what imports those of transformers, they register when they are complete.
    if "hf_slt.models.sign_pipeline" not in sys.modules:
        importlib.import_module("hf_slt.inference.pipelines")


register_when_imported(_add_card, _read_clip, _register_pipelines)

"""Make optimum's exporter, and so `optimum-cli export onnx`, know our models.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

import functools
from typing import Any

from hf_slt.exporters.onnx_configs import GlossOnnxConfig, MultiStreamOnnxConfig
from hf_slt.exporters.requirements import require_onnx
from hf_slt.models.auto import GLOSS_FAMILIES
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig

TRANSLATION_TASK = "text2text-generation-with-past"
ENCODER_TASK = "feature-extraction"
CLASSIFICATION_TASK = "text-classification"  # what optimum calls the task of AutoModelForSequenceClassification


@functools.cache
def register_onnx_configs() -> None:
    """Register our ONNX configurations with optimum's `TasksManager`."""
    manager = require_onnx("optimum.exporters.tasks").TasksManager
    register = manager.create_register("onnx", overwrite_existing=True)
    tasks = (ENCODER_TASK, TRANSLATION_TASK.removesuffix("-with-past"), TRANSLATION_TASK)
    register(MultiStreamConfig.model_type, *tasks)(MultiStreamOnnxConfig)
    for family in GLOSS_FAMILIES:
        register(family, CLASSIFICATION_TASK)(GlossOnnxConfig)
    manager._infer_library_from_model_or_model_class = _with_our_models(
        manager._infer_library_from_model_or_model_class
    )


def _with_our_models(infer: Any) -> Any:
    """Let the function that finds the library of a model by its module say `transformers` for ours too."""

    @functools.wraps(infer)
    def infer_library(model: Any = None, model_class: Any = None) -> str:
        found = type(model) if model_class is None else model_class
        if found.__module__.startswith("hf_slt."):
            return "transformers"
        return infer(model=model, model_class=model_class)

    return infer_library

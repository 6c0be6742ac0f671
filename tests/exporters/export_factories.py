"""Tiny models, exported by optimum as `optimum-cli` does it, without its own comparison."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from model_factories import tiny_model
from optimum.exporters.onnx.convert import onnx_export_from_model
from torch import nn

import hf_slt
from hf_slt.exporters.registration import TRANSLATION_TASK, register_onnx_configs

FAMILIES = {"sign": "SignTransformer", "conv": "ConvTransformer", "gru": "InceptionGRU"}
SIZES = {
    "sign": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16},
    "conv": {"hidden_size": 16, "num_blocks": 1, "conv_layers_per_block": 2, "num_attention_heads": 2},
    "gru": {"gru_hidden_sizes": [8, 6]},
}


def export(model: Any, folder: Path, task: str = TRANSLATION_TASK) -> Path:
    """Write the ONNX files of a model."""
    register_onnx_configs()
    model.config.use_cache = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        onnx_export_from_model(model, folder, task=task, do_validation=False)
    return folder


def tiny_translator(*args: Any, **kwargs: Any) -> hf_slt.MultiStreamForConditionalGeneration:
    """Return a translation model whose sentences depend on the clip."""
    model = tiny_model(*args, gain=30.0, **kwargs)
    with torch.no_grad():
        for name, parameter in model.text_model.named_parameters():
            if "encoder_attn" in name or "embed" in name:  # BART's names
                parameter.mul_(20)
    return model


def tiny_classifier(family: str, **overrides: Any) -> nn.Module:
    """Return a gloss classifier in evaluation mode: 6 numbers a frame, 5 glosses, 3 categories."""
    torch.manual_seed(0)
    fields = {"input_size": 6, "num_labels": 5, "num_categories": 3, **SIZES[family], **overrides}
    config = getattr(hf_slt, FAMILIES[family] + "Config")(**fields)
    model = getattr(hf_slt, FAMILIES[family] + "ForGlossClassification")(config).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model

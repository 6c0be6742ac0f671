"""Exports of tiny models, as `export_onnx.py` writes them."""

from pathlib import Path
from types import SimpleNamespace

import torch
from model_factories import tiny_model, tiny_processor, tiny_resnet

from hf_slt import (
    InceptionGRUConfig,
    InceptionGRUForGlossClassification,
    SignTransformerConfig,
    SignTransformerForGlossClassification,
)
from hf_slt.exporters.export import write_onnx
from hf_slt.exporters.source import Source

STREAMS = ("face", "pose")


def export_translation(folder: Path, part: str = "full", **overrides) -> Path:
    """Export a translation model of face and pose, with a processor."""
    model = tiny_model(STREAMS, gain=20.0, backbone_config=tiny_resnet(), **overrides)
    return _export(folder, model, part, tiny_processor(STREAMS, num_landmarks=5))


def export_classifier(folder: Path, family: str = "sign_transformer", input_size: int = 6) -> Path:
    """Export a classifier of 4 glosses and 2 categories."""
    torch.manual_seed(0)
    labels = {"input_size": input_size, "num_labels": 4, "num_categories": 2}
    if family == "inception_gru":
        model = InceptionGRUForGlossClassification(InceptionGRUConfig(gru_hidden_sizes=[5, 4], **labels))
    else:
        sizes = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 32, "num_hidden_layers": 1}
        model = SignTransformerForGlossClassification(SignTransformerConfig(**sizes, **labels))
    return _export(folder, model, "full")


def _export(folder, model, part, processor=None):
    folder.mkdir(parents=True, exist_ok=True)
    source = Source(folder, model.config, part, processor)
    model = model.eval().get_encoder() if part == "encoder" else model.eval()
    write_onnx(SimpleNamespace(**vars(source), is_translation=source.is_translation, load_model=lambda: model), folder)
    return folder

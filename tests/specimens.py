"""Tiny saved models of every family, with what they answer: written in one environment, opened in another.

    python tests/specimens.py FOLDER

writes them with the transformers that is installed. `$HF_SLT_SPECIMENS`, a folder of folders that were written so,
makes `test_specimens.py` open them too: what one generation of transformers saves has to load in the other.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from model_factories import DECODERS, inputs_of, tiny_batch, tiny_model, tiny_processor, tiny_resnet, tiny_text_config
from safetensors.torch import load_file, save_file
from transformers import (
    AutoFeatureExtractor,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoProcessor,
)

from hf_slt import (
    ConvTransformerConfig,
    ConvTransformerForGlossClassification,
    GlossFeatureExtractor,
    InceptionGRUConfig,
    InceptionGRUForGlossClassification,
    SignTransformerConfig,
    SignTransformerForGlossClassification,
)

SENTENCE = "Él come."
INPUTS, OUTPUTS, WORDS, VERSION = "inputs.safetensors", "outputs.safetensors", "words.json", "transformers.txt"
_STREAMS = ("face", "pose")


def _translator(decoder: str = "t5", **config: Any) -> Callable[[], torch.nn.Module]:
    return lambda: tiny_model(_STREAMS, gain=3.0, text_config=tiny_text_config(decoder), **config)


TRANSLATORS = {
    **{decoder: _translator(decoder) for decoder in DECODERS},
    "resnet": _translator(backbone_config=tiny_resnet()),
    "ctc": _translator(ctc_weight=0.3),
}
_SIZES = {"hidden_size": 16, "num_labels": 4, "num_categories": 2, "head_hidden_size": 8}
_LAYERS = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
CLASSIFIERS = {
    "sign_transformer": lambda: SignTransformerForGlossClassification(SignTransformerConfig(**_SIZES, **_LAYERS)),
    "conv_transformer": lambda: ConvTransformerForGlossClassification(ConvTransformerConfig(**_SIZES, **_LAYERS)),
    "inception_gru": lambda: InceptionGRUForGlossClassification(InceptionGRUConfig(**_SIZES)),
}


def write_specimens(folder: Path) -> None:
    """Write every specimen to a folder of its own, and the version of transformers beside them."""
    for name, build in TRANSLATORS.items():
        model, processor = build().eval(), tiny_processor(_STREAMS)
        batch = tiny_batch(_STREAMS)
        processor.save_pretrained(folder / name)
        words = {"ids": processor.tokenizer(SENTENCE)["input_ids"], "extractor": _settings(processor.feature_extractor)}
        _write(folder / name, model, batch, translator_outputs(model, batch), words)
    for name, build in CLASSIFIERS.items():
        torch.manual_seed(0)
        model = build().eval()
        extractor = GlossFeatureExtractor()
        extractor.save_pretrained(folder / name)
        batch = {
            "input_values": torch.randn(2, 6, model.config.input_size, generator=torch.Generator().manual_seed(0)),
            "attention_mask": torch.tensor([[1] * 6, [1] * 4 + [0] * 2]),
        }
        _write(folder / name, model, batch, classifier_outputs(model, batch), {"extractor": _settings(extractor)})
    (folder / VERSION).write_text(importlib.metadata.version("transformers"), encoding="utf-8")


def _settings(extractor: Any) -> dict[str, Any]:
    settings = json.loads(extractor.to_json_string())
    settings.pop("processor_class", None)  # it is there once a processor was saved
    return settings


def _write(folder: Path, model: Any, batch: dict, outputs: dict, words: dict) -> None:
    model.save_pretrained(folder)
    save_file({name: value.contiguous() for name, value in batch.items()}, folder / INPUTS)
    save_file({name: value.contiguous() for name, value in outputs.items()}, folder / OUTPUTS)
    (folder / WORDS).write_text(json.dumps(words), encoding="utf-8")


@torch.no_grad()
def translator_outputs(model: Any, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the loss, the logits, and what beam search writes."""
    output = model(**batch)
    generated = model.generate(**inputs_of(batch), max_new_tokens=5, num_beams=2)
    return {"loss": output.loss, "logits": output.logits, "generated": generated}


@torch.no_grad()
def classifier_outputs(model: Any, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the scores of both heads."""
    output = model(**batch)
    return {"gloss_logits": output.gloss_logits, "category_logits": output.category_logits}


def open_specimen(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Open a specimen by the Auto classes; returns what it answers now, and its words as they are now.

    Raises:
        AssertionError: Weights are missing, or left over.
    """
    is_translator = folder.name in TRANSLATORS
    auto = AutoModelForSeq2SeqLM if is_translator else AutoModelForSequenceClassification
    model, info = auto.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], (folder, info)
    batch = load_file(folder / INPUTS)
    if not is_translator:
        return classifier_outputs(model, batch), {"extractor": _settings(AutoFeatureExtractor.from_pretrained(folder))}
    processor = AutoProcessor.from_pretrained(folder)
    words = {"ids": processor.tokenizer(SENTENCE)["input_ids"], "extractor": _settings(processor.feature_extractor)}
    assert _settings(AutoFeatureExtractor.from_pretrained(folder)) == words["extractor"]
    return translator_outputs(model, batch), words


if __name__ == "__main__":
    write_specimens(Path(sys.argv[1]))

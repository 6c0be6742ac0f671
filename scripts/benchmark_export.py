"""What `benchmark.py export` measures: models in PyTorch, and their exports on ONNX Runtime, in fp32 and in int8."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from benchmark_times import INT8, ONNX, TORCH, Case, Sizes
from transformers import AutoModelForSeq2SeqLM, AutoModelForSequenceClassification

from hf_slt.exporters.arguments import ExportArguments
from hf_slt.exporters.clips import random_clips
from hf_slt.exporters.export import quiet, write_onnx
from hf_slt.exporters.onnx_files import loaded_files
from hf_slt.exporters.requirements import require_onnx
from hf_slt.exporters.source import open_source
from hf_slt.exporters.variants import write_variants
from hf_slt.models.auto import GLOSS_FAMILIES, register_models
from hf_slt.models.conv_transformer.configuration_conv_transformer import ConvTransformerConfig
from hf_slt.models.inception_gru.configuration_inception_gru import InceptionGRUConfig
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig, small_t5_config
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.training.evaluation_checkpoints import checkpoint_names

IMAGE_SIZE = 96  # pixels


def versions() -> dict[str, str]:
    """Return the versions of the libraries that are measured."""
    return {"torch": torch.__version__, "onnxruntime": require_onnx("onnxruntime").__version__}


def default_configs() -> dict[str, Any]:
    """Return the configurations of models with default sizes."""
    return {
        "translation, pose": MultiStreamConfig(streams=["pose"]),
        f"translation, {IMAGE_SIZE} px": MultiStreamConfig(image_size=IMAGE_SIZE),
        "sign_transformer": SignTransformerConfig(),
        "conv_transformer": ConvTransformerConfig(),
        "inception_gru": InceptionGRUConfig(),
    }


def quick_configs() -> dict[str, Any]:
    """Return the configurations of tiny models."""
    text = small_t5_config(vocab_size=40, d_model=16, num_layers=1)
    sizes = {"d_model": 16, "temporal_layers": 1, "temporal_dim_feedforward": 32, "text_config": text}
    return {
        "translation, pose": MultiStreamConfig(streams=["pose"], pose_hidden_size=16, projector_dim=8, **sizes),
        "sign_transformer": SignTransformerConfig(hidden_size=16, num_hidden_layers=1, intermediate_size=32),
    }


def save_random(configs: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Save models of random weights, always the same ones, and return their folders."""
    register_models()
    folders = {name: folder / str(number) for number, name in enumerate(configs)}
    for name, config in configs.items():
        torch.manual_seed(0)
        is_gloss = config.model_type in GLOSS_FAMILIES
        auto_class = AutoModelForSequenceClassification if is_gloss else AutoModelForSeq2SeqLM
        auto_class.from_config(config).save_pretrained(folders[name])
    return folders


class Exported:
    """A saved model, its export and its int8 variant.

    Args:
        name: What to call it.
        checkpoint: Its folder.
        folder: Folder for its export.
    """

    def __init__(self, name: str, checkpoint: Path, folder: Path):
        self.name = name
        self.folders = {ONNX: folder, INT8: folder / INT8}
        source = open_source(ExportArguments(checkpoint=str(checkpoint), output=str(folder)))
        self.is_gloss = not source.is_translation
        self.torch_model = source.load_model()
        folder.mkdir(parents=True)
        with quiet():
            write_onnx(source, folder)
            write_variants([INT8], folder)
        parameters = self.torch_model.num_parameters() / 1e6
        files = [checkpoint.glob("*.safetensors"), *map(loaded_files, self.folders.values())]
        self.sizes = Sizes(name, parameters, *(sum(file.stat().st_size for file in own) / 1e6 for own in files))

    def open(self, threads: int) -> dict[str, Any]:
        """Return the model of each side; torch's threads are set, too."""
        from hf_slt import ORTGlossClassifier, ORTMultiStreamForConditionalGeneration

        torch.set_num_threads(threads)
        ort_class = ORTGlossClassifier if self.is_gloss else ORTMultiStreamForConditionalGeneration
        opened = {side: ort_class.from_pretrained(path, num_threads=threads) for side, path in self.folders.items()}
        return {TORCH: self.torch_model, **opened}

    def works(self, model: Any, clips: dict[str, torch.Tensor], new_tokens: int) -> dict[str, Callable[[], Any]]:
        """Return what one side does with the clips, by name."""
        if self.is_gloss:
            return {"classify": partial(_run, model, clips)}
        tokens = {"min_new_tokens": new_tokens, "max_new_tokens": new_tokens, "do_sample": False}
        return {
            "encoder": partial(_run, model.encoder, clips),
            "greedy": partial(_run, model.generate, clips, num_beams=1, **tokens),
            "4 beams": partial(_run, model.generate, clips, num_beams=4, **tokens),
        }


@torch.inference_mode()
def _run(function: Callable[..., Any], clips: dict[str, torch.Tensor], **kwargs: Any) -> Any:
    return function(**clips, **kwargs)


def open_models(args: argparse.Namespace, folder: Path) -> Iterator[Exported]:
    """Export one model after the other: those of `--checkpoint`, or random ones."""
    if args.checkpoint:
        folders = [Path(path).absolute() for path in args.checkpoint]
        checkpoints = dict(zip(checkpoint_names(folders), folders, strict=True))
    else:
        checkpoints = save_random(quick_configs() if args.quick else default_configs(), folder / "checkpoints")
    for number, (name, checkpoint) in enumerate(checkpoints.items()):
        yield Exported(name, checkpoint, folder / str(number))


def export_cases(args: argparse.Namespace, exported: Exported) -> Iterator[tuple[Case, dict[str, Callable[[], Any]]]]:
    """Yield what is measured of a model: each number of threads, each length, each work."""
    for threads in args.threads:
        models = exported.open(threads)
        for frames in args.frames:
            clips = random_clips(exported.torch_model.config, args.batch_size, frames)
            works = {side: exported.works(model, clips, args.new_tokens) for side, model in models.items()}
            for work in works[TORCH]:
                yield Case(exported.name, work, frames, threads), {side: own[work] for side, own in works.items()}

"""What the ONNX files of our models take and return, for optimum's exporter: names, axes, and inputs to trace with.

Importing this module needs the extra `onnx`. Both batch size and number of frames vary in all files.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import PretrainedConfig

from hf_slt.errors import ConfigurationError
from hf_slt.exporters.clips import gloss_clips, longest_clip, multistream_clips
from hf_slt.exporters.onnx_files import onnx, save, write_known_axes
from hf_slt.exporters.patchers import ClassifierPatcher, MultiStreamPatcher
from hf_slt.exporters.requirements import require_onnx
from hf_slt.exporters.time_convolutions import rewrite_convolutions
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.generation import INPUT_NAMES
from hf_slt.training.checkpoints import RUN_CONFIG
from hf_slt.training.results import SPLITS

_base = require_onnx("optimum.exporters.onnx.base")

OPSET = 18  # optimum's own choice; every operator that our models need is in it
TOLERANCE = 1e-4  # largest absolute difference from PyTorch
CTC_HEAD = "ctc_head.onnx"
# Families of text decoders -> names of the sizes in their configuration: layers, heads, width of a head if it is free.
DECODERS = {
    "t5": ("num_decoder_layers", "num_heads", "d_kv"),
    "mt5": ("num_decoder_layers", "num_heads", "d_kv"),
    "bart": ("decoder_layers", "decoder_attention_heads", None),
    "mbart": ("decoder_layers", "decoder_attention_heads", None),
}
BATCH, FRAMES, STATES, TOKENS = "batch_size", "frames", "encoder_sequence_length", "decoder_sequence_length"


def check_exportable(config: PretrainedConfig) -> None:
    """Raise `ConfigurationError` for a translation model whose text decoder cannot be exported."""
    kind = config.text_config.model_type
    if kind == "custom_decoder":
        raise ConfigurationError(
            f"expected a text decoder of transformers, found --decoder-class {config.text_config.decoder_class}: a "
            f"decoder class of your own cannot be exported; export the encoder alone, with --part encoder"
        )
    if kind not in DECODERS:
        raise ConfigurationError(
            f"expected a text decoder out of {list(DECODERS)}, found '{kind}'; export the encoder alone, with --part "
            f"encoder"
        )


class DecoderSizes:
    """Sizes of the key-value cache of a text decoder, under the names that optimum asks for.

    Args:
        config: Configuration of the translation model.
    """

    def __init__(self, config: MultiStreamConfig):
        text = config.text_config
        # A decoder that is not listed is not exported: nobody asks for its sizes.
        layers, heads, head_size = DECODERS.get(text.model_type, ("", "", None))
        self.decoder_num_layers = self.num_layers = getattr(text, layers, 0)
        self.heads = getattr(text, heads, 1)
        self.head_size = getattr(text, head_size) if head_size else text.hidden_size // self.heads
        self.max_tokens = getattr(text, "max_position_embeddings", None) or sys.maxsize


class DecoderCache:
    """Random key-value caches of a decoder.

    Args:
        task: The task; all have the same cache.
        normalized_config: Its sizes.
        batch_size: B.
        sequence_length: Tokens, and encoder states, in the cache.
    """

    def __init__(self, task: str, normalized_config: DecoderSizes, batch_size: int = 2, sequence_length: int = 16):
        self.layers = normalized_config.num_layers
        self.shape = (batch_size, normalized_config.heads, sequence_length, normalized_config.head_size)

    def generate(self, *args: Any, float_dtype: str = "fp32", **kwargs: Any) -> list[tuple[torch.Tensor, ...]]:
        """Return for each layer keys and values of its own attention, then of that to the encoder."""
        dtype = _dtype(float_dtype)
        return [tuple(torch.rand(self.shape, dtype=dtype) for _ in range(4)) for _ in range(self.layers)]


class MultiStreamOnnxConfig(_base.OnnxSeq2SeqConfigWithPast):
    """Translation: the encoder of all streams, and the text decoder without and with a cache."""

    DEFAULT_ONNX_OPSET = OPSET
    ATOL_FOR_VALIDATION = TOLERANCE
    NORMALIZED_CONFIG_CLASS = DecoderSizes
    DUMMY_PKV_GENERATOR_CLASS = DecoderCache
    _MODEL_PATCHER = MultiStreamPatcher

    def __init__(self, config: MultiStreamConfig, task: str = "feature-extraction", **kwargs: Any):
        if task != "feature-extraction":
            check_exportable(config)
        super().__init__(config, task, **kwargs)

    @property
    def is_encoder(self) -> bool:
        """Whether this is the file that reads the streams."""
        return self.task == "feature-extraction"

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """Inputs by the names of the model -> number and name of the axes that vary."""
        if self.is_encoder:
            names = [name for s in self._config.streams for name in (INPUT_NAMES[s], f"{s}_mask")]
            return {name: {0: BATCH, 1: FRAMES} for name in ("attention_mask", *names)}
        if self._behavior is _base.ConfigBehavior.MONOLITH:
            raise ConfigurationError("expected an encoder and a decoder in files of their own, found --monolith")
        names = {"encoder_outputs": STATES, "attention_mask": STATES, "decoder_input_ids": TOKENS}
        inputs = {name: {0: BATCH, 1: axis} for name, axis in names.items()}
        if self.use_past_in_inputs:
            self.add_past_key_values(inputs, direction="inputs")
        return inputs

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        """Outputs, likewise; `states_mask` of the encoder is the mask of its states."""
        if self.is_encoder:
            return {name: {0: BATCH, 1: STATES} for name in ("last_hidden_state", "states_mask")}
        return super().outputs

    @property
    def torch_to_onnx_output_map(self) -> dict[str, str]:
        """Names of outputs that are other ones in ONNX: an input has the name already."""
        return {"attention_mask": "states_mask"} if self.is_encoder else {}

    def generate_dummy_inputs(
        self, framework: str = "pt", batch_size: int = 2, sequence_length: int = 16, **kwargs: Any
    ) -> dict[str, Any]:
        """Return inputs to trace with: clips of random numbers, with padding and with frames without hands."""
        if self.is_encoder:
            frames = min(sequence_length, longest_clip(self._config) or sequence_length)
            inputs: dict[str, Any] = multistream_clips(self._config, batch_size, frames, "missing_hands")
            padded = multistream_clips(self._config, batch_size, frames, "padding")
            inputs["attention_mask"] = padded["attention_mask"]
        else:
            sequence_length = min(sequence_length, self._normalized_config.max_tokens - 1)  # one more with a cache
            width, vocabulary = self._config.d_model, self._config.vocab_size
            has_cache = self.use_past_in_inputs and self.use_cache_branch is not False
            tokens = torch.randint(vocabulary, (batch_size, 1 if has_cache else sequence_length))
            inputs = {
                "encoder_outputs": (torch.randn(batch_size, sequence_length, width), None, None),
                "attention_mask": torch.ones(batch_size, sequence_length, dtype=torch.long),
                "decoder_input_ids": tokens,
            }
            if has_cache:
                cache = DecoderCache(self.task, self._normalized_config, batch_size, sequence_length)
                inputs["past_key_values"] = cache.generate(float_dtype=self.float_dtype)
        return _converted(inputs, framework, self.float_dtype)

    def post_process_exported_models(self, path: Path, models: dict[str, Any], files: list[str]) -> tuple[Any, Any]:
        """Merge both decoders into one file; write the CTC head of a model with one, and the record of its training."""
        model = next(iter(models.values()))[0] if len(models) == 1 else models["decoder_model"][0]
        models, files = super().post_process_exported_models(path, models, files)
        for name in dict.fromkeys(files):
            write_known_axes(Path(path) / name)
        copy_run_files(self._config._name_or_path, Path(path))
        if getattr(model, "ctc_head", None) is not None:
            torch.onnx.export(
                model.ctc_head,
                (torch.randn(2, 16, self._config.d_model, dtype=_dtype(self.float_dtype), device=model.device),),
                str(Path(path) / CTC_HEAD),
                input_names=["last_hidden_state"],
                output_names=["ctc_logits"],
                dynamic_axes={name: {0: BATCH, 1: STATES} for name in ("last_hidden_state", "ctc_logits")},
                opset_version=OPSET,
                dynamo=False,
            )
        return models, files


class GlossOnnxConfig(_base.OnnxConfig):
    """Gloss recognition: frames and their mask -> scores of the glosses and, with two heads, of the categories."""

    DEFAULT_ONNX_OPSET = OPSET
    ATOL_FOR_VALIDATION = TOLERANCE
    NORMALIZED_CONFIG_CLASS = staticmethod(lambda config: config)
    _MODEL_PATCHER = ClassifierPatcher

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """Inputs -> number and name of the axes that vary."""
        return {name: {0: BATCH, 1: FRAMES} for name in ("input_values", "attention_mask")}

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        """Outputs, likewise."""
        heads = ("gloss_logits", "category_logits")[: 1 if self._config.num_categories is None else 2]
        return {name: {0: BATCH} for name in heads}

    def generate_dummy_inputs(
        self, framework: str = "pt", batch_size: int = 2, sequence_length: int = 16, **kwargs: Any
    ) -> dict[str, Any]:
        """Return inputs to trace with: clips of random numbers with holes."""
        inputs = gloss_clips(self._config, batch_size, sequence_length, "holes")
        return _converted(inputs, framework, self.float_dtype)

    def post_process_exported_models(self, path: Path, models: dict[str, Any], files: list[str]) -> tuple[Any, Any]:
        """Write depthwise convolutions in the form that ONNX Runtime is fast at, and the record of the training."""
        models, files = super().post_process_exported_models(path, models, files)
        for name in files:
            model = onnx.load(str(Path(path) / name))
            if rewrite_convolutions(model, ("images",))["images"]:
                save(model, Path(path) / name)
        copy_run_files(self._config._name_or_path, Path(path))
        return models, files


def copy_run_files(checkpoint: str, folder: Path) -> None:
    """Copy what the training run left beside a model, or above it: its flags, and the clips that it has seen.

    Args:
        checkpoint: Folder of the model; a name on the hub has no such files.
        folder: Where to.
    """
    path = Path(checkpoint).absolute()
    for name in (RUN_CONFIG, SPLITS):
        found = [place / name for place in (path, path.parent) if (place / name).is_file()]
        if checkpoint and found:
            shutil.copyfile(found[0], folder / name)


def _dtype(name: str) -> torch.dtype:
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[name]


def _converted(value: Any, framework: str, float_dtype: str) -> Any:
    """Convert all tensors in nested inputs to the number type of the export, and to numpy if asked for."""
    if isinstance(value, dict):
        return {name: _converted(item, framework, float_dtype) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_converted(item, framework, float_dtype) for item in value)
    if not isinstance(value, torch.Tensor):
        return value
    value = value.to(_dtype(float_dtype)) if value.is_floating_point() else value
    return value.numpy() if framework == "np" else value

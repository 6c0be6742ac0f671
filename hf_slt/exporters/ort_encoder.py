"""The stream encoder on ONNX Runtime. Importing this module needs the extra `onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.exporters.clips import longest_clip
from hf_slt.exporters.onnx_configs import BATCH, FRAMES
from hf_slt.exporters.ort_loading import (
    as_mask,
    as_values,
    check_asked_outputs,
    check_location,
    load_error,
    session_options,
)
from hf_slt.exporters.requirements import require_onnx
from hf_slt.models.auto import register_models
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.generation import INPUT_NAMES
from hf_slt.models.multistream.modeling_multistream import MultiStreamEncoderOutput

onnxruntime = require_onnx("onnxruntime")
_seq2seq: Any = require_onnx("optimum.onnxruntime.modeling_seq2seq")

ENCODER_FILE = "model.onnx"  # of an encoder that was exported alone


class ORTMultiStreamEncoder(_seq2seq.ORTEncoder):
    """The stream encoder; streams and masks that are not given are made up as the PyTorch model understands them.

    Example:
        >>> encoder = ORTMultiStreamEncoder.from_pretrained("out")  # written with --part encoder
        >>> states = encoder(**processor(streams, return_tensors="pt")).last_hidden_state
    """

    def __init__(self, config: MultiStreamConfig, *args: Any, **kwargs: Any):
        super().__init__(config, *args, **kwargs)
        self.main_input_name = INPUT_NAMES[config.streams[-1]]

    @classmethod
    def from_pretrained(cls, folder: str | Path, num_threads: int | None = None) -> ORTMultiStreamEncoder:
        """Open an encoder that was exported alone (`model.onnx`), on the CPU.

        Args:
            folder: The folder of the export.
            num_threads: Threads of one operator; all cores by default.

        Raises:
            ConfigurationError: There is no `model.onnx`, it is not that of such an encoder, or it does not load; or
                `num_threads` is not 1 or more.
        """
        register_models()
        options = session_options(num_threads)
        check_location(folder, "", cls.__name__)
        path = Path(folder) / ENCODER_FILE
        try:
            config = AutoConfig.from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise load_error(cls.__name__, folder, error) from error
        if not isinstance(config, MultiStreamConfig):
            raise ConfigurationError(
                f"expected the exported encoder of a translation model, found a model of type '{config.model_type}' "
                f"in '{folder}'"
            )
        if not path.is_file():
            raise ConfigurationError(
                f"expected an encoder that was exported alone (export_onnx.py --part encoder), found no {ENCODER_FILE} "
                f"in '{folder}'; the encoder of a whole model is "
                f"ORTMultiStreamForConditionalGeneration.from_pretrained(FOLDER).encoder"
            )
        try:
            return cls(config, onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]))
        except Exception as error:  # the types that ONNX Runtime raises are bare exceptions
            raise load_error(cls.__name__, folder, error) from error

    def forward(
        self,
        face_pixel_values: torch.Tensor | None = None,
        left_hand_pixel_values: torch.Tensor | None = None,
        right_hand_pixel_values: torch.Tensor | None = None,
        pose_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        face_mask: torch.Tensor | None = None,
        left_hand_mask: torch.Tensor | None = None,
        right_hand_mask: torch.Tensor | None = None,
        pose_mask: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> MultiStreamEncoderOutput | tuple[Any, ...]:
        """Encode a batch of clips; the inputs are those of [`MultiStreamEncoder.forward`], in any type of number.

        Streams that the model does not read are ignored, as PyTorch does.

        Returns:
            States `(B, T', D)` and their mask `(B, T')`; a tuple if `return_dict` is false.

        Raises:
            ConfigurationError: No stream was given, streams of other lengths or sizes than expected, no clip or no
                frame, or attentions or hidden states are asked for.
        """
        check_asked_outputs(output_attentions=output_attentions, output_hidden_states=output_hidden_states)
        given = {
            "face_pixel_values": face_pixel_values,
            "left_hand_pixel_values": left_hand_pixel_values,
            "right_hand_pixel_values": right_hand_pixel_values,
            "pose_values": pose_values,
            "attention_mask": attention_mask,
            "face_mask": face_mask,
            "left_hand_mask": left_hand_mask,
            "right_hand_mask": right_hand_mask,
            "pose_mask": pose_mask,
        }
        inputs = self._graph_inputs({name: value for name, value in given.items() if value is not None})
        outputs = self.session.run(None, self._prepare_onnx_inputs(True, inputs))
        outputs = self._prepare_onnx_outputs(True, outputs)
        output = MultiStreamEncoderOutput(outputs["last_hidden_state"], attention_mask=outputs["states_mask"])
        return output if return_dict in (None, True) else output.to_tuple()

    def _graph_inputs(self, given: dict[str, Any]) -> dict[str, torch.Tensor]:
        """Return all inputs of the graph: those that are given, checked, and what stands for the others."""
        streams = [stream for stream in self.config.streams if INPUT_NAMES[stream] in given]
        if not streams:
            names = [INPUT_NAMES[stream] for stream in self.config.streams]
            raise ConfigurationError(f"expected at least one of the inputs {names}, found none")
        # As in PyTorch, the mask of a stream that is not given says nothing.
        read = ("attention_mask", *(name for stream in streams for name in (INPUT_NAMES[stream], f"{stream}_mask")))
        inputs = {
            name: (as_mask if name.endswith("_mask") else as_values)(name, given[name])
            for name in read
            if name in given and name in self.input_names
        }
        self._check_shapes({name: tuple(value.shape) for name, value in inputs.items()})
        return {**self._absent(inputs, *inputs[INPUT_NAMES[streams[0]]].shape[:2]), **inputs}

    def _check_shapes(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Raise `ConfigurationError` for inputs that the graph would refuse, or silently broadcast."""
        wrong = []
        for name, shape in shapes.items():
            expected = self.input_shapes[name]
            axes = [size for size, found in zip(expected, shape, strict=False) if size in (found, BATCH, FRAMES)]
            if len(expected) != len(shape) or len(axes) != len(shape):
                sizes = ("B", "T", *expected[2:])
                wrong.append(f"{name} ({', '.join(map(str, sizes))}), found {shape}")
        if wrong:
            raise DimensionMismatchError(f"expected {'; '.join(wrong)}")
        frames = {name: shape[:2] for name, shape in shapes.items()}
        if len(set(frames.values())) > 1:
            raise ConfigurationError(f"expected streams of the same number of clips and frames (B, T), found {frames}")
        clips, length = next(iter(frames.values()))
        if not clips or not length:
            raise DimensionMismatchError(f"expected at least one clip of one frame, found (B, T) = {(clips, length)}")
        longest = longest_clip(self.config)
        if longest is not None and length > longest:
            raise ConfigurationError(
                f"expected clips of at most {longest} frames, since positions are learned, found {length}; lower "
                f"sequence_length"
            )

    def _absent(self, given: dict[str, torch.Tensor], batch_size: int, frames: int) -> dict[str, torch.Tensor]:
        """Return what stands for streams and masks that are not given: seen nowhere, and hiding nothing."""
        inputs = {}
        for name in self.input_names.keys() - given.keys():
            shape: list[Any] = [size if isinstance(size, int) else None for size in self.input_shapes[name][2:]]
            stream = name.removesuffix("_mask")
            is_seen = stream == "attention" or INPUT_NAMES.get(stream) in given
            fill = 1 if name.endswith("_mask") and is_seen else 0
            dtype = torch.long if name.endswith("_mask") else torch.float32
            inputs[name] = torch.full((batch_size, frames, *shape), fill, dtype=dtype)
        return inputs

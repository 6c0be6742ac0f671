"""Translation models on ONNX Runtime. Importing this module needs the extra `onnx`."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM
from transformers.modeling_outputs import Seq2SeqLMOutput

from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.exporters.clips import longest_clip
from hf_slt.exporters.onnx_configs import BATCH, CTC_HEAD, FRAMES, DecoderSizes
from hf_slt.exporters.ort_loading import ExportedModelMixin, session_options
from hf_slt.exporters.requirements import require_onnx
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.generation import INPUT_NAMES, MultiStreamGenerationMixin
from hf_slt.models.multistream.modeling_multistream import MultiStreamEncoderOutput, sequence_loss, shift_right

onnxruntime = require_onnx("onnxruntime")
_seq2seq = require_onnx("optimum.onnxruntime.modeling_seq2seq")


class ORTMultiStreamEncoder(_seq2seq.ORTEncoder):
    """The stream encoder; streams and masks that are not given are made up as the PyTorch model understands them."""

    def __init__(self, config: MultiStreamConfig, *args: Any, **kwargs: Any):
        super().__init__(config, *args, **kwargs)
        self.main_input_name = INPUT_NAMES[config.streams[-1]]

    def forward(self, **kwargs: torch.Tensor | None) -> MultiStreamEncoderOutput:
        """Encode a batch of clips; the inputs are those of [`MultiStreamEncoder.forward`]; others are not read.

        Raises:
            ConfigurationError: No stream was given, or streams of other lengths or sizes than expected.
        """
        given = {name: value for name, value in kwargs.items() if name in self.input_names and value is not None}
        streams = [stream for stream in self.config.streams if INPUT_NAMES[stream] in given]
        if not streams:
            names = [INPUT_NAMES[stream] for stream in self.config.streams]
            raise ConfigurationError(f"expected at least one of the inputs {names}, found none")
        # As in PyTorch, the mask of a stream that is not given says nothing.
        names = ("attention_mask", *(name for stream in streams for name in (INPUT_NAMES[stream], f"{stream}_mask")))
        given = {name: torch.as_tensor(given[name]) for name in names if name in given}
        self._check_shapes({name: tuple(value.shape) for name, value in given.items()})
        inputs = {**self._absent(given, *given[INPUT_NAMES[streams[0]]].shape[:2]), **given}
        outputs = self.session.run(None, self._prepare_onnx_inputs(True, inputs))
        outputs = self._prepare_onnx_outputs(True, outputs)
        return MultiStreamEncoderOutput(outputs["last_hidden_state"], attention_mask=outputs["states_mask"])

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
        longest, length = longest_clip(self.config), next(iter(frames.values()))[1]
        if longest is not None and length > longest:
            raise ConfigurationError(
                f"expected clips of at most {longest} frames, since positions are learned, found {length}; lower "
                f"sequence_length"
            )

    def _absent(self, given: dict[str, torch.Tensor], batch_size: int, frames: int) -> dict[str, torch.Tensor]:
        """Return what stands for streams and masks that are not given: seen nowhere, and hiding nothing."""
        inputs = {}
        for name in self.input_names.keys() - given.keys():
            shape = [size if isinstance(size, int) else None for size in self.input_shapes[name][2:]]
            stream = name.removesuffix("_mask")
            is_seen = stream == "attention" or INPUT_NAMES.get(stream) in given
            fill = 1 if name.endswith("_mask") and is_seen else 0
            dtype = torch.long if name.endswith("_mask") else torch.float32
            inputs[name] = torch.full((batch_size, frames, *shape), fill, dtype=dtype)
        return inputs


def open_encoder(
    folder: str | Path, config: MultiStreamConfig, num_threads: int | None = None
) -> ORTMultiStreamEncoder:
    """Open an encoder that was exported alone (`model.onnx`); it is called like the PyTorch encoder."""
    session = onnxruntime.InferenceSession(
        str(Path(folder) / "model.onnx"), session_options(num_threads), providers=["CPUExecutionProvider"]
    )
    return ORTMultiStreamEncoder(config, session)


class ORTTextDecoder(_seq2seq.ORTDecoderForSeq2Seq):
    """The text decoder, whose sizes are those of `config.text_config`."""

    def __init__(self, config: MultiStreamConfig, *args: Any, **kwargs: Any):
        super().__init__(config.text_config, *args, **kwargs)
        sizes = DecoderSizes(config)
        self.num_attention_heads, self.embed_size_per_head = sizes.heads, sizes.head_size


class ORTMultiStreamForConditionalGeneration(
    ExportedModelMixin, MultiStreamGenerationMixin, _seq2seq.ORTModelForConditionalGeneration
):
    """An exported translation model; `generate` works as that of the PyTorch model does, with cache and beams.

    Example:
        >>> model = ORTMultiStreamForConditionalGeneration.from_pretrained("out")
        >>> ids = model.generate(**processor(streams, return_tensors="pt"), num_beams=4)
    """

    auto_model_class = AutoModelForSeq2SeqLM
    _ort_encoder_class = ORTMultiStreamEncoder
    _ort_decoder_class = ORTTextDecoder

    def __init__(self, *, config: Any = None, **kwargs: Any):
        if not isinstance(config, MultiStreamConfig):
            raise ConfigurationError(f"expected an exported translation model, found one of type '{config.model_type}'")
        super().__init__(config=config, **kwargs)
        self.main_input_name = self.encoder.main_input_name
        self.ctc_head = self._open_ctc_head()

    @classmethod
    def from_pretrained(cls, model_id: str | Path, *, use_merged: bool | None = None, **kwargs: Any) -> Any:
        """Load a model by folder or hub name.

        Args:
            model_id: The folder of the export, or its name on the hub.
            use_merged: Decode with `decoder_model_merged.onnx`, which needs half the memory, and not with the pair of
                files without and with cache, which is up to a tenth faster. By default the pair, where it is there.
            kwargs: `num_threads`, and what optimum's `ORTModel.from_pretrained` takes.

        Raises:
            ConfigurationError: It holds no exported translation model.
        """
        if use_merged is None and (Path(model_id) / "decoder_with_past_model.onnx").is_file():
            use_merged = False
        return super().from_pretrained(model_id, use_merged=use_merged, **kwargs)

    @classmethod
    def _from_pretrained(cls, model_id: str | Path, config: Any, **kwargs: Any) -> Any:
        if getattr(config, "ctc_weight", 0) and not Path(model_id).is_dir():
            # optimum fetches from the hub what it knows of: encoder and decoder.
            names = ("subfolder", "revision", "force_download", "local_files_only", "cache_dir", "token")
            with contextlib.suppress(OSError):
                cls._cached_file(model_id, CTC_HEAD, **{name: kwargs[name] for name in names if name in kwargs})
        return super()._from_pretrained(model_id, config, **kwargs)

    def _save_pretrained(self, save_directory: str | Path) -> None:
        super()._save_pretrained(save_directory)
        if self.ctc_head is not None:
            shutil.copyfile(Path(self.model_save_dir) / CTC_HEAD, Path(save_directory) / CTC_HEAD)

    def _open_ctc_head(self) -> Any | None:
        path = Path(self.model_save_dir) / CTC_HEAD
        if not path.is_file():
            return None
        threads = self.decoder.session.get_session_options().intra_op_num_threads
        return onnxruntime.InferenceSession(path, session_options(threads), providers=self.providers)

    def compute_ctc_logits(self, states: torch.Tensor) -> torch.Tensor | None:
        """Return the scores `(B, T', V)` of the CTC head for encoder states `(B, T', D)`; None without such a head.

        Raises:
            ConfigurationError: The model decodes with such a head, and its file is not there.
        """
        if self.ctc_head is None and self.config.ctc_weight:
            raise ConfigurationError(
                f"expected {CTC_HEAD} in {self.model_save_dir}, since the model decodes with CTC, found none; export "
                f"it again, or set config.ctc_decoding_weight to 0"
            )
        if self.ctc_head is None:
            return None
        (logits,) = self.ctc_head.run(None, {"last_hidden_state": states.numpy(force=True)})
        return torch.from_numpy(logits).to(states.device)

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
        decoder_input_ids: torch.Tensor | None = None,
        encoder_outputs: MultiStreamEncoderOutput | None = None,
        past_key_values: tuple[tuple[torch.Tensor, ...], ...] | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs: Any,
    ) -> Seq2SeqLMOutput:
        r"""Score target sentences; the arguments are those of [`MultiStreamForConditionalGeneration.forward`].

        Returns:
            `loss` (if there are labels), `logits (B, N, V)`, `past_key_values`, `encoder_last_hidden_state (B, T', D)`.
        """
        if encoder_outputs is None:
            encoder_outputs = self.encoder(
                face_pixel_values=face_pixel_values,
                left_hand_pixel_values=left_hand_pixel_values,
                right_hand_pixel_values=right_hand_pixel_values,
                pose_values=pose_values,
                attention_mask=attention_mask,
                face_mask=face_mask,
                left_hand_mask=left_hand_mask,
                right_hand_mask=right_hand_mask,
                pose_mask=pose_mask,
            )
        if decoder_input_ids is None and labels is not None:
            decoder_input_ids = shift_right(labels, self.config.pad_token_id, self.config.decoder_start_token_id)
        use_cache = labels is None and (self.config.use_cache if use_cache is None else use_cache)
        states, mask = encoder_outputs[0], self.states_mask(encoder_outputs, attention_mask)
        if mask is None:
            mask = torch.ones(states.shape[:2], dtype=torch.long, device=states.device)
        has_own_decoder = past_key_values is not None and self.decoder_with_past is not None
        outputs = (self.decoder_with_past if has_own_decoder else self.decoder)(
            input_ids=decoder_input_ids,
            encoder_hidden_states=states,
            encoder_attention_mask=mask,
            past_key_values=past_key_values,
            use_cache=use_cache,
        )
        return Seq2SeqLMOutput(
            loss=None if labels is None else sequence_loss(outputs.logits, labels),
            logits=outputs.logits,
            past_key_values=outputs.past_key_values,
            encoder_last_hidden_state=states,
        )

    def prepare_inputs_for_generation(
        self,
        input_ids: torch.LongTensor,
        past_key_values: tuple[tuple[torch.Tensor, ...], ...] | None = None,
        attention_mask: torch.Tensor | None = None,
        encoder_outputs: MultiStreamEncoderOutput | None = None,
        use_cache: bool | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return what `forward` needs for the next token: `generate` calls it at each one, so that it is short."""
        if past_key_values is not None:
            input_ids = input_ids[:, past_key_values[0][0].shape[2] :]
        return {
            "decoder_input_ids": input_ids,
            "past_key_values": past_key_values,
            "attention_mask": attention_mask,
            "encoder_outputs": encoder_outputs,
            "use_cache": use_cache,
        }

    def eval(self) -> ORTMultiStreamForConditionalGeneration:
        """Return the model, which knows no training."""
        return self

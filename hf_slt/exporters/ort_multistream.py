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
from hf_slt.exporters.onnx_configs import CTC_HEAD, DecoderSizes
from hf_slt.exporters.onnx_files import DECODER, DECODER_WITH_PAST, MERGED_DECODER
from hf_slt.exporters.ort_encoder import ENCODER_FILE, ORTMultiStreamEncoder
from hf_slt.exporters.ort_loading import ExportedModelMixin, as_mask, as_values, check_asked_outputs, session_options
from hf_slt.exporters.requirements import require_onnx
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.generation import INPUT_NAMES, MultiStreamGenerationMixin
from hf_slt.models.multistream.modeling_multistream import MultiStreamEncoderOutput, sequence_loss, shift_right

onnxruntime = require_onnx("onnxruntime")
_seq2seq: Any = require_onnx("optimum.onnxruntime.modeling_seq2seq")


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
        super().__init__(config=config, **kwargs)
        self.main_input_name = self.encoder.main_input_name
        self.ctc_head = self._open_ctc_head()

    @classmethod
    def from_pretrained(cls, model_id: str | Path, *, use_merged: bool | None = None, **kwargs: Any) -> Any:
        """Load a model by folder or hub name.

        Args:
            model_id: The folder of the export, or its name on the hub.
            use_merged: Decode with `decoder_model_merged.onnx`, which holds each weight once, and not with the pair of
                files without and with cache, which is faster. By default the pair, where it is there.
            kwargs: `num_threads`, and what optimum's `ORTModel.from_pretrained` takes. `use_cache` is by default
                false for a folder whose only decoder knows no cache: it was exported as `text2text-generation`.

        Raises:
            ConfigurationError: It holds no exported translation model, or the encoder alone.
        """
        if isinstance(model_id, (str, Path)):
            folder = Path(model_id, kwargs.get("subfolder") or "")
            if use_merged is None and (folder / DECODER_WITH_PAST).is_file():
                use_merged = False
            cached = (DECODER_WITH_PAST, MERGED_DECODER)
            if (folder / DECODER).is_file() and not any((folder / name).is_file() for name in cached):
                kwargs.setdefault("use_cache", False)
        return super().from_pretrained(model_id, use_merged=use_merged, **kwargs)

    @classmethod
    def _from_pretrained(cls, model_id: str | Path, config: Any, subfolder: str = "", **kwargs: Any) -> Any:
        if not isinstance(config, MultiStreamConfig):
            raise ConfigurationError(f"expected an exported translation model, found one of type '{config.model_type}'")
        folder = Path(model_id, subfolder or "")
        if (folder / ENCODER_FILE).is_file() and not any(folder.glob("*decoder*.onnx")):
            raise ConfigurationError(
                f"expected an exported translation model, found an encoder without its decoder in '{folder}'; export "
                f"with --part full, or use ORTMultiStreamEncoder"
            )
        if getattr(config, "ctc_weight", 0) and not Path(model_id).is_dir():
            # optimum fetches from the hub what it knows of: encoder and decoder.
            names = ("revision", "force_download", "local_files_only", "cache_dir", "token")
            with contextlib.suppress(OSError):
                given = {name: kwargs[name] for name in names if name in kwargs}
                cls._cached_file(model_id, CTC_HEAD, subfolder=subfolder, **given)
        return super()._from_pretrained(model_id, config, subfolder=subfolder, **kwargs)

    def _save_pretrained(self, save_directory: str | Path) -> None:
        super()._save_pretrained(save_directory)
        if self.ctc_head is not None:
            shutil.copyfile(Path(self.model_save_dir) / CTC_HEAD, Path(save_directory) / CTC_HEAD)

    def _open_ctc_head(self) -> Any | None:
        path = Path(self.model_save_dir) / CTC_HEAD
        if not path.is_file():
            return None
        threads = self.decoder.session.get_session_options().intra_op_num_threads
        return onnxruntime.InferenceSession(path, session_options(threads or None), providers=self.providers)

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
        (logits,) = self.ctc_head.run(None, {"last_hidden_state": states.float().numpy(force=True)})
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
        decoder_attention_mask: torch.Tensor | None = None,
        encoder_outputs: MultiStreamEncoderOutput | tuple[Any, ...] | None = None,
        past_key_values: tuple[tuple[torch.Tensor, ...], ...] | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        cache_position: torch.Tensor | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Seq2SeqLMOutput | tuple[Any, ...]:
        r"""Score target sentences; the arguments are those of [`MultiStreamForConditionalGeneration.forward`].

        `past_key_values` are those of an earlier call, a tuple; they say the positions of the tokens, and
        `cache_position` is not read. The decoder has no mask of its own: a `decoder_attention_mask` has to be all ones.

        Returns:
            `loss` (if there are labels), `logits (B, N, V)`, `past_key_values`, `encoder_last_hidden_state (B, T', D)`;
            a tuple if `return_dict` is false. These states are the encoder's own: with `config.bridge` PyTorch returns
            them as the decoder sees them, of its width, and here the bridge is a part of the decoder's file.

        Raises:
            ConfigurationError: Neither labels nor tokens are given, streams, tokens or a cache that the files do not
                take, or attentions or hidden states are asked for.
        """
        check_asked_outputs(output_attentions=output_attentions, output_hidden_states=output_hidden_states)
        use_cache = labels is None and (self.config.use_cache if use_cache is None else use_cache)
        self._check_decoder_inputs(decoder_attention_mask, past_key_values, use_cache)
        if decoder_input_ids is None and labels is not None:
            decoder_input_ids = shift_right(labels, self.config.pad_token_id, self.config.decoder_start_token_id)
        if decoder_input_ids is None:
            raise ConfigurationError("expected labels or decoder_input_ids, the tokens to score, found neither")
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
        states = as_values("encoder_outputs", encoder_outputs[0])
        mask = self.states_mask(encoder_outputs, attention_mask)
        mask = torch.ones(states.shape[:2], device=states.device) if mask is None else mask
        if decoder_input_ids.dim() != 2 or len(decoder_input_ids) != len(states) or not decoder_input_ids.numel():
            raise DimensionMismatchError(
                f"expected tokens (B, N) of {len(states)} clips, at least one of each, found "
                f"{tuple(decoder_input_ids.shape)}"
            )
        has_own_decoder = past_key_values is not None and self.decoder_with_past is not None
        outputs = (self.decoder_with_past if has_own_decoder else self.decoder)(
            input_ids=decoder_input_ids,
            encoder_hidden_states=states,
            encoder_attention_mask=as_mask("attention_mask", mask),
            past_key_values=past_key_values,
            use_cache=use_cache,
        )
        output = Seq2SeqLMOutput(
            loss=None if labels is None else sequence_loss(outputs.logits, labels, num_items_in_batch),
            logits=outputs.logits,
            past_key_values=outputs.past_key_values,
            encoder_last_hidden_state=states,
        )
        return output if return_dict in (None, True) else output.to_tuple()

    def _check_decoder_inputs(self, mask: torch.Tensor | None, past_key_values: Any, use_cache: bool) -> None:
        if mask is not None and not bool(as_mask("decoder_attention_mask", mask).all()):
            raise ConfigurationError(
                "expected a decoder_attention_mask of ones, since the exported decoder takes none, found zeros; score "
                "sentences of several lengths with labels that end in -100"
            )
        if past_key_values is not None and not isinstance(past_key_values, tuple):
            raise ConfigurationError(
                f"expected past_key_values as this model returns them, a tuple, found {type(past_key_values).__name__}"
            )
        if (use_cache or past_key_values is not None) and not self.can_use_cache:
            raise ConfigurationError(
                "expected no cache, since none of the loaded decoders knows one, found use_cache=True or "
                "past_key_values; export with the task text2text-generation-with-past, and load with use_cache=True"
            )

    def _prepare_model_inputs(
        self, inputs: Any = None, bos_token_id: Any = None, model_kwargs: dict[str, Any] | None = None
    ) -> tuple[torch.Tensor, str | None, dict[str, Any]]:
        names = [INPUT_NAMES[stream] for stream in self.config.streams]
        given = model_kwargs or {}
        if inputs is None and all(given.get(name) is None for name in (*names, "encoder_outputs")):
            raise ConfigurationError(f"expected at least one of the inputs {names} of generate, found none")
        return super()._prepare_model_inputs(inputs, bos_token_id, model_kwargs)

    def prepare_inputs_for_generation(
        self,
        input_ids: torch.Tensor,
        past_key_values: tuple[tuple[torch.Tensor, ...], ...] | None = None,
        attention_mask: torch.Tensor | None = None,
        encoder_outputs: MultiStreamEncoderOutput | None = None,
        use_cache: bool | None = None,
        decoder_attention_mask: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return what `forward` needs for the next token: `generate` calls it at each one, so that it is short."""
        if past_key_values is not None:
            input_ids = input_ids[:, past_key_values[0][0].shape[2] :]
        return {
            "decoder_input_ids": input_ids,
            "decoder_attention_mask": decoder_attention_mask,
            "past_key_values": past_key_values,
            "attention_mask": attention_mask,
            "encoder_outputs": encoder_outputs,
            "use_cache": use_cache,
        }

    def eval(self) -> ORTMultiStreamForConditionalGeneration:
        """Return the model, which knows no training."""
        return self

"""How `generate` treats the streams, whichever runtime computes the model."""

from __future__ import annotations

from typing import Any

import torch
from transformers import LogitsProcessorList
from transformers.utils import ModelOutput

from hf_slt.models.multistream.ctc import CTCPrefixScorer, ctc_log_probs
from hf_slt.streams import STREAMS

INPUT_NAMES = {stream: "pose_values" if stream == "pose" else f"{stream}_pixel_values" for stream in STREAMS}
ENCODER_INPUTS = (*INPUT_NAMES.values(), *(f"{stream}_mask" for stream in STREAMS))


class MultiStreamGenerationMixin:
    """What a translation model changes in `GenerationMixin`; comes before it in the bases of a class.

    A class has `config`, `main_input_name` and `compute_ctc_logits`.
    """

    def compute_ctc_logits(self, states: torch.Tensor) -> torch.Tensor | None:
        """Return the scores `(B, T', V)` of the CTC head for encoder states `(B, T', D)`; None without such a head."""
        raise NotImplementedError

    def states_mask(self, encoder_outputs: ModelOutput | tuple, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """Return the mask `(B, T')` of the encoder's states, None if it is not known: 1 = the state of a real frame.

        Args:
            encoder_outputs: What the encoder returned, states first; it may hold their mask.
            attention_mask: Mask of the frames `(B, T)`, which the states' own goes before.
        """
        mask = getattr(encoder_outputs, "attention_mask", None)
        if mask is None and attention_mask is not None:
            mask = attention_mask[:, :: self.config.temporal_stride]
        return mask

    def _get_logits_processor(self, *args: Any, **kwargs: Any) -> LogitsProcessorList:
        # Joint decoding, in every mode of `generate`: each step's scores are a mix of the decoder's and CTC's.
        processors = super()._get_logits_processor(*args, **kwargs)
        if not self.config.ctc_weight or not self.config.ctc_decoding_weight:
            return processors
        model_kwargs = kwargs["model_kwargs"]
        encoder_outputs = model_kwargs["encoder_outputs"]
        states = encoder_outputs[0]
        mask = self.states_mask(encoder_outputs, model_kwargs.get("attention_mask"))
        mask = torch.ones(states.shape[:2], device=states.device) if mask is None else mask
        blank, eos = self.config.pad_token_id, self.config.eos_token_id
        log_probs = ctc_log_probs(self.compute_ctc_logits(states), mask, blank)
        processors.append(CTCPrefixScorer(log_probs, self.config.ctc_decoding_weight, blank, eos))
        return processors

    def _prepare_model_inputs(
        self,
        inputs: torch.Tensor | None = None,
        bos_token_id: torch.Tensor | None = None,
        model_kwargs: dict[str, Any] | None = None,
    ) -> tuple[torch.Tensor, str | None, dict[str, Any]]:
        # `generate` hands the encoder one main input; where that stream is missing, another one takes its place.
        model_kwargs = model_kwargs or {}
        given = [INPUT_NAMES[s] for s in self.config.streams if model_kwargs.get(INPUT_NAMES[s]) is not None]
        if inputs is None and given and self.main_input_name not in given:
            others = {name: value for name, value in model_kwargs.items() if name != given[0]}
            return model_kwargs[given[0]], given[0], others
        return super()._prepare_model_inputs(inputs, bos_token_id, model_kwargs)

    def _expand_inputs_for_generation(self, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, dict[str, Any]]:
        # Beams and returned sequences share one encoder output: copies of the raw pixels would only fill the memory.
        kwargs = {name: value for name, value in kwargs.items() if name not in ENCODER_INPUTS}
        return super()._expand_inputs_for_generation(*args, **kwargs)

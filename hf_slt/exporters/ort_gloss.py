"""Gloss classifiers on ONNX Runtime. Importing this module needs the extra `onnx`."""

from __future__ import annotations

from typing import Any

import torch

from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.exporters.ort_loading import ExportedModelMixin, as_mask, as_values, check_asked_outputs
from hf_slt.exporters.requirements import require_onnx
from hf_slt.models.auto import GLOSS_FAMILIES
from hf_slt.models.gloss.heads import classifier_output
from hf_slt.models.gloss.masking import real_frames
from hf_slt.models.gloss.outputs import GlossClassifierOutput

_modeling: Any = require_onnx("optimum.onnxruntime.modeling")


class ORTGlossClassifier(ExportedModelMixin, _modeling.ORTModel):
    """An exported gloss classifier of any family; takes what the PyTorch model does, and returns the same scores.

    Hidden states are not in the files: asking for them is an error.

    Example:
        >>> model = ORTGlossClassifier.from_pretrained("out")
        >>> model(**extractor([clip], return_tensors="pt")).gloss_logits
    """

    main_input_name = "input_values"

    def __init__(self, *, config: Any = None, **kwargs: Any):
        if config.model_type not in GLOSS_FAMILIES:
            raise ConfigurationError(
                f"expected an exported gloss classifier, found a model of type '{config.model_type}'"
            )
        super().__init__(config=config, **kwargs)

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        category_labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> GlossClassifierOutput | tuple[Any, ...]:
        r"""Classify a batch of clips.

        Args:
            input_values (`torch.FloatTensor` of shape `(B, T, F)`): Frames, as the feature extractor writes them.
            attention_mask (`torch.Tensor` of shape `(B, T)`, *optional*): 1 = real frame; `None`: every frame is real.
            labels (`torch.LongTensor` of shape `(B,)`, *optional*): Glosses; -100 = unknown.
            category_labels (`torch.LongTensor` of shape `(B,)`, *optional*): Categories; -100 = unknown.
            output_hidden_states (`bool`, *optional*): Not available: true is an error.
            return_dict (`bool`, *optional*): Return a `GlossClassifierOutput` (default) or a tuple.

        Raises:
            DimensionMismatchError: `input_values` is of another shape than expected, or there is no clip or frame.
            ConfigurationError: `attention_mask` is, there are category labels and no category head, or hidden states
                are asked for.
        """
        check_asked_outputs(output_hidden_states=output_hidden_states)
        input_values = as_values("input_values", input_values)
        attention_mask = None if attention_mask is None else as_mask("attention_mask", attention_mask)
        real_frames(input_values, attention_mask, self.config.input_size)  # says what shape is wrong
        if not len(input_values):
            raise DimensionMismatchError(f"expected at least one clip, found {tuple(input_values.shape)}")
        if attention_mask is None:
            attention_mask = torch.ones(input_values.shape[:2], dtype=torch.long)
        inputs = self._prepare_onnx_inputs(True, {"input_values": input_values, "attention_mask": attention_mask})
        outputs = self._prepare_onnx_outputs(True, self.session.run(None, inputs))
        logits = (outputs["gloss_logits"], outputs.get("category_logits"))
        return classifier_output(self.config, logits, labels, category_labels, return_dict=return_dict)

    def eval(self) -> ORTGlossClassifier:
        """Return the model, which knows no training."""
        return self

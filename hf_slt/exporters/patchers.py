"""What is changed in a model while optimum traces it; afterwards it is as it was.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

import functools
import inspect
from contextlib import ExitStack
from typing import Any

import torch

from hf_slt.exporters.requirements import require_onnx
from hf_slt.exporters.symbolics import lean_operators
from hf_slt.models.multistream.modeling_multistream import MultiStreamEncoderOutput

_patcher = require_onnx("optimum.exporters.onnx.model_patcher")


class ClassifierPatcher(_patcher.ModelPatcher):
    """Write the operations of an encoder or a classifier in their lean form."""

    lean = True

    def __enter__(self) -> None:
        self._stack = ExitStack()
        if self.lean:
            self._stack.enter_context(lean_operators(self.real_config.DEFAULT_ONNX_OPSET))
        super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        # The method of the class again, instead of a copy of it in the model.
        self._model.__dict__.pop(self.orig_forward_name, None)
        self._stack.close()


class MultiStreamPatcher(ClassifierPatcher):
    """Likewise for the stream encoder; a decoder takes the mask of the states in place of that of the frames.

    Text decoders are transformers' own, whose attention optimum writes.
    """

    def __init__(self, config: Any, model: Any, model_kwargs: dict[str, Any] | None = None):
        super().__init__(config, model, model_kwargs)
        self.lean = config.is_encoder
        if not config.is_encoder:
            self.orig_forward = _with_states_mask(self.orig_forward)


def _with_states_mask(forward: Any) -> Any:
    signature = inspect.signature(forward)

    @functools.wraps(forward)
    def forward_with_states_mask(*args: Any, **kwargs: Any) -> Any:
        """Give the mask with the states, so that the model does not shorten it as that of the frames."""
        given = signature.bind(*args, **kwargs).arguments
        states = given["encoder_outputs"]
        states = states if isinstance(states, torch.Tensor) else states[0]
        given["encoder_outputs"] = MultiStreamEncoderOutput(states, attention_mask=given["attention_mask"])
        return forward(**given)

    return forward_with_states_mask

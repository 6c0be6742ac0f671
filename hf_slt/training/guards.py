"""Losses that are not finite, and memory that is not enough: errors that say what to do."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import torch
from accelerate.utils.memory import should_reduce_batch_size

from hf_slt.errors import HfSltError

logger = logging.getLogger(__name__)

MAX_SHOWN = 20
MAX_SKIPPED_IN_A_ROW = 50  # after that the weights, not the clips, are what is not finite


class NonFiniteLossError(HfSltError):
    """The training loss is infinite or not a number."""


class OutOfMemoryError(HfSltError):
    """A model, batch or data set does not fit into the memory."""


class FiniteLoss:
    """Mixin of a [`Trainer`] that stops at a loss which is not finite, or leaves the batch out and counts it.

    Batches carry the names of their clips under `clip_key`, which the model does not see.

    Attributes:
        skipped_batches: Batches that were left out.
    """

    clip_key = "video_ids"

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.skipped_batches = 0
        self._skipped_in_a_row = 0
        self._clips: list[str] = []

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        inputs = super()._prepare_inputs(inputs)
        self._clips = list(inputs.pop(self.clip_key, []))
        return inputs

    def finite_loss(self, loss: torch.Tensor) -> torch.Tensor:
        """Return the training loss of the batch at hand if it is finite.

        Raises:
            NonFiniteLossError: It is not, and is not to be skipped.
        """
        if torch.isfinite(loss):
            self._skipped_in_a_row = 0
            return loss
        shown = ", ".join(self._clips[:MAX_SHOWN]) + (", ..." if len(self._clips) > MAX_SHOWN else "")
        where = f"step {self.state.global_step + 1}, epoch {self.state.epoch or 0:.3g}, clips: {shown}"
        found = f"{float(loss.detach())} at {where}"
        self.skipped_batches += 1
        self._skipped_in_a_row += 1
        if not self.args.skip_nonfinite_loss or self._skipped_in_a_row > MAX_SKIPPED_IN_A_ROW:
            fix = "lower --lr or --clip-grad-norm, try --precision fp32, or look at these clips"
            if not self.args.skip_nonfinite_loss:
                fix += "; --skip-nonfinite-loss leaves such batches out"
            raise NonFiniteLossError(f"expected a finite training loss, found {found}; {fix}")
        logger.warning(f"batch left out, its loss is {found}")
        return self._no_gradient()

    def _no_gradient(self) -> torch.Tensor:
        """Return a loss of zero. Without gradients the optimizer leaves the weights as they are.

        Several processes add up gradients, and wait for those of each, and the scaler of fp16 refuses to step without
        any: there a batch that is left out gives zeros.
        """
        if self.accelerator.num_processes == 1 and self.accelerator.scaler is None:
            return torch.zeros((), device=self.args.device, requires_grad=True)
        return sum((p * 0).sum() for p in self.model.parameters() if p.requires_grad)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that a GPU's or the machine's memory is full."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or should_reduce_batch_size(error):
        return True
    words = ("No executable batch size found", "is killed by signal: Killed", "can't allocate memory", "out of memory")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


@contextlib.contextmanager
def memory_errors(args: Any, settings: str) -> Iterator[None]:
    """Turn a lack of memory into an error that names what to lower.

    Args:
        args: The arguments of the run.
        settings: Flags beside the batch size that the task can lower.

    Raises:
        OutOfMemoryError: The memory was full.
    """
    try:
        yield
    except Exception as error:  # torch has no common type for it
        if not is_out_of_memory(error):
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise OutOfMemoryError(
            f"expected a batch to fit into the memory, found: {first}; lower --batch-size (now "
            f"{args.per_device_train_batch_size}) or --val-batch-size (now {args.per_device_eval_batch_size}), with "
            f"--grad-accum-steps to keep the batch of a step, or {settings}; --precision amp and "
            f"--gradient_checkpointing true also help; --auto_find_batch_size true lowers the batch until it fits"
        ) from error

"""The training loss over a run that was stopped: what was summed up before goes on in the run that is resumed."""

from __future__ import annotations

from typing import Any

import torch

from hf_slt.compat import count_steps_from_the_start


class CarriedLoss:
    """Mixin of a [`Trainer`] that logs the same losses whether a run was stopped or not.

    transformers begins again at 0: the loss of the epoch at hand would be that of its rest, and `train_loss` that of
    the rest of the run, divided by all of its steps.
    """

    _unlogged: torch.Tensor | None = None  # sum of the losses of the steps since the last log
    _carried = 0.0
    _last_figures: tuple[Any, float | None] = (None, None)  # norm of the gradient, learning rate

    def loss_state(self) -> dict[str, Any]:
        """Return the sums of a checkpoint; called on every process."""
        unlogged = 0.0 if self._unlogged is None else self.accelerator.gather(self._unlogged).mean().item()
        norm, rate = self._last_figures
        return {
            "logged_loss": self._total_loss_scalar,
            "unlogged_loss": unlogged,
            "last_logged_step": self._globalstep_last_logged,
            "grad_norm": None if norm is None else float(norm),
            "learning_rate": rate,
        }

    def load_loss_state(self, state: dict[str, Any]) -> None:
        """Go on with the sums of a checkpoint; without any, begin at 0."""
        self._carried, self._unlogged = state.get("unlogged_loss", 0.0), None
        self._last_figures = state.get("grad_norm"), state.get("learning_rate")
        if "logged_loss" in state:
            self._total_loss_scalar = state["logged_loss"]
            self._globalstep_last_logged = state["last_logged_step"]
            count_steps_from_the_start(self)

    def make_up_log(self, **due: bool) -> None:
        """Log, evaluate and save what is due at the step at which a run is resumed."""
        for name, value in due.items():
            setattr(self.control, name, value)
        loss = torch.zeros((), device=self.args.device)
        norm, rate = self._last_figures
        self._maybe_log_save_evaluate(loss, norm, self.model, None, self.state.epoch, None, 0.0, learning_rate=rate)
        self._carried = self.accelerator.gather(loss).mean().item()  # 0 if it was logged

    def mean_loss(self) -> float:
        """Return the mean training loss over the steps of a run that has nothing left to train."""
        return (self._total_loss_scalar + self._carried) / max(self.state.global_step, 1)

    def _maybe_log_save_evaluate(self, tr_loss: torch.Tensor, grad_norm: Any, *args: Any, **kwargs: Any) -> None:
        tr_loss.add_(self._carried)
        self._carried, self._unlogged, self._last_figures = 0.0, tr_loss, (grad_norm, kwargs.get("learning_rate"))
        super()._maybe_log_save_evaluate(tr_loss, grad_norm, *args, **kwargs)

"""Runs that can be stopped anywhere and go on exactly: whole checkpoints, evaluations made up for, signals."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback
from transformers.trainer_utils import TrainOutput

from hf_slt.errors import ConfigurationError
from hf_slt.training.attempts import FirstAttempt
from hf_slt.training.carried_loss import CarriedLoss
from hf_slt.training.checkpoints import RUN_STATE, checkpoints_of, repair, set_aside
from hf_slt.training.ema import TRAINING_WEIGHTS, WeightAverage
from hf_slt.training.guards import memory_errors
from hf_slt.training.interruption import EvaluationAbandoned, Interrupted, StopSignal
from hf_slt.training.saving import WholeSaving

logger = logging.getLogger(__name__)


class _Complete(Exception):
    """The run that is resumed has nothing left to train."""


class _AfterLoading(TrainerCallback):
    """Calls back when a run that is resumed has loaded everything; the last of the callbacks."""

    def __init__(self, trainer: ExactRuns):
        self.trainer = trainer

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Make up for what the run was stopped before."""
        self.trainer.make_up()

    def on_optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Average the weights."""
        if self.trainer.average is not None:
            self.trainer.average.update()


class ExactRuns(WholeSaving, CarriedLoss):
    """Mixin of a [`Trainer`]: a run that was stopped at any moment, and is resumed, ends like one that never was.

    Attributes:
        memory_settings: Flags, beside the batch size, that need less memory when they are lower.
    """

    memory_settings = "the sizes of the model"

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._stop = StopSignal()
        self._resumed_from: Path | None = None
        self._start: FirstAttempt | None = None

    def train(self, resume_from_checkpoint: str | None = None, **kwargs: Any) -> TrainOutput:
        """Train; see [`Trainer.train`].

        Raises:
            Interrupted: A signal asked to stop; the run has saved a checkpoint.
            CheckpointError: A checkpoint could not be written; earlier ones are whole.
            OutOfMemoryError: The memory was full.
        """
        run_dir = Path(self.args.output_dir)
        self._resumed_from = Path(resume_from_checkpoint) if resume_from_checkpoint else None
        if self.args.should_save:
            repair(run_dir)
        self._start_average()
        self._start = None
        # transformers would delete the last checkpoint of a run that may keep one, and the best one of a moved folder.
        self.limit, self.args.save_total_limit = self.args.save_total_limit, None
        # The last one, whoever else was added meanwhile.
        self.remove_callback(_AfterLoading)
        self.add_callback(_AfterLoading(self))
        with self._stop.listen(), memory_errors(self.args, self.memory_settings):
            try:
                output = super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)
            except _Complete:
                output = self._finish()
            finally:
                self.args.save_total_limit = self.limit
        self._start = None
        best_is_loaded = self.args.load_best_model_at_end and self.state.best_model_checkpoint is not None
        if self.average is not None and not best_is_loaded:
            self.average.copy_to_model()
        self.average = None  # what follows is of the model as it is saved
        if self._stop.number is not None:
            message = "stopped by a signal when all was trained: the same command with --resume writes the results"
            raise Interrupted(self._stop.number, message)
        return output

    def _inner_training_loop(self, *args: Any, **kwargs: Any) -> TrainOutput:
        """Train; with `--auto_find_batch_size` each attempt begins where the first one did."""
        if self._start is not None:
            self._start.restore(self)
        elif self.args.auto_find_batch_size:
            self._start = FirstAttempt(self)
        return super()._inner_training_loop(*args, **kwargs)

    def _load_best_model(self) -> None:
        if Path(self.state.best_model_checkpoint).is_dir():
            super()._load_best_model()
            return
        logger.warning(f"{self.state.best_model_checkpoint}, the best checkpoint, is gone: the run ends with the last")
        self.state.best_model_checkpoint = None

    def _start_average(self) -> None:
        if not getattr(self.args, "use_ema", False):
            if self._resumed_from is not None and (self._resumed_from / TRAINING_WEIGHTS).is_file():
                raise ConfigurationError(
                    f"expected --use-ema, with which {self._resumed_from} was saved, to resume from it, found none"
                )
        elif self._resumed_from is not None and not (self._resumed_from / TRAINING_WEIGHTS).is_file():
            raise ConfigurationError(
                f"expected no --use-ema to resume from {self._resumed_from}, which was saved without it"
            )
        elif self.is_fsdp_enabled or self.is_deepspeed_enabled:
            raise ConfigurationError("expected no --use-ema with FSDP or DeepSpeed, where no process has all weights")
        else:
            self.average = WeightAverage(self.model, self.args.ema_decay)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, *args: Any, **kwargs: Any) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, *args, **kwargs)
        if self.average is not None:
            self.average.load_weights(Path(resume_from_checkpoint))

    def make_up(self) -> None:
        """Take over the state of the checkpoint, and evaluate where the run was stopped before it could.

        Raises:
            _Complete: Nothing is left to train.
        """
        self._make_room()
        checkpoint = self._resumed_from
        if checkpoint is None:
            return
        self._load_own_state(checkpoint)
        self._find_best_checkpoint(checkpoint)
        self._load_rng_state(str(checkpoint))
        last = self.state.global_step >= self.state.max_steps
        evaluates = self.evaluation_is_missing()
        saves = evaluates and str(self.args.save_strategy.value) != "no"
        if evaluates or self.log_is_missing():
            self.make_up_log(should_log=self.log_is_missing(), should_evaluate=evaluates, should_save=saves)
        if last or self.control.should_training_stop:
            raise _Complete

    def run_state(self) -> dict[str, Any]:
        """Return also the sums of the training loss."""
        return {**super().run_state(), **self.loss_state()}

    def load_run_state(self, state: dict[str, Any]) -> None:
        """Take over also the sums of the training loss."""
        super().load_run_state(state)
        self.load_loss_state(state)

    def _make_room(self) -> None:
        """Move checkpoints of an earlier run out of the way, delete those of an attempt with too large batches."""
        run_dir, step = Path(self.args.output_dir), self.state.global_step
        if not self.args.should_save:
            return
        if self._start is not None and self._start.restored:
            for checkpoint in checkpoints_of(run_dir):
                if int(checkpoint.name.removeprefix("checkpoint-")) > step:
                    shutil.rmtree(checkpoint, ignore_errors=True)
        elif place := set_aside(run_dir, step):
            logger.warning(f"{run_dir} holds an earlier run: what is later than step {step} is in {place} now")

    def _load_own_state(self, checkpoint: Path) -> None:
        path = checkpoint / RUN_STATE
        state = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        self.load_run_state(state)
        if self.average is not None:
            self.average.updates = state.get("average_updates", 0)

    def _find_best_checkpoint(self, checkpoint: Path) -> None:
        """Name the best checkpoint as the run names its folder now, which may have been moved."""
        step = self.state.best_global_step
        if not step:
            return
        found = [folder / f"checkpoint-{step}" for folder in (Path(self.args.output_dir), checkpoint.parent)]
        best = next((path for path in found if path.is_dir()), None)
        self.state.best_model_checkpoint = None if best is None else str(best)
        if best is None:
            logger.warning(f"the best checkpoint so far, of step {step}, is gone: the best of the others is kept")
            self.state.best_metric = self.state.best_global_step = None

    def evaluation_is_missing(self) -> bool:
        """Tell whether the evaluation that belongs to the current step was not made, or not saved."""
        strategy, step = str(self.args.eval_strategy.value), self.state.global_step
        if strategy == "no" or not step:
            return False
        if strategy == "steps":
            due = step % self.state.eval_steps == 0 and step >= (self.args.eval_delay or 0)
        else:
            ended = step % self.steps_per_epoch == 0 or step >= self.state.max_steps
            due = ended and (self.state.epoch or 0) >= (self.args.eval_delay or 0)
        return due and not any(e["step"] == step and "eval_loss" in e for e in self.state.log_history)

    def log_is_missing(self) -> bool:
        """Tell whether the run was stopped between the last step of an epoch and the log of the epoch."""
        strategy, step = str(self.args.logging_strategy.value), self.state.global_step
        ended = strategy == "epoch" and (step % self.steps_per_epoch == 0 or step >= self.state.max_steps)
        return ended and not any(e["step"] == step and "loss" in e for e in self.state.log_history)

    def _finish(self) -> TrainOutput:
        """End a run that was resumed when there was nothing left to train, as `train` ends."""
        if self.args.load_best_model_at_end and self.state.best_model_checkpoint is not None:
            self._load_best_model()
        self.is_in_train = False
        logger.info(f"nothing is left to train after step {self.state.global_step}")
        self.control = self.callback_handler.on_train_end(self.args, self.state, self.control)
        loss = self.mean_loss()
        metrics = {"train_loss": loss, "epoch": self.state.epoch}
        return TrainOutput(self.state.global_step, loss, metrics)

    def _determine_best_metric(self, *args: Any, **kwargs: Any) -> bool:
        is_new_best = super()._determine_best_metric(*args, **kwargs)
        if is_new_best and str(self.args.save_strategy.value) != "no":
            # Whatever the strategy: a best model that no checkpoint holds could not be gone back to.
            self.state.best_global_step = self.state.global_step
            self.control.should_save = True
        return is_new_best

    def _maybe_log_save_evaluate(self, *args: Any, **kwargs: Any) -> None:
        if not self._is_asked_to_stop():
            with contextlib.suppress(EvaluationAbandoned):
                super()._maybe_log_save_evaluate(*args, **kwargs)
            if not self._is_asked_to_stop():
                return
        self.control.should_evaluate = self.control.should_save = False
        super()._maybe_log_save_evaluate(*args, **kwargs)  # what was to be logged
        self._save_checkpoint(self.model, None)
        name = f"checkpoint-{self.state.global_step}"
        raise Interrupted(
            self._stop.number or signal.SIGTERM,  # another process got it
            f"stopped by a signal after step {self.state.global_step}; {Path(self.args.output_dir) / name} is saved: "
            f"the same command with --resume goes on",
        )

    def _is_asked_to_stop(self) -> bool:
        """Tell whether any process got a signal; all of them have to stop at the same step."""
        asked = self._stop.number is not None
        if self.accelerator.num_processes == 1:
            return asked
        return bool(self.accelerator.reduce(torch.tensor(float(asked), device=self.args.device), "sum") > 0)

    def prediction_step(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate a batch; a signal ends an evaluation in training, which is made up for when the run is resumed."""
        if self.is_in_train and self._stop.number is not None and self.accelerator.num_processes == 1:
            raise EvaluationAbandoned
        return super().prediction_step(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate, with the averaged weights if there are any; training draws the same random numbers after it.

        Raises:
            OutOfMemoryError: The memory was full.
        """
        averaged = contextlib.nullcontext() if self.average is None else self.average.applied()
        with memory_errors(self.args, self.memory_settings), untouched_random_state(), averaged:
            return super().evaluate(*args, **kwargs)


@contextlib.contextmanager
def untouched_random_state() -> Iterator[None]:
    """Restore the random generators of this process behind what runs in it."""
    python, numpy = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=list(devices)):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)

"""Optimizer and learning-rate schedule of the trainers, where their flags go beyond HuggingFace's."""

from __future__ import annotations

import copy
import functools
import json
import math
import re
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer

from hf_slt.errors import ConfigurationError
from hf_slt.training.checkpoints import RUN_STATE


def warmup_factor(step: int, warmup_steps: int) -> float:
    """Return the factor of the learning rate in a linear warm-up; 1 behind it."""
    return min(1.0, step / warmup_steps) if warmup_steps else 1.0


def step_decay(step: int, *, step_size: int, gamma: float, warmup_steps: int = 0) -> float:
    """Return `gamma ** (step // step_size)`, the factor of torch's `StepLR` with the size counted in steps."""
    return gamma ** (step // step_size) * warmup_factor(step, warmup_steps)


def cosine_annealing(step: int, *, period: int, warmup_steps: int = 0) -> float:
    """Return `(1 + cos(pi * t / period)) / 2` for t steps after the warm-up, as torch's `CosineAnnealingLR`.

    Reference: Loshchilov and Hutter (2017), SGDR, equation 5, without restarts: behind `period` it rises again.
    """
    after = max(0, step - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * after / period)) * warmup_factor(step, warmup_steps)


class OwnOptimization:
    """Mixin of a [`Trainer`] whose arguments are [`RunSettings`]: any optimizer, schedules that count in epochs.

    Attributes:
        steps_per_epoch: Steps of the optimizer an epoch; known once training begins.
    """

    steps_per_epoch = 1

    def set_initial_training_values(self, *args: Any, **kwargs: Any) -> tuple:
        """Remember the steps of an epoch, which schedules in epochs and resuming need."""
        values = super().set_initial_training_values(*args, **kwargs)
        self.steps_per_epoch = values[1]
        return values

    @staticmethod
    def get_optimizer_cls_and_kwargs(args: Any, model: Any = None) -> tuple[Any, dict[str, Any]]:
        """Return class and arguments of the optimizer."""
        given = optimizer_arguments(args.optim_args)
        if args.optimizer_class is not None:
            return args.optimizer_class, {"lr": args.learning_rate, **given}
        bare = copy.copy(args)
        bare.optim_args = None
        found, own = Trainer.get_optimizer_cls_and_kwargs(bare, model)
        if getattr(found, "__module__", "").startswith(("torch.optim", "transformers.optimization")):
            return found, {**own, **given}  # to which transformers does not pass --optim-args on
        return Trainer.get_optimizer_cls_and_kwargs(args, model)

    def create_optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        """Create the optimizer; encoder and decoder may have learning rates of their own.

        Raises:
            ConfigurationError: The optimizer does not take its arguments, or these parameters.
        """
        if self.optimizer is not None:
            return self.optimizer
        try:
            optimizer = super().create_optimizer(*args, **kwargs)
        except ConfigurationError:
            raise
        except (TypeError, ValueError, ImportError) as error:
            name = self.args.optimizer or getattr(self.args.optim, "value", self.args.optim)
            raise ConfigurationError(
                f"expected an --optimizer that is installed and takes these arguments, found {name}: {error}"
            ) from error
        self._split_groups(optimizer)
        return optimizer

    def _split_groups(self, optimizer: torch.optim.Optimizer) -> None:
        rates = {"encoder": getattr(self.args, "lr_encoder", None), "decoder": getattr(self.args, "lr_decoder", None)}
        if not any(rate is not None for rate in rates.values()):
            return
        decoder = {id(p) for name, p in self.model.named_parameters() if name.startswith("text_model.")}
        groups = []
        for group in optimizer.param_groups:
            for side, rate in rates.items():
                parameters = [p for p in group["params"] if (id(p) in decoder) is (side == "decoder")]
                if parameters:
                    own = {} if rate is None else {"lr": rate}
                    groups.append({**group, **own, "params": parameters})
        optimizer.param_groups[:] = groups

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        """Create the schedule that `--scheduler` names."""
        if self.lr_scheduler is not None:
            return self.lr_scheduler
        if self.args.warmup_epochs is not None:
            self.args.warmup_steps = self._in_steps(self.args.warmup_epochs, least=0)
            self.args.warmup_ratio = 0.0  # no epochs: no warm-up
        warmup = {"warmup_steps": self.args.get_warmup_steps(num_training_steps)}
        factor = None
        if self.args.schedule == "steplr":
            size = self._in_steps(self.args.scheduler_step_size)
            factor = functools.partial(step_decay, step_size=size, gamma=self.args.scheduler_gamma, **warmup)
        elif self.args.schedule in ("cosine", "warmup_cosine") and self.args.scheduler_tmax:
            factor = functools.partial(cosine_annealing, period=self._in_steps(self.args.scheduler_tmax), **warmup)
        elif self.args.schedule in ("none", "constant"):
            factor = functools.partial(warmup_factor, **warmup)
        if factor is None:
            try:
                return super().create_scheduler(num_training_steps, optimizer)
            except (TypeError, ValueError) as error:
                raise ConfigurationError(
                    f"expected --lr_scheduler_kwargs that --scheduler {self.args.schedule} takes, found "
                    f"{self.args.lr_scheduler_kwargs}: {error}"
                ) from error
        # As a function of the step, a schedule is the same in a run that was resumed.
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, factor)
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def optimization_state(self) -> dict[str, str]:
        """Return which classes of optimizer and schedule a checkpoint is of."""
        optimizer = getattr(self.optimizer, "optimizer", self.optimizer)  # accelerate wraps it
        return {"optimizer": type(optimizer).__name__, "schedule": type(self.lr_scheduler).__name__}

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            self._check_optimization(Path(checkpoint))
        try:
            super()._load_optimizer_and_scheduler(checkpoint)
        except ValueError as error:  # other groups of parameters
            raise ConfigurationError(
                f"expected the optimizer of {checkpoint}, found another one: {error}; resume with the flags of the run"
            ) from error

    def _check_optimization(self, checkpoint: Path) -> None:
        path = checkpoint / RUN_STATE
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        now = self.optimization_state()
        other = [
            f"{name} was {stored[name]}, is {now[name]}" for name in now if stored.get(name, now[name]) != now[name]
        ]
        if other:
            raise ConfigurationError(
                f"expected the optimizer and the schedule of {checkpoint}, found others: {'; '.join(other)}; resume "
                f"with the flags of the run (--config run_config.json), or start from its weights: --init-checkpoint"
            )

    def _in_steps(self, epochs: float, least: int = 1) -> int:
        return max(least, round(epochs * self.steps_per_epoch))


def optimizer_arguments(text: str | None) -> dict[str, Any]:
    """Parse `--optim-args`, `momentum=0.9,nesterov=true,betas=[0.9,0.95]`; values are read as YAML.

    Raises:
        ConfigurationError: A part that is not `name=value`.
    """
    import yaml

    parts = re.split(r",(?![^\[(]*[\])])", (text or "").replace(" ", ""))
    pairs = [part.partition("=") for part in parts if part]
    try:
        if not all(name and value for name, _, value in pairs):
            raise ValueError("a part without a name or a value")
        return {name: _number(yaml.safe_load(re.sub(r"^\((.*)\)$", r"[\1]", value))) for name, _, value in pairs}
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigurationError(f"expected --optim-args name=value,name=value, found '{text}': {error}") from error


def _number(value: Any) -> Any:
    """Return what YAML takes for text and is a number, such as 1e-8, as one; in lists too."""
    if isinstance(value, list):
        return [_number(item) for item in value]
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value

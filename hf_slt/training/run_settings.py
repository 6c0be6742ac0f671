"""What the flags of a run become in HuggingFace's TrainingArguments: schedule, optimizer, precision, device, logs."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import logging
import math
import os
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from transformers.trainer_utils import SchedulerType
from transformers.training_args import OptimizerNames

from hf_slt.compat import set_tensorboard_folder
from hf_slt.errors import ConfigurationError
from hf_slt.training.flags import check_ranges

logger = logging.getLogger(__name__)

# Short name -> HuggingFace's, which create_scheduler of the trainers builds on.
SCHEDULES = {
    "plateau": "reduce_lr_on_plateau",
    "none": "constant",
    "steplr": "constant",
    "warmup_cosine": "cosine",
}
WARMED_UP = ("cosine", "linear", "warmup_cosine")  # by --warmup-ratio; the others by --warmup-epochs alone
PRECISIONS = ("fp32", "float32", "bf16", "amp")
DEVICES = ("auto", "cpu", "cuda")
# Packages of --report_to that are not called like it.
_PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX"), "azure_ml": ("azureml",), "flyte": ("flytekit",)}
# Of torch.optim, but not for a loop in which the gradients are dense and are there before the step.
_OTHER_LOOPS = {"LBFGS": "evaluates the loss several times a step", "SparseAdam": "takes sparse gradients only"}
_COUNTS = "per_device_train_batch_size per_device_eval_batch_size gradient_accumulation_steps num_threads early_stop"
_AMOUNTS = (
    "num_train_epochs dataloader_num_workers learning_rate weight_decay max_grad_norm scheduler_patience "
    "warmup_epochs scheduler_gamma"
)


class RunSettings:
    """Mixin of the TrainingArguments of both tasks, whose `__post_init__` calls `apply_run_flags` first.

    Attributes:
        own_ranges: Number of one task alone -> smallest and largest value.
    """

    own_ranges: ClassVar[dict[str, tuple[float, float]]] = {}

    @property
    def device(self) -> torch.device:
        """The device of this process; on the CPU without the number of the process, with which torch loads nothing."""
        device = super().device
        return torch.device("cpu") if device.type == "cpu" else device

    def apply_run_flags(self) -> None:
        """Check the flags of the run, and turn them into HuggingFace's.

        Raises:
            ConfigurationError: Flags that cannot work; the message lists all of them.
        """
        self._check_run_flags()
        if self.amp:
            self.precision = "amp"
        self.schedule = str(getattr(self.lr_scheduler_type, "value", self.lr_scheduler_type))
        self.lr_scheduler_type = SCHEDULES.get(self.schedule, self.schedule)
        if self.schedule not in WARMED_UP and self.schedule in (*SCHEDULES, "constant"):
            self.warmup_ratio = 0.0
        if self.greater_is_better is None:
            self.greater_is_better = not self.metric_for_best_model.endswith(self.lower_is_better)
        if str(getattr(self.eval_strategy, "value", self.eval_strategy)) == "no":
            self.load_best_model_at_end = False  # there is no best one
        if self.run_device == "cpu":
            self.use_cpu = True
        self._set_precision()
        self.dataloader_pin_memory = self.dataloader_pin_memory and torch.cuda.is_available()
        self.optimizer_class = None
        if self.optimizer:
            self.optim, self.optimizer_class = find_optimizer(self.optimizer, self.optim)
        self._set_reports()

    def get_warmup_steps(self, num_training_steps: int) -> int:
        """Return `--warmup_steps`, or `--warmup-ratio` of the steps; of transformers 5 that is the same argument."""
        if self.warmup_steps >= 1:
            return int(self.warmup_steps)
        return math.ceil(num_training_steps * (self.warmup_steps or self.warmup_ratio))

    def finish_run_flags(self) -> None:
        """Set what HuggingFace's own `__post_init__` has to be through with first."""
        if self.lr_scheduler_type == "reduce_lr_on_plateau":
            mode = "max" if self.greater_is_better else "min"
            own = {"mode": mode, "patience": self.scheduler_patience, "factor": self.scheduler_factor}
            self.lr_scheduler_kwargs = {**own, **(self.lr_scheduler_kwargs or {})}

    def _check_run_flags(self) -> None:
        counts = dict.fromkeys(_COUNTS.split(), (1, math.inf))
        amounts = dict.fromkeys(_AMOUNTS.split(), (0, math.inf))
        shares = dict.fromkeys(("label_smoothing_factor", "scheduler_factor", "allow_partial_init"), (0, 1))
        epochs = dict.fromkeys(("scheduler_step_size", "scheduler_tmax"), (1e-9, math.inf))
        shared = {**counts, **amounts, **shares, **epochs, "subset_size": (1, math.inf), "seed": (0, 2**32 - 1)}
        check_ranges(self, {**shared, **self.own_ranges})
        problems = list(self._run_problems())
        if problems:
            raise ConfigurationError("; ".join(problems))

    def _run_problems(self) -> Iterator[str]:
        yield from self._device_problems()
        if self.resume_from_checkpoint and self.init_checkpoint:
            yield (
                "expected one of --resume (goes on with a run) and --init-checkpoint (a new run from given weights), "
                "found both; a run that was started with --init-checkpoint is resumed without it, or with --set "
                "init_checkpoint=null"
            )
        if self.allow_partial_init is not None and not self.init_checkpoint:
            yield "expected --init-checkpoint with --allow-partial-init, found none"
        if self.early_stop is not None and self.eval_strategy == "no":
            yield f"expected an --eval_strategy with --early-stop {self.early_stop}, found 'no'"
        yield from self._optimization_problems()
        if getattr(self, "batch_eval_metrics", False):
            yield "expected --batch_eval_metrics false (scores are of a whole split), found true"
        yield from self._report_problems()

    def _device_problems(self) -> Iterator[str]:
        for name, value, choices in (
            ("--precision", self.precision, PRECISIONS),
            ("--device", self.run_device, DEVICES),
        ):
            if value is not None and value not in choices:
                yield f"expected {name} out of {list(choices)}, found '{value}'"
        if self.run_device == "cuda" and not torch.cuda.is_available():
            yield "expected a GPU for --device cuda, found none; leave it out, or --device cpu"
        if self.run_device == "cuda" and self.use_cpu:
            yield "expected one of --device cuda and --use_cpu, found both"
        if self.amp and self.precision not in (None, "amp"):
            yield f"expected one of --amp and --precision {self.precision}, found both; leave one out"
        mixed = [name for name in ("bf16", "fp16") if getattr(self, name)]
        if self.precision not in (None, "amp") and mixed and self.precision != mixed[0]:
            yield f"expected one of --precision {self.precision} and --{mixed[0]}, found both; leave one out"

    def _optimization_problems(self) -> Iterator[str]:
        schedules = [*SCHEDULES, *(item.value for item in SchedulerType)]
        name = str(getattr(self.lr_scheduler_type, "value", self.lr_scheduler_type))
        if name not in schedules:
            nearest = difflib.get_close_matches(name, schedules, n=1)
            hint = f"did you mean '{nearest[0]}'?" if nearest else f"there are {schedules}"
            yield f"expected a --scheduler that there is, found '{name}'; {hint}"
        if self.warmup_steps and self.warmup_epochs is not None:
            yield f"expected --warmup_steps or --warmup-epochs, found {self.warmup_steps} and {self.warmup_epochs}"
        own = type(self).__dataclass_fields__["optim"].default
        if self.optimizer and self.optim not in (own, getattr(own, "value", own)):
            yield f"expected one of --optimizer {self.optimizer} and --optim {self.optim}, found both"
        if self.lr_scheduler_type in ("plateau", "reduce_lr_on_plateau") and self.warmup_epochs:
            yield f"expected no --warmup-epochs with --scheduler plateau, found {self.warmup_epochs}"

    def _report_problems(self) -> Iterator[str]:
        from transformers.integrations import INTEGRATION_TO_CALLBACK

        names = [self.report_to] if isinstance(self.report_to, str) else self.report_to or []
        for name in names:
            if name in INTEGRATION_TO_CALLBACK and not any(map(importlib.util.find_spec, _PACKAGES.get(name, (name,)))):
                yield f"expected the package of --report_to {name} to be installed, found none; pip install {name}"
            if name not in (*INTEGRATION_TO_CALLBACK, "all", "none"):
                nearest = difflib.get_close_matches(str(name), INTEGRATION_TO_CALLBACK, n=1)
                hint = (
                    f" (did you mean '{nearest[0]}'?)" if nearest else f"; there are {sorted(INTEGRATION_TO_CALLBACK)}"
                )
                yield f"expected --report_to all, none or a library that transformers knows, found '{name}'{hint}"

    def _set_precision(self) -> None:
        """Turn `--precision` into the mixed precision that the device has."""
        if self.precision in ("fp32", "float32"):
            os.environ["ACCELERATE_MIXED_PRECISION"] = "no"  # of `accelerate launch`; the run's own flag wins
        if self.precision in ("bf16", "amp") and not (self.bf16 or self.fp16):
            on_gpu = torch.cuda.is_available() and not self.use_cpu
            dtype = amp_dtype(on_gpu)
            if self.precision == "bf16":
                if on_gpu and dtype != "bf16":
                    raise ConfigurationError(
                        "expected a GPU with bf16 for --precision bf16, found an older one; --precision amp takes fp16"
                    )
                dtype = "bf16"
            if dtype is None:
                logger.warning("--precision amp: this device has no fast bf16 or fp16; the run is in fp32")
                return
            setattr(self, dtype, True)
            self.use_cpu = not on_gpu  # otherwise transformers refuses bf16 where it finds no GPU

    def _set_reports(self) -> None:
        """Add TensorBoard to what is reported to, where it is installed."""
        if self.tensorboard is None or self.tensorboard.lower() == "false":
            return
        if not any(map(importlib.util.find_spec, _PACKAGES["tensorboard"])):
            logger.warning(
                "--tensorboard: the library is not installed (pip install 'hf_slt[tensorboard]'); no such log"
            )
            return
        others = [self.report_to] if isinstance(self.report_to, str) else list(self.report_to or [])
        self.report_to = sorted({*others, "tensorboard"} - {"none"})
        folder = None if self.tensorboard.lower() == "true" else self.tensorboard
        set_tensorboard_folder(self, folder)


def amp_dtype(on_gpu: bool) -> str | None:
    """Return the mixed precision that pays on this machine: `"bf16"`, `"fp16"`, or None.

    Args:
        on_gpu: Whether the run is on a CUDA device; else it is on the CPU, where only units for bf16 make it faster.
    """
    if on_gpu:
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # torch has no public question for it
    return "bf16" if any(getattr(torch.cpu, name, bool)() for name in names) else None


def find_optimizer(name: str, default: Any) -> tuple[Any, type | None]:
    """Find an optimizer by HuggingFace's name, by its class in torch.optim (any case), or by `package.module.Class`.

    Args:
        name: The name.
        default: HuggingFace's name to keep beside a class.

    Returns:
        HuggingFace's name and None, or `default` and the class.

    Raises:
        ConfigurationError: There is no such optimizer, or it cannot work here; the message suggests the nearest.
    """
    known = [item.value for item in OptimizerNames]
    if name in known:
        return name, None
    classes = {n: c for n, c in vars(torch.optim).items() if _is_optimizer(c) and c is not torch.optim.Optimizer}
    found = next((n for n in classes if n.lower() == name.lower()), None)
    if found == "AdamW":
        return "adamw_torch", None  # the same class, with --adam_beta1 and so on
    optimizer = classes[found] if found else _imported(name) if "." in name else None
    if optimizer is None:
        names = {n.lower(): n for n in (*known, *classes)}
        nearest = [names[n] for n in difflib.get_close_matches(name.lower(), names, n=2)]
        hint = (
            f"did you mean {' or '.join(nearest)}?"
            if nearest
            else f"HuggingFace has {known}, torch.optim {sorted(classes)}"
        )
        raise ConfigurationError(
            f"expected --optimizer with a HuggingFace name, a class of torch.optim or package.module.Class, found "
            f"'{name}'; {hint}"
        )
    if found in _OTHER_LOOPS:
        raise ConfigurationError(f"expected an --optimizer for this loop, found {found}, which {_OTHER_LOOPS[found]}")
    return default, optimizer


def _is_optimizer(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, torch.optim.Optimizer)


def _imported(name: str) -> type:
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"expected --optimizer {name} to import, found: {error}") from error
    if not _is_optimizer(found):
        raise ConfigurationError(f"expected a torch.optim.Optimizer in --optimizer, found {name}, which is {found!r}")
    return found

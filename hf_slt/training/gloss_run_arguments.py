"""Arguments of a gloss training run. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

from dataclasses import dataclass

from hf_slt.training.flags import flag


@dataclass
class GlossRunArguments:
    """The run. The flags of transformers.TrainingArguments work beside these (--help-all lists them)."""

    smoke_test: bool = flag(False, "Train on a few synthetic clips, save, load and predict: seconds, needs no data.")
    output_dir: str | None = flag(None, "Folder of the run: model, checkpoints, scores.", ("--work-dir",))
    num_train_epochs: float = flag(30, "Passes over the training clips.", ("--epochs",))
    max_steps: int = flag(-1, "Stop after this many steps, whatever the epochs say (-1 = off).", ("--max-train-steps",))
    per_device_train_batch_size: int = flag(32, "Training clips a step and device.", ("--batch-size",))
    per_device_eval_batch_size: int = flag(32, "Evaluation clips a step and device.", ("--val-batch-size",))
    learning_rate: float = flag(3e-4, "Peak learning rate.", ("--lr",))
    weight_decay: float = flag(0.01, "Weight decay of AdamW.")
    warmup_ratio: float = flag(0.05, "Share of the steps over which the learning rate rises (cosine and linear).")
    lr_scheduler_type: str = flag(
        "cosine", "Learning-rate schedule: plateau, cosine, linear, constant, or a HuggingFace name.", ("--scheduler",)
    )
    scheduler_patience: int = flag(5, "plateau: evaluations without a better score until the learning rate falls.")
    scheduler_factor: float = flag(0.5, "plateau: factor by which it falls.")
    early_stop: int | None = flag(None, "Stop after this many evaluations without a better score (default: off).")
    metric_for_best_model: str = flag("eval_accuracy", "Validation score that plateau, stop and best model watch.")
    label_smoothing_factor: float = flag(0.0, "Label smoothing of the training loss.", ("--label-smoothing",))
    gradient_accumulation_steps: int = flag(1, "Batches for one step.", ("--grad-accum-steps",))
    max_grad_norm: float = flag(
        1.0, "Largest gradient norm; larger ones are scaled down (0 = off).", ("--grad-clip", "--clip-grad-norm")
    )
    amp: bool = flag(False, "Mixed precision where the device has it: bf16, or fp16 on older GPUs.")
    dataloader_num_workers: int = flag(0, "Processes that prepare clips; 0 = the training process.", ("--num-workers",))
    pin_memory: bool = flag(True, "Page-locked memory for batches on their way to a GPU.")
    dataloader_prefetch_factor: int | None = flag(None, "Batches that a worker keeps ready.", ("--prefetch-factor",))
    length_grouping: bool = flag(True, "Batches of clips of near-equal length: less padding, faster.")
    resume_from_checkpoint: str | None = flag(
        None,
        "Go on from a checkpoint-N folder; without a value, from the newest one in --output_dir.",
        ("--resume",),
        nargs="?",
        const="true",
    )
    log_csv: str | None = flag(None, "File of the figures of each epoch (default: <output_dir>/train_log.csv).")
    num_threads: int | None = flag(None, "Threads of torch on the CPU (default: torch's choice).")
    seed: int = flag(42, "Seed of weights, order, dropout and augmentation.")
    full_determinism: bool = flag(False, "The same numbers each time on a GPU too; slower.", ("--deterministic",))

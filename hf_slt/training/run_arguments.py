"""Arguments of a training run. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

from dataclasses import dataclass

from hf_slt.training.flags import flag


@dataclass
class CommonRunArguments:
    """What the runs of both tasks share: optimisation, device, precision, checkpoints."""

    output_dir: str | None = flag(None, "Folder of the run: model, checkpoints, scores.", ("--work-dir",))
    max_steps: int = flag(-1, "Stop after this many steps, whatever the epochs say (-1 = off).", ("--max-train-steps",))
    subset_size: int | None = flag(
        None, "Use this many clips of train and of validation at most, drawn by --seed, for a quick try; never of test."
    )
    optimizer: str | None = flag(
        None,
        "Optimizer: a HuggingFace name (adamw_torch, adafactor, sgd, ...), a class of torch.optim (RAdam, ...), or "
        "package.module.Class; --optim-args momentum=0.9,... are its arguments (default: AdamW).",
    )
    weight_decay: float = flag(0.01, "Weight decay; biases and norms have none.")
    lr_scheduler_type: str = flag(
        "cosine",
        "Learning-rate schedule: none, steplr, cosine, linear, plateau, warmup_cosine, or a HuggingFace name.",
        ("--scheduler",),
    )
    scheduler_step_size: float = flag(10, "steplr: epochs between two falls of the learning rate.")
    scheduler_gamma: float = flag(0.1, "steplr: factor by which it falls.")
    scheduler_tmax: float | None = flag(
        None, "cosine: epochs to the minimum, from which it rises again (default: the whole run, falling only)."
    )
    scheduler_patience: int = flag(5, "plateau: evaluations without a better score until the learning rate falls.")
    scheduler_factor: float = flag(0.5, "plateau: factor by which it falls.")
    warmup_ratio: float = flag(0.05, "Share of the steps over which the learning rate rises (cosine and linear).")
    warmup_epochs: float | None = flag(None, "Epochs over which it rises, in place of --warmup-ratio (not plateau).")
    early_stop: int | None = flag(None, "Stop after this many evaluations without a better score (default: off).")
    label_smoothing_factor: float = flag(0.0, "Label smoothing of the training loss.", ("--label-smoothing",))
    gradient_accumulation_steps: int = flag(1, "Batches for one step.", ("--grad-accum-steps",))
    max_grad_norm: float = flag(
        1.0, "Largest gradient norm; larger ones are scaled down (0 = off).", ("--grad-clip", "--clip-grad-norm")
    )
    skip_nonfinite_loss: bool = flag(
        False, "Leave out batches whose loss is not finite, and count them, instead of stopping the run."
    )
    precision: str | None = flag(
        None,
        "fp32, bf16 (mixed), or amp: mixed precision where the device has it, fp32 elsewhere (default: fp32, or what "
        "--bf16 and --fp16 say).",
    )
    amp: bool = flag(False, "The same as --precision amp.")
    run_device: str = flag("auto", "cpu, cuda, or auto: a GPU if there is one.", ("--device",))
    torch_compile: bool = flag(False, "Compile the model with torch.compile.", ("--compile",))
    torch_compile_mode: str | None = flag(
        None, "How: default, reduce-overhead or max-autotune; switches --compile on.", ("--compile-mode",)
    )
    tensorboard: str | None = flag(
        None, "Also log to TensorBoard, in this folder (without a value: <output_dir>/runs).", nargs="?", const="true"
    )
    resume_from_checkpoint: str | None = flag(
        None,
        "Go on from the newest whole checkpoint of --output_dir, or of the folder that is given (a run's, or a "
        "checkpoint-N). --epochs stays the total.",
        ("--resume",),
        nargs="?",
        const="true",
    )
    init_checkpoint: str | None = flag(
        None, "Start from the weights of a model: a folder, a checkpoint-N, or a .pt file of the older tools."
    )
    allow_partial_init: float | None = flag(
        None,
        "Smallest share of the model's weights that --init-checkpoint has to hold, in [0, 1] (default: 1; without a "
        "value: 0, any share).",
        nargs="?",
        const=0.0,
    )
    num_threads: int | None = flag(None, "Threads of torch on the CPU (default: torch's choice); 1 suits tiny models.")
    seed: int = flag(42, "Seed of weights, order, dropout and augmentation.")
    full_determinism: bool = flag(False, "The same numbers each time on a GPU too; slower.", ("--deterministic",))


@dataclass
class RunArguments(CommonRunArguments):
    """The run. The flags of transformers.Seq2SeqTrainingArguments work beside these (--help-all lists them)."""

    num_train_epochs: float = flag(30, "Passes over the training split.", ("--epochs",))
    per_device_train_batch_size: int = flag(8, "Training clips a step and device.", ("--batch-size",))
    per_device_eval_batch_size: int = flag(8, "Evaluation clips a step and device.", ("--val-batch-size",))
    learning_rate: float = flag(5e-4, "Peak learning rate.", ("--lr",))
    lr_encoder: float | None = flag(None, "Peak learning rate of the encoder (default: --lr).")
    lr_decoder: float | None = flag(None, "Peak learning rate of the text decoder (default: --lr).")
    dataloader_num_workers: int = flag(2, "Processes that read and decode clips.", ("--num-workers",))
    generation_num_beams: int = flag(1, "Beams when sentences are generated.", ("--num-beams",))
    generation_length_penalty: float = flag(1.0, "Above 0, beams favour longer sentences.", ("--length-penalty",))
    metric_for_best_model: str = flag("eval_loss", "Validation score that chooses the best model, e.g. eval_bleu.")
    language: str | None = flag(
        None, "Language of the sentences, ISO 639-1 (es, de, zh, ...); it chooses sacrebleu's tokenizer."
    )
    sign_language: str | None = flag(None, "Sign language of the clips, ISO 639-3 (gsg, ase, ...) or its name.")
    bleu_tokenize: str | None = flag(
        None, "sacrebleu's tokenizer for BLEU: 13a, none for glosses, zh, ... (default: that of --language, else 13a)."
    )
    allow_overlap: bool = flag(
        False, "Score test clips that are in train or validation too (by id, or signer, text and video); counted."
    )
    num_samples: int = flag(3, "Sentences shown at each evaluation.")

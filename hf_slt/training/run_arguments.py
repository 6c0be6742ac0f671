"""Arguments of a training run. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

from dataclasses import dataclass

from hf_slt.training.flags import flag


@dataclass
class RunArguments:
    """The run. The flags of transformers.Seq2SeqTrainingArguments work beside these (--help-all lists them)."""

    output_dir: str | None = flag(None, "Folder of the run: model, checkpoints, scores.", ("--work-dir",))
    num_train_epochs: float = flag(30, "Passes over the training split.", ("--epochs",))
    max_steps: int = flag(-1, "Stop after this many steps, whatever the epochs say (-1 = off).", ("--max-train-steps",))
    per_device_train_batch_size: int = flag(8, "Training clips a step and device.", ("--batch-size",))
    per_device_eval_batch_size: int = flag(8, "Evaluation clips a step and device.", ("--val-batch-size",))
    learning_rate: float = flag(5e-4, "Peak learning rate.", ("--lr",))
    weight_decay: float = flag(0.01, "Weight decay of AdamW.")
    warmup_ratio: float = flag(0.05, "Share of the steps over which the learning rate rises.")
    lr_scheduler_type: str = flag("cosine", "Learning-rate schedule after that (HuggingFace name).")
    label_smoothing_factor: float = flag(0.0, "Label smoothing of the training loss.", ("--label-smoothing",))
    gradient_accumulation_steps: int = flag(1, "Batches for one step.", ("--grad-accum-steps",))
    max_grad_norm: float = flag(1.0, "Largest gradient norm; larger ones are scaled down.", ("--clip-grad-norm",))
    dataloader_num_workers: int = flag(2, "Processes that read and decode clips.", ("--num-workers",))
    generation_num_beams: int = flag(1, "Beams when sentences are generated.", ("--num-beams",))
    generation_length_penalty: float = flag(1.0, "Above 0, beams favour longer sentences.", ("--length-penalty",))
    metric_for_best_model: str = flag("eval_loss", "Validation score that chooses the best model, e.g. eval_bleu.")
    bleu_tokenize: str = flag("13a", "sacrebleu's tokenizer for BLEU: 13a for text, none for glosses, zh, ...")
    num_samples: int = flag(3, "Sentences shown at each evaluation.")
    num_threads: int | None = flag(None, "Threads of torch on the CPU (default: torch's choice); 1 suits tiny models.")
    seed: int = flag(42, "Seed of weights, order, dropout and augmentation.")

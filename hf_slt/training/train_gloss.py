"""One gloss run: check the clips, build the model, train, score, write the results."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from accelerate import PartialState
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from hf_slt.data.epoch import SharedEpoch
from hf_slt.data.file_records import clip_records
from hf_slt.data.gloss.collator import DataCollatorForGlossClassification
from hf_slt.data.gloss.contract import GlossContractReport
from hf_slt.data.gloss.dataset import GlossDataset
from hf_slt.errors import ConfigurationError
from hf_slt.model_card.run_card import write_run_card
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.provenance import training_extractor
from hf_slt.training.build_gloss import (
    GlossClasses,
    build_config,
    build_feature_extractor,
    build_gloss_datasets,
    build_loss,
    build_model,
    check_gloss_data,
    resolve_classes,
)
from hf_slt.training.build_slt import resolve_output_dir
from hf_slt.training.callbacks import EpochCallback, QuietProgressCallback
from hf_slt.training.early_stopping import ResumableEarlyStopping
from hf_slt.training.gloss_arguments import (
    GlossAugmentationArguments,
    GlossDataArguments,
    GlossFeatureArguments,
    GlossLossArguments,
    GlossModelArguments,
)
from hf_slt.training.gloss_callbacks import GlossLogCallback
from hf_slt.training.gloss_losses import GlossLoss
from hf_slt.training.gloss_results import save_gloss_results, write_gloss_run_files
from hf_slt.training.gloss_trainer import GlossTrainer
from hf_slt.training.gloss_training_arguments import GlossTrainingArguments
from hf_slt.training.init_checkpoint import initialize_run
from hf_slt.training.resumed_flags import flags_to_store
from hf_slt.training.run_checks import (
    check_checkpoint,
    check_same_clips,
    check_start,
    prepare_torch,
    report_path_of,
    start_over,
)

logger = logging.getLogger(__name__)


def run_train_gloss(
    data_args: GlossDataArguments,
    feature_args: GlossFeatureArguments,
    model_args: GlossModelArguments,
    augmentation_args: GlossAugmentationArguments,
    loss_args: GlossLossArguments,
    training_args: GlossTrainingArguments,
    effective: dict[str, Any],
) -> dict[str, Any]:
    """Train, select and score a gloss classifier.

    Args:
        data_args: The clips.
        feature_args: What the model reads of them.
        model_args: The model.
        augmentation_args: Changes to training clips.
        loss_args: The training loss.
        training_args: The run; `output_dir` gets everything that is written.
        effective: Effective value of every flag, for `run_config.json`.

    Returns:
        The scores of the last evaluation: of the test split if there is one, else of the validation split.

    Raises:
        DataContractError: The clips are not usable; nothing but `contract_report.json` was written.
        ConfigurationError: Flags that cannot work.
    """
    output_dir = resolve_output_dir(training_args.output_dir)
    check_start(training_args, effective)
    augmentation_args.augmentation()  # what is wrong with the flags comes out before any clip is read
    check_needed_splits(data_args, training_args)
    extractor = build_feature_extractor(feature_args, data_args, model_args.model)
    check_mirroring(augmentation_args, extractor)
    # What is wrong with the flags of the model comes out before any clip is read.
    build_config(model_args, loss_args, extractor.input_size, GlossClasses(num_glosses=2, num_categories=2))
    with training_args.main_process_first(local=False, desc="reading clips"):
        report = check_gloss_data(data_args, extractor.raw_size, report_path_of(training_args))
    folder, _ = data_args.splits()["train"]
    extractor.extractor = training_extractor(clip_records(folder, [row.file for row in report.rows["train"]]))
    prepare_torch(training_args)
    config = build_config(model_args, loss_args, extractor.input_size, resolve_classes(data_args, report))
    check_checkpoint(training_args.resume_from_checkpoint, config)
    model = build_model(config)
    initialize_run(model, training_args, extractor)
    take_gloss_subset(report, training_args.subset_size, training_args.seed)
    check_same_clips(training_args.resume_from_checkpoint, [row.file for row in report.rows["train"]])
    logger.info(describe_run(model, report, model_args.model))
    epoch = SharedEpoch()
    splits = build_gloss_datasets(
        report, extractor, config.num_categories, augmentation_args.augmentation(), training_args.seed, epoch
    )
    loss = build_loss(loss_args, training_args.label_smoothing_factor, report.rows["train"], config)
    trainer = build_gloss_trainer(model, extractor, splits, loss, training_args, epoch)
    if trainer.is_world_process_zero():
        if not training_args.resume_from_checkpoint:
            start_over(output_dir)
        write_gloss_run_files(output_dir, flags_to_store(effective, training_args.resume_from_checkpoint), report)
    return train_and_score_gloss(trainer, splits)


def take_gloss_subset(report: GlossContractReport, size: int | None, seed: int) -> None:
    """Keep `size` clips of train and of validation at most, drawn by the seed; None keeps all."""
    for split, rows in report.rows.items():
        if size is not None and split != "test" and size < len(rows):
            chosen = np.random.default_rng([seed, len(rows)]).permutation(len(rows))[:size]
            report.rows[split] = [rows[index] for index in sorted(chosen.tolist())]


def check_needed_splits(data_args: GlossDataArguments, training_args: GlossTrainingArguments) -> None:
    """Raise `ConfigurationError` unless there is a training split and, if the run evaluates, a validation split."""
    if "validation" not in data_args.splits() and training_args.eval_strategy != "no":
        raise ConfigurationError(
            "expected --labels-val-csv with the clips that choose the best model, found none; --eval_strategy no "
            "trains without them and ends with the last model"
        )


def check_mirroring(augmentation_args: GlossAugmentationArguments, extractor: GlossFeatureExtractor) -> None:
    """Raise `ConfigurationError` if clips are to be changed by amounts, or mirrored by a layout, that cannot work."""
    augmentation = augmentation_args.augmentation()
    landmarks = extractor.input_type == "landmarks"
    if augmentation and augmentation.flip and landmarks and not extractor.layout().mirrorable:
        raise ConfigurationError(
            f"expected a layout that names left and right to mirror clips, found '{extractor.layout().name}'; give "
            f"--layout, or --augment-flip 0"
        )


def describe_run(model: Any, report: GlossContractReport, name: str) -> str:
    """Describe classes, clips and model in one line."""
    config = model.config
    categories = "no categories" if config.num_categories is None else f"{config.num_categories} categories"
    clips = ", ".join(f"{len(rows)} {split}" for split, rows in report.rows.items())
    return (
        f"{config.num_labels} glosses, {categories} | {clips} clips | {name}, {config.input_size} numbers a frame, "
        f"{model.num_parameters() / 1e6:.2f} M parameters"
    )


def build_gloss_trainer(
    model: Any,
    extractor: GlossFeatureExtractor,
    splits: dict[str, GlossDataset],
    loss: GlossLoss,
    args: GlossTrainingArguments,
    epoch: SharedEpoch,
) -> GlossTrainer:
    """Build the trainer with the callbacks of the project."""
    log = GlossLogCallback(args.log_file)
    stop = [ResumableEarlyStopping(early_stopping_patience=args.early_stop)] if args.early_stop else []
    trainer = GlossTrainer(
        model=model,
        args=args,
        loss=loss,
        train_dataset=splits["train"],
        eval_dataset=splits.get("validation"),
        data_collator=DataCollatorForGlossClassification(extractor.pad, with_names=True),
        processing_class=extractor,
        callbacks=[EpochCallback(epoch), log, *stop],
    )
    log.trainer = trainer
    trainer.remove_callback(PrinterCallback if args.disable_tqdm else ProgressCallback)  # they print raw dictionaries
    if not args.disable_tqdm:
        trainer.add_callback(QuietProgressCallback)
    return trainer


def train_and_score_gloss(trainer: GlossTrainer, splits: dict[str, GlossDataset]) -> dict[str, Any]:
    """Train, save the best model at the root of the run, score validation and test, write the results."""
    result = trainer.train(resume_from_checkpoint=trainer.args.resume_from_checkpoint)
    trainer.save_model()
    trainer.save_metrics("train", {**result.metrics, "train_skipped_batches": trainer.skipped_batches})
    trainer.save_state()
    metrics: dict[str, Any] = {}
    for prefix, split in (("eval", "validation"), ("test", "test")):
        if split in splits:
            metrics = trainer.evaluate(splits[split], metric_key_prefix=prefix)
            metrics = save_gloss_results(trainer, splits[split], prefix, metrics)
    if trainer.is_world_process_zero():
        write_run_card(trainer.args.output_dir)
    trainer.push_saved("End of training")
    # All processes leave together: one that exits while another still talks to it can be aborted.
    trainer.accelerator.wait_for_everyone()
    PartialState().destroy_process_group()
    return metrics

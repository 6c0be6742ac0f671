"""One translation run: check the data, build the model, train, score, write the results."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from accelerate import PartialState
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from hf_slt.data.builder import build_datasets
from hf_slt.data.clip_transform import ClipTransform
from hf_slt.data.collator import DataCollatorForMultiStream
from hf_slt.data.epoch import SharedEpoch
from hf_slt.data.file_records import pose_records
from hf_slt.model_card.run_card import write_run_card
from hf_slt.provenance import training_extractor
from hf_slt.training.arguments import AugmentationArguments, DataArguments, ModelArguments
from hf_slt.training.build_backbones import load_backbone_weights, load_backbones
from hf_slt.training.build_decoder import check_decoder_arguments
from hf_slt.training.build_slt import (
    build_model,
    build_processor,
    build_tokenizer,
    resolve_output_dir,
    take_architecture,
    take_tokenizer,
    text_encoder,
    warn_of_unknown_characters,
)
from hf_slt.training.callbacks import EpochCallback, EpochReportCallback, QuietProgressCallback
from hf_slt.training.early_stopping import ResumableEarlyStopping
from hf_slt.training.init_checkpoint import encoder_architecture, initialize_run
from hf_slt.training.overlap import check_run_overlap, count_overlap, split_members
from hf_slt.training.results import save_predictions, write_run_files
from hf_slt.training.resumed_flags import flags_to_store
from hf_slt.training.run_checks import (
    check_checkpoint,
    check_mixed_streams,
    check_same_clips,
    check_splits,
    check_start,
    prepare_torch,
    report_path_of,
    start_over,
)
from hf_slt.training.trainer import MultiStreamTrainer
from hf_slt.training.training_arguments import SltTrainingArguments

logger = logging.getLogger(__name__)

# What fits the demo corpus and two CPU cores: one computes, one reads. Flags and a --config file win over it.
DEMO_PRESET: dict[str, Any] = {
    "language": "es",
    "num_threads": 1,
    "dataloader_num_workers": 1,
    "image_size": 32,
    "sequence_length": 24,
    "max_target_length": 32,
    "backbone_type": "resnet",
    "d_model": 128,
    "projector_dim": 64,
    "pose_hidden_size": 128,
    "temporal_layers": 2,
    "temporal_dim_feedforward": 256,
    "temporal_dropout": 0.05,
    "decoder_layers": 2,
    "decoder_dropout": 0.05,
    "augment_rotation": 5.0,
    "augment_scale": 0.05,
    "augment_speed": 0.1,
    "augment_colour_jitter": 0.4,  # the signer who is only in the test split has another skin and other clothes
    "augment_stream_dropout": 0.05,
    "num_train_epochs": 10,
    "per_device_train_batch_size": 4,
    "learning_rate": 6e-4,
    "eval_strategy": "steps",
    "save_strategy": "steps",
    "eval_steps": 300,  # every other epoch
    "save_steps": 300,
}


def run_train_slt(
    data_args: DataArguments,
    model_args: ModelArguments,
    augmentation_args: AugmentationArguments,
    training_args: SltTrainingArguments,
    effective: dict[str, Any],
) -> dict[str, float]:
    """Train, select and score a translation model.

    Args:
        data_args: The corpus.
        model_args: The model.
        augmentation_args: Changes to training clips.
        training_args: The run; `output_dir` gets everything that is written.
        effective: Effective value of every flag, for `run_config.json`.

    Returns:
        The scores of the last evaluation: of the test split if there is one, else of the validation split.

    Raises:
        DataContractError: The corpus is not usable, or test clips are known from the other splits; nothing but
            `contract_report.json` was written.
        TokenizerRoundTripError: The tokenizer cannot hold the training sentences.
        ConfigurationError: Flags that cannot work.
    """
    output_dir = resolve_output_dir(training_args.output_dir)
    effective = {**effective, "bleu_tokenize": training_args.bleu_tokenize}
    check_start(training_args, effective)
    check_decoder_arguments(model_args)
    augmentation_args.augmentation()  # what is wrong with the flags comes out before any clip is read
    paths = data_args.corpus_paths()
    check_mixed_streams(augmentation_args.mix_streams(), paths.streams)
    check_splits(paths, needs_validation=training_args.eval_strategy != "no")
    corpus, report = build_datasets(
        paths,
        report_path=report_path_of(training_args),
        num_landmarks=model_args.pose_landmarks,
        skip_invalid=data_args.skip_invalid,
        allow_missing_streams=data_args.allow_missing_streams,
        allow_overlap=training_args.allow_overlap,
    )
    corpus = take_subset(corpus, training_args.subset_size, training_args.seed)
    check_run_overlap(corpus, training_args.allow_overlap)
    check_same_clips(training_args.resume_from_checkpoint, corpus["train"]["video_id"][:])
    prepare_torch(training_args)
    source, given = training_args.resume_from_checkpoint or training_args.init_checkpoint, model_args.given_flags
    model_args = take_tokenizer(model_args, source)
    tokenizer = build_tokenizer(model_args, corpus["train"]["text"][:])
    warn_of_unknown_characters(
        tokenizer, {split: data["text"][:] for split, data in corpus.items() if split != "train"}
    )
    model_args, encoder = take_architecture(model_args, encoder_architecture(source) if source else {}, given)
    model = build_model(model_args, paths.streams, report.num_landmarks, tokenizer, encoder)
    check_checkpoint(training_args.resume_from_checkpoint, model.config)
    initialize_run(model, training_args)
    if training_args.init_checkpoint:  # a vision model that a flag names goes before the checkpoint's
        load_backbone_weights(model_args, model.encoder, load_backbones(model_args, paths.streams))
    extractor = training_extractor(pose_records(corpus["train"]))
    size = model.config.image_size
    processor = build_processor(model_args, paths.streams, report.num_landmarks, size, tokenizer, extractor)
    logger.info(
        f"streams {', '.join(paths.streams)} | {', '.join(f'{len(d)} {s}' for s, d in corpus.items())} clips | "
        f"{model.num_parameters() / 1e6:.2f} M parameters | vocabulary {len(tokenizer)}"
    )
    epoch = SharedEpoch()
    splits = transform_splits(corpus, processor, model_args, augmentation_args, training_args, epoch, paths.pose_key)
    trainer = build_trainer(model, processor, splits, augmentation_args.mix_streams(), training_args, epoch)
    if trainer.is_world_process_zero():
        if not training_args.resume_from_checkpoint:
            start_over(output_dir)
        sizes = {name: value for name, value in vars(model_args).items() if name in effective and name != "tokenizer"}
        write_run_files(
            output_dir, flags_to_store({**effective, **sizes}, training_args.resume_from_checkpoint), corpus
        )
        processor.save_pretrained(output_dir)  # what `hub_strategy` pushes while training loads
    return train_and_score(trainer, processor, splits, corpus)


def take_subset(corpus: datasets.DatasetDict, size: int | None, seed: int) -> datasets.DatasetDict:
    """Return the corpus with `size` clips of train and of validation at most, drawn by the seed; None leaves it."""
    if size is None:
        return corpus
    chosen = {}
    for split, data in corpus.items():
        kept = len(data) if split == "test" else min(size, len(data))
        rows = np.random.default_rng([seed, len(data)]).permutation(len(data))[:kept]
        chosen[split] = data.select(sorted(rows.tolist()))
    return datasets.DatasetDict(chosen)


def transform_splits(
    corpus: datasets.DatasetDict,
    processor: Any,
    model_args: ModelArguments,
    augmentation_args: AugmentationArguments,
    training_args: SltTrainingArguments,
    epoch: SharedEpoch,
    pose_key: str,
) -> dict[str, datasets.Dataset]:
    """Attach the lazy reading of clips to each split; only training clips are augmented."""
    plain = ClipTransform(
        processor.feature_extractor,
        text_encoder(processor.tokenizer, model_args.max_target_length),
        seed=training_args.seed,
        epoch=epoch,
        pose_key=pose_key,
    )
    augmented = ClipTransform(**{**vars(plain), "augmentation": augmentation_args.augmentation()})
    return {split: data.with_transform(augmented if split == "train" else plain) for split, data in corpus.items()}


def build_trainer(
    model: Any,
    processor: Any,
    splits: dict[str, datasets.Dataset],
    mix_streams: dict[str, float],
    args: SltTrainingArguments,
    epoch: SharedEpoch,
) -> MultiStreamTrainer:
    """Build the trainer with the callbacks of the project."""
    report = EpochReportCallback(Path(args.output_dir) / "train_log.csv", args.num_samples)
    stop = [ResumableEarlyStopping(early_stopping_patience=args.early_stop)] if args.early_stop else []
    # Beams and length are the model's own: whoever loads it generates as it was selected.
    model.generation_config.num_beams = args.generation_num_beams
    model.generation_config.length_penalty = args.generation_length_penalty
    config, pad = model.config, processor.feature_extractor.pad
    plain = DataCollatorForMultiStream(pad, config.pad_token_id, config.decoder_start_token_id, with_ids=True)
    mixing = DataCollatorForMultiStream(
        **{**vars(plain), "mix_streams": mix_streams, "seed": args.seed, "epoch": epoch}
    )
    trainer = MultiStreamTrainer(
        model=model,
        args=args,
        train_dataset=splits["train"],
        eval_dataset=splits.get("validation"),
        data_collator=mixing,
        evaluation_collator=plain,
        processing_class=processor.tokenizer,
        tokenize=args.bleu_tokenize,
        callbacks=[EpochCallback(epoch), report, *stop],
    )
    report.trainer = trainer
    trainer.remove_callback(PrinterCallback if args.disable_tqdm else ProgressCallback)  # they print raw dictionaries
    if not args.disable_tqdm:
        trainer.add_callback(QuietProgressCallback)
    return trainer


def train_and_score(
    trainer: MultiStreamTrainer, processor: Any, splits: dict[str, datasets.Dataset], corpus: datasets.DatasetDict
) -> dict[str, float]:
    """Train, save the best model at the root of the run, score validation and test, write the results."""
    result = trainer.train(resume_from_checkpoint=trainer.args.resume_from_checkpoint)
    trainer.save_model()
    if trainer.is_world_process_zero():
        processor.save_pretrained(trainer.args.output_dir)
    trainer.save_metrics("train", {**result.metrics, "train_skipped_batches": trainer.skipped_batches})
    trainer.save_state()
    metrics = {}
    for prefix, split in (("eval", "validation"), ("test", "test")):
        if split in splits:
            metrics = trainer.evaluate(splits[split], metric_key_prefix=prefix)
            if split == "test":
                metrics["test_overlap"] = count_overlap(corpus["test"], split_members(corpus))
            save_predictions(trainer, corpus[split], prefix, metrics)
    if trainer.is_world_process_zero():
        write_run_card(trainer.args.output_dir)
    trainer.push_saved("End of training")
    # All processes leave together: one that exits while another still talks to it can be aborted.
    trainer.accelerator.wait_for_everyone()
    PartialState().destroy_process_group()
    return metrics

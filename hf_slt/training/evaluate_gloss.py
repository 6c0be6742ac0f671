"""Score a trained gloss classifier on labelled clips: figures, tables and plots."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from tqdm.auto import tqdm
from transformers import PretrainedConfig

from hf_slt.data.file_records import clip_records
from hf_slt.data.gloss.collator import DataCollatorForGlossClassification
from hf_slt.data.gloss.contract import GlossContractReport, GlossSplit, check_splits
from hf_slt.data.gloss.dataset import GlossDataset
from hf_slt.data.gloss.labels import read_names
from hf_slt.errors import ConfigurationError, DataContractError, MissingDependencyError, Problem
from hf_slt.evaluation.classification import compute_gloss_metrics, confusion_matrix
from hf_slt.evaluation.gloss_reports import write_table
from hf_slt.evaluation.gloss_tables import per_class_table, per_signer_table
from hf_slt.evaluation.plots import plot_calibration, plot_confusion_matrix
from hf_slt.evaluation.reports import write_json
from hf_slt.evaluation.scored_clips import ScoredClips
from hf_slt.exporters.exported_models import check_not_exported, load_exported_classifier
from hf_slt.model_card.run_card import refresh_run_card
from hf_slt.models.gloss.checkpoint import class_names, load_gloss_checkpoint
from hf_slt.provenance import check_extractor
from hf_slt.training.build_gloss import build_gloss_datasets, checked
from hf_slt.training.build_slt import resolve_output_dir
from hf_slt.training.checkpoints import RUN_CONFIG
from hf_slt.training.evaluation_provenance import describe_selection, versions
from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments
from hf_slt.training.gloss_results import (
    clip_digests,
    format_gloss_scores,
    hash_gloss_clips,
    intervals_of,
    score_clips,
    shared_signers,
    write_predictions_of,
)
from hf_slt.training.gloss_trainer import FixedOrder, evaluation_order
from hf_slt.training.gloss_training_arguments import GlossTrainingArguments
from hf_slt.training.model_hash import hash_weights
from hf_slt.training.results import CONFIDENCE, SPLITS, read_run_file

logger = logging.getLogger(__name__)


def run_evaluate_gloss(args: GlossEvaluationArguments) -> dict[str, Any]:
    """Evaluate a checkpoint or an export; write `metrics.json`, `predictions.csv`, `per_class.csv` and the plots.

    Args:
        args: The model, the clips and the options.

    Returns:
        What `metrics.json` holds.

    Raises:
        ConfigurationError: No model, clips or labels, names that are not the model's, or (`--strict`) clips of another
            extractor than that of the training.
        MissingDependencyError: An export without the extra `onnx`.
        DataContractError: The clips are not usable, or the model was trained or selected on some of them.
    """
    folder, model, extractor = load_model(args)
    if args.num_threads:
        torch.set_num_threads(args.num_threads)
    split = evaluation_split(args, extractor.input_type == "landmarks")
    output_dir = resolve_output_dir(args.output_dir or f"{folder}/eval_{split.labels_csv.stem}")
    config = apply_names(model.config, args)
    report = check_evaluation_data(args, split, config, extractor, output_dir / "contract_report.json")
    records = clip_records(split.folder, [row.file for row in report.rows["test"]])
    check_extractor(extractor.extractor, records, args.strict, str(split.folder), pose_layout=extractor.layout_name)
    splits = read_run_file(folder, SPLITS)
    if not args.allow_overlap:
        if not splits:
            logger.warning(f"no {SPLITS} beside {folder}: clips that the model was trained on are not recognised")
        check_unseen(report, splits)
    dataset = build_gloss_datasets(report, extractor, config.num_categories)["test"]
    clips = score_clips(
        predict_scores(model, dataset, extractor, args.batch_size), dataset, 1 if config.num_categories is None else 2
    )
    metrics = {**describe_evaluation(args, folder, model, report, splits), **collect_metrics(clips, dataset, args)}
    metrics["signers_shared_with_training"] = shared_signers(dataset.signers, splits)
    write_evaluation(output_dir, metrics, clips, dataset, config)
    refresh_run_card(folder, output_dir)
    return metrics


def load_model(args: GlossEvaluationArguments) -> tuple[Path, Any, Any]:
    """Return the folder of the model that the flags name, the model, and its feature extractor.

    Raises:
        ConfigurationError: Both `--checkpoint` and `--onnx`, none of them, or a folder that does not load.
        MissingDependencyError: An export without the extra `onnx`.
    """
    if args.checkpoint and args.onnx:
        raise ConfigurationError(
            f"expected --checkpoint or --onnx, found both: {args.checkpoint} and {args.onnx}; evaluate them one by one"
        )
    if args.onnx:
        return Path(args.onnx), *load_exported_classifier(args.onnx, args.num_threads)
    if not args.checkpoint:
        raise ConfigurationError("expected --checkpoint FOLDER of a trained model, or --onnx of an export, found none")
    check_not_exported(args.checkpoint)
    return Path(args.checkpoint), *load_gloss_checkpoint(args.checkpoint)


def evaluation_split(args: GlossEvaluationArguments, reads_landmarks: bool) -> GlossSplit:
    """Return the clips to evaluate.

    Raises:
        ConfigurationError: Clips or labels are not given, or clips that the model does not read are.
    """
    wanted, other = ("keypoints", "features") if reads_landmarks else ("features", "keypoints")
    problems = []
    if getattr(args, other):
        problems.append(f"expected no --{other}, the model reads {wanted}, found {getattr(args, other)}")
    if not getattr(args, wanted):
        problems.append(f"expected --{wanted} FOLDER with the clips, found none")
    if not args.labels_csv:
        problems.append("expected --labels-csv FILE with their labels, found none")
    if problems:
        raise ConfigurationError("; ".join(problems))
    return GlossSplit("test", Path(getattr(args, wanted)), Path(args.labels_csv))


def apply_names(config: PretrainedConfig, args: GlossEvaluationArguments) -> PretrainedConfig:
    """Give classes that the model knows by number the names of a table; names that it has must be the same.

    Raises:
        ConfigurationError: A table of other names, or of another number of them.
        DataContractError: A table that cannot be read.
    """
    heads = [("--gloss-names", args.gloss_names, "id2label", "LABEL_{}"),
             ("--cat-names", args.cat_names, "category_id2label", "CATEGORY_{}")]  # fmt: skip
    for flag, path, field, placeholder in heads:
        own = getattr(config, field)
        if not path or not own:
            continue
        names = read_names(path, args.encoding)
        if len(names) != len(own):
            raise ConfigurationError(f"expected {len(own)} names in {flag}, as the model has, found {len(names)}")
        for index, name in enumerate(names):
            if own[index] not in (name, placeholder.format(index)):
                raise ConfigurationError(
                    f"expected the model's name '{own[index]}' of class {index} in {flag}, found '{name}'; leave the "
                    f"flag out, or use the table of the training run"
                )
        setattr(config, field, dict(enumerate(names)))
    return config


def names_of(names: Mapping[int, str] | None, placeholder: str) -> list[str] | None:
    """Return the names that labels may be written as; None if the model knows its classes by number only."""
    if not names or any(names[index] == placeholder.format(index) for index in names):
        return None
    return [names[index] for index in range(len(names))]


def check_evaluation_data(
    args: GlossEvaluationArguments, split: GlossSplit, config: PretrainedConfig, extractor: Any, report_path: Path
) -> GlossContractReport:
    """Check the clips as training does, against the classes and the width of the model.

    Raises:
        DataContractError: Anything is wrong; the message and the report list all of it.
    """
    landmarks = extractor.input_type == "landmarks"
    report = check_splits(
        [split],
        kind="keypoints" if landmarks else "features",
        key=args.kp_key if landmarks else args.feature_key,
        width=extractor.raw_size,
        num_gloss=config.num_labels,
        num_cat=config.num_categories,
        gloss_names=names_of(config.id2label, "LABEL_{}"),
        cat_names=names_of(config.category_id2label, "CATEGORY_{}"),
        allow_unlabelled=args.allow_unlabelled_files,
        encoding=args.encoding,
        cache_dir=args.cache_dir,
        show_progress=True,
    )
    return checked(report, report_path)


def known_clips(report: GlossContractReport, splits: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return file -> split and file of the clip of the same content that the model was trained or selected on."""
    known = {
        digest: (split, file)
        for split in ("train", "validation")
        for file, digest in zip(
            splits.get(split, {}).get("files", ()), splits.get(split, {}).get("digests", ()), strict=True
        )
    }
    digests = clip_digests(report, "test")
    return {row.file: known[digests[row.file]] for row in report.rows["test"] if digests[row.file] in known}


def check_unseen(report: GlossContractReport, splits: Mapping[str, Any]) -> None:
    """Raise `DataContractError` listing the clips whose content the model was trained or selected on."""
    fix = "evaluate other clips, or pass --allow-overlap"
    problems = [
        Problem(file, "a clip that the model has not seen", f"its content is clip '{other}' of the {split} split", fix)
        for file, (split, other) in known_clips(report, splits).items()
    ]
    if problems:
        raise DataContractError(problems, headline="scores on known clips mean nothing (--allow-overlap to see them)")


@torch.inference_mode()
def predict_scores(model: Any, dataset: GlossDataset, extractor: Any, batch_size: int) -> tuple[np.ndarray, ...]:
    """Return the scores of each head, `(N, C)` and, with two heads, `(N, K)`, in the order of the data set."""
    order = evaluation_order(dataset)
    collator = DataCollatorForGlossClassification(extractor.pad)
    loader = DataLoader(dataset, batch_size=batch_size, sampler=FixedOrder(order), collate_fn=collator)
    parts: list[list[np.ndarray]] = []
    for batch in tqdm(loader, desc="evaluating", unit="batch"):
        outputs = model(batch["input_values"].to(model.device), batch["attention_mask"].to(model.device))
        heads = (outputs.gloss_logits, outputs.category_logits)
        parts.append([logits.float().cpu().numpy() for logits in heads if logits is not None])
    back = np.argsort(order)
    return tuple(np.concatenate(head)[back] for head in zip(*parts, strict=True))


def describe_evaluation(
    args: GlossEvaluationArguments, folder: Path, model: Any, report: GlossContractReport, splits: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the scores come from, as `metrics.json` of a translation model tells it.

    Clips are compared by content: `overlap` has no groups of signer, sentence and video.
    """
    runtime = "onnxruntime" if args.onnx else "torch"
    return {
        "model": folder.resolve().name,
        "model_hash": hash_weights(folder, runtime),
        "runtime": runtime,
        "task": "gloss",
        "split": Path(args.labels_csv or "").stem,
        "n": len(report.rows["test"]),
        "data_hash": hash_gloss_clips(report, "test"),
        "selection": describe_selection(
            folder, read_run_file(folder, RUN_CONFIG), splits, GlossTrainingArguments.lower_is_better
        ),
        "overlap": {"video_ids": len(known_clips(report, splits)), "groups": None} if splits else None,
        "confidence": CONFIDENCE,
        "resamples": args.resamples,
        "seed": args.seed,
        "settings": {"device": model.device.type, "precision": "fp32", "batch_size": args.batch_size},
        "versions": versions(),
        "skipped_clips": 0,
    }


def collect_metrics(clips: ScoredClips, dataset: GlossDataset, args: GlossEvaluationArguments) -> dict[str, Any]:
    """Return the scores, their intervals, and the scores of each signer if signers are known."""
    everything = clips.select(np.ones(len(clips.labels), bool))
    metrics: dict[str, Any] = compute_gloss_metrics(*everything)
    metrics["ece"] = round(metrics["ece"], 4)  # more digits are those of the runtime; the others are ratios of counts
    metrics |= intervals_of(clips, args.resamples, args.seed)
    metrics["clips"] = len(dataset)
    if all(signer is not None for signer in dataset.signers):
        gloss, labels, category, category_labels = everything
        metrics["per_signer"] = per_signer_table(gloss, labels, dataset.signers, category, category_labels)
    return metrics


def write_evaluation(
    output_dir: Path, metrics: dict[str, Any], clips: ScoredClips, dataset: GlossDataset, config: PretrainedConfig
) -> None:
    """Write all files of an evaluation and show the scores; plots need matplotlib, and are left out without it."""
    names, _ = class_names(config)
    write_json(output_dir / "metrics.json", metrics)
    write_predictions_of(output_dir / "predictions.csv", clips, dataset, config)
    write_table(output_dir / "per_class.csv", per_class_table(clips.labels, clips.predictions, names))
    try:
        matrix = confusion_matrix(clips.labels, clips.predictions, len(names))
        plot_confusion_matrix(output_dir / "confusion_matrix.png", matrix, names)
        confidence = clips.probabilities.max(axis=1).clip(max=1)
        plot_calibration(output_dir / "calibration.png", confidence, clips.predictions == clips.labels)
    except MissingDependencyError as error:
        logger.warning(f"no plots: {error}")
    if metrics["overlap"] and metrics["overlap"]["video_ids"]:
        known = f"{metrics['overlap']['video_ids']} of {metrics['clips']}"
        logger.warning(f"{known} clips are known from training or selection: their scores mean nothing")
    logger.info(format_gloss_scores(f"{metrics['split']} ({metrics['clips']} clips)", metrics))
    for row in metrics.get("per_signer", ()):
        interval = f"[{row['accuracy_low']:.2f}, {row['accuracy_high']:.2f}]"
        logger.info(f"  signer {row['signer']} ({row['clips']} clips): accuracy {row['accuracy']:.3f} {interval}")
    if metrics["signers_shared_with_training"]:
        logger.warning(f"signers that were also in training: {', '.join(metrics['signers_shared_with_training'])}")
    logger.info(f"results in {output_dir}")

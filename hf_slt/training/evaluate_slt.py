"""Score trained translation models on an index of clips, and with streams blanked."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import torch

from hf_slt.data.builder import build_datasets
from hf_slt.data.corpus import CorpusPaths
from hf_slt.errors import ConfigurationError, DataContractError, Problem
from hf_slt.evaluation.checkpoint_reports import (
    CONTRACT_REPORT,
    PREDICTIONS,
    build_report,
    remove_old_report,
    write_report,
)
from hf_slt.evaluation.pairs import check_bleu_tokenizer
from hf_slt.evaluation.reports import format_pairs, write_predictions
from hf_slt.training.arguments import DataArguments
from hf_slt.training.build_slt import resolve_output_dir
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.evaluation_checkpoints import Checkpoint, open_checkpoints
from hf_slt.training.evaluation_device import autocast_dtype, resolve_device
from hf_slt.training.evaluation_loop import Evaluation, ablate_streams, score_groups
from hf_slt.training.results import SHOWN_METRICS, SPLITS, format_scores

logger = logging.getLogger(__name__)


def run_evaluate_slt(data_args: DataArguments, args: EvaluationArguments) -> dict[str, Any]:
    """Evaluate one or several models, checkpoints and exports; write `predictions.csv`, `report.json`, `report.csv`.

    One model has all three in the folder for the results. Of several, each has them in a subfolder with its name,
    and the reports in the folder itself are of all of them, with mean and standard deviation. Everything is checked
    before the first model is scored.

    Args:
        data_args: The corpus; the folders of the streams that the models read must be given.
        args: The models, the index and the options.

    Returns:
        What `report.json` holds: `split` (name of the index), `settings`, `checkpoints` (a list of scores: `name`,
        `path`, `runtime`, `clips`, `loss`, `bleu` ... `wer`, `<score>_interval`, `signature`, `latency_ms` (mean, ms a
        clip), scores of `seen_` and `unseen_` sentences, `ablation` if asked for), `mean` and `std` (None for one
        model).

    Raises:
        ConfigurationError: No model or index, a stream of a model without its folder, parts that do not load or
            fit, a device or a file that cannot be used.
        DataContractError: The clips are not usable, or a model was trained or selected on some of them.
        MissingDependencyError: There are exports, and the extra `onnx` is not installed.
    """
    if args.bleu_tokenize:
        check_bleu_tokenizer(args.bleu_tokenize)
    device = resolve_device("cpu" if args.onnx else args.device)
    dtype = autocast_dtype(args.precision, device)
    checkpoints = open_checkpoints(args.checkpoint, args.tokenizer, args.onnx)
    paths = evaluation_paths(data_args, args, checkpoints)
    split = paths.indexes["test"].stem
    output_dir = resolve_output_dir(args.output_dir or f"{checkpoints[0].path}/eval_{split}")
    several = len(checkpoints) > 1
    folders = [resolve_output_dir(str(output_dir / c.name)) if several else output_dir for c in checkpoints]
    predictions_csv = resolve_output_csv(args.output_csv)
    corpora = load_clips(checkpoints, paths, data_args, [output_dir, *folders[1:]])
    if not args.allow_overlap:
        check_overlap(checkpoints, corpora)
    remove_old_report(output_dir)
    common = {"split": split, "settings": settings_of(args, device, dtype)}
    results = []
    for checkpoint, clips, folder in zip(checkpoints, corpora, folders, strict=True):
        num_threads = args.num_threads or checkpoint.run_config.get("num_threads")
        if num_threads:
            torch.set_num_threads(num_threads)
        tokenize = args.bleu_tokenize or checkpoint.run_config.get("bleu_tokenize", "13a")
        model = checkpoint.load_model(device, num_threads)
        evaluation = Evaluation(model, checkpoint.processor, clips, paths.pose_key, args, tokenize, dtype)
        title = f"{checkpoint.name}, {split}" if several else split
        scores = evaluate_and_write(evaluation, checkpoint.splits, title, predictions_csv or folder / PREDICTIONS)
        origin = {"name": checkpoint.name, "path": str(checkpoint.path), "runtime": checkpoint.runtime}
        results.append({**origin, **scores})
        write_report(folder, build_report(results[-1:], **common))
    report = build_report(results, **common)
    if several:
        write_report(output_dir, report)
        if report["std"] is not None:
            logger.info(format_spread(report))
    logger.info(f"results in {output_dir}")
    return report


def evaluate_and_write(
    evaluation: Evaluation, splits: dict[str, Any], title: str, predictions_csv: Path
) -> dict[str, Any]:
    """Score, compare seen with unseen sentences, ablate if asked for, and write the predictions.

    Returns:
        The scores.
    """
    references, video_ids = evaluation.dataset["text"][:], evaluation.dataset["video_id"][:]
    sentences, latencies, loss = evaluation.run(warm_up=True)
    # More digits of a sum of float32 are those of the runtime and its threads, not of the model.
    scores = {"clips": len(references), "loss": round(loss, 4), **evaluation.scores(sentences, references)}
    logger.info(format_scores(f"{title} ({len(references)} clips)", scores))
    groups = score_groups(evaluation, sentences, references, splits)
    result = {**scores, "latency_ms": round(sum(latencies) / len(latencies), 2), **groups}
    if evaluation.args.ablate_streams:
        result["ablation"] = ablate_streams(evaluation, references, scores)
    rows = [
        {"video_id": i, "prediction": p, "reference": r, "latency_ms": round(ms, 2)}
        for i, p, r, ms in zip(video_ids, sentences, references, latencies, strict=True)
    ]
    write_predictions(predictions_csv, rows)
    logger.info(format_pairs(sentences, references, n=10))
    return result


def settings_of(args: EvaluationArguments, device: torch.device, dtype: torch.dtype | None) -> dict[str, Any]:
    """Return what scores and latency depend on beside the model; None is the model's own setting."""
    names = ("batch_size", "num_beams", "max_new_tokens", "length_penalty", "tokenizer")
    precision = "fp32" if dtype is None else str(dtype).removeprefix("torch.")
    return {"device": device.type, "precision": precision, **{name: getattr(args, name) for name in names}}


def format_spread(report: dict[str, Any]) -> str:
    """Format mean and standard deviation of the main scores as one line."""
    mean, std = report["mean"], report["std"]
    parts = [f"{label} {mean[name]:.2f} ± {std[name]:.2f}" for name, label in SHOWN_METRICS.items()]
    trained = sum(entry["runtime"] != "onnxruntime" for entry in report["checkpoints"])
    return f"mean ± standard deviation of {trained} models: {' | '.join(parts)}"


def evaluation_paths(
    data_args: DataArguments, args: EvaluationArguments, checkpoints: Sequence[Checkpoint]
) -> CorpusPaths:
    """Return the corpus to evaluate, with the streams that any of the models reads.

    Raises:
        ConfigurationError: No index, or no folder for a stream of a model.
    """
    if not args.index and not data_args.demo:
        raise ConfigurationError("expected --index FILE with the video_ids to evaluate, found none")
    own = {"test": args.index} if args.index else {}
    paths = data_args.corpus_paths(train=None, validation=None, **own)
    streams = list(dict.fromkeys(stream for checkpoint in checkpoints for stream in checkpoint.config.streams))
    missing = [stream for stream in streams if stream not in paths.streams]
    if missing:
        raise ConfigurationError(f"expected a folder for each stream that the model reads, found none for {missing}")
    for stream in set(paths.streams) - set(streams):
        logger.warning(f"the model does not read the stream {stream}: its folder is not used")
    return _restrict(paths, streams)


def _restrict(paths: CorpusPaths, streams: Sequence[str]) -> CorpusPaths:
    unused = set(paths.streams) - set(streams)
    return dataclasses.replace(paths, **{f"{stream}_dir": None for stream in unused})


def resolve_output_csv(path: str | None) -> Path | None:
    """Return the file of `--output-csv`, None if it is not given.

    Raises:
        ConfigurationError: It is a folder, or cannot be written to; after hours of evaluation this would come late.
    """
    if not path:
        return None
    existing = next(folder for folder in Path(path).absolute().parents if folder.exists())
    if Path(path).is_dir() or not existing.is_dir() or not os.access(existing, os.W_OK):
        found = f"the folder {path}" if Path(path).is_dir() else f"{existing}, which cannot be written to"
        raise ConfigurationError(f"expected a file to write in --output-csv, found {found}")
    return Path(path)


def load_clips(
    checkpoints: Sequence[Checkpoint], paths: CorpusPaths, data_args: DataArguments, folders: Sequence[Path]
) -> list[datasets.Dataset]:
    """Check the clips once for each set of streams that the models read.

    Args:
        checkpoints: The models.
        paths: The corpus.
        data_args: What may be left out.
        folders: For each checkpoint, where to write the report of a check that is made for it first.

    Returns:
        The clips of each checkpoint.

    Raises:
        DataContractError: They are not usable.
    """
    checked: dict[tuple[Any, ...], datasets.Dataset] = {}
    clips = []
    for checkpoint, folder in zip(checkpoints, folders, strict=True):
        key = (*sorted(checkpoint.config.streams), checkpoint.num_landmarks)
        if key not in checked:
            corpus, _ = build_datasets(
                _restrict(paths, checkpoint.config.streams),
                report_path=folder / CONTRACT_REPORT,
                num_landmarks=checkpoint.num_landmarks,
                skip_invalid=data_args.skip_invalid,
                allow_missing_streams=data_args.allow_missing_streams,
            )
            checked[key] = corpus["test"]
        clips.append(checked[key])
    if len({tuple(data["video_id"][:]) for data in checked.values()}) > 1:
        logger.warning("the models read other streams, whose invalid clips differ: their clips are not the same")
    return clips


def check_overlap(checkpoints: Sequence[Checkpoint], corpora: Sequence[datasets.Dataset]) -> None:
    """Raise `DataContractError` listing the clips that a model was trained or selected on."""
    problems = []
    for checkpoint, clips in zip(checkpoints, corpora, strict=True):
        splits = ("train", "validation")
        if not checkpoint.splits:
            logger.warning(f"no {SPLITS} beside {checkpoint.path}: clips that it was trained on are not recognised")
        known = {i: split for split in splits for i in checkpoint.splits.get(split, {}).get("video_ids", ())}
        of_model = f" of {checkpoint.name}" if len(checkpoints) > 1 else ""
        problems += [
            Problem(
                i,
                "a clip that the model has not seen",
                f"it is in the {known[i]} split{of_model}",
                "evaluate other clips, or pass --allow-overlap",
            )
            for i in clips["video_id"][:]
            if i in known
        ]
    if problems:
        raise DataContractError(problems, headline="scores on known clips mean nothing (--allow-overlap to see them)")

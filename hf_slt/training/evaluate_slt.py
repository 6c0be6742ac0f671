"""Score trained translation models on an index of clips, and with streams blanked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hf_slt.evaluation.checkpoint_reports import build_report, remove_old_report, write_report
from hf_slt.evaluation.languages import tokenizer_for_language
from hf_slt.evaluation.pairs import check_bleu_tokenizer
from hf_slt.model_card.run_card import refresh_run_card
from hf_slt.training.arguments import DataArguments
from hf_slt.training.build_slt import resolve_output_dir
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.evaluation_checkpoints import Checkpoint, open_checkpoints
from hf_slt.training.evaluation_clips import (
    CALIBRATION,
    EvaluatedClips,
    check_calibration,
    check_extractors,
    evaluation_paths,
    load_clips,
)
from hf_slt.training.evaluation_device import autocast_dtype, resolve_device
from hf_slt.training.evaluation_loop import GENERATION_FLAGS, Evaluation
from hf_slt.training.evaluation_outputs import ModelEvaluation, can_draw
from hf_slt.training.evaluation_places import resolve_outputs, split_name
from hf_slt.training.flags import check_all
from hf_slt.training.overlap import check_overlap
from hf_slt.training.results import SHOWN_METRICS

logger = logging.getLogger(__name__)


def run_evaluate_slt(data_args: DataArguments, args: EvaluationArguments) -> dict[str, Any]:
    """Evaluate one or several models, checkpoints and exports, and write what was found.

    Files of one model, in the folder for the results: `metrics.json` (scores, and what they came from),
    `predictions.csv`, `per_signer.csv`, `per_length.csv`, `risk_coverage.csv`, pictures, `latency.csv`, and of all
    models `report.json` and `report.csv`. Of several models, each has them in a subfolder with its name, and the
    reports in the folder itself are of all of them, with mean and standard deviation. Everything is checked before the
    first model is scored. A second evaluation writes the same bytes, but for `latency.csv`.

    Args:
        data_args: The corpus; the folders of the streams that the models read must be given.
        args: The models, the index and the options.

    Returns:
        What `report.json` holds: `split` (name of the index), `settings`, `checkpoints` (a list of scores: `name`,
        `path`, `runtime`, `clips`, `loss`, `bleu` ... `wer`, `<score>_interval`, `signature`, `aurc`, scores of
        `seen_` and `unseen_` sentences, `ablation` if asked for), `mean` and `std` (None for one model).

    Raises:
        ConfigurationError: No model or index, a stream of a model without its folder, parts that do not load or
            fit, a device or a file that cannot be used, a risk of `--abstain` that no threshold reaches, or
            (`--strict`) clips of another extractor than that of the training.
        DataContractError: The clips are not usable, or a model was trained or selected on some of them.
        MissingDependencyError: There are exports, and the extra `onnx` is not installed.
    """
    device, dtype, given_tokenizer, checkpoints, output_dir = _checked_settings(data_args, args)
    paths = evaluation_paths(data_args, args, checkpoints)
    several = len(checkpoints) > 1
    folders = [resolve_output_dir(str(output_dir / c.name)) if several else output_dir for c in checkpoints]
    corpora = load_clips(checkpoints, paths, data_args, [output_dir, *folders[1:]])
    check_known_clips(checkpoints, corpora, args.allow_overlap)
    check_extractors(checkpoints, corpora, args.strict)
    if not can_draw():
        logger.warning("no pictures: matplotlib is not installed; run: pip install 'hf_slt[plots]'")
    split = split_name(args)
    common = {"split": split, "settings": settings_of(args, device, dtype)}
    shown = {name: common["settings"][name] for name in ("device", "precision", "batch_size")}
    calibration = paths.indexes[CALIBRATION].stem if CALIBRATION in paths.indexes else None

    def opened(checkpoint: Checkpoint, clips: EvaluatedClips, folder: Path) -> ModelEvaluation:
        """Load a model, ready to be scored on its clips."""
        num_threads = args.num_threads or checkpoint.run_config.get("num_threads")
        if num_threads:
            torch.set_num_threads(num_threads)
        tokenize = given_tokenizer or own_tokenizer(checkpoint)
        model = checkpoint.load_model(device, num_threads)
        evaluation = Evaluation(model, checkpoint.processor, clips.test, paths.pose_key, args, tokenize, dtype)
        title = f"{checkpoint.name}, {split}" if several else split
        return ModelEvaluation(checkpoint, evaluation, clips, folder, split, calibration, shown, title)

    jobs = list(zip(checkpoints, corpora, folders, strict=True))
    # All thresholds come first: one that does not exist must not be found out after the evaluation of another model.
    thresholds = [opened(*job).calibrate() if args.abstain is not None else None for job in jobs]
    entries: list[dict[str, Any]] = []
    for job, threshold in zip(jobs, thresholds, strict=True):
        model = opened(*job)
        scored = model.score(threshold)
        if not entries:
            remove_old_report(output_dir)  # an evaluation that fails leaves that of an earlier one
        model.write(scored)
        entries.append(scored.entry)
        write_report(model.folder, build_report([scored.entry], **common))
        refresh_run_card(model.checkpoint.path, model.folder)
    report = build_report(entries, **common)
    if several:
        write_report(output_dir, report)
        if report["std"] is not None:
            logger.info(format_spread(report))
    logger.info(f"results in {output_dir}")
    return report


def _checked_settings(data_args: DataArguments, args: EvaluationArguments) -> list[Any]:
    """Return device, type of autocast, tokenizer of BLEU, models and folder for the results, all checked at once."""
    device, tokenize, checkpoints, output_dir = check_all(
        lambda: resolve_device("cpu" if args.onnx else args.device),
        lambda: choose_tokenizer(args),
        lambda: open_checkpoints(args.checkpoint, args.tokenizer, args.onnx),
        lambda: resolve_outputs(args, data_args),
    )
    if not tokenize:
        for name in sorted({own_tokenizer(checkpoint) for checkpoint in checkpoints}):
            check_bleu_tokenizer(name)
    return [device, autocast_dtype(args.precision, device), tokenize, checkpoints, output_dir]


def own_tokenizer(checkpoint: Checkpoint) -> str:
    """Return sacrebleu's tokenizer of the training run of a model."""
    return checkpoint.run_config.get("bleu_tokenize") or "13a"


def choose_tokenizer(args: EvaluationArguments) -> str | None:
    """Return sacrebleu's tokenizer that the flags ask for; None: that of the training run.

    Raises:
        ConfigurationError: There is no such tokenizer.
        MissingDependencyError: What it needs is not installed.
    """
    tokenize = args.bleu_tokenize or (tokenizer_for_language(args.language) if args.language else None)
    if tokenize:
        check_bleu_tokenizer(tokenize)
    return tokenize


def check_known_clips(
    checkpoints: Sequence[Checkpoint], corpora: Sequence[EvaluatedClips], allow_overlap: bool
) -> None:
    """Refuse clips that a model knows; `allow_overlap` is for those to score, never for those to calibrate on."""
    check_overlap(checkpoints, [clips.test for clips in corpora], allow_overlap)
    check_calibration(checkpoints, corpora)


def settings_of(args: EvaluationArguments, device: torch.device, dtype: torch.dtype | None) -> dict[str, Any]:
    """Return what scores and latency depend on beside the model; None is the model's own setting."""
    names = ("batch_size", *GENERATION_FLAGS, "tokenizer")
    precision = "fp32" if dtype is None else str(dtype).removeprefix("torch.")
    return {"device": device.type, "precision": precision, **{name: getattr(args, name) for name in names}}


def format_spread(report: dict[str, Any]) -> str:
    """Format mean and standard deviation of the main scores as one line."""
    mean, std = report["mean"], report["std"]
    parts = [f"{label} {mean[name]:.2f} ± {std[name]:.2f}" for name, label in SHOWN_METRICS.items()]
    trained = sum(entry["runtime"] != "onnxruntime" for entry in report["checkpoints"])
    return f"mean ± standard deviation of {trained} models: {' | '.join(parts)}"

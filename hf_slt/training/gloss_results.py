"""Files that a gloss run leaves beside the model: configuration, split membership, scores, predictions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PretrainedConfig

from hf_slt.data.gloss.contract import GlossContractReport
from hf_slt.data.gloss.dataset import GlossDataset
from hf_slt.evaluation.classification import bootstrap_accuracy_intervals
from hf_slt.evaluation.gloss_reports import gloss_prediction_rows, write_gloss_predictions
from hf_slt.evaluation.reports import write_json
from hf_slt.evaluation.scored_clips import UNKNOWN, ScoredClips, check_scores
from hf_slt.models.gloss.checkpoint import class_names
from hf_slt.training.checkpoints import RUN_CONFIG
from hf_slt.training.evaluation_provenance import hash_rows
from hf_slt.training.results import SPLITS

logger = logging.getLogger(__name__)

SHOWN_METRICS = {
    "accuracy": "accuracy",
    "top5_accuracy": "top-5",
    "macro_f1": "macro F1",
    "category_accuracy": "category",
    "ece": "calibration error",
}


def write_gloss_run_files(output_dir: Path, effective: Mapping[str, Any], report: GlossContractReport) -> None:
    """Write `run_config.json` (what `--config` takes back) and `splits.json` (what an evaluation must not overlap)."""
    write_json(output_dir / RUN_CONFIG, effective)
    members: dict[str, dict[str, Any]] = {}
    for split, rows in report.rows.items():
        digests = clip_digests(report, split)
        files = [row.file for row in rows]
        signers = sorted({row.signer for row in rows} - {None})
        members[split] = {"files": files, "digests": [digests[file] for file in files], "signers": signers}
        members[split]["data_hash"] = hash_gloss_clips(report, split)
    write_json(output_dir / SPLITS, members)


def clip_digests(report: GlossContractReport, split: str) -> dict[str, str]:
    """Return file -> digest of its content, of the folder that a split uses."""
    table = report.tables[split]
    return dict(zip(table["file"][:], table["digest"][:], strict=True))


def hash_gloss_clips(report: GlossContractReport, split: str) -> str:
    """Return a hash of the clips of a split, in their order: names, labels, signers and content."""
    digests = clip_digests(report, split)
    return hash_rows([row.file, row.gloss, row.cat, row.signer, digests[row.file]] for row in report.rows[split])


def score_clips(output: Any, dataset: GlossDataset, num_heads: int) -> ScoredClips:
    """Check the scores of an evaluation; a category that is not known is labelled -100.

    Args:
        output: Scores of the glosses `(N, C)`, or of both heads `((N, C), (N, K))`, in the order of the data set.
        dataset: The clips.
        num_heads: Heads of the model.
    """
    if num_heads == 1:
        return check_scores(output[0] if isinstance(output, tuple) else output, dataset.labels)
    unknown = np.full(len(dataset.labels), UNKNOWN)
    categories = unknown if dataset.category_labels is None else dataset.category_labels
    return check_scores(output[0], dataset.labels, output[1], categories)


def intervals_of(clips: ScoredClips, resamples: int, seed: int) -> dict[str, list[float]]:
    """Return `<score>_interval: [low, high]`, 95 % bootstrap intervals over clips; empty for 0 resamples."""
    if not resamples:
        return {}
    everything = clips.select(np.ones(len(clips.labels), bool))
    intervals = bootstrap_accuracy_intervals(*everything, resamples=resamples, seed=seed)
    return {f"{name}_interval": [round(bound, 4) for bound in bounds] for name, bounds in intervals.items()}


def write_predictions_of(path: Path, clips: ScoredClips, dataset: GlossDataset, config: PretrainedConfig) -> None:
    """Write what the model says of every clip of a data set as CSV."""
    glosses, categories = class_names(config)
    known = any(signer is not None for signer in dataset.signers)
    signers = ["" if signer is None else signer for signer in dataset.signers] if known else None
    write_gloss_predictions(path, gloss_prediction_rows(clips, dataset.files, glosses, categories, signers))


def format_gloss_scores(title: str, metrics: Mapping[str, Any], prefix: str = "") -> str:
    """Format the scores, with their intervals where known, as one line."""
    parts = []
    for name, label in SHOWN_METRICS.items():
        value, interval = metrics.get(prefix + name), metrics.get(f"{prefix}{name}_interval")
        if value is not None:
            parts.append(f"{label} {value:.3f}" + (f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else ""))
    return f"{title}: {' | '.join(parts)}"


def save_gloss_results(trainer: Any, dataset: GlossDataset, prefix: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Write `<prefix>_results.json` and `<prefix>_predictions.csv` of the evaluation just run, and show the scores.

    Returns:
        The scores with their intervals.
    """
    config = trainer.model.config
    clips = score_clips(trainer.last_output.predictions, dataset, 1 if config.num_categories is None else 2)
    intervals = intervals_of(clips, resamples=1000, seed=trainer.args.seed)
    metrics = {**metrics, **{f"{prefix}_{name}": bounds for name, bounds in intervals.items()}}
    metrics[f"{prefix}_clips"] = len(dataset)
    if trainer.is_world_process_zero():
        output_dir = Path(trainer.args.output_dir)
        write_json(output_dir / f"{prefix}_results.json", metrics)
        write_predictions_of(output_dir / f"{prefix}_predictions.csv", clips, dataset, config)
        logger.info(format_gloss_scores(f"{prefix} ({len(dataset)} clips)", metrics, prefix=f"{prefix}_"))
    return metrics


def shared_signers(signers: Sequence[str | None], splits: Mapping[str, Any]) -> list[str] | None:
    """Return the signers that were also in the training split; None if either side is not known."""
    trained = set(splits.get("train", {}).get("signers", ()))
    here = {signer for signer in signers if signer is not None}
    return sorted(trained & here) if trained and here else None

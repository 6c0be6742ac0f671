"""Files that a run leaves beside the model: configuration, split membership, scores, predictions."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.bootstrap import INTERVAL_METRICS, bootstrap_intervals
from hf_slt.evaluation.reports import format_pairs, write_json, write_predictions
from hf_slt.training.checkpoints import RUN_CONFIG
from hf_slt.training.evaluation_provenance import hash_clips
from hf_slt.training.overlap import SPLITS, split_members

logger = logging.getLogger(__name__)

CONFIDENCE = 0.95
SHOWN_METRICS = {"bleu": "BLEU-4", "chrf": "chrF", "cer": "CER", "wer": "WER"}


def write_run_files(output_dir: Path, effective: dict[str, Any], corpus: datasets.DatasetDict) -> None:
    """Write `run_config.json` (what `--config` takes back) and `splits.json` (what an evaluation must not overlap)."""
    write_json(output_dir / RUN_CONFIG, effective)
    hashes = {split: {"data_hash": hash_clips(clips)} for split, clips in corpus.items()}
    write_json(output_dir / SPLITS, {split: known | hashes[split] for split, known in split_members(corpus).items()})


def read_run_file(checkpoint: Path, name: str) -> dict[str, Any]:
    """Return a JSON object that a run left beside its model; empty if there is none.

    Args:
        checkpoint: Folder of the run, or of a `checkpoint-N` in it.
        name: Name of the file.

    Raises:
        ConfigurationError: The file holds something else.
    """
    for folder in (checkpoint, checkpoint.parent):
        path = folder / name
        if path.is_file():
            try:
                return dict(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError) as error:
                raise ConfigurationError(f"expected a JSON object beside the model, found {path}: {error}") from error
    return {}


def with_intervals(
    metrics: dict[str, Any],
    predictions: list[str],
    references: list[str],
    tokenize: str,
    resamples: int,
    seed: int,
    lowercase: bool = False,
    names: Sequence[str] = INTERVAL_METRICS,
) -> dict[str, Any]:
    """Add the bootstrap interval of scores, of `CONFIDENCE`, as `<score>_interval: [low, high]`."""
    if not resamples:
        return metrics
    intervals = bootstrap_intervals(predictions, references, tokenize, resamples, seed, CONFIDENCE, names, lowercase)
    return {**metrics, **{f"{name}_interval": [round(v, 4) for v in bounds] for name, bounds in intervals.items()}}


def format_scores(title: str, metrics: dict[str, Any], prefix: str = "") -> str:
    """Format the main scores, with their intervals where known, as one line."""
    parts = []
    for name, label in SHOWN_METRICS.items():
        value, interval = metrics.get(prefix + name), metrics.get(f"{prefix}{name}_interval")
        if value is not None:
            parts.append(f"{label} {value:.2f}" + (f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else ""))
    return f"{title}: {' | '.join(parts)}"


def save_predictions(trainer: Any, corpus: datasets.Dataset, prefix: str, metrics: dict[str, Any]) -> None:
    """Write `<prefix>_results.json` and `<prefix>_predictions.csv` of the evaluation just run, and show it."""
    if not trainer.is_world_process_zero():
        return
    predictions, references = trainer.last_predictions, trainer.last_references
    scores = with_intervals({}, predictions, references, trainer.tokenize, resamples=1000, seed=trainer.args.seed)
    metrics = {**metrics, **{f"{prefix}_{name}": value for name, value in scores.items()}}
    output_dir = Path(trainer.args.output_dir)
    write_json(output_dir / f"{prefix}_results.json", metrics)
    rows = [
        {"video_id": video_id, "prediction": prediction, "reference": reference}
        for video_id, prediction, reference in zip(corpus["video_id"][:], predictions, references, strict=True)
    ]
    write_predictions(output_dir / f"{prefix}_predictions.csv", rows)
    logger.info(format_scores(f"{prefix} ({len(rows)} clips)", metrics, prefix=f"{prefix}_"))
    if prefix == "test":
        logger.info(format_pairs(predictions, references, n=10))

"""One model of an evaluation: scored, and its files written. All but `latency.csv` are the same each time."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.errors import ConfigurationError, MissingDependencyError, require_package
from hf_slt.evaluation.abstention import area_under_risk_coverage, choose_threshold, risk_coverage_curve
from hf_slt.evaluation.breakdowns import per_length_table, per_signer_table
from hf_slt.evaluation.checkpoint_reports import LATENCY, METRICS, PER_LENGTH, PER_SIGNER, PREDICTIONS, RISK_COVERAGE
from hf_slt.evaluation.gloss_reports import write_table
from hf_slt.evaluation.reports import format_pairs, write_json, write_predictions
from hf_slt.training.evaluation_checkpoints import Checkpoint
from hf_slt.training.evaluation_clips import EvaluatedClips
from hf_slt.training.evaluation_loop import GENERATION_FLAGS, Evaluation, ablate_streams, score_groups
from hf_slt.training.evaluation_provenance import describe_decoding, describe_selection, versions
from hf_slt.training.evaluation_result import EvaluationResult
from hf_slt.training.model_hash import hash_weights
from hf_slt.training.overlap import count_overlap
from hf_slt.training.results import CONFIDENCE, format_scores
from hf_slt.training.training_arguments import LOWER_IS_BETTER

logger = logging.getLogger(__name__)

_DIGITS = 4


@dataclass
class Scored:
    """What the evaluation of a model gave.

    Attributes:
        result: Clip by clip.
        metrics: What `metrics.json` holds.
        entry: Its entry in `report.json`.
    """

    result: EvaluationResult
    metrics: dict[str, Any]
    entry: dict[str, Any]


@dataclass
class ModelEvaluation:
    """The evaluation of one model.

    Attributes:
        checkpoint: The model, as it was opened.
        evaluation: What is scored, and how.
        clips: Its clips.
        folder: Folder for the results.
        split: Name of the index of the clips.
        calibration_split: Name of that of calibration; None without one.
        settings: `device`, `precision` and `batch_size`.
        title: What the log calls it.
    """

    checkpoint: Checkpoint
    evaluation: Evaluation
    clips: EvaluatedClips
    folder: Path
    split: str
    calibration_split: str | None
    settings: dict[str, Any]
    title: str

    def score(self, abstention: Mapping[str, Any] | None = None) -> Scored:
        """Score the model; nothing is written.

        Args:
            abstention: What `calibrate` returned.

        Raises:
            ConfigurationError: The model gives no finite numbers.
        """
        evaluation = self.evaluation
        result = self._run(evaluation, warm_up=True)
        # More digits of a sum of float32 are those of the runtime and its threads, not of the model.
        result.loss = round(result.loss, _DIGITS)
        scores = evaluation.scores(result.sentences, result.references)
        logger.info(format_scores(f"{self.title} ({len(result.references)} clips)", scores))
        logger.info(
            f"{np.mean(result.latencies):.1f} ms a clip | log-probability of a token {result.score_per_clip.mean():.3f}"
        )
        groups = score_groups(evaluation, result.sentences, result.references, self.checkpoint.splits)
        if evaluation.args.ablate_streams:
            result.ablation = ablate_streams(evaluation, result.references, scores)
        if abstention:
            result.threshold = abstention["threshold"]
            abstention = {**abstention, **self._answered(result)}
        scores = {**scores, "aurc": round(area_under_risk_coverage(result.score_per_clip, result.risks), _DIGITS)}
        extra = {**groups, **({"ablation": result.ablation} if result.ablation else {})}
        metrics = self._metrics(result, scores) | extra | ({"abstention": abstention} if abstention else {})
        if evaluation.args.phoenix_legacy:
            metrics["phoenix_legacy"] = evaluation.phoenix_legacy(result.sentences, result.references)
        logger.info(format_pairs(result.sentences, result.references, n=10))
        flat = {f"{name}_{key}": value for name, part in groups.items() for key, value in part.items()}
        origin = {"name": self.checkpoint.name, "path": str(self.checkpoint.path), "runtime": self.checkpoint.runtime}
        entry = {**origin, "clips": len(result.references), "loss": result.loss, **scores, **flat}
        return Scored(result, metrics, entry | ({"ablation": result.ablation} if result.ablation else {}))

    def calibrate(self) -> dict[str, Any]:
        """Choose the threshold of `--abstain`.

        Raises:
            ConfigurationError: No threshold reaches the risk, or the model gives no finite numbers.
        """
        target = self.evaluation.args.abstain
        result = self._run(dataclasses.replace(self.evaluation, dataset=self.clips.calibration))
        point = choose_threshold(result.score_per_clip, result.risks, target)
        return {
            "threshold": point.threshold,
            "target_risk": target,
            "calibration_split": self.calibration_split,
            "calibration_clips": len(result.sentences),
            "calibration_coverage": round(point.coverage, _DIGITS),
            "calibration_risk": round(point.risk, _DIGITS),
        }

    def _run(self, evaluation: Evaluation, warm_up: bool = False) -> EvaluationResult:
        result = evaluation.run(warm_up=warm_up)
        finite = np.isfinite(result.score_per_clip)
        if not finite.all() or not np.isfinite(result.loss):
            raise ConfigurationError(
                f"expected finite numbers of {self.checkpoint.name}, found a loss of {result.loss} and no score of "
                f"{(~finite).sum()} of {len(finite)} clips: its weights or its inputs hold NaN, or --precision "
                f"{evaluation.args.precision} is too coarse for it"
            )
        return result

    def _answered(self, result: EvaluationResult) -> dict[str, Any]:
        """Return coverage, risk and scores of the clips that are answered; the latter are None if there are none."""
        chosen = np.flatnonzero(result.answered)
        if not len(chosen):
            logger.warning(f"{self.title}: not one clip is answered")
            return {"coverage": 0.0, "risk": None, "scores": None}
        pairs = ([texts[i] for i in chosen] for texts in (result.sentences, result.references))
        scores = self.evaluation.scores(*pairs)
        coverage, risk = len(chosen) / len(result.sentences), float(result.risks[chosen].mean())
        logger.info(format_scores(f"answered ({coverage:.1%} of the clips, mean sentence CER {risk:.2f} %)", scores))
        return {"coverage": round(coverage, _DIGITS), "risk": round(risk, _DIGITS), "scores": scores}

    def _metrics(self, result: EvaluationResult, scores: dict[str, Any]) -> dict[str, Any]:
        """Return what `metrics.json` holds whatever was asked for."""
        checkpoint, evaluation, args = self.checkpoint, self.evaluation, self.evaluation.args
        given = {name: getattr(args, name) for name in GENERATION_FLAGS}
        return {
            "model": checkpoint.name,
            "model_hash": hash_weights(checkpoint.path, checkpoint.runtime),
            "runtime": checkpoint.runtime,
            "task": "translation",
            "split": self.split,
            "n": len(result.references),
            "data_hash": self.clips.data_hash,
            "loss": result.loss,
            **scores,
            "confidence": CONFIDENCE,
            "resamples": args.resamples,
            "seed": args.seed,
            "tokenize": evaluation.tokenize,
            "lowercase": args.lowercase,
            "language": args.language or checkpoint.run_config.get("language"),
            "selection": describe_selection(checkpoint.path, checkpoint.run_config, checkpoint.splits, LOWER_IS_BETTER),
            "overlap": count_overlap(self.clips.test, checkpoint.splits),
            "skipped_clips": self.clips.skipped,
            "decoding": describe_decoding(evaluation.model, given),
            "settings": self.settings,
            "versions": versions(),
        }

    def write(self, scored: Scored) -> None:
        """Write all files of the model but `report.json` and `report.csv`."""
        args, folder, result, metrics = self.evaluation.args, self.folder, scored.result, scored.metrics
        write_json(folder / METRICS, metrics)
        write_predictions(folder / PREDICTIONS, prediction_rows(result))
        times = zip(result.video_ids, result.latencies, strict=True)
        latencies = [{"video_id": video_id, "latency_ms": round(ms, 2)} for video_id, ms in times]
        write_table(folder / LATENCY, latencies, ("video_id", "latency_ms"))
        if args.output_csv:
            rows = zip(latencies, result.sentences, result.references, strict=True)
            write_predictions(args.output_csv, [{**row, "prediction": p, "reference": r} for row, p, r in rows])
        sentences, references = result.sentences, result.references
        if result.signers:
            write_table(
                folder / PER_SIGNER,
                per_signer_table(sentences, references, result.signers, self.evaluation.scores),
            )
        write_table(folder / PER_LENGTH, per_length_table(sentences, references, self.evaluation.scores))
        curve = risk_coverage_curve(result.score_per_clip, result.risks)
        columns = ("coverage", "threshold", "risk")
        rows = [{name: round(getattr(point, name), _DIGITS) for name in columns} for point in curve]
        write_table(folder / RISK_COVERAGE, rows, columns)
        self._draw(result, metrics)

    def _draw(self, result: EvaluationResult, metrics: dict[str, Any]) -> None:
        from hf_slt.training.evaluation_report import write_pictures, write_report_page

        if can_draw():
            write_pictures(self.folder, self.evaluation, result)
        if self.evaluation.args.report:
            write_report_page(Path(self.evaluation.args.report), self.folder, self.evaluation, result, metrics)


def prediction_rows(result: EvaluationResult) -> list[dict[str, Any]]:
    """Return the rows of `predictions.csv`: signers if they are known, `abstained` if the model may abstain."""
    rows = []
    for index, video_id in enumerate(result.video_ids):
        row = {"video_id": video_id, "prediction": result.sentences[index], "reference": result.references[index]}
        row["score"] = f"{result.score_per_clip[index]:.{_DIGITS}f}"
        if result.threshold is not None:
            row["abstained"] = int(not result.answered[index])
        if result.signers:
            row["signer"] = result.signers[index] or ""
        rows.append(row)
    return rows


def can_draw() -> bool:
    """Tell whether pictures can be drawn."""
    try:
        require_package("matplotlib", "plots")
    except MissingDependencyError:
        return False
    return True

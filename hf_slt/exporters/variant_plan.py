"""Which variants an export gets, and on which clips they are calibrated and scored.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from hf_slt.errors import ConfigurationError
from hf_slt.exporters.arguments import ExportArguments
from hf_slt.exporters.calibration import (
    check_calibration,
    choose_clips,
    gloss_batches,
    load_gloss_data,
    load_translation_data,
    translation_batches,
)
from hf_slt.exporters.report import describe_files
from hf_slt.exporters.variant_scores import (
    FRAMES,
    NEW_TOKENS,
    ROUNDS,
    gloss_scorer,
    measure_variants,
    translation_scorer,
)
from hf_slt.exporters.variants import write_variants
from hf_slt.models.gloss.checkpoint import read_gloss_folder
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.training.arguments import DataArguments
from hf_slt.training.evaluation_checkpoints import open_checkpoints
from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments
from hf_slt.training.results import SPLITS, read_run_file

logger = logging.getLogger(__name__)


@dataclass
class VariantPlan:
    """The variants, with their clips checked and loaded before anything is exported.

    Attributes:
        kinds: The variants.
        num_threads: Threads while they are timed.
        calibration: Returns training clips as model inputs; None if there are none.
        score: Exported model -> its scores on held-out clips; None if there are no clips to score.
        clips: Which clips these are, for the report.
    """

    kinds: list[str]
    num_threads: int
    calibration: Callable[[], Iterator[dict[str, torch.Tensor]]] | None = None
    score: Callable[[Any], dict[str, float]] | None = None
    clips: dict[str, Any] = field(default_factory=dict)

    def write_and_measure(self, export_dir: Path) -> dict[str, Any]:
        """Write the variants into folders inside of an export, and measure them beside it.

        Returns:
            `measured` (`num_threads`, `batch_size`, `frames`, `new_tokens`, `rounds`, and `clips` that were scored and
            calibrated on) and `kinds`: `"fp32"` and each variant -> what [`measure_variants`] says; of a variant also
            `files`, see [`describe_files`], and `written`, what [`write_variants`] says. Empty without variants.
        """
        if not self.kinds:
            return {}
        written = write_variants(self.kinds, export_dir, self.calibration and self.calibration())
        logger.info("measuring the variants")
        measured = measure_variants(export_dir, self.kinds, self.score, self.num_threads)
        for kind, how in written.items():
            measured[kind] |= {"files": describe_files(export_dir / kind), "written": how}
        sizes = {"batch_size": 1, "frames": FRAMES, "new_tokens": NEW_TOKENS, "rounds": ROUNDS}
        return {"measured": {"num_threads": self.num_threads, **sizes, "clips": self.clips}, "kinds": measured}


def plan_variants(config: Any, args: ExportArguments, data_args: DataArguments) -> VariantPlan:
    """Check and load what the variants of a model need.

    Args:
        config: The model's configuration.
        args: The model and its variants.
        data_args: Translation: the corpus.

    Raises:
        ConfigurationError: Clips that `int8-static` needs are not given, or flags of clips that do not go together.
        DataContractError: The clips are not usable, or the model was trained on clips to score.
    """
    plan = VariantPlan(args.quantize, args.num_threads)
    is_translation = isinstance(config, MultiStreamConfig)
    _check_flags(is_translation, args, data_args)
    if args.quantize:
        (_plan_translation if is_translation else _plan_gloss)(plan, args, data_args)
    check_calibration(args.quantize, plan.calibration is not None, is_translation)
    return plan


def _check_flags(is_translation: bool, args: ExportArguments, data_args: DataArguments) -> None:
    """Refuse clips of the other kind of model; say that clips are for variants."""
    endings = ("_dir", "_index", "metadata_csv")
    names = [item.name for item in fields(data_args) if item.name.endswith(endings) or item.name == "demo"]
    translation = [name for name in names if getattr(data_args, name)]
    own = ("keypoints", "features", "labels_csv", "calibration_labels_csv")
    gloss = [name for name in own if getattr(args, name)]
    if other := gloss if is_translation else translation:
        flags = ", ".join("--" + name.replace("_", "-") for name in other)
        kind = "translation model" if is_translation else "gloss classifier"
        raise ConfigurationError(f"expected clips that a {kind} reads, found {flags}; leave them out")
    if (translation or gloss) and not args.quantize:
        logger.warning("clips are only used to calibrate and score variants: give --quantize, or leave them out")


def _plan_translation(plan: VariantPlan, args: ExportArguments, data_args: DataArguments) -> None:
    if not data_args.corpus_paths(validation=None).indexes:
        return
    (checkpoint,) = open_checkpoints([args.checkpoint])
    processor, pose_key = checkpoint.processor, data_args.pose_key
    training, scored = load_translation_data(data_args, checkpoint, args.allow_overlap)
    indexes = data_args.corpus_paths(validation=None).indexes
    if training is not None:
        plan.calibration = lambda: translation_batches(training, processor, pose_key)
        plan.clips["calibrated_on"] = {"index": str(indexes["train"]), "video_ids": training["video_id"][:]}
    if scored is not None and args.part == "full":
        plan.clips["scored"] = {"index": str(indexes["test"]), "video_ids": scored["video_id"][:]}
        tokenize = checkpoint.run_config.get("bleu_tokenize", "13a")
        plan.score = translation_scorer(scored, processor, pose_key, tokenize)


def _plan_gloss(plan: VariantPlan, args: ExportArguments, data_args: DataArguments) -> None:
    if not (args.labels_csv or args.calibration_labels_csv):
        return
    own = ("keypoints", "features", "labels_csv", "kp_key", "feature_key", "cache_dir", "allow_overlap")
    clips = GlossEvaluationArguments(**{name: getattr(args, name) for name in own}, encoding=data_args.encoding)
    config, extractor = read_gloss_folder(args.checkpoint, "a trained gloss classifier in --checkpoint")
    splits = read_run_file(Path(args.checkpoint), SPLITS)
    training, scored = load_gloss_data(clips, args.calibration_labels_csv, config, extractor, splits)
    if training is not None:
        plan.calibration = lambda: gloss_batches(training, extractor)
        files = [training.files[i] for i in choose_clips(len(training))]
        plan.clips["calibrated_on"] = {"labels_csv": args.calibration_labels_csv, "files": files}
    if scored is not None:
        plan.clips["scored"] = {"labels_csv": args.labels_csv, "files": list(scored.files)}
        plan.score = gloss_scorer(scored, extractor)

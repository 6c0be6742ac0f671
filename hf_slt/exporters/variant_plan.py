"""Which variants an export gets, and on which clips they are calibrated and scored.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hf_slt.exporters.arguments import ExportArguments
from hf_slt.exporters.calibration import (
    check_calibration,
    gloss_batches,
    load_gloss_data,
    load_translation_data,
    translation_batches,
)
from hf_slt.exporters.variant_scores import gloss_scorer, measure_variants, translation_scorer
from hf_slt.exporters.variants import write_variants
from hf_slt.models.gloss.checkpoint import read_gloss_folder
from hf_slt.models.legacy.files import file_sha256
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
    """

    kinds: list[str]
    num_threads: int
    calibration: Callable[[], Iterator[dict[str, torch.Tensor]]] | None = None
    score: Callable[[Any], dict[str, float]] | None = None

    def write_and_measure(self, export_dir: Path) -> dict[str, Any]:
        """Write the variants into folders inside of an export, and measure them beside it.

        Returns:
            `"fp32"` and each variant -> what [`measure_variants`] says; of a variant also `sha256` of its files, and
            `written`, what [`write_variants`] says. Empty without variants.
        """
        if not self.kinds:
            return {}
        written = write_variants(self.kinds, export_dir, self.calibration and self.calibration())
        logger.info("measuring the variants")
        measured = measure_variants(export_dir, self.kinds, self.score, self.num_threads)
        for kind, how in written.items():
            hashes = {path.name: file_sha256(path) for path in sorted((export_dir / kind).glob("*.onnx*"))}
            measured[kind] |= {"sha256": hashes, "written": how}
        return measured


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
    if args.quantize:
        (_plan_translation if is_translation else _plan_gloss)(plan, args, data_args)
    check_calibration(args.quantize, plan.calibration is not None, is_translation)
    return plan


def _plan_translation(plan: VariantPlan, args: ExportArguments, data_args: DataArguments) -> None:
    if not data_args.corpus_paths(validation=None).indexes:
        return
    (checkpoint,) = open_checkpoints([args.checkpoint])
    processor, pose_key = checkpoint.processor, data_args.pose_key
    training, scored = load_translation_data(data_args, checkpoint)
    if training is not None:
        plan.calibration = lambda: translation_batches(training, processor, pose_key)
    if scored is not None and args.part == "full":
        tokenize = checkpoint.run_config.get("bleu_tokenize", "13a")
        plan.score = translation_scorer(scored, processor, pose_key, tokenize)


def _plan_gloss(plan: VariantPlan, args: ExportArguments, data_args: DataArguments) -> None:
    if not (args.labels_csv or args.calibration_labels_csv):
        return
    own = ("keypoints", "features", "labels_csv", "kp_key", "feature_key", "cache_dir")
    clips = GlossEvaluationArguments(**{name: getattr(args, name) for name in own}, encoding=data_args.encoding)
    config, extractor = read_gloss_folder(args.checkpoint, "a trained gloss classifier in --checkpoint")
    splits = read_run_file(Path(args.checkpoint), SPLITS)
    training, scored = load_gloss_data(clips, args.calibration_labels_csv, config, extractor, splits)
    if training is not None:
        plan.calibration = lambda: gloss_batches(training, extractor)
    if scored is not None:
        plan.score = gloss_scorer(scored, extractor)

"""The clips of an evaluation, and of the calibration of its abstention: where they lie, checked, and kept apart."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from hf_slt.data.builder import build_datasets
from hf_slt.data.corpus import CorpusPaths
from hf_slt.data.file_records import pose_records
from hf_slt.errors import ConfigurationError, DataContractError, Problem
from hf_slt.evaluation.checkpoint_reports import CONTRACT_REPORT
from hf_slt.provenance import check_extractor
from hf_slt.training.arguments import DataArguments
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.evaluation_checkpoints import Checkpoint
from hf_slt.training.evaluation_provenance import hash_clips
from hf_slt.training.overlap import shared_clips, split_members

logger = logging.getLogger(__name__)

STREAM_FLAGS = {
    "face": "--face-dir",
    "left_hand": "--hand-left-dir",
    "right_hand": "--hand-right-dir",
    "pose": "--pose-dir",
}

CALIBRATION = "validation"  # the split whose place the clips of --calibration-index take


@dataclass
class EvaluatedClips:
    """The clips that a model is scored on.

    Attributes:
        test: Rows of paths.
        skipped: Clips that were left out because something is wrong with them (`--skip-invalid`).
        calibration: Rows of the clips that a threshold is chosen on, None if there are none.
    """

    test: datasets.Dataset
    skipped: int = 0
    calibration: datasets.Dataset | None = None

    @functools.cached_property
    def data_hash(self) -> str:
        """Hash of the clips to score: read once for all models that are scored on them."""
        return hash_clips(self.test)


def evaluation_paths(
    data_args: DataArguments, args: EvaluationArguments, checkpoints: Sequence[Checkpoint]
) -> CorpusPaths:
    """Return the corpus to evaluate, with the streams that any of the models reads.

    Raises:
        ConfigurationError: No index, no clips to calibrate the abstention on, or no folder for a stream of a model.
    """
    problems = []
    if not args.index and not data_args.demo:
        problems.append("expected --index FILE with the video_ids to evaluate, found none")
    if args.abstain is not None and not args.calibration_index and not data_args.demo:
        problems.append(
            "expected --calibration-index FILE with --abstain, the validation split of the run, found none; a "
            "threshold that is chosen on the test clips would be too good"
        )
    if problems:
        raise ConfigurationError("; ".join(problems))
    own: dict[str, str | None] = {"train": None}
    if args.index:
        own["test"] = args.index
    if args.calibration_index or args.abstain is None:  # else that of the demo
        own[CALIBRATION] = args.calibration_index
    paths = data_args.corpus_paths(**own)
    streams = list(dict.fromkeys(stream for checkpoint in checkpoints for stream in checkpoint.config.streams))
    missing = [stream for stream in streams if stream not in paths.streams]
    if missing:
        flags = ", ".join(STREAM_FLAGS[stream] for stream in missing)
        raise ConfigurationError(f"expected a folder for each stream that the model reads, found none: give {flags}")
    for stream in set(paths.streams) - set(streams):
        logger.warning(f"the model does not read the stream {stream}: its folder is not used")
    return _restrict(paths, streams)


def _restrict(paths: CorpusPaths, streams: Sequence[str]) -> CorpusPaths:
    unused = set(paths.streams) - set(streams)
    return dataclasses.replace(paths, **{f"{stream}_dir": None for stream in unused})


def load_clips(
    checkpoints: Sequence[Checkpoint], paths: CorpusPaths, data_args: DataArguments, folders: Sequence[Path]
) -> list[EvaluatedClips]:
    """Check the clips once for each set of streams that the models read.

    Args:
        checkpoints: The models.
        paths: The corpus.
        data_args: What may be left out.
        folders: For each checkpoint, where to write the report of a check that is made for it first.

    Returns:
        The clips of each checkpoint.

    Raises:
        DataContractError: They are not usable, or clips of calibration are test clips.
    """
    checked: dict[tuple[Any, ...], EvaluatedClips] = {}
    clips = []
    for checkpoint, folder in zip(checkpoints, folders, strict=True):
        key = (*sorted(checkpoint.config.streams), checkpoint.num_landmarks)
        if key not in checked:
            corpus, report = build_datasets(
                _restrict(paths, checkpoint.config.streams),
                report_path=folder / CONTRACT_REPORT,
                num_landmarks=checkpoint.num_landmarks,
                skip_invalid=data_args.skip_invalid,
                allow_missing_streams=data_args.allow_missing_streams,
            )
            skipped = len(report.skipped.get("test", ()))
            checked[key] = EvaluatedClips(corpus["test"], skipped, corpus.get(CALIBRATION))
            _check_apart(corpus)
        clips.append(checked[key])
    if len({tuple(found.test["video_id"][:]) for found in checked.values()}) > 1:
        logger.warning("the models read other streams, whose invalid clips differ: their clips are not the same")
    return clips


def _check_apart(corpus: datasets.DatasetDict) -> None:
    """Refuse cuts of one recording in test and calibration; the data contract refuses clips of one name."""
    if CALIBRATION not in corpus:
        return
    shared = shared_clips(corpus["test"], split_members(corpus), (CALIBRATION,))["groups"]
    expected = "a clip that the threshold has not seen"
    found = "a clip of the same signer, sentence and video is among those of --calibration-index"
    fix = "calibrate on other clips: on these the threshold would be too good"
    names = corpus["test"]["video_id"][:]
    if shared:
        raise DataContractError([Problem(names[i], expected, found, fix) for i in shared])


def check_extractors(checkpoints: Sequence[Checkpoint], clips: Sequence[EvaluatedClips], strict: bool) -> None:
    """Hold the landmarks of the clips against those that each model was trained on, see [`check_extractor`].

    Crops do not say what they were cut out by: clips without a pose file have an extractor that is not known.

    Raises:
        ConfigurationError: `strict`, and the extractors differ or are not known.
    """
    for checkpoint, found in zip(checkpoints, clips, strict=True):
        trained = checkpoint.processor.feature_extractor
        check_extractor(
            trained.extractor,
            pose_records(found.test),
            strict,
            f"the clips for {checkpoint.name}",
            pose_layout=trained.pose_layout,
            pose_norm=trained.pose_norm,
        )


def check_calibration(checkpoints: Sequence[Checkpoint], clips: Sequence[EvaluatedClips]) -> None:
    """Refuse calibration on training clips, where a model is surer than it is on others.

    Raises:
        DataContractError: A clip of calibration is one of training.
    """
    problems = []
    for checkpoint, found in zip(checkpoints, clips, strict=True):
        if found.calibration is None:
            continue
        shared = shared_clips(found.calibration, checkpoint.splits, ("train",))
        names = found.calibration["video_id"][:]
        problems += [
            Problem(
                names[index],
                "a clip of --calibration-index that the model was not trained on",
                f"it is in the train split of {checkpoint.name}, or of a recording that is",
                "pass the validation split of the run",
            )
            for index in sorted({index for positions in shared.values() for index in positions})
        ]
    if problems:
        raise DataContractError(problems, headline="a threshold cannot be chosen on training clips")

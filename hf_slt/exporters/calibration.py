"""Clips for the variants of an export: training clips that ranges are read off, and held-out clips that are scored."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch

from hf_slt.data.builder import build_datasets
from hf_slt.data.clip_transform import ClipTransform
from hf_slt.data.csv_files import read_text
from hf_slt.data.gloss.contract import GlossContractReport, GlossSplit
from hf_slt.data.gloss.dataset import GlossDataset
from hf_slt.errors import ConfigurationError, DataContractError, Problem
from hf_slt.training.arguments import DataArguments
from hf_slt.training.build_gloss import build_gloss_datasets
from hf_slt.training.evaluate_gloss import check_evaluation_data, check_unseen, evaluation_split
from hf_slt.training.evaluate_slt import check_overlap, evaluation_paths
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.evaluation_checkpoints import Checkpoint
from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments
from hf_slt.training.gloss_results import clip_digests

CALIBRATION_CLIPS = 100
_HELD_OUT = ("validation", "test")
_REPORT = "contract_report.json"


def check_calibration(kinds: Sequence[str], has_clips: bool, is_translation: bool) -> None:
    """Raise `ConfigurationError` if int8-static is asked for without training clips.

    Args:
        kinds: The variants.
        has_clips: Whether there are clips to calibrate on.
        is_translation: Whether it is a translation model, not a gloss classifier.
    """
    if "int8-static" in kinds and not has_clips:
        flags = "the flags of a corpus and --train-index FILE, or --demo"
        if not is_translation:
            flags = "--keypoints or --features FOLDER and --calibration-labels-csv FILE"
        raise ConfigurationError(
            f"expected training clips, which --quantize int8-static reads the ranges of numbers off, found none; pass "
            f"{flags}, or --quantize int8, which needs no clips"
        )


def choose_clips(count: int, limit: int = CALIBRATION_CLIPS, seed: int = 0) -> list[int]:
    """Return the positions of at most `limit` clips out of `count`, drawn at random, in ascending order."""
    chosen = np.random.default_rng(seed).permutation(count)[:limit]
    return sorted(int(i) for i in chosen)


def load_translation_data(
    data_args: DataArguments, model: Checkpoint, allow_overlap: bool = False, report_dir: Path | None = None
) -> tuple[datasets.Dataset | None, datasets.Dataset | None]:
    """Check and load the clips that variants of a translation model are calibrated and scored on.

    Args:
        data_args: The corpus; `--train-index` names the clips to calibrate on, `--test-index` those to score. Of the
            former, up to 100 are drawn with a fixed seed; no others are read.
        model: The checkpoint or export, opened.
        allow_overlap: Score clips that the model was trained or selected on.
        report_dir: Where to write what is wrong with the clips (`contract_report.json`); None: nowhere.

    Returns:
        Rows of paths to calibrate on, and to score; None where there is no index.

    Raises:
        ConfigurationError: A stream of the model without its folder.
        DataContractError: The clips are not usable, a clip to score is among those to calibrate on, or the model was
            trained or selected on it.
    """
    indexes = data_args.corpus_paths(validation=None).indexes
    if not indexes:
        return None, None
    paths = evaluation_paths(data_args, EvaluationArguments(index=str(next(iter(indexes.values())))), [model])
    paths = dataclasses.replace(paths, indexes=indexes)
    with tempfile.TemporaryDirectory() as folder:
        if "train" in indexes:
            paths.indexes["train"] = _write_chosen(indexes["train"], Path(folder), paths.encoding)
        corpus, _ = build_datasets(
            paths,
            report_path=report_dir and Path(report_dir) / _REPORT,
            num_landmarks=model.num_landmarks,
            skip_invalid=data_args.skip_invalid,
            allow_missing_streams=data_args.allow_missing_streams,
        )
    training, scored = corpus.get("train"), corpus.get("test")
    if scored is not None and not allow_overlap:
        check_overlap([model], [scored])
    if training is not None:
        held_out = {i: split for split in _HELD_OUT for i in model.splits.get(split, {}).get("video_ids", ())}
        _refuse({i: f"it is in the {held_out[i]} split" for i in training["video_id"][:] if i in held_out})
    return training, scored


def _write_chosen(index: Path, folder: Path, encoding: str) -> Path:
    """Write some lines of an index, the first one (a header) always, under its name, which problems are told with."""
    lines = read_text(index, encoding).splitlines()
    rows = [line for line in lines[1:] if line.strip()]
    path = folder / index.name
    path.write_text("\n".join([*lines[:1], *(rows[i] for i in choose_clips(len(rows)))]), encoding=encoding)
    return path


def load_gloss_data(
    args: GlossEvaluationArguments,
    calibration_labels_csv: str | None,
    config: Any,
    extractor: Any,
    splits: dict[str, Any],
    report_dir: Path | None = None,
) -> tuple[GlossDataset | None, GlossDataset | None]:
    """Check and load the clips that variants of a gloss classifier are calibrated and scored on.

    Args:
        args: Folder and keys of the clips; `labels_csv` names those to score.
        calibration_labels_csv: CSV of the training clips to calibrate on, in the same folder.
        config: The model's configuration.
        extractor: Its feature extractor.
        splits: Clips of its training run (`splits.json`); empty if unknown.
        report_dir: Where to write what is wrong with the clips (`contract_report.json`); None: nowhere.

    Returns:
        Clips to calibrate on, and to score; None where there is no CSV.

    Raises:
        ConfigurationError: No folder, or clips that the model does not read.
        DataContractError: The clips are not usable, a clip to score is among those to calibrate on, or the model was
            trained or selected on it.
    """
    loaded: dict[str, GlossDataset] = {}
    reports: dict[str, GlossContractReport] = {}
    for name, labels_csv in (("calibration", calibration_labels_csv), ("scored", args.labels_csv)):
        if labels_csv is None:
            continue
        # The folder may hold both; each CSV names its own clips.
        own = dataclasses.replace(args, labels_csv=labels_csv, allow_unlabelled_files=True)
        split: GlossSplit = evaluation_split(own, extractor.input_type == "landmarks")
        path = report_dir and Path(report_dir) / _REPORT
        reports[name] = check_evaluation_data(own, split, config, extractor, path)
        loaded[name] = build_gloss_datasets(reports[name], extractor, config.num_categories)["test"]
    if "scored" in reports and not args.allow_overlap:
        check_unseen(reports["scored"], splits)
    if "calibration" in reports:
        digests = clip_digests(reports["calibration"], "test")
        held_out = {digest: split for split in _HELD_OUT for digest in splits.get(split, {}).get("digests", ())}
        found = {file: held_out[digest] for file, digest in digests.items() if digest in held_out}
        _refuse({file: f"its content is in the {split} split" for file, split in found.items()})
    if len(reports) == 2:
        _check_apart(reports["calibration"], reports["scored"])
    return loaded.get("calibration"), loaded.get("scored")


def _refuse(found: dict[str, str]) -> None:
    """Raise `DataContractError` for clips to calibrate on that the run held out: clip -> where it is."""
    fix = "calibrate on clips of the training split"
    problems = [Problem(clip, "a clip that the model was trained on", where, fix) for clip, where in found.items()]
    if problems:
        raise DataContractError(problems, headline="clips that were held out say nothing once they are calibrated on")


def _check_apart(calibration: GlossContractReport, scored: GlossContractReport) -> None:
    digests, own = clip_digests(calibration, "test"), clip_digests(scored, "test")
    known = {digests[row.file]: row.file for row in calibration.rows["test"]}
    problems = [
        Problem(
            row.file,
            "a clip that nothing was calibrated on",
            f"its content is clip '{known[own[row.file]]}' of the calibration",
            "take it out of one of the CSVs",
        )
        for row in scored.rows["test"]
        if own[row.file] in known
    ]
    if problems:
        raise DataContractError(problems, headline="scores on clips of the calibration mean little")


def translation_batches(dataset: Any, processor: Any, pose_key: str = "pose") -> Iterator[dict[str, torch.Tensor]]:
    """Yield up to 100 clips, one by one and so without padding, as inputs of a translation model."""
    extractor = processor.feature_extractor
    rows = dataset.with_transform(ClipTransform(extractor, pose_key=pose_key))
    for index in choose_clips(len(rows)):
        clip = {name: value for name, value in rows[index].items() if isinstance(value, np.ndarray)}
        yield dict(extractor.pad([clip], return_tensors="pt"))


def gloss_batches(dataset: GlossDataset, extractor: Any) -> Iterator[dict[str, torch.Tensor]]:
    """Yield up to 100 clips, one by one and so without padding, as inputs of a gloss classifier."""
    for index in choose_clips(len(dataset)):
        clip = {name: dataset[index][name] for name in ("input_values", "attention_mask")}
        yield {name: torch.as_tensor(value) for name, value in extractor.pad([clip]).items()}

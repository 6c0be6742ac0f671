"""From files to `datasets.DatasetDict`: paths and frame numbers in Arrow; pixels and landmarks are decoded later."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from hf_slt.data.contract import ClipRecord, ContractReport, CorpusPaths, check_corpus
from hf_slt.errors import DataContractError
from hf_slt.streams import IMAGE_STREAMS

if TYPE_CHECKING:
    import datasets

logger = logging.getLogger(__name__)


def build_datasets(
    paths: CorpusPaths,
    *,
    report_path: str | Path | None = None,
    num_landmarks: int | None = None,
    skip_invalid: bool = False,
    allow_missing_streams: bool = False,
    allow_overlap: bool = False,
    show_progress: bool = True,
) -> tuple[datasets.DatasetDict, ContractReport]:
    """Check a corpus and turn it into a data set of one row a clip.

    Args:
        paths: The corpus.
        report_path: Where to write the report (`contract_report.json`), whatever it says; None: nowhere.
        num_landmarks: Number of landmarks that the poses must have; None: as most of them.
        skip_invalid: Leave clips with problems out instead of refusing the corpus; they are counted in the report.
        allow_missing_streams: Accept clips that lack files of a stream.
        allow_overlap: Warn of test clips that are in another split too instead of refusing the corpus.
        show_progress: Show a progress bar while files are checked.

    Returns:
        The data set (one split for each index, in memory; columns as `row_features`), and the report.

    Raises:
        DataContractError: All problems of the corpus. Nothing but the report was written.
        MissingDependencyError: The corpus holds videos and PyAV is not installed.
    """
    clips, report = check_corpus(
        paths,
        num_landmarks=num_landmarks,
        skip_invalid=skip_invalid,
        allow_missing_streams=allow_missing_streams,
        allow_overlap=allow_overlap,
        show_progress=show_progress,
    )
    if report_path is not None:
        report.write(report_path)
    if not report.ok:
        raise DataContractError(report.problems, None if report_path is None else str(report_path))
    for warning in report.warnings:
        logger.warning(warning)
    if report.num_skipped:
        logger.warning("%d clips with problems were left out (skip_invalid)", report.num_skipped)
    return to_dataset_dict(clips), report


def to_dataset_dict(clips: dict[str, list[ClipRecord]]) -> datasets.DatasetDict:
    """Return clips as a data set.

    Args:
        clips: Split -> its clips.
    """
    import datasets

    features = row_features()
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list([clip.to_row() for clip in records], features=features)
            for split, records in clips.items()
        }
    )


def row_features() -> datasets.Features:
    """Return the columns of the data set.

    `video_id`, `text`, `n_frames` (T), `signer`, `video` (what it was cut from), `duration` (s), `fps`, `pose`
    `{path}`, and for each image stream `{kind, path, files, frames}` as `readers.read_frames` takes it; None where the
    clip lacks it.
    """
    from datasets import Features, List, Value

    frames = {
        "kind": Value("string"),
        "path": Value("string"),
        "files": List(Value("string")),
        "frames": List(Value("int32")),
    }
    return Features(
        {
            "video_id": Value("string"),
            "text": Value("string"),
            "n_frames": Value("int32"),
            "signer": Value("string"),
            "video": Value("string"),
            "duration": Value("float64"),
            "fps": Value("float64"),
            "pose": {"path": Value("string")},
            **{stream: dict(frames) for stream in IMAGE_STREAMS},
        }
    )

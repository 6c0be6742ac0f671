"""RWTH-BOSTON-104: 201 ASL sentences of three signers as gloss sequences, with positions of both hands and the nose.

The files are those of https://github.com/udacity/AIND-Recognizer, joined: `sentences.tsv` (columns `video`, `speaker`,
`split`, `frames`, `gloss`) and `positions.npz` (`v<video>` -> `(T,6)`: x and y of left hand, right hand, nose in
pixels). Word boundaries, where the table has them, are not taken over: a translation model gets whole sentences.

Positions become `signing_space_v1` without shoulders to measure: the origin is the clip's median nose, the shoulders
are 1.5 head units below it, and a head unit is the same number of pixels for all clips, see `pixels_per_head_unit`. So
the difference in size between the signers stays in the data.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hf_slt.data.csv_files import read_text
from hf_slt.data.npz_files import NpzReader, open_npz
from hf_slt.data.sources.pose_corpus import PoseClip
from hf_slt.errors import DataContractError, Problem
from hf_slt.signing_space import ABOVE_SHOULDERS, HEIGHT, SIGNING_SPACE, WIDTH

NUM_FOLDS = 5
_COLUMNS = ("video", "speaker", "split", "frames", "gloss")
_NOSE_TO_SHOULDERS = 1.5  # head units
# Hands at rest hang at half of a figure of 8 heads, the nose is 0.6 heads below its top.
_NOSE_TO_RESTING_HANDS = 4.0 - 0.6
_FIX = "download the corpus again"


def read_boston104(folder: Path) -> tuple[list[PoseClip], dict[str, list[str]]]:
    """Read the corpus.

    Args:
        folder: Holds `sentences.tsv` and `positions.npz`.

    Returns:
        The clips, and the indexes: `train` (161) and `test` (40) of the standard split; `fold<k>_train` and
        `fold<k>_val` for cross-validation inside train, see `cross_validation_folds`.

    Raises:
        DataContractError: A file, column or recording is missing or is not as described.
    """
    rows = _read_table(folder / "sentences.tsv")
    with open_npz(folder / "positions.npz") as arrays:
        positions = _read_positions(arrays, rows)
    unit = pixels_per_head_unit([positions[row["video"]] for row in rows if row["split"] == "train"])
    clips = [_clip(row, positions[row["video"]], unit) for row in rows]
    indexes = {split: [_video_id(row) for row in rows if row["split"] == split] for split in ("train", "test")}
    folds = cross_validation_folds([row for row in rows if row["split"] == "train"])
    for number, fold in enumerate(folds):
        held_out = {_video_id(row) for row in fold}
        indexes[f"fold{number}_train"] = [name for name in indexes["train"] if name not in held_out]
        indexes[f"fold{number}_val"] = [name for name in indexes["train"] if name in held_out]
    return clips, indexes


def _video_id(row: dict[str, str]) -> str:
    return f"v{int(row['video']):03d}"


def _read_table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise DataContractError([Problem(str(path), f"a table with the columns {_COLUMNS}", "no such file", _FIX)])
    rows = list(csv.DictReader(read_text(path).splitlines(), delimiter="\t"))
    missing = [name for name in _COLUMNS if not rows or name not in rows[0]]
    if missing:
        raise DataContractError([Problem(str(path), f"the columns {_COLUMNS}", f"no {missing}", _FIX)])
    problems = [
        Problem(f"{path}, line {line}", "numbers as video and frames, a split train or test, a gloss", str(row), _FIX)
        for line, row in enumerate(rows, start=2)
        if not _is_sound(row)
    ]
    if problems:
        raise DataContractError(problems)
    return rows


def _is_sound(row: dict[str, str]) -> bool:
    values = [row[name] or "" for name in _COLUMNS]
    return (
        values[0].isdecimal() and values[3].isdecimal() and values[2] in ("train", "test") and bool(values[4].strip())
    )


def _read_positions(arrays: NpzReader, rows: Sequence[dict[str, str]]) -> dict[str, np.ndarray]:
    """Positions `(T,3,2)` of each video: left hand, right hand, nose, in pixels."""
    positions, problems = {}, []
    for row in rows:
        key, expected = f"v{row['video']}", (int(row["frames"]), 6)
        array = arrays.read(key) if key in arrays.keys else np.zeros((0, 0))
        if array.shape != expected or not np.isfinite(array).all():
            problems.append(Problem(f"{arrays.path}, key '{key}'", f"finite {expected}", str(array.shape), _FIX))
        else:
            positions[row["video"]] = array.reshape(-1, 3, 2).astype(np.float64)
    if problems:
        raise DataContractError(problems)
    return positions


def pixels_per_head_unit(train: Sequence[np.ndarray]) -> float:
    """Estimate the length of a head unit in pixels from the train clips.

    It is the median over the clips of the distance from the nose down to the lowest place that a hand goes to (hands at
    rest), divided by what this distance is in a human figure: 3.4 heads.

    Args:
        train: Positions `(T,3,2)` of the train clips: left hand, right hand, nose; pixels, y downwards.
    """
    drops = [clip[:, :2, 1].max() - np.median(clip[:, 2, 1]) for clip in train]
    return float(np.median(drops)) / _NOSE_TO_RESTING_HANDS


def _clip(row: dict[str, str], positions: np.ndarray, unit: float) -> PoseClip:
    shoulders = np.median(positions[:, 2], axis=0) + [0.0, _NOSE_TO_SHOULDERS * unit]
    offset = (positions - shoulders) / unit  # head units
    points = np.stack([0.5 + offset[..., 0] / WIDTH, (ABOVE_SHOULDERS + offset[..., 1]) / HEIGHT], axis=-1)
    # A tracker that loses a point leaves (0, 0); no clip of the published files has one.
    confidence = (positions > 0).any(axis=-1).astype(np.float32)
    points = np.where(confidence[..., None] > 0, points, -1.0)
    columns = {"signer": row["speaker"], "split": row["split"]}
    return PoseClip(_video_id(row), row["gloss"], points, confidence, "hands_nose", SIGNING_SPACE, columns)


def cross_validation_folds(rows: Sequence[dict[str, str]]) -> list[list[dict[str, str]]]:
    """Divide clips into `NUM_FOLDS` folds that hold as many sentences known from the other folds as can be.

    26 of the 40 test sentences also occur in train. To come close to that, clips of one sentence are dealt to different
    folds; then the sentences that occur once are dealt, signer by signer. Of the 161 train clips only 58 share their
    sentence with another one: 36 % of a fold is the most that can be, so cross-validation is harder than the test.

    Args:
        rows: Rows of the table, with `video`, `speaker` and `gloss`. Their order does not matter.
    """
    by_text = defaultdict(list)
    for row in sorted(rows, key=lambda row: int(row["video"])):
        by_text[row["gloss"]].append(row)
    repeated = [row for same in by_text.values() if len(same) > 1 for row in same]
    single = [same[0] for same in by_text.values() if len(same) == 1]
    single.sort(key=lambda row: (row["speaker"], int(row["video"])))
    dealt = repeated + single
    return [dealt[number::NUM_FOLDS] for number in range(NUM_FOLDS)]

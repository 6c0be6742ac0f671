"""PHOENIX-2014T skeletons: 50 joints and German sentences.

The files are those of https://github.com/BenSaunders27/ProgressiveTransformersSLP.

For each of `train`, `dev`, `test`: `.skels` (a line a sentence: for each frame x, y, z of 50 joints and a progress
counter), `.text`, `.gloss` and `.files` (`<split>/<name of the video>`), line by line the same sentences. y points
downwards. The skeletons are centred on the neck, joint 1, which therefore is (0, 0, 0) in every frame; any other joint
there is one that was not found.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hf_slt.data.csv_files import id_fault, read_text
from hf_slt.data.sources.pose_corpus import PoseClip
from hf_slt.errors import DataContractError, Problem
from hf_slt.landmarks import LAYOUTS

_LAYOUT = LAYOUTS["skeleton_50"]
_NECK = _LAYOUT.points.index("neck")
_NUMBERS_PER_FRAME = 3 * _LAYOUT.num_landmarks + 1
_SPLITS = {"train": "train", "dev": "val", "test": "test"}  # name of the files -> name of the index
_FIX = "download the corpus again"


def read_phoenix_skeletons(folder: Path) -> tuple[list[PoseClip], dict[str, list[str]]]:
    """Read the corpus; z and the progress counter are left out.

    Args:
        folder: Holds the twelve files.

    Returns:
        The clips, and the indexes `train`, `val`, `test`.

    Raises:
        DataContractError: A file is missing, the files of a split differ in length, or a line is not as described.
    """
    clips: list[PoseClip] = []
    indexes: dict[str, list[str]] = {}
    problems: list[Problem] = []
    for split, index in _SPLITS.items():
        lines = _read_split(folder, split, problems)
        found = [_read_clip(f"{folder / split}, line {n}", *line, problems) for n, line in enumerate(lines, start=1)]
        clips += [clip for clip in found if clip is not None]
        indexes[index] = [clip.video_id for clip in found if clip is not None]
    if problems:
        raise DataContractError(problems)
    return clips, indexes


def _read_split(folder: Path, split: str, problems: list[Problem]) -> list[tuple[str, ...]]:
    """Return (name, text, gloss, numbers) of each sentence of a split."""
    paths = [folder / f"{split}.{kind}" for kind in ("files", "text", "gloss", "skels")]
    missing = [path for path in paths if not path.is_file()]
    problems += [Problem(str(path), "a file of the corpus", "no such file", _FIX) for path in missing]
    if missing:
        return []
    contents = [read_text(path).strip().splitlines() for path in paths]
    lengths = {path.name: len(lines) for path, lines in zip(paths, contents, strict=True)}
    if len(set(lengths.values())) > 1:
        problems.append(Problem(str(folder / split), "as many lines in each file", str(lengths), _FIX))
        return []
    return list(zip(*contents, strict=True))


def _read_clip(where: str, name: str, text: str, gloss: str, line: str, problems: list[Problem]) -> PoseClip | None:
    video_id = name.strip().rpartition("/")[2]
    fault = id_fault(video_id)
    if fault or not text.strip():
        found = fault or "an empty sentence"
        problems.append(Problem(where, "the name of a video and a sentence", found, _FIX))
        return None
    try:
        numbers = np.array(line.split(), dtype=np.float32)
    except ValueError as error:
        problems.append(Problem(where, "numbers", str(error), _FIX))
        return None
    if not len(numbers) or len(numbers) % _NUMBERS_PER_FRAME or not np.isfinite(numbers).all():
        expected = f"finite numbers, {_NUMBERS_PER_FRAME} a frame"
        problems.append(Problem(where, expected, f"{len(numbers)} numbers", _FIX))
        return None
    joints = numbers.reshape(-1, _NUMBERS_PER_FRAME)[:, :-1].reshape(-1, _LAYOUT.num_landmarks, 3)
    confidence = joints.any(axis=-1).astype(np.float32)
    confidence[:, _NECK] = 1.0
    columns = {"gloss": gloss.strip()}
    return PoseClip(video_id, text.strip(), joints[..., :2], confidence, _LAYOUT.name, columns=columns)

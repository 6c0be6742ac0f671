"""Nepali Sign Language alphabet (NSL23): 36 consonants and 13 vowels as landmarks of MediaPipe Pose and Hands.

The corpus is that of Sunuwar, Borah and Kharga (Data in Brief 2024, doi 10.1016/j.dib.2024.110080). Its landmarks lie
as `clips/<signer>/<take>/<gloss>.npz`, `xyz (T,75,3)`: 33 points of the body, 21 of the left hand, 21 of the right
hand, NaN = not found; `manifest.csv` names them (columns `path`, `gloss`, `kind`, `signer`, `take`, `fps`, `width`,
`height` and others). The sign whose name is empty there is "NA".

Coordinates are shares of the width and the height of the picture. In takes that show the body they are counted from
the middle of the shoulders, so 0.5 is added here to bring the clip into the picture. Where the body was lost in single
frames of such a take, the middle of the picture stood in for the shoulders: the points of the body all lie at
(-0.5, -0.5), which becomes (0, 0), missing. In takes without a body coordinates are those of the picture.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from hf_slt.data.csv_files import id_fault, read_text
from hf_slt.data.gloss.clips import write_clip
from hf_slt.data.npz_files import data_error, open_npz
from hf_slt.data.staging import staged_folder
from hf_slt.errors import DataContractError, Problem
from hf_slt.landmarks import LAYOUTS

TRAIN_SIGNERS = ("S1", "S2", "S3")
_COLUMNS = ("path", "gloss", "kind", "signer", "take", "fps", "width", "height")
_LABELS = ("file", "gloss", "cat", "signer", "take")
_UNNAMED = "NA"
_NUM_SOURCE_POINTS, _NUM_BODY, _NUM_KEPT_BODY = 75, 33, 25
_CENTRE = 0.5
_FIX = "download the corpus again"


@dataclass(frozen=True)
class NslClip:
    """One clip.

    Attributes:
        file: Its name, `<signer>__<take>__<gloss>`.
        gloss: Name of the sign.
        kind: `"consonant"` or `"vowel"`.
        signer: Who signs.
        take: Name of the recording.
        points: `(T,78,2)` float32 in the layout `keypoints_78`, shares of the picture; (0, 0) = missing.
        mask: `(T,78)` bool.
        meta: `width` and `height` in pixels, `fps`.
    """

    file: str
    gloss: str
    kind: str
    signer: str
    take: str
    points: np.ndarray
    mask: np.ndarray
    meta: dict[str, float]


def write_nsl_alphabet(
    input_dir: str | Path, output_dir: str | Path, *, overwrite: bool = False, show_progress: bool = False
) -> Path:
    """Write the corpus as clips and labels of the data contract.

    `keypoints/<signer>__<take>__<gloss>.npz`; `labels.csv` (`file,gloss,cat,signer,take`, ids); `glosses.csv` and
    `categories.csv` (`id,name`, sorted by name); `splits/standard/{train,test}.csv` (train: S1, S2, S3; test: every
    other signer); `splits/loso/<signer>/{train,test}.csv` (that signer is left out of train).

    Args:
        input_dir: Folder of the corpus.
        output_dir: Folder to write; it is complete or absent.
        overwrite: Whether a corpus in `output_dir` is replaced.
        show_progress: Show a progress bar.

    Returns:
        `output_dir`.

    Raises:
        DataContractError: All that is missing in the corpus or is not as described.
        ConfigurationError: `output_dir` holds something that may not be replaced.
    """
    clips = read_nsl_alphabet(Path(input_dir), show_progress)
    glosses, kinds = (sorted({getattr(clip, name) for clip in clips}) for name in ("gloss", "kind"))
    rows = [(clip.file, glosses.index(clip.gloss), kinds.index(clip.kind), clip.signer, clip.take) for clip in clips]
    with staged_folder(output_dir, overwrite) as folder:
        (folder / "keypoints").mkdir()
        for clip in clips:
            path = folder / "keypoints" / f"{clip.file}.npz"
            write_clip(path, clip.points.reshape(len(clip.points), -1), clip.mask, meta=clip.meta)
        _write_csv(folder / "labels.csv", _LABELS, rows)
        _write_csv(folder / "glosses.csv", ("id", "name"), enumerate(glosses))
        _write_csv(folder / "categories.csv", ("id", "name"), enumerate(kinds))
        signers = sorted({clip.signer for clip in clips})
        _write_split(folder / "splits" / "standard", rows, [name for name in signers if name not in TRAIN_SIGNERS])
        for signer in signers:
            _write_split(folder / "splits" / "loso" / signer, rows, [signer])
    return Path(output_dir)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _write_split(folder: Path, rows: Sequence[tuple], held_out: Sequence[str]) -> None:
    signer = _LABELS.index("signer")
    _write_csv(folder / "train.csv", _LABELS, [row for row in rows if row[signer] not in held_out])
    _write_csv(folder / "test.csv", _LABELS, [row for row in rows if row[signer] in held_out])


def read_nsl_alphabet(folder: Path, show_progress: bool = False) -> list[NslClip]:
    """Read the corpus: every clip that the manifest names, whoever signs it.

    Args:
        folder: Holds `manifest.csv` and `clips/`.
        show_progress: Show a progress bar.

    Returns:
        The clips in the order of the manifest.

    Raises:
        DataContractError: All that is missing or is not as described.
    """
    manifest = folder / "manifest.csv"
    rows = list(csv.DictReader(read_text(manifest).splitlines()))
    missing = [name for name in _COLUMNS if not rows or name not in rows[0]]
    if missing:
        raise data_error(manifest, f"rows with the columns {', '.join(_COLUMNS)}", f"no {missing}", _FIX)
    problems: list[Problem] = []
    clips: dict[str, NslClip] = {}
    for line, row in enumerate(tqdm(rows, "reading clips", unit="clip", disable=not show_progress), start=2):
        where = f"{manifest}, line {line}"
        try:
            clip = _read_clip(folder, where, row)
            if clip.file in clips:
                raise data_error(where, "each sign once in a take", f"'{clip.file}' again", _FIX)
            clips[clip.file] = clip
        except DataContractError as error:
            problems += error.problems
    if problems:
        raise DataContractError(problems)
    return list(clips.values())


def _read_clip(folder: Path, where: str, row: dict[str, str]) -> NslClip:
    gloss = (row["gloss"] or "").strip() or _UNNAMED
    cells = [row["signer"], row["take"], row["kind"], gloss]
    fault = next((fault for cell in cells if (fault := id_fault(cell or ""))), None)
    if fault:
        raise data_error(where, "a signer, a take, a kind and a gloss", f"{fault} in {cells}", _FIX)
    try:
        meta = {"width": int(row["width"]), "height": int(row["height"]), "fps": float(row["fps"])}
    except (TypeError, ValueError) as error:
        raise data_error(where, "width, height and fps as numbers", str(error), _FIX) from error
    if not all(0 < value < math.inf for value in meta.values()):
        raise data_error(where, "width, height and fps above 0", str(meta), _FIX)
    points, mask = _read_points(folder / row["path"])
    file = f"{row['signer']}__{row['take']}__{gloss}"
    return NslClip(file, gloss, row["kind"], row["signer"], row["take"], points, mask, meta)


def _read_points(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return points `(T,78,2)` in the picture and their mask `(T,78)`."""
    with open_npz(path) as file:
        xyz = file.read("xyz") if "xyz" in file.keys else np.zeros(0)
    if xyz.ndim != 3 or xyz.shape[1:] != (_NUM_SOURCE_POINTS, 3) or len(xyz) == 0 or xyz.dtype.kind != "f":
        found = f"{xyz.dtype} of shape {xyz.shape}"
        raise data_error(f"{path}, key 'xyz'", f"numbers of shape (T, {_NUM_SOURCE_POINTS}, 3)", found, _FIX)
    source = xyz[..., :2].astype(np.float32)
    if not np.isnan(source[:, :_NUM_BODY]).all():
        source += _CENTRE
    kept = [*range(_NUM_KEPT_BODY), *range(_NUM_BODY, _NUM_SOURCE_POINTS)]
    points = np.zeros((len(source), LAYOUTS["keypoints_78"].num_landmarks, 2), np.float32)  # the face stays missing
    points[:, : len(kept)] = source[:, kept]
    mask = np.isfinite(points).all(axis=-1) & (points != 0).any(axis=-1)
    if not mask.any():
        raise data_error(path, "at least one detected point", "none in any frame", _FIX)
    return np.where(mask[..., None], points, 0), mask

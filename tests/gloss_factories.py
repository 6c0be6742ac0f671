"""Factories of tiny corpora of single signs: real files that a tiny model can learn."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.data.gloss.clips import FEATURES_KEY, KEYPOINTS_KEY, write_clip
from hf_slt.landmarks import PoseLayout, get_layout

SPLIT_NAMES = ("train", "validation", "test")
WIDTHS = {"keypoints": 156, "features": 2048}
SHOULDERS = ((0.62, 0.5), (0.38, 0.5))  # left, right: the signer faces the camera


@dataclass(frozen=True)
class GlossCorpus:
    """Where a corpus lies.

    Attributes:
        root: Folder of everything.
        kind: `"keypoints"` or `"features"`.
        width: Numbers a frame.
        num_glosses, num_categories: Numbers of classes.
        folders: Split (`SPLIT_NAMES`) -> folder of its clips.
        labels: Split -> its labels CSV, columns `file,gloss,cat,signer` with ids.
        gloss_names, category_names: CSVs `id,name`.
    """

    root: Path
    kind: str
    width: int
    num_glosses: int
    num_categories: int
    folders: dict[str, Path]
    labels: dict[str, Path]
    gloss_names: Path
    category_names: Path


def write_gloss_corpus(
    root: Path,
    num_glosses: int = 4,
    num_categories: int = 2,
    clips_per_gloss: int = 6,
    signers: int = 3,
    kind: str = "keypoints",
    width: int | None = None,
    seed: int = 0,
    learnable: bool = True,
) -> GlossCorpus:
    """Write a corpus; clip n of gloss g is `g<g>_<n>.npz`, the category of gloss g is `g % num_categories`.

    Of the clips of a gloss, the last one is in test, the one before in validation, the others in train; with three
    signers or more, the splits share none.

    Args:
        root: Folder to write to.
        num_glosses: Glosses `SIGN 0`, `SIGN 1`, ...
        num_categories: Categories `KIND 0`, `KIND 1`, ...
        clips_per_gloss: Clips of each gloss, from 3 on.
        signers: Number of signers `S0`, `S1`, ...
        kind: `"keypoints"` or `"features"`.
        width: Numbers a frame; None: 156 or 2048.
        seed: Seed of everything random.
        learnable: Whether a clip tells its gloss.
    """
    width = width or WIDTHS[kind]
    rng = np.random.default_rng(seed)
    folders = {split: root / split for split in SPLIT_NAMES}
    rows: dict[str, list[list[Any]]] = {split: [] for split in SPLIT_NAMES}
    for gloss in range(num_glosses):
        for number in range(clips_per_gloss):
            split = SPLIT_NAMES[max(0, number - clips_per_gloss + 3)]
            signer = _signer(split, number, signers)
            shown = gloss if learnable else int(rng.integers(num_glosses))
            values, mask = make_clip(rng, shown, num_glosses, kind, width)
            folders[split].mkdir(parents=True, exist_ok=True)
            write_gloss_clip(folders[split] / f"g{gloss}_{number}.npz", values, mask, kind)
            rows[split].append([f"g{gloss}_{number}.npz", gloss, gloss % num_categories, f"S{signer}"])
    labels = {split: write_labels(root / f"{split}.csv", rows[split]) for split in SPLIT_NAMES}
    names = [
        write_names(root / "glosses.csv", [f"SIGN {gloss}" for gloss in range(num_glosses)]),
        write_names(root / "categories.csv", [f"KIND {category}" for category in range(num_categories)]),
    ]
    return GlossCorpus(root, kind, width, num_glosses, num_categories, folders, labels, *names)


def _signer(split: str, number: int, signers: int) -> int:
    if signers < len(SPLIT_NAMES):
        return number % signers
    held_out = {"validation": signers - 2, "test": signers - 1}
    return held_out.get(split, number % (signers - 2))


def make_clip(
    rng: np.random.Generator, gloss: int, num_glosses: int, kind: str = "keypoints", width: int = 156, frames: int = 0
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return values `(T, width)` and, for landmarks, a mask `(T, width / 2)`; T is 6 to 14 unless `frames` says.

    Landmarks: the body stands still, the hands (every point of an unknown layout) are at a place and move in a
    direction that only this gloss has. Features: each gloss has its own signature, which grows over the clip.
    """
    frames = frames or int(rng.integers(6, 15))
    time = np.linspace(0, 1, frames)
    if kind == "features":
        signature = np.random.default_rng(gloss).normal(size=width)
        return (time[:, None] * signature + 0.1 * rng.normal(size=(frames, width))).astype(np.float32), None
    layout = get_layout(None, width // 2)
    points = np.tile(np.random.default_rng(99).uniform(0.4, 0.6, (layout.num_landmarks, 2)), (frames, 1, 1))
    moving = _moving_points(layout)
    angle = 2 * np.pi * gloss / num_glosses
    direction = np.array([np.cos(angle), np.sin(angle)])
    points[:, moving] += 0.15 * direction + 0.1 * np.sin(2 * np.pi * time)[:, None, None] * direction[::-1]
    points += 0.004 * rng.normal(size=points.shape)
    if layout.left_shoulder is not None and layout.right_shoulder is not None:
        points[:, [layout.left_shoulder, layout.right_shoulder]] = SHOULDERS
    mask = np.ones(points.shape[:2], bool)
    mask[rng.random(frames) < 0.2, moving[-1]] = False
    points[~mask] = 0
    return points.reshape(frames, -1).astype(np.float32), mask


def _moving_points(layout: PoseLayout) -> list[int]:
    hands = [i for i, point in enumerate(layout.points) if "hand" in point or "wrist" in point]
    return hands or list(range(layout.num_landmarks))


def write_gloss_clip(path: Path, values: np.ndarray, mask: np.ndarray | None, kind: str = "keypoints") -> Path:
    """Write a clip under the key of its kind; a picture of 640 x 480."""
    meta = {"width": 640, "height": 480, "fps": 30.0}
    write_clip(path, values, mask, meta=meta, key=KEYPOINTS_KEY if kind == "keypoints" else FEATURES_KEY)
    return path


def write_labels(
    path: Path, rows: Iterable[Sequence[Any]], header: Sequence[str] = ("file", "gloss", "cat", "signer")
) -> Path:
    """Write a labels CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return path


def write_names(path: Path, names: Sequence[str]) -> Path:
    """Write a name table `id,name`."""
    return write_labels(path, enumerate(names), ("id", "name"))

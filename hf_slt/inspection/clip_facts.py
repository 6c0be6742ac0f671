"""What is known of one clip: from the metadata, from its files, and what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.data.clip_checks import ClipProbe, CorpusIndex, align, image_source, probe_clip
from hf_slt.data.gloss.clips import GlossClip, load_clip
from hf_slt.data.pose_files import read_pose
from hf_slt.errors import Problem
from hf_slt.landmarks import get_layout
from hf_slt.streams import IMAGE_STREAMS

PARTS = ("person", "face", "left_hand", "right_hand")


@dataclass
class ClipFacts:
    """One clip.

    Attributes:
        video_id: Its id.
        text: Its sentence, or its gloss; None if it is not known.
        signer: Who signs, if known.
        split: The split that it is in, if any.
        frames: Number of frames; 0 if no file tells.
        seconds: Its length; None if not known.
        rates: Part of `PARTS` -> share of frames in which it was detected.
        error: Why it was not extracted.
        problems: What is wrong with its files.
        provenance: Which extractor wrote it.
        images: Image stream -> its source as `data.readers.read_frames` takes it.
        pose: Its pose file.
        keypoints: Its file of landmarks in image coordinates.
    """

    video_id: str
    text: str | None = None
    signer: str | None = None
    split: str | None = None
    frames: int = 0
    seconds: float | None = None
    rates: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    problems: list[Problem] = field(default_factory=list)
    provenance: dict[str, Any] | None = None
    images: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    pose: str | None = None
    keypoints: str | None = None

    @property
    def judged_rates(self) -> dict[str, float]:
        """The rates by which a clip is judged: of the hands the better one, since many signs take one hand."""
        judged = {part: self.rates[part] for part in ("person", "face") if part in self.rates}
        hands = [self.rates[part] for part in ("left_hand", "right_hand") if part in self.rates]
        return judged | ({"better hand": max(hands)} if hands else {})

    @property
    def detection(self) -> float:
        """Mean of the judged rates; 1 where none is known, so that such a clip is not called a bad one."""
        rates = self.judged_rates
        return sum(rates.values()) / len(rates) if rates else 1.0


def read_clip_facts(
    video_id: str, row: Mapping[str, Any], index: CorpusIndex, keypoints: Path | None, pose_key: str = "pose"
) -> ClipFacts:
    """Decode all files of a clip and hold them against the metadata.

    Args:
        video_id: The clip.
        row: Its row of the metadata; may be empty.
        index: What lies in the stream folders.
        keypoints: Its file of landmarks in image coordinates, if there is one.
        pose_key: Name of the array in the pose files.
    """
    clip = ClipFacts(video_id, _text(row, "text", "texto"), _text(row, "signer"), _text(row, "split"))
    if str(row.get("status", "ok")) == "error" or row.get("error"):
        clip.error = _text(row, "error") or "no reason given"
    probe = probe_clip(video_id, index, pose_key)
    clip.problems = list(probe.problems)
    _take_streams(clip, probe, _whole(row.get("n_frames") or row.get("frame_count")), pose_key)
    if keypoints is not None:
        _take_keypoints(clip, keypoints)
    if probe.missing and not (clip.frames or clip.error or clip.problems):
        fix = "extract the clip, or take it out of the index"
        clip.problems.append(Problem(f"clip '{video_id}'", "files of the clip on disk", "none in any folder", fix))
    recorded = row.get("detection")
    if isinstance(recorded, Mapping):
        clip.rates = {part: float(recorded[part]) for part in PARTS if _is_number(recorded.get(part))}
    if isinstance(row.get("provenance"), Mapping):
        clip.provenance = dict(row["provenance"])
    clip.seconds = _seconds(row, clip.frames)
    return clip


def _take_streams(clip: ClipFacts, probe: ClipProbe, frame_count: int | None, pose_key: str) -> None:
    if probe.images or probe.pose:
        clip.frames, problems = align(probe, frame_count, allow_gaps=True)
        clip.problems += problems
    clip.images = {stream: image_source(*found) for stream, found in probe.images.items()}
    for stream in IMAGE_STREAMS:
        if stream in probe.images or stream in probe.missing:
            present = len(clip.images[stream]["frames"]) if stream in clip.images else 0
            clip.rates[stream] = present / clip.frames if clip.frames else 0.0
    if probe.pose:
        pose = read_pose(probe.pose, pose_key)
        clip.pose = probe.pose
        clip.provenance = pose.provenance
        clip.rates["person"] = float((pose.confidence > 0).any(axis=1).mean())


def _take_keypoints(clip: ClipFacts, path: Path) -> None:
    landmarks, problems = load_clip(path)
    clip.problems += problems
    if landmarks is None:
        return
    clip.keypoints = str(path)
    clip.frames = clip.frames or len(landmarks.values)
    clip.provenance = clip.provenance or landmarks.provenance
    clip.rates = _landmark_rates(landmarks) | clip.rates


def _landmark_rates(clip: GlossClip) -> dict[str, float]:
    """Return in how many of its frames a clip has any point of the person, and any of each hand."""
    seen = np.asarray(clip.mask)
    rates = {"person": float(seen.any(axis=1).mean())}
    hands = get_layout(None, seen.shape[1]).hands
    return rates | {
        f"{side}_hand": float(seen[:, hand].any(axis=1).mean())
        for side, hand in zip(("left", "right"), hands, strict=False)
    }


def _seconds(row: Mapping[str, Any], frames: int) -> float | None:
    for name in ("duration", "fps"):
        if _is_number(row.get(name)) and row[name] > 0:
            return float(row[name]) if name == "duration" else (frames / float(row[name]) if frames else None)
    return None


def _text(row: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        value = row.get(name)
        if value is not None and not (isinstance(value, float) and math.isnan(value)) and str(value).strip():
            return str(value)
    return None


def _whole(value: Any) -> int | None:
    return int(value) if _is_number(value) and value >= 1 else None


def _is_number(value: Any) -> bool:
    """Tell a known number from None, NaN, text and pandas' NA."""
    return isinstance(value, (int, float, np.integer, np.floating)) and math.isfinite(value)

"""Strips of crops and landmarks of a clip, small enough for a page that is one file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_slt.data.gloss.clips import read_clip
from hf_slt.data.pose_files import read_pose
from hf_slt.data.readers import read_frames
from hf_slt.errors import DataContractError
from hf_slt.evaluation.inline_images import frame_strip, image_address
from hf_slt.evaluation.pose_drawing import draw_poses
from hf_slt.inspection.clip_facts import ClipFacts
from hf_slt.landmarks import get_layout
from hf_slt.signing_space import normalize_pose

logger = logging.getLogger(__name__)

SHOTS = 8  # frames of a clip
_SIDE = 72  # pixels of each
LARGEST_SHEETS = 4 * 2**20  # bytes of all strips together


@dataclass(frozen=True)
class ContactSheet:
    """Frames of a clip, spread evenly over it.

    Attributes:
        frames: Their numbers.
        strips: Stream -> `data:` address of those frames beside each other.
    """

    frames: Sequence[int]
    strips: dict[str, str]

    @property
    def size(self) -> int:
        """Bytes that it takes in the page."""
        return sum(len(address) for address in self.strips.values())


def contact_sheet(clip: ClipFacts, pose_key: str = "pose") -> ContactSheet:
    """Draw frames of a clip; streams that cannot be read are left out, the page lists them as problems."""
    numbers = np.unique(np.linspace(0, max(clip.frames - 1, 0), SHOTS).round().astype(int))
    strips = {}
    for stream, source in clip.images.items():
        try:
            strip = frame_strip(read_frames(source, numbers), _SIDE)
        except DataContractError as error:
            logger.warning(f"clip {clip.video_id}, stream {stream}: {error}")
            continue
        strips[stream.replace("_", " ")] = image_address(strip, "jpeg")
    landmarks = _landmarks(clip, pose_key)
    if landmarks is not None:
        points, confidence, layout = landmarks
        known = numbers[numbers < len(points)]
        strips["landmarks"] = image_address(draw_poses(points[known], confidence[known] > 0, layout, _SIDE))
    return ContactSheet(numbers.tolist(), strips)


def _landmarks(clip: ClipFacts, pose_key: str) -> tuple | None:
    """Return points in signing space, their confidence and layout: of the 78 points with fingers, else of the pose."""
    try:
        if clip.keypoints:
            found = read_clip(clip.keypoints)
            points = found.values.reshape(len(found.values), -1, 2) * (found.aspect_ratio, 1)
            confidence = np.asarray(found.mask, dtype=np.float32)
            layout = get_layout(None, points.shape[1])
            return normalize_pose(points, confidence, layout), confidence, layout
        if clip.pose:
            pose = read_pose(clip.pose, pose_key)
            layout = get_layout(pose.layout, pose.points.shape[1])
            points = pose.points if pose.norm else normalize_pose(pose.points, pose.confidence, layout)
            return points, pose.confidence, layout
    except DataContractError as error:
        logger.warning(f"clip {clip.video_id}, landmarks: {error}")
    return None


def choose_clips(worst: Sequence[ClipFacts], clips: Sequence[ClipFacts], count: int) -> list[ClipFacts]:
    """Choose the clips to show: the worst ones for one half, others spread evenly over the corpus for the rest.

    Args:
        worst: Clips, the worst one first.
        clips: All clips in their order.
        count: How many to choose.
    """
    shown = [clip for clip in worst if clip.frames][: count // 2]
    taken = {clip.video_id for clip in shown}
    others = [clip for clip in clips if clip.frames and clip.video_id not in taken]
    places = np.linspace(0, len(others) - 1, min(count - len(shown), len(others))).round().astype(int)
    return [*shown, *(others[place] for place in dict.fromkeys(places.tolist()))]

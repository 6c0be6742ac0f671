"""Who signs in a video of several people, and which part of the picture is that person's.

The choice is made once for a clip, from a few of its frames: everybody in them is detected, detections are joined to
people by position, and the signer is who is large and moves within the signing space below and beside the head. A
person who only turns the head or is only nearer to the camera does not win by that.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.errors import require_package
from hf_slt.extraction.mediapipe_graph import KeptGraph
from hf_slt.extraction.video import VideoFrame, probe_video, read_frames

Region = tuple[float, float, float, float]  # left, top, right, bottom, as fractions of the picture

SAMPLED_PAIRS = 6  # pairs of neighbouring frames that a choice looks at
_GRAPH = """
input_stream: "image" output_stream: "detections"
node { calculator: "PoseDetectionCpu" input_stream: "IMAGE:image" output_stream: "DETECTIONS:detections" }
"""
_SCORE = "posedetectioncpu__TensorsToDetectionsCalculator.min_score_thresh"
_MIN_SCORE = 0.3
_detector = KeptGraph("detections", graph_config=_GRAPH, calculator_params={_SCORE: _MIN_SCORE})
_SHOULDERS, _UPPER_BODY = 2, 3  # key points of a detection
_SMALL = 160  # width of the gray pictures that motion is measured in
# Shares of the radius of the upper body's circle, which is about 2.2 shoulder widths.
_REACH = 1.5  # of the signing space to either side: 3.2 shoulder widths
_HEAD, _NECK = 0.25, 0.12  # half of the head's width; height of the neck above the shoulders
_SAME = 0.6  # distance within which two detections are of one person
_MIN_PERSISTENCE, _MIN_SIZE = 1 / 2, 1 / 3  # of the frames with people; of the largest person's size


@dataclass(frozen=True)
class Detection:
    """One person in one frame; lengths are fractions of the height of the picture, also across.

    Attributes:
        x: Centre of the shoulders from the left edge.
        y: Centre of the shoulders from the top.
        head_x: Centre of the face from the left edge.
        radius: Radius of the circle around the upper body and raised arms.
    """

    x: float
    y: float
    head_x: float
    radius: float


@dataclass
class Person:
    """One person over the sampled frames.

    Attributes:
        found: Number of the sampled pair -> the detection in it.
        motion: Mean change of gray, 0 to 1, between neighbouring frames in the signing space, the head left out.
    """

    found: dict[int, Detection] = field(default_factory=dict)
    motion: float = 0.0

    @property
    def x(self) -> float:
        """Median place of the shoulders from the left edge, in heights of the picture."""
        return float(np.median([one.x for one in self.found.values()]))

    @property
    def last_x(self) -> float:
        """Place of the shoulders where the person was last seen."""
        return self.found[max(self.found)].x

    @property
    def size(self) -> float:
        """Median radius of the upper body, in heights of the picture."""
        return float(np.median([one.radius for one in self.found.values()]))

    @property
    def score(self) -> float:
        """Size times motion."""
        return self.size * self.motion


@dataclass(frozen=True)
class SignerChoice:
    """Who was taken for the signer.

    Attributes:
        region: The part of the picture that belongs to the signer; None is all of it, for one person or none.
        people: How many people the clip shows.
        signer: Position of the signer in `candidates`; None where nobody was found.
        candidates: The people from left to right: `x` (fraction of the width), `size` (fraction of the height),
            `motion`, `score` and `frames` (share of the sampled frames they are in).
        sampled: How many frames people were looked for in.
    """

    region: Region | None = None
    people: int = 0
    signer: int | None = None
    candidates: tuple[dict[str, float], ...] = ()
    sampled: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as plain values, as the metadata holds it."""
        return {
            "people": self.people,
            "region": None if self.region is None else list(self.region),
            "signer": self.signer,
            "candidates": [dict(one) for one in self.candidates],
            "sampled": self.sampled,
        }


def pixel_box(region: Region | None, width: int, height: int) -> tuple[int, int, int, int]:
    """Return a region in whole pixels (left, top, right, bottom) of a picture, at least one pixel large."""
    left, top, right, bottom = region or (0.0, 0.0, 1.0, 1.0)
    left, top = min(round(left * width), width - 1), min(round(top * height), height - 1)
    return left, top, max(round(right * width), left + 1), max(round(bottom * height), top + 1)


def sample_numbers(count: int) -> list[int]:
    """Return the numbers of the frames that a choice looks at: pairs of neighbours, spread over the clip.

    Args:
        count: Frames of the clip.
    """
    firsts = {int(count * (pair + 0.5) / SAMPLED_PAIRS) for pair in range(SAMPLED_PAIRS)}
    return sorted({number for first in firsts for number in (first, first + 1) if number < max(count, 1)})


def find_signer(
    path: str | Path, *, fps: float | None = None, start: float | None = None, end: float | None = None
) -> SignerChoice:
    """Choose the signer of a video, or of a part of it; see `read_frames` for the arguments and the errors."""
    # A length that the container does not state is taken for that of a short clip.
    numbers = sample_numbers(probe_video(path).count_frames(fps, start, end) or 10 * SAMPLED_PAIRS)
    frames = read_frames(path, fps=fps, start=start, end=end, convert=set(numbers).__contains__)
    return choose_signer(itertools.takewhile(lambda frame: frame.number <= numbers[-1], frames))


def choose_signer(frames: Iterable[VideoFrame]) -> SignerChoice:
    """Choose the signer from frames of a clip.

    Args:
        frames: Frames in order; those without an image are passed over. At most `SAMPLED_PAIRS` of those that have
            a neighbour are looked at.

    Raises:
        MissingDependencyError: MediaPipe or OpenCV is not installed.
    """
    pairs = _pairs(frame for frame in frames if frame.image is not None)
    people = join_people([_detect(first.image) for first, _ in pairs])
    if len(people) > 1:
        _measure_motion(people, pairs)
    aspect = pairs[0][0].image.shape[1] / pairs[0][0].image.shape[0] if pairs else 1.0
    return pick_signer(people, aspect, len(pairs))


def _pairs(frames: Iterable[VideoFrame]) -> list[tuple[VideoFrame, VideoFrame | None]]:
    """Pair each frame with its neighbour; a frame without one only stands where no frame has one."""
    frames = list(frames)
    pairs, position = [], 0
    while position + 1 < len(frames):
        first, second = frames[position : position + 2]
        is_pair = second.number == first.number + 1
        if is_pair:
            pairs.append((first, second))
        position += 2 if is_pair else 1
    if not pairs:
        pairs = [(frame, None) for frame in frames]
    chosen = np.linspace(0, len(pairs) - 1, min(SAMPLED_PAIRS, len(pairs))).round().astype(int)
    return [pairs[number] for number in chosen]


def _detect(image: np.ndarray) -> list[Detection]:
    aspect = image.shape[1] / image.shape[0]
    people = []
    for one in _detector.process(image)["detections"] or []:
        place = one.location_data
        box, points = place.relative_bounding_box, place.relative_keypoints
        x, y = points[_SHOULDERS].x * aspect, points[_SHOULDERS].y
        radius = np.hypot(points[_UPPER_BODY].x * aspect - x, points[_UPPER_BODY].y - y)
        people.append(Detection(x, y, (box.xmin + box.width / 2) * aspect, float(radius)))
    return people


def join_people(found: list[list[Detection]]) -> list[Person]:
    """Join the detections of the sampled frames to people, from left to right.

    A person is in at least half of the frames with people and a third of the size of the largest; the one who is in
    most frames always counts.

    Args:
        found: The detections of each sampled frame.
    """
    tracks: list[Person] = []
    for number, detections in enumerate(found):
        links = sorted(
            (abs(one.x - track.last_x), i, j)
            for i, one in enumerate(detections)
            for j, track in enumerate(tracks)
            if abs(one.x - track.last_x) < _SAME * max(one.radius, track.size)
        )
        joined, taken = set(), set()
        for _, i, j in links:
            if i not in joined and j not in taken:
                tracks[j].found[number] = detections[i]
                joined.add(i)
                taken.add(j)
        tracks += [Person({number: one}) for i, one in enumerate(detections) if i not in joined]
    if not tracks:
        return []
    enough = min(_MIN_PERSISTENCE * sum(map(bool, found)), max(len(track.found) for track in tracks))
    people = [track for track in tracks if len(track.found) >= enough]
    largest = max(person.size for person in people)
    return sorted((person for person in people if person.size >= _MIN_SIZE * largest), key=lambda person: person.x)


def _measure_motion(people: list[Person], pairs: list[tuple[VideoFrame, VideoFrame | None]]) -> None:
    """Set the motion of each person; every pixel belongs to the person whose part of the picture it is in."""
    limits = _limits(people)
    moved = [[] for _ in people]
    for number, (first, second) in enumerate(pairs):
        if second is None:
            continue
        change = np.abs(_gray(first.image) - _gray(second.image))
        rows, columns = np.mgrid[: change.shape[0], : change.shape[1]] + 0.5
        x, y = columns / change.shape[0], rows / change.shape[0]
        for person, (low, high), moves in zip(people, limits, moved, strict=True):
            if number in person.found:
                space = _signing_space(person.found[number], x, y) & (x >= low) & (x < high)
                moves.append(float(change[space].mean()) if space.any() else 0.0)
    for person, moves in zip(people, moved, strict=True):
        person.motion = float(np.mean(moves)) if moves else 0.0


def _signing_space(person: Detection, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the mask of the pixels that arms and hands can be at, without the head's column above the neck."""
    reach = person.radius
    space = (np.abs(x - person.x) < reach) & (y > person.y - reach) & (y < person.y + reach)
    head = (np.abs(x - person.head_x) < _HEAD * reach) & (y < person.y - _NECK * reach)
    return space & ~head


def _gray(image: np.ndarray) -> np.ndarray:
    """Return a small gray picture `(h, w)` float32 in [0, 1]."""
    cv2 = require_package("cv2", extra="extraction")
    height = max(1, round(_SMALL * image.shape[0] / image.shape[1]))
    small = cv2.resize(image, (_SMALL, height), interpolation=cv2.INTER_AREA)
    return small.mean(axis=2, dtype=np.float32) / 255


def _limits(people: list[Person]) -> list[tuple[float, float]]:
    """Return how far each person's part goes to the left and right: halfway to the neighbours."""
    middles = [(one.x + other.x) / 2 for one, other in itertools.pairwise(people)]
    return list(zip([-np.inf, *middles], [*middles, np.inf], strict=True))


def pick_signer(people: list[Person], aspect: float, sampled: int) -> SignerChoice:
    """Choose the signer among the people of a clip, and that person's part of the picture.

    Args:
        people: From left to right.
        aspect: Width of the picture over its height.
        sampled: Number of frames that were looked at.
    """
    if not people:
        return SignerChoice(sampled=sampled)
    signer = max(range(len(people)), key=lambda number: (people[number].score, people[number].size))
    region = None
    if len(people) > 1:
        low, high = _limits(people)[signer]
        centers = [one.x for one in people[signer].found.values()]
        reach = _REACH * people[signer].size
        left, right = max(0.0, low, min(centers) - reach), min(aspect, high, max(centers) + reach)
        region = (round(left / aspect, 4), 0.0, round(right / aspect, 4), 1.0)
    candidates = tuple(
        {
            "x": round(one.x / aspect, 4),
            "size": round(one.size, 4),
            "motion": round(one.motion, 6),
            "score": round(one.score, 6),
            "frames": round(len(one.found) / sampled, 4),
        }
        for one in people
    )
    return SignerChoice(region, len(people), signer, candidates, sampled)

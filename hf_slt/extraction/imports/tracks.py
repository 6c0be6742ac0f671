"""The signer among the people that a detector found in each frame."""

from __future__ import annotations

import numpy as np

from hf_slt.landmarks import PoseLayout

_NEAR = 1.0  # shoulder widths that a person moves from one frame to the next at most
_SMALL = 0.1  # shoulder widths a frame: so much motion is given to everyone, so that a still person has a score
_PERSISTENT = 0.5  # of the frames
_PARTS = ("shoulder", "wrist")
Shoulders = list[int]
Track = dict[int, np.ndarray]  # number of a frame -> (L, 3)


def choose_track(frames: list[list[np.ndarray]], layout: PoseLayout) -> tuple[Track, int]:
    """Follow all people over a clip, and choose the one that signs: by size, motion of the wrists and presence.

    Args:
        frames: For each frame the people in it, `(L, 3)` x, y, score each.
        layout: Layout of the points; it has shoulders and wrists.

    Returns:
        The signer, empty if nobody is there, and how many people are there in half of the frames or more.
    """
    shoulders, wrists = ([layout.points.index(f"{side}_{part}") for side in ("left", "right")] for part in _PARTS)
    tracks: list[Track] = []
    for number, people in enumerate(frames):
        _extend(tracks, number, people, shoulders)
    persistent = sum(len(track) >= _PERSISTENT * len(frames) for track in tracks)
    if not tracks:
        return {}, 0
    return max(tracks, key=lambda track: _score(track, shoulders, wrists)), max(persistent, 1)


def _extend(tracks: list[Track], number: int, people: list[np.ndarray], shoulders: Shoulders) -> None:
    """Give each person of a frame to the nearest track, one to a track; who is near none begins a new one."""
    pairs = []
    for who, person in enumerate(people):
        for which, track in enumerate(tracks):
            last = track[max(track)]
            distance = np.linalg.norm(_centre(person, shoulders) - _centre(last, shoulders))
            width = max(_width(person, shoulders), _width(last, shoulders))
            if distance <= _NEAR * width:
                pairs.append((distance, who, which))
    given: dict[int, int] = {}
    for _, who, which in sorted(pairs):
        if who not in given and which not in given.values():
            given[who] = which
    for who, person in enumerate(people):
        if who in given:
            tracks[given[who]][number] = person
        else:
            tracks.append({number: person})


def _score(track: Track, shoulders: Shoulders, wrists: list[int]) -> float:
    """Return frames x shoulder width x motion, the motion in shoulder widths a frame."""
    clip = np.stack(list(track.values()))
    width = float(np.median([_width(person, shoulders) for person in clip]))
    seen = clip[:, wrists, 2] > 0
    steps = np.linalg.norm(np.diff(clip[:, wrists, :2], axis=0), axis=-1)[seen[1:] & seen[:-1]]
    motion = float(steps.mean()) / width if steps.size and width > 0 else 0.0
    return len(clip) * width * (_SMALL + min(motion, 1.0))


def _centre(person: np.ndarray, shoulders: Shoulders) -> np.ndarray:
    return np.asarray(person[shoulders, :2].mean(axis=0))


def _width(person: np.ndarray, shoulders: Shoulders) -> float:
    """Return the shoulder width, at least a quarter of the height of the seen points (a person from the side)."""
    seen = person[person[:, 2] > 0, 1]
    tall = float(np.ptp(seen)) if len(seen) else 0.0
    return max(float(np.linalg.norm(person[shoulders[0], :2] - person[shoulders[1], :2])), tall / 4)

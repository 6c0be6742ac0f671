"""Short gaps in landmark tracks are filled by straight lines."""

from __future__ import annotations

import numpy as np


def fill_gaps(points: np.ndarray, seen: np.ndarray, max_gap: int) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate points that were lost for a few frames between two frames that have them.

    Each point is filled on its own. What comes before its first and after its last sighting, and longer gaps, stay
    missing: the detector has to have seen a place for it to be believed.

    Args:
        points: `(T, L, 2)`; what a missing point holds is not read.
        seen: `(T, L)` bool.
        max_gap: Longest run of frames to fill; 0 fills none.

    Returns:
        `(T, L, 2)` float32, 0 where missing, and `(T, L)` bool, True for seen and filled points.
    """
    frames = np.arange(len(seen))[:, None]
    before = np.maximum.accumulate(np.where(seen, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(seen, frames, len(seen))[::-1], axis=0)[::-1]
    inside = (before >= 0) & (after < len(seen))
    fill = inside & ~seen & (after - before - 1 <= max_gap)
    low, high = np.where(fill, before, frames), np.where(fill, after, frames)
    share = (frames - low) / np.maximum(high - low, 1)
    columns = np.arange(seen.shape[1])[None]
    points = np.where(seen[..., None], points, 0).astype(np.float64)
    filled = points[low, columns] * (1 - share[..., None]) + points[high, columns] * share[..., None]
    return filled.astype(np.float32), seen | fill

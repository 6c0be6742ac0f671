"""Lost points are interpolated over short gaps, and only there."""

import numpy as np
import pytest

from hf_slt.extraction.gaps import fill_gaps


def track(seen: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """One point at (t, 2t) in frame t; what it holds where it is missing is rubbish."""
    mask = np.array(seen, bool)[:, None]
    times = np.arange(len(seen), dtype=np.float32)
    points = np.stack([times, 2 * times], axis=1)[:, None]
    return np.where(mask[..., None], points, np.nan), mask


@pytest.mark.parametrize(
    ("seen", "max_gap", "expected"),
    [
        ([1, 0, 0, 1], 2, [1, 1, 1, 1]),
        ([1, 0, 0, 1], 1, [1, 0, 0, 1]),
        ([1, 0, 1], 0, [1, 0, 1]),
        ([0, 1, 0, 1, 0], 5, [0, 1, 1, 1, 0]),
        ([0, 0, 0], 5, [0, 0, 0]),
        ([1, 0, 0, 0, 0, 0, 1], 5, [1, 1, 1, 1, 1, 1, 1]),
        ([1, 0, 0, 0, 0, 0, 0, 1], 5, [1, 0, 0, 0, 0, 0, 0, 1]),
    ],
)
def test_which_frames_are_filled(seen, max_gap, expected):
    points, mask = fill_gaps(*track(seen), max_gap)
    assert mask[:, 0].astype(int).tolist() == expected
    places = [[t, 2 * t] if known else [0, 0] for t, known in enumerate(expected)]
    np.testing.assert_allclose(points[:, 0], places, atol=1e-6)
    assert points.dtype == np.float32


def test_each_point_is_filled_on_its_own():
    (first, seen_first), (second, seen_second) = track([1, 0, 1]), track([0, 0, 1])
    _, mask = fill_gaps(np.hstack([first, second]), np.hstack([seen_first, seen_second]), 5)
    assert mask.tolist() == [[True, False], [True, False], [True, True]]

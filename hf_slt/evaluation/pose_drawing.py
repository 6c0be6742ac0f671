"""Small drawings of landmarks: lines where the layout names joints, points elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from hf_slt.landmarks import PoseLayout
from hf_slt.signing_space import HEIGHT, WIDTH

# Legible on white and on black.
_BODY, _LEFT, _RIGHT = (127, 127, 127, 255), (226, 104, 32, 255), (58, 134, 214, 255)
_SCALE = 4  # drawn larger, then reduced: smooth lines
_MARGIN = 0.06  # of the side
_FEW = 10  # points: drawn larger, since no shape shows them
_LIMBS = (
    "head neck",
    "neck {side}_shoulder",
    "{side}_shoulder {side}_elbow {side}_wrist",
    "{side}_wrist {side}_hand_wrist",
    "{side}_shoulder {side}_hip {side}_knee {side}_ankle",
    "left_shoulder right_shoulder",
    "left_hip right_hip",
    "mouth_left mouth_right",
    *(
        f"{{side}}_hand_wrist {' '.join(f'{{side}}_hand_{finger}_{joint}' for joint in range(4))}"
        for finger in ("thumb", "index", "middle", "ring", "pinky")
    ),
)


def pose_edges(layout: PoseLayout) -> list[tuple[int, int]]:
    """Return pairs of points that a line joins; none for a layout of unnamed points."""
    position = {name: number for number, name in enumerate(layout.points)}
    chains = [limb.format(side=side).split() for limb in _LIMBS for side in ("left", "right")]
    named = [pair for chain in chains for pair in zip(chain, chain[1:], strict=False)]
    known = [(position[a], position[b]) for a, b in named if a in position and b in position]
    return list(dict.fromkeys(known))


def draw_poses(points: np.ndarray, seen: np.ndarray, layout: PoseLayout, side: int) -> Image.Image:
    """Draw poses beside each other, all on the same scale.

    Args:
        points: `(K, L, 2)` in signing space.
        seen: `(K, L)` bool, true where the point was detected.
        layout: Which point is what.
        side: Width and height of each drawing, in pixels.

    Returns:
        RGBA image `(side, K * side)`, transparent where nothing is drawn.
    """
    large = side * _SCALE
    image = Image.new("RGBA", (len(points) * large, large))
    draw = ImageDraw.Draw(image)
    edges, colors = pose_edges(layout), _colors(layout)
    places = _fit(points, seen, large)
    radius = _SCALE * (3 if layout.num_landmarks <= _FEW else 0.8)
    for number, (place, known) in enumerate(zip(places, seen, strict=True)):
        moved = place + (number * large, 0)
        for a, b in edges:
            if known[a] and known[b]:
                draw.line([*moved[a], *moved[b]], fill=colors[b], width=_SCALE)
        for index in np.flatnonzero(known):
            x, y = moved[index]
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colors[index])
    return image.resize((len(points) * side, side), Image.Resampling.BOX)


def _colors(layout: PoseLayout) -> Sequence[tuple[int, int, int, int]]:
    sides = {"left": _LEFT, "right": _RIGHT}
    return [sides.get(name.split("_")[0], _BODY) for name in layout.points]


def _fit(points: np.ndarray, seen: np.ndarray, side: int) -> np.ndarray:
    """Return the places `(K, L, 2)` in pixels; the box of all detected points fills the drawing."""
    # Signing space is as wide as 6 heads and as high as 7: drawn as a square it would be squeezed.
    scaled = np.nan_to_num(points.astype(np.float64)) * (WIDTH, HEIGHT)
    if not seen.any():
        return np.zeros_like(scaled)
    low, high = scaled[seen].min(axis=0), scaled[seen].max(axis=0)
    extent = max(*(high - low), 1e-6)
    centred = (scaled - (low + high) / 2) / extent  # within +-0.5
    return (centred * (1 - 2 * _MARGIN) + 0.5) * side

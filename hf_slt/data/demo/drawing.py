"""Pictures of hands and faces, painted with signed distance functions: a part is a shape, an outline and a colour.

Coordinates run from -1 (left, top) to 1 (right, bottom). Everything is drawn once per signer and variant, at
`SPRITE_MARGIN` pixels more than a crop on each side; frames are then cut out of these sprites.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hf_slt.data.demo.signs import REST_SHAPE

SPRITE_MARGIN = 4  # pixels on each side: how far a crop may be off centre
_OUTLINE = 0.05
Colour = Sequence[float]
Segment = tuple[tuple[float, float], tuple[float, float]]

_KNUCKLES = {"pinky": -0.30, "ring": -0.10, "middle": 0.10, "index": 0.30}
_LENGTHS = {"pinky": 0.50, "ring": 0.62, "middle": 0.68, "index": 0.62}
_FAN = {"pinky": -0.45, "ring": -0.15, "middle": 0.12, "index": 0.40}  # radians from upright
_STRAIGHT_FINGERS = {
    "fist": {},
    "index": {"index": 0.0},
    "vee": {"middle": -0.30, "index": 0.36},
    "five": _FAN,
    "flat": dict.fromkeys(_FAN, 0.0),
    "ell": {"index": 0.0},
    "wye": {"pinky": -0.65},
    REST_SHAPE: dict.fromkeys(_FAN, 0.0),
}
_THUMB_ACROSS: Segment = ((0.36, 0.36), (-0.08, 0.30))
_THUMB_OUT: Segment = ((0.30, 0.34), (0.84, 0.16))
_THUMB_ALONG: Segment = ((0.36, 0.42), (0.44, 0.06))
_THUMBS = {"five": _THUMB_OUT, "ell": _THUMB_OUT, "wye": _THUMB_OUT, "flat": _THUMB_ALONG, REST_SHAPE: _THUMB_ALONG}


class _Canvas:
    """A square picture `(S,S,3)` of floats in 0..255, painted on part by part."""

    def __init__(self, size: int, background: Colour, angle: float = 0.0, scale: float = 1.0):
        axis = (np.arange(size, dtype=np.float64) + 0.5 - size / 2) / ((size - 2 * SPRITE_MARGIN) / 2)
        x, y = np.meshgrid(axis, axis)
        cos, sin = np.cos(angle), np.sin(angle)
        self.x, self.y = (cos * x + sin * y) / scale, (-sin * x + cos * y) / scale
        self.pixel = 2 / (size - 2 * SPRITE_MARGIN) / scale
        self.image = np.broadcast_to(np.asarray(background, dtype=np.float64), (size, size, 3)).copy()

    def capsule(self, start: Sequence[float], end: Sequence[float], radius: float) -> np.ndarray:
        """Distance to a thick line."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        along = ((self.x - start[0]) * dx + (self.y - start[1]) * dy) / max(dx * dx + dy * dy, 1e-9)
        along = np.clip(along, 0, 1)
        return np.hypot(self.x - start[0] - along * dx, self.y - start[1] - along * dy) - radius

    def ellipse(self, centre: Sequence[float], radii: Sequence[float]) -> np.ndarray:
        """Approximate distance to an ellipse."""
        return (np.hypot((self.x - centre[0]) / radii[0], (self.y - centre[1]) / radii[1]) - 1) * min(radii)

    def paint(self, distance: np.ndarray, colour: Colour, outline: Colour | None = None) -> None:
        """Paint the inside of a shape, antialiased, with an optional darker rim around it."""
        if outline is not None:
            self.paint(distance - _OUTLINE, outline)
        alpha = np.clip(0.5 - distance / self.pixel, 0, 1)[..., None]
        self.image = self.image * (1 - alpha) + np.asarray(colour, dtype=np.float64) * alpha


def hand_sprite(
    shape: str,
    size: int,
    *,
    skin: Colour,
    sleeve: Colour,
    background: Colour,
    finger: float,
    angle: float,
    scale: float,
) -> np.ndarray:
    """Draw a right hand, palm to the camera, thumb on the right of the picture; its mirror image is a left hand.

    Args:
        shape: One of `HANDSHAPES`.
        size: Side of a crop in pixels.
        skin: RGB in 0..255, as all colours.
        sleeve: Colour of the end of the arm.
        background: Colour behind the hand.
        finger: Half the width of a finger, about 0.11 of half a crop.
        angle: Tilt in radians.
        scale: Size of the hand, 1 = fills the crop.

    Returns:
        Floats `(S,S,3)` in 0..255, S = `size` + 2 `SPRITE_MARGIN`.
    """
    turn = np.pi if shape == REST_SHAPE else 0.0  # an arm at rest hangs down
    canvas = _Canvas(size + 2 * SPRITE_MARGIN, background, angle + turn, scale)
    rim = [0.55 * channel for channel in skin]
    canvas.paint(canvas.capsule((0, 0.6), (0, 1.6), 0.24), skin, rim)
    canvas.paint(canvas.capsule((0, 1.05), (0, 1.9), 0.30), sleeve, [0.6 * channel for channel in sleeve])
    canvas.paint(canvas.capsule((-0.14, 0.36), (0.14, 0.36), 0.28), skin, rim)
    if shape == "ring":
        canvas.paint(np.abs(canvas.ellipse((0.0, -0.22), (0.42, 0.42))) - 0.15, skin, rim)
        return canvas.image
    straight = _STRAIGHT_FINGERS[shape]
    for name, x in _KNUCKLES.items():
        x = 0.82 * x if shape in ("flat", REST_SHAPE) else x
        tip = (x, 0.28)  # a folded finger shows its knuckle only
        if name in straight:
            lean = straight[name]
            tip = (x + 1.15 * _LENGTHS[name] * np.sin(lean), 0.12 - 1.15 * _LENGTHS[name] * np.cos(lean))
        canvas.paint(canvas.capsule((x, 0.12), tip, finger), skin, rim)
    thumb_start, thumb_end = _THUMBS.get(shape, _THUMB_ACROSS)
    canvas.paint(canvas.capsule(thumb_start, thumb_end, 1.1 * finger), skin, rim)
    return canvas.image


def face_sprite(
    mouth: str,
    size: int,
    *,
    skin: Colour,
    hair: Colour,
    lips: Colour,
    background: Colour,
    width: float,
    yaw: int,
    pitch: int,
) -> np.ndarray:
    """Draw a face.

    Args:
        mouth: One of `MOUTHS`.
        size: Side of a crop in pixels.
        skin: RGB in 0..255, as all colours.
        hair: Colour of the hair and the brows.
        lips: Colour of the lips.
        background: Colour behind the head.
        width: Width of the head as a part of the crop, about 0.7.
        yaw: Turn of the head, -1, 0 or 1: the features move sideways by two pixels, the outline does not.
        pitch: The same for a nod, downwards.

    Returns:
        Floats `(S,S,3)` in 0..255, S = `size` + 2 `SPRITE_MARGIN`.
    """
    canvas = _Canvas(size + 2 * SPRITE_MARGIN, background)
    x, y = 2 * yaw * canvas.pixel, 2 * pitch * canvas.pixel
    rim = [0.6 * channel for channel in skin]
    canvas.paint(canvas.ellipse((0, -0.22), (width + 0.12, 0.86)), hair)
    canvas.paint(canvas.capsule((0, 0.8), (0, 1.4), 0.3), skin, rim)
    canvas.paint(canvas.ellipse((0, 0.02), (width, 0.92)), skin, rim)
    canvas.paint(canvas.ellipse((0, -0.92), (0.8 * width, 0.26)), hair)
    for side in (-1, 1):
        eye = (x + side * 0.33, y - 0.22)
        canvas.paint(canvas.capsule((eye[0] - 0.12, eye[1] - 0.22), (eye[0] + 0.12, eye[1] - 0.22), 0.03), hair)
        canvas.paint(canvas.ellipse(eye, (0.15, 0.10)), (245, 245, 245))
        canvas.paint(canvas.ellipse(eye, (0.07, 0.09)), (25, 20, 20))
    canvas.paint(canvas.capsule((x, y - 0.1), (x + 0.04, y + 0.14), 0.04), rim)
    _paint_mouth(canvas, mouth, (x, y + 0.48), lips)
    return canvas.image


def _paint_mouth(canvas: _Canvas, mouth: str, centre: tuple[float, float], lips: Colour) -> None:
    x, y = centre
    dark = (40, 10, 15)
    if mouth == "neutral":
        canvas.paint(canvas.capsule((x - 0.24, y), (x + 0.24, y), 0.05), lips)
    elif mouth == "open":
        canvas.paint(canvas.ellipse((x, y + 0.04), (0.27, 0.30)), lips)
        canvas.paint(canvas.ellipse((x, y + 0.04), (0.19, 0.22)), dark)
    elif mouth == "wide":
        canvas.paint(canvas.capsule((x - 0.34, y), (x + 0.34, y), 0.15), lips)
        canvas.paint(canvas.capsule((x - 0.33, y), (x + 0.33, y), 0.08), (250, 250, 250))
    else:  # pout
        canvas.paint(canvas.ellipse((x, y), (0.19, 0.19)), lips)
        canvas.paint(canvas.ellipse((x, y), (0.07, 0.07)), dark)

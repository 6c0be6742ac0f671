"""Drawings of landmarks, crop boxes and text on a picture: what a person looks at to judge an extraction."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hf_slt.extraction.landmark_clip import FrameLandmarks
from hf_slt.landmarks import LAYOUTS

Box = Sequence[float]  # left, top, right, bottom

BODY, LEFT, RIGHT, FACE = (240, 240, 240), (255, 140, 40), (70, 160, 255), (120, 230, 120)
_REGION = (255, 220, 0)
_BOX_COLORS = {"face": FACE, "left_hand": LEFT, "right_hand": RIGHT}
MIN_VISIBILITY = 0.5  # below it MediaPipe guesses where a point of the body would be
_BODY_CHAINS = (
    "left_shoulder right_shoulder",
    "left_hip right_hip",
    "{side}_shoulder {side}_elbow {side}_wrist",
    "{side}_shoulder {side}_hip {side}_knee {side}_ankle",
)
# Point numbers of Face Mesh (MediaPipe): the oval, then both brows and eyes, then the outer lips.
_FACE_POINTS = np.array(
    "10 338 297 332 284 251 389 356 454 323 361 288 397 365 379 378 400 377 152 148 176 149 150 136 172 58 132 93 234 "
    "127 162 21 54 103 67 109 70 63 105 66 107 336 296 334 293 300 33 159 133 145 263 386 362 374 61 146 91 181 84 17 "
    "314 405 321 375 291 409 270 269 267 0 37 39 40 185".split(),
    dtype=int,
)
# 21 points a hand: the wrist, then four of each finger from its root to its tip.
_HAND_EDGES = [
    edge for root in range(1, 21, 4) for edge in [(0, root), *((joint, joint + 1) for joint in range(root, root + 3))]
]


def _body_edges() -> list[tuple[int, int]]:
    position = {name: number for number, name in enumerate(LAYOUTS["mediapipe_pose"].points)}
    chains = [chain.format(side=side).split() for chain in _BODY_CHAINS for side in ("left", "right")]
    pairs = [(position[a], position[b]) for chain in chains for a, b in zip(chain, chain[1:], strict=False)]
    return list(dict.fromkeys(pairs))


_BODY_EDGES = _body_edges()


def load_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font with accents: DejaVu Sans, which ships with matplotlib, else the one inside Pillow.

    Args:
        size: Height of a line in pixels, about.
    """
    spec = importlib.util.find_spec("matplotlib")  # found, not imported: that would take half a second
    if spec is not None and spec.origin:
        path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


def wrap_text(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> list[str]:
    """Break a text into lines of at most `width` pixels, at white space; a longer word at any character."""
    lines, line = [], ""
    for word in text.split():
        candidate = f"{line} {word}" if line else word
        if font.getlength(candidate) <= width:
            line = candidate
            continue
        lines += [line] if line else []
        line = ""
        for char in word:
            if line and font.getlength(line + char) > width:
                lines.append(line)
                line = ""
            line += char
    return [*lines, line] if line else lines


def draw_landmarks(image: Image.Image, landmarks: FrameLandmarks) -> None:
    """Draw the landmarks of a frame: the body light, the signer's left orange, the right blue, the face green.

    Args:
        image: RGB picture, drawn on; the landmarks are fractions of its width and height.
        landmarks: What was detected.
    """
    draw, size = ImageDraw.Draw(image), np.array(image.size, dtype=np.float64)
    thick = max(1, round(min(image.size) / 240))
    if landmarks.face is not None:
        _points(draw, landmarks.face[_FACE_POINTS, :2] * size, FACE, thick / 2)
    if landmarks.pose is not None:
        places, visible = landmarks.pose[:, :2] * size, landmarks.pose[:, 2] >= MIN_VISIBILITY
        _lines(draw, places, [(a, b) for a, b in _BODY_EDGES if visible[a] and visible[b]], BODY, thick)
        joints = sorted({point for edge in _BODY_EDGES for point in edge} | {0})
        _points(draw, places[[point for point in joints if visible[point]]], BODY, 1.5 * thick)
    for hand, color in ((landmarks.left_hand, LEFT), (landmarks.right_hand, RIGHT)):
        if hand is not None:
            places = hand[:, :2] * size
            _lines(draw, places, _HAND_EDGES, color, thick)
            _points(draw, places, color, thick)


def draw_boxes(image: Image.Image, boxes: Mapping[str, Box | None], region: Box | None = None) -> None:
    """Draw the boxes of the crops with their names, and the part of the picture that is the signer's.

    Args:
        image: RGB picture, drawn on.
        boxes: Stream -> box in fractions of the picture; None: no crop in this frame.
        region: Box in fractions of the picture.
    """
    draw = ImageDraw.Draw(image)
    width, height = image.size
    scale = np.array([width, height, width, height], dtype=np.float64)
    thick = max(1, round(min(image.size) / 300))
    font_size = max(10, round(min(image.size) / 36))
    font = load_font(font_size)
    named = [(name.replace("_", " "), box, _BOX_COLORS.get(name, BODY)) for name, box in boxes.items()]
    for name, box, color in [("signer", region, _REGION), *named]:
        if box is None:
            continue
        left, top, right, bottom = np.asarray(box, dtype=np.float64) * scale
        if right < left or bottom < top:
            continue
        draw.rectangle((left, top, right, bottom), outline=color, width=thick)
        # the names of two hands that touch stand at opposite ends
        y = min(bottom, height) - 1.4 * font_size if name == "left hand" else max(top, 0) + thick
        place = (max(left, 0) + 2 * thick, y)
        draw.text(place, name, font=font, fill=color, stroke_width=1, stroke_fill=(0, 0, 0))


def _lines(
    draw: ImageDraw.ImageDraw, places: np.ndarray, edges: Sequence[tuple[int, int]], color: tuple, width: int
) -> None:
    for under, wide in (((0, 0, 0), width + 2), (color, width)):  # light lines show on light clothes, too
        for a, b in edges:
            draw.line([*places[a], *places[b]], fill=under, width=wide)


def _points(draw: ImageDraw.ImageDraw, places: np.ndarray, color: tuple, radius: float) -> None:
    for x, y in places:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)

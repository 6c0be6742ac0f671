"""Images as `data:` addresses, for a page that is one file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

_NO_FRAME = (160, 160, 160)  # grey: the crop is missing in this frame
_QUALITY = 80
_INK = (40, 120, 240)  # blue that shows on white and on black


def data_address(content: bytes, kind: str = "png") -> str:
    """Return an image file as a `data:` address.

    Args:
        content: The file.
        kind: `"png"` or `"jpeg"`.
    """
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def image_address(image: Image.Image, kind: str = "png") -> str:
    """Encode an image as a `data:` address; the same image gives the same bytes."""
    file = io.BytesIO()
    image.save(file, format=kind, **({"optimize": True} if kind == "png" else {"quality": _QUALITY}))
    return data_address(file.getvalue(), kind)


def frame_strip(frames: Sequence[np.ndarray | None], side: int) -> Image.Image:
    """Put square frames beside each other.

    Args:
        frames: K frames uint8 `(H, W, 3)`, None where there is none.
        side: Width and height of each in the strip, in pixels.

    Returns:
        RGB image `(side, K * side)`.
    """
    strip = Image.new("RGB", (len(frames) * side, side), _NO_FRAME)
    for number, frame in enumerate(frames):
        if frame is not None:
            strip.paste(Image.fromarray(frame).resize((side, side), Image.Resampling.BILINEAR), (number * side, 0))
    return strip


def weight_row(weights: np.ndarray, largest: float) -> Image.Image:
    """Return weights as a row of pixels, more opaque the larger they are: the colour of the page shines through.

    Args:
        weights: `(T,)`, at least 0.
        largest: The weight that is drawn opaque.

    Returns:
        RGBA image `(1, T)`.
    """
    pixels = np.empty((1, len(weights), 4), np.uint8)
    pixels[..., :3] = _INK
    pixels[0, :, 3] = np.round(255 * np.clip(weights / max(largest, 1e-12), 0, 1))
    return Image.fromarray(pixels)

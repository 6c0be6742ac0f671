"""Square crops of the face and the hands, as the image streams hold them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from hf_slt.errors import require_package
from hf_slt.extraction.boxes import BoxTracker
from hf_slt.extraction.hand_checks import check_hands
from hf_slt.extraction.landmark_clip import FrameLandmarks
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.streams import IMAGE_STREAMS

Corners = tuple[int, int, int, int]


class CropMaker:
    """Cuts the image streams out of one frame after the other; a frame needs no later one, so it works live.

    Args:
        options: `image_size`, `crop_scale` and `segmentation` count.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        streams: Image streams to cut out.

    Attributes:
        boxes: Image stream -> left, top, right, bottom of the last frame's box in pixels, which may leave the picture;
            None where the part was not seen. For all image streams.
    """

    def __init__(self, options: ExtractionOptions, width: int, height: int, streams: Collection[str] = IMAGE_STREAMS):
        self.options = options
        self.width, self.height = width, height
        self.streams = tuple(streams)
        self.boxes: dict[str, Corners | None] = dict.fromkeys(IMAGE_STREAMS)
        self._tracker = BoxTracker(width, height, options.crop_scale)

    def crop(self, image: np.ndarray, landmarks: FrameLandmarks) -> dict[str, np.ndarray | None]:
        """Take the next frame in.

        Args:
            image: `(H, W, 3)` uint8.
            landmarks: The landmarks of the frame.

        Returns:
            Stream -> `(S, S, 3)` uint8, None where the part is not in the picture.
        """
        found = self._tracker.update(check_hands(landmarks, self.width, self.height))
        self.boxes = {stream: None if box is None else box.corners() for stream, box in found.items()}
        mask = landmarks.person_mask if self.options.segmentation else None
        crops: dict[str, np.ndarray | None] = {}
        for stream in self.streams:
            corners = self.boxes[stream]
            crops[stream] = None if corners is None else cut_out(image, corners, self.options.image_size, mask)
        return crops


def cut_out(image: np.ndarray, corners: Corners, size: int, mask: np.ndarray | None = None) -> np.ndarray:
    """Return a square part of a picture in another size; what is outside of the picture is black.

    Args:
        image: `(H, W, 3)` uint8.
        corners: Left, top, right, bottom in pixels of a square that meets the picture.
        size: Side of the result.
        mask: `(H, W)`; where it is below 1/2 the result is black.

    Returns:
        `(size, size, 3)` uint8.
    """
    cv2 = require_package("cv2", extra="extraction")
    left, top, right, bottom = corners
    height, width = image.shape[:2]
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    part = image[rows, columns]
    if mask is not None:
        part = part * (mask[rows, columns, None] >= 0.5).astype(np.uint8)
    if part.shape[:2] != (bottom - top, right - left):
        borders = (rows.start - top, bottom - rows.stop, columns.start - left, right - columns.stop)
        part = cv2.copyMakeBorder(part, *borders, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    # Averaging over areas keeps fine structure from aliasing when the crop shrinks.
    method = cv2.INTER_AREA if right - left > size else cv2.INTER_CUBIC
    return cv2.resize(part, (size, size), interpolation=method)

"""Which frames of a video are kept, and at what time each one stands: by time stamps, never by counting on a rate."""

from __future__ import annotations

import math

# Containers round time stamps (Matroska to 1 ms): a frame this share of a slot early still belongs to the slot.
SLOT_TOLERANCE = 0.05
DEFAULT_RATE = 25.0  # frames a second where neither time stamps nor the container tell


class FrameSlots:
    """Resampling by the rule "keep a frame when its time passes the next slot".

    Slot k stands at k / fps seconds. A frame whose time is at or after the next open slot is kept, and the next open
    slot becomes the first one after its time. So a gap that spans several slots gives one frame, no frame is ever
    repeated, and a video that is slower than `fps` keeps all its frames.

    Args:
        fps: Slots a second; None keeps every frame.
    """

    def __init__(self, fps: float | None):
        self.fps = fps
        self._next = 0

    def take(self, time: float) -> bool:
        """Say whether a frame is kept; frames come in the order of their times.

        Args:
            time: Seconds since the start of the clip.
        """
        if self.fps is None:
            return True
        position = time * self.fps + SLOT_TOLERANCE
        if position < self._next:
            return False
        self._next = math.floor(position) + 1
        return True


class FrameClock:
    """Strictly increasing times of frames whose time stamps may be missing, repeated or set back.

    Args:
        rate: Average frames a second of the stream; None or 0 counts with `DEFAULT_RATE`.
    """

    def __init__(self, rate: float | None):
        self._step = 1 / (rate or DEFAULT_RATE)
        self._last: float | None = None

    def tick(self, stamp: float | None) -> float:
        """Return the time of the next frame in seconds: its stamp, or one average step on where the stamp is no use.

        Args:
            stamp: The time stamp in seconds; None where the frame has none.
        """
        if self._last is None:
            self._last = stamp if stamp is not None else 0.0
        elif stamp is None or stamp <= self._last:
            self._last += self._step
        else:
            self._last = stamp
        return self._last

"""Signs in a stream of frames: each one once, with its place in time.

A classifier looks at a sliding window. A sign begins where it says the same gloss, at `threshold` or above, in some
windows in a row, and lasts until the probability falls below a lower threshold (hysteresis), another gloss takes over,
or there is no sign: the hands rest or are not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.inference.streaming import LiveFrame, TemporalBuffer, hands_raised

Classify = Callable[[Sequence[LiveFrame]], np.ndarray]
_FALL = 0.6  # of the threshold: what a sign that began may sink to
_MIN_ACTIVE = 0.5  # seconds: the shortest stretch of signing that is looked at


@dataclass(frozen=True)
class SpottedGloss:
    """A sign.

    Attributes:
        gloss: Its name.
        id: Its id.
        score: Its highest probability.
        start: Where the hands were first seen in its first window, seconds of the clip.
        end: Latest frame of its last window with raised hands, seconds of the clip.
        said_at: Time of the latest frame that was read when the sign was over, seconds of the clip.
        arrival: When that frame arrived, in seconds of `time.perf_counter`.
    """

    gloss: str
    id: int
    score: float
    start: float
    end: float
    said_at: float
    arrival: float = 0.0

    def __str__(self) -> str:
        return f"[{self.start:.2f}-{self.end:.2f} s] {self.gloss} ({self.id}) {self.score:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """Return the sign as a plain dictionary: times with three digits, the probability with four."""
        times = {name: round(getattr(self, name), 3) for name in ("start", "end", "said_at")}
        return {"gloss": self.gloss, "id": self.id, "score": round(self.score, 4), **times}


@dataclass
class _Running:
    """A sign that is not over: seen in `count` windows so far."""

    id: int
    score: float
    start: float
    end: float
    count: int = 1


class GlossSpotter:
    """Find signs in a stream of frames.

    Args:
        classify: Window -> probabilities `(C,)`.
        names: The C names of the glosses.
        window: Seconds that the classifier looks at.
        hop: Seconds between two looks.
        threshold: Probability that makes a gloss a sign, above 0 up to 1.
        confirm: Looks in a row that have to agree before a sign counts.
        pause: Seconds of rest that end a sign; 0: rest is not told from signing.

    Raises:
        ConfigurationError: Values that cannot work.
    """

    def __init__(
        self,
        classify: Classify,
        names: Sequence[str],
        window: float = 2.0,
        hop: float = 0.25,
        threshold: float = 0.5,
        confirm: int = 2,
        pause: float = 0.4,
    ):
        if not hop > 0 or not pause >= 0 or confirm < 1 or not 0 < threshold <= 1:
            raise ConfigurationError(
                f"expected a hop above 0 s, a pause of 0 s or more, 1 or more looks to confirm and a threshold above "
                f"0 up to 1, found {hop:g}, {pause:g}, {confirm} and {threshold:g}"
            )
        self.classify = classify
        self.names = list(names)
        self.buffer = TemporalBuffer(window)
        self.hop = hop
        self.threshold = threshold
        self.confirm = confirm
        self.pause = pause
        self._active: tuple[float, float] | None = None  # first and latest frame with raised hands
        self._looked_at = float("-inf")
        self._running: _Running | None = None
        self._rival: _Running | None = None  # a gloss that was said, but not often enough yet
        self._found = False  # whether there was a sign since the hands were raised

    def add(self, frame: LiveFrame, may_classify: bool = True) -> list[SpottedGloss]:
        """Take the next frame, and return the sign that is over with it, if one is.

        Args:
            frame: The frame.
            may_classify: Whether there is time to look.
        """
        self.buffer.append(frame)
        if not self.pause or hands_raised(frame):
            self._active = (self._active[0] if self._active else frame.time, frame.time)
        if self._active is None:
            return []
        if self.pause and frame.time - self._active[1] >= self.pause:
            return self._rest()
        if may_classify and frame.time - self._looked_at >= self.hop - 1e-9 and self._is_worth_a_look():
            return self._look()
        return []

    def finish(self) -> list[SpottedGloss]:
        """Return the sign that was not over at the end of the stream."""
        return self._rest() if len(self.buffer) else []

    def _is_worth_a_look(self) -> bool:
        """Tell whether the signing is long enough, and the window still shows some of it."""
        first, last = self._active
        return last - first >= min(_MIN_ACTIVE, self.buffer.window / 2) and last >= self.buffer.start

    def _rest(self) -> list[SpottedGloss]:
        """End the signing, after a look at the frames that came after the last one."""
        unseen = self._active is not None and self._active[1] > self._looked_at and self._is_worth_a_look()
        said = self._look() if unseen else []
        if not self._found:  # a sign too short to be looked at often: nothing contradicts it any more
            self._running = self._running or self._rival
        said += self._end()
        self._active, self._rival, self._found, self._looked_at = None, None, False, float("-inf")
        self.buffer.restart()
        return said

    def _look(self) -> list[SpottedGloss]:
        first, last = self._active
        self._looked_at = self.buffer.end
        start = max(first, self.buffer.start)
        probabilities = self.classify([frame for frame in self.buffer.frames if start <= frame.time <= last])
        best = int(np.argmax(probabilities))
        said: list[SpottedGloss] = []
        if self._running is not None:
            score = float(probabilities[self._running.id])
            if score >= _FALL * self.threshold:
                self._running.end, self._running.score = last, max(self._running.score, score)
            else:
                said = self._end()
        is_running = self._running is not None and self._running.id == best
        if is_running or probabilities[best] < self.threshold:
            self._rival = None
            return said
        return said + self._consider(best, float(probabilities[best]), start, last)

    def _consider(self, gloss: int, score: float, start: float, end: float) -> list[SpottedGloss]:
        """Count a gloss that is above the threshold and not the running one; the new sign once it is confirmed."""
        if self._rival is not None and self._rival.id == gloss:
            self._rival.count += 1
            self._rival.end, self._rival.score = end, max(self._rival.score, score)
        else:
            self._rival = _Running(gloss, score, start, end)
        if self._rival.count < self.confirm:
            return []
        said = self._end()
        self._running, self._rival, self._found = self._rival, None, True
        return said

    def _end(self) -> list[SpottedGloss]:
        over, self._running = self._running, None
        if over is None:
            return []
        last = self.buffer.frames[-1]
        name = self.names[over.id]
        return [SpottedGloss(name, over.id, over.score, over.start, over.end, last.time, last.arrival)]

"""What a live run was like: latency, real-time factor, lag.

Definitions. *Latency of a frame*: from its arrival (when it could first be read) until it is in the window that the
model reads: detection, crops, and the wait for both. *Latency of an update*: from the start of building the inputs of a
window to its translation or probabilities. *Real-time factor*: seconds of processing, with the model loaded and the
signer chosen, over seconds of the clip; below 1 keeps up. A camera, or a file at its own pace, is never read faster
than it is shown: its factor is about 1, and dropped frames tell that the run was behind. Processor time over the number
of cores says what the factor would be on a machine that does nothing else.

*Average lag* of captions: how many seconds words come behind an ideal translator that starts with the segment and
says its words evenly over it, `AL = 1/n * sum_i (d_i - (i - 1) * S / N)` of a segment of `S` seconds, `N` words, where
word i was said when `d_i` seconds of the segment had been seen, and n is the first word that was said at its end
(average lagging: Ma et al. 2019, "STACL: Simultaneous Translation with Implicit Anticipation and Controllable Latency",
in seconds; for a segment, `|y| / |x|` are `N / S` words a second). *Average lag* of glosses: seconds from the end of a
sign to the frame at which it was said. The computation-aware value adds the wall time from the arrival of the latest
frame until the words are said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import Any

import numpy as np


@dataclass
class LiveReport:
    """Collected while a run goes on; all times in seconds.

    Attributes:
        frames: Frames that were looked at.
        frames_dropped: Frames that were not, since the run was behind.
        frames_with_person: Frames with a person.
        first_time, last_time: Times of the first and the latest frame of the clip.
        processing: Wall time from the arrival of the first frame to the end.
        processor: Seconds of processor time, of all cores together, in that time.
        setup: Wall time before it: models and the choice of the signer.
        frame_latencies: One a frame.
        update_latencies: One a translation or look of the classifier.
    """

    frames: int = 0
    frames_dropped: int = 0
    frames_with_person: int = 0
    first_time: float | None = None
    last_time: float = 0.0
    processing: float = 0.0
    processor: float = 0.0
    setup: float = 0.0
    frame_latencies: list[float] = field(default_factory=list)
    update_latencies: list[float] = field(default_factory=list)
    _started: tuple[float, float] | None = None  # wall and processor time
    _words: dict[int, list[tuple[int, float, float]]] = field(default_factory=lambda: defaultdict(list))
    _spans: dict[int, float] = field(default_factory=dict)
    _gloss_lags: list[tuple[float, float]] = field(default_factory=list)

    def start(self, arrival: float) -> None:
        """Note that the first frame arrived, in seconds of `time.perf_counter`."""
        self._started = arrival, process_time()

    def stop(self) -> None:
        """Note that the run is over."""
        if self._started is not None:
            arrival, processor = self._started
            self.processing, self.processor = perf_counter() - arrival, process_time() - processor

    def add_frame(self, time: float, latency: float, has_person: bool) -> None:
        """Note a frame that was looked at."""
        if self.first_time is None:
            self.first_time = time
        self.last_time = time
        self.frames += 1
        self.frames_with_person += has_person
        self.frame_latencies.append(latency)

    def add_words(self, segment: int, count: int, seen: float, delay: float, is_final: bool) -> None:
        """Note words that were said: their segment, number, seconds of the segment seen, and wall time behind."""
        if count:
            self._words[segment].append((count, seen, delay))
        if is_final:
            self._spans[segment] = seen

    def add_gloss(self, lag: float, delay: float) -> None:
        """Note a sign that was said, some seconds of the clip after its end, and the wall time behind."""
        self._gloss_lags.append((lag, delay))

    @property
    def clip_seconds(self) -> float:
        """Seconds of the clip that the frames stand for."""
        if self.first_time is None or self.frames < 2:
            return 0.0
        span = self.last_time - self.first_time
        return span * self.frames / (self.frames - 1)  # the last frame is shown as long as the others

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of processing a second of the clip; None for less than two frames."""
        return self.processing / self.clip_seconds if self.clip_seconds else None

    def average_lag(self, with_computation: bool = False) -> float | None:
        """Mean over segments of the average lagging, or over signs of the seconds after their end; None without any."""
        if self._gloss_lags:
            return float(np.mean([lag + delay * with_computation for lag, delay in self._gloss_lags]))
        lags = [
            average_lagging([(n, seen, delay * with_computation) for n, seen, delay in words], self._spans[segment])
            for segment, words in self._words.items()
            if segment in self._spans
        ]
        return float(np.mean(lags)) if lags else None

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a plain dictionary: seconds, latencies in milliseconds."""
        values = {
            "frames": self.frames,
            "frames_dropped": self.frames_dropped,
            "frames_with_person": self.frames_with_person,
            "clip_seconds": self.clip_seconds,
            "processing_seconds": self.processing,
            "processor_seconds": self.processor,
            "setup_seconds": self.setup,
            "real_time_factor": self.real_time_factor,
            "average_lag_seconds": self.average_lag(),
            "average_lag_computation_aware_seconds": self.average_lag(with_computation=True),
            "updates": len(self.update_latencies),
            "frame_latency_ms": percentiles(self.frame_latencies),
            "update_latency_ms": percentiles(self.update_latencies),
        }
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}

    def lines(self) -> list[str]:
        """Return the report as lines for people."""
        found = self.to_dict()
        spent = f"{self.processing:.1f} s for {self.clip_seconds:.1f} s, {self.processor:.1f} s of processor time"
        dropped = f", {self.frames_dropped} dropped" if self.frames_dropped else ""
        factor = "-" if self.real_time_factor is None else f"{self.real_time_factor:.2f}"
        lines = [
            f"frames: {self.frames}{dropped}, a person in {self.frames_with_person}",
            f"real-time factor: {factor} ({spent}; {self.setup:.1f} s to start)",
        ]
        for name, label in (("frame_latency_ms", "latency of a frame"), ("update_latency_ms", "latency of an update")):
            if values := found[name]:
                lines.append(f"{label}: p50 {values['p50']:.0f} ms, p95 {values['p95']:.0f} ms")
        if (lag := self.average_lag()) is not None:
            aware = self.average_lag(with_computation=True)
            lines.append(f"average lag: {lag:.2f} s ({aware:.2f} s with the time to compute)")
        return lines


def percentiles(seconds: Sequence[float]) -> dict[str, float] | None:
    """Return the median and the 95th percentile in milliseconds, None of nothing."""
    if not seconds:
        return None
    return {f"p{share}": round(1000 * float(np.percentile(seconds, share)), 2) for share in (50, 95)}


def average_lagging(words: Sequence[tuple[int, float, float]], span: float) -> float:
    """Return the average lagging of one segment in seconds.

    Args:
        words: In the order in which they were said: how many, the seconds of the segment seen by then, and the wall
            time that they were behind.
        span: Length of the segment in seconds.
    """
    total = sum(count for count, _, _ in words)
    lags: list[float] = []
    for count, seen, delay in words:
        for _ in range(count):
            lags.append(seen + delay - len(lags) * span / total)
            if seen >= span:
                return sum(lags) / len(lags)
    return sum(lags) / len(lags)

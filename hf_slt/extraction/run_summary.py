"""What came of an extraction, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

OK, ERROR = "ok", "error"  # what the `status` of a row can be
_PARTS = ("person", "face", "left_hand", "right_hand")


@dataclass(frozen=True)
class ExtractionSummary:
    """The rows of an extraction and their totals.

    Attributes:
        rows: The row of each clip in `metadata.jsonl`.
        resumed: How many of them an earlier run had finished.
        seconds: Time that this run took.
    """

    rows: Sequence[dict[str, Any]]
    resumed: int
    seconds: float

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Rows of the clips that could not be made."""
        return [row for row in self.rows if row["status"] != OK]

    @property
    def n_frames(self) -> int:
        """Frames of all clips that were made, earlier ones included."""
        return sum(row.get("n_frames") or 0 for row in self.rows)

    def detection(self) -> dict[str, float]:
        """Return the share of frames in which each part was found, over all clips: each frame counts once."""
        total = self.n_frames
        if not total:
            return {}
        found = dict.fromkeys(_PARTS, 0.0)
        for row in self.rows:
            for part in _PARTS:
                found[part] += (row.get("detection") or {}).get(part, 0.0) * (row.get("n_frames") or 0)
        return {part: count / total for part, count in found.items()}

    def describe(self) -> str:
        """Return the totals, and each clip that could not be made with its error."""
        made = len(self.rows) - len(self.failed)
        resumed = f" ({self.resumed} of them earlier)" if self.resumed else ""
        lines = [f"{made} of {len(self.rows)} clips{resumed}, {self.n_frames} frames, {self.seconds:.0f} s"]
        if not self.resumed and self.seconds > 0:
            lines[0] += f", {self.n_frames / self.seconds:.1f} frames/s"
        if rates := self.detection():
            shares = ", ".join(f"{part.replace('_', ' ')} {rate:.0%}" for part, rate in rates.items())
            lines.append(f"found in the frames: {shares}")
        if self.failed:
            lines.append(f"{len(self.failed)} of {len(self.rows)} clips could not be made:")
            lines += [f"  {row['video_id']} ({row['video']}): {row['error']}" for row in self.failed]
        return "\n".join(lines)

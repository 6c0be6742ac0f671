"""The figures of `benchmark.py export`: times of PyTorch and of its exports, and sizes of files."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

TORCH, ONNX, INT8 = "torch", "onnx", "int8"
BESIDE = {ONNX: TORCH, INT8: ONNX}  # what the time of a side is divided by


@dataclass(frozen=True)
class Case:
    """What all sides do in turns.

    Attributes:
        model: Name of the model.
        work: What it does with the clips.
        frames: Frames of a clip.
        threads: Threads of torch, and of ONNX Runtime.
    """

    model: str
    work: str
    frames: int
    threads: int


@dataclass(frozen=True)
class Times:
    """The figures of one side of a case.

    Attributes:
        case: What was measured.
        side: Who did it.
        ms: Milliseconds a clip, median of the rounds.
        ms_low, ms_high: The fastest and the slowest round.
        beside: The side that it is compared with; None for PyTorch.
        ratio: Its time divided by that side's of the same round, median of the rounds; below 1 it is faster.
        ratio_low, ratio_high: The smallest and the largest of these.
    """

    case: Case
    side: str
    ms: float
    ms_low: float
    ms_high: float
    beside: str | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None


@dataclass(frozen=True)
class Sizes:
    """What a model takes on a disk, in MB (10^6 bytes).

    Attributes:
        model: Its name.
        parameters: Weights, in millions.
        torch: `model.safetensors`.
        onnx, int8: The ONNX files that the ORT classes load.
    """

    model: str
    parameters: float
    torch: float
    onnx: float
    int8: float


def time_turn(work: Callable[[], Any], seconds: float) -> float:
    """Call `work` again and again for a turn of about `seconds`, and return the seconds of a call.

    The first quarter of a turn is not counted: the threads of the side that was before still look for work.
    """
    counts = []
    for share in (seconds / 4, seconds):
        start, count = time.perf_counter(), 0
        while count == 0 or time.perf_counter() - start < share:
            work()
            count += 1
        counts.append((time.perf_counter() - start) / count)
    return counts[-1]


def summarize_times(case: Case, seconds: dict[str, list[float]], clips: int) -> list[Times]:
    """Turn the seconds of each round, for `clips` clips, into figures."""
    rows = []
    for side, own in seconds.items():
        times = [1000 * value / clips for value in own]
        figures: list[Any] = [case, side, *_spread(times)]
        if beside := BESIDE.get(side):
            ratios = [value / base for value, base in zip(own, seconds[beside], strict=True)]
            figures += [beside, *_spread(ratios)]
        rows.append(Times(*figures))
    return rows


def _spread(values: list[float]) -> list[float]:
    return [median(values), min(values), max(values)]


def format_header() -> str:
    """Return the head of the table of times."""
    columns = "".join(f"{f'{side}, ms':>11} {f'/ {beside} (min - max)':<22}" for side, beside in BESIDE.items())
    return f"{'model':<24}{'work':<12}{'frames':>6}{'threads':>9}{f'{TORCH}, ms':>11}{columns}".rstrip()


def format_times(rows: list[Times]) -> str:
    """Lay the figures of all sides of a case out as one line of the table."""
    case = rows[0].case
    line = f"{case.model:<24}{case.work:<12}{case.frames:>6}{case.threads:>9}"
    for row in rows:
        line += f"{row.ms:>11.2f}"
        if row.beside:
            line += f"  {f'{row.ratio:.2f} ({row.ratio_low:.2f} - {row.ratio_high:.2f})':<21}"
    return line.rstrip()


def format_sizes(sizes: list[Sizes]) -> str:
    """Lay the sizes of the files out as a table."""
    lines = [f"{'model':<24}{'parameters, M':>14}{f'{TORCH}, MB':>12}{f'{ONNX}, MB':>12}{f'{INT8}, MB':>12}"]
    for row in sizes:
        lines.append(f"{row.model:<24}{row.parameters:>14.2f}{row.torch:>12.2f}{row.onnx:>12.2f}{row.int8:>12.2f}")
    return "\n".join(lines)


def format_about(args: argparse.Namespace, about: dict[str, str]) -> str:
    """Say what the figures are, in a sentence or two."""
    weights = "" if args.checkpoint else "random weights (seed 0), "
    return (
        f"ms a clip in batches of {args.batch_size}, median of {args.rounds} rounds in turns; ratios of times in one "
        f"round\n{weights}{args.new_tokens} tokens generated, {', '.join(f'{k} {v}' for k, v in about.items())}"
    )

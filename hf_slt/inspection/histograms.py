"""Histograms as inline SVG: no package to draw with, and the colours of the page around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

_MOST_BINS = 18
_OUTLIERS = 99  # percent: what lies far above goes into one last bin, so that the rest can be seen
_WIDTH, _HEIGHT = 340, 150  # user units; about pixels on a phone
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 8, 8, 22  # around the bars
_GAP = 1.5


@dataclass(frozen=True)
class Bin:
    """A bar: how many values are at least `low` and below `high`; the last one may have no upper end."""

    low: float
    high: float
    count: int


def bin_shares(values: Sequence[float]) -> list[Bin]:
    """Count shares, 0 to 1, in ten bins; 1 belongs to the last one."""
    places = np.minimum(np.floor(10 * np.asarray(values, dtype=np.float64) + 1e-9).astype(int), 9)
    counts = np.bincount(places, minlength=10)
    return [Bin(place / 10, (place + 1) / 10, int(counts[place])) for place in range(10)]


def bin_values(values: Sequence[float], whole: bool = True) -> list[Bin]:
    """Count values in at most 19 bins of one width, 1, 2 or 5 times a power of ten.

    Args:
        values: The values, none of them negative; NaN is left out.
        whole: Whether the values are whole numbers, so that no bin is narrower than 1.

    Returns:
        The bins from the lowest value on, empty ones between them included; none without values. Values above twice the
        99th percentile are in a last bin that is open.
    """
    known = np.array([value for value in values if not math.isnan(value)], dtype=np.float64)
    if not len(known):
        return []
    low, top = known.min(), known.max()
    usual = float(np.percentile(known, _OUTLIERS))
    top = known[known <= 2 * usual].max() if usual > 0 else top
    width = nice_step((top - low) / _MOST_BINS, whole)
    first = math.floor(low / width)
    count = math.floor(top / width) - first + 1
    places = np.minimum(np.floor(known / width).astype(int) - first, count)  # place `count` is the open bin
    counts = np.bincount(places, minlength=count + 1)
    bins = [Bin((first + i) * width, (first + i + 1) * width, int(counts[i])) for i in range(count)]
    return [*bins, Bin((first + count) * width, math.inf, int(counts[count]))] if counts[count] else bins


def nice_step(least: float, whole: bool = True) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that is at least `least`."""
    if whole:
        least = max(least, 1.0)
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def histogram_svg(bins: Sequence[Bin], what: str, unit: str = "", percent: bool = False) -> str:
    """Return a histogram as an SVG element; each bar tells its numbers when it is pointed at.

    Args:
        bins: The bars.
        what: What is counted, for those who cannot see it: "clips by length".
        unit: Unit of the values.
        percent: Whether the values are shares, to be shown in percent.
    """
    most = max((one.count for one in bins), default=0)
    room, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    bar = room / max(len(bins), 1)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(_spoken(bins, what, unit, percent))}">',
        f'<line class="axis" x1="{_LEFT}" y1="{_TOP + high}" x2="{_WIDTH - _RIGHT}" y2="{_TOP + high}"/>',
        f'<text x="{_LEFT - 5}" y="{_TOP + 8}" text-anchor="end">{most}</text>',
        f'<text x="{_LEFT - 5}" y="{_TOP + high}" text-anchor="end">0</text>',
    ]
    for place, one in enumerate(bins):
        tall = high * one.count / max(most, 1)
        x, y = _LEFT + place * bar + _GAP / 2, _TOP + high - tall
        said = escape(f"{_range(one, unit, percent)}: {one.count}")
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(bar - _GAP, 1):.1f}" height="{tall:.1f}">'
            f"<title>{said}</title></rect>"
        )
    for place in _labelled(len(bins)):
        edge = bins[place].low if place < len(bins) else bins[-1].high
        shown = "more" if math.isinf(edge) else _number(edge, percent)
        anchor = "start" if place == 0 else "end" if place == len(bins) else "middle"
        parts.append(
            f'<text x="{_LEFT + place * bar:.1f}" y="{_HEIGHT - 7}" text-anchor="{anchor}">{escape(shown)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _labelled(count: int) -> list[int]:
    """Return the edges of bins that get a number: every so many, at most six."""
    return list(range(0, count + 1, math.ceil(count / 5))) if count else []


def _number(value: float, percent: bool) -> str:
    return f"{100 * value:.0f} %" if percent else f"{value:.10g}"


def _range(one: Bin, unit: str, percent: bool) -> str:
    unit = f" {unit}" if unit else ""
    if math.isinf(one.high):
        return f"{_number(one.low, percent)}{unit} and more"
    if not percent and one.high - one.low == 1 and one.low == int(one.low):
        return f"{_number(one.low, percent)}{unit}"
    return f"{_number(one.low, percent)} to below {_number(one.high, percent)}{unit}"


def _spoken(bins: Sequence[Bin], what: str, unit: str, percent: bool) -> str:
    if not bins:
        return f"{what}: none"
    fullest = max(bins, key=lambda one: one.count)
    return f"{what}; most, {fullest.count}, at {_range(fullest, unit, percent)}"

"""Numbers that went through a spreadsheet with the wrong locale."""

from __future__ import annotations

import math
import re

_PLAIN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BLANK = {"", "-", "na", "n/a", "nan", "none", "null"}
_EXPONENTS = range(-20, 1)  # from beyond the digits of a float64 in front to a whole number


def is_blank(text: str | None) -> bool:
    """Say whether a cell stands for "no value": empty, `-`, `NA`, `nan`, `None`, `null`."""
    return text is None or text.strip().lower() in _BLANK


def parse_number(text: str | None) -> float | None:
    """Read a number as spreadsheets of any locale write it.

    Rules, in this order:

    1. One separator, `.` or `,`, is the decimal point: `6,29` is 6.29.
    2. With both `.` and `,`, the one that comes last is the decimal point and the other one groups thousands, provided
       that it stands once: `1.234,5` and `1,234.5` are 1234.5.
    3. A separator that repeats comes from a decimal number that a spreadsheet took for a whole one and grouped again:
       its first group is the integer part, the other groups are decimals. `6.299.999.999` is 6.299999999.

    Rule 3 cannot tell 4.73 from 473 (`472.999.999.999.999`); `repair_times` can, from the start and the end of a clip.

    Args:
        text: The cell.

    Returns:
        The number; None for a blank cell and for what is no finite number.
    """
    text = (text or "").strip().replace("\u00a0", "")
    commas, dots = text.count(","), text.count(".")
    if commas == 1 and dots == 0:
        text = text.replace(",", ".")
    elif commas and dots:
        last = max(text.rfind(","), text.rfind("."))
        if text.count(text[last]) > 1:
            return None
        text = f"{re.sub('[.,]', '', text[:last])}.{text[last + 1 :]}"
    elif commas + dots > 1:
        first, *others = re.split("[.,]", text)
        text = f"{first}.{''.join(others)}"
    if not _PLAIN.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _is_regrouped(text: str | None) -> bool:
    """Say whether a number lost its decimal point (rule 3 of `parse_number`)."""
    return text is not None and max(text.count("."), text.count(",")) > 1 and parse_number(text) is not None


def _placements(text: str) -> list[float]:
    """Return the digits of a number with the decimal point in every place, ascending."""
    digits = re.sub("[^0-9]", "", text)
    return [float(f"{digits}e{exponent}") for exponent in _EXPONENTS]


def _is_in_milliseconds(text: str) -> bool:
    """Say whether a regrouped time has three groups: what is left of `1001.233` in a sheet without decimals."""
    return len(re.split("[.,]", text.strip())) == 3


def _milliseconds(text: str) -> float:
    return float(re.sub("[^0-9]", "", text)) / 1000


def repair_times(
    start: str | None, end: str | None, duration: str | None
) -> tuple[float | None, float | None, float | None]:
    """Read the times of a clip in seconds; where a number lost its decimal point, the others tell where it was.

    A regrouped start becomes the largest placement of its decimal point that is below an intact end; a regrouped end
    the smallest one above an intact start. Start and end of three groups each are in milliseconds (`1.001.233` is
    1001.233 s). A regrouped duration becomes the largest placement up to 2 (end - start): durations that are sums of
    segments can exceed the span a little, and a wrong place is a factor of 10. Where the others do not help,
    `parse_number` alone decides.

    Args:
        start: Cell of the start.
        end: Cell of the end.
        duration: Cell of the duration.

    Returns:
        Start, end and duration; None for each blank or unreadable cell.
    """
    first, last, length = parse_number(start), parse_number(end), parse_number(duration)
    lost_start, lost_end = _is_regrouped(start), _is_regrouped(end)
    if first is None or last is None:
        return first, last, length
    if lost_start and lost_end:
        if not (_is_in_milliseconds(start) and _is_in_milliseconds(end)):
            return first, last, length
        first, last = _milliseconds(start), _milliseconds(end)
    elif lost_start:
        first = max((time for time in _placements(start) if time < last), default=first)
    elif lost_end:
        last = min((time for time in _placements(end) if time > first), default=last)
    if _is_regrouped(duration) and last > first:
        length = max((time for time in _placements(duration) if time <= 2 * (last - first)), default=length)
    return first, last, length

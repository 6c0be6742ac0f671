"""JSON Lines files: one object a line, as `scripts/extract_streams.py` writes its metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hf_slt.errors import DataContractError, Problem

JSONL_SUFFIX = ".jsonl"


def parse_object(line: str) -> dict[str, Any] | None:
    """Return the object of a line, or None if it holds none (cut short, no JSON, another type)."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def read_objects(path: str | Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the objects of a JSON Lines file.

    Args:
        path: The file, for messages.
        text: Its content.

    Yields:
        Line number (from 1) and object. Blank lines are left out.

    Raises:
        DataContractError: All lines that hold no object; raised before the first object is given.
    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    rows = [(number, parse_object(line)) for number, line in lines]
    wrong = [(number, line) for (number, line), (_, row) in zip(lines, rows, strict=True) if row is None]
    if wrong:
        fix = "write the file again, or correct the line"
        where = [(f"{path}, line {number}", line.strip()[:60]) for number, line in wrong]
        raise DataContractError([Problem(place, "a JSON object", repr(found), fix) for place, found in where])
    yield from ((number, row) for number, row in rows if row is not None)


def read_cells(path: str | Path, text: str) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """Read a JSON Lines file of metadata as the records of a table.

    Objects and lists in a row are left out, and so are rows of clips that were not extracted (`status` `"error"`).
    The number of frames that an extraction wrote, `n_frames`, becomes the `frame_count` of the metadata.

    Args:
        path: The file, for messages.
        text: Its content.

    Returns:
        Line number and cells of the header, then of each row; warnings.

    Raises:
        DataContractError: See `read_objects`.
    """
    rows, failed = [], 0
    for number, row in read_objects(path, text):
        if row.get("status") == "error":
            failed += 1
            continue
        flat = {str(name).strip(): value for name, value in row.items() if not isinstance(value, dict | list)}
        if "n_frames" in flat:
            flat.setdefault("frame_count", flat.pop("n_frames"))
        rows.append((number, flat))
    header = list(dict.fromkeys(name for _, row in rows for name in row))
    records = [(number, [_cell(row.get(name)) for name in header]) for number, row in rows]
    warnings = [f"{path}: {failed} clips that were not extracted (status 'error') are left out"] if failed else []
    return [(1, header), *records], warnings


def _cell(value: Any) -> str:
    return "" if value is None else str(value).strip()

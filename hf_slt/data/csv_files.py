"""CSV files as people have them: any encoding mistake, separator or stray quote is named, never guessed around."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hf_slt.data.npz_files import data_error
from hf_slt.errors import Problem

_CONTEXT_BYTES = 12


@dataclass(frozen=True)
class Finding:
    """A problem, and the clip that can be left out to be rid of it.

    Attributes:
        problem: What is wrong.
        clip_id: The one clip that it touches; None where it is the corpus that is wrong.
    """

    problem: Problem
    clip_id: str | None = None


def read_text(path: str | Path, encoding: str = "utf-8-sig") -> str:
    """Read a text file, with or without byte order mark.

    Raises:
        DataContractError: The file is missing, or its bytes are no text in this encoding.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise data_error(path, "a readable file", error.strerror or str(error), "correct the path") from error
    try:
        text = raw.decode(encoding)
    except LookupError as error:
        fix = "pass an encoding that Python knows, for example --encoding utf-8 or --encoding cp1252"
        raise data_error(path, "a known text encoding", f"'{encoding}'", fix) from error
    except UnicodeError as error:
        raise _encoding_error(path, raw, encoding, getattr(error, "start", 0)) from error
    if "\0" in text:
        raise _encoding_error(path, raw, encoding, raw.index(b"\0"))
    return text.removeprefix("\ufeff")


def _encoding_error(path: Path, raw: bytes, encoding: str, position: int) -> Exception:
    guess = _guess_encoding(raw)
    line = raw.count(b"\n", 0, position) + 1
    context = raw[max(position - _CONTEXT_BYTES, 0) : position + _CONTEXT_BYTES]
    looks = f"it looks like {guess}: '{_show(context, guess)}'" if guess else "it looks like no text at all"
    found = f"byte 0x{raw[position]:02x} at position {position} (line {line}), in {context!r}; {looks}"
    fix = f"convert the file to UTF-8, or pass its encoding: --encoding {guess or 'NAME'}"
    return data_error(path, f"text in the encoding {encoding}", found, fix)


def _guess_encoding(raw: bytes) -> str | None:
    """Name the encoding that bytes look like, for the person who has to choose one."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    zeros = raw[1:200:2].count(0), raw[0:200:2].count(0)
    if max(zeros) > len(raw[:200]) // 4:  # ASCII letters in UTF-16 have every other byte zero
        return "utf-16-le" if zeros[0] > zeros[1] else "utf-16-be"
    if 0 in raw:
        return None
    for encoding in ("utf-8", "cp1252"):
        try:
            raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def _show(context: bytes, encoding: str) -> str:
    text = context.decode(encoding, "replace")
    return "".join(char if char.isprintable() else " " for char in text)


def read_records(path: str | Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Split CSV text into records.

    Args:
        path: The file, for messages.
        text: Its content.
        separator: The separator of cells.

    Yields:
        Line number (from 1) on which a record starts, and its cells without outer white space. Blank records are
        left out.

    Raises:
        DataContractError: A quoted cell is not closed, or goes on after its closing quote (to read on would
            join rows).
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        expected = "cells in the CSV way: a cell that starts with a quote is quoted as a whole, inner quotes doubled"
        fix = 'write such a cell as """so"" he said", or let a spreadsheet export the file'
        raise data_error(f"{path}, record at line {line}", expected, str(error), fix) from error


def id_fault(video_id: str) -> str | None:
    """Say what makes a text unfit as a clip id (it becomes part of file names); None: it is fit."""
    if not video_id:
        return "an empty id"
    if "/" in video_id or "\\" in video_id:
        return "a path separator"
    if ".." in video_id or video_id.startswith("."):
        return "'..' or a leading dot"
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in video_id):
        return "a control character"
    return None


def id_finding(where: str, video_id: str) -> Finding | None:
    """Return what is wrong with a clip id, or None.

    Args:
        where: File and line that the id stands in.
        video_id: The id.
    """
    fault = id_fault(video_id)
    if fault is None:
        return None
    expected = "an id without path separators, '..', leading dots and control characters"
    found = fault if not video_id else f"{fault} in {video_id!r}"
    return Finding(Problem(where, expected, found, "rename the clip"), video_id)

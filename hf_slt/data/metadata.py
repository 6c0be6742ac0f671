"""Metadata (CSV, JSON Lines) and index CSVs: which clip has which text, and which clips a split has."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from hf_slt.data.csv_files import Finding, id_finding, read_records, read_text
from hf_slt.data.jsonl_files import JSONL_SUFFIX, read_cells
from hf_slt.data.npz_files import data_error
from hf_slt.data.numbers import is_blank, parse_number, repair_times
from hf_slt.errors import DataContractError, Problem

logger = logging.getLogger(__name__)

ID_COLUMNS = ("video_id", "id")
TEXT_COLUMNS = ("texto", "text")
_LABELS = ("signer", "video", "split")
_TIMES = ("start", "end", "duration")


@dataclass
class Metadata:
    """A metadata CSV as read, with all that is wrong in it.

    Attributes:
        frame: One row a clip: `video_id`, `text` and, where the file has them, `signer`, `video`, `split` (text or
            None), `start`, `end`, `duration`, `fps` (float, NaN = unknown), `frame_count` (Int64). Rows with a wrong
            id, a wrong number of cells or an id that was there before are not in it.
        findings: What is wrong, in the order of the file.
        warnings: What is odd but harms nothing.
        unusable: Those of the warnings that are about a start or an end that is no number: whoever cuts clips by them
            has to refuse the row.
    """

    frame: pd.DataFrame
    findings: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unusable: list[Problem] = field(default_factory=list)


def read_metadata(
    path: str | Path, id_column: str | None = None, text_column: str | None = None, encoding: str = "utf-8-sig"
) -> pd.DataFrame:
    """Read a metadata CSV; the separator (`,` or `;`) is the one with which the header has the columns.

    Args:
        path: The file; a header is required. A `.jsonl` file holds an object a line, of the same names, instead.
        id_column: Column of the clip ids; None: `video_id`, else `id`. Ids are text (`001` stays `001`).
        text_column: Column of the sentences; None: `texto`, else `text`. Only outer white space is taken off.
        encoding: Encoding of the file; the default reads UTF-8 with or without byte order mark.

    Returns:
        One row a clip, as `Metadata.frame`. Times and rates are numbers however the spreadsheet wrote them.

    Raises:
        DataContractError: All that is wrong with the file.
    """
    metadata = load_metadata(path, id_column, text_column, encoding)
    if metadata.findings:
        raise DataContractError([finding.problem for finding in metadata.findings])
    for warning in metadata.warnings:
        logger.warning(warning)
    return metadata.frame


def load_metadata(
    path: str | Path, id_column: str | None = None, text_column: str | None = None, encoding: str = "utf-8-sig"
) -> Metadata:
    """Read a metadata CSV and list what is wrong with single rows instead of raising it.

    Args:
        path: The file.
        id_column: As in `read_metadata`.
        text_column: As in `read_metadata`.
        encoding: As in `read_metadata`.

    Raises:
        DataContractError: Nothing can be read: no file, other encoding, no such columns, broken quotes, no rows.
    """
    content = read_text(path, encoding)
    wanted = ((id_column,) if id_column else ID_COLUMNS, (text_column,) if text_column else TEXT_COLUMNS)
    warnings: list[str] = []
    if Path(path).suffix.lower() == JSONL_SUFFIX:
        records, warnings = read_cells(path, content)
    else:
        records = list(read_records(path, content, _separator(path, content, wanted)))
    header = records[0][1] if records else []
    id_name, text_name = _columns(path, header, wanted)
    if len(records) == 1:
        raise data_error(path, "at least one row under the header", "no rows", "add a row for each clip")
    table = _Table(str(path), header, id_name, text_name)
    for line, cells in records[1:]:
        table.add(line, cells)
    return Metadata(pd.DataFrame(table.columns()), table.findings, [*warnings, *table.warnings], table.unusable)


def _separator(path: str | Path, content: str, wanted: Sequence[Sequence[str]]) -> str:
    """Return the separator with which most wanted columns are found; then the one that gives more columns."""

    def score(separator: str) -> tuple[int, int]:
        """Return how many wanted columns the separator finds, and how many columns in all."""
        try:
            _, header = next(read_records(path, content, separator), (0, []))
        except DataContractError:  # a quote that closes before the other separator
            return (-1, 0)
        return sum(any(name in header for name in names) for names in wanted), len(header)

    return max(",;", key=score)


def _columns(path: str | Path, header: list[str], wanted: Sequence[Sequence[str]]) -> tuple[str, str]:
    """Return the names of the id and the text column."""
    problems = []
    for names, what, flag in zip(wanted, ("clip ids", "texts"), ("id_column", "text_column"), strict=True):
        if not any(name in header for name in names):
            expected = f"a column {' or '.join(repr(name) for name in names)} of {what} in the header (first line)"
            fix = f"rename the column, or name yours ({flag}); columns are separated by ',' or ';'"
            problems.append(Problem(str(path), expected, f"the columns {header}", fix))
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        problems.append(Problem(str(path), "each column once", f"twice or more: {repeated}", "rename one of them"))
    if problems:
        raise DataContractError(problems)
    id_name, text_name = (next(name for name in names if name in header) for names in wanted)
    return id_name, text_name


class _Table:
    """Rows of a metadata file, checked one by one as they come."""

    def __init__(self, path: str, header: list[str], id_name: str, text_name: str):
        self.path, self.header = path, header
        self.id_name, self.text_name = id_name, text_name
        self.findings: list[Finding] = []
        self.warnings: list[str] = []
        self.unusable: list[Problem] = []
        self._lines: dict[str, int] = {}
        self._rows: list[dict] = []

    def add(self, line: int, cells: list[str]) -> None:
        """Check one record and keep it if it is usable."""
        where = f"{self.path}, line {line}"
        while len(cells) > len(self.header) and not cells[-1]:  # spreadsheets pad rows with empty cells
            cells = cells[:-1]
        row = dict(zip(self.header, cells, strict=False))
        video_id = row.get(self.id_name, "")
        finding = id_finding(where, video_id) or self._repeated(where, video_id)
        if finding is None and len(cells) != len(self.header):
            fix = "put quotes around texts that hold the separator"
            expected, found = f"{len(self.header)} cells, as the header has", f"{len(cells)} cells"
            finding = Finding(Problem(f"{where}, clip '{video_id}'", expected, found, fix), video_id)
        self._lines.setdefault(video_id, line)
        if finding:
            self.findings.append(finding)
            return
        text = row[self.text_name]
        if is_empty_text(text):
            fix = "write the sentence, or leave the clip out"
            problem = Problem(f"{where}, clip '{video_id}'", "a text", f"an empty cell '{self.text_name}'", fix)
            self.findings.append(Finding(problem, video_id))
        values = {"video_id": video_id, "text": text, **self._optional(where, video_id, row)}
        self._rows.append(values)

    def _repeated(self, where: str, video_id: str) -> Finding | None:
        if video_id not in self._lines:
            return None
        found = f"'{video_id}' again, first in line {self._lines[video_id]}"
        return Finding(Problem(where, "each id once", found, "keep one of the rows"), video_id)

    def _optional(self, where: str, video_id: str, row: dict[str, str]) -> dict:
        """Return the optional columns of a row as values."""
        present = [name for name in (*_LABELS, *_TIMES, "fps", "frame_count") if name in self.header]
        cells = {name: row[name] for name in present}
        values = {name: cells[name] or None for name in present if name in _LABELS}
        times = dict(zip(_TIMES, repair_times(*(cells.get(name) for name in _TIMES)), strict=True))
        values |= {name: times[name] for name in _TIMES if name in cells}
        if "fps" in cells:
            values["fps"] = parse_number(cells["fps"])
        for name in ("duration", "fps"):
            if values.get(name) is not None and values[name] <= 0:
                values[name] = None
        numbers = [name for name in values if name not in _LABELS]
        unknown = [name for name in numbers if values[name] is None and not is_blank(cells[name])]
        where_clip = f"{where}, clip '{video_id}'"
        self.warnings += [
            f"{where_clip}: {name} '{cells[name]}' is no usable number and counts as unknown" for name in unknown
        ]
        self.unusable += [
            Problem(where_clip, f"seconds as {name}", f"'{cells[name]}'", "correct it, or leave the clip out")
            for name in unknown
            if name in ("start", "end")
        ]
        if "frame_count" in cells:
            values["frame_count"] = self._frame_count(where, video_id, cells["frame_count"])
        return values

    def _frame_count(self, where: str, video_id: str, cell: str) -> int | None:
        count = parse_number(cell)
        if is_blank(cell) or (count is not None and count >= 1 and count == int(count)):
            return None if count is None else int(count)
        problem = Problem(f"{where}, clip '{video_id}'", "a whole frame_count from 1 on", f"'{cell}'", "correct it")
        self.findings.append(Finding(problem, video_id))
        return None

    def columns(self) -> dict[str, pd.Series]:
        """Return the rows as columns of fixed types, also where there are no rows."""
        names = ["video_id", "text", *(n for n in (*_LABELS, *_TIMES, "fps", "frame_count") if n in self.header)]
        kinds = dict.fromkeys((*_TIMES, "fps"), "float64") | {"frame_count": "Int64"}
        return {
            name: pd.Series([row[name] for row in self._rows], dtype=kinds.get(name, object))
            for name in dict.fromkeys(names)
        }


def is_empty_text(text: str) -> bool:
    """Say whether a text holds nothing to read: white space, control and zero-width characters alone."""
    return all(char.isspace() or unicodedata.category(char) in ("Cc", "Cf") for char in text)


def read_index(path: str | Path, id_column: str | None = None, encoding: str = "utf-8-sig") -> list[str]:
    """Read an index CSV: one clip id a line, with or without a header; further columns and blank lines are ignored.

    Args:
        path: The file.
        id_column: Name of the id column; a first cell of this name (or `video_id`, `id`) is a header.
        encoding: As in `read_metadata`.

    Returns:
        The ids, in the order of the file.

    Raises:
        DataContractError: All that is wrong with the file.
    """
    ids, findings = load_index(path, id_column, encoding)
    if findings:
        raise DataContractError([finding.problem for finding in findings])
    return ids


def load_index(
    path: str | Path, id_column: str | None = None, encoding: str = "utf-8-sig"
) -> tuple[list[str], list[Finding]]:
    """Read an index CSV and list what is wrong with single lines instead of raising it.

    Args:
        path: The file.
        id_column: As in `read_index`.
        encoding: As in `read_index`.

    Returns:
        The different ids in the order of the file, wrong ones included, and the findings.

    Raises:
        DataContractError: Nothing can be read: no file, other encoding, no ids.
    """
    content = read_text(path, encoding)
    separator = max(",;\t", key=content.count)
    records = [(line, cells[0]) for line, cells in read_records(path, content, separator)]
    if records and records[0][1] in {*ID_COLUMNS, id_column}:
        records = records[1:]
    if not records:
        raise data_error(path, "one clip id a line", "an empty index", "list the clips of the split")
    lines: dict[str, int] = {}
    findings = []
    for line, video_id in records:
        where = f"{path}, line {line}"
        finding = id_finding(where, video_id)
        if finding is None and video_id in lines:
            found = f"'{video_id}' again, first in line {lines[video_id]}"
            finding = Finding(Problem(where, "each id once", found, "delete the line"), video_id)
        findings += [finding] if finding else []
        lines.setdefault(video_id, line)
    return list(lines), findings

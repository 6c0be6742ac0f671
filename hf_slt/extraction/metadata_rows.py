"""The rows of `metadata.jsonl`: one a clip, written line by line while clips are made, in their order at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from hf_slt.data.jsonl_files import parse_object
from hf_slt.errors import ConfigurationError

METADATA_FILE = "metadata.jsonl"
JOURNAL_FILE = "metadata.journal.jsonl"  # of a run that has not ended, or was ended
Row = dict[str, Any]


def read_rows(output: Path) -> dict[str, Row]:
    """Return the rows of an extraction, also of one that was ended in the middle: clip id -> its last row.

    A line that was cut short, the last one of a run that was killed, counts as not written.

    Args:
        output: Folder of the extraction.
    """
    rows: dict[str, Row] = {}
    for name in (METADATA_FILE, JOURNAL_FILE):
        path = output / name
        if path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
                row = parse_object(line)
                if row and isinstance(row.get("video_id"), str):
                    rows[row["video_id"]] = row
    return rows


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a JSON Lines file beside its place, then rename it."""
    write_text(path, "".join(_line(row) for row in rows))


def write_text(path: Path, text: str) -> None:
    """Write a text file that is complete or absent, whatever happens meanwhile."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


class Journal:
    """The journal of a run: each row is on the disk before the next clip counts as begun.

    Args:
        output: Folder of the extraction.
        rows: Rows of earlier runs that stay valid.
    """

    def __init__(self, output: Path, rows: Mapping[str, Row]):
        self._output = output
        self._rows = dict(rows)
        self._file: IO[str] | None = None

    def __enter__(self) -> Journal:
        path = self._output / JOURNAL_FILE
        try:
            write_rows(path, self._rows.values())  # whole lines only, so that the next one can be appended
            self._file = path.open("a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise ConfigurationError(
                f"expected an output folder that can be written, found {path}: {error.strerror}; choose another one"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, row: Row) -> None:
        """Append a row, which takes the place of an earlier one of the same clip."""
        assert self._file is not None, "the journal is not open"
        self._rows[row["video_id"]] = row
        self._file.write(_line(row))
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self, order: Iterable[str]) -> None:
        """Write `metadata.jsonl` and take the journal away.

        Args:
            order: Clip ids, the order of the rows; rows of other clips follow by their ids.
        """
        first = {video_id: self._rows[video_id] for video_id in order if video_id in self._rows}
        others = {video_id: self._rows[video_id] for video_id in sorted(self._rows.keys() - first.keys())}
        write_rows(self._output / METADATA_FILE, [*first.values(), *others.values()])
        (self._output / JOURNAL_FILE).unlink(missing_ok=True)

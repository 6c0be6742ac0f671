"""CSV files of clips as text: columns by name, rows with their lines, nothing interpreted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hf_slt.data.csv_files import read_records, read_text
from hf_slt.data.npz_files import data_error
from hf_slt.errors import DataContractError, Problem


@dataclass
class LabelTable:
    """A CSV of clips.

    Attributes:
        path: The file, for messages.
        separator: `,` or `;`.
        header: The columns as they are written.
        rows: Line number and cells (one for each column) of the sound rows.
        broken: Line number and cells of rows with another number of cells.
        problems: What is wrong with those.
    """

    path: str
    separator: str
    header: list[str]
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    broken: list[tuple[int, list[str]]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def find(self, column: str) -> int | None:
        """Return the position of a column, whatever its case; None if there is none."""
        folded = [name.casefold() for name in self.header]
        return folded.index(column.casefold()) if column.casefold() in folded else None

    def position(self, column: str) -> int:
        """Return the position of a column.

        Raises:
            DataContractError: There is none.
        """
        position = self.find(column)
        if position is None:
            fix = "name the columns in the first line; they are separated by ',' or ';'"
            raise data_error(self.path, f"a column '{column}'", f"the columns {self.header}", fix)
        return position

    def cells(self, column: str) -> Iterator[tuple[int, str]]:
        """Yield line number and cell of a column, row by row."""
        position = self.position(column)
        for line, cells in self.rows:
            yield line, cells[position]


def read_label_table(path: str | Path, wanted: Sequence[str], encoding: str = "utf-8-sig") -> LabelTable:
    """Read a CSV with a header; the separator is the one with which it has the wanted columns.

    Args:
        path: The file.
        wanted: Columns that it must have, in any case and order.
        encoding: Encoding of the file; the default reads UTF-8 with or without byte order mark.

    Raises:
        DataContractError: Nothing can be read: no file, other encoding, a missing or repeated column, broken quotes,
            no rows.
    """
    content = read_text(path, encoding)
    table = max((_split(path, content, separator) for separator in ",;"), key=lambda table: _score(table, wanted))
    missing = [column for column in wanted if table.find(column) is None]
    repeated = sorted({name for name in table.header if name and _count(table.header, name) > 1})
    problems = []
    if missing:
        expected = f"the columns {', '.join(wanted)} in the header (first line)"
        fix = "rename the columns; they are separated by ',' or ';'"
        problems.append(Problem(str(path), expected, f"the columns {table.header}", fix))
    if repeated:
        problems.append(Problem(str(path), "each column once", f"twice or more: {repeated}", "rename one of them"))
    if problems:
        raise DataContractError(problems)
    for line, cells in read_records(path, content, table.separator):
        _add(table, line, cells)
    table.rows = table.rows[1:]
    if not table.rows and not table.problems:
        raise data_error(path, "at least one row under the header", "no rows", "add a row for each clip")
    return table


def _split(path: str | Path, content: str, separator: str) -> LabelTable:
    try:
        _, header = next(read_records(path, content, separator), (0, []))
    except DataContractError:  # a quote that closes before the other separator
        header = []
    return LabelTable(str(path), separator, header)


def _score(table: LabelTable, wanted: Sequence[str]) -> tuple[int, int]:
    return sum(table.find(column) is not None for column in wanted), len(table.header)


def _count(header: list[str], name: str) -> int:
    return sum(other.casefold() == name.casefold() for other in header)


def _add(table: LabelTable, line: int, cells: list[str]) -> None:
    while len(cells) > len(table.header) and not cells[-1]:  # spreadsheets pad rows with empty cells
        cells = cells[:-1]
    if len(cells) == len(table.header):
        table.rows.append((line, cells))
        return
    table.broken.append((line, cells))
    expected, found = f"{len(table.header)} cells, as the header has", f"{len(cells)} cells: {cells}"
    fix = "put quotes around cells that hold the separator"
    table.problems.append(Problem(f"{table.path}, line {line}", expected, found, fix))

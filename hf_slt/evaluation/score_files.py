"""Tables of predictions and references, of any system: CSV or TSV as people and spreadsheets write them."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hf_slt.errors import ConfigurationError, Problem, ProblemsError

STDIN = "-"
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_MAX_CELL = 10_000_000  # characters; the module's own limit, 131,072, is for a whole corpus in one cell too little


class ScoreFileError(ProblemsError, ValueError):
    """A table of predictions that cannot be read; all that is wrong with it is listed."""

    headline = "the predictions cannot be read"


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        name: The file, as it is named in messages.
        columns: Its header.
        rows: Its cells; every row has as many as the header.
        lines: For each row, the number of its last line in the file, from 1.
    """

    name: str
    columns: list[str]
    rows: list[list[str]]
    lines: list[int]

    def column(self, name: str) -> list[str]:
        """Return the cells of a column that `find_columns` has found."""
        index = self.columns.index(name)
        return [row[index] for row in self.rows]


def read_table(source: str | Path, delimiter: str | None = None) -> Table:
    r"""Read a table with a header.

    Text is UTF-8, with or without a byte order mark. In tables with tabs, quotes are part of the text unless every cell
    that begins with one is quoted as in CSV, with quotes inside of it doubled.

    Args:
        source: File; `-` is the standard input.
        delimiter: `","`, `";"`, `"|"`, a tab (`"\t"` or `"tab"`) or another single character; None: a tab in files that
            end in `.tsv` or `.tab`, else the one of the four that the header has most of.

    Raises:
        ScoreFileError: No such file, not UTF-8, no rows, or rows with more or fewer cells than the header.
        ConfigurationError: A delimiter that is none.
    """
    text = _read_text(source)
    name = "the standard input" if str(source) == STDIN else str(source)
    header = text.split("\n", 1)[0]
    separator = _separator(delimiter) if delimiter else _detect(str(source), header)
    rows = _split(name, text, separator)
    if len(rows) < 2:
        found = "a header only" if rows else "nothing"
        raise ScoreFileError([Problem(name, "a header and at least one row", found, "check what wrote the file")])
    columns = [cell.strip() for cell in rows[0][1]]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    problems = [Problem(f"{name}, header", "each column once", f"'{c}' twice", "rename one of them") for c in twice]
    problems += [
        _ragged(f"{name}, line {line}", cells, len(columns)) for line, cells in rows[1:] if len(cells) != len(columns)
    ]
    if problems:
        raise ScoreFileError(problems)
    return Table(name, columns, [cells for _, cells in rows[1:]], [line for line, _ in rows[1:]])


def _ragged(where: str, cells: Sequence[str], expected: int) -> Problem:
    if not "".join(cells).strip():
        return Problem(where, f"{expected} cells", "an empty line", "delete the line")
    fix = "quote cells that hold the delimiter, or name the right one (--delimiter)"
    return Problem(where, f"{expected} cells", str(len(cells)), fix)


def find_columns(table: Table, wanted: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the columns of a table that are asked for; case matters only where it has to.

    Args:
        table: The table.
        wanted: For each column the flag that names it, and the names that it may have: the first that is there counts.

    Raises:
        ScoreFileError: Columns that are not there, with those that are, or one that is asked for twice; all of them.
    """
    found, problems = [], []
    flags: dict[str, str] = {}
    for flag, names in wanted.items():
        matches = [match for name in names if (match := match_column(table.columns, name))]
        if not matches:
            expected = " or ".join(f"'{name}'" for name in dict.fromkeys(names))
            fix = f"name the right column ({flag}), or the right --delimiter"
            problems.append(Problem(f"{table.name}, header", f"a column {expected}", f"{table.columns}", fix))
        elif other := flags.get(matches[0]):
            found_twice, fix = f"'{matches[0]}' for {other} and {flag}", "name another column for one of the two"
            problems.append(Problem(f"{table.name}, header", "a column of its own for each", found_twice, fix))
        else:
            flags[matches[0]] = flag
        found += matches[:1]
    if problems:
        raise ScoreFileError(problems)
    return found


def match_column(columns: Sequence[str], name: str) -> str | None:
    """Return the column of that name, or the only one that is written alike but for the case; None without one."""
    if name in columns:
        return name
    alike = [column for column in columns if column.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None


def read_pairs(
    source: str | Path,
    prediction_column: str = "prediction",
    reference_column: str = "reference",
    delimiter: str | None = None,
) -> tuple[list[str], list[str]]:
    """Read the predictions and the references of a table.

    Args:
        source: As for `read_table`.
        prediction_column: Column of the predicted sentences, which may be empty.
        reference_column: Column of the references, which may not.
        delimiter: As for `read_table`.

    Raises:
        ScoreFileError: As for `read_table`; columns that are not there, or empty references, named by their lines.
    """
    table = read_table(source, delimiter)
    wanted = {"--prediction-column": [prediction_column], "--reference-column": [reference_column]}
    names = find_columns(table, wanted)
    predictions, references = (table.column(name) for name in names)
    if problems := empty_references(table, references):
        raise ScoreFileError(problems)
    return predictions, references


def empty_references(table: Table, references: Sequence[str]) -> list[Problem]:
    """Return a problem for each empty reference of a table."""
    fix = "correct the reference of that line, or leave the line out of every system's file"
    return [
        Problem(f"{table.name}, line {line}", "a reference", f"empty text {text!r}", fix)
        for line, text in zip(table.lines, references, strict=True)
        if not text.strip()
    ]


def _read_text(source: str | Path) -> str:
    try:
        content = sys.stdin.buffer.read() if str(source) == STDIN else Path(source).read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"a byte that is none, at position {error.start}"
        raise ScoreFileError([Problem(str(source), "text in UTF-8", found, "save the file as UTF-8")]) from error
    except OSError as error:
        found = error.strerror or str(error)
        raise ScoreFileError([Problem(str(source), "a file to read", found, "correct the path")]) from error
    return text if "\n" in text else text.replace("\r", "\n")  # lines that end in CR alone, as some programs write them


def _separator(delimiter: str) -> str:
    separator = _DELIMITERS.get(delimiter, "\t" if delimiter == "\\t" else delimiter)
    if len(separator) != 1 or separator in '"\r\n':
        raise ConfigurationError(
            f"expected a delimiter of one character, or one of {list(_DELIMITERS)}, found {delimiter!r}"
        )
    return separator


def _detect(source: str, header: str) -> str:
    if source.lower().endswith((".tsv", ".tab")):
        return "\t"
    return max(_DELIMITERS.values(), key=header.count)


def _split(name: str, text: str, separator: str) -> list[tuple[int, list[str]]]:
    """Return the last line's number and the cells of each row; empty lines at the end are none."""
    literal, is_plain = _split_at_tabs(text) if separator == "\t" else ([], False)
    if is_plain:
        return literal
    csv.field_size_limit(_MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows = []
    try:
        rows += [(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        if literal:
            return literal
        where = f"{name}, line {reader.line_num}"
        fix = "quote such a cell as CSV does ('\"\"' for a quote inside of quotes), or separate cells by tabs in a .tsv"
        raise ScoreFileError([Problem(where, "quotes as in CSV", str(error), fix)]) from error
    while rows and not rows[-1][1]:
        rows.pop()
    return rows


def _split_at_tabs(text: str) -> tuple[list[tuple[int, list[str]]], bool]:
    """Split lines at tabs, and tell whether that is all there is to do: no cell is quoted as in CSV."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    rows = [(number, line.split("\t")) for number, line in enumerate(lines, start=1)]
    starting = [cell for _, cells in rows for cell in cells if cell.startswith('"')]
    is_even = len({len(cells) for _, cells in rows}) == 1
    return rows, not starting or (is_even and not all(_QUOTED.fullmatch(cell) for cell in starting))

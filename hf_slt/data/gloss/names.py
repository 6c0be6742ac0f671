"""Names of glosses and categories: tables of them, and what a cell of a labels CSV means."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hf_slt.data.csv_files import read_records, read_text
from hf_slt.data.npz_files import data_error
from hf_slt.errors import DataContractError, Problem

_INTEGER = re.compile(r"[+-]?[0-9]+(\.0*)?")  # pandas writes 3.0 where another cell of the column is blank
_MOST_CLASSES = 100_000  # where nothing says how many: one mistyped label must not become a head of gigabytes


def normalize_name(name: str) -> str:
    """Return a name without outer white space, in Unicode's composed form: as it is compared with others."""
    return unicodedata.normalize("NFC", name.strip())


def read_names(path: str | Path, encoding: str = "utf-8-sig") -> list[str]:
    """Read a name table.

    Args:
        path: A CSV with the columns `id` and `name` (any order, others are left out), with or without that header,
            whose ids are 0 to n - 1; or a text file of one name a line, in the order of the ids.
        encoding: Encoding of the file.

    Returns:
        The name of each id.

    Raises:
        DataContractError: All that is wrong: no names, an id that is missing, repeated or no number, a name that is
            empty or repeated.
    """
    content = read_text(path, encoding)
    entries, problems = _id_entries(path, content)
    if entries is None:
        lines = [(line, normalize_name(text)) for line, text in enumerate(content.splitlines(), start=1)]
        filled = [(line, name) for line, name in lines if name]
        entries = [(line, id_, name) for id_, (line, name) in enumerate(filled)]
    problems += _entry_problems(str(path), entries)
    if not entries and not problems:
        raise data_error(path, "at least one name", "an empty file", "write a line 'id,name', then a line for each id")
    if problems:
        raise DataContractError(problems)
    return [name for _, _, name in sorted(entries, key=lambda entry: entry[1])]


def _id_entries(path: str | Path, content: str) -> tuple[list[tuple[int, int, str]] | None, list[Problem]]:
    """Return line, id and name of each row; None if the file is no table with ids."""
    for separator in ",;":
        try:
            records = list(read_records(path, content, separator))
        except DataContractError:  # a quote: no table, or one with the other separator
            continue
        header = [cell.casefold() for cell in records[0][1]] if records else []
        if {"id", "name"} <= set(header):
            return _parse_ids(str(path), records[1:], header.index("id"), header.index("name"))
        if records and all(len(cells) == 2 and _INTEGER.fullmatch(cells[0]) for _, cells in records):
            return _parse_ids(str(path), records, 0, 1)
    return None, []


def _parse_ids(
    path: str, records: Sequence[tuple[int, list[str]]], id_at: int, name_at: int
) -> tuple[list[tuple[int, int, str]], list[Problem]]:
    entries, problems = [], []
    for line, cells in records:
        if len(cells) > max(id_at, name_at) and _INTEGER.fullmatch(cells[id_at]):
            entries.append((line, _to_int(cells[id_at]), normalize_name(cells[name_at])))
        else:
            problems.append(Problem(f"{path}, line {line}", "a whole number and a name", f"{cells}", "correct the row"))
    return entries, problems


def _entry_problems(path: str, entries: Sequence[tuple[int, int, str]]) -> list[Problem]:
    problems = []
    ids: dict[int, int] = {}
    names: dict[str, int] = {}
    for line, id_, name in entries:
        where = f"{path}, line {line}"
        if not name:
            problems.append(Problem(where, "a name", f"an empty name of id {id_}", "write the name"))
        elif name in names:
            found = f"'{name}' again, first in line {names[name]}"
            problems.append(Problem(where, "each name once", found, "give the classes different names"))
        if id_ in ids:
            found = f"{id_} again, first in line {ids[id_]}"
            problems.append(Problem(where, "each id once", found, "number the names 0, 1, 2, ..."))
        ids.setdefault(id_, line)
        names.setdefault(name, line)
    missing = sorted(set(range(len(ids))) - set(ids))
    if missing:
        found = f"no {', '.join(map(str, missing[:10]))}{', ...' if len(missing) > 10 else ''}, but {max(ids)}"
        fix = "number the names from 0 on, without gaps"
        problems.append(Problem(path, f"the ids 0 to {len(ids) - 1}", found, fix))
    return problems


@dataclass
class LabelSpace:
    """The classes that a column of labels may name.

    Attributes:
        column: `"gloss"` or `"cat"`.
        names: Names of the classes, None if unknown.
        count: Number of classes, None if unknown.
        trusted: Whether the names could be read; if not, that is a problem of its own and no cell is judged.
    """

    column: str
    names: Sequence[str] | None = None
    count: int | None = None
    trusted: bool = True
    _ids: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._ids = {normalize_name(name): id_ for id_, name in enumerate(self.names or [])}

    @property
    def size(self) -> int | None:
        """Number of classes: `count`, else the number of names, else None."""
        return self.count if self.count is not None or self.names is None else len(self.names)

    def parse(self, where: str, cell: str) -> tuple[int | None, Problem | None]:
        """Return the id that a cell stands for, or what is wrong with it. A name goes before a number.

        Args:
            where: File and line, for messages.
            cell: An id from 0 on, or a name.
        """
        id_ = self._ids.get(normalize_name(cell))
        if id_ is None and _INTEGER.fullmatch(cell):
            id_ = _to_int(cell)
        if not self.trusted:
            return id_ or 0, None
        if id_ is None:
            return None, self._unknown(where, cell)
        size = _MOST_CLASSES if self.size is None else self.size
        if not 0 <= id_ < size:
            fix = f"correct the label, or the number of classes (--num-{self.column})"
            return None, Problem(where, f"a {self.column} from 0 to {size - 1}", f"{id_}, out of range", fix)
        return id_, None

    def _unknown(self, where: str, cell: str) -> Problem:
        if self.names is None:
            expected = f"a whole number as {self.column}: there is no table of names"
            return Problem(where, expected, f"'{cell}'", f"write ids from 0 on, or give --{self.column}-names FILE")
        nearest = difflib.get_close_matches(normalize_name(cell), list(self._ids), n=1)
        hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
        expected = f"a {self.column} out of the {len(self.names)} names of --{self.column}-names"
        return Problem(where, expected, f"'{cell}'{hint}", "correct the label, or add it to the names")

    def ambiguity(self, path: str, cells: Sequence[str]) -> Problem | None:
        """Return a problem if a column of whole numbers could be read as ids and, otherwise, as names."""
        filled = {cell for cell in cells if cell}
        if not self._ids or not all(_INTEGER.fullmatch(cell) for cell in filled):
            return None
        both = sorted(cell for cell in filled if self._ids.get(normalize_name(cell)) not in (None, _to_int(cell)))
        if not both:
            return None
        fix = f"rename the classes (for example 'number {both[0]}'), or leave --{self.column}-names out"
        found = f"whole numbers that are ids as well as names with other ids: {', '.join(both[:5])}"
        return Problem(path, f"{self.column} labels with one meaning", found, fix)


def _to_int(cell: str) -> int:
    return int(cell.partition(".")[0])

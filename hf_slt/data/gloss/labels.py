"""Labels CSVs: which clip shows which gloss, of which category, by whom."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from hf_slt.data.gloss.label_table import LabelTable, read_label_table
from hf_slt.data.gloss.names import LabelSpace, read_names
from hf_slt.errors import DataContractError, Problem

__all__ = ["LabelRow", "Labels", "LabelSpace", "load_labels", "read_labels", "read_names"]

FILE, GLOSS, CATEGORY, SIGNER = "file", "gloss", "cat", "signer"


@dataclass(frozen=True)
class LabelRow:
    """One row of a labels CSV.

    Attributes:
        line: Its line in the file, from 1.
        file: Path of the clip inside its folder, without `.npz`, with `/`.
        gloss: Id of the gloss, from 0.
        cat: Id of the category; None where the file does not say.
        signer: Who signs; None where the file does not say.
        extra: The other columns (`occluded`, ...) as text.
    """

    line: int
    file: str
    gloss: int
    cat: int | None = None
    signer: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


def read_labels(
    path: str | Path,
    gloss_names: Sequence[str] | None = None,
    cat_names: Sequence[str] | None = None,
    num_gloss: int | None = None,
    num_cat: int | None = None,
    encoding: str = "utf-8-sig",
) -> tuple[list[LabelRow], list[Problem]]:
    """Read a labels CSV: columns `file`, `gloss`, optionally `cat`, `signer` and any others, in any case and order.

    Cells are text: `001` stays `001`, and a sign may be called `NA`. An empty `cat` is an unknown one.

    Args:
        path: The file; separated by `,` or `;`, with or without byte order mark.
        gloss_names: Names of the glosses; with them the column may hold names or ids, without them ids.
        cat_names: Names of the categories.
        num_gloss: Number of glosses; None: as many as names, else any.
        num_cat: Number of categories.
        encoding: Encoding of the file.

    Returns:
        The sound rows in the order of the file, and all that is wrong with the others.
    """
    spaces = LabelSpace(GLOSS, gloss_names, num_gloss), LabelSpace(CATEGORY, cat_names, num_cat)
    labels = load_labels(path, *spaces, encoding)
    return labels.rows, labels.problems


@dataclass
class Labels:
    """A labels CSV as read.

    Attributes:
        rows: The sound rows in the order of the file.
        problems: All that is wrong with the others.
        named: Every clip that it names, in whatever row -> the line; None if the file cannot be read.
    """

    rows: list[LabelRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    named: dict[str, int] | None = None


def load_labels(path: str | Path, glosses: LabelSpace, categories: LabelSpace, encoding: str = "utf-8-sig") -> Labels:
    """Read a labels CSV as `read_labels` does, with classes that are known already."""
    try:
        table = read_label_table(path, (FILE, GLOSS), encoding)
    except DataContractError as error:
        return Labels(problems=error.problems)
    problems = list(table.problems)
    for space in (glosses, categories):
        if table.find(space.column) is not None:
            ambiguity = space.ambiguity(table.path, [cell for _, cell in table.cells(space.column)])
            problems += [ambiguity] if ambiguity else []
    reader = _RowReader(table, glosses, categories)
    rows = [reader.read(line, cells, problems) for line, cells in table.rows]
    at = table.position(FILE)
    broken = {clip_name(cells[at]): line for line, cells in table.broken if at < len(cells)}
    return Labels([row for row in rows if row is not None], problems, broken | reader.lines)


def clip_name(file: str) -> str:
    """Return the name of a clip: the cell `file` without `.npz`."""
    return file.removesuffix(".npz")


def file_fault(file: str) -> str | None:
    """Say what makes a text unfit as a file inside the folder of clips; None: it is fit."""
    if not clip_name(file):
        return "an empty file name"
    if "\\" in file or file.startswith("/") or file[1:2] == ":":
        return "a backslash or an absolute path"
    if any(part in ("", ".", "..") for part in file.split("/")):
        return "'.', '..' or an empty part"
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in file):
        return "a control character"
    if PurePosixPath(file).name.startswith("."):
        return "a leading dot"
    return None


class _RowReader:
    """Turns cells into `LabelRow`s and remembers the files that it has seen."""

    def __init__(self, table: LabelTable, glosses: LabelSpace, categories: LabelSpace):
        self.path = table.path
        self.spaces = {GLOSS: glosses, CATEGORY: categories}
        self.positions = {name: table.find(name) for name in (FILE, GLOSS, CATEGORY, SIGNER)}
        used = set(self.positions.values())
        self.others = {name: i for i, name in enumerate(table.header) if name and i not in used}
        self.lines: dict[str, int] = {}

    def read(self, line: int, cells: list[str], problems: list[Problem]) -> LabelRow | None:
        """Return the row; None (and the problems are told) if it is not usable."""
        values = {name: "" if at is None else cells[at] for name, at in self.positions.items()}
        where = f"{self.path}, line {line}"
        found = [self._file_problem(where, line, values[FILE])]
        where += f", file '{values[FILE]}'"
        gloss, problem = self._label(where, GLOSS, values[GLOSS])
        category, other = self._label(where, CATEGORY, values[CATEGORY])
        found = [entry for entry in (*found, problem, other) if entry is not None]
        problems += found
        if found:
            return None
        extra = {name: cells[i] for name, i in self.others.items()}
        return LabelRow(line, clip_name(values[FILE]), gloss, category, values[SIGNER] or None, extra)

    def _file_problem(self, where: str, line: int, file: str) -> Problem | None:
        fault, name = file_fault(file), clip_name(file)
        if fault:
            expected = "a file name, or a path below the folder of clips, with '/'"
            return Problem(where, expected, f"{fault} in '{file}'" if file else fault, "correct the column 'file'")
        if name in self.lines:
            found = f"'{name}' again, first in line {self.lines[name]}"
            return Problem(where, "each file once", found, "keep one of the rows")
        self.lines[name] = line
        return None

    def _label(self, where: str, column: str, cell: str) -> tuple[int | None, Problem | None]:
        if cell:
            return self.spaces[column].parse(where, cell)
        if column == CATEGORY:
            return None, None
        return None, Problem(where, f"a label in the column '{column}'", "an empty cell", "write the label")

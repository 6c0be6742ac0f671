"""What systems said about clips, from tables of any system and from folders of evaluations."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hf_slt.errors import Problem
from hf_slt.evaluation.score_files import (
    ScoreFileError,
    Table,
    empty_references,
    find_columns,
    match_column,
    read_table,
)

PREDICTIONS, METRICS = "predictions.csv", "metrics.json"
ID_COLUMNS = ("video_id", "id", "name")
SIGNER = "signer"
_SETTINGS = {"tokenize": str, "lowercase": bool}


class RunMismatchError(ScoreFileError):
    """Two sets of predictions that are not of the same clips; every clip that differs is listed."""

    headline = "the two runs cannot be compared"


@dataclass(frozen=True)
class SystemOutput:
    """What a system said about some clips.

    Attributes:
        name: The file or folder, as it was given.
        predictions: Id of a clip -> predicted sentence.
        references: Id of a clip -> raw reference.
        signers: Id of a clip -> signer; empty if none is known.
        settings: `tokenize` and `lowercase` that the system was scored with, where they are known.
    """

    name: str
    predictions: dict[str, str]
    references: dict[str, str]
    signers: dict[str, str]
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a table of predictions.

    Attributes:
        identity: Ids; None: the first of `ID_COLUMNS` that is there.
        prediction: Predicted sentences.
        reference: Raw references.
        signer: Signers, which must be known then; None: of a column `signer`, if there is one.
    """

    identity: str | None = None
    prediction: str = "prediction"
    reference: str = "reference"
    signer: str | None = None


def read_systems(
    a: str | Path,
    b: str | Path,
    columns: Columns = Columns(),
    delimiter: str | None = None,
    metadata_csv: str | Path | None = None,
) -> tuple[SystemOutput, SystemOutput, dict[str, str] | None]:
    """Read two systems to compare, and the signers of the metadata if it is given.

    Args:
        a: The first system, see `read_output`.
        b: The second system.
        columns: Their columns; those of ids and signers are the metadata's as well.
        delimiter: Of the tables of predictions, see `read_table`; that of the metadata is detected.
        metadata_csv: Metadata of the corpus.

    Raises:
        ScoreFileError: What is wrong with all of the files.
    """
    readers: list[Callable[[], Any]] = [partial(read_output, source, columns, delimiter) for source in (a, b)]
    if metadata_csv is not None:
        readers.append(partial(read_signers, metadata_csv, columns.signer or SIGNER, columns.identity))
    read: list[Any] = []
    problems: list[Problem] = []
    for reader in readers:
        try:
            read.append(reader())
        except ScoreFileError as error:
            problems += error.problems
    if problems:
        raise ScoreFileError(problems)
    one, other = read[:2]
    if columns.signer and metadata_csv is None and not (one.signers or other.signers):
        fix = "name the right column (--signer-column), or the table that has it (--metadata-csv)"
        raise ScoreFileError([Problem(f"{a} and {b}", f"signers in a column '{columns.signer}'", "none", fix)])
    return one, other, read[2] if metadata_csv is not None else None


def read_output(source: str | Path, columns: Columns = Columns(), delimiter: str | None = None) -> SystemOutput:
    """Read the predictions of a system.

    Args:
        source: A table (CSV or TSV), or the folder of an evaluation, which has its predictions in `predictions.csv` and
            its settings in `metrics.json`.
        columns: Columns of the table; in a folder, the usual ones where these are not there.
        delimiter: Of a table that is named itself, see `read_table`.

    Raises:
        ScoreFileError: The table is not usable, or an id comes twice; everything found is listed.
    """
    is_folder = Path(source).is_dir()
    table = read_table(_find_predictions(Path(source)) if is_folder else source, None if is_folder else delimiter)
    usual = Columns() if is_folder else columns
    wanted = {
        "--id-column": [*_id_columns(columns.identity), *_id_columns(usual.identity)],
        "--prediction-column": [columns.prediction, usual.prediction],
        "--reference-column": [columns.reference, usual.reference],
    }
    ids, predictions, references = (table.column(name) for name in find_columns(table, wanted))
    signer_column = match_column(table.columns, columns.signer or SIGNER)
    signers = table.column(signer_column) if signer_column else [""] * len(ids)
    problems = empty_references(table, references) + _repeated_ids(table, ids)
    if problems:
        raise ScoreFileError(problems)
    return SystemOutput(
        str(source),
        dict(zip(ids, predictions, strict=True)),
        dict(zip(ids, references, strict=True)),
        {identity: signer for identity, signer in zip(ids, signers, strict=True) if signer},
        _read_settings(Path(source) / METRICS) if is_folder else {},
    )


def _id_columns(column: str | None) -> list[str]:
    return [column] if column else list(ID_COLUMNS)


def _repeated_ids(table: Table, ids: list[str]) -> list[Problem]:
    problems = []
    seen: set[str] = set()
    for line, identity in zip(table.lines, ids, strict=True):
        if identity in seen:
            where, fix = f"{table.name}, line {line}", "keep one line of each clip"
            problems.append(Problem(where, "each id once", f"'{identity}' again", fix))
        seen.add(identity)
    return problems


def _find_predictions(folder: Path) -> Path:
    if (folder / PREDICTIONS).is_file():
        return folder / PREDICTIONS
    found = sorted(str(path) for pattern in ("*/" + PREDICTIONS, "*_" + PREDICTIONS) for path in folder.glob(pattern))
    fix = "name one of them" if found else "evaluate the model first (scripts/eval_slt.py)"
    raise ScoreFileError([Problem(str(folder), f"a folder with {PREDICTIONS}", f"{found or 'none'}", fix)])


def _read_settings(path: Path) -> dict[str, Any]:
    """Return the settings of an evaluation that its `metrics.json` has; empty without the file."""
    if not path.is_file():
        return {}
    fix = "evaluate the model again (scripts/eval_slt.py), or compare the tables of predictions themselves"
    try:
        metrics = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ScoreFileError([Problem(str(path), "a JSON object", str(error), fix)]) from error
    settings = {name: metrics[name] for name in _SETTINGS if metrics.get(name) is not None}
    problems = [
        Problem(f"{path}, {name}", f"a {_SETTINGS[name].__name__}", repr(value), fix)
        for name, value in settings.items()
        if not isinstance(value, _SETTINGS[name])
    ]
    if problems:
        raise ScoreFileError(problems)
    return settings


def read_signers(path: str | Path, signer_column: str = SIGNER, id_column: str | None = None) -> dict[str, str]:
    """Read the signer of each clip from the metadata of a corpus; clips without one are left out.

    Raises:
        ScoreFileError: The table is not usable, has no such columns, or has a clip with two signers.
    """
    table = read_table(path)
    wanted = {"--id-column": _id_columns(id_column), "--signer-column": [signer_column]}
    ids, names = (table.column(name) for name in find_columns(table, wanted))
    signers: dict[str, str] = {}
    problems = []
    for line, identity, signer in zip(table.lines, ids, names, strict=True):
        if signer and signers.setdefault(identity, signer) != signer:
            where, expected = f"{table.name}, line {line}", f"'{signers[identity]}', the signer of '{identity}' before"
            problems.append(Problem(where, expected, f"'{signer}'", "correct the signer of one of the lines"))
    if problems:
        raise ScoreFileError(problems)
    return signers

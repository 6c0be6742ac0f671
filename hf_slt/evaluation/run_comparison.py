"""Two systems on the same clips: what differs, by how much, for whom, and whether that is luck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_slt.errors import Problem
from hf_slt.evaluation.breakdowns import TABLE_SCORES
from hf_slt.evaluation.corpus_statistics import TRANSLATION_SCORES, CorpusStatistics, collect_statistics, signature
from hf_slt.evaluation.length_bins import group_by_length
from hf_slt.evaluation.score_files import ScoreFileError, empty_references, find_columns, read_table
from hf_slt.evaluation.significance import compare_systems

PREDICTIONS = "predictions.csv"
ID_COLUMNS = ("video_id", "id", "name")


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
    """

    name: str
    predictions: dict[str, str]
    references: dict[str, str]
    signers: dict[str, str]


def read_output(
    source: str | Path,
    id_column: str | None = None,
    prediction_column: str = "prediction",
    reference_column: str = "reference",
    signer_column: str = "signer",
) -> SystemOutput:
    """Read the predictions of a system.

    Args:
        source: A table (CSV or TSV), or the folder of an evaluation, which has its predictions in `predictions.csv`.
        id_column: Column of the ids; None: the first of `video_id`, `id` and `name` that is there.
        prediction_column: Column of the predicted sentences.
        reference_column: Column of the raw references.
        signer_column: Column of the signers, which need not be there.

    Raises:
        ScoreFileError: The table is not usable, or an id comes twice; everything found is listed.
    """
    table = read_table(_find_predictions(Path(source)))
    wanted = {
        "--id-column": [id_column] if id_column else ID_COLUMNS,
        "--prediction-column": [prediction_column],
        "--reference-column": [reference_column],
    }
    ids, predictions, references = (table.column(name) for name in find_columns(table, wanted))
    problems = empty_references(table, references)
    seen: set[str] = set()
    for line, identity in zip(table.lines, ids, strict=True):
        if identity in seen:
            where, fix = f"{table.name}, line {line}", "keep one line of each clip"
            problems.append(Problem(where, "each id once", f"'{identity}' again", fix))
        seen.add(identity)
    if problems:
        raise ScoreFileError(problems)
    signers = table.column(signer_column) if signer_column in table.columns else []
    return SystemOutput(
        str(source),
        dict(zip(ids, predictions, strict=True)),
        dict(zip(ids, references, strict=True)),
        {identity: signer for identity, signer in zip(ids, signers, strict=False) if signer},
    )


def _find_predictions(source: Path) -> Path:
    if not source.is_dir():
        return source
    if (source / PREDICTIONS).is_file():
        return source / PREDICTIONS
    found = sorted(str(path) for pattern in ("*/" + PREDICTIONS, "*_" + PREDICTIONS) for path in source.glob(pattern))
    fix = "name one of them" if found else "evaluate the model first (scripts/eval_slt.py)"
    raise ScoreFileError([Problem(str(source), f"a folder with {PREDICTIONS}", f"{found or 'none'}", fix)])


def read_signers(path: str | Path, signer_column: str = "signer", id_column: str | None = None) -> dict[str, str]:
    """Read the signer of each clip from the metadata of a corpus.

    Raises:
        ScoreFileError: The table is not usable, or has no such columns.
    """
    table = read_table(path)
    wanted = {"--id-column": [id_column] if id_column else ID_COLUMNS, "--signer-column": [signer_column]}
    ids, signers = (table.column(name) for name in find_columns(table, wanted))
    return {identity: signer for identity, signer in zip(ids, signers, strict=True) if signer}


def compare_outputs(
    a: SystemOutput,
    b: SystemOutput,
    metrics: Sequence[str] = (),
    tokenize: str = "13a",
    lowercase: bool = False,
    resamples: int = 1000,
    seed: int = 0,
    intersect: bool = False,
    signers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Compare two systems clip by clip.

    Args:
        a: The first system, for example the baseline.
        b: The second one, for example what is new.
        metrics: Names out of `TRANSLATION_SCORES`; none: all of them, and the main ones in the tables.
        tokenize: sacrebleu tokenizer for BLEU.
        lowercase: Lower-case both sides before all scores.
        resamples: Resamples of the tests.
        seed: Seed of the tests.
        intersect: Compare the clips that both have, instead of refusing systems that differ in their clips.
        signers: Id of a clip -> signer; None: as the systems' own tables say.

    Returns:
        `a`, `b` (names), `n`, `only_a` and `only_b` (clips left out), the settings, `signature`; `scores`: score ->
        `hf_slt.evaluation.significance.PairedScore` as a dictionary; `per_signer` (where a signer is known) and
        `per_length`: rows with `group`, `n` and a dictionary like that for each score.

    Raises:
        RunMismatchError: Other clips (without `intersect`), other references of the same clip, or no common clip.
        ConfigurationError: Unknown score or tokenizer, or settings out of range.
    """
    ids = _common_ids(a, b, intersect)
    references = [a.references[i] for i in ids]
    chosen = tuple(dict.fromkeys(metrics)) or TRANSLATION_SCORES
    counted_a, counted_b = (
        collect_statistics([system.predictions[i] for i in ids], references, tokenize, lowercase, chosen)
        for system in (a, b)
    )
    tested = compare_systems(counted_a, counted_b, resamples, seed)
    known = signers if signers is not None else {**b.signers, **a.signers}
    by_signer: dict[str, list[int]] = {}
    for index, identity in enumerate(ids):
        by_signer.setdefault(known.get(identity, ""), []).append(index)
    in_tables = chosen if metrics else tuple(name for name in chosen if name in TABLE_SCORES)
    tables = {"per_signer": by_signer if set(by_signer) != {""} else {}, "per_length": group_by_length(references)}
    return {
        "a": a.name,
        "b": b.name,
        "n": len(ids),
        "only_a": len(a.references) - len(ids),
        "only_b": len(b.references) - len(ids),
        "tokenize": tokenize,
        "lowercase": lowercase,
        "resamples": resamples,
        "seed": seed,
        "confidence": 0.95,
        "signature": signature(tokenize, lowercase, chosen),
        "scores": {name: score.to_dict() for name, score in tested.items()},
        **{name: _table(counted_a, counted_b, groups, in_tables, resamples, seed) for name, groups in tables.items()},
    }


def _common_ids(a: SystemOutput, b: SystemOutput, intersect: bool) -> list[str]:
    problems = []
    for one, other in ((a, b), (b, a)):
        if not intersect:
            fix = "compare runs on the same clips, or only the common ones (--intersect)"
            expected, found = "a clip of both runs", f"in {one.name}, not in {other.name}"
            problems += [Problem(i, expected, found, fix) for i in one.references if i not in other.references]
    ids = [i for i in a.references if i in b.references]
    for i in ids:
        if a.references[i] != b.references[i]:
            expected, found = f"{a.references[i]!r}, the reference in {a.name}", f"{b.references[i]!r} in {b.name}"
            problems.append(Problem(i, expected, found, "score both runs against the same references"))
    if not ids:
        found, fix = "none", "compare runs on the same clips, or name the column of their ids (--id-column)"
        problems.append(Problem(f"{a.name} and {b.name}", "clips that both have", found, fix))
    if problems:
        raise RunMismatchError(problems)
    return ids


def _table(
    a: CorpusStatistics,
    b: CorpusStatistics,
    groups: Mapping[str, list[int]],
    metrics: tuple[str, ...],
    resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    rows = []
    for name, indices in groups.items():
        tested = compare_systems(a.take(indices), b.take(indices), resamples, seed)
        scores = {metric: tested[metric].to_dict() for metric in metrics}
        rows.append({"group": name, "n": len(indices), **scores})
    return rows

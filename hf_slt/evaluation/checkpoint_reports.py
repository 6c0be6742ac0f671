"""Report of the translations of one or several checkpoints: `report.json` and `report.csv`.

`report.json` has one shape for any number of checkpoints: beside what is the same for all of them, `checkpoints` (a
list of the scores of each, with `name` and `path`), `mean` and `std` over them. The mean of one checkpoint is its
scores, and its `std` is null.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.evaluation.corpus_statistics import TRANSLATION_SCORES
from hf_slt.evaluation.gloss_reports import write_table
from hf_slt.evaluation.reports import write_json

REPORT_JSON, REPORT_CSV, PREDICTIONS = "report.json", "report.csv", "predictions.csv"
METRICS, LATENCY, RISK_COVERAGE = "metrics.json", "latency.csv", "risk_coverage.csv"
PER_SIGNER, PER_LENGTH = "per_signer.csv", "per_length.csv"
PICTURES = ("attention.png", "length.png", "risk_coverage.png")
CONTRACT_REPORT = "contract_report.json"
_FILES = (REPORT_JSON, REPORT_CSV, PREDICTIONS, METRICS, LATENCY, RISK_COVERAGE, PER_SIGNER, PER_LENGTH, *PICTURES)
RESULT_FILES = (*_FILES, CONTRACT_REPORT)  # what an evaluation writes into its folder
REPORT_COLUMNS = (
    "checkpoint",
    "clips",
    "loss",
    *TRANSLATION_SCORES,
    "aurc",
    *(f"{name}_{end}" for name in TRANSLATION_SCORES for end in ("low", "high")),
)


def mean_and_std(results: Sequence[dict[str, Any]]) -> tuple[dict[str, float], dict[str, float] | None]:
    """Return mean and standard deviation of every score that all checkpoints have.

    Args:
        results: Scores of each checkpoint. Numbers are scores, except those of clips (`clips`, `..._clips`).

    Returns:
        Score -> arithmetic mean; score -> standard deviation of a sample (divided by n - 1), None for one checkpoint.
    """
    names = [
        name
        for name, value in results[0].items()
        if isinstance(value, Real)
        and not name.endswith("clips")
        and all(isinstance(result.get(name), Real) for result in results)
    ]
    columns = {name: [float(result[name]) for result in results] for name in names}
    mean = {name: float(np.mean(values)) for name, values in columns.items()}
    if len(results) == 1:
        return mean, None
    return mean, {name: float(np.std(values, ddof=1)) for name, values in columns.items()}


def build_report(results: Sequence[dict[str, Any]], **common: Any) -> dict[str, Any]:
    """Return what `report.json` holds.

    Args:
        results: Scores of each checkpoint, at least one, with `name` and `path`.
        common: What is the same for all of them.

    Mean and standard deviation are over trainings: an export counts only where nothing else was scored, and once.
    """
    trained = [result for result in results if result.get("runtime") != "onnxruntime"]
    mean, std = mean_and_std(trained or results[:1])
    return {**common, "checkpoints": list(results), "mean": mean, "std": std}


def report_rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of `report.csv` (`REPORT_COLUMNS`): one a checkpoint, then `mean` and `std` if there are several.

    The ends of the 95 % intervals are in `<score>_low` and `<score>_high`. What is not known is None.
    """
    rows = []
    for result in report["checkpoints"]:
        row = {name: result.get(name) for name in REPORT_COLUMNS} | {"checkpoint": result["name"]}
        for name in TRANSLATION_SCORES:
            row[f"{name}_low"], row[f"{name}_high"] = result.get(f"{name}_interval", (None, None))
        rows.append(row)
    if report["std"] is not None:
        for kind in ("mean", "std"):
            rows.append({name: report[kind].get(name) for name in REPORT_COLUMNS} | {"checkpoint": kind})
    return rows


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write `report.csv` and `report.json`.

    Raises:
        ConfigurationError: They cannot be written.
    """
    write_table(folder / REPORT_CSV, report_rows(report), REPORT_COLUMNS)
    write_json(folder / REPORT_JSON, report)


def remove_old_report(folder: Path) -> None:
    """Remove the files of an earlier evaluation, so that none of them stands beside those of the next one.

    An evaluation of several checkpoints has a subfolder for each; which ones is in its `report.json`. Other files stay.
    """
    for name in _subfolders(folder / REPORT_JSON):
        for file in RESULT_FILES:
            (folder / name / file).unlink(missing_ok=True)
        if (folder / name).is_dir() and not any((folder / name).iterdir()):
            (folder / name).rmdir()
    for file in _FILES:
        (folder / file).unlink(missing_ok=True)


def _subfolders(path: Path) -> list[str]:
    try:
        names = [str(result["name"]) for result in json.loads(path.read_text(encoding="utf-8"))["checkpoints"]]
    except (OSError, ValueError, TypeError, KeyError):  # no report, or another one
        return []
    return [name for name in names if name == Path(name).name != ".."] if len(names) > 1 else []

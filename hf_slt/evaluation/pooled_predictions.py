"""Scores over the prediction files of several evaluations, for example the folds of a leave-one-signer-out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.errors import ConfigurationError, DataContractError, Problem

_NEEDED = ("file", "gloss_id", "prediction_id", "top5_ids")


def pool_predictions(paths: Sequence[str | Path], resamples: int = 1000, seed: int = 42) -> dict[str, Any]:
    """Score the clips of several prediction files as one set.

    Args:
        paths: Files that `train_gloss.py` or `eval_gloss.py` wrote; each clip is in one of them.
        resamples: Bootstrap resamples over clips for the 95 % intervals; 0 = no intervals.
        seed: Seed of them.

    Returns:
        `accuracy`, `top5_accuracy`, `category_accuracy` (where known) in [0, 1], each with `<score>_interval`; `clips`,
        `files` (number of them) and `per_signer` (signer -> accuracy and clips, where known).

    Raises:
        DataContractError: A file is missing or of another kind, or a clip comes twice.
        ConfigurationError: `resamples` below 0 or a seed below 0.
    """
    if resamples < 0 or seed < 0:
        raise ConfigurationError(f"expected resamples and a seed of 0 or more, found {resamples} and {seed}")
    rows = _read(paths)
    hits = {
        "accuracy": [row["gloss_id"] == row["prediction_id"] for row in rows],
        "top5_accuracy": [row["gloss_id"] in row["top5_ids"].split() for row in rows],
        "category_accuracy": [row["category_correct"] == "1" for row in rows if row.get("category_correct")],
    }
    rng = np.random.default_rng(seed)
    scores: dict[str, Any] = {"clips": len(rows), "files": len(paths)}
    for name, values in hits.items():
        if values:
            correct = np.array(values, dtype=float)
            scores[name] = float(correct.mean())
            if resamples:
                means = correct[rng.integers(len(correct), size=(resamples, len(correct)))].mean(axis=1)
                scores[f"{name}_interval"] = np.quantile(means, (0.025, 0.975)).round(4).tolist()
    signers = sorted({row["signer"] for row in rows if row.get("signer")})
    scores["per_signer"] = {}
    for signer in signers:
        own = [hit for hit, row in zip(hits["accuracy"], rows, strict=True) if row.get("signer") == signer]
        scores["per_signer"][signer] = {"accuracy": float(np.mean(own)), "clips": len(own)}
    return scores


def _read(paths: Sequence[str | Path]) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    problems: list[Problem] = []
    homes: dict[str, str] = {}
    for path in map(str, paths):
        try:
            with open(path, newline="", encoding="utf-8-sig") as file:  # a spreadsheet may have saved it
                found = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            problems.append(Problem(path, "a predictions file", str(error), "correct the path"))
            continue
        missing = [name for name in _NEEDED if not found or name not in found[0]]
        if missing:
            problems.append(Problem(path, f"the columns {list(_NEEDED)}", f"no {missing}", "take predictions.csv"))
            continue
        for number, row in enumerate(found, start=1):
            if None in row or None in row.values():
                cells = len(found[0])
                fix = "write the file again: it was cut short or edited"
                problems.append(Problem(f"{path}, row {number}", f"{cells} cells", "more or fewer", fix))
            if row["file"] in homes:
                fix = "give folds that do not share clips"
                where, also = f"{path}, {row['file']}", f"also in {homes[row['file']]}"
                problems.append(Problem(where, "each clip once", also, fix))
            homes[row["file"]] = path
        rows += found
    if problems or not rows:
        raise DataContractError(problems or [Problem("predictions", "at least one file", "none", "name some")])
    return rows

"""From a labels CSV to the CSVs of splits, with a report of what is in each."""

from __future__ import annotations

import csv
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.data.csv_files import id_fault
from hf_slt.data.gloss.label_table import LabelTable, read_label_table
from hf_slt.data.gloss.labels import FILE, GLOSS, clip_name
from hf_slt.data.gloss.splits import fold_rows, leave_one_group_out, split_rows
from hf_slt.data.staging import staged_folder
from hf_slt.errors import ConfigurationError, DataContractError, Problem

logger = logging.getLogger(__name__)

_NAMES = {2: ("train", "val"), 3: ("train", "val", "test")}
REPORT = "split_report.json"


@dataclass(frozen=True)
class SplitOptions:
    """How to split.

    Attributes:
        ratios: Shares of train, validation and (with three values) test.
        stratify: Column whose values are divided in these ratios.
        group_by: Column whose values are never divided; None: every clip on its own.
        seed: Seed of the choice.
        folds: Number of folds of a cross-validation, in place of one split.
        leave_one_group_out: One split for each value of `group_by`, which is its test split.
    """

    ratios: Sequence[float] = (0.8, 0.1, 0.1)
    stratify: str = GLOSS
    group_by: str | None = None
    seed: int = 42
    folds: int | None = None
    leave_one_group_out: bool = False

    def __post_init__(self) -> None:
        if len(self.ratios) not in _NAMES:
            raise ConfigurationError(
                f"expected 2 ratios (train, val) or 3 (train, val, test), found {len(self.ratios)}"
            )
        if self.seed < 0:
            raise ConfigurationError(f"expected a seed of 0 or more, found {self.seed}")
        if self.folds is not None and self.leave_one_group_out:
            raise ConfigurationError("expected --folds or --leave-one-group-out, found both; choose one")
        if self.leave_one_group_out and self.group_by is None:
            raise ConfigurationError("expected --group-by COLUMN with --leave-one-group-out, found none")


def write_splits(
    labels_csv: str | Path,
    output_dir: str | Path,
    options: SplitOptions,
    *,
    encoding: str = "utf-8-sig",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Split a labels CSV; rows keep their columns and their order.

    Writes `train.csv`, `val.csv` and `test.csv`; with folds `fold_<k>/{train,test}.csv`, with groups left out
    `fold_<group>/{train,test}.csv`; and `split_report.json`.

    Args:
        labels_csv: The labels, with a column `file` and those that the options name.
        output_dir: Folder to write; it is complete or absent.
        options: How to split.
        encoding: Encoding of the CSV.
        overwrite: Whether splits in `output_dir` are replaced.

    Returns:
        The report: `splits` (name -> `clips`, `classes` and `groups` with their numbers of clips) and `warnings`.

    Raises:
        DataContractError: All that is wrong with the CSV.
        ConfigurationError: A split that cannot be, or an `output_dir` that may not be replaced.
    """
    table = _read_table(labels_csv, options, encoding)
    labels = [cell for _, cell in table.cells(options.stratify)]
    groups = None if options.group_by is None else [cell for _, cell in table.cells(options.group_by)]
    parts = _split(labels, groups, options)
    report = _report(labels, groups, parts, options)
    with staged_folder(output_dir, overwrite) as folder:
        for name, chosen in parts.items():
            path = folder / f"{name}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, delimiter=table.separator, lineterminator="\n")
                writer.writerows([table.header, *(table.rows[i][1] for i in chosen)])
        (folder / REPORT).write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    for warning in report["warnings"]:
        logger.warning(warning)
    return report


def _read_table(labels_csv: str | Path, options: SplitOptions, encoding: str) -> LabelTable:
    columns = list(dict.fromkeys((FILE, options.stratify, *([options.group_by] if options.group_by else []))))
    table = read_label_table(labels_csv, columns, encoding)
    problems = list(table.problems)
    for column in columns:
        for line, cell in table.cells(column):
            if not cell:
                where, fix = f"{table.path}, line {line}", "fill it in, or split by another column"
                problems.append(Problem(where, f"a value in the column '{column}'", "an empty cell", fix))
    lines: dict[str, int] = {}
    for line, cell in table.cells(FILE):
        first = lines.setdefault(clip_name(cell), line)
        if cell and first != line:
            found, fix = f"'{cell}' again, first in line {first}", "keep one of the rows"
            problems.append(Problem(f"{table.path}, line {line}", "each file once", found, fix))
    if options.leave_one_group_out:
        for name in sorted({cell for _, cell in table.cells(options.group_by) if cell}):
            if fault := id_fault(name):  # it becomes the name of a folder
                problems.append(
                    Problem(table.path, "groups without path separators", f"{fault} in '{name}'", "rename it")
                )
    if problems:
        raise DataContractError(problems)
    return table


def _split(labels: Sequence[str], groups: Sequence[str] | None, options: SplitOptions) -> dict[str, np.ndarray]:
    """Return name of a split -> numbers of its rows, ascending."""
    if options.leave_one_group_out:
        return _train_and_test(leave_one_group_out(groups))
    if options.folds is not None:
        fold = fold_rows(labels, options.folds, groups, options.seed)
        return _train_and_test({str(number): fold == number for number in range(options.folds)})
    split = split_rows(labels, options.ratios, groups, options.seed)
    if len(set(split)) < len(options.ratios):
        raise ConfigurationError(
            f"expected at least one value of {options.stratify} with {len(options.ratios)} clips or more, one for each "
            f"split, found none; ask for fewer splits, or --stratify by another column"
        )
    return {name: np.flatnonzero(split == number) for number, name in enumerate(_NAMES[len(options.ratios)])}


def _train_and_test(tests: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    parts = {}
    for name, is_test in tests.items():
        parts[f"fold_{name}/train"] = np.flatnonzero(~is_test)
        parts[f"fold_{name}/test"] = np.flatnonzero(is_test)
    return parts


def _report(
    labels: Sequence[str], groups: Sequence[str] | None, parts: Mapping[str, np.ndarray], options: SplitOptions
) -> dict[str, Any]:
    splits, warnings = {}, []
    for name, chosen in parts.items():
        classes = Counter(labels[i] for i in chosen)
        members = None if groups is None else dict(sorted(Counter(groups[i] for i in chosen).items()))
        missing = sorted(set(labels) - set(classes))
        splits[name] = {"clips": len(chosen), "classes": dict(sorted(classes.items())), "groups": members}
        splits[name]["missing"] = missing
        if missing:
            shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            warnings.append(
                f"{name} has no clip of {len(missing)} of {len(set(labels))} values of {options.stratify}: {shown}"
            )
    how = {"stratify": options.stratify, "group_by": options.group_by, "seed": options.seed}
    whole = options.folds is None and not options.leave_one_group_out
    how |= {"ratios": list(options.ratios)} if whole else {"folds": options.folds}
    return {**how, "splits": splits, "warnings": warnings}

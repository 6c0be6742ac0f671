"""Figure of a training from its `train_log.csv`: losses, scores on the validation clips, learning rate."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.figures import new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES = {
    "loss": "loss (training)",
    "train_loss": "loss (training)",
    "eval_loss": "loss (validation)",
    "train_accuracy": "accuracy (training)",
    "eval_accuracy": "accuracy",
    "eval_top5_accuracy": "top-5 accuracy",
    "eval_macro_f1": "macro F1",
    "eval_category_accuracy": "category accuracy",
    "eval_bleu": "BLEU-4",
    "eval_chrf": "chrF",
    "eval_chrfpp": "chrF++",
    "eval_rouge_l": "ROUGE-L",
    "eval_exact_match": "exact match",
    "eval_cer": "CER (less is better)",
    "eval_wer": "WER (less is better)",
    "eval_ter": "TER (less is better)",
}
_ERRORS = ("cer", "wer", "ter")
_PERCENT = ("bleu", "chrf", "chrfpp", "rouge_l", "exact_match", *_ERRORS)
_WIDE = 10  # from this ratio of the largest to the smallest loss on, their axis is logarithmic
_NO_CURVES = ("epoch", "step")
_COLORS = ("#1f6fb4", "#d9541e", "#2a9461", "#8a56ac", "#a8781a", "#c23b72", "#4b4b4b")


@dataclass
class TrainingLog:
    """The numbers of a `train_log.csv`.

    Attributes:
        steps: `(N,)` optimizer steps, ascending.
        columns: Column -> `(N,)` float64, NaN where the file has no number; columns without any are left out.
    """

    steps: np.ndarray
    columns: dict[str, np.ndarray]


def read_train_log(path: str | os.PathLike[str]) -> TrainingLog:
    """Read a `train_log.csv`.

    Raises:
        ConfigurationError: No such file, no column `step`, no row, or cells that are no numbers.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        names = [name for name in rows[0] if name] if rows else []
        table = {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}
    except (OSError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"expected the log of a training as CSV with numbers, found {path}: {error}"
        ) from error
    if "step" not in table:
        found = f"the columns {names}" if names else "no row"
        raise ConfigurationError(f"expected the column 'step' in {path}, found {found}")
    curves = {name: v for name, v in table.items() if name not in _NO_CURVES and np.isfinite(v).any()}
    return TrainingLog(table["step"], curves)


def plot_training_curves(path: str | os.PathLike[str], train_log_csv: str | os.PathLike[str]) -> None:
    """Draw losses, scores and the learning rate over the optimizer steps, whatever of them the log has.

    Scores that only the validation clips have are those of the translation's generated sentences, or of the glosses.

    Args:
        path: PNG file to write; its folder is made if needed.
        train_log_csv: The log of a run of either task.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        ConfigurationError: The log cannot be read or has no curve, or the figure cannot be written.
    """
    log = read_train_log(train_log_csv)
    panels = _panels(log)
    if not panels:
        raise ConfigurationError(f"expected losses, scores or learning rates in {train_log_csv}, found none")
    figure = new_figure(7, 0.5 + sum(height for _, _, height in panels))
    axes = figure.subplots(
        len(panels), 1, sharex=True, squeeze=False, height_ratios=[height for _, _, height in panels]
    )[:, 0]
    figure.subplots_adjust(hspace=0.12)
    for panel, (label, names, _) in zip(axes, panels, strict=True):
        _draw_panel(panel, log, label, names)
    axes[-1].set_xlabel("optimizer step")
    figure.align_ylabels(axes)
    save_figure(path, figure)


def _panels(log: TrainingLog) -> list[tuple[str, list[str], float]]:
    """Return (label of the axis, columns, height in inches) of each panel that has a column."""
    rates = [name for name in log.columns if name.endswith("learning_rate") or name == "lr"]
    losses = [name for name in log.columns if name.endswith("loss")]
    scores = [name for name in log.columns if name not in (*rates, *losses)]
    percent = [name for name in scores if name.removeprefix("eval_") in _PERCENT]
    shares = [name for name in scores if name not in percent]
    panels = [
        ("loss", losses, 2.3),
        ("percent, validation", percent, 2.6),
        ("share", shares, 2.6),
        ("learning rate", rates, 1.1),
    ]
    return [panel for panel in panels if panel[1]]


def _draw_panel(axes: Axes, log: TrainingLog, label: str, names: list[str]) -> None:
    for number, name in enumerate(names):
        known = np.isfinite(log.columns[name])
        marker = "o" if known.sum() <= 30 else None
        is_error = name.removeprefix("eval_") in _ERRORS
        axes.plot(
            log.steps[known],
            log.columns[name][known],
            color=_COLORS[number % len(_COLORS)],
            linestyle="--" if is_error or name == "train_accuracy" else "-",
            marker=marker,
            markersize=3.5,
            linewidth=1.5,
            label=_NAMES.get(name, name),
        )
    axes.set_ylabel(label)
    if label == "learning rate":
        axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    else:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    values = np.concatenate([log.columns[name] for name in names])
    values = values[np.isfinite(values)]
    # A first loss of twenty would leave the rest of the curve no height.
    if label == "loss" and values.min() > 0 and values.max() > _WIDE * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    else:
        axes.set_ylim(bottom=min(0, values.min()))
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)

"""Figures of a gloss classifier as PNG files: confusion matrix and calibration. Needs the extra `plots`."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.calibration import DEFAULT_BINS, ReliabilityBin, expected_calibration_error, reliability_bins
from hf_slt.evaluation.figures import font_families, new_figure, save_figure
from hf_slt.evaluation.gloss_tables import most_confused_pairs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_CLASSES = 160  # more cells than this cannot be read in one picture
_MAX_NAME = 26  # characters
_MAX_PAIRS = 40
_LINE, _ASCENT, _DIGIT = 0.17, 0.1, 0.085  # inches, a line of the list, its capitals, a digit
_RIGHT, _WRONG, _NO_CLIPS = "Blues", "Oranges", (0.91, 0.91, 0.91)
_Z95 = 1.96  # standard normal quantile of a two-sided 95 % interval


def plot_confusion_matrix(path: str | os.PathLike[str], matrix: np.ndarray, names: Sequence[str]) -> None:
    """Draw a confusion matrix in which every name can be read; the picture grows with the number of classes.

    A cell's number counts clips, its colour is their share of the row: blue on the diagonal, orange where a sign was
    taken for another one. A grey row has no clips. The most frequent confusions are listed beside the matrix. Of more
    than `MAX_CLASSES` classes those with the most errors are drawn. A name that no installed font can draw is replaced
    by its class number.

    Args:
        path: PNG file to write; its folder is made if needed.
        matrix: `(C, C)` counts of clips, rows are labels, columns predictions.
        names: C class names.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        ConfigurationError: A matrix that is not square, or another number of names.
    """
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape != (len(names), len(names)) or not matrix.size:
        raise ConfigurationError(f"expected counts (C, C) and C names, found {matrix.shape} and {len(names)} names")
    save_figure(path, _confusion_figure(matrix, names))


def plot_calibration(
    path: str | os.PathLike[str],
    confidence: Sequence[float] | np.ndarray,
    correct: Sequence[bool] | np.ndarray,
    bins: int = DEFAULT_BINS,
) -> None:
    """Draw accuracy over confidence (a reliability diagram) above the number of clips in each bin.

    Whiskers are 95 % Wilson intervals (Wilson, 1927): a bin of three clips says little, and they show it.

    Args:
        path: PNG file to write; its folder is made if needed.
        confidence: `(N,)` probability of each predicted class.
        correct: `(N,)` whether each prediction is right.
        bins: Number of bins of equal width.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        ConfigurationError: As for `reliability_bins`.
    """
    save_figure(
        path, _calibration_figure(np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=bool), bins)
    )


def _confusion_figure(matrix: np.ndarray, names: Sequence[str]) -> Figure:
    shown = _most_wrong(matrix)
    labels, families = _drawable_names(names)
    size = len(shown)
    cell = 0.5 if size <= 12 else 0.27 if size <= 60 else 0.2  # inches
    font = 10.0 if size <= 12 else 8.5 if size <= 60 else 7.5  # points
    figure = new_figure(size * cell, size * cell)
    axes = figure.add_axes((0, 0, 1, 1))
    part = matrix[np.ix_(shown, shown)]
    axes.imshow(_cell_colors(part, matrix.sum(axis=1)[shown]), interpolation="nearest")
    _write_counts(axes, part, matrix.sum(axis=1)[shown], min(font, 9 if cell > 0.2 else 6.5))
    _label_axes(axes, [labels[i] for i in shown], font, families)
    accuracy = f"accuracy {np.trace(matrix) / matrix.sum():.3f}, " if matrix.sum() else ""
    left_out = f" (the {size} of them with the most errors)" if size < len(names) else ""
    title = f"{accuracy}{matrix.sum()} clips, {len(names)} classes{left_out}"
    _list_pairs(axes, matrix, labels, title, families)
    return figure


def _most_wrong(matrix: np.ndarray) -> np.ndarray:
    """Return the ids, in their order, of at most `MAX_CLASSES` classes: those with the most errors."""
    errors = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diag(matrix)
    return np.sort(np.argsort(-errors, kind="stable")[:MAX_CLASSES])


def _cell_colors(matrix: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """Return `(C, C, 3)` colours of `(C, C)` counts; `clips` `(C,)` are what a row's shares refer to."""
    from matplotlib import colormaps

    shares = matrix / np.maximum(clips, 1)[:, None]
    # The palest tenth of a colour map cannot be told from white.
    tones = np.where(matrix > 0, 0.1 + 0.8 * shares, 0)
    diagonal = np.eye(len(matrix), dtype=bool)[:, :, None]
    colors = np.where(diagonal, colormaps[_RIGHT](tones)[:, :, :3], colormaps[_WRONG](tones)[:, :, :3])
    colors[matrix == 0] = 1
    colors[clips == 0] = _NO_CLIPS
    return colors


def _write_counts(axes: Axes, matrix: np.ndarray, clips: np.ndarray, font: float) -> None:
    for row, column in np.argwhere((matrix > 0) | (np.eye(len(matrix), dtype=bool) & (clips > 0)[:, None])):
        count = matrix[row, column]
        color = "white" if count > 0.6 * clips[row] else "black" if count else "crimson"
        small = font if count < 100 else font * 0.75
        axes.text(column, row, str(count), ha="center", va="center", fontsize=small, color=color)


def _label_axes(axes: Axes, labels: list[str], font: float, families: list[str]) -> None:
    size = len(labels)
    axes.set_xticks(range(size), labels, rotation=90, parse_math=False)
    axes.set_yticks(range(size), labels, parse_math=False)
    # Across a large matrix the eye loses the row: the names stand on all four sides.
    far = size > 20
    axes.tick_params(length=0, labelsize=font, labeltop=far, labelright=far, labelfontfamily=families)
    for tick in axes.xaxis.get_major_ticks():
        tick.label2.set_rotation(90)
    axes.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.88", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    for edge in range(5, size, 5):
        axes.axhline(edge - 0.5, color="0.6", linewidth=0.6)
        axes.axvline(edge - 0.5, color="0.6", linewidth=0.6)
    axes.set_xlabel("predicted", fontsize=font + 2, fontweight="bold")
    axes.set_ylabel("label", fontsize=font + 2, fontweight="bold")


def _list_pairs(axes: Axes, matrix: np.ndarray, labels: list[str], title: str, families: list[str]) -> None:
    """Write the title and, right of everything that is drawn, the most frequent confusions."""
    box = axes.get_tightbbox().transformed(axes.transAxes.inverted())
    width, height = axes.figure.get_size_inches()
    lines = _pair_lines(matrix, labels, max_lines=max(10, int(height / _LINE) - 2))
    # Accents make a text taller: on a common baseline a row is level all the same.
    style = {"transform": axes.transAxes, "va": "baseline", "fontsize": 9, "parse_math": False, "clip_on": False}
    left = box.x1 + 0.3 / width
    column = left + (0.15 + _DIGIT * max(len(count) for count, _ in lines)) / width
    axes.text(left, 1 - _ASCENT / height, "most frequent confusions (label → predicted)", fontweight="bold", **style)
    for number, (count, text) in enumerate(lines, start=1):
        baseline = 1 - ((number + 0.5) * _LINE + _ASCENT) / height
        axes.text(left, baseline, count, **style)
        axes.text(column, baseline, text, family=families, **style)
    axes.text(0, box.y1 + 0.12 / height, title, transform=axes.transAxes, fontsize=12, va="bottom", fontweight="bold")


def _pair_lines(matrix: np.ndarray, labels: list[str], max_lines: int) -> list[tuple[str, str]]:
    """Return (count, pair) of the most frequent confusions; what happened once fills up to ten lines at most."""
    pairs = most_confused_pairs(matrix, labels, limit=matrix.size)
    repeated = sum(pair["clips"] > 1 for pair in pairs)
    shown = min(len(pairs), _MAX_PAIRS, max_lines, max(repeated, 10))
    lines = []
    for pair in pairs[:shown]:
        of = round(pair["clips"] / pair["share"])
        lines.append((f"{pair['clips']} of {of}", f"{pair['gloss']} → {pair['prediction']}"))
    if shown < len(pairs):
        rest = sum(pair["clips"] for pair in pairs[shown:])
        lines.append(("...", f"and {len(pairs) - shown} more pairs ({rest} clips)"))
    return lines or [("none", "")]


def _drawable_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return a short form of each name that can be drawn, and the font families that draw them all."""
    cleaned = [" ".join(unicodedata.normalize("NFC", name).split()) for name in names]
    families, missing = font_families(frozenset("".join(cleaned)))
    shown = []
    for number, name in enumerate(cleaned):
        if not name or missing & set(name):
            shown.append(f"class {number}")
        else:
            shown.append(name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1].rstrip() + "…")
    return shown, families


def _calibration_figure(confidence: np.ndarray, correct: np.ndarray, bins: int) -> Figure:
    error = expected_calibration_error(confidence, correct, bins)
    full = [item for item in reliability_bins(confidence, correct, bins) if item.count]
    figure = new_figure(6, 7)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    figure.subplots_adjust(hspace=0.08)
    _draw_reliability(upper, full, 1 / bins)
    upper.set_title(
        f"expected calibration error {error:.3f}\n{len(confidence)} clips: "
        f"accuracy {correct.mean():.3f}, mean confidence {confidence.mean():.3f}",
        fontsize=11,
    )
    heights = [item.count for item in full]
    middles = [(item.low + item.high) / 2 for item in full]
    lower.bar(middles, heights, width=0.92 / bins, color="0.6")
    for middle, count in zip(middles, heights, strict=True):
        lower.text(middle, count, str(count), ha="center", va="bottom", fontsize=7)
    lower.set(xlabel="confidence", ylabel="clips", ylim=(0, 1.18 * max(heights)), xlim=(0, 1))
    lower.yaxis.get_major_locator().set_params(integer=True)
    return figure


def _draw_reliability(axes: Axes, full: list[ReliabilityBin], width: float) -> None:
    accuracy = np.array([item.accuracy for item in full])
    counts = np.array([item.count for item in full])
    middles = np.array([(item.low + item.high) / 2 for item in full])
    spread = _Z95**2 / counts
    center = (accuracy + spread / 2) / (1 + spread)
    half = np.sqrt(accuracy * (1 - accuracy) * spread + spread**2 / 4) / (1 + spread)
    whiskers = np.clip([accuracy - (center - half), center + half - accuracy], 0, None)
    axes.bar(middles, accuracy, width=0.92 * width, color="#4a86c5", label="accuracy of the bin")
    means = [item.confidence for item in full]
    style = {"fmt": "o", "color": "#d9541e", "ecolor": "0.25", "markersize": 4, "elinewidth": 1, "capsize": 2}
    axes.errorbar(means, accuracy, yerr=whiskers, label="at the bin's mean confidence, 95 % interval", **style)
    axes.plot([0, 1], [0, 1], "--", color="0.4", linewidth=1, label="perfect calibration")
    axes.set(ylabel="accuracy", ylim=(0, 1.02), xlim=(0, 1))
    axes.legend(loc="upper left", fontsize=8, framealpha=0.9)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)

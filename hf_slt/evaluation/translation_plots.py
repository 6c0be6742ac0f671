"""Figures of translations as PNG files: length, cross-attention, risk and coverage. Needs the extra `plots`."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.figures import font_families, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _ORANGE = "#1f6fb4", "#d9541e"
_MAX_GROUPS = 8  # groups of length, at most
_MIN_GROUP = 5  # clips of a group, where there are enough
_MANY_POINTS = 300  # from here on they cover each other, and are drawn smaller
_ROW = 0.19  # inches, a token
_MAX_TOKENS = 60  # a loop of 500 tokens shows nothing more
_Z95 = 1.96  # standard normal quantile of a two-sided 95 % interval


@dataclass(frozen=True)
class AttentionMap:
    """Where the decoder looked in one clip.

    Attributes:
        title: What is written above it.
        tokens: N tokens.
        weights: `(N, T)`, each row with the sum 1.
        frames: `(T,)` numbers of the frames.
    """

    title: str
    tokens: Sequence[str]
    weights: np.ndarray
    frames: np.ndarray


def plot_lengths(
    path: str | os.PathLike[str],
    predicted: Sequence[int] | np.ndarray,
    expected: Sequence[int] | np.ndarray,
    scores: Sequence[float] | np.ndarray,
    unit: str = "words",
) -> None:
    """Draw the length of the predictions over that of the references, and the score of sentences by length.

    Whiskers are 95 % intervals of the mean by the normal approximation, of groups of at least 5 clips.

    Args:
        path: PNG file to write; its folder is made if needed.
        predicted: `(N,)` lengths of the predictions.
        expected: `(N,)` lengths of the references.
        scores: `(N,)` chrF of each sentence in percent.
        unit: What lengths count.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        ConfigurationError: No clips, different numbers of them, or the figure cannot be written.
    """
    predicted, expected, scores = np.asarray(predicted), np.asarray(expected), np.asarray(scores)
    if not len(expected) or not predicted.shape == expected.shape == scores.shape:
        shapes = [value.shape for value in (predicted, expected, scores)]
        raise ConfigurationError(f"expected two lengths and a score of each clip, found shapes {shapes}")
    figure = new_figure(9.6, 4.4)
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(wspace=0.25)
    _draw_lengths(left, predicted, expected, unit)
    _draw_scores(right, expected, scores, unit)
    save_figure(path, figure)


def _draw_lengths(axes: Axes, predicted: np.ndarray, expected: np.ndarray, unit: str) -> None:
    limit = max(10, 2 * int(expected.max()))
    counts = Counter(zip(expected.tolist(), predicted.tolist(), strict=True))
    points = [(x, y, clips) for (x, y), clips in sorted(counts.items()) if y <= limit]
    x, y, clips = np.array(points).reshape(-1, 3).T
    axes.plot([0, limit], [0, limit], "--", color="0.4", linewidth=1, label="as long as the reference")
    crowded = len(points) > _MANY_POINTS
    size = (5 if crowded else 14) + (40 if crowded else 130) * clips / max(counts.values())
    axes.scatter(x, y, s=size, color=_BLUE, alpha=0.4 if crowded else 0.65, linewidth=0)
    top = int(y.max()) if len(y) else limit
    axes.set_xlim(0, 1.06 * expected.max() + 1)
    axes.set_ylim(-0.5, 1.06 * max(top, expected.max()) + 1)
    ratio = predicted.sum() / max(1, expected.sum())
    longer = int((predicted > limit).sum())
    left_out = f"\n{longer} longer than {limit} {unit} not shown" if longer else ""
    axes.set_title(f"{len(expected)} clips, length ratio {ratio:.2f}{left_out}", fontsize=11)
    axes.set(xlabel=f"{unit} of the reference", ylabel=f"{unit} of the prediction")
    axes.legend(loc="upper left", fontsize=8, framealpha=0.9)
    _grid(axes)


def _draw_scores(axes: Axes, expected: np.ndarray, scores: np.ndarray, unit: str) -> None:
    groups = length_groups(expected)
    members = [scores[(expected >= low) & (expected <= high)] for low, high in groups]
    means = [group.mean() for group in members]
    spreads = [_Z95 * group.std(ddof=1) / np.sqrt(len(group)) if len(group) >= _MIN_GROUP else 0.0 for group in members]
    low, high = np.clip([np.subtract(means, spreads), np.add(means, spreads)], 0, 100)
    places = np.arange(len(groups))
    axes.bar(places, means, width=0.8, color=_BLUE)
    shown = [len(group) >= _MIN_GROUP for group in members]
    axes.vlines(places[shown], low[shown], high[shown], color="0.2", linewidth=1)
    for place, top, group in zip(places, high, members, strict=True):
        axes.text(place, top + 1.5, str(len(group)), ha="center", va="bottom", fontsize=8)
    labels = [str(first) if first == last else f"{first}-{last}" for first, last in groups]
    axes.set_xticks(places, labels, fontsize=8)
    axes.set_ylim(0, 112)
    axes.set_yticks(range(0, 101, 20))
    axes.set_title("score by length (number: clips)", fontsize=11)
    axes.set(xlabel=f"{unit} of the reference", ylabel="mean chrF of a sentence")
    _grid(axes)
    axes.grid(visible=False, axis="x")


def length_groups(lengths: np.ndarray) -> list[tuple[int, int]]:
    """Divide clips by length into at most 8 groups of about the same size, of at least 5 clips where there are enough.

    Args:
        lengths: `(N,)` whole numbers, at least one.

    Returns:
        The shortest and the longest length of each group, ascending. Clips of the same length are in the same group.
    """
    number = int(np.clip(len(lengths) // _MIN_GROUP, 1, _MAX_GROUPS))
    tops = np.unique(np.quantile(lengths, np.arange(1, number + 1) / number, method="inverted_cdf").astype(int))
    bottoms = [lengths[lengths > top].min() for top in (-1, *tops[:-1])]
    return [(int(low), int(top)) for low, top in zip(bottoms, tops, strict=True)]


def plot_attention(path: str | os.PathLike[str], maps: Sequence[AttentionMap]) -> None:
    """Draw the cross-attention of clips: a row a token, a column a frame; the darker, the more weight.

    Args:
        path: PNG file to write; its folder is made if needed.
        maps: The clips, at least one; of each the first 60 tokens are drawn.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        ConfigurationError: No clip, one without tokens, or the figure cannot be written.
    """
    if not maps or not all(len(item.tokens) for item in maps):
        raise ConfigurationError(f"expected clips with tokens to draw, found {[len(item.tokens) for item in maps]}")
    heights = [_ROW * min(len(item.tokens), _MAX_TOKENS) for item in maps]
    figure = new_figure(8, sum(heights) + 0.85 * (len(maps) - 1))
    # Space between panels is in parts of a mean panel: by inches, it is the same however many tokens they have.
    panels = figure.subplots(len(maps), 1, squeeze=False, height_ratios=heights)[:, 0]
    figure.subplots_adjust(hspace=0.85 * len(maps) / sum(heights), top=1, bottom=0, left=0, right=1)
    for axes, item in zip(panels, maps, strict=True):
        _draw_attention(axes, item)
    panels[-1].set_xlabel("frame")
    save_figure(path, figure)


def _draw_attention(axes: Axes, item: AttentionMap) -> None:
    tokens, families = drawable_texts(list(item.tokens[:_MAX_TOKENS]))
    image = axes.imshow(item.weights[:_MAX_TOKENS], aspect="auto", cmap="Blues", vmin=0, interpolation="nearest")
    axes.figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03).ax.tick_params(labelsize=7)
    axes.set_yticks(range(len(tokens)), tokens, parse_math=False)
    axes.tick_params(axis="y", length=0, labelsize=8, labelfontfamily=families)
    step = max(1, -(-len(item.frames) // 16))
    ticks = np.arange(0, len(item.frames), step)
    axes.set_xticks(ticks, [str(item.frames[tick]) for tick in ticks])
    axes.tick_params(axis="x", labelsize=8)
    (title,), families = drawable_texts([item.title])
    left_out = f" (first {_MAX_TOKENS} of {len(item.tokens)} tokens)" if len(item.tokens) > _MAX_TOKENS else ""
    axes.set_title(title + left_out, fontsize=10, loc="left", family=families, parse_math=False)


def drawable_texts(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return texts with a box for every character that no installed font has, and the fonts for the rest."""
    cleaned = [" ".join(unicodedata.normalize("NFC", text).split()) for text in texts]
    families, missing = font_families(frozenset("".join(cleaned)))
    shown = ["".join("\u25a1" if character in missing else character for character in text) for text in cleaned]
    return shown, families


def plot_risk_coverage(
    path: str | os.PathLike[str],
    coverage: Sequence[float] | np.ndarray,
    risk: Sequence[float] | np.ndarray,
    chosen: tuple[float, float] | None = None,
) -> None:
    """Draw the error of the answered clips over their share, as less and less certain translations are given too.

    Args:
        path: PNG file to write; its folder is made if needed.
        coverage: `(N,)` share of the clips that are answered, ascending, the last one 1.
        risk: `(N,)` mean error of these, in percent.
        chosen: Coverage and risk at the threshold that was chosen beforehand, if one was.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        ConfigurationError: No points, different numbers of them, or the figure cannot be written.
    """
    coverage, risk = np.asarray(coverage, dtype=np.float64), np.asarray(risk, dtype=np.float64)
    if not len(coverage) or coverage.shape != risk.shape:
        raise ConfigurationError(f"expected coverage and risk of points, found {coverage.shape} and {risk.shape}")
    figure = new_figure(6, 4)
    axes = figure.subplots()
    axes.plot(100 * coverage, risk, color=_BLUE, linewidth=1.8, label="most certain translations first")
    axes.axhline(risk[-1], linestyle="--", color="0.4", linewidth=1, label=f"all answered: {risk[-1]:.1f} %")
    if chosen is not None:
        label = f"chosen threshold: {chosen[1]:.1f} % at {100 * chosen[0]:.0f} % answered"
        axes.plot([100 * chosen[0]], [chosen[1]], "o", color=_ORANGE, markersize=7, label=label)
    axes.set(xlabel="answered clips, %", ylabel="mean CER of a sentence (at most 100), %", xlim=(0, 101.5))
    axes.set_ylim(0, 1.15 * max(risk.max(), 1.0))
    axes.legend(loc="best", fontsize=8, framealpha=0.9)
    _grid(axes)
    save_figure(path, figure)


def _grid(axes: Axes) -> None:
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)

"""Figures of translations: what is drawn, what is left out, and files that repeat."""

import sys
import warnings

import numpy as np
import pytest

from hf_slt.errors import ConfigurationError, MissingDependencyError
from hf_slt.evaluation import translation_plots
from hf_slt.evaluation.figures import new_figure
from hf_slt.evaluation.translation_plots import (
    AttentionMap,
    length_groups,
    plot_attention,
    plot_lengths,
    plot_risk_coverage,
)


@pytest.fixture
def saved(monkeypatch):
    """The figures that are drawn, instead of their files."""
    figures = []
    monkeypatch.setattr(translation_plots, "save_figure", lambda path, figure: figures.append(figure))
    return figures


def test_groups_of_length_hold_every_clip_once():
    lengths = np.array([3] * 10 + [4] * 5 + [6] * 5 + [9])
    groups = length_groups(lengths)
    assert groups == [(3, 3), (4, 4), (6, 6), (9, 9)]
    assert length_groups(np.array([2, 9])) == [(2, 9)]
    many = np.arange(1, 101)
    covered = [length for low, high in length_groups(many) for length in range(low, high + 1)]
    assert covered == many.tolist() and len(length_groups(many)) == 8


def test_lengths_and_scores_are_those_of_the_clips(saved):
    expected, predicted = [4] * 6 + [8] * 5, [4] * 5 + [2] + [8] * 4 + [300]
    plot_lengths("x.png", predicted, expected, [50.0] * 6 + [90.0] * 5)
    left, right = saved[0].axes
    assert sorted(left.collections[0].get_offsets().tolist()) == [[4, 2], [4, 4], [8, 8]]
    assert "11 clips, length ratio 5.53" in left.get_title() and "1 longer than 16 words not shown" in left.get_title()
    assert [bar.get_height() for bar in right.patches] == [50, 90]
    assert [text.get_text() for text in right.texts] == ["6", "5"]
    assert [label.get_text() for label in right.get_xticklabels()] == ["4", "8"]


def test_whiskers_stay_within_what_a_score_can_be(saved):
    plot_lengths("x.png", [4] * 6, [4] * 6, [100.0, 100, 100, 100, 100, 0])
    ((low, high),) = [segment[:, 1] for segment in saved[0].axes[1].collections[0].get_segments()]
    # mean 83.3, standard deviation 40.8 of 6 clips
    assert low == pytest.approx(83.33 - 1.96 * 40.82 / np.sqrt(6), abs=0.1) and high == 100


def test_attention_has_a_row_a_token_and_frames_by_their_numbers(saved):
    weights = np.array([[0.5, 0.25, 0.25], [0, 0, 1]])
    plot_attention("x.png", [AttentionMap("$a_1^$", ["▁el", "</s>"], weights, np.array([0, 4, 9]))])
    axes = saved[0].axes[0]
    assert axes.images[0].get_array().tolist() == weights.tolist()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["▁el", "</s>"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "4", "9"]
    assert axes.get_title(loc="left") == "$a_1^$"


def test_of_a_loop_the_first_tokens_are_drawn(saved):
    plot_attention("x.png", [AttentionMap("clip", ["a"] * 90, np.full((90, 2), 0.5), np.arange(2))])
    axes = saved[0].axes[0]
    assert axes.images[0].get_array().shape == (60, 2)
    assert axes.get_title(loc="left") == "clip (first 60 of 90 tokens)"


def test_characters_of_no_font_become_boxes(tmp_path):
    assert translation_plots.drawable_texts(["a\u0378"])[0] == ["a\u25a1"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a glyph that it has not
        plot_attention(tmp_path / "a.png", [AttentionMap("ñ\u0378", ["\u0378"], np.ones((1, 1)), np.arange(1))])


def test_risk_is_drawn_over_coverage_with_the_chosen_threshold(saved):
    plot_risk_coverage("x.png", [0.5, 1.0], [2.0, 6.0], chosen=(0.5, 2.0))
    curve, baseline, chosen = saved[0].axes[0].lines
    assert curve.get_xydata().tolist() == [[50, 2], [100, 6]]
    assert baseline.get_ydata()[0] == 6 and chosen.get_xydata().tolist() == [[50, 2]]
    assert chosen.get_label() == "chosen threshold: 2.0 % at 50 % answered"


def draw_all(folder):
    plot_lengths(folder / "l.png", [1, 2], [1, 3], [100.0, 40.0])
    plot_attention(folder / "a.png", [AttentionMap("clip", ["a"], np.ones((1, 1)), np.arange(1))])
    plot_risk_coverage(folder / "r.png", [1.0], [0.0])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_repeat_byte_by_byte(tmp_path):
    assert draw_all(tmp_path / "a") == draw_all(tmp_path / "b")
    assert len(list((tmp_path / "a").iterdir())) == 3


@pytest.mark.parametrize(
    ("draw", "found"),
    [
        (lambda path: plot_lengths(path, [], [], []), r"found shapes \[\(0,\)"),
        (lambda path: plot_lengths(path, [1], [1, 2], [1.0]), r"\(1,\), \(2,\), \(1,\)"),
        (lambda path: plot_attention(path, []), r"found \[\]"),
        (lambda path: plot_attention(path, [AttentionMap("", [], np.ones((0, 1)), np.arange(1))]), r"found \[0\]"),
        (lambda path: plot_risk_coverage(path, [], []), r"found \(0,\)"),
    ],
)
def test_nothing_to_draw_is_an_error(tmp_path, draw, found):
    with pytest.raises(ConfigurationError, match=found):
        draw(tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


def test_matplotlib_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'hf_slt\[plots\]'"):
        new_figure(1, 1)

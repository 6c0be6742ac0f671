"""The figures: what is drawn can be read, names of any script do no harm, files are whole and repeatable."""

import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from hf_slt.errors import ConfigurationError, MissingDependencyError
from hf_slt.evaluation import figures, plots
from hf_slt.evaluation.plots import plot_calibration, plot_confusion_matrix

WORDS = ("HOW ARE YOU", "GOOD AFTERNOON", "SEE YOU TOMORROW", "HARD OF HEARING", "HELLO")


def counts(size: int) -> np.ndarray:
    matrix = 3 * np.eye(size, dtype=np.int64)
    matrix[0, -1] = 2
    matrix[1, 0] = 1
    return matrix


def long_names(size: int) -> list[str]:
    return [f"{WORDS[i % len(WORDS)]} {i}" for i in range(size)]


def boxes(labels, renderer):
    return [label.get_window_extent(renderer) for label in labels if label.get_visible() and label.get_text()]


@pytest.mark.parametrize("size", [2, 5, 12, 13, 49, 60, 61, 105, plots.MAX_CLASSES])
def test_no_two_names_touch_and_every_name_has_its_size(size):
    figure = plots._confusion_figure(counts(size), long_names(size))
    renderer = figure.canvas.get_renderer()
    axes = figure.axes[0]
    for axis, side in ((axes.yaxis, "y"), (axes.xaxis, "x")):
        found = boxes([tick.label1 for tick in axis.get_major_ticks()], renderer)
        assert len(found) == size
        starts, ends = (sorted(getattr(box, f"{side}{end}") for box in found) for end in (0, 1))
        assert all(start >= end for start, end in zip(starts[1:], ends[:-1], strict=True))
        # pixels across a line of text: what the eye needs
        assert min(getattr(box, "height" if side == "y" else "width") for box in found) >= 10


@pytest.mark.parametrize("size", [2, 49])
def test_the_list_stands_clear_of_the_names_and_of_itself(size):
    matrix = counts(size) * 1000
    figure = plots._confusion_figure(matrix, long_names(size))
    renderer = figure.canvas.get_renderer()
    axes = figure.axes[0]
    found = {text.get_text(): text.get_window_extent(renderer) for text in axes.texts}
    count, pair = found[f"{2000} of {5000}"], found[f"{long_names(size)[0]} → {long_names(size)[-1]}"]
    names = boxes([tick.label2 for tick in axes.yaxis.get_major_ticks()], renderer) + [axes.get_window_extent()]
    assert max(box.x1 for box in names) < count.x0 < count.x1 < pair.x0


def test_cells_tell_right_wrong_missed_and_no_clips():
    matrix = np.array([[4, 0, 1], [5, 0, 0], [0, 0, 0]])
    colors = plots._cell_colors(matrix, matrix.sum(axis=1))
    blue, orange = colors[0, 0], colors[0, 2]
    assert blue[2] > blue[0] + 0.2 and orange[0] > orange[2] + 0.2
    assert colors[0, 1].tolist() == colors[1, 1].tolist() == [1, 1, 1]
    assert colors[1, 0].mean() < orange.mean(), "all clips of a class taken for another: darker than one of five"
    assert (colors[2] == plots._NO_CLIPS).all()
    texts = {text.get_text(): text.get_color() for text in plots._confusion_figure(matrix, list("ABC")).axes[0].texts}
    assert texts["0"] == "crimson" and texts["4"] == "white" and texts["1"] == "black"


def test_title_and_list_of_pairs():
    figure = plots._confusion_figure(counts(5), list("ABCDE"))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "accuracy 0.833, 18 clips, 5 classes" in texts
    assert texts[texts.index("2 of 5") + 1] == "A → E"
    assert texts[texts.index("1 of 4") + 1] == "B → A"
    count, pair = figure.axes[0].texts[texts.index("2 of 5") :][:2]
    assert (count.get_va(), count.get_position()[1]) == (pair.get_va(), pair.get_position()[1])
    assert count.get_va() == "baseline"  # level whatever accents there are


def test_a_long_list_names_the_rest():
    matrix = np.ones((6, 6), dtype=np.int64)
    matrix[0, 1] = 9
    lines = plots._pair_lines(matrix, list("ABCDEF"), max_lines=50)
    assert lines[0] == ("9 of 14", "A → B")
    assert len(lines) == 11 and lines[-1] == ("...", "and 20 more pairs (20 clips)")
    assert plots._pair_lines(np.eye(2, dtype=np.int64), ["A", "B"], max_lines=50) == [("none", "")]


def test_of_too_many_classes_the_worst_are_drawn():
    size = plots.MAX_CLASSES + 40
    matrix = counts(size)
    figure = plots._confusion_figure(matrix, [f"SIGN {i}" for i in range(size)])
    labels = [tick.label1.get_text() for tick in figure.axes[0].yaxis.get_major_ticks()]
    assert len(labels) == plots.MAX_CLASSES and {"SIGN 0", "SIGN 1", f"SIGN {size - 1}"} <= set(labels)
    assert labels == sorted(labels, key=lambda name: int(name.split()[1]))
    assert any(f"(the {plots.MAX_CLASSES} of them with" in text.get_text() for text in figure.axes[0].texts)


def test_names_of_any_kind_are_drawn_or_replaced(tmp_path):
    names = ["ñandú", "\u0378", "$5_x^$", "HOW\n ARE  YOU", "", "SIGN " * 9]
    shown, families = plots._drawable_names(names)
    assert shown == ["ñandú", "class 1", "$5_x^$", "HOW ARE YOU", "class 4", "SIGN SIGN SIGN SIGN SIGN…"]
    assert families[0] == "DejaVu Sans"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a glyph that it has not
        plot_confusion_matrix(tmp_path / "c.png", counts(6), names)


def test_a_second_font_draws_what_the_first_cannot():
    script_g = "\u210a"  # not in DejaVu Sans, but in STIXGeneral, which comes with matplotlib too
    families, missing = figures.font_families(frozenset({"A", script_g, "\u0378"}))
    assert len(families) == 2 and missing == {"\u0378"}
    assert plots._drawable_names([script_g])[0] == [script_g]


def test_fonts_that_are_not_for_text_are_left_alone():
    families, _ = figures.font_families(frozenset({"\ue000", "\u0378"}))  # both have a sign for the first
    assert not [name for name in families if name.startswith(("Last Resort", "STIXNonUnicode"))]


def test_files_are_whole_and_repeatable(tmp_path):
    for name in ("a", "b"):
        plot_confusion_matrix(tmp_path / "new" / f"{name}.png", counts(5), long_names(5))
        plot_calibration(tmp_path / "new" / f"{name}_c.png", [0.2, 0.9, 0.95], [0, 1, 0])
    files = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert files["a.png"] == files["b.png"] and files["a_c.png"] == files["b_c.png"] and len(files) == 4
    with Image.open(tmp_path / "new" / "a.png") as image:
        assert min(image.size) > 300
        assert len(image.convert("RGB").getcolors(1 << 20)) > 20


def test_the_calibration_figure_shows_what_the_bins_say():
    confidence, correct = np.array([0.1, 0.15, 0.9, 0.95]), np.array([False, False, True, False])
    upper, lower = plots._calibration_figure(confidence, correct, bins=2).axes
    assert "calibration error 0.275" in upper.get_title()
    assert "4 clips: accuracy 0.250, mean confidence 0.525" in upper.get_title()
    assert [bar.get_height() for bar in upper.patches] == [0.0, 0.5]
    assert [bar.get_height() for bar in lower.patches] == [2, 2]
    whiskers = upper.collections[0].get_segments()
    # Wilson, 0 of 2 and 1 of 2 at 95 %
    assert whiskers[0][:, 1] == pytest.approx([0, 0.6576], abs=1e-3)
    assert whiskers[1][:, 1] == pytest.approx([0.0945, 0.9055], abs=1e-3)


@pytest.mark.parametrize(("matrix", "names"), [(np.eye(3), ["A", "B"]), (np.ones((2, 3)), ["A", "B"]), (np.eye(0), [])])
def test_other_shapes_are_refused(tmp_path, matrix, names):
    with pytest.raises(ConfigurationError, match=f"found .* and {len(names)} names"):
        plot_confusion_matrix(tmp_path / "c.png", matrix, names)


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    figures.font_families.cache_clear()
    with pytest.raises(MissingDependencyError, match=r"pip install 'hf_slt\[plots\]'"):
        plot_confusion_matrix(tmp_path / "c.png", counts(2), ["A", "B"])
    with pytest.raises(MissingDependencyError, match=r"pip install 'hf_slt\[plots\]'"):
        plot_calibration(tmp_path / "c.png", [0.5], [1])
    assert list(tmp_path.iterdir()) == []

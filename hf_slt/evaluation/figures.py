"""What all figures share: a canvas of their own, files that repeat byte by byte, fonts for any script."""

from __future__ import annotations

import functools
import io
import os
from typing import TYPE_CHECKING

from hf_slt.errors import require_package
from hf_slt.evaluation.reports import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 120
_FONT = "DejaVu Sans"  # comes with matplotlib
# The first draws the name of a script instead of its letters, the second symbols under codes of its own.
_NOT_FOR_TEXT = ("Last Resort", "STIXNonUnicode")


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, on its own canvas: pyplot's global state is left alone."""
    require_package("matplotlib", "plots")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    return figure


def save_figure(path: str | os.PathLike[str], figure: Figure) -> None:
    """Write a figure as a PNG file; the same figure gives the same bytes.

    Raises:
        ConfigurationError: It cannot be written.
    """
    image = io.BytesIO()
    # No version and no date in the file: the same figure gives the same bytes.
    figure.savefig(image, format="png", bbox_inches="tight", pad_inches=0.15, metadata={"Software": None})
    write_whole(path, image.getvalue())


@functools.cache
def font_families(characters: frozenset[str]) -> tuple[list[str], set[str]]:
    """Return installed fonts that together draw as many of the characters as can be, and the rest."""
    require_package("matplotlib", "plots")
    from matplotlib import font_manager

    def left_over(path: str) -> set[str]:
        glyphs = font_manager.get_font(path).get_charmap()
        return {character for character in missing if ord(character) not in glyphs}

    families, missing = [_FONT], set(characters)
    missing = left_over(font_manager.findfont(_FONT))
    fonts = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist if entry.style == "normal"}
    for name, path in sorted(fonts.items()):
        if not missing:
            break
        if not name.startswith(_NOT_FOR_TEXT) and (rest := left_over(path)) < missing:
            families.append(name)
            missing = rest
    return families, missing

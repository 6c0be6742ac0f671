"""How long a sentence is, and the ranges of lengths that scores are broken down by."""

from __future__ import annotations

import re
from collections.abc import Sequence

LENGTH_BINS = ((1, 5), (6, 10), (11, 15), (16, 20), (21, 30), (31, None))
WORDS, CHARACTERS = "words", "characters"
# Han and kana, for a class of a regular expression: scripts that put no spaces between words.
UNSPACED = "\u2e80-\u2fff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f"
_UNSPACED_TEXT = re.compile(f"\\S*[{UNSPACED}]\\S*")


def is_unspaced(text: str) -> bool:
    """Tell whether text is Chinese or Japanese (it has Han or kana) without white space between its words."""
    return _UNSPACED_TEXT.fullmatch(text.strip()) is not None


def length_unit(references: Sequence[str]) -> str:
    """Return what the lengths of sentences are counted in.

    Returns:
        `CHARACTERS` (those that are no white space) if more than half of the references are Chinese or Japanese
        without spaces between words, else `WORDS` (between white space).
    """
    return CHARACTERS if 2 * sum(map(is_unspaced, references)) > len(references) else WORDS


def sentence_length(text: str, unit: str) -> int:
    """Return the length of a sentence in `WORDS` or `CHARACTERS`."""
    words = text.split()
    return len(words) if unit == WORDS else sum(map(len, words))


def group_by_length(references: Sequence[str]) -> dict[str, list[int]]:
    """Return the indices of the sentences in each range of lengths, `"6-10"` or `"31+"`; empty ones are left out.

    Args:
        references: Sentences, none of them empty. Lengths are in their `length_unit`.
    """
    unit = length_unit(references)
    counts = [sentence_length(reference, unit) for reference in references]
    groups = {}
    for low, high in LENGTH_BINS:
        chosen = [i for i, count in enumerate(counts) if low <= count and (high is None or count <= high)]
        if chosen:
            groups[f"{low}+" if high is None else f"{low}-{high}"] = chosen
    return groups

"""Ranges of sentence lengths that scores are broken down by."""

from __future__ import annotations

from collections.abc import Sequence

LENGTH_BINS = ((1, 5), (6, 10), (11, 15), (16, 20), (21, 30), (31, None))  # words between white space


def group_by_length(references: Sequence[str]) -> dict[str, list[int]]:
    """Return the indices of the sentences in each range of lengths, `"6-10"` or `"31+"` words; empty ones are left out.

    Args:
        references: Sentences, none of them empty.
    """
    counts = [len(reference.split()) for reference in references]
    groups = {}
    for low, high in LENGTH_BINS:
        chosen = [i for i, count in enumerate(counts) if low <= count and (high is None or count <= high)]
        if chosen:
            groups[f"{low}+" if high is None else f"{low}-{high}"] = chosen
    return groups

"""Edits of TER: the shifts of Tercom, fast enough to be counted after every epoch.

Translation edit rate (Snover et al., 2006) is the number of edits that turn a prediction into its reference, divided by
the words of the reference, where to move a run of words anywhere is one edit as well. The best shifts are searched for
greedily, as Tercom and sacrebleu do. The counts equal those of `sacrebleu.metrics.TER(case_sensitive=True)`; nearly
all of its time goes into edit distances of candidate shifts, which rapidfuzz computes here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from rapidfuzz.distance import Levenshtein

# Limits of Tercom and sacrebleu, which are part of the definition of the score.
_MAX_SHIFT_WORDS = 10
_MAX_SHIFT_DISTANCE = 50
_MAX_CANDIDATES = 1000
_BEAM_WIDTH = 25


def ter_counts(predictions: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Count the edits of TER in words between white space; case and punctuation count.

    Args:
        predictions: N sentences.
        references: N sentences, none of them empty.

    Returns:
        `(N, 2)` int64: the number of edits, shifts included, and the number of words in the reference.
    """
    rows = []
    for prediction, reference in zip(predictions, references, strict=True):
        words = reference.split()
        rows.append((_edits(prediction.split(), words), len(words)))
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class _Alignment:
    """What an edit distance pairs.

    Attributes:
        distance: The edit distance in words.
        positions: For each word of the reference, the last word of the hypothesis up to it; -1 if there is none.
        wrong_before: How many words before each position, `(length + 1,)`, are wrong in the hypothesis.
        missed_before: The same of the reference.
        is_near_the_diagonal: Whether sacrebleu, which looks around the diagonal only, sees the same alignment.
    """

    distance: int
    positions: list[int]
    wrong_before: list[int]
    missed_before: list[int]
    is_near_the_diagonal: bool


def _edits(hypothesis: list[str], reference: list[str]) -> int:
    ids: dict[str, str] = {}
    # One character a word: distances and slices of strings are fast.
    moved, target = (
        "".join(ids.setdefault(word, chr(len(ids))) for word in words) for words in (hypothesis, reference)
    )
    shifts = checked = 0
    while True:
        alignment = _align(moved, target)
        # Off the diagonal, candidates look worse to sacrebleu than they are: if the chosen one is near it, the choice
        # is the same.
        if not alignment.is_near_the_diagonal:
            from sacrebleu.metrics.lib_ter import translation_edit_rate

            return int(translation_edit_rate(hypothesis, reference)[0])
        shifted, tried = _best_shift(moved, target, alignment, _MAX_CANDIDATES - checked)
        checked += tried
        if shifted is None or checked >= _MAX_CANDIDATES:
            return shifts + alignment.distance
        moved, shifts = shifted, shifts + 1


def _best_shift(hypothesis: str, reference: str, alignment: _Alignment, limit: int) -> tuple[str | None, int]:
    """Return the shift that lowers the edit distance most, None if none does, and the number of candidates tried.

    Between equal gains the longer run is taken, then the earlier one, then the earlier place.
    """
    best, best_rank, gain, tried = None, (0, 0, 0), 0, 0
    wrong, missed, positions = alignment.wrong_before, alignment.missed_before, alignment.positions
    for start, place, length in _matching_runs(hypothesis, reference):
        is_right, is_matched = wrong[start + length] == wrong[start], missed[place + length] == missed[place]
        if is_right or is_matched or start <= positions[place] < start + length:
            continue
        previous = -1
        for at in range(place - 1, place + length):
            index = 0 if at < 0 else positions[at] + 1
            if index == previous:
                continue
            previous = index
            tried += 1
            shifted = _shift(hypothesis, start, length, index)
            cutoff = alignment.distance - gain
            found = alignment.distance - Levenshtein.distance(shifted, reference, score_cutoff=cutoff)
            rank = (length, -start, -index)
            if found > gain or (found == gain > 0 and rank > best_rank):
                best, best_rank, gain = shifted, rank, found
        if tried >= limit:
            break
    return best, tried


def _matching_runs(hypothesis: str, reference: str) -> Iterator[tuple[int, int, int]]:
    """Yield `(start in hypothesis, start in reference, length)` of all runs that are in both, in Tercom's order."""
    places: dict[str, list[int]] = {}
    for j, word in enumerate(reference):
        places.setdefault(word, []).append(j)
    for i, word in enumerate(hypothesis):
        for j in places.get(word, ()):
            if abs(j - i) > _MAX_SHIFT_DISTANCE:
                continue
            longest = min(_MAX_SHIFT_WORDS, len(hypothesis) - i, len(reference) - j)
            length = 1
            yield i, j, length
            while length < longest and hypothesis[i + length] == reference[j + length]:
                length += 1
                yield i, j, length


def _shift(words: str, start: int, length: int, index: int) -> str:
    """Move `words[start : start + length]` to before position `index`; an index inside of the run moves it along."""
    run, rest = words[start : start + length], words[:start] + words[start + length :]
    if index > start + length:
        index -= length
    return rest[:index] + run + rest[index:]


def _align(hypothesis: str, reference: str) -> _Alignment:
    """Align two sentences; a match or substitution goes before a word too many, that before a missing one."""
    table = _distances(hypothesis, reference)
    i, j = len(hypothesis), len(reference)
    slope = j / i if i else 1.0
    width = max(_BEAM_WIDTH, math.ceil(slope / 2 + _BEAM_WIDTH) if _BEAM_WIDTH < slope / 2 else 0)
    positions, wrong, missed = [0] * j, [1] * i, [1] * j
    strayed = False
    while i or j:
        offset = j - math.floor(i * slope)
        strayed |= i > 0 and (offset < -width or (offset >= width and i < len(hypothesis)))
        value = table[i][j]
        if i and j and table[i - 1][j - 1] + (hypothesis[i - 1] != reference[j - 1]) == value:
            i, j = i - 1, j - 1
            wrong[i] = missed[j] = int(hypothesis[i] != reference[j])
            positions[j] = i
        elif i and table[i - 1][j] + 1 == value:
            i -= 1
        else:
            j -= 1
            positions[j] = i - 1
    wrong_before, missed_before = (list(accumulate(errors, initial=0)) for errors in (wrong, missed))
    return _Alignment(table[-1][-1], positions, wrong_before, missed_before, not strayed)


def _distances(hypothesis: str, reference: str) -> list[list[int]]:
    """Return the edit distances of all beginnings, `(len(hypothesis) + 1, len(reference) + 1)` (Levenshtein, 1966)."""
    table = [list(range(len(reference) + 1))]
    for i, word in enumerate(hypothesis, start=1):
        above, left = table[-1], i
        row = [left]
        for other, diagonal, up in zip(reference, above, above[1:], strict=False):
            left = diagonal if word == other else 1 + min(diagonal, up, left)
            row.append(left)
        table.append(row)
    return table

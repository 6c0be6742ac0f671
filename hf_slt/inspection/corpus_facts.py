"""Figures of a corpus: who signs, how long, what is said, how much of it was detected, which clips to look at first."""

from __future__ import annotations

import statistics
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hf_slt.inspection.clip_facts import PARTS, ClipFacts
from hf_slt.provenance import extractor_name

_LOW = 0.5  # share of frames
NO_NAME = "unknown"


@dataclass(frozen=True)
class Group:
    """The clips of a split or of a signer.

    Attributes:
        name: Its name.
        clips: Their number.
        frames: Their frames.
        seconds: Their length, as `total_seconds` has it.
        all_known: Whether the length of each is known.
        signers: Different signers among them.
    """

    name: str
    clips: int
    frames: int
    seconds: float | None
    all_known: bool
    signers: int


@dataclass(frozen=True)
class Detection:
    """How often a part was detected.

    Attributes:
        part: The part, one of `PARTS`.
        clips: Clips that tell.
        mean: Mean over the clips of the share of frames with it.
        median: Median of these shares.
        low_tenth: The share that a tenth of the clips do not exceed.
        below_half: Clips that have it in less than half of their frames.
    """

    part: str
    clips: int
    mean: float
    median: float
    low_tenth: float
    below_half: int


@dataclass(frozen=True)
class Vocabulary:
    """The words of all texts.

    Attributes:
        words: Number of words, and of glosses in a corpus of signs.
        different: Number of different ones.
        common: The most frequent ones with their counts.
        once: How many there are only once.
        rare: Some of the other ones, the rarest first, with their counts.
    """

    words: int
    different: int
    common: Sequence[tuple[str, int]]
    once: int
    rare: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Finding:
    """A clip to look at, and why."""

    clip: ClipFacts
    reason: str


def group_clips(clips: Iterable[ClipFacts], name_of: Callable[[ClipFacts], str | None]) -> list[Group]:
    """Return the groups by their name, the largest first."""
    members: dict[str, list[ClipFacts]] = defaultdict(list)
    for clip in clips:
        members[name_of(clip) or NO_NAME].append(clip)
    groups = [
        Group(
            name,
            len(found),
            sum(clip.frames for clip in found),
            *total_seconds(found),
            len({clip.signer for clip in found if clip.signer}),
        )
        for name, found in members.items()
    ]
    return sorted(groups, key=lambda group: (-group.clips, group.name))


def total_seconds(clips: Sequence[ClipFacts]) -> tuple[float | None, bool]:
    """Return the length of all clips that were extracted together, and whether that of each is known.

    Those of unknown length are left out of the sum; it is None if all are.
    """
    lengths = [clip.seconds for clip in clips if not clip.error]
    known = [length for length in lengths if length is not None]
    return sum(known) if known else None, len(known) == len(lengths)


def detections(clips: Iterable[ClipFacts]) -> list[Detection]:
    """Return how often each part was detected in the clips that were extracted; parts that none tells are left out."""
    clips = [clip for clip in clips if not clip.error]
    found = []
    for part in PARTS:
        rates = sorted(clip.rates[part] for clip in clips if part in clip.rates)
        if rates:
            below = sum(rate < _LOW for rate in rates)
            tenth = rates[(len(rates) - 1) // 10]
            found.append(Detection(part, len(rates), statistics.fmean(rates), statistics.median(rates), tenth, below))
    return found


def split_words(text: str) -> list[str]:
    """Split at white space, take punctuation off both ends, and lower the case."""
    words = (_bare(word) for word in text.lower().split())
    return [word for word in words if word]


def _bare(word: str) -> str:
    start, end = 0, len(word)
    while start < end and unicodedata.category(word[start])[0] in "PS":
        start += 1
    while end > start and unicodedata.category(word[end - 1])[0] in "PS":
        end -= 1
    return word[start:end]


def vocabulary(clips: Iterable[ClipFacts], of_glosses: bool = False, shown: int = 30) -> Vocabulary:
    """Count words.

    Args:
        clips: The clips; those without a text are left out.
        of_glosses: Whether a text is the name of one sign, and so one word.
        shown: How many common and rare words are returned.
    """
    counts: Counter[str] = Counter()
    for clip in clips:
        if clip.text:
            counts.update([clip.text] if of_glosses else split_words(clip.text))
    by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rare = sorted(by_count[shown:], key=lambda item: (item[1], item[0]))
    once = sum(count == 1 for count in counts.values())
    rarest = [item for item in rare if item[1] == 1]
    if len(rarest) > shown:  # spread over the alphabet, since numbers come first in it
        rare = rarest[:: len(rarest) // shown]
    return Vocabulary(counts.total(), len(counts), by_count[:shown], once, rare[:shown])


def worst_clips(clips: Sequence[ClipFacts], most: int = 20) -> list[Finding]:
    """Return the clips to look at first: errors, problems, then low detection rates, then the shortest and longest.

    A clip is named once, for the gravest reason.

    Args:
        clips: All clips.
        most: Most clips for each of the first three reasons; a quarter of it for the shortest and the longest.
    """
    usable = [clip for clip in clips if clip.frames and not clip.error]
    low = sorted((clip for clip in usable if clip.detection < 1), key=lambda clip: (clip.detection, clip.video_id))
    by_length = sorted(usable, key=lambda clip: (clip.frames, clip.video_id))
    few = max(1, most // 4) if len(by_length) > 1 else 0
    reasons = [
        *(Finding(clip, f"not extracted: {clip.error}") for clip in [c for c in clips if c.error][:most]),
        *(Finding(clip, _problem_reason(clip)) for clip in [c for c in clips if c.problems][:most]),
        *(Finding(clip, _low_reason(clip)) for clip in low[:most]),
        *(Finding(clip, "one of the shortest") for clip in by_length[:few]),
        *(Finding(clip, "one of the longest") for clip in by_length[::-1][:few]),
    ]
    first: dict[str, Finding] = {}
    for finding in reasons:
        first.setdefault(finding.clip.video_id, finding)
    return list(first.values())


def _problem_reason(clip: ClipFacts) -> str:
    more = f" (and {len(clip.problems) - 1} more)" if len(clip.problems) > 1 else ""
    return f"breaks the data contract: expected {clip.problems[0].expected}, found {clip.problems[0].found}{more}"


def _low_reason(clip: ClipFacts) -> str:
    part, rate = min(clip.judged_rates.items(), key=lambda item: item[1])
    return f"{part} in {100 * rate:.0f} % of the frames"


def extractors(clips: Iterable[ClipFacts]) -> Counter[str]:
    """Count the clips of each extractor; clips whose files do not tell are counted as unknown."""
    return Counter(extractor_name(clip.provenance) or NO_NAME for clip in clips if not clip.error)

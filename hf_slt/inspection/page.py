"""The page of a corpus: one HTML file, no network, no script, the same bytes for the same corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hf_slt.errors import Problem
from hf_slt.evaluation.page_templates import page_template
from hf_slt.inspection.clip_facts import PARTS, ClipFacts
from hf_slt.inspection.contact_sheets import ContactSheet
from hf_slt.inspection.corpus_facts import (
    NO_NAME,
    Group,
    detections,
    extractors,
    group_clips,
    split_words,
    total_seconds,
    vocabulary,
    worst_clips,
)
from hf_slt.inspection.histograms import bin_shares, bin_values, histogram_svg

_TEMPLATE = "inspection_page.html"
_MAX_ROWS = 40
_NO_SPLIT = "in no split"
_MAX_PROBLEMS = 100
_MAX_WARNINGS = 50


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        columns: Headings.
        rows: Cells as text; the first one of a row names it.
        shares: How long the bar of each row is, 0 to 1; empty: no bars.
        left_out: Rows that are not shown.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    shares: Sequence[float] = ()
    left_out: int = 0


@dataclass(frozen=True)
class Histogram:
    """A histogram: its title, the SVG element, and what stands beneath."""

    title: str
    svg: Markup
    note: str


def render_page(
    name: str,
    clips: Sequence[ClipFacts],
    sheets: Sequence[tuple[ClipFacts, ContactSheet]] = (),
    problems: Sequence[Problem] = (),
    warnings: Sequence[str] = (),
    *,
    of_glosses: bool = False,
    num_worst: int = 0,
) -> str:
    """Return the page.

    Args:
        name: What the corpus is called.
        clips: All clips.
        sheets: Clips to show, with their contact sheets; the worst ones first.
        problems: What is wrong with the tables and folders; what is wrong with clips is in these.
        warnings: What is odd but legal.
        of_glosses: Whether a text is the name of one sign.
        num_worst: How many of `sheets` are there because they are bad.
    """
    problems = [*problems, *(problem for clip in clips for problem in clip.problems)]
    words = vocabulary(clips, of_glosses)
    return page_template("hf_slt.inspection", _TEMPLATE).render(
        name=name,
        summary=_summary(clips, of_glosses),
        alarms=_alarms(clips, problems),
        headline=_headline(clips, words.different, of_glosses),
        groups=[
            _group_table("split", group_clips(clips, lambda clip: clip.split or _NO_SPLIT), signers=True),
            _group_table("signer", group_clips(clips, lambda clip: clip.signer)),
        ],
        lengths=_length_histograms(clips, of_glosses),
        detection=_detection_table(clips),
        rates=_rate_histograms(clips),
        vocabulary=words,
        of_glosses=of_glosses,
        worst=worst_clips(clips),
        sheets=sheets,
        num_worst=num_worst,
        extractors=_extractor_table(clips),
        problems=problems[:_MAX_PROBLEMS],
        more_problems=max(0, len(problems) - _MAX_PROBLEMS),
        warnings=warnings[:_MAX_WARNINGS],
    )


def _summary(clips: Sequence[ClipFacts], of_glosses: bool) -> str:
    texts = sum(clip.text is not None for clip in clips)
    kind = "Single signs" if of_glosses else "Sign language"
    return f"{kind}: {len(clips)} clips, {texts} of them with a {'gloss' if of_glosses else 'text'}."


def _alarms(clips: Sequence[ClipFacts], problems: Sequence[Problem]) -> list[str]:
    alarms = []
    if errors := sum(clip.error is not None for clip in clips):
        alarms.append(f"Clips that were not extracted: {errors}. They are the first ones to look at.")
    if problems:
        alarms.append(f"Problems of the data contract: {len(problems)}. They are listed at the end.")
    found = extractors(clips)
    if len(found) > 1:
        each = ", ".join(f"{name} ({count})" for name, count in found.most_common())
        alarms.append(f"The clips are not of one extractor: {each}. Models learn the habits of the one they see.")
    if unused := sum(clip.split is None for clip in clips) if any(clip.split for clip in clips) else 0:
        alarms.append(f"Clips in no split: {unused}.")
    return alarms


def _headline(clips: Sequence[ClipFacts], words: int, of_glosses: bool) -> list[tuple[str, str]]:
    signers = len({clip.signer for clip in clips if clip.signer})
    return [
        ("clips", f"{len(clips):,}"),
        ("frames", f"{sum(clip.frames for clip in clips):,}"),
        ("length", format_seconds(*total_seconds(clips))),
        ("signers", str(signers) if signers else NO_NAME),
        ("different signs" if of_glosses else "different words", f"{words:,}"),
    ]


def format_seconds(seconds: float | None, all_known: bool = True) -> str:
    """Return a length as people write it: `38 s`, `12.4 min`, `3.1 h`; `over 3.1 h` if that is not all of it."""
    if seconds is None:
        return NO_NAME
    said = (
        f"{seconds:.0f} s"
        if seconds < 60
        else f"{seconds / 60:.1f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )
    return said if all_known else f"over {said}"


def _group_table(what: str, groups: Sequence[Group], signers: bool = False) -> Table:
    shown = groups[:_MAX_ROWS]
    most = max((group.clips for group in groups), default=1)
    rows = [
        [
            group.name,
            f"{group.clips:,}",
            f"{group.frames:,}",
            format_seconds(group.seconds, group.all_known),
            *([str(group.signers or "")] if signers else []),
        ]
        for group in shown
    ]
    columns = [what, "clips", "frames", "length", *(["signers"] if signers else [])]
    return Table(columns, rows, [group.clips / most for group in shown], max(0, len(groups) - _MAX_ROWS))


def _length_histograms(clips: Sequence[ClipFacts], of_glosses: bool) -> list[Histogram]:
    texts = [clip.text for clip in clips if clip.text]
    seconds = [clip.seconds for clip in clips if clip.seconds is not None]
    shown = [
        _histogram("Frames of a clip", [clip.frames for clip in clips if clip.frames], "frames"),
        _histogram("Seconds of a clip", seconds, "seconds", whole=False),
    ]
    if of_glosses:
        counts = vocabulary(clips, of_glosses, shown=len(texts)).common
        shown.append(_histogram("Clips of a sign", [count for _, count in counts], "clips"))
    else:
        shown.append(_histogram("Words of a text", [len(split_words(text)) for text in texts], "words"))
        shown.append(_histogram("Characters of a text", [len(text) for text in texts], "characters"))
    return [histogram for histogram in shown if histogram is not None]


def _histogram(title: str, values: Sequence[float], unit: str, whole: bool = True) -> Histogram | None:
    if not values:
        return None
    svg = histogram_svg(bin_values(values, whole=whole), title, unit)
    ordered = sorted(values)
    low, middle, high = (f"{value:,.4g}" for value in (ordered[0], ordered[len(ordered) // 2], ordered[-1]))
    return Histogram(title, Markup(svg), f"{low} to {high} {unit}, median {middle}")


def _detection_table(clips: Sequence[ClipFacts]) -> Table | None:
    found = detections(clips)
    if not found:
        return None
    rows = [
        [one.part.replace("_", " "), str(one.clips), *map(_percent, (one.mean, one.median, one.low_tenth))]
        + [str(one.below_half)]
        for one in found
    ]
    columns = ["part", "clips", "mean", "median", "lowest tenth", "clips below half"]
    return Table(columns, rows, [one.mean for one in found])


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _rate_histograms(clips: Sequence[ClipFacts]) -> list[Histogram]:
    shown = []
    for part in PARTS:
        rates = [clip.rates[part] for clip in clips if part in clip.rates and not clip.error]
        if rates:
            title = f"{part.replace('_', ' ').capitalize()}: share of frames"
            svg = histogram_svg(bin_shares(rates), title, percent=True)
            shown.append(Histogram(title, Markup(svg), f"{len(rates)} clips"))
    return shown


def _extractor_table(clips: Sequence[ClipFacts]) -> Table:
    found = extractors(clips).most_common()
    most = max((count for _, count in found), default=1)
    return Table(["extractor", "clips"], [[name, str(n)] for name, n in found], [n / most for _, n in found])

"""The report of an evaluation as one HTML file: no network, no script, the same bytes for the same results."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_slt.evaluation.page_templates import page_template
from hf_slt.evaluation.report_facts import SCORE_LABELS, Score, facts, format_number, score_rows, warnings_of
from hf_slt.evaluation.sentence_examples import KINDS

HEADLINE = ("bleu", "chrf", "cer", "wer")
_TEMPLATE = "report_page.html"
_MAX_ROWS = 200  # of a table: a corpus of thousands of signers has its CSV file
_MAX_TEXT = 1500  # characters of a translation: a model that loops can write a book


@dataclass(frozen=True)
class TokenWeights:
    """One generated token.

    Attributes:
        text: The token.
        image: Its attention over the frames, a `data:` address.
    """

    text: str
    image: str


@dataclass(frozen=True)
class Example:
    """One translation on the page.

    Attributes:
        kind: One of `KINDS`.
        video_id: Id of the clip.
        prediction, reference: Pieces of text, and whether each differs from the other sentence.
        facts: What else is known of it, name -> text.
        tokens: The tokens with their attention; empty if the model gives none.
        more_tokens: Tokens that are not shown.
        strips: Stream -> `data:` address of frames beside each other, all of the same width.
        frames: Number of each of these frames.
    """

    kind: str
    video_id: str
    prediction: Sequence[tuple[str, bool]]
    reference: Sequence[tuple[str, bool]]
    facts: Mapping[str, str]
    tokens: Sequence[TokenWeights] = ()
    more_tokens: int = 0
    strips: Mapping[str, str] = field(default_factory=dict)
    frames: Sequence[int] = ()


@dataclass(frozen=True)
class Table:
    """One table on the page.

    Attributes:
        title: Its heading.
        columns: Headings of the columns.
        rows: Cells as text; the first one of a row names it.
        left_out: Rows that are not shown.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    left_out: int = 0


@dataclass(frozen=True)
class Picture:
    """One picture on the page.

    Attributes:
        title: Its heading.
        image: A `data:` address.
        text: What it shows, also for those who cannot see it.
    """

    title: str
    image: str
    text: str


def render_report(
    metrics: Mapping[str, Any],
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    examples: Sequence[Example],
    notes: Sequence[str] = (),
) -> str:
    """Return the page.

    Args:
        metrics: What `metrics.json` holds; what it lacks is said to be not measured or not known.
        tables: Tables by signer, length and stream.
        pictures: Pictures.
        examples: Translations.
        notes: What the page cannot show, and why.
    """
    return page_template("hf_slt.evaluation", _TEMPLATE).render(
        title=" · ".join(str(metrics[name]) for name in ("model", "split") if metrics.get(name)) or "evaluation",
        language=metrics.get("language"),
        headline=score_rows(metrics, HEADLINE),
        scores=score_rows(metrics, [name for name in SCORE_LABELS if name in metrics]),
        confidence=format_number(100 * metrics.get("confidence", 0.95), 0),
        clips=metrics.get("n"),
        facts=facts(metrics),
        warnings=warnings_of(metrics),
        tables=tables,
        pictures=pictures,
        examples={
            kind: shown for kind in KINDS if (shown := [_shortened(item) for item in examples if item.kind == kind])
        },
        notes=notes,
    )


def _shortened(example: Example) -> Example:
    texts = {}
    for name in ("prediction", "reference"):
        pieces, room = [], _MAX_TEXT
        for text, differs in getattr(example, name):
            if room < len(text):
                pieces.append(("…", False))
                break
            pieces.append((text, differs))
            room -= len(text)
        texts[name] = pieces
    return Example(**{**vars(example), **texts})


def table_of_csv(title: str, path: Path) -> Table | None:
    """Return a table of scores from its CSV file; None if there is no such file, or no row in it.

    `<score>_low` and `<score>_high` go into the cell of the score, as its interval.
    """
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return None
    ends = {f"{name}_{end}" for name in rows[0] for end in ("low", "high")}
    shown = [name for name in rows[0] if name not in ends and any(row[name] for row in rows)]
    cells = [[_cell(row, name) for name in shown] for row in rows[:_MAX_ROWS]]
    return Table(title, [SCORE_LABELS.get(name, name) for name in shown], cells, max(0, len(rows) - _MAX_ROWS))


def _cell(row: Mapping[str, str], name: str) -> str:
    if name not in SCORE_LABELS:
        return row[name] or ("" if name == "note" else "unknown")
    bounds = [row.get(f"{name}_{end}") for end in ("low", "high")]
    interval = [float(bound) for bound in bounds] if all(bounds) else None
    return str(Score.of(name, float(row[name]) if row[name] else None, interval))


def table_of_scores(
    title: str, first: str, groups: Mapping[str, Mapping[str, Any]], scores: Sequence[str] = (*HEADLINE, "looping")
) -> Table | None:
    """Return a table of scores of groups; None if there are none.

    Args:
        title: Its heading.
        first: Heading of the column that names the groups.
        groups: Name -> scores, with `<score>_interval` where known.
        scores: The scores to show; those that no group has are left out.
    """
    if not groups:
        return None
    clips = any("clips" in found for found in groups.values())
    names = [name for name in scores if any(name in found for found in groups.values())]
    rows = [
        [name, *([str(found.get("clips", ""))] if clips else []), *map(str, score_rows(found, names))]
        for name, found in groups.items()
    ]
    return Table(title, [first, *(["clips"] if clips else []), *(SCORE_LABELS[name] for name in names)], rows)

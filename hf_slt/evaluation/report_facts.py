"""What `metrics.json` says, as text: scores with intervals, how they came about, and what speaks against them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SCORE_LABELS = {
    "bleu": "BLEU-4",
    "bleu1": "BLEU-1",
    "bleu2": "BLEU-2",
    "bleu3": "BLEU-3",
    "chrf": "chrF",
    "chrfpp": "chrF++",
    "ter": "TER",
    "rouge_l": "ROUGE-L",
    "cer": "CER",
    "wer": "WER",
    "exact_match": "exact match",
    "length_ratio": "length ratio",
    "looping": "looping",
    "aurc": "AURC",
}
_ERRORS = ("ter", "cer", "wer", "looping", "aurc")
NOT_MEASURED, NOT_KNOWN = "not measured", "not known"
_NO_VIDEO = "not known: the metadata, here or of the training run, has no column video"


@dataclass(frozen=True)
class Score:
    """A score as it is printed.

    Attributes:
        label: Its name.
        value: The number, or that it was not measured.
        interval: The interval in brackets, or nothing.
        better: Which direction is better, or nothing where none is.
    """

    label: str
    value: str
    interval: str
    better: str

    @classmethod
    def of(cls, name: str, value: float | None, interval: Sequence[float] | None) -> Score:
        """Format the score with the key `name` (`SCORE_LABELS`)."""
        better = "" if name == "length_ratio" else "less is better" if name in _ERRORS else "more is better"
        bounds = f"[{format_number(interval[0])}, {format_number(interval[1])}]" if interval else ""
        text = NOT_MEASURED if value is None else format_number(value)
        return cls(SCORE_LABELS[name], text, bounds, better)

    @property
    def arrow(self) -> str:
        """Which direction is better, as an arrow."""
        return {"more is better": "↑", "less is better": "↓"}.get(self.better, "")

    def __str__(self) -> str:
        return f"{self.value} {self.interval}".rstrip()


def format_number(value: float, digits: int = 2) -> str:
    """Return a number with a fixed number of decimals; a minus only where they show one."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if not float(text) else text


def score_rows(metrics: Mapping[str, Any], names: Iterable[str]) -> list[Score]:
    """Return scores with their intervals, in the order of `names`."""
    return [Score.of(name, metrics.get(name), metrics.get(f"{name}_interval")) for name in names]


def warnings_of(metrics: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know before believing the scores; empty if nothing is known against them."""
    found = []
    overlap = metrics.get("overlap")
    if overlap is None:
        found.append("Whether the model was trained or selected on some of these clips is not known.")
    elif any(overlap.values()):
        ids, groups = overlap.get("video_ids"), overlap.get("groups")
        recordings = f", {groups} the same signer, text and video as one"
        if groups is None:
            recordings = f" (how many the same signer, text and video: {_NO_VIDEO})"
        found.append(
            f"The model was trained or selected on some of these clips: {ids} have the id of a clip of the training or "
            f"validation split{recordings}. The scores are too good."
        )
    if metrics.get("skipped_clips"):
        found.append(f"{metrics['skipped_clips']} clips were not usable and are not in the scores.")
    return found


def facts(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return name and text of everything that the scores depend on."""
    selection = metrics.get("selection") or {}
    clips = metrics.get("n")
    rows = [
        ("model", metrics.get("model")),
        ("runtime", metrics.get("runtime")),
        ("split", metrics.get("split")),
        ("clips", None if clips is None else f"{clips} ({metrics.get('skipped_clips') or 0} more skipped as unusable)"),
        ("clips shared with training or validation", _shared(metrics.get("overlap"))),
        ("model selection", selection.get("rule")),
        ("sacrebleu signature", metrics.get("signature")),
        ("tokenizer of BLEU", metrics.get("tokenize")),
        ("case", {True: "lower-cased", False: "kept"}.get(metrics.get("lowercase"))),
        ("language", metrics.get("language")),
        ("intervals", _intervals(metrics)),
        ("decoding", _pairs(metrics.get("decoding"))),
        ("settings", _pairs(metrics.get("settings"))),
        ("abstention", _abstention(metrics.get("abstention"))),
        ("versions", _pairs(metrics.get("versions"))),
        ("data hash", metrics.get("data_hash")),
    ]
    return [(name, NOT_KNOWN if value in (None, "") else str(value)) for name, value in rows]


def _shared(overlap: Mapping[str, Any] | None) -> str | None:
    if not overlap:
        return None
    ids, groups = overlap.get("video_ids"), overlap.get("groups")
    return f"{ids} by their id; by signer, text and video: {_NO_VIDEO if groups is None else groups}"


def _intervals(metrics: Mapping[str, Any]) -> str | None:
    resamples = metrics.get("resamples")
    if not resamples:
        return None if resamples is None else "none"
    percent = format_number(100 * metrics.get("confidence", 0.95), 0)
    return f"{percent} % bootstrap over clips, {resamples} resamples, seed {metrics.get('seed', NOT_KNOWN)}"


def _pairs(values: Mapping[str, Any] | None) -> str | None:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None) if values else None


def _abstention(values: Mapping[str, Any] | None) -> str:
    if not values:
        return "none: all clips are answered"
    return (
        f"answered if the score is at least {values['threshold']:.4f}, chosen on {values['calibration_clips']} clips "
        f"of {values['calibration_split']} for an error of at most {values['target_risk']:g} %: here "
        f"{100 * values['coverage']:.1f} % answered with an error of {_percent(values['risk'])}"
    )


def _percent(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.2f} %"

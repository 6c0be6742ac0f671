"""The scores of an evaluation as the rows of a card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hf_slt.model_card.run_files import GLOSS, TRANSLATION, Evaluation


@dataclass(frozen=True)
class Score:
    """One kind of score.

    Attributes:
        key: Its name in `metrics.json`.
        label: Its name in a card.
        metric: Its id in the hub's `model-index`; None if it does not stand there.
        unit: Written behind the label.
        digits: Digits behind the point.
        main: Whether tables of signers and of streams show it.
        signed: How its part of the sacrebleu signature begins; None if sacrebleu does not compute it.
    """

    key: str
    label: str
    metric: str | None = None
    unit: str = ""
    digits: int = 2
    main: bool = False
    signed: str | None = None


SCORES: dict[str, tuple[Score, ...]] = {
    TRANSLATION: (
        Score("bleu", "BLEU-4", "bleu", main=True, signed="BLEU|"),
        *(Score(f"bleu{n}", f"BLEU-{n}", signed="BLEU|") for n in (1, 2, 3)),
        Score("chrf", "chrF", "chrf", main=True, signed="chrF2|"),
        Score("chrfpp", "chrF++", "chrfpp", signed="chrF2++|"),
        Score("ter", "TER", "ter", "%", signed="TER|"),
        Score("rouge_l", "ROUGE-L", "rouge"),
        Score("cer", "CER", "cer", "%", main=True),
        Score("wer", "WER", "wer", "%", main=True),
        Score("exact_match", "exact match", unit="%"),
        Score("length_ratio", "length ratio", unit="words / words", digits=3),
        Score("looping", "looping outputs", unit="%"),
        Score("aurc", "area under the risk-coverage curve", unit="%"),
    ),
    GLOSS: (
        Score("accuracy", "top-1 accuracy", "accuracy", digits=3, main=True),
        Score("top5_accuracy", "top-5 accuracy", "top5_accuracy", digits=3, main=True),
        Score("macro_f1", "macro F1", "f1", digits=3, main=True),
        Score("category_accuracy", "category accuracy", "category_accuracy", digits=3),
        Score("ece", "expected calibration error", digits=3),
    ),
}
# The subsets that an evaluation scores apart -> what a card calls them.
PARTS = {
    "seen": "Sentences that also occur in training",
    "unseen": "Sentences that do not",
}
_LEGACY = ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "wer", "chrf")  # of `compute_phoenix_legacy`
_ABSTENTION = ("threshold", "target_risk", "calibration_clips", "calibration_split", "coverage", "risk")


def number(value: Any, digits: int = 2) -> str | None:
    """Return a number with some digits behind the point; None for one that is absent or not finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) == float("inf"):
        return None
    return f"{value:.{digits}f}"


def interval_text(metrics: Mapping[str, Any], score: Score) -> str | None:
    """Return `low to high` of a score; None if it has no interval."""
    bounds = metrics.get(f"{score.key}_interval") or (metrics.get(f"{score.key}_low"), metrics.get(f"{score.key}_high"))
    low, high = (number(bound, score.digits) for bound in bounds)
    return None if low is None or high is None else f"{low} to {high}"


def value_text(metrics: Mapping[str, Any], score: Score) -> str | None:
    """Return a score with its interval in brackets, if it has one; None for one that is absent."""
    value, interval = number(metrics.get(score.key), score.digits), interval_text(metrics, score)
    return value if value is None or interval is None else f"{value} [{interval.replace(' to ', ', ')}]"


def signature_of(metrics: Mapping[str, Any], score: Score) -> str | None:
    """Return the sacrebleu signature of a score; None if it has none."""
    parts = str(metrics.get("signature") or "").split()
    return next((part for part in parts if score.signed and part.startswith(score.signed)), None)


def score_rows(task: str, metrics: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """Return a row for every score of a task: `label`, `value` and `interval`, None where absent.

    The main scores always have one. Another score that the file has no name for, since what wrote it does not compute
    it (an earlier version, or the run itself, which draws no risk-coverage curve), has none.
    """
    return [
        {
            "label": f"{score.label} ({score.unit})" if score.unit else score.label,
            "value": number(metrics.get(score.key), score.digits),
            "interval": interval_text(metrics, score) if number(metrics.get(score.key)) else None,
        }
        for score in SCORES[task]
        if score.main or score.key in metrics
    ]


def compact_table(
    task: str, title: str, rows: Iterable[tuple[str, Mapping[str, Any]]], every: bool = False
) -> dict[str, Any] | None:
    """Return a table with a line a subset: `header` and `rows` of texts, None where absent.

    Args:
        task: The task.
        title: Head of the first column.
        rows: Name of the subset, and its scores.
        every: Show all scores that are there, not the main ones alone.

    Returns:
        The table; None without rows.
    """
    rows = list(rows)
    shown = [s for s in SCORES[task] if (every or s.main) and any(s.key in metrics for _, metrics in rows)]
    if not rows or not shown:
        return None
    sizes = [number(metrics.get("n", metrics.get("clips")), 0) for _, metrics in rows]
    counted = ["clips"] if any(sizes) else []
    lines = []
    for (name, metrics), size in zip(rows, sizes, strict=True):
        lines.append([name, *([size] if counted else []), *(value_text(metrics, score) for score in shown)])
    return {"header": [title, *counted, *(score.label for score in shown)], "rows": lines}


def signer_table(task: str, rows: Iterable[Mapping[str, Any]], names: bool) -> dict[str, Any] | None:
    """Return the table of the signers; without their names they are numbers."""
    return compact_table(
        task, "signer", [(str(row.get("signer")) if names else str(i), row) for i, row in enumerate(rows, start=1)]
    )


def legacy_view(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return `rows` (label and value) and `signature` of the scores of `--phoenix-legacy`; None without them."""
    legacy = metrics.get("phoenix_legacy")
    if not legacy:
        return None
    known = {score.key: score for score in SCORES[TRANSLATION]} | {"bleu4": Score("bleu4", "BLEU-4")}
    shown = [known[key] for key in _LEGACY if key in legacy]
    rows = [[f"{s.label} ({s.unit})" if s.unit else s.label, number(legacy[s.key], s.digits)] for s in shown]
    return {"rows": rows, "signature": legacy.get("signature")}


def evaluation_view(task: str, evaluation: Evaluation, show_signers: bool) -> dict[str, Any]:
    """Return what a template shows of an evaluation."""
    metrics = evaluation.metrics
    parts = [(label, metrics[key]) for key, label in PARTS.items() if isinstance(metrics.get(key), Mapping)]
    ablation = metrics.get("ablation") or {}
    return {
        "split": evaluation.split,
        "is_validation": evaluation.is_validation,
        "is_training": evaluation.is_training,
        "name": evaluation.name,
        "place": evaluation.place,
        "n": number(metrics.get("n", metrics.get("clips")), 0),
        "runtime": metrics.get("runtime"),
        "scores": score_rows(task, metrics),
        "signature": metrics.get("signature"),
        "tokenize": metrics.get("tokenize"),
        "lowercase": bool(metrics.get("lowercase")),
        "confidence": number(100 * metrics["confidence"], 0) if metrics.get("confidence") else None,
        "resamples": metrics.get("resamples"),
        "seed": metrics.get("seed"),
        "data_hash": metrics.get("data_hash"),
        "decoding": _pairs(metrics.get("decoding")),
        "settings": _pairs(metrics.get("settings")),
        "versions": _pairs(metrics.get("versions")),
        "skipped_clips": _count(metrics.get("skipped_clips")),
        "overlap": _overlap(task, metrics),
        "overlaps": evaluation.overlaps,
        "signers_shared": _count(metrics.get("signers_shared_with_training")),
        "parts": compact_table(task, "subset", parts),
        "ablation": compact_table(task, "streams", ablation.items()),
        "signers": signer_table(task, evaluation.per_signer, show_signers),
        "legacy": legacy_view(metrics),
        "abstention": dict.fromkeys(_ABSTENTION) | metrics["abstention"] if metrics.get("abstention") else None,
    }


def _pairs(values: Any) -> str | None:
    if not isinstance(values, Mapping):
        return None
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None) or None


def _count(value: Any) -> int | None:
    return len(value) if isinstance(value, (list, tuple, dict)) else value


def _overlap(task: str, metrics: Mapping[str, Any]) -> str | None:
    """Say how many clips are shared with training or validation: `none`, or what; None if that is not known."""
    found = metrics.get("overlap")
    if not isinstance(found, Mapping):
        return None
    if task == GLOSS:  # clips are compared by their content, and have no groups
        return f"{found['video_ids']} clips by their content" if found.get("video_ids") else "none"
    names = {"video_ids": "clips by their id", "groups": "clips by signer, text and source video"}
    shared = ", ".join(f"{found[key]} {name}" for key, name in names.items() if found.get(key))
    if found.get("groups") is None:
        return f"{shared or 'none by their id'}; groups of signer, text and source video: not recorded"
    return shared or "none"
